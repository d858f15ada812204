"""When each sweep of housekeeping was done last."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from models.housekeeping import SweepResult
from models.tables import SweepRow
from plumbing.database import reading, writing


async def last_done(engine: AsyncEngine, name: str) -> datetime | None:
    """By the wall clock; `None` where it was never done."""
    async with AsyncSession(reading(engine)) as session:
        row = await session.get(SweepRow, name)
        return row.done_at if row else None


async def note_done(engine: AsyncEngine, result: SweepResult, at: datetime) -> None:
    """Keep that a sweep was done."""
    async with AsyncSession(writing(engine)) as session, session.begin():
        await session.merge(SweepRow(name=result.name, done_at=at, looked=result.looked, found=result.found))
