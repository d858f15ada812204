"""The recorded activity `decide`: what it answers, and what it makes of a rule that raises."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.testing import ActivityEnvironment

from activities import beside, decide
from activities.decide import Decider
from activities.reading import KEPT_WHOLE
from models.assessment import Verdict
from models.chart import Chart
from models.deciding import Answered, Arrived, Ask, State
from models.messages import LabResults
from models.people import Actor, Role
from models.record import Recorded, sha256_of
from tests.factories import ARTICLE, D1, LIVER, ChartBuilder, a_lab

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


def sent(message: LabResults) -> Arrived:
    """A message of a laboratory as the codec hands it over."""
    payload = Payload(
        metadata={"encoding": b"json/plain"}, data=message.model_dump_json(exclude_defaults=True).encode()
    )
    return Arrived(name=message.name, sent="signal", payloads=(payload.SerializeToString(),))


def a_draw(chart: Chart, message_id: str, results: int = 1, **more: Any) -> LabResults:
    drawn = tuple(a_lab("ggt", "40", at=D1, accession=f"A{n}", **more) for n in range(results))
    by = Actor(role=Role.LABORATORY, id="l" * 80)
    return LabResults(id=message_id, by=by, subject_hash=chart.course.subject_hash, results=drawn)


def test_the_largest_message_that_is_read_comes_to_an_answer_that_can_be_kept() -> None:
    chart, now = a_long_course()
    message = a_draw(chart, "m" * 128, 200, method="x" * 950)
    arrived = sent(message)
    assert 0.8 * KEPT_WHOLE < len(arrived.payloads[0]) <= KEPT_WHOLE
    answered = asked(an_ask(chart, now, arrived))
    assert [o.how for o in answered.outcomes] == ["judged"]
    assert not answered.failed


def test_messages_that_together_come_to_too_much_are_taken_in_smaller_bites() -> None:
    chart, now = a_long_course()
    bite = [sent(a_draw(chart, f"draw-{n}", 200)) for n in range(20)]
    answered = asked(an_ask(chart, now, *bite))
    assert 1 <= len(answered.outcomes) < len(bite)
    assert {o.how for o in answered.outcomes} == {"judged"}


def test_a_message_that_comes_to_too_much_alone_is_set_aside_and_locks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chart, now = a_long_course()
    small = len(asked(an_ask(chart, now)).content)
    monkeypatch.setattr(decide, "LARGEST_CONTENT", small + 3000)
    answered = asked(an_ask(chart, now, sent(a_draw(chart, "thick", 200)), sent(a_draw(chart, "thin"))))
    assert [o.how for o in answered.outcomes] == ["set_aside"]
    assert not answered.failed
    (fact,) = (
        f.what for f in Recorded.model_validate_json(answered.content).facts if f.what.kind == "unreadable_message"
    )
    assert fact.reason == decide.TOO_LARGE
    assert [r.whole for r in answered.raw] == [True]


def test_a_course_that_comes_to_too_much_without_any_message_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    chart, now = a_long_course()
    monkeypatch.setattr(decide, "LARGEST_CONTENT", 1000)
    answered = asked(an_ask(chart, now, sent(a_draw(chart, "thin"))))
    assert [o.how for o in answered.outcomes] == ["waits"]
    assert answered.failed == decide.TOO_LARGE
