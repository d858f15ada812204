"""From clause to number, function and tests: found in the protocol files and in the code itself, never kept by hand.

A function decides a clause when its docstring or a comment in it names it, when it makes a finding of it, or when it
reads a number of it; a test proves a clause when its name, its docstring or what it is parametrized with names it.
Where neither is found, a file whose first words name the clause stands for it. Used by docs/rules.md and by the proof page.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.protocol import Entry, Protocol, RuleInfo
from plumbing.protocol_files import load_protocol, released_names

ROOT = Path(__file__).resolve().parent.parent
CLAUSES = Path(__file__).with_name("clauses.toml")
_PREFIX = r"(?:MOD-G|[A-Z]{2,6})"
_CLAUSE = re.compile(rf"\b({_PREFIX})-(\d\d)\b")
_NEXT = re.compile(rf"\s*(…|\.\.\.|to|and|or|,|/)\s*(?:({_PREFIX})?-)?(\d\d)\b")
_IN_NAMES = re.compile(r"(?<![a-z0-9])(mod_g|[a-z]{2,6})_(\d\d)(?![0-9])")
WHOLE_FILE = "the whole file"
DECIDING = ("clinical", "intake")
"""Where clauses are decided: the rules, and the readers that let a result in or turn it away."""
PROVING = ("clinical", "intake", "models", "stories")
"""Tests of what is decided; the others look at doors, storage or the source itself."""
RANGE = frozenset({"…", "...", "to"})


@dataclass(frozen=True)
class Place:
    """A function or a test: its file from the top of the repository, its name, its line."""

    file: str
    name: str
    line: int


@dataclass(frozen=True)
class Trace:
    """One clause with all that carries it."""

    clause: str
    entries: Mapping[str, tuple[tuple[str, Entry], ...]]
    rules: Mapping[str, RuleInfo]
    functions: tuple[Place, ...]
    tests: tuple[Place, ...]
    not_decided: str | None
    settled_by: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether functions decide it."""
        return self.not_decided is None


def clauses_in(text: str) -> set[str]:
    """All clauses that a text names, ranges and lists written out: `VOD-01 … -03, -10` names four."""
    found: set[str] = set()
    for match in _CLAUSE.finditer(text):
        family, number, end = match.group(1), int(match.group(2)), match.end()
        found.add(f"{family}-{number:02d}")
        while (more := _NEXT.match(text, end)) and (more.group(2) in (None, family)) and _goes_on(more):
            following = int(more.group(3))
            first = number + 1 if more.group(1) in RANGE else following
            found |= {f"{family}-{n:02d}" for n in range(first, following + 1)}
            number, end = following, more.end()
    return found


def _goes_on(more: re.Match[str]) -> bool:
    """`QT-01, 60 ms` is no list: a further number needs its dash, or stands at the end of a range."""
    return "-" in more.group(0) or more.group(1) in RANGE


@cache
def all_clauses() -> tuple[str, ...]:
    """Every clause of the reference, in its order."""
    families: dict[str, str] = tomllib.loads(CLAUSES.read_text())["families"]
    return tuple(clause for family, numbers in families.items() for clause in sorted(_spelt(family, numbers)))


def _spelt(family: str, numbers: str) -> Iterator[str]:
    for part in numbers.split(", "):
        first, _, last = part.partition("-")
        yield from (f"{family}-{n:02d}" for n in range(int(first), int(last or first) + 1))


@cache
def not_decided() -> dict[str, str]:
    """The clauses that no function decides, each with the reason."""
    words: dict[str, str] = tomllib.loads(CLAUSES.read_text())["not_decided"]
    return {clause: why for named, why in words.items() for clause in clauses_in(named)}


@cache
def settled_by() -> dict[str, tuple[str, ...]]:
    """The clauses that only say how another is to be read -> those whose functions decide them."""
    words: dict[str, str] = tomllib.loads(CLAUSES.read_text())["settled_by"]
    return {clause: tuple(sorted(clauses_in(others))) for clause, others in words.items()}


@cache
def traces() -> tuple[Trace, ...]:
    """Every clause of the reference with its numbers, functions and tests."""
    protocols = {name: load_protocol(name) for name in released_names()}
    functions = _by_clause(_functions(), _whole_files(DECIDING, "*.py"))
    tests = _by_clause(_tests(), _whole_files(tuple(f"tests/{folder}" for folder in PROVING), "test_*.py"))
    return tuple(_trace(clause, protocols, functions, tests) for clause in all_clauses())


def _trace(
    clause: str,
    protocols: Mapping[str, Protocol],
    functions: Mapping[str, tuple[Place, ...]],
    tests: Mapping[str, tuple[Place, ...]],
) -> Trace:
    named = {path for p in protocols.values() if p.extends is None for path, e in p.entries() if e.clause == clause}
    entries = {
        n: tuple((path, e) for path, e in p.entries() if e.clause == clause or path in named)
        for n, p in protocols.items()
    }
    rules = {name: p.rules[clause] for name, p in protocols.items() if clause in p.rules}
    given = {name: found for name, found in entries.items() if found}
    others = settled_by().get(clause, ())
    decided_in = dict.fromkeys(place for c in (clause, *others) for place in functions.get(c, ()))
    proved_in = dict.fromkeys(place for c in (clause, *others) for place in tests.get(c, ()))
    return Trace(clause, given, rules, tuple(decided_in), tuple(proved_in), not_decided().get(clause), others)


