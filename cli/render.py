"""What the command line shows a person: cards, tables and times. No rule, no parsing, nothing is fetched here."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clinical.compare import Decided, Differs
from clinical.explain import Blocked, Explanation
from intake.forms import Field, fields_of, kinds_of
from intake.outcome import LOST_NOTHING, Intake
from models.assessment import OVER, Assessment, DosePlan, Finding, Receipt, Refused
from models.base import counted, plain
from models.chart import Chart
from models.facts import FindingBody
from models.messages import COMMANDS, Command, Request
from models.protocol import Entry, Protocol, RuleInfo
from models.status import Status
from models.zones import zone_of

if TYPE_CHECKING:
    from services.reading_again import Tried

WIDTH_OF_A_PIPE = 140
"""Where no terminal says how wide it is: a sentence stays on few lines, and a search finds it."""

_OVERRIDES = {
    "never": "cannot be overridden",
    "prescriber_and_second_person": "override: prescriber and a second person",
    "prescriber_with_reason": "override: prescriber, with a reason",
    "none": "no override",
}
_GRAVE = frozenset({"DISCONTINUED", "HOLD_URGENT", "PROPOSE_DISCONTINUE", "HOLD", "BLOCK_CYCLE"})
_OPEN = frozenset({"MAY_AUTHORISE", "MAY_START", "NO_DOSE_DUE"})


def show(*what: RenderableType, to_stderr: bool = False) -> None:
    """Print for a person; plain text where nobody looks at a terminal."""
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_OF_A_PIPE
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    for item in what:
        console.print(item)


def when(instant: datetime | None, zone: ZoneInfo) -> str:
    """An instant at the site and in UTC: `2026-03-02 09:00 CET (08:00 UTC)`."""
    if instant is None:
        return "–"
    there, utc = instant.astimezone(zone), instant.astimezone(UTC)
    seconds = ":%S" if there.second else ""
    if there.utcoffset() == utc.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M{seconds}} UTC"
    day = "" if there.date() == utc.date() else "%Y-%m-%d "
    return f"{there:%Y-%m-%d %H:%M{seconds}} {there.tzname()} ({utc:{day}%H:%M{seconds}} UTC)"


# ── a course ───────────────────────────────────────────────────────────────────────────────────────────────────────


def card(assessment: Assessment, zone: ZoneInfo, *, refusals: bool = True) -> RenderableType:
    """The whole card: verdict with its time, why, the dose, what is due, what may be done and (`refusals`) what not."""
    until = when(assessment.valid_until, zone) if assessment.valid_until else "something is reported"
    head = [
        _line(Text(assessment.headline, style=style_of(assessment.verdict)), f"   state {assessment.state}"),
        Text(f"as of {when(assessment.as_of, zone)} until {until}"),
        Text(
            f"cycle {assessment.cycle}, protocol {assessment.protocol}{_divergences(assessment)}{_totals(assessment)}"
        ),
    ]
    return Group(
        *head,
        *(Text(f"turn: {owner} – {action}") for owner, action in assessment.whose_turn),
        *([Text(f"at the bedside: {assessment.under_way}")] if assessment.under_way else []),
        *(Text(f"signed: {words}") for words in assessment.signatures),
        *(Text(f"lapsed: {words}") for words in assessment.lapsed),
        *([Text(f"next step: {assessment.next_step()}")] if assessment.next_step() else []),
        *_titled("Why", findings_table(assessment.findings, zone, assessment), assessment.findings),
        *_titled("Dose", dose_table(assessment.dose), assessment.dose),
        *_titled("Due", obligations_table(assessment, zone), assessment.obligations),
        *_titled("Commands", _commands(assessment, zone, refusals), assessment.commands),
    )


def status_lines(status: Status) -> RenderableType:
    """The course's name, its execution, and what an administrator must know."""
    so_far = f"{counted(status.decisions, 'decision')}, {counted(status.facts, 'fact')}"
    lines = [f"{status.course_id}   {status.workflow_type}, {so_far}"]
    lines += [f"waiting for the record: {status.unwritten}"] if status.unwritten else []
    lines += [f"ATTENTION: {words}" for words in status.trouble]
    return Text("\n".join(lines))


