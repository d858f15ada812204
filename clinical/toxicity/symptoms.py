"""A clinician's grade of a finding that a laboratory value also grades, where symptoms decide between two grades (CT-28).

Only between the symptom cells of lipase and amylase (CT-13): never for liver tests, creatinine or reactions. It stands for the
value that it was given for, once a second person has confirmed it; a further value asks again.
"""

from dataclasses import replace

from clinical.coding.units import label
from clinical.results.known import Known, recorded_at
from clinical.toxicity.ctcae import Grade
from clinical.treatment.reviews import signed_under
from clinical.treatment.treatment import Treatment
from models.facts import Fact, Toxicity
from models.people import PHYSICIANS, Actor

SYMPTOM_CELLS = "CT-13"


def grade_without_symptoms(case: Treatment, result: Known, grade: Grade) -> tuple[Grade, str]:
    """The grade of this value as two people say it, with their words; else the laboratory's, and what would lower it."""
    said = _said_of(case, result, grade)
    if said is None:
        return grade, ""
    fact, what = said
    second = _second_people(case, fact)
    if not second:
        return grade, f"; grade {what.grade} without symptoms waits for a second person: countersign {fact.id}"
    by = " and ".join(str(person) for person in (fact.by, *second))
    lower = replace(grade, number=what.grade, least=min(grade.least, what.grade), upper_bound=False)
    return lower, f"; without symptoms, say {by}: {what.reason}"


def spoken_for(case: Treatment, result: Known, grade: Grade) -> str | None:
    """The fact of a clinician that stands for this value: it is no further finding beside it."""
    said = _said_of(case, result, grade)
    return said[0].id if said is not None and _second_people(case, said[0]) else None


def waiting_for_a_second_person(case: Treatment, target: str) -> Fact | None:
    """A clinician's grade of such a finding, with its reason, that another person may confirm."""
    terms = {name for row in (SYMPTOM_CELLS,) for analyte in _analytes(case, row) for name in _names(analyte)}
    for fact, what in case.reading.of(Toxicity):
        if fact.id == target and _term(what) in terms and what.reason and fact.by.role in PHYSICIANS:
            return fact
    return None


def _said_of(case: Treatment, result: Known, grade: Grade) -> tuple[Fact, Toxicity] | None:
    """The last word of a physician on this test, where it is the next lower grade and was said of this very value."""
    if grade.row != SYMPTOM_CELLS or not grade.upper_bound or result.recorded_at is None:
        return None
    words = [
        (f, t) for f, t in case.reading.of(Toxicity) if _term(t) in _names(result.analyte) and f.by.role in PHYSICIANS
    ]
    if not words or words[-1][1].grade != grade.number - 1 or not words[-1][1].reason:
        return None
    known = [k for k in case.results.history(result.analyte) if recorded_at(k) <= words[-1][0].recorded_at]
    newest = max((k.collected_at for k in known), default=None)
    of_it = any(k.fact == result.fact and k.collected_at == newest for k in known)
    return words[-1] if of_it else None


def _second_people(case: Treatment, fact: Fact) -> tuple[Actor, ...]:
    return tuple(by for by in signed_under(case.reading, fact.id) if by.person != fact.by.person)


def _analytes(case: Treatment, row: str) -> tuple[str, ...]:
    return tuple(case.protocol.ctcae.rows[row].analytes)


def _names(analyte: str) -> frozenset[str]:
    return frozenset({analyte, label(analyte).lower()})


def _term(what: Toxicity) -> str:
    return " ".join(what.term.lower().split())
