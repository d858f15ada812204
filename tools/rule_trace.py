"""From clause to number, function and tests: found in the protocol files and in the code itself, never kept by hand.

A function decides a clause when its docstring names it or when it makes a finding of it; a test proves a clause when its
name, its docstring or what it is parametrized with names it. Used by docs/rules.md and by the proof page.
"""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
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
_IN_NAMES = re.compile(r"(?<![a-z0-9])([a-z]{2,6})_(\d\d)(?![0-9])")
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


def traces() -> list[Trace]:
    """Every clause of the reference with its numbers, functions and tests."""
    protocols = {name: load_protocol(name) for name in released_names()}
    functions, tests = _by_clause(_functions()), _by_clause(_tests())
    return [_trace(clause, protocols, functions, tests) for clause in all_clauses()]


def _trace(
    clause: str,
    protocols: Mapping[str, Protocol],
    functions: Mapping[str, tuple[Place, ...]],
    tests: Mapping[str, tuple[Place, ...]],
) -> Trace:
    entries = {n: tuple((path, e) for path, e in p.entries() if e.clause == clause) for n, p in protocols.items()}
    rules = {name: p.rules[clause] for name, p in protocols.items() if clause in p.rules}
    given = {name: found for name, found in entries.items() if found}
    return Trace(clause, given, rules, functions.get(clause, ()), tests.get(clause, ()), not_decided().get(clause))


def _by_clause(named: Iterable[tuple[set[str], Place]]) -> dict[str, tuple[Place, ...]]:
    found: dict[str, list[Place]] = {}
    for clauses, place in named:
        for clause in clauses:
            found.setdefault(clause, []).append(place)
    return {clause: tuple(places) for clause, places in found.items()}


def _functions() -> Iterator[tuple[set[str], Place]]:
    for path in sorted((ROOT / "clinical").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                clauses = clauses_in(ast.get_docstring(node) or "") | _findings_of(node)
                yield clauses, Place(f"clinical/{path.name}", node.name, node.lineno)


def _findings_of(node: ast.AST) -> set[str]:
    """Clauses that stand as a whole word of their own in a function: the rule of a finding."""
    if isinstance(node, ast.ClassDef):
        return set()
    words = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return {word for word in words if _CLAUSE.fullmatch(word)}


def _tests() -> Iterator[tuple[set[str], Place]]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        tables = _tables(tree)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                clauses = _words_of(node) | _in_a_name(node.name) | set().union(*(tables.get(u, set()) for u in used))
                yield clauses, Place(str(path.relative_to(ROOT)), node.name, node.lineno)


def _tables(tree: ast.Module) -> dict[str, set[str]]:
    """Clauses named in the tables of a test file, by the table's name."""
    return {
        target.id: _words_of(node)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def _words_of(node: ast.AST) -> set[str]:
    words = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return set().union(*(clauses_in(word) for word in words))


def _in_a_name(name: str) -> set[str]:
    return {f"{family.upper()}-{number}" for family, number in _IN_NAMES.findall(name)}
