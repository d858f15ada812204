"""Looking at the record when a worker has started and each night: what is found stands in the log and on the board."""

import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Memo, Payload, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.converter import PayloadConverter

from activities import record_check
from activities.record_check import RecordCheck
from models.tables import DecisionRow, FactRow, RecordCheckRow
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, KeyRing
from plumbing.payload_codec import EncryptionCodec
from record.anchors import AnchorFile, Anchors, heads_in_memos
from record.ward import worklist_lines
from record.ward_reader import read_ward
from tests.conftest import MANY_LOOKS
from tests.laid_out import a_namespace
from tests.record.attacker import SOUND, SPOILT, WALL, Attacker, a_whole_record

to_payload = PayloadConverter.default.to_payload


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


STRANGE_MEMOS = {
    "no-head": to_payload({"a": 1}),
    "no-number": to_payload({"number": "x", "sha256": "y"}),
    "text": to_payload("text"),
    "key-not-there": Payload(metadata={"encoding": b"binary/encrypted"}, data=b"xx"),
    "unheard-of": Payload(metadata={"encoding": b"weird/encoding"}, data=b"xx"),
}


@pytest.mark.parametrize("at_hand", [TEST_KEY_RING, None])
async def test_a_key_that_is_not_at_hand_is_said_once_and_is_no_fault_of_the_record(at_hand: KeyRing | None) -> None:
    (head,) = await EncryptionCodec(KeyRing({"gone": b"k" * 32})).encode(
        [to_payload({"number": 3, "sha256": "0" * 64})]
    )

    class Execution:
        id = "course-1"
        raw_info = WorkflowExecutionInfo(memo=Memo(fields={"record_head": head}))

        async def memo_value(self, key: str, default: object) -> object:
            codec = data_converter(at_hand).payload_codec
            (opened,) = (
                await codec.decode([self.raw_info.memo.fields[key]]) if codec else [self.raw_info.memo.fields[key]]
            )
            return PayloadConverter.default.from_payload(opened)

    async def running(_: str) -> AsyncIterator[Execution]:
        yield Execution()
        yield Execution()

    client: Any = SimpleNamespace(list_workflows=running, data_converter=data_converter(at_hand))
    found = await heads_in_memos(client)
    assert [fault.words for fault in found.faults] == [
        "2 courses cannot be compared: payload key gone is not at hand; put its file back"
    ]


async def test_a_memo_that_cannot_be_read_is_a_finding_of_its_course_and_all_others_are_looked_at(
    record_engine: AsyncEngine, tmp_path: Path, dev_server: DevServer
) -> None:
    await a_whole_record(record_engine)
    client = await a_namespace(dev_server.address, record_engine)
    look = RecordCheck(
        record_engine, TEST_RECORD_KEY, AnchorFile(tmp_path / "a.jsonl", TEST_RECORD_KEY, "here"), client, lambda: WALL
    )
    for course_id, memo in {**STRANGE_MEMOS, SPOILT: to_payload({"number": 3, "sha256": "0" * 64})}.items():
        await client.workflow_service.start_workflow_execution(
            StartWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_id=course_id,
                workflow_type=WorkflowType(name="TreatmentCycle"),
                task_queue=TaskQueue(name="nobody"),
                request_id=course_id,
                memo=Memo(fields={"record_head": memo}),
            )
        )
    for _ in range(MANY_LOOKS):
        if len((await heads_in_memos(client)).faults) == len(STRANGE_MEMOS):
            break
    assert await look.open_courses() == (2, len(STRANGE_MEMOS) + 1)
    assert sorted(await spoilt_on_the_board(record_engine)) == sorted([*STRANGE_MEMOS, SPOILT])
    for course_id in (*STRANGE_MEMOS, SPOILT):
        await client.get_workflow_handle(course_id).terminate()
    for _ in range(MANY_LOOKS):
        if await heads_in_memos(client) == Anchors():
            break
    assert await look.open_courses() == (2, 0)
    later = RecordCheck(
        record_engine,
        TEST_RECORD_KEY,
        AnchorFile(tmp_path / "a.jsonl", TEST_RECORD_KEY, "here"),
        client,
        lambda: WALL + timedelta(days=1),
    )
    assert (await later.since_the_night())[1] == 0
    assert await spoilt_on_the_board(record_engine) == []


async def test_heads_that_cannot_be_written_down_are_a_finding_and_end_no_look(
    record_engine: AsyncEngine, check: AtNight, tmp_path: Path
) -> None:
    (tmp_path / "anchors.jsonl").mkdir()
    check.now += timedelta(days=1)
    assert await check.since_the_night() == (3, 1)
    assert "the file cannot be read" in worklist_lines(await read_ward(record_engine, check.now))[0].what
