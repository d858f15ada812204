"""Which laboratory result may be used (LAB-04 … LAB-07, CONV-01 … CONV-03, PLAU-01).

An analyte is `Known`, `Unknown` (something newer cannot be used, and an older value is never used in its place) or
missing (`None`). A comparator makes a value an interval; a limit inside it makes the answer unknown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import cast

from clinical.marks import group_of, lab_mark
from clinical.once import once
from clinical.plausibility import Drawn, contradictions, jumps, more_than_all
from clinical.reading import Reading
from clinical.told import LAB
from clinical.trouble import limits_in_unit, trouble_of, understood
from clinical.units import FACTORS, SEGMENTED_ONLY, analyte_of, label, times
from models.assessment import Input
from models.base import plain
from models.facts import (
    Fact,
    LabResult,
    LabStatus,
    ResultConfirmed,
    Transfusion,
    UnreadableMessage,
    UnreadableResolved,
)
from models.people import CLINICAL_ROLES
from models.protocol import Protocol

STATUS_RANK = {
    LabStatus.UNKNOWN: 0,
    LabStatus.REGISTERED: 0,
    LabStatus.PRELIMINARY: 1,
    LabStatus.FINAL: 2,
    LabStatus.AMENDED: 3,
    LabStatus.CORRECTED: 3,
    LabStatus.CANCELLED: 3,
    LabStatus.ENTERED_IN_ERROR: 4,
}
SHOWN_TO_A_TENTH = frozenset({"qtcf", "qtcb"})
"""Computed from a cube root: kept to many digits, shown to a tenth of a millisecond."""


@dataclass(frozen=True)
class Known:
    """A usable result. `low` and `high` bound the true value (equal without a comparator) in the reported unit."""

    analyte: str
    fact: str
    value: Decimal
    unit: str
    collected_at: datetime
    uln: Decimal | None
    lln: Decimal | None
    comparator: str | None = None
    loinc: str = ""
    recorded_at: datetime | None = None
    """When it became known; of what was read of a laboratory's result."""

    def above(self, limit: Decimal) -> bool | None:
        """Whether the value is `> limit` (in the reported unit); `None` where a comparator leaves it open."""
        if self.comparator in (None, "="):
            return self.value > limit
        if self.comparator in ("<", "<="):
            return False if self.value <= limit else None
        return True if self.value > limit or (self.value == limit and self.comparator == ">") else None

    def below(self, limit: Decimal) -> bool | None:
        """Whether the value is `< limit` (in the reported unit); `None` where a comparator leaves it open."""
        if self.comparator in (None, "="):
            return self.value < limit
        if self.comparator in (">", ">="):
            return False if self.value >= limit else None
        return True if self.value < limit or (self.value == limit and self.comparator == "<") else None

    def above_uln(self, multiple: Decimal) -> bool | None:
        """Whether the value is `> multiple x ULN` of its own laboratory."""
        return None if self.uln is None else self.above(times(multiple, self.uln))

    @cached_property
    def canonical(self) -> Decimal:
        """The value in the canonical unit of its analyte."""
        return FACTORS[self.analyte, self.unit].to_canonical(self.value)

    def in_unit(self, limit: Decimal) -> Decimal:
        """A limit given in the canonical unit, in the unit of this result."""
        return FACTORS[self.analyte, self.unit].from_canonical(limit)

    @property
    def is_exact(self) -> bool:
        """The value itself, not a bound of it."""
        return self.comparator in (None, "", "=")

    @property
    def said(self) -> str:
        """Value and unit as a clinician reads them."""
        tenth = self.analyte in SHOWN_TO_A_TENTH and self.unit == "ms"
        value = plain(round(self.value, 1)) if tenth and self.value != round(self.value) else plain(self.value)
        return f"{self.comparator or ''}{value} {self.unit}"

    def shown(self) -> Input:
        """The value as a clinician reads it, with ULN and time."""
        uln = f" (ULN {plain(self.uln)})" if self.uln is not None else ""
        value = f"{self.said}{uln}"
        return Input(name=label(self.analyte), value=value, taken_at=self.collected_at, fact=self.fact)


@dataclass(frozen=True)
class Unknown:
    """An analyte that cannot be used: by which rule, why in words, and the fact that made it so."""

    analyte: str
    rule: str
    why: str
    fact: str
    since: datetime
    urgent: bool = False
    confirmable: bool = False

    @property
    def clears(self) -> str:
        """What makes this analyte known again."""
        confirmed = f"a clinician confirms it (result_confirmed of {self.fact}), or " if self.confirmable else ""
        return f"{confirmed}a usable {label(self.analyte)} of a later draw, or a correction"


