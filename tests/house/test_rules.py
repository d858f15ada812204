"""What the rules may not do: read a clock, draw lots, count in floats, know a number or a rule that no protocol holds."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.protocol import Protocol
from plumbing.protocol_files import load_protocol, released_names
from tests.house.no_limits import DEFINITIONS, NO_LIMITS
from tests.house.numbers import Number, numbers_in

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "clinical").rglob("*.py"))
VOCABULARY = [path for path in sorted((ROOT / "models").glob("*.py")) if path.name != "tables.py"]

PURE = {
    *("clinical", "models", "collections", "dataclasses", "datetime", "decimal", "enum", "functools", "itertools"),
    *("typing", "zoneinfo", "pydantic", "hashlib", "json", "fractions", "math", "re", "base64"),
}
"""Nothing in these knows the time, the machine or chance. `time`, `random`, `uuid`, `os` are missing on purpose."""

CLOCKS = {"now", "today", "utcnow", "fromtimestamp"}
RULE_ID = re.compile(r"(?:[A-Z]+-)+\d{2}")
OTHER_RULES = {"CONSENT"}

NO_LIMIT = {
    ("calendar.py", 12): "noon, where only the day of a transplant is known (MON-03)",
    ("calendar.py", 256): "how many zones are kept in memory",
    ("calendar.py", 2): "halving, to find the moment of a clock change",
    ("calendar.py", 3): "1 March, the birthday of who was born on 29 February",
    ("calls.py", 12): "how many digits of a hash a person is shown",
    ("required.py", 12): "how many digits of a hash a person is shown",
    ("decide.py", 32): "how many digits of a hash name a fact",
    ("windows.py", 2): "the second cycle, which follows the length of the first",
    ("dosing.py", 8): "day 8, a name",
    ("dosing.py", 2): "digits that a function rounds to when nobody says otherwise",
    ("bsa.py", 28): "digits of a root, a power, a logarithm",
    ("bedside_rulings.py", 2): "two identifiers (IDN-02): the shape of the check",
    ("results.py", 2): "rank of a status",
    ("explain.py", 64): "how many changes by time alone are looked at",
    ("interruption.py", 2): "the name of level L2, and the cycle after the next",
    ("interruption.py", 3): "the name of what lies below level L2",
    ("alerts.py", 2): "a step of the ladder, a name (ALERT-02)",
    ("vod.py", 2): "a step of the ladder, a name (ALERT-02)",
    ("vod.py", 3): "a step of the ladder, a name (ALERT-03)",
    ("vod.py", 4): "a step of the ladder, a name (ALERT-04)",
    ("reviews.py", 2): "two people (COR-02): the shape of the check",
    ("results.py", 3): "rank of a status",
    ("results.py", 4): "rank of a status",
    ("signs.py", 2): "digits shown",
    ("units.py", 60): "digits of an exact product (CTN-06)",
    ("trouble.py", 2): "the second group of a pattern",
    ("trouble.py", 60): "letters of a sender's words that a card shows",
    ("ecg.py", 50): "digits of an exact root (CTN-06)",
    ("ecg.py", 256): "how many roots are kept in memory",
}
FORMULAS = {
    ("bsa.py", "3600"): "Mosteller (BSA-01)",
    ("bsa.py", "1000"): "grams of a kilogram (BSA-05)",
    **{("bsa.py", number): "DuBois (BSA-02)" for number in ("0.007184", "0.725", "0.425")},
    **{("bsa.py", number): "Haycock (BSA-03)" for number in ("0.024265", "0.3964", "0.5378")},
    **{("bsa.py", number): "Gehan-George (BSA-04)" for number in ("0.0235", "0.42246", "0.51456")},
    **{("bsa.py", number): "Boyd (BSA-05)" for number in ("0.0003207", "0.3", "0.7285", "0.0188")},
    ("weight.py", "0.01"): "a hundredth of a per cent, as shown",
    ("infusion.py", "0.01"): "a hundredth of a milligram (RND-02)",
    ("vod.py", "0.1"): "a tenth of a per cent, as shown",
    ("dosing.py", "0.01"): "a hundredth of a millilitre (RND-02)",
    ("units.py", "100"): "per cent",
    ("ecg.py", "3"): "the cube root of Fridericia (§6.1)",
    ("ecg.py", "60"): "seconds of a minute (§6.1)",
    ("signs.py", "4.0"): "albumin in the correction of calcium (reference §9.2)",
    ("signs.py", "0.8"): "albumin in the correction of calcium (reference §9.2)",
}
NOT_READ_YET: set[str] = set()


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


def _known(path: Path) -> set[tuple[str, str]]:
    """Place and writing of the numbers of a file that are no limits; an empty place stands for the whole file."""
    placed = {("", written) for name, _, written in NO_LIMITS if name == path.name}
    shapes = {("", str(value)) for name, value in NO_LIMIT if name == path.name}
    formulas = {value for name, value in FORMULAS if name == path.name}
    return placed | shapes | {("", f"Decimal({w})") for v in formulas for w in (v, repr(v))}


def limits_in(path: Path) -> list[str]:
    """The numbers of a rule file that are neither a shape nor a formula nor have their reason in a list."""
    known = _known(path)
    unknown = [n for n in numbers_in(path.read_text(encoding="utf-8")) if not _is_known(path, n, known)]
    return [f"line {n.line}, {n.place or 'top'}: {n.written}" for n in unknown]


def _is_known(path: Path, number: Number, known: set[tuple[str, str]]) -> bool:
    is_definition = path.name in DEFINITIONS and re.fullmatch(r"_?[A-Z][A-Z_0-9]*", number.place)
    return bool(is_definition) or bool({("", number.written), (number.place, number.written)} & known)


@pytest.mark.parametrize("path", named(RULES))
def test_every_limit_comes_from_the_protocol(path: Path) -> None:
    """A number in a rule file is a shape, a formula, or has its reason; a limit belongs into a protocol file."""
    assert limits_in(path) == []


def test_no_reason_is_out_of_date() -> None:
    here = [(path.name, n.place, n.written) for path in RULES for n in numbers_in(path.read_text(encoding="utf-8"))]
    written = {(name, text) for name, _, text in here}
    assert {(name, value) for name, value in NO_LIMIT if (name, str(value)) not in written} == set()
    made = {
        (name, value) for name, value in FORMULAS for w in (value, repr(value)) if (name, f"Decimal({w})") in written
    }
    assert set(FORMULAS) - made == set()


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
    path = ROOT / "clinical" / name
    assert limits_in(_planted(path, "pass", tmp_path)) == []
    assert len(limits_in(_planted(path, PLANTED[kind], tmp_path))) == (2 if kind == "a member of a set" else 1)


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
    assert limits_in(_planted(ROOT / "clinical" / "liver.py", statement, tmp_path)) == []


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
    assert _rules_named(path) <= set(load_protocol(name).rules)


def test_the_rules_that_decide_a_dose_are_found_by_this_search() -> None:
    found = set().union(*(_rules_named(path) for path in RULES))
    assert {"NON-02", "NON-08", "DAY-03", "CYT-02", "MOD-G-01", "CONSENT", "LAB-06", "MON-17"} - {"MON-17"} <= found


def _leaf_names(protocol: Protocol) -> set[str]:
    return {path.split(".")[-1].split("[")[0] for path, _ in protocol.entries() if not path.startswith("plausible")}


def test_every_number_of_the_protocol_is_read_by_a_rule() -> None:
    read = {n.attr for path in RULES for n in nodes(path) if isinstance(n, ast.Attribute)}
    for name in released_names():
        assert _leaf_names(load_protocol(name)) - read <= NOT_READ_YET
