"""docs/rules.md: every clause with its values, confidence, override class, functions and tests; then what is not decided."""

from collections.abc import Iterable, Iterator

from models.protocol import Override
from plumbing.protocol_files import released_names
from tools.rule_trace import WHOLE_FILE, Place, Trace, traces

OVERRIDES = {
    Override.NEVER: "never (OVR-01)",
    Override.SECOND_PERSON: "prescriber and a second person (OVR-02)",
    Override.PRESCRIBER: "prescriber with a reason (OVR-03)",
    Override.NONE: "no class, so nobody",
}
NOTHING = "–"
LABEL_FIRST = sorted(released_names(), key=lambda name: (not name.startswith("us-"), name))
"""The protocols in the order of showing: the label, which the others extend, first."""


def decided() -> str:
    """The clauses that functions decide, family by family."""
    head = "| clause | values | confidence | override | decided in | proved in |\n|---|---|---|---|---|---|"
    families: dict[str, list[Trace]] = {}
    for trace in traces():
        if trace.decided:
            families.setdefault(trace.clause.rpartition("-")[0], []).append(trace)
    parts = ["\n".join([f"### {family}\n", head, *map(_row, found)]) for family, found in families.items()]
    return "\n\n".join(parts)


def left_to_people() -> str:
    """The clauses that no function decides, each with the reason."""
    rows = [f"| {t.clause} | {t.not_decided} |" for t in traces() if not t.decided]
    return "\n".join(["| clause | why no function decides it |\n|---|---|", *rows])


def values_of(trace: Trace) -> Iterator[str]:
    """Each number of a clause once, with the protocols whose value differs from the label's named behind theirs."""
    base = dict(trace.entries.get(LABEL_FIRST[0], ()))
    yield from (f"{path.split('.', 1)[1]} {entry.shown()}" for path, entry in base.items())
    for name in LABEL_FIRST[1:]:
        own = [(p, e) for p, e in trace.entries.get(name, ()) if p not in base or base[p].value != e.value]
        yield from (f"{path.split('.', 1)[1]} {entry.shown()} ({name})" for path, entry in own)


def title_of(trace: Trace) -> str:
    """What the rule is called on a card; nothing for a clause that makes no finding."""
    return next((trace.rules[name].title for name in LABEL_FIRST if name in trace.rules), "")


def confidence_of(trace: Trace) -> str:
    """How well the numbers and the rule of a clause are known."""
    found = [e.confidence.shown for entries in trace.entries.values() for _, e in entries]
    found += [info.confidence.shown for info in trace.rules.values()]
    return ", ".join(sorted(set(found))) or NOTHING


def override_of(trace: Trace) -> str:
    """Who may set a finding of this rule aside, with the protocol where they differ."""
    classes = {name: OVERRIDES[trace.rules[name].override] for name in LABEL_FIRST if name in trace.rules}
    distinct = list(dict.fromkeys(classes.values()))
    if len(distinct) <= 1:
        return distinct[0] if distinct else NOTHING
    return "; ".join(f"{word} ({name})" for name, word in classes.items())


def _row(trace: Trace) -> str:
    title, settled = title_of(trace), f"read as {', '.join(trace.settled_by)}" if trace.settled_by else ""
    clause = ": ".join(filter(None, (trace.clause, title)))
    values = "; ".join(filter(None, (settled, *values_of(trace)))) or NOTHING
    cells = (
        clause,
        values,
        confidence_of(trace),
        override_of(trace),
        _functions(trace.functions),
        _tests(trace.tests),
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _functions(places: Iterable[Place]) -> str:
    return ", ".join(dict.fromkeys(_function(place) for place in places)) or NOTHING


def _function(place: Place) -> str:
    room = place.file.rsplit("/", 1)[-1].removesuffix(".py")
    return f"`{room}`" if place.name == WHOLE_FILE else f"`{room}.{place.name}`"


def _tests(places: Iterable[Place]) -> str:
    return ", ".join(dict.fromkeys(f"`{place.file.removeprefix('tests/')}`" for place in places)) or NOTHING
