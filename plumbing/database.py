"""The database of the record: its engine and its schema.

What belongs here: how to reach and prepare a database. Whose it is, is for `installation.py`; what is written into it is
the business of `activities`.
"""

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

# A driver that is first imported inside an activity, while the workflow sandbox is active, takes the whole worker down
# with a segmentation fault (asyncpg is a C extension). So whoever makes an engine has loaded both by then.
import aiosqlite
import asyncpg  # type: ignore[import-untyped]
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plumbing.settings import ROOT

MIGRATIONS: Final = ROOT / "migrations"

_DRIVERS: Final = {
    "sqlite": f"sqlite+{aiosqlite.__name__}",
    "postgresql": f"postgresql+{asyncpg.__name__}",
}
_BUSY_MS: Final = 30_000
_WRITES: Final = "inocycle_writes"
_INSTALLATION: Final = "inocycle_installation"
_MIGRATION_LOCK: Final = 0x1_0C1C1E  # any number that no other program takes on this database


class DatabaseRefused(Exception):
    """The record cannot live at this address. The message does not repeat it: it may hold a password."""


class RecordExchanged(Exception):
    """The database is not the one that was opened: its file was exchanged, or another installation is in it."""


def make_engine(url: str) -> AsyncEngine:
    """An engine for an address of SQLite (`sqlite:///path`) or PostgreSQL (`postgresql://user:password@host/name`).

    It connects when it is first used, and never makes a database. An SQLite file that was exchanged since then is
    noticed by the next transaction (`RecordExchanged`). Errors of the engine show no parameters, because those are
    facts of patients. Raises `DatabaseRefused`.
    """
    address = _address(url)
    file = database_file(address)
    engine = create_async_engine(address, hide_parameters=True, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "close", _roll_back_first)
    if file:
        same = _SameFile(file)
        event.listen(engine.sync_engine, "do_connect", same.open)
        event.listen(engine.sync_engine, "begin", same.must_be_there, insert=True)
    event.listen(engine.sync_engine, "begin", _must_be_of_its_installation)
    return engine


def database_file(address: URL) -> Path | None:
    """The file of an SQLite database; `None` for one in memory or on a server."""
    file = address.database if address.get_backend_name() == "sqlite" else None
    return None if not file or file == ":memory:" else Path(file)


def make_private_file(address: URL) -> None:
    """Make the file of an SQLite database with its folder, readable by its owner only; for who lays a record out."""
    file = database_file(address)
    if file is None or file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and linked: of two at once neither meets a file that is half switched over to its write-ahead log.
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        made = Path(folder) / file.name
        made.touch(mode=0o600)  # the log beside it takes over these rights
        with closing(sqlite3.connect(made)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with suppress(FileExistsError):
            file.hardlink_to(made)


def of_installation(engine: AsyncEngine, installation_id: str) -> AsyncEngine:
    """The same engine for one installation: a transaction that writes is refused once another one is in the database."""
    return engine.execution_options(**{_INSTALLATION: installation_id})


def installation_of(engine: AsyncEngine) -> str:
    """The id of the installation that this engine is for; empty where it is for any."""
    return str(engine.get_execution_options().get(_INSTALLATION, ""))


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that write: on SQLite they queue at their first line.

    One that starts by reading could not write after another has: SQLite fails it at once instead of waiting.
    """
    return engine.execution_options(**{_WRITES: True})


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that only read, and see the database as of one instant.

    Raises `ValueError` for one that writes: a reader would wait for the lock, and the record seem away while it is busy.
    """
    if engine.get_execution_options().get(_WRITES, False):
        raise ValueError("who reads must not queue among those who write")
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine  # on SQLite every transaction is a snapshot


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest version, within a transaction; on PostgreSQL under a lock that ends with it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    command.upgrade(alembic_config(connection), "head")


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to the newest version, in one transaction; several processes may do so at once.

    One process migrates one database at a time: alembic keeps its state in a global.
    """
    async with writing(engine).begin() as connection:
        await connection.run_sync(upgrade)


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings for this connection; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        return address.set(drivername=_DRIVERS[address.get_backend_name()])
    except (ArgumentError, ValueError, KeyError):
        pass
    # Raised here and not above: an exception keeps the one it was raised in, and that one may repeat the address.
    raise DatabaseRefused("the database address must begin with sqlite:// or postgresql://")


def is_damage(error: BaseException) -> bool:
    """Whether the file itself is at fault: no database, or pages of it are spoilt. What passes by itself is none."""
    return type(error) is DatabaseError  # its subclasses are about one statement, or about reaching the database


def kind_of(error: BaseException) -> str:
    """What is wrong with a database, without the words of the error: they may hold an address or a statement."""
    return "its file is damaged, or is no database: restore it" if is_damage(error) else type(error).__name__


class _SameFile:
    """One file, known by where it lies on the disk: at every later look it must be the same one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lies_at: tuple[int, int] | None = None

    def must_be_there(self, *_: object) -> None:
        """Raises `RecordExchanged` where the file is gone or is another one than at the first look."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            raise RecordExchanged("the file of the record is gone") from None
        lies_at = found.st_dev, found.st_ino
        self._lies_at = self._lies_at or lies_at
        if lies_at != self._lies_at:
            raise RecordExchanged("the file of the record was exchanged for another one")

    def open(self, _dialect: object, _record: object, where: list[Any], how: dict[str, Any]) -> None:
        """Connect to a file that is there: by itself the driver would make an empty one."""
        self.must_be_there()
        if not os.access(self._file, os.R_OK):  # the driver's own thread would say so when nobody listens any more
            raise PermissionError("the file of the record may not be read")
        where[0], how["uri"] = f"file:{quote(str(self._file))}?mode=rw", True


def _prepare_sqlite(connection: Any, _: object) -> None:
    # A byte that is no UTF-8 would fail the whole answer; so it stays in its row, as a character that nobody writes.
    connection.driver_connection.text_factory = _lenient_text
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")  # first, for the next line may have to wait
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _lenient_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _roll_back_first(dbapi_connection: Any, _: Any) -> None:
    """End what a connection had begun before it is closed: of one whose caller was cancelled in the middle of a statement
    something lives on in a traceback, and with it the lock, and nobody writes any more until this process ends.
    """
    driver = dbapi_connection.driver_connection
    if driver._connection is not None:
        driver._tx.put_nowait((None, driver._connection.rollback))  # closing is queued behind it, in the same thread


def _begin_sqlite(connection: Connection) -> None:
    # By itself the driver begins only before the first row is written: no snapshot, and tables outside of transactions.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _must_be_of_its_installation(connection: Connection) -> None:
    options = connection.get_execution_options()
    wanted = options.get(_INSTALLATION)
    if wanted is None or not options.get(_WRITES, False):
        return
    found = connection.exec_driver_sql("SELECT installation_id FROM installation").scalar()
    if found != wanted:
        raise RecordExchanged("another installation is in the database")
