"""What is held beside the worker is bounded, and never a truth: whoever asks gets the very same, or nothing."""

import pytest

from activities import beside
from models.chart import Chart
from models.deciding import State
from tests.factories import ChartBuilder


@pytest.fixture(autouse=True)
def forgotten() -> None:
    beside.forget()


def a_chart() -> Chart:
    return ChartBuilder().ready().chart()


def test_a_question_is_found_by_its_token_only_and_until_it_is_released() -> None:
    state = State(course=a_chart().course)
    token, other = beside.hold(state), beside.hold(State(course=a_chart().course))
    assert beside.take(token) is beside.take(token) is state
    assert beside.take(other) is not state
    beside.release(token)
    assert beside.take(token) is None
    assert beside.take(0) is None


def test_a_chart_is_found_by_run_and_key_together() -> None:
    chart = a_chart()
    beside.keep("run-1", "key-1", chart)
    assert beside.kept("run-1", "key-1") is chart
    assert beside.kept("run-1", "key-2") is None
    assert beside.kept("run-2", "key-1") is None


def test_it_never_holds_more_facts_or_charts_than_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = a_chart()
    monkeypatch.setattr(beside, "MOST_FACTS", 3 * len(chart.facts))
    for number in range(9):
        beside.keep(f"run-{number}", "key", chart)
    assert [n for n in range(9) if beside.kept(f"run-{n}", "key")] == [6, 7, 8]
    monkeypatch.setattr(beside, "MOST_CHARTS", 2)
    beside.keep("run-9", "key", chart)
    assert [n for n in range(10) if beside.kept(f"run-{n}", "key")] == [8, 9]


def test_questions_that_nobody_releases_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MOST_QUESTIONS", 5)
    tokens = [beside.hold(State(course=a_chart().course)) for _ in range(9)]
    assert [beside.take(token) is not None for token in tokens] == [False] * 4 + [True] * 5
