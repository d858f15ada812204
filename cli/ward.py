"""The ward on the command line: worklist, board, and queries for the Web UI. Read from the record, so Temporal may be away.

What is due and in which order it is shown is for `record/ward.py`; here it is fetched and drawn.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import typer
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cli import render
from cli.answers import Failed, answer
from intake.typed import read_role
from models.attributes import OF_COURSES
from models.base import counted
from models.zones import zone_of

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncEngine

    from plumbing.settings import Settings
    from record.ward import BoardRow, Line, Ward

Result = TypeVar("Result")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")]
MARKS = {"overdue": ("▲ OVERDUE", "bold red"), "due": ("● due", "bold yellow"), "coming": ("○ coming", "dim")}
"""What is overdue is said by word, by shape and by colour."""
DUE_WITHIN = timedelta(hours=24)


def add_to(app: typer.Typer) -> None:
    """Give the command line its three looks at the ward."""
    for command in (worklist, board, links):
        app.command()(command)


def worklist(
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="Only what this role must do, such as coordinator.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """What must be done on the ward, the gravest first: overdue, then what is due today by harm, then the rest.

    Each line with its owner, what it is, when it is due by the course's own clock, and what clears it.
    """
    from record.ward import worklist_lines

    wanted = read_role("--role", role) if role else None
    ward = _now(_ward)
    lines = worklist_lines(ward, wanted)
    document = {"read_at": ward.read_at, "role": wanted, "items": [_item(line) for line in lines]}
    answer(as_json, document, _age_of(ward), worklist_table(lines) if lines else "nothing to do")


def board(
    once: Annotated[bool, typer.Option("--once", help="Print it and end, as without a terminal.")] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=0.5, max=3600, help="How often to look again.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """The ward as one screen: where each course stands and why, whose turn it is, what is due. Ctrl-C ends it."""
    if once or as_json or not sys.stdout.isatty():
        ward = _now(_ward)
        answer(as_json, _board_document(ward), board_screen(ward))
        return
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(every))


def links(as_json: AsJson = False) -> None:
    """Queries for Temporal's Web UI, each with what it answers and its address."""
    from plumbing.settings import load_settings

    settings = load_settings()
    found = queries(datetime.now(UTC), _clocks())
    rows = [{**link._asdict(), "url": _url(settings, link.query)} for link in found]
    if as_json:
        answer(True, rows)
        return
    for row in rows:  # not through a table: an address is never broken over two lines
        typer.echo(f"{row['name']}: {row['answers']}\n  {row['query']}\n  {row['url']}\n")


# ── fetching ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _now(act: Callable[["AsyncEngine"], Awaitable[Result]]) -> Result:
    """Look into the record once."""

    async def look() -> Result:
        async with _record() as engine:
            return await act(engine)

    return asyncio.run(look())


async def _ward(engine: "AsyncEngine") -> "Ward":
    from record.ward_reader import read_ward

    return await read_ward(engine, datetime.now(UTC))


def _record() -> "AbstractAsyncContextManager[AsyncEngine]":
    """The record as it is: looking at it never makes one."""
    from cli.record import record_of
    from plumbing.settings import load_settings

    return record_of(load_settings(), unreachable="the record cannot be read ({})")


