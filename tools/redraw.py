"""Redraws the parts of documents and examples that come from code: `make docs`. A test in `tests/house/` fails where one differs.

A part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. To add one: write its function, name it in `DRAWN`,
put the two markers into the document.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from cli.answers import EXITS
from clinical.assess import assess
from clinical.coding.codes import LOINC
from clinical.coding.units import FACTORS, label
from clinical.states import BEDSIDE, DOSING, ENDING, edges, may_follow
from intake.chart_file import read_chart
from intake.chart_words import BY_THE_SERVICE, meaning
from intake.forms import fields_of, kinds_of
from models.assessment import CourseState
from models.facts import Body
from plumbing.protocol_files import load_protocol, pin_of
from plumbing.server_limits import as_yaml

ROOT = Path(__file__).resolve().parent.parent
Draw = Callable[[], str]


class NotDrawn(Exception):
    """A part that has no place in its document: its markers are missing, or stand there twice."""


def state_diagram() -> str:
    """The states of a course as Mermaid: the usual way, and what several states have in common."""
    usual = edges()
    held = [s for s in DOSING if may_follow(s, CourseState.HELD) and may_follow(CourseState.HELD, s)]
    steps = [
        f"[*] --> {usual[0][0]}",
        *(f"{before} --> {after}" for before, after in usual),
        f"{CourseState.COMPLETED} --> [*]",
        'state "a next dose is looked at" as looking',
        f"looking --> {CourseState.HELD}",
        f"{CourseState.HELD} --> looking",
        'state "any state" as any',
        *(f"any --> {ending}" for ending in ENDING),
        f"{CourseState.CORRECTION_REVIEW} --> any",
    ]
    words = f"*A next dose is looked at* in {_quoted(held)}. At the bedside are {_quoted(BEDSIDE)}."
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {step}" for step in steps), "```", "", words])


def server_limits() -> str:
    """What a cluster's dynamic configuration must say."""
    return f"```yaml\n{as_yaml()}```"


def fact_kinds() -> str:
    """Every kind of fact with its fields, as a chart file writes them."""
    return "\n\n".join(_fact_kind(kind, model) for kind, model in kinds_of(Body).items())


def _fact_kind(kind: str, model: type[BaseModel]) -> str:
    fields = fields_of(model)
    by_the_service = " Written by the service itself." if kind in BY_THE_SERVICE else ""
    head = f"### `{kind}`\n\n{inspect.cleandoc(model.__doc__ or '')}{by_the_service}"
    if not fields:
        return f"{head}\n\nIt has no fields."
    rows = [
        f"| `{f.name}` | {_cell(f.accepts)} | {'yes' if f.required else ''} | {_cell(meaning(kind, f.name))} |"
        for f in fields
    ]
    return "\n".join([head, "", "| field | what may stand in it | needed | meaning |", "|---|---|---|---|", *rows])


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def analytes() -> str:
    """Which results are understood: analyte, LOINC codes, UCUM units."""
    codes: dict[str, list[str]] = {}
    for code, analyte in LOINC.items():
        codes.setdefault(analyte, []).append(code)
    units = {name: [unit for analyte, unit in FACTORS if analyte == name] for name in codes}
    rows = [f"| {label(name)} | {', '.join(codes[name])} | {_quoted(units[name])} |" for name in codes]
    return "\n".join(["| analyte | LOINC | units |", "|---|---|---|", *rows])


def exit_codes() -> str:
    """The exit codes of the command line."""
    rows = [f"| {code.value} | {words} |" for code, words in EXITS.items()]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])


def rules_decided() -> str:
    """The clauses that functions decide."""
    from tools.rules_doc import decided

    return decided()


def rules_left() -> str:
    """The clauses that no function decides."""
    from tools.rules_doc import left_to_people

    return left_to_people()


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


DRAWN: Mapping[str, Mapping[str, Draw]] = {
    "docs/architecture.md": {"states": state_diagram},
    "docs/rules.md": {"decided": rules_decided, "not-decided": rules_left},
    "docs/operations.md": {"server-limits": server_limits},
    "docs/chart.md": {"exit-codes": exit_codes, "fact-kinds": fact_kinds, "analytes": analytes},
}
"""Document, from the top of the repository -> part -> the function that draws it."""


SIGNED = {"docs/examples/c1d1-may-start.json": ("us-label-2024.1", "2026-03-02T09:00+01:00")}
"""Example charts that hold a signature -> the protocol and the instant of signing."""


def signed_again(text: str, protocol: str, at: str) -> str:
    """A chart whose signature is bound to its dose as the rules now compute it; with another binding it has lapsed."""
    signed_at = datetime.fromisoformat(at)
    chart = read_chart(text, pin_of(protocol), signed_at).chart
    dose = assess(chart, load_protocol(protocol), signed_at).dose
    assert dose is not None, "a signed example has a dose"
    return re.sub(r'"binding": "[0-9a-f]*"', f'"binding": "{dose.binding}"', text)


def redrawn(text: str, parts: Mapping[str, Draw]) -> str:
    """The document with its drawn parts as the code says. Raises `NotDrawn`."""
    for name, draw in parts.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise NotDrawn(f"{begin.strip()} and {end} must stand there once, in this order")
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = f"{before}{begin}{draw().strip()}\n{end}{after}"
    return text


def parts_marked(text: str) -> set[str]:
    """The names of the parts that a document has markers for."""
    return set(re.findall(r"<!-- ([\w-]+):(?:begin|end) -->", text))


def main() -> int:
    """Write every document that differs, and say which."""
    sys.path.append(str(ROOT))  # started as a file it sees only its own folder
    for name, parts in DRAWN.items():
        _rewrite(name, partial(redrawn, parts=parts))
    for name, (protocol, at) in SIGNED.items():
        _rewrite(name, partial(signed_again, protocol=protocol, at=at))
    return 0


def _rewrite(name: str, draw: Callable[[str], str]) -> None:
    document = ROOT / name
    before = document.read_text(encoding="utf-8")
    after = draw(before)
    if after != before:
        document.write_text(after, encoding="utf-8")
    sys.stdout.write(f"{'redrawn ' if after != before else 'as drawn'} {name}\n")


if __name__ == "__main__":
    sys.exit(main())
