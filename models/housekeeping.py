"""Housekeeping: what one sweep over the whole ward answers. Counts and kinds only, nothing of a patient."""

from typing import Final

from models.base import Frozen

COURSES_WATCHED: Final = "courses_watched"
HEADS_COMPARED: Final = "heads_compared"
CALLS_ASKED_AGAIN: Final = "calls_asked_again"
MESSAGES_READ_AGAIN: Final = "messages_read_again"
RECORD_VERIFIED: Final = "record_verified"
SWEEPS: Final = (COURSES_WATCHED, HEADS_COMPARED, CALLS_ASKED_AGAIN, MESSAGES_READ_AGAIN, RECORD_VERIFIED)
"""The sweeps of housekeeping in their order; a worker that lacks one says so, and does the others."""


class SweepResult(Frozen):
    """What a sweep did: how many things it looked at, how many it found or mended.

    `skipped`: it was not its time yet. `failed` is the kind of the error that ended it.
    """

    name: str
    looked: int = 0
    found: int = 0
    skipped: bool = False
    failed: str | None = None
