"""The recorded activity `decide`: what it answers, and what it makes of a rule that raises."""

from datetime import datetime, timedelta
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities import beside
from activities.decide import Decider
from models.assessment import Verdict
from models.chart import Chart
from models.deciding import Answered, Arrived, Ask, State
from models.record import Recorded, sha256_of
from tests.factories import ARTICLE, D1, LIVER, ChartBuilder

LARGEST_RESULT_BYTES = 32 * 1024


def a_long_course() -> tuple[Chart, datetime]:
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
    return built.chart(), at + timedelta(days=9)


def an_ask(chart: Chart, now: datetime, *bite: Arrived, **more: Any) -> Ask:
    state = State(course=chart.course, facts=chart.facts, bite=bite)
    return Ask(run_id="run-1", chart_key="0" * 64, token=0, now=now, state=state, **more)


def asked(ask: Ask, decider: Decider | None = None) -> Answered:
    beside.forget()
    return ActivityEnvironment().run((decider or Decider("test")).decide, ask)


def test_the_recorded_result_of_a_decision_stays_small() -> None:
    chart, now = a_long_course()
    assert len(chart.facts) > 300
    answered = asked(an_ask(chart, now))
    assert len(answered.model_dump_json().encode()) < LARGEST_RESULT_BYTES
    assert answered.content_sha256 == sha256_of(answered.content)


def test_a_protocol_that_this_release_does_not_hold_holds_the_course_and_is_said_by_name() -> None:
    chart, now = a_long_course()
    pin = chart.course.protocol.model_copy(update={"name": "us-label-1999.1"})
    course = chart.course.model_copy(update={"protocol": pin})
    answered = asked(an_ask(Chart(course=course, facts=chart.facts), now))
    assert "1999" in answered.failed
    card = Recorded.model_validate_json(answered.content).assessment
    assert [(f.rule, f.verdict) for f in card.findings] == [("RULES-01", Verdict.HOLD)]


def test_a_worker_that_holds_nothing_of_a_run_says_so() -> None:
    chart, now = a_long_course()
    assert asked(an_ask(chart, now).model_copy(update={"state": None})).missing
