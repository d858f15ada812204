"""How a command opens the record: only one that is there, of this mode, and closed again whatever happens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from cli_answers import Exit, Failed
from plumbing.database import DatabaseRefused, ModeMismatch, make_engine, may_exist, migrate, mode_of, settle_mode
from plumbing.settings import Settings


@asynccontextmanager
async def record_of(
    settings: Settings, *, comes_with: str, unreachable: str, lay_out: bool = False
) -> AsyncIterator[AsyncEngine]:
    """The record's engine; with `lay_out` the tables are made where they are not there yet, otherwise nothing is.

    Raises `Failed` where there is none (`comes_with` says what makes it), it does not answer (`unreachable` says what
    that means, with `{}` for the kind of error), or it belongs to the other mode.
    """
    none_yet = Failed(Exit.UNREACHABLE, "NoRecord", f"there is no record yet; it comes with {comes_with}")
    address = settings.database_url.get_secret_value()
    try:
        if not lay_out and not may_exist(address):
            raise none_yet
        engine = make_engine(address)
    except DatabaseRefused as error:
        raise Failed(Exit.USAGE, "DatabaseRefused", str(error)) from None
    try:
        if lay_out:
            await migrate(engine)
            await settle_mode(engine, settings.mode)
        elif (mode := await mode_of(engine)) != settings.mode:
            raise ModeMismatch(mode, settings.mode) if mode else none_yet
        yield engine
    except ModeMismatch as error:
        raise Failed(Exit.REFUSED, "ModeMismatch", str(error)) from None
    except (OSError, SQLAlchemyError) as error:  # its text may hold an address or a statement
        raise Failed(Exit.UNREACHABLE, "RecordUnreachable", unreachable.format(type(error).__name__)) from None
    finally:
        await engine.dispose()
