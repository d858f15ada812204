"""TLS-01, TLS-02, CRIT-01, RESP-01 … RESP-04: what is said about values on file. Notes only, none of them holds."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from models.assessment import Finding
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

H = timedelta(hours=1)
DAY_2 = D1 + timedelta(days=1)


def said(chart: ChartBuilder, now: datetime, *rules: str) -> list[Finding]:
    found = [f for f in PaperCourse(chart, now).card.findings if f.rule in rules]
    assert all(f.verdict is None or f.rule == "RESP-01" for f in found)
    return found


# ── tumour lysis ───────────────────────────────────────────────────────────────────────────────────────────────────


def lysis(
    at: datetime = DAY_2, now: datetime | None = None, born: date = date(1981, 1, 15), **values: str
) -> list[str]:
    """The rules said after the first dose, with some values drawn at one time (potassium stands for the second test)."""
    chart = ChartBuilder(birth_on=born).ready().dose(1, 1, D1)
    chart.labs(at, **values)
    return [f.rule for f in said(chart, now or at + H, "TLS-01", "TLS-02")]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"potassium": "6.0", "phosphate": "4.5"}, True),
        ({"potassium": "5.9", "phosphate": "4.5"}, False),
        ({"potassium": "6.0", "phosphate": "4.4"}, False),
        ({"potassium": "6.0", "urate": "8.0"}, True),
        ({"potassium": "6.0", "urate": "7.9"}, False),
        ({"potassium": "6.0", "calcium": "7.0", "albumin": "4.0"}, True),
        ({"potassium": "6.0", "calcium": "7.1", "albumin": "4.0"}, False),
        ({"potassium": "6.0", "calcium": "6.6", "albumin": "3.4"}, False),
        ({"potassium": "6.0", "calcium": "6.5", "albumin": "3.4"}, True),
        ({"potassium": "6.0", "calcium_ionised": "0.5"}, False),
        ({"potassium": "6.5"}, False),
        ({"phosphate": "5", "urate": "9"}, True),
    ],
)
def test_two_tests_past_their_limits_are_laboratory_tumour_lysis(values: dict[str, str], found: bool) -> None:
    assert ("TLS-01" in lysis(**values)) == found


@pytest.mark.parametrize(
    ("analyte", "unit", "value", "found"),
    [
        ("phosphate", "mmol/L", "1.45", True),
        ("phosphate", "mmol/L", "1.44", False),
        ("urate", "umol/L", "476", True),
        ("urate", "umol/L", "475", False),
        ("calcium_corrected", "mmol/L", "1.75", True),
        ("calcium_corrected", "mmol/L", "1.76", False),
        ("calcium_corrected", "mg/dL", "7.0", True),
        ("calcium_corrected", "mg/dL", "7.01", False),
    ],
)
def test_each_limit_is_compared_as_it_is_printed_in_the_reported_unit(
    analyte: str, unit: str, value: str, found: bool
) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(DAY_2, potassium="6.2")
    limits = (
        {"uln": None, "lln": "8.5" if unit == "mg/dL" else "2.1"} if analyte.startswith("calcium") else {"uln": None}
    )
    chart.result(analyte, value, DAY_2, unit=unit, **limits)
    assert bool(said(chart, DAY_2 + H, "TLS-01")) == found


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"potassium": "6.0", "phosphate": "6.4"}, False),
        ({"potassium": "6.0", "phosphate": "6.5"}, True),
        ({"potassium": "6.0", "urate": "9"}, False),
    ],
)
def test_a_child_has_a_higher_limit_of_phosphate_and_none_of_urate(values: dict[str, str], found: bool) -> None:
    assert ("TLS-01" in lysis(born=date(2016, 1, 15), **values)) == found


@pytest.mark.parametrize(("hours", "found"), [(24, True), (24.01, False)])
def test_both_lie_within_24_hours(hours: float, found: bool) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(DAY_2, potassium="6.2")
    chart.labs(DAY_2 + timedelta(hours=hours), phosphate="5")
    assert bool(said(chart, DAY_2 + timedelta(hours=30), "TLS-01")) == found


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (D1 - timedelta(days=3), True),
        (D1 - timedelta(days=3, seconds=1), False),
        (D1 + timedelta(days=7), True),
        (D1 + timedelta(days=7, seconds=1), False),
    ],
)
def test_from_3_days_before_to_7_days_after_the_first_dose(at: datetime, found: bool) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(at, potassium="6.2", phosphate="5")
    now = max(at, D1) + H
    assert bool(said(chart, now, "TLS-01")) == found


@pytest.mark.parametrize(("creatinine", "rules"), [("1.09", ["TLS-01"]), ("1.1", ["TLS-01", "TLS-02"])])
def test_a_rise_of_creatinine_makes_it_clinical(creatinine: str, rules: list[str]) -> None:
    chart = ChartBuilder().ready(creatinine="0.8").dose(1, 1, D1)
    chart.labs(DAY_2, potassium="6.2", phosphate="5", creatinine=creatinine)
    assert [f.rule for f in said(chart, DAY_2 + H, "TLS-01", "TLS-02")] == rules


@pytest.mark.parametrize(
    ("drawn", "rules"),
    [
        (((-48, "0.8"), (-2, "1.1")), ["TLS-01", "TLS-02"]),
        (((-48, "0.8"), (-2, "1.09")), ["TLS-01"]),
        (((-48, "1.2"), (-2, "0.8")), ["TLS-01"]),  # it has fallen
        (((-48, "1.0"), (-24, "1.3"), (-2, "0.8")), ["TLS-01", "TLS-02"]),
        (((-73, "0.8"), (-2, "1.2")), ["TLS-01"]),  # too long ago
        ((), ["TLS-01"]),
    ],
)
@pytest.mark.parametrize("dosed", [False, True])
def test_before_the_first_dose_creatinine_rises_above_the_lowest_before_it(
    drawn: tuple[tuple[int, str], ...], rules: list[str], dosed: bool
) -> None:
    """After it, the last value before the first dose is the one to rise above."""
    chart = ChartBuilder().ready().without("creatinine")
    for hours, value in drawn:
        chart.labs(D1 + hours * H, creatinine=value)
    chart.labs(D1 - 2 * H, potassium="6.2", phosphate="5")
    if dosed:
        chart.dose(1, 1, D1)
    found = [f.rule for f in said(chart, D1 + H, "TLS-01", "TLS-02")]
    assert found == (["TLS-01"] if dosed else rules)


def test_a_creatinine_that_rose_later_than_a_week_after_the_start_is_no_tumour_lysis() -> None:
    chart = ChartBuilder().ready(creatinine="0.8").dose(1, 1, D1)
    chart.labs(D1 + timedelta(days=6), potassium="6.2", phosphate="5")
    late = D1 + timedelta(days=7, seconds=1)
    chart.labs(late, creatinine="2.0")
    assert [f.rule for f in said(chart, late, "TLS-01", "TLS-02")] == ["TLS-01"]


@pytest.mark.parametrize(
    ("term", "grade", "after", "clinical"),
    [
        ("Seizure", 2, timedelta(days=1), True),
        ("cardiac Arrhythmia", 1, timedelta(days=7), True),
        ("Seizure", 2, timedelta(days=7, seconds=1), False),
        ("Seizure", 0, timedelta(days=1), False),
        ("rash", 2, timedelta(days=1), False),
    ],
)
def test_what_a_clinician_charted_in_these_days_makes_it_clinical(
    term: str, grade: int, after: timedelta, clinical: bool
) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(DAY_2, potassium="6.2", phosphate="5")
    chart.add({"kind": "toxicity", "term": term, "grade": grade}, D1 + after, Role.PHYSICIAN)
    found = [f.rule for f in said(chart, D1 + after + H, "TLS-01", "TLS-02")]
    assert found == (["TLS-01", "TLS-02"] if clinical else ["TLS-01"])


def test_it_is_quiet_again_a_week_later() -> None:
    week = DAY_2 + timedelta(days=7)
    assert lysis(now=week, potassium="6.2", phosphate="5") == ["TLS-01"]
    assert lysis(now=week + timedelta(seconds=1), potassium="6.2", phosphate="5") == []


# ── alert limits ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("analyte", "quiet", "alert"),
    [
        ("anc", "0.5", "0.49"),
        ("wbc", "50", "50.1"),
        ("platelets", "20", "19.9"),
        ("haemoglobin", "7.0", "6.9"),
        ("potassium", "2.8", "2.7"),
        ("potassium", "6.0", "6.1"),
        ("sodium", "120", "119"),
        ("sodium", "158", "159"),
        ("calcium", "6.5", "6.4"),
        ("calcium", "13", "13.1"),
        ("calcium_ionised", "0.8", "0.79"),
        ("calcium_ionised", "1.58", "1.59"),
        ("magnesium", "1.0", "0.9"),
        ("magnesium", "5.0", "5.1"),
        ("phosphate", "1.1", "1.0"),
        ("phosphate", "9", "9.1"),
        ("bilirubin", "2.9", "3"),
        ("inr", "3", "3.1"),
        ("qtcf", "500", "501"),
    ],
)
def test_a_value_past_its_alert_limit_is_said(analyte: str, quiet: str, alert: str) -> None:
    for value, subjects in ((quiet, []), (alert, [analyte])):
        chart = ChartBuilder()
        chart.labs(D1, **({"anc": "1"} if analyte == "wbc" else {}), **{analyte: value})
        assert [f.subject for f in said(chart, D1 + H, "CRIT-01")] == subjects


def test_platelets_below_10_are_urgent_and_the_grade_is_said() -> None:
    chart = ChartBuilder()
    chart.labs(D1, platelets="9.9")
    (note,) = said(chart, D1 + H, "CRIT-01")
    assert note.reason == "urgent: platelets 9.9 10*9/L, alert limit < 20 10*9/L, grade 4 (CTCAE 5.0, CT-08)"
    chart.labs(D1 + H, platelets="10")
    assert not said(chart, D1 + 2 * H, "CRIT-01")[0].reason.startswith("urgent")


@pytest.mark.parametrize(
    ("analyte", "value", "comparator", "reason"),
    [
        ("potassium", "2.7", None, "potassium 2.7 mmol/L, alert limit < 2.8 mmol/L, grade 3 (CTCAE 5.0, CT-15)"),
        ("sodium", "159", ">", "sodium >159 mmol/L, alert limit > 158 mmol/L"),
        ("sodium", "159", "<", "sodium <159 mmol/L, alert limit < 120 mmol/L"),  # it may be past either
    ],
)
def test_what_is_said_has_value_limit_and_grade(analyte: str, value: str, comparator: str | None, reason: str) -> None:
    chart = ChartBuilder()
    chart.result(analyte, value, D1, comparator=comparator)
    assert [f.reason for f in said(chart, D1 + H, "CRIT-01")] == [reason]


def test_a_rise_is_said_of_bilirubin_only_and_without_a_grade_where_it_has_none() -> None:
    chart = ChartBuilder()
    for hours, bilirubin, potassium in ((0, "0.15", "3.6"), (24, "1.15", "5.0")):
        chart.labs(D1 + hours * H, bilirubin=bilirubin, potassium=potassium)
    assert [f.reason for f in said(chart, D1 + 25 * H, "CRIT-01")] == [
        "total bilirubin 1.15 mg/dL, risen by at least 1 mg/dL within 48 h"
    ]


@pytest.mark.parametrize(("value", "found"), [("1.59", False), ("1.6", True)])
def test_creatinine_is_said_from_twice_its_value_before_treatment(value: str, found: bool) -> None:
    chart = ChartBuilder().ready(creatinine="0.8").dose(1, 1, D1)
    chart.labs(DAY_2, creatinine=value)
    assert bool(said(chart, DAY_2 + H, "CRIT-01")) == found


@pytest.mark.parametrize(
    ("before", "hours", "found"), [("1.0", 48, True), ("1.01", 48, False), ("1.0", 48.01, False), ("0.5", 24, True)]
)
def test_bilirubin_that_rose_by_1_mg_within_48_hours_is_said(before: str, hours: float, found: bool) -> None:
    chart = ChartBuilder()
    chart.labs(D1, bilirubin=before)
    chart.labs(D1 + timedelta(hours=hours), bilirubin="2.0")
    assert bool(said(chart, D1 + timedelta(hours=50), "CRIT-01")) == found


def test_bilirubin_is_compared_with_the_lowest_of_these_hours() -> None:
    chart = ChartBuilder()
    for hours, value in ((0, "1.6"), (10, "0.9"), (20, "1.6"), (30, "2.0")):
        chart.labs(D1 + hours * H, bilirubin=value)
    assert said(chart, D1 + 31 * H, "CRIT-01")


def nadir(*values: str) -> ChartBuilder:
    """After the first dose: platelets once a day."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    for day, value in enumerate(values, start=1):
        chart.labs(D1 + timedelta(days=day), platelets=value)
    return chart


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (("18",), True),  # said once
        (("18", "18"), False),
        (("18", "19"), False),
        (("18", "17"), True),  # worse
        (("18", "12", "15"), False),
        (("18", "30", "18"), True),  # another nadir
    ],
)
def test_an_expected_nadir_is_said_once_and_then_quiet_until_it_worsens(values: tuple[str, ...], found: bool) -> None:
    assert bool(said(nadir(*values), D1 + timedelta(days=len(values), hours=1), "CRIT-01")) == found


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ({"temperature_c": "38.0"}, True),
        ({"temperature_c": "37.9"}, False),
        ({"active_bleeding": True}, True),
        ({"infection": True}, True),
    ],
)
def test_a_quiet_nadir_speaks_again_with_fever_or_bleeding(seen: dict[str, Any], found: bool) -> None:
    chart = nadir("18", "18")
    chart.add({"kind": "infection_bleeding", **seen}, D1 + timedelta(days=2))
    assert bool(said(chart, D1 + timedelta(days=2, hours=1), "CRIT-01")) == found


