"""What the proof page says, before it is laid out: read from the code, the protocol files and the checker's results.

Only what is found is said: a result of the checker that is not there, or older than the rules, is named as missing.
"""

import importlib
import json
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.protocol import Confidence, Entry, Protocol
from plumbing.protocol_files import load_protocol, pin_of
from tools.rule_trace import ROOT, Trace, traces
from tools.rules_doc import LABEL_FIRST

RESULTS = ROOT / "build" / "check"
SURVIVED = "SURVIVED"
RULES = ("clinical", "models", "protocols", "checker")
"""What a result of the checker speaks about: when one of these is newer, the result is out of date."""


@dataclass(frozen=True)
class Held:
    """What the checker holds at every decision, or a bug that was planted: with its clauses, and what became of it."""

    name: str
    clauses: tuple[str, ...]
    words: str
    outcome: str = ""
    good: bool = True


@dataclass(frozen=True)
class Searched:
    """One search of the checker: how far it looked, and what it found broken."""

    words: str
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """All that is known of the checker; empty where it is not part of this code or was not run."""

    invariants: tuple[Held, ...] = ()
    mutants: tuple[Held, ...] = ()
    searches: tuple[Searched, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proof:
    """All that the page says, before it is laid out."""

    date: str
    version: str
    code: str
    protocols: Sequence[tuple[Protocol, str]]
    traces: Sequence[Trace]
    checked: Checked
    gaps: Sequence[tuple[str, Sequence[str]]] = field(default_factory=tuple)

    def invariants_of(self, clause: str) -> list[Held]:
        """What the checker holds of a clause."""
        return [held for held in self.checked.invariants if clause in held.clauses]

    def mutants_of(self, clause: str) -> list[Held]:
        """The bugs that were planted against a clause."""
        return [mutant for mutant in self.checked.mutants if clause in mutant.clauses]


def gathered(date: str) -> Proof:
    """Everything that is found in the code, the protocol files and the results of the checker."""
    protocols = [(load_protocol(name), pin_of(name).sha256) for name in LABEL_FIRST]
    checked = _checked()
    found = traces()
    return Proof(date, _version(), _code(), protocols, found, checked, _gaps(found, [p for p, _ in protocols], checked))


def _gaps(found: Iterable[Trace], protocols: Iterable[Protocol], checked: Checked) -> list[tuple[str, list[str]]]:
    """What is not covered, gravest first: each heading with its items."""
    found = list(found)
    decided = [t for t in found if t.decided]
    held = {c for h in checked.invariants for c in h.clauses}
    noticed = {c for m in checked.mutants if m.good for c in m.clauses}
    gaps = [
        ("An invariant of the checker was broken", [words for s in checked.searches for words in s.broken]),
        (
            "A planted bug that nothing noticed",
            [f"{m.name}: {m.words}" for m in checked.mutants if m.outcome == SURVIVED],
        ),
        ("Results that are missing", list(checked.missing)),
        ("Said to be decided, and no function was found", [t.clause for t in decided if not t.functions]),
        ("Said to be decided, and no test names it", [t.clause for t in decided if not t.tests]),
        ("Values that nobody has read in a source", _numbers(protocols, Confidence.UNVERIFIED)),
        ("Values that are proposals: a clinician must sign each before use", _numbers(protocols, Confidence.PROPOSED)),
        ("Values read in a secondary source only", _numbers(protocols, Confidence.SECONDARY)),
        ("Clauses that no function decides (the reasons are at the end)", [t.clause for t in found if not t.decided]),
        (
            "Decided and tested, but no invariant of the checker speaks of it",
            [t.clause for t in decided if t.clause not in held],
        ),
        (
            "Decided and tested, but no planted bug was noticed in it",
            [t.clause for t in decided if t.clause not in noticed],
        ),
    ]
    return [(heading, items) for heading, items in gaps if items]


def _numbers(protocols: Iterable[Protocol], confidence: Confidence) -> list[str]:
    """The numbers of this confidence by clause, each once, with the protocols that hold it so where not all do."""
    protocols = list(protocols)
    named: dict[tuple[str, str], list[str]] = {}
    for protocol in protocols:
        for path, entry in protocol.entries():
            if entry.confidence is confidence:
                named.setdefault((entry.clause, f"{in_words(path)} {entry.shown()}"), []).append(protocol.name)
    by_clause: dict[str, list[str]] = {}
    for (clause, words), names in named.items():
        only = "" if len(names) == len(protocols) else f" ({', '.join(names)})"
        by_clause.setdefault(clause, []).append(f"{words}{only}")
    return [f"{clause}: {'; '.join(words)}" for clause, words in sorted(by_clause.items())]


def in_words(path: str) -> str:
    """The name of a number without its section: `limits.blasts_max` is `blasts max`, `plausible.alt.low` is `alt low`."""
    return " ".join(path.split(".")[1:]).replace("_", " ")


def sentence(test: str) -> str:
    """The name of a test as the sentence that it is."""
    return test.removeprefix("test_").replace("_", " ")


# ── the checker ────────────────────────────────────────────────────────────────────────────────────────────────────


def _checked() -> Checked:
    documents = _results()
    searches = [row for d in documents for row in d.get("searches", ())]
    planted = {row["mutant"]: row for d in documents for row in d.get("mutants", ())}
    invariants = tuple(Held(i.name, tuple(i.clauses), i.words) for i in _listed("INVARIANTS", "checker.invariants"))
    mutants = tuple(_mutant(m, planted.get(m.name)) for m in _listed("MUTANTS", "checker.planted", "checker.mutants"))
    missing = [
        "the checker is not part of this code" if not invariants else "",
        "the search over the orders of events: `inocycle check --out build/check/result.json`" if not searches else "",
        "the planted bugs: `inocycle check --mutants --out build/check/mutants.json`"
        if mutants and not planted
        else "",
        "the results of the checker are older than the rules: run it again" if _out_of_date() else "",
    ]
    return Checked(invariants, mutants, tuple(map(_search, searches)), tuple(filter(None, missing)))


def _listed(name: str, *modules: str) -> tuple[Any, ...]:
    """A list of the checker, wherever it stands; empty where there is none."""
    for module in modules:
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ImportError:
            continue
        if found is not None:
            return tuple(found)
    return ()


def _mutant(mutant: Any, row: dict[str, Any] | None) -> Held:
    if row is None:
        return Held(mutant.name, tuple(mutant.clauses), mutant.words, "not run", good=False)
    by = row["killed_by"]
    outcome = f"noticed by: {by}" if by else SURVIVED
    return Held(mutant.name, tuple(mutant.clauses), mutant.words, outcome, good=by is not None)


def _search(row: dict[str, Any]) -> Searched:
    broken = tuple(f"{v['invariant']}: {v['words']}" for v in row["violations"])
    return Searched(f"{row['scope']}, {row['protocol']}: {row['looked']}; {len(broken)} broken", broken)


def _results() -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]


def _out_of_date() -> bool:
    written = [path.stat().st_mtime for path in RESULTS.glob("*.json")]
    sources = (p for room in RULES for p in (ROOT / room).rglob("*") if p.suffix in (".py", ".toml"))
    return bool(written) and max(p.stat().st_mtime for p in sources) > min(written)


# ── versions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _version() -> str:
    project: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return f"{project['name']} {project['version']}"


def _code() -> str:
    """The commit, and whether files differ from it."""
    try:
        commit, changed = (_git("rev-parse", "HEAD"), _git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return "under no version control"
    return f"commit {commit}{' with changes that are not committed' if changed else ''}"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True, text=True).stdout.strip()


def entries_by_path(trace: Trace) -> dict[str, dict[str, Entry]]:
    """The numbers of a clause: path -> protocol -> entry."""
    found: dict[str, dict[str, Entry]] = {}
    for protocol in LABEL_FIRST:
        for path, entry in trace.entries.get(protocol, ()):
            found.setdefault(path, {})[protocol] = entry
    return found
