"""The database of the record: its engine, its schema, and the mode that it was laid out for.

What belongs here: how to reach and prepare a database. What is written into it is the business of `activities`.
"""

from pathlib import Path
from typing import Any, Final

# A driver that is first imported inside an activity, while the workflow sandbox is active, takes the whole worker down
# with a segmentation fault (asyncpg is a C extension). So whoever makes an engine has loaded both by then.
import aiosqlite
import asyncpg  # type: ignore[import-untyped]
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from models.tables import InstallationRow
from plumbing.settings import ROOT, Mode

MIGRATIONS: Final = ROOT / "migrations"

_DRIVERS: Final = {
    "sqlite": f"sqlite+{aiosqlite.__name__}",
    "postgresql": f"postgresql+{asyncpg.__name__}",
}
_BUSY_MS: Final = 30_000
_WRITES: Final = "inocycle_writes"
_MIGRATION_LOCK: Final = 0x1_0C1C1E  # any number that no other program takes on this database


class DatabaseRefused(Exception):
    """The record cannot live at this address. The message does not repeat it: it may hold a password."""


class ModeMismatch(Exception):
    """The database was laid out for the other mode: invented patients and real ones never share one (design §3)."""

    def __init__(self, found: str, wanted: Mode) -> None:
        super().__init__(
            f"This database belongs to mode {found}, and these settings say {wanted}."
            " Set INOCYCLE_MODE or INOCYCLE_DATABASE_URL so that they agree; a database never changes its mode."
        )
        self.found = found
        self.wanted = wanted


def make_engine(url: str) -> AsyncEngine:
    """An engine for an address of SQLite (`sqlite:///path`) or PostgreSQL (`postgresql://user:password@host/name`).

    It connects when it is first used; the folder of an SQLite file is made here. Errors of the engine show no
    parameters, because those are facts of patients. Raises `DatabaseRefused`.
    """
    address = _address(url)
    engine = create_async_engine(address, hide_parameters=True, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        _make_private_file(address)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def may_exist(url: str) -> bool:
    """Whether somebody who only looks may make an engine for it: that of an SQLite file makes the file.

    Raises `DatabaseRefused`.
    """
    address = _address(url)
    file = address.database if address.get_backend_name() == "sqlite" else None
    return not file or file == ":memory:" or Path(file).exists()


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that write: on SQLite they queue at their first line.

    One that starts by reading could not write after another has: SQLite fails it at once instead of waiting.
    """
    return engine.execution_options(**{_WRITES: True})


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that only read, and see the database as of one instant."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine  # on SQLite every transaction is a snapshot


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to the newest version, in one transaction; several processes may do so at once.

    One process migrates one database at a time: alembic keeps its state in a global.
    """
    async with writing(engine).begin() as connection:
        await connection.run_sync(_upgrade)


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings for this connection; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def settle_mode(engine: AsyncEngine, mode: Mode) -> None:
    """Write the mode of this installation, once. Raises `ModeMismatch` when the database belongs to the other one."""
    found = await mode_of(engine)
    if found is None:
        try:
            async with AsyncSession(writing(engine)) as session, session.begin():
                session.add(InstallationRow(mode=mode))
        except IntegrityError:
            pass  # another process was first; its word counts
        found = await mode_of(engine)
    if found != mode:
        raise ModeMismatch(str(found), mode)


async def mode_of(engine: AsyncEngine) -> str | None:
    """The mode that this database was laid out for; `None` where no worker has been yet."""
    async with AsyncSession(engine) as session:
        if not await session.run_sync(lambda s: inspect(s.connection()).has_table(InstallationRow.__tablename__)):
            return None
        row = await session.get(InstallationRow, 1)
        return row.mode if row else None


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        return address.set(drivername=_DRIVERS[address.get_backend_name()])
    except (ArgumentError, ValueError, KeyError):
        pass
    # Raised here and not above: an exception keeps the one it was raised in, and that one may repeat the address.
    raise DatabaseRefused("the database address must begin with sqlite:// or postgresql://")


def _make_private_file(address: URL) -> None:
    if address.database and address.database != ":memory:":
        file = Path(address.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # the log beside it takes over these rights


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")  # first, for the next line may have to wait
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # By itself the driver begins only before the first row is written: no snapshot, and tables outside of transactions.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    command.upgrade(alembic_config(connection), "head")