def findings_table(findings: Sequence[Finding], zone: ZoneInfo, of: Assessment | None = None) -> Table:
    """Each finding: what it asks for, because of what, what clears it, and on whose word."""
    table = _grid("rule", "asks", "because")
    for finding, following in zip_longest(findings, findings[1:]):
        asked = of.asked_by(finding) if of else str(finding.verdict or "")
        asks = Text(asked, style=style_of(finding.verdict or "")) if asked else Text("–", style="dim")
        last_on_this_word = following is None or _on_whose_word(following) != _on_whose_word(finding)
        table.add_row(finding.rule, asks, _finding_words(finding, zone, last_on_this_word))
    return table


def _on_whose_word(finding: Finding) -> str:
    """Its clause with source, how sure that is, and who may set it aside."""
    words = (finding.clause, finding.confidence, _OVERRIDES.get(finding.override or ""))
    return " · ".join(w for w in words if w)


def _finding_words(finding: Finding, zone: ZoneInfo, on_whose_word: bool) -> Text:
    words = Text(finding.reason)
    for given in finding.inputs:
        taken = f", {when(given.taken_at, zone)}" if given.taken_at else ""
        words.append(f"\n{given.name} {given.value}{taken}")
    if finding.overridden:
        words.append(f"\n{finding.overridden}")
    if finding.clears:
        words.append(f"\nclears with {finding.clears}")
    if finding.earliest_at:
        words.append(f"\nearliest {when(finding.earliest_at, zone)}")
    if on_whose_word:
        words.append(f"\n{_on_whose_word(finding)}", style="dim")
    return words


def dose_table(dose: DosePlan | None) -> RenderableType:
    """The dose card: mg/m² x BSA -> mg -> mL -> vials."""
    table = _grid("dose", "mg/m²", "BSA m²", "mg", "mL", "vials", "level", "from")
    if dose is not None:
        numbers = (dose.mg_per_m2, dose.bsa_m2, dose.mg, dose.ml)
        body = f"{plain(dose.weight_kg)} kg, {plain(dose.height_cm)} cm"
        table.add_row(f"C{dose.cycle}D{dose.day}", *map(plain, numbers), str(dose.vials), dose.level, body)
    return table


def obligations_table(assessment: Assessment, zone: ZoneInfo) -> Table:
    """What is due from whom, the gravest calls first, then first due first; of what calls the key too, by which
    `acknowledge` and `snooze` name it.
    """
    table = _grid("what", "who", "due", "overdue after", "now", "rule")
    calling = assessment.calling
    for o in sorted(assessment.obligations, key=lambda o: (o not in calling, o.due_at, o.key)):
        late = Text(o.standing, style="bold red" if o.standing == "overdue" else "")
        who = "\n".join([*o.owners, *(answer.words(zone) for answer in o.answers)])
        what = Text(o.title)
        if o.standing != "coming":
            what.append(f"\n{o.key}", style="dim")
        table.add_row(what, who, when(o.due_at, zone), when(o.overdue_at, zone), late, o.rule)
    return table


def facts_table(chart: Chart, zone: ZoneInfo) -> Table:
    """The facts as they were recorded."""
    table = _grid("fact", "when", "by", "what")
    for fact in chart.facts:
        said = fact.what.model_dump(mode="json", exclude_none=True, exclude={"kind"})
        words = ", ".join(f"{name} {_short(value)}" for name, value in said.items() if value not in ((), [], ""))
        table.add_row(fact.id, when(fact.at, zone), str(fact.by), f"{fact.what.kind}: {words}".rstrip(": "))
    return table


