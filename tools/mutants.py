"""Plants faults at random in the rules and the loop and looks whether a test notices: `make mutants`, never in `make test`.

Faults are those of cosmic-ray: an operator of a comparison or a sum changed, a condition negated, a number moved, a loop not
run. It has every place in a file; here a seeded sample of places is drawn, one fault at each, and for each fault the tests are
chosen that reach its line, the quickest first. It works in copies of the tree under `build/mutants`: nothing here is changed.

Why cosmic-ray and not mutmut: mutmut leaves out every function under a decorator, and most rules here are under `@once` or
`@property`. Why its own session runner is not used: it has one test command for all faults and knows no coverage.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import Manager, get_context
from pathlib import Path
from queue import Queue
from typing import Any

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome

from tools.covered import ROOMS, WRITTEN_TO

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "mutants"
TESTS = ("tests/clinical", "tests/checker", "tests/activities", "tests/workflows", "tests/intake", "tests/models")
"""Tests that need no server; with the stories the loop is reached too, and each fault takes minutes."""
MEASURED = "covered.json"
SECONDS = 120.0
"""How much of the tests that reach a line is run, as measured without a fault."""
SLOW = 10.0
"""A test that takes longer would leave no time for the others."""
AROUND = 12
"""How many lines around a fault tell which of its tests are about it: those that reach what few others do there."""
PATIENCE = 4.0
"""A fault that makes its tests so many times slower has been noticed."""

SAME = re.compile(
    "BitOr|RemoveDecorator"  # types, and a decorator that only keeps an answer
    "|_Is_Eq|_IsNot_NotEq"  # of members of an enum and of None the same
    "|_Is(Not)?_[LG]t|_[LG]tE?_Is|_(Not)?Eq_Is"  # numbers by identity, and what fails wherever it is met
)
"""Faults that change nothing, or that fail wherever they are met: they would only make the share look better or worse."""


@dataclass(frozen=True)
class Fault:
    """One fault and the tests that reach it, in the order in which they are tried.

    `by_line`: they reach the very line, not only its file.
    """

    spec: MutationSpec
    tests: tuple[str, ...]
    seconds: float
    by_line: bool

    @property
    def name(self) -> str:
        """Where it is and what it is."""
        operator = self.spec.operator_name.removeprefix("core/")
        return f"{self.spec.module_path}:{self.spec.start_pos[0]}:{self.spec.start_pos[1]} {operator}"


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: noticed, survived, not reached by any test, or not clear, with the change as a diff."""

    name: str
    what: str
    tests: int
    diff: str


# ── what is drawn ──────────────────────────────────────────────────────────────────────────────────────────────────


def drawn(files: Iterable[Path], number: int, seed: int) -> list[MutationSpec]:
    """So many places of these files, each with one of the faults that it can have."""
    BUILD.mkdir(parents=True, exist_ok=True)
    places: dict[tuple[Any, ...], list[MutationSpec]] = defaultdict(list)
    with use_db(BUILD / "session.sqlite", WorkDB.Mode.create) as session:
        init(files, session, {})
        for item in session.work_items:
            (spec,) = item.mutations
            if not SAME.search(spec.operator_name):
                places[str(spec.module_path), spec.start_pos, spec.end_pos].append(spec)
    chance = random.Random(seed)
    chosen = chance.sample(sorted(places), min(number, len(places)))
    return [chance.choice(sorted(places[place], key=lambda s: (s.operator_name, s.occurrence))) for place in chosen]


def faults(specs: Iterable[MutationSpec], covered: dict[str, Any]) -> Iterator[Fault]:
    """Each with its tests: those that reach its lines, or where only the import does, those that reach its file."""
    tests = covered["tests"]
    for spec in specs:
        reached = covered["lines"].get(str(spec.module_path), {})
        of_line = {n for line in range(spec.start_pos[0], spec.end_pos[0] + 1) for n in reached.get(str(line), ())}
        of_file = of_line or {n for numbers in reached.values() for n in numbers}
        around = range(spec.start_pos[0] - AROUND, spec.end_pos[0] + AROUND)
        chosen = _chosen(of_file, tests, _rarity(reached, around))
        yield Fault(spec, tuple(chosen), sum(chosen.values()), bool(of_line))


def _chosen(of: set[int], tests: Sequence[tuple[str, float]], rare: dict[int, int]) -> dict[str, float]:
    """Tests with their seconds: for half of the time those that are about the place, then the quickest."""
    about = sorted(of, key=lambda n: (rare.get(n, len(tests)), tests[n][1], tests[n][0]))
    quick = sorted(of, key=lambda n: (tests[n][1], tests[n][0]))
    chosen: dict[str, float] = {}
    left = SECONDS
    for order, until in ((about, SECONDS / 2), (quick, 0.0)):
        for name, seconds in (tests[n] for n in order):
            if name not in chosen and seconds <= SLOW and left - seconds >= until:
                chosen[name] = seconds
                left -= seconds
    return chosen or dict(tests[n] for n in quick[:1])


