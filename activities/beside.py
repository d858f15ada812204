"""What stays beside the worker: the chart of each run with what was read of it, and what is being asked right now.

A local activity runs in the process that holds the workflow, so a chart need not be encoded, sent and decoded for each
decision. This module is passed through the sandbox: workflow and activity see the same objects. Nothing here is a
truth: whatever is missing is asked for again with the whole state, and a test takes it away at random.

It decides nothing and may be forgotten at any time; it never grows beyond its bounds.
"""

import itertools
import threading
from collections import OrderedDict
from typing import Final

from models.chart import Chart
from models.deciding import State

MOST_CHARTS: Final = 1000
MOST_FACTS: Final = 100_000
"""Facts of all charts that are kept: with what was read of it each takes about 4 KB."""
MOST_QUESTIONS: Final = 500

_lock = threading.Lock()
_tokens = itertools.count(1)
_questions: OrderedDict[int, State] = OrderedDict()
_charts: OrderedDict[str, tuple[str, Chart]] = OrderedDict()


def hold(state: State) -> int:
    """Keep the state of one question until it is taken; the token finds it, and no other question ever gets it."""
    with _lock:
        token = next(_tokens)
        _questions[token] = state
        while len(_questions) > MOST_QUESTIONS:
            _questions.popitem(last=False)
        return token


def take(token: int) -> State | None:
    """The state that is held under this token. It stays until `release`, for a second attempt at the same question."""
    with _lock:
        return _questions.get(token)


def release(token: int) -> None:
    """The question is answered."""
    with _lock:
        _questions.pop(token, None)


def keep(run_id: str, key: str, chart: Chart) -> None:
    """Keep the chart of a run as it is after a decision; `key` is the hash of how it came about."""
    with _lock:
        _charts[run_id] = (key, chart)
        _charts.move_to_end(run_id)
        while len(_charts) > 1 and (len(_charts) > MOST_CHARTS or _facts() > MOST_FACTS):
            _charts.popitem(last=False)


def _facts() -> int:
    return sum(len(chart.facts) for _, chart in _charts.values())


def kept(run_id: str, key: str) -> Chart | None:
    """The chart of this run, where it is the one with this key."""
    with _lock:
        found = _charts.get(run_id)
        return found[1] if found is not None and found[0] == key else None


def forget() -> None:
    """Forget everything, as a new process does."""
    with _lock:
        _questions.clear()
        _charts.clear()
