"""Writing the record: a course's decisions in order, each once, all of a batch or none (design §4, §8).

Whatever does not fit is refused with a stable type, and is not tried again at once: the course is held (REC-02), the
entries wait in it, and people look. How values become rows is in `record.rows`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.stubs import HEAD_OF_RECORD, TAKE_OVER, WRITE_RECORD
from models.carried import Carried, TakenOver
from models.deciding import Head
from models.phase import ENDED
from models.record import GENESIS_SHA256, RecordBatch, RecordEntry
from models.tables import CourseRow, DecisionRow, RawMessageRow, WorklistItemRow
from plumbing.database import RecordExchanged, writing
from plumbing.logging import get_logger
from plumbing.sealing import key_of
from record import worklist
from record.anchors import AnchorFile, write_down
from record.head import head_of
from record.reader import RecordAltered, UnknownCourse, read_entries
from record.rows import (
    advance,
    course_row,
    decision_row,
    decision_seal,
    fact_rows,
    is_sound,
    message_refused_rows,
    raw_message_rows,
)
from record.take_over import grown_together
from record.unreadable import tried
from record.verify import CourseHead, verify_course

log = get_logger()

_SAME_CLOCK: Final = timedelta(seconds=5)
"""Below this, a course's time and the wall clock differ by the way of a message, not by skipped time."""


class RecordRefused(ApplicationError):
    """The record does not take an entry. Its text names course and decision only, never what they hold."""

    def __init__(self, entry: RecordEntry, why: str) -> None:
        words = f"course {entry.course_id}, decision {entry.number}: {why}"
        # The same entry would be refused again at once: the course is held (REC-02), and tries again after a while.
        super().__init__(words, type=type(self).__name__, non_retryable=True)
        self.course_id = entry.course_id
        self.number = entry.number


class RecordConflict(RecordRefused):
    """The record holds another entry under this number. An alarm: one of the two is false."""


class RecordGap(RecordRefused):
    """A decision or a fact before this entry is not in the record."""


class RecordChainBroken(RecordRefused):
    """The entry does not follow the one that the record holds last."""


class RecordHashMismatch(RecordRefused):
    """The entry's hash is not that of its content."""


class RecordStartMissing(RecordRefused):
    """A course's first entry does not say how the course started."""


