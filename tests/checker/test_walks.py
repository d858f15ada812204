"""Random courses: the same seed is the same course, a planted bug is noticed, and its story is told without what is idle."""

from checker.mutants import Mutant
from checker.people import a_course
from checker.planted import SINGLE
from checker.usual import End
from checker.walks import Walk, Walked, Walker
from plumbing.protocol_files import load_protocol, pin_of

LABEL = "us-label-2024.1"
ONE_CYCLE = End(cycle=1)


def walked(walk: Walk, mutant: Mutant | None = None) -> Walked:
    rules, pin = load_protocol(LABEL), pin_of(LABEL)
    if mutant is None:
        return Walker(a_course(rules, pin), rules, walk).run()
    with mutant.planted():
        changed = mutant.protocol(rules)
        return Walker(a_course(changed, pin), changed, walk).run()


def test_the_same_seed_is_the_same_course() -> None:
    one, two, other = (walked(Walk("short", 2, seed, ONE_CYCLE)) for seed in (5, 5, 7))
    assert (one.moves, one.deviations, one.decisions) == (two.moves, two.deviations, two.decisions)
    assert (one.moves, one.deviations, one.decisions) != (other.moves, other.deviations, other.decisions)
    assert one.deviations > 0
    assert not one.violations


def test_a_planted_bug_is_noticed_and_told_without_idle_deviations() -> None:
    mutant = next(m for m in SINGLE if m.name == "no personal hold")
    found = walked(Walk("short", 60, 1, ONE_CYCLE), mutant)
    assert found.violations
    names = [move.name for move in found.violations[0].moves]
    assert "a nurse holds the dose" in names
    assert not any("comes back high" in name or "is tried" in name for name in names)
