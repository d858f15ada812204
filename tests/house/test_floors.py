"""The floors that import-linter cannot watch: single files at the top, and what an import brings along."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
SINGLE_FILES = sorted(file.stem for file in ROOT.glob("*.py"))
DATABASE = ("alembic", "fastapi", "sqlalchemy", "sqlmodel")


def imported_by(source: str) -> set[str]:
    """The top-level modules that a source imports anywhere in it, in functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def loaded_by(statement: str, wanted: Iterable[str]) -> set[str]:
    """Which of the wanted modules a fresh Python has loaded after this statement."""
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(set({sorted(wanted)!r}) & set(sys.modules))))"
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_every_single_file_is_a_listed_module() -> None:
    assert sorted(SETUP["py-modules"]) == SINGLE_FILES


@pytest.mark.parametrize("module", SINGLE_FILES)
def test_a_door_imports_no_other_door_and_not_the_demo(module: str) -> None:
    others = {*SINGLE_FILES, "cli", "demo", "api"} - {module}
    assert imported_by((ROOT / f"{module}.py").read_text()) & others == set()


@pytest.mark.parametrize("room", SETUP["packages"])
def test_no_room_imports_a_door(room: str) -> None:
    reached = {
        f"{file.relative_to(ROOT)} -> {module}"
        for file in (ROOT / room).rglob("*.py")
        for module in imported_by(file.read_text()) & set(SINGLE_FILES)
    }
    assert reached == set()


def test_an_import_inside_a_function_is_seen() -> None:
    assert imported_by("def late():\n    from demo.house import House\n    import cli.render as r\n") == {
        "demo",
        "cli",
    }


@pytest.mark.parametrize(
    "room", sorted(p.parent for p in (ROOT / "clinical").rglob("__init__.py")), ids=lambda p: p.name
)
def test_no_room_of_the_rules_holds_more_than_twelve_files(room: Path) -> None:
    assert len([file for file in room.glob("*.py") if file.name != "__init__.py"]) <= 12


def test_importing_the_workflows_leaves_the_database_out() -> None:
    modules = sorted(f"workflows.{file.stem}" for file in (ROOT / "workflows").glob("[!_]*.py"))
    assert len(modules) > 3
    assert loaded_by(f"import {', '.join(modules)}", (*DATABASE, *modules)) == set(modules)


def test_importing_the_worker_loads_both_database_drivers() -> None:
    # A driver that is first imported inside an activity takes the worker down with a segmentation fault.
    assert loaded_by("import worker", ("aiosqlite", "asyncpg")) == {"aiosqlite", "asyncpg"}


def test_no_file_of_the_tests_bears_the_name_of_a_module_of_the_language() -> None:
    """The folders of tests stand on the path of processes that a test starts: there such a file would be imported instead."""
    taken = [str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob("*.py") if p.stem in sys.stdlib_module_names]
    assert taken == []


def test_courses_are_started_in_one_place_which_reserves_their_ids() -> None:
    files = [*ROOT.glob("*.py"), *(file for room in SETUP["packages"] for file in (ROOT / room).rglob("*.py"))]
    assert [str(f.relative_to(ROOT)) for f in files if "start_workflow(" in f.read_text()] == ["services/starting.py"]
