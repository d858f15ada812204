"""Moves the clock of one invented course where the server can skip time. One driver a course, one bounded step at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import TimeSkipper, TimeSkippingConfig

PAST = timedelta(seconds=30)
"""A step ends so long after what it goes to. The server stops at a step's end only while that lies ahead: if what a timer
sets off outlasts it, the clock goes on to the next timer, be it a week away. So the end lies where no machine is so slow.
"""
PATIENCE_S = 180
"""At the limit of skips the server says nothing for ever; a machine under load may take a minute for a long step."""
LONGEST_STEP = timedelta(days=400)


class CannotSkipTime(Exception):
    """The server does not skip time: an older one, or a ward's."""


class Clock:
    """The virtual clock of one course. Two clocks on one course disturb each other."""

    def __init__(self, client: Client, course_id: str) -> None:
        self._skipper = skipper(client)
        self._handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(course_id)

    async def now(self) -> datetime:
        """The course's own time."""
        return (await self._skipper.get_current_time(self._handle)).astimezone(UTC)

    async def advance(self, span: timedelta) -> datetime:
        """Skip `PAST` further than this, or to the course's end if that comes first; returns its time then.

        Raises `CannotSkipTime`.
        """
        before = await self.now()
        if not timedelta() < span <= LONGEST_STEP:
            raise ValueError("a step is longer than nothing and not longer than 400 days")
        arrived = await asyncio.wait_for(self._skipper.fast_forward(self._handle, span + PAST), PATIENCE_S)
        now = await self.now()
        if arrived and now < before + span:
            raise CannotSkipTime("this server does not skip time; the course's clock did not move")
        return now

    async def advance_to(self, instant: datetime) -> datetime:
        """Skip to just past an instant; nothing happens when it has passed already."""
        now = await self.now()
        return now if now >= instant else await self.advance(instant - now)


def skipper(client: Client) -> TimeSkipper:
    """A client wrapper whose courses stand still until they are moved: waiting for a person is not work to skip."""
    config = TimeSkippingConfig(enabled=False, disable_propagation=True, max_session_skip_count=1000)
    return TimeSkipper(client, config=config)
