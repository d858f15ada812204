"""CT-01 … CT-26: each limit just below, at and just above, in each printed unit, without its limit, and with a comparator."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.coding.units import ucum
from clinical.course.case import Case
from clinical.results.known import Known
from clinical.toxicity.ctcae import Grade, grade_in_row, grade_of
from models.people import Role
from models.protocol import GradeRow
from plumbing.protocol_files import load_protocol
from tests.boundaries import ASKS
from tests.factories import D1, LABEL, ChartBuilder
from tests.units import UNITS, has_image, in_unit

DRAWN = D1 + timedelta(days=7)
ULN, LLN = Decimal(100), Decimal(1000)
"""Round limits, so that a value reads as its multiple."""

NORMAL, ABNORMAL = "100", "200"

REFERENCE = {
    "CT-01": "> 1.0 xULN | > 3.0 xULN | > 5.0 xULN | > 20.0 xULN",
    "CT-02": ">= 1.5 xbaseline | > 3.0 xbaseline | > 5.0 xbaseline | > 20.0 xbaseline",
    "CT-03": "> 1.0 xULN | > 1.5 xULN | > 3.0 xULN | > 10.0 xULN",
    "CT-04": "> 1.0 xbaseline | > 1.5 xbaseline | > 3.0 xbaseline | > 10.0 xbaseline",
    "CT-05": "> 1.0 xULN | > 2.5 xULN | > 5.0 xULN | > 20.0 xULN",
    "CT-06": ">= 2.0 xbaseline | > 2.5 xbaseline | > 5.0 xbaseline | > 20.0 xbaseline",
    "CT-07": "< 1 xLLN | < 1.5 10*9/L | < 1.0 10*9/L | < 0.5 10*9/L",
    "CT-08": "< 1 xLLN | < 75 10*9/L | < 50 10*9/L | < 25 10*9/L",
    "CT-09": "< 1 xLLN | < 3.0 10*9/L | < 2.0 10*9/L | < 1.0 10*9/L",
    "CT-10": "< 1 xLLN | < 0.8 10*9/L | < 0.5 10*9/L | < 0.2 10*9/L",
    "CT-11": "< 1 xLLN | < 10.0 g/dL, < 100 g/L, < 6.2 mmol/L | < 8.0 g/dL, < 80 g/L, < 4.9 mmol/L | –",
    "CT-12": "– | – | > 100 10*9/L | –",
    "CT-13": "> 1.0 xULN | > 1.5 xULN | > 2.0 xULN | > 5.0 xULN",
    "CT-14": "> 1.0 xULN | > 5.5 mmol/L | > 6.0 mmol/L | > 7.0 mmol/L",
    "CT-15": "– | < 1.0 xLLN | < 3.0 mmol/L | < 2.5 mmol/L",
    "CT-16": "< 1.0 xLLN | < 1.2 mg/dL, < 0.5 mmol/L | < 0.9 mg/dL, < 0.4 mmol/L | < 0.7 mg/dL, < 0.3 mmol/L",
    "CT-17": "> 1.0 xULN | – | > 3.0 mg/dL, > 1.23 mmol/L | > 8.0 mg/dL, > 3.30 mmol/L",
    "CT-18": "< 1.0 xLLN | < 8.0 mg/dL, < 2.0 mmol/L | < 7.0 mg/dL, < 1.75 mmol/L | < 6.0 mg/dL, < 1.5 mmol/L",
    "CT-19": "< 1.0 xLLN | < 1.0 mmol/L | < 0.9 mmol/L | < 0.8 mmol/L",
    "CT-20": "> 1.0 xULN | > 11.5 mg/dL, > 2.9 mmol/L | > 12.5 mg/dL, > 3.1 mmol/L | > 13.5 mg/dL, > 3.4 mmol/L",
    "CT-21": "> 1.0 xULN | > 1.5 xbaseline, > 1.5 xULN | > 3.0 xbaseline, > 3.0 xULN | > 6.0 xULN",
    "CT-22": "– | – | > 1.0 xULN | –",
    "CT-23": "< 1.0 xLLN | < 3 g/dL, < 30 g/L | < 2 g/dL, < 20 g/L | –",
    "CT-24": "> 1.2 {INR} | > 1.5 {INR} | > 2.5 {INR} | –",
    "CT-25": "> 1.0 xULN | – | – | –",
    "CT-26": ">= 450 ms | > 480 ms | > 500 ms, > 60 ms above baseline | –",
}
"""Part F as it is printed, grade 1 to 4. Lipase, potassium, urate: the worst case of what symptoms decide (CTN-04)."""


def grading(row: GradeRow) -> str:
    grades = (row.grade_1, row.grade_2, row.grade_3, row.grade_4)
    return " | ".join(", ".join(cut.shown() for cut in cuts) or "–" for cuts in grades)


def test_the_rows_are_those_of_the_reference() -> None:
    rows = load_protocol(LABEL).ctcae.rows
    assert {clause: grading(row) for clause, row in rows.items()} == REFERENCE


CUT = re.compile(r"(>=|>|<=|<) ([\d.]+) (.+)")
STEP = Decimal("0.001")


def cuts() -> Iterator[tuple[str, int, str, Decimal, str, bool]]:
    """Clause, grade, sign, number, unit of every limit, and whether it is the only one that is printed for its grade."""
    for clause, row in REFERENCE.items():
        for number, grade in enumerate(row.split(" | "), start=1):
            found = [m.groups() for part in grade.split(", ") if (m := CUT.fullmatch(part))]
            for sign, limit, unit in found:
                yield clause, number, sign, Decimal(limit), unit, len(found) == 1


@pytest.mark.parametrize(("clause", "number", "sign", "limit", "unit", "only"), list(cuts()))
def test_every_limit_just_below_at_and_just_above(
    clause: str, number: int, sign: str, limit: Decimal, unit: str, only: bool
) -> None:
    """In every unit of every test of the row; the other limits of normal are not told, so that this one decides."""
    for analyte in load_protocol(LABEL).ctcae.rows[clause].analytes:
        own = unit if unit in UNITS.get(analyte, {}) else next(iter(UNITS.get(analyte, {unit: "1"})))
        before = {"xbaseline": "4", "ms above baseline": "300"}.get(unit)
        edge = limit * {"xLLN": LLN, "xbaseline": 4}.get(unit, 1) + (300 if unit == "ms above baseline" else 0)
        case = treated(analyte, before, own, uln=Decimal(4))
        for told in UNITS[analyte] if only and unit == own else (own,):
            for at, wanted in zip((edge - STEP, edge, edge + STEP), ASKS[sign], strict=True):
                if at != edge or told == own or has_image(analyte, at, told, own):
                    value = format(at, "f") if told == own else in_unit(analyte, at, told, own)
                    limits = {"xULN": {"uln": Decimal(1)}, "xLLN": {"lln": LLN}}.get(unit, {})
                    found = grade_in_row(case, clause, seen(analyte, value, told, **limits))
                    assert (found.least >= number) == wanted, f"{analyte} {value} {told}"


def test_the_version_is_pinned() -> None:
    assert load_protocol(LABEL).ctcae.version.words == ("5.0",)


def test_the_tests_that_hold_a_dose_and_those_that_are_only_said() -> None:
    rows = load_protocol(LABEL).ctcae.rows
    holding = {f"CT-{n:02}" for n in (*range(1, 7), 13, 21)}
    counts = {f"CT-{n:02}" for n in range(7, 13)}
    assert {clause for clause, row in rows.items() if row.feeds_non_06} == holding
    assert {clause for clause, row in rows.items() if row.noted} == set(rows) - holding - counts
    assert {clause for clause, row in rows.items() if row.noted} <= set(load_protocol(LABEL).rules)


def treated(analyte: str, baseline: str | None, unit: str, uln: Decimal | None = ULN) -> Case:
    """A patient after the first dose, with the value of one test before it."""
    chart = ChartBuilder()
    if analyte == "qtcf" and baseline is not None:
        chart.add({"kind": "ecg", "qtcf_ms": baseline}, D1 - timedelta(days=1))
    elif baseline is not None:
        round_limits = chart.result(analyte, baseline, D1 - timedelta(days=1), unit=unit, uln=uln)
        chart.add({"kind": "result_confirmed", "target": round_limits}, D1 - timedelta(hours=20), Role.PHYSICIAN)
    return Case(chart.dose(1, 1, D1).chart(), load_protocol(LABEL), DRAWN)


def seen(
    analyte: str,
    value: str,
    unit: str,
    uln: Decimal | None = None,
    lln: Decimal | None = None,
    comparator: str | None = None,
) -> Known:
    return Known(analyte, "f-new", Decimal(value), ucum(analyte, unit, {}) or unit, DRAWN, uln, lln, comparator)


def grade(case: Case, result: Known) -> Grade:
    found = grade_of(case, result)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("analyte", "clause", "before", "grades"),
    [
        ("alt", "CT-01", NORMAL, "100:0 101:1 300:1 301:2 500:2 501:3 2000:3 2001:4"),
        ("ast", "CT-01", None, "100:0 101:1 300:1 301:2 500:2 501:3 2000:3 2001:4"),
        ("alt", "CT-02", ABNORMAL, "201:0 299:0 300:1 600:1 601:2 1000:2 1001:3 4000:3 4001:4"),
        ("ast", "CT-02", "101", "151:0 152:1 303:1 304:2 505:2 506:3 2020:3 2021:4"),
        ("bilirubin", "CT-03", NORMAL, "100:0 101:1 150:1 151:2 300:2 301:3 1000:3 1001:4"),
        ("bilirubin", "CT-04", ABNORMAL, "199:0 200:0 201:1 300:1 301:2 600:2 601:3 2000:3 2001:4"),
        ("alp", "CT-05", NORMAL, "100:0 101:1 250:1 251:2 500:2 501:3 2000:3 2001:4"),
        ("ggt", "CT-05", None, "100:0 101:1 250:1 251:2 500:2 501:3 2000:3 2001:4"),
        ("alp", "CT-06", ABNORMAL, "399:0 400:1 500:1 501:2 1000:2 1001:3 4000:3 4001:4"),
        ("ggt", "CT-06", ABNORMAL, "399:0 400:1 500:1 501:2 1000:2 1001:3 4000:3 4001:4"),  # CTN-03: >= 2.0
        ("lipase", "CT-13", NORMAL, "100:0 101:1 150:1 151:2 200:2 201:3 500:3 501:4"),
        ("amylase", "CT-13", ABNORMAL, "100:0 101:1 150:1 151:2 200:2 201:3 500:3 501:4"),
        ("creatinine", "CT-21", NORMAL, "100:0 101:1 150:1 151:2 300:2 301:3 600:3 601:4"),
        ("creatinine", "CT-21", "40", "60:0 61:2 120:2 121:3 600:3 601:4"),
        ("creatinine", "CT-21", ABNORMAL, "150:1 151:2 300:2 301:3 601:4"),
        ("creatinine", "CT-21", None, "100:0 101:1 150:1 151:2 300:2 301:3 600:3 601:4"),
        ("urate", "CT-22", None, "100:0 101:3"),
        ("ldh", "CT-25", None, "100:0 101:1 9999:1"),
    ],
)
def test_a_multiple_of_the_upper_limit_or_of_the_value_before_treatment(
    analyte: str, clause: str, before: str | None, grades: str
) -> None:
    unit = {"bilirubin": "umol/L", "creatinine": "umol/L", "urate": "umol/L"}.get(analyte, "U/L")
    case = treated(analyte, before, unit)
    expected = dict(pair.split(":") for pair in grades.split())
    found = {value: grade(case, seen(analyte, value, unit, uln=ULN)) for value in expected}
    assert {value: str(g.number) for value, g in found.items()} == expected
    assert {g.row for g in found.values()} == {clause}
    assert all(g.least == g.number for g in found.values())


@pytest.mark.parametrize(
    ("analyte", "unit", "lln", "grades"),
    [
        ("anc", "10*9/L", "2", "2:0 1.99:1 1.5:1 1.49:2 1.0:2 0.99:3 0.5:3 0.49:4 0:4"),
        ("anc", "/uL", "2000", "2000:0 1999:1 1500:1 1499:2 1000:2 999:3 500:3 499:4"),
        ("platelets", "10*3/uL", "150", "150:0 149:1 75:1 74.9:2 50:2 49.9:3 25:3 24.9:4"),
        ("wbc", "10*9/L", "4", "4:0 3.9:1 3.0:1 2.99:2 2.0:2 1.99:3 1.0:3 0.99:4"),
        ("haemoglobin", "g/dL", "12", "12:0 11.9:1 10.0:1 9.9:2 8.0:2 7.9:3"),
        ("haemoglobin", "g/L", "120", "120:0 119:1 100:1 99:2 80:2 79:3"),
        ("haemoglobin", "mmol/L", "7.5", "7.5:0 7.4:1 6.2:1 6.19:2 4.9:2 4.89:3"),
        ("potassium", "mmol/L", "3.5", "3.5:0 3.4:2 3.0:2 2.9:3 2.5:3 2.4:4"),
        ("magnesium", "mg/dL", "1.7", "1.7:0 1.69:1 1.2:1 1.19:2 0.9:2 0.89:3 0.7:3 0.69:4"),
        ("magnesium", "mmol/L", "0.7", "0.7:0 0.69:1 0.5:1 0.499:2 0.4:2 0.39:3 0.3:3 0.29:4"),
        ("calcium_corrected", "mg/dL", "8.5", "8.5:0 8.4:1 8.0:1 7.99:2 7.0:2 6.99:3 6.0:3 5.99:4"),
        ("calcium_corrected", "mmol/L", "2.1", "2.1:0 2.09:1 2.0:1 1.99:2 1.75:2 1.749:3 1.5:3 1.49:4"),
        ("calcium_ionised", "mmol/L", "1.1", "1.1:0 1.09:1 1.0:1 0.99:2 0.9:2 0.89:3 0.8:3 0.79:4"),
        ("calcium_ionised", "mg/dL", "4.4", "4.4:0 4.39:1 4.01:1 4.00:2 3.61:2 3.60:3 3.21:3 3.20:4"),
        ("albumin", "g/dL", "3.5", "3.5:0 3.4:1 3:1 2.99:2 2:2 1.99:3"),
        ("albumin", "g/L", "35", "35:0 34:1 30:1 29.9:2 20:2 19.9:3"),
    ],
)
def test_a_value_that_is_too_low(analyte: str, unit: str, lln: str, grades: str) -> None:
    case = treated(analyte, None, unit)
    for value, number in (pair.split(":") for pair in grades.split()):
        found = grade(case, seen(analyte, value, unit, uln=Decimal(9999), lln=Decimal(lln)))
        assert (value, str(found.number), str(found.least)) == (value, number, number)


@pytest.mark.parametrize(
    ("analyte", "unit", "uln", "grades"),
    [
        ("potassium", "mmol/L", "5.0", "5.0:0 5.1:1 5.5:1 5.51:2 6.0:2 6.1:3 7.0:3 7.1:4"),
        ("potassium", "meq/L", "5.0", "5.0:0 5.1:1 5.5:1 5.51:2 6.0:2 6.1:3 7.0:3 7.1:4"),
        ("magnesium", "mg/dL", "2.6", "2.6:0 2.7:1 3.0:1 3.1:3 8.0:3 8.1:4"),
        ("magnesium", "mmol/L", "1.1", "1.1:0 1.2:1 1.23:1 1.24:3 3.30:3 3.31:4"),
        ("calcium_corrected", "mg/dL", "10.5", "10.5:0 10.6:1 11.5:1 11.6:2 12.5:2 12.6:3 13.5:3 13.6:4"),
        ("calcium_corrected", "mmol/L", "2.6", "2.6:0 2.7:1 2.9:1 2.91:2 3.1:2 3.11:3 3.4:3 3.41:4"),
        ("wbc", "10*9/L", "10", "100:0 100.1:3"),
        ("inr", "{INR}", "1.1", "1.2:0 1.21:1 1.5:1 1.51:2 2.5:2 2.51:3"),
        ("qtcf", "ms", "1", "449:0 450:1 480:1 481:2 500:2 501:3"),
    ],
)
def test_a_value_that_is_too_high(analyte: str, unit: str, uln: str, grades: str) -> None:
    case = treated(analyte, None, unit)
    for value, number in (pair.split(":") for pair in grades.split()):
        found = grade(case, seen(analyte, value, unit, uln=Decimal(uln), lln=Decimal("0.01")))
        assert (value, str(found.number), str(found.least)) == (value, number, number)


@pytest.mark.parametrize(("before", "now", "number"), [("400", "449", 0), ("400", "460", 1), ("400", "461", 3)])
def test_qtc_is_of_grade_3_when_it_rose_by_more_than_60_ms(before: str, now: str, number: int) -> None:
    assert grade(treated("qtcf", before, "ms"), seen("qtcf", now, "ms")).number == number


def test_the_printed_cut_offs_are_compared_in_the_reported_unit() -> None:
    """CTN-05: 1.2 mg/dL magnesium is 0.494 mmol/L; 0.497 mmol/L is of grade 2 all the same, and 1.21 mg/dL is not."""
    case = treated("magnesium", None, "mg/dL")
    assert grade(case, seen("magnesium", "0.497", "mmol/L", lln=Decimal("0.7"))).number == 2
    assert grade(case, seen("magnesium", "1.21", "mg/dL", lln=Decimal("1.7"))).number == 1


@pytest.mark.parametrize("analyte", ["lipase", "amylase", "ggt", "urate"])
def test_without_an_upper_limit_the_grade_is_unknown_and_not_0(analyte: str) -> None:
    found = grade(treated(analyte, None, "U/L"), replace(seen(analyte, "10", "U/L"), unit=unit_of(analyte)))
    assert (found.least, found.missing) == (0, True)
    assert found.number >= 3


def unit_of(analyte: str) -> str:
    return "umol/L" if analyte == "urate" else "U/L"


def test_without_limits_potassium_is_graded_by_what_is_printed_and_otherwise_open() -> None:
    case = treated("potassium", None, "mmol/L")
    assert (
        grade(case, seen("potassium", "5.8", "mmol/L")).least,
        grade(case, seen("potassium", "2.9", "mmol/L")).least,
    ) == (
        2,
        3,
    )
    normal = grade(case, seen("potassium", "4.0", "mmol/L"))
    assert (normal.least, normal.missing) == (0, True)


def test_creatinine_without_an_upper_limit_is_graded_by_its_value_before_treatment() -> None:
    case = treated("creatinine", "60", "umol/L")
    found = {v: grade(case, seen("creatinine", v, "umol/L")) for v in ("90", "91", "181")}
    assert {v: (g.least, g.number) for v, g in found.items()} == {"90": (0, 1), "91": (2, 2), "181": (3, 4)}


@pytest.mark.parametrize(
    ("value", "comparator", "least", "worst"),
    [
        ("100", "<", 0, 0),
        ("301", "<", 0, 2),
        ("300", ">", 2, 4),
        ("300", ">=", 1, 4),
        ("2000", "<=", 0, 3),
        ("2000", ">", 4, 4),
    ],
)
def test_a_comparator_between_two_grades_tells_both_ends(value: str, comparator: str, least: int, worst: int) -> None:
    found = grade(treated("alt", NORMAL, "U/L"), seen("alt", value, "U/L", uln=ULN, comparator=comparator))
    assert (found.least, found.number) == (least, worst)


@pytest.mark.parametrize(("before", "clause"), [("100", "CT-01"), ("100.1", "CT-02")])
def test_abnormal_before_treatment_means_above_the_upper_limit_of_its_own_report(before: str, clause: str) -> None:
    """CTN-01."""
    assert grade(treated("alt", before, "U/L"), seen("alt", "140", "U/L", uln=ULN)).row == clause


def test_a_value_before_treatment_that_may_be_normal_is_taken_as_normal() -> None:
    """The multiples of the ULN are the stricter ones."""
    chart = ChartBuilder()
    chart.result("alt", "120", D1 - timedelta(days=1), uln=Decimal(100), comparator="<")
    case = Case(chart.dose(1, 1, D1).chart(), load_protocol(LABEL), DRAWN)
    assert grade(case, seen("alt", "140", "U/L", uln=ULN)).row == "CT-01"


def test_the_value_before_treatment_may_be_in_another_unit() -> None:
    case = treated("creatinine", "1.0", "mg/dL", uln=Decimal("1.2"))
    assert grade(case, seen("creatinine", "132", "umol/L", uln=Decimal(110))).number == 1
    assert grade(case, seen("creatinine", "133", "umol/L", uln=Decimal(110))).number == 2


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "words"),
    [
        ("lipase", "201", "U/L", "grade 3 (CTCAE 5.0, CT-13, laboratory-derived, upper bound)"),
        ("lipase", "160", "U/L", "grade 2 (CTCAE 5.0, CT-13)"),
        ("alt", "301", "U/L", "grade 2 (CTCAE 5.0, CT-01)"),
    ],
)
def test_a_card_names_version_row_and_what_symptoms_decide(analyte: str, value: str, unit: str, words: str) -> None:
    """CTN-04, CTN-07."""
    assert grade(treated(analyte, None, unit), seen(analyte, value, unit, uln=ULN)).shown() == words


def test_a_test_without_a_row_has_no_grade() -> None:
    assert grade_of(treated("sodium", None, "mmol/L"), seen("sodium", "140", "mmol/L")) is None