def courses_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """One line for each course."""
    table = _grid("course", "state", "verdict", "cycle", "held by", "next due (UTC)", "overdue", "protocol", "run")
    for row in rows:
        due = row["next_due_at"]
        cells = (row["course_id"], row["state"], row["verdict"], row["cycle"], ", ".join(row["hold_reason"] or ()))
        more = (f"{due:%Y-%m-%d %H:%M}" if due else None, "yes" if row["overdue"] else "", row["protocol"])
        table.add_row(*(str(c) if c is not None else "–" for c in (*cells, *more, row["status"])))
    return table


def tried_table(tried: "Iterable[Tried]") -> Table:
    """One line for each message that was tried again."""
    table = _grid("message", "hash", "became", "because")
    for one in tried:
        became = Text("read", style="bold green") if one.read else Text("still unreadable", style="bold yellow")
        table.add_row(one.name, one.sha256[:16], became, one.why)
    return table


# ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def receipt_lines(receipt: Receipt) -> RenderableType:
    """What became of a command."""
    text = Text(f"decision {receipt.decision}: accepted ({receipt.message_id})\n")
    text.append(str(receipt.verdict), style=style_of(receipt.verdict))
    return text.append(f"   state {receipt.state}\n{receipt.sentence}")


def refusal_card(refusal: Refused, zone: ZoneInfo) -> RenderableType:
    """What is refused, what was seen, by which rule, what clears it, and when at the earliest."""
    lines: list[RenderableType] = [Text(f"REFUSED ({refusal.type})", style="bold red"), Text(refusal.message)]
    if refusal.findings:
        lines.append(findings_table(refusal.findings, zone))
    if refusal.earliest_at:
        lines.append(Text(f"at the earliest {when(refusal.earliest_at, zone)}"))
    return Group(*lines)


def intake_table(files: Mapping[str, Intake]) -> RenderableType:
    """For each file the messages sent, and every entry that is in none of them: by name where it may have been a result."""
    table = _grid("file", "entry", "became", "because")
    for name, intake in files.items():
        for message in intake.messages:
            drawn = sorted({when(r.collected_at, zone_of(None)) for r in message.results})
            withdrawn = f"{len(message.withdrawn or ())} withdrawal(s)" if message.withdrawn else ""
            held = f"{len(message.results)} result(s)" if message.results else withdrawn
            table.add_row(name, held, "sent", f"{message.id}, collected {', '.join(drawn)}" if drawn else message.id)
        of_no_result = [r for r in intake.refused if intake.messages and r.type in LOST_NOTHING]
        for entry in (r for r in intake.refused if r not in of_no_result):
            refused = Text(str(entry.type), style="yellow")
            table.add_row(name, f"{entry.where}: {entry.resource_type}", refused, entry.reason)
        if of_no_result:
            kinds = ", ".join(sorted({r.resource_type for r in of_no_result}))
            table.add_row(
                name, Text(f"{len(of_no_result)} other", "dim"), Text("read", "dim"), Text(f"no result: {kinds}", "dim")
            )
    return table


def commands_list(roles: Mapping[str, Iterable[str]]) -> RenderableType:
    """Every command with who may give it and its fields, those that must be given marked with a star."""
    table = _grid("command", "for", "fields (* must be given)")
    for name, command in COMMANDS.items():
        what = Text(name, style="bold").append(
            f"\n{'asks' if issubclass(command, Request) else 'reports'}", style="dim"
        )
        table.add_row(what, ", ".join(roles[name]), _field_words(command_fields(command)))
    findings = _grid("finding.kind", "its fields, each as finding.FIELD=…")
    for kind, finding in kinds_of(FindingBody).items():
        findings.add_row(kind, _field_words(fields_of(finding)))
    return Group(table, Text(), findings)


def command_fields(kind: type[Command]) -> tuple[Field, ...]:
    """The fields of a command beside those of every message."""
    return fields_of(kind, frozenset(Command.model_fields))


def _field_words(fields: Iterable[Field]) -> str:
    return "\n".join(f"{f.name}{'*' if f.required else ''}: {f.accepts}" for f in fields) or "–"


# ── protocols ──────────────────────────────────────────────────────────────────────────────────────────────────────


