"""The card as a person reads it, drawn from an assessment; no server is asked."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

import cli_render
from models.assessment import Assessment, CourseState
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

DAY = timedelta(days=1)


def drawn(card: Assessment) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(cli_render.card(card, cli_render.zone_of("Europe/Berlin")))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def completed() -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + DAY)
    course.does("discontinue", Role.PRESCRIBER, reason="liver")
    course.does("declare_no_transplant", Role.PRESCRIBER)
    return course.later(days=400)


def closed() -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + DAY)
    course.does("close_course", Role.PHYSICIAN, reason="death")
    return course


@pytest.mark.parametrize(
    ("course", "state"),
    [(completed(), CourseState.COMPLETED), (closed(), CourseState.CLOSED)],
    ids=["completed", "closed"],
)
def test_a_course_that_is_over_offers_no_command(course: PaperCourse, state: CourseState) -> None:
    assert course.card.state is state
    text = drawn(course.card)
    assert "none: the course is over" in text
    assert "may be given now" not in text
    assert "record_finding" not in text


def test_a_course_that_goes_on_offers_what_may_be_given() -> None:
    assert "may be given now: record_finding" in drawn(PaperCourse(ChartBuilder(), D1).card)


def test_a_card_says_who_signed_the_dose_that_runs_and_what_has_lapsed() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1).authorised()
    with course.charting() as chart:
        chart.add({"kind": "weight", "kg": "55"}, course.now, Role.NURSE)
    text = drawn(course.card)
    assert "lapsed: 1.45 mg authorised" in text
    assert "signed:" not in text
    course.ready_to_start()
    course.started()
    text = drawn(course.card)
    assert "at the bedside: C1D1, " in text
    assert "signed: started 2026-03-02 10:00 local time by nurse:nurse-1" in text
