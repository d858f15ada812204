"""Which laboratory result may be used (LAB-04 … LAB-07, CONV-01 … CONV-03, PLAU-01).

An analyte is `Known`, `Unknown` (something newer cannot be used, and an older value is never used in its place) or
missing (`None`). A comparator makes a value an interval; a limit inside it makes the answer unknown.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import cast

from clinical.plausibility import Drawn, contradictions, jumps, more_than_all
from clinical.reading import Reading
from clinical.trouble import in_ucum, limits_in_unit, trouble_of, with_comparator_read
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


class Results:
    """The laboratory results of a chart, each correction chain reduced to the one that stands."""

    def __init__(self, reading: Reading, protocol: Protocol) -> None:
        self._reading = reading
        self._protocol = protocol
        self._read_before = _read_under(protocol, reading.chart.read_before)
        self._by_analyte: dict[str, list[tuple[Fact, LabResult]]] = defaultdict(list)
        self._confirmed = frozenset(
            what.target for fact, what in reading.of(ResultConfirmed) if fact.by.role in CLINICAL_ROLES
        )
        resolved = {what.target for _, what in reading.of(UnreadableResolved)}
        for fact, result in _standing(reading):
            analyte = analyte_of(result.loinc, result.method)
            gone = result.status is LabStatus.ENTERED_IN_ERROR or fact.id in resolved  # and what it had replaced
            if analyte is not None and not gone:
                self._by_analyte[analyte].append((fact, result))
        self._read: dict[str, list[tuple[Fact, Known | Unknown]]] = {
            analyte: [(fact, self._read_one(analyte, fact, result)) for fact, result in results]
            for analyte, results in self._by_analyte.items()
        }
        self._look_at_neighbours()
        self._latest: dict[str, Usable] = {}
        self._histories: dict[str, list[Known]] = {}
        self.unreadable_messages = tuple(_open_messages(reading))

    def latest(self, analyte: str) -> Usable:
        """The usable result of an analyte, or why there is none (LAB-04, LAB-05)."""
        if analyte not in self._latest:
            self._latest[analyte] = self._find_latest(analyte)
        return self._latest[analyte]

    def _find_latest(self, analyte: str) -> Usable:
        read = self._read.get(analyte, [])
        known = [(fact, k) for fact, k in read if isinstance(k, Known)]
        best = max(reversed(known), key=_how_new, default=None)  # of two that came at one instant the later one
        newer = [u for fact, u in read if isinstance(u, Unknown) and _is_newer(fact, u, best)]
        if newer:
            return max(newer, key=lambda u: (u.urgent, u.since))
        return best[1] if best else None

    def history(self, analyte: str) -> list[Known]:
        """All usable results of an analyte, oldest first."""
        if analyte not in self._histories:
            self._histories[analyte] = self._find_history(analyte)
        return self._histories[analyte]

    def _find_history(self, analyte: str) -> list[Known]:
        known = [k for _, k in self._read.get(analyte, []) if isinstance(k, Known)]
        return sorted(known, key=lambda k: k.collected_at)

    def before(self, analyte: str, instant: datetime | None) -> Known | None:
        """The last usable result collected before an instant (a baseline)."""
        history = reversed(self.history(analyte))
        return next((k for k in history if instant is None or k.collected_at < instant), None)

    def unusable_facts(self) -> frozenset[str]:
        """The results that stand and cannot be used: what a person may transcribe or dismiss (LAB-05)."""
        return frozenset(u.fact for read in self._read.values() for _, u in read if isinstance(u, Unknown))

    def urgent(self) -> list[Unknown]:
        """LAB-06: analytes whose newest result is implausibly high."""
        newest = (self.latest(analyte) for analyte in sorted(self._read))
        return [u for u in newest if isinstance(u, Unknown) and u.urgent]

    def confirmed(self, *facts: str) -> bool:
        """Whether a clinician looked at one of these and confirmed it (PLAU-01, QT-06)."""
        return not self._confirmed.isdisjoint(facts)

    def all_read(self, analyte: str) -> list[Known | Unknown]:
        """Every result of an analyte that stands, usable or not, as it arrived."""
        return [found for _, found in self._read.get(analyte, [])]

    def _read_one(self, analyte: str, fact: Fact, sent: LabResult) -> Known | Unknown:
        """The result as it can be used. Unless time or a person's word decides, it is read once for all assessments."""
        ahead = sent.collected_at is not None and self._from_the_future(sent.collected_at)
        known, found = self._read_before.get(fact.id, (None, None))
        if known is not sent or found is None or ahead or (isinstance(found, Unknown) and found.confirmable):
            found = self._read_anew(analyte, fact, sent, ahead=ahead)
            if not ahead and sent is fact.what:
                # Two what-ifs of one chart may give one id to two facts: what was read belongs to the fact, not to its id.
                self._read_before[fact.id] = sent, found
        return found

    def _read_anew(self, analyte: str, fact: Fact, sent: LabResult, *, ahead: bool) -> Known | Unknown:
        result = in_ucum(analyte, with_comparator_read(sent), self._protocol)
        trouble = trouble_of(analyte, result, self._protocol, in_the_future=ahead)
        if trouble is not None and not (trouble.confirmable and self.confirmed(fact.id)):
            since, why = result.collected_at or fact.recorded_at, f"{label(analyte)}: {trouble.why}"
            return Unknown(analyte, trouble.rule, why, fact.id, since, trouble.urgent, trouble.confirmable)
        assert result.value is not None
        assert result.unit is not None
        assert result.collected_at is not None
        limits = (_positive(result.uln), _positive(result.lln)) if limits_in_unit(result) else (None, None)
        comparator = result.comparator or None
        if result.loinc in SEGMENTED_ONLY:
            comparator = ">" if comparator == ">" else ">="
        known = (analyte, fact.id, result.value, result.unit, result.collected_at, *limits, comparator, result.loinc)
        return Known(*known)

    def _from_the_future(self, collected_at: datetime) -> bool:
        return not self._reading.reached(collected_at - self._protocol.ages.future_tolerance.span)

    def _look_at_neighbours(self) -> None:
        """PLAU-01: a result that the others of its draw or of its day contradict waits for a person."""
        transfused = [f.at for f, what in self._reading.of(Transfusion) if what.product == "platelets"]
        for analyte in ("bilirubin", "platelets"):
            given = transfused if analyte == "platelets" else ()
            found = jumps(analyte, self._drawn(analyte), self._protocol, self._confirmed, given)
            self._doubt(analyte, found)
        for analyte in self._read:
            self._doubt_contradictions(analyte)
        wbc = self._drawn("wbc", exact=True)
        doubts = {part.fact: more_than_all(part, wbc) for part in self._drawn("anc")}
        self._doubt("anc", {fact: why for fact, why in doubts.items() if why and not self.confirmed(fact)})

    def _doubt_contradictions(self, analyte: str) -> None:
        """One message gives one draw two values under two codes: which is right a person says, and the other is gone."""
        read = self._read[analyte]
        told = [(fact.message, k) for fact, k in read if isinstance(k, Known) and k.is_exact]
        if len(told) < len({message for message, _ in told}) + 1:
            return
        drawn = [(message, Drawn(k.fact, k.collected_at, k.canonical)) for message, k in told]
        for group in contradictions(drawn, self._protocol.confirm.same_message_apart.number):
            doubted = {one.fact for one in group if not self.confirmed(one.fact)}
            if len(doubted) < len(group):
                self._read[analyte] = [pair for pair in self._read[analyte] if pair[1].fact not in doubted]
            else:
                self._doubt(analyte, dict.fromkeys(doubted, "the same message gives this draw another value too"))

    def _drawn(self, analyte: str, *, exact: bool = False) -> list[Drawn]:
        known = [k for k in self.all_read(analyte) if isinstance(k, Known)]
        return [Drawn(k.fact, k.collected_at, k.canonical) for k in known if k.is_exact or not exact]

    def _doubt(self, analyte: str, why: dict[str, str]) -> None:
        if not why:
            return
        for place, (fact, found) in enumerate(self._read[analyte]):
            if found.fact in why and isinstance(found, Known):
                words = f"{label(analyte)} {found.said}: {why[found.fact]}; it waits for a person's confirmation"
                doubted = Unknown(analyte, "PLAU-01", words, found.fact, found.collected_at, confirmable=True)
                self._read[analyte][place] = (fact, doubted)