def _rarity(reached: dict[str, list[int]], lines: Iterable[int]) -> dict[int, int]:
    """Of each test how few others reach the rarest of these lines that it reaches: the first to try are about just this."""
    found: dict[int, int] = {}
    for line in lines:
        numbers = reached.get(str(line), ())
        for number in numbers:
            found[number] = min(found.get(number, len(numbers)), len(numbers))
    return found


# ── where it is tried ──────────────────────────────────────────────────────────────────────────────────────────────


def copied(number: int) -> Path:
    """A copy of what git knows of this tree, as it stands on disk now."""
    tree = BUILD / f"tree-{number}"
    shutil.rmtree(tree, ignore_errors=True)
    for line in subprocess.run(
        ("git", "ls-files"), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines():
        if (ROOT / line).is_file():
            (tree / line).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / line, tree / line)
    return tree


def measured(trees: Sequence[Path], tests: Iterable[str]) -> dict[str, Any]:
    """Which test reaches which line, measured in trees without a fault, each with its share of the test files."""
    files = [str(file) for name in tests for file in _files(Path(name))]
    shares = [files[number :: len(trees)] for number in range(len(trees))]
    running = [_measuring(tree, share) for tree, share in zip(trees, shares, strict=True) if share]
    for process in running:
        process.wait()
    found = joined(json.loads((tree / MEASURED).read_text()) for tree in trees if (tree / MEASURED).is_file())
    (BUILD / MEASURED).write_text(json.dumps(found))
    return found


def _files(name: Path) -> list[Path]:
    return sorted(name.rglob("test_*.py")) if name.is_dir() else [name]


def _measuring(tree: Path, tests: Sequence[str]) -> "subprocess.Popen[bytes]":
    command = (sys.executable, "-m", "pytest", "-p", "tools.covered", "-p", "no:cacheprovider", "-q", *tests)
    return subprocess.Popen(command, cwd=tree, env={**os.environ, WRITTEN_TO: str(tree / MEASURED)})


def joined(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What was measured in several processes as if it were one; each numbers its own tests from nothing."""
    tests: list[list[Any]] = []
    lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for part in parts:
        for file, reached in part["lines"].items():
            for line, numbers in reached.items():
                lines[file][line] += [number + len(tests) for number in numbers]
        tests += part["tests"]
    return {"tests": tests, "lines": lines}


def tried(trees: "Queue[Path]", fault: Fault) -> Outcome:
    """Plant a fault in a free tree, run its tests until one fails, and take it out again."""
    if not fault.tests:
        return Outcome(fault.name, "not reached", 0, "")
    tree = trees.get()
    try:
        os.chdir(tree)
        (tree / "chosen.txt").write_text("\n".join(fault.tests))
        command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider @chosen.txt"
        found = mutate_and_test([fault.spec], command, PATIENCE * fault.seconds + 60)
    finally:
        os.chdir(ROOT)
        trees.put(tree)
    return Outcome(fault.name, _what(found.test_outcome, found.output or ""), len(fault.tests), found.diff or "")


def _what(outcome: TestOutcome | None, output: str) -> str:
    if outcome is TestOutcome.SURVIVED:
        return "survived"
    said = output == "timeout" or re.search(r"stopping after|\bfailed\b|Error", output)
    return "noticed" if outcome is TestOutcome.KILLED and said else f"not clear: {output[-300:]}"


def main() -> None:
    """Draw, measure, try, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--number", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--files", nargs="*", default=[], help="only these files (default: all of the rooms)")
    parser.add_argument("--tests", nargs="*", default=list(TESTS), help="only these tests")
    parser.add_argument("--kept", action="store_true", help="use the coverage that was measured last")
    asked = parser.parse_args()
    files = [Path(f) for f in asked.files] or sorted(
        f.relative_to(ROOT) for room in ROOMS for f in (ROOT / room).rglob("*.py")
    )
    os.chdir(ROOT)
    specs = drawn(files, asked.number, asked.seed)
    trees = [copied(number) for number in range(asked.workers)]
    covered = json.loads((BUILD / MEASURED).read_text()) if asked.kept else measured(trees, asked.tests)
    with Manager() as manager, ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        free: Queue[Path] = manager.Queue()
        for tree in trees:
            free.put(tree)
        found = []
        for outcome in pool.map(partial(tried, free), list(faults(specs, covered))):
            found.append(outcome)
            sys.stdout.write(f"{outcome.what.partition(':')[0]:12} {outcome.tests:5} tests  {outcome.name}\n")
            sys.stdout.flush()
    _tell(found)


def _tell(found: list[Outcome]) -> None:
    counts = Counter(outcome.what.partition(":")[0] for outcome in found)
    words = ", ".join(f"{what} {number}" for what, number in sorted(counts.items()))
    report = [f"{len(found)} faults: {words}", ""]
    for outcome in found:
        if outcome.what != "noticed":
            report += [f"{outcome.what}: {outcome.name}", outcome.diff, ""]
    (BUILD / "report.txt").write_text("\n".join(report))
    sys.stdout.write(
        f"{report[0]} ({100 * counts['noticed'] // max(len(found), 1)} % noticed); build/mutants/report.txt\n"
    )


if __name__ == "__main__":
    main()
