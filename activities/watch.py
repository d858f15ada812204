"""The watch over the courses: has each open course of the record an execution that decides, and each execution a course?

Temporal's list is seconds behind, and a course ends between two looks. So nothing is said before the execution itself
was asked by its id and the record was read once more.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.notify import Notifier
from models.attributes import OF_COURSES
from models.notification import Notification, NotificationBatch
from models.people import Role
from plumbing.executions import RUNNING, STUCK, standing_of
from plumbing.logging import get_logger
from record.watch import RULE, Difference, Known, Unwatched, known_courses, note

log = get_logger()

START_TAKES: Final = timedelta(minutes=2)
"""A door reserves a start and then starts; sooner than this nothing is missing."""
CALLED: Final = (Role.ADMINISTRATOR, Role.COORDINATOR)


class Watch:
    """Compares executions and record, keeps the differences for the worklist and calls for them, once a day each."""

    def __init__(
        self,
        engine: AsyncEngine,
        client: Client,
        notifier: Notifier,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._client = client
        self._notifier = notifier
        self._wall_clock = wall_clock

    async def look(self) -> tuple[int, int]:
        """Look both ways; returns how many courses and executions there are, and how many of them do not fit."""
        now = self._wall_clock()
        known, running = await known_courses(self._engine), await self._running()
        begun = {course_id for course_id, at in known.begun.items() if now - at >= START_TAKES}
        stands = {one: await standing_of(self._client, one) for one in sorted(known.open | begun | running)}
        found = _found(stands, known.open | begun, known.on_record)
        still = _confirmed(found, await known_courses(self._engine))
        due = await note(self._engine, still, now)
        await self._call_for(due, now)
        return len(known.open | known.begun.keys() | running), len(due)

    async def _running(self) -> frozenset[str]:
        listed = self._client.list_workflows(f"{OF_COURSES} AND ExecutionStatus = 'Running'")
        return frozenset([execution.id async for execution in listed])

    async def _call_for(self, due: list[Unwatched], now: datetime) -> None:
        for one in due:
            log.error("course_not_watched", course=one.course_id, kind=str(one.kind), reason_code=one.how)
        calls = tuple(_call(one, role, now) for one in due for role in CALLED)
        if calls:
            await self._notifier.notify(NotificationBatch(notifications=calls))


def _found(
    stands: Mapping[str, str], watched: Collection[str], on_record: Collection[str]
) -> dict[tuple[str, Difference], str]:
    """Every course that should be watched and is not, and every execution that runs for a course without a decision.

    An execution whose workflow task fails watches nobody, whatever the record says of its course.
    """
    found = {}
    for course_id, how in stands.items():
        if how == STUCK or (how != RUNNING and course_id in watched):
            found[course_id, Difference.NO_EXECUTION] = how
        if how in (RUNNING, STUCK) and course_id not in on_record:
            found[course_id, Difference.NO_COURSE] = how
    return found


def _confirmed(found: Mapping[tuple[str, Difference], str], known: Known) -> dict[tuple[str, Difference], str]:
    """What is still so when the record is read once more: a course may have ended meanwhile, or its first entry come."""
    unwatched, strangers = known.open | known.begun.keys(), known.on_record
    return {
        (course_id, kind): how
        for (course_id, kind), how in found.items()
        if (how == STUCK or course_id in unwatched if kind is Difference.NO_EXECUTION else course_id not in strangers)
    }


def _call(one: Unwatched, role: Role, now: datetime) -> Notification:
    """The call of this day; its key is the same until the next one, so that whoever is called knows it once."""
    day = (now - one.noticed_at).days
    due_at = one.noticed_at + timedelta(days=day)
    return Notification(
        key=f"{one.course_id}/{one.kind}/{due_at.isoformat()}/{role}",
        course_id=one.course_id,
        title=one.what,
        rule=RULE,
        owner=role,
        rung="overdue" if day else "due",
        due_at=due_at,
        fired_at=now,
    )
