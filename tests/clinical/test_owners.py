"""Whose turn it is: what is urgent calls a physician, whoever watches the course else."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from clinical.assess import assess
from models.assessment import CourseState, Verdict
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab

H = timedelta(hours=1)


def in_observation(chart: ChartBuilder) -> ChartBuilder:
    return chart.dose(1, 1, D1, observed=False)


def stopped_for_good(chart: ChartBuilder) -> ChartBuilder:
    chart.dose(1, 1, D1)
    chart.add({"kind": "discontinued", "reason": "a severe reaction"}, D1 + 2 * H, Role.PRESCRIBER)
    chart.add({"kind": "monitoring_started"}, D1 + 2 * H, Role.PRESCRIBER)
    return chart


@pytest.mark.parametrize(
    ("so_far", "state", "calm", "verdict"),
    [
        (in_observation, CourseState.OBSERVATION, Role.NURSE, Verdict.HOLD_URGENT),
        (stopped_for_good, CourseState.LIVER_MONITORING, Role.COORDINATOR, Verdict.DISCONTINUED),
    ],
)
def test_a_value_that_may_kill_is_a_physicians_turn(
    so_far: Callable[[ChartBuilder], ChartBuilder], state: CourseState, calm: Role, verdict: Verdict
) -> None:
    chart, now = so_far(ChartBuilder().ready()), D1 + 3 * H
    before = assess(chart.chart(), load_protocol(LABEL), now)
    assert (before.state, before.owner) == (state, calm)
    chart.labs(D1 + 2.5 * H, potassium="12.1")
    after = assess(chart.chart(), load_protocol(LABEL), now)
    assert (after.state, after.verdict, after.owner) == (state, verdict, Role.PHYSICIAN)
    assert after.next_action == "look at the patient now"


def needing(chart: ChartBuilder) -> list[tuple[Role, str]]:
    card = assess(chart.chart(), load_protocol(LABEL), D1 + timedelta(days=7))
    assert card.verdict is Verdict.NEED_DATA
    return list(card.turns)


SETTLE = (Role.PHYSICIAN, "say what it is that could not be read, or dismiss it")
BRING_IN = (Role.COORDINATOR, "bring in the results and examinations that are missing")


def test_what_may_be_a_value_that_holds_the_dose_is_a_physicians_to_settle_and_never_the_coordinators() -> None:
    """LAB-12, LAB-13: an unknown code whose name fits ALT may be an ALT of 500."""
    day_8 = D1 + timedelta(days=7)
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(day_8)
    chart.result("alt", "500", day_8 - H, loinc="local-7", display="ALT (new method)")
    assert needing(chart) == [SETTLE]
    course = PaperCourse(chart, day_8)
    for outcome, values in (
        ("dismissed", []),
        ("transcribed", [a_lab("alt", "30", at=day_8 - H).model_dump(mode="json")]),
    ):
        said = {"target": chart.facts[-1].id, "outcome": outcome, "values": values, "reason": "told by telephone"}
        assert course.refused("resolve_unreadable", Role.COORDINATOR, **said).type == "RoleNotAllowed"
    assert needing(chart.without("weight", "vod_examination")) == [SETTLE, BRING_IN]


def test_what_never_came_is_the_coordinators_to_bring_in() -> None:
    assert needing(ChartBuilder().ready().dose(1, 1, D1)) == [BRING_IN]


def test_a_result_is_confirmed_by_a_clinician() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    seen = {"kind": "result_confirmed", "target": course.chart.facts[-1].id}
    assert course.refused("record_finding", Role.COORDINATOR, finding=seen).type == "RoleNotAllowed"
    course.does("record_finding", Role.NURSE, finding=seen)
