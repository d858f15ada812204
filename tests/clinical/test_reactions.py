"""Reactions by grade (§4.5, CT-27) and readings of the pump that cannot be right (INF-05)."""

from datetime import timedelta

import pytest

from clinical.monitoring.due import hashed
from models.assessment import CourseState, Verdict
from models.obligation_kinds import ObligationKind
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


def infusing(minutes: int = 20) -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    return course.later(minutes=minutes)


@pytest.mark.parametrize("grade", [None, 1, 2, 3])
def test_any_reaction_stops_the_infusion(grade: int | None) -> None:
    """IRR-04: also one of grade 1, and one that nobody has graded; what had run in by then is what was given."""
    course = infusing()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade)
    assert not any(o.title.endswith("ends") for o in course.card.obligations if o.rule == "INF-01")
    assert any(o.rule == "INF-05" for o in course.card.obligations)
    course.later(minutes=5).does("complete_infusion", Role.NURSE, stopped_early=True)
    assert "0.48 of 1.45 mg" in course.card.cycle_totals_mg_per_m2[0]


def test_grade_1_may_go_on_at_once_after_grading_and_is_watched_more_closely() -> None:
    course = infusing(10)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1")
    refused = course.refused("resume_infusion", Role.NURSE, rate_ml_per_h="50")
    assert refused.type == "ReactionNotOver"
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=1)
    assert course.card.state is CourseState.INFUSION_INTERRUPTED
    may = "reaction of grade 1: the infusion may go on at once (resume_infusion), watched more closely"
    assert reaction_notes(course) == [may]
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="50")
    assert course.card.state is CourseState.INFUSION
    assert reaction_notes(course) == ["reaction of grade 1: the infusion goes on, watched more closely"]
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=1, resolved_at=course.now)
    assert course.card.state is CourseState.INFUSION, "a further word on the same reaction stops nothing"


def test_what_the_pump_shows_may_be_said_after_the_reaction() -> None:
    course = infusing()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=1)
    course.later(minutes=1).does("interrupt_infusion", Role.NURSE, infused_ml="15")
    assert course.refused("interrupt_infusion", Role.NURSE).type == "AlreadyInterrupted"
    resumed = course.does("resume_infusion", Role.NURSE, rate_ml_per_h="50")
    assert str(getattr(resumed.what, "remaining_ml", None)) == "35"


def test_one_that_nobody_let_go_on_and_that_is_charted_as_whole_is_asked_about() -> None:
    course = infusing()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=1)
    course.later(minutes=40).does("complete_infusion", Role.NURSE)
    assert any(f.rule == "INF-07" for f in course.card.findings)
    assert "1.45 mg at most" in course.card.cycle_totals_mg_per_m2[0]


def test_a_reaction_before_the_infusion_or_after_it_stops_nothing() -> None:
    course = infusing(60)
    course.does("complete_infusion", Role.NURSE)
    course.later(minutes=5).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=1)
    assert not any(f.rule == "INF-07" for f in course.card.findings)
    assert course.card.cycle_totals_mg_per_m2 == ("C1: 0.80 mg/m² (1.45 mg)",)


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
    course.premedicated("corticosteroid", "antihistamine")
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    assert reaction_notes(course) == []


def running_at(course: PaperCourse) -> bool:
    calls = {o.key for o in course.card.obligations}
    return course.card.verdict is Verdict.HOLD_URGENT and ObligationKind.REACTION_RUNNING.key(hashed("r-1")) in calls


def test_an_end_ahead_of_now_ends_nothing_until_it_is_reached() -> None:
    """NON-04: clocks may differ by five minutes; a hold and a call do not end early for it."""
    course = interrupted()
    ahead = course.now + 4 * MIN
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, resolved_at=ahead)
    assert running_at(course)
    assert course.card.valid_until == ahead
    assert course.refused("resume_infusion", Role.NURSE, rate_ml_per_h="25").type == "ReactionNotOver"
    course.now = ahead
    assert not running_at(course)
    course.premedicated("corticosteroid", "antihistamine").does("resume_infusion", Role.NURSE, rate_ml_per_h="25")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("minutes", "right"), [(-80, False), (-21, False), (-20, True), (0, True)])
def test_an_end_from_before_the_infusion_is_refused_and_ends_nothing(minutes: int, right: bool, known: bool) -> None:
    course = interrupted(20)
    seen = course.now - 20 * MIN
    if known:
        course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, at=seen)
    told = {"reaction_id": "r-1", "grade": 2, "resolved_at": course.now + minutes * MIN}
    if right:
        course.does("report_reaction", Role.NURSE, **told)
    else:
        assert course.refused("report_reaction", Role.NURSE, **told).type == "BeforeItsStart"
        with course.charting() as chart:  # and where it stands in a chart all the same, it counts for nothing
            chart.add({"kind": "reaction", **told}, course.now)
    assert running_at(course) is not right


def test_an_end_charted_to_the_minute_of_its_report_counts() -> None:
    """NON-04: people chart minutes, and the report carries seconds."""
    course = interrupted(20)
    course.now += timedelta(seconds=40)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    to_the_minute = course.now.replace(second=0)
    course.now += 5 * MIN
    assert running_at(course)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, resolved_at=to_the_minute)
    assert not running_at(course)


@pytest.mark.parametrize("later", [True, False])
def test_a_reaction_does_not_end_before_it_was_seen(later: bool) -> None:
    course = interrupted(20)
    seen, told = course.now - 10 * MIN, {"reaction_id": "r-1", "grade": 2, "resolved_at": course.now - 11 * MIN}
    if later:
        course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, at=seen)
    refused = course.refused("report_reaction", Role.NURSE, **told, **({} if later else {"at": seen}))
    assert (refused.type, "10:10" in refused.message) == ("BeforeItsStart", True)
    with course.charting() as chart:
        chart.add({"kind": "reaction", **told}, seen, recorded_at=course.now)
    assert running_at(course)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", resolved_at=seen)
    assert not running_at(course)


def test_what_is_told_only_when_it_was_over_is_over() -> None:
    """Who reports a reaction once it is over need not say when it was first seen, and the grade may follow (CT-27)."""
    course = interrupted(20)
    over = {"reaction_id": "r-1", "resolved_at": course.now - 5 * MIN}
    course.does("report_reaction", Role.NURSE, **over)
    course.later(minutes=1).does("report_reaction", Role.PHYSICIAN, **over, grade=2)
    assert not running_at(course)


@pytest.mark.parametrize("grade", [3, 4, 5])
def test_grade_3_and_more_stop_the_drug_and_only_grade_5_asks_to_close_the_record(grade: int) -> None:
    """IRR-01, IRR-03, AMB-09."""
    course = interrupted()
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=grade)
    assert course.card.verdict is Verdict.DISCONTINUED
    assert reaction_notes(course) == []
    calls = [o for o in course.card.obligations if o.key == ObligationKind.DEATH.key(hashed("r-1"))]
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


def test_readings_of_another_dose_are_not_compared() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "infusion_interrupted", "infused_ml": "40"}, D1 + 48 * MIN)
    at = D1 + timedelta(days=7)
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 8, "mg": "0.91", "preparation_id": "p-8"}, at)
    chart.add({"kind": "infusion_interrupted", "infused_ml": "10"}, at + 12 * MIN)
    assert pump_notes(PaperCourse(chart, at + 12 * MIN)) == []
