"""Toxicity that is not of the blood (NON-06, NON-07, NON-10): what holds a dose from grade 2 on, and what is only said.

Laboratory grades are those of CTCAE 5.0, whatever version the label used (NON-07); NON-08 keeps the label's limits beside
them (AMB-13). They count as caused by InO until a physician attributes them to another cause.
"""

from collections.abc import Iterator
from datetime import datetime

from clinical.bilirubin import bilirubin_exempt
from clinical.ctcae import Grade, baseline_of, entry_limit, grade_of
from clinical.once import once
from clinical.results import Known
from clinical.treatment import Treatment
from clinical.units import label
from models.assessment import Finding, Verdict
from models.facts import Fact, Toxicity, ToxicityAttribution
from models.people import PHYSICIANS
from models.protocol import Override


def laboratory_toxicity(case: Treatment) -> Iterator[Finding]:
    """NON-06 for the tests that feed it (NON-10: CT-01 … CT-06, CT-13, CT-21), after the first dose."""
    for analyte in graded_tests(case):
        result = case.known(analyte)
        if result is None or not _under_treatment(case, result) or _exempt(case, result):
            continue
        grade = grade_of(case, result)
        counts = None if grade is None else _counts(case, result, grade)
        if grade is not None and counts is None:
            yield _ungraded(case, result, grade)
        elif grade is not None and counts and not _attributed_elsewhere(case, result, grade):
            yield _held(case, result, grade)


@once
def graded_tests(case: Treatment) -> tuple[str, ...]:
    """The tests that feed NON-06 (NON-10)."""
    rows = case.protocol.ctcae.rows.values()
    return tuple(dict.fromkeys(analyte for row in rows if row.feeds_non_06 for analyte in row.analytes))


def holds_for_grade(case: Treatment, result: Known) -> bool:
    """Whether this result holds under NON-06. One that cannot be graded shows no recovery: the one before it speaks."""
    if result.analyte not in graded_tests(case) or _surely_normal(case, result) or _exempt(case, result):
        return False
    until = [k for k in case.results.history(result.analyte) if k.collected_at <= result.collected_at]
    for one in reversed(until):
        grade = grade_of(case, one) if _under_treatment(case, one) else None
        counts = False if grade is None else _counts(case, one, grade)
        if grade is None or counts is not None:
            return bool(grade and counts and not _attributed_elsewhere(case, one, grade))
    return False


def _surely_normal(case: Treatment, result: Known) -> bool:
    """At or below its ULN and its value before treatment: every row that feeds NON-06 begins above one of them."""
    if result.uln is None or result.above(result.uln) is not False:
        return False
    before = baseline_of(case, result.analyte)
    return before is None or (before.is_exact and result.above(result.in_unit(before.canonical)) is False)


def _exempt(case: Treatment, result: Known) -> bool:
    """NON-11: a bilirubin of Gilbert syndrome or haemolysis is no toxicity."""
    return result.analyte == "bilirubin" and bilirubin_exempt(case, result)


def _under_treatment(case: Treatment, result: Known) -> bool:
    """What was drawn before the first dose is the state before treatment, not a toxicity of it (CTN-01)."""
    return case.first_dose_at is not None and result.collected_at >= case.first_dose_at


def _counts(case: Treatment, result: Known, grade: Grade) -> bool | None:
    """Of grade >= 2 and worse than before treatment; `None` where a comparator or a missing limit leaves it open."""
    needed = case.protocol.limits.toxicity_grade.count
    if grade.number < needed:
        return False
    baseline = baseline_of(case, result.analyte)
    before = None if baseline is None else grade_of(case, baseline)
    below = max(needed - 1, 0 if before is None else before.least)
    return True if grade.least > below else None if grade.number > below else False


def _held(case: Treatment, result: Known, grade: Grade) -> Finding:
    worst_allowed = case.protocol.limits.toxicity_grade.count
    limit = entry_limit(case, result, worst_allowed)
    reason = f"{label(result.analyte)} of {grade.shown()}"
    below = f", no longer {limit}" if limit else ""
    clears = (
        f"{label(result.analyte)} of grade <= 1{below}; or its grade before treatment; or another cause by a physician"
    )
    never = Override.NEVER if grade.number > worst_allowed else None  # §3.6: only grade 2
    subject, inputs = result.analyte, (result.shown(),)
    return case.finding("NON-06", Verdict.HOLD, reason, inputs=inputs, clears=clears, subject=subject, override=never)


def _ungraded(case: Treatment, result: Known, grade: Grade) -> Finding:
    name, inputs, subject = label(result.analyte), (result.shown(),), result.analyte
    if grade.missing:
        reason = f"{name}: its grade cannot be told without the upper limit of normal from its own report"
        clears = f"{name} with its upper limit of normal"
        return case.finding("CONV-03", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject=subject)
    reason = f"{name}: its comparator leaves open whether it is of grade 2 or more"
    clears = "a result as a number"
    return case.finding("LAB-05", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject=subject)


def _attributed_elsewhere(case: Treatment, result: Known, grade: Grade) -> bool:
    """NON-10: a physician's last word that covers this result names another cause.

    A word covers the episode of grade >= 2 that had been reported when it was given, up to its worst grade then: a
    worse grade, or a new episode after a recovery, asks again.
    """
    words = _attributions(case, result.analyte)
    episode = _episode(case, result) if words else []
    elsewhere = False
    for said_at, due_to_ino in words:
        seen = [g for recorded_at, g in episode if recorded_at <= said_at]
        if seen and grade.number <= max(seen):
            elsewhere = not due_to_ino
    return elsewhere


def _attributions(case: Treatment, analyte: str) -> list[tuple[datetime, bool]]:
    names = {analyte, label(analyte).lower()}
    found = case.reading.of(ToxicityAttribution)
    return [
        (fact.recorded_at, word.due_to_ino)
        for fact, word in found
        if word.term.strip().lower() in names and fact.by.role in PHYSICIANS
    ]


def _episode(case: Treatment, result: Known) -> list[tuple[datetime, int]]:
    """When each result of the same unbroken toxicity became known, with its grade."""
    known_at = {fact.id: fact.recorded_at for fact in case.reading.facts}
    run: list[tuple[datetime, int]] = []
    mine = False
    for one in case.results.history(result.analyte):
        grade = grade_of(case, one) if _under_treatment(case, one) else None
        counts = False if grade is None else _counts(case, one, grade)
        if grade is not None and counts:
            run.append((known_at[one.fact], grade.number))
            mine = mine or one.fact == result.fact
        elif counts is False:
            if mine:
                break
            run = []
    return run


def graded_toxicity(case: Treatment) -> Iterator[Finding]:
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


def holds_for_toxicity(case: Treatment, fact: Fact, toxicity: Toxicity) -> bool:
    """NON-10: of grade >= 2, and InO-related until a physician says otherwise."""
    elsewhere = toxicity.attributed_to_ino is False and fact.by.role in PHYSICIANS
    for word, attribution in case.reading.of(ToxicityAttribution):
        same = attribution.term.lower() == toxicity.term.lower() and word.recorded_at >= fact.recorded_at
        if same and word.by.role in PHYSICIANS:
            elsewhere = not attribution.due_to_ino
    return toxicity.grade >= case.protocol.limits.toxicity_grade.count and not elsewhere
