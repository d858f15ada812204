"""A second reading of a chart, written apart from the rules: what was said and stands, as a careful person would list it.

Nothing here calls a rule. What the rules read wrongly must not be read wrongly here for the same reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from checker import reference
from models.chart import Chart
from models.facts import (
    AdministrationReported,
    Correction,
    Countersigned,
    CycleStarted,
    DoseDecided,
    DoseSlot,
    Fact,
    InfusionCompleted,
    InfusionStarted,
    LabResult,
    LabStatus,
    ObservationEnded,
    OverrideGiven,
    Reaction,
    Response,
    ResponseRecorded,
    UnreadableResolved,
)
from models.people import PHYSICIANS, Role

Kind = TypeVar("Kind")
CODES = {
    "1742-6": "alt",
    "1920-8": "ast",
    "6768-6": "alp",
    "1975-2": "bilirubin",
    "14631-6": "bilirubin",
    "6690-2": "wbc",
    "751-8": "anc",
    "777-3": "platelets",
    "718-7": "haemoglobin",
    "30376-8": "blasts",
    "2823-3": "potassium",
    "19123-9": "magnesium",
    "17861-6": "calcium",
    "1751-7": "albumin",
    "2160-0": "creatinine",
    "2324-2": "ggt",
    "3040-3": "lipase",
    "1798-8": "amylase",
    "3084-1": "urate",
    "2777-1": "phosphate",
}
UNITS = {
    **{key: {"U/L"} for key in ("alt", "ast", "alp", "ggt", "lipase", "amylase")},
    "bilirubin": {"mg/dL", "umol/L"},
    **{key: {"10*9/L"} for key in ("wbc", "anc", "platelets", "blasts")},
    "haemoglobin": {"g/dL"},
    "potassium": {"mmol/L"},
    "magnesium": {"mg/dL"},
    "calcium": {"mg/dL"},
    "albumin": {"g/dL"},
    "creatinine": {"mg/dL"},
    "urate": {"mg/dL"},
    "phosphate": {"mg/dL"},
}
WITH_LIMIT = frozenset({"alt", "ast", "alp", "bilirubin"})
FINAL = frozenset({LabStatus.FINAL, LabStatus.AMENDED, LabStatus.CORRECTED})
WITHDRAWN = frozenset({LabStatus.CANCELLED, LabStatus.ENTERED_IN_ERROR})
RANK = {LabStatus.PRELIMINARY: 1, LabStatus.FINAL: 2, LabStatus.AMENDED: 3, LabStatus.CORRECTED: 3}
SECOND = PHYSICIANS | {Role.PHARMACIST}


@dataclass(frozen=True)
class Value:
    """One result that counts as the latest; `readable` is false where nobody may decide by it."""

    fact: Fact
    readable: bool
    number: Decimal
    uln: Decimal
    unit: str
    at: datetime
    final: bool

    @property
    def said(self) -> tuple[object, ...]:
        """All that a decision can depend on."""
        return self.readable, self.number, self.uln, self.unit, self.at

    @property
    def of_uln(self) -> Decimal:
        """How many times the upper limit of its own laboratory."""
        return self.number / self.uln


@dataclass(frozen=True)
class Given:
    """A dose that happened."""

    slot: DoseSlot
    at: datetime
    on: date
    mg: Decimal
    ended_at: datetime | None
    observed: bool


class Seen:
    """The chart at one instant, corrections applied."""

    def __init__(self, chart: Chart, now: datetime, protocol: str) -> None:
        self.chart, self.now, self.protocol = chart, now, protocol
        self.zone = ZoneInfo(chart.course.zone)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact that stands, in the order of recording, corrected ones in their place."""
        standing: dict[str, Fact] = {}
        stands_for: dict[str, str] = {}
        for fact in self.chart.facts:
            if not isinstance(fact.what, Correction):
                standing[fact.id] = fact
                continue
            first = stands_for.get(fact.what.target, fact.what.target)
            known = standing.pop(first, None) if fact.what.replacement is None else standing.get(first)
            if known is not None and fact.what.replacement is not None:
                standing[first] = known.model_copy(update={"what": fact.what.replacement})
                stands_for[fact.id] = first
        return tuple(standing.values())

    @cached_property
    def by_kind(self) -> dict[str, list[Fact]]:
        """The standing facts by kind."""
        found: dict[str, list[Fact]] = {}
        for fact in self.facts:
            found.setdefault(fact.what.kind, []).append(fact)
        return found

    def of(self, kind: type[Kind]) -> Iterator[tuple[Fact, Kind]]:
        """All standing facts of one kind with what they say."""
        tag = kind.model_fields["kind"].default  # type: ignore[attr-defined]
        return ((fact, fact.what) for fact in self.by_kind.get(tag, ()))  # type: ignore[misc]

    def last(self, kind: type[Kind]) -> tuple[Fact, Kind] | None:
        """The one that was true last."""
        found = list(self.of(kind))
        return max(enumerate(found), key=lambda pair: (pair[1][0].at, pair[0]))[1] if found else None

    def day(self, instant: datetime) -> date:
        """The calendar date at the site."""
        return instant.astimezone(self.zone).date()

    def before(self, fact: Fact) -> "Seen":
        """The chart as it was just after this fact came, at that time."""
        index = next(i for i, f in enumerate(self.chart.facts) if f.id == fact.id)
        chart = Chart(course=self.chart.course, facts=self.chart.facts[: index + 1])
        return Seen(chart, fact.recorded_at, self.protocol)

    # ── laboratory ─────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _results(self) -> dict[str, list[Value]]:
        """Every result by analyte, oldest first, of each correction chain the one that stands."""
        gone = {what.target for _, what in self.of(UnreadableResolved)}
        chains: dict[object, tuple[Any, Fact, LabResult]] = {}
        for arrival, (fact, lab) in enumerate(self.of(LabResult)):
            order = (RANK.get(lab.status, 0), lab.issued_at or fact.recorded_at, arrival)
            key = lab.resource or (lab.sender, lab.accession, lab.loinc, lab.collected_at)
            if key not in chains or order > chains[key][0]:
                chains[key] = (order, fact, lab)
        found: dict[str, list[tuple[Any, Value]]] = {}
        for order, fact, lab in chains.values():
            analyte = CODES.get(lab.loinc)
            if analyte is not None and fact.id not in gone:
                value = _value(analyte, fact, lab)
                found.setdefault(analyte, []).append(((value.at, order[2]), value))
        return {a: [v for _, v in sorted(values, key=lambda pair: pair[0])] for a, values in found.items()}

    def latest(self, analyte: str) -> Value | None:
        """The newest result, readable or not: an older one is never used in its place (LAB-05)."""
        found = self._results.get(analyte)
        return found[-1] if found else None

    def history(self, analyte: str) -> list[Value]:
        """All readable results, oldest first."""
        return [v for v in self._results.get(analyte, []) if v.readable]

    def drawn_since(self, analyte: str, instant: datetime) -> bool:
        """Something was drawn for it then or later, readable or not."""
        return any(v.at >= instant for v in self._results.get(analyte, []))

    def ever(self, analyte: str) -> list[Value]:
        """Every version of every result that was told of it, replaced, withdrawn and corrected ones too."""
        told = ((f, f.what.replacement if isinstance(f.what, Correction) else f.what) for f in self.chart.facts)
        sent = ((fact, what) for fact, what in told if isinstance(what, LabResult))
        return [_value(analyte, fact, lab) for fact, lab in sent if CODES.get(lab.loinc) == analyte]

    @cached_property
    def newest(self) -> dict[str, Value]:
        """What was said last of the newest draw of each analyte, usable or not; what was sent and taken back is gone."""
        settled = {what.target for _, what in self.of(UnreadableResolved)}
        draws: dict[tuple[object, ...], list[tuple[datetime, int, Fact, LabResult]]] = {}
        for arrival, (fact, lab) in enumerate(self.of(LabResult)):
            if _named(lab) is not None and fact.id not in settled:
                minute = (lab.collected_at or fact.recorded_at).replace(second=0, microsecond=0)
                known_by = lab.resource or lab.accession
                named = (_named(lab), known_by, minute) if known_by else (_named(lab), arrival)
                draws.setdefault(named, []).append((minute, arrival, fact, lab))
        found: dict[str, tuple[datetime, int, Value]] = {}
        for versions in draws.values():
            minute, arrival, fact, lab = max(versions, key=lambda one: (one[3].version or 0, one[1]))
            analyte = _named(lab)
            if analyte is None or (lab.status in WITHDRAWN and len(versions) > 1):
                continue
            if analyte not in found or (minute, arrival) > found[analyte][:2]:
                found[analyte] = (minute, arrival, _value(analyte, fact, lab))
        return {analyte: value for analyte, (_, _, value) in found.items()}

    # ── doses ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def given(self) -> list[Given]:
        """All doses, by start."""
        here = [(f, w) for f, w in self.of(InfusionStarted)]
        starts = sorted(f.at for f, _ in here)
        found = []
        for fact, what in here:
            until = next((at for at in starts if at > fact.at), datetime.max.replace(tzinfo=fact.at.tzinfo))
            ends = [f.at for f, _ in self.of(InfusionCompleted) if fact.at <= f.at < until]
            seen = [f for f, _ in self.of(ObservationEnded) if ends and min(ends) <= f.at < until]
            slot = DoseSlot(cycle=what.cycle, day=what.day)
            found.append(Given(slot, fact.at, self.day(fact.at), what.mg, min(ends, default=None), bool(seen)))
        for fact, told in self.of(AdministrationReported):
            ended = told.ended_at or fact.at + reference.INFUSION
            over = self.now >= ended + reference.OBSERVATION or any(f.at >= ended for f, _ in self.of(ObservationEnded))
            slot = DoseSlot(cycle=told.cycle, day=told.day)
            found.append(Given(slot, fact.at, self.day(fact.at), told.mg, ended, over))
        return sorted(found, key=lambda g: g.at)

    @property
    def cycle(self) -> int:
        """The cycle the course is in."""
        return max([1, *(w.cycle for _, w in self.of(CycleStarted)), *(g.slot.cycle for g in self.given)])

    def left_out(self) -> set[tuple[int, int]]:
        """Doses that a person left out and that were not given all the same."""
        said: dict[tuple[int, int], str] = {}
        for _, what in self.of(DoseDecided):
            said[what.cycle, what.day] = what.decision
        given = {(g.slot.cycle, g.slot.day) for g in self.given}
        return {slot for slot, decision in said.items() if decision == "omit"} - given

    def decided_to_give(self, slot: DoseSlot) -> bool:
        """The prescriber's last word on this dose is to give it."""
        said = [w.decision for _, w in self.of(DoseDecided) if (w.cycle, w.day) == (slot.cycle, slot.day)]
        return bool(said) and said[-1] == "give"

    def response(self, cycle: int) -> Response | None:
        """What a physician recorded last of a cycle."""
        said = [w.response for _, w in self.of(ResponseRecorded) if w.cycle == cycle]
        return said[-1] if said and said[-1] is not Response.NOT_ASSESSABLE else None

    # ── people ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def set_aside(
        self, rule: str, slot: DoseSlot, *, by_two: bool, since: datetime, subject: str | None = None
    ) -> bool:
        """A prescriber set this rule aside for this dose, not before what it is about was known (§3.6)."""
        for fact, what in self.of(OverrideGiven):
            named = (what.rule, what.cycle, what.day) == (
                rule,
                slot.cycle,
                slot.day,
            ) and fact.by.role is Role.PRESCRIBER
            if named and fact.recorded_at >= since and subject in (None, what.subject):
                signed = [f.by for f, w in self.of(Countersigned) if w.target == fact.id and f.by.role in SECOND]
                if not by_two or any(by.id != fact.by.id for by in signed):
                    return True
        return False

    @cached_property
    def stops(self) -> list[str]:
        """Permanent stops: none is ever undone, but by a correction that a prescriber and a second physician sign."""
        found = []
        standing = {f.id for f in self.facts}
        for fact in self.chart.facts:
            why = _stops(fact)
            if why is None:
                continue
            now = next((f for f in self.facts if f.id == fact.id), None)
            corrected = fact.id not in standing or (now is not None and _stops(now) is None)
            if not corrected or not self._error_confirmed(fact):
                found.append(why)
        return found

    def _error_confirmed(self, fact: Fact) -> bool:
        """COR-02: a prescriber and another physician have said that this fact was wrong."""
        about = {
            fact.id,
            *(f.id for f in self.chart.facts if isinstance(f.what, Correction) and f.what.target == fact.id),
        }
        people = [
            f.by
            for f in self.chart.facts
            if (isinstance(f.what, Correction) and f.what.target in about)
            or (isinstance(f.what, Countersigned) and f.what.target in about)
        ]
        return any(
            one.role is Role.PRESCRIBER and other.role in PHYSICIANS and one.id != other.id
            for one in people
            for other in people
        )


