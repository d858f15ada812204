"""The sweeps of housekeeping by name. One is added by its name in the models and its function in the worker."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.stubs import SWEEP
from models.housekeeping import SweepResult
from record.sweeps import last_done, note_done

NIGHT: Final = time(2, 0, tzinfo=UTC)
"""What is heavy is done in the first run after this, or in the first one that there is."""


@dataclass(frozen=True)
class Sweep:
    """Looks over the whole ward once and returns how much it looked at and how much it found.

    `nightly`: done once after each `NIGHT`, and at once where it never was.
    """

    do: Callable[[], Awaitable[tuple[int, int]]]
    nightly: bool = False


class Housekeeping:
    """Does the sweep that it is asked for, and keeps in the record when."""

    def __init__(
        self,
        engine: AsyncEngine,
        sweeps: Mapping[str, Sweep],
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._sweeps = dict(sweeps)
        self._wall_clock = wall_clock

    @activity.defn(name=SWEEP)
    async def sweep(self, name: str) -> SweepResult:
        """One sweep. Raises what it raises; `ApplicationError` of type `UnknownSweep` where this release has none."""
        if (sweep := self._sweeps.get(name)) is None:
            raise ApplicationError(f"no sweep {name} in this release", type="UnknownSweep", non_retryable=True)
        began_at = self._wall_clock()
        if sweep.nightly and not await self._is_due(name, began_at):
            return SweepResult(name=name, skipped=True)
        looked, found = await sweep.do()
        result = SweepResult(name=name, looked=looked, found=found)
        await note_done(self._engine, result, began_at)
        return result

    async def _is_due(self, name: str, now: datetime) -> bool:
        done_at = await last_done(self._engine, name)
        return done_at is None or done_at < last_night(now)


def last_night(now: datetime) -> datetime:
    """The last `NIGHT` that has come."""
    tonight = datetime.combine(now.astimezone(UTC).date(), NIGHT)
    return tonight if now >= tonight else tonight - timedelta(days=1)
