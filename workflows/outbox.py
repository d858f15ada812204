"""What a course has decided to send out and nobody has confirmed yet: entries for the record, calls to people.

Sent in order, each batch until it is confirmed, without the course waiting; what is left goes over into the next run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

Item = TypeVar("Item")
BATCH = 50
BATCH_LETTERS = 512 * 1024
AGAIN_AFTER = timedelta(minutes=1)


class Outbox(Generic[Item]):
    """A queue with one sender. `send` returns when the batch is confirmed; Temporal retries it until then.

    A batch that was given up from outside (an activity failed by hand) does not end the sender: `given_up` is told, and
    the batch goes to the end of the queue, so that it holds up nothing. `weight` is the size of an item in letters.
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
        self.waiting: list[Item] = list(left)
        self._send = send
        self._given_up = given_up
        self._weight = weight
        self._in_order = in_order
        self._sender: asyncio.Task[None] | None = None

    def put(self, item: Item) -> None:
        """Queue one item behind the others."""
        self.waiting.append(item)

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
            await workflow.wait_condition(lambda: bool(self.waiting))
            batch = self._batch()
            try:
                await self._send(batch)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                self._given_up()
                if not self._in_order:
                    self.waiting = [*self.waiting[len(batch) :], *batch]
                await workflow.sleep(AGAIN_AFTER, summary="what could not be sent is sent again")
            else:
                del self.waiting[: len(batch)]

    def _batch(self) -> tuple[Item, ...]:
        """The next items, as many as one activity may be given."""
        taken, letters = 0, 0
        for item in self.waiting[:BATCH]:
            letters += self._weight(item)
            if taken and letters > BATCH_LETTERS:
                break
            taken += 1
        return tuple(self.waiting[:taken])
