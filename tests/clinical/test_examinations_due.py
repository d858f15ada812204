"""The examination for signs of VOD: every day to day 21 after transplant, else with each liver test (MON-05, MON-15)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.chart.calendar import local_date, midnight_of
from models.assessment import Obligation
from models.people import Role
from tests.examples import modest
from tests.factories import D1, LIVER, ChartBuilder, PaperCourse
from tests.strategies import ZONES

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
DAY_0 = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
NONE = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)


def transplanted(at: datetime = DAY_0, zone: str = "Europe/Berlin") -> ChartBuilder:
    chart = ChartBuilder(zone=zone).ready().cycle(1, D1)
    chart.add({"kind": "transplant", "transplanted_at": at}, at, Role.PRESCRIBER)
    return chart


def looked(chart: ChartBuilder, at: datetime) -> None:
    chart.add({"kind": "vod_examination", **NONE}, at, Role.PHYSICIAN)
    chart.add({"kind": "weight", "kg": "70"}, at)


def opened(chart: ChartBuilder, now: datetime) -> Obligation | None:
    found = [o for o in PaperCourse(chart, now).card.obligations if o.key.startswith("examination-")]
    assert len(found) <= 1
    return found[0] if found else None


def end_of_day(day: int, zone: str = "Europe/Berlin") -> datetime:
    there = ZoneInfo(zone)
    return midnight_of(local_date(DAY_0, there) + (day + 1) * DAY, there)


@modest
@given(st.sampled_from(ZONES))
def test_after_transplant_every_day_to_day_21_one_thing_that_moves_on(zone: str) -> None:
    chart, now, days = transplanted(zone=zone), DAY_0, 0
    while found := opened(chart, now):
        days += 1
        assert found.key == "examination-daily"
        assert found.due_at == end_of_day(days, zone)
        assert f"day {days} after transplant" in found.title
        now = found.due_at - H
        looked(chart, now)
    assert days == 21


def test_a_day_without_a_look_is_due_at_its_end_and_overdue_a_day_later() -> None:
    chart = transplanted()
    due_at = end_of_day(1)
    for now, standing in (
        (due_at - SECOND, "coming"),
        (due_at, "due"),
        (due_at + 24 * H, "due"),
        (due_at + 24 * H + SECOND, "overdue"),
    ):
        found = opened(chart, now)
        assert found is not None
        assert (found.standing, found.owner) == (standing, Role.NURSE)


@pytest.mark.parametrize("only", ["vod_examination", "weight"])
def test_examination_and_weight_are_both_needed(only: str) -> None:
    chart = transplanted()
    looked(chart, DAY_0 + DAY)
    chart.facts = [f for f in chart.facts if f.recorded_at < DAY_0 + DAY or f.what.kind == only]
    found = opened(chart, DAY_0 + DAY)
    assert found is not None
    assert found.due_at == end_of_day(1)


def test_after_day_21_and_its_grace_no_daily_look_is_asked_for() -> None:
    last = end_of_day(21) + 24 * H
    for now, asked in ((last, True), (last + SECOND, False)):
        found = opened(transplanted(), now)
        assert (found is not None and found.key == "examination-daily") == asked


# ── with each liver test ───────────────────────────────────────────────────────────────────────────────────────────


def with_panel(at: datetime) -> ChartBuilder:
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.labs(at, *LIVER)
    return chart


TESTED = D1 + 21 * DAY


def test_a_liver_test_without_an_examination_is_asked_for_a_day_later() -> None:
    for now, standing in (
        (TESTED + 24 * H - SECOND, "coming"),
        (TESTED + 24 * H, "due"),
        (TESTED + 48 * H, "due"),
        (TESTED + 48 * H + SECOND, "overdue"),
    ):
        found = opened(with_panel(TESTED), now)
        assert found is not None
        assert (found.key, found.rule, found.standing) == ("examination-with-liver-test", "MON-15", standing)


@pytest.mark.parametrize(("early", "counts"), [(24 * H, True), (24 * H + SECOND, False), (-3 * DAY, True)], ids=str)
def test_an_examination_counts_from_a_day_before_the_test_on(early: timedelta, counts: bool) -> None:
    chart = with_panel(TESTED)
    chart.add({"kind": "vod_examination", **NONE}, TESTED - early, Role.PHYSICIAN)
    assert (opened(chart, max(TESTED, TESTED - early)) is None) == counts


def test_a_liver_test_before_the_first_dose_asks_for_nothing() -> None:
    chart = ChartBuilder().ready().without("vod_examination")
    assert opened(chart, D1) is None
    assert opened(chart.dose(1, 1, D1), D1 + 3 * H) is None


def test_when_the_daily_looks_are_over_the_tests_of_their_days_are_not_asked_for_again() -> None:
    chart = transplanted()
    chart.labs(DAY_0 + 21 * DAY, *LIVER)
    assert opened(chart, end_of_day(21) + 24 * H + SECOND) is None
    chart.labs(DAY_0 + 28 * DAY, *LIVER)
    found = opened(chart, DAY_0 + 28 * DAY)
    assert found is not None
    assert (found.key, found.due_at) == ("examination-with-liver-test", DAY_0 + 29 * DAY)
