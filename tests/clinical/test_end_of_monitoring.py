"""MON-17: monitoring ends at the first local midnight after its end day at which no liver test is open."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.chart.calendar import local_date, midnight_of
from models.assessment import CourseState, Verdict
from models.facts import LabResult
from models.obligation_kinds import GRAVEST
from models.people import Role
from tests.examples import modest
from tests.factories import D1, LIVER, ChartBuilder, PaperCourse, a_lab
from tests.strategies import ZONES

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
DAY_0 = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
LAST_DOSE = D1 + 14 * DAY
LATE = D1 + 1000 * DAY
ON_TIME_AFTER_TRANSPLANT = (7, 14, 21, 28, 35, 49, 63, 91)


def the_midnight_after(at: datetime, days: int, zone: str = "Europe/Berlin") -> datetime:
    """The first instant after the calendar day that lies so many days after this instant's."""
    there = ZoneInfo(zone)
    return midnight_of(local_date(at, there) + (days + 1) * DAY, there)


def dosed(zone: str = "Europe/Berlin") -> ChartBuilder:
    """One cycle, and dosing finished."""
    chart = ChartBuilder(zone=zone).ready().cycle(1, D1)
    chart.add({"kind": "dosing_finished", "reason": "no further cycle"}, LAST_DOSE + DAY, Role.PRESCRIBER)
    return chart


def transplanted(zone: str = "Europe/Berlin", tested_on: tuple[int, ...] = ON_TIME_AFTER_TRANSPLANT) -> ChartBuilder:
    chart = dosed(zone)
    chart.add({"kind": "transplant", "transplanted_at": DAY_0}, DAY_0, Role.PRESCRIBER)
    for day in tested_on:
        chart.labs(DAY_0 + day * DAY, *LIVER)
    return chart


def without_transplant(zone: str = "Europe/Berlin", declared_at: datetime = LAST_DOSE + 2 * DAY) -> ChartBuilder:
    chart = dosed(zone)
    chart.add({"kind": "no_transplant"}, declared_at, Role.PRESCRIBER)
    for week in range(1, 9):
        chart.labs(LAST_DOSE + 7 * week * DAY, *LIVER)
    return chart


def ends_at(chart: ChartBuilder, midnight: datetime) -> bool:
    """Whether the course is completed at this instant, and was not the second before, and said so."""
    before, after = PaperCourse(chart, midnight - SECOND).card, PaperCourse(chart, midnight).card
    assert (after.state is CourseState.COMPLETED) == (after.obligations == ())
    return (
        before.state is not CourseState.COMPLETED
        and before.valid_until == midnight
        and after.state is CourseState.COMPLETED
    )


@modest
@given(st.sampled_from(ZONES))
def test_after_transplant_it_ends_with_day_100_at_local_midnight(zone: str) -> None:
    chart = transplanted(zone)
    assert ends_at(chart, the_midnight_after(DAY_0, 100, zone))
    card = PaperCourse(chart, LATE).card
    assert (card.state, card.verdict, card.valid_until) == (CourseState.COMPLETED, Verdict.NO_DOSE_DUE, None)


@modest
@given(st.sampled_from(ZONES))
def test_without_transplant_it_ends_with_day_56_after_the_last_dose(zone: str) -> None:
    assert ends_at(without_transplant(zone), the_midnight_after(LAST_DOSE, 56, zone))


def test_where_nobody_has_said_that_no_transplant_is_planned_it_does_not_end() -> None:
    chart = without_transplant().without("no_transplant")
    assert PaperCourse(chart, LATE).card.state is not CourseState.COMPLETED
    chart.add({"kind": "no_transplant"}, LATE, Role.PRESCRIBER)
    assert ends_at(chart, the_midnight_after(LATE, 0))


def test_a_plan_withdraws_the_word_that_none_is_planned_also_in_the_same_moment() -> None:
    for later in (timedelta(), DAY):
        chart = without_transplant()
        chart.add({"kind": "transplant_planned"}, LAST_DOSE + 2 * DAY + later, Role.PRESCRIBER)
        assert PaperCourse(chart, LATE).card.state is not CourseState.COMPLETED


def test_while_dosing_goes_on_it_does_not_end() -> None:
    chart = without_transplant().without("dosing_finished")
    assert PaperCourse(chart, LATE).card.state is not CourseState.COMPLETED


def test_where_no_dose_was_ever_given_it_ends_with_the_day_on_which_dosing_ended() -> None:
    chart = ChartBuilder().screened()
    chart.add({"kind": "dosing_finished", "reason": "another treatment"}, D1, Role.PRESCRIBER)
    assert ends_at(chart, the_midnight_after(D1, 0))


def test_a_permanent_stop_is_monitored_to_the_same_end() -> None:
    chart = without_transplant().without("dosing_finished")
    chart.add({"kind": "discontinued", "reason": "toxicity"}, LAST_DOSE + DAY, Role.PRESCRIBER)
    assert ends_at(chart, the_midnight_after(LAST_DOSE, 56))
    assert PaperCourse(chart, LATE).card.verdict is Verdict.DISCONTINUED


# ── an open test ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_test_due_on_the_last_day_keeps_it_open_until_it_is_overdue() -> None:
    chart = transplanted(tested_on=(7, 14, 21, 28, 35, 49, 63, 72))  # the next is due on day 100
    assert PaperCourse(chart, the_midnight_after(DAY_0, 100)).card.state is not CourseState.COMPLETED
    assert ends_at(chart, the_midnight_after(DAY_0, 101))


