"""Random courses: a ward that deviates up to three times before every dose, to the end of a course.

A search looks at every order of few deviations before one dose; a walk has many, before all of them, in one order. Each walk
draws from a few kinds only, so that kinds meet which rarely would among all. A walk that breaks an invariant is told again
with fewer and fewer deviations for as long as it still breaks it.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from checker.deviations import FEW, MORE, PROBES
from checker.moves import Move
from checker.people import MORNING
from checker.search import next_dose
from checker.steps import BREAKS, Steps, Timeline, Violation, doses, told_as
from checker.usual import End, usual
from checker.ward import State, begin
from models.chart import Chart
from models.protocol import Protocol

KINDS = (*FEW, *MORE)
FINAL = ("dies", "stops", "discontinues", "finished early", "confirmed", "grade 3", "consent is withdrawn", "lost to")
"""What ends dosing is drawn in one walk of four: the others go on."""
DEVIATIONS, DRAWN, CHANCE = 3, 9, 0.3
MOST_MOVES = 900

LONG_END = End(cycle=3, monitored=timedelta(days=400))
"""Three cycles, and monitoring to its end."""

Place = tuple[str, int]
"""Where a deviation was made: before which dose, and after how many usual moves since the last one."""


@dataclass(frozen=True)
class Walk:
    """Which walks are made: how many, from which seed on, and where the usual path ends."""

    name: str
    number: int
    seed: int = 1
    end: End = LONG_END


@dataclass
class Walked:
    """What the walks saw. Counts are the same on every machine; seconds are not."""

    walks: int = 0
    moves: int = 0
    deviations: int = 0
    decisions: int = 0
    doses: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    @property
    def looked(self) -> str:
        """How far they went, in words."""
        numbers = f"{self.walks:,} courses, {self.doses:,} doses, {self.moves:,} moves, {self.deviations:,} deviations"
        return f"{numbers}, {self.decisions:,} decisions, {self.seconds:.1f} s"


class Walker:
    """Walks from one chart under one protocol."""

    def __init__(self, chart: Chart, protocol: Protocol, walk: Walk) -> None:
        self.walk, self.steps, self.found = walk, Steps(protocol), Walked()
        self._chart = chart

    def run(self) -> Walked:
        """Every walk, to its end or to the first violation."""
        began = time.perf_counter()
        for seed in range(self.walk.seed, self.walk.seed + self.walk.number):
            chance = _Chance(seed)
            story = self._told(chance.choose)
            self.found.walks += 1
            if story.broken is not None:
                self.found.violations += _shortened(self, chance.made, story)
                break
        self.found.decisions = self.steps.decisions
        self.found.seconds = time.perf_counter() - began
        return self.found

    def _told(self, choose: "Chooser") -> "_Story":
        """One course with the deviations that `choose` names, move by move."""
        story, state = _Story(), begin(self._chart, MORNING, self.steps.protocol)
        place, used = (next_dose(state), 0), 0
        for _ in range(MOST_MOVES):
            other = choose(state, place) if used < DEVIATIONS else None
            move = other or usual(state, self.walk.end)
            if move is None:
                return story
            story.moves.append(move)
            try:
                after, dosed = self._moved(state, move)
            except BREAKS as error:
                story.broken = told_as(error, tuple(story.moves))
                return story
            used += other is not None and after is not state
            self._count(other is not None, dosed=dosed)
            state = after
            dose = next_dose(state)
            used = 0 if dosed or dose != place[0] else used
            place = (dose, place[1] + (other is None)) if dose == place[0] else (dose, 0)
        return story

    def _count(self, deviated: bool, *, dosed: bool) -> None:
        self.found.moves += 1
        self.found.deviations += deviated
        self.found.doses += dosed

    def _moved(self, state: State, move: Move) -> tuple[State, bool]:
        waited = Timeline(state, self.steps.rest).at(move.until) if move.until is not None else state
        facts = self.steps.said(waited, move)
        if facts or move.unreadable is not None:
            return self.steps.decided(waited, facts, move), doses(facts)
        return waited, False


Chooser = Callable[[State, Place], Move | None]


@dataclass
class _Story:
    moves: list[Move] = field(default_factory=list)
    broken: list[Violation] | None = None


class _Chance:
    """Draws deviations by a seed, and remembers which it made where."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds = (*PROBES, *self._random.sample(KINDS, DRAWN))
        self._final = self._random.random() < 0.25
        self.made: list[tuple[Place, str]] = []

    def choose(self, state: State, place: Place) -> Move | None:
        if self._random.random() >= CHANCE:
            return None
        offered = list(self._offered(state))
        move = self._random.choice(offered) if offered else None
        if move is not None:
            self.made.append((place, move.name))
        return move

    def _offered(self, state: State) -> Iterator[Move]:
        kind = self._random.choice(self._kinds)
        for move in kind(state):
            if self._final or not any(words in move.name for words in FINAL):
                yield move


def _again(made: list[tuple[Place, str]]) -> Chooser:
    """The same deviations in the same places, where they are still offered."""
    left = list(made)

    def choose(state: State, place: Place) -> Move | None:
        for number, (where, name) in enumerate(left):
            if where == place:
                del left[number]
                offered = (move for kind in (*PROBES, *KINDS) for move in kind(state) if move.name == name)
                return next(offered, None)
        return None

    return choose


def _shortened(walker: Walker, made: list[tuple[Place, str]], story: _Story) -> list[Violation]:
    """The story with every deviation left out without which it breaks the same invariant."""
    assert story.broken is not None
    shortest, name = story.broken, story.broken[0].invariant
    for number in reversed(range(len(made))):
        fewer = [*made[:number], *made[number + 1 :]]
        again = walker._told(_again(fewer))
        if again.broken is not None and again.broken[0].invariant == name:
            made, shortest = fewer, again.broken
    return shortest
