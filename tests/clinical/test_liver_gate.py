"""NON-02, NON-08 and NON-06: each limit just below, at and just above, missing, and in another unit."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.coding.units import label
from models.assessment import Finding, Verdict
from models.people import Role
from tests.factories import D1, LABEL, LIVER, PROTOCOLS, ChartBuilder, PaperCourse, notes, standing_rules

D8 = D1 + timedelta(days=7)
DRAWN = D8 - timedelta(hours=2)


def second_dose(protocol: str = LABEL, **values: str) -> PaperCourse:
    """Day 8 of cycle 1 with everything in order but these values. ULN: bilirubin 1.2 mg/dL, ALT 55, AST 45, ALP 120."""
    return PaperCourse(ChartBuilder(protocol).ready().dose(1, 1, D1).ready_again(D8, **values), D8)


def with_result(analyte: str, value: str, **changes: Any) -> PaperCourse:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)
    chart.result(analyte, value, DRAWN, **changes)
    return PaperCourse(chart, D8)


def finding(course: PaperCourse, rule: str) -> Finding:
    return next(f for f in course.card.findings if f.rule == rule)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("bilirubin", "alt", "ast", "rules"),
    [
        ("1.80", "137.5", "112.5", []),  # exactly 1.5 and 2.5 x ULN pass
        ("1.79", "137.4", "112.4", []),
        ("1.81", "137.5", "112.5", ["NON-08", "NON-06"]),  # bilirubin is of grade 2 too (CT-03)
        ("1.80", "137.6", "112.5", ["NON-08"]),
        ("1.80", "137.5", "112.6", ["NON-08"]),
        ("1.81", "137.6", "112.5", ["NON-02", "NON-06"]),
        ("1.81", "137.5", "112.6", ["NON-02", "NON-06"]),  # AMB-02: either transaminase
        ("1.81", "137.6", "112.6", ["NON-02", "NON-06"]),
    ],
)
def test_second_dose_waits_above_one_and_a_half_and_two_and_a_half_times_uln(
    protocol: str, bilirubin: str, alt: str, ast: str, rules: list[str]
) -> None:
    card = second_dose(protocol, bilirubin=bilirubin, alt=alt, ast=ast).card
    assert standing_rules(card) == rules
    assert card.verdict is (Verdict.HOLD if rules else Verdict.MAY_AUTHORISE)


@pytest.mark.parametrize(
    ("mg_dl", "umol_l", "uln_mg_dl", "uln_umol_l"),
    [
        ("1.80", "30.7872", "1.2", "20.5248"),
        ("1.81", "30.95824", "1.2", "20.5248"),
        ("1.79", "30.61616", "1.2", "20.5248"),
        ("1.50", "25.5", "1.0", "17"),
        ("1.51", "25.67", "1.0", "17"),
    ],
)
def test_bilirubin_in_either_unit_gives_one_verdict(mg_dl: str, umol_l: str, uln_mg_dl: str, uln_umol_l: str) -> None:
    us = with_result("bilirubin", mg_dl, uln=Decimal(uln_mg_dl))
    si = with_result("bilirubin", umol_l, loinc="14631-6", unit="umol/L", uln=Decimal(uln_umol_l))
    assert us.card.verdict == si.card.verdict
    assert standing_rules(us.card) == standing_rules(si.card)


@pytest.mark.parametrize(("ukat", "rules"), [("2.2916", []), ("2.2917", []), ("2.30", ["NON-08"])])
def test_alt_in_microkatal_is_compared_with_the_uln_of_its_own_report(ukat: str, rules: list[str]) -> None:
    course = with_result("alt", ukat, unit="ukat/L", uln=Decimal("0.91668"))
    assert standing_rules(course.card) == rules


@pytest.mark.parametrize("analyte", LIVER)
def test_a_missing_liver_value_is_named(analyte: str) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8).without(analyte)
    card = PaperCourse(chart, D8).card
    assert card.verdict is Verdict.NEED_DATA
    assert [f.reason for f in card.standing] == [f"{label(analyte)} is missing"]


@pytest.mark.parametrize("analyte", LIVER)
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"uln": None}, "CONV-03"),
        ({"uln": Decimal(0)}, "CONV-03"),
        ({"limit_unit": "nkat/L"}, "CONV-03"),
        ({"unit": None}, "CONV-01"),
        ({"unit": ""}, "CONV-01"),
        ({"unit": "units"}, "CONV-01"),
        ({"unit": "u/l"}, "CONV-01"),
    ],
    ids=str,
)
def test_without_unit_or_uln_a_liver_value_is_unknown_and_the_older_one_is_not_used(
    analyte: str, changes: dict[str, Any], rule: str
) -> None:
    course = with_result(analyte, "5", **changes)
    assert course.card.verdict is Verdict.NEED_DATA
    assert standing_rules(course.card) == [rule]


def test_once_both_were_high_the_hold_stands_while_only_one_is_high() -> None:
    course = second_dose(bilirubin="2.0", alt="200")
    assert standing_rules(course.card) == ["NON-02", "NON-06"]
    chart = ChartBuilder()
    chart.facts = list(course.chart.facts)
    later = D8 + timedelta(days=1)
    chart.labs(later, *LIVER, bilirubin="1.0", alt="138")
    chart.ready_again(later + timedelta(hours=3), bilirubin="1.0", alt="138")
    assert "NON-02" in standing_rules(PaperCourse(chart, later + timedelta(hours=4)).card)
    chart.labs(later + timedelta(hours=5), *LIVER, bilirubin="1.8", alt="137.5")
    assert "NON-02" not in standing_rules(PaperCourse(chart, later + timedelta(hours=6)).card)


def test_values_within_their_limits_on_different_days_are_not_one_panel() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, bilirubin="2.0", alt="200")
    chart.labs(D8 + timedelta(days=1), "bilirubin")
    chart.labs(D8 + timedelta(days=2), "alt", "ast", "alp")
    now = D8 + timedelta(days=2, hours=1)
    assert "NON-02" in standing_rules(PaperCourse(chart, now).card)
    chart.labs(D8 + timedelta(days=2, hours=1), "bilirubin")
    assert "NON-02" not in standing_rules(PaperCourse(chart, now + timedelta(hours=1)).card)


def test_a_hold_by_a_result_that_was_entered_in_error_is_gone_with_the_next_usable_one() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)
    sent = {"accession": "a-7", "issued_at": DRAWN}
    chart.result("bilirubin", "2.4", DRAWN, **sent)
    chart.result("alt", "200", DRAWN, **sent)
    assert standing_rules(PaperCourse(chart, D8).card) == ["NON-02", "NON-06"]
    chart.result("alt", "200", DRAWN, **{**sent, "status": "entered-in-error", "recorded_at": D8})
    assert standing_rules(PaperCourse(chart, D8).card) == ["NON-02", "NON-06"]
    chart.result("alt", "30", DRAWN + timedelta(minutes=1))
    assert standing_rules(PaperCourse(chart, D8).card) == ["NON-08", "NON-06"]


@pytest.mark.parametrize(
    ("alt", "comparator", "rules"),
    [
        ("137.5", "<", []),
        ("137.5", "<=", []),
        ("137.6", "<", ["LAB-05"]),
        ("600", "<", ["LAB-05"]),
        ("137.5", ">", ["NON-08", "LAB-05"]),  # surely above 2.5 x ULN; whether of grade 2 is open
        ("137.5", ">=", ["LAB-05"]),
        ("100", ">", ["LAB-05"]),
        ("600", ">", ["NON-08", "NON-06"]),
        ("100", "~", ["LAB-05"]),
    ],
)
def test_a_comparator_that_straddles_the_limit_makes_alt_unknown(alt: str, comparator: str, rules: list[str]) -> None:
    assert standing_rules(with_result("alt", alt, comparator=comparator).card) == rules


def test_a_straddling_value_is_not_half_of_a_hard_hold() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, alt="200")
    chart.result("bilirubin", "3.0", DRAWN, comparator="<")
    card = PaperCourse(chart, D8).card
    assert standing_rules(card) == ["NON-08", "NON-06", "LAB-05"]


def test_the_card_says_the_limit_in_numbers_and_what_clears_it() -> None:
    alone = finding(second_dose(alt="160"), "NON-08")
    assert "160 U/L" in alone.reason
    assert "137.5 U/L (2.5 x ULN of 55)" in alone.reason
    assert alone.override == "prescriber_and_second_person"
    assert alone.confidence == "site default"
    above = finding(with_result("alt", "600", comparator=">"), "NON-08")
    assert [i.value for i in above.inputs] == [">600 U/L (ULN 55)"]
    both = finding(second_dose(alt="160", bilirubin="2.0"), "NON-02")
    assert both.override == "never"
    assert "1.5 xULN" in (both.clears or "")


@pytest.mark.parametrize(
    ("analyte", "at_the_limit", "above", "uln"),
    [
        ("alp", "300", "300.1", "120"),
        ("ggt", "150", "150.1", "60"),
        ("creatinine", "1.80", "1.81", "1.2"),
        ("lipase", "90", "90.1", "60"),
        ("amylase", "150", "150.1", "100"),
    ],
)
def test_other_tests_hold_from_grade_2_on_once_a_dose_was_given(
    analyte: str, at_the_limit: str, above: str, uln: str
) -> None:
    before = ChartBuilder().ready(creatinine="1.2")
    before.result(analyte, above, D1 - timedelta(minutes=90), uln=Decimal(uln))
    assert PaperCourse(before, D1).card.verdict is Verdict.MAY_AUTHORISE
    for value, rules in ((at_the_limit, []), (above, ["NON-06"])):
        chart = ChartBuilder().ready(creatinine="1.2").dose(1, 1, D1).ready_again(D8)
        chart.result(analyte, value, DRAWN, uln=Decimal(uln))
        assert standing_rules(PaperCourse(chart, D8).card) == rules


@pytest.mark.parametrize(("now", "rules"), [("0.90", []), ("0.91", ["NON-06"])])
def test_creatinine_is_also_graded_by_its_value_before_treatment(now: str, rules: list[str]) -> None:
    """CT-21: above 1.5 x baseline, also where it is below the ULN, or the ULN is not given."""
    for uln in (Decimal("1.2"), None):
        chart = ChartBuilder().ready(creatinine="0.6").dose(1, 1, D1).ready_again(D8)
        chart.result("creatinine", now, DRAWN, uln=uln)
        assert standing_rules(PaperCourse(chart, D8).card) == rules


@pytest.mark.parametrize(
    ("grade", "elsewhere", "by", "held"),
    [
        (1, None, Role.NURSE, False),
        (2, None, Role.NURSE, True),
        (2, True, Role.NURSE, True),
        (2, False, Role.PHYSICIAN, False),
        (2, False, Role.PRESCRIBER, False),
        (2, False, Role.NURSE, True),
        (3, None, Role.PHYSICIAN, True),
    ],
)
def test_toxicity_of_grade_2_holds_until_a_physician_attributes_it_elsewhere(
    grade: int, elsewhere: bool | None, by: Role, held: bool
) -> None:
    course = second_dose()
    body = {"kind": "toxicity", "term": "nausea", "grade": grade, "attributed_to_ino": elsewhere}
    course.does("record_finding", by, finding=body)
    assert ("NON-06" in standing_rules(course.card)) == held


def test_toxicity_is_over_with_a_later_grade_of_the_same_term() -> None:
    course = second_dose()
    course.does("record_finding", Role.NURSE, finding={"kind": "toxicity", "term": "Nausea", "grade": 2})
    course.later(hours=1).does("record_finding", Role.NURSE, finding={"kind": "toxicity", "term": "rash", "grade": 0})
    assert "NON-06" in standing_rules(course.card)
    course.does("record_finding", Role.NURSE, finding={"kind": "toxicity", "term": "nausea", "grade": 1})
    assert standing_rules(course.card) == []
    assert "DOSE-01" in notes(course.card)
