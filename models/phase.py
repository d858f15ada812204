"""Which execution a course needs: a treatment cycle, liver monitoring, or none any more."""

from typing import Final

from models.base import Frozen

CYCLE: Final = "cycle"
MONITORING: Final = "monitoring"
ENDED: Final = "ended"


class Phase(Frozen):
    """Which execution the course needs now: a treatment cycle (its number), liver monitoring, or none any more."""

    kind: str
    cycle: int