def test_before_the_first_dose_low_counts_are_no_expected_nadir() -> None:
    chart = ChartBuilder()
    for day in (3, 2):
        chart.labs(D1 - timedelta(days=day), platelets="18")
    assert said(chart, D1 - timedelta(days=1), "CRIT-01")


# ── response ───────────────────────────────────────────────────────────────────────────────────────────────────────

D21 = D1 + timedelta(days=20)
GOOD = {"marrow_blasts_percent": "2", "extramedullary_disease": False}


def answered(response: str, details: dict[str, Any] | None = None, **values: str) -> ChartBuilder:
    """A response of cycle 1, with counts drawn the same morning."""
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.labs(D21 - 3 * H, **{"platelets": "150", "anc": "2", "blasts": "0", **values})
    body = {"kind": "response", "cycle": 1, "response": response, **(GOOD if details is None else details)}
    chart.add(body, D21, Role.PHYSICIAN)
    return chart


def questions(chart: ChartBuilder, *rules: str) -> str:
    found = said(chart, D21 + H, *(rules or ("RESP-01", "RESP-02")))
    return " / ".join(f.reason for f in found if f.verdict is None)


@pytest.mark.parametrize(
    ("details", "values", "words"),
    [
        ({}, {}, ""),
        ({"marrow_blasts_percent": "4.9"}, {}, ""),
        ({"marrow_blasts_percent": "5"}, {}, "marrow blasts are 5 %: neither CR nor CRi"),
        ({"extramedullary_disease": True}, {}, "there is disease outside the marrow: neither CR nor CRi"),
        ({}, {"blasts": "0.01"}, "there are blasts in the blood: neither CR nor CRi"),
        ({}, {"platelets": "100"}, ""),
        ({}, {"platelets": "99"}, "platelets are 99 10*9/L: counts of CRi"),
        ({}, {"anc": "1"}, ""),
        ({}, {"anc": "0.99"}, "ANC is 0.99 10*9/L: counts of CRi"),
    ],
)
def test_cr_is_questioned_by_marrow_blood_counts_and_disease_elsewhere(
    details: dict[str, Any], values: dict[str, str], words: str
) -> None:
    asked = questions(answered("CR", {**GOOD, **details}, **values))
    assert asked.endswith(words)
    assert bool(asked) == bool(words)


