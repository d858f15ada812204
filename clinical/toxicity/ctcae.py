"""Grades of laboratory toxicity after CTCAE (CT-01 … CT-26): read from the rows of the protocol, compared in the reported unit.

A missing ULN or LLN makes a grade unknown, never 0. Where a missing limit or a comparator leaves the grade open, both ends
are told: the worst that it can be, and the least that is certain.
"""

from dataclasses import dataclass
from decimal import Decimal

from clinical.chart.once import once
from clinical.results.cuts import limit_of, past, speaking
from clinical.results.known import Known
from clinical.toxicity.ecg import qtcf_before
from clinical.treatment.treatment import Treatment
from models.protocol import Cut, GradeRow


@dataclass(frozen=True)
class Grade:
    """The grade of one result, 0 to 4, with the row that gave it: `number` is the worst that it can be, `least` is certain.

    `upper_bound`: symptoms could make it lower (CTN-04). `missing`: the laboratory gave no limit to compare it with.
    """

    number: int
    least: int
    row: str
    term: str
    version: str
    upper_bound: bool = False
    missing: bool = False

    def shown(self) -> str:
        """The grade as a card says it."""
        grade = str(self.number) if self.number == self.least else f"{self.least} to {self.number}"
        bound = ", laboratory-derived, upper bound" if self.upper_bound else ""
        return f"grade {grade} (CTCAE {self.version}, {self.row}{bound})"


def grade_of(case: Treatment, result: Known) -> Grade | None:
    """The worst grade among the rows that hold this test; `None` where no row does."""
    found = [
        _in_row(case, clause, result, baseline)
        for baseline in baselines_of(case, result.analyte)
        for clause, _ in _rows(case, result.analyte, baseline)
    ]
    return max(found, key=_gravity, default=None)


def grade_in_row(case: Treatment, clause: str, result: Known) -> Grade:
    """The grade under one row, whether or not it is the one for this patient's baseline."""
    return max((_in_row(case, clause, result, one) for one in baselines_of(case, result.analyte)), key=_gravity)


def _gravity(grade: Grade) -> tuple[int, int]:
    return grade.least, grade.number


@once
def baselines_of(case: Treatment, analyte: str) -> tuple[Known | None, ...]:
    """CTN-01: the last value before the first dose, `None` before there was one, and what is gone of it (`Results.before`)."""
    if case.first_dose_at is None:
        return (None,)
    if analyte == "qtcf":
        return qtcf_before(case, case.first_dose_at)
    return case.results.before(analyte, case.first_dose_at)


def entry_limit(case: Treatment, result: Known, number: int) -> str:
    """Where this grade begins for this result, in its own unit, as a card says it; empty where no limit is known."""
    found = []
    for baseline in baselines_of(case, result.analyte):
        for _, row in _rows(case, result.analyte, baseline):
            for cut in _cuts(row, result)[number - 1]:
                limit = limit_of(cut, result, baseline)
                if limit is not None:
                    found.append(f"{cut.sign} {format(limit.normalize(), 'f')} {result.unit} ({cut.shown()})")
    return " or ".join(dict.fromkeys(found))


def _rows(case: Treatment, analyte: str, baseline: Known | None) -> tuple[tuple[str, GradeRow], ...]:
    """The rows for this patient: a liver test above its ULN before treatment is graded by that value (CTN-01, CTN-02)."""
    state = "abnormal" if baseline is not None and baseline.above_uln(Decimal(1)) else "normal"
    return _rows_of(case, analyte, state)


@once
def _rows_of(case: Treatment, analyte: str, state: str) -> tuple[tuple[str, GradeRow], ...]:
    rows = case.protocol.ctcae.rows.items()
    return tuple((clause, row) for clause, row in rows if analyte in row.analytes and row.baseline in ("any", state))


def _in_row(case: Treatment, clause: str, result: Known, baseline: Known | None) -> Grade:
    """From the highest grade down to the first that is certain.

    Above a grade that is not reached none can be, even where its own limit is missing.
    """
    row = case.protocol.ctcae.rows[clause]
    worst, least, missing, upper = 0, 0, False, False
    for number, cuts in reversed(list(enumerate(_cuts(row, result), start=1))):
        answers = {past(cut, result, baseline) for cut in cuts}
        if "no" in answers and not answers & {"yes", "open"}:
            worst, missing = 0, False
        elif answers and not worst:
            worst, missing, upper = number, answers == {"missing"}, all(cut.upper_bound for cut in cuts)
        if "yes" in answers:
            least = number
            break
    version = case.protocol.ctcae.version.words[0]
    return Grade(worst, least, clause, row.term, version, upper and bool(worst), missing)


def _cuts(row: GradeRow, result: Known) -> list[tuple[Cut, ...]]:
    """The limits of each grade that speak of this result."""
    return [speaking(cuts, result) for cuts in (row.grade_1, row.grade_2, row.grade_3, row.grade_4)]
