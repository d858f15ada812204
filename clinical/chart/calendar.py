"""Calendar arithmetic in the zone of the treating site: local dates, wall-clock days, midnights. No clock is read."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NOON = time(12)
MIDNIGHT = time(0)
MONTHS_OF_A_YEAR = 12
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@lru_cache(maxsize=256)
def zone_named(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, or `None` when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date of an instant at the site."""
    return instant.astimezone(zone).date()


def wall_clock(instant: datetime, zone: ZoneInfo) -> time:
    """The time of day of an instant at the site."""
    return instant.astimezone(zone).time()


def at_local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant of a local date and time; a time that a clock change skips moves to the next valid one.

    A time that occurs twice is its first occurrence.
    """
    wanted = datetime.combine(day, clock.replace(fold=0))
    instant = wanted.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wanted:
        return instant
    return _end_of_gap(day, clock, zone)


def _end_of_gap(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first valid instant after a skipped local time: the moment at which the clocks were put forward."""
    naive = datetime.combine(day, clock)
    before = naive.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    after = naive.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    low, high = (naive - max(before, after)).replace(tzinfo=UTC), (naive - min(before, after)).replace(tzinfo=UTC)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (low, middle) if middle.astimezone(zone).utcoffset() == after else (middle, high)
    return high.replace(microsecond=0)


def plus_days(instant: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall-clock time `days` calendar days later (MON-03: "plus n days" keeps local wall-clock time)."""
    there = instant.astimezone(zone)
    return at_local(there.date() + timedelta(days=days), there.time(), zone)


def midnight_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local date."""
    return at_local(day, MIDNIGHT, zone)


def day_after(day: date) -> date:
    """The next calendar date."""
    return date.fromordinal(day.toordinal() + 1)


def midnight_after(day: date, zone: ZoneInfo) -> datetime:
    """The end of a local date: the first instant of the next one."""
    return midnight_of(day_after(day), zone)


def plus_months(day: date, months: int) -> date:
    """The same day of the month so many calendar months later; where that month is shorter, its last day."""
    first = _first_of_month(day.year * MONTHS_OF_A_YEAR + day.month - 1 + months)
    following = _first_of_month(day.year * MONTHS_OF_A_YEAR + day.month + months)
    return first.replace(day=min(day.day, following.toordinal() - first.toordinal()))


def _first_of_month(months: int) -> date:
    year, month = divmod(months, MONTHS_OF_A_YEAR)
    return date(year, month + 1, 1)


def birthday(born: date, years: int) -> date:
    """The day on which this age is reached; one on 29 February is reached on 1 March of other years."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)