def test_a_test_due_on_the_last_day_keeps_it_open_until_the_midnight_after_it_is_met() -> None:
    chart = transplanted(tested_on=(7, 14, 21, 28, 35, 49, 63, 72))
    chart.labs(DAY_0 + 100 * DAY + 2 * H, *LIVER)
    assert ends_at(chart, the_midnight_after(DAY_0, 100))
    late = transplanted(tested_on=(7, 14, 21, 28, 35, 49, 63, 72))
    late.labs(the_midnight_after(DAY_0, 100) + H, *LIVER)
    assert ends_at(late, the_midnight_after(DAY_0, 101))


def test_a_result_that_arrives_after_the_end_does_not_open_it_again() -> None:
    chart = transplanted()
    over = the_midnight_after(DAY_0, 100)
    chart.labs(over - H, *LIVER, alt="400", recorded_at=over + H)
    assert PaperCourse(chart, over + 2 * H).card.state is CourseState.COMPLETED


def test_an_abnormal_last_panel_is_repeated_only_up_to_the_last_day() -> None:
    for day, again in ((97, True), (98, True), (99, False)):
        chart = transplanted()
        chart.labs(DAY_0 + day * DAY, *LIVER, alt="60")
        rules = [o.rule for o in PaperCourse(chart, DAY_0 + day * DAY + H).card.obligations]
        assert ("LAB-07" in rules) == again
        assert ends_at(chart, the_midnight_after(DAY_0, {97: 100, 98: 101, 99: 100}[day]))


def test_what_was_never_tested_is_closed_as_overdue() -> None:
    chart = transplanted(tested_on=())
    assert ends_at(chart, the_midnight_after(DAY_0, 100))


def test_it_does_not_end_while_a_reaction_is_running() -> None:
    chart = without_transplant()
    chart.add({"kind": "reaction", "reaction_id": "r-1", "grade": 2}, LAST_DOSE + 3 * DAY)
    assert PaperCourse(chart, LATE).card.state is CourseState.REACTION


# ── a transplant later ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["transplanted_at", "transplanted_on"])
def test_a_transplant_recorded_after_the_end_starts_monitoring_again(how: str) -> None:
    course = PaperCourse(without_transplant(), LATE)
    assert course.card.state is CourseState.COMPLETED
    told = LATE if how == "transplanted_at" else LATE.date()
    course.does("record_transplant", Role.PRESCRIBER, **{how: told})
    assert course.card.state is not CourseState.COMPLETED
    assert [o.rule for o in course.card.obligations if o.key.endswith("transplant")] == ["MON-03"]


def test_the_latest_transplant_counts() -> None:
    chart = transplanted()
    second = DAY_0 + 50 * DAY
    chart.add({"kind": "transplant", "transplanted_at": second}, second, Role.PRESCRIBER)
    assert PaperCourse(chart, the_midnight_after(DAY_0, 100)).card.state is not CourseState.COMPLETED
    for day in ON_TIME_AFTER_TRANSPLANT:
        chart.labs(second + day * DAY, *LIVER)
    assert ends_at(chart, the_midnight_after(second, 100))


def test_a_transplant_of_long_ago_recorded_today_is_watched_to_the_end_of_today() -> None:
    chart = dosed()
    chart.add({"kind": "transplant", "transplanted_at": DAY_0}, LATE, Role.PRESCRIBER)
    assert ends_at(chart, the_midnight_after(LATE, 0))


def test_a_dose_given_after_the_transplant_is_watched_for_56_days_too() -> None:
    chart = transplanted()
    again = DAY_0 + 95 * DAY
    chart.add({"kind": "cycle_started", "cycle": 2}, again, Role.PRESCRIBER)
    chart.dose(2, 1, again)
    chart.add({"kind": "dosing_finished", "reason": "enough"}, again + DAY, Role.PRESCRIBER)
    for week in range(1, 9):
        chart.labs(again + 7 * week * DAY, *LIVER)
    assert ends_at(chart, the_midnight_after(again, 56))


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        (
            {"kind": "pregnancy_test", "result": "positive"},
            {"kind": "pregnancy_test", "result": "negative", "specimen": "serum"},
        ),
        (a_lab("potassium", "7.5", at=LAST_DOSE + 3 * DAY), a_lab("potassium", "4.0", at=LATE)),
        (a_lab("potassium", "40", at=LAST_DOSE + 3 * DAY), a_lab("potassium", "4.0", at=LATE)),
        ({"kind": "toxicity", "term": "sepsis", "grade": 5}, {"kind": "toxicity", "term": "sepsis", "grade": 4}),
    ],
    ids=["pregnancy", "critical", "implausible", "death"],
)
def test_a_call_that_nobody_answered_keeps_the_course_open(what: Any, answer: Any) -> None:
    """M.0: no call disappears by time alone; the midnight after its answer ends the course."""
    called = without_transplant()
    called.add(what, LAST_DOSE + 3 * DAY, _who_says(what))
    assert PaperCourse(without_transplant(), LATE).card.state is CourseState.COMPLETED
    card = PaperCourse(called, LATE).card
    assert card.state is CourseState.LIVER_MONITORING
    assert [o.key for o in card.obligations if o.kind in GRAVEST]
    called.add(answer, LATE, _who_says(answer))
    assert ends_at(called, the_midnight_after(LATE, 0))


def _who_says(what: object) -> Role:
    return Role.LABORATORY if isinstance(what, LabResult) else Role.PHYSICIAN


def test_a_nadir_that_was_expected_does_not_keep_it_open() -> None:
    chart = without_transplant()
    chart.labs(LAST_DOSE + 3 * DAY, anc="0.3")
    assert ends_at(chart, the_midnight_after(LAST_DOSE, 56))
