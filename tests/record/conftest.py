"""An empty record on each of the two databases; PostgreSQL is a real one, started once a session without containers."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from plumbing.database import make_engine, migrate


@pytest.fixture
async def empty_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine for a database without tables."""
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def record_engine(empty_engine: AsyncEngine) -> AsyncEngine:
    """An engine for a database at the newest version, with no rows."""
    await migrate(empty_engine)
    return empty_engine


@pytest.fixture
def record(record_engine: AsyncEngine) -> Record:
    """The record in that database."""
    return Record(record_engine)
