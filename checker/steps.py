"""One move made, with every invariant asked at every decision on the way. What a search and a random walk share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from checker.invariants import Invariant, invariant, no_answer, refused_statement, violations
from checker.moves import Move
from checker.seen import Seen
from checker.ward import EndlessRuns, State, Step, at, ruling_on, with_facts
from models.assessment import Accepted, Refused
from models.facts import DoseDecided, Fact
from models.messages import LabResults, Message, RecordFinding, RecordPremedication, ReleaseHold, ResolveUnreadable
from models.protocol import Protocol

DOSE_KINDS = frozenset({"infusion_started", "administration"})
SAID_TOGETHER = (RecordFinding, RecordPremedication, LabResults, ReleaseHold, ResolveUnreadable)
"""Statements of one visit, said in one breath: each is judged by itself, and then one decision follows."""

TOTAL = Invariant(
    "an answer always", ("design §2",), "The rules answer always; a patient's data never raise.", no_answer
)
GETS_ON = Invariant("the ward gets on", ("§3.5",), "Doing what the card asks for changes what it asks for.", no_answer)
_REPORTS = invariant("reports")


@dataclass(frozen=True)
class Violation:
    """An invariant that a decision broke, and the moves that led there, the breaking one last."""

    invariant: str
    clauses: tuple[str, ...]
    must_hold: str
    words: str
    moves: tuple[Move, ...]


class Broke(Exception):
    """A decision that broke an invariant, while a move was made."""

    def __init__(self, found: list[tuple[Invariant, str]]) -> None:
        self.found = found


BREAKS = (
    *(Broke, EndlessRuns),
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
)
"""What a move may raise: a broken invariant, or a fault of the rules."""


class Steps:
    """Makes moves under one protocol and counts the decisions. Raises `Broke` where an invariant is broken."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.decisions = 0

    def said(self, state: State, move: Move) -> tuple[Fact, ...]:
        """What the messages of a move leave in the chart, each judged in turn; what is refused leaves nothing."""
        facts: tuple[Fact, ...] = ()
        for message in move.messages:
            if facts and not isinstance(message, SAID_TOGETHER):
                raise TypeError(f"{message.name} is a move of its own")
            ruling = ruling_on(state, message)
            self._judged(state, message, ruling)
            facts += () if isinstance(ruling, Refused) else ruling.facts
        return facts

    def decided(self, state: State, facts: tuple[Fact, ...], move: Move) -> State:
        """The course after the decision that follows these facts."""
        after = with_facts(state, facts, move.unreadable)
        self.decisions += 1
        added = after.chart.facts[len(state.chart.facts) :]
        said = move.messages[-1] if move.messages else None
        step = Step(state.chart, state.now, self.protocol.name, added, after, said, move.unreadable)
        self._check(replace(step, previous=state.card, nothing=move.nothing))
        return after

    def rest(self, before: State, now: datetime) -> State:
        """The course as a timer finds it."""
        after = at(before, now)
        self.decisions += 1
        added = after.chart.facts[len(before.chart.facts) :]
        self._check(Step(before.chart, now, self.protocol.name, added, after, previous=before.card))
        return after

    def _judged(self, state: State, message: Message, ruling: Accepted | Refused) -> None:
        if isinstance(ruling, Refused):
            words = refused_statement(message, ruling, lambda: Seen(state.chart, state.now, self.protocol.name))
            if words is not None:
                raise Broke([(_REPORTS, words)])
            return
        self._check(Step(state.chart, state.now, self.protocol.name, ruling.facts, None, message, None, ruling))

    def _check(self, step: Step) -> None:
        broken = list(violations(step))
        if broken:
            raise Broke(broken)


class Timeline:
    """One state and the states that time alone makes of it, timer by timer, worked out once for all moves that wait."""

    def __init__(self, state: State, rest: Callable[[State, datetime], State]) -> None:
        self.state = state
        self._rest = rest
        self._stops = [state]

    def at(self, until: datetime) -> State:
        """The state at an instant, after every timer that fires before it."""
        while self._next() is not None and self._next() <= until:  # type: ignore[operator]
            self._stops.append(self._rest(self._stops[-1], self._next()))  # type: ignore[arg-type]
        last = next(s for s in reversed(self._stops) if s.now <= until)
        return last if last.now == until else self._rest(last, until)

    def _next(self) -> datetime | None:
        return self._stops[-1].wakes_at


def told_as(error: Exception, moves: tuple[Move, ...]) -> list[Violation]:
    """What broke, each invariant once, with the story that led there; a fault of the rules breaks one of its own."""
    found = error.found if isinstance(error, Broke) else [(TOTAL, f"{type(error).__name__}: {error}")]
    return [Violation(i.name, i.clauses, i.words, words, moves) for i, words in dict(found).items()]


def doses(facts: tuple[Fact, ...]) -> bool:
    """Whether a dose was given or left out: the deviations of the next one are counted anew."""
    return any(
        f.what.kind in DOSE_KINDS or (isinstance(f.what, DoseDecided) and f.what.decision == "omit") for f in facts
    )
