"""The rules on the command line, without a server: assess and explain a chart file, look at protocols, compare them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import render
from cli.answers import Exit, Failed, answer
from intake.typed import read_instant
from intake.written import NotReadable
from models.bounds import YEARS
from models.chart import Chart
from models.pins import ProtocolPin
from models.protocol import Protocol
from models.zones import zone_of

if TYPE_CHECKING:
    from plumbing.site_file import SiteFile

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")]
ChartPath = Annotated[Path, typer.Argument(metavar="CHART.json", help="The chart; its form is in docs/chart.md.")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="As of when, with a zone: 2026-03-02T09:00:00+01:00.")]
LATEST = datetime(YEARS.most, 12, 31, tzinfo=UTC)
"""A chart without a start is read as if asked about late; a comparison takes its last fact as the moment."""
ProtocolName = Annotated[str, typer.Option("--protocol", metavar="P", help="A released protocol; there is no default.")]


def add_to(app: typer.Typer) -> None:
    """Give the command line what asks the rules about a file."""
    protocols = typer.Typer(
        help="Look at the released protocols.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )
    for name, command in (("list", protocol_list), ("show", protocol_show), ("diff", protocol_diff)):
        protocols.command(name)(command)
    app.command("assess")(assess)
    app.command("explain")(explain)
    app.add_typer(protocols, name="protocol")


def assess(chart: ChartPath, at: At, protocol: ProtocolName = "", as_json: AsJson = False) -> None:
    """Where the course of a chart file stands as of a time: the pure core, no server."""
    from clinical.assess import assess as core

    read, rules, now = _asked(chart, protocol, at)
    found = core(read, rules, now)
    answer(as_json, found, render.card(found, zone_of(read.course.zone)))


def explain(chart: ChartPath, at: At, protocol: ProtocolName = "", as_json: AsJson = False) -> None:
    """The decision card of a chart file, and for each command that may not be given: why, what would open it, when."""
    from clinical.explain import explain as core

    read, rules, now = _asked(chart, protocol, at)
    found, zone = core(read, rules, now), zone_of(read.course.zone)
    card = render.card(found.assessment, zone, refusals=False)  # they follow with all that opens them
    answer(as_json, found, card, render.explanation(found, zone))


def _asked(path: Path, protocol: str, at: str) -> tuple[Chart, Protocol, datetime]:
    now, rules = read_instant("--at", at), protocol_named(protocol)
    chart, written_for = _chart_of(path, rules, now)
    if written_for not in (None, rules.name):
        typer.echo(f"The chart was written for {written_for}; it is assessed under {rules.name}.", err=True)
    return chart, rules, now


def _chart_of(path: Path, rules: Protocol, asked_at: datetime) -> tuple[Chart, str | None]:
    from intake.chart_file import read_chart

    with reading(path) as raw:
        return read_chart(raw, pin_named(rules.name), asked_at)


# ── protocols ──────────────────────────────────────────────────────────────────────────────────────────────────────


def protocol_list(as_json: AsJson = False) -> None:
    """The released protocols."""
    from plumbing.protocol_files import released_names

    rows = [_about(protocol_named(name)) for name in released_names()]
    answer(as_json, rows, render.protocols_table(rows))


def protocol_show(name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False) -> None:
    """Every number of a protocol with clause, source and confidence, and every rule."""
    protocol = protocol_named(name)
    answer(as_json, protocol, render.protocol_tables(protocol))


def protocol_diff(
    a: Annotated[str, typer.Argument(metavar="A")],
    b: Annotated[str, typer.Argument(metavar="B")],
    charts: Annotated[
        Path | None, typer.Option("--charts", metavar="FOLDER", help="Chart files: which are decided differently.")
    ] = None,
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="As of when the charts are assessed; else as of their last fact."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Where protocol A differs from protocol B, with clauses and divergences; with --charts also which decisions differ."""
    first, second = protocol_named(a), protocol_named(b)
    rows = render.differences(first, second)
    document: dict[str, Any] = {"a": a, "b": b, "differences": rows}
    shown: list[Any] = [render.differences_table(rows, a, b)]
    if charts is not None:
        found = _compared(charts, first, second, read_instant("--at", at) if at else None)
        document |= {"charts": found}
        shown.append(f"\n{len(found['decisions'])} of {found['compared']} chart(s) are decided differently")
        shown += [render.decisions_table(found["decisions"], a, b)] if found["decisions"] else []
        shown += [f"not compared: {words}" for words in found["not_read"].values()]
    answer(as_json, document, *shown)


def _compared(folder: Path, a: Protocol, b: Protocol, at: datetime | None) -> dict[str, Any]:
    """How many charts of a folder were compared, which are decided differently, and which files are no chart."""
    from clinical.compare import difference

    files = sorted(folder.glob("*.json"))
    if not files:
        raise Failed(Exit.USAGE, "NotReadable", f"{folder} holds no chart file (*.json)")
    differing, not_read = [], {}
    for path in files:
        try:
            chart, _ = _chart_of(path, a, at or LATEST)
        except Failed as error:
            not_read[path.name] = error.words
            continue
        moment = at or max((f.recorded_at for f in chart.facts), default=chart.course.started_at)
        differing.append(difference(path.name, chart, a, b, moment))
    found = [d for d in differing if d is not None]
    return {"compared": len(differing), "decisions": found, "not_read": not_read}


def _about(protocol: Protocol) -> dict[str, Any]:
    from plumbing.site_file import sign_off

    site, pin = site_file(), pin_named(protocol.name)
    about = {"name": protocol.name, "title": protocol.title, "extends": protocol.extends}
    hashes = {"sha256": pin.sha256, "site_sha256": pin.site_sha256}
    signed = sign_off(site, pin.name, pin.sha256)
    return {**about, "divergences": list(protocol.divergences), **hashes, "signed": signed}


# ── reading files and protocols ────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def reading(path: Path) -> Iterator[bytes]:
    """The bytes of a file; whatever is found wrong with them is said with its name."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Failed(Exit.USAGE, "NotReadable", f"{path} cannot be read: {error.strerror}") from None
    try:
        yield raw
    except NotReadable as error:
        faults = "".join(f"\n  {fault}" for fault in error.faults)
        raise Failed(Exit.USAGE, "NotReadable", f"{path} cannot be read:{faults}", faults=list(error.faults)) from None


def protocol_named(name: str) -> Protocol:
    """The released protocol of this name. Raises `Failed` where none is named: there is no default."""
    from plumbing.protocol_files import load_protocol, released_names

    if not name:
        words = f"--protocol: name one, there is no default; released are: {', '.join(released_names())}"
        raise Failed(Exit.USAGE, "NoProtocol", words)
    return load_protocol(name, site=site_file())


def pin_named(name: str) -> ProtocolPin:
    """What a course pins that starts now on this protocol: its hash, and that of the site's file."""
    from plumbing.protocol_files import pin_of

    return pin_of(name, site=site_file())


def site_file() -> "SiteFile | None":
    """The site's own file, where one is named."""
    from plumbing.site_file import read_site_file
    from plumbing.site_settings import load_site_settings

    path = load_site_settings().site_file
    return read_site_file(path) if path else None
