"""The inbox on the command line: receive documents without naming a course, see what waits, say what becomes of it.

What happens to a document is for `services/reception.py`, which is loaded only when one of these commands runs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.answers import Exit, Failed, answer
from cli.lint import lint
from cli.ward import ago
from intake.outcome import LOST_NOTHING
from intake.strict_json import MAX_BYTES
from intake.typed import read_actor

if TYPE_CHECKING:
    from plumbing.settings import Settings
    from record.inbox import InboxItem
    from services.reception import Reception

Result = TypeVar("Result")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")]
ItemName = Annotated[str, typer.Argument(metavar="ITEM", help="As `inocycle inbox` names it, or its beginning.")]
ByWhom = Annotated[str, typer.Option("--by", metavar="ROLE:ID", help="Who says so, such as coordinator:c-5. No names.")]

MOST_LINES = 5
TO_DO = {
    "NotLookedAt": "a process broke off\n`inocycle inbox retry`",
    "NotOnePatient": "it is not certainly about one patient: ask the sender, then dismiss it; one that only takes results back"
    " and names nobody goes to the course whose results they are\n`inocycle inbox assign ITEM COURSE --by ROLE:ID`",
    "NoResult": "nothing in it can be read as a result: ask the sender, then dismiss it",
    "NoCourse": "no course of this patient is on record: start one and retry, or dismiss it\n`inocycle inbox retry`",
    "CourseEnded": "the course has ended: tell a physician; start a later one and retry, or dismiss it\n`inocycle inbox retry`",
    "SeveralCourses": "several courses of this patient are open: choose one\n`inocycle inbox assign ITEM COURSE --by ROLE:ID`",
    "NotSent": "Temporal did not answer\n`inocycle inbox retry`",
}
"""What a person does about each thing that an item may wait for."""
NO_RESULT = "NoResult"
TO_RESTORE = "compare the record with its backup, and restore it"


def add_to(app: typer.Typer, labs: typer.Typer) -> None:
    """Give the command line its inbox, and its laboratory commands one that needs no course."""
    inbox = typer.Typer(
        help="What came in and reached no course; alone it lists what waits.",
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    inbox.callback()(list_items)
    for name, command in (("assign", assign), ("dismiss", dismiss), ("retry", retry)):
        inbox.command(name)(command)
    app.add_typer(inbox, name="inbox")
    labs.command("receive")(receive)
    labs.command("lint")(lint)


def receive(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="FHIR R4 JSON (or NDJSON): Observation, DiagnosticReport, Bundle …"),
    ],
    by: Annotated[str, typer.Option("--by", metavar="ROLE:ID", help="Which machine sends it.")] = "laboratory:cli",
    as_json: AsJson = False,
) -> None:
    """Receive FHIR files for whichever course they belong to: kept first, then sent to the open course of their patient.

    What belongs to no open course waits in `inocycle inbox`. Exits with 0 once everything is kept, also what waits; with
    2 where nothing in a file can be read as a result (it is kept), or where one is larger than a door takes (nothing of it
    is kept). The same file again is the same item.
    """
    actor = read_actor("--by", by)
    began = datetime.now(UTC)
    documents, too_large = _documents(files)
    items: dict[str, InboxItem] = {}
    if documents:
        items = _in_reception("labs receive", lambda reception: reception.receive(documents, actor))
    again = _received_before(items, began)
    received = {name: {**_shown(item), "again": name in again} for name, item in items.items()}
    document = {"received": received, "too_large": too_large}
    answer(
        as_json,
        document,
        _received_table(items, again),
        *(Text(f"{name}: larger than a door takes") for name in too_large),
    )
    empty = any(item.waits_for == NO_RESULT for item in items.values())
    raise typer.Exit(int(Exit.USAGE if too_large or empty else Exit.OK))


def list_items(
    context: typer.Context,
    settled_too: Annotated[bool, typer.Option("--all", help="What was sent or dismissed as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """What waits, the oldest first: since when, what for, and what to do."""
    if context.invoked_subcommand is not None:
        return
    from plumbing.settings import load_settings

    found, unreadable = _with_reception(load_settings(), lambda r: r.look(settled_too=settled_too))
    document: list[dict[str, Any]] = [{"item": one.row, "unreadable": str(one)} for one in unreadable]
    document += [{**_shown(item), "courses": [c.course_id for c in courses]} for item, courses in found]
    items = [item for item, _ in found]
    spoilt = [Text(f"▲ a document cannot be read: {one}; {TO_RESTORE}\n", style="bold red") for one in unreadable]
    answer(as_json, document, *spoilt, inbox_table(items, datetime.now(UTC)) if items else "nothing waits")


def assign(
    item: ItemName,
    course_id: Annotated[str, typer.Argument(metavar="COURSE", help="A course of the same patient.")],
    by: ByWhom,
    as_json: AsJson = False,
) -> None:
    """Send a waiting item to a course; refused unless it is certainly about the patient of that course.

    One that only takes results back and names nobody is about the patient of the course that is named here.
    """
    actor = read_actor("--by", by)
    settled = _in_reception("inbox assign", lambda reception: reception.assign(item, course_id, actor))
    answer(as_json, _shown(settled), f"{settled.id} is sent to {settled.course_id}")


def dismiss(
    item: ItemName,
    by: ByWhom,
    word: Annotated[str, typer.Argument(metavar="[reason=TEXT]", help="The same as --reason, as in `do`.")] = "",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it belongs to no course. No names.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say that a waiting item belongs to no course. It is kept, and waits no longer."""
    actor = read_actor("--by", by)
    name, _, said = word.partition("=")
    if word and name != "reason":
        raise Failed(Exit.USAGE, "Usage", f"{word!r} is no reason=TEXT")
    reason = reason or said
    if not reason.strip():
        raise Failed(Exit.USAGE, "NoReason", "--reason: say why it belongs to no course")
    settled = _in_reception("inbox dismiss", lambda reception: reception.dismiss(item, actor, reason.strip()))
    answer(as_json, _shown(settled), f"{settled.id} is dismissed")


