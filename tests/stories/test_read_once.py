"""What was read once stays read: a key that is missing for a while, a release that reads otherwise, and every replay between."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow
from temporalio.common import RawValue

from activities.reading import Reader
from demo.bedside import Bedside
from demo.driver import Clock, skipper
from demo.patients import ANNA, PHYSICIAN
from models.assessment import Verdict
from models.facts import LabResult, UnreadableMessage
from models.messages import SIGNALS, LabResults
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer
from plumbing.keys import TEST_RECORD_KEY, TEST_SUBJECT_KEY, KeyRing
from plumbing.payload_codec import EncryptionCodec
from plumbing.settings import Settings
from record.reader import read_entries, worklist
from record.verify import verify_all
from services.courses import CourseClient
from services.housekeeping import SCHEDULE_ID, settle_schedule
from services.reading_again import RereadSweep
from services.starting import start_course
from tests.conftest import MANY_LOOKS, until_written
from tests.examples import TIMES
from tests.factories import CODES, LABEL, ULN
from tests.laid_out import a_namespace, a_record
from tests.replay.chain import Link, histories_of, link_of, links_of_runs, replayed_links
from worker import make_worker

H = timedelta(hours=1)
_FIRST, _SECOND = token_bytes(32), token_bytes(32)
OLD, FULL = KeyRing({"k1": _FIRST}), KeyRing({"k1": _FIRST, "k2": _SECOND})
LOST, FOREIGN = KeyRing({"k2": _SECOND}), KeyRing({"k9": token_bytes(32)})


class KeyWard:
    """A ward whose worker comes and goes with other keys, or as another release."""

    def __init__(self, address: str, namespace: str, engine: AsyncEngine, var_dir: Path, queue: str) -> None:
        self._address, self._namespace = address, namespace
        self._var_dir, self.queue = var_dir, queue
        self.engine = engine

    async def client(self, ring: KeyRing | None, *, refuse_plaintext: bool = False) -> Client:
        converter = data_converter(ring, refuse_plaintext=refuse_plaintext)
        return await Client.connect(self._address, namespace=self._namespace, data_converter=converter)

    @asynccontextmanager
    async def worker(self, ring: KeyRing, *, refuse_plaintext: bool = False) -> AsyncIterator[Client]:
        client = await self.client(ring, refuse_plaintext=refuse_plaintext)
        async with make_worker(client, self.engine, Settings(var_dir=self._var_dir), task_queue=self.queue):
            yield client

    async def course(self, name: str) -> Bedside:
        courses = CourseClient(skipper(await self.client(OLD)).client, self.queue)
        course = ANNA.course(f"course-{name}", LABEL, TEST_SUBJECT_KEY, datetime.now(UTC))
        await start_course(courses, self.engine, course)
        clock = Clock(courses.client, course.course_id)
        return Bedside(courses, clock, course.course_id, ANNA, TEST_SUBJECT_KEY)

    async def send(self, bedside: Bedside, name: str, *payloads: Payload) -> None:
        """Send payloads as they are."""
        sender = await self.client(None)
        await sender.get_workflow_handle(bedside.course_id).signal(name, args=[RawValue(p) for p in payloads])

    async def sweep(self, client: Client, ring: KeyRing, release: str = "0") -> int:
        """One sweep of a worker with this ring; returns how many messages were read."""
        reader = Reader(EncryptionCodec(ring))
        return (await RereadSweep(self.engine, CourseClient(client, self.queue), reader, release).look())[1]

    async def rows(self, bedside: Bedside) -> list[Link]:
        await until_written(bedside)
        assert await verify_all(self.engine, TEST_RECORD_KEY) == []
        return [link_of(entry) for entry in await read_entries(self.engine, bedside.course_id)]

    async def replays(self, bedside: Bedside, rows: list[Link]) -> None:
        """With the keys of then and with more, a replay hands the record what it holds; without any key it says nothing else."""
        runs = await histories_of(await self.client(OLD), bedside.course_id)
        for ring in (OLD, FULL):
            assert await links_of_runs(runs, ring) == rows
        with pytest.raises(Exception) as failure:
            await replayed_links(runs[-1], FOREIGN)
        assert not isinstance(failure.value, workflow.NondeterminismError)


@pytest.fixture
async def key_ward(dev_server: DevServer, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[KeyWard]:
    engine = await a_record(f"sqlite:///{tmp_path / 'record.db'}")
    client = await a_namespace(dev_server.address, engine)
    yield KeyWard(dev_server.address, client.namespace, engine, tmp_path, f"queue-{request.node.name}"[:100])
    await engine.dispose()


def plain(content: Any) -> Payload:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


async def sealed(content: Any, ring: KeyRing) -> Payload:
    return (await EncryptionCodec(ring).encode([plain(content)]))[0]


async def a_result(bedside: Bedside, analyte: str = "alt", value: str = "160", id: str = "late") -> dict[str, Any]:
    course, now = (await bedside.courses.chart(bedside.course_id)).course, await bedside.clock.now()
    loinc, unit = CODES[analyte]
    result = {"loinc": loinc, "value": value, "unit": unit, "uln": ULN.get(analyte), "status": "final"}
    result |= {"collected_at": now.isoformat()}
    return {"id": id, "by": "laboratory:lis", "subject_hash": course.subject_hash, "results": [result]}


async def facts(bedside: Bedside, kind: type[Any]) -> list[Any]:
    await bedside.status()
    return [f for f in (await bedside.courses.chart(bedside.course_id)).facts if isinstance(f.what, kind)]


async def test_a_key_that_was_missing_for_a_while_changes_nothing_of_before_and_then_the_result_holds_the_dose(
    key_ward: KeyWard,
) -> None:
    async with key_ward.worker(OLD):
        bedside = await key_ward.course("key-missing")
        await bedside.screen()
        await bedside.prepare_day(1, 1)
        await bedside.give(1, 1)
        await bedside.clock.advance(timedelta(days=7))
        await bedside.prepare_day(1, 8)
        assert (await bedside.card()).verdict is Verdict.MAY_AUTHORISE
        await bedside.clock.advance(H)
        await key_ward.send(bedside, "lab_results", await sealed(await a_result(bedside), LOST))
        card = await bedside.card()
        assert (card.verdict, "LAB-05" in [f.rule for f in card.standing]) == (Verdict.NEED_DATA, True)
        rows = await key_ward.rows(bedside)
    await key_ward.replays(bedside, rows)

    async with key_ward.worker(FULL) as client:
        assert (await bedside.card()).verdict is Verdict.NEED_DATA  # as it was: nobody has asked to read it again
        assert await key_ward.rows(bedside) == rows
        await settle_schedule(client, key_ward.queue)  # as a worker does that starts
        await housekeeping_is_done(client)
        card = await bedside.card()
        assert (card.verdict, "NON-08" in [f.rule for f in card.standing]) == (Verdict.HOLD, True)
        after = await key_ward.rows(bedside)
        assert after[: len(rows)] == rows
        assert not [i for i in await worklist(key_ward.engine) if i.message_sha256]
    await key_ward.replays(bedside, after)


async def housekeeping_is_done(client: Client) -> None:
    """Until the first run of the schedule has looked over the ward."""
    for _ in range(20 * MANY_LOOKS):
        runs = (await client.get_schedule_handle(SCHEDULE_ID).describe()).info.recent_actions
        if runs:
            assert isinstance(runs[0].action, ScheduleActionExecutionStartWorkflow)
            execution = runs[0].action
            await client.get_workflow_handle(execution.workflow_id, run_id=execution.first_execution_run_id).result()
            return
    raise AssertionError("nothing was begun")


# ── every reason, and everything that may follow ───────────────────────────────────────────────────────────────────

REASONS: dict[str, Callable[[dict[str, Any]], Awaitable[tuple[Payload, ...]]]] = {}
"""By its words in the fact how a message comes to be unreadable, from the content that its sender meant."""


def reason(words: str) -> Callable[[Any], Any]:
    def named(made: Any) -> Any:
        REASONS[words] = made
        return made

    return named


@reason("unknown-key")
async def under_a_lost_key(content: dict[str, Any]) -> tuple[Payload, ...]:
    return (await sealed(content, LOST),)


@reason("altered")
async def altered(content: dict[str, Any]) -> tuple[Payload, ...]:
    payload = await sealed(content, OLD)
    return (Payload(metadata=dict(payload.metadata), data=payload.data[:-1] + bytes([payload.data[-1] ^ 1])),)


@reason("plaintext")
async def in_clear(content: dict[str, Any]) -> tuple[Payload, ...]:
    return (plain(content),)


@reason("json_invalid")
async def no_json(content: dict[str, Any]) -> tuple[Payload, ...]:
    return (await sealed(json.dumps(content).encode()[:-9], OLD),)


@reason("no such message")
async def of_another_name(content: dict[str, Any]) -> tuple[Payload, ...]:
    return (await sealed(content, OLD),)


@reason("2 payloads")
async def twice(content: dict[str, Any]) -> tuple[Payload, ...]:
    return (await sealed(content, OLD),) * 2


@reason("at most 2000 characters")
async def out_of_bounds(content: dict[str, Any]) -> tuple[Payload, ...]:
    return (await sealed({**content, "results": [{**content["results"][0], "unit": "U/L" + " " * 3000}]}, OLD),)


@reason("larger than 256 KiB")
async def too_large(content: dict[str, Any]) -> tuple[Payload, ...]:
    return (await sealed({**content, "ignored": "x" * 300_000}, OLD),)


class Later:
    """What happens after a message could not be read; each returns whether it is in the chart then."""

    def __init__(self, ward: KeyWard, bedside: Bedside, words: str, content: dict[str, Any]) -> None:
        self.ward, self.bedside, self.words, self.content = ward, bedside, words, content
        self.strict = words == "plaintext"

    async def key_back(self, patch: pytest.MonkeyPatch) -> bool:
        async with self.ward.worker(FULL, refuse_plaintext=self.strict) as client:
            await self.ward.sweep(client, FULL)
            return await self._is_charted(open_ones=self.words != "unknown-key")

    async def newer_release(self, patch: pytest.MonkeyPatch) -> bool:
        """One that knows the name and allows a longer unit."""
        patch.setattr("activities.reading.SIGNALS", {**SIGNALS, NEW_NAME: LabResults})
        patch.setattr("models.bounds.LONGEST_TEXT", 4000)
        patch.setattr("worker.version", lambda _: "9.9.9")
        async with self.ward.worker(OLD, refuse_plaintext=self.strict) as client:
            await self.ward.sweep(client, OLD, "9.9.9")
            return await self._is_charted(open_ones=self.words not in ("no such message", "at most 2000 characters"))

    async def sent_again(self, patch: pytest.MonkeyPatch) -> bool:
        async with self.ward.worker(OLD, refuse_plaintext=self.strict):
            await self.ward.send(self.bedside, "lab_results", await sealed(self.content, OLD))
            return await self._is_charted(open_ones=True)

    async def dismissed(self, patch: pytest.MonkeyPatch) -> bool:
        async with self.ward.worker(OLD, refuse_plaintext=self.strict) as client:
            await self._resolved("dismissed")
            assert await self.ward.sweep(client, FULL, "9.9.9") == 0
            charted = await self._is_charted(open_ones=False)
            await self.ward.send(self.bedside, *await self._as_sent())
            assert len(await facts(self.bedside, UnreadableMessage)) == 2  # news
            return charted

    async def transcribed(self, patch: pytest.MonkeyPatch) -> bool:
        async with self.ward.worker(OLD, refuse_plaintext=self.strict) as client:
            await self._resolved("transcribed", values=self.content["results"])
            assert await self.ward.sweep(client, FULL, "9.9.9") == 0
            return await self._is_charted(open_ones=False)

    async def _resolved(self, outcome: str, **more: Any) -> None:
        [message] = await facts(self.bedside, UnreadableMessage)
        said = {"target": message.what.sha256, "outcome": outcome, "reason": "read by telephone", **more}
        await self.bedside.do("resolve_unreadable", PHYSICIAN, **said)
        await until_written(self.bedside)

    async def _as_sent(self) -> tuple[Any, ...]:
        return name_of(self.words), *await REASONS[self.words](self.content)

    async def _is_charted(self, *, open_ones: bool) -> bool:
        results = await facts(self.bedside, LabResult)
        await until_written(self.bedside)
        assert bool([i for i in await worklist(self.ward.engine) if i.fact_id]) == open_ones
        return bool(results)


LATER = (Later.key_back, Later.newer_release, Later.sent_again, Later.dismissed, Later.transcribed)
CHARTED = {
    ("unknown-key", "key_back"),
    ("no such message", "newer_release"),
    ("at most 2000 characters", "newer_release"),
}
NEW_NAME = "blood_results"
SMALL = {("unknown-key", "key_back"), ("at most 2000 characters", "newer_release"), ("altered", "dismissed")}
"""What is tried each time; `make search` tries them all."""


def name_of(words: str) -> str:
    return NEW_NAME if words == "no such message" else "lab_results"


ALL = [(words, later) for words in REASONS for later in LATER]
CASES = [(words, later) for words, later in ALL if TIMES > 1 or (words, later.__name__) in SMALL]


@pytest.mark.hypothesis
@pytest.mark.parametrize(("words", "later"), CASES, ids=lambda x: x if isinstance(x, str) else x.__name__)
async def test_whatever_could_not_be_read_and_whatever_follows_nothing_of_before_changes(
    key_ward: KeyWard, words: str, later: Callable[[Later, pytest.MonkeyPatch], Awaitable[bool]]
) -> None:
    name = later.__name__
    async with key_ward.worker(OLD, refuse_plaintext=words == "plaintext"):
        bedside = await key_ward.course(f"{words}-{name}".replace(" ", "-"))
        content = await a_result(bedside)
        await key_ward.send(bedside, name_of(words), *await REASONS[words](content))
        [message] = await facts(bedside, UnreadableMessage)
        assert words in message.what.reason
        rows = await key_ward.rows(bedside)
    await key_ward.replays(bedside, rows)
    with pytest.MonkeyPatch.context() as patch:
        charted = await later(Later(key_ward, bedside, words, content), patch)
    assert charted == ((words, name) in CHARTED or name in ("sent_again", "transcribed"))
    async with key_ward.worker(OLD, refuse_plaintext=words == "plaintext"):
        after = await key_ward.rows(bedside)
    assert after[: len(rows)] == rows
    await key_ward.replays(bedside, after)