async def _watch(every: float) -> None:
    from rich.live import Live

    console = Console(highlight=False, markup=False, emoji=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        async for screen in screens(_look, board_screen):
            live.update(screen, refresh=True)
            await asyncio.sleep(every)


async def _look() -> "Ward":
    async with _record() as engine:
        return await _ward(engine)


async def screens(
    look: Callable[[], Awaitable["Ward"]], draw: Callable[["Ward"], RenderableType]
) -> AsyncIterator[RenderableType]:
    """One screen after another, without end. While the record cannot be read the last one stays, and says so."""
    last: RenderableType = Text()
    while True:
        try:
            last = draw(await look())
            yield last
        except Failed as failure:
            yield Group(Text(f"▲ {failure.words}; what follows is the last that was read", style="bold red"), last)


# ── the worklist ───────────────────────────────────────────────────────────────────────────────────────────────────


def worklist_table(lines: Iterable["Line"]) -> Table:
    """One line for each item."""
    table = _table("", "who", "what", "course, its own time", "due", "clears with", "rule")
    for line in lines:
        zone = zone_of(line.zone)
        course, clears = f"{line.course_id or 'no course'}\n{_own_time(line.now, zone)}", line.clears or "–"
        _add(table, _mark(line), "\n".join(line.owners), line.what, course, _due(line, zone), clears, line.rule or "–")
    return table


def _item(line: "Line") -> dict[str, Any]:
    return {**line.model_dump(mode="json"), "harm": line.harm.name.lower()}


def _mark(line: "Line") -> Text:
    if line.unreadable:
        return Text("▲ UNREADABLE", style="bold red")
    words, style = MARKS[line.standing]
    return Text(words, style=style)


def _due(line: "Line", zone: ZoneInfo) -> str:
    if line.due_at is None:
        return "now"
    overdue = f"\noverdue {_short(line.overdue_at, zone)}" if line.overdue_at else ""
    return f"due {_short(line.due_at, zone)}{overdue}"


# ── the board ──────────────────────────────────────────────────────────────────────────────────────────────────────


def board_screen(ward: "Ward") -> RenderableType:
    """The whole ward: open courses in the order of their trouble, those that are over below a line."""
    from record.ward import board_rows, unreadable_lines

    rows, unreadable = board_rows(ward), unreadable_lines(ward)
    table = _table("course, its own time", "where", "why", "whose turn", "next due")
    for row in rows:
        if not row.over:
            _add(table, *_cells(row, zone_of(row.zone)))
    parts: list[RenderableType] = [_head(rows), _age_of(ward), *_alarms(ward), Text()]
    for line in unreadable:
        parts.append(Text(f"▲ {line.course_id or 'no course'}: {line.what}\n  {line.clears}\n", style="bold red"))
    parts.append(table if rows else Text("" if unreadable else "no course on record"))
    if over := [row for row in rows if row.over]:
        parts += [Rule(style="dim"), *(_over(row, zone_of(row.zone)) for row in over)]
    return Group(*parts)


def _alarms(ward: "Ward") -> list[Text]:
    """What comes before everything else: courses that nobody watches, and that nobody has looked for them."""
    words = [f"{one.course_id}: {one.what}" for one in ward.unwatched]
    if ward.unswept and ward.swept_at is not None:
        since = f"{ward.swept_at:%Y-%m-%d %H:%M} UTC, {ago(ward.read_at - ward.swept_at)}"
        words.append(f"no worker has looked after the courses since {since}: start one")
    return [Text(f"▲ {said}", style="bold red") for said in words]


def _board_document(ward: "Ward") -> dict[str, Any]:
    from record.ward import board_rows, unreadable_lines

    rows = board_rows(ward)
    return {
        "read_at": ward.read_at,
        "unreadable": [_item(line) for line in unreadable_lines(ward)],
        "open": [_shown(r) for r in rows if not r.over],
        "over": [_shown(r) for r in rows if r.over],
        "unwatched": [
            {**one.model_dump(mode="json"), "what": one.what, "clears": one.clears} for one in ward.unwatched
        ],
        "swept_at": ward.swept_at,
    }


def _shown(row: "BoardRow") -> dict[str, Any]:
    due = row.next_due
    return {**row.model_dump(mode="json"), "next_due": _item(due) if due else None}


def _head(rows: Sequence["BoardRow"]) -> Text:
    opened = [row for row in rows if not row.over]
    late = sum(bool(row.overdue) for row in rows)
    head = Text(f"The ward: {len(opened)} courses open, {len(rows) - len(opened)} over", style="bold")
    return head.append(f"   ▲ {late} with something OVERDUE", style="bold red") if late else head


def _age_of(ward: "Ward") -> Text:
    """From when the rows are; each course's own time is beside it, and its last decision may be older."""
    return Text(f"from the record, read {ward.read_at:%Y-%m-%d %H:%M:%S} UTC; times are each course's own", style="dim")


def _cells(row: "BoardRow", zone: ZoneInfo) -> tuple[Text | str, ...]:
    where = Text(f"{row.state}\n")
    where.append(row.headline, style=render.style_of(row.verdict))
    where.append(f"\nas of {_short(row.as_of, zone)}, {ago(row.now - row.as_of)}", style="dim")
    if row.unwatched:
        where.append("\nnot watched", style="bold red")
    elif row.outdated:
        where.append(f"\nran out {_short(row.valid_until, zone)}: ask it", style="bold yellow")
    elif row.valid_until:
        where.append(f"\nuntil {_short(row.valid_until, zone)}", style="dim")
    why = f"{row.rule}: {row.why}" if row.rule else row.why
    course = f"{row.course_id}\n{_own_time(row.now, zone)}\ncycle {row.cycle}"
    return course, where, why, "\n".join(_turns(row)), _next_due(row, zone)


def _turns(row: "BoardRow") -> list[str]:
    """Whose turn it is and what is asked, of each who can act now."""
    return [f"{row.owner}\n{row.next_action}", *(f"{turn.owner}\n{turn.action}" for turn in row.others)]


def _next_due(row: "BoardRow", zone: ZoneInfo) -> Text:
    due = row.next_due
    words = Text()
    if due is not None:
        words.append_text(_mark(due)).append(f"   {' and '.join(due.owners)}\n{due.what}\n{_due(due, zone)}")
    others = [what for what in row.overdue if due is None or what != due.what]
    if others:
        too = " too" if due is not None and due.standing == "overdue" else ""
        words.append(f"\n▲ OVERDUE{too}: {', '.join(others)}", style="bold red")
    return words or Text("–")


def _over(row: "BoardRow", zone: ZoneInfo) -> Text:
    late = f"   ▲ OVERDUE: {', '.join(row.overdue)}" if row.overdue else ""
    words = f"{row.course_id}   {row.state} {_own_time(row.as_of, zone)}, {counted(row.last_decision, 'decision')}"
    return Text(words, style="dim").append(late, style="bold red")


# ── links ──────────────────────────────────────────────────────────────────────────────────────────────────────────

OF_OPEN_COURSES: tuple[tuple[str, str, str], ...] = (
    ("held", "whose dose is held; HoldReason says by which rule", 'CourseState = "held"'),
    ("held for the liver", "whose dose waits for liver values", 'HoldReason IN ("NON-02", "NON-08")'),
    ("urgent", "who needs a physician at once", 'GateVerdict = "HOLD_URGENT"'),
    ("overdue", "where something should have happened and has not", "Overdue = true"),
    ("ready to authorise", "whose dose waits for a signature or its check", 'CourseState = "dose_adjustment"'),
    ("waiting for labs", "whose dose waits for results or examinations", 'CourseState = "labs"'),
    ("at the bedside", "who gets the drug or is observed", 'CourseState IN ("infusion", "observation", "reaction")'),
    ("in monitoring", "who gets liver tests and no further dose", 'CourseState = "liver_monitoring"'),
)
"""Name, the question that is answered, and the condition, which is asked of open courses only."""

NOT_BY_THE_RULES = f'{OF_COURSES} AND ExecutionStatus IN ("Failed", "Terminated", "TimedOut", "Canceled")'


class Link(NamedTuple):
    """A query for the list of workflows, and the question that it answers."""

    name: str
    answers: str
    query: str


def queries(wall: datetime, clocks: Mapping[str, timedelta]) -> list[Link]:
    """The queries an administrator needs. A query cannot say "now": it is put in here, by the clock of each course."""
    due = ("due", "what is due until a day from now, by each course's own clock", _due_by(wall, clocks))
    running = 'ExecutionStatus = "Running"'
    return [
        *(Link(name, words, f"{condition} AND {running}") for name, words, condition in (*OF_OPEN_COURSES, due)),
        Link("problems", "which courses stand still: workflow tasks fail", "TemporalReportedProblems IS NOT NULL"),
        Link("broken off", "which courses ended otherwise than by the rules", NOT_BY_THE_RULES),
    ]


def _due_by(wall: datetime, clocks: Mapping[str, timedelta]) -> str:
    """One condition where all courses have the wall clock's time, else one for each course."""
    if not any(clocks.values()):
        return f'NextDueAt <= "{_query_time(wall)}"'
    own = (
        f'(WorkflowId = "{course_id}" AND NextDueAt <= "{_query_time(wall + offset)}")'
        for course_id, offset in sorted(clocks.items())
    )
    return f"({' OR '.join(own)})"


def _query_time(now: datetime) -> str:
    return f"{now + DUE_WITHIN:%Y-%m-%dT%H:%M:%SZ}"


def _clocks() -> dict[str, timedelta]:
    """How far the clock of each open course is ahead; nothing where there is no record to ask."""
    try:
        ward = _now(_ward)
    except Failed as failure:
        typer.echo(f"{failure.words}\nThe wall clock is taken for every course.", err=True)
        return {}
    return {c.course.course_id: timedelta(seconds=c.course.clock_offset_s) for c in ward.courses if not c.over}


def _url(settings: "Settings", query: str) -> str:
    namespace = quote(settings.temporal_namespace, safe="")
    return f"http://127.0.0.1:{settings.web_ui_port}/namespaces/{namespace}/workflows?query={quote(query, safe='')}"


# ── small parts ────────────────────────────────────────────────────────────────────────────────────────────────────


def ago(span: timedelta) -> str:
    """How long ago, in the largest unit that says something: `40 s ago`, `3 min ago`, `5 h ago`, `4 d ago`."""
    seconds = max(int(span.total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _own_time(now: datetime, zone: ZoneInfo) -> str:
    there = now.astimezone(zone)
    return f"{there:%a %Y-%m-%d %H:%M} {there.tzname()}"


def _short(instant: datetime | None, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%a %d %b %H:%M}" if instant else "–"


_UNBROKEN = ("course, its own time", "due", "where")
"""Columns with times, which are read at a glance or not at all."""


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _UNBROKEN)
    return table


def _add(table: Table, *cells: RenderableType) -> None:
    """A row of several lines, and an empty line after it."""
    table.add_row(*cells)
    table.add_row()
