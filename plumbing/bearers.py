"""Callers known by a token, until sign-in exists: of each long random token only its SHA-256 is configured.

What belongs here: the text form and the comparison. Which role may do what is the door's business.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final, Self

from models.people import Actor, Role

_ENTRY: Final = re.compile(r"([0-9a-f]{64}):([a-z]+):([A-Za-z0-9][A-Za-z0-9._-]{0,63})")


class Bearer:
    """Whoever shows a certain token, and as whom they are taken. No text shows the hash."""

    __slots__ = ("_sha256", "actor")

    def __init__(self, actor: Actor, sha256: str) -> None:
        self.actor = actor
        self._sha256 = sha256

    @classmethod
    def parse(cls, text: str, position: int) -> Self:
        """Read `token-sha256:role:id`. Raises `ValueError`, whose text names the entry by its position only."""
        found = _ENTRY.fullmatch(text)
        if found is None or found[2] not in set(Role):
            raise ValueError(f"entry {position} is not of the form token-sha256:role:id")
        return cls(Actor(role=Role(found[2]), id=found[3]), found[1])

    def has(self, token: str) -> bool:
        """Whether this is the token."""
        shown = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        return hmac.compare_digest(self._sha256, shown)

    def __repr__(self) -> str:
        return f"Bearer({self.actor}; hash hidden)"


def bearer_of(authorization: str, bearers: Iterable[Bearer]) -> Actor | None:
    """Who shows this `Authorization` header; nobody when its token is not known."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    # All are compared, so the time taken says nothing about which one is near.
    known = [bearer.actor for bearer in bearers if bearer.has(token.strip())]
    return known[0] if known else None
