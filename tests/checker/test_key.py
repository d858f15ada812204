"""Charts with one key have one future: pairs of different histories are walked on with the same events."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import datetime

import pytest

from checker.deviations import deviations
from checker.key import key_of_state
from checker.moves import Move
from checker.people import MORNING, a_course
from checker.usual import usual
from checker.ward import State, at, begin
from models.assessment import Assessment
from plumbing.protocol_files import load_protocol, pin_of
from tests.checker.walking import moved

LABEL = "us-label-2024.1"
WALKS, LENGTH, CONTINUED = 40, 34, 10


def _said(card: Assessment, now: datetime) -> object:
    """What a card says, with ages in place of times."""
    open_ = sorted((o.key, o.rule, o.owner, o.standing, o.due_at - now, o.overdue_at - now) for o in card.obligations)
    rules = sorted((f.rule, str(f.verdict), f.subject) for f in card.findings if f.verdict is not None)
    commands = [(c.command, c.may, c.refusal) for c in card.commands]
    dose = (card.dose.mg, card.dose.level) if card.dose is not None else None
    return card.verdict, card.state, card.next_dose, dose, rules, open_, commands


def _at_the_next_timer(one: State, other: State) -> tuple[State, State]:
    """Both when the first timer of either fires. One may look again where the other need not; both must say the same."""
    spans = [state.wakes_at - state.now for state in (one, other) if state.wakes_at is not None]
    if not spans:
        return one, other
    first, second = (at(state, state.now + min(spans)) for state in (one, other))
    return first, second


def _to_the_first_timer(one: State, a: Move, other: State, b: Move) -> tuple[Move, Move]:
    """Where both wait, both wait as long: one may look again earlier than the other, and then nothing has changed."""
    if a.messages or a.until is None or b.until is None:
        return a, b
    span = min(a.until - one.now, b.until - other.now)
    return replace(a, until=one.now + span), replace(b, until=other.now + span)


def _walk(seed: int) -> list[State]:
    """A random course: mostly what a ward does, now and then something else."""
    chance, rules = random.Random(seed), load_protocol(LABEL)
    state, path = begin(a_course(rules, pin_of(LABEL)), MORNING, rules), list[State]()
    for _ in range(LENGTH):
        others = deviations(state) if chance.random() < 0.25 else ()
        move = chance.choice(others) if others else usual(state)
        if move is None:
            break
        state = moved(state, move)
        path.append(state)
    return path


def _same_moves(one: State, other: State, chance: random.Random) -> tuple[Move, Move] | None:
    """The same next thing in both histories."""
    if chance.random() < 0.6:
        a, b = usual(one), usual(other)
        assert (a and a.name) == (b and b.name)
        return _to_the_first_timer(one, a, other, b) if a is not None and b is not None else None
    first, second = ({m.name: m for m in deviations(state)} for state in (one, other))
    common = sorted(first.keys() & second.keys())
    for state, moves in (
        (one, first),
        (other, second),
    ):  # what only one history offers is about facts that count no more
        for name in moves.keys() - set(common):
            assert key_of_state(moved(state, moves[name])) == key_of_state(state), name
    name = chance.choice(common) if common else ""
    return (first[name], second[name]) if common else None


def _pairs() -> list[tuple[State, State]]:
    by_key: dict[bytes, list[State]] = defaultdict(list)
    for seed in range(WALKS):
        for state in _walk(seed):
            by_key[key_of_state(state)].append(state)
    pairs = []
    for states in by_key.values():
        different = {tuple(f.id for f in s.chart.facts): s for s in states}
        if len(different) > 1:
            pairs.append(tuple(different.values())[:2])
    return [(a, b) for a, b in pairs]


@pytest.fixture(scope="module")
def pairs() -> list[tuple[State, State]]:
    """Pairs of different histories with one key."""
    return _pairs()


def test_random_courses_meet_in_one_key_often_enough_to_prove_something(pairs: list[tuple[State, State]]) -> None:
    assert len(pairs) >= 8
    assert any(len(a.chart.facts) != len(b.chart.facts) for a, b in pairs)


def test_different_histories_with_one_key_have_one_future(pairs: list[tuple[State, State]]) -> None:
    for number, (one, other) in enumerate(pairs):
        chance = random.Random(number)
        for _ in range(CONTINUED):
            assert _said(one.card, one.now) == _said(other.card, other.now)
            a, b = _at_the_next_timer(one, other)
            assert _said(a.card, a.now) == _said(b.card, b.now)
            moves = _same_moves(one, other, chance)
            if moves is None:
                break
            one, other = moved(one, moves[0]), moved(other, moves[1])
