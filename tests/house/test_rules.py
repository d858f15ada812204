"""What the rules may not do: read a clock, draw lots, count in floats, know a number or a rule that no protocol holds."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.protocol import Protocol
from plumbing.protocol_files import load_protocol, released_names
from tests.house.no_limits import DEFINITIONS, NO_LIMITS
from tests.house.written_numbers import Number, numbers_in

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "clinical").rglob("*.py"))
VOCABULARY = [path for path in sorted((ROOT / "models").rglob("*.py")) if path.name != "tables.py"]

PURE = {
    *("clinical", "models", "collections", "dataclasses", "datetime", "decimal", "enum", "functools", "itertools"),
    *(
        "typing",
        "zoneinfo",
        "pydantic",
        "hashlib",
        "json",
        "fractions",
        "math",
        "re",
        "base64",
        "types",
        "threading",
        "unicodedata",
    ),
}
"""Nothing in these knows the time, the machine or chance. `time`, `random`, `uuid`, `os` are missing on purpose."""

CLOCKS = {"now", "today", "utcnow", "fromtimestamp"}
RULE_ID = re.compile(r"(?:[A-Z]+-)+\d{2}")
OTHER_RULES = {"CONSENT"}


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in paths]


@pytest.mark.parametrize("path", named([*RULES, *VOCABULARY]))
def test_no_rule_and_no_word_reads_a_clock_or_draws_lots(path: Path) -> None:
    asked = [
        f"line {n.lineno}: {ast.unparse(n)}"
        for n in nodes(path)
        if isinstance(n, ast.Attribute) and n.attr in CLOCKS
        if ast.unparse(n.value) in {"datetime", "date", "time", "datetime.datetime", "datetime.date"}
    ]
    assert asked == []
    imported = {a.name.split(".")[0] for n in nodes(path) if isinstance(n, ast.Import) for a in n.names}
    imported |= {(n.module or "").split(".")[0] for n in nodes(path) if isinstance(n, ast.ImportFrom)}
    assert imported <= PURE


@pytest.mark.parametrize("path", named(RULES))
def test_no_rule_counts_in_floats(path: Path) -> None:
    floats = [n.lineno for n in nodes(path) if isinstance(n, ast.Constant) and isinstance(n.value, float)]
    made = [n.lineno for n in nodes(path) if isinstance(n, ast.Name) and n.id == "float"]
    assert (floats, made) == ([], [])


def limits_in(path: Path) -> list[str]:
    """The numbers of a rule file that neither are a definition nor have their reason in the list, at their place."""
    unknown = [n for n in numbers_in(path.read_text(encoding="utf-8")) if not _is_known(path, n)]
    return [f"line {n.line}, {n.place or 'top'}: {n.written}" for n in unknown]


def _is_known(path: Path, number: Number) -> bool:
    is_definition = path.name in DEFINITIONS and re.fullmatch(r"_?[A-Z][A-Z_0-9]*", number.place)
    return bool(is_definition) or (path.name, number.place, number.written) in NO_LIMITS


@pytest.mark.parametrize("path", named(RULES))
def test_every_limit_comes_from_the_protocol(path: Path) -> None:
    """A number in a rule file is a shape, a formula, or has its reason; a limit belongs into a protocol file."""
    assert limits_in(path) == []


def test_no_reason_is_out_of_date() -> None:
    here = {(path.name, n.place, n.written) for path in RULES for n in numbers_in(path.read_text(encoding="utf-8"))}
    assert set(NO_LIMITS) - here == set()


PLANTED = {
    "a whole number compared with": "if panel > 34:\n    raise ValueError",
    "a one compared with": "if panel.grade >= 1:\n    raise ValueError",
    "a nought compared with": "if 0 < panel.share:\n    raise ValueError",
    "one that is negative": "if panel > -1:\n    raise ValueError",
    "a decimal from text": 'bilirubin_max = Decimal("1.5")',
    "a decimal from a whole number": "bilirubin_max = Decimal(3)",
    "a decimal of one compared with": "if panel > Decimal(1):\n    raise ValueError",
    "a span of hours": "age = timedelta(hours=1)",
    "a span of days": "age = timedelta(days=28)",
    "a span by position": "age = datetime.timedelta(1)",
    "a number as text": 'limit = "2.5"',
    "a number as text with its unit": 'limit = ">= 34 umol/L"',
    "a number read from text": 'limit = int("1")',
    "a number as bytes": 'limit = b"28"',
    "a member of a set": "if panel in {77, 99}:\n    raise ValueError",
    "a factor": "limit = panel * 77",
    "a sum of ones and others": "limit = 1 + 77",
    "a default": "def planted(limit: int = 77) -> int:\n    return limit",
    "a table": 'LIMITS = {"alt": 77}',
    "a pattern": "match panel:\n    case 77:\n        raise ValueError",
    "a float": "limit = 2.5",
    "a number hidden in an argument": "planted(panel, 77)",
    "a fraction": "limit = Fraction(77)",
}
"""Kinds of limits that a hurried hand could write into a rule."""


def _planted(path: Path, statement: str, folder: Path) -> Path:
    """A copy of a rule file with one more statement at the start of its longest function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    longest = max(functions, key=lambda n: (n.end_lineno or 0) - n.lineno)
    longest.body[1:1] = ast.parse(statement).body
    copy = folder / path.name
    copy.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
    return copy


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("name", ["liver.py", "dosing.py", "vod.py", "schedule.py"])
def test_a_limit_that_is_planted_into_a_rule_is_found(name: str, kind: str, tmp_path: Path) -> None:
    (path,) = (ROOT / "clinical").rglob(name)
    assert limits_in(_planted(path, "pass", tmp_path)) == []
    assert len(limits_in(_planted(path, PLANTED[kind], tmp_path))) == (2 if kind == "a member of a set" else 1)