Usable = Known | Unknown | None


def recorded_at(known: Known) -> datetime:
    """When a result of a laboratory became known."""
    assert known.recorded_at is not None
    return known.recorded_at


Read = Sequence[tuple[Fact, Known | Unknown]]


def _drawn_at(known: Known) -> datetime:
    return known.collected_at


class Series:
    """The results of one analyte: as they arrived, the usable ones by time, and the one that counts. It never changes."""

    __slots__ = ("history", "latest", "read")

    def __init__(self, read: Read) -> None:
        self.read = tuple(read)
        self.history = tuple(sorted((k for _, k in read if isinstance(k, Known)), key=_drawn_at))
        self.latest: Usable = _find_latest(read)


class Results:
    """The laboratory results of a chart, each correction chain reduced to the one that stands; read when asked for."""

    def __init__(self, reading: Reading, protocol: Protocol) -> None:
        self.reading = reading
        self._protocol = protocol

    @property
    @once
    def unreadable_messages(self) -> tuple[tuple[Fact, UnreadableMessage], ...]:
        """Messages that nobody could read, and that nobody has resolved (LAB-05)."""
        return tuple(_open_messages(self.reading))

    def latest(self, analyte: str) -> Usable:
        """The usable result of an analyte, or why there is none (LAB-04, LAB-05)."""
        return self._series(analyte).latest

    def history(self, analyte: str) -> tuple[Known, ...]:
        """All usable results of an analyte, oldest first."""
        return self._series(analyte).history

    def before(self, analyte: str, instant: datetime | None) -> Known | None:
        """The last usable result collected before an instant (a baseline)."""
        history = reversed(self.history(analyte))
        return next((k for k in history if instant is None or k.collected_at < instant), None)

    def unusable_facts(self) -> frozenset[str]:
        """The results that stand and cannot be used: what a person may transcribe or dismiss (LAB-05)."""
        found = [found for analyte in self._analytes() for found in self.all_read(analyte)]
        return frozenset(u.fact for u in found if isinstance(u, Unknown))

    @once
    def urgent(self) -> tuple[Unknown, ...]:
        """LAB-06: analytes whose newest result is implausibly high."""
        newest = (self.latest(analyte) for analyte in self._analytes())
        return tuple(u for u in newest if isinstance(u, Unknown) and u.urgent)

    def _analytes(self) -> list[str]:
        """The analytes of which any result was sent."""
        self.reading.rests_on(LAB)
        return sorted({analyte for group in self.reading.told.labs for analyte in self._stands(group)})

    def confirmed(self, *facts: str) -> bool:
        """Whether a clinician looked at one of these and confirmed it (PLAU-01, QT-06)."""
        return not self._confirmed().isdisjoint(facts)

    @once
    def _confirmed(self) -> frozenset[str]:
        found = self.reading.of(ResultConfirmed)
        return frozenset(what.target for fact, what in found if fact.by.role in CLINICAL_ROLES)

    def all_read(self, analyte: str) -> list[Known | Unknown]:
        """Every result of an analyte that stands, usable or not, as it arrived."""
        return [found for _, found in self._series(analyte).read]

    def _stands(self, group: str) -> Mapping[str, tuple[tuple[Fact, LabResult], ...]]:
        """The results of one group that stand, by analyte."""
        told = self.reading.told
        if group not in told.results:
            told.results[group] = _by_analyte(_standing(told.labs.get(group, ())))
        return cast("Mapping[str, tuple[tuple[Fact, LabResult], ...]]", told.results[group])

    def _series(self, analyte: str) -> Series:
        group = group_of(analyte)
        if group in self.reading.told.labs:
            return self._read(analyte)
        self.reading.basis.marks |= lab_mark(group)
        return NO_RESULTS

    @once
    def _read(self, analyte: str) -> Series:
        """Every result of an analyte with what can be made of it, as they arrived."""
        group = group_of(analyte)
        self.reading.basis.marks |= lab_mark(group)
        resolved = {what.target for _, what in self.reading.of(UnreadableResolved)}
        sent = [(fact, result) for fact, result in self._stands(group).get(analyte, ()) if fact.id not in resolved]
        return Series(self._beside_others(analyte, [(f, self._read_one(analyte, f, result)) for f, result in sent]))

    def _read_one(self, analyte: str, fact: Fact, sent: LabResult) -> Known | Unknown:
        """The result as it can be used. Only time, a person's word and the other results are asked for each time."""
        ahead = sent.collected_at is not None and self._from_the_future(sent.collected_at)
        if ahead or sent is not fact.what:
            found = _looked_at_alone(analyte, fact, sent, self._protocol, in_the_future=ahead)
        else:
            found = self.reading.memory.alone(fact, _as_sent)
        if isinstance(found, Unknown) and found.confirmable and self.confirmed(fact.id):
            return _usable(analyte, fact, understood(analyte, sent, self._protocol))
        return found

    def _from_the_future(self, collected_at: datetime) -> bool:
        return not self.reading.reached(collected_at - self._protocol.ages.future_tolerance.span)

    def _beside_others(self, analyte: str, read: Read) -> Read:
        """PLAU-01: a result that the others of its draw or of its day contradict waits for a person."""
        if analyte in ("bilirubin", "platelets"):
            given: list[datetime] = []
            if analyte == "platelets":
                given = [f.at for f, what in self.reading.of(Transfusion) if what.product == "platelets"]
            read = _doubted(analyte, read, jumps(analyte, _drawn(read), self._protocol, self._confirmed(), given))
        read = self._without_contradictions(analyte, read)
        if analyte == "anc":
            wbc = _drawn([(fact, k) for fact, k in self._series("wbc").read if isinstance(k, Known) and k.is_exact])
            doubts = {part.fact: more_than_all(part, wbc) for part in _drawn(read)}
            read = _doubted(analyte, read, {f: why for f, why in doubts.items() if why and not self.confirmed(f)})
        return read

    def _without_contradictions(self, analyte: str, read: Read) -> Read:
        """One message gives one draw two values under two codes: which is right a person says, and the other is gone."""
        told = [(fact.message, k) for fact, k in read if fact.message and isinstance(k, Known) and k.is_exact]
        if len({(message, k.collected_at) for message, k in told}) == len(told):
            return read  # as nearly always: no message gives a draw two values
        drawn = [(message, Drawn(k.fact, k.collected_at, k.canonical)) for message, k in told]
        for group in contradictions(drawn, self._protocol.confirm.same_message_apart.number):
            doubted = {one.fact for one in group if not self.confirmed(one.fact)}
            if len(doubted) < len(group):
                read = [pair for pair in read if pair[1].fact not in doubted]
            else:
                read = _doubted(
                    analyte, read, dict.fromkeys(doubted, "the same message gives this draw another value too")
                )
        return read


