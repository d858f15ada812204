"""A chart as it stands at one instant: corrections applied, facts by kind, and every instant at which time changes it.

Time is asked only through `reached` and `passed`, so that `valid_until` is never forgotten.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from clinical.calendar import zone_named
from models.assessment import earliest
from models.base import Frozen
from models.chart import Chart
from models.facts import Discontinued, Fact, Reaction, VodJudged
from models.people import Actor

STRICTLY_AFTER = timedelta(seconds=1)
"""A limit with `>` is crossed one second after it (design §4)."""

What = TypeVar("What", bound=Frozen)


class Reading:
    """The chart of a course as known at `now`. Facts recorded later are counted in `later`, not read."""

    def __init__(self, chart: Chart, now: datetime) -> None:
        self.course = chart.course
        self.chart = chart
        self.now = now
        known = [f for f in chart.facts if f.recorded_at <= now]
        self.later = len(chart.facts) - len(known)
        self.all_facts = tuple(known)
        self._versions = _versions(known)
        self._correctors = _correctors(known)
        self.standing = {origin: said[-1] for origin, said in self._versions.items() if said[-1] is not None}
        self.facts = tuple(self.standing.values())
        by_kind: dict[str, list[tuple[Fact, Any]]] = defaultdict(list)
        for fact in self.facts:
            by_kind[fact.what.kind].append((fact, fact.what))
        self._by_kind = {kind: tuple(found) for kind, found in by_kind.items()}
        self._changes = {f.recorded_at for f in chart.facts if f.recorded_at > now}

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the site; UTC where the pinned name is not known here (a finding says so)."""
        return zone_named(self.course.zone) or ZoneInfo("UTC")

    def of(self, kind: type[What]) -> tuple[tuple[Fact, What], ...]:
        """All facts of one kind with what they say, in the order in which they were recorded."""
        return self._by_kind.get(_tag(kind), ())

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

    def corrected_by(self, fact_id: str) -> tuple[Actor, ...]:
        """Who has corrected this fact, or what stood in its place, oldest first."""
        return tuple(self._correctors.get(fact_id, ()))

    def retracted_stops(self, stop_grade: int) -> tuple[Fact, ...]:
        """Facts behind a permanent stop that were corrected away (COR-02), as they were."""
        if not self._correctors:
            return ()
        found = []
        for versions in self._versions.values():
            stops = [said for said in versions if said is not None and stops_for_good(said, stop_grade)]
            if stops and versions[-1] is not stops[-1]:
                found.append(stops[-1])
        return tuple(found)


@cache
def _tag(kind: type[Frozen]) -> str:
    return cast("str", kind.model_fields["kind"].default)


def stops_for_good(fact: Fact, stop_grade: int) -> bool:
    """Whether this fact alone stops the drug for good (§3.5 row 1): NON-01, NON-05, the prescriber's own word."""
    what = fact.what
    if isinstance(what, VodJudged):
        return what.judgement == "confirmed"
    return isinstance(what, Discontinued) or (isinstance(what, Reaction) and (what.grade or 0) >= stop_grade)


def _versions(facts: Iterable[Fact]) -> dict[str, list[Fact | None]]:
    """Every fact by its first id with all that was said in its place, oldest first; `None` = retracted (COR-01)."""
    versions: dict[str, list[Fact | None]] = {}
    first_id: dict[str, str] = {}
    for fact in facts:
        what = fact.what
        if what.kind != "correction":  # a tag is compared many times faster than a class of pydantic
            versions[fact.id] = [fact]
            continue
        origin = first_id.get(what.target, what.target)
        if origin in versions and versions[origin][-1] is not None:
            first_id[fact.id] = origin
            replaced = None if what.replacement is None else fact.model_copy(update={"what": what.replacement})
            versions[origin].append(replaced)
    return versions


def _correctors(facts: Iterable[Fact]) -> dict[str, list[Actor]]:
    """Every fact, and every correction that replaced one, by id, with who corrected it."""
    found: dict[str, list[Actor]] = {}
    for fact in facts:
        if fact.what.kind == "correction":
            found.setdefault(fact.what.target, []).append(fact.by)
    return found
