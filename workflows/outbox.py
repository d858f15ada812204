"""What a course has decided to send out and nobody has confirmed yet: entries for the record, calls to people.

Sent in order, each batch until it is confirmed, without the course waiting; what is left goes over into the next run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

Item = TypeVar("Item")
BATCH = 50
BATCH_LETTERS = 512 * 1024
AGAIN_AFTER = timedelta(minutes=1)
SENT_AGAIN = "what could not be sent is sent again"


class Outbox(Generic[Item]):
    """A queue with one sender. `send` returns when the batch is confirmed; Temporal retries it until then.

    A batch that was given up from outside (an activity failed by hand) does not end the sender: `given_up` is told, and
    the batch is sent again after a minute. Where the order does not matter it holds up nothing meanwhile. `weight` is
    the size of an item in letters.
    """

    def __init__(
        self,
        left: Iterable[Item],
        send: Callable[[tuple[Item, ...]], Awaitable[None]],
        given_up: Callable[[], None],
        weight: Callable[[Item], int] = lambda _: 0,
        *,
        in_order: bool = True,
    ) -> None:
        self._queue: list[Item] = list(left)
        self._given_back: list[Item] = []
        self._again_at = workflow.now()
        self._send = send
        self._given_up = given_up
        self._weight = weight
        self._in_order = in_order
        self._sender: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> list[Item]:
        """What nobody has confirmed yet."""
        return [*self._queue, *self._given_back]

    def put(self, item: Item) -> None:
        """Queue one item behind the others."""
        self._queue.append(item)

    def open(self) -> None:
        """Start sending, if nobody does."""
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())

    async def close(self) -> None:
        """Stop sending before the run ends; an attempt under way may still get through, so every item is idempotent."""
        if self._sender is None:
            return
        sender, self._sender = self._sender, None
        sender.cancel()
        try:
            await sender
        except BaseException as error:
            # a cancelled activity ends in one of several exceptions
            if not (isinstance(error, asyncio.CancelledError) or is_cancelled_exception(error)):
                raise

    async def _send_all(self) -> None:
        while True:
            await self._until_there_is_a_next_one()
            batch = self._batch()
            try:
                await self._send(batch)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                self._given_up()
                if self._in_order:
                    await workflow.sleep(AGAIN_AFTER, summary=SENT_AGAIN)
                else:
                    del self._queue[: len(batch)]
                    self._given_back += batch
                    self._again_at = workflow.now() + AGAIN_AFTER
            else:
                del self._queue[: len(batch)]

    async def _until_there_is_a_next_one(self) -> None:
        """Wait for an item; what was given back is one again when its minute is over, also while others come."""
        while True:
            left = self._again_at - workflow.now()
            if self._given_back and left <= timedelta():
                self._queue, self._given_back = [*self._queue, *self._given_back], []
            only_given_back = bool(self._given_back and not self._queue)
            with suppress(TimeoutError):
                # Also where there is one: what comes in the same moment goes with it.
                await workflow.wait_condition(
                    lambda: bool(self._queue),
                    timeout=left if only_given_back else None,
                    timeout_summary=SENT_AGAIN if only_given_back else None,
                )
                return

    def _batch(self) -> tuple[Item, ...]:
        """The next items, as many as one activity may be given."""
        taken, letters = 0, 0
        for item in self._queue[:BATCH]:
            letters += self._weight(item)
            if taken and letters > BATCH_LETTERS:
                break
            taken += 1
        return tuple(self._queue[:taken])
