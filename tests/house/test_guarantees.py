"""Each guarantee that docs/architecture.md gives names the tests that hold it, and every one of them is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FEWEST = 30


def rows(text: str) -> list[tuple[str, str]]:
    """Each guarantee of the table with its last column; a row in bold is a heading."""
    section = text.partition("\n## Guarantees\n")[2].partition("\n## ")[0]
    cells = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [(row[0].strip(), row[-1].strip()) for row in cells[1:] if not row[0].strip().startswith("**")]


def missing(text: str) -> Iterator[str]:
    """The tests that a text names and nobody wrote."""
    for file, name in TEST.findall(text):
        path = ROOT / file
        if not path.exists() or name not in written_in(path):
            yield f"{file}::{name}"


def written_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


GUARANTEES = rows(ARCHITECTURE)


def test_the_table_of_guarantees_is_read() -> None:
    assert len(GUARANTEES) >= FEWEST


@pytest.mark.parametrize(("guarantee", "held_by"), GUARANTEES, ids=[words[:60] for words, _ in GUARANTEES])
def test_a_guarantee_is_held_by_tests_that_exist(guarantee: str, held_by: str) -> None:
    assert TEST.search(held_by), f"no test holds: {guarantee}"
    assert list(missing(held_by)) == []


def test_every_other_test_that_the_page_names_exists() -> None:
    assert list(missing(ARCHITECTURE)) == []


def test_a_test_that_nobody_wrote_and_a_guarantee_without_one_are_seen() -> None:
    invented = "tests/house/test_guarantees.py::" + "test_that_nobody_wrote"
    page = f"\n## Guarantees\n\n| guarantee | held by |\n|---|---|\n| **Kind** | |\n| It holds | `{invented}` |\n| So | |\n"
    assert rows(page) == [("It holds", f"`{invented}`"), ("So", "")]
    assert list(missing(page)) == [invented]
