"""The record on the command line: made by `init`, opened by every command that reads or writes it, and closed again.

What only runs with a database or Temporal is imported where it is needed: `inocycle assess` waits for neither.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import Exit, Failed, answer

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from plumbing.keys import RecordKey
    from plumbing.settings import Settings
    from record.anchors import Elsewhere
    from record.raw import Fault

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")]


def add_to(app: typer.Typer) -> None:
    """Give the command line what makes a record, and what looks at one."""
    app.command()(init)
    record = typer.Typer(
        help="The record: whether it is what was written.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    record.callback()(_nothing)
    record.command("verify")(verify)
    app.add_typer(record, name="record")


def _nothing() -> None:
    """The record: whether it is what was written."""


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
    from plumbing.connection import connect
    from plumbing.installation import lay_out
    from plumbing.settings import Mode, load_settings, with_demo_keys

    settings = load_settings()
    if settings.mode is Mode.DEMO:
        try:
            settings = with_demo_keys(settings)
        except FileExistsError:  # another process has just made them
            settings = load_settings()

    async def laid_out() -> tuple[str, bool]:
        async with said():
            installation, made = await lay_out(settings, await connect(settings), adopt=adopt)
            return installation.id, made

    installation_id, made = asyncio.run(laid_out())
    document = {"installation": installation_id, "mode": settings.mode, "made": made}
    words = "its record is made" if made else "its record is there, and up to date"
    answer(as_json, document, f"installation {installation_id[:8]}, mode {settings.mode}: {words}")


def verify(
    course_ids: Annotated[
        list[str] | None, typer.Argument(metavar="COURSE…", help="Only these courses; without one, everything.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at every column of every row: hashes, seals, what follows from the decisions, and heads written down elsewhere.

    Exits with 0 where all is as it was written, with 3 where something is not, each fault named. What it finds is shown
    on board and worklist until the next look.
    """
    from plumbing.settings import load_settings

    faults, looked, compared = asyncio.run(_verified(load_settings(), tuple(course_ids or ())))
    document = {"courses": looked, "faults": [fault.model_dump() for fault in faults], "heads": compared}
    words = [f"▲ {fault.course_id or 'no course'}: {fault}" for fault in faults]
    words.append(f"{looked} courses looked at, {len(faults)} faults; compared with {compared}")
    if faults:
        raise Failed(Exit.REFUSED, "RecordAltered", "\n".join(words), **document)
    answer(as_json, document, *words)


async def _verified(settings: "Settings", named: tuple[str, ...]) -> tuple[list["Fault"], int, str]:
    from datetime import UTC, datetime

    from record.checks import last_looks, note_checks
    from record.verify import course_ids, verify_all, verify_course

    if (key := settings.record_key) is None:
        raise Failed(
            Exit.USAGE, "NoRecordKey", "set INOCYCLE_RECORD_KEY_FILE: without the record key no seal can be read"
        )
    async with record_of(settings, unreachable="the record cannot be read ({})") as engine:
        elsewhere = await _elsewhere(engine, settings, key)
        heads, faults = elsewhere.heads, elsewhere.faults
        known = {*await course_ids(engine), *await last_looks(engine)}
        known |= {head.course_id for head in heads} | {fault.course_id for fault in faults}
        known.discard("")
        if unknown := sorted(set(named) - known):
            raise Failed(Exit.NOT_FOUND, "NoSuchCourse", f"the record holds nothing of {', '.join(unknown)}")
        if not named:
            faults += await verify_all(engine, key, heads)
        for course_id in named:
            faults += await verify_course(engine, key, course_id, heads)
        if named:
            faults = [fault for fault in faults if fault.course_id in ("", *named)]
        looked = named or ("", *sorted(known))
        await note_checks(engine, looked, faults, datetime.now(UTC))
        return faults, len(named or known), _compared_with(elsewhere, settings.anchor_file)


async def _elsewhere(engine: "AsyncEngine", settings: "Settings", key: "RecordKey") -> "Elsewhere":
    """The heads that were written down outside the database."""
    from plumbing.connection import TemporalUnreachable, connect
    from plumbing.database import installation_of
    from record.anchors import AnchorFile, written_elsewhere

    file = AnchorFile(settings.anchor_file, key, installation_of(engine))
    try:
        client = await connect(settings)
    except TemporalUnreachable:
        client = None
    return await written_elsewhere(engine, file, client)


def _compared_with(found: "Elsewhere", file: "Path") -> str:
    in_file = f"{len(found.in_file.heads)} heads in {file.name}"
    if found.in_memos is None:
        return f"{in_file}; Temporal does not answer"
    return f"{in_file}, {len(found.in_memos.heads)} in running courses"


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

    from plumbing.database import RecordExchanged, kind_of
    from plumbing.installation import InstallationRefused, NoRecord

    try:
        yield
    except InstallationRefused as error:
        code = Exit.UNREACHABLE if isinstance(error, NoRecord) else Exit.REFUSED
        raise Failed(code, type(error).__name__, str(error)) from None
    except RecordExchanged as error:
        raise Failed(Exit.REFUSED, "RecordExchanged", f"{error}; nothing was written") from None
    except (OSError, SQLAlchemyError) as error:  # its text may hold an address or a statement
        raise Failed(Exit.UNREACHABLE, "RecordUnreachable", unreachable.format(kind_of(error))) from None
