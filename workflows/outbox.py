"""What a course has decided to send out and nobody has confirmed yet: entries for the record, calls to people.

Sent in order, each batch until it is confirmed, without the course waiting; what is left goes over into the next run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

Item = TypeVar("Item")


class Outbox(Generic[Item]):
    """A queue with one sender. `send` returns when the batch is confirmed and is retried by Temporal until then."""

    def __init__(self, left: Iterable[Item], send: Callable[[tuple[Item, ...]], Awaitable[None]], batch: int) -> None:
        self.waiting: list[Item] = list(left)
        self._send = send
        self._batch = batch
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
            batch = tuple(self.waiting[: self._batch])
            await self._send(batch)
            del self.waiting[: len(batch)]
