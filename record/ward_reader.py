"""Reading the whole ward from the record: every course with its last decision and open items, and what waits in the inbox.

Each row is read for itself. A course of which one cannot be read stands first, with what is wrong; all others are whole.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import and_, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.assessment import OVER, Assessment
from models.housekeeping import COURSES_WATCHED
from models.tables import (
    CourseRow,
    DecisionRow,
    FactRow,
    InboxRow,
    NotificationRow,
    RecordCheckRow,
    SweepRow,
    WatchRow,
    WorklistItemRow,
)
from plumbing.database import reading
from record.calls import TRIED_FOR, unreached_rows
from record.checks import told_by_the_last_look
from record.inbox import waiting
from record.raw import (
    CannotBeRead,
    Found,
    NotAsWritten,
    Raw,
    is_instant,
    part_of,
    raw_rows,
    raw_select,
    read_each,
    row_of,
    text_of,
    unless_damaged,
)
from record.reader import CourseOnRecord, WorklistItem, course_on_record, open_items
from record.rows import entry_of, standing
from record.sweeps import done_rows
from record.ward import CourseInWard, Ward
from record.watch import unwatched_rows


async def read_ward(engine: AsyncEngine, wall: datetime) -> Ward:
    """All courses by id. `wall` is the wall clock at which they are read; nobody but the database is asked."""
    async with AsyncSession(reading(engine)) as session:
        courses = await _courses(session)
        items = await unless_damaged(WorklistItemRow, open_items(session))
        going_on = [row for row, _, _ in courses.read if row.state not in OVER]
        facts = await unless_damaged(FactRow, _facts(session, going_on))
    documents = await unless_damaged(InboxRow, waiting(engine))
    nobodys = await unless_damaged(WatchRow, unwatched_rows(engine, wall))
    looked = await unless_damaged(RecordCheckRow, told_by_the_last_look(engine))
    swept = await unless_damaged(SweepRow, done_rows(engine, COURSES_WATCHED))
    unheard = await unless_damaged(NotificationRow, unreached_rows(engine, wall - TRIED_FOR))
    watch, of_course = {one.course_id: one for one in nobodys.read}, _by_course(items.read)
    known = {row.course_id for row, _, _ in courses.read} | {found.course_id for found in courses.unreadable}
    return Ward(
        read_at=wall,
        courses=tuple(
            CourseInWard(
                course=course,
                assessment=assessment,
                items=tuple(of_course[course.course_id]),
                unwatched=watch.get(course.course_id),
            )
            for _, course, assessment in courses.read
        ),
        unreadable=(
            *courses.unreadable,
            *items.unreadable,
            *facts.unreadable,
            *(_of_nobody(item) for item in items.read if item.course_id not in known),
            *documents.unreadable,
            *nobodys.unreadable,
            *swept.unreadable,
            *unheard.unreadable,
            *looked.read,
            *looked.unreadable,
        ),
        inbox=tuple(documents.read),
        unwatched=tuple(watch.values()),
        swept_at=next(iter(swept.read), None),
        unreached=tuple(unheard.read),
    )


def _by_course(items: Sequence[WorklistItem]) -> dict[str, list[WorklistItem]]:
    found = defaultdict(list)
    for item in items:
        found[item.course_id].append(item)
    return found


def _of_nobody(item: WorklistItem) -> CannotBeRead:
    table, words = WorklistItemRow.__tablename__, "its course is not on record"
    return CannotBeRead(course_id=item.course_id, table=table, row=item.obligation, column="course_id", words=words)


# ── courses with their last decision ───────────────────────────────────────────────────────────────────────────────


async def _courses(session: AsyncSession) -> Found[tuple[CourseRow, CourseOnRecord, Assessment]]:
    newest = and_(
        col(DecisionRow.course_id) == col(CourseRow.course_id),
        col(DecisionRow.number) == col(CourseRow.last_decision),
    )
    both = raw_select(CourseRow, DecisionRow).select_from(CourseRow).join(DecisionRow, newest, isouter=True)
    both = both.order_by(col(CourseRow.course_id))

    async def read(*of_course: Any) -> Found[tuple[CourseRow, CourseOnRecord, Assessment]]:
        return read_each(CourseRow, await raw_rows(session, both.where(*of_course)), _course)

    whole = await unless_damaged(DecisionRow, read())
    if whole.read or not whole.unreadable:
        return whole
    return await _courses_one_by_one(session, read) or whole


async def _courses_one_by_one(
    session: AsyncSession, read: Callable[..., Awaitable[Found[Any]]]
) -> Found[tuple[CourseRow, CourseOnRecord, Assessment]] | None:
    """Each course by itself, where the file is damaged; nothing where not even their ids can be had."""

    async def ids() -> Found[Any]:
        rows = await raw_rows(session, select(col(CourseRow.course_id)).order_by(col(CourseRow.course_id)))
        return Found([row["course_id"] for row in rows], [])

    known = await unless_damaged(CourseRow, ids())
    if known.unreadable:
        return None
    found: Found[tuple[CourseRow, CourseOnRecord, Assessment]] = Found([], [])
    for course_id in known.read:
        one = await unless_damaged(DecisionRow, read(col(CourseRow.course_id) == course_id), text_of(course_id))
        found.read.extend(one.read)
        found.unreadable.extend(one.unreadable)
    return found


def _course(raw: Raw) -> tuple[CourseRow, CourseOnRecord, Assessment]:
    row = row_of(CourseRow, part_of(raw, CourseRow))
    return row, course_on_record(row), _last_decision(row, part_of(raw, DecisionRow))


def _last_decision(course: CourseRow, raw: Raw) -> Assessment:
    """What was decided last, where it is as it was hashed, and the course's row says the same."""
    where = DecisionRow.__tablename__, str(course.last_decision)
    if raw["number"] is None:
        raise NotAsWritten("", "it is missing", *where)
    entry = entry_of(row_of(DecisionRow, raw))
    if entry is None:
        raise NotAsWritten("content", "it is not what was hashed", *where)
    for column, value in standing(entry).items():
        if getattr(course, column) != value:
            raise NotAsWritten(column, "it is not what the last decision says")
    return entry.assessment


