"""Codes and units (§9.1, §9.2, CONV-01, CTN-05, AMB-12): closed tables, one factor a pair, twins in two units decide alike."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.assess import assess
from clinical.coding.codes import LOINC, UNVERIFIED_CODES, analyte_of
from clinical.coding.units import FACTORS, Factor, bilirubin_umol_per_l, contradict, measured_in, to_canonical, ucum
from clinical.course.case import Case
from clinical.results.known import Known, Unknown
from clinical.results.trouble import in_ucum, limits_in_unit, trouble_of
from models.assessment import Verdict
from models.facts import LabResult
from models.people import Role
from plumbing.protocol_files import load_protocol
from plumbing.site_file import SiteFile
from tests.examples import examples
from tests.factories import CODES, D1, LABEL, ChartBuilder, PaperCourse, a_lab, standing_rules

SAMPLES = Path(__file__).parents[2] / os.environ.get("INOCYCLE_SAMPLE_DATA", "../shared/data")
UCUM_TESTS = SAMPLES / "ucum-functional-tests" / "UcumFunctionalTests.xml"
needs_ucum = pytest.mark.skipif(not UCUM_TESTS.is_file(), reason="no UCUM test file: set INOCYCLE_SAMPLE_DATA")

D8 = D1 + timedelta(days=7)
H = timedelta(hours=1)
UNITS = sorted({unit for _, unit in FACTORS})

# ── codes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_digit(number: str) -> int:
    """Of a LOINC code: from the right every other digit doubled, the digits added up, what is missing to a ten."""
    doubled = str(int(number[::-1][::2][::-1]) * 2)
    left = number[::-1][1::2][::-1]
    return -sum(map(int, left + doubled)) % 10


@pytest.mark.parametrize("code", LOINC)
def test_every_code_of_the_table_keeps_its_check_digit(code: str) -> None:
    number, digit = code.split("-")
    assert check_digit(number) == int(digit)


@pytest.mark.parametrize("code", ["76635-8", "76634-1", "8601-0", "26446-6", "30376-0"])
def test_a_code_that_fails_its_check_digit_is_no_result(code: str) -> None:
    number, digit = code.split("-")
    assert check_digit(number) != int(digit)
    assert analyte_of(code, "Fridericia") is None


TABLE = {
    "alt": "1742-6 1743-4 1744-2 76625-3 77144-4",
    "ast": "1920-8 30239-8 88112-8",
    "alp": "6768-6 77141-0",
    "bilirubin": "1975-2 14631-6 42719-5 54363-7 59827-6 59828-4 77137-8 89871-8 89872-6 97770-2",
    "bilirubin_direct": "1968-7 14629-0",
    "bilirubin_conjugated": "29760-6 15152-2",
    "bilirubin_indirect": "1971-1",
    "ggt": "2324-2",
    "ldh": "2532-0 14804-9 14805-6",
    "lipase": "3040-3",
    "amylase": "1798-8",
    "potassium": "2823-3 6298-4 75940-7 77142-8 39789-3 32713-0 39790-1",
    "magnesium": "19123-9 2601-3 21377-7 2593-2",
    "calcium": "17861-6 2000-8 49765-1 1996-8",
    "calcium_corrected": "29265-6",
    "calcium_ionised": "1995-0 1994-3 17863-2 12180-6 17864-0",
    "sodium": "2951-2 2947-0 77139-4",
    "creatinine": "2160-0 14682-9 38483-4 59826-8 21232-4 77140-2",
    "egfr": "98979-8 33914-3 62238-1 77147-7",
    "urate": "3084-1 14933-6",
    "phosphate": "2777-1 14879-1",
    "albumin": "1751-7 61151-7 61152-5",
    "inr": "6301-6 34714-6 46418-0 38875-1",
    "fibrinogen": "3255-7",
    "ferritin": "2276-4",
    "haemoglobin": "718-7 59260-0 20509-6 30313-1 30350-3",
    "wbc": "6690-2 26464-8 804-5 12227-5 33256-9 49498-9",
    "platelets": "777-3 26515-7 778-1 13056-7 26516-5 97995-5 49497-1",
    "anc": "751-8 753-4 26499-4 768-2 30451-9",
    "neutrophils_percent": "770-8 26511-6 23761-0",
    "blasts_percent": "26446-5 709-6 34922-5",
    "blasts": "30376-8 708-8 35050-4",
    "qt": "8634-8",
    "qtc": "8636-3",
    "qtcf": "76634-5",
    "qtcb": "76635-2",
    "rr": "8637-1",
    "heart_rate": "8867-4",
    "qrs": "8633-0",
    "pr": "8625-6",
    "hcg": "21198-7 19080-1 2106-3 2118-8 2110-5 2112-1 80384-1 80385-8 45194-8",
    "weight": "29463-7 3141-9",
    "height": "8302-2 3137-7",
    "bsa": "8277-6 3140-1",
    "systolic": "8480-6",
    "diastolic": "8462-4",
    "temperature": "8310-5",
    "oxygen_saturation": "59410-1 2708-6",
}


def test_the_table_of_codes_is_that_of_the_reference_and_nothing_else() -> None:
    assert {code: analyte for analyte, codes in TABLE.items() for code in codes.split()} == LOINC
    assert set(LOINC) >= UNVERIFIED_CODES
    assert {analyte for analyte, _ in FACTORS} == set(TABLE)


@pytest.mark.parametrize("code", ["768-2", "30451-9"])
@pytest.mark.parametrize(
    ("count", "rules"), [("1.0", []), ("0.9", ["HEM-01"])], ids=["at least 1.0 is enough", "at least 0.9 may be less"]
)
def test_segmented_neutrophils_are_a_lower_bound_of_the_anc(code: str, count: str, rules: list[str]) -> None:
    d29 = D1 + timedelta(days=28)
    chart = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(d29)
    chart.result("anc", count, d29 - H, loinc=code)
    assert standing_rules(PaperCourse(chart, d29).card) == rules


@pytest.mark.parametrize(("sent", "bound"), [(None, ">="), (">=", ">="), (">", ">")])
def test_a_lower_bound_is_never_read_as_the_anc_itself(sent: str | None, bound: str) -> None:
    found = read("anc", "1.2", "10*9/L", loinc="768-2", comparator=sent)
    assert isinstance(found, Known)
    assert (found.comparator, found.below(Decimal(1)), found.above(Decimal(2))) == (bound, False, None)


def test_of_one_draw_the_anc_itself_counts_and_not_its_lower_bound() -> None:
    d29 = D1 + timedelta(days=28)
    chart = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(d29)
    chart.result("anc", "1.1", d29 - H)
    chart.result("anc", "0.9", d29 - H, loinc="768-2", recorded_at=d29)
    assert standing_rules(PaperCourse(chart, d29).card) == []


def test_segmented_neutrophils_below_a_bound_say_nothing_of_the_anc() -> None:
    chart = ChartBuilder().ready()
    chart.result("anc", "1.0", D1 - H, loinc="768-2", comparator="<")
    assert standing_rules(PaperCourse(chart, D1).card) == ["LAB-05"]


@pytest.mark.parametrize(
    ("codes", "noted"),
    [
        ({"alt": ("1743-4", "1744-2")}, True),
        ({"ast": ("30239-8", "88112-8")}, True),
        ({"alt": ("1743-4", "1743-4")}, False),
        ({"alt": ("1742-6", "1744-2")}, False),
        ({"alt": ("1743-4",), "ast": ("88112-8",)}, False),
    ],
    ids=str,
)
def test_methods_of_alt_or_ast_that_are_mixed_are_noted(codes: dict[str, tuple[str, ...]], noted: bool) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)
    for analyte, sent in codes.items():
        for place, code in enumerate(sent):
            chart.result(analyte, "30", D8 - 3 * H + place * H, loinc=code)
    card = PaperCourse(chart, D8).card
    assert [f.verdict for f in card.findings if f.rule == "LAB-02"] == [None] * noted
    assert card.verdict is Verdict.MAY_AUTHORISE


# ── units ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ONE_OF_EACH = [
    ("bilirubin", "umol/L", "mg/dL", "17.104"),
    ("bilirubin_direct", "umol/L", "mg/dL", "17.104"),
    ("creatinine", "umol/L", "mg/dL", "88.40"),
    ("calcium", "mmol/L", "mg/dL", "0.2495"),
    ("magnesium", "mmol/L", "mg/dL", "0.4114"),
    ("albumin", "g/L", "g/dL", "10"),
    ("alt", "U/L", "ukat/L", "60"),
    ("phosphate", "mg/dL", "mmol/L", "3.097"),
    ("urate", "mg/dL", "umol/L", "0.01681"),
    ("haemoglobin", "g/dL", "mmol/L", "1.61"),
    ("weight", "kg", "[lb_av]", "0.45359237"),
    ("height", "cm", "[in_i]", "2.54"),
    ("platelets", "/uL", "10*9/L", "1000"),
    ("potassium", "mmol/L", "meq/L", "1"),
    ("calcium_ionised", "mmol/L", "mg/dL", "0.2495"),
    ("rr", "ms", "s", "1000"),
]
"""Analyte, unit of the image, unit multiplied, and the one factor between them (clinical reference §9.2)."""


@pytest.mark.parametrize(("analyte", "image", "unit", "factor"), ONE_OF_EACH)
@pytest.mark.parametrize("value", ["1", "1.7", "0.003", "99999.99"])
def test_a_value_and_its_image_are_one_value_exactly(
    analyte: str, image: str, unit: str, factor: str, value: str
) -> None:
    there = Decimal(value) * Decimal(factor)
    assert to_canonical(analyte, Decimal(value), unit) == to_canonical(analyte, there, image)


@pytest.mark.parametrize(("analyte", "unit"), FACTORS)
def test_a_limit_goes_into_the_reported_unit_and_back(analyte: str, unit: str) -> None:
    factor = FACTORS[analyte, unit]
    for limit in (Decimal("34"), Decimal("1.5"), Decimal("0.07")):
        assert round(factor.to_canonical(factor.from_canonical(limit)), 20) == limit


def test_charge_equivalents_of_calcium_and_magnesium_are_half_a_mole() -> None:
    for analyte in ("calcium", "magnesium"):
        assert to_canonical(analyte, Decimal(2), "meq/L") == to_canonical(analyte, Decimal(1), "mmol/L")


@pytest.mark.parametrize(
    ("value", "unit", "umol"),
    [
        ("34", "umol/L", "34"),
        ("1.98784", "mg/dL", "34.00001536"),
        ("1.98783", "mg/dL", "33.99984432"),
        ("2", "mg/dL", "34.208"),
        ("20", "mg/L", "34.208"),
    ],
)
def test_bilirubin_in_micromoles_is_exact(value: str, unit: str, umol: str) -> None:
    assert bilirubin_umol_per_l(Decimal(value), unit) == Decimal(umol)


def test_a_long_number_loses_no_digit_in_a_factor() -> None:
    long = Decimal("1234567890123456789012345678901234567891")
    assert Factor(Decimal("0.001")).to_canonical(long) == Decimal("1234567890123456789012345678901234567.891")


DIRTY = [
    "K/uL",
    "k/ul",
    "K/µL",
    "K/μL",
    "x10^9/L",
    "X10^9/L",
    "x10E9/L",
    "10^9/L",
    "10e9/L",
    "10E9/L",
    "10*9/l",
    "10*9L",
    "10**9/L",
    "10*3/ul",
    "10^3/uL",
    "10^3/µL",
    "x10E3/uL",
    "x10^3/uL",
    "10*3/µL",
    "thou/uL",
    "Thou/uL",
    "TH/uL",
    "G/L",
    "GI/L",
    "Gpt/L",
    "giga/l",
    "giga.l-1",
    "/mm^3",
    "/cmm",
    "cells/uL",
    "cells/mm3",
    "/µL",
    "/ul",
    "U/l",
    "u/L",
    "IU/L",
    "iu/l",
    "UI/L",
    "U/ml",
    "mU/L",
    "µkat/L",
    "ukat/l",
    "nkat/l",
    "mkat/L",
    "µmol/L",
    "μmol/L",
    "umol/l",
    "mcmol/L",
    "micromol/L",
    "MG/DL",
    "mg/dl",
    "mg%",
    "mg/100mL",
    "mg/DL",
    "g/l",
    "G/DL",
    "gm/dL",
    "mmol/l",
    "MMOL/L",
    "mM",
    "mEq/L",
    "meq/l",
    "mval/L",
    "MS",
    "msec",
    "sec",
    "KG",
    "kgs",
    "lb",
    "lbs",
    "Cm",
    "inch",
    "in",
    "%",
    "‰",
    "percent",
    "bpm",
    "{beats}",
    "1",
    "{ratio}",
]
LEGAL = [
    *(
        "10^9/L",
        "10*9/l",
        "10*3/ul",
        "10^3/uL",
        "/ul",
        "U/l",
        "ukat/l",
        "nkat/l",
        "umol/l",
        "mg/dl",
        "g/l",
        "mmol/l",
        "meq/l",
        "1",
    )
]
"""Among the words of real senders: what UCUM allows (LAB-15)."""
DIRTY = [word for word in DIRTY if word not in (*UNITS, *LEGAL)]


def test_fifty_and_more_dirty_units_are_looked_at() -> None:
    assert len(DIRTY) >= 50


@pytest.mark.parametrize("unit", [*DIRTY, "", " ", " mg/dL", "mg/dL ", "mg/ dL", "U/L\n", "10*9 /L"])
def test_no_dirty_unit_is_silently_accepted(unit: str) -> None:
    assert [analyte for analyte in TABLE if ucum(analyte, unit, {})] == []
    for analyte in ("platelets", "bilirubin", "alt"):
        chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)
        chart.result(analyte, None, D8 - H, unit=unit)
        card = PaperCourse(chart, D8).card
        assert (card.verdict, standing_rules(card)) == (Verdict.NEED_DATA, ["CONV-01"])
        if unit.strip():
            assert repr(unit) in card.standing[0].reason


@pytest.mark.parametrize(
    ("analyte", "unit"), [("alt", "mg/dL"), ("bilirubin", "U/L"), ("platelets", "%"), ("wbc", "g/L")]
)
def test_a_unit_of_another_analyte_is_not_understood(analyte: str, unit: str) -> None:
    assert ucum(analyte, unit, {}) is None


SPELLED = {
    "alt": {"U/L": "U/l U.L-1 L-1.U [IU]/L [iU]/L [iU]/l [IU].L-1 mU/mL m[IU]/mL"},
    "bilirubin": {"umol/L": "umol/l umol.L-1", "mg/dL": "mg/dl mg.dL-1"},
    "platelets": {
        "10*9/L": "10^9/L 10*9/l 10*9{cells}/L 10*9.L-1",
        "10*3/uL": "10^3/uL 10*3/ul",
        "/mm3": "1/mm3 {cells}/mm3",
    },
    "potassium": {"mmol/L": "mmol/l mmol.l-1", "meq/L": "meq/l"},
    "inr": {"{INR}": "1"},
    "egfr": {"mL/min/{1.73_m2}": "ml/min/{1.73_m2}"},
    "heart_rate": {"/min": "1/min {beats}/min min-1"},
    "hcg": {"[IU]/L": "[iU]/L [IU]/l", "m[IU]/mL": "m[iU]/ml"},
}


@pytest.mark.parametrize(
    ("analyte", "unit", "spelled"),
    [(a, unit, word) for a, units in SPELLED.items() for unit, words in units.items() for word in words.split()],
)
def test_a_unit_counts_in_every_spelling_that_ucum_allows(analyte: str, unit: str, spelled: str) -> None:
    assert ucum(analyte, spelled, {}) == unit
    sent = LabResult(loinc="any", value=Decimal(1), unit=spelled, uln=Decimal(2), limit_unit=unit)
    understood = in_ucum(analyte, sent, load_protocol(LABEL))
    assert (understood.unit, understood.limit_unit, limits_in_unit(understood)) == (unit, unit, True)


@pytest.mark.parametrize(
    ("analyte", "word"),
    [
        *(("potassium", "[IU]/L"), ("hcg", "U/L"), ("inr", "{ratio}"), ("inr", "%"), ("egfr", "mL/min")),
        *(
            ("egfr", "mL/min/{1.8_m2}"),
            ("alt", "u/l"),
            ("alt", "U//L"),
            ("alt", "U/L/"),
            ("alt", "/U/L"),
            ("alt", "L/U"),
        ),
        *(("platelets", "10*9"), ("platelets", "10*6/L"), ("bilirubin", "mol/L"), ("bilirubin", "Mg/dL")),
    ],
)
def test_what_only_looks_like_a_unit_of_the_analyte_is_none(analyte: str, word: str) -> None:
    assert ucum(analyte, word, {}) is None


@pytest.mark.parametrize(
    ("unit", "may_be_inr"),
    [("1", True), ("{INR}", True), ("{ratio}", True), ("{score}", False), ("{copies}", False), ("U/L", False)],
)
def test_a_pure_number_that_says_what_it_counts_is_no_inr(unit: str, may_be_inr: bool) -> None:
    """A result of unknown code in the unit of an analyte may be that analyte (LAB-13)."""
    assert ("inr" in measured_in(unit)) is may_be_inr


@pytest.mark.parametrize(
    ("value", "unit", "celsius"), [("101.5", "[degF]", "38.61"), ("100.4", "[degF]", "38.00"), ("311.15", "K", "38.00")]
)
def test_a_temperature_has_another_zero_in_other_units(value: str, unit: str, celsius: str) -> None:
    factor = FACTORS["temperature", unit]
    assert factor.to_canonical(Decimal(value)).quantize(Decimal("0.01")) == Decimal(celsius)
    assert factor.from_canonical(factor.to_canonical(Decimal(value))) == Decimal(value)


@pytest.mark.parametrize(
    ("analyte", "unit", "words", "two"),
    [
        *(
            ("bilirubin", "umol/L", "mg/dL", True),
            ("alt", "U/L", "ukat/L", True),
            ("potassium", "mmol/L", "mg/dL", True),
        ),
        *(
            ("bilirubin", "mg/dL", "µmol/l", True),
            ("platelets", "10*9/L", "/uL", True),
            ("haemoglobin", "g/dL", "g/l", True),
        ),
        *(
            ("bilirubin", "umol/L", "µmol/l", False),
            ("platelets", "10*9/L", "K/uL", False),
            ("alt", "U/L", "IU/L", False),
        ),
        *(
            ("potassium", "mmol/L", "mEq/L", False),
            ("platelets", "10*9/L", "Tsd", False),
            ("wbc", "10*9/L", "x10^9/L", False),
        ),
    ],
)
def test_a_unit_in_words_that_is_another_than_its_code_makes_the_result_unknown(
    analyte: str, unit: str, words: str, two: bool
) -> None:
    assert contradict(analyte, unit, words, {}) == two
    for sent in ({"unit_words": words}, {"limit_unit": unit, "limit_unit_words": words}):
        result = a_lab(analyte, "5", at=D1, unit=unit, **sent)
        trouble = trouble_of(analyte, result, load_protocol(LABEL), in_the_future=False)
        assert (trouble is not None and trouble.rule == "LAB-14" and words in trouble.why) == two


# ── a sender's own words ───────────────────────────────────────────────────────────────────────────────────────────

SITE = SiteFile(
    b"""
