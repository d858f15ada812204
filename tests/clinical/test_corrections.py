"""COR-01: a corrected fact re-opens what it decided. COR-02: a retracted stop stands until two physicians confirm it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.assessment import Accepted, CourseState, Verdict
from models.people import Actor, Role
from tests.factories import D1, ChartBuilder, PaperCourse, a_lab, standing_rules

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
    assert course.refused("correct_fact", Role.NURSE, **other).type == "NotCorrectable"


def test_a_transplant_whose_date_was_corrected_does_not_open_dosing_again() -> None:
    chart = second_dose()
    chart.add({"kind": "transplant", "transplanted_at": D8 - H}, D8 - H, Role.PRESCRIBER)
    course = PaperCourse(chart, D8)
    right = {"kind": "transplant", "transplanted_at": D8 - DAY}
    corrected(course, fact_of(course, "transplant"), right)
    assert (course.card.state, course.card.next_dose) == (CourseState.DISCONTINUED, None)
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=8).type == "NotTheDoseDue"


def test_a_corrected_transplant_date_does_not_end_dosing_that_was_resumed_since() -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR")
    chart.add({"kind": "transplant", "transplanted_at": D1 + 21 * DAY}, D1 + 21 * DAY, Role.PRESCRIBER)
    course = PaperCourse(chart, D1 + 200 * DAY)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
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
        Role.NURSE,
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
    course.does("correct_fact", Role.NURSE, target=stop, replacement=None, reason="another patient's")
    assert f"countersign {stop}" in str(course.card.standing[0].clears)
    _countersigns(course, stop, Role.PRESCRIBER, "p-1")
    assert course.card.state is CourseState.CORRECTION_REVIEW
    _countersigns(course, stop, Role.PHYSICIAN, "p-2")
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
    course.does("correct_fact", Role.NURSE, target=stop, replacement=None, reason="another patient's")
    for role, person in people:
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
