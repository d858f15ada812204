"""A door that dies is started again, and not for ever."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from demo.keeping import RESTARTS, WITHIN_S, Kept, how_it_ended, may_start_again

KILLED = -signal.SIGKILL


@pytest.mark.parametrize("code", [KILLED, 0, 1, 5])
def test_a_process_that_ended_is_started_again(code: int) -> None:
    assert may_start_again(code, [10.0])


@pytest.mark.parametrize("code", [2, 3])
def test_one_that_refused_its_settings_or_mode_is_not(code: int) -> None:
    assert not may_start_again(code, [10.0])


def test_five_times_in_a_minute_and_not_six() -> None:
    ended_at = [float(n) for n in range(RESTARTS + 1)]
    assert [may_start_again(KILLED, ended_at[:n]) for n in range(1, len(ended_at) + 1)] == [True] * 5 + [False]


def test_what_was_more_than_a_minute_ago_does_not_count() -> None:
    ended_at = [float(n) for n in range(RESTARTS)]
    assert not may_start_again(KILLED, [*ended_at, WITHIN_S - 0.1])
    assert may_start_again(KILLED, [*ended_at, WITHIN_S])


def test_how_it_ended_is_said_in_words() -> None:
    assert [how_it_ended(code) for code in (KILLED, 1, -99)] == [
        "was ended by SIGKILL",
        "ended with code 1",
        "was ended by signal 99",
    ]


def starting(script: str) -> Callable[[], Awaitable[Process]]:
    return lambda: asyncio.create_subprocess_exec(sys.executable, "-c", script)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come")


async def test_a_killed_process_is_there_again_with_a_word_and_gone_at_the_end(tmp_path: Path) -> None:
    said: list[str] = []
    pid_file = tmp_path / "worker.pid"
    async with Kept("worker", starting("import time; time.sleep(60)"), pid_file, said.append) as kept:
        first = int(pid_file.read_text())
        os.kill(first, signal.SIGKILL)
        await until(lambda: bool(said))
        second = int(pid_file.read_text())
        assert said == [f"the worker was ended by SIGKILL; it is started again as process {second}"]
        assert not kept.given_up.is_set()
    assert first != second
    assert not pid_file.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


async def test_a_process_that_refuses_to_run_is_given_up_without_a_second_start(tmp_path: Path) -> None:
    said: list[str] = []
    async with Kept("worker", starting("raise SystemExit(2)"), tmp_path / "pid", said.append) as kept:
        await asyncio.wait_for(kept.given_up.wait(), 10)
    assert said == []
