"""A pytest plugin that notes which test reaches which line of the rooms under mutation, and how long each test takes.

`python -m pytest -p tools.covered …` writes `COVERED` when the session ends. Only tests that passed are noted: one that fails
without a fault notices nothing.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

WRITTEN_TO = "INOCYCLE_COVERED"
"""The environment variable that names the file to be written, as absolute path."""
ROOMS = ("clinical", "workflows")

_coverage = coverage.Coverage(source=list(ROOMS), data_file=None)
_seconds: dict[str, float] = defaultdict(float)
_failed: set[str] = set()


def pytest_configure(config: pytest.Config) -> None:
    """What an import reaches belongs to no test."""
    _coverage.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """From here on lines belong to this test, its fixtures included."""
    _coverage.switch_context(item.nodeid)
    answer = yield
    _coverage.switch_context("")
    return answer  # type: ignore[return-value]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """How long a test takes in all, and whether it passed."""
    _seconds[report.nodeid] += report.duration
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write it down: tests with their seconds, and by file and line the numbers of the tests that reach it."""
    _coverage.stop()
    data, tests = _coverage.get_data(), sorted(set(_seconds) - _failed)
    numbers = {name: number for number, name in enumerate(tests)}
    lines: dict[str, dict[int, list[int]]] = {}
    for file in sorted(data.measured_files()):
        reached: dict[int, list[int]] = {}
        for line, contexts in data.contexts_by_lineno(file).items():
            reached[line] = sorted(numbers[name] for name in contexts if name in numbers)
        lines[str(Path(file).relative_to(Path.cwd()))] = reached
    found: dict[str, Any] = {"tests": [[name, _seconds[name]] for name in tests], "lines": lines}
    Path(os.environ[WRITTEN_TO]).write_text(json.dumps(found))
