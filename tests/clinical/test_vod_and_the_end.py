"""A suspicion of VOD keeps monitoring open, and asks for a liver test every day (MON-17, ALERT-02)."""

from datetime import datetime, timedelta

import pytest

from models.assessment import CourseState
from models.people import Role
from tests.factories import D1, LIVER, ChartBuilder, PaperCourse, a_lab

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
LAST = D1 + 14 * DAY
OVER = datetime.fromisoformat("2026-05-12T00:00:00+02:00")
"""The midnight after day 56."""
SEEN = {"ruq_pain": False, "hepatomegaly": True, "painful_hepatomegaly": True, "ascites": True, "oedema": False}


def suspected(on: int = 50) -> ChartBuilder:
    """All liver tests in time; on day 50 (or another) painful hepatomegaly and ascites."""
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "dosing_finished", "reason": "enough"}, LAST + DAY, Role.PRESCRIBER)
    chart.add({"kind": "no_transplant"}, LAST + 2 * DAY, Role.PRESCRIBER)
    for week in range(1, 9):
        chart.labs(LAST + 7 * week * DAY, *LIVER)
    chart.add({"kind": "vod_examination", **SEEN}, LAST + on * DAY, Role.PHYSICIAN)
    return chart


def state(chart: ChartBuilder, at: datetime) -> CourseState:
    return PaperCourse(chart, at).card.state


@pytest.mark.parametrize("late", [timedelta(), DAY, 30 * DAY, 400 * DAY], ids=str)
def test_monitoring_does_not_end_while_nobody_has_judged(late: timedelta) -> None:
    assert state(suspected(), OVER + late) is not CourseState.COMPLETED


@pytest.mark.parametrize(
    ("judged_at", "ends_at"),
    [
        (OVER - H, OVER),
        (OVER + H, OVER + DAY),
        (OVER + 100 * DAY + H, OVER + 101 * DAY),
    ],
    ids=str,
)
def test_it_ends_at_the_first_midnight_after_the_judgement(judged_at: datetime, ends_at: datetime) -> None:
    course = PaperCourse(suspected(), judged_at)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="congestion")
    if judged_at > OVER:
        assert course.card.state is not CourseState.COMPLETED
    course.now = ends_at - SECOND
    assert course.card.state is not CourseState.COMPLETED
    course.now = ends_at
    assert course.card.state is CourseState.COMPLETED


def test_while_it_is_suspected_the_liver_is_tested_every_day_at_the_same_time() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(D1 + 2 * DAY, *LIVER)
    chart.add({"kind": "vod_examination", **SEEN}, D1 + 2 * DAY + H, Role.PHYSICIAN)
    due_at = D1 + 3 * DAY
    for now, standing in (
        (due_at - SECOND, "coming"),
        (due_at, "due"),
        (due_at + 24 * H, "due"),
        (due_at + 24 * H + SECOND, "overdue"),
    ):
        test = next(o for o in PaperCourse(chart, now).card.obligations if o.key == "liver-test-daily")
        assert (test.standing, test.rule) == (standing, "ALERT-02")
    course = PaperCourse(chart, due_at)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="congestion")
    assert not any(o.key == "liver-test-daily" for o in course.card.obligations)


def test_the_daily_liver_test_is_due_from_the_suspicion_on_and_not_from_long_before_it() -> None:
    """ALERT-02: the last test was four days before the signs; nobody was late until they were known."""
    chart, seen_at = suspected(on=53), LAST + 53 * DAY
    daily = {o.key: o for o in PaperCourse(chart, seen_at).card.obligations}["liver-test-daily"]
    assert (daily.due_at, daily.standing) == (seen_at, "due")
    chart.labs(seen_at + H, *LIVER)
    daily = {o.key: o for o in PaperCourse(chart, seen_at + 2 * H).card.obligations}["liver-test-daily"]
    assert daily.due_at == seen_at + H + DAY


def test_it_is_not_put_off_because_the_last_panel_was_taken_back() -> None:
    """M.0: with no panel left it is counted from the last dose, or from the panel of before it that is gone."""
    chart = ChartBuilder().screened().examined(D1)
    for analyte in LIVER:
        chart.result(analyte, None, D1 - 2 * H, resource=f"lab|{analyte}")
    chart.dose(1, 1, D1)
    chart.add({"kind": "vod_examination", **SEEN}, D1 + 12 * H, Role.PHYSICIAN)
    at = D1 + 13 * H
    before = {o.key: o for o in PaperCourse(chart, at).card.obligations}["liver-test-daily"]
    wrong = a_lab("alt", None, at=D1 - 2 * H, resource="lab|alt", status="entered-in-error")
    chart.add(wrong, at, Role.LABORATORY)
    after = {o.key: o for o in PaperCourse(chart, at).card.obligations}["liver-test-daily"]
    assert after.due_at <= before.due_at
