"""A story in the words of a ward: day, time, who said what, what the card said."""

from collections.abc import Iterator
from datetime import datetime

from checker.moves import Move
from checker.people import MORNING, a_course
from checker.search import Found, replayed
from checker.steps import Violation
from checker.walks import Walked
from checker.ward import State
from models.messages import Message
from models.pins import ProtocolPin
from models.protocol import Protocol


def told(violation: Violation, protocol: Protocol, pin: ProtocolPin) -> Iterator[str]:
    """The shortest story that breaks an invariant, line by line."""
    clauses = ", ".join(violation.clauses)
    yield f"BROKEN under {protocol.name}: {violation.must_hold} ({clauses})"
    yield f"  {violation.words}"
    for move, state in replayed(a_course(protocol, pin), MORNING, protocol, violation.moves):
        yield f"  {_moment(state)}  {_who(move)}{move.name} -> {_card(state)}"


def summed_up(name: str, protocol: str, found: Found | Walked) -> str:
    """One line per search: what it saw and how long it took."""
    broken = f"{len(found.violations)} BROKEN" if found.violations else "nothing broken"
    return f"{protocol}: {name}: {found.looked}, {broken}"


def _moment(state: State) -> str:
    zone = state.standing.case.reading.zone
    here, first = state.now.astimezone(zone), MORNING.astimezone(zone)
    return f"day {(here.date() - first.date()).days + 1:>2} {_clock(here)}"


def _clock(instant: datetime) -> str:
    return f"{instant:%H:%M:%S}" if instant.second else f"{instant:%H:%M}   "


def _who(move: Move) -> str:
    people = dict.fromkeys(_role(message) for message in move.messages)
    return f"[{', '.join(people)}] " if people else ""


def _role(message: Message) -> str:
    return f"{message.by.role}"


def _card(state: State) -> str:
    card = state.card
    asked = ", ".join(dict.fromkeys(f.rule for f in card.findings if f.verdict is not None))
    about = f" for {card.next_dose}" if card.next_dose else ""
    return f"{card.verdict}{about}, {card.state}{f' ({asked})' if asked else ''}"
