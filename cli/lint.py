"""`inocycle labs lint`: before go-live, what of a laboratory's real messages is understood, what is not and why.

It asks no course, no record and no key, says no value of a patient, and prints the lines of `site.toml` that a site would sign.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from cli.answers import Exit, Failed, answer
from cli.rules import protocol_named
from intake.outcome import LOST_NOTHING

if TYPE_CHECKING:
    from intake.outcome import Intake, RefusedEntry
    from models.facts import LabResult
    from models.protocol import Protocol

LABEL = "us-label-2024.1"


class Line(NamedTuple):
    """What is said of all results of one sender, code, name and unit: the analyte, or why none may be used."""

    sender: str
    code: str
    name: str
    unit: str
    understood: bool
    what: str


class Alias(NamedTuple):
    """A word of a sender for a unit, and the UCUM unit that it seems to mean; nothing where nobody can tell."""

    sender: str
    word: str
    means: str
    analyte: str


def lint(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="FHIR R4 JSON as the laboratory really sends it.")
    ],
    protocol: Annotated[str, typer.Option("--protocol", metavar="P", help="Whose rules read it.")] = LABEL,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")] = False,
) -> None:
    """Say what of these messages is understood, what is not and why, and which lines of `site.toml` would mend it.

    Files may be compressed with gzip. The site file that is set counts already. No value is told. Exits with 2 where
    something is not understood, or nothing is a result.
    """
    rules = protocol_named(protocol)
    read, of_nobody = {}, []
    for path in files:
        read[str(path)], lost = _read(path)
        of_nobody += [(str(path), r) for r in lost]
    lines = _counted(line for intake in read.values() for line in _lines(intake, rules))
    aliases = sorted({alias for intake in read.values() for alias in _aliases(intake, rules)})
    refused = of_nobody + [
        (name, r)
        for name, intake in read.items()
        for r in intake.refused
        if r.type not in LOST_NOTHING or not intake.messages
    ]
    document = {
        "results": [{**line._asdict(), "number": number} for line, number in lines.items()],
        "refused": [{"file": name, **r.model_dump(mode="json")} for name, r in refused],
        "site_toml": _toml(aliases),
    }
    shown = [
        *([_table(lines)] if lines else []),
        *_refusals(refused),
        *(Text(f"{name}: nothing in it is a result") for name, intake in read.items() if not intake.messages),
        *_to_sign(aliases),
    ]
    answer(as_json, document, *shown)
    silent = [name for name, intake in read.items() if not intake.messages]
    understood = not refused and not silent and all(line.understood for line in lines)
    raise typer.Exit(int(Exit.OK if understood else Exit.USAGE))


def _read(path: Path) -> "tuple[Intake, list[RefusedEntry]]":
    """What a file says, whoever it is about, and what of it would reach no course because nobody knows of whom it is."""
    from intake.fhir import read_fhir
    from intake.outcome import ExpectedSubject, Refusal
    from models.people import Actor, Role

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Failed(Exit.USAGE, "NotReadable", f"{path} cannot be read: {error.strerror}") from None
    anybody = ExpectedSubject(lambda system, value: f"{system}|{value}", lambda day: day.isoformat())
    lint = Actor(role=Role.LABORATORY, id="lint")
    found = read_fhir(raw, expected=anybody, by=lint)
    whose = [r for r in found.refused if r.type in (Refusal.SUBJECT_MISSING, Refusal.SUBJECT_MISMATCH)]
    if not whose:
        return found, []
    return read_fhir(raw, expected=replace(anybody, whoever=True), by=lint), whose


def _refusals(refused: "Iterable[tuple[str, RefusedEntry]]") -> Iterable[Text]:
    """One line for each file and reason: where first, and how often."""
    places: dict[tuple[str, str], list[str]] = {}
    for name, r in refused:
        places.setdefault((name, f"{r.reason} ({r.type})"), []).append(f"{r.where}: {r.resource_type}")
    for (name, reason), at in places.items():
        more = f" and {len(at) - 1} more" if len(at) > 1 else ""
        yield Text(f"{name}: {at[0]}{more}: {reason}")


def _lines(intake: "Intake", protocol: "Protocol") -> Iterable[Line]:
    for message in intake.messages:
        for result in message.results:
            understood, what = _said(result, protocol)
            code = " ".join((result.loinc, *(result.codes or ())))
            yield Line(result.sender or "", code, result.display or "", result.unit or "", understood, what)
        for one in message.withdrawn or ():
            yield Line(
                one.sender or "",
                " ".join(one.loincs or ()),
                one.display or "",
                "",
                False,
                f"{one.how}: takes back what is not here",
            )


def _said(result: "LabResult", protocol: "Protocol") -> tuple[bool, str]:
    """Whether it is read as a result that may be used, as what, or why not; without its value."""
    from clinical.coding.meaning import meaning
    from clinical.coding.units import label
    from clinical.results.trouble import trouble_of, understood

    meant = meaning(result)
    named = ", ".join(sorted(label(analyte) for analyte in meant.analytes))
    if not meant.analytes:
        return True, "not read by any rule; shown on the card"
    if not meant.certain:
        return (
            False,
            f"may be {named}: its code is not known, so it keeps the gate closed until a person says what it is",
        )
    (analyte,) = meant.analytes
    trouble = trouble_of(analyte, understood(analyte, result, protocol), protocol, in_the_future=False)
    if trouble is None:
        return True, named
    why = "its value cannot be read as a number" if result.value is None and trouble.rule == "LAB-05" else trouble.why
    return False, f"{named}: {trouble.rule} {'it is implausible' if trouble.high or trouble.low else why}"


def _aliases(intake: "Intake", protocol: "Protocol") -> Iterable[Alias]:
    """Words for units that nobody knows yet, with what they seem to mean: a person signs them, or does not."""
    from clinical.coding.meaning import meaning
    from clinical.coding.units import FACTORS, in_other_words, label, ucum

    for result in (result for message in intake.messages for result in message.results):
        meant = meaning(result)
        for word in {result.unit, result.limit_unit} - {None, ""} if meant.certain else ():
            (analyte,) = meant.analytes
            assert word is not None
            if ucum(analyte, word, protocol.aliases.get(result.sender or "", {})) is None:
                seems = in_other_words(word) or ""
                yield Alias(result.sender or "", word, seems if (analyte, seems) in FACTORS else "", label(analyte))


def _toml(aliases: Sequence[Alias]) -> str:
    """The lines to sign: what seems to be meant, and as a remark what only the laboratory can say."""
    lines: list[str] = []
    for sender in dict.fromkeys(alias.sender for alias in aliases):
        own = {(a.word, a.means): a for a in aliases if a.sender == sender}
        lines.append(f"[senders.{_quoted(sender)}.aliases]")
        for (word, means), alias in own.items():
            if means:
                lines.append(f"{_quoted(word)} = {_quoted(means)}")
            else:
                lines.append(f'# {_quoted(word)} = "…"  # {alias.analyte}: ask the laboratory')
        lines.append("")
    return "\n".join(lines).rstrip()


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _counted(lines: Iterable[Line]) -> Mapping[Line, int]:
    found: dict[Line, int] = {}
    for line in lines:
        found[line] = found.get(line, 0) + 1
    return dict(sorted(found.items(), key=lambda one: (one[0].understood, one[0])))


def _table(lines: Mapping[Line, int]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("sender", "code", "name", "unit", "results", "understood as"):
        table.add_column(column, overflow="fold")
    for line, number in lines.items():
        style = "" if line.understood else "bold yellow"
        what = line.what if line.understood else f"not understood – {line.what}"
        table.add_row(line.sender or "–", line.code, line.name, line.unit, str(number), Text(what, style=style))
    return table


def _to_sign(aliases: Sequence[Alias]) -> list[Any]:
    return (
        [Text("\nfor the site file, once a person of the laboratory has agreed:\n"), Text(_toml(aliases))]
        if aliases
        else []
    )
