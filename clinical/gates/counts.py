"""Blood counts at day 1 of a later cycle (HEM-01 … HEM-09, MOD-G-01 … MOD-G-03). At day 8 and 15 counts never hold.

Each lineage is read against its own value before treatment: a normal one by HEM-01 and HEM-03, a low one by HEM-05
(HEM-07: the strictest of both). A lineage whose value before treatment nobody knows is read as a normal one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from clinical.chart.calendar import local_date, midnight_of
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.monitoring.next_due import Test, last_and_next, next_due_words, said
from clinical.results.known import Known, and_beside, by_minute
from clinical.treatment.windows import Window, slot_of
from models.assessment import Finding, Verdict
from models.base import Frozen, plain
from models.facts import CytopeniaAttribution, DoseSlot, Fact, Gcsf, ResultConfirmed, Transfusion
from models.people import PHYSICIANS, Role

HOLDS = {"anc": "HEM-01", "platelets": "HEM-03"}
PERSISTS = {"anc": "HEM-02", "platelets": "HEM-04"}
INFLUENCED = {"anc": "HEM-09", "platelets": "MOD-G-03"}
STABLE = frozenset({"stable", "improved"})


@dataclass(frozen=True)
class Lineage:
    """One count now, before treatment, and at day 1 of the cycle just ended (HEM-09); the limit in 10*9/L."""

    case: Case
    analyte: str
    limit: Decimal
    now: Known
    before: tuple[Known | None, ...]
    baseline: Known | None

    @property
    def low_baseline(self) -> bool:
        """Low before treatment; platelets measured after a transfusion count as low (HEM-09)."""
        if self.baseline is None:
            return False
        transfused = self.analyte == "platelets" and influenced(self.case, self.analyte, self.baseline.collected_at)
        return transfused or self.baseline.below(self.baseline.in_unit(self.limit)) is not False

    @property
    def below(self) -> bool:
        """Below its limit, or not surely at or above it."""
        return self.now.below(self.now.in_unit(self.limit)) is not False

    @property
    def lower_than_before(self) -> bool:
        """Lower than at day 1 of the cycle just ended, or not surely as high (HEM-05)."""
        return any(self._is_lower_than(before) for before in self.before)

    def _is_lower_than(self, before: Known | None) -> bool:
        if before is None or before.comparator not in (None, "=", "<", "<="):
            return True
        return self.now.below(self.now.in_unit(before.canonical)) is not False

    @property
    def influenced(self) -> bool:
        """Too soon after a platelet transfusion or a growth factor to be the patient's own count (HEM-09), or after one of
        which nobody knows any more whether it was given (E1)."""
        return any(_not_its_own(self.case, self.analyte, k.collected_at) for k in self.case.holding(self.analyte))


def count_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """HEM gates, read only for D1 of C>=2 and only from its earliest date on (MOD-G-02), never in the nadir before."""
    if slot.cycle == 1 or slot.day != 1:
        return
    window = case.window_of(slot)
    if window is None or not case.reading.reached(window.opens_at):
        return
    lineages = _lineages(case, slot)
    low = [lineage for lineage in lineages if lineage.low_baseline]
    for lineage in lineages:
        if lineage not in low:
            yield from _normal_before(lineage, window)
    yield from _low_before(case, slot, low, lineages)
    yield from _baseline_to_confirm(low)


def cytopenia_note(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """MOD-G-01: low counts inside a cycle are said, and never hold."""
    if slot.day == 1:
        return
    low = [k for a, limit in _limits(case).items() for k in case.holding(a) if k.canonical < limit]
    if low:
        reason = "low counts do not stop this dose; look for infection and bleeding"
        yield case.finding("MOD-G-01", None, reason, inputs=tuple(k.shown() for k in low))


def _limits(case: Case) -> dict[str, Decimal]:
    limits = case.protocol.limits
    return {"anc": limits.anc_min.number, "platelets": limits.platelets_min.number}


def _lineages(case: Case, slot: DoseSlot) -> list[Lineage]:
    """The lineages with a usable count, the lowest that holds; what is missing or unknown is answered as missing data.

    One whose value before treatment can be used no more is read by that value and without it: the strictest holds (M.0).
    """
    first_days = [d.started_at for d in case.doses if d.slot == slot_of(slot.cycle - 1, 1)]
    before_cycle = first_days[0] if first_days else case.first_dose_at
    found = []
    for analyte, limit in _limits(case).items():
        now = min(case.holding(analyte), key=lambda k: k.canonical, default=None)
        if now is not None:
            before = case.results.before(analyte, before_cycle)
            baselines = case.results.before(analyte, case.first_dose_at)
            found += [Lineage(case, analyte, limit, now, before, baseline) for baseline in baselines]
    return found


# ── normal before treatment (HEM-01 … HEM-04) ──────────────────────────────────────────────────────────────────────


def _normal_before(lineage: Lineage, window: Window) -> Iterator[Finding]:
    """Held while below the limit; from 28 days on the prescriber is asked to stop for good."""
    if not lineage.below:
        yield from _unusable(lineage)
        return
    name, limit = label(lineage.analyte), plain(lineage.limit)
    beside = and_beside(lineage.now, lineage.case.holding(lineage.analyte))
    value, bound = plain(lineage.now.canonical), "" if lineage.now.is_exact else lineage.now.comparator
    reason = f"{name} {bound}{value} x 10^9/L{beside} at day 1, at least {limit}"
    clears = f"{name} at or above {limit} x 10^9/L{last_and_next(lineage.case, lineage.now, Test.COUNTS)}"
    inputs, rule = lineage.case.shown(lineage.now), HOLDS[lineage.analyte]
    yield lineage.case.finding(rule, Verdict.HOLD, reason, inputs=inputs, clears=clears, subject=lineage.analyte)
    yield from _persisting(lineage, window)


def _persisting(lineage: Lineage, window: Window) -> Iterator[Finding]:
    """HEM-02, HEM-04: low for more than 28 days since the first day 1 that it held, and not attributed elsewhere."""
    case, limits = lineage.case, lineage.case.protocol.limits
    since = _low_since(lineage, window.opens_at)
    last_day = local_date(since, case.reading.zone) + limits.haem_persist.span
    if limits.haem_persist_proposes.value is not True or _attributed_elsewhere(lineage, since):
        return
    if case.reading.reached(midnight_of(last_day + timedelta(days=1), case.reading.zone)):
        name = label(lineage.analyte)
        reason = f"{name} below {plain(lineage.limit)} x 10^9/L for more than {limits.haem_persist.count} days"
        clears = "the prescriber discontinues, or a physician attributes the low count to another cause"
        inputs, rule = lineage.case.shown(lineage.now), PERSISTS[lineage.analyte]
        proposed = Verdict.PROPOSE_DISCONTINUE
        yield case.finding(rule, proposed, reason, inputs=inputs, clears=clears, subject=lineage.analyte)


def _low_since(lineage: Lineage, opens_at: datetime) -> datetime:
    """The earliest day 1, or the first low sample after the last usable count that had reached the limit."""
    low_since: datetime | None = None
    results = lineage.case.results
    gone = {k.fact for k in results.gone(lineage.analyte)}
    for twins in by_minute(results.against(lineage.analyte)):
        low = [k.collected_at for k in twins if k.below(k.in_unit(lineage.limit)) is not False]
        if low:
            low_since = low_since or low[0]
        elif not any(k.fact in gone or _not_its_own(lineage.case, lineage.analyte, k.collected_at) for k in twins):
            low_since = None
    return max(low_since or opens_at, opens_at)


def _attributed_elsewhere(lineage: Lineage, since: datetime) -> bool:
    """A physician's latest word on this lineage since it is low names another cause than this drug."""
    words = [a for at, a in _attributions(lineage.case, since) if a.lineage in (lineage.analyte, "both")]
    return bool(words) and words[-1].due_to != "inotuzumab"


