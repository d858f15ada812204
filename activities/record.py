"""Writing the record: a course's decisions in order, each once, all of a batch or none (design §4, §8).

Whatever does not fit is refused with a stable type, and is not tried again at once: the course is held (REC-02), the
entries wait in it, and people look. How values become rows is in `record.rows`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, assert_never

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.stubs import HEAD_OF_RECORD, TAKE_OVER, WRITE_RECORD
from clinical.due import FURTHER_UNREADABLE, UNREADABLE
from clinical.unread import SHOWN
from models.assessment import Obligation
from models.carried import Carried, TakenOver
from models.deciding import Head
from models.facts import Fact, ObligationMet, RungFired, UnreadableMessage, UnreadableResolved
from models.people import Role
from models.record import GENESIS_SHA256, RecordBatch, RecordEntry, RefusedMessage
from models.tables import CourseRow, DecisionRow, RawMessageRow, WorklistItemRow
from plumbing.database import RecordExchanged, writing
from plumbing.logging import get_logger
from record.head import head_of
from record.reader import read_entries
from record.rows import (
    advance,
    course_row,
    decision_row,
    fact_rows,
    is_sound,
    message_refused_rows,
    raw_message_rows,
    storable,
    storable_text,
)
from record.take_over import grown_together, take_over
from record.unreadable import tried

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
    """

    def __init__(self, engine: AsyncEngine, wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = writing(engine)
        self._wall_clock = wall_clock

    @activity.defn(name=WRITE_RECORD)
    async def write_record(self, batch: RecordBatch) -> None:
        """Write the entries in order with their facts and worklist items: all or none, each once.

        An entry that is there already is an earlier attempt's. Raises a `RecordRefused`, or an `ApplicationError` of
        type `RecordExchanged` where the database is not the one that was opened: nothing is written into that one.
        """
        try:
            async with AsyncSession(self._engine) as session, session.begin():
                for entry in batch.entries:
                    await self._write(session, entry)
        except RecordRefused as refused:
            _report(refused)
            raise
        except RecordExchanged as exchanged:
            log.error("record_exchanged", reason=str(exchanged), count=len(batch.entries))
            raise ApplicationError(str(exchanged), type=type(exchanged).__name__) from None

    @activity.defn(name=HEAD_OF_RECORD)
    async def head_of_record(self, course_id: str) -> Head:
        """The last decision that the record holds of this course (REC-02)."""
        return await head_of(self._engine, course_id)

    @activity.defn(name=TAKE_OVER)
    async def take_over(self, own: Carried) -> TakenOver:
        """The course as its record has it, with what only the execution knows. Raises where the record cannot be read."""
        entries = await read_entries(self._engine, own.course.course_id)
        return TakenOver(carried=grown_together(own, take_over(entries)), phase=entries[-1].recorded.phase)

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
        await _keep_rows(session, entry)
        await _keep_worklist(session, entry)
        advance(course, entry)
        course.clock_offset_s = self._clock_offset_s(course, entry)

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


async def _keep_rows(session: AsyncSession, entry: RecordEntry) -> None:
    session.add(decision_row(entry))
    session.add_all(fact_rows(entry))
    session.add_all(message_refused_rows(entry))
    for raw in raw_message_rows(entry):
        if await session.get(RawMessageRow, (raw.course_id, raw.sha256)) is None:
            session.add(raw)
        else:
            await tried(session, raw.course_id, raw.sha256, entry.tried_with)
    for sha256 in entry.recorded.tried_again:
        await tried(session, entry.course_id, sha256, entry.tried_with)


# ── the worklist ───────────────────────────────────────────────────────────────────────────────────────────────────


async def _keep_worklist(session: AsyncSession, entry: RecordEntry) -> None:
    for fact in entry.facts:
        what = fact.what
        match what:
            case RungFired():
                await _raise_item(session, entry, what)
            case ObligationMet():
                await _settle_item(session, entry, what)
            case UnreadableMessage() if not _is_one_of_many(entry, what):
                await _open(session, _unreadable_item(entry, fact, what))
            case UnreadableResolved():
                await _resolve_messages(session, entry, what)
            case _:
                pass
    for refused in entry.refused_messages:
        await _open(session, _refused_item(entry, refused))


async def _raise_item(session: AsyncSession, entry: RecordEntry, fired: RungFired) -> None:
    """Open the item of an obligation, or raise it to the rung that fired; never lower it while it is open."""
    item = await _open(session, _obligation_item(entry, fired))
    if fired.rung == "overdue":
        item.standing = fired.rung


async def _settle_item(session: AsyncSession, entry: RecordEntry, met: ObligationMet) -> None:
    item = await session.get(WorklistItemRow, (entry.course_id, met.obligation, met.due_at))
    if item is None or item.resolved_by is not None:
        return
    match met.how:
        case "met" | "withdrawn":
            item.resolved_by, item.resolved_how = entry.number, met.how
        case "closed_as_overdue":
            item.standing = met.how  # MON-17: monitoring ends, and the item stays with its owner
        case _:
            assert_never(met.how)


async def _resolve_messages(session: AsyncSession, entry: RecordEntry, resolved: UnreadableResolved) -> None:
    """Resolve the items of a message: all that came with this content, or the one that made this fact."""
    target = storable_text(resolved.target)
    named = or_(col(WorklistItemRow.message_sha256) == target, col(WorklistItemRow.fact_id) == target)
    waiting = select(WorklistItemRow).where(
        col(WorklistItemRow.course_id) == entry.course_id, col(WorklistItemRow.resolved_by).is_(None), named
    )
    for item in await session.exec(waiting):
        item.resolved_by, item.resolved_how = entry.number, resolved.outcome


async def _open(session: AsyncSession, item: WorklistItemRow) -> WorklistItemRow:
    """The open item of this obligation and due time: the one that is there, or else this one.

    It takes the place of a resolved one: the result that met an obligation may have been retracted.
    """
    there = await session.get(WorklistItemRow, (item.course_id, item.obligation, item.due_at))
    if there is not None and there.resolved_by is None:
        return there
    return await session.merge(item)


def _obligation_item(entry: RecordEntry, fired: RungFired) -> WorklistItemRow:
    known = next((o for o in entry.assessment.obligations if o.key == fired.obligation), None)
    return storable(
        WorklistItemRow(
            course_id=entry.course_id,
            obligation=fired.obligation,
            due_at=fired.due_at,
            standing=fired.rung,
            opened_by=entry.number,
            **_words(known, fired),
        )
    )


def _words(known: Obligation | None, fired: RungFired) -> dict[str, Any]:
    if known is None:  # a rung that fired for what is gone by now: a person must still see it
        return {"title": fired.obligation, "owner": str(Role.COORDINATOR), "rule": "", "overdue_at": None}
    overdue_at = known.overdue_at if known.due_at == fired.due_at else None
    return {"title": known.title, "owner": str(known.owner), "rule": known.rule, "overdue_at": overdue_at}


def _is_one_of_many(entry: RecordEntry, unreadable: UnreadableMessage) -> bool:
    """Whether the assessment sums it up with others: one item stands for all of those, that of their obligation."""
    keys = {o.key for o in entry.assessment.obligations}
    return FURTHER_UNREADABLE in keys and f"{UNREADABLE}-{unreadable.sha256[:SHOWN]}" not in keys


def _unreadable_item(entry: RecordEntry, fact: Fact, unreadable: UnreadableMessage) -> WorklistItemRow:
    return storable(
        WorklistItemRow(
            course_id=entry.course_id,
            obligation=f"unreadable_message:{fact.id}",
            due_at=entry.at,
            title="a message could not be read: transcribe or dismiss it",
            owner=str(Role.PHYSICIAN),
            rule="LAB-05",
            standing="due",
            message_sha256=unreadable.sha256,
            fact_id=fact.id,
            opened_by=entry.number,
        )
    )


def _refused_item(entry: RecordEntry, refused: RefusedMessage) -> WorklistItemRow:
    return storable(
        WorklistItemRow(
            course_id=entry.course_id,
            obligation=f"message_refused:{refused.sha256}",
            due_at=entry.at,
            title=f"a message was not taken into the chart ({refused.type}): find out why",
            owner=str(Role.COORDINATOR),
            rule="",
            standing="due",
            message_sha256=refused.sha256,
            opened_by=entry.number,
        )
    )
