"""A call to a person: what is due from whom. Plain words and ids, never a patient's value."""

from typing import Literal

from models.base import Frozen, Instant
from models.people import Role


class Notification(Frozen):
    """One rung of an escalation, told once. `key` is its idempotency key: adapters drop a repeat."""

    key: str
    course_id: str
    title: str
    rule: str
    owner: Role
    rung: Literal["due", "overdue", "again"]
    due_at: Instant
    fired_at: Instant


class NotificationBatch(Frozen):
    """Calls in the order in which their rungs fired."""

    notifications: tuple[Notification, ...]
