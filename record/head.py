"""The head of a course's record: the last decision that it holds (REC-02)."""

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.deciding import Head
from models.tables import DecisionRow
from plumbing.database import reading


async def head_of(engine: AsyncEngine, course_id: str) -> Head:
    """Number, hash and state of the last decision on record; number 0 where it holds none of this course."""
    newest = select(DecisionRow.number, DecisionRow.sha256, DecisionRow.state).where(DecisionRow.course_id == course_id)
    async with AsyncSession(reading(engine)) as session:
        found = (await session.exec(newest.order_by(col(DecisionRow.number).desc()).limit(1))).first()
    return Head(number=0) if found is None else Head(number=found[0], sha256=found[1], state=found[2])