@pytest.mark.parametrize(
    ("details", "values", "words"),
    [
        (GOOD, {"platelets": "99"}, ""),
        (GOOD, {"anc": "0.9"}, ""),
        (GOOD, {}, "both counts have recovered: counts of CR"),
        ({**GOOD, "marrow_blasts_percent": "6"}, {}, "neither CR nor CRi"),
        ({}, {}, ""),
    ],
)
def test_cri_is_questioned_when_both_counts_have_recovered(
    details: dict[str, Any], values: dict[str, str], words: str
) -> None:
    """AMB-14: one low count is enough."""
    asked = questions(answered("CRi", details, **values))
    assert asked.endswith(words)
    assert bool(asked) == bool(words)


@pytest.mark.parametrize(
    ("details", "values", "words"),
    [
        (GOOD, {}, "marrow, blood and counts fit CR"),
        (GOOD, {"anc": "0.5"}, "marrow, blood and counts fit CRi"),
        ({**GOOD, "marrow_blasts_percent": "12"}, {}, ""),
        ({"marrow_blasts_percent": "2"}, {}, ""),
    ],
)
def test_no_response_is_questioned_only_when_everything_is_known(
    details: dict[str, Any], values: dict[str, str], words: str
) -> None:
    asked = questions(answered("none", details, **values))
    assert asked.endswith(words)
    assert bool(asked) == bool(words)


