"""BSA-08: which weight a dose is computed with; what may be fluid stands aside until it is shown not to be."""

from datetime import timedelta
from typing import Any

import pytest

from models.assessment import DosePlan, Finding, Verdict
from models.people import Role
from tests.factories import D1, PROTOCOLS, ChartBuilder, PaperCourse, standing_rules
from tests.scenarios import Story, first_dose, lab, next_cycle, then

DAY, H = timedelta(days=1), timedelta(hours=1)
D8, D15, D29 = D1 + 7 * DAY, D1 + 14 * DAY, D1 + 28 * DAY


def plan(course: PaperCourse) -> DosePlan:
    dose = course.card.dose
    assert dose is not None
    return dose


def said(course: PaperCourse) -> list[Finding]:
    return [f for f in course.card.findings if f.rule == "BSA-08"]


def day_8(kg: str) -> PaperCourse:
    """Dosed with 70 kg a week ago, weighing so much now."""
    return PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, kg=kg), D8)


def day_1_of_cycle_2(kg: str) -> PaperCourse:
    return PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D29, kg=kg), D29)


def accepts(course: PaperCourse, kg: str) -> PaperCourse:
    course.does("record_finding", Role.PRESCRIBER, finding={"kind": "weight_accepted", "kg": kg})
    return course


@pytest.mark.parametrize(
    ("kg", "dosing_kg", "noted"),
    [
        ("62.9", "62.9", True),  # -10.14 %: a decrease is proposed at once
        ("63.0", "70", False),  # exactly 10 % is no change
        ("70", "70", False),
        ("73.5", "70", False),  # exactly 5 %
        ("73.6", "70", True),  # fluid until shown otherwise
        ("77.0", "70", True),
        ("77.1", "70", True),
    ],
)
def test_within_a_cycle_its_dosing_weight_stands_unless_the_patient_lost_more_than_ten_percent(
    kg: str, dosing_kg: str, noted: bool
) -> None:
    course = day_8(kg)
    assert str(plan(course).weight_kg) == dosing_kg
    assert [f.verdict for f in said(course)] == ([None] if noted else [])
    assert course.card.verdict is Verdict.MAY_AUTHORISE


def test_sc_56_at_62_kg_in_place_of_70_the_lower_dose_is_on_the_card_and_can_be_signed() -> None:
    course = day_8("62")
    assert (str(plan(course).mg), str(plan(course).weight_kg)) == ("0.86", "62")
    (note,) = said(course)
    assert "-11.43 % from the dosing weight 70 kg: a lower dose is proposed, computed with 62 kg" in note.reason
    signed = course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=8).what.model_dump(mode="json")
    assert signed["weight_kg"] == "62"


def test_the_dose_after_a_decrease_is_measured_against_the_lower_weight() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, kg="62").dose(1, 8, D8).ready_again(D15, kg="63")
    course = PaperCourse(chart, D15)
    assert str(plan(course).weight_kg) == "62"
    assert said(course) == []


@pytest.mark.parametrize(
    ("kg", "dosing_kg", "noted"),
    [
        ("50", "50", True),
        ("69", "69", False),
        ("73.5", "73.5", False),  # exactly 5 % counts
        ("73.6", "70", True),  # above it is fluid until shown otherwise
        ("77.1", "70", True),
    ],
)
def test_at_day_1_of_a_cycle_the_weight_is_taken_anew_unless_it_may_be_fluid(
    kg: str, dosing_kg: str, noted: bool
) -> None:
    course = day_1_of_cycle_2(kg)
    assert str(plan(course).weight_kg) == dosing_kg
    assert [f.verdict for f in said(course)] == ([None] if noted else [])
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert standing_rules(course.card) == []


# ── shown not to be fluid ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kg", "dosing_kg"), [("77.0", "70"), ("77.1", "77.1")])
def test_within_a_cycle_more_than_ten_percent_counts_once_it_is_shown_not_to_be_fluid(kg: str, dosing_kg: str) -> None:
    course = day_8(kg)
    assert "fluid until shown otherwise; 70 kg stands" in said(course)[0].reason
    assert str(plan(accepts(course, kg)).weight_kg) == dosing_kg
    assert "fluid until" not in said(course)[0].reason


def test_at_day_1_a_gain_counts_once_it_is_shown_not_to_be_fluid() -> None:
    assert str(plan(accepts(day_1_of_cycle_2("74"), "74")).weight_kg) == "74"


def test_the_word_alone_is_not_enough_an_examination_after_the_weight_is_needed() -> None:
    chart = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D29)
    chart.add({"kind": "weight", "kg": "74"}, D29 - H / 2)
    course = accepts(PaperCourse(chart, D29), "74")
    assert str(plan(course).weight_kg) == "70"
    seen = dict.fromkeys(("ruq_pain", "hepatomegaly", "ascites"), False)
    course.does("record_finding", Role.NURSE, finding={"kind": "vod_examination", **seen})
    assert str(plan(course).weight_kg) == "70"  # oedema was not looked for
    course.does("record_finding", Role.NURSE, finding={"kind": "vod_examination", **seen, "oedema": False})
    assert str(plan(course).weight_kg) == "74"


