"""A file of the record that is damaged: what still can be read is shown, what cannot is named, nothing else is raised."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from plumbing.database import is_damage, make_engine
from plumbing.keys import TEST_RECORD_KEY
from record.raw import Fault
from record.verify import verify_all
from record.ward import Ward, board_rows, worklist_lines
from record.ward_reader import read_ward
from tests.laid_out import a_record
from tests.record.attacker import SOUND, SPOILT, WALL, a_whole_record

PAGE = 4096


@pytest.fixture
async def whole(tmp_path: Path) -> bytes:
    """A record in which every table has rows, as one file."""
    file = tmp_path / "whole.db"
    engine = await a_record(f"sqlite:///{file}")
    await a_whole_record(engine)
    await engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        assert connection.execute("PRAGMA page_size").fetchone() == (PAGE,)
    return file.read_bytes()


async def looked_at(file: Path) -> tuple[Ward | None, list[Fault]]:
    """The ward as it is shown, or nothing where the damage leaves nothing to show; and what a look finds."""
    engine = make_engine(f"sqlite:///{file}")
    try:
        ward = await read_ward(engine, WALL)
        faults = await verify_all(engine, TEST_RECORD_KEY)
    except DatabaseError as error:
        if not is_damage(error):
            raise
        return None, []
    finally:
        await engine.dispose()
    return ward, faults


async def test_whichever_page_is_overwritten_what_can_be_read_is_shown_and_the_damage_is_named(
    tmp_path: Path, whole: bytes
) -> None:
    shown = 0
    for page in range(1, len(whole) // PAGE, 5):
        file = tmp_path / f"page-{page}.db"
        file.write_bytes(whole[: page * PAGE] + b"\xa5" * PAGE + whole[(page + 1) * PAGE :])
        ward, faults = await looked_at(file)
        if ward is None:
            continue
        assert any(fault.table == "database" for fault in faults), f"page {page} is not missed"
        shown += {SOUND, SPOILT} == {row.course_id for row in board_rows(ward)}
        there = {row.course_id for row in board_rows(ward)} | {line.course_id for line in worklist_lines(ward)}
        assert {SOUND, SPOILT} <= there or ward.unreadable
    assert shown > len(whole) // PAGE // 10, "damage in one table leaves the others"