@pytest.mark.parametrize(("days", "asked"), [(7, True), (7.01, False)])
def test_counts_older_than_a_week_say_nothing(days: float, asked: bool) -> None:
    chart = ChartBuilder().cycle(1, D1 - timedelta(days=1))
    chart.labs(D21 - timedelta(days=days), platelets="50")
    chart.add({"kind": "response", "cycle": 1, "response": "CR", **GOOD}, D21, Role.PHYSICIAN)
    assert bool(questions(chart)) == asked


def test_only_the_response_recorded_last_is_questioned_and_one_that_cannot_be_assessed_never() -> None:
    chart = answered("CR", {**GOOD, "marrow_blasts_percent": "12"})
    again = {"kind": "response", "cycle": 1, "response": "not_assessable", "marrow_blasts_percent": "12"}
    chart.add(again, D21 + timedelta(minutes=10), Role.PHYSICIAN)
    assert questions(chart) == ""
    chart.add({**again, "response": "CR"}, D21 + timedelta(minutes=20), Role.PHYSICIAN)
    assert questions(chart) != ""


@pytest.mark.parametrize(
    ("response", "marrow", "named"),
    [("CR", "12", "CR, but marrow blasts"), ("CRi", "12", "CRi, but marrow blasts"), ("none", "2", "no response, but")],
)
def test_the_question_names_the_response_that_was_recorded(response: str, marrow: str, named: str) -> None:
    asked = questions(answered(response, {**GOOD, "marrow_blasts_percent": marrow}))
    assert asked.startswith(f"cycle 1 was recorded as {named}")


