"""The bounded search of every test run, and the wide one of `make search`: nothing is broken, and counts do not depend on the
machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from checker import scopes
from checker.people import MORNING, a_course
from checker.search import Found, Scope, Search
from checker.walks import Walked
from plumbing.protocol_files import load_protocol, pin_of, released_names
from plumbing.settings import ROOT
from tests.examples import TIMES


@pytest.mark.hypothesis
def test_no_order_of_few_events_breaks_an_invariant_under_any_protocol() -> None:
    found = list(scopes.all_searched(released_names(), scopes.bounded_run if TIMES == 1 else scopes.wide_run))
    broken = [(protocol, v.invariant, v.words) for protocol, _, f in found for v in f.violations]
    assert broken == []
    searches = [f for _, asked, f in found if isinstance(f, Found) and asked != scopes.MET]
    assert all(f.states > 300 and f.edges > f.states for f in searches)
    met = [f for _, asked, f in found if isinstance(f, Found) and asked == scopes.MET]
    assert all(f.asides > 60 for f in met)
    courses = [f for _, _, f in found if isinstance(f, Walked)]
    assert all(f.walks and f.doses > 3 * f.walks and f.deviations > 5 * f.walks for f in courses)
    assert len(searches) == len(courses) == len(released_names())


def test_two_searches_count_alike() -> None:
    rules, pin = load_protocol("us-label-2024.1"), pin_of("us-label-2024.1")
    scope = Scope("short", {"C1D1": 1}, kinds=("holds", "a reaction"))
    one, two = (Search(a_course(rules, pin), MORNING, rules, scope).run() for _ in range(2))
    assert (one.states, one.edges, one.decisions, one.merged) == (two.states, two.edges, two.decisions, two.merged)


_ASKS = """
from checker.pool import workers
from time import sleep
if __name__ == "__main__":
    with workers() as pool:
        print(*(process.pid for process in (pool.submit(sleep, 600), pool.submit(sleep, 600)) and pool._processes.values()))
        print(flush=True)
        sleep(600)
"""


def test_the_processes_of_a_search_end_with_the_one_that_asked_for_them(tmp_path: Path) -> None:
    """A run that is killed tells its processes nothing; the pipe that they hold closes when the last of them has ended."""
    asks = tmp_path / "asks.py"
    asks.write_text(_ASKS)
    with subprocess.Popen([sys.executable, asks], stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}) as asker:
        assert asker.stdout is not None
        assert len(asker.stdout.readline().split()) == 2
        asker.kill()
        assert asker.stdout.read().strip() == b""