def protocols_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The released protocols."""
    table = _grid("name", "title", "extends", "divergences", "sha256", "site file", "signed off")
    for row in rows:
        divergences, signed = ", ".join(row["divergences"]) or "–", row["signed"]
        hashes = (row["sha256"][:16], (row["site_sha256"] or "–")[:16])
        table.add_row(
            *(row["name"], row["title"], row["extends"] or "–", divergences, *hashes),
            f"{signed.name}, {signed.role}, {signed.date}" if signed else "–",
        )
    return table


def protocol_tables(protocol: Protocol) -> RenderableType:
    """Every number with clause, source and confidence, then every rule."""
    numbers = _grid("path", "value", "clause", "confidence", "source", "divergence")
    for path, e in protocol.entries():
        source = protocol.sources.get(e.source, e.source)
        numbers.add_row(path, e.shown(), e.clause, e.confidence.shown, source, e.divergence or "")
    rules = _grid("rule", "title", "confidence", "override", "source")
    for rule, info in protocol.rules.items():
        source = protocol.sources.get(info.source, info.source)
        rules.add_row(rule, info.title, info.confidence.shown, _OVERRIDES[info.override], source)
    return Group(Text(f"{protocol.name}: {protocol.title}", style="bold"), numbers, Text(), rules)


def differences(a: Protocol, b: Protocol) -> list[dict[str, Any]]:
    """Where two protocols differ: path, both values, clauses, and the divergence that the overriding one names."""
    mine, theirs = dict(a.entries()), dict(b.entries())
    paths = list(dict.fromkeys((*mine, *theirs)))
    rows = [_difference(path, mine.get(path), theirs.get(path)) for path in paths if mine.get(path) != theirs.get(path)]
    rules = list(dict.fromkeys((*a.rules, *b.rules)))
    changed = [r for r in rules if a.rules.get(r) != b.rules.get(r)]
    return rows + [_rule_difference(r, a.rules.get(r), b.rules.get(r)) for r in changed]


def differences_table(rows: Sequence[Mapping[str, Any]], a: str, b: str) -> Table:
    """The differences side by side."""
    table = _grid("path", a, b, "clause", "divergence")
    for row in rows:
        clauses = " / ".join(row["clauses"])
        table.add_row(row["path"], row["a"] or "–", row["b"] or "–", clauses, row["divergence"] or "–")
    return table


def _difference(path: str, a: Entry | None, b: Entry | None) -> dict[str, Any]:
    given = [e for e in (a, b) if e is not None]
    return {
        "path": path,
        "a": _told_apart(a, b),
        "b": _told_apart(b, a),
        "clauses": list(dict.fromkeys(e.clause for e in given)),
        "divergence": next((e.divergence for e in given if e.divergence), None),
    }


def _told_apart(entry: Entry | None, other: Entry | None) -> str | None:
    """The value; where the other's is the same, also how well it is known and from where, for there lies the difference."""
    if entry is None or other is None or entry.shown() != other.shown():
        return entry.shown() if entry else None
    return f"{entry.shown()} ({entry.confidence.shown}, {entry.source})"


def _rule_difference(rule: str, a: RuleInfo | None, b: RuleInfo | None) -> dict[str, Any]:
    divergence = next((r.divergence for r in (a, b) if r and r.divergence), None)
    return {"path": f"rules.{rule}", "a": _rule(a), "b": _rule(b), "clauses": [rule], "divergence": divergence}


def _rule(info: RuleInfo | None) -> str | None:
    if info is None:
        return None
    return f"{info.title} ({info.source}, {info.confidence.shown}, {_OVERRIDES[info.override]})"


def decisions_table(rows: Sequence[Differs], a: str, b: str) -> Table:
    """The charts that two protocols decide differently, side by side."""
    table = _grid("chart", "as of (UTC)", a, b)
    for row in rows:
        table.add_row(row.chart, f"{row.at:%Y-%m-%d %H:%M}", _decision_words(row.a), _decision_words(row.b))
    return table


