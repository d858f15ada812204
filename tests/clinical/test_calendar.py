"""Days in the zone of the site: a clock change, a leap day, a midnight that does not exist (DAY-03, MON-03)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.chart.calendar import at_local, birthday, local_date, midnight_of, plus_days, wall_clock, zone_named
from tests.examples import many
from tests.strategies import ZONES

zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(date(2023, 1, 1), date(2029, 12, 31))
clocks = st.times().map(lambda clock: clock.replace(microsecond=0))
spans = st.integers(0, 120)


def exists(day: date, clock: time, zone: ZoneInfo) -> bool:
    there = datetime.combine(day, clock, tzinfo=zone)
    return there.astimezone(UTC).astimezone(zone).time() == clock


@many
@given(days, clocks, spans, zones)
def test_n_days_later_is_that_date_at_the_same_time_of_day(day: date, clock: time, span: int, zone: ZoneInfo) -> None:
    start = at_local(day, clock, zone)
    there = plus_days(start, span, zone)
    assert local_date(there, zone) - local_date(start, zone) == timedelta(days=span)
    if exists(there.astimezone(zone).date(), wall_clock(start, zone), zone):
        assert wall_clock(there, zone) == wall_clock(start, zone)
    else:
        assert there.astimezone(zone).utcoffset() != (there - timedelta(seconds=1)).astimezone(zone).utcoffset()


@many
@given(days, clocks, zones)
def test_a_local_time_that_exists_is_its_first_occurrence(day: date, clock: time, zone: ZoneInfo) -> None:
    instant = at_local(day, clock, zone)
    if exists(day, clock, zone):
        assert (local_date(instant, zone), wall_clock(instant, zone)) == (day, clock)
        earlier = instant - timedelta(hours=1)
        assert wall_clock(earlier, zone) != clock
    assert instant.tzinfo is UTC


@many
@given(days, zones)
def test_midnight_is_the_first_instant_of_its_date(day: date, zone: ZoneInfo) -> None:
    midnight = midnight_of(day, zone)
    assert local_date(midnight, zone) == day
    assert local_date(midnight - timedelta(seconds=1), zone) == day - timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "day", "clock", "instant"),
    [
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00:00+00:00"),  # skipped: 03:00 summer time
        ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00:00+00:00"),
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00+00:00"),  # twice: the first
        ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00:00+00:00"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30:00+00:00"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00+00:00"),  # half an hour is skipped
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45:00+00:00"),
        ("Asia/Kathmandu", "2026-03-29", "02:30", "2026-03-28T20:45:00+00:00"),
        ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T03:00:00+00:00"),  # no midnight on that day
        ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30T10:00:00+00:00"),  # no such day at all
        ("UTC", "2028-02-29", "12:00", "2028-02-29T12:00:00+00:00"),
    ],
)
def test_a_time_that_is_skipped_moves_to_the_next_valid_one(zone: str, day: str, clock: str, instant: str) -> None:
    found = at_local(date.fromisoformat(day), time.fromisoformat(clock), ZoneInfo(zone))
    assert found == datetime.fromisoformat(instant)


def test_six_days_across_the_spring_change_are_143_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = at_local(date(2026, 3, 23), time(9), berlin)
    assert plus_days(start, 6, berlin) - start == timedelta(hours=143)


@pytest.mark.parametrize(
    ("born", "years", "on"),
    [
        ("2025-03-02", 1, "2026-03-02"),
        ("2024-02-29", 1, "2025-03-01"),
        ("2024-02-29", 4, "2028-02-29"),
        ("2025-02-28", 1, "2026-02-28"),
    ],
)
def test_a_birthday_on_a_leap_day_is_reached_on_the_first_of_march(born: str, years: int, on: str) -> None:
    assert birthday(date.fromisoformat(born), years) == date.fromisoformat(on)


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../../etc/passwd", "Europe", "\x00"])
def test_a_name_that_is_no_zone_is_no_zone(name: str) -> None:
    assert zone_named(name) is None
