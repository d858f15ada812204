"""Reading the whole ward from the record: every course with its last decision and open items, and what waits in the inbox."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import and_, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.assessment import Assessment
from models.housekeeping import COURSES_WATCHED
from models.tables import CourseRow, DecisionRow
from plumbing.database import reading
from record.calls import TRIED_FOR, unreached
from record.inbox import waiting
from record.reader import course_on_record, open_items
from record.rows import entry_of
from record.sweeps import last_done
from record.ward import CourseInWard, Ward
from record.watch import unwatched


async def read_ward(engine: AsyncEngine, wall: datetime) -> Ward:
    """All courses by id. `wall` is the wall clock at which they are read; nobody but the database is asked."""
    async with AsyncSession(reading(engine)) as session:
        newest = and_(
            col(DecisionRow.course_id) == col(CourseRow.course_id),
            col(DecisionRow.number) == col(CourseRow.last_decision),
        )
        courses = select(CourseRow, DecisionRow).join(DecisionRow, newest, isouter=True)
        found = (await session.exec(courses.order_by(col(CourseRow.course_id)))).all()
        items = defaultdict(list)
        for item in await open_items(session):
            items[item.course_id].append(item)
    nobodys = {one.course_id: one for one in await unwatched(engine, wall)}
    return Ward(
        read_at=wall,
        inbox=tuple(await waiting(engine)),
        courses=tuple(
            CourseInWard(
                course=course_on_record(course),
                assessment=_assessment(last),
                items=tuple(items[course.course_id]),
                unwatched=nobodys.get(course.course_id),
            )
            for course, last in found
        ),
        unwatched=tuple(nobodys.values()),
        swept_at=await last_done(engine, COURSES_WATCHED),
        unreached=tuple(await unreached(engine, wall - TRIED_FOR)),
    )


def _assessment(row: DecisionRow | None) -> Assessment | None:
    """What was decided last; `None` where its content is gone or is not what was hashed."""
    entry = entry_of(row) if row is not None else None
    return entry.assessment if entry else None