def _decision_words(decided: Decided) -> str:
    about = f" for {decided.next_dose}" if decided.next_dose else ""
    rules = f"\n{', '.join(decided.rules)}" if decided.rules else ""
    return f"{decided.verdict}{about}{rules}\n{decided.dose or 'no dose'}"


# ── why ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def explanation(found: Explanation, zone: ZoneInfo) -> RenderableType:
    """For the commands that may not be given: why, what would open them, who may, and when at the earliest."""
    lines: list[RenderableType] = [Text(), Text("What would open what may not be done now", style="bold")]
    alike: dict[object, list[Blocked]] = {}
    for blocked in found.blocked:
        alike.setdefault((blocked.refusal, blocked.needs, blocked.opens_with), []).append(blocked)
    for group in alike.values():
        names, first = ", ".join(b.command for b in group), group[0]
        lines += [Text(), Text(names, style="bold"), Text(f"  {first.why} ({first.refusal})")]
        lines += [
            Padding(Text(words), (0, 0, 0, 2), expand=False)
            for words in (*_opens(first), *_at_the_earliest(group, zone))
        ]
    return Group(*lines)


def _opens(blocked: Blocked) -> Iterator[str]:
    """What opens it, one line for a rule and those who may set it aside."""
    if blocked.opens_with is not None:
        yield f"opens with {blocked.opens_with}"
    together: dict[tuple[str, str], list[str]] = {}
    for finding in blocked.needs:
        who = _OVERRIDES.get(finding.override or "", "")
        may = f" ({who})" if who.startswith("override") else ""
        together.setdefault((finding.rule, may), []).append(finding.clears or "")
    for (rule, may), clears in together.items():
        yield f"{rule}: {'; '.join(dict.fromkeys(clears))}{may}"


def _at_the_earliest(group: Sequence[Blocked], zone: ZoneInfo) -> Iterator[str]:
    """When, for all alike or each by its name."""
    for words, instants in (
        ("at the earliest", {b.command: b.earliest_at for b in group}),
        ("by time alone it opens", {b.command: b.opens_by_itself_at for b in group}),
    ):
        told = {command: at for command, at in instants.items() if at is not None}
        alike = len(set(instants.values())) == 1
        for command, at in list(told.items())[: 1 if alike else None]:
            yield f"{words} {when(at, zone)}" if alike else f"{command}: {words} {when(at, zone)}"


# ── small parts ────────────────────────────────────────────────────────────────────────────────────────────────────


def _grid(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _titled(title: str, content: RenderableType, there: object) -> list[RenderableType]:
    return [Text(), Text(title, style="bold"), content] if there else []


def _line(*parts: Text | str) -> Text:
    return Text.assemble(*parts)


def style_of(verdict: object) -> str:
    """Red for what stops a dose, green for what lets it pass, yellow for what waits."""
    return "bold red" if verdict in _GRAVE else "bold green" if verdict in _OPEN else "bold yellow"


def _divergences(assessment: Assessment) -> str:
    return f" (departs from the label: {', '.join(assessment.divergences)})" if assessment.divergences else ""


def _totals(assessment: Assessment) -> str:
    totals = assessment.cycle_totals_mg_per_m2
    return f", given so far: {'; '.join(totals)}" if totals else ""


def _commands(assessment: Assessment, zone: ZoneInfo, refusals: bool) -> RenderableType:
    if assessment.state in OVER:  # its execution has ended, and takes none
        return Text("none: the course is over; a document that still comes waits in the inbox")
    may = Text(f"may be given now: {', '.join(c.command for c in assessment.commands if c.may)}")
    if not refusals:
        return may
    table = _grid("refused now", "because")
    for command in assessment.commands:
        if not command.may:
            earliest = f"; at the earliest {when(command.earliest_at, zone)}" if command.earliest_at else ""
            table.add_row(command.command, f"{command.why} ({command.refusal}){earliest}")
    return Group(may, table)


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
