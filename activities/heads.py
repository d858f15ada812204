"""Whether each running course and its record are at the same decision: where they are not, the course is asked to look.

A course looks at its record when a run begins and before a dose. After a reset or a restore nothing of that happens by
itself: a replay does not ask again. The memo of the execution says which decision it knows to be written (REC-02).
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from models.deciding import Head
from plumbing.logging import get_logger
from record.anchors import RUNNING, head_in_memo
from record.head import head_of

log = get_logger()

COMPARE_RECORD: Final = "compare_record"
"""The signal by which a course is asked, as `workflows/course.py` names it."""
AGAIN_AFTER: Final = timedelta(hours=1)
"""A course that stands apart from its record for long holds by then; it is asked again in case it was not heard."""


class Apart(Head):
    """Where a course and its record stood at one look: the record's head, and number and hash that the memo knows."""

    memo: tuple[int, str]


class HeadsSweep:
    """Compares the head of each record with the memo of its execution, both ways.

    A write that is under way makes the two differ for a moment: only what is the same at two looks in a row is certain.
    """

    def __init__(
        self, engine: AsyncEngine, client: Client, wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._client = client
        self._wall_clock = wall_clock
        self._seen: dict[str, Apart] = {}
        self._asked: dict[str, datetime] = {}

    async def look(self) -> tuple[int, int]:
        """One look; how many courses run, and how many of them were asked."""
        looked, asked = 0, 0
        apart: dict[str, Apart] = {}
        async for course_id, memo in self._memos():
            looked += 1
            found = await self._apart(course_id, memo)
            if found is None:
                self._asked.pop(course_id, None)
                continue
            apart[course_id] = found
            if self._seen.get(course_id) == found and self._is_due(course_id):
                asked += await self._ask(course_id)
        self._seen = apart
        return looked, asked

    async def _memos(self) -> AsyncIterator[tuple[str, tuple[int, str]]]:
        async for execution in self._client.list_workflows(RUNNING):
            try:
                head = await head_in_memo(execution)
            except Exception as error:  # noqa: BLE001 - a memo that is spoilt takes no other course away
                log.warning("record_head_unknown", course=execution.id, error=error)
                continue
            yield execution.id, (head.number, head.sha256) if head is not None else (0, "")

    async def _apart(self, course_id: str, memo: tuple[int, str]) -> Apart | None:
        try:
            head = await head_of(self._engine, course_id)
        except ValueError as error:  # a spoilt row; the look at the record names it
            log.warning("record_head_unknown", course=course_id, error=error)
            return None
        same = (head.number, head.sha256) == memo
        return None if same else Apart(number=head.number, sha256=head.sha256, state=head.state, memo=memo)

    def _is_due(self, course_id: str) -> bool:
        last = self._asked.get(course_id)
        return last is None or self._wall_clock() - last >= AGAIN_AFTER

    async def _ask(self, course_id: str) -> bool:
        log.error("heads_apart", course=course_id)
        try:
            await self._client.get_workflow_handle(course_id).signal(COMPARE_RECORD)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has just ended
                raise
            return False
        self._asked[course_id] = self._wall_clock()
        return True
