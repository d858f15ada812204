"""What the last look at each course's record found, kept so that board and worklist say it without looking again."""

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.base import canonical_json
from models.tables import RecordCheckRow
from plumbing.database import reading, writing
from record.raw import Fault, Found, Raw, part_of, raw_rows, raw_select, read_each, row_of
from record.rows import storable

MOST_TOLD = 20
"""Faults of one course that are kept; how many there are is kept too."""


async def note_checks(engine: AsyncEngine, looked: Iterable[str], faults: Iterable[Fault], at: datetime) -> None:
    """Keep what a look at these courses found; of each, what an earlier look found is replaced.

    What was found by the way, of a course that was not looked at, is kept beside what stands there.
    """
    of_course: dict[str, list[Fault]] = {course_id: [] for course_id in looked}
    whole = frozenset(of_course)
    for fault in faults:
        of_course.setdefault(fault.course_id, []).append(fault)
    async with AsyncSession(writing(engine)) as session, session.begin():
        known = col(RecordCheckRow.course_id).in_(of_course)
        there = {row.course_id: row for row in await session.exec(select(RecordCheckRow).where(known))}
        for course_id, told in of_course.items():
            row = there.get(course_id)
            if row is None:
                row = RecordCheckRow(course_id=course_id, checked_at=at, faults=0, told_json="[]")
            elif course_id in whole:
                row.checked_at = at
            else:
                told = [*_still_told(row), *told]
            told = list(dict.fromkeys(told))
            row.faults, row.told_json = len(told), canonical_json([fault.model_dump() for fault in told[:MOST_TOLD]])
            session.add(storable(row))


def _still_told(row: RecordCheckRow) -> list[Fault]:
    """What stands in a row; nothing where it cannot be read, for then its seal says so."""
    try:
        return _faults_in(row)
    except (ValueError, TypeError):
        return []


async def last_looks(engine: AsyncEngine) -> dict[str, datetime]:
    """When each course was looked at last; one whose row cannot be read was not."""
    async with AsyncSession(reading(engine)) as session:
        rows = await raw_rows(session, raw_select(RecordCheckRow))
    found = read_each(RecordCheckRow, rows, lambda raw: row_of(RecordCheckRow, part_of(raw, RecordCheckRow)))
    return {row.course_id: row.checked_at for row in found.read}


async def told_by_the_last_look(engine: AsyncEngine) -> Found[Fault]:
    """All faults that the last look found, by course."""
    bad = raw_select(RecordCheckRow).where(col(RecordCheckRow.faults) != 0)
    async with AsyncSession(reading(engine)) as session:
        found = read_each(RecordCheckRow, await raw_rows(session, bad.order_by(col(RecordCheckRow.course_id))), _told)
    return Found([fault for told in found.read for fault in told], found.unreadable)


def _told(raw: Raw) -> list[Fault]:
    return _faults_in(row_of(RecordCheckRow, part_of(raw, RecordCheckRow)))


def _faults_in(row: RecordCheckRow) -> list[Fault]:
    return [Fault.model_validate(told) for told in json.loads(row.told_json)]
