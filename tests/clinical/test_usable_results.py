"""Which result may be used (LAB-04 … LAB-06, CONV-01 … CONV-03, PLAU-01): unknown closes the gate, nothing is lost."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.assess import assess
from models.assessment import CourseState, Verdict
from models.facts import Fact
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, LIVER, PEOPLE, ChartBuilder, PaperCourse, a_lab, standing_rules

D8 = D1 + timedelta(days=7)
EARLIER = D8 - timedelta(hours=3)
"""When the normal panel was drawn that stands until something newer comes."""
NEWER = D8 - timedelta(hours=2)
OLDER = D8 - timedelta(hours=5)
A7 = {"accession": "a-7"}


def ready() -> ChartBuilder:
    """Day 8 of cycle 1, everything in order."""
    return ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)


def asked(chart: ChartBuilder, now: datetime = D8) -> tuple[Verdict, list[str]]:
    card = PaperCourse(chart, now).card
    return card.verdict, standing_rules(card)


def first(answer: tuple[Verdict, list[str]]) -> tuple[Verdict, list[str]]:
    """The verdict and the gravest rule: the grade of a value with a comparator may stay open besides."""
    return answer[0], answer[1][:1]


def first_asked(chart: ChartBuilder) -> tuple[Verdict, list[str]]:
    return first(asked(chart))


PASSES = (Verdict.MAY_AUTHORISE, [])
UNKNOWN = (Verdict.NEED_DATA, ["LAB-05"])
HIGH = (Verdict.HOLD, ["NON-08"])


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("final", HIGH),
        ("corrected", HIGH),
        ("amended", HIGH),
        ("preliminary", UNKNOWN),
        ("registered", UNKNOWN),
        ("cancelled", UNKNOWN),
        ("unknown", UNKNOWN),
        ("who knows", UNKNOWN),
        ("entered-in-error", (Verdict.NEED_DATA, ["LAB-09"])),
    ],
)
def test_a_newer_alt_counts_by_its_status(status: str, answer: tuple[Verdict, list[str]]) -> None:
    chart = ready()
    chart.result("alt", "160", NEWER, status=status)
    assert asked(chart) == answer


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "haemolysed"},
        {"value": None, "text": "see comment"},
        {"value": None, "absent_reason": "not-performed"},
        {"value": "1E+400"},
        {"value": "NaN"},
        {"value": "Infinity"},
        {"comparator": "about"},
        {"unit": None},
        {"unit": "IU/L"},
        {"unit": "mg/dL"},
        {"uln": None},
        {"uln": "normal"},
        {"value": "0.9"},
    ],
    ids=str,
)
def test_a_newer_alt_that_cannot_be_read_closes_the_gate(changes: dict[str, Any]) -> None:
    chart = ready()
    chart.result("alt", "30", NEWER, **changes)
    verdict, rules = asked(chart)
    assert verdict is Verdict.NEED_DATA
    assert len(rules) == 1
    assert rules[0] in {"LAB-05", "CONV-01", "CONV-03"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": "haemolysed"}, "the laboratory writes 'haemolysed'"),
        ({"value": None, "text": "see  comment"}, "the laboratory writes 'see comment'"),
        ({"value": "10-20"}, "'10-20' is a range"),
        ({"value": "10 - 20"}, "'10 - 20' is a range"),
        ({"value": "1.0–1.5"}, "'1.0–1.5' is a range"),
        ({"value": "10 to 20"}, "'10 to 20' is a range"),
        ({"value": "~30"}, "'~30' is only about right"),
        ({"value": "30 U/L"}, "'30 U/L' is not written as one"),
        ({"value": "30,5"}, "'30,5' is not written as one"),
        ({"value": "3+"}, "'3+' is not written as one"),
        ({"value": "<30,5"}, "'<30,5' is not written as one"),
        ({"value": None}, "there is none"),
        ({"value": "x" * 200}, f"{'x' * 60}…"),
        ({"comparator": "~"}, "its comparator '~' is not understood"),
        ({"comparator": "ad"}, "its comparator 'ad' is not understood"),
        ({"value": None, "absent_reason": "not-performed"}, "gives no value (the test was not done)"),
        ({"value": None, "absent_reason": "error"}, "gives no value (the measurement failed)"),
        ({"value": None, "absent_reason": "specimen lost"}, "gives no value (specimen lost)"),
        ({"absent_reason": "unknown"}, "gives no value (it is not known)"),
        ({"unit": "IU/L"}, "unit 'IU/L' from lab-a is not understood"),
        ({"unit": "IU/L", "sender": None}, "unit 'IU/L' is not understood"),
        ({"unit": ""}, "no unit"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_told_by_name_with_the_words_of_the_sender(changes: dict[str, Any], words: str) -> None:
    chart = ready()
    chart.result("alt", "30", NEWER, **changes)
    card = PaperCourse(chart, D8).card
    assert card.verdict is Verdict.NEED_DATA
    assert words in card.standing[0].reason


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<30", PASSES),
        ("< 137.5", PASSES),
        ("<=137.5", PASSES),
        ("<137.6", UNKNOWN),
        (">137.4", UNKNOWN),
        (">=137.5", UNKNOWN),
        (">137.5", HIGH),
        (">=137.6", HIGH),
    ],
)
def test_a_comparator_counts_beside_the_number_or_written_in_one_with_it(
    text: str, answer: tuple[Verdict, list[str]]
) -> None:
    """NON-08 at 2.5 x 55 = 137.5 U/L: known only where every value that the comparator allows is on one side."""
    together = ready()
    together.result("alt", None, NEWER, value=text)
    assert first_asked(together) == first(answer)
    apart = ready()
    number = text.lstrip("<>= ")
    apart.result("alt", number, NEWER, comparator=text[: len(text) - len(number)].strip())
    assert first_asked(apart) == first(answer)


@pytest.mark.parametrize(
    ("analyte", "value", "comparator", "passes"),
    [
        ("magnesium", "1.7", ">=", True),  # LLN 1.7 mg/dL
        ("magnesium", "1.7", ">", True),
        ("magnesium", "1.69", ">", False),
        ("magnesium", "1.71", "<=", False),
        ("magnesium", "1.7", "<", False),
        ("potassium", "3.5", ">=", True),
        ("potassium", "3.49", ">", False),
        ("potassium", "3.6", "<", False),
        ("calcium", "8.5", ">=", False),  # corrected for albumin: a bound is not computed with
    ],
)
def test_a_comparator_that_straddles_an_absolute_or_lower_limit_holds(
    analyte: str, value: str, comparator: str, passes: bool
) -> None:
    chart = ChartBuilder().ready()
    chart.result(analyte, value, D1 - timedelta(minutes=30), comparator=comparator)
    assert (asked(chart, D1)[0] is Verdict.MAY_AUTHORISE) == passes


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ({"value": "2.7"}, (Verdict.HOLD, ["QT-05"])),
        ({"value": "3.1"}, PASSES),
        ({"value": "haemolysed"}, UNKNOWN),
        ({"value": "3.9", "status": "preliminary"}, UNKNOWN),
    ],
    ids=str,
)
def test_a_potassium_of_the_last_week_counts_on_day_8_also_when_it_cannot_be_read(
    sent: dict[str, Any], answer: tuple[Verdict, list[str]]
) -> None:
    chart = ready()
    chart.result("potassium", None, NEWER, **sent)
    assert asked(chart) == answer


@pytest.mark.parametrize("collected_at", [None, "2026-03-09T07:00:00", "this morning", "0001-01-01T00:00:00Z"])
def test_a_result_without_a_collection_time_with_zone_is_newer_when_it_arrives_later(collected_at: str | None) -> None:
    chart = ready()
    chart.result("alt", "30", NEWER, collected_at=collected_at)
    assert asked(chart) == (Verdict.NEED_DATA, ["LAB-04"])
    chart.result("alt", "31", NEWER + timedelta(minutes=5), recorded_at=NEWER + timedelta(minutes=10))
    assert asked(chart) == PASSES


def test_an_unreadable_result_of_an_older_draw_does_not_close_the_gate_when_it_arrives_late() -> None:
    chart = ready()
    chart.result("alt", "30", OLDER, status="preliminary", recorded_at=NEWER)
    assert asked(chart) == PASSES


def test_a_result_that_arrives_late_counts_by_when_it_was_drawn() -> None:
    chart = ready()
    chart.result("alt", "160", OLDER, recorded_at=NEWER)
    assert asked(chart) == PASSES
    chart.result("ast", "130", NEWER, recorded_at=D8)
    assert asked(chart) == HIGH


def test_a_correction_replaces_the_result_of_the_same_draw() -> None:
    chart = ready()
    chart.result("alt", "38", NEWER, **A7)
    assert asked(chart) == PASSES
    chart.result("alt", "160", NEWER, status="corrected", **A7, recorded_at=D8)
    assert asked(chart) == HIGH


def test_a_correction_of_an_older_draw_does_not_replace_a_newer_one() -> None:
    chart = ready()
    chart.result("alt", "160", OLDER, status="corrected", **A7, recorded_at=D8)
    assert asked(chart) == PASSES


def test_a_preliminary_that_was_issued_before_the_final_result_does_not_undo_it_however_late_it_comes() -> None:
    chart = ready()
    chart.result("alt", "38", NEWER, **A7, issued_at=D8)
    chart.result("alt", "160", NEWER, status="preliminary", **A7, issued_at=NEWER, recorded_at=D8)
    assert asked(chart) == PASSES


def test_a_preliminary_that_comes_after_the_final_result_and_says_nothing_of_when_makes_it_unknown() -> None:
    chart = ready()
    chart.result("alt", "38", NEWER, **A7)
    chart.result("alt", "160", NEWER, status="preliminary", **A7, recorded_at=D8)
    assert asked(chart) == UNKNOWN


def test_of_two_corrections_the_one_that_the_laboratory_issued_last_stands() -> None:
    chart = ready()
    chart.result("alt", "38", NEWER, status="corrected", **A7, issued_at=D8)
    chart.result("alt", "160", NEWER, status="corrected", **A7, issued_at=NEWER, recorded_at=D8)
    assert asked(chart) == PASSES


def test_a_final_result_that_is_then_cancelled_is_unknown() -> None:
    chart = ready()
    chart.result("alt", "38", NEWER, **A7)
    chart.result("alt", None, NEWER, value=None, status="cancelled", **A7, recorded_at=D8)
    assert asked(chart) == UNKNOWN


def test_entered_in_error_removes_the_result_for_good() -> None:
    chart = ready()
    chart.result("alt", "160", NEWER, **A7)
    chart.result("alt", "160", NEWER, status="entered-in-error", **A7, recorded_at=D8)
    chart.result("alt", "160", NEWER, status="final", **A7, recorded_at=D8)
    assert asked(chart) == HIGH, "what it raised stays until a later value (E1)"
    chart.result("alt", "30", NEWER + timedelta(minutes=5))
    assert asked(chart) == PASSES


def test_when_the_only_result_was_entered_in_error_it_is_missing() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8).without("alt")
    chart.result("alt", "30", NEWER, **A7)
    chart.result("alt", "30", NEWER, status="entered-in-error", **A7, recorded_at=D8)
    assert asked(chart) == (Verdict.NEED_DATA, ["DATA-02"])


def test_of_a_readable_and_an_unreadable_result_of_one_draw_that_arrive_together_neither_is_used() -> None:
    chart = ready()
    chart.result("alt", "30", NEWER, sender="lab-b", status="preliminary")
    chart.result("alt", "30", NEWER)
    assert asked(chart) == UNKNOWN


@pytest.mark.parametrize("values", [("160", "38"), ("38", "160")])
def test_of_two_finals_of_one_minute_the_graver_counts_in_either_order(values: tuple[str, str]) -> None:
    chart = ready()
    chart.result("alt", values[0], NEWER, **A7)
    chart.result("alt", values[1], NEWER, sender="lab-b", **A7, recorded_at=D8)
    assert asked(chart) == HIGH


@pytest.mark.parametrize(("ahead", "answer"), [(300, HIGH), (301, (Verdict.HOLD, ["NON-08", "LAB-04"]))])
def test_a_specimen_of_the_future_is_unknown_and_its_time_does_not_mend_it(
    ahead: int, answer: tuple[Verdict, list[str]]
) -> None:
    drawn_at = D8 + timedelta(seconds=ahead)
    chart = ready()
    chart.result("alt", "160", drawn_at, recorded_at=D8)
    assert asked(chart) == answer
    assert asked(chart, drawn_at) == answer


@pytest.mark.parametrize(
    ("analyte", "at_the_limit", "above", "urgent"),
    [
        ("alt", "25000", "25000.1", True),
        ("ast", "25000", "25001", True),
        ("bilirubin", "80", "80.1", True),
        ("alp", "10000", "10001", False),
        ("platelets", "5000", "5001", False),
        ("anc", "150", "151", False),
        ("wbc", "1500", "1501", False),
        ("haemoglobin", "25", "25.1", False),
    ],
)
def test_an_implausibly_high_liver_value_calls_a_person_at_once(
    analyte: str, at_the_limit: str, above: str, urgent: bool
) -> None:
    chart = ready()
    chart.result(analyte, at_the_limit, NEWER)
    assert not {"LAB-05", "LAB-06"} & set(asked(chart)[1])
    chart.result(analyte, above, NEWER + timedelta(minutes=10))
    verdict, rules = asked(chart)
    assert verdict is (Verdict.HOLD_URGENT if urgent else Verdict.HOLD)
    assert "LAB-06" in rules
    chart.result(analyte, None, NEWER + timedelta(minutes=20))
    assert not {"LAB-05", "LAB-06"} & set(asked(chart)[1])


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "rules"),
    [
        ("potassium", "12", "mmol/L", []),
        ("potassium", "12.1", "mmol/L", ["LAB-06"]),
        ("potassium", "12.1", "meq/L", ["LAB-06"]),
        ("qtcf", "800", "ms", ["QT-01"]),
        ("qtcf", "800.1", "ms", ["LAB-06"]),
        ("qtcf", "0.81", "s", ["LAB-06"]),
        ("qtcf", "0.479", "s", []),
        ("qtcf", "0.481", "s", ["QT-02"]),
    ],
)
def test_implausible_potassium_or_qt_holds_at_once_in_any_unit(
    analyte: str, value: str, unit: str, rules: list[str]
) -> None:
    chart = ChartBuilder().ready()
    chart.result(analyte, value, D1 - timedelta(minutes=30), unit=unit)
    verdict, standing = asked(chart, D1)
    assert standing[:1] == rules
    assert (verdict is Verdict.HOLD_URGENT) == (rules == ["LAB-06"])


def test_a_charted_ecg_with_an_implausible_qtcf_holds_at_once() -> None:
    chart = ChartBuilder().ready()
    chart.add({"kind": "ecg", "qtcf_ms": "801"}, D1 - timedelta(minutes=30))
    verdict, rules = asked(chart, D1)
    assert (verdict, rules[0]) == (Verdict.HOLD_URGENT, "LAB-06")
    chart.add({"kind": "ecg", "qtcf_ms": "410"}, D1 - timedelta(minutes=20))
    assert asked(chart, D1) == PASSES


@pytest.mark.parametrize(
    ("qtcf", "verdict", "rule"),
    [
        (None, Verdict.NEED_DATA, "LAB-05"),
        ("199", Verdict.NEED_DATA, "LAB-05"),
        ("200", Verdict.MAY_AUTHORISE, None),
        ("800", Verdict.HOLD, "QT-01"),
        ("800.1", Verdict.HOLD_URGENT, "LAB-06"),
    ],
)
def test_a_newer_ecg_counts_by_what_it_says(qtcf: str | None, verdict: Verdict, rule: str | None) -> None:
    chart = ChartBuilder().ready()
    chart.add({"kind": "ecg", "qtcf_ms": qtcf}, D1 - timedelta(minutes=30))
    found, rules = asked(chart, D1)
    assert (found, rules[:1]) == (verdict, [rule] if rule else [])


def test_an_implausibly_high_alt_is_urgent_also_while_no_dose_is_next() -> None:
    chart = ready().dose(1, 8, D8, observed=False)
    chart.result("alt", "99999", D8 + timedelta(minutes=30))
    card = PaperCourse(chart, D8 + timedelta(minutes=70)).card
    assert (card.state, card.verdict) == (CourseState.OBSERVATION, Verdict.HOLD_URGENT)


@pytest.mark.parametrize("unit", ["x10^9/L", "K/uL", "10 x3/uL", "/mm^3", "giga/l", "10*9", "thousand"])
def test_a_unit_that_is_not_ucum_is_not_guessed(unit: str) -> None:
    chart = ready()
    chart.result("platelets", "140", NEWER, unit=unit)
    assert asked(chart) == (Verdict.NEED_DATA, ["CONV-01"])


@pytest.mark.parametrize("count", ["49.9", "50", "50.1"])
def test_platelets_in_every_unit_give_one_verdict(count: str) -> None:
    d29 = D1 + timedelta(days=28)
    answers = set()
    for unit, factor in {"10*9/L": 1, "10*3/uL": 1, "/uL": 1000, "/mm3": 1000}.items():
        chart = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(d29)
        value = format(Decimal(count) * factor, "f")
        chart.result("platelets", value, d29 - timedelta(hours=1), unit=unit)
        verdict, rules = asked(chart, d29)
        answers.add((verdict, tuple(rules)))
    held = Decimal(count) < Decimal(50)
    assert answers == {(Verdict.HOLD, ("HEM-03",)) if held else (Verdict.MAY_AUTHORISE, ())}


@pytest.mark.parametrize("code", ["26446-6", "30376-0"])
def test_a_code_that_fails_its_check_digit_is_no_blast_count(code: str) -> None:
    chart = ChartBuilder().ready().without("blasts_percent")
    chart.add(a_lab("blasts", "3", loinc=code), D1 - timedelta(hours=2), Role.LABORATORY)
    card = PaperCourse(chart, D1).card
    assert {(f.rule, f.verdict) for f in card.standing if "blasts" in f.reason} == {("LAB-13", Verdict.NEED_DATA)}


# ── messages and results that a person must look at ────────────────────────────────────────────────────────────────

GARBLED = {
    "kind": "unreadable_message",
    "signal": "lab_results",
    "sha256": "ab" * 32,
    "size": 12,
    "reason": "not JSON",
    "head_base64": "eHh4",
}


@pytest.mark.parametrize("by_hash", [True, False])
@pytest.mark.parametrize(("alt", "answer"), [(None, PASSES), ("160", HIGH), ("33", PASSES)])
def test_an_unreadable_message_closes_the_gate_until_a_person_transcribes_or_dismisses_it(
    alt: str | None, answer: tuple[Verdict, list[str]], by_hash: bool
) -> None:
    chart = ready()
    fact = chart.add(GARBLED, NEWER, Role.LABORATORY)
    course = PaperCourse(chart, D8)
    assert (course.card.verdict, standing_rules(course.card)) == UNKNOWN
    target = GARBLED["sha256"] if by_hash else fact
    values = [a_lab("alt", alt, at=NEWER).model_dump(mode="json")] if alt else []
    outcome = "transcribed" if alt else "dismissed"
    course.does("resolve_unreadable", Role.NURSE, target=target, outcome=outcome, values=values, reason="read by phone")
    assert (course.card.verdict, standing_rules(course.card)) == answer


def test_one_resolved_message_does_not_open_the_gate_that_another_closes() -> None:
    chart = ready()
    chart.add(GARBLED, NEWER, Role.LABORATORY)
    chart.add({**GARBLED, "sha256": "cd" * 32}, NEWER, Role.LABORATORY)
    course = PaperCourse(chart, D8)
    resolved = {"target": "ab" * 32, "outcome": "dismissed", "reason": "another patient's printout"}
    assert course.refused("resolve_unreadable", Role.COORDINATOR, **resolved).type == "RoleNotAllowed"
    course.does("resolve_unreadable", Role.NURSE, **resolved)
    assert standing_rules(course.card) == ["LAB-05"]


def test_no_machine_resolves_what_it_could_not_read() -> None:
    course = PaperCourse(ready(), D8)
    asked_for = {"target": "ab" * 32, "outcome": "dismissed", "reason": "noise"}
    assert course.refused("resolve_unreadable", Role.LABORATORY, **asked_for).type == "RoleNotAllowed"
    assert course.refused("resolve_unreadable", Role.NURSE, **asked_for).type == "NoSuchMessage"


def test_a_dismissed_result_gives_way_to_the_older_one_and_a_transcribed_one_to_its_values() -> None:
    chart = ready()
    unreadable = chart.result("alt", None, NEWER, value="see report")
    course = PaperCourse(chart, D8)
    resolve = {"target": unreadable, "reason": "the laboratory was asked"}
    assert course.refused("resolve_unreadable", Role.NURSE, **resolve, outcome="transcribed").type == "ValuesRequired"
    values = [a_lab("alt", "160", at=NEWER).model_dump(mode="json")]
    course.does("resolve_unreadable", Role.NURSE, **resolve, outcome="transcribed", values=values)
    assert (course.card.verdict, standing_rules(course.card)) == HIGH
    dismissing = PaperCourse(chart, D8)
    dismissing.does("resolve_unreadable", Role.NURSE, **resolve, outcome="dismissed")
    assert (dismissing.card.verdict, standing_rules(dismissing.card)) == PASSES


SPEAKS_AGAINST: dict[str, dict[str, Any]] = {
    "implausibly high": {"value": "60000"},
    "drawn in 30 days": {"value": "300", "collected_at": D8 + timedelta(days=30)},
    "below its own upper limit and flagged high": {"value": "300", "uln": Decimal(400), "flags": ["HH"]},
}


@pytest.mark.parametrize("role", [Role.NURSE, Role.PHARMACIST])
@pytest.mark.parametrize("sent", SPEAKS_AGAINST.values(), ids=SPEAKS_AGAINST.keys())
def test_what_speaks_against_a_dose_is_dismissed_by_a_physician_alone(sent: dict[str, Any], role: Role) -> None:
    """LAB-06: implausibly high is never milder than high, which a nurse does not take back either."""
    chart = ready()
    target = chart.result("alt", "30", NEWER, **sent)
    course = PaperCourse(chart, D8)
    before = course.card
    dismissed = {"target": target, "outcome": "dismissed", "reason": "it cannot be"}
    assert course.refused("resolve_unreadable", role, **dismissed).type == "RoleNotAllowed"
    # in a chart that came about otherwise the same word settles nothing
    with course.charting() as charted:
        charted.add({"kind": "unreadable_resolved", **dismissed}, D8, role)
    assert (course.card.verdict, standing_rules(course.card)) == (before.verdict, standing_rules(before))
    transcribing = PaperCourse(chart, D8)
    values = [a_lab("alt", "33", at=NEWER).model_dump(mode="json")]
    said = {"target": target, "outcome": "transcribed", "reason": "read by phone", "values": values}
    transcribing.does("resolve_unreadable", role, **said)
    assert (transcribing.card.verdict, standing_rules(transcribing.card)) == PASSES
    course.does("resolve_unreadable", Role.PHYSICIAN, **dismissed)
    assert (course.card.verdict, standing_rules(course.card)) == PASSES


POTASSIUM = a_lab("potassium", "4.1", at=NEWER).model_dump(mode="json")


@pytest.mark.parametrize(
    "unusable",
    [
        {"value": "haemolysed"},
        {"value": "99999"},
        {"status": "cancelled", "value": None},
        {"status": "entered-in-error", "value": None},
        {"loinc": "LOC-1", "display": "ALT (new method)"},
    ],
)
def test_what_may_be_one_analyte_is_not_transcribed_as_another(unusable: dict[str, Any]) -> None:
    chart = ready()
    target = chart.result("alt", "30", NEWER, **unusable)
    course = PaperCourse(chart, D8)
    before = course.card
    said = {"target": target, "outcome": "transcribed", "reason": "read by phone"}
    refused = course.refused("resolve_unreadable", Role.NURSE, **said, values=[POTASSIUM])
    assert (refused.type, "ALT" in refused.message, "dismissed" in refused.message) == ("ValuesRequired", True, True)
    # in a chart that came about otherwise the same word settles nothing
    with course.charting() as charted:
        charted.add({"kind": "unreadable_resolved", **said}, D8, id="m/0", message="m")
        charted.add(POTASSIUM, D8, id="m/1", message="m")
    assert (course.card.verdict, standing_rules(course.card)) == (before.verdict, standing_rules(before))
    of_it = a_lab("alt", "33", at=NEWER).model_dump(mode="json")
    course.does("resolve_unreadable", Role.NURSE, **said, values=[of_it, POTASSIUM])
    assert (course.card.verdict, standing_rules(course.card)) == PASSES


def test_a_withdrawal_that_names_nothing_is_dismissed_and_not_transcribed() -> None:
    chart = ready()
    withdrawn = {"kind": "result_withdrawn", "how": "deleted", "resource": "lab|x9"}
    target = chart.add(withdrawn, NEWER, Role.LABORATORY)
    course = PaperCourse(chart, D8)
    assert standing_rules(course.card) == ["LAB-09"]
    said = {"target": target, "reason": "the laboratory was asked"}
    wrong = course.refused("resolve_unreadable", Role.NURSE, **said, outcome="transcribed", values=[POTASSIUM])
    assert wrong.type == "ValuesRequired"
    course.does("resolve_unreadable", Role.NURSE, **said, outcome="dismissed")
    assert (course.card.verdict, standing_rules(course.card)) == PASSES


def test_two_results_without_a_time_are_two_and_each_is_resolved() -> None:
    chart = ready()
    first = chart.result("alt", "30", NEWER, collected_at=None)
    second = chart.result("alt", "31", NEWER, collected_at=None)
    course = PaperCourse(chart, D8)
    for target, rules in ((second, ["LAB-04"]), (first, [])):
        course.does("resolve_unreadable", Role.NURSE, target=target, outcome="dismissed", reason="no time known")
        assert standing_rules(course.card) == rules


def test_a_result_that_can_be_read_is_not_dismissed() -> None:
    chart = ready()
    high = chart.result("alt", "160", NEWER)
    course = PaperCourse(chart, D8)
    refused = course.refused("resolve_unreadable", Role.NURSE, target=high, outcome="dismissed", reason="too high")
    assert refused.type == "NoSuchMessage"


def test_dismissing_a_cancellation_does_not_bring_the_cancelled_value_back_and_a_later_final_counts() -> None:
    chart = ready()
    chart.result("alt", "160", EARLIER + timedelta(minutes=5), status="final", accession="a-6")
    chart.result("alt", "38", NEWER, **A7)
    cancelled = chart.result("alt", None, NEWER, value=None, status="cancelled", **A7, recorded_at=D8)
    course = PaperCourse(chart, D8)
    course.does("resolve_unreadable", Role.NURSE, target=cancelled, outcome="dismissed", reason="tube was lost")
    assert (course.card.verdict, standing_rules(course.card)) == HIGH
    later = PaperCourse(chart, D8)
    later.does("lab_results", Role.LABORATORY, subject_hash="test:subject-1", results=[_final("39")])
    assert (later.card.verdict, standing_rules(later.card)) == PASSES


def _final(value: str) -> dict[str, Any]:
    return a_lab("alt", value, at=NEWER, **A7).model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize("analyte", LIVER)
def test_every_refused_result_says_why_in_words(analyte: str) -> None:
    chart = ready()
    chart.result(analyte, "5", NEWER, status="preliminary")
    card = PaperCourse(chart, D8).card
    assert "status is preliminary" in card.standing[0].reason
    assert card.standing[0].clears


def test_two_values_for_one_analyte_in_one_message_are_no_value() -> None:
    chart = ready()
    for value in ("30", "300"):
        chart.add(a_lab("alt", value, at=NEWER), NEWER, Role.LABORATORY, message="one draw, two values")
    card = PaperCourse(chart, D8).card
    assert card.verdict is Verdict.HOLD, "what either raises stands"
    assert any("the same message gives this draw another value" in f.reason for f in card.standing)


def test_two_what_ifs_of_one_chart_that_share_an_id_are_read_apart() -> None:
    b, at = ChartBuilder().ready().without("alt"), D1 - timedelta(hours=1)
    chart, protocol = b.chart(), load_protocol(LABEL)
    for value, holds in (("30", False), ("160", True)):
        lab = Fact(id="alt", by=PEOPLE[Role.LABORATORY], at=at, recorded_at=at, what=a_lab("alt", value, at=at))
        card = assess(chart.with_facts(lab), protocol, D1)
        assert ("NON-08" in standing_rules(card)) is holds


@pytest.mark.parametrize(
    ("kept", "rules"),
    [
        ({"value": "1E+30"}, ["LAB-05"]),
        ({"value": "-1E-30"}, ["LAB-05"]),
        ({"value": "1" * 41}, ["LAB-05"]),
        ({"value": "3_0"}, []),
        ({"value": "30", "uln": "1E+999999"}, ["CONV-03"]),
        ({"value": "30", "uln": "5_5"}, []),
    ],
)
def test_a_number_kept_by_an_earlier_release_counts_or_is_unknown_and_never_breaks_the_rules(
    kept: dict[str, str], rules: list[str]
) -> None:
    usual = {**a_lab("alt", "30", at=NEWER).model_dump(mode="json"), **kept}
    fields = {"id": "kept", "by": "laboratory:l-1", "at": NEWER.isoformat(), "recorded_at": NEWER.isoformat()}
    fact = Fact.model_validate_json(json.dumps({**fields, "what": usual}))
    card = assess(ready().chart().with_facts(fact), load_protocol(LABEL), D8)
    assert standing_rules(card) == rules
