"""The starts of courses, reserved in the record before Temporal is asked: an id once given stays this patient's.

A course whose execution is gone before its first decision was written is known from here, and from nowhere else.
"""

from datetime import datetime
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from models.chart import Course
from models.tables import CourseRow, CourseStartRow
from plumbing.database import writing
from record.rows import storable

MADE, THERE_BEFORE = "made", "there before"


class IdTaken(Exception):
    """The id belongs to another course, or to this one after its first decision; the text names no patient."""

    def __init__(self, course_id: str, why: str) -> None:
        super().__init__(f"{course_id} {why}; take another id")
        self.course_id = course_id


async def reserve(engine: AsyncEngine, course: Course, at: datetime) -> str:
    """Give this id to this patient. Returns `MADE`, or `THERE_BEFORE` where an earlier start did and nothing followed.

    Raises `IdTaken`.
    """
    try:
        return await _reserve(engine, course, at)
    except IntegrityError:  # another door was first by a moment
        return await _reserve(engine, course, at)


async def release(engine: AsyncEngine, course: Course) -> None:
    """Take a reservation back that was made for nothing: the id belongs to an execution that is there already."""
    async with AsyncSession(writing(engine)) as session, session.begin():
        row = await session.get(CourseStartRow, course.course_id)
        if row is not None and row.subject_hash == course.subject_hash:
            await session.delete(row)


_ON_RECORD: Final = "stands in the record already"
_ANOTHERS: Final = "was given to another patient, or under another subject key"


async def _reserve(engine: AsyncEngine, course: Course, at: datetime) -> str:
    async with AsyncSession(writing(engine)) as session, session.begin():
        if await session.get(CourseRow, course.course_id) is not None:
            raise IdTaken(course.course_id, _ON_RECORD)
        there = await session.get(CourseStartRow, course.course_id)
        if there is None:
            session.add(_row_of(course, at))
            return MADE
        if there.subject_hash != course.subject_hash:
            raise IdTaken(course.course_id, _ANOTHERS)
        return THERE_BEFORE


def _row_of(course: Course, at: datetime) -> CourseStartRow:
    return storable(
        CourseStartRow(
            course_id=course.course_id,
            subject_hash=course.subject_hash,
            zone=course.zone,
            invented=course.invented,
            reserved_at=at,
            reserved_by=str(course.started_by),
        )
    )
