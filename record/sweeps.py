"""When each sweep of housekeeping was done last."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.housekeeping import SweepResult
from models.tables import SweepRow
from plumbing.database import reading, writing
from record.raw import Found, part_of, raw_rows, raw_select, read_each, row_of


async def last_done(engine: AsyncEngine, name: str) -> datetime | None:
    """By the wall clock; `None` where it was never done, or where the row that says so cannot be read."""
    return next(iter((await done_rows(engine, name)).read), None)


async def done_rows(engine: AsyncEngine, name: str) -> Found[datetime]:
    """The same, one time at most, with the row that cannot be read."""
    async with AsyncSession(reading(engine)) as session:
        rows = await raw_rows(session, raw_select(SweepRow).where(col(SweepRow.name) == name))
    return read_each(SweepRow, rows, lambda raw: row_of(SweepRow, part_of(raw, SweepRow)).done_at)


async def note_done(engine: AsyncEngine, result: SweepResult, at: datetime) -> None:
    """Keep that a sweep was done."""
    async with AsyncSession(writing(engine)) as session, session.begin():
        await session.merge(SweepRow(name=result.name, done_at=at, looked=result.looked, found=result.found))