def test_blasts_in_the_blood_are_those_counted_last_and_unknown_ones_decide_nothing() -> None:
    """In per cent or absolute; a count of the very moment of the assessment is one of those on file."""
    chart = answered("none", GOOD).without("blasts", "blasts_percent")
    assert questions(chart) == ""
    chart.labs(D21 - 2 * H, blasts="0.5")
    chart.labs(D21, blasts_percent="0")
    assert questions(chart).endswith("marrow, blood and counts fit CR")


def test_the_physician_s_word_is_not_changed() -> None:
    chart = answered("CR", {**GOOD, "marrow_blasts_percent": "12"})
    chart.ready_again(D1 + timedelta(days=21)).add({"kind": "ecg", "qtcf_ms": "420"}, D1 + timedelta(days=21))
    dose = PaperCourse(chart, D1 + timedelta(days=21)).card.dose
    assert dose is not None
    assert str(dose.mg_per_m2) == "0.5"


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"mrd_negative": True, "mrd_method": "flow cytometry"}, ""),
        ({"mrd_negative": True}, "without a method: it means below 0.01 % by flow cytometry or PCR"),
        ({"mrd_negative": False}, ""),
        ({"mrd_negative": True, "mrd_method": "PCR", "marrow_blasts_percent": "5"}, "marrow blasts are 5 %"),
    ],
)
def test_mrd_negative_means_below_1_in_10_000_by_a_named_method(details: dict[str, Any], words: str) -> None:
    asked = questions(answered("CR", {**GOOD, **details}), "RESP-03")
    assert words in asked
    assert bool(asked) == bool(words)


@pytest.mark.parametrize(
    ("given", "days", "words"),
    [
        ({"kind": "transfusion", "product": "platelets"}, 6.99, "platelets within 7 d of a transfusion"),
        ({"kind": "transfusion", "product": "platelets"}, 7, ""),
        ({"kind": "transfusion", "product": "red_cells"}, 1, ""),
        ({"kind": "g_csf", "drug": "filgrastim"}, 6.99, "ANC within 7 d of G-CSF"),
        ({"kind": "g_csf", "drug": "filgrastim"}, 7, ""),
    ],
)
def test_cr_is_uncertain_under_a_transfusion_or_growth_factor(given: dict[str, Any], days: float, words: str) -> None:
    chart = answered("CR")
    chart.add(given, D21 - 3 * H - timedelta(days=days))
    assert questions(chart, "RESP-04").endswith(words)
    assert bool(questions(chart, "RESP-04")) == bool(words)
