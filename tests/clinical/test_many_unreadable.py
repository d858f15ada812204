"""LAB-05 in a flood: messages that nobody could read are named, counted and called for without a call for each of a thousand."""

import hashlib
from datetime import datetime, timedelta

from clinical.assess import assess
from clinical.chart.unread import NAMED
from clinical.course.case import Case
from clinical.decide import conclude
from models.assessment import Accepted, Assessment, Refused, Verdict
from models.chart import Chart
from models.facts import HoldSet, RungFired, UnreadableMessage, UnreadableResolved
from models.messages import Hold, ResolveUnreadable
from models.people import Actor, Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder

LABEL_PROTOCOL = load_protocol(LABEL)
PHYSICIAN = Actor(role=Role.PHYSICIAN, id="p-1")
PRESCRIBER = Actor(role=Role.PRESCRIBER, id="p-2")
FURTHER = "unreadable-further"


def unreadable(number: int) -> UnreadableMessage:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return UnreadableMessage(signal="lab_results", sha256=digest, size=3, reason="not JSON")


def flooded(chart: Chart, first: int, number: int, at: datetime) -> Chart:
    return conclude(chart, [unreadable(n) for n in range(first, first + number)], at, LABEL_PROTOCOL).chart


def dismissed(chart: Chart, target: str, at: datetime) -> tuple[Chart, Accepted | Refused | None]:
    command = ResolveUnreadable(
        id=f"dismiss-{target}", by=PHYSICIAN, target=target, outcome="dismissed", reason="sent again"
    )
    done = conclude(chart, [command], at, LABEL_PROTOCOL)
    return done.chart, done.rulings[0]


def lab_05(card: Assessment) -> list[str]:
    return [f.reason for f in card.findings if f.rule == "LAB-05"]


def called(chart: Chart) -> list[tuple[str, datetime]]:
    fired = [f.what for f in chart.facts if isinstance(f.what, RungFired) and f.what.rung == "due"]
    return [(rung.obligation, rung.due_at) for rung in fired if rung.obligation.startswith("unreadable-")]


def assessed(chart: Chart, at: datetime) -> Assessment:
    return assess(chart, LABEL_PROTOCOL, at)


def a_ready_chart() -> Chart:
    return ChartBuilder(LABEL).ready().chart()


def test_up_to_the_limit_each_is_named_and_called_for() -> None:
    chart = flooded(a_ready_chart(), 0, NAMED, D1)
    card = assessed(chart, D1)
    assert len(lab_05(card)) == NAMED
    assert not any("further" in reason for reason in lab_05(card))
    assert len(called(chart)) == NAMED
    assert FURTHER not in {o.key for o in card.obligations}


def test_a_thousand_are_twenty_names_one_number_and_one_call_more() -> None:
    chart = flooded(flooded(a_ready_chart(), 0, 500, D1), 500, 500, D1 + timedelta(minutes=5))
    card = assessed(chart, D1 + timedelta(minutes=5))
    assert lab_05(card)[-1] == f"and {1000 - NAMED} further messages could not be read"
    assert len(lab_05(card)) == NAMED + 1
    assert len([o for o in card.obligations if o.rule == "LAB-05"]) == NAMED + 1
    assert len(called(chart)) == NAMED + 1
    assert [due_at for key, due_at in called(chart) if key == FURTHER] == [D1]


def test_the_gate_stays_closed_until_the_last_is_settled_and_no_settled_one_calls_for_the_next() -> None:
    number, at = NAMED + 5, D1
    chart = flooded(a_ready_chart(), 0, number, at)
    calls = called(chart)
    for n in range(number):
        assert Verdict.NEED_DATA in {f.verdict for f in assessed(chart, at).findings if f.rule == "LAB-05"}
        at += timedelta(seconds=1)
        chart, ruling = dismissed(chart, unreadable(n).sha256[:12], at)
        assert isinstance(ruling, Accepted)
    assert lab_05(assessed(chart, at)) == []
    assert called(chart) == calls
    assert not [o for o in assessed(chart, at).obligations if o.rule == "LAB-05"]
    targets = [f.what.target for f in chart.facts if isinstance(f.what, UnreadableResolved)]
    assert targets == [unreadable(n).sha256 for n in range(number)], "the whole hash is kept"


def test_the_card_names_the_next_as_the_first_are_settled() -> None:
    chart = flooded(a_ready_chart(), 0, NAMED + 1, D1)
    last = unreadable(NAMED).sha256[:12]
    assert not any(last in reason for reason in lab_05(assessed(chart, D1)))
    chart, _ = dismissed(chart, unreadable(0).sha256, D1 + timedelta(seconds=1))
    assert any(last in reason for reason in lab_05(assessed(chart, D1 + timedelta(seconds=1))))


def test_a_second_flood_after_the_first_was_settled_calls_again() -> None:
    chart = flooded(a_ready_chart(), 0, NAMED + 1, D1)
    for n in range(NAMED + 1):
        chart, _ = dismissed(chart, unreadable(n).sha256, D1 + timedelta(seconds=1 + n))
    later = D1 + timedelta(days=1)
    chart = flooded(chart, 100, NAMED + 2, later)
    assert [due_at for key, due_at in called(chart) if key == FURTHER] == [D1, later]


def test_a_beginning_that_two_messages_share_or_that_is_too_short_names_none() -> None:
    chart = flooded(a_ready_chart(), 0, 3, D1)
    twin = unreadable(0).model_copy(update={"sha256": unreadable(0).sha256[:12] + "0" * 52})
    chart = conclude(chart, [twin], D1, LABEL_PROTOCOL).chart
    for target in (unreadable(0).sha256[:12], unreadable(1).sha256[:11]):
        _, ruling = dismissed(chart, target, D1 + timedelta(seconds=1))
        assert isinstance(ruling, Refused)
    assert isinstance(dismissed(chart, unreadable(0).sha256, D1 + timedelta(seconds=1))[1], Accepted)


def test_one_more_message_never_opens_the_gate_or_takes_a_call_away() -> None:
    chart, before = a_ready_chart(), set[str]()
    for n in range(NAMED + 3):
        chart = flooded(chart, n, 1, D1 + timedelta(seconds=n))
        case = Case(chart, LABEL_PROTOCOL, D1 + timedelta(seconds=n))
        keys = {o.key for o in assessed(chart, case.now).obligations if o.rule == "LAB-05"}
        assert before <= keys
        assert len(case.results.unreadable_messages) == n + 1
        before = keys


def test_of_many_holds_with_long_words_a_card_shows_the_beginning_of_each_and_stays_small_enough_to_be_kept() -> None:
    words = [f"{n} " + "w" * 1990 for n in range(400)]
    holds = [Hold(id=f"hold-{n}", by=PRESCRIBER, reason=reason) for n, reason in enumerate(words)]
    done = conclude(ChartBuilder().ready(D1).chart(), holds, D1, LABEL_PROTOCOL)
    assert [f.what.reason for f in done.facts if isinstance(f.what, HoldSet)] == words, "the record holds them whole"
    shown = [f.reason for f in done.assessment.findings if "www" in f.reason]
    assert len(shown) == len(words)
    assert {reason[-1] for reason in shown} == {"…"}
    assert len(assess(done.chart, LABEL_PROTOCOL, D1 + timedelta(days=1)).model_dump_json()) < 512 * 1024
