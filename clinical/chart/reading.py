"""A chart as it stands at one instant: corrections applied, facts by kind, and every instant at which time changes it.

Time is asked only through `reached` and `passed`, so that `valid_until` is never forgotten.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from clinical.chart.answers import heard
from clinical.chart.calendar import local_date
from clinical.chart.once import INSTANT, NEVER, Basis
from clinical.chart.told import CORRECTION, Told, told_by
from clinical.coding.marks import EVERY_FACT, KIND_MARKS, TAGS, lab_mark
from models.base import LAST_YEAR, Frozen
from models.chart import Chart
from models.facts import Correction, Discontinued, Fact, Reaction, VodJudged
from models.people import Actor
from models.protocol import Protocol

STRICTLY_AFTER = timedelta(seconds=1)
"""A limit with `>` is crossed one second after it (design §4)."""

NOT_ANSWERED: tuple[object, ...] = (None, "", ())
"""What stands in a statement where its question was left open."""

What = TypeVar("What", bound=Frozen)


class Reading:
    """The chart of a course as known at `now`. Facts recorded later are counted in `later`, not read.

    All reading goes through here, so that every answer knows what it rests on (`once`): `basis` is that of the question
    that is being answered.
    """

    def __init__(self, chart: Chart, protocol: Protocol, now: datetime) -> None:
        self.instant = now
        told, later = told_by(chart), []
        if told.last_at is not None and told.last_at > now:
            later = [f.recorded_at for f in chart.facts if f.recorded_at > now]
            told = Told(chart.course, tuple(f for f in chart.facts if f.recorded_at <= now))
        self.told = told
        self.course, self.zone = told.course, told.zone
        self.later = len(later)
        self.basis = Basis(min(later, default=NEVER))
        self.memory = told.memory(protocol)
        self.answers = self.memory.answers

    @property
    def now(self) -> datetime:
        """The instant itself: an answer that uses it holds at no other."""
        self._holds_until(self.instant, self.instant + INSTANT)
        return self.instant

    @property
    def today(self) -> date:
        """The calendar date of now at the site."""
        return local_date(self.now, self.zone)

    def of(self, kind: type[What]) -> tuple[tuple[Fact, What], ...]:
        """All facts of one kind with what they say, in the order in which they were recorded."""
        tag = TAGS[kind]
        self.basis.marks |= KIND_MARKS[tag]
        return self.told.by_kind.get(tag, ())

    def latest(self, kind: type[What]) -> tuple[Fact, What] | None:
        """The fact of this kind that was true last (by `at`, then by arrival)."""
        tag = TAGS[kind]
        self.basis.marks |= KIND_MARKS[tag]
        if tag not in self.told.latest:
            found = self.told.by_kind.get(tag, ())
            self.told.latest[tag] = max(reversed(found), key=_true_at) if found else None
        return self.told.latest[tag]

    def heard(self, kind: type[What]) -> tuple[tuple[Fact, What], ...]:
        """All facts of a kind that asks questions, oldest first, without an answer that its speaker may not take back."""
        tag = TAGS[kind]
        self.basis.marks |= KIND_MARKS[tag]
        if tag not in self.told.heard:
            self.told.heard[tag] = heard(self.told.by_kind.get(tag, ()))
        return self.told.heard[tag]

    def answered(self, kind: type[Frozen]) -> Mapping[str, tuple[Fact, Any]]:
        """The last answer to each question of a statement, with its fact: one that leaves it open takes none back (M.0)."""
        told = self.heard(kind)
        said = (
            (name, fact, getattr(what, name)) for fact, what in told for name in kind.model_fields if name != "kind"
        )
        return {name: (fact, answer) for name, fact, answer in said if answer not in NOT_ANSWERED}

    def said_last(self, *kinds: type[Frozen]) -> Fact | None:
        """The fact of these kinds that was recorded last: it overtakes the others."""
        return next(self.newest_first(*kinds), None)

    def newest_first(self, *kinds: type[Frozen]) -> Iterator[Fact]:
        """The facts of these kinds, the one that was recorded last first: each overtakes those after it."""
        said = {f.id for kind in kinds for f, _ in self.of(kind)}
        # The order of these among each other is the same whatever else was told.
        return (f for f in reversed(self.told.facts) if f.id in said) if said else iter(())

    def in_order(self, *kinds: str) -> tuple[Fact, ...]:
        """All that was told, as it was told; an answer made of it rests on these kinds only."""
        self.rests_on(*kinds)
        return self.told.all_facts if any(kind in self.told.by_kind for kind in kinds) else ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact that stands."""
        self.rests_on_every_fact()
        return self.told.facts

    def rests_on(self, *kinds: str) -> None:
        """What is being answered rests on these kinds of fact, which are read elsewhere."""
        for kind in kinds:
            self.basis.marks |= KIND_MARKS[kind]

    def rests_on_results(self, *groups: str) -> None:
        """What is being answered rests on these groups of results, which are read elsewhere."""
        for group in groups:
            self.basis.marks |= lab_mark(group)

    def rests_on_every_fact(self) -> None:
        """What is being answered changes with any fact."""
        self.basis.marks |= EVERY_FACT

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def reached(self, instant: datetime) -> bool:
        """`now >= instant`; where not yet, the instant is remembered as a change to come."""
        basis = self.basis
        if self.instant >= instant:
            if instant > basis.since:
                basis.since = instant
            return True
        if instant < basis.until:
            basis.until = instant
        if instant < basis.change:
            basis.change = instant
        return False

    def passed(self, instant: datetime) -> bool:
        """`now > instant`; where not yet, the second after it is remembered as a change to come."""
        if self.instant > instant:
            self._holds_until(instant + INSTANT, NEVER)
            return True
        self._holds_until(self.basis.since, instant + INSTANT)
        if instant + STRICTLY_AFTER < self.basis.change:
            self.basis.change = instant + STRICTLY_AFTER
        return False

    def is_ahead(self, instant: datetime) -> bool:
        """`instant > now`, for what does not change what is said then."""
        if instant > self.instant:
            self._holds_until(self.basis.since, instant)
            return True
        self._holds_until(instant, NEVER)
        return False

    def change_at(self, instant: datetime) -> None:
        """Remember an instant at which the assessment changes."""
        if self.is_ahead(instant) and instant < self.basis.change:
            self.basis.change = instant

    def _holds_until(self, since: datetime, until: datetime) -> None:
        self.basis.since = max(self.basis.since, since)
        self.basis.until = min(self.basis.until, until)

    @property
    def valid_until(self) -> datetime | None:
        """The first instant after now at which time alone could change what was read; none where no clock shows it."""
        return None if self.basis.change.year > LAST_YEAR else self.basis.change

    # ── corrections (COR-02); a chart that has further ones is read anew ───────────────────────────────────────────

    def corrected_by(self, fact_id: str) -> tuple[Actor, ...]:
        """Who has corrected this fact, or what stood in its place, oldest first."""
        return self.told.corrected_by(fact_id)

    def corrections(self) -> tuple[tuple[Fact, Fact | None, Fact], ...]:
        """Each fact that was corrected: as it was said first, what stands in its place, and the correction made last."""
        self.rests_on(CORRECTION)
        if self.told.versions is None:
            return ()
        first: dict[str, str] = {}
        last: dict[str, Fact] = {}
        for fact in self.told.all_facts:
            if isinstance(fact.what, Correction):
                first[fact.id] = origin = first.get(fact.what.target, fact.what.target)
                last[origin] = fact
        versions = self.told.versions
        return tuple(
            (said[0], said[-1], last[origin]) for origin, said in versions.items() if origin in last and said[0]
        )

    def retracted_stops(self, stop_grade: int) -> tuple[Fact, ...]:
        """Facts behind a permanent stop that were corrected away (COR-02), as they were."""
        if self.told.versions is None:
            return ()
        found = []
        for versions in self.told.versions.values():
            stops = [said for said in versions if said is not None and stops_for_good(said, stop_grade)]
            if stops and versions[-1] is not stops[-1]:
                found.append(stops[-1])
        return tuple(found)


def _true_at(pair: tuple[Fact, Any]) -> datetime:
    return pair[0].at


def stops_for_good(fact: Fact, stop_grade: int) -> bool:
    """Whether this fact alone stops the drug for good (§3.5 row 1): NON-01, NON-05, the prescriber's own word."""
    what = fact.what
    if isinstance(what, VodJudged):
        return what.judgement == "confirmed"
    return isinstance(what, Discontinued) or (isinstance(what, Reaction) and (what.grade or 0) >= stop_grade)
