"""LAB-02: ALT and AST measured with and without pyridoxal-5'-phosphate are two methods; a trend over both says so."""

from collections.abc import Iterator

from clinical.coding.codes import PYRIDOXAL_PHOSPHATE
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.results.known import Known
from models.assessment import Finding

TRANSAMINASES = ("alt", "ast")


def mixed_methods(case: Case) -> Iterator[Finding]:
    """A note where results of both methods stand in one patient's chart; a code that names no method is neither."""
    for analyte in TRANSAMINASES:
        latest: dict[str, Known] = {}
        for result in case.results.history(analyte):
            if result.loinc in PYRIDOXAL_PHOSPHATE:
                latest[PYRIDOXAL_PHOSPHATE[result.loinc]] = result
        if len(latest) > 1:
            reason = f"{label(analyte)} was measured with and without pyridoxal-5'-phosphate: compare like with like"
            yield case.finding("LAB-02", None, reason, inputs=tuple(k.shown() for k in latest.values()))
