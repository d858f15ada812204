"""Who may compute now: decisions take turns, for the threads of one process share one processor whatever their number.

Eight that compute at once are no faster than two, and everything else of the worker then waits: a look into the record
took seconds, and a start was asked for a reason because the record "did not answer".
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

AT_ONCE: Final = 2
LONGEST_WAIT_S: Final = 1.0
"""Then a decision is computed all the same: one that never comes back holds up nobody for longer."""
SWITCH_AFTER_S: Final = 0.001
"""How long a computing thread keeps the processor while others wait: a fifth of what Python gives it by itself."""

_free = threading.Semaphore(AT_ONCE)


def share_the_processor() -> None:
    """Let the threads of this process change more often, so that one that only hands something on waits no longer."""
    sys.setswitchinterval(SWITCH_AFTER_S)


@contextmanager
def turn() -> Iterator[None]:
    """Wait for a turn, at most `LONGEST_WAIT_S` seconds."""
    mine = _free.acquire(timeout=LONGEST_WAIT_S)
    try:
        yield
    finally:
        if mine:
            _free.release()
