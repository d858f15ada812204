"""What a person types beside a command: times, actors, acknowledgements. Faults name the option, and what it should be."""

import json
import re
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from intake.written import NotReadable
from models.assessment import CourseState
from models.base import Instant
from models.people import Actor, By, Role
from models.pins import Acknowledgement

_INSTANT: Final[TypeAdapter[datetime]] = TypeAdapter(Instant)
_ACTOR: Final[TypeAdapter[Actor]] = TypeAdapter(By)
_COURSE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_DIVERGENCE: Final = re.compile(r"[A-Z]+-\d+")


def read_instant(option: str, text: str) -> datetime:
    """An instant with its zone, in UTC. Raises `NotReadable`."""
    try:
        return _INSTANT.validate_python(datetime.fromisoformat(text))
    except ValueError:
        words = "is not a time with a zone, such as 2026-03-02T09:00:00+01:00 or 2026-03-02T08:00:00Z"
        raise NotReadable(f"{option}: {text!r} {words}") from None


def read_actor(option: str, text: str) -> Actor:
    """`nurse:n-17`. Raises `NotReadable`."""
    try:
        return _ACTOR.validate_json(json.dumps(text))
    except ValidationError:
        words = f"is not ROLE:ID, for example nurse:n-17; roles are {', '.join(Role)}"
        raise NotReadable(f"{option}: {text!r} {words}") from None


def read_acknowledgement(option: str, text: str) -> Acknowledgement:
    """`DIV-01=reason`. Raises `NotReadable`."""
    divergence, _, reason = text.partition("=")
    if not _DIVERGENCE.fullmatch(divergence) or not reason.strip():
        raise NotReadable(f'{option}: {text!r} is not of the form DIV-01="reason"')
    return Acknowledgement(divergence=divergence, reason=reason.strip())


def read_course_id(option: str, text: str) -> str:
    """An id that fits into addresses and tables. Raises `NotReadable`."""
    if not _COURSE_ID.fullmatch(text):
        raise NotReadable(f"{option}: letters, digits, dot, dash and underscore, at most 80; never a name")
    return text


def read_state(option: str, text: str) -> CourseState:
    """A state of a course. Raises `NotReadable`."""
    try:
        return CourseState(text)
    except ValueError:
        raise NotReadable(f"{option}: {text!r} is no state; states are {', '.join(CourseState)}") from None


def read_role(option: str, text: str) -> Role:
    """A role. Raises `NotReadable`."""
    try:
        return Role(text)
    except ValueError:
        raise NotReadable(f"{option}: {text!r} is no role; roles are {', '.join(Role)}") from None
