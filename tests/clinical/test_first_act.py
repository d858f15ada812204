"""What must be done first is said first: the receipt, the turn and the call of a reaction begin with stopping the infusion."""

import pytest

from models.assessment import CourseState, Receipt
from models.obligation_kinds import GRAVEST
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

BOTH = [Role.PHYSICIAN, Role.NURSE]


def running() -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready(), D1).ready_to_start()
    course.started()
    return course.later(minutes=20)


def receipt(course: PaperCourse) -> str:
    return Receipt.of("m", 1, course.card).sentence


@pytest.mark.parametrize("grade", [None, 1, 2, 3, 4])
def test_the_first_act_of_a_reaction_is_to_stop_the_infusion_and_names_physician_and_nurse(grade: int | None) -> None:
    """IRR-04, CALL-01: until somebody has charted that it stands still; grade 1 calls nobody, and asks for it all the same."""
    course = running()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade)
    card = course.card
    assert [owner for owner, _ in card.turns] == BOTH
    assert all(action.startswith("stop the infusion") for _, action in card.turns)
    if grade != 1:
        assert receipt(course).startswith("now: stop the infusion")
        assert "; called: physician and nurse)." in receipt(course)
        assert "prophylaxis" not in receipt(course), "what is merely due is not said beside it"
        called = [o for o in card.obligations if o.kind in GRAVEST and o.standing != "coming"]
        assert [list(o.owners) for o in called] == [BOTH]
        assert called[0].title.startswith("stop the infusion")
        assert "interrupt_infusion" in called[0].clears


def test_what_was_done_is_not_asked_again() -> None:
    course = running()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    course.does("interrupt_infusion", Role.NURSE, infused_ml="16")
    assert "stop the infusion" not in receipt(course)
    assert [owner for owner, _ in course.card.turns] == BOTH
    assert receipt(course).startswith("now: infusion-related reaction of grade 2 is not over: treat it")


def test_a_graver_grade_is_said_first_though_the_reaction_was_called_before() -> None:
    course = running()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    course.later(minutes=5).does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=3)
    assert receipt(course).startswith("now: stop the infusion for good")


def test_after_the_stop_of_a_dose_nobody_is_asked_whether_it_goes_on() -> None:
    course = running()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=3)
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=3, resolved_at=course.now.isoformat())
    assert course.later(minutes=5).card.state is CourseState.INFUSION_INTERRUPTED
    assert course.card.next_action == "stop the infusion for good"
    course.does("interrupt_infusion", Role.NURSE, infused_ml="16")
    assert course.card.turns == ((Role.NURSE, "chart the end of the infusion, which was stopped for good"),)


def test_what_is_overdue_is_named_gravest_first() -> None:
    course = running()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1")
    words = receipt(course.later(hours=4))
    overdue = words[words.index("; overdue: ") :]
    assert overdue.startswith("; overdue: stop the infusion"), overdue
    assert "vital signs" in overdue