def _stops(fact: Fact) -> str | None:
    what = fact.what
    if isinstance(what, Reaction) and (what.grade or 0) >= reference.SEVERE_GRADE:
        return f"a reaction of grade {what.grade} was reported (NON-05)"
    if what.kind == "vod_judged" and what.judgement == "confirmed":
        return "a physician confirmed VOD (NON-01)"
    return "the prescriber discontinued" if what.kind == "discontinued" else None


def _named(lab: LabResult) -> str | None:
    """The analyte of the code, or the one that the result is called by."""
    return CODES.get(lab.loinc) or next((name for name in CODES.values() if name == lab.display), None)


def _value(analyte: str, fact: Fact, lab: LabResult) -> Value:
    unit, number, uln = lab.unit or "", lab.value or Decimal(0), lab.uln or Decimal(0)
    low, high = reference.IMPLAUSIBLE.get(analyte, (0, 10**9))
    readable = (
        lab.status in FINAL
        and lab.loinc in CODES
        and not lab.codes
        and lab.value is not None
        and lab.absent_reason is None
        and lab.collected_at is not None
        and unit in UNITS[analyte]
        and lab.comparator in (None, "", "=")
        and (analyte not in WITH_LIMIT or (uln > 0 and lab.limit_unit in (None, "", unit)))
        and (unit == "umol/L" or low <= number <= high)
    )
    return Value(fact, readable, number, uln, unit, lab.collected_at or fact.recorded_at, lab.status in FINAL)
