"""The record from the command line: made by `init` and by nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from models.tables import FactRow
from plumbing.connection import connect
from plumbing.database import make_engine
from plumbing.dev_server import DevServer, free_port
from plumbing.installation import opened
from plumbing.keys import RecordKey
from plumbing.settings import load_settings
from tests.conftest import Ward
from tests.doors.conftest import Terminal
from tests.laid_out import a_bare_namespace, a_record
from tests.record.attacker import SOUND, SPOILT, Attacker, a_whole_record


@pytest.fixture
async def new_ward(
    dev_server: DevServer, terminal: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> Terminal:
    """A terminal on a server that nobody has laid out anything on."""
    client = await a_bare_namespace(dev_server.address)
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", dev_server.address)
    surroundings.setenv("INOCYCLE_TEMPORAL_NAMESPACE", client.namespace)
    return terminal


async def test_init_makes_the_record_and_the_second_time_says_that_it_is_there(new_ward: Terminal) -> None:
    first, second = await new_ward.asks("init", "--json"), await new_ward.asks("init", "--json")
    assert (first.code, first.document["mode"], first.document["made"]) == (0, "demo", True)
    assert second.document == {**first.document, "made": False}
    assert (await new_ward.asks("board")).code == 0
    assert "its record is there" in (await new_ward.asks("init")).out


async def test_before_init_every_command_says_what_to_do_and_makes_nothing(new_ward: Terminal, tmp_path: Path) -> None:
    for words in (["board"], ["worklist"], ["inbox"]):
        answer = await new_ward.asks(*words, "--json")
        assert (answer.code, answer.document["error"]) == (5, "NoRecord")
        assert "`inocycle init` makes one" in answer.err
    answer = await new_ward.asks("course", "list", "--json")
    assert (answer.code, answer.document["error"]) == (3, "NamespaceMismatch")
    assert "`inocycle init` lays it out" in answer.err
    assert not (tmp_path / "var" / "inocycle.db").exists()


async def test_init_does_not_put_an_empty_record_in_the_place_of_a_lost_one(new_ward: Terminal, tmp_path: Path) -> None:
    await new_ward.asks("init")
    file = tmp_path / "var" / "inocycle.db"
    file.unlink()
    answer = await new_ward.asks("init", "--json")
    assert (answer.code, answer.document["error"]) == (3, "OtherInstallation")
    assert "Restore it" in answer.err
    assert not file.exists()


async def test_init_without_a_server_makes_nothing(
    new_ward: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    assert (await new_ward.asks("init")).code == 5
    assert not (tmp_path / "var" / "inocycle.db").exists()


async def test_while_temporal_is_away_the_board_is_shown_and_afterwards_compared(
    new_ward: Terminal, surroundings: pytest.MonkeyPatch, dev_server: DevServer, open_ward: Ward
) -> None:
    await new_ward.asks("init")
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    assert (await new_ward.asks("board")).code == 0
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", dev_server.address)
    surroundings.setenv("INOCYCLE_TEMPORAL_NAMESPACE", open_ward.client.namespace)
    answer = await new_ward.asks("board", "--json")
    assert (answer.code, answer.document["error"]) == (3, "OtherInstallation")


def test_init_leaves_a_record_of_the_other_mode_alone(
    terminal: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'demo.db'}"
    asyncio.run(_made(url))
    surroundings.setenv("INOCYCLE_DATABASE_URL", url)
    surroundings.setenv("INOCYCLE_MODE", "ward")
    for kind in ("PAYLOAD_KEYS", "SUBJECT_KEY", "RECORD_KEY"):
        surroundings.setenv(f"INOCYCLE_{kind}", f"k:{'QUJD' * 10}QUI=")
    answer = terminal.types("board", "--json")
    assert (answer.code, answer.document["error"]) == (3, "ModeMismatch")


DAMAGED = {
    "a folder": (lambda path: path.mkdir(), 3, "NotARecord", "is no file"),
    "a pipe": (os.mkfifo, 3, "NotARecord", "is no file"),
    "a text": (
        lambda path: path.write_bytes(b"no database " * 1000),
        5,
        "RecordUnreachable",
        "damaged, or is no database",
    ),
    "an empty file": (lambda path: path.touch(), 5, "NoRecord", "an empty database"),
    "cut": (lambda path: _cut(path), 5, "RecordUnreachable", "damaged, or is no database"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_whatever_stands_in_the_place_of_the_record_every_command_says_so(
    terminal: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    make, code, kind, words = DAMAGED[what]
    make(tmp_path / "record.db")
    surroundings.setenv("INOCYCLE_DATABASE_URL", f"sqlite:///{tmp_path / 'record.db'}")
    for command in (["board"], ["worklist"], ["inbox"], ["record", "verify"]):
        answer = terminal.types(*command, "--json")
        assert (answer.code, answer.document["error"]) == (code, kind), command
        assert words in answer.err
        assert "Traceback" not in answer.err


def _cut(path: Path) -> None:
    asyncio.run(_made(f"sqlite:///{path}"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for beside in path.parent.glob("record.db-*"):
        beside.unlink()


async def _made(url: str) -> None:
    await (await a_record(url)).dispose()


# ── whether it is what was written ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def a_record_of_courses(new_ward: Terminal, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A record that `init` made, with courses in it."""
    await new_ward.asks("init")
    settings = load_settings()
    engine = make_engine(settings.database_url.get_secret_value())
    await a_whole_record(await opened(engine, await connect(settings), settings))
    yield engine
    await engine.dispose()


