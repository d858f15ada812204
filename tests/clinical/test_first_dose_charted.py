"""A course begins with cycle 1 and a cycle with its day 1: a chart that leaves it out holds the next dose (DAY-06, DOSE-01)."""

from datetime import timedelta

import pytest

from models.assessment import Verdict
from models.people import Role
from tests.factories import D1, PROTOCOLS, ChartBuilder, PaperCourse

DAY, H = timedelta(days=1), timedelta(hours=1)


def held(course: PaperCourse) -> list[str]:
    """What DAY-06 holds, as its subjects."""
    found = [f for f in course.card.standing if f.rule == "DAY-06" and f.verdict is Verdict.HOLD]
    assert all(f.clears and f.override == "none" for f in found)
    return [f.subject for f in found]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("reported", [True, False], ids=["elsewhere", "here"])
def test_a_chart_that_goes_on_with_day_8_without_day_1_holds_until_day_1_is_charted(
    protocol: str, reported: bool
) -> None:
    chart = ChartBuilder(protocol).ready()
    if reported:
        chart.add({"kind": "administration", "cycle": 1, "day": 8, "mg": "0.91"}, D1)
    else:
        chart.dose(1, 8, D1)
    course = PaperCourse(chart.ready_again(D1 + 7 * DAY), D1 + 7 * DAY)
    assert (course.card.verdict, course.card.next_dose, held(course)) == (Verdict.HOLD, "C1D15", ["C1D1"])
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=15).type == "DoseGateClosed"
    course.does("record_administration", Role.NURSE, cycle=1, day=1, mg="1.45", at=D1 - 7 * DAY)
    assert held(course) == []


def test_a_chart_that_begins_with_a_later_cycle_holds_too() -> None:
    chart = ChartBuilder().ready().dose(2, 1, D1).ready_again(D1 + 7 * DAY)
    chart.add({"kind": "response", "cycle": 1, "response": "CR"}, D1 + DAY, Role.PHYSICIAN)
    course = PaperCourse(chart, D1 + 7 * DAY)
    assert (course.card.verdict, held(course)) == (Verdict.HOLD, ["C1D1"])


def test_a_word_that_leaves_out_day_1_holds_it_and_never_opens_day_8() -> None:
    """No command says so; a chart from elsewhere may."""
    chart = ChartBuilder().ready()
    word = {"kind": "dose_decided", "cycle": 1, "day": 1, "decision": "omit", "cause": "logistics", "reason": "no bed"}
    chart.add(word, D1, Role.PRESCRIBER)
    course = PaperCourse(chart, D1)
    assert (course.card.verdict, course.card.next_dose, held(course)) == (Verdict.HOLD, "C1D1", ["C1D1"])
    until = (D1 + DAY).date()
    course.does(
        "decide_dose", Role.PRESCRIBER, cycle=1, day=1, decision="postpone", cause="logistics", reason="x", until=until
    )
    assert (course.card.verdict, held(course)) == (Verdict.TOO_EARLY, [])


def test_a_day_1_that_is_taken_back_after_day_8_holds() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D1 + 7 * DAY).ready_again(D1 + 14 * DAY)
    course = PaperCourse(chart, D1 + 14 * DAY)
    assert held(course) == []
    started = next(f.id for f in course.chart.facts if f.what.kind == "infusion_started")
    course.does("correct_fact", Role.PRESCRIBER, target=started, reason="another patient")
    assert held(course) == ["C1D1"]
