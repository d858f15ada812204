"""The response that a physician recorded, beside what is on file (RESP-01 … RESP-04): questioned, never changed.

The limits here are those of a response (100 and 1.0); those for treating again (50 and 1.0) stand elsewhere and are others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clinical.chart.calendar import local_date
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.results.known import Known, twins_at_the_end
from models.assessment import Finding, Input
from models.base import plain
from models.facts import Fact, Gcsf, Response, ResponseRecorded, Transfusion

CLAUSE = {Response.CR: "RESP-01", Response.CRI: "RESP-02", Response.NONE: "RESP-01"}


@dataclass(frozen=True)
class OnFile:
    """What speaks against a response of any kind, against full counts, and what is not known; with the values used."""

    disease: tuple[str, ...]
    low: tuple[str, ...]
    unknown: tuple[str, ...]
    inputs: tuple[Input, ...]


def response_notes(case: Case) -> Iterator[Finding]:
    """Questions to the response of the cycle that was spoken of last, from the values on file when it was assessed."""
    recorded = case.reading.of(ResponseRecorded)
    yield from _older_than_another(case)
    standing = case.response_of(recorded[-1][1].cycle) if recorded else None
    if standing is None or standing[1].response is Response.NOT_ASSESSABLE:
        return
    fact, response = standing
    known = _on_file(case, fact, response)
    question = _question(response.response, known)
    if question is not None:
        reason = f"cycle {response.cycle} was recorded as {_named(response)}, but {question}"
        yield case.finding(CLAUSE[response.response], None, reason, inputs=known.inputs)
    yield from _mrd(case, response)
    yield from _uncertain(case, fact, response)


def _older_than_another(case: Case) -> Iterator[Finding]:
    """RESP-01: what was said of a cycle after a response of a later date changes nothing, and is told."""
    said = case.reading.of(ResponseRecorded)
    for place, (fact, response) in enumerate(said):
        later = [(f, r) for f, r in said[:place] if r.cycle == response.cycle and f.at > fact.at]
        if later:
            known, stands = max(later, key=lambda pair: pair[0].at)
            reason = (
                f"cycle {response.cycle} was recorded as {_named(response)} of {_day(case, fact)}, after "
                f"{_named(stands)} of {_day(case, known)}, which is later and stands: correct_fact of {known.id}, if it is wrong"
            )
            yield case.finding("RESP-01", None, reason, subject=fact.id)


def _day(case: Case, fact: Fact) -> str:
    return f"{local_date(fact.at, case.reading.zone)}"


def _named(response: ResponseRecorded) -> str:
    return {Response.NONE: "no response", Response.NOT_ASSESSABLE: "not assessable"}.get(
        response.response, str(response.response)
    )


def _question(said: Response, known: OnFile) -> str | None:
    """What does not fit, in words; `None` where all fits or too little is known to ask."""
    if said is not Response.NONE and known.disease:
        return f"{' and '.join(known.disease)}: neither CR nor CRi"
    if said is Response.CR and known.low:
        return f"{' and '.join(known.low)}: counts of CRi"
    if known.disease or known.unknown:
        return None
    if said is Response.CRI and not known.low:
        return "both counts have recovered: counts of CR"
    if said is Response.NONE:
        return f"marrow, blood and counts fit {'CRi' if known.low else 'CR'}"
    return None


def _on_file(case: Case, fact: Fact, response: ResponseRecorded) -> OnFile:
    limits, disease, unknown = case.protocol.response, [], []
    marrow = response.marrow_blasts_percent
    if marrow is None:
        unknown.append("marrow blasts")
    elif marrow >= limits.marrow_blasts_below.number:
        disease.append(f"marrow blasts are {plain(marrow)} %")
    if response.extramedullary_disease is None:
        unknown.append("disease outside the marrow")
    elif response.extramedullary_disease:
        disease.append("there is disease outside the marrow")
    blasts = _blasts(case, fact.at)
    in_blood = None if blasts is None else blasts.above(Decimal(0))
    if in_blood is None:
        unknown.append("blasts in the blood")
    elif in_blood:
        disease.append("there are blasts in the blood")
    counts = {a: _counted(case, a, fact.at) for a in ("platelets", "anc")}
    unknown += [label(a) for a, known in counts.items() if known is None]
    low = [f"{label(k.analyte)} {_of(k)} {plain(k.value)} {k.unit}" for k in counts.values() if k and _low(case, k)]
    inputs = tuple(k.shown() for k in (*counts.values(), blasts) if k is not None)
    return OnFile(tuple(disease), tuple(low), tuple(unknown), inputs)


def _of(result: Known) -> str:
    return "are" if result.analyte == "platelets" else "is"


def _low(case: Case, result: Known) -> bool:
    limits = case.protocol.response
    limit = limits.platelets_from if result.analyte == "platelets" else limits.anc_from
    return result.below(result.in_unit(limit.number)) is True


def _blasts(case: Case, at: datetime) -> Known | None:
    """Blasts in the blood, absolute or in per cent, whichever was counted last."""
    found = [k for a in ("blasts", "blasts_percent") if (k := _counted(case, a, at)) is not None]
    return max(found, key=lambda k: k.collected_at, default=None)


def _counted(case: Case, analyte: str, at: datetime) -> Known | None:
    """The last usable count of the days before the assessment; an older one says nothing about it."""
    since = at - case.protocol.response.counts_within.span
    found = twins_at_the_end([k for k in case.results.history(analyte) if since <= k.collected_at <= at])
    gravest = max if "blasts" in analyte else min
    return gravest(found, key=lambda k: k.canonical) if found else None


def _mrd(case: Case, response: ResponseRecorded) -> Iterator[Finding]:
    """RESP-03: below 1 in 10 000 by flow cytometry or PCR; a marrow full of blasts is not negative."""
    if not response.mrd_negative:
        return
    limits, marrow = case.protocol.response, response.marrow_blasts_percent
    if marrow is not None and marrow >= limits.marrow_blasts_below.number:
        reason = f"MRD of cycle {response.cycle} was recorded as negative, but marrow blasts are {plain(marrow)} %"
        yield case.finding("RESP-03", None, reason)
    elif response.mrd_method is None:
        reason = (
            f"MRD of cycle {response.cycle} was recorded as negative without a method: it means below "
            f"{limits.mrd_below.shown()} by flow cytometry or PCR"
        )
        yield case.finding("RESP-03", None, reason)


def _uncertain(case: Case, fact: Fact, response: ResponseRecorded) -> Iterator[Finding]:
    """RESP-04: counts that a transfusion or a growth factor may have raised make CR uncertain."""
    if response.response is not Response.CR:
        return
    limits = case.protocol.response
    platelets, anc = _counted(case, "platelets", fact.at), _counted(case, "anc", fact.at)
    given = [f.at for f, t in case.reading.of(Transfusion) if t.product == "platelets"]
    grown = [f.at for f, _ in case.reading.of(Gcsf)]
    why = []
    if platelets and any(at <= platelets.collected_at < at + limits.transfusion_free.span for at in given):
        why.append(f"platelets within {limits.transfusion_free.shown()} of a transfusion")
    if anc and any(at <= anc.collected_at < at + limits.growth_factor_free.span for at in grown):
        why.append(f"ANC within {limits.growth_factor_free.shown()} of G-CSF")
    if why:
        reason = f"CR of cycle {response.cycle} is uncertain: {' and '.join(why)}"
        yield case.finding("RESP-04", None, reason, inputs=tuple(k.shown() for k in (platelets, anc) if k))
