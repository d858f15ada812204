"""Reading the record: for the command line and its pages, and for the auditor who asks whether it was changed."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.assessment import CourseState, Verdict
from models.base import Frozen, Instant
from models.obligation_kinds import ObligationKind
from models.people import Role
from models.pins import ProtocolPin
from models.record import GENESIS_SHA256, RecordEntry
from models.tables import CourseRow, DecisionRow, FactRow, Row, WorklistItemRow
from plumbing.database import reading
from plumbing.sealing import stored_values, table_of
from record.raw import (
    LONGEST_OFFSET,
    Found,
    NotAsWritten,
    Raw,
    one_of,
    part_of,
    raw_rows,
    raw_select,
    read_each,
    row_of,
)
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
    kind: ObligationKind
    title: str
    owner: Role
    also: tuple[Role, ...] = ()
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
    return [item for item in found.read if role in (None, item.owner, *item.also)]


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
        course = await _raw_of(session, CourseRow, course_id)
        rows = await _raw_of(session, DecisionRow, course_id)
        facts = _by_decision(await _raw_of(session, FactRow, course_id))
    if not course:
        raise UnknownCourse(course_id)
    entries: list[RecordEntry] = []
    for number, raw in enumerate(rows, 1):
        entry = _as_written(raw, facts.pop(raw["number"], []))
        last_sha256 = entries[-1].sha256 if entries else GENESIS_SHA256
        if entry is None or entry.number != number or entry.previous_sha256 != last_sha256:
            return entries, number
        entries.append(entry)
    if facts:
        return entries, min((n for n in facts if isinstance(n, int)), default=len(entries) + 1)
    return entries, None if len(entries) == course[0]["last_decision"] else len(entries) + 1


async def _raw_of(session: AsyncSession, kind: type[Row], course_id: str) -> list[Raw]:
    """The rows of a course in their order, not read yet: one that was spoilt is the auditor's to name."""
    table = table_of(kind)
    rows = raw_select(kind).where(table.columns["course_id"] == course_id).order_by(*table.primary_key)
    return [part_of(raw, kind) for raw in await raw_rows(session, rows)]


def _by_decision(facts: Iterable[Raw]) -> dict[Any, list[Raw]]:
    found = defaultdict(list)
    for fact in facts:
        found[fact["decision"]].append(fact)
    return found


def _as_written(raw: Raw, facts: list[Raw]) -> RecordEntry | None:
    """The entry, where its content has its hash, and where the columns and the facts say what the content says."""
    try:
        entry = entry_of(row_of(DecisionRow, raw))
    except NotAsWritten:
        return None
    if entry is None:
        return None
    written = [stored_values(row) for row in (decision_row(entry), *fact_rows(entry))]
    found = [{**raw, "seal": None}, *facts]  # whether it was sealed is for `record/verify.py`
    return entry if written == found else None


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
        kind=one_of(ObligationKind, "kind", row.kind),
        title=row.title,
        owner=one_of(Role, "owner", row.owner),
        also=tuple(one_of(Role, "also", role) for role in row.also.split()),
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