# ── facts: nothing is shown of them, but a course with a spoilt one says so ────────────────────────────────────────


async def _facts(session: AsyncSession, open_courses: Iterable[CourseRow]) -> Found[None]:
    ended = select(CourseRow.course_id).where(col(CourseRow.state).in_(OVER))
    rows = raw_select(FactRow).where(col(FactRow.course_id).not_in(ended))
    found: Counter[Any] = Counter()
    doubtful: list[Raw] = []
    # Thousands of rows for every look at the board: a row of our own making is known at a glance, the others are read.
    for row in await (await session.connection()).execute(rows):
        if _is_plainly_whole(row):
            found[row[0]] += 1
        else:
            doubtful.append(dict(row._mapping))
    facts = read_each(FactRow, doubtful, _fact)
    found.update(facts.read)
    missing = [_facts_missing(c, found[c.course_id]) for c in open_courses if found[c.course_id] != c.facts]
    spoilt = {fact.course_id for fact in facts.unreadable}
    return Found([], [*facts.unreadable, *(course for course in missing if course.course_id not in spoilt)])


def _is_plainly_whole(row: Sequence[Any]) -> bool:
    """Whether a fact can be read without further doubt; the columns are in the order of its table."""
    course_id, position, decision, fact_id, kind, at, recorded_at, by, message, body = row
    words = (course_id, fact_id, kind, by, message)
    if not all(isinstance(word, str) and word.isprintable() for word in words):
        return False
    if not (type(position) is type(decision) is int and is_instant(at) and is_instant(recorded_at)):
        return False
    try:
        return bool(json.loads(body)["kind"] == kind and body.isprintable())
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _facts_missing(course: CourseRow, found: int) -> CannotBeRead:
    words = f"{found} rows, and the course says {course.facts}"
    return CannotBeRead(course_id=course.course_id, table=str(FactRow.__tablename__), row="", words=words)


def _fact(raw: Raw) -> str:
    """The course of a fact that can be read."""
    row = row_of(FactRow, part_of(raw, FactRow))
    body: Any = json.loads(row.body_json)
    if body["kind"] != row.kind:
        raise NotAsWritten("kind", "it is not that of the fact")
    return row.course_id
