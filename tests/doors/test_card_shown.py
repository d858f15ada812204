"""The card as a person reads it, drawn from an assessment; no server is asked."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from cli import render
from models.assessment import Assessment, CourseState, Finding, Verdict
from models.people import Role
from models.zones import zone_of
from tests.factories import D1, ChartBuilder, PaperCourse
from workflows.shown import details_of

DAY = timedelta(days=1)


def drawn(card: Assessment) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(render.card(card, zone_of("Europe/Berlin")))
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


def test_findings_of_one_clause_that_different_people_may_set_aside_say_so_each() -> None:
    """No override of a missing count stands under a missing value that the prescriber may do without, nor the reverse."""
    alike = {
        "rule": "DATA-01",
        "verdict": Verdict.NEED_DATA,
        "clause": "label DATA-01: values",
        "confidence": "verified",
    }
    found = [
        Finding(reason=f"{name} is missing", override=override, **alike)  # type: ignore[arg-type]
        for name, override in (("ANC", "none"), ("platelets", "none"), ("lipase", "prescriber_with_reason"))
    ]
    said = ["ANC", "platelets", "no override", "lipase", "override: prescriber, with a reason"]
    for findings, expected in ((found, said), (found[::-1], [*said[3:], "platelets", "ANC", "no override"])):
        console = Console(file=StringIO(), width=200)
        console.print(render.findings_table(findings, zone_of("Europe/Berlin")))
        text = str(console.file.getvalue())  # type: ignore[attr-defined]
        assert [text.index(words) for words in expected] == sorted(text.index(words) for words in expected)
        assert text.count("override") == 2


def test_whose_turn_it_is_names_everybody_who_is_overdue() -> None:
    card = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + 3 * DAY).card
    assert {owner for owner, _ in card.turns} == {Role.COORDINATOR}
    late = [o for o in card.overdue if Role.PHYSICIAN in o.owners]
    assert late
    assert (Role.PHYSICIAN, f"overdue: {', '.join(o.title for o in late)}") in card.whose_turn
    assert [owner for owner, _ in card.whose_turn].count(Role.COORDINATOR) == 1
    assert f"turn: physician – overdue: {late[0].title}" in drawn(card)
    assert f"**physician** – overdue: {late[0].title}" in details_of(card, D1, 2, (), "Europe/Berlin")


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
