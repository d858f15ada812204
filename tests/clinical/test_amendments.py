"""A course that goes on under another protocol: asked for, acknowledged divergence by divergence, then in force (DIV)."""

from datetime import timedelta
from typing import Any

import pytest

from clinical.assess import assess
from clinical.decide import decide
from clinical.judge import judge
from models.assessment import Accepted, Assessment, Refused
from models.carried import DecideRequest, Decision
from models.messages import MESSAGES, NamedMessage
from models.people import Role
from plumbing.protocol_files import find_pinned, load_pinned, load_protocol, pin_of
from tests.factories import ARTICLE, D1, LABEL, PEOPLE, ChartBuilder, PaperCourse

DIVERGENCES = ("DIV-01", "DIV-03", "DIV-07")


def amend(to: str, *acknowledged: str, **changes: Any) -> dict[str, Any]:
    pin = pin_of(to).model_dump(mode="json") | changes
    given = [{"divergence": d, "reason": "invented"} for d in acknowledged]
    return {"protocol": pin, "acknowledged": given, "reason": "the ward works by it"}


def ruled(course: PaperCourse, name: str, content: dict[str, Any], role: Role = Role.PRESCRIBER) -> Accepted | Refused:
    message = MESSAGES[name].model_validate({"id": f"{name}-1", "by": PEOPLE[role], **content}, strict=False)
    return judge(course.chart, message, course.protocol, course.now, find_pinned)


def refusal_of(ruling: Accepted | Refused) -> str:
    return ruling.type if isinstance(ruling, Refused) else "accepted"


def decided(course: PaperCourse, name: str, content: dict[str, Any]) -> Decision:
    """One decision as the workflow asks for it: under the protocol in force, the facts taken over."""
    message = MESSAGES[name].model_validate(
        {"id": f"{name}-{len(course.chart.facts)}", "by": PEOPLE[Role.PRESCRIBER], **content}, strict=False
    )
    request = DecideRequest(chart=course.chart, now=course.now, message=NamedMessage.of(message))
    decision = decide(request, load_pinned(course.chart.protocol), "test", find_pinned)
    course.chart = course.chart.with_facts(*decision.facts)
    course.protocol = load_pinned(course.chart.protocol)
    return decision


def ready(protocol: str = LABEL) -> PaperCourse:
    return PaperCourse(ChartBuilder(protocol).ready(), D1)


def mg_per_m2(card: Assessment) -> str:
    assert card.dose is not None
    return str(card.dose.mg_per_m2)


def test_an_amendment_with_all_divergences_is_in_force_at_once_and_decides_the_dose() -> None:
    course = ready()
    assert mg_per_m2(course.card) == "0.8"
    decision = decided(course, "amend_protocol", amend(ARTICLE, *DIVERGENCES))
    assert (decision.assessment.protocol, mg_per_m2(decision.assessment)) == (ARTICLE, "0.5")
    assert mg_per_m2(course.card) == "0.5"


def test_until_the_last_divergence_is_acknowledged_the_old_protocol_is_in_force() -> None:
    course = ready()
    decided(course, "amend_protocol", amend(ARTICLE, "DIV-01"))
    assert (course.card.protocol, mg_per_m2(course.card)) == (LABEL, "0.8")
    note = next(f for f in course.card.findings if f.rule == "PIN-02")
    assert (note.verdict, note.clears) == (None, "acknowledge_divergence of DIV-03, DIV-07 by the prescriber")
    decided(course, "acknowledge_divergence", {"divergence": "DIV-03", "reason": "known"})
    assert course.card.protocol == LABEL
    last = decided(course, "acknowledge_divergence", {"divergence": "DIV-07", "reason": "known"})
    assert (last.assessment.protocol, course.card.protocol) == (ARTICLE, ARTICLE)
    assert not any(f.rule == "PIN-02" for f in course.card.findings)


def test_an_authorisation_lapses_with_the_protocol_it_was_given_under() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    assert course.card.verdict == "MAY_START"
    decided(course, "amend_protocol", amend(ARTICLE, *DIVERGENCES))
    assert course.card.verdict == "MAY_AUTHORISE"


def test_back_to_the_label_needs_no_acknowledgement() -> None:
    course = ready(ARTICLE)
    decided(course, "amend_protocol", amend(LABEL))
    assert course.card.protocol == LABEL


@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (amend(LABEL), "AlreadyInForce"),
        (amend(ARTICLE, sha256="0" * 64), "UnknownProtocol"),
        (amend(ARTICLE, "DIV-01", "DIV-99"), "UnknownDivergence"),
    ],
    ids=["in force", "another hash", "not its divergence"],
)
def test_an_amendment_that_cannot_be_is_refused(content: dict[str, Any], type_: str) -> None:
    assert refusal_of(ruled(ready(), "amend_protocol", content)) == type_


def test_a_divergence_is_acknowledged_only_for_an_amendment() -> None:
    course = ready()
    wanted = {"divergence": "DIV-01", "reason": "known"}
    assert refusal_of(ruled(course, "acknowledge_divergence", wanted)) == "NothingToAcknowledge"
    decided(course, "amend_protocol", amend(ARTICLE, "DIV-01"))
    assert refusal_of(ruled(course, "acknowledge_divergence", wanted)) == "UnknownDivergence"


def test_the_protocol_does_not_change_while_an_infusion_runs() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    assert refusal_of(ruled(course.later(minutes=5), "amend_protocol", amend(ARTICLE, *DIVERGENCES))) == "CourseBusy"
    assert refusal_of(ruled(course, "move_to_current_build", {}, Role.ADMINISTRATOR)) == "CourseBusy"


def test_an_administrator_moves_a_quiet_course_and_no_fact_of_the_patient_follows() -> None:
    assert ruled(ready(), "move_to_current_build", {}, Role.ADMINISTRATOR) == Accepted(facts=())


def test_without_other_protocols_at_hand_none_can_be_amended_to() -> None:
    course = ready()
    message = MESSAGES["amend_protocol"].model_validate(
        {"id": "m", "by": PEOPLE[Role.PRESCRIBER], **amend(ARTICLE, *DIVERGENCES)}, strict=False
    )
    assert refusal_of(judge(course.chart, message, course.protocol, course.now)) == "UnknownProtocol"


def test_the_level_and_the_doses_given_survive_an_amendment() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + timedelta(days=2))
    decided(course, "amend_protocol", amend(ARTICLE, *DIVERGENCES))
    card = assess(course.chart, load_protocol(ARTICLE), course.now)
    assert (card.next_dose, card.cycle_totals_mg_per_m2) == ("C1D8", ("C1: 0.50 mg/m² (0.91 mg)",))