def _attributions(case: Case, since: datetime) -> list[tuple[datetime, CytopeniaAttribution]]:
    found = case.reading.of(CytopeniaAttribution)
    return [(f.at, a) for f, a in found if f.by.role in PHYSICIANS and f.at >= since]


# ── low before treatment (HEM-05, HEM-08) ──────────────────────────────────────────────────────────────────────────


def _low_before(case: Case, slot: DoseSlot, low: list[Lineage], lineages: list[Lineage]) -> Iterator[Finding]:
    """HEM-05: a count that was low before treatment holds only where it fell, and none of three ways out is there.

    (a) it is back to its value at day 1 of the cycle just ended, (b) ANC and platelets are at or above their limits,
    (c) the disease is stable or better on the latest marrow and a physician puts the fall down to the leukaemia.
    """
    fell = [lineage for lineage in low if lineage.lower_than_before]
    both_reached = {lineage.analyte for lineage in lineages} == set(HOLDS) and not any(
        lineage.below for lineage in lineages
    )
    if fell and not both_reached and not due_to_leukaemia(case, slot, fell):
        for lineage in fell:
            yield _fallen(lineage)
        fallen = [lineage.analyte for lineage in fell]
        low = [lineage for lineage in low if lineage.analyte not in fallen]
    for lineage in low:
        yield from _unusable(lineage)


def _fallen(lineage: Lineage) -> Finding:
    name = label(lineage.analyte)
    before = max((k for k in lineage.before if k is not None), key=lambda k: k.canonical, default=None)
    was = f"{plain(before.canonical)} x 10^9/L at day 1 of the cycle before" if before else "not known before"
    reason = f"{name}, low before treatment: {plain(lineage.now.canonical)} x 10^9/L, and {was}"
    back = f"{name} at or above {plain(before.canonical)} x 10^9/L" if before else f"{name} compared by a physician"
    limits = _limits(lineage.case)
    clears = (
        f"{back}; or ANC at or above {plain(limits['anc'])} and platelets at or above {plain(limits['platelets'])}; or a "
        "marrow since the last dose with stable or improved disease and a physician's word that the leukaemia is the cause"
        f"{last_and_next(lineage.case, lineage.now, Test.COUNTS)}"
    )
    inputs = (*lineage.case.shown(lineage.now), *((before.shown(),) if before else ()))
    return lineage.case.finding("HEM-05", Verdict.HOLD, reason, inputs=inputs, clears=clears, subject=lineage.analyte)


