"""Who acts: roles and actors (design §4, roles are closed)."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

from models.base import Frozen

_SEPARATORS = re.compile(r"[\s._-]+")


class Role(StrEnum):
    """What a person, or a laboratory's machine, may do here. A prescriber is a physician."""

    PRESCRIBER = "prescriber"
    PHYSICIAN = "physician"
    PHARMACIST = "pharmacist"
    NURSE = "nurse"
    COORDINATOR = "coordinator"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    LABORATORY = "laboratory"


CLINICAL_ROLES = frozenset({Role.PRESCRIBER, Role.PHYSICIAN, Role.PHARMACIST, Role.NURSE})
PHYSICIANS = frozenset({Role.PRESCRIBER, Role.PHYSICIAN})


class Actor(Frozen):
    """One person or machine in one role. `id` is pseudonymous (a staff id), never a name."""

    role: Role
    id: Annotated[str, StringConstraints(min_length=1, max_length=80)]

    def __str__(self) -> str:
        return f"{self.role}:{self.id}"

    @property
    def person(self) -> str:
        """Who it is, in whatever role and spelling: where two people must sign, `Dr-Ahorn` is no second `dr.ahorn`."""
        return _SEPARATORS.sub("", unicodedata.normalize("NFKC", self.id).casefold())


def _from_short_form(value: Any) -> Any:
    if isinstance(value, str):
        role, separator, actor_id = value.partition(":")
        if not separator:
            raise ValueError("an actor is written ROLE:ID, for example nurse:n-17")
        return {"role": role.strip(), "id": actor_id.strip()}
    return value


CLOCK = Actor(role=Role.ADMINISTRATOR, id="inocycle-clock")
"""The service itself: it fires rungs, keeps what cannot be read and closes obligations; it never gives or releases."""

By = Annotated[Actor, BeforeValidator(_from_short_form)]
"""An actor as an object or in the short form `prescriber:p-3`."""
