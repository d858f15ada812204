"""What a chart tells, whatever the time and the protocol: corrections applied, facts by kind, results by what they measure.

It is read once and kept with the chart. A chart that is longer by some facts takes it over and reads only these; of the
answers it takes over all that do not rest on a kind of fact that came. A correction changes what was told before: then the
chart is read anew.

Nothing that can change is shared. Two longer charts of one beginning are what-ifs that exclude each other: what one of them
learns must never reach the other. So a longer chart begins with copies, and what goes into them can only follow from what
is behind it: an answer from the facts of its own chart (`once`), a reading from its fact alone (`Memory.alone`). Whatever two
threads do to one chart at once, each entry is put in whole, and is the same whoever puts it in.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from clinical.calendar import zone_named
from clinical.marks import EVERY_FACT, KIND_MARKS, group_of_code, lab_mark
from clinical.once import Basis
from clinical.setting_aside import SET_ASIDE, as_read
from clinical.stores import Store
from models.chart import Chart, Course
from models.facts import Correction, Fact, LabResult
from models.people import Actor
from models.protocol import Protocol

Pairs = tuple[tuple[Fact, Any], ...]
"""Facts of one kind with what they say, as they arrived."""

LAB, CORRECTION = "lab_result", "correction"

Made = TypeVar("Made")


class Memory:
    """What was worked out of one chart under one protocol: answers with what they rest on, and each result looked at alone."""

    __slots__ = ("_alone", "_protocol", "answers")

    def __init__(
        self,
        protocol: Protocol,
        answers: Store[object, Basis] | None = None,
        alone: Store[str, tuple[Fact, Any]] | None = None,
    ) -> None:
        self.answers: Store[object, Basis] = Store() if answers is None else answers
        self._protocol = protocol
        self._alone: Store[str, tuple[Fact, Any]] = Store() if alone is None else alone

    def alone(self, fact: Fact, read: Callable[[Fact, Protocol], Made]) -> Made:
        """What one fact says, made once. `read` is given the fact and nothing else of the chart it stands in."""
        # Two what-ifs of one chart may give one id to two facts: what was read belongs to the fact, not to its id.
        known = self._alone.get(fact.id)
        if known is None or known[0] is not fact:
            known = fact, read(fact, self._protocol)
            self._alone[fact.id] = known
        return known[1]

    def longer(self, changed: int) -> "Memory":
        """A memory of its own for a longer chart: what does not rest on the kinds of fact that came."""
        answers = {key: basis for key, basis in self.answers.copy().items() if not basis.marks & changed}
        return Memory(self._protocol, Store(answers), self._alone.copy())


class Told:
    """All that the facts say; `facts` are those that stand, in the order in which they were first told."""

    def __init__(self, course: Course, facts: tuple[Fact, ...]) -> None:
        facts = as_read(facts)
        self.course = course
        self._correctors: dict[str, list[Actor]]
        self.versions: dict[str, list[Fact | None]] | None
        self._standing: dict[str, Fact] | None
        self.zone = zone_named(course.zone) or ZoneInfo("UTC")
        self.all_facts = facts
        self.last_at: datetime | None = max((f.recorded_at for f in facts), default=None)
        self.latest: Store[str, tuple[Fact, Any] | None] = Store()
        self.results: Store[str, Any] = Store()
        self._memories: tuple[tuple[Protocol, Memory], ...] = ()
        self._correctors, self.versions, self._standing = {}, None, None
        by_kind = _by_kind(facts)
        if CORRECTION in by_kind or len({f.id for f in facts}) < len(facts):
            self.versions, self._correctors = _versions(facts), _correctors(facts)
            self._standing = _standing(self.versions)
            by_kind = _by_kind(self._standing.values())
        labs: dict[str, list[tuple[Fact, Any]]] = {}
        for pair in by_kind.get(LAB, ()):
            labs.setdefault(group_of_code(pair[1].loinc), []).append(pair)
        self.by_kind: dict[str, Pairs] = {kind: tuple(found) for kind, found in by_kind.items()}
        self.labs: dict[str, Pairs] = {group: tuple(found) for group, found in labs.items()}

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts that stand, each in the place of what it replaced."""
        return self.all_facts if self._standing is None else tuple(self._standing.values())

    def standing(self, fact_id: str, as_told: Fact) -> Fact | None:
        """What stands in the place of a fact that was told; `None` where it was retracted."""
        return as_told if self._standing is None else self._standing.get(fact_id)

    def corrected_by(self, fact_id: str) -> tuple[Actor, ...]:
        """Who has corrected this fact, or what stood in its place, oldest first."""
        return tuple(self._correctors.get(fact_id, ()))

    def memory(self, protocol: Protocol) -> Memory:
        """What was worked out under this very protocol."""
        for of, memory in self._memories:
            if of is protocol:
                return memory
        memory = Memory(protocol)
        self._memories = (*self._memories, (protocol, memory))
        return memory

    def and_then(self, facts: tuple[Fact, ...], added: tuple[Fact, ...]) -> "Told":
        """The same and these further facts: what they do not touch is taken over."""
        known = {f.id for f in added}
        if len(known) < len(added) or any(f.what.kind in (CORRECTION, SET_ASIDE) for f in added):
            return Told(self.course, facts)
        if self._standing is not None or any(f.id in known for f in self.all_facts):
            return Told(self.course, facts)
        longer = Told.__new__(Told)
        longer.course, longer.zone, longer.all_facts = self.course, self.zone, (*self.all_facts, *added)
        longer.last_at = max((f.recorded_at for f in added), default=self.last_at)
        if longer.last_at is not None and self.last_at is not None:
            longer.last_at = max(longer.last_at, self.last_at)
        longer.versions, longer._standing, longer._correctors = None, None, {}
        longer.by_kind, longer.labs = dict(self.by_kind), dict(self.labs)
        longer.latest, longer.results = self.latest.copy(), self.results.copy()
        changed = EVERY_FACT
        for fact in added:
            what = fact.what
            changed |= KIND_MARKS[what.kind]
            longer.by_kind[what.kind] = (*longer.by_kind.get(what.kind, ()), (fact, what))
            longer.latest.pop(what.kind, None)
            if isinstance(what, LabResult):
                group = group_of_code(what.loinc)
                changed |= lab_mark(group)
                longer.labs[group] = (*longer.labs.get(group, ()), (fact, what))
                longer.results.pop(group, None)
        longer._memories = tuple((protocol, memory.longer(changed)) for protocol, memory in self._memories)
        return longer