def retry(as_json: AsJson = False) -> None:
    """Look again for the course of everything that waits, and send what has one now."""
    looked_at = _in_reception("inbox retry", lambda reception: reception.retry())
    sent = sum(item.course_id is not None for item in looked_at)
    words = f"{sent} sent, {len(looked_at) - sent} still waiting"
    answer(as_json, [_shown(item) for item in looked_at], inbox_table(looked_at, datetime.now(UTC)), words)


# ── tables ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def inbox_table(items: Sequence["InboxItem"], now: datetime) -> RenderableType:
    """One line for each item: how long it is there, from whom, what became of it or what it waits for and what to do."""
    table = _table("item", "received (UTC)", "", "from", "waits for", "what to do")
    for item in items:
        received, since = f"{item.received_at:%Y-%m-%d %H:%M}", ago(now - item.received_at)
        waits = Text(item.waits_for, style="bold yellow") if item.waits_for else Text("–", style="dim")
        table.add_row(item.id, received, since, item.read_as, waits, Text(_next(item)).append(_not_read(item), "dim"))
    return table


def _received_before(items: Mapping[str, "InboxItem"], began: datetime) -> frozenset[str]:
    """The names of the files that were there already: from an earlier time, or under another name just now."""
    names = list(items)
    earlier = {name for name, item in items.items() if item.received_at < began}
    return frozenset(
        name
        for place, name in enumerate(names)
        if name in earlier or items[name].id in {items[n].id for n in names[:place]}
    )


def _received_table(items: Mapping[str, "InboxItem"], again: Collection[str]) -> RenderableType:
    table = _table("file", "item", "became", "because")
    for name, item in items.items():
        state = Text(str(item.state), style="bold green" if item.course_id else "bold yellow")
        before = f"already received {item.received_at:%Y-%m-%d %H:%M} UTC; " if name in again else ""
        table.add_row(name, item.id, state, Text(f"{before}{_next(item)}").append(_not_read(item), "dim"))
    return table if items else Group()


def _next(item: "InboxItem") -> str:
    if item.waits_for:
        return TO_DO[item.waits_for]
    if item.course_id:
        return f"sent to {item.course_id}; its card says what of it can be used"
    return f"dismissed by {item.settled_by}: {item.settled_why}"


def _not_read(item: "InboxItem") -> str:
    """What of the document became no result and may have held one; where nothing became one, all of it."""
    lost = [r for r in item.refused if r.type not in LOST_NOTHING or item.waits_for == NO_RESULT]
    more = [f"\n… and {len(lost) - MOST_LINES} more"] if len(lost) > MOST_LINES else []
    return "".join((*(f"\n{r.where}: {r.reason} ({r.type})" for r in lost[:MOST_LINES]), *more))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


# ── fetching ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_reception(doing: str, act: "Callable[[Reception], Awaitable[Result]]") -> Result:
    from cli.courses import settings_for_commands

    return _with_reception(settings_for_commands(doing), act)


def _with_reception(settings: "Settings", act: "Callable[[Reception], Awaitable[Result]]") -> Result:
    """Open the record and act; what is wrong with it is said in words."""
    from cli.record import record_of
    from services.reception import Reception

    async def opened() -> Result:
        unreachable = "the inbox cannot be reached ({}); nothing is acknowledged"
        async with record_of(settings, unreachable=unreachable) as engine:
            return await act(Reception(engine, settings))

    return asyncio.run(opened())


def _documents(files: Sequence[Path]) -> tuple[dict[str, bytes], list[str]]:
    """The bytes of the files, and the names of those that no door takes."""
    documents: dict[str, bytes] = {}
    too_large: list[str] = []
    for path in files:
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise Failed(Exit.USAGE, "NotReadable", f"{path} cannot be read: {error.strerror}") from None
        if len(raw) > MAX_BYTES:
            too_large.append(str(path))
        else:
            documents[str(path)] = raw
    return documents, too_large


def _shown(item: "InboxItem") -> dict[str, Any]:
    return {"item": item.id, **item.model_dump(mode="json", exclude={"subjects", "birth_hash"})}