class Record:
    """The record of all courses in one database.

    `wall_clock` is the time outside, against which the time of an invented course is measured; it is never clinical.
    In `anchors` the head of a course is written down when its execution ends, and with it the memo that held it.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        anchors: AnchorFile | None = None,
    ) -> None:
        self._engine = engine
        self._anchors = anchors
        self._key = key_of(engine)
        self._wall_clock = wall_clock

    @activity.defn(name=WRITE_RECORD)
    async def write_record(self, batch: RecordBatch) -> None:
        """Write the entries in order with their facts and worklist items: all or none, each once.

        An entry that is there already is an earlier attempt's. Raises a `RecordRefused`, or an `ApplicationError` of
        type `RecordExchanged` where the database is not the one that was opened, `RecordSpoilt` where a row of the course
        cannot be read: then nothing is written.
        """
        try:
            async with AsyncSession(writing(self._engine)) as session, session.begin():
                for entry in batch.entries:
                    await self._write(session, entry)
        except RecordRefused as refused:
            _report(refused)
            raise
        except RecordExchanged as exchanged:
            log.error("record_exchanged", count=len(batch.entries))
            raise ApplicationError(str(exchanged), type=type(exchanged).__name__) from None
        except ValueError as error:  # a row of the course was changed so that it is no row of ours any more
            course_id = batch.entries[0].course_id
            log.error("record_spoilt", course=course_id, error=error)
            raise ApplicationError(f"course {course_id}: its record cannot be read", type="RecordSpoilt") from None
        await self._anchor(batch)

    async def _anchor(self, batch: RecordBatch) -> None:
        """Write the last head of a course down. Where that fails the batch is tried again: its rows are there by then."""
        last = batch.entries[-1] if batch.entries else None
        if self._anchors is None or last is None or last.recorded.phase.kind != ENDED:
            return
        head = CourseHead(course_id=last.course_id, number=last.number, sha256=last.sha256)
        try:
            await write_down(self._engine, self._anchors, [head], self._wall_clock())
        except OSError as error:
            log.error("head_not_written_down", course=last.course_id, error=error)
            raise ApplicationError(
                f"course {last.course_id}: its head cannot be written down", type="AnchorNotWritten"
            ) from None

    @activity.defn(name=HEAD_OF_RECORD)
    async def head_of_record(self, course_id: str) -> Head:
        """The last decision that the record holds of this course (REC-02)."""
        return await head_of(self._engine, course_id)

    @activity.defn(name=TAKE_OVER)
    async def take_over(self, own: Carried) -> TakenOver:
        """The course as its record has it, with what only the execution knows. Raises where the record was changed.

        Two people let a course go on from its record: what somebody without the record key wrote must not become its past.
        """
        if self._key is not None and (faults := await verify_course(self._engine, self._key, own.course.course_id)):
            log.error("record_altered", course=own.course.course_id, count=len(faults), code=faults[0].table)
            raise _not_gone_on_from(own, "was changed", "RecordAltered")
        try:
            entries = await read_entries(self._engine, own.course.course_id)
            return TakenOver(carried=grown_together(own, entries), phase=entries[-1].recorded.phase)
        except (
            ValueError,
            UnknownCourse,
            RecordAltered,
        ) as error:  # no start, or a row that is no row of ours any more
            log.error("record_spoilt", course=own.course.course_id, error=error)
            raise _not_gone_on_from(own, "cannot be read", "RecordSpoilt") from None

    async def _write(self, session: AsyncSession, entry: RecordEntry) -> None:
        if not is_sound(entry):
            raise RecordHashMismatch(entry, "the hash is not that of the content")
        # Two attempts at once: the later one waits here, then finds the rows. Where there is no course yet, it fails
        # on the first row instead and is retried.
        course = await session.get(CourseRow, entry.course_id, with_for_update=True)
        if course is None:
            course = _opened(entry)
            session.add(course)
            await session.flush()  # all else refers to it
        elif await _is_written(session, entry):
            return
        await _must_follow(session, course, entry)
        await self._keep_rows(session, entry)
        await _keep_worklist(session, entry)
        advance(course, entry)
        course.clock_offset_s = self._clock_offset_s(course, entry)

    async def _keep_rows(self, session: AsyncSession, entry: RecordEntry) -> None:
        row = decision_row(entry)
        row.seal = await self._seal(session, entry)
        session.add(row)
        session.add_all(fact_rows(entry))
        session.add_all(message_refused_rows(entry))
        for raw in raw_message_rows(entry):
            if await session.get(RawMessageRow, (raw.course_id, raw.sha256)) is None:
                session.add(raw)
            else:
                await tried(session, raw.course_id, raw.sha256, entry.tried_with)
        for sha256 in entry.recorded.tried_again:
            await tried(session, entry.course_id, sha256, entry.tried_with)

    async def _seal(self, session: AsyncSession, entry: RecordEntry) -> str | None:
        """The seal of a decision, over its place, its hash and the seal before: who can hash still cannot make it."""
        if self._key is None:
            return None
        last = await session.get(DecisionRow, (entry.course_id, entry.number - 1))
        return decision_seal(self._key, entry.course_id, entry.number, entry.sha256, last.seal if last else None)

    def _clock_offset_s(self, course: CourseRow, entry: RecordEntry) -> int:
        """How far an invented course's skipped time is ahead of the wall clock.

        Never for a real patient and never backwards: an entry that is written late looks old, and with a clock set
        back a board would show as not yet due what is overdue.
        """
        ahead = entry.at - self._wall_clock()
        return round(ahead.total_seconds()) if course.invented and ahead >= _SAME_CLOCK else 0


def _report(refused: RecordRefused) -> None:
    if isinstance(refused, RecordConflict):
        log.error("record_conflict", course=refused.course_id, decision=refused.number)
    else:
        log.error("record_refused", course=refused.course_id, decision=refused.number, code=refused.type)


def _not_gone_on_from(own: Carried, why: str, kind: str) -> ApplicationError:
    """Two people settled a difference by a record that it cannot be settled by: trying again at once changes nothing."""
    return ApplicationError(f"course {own.course.course_id}: its record {why}", type=kind, non_retryable=True)


def _opened(first: RecordEntry) -> CourseRow:
    if first.number != 1:
        raise RecordGap(first, "the record does not know this course")
    if first.start is None or first.start.course_id != first.course_id:
        raise RecordStartMissing(first, "the first entry does not say how this course started")
    return course_row(first.start, first)


async def _is_written(session: AsyncSession, entry: RecordEntry) -> bool:
    row = await session.get(DecisionRow, (entry.course_id, entry.number))
    if row is not None and row.sha256 != entry.sha256:
        raise RecordConflict(entry, "the record holds another entry under this number")
    return row is not None


async def _must_follow(session: AsyncSession, course: CourseRow, entry: RecordEntry) -> None:
    if entry.number != course.last_decision + 1:
        raise RecordGap(entry, f"the last decision in the record is {course.last_decision}")
    last = await session.get(DecisionRow, (entry.course_id, course.last_decision))
    if entry.previous_sha256 != (last.sha256 if last else GENESIS_SHA256):
        raise RecordChainBroken(entry, "it does not follow the last decision in the record")
    if entry.first_fact_index != course.facts:
        raise RecordGap(entry, f"its facts begin at {entry.first_fact_index}, and the record holds {course.facts}")


async def _keep_worklist(session: AsyncSession, entry: RecordEntry) -> None:
    if not worklist.concerns_the_worklist(entry):
        return
    mine = select(WorklistItemRow).where(col(WorklistItemRow.course_id) == entry.course_id)
    items = worklist.items_of(await session.exec(mine))
    worklist.keep(items, entry)
    session.add_all(items.values())
