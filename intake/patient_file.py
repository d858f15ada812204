"""The patient with whom a course starts, as a person writes it. What identifies the patient stays at the door."""

from typing import Annotated

from pydantic import StringConstraints

from intake.written import parse, validated
from models.base import Day, Name, Written

Identifying = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Identifier(Written):
    """The hospital's identifier as the laboratory writes it on results; only its keyed hash goes further."""

    system: Identifying
    value: Identifying


class PatientFile(Written):
    """One patient. `zone` is the IANA zone of the treating site; `invented` says that nobody real is meant.

    `child_bearing_potential` left out means unknown, and is treated as possible (MON-11).
    """

    identifier: Identifier
    birth_on: Day
    zone: Name
    child_bearing_potential: bool | None = None
    invented: bool = False


def read_patient(raw: bytes | str) -> PatientFile:
    """The patient of a file. Raises `NotReadable` with each fault's place."""
    return validated(PatientFile, parse(raw))
