"""A chart as it stands at one instant: corrections applied, facts by kind, and every instant at which time changes it.

Time is asked only through `reached` and `passed`, so that `valid_until` is never forgotten.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from clinical.calendar import zone_named
from models.assessment import earliest
from models.base import Frozen
from models.chart import Chart
from models.facts import Correction, Discontinued, Fact, LabResult, Reaction, UnreadableResolved

STRICTLY_AFTER = timedelta(seconds=1)
"""A limit with `>` is crossed one second after it (design §4)."""

What = TypeVar("What", bound=Frozen)


class Reading:
    """The chart of a course as known at `now`. Facts recorded later are counted in `later`, not read."""

    def __init__(self, chart: Chart, now: datetime) -> None:
        self.course = chart.course
        self.now = now
        known = [f for f in chart.facts if f.recorded_at <= now]
        self.later = len(chart.facts) - len(known)
        self.all_facts = tuple(known)
        self.facts = tuple(_with_corrections(known))
        self._by_kind: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            self._by_kind[fact.what.kind].append(fact)
        self._changes: set[datetime] = set()

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the site; UTC where the pinned name is not known here (a finding says so)."""
        return zone_named(self.course.zone) or ZoneInfo("UTC")

    def of(self, kind: type[What]) -> list[tuple[Fact, What]]:
        """All facts of one kind with what they say, in the order in which they were recorded."""
        tag = cast("str", kind.model_fields["kind"].default)
        return [(fact, cast("What", fact.what)) for fact in self._by_kind.get(tag, ())]

    def latest(self, kind: type[What]) -> tuple[Fact, What] | None:
        """The fact of this kind that was true last (by `at`, then by arrival)."""
        found = self.of(kind)
        return max(enumerate(found), key=lambda item: (item[1][0].at, item[0]))[1] if found else None

    def reached(self, instant: datetime) -> bool:
        """`now >= instant`; where not yet, the instant is remembered as a change to come."""
        if self.now >= instant:
            return True
        self._changes.add(instant)
        return False

    def passed(self, instant: datetime) -> bool:
        """`now > instant`; where not yet, the second after it is remembered as a change to come."""
        if self.now > instant:
            return True
        self._changes.add(instant + STRICTLY_AFTER)
        return False

    def change_at(self, instant: datetime) -> None:
        """Remember an instant at which the assessment changes."""
        if instant > self.now:
            self._changes.add(instant)

    @property
    def valid_until(self) -> datetime | None:
        """The first instant after now at which time alone could change what was read."""
        return earliest(*self._changes)

    def retracted_stops(self, stop_grade: int) -> tuple[Fact, ...]:
        """Facts behind a permanent stop that were corrected away (COR-02)."""
        standing = {f.id: f for f in self.facts}
        corrected = {f.what.target for f in self.all_facts if isinstance(f.what, Correction)}
        return tuple(
            f
            for f in self.all_facts
            if f.id in corrected
            and _stops_for_good(f, stop_grade)
            and not _stops_for_good(standing.get(f.id), stop_grade)
        )


def _stops_for_good(fact: Fact | None, stop_grade: int) -> bool:
    what = _what(fact)
    return isinstance(what, Discontinued) or (isinstance(what, Reaction) and (what.grade or 0) >= stop_grade)


def _with_corrections(facts: Iterable[Fact]) -> Iterable[Fact]:
    """Every fact as corrected last: replaced in its place, or gone; corrections themselves are not read again."""
    standing: dict[str, Fact] = {}
    place: dict[str, str] = {}
    for fact in facts:
        what = fact.what
        if isinstance(what, Correction):
            origin = place.get(what.target, what.target)
            if origin not in standing:
                continue
            place[fact.id] = origin
            if what.replacement is None:
                del standing[origin]
            else:
                standing[origin] = fact.model_copy(update={"what": what.replacement})
        else:
            standing[fact.id] = fact
            if isinstance(what, UnreadableResolved) and isinstance(_what(standing.get(what.target)), LabResult):
                del standing[what.target]
    return standing.values()


def _what(fact: Fact | None) -> object:
    return fact.what if fact is not None else None
