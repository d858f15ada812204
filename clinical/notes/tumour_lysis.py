"""Tumour lysis (TLS-01, TLS-02): said on the card around the start of therapy, never a hold of its own.

Ionised calcium is never used: its printed limit is a misprint. Of what makes it clinical, a rise of creatinine is measured,
and seizure, arrhythmia, oliguria and symptoms of low calcium count where they were charted as a toxicity.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from clinical.coding.units import label
from clinical.course.case import Case
from clinical.notes.calcium import correct
from clinical.results.cuts import surely_past
from clinical.results.known import Known
from clinical.vod.vod_signs import Signs
from models.assessment import Finding, Input
from models.facts import Toxicity
from models.protocol import Cut


def tumour_lysis(case: Case) -> Iterator[Finding]:
    """TLS-01: two of potassium, phosphate, calcium and urate past their limits within 24 h, around the start of therapy."""
    found = _together(case)
    if found is None:
        return
    names = ", ".join(label(k.analyte) for k in found)
    reason = f"laboratory tumour lysis: {names} past their limits within {case.protocol.tumour_lysis.within.shown()}"
    yield case.finding("TLS-01", None, reason, inputs=tuple(k.shown() for k in found))
    clinical = [*_creatinine_risen(case), *_seen(case)]
    if clinical:
        reason = f"clinical tumour lysis: laboratory tumour lysis with {', '.join(i.name for i in clinical)}"
        yield case.finding("TLS-02", None, reason, inputs=tuple(clinical))


def _together(case: Case) -> list[Known] | None:
    """The latest tests past their limits drawn within 24 h of each other; `None` where they are too few or long ago."""
    limits = case.protocol.tumour_lysis
    tests = sorted(_panel(case), key=lambda k: k.collected_at)
    beyond = [k for k in tests if _in_time(case, k.collected_at) and surely_past(_cuts(case, k.analyte), k)]
    for last in reversed(beyond):
        near = [k for k in beyond if last.collected_at - limits.within.span <= k.collected_at <= last.collected_at]
        group = {k.analyte: k for k in near}
        if len(group) >= limits.tests_needed.count:
            over = case.reading.passed(last.collected_at + case.protocol.ctcae.noted_for.span)
            return None if over else list(group.values())
    return None


def _in_time(case: Case, at: datetime) -> bool:
    """From 3 days before to 7 days after the first dose; while there is none, the last 3 days."""
    limits, start = case.protocol.tumour_lysis, case.first_dose_at
    if start is None:
        return not case.reading.passed(at + limits.before.span)
    return start - limits.before.span <= at <= start + limits.after.span


def _cuts(case: Case, analyte: str) -> tuple[Cut, ...]:
    """The limits of an adult or a child; those of urate are known for adults only."""
    limits, child = case.protocol.tumour_lysis, Signs(case).child
    of_all = {"potassium": limits.potassium, "calcium_corrected": limits.calcium}
    by_age = {
        "phosphate": limits.phosphate_child if child else limits.phosphate,
        "urate": () if child else limits.urate,
    }
    return {**of_all, **by_age}[analyte]


def _panel(case: Case) -> list[Known]:
    """Every usable test of the panel; total calcium with the albumin drawn closest to it, within 24 h."""
    found = [k for a in ("potassium", "phosphate", "urate", "calcium_corrected") for k in case.results.against(a)]
    albumins = case.results.against("albumin")
    for calcium in case.results.against("calcium"):
        near = [(abs(a.collected_at - calcium.collected_at), a) for a in albumins]
        apart, albumin = min(near, key=lambda pair: pair[0], default=(timedelta.max, None))
        corrected = correct(calcium, albumin) if apart <= case.protocol.tumour_lysis.within.span else None
        found += [] if corrected is None else [corrected]
    return found


def _creatinine_risen(case: Case) -> Iterator[Input]:
    """A rise of at least 0.3 mg/dL (26.5 umol/L) above the last value before the first dose; without one, the lowest."""
    limits, start = case.protocol.tumour_lysis, case.first_dose_at
    history = [k for k in case.results.against("creatinine") if _in_time(case, k.collected_at)]
    last = () if start is None else case.results.before("creatinine", start)
    risen = []
    for n, one in enumerate(history):
        baselines = last if start is not None else (min(history[:n], key=_value, default=None),)
        earlier = [k for k in baselines if k is not None and k.collected_at < one.collected_at]
        risen += [one] if any(surely_past(limits.creatinine_rise, one, k) for k in earlier) else []
    yield from (k.shown() for k in risen[-1:])


def _value(result: Known) -> Decimal:
    return result.canonical


def _seen(case: Case) -> Iterator[Input]:
    """Charted by a clinician in the same days."""
    for fact, what in case.reading.of(Toxicity):
        named = any(word in what.term.lower() for word in case.protocol.tumour_lysis.clinical_signs.words)
        if named and what.grade and _in_time(case, fact.at):
            yield Input(name=what.term, value=f"grade {what.grade}", taken_at=fact.at, fact=fact.id)
