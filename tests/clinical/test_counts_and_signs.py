"""QTcF, electrolytes, VOD signs, infection and bleeding: each limit from both sides."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.assessment import Verdict
from models.people import Role
from tests.factories import D1, LABEL, PROTOCOLS, ChartBuilder, PaperCourse, notes, standing_rules
from tests.scenarios import charted, day_8

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D29 = D1 + 7 * DAY, D1 + 28 * DAY


def second_cycle(protocol: str = LABEL, baseline: dict[str, str] | None = None, **values: str) -> ChartBuilder:
    return ChartBuilder(protocol).ready(**(baseline or {})).cycle(1, D1).ready_for_cycle(D29, **values)


def second_dose(**values: str) -> ChartBuilder:
    return ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, **values)


def rules(chart: ChartBuilder, now: datetime = D29) -> list[str]:
    return standing_rules(PaperCourse(chart, now).card)


# ── heart (QT-01 … QT-03, QT-05) ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("qtcf", "asked", "noted"),
    [
        ("449", [], False),
        ("450", [], True),
        ("480", [], True),
        ("481", ["QT-02"], False),
        ("480.1", ["QT-02"], False),
        ("500", ["QT-02"], False),
        ("500.1", ["QT-01"], False),
        ("506", ["QT-01"], False),
    ],
)
def test_qt_01_qt_02_qtcf_holds_above_480_and_above_500_needs_two_people(
    qtcf: str, asked: list[str], noted: bool
) -> None:
    chart = ChartBuilder().ready()
    chart.add({"kind": "ecg", "qtcf_ms": qtcf}, D1 - H)
    course = PaperCourse(chart, D1)
    assert standing_rules(course.card) == asked
    assert ("QT-03" in notes(course.card)) == noted
    classes = {"QT-01": "prescriber_and_second_person", "QT-02": "prescriber_with_reason"}
    assert [f.override for f in course.card.standing] == [classes[rule] for rule in asked]


@pytest.mark.parametrize(("qtcf", "asked"), [("440", []), ("440.1", ["QT-01"]), ("441", ["QT-01"])])
def test_a_rise_of_qtcf_above_60_from_baseline_is_not_decided_yet(qtcf: str, asked: list[str]) -> None:
    chart = second_cycle()
    chart.add({"kind": "ecg", "qtcf_ms": "380"}, D1 - H)
    chart.add({"kind": "ecg", "qtcf_ms": qtcf}, D29 - H)
    assert rules(chart) == asked


def test_a_rise_of_qtcf_is_seen_when_the_machine_sends_seconds() -> None:
    chart = second_cycle()
    chart.add({"kind": "ecg", "qtcf_ms": "380"}, D1 - H)
    chart.result("qtcf", "0.441", D29 - H, unit="s")
    assert rules(chart) == ["QT-01"]


def test_an_ecg_taken_with_the_first_dose_is_no_baseline() -> None:
    for taken, asked in ((D1, ["QT-01"]), (D1 - SECOND, [])):
        chart = second_cycle()
        chart.add({"kind": "ecg", "qtcf_ms": "380"}, D1 - H)
        chart.add({"kind": "ecg", "qtcf_ms": "400"}, taken)
        chart.add({"kind": "ecg", "qtcf_ms": "455"}, D29 - H)
        assert rules(chart) == asked


def test_an_implausible_qtcf_before_treatment_is_no_baseline() -> None:
    chart = second_cycle()
    chart.add({"kind": "ecg", "qtcf_ms": "380"}, D1 - 2 * H)
    chart.add({"kind": "ecg", "qtcf_ms": "900"}, D1 - H)
    chart.add({"kind": "ecg", "qtcf_ms": "441"}, D29 - H)
    assert rules(chart) == ["QT-01"]


def test_a_high_qtcf_holds_on_day_8_too() -> None:
    chart = second_dose()
    chart.add({"kind": "ecg", "qtcf_ms": "490"}, D8 - H)
    assert rules(chart, D8) == ["QT-02", "QT-01"]


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"potassium": "3.5"}, []),
        ({"potassium": "3.49"}, ["QT-05"]),
        ({"magnesium": "1.7"}, []),
        ({"magnesium": "1.69"}, ["QT-05"]),
        ({"calcium": "8.5"}, []),
        ({"calcium": "8.49"}, ["QT-05"]),
        ({"calcium": "7.7", "albumin": "3.0"}, []),  # corrected: 7.7 + 0.8 x (4.0 - 3.0) = 8.5
        ({"calcium": "7.69", "albumin": "3.0"}, ["QT-05"]),
        ({"calcium": "8.9", "albumin": "4.6"}, ["QT-05"]),
    ],
    ids=str,
)
def test_potassium_magnesium_and_corrected_calcium_before_day_1(values: dict[str, str], asked: list[str]) -> None:
    assert rules(ChartBuilder().ready(**values), D1) == asked
    assert rules(second_cycle(**values)) == asked


@pytest.mark.parametrize(
    ("analyte", "us", "si", "unit", "lln_us", "lln_si"),
    [
        ("magnesium", "1.70", "0.69939", "mmol/L", "1.7", "0.69939"),
        ("magnesium", "1.69", "0.69528", "mmol/L", "1.7", "0.69939"),
        ("calcium", "8.49", "2.1183", "mmol/L", "8.5", "2.1208"),
        ("calcium", "8.60", "2.1457", "mmol/L", "8.5", "2.1208"),
    ],
)
def test_electrolytes_in_either_unit_give_one_verdict(
    analyte: str, us: str, si: str, unit: str, lln_us: str, lln_si: str
) -> None:
    answers = []
    for value, in_unit, lln in ((us, "mg/dL", lln_us), (si, unit, lln_si)):
        chart = ChartBuilder().ready()
        chart.result(analyte, value, D1 - H, unit=in_unit, lln=Decimal(lln))
        answers.append(rules(chart, D1))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("analyte", ["magnesium", "calcium"])
@pytest.mark.parametrize("limit", [{"lln": None}, {"lln": Decimal(0)}, {"limit_unit": "mmol/L"}], ids=str)
def test_without_its_lower_limit_magnesium_or_calcium_is_unknown(analyte: str, limit: dict[str, Any]) -> None:
    chart = ChartBuilder().ready()
    chart.result(analyte, None, D1 - H, **limit)
    assert rules(chart, D1) == ["LAB-05"]


def test_calcium_that_the_laboratory_corrected_needs_no_albumin() -> None:
    chart = ChartBuilder().ready().without("calcium", "albumin")
    assert rules(chart, D1) == ["DATA-01"]
    chart.result("calcium_corrected", "2.20", D1 - H, lln=Decimal("2.12"))
    assert rules(chart, D1) == []
    chart.result("calcium_corrected", "2.11", D1 - H / 2, lln=Decimal("2.12"))
    assert rules(chart, D1) == ["QT-05"]


@pytest.mark.parametrize("comparator", ["<", ">"])
def test_an_albumin_with_a_comparator_leaves_the_corrected_calcium_open(comparator: str) -> None:
    chart = ChartBuilder().ready()
    chart.result("albumin", "4.0", D1 - H, comparator=comparator)
    assert rules(chart, D1) == ["QT-05"]


@pytest.mark.parametrize(
    ("potassium", "ago", "asked", "noted"),
    [
        (None, 0 * H, [], False),
        ("3.5", 1 * H, [], False),
        ("3.49", 1 * H, [], True),
        ("3.0", 1 * H, [], True),
        ("2.99", 1 * H, ["QT-05"], False),
        ("2.99", 6 * DAY, ["QT-05"], False),
    ],
)
def test_on_day_8_potassium_holds_below_3_and_only_where_a_recent_one_exists(
    potassium: str | None, ago: timedelta, asked: list[str], noted: bool
) -> None:
    chart = second_dose()
    if potassium is not None:
        chart.result("potassium", potassium, D8 - ago)
    course = PaperCourse(chart, D8)
    assert standing_rules(course.card) == asked
    assert ("QT-05" in notes(course.card)) == noted


def test_on_day_8_a_low_potassium_holds_however_old_it_is() -> None:
    for drawn, asked in ((D8 - 7 * DAY, ["QT-05"]), (D8 - 7 * DAY - SECOND, ["QT-05"])):
        chart = ChartBuilder().ready().without("potassium").dose(1, 1, D1).ready_again(D8)
        chart.result("potassium", "2.5", drawn)
        assert rules(chart, D8) == asked


# ── a person's hold ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hold_of_a_person_stands_until_the_prescriber_releases_it() -> None:
    course = PaperCourse(second_dose(), D8)
    first = course.does("hold", Role.NURSE, reason="the patient feels unwell")
    second = course.does("hold", Role.PHARMACIST, reason="stock is checked")
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.HOLD, ["HOLD-01"])
    assert course.refused("release_hold", Role.NURSE, hold=first.id, reason="better").type == "RoleNotAllowed"
    course.does("release_hold", Role.PRESCRIBER, hold=first.id, reason="seen")
    assert course.card.verdict is Verdict.HOLD
    course.does("release_hold", Role.PRESCRIBER, hold=second.id, reason="stock is fine")
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert course.refused("release_hold", Role.PRESCRIBER, hold=second.id, reason="again").type == "NoSuchHold"


def test_a_release_opens_nothing_else() -> None:
    course = PaperCourse(second_dose(alt="160"), D8)
    held = course.does("hold", Role.NURSE, reason="unwell")
    course.does("release_hold", Role.PRESCRIBER, hold=held.id, reason="seen")
    assert standing_rules(course.card) == ["NON-08"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "symptoms of anaemia were not asked for"),
        (True, "symptoms of anaemia: look at the haemoglobin"),
        (False, None),
    ],
    ids=str,
)
def test_mon_16_asks_for_symptoms_of_anaemia_and_holds_nothing(answer: bool | None, said: str | None) -> None:
    chart, seen = second_dose(), {"temperature_c": "36.8", "infection": False, "active_bleeding": False}
    chart.add({"kind": "infection_bleeding", **seen, "anaemia_symptoms": answer}, D8)
    card = PaperCourse(chart, D8).card
    assert card.verdict is Verdict.MAY_AUTHORISE
    found = [f.reason for f in card.findings if f.rule == "MON-16"]
    assert (found == []) if said is None else found[0].startswith(said)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("first", [timedelta(), timedelta(seconds=30)])
@pytest.mark.parametrize(
    ("graver", "milder"),
    [
        ({"temperature_c": "39"}, {"temperature_c": "36.6"}),
        ({"infection": True}, {"infection": False}),
        ({"active_bleeding": True}, {"active_bleeding": False}),
    ],
)
def test_of_two_checks_of_one_minute_the_graver_counts_whichever_second_it_is_of(
    graver: dict[str, Any], milder: dict[str, Any], first: timedelta, protocol: str
) -> None:
    course = day_8()(protocol)
    usual = {"kind": "infection_bleeding", "temperature_c": "36.6", "infection": False, "active_bleeding": False}
    charted({**usual, **graver}, ago=timedelta(minutes=20) - first)(course)
    charted({**usual, **milder}, ago=timedelta(minutes=20) - timedelta(seconds=30) + first)(course)
    assert "MON-16" in standing_rules(course.card)
    charted(usual, ago=timedelta(minutes=19))(course)
    assert standing_rules(course.card) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("first", [timedelta(), timedelta(seconds=30)])
def test_fever_among_the_vital_signs_is_not_answered_by_a_check_of_its_own_minute(
    first: timedelta, protocol: str
) -> None:
    course = day_8()(protocol)
    charted({"kind": "vital_signs", "temperature_c": "39"}, ago=timedelta(minutes=20) - first)(course)
    usual = {"kind": "infection_bleeding", "temperature_c": "36.6", "infection": False, "active_bleeding": False}
    charted(usual, ago=timedelta(minutes=20) - timedelta(seconds=30) + first)(course)
    assert "MON-16" in standing_rules(course.card)
