"""COR-01, COR-03, COR-04: what a correction re-opens, how old it is, what is derived again. COR-02: a stop waits for two."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from clinical.chart.reading import Reading
from models.assessment import Accepted, CourseState, Verdict
from models.people import Actor, Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab, standing_rules
from tests.scenarios import NO_SIGN, gives

MIN, H, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
D8 = D1 + 7 * DAY


def second_dose(**values: str) -> ChartBuilder:
    return ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, **values)


def fact_of(course: PaperCourse, kind: str) -> str:
    return next(f.id for f in reversed(course.chart.facts) if f.what.kind == kind)


def corrected(course: PaperCourse, target: str, replacement: dict[str, Any] | None, **more: Any) -> str:
    said = {"target": target, "replacement": replacement, "reason": "it was wrong"}
    return course.does("correct_fact", Role.PRESCRIBER, **said, **more).id


# ── COR-01 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_correction_closes_and_a_further_correction_opens_the_gate() -> None:
    course = PaperCourse(second_dose(), D8)
    target = next(f.id for f in course.chart.facts if getattr(f.what, "loinc", "") == "1742-6" and f.at > D1)
    high = a_lab("alt", "160", at=D8 - H).model_dump(mode="json")
    first = corrected(course, target, high)
    assert standing_rules(course.card) == ["NON-08"]
    corrected(course, first, {**high, "value": "30"})
    assert course.card.verdict is Verdict.MAY_AUTHORISE


def test_a_retracted_fact_is_missing_and_cannot_be_corrected_again() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    height = fact_of(course, "height")
    retraction = corrected(course, height, None)
    assert course.card.verdict is Verdict.NEED_DATA
    for target in (height, retraction):
        again = {"target": target, "replacement": {"kind": "height", "cm": "180"}, "reason": "x"}
        assert course.refused("correct_fact", Role.PRESCRIBER, **again).type == "NoSuchFact"


def test_a_corrected_measurement_is_as_old_as_it_was() -> None:
    chart = ChartBuilder().ready()
    course = PaperCourse(chart, D1)
    weighed_at = next(f.at for f in chart.facts if f.what.kind == "weight")
    course.now = weighed_at + 72 * H + timedelta(seconds=1)
    corrected(course, fact_of(course, "weight"), {"kind": "weight", "kg": "71"})
    assert any(f.reason.startswith("weight is older") for f in course.card.standing)
    corrected(course, fact_of(course, "correction"), {"kind": "weight", "kg": "71"}, at=course.now)
    assert not any(f.reason.startswith("weight is older") for f in course.card.standing)


ELIGIBLE = {"cd22_positive": True, "b_cell_precursor_all": True, "relapsed_or_refractory": True, "method": "PCR"}
TARGETS: dict[str, tuple[dict[str, Any], Role]] = {
    "weight": ({"kind": "weight", "kg": "71"}, Role.PHYSICIAN),
    "vod_examination": ({"kind": "vod_examination", **NO_SIGN, "oedema": True}, Role.PHYSICIAN),
    "infection_bleeding": (
        {"kind": "infection_bleeding", "temperature_c": "36.6", "infection": False, "active_bleeding": False},
        Role.PHYSICIAN,
    ),
    "ecg": ({"kind": "ecg", "qtcf_ms": "430"}, Role.PHYSICIAN),
    "eligibility": ({"kind": "eligibility", **ELIGIBLE}, Role.PRESCRIBER),
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize(
    "said", ["by the command", "in a chart file", "twice in a chart file", "with a time of its own"]
)
def test_what_stands_in_place_of_a_wrong_fact_is_as_old_as_that(kind: str, said: str) -> None:
    """COR-03: the instant of correcting is no time of measurement, whoever writes it down where."""
    (right, by), chart = TARGETS[kind], ChartBuilder().ready()
    wrong, now = next(f for f in chart.facts if f.what.kind == kind), D1 + 3 * DAY
    course = PaperCourse(chart, now)
    own = now - H
    correction = {"kind": "correction", "target": wrong.id, "replacement": right, "reason": "it was wrong"}
    if said == "by the command":
        course.does("correct_fact", by, target=wrong.id, replacement=right, reason="it was wrong")
    else:
        with course.charting() as written:
            measured = {"measured_at": own.isoformat()} if said == "with a time of its own" else {}
            first = written.add({**correction, **measured}, now - MIN, by)
            if said == "twice in a chart file":
                written.add({**correction, "target": first}, now, by)
    standing = next(f for f in Reading(course.chart, load_protocol(LABEL), now).facts if f.what.kind == kind)
    assert standing.at == (own if said == "with a time of its own" else wrong.at)
    assert (standing.id, standing.recorded_at > wrong.recorded_at) != (wrong.id, False)


def test_a_result_corrected_without_a_time_was_drawn_when_the_wrong_one_was() -> None:
    course = PaperCourse(second_dose(), D8)
    target = next(f for f in course.chart.facts if getattr(f.what, "loinc", "") == "1742-6" and f.at > D1)
    high = a_lab("alt", "160", at=D8 - H).model_dump(mode="json", exclude={"collected_at"})
    corrected(course, target.id, high)
    assert standing_rules(course.card) == ["NON-08"]
    assert next(f for f in course.card.standing).inputs[0].taken_at == target.at
    corrected(course, fact_of(course, "correction"), {**high, "collected_text": "this morning"})
    assert "LAB-04" in standing_rules(course.card)


def test_a_corrected_administration_keeps_its_date_for_spacing() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    course.does("record_administration", Role.NURSE, cycle=1, day=1, mg="1.54", at=D1 - 2 * DAY)
    course.now = D1 + 2 * DAY
    right = {"kind": "administration", "cycle": 1, "day": 1, "mg": "1.45"}
    corrected(course, fact_of(course, "administration"), right)
    opens_at = datetime.fromisoformat("2026-03-06T03:00:00+01:00")
    assert course.card.valid_until is not None
    assert next(f.earliest_at for f in course.card.standing if f.verdict is Verdict.TOO_EARLY) == opens_at
    corrected(course, fact_of(course, "correction"), right, at=D1 - DAY)
    assert next(f.earliest_at for f in course.card.standing if f.verdict is Verdict.TOO_EARLY) == opens_at + DAY


def test_a_correction_of_what_opened_the_gate_lets_the_signature_lapse() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    corrected(course, fact_of(course, "weight"), {"kind": "weight", "kg": "60"})
    assert (course.card.verdict, course.card.state) == (Verdict.MAY_AUTHORISE, CourseState.DOSE_ADJUSTMENT)


@pytest.mark.parametrize("kind", ["dose_authorised", "dose_verified", "hold"])
def test_a_signature_is_withdrawn_not_corrected(kind: str) -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).authorised()
    course.does("hold", Role.NURSE, reason="unwell")
    refused = course.refused("correct_fact", Role.PRESCRIBER, target=fact_of(course, kind), reason="x")
    assert refused.type == "NotCorrectable"


def test_a_fact_is_replaced_by_one_of_its_own_kind() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    other = {"target": fact_of(course, "weight"), "replacement": {"kind": "height", "cm": "170"}, "reason": "mixed up"}
    assert course.refused("correct_fact", Role.PHYSICIAN, **other).type == "NotCorrectable"


def test_a_transplant_whose_date_was_corrected_does_not_open_dosing_again() -> None:
    chart = second_dose()
    chart.add({"kind": "transplant", "transplanted_at": D8 - H}, D8 - H, Role.PRESCRIBER)
    course = PaperCourse(chart, D8)
    right = {"kind": "transplant", "transplanted_at": D8 - DAY}
    corrected(course, fact_of(course, "transplant"), right)
    assert (course.card.state, course.card.next_dose) == (CourseState.LIVER_MONITORING, None)
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=8).type == "NotTheDoseDue"


def test_a_corrected_transplant_date_does_not_end_dosing_that_was_resumed_since() -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR")
    chart.add({"kind": "transplant", "transplanted_at": D1 + 21 * DAY}, D1 + 21 * DAY, Role.PRESCRIBER)
    course = PaperCourse(chart, D1 + 200 * DAY)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2, reason="a relapse after it")
    assert course.card.next_dose == "C2D1"
    right = {"kind": "transplant", "transplanted_at": D1 + 20 * DAY}
    corrected(course, fact_of(course, "transplant"), right)
    assert course.card.next_dose == "C2D1"


def test_dosing_that_was_finished_by_mistake_goes_on_when_that_is_retracted() -> None:
    course = PaperCourse(second_dose(), D8)
    course.does("finish_dosing", Role.PRESCRIBER, reason="wrong patient")
    assert course.card.next_dose is None
    corrected(course, fact_of(course, "dosing_finished"), None)
    assert course.card.next_dose == "C1D8"


# ── COR-02 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def after_a_reaction(*grades: int | None) -> PaperCourse:
    """A reaction during the first infusion, over since; a week later everything is in order for day 8."""
    chart = second_dose()
    for grade in grades:
        told = {"kind": "reaction", "reaction_id": "r-1", "grade": grade, "resolved_at": D1 + 50 * MIN}
        chart.add(told, D1 + 20 * MIN)
    return PaperCourse(chart, D8)


def reaction(grade: int) -> dict[str, Any]:
    return {"kind": "reaction", "reaction_id": "r-1", "grade": grade, "resolved_at": D1 + 50 * MIN}


@pytest.mark.parametrize("replacement", [None, reaction(2), reaction(1)], ids=["retracted", "grade 2", "grade 1"])
def test_a_stop_stands_when_the_reaction_behind_it_is_corrected_away(replacement: dict[str, Any] | None) -> None:
    course = after_a_reaction(3)
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.DISCONTINUED, ["NON-05"])
    course.does(
        "correct_fact",
        Role.PHYSICIAN,
        target=fact_of(course, "reaction"),
        replacement=replacement,
        reason="another patient's",
    )
    assert (course.card.state, course.card.verdict) == (CourseState.CORRECTION_REVIEW, Verdict.DISCONTINUED)
    assert standing_rules(course.card) == ["COR-02"]
    assert course.card.next_dose is None
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2).rules == ("COR-02",)
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=8).type == "DoseGateClosed"


def test_the_time_that_goes_by_does_not_lift_a_retracted_stop() -> None:
    course = after_a_reaction(3)
    corrected(course, fact_of(course, "reaction"), None)
    assert course.later(days=30).card.verdict is Verdict.DISCONTINUED


def test_a_grade_3_corrected_to_grade_4_is_simply_a_stop() -> None:
    course = after_a_reaction(3)
    corrected(course, fact_of(course, "reaction"), reaction(4))
    assert standing_rules(course.card) == ["NON-05"]
    assert course.card.state is CourseState.DISCONTINUED


def test_a_grade_that_a_correction_raised_is_not_lowered_by_the_next_one() -> None:
    course = after_a_reaction(2)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    raised = corrected(course, fact_of(course, "reaction"), reaction(3))
    assert standing_rules(course.card) == ["NON-05"]
    corrected(course, raised, reaction(2))
    assert (course.card.state, standing_rules(course.card)) == (CourseState.CORRECTION_REVIEW, ["COR-02"])


def test_the_prescribers_own_stop_stands_when_it_is_retracted() -> None:
    course = PaperCourse(second_dose(), D8)
    course.does("discontinue", Role.PRESCRIBER, reason="wrong chart")
    assert course.card.verdict is Verdict.DISCONTINUED
    corrected(course, fact_of(course, "discontinued"), None)
    assert (course.card.state, standing_rules(course.card)) == (CourseState.CORRECTION_REVIEW, ["COR-02"])


def test_a_reaction_below_grade_3_is_corrected_like_any_fact() -> None:
    course = after_a_reaction(2)
    corrected(course, fact_of(course, "reaction"), None)
    assert course.card.verdict is Verdict.MAY_AUTHORISE


def _countersigns(course: PaperCourse, stop: str, role: Role, person: str) -> None:
    course.does("countersign", Actor(role=role, id=person), target=stop)


def test_cor_02_the_prescriber_and_a_second_physician_lift_a_stop_that_was_an_error() -> None:
    course = after_a_reaction(3)
    stop = fact_of(course, "reaction")
    second = Actor(role=Role.PHYSICIAN, id="p-2")
    course.does("correct_fact", second, target=stop, replacement=None, reason="another patient's")
    assert f"countersign {stop}" in str(course.card.standing[0].clears)
    assert course.card.state is CourseState.CORRECTION_REVIEW
    _countersigns(course, stop, Role.PRESCRIBER, "p-1")
    assert (course.card.verdict, course.card.next_dose) == (Verdict.MAY_AUTHORISE, "C1D8")


def test_cor_02_who_made_the_correction_has_confirmed_it() -> None:
    course = after_a_reaction(3)
    stop = fact_of(course, "reaction")
    corrected(course, stop, None)
    _countersigns(course, stop, Role.PHYSICIAN, "p-2")
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize(
    "people",
    [
        [(Role.PHYSICIAN, "p-2"), (Role.PHYSICIAN, "p-3")],
        [(Role.PRESCRIBER, "p-1")],
        [(Role.PRESCRIBER, "p-1"), (Role.PRESCRIBER, "p-1")],
    ],
    ids=["no prescriber", "one person", "one person twice"],
)
def test_cor_02_two_people_and_one_of_them_the_prescriber(people: list[tuple[Role, str]]) -> None:
    course = after_a_reaction(3)
    stop = fact_of(course, "reaction")
    (role, person), *others = people
    by = Actor(role=role, id=person)
    course.does("correct_fact", by, target=stop, replacement=None, reason="another patient's")
    for role, person in others:
        ruling = course.judged("countersign", Actor(role=role, id=person), target=stop)
        if isinstance(ruling, Accepted):
            course.chart = course.chart.with_facts(*ruling.facts)
    assert (course.card.state, course.card.verdict) == (CourseState.CORRECTION_REVIEW, Verdict.DISCONTINUED)


def test_cor_02_a_pharmacist_does_not_confirm_that_a_stop_was_an_error() -> None:
    course = after_a_reaction(3)
    stop = fact_of(course, "reaction")
    corrected(course, stop, None)
    assert course.refused("countersign", Role.PHARMACIST, target=stop).type == "RoleNotAllowed"


def test_cor_02_a_confirmed_error_does_not_cover_the_next_reaction() -> None:
    course = after_a_reaction(3)
    stop = fact_of(course, "reaction")
    corrected(course, stop, None)
    _countersigns(course, stop, Role.PHYSICIAN, "p-2")
    course.does("report_reaction", Role.NURSE, reaction_id="r-2", grade=3, resolved_at=D8)
    assert standing_rules(course.card) == ["NON-05"]


# ── COR-04: what was derived from a corrected fact ─────────────────────────────────────────────────────────────────


def says_what_changed(course: PaperCourse) -> str:
    return " / ".join(f.reason for f in course.card.findings if f.rule == "COR-04")


def first_dose_given() -> PaperCourse:
    """C1D1 signed and given with 70 kg; D8 is due, and the patient weighs 66 kg."""
    course = gives(PaperCourse(ChartBuilder().ready(), D1), 1, 1)
    course.now = D8
    with course.charting() as chart:
        chart.ready_again(D8, kg="66")
    return course


@pytest.mark.parametrize(
    ("right_kg", "dosing_kg", "mg"),
    [("61", "61", "0.85"), ("74", "66", "0.88"), ("73", "73", "0.93"), ("70", "70", "0.91")],
    ids=["66 kg would be fluid", "66 kg are 10.8 % less", "66 kg are 9.6 % less", "the same again"],
)
def test_a_dosing_weight_that_rested_on_a_corrected_weight_is_derived_again(
    right_kg: str, dosing_kg: str, mg: str
) -> None:
    course = first_dose_given()
    before = course.card.dose
    assert before is not None
    assert (str(before.weight_kg), says_what_changed(course)) == ("70", "")
    wrong = next(f.id for f in course.chart.facts if f.what.kind == "weight")
    corrected(course, wrong, {"kind": "weight", "kg": right_kg})
    plan = course.card.dose
    assert plan is not None
    assert (str(plan.weight_kg), str(plan.mg)) == (dosing_kg, mg)
    assert f"corrected to {right_kg} kg" in says_what_changed(course)
    assert ("C1D1 was signed with, 70 kg" in says_what_changed(course)) == (right_kg != "70")


def test_what_was_carried_on_from_a_corrected_weight_is_derived_again_too() -> None:
    """D8 was signed with the 70 kg of day 1, though the patient weighed 70 kg again: it rests on day 1 (BSA-08)."""
    course = gives(PaperCourse(ChartBuilder().ready(), D1), 1, 1)
    course.now = D8
    gives(course, 1, 8)
    course.now = D1 + 14 * DAY
    with course.charting() as chart:
        chart.ready_again(course.now, kg="62")
    wrong = next(f.id for f in course.chart.facts if f.what.kind == "weight")
    corrected(course, wrong, {"kind": "weight", "kg": "61"})
    plan = course.card.dose
    assert plan is not None
    assert str(plan.weight_kg) == "61"
    assert course.card.cycle_totals_mg_per_m2 == ("C1: 1.39 mg/m² (2.36 mg)",)  # by the 1.70 m² of 61 kg


def test_a_weight_that_a_laboratory_system_corrects_or_takes_back_is_derived_again() -> None:
    chart = ChartBuilder().ready().without("weight")
    chart.result("weight", "70", D1 - 3 * H, accession="a-1")
    course = gives(PaperCourse(chart, D1), 1, 1)
    course.now = D8
    with course.charting() as more:
        more.ready_again(D8, kg="62")
        more.result("weight", "61", D1 - 3 * H, accession="a-1", status="corrected", recorded_at=D8 - MIN)
    plan = course.card.dose
    assert plan is not None
    assert str(plan.weight_kg) == "61"
    assert "C1D1 was signed with, 70 kg" in says_what_changed(course)


@pytest.mark.parametrize(
    ("kind", "right", "words"),
    [
        ("height", {"kind": "height", "cm": "160"}, "height of 2026-03-01, 170 cm, was corrected to 160 cm"),
        ("height", None, "height of 2026-03-01, 170 cm, was taken back"),
        (
            "lab_result",
            {**a_lab("alt", "90").model_dump(mode="json")},
            "ALT of 2026-03-02, 30 U/L, was corrected to 90 U/L",
        ),
    ],
)
def test_the_card_says_what_is_derived_again(kind: str, right: dict[str, Any] | None, words: str) -> None:
    course = first_dose_given()
    wrong = next(
        f for f in course.chart.facts if f.what.kind == kind and getattr(f.what, "loinc", "1742-6") == "1742-6"
    )
    corrected(course, wrong.id, right)
    assert words in says_what_changed(course)
    assert "by prescriber:prescriber-1" in says_what_changed(course)


def test_a_corrected_response_gives_another_dose_and_the_card_says_so() -> None:
    at = D1 + 28 * DAY
    course = PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(at, "CR"), at)
    dose = course.card.dose
    assert dose is not None
    assert str(dose.mg_per_m2) == "0.5"
    corrected(course, fact_of(course, "response"), {"kind": "response", "cycle": 1, "response": "none"})
    dose = course.card.dose
    assert dose is not None
    assert str(dose.mg_per_m2) == "0.8"
    assert "CR, was corrected to none" in says_what_changed(course)


def test_what_changed_is_history_once_the_next_dose_was_given() -> None:
    course = first_dose_given()
    corrected(course, fact_of(course, "height"), {"kind": "height", "cm": "160"})
    gives(course, 1, 8, kg="66")
    assert says_what_changed(course) == ""
