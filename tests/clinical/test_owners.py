"""Whose turn it is: what is urgent calls a physician, whoever watches the course else."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from clinical.assess import assess
from models.assessment import CourseState, Verdict
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder

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
