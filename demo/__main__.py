"""`python -m demo`: what `make run` starts, and the clock of an invented course."""

import asyncio
from datetime import timedelta
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from demo import tour
from demo.driver import CannotSkipTime, Clock
from demo.house import House, HouseFault
from demo.layout import LAID_OUT, Layout
from plumbing.connection import TemporalUnreachable, connect
from plumbing.settings import ROOT, Mode, SettingsRefused, load_settings
from services.courses import CourseClient, CourseError

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
out, err = Console(soft_wrap=True, highlight=False), Console(stderr=True, soft_wrap=True, highlight=False)
REFUSED, UNREACHABLE = 3, 5


@app.command()
def up(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="throw the invented patients away and lay them out anew")
    ] = False,
) -> None:
    """Start server, worker and invented patients; on the first start conduct one course on screen. Ctrl-C ends all."""
    try:
        asyncio.run(House(load_settings(), out.print).keep(fresh=fresh))
    except (HouseFault, SettingsRefused, TemporalUnreachable) as fault:
        _leave(str(fault), UNREACHABLE)


@app.command()
def advance(
    course: Annotated[str, typer.Argument(help="the course's id")],
    to_next_due: Annotated[bool, typer.Option("--to-next-due", help="to the next thing that is due")] = False,
    days: Annotated[float | None, typer.Option("--days", min=0.001, max=400, help="by this many days")] = None,
) -> None:
    """Move the clock of one invented course, on a server that skips time."""
    if to_next_due == (days is not None):
        _leave("say either --to-next-due or --days N", 2)
    try:
        asyncio.run(_advance(course, timedelta(days=days) if days is not None else None))
    except (CourseError, CannotSkipTime, SettingsRefused) as fault:
        _leave(str(fault), REFUSED)
    except TemporalUnreachable as fault:
        _leave(str(fault), UNREACHABLE)


@app.command("tour")
def show_tour() -> None:
    """Seven short steps to try, with the exact commands, and what each one shows."""
    try:
        settings = load_settings()
    except SettingsRefused as fault:
        _leave(str(fault), 2)
    layout, var = Layout(settings.var_dir / LAID_OUT), settings.var_dir
    shown = str(var.relative_to(ROOT)) if var.is_relative_to(ROOT) else str(var)
    out.print(tour.told(tour.steps(lambda name: layout.course_of(name) or name, shown)), markup=False)


async def _advance(course_id: str, span: timedelta | None) -> None:
    settings = load_settings()
    if settings.mode is not Mode.DEMO:
        raise CannotSkipTime("time is skipped in mode demo only")
    client = await connect(settings)
    courses, clock = CourseClient(client, settings.task_queue), Clock(client, course_id)
    if not (await courses.chart(course_id)).course.invented:
        raise CannotSkipTime(f"{course_id} is not an invented patient's course")
    if span is not None:
        await clock.advance(span)
    else:
        await _to_next_due(courses, clock, course_id)
    status = await courses.status(course_id)
    out.print(f"{course_id}: now {status.now:%Y-%m-%d %H:%M} UTC by its own clock")
    out.print(f"{status.state}: {status.sentence}")


async def _to_next_due(courses: CourseClient, clock: Clock, course_id: str) -> None:
    now, card = await clock.now(), await courses.assessment(course_id)
    coming = [o.next_change_at for o in card.obligations if o.next_change_at is not None and o.next_change_at > now]
    if not coming:
        raise CourseError("NothingDue", f"nothing is coming due for {course_id}")
    await clock.advance_to(min(coming))


def _leave(words: str, code: int) -> NoReturn:
    err.print(words)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
