"""NON-06, NON-07, NON-10: laboratory toxicity from grade 2 on, against the state before treatment, until attributed elsewhere."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.toxicity.toxic_values import toxic_values
from models.assessment import Finding, Verdict
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, notes, standing_rules

D8 = D1 + timedelta(days=7)
DRAWN = D8 - timedelta(hours=3)


def second_dose(before: dict[str, str] | None = None, **now: str) -> ChartBuilder:
    """Day 8 of cycle 1, in order but for the values given."""
    return ChartBuilder().ready(**(before or {})).dose(1, 1, D1).ready_again(D8, **now)


def non_06(chart: ChartBuilder, at: datetime = D8) -> list[Finding]:
    return [f for f in PaperCourse(chart, at).card.findings if f.rule == "NON-06"]


def other(analyte: str, value: str, *, before: str | None = None, **changes: Any) -> ChartBuilder:
    """Day 8 with one further test, and with the same test before the first dose where a value is given."""
    chart = ChartBuilder().ready()
    if before is not None:
        chart.result(analyte, before, D1 - timedelta(hours=3), **changes)
    chart.dose(1, 1, D1).ready_again(D8)
    chart.result(analyte, value, DRAWN, **changes)
    return chart


@pytest.mark.parametrize(
    ("analyte", "value", "grade"),
    [
        ("alt", "165", None),  # ULN 55: exactly 3 x is grade 1
        ("alt", "165.1", 2),
        ("alt", "275", 2),
        ("alt", "275.1", 3),
        ("alt", "1101", 4),
        ("ast", "135.1", 2),
        ("bilirubin", "1.80", None),
        ("bilirubin", "1.81", 2),
        ("bilirubin", "3.61", 3),
        ("alp", "300", None),
        ("alp", "301", 2),
    ],
)
def test_the_liver_holds_from_grade_2_on_and_nobody_overrides_grade_3(
    analyte: str, value: str, grade: int | None
) -> None:
    found = non_06(second_dose(**{analyte: value}))
    assert [f"grade {grade} " in f.reason for f in found] == ([True] if grade else [])
    overridable = ["prescriber_and_second_person"] if grade == 2 else ["never"]
    assert [f.override for f in found] == (overridable if grade else [])
    assert all(f.verdict is Verdict.HOLD and f.subject == analyte for f in found)


def test_the_card_names_the_row_and_where_it_opens() -> None:
    (found,) = non_06(second_dose(alt="200"))
    assert found.reason == "ALT 200 U/L of grade 2 (CTCAE 5.0, CT-01)"
    assert "no longer > 165 U/L (> 3.0 xULN)" in str(found.clears)
    assert [i.value for i in found.inputs] == ["200 U/L (ULN 55)"]


def test_alt_of_2_8_times_its_limit_is_grade_1_and_held_by_the_label_s_own_limit() -> None:
    """SC-07, CTN-07, AMB-13: grade 1 in version 5.0, grade 2 in the version of the label."""
    card = PaperCourse(second_dose(alt="154"), D8).card
    assert standing_rules(card) == ["NON-08"]


@pytest.mark.parametrize(
    ("before", "now", "held"),
    [
        ("80", "240", False),  # 3.0 x the value before treatment
        ("80", "240.1", True),
        ("55", "165.1", True),  # exactly at the ULN is normal
    ],
)
def test_alt_that_was_abnormal_before_treatment_is_graded_against_that_value(before: str, now: str, held: bool) -> None:
    found = non_06(second_dose({"alt": before}, alt=now))
    assert [f.reason.endswith("CT-02)") or before == "55" for f in found] == ([True] if held else [])


@pytest.mark.parametrize(
    ("before", "now", "held"),
    [("90", "150", True), ("91", "119", False), ("91", "120", False), ("91", "120.1", True), ("130", "300", False)],
)
def test_a_grade_not_above_the_one_before_treatment_does_not_hold(before: str, now: str, held: bool) -> None:
    """Lipase with an ULN of 60: grade 2 above 90, grade 3 above 120."""
    now = "91" if now == "150" else now
    assert bool(non_06(other("lipase", now, before=before, uln=Decimal(60)))) == held


def test_nothing_holds_before_the_first_dose_nor_for_what_was_drawn_before_it() -> None:
    before = ChartBuilder().ready()
    before.result("lipase", "900", D1 - timedelta(hours=2), uln=Decimal(60))
    assert not non_06(before, D1)
    assert not non_06(before.dose(1, 1, D1).ready_again(D8))


@pytest.mark.parametrize("analyte", ["anc", "platelets", "wbc", "haemoglobin"])
def test_counts_never_hold_under_this_rule(analyte: str) -> None:
    chart = second_dose(**{"anc": "0.1", analyte: "1.1"})
    assert not non_06(chart)
    assert PaperCourse(chart, D8).card.verdict is Verdict.MAY_AUTHORISE


def test_a_test_without_its_upper_limit_is_unknown_and_asks_for_it() -> None:
    card = PaperCourse(other("lipase", "900", uln=None), D8).card
    assert (card.verdict, standing_rules(card)) == (Verdict.NEED_DATA, ["CONV-03"])


@pytest.mark.parametrize(
    ("value", "comparator", "rules"),
    [
        ("90", "<", []),
        ("91", "<", ["LAB-05"]),
        ("80", ">", ["LAB-05"]),
        ("90", ">", ["NON-06"]),
        ("90", ">=", ["LAB-05"]),
        ("500", ">", ["NON-06"]),
    ],
)
def test_a_comparator_at_grade_2_leaves_it_open(value: str, comparator: str, rules: list[str]) -> None:
    chart = other("lipase", value, uln=Decimal(60), comparator=comparator)
    assert standing_rules(PaperCourse(chart, D8).card) == rules
    assert all(f.override == "never" for f in non_06(chart))  # it may be worse than grade 2


def attributed(chart: ChartBuilder, at: datetime, term: str = "lipase", by: Role = Role.PHYSICIAN, **word: Any) -> None:
    said = {"kind": "toxicity_attribution", "term": term, "due_to_ino": False, "cause": "gallstones", **word}
    chart.add(said, at, by)


@pytest.mark.parametrize(
    ("term", "by", "due_to_ino", "held"),
    [
        ("lipase", Role.PHYSICIAN, False, False),
        (" Lipase ", Role.PRESCRIBER, False, False),
        ("lipase", Role.PHYSICIAN, True, True),
        ("amylase", Role.PHYSICIAN, False, True),
        ("lipase", Role.NURSE, False, True),
    ],
)
def test_a_physician_names_another_cause(term: str, by: Role, due_to_ino: bool, held: bool) -> None:
    chart = other("lipase", "100", uln=Decimal(60))
    attributed(chart, D8 - timedelta(hours=1), term, by, due_to_ino=due_to_ino)
    assert bool(non_06(chart)) == held


@pytest.mark.parametrize(("later", "held"), [("100", False), ("119", False), ("121", True)])
def test_a_worse_grade_after_the_word_asks_again(later: str, held: bool) -> None:
    chart = other("lipase", "110", uln=Decimal(60))
    attributed(chart, D8 - timedelta(hours=2))
    chart.result("lipase", later, D8 - timedelta(hours=1), uln=Decimal(60))
    assert bool(non_06(chart)) == held


def test_a_new_episode_after_a_recovery_asks_again() -> None:
    chart = other("lipase", "110", uln=Decimal(60))
    attributed(chart, D8 - timedelta(hours=2, minutes=30))
    chart.result("lipase", "50", D8 - timedelta(hours=2), uln=Decimal(60))
    assert not non_06(chart)
    chart.result("lipase", "100", D8 - timedelta(hours=1), uln=Decimal(60))
    assert non_06(chart)


def test_a_word_given_before_the_result_covers_nothing() -> None:
    chart = other("lipase", "110", uln=Decimal(60))
    attributed(chart, D8 - timedelta(hours=4))
    assert non_06(chart)


def test_the_last_word_counts_and_a_retracted_one_does_not() -> None:
    chart = other("lipase", "110", uln=Decimal(60))
    attributed(chart, D8 - timedelta(hours=2))
    attributed(chart, D8 - timedelta(hours=1), due_to_ino=True)
    assert non_06(chart)
    last = chart.facts[-1].id
    chart.add({"kind": "correction", "target": last, "reason": "wrong patient"}, D8 - timedelta(minutes=5))
    assert not non_06(chart)


def test_for_the_length_of_an_interruption_an_ungraded_sample_shows_no_recovery() -> None:
    chart = other("lipase", "110", uln=Decimal(60))
    chart.result("lipase", "50", D8 - timedelta(hours=1), uln=None)
    case = Case(chart.chart(), load_protocol(LABEL), D8)
    assert [v.counts for v in toxic_values(case, "lipase")] == [True, True]
    chart.result("lipase", "90", D8 - timedelta(minutes=30), uln=Decimal(60))
    case = Case(chart.chart(), load_protocol(LABEL), D8)
    assert [v.counts for v in toxic_values(case, "lipase")] == [True, True, False]


def test_what_was_high_before_treatment_is_no_interruption() -> None:
    chart = ChartBuilder()
    chart.result("lipase", "200", D1 - timedelta(days=5), uln=Decimal(60))
    chart.ready().result("lipase", "50", D1 - timedelta(hours=3), uln=Decimal(60))
    case = Case(chart.dose(1, 1, D1).chart(), load_protocol(LABEL), D8)
    assert [v.counts for v in toxic_values(case, "lipase")] == [False, False]


# ── notes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "rule", "words"),
    [
        ({"potassium": "3.6"}, None, ""),
        ({"potassium": "2.9"}, "CT-15", "grade 3 (CTCAE 5.0, CT-15)"),
        ({"magnesium": "1.2"}, None, ""),
        ({"magnesium": "1.1"}, "CT-16", "grade 2 (CTCAE 5.0, CT-16)"),
        ({"calcium": "8.0", "albumin": "4.0"}, None, ""),
        ({"calcium": "7.9", "albumin": "4.0"}, "CT-18", "albumin-corrected calcium of grade 2"),
        ({"calcium": "7.9", "albumin": "3.8"}, None, ""),
        ({"calcium": "11.6", "albumin": "4.0"}, "CT-20", "grade 2"),
        ({"albumin": "2.9", "calcium": "9.0"}, "CT-23", "grade 2"),
    ],
)
def test_other_tests_are_said_from_grade_2_on_and_never_hold(
    values: dict[str, str], rule: str | None, words: str
) -> None:
    """SC-50: potassium 2.9 is of grade 3, magnesium 1.1 mg/dL of grade 2."""
    card = PaperCourse(ChartBuilder().ready(**values), D1).card
    said = {f.rule: f.reason for f in card.findings if f.verdict is None and f.rule.startswith("CT-")}
    assert set(said) == ({rule} if rule else set())
    assert words in said.get(rule or "", "")


def test_a_qtc_is_said_with_its_grade() -> None:
    """SC-49: 506 ms after 440 ms."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "ecg", "qtcf_ms": "506"}, DRAWN)
    assert "CT-26" in notes(PaperCourse(chart.ready_again(D8), D8).card)


def test_a_note_is_silent_after_a_week_and_the_card_knows_when() -> None:
    chart = ChartBuilder().ready(potassium="2.9")
    drawn = D1 - timedelta(hours=2)
    week = drawn + timedelta(days=7)
    assert "CT-15" in notes(PaperCourse(chart, week).card)
    assert PaperCourse(chart, week).card.valid_until == week + timedelta(seconds=1)
    assert "CT-15" not in notes(PaperCourse(chart, week + timedelta(seconds=1)).card)