def due_to_leukaemia(case: Case, slot: DoseSlot, fell: list[Lineage]) -> bool:
    """HEM-08: a marrow of this interval between cycles, and a physician's word for every lineage that fell."""
    last, response = case.last_dose, case.response_of(slot.cycle - 1)
    if last is None or response is None or response[1].marrow_blasts_percent is None:
        return False
    if response[0].at < last.started_at:
        return False
    words = [a for _, a in _attributions(case, last.started_at)]
    latest = [[a for a in words if a.lineage in (lineage.analyte, "both")] for lineage in fell]
    return all(said and said[-1].due_to == "leukaemia" and said[-1].disease in STABLE for said in latest)


# ── counts that are not the patient's own (HEM-09, MOD-G-03) ───────────────────────────────────────────────────────


def _unusable(lineage: Lineage) -> Iterator[Finding]:
    """A count that would pass, but was taken under a transfusion or growth factor, is missing."""
    if lineage.influenced:
        name = label(lineage.analyte)
        cause = "a platelet transfusion" if lineage.analyte == "platelets" else "a growth factor"
        reason = f"{name} measured too soon after {cause} to count for this dose"
        case, rule, inputs = lineage.case, INFLUENCED[lineage.analyte], (lineage.now.shown(),)
        given, taken_back = _influences(case, lineage.analyte), _taken_back(case, lineage.analyte)
        if not any(since <= k.collected_at < until for k in case.holding(lineage.analyte) for since, until in given):
            reason = f"{name} measured too soon after {cause} that was taken back: nobody knows whether it is its own"
        free_at = max(until for _, until in (*given, *taken_back))
        clears = f"{name} drawn from {said(case, free_at)} on{next_due_words(case, Test.COUNTS)}"
        earliest_at = None if case.reading.reached(free_at) else free_at
        yield case.finding(
            rule,
            Verdict.NEED_DATA,
            reason,
            inputs=inputs,
            clears=clears,
            subject=lineage.analyte,
            earliest_at=earliest_at,
        )


def _baseline_to_confirm(low: list[Lineage]) -> Iterator[Finding]:
    """HEM-09: platelets measured after a transfusion before treatment count as low once the prescriber confirms it."""
    for lineage in low:
        case, baseline = lineage.case, lineage.baseline
        if lineage.analyte != "platelets" or baseline is None:
            continue
        confirmed = {c.target for f, c in case.reading.of(ResultConfirmed) if f.by.role is Role.PRESCRIBER}
        if influenced(case, lineage.analyte, baseline.collected_at) and baseline.fact not in confirmed:
            reason = "the platelets before treatment were measured after a transfusion and count as low"
            clears = f"result_confirmed of {baseline.fact} by the prescriber"
            inputs = (baseline.shown(),)
            yield case.finding(
                "HEM-09", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject="baseline platelets"
            )


def influenced(case: Case, analyte: str, at: datetime) -> bool:
    """HEM-09: within the washout of a platelet transfusion (platelets) or of a growth factor (ANC)."""
    return any(since <= at < until for since, until in _influences(case, analyte))


def _not_its_own(case: Case, analyte: str, at: datetime) -> bool:
    """Influenced, or drawn in the washout of what was taken back (E1)."""
    return influenced(case, analyte, at) or any(since <= at < until for since, until in _taken_back(case, analyte))


def _influences(case: Case, analyte: str) -> list[tuple[datetime, datetime]]:
    """Each transfusion or growth factor with the end of its washout."""
    return _washouts(case, analyte, [*case.reading.of(Transfusion), *case.reading.of(Gcsf)])


def _taken_back(case: Case, analyte: str) -> list[tuple[datetime, datetime]]:
    """E1: the same of those that were retracted. A retraction does not say that the count is the patient's own."""
    retracted = [said for said, stands, _ in case.reading.corrections() if stands is None]
    return _washouts(case, analyte, [(said, said.what) for said in retracted])


def _washouts(case: Case, analyte: str, given: Iterable[tuple[Fact, Frozen]]) -> list[tuple[datetime, datetime]]:
    limits = case.protocol.limits
    washouts = {"filgrastim": limits.filgrastim_washout.span, "pegfilgrastim": limits.pegfilgrastim_washout.span}
    if analyte == "platelets":
        transfused = [f.at for f, t in given if isinstance(t, Transfusion) and t.product == "platelets"]
        return [(at, at + limits.transfusion_washout.span) for at in transfused]
    return [(f.at, f.at + washouts[g.drug]) for f, g in given if isinstance(g, Gcsf)]
