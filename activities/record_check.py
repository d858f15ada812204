"""Looking at the record: over open courses when a worker has started, over everything each night."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError

from models.assessment import CourseState
from plumbing.keys import RecordKey
from plumbing.logging import get_logger
from record.anchors import AnchorFile, heads_in_memos, heads_on_record
from record.checks import note_checks
from record.raw import Fault
from record.reader import courses_on_record
from record.verify import CourseHead, course_ids, verify_all, verify_course

log = get_logger()


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
        opened = {course.course_id for course in found.read if course.state is not CourseState.COMPLETED}
        looked = sorted(opened | {fault.course_id for fault in found.unreadable})
        for course_id in looked:
            faults += await verify_course(
                self._engine, self._key, course_id, [h for h in heads if h.course_id == course_id]
            )
        return await self._told(looked, faults)

    async def everything(self) -> tuple[int, int]:
        """Look at all rows, then write the heads of all sound courses down beside the backups."""
        heads, faults = await self._heads()
        looked = sorted({*await course_ids(self._engine), *(head.course_id for head in heads)})
        faults += await verify_all(self._engine, self._key, heads)
        spoilt = {fault.course_id for fault in faults}
        sound = [head for head in await heads_on_record(self._engine) if head.course_id not in spoilt]
        await self._anchors.add(sound, self._wall_clock())
        return await self._told(["", *looked], faults)

    async def _heads(self) -> tuple[list[CourseHead], list[Fault]]:
        """All heads that were written down; a server that does not answer is no reason not to look."""
        anchors = await self._anchors.read()
        try:
            running = await heads_in_memos(self._client)
        except RPCError as error:
            log.warning("record_heads_unknown", error=error)
            running = []
        return [*anchors.heads, *running], list(anchors.faults)

    async def _told(self, looked: Sequence[str], faults: Sequence[Fault]) -> tuple[int, int]:
        await note_checks(self._engine, looked, faults, self._wall_clock())
        spoilt = sorted({fault.course_id for fault in faults})
        for course_id in spoilt:
            told = [fault for fault in faults if fault.course_id == course_id]
            log.error("record_altered", course=course_id, count=len(told), code=told[0].table)
        log.info("record_verified", count=len(looked))
        return len(looked), len(spoilt)