ReadBefore = dict[str, tuple[object, Known | Unknown]]
"""By the id of a fact what it says, and what was made of it."""


def _read_under(protocol: Protocol, before: list[tuple[object, dict[str, object]]]) -> ReadBefore:
    """What was read of a chart under this very protocol."""
    for of, found in before:
        if of is protocol:
            return cast("ReadBefore", found)
    before.append((protocol, {}))
    return cast("ReadBefore", before[-1][1])


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


def _standing(reading: Reading) -> list[tuple[Fact, LabResult]]:
    """Of each correction chain the result that stands: status rank, the sender's issued time, arrival."""
    chains: dict[object, tuple[tuple[object, ...], Fact, LabResult]] = {}
    for arrival, (fact, result) in enumerate(reading.of(LabResult)):
        order = (STATUS_RANK[result.status], result.issued_at or fact.recorded_at, arrival)
        key = _chain_key(fact, result)
        known = chains.get(key)
        if known is not None and known[2] == result:
            continue  # sent again: a copy changes nothing, and no signature lapses for it
        if known is None or order > known[0]:
            contradicts = known is not None and _contradict(known[1], known[2], fact, result)
            chains[key] = (order, fact, _without_value(result) if contradicts else result)
    return [(fact, result) for _, fact, result in chains.values()]


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
    resolved = {what.target for _, what in reading.of(UnreadableResolved)}
    return [(f, m) for f, m in reading.of(UnreadableMessage) if m.sha256 not in resolved and f.id not in resolved]
