"""A search that notices nothing proves nothing: bugs are planted in the rules, and the search must tell a story of each."""

import pytest

from checker.mutants import Mutant
from checker.people import MORNING, a_course
from checker.plant import outcome_of
from checker.planted import MUTANTS, PAIRS, SAMPLE, SINGLE
from checker.search import Search
from checker.words import told
from plumbing.protocol_files import load_protocol, pin_of

LABEL = "us-label-2024.1"


@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_noticed(mutant: Mutant) -> None:
    assert outcome_of(mutant).killed_by is not None


def test_there_are_enough_planted_bugs_each_under_its_own_name() -> None:
    assert len(SINGLE) >= 25
    assert len(PAIRS) >= 10
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_planted_bug_finds_its_place_in_the_rules_and_leaves_it_again(mutant: Mutant) -> None:
    rules = load_protocol(LABEL)
    changed = mutant.protocol(rules)
    assert (changed != rules) == bool(mutant.numbers)
    with mutant.planted():
        pass
    assert mutant.protocol(rules) == changed


def test_the_shortest_story_is_told_in_words() -> None:
    mutant = next(m for m in SINGLE if m.name == "ALT to 5 x ULN")
    rules, pin = load_protocol(LABEL), pin_of(LABEL)
    with mutant.planted():
        changed = mutant.protocol(rules)
        found = Search(a_course(changed, pin), MORNING, changed, mutant.scope).run()
        story = "\n".join(told(found.violations[0], changed, pin))
    assert "ALT comes back high" in story
    assert "NON-08" in story
    assert "day  8" in story
