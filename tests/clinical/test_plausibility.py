"""PLAU-01, CONV-03, LAB-06: what cannot be true is refused, what is unusual waits for a clinician's confirmation."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.coding.meaning import READ
from clinical.course.case import Case
from clinical.results.results import LOW_COUNTS_AS_LOW
from models.assessment import Verdict
from models.people import Role
from plumbing.protocol_files import load_protocol, released_names
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab, standing_rules

D8 = D1 + timedelta(days=7)
H = timedelta(hours=1)
UMOL = Decimal("17.104")


def ready() -> ChartBuilder:
    """Day 8 of cycle 1, everything in order; the panel was drawn three hours ago."""
    return ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)


def asked(chart: ChartBuilder, now: Any = D8) -> tuple[Verdict, list[str]]:
    card = PaperCourse(chart, now).card
    return card.verdict, standing_rules(card)


PASSES = (Verdict.MAY_AUTHORISE, [])
REFUSED = (Verdict.NEED_DATA, ["LAB-05"])
CONFIRM = (Verdict.NEED_DATA, ["PLAU-01"])
HIGH_AND_IN_DOUBT = (Verdict.HOLD, ["NON-08", "NON-06", "PLAU-01"])
"""A bilirubin that jumped holds as if nobody doubted it."""
NO_LIMIT = (Verdict.NEED_DATA, ["CONV-03"])


def confirmed(chart: ChartBuilder, fact: str, by: Role = Role.PHARMACIST) -> ChartBuilder:
    chart.add({"kind": "result_confirmed", "target": fact}, D8 - H / 4, by)
    return chart


# ── hard limits ────────────────────────────────────────────────────────────────────────────────────────────────────

LIMITS = [
    ("alt", "U/L", "1", "25000"),
    ("ast", "U/L", "1", "25000"),
    ("alp", "U/L", "3", "10000"),
    ("ggt", "U/L", "1", "10000"),
    ("bilirubin", "mg/dL", "0", "80"),
    ("bilirubin_direct", "mg/dL", "0", "80"),
    ("albumin", "g/dL", "0.5", "7"),
    ("creatinine", "mg/dL", "0.1", "30"),
    ("potassium", "mmol/L", "1.0", "12"),
    ("sodium", "mmol/L", "90", "200"),
    ("magnesium", "mg/dL", "0.2", "20"),
    ("calcium", "mg/dL", "2", "25"),
    ("phosphate", "mg/dL", "0.2", "30"),
    ("urate", "mg/dL", "0", "50"),
    ("wbc", "10*9/L", "0", "1500"),
    ("anc", "10*9/L", "0", "150"),
    ("platelets", "10*9/L", "0", "5000"),
    ("haemoglobin", "g/dL", "1", "25"),
    ("blasts_percent", "%", "0", "100"),
    ("lipase", "U/L", "0", "50000"),
    ("amylase", "U/L", "0", "50000"),
    ("qt", "ms", "200", "800"),
    ("qtcf", "ms", "200", "800"),
    ("heart_rate", "/min", "20", "300"),
    ("calcium_corrected", "mg/dL", "2", "25"),
    ("calcium_ionised", "mmol/L", "0.2", "4"),
    ("egfr", "mL/min/{1.73_m2}", "1", "300"),
    ("inr", "{INR}", "0.5", "30"),
    ("qtc", "ms", "200", "800"),
    ("qtcb", "ms", "200", "800"),
    ("temperature", "Cel", "25", "45"),
]
WITHOUT_LIMITS = {
    "qrs": "it only raises a doubt: of any width above its limit a person looks at the tracing, a narrow one says nothing",
    "rr": "it is read as the heart rate that it means, which has its limits",
}
"""Analytes that a rule reads and that have no hard limits, with the reason."""
CODE = {"bilirubin_direct": "1968-7", "sodium": "2951-2", "qt": "8634-8", "heart_rate": "8867-4"}
CODE |= {"qtc": "8636-3", "qtcb": "76635-2", "temperature": "8310-5"}
URGENT = {"alt", "ast", "bilirubin", "potassium", "qt", "qtc", "qtcb", "qtcf"}
STEP = Decimal("0.001")


def read(analyte: str, value: Decimal, unit: str, **changes: Any) -> str | None:
    """The rule that refuses this value; `None` where it can be used."""
    chart = ChartBuilder()
    fields = {"uln": None, "lln": Decimal("0.1"), "unit": unit, "loinc": CODE.get(analyte), **changes}
    if analyte in ("alt", "ast", "alp", "bilirubin"):
        fields["uln"] = Decimal("1.2") if analyte == "bilirubin" else Decimal(50)
    fields = {name: field for name, field in fields.items() if field is not None}
    known = analyte if analyte not in CODE else "alt"
    result = a_lab(known, format(value, "f"), at=D1 - H, **fields)
    chart.add(result, D1 - H, Role.LABORATORY)
    found = Case(chart.chart(), load_protocol(LABEL), D1).opening(analyte).unknown
    return None if found is None else found.rule


@pytest.mark.parametrize(("analyte", "unit", "low", "high"), LIMITS)
def test_a_hard_limit_itself_counts_and_what_lies_beyond_does_not(analyte: str, unit: str, low: str, high: str) -> None:
    beyond = "LAB-06"
    assert read(analyte, Decimal(high), unit) is None
    assert read(analyte, Decimal(high) - STEP, unit) is None
    assert read(analyte, Decimal(high) + STEP, unit) == beyond
    assert read(analyte, Decimal(low), unit) is None
    assert read(analyte, Decimal(low) + STEP, unit) is None
    assert read(analyte, Decimal(low) - STEP, unit) == "LAB-05"


@pytest.mark.parametrize("name", released_names())
def test_every_analyte_that_a_rule_reads_has_hard_limits_or_a_reason_for_none(name: str) -> None:
    assert READ - load_protocol(name).plausible.keys() == WITHOUT_LIMITS.keys()


@pytest.mark.parametrize("name", released_names())
def test_implausibly_low_counts_as_low_wherever_a_low_value_calls(name: str) -> None:
    rows = load_protocol(name).critical.rows
    calls_when_low = {a for a, row in rows.items() if any(cut.sign.startswith("<") for cut in row.alert)}
    assert calls_when_low <= LOW_COUNTS_AS_LOW


@pytest.mark.parametrize(("value", "unit"), [("39", "[degF]"), ("39", "K"), ("20", "Cel")])
def test_a_temperature_that_is_no_living_persons_cannot_be_used(value: str, unit: str) -> None:
    assert read("temperature", Decimal(value), unit) == "LAB-05"


def test_a_charted_one_is_none_and_answers_no_fever() -> None:
    def checked(*taken: str) -> tuple[Verdict, list[str]]:
        chart = ready()
        for minutes, celsius in enumerate(taken):
            body = {"kind": "infection_bleeding", "temperature_c": celsius, "active_bleeding": False}
            chart.add({**body, "infection": False, "anaemia_symptoms": False}, D8 - H / 2 + minutes * H / 60)
        return asked(chart)

    assert checked("36.8") == PASSES
    assert checked("20") == (Verdict.NEED_DATA, ["MON-16"])
    assert checked("39", "20")[0] is Verdict.HOLD
    assert checked("39", "36.8")[0] is checked("39", "25")[0]


@pytest.mark.parametrize(
    ("value", "comparator", "rule"),
    [
        ("25000", ">", "LAB-06"),
        ("25000", ">=", None),
        ("24999", ">", None),
        ("30000", ">", "LAB-06"),
        ("30000", "<", None),
        ("1", "<", "LAB-05"),
        ("1", "<=", None),
        ("0.5", "<=", "LAB-05"),
        ("0.5", ">", None),
    ],
)
def test_a_comparator_is_beyond_a_hard_limit_only_when_every_value_that_it_allows_is(
    value: str, comparator: str, rule: str | None
) -> None:
    assert read("alt", Decimal(value), "U/L", comparator=comparator) == rule


@pytest.mark.parametrize(("value", "unit"), [("80.1", "mg/dL"), ("1368.33", "umol/L"), ("801", "mg/L")])
def test_hard_limits_hold_in_every_unit(value: str, unit: str) -> None:
    assert read("bilirubin", Decimal(value), unit) == "LAB-06"


@pytest.mark.parametrize("analyte", ["qt", "qtcf"])
def test_a_qt_below_one_millisecond_is_told_to_be_seconds_probably(analyte: str) -> None:
    chart = ChartBuilder().ready()
    chart.result("qtcf", "0.42", D1 - H, loinc=CODE.get(analyte, "76634-5"))
    card = PaperCourse(chart, D1).card
    assert (card.verdict, standing_rules(card)) == REFUSED
    assert "probably seconds" in card.standing[0].reason
    chart.result("qtcf", "1", D1 - H / 2, loinc=CODE.get(analyte, "76634-5"))
    assert "probably seconds" not in PaperCourse(chart, D1).card.standing[0].reason


@pytest.mark.parametrize("status", ["preliminary", "registered", "unknown", "final"])
@pytest.mark.parametrize("changes", [{}, {"collected_at": None}, {"uln": None}], ids=str)
def test_an_implausibly_high_alt_calls_a_person_whatever_else_is_wrong_with_it(
    status: str, changes: dict[str, Any]
) -> None:
    chart = ready()
    chart.result("alt", "25001", D8 - H, status=status, **changes)
    assert asked(chart)[0] is Verdict.HOLD_URGENT
    assert asked(chart)[1][0] == "LAB-06"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "cancelled"},
        {"absent_reason": "error"},
        {"unit": "U/ml"},
        {"status": "preliminary", "value": "25000"},
    ],
    ids=str,
)
def test_no_person_is_called_for_a_value_that_was_cancelled_or_is_none(changes: dict[str, Any]) -> None:
    chart = ready()
    chart.result("alt", "25001", D8 - H, **changes)
    assert asked(chart)[0] is Verdict.NEED_DATA


def test_a_hard_limit_is_not_confirmed_away() -> None:
    chart = ready()
    fact = chart.result("alp", "10001", D8 - H)
    assert asked(confirmed(chart, fact)) == (Verdict.HOLD, ["LAB-06"])


# ── limits of normal ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("analyte", "unit", "uln", "answer"),
    [
        ("alt", "U/L", "9.9", CONFIRM),
        ("alt", "U/L", "10", PASSES),
        ("alt", "U/L", "100", PASSES),
        ("alt", "U/L", "100.1", CONFIRM),
        ("alt", "U/L", "800", CONFIRM),
        ("alt", "U/L", "800.1", NO_LIMIT),
        ("alt", "U/L", "0", NO_LIMIT),
        ("alt", "U/L", "-40", NO_LIMIT),
        ("alt", "ukat/L", "1.66", CONFIRM),
        ("alt", "ukat/L", "1.67", CONFIRM),
        ("ast", "U/L", "800", PASSES),
        ("ast", "U/L", "801", NO_LIMIT),
        ("alp", "U/L", "2400", PASSES),
        ("alp", "U/L", "2401", NO_LIMIT),
        ("bilirubin", "mg/dL", "0.49", CONFIRM),
        ("bilirubin", "mg/dL", "0.5", PASSES),
        ("bilirubin", "mg/dL", "2.5", PASSES),
        ("bilirubin", "mg/dL", "2.51", CONFIRM),
        ("bilirubin", "mg/dL", "24", CONFIRM),
        ("bilirubin", "mg/dL", "24.1", NO_LIMIT),
        ("bilirubin", "umol/L", "8.552", PASSES),
        ("bilirubin", "umol/L", "8.551", CONFIRM),
        ("bilirubin", "umol/L", "42.76", PASSES),
        ("bilirubin", "umol/L", "42.77", CONFIRM),
        ("bilirubin", "umol/L", "1.2", CONFIRM),
    ],
)
def test_an_upper_limit_of_normal_is_measured_by_what_laboratories_print(
    analyte: str, unit: str, uln: str, answer: tuple[Verdict, list[str]]
) -> None:
    values = {"ukat/L": "0.16", "umol/L": "1.2", "mg/dL": "0.4", "U/L": "5"}
    uln = "0.16" if uln == "1.66" else "1.6668" if uln == "1.67" else uln
    chart = ready()
    fact = chart.result(analyte, values[unit], D8 - H, unit=unit, uln=Decimal(uln))
    assert asked(chart) == answer
    confirmed(chart, fact)
    assert asked(chart) == (PASSES if answer == CONFIRM else answer)


@pytest.mark.parametrize("by", [Role.PRESCRIBER, Role.PHYSICIAN, Role.PHARMACIST, Role.NURSE])
def test_any_clinical_role_may_confirm(by: Role) -> None:
    chart = ready()
    fact = chart.result("alt", "9", D8 - H, uln=Decimal(9))
    assert asked(confirmed(chart, fact, by)) == PASSES


@pytest.mark.parametrize("by", [Role.LABORATORY, Role.COORDINATOR, Role.ADMINISTRATOR])
def test_nobody_else_confirms_a_result(by: Role) -> None:
    chart = ready()
    fact = chart.result("alt", "9", D8 - H, uln=Decimal(9))
    assert asked(confirmed(chart, fact, by)) == CONFIRM


def test_a_confirmation_is_for_one_result_and_ends_with_its_correction() -> None:
    chart = ready()
    fact = chart.result("alt", "9", D8 - H, uln=Decimal(9), accession="a-7")
    assert asked(confirmed(chart, "another")) == CONFIRM
    assert asked(confirmed(chart, fact)) == PASSES
    chart.result("alt", "8", D8 - H, uln=Decimal(9), accession="a-7", status="corrected", recorded_at=D8 - H / 2)
    assert asked(chart) == CONFIRM


def test_a_result_that_waits_says_how_it_is_confirmed_and_an_older_value_is_not_used() -> None:
    chart = ready()
    fact = chart.result("alt", "9", D8 - H, uln=Decimal(9))
    (finding,) = PaperCourse(chart, D8).card.standing
    assert finding.clears is not None
    assert fact in finding.clears
    assert "waits for a person's confirmation" in finding.reason
    course = PaperCourse(chart, D8)
    course.does("record_finding", Role.NURSE, finding={"kind": "result_confirmed", "target": fact})
    assert course.card.verdict is Verdict.MAY_AUTHORISE


# ── jumps ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "after", "hours", "answer"),
    [
        ("0.1", "0.99", 3, PASSES),
        ("0.1", "1.0", 3, CONFIRM),
        ("0.1", "1.0", 24, CONFIRM),
        ("0.1", "1.0", 24.5, PASSES),
        ("1.2", "0.13", 3, PASSES),
        ("1.2", "0.12", 3, CONFIRM),
        ("0", "0", 3, PASSES),
        ("0", "0.1", 3, CONFIRM),
    ],
)
def test_a_bilirubin_that_changes_tenfold_within_a_day_waits(
    before: str, after: str, hours: float, answer: tuple[Verdict, list[str]]
) -> None:
    chart = ready().without("bilirubin")
    chart.result("bilirubin", before, D8 - H - timedelta(hours=hours))
    fact = chart.result("bilirubin", after, D8 - H)
    assert asked(chart) == answer
    assert asked(confirmed(chart, fact)) == PASSES


def test_a_tenfold_change_is_seen_across_units() -> None:
    chart = ready()
    chart.result("bilirubin", "136.832", D8 - H, unit="umol/L", uln=Decimal(20))
    assert asked(chart) == HIGH_AND_IN_DOUBT
    chart = ready()
    chart.result("bilirubin", "13.6832", D8 - H, unit="umol/L", uln=Decimal(20))
    assert asked(chart) == PASSES


def test_a_second_draw_beside_the_jump_does_not_confirm_it_but_one_beside_the_old_value_clears_it() -> None:
    chart = ready()
    chart.result("bilirubin", "8.2", D8 - 2 * H)
    chart.result("bilirubin", "8.1", D8 - H)
    assert asked(chart) == HIGH_AND_IN_DOUBT
    chart.result("bilirubin", "0.9", D8 - H / 2)
    assert asked(chart) == PASSES


def test_a_confirmed_jump_is_what_later_values_are_seen_against() -> None:
    chart = ready()
    fact = chart.result("bilirubin", "8.2", D8 - 2 * H)
    confirmed(chart, fact)
    held = asked(chart)
    assert held[0] is Verdict.HOLD
    chart.result("bilirubin", "8.1", D8 - H)
    assert asked(chart) == held
    chart.result("bilirubin", "0.8", D8 - H / 2)
    assert "PLAU-01" in asked(chart)[1]


@pytest.mark.parametrize(
    ("before", "after", "hours", "answer"),
    [
        ("40", "140", 3, PASSES),
        ("40", "140.1", 3, CONFIRM),
        ("40", "140.1", 24, CONFIRM),
        ("40", "140.1", 24.5, PASSES),
        ("140", "20", 3, PASSES),
    ],
)
def test_platelets_that_rise_by_more_than_100_within_a_day_wait(
    before: str, after: str, hours: float, answer: tuple[Verdict, list[str]]
) -> None:
    chart = ready().without("platelets")
    chart.result("platelets", before, D8 - H - timedelta(hours=hours))
    fact = chart.result("platelets", after, D8 - H)
    assert asked(chart) == answer
    assert asked(confirmed(chart, fact)) == PASSES


@pytest.mark.parametrize(
    ("product", "hours_before", "answer"),
    [("platelets", 2, PASSES), ("red_cells", 2, CONFIRM), ("platelets", 8, CONFIRM)],
)
def test_a_platelet_transfusion_in_between_explains_the_rise(
    product: str, hours_before: int, answer: tuple[Verdict, list[str]]
) -> None:
    chart = ready().without("platelets")
    chart.result("platelets", "20", D8 - 5 * H)
    chart.add({"kind": "transfusion", "product": product}, D8 - hours_before * H)
    chart.result("platelets", "130", D8 - H)
    assert asked(chart) == answer


def test_a_rise_in_small_steps_is_seen_within_the_day() -> None:
    chart = ready().without("platelets")
    for hours, count in ((20, "20"), (10, "100"), (1, "180")):
        chart.result("platelets", count, D8 - hours * H)
    assert asked(chart) == CONFIRM


@pytest.mark.parametrize(
    ("anc", "wbc", "same_draw", "answer"),
    [
        ("3", "3", True, PASSES),
        ("3.01", "3", True, CONFIRM),
        ("3.01", "3", False, PASSES),
        ("2.9", "3", True, PASSES),
    ],
)
def test_neutrophils_above_the_white_cells_of_the_same_draw_wait(
    anc: str, wbc: str, same_draw: bool, answer: tuple[Verdict, list[str]]
) -> None:
    chart = ready()
    fact = chart.result("anc", anc, D8 - H)
    chart.result("wbc", wbc, D8 - H if same_draw else D8 - H / 2)
    assert asked(chart) == answer
    assert asked(confirmed(chart, fact)) == PASSES


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_in_which_two_contradicting_results_arrive_does_not_matter(order: int) -> None:
    chart = ready()
    sent = [("bilirubin", "0.8", D8 - 2 * H), ("bilirubin", "8.8", D8 - H)][::order]
    for minute, (analyte, value, at) in enumerate(sent):
        chart.result(analyte, value, at, recorded_at=D8 - H / 2 + timedelta(minutes=minute))
    assert asked(chart) == HIGH_AND_IN_DOUBT


# ── an adult's body ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "field", "value", "adult", "child"),
    [
        ("weight", "kg", "30", True, True),
        ("weight", "kg", "29.9", False, True),
        ("weight", "kg", "2", False, True),
        ("height", "cm", "120", True, True),
        ("height", "cm", "119.9", False, True),
        ("height", "cm", "20", False, True),
    ],
)
def test_a_very_small_adult_waits_for_a_confirmation_and_a_child_does_not(
    kind: str, field: str, value: str, adult: bool, child: bool
) -> None:
    for born, passes in ((date(1981, 1, 15), adult), (date(2008, 3, 2), adult), (date(2008, 3, 3), child)):
        chart = ChartBuilder(birth_on=born).ready()
        fact = chart.add({"kind": kind, field: value}, D1 - H)
        plausible = (PASSES, CONFIRM)[not passes]
        assert asked(chart, D1)[1] == plausible[1]
        chart.add({"kind": "result_confirmed", "target": fact}, D1 - H / 2, Role.NURSE)
        assert asked(chart, D1)[1] == []


@pytest.mark.parametrize(("kind", "field", "value"), [("weight", "kg", "1.9"), ("height", "cm", "251")])
def test_a_body_beyond_the_hard_limits_is_not_confirmed_away(kind: str, field: str, value: str) -> None:
    chart = ChartBuilder().ready()
    fact = chart.add({"kind": kind, field: value}, D1 - H)
    chart.add({"kind": "result_confirmed", "target": fact}, D1 - H / 2, Role.NURSE)
    assert asked(chart, D1) == REFUSED


def test_who_comes_of_age_while_the_card_is_open_is_looked_at_again_that_day() -> None:
    chart = ChartBuilder(birth_on=date(2008, 3, 3)).ready()
    chart.add({"kind": "weight", "kg": "25"}, D1 - H)
    card = PaperCourse(chart, D1).card
    assert card.valid_until is not None
    assert card.valid_until <= D1 + timedelta(hours=15)


# ── one message, one draw, two values ──────────────────────────────────────────────────────────────────────────────


def told_twice(first: str, second: str, **message: str) -> ChartBuilder:
    """ALT under two codes in one message."""
    chart, at = ChartBuilder().ready(), D1 - timedelta(hours=1)
    for code, value in (("1742-6", first), ("1743-4", second)):
        chart.add(a_lab("alt", value, at=at, loinc=code), at, Role.LABORATORY, **{"message": "m-1", **message})
    return chart


@pytest.mark.parametrize(
    ("first", "second", "rules"),
    [("160", "30", ["NON-08", "PLAU-01"]), ("30", "160", ["NON-08", "PLAU-01"]), ("30", "28.4", ["PLAU-01"])],
)
def test_two_values_of_one_draw_in_one_message_are_no_value_and_what_either_raises_holds(
    first: str, second: str, rules: list[str]
) -> None:
    card = PaperCourse(told_twice(first, second), D1).card
    assert (card.verdict, standing_rules(card)) == (Verdict.HOLD if len(rules) > 1 else Verdict.NEED_DATA, rules)


@pytest.mark.parametrize(("first", "second"), [("30", "30"), ("30", "28.5"), ("28.5", "30")])
def test_what_rounding_explains_is_one_value(first: str, second: str) -> None:
    assert PaperCourse(told_twice(first, second), D1).card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize(("right", "verdict"), [("160", Verdict.HOLD), ("30", Verdict.MAY_AUTHORISE)])
def test_a_clinician_says_which_of_the_two_is_right(right: str, verdict: Verdict) -> None:
    chart = told_twice("160", "30")
    fact = next(f.id for f in chart.facts if f.message == "m-1" and str(f.what.value) == right)
    chart.add({"kind": "result_confirmed", "target": fact}, D1 - timedelta(minutes=30), Role.PHYSICIAN)
    assert PaperCourse(chart, D1).card.verdict is verdict
