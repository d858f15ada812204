"""docs/rules.md: every clause with its values, confidence, override class, functions and tests; then what is not decided."""

from collections.abc import Iterable

from models.protocol import Override
from plumbing.protocol_files import released_names
from tools.rule_trace import Place, Trace, traces

_OVERRIDES = {
    Override.NEVER: "never (OVR-01)",
    Override.SECOND_PERSON: "prescriber and a second person (OVR-02)",
    Override.PRESCRIBER: "prescriber with a reason (OVR-03)",
    Override.NONE: "–",
}


def decided() -> str:
    """The clauses that functions decide."""
    head = "| clause | values | confidence | override | decided in | proved in |\n|---|---|---|---|---|---|"
    rows = [_row(trace) for trace in traces() if trace.not_decided is None]
    return "\n".join([head, *rows])


def left_to_people() -> str:
    """The clauses that no function decides, each with the reason."""
    rows = [f"| {t.clause} | {t.not_decided} |" for t in traces() if t.not_decided is not None]
    return "\n".join(["| clause | why no function decides it |\n|---|---|", *rows])


def _row(trace: Trace) -> str:
    cells = (
        trace.clause,
        _values(trace),
        _confidence(trace),
        _override(trace),
        _places(trace.functions),
        _tests(trace),
    )
    return f"| {' | '.join(cells)} |"


def _values(trace: Trace) -> str:
    """Each number once, with the protocols that differ from the label named behind theirs."""
    label = min(released_names(), key=lambda name: (name.split("-")[0] != "us", name))
    base = dict(trace.entries.get(label, ()))
    words = [f"{path.split('.', 1)[1]} {entry.shown()}" for path, entry in base.items()]
    for name, entries in trace.entries.items():
        words += [
            f"{p.split('.', 1)[1]} {e.shown()} ({name})" for p, e in entries if name != label and base.get(p) != e
        ]
    return "; ".join(words) or "–"


def _confidence(trace: Trace) -> str:
    found = [e.confidence.shown for entries in trace.entries.values() for _, e in entries]
    found += [info.confidence.shown for info in trace.rules.values()]
    return ", ".join(dict.fromkeys(found)) or "–"


def _override(trace: Trace) -> str:
    classes = {name: _OVERRIDES[info.override] for name, info in trace.rules.items()}
    distinct = list(dict.fromkeys(classes.values()))
    if len(distinct) <= 1:
        return distinct[0] if distinct else "–"
    return "; ".join(f"{word} ({name})" for name, word in classes.items())


def _places(places: Iterable[Place]) -> str:
    return ", ".join(
        dict.fromkeys(f"`{p.file.removeprefix('clinical/').removesuffix('.py')}.{p.name}`" for p in places)
    )


def _tests(trace: Trace) -> str:
    counted: dict[str, int] = {}
    for place in trace.tests:
        name = place.file.rsplit("/", 1)[-1]
        counted[name] = counted.get(name, 0) + 1
    return ", ".join(f"`{name}` ({number})" for name, number in counted.items())
