"""Which laboratory result may be used (LAB-04 … LAB-07, CONV-01 … CONV-03, PLAU-01).

An analyte is `Known`, `Unknown` (something newer cannot be used, and an older value is never used in its place) or
missing (`None`). A comparator makes a value an interval; a limit inside it makes the answer unknown.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clinical.reading import Reading
from clinical.units import FACTORS, LOINC, label, to_canonical
from models.assessment import Input
from models.base import plain
from models.facts import Fact, LabResult, LabStatus, UnreadableMessage, UnreadableResolved
from models.protocol import Protocol

USABLE_STATUS = frozenset({LabStatus.FINAL, LabStatus.CORRECTED, LabStatus.AMENDED})
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
NEEDS_ULN = frozenset({"alt", "ast", "bilirubin", "alp"})
NEEDS_LLN = frozenset({"magnesium", "calcium", "calcium_corrected"})
HIGH_IS_URGENT = frozenset({"alt", "ast", "bilirubin", "potassium", "qtcf"})
"""LAB-06: implausibly *high* values of these call a person at once."""


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
        return None if self.uln is None else self.above(multiple * self.uln)

    @property
    def canonical(self) -> Decimal:
        """The value in the canonical unit of its analyte."""
        return self.value * FACTORS[self.analyte, self.unit]

    def in_unit(self, limit: Decimal) -> Decimal:
        """A limit given in the canonical unit, in the unit of this result."""
        return limit / FACTORS[self.analyte, self.unit]

    def shown(self) -> Input:
        """The value as a clinician reads it, with ULN and time."""
        uln = f" (ULN {plain(self.uln)})" if self.uln is not None else ""
        value = f"{self.comparator or ''}{plain(self.value)} {self.unit}{uln}"
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


Usable = Known | Unknown | None


class Results:
    """The laboratory results of a chart, each correction chain reduced to the one that stands."""

    def __init__(self, reading: Reading, protocol: Protocol) -> None:
        self._reading = reading
        self._protocol = protocol
        self._by_analyte: dict[str, list[tuple[Fact, LabResult]]] = defaultdict(list)
        resolved = {what.target for _, what in reading.of(UnreadableResolved)}
        for fact, result in _standing(reading):
            analyte = LOINC.get(result.loinc)
            gone = result.status is LabStatus.ENTERED_IN_ERROR or fact.id in resolved  # and what it had replaced
            if analyte is not None and not gone:
                self._by_analyte[analyte].append((fact, result))
        self._read: dict[str, list[tuple[Fact, Known | Unknown]]] = {
            analyte: [(fact, self._read_one(analyte, fact, result)) for fact, result in results]
            for analyte, results in self._by_analyte.items()
        }
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
        best = max(known, key=lambda pair: (pair[1].collected_at, pair[0].recorded_at), default=None)
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
        earlier = [k for k in self.history(analyte) if instant is None or k.collected_at < instant]
        return earlier[-1] if earlier else None

    def unusable_facts(self) -> frozenset[str]:
        """The results that stand and cannot be used: what a person may transcribe or dismiss (LAB-05)."""
        return frozenset(u.fact for read in self._read.values() for _, u in read if isinstance(u, Unknown))

    def urgent(self) -> list[Unknown]:
        """LAB-06: analytes whose newest result is implausibly high."""
        newest = (self.latest(analyte) for analyte in sorted(self._read))
        return [u for u in newest if isinstance(u, Unknown) and u.urgent]

    def _read_one(self, analyte: str, fact: Fact, result: LabResult) -> Known | Unknown:
        trouble = self._trouble(analyte, result)
        if trouble is None:
            assert result.value is not None
            assert result.unit is not None
            assert result.collected_at is not None
            comparator = result.comparator or None
            limits = (result.uln, result.lln) if _limits_in_unit(result) else (None, None)
            return Known(analyte, fact.id, result.value, result.unit, result.collected_at, *limits, comparator)
        rule, why, urgent = trouble
        since = result.collected_at or fact.recorded_at
        return Unknown(analyte, rule, f"{label(analyte)}: {why}", fact.id, since, urgent)

    def _trouble(self, analyte: str, result: LabResult) -> tuple[str, str, bool] | None:
        """Why a result cannot be used: rule, words, and whether a person must be called at once."""
        envelope = self._envelope_trouble(result)
        if envelope is not None:
            return envelope
        assert result.value is not None
        assert result.unit is not None
        canonical = to_canonical(analyte, result.value, result.unit)
        if canonical is None:
            return "CONV-01", f"unit {result.unit!r} is not understood", False
        implausible = self._implausible(analyte, canonical)
        if implausible is not None:
            return implausible
        if analyte in NEEDS_ULN and (result.uln is None or result.uln <= 0 or not _limits_in_unit(result)):
            return "CONV-03", "no upper limit of normal in the same unit from the same report", False
        if analyte in NEEDS_LLN and (result.lln is None or result.lln <= 0 or not _limits_in_unit(result)):
            return "LAB-05", "no lower limit of normal in the same unit from the same report", False
        return None

    def _envelope_trouble(self, result: LabResult) -> tuple[str, str, bool] | None:
        if result.status not in USABLE_STATUS:
            return "LAB-05", f"status is {result.status}", False
        if result.absent_reason is not None:
            return "LAB-05", f"the laboratory gives no value ({result.absent_reason})", False
        if result.value is None:
            return "LAB-05", "the value cannot be read as a number", False
        if result.comparator not in (None, "", "=", "<", "<=", ">", ">="):
            return "LAB-05", "its comparator is not understood", False
        if result.collected_at is None:
            return "LAB-04", "no collection time with a zone", False
        if self._from_the_future(result.collected_at):
            return "LAB-04", "collected in the future", False
        if not result.unit:
            return "CONV-01", "no unit", False
        return None

    def _from_the_future(self, collected_at: datetime) -> bool:
        return not self._reading.reached(collected_at - self._protocol.ages.future_tolerance.span)

    def _implausible(self, analyte: str, canonical: Decimal) -> tuple[str, str, bool] | None:
        limits = self._protocol.plausible.get(analyte)
        if limits is None:
            return None
        if canonical > limits.high.number:
            urgent = analyte in HIGH_IS_URGENT
            return ("LAB-06" if urgent else "LAB-05"), "implausibly high", urgent
        return ("LAB-05", "implausibly low", False) if canonical < limits.low.number else None


def _limits_in_unit(result: LabResult) -> bool:
    return result.limit_unit in (None, "", result.unit)


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
