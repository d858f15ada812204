"""Reactions by grade (§4.5, CT-27) and readings of the pump that cannot be right (INF-05)."""

from datetime import timedelta

import pytest

from clinical.due import REACTION, key_of
from models.assessment import CourseState, Verdict
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

MIN = timedelta(minutes=1)


def interrupted(minutes: int = 20, **more: object) -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    course.later(minutes=minutes).does("interrupt_infusion", Role.NURSE, **more)
    return course


def reaction_notes(course: PaperCourse) -> list[str]:
    return [f.reason for f in course.card.findings if f.rule == "NON-04" and f.verdict is None]


def test_grade_1_goes_on_and_is_watched_more_closely() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    course.later(minutes=10).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=1)
    assert course.card.state is CourseState.INFUSION
    assert reaction_notes(course) == ["reaction of grade 1: the infusion goes on, watched more closely"]


def test_grade_2_while_it_runs_asks_for_corticosteroid_and_antihistamine() -> None:
    course = interrupted()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    found = next(f for f in course.card.findings if f.rule == "NON-04")
    assert found.verdict is Verdict.HOLD_URGENT
    assert "corticosteroid and antihistamine" in found.reason
    assert reaction_notes(course) == []


def test_grade_2_that_is_over_proposes_half_the_rate() -> None:
    course = interrupted()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    over = course.later(minutes=15).now
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, resolved_at=over)
    (note,) = reaction_notes(course)
    assert "half the rate (25 mL/h)" in note
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    assert reaction_notes(course) == []


@pytest.mark.parametrize("grade", [3, 4, 5])
def test_grade_3_and_more_stop_the_drug_and_only_grade_5_asks_to_close_the_record(grade: int) -> None:
    """IRR-01, IRR-03, AMB-09."""
    course = interrupted()
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=grade)
    assert course.card.verdict is Verdict.DISCONTINUED
    assert reaction_notes(course) == []
    calls = [o for o in course.card.obligations if o.key == f"{key_of(REACTION, 'r-1')}-death"]
    assert [(o.owner, o.due_at) for o in calls] == ([(Role.PHYSICIAN, course.now)] if grade == 5 else [])
    course.does("close_course", Role.PHYSICIAN, reason="death")
    assert (course.card.state, course.card.obligations) == (CourseState.CLOSED, ())


def test_a_reaction_of_an_earlier_dose_is_no_note_at_the_next() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "reaction", "reaction_id": "r-1", "grade": 1}, D1 + 10 * MIN)
    at = D1 + timedelta(days=7)
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 8, "mg": "0.91", "preparation_id": "p-8"}, at)
    assert reaction_notes(PaperCourse(chart, at + MIN)) == []


# ── the pump ───────────────────────────────────────────────────────────────────────────────────────────────────────


def pump_notes(course: PaperCourse) -> list[str]:
    return [f.reason for f in course.card.findings if f.rule == "INF-05"]


@pytest.mark.parametrize(("second", "questioned"), [("9.9", True), ("10", False), ("10.1", False)])
def test_a_reading_below_an_earlier_one_is_questioned_and_not_refused(second: str, questioned: bool) -> None:
    course = interrupted(infused_ml="10").later(minutes=5)
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    course.later(minutes=10).does("interrupt_infusion", Role.NURSE, infused_ml=second)
    assert bool(pump_notes(course)) == questioned
    assert all("after 10 mL: one of the readings is wrong" in reason for reason in pump_notes(course))


@pytest.mark.parametrize(("ml", "questioned"), [("50", False), ("50.1", True)])
def test_a_reading_above_what_the_bag_holds_is_questioned(ml: str, questioned: bool) -> None:
    assert bool(pump_notes(interrupted(55, infused_ml=ml))) == questioned


def test_readings_of_another_dose_are_not_compared() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "infusion_interrupted", "infused_ml": "40"}, D1 + 48 * MIN)
    at = D1 + timedelta(days=7)
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 8, "mg": "0.91", "preparation_id": "p-8"}, at)
    chart.add({"kind": "infusion_interrupted", "infused_ml": "10"}, at + 12 * MIN)
    assert pump_notes(PaperCourse(chart, at + 12 * MIN)) == []