def _as_sent(fact: Fact, protocol: Protocol) -> Known | Unknown:
    """A result of an analyte looked at alone, drawn before now, without a person's word."""
    assert isinstance(fact.what, LabResult)
    analyte = analyte_of(fact.what.loinc, fact.what.method)
    assert analyte is not None
    return _looked_at_alone(analyte, fact, fact.what, protocol, in_the_future=False)


def _looked_at_alone(
    analyte: str, fact: Fact, sent: LabResult, protocol: Protocol, *, in_the_future: bool
) -> Known | Unknown:
    result = understood(analyte, sent, protocol)
    trouble = trouble_of(analyte, result, protocol, in_the_future=in_the_future)
    if trouble is None:
        return _usable(analyte, fact, result)
    since, why = result.collected_at or fact.recorded_at, f"{label(analyte)}: {trouble.why}"
    return Unknown(analyte, trouble.rule, why, fact.id, since, trouble.urgent, trouble.confirmable)


def _usable(analyte: str, fact: Fact, result: LabResult) -> Known:
    assert result.value is not None
    assert result.unit is not None
    assert result.collected_at is not None
    limits = (_positive(result.uln), _positive(result.lln)) if limits_in_unit(result) else (None, None)
    comparator = result.comparator or None
    if result.loinc in SEGMENTED_ONLY:
        comparator = ">" if comparator == ">" else ">="
    value, unit, drawn_at = result.value, result.unit, result.collected_at
    return Known(analyte, fact.id, value, unit, drawn_at, *limits, comparator, result.loinc, fact.recorded_at)


def _find_latest(read: Read) -> Usable:
    known = [(fact, k) for fact, k in read if isinstance(k, Known)]
    best = max(reversed(known), key=_how_new, default=None)  # of two that came at one instant the later one
    if len(known) < len(read):
        newer = [u for fact, u in read if isinstance(u, Unknown) and _is_newer(fact, u, best)]
        if newer:
            return max(newer, key=lambda u: (u.urgent, u.since))
    return best[1] if best else None


def _drawn(read: Read) -> list[Drawn]:
    return [Drawn(k.fact, k.collected_at, k.canonical) for _, k in read if isinstance(k, Known)]


