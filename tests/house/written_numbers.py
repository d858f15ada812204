"""Finds the numbers in the source of a rule that may be limits: in whole numbers, decimals, spans, words and comparisons.

Used by `test_rules.py`; a number that is no limit stands there with its reason.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

SHAPE = {0, 1}
"""An index, a sign, the first cycle, the first day: the shape of a rule, unless something is compared with it."""

COUNTED = re.compile(r"len\(.*\)|(.*\.)?(cycle|day)")
"""How many there are, which cycle, which day of it: one of these may be compared with 0 and 1."""

AS_WORDS = re.compile(r"(?!10\*)[<>=~≤≥]*\s*[-+]?\d+([.,]\d+)?(e[-+]?\d+)?\s*(%|[a-zA-Zµ°/^²³]+[0-9]?)?")
"""A number written as text, with or without a unit: `28`, `2.5`, `28 d`, `>= 34 umol/L`."""


class Number(NamedTuple):
    """A number as it stands in the source: where, how it is written, and in which line."""

    place: str
    written: str
    line: int


def numbers_in(source: str) -> Iterator[Number]:
    """Every number of a file that may be a limit. Shapes (0 and 1 where nothing is compared with them) are left out."""
    yield from _below(ast.parse(source), "")


def _below(node: ast.AST, place: str) -> Iterator[Number]:
    place = _place(node, place)
    found = _found(node)
    if found is not None:
        yield Number(place, found, node.lineno)  # type: ignore[attr-defined]
        if not isinstance(node, ast.Compare):
            return
    for child in ast.iter_child_nodes(node):
        if not _is_docstring(child, node):
            yield from _below(child, place)


def _place(node: ast.AST, place: str) -> str:
    """The function, class or table that a node stands in, as `Case.windows`."""
    name = getattr(node, "name", None) if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
    if not place and isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = ast.unparse(target)
    return f"{place}.{name}".lstrip(".") if name else place


def _found(node: ast.AST) -> str | None:
    if isinstance(node, ast.Compare):
        return _compared(node)
    if isinstance(node, ast.Call):
        return _called(node)
    if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
        return _constant(node.value)
    return None


def _constant(value: object) -> str | None:
    if isinstance(value, int):
        return None if value in SHAPE else str(value)
    if isinstance(value, float | complex):
        return str(value)
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return repr(value) if isinstance(text, str) and AS_WORDS.fullmatch(text.strip()) else None


def _called(node: ast.Call) -> str | None:
    """A decimal, whole number or span that is made of numbers: `Decimal("1.5")`, `timedelta(hours=1)`."""
    name = ast.unparse(node.func).rsplit(".", 1)[-1]
    given = [*node.args, *(k.value for k in node.keywords)]
    if name == "timedelta":
        return ast.unparse(node) if any(_is_number(arg) for arg in given) else None
    if name in ("Decimal", "int", "Fraction"):
        made = [arg for arg in given if _is_number(arg) and not _is_shape(arg)]
        return ast.unparse(node) if made else None
    return None


def _compared(node: ast.Compare) -> str | None:
    """A comparison with a 0 or 1 that counts something else than cycles, days or members."""
    sides = [node.left, *node.comparators]
    shapes = [side for side in sides if _is_shape(side) or (isinstance(side, ast.Call) and _is_made_shape(side))]
    others = [side for side in sides if side not in shapes]
    return ast.unparse(node) if shapes and not all(COUNTED.fullmatch(ast.unparse(o)) for o in others) else None


def _is_made_shape(node: ast.Call) -> bool:
    return ast.unparse(node.func) in ("Decimal", "int") and any(_is_shape(arg) for arg in node.args)


def _is_shape(node: ast.AST) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and not isinstance(node.value, bool) and node.value in SHAPE


def _is_number(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp | ast.BinOp):
        return any(_is_number(child) for child in ast.iter_child_nodes(node))
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return False
    return isinstance(node.value, int | float) or (isinstance(node.value, str) and bool(AS_WORDS.fullmatch(node.value)))


def _is_docstring(node: ast.AST, parent: ast.AST) -> bool:
    """A string that stands alone in a body says something to a reader, and decides nothing."""
    alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return alone and hasattr(parent, "body")
