"""Looking at the record: over open courses when a worker has started, over everything each night."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.housekeeping import last_night
from models.assessment import OVER
from plumbing.keys import RecordKey
from plumbing.logging import get_logger
from plumbing.sealing import ANCHORS
from record.anchors import AnchorFile, heads_on_record, write_down, written_elsewhere
from record.checks import last_looks, note_checks
from record.raw import Fault
from record.reader import courses_on_record
from record.verify import CourseHead, course_ids, verify_course, verify_what_is_of_no_course

log = get_logger()

AT_MOST_S: Final = 60.0
"""How long one sweep looks, of the two minutes that it has: 300 decisions are half a second of computing."""


class RecordCheck:
    """Looks at the record with its key, and against the heads that were written down outside the database."""

    def __init__(
        self,
        engine: AsyncEngine,
        key: RecordKey,
        anchors: AnchorFile,
        client: Client,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._key = key
        self._anchors = anchors
        self._client = client
        self._wall_clock = wall_clock

    async def open_courses(self) -> tuple[int, int]:
        """Look at every course that is not over; how many, and how many of them are not as they were written."""
        heads, faults = await self._heads()
        found = await courses_on_record(self._engine)
        opened = {course.course_id for course in found.read if course.state not in OVER}
        looked = sorted(opened | {fault.course_id for fault in found.unreadable})
        for course_id in looked:
            faults += await self._look(course_id, heads)
        return await self._told(looked, faults)

    async def since_the_night(self) -> tuple[int, int]:
        """Look at what nobody has looked at since the last night, for a minute at most: the next sweep goes on.

        The heads of sound courses are written down beside the backups. What belongs to no course is looked at as well.
        """
        began, last = time.monotonic(), last_night(self._wall_clock())
        checked = await last_looks(self._engine)
        heads, faults = await self._heads()
        # What was found at a course of which nothing is left is looked for again too, or it would stand there for ever.
        known = {"", *checked, *await course_ids(self._engine), *(head.course_id for head in heads)}
        due = sorted(
            (one for one in known if checked.get(one, last) <= last), key=lambda one: (checked.get(one, last), one)
        )
        looked: list[str] = []
        for course_id in due:
            if looked and time.monotonic() - began > AT_MOST_S:
                break
            faults += await self._look(course_id, heads)
            looked.append(course_id)
        spoilt = {fault.course_id for fault in faults}
        sound = {course_id for course_id in looked if course_id not in spoilt}
        now = [head for head in await heads_on_record(self._engine) if head.course_id in sound] if sound else []
        faults += await self._write_down(now)
        return await self._told(looked, faults) if looked else (0, 0)

    async def _look(self, course_id: str, heads: Sequence[CourseHead]) -> list[Fault]:
        if not course_id:
            return await verify_what_is_of_no_course(self._engine, self._key)
        return await verify_course(self._engine, self._key, course_id, heads)

    async def _heads(self) -> tuple[list[CourseHead], list[Fault]]:
        """All heads that were written down; a server that does not answer is no reason not to look."""
        found = await written_elsewhere(self._engine, self._anchors, self._client)
        if found.in_memos is None:
            log.warning("record_heads_unknown")
        return found.heads, found.faults

    async def _write_down(self, heads: Sequence[CourseHead]) -> list[Fault]:
        """What kept the heads from being written down; what was found until then is told all the same."""
        try:
            await write_down(self._engine, self._anchors, heads, self._wall_clock())
        except OSError as error:
            log.error("heads_not_written_down", count=len(heads), error=error)
            words = f"heads cannot be written down ({type(error).__name__})"
            return [Fault(course_id="", table=ANCHORS, row="", words=words)]
        return []

    async def _told(self, looked: Sequence[str], faults: Sequence[Fault]) -> tuple[int, int]:
        await note_checks(self._engine, looked, faults, self._wall_clock())
        spoilt = sorted({fault.course_id for fault in faults})
        for course_id in spoilt:
            told = [fault for fault in faults if fault.course_id == course_id]
            log.error("record_altered", course=course_id, count=len(told), code=told[0].table)
        log.info("record_verified", count=len(looked))
        return len(looked), len(spoilt)
