"""Telling people: each rung of an escalation through every adapter, never behind the record."""

from collections.abc import Awaitable, Callable

from temporalio import activity

from activities.stubs import NOTIFY
from models.notification import Notification, NotificationBatch
from plumbing.logging import get_logger

Adapter = Callable[[Notification], Awaitable[None]]


async def to_the_log(notification: Notification) -> None:
    """One structured line a call; a pager or mail adapter stands beside it on a ward."""
    get_logger().warning(
        "person_called",
        course=notification.course_id,
        rule=notification.rule,
        role=str(notification.owner),
        rung=notification.rung,
        obligation=notification.key,
    )


class Notifier:
    """Calls people through its adapters. A retry after a crash repeats at most the call that was under way."""

    def __init__(self, *adapters: Adapter) -> None:
        self._adapters = adapters or (to_the_log,)
        self._told: set[str] = set()

    @activity.defn(name=NOTIFY)
    async def notify(self, batch: NotificationBatch) -> None:
        """Tell each notification once; what this worker has told already is not told again."""
        for notification in batch.notifications:
            if notification.key in self._told:
                continue
            for adapter in self._adapters:
                await adapter(notification)
            self._told.add(notification.key)
