"""Toxicity that is not of the blood (NON-06, NON-07, NON-10): what holds a dose from grade 2 on, and what is only said.

Laboratory grades are those of CTCAE 5.0, whatever version the label used (NON-07); NON-08 keeps the label's limits beside
them (AMB-13). They count as caused by InO until a physician attributes them to another cause.
"""

from collections.abc import Iterator

from clinical.coding.units import label
from clinical.results.known import Known, and_beside
from clinical.toxicity.ctcae import Grade, entry_limit, grade_of
from clinical.toxicity.symptoms import grade_without_symptoms, spoken_for
from clinical.toxicity.toxic_values import attributed_elsewhere, counts_as_toxic, exempt, graded_tests, under_treatment
from clinical.treatment.treatment import Treatment
from models.assessment import Finding, Input, Verdict
from models.facts import Fact, Toxicity, ToxicityAttribution
from models.people import PHYSICIANS
from models.protocol import Override


def laboratory_toxicity(case: Treatment) -> Iterator[Finding]:
    """NON-06 for the tests that feed it (NON-10: CT-01 … CT-06, CT-13, CT-21), after the first dose."""
    for analyte in graded_tests(case):
        held: list[tuple[Known, Grade]] = []
        ungraded: list[tuple[Known, Grade]] = []
        unknown = case.opening(analyte).unknown
        for result in case.holding(analyte):
            if not under_treatment(case, result) or exempt(case, result):
                continue
            grade = grade_of(case, result)
            counts = None if grade is None else counts_as_toxic(case, result, grade)
            if grade is not None and counts is None:
                if unknown is None or unknown.fact != result.fact:  # else it is asked for as unknown already
                    ungraded.append((result, grade))
            elif grade is not None and counts and not attributed_elsewhere(case, result, grade.number):
                held.append((result, grade))
        if held:
            graded = [(result, *grade_without_symptoms(case, result, grade)) for result, grade in held]
            yield _held(case, *max(graded, key=lambda one: (one[1].number, one[1].least)))
        elif ungraded:
            yield _ungraded(case, *ungraded[0])


def _held(case: Treatment, result: Known, grade: Grade, words: str) -> Finding:
    worst_allowed = case.protocol.limits.toxicity_grade.count
    limit = entry_limit(case, result, worst_allowed)
    values = case.holding(result.analyte)
    reason = f"{label(result.analyte)} {result.said}{and_beside(result, values)} of {grade.shown()}{words}"
    below = f", no longer {limit}" if limit else ""
    clears = (
        f"{label(result.analyte)} of grade <= 1{below}; or its grade before treatment; or another cause by a physician"
    )
    never = Override.NEVER if grade.number > worst_allowed else None  # §3.6: only grade 2
    subject, inputs = result.analyte, case.shown(*values)
    return case.finding("NON-06", Verdict.HOLD, reason, inputs=inputs, clears=clears, subject=subject, override=never)


def _ungraded(case: Treatment, result: Known, grade: Grade) -> Finding:
    name, inputs, subject = label(result.analyte), case.shown(result), result.analyte
    if grade.missing:
        reason = f"{name}: its grade cannot be told without the upper limit of normal from its own report"
        clears = f"{name} with its upper limit of normal"
        return case.finding("CONV-03", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject=subject)
    reason = f"{name}: its comparator leaves open whether it is of grade 2 or more"
    clears = "a result as a number"
    return case.finding("LAB-05", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject=subject)


def graded_toxicity(case: Treatment) -> Iterator[Finding]:
    """NON-06: a toxicity graded >= 2 by a clinician and not attributed to another cause."""
    stands = _spoken_for(case)
    for fact, toxicity in latest_graded(case):
        if fact.id in stands:
            continue
        term = term_of(toxicity.term)
        reason = f"{toxicity.term} of grade {toxicity.grade}"
        inputs = (Input(name=toxicity.term, value=f"grade {toxicity.grade}", taken_at=fact.at, fact=fact.id),)
        if holds_for_toxicity(case, fact, toxicity):
            severe = toxicity.grade > case.protocol.limits.toxicity_grade.count  # §3.6: only grade 2 is overridden
            before = _before_treatment(case, term)
            clears = f"grade <= {max(before, case.protocol.limits.toxicity_grade.count - 1)}, or another cause by a physician"
            never = Override.NEVER if severe else None
            yield case.finding(
                "NON-06", Verdict.HOLD, reason, inputs=inputs, clears=clears, subject=term, override=never
            )
        elif toxicity.grade >= case.protocol.limits.toxicity_grade.count and _of_the_blood(case, term):
            yield case.finding(
                "MOD-G-01", None, f"{reason}: low counts do not stop a dose inside a cycle", inputs=inputs
            )


def latest_graded(case: Treatment) -> tuple[tuple[Fact, Toxicity], ...]:
    """Of each toxicity that a person graded the latest grade."""
    found = sorted(case.reading.of(Toxicity), key=lambda pair: pair[0].at)
    return tuple({term_of(what.term): (fact, what) for fact, what in found}.values())


def _spoken_for(case: Treatment) -> frozenset[str | None]:
    """CT-28: the clinicians' grades that stand for a value which holds: it says them itself."""
    held = ((result, grade_of(case, result)) for analyte in graded_tests(case) for result in case.holding(analyte))
    return frozenset(spoken_for(case, result, grade) for result, grade in held if grade is not None)


def holds_for_toxicity(case: Treatment, fact: Fact, toxicity: Toxicity) -> bool:
    """NON-10: of grade >= 2 and worse than before treatment, not of the blood, and InO-related until a physician says not."""
    term = term_of(toxicity.term)
    elsewhere = toxicity.attributed_to_ino is False and fact.by.role in PHYSICIANS
    for word, attribution in case.reading.of(ToxicityAttribution):
        same = term_of(attribution.term) == term and word.recorded_at >= fact.recorded_at
        if same and word.by.role in PHYSICIANS:
            elsewhere = not attribution.due_to_ino
    worse = toxicity.grade > max(case.protocol.limits.toxicity_grade.count - 1, _before_treatment(case, term))
    under_treatment = case.first_dose_at is not None and fact.at >= case.first_dose_at
    return (
        worse
        and (under_treatment or toxicity.attributed_to_ino is True)
        and not elsewhere
        and not _of_the_blood(case, term)
    )


def term_of(words: str) -> str:
    """A term however it was typed: lower case, single blanks."""
    return " ".join(words.lower().split())


def _before_treatment(case: Treatment, term: str) -> int:
    """The grade that was charted last before the first dose and put down to something else than InO; 0 where none was."""
    first = case.first_dose_at
    earlier = [
        (fact.at, what.grade)
        for fact, what in case.reading.of(Toxicity)
        if term_of(what.term) == term and what.attributed_to_ino is not True and first is not None and fact.at < first
    ]
    return max(earlier, key=lambda pair: pair[0])[1] if earlier else 0


def _of_the_blood(case: Treatment, term: str) -> bool:
    """CT-07 … CT-12: a count put into words; counts are read at day 1 by the HEM rules and never here (NON-10)."""
    return term in case.protocol.limits.toxicity_of_the_blood.words
