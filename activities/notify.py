"""Telling people: each rung of an escalation through every channel, its row committed before the channel is asked.

Never behind the record: while its database is away people are called all the same, what was told is kept in memory, and
the rows are made when it is back. A process that dies in between can then repeat a call; it cannot lose one, for the
workflow hands every call over until it was asked.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.stubs import NOTIFY
from models.notification import Notification, NotificationBatch
from plumbing.logging import get_logger
from record import calls
from record.calls import Call, CallState, Outcome

log = get_logger()

Channel = Callable[[Notification], Awaitable[None]]
"""Tells one person, and returns when it is told. The notification's key drops a repeat; raising means not told."""

CHANNEL_WITHIN: Final = timedelta(seconds=5)
RECORD_WITHIN: Final = timedelta(seconds=1.5)
"""With the channel twice this stays below the 10 s of one attempt, and below `calls.TAKEN_FOR` from the first row on."""
MOST_REMEMBERED: Final = 10_000
"""Calls in memory, about 25 MB while none is written: two hundred for each of fifty courses while the record is away."""

Answer = TypeVar("Answer")


async def to_the_log(notification: Notification) -> None:
    """One structured line a call; a pager or mail channel stands beside it on a ward."""
    log.warning(
        "person_called",
        course=notification.course_id,
        rule=notification.rule,
        role=str(notification.owner),
        rung=notification.rung,
    )


class Memory:
    """What this process has asked and the record has not confirmed yet, and the last of what it has; bounded."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._asked: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._unwritten: dict[tuple[str, str], Outcome] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def taken(self, asked: Iterable[Call]) -> list[Call]:
        """Those of these calls that this process has not asked before."""
        fresh = {call.id: call for call in asked if call.id not in self._asked}
        for call_id in fresh:
            self._remember(call_id)
        return list(fresh.values())

    def keep(self, outcome: Outcome) -> None:
        """Remember what came of a call, until it is written and longer."""
        self._remember(outcome.call.id)
        self._unwritten[outcome.call.id] = outcome

    def unwritten(self) -> list[Outcome]:
        """What the record does not know yet, oldest first."""
        return list(self._unwritten.values())

    def written(self, outcomes: Iterable[Outcome]) -> None:
        """The record has these."""
        for outcome in outcomes:
            if self._unwritten.get(outcome.call.id) is outcome:
                del self._unwritten[outcome.call.id]

    def _remember(self, call_id: tuple[str, str]) -> None:
        self._asked[call_id] = None
        self._asked.move_to_end(call_id)
        while len(self._asked) > self._most:
            forgotten, _ = self._asked.popitem(last=False)
            if self._unwritten.pop(forgotten, None) is not None:
                log.error("call_without_a_row", count=1)


class Notifier:
    """Calls people through its channels. After a crash a call that was under way is repeated once, and its row says so."""

    def __init__(
        self,
        engine: AsyncEngine,
        channels: Mapping[str, Channel] | None = None,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        channel_within: timedelta = CHANNEL_WITHIN,
        record_within: timedelta = RECORD_WITHIN,
    ) -> None:
        self._engine = engine
        self._channels = dict(channels or {"log": to_the_log})
        self._wall_clock = wall_clock
        self._channel_within = channel_within
        self._record_within = record_within
        self._left_alone: set[asyncio.Task[Any]] = set()
        self.memory = Memory()

    @activity.defn(name=NOTIFY)
    async def notify(self, batch: NotificationBatch) -> None:
        """Tell each notification once through each channel; returns when each is confirmed or has failed.

        Raises for none of them: one that fails is tried again by `ask_again`. One that another process has under way
        is left to it.
        """
        asked = calls.calls_of(batch.notifications, self._channels)
        await self._ask_all(await self._taken(asked))

    async def ask_again(self) -> int:
        """Ask for all that failed or was under way in a process that died; returns how many were asked.

        While the record is away that is what has failed in this process.
        """
        again = await self._again()
        await self._ask_all(again)
        return len(again)

    async def _taken(self, asked: tuple[Call, ...]) -> list[Call]:
        """Whom to ask now: by the record, or by memory while it does not answer."""
        try:
            await self._write_what_is_left()
            taken = await self._in_time(calls.take(self._engine, asked, self._wall_clock()))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the record, people are called
            log.error("calls_without_the_record", count=len(asked), error=error)
            return self.memory.taken(asked)
        self.memory.taken(taken)
        return taken

    async def _again(self) -> list[Call]:
        try:
            await self._write_what_is_left()
            return await self._in_time(calls.take_again(self._engine, self._channels, self._wall_clock()))
        except Exception as error:  # noqa: BLE001 - as above
            log.error("calls_without_the_record", count=len(self.memory), error=error)
            return [outcome.call for outcome in self.memory.unwritten() if outcome.state is CallState.FAILED]

    async def _ask_all(self, asked: Iterable[Call]) -> None:
        await asyncio.gather(*(self._ask(call) for call in asked))

    async def _ask(self, call: Call) -> None:
        asked_at, failure = self._wall_clock(), None
        try:
            await asyncio.wait_for(
                self._channels[call.channel](call.notification), self._channel_within.total_seconds()
            )
        except Exception as error:  # noqa: BLE001 - a channel may raise what it likes, and blocks no other
            failure = type(error).__name__
            _say_failed(call, error)
        outcome = Outcome(
            call=call,
            state=CallState.FAILED if failure else CallState.CONFIRMED,
            asked_at=asked_at,
            settled_at=self._wall_clock(),
            failure=failure,
        )
        self.memory.keep(outcome)
        await self._written([outcome])

    # ── the record ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _written(self, outcomes: list[Outcome]) -> None:
        try:
            await self._write(outcomes)
        except Exception as error:  # noqa: BLE001 - it stays in memory, and is written with the next call or sweep
            log.error("calls_without_the_record", count=len(outcomes), error=error)

    async def _write_what_is_left(self) -> None:
        if left := self.memory.unwritten():
            await self._write(left)

    async def _write(self, outcomes: list[Outcome]) -> None:
        await self._in_time(calls.settle(self._engine, outcomes))
        self.memory.written(outcomes)

    async def _in_time(self, asking: Coroutine[Any, Any, Answer]) -> Answer:
        """The record's answer. Raises `TimeoutError`, and does not wait for a driver that hangs in its own clean-up."""
        task = asyncio.create_task(asking)
        self._left_alone.add(task)
        task.add_done_callback(self._left_alone.discard)
        done, _ = await asyncio.wait({task}, timeout=self._record_within.total_seconds())
        if not done:
            task.cancel()
            raise TimeoutError
        return task.result()


def _say_failed(call: Call, error: Exception) -> None:
    log.error(
        "call_failed",
        course=call.notification.course_id,
        rule=call.notification.rule,
        role=str(call.notification.owner),
        rung=call.notification.rung,
        kind=call.channel,
        error=error,
    )
