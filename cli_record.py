"""The record on the command line: made by `init`, opened by every command that reads or writes it, and closed again.

What only runs with a database or Temporal is imported where it is needed: `inocycle assess` waits for neither.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli_answers import Exit, Failed, answer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from plumbing.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")]


def add_to(app: typer.Typer) -> None:
    """Give the command line what makes a record."""
    app.command()(init)


def init(
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Join a record that holds courses to a namespace that does not know it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the record and mark the Temporal namespace as belonging to it. Nothing else makes a record.

    Where both are there and belong together only the schema is brought up to date. Refused where one of the two belongs
    to another installation, or has lost the other one.
    """
    from cli_courses import with_kept_keys
    from plumbing.connection import connect
    from plumbing.installation import lay_out
    from plumbing.settings import Mode, load_settings

    settings = load_settings()
    if settings.mode is Mode.DEMO:
        settings = with_kept_keys(settings)

    async def laid_out() -> tuple[str, bool]:
        async with said():
            installation, made = await lay_out(settings, await connect(settings), adopt=adopt)
            return installation.id, made

    installation_id, made = asyncio.run(laid_out())
    document = {"installation": installation_id, "mode": settings.mode, "made": made}
    words = "its record is made" if made else "its record is there, and up to date"
    answer(as_json, document, f"installation {installation_id[:8]}, mode {settings.mode}: {words}")


@asynccontextmanager
async def record_of(settings: "Settings", *, unreachable: str) -> AsyncIterator["AsyncEngine"]:
    """The engine of the record that belongs to these settings; nothing is made and nothing migrated.

    Raises `Failed` where there is none, it belongs to another mode or installation, or it does not answer
    (`unreachable` says what that means, with `{}` for the kind of error).
    """
    from plumbing.database import DatabaseRefused, make_engine
    from plumbing.installation import opened_by_itself

    try:
        engine = make_engine(settings.database_url.get_secret_value())
    except DatabaseRefused as error:
        raise Failed(Exit.USAGE, "DatabaseRefused", str(error)) from None
    try:
        async with said(unreachable):
            yield await opened_by_itself(engine, settings)
    finally:
        await engine.dispose()


@asynccontextmanager
async def said(unreachable: str = "the database cannot be reached ({})") -> AsyncIterator[None]:
    """Says in words what is wrong with a record."""
    from sqlalchemy.exc import SQLAlchemyError

    from plumbing.database import RecordExchanged
    from plumbing.installation import InstallationRefused, NoRecord

    try:
        yield
    except InstallationRefused as error:
        code = Exit.UNREACHABLE if isinstance(error, NoRecord) else Exit.REFUSED
        raise Failed(code, type(error).__name__, str(error)) from None
    except RecordExchanged as error:
        raise Failed(Exit.REFUSED, "RecordExchanged", f"{error}; nothing was written") from None
    except (OSError, SQLAlchemyError) as error:  # its text may hold an address or a statement
        raise Failed(Exit.UNREACHABLE, "RecordUnreachable", unreachable.format(type(error).__name__)) from None
