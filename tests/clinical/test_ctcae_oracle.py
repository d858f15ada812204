"""Our grades beside those of an independent table: every limit of CTCAE 5.0 in pharmaverse/admiral, below, at and above.

The table is read where INOCYCLE_SAMPLE_DATA points; without it these tests are skipped. Two readings differ on purpose:
GGT at exactly 2.0 x an abnormal baseline is of grade 1 as the text says (CTN-03), and INR is graded without the limb for
patients on anticoagulation (CT-24).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from clinical.toxicity.ctcae import grade_in_row
from tests.clinical.test_ctcae import REFERENCE, grade, seen, treated
from tests.intake.samples import SAMPLES

FOLDER = SAMPLES / "ctcae-admiral"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no grading tables: set INOCYCLE_SAMPLE_DATA")

ULN, LLN = Decimal(40), Decimal(35)
ATOM = re.compile(r"signif\(AVAL, signif_dig\) (>=|>|<) (?:signif\()?(?:([\d.]+)\*)?(AVAL|ANRHI|ANRLO|BASE|[\d.]+)")

SI, CONVENTIONAL = "ncictcaev5.json", "ncictcaev5_uscv.json"
TESTS = [  # a row of multiples is the same in every unit
    (SI, "Alanine aminotransferase increased", "CT-01 CT-02", "alt", "U/L"),
    (SI, "Aspartate aminotransferase increased", "CT-01 CT-02", "ast", "U/L"),
    (SI, "Alkaline phosphatase increased", "CT-05 CT-06", "alp", "U/L"),
    (SI, "Blood bilirubin increased", "CT-03 CT-04", "bilirubin", "umol/L"),
    (SI, "GGT increased", "CT-05 CT-06", "ggt", "U/L"),
    (SI, "Blood lactate dehydrogenase increased", "CT-25", "ldh", "U/L"),
    (SI, "Creatinine increased", "CT-21", "creatinine", "umol/L"),
    (SI, "Lipase increased", "CT-13", "lipase", "U/L"),
    (SI, "Serum amylase increased", "CT-13", "amylase", "U/L"),
    (SI, "Neutrophil count decreased", "CT-07", "anc", "10*9/L"),
    (SI, "Platelet count decreased", "CT-08", "platelets", "10*9/L"),
    (SI, "White blood cell decreased", "CT-09", "wbc", "10*9/L"),
    (SI, "Lymphocyte count decreased", "CT-10", "lymphocytes", "10*9/L"),
    (SI, "Leukocytosis", "CT-12", "wbc", "10*9/L"),
    (SI, "Anemia", "CT-11", "haemoglobin", "g/L"),
    (SI, "Hyperkalemia", "CT-14", "potassium", "mmol/L"),
    (SI, "Hypokalemia", "CT-15", "potassium", "mmol/L"),
    (SI, "Hypermagnesemia", "CT-17", "magnesium", "mmol/L"),
    (CONVENTIONAL, "Hypermagnesemia", "CT-17", "magnesium", "mg/dL"),
    (SI, "Hypomagnesemia", "CT-16", "magnesium", "mmol/L"),
    (CONVENTIONAL, "Hypomagnesemia", "CT-16", "magnesium", "mg/dL"),
    (SI, "Hypercalcemia", "CT-20", "calcium_corrected", "mmol/L"),
    (CONVENTIONAL, "Hypercalcemia", "CT-20", "calcium_corrected", "mg/dL"),
    (SI, "Hypocalcemia", "CT-18", "calcium_corrected", "mmol/L"),
    (CONVENTIONAL, "Hypocalcemia", "CT-18", "calcium_corrected", "mg/dL"),
    (SI, "Hypocalcemia (Ionized)", "CT-19", "calcium_ionised", "mmol/L"),
    (SI, "Hyperuricemia", "CT-22", "urate", "umol/L"),
    (CONVENTIONAL, "Hypoalbuminemia", "CT-23", "albumin", "g/dL"),
    (SI, "Hypoalbuminemia", "CT-23", "albumin", "g/L"),
    (SI, "INR increased", "CT-24", "inr", "{INR}"),
]


@dataclass
class Seen:
    """One value in the words of the table: `AVAL`, limits `ANRHI` and `ANRLO`, and `BASE`, the value before treatment."""

    value: Decimal
    base: Decimal | None

    def number(self, name: str) -> Decimal | None:
        named = {"ANRHI": ULN, "ANRLO": LLN, "BASE": self.base}
        return named[name] if name in named else Decimal(name)


def codes(table: str, term: str) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / table).read_text())
    row = next(r for r in rows if r["TERM"] == term)
    return [(g, row[f"GRADE_{g}_CODE"]) for g in "4321" if row.get(f"GRADE_{g}_CODE")]


def atom_holds(atom: str, seen_now: Seen) -> bool:
    high = seen_now.base is not None and seen_now.base > ULN
    if "BNRIND" in atom:
        return high is not atom.startswith("!")
    if "is.na" in atom:
        name = re.search(r"is\.na\((\w+)\)", atom)
        assert name is not None
        return (seen_now.number(name[1]) is None) is not atom.startswith("!")
    found = ATOM.search(atom)
    assert found is not None, atom
    sign, times, name_or_number = found.groups()
    limit = seen_now.number(name_or_number)
    if limit is None:
        return False
    limit *= Decimal(times or 1)
    return {">": seen_now.value > limit, ">=": seen_now.value >= limit, "<": seen_now.value < limit}[sign]


def graded_by_the_table(table: str, term: str, seen_now: Seen) -> int:
    for number, code in codes(table, term):
        for case in re.split(r",\s+(?![^(]*\))", code):
            condition, _, answer = case.partition(" ~ ")
            if answer == f'"{number}"' and all(atom_holds(a.strip(), seen_now) for a in condition.split("&")):
                return int(number)
    return 0


def limits_named(table: str, term: str, base: Decimal | None) -> set[Decimal]:
    found = {ULN, LLN, *([base] if base else ())}
    for _, code in codes(table, term):
        for _, times, name in ATOM.findall(code):
            number = Seen(Decimal(0), base).number(name)
            if number is not None:
                found.add(number * Decimal(times or 1))
    return found


def grid(table: str, term: str, base: Decimal | None) -> Iterator[Decimal]:
    for limit in sorted(limits_named(table, term, base)):
        for step in ("-1", "-0.01", "0", "0.01", "1"):
            if limit + Decimal(step) > 0:
                yield limit + Decimal(step)


@pytest.mark.parametrize(("table", "term", "rows", "analyte", "unit"), TESTS)
@pytest.mark.parametrize("base", [None, Decimal(30), Decimal(40), Decimal(60)], ids=lambda b: f"before {b}")
def test_a_grade_is_that_of_the_independent_table(
    table: str, term: str, rows: str, analyte: str, unit: str, base: Decimal | None
) -> None:
    by_baseline = base is not None and ("xbaseline" in REFERENCE[rows[:5]] or " " in rows)
    case = treated(analyte, str(base) if by_baseline else None, unit, uln=ULN)
    normal, _, abnormal = rows.partition(" ")
    row = abnormal if abnormal and base is not None and base > ULN else normal
    for value in grid(table, term, base):
        found = grade_in_row(case, row, seen(analyte, str(value), unit, uln=ULN, lln=LLN))
        wanted = graded_by_the_table(table, term, Seen(value, None if analyte == "inr" else base))
        if analyte == "ggt" and base is not None and base > ULN and value == 2 * base:
            wanted = 1
        assert (value, found.least) == (value, wanted)


def test_the_table_has_the_limits_that_version_5_has_and_version_6_has_not() -> None:
    """CTN-07: neutrophils of 1.2 are of grade 2 in version 5.0 and of grade 1 in version 6."""
    now = Seen(Decimal("1.2"), None)
    assert graded_by_the_table(SI, "Neutrophil count decreased", now) == 2
    assert graded_by_the_table("ncictcaev6.json", "Neutrophil count decreased", now) == 1
    assert grade(treated("anc", None, "10*9/L"), seen("anc", "1.2", "10*9/L", lln=LLN)).number == 2
