"""Which messages speak of one result, and which of them came last (LAB-08, LAB-09).

A result is known by the id of its resource or by an identifier of its own; without these by accession, specimen or report
together with analyte and minute. By these alone two finals are two results. What came last is told by the sender's version
and times; the order of arrival decides only where the sender says nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from clinical.coding.codes import analyte_of
from clinical.coding.marks import groups_of_analytes
from clinical.coding.meaning import Meaning, meaning
from clinical.coding.units import FACTORS, in_other_words, ucum
from models.facts import Fact, LabResult, LabStatus, ResultWithdrawn

Said = LabResult | ResultWithdrawn
WITHDRAWN = "result_withdrawn"

STATUS_RANK = {
    LabStatus.UNKNOWN: 0,
    LabStatus.REGISTERED: 0,
    LabStatus.PRELIMINARY: 1,
    LabStatus.FINAL: 2,
    LabStatus.AMENDED: 3,
    LabStatus.CORRECTED: 3,
    LabStatus.CANCELLED: 4,
    LabStatus.ENTERED_IN_ERROR: 4,
}
WITHDRAWN_RANK = 4
"""The rank of what withdraws a result."""

NEVER_THE_SAME = frozenset({LabStatus.FINAL})
"""Two of this status that only accession, specimen or report join are two results."""


class Version(NamedTuple):
    """One message about a result: its fact with what stands of it, all that was said in its place, when it arrived.

    `what` is `None` where a person took it back (COR-01): it says nothing, and what withdraws it has found its result.
    `analytes`: what it measures, or may measure; none where its code means nothing here. `groups` are those of all that was
    said, `places` where all of it was measured: both are worked out once (`version_of`).
    """

    fact: Fact
    what: Said | None
    said: tuple[Said, ...]
    arrived: tuple[datetime, int]
    analytes: frozenset[str]
    groups: tuple[str, ...]
    places: tuple[Hashable, ...]

    @property
    def withdraws(self) -> bool:
        """Whether it takes the result away."""
        what: Any = self.what  # a tag is compared many times faster than a class of pydantic
        return what is not None and (what.kind == WITHDRAWN or what.status is LabStatus.ENTERED_IN_ERROR)


def version_of(fact: Fact, what: Said | None, said: tuple[Said, ...], place: int) -> Version:
    """A message about a result, told in this place of its chart."""
    arrived = (fact.recorded_at, place)
    if len(said) == 1 and what is said[0] and isinstance(what, LabResult):  # as nearly always
        meant = meaning(what)
        return Version(
            fact, what, said, arrived, meant.analytes, groups_of_analytes(meant.analytes), _places(what, meant)
        )
    analytes = meaning(what).analytes if isinstance(what, LabResult) else frozenset[str]()
    results = [(one, meaning(one)) for one in said if isinstance(one, LabResult)]
    groups = tuple(dict.fromkeys(group for _, meant in results for group in groups_of_analytes(meant.analytes)))
    places = tuple(key for one, meant in results for key in _places(one, meant))
    return Version(fact, what, said, arrived, analytes, groups, places)


class Chain(NamedTuple):
    """The versions of one result. `found`: whether what only withdraws was sent beside a result that it is not of.

    `dismissed` are facts that a person dismissed: they say nothing, and what they had replaced does not come back.
    """

    versions: tuple[Version, ...]
    found: bool = False
    dismissed: frozenset[str] = frozenset()

    @property
    def withdraws_nothing(self) -> bool:
        """A withdrawal whose result nobody sent, and that nobody has dismissed (LAB-09)."""
        return not self.found and not self.dismissed and all(v.withdraws for v in self.versions)


def is_a_correction(version: Version) -> bool:
    """Whether its sender says that it replaces what was said before (E2)."""
    what = version.what
    return isinstance(what, LabResult) and STATUS_RANK[what.status] == STATUS_RANK[LabStatus.CORRECTED]


def minute_of(at: datetime) -> datetime:
    """A time cut to its minute."""
    return at.replace(second=0, microsecond=0) if at.second or at.microsecond else at


def identities(what: Said) -> Iterator[str]:
    """What alone says which result this is: the id of the resource, an identifier of its own."""
    if what.resource:
        yield f"resource {what.resource}"
    for identifier in what.identifiers or ():
        yield f"identifier {identifier}"


def chains(told: Sequence[Version]) -> list[Chain]:
    """The results that these messages speak of, each with its versions."""
    if len(told) == 1:
        return [Chain((told[0],))]
    threads = [[version] for version in told]
    if any(what.resource or what.identifiers for v in told for what in v.said):
        shared, homes = _shared(told), _homes(told)
        threads = _joined(
            told, lambda v: (_at_home(i, what, homes) for what in v.said for i in identities(what) if i not in shared)
        )
    components = _joined(threads, _places_of)
    found = [chain for component in components for chain in _results(component)]
    withdrawn = any(v.what is not None and v.what.kind == WITHDRAWN for v in told)
    return _with_withdrawals(found) if withdrawn and any(map(_names_none, found)) else found


def layers(chain: Chain) -> Iterator[tuple[Version, ...]]:
    """The versions from the last to the first; where the order of some cannot be told, these together."""
    left = _once_each(chain.versions)
    if len(left) > 1 and _counted(left):
        left = sorted(left, key=_number, reverse=True)
        yield from ((version,) for version in left)
        return
    while left:
        last = [v for v in left if not any(_is_later(other, v) for other in left if other is not v)] or left
        yield tuple(last)
        left = [v for v in left if v not in last]


# ── which messages speak of one result ─────────────────────────────────────────────────────────────────────────────

Thing = TypeVar("Thing")
Thread = list[Version]


def _joined(things: Iterable[Thing], keys_of: Callable[[Thing], Iterable[Hashable]]) -> list[list[Thing]]:
    """The things that share a key, transitively."""
    group_of: dict[Hashable, list[Thing]] = {}
    groups: dict[int, list[Thing]] = {}
    for thing in things:
        keys = tuple(keys_of(thing))
        if group_of.keys().isdisjoint(keys):  # as nearly always
            new = [thing]
            groups[id(new)] = new
            for key in keys:
                group_of[key] = new
            continue
        met = {id(group): group for key in keys if (group := group_of.get(key)) is not None}
        group = max(met.values(), key=len)
        groups[id(group)] = group
        group.append(thing)
        for other in met.values():
            if other is not group:
                group.extend(other)
                del groups[id(other)]
                for key, of in group_of.items():
                    if of is other:
                        group_of[key] = group
        group_of.update(dict.fromkeys(keys, group))
    return list(groups.values())


def _places_of(thread: Thread) -> tuple[Hashable, ...]:
    return thread[0].places if len(thread) == 1 else tuple(key for version in thread for key in version.places)


def _homes(told: Iterable[Version]) -> frozenset[str]:
    """Ids of resources that two systems behind one machine use: each means its own."""
    found: dict[str, set[str]] = {}
    for what in (what for version in told for what in version.said):
        if isinstance(what, LabResult) and what.resource and what.home:
            found.setdefault(what.resource, set()).add(what.home)
    return frozenset(resource for resource, homes in found.items() if len(homes) > 1)


def _at_home(identity: str, what: Said, homes: frozenset[str]) -> str:
    at_two = what.resource in homes and identity == f"resource {what.resource}"
    return f"{identity} of {what.home if isinstance(what, LabResult) else None}" if at_two else identity


def _shared(told: Iterable[Version]) -> set[str]:
    """Identifiers that one message gives to several analytes: the number of an order is that of no result."""
    codes: dict[tuple[str, str], set[str]] = {}
    for version in told:
        for what in version.said:
            if isinstance(what, LabResult) and what.identifiers:
                for identifier in identities(what):
                    codes.setdefault((version.fact.message, identifier), set()).add(_measured(what, meaning(what)))
    return {
        identifier
        for (_, identifier), measured in codes.items()
        if len(measured) > 1 and identifier.startswith("identifier ")
    }


def _measured(what: LabResult, meant: Meaning) -> str:
    return next(iter(meant.analytes)) if meant.certain else f"{what.loinc} {what.display}"


def _places(what: LabResult, meant: Meaning) -> tuple[Hashable, ...]:
    """Accession, specimen and report, each with analyte and minute; where none is named, the sender stands for it."""
    when = None if what.collected_at is None else minute_of(what.collected_at)
    orders: Iterable[tuple[str, str | None]] = ()
    if what.accession or what.specimen or what.report_id:
        orders = [order for order in _orders(what) if order[1]]
    elif not what.resource and not what.identifiers and when is not None:
        orders = (("sender", what.sender or ""),)
    else:
        return ()
    measured = _measured(what, meant)
    return tuple([(*order, measured, when) for order in orders])


def _orders(what: Said) -> tuple[tuple[str, str | None], ...]:
    return ("accession", what.accession), ("specimen", what.specimen), ("report", what.report_id)


def _results(component: list[Thread]) -> Iterator[Chain]:
    """Threads of one place: each that holds a final is a result, and the others are versions of these."""
    if len(component) == 1:
        yield Chain(tuple(component[0]))
        return
    of_one = [thread for thread in component if _is_a_result(thread)]
    others = [thread for thread in component if thread not in of_one]
    if not of_one:
        yield Chain(tuple(v for thread in others for v in thread))
        return
    taken = set[int]()
    for thread in of_one:
        versions, over = list(thread), set[str]()
        for other in others:
            if _cancels_a_duplicate(other, thread):
                continue
            taken.add(id(other))
            later = any(_has_come_later(one, other) for one in of_one if one is not thread)
            if not later:
                versions += other
            elif _withdraws(other) and not _has_come_later(thread, other):
                versions += other  # it took this one away, and a later final has come since
                over.update(v.fact.id for v in other)
        yield Chain(tuple(versions), dismissed=frozenset(over))
    for other in others:
        if id(other) not in taken:  # a duplicate that was cancelled
            yield Chain(tuple(other), found=True, dismissed=frozenset(v.fact.id for v in other))


def _is_a_result(thread: Thread) -> bool:
    """It holds a final, or a later version together with what that replaced."""
    statuses = [what.status for v in thread for what in v.said if isinstance(what, LabResult)]
    if any(status in NEVER_THE_SAME for status in statuses):
        return True
    return len(thread) > 1 and any(STATUS_RANK[status] == STATUS_RANK[LabStatus.CORRECTED] for status in statuses)


def _cancels_a_duplicate(other: Thread, thread: Thread) -> bool:
    """E3: a cancelled one with an id of its own, and with the value of this one: that was sent twice."""
    cancelled = [v.what for v in other if isinstance(v.what, LabResult)]
    if not cancelled or any(STATUS_RANK[what.status] != WITHDRAWN_RANK for what in cancelled):
        return False
    values = {(what.value, what.unit) for v in thread for what in v.said if isinstance(what, LabResult)}
    return all(
        what.value is not None and (what.resource or what.identifiers) and values == {(what.value, what.unit)}
        for what in cancelled
    )


def _has_come_later(thread: Thread, other: Thread) -> bool:
    """Whether something of a thread is later than all of the other."""
    said = [v for v in other if v.what is not None]
    return any(v.what is not None and all(_is_later(v, one) for one in said) for v in thread)


def _withdraws(thread: Thread) -> bool:
    return all(v.what is not None and _rank(v.what) == WITHDRAWN_RANK for v in thread)


def _names_none(chain: Chain) -> bool:
    return all(isinstance(v.what, ResultWithdrawn) for v in chain.versions)


def _with_withdrawals(found: list[Chain]) -> list[Chain]:
    """A withdrawal that names no result by its own id takes all of its resource, report, accession or specimen."""
    results = [chain for chain in found if not _names_none(chain)]
    unmatched = []
    for chain in found:
        if not _names_none(chain):
            continue
        met = [i for i, result in enumerate(results) if _is_of(chain, result)]
        for i in met:
            results[i] = results[i]._replace(versions=(*results[i].versions, *chain.versions))
        if not met:
            unmatched.append(chain)
    return [*results, *unmatched]


def _is_of(withdrawal: Chain, result: Chain) -> bool:
    for what in (v.what for v in withdrawal.versions):
        assert isinstance(what, ResultWithdrawn)
        orders = {order for order in _orders(what) if order[1]}
        meant = {analyte_of(code, None) for code in what.loincs or ()}
        for said in (said for v in result.versions for said in v.said if isinstance(said, LabResult)):
            named = not meant or not meant.isdisjoint(meaning(said).analytes)
            whole = what.resource is not None and (said.resource or "").startswith(f"{what.resource}#")
            if whole or (named and not orders.isdisjoint(_orders(said))):
                return True
    return False


# ── which of them came last ────────────────────────────────────────────────────────────────────────────────────────


def _once_each(versions: Sequence[Version]) -> list[Version]:
    """Without what was taken back, and without a copy: what comes again changes nothing."""
    if len(versions) == 1:
        return [v for v in versions if v.what is not None]
    known, found = set[Hashable](), []
    for version in sorted(versions, key=lambda v: v.arrived):
        contents = [_content(what) for what in version.said]
        if version.what is not None and (contents[0] not in known or len(contents) > 1):
            found.append(version)
        known.update(contents)
    return found


def _content(what: Said) -> Hashable:
    """What it says, without the envelope that it came in and however it is spelled."""
    if isinstance(what, ResultWithdrawn):
        return (what.how, what.resource, what.version, what.updated_at, what.issued_at)
    meant = meaning(what)
    measured = (_measured(what, meant), what.comparator or None, what.text, what.absent_reason, what.status, what.doubt)
    drawn_at = None if what.collected_at is None else minute_of(what.collected_at)
    when = (drawn_at, what.collected_text, what.issued_at, what.version, what.updated_at)
    return (*measured, *_numbers(what, meant), what.flags, *when)


def _numbers(what: LabResult, meant: Meaning) -> tuple[Hashable, ...]:
    """Value and limits in one spelling of their units: what is only spelled otherwise is no other result (LAB-15)."""
    numbers = (what.value, what.unit, what.uln, what.lln, what.limit_unit, what.unit_words, what.limit_unit_words)
    if not meant.certain:
        return numbers
    (analyte,) = meant.analytes
    unit, of_limits = [_one_size(analyte, unit) for unit in (what.unit, what.limit_unit or what.unit)]
    names = [_one_size(analyte, words) for words in (what.unit_words, what.limit_unit_words)]
    beside = [name if name != of else None for name, of in zip(names, (unit, of_limits), strict=True)]
    return (what.value, unit, what.uln, what.lln, of_limits, *beside)


def _one_size(analyte: str, unit: str | None) -> Hashable:
    """A unit by its size; as its word where that is not known."""
    if not unit:
        return None
    known = ucum(analyte, unit, {}) or in_other_words(unit)
    return FACTORS.get((analyte, known or ""), unit)


def _counted(versions: Iterable[Version]) -> bool:
    """The sender numbers all of them, each otherwise."""
    numbers = [(v.what.resource, v.what.version) for v in versions if v.what is not None]
    return (
        all(number is not None for _, number in numbers)
        and len(set(numbers)) == len(numbers)
        and len({resource for resource, _ in numbers}) == 1
    )


def _number(version: Version) -> int:
    assert version.what is not None
    assert version.what.version is not None
    return version.what.version


def _is_later(one: Version, other: Version) -> bool:
    """Version, then the time of change, the time of issue, arrival; status only between equals. Unknown is not later."""
    a, b = one.what, other.what
    assert a is not None
    assert b is not None
    compared = False
    stamps: list[tuple[object, object]] = [(a.updated_at, b.updated_at), (a.issued_at, b.issued_at)]
    if a.resource == b.resource:
        stamps.insert(0, (a.version, b.version))
    for mine, theirs in stamps:
        if mine is not None and theirs is not None:
            if mine != theirs:
                return bool(mine > theirs)  # type: ignore[operator]
            compared = True
    together = bool(one.fact.message) and one.fact.message == other.fact.message
    if not compared and not together:
        return one.arrived > other.arrived
    return _rank(a) > _rank(b)


def _rank(what: Said) -> int:
    return STATUS_RANK[what.status] if isinstance(what, LabResult) else WITHDRAWN_RANK


# ── what people said to them ───────────────────────────────────────────────────────────────────────────────────────


def as_settled(found: Iterable[Chain], words: Mapping[str, tuple[str, str]]) -> Iterator[Chain]:
    """What a person transcribed stands in the place of what could not be read; what a person dismissed says nothing.

    A preliminary that was dismissed was never there; of another the value that it replaced does not come back by itself.
    """
    told = [v for chain in found for v in chain.versions]
    for chain in found:
        versions: list[Version] = []
        dismissed = set()
        for version in chain.versions:
            message, outcome = words.get(version.fact.id, ("", None))
            if outcome is None:
                versions.append(version)
            elif outcome != "dismissed":
                versions += [v for v in told if message and v.fact.message == message]
            elif version.what is None or _rank(version.what) >= STATUS_RANK[LabStatus.FINAL]:
                versions.append(version)
                dismissed.add(version.fact.id)
        if versions:
            yield Chain(tuple(versions), chain.found or len(versions) < len(chain.versions), frozenset(dismissed))


def agree(layer: Sequence[Version]) -> bool:
    """Whether they say the same value of the same draw."""
    said = {_value_of(v.what) for v in layer}
    return len(said) == 1 and None not in said


def _value_of(what: object) -> object:
    if not isinstance(what, LabResult):
        return None
    value = (what.value, what.unit, what.comparator or None, what.uln, what.lln, what.limit_unit)
    doubts = (what.absent_reason, what.text, what.doubt, what.unit_words, what.limit_unit_words)
    return (*value, *doubts, _measured(what, meaning(what)), what.collected_at, what.status)


def meant_by(what: object) -> frozenset[str]:
    """The analytes of which a withdrawal without a result may be one."""
    codes = what.loincs or () if isinstance(what, ResultWithdrawn) else ()
    return frozenset(analyte for code in codes if (analyte := analyte_of(code, None)) is not None)
