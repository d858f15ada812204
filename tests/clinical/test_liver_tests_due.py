"""Liver tests after each dose, after the last dose, after transplant (MON-02, -03, -04, LAB-07): due when, overdue when."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.chart.calendar import at_local, local_date, wall_clock
from models.assessment import Obligation
from models.people import Role
from tests.examples import few
from tests.factories import D1, LIVER, ChartBuilder, PaperCourse
from tests.strategies import ZONES

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
DAY_0 = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
"""A transplant at 11:30 in Berlin, nine weeks after the first dose."""
AFTER_DOSE, AFTER_LAST, AFTER_TRANSPLANT, AGAIN = "MON-02", "MON-04", "MON-03", "LAB-07"

zones = st.sampled_from(ZONES)
anchors = st.builds(
    lambda day, clock, zone: (at_local(day, clock, ZoneInfo(zone)), zone),
    st.sampled_from([date(2026, 3, 1), date(2026, 3, 22), date(2026, 9, 27), date(2026, 10, 18), date(2028, 2, 22)]),
    st.sampled_from([time(2, 30), time(8, 0), time(12, 0), time(23, 45)]),
    zones,
)


def after_transplant(at: datetime | None = None, **how: Any) -> ChartBuilder:
    """One cycle, dosing over, transplant; by default at `DAY_0`."""
    how = how or {"transplanted_at": at or DAY_0}
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "transplant", **how}, DAY_0, Role.PRESCRIBER)
    return chart


def panel(chart: ChartBuilder, at: datetime, **values: str) -> ChartBuilder:
    chart.labs(at, *LIVER, **values)
    return chart


def open_tests(rule: str, chart: ChartBuilder, now: datetime) -> list[Obligation]:
    return [o for o in PaperCourse(chart, now).card.obligations if o.rule == rule]


def the_test(rule: str, chart: ChartBuilder, now: datetime) -> Obligation:
    (found,) = open_tests(rule, chart, now)
    return found


def on_time_days(rule: str, chart: ChartBuilder, now: datetime, zone: str, anchor: datetime) -> list[int]:
    """The days of all tests of this kind when each is done the very second that it is due."""
    days = []
    while found := open_tests(rule, chart, now):
        due_at = found[0].due_at
        days.append((local_date(due_at, ZoneInfo(zone)) - local_date(anchor, ZoneInfo(zone))).days)
        panel(chart, due_at)
        now = due_at
    return days


@few
@given(anchors)
def test_on_time_tests_after_transplant_fall_on_days_7_to_91(anchor: tuple[datetime, str]) -> None:
    day_0, zone = anchor
    chart = ChartBuilder(zone=zone).ready(day_0 - 40 * DAY).cycle(1, day_0 - 40 * DAY)
    chart.add({"kind": "transplant", "transplanted_at": day_0}, day_0, Role.PRESCRIBER)
    days = on_time_days(AFTER_TRANSPLANT, chart, day_0, zone, day_0)
    assert days == [7, 14, 21, 28, 35, 49, 63, 91]


@few
@given(anchors)
def test_on_time_tests_after_the_last_dose_are_eight(anchor: tuple[datetime, str]) -> None:
    last_dose, zone = anchor
    chart = ChartBuilder(zone=zone).ready(last_dose - 14 * DAY).dose(1, 15, last_dose)
    days = on_time_days(AFTER_LAST, chart, last_dose, zone, last_dose)
    assert days == [7, 14, 21, 28, 35, 42, 49, 56]


@few
@given(anchors, st.integers(1, 8))
def test_a_weekly_test_is_due_at_the_same_time_of_day(anchor: tuple[datetime, str], weeks: int) -> None:
    last_dose, zone = anchor
    there = ZoneInfo(zone)
    chart = ChartBuilder(zone=zone).ready(last_dose - 14 * DAY).dose(1, 15, last_dose)
    tested_at = at_local(local_date(last_dose, there) + 5 * weeks * DAY, time(8, 0), there)
    panel(chart, tested_at)
    due = open_tests(AFTER_LAST, chart, tested_at)
    assert all(wall_clock(o.due_at, there) == time(8, 0) for o in due)
    assert all(local_date(o.due_at, there) - local_date(tested_at, there) == 7 * DAY for o in due)


@pytest.mark.parametrize(
    "chart", [after_transplant(), ChartBuilder().ready().dose(1, 1, DAY_0)], ids=["MON-03", "MON-04"]
)
def test_the_first_test_is_due_a_week_after_the_anchor_to_the_second(chart: ChartBuilder) -> None:
    due_at = DAY_0 + 7 * DAY
    for now, standing in (
        (due_at - SECOND, "coming"),
        (due_at, "due"),
        (due_at + 24 * H, "due"),
        (due_at + 24 * H + SECOND, "overdue"),
    ):
        found = [o for rule in (AFTER_TRANSPLANT, AFTER_LAST) for o in open_tests(rule, chart, now)]
        assert [(o.due_at, o.overdue_at, o.standing) for o in found] == [(due_at, due_at + 24 * H, standing)]


@pytest.mark.parametrize(
    ("zone", "noon"),
    [
        ("Europe/Berlin", "2026-05-04T10:00:00+00:00"),
        ("America/New_York", "2026-05-04T16:00:00+00:00"),
        ("Asia/Kathmandu", "2026-05-04T06:15:00+00:00"),
    ],
)
def test_where_only_the_day_of_the_transplant_is_known_noon_is_taken(zone: str, noon: str) -> None:
    chart = after_transplant(transplanted_on="2026-05-04")
    chart.course = ChartBuilder(zone=zone).course
    assert the_test(AFTER_TRANSPLANT, chart, DAY_0 + 2 * DAY).due_at == datetime.fromisoformat(noon) + 7 * DAY


@pytest.mark.parametrize(
    ("tested_on", "next_on"),
    [(0, 7), (1, 8), (29, 36), (30, 37), (31, 45), (46, 60), (60, 74), (61, 89), (72, 100), (73, None), (100, None)],
)
def test_the_interval_is_the_one_in_force_on_the_day_of_the_last_test(tested_on: int, next_on: int | None) -> None:
    tested_at = DAY_0 + tested_on * DAY + H
    found = open_tests(AFTER_TRANSPLANT, panel(after_transplant(), tested_at), tested_at)
    assert [o.due_at for o in found] == ([] if next_on is None else [DAY_0 + next_on * DAY + H])


def test_the_grace_is_24_hours_gone_by_also_when_the_clocks_change() -> None:
    day_0 = datetime.fromisoformat("2026-03-21T20:00:00+01:00")
    chart = ChartBuilder().ready(day_0 - 40 * DAY).cycle(1, day_0 - 40 * DAY)
    chart.add({"kind": "transplant", "transplanted_at": day_0}, day_0, Role.PRESCRIBER)
    test = the_test(AFTER_TRANSPLANT, chart, day_0)
    assert test.due_at == datetime.fromisoformat("2026-03-28T20:00:00+01:00")
    assert test.overdue_at == datetime.fromisoformat("2026-03-29T21:00:00+02:00")


def test_a_second_transplant_is_a_new_day_0() -> None:
    chart = panel(after_transplant(), DAY_0 + 20 * DAY)
    second = DAY_0 + 40 * DAY
    chart.add({"kind": "transplant", "transplanted_at": second}, second, Role.PRESCRIBER)
    assert the_test(AFTER_TRANSPLANT, chart, second).due_at == second + 7 * DAY


def test_a_transplant_whose_date_was_wrong_is_watched_from_the_right_one_and_dosing_stays_over() -> None:
    course = PaperCourse(after_transplant(), DAY_0 + DAY)
    transplant = next(f for f in course.chart.facts if f.what.kind == "transplant")
    right = {"kind": "transplant", "transplanted_at": DAY_0 - DAY}
    course.does("correct_fact", Role.PRESCRIBER, target=transplant.id, replacement=right, reason="a day off")
    (test,) = [o for o in course.card.obligations if o.rule == AFTER_TRANSPLANT]
    assert test.due_at == DAY_0 + 6 * DAY
    assert course.card.next_dose is None


# ── both anchors ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_weekly_tests_run_from_the_last_dose_until_transplant_and_then_from_day_0() -> None:
    chart = ChartBuilder().ready().cycle(1, D1)
    last_dose = D1 + 14 * DAY
    chart.add({"kind": "transplant_planned", "conditioning": ["busulfan"]}, last_dose + DAY, Role.PRESCRIBER)
    before = DAY_0 - DAY
    assert the_test(AFTER_LAST, chart, before).due_at == last_dose + 7 * DAY
    chart.add({"kind": "transplant", "transplanted_at": DAY_0}, DAY_0, Role.PRESCRIBER)
    assert open_tests(AFTER_LAST, chart, DAY_0) == []
    assert the_test(AFTER_TRANSPLANT, chart, DAY_0).due_at == DAY_0 + 7 * DAY


def test_each_further_dose_is_a_new_anchor() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    assert the_test(AFTER_LAST, chart, D1 + 3 * H).due_at == D1 + 7 * DAY
    chart.dose(1, 8, D1 + 7 * DAY)
    assert the_test(AFTER_LAST, chart, D1 + 8 * DAY).due_at == D1 + 14 * DAY


def test_when_dosing_goes_on_after_a_transplant_the_last_dose_is_watched_again() -> None:
    chart = after_transplant()
    again = DAY_0 + 90 * DAY
    chart.add({"kind": "cycle_started", "cycle": 2}, again, Role.PRESCRIBER)
    chart.dose(2, 1, again)
    assert the_test(AFTER_LAST, chart, again + 3 * H).due_at == again + 7 * DAY


# ── what meets a test (LAB-07) ─────────────────────────────────────────────────────────────────────────────────────

Drawing = Callable[[ChartBuilder, datetime], object]


def _without_alp(chart: ChartBuilder, at: datetime) -> None:
    chart.labs(at, "alt", "ast", "bilirubin")


def _without_uln(chart: ChartBuilder, at: datetime) -> None:
    _without_alp(chart, at)
    chart.result("alp", "80", at, uln=None)


def _preliminary(chart: ChartBuilder, at: datetime) -> None:
    _without_alp(chart, at)
    chart.result("alp", "80", at, status="preliminary")


def _in_two_draws(chart: ChartBuilder, at: datetime) -> None:
    _without_alp(chart, at - 2 * H)
    chart.result("alp", "80", at)


def _on_two_days(chart: ChartBuilder, at: datetime) -> None:
    _without_alp(chart, at - DAY)
    chart.result("alp", "80", at)


@pytest.mark.parametrize(
    ("drawing", "meets"),
    [
        (panel, True),
        (_in_two_draws, True),
        (_without_alp, False),
        (_without_uln, False),
        (_preliminary, False),
        (_on_two_days, False),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_only_a_complete_usable_panel_meets_a_test(drawing: Drawing, meets: bool) -> None:
    chart, due_at = after_transplant(), DAY_0 + 7 * DAY
    drawing(chart, due_at)
    test = the_test(AFTER_TRANSPLANT, chart, due_at)
    assert test.due_at == (due_at + 7 * DAY if meets else due_at)


def test_a_panel_that_was_entered_in_error_leaves_the_test_open() -> None:
    chart, due_at = panel(after_transplant(), DAY_0 + 7 * DAY), DAY_0 + 7 * DAY
    chart.result("ast", "28", due_at, status="entered-in-error", recorded_at=due_at + H)
    assert the_test(AFTER_TRANSPLANT, chart, due_at + H).due_at == due_at


def test_a_panel_counts_by_when_it_was_drawn_not_by_when_it_arrived() -> None:
    chart, drawn = after_transplant(), DAY_0 + 6 * DAY
    chart.labs(drawn, *LIVER, recorded_at=drawn + 2 * DAY)
    assert the_test(AFTER_TRANSPLANT, chart, drawn + 2 * DAY).due_at == drawn + 7 * DAY


@pytest.mark.parametrize(
    ("values", "abnormal"),
    [
        ({}, False),
        ({"alt": "55", "ast": "45", "alp": "120", "bilirubin": "1.2"}, False),
        ({"alt": "55.1"}, True),
        ({"alp": "121"}, True),
        ({"bilirubin": "1.21"}, True),
    ],
    ids=str,
)
def test_an_abnormal_panel_meets_the_test_and_opens_the_next_in_48_to_72_hours(
    values: dict[str, str], abnormal: bool
) -> None:
    tested_at = DAY_0 + 7 * DAY
    chart = panel(after_transplant(), tested_at, **values)
    assert the_test(AFTER_TRANSPLANT, chart, tested_at).due_at == tested_at + 7 * DAY
    again = open_tests(AGAIN, chart, tested_at)
    span = [(tested_at + 48 * H, tested_at + 72 * H)] if abnormal else []
    assert [(o.due_at, o.overdue_at) for o in again] == span
    panel(chart, tested_at + 50 * H)
    assert open_tests(AGAIN, chart, tested_at + 50 * H) == []


def test_an_abnormal_panel_before_the_first_dose_opens_no_obligation() -> None:
    chart = ChartBuilder().ready(alt="60")
    assert open_tests(AGAIN, chart, D1) == []


# ── after each dose (MON-02) ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("hours", "met"), [(23.9, False), (24, True), (96, True), (97, True)], ids=lambda value: str(value)
)
def test_after_each_dose_a_panel_is_due_from_24_to_96_hours(hours: float, met: bool) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    test = the_test(AFTER_DOSE, chart, D1 + 3 * H)
    assert (test.due_at, test.overdue_at, test.key) == (D1 + 24 * H, D1 + 96 * H, "liver-test-after-C1D1")
    assert "24 h to 96 h" in test.clears
    drawn = D1 + timedelta(hours=hours)
    assert (open_tests(AFTER_DOSE, panel(chart, drawn), drawn) == []) == met


@pytest.mark.parametrize(
    ("after", "standing"),
    [(24 * H - SECOND, "coming"), (24 * H, "due"), (96 * H, "due"), (96 * H + SECOND, "overdue")],
    ids=str,
)
def test_the_panel_after_a_dose_is_due_and_overdue_to_the_second(after: timedelta, standing: str) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    assert the_test(AFTER_DOSE, chart, D1 + after).standing == standing


def test_every_dose_has_its_own_panel() -> None:
    chart = panel(ChartBuilder().ready().dose(1, 1, D1), D1 + 30 * H).dose(1, 8, D1 + 7 * DAY)
    test = the_test(AFTER_DOSE, chart, D1 + 7 * DAY + 3 * H)
    assert (test.key, test.due_at) == ("liver-test-after-C1D8", D1 + 8 * DAY)
    assert test.owner is Role.COORDINATOR
