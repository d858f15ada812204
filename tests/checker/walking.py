"""One move after another, without a search."""

from checker.moves import Move
from checker.people import MORNING
from checker.steps import Timeline
from checker.ward import State, at, ruling_on, with_facts
from models.assessment import Accepted
from models.facts import Fact

__all__ = ["MORNING", "moved"]


def moved(state: State, move: Move) -> State:
    """The course after a move; what is refused leaves it as it was."""
    if move.until is not None:
        state = Timeline(state, at).at(move.until)
    rulings = [ruling_on(state, message) for message in move.messages]
    facts: tuple[Fact, ...] = tuple(f for ruling in rulings if isinstance(ruling, Accepted) for f in ruling.facts)
    return with_facts(state, facts, move.unreadable) if facts or move.unreadable else state
