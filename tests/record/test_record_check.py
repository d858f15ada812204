"""Looking at the record when a worker has started and each night: what is found stands in the log and on the board."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities import record_check
from activities.record_check import RecordCheck
from models.tables import DecisionRow, FactRow, RecordCheckRow
from plumbing.dev_server import DevServer
from plumbing.keys import TEST_RECORD_KEY
from record.anchors import AnchorFile
from record.ward import worklist_lines
from record.ward_reader import read_ward
from tests.record.attacker import SOUND, SPOILT, WALL, Attacker, a_whole_record


class AtNight(RecordCheck):
    """Who looks, at a time that a test says."""

    now = WALL


@pytest.fixture
async def check(record_engine: AsyncEngine, dev_server: DevServer, tmp_path: Path) -> AtNight:
    """Who looks at a record in which every table has rows."""
    await a_whole_record(record_engine)
    anchors = AnchorFile(tmp_path / "anchors.jsonl", TEST_RECORD_KEY, "this-ward")
    client = await Client.connect(dev_server.address)
    looks = AtNight(record_engine, TEST_RECORD_KEY, anchors, client, lambda: looks.now)
    return looks


async def spoilt_on_the_board(engine: AsyncEngine) -> list[str]:
    ward = await read_ward(engine, WALL)
    return [line.course_id for line in worklist_lines(ward) if line.unreadable]


async def test_a_sound_record_is_looked_at_and_says_nothing(record_engine: AsyncEngine, check: AtNight) -> None:
    assert await check.open_courses() == (2, 0)
    assert await check.since_the_night() == (1, 0), "what belongs to no course; the others were looked at just now"
    assert await check.since_the_night() == (0, 0)
    assert await spoilt_on_the_board(record_engine) == []


async def test_a_course_that_was_changed_is_said_in_the_log_and_stands_first_until_it_is_restored(
    record_engine: AsyncEngine, check: AtNight, log: io.StringIO
) -> None:
    attacker = Attacker(record_engine)
    row = (await attacker.rows(DecisionRow, SPOILT))[0]
    changed = await attacker.change(DecisionRow, row, {"code_version": "9.9.9"})
    assert await spoilt_on_the_board(record_engine) == [], "nobody looks at an older decision to draw the board"
    assert await check.open_courses() == (2, 1)
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert ("record_altered", SPOILT) in [(line["event"], line.get("course")) for line in told]
    assert await spoilt_on_the_board(record_engine) == [SPOILT]
    line = worklist_lines(await read_ward(record_engine, WALL))[0]
    assert "decision 1, column code_version: it is not what was decided" in line.what
    await attacker.change(DecisionRow, changed, {"code_version": row["code_version"]})
    assert await check.open_courses() == (2, 0)
    assert await spoilt_on_the_board(record_engine) == []


async def test_the_night_writes_down_the_heads_of_sound_courses_and_misses_them_afterwards(
    record_engine: AsyncEngine, check: AtNight
) -> None:
    check.now += timedelta(days=1)
    assert await check.since_the_night() == (3, 0)
    attacker = Attacker(record_engine)
    for kind in (FactRow, DecisionRow):
        for row in await attacker.rows(kind, SOUND):
            await attacker.remove(kind, row)
    assert await check.since_the_night() == (0, 0), "a look a night"
    check.now += timedelta(days=1)
    assert await check.since_the_night() == (3, 1)
    assert await spoilt_on_the_board(record_engine) == [SOUND]


async def test_what_was_found_is_not_taken_back_by_whoever_changes_the_row_that_says_so(
    record_engine: AsyncEngine, check: AtNight
) -> None:
    await check.since_the_night()
    attacker = Attacker(record_engine)
    row = (await attacker.rows(RecordCheckRow, SPOILT))[0]
    await attacker.change(RecordCheckRow, row, {"faults": 3, "told_json": "no JSON"})
    assert await spoilt_on_the_board(record_engine) == [SPOILT]
    check.now += timedelta(days=1)
    assert (await check.since_the_night())[1] == 1


async def test_a_look_that_takes_too_long_goes_on_in_the_next_sweep(
    check: AtNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_check, "AT_MOST_S", 0.0)
    check.now += timedelta(days=1)
    assert [await check.since_the_night() for _ in range(4)] == [(1, 0), (1, 0), (1, 0), (0, 0)]