[senders."lab-a".aliases]
"K/uL" = "10*3/uL"
"GI/L" = "10*9/L"
"IU/L" = "U/L"
"\xc2\xb5mol/L" = "umol/L"
"mg/dL" = "umol/L"
"thou" = "10 x3/ul"
"""
)


def read(
    analyte: str, value: str, unit: str, sender: str | None = "lab-a", **changes: object
) -> Known | Unknown | None:
    chart = ChartBuilder()
    chart.add(a_lab(analyte, value, at=D1, unit=unit, sender=sender, **changes), D1, Role.LABORATORY)
    found = Case(chart.chart(), load_protocol(LABEL, site=SITE), D1).opening(analyte)
    return found.unknown or next(iter(found.values), None)


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "canonical"),
    [("platelets", "140", "K/uL", "140"), ("anc", "1.5", "GI/L", "1.5"), ("alt", "30", "IU/L", "30")],
)
def test_an_alias_counts_for_the_sender_for_whom_the_site_lists_it(
    analyte: str, value: str, unit: str, canonical: str
) -> None:
    found = read(analyte, value, unit)
    assert isinstance(found, Known)
    assert found.canonical == Decimal(canonical)
    for other in ("lab-b", "LAB-A", None):
        refused = read(analyte, value, unit, sender=other)
        assert isinstance(refused, Unknown)
        assert refused.rule == "CONV-01"


def test_an_alias_is_taken_for_value_and_limit_alike() -> None:
    found = read("bilirubin", "34.208", "µmol/L", uln=Decimal("20.5248"), limit_unit="µmol/L")
    assert isinstance(found, Known)
    assert (found.canonical, found.above_uln(Decimal("1.6"))) == (2, True)
    assert isinstance(read("bilirubin", "34", "µmol/L", uln=Decimal("1.2"), limit_unit="mg/dL"), Unknown)


@pytest.mark.parametrize("unit", ["k/ul", "K/UL", "K/uL ", "\u03bcmol/L", "gi/l"])
def test_an_alias_is_read_letter_by_letter(unit: str) -> None:
    assert isinstance(read("bilirubin" if "mol" in unit else "platelets", "140", unit), Unknown)


def test_ucum_means_what_it_says_whatever_an_alias_makes_of_it() -> None:
    found = read("bilirubin", "1.2", "mg/dL")
    assert isinstance(found, Known)
    assert found.canonical == Decimal("1.2")


def test_an_alias_for_a_unit_that_is_not_understood_is_said_with_both_words() -> None:
    found = read("platelets", "140", "thou")
    assert isinstance(found, Unknown)
    assert "unit 'thou' from lab-a (the site file reads it as '10 x3/ul') is not understood" in found.why


# ── twins ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def decided(chart: ChartBuilder, now: object = D8) -> object:
    assert isinstance(now, type(D8))
    card = assess(chart.chart(), load_protocol(LABEL), now)
    dose = None if card.dose is None else (card.dose.mg, card.dose.level, card.dose.ml)
    # CTN-05: CTCAE prints its cut-offs in both units, and they are not exact images; a note of a grade may differ.
    rules = [(f.rule, f.subject, f.verdict) for f in card.findings if f.verdict or not f.rule.startswith("CT-")]
    return card.state, card.verdict, rules, dose, [(o.key, o.due_at) for o in card.obligations]


hundredths = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("30"), places=2)
near_limits = st.sampled_from(
    ["1.2", "1.79", "1.8", "1.81", "1.98", "1.987", "1.988", "1.98784", "1.99", "2", "2.4", "3.6"]
)


@examples(80)
@given(hundredths | near_limits.map(Decimal), st.sampled_from(["0.9", "1.0", "1.2", "1.3"]).map(Decimal), st.booleans())
def test_bilirubin_in_mg_per_dl_and_its_image_in_umol_per_l_give_one_decision(
    value: Decimal, uln: Decimal, transplanted: bool
) -> None:
    answers = []
    for unit, factor in (("mg/dL", Decimal(1)), ("umol/L", Decimal("17.104"))):
        chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)
        if transplanted:
            chart.add({"kind": "transplant", "transplanted_at": D8 - 5 * H}, D8 - 5 * H, Role.PHYSICIAN)
        chart.add({"kind": "weight", "kg": "74"}, D8 - H)
        chart.result("bilirubin", format(value * factor, "f"), D8 - H, unit=unit, uln=uln * factor)
        answers.append(decided(chart))
    assert answers[0] == answers[1]


@examples(60)
@given(
    st.sampled_from(
        [
            ("creatinine", "umol/L", "88.40", "mg/dL"),
            ("magnesium", "mmol/L", "0.4114", "mg/dL"),
            ("calcium", "mmol/L", "0.2495", "mg/dL"),
            ("albumin", "g/L", "10", "g/dL"),
            ("alt", "U/L", "60", "ukat/L"),
            ("platelets", "/uL", "1000", "10*9/L"),
            ("wbc", "/mm3", "1000", "10*9/L"),
        ]
    ),
    st.decimals(min_value=Decimal("0.3"), max_value=Decimal("12"), places=2),
)
def test_other_analytes_and_their_images_give_one_decision(twin: tuple[str, str, str, str], value: Decimal) -> None:
    analyte, image, factor, unit = twin
    usual = a_lab(analyte)
    answers = []
    for word, by in ((unit, Decimal(1)), (image, Decimal(factor))):
        chart = ChartBuilder().ready()
        limits = {"uln": Decimal("0.9"), "lln": Decimal("0.4")} if usual.uln or usual.lln else {}
        limits = {name: limit * by for name, limit in limits.items()}
        chart.result(analyte, format(value * by, "f"), D1 - H, unit=word, **limits)
        answers.append(decided(chart, D1))
    assert answers[0] == answers[1]


# ── the UCUM organisation's own tests ──────────────────────────────────────────────────────────────────────────────


def ucum_cases(section: str) -> Iterator[dict[str, str]]:
    if UCUM_TESTS.is_file():
        found = ElementTree.parse(UCUM_TESTS).getroot().find(section)
        assert found is not None
        yield from (case.attrib for case in found if case.tag == "case")


@needs_ucum
def test_every_conversion_of_the_ucum_tests_between_units_of_ours_agrees() -> None:
    compared = 0
    for case in ucum_cases("conversion"):
        for analyte in TABLE:
            source, target = FACTORS.get((analyte, case["srcUnit"])), FACTORS.get((analyte, case["dstUnit"]))
            if source is None or target is None:
                continue
            outcome = Decimal(case["outcome"])
            ours = target.from_canonical(source.to_canonical(Decimal(case["value"])))
            assert ours.quantize(outcome) == outcome, case
            compared += 1
    assert compared >= 3


@needs_ucum
def test_every_unit_of_ours_in_the_ucum_tests_is_accepted_and_no_invalid_one_is() -> None:
    cases = list(ucum_cases("validation"))
    assert len(cases) > 500
    for case in cases:
        accepted = [analyte for analyte in TABLE if ucum(analyte, case["unit"], {})]
        assert accepted or case["unit"] not in UNITS
        assert case["valid"] == "true" or not accepted


def test_every_unit_of_ours_is_written_in_the_letters_of_ucum() -> None:
    assert [unit for unit in UNITS if not re.fullmatch(r"[!-~]+", unit)] == []


def test_every_code_that_the_tests_send_is_in_the_table() -> None:
    assert {LOINC[code] for code, _ in CODES.values()} == set(CODES)


@pytest.mark.parametrize(
    ("analyte", "unit", "canonical"),
    [
        *((enzyme, unit, 60) for enzyme in ("alt", "lipase") for unit in ("umol/(s.L)", "umol/s/L", "ukat/L")),
        *((enzyme, unit, 1) for enzyme in ("ast", "ggt") for unit in ("umol/(min.L)", "umol/min/L", "U/l")),
        ("blasts_percent", "/100{WBCs}", 1),
        ("neutrophils_percent", "/100{WBCs}", 1),
    ],
)
def test_a_unit_written_as_what_it_is_defined_by(analyte: str, unit: str, canonical: int) -> None:
    """A katal is a mole in a second, an enzyme unit a micromole in a minute, and of a hundred cells is per cent."""
    understood = ucum(analyte, unit, {})
    assert understood is not None
    assert to_canonical(analyte, Decimal(2), understood) == 2 * canonical