def told_by(chart: Chart) -> Told:
    """What all facts of a chart tell, read once and kept with the chart, as long as it is there."""
    notes = chart.notes
    if notes.made is None:
        notes.made = _taken_over(chart) or Told(chart.course, chart.facts)
        notes.before = None
    return cast("Told", notes.made)


def _taken_over(chart: Chart) -> Told | None:
    """From the longest of the shorter charts that was read; there may be none."""
    before = chart.notes.before
    while before is not None:
        if before.made is not None:
            shorter = cast("Told", before.made)
            return shorter.and_then(chart.facts, chart.facts[len(shorter.all_facts) :])
        before = before.before
    return None


def _by_kind(facts: Iterable[Fact]) -> dict[str, list[tuple[Fact, Any]]]:
    by_kind: dict[str, list[tuple[Fact, Any]]] = {}
    for fact in facts:
        what = fact.what
        found = by_kind.get(what.kind)
        if found is None:
            found = by_kind[what.kind] = []
        found.append((fact, what))
    return by_kind


def _versions(facts: Iterable[Fact]) -> dict[str, list[Fact | None]]:
    """Every fact by its first id with all that was said in its place, oldest first; `None` = retracted (COR-01)."""
    versions: dict[str, list[Fact | None]] = {}
    first_id: dict[str, str] = {}
    for fact in facts:
        what: Any = fact.what
        if what.kind != CORRECTION:  # a tag is compared many times faster than a class of pydantic
            versions[fact.id] = [fact]
            continue
        origin = first_id.get(what.target, what.target)
        if origin in versions and versions[origin][-1] is not None:
            first_id[fact.id] = origin
            replaced = None if what.replacement is None else fact.model_copy(update={"what": what.replacement})
            versions[origin].append(replaced)
    return versions


def _standing(versions: dict[str, list[Fact | None]]) -> dict[str, Fact]:
    """By its first id what stands of each fact."""
    return {origin: said[-1] for origin, said in versions.items() if said[-1] is not None}


def _correctors(facts: Iterable[Fact]) -> dict[str, list[Actor]]:
    """Every fact, and every correction that replaced one, by id, with who corrected it."""
    found: dict[str, list[Actor]] = {}
    for fact in facts:
        if isinstance(fact.what, Correction):
            found.setdefault(fact.what.target, []).append(fact.by)
    return found
