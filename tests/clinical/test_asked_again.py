"""What is overdue is asked for again every week, and no open course is without a day on which somebody looks at it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.decide import decide
from models.assessment import Assessment, Obligation
from models.carried import DecideRequest, Decision
from models.chart import Chart
from models.facts import ObligationMet, RungFired
from models.obligation_kinds import ObligationKind
from models.people import Role
from models.phase import ENDED
from plumbing.protocol_files import load_protocol
from tests.examples import few
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab
from tests.starts import start_of
from tests.strategies import charts

DAY, WEEK = timedelta(days=1), timedelta(days=7)


def next_timer(card: Assessment) -> datetime | None:
    """When the course asks itself again: what a run arms its timers for."""
    changes = [o.next_change_at for o in card.obligations if o.next_change_at is not None]
    return min((at for at in (card.valid_until, *changes) if at is not None), default=None)


def by_time_alone(chart: Chart, now: datetime, *, monitoring: bool = False) -> Iterator[tuple[datetime, Decision]]:
    """The decisions of a course in which nobody says anything any more, at each of its own timers."""
    wakes: datetime | None = now
    while wakes is not None:
        request = DecideRequest(chart=chart, now=wakes, monitoring=monitoring)
        decision = decide(request, load_protocol(LABEL), "test")
        chart = chart.with_facts(*decision.facts)
        yield wakes, decision
        wakes = next_timer(decision.assessment)


def called(decision: Decision, key: str) -> bool:
    return any(isinstance(f.what, RungFired) and f.what.obligation.startswith(key) for f in decision.facts)


def ends(decision: Decision, key: str) -> list[str]:
    met = [f.what for f in decision.facts if isinstance(f.what, ObligationMet)]
    return [one.why or "" for one in met if one.obligation.startswith(key)]


def transplanted() -> tuple[Chart, datetime]:
    start = start_of("monitoring", LABEL)
    return start.chart, start.now


def test_mon_03_a_weekly_test_after_transplant_that_is_missed_is_called_for_every_week_until_monitoring_ends() -> None:
    chart, now = transplanted()
    key, calls, last = f"{ObligationKind.AGAIN}-coordinator", [], now
    for at, decision in by_time_alone(chart, now, monitoring=True):
        last = at
        if called(decision, key):
            calls.append(at)
            (again,) = (o for o in decision.assessment.obligations if o.key.startswith(key))
            assert (again.rule, again.owner, again.due_at) == ("MON-03", Role.COORDINATOR, at)
            assert again.title.startswith("still overdue: liver test, day 13 after transplant")
    assert len(calls) == 12
    assert {later - earlier for earlier, later in pairwise(calls)} == {WEEK}
    assert decision.phase.kind == ENDED
    assert last - calls[-1] < WEEK


def test_a_test_that_comes_after_all_ends_the_weekly_calls() -> None:
    chart, now = transplanted()
    key = f"{ObligationKind.AGAIN}-coordinator"
    at, _ = next((at, decision) for at, decision in by_time_alone(chart, now, monitoring=True) if called(decision, key))
    facts = [f for _, d in zip(range(40), by_time_alone(chart, now, monitoring=True), strict=False) for f in d[1].facts]
    builder = ChartBuilder()
    builder.facts = [*chart.facts, *(f for f in facts if f.recorded_at <= at)]
    builder.labs(at + DAY, "alt", "ast", "alp", "bilirubin")
    _, decision = next(by_time_alone(builder.chart(), at + DAY, monitoring=True))
    assert ends(decision, key) == ["nothing of it is overdue any more"]


def held_and_never_treated() -> Chart:
    return ChartBuilder().ready(alt="300").chart()


def held_after_a_dose() -> Chart:
    builder = ChartBuilder().ready().dose(1, 1, D1)
    builder.add({"kind": "hold", "reason": "waits for the family"}, D1 + DAY, Role.PRESCRIBER)
    return builder.chart()


@pytest.mark.parametrize("chart", [held_and_never_treated, held_after_a_dose], ids=lambda c: c.__name__)
def test_a_held_course_that_is_never_treated_is_called_for_every_week_also_after_day_28(chart: object) -> None:
    assert callable(chart)
    key, calls = f"{ObligationKind.AGAIN}-prescriber", []
    for at, decision in by_time_alone(chart(), D1 + 2 * DAY):
        calls += [at] if called(decision, key) else []
        if at > D1 + 120 * DAY:
            break
    assert calls[0] < D1 + 28 * DAY
    assert len(calls) > 12
    assert all(later - earlier <= WEEK + timedelta(hours=1) for earlier, later in pairwise(calls))  # clocks change


def test_a_course_in_which_nothing_is_given_asks_the_prescriber_a_week_after_the_last_word() -> None:
    builder = ChartBuilder().screened(D1)
    seen = {at: opened(d.assessment) for (at, d), _ in zip(by_time_alone(builder.chart(), D1), range(4), strict=False)}
    assert seen[D1 + WEEK].standing == "due"
    assert (seen[D1 + WEEK].owner, seen[D1 + WEEK].rule) == (Role.PRESCRIBER, "OWN-01")
    builder.add({"kind": "weight", "kg": "70"}, D1 + 6 * DAY)
    assert opened(next(by_time_alone(builder.chart(), D1 + WEEK))[1].assessment).standing == "coming"


def opened(card: Assessment) -> Obligation:
    return next(o for o in card.obligations if o.key == ObligationKind.FIRST_DOSE)


def test_it_ends_with_the_first_dose() -> None:
    builder = ChartBuilder().screened(D1 - 20 * DAY)
    fired = {
        "kind": "rung_fired",
        "obligation": ObligationKind.FIRST_DOSE,
        "rung": "due",
        "due_at": (D1 - 13 * DAY).isoformat(),
    }
    builder.add(fired, D1 - 13 * DAY, Role.ADMINISTRATOR)
    builder.dose(1, 1, D1)
    _, decision = next(by_time_alone(builder.chart(), D1 + timedelta(hours=3)))
    assert ends(decision, ObligationKind.FIRST_DOSE) == ["the first dose was given"]


@few
@given(charts(), st.booleans())
def test_no_open_course_is_without_a_timer(course: tuple[Chart, str, datetime], monitoring: bool) -> None:
    chart, protocol, now = course
    request = DecideRequest(chart=chart, now=now, monitoring=monitoring)
    decision = decide(request, load_protocol(protocol), "test")
    assert decision.phase.kind == ENDED or next_timer(decision.assessment) is not None


@pytest.mark.parametrize(("status", "standing"), [("final", "coming"), ("preliminary", "due")])
def test_a_result_that_cannot_be_used_does_not_put_off_who_is_asked(status: str, standing: str) -> None:
    """OWN-01, M.0: what tells nobody anything is no word of anybody."""
    builder = ChartBuilder().screened(D1)
    builder.add(a_lab("sodium", "140", at=D1 + 6 * DAY, status=status), D1 + 6 * DAY, Role.LABORATORY)
    assert opened(next(by_time_alone(builder.chart(), D1 + WEEK))[1].assessment).standing == standing


def test_who_is_a_week_late_is_asked_again_though_another_is_not_yet() -> None:
    """MON-03: each role by itself: the coordinator's test is late for a day, the physician's prophylaxis for weeks."""
    builder = ChartBuilder().ready().dose(1, 1, D1)
    card = PaperCourse(builder, D1 + 9 * DAY).card
    late = {owner for o in card.overdue for owner in o.owners}
    again = {o.owner for o in card.obligations if o.kind is ObligationKind.AGAIN}
    assert Role.PHYSICIAN in again
    assert late - again
