"""Breadth first over the orders of events: every state once, every invariant at every decision, the shortest story first."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from checker.deviations import deviations
from checker.key import key_of, key_of_state
from checker.moves import Move
from checker.steps import BREAKS, GETS_ON, Broke, Steps, Timeline, Violation, doses, told_as
from checker.stories import STORIES
from checker.usual import USUAL_END, End, usual
from checker.ward import State, at, begin, ruling_on, with_facts
from checker.worthless import ASIDES
from models.assessment import CourseState, Refused
from models.chart import Chart
from models.facts import Fact
from models.phase import Phase
from models.protocol import Protocol

Budget = tuple[int, int]
"""Deviations since the last dose, and how many doses were given since a dose with deviations (0: none had any)."""
MONITORING_SCOPE = "monitoring"
IN_VAIN = 4
"""A ward that did the same so many times in a row before a dose gets nowhere by it."""
WATCHED = (CourseState.LIVER_MONITORING, CourseState.DISCONTINUED)


@dataclass(frozen=True)
class Scope:
    """How far a search goes: how many deviations before each dose (`C1D8`, `monitoring`), of few kinds or of all, to
    how many further doses a story is followed after the dose that it deviated before, and where the usual path ends.

    `at_every_dose`: a story that deviated before one dose may deviate before the next one again. `asides`: how many stories
    of what says nothing are told beside each state (`worthless.py`), taken in turn from all, or from those that are named.
    `stories`: those of what a patient can meet (`stories.py`) are told once before each dose.
    """

    name: str
    deviations: Mapping[str, int]
    few: bool = False
    follow: int = 0
    kinds: tuple[str, ...] = ()
    end: End = USUAL_END
    at_every_dose: bool = False
    asides: int = 0
    stories: bool = False
    named: tuple[str, ...] = ()

    def before(self, dose: str) -> int:
        """How many deviations this dose may have."""
        return self.deviations.get(dose, 0)


@dataclass
class Found:
    """What a search saw. Counts are the same on every machine; seconds are not."""

    states: int = 0
    edges: int = 0
    decisions: int = 0
    asides: int = 0
    merged: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    @property
    def looked(self) -> str:
        """How far it looked, in words."""
        numbers = f"{self.states:,} states, {self.edges:,} edges, {self.decisions:,} decisions, {self.merged:,} merged"
        return f"{numbers}, {self.asides:,} asides, {self.seconds:.1f} s"


@dataclass
class _Node:
    """One state: how it was reached, with how few deviations since the last dose and in all, and what may follow."""

    parent: int
    move: Move | None
    rest: tuple[Chart, datetime, Phase] | None
    fresh: State | None = None
    dose: str = ""
    least: list[Budget] = field(default_factory=list)
    usual: list[tuple[int, bool]] | None = None
    others: list[tuple[int, bool]] | None = None

    def reached_with(self, used: Budget) -> bool:
        """Whether this is better than every way in which the state was reached before."""
        if any(a <= used[0] and b <= used[1] for a, b in self.least):
            return False
        self.least = [(a, b) for a, b in self.least if not (used[0] <= a and used[1] <= b)] + [used]
        return True


class Search:
    """One search from one chart under one protocol."""

    def __init__(self, chart: Chart, now: datetime, protocol: Protocol, scope: Scope, *, stop_at: int = 1) -> None:
        self.scope, self.stop_at, self.steps = scope, stop_at, Steps(protocol)
        self.found = Found()
        self._nodes: list[_Node] = []
        self._by_key: dict[bytes, int] = {}
        self._before_rest: dict[bytes, int] = {}
        self._queue: deque[tuple[int, Budget]] = deque()
        self._start = begin(chart, now, protocol)
        self._told = 0
        self._stories: set[tuple[str, str]] = set()
        self._asides = [a for a in ASIDES if not scope.named or any(words in a.name for words in scope.named)]

    def run(self) -> Found:
        """Search to the end of the scope, or to the first violations."""
        began = time.perf_counter()
        root = self._node(self._start, -1, None)
        self._reach(root, (0, 0))
        while self._queue and len(self.found.violations) < self.stop_at:
            self._expand(*self._queue.popleft())
        self.found.states, self.found.decisions = len(self._nodes), self.steps.decisions
        self.found.seconds = time.perf_counter() - began
        return self.found

    # ── the graph ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _expand(self, index: int, used: Budget) -> None:
        node = self._nodes[index]
        if used not in node.least:  # reached with fewer deviations in the meantime
            return
        may_deviate = used[1] == 0 and used[0] < self.scope.before(node.dose)
        if node.usual is None or (may_deviate and node.others is None):
            self._open(index, node, deviating=may_deviate)
        for target, dosed in node.usual or ():
            self._reach(target, self._after(used, 0, dosed=dosed))
        if may_deviate:
            for target, dosed in node.others or ():
                self._reach(target, self._after(used, 1, dosed=dosed))

    def _after(self, used: Budget, more: int, *, dosed: bool) -> Budget:
        """What is used up after a step: a dose gives new deviations where none was used so far, or at every dose."""
        deviated, followed = used[0] + more, used[1]
        if not dosed:
            return deviated, followed
        return (0, followed + 1) if (deviated or followed) and not self.scope.at_every_dose else (0, 0)

    def _reach(self, index: int, used: Budget) -> None:
        if used[1] <= self.scope.follow and self._nodes[index].reached_with(used):
            self._queue.append((index, used))

    def _open(self, index: int, node: _Node, *, deviating: bool) -> None:
        """Work out what may follow a state; its chart is forgotten when nothing more can be asked of it."""
        assert node.rest is not None
        chart, now, run = node.rest
        state = node.fresh or begin(chart, now, self.steps.protocol, run)
        node.fresh = None
        timeline = Timeline(state, self.steps.rest)
        if node.usual is None:
            self._tell_beside(index, timeline)
            move = usual(state, self.scope.end)
            if move is not None and self._in_vain(index, move):
                again = (*self._moves_to(index), move)
                self.found.violations += told_as(Broke([(GETS_ON, f"{move.name}, {IN_VAIN} times in vain")]), again)
                move = None
            node.usual = [] if move is None else self._made(index, timeline, (move,))
        if deviating and node.others is None:
            node.others = self._made(index, timeline, self._others(state))
            node.rest = None

    def _in_vain(self, index: int, move: Move) -> bool:
        """Before a dose the ward was asked for this, did it again and again, and is asked for it still: it would go on for
        ever, and so would the search."""
        for _ in range(IN_VAIN):
            node = self._nodes[index]
            made = node.move
            if made is None or made.name != move.name or not made.messages or node.dose == MONITORING_SCOPE:
                return False
            index = node.parent
        return True

    def _tell_beside(self, index: int, timeline: Timeline) -> None:
        """What says nothing, and what a patient can meet, told at this state; nobody goes on from there."""
        state = timeline.state
        for _ in range(self.scope.asides if state.card.next_dose or state.card.state in WATCHED else 0):
            aside = self._asides[self._told % len(self._asides)]
            self._told += 1
            self._tell(index, timeline, aside.makes)
        for story in STORIES if self.scope.stories else ():
            told = (story.name, self._nodes[index].dose)
            if told not in self._stories and self._tell(index, timeline, story.steps):
                self._stories.add(told)

    def _tell(self, index: int, timeline: Timeline, makes: tuple[Callable[[State], Move | None], ...]) -> bool:
        """Whether there was anything to tell here."""
        made: list[Move] = []
        state = timeline.state
        try:
            for make in makes:
                move = make(state)
                if move is None:
                    break
                made.append(move)
                state = self._made_beside(state, move)
        except BREAKS as error:
            self.found.violations += told_as(error, (*self._moves_to(index), *made))
        self.found.asides += bool(made)
        return bool(made)

    def _made_beside(self, state: State, move: Move) -> State:
        state = Timeline(state, self.steps.rest).at(move.until) if move.until is not None else state
        facts = self.steps.said(state, move)
        return self.steps.decided(state, facts, move) if facts or move.unreadable is not None else state

    def _others(self, state: State) -> tuple[Move, ...]:
        found, only = deviations(state, few=self.scope.few), self.scope.kinds
        return tuple(m for m in found if not only or any(words in m.name for words in only))

    def _made(self, index: int, timeline: Timeline, moves: tuple[Move, ...]) -> list[tuple[int, bool]]:
        reached: dict[int, bool] = {}
        for move in moves:
            self.found.edges += 1
            try:
                target, dosed = self._make(index, timeline, move)
            except BREAKS as error:
                self.found.violations += told_as(error, (*self._moves_to(index), move))
                continue
            if target != index:
                reached[target] = dosed
        return list(reached.items())

    def _make(self, index: int, timeline: Timeline, move: Move) -> tuple[int, bool]:
        """The state that a move leads to, and whether a dose was given or left out on the way."""
        state = timeline.at(move.until) if move.until is not None else timeline.state
        facts = self.steps.said(state, move)
        if facts or move.unreadable is not None:
            return self._decided(index, move, state, facts), doses(facts)
        return (index if state is timeline.state else self._node(state, index, move)), False

    def _decided(self, index: int, move: Move, state: State, facts: tuple[Fact, ...]) -> int:
        """The node after the messages of a move; a state that was decided before is not decided again."""
        key = b"" if move.unreadable is not None else key_of(state.chart.with_facts(*facts), state.now, state.run)
        if key in self._before_rest:
            self.found.merged += 1
            return self._before_rest[key]
        target = self._node(self.steps.decided(state, facts, move), index, move)
        if key:
            self._before_rest[key] = target
        return target

    def _node(self, state: State, parent: int, move: Move | None) -> int:
        key = key_of_state(state)
        known = self._by_key.get(key)
        if known is None:
            known = self._by_key[key] = len(self._nodes)
            # A chart without what was worked out of it: a search keeps very many of them.
            bare = Chart.model_construct(course=state.chart.course, facts=state.chart.facts)
            rest = (bare, state.now, state.run)
            self._nodes.append(_Node(parent, move, rest, state, next_dose(state)))
        return known

    def _moves_to(self, index: int) -> tuple[Move, ...]:
        moves: list[Move] = []
        while index > 0:
            node = self._nodes[index]
            assert node.move is not None
            moves.append(node.move)
            index = node.parent
        return tuple(reversed(moves))


def next_dose(state: State) -> str:
    """Which dose deviations count for now."""
    case = state.standing.case
    return MONITORING_SCOPE if case.dosing_ended is not None else str(case.slot_after_all)


def replayed(chart: Chart, now: datetime, protocol: Protocol, moves: tuple[Move, ...]) -> Iterator[tuple[Move, State]]:
    """A story told again: each move with the state it leads to."""
    state = begin(chart, now, protocol)
    for move in moves:
        if move.until is not None:
            state = Timeline(state, at).at(move.until)
        for message in move.messages:
            ruling = ruling_on(state, message)
            state = state if isinstance(ruling, Refused) else with_facts(state, ruling.facts)
        if move.unreadable is not None:
            state = with_facts(state, (), move.unreadable)
        yield move, state
