"""Blood counts at day 1 of a later cycle (HEM-01 … HEM-09). At day 8 and 15 counts never hold (MOD-G-01)."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from clinical.case import NOT_AUTOMATED, Case
from clinical.units import label
from models.assessment import Finding, Verdict
from models.base import plain
from models.facts import DoseSlot, Gcsf, Transfusion

RULE = {"anc": "HEM-01", "platelets": "HEM-03"}


def count_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """HEM gates, read only for D1 of C>=2 and only from its earliest date on (MOD-G-02), never in the nadir before."""
    if slot.cycle == 1 or slot.day != 1:
        return
    window = case.window_of(slot)
    if window is None or not case.reading.reached(window.opens_at):
        return
    for analyte, limit in _limits(case).items():
        yield from _lineage(case, analyte, limit)


def cytopenia_note(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """MOD-G-01: low counts inside a cycle are said, and never hold."""
    if slot.day == 1:
        return
    low = [k for a, limit in _limits(case).items() if (k := case.known(a)) is not None and k.canonical < limit]
    if low:
        reason = "low counts do not stop this dose; look for infection and bleeding"
        yield case.finding("MOD-G-01", None, reason, inputs=tuple(k.shown() for k in low))


def _limits(case: Case) -> dict[str, Decimal]:
    limits = case.protocol.limits
    return {"anc": limits.anc_min.number, "platelets": limits.platelets_min.number}


def _lineage(case: Case, analyte: str, limit: Decimal) -> Iterator[Finding]:
    now, rule, name = case.known(analyte), RULE[analyte], label(analyte)
    if now is None:
        return  # missing or unknown is answered as missing data
    if now.below(now.in_unit(limit)) is not False:
        reason = f"{name} {plain(now.canonical)} x 10^9/L at day 1, at least {plain(limit)}"
        clears = f"{name} at or above {plain(limit)} x 10^9/L"
        yield case.finding(rule, Verdict.HOLD, reason, inputs=(now.shown(),), clears=clears, subject=analyte)
    if _influenced(case, analyte, now.collected_at):
        reason = f"{name} was measured under a transfusion or growth factor: {NOT_AUTOMATED}"
        yield case.finding(
            "HEM-09", Verdict.HOLD, reason, inputs=(now.shown(),), clears=f"{name} free of this effect", subject=analyte
        )
    yield from _low_baseline(case, analyte, limit)


def _low_baseline(case: Case, analyte: str, limit: Decimal) -> Iterator[Finding]:
    baseline = case.results.before(analyte, case.first_dose_at)
    name = label(analyte)
    if baseline is None:
        reason = f"{name} before the first dose is not known: {NOT_AUTOMATED}"
        yield case.finding("HEM-05", Verdict.HOLD, reason, clears="a physician decides", subject=analyte)
    elif baseline.below(baseline.in_unit(limit)) is not False or _influenced(case, analyte, baseline.collected_at):
        reason = f"{name} was low before treatment: {NOT_AUTOMATED}"
        yield case.finding(
            "HEM-05", Verdict.HOLD, reason, inputs=(baseline.shown(),), clears="a physician decides", subject=analyte
        )


def _influenced(case: Case, analyte: str, at: datetime) -> bool:
    """HEM-09: too soon after a platelet transfusion or a growth factor to be the patient's own count."""
    limits = case.protocol.limits
    if analyte == "platelets":
        given = [f.at for f, t in case.reading.of(Transfusion) if t.product == "platelets"]
        return any(timed <= at < timed + limits.transfusion_washout.span for timed in given)
    washouts = {"filgrastim": limits.filgrastim_washout.span, "pegfilgrastim": limits.pegfilgrastim_washout.span}
    return any(f.at <= at < f.at + washouts[g.drug] for f, g in case.reading.of(Gcsf))
