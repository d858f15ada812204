"""A door that is started again when its process dies, so that killing a worker shows that nothing is lost."""

import asyncio
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

RESTARTS, WITHIN_S = 5, 60.0
REFUSED_TO_RUN = frozenset({2, 3})
"""Its settings or its mode: another start ends the same way."""


def may_start_again(code: int, ended_at: Sequence[float]) -> bool:
    """Whether a process that ended with this code is started again: at most five times within a minute.

    `ended_at` are the seconds at which it has ended so far, this time included as the last.
    """
    recent = [at for at in ended_at if ended_at[-1] - at < WITHIN_S]
    return code not in REFUSED_TO_RUN and len(recent) <= RESTARTS


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


class Kept:
    """One process, started again while it may be. Its id stands in a file, so that anybody can end it to see that."""

    def __init__(
        self, name: str, start: Callable[[], Awaitable[Process]], pid_file: Path, say: Callable[[str], None]
    ) -> None:
        self.given_up = asyncio.Event()
        """Set when nobody keeps it any longer."""
        self._name = name
        self._start = start
        self._pid_file = pid_file
        self._say = say
        self._stopping = False
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Kept":
        await self._begin()
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        if self._process is not None:
            await ended(self._process)
        if self._keeping is not None:
            await self._keeping
        self._pid_file.unlink(missing_ok=True)

    async def _begin(self) -> Process:
        self._process = await self._start()
        self._pid_file.write_text(f"{self._process.pid}\n", encoding="utf-8")
        return self._process

    async def _keep(self) -> None:
        """Comes back when it may not be started again, or is told to stop."""
        ended_at: list[float] = []
        try:
            while self._process is not None:
                code = await self._process.wait()
                ended_at.append(time.monotonic())
                if self._stopping or not may_start_again(code, ended_at):
                    return
                process = await self._begin()
                self._say(f"the {self._name} {how_it_ended(code)}; it is started again as process {process.pid}")
                if self._stopping:  # told while it was starting
                    await ended(process)
        finally:
            self.given_up.set()


async def ended(process: Process) -> None:
    """Ask the process to stop, by its own id, and see it gone."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()
