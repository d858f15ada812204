"""Toxicity that is not of the blood (NON-06, NON-10): what holds a dose from grade 2 on, and what a physician attributes."""

from collections.abc import Iterator

from clinical.case import Case
from clinical.results import Known
from clinical.units import label
from models.assessment import Finding, Verdict
from models.facts import Fact, Toxicity, ToxicityAttribution
from models.people import PHYSICIANS
from models.protocol import Entry, Override


def laboratory_toxicity(case: Case) -> Iterator[Finding]:
    """Laboratory toxicity of grade >= 2 that feeds NON-06 (CT-05, CT-13, CT-21), after the first dose."""
    if case.first_dose_at is None:
        return
    for analyte, limit in graded_tests(case).items():
        result = case.known(analyte)
        if result is not None and grade_2(case, result, limit):
            reason = f"{label(analyte)} above {limit.shown()} ({limit.clause}, grade 2 or more)"
            clears = f"{label(analyte)} grade <= 1"  # whether it is grade 2 or 3 is not told: nobody overrides it
            yield case.finding(
                "NON-06",
                Verdict.HOLD,
                reason,
                inputs=(result.shown(),),
                clears=clears,
                subject=analyte,
                override=Override.NEVER,
            )


def graded_tests(case: Case) -> dict[str, Entry]:
    """The other tests that feed NON-06 (NON-10) with the limit above which they are of grade 2 or more."""
    liver, limits = case.protocol.liver, case.protocol.limits
    return {
        "alp": liver.alp_grade2_above,
        "ggt": liver.alp_grade2_above,
        "creatinine": limits.creatinine_grade2_above,
        "lipase": limits.lipase_grade2_above,
        "amylase": limits.lipase_grade2_above,
    }


def grade_2(case: Case, result: Known, limit: Entry) -> bool:
    """Above the multiple of its ULN; creatinine also above the multiple of its value before treatment (CT-21)."""
    if result.uln is not None and result.above_uln(limit.number) is not False:
        return True
    baseline = case.results.before(result.analyte, case.first_dose_at) if result.analyte == "creatinine" else None
    return baseline is not None and result.above(result.in_unit(limit.number * baseline.canonical)) is not False


def holds_for_grade(case: Case, result: Known) -> bool:
    """Whether this result alone holds under NON-06: it feeds the rule and is of grade 2 or more."""
    limit = graded_tests(case).get(result.analyte)
    return limit is not None and grade_2(case, result, limit)


def graded_toxicity(case: Case) -> Iterator[Finding]:
    """NON-06: a toxicity graded >= 2 by a clinician and not attributed to another cause."""
    found = sorted(case.reading.of(Toxicity), key=lambda pair: pair[0].at)
    latest = {what.term.lower(): (fact, what) for fact, what in found}
    for fact, toxicity in latest.values():
        if holds_for_toxicity(case, fact, toxicity):
            severe = toxicity.grade > case.protocol.limits.toxicity_grade.count  # §3.6: only grade 2 is overridden
            reason, subject = f"{toxicity.term} of grade {toxicity.grade}", toxicity.term.lower()
            clears = "grade <= 1, or another cause by a physician"
            never = Override.NEVER if severe else None
            yield case.finding("NON-06", Verdict.HOLD, reason, clears=clears, subject=subject, override=never)


def holds_for_toxicity(case: Case, fact: Fact, toxicity: Toxicity) -> bool:
    """NON-10: of grade >= 2, and InO-related until a physician says otherwise."""
    elsewhere = toxicity.attributed_to_ino is False and fact.by.role in PHYSICIANS
    for word, attribution in case.reading.of(ToxicityAttribution):
        same = attribution.term.lower() == toxicity.term.lower() and word.recorded_at >= fact.recorded_at
        if same and word.by.role in PHYSICIANS:
            elsewhere = not attribution.due_to_ino
    return toxicity.grade >= case.protocol.limits.toxicity_grade.count and not elsewhere
