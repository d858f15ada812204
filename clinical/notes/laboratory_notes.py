"""Grades of laboratory tests that never hold a dose, said while they are fresh (CT-07 … CT-26, NON-10); what is in doubt."""

from collections.abc import Iterator

from clinical.coding.units import label
from clinical.course.case import Case
from clinical.notes.calcium import corrected_calcium
from clinical.results.known import Known
from clinical.toxicity.ctcae import grade_of
from clinical.toxicity.ecg import qtcf_holding
from models.assessment import Finding


def laboratory_notes(case: Case) -> Iterator[Finding]:
    """Grades of the other tests: said from grade 2 on while the result is fresh, never a hold (NON-10)."""
    grading = case.protocol.ctcae
    noted = dict.fromkeys(a for row in grading.rows.values() if row.noted for a in row.analytes)
    for analyte in noted:
        graded = [(k, grade) for k in _noted_results(case, analyte) if (grade := grade_of(case, k)) is not None]
        result, grade = max(graded, key=lambda pair: pair[1].least, default=(None, None))
        if result is None or grade is None or grade.least < grading.noted_from.count:
            continue
        if not case.reading.passed(result.collected_at + grading.noted_for.span):
            reason = f"{grade.term}: {label(analyte)} of {grade.shown()}"
            yield case.finding(grade.row, None, reason, inputs=(result.shown(),), subject=analyte)


def waiting_for_confirmation(case: Case) -> Iterator[Finding]:
    """PLAU-01: a result that holds and calls and is in doubt: whom it concerns is asked also where no dose is next."""
    for unknown in case.results.in_doubt():
        inputs, subject = (unknown.shown(),), unknown.analyte
        yield case.finding(unknown.rule, None, unknown.why, inputs=inputs, clears=unknown.clears, subject=subject)


def _noted_results(case: Case, analyte: str) -> tuple[Known, ...]:
    if analyte == "calcium_corrected":
        return corrected_calcium(case)
    return qtcf_holding(case) if analyte == "qtcf" else case.holding(analyte)