async def test_a_sound_record_is_verified_in_words(new_ward: Terminal, a_record_of_courses: AsyncEngine) -> None:
    answer = await new_ward.asks("record", "verify", "--json")
    assert (answer.code, answer.document["courses"], answer.document["faults"]) == (0, 2, [])
    said = (await new_ward.asks("record", "verify", SPOILT)).out
    assert "1 courses looked at, 0 faults; compared with 0 heads in record-anchors.jsonl, 0 in running courses" in said


async def test_each_fault_is_named_and_stands_on_the_board(
    new_ward: Terminal, a_record_of_courses: AsyncEngine
) -> None:
    attacker = Attacker(a_record_of_courses)
    row = (await attacker.rows(FactRow, SPOILT))[0]
    await attacker.change(FactRow, row, {"by": "nurse:n-99"})
    answer = await new_ward.asks("record", "verify")
    assert answer.code == 3
    assert f"▲ {SPOILT}: fact 0, column by: it is not what was decided" in answer.err
    assert (await new_ward.asks("record", "verify", SOUND)).code == 0
    board = (await new_ward.asks("board", "--json")).document
    assert [line["course_id"] for line in board["unreadable"]] == [SPOILT]
    assert SOUND in {row["course_id"] for row in board["open"]}
    await attacker.change(FactRow, {**row, "by": "nurse:n-99"}, {"by": row["by"]})
    assert (await new_ward.asks("record", "verify")).code == 0
    assert (await new_ward.asks("board", "--json")).document["unreadable"] == []


async def test_a_course_that_the_record_does_not_hold_is_not_a_sound_one(
    new_ward: Terminal, a_record_of_courses: AsyncEngine
) -> None:
    assert (await new_ward.asks("record", "verify", "course-none")).code == 6


async def test_with_another_key_nothing_is_opened(
    new_ward: Terminal, a_record_of_courses: AsyncEngine, tmp_path: Path
) -> None:
    key = tmp_path / "var" / "record-key"
    key.unlink()
    RecordKey.generate().write(key)
    for words in (["record", "verify"], ["board"]):
        answer = await new_ward.asks(*words, "--json")
        assert (answer.code, answer.document["error"]) == (3, "OtherKey")
    key.unlink()
    assert (await new_ward.asks("record", "verify", "--json")).document["error"] == "NoRecordKey"
    assert (await new_ward.asks("board")).code == 0
