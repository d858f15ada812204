"""The details of a course in the Web UI say what the card says: whose turn, what was set aside, what the next step lacks."""

from datetime import timedelta

from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse
from workflows.shown import details_of

D8 = D1 + timedelta(days=7)


def shown(course: PaperCourse, decisions: int = 2) -> str:
    return details_of(course.card, D1, decisions, (), course.chart.course.zone)


def on_day_8(**values: str) -> PaperCourse:
    return PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, **values), D8)


def test_what_was_set_aside_is_shown_with_who_why_and_until_when() -> None:
    course = on_day_8(alt="160")
    given = course.does("override", Role.PRESCRIBER, cycle=1, day=8, rule="NON-08", reason="benefit outweighs")
    assert "**physician** – sign as the second person" in shown(course)
    course.does("countersign", Role.PHYSICIAN, target=given.id)
    text = shown(course)
    assert "### Set aside by people\n- **NON-08**: ALT 160 U/L" in text
    assert "set aside by prescriber:prescriber-1 and physician:physician-1: benefit outweighs; for C1D8" in text


def test_signatures_and_what_the_next_step_would_meet_are_shown() -> None:
    text = shown(on_day_8().authorised(1, 8))
    assert "- signed: 0.91 mg authorised 2026-03-09 09:00 local time by prescriber:prescriber-1" in text
    assert "- signed: checked 2026-03-09 09:00 local time by pharmacist:pharmacist-1" in text
    assert "- missing: **IDN-02** no preparation of this dose is charted, record_preparation" in text
    assert "- next step: starting C1D8 is refused: PRE-07" in text
    assert "**nurse** – premedicate; **pharmacist** – prepare the dose" in text


def test_data_that_will_be_needed_are_not_said_to_be_missing() -> None:
    text = shown(PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + timedelta(days=3)))
    assert "**DATA-02** – will be needed: " in text
    assert "NEED_DATA" not in text


def test_everybody_who_is_called_is_named_with_what_they_answered() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(D1 + timedelta(hours=2), potassium="7.1")
    course = PaperCourse(chart, D1 + timedelta(hours=3))
    course.does("acknowledge", Role.NURSE, obligation="critical-potassium")
    assert "**physician and nurse (acknowledged by nurse:nurse-1)**: critical value of potassium" in shown(course)


def test_every_time_is_the_courses_own_in_its_zone_which_is_named() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1).ready_to_start()
    course.started()
    course.does("snooze", Role.PHYSICIAN, obligation="prophylaxis-C1", until=D1 + timedelta(hours=4))
    text = shown(course)
    assert "**nurse**: infusion of C1D1 ends – due on Mon 02 Mar 2026 11:00 CET" in text
    assert "must end by 18:00" in text
    assert "snoozed until 13:00 on 2 March" in text
    assert "As of Mon 02 Mar 2026 10:00 CET" in text
    assert "All times are the course's own, in Europe/Berlin." in text
    assert "UTC" not in text


def test_one_decision_is_one_decision() -> None:
    assert "1 decision so far" in shown(on_day_8(), 1)
    assert "2 decisions so far" in shown(on_day_8(), 2)