def _doubted(analyte: str, read: Read, why: dict[str, str]) -> Read:
    """The same with these results unknown, by fact, until a person confirms them."""
    if not why:
        return read
    return [(fact, _in_doubt(analyte, k, why[k.fact]) if k.fact in why else k) for fact, k in read]


def _in_doubt(analyte: str, found: Known | Unknown, why: str) -> Known | Unknown:
    if isinstance(found, Unknown):
        return found
    words = f"{label(analyte)} {found.said}: {why}; it waits for a person's confirmation"
    return Unknown(analyte, "PLAU-01", words, found.fact, found.collected_at, confirmable=True)


def _positive(limit: Decimal | None) -> Decimal | None:
    """A limit of normal that can be one."""
    return limit if limit is not None and limit > 0 else None


def _how_new(pair: tuple[Fact, Known]) -> tuple[datetime, bool, datetime]:
    """The later draw; of one draw the value itself before a lower bound of it, then the later arrival."""
    fact, known = pair
    return known.collected_at, known.loinc not in SEGMENTED_ONLY, fact.recorded_at


def _is_newer(fact: Fact, unknown: Unknown, best: tuple[Fact, Known] | None) -> bool:
    """LAB-05: newer by collected time; without a readable one on either side, by arrival."""
    if best is None:
        return True
    best_fact, known = best
    assert isinstance(fact.what, LabResult)
    if fact.what.collected_at is None:
        return fact.recorded_at >= best_fact.recorded_at
    if fact.what.collected_at == known.collected_at:
        return fact.recorded_at >= best_fact.recorded_at
    return fact.what.collected_at > known.collected_at


def _standing(told: Iterable[tuple[Fact, LabResult]]) -> list[tuple[Fact, LabResult]]:
    """Of each correction chain the result that stands: status rank, the sender's issued time, arrival."""
    chains: dict[object, tuple[tuple[object, ...], Fact, LabResult]] = {}
    for arrival, (fact, result) in enumerate(told):
        order = (STATUS_RANK[result.status], result.issued_at or fact.recorded_at, arrival)
        key = _chain_key(fact, result)
        known = chains.get(key)
        if known is not None and known[2] == result:
            continue  # sent again: a copy changes nothing, and no signature lapses for it
        if known is None or order > known[0]:
            contradicts = known is not None and _contradict(known[1], known[2], fact, result)
            chains[key] = (order, fact, _without_value(result) if contradicts else result)
    return [(fact, result) for _, fact, result in chains.values()]


def _by_analyte(standing: Iterable[tuple[Fact, LabResult]]) -> Mapping[str, tuple[tuple[Fact, LabResult], ...]]:
    """Listed results by what they measure; one entered in error is gone, and so is what it had replaced."""
    found: dict[str, list[tuple[Fact, LabResult]]] = {}
    for fact, result in standing:
        analyte = analyte_of(result.loinc, result.method)
        if analyte is not None and result.status is not LabStatus.ENTERED_IN_ERROR:
            found.setdefault(analyte, []).append((fact, result))
    return MappingProxyType({analyte: tuple(pairs) for analyte, pairs in found.items()})


def _contradict(fact: Fact, result: LabResult, other_fact: Fact, other: LabResult) -> bool:
    """One message gives one analyte of one draw two values: which is right is not ours to guess."""
    same_message = bool(fact.message) and fact.message == other_fact.message and result.status == other.status
    return same_message and (result.value, result.unit, result.comparator) != (
        other.value,
        other.unit,
        other.comparator,
    )


def _without_value(result: LabResult) -> LabResult:
    return result.model_copy(update={"value": None, "absent_reason": "two different values in one message"})


def _chain_key(fact: Fact, result: LabResult) -> object:
    """Sender, accession (or report), code and collected time; a result without any of these is its own chain."""
    order = result.accession or result.report_id
    if result.collected_at is None:
        return (result.sender, order, result.loinc, None) if order else fact.id
    return (result.sender, order, result.loinc, result.collected_at)


def _open_messages(reading: Reading) -> list[tuple[Fact, UnreadableMessage]]:
    """A word on a fact of before it was set aside, or on a message of before it came again, settles neither."""
    settled: dict[str, datetime] = {}
    for fact, what in reading.of(UnreadableResolved):
        settled[what.target] = max(fact.recorded_at, settled.get(what.target, fact.recorded_at))
    return [
        (f, m)
        for f, m in reading.of(UnreadableMessage)
        if not any(name in settled and settled[name] >= f.recorded_at for name in (m.sha256, f.id))
    ]


NO_RESULTS = Series(())
"""Of an analyte that nobody ever sent."""
