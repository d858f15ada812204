"""Decisions take turns, and one that never comes back keeps nobody from deciding."""

from contextlib import ExitStack

import pytest

from activities import turns
from activities.turns import turn


def test_who_waits_too_long_computes_all_the_same_and_gives_back_only_what_it_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "LONGEST_WAIT_S", 0)
    with ExitStack() as stuck:
        for _ in range(turns.AT_ONCE):
            stuck.enter_context(turn())
        with turn():
            assert not turns._free.acquire(blocking=False)
        assert not turns._free.acquire(blocking=False), "a turn that was never had is not given back"
    for _ in range(turns.AT_ONCE):
        assert turns._free.acquire(blocking=False)
    turns._free.release(turns.AT_ONCE)


def test_a_decision_that_fails_gives_its_turn_back() -> None:
    for _ in range(turns.AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError), turn():
            raise ZeroDivisionError
    assert turns._free.acquire(timeout=0)
    turns._free.release()
