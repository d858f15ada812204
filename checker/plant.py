"""Plants each mutant, searches, and says what noticed it."""

from collections.abc import Iterator
from dataclasses import dataclass

from checker.mutants import Mutant
from checker.people import MORNING, a_course
from checker.planted import MUTANTS
from checker.pool import workers
from checker.search import Search
from checker.steps import TOTAL
from plumbing.protocol_files import load_protocol, pin_of

LABEL = "us-label-2024.1"


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant: by which invariant it was noticed (none: it survived), and after how many moves."""

    mutant: str
    clauses: tuple[str, ...]
    words: str
    killed_by: str | None
    story: int
    states: int
    seconds: float


def outcome_of(mutant: Mutant, protocol: str = LABEL) -> Outcome:
    """Plant one mutant in this process and search until something breaks."""
    rules, pin = load_protocol(protocol), pin_of(protocol)
    with mutant.planted():
        changed = mutant.protocol(rules)
        found = Search(a_course(changed, pin), MORNING, changed, mutant.scope).run()
    # A crash is no bug noticed: a planted rule that raises was planted badly.
    first = next((v for v in found.violations if v.invariant != TOTAL.name), None)
    by, story = (first.invariant, len(first.moves)) if first else (None, 0)
    return Outcome(mutant.name, mutant.clauses, mutant.words, by, story, found.states, found.seconds)


def _by_number(number: int) -> Outcome:
    return outcome_of(MUTANTS[number])


def outcomes() -> Iterator[Outcome]:
    """Every mutant, two at a time, each search in a process of its own rules."""
    with workers() as pool:
        yield from pool.map(_by_number, range(len(MUTANTS)))