def _by_clause(
    named: Iterable[tuple[set[str], Place]], otherwise: Iterable[tuple[set[str], Place]]
) -> dict[str, tuple[Place, ...]]:
    """The places of each clause; those of `otherwise` count only for a clause that has none."""
    first, second = _gathered(named), _gathered(otherwise)
    return second | first


def _gathered(named: Iterable[tuple[set[str], Place]]) -> dict[str, tuple[Place, ...]]:
    found: dict[str, list[Place]] = {}
    for clauses, place in named:
        for clause in clauses:
            found.setdefault(clause, []).append(place)
    return {clause: tuple(places) for clause, places in found.items()}


def _whole_files(folders: Iterable[str], pattern: str) -> Iterator[tuple[set[str], Place]]:
    """Files by the clauses that their first words name."""
    for path in (p for folder in folders for p in sorted((ROOT / folder).rglob(pattern))):
        words = ast.get_docstring(ast.parse(path.read_text())) or ""
        yield clauses_in(words), Place(str(path.relative_to(ROOT)), WHOLE_FILE, 1)


def _functions() -> Iterator[tuple[set[str], Place]]:
    read = _clauses_of_entries()
    for path in (p for folder in DECIDING for p in sorted((ROOT / folder).rglob("*.py"))):
        source = path.read_text()
        tree, remarks = ast.parse(source), _remarks(source)
        tables = _tables(tree, _rules_of)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                clauses = clauses_in(ast.get_docstring(node) or "")
                if isinstance(node, ast.FunctionDef):
                    clauses |= _rules_of(node) | _used(node, tables) | _entries_read(node, read)
                    clauses |= {
                        c for line, found in remarks if node.lineno <= line <= (node.end_lineno or 0) for c in found
                    }
                yield clauses, Place(str(path.relative_to(ROOT)), node.name, node.lineno)


def _rules_of(node: ast.AST) -> set[str]:
    """Clauses that stand as a whole word of their own: the rule of a finding."""
    words = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return {word for word in words if _CLAUSE.fullmatch(word)}


def _remarks(source: str) -> list[tuple[int, set[str]]]:
    """The clauses that comments name, by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(t.start[0], clauses_in(t.string)) for t in tokens if t.type == tokenize.COMMENT]


def _clauses_of_entries() -> dict[tuple[str, str], set[str]]:
    """(section, name) of each number of the protocols -> its clauses."""
    found: dict[tuple[str, str], set[str]] = {}
    for path, entry in (pair for name in released_names() for pair in load_protocol(name).entries()):
        section, name = path.split(".")[-2:]
        found.setdefault((section, name), set()).add(entry.clause)
    return found


def _entries_read(node: ast.AST, entries: Mapping[tuple[str, str], set[str]]) -> set[str]:
    """The clauses of the numbers that a function reads: by section and name, or by a name that only an entry has."""
    compound = {name: section for section, name in entries if "_" in name}
    short, found = _short_names(node), set[str]()
    for n in (n for n in ast.walk(node) if isinstance(n, ast.Attribute)):
        section = n.value.attr if isinstance(n.value, ast.Attribute) else short.get(getattr(n.value, "id", ""), "")
        found |= entries.get((section if (section, n.attr) in entries else compound.get(n.attr, ""), n.attr), set())
    return found


def _short_names(node: ast.AST) -> dict[str, str]:
    """The local names of sections: after `limits = case.protocol.preparation`, `limits` is `preparation`."""
    found: dict[str, str] = {}
    for n in (n for n in ast.walk(node) if isinstance(n, ast.Assign)):
        for target in n.targets:
            pairs = _pairs(target, n.value)
            found |= {t.id: v.attr for t, v in pairs if isinstance(t, ast.Name) and isinstance(v, ast.Attribute)}
    return found


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """`a, b = x, y` as its two halves."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=False))
    return [(target, value)]


def _tests() -> Iterator[tuple[set[str], Place]]:
    for path in (p for folder in PROVING for p in sorted((ROOT / "tests" / folder).rglob("test_*.py"))):
        tree = ast.parse(path.read_text())
        tables = _tables(tree, _words_of)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                clauses = _words_of(node) | _in_a_name(node.name) | _used(node, tables)
                yield clauses, Place(str(path.relative_to(ROOT)), node.name, node.lineno)


def _used(node: ast.AST, tables: Mapping[str, set[str]]) -> set[str]:
    """The clauses of the tables that a function or test names."""
    return set().union(*(tables.get(n.id, set()) for n in ast.walk(node) if isinstance(n, ast.Name)))


def _tables(tree: ast.Module, clauses_of: Callable[[ast.AST], set[str]]) -> dict[str, set[str]]:
    """Clauses named in the tables at the top of a file, by the table's name; a table of tables has all of theirs."""
    found: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found[target.id] = clauses_of(node) | _used(node, found)
    return found


def _words_of(node: ast.AST) -> set[str]:
    words = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return set().union(*(clauses_in(word) for word in words))


def _in_a_name(name: str) -> set[str]:
    return {f"{family.upper().replace('_', '-')}-{number}" for family, number in _IN_NAMES.findall(name)}
