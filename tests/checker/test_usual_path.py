"""A ward that does what the card says brings a course to the end of cycle 2 and into monitoring, under every protocol."""

import pytest

from checker.people import MORNING, a_course
from checker.search import Scope, Search
from checker.usual import usual
from checker.ward import State, begin, ruling_on, with_facts
from models.assessment import Accepted, CourseState
from models.messages import Message
from plumbing.protocol_files import load_protocol, pin_of, released_names
from tests.checker.walking import moved


@pytest.mark.parametrize("protocol", released_names())
def test_the_usual_path_gives_six_doses_and_ends_in_monitoring(protocol: str) -> None:
    rules = load_protocol(protocol)
    state, seen = begin(a_course(rules, pin_of(protocol)), MORNING, rules), set[CourseState]()
    while (move := usual(state)) is not None:
        state = moved(state, move)
        seen.add(state.card.state)
    assert [f.what.kind for f in state.chart.facts].count("infusion_started") == 6
    assert {CourseState.PREMEDICATION, CourseState.OBSERVATION, CourseState.CYCLE_REVIEW} <= seen
    assert state.card.state is CourseState.LIVER_MONITORING


@pytest.mark.parametrize("protocol", released_names())
def test_nothing_is_broken_where_nobody_deviates(protocol: str) -> None:
    rules = load_protocol(protocol)
    found = Search(a_course(rules, pin_of(protocol)), MORNING, rules, Scope("usual", {})).run()
    assert found.violations == []


def test_a_state_judges_as_the_shipped_decision_does() -> None:
    """The driver judges in a standing it has read once; `decide` with the message must say the same."""
    from clinical.decide import decide
    from models.carried import DecideRequest
    from models.messages import NamedMessage

    rules = load_protocol("us-label-2024.1")
    state, compared = begin(a_course(rules, pin_of("us-label-2024.1")), MORNING, rules), 0

    def same(state: State, message: Message) -> None:
        request = DecideRequest(
            chart=state.chart,
            now=state.now,
            monitoring=state.run.kind == "monitoring",
            message=NamedMessage.of(message),
        )
        shipped, ruling = decide(request, rules, "check"), ruling_on(state, message)
        assert shipped.ruling == ruling
        if isinstance(ruling, Accepted) and shipped.phase == state.run:
            after = with_facts(state, ruling.facts)
            assert shipped.assessment == after.card
            assert set(shipped.facts) == set(after.chart.facts[len(state.chart.facts) :])

    while (move := usual(state)) is not None:
        waited = moved(state, move.__class__(move.name, until=move.until))
        if len(move.messages) == 1:
            same(waited, move.messages[0])
            compared += 1
        state = moved(state, move)
    assert compared > 30
