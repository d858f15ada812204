"""DAY-06, DAY-07: a dose of elsewhere that was not next, or that was given here too, is asked about and drops none in silence.

All patients are invented.
"""

import pytest

from models.assessment import Assessment, Obligation
from models.obligation_kinds import ObligationKind
from models.people import Role
from tests.factories import D1, LABEL, PROTOCOLS, ChartBuilder, PaperCourse
from tests.scenarios import DAY, HOUR, day, day_8, gives, next_cycle


def asked(card: Assessment) -> list[Obligation]:
    return [o for o in card.obligations if o.kind is ObligationKind.INFUSION_ASKED and o.rule in ("DAY-06", "DAY-07")]


def told(card: Assessment) -> list[str]:
    return [f.reason for f in card.findings if f.rule == "DAY-06" and f.verdict is None]


def reported(protocol: str, cycle: int, on_day: int) -> tuple[PaperCourse, str]:
    """On day 8 of cycle 1, everything in order for C1D8, a nurse reports a dose that was given in another clinic."""
    course = day_8()(protocol)
    fact = course.does("record_administration", Role.NURSE, cycle=cycle, day=on_day, mg="0.91", at=course.now - HOUR)
    return course.later(hours=3), fact.id


PASSED = {(1, 15): ["C1D8"], (2, 1): ["C1D8", "C1D15"], (3, 1): ["C1D8", "C1D15", "C2D1", "C2D8", "C2D15"]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("slot", PASSED, ids=str)
def test_a_report_of_another_dose_than_the_next_is_asked_about_and_names_what_it_passed_over(
    protocol: str, slot: tuple[int, int]
) -> None:
    course, fact = reported(protocol, *slot)
    (call,) = asked(course.card)
    assert (call.rule, call.owners) == ("DAY-06", (Role.NURSE, Role.PHYSICIAN))
    (reason,) = told(course.card)
    assert f"{', '.join(PASSED[slot])} " in reason
    confirmed = {"kind": "result_confirmed", "target": fact}
    course.does("record_finding", Role.NURSE, finding=confirmed)
    assert asked(course.card)
    course.does("record_finding", Role.PHYSICIAN, finding=confirmed)
    assert (asked(course.card), told(course.card)) == ([], [])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_prescriber_leaves_out_what_was_passed_over(protocol: str) -> None:
    course, _ = reported(protocol, 2, 1)
    why = {"decision": "omit", "cause": "logistics", "reason": "the other clinic left it out"}
    course.does("decide_dose", Role.PRESCRIBER, cycle=1, day=8, **why)
    assert [("C1D8" in reason, "C1D15" in reason) for reason in told(course.card)] == [(False, True)]
    course.does("decide_dose", Role.PRESCRIBER, cycle=1, day=15, **why)
    assert (asked(course.card), told(course.card)) == ([], [])
    assert course.refused("decide_dose", Role.PRESCRIBER, cycle=1, day=8, **why).type == "NotTheDoseDue"


def test_a_corrected_report_brings_the_dose_back() -> None:
    course, fact = reported(LABEL, 3, 1)
    right = {"kind": "administration", "cycle": 1, "day": 8, "mg": "0.91"}
    course.does("correct_fact", Role.PRESCRIBER, target=fact, replacement=right, reason="a slip of the finger")
    assert (asked(course.card), told(course.card), course.card.next_dose) == ([], [], "C1D15")


def test_charting_what_was_passed_over_ends_the_question() -> None:
    course, _ = reported(LABEL, 1, 15)
    course.does("record_administration", Role.NURSE, cycle=1, day=8, mg="0.91", at=D1 + DAY)
    assert (asked(course.card), told(course.card)) == ([], [])


def test_a_dose_that_was_next_and_one_that_follows_a_left_out_one_are_not_asked_about() -> None:
    course, _ = reported(LABEL, 1, 8)
    assert (asked(course.card), told(course.card)) == ([], [])
    course = day_8()(LABEL)
    course.does("decide_dose", Role.PRESCRIBER, cycle=1, day=8, decision="omit", cause="logistics", reason="no bed")
    course.later(days=7).does("record_administration", Role.NURSE, cycle=1, day=15, mg="0.91")
    assert (asked(course.card), told(course.card)) == ([], [])
    after = next_cycle()(LABEL)
    after.does("record_administration", Role.NURSE, cycle=2, day=1, mg="0.91")
    assert (asked(after.card), told(after.card)) == ([], [])


# ── the same dose twice (DAY-07) ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dose_of_elsewhere_while_its_infusion_runs_here_calls_to_stop_it(protocol: str) -> None:
    course = day_8()(protocol).ready_to_start(1, 8)
    course.started(1, 8)
    fact = course.does(
        "record_administration",
        Role.NURSE,
        cycle=1,
        day=8,
        mg="0.91",
        at=course.now - 2 * HOUR,
        ended_at=course.now - HOUR,
    )
    (call,) = asked(course.card)
    assert (call.rule, call.standing, call.owners) == ("DAY-07", "due", (Role.NURSE, Role.PHYSICIAN))
    assert "interrupt_infusion" in call.title
    course.does("correct_fact", Role.PRESCRIBER, target=fact.id, reason="another patient's")
    assert asked(course.card) == []


def test_a_dose_of_elsewhere_that_was_given_before_is_one_question_until_a_physician_confirms_it() -> None:
    course = gives(day_8()(LABEL), 1, 8)
    fact = course.does("record_administration", Role.NURSE, cycle=1, day=8, mg="0.91", at=day(8) + HOUR)
    assert [o.rule for o in asked(course.card)] == ["DAY-07"]
    confirmed = {"kind": "result_confirmed", "target": fact.id}
    course.does("record_finding", Role.PHYSICIAN, finding=confirmed)
    assert asked(course.card) == []


def test_a_dose_that_is_reported_twice_is_one_question() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    for hour in (1, 2):
        chart.add({"kind": "administration", "cycle": 1, "day": 8, "mg": "0.91"}, day(8) + hour * HOUR, Role.NURSE)
    assert [o.rule for o in asked(PaperCourse(chart, day(9)).card)] == ["DAY-07"]
