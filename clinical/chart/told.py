"""What a chart tells, whatever the time and the protocol: corrections applied, facts by kind, results by what they measure.

It is read once and kept with the chart. A chart that is longer by some facts takes it over and reads only these; of the
answers it takes over all that do not rest on a kind of fact that came. A correction changes what was told before: then the
chart is read anew.

Nothing that can change is shared. Two longer charts of one beginning are what-ifs that exclude each other: what one of them
learns must never reach the other. So a longer chart begins with copies, and what goes into them can only follow from what
is behind it: an answer from the facts of its own chart (`once`), a reading from its fact alone (`Memory.alone`). Whatever two
threads do to one chart at once, each entry is put in whole, and is the same whoever puts it in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from clinical.chart.calendar import zone_named
from clinical.chart.once import Basis
from clinical.chart.setting_aside import SET_ASIDE, as_read
from clinical.chart.stores import Store
from clinical.chart.versions import WITHDRAWN, Chain, Version, chains, identities, version_of
from clinical.coding.marks import ALL_LABS, EVERY_FACT, KIND_MARKS, lab_mark
from clinical.coding.meaning import meaning
from models.chart import Chart, Course
from models.facts import Correction, Fact, LabResult, ResultWithdrawn
from models.people import Actor
from models.protocol import Protocol

Pairs = tuple[tuple[Fact, Any], ...]
"""Facts of one kind with what they say, as they arrived."""

LAB, CORRECTION = "lab_result", "correction"
NO_GROUPS: frozenset[str] = frozenset()
NOTHING_KNOWN: Mapping[str, Version] = MappingProxyType({})
EVERY_GROUP = "*"
FEW = 8
"""So many further results are each looked at beside what is known; of more, their groups are read anew."""

Made = TypeVar("Made")


class Memory:
    """What was worked out of one chart under one protocol: answers with what they rest on, and each result looked at alone.

    `folds` are readings of the facts in their order that nothing later undoes: a longer chart goes on from there.
    """

    __slots__ = ("_alone", "_protocol", "answers", "folds")

    def __init__(
        self,
        protocol: Protocol,
        answers: Store[object, Basis] | None = None,
        alone: Store[tuple[str, object], tuple[Fact, Any]] | None = None,
        folds: Store[str, Any] | None = None,
    ) -> None:
        self.answers: Store[object, Basis] = Store() if answers is None else answers
        self._protocol = protocol
        self._alone: Store[tuple[str, object], tuple[Fact, Any]] = Store() if alone is None else alone
        self.folds: Store[str, Any] = Store() if folds is None else folds

    def alone(self, fact: Fact, read: Callable[[Fact, Protocol], Made]) -> Made:
        """What one fact says to one reader, made once. `read` is given the fact and nothing else of the chart it stands in."""
        # Two what-ifs of one chart may give one id to two facts: what was read belongs to the fact, not to its id.
        known = self._alone.get((fact.id, read))
        if known is None or known[0] is not fact:
            known = fact, read(fact, self._protocol)
            self._alone[fact.id, read] = known
        return known[1]

    def readings(self) -> "Memory":
        """A memory of its own with what each fact says alone, which is the same in every chart that it stands in."""
        return Memory(self._protocol, None, self._alone.copy())

    def longer(self, changed: int) -> "Memory":
        """A memory of its own for a longer chart: what does not rest on the kinds of fact that came."""
        answers = {key: basis for key, basis in self.answers.copy().items() if not basis.marks & changed}
        return Memory(self._protocol, Store(answers), self._alone.copy(), self.folds.copy())

    def read_anew(self) -> "Memory":
        """A memory for a longer chart in which earlier facts mean something else: only what nothing later undoes."""
        return Memory(self._protocol, folds=self.folds.copy())


class Told:
    """All that the facts say; `facts` are those that stand, in the order in which they were first told."""

    def __init__(self, course: Course, facts: tuple[Fact, ...], known: Mapping[str, Version] = NOTHING_KNOWN) -> None:
        """`known` are messages about results, by fact, that were read in a chart which holds these facts and further ones."""
        facts = as_read(facts)
        self.course = course
        self._correctors: dict[str, list[Actor]]
        self.versions: dict[str, list[Fact | None]] | None
        self._standing: dict[str, Fact] | None
        self.zone = zone_named(course.zone) or ZoneInfo("UTC")
        self.all_facts = facts
        self.last_at: datetime | None = max((f.recorded_at for f in facts), default=None)
        self.latest: Store[str, tuple[Fact, Any] | None] = Store()
        self.heard: Store[str, Pairs] = Store()
        self.results: Store[str, Mapping[str | None, tuple[Chain, ...]]] = Store()
        self._memories: tuple[tuple[Protocol, Memory], ...] = ()
        self._correctors, self.versions, self._standing = {}, None, None
        by_kind = _by_kind(facts)
        if CORRECTION in by_kind or len({f.id for f in facts}) < len(facts):
            self.versions, self._correctors = _versions(facts), _correctors(facts)
            self._standing = _standing(self.versions)
            by_kind = _by_kind(self._standing.values())
        self.by_kind: dict[str, Pairs] = {kind: tuple(found) for kind, found in by_kind.items()}
        self.labs: dict[str, tuple[Version, ...]] = {}
        self.withdrawals: tuple[Version, ...] = ()
        self._groups_of: dict[str, frozenset[str]] = {}
        self._links: frozenset[frozenset[str]] = frozenset()
        labs: dict[str, list[Version]] = {}
        for version in self._said_of_results(known):
            self._take_in(version)
            for group in version.groups or (WITHDRAWN,):
                labs.setdefault(group, []).append(version)
        self.withdrawals = tuple(labs.pop(WITHDRAWN, ()))
        self.labs = {group: tuple(found) for group, found in labs.items()}

    def _said_of_results(self, known: Mapping[str, Version]) -> Iterator[Version]:
        """Every message about a result as it stands, also one that a person took back."""
        what: Any
        if self.versions is None:
            for place, fact in enumerate(self.all_facts):
                what = fact.what
                if what.kind == LAB or what.kind == WITHDRAWN:
                    version = known.get(fact.id)
                    if version is None or version.fact is not fact or version.arrived[1] != place:
                        version = version_of(fact, what, (what,), place)
                    yield version
            return
        for place, told in enumerate(self.versions.values()):
            said = tuple(fact.what for fact in told if fact is not None and fact.what.kind in (LAB, WITHDRAWN))
            if said:
                fact = next(fact for fact in reversed(told) if fact is not None)
                what = None if told[-1] is None else said[-1]
                yield version_of(fact, what, cast("Any", said), place)

    def _take_in(self, version: Version) -> None:
        """The groups of results that a message joins are read together from now on (LAB-08)."""
        named = [what for what in version.said if what.resource or what.identifiers]
        for identity in [identity for what in named for identity in identities(what)]:
            joined = self._groups_of[identity] = self._groups_of.get(identity, NO_GROUPS).union(version.groups)
            if len(joined) > 1:
                self._links |= {joined}

    def _read_together(self, group: str) -> frozenset[str]:
        """The groups whose results may be versions of one another: a later one may have another code."""
        found, more = NO_GROUPS, frozenset((group,))
        while found != more:
            found = more
            more = found.union(*(link for link in self._links if not link.isdisjoint(found)))
        return found

    def chains(self, group: str, analyte: str) -> tuple[Chain, ...]:
        """The results of an analyte of this group, each with all its versions."""
        return self._chains(group).get(analyte, ())

    @property
    def withdraw_nothing(self) -> tuple[Chain, ...]:
        """Withdrawals without a code whose result nobody sent (LAB-09)."""
        return self._chains(EVERY_GROUP).get(None, ()) if self.withdrawals else ()

    def analytes(self) -> list[str]:
        """The analytes of which any result was sent."""
        return sorted({analyte for group in self.labs for analyte in self._chains(group) if analyte is not None})

    def _chains(self, group: str) -> Mapping[str | None, tuple[Chain, ...]]:
        if self.withdrawals:
            group = EVERY_GROUP  # a withdrawal may be of any of them
        if group not in self.results:
            together = self.labs.keys() if group == EVERY_GROUP else self._read_together(group)
            said = [version for one in sorted(together) for version in self.labs.get(one, ())]
            said = list({id(version): version for version in said}.values())
            self.results[group] = _by_analyte(chains([*said, *self.withdrawals]))
        return self.results[group]

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

    def beginning(self, facts: tuple[Fact, ...], protocol: Protocol) -> Chart:
        """A chart of some of the facts that were told here: what each of them says alone is not read again."""
        chart = Chart(course=self.course, facts=facts)
        known = {v.fact.id: v for found in self.labs.values() for v in found if v.fact.what is v.what}
        told = Told(self.course, facts, known)
        told._memories = ((protocol, self.memory(protocol).readings()),)
        chart.notes.made = told
        return chart

    def and_then(self, facts: tuple[Fact, ...], added: tuple[Fact, ...]) -> "Told":
        """The same and these further facts: what they do not touch is taken over."""
        known, kinds = {f.id for f in added}, {f.what.kind for f in added}
        if SET_ASIDE in kinds:
            return Told(self.course, facts)
        if len(known) < len(added) or CORRECTION in kinds:
            return self._read_anew(facts)
        if self._standing is not None or any(f.id in known for f in self.all_facts):
            return self._read_anew(facts)
        longer = Told.__new__(Told)
        longer.course, longer.zone, longer.all_facts = self.course, self.zone, (*self.all_facts, *added)
        longer.last_at = max((f.recorded_at for f in added), default=self.last_at)
        if longer.last_at is not None and self.last_at is not None:
            longer.last_at = max(longer.last_at, self.last_at)
        longer.versions, longer._standing, longer._correctors = None, None, {}
        longer.by_kind, longer.labs = dict(self.by_kind), dict(self.labs)
        longer.latest, longer.heard, longer.results = self.latest.copy(), self.heard.copy(), self.results.copy()
        longer.withdrawals, longer._groups_of, longer._links = self.withdrawals, dict(self._groups_of), self._links
        changed = EVERY_FACT
        for place, fact in enumerate(added, len(self.all_facts)):
            what = fact.what
            changed |= KIND_MARKS[what.kind]
            longer.by_kind[what.kind] = (*longer.by_kind.get(what.kind, ()), (fact, what))
            longer.latest.pop(what.kind, None)
            longer.heard.pop(what.kind, None)
            if isinstance(what, LabResult | ResultWithdrawn):
                changed |= longer._and_result(version_of(fact, what, (what,), place), few=len(added) <= FEW)
        longer._memories = tuple((protocol, memory.longer(changed)) for protocol, memory in self._memories)
        return longer

    def _read_anew(self, facts: tuple[Fact, ...]) -> "Told":
        anew = Told(self.course, facts)
        anew._memories = tuple((protocol, memory.read_anew()) for protocol, memory in self._memories)
        return anew

    def _is_of_no_other(self, version: Version) -> bool:
        """Whether no message that was told before shares anything with it: it is a result of its own (LAB-08)."""
        if any(identity in self._groups_of for what in version.said for identity in identities(what)):
            return False
        places = set(version.places)
        return all(places.isdisjoint(v.places) for group in version.groups for v in self.labs.get(group, ()))

    def _and_result(self, version: Version, *, few: bool) -> int:
        """One more message about a result; the marks of the groups in which it can change what stands.

        Of `few` each is looked at beside all that are known; of many that would cost more than to read their groups anew.
        """
        changed, alone = version.groups, few and self._is_of_no_other(version)
        self._take_in(version)
        for group in changed:
            self.labs[group] = (*self.labs.get(group, ()), version)
        if not changed:
            self.withdrawals = (*self.withdrawals, version)
        if self.withdrawals:  # what a withdrawal is of, any message can tell (E4)
            self.results = Store()
            return ALL_LABS
        touched = {one for group in changed for one in self._read_together(group)}
        for group in touched:
            known = self.results.pop(group, None)
            if known is not None and alone and touched == {group}:
                further: dict[str | None, tuple[Chain, ...]] = {
                    a: (*known.get(a, ()), Chain((version,))) for a in version.analytes
                }
                self.results[group] = MappingProxyType({**known, **further})
        return sum(map(lab_mark, touched))


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


def _by_analyte(found: Iterable[Chain]) -> Mapping[str | None, tuple[Chain, ...]]:
    """Results by what any of their versions measures; under `None` what only withdraws, and names no analyte."""
    by_analyte: dict[str | None, list[Chain]] = {}
    for chain in found:
        first = chain.versions[0]
        analytes, of_result = first.analytes, bool(first.groups)
        if len(chain.versions) > 1 or len(first.said) > 1 or first.what is None:  # as hardly ever
            said = [what for v in chain.versions for what in v.said if isinstance(what, LabResult)]
            analytes = frozenset[str]().union(*(meaning(what).analytes for what in said))
            of_result = bool(said)
        for analyte in analytes if of_result else {None}:
            by_analyte.setdefault(analyte, []).append(chain)
    return MappingProxyType({analyte: tuple(chains) for analyte, chains in by_analyte.items()})


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
            versions[origin].append(_in_place_of(versions[origin][-1], fact))
    return versions


def _in_place_of(wrong: Fact | None, correction: Fact) -> Fact | None:
    """COR-03: what stands in place of a wrong fact is as old as that, unless it says its own time of measurement.

    A correction that was true at the very instant at which it was recorded says when somebody corrected, not more.
    """
    said: Any = correction.what
    if said.replacement is None or wrong is None:
        return None
    told_at = None if correction.at == correction.recorded_at else correction.at
    at, what, before = said.measured_at or told_at or wrong.at, said.replacement, wrong.what
    if isinstance(what, LabResult) and isinstance(before, LabResult) and what.collected_at is None:
        # a time that was sent and cannot be read stays so: nobody knows that it was the former one
        what = what if what.collected_text else what.model_copy(update={"collected_at": before.collected_at})
    return correction.model_copy(update={"at": at, "what": what})


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
