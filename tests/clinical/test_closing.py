"""CLOSE-01: death, transfer, lost to follow-up, a patient who stops; what each ends and what goes on."""

from datetime import timedelta
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.decide import phase_of
from models.assessment import CourseState, Verdict
from models.messages import COMMANDS, Request
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

H, DAY = timedelta(hours=1), timedelta(days=1)
AT = D1 + 5 * DAY


def after_a_dose() -> PaperCourse:
    return PaperCourse(ChartBuilder().ready().dose(1, 1, D1), AT)


def closed(reason: str, role: Role = Role.NURSE, **more: Any) -> PaperCourse:
    course = after_a_dose()
    course.does("close_course", role, reason=reason, **more)
    return course


def phase(course: PaperCourse) -> str:
    return phase_of(Case(course.chart, course.protocol, course.now)).kind


def test_death_cancels_every_obligation_and_ends_the_course() -> None:
    assert after_a_dose().card.obligations
    course = closed("death")
    card = course.card
    assert (card.state, card.verdict, card.obligations, card.valid_until) == (
        CourseState.CLOSED,
        Verdict.NO_DOSE_DUE,
        (),
        None,
    )
    assert phase(course) == "ended"


def test_no_request_is_possible_on_a_closed_course_and_every_report_is() -> None:
    answers = {c.command: c for c in closed("death").card.commands}
    for name, kind in COMMANDS.items():
        assert (answers[name].refusal == "CourseClosed") == issubclass(kind, Request)


def test_a_transfer_names_who_takes_over_and_what_is_outstanding() -> None:
    assert after_a_dose().refused("close_course", Role.NURSE, reason="transfer").type == "ReceiverRequired"
    card = closed("transfer", receiver="the clinic of the next town").card
    said = [f.reason for f in card.findings if f.rule == "CLOSE-01"]
    assert card.state is CourseState.CLOSED
    assert "the clinic of the next town" in said[0]
    assert any(words.startswith("outstanding: liver test after C1D1") for words in said)
    assert card.obligations == ()


def test_lost_to_follow_up_calls_a_physician_first_and_closes_when_one_says_it_again() -> None:
    course = closed("lost_to_follow_up", Role.NURSE)
    assert course.card.state is not CourseState.CLOSED
    call = next(o for o in course.card.obligations if o.key == "lost-to-follow-up")
    assert (call.owner, call.standing) == (Role.PHYSICIAN, "due")
    course.later(hours=30).does("close_course", Role.NURSE, reason="lost_to_follow_up")
    assert course.card.state is not CourseState.CLOSED, "a nurse alone does not close it"
    course.does("close_course", Role.PHYSICIAN, reason="lost_to_follow_up")
    assert (course.card.state, phase(course)) == (CourseState.CLOSED, "ended")


def test_a_result_in_between_means_that_the_patient_was_seen() -> None:
    course = closed("lost_to_follow_up")
    seen = ChartBuilder()
    seen.facts = list(course.chart.facts)
    seen.result("alt", "30", AT + H)
    course.chart = seen.chart()
    course.later(hours=2)
    assert not any(o.key == "lost-to-follow-up" for o in course.card.obligations)
    course.does("close_course", Role.PHYSICIAN, reason="lost_to_follow_up")
    assert course.card.state is not CourseState.CLOSED


def test_a_patient_who_stops_keeps_the_liver_tests_unless_they_are_declined() -> None:
    course = closed("patient_stops")
    assert (course.card.state, phase(course)) == (CourseState.LIVER_MONITORING, "monitoring")
    assert any(o.key.startswith("liver-test") for o in course.card.obligations)
    course.does("close_course", Role.PHYSICIAN, reason="patient_stops", monitoring_declined=True)
    assert (course.card.state, course.card.obligations) == (CourseState.CLOSED, ())


@pytest.mark.parametrize("role", [Role.PHYSICIAN, Role.PRESCRIBER])
def test_cor_01_a_closing_that_was_an_error_is_retracted(role: Role) -> None:
    course = closed("death")
    fact = next(f.id for f in course.chart.facts if f.what.kind == "course_closed")
    assert course.refused("correct_fact", Role.NURSE, target=fact, reason="wrong chart").type == "RoleNotAllowed"
    course.does("correct_fact", role, target=fact, replacement=None, reason="wrong chart")
    assert course.card.state is CourseState.BETWEEN_DOSES
    assert course.card.obligations