@pytest.mark.parametrize("stated", ["73.9", "75"])
def test_the_word_is_about_a_weight_that_was_measured(stated: str) -> None:
    assert str(plan(accepts(day_1_of_cycle_2("74"), stated)).weight_kg) == "70"


@pytest.mark.parametrize(("now_kg", "dosing_kg"), [("75", "74"), ("73.8", "73.8"), ("73", "73")])
def test_a_later_weight_counts_up_to_the_one_that_was_shown_not_to_be_fluid(now_kg: str, dosing_kg: str) -> None:
    course = accepts(day_1_of_cycle_2("74"), "74").later(minutes=5)
    course.does("record_finding", Role.NURSE, finding={"kind": "weight", "kg": now_kg})
    assert str(plan(course).weight_kg) == dosing_kg
    assert any("fluid until" in f.reason for f in said(course)) == (now_kg == "75")


def test_only_the_prescriber_says_that_a_weight_is_not_fluid() -> None:
    told = {"kind": "weight_accepted", "kg": "74"}
    assert day_1_of_cycle_2("74").refused("record_finding", Role.NURSE, finding=told).type == "RoleNotAllowed"
    chart = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D29, kg="74")
    chart.add(told, D29, Role.NURSE)
    assert str(plan(PaperCourse(chart, D29)).weight_kg) == "70"


def test_a_new_dosing_weight_makes_a_signature_lapse() -> None:
    course = day_1_of_cycle_2("74")
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    course.authorised(2, 1)
    accepts(course, "74")
    assert any(f.rule == "OWN-01" and "lapsed" in f.reason for f in course.card.findings)


# ── the dosing weight ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dosing_weight_is_the_one_that_was_signed() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    course.later(hours=1).does("complete_infusion", Role.NURSE)
    course.later(hours=1).does("end_observation", Role.NURSE)
    course.later(hours=1).does("record_finding", Role.NURSE, finding={"kind": "weight", "kg": "71"})
    course.now = D8 + 3 * H
    assert plan(course).weight_kg == 70


def test_a_weight_that_may_be_fluid_does_not_become_the_dosing_weight_a_week_later() -> None:
    course = day_1_of_cycle_2("74")
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    course.ready_to_start(2, 1).started(2, 1)
    course.later(hours=1).does("complete_infusion", Role.NURSE)
    course.later(hours=1).does("end_observation", Role.NURSE)
    assert course.card.next_dose == "C2D8"
    assert plan(course).weight_kg == 70


@pytest.mark.parametrize("nonsense", ["0", "0.000001", "1000000000000000000"])
def test_a_weight_that_cannot_be_a_persons_is_never_computed_with(nonsense: str) -> None:
    chart = ChartBuilder().screened()
    chart.add({"kind": "weight", "kg": nonsense}, D1 - DAY / 2)
    chart.labs(D1 - DAY / 12)
    chart.examined(D1 - DAY / 12)
    assert standing_rules(PaperCourse(chart, D1).card) == ["LAB-05"]
    chart.dose(1, 1, D1).ready_again(D8)
    assert plan(PaperCourse(chart, D8)).weight_kg == 70
    chart.add({"kind": "weight", "kg": nonsense}, D8 - timedelta(minutes=5))
    course = PaperCourse(chart, D8)
    assert course.card.dose is None
    assert standing_rules(course.card) == ["LAB-05"]


# ── a bound is no number ───────────────────────────────────────────────────────────────────────────────────────────

BOUNDS: list[dict[str, Any]] = [
    *({"comparator": sign} for sign in ("<", "<=", ">", ">=")),
    *({"flags": [sign]} for sign in ("<", ">")),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bound", BOUNDS, ids=str)
@pytest.mark.parametrize(
    ("analyte", "value"), [("weight", "73"), ("weight", "60"), ("height", "190"), ("height", "150")]
)
@pytest.mark.parametrize("story", [first_dose(), next_cycle()], ids=["first dose", "next cycle"])
def test_a_weight_or_height_that_is_only_a_bound_is_never_computed_with(
    story: Story, analyte: str, value: str, bound: dict[str, Any], protocol: str
) -> None:
    usual = story(protocol).card
    course = then(story, lab(analyte, value, **bound))(protocol)
    assert course.card.verdict is Verdict.NEED_DATA
    assert standing_rules(course.card) == ["LAB-05"]
    assert usual.dose is not None
    assert course.card.dose is None or course.card.dose.mg <= usual.dose.mg
