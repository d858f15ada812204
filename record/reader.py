"""Reading the record: for the command line and its pages, and for the auditor who asks whether it was changed."""

from collections import defaultdict

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

    `clock_offset_s` is the course's: an item is overdue when the course's own time is past `overdue_at`, also while no
    worker is there to fire the rung.
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
    clock_offset_s: int
    message_sha256: str | None = None
    fact_id: str | None = None


async def list_courses(engine: AsyncEngine) -> list[CourseOnRecord]:
    """All courses on record, by id."""
    async with AsyncSession(reading(engine)) as session:
        return [
            course_on_record(row) for row in await session.exec(select(CourseRow).order_by(col(CourseRow.course_id)))
        ]


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
    """The open items, of one role or of all, first due first."""
    async with AsyncSession(reading(engine)) as session:
        return await open_items(session, role)


async def open_items(session: AsyncSession, role: Role | None = None) -> list[WorklistItem]:
    """The same, within what a session sees."""
    rows = select(WorklistItemRow, CourseRow).where(
        col(WorklistItemRow.course_id) == col(CourseRow.course_id), col(WorklistItemRow.resolved_by).is_(None)
    )
    if role is not None:
        rows = rows.where(col(WorklistItemRow.owner) == str(role))
    columns = (WorklistItemRow.due_at, WorklistItemRow.course_id, WorklistItemRow.obligation)
    return [worklist_item(item, course) for item, course in await session.exec(rows.order_by(*map(col, columns)))]


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
    """The course of a row."""
    return CourseOnRecord(
        course_id=row.course_id,
        zone=row.zone,
        invented=row.invented,
        started_at=row.started_at,
        started_by=row.started_by,
        protocol=ProtocolPin(name=row.protocol_name, sha256=row.protocol_sha256, site_sha256=row.site_sha256),
        state=CourseState(row.state),
        verdict=Verdict(row.verdict),
        cycle=row.cycle,
        next_due_at=row.next_due_at,
        overdue=row.overdue,
        clock_offset_s=row.clock_offset_s,
        last_decision=row.last_decision,
        updated_at=row.updated_at,
    )


def worklist_item(row: WorklistItemRow, course: CourseRow) -> WorklistItem:
    """The item of a row, on the clock of its course."""
    return WorklistItem(
        course_id=row.course_id,
        obligation=row.obligation,
        title=row.title,
        owner=Role(row.owner),
        rule=row.rule,
        due_at=row.due_at,
        overdue_at=row.overdue_at,
        standing=row.standing,
        opened_by=row.opened_by,
        clock_offset_s=course.clock_offset_s,
        message_sha256=row.message_sha256,
        fact_id=row.fact_id,
    )
