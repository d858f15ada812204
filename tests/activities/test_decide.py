"""The local activity `decide`: small results, an unknown protocol said by name."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.decide import Decider
from models.carried import DecideRequest
from models.chart import Chart
from tests.factories import ARTICLE, D1, LIVER, ChartBuilder

LARGEST_RESULT_BYTES = 32 * 1024


def a_long_course() -> tuple[Chart, DecideRequest]:
    """Four cycles of an invented patient, more than 300 facts."""
    built, at = ChartBuilder(ARTICLE).ready(), D1
    for cycle in (1, 2, 3, 4):
        for day in (1, 8, 15):
            if (cycle, day) != (1, 1):
                at += timedelta(days=7 if day != 1 else 14)
                built.ready_again(at) if day != 1 else built.ready_for_cycle(at, of_cycle=cycle - 1)
            built.dose(cycle, day, at)
            built.labs(at + timedelta(days=2), *LIVER)
            built.labs(at + timedelta(days=4), *LIVER)
    chart = built.chart()
    return chart, DecideRequest(chart=chart, now=at + timedelta(days=9))


async def test_the_recorded_result_of_a_decision_stays_small() -> None:
    chart, request = a_long_course()
    assert len(chart.facts) > 300
    decision = await ActivityEnvironment().run(Decider("test").decide, request)
    assert len(decision.model_dump_json().encode()) < LARGEST_RESULT_BYTES


async def test_a_protocol_that_this_release_does_not_hold_is_said_by_name() -> None:
    chart, request = a_long_course()
    pin = chart.course.protocol.model_copy(update={"name": "us-label-1999.1"})
    course = chart.course.model_copy(update={"protocol": pin})
    unknown = request.model_copy(update={"chart": Chart(course=course, facts=chart.facts)})
    with pytest.raises(ApplicationError, match="1999") as refusal:
        await ActivityEnvironment().run(Decider("test").decide, unknown)
    assert refusal.value.type == "UnknownProtocol"
    assert refusal.value.non_retryable