def test_a_number_that_has_its_reason_in_one_place_has_none_in_another(tmp_path: Path) -> None:
    path = ROOT / "clinical" / "explain.py"
    assert ("explain.py", "MOST_STEPS", "64") in NO_LIMITS
    assert len(limits_in(_planted(path, "limit = 64", tmp_path))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "if slot.day != 1:\n    raise ValueError",
        "if case.slot.cycle > 1:\n    raise ValueError",
        "if len(named) > 1:\n    raise ValueError",
        "last = found[-1]",
        "total = sum(parts, Decimal(0))",
        "following = number + 1",
        'unit = "10*9/L"',
        'code = "1742-6"',
        'span = "day 8"',
        "age = limits.liver.span",
    ],
)
def test_what_only_gives_a_rule_its_shape_is_let_pass(statement: str, tmp_path: Path) -> None:
    assert limits_in(_planted(ROOT / "clinical" / "toxicity" / "liver.py", statement, tmp_path)) == []


def _rules_named(path: Path) -> set[str]:
    words = {n.value for n in nodes(path) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    called = {
        n.args[0].value
        for n in nodes(path)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "finding"
        if n.args and isinstance(n.args[0], ast.Constant)
    }
    return {word for word in words if RULE_ID.fullmatch(word) or word in OTHER_RULES} | called


@pytest.mark.parametrize("name", released_names())
@pytest.mark.parametrize("path", named(RULES))
def test_every_rule_that_is_named_stands_in_the_protocol(path: Path, name: str) -> None:
    protocol = load_protocol(name)
    assert _rules_named(path) <= {*protocol.rules, *protocol.ctcae.rows}


def test_the_rules_that_decide_a_dose_are_found_by_this_search() -> None:
    found = set().union(*(_rules_named(path) for path in RULES))
    assert {"NON-02", "NON-08", "DAY-03", "CYT-02", "MOD-G-01", "CONSENT", "LAB-06", "MON-17"} - {"MON-17"} <= found


def _leaf_names(protocol: Protocol) -> set[str]:
    return {path.split(".")[-1].split("[")[0] for path, _ in protocol.entries() if not path.startswith("plausible")}


def test_every_number_of_the_protocol_is_read_by_a_rule() -> None:
    read = {n.attr for path in RULES for n in nodes(path) if isinstance(n, ast.Attribute)}
    for name in released_names():
        assert _leaf_names(load_protocol(name)) - read == set()
