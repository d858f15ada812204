"""Reading the record: for the command line and its pages, and for the auditor who asks whether it was changed."""

from collections import defaultdict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.assessment import CourseState, Verdict
from models.base import Frozen, Instant
from models.people import Role
from models.pins import ProtocolPin
from models.record import GENESIS_SHA256, RecordEntry
from models.tables import CourseRow, DecisionRow, FactRow, WorklistItemRow
from plumbing.database import reading
from record.raw import LONGEST_OFFSET, Found, NotAsWritten, one_of, part_of, raw_rows, raw_select, read_each, row_of
from record.rows import decision_row, entry_of, fact_rows


class UnknownCourse(Exception):
    """The record holds no course of this id."""

    def __init__(self, course_id: str) -> None:
        super().__init__(f"the record holds no course {course_id}")
        self.course_id = course_id


class RecordAltered(Exception):
    """A row is not what was written: its content, its place in the chain or a column was changed, or it is gone."""

    def __init__(self, course_id: str, number: int) -> None:
        super().__init__(f"course {course_id}: decision {number} is not as it was written")
        self.course_id = course_id
        self.number = number


class CourseOnRecord(Frozen):
    """A course as of its last written decision. Its own time is the wall clock and `clock_offset_s` seconds more."""

    course_id: str
    zone: str
    invented: bool
    started_at: Instant
    started_by: str
    protocol: ProtocolPin
    state: CourseState
    verdict: Verdict
    cycle: int
    next_due_at: Instant | None
    overdue: bool
    clock_offset_s: int
    last_decision: int
    updated_at: Instant


class WorklistItem(Frozen):
    """What a person must do, and by when; `opened_by` is the decision that asked for it.

    It is overdue when the course's own time is past `overdue_at`, also while no worker is there to fire the rung.
    """

    course_id: str
    obligation: str
    title: str
    owner: Role
    rule: str
    due_at: Instant
    overdue_at: Instant | None
    standing: str
    opened_by: int
    message_sha256: str | None = None
    fact_id: str | None = None


async def courses_on_record(engine: AsyncEngine) -> Found[CourseOnRecord]:
    """All courses on record, by id, and which of them cannot be read."""
    async with AsyncSession(reading(engine)) as session:
        rows = await raw_rows(session, raw_select(CourseRow).order_by(col(CourseRow.course_id)))
        return read_each(CourseRow, rows, lambda raw: course_on_record(row_of(CourseRow, part_of(raw, CourseRow))))


async def list_courses(engine: AsyncEngine) -> list[CourseOnRecord]:
    """All courses on record that can be read, by id."""
    return (await courses_on_record(engine)).read


async def read_entries(engine: AsyncEngine, course_id: str) -> list[RecordEntry]:
    """All entries of a course in order, from what was hashed. Raises `UnknownCourse` or `RecordAltered`."""
    entries, bad = await _checked(engine, course_id)
    if bad is not None:
        raise RecordAltered(course_id, bad)
    return entries


async def verify_chain(engine: AsyncEngine, course_id: str) -> int | None:
    """The number of the first decision that is not as it was written, or `None`. Raises `UnknownCourse`.

    Looks at contents, hashes and their chain, at the columns beside them and at the facts, and for what is missing.
    The worklist and the course's row are not part of it: they are derived.
    """
    _, bad = await _checked(engine, course_id)
    return bad


async def worklist(engine: AsyncEngine, role: Role | None = None) -> list[WorklistItem]:
    """The open items that can be read, of one role or of all, first due first."""
    async with AsyncSession(reading(engine)) as session:
        found = await open_items(session)
    return [item for item in found.read if role in (None, item.owner)]


async def open_items(session: AsyncSession) -> Found[WorklistItem]:
    """All open items within what a session sees, first due first, and which of them cannot be read."""
    open_ones = col(WorklistItemRow.resolved_by).is_(None)
    columns = (WorklistItemRow.due_at, WorklistItemRow.course_id, WorklistItemRow.obligation)
    rows = await raw_rows(session, raw_select(WorklistItemRow).where(open_ones).order_by(*map(col, columns)))
    return read_each(
        WorklistItemRow,
        rows,
        lambda raw: worklist_item(row_of(WorklistItemRow, part_of(raw, WorklistItemRow))),
    )


async def _checked(engine: AsyncEngine, course_id: str) -> tuple[list[RecordEntry], int | None]:
    """The entries up to the first bad decision, and its number."""
    async with AsyncSession(reading(engine)) as session:
        course = await session.get(CourseRow, course_id)
        if course is None:
            raise UnknownCourse(course_id)
        decisions = await session.exec(
            select(DecisionRow).where(DecisionRow.course_id == course_id).order_by(col(DecisionRow.number))
        )
        rows = decisions.all()
        facts = await _facts_by_decision(session, course_id)
    entries: list[RecordEntry] = []
    for number, row in enumerate(rows, 1):
        entry = _as_written(row, facts.pop(row.number, []))
        last_sha256 = entries[-1].sha256 if entries else GENESIS_SHA256
        if entry is None or entry.number != number or entry.previous_sha256 != last_sha256:
            return entries, number
        entries.append(entry)
    if facts:
        return entries, min(facts)  # a fact that no decision brought
    return entries, None if len(entries) == course.last_decision else len(entries) + 1


async def _facts_by_decision(session: AsyncSession, course_id: str) -> dict[int, list[FactRow]]:
    rows = await session.exec(select(FactRow).where(FactRow.course_id == course_id).order_by(col(FactRow.position)))
    facts = defaultdict(list)
    for row in rows:
        facts[row.decision].append(row)
    return facts


def _as_written(row: DecisionRow, facts: list[FactRow]) -> RecordEntry | None:
    """The entry, where its content has its hash, and where the columns and the facts say what the content says."""
    entry = entry_of(row)
    if entry is None:
        return None
    written = (decision_row(entry), *fact_rows(entry))
    found = (row, *facts)
    same = [row.model_dump() for row in written] == [row.model_dump() for row in found]
    return entry if same else None


def course_on_record(row: CourseRow) -> CourseOnRecord:
    """The course of a row. Raises `NotAsWritten`."""
    return CourseOnRecord(
        course_id=row.course_id,
        zone=_known_zone(row.zone),
        invented=row.invented,
        started_at=row.started_at,
        started_by=row.started_by,
        protocol=ProtocolPin(name=row.protocol_name, sha256=row.protocol_sha256, site_sha256=row.site_sha256),
        state=one_of(CourseState, "state", row.state),
        verdict=one_of(Verdict, "verdict", row.verdict),
        cycle=row.cycle,
        next_due_at=row.next_due_at,
        overdue=row.overdue,
        clock_offset_s=_sane_offset(row.clock_offset_s),
        last_decision=row.last_decision,
        updated_at=row.updated_at,
    )


def worklist_item(row: WorklistItemRow) -> WorklistItem:
    """The item of a row. Raises `NotAsWritten`."""
    return WorklistItem(
        course_id=row.course_id,
        obligation=row.obligation,
        title=row.title,
        owner=one_of(Role, "owner", row.owner),
        rule=row.rule,
        due_at=row.due_at,
        overdue_at=row.overdue_at,
        standing=row.standing,
        opened_by=row.opened_by,
        message_sha256=row.message_sha256,
        fact_id=row.fact_id,
    )


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NotAsWritten("zone", "it is no zone that is known here") from None


def _sane_offset(seconds: int) -> int:
    if abs(seconds) > LONGEST_OFFSET.total_seconds():
        raise NotAsWritten("clock_offset_s", "it is the clock of no course")
    return seconds
