"""`inocycle check`: searches the shipped rules over the orders of events, and plants bugs to see that the search notices."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answers import Exit, Failed
from cli.rules import protocol_named

if TYPE_CHECKING:
    from checker.plant import Outcome
    from checker.search import Found, Scope
    from checker.walks import Walk, Walked


def add_to(app: typer.Typer) -> None:
    """Give the command line the checker."""
    app.command("check")(check)


def check(
    bounded: Annotated[bool, typer.Option("--bounded", help="The short search of every test run.")] = False,
    protocol: Annotated[str, typer.Option("--protocol", metavar="P", help="Only this released protocol.")] = "",
    mutants: Annotated[bool, typer.Option("--mutants", help="Plant bugs instead: every one must be noticed.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the result there as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of lines.")] = False,
) -> None:
    """Search the rules over the orders of events: no unsafe infusion may start, and nothing may be lost."""
    lines = not as_json
    found = _planted(lines) if mutants else _searched(protocol, bounded, lines)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{json.dumps(found, indent=2)}\n")
    if as_json:
        typer.echo(json.dumps(found))
    if not found["ok"]:
        raise Failed(Exit.REFUSED, "CheckFailed", "an invariant was broken, or a planted bug was not noticed")


def _searched(only: str, bounded: bool, lines: bool) -> dict[str, Any]:
    from checker import scopes
    from plumbing.protocol_files import released_names

    protocols = (protocol_named(only).name,) if only else released_names()
    rows = []
    for protocol, scope, found in scopes.all_searched(protocols, scopes.bounded_run if bounded else scopes.full_run):
        rows.append(_row(protocol, scope, found))
        if lines:
            _tell(protocol, scope, found)
    return {"ok": all(not row["violations"] for row in rows), "searches": rows}


def _tell(protocol: str, scope: "Scope | Walk", found: "Found | Walked") -> None:
    from checker.words import summed_up

    typer.echo(summed_up(scope.name, protocol, found))
    for line in _stories(protocol, found):
        typer.echo(line)


def _stories(protocol: str, found: "Found | Walked") -> Iterator[str]:
    from checker.words import told
    from plumbing.protocol_files import load_protocol, pin_of

    for violation in found.violations:
        yield from told(violation, load_protocol(protocol), pin_of(protocol))


def _row(protocol: str, scope: "Scope | Walk", found: "Found | Walked") -> dict[str, Any]:
    return {
        "protocol": protocol,
        "scope": scope.name,
        "looked": found.looked,
        "decisions": found.decisions,
        "seconds": round(found.seconds, 1),
        "violations": [
            {
                "invariant": v.invariant,
                "clauses": v.clauses,
                "words": v.words,
                "story": _told(protocol, found),
            }
            for v in found.violations
        ],
    }


def _told(protocol: str, found: "Found | Walked") -> list[str]:
    return list(_stories(protocol, found))


def _planted(lines: bool) -> dict[str, Any]:
    from checker.plant import outcomes

    rows = []
    for outcome in outcomes():
        rows.append(asdict(outcome))
        if lines:
            typer.echo(_line(outcome))
    survivors = [row["mutant"] for row in rows if row["killed_by"] is None]
    if lines:
        typer.echo(f"{len(rows)} planted bugs, {len(rows) - len(survivors)} noticed")
    return {"ok": not survivors, "mutants": rows, "survivors": survivors}


def _line(outcome: "Outcome") -> str:
    if outcome.killed_by is None:
        return f"SURVIVED  {outcome.mutant}: {outcome.words} ({outcome.states:,} states searched)"
    return f"noticed   {outcome.mutant}: {outcome.words} -> {outcome.killed_by}, after {outcome.story} moves"
