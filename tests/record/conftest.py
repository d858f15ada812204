"""An empty record on each of the two databases; PostgreSQL is a real one, started once a session without containers."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from plumbing.database import make_engine, make_private_file, of_installation
from plumbing.installation import write_installation
from plumbing.keys import TEST_RECORD_KEY
from plumbing.sealing import sealing
from plumbing.settings import Mode


@pytest.fixture
async def empty_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine for a database without tables."""
    engine = make_engine(database_url)
    make_private_file(engine.url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def record_engine(empty_engine: AsyncEngine) -> AsyncEngine:
    """An engine for a record with no course, bound to its installation."""
    installation = await write_installation(empty_engine, Mode.DEMO, TEST_RECORD_KEY)
    return sealing(of_installation(empty_engine, installation.id), TEST_RECORD_KEY)


@pytest.fixture
def record(record_engine: AsyncEngine) -> Record:
    """The record in that database."""
    return Record(record_engine)
