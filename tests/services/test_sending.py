"""One message on its way to a course that is in trouble, on the real server: what a door is told, and with which id."""

import asyncio
import base64
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import Worker

from demo.patients import LABORATORY
from models.assessment import CourseState, Receipt, Verdict
from models.messages import COMMANDS, Command, LabResults, MachineMessage
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer, free_port
from plumbing.keys import TEST_KEY_RING
from services.courses import CourseClient, CourseError, NotConfirmed
from tests.factories import a_lab

QUEUE = "trouble"
FAULT, FAULT_BEFORE = "a fault of the handler", "a fault before it is taken"
WORDS = "a weight of 71"
A_WHILE = timedelta(seconds=20)


@workflow.defn(name="TroubledCourse", sandboxed=False)
class TroubledCourse:
    """Fails to answer as long as it is in trouble; counts how often it was asked."""

    def __init__(self) -> None:
        self._trouble = ""
        self._asked = 0
        self._over = False
        self._moving = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._over or self._moving)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._moving:
            workflow.continue_as_new()

    @workflow.signal
    def trouble(self, kind: str) -> None:
        self._trouble = kind

    @workflow.signal
    def end(self) -> None:
        self._over = True

    @workflow.signal
    def move(self) -> None:
        self._moving = True

    @workflow.query
    def asked(self) -> int:
        return self._asked

    @workflow.update(dynamic=True)
    async def on_update(self, _name: str, args: Sequence[RawValue]) -> Receipt:
        message_id = json.loads(args[0].payload.data)["id"]
        self._asked += 1
        if self._trouble == FAULT:
            raise FailureError(WORDS)
        if self._trouble:
            raise ApplicationError("not now", type=self._trouble, non_retryable=True)
        held = {"state": CourseState.HELD, "verdict": Verdict.HOLD, "sentence": "held"}
        return Receipt(message_id=message_id, decision=self._asked, **held)

    @on_update.validator
    def before(self, _name: str, _args: Sequence[RawValue]) -> None:
        if self._trouble == FAULT_BEFORE:
            raise ValueError(WORDS)


def weight(message_id: str) -> Command:
    content = {"id": message_id, "by": "nurse:n-1", "finding": {"kind": "weight", "kg": "71"}}
    return COMMANDS["record_finding"].model_validate_json(json.dumps(content))


@pytest.fixture
async def courses(dev_server: DevServer) -> CourseClient:
    client = await Client.connect(dev_server.address, data_converter=data_converter(TEST_KEY_RING))
    return CourseClient(client, QUEUE)


def a_worker(courses: CourseClient) -> Worker:
    return Worker(courses.client, task_queue=QUEUE, workflows=[TroubledCourse], build_id="test")


async def begun(courses: CourseClient, course_id: str) -> str:
    await courses.client.start_workflow("TroubledCourse", id=course_id, task_queue=QUEUE)
    return course_id


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [("RulesUnavailable", "RulesUnavailable"), (FAULT, "HandlerFault"), (FAULT_BEFORE, "HandlerFault")],
)
async def test_a_failure_that_passes_is_not_the_last_word_on_a_command(
    courses: CourseClient, trouble: str, kind: str
) -> None:
    async with a_worker(courses):
        course = await begun(courses, f"course-{trouble}")
        await courses.handle(course).signal("trouble", trouble)
        for _ in range(5):
            with pytest.raises(CourseError) as told:
                await courses.command(course, weight("m-1"))
            assert (told.value.type, told.value.message_id) == (kind, "m-1")
            assert WORDS not in str(told.value)
        await courses.handle(course).signal("trouble", "")
        assert (await courses.command(course, weight("m-1"))).message_id == "m-1"


async def test_each_call_asks_the_course_once_however_many_failures_are_kept(courses: CourseClient) -> None:
    async with a_worker(courses):
        course = await begun(courses, "course-many-failures")
        await courses.handle(course).signal("trouble", "RulesUnavailable")
        calls = 40
        for _ in range(calls):
            with pytest.raises(CourseError):
                await courses.command(course, weight("m-1"))
        first_call_does_not_know_that_it_is_the_first = 1
        assert await courses.handle(course).query("asked") == calls + first_call_does_not_know_that_it_is_the_first
        await courses.handle(course).signal("trouble", "")
        assert (await courses.command(course, weight("m-1"))).decision == calls + 2


async def test_a_refusal_is_the_last_word(courses: CourseClient) -> None:
    async with a_worker(courses):
        course = await begun(courses, "course-refuses")
        await courses.handle(course).signal("trouble", "MessageIdReused")
        for _ in range(3):
            with pytest.raises(CourseError) as told:
                await courses.command(course, weight("m-1"))
            assert (told.value.type, told.value.message_id) == ("MessageIdReused", None)
        assert await courses.handle(course).query("asked") == 1


async def test_without_a_worker_a_command_ends_in_time_and_names_its_message(courses: CourseClient) -> None:
    course = await begun(courses, "course-nobody-there")
    with pytest.raises(NotConfirmed) as told:
        await courses.command(course, weight("m-7"), within=timedelta(seconds=1))
    assert told.value.message_id == "m-7"
    assert "m-7" in str(told.value)
    async with a_worker(courses):
        receipt = await courses.command(course, weight("m-7"))
    assert receipt.decision == 1, "what was not confirmed is applied once"


async def test_a_command_between_two_runs_is_answered(courses: CourseClient) -> None:
    async with a_worker(courses):
        course = await begun(courses, "course-moves")

        async def moves() -> None:
            for _ in range(6):
                await courses.handle(course).signal("move")

        said = asyncio.gather(*(courses.command(course, weight(f"m-{n}")) for n in range(30)), moves())
        *receipts, _ = await asyncio.wait_for(said, A_WHILE.total_seconds())
    assert [r.message_id for r in receipts if r is not None] == [f"m-{n}" for n in range(30)]


async def test_a_course_that_has_ended_is_no_course_any_more(courses: CourseClient) -> None:
    async with a_worker(courses):
        course = await begun(courses, "course-ended")
        await courses.handle(course).signal("end")
        await courses.handle(course).result()
        for ask in (courses.command(course, weight("m-1")), courses.command("course-unheard-of", weight("m-1"))):
            with pytest.raises(CourseError) as told:
                await ask
            assert told.value.type == "NoSuchCourse"
        assert not await courses.is_open(course)
        assert not await courses.is_open("course-unheard-of")


async def test_a_signal_that_the_server_does_not_take_is_said_at_once(courses: CourseClient) -> None:
    course = await begun(courses, "course-large")
    for size in (3_000_000, 6_000_000):  # the server's limit for a payload, and that for any call
        with pytest.raises(CourseError) as told:
            await courses.send(course, a_result_of(size))
        assert (told.value.type, told.value.message_id) == ("NotTaken", "labs-1")


def a_result_of(size: int) -> MachineMessage:
    """A message that does not shrink when it is compressed."""
    drawn_at = datetime(2026, 11, 2, 8, tzinfo=UTC)
    message = LabResults(id="labs-1", by=LABORATORY, subject_hash="s", results=(a_lab("alt", "31", at=drawn_at),))
    return message.model_copy(update={"course_id": base64.b64encode(os.urandom(size)).decode()})


async def test_a_server_that_is_away_is_said_in_words(binary: Path, tmp_path: Path) -> None:
    server = DevServer(binary, port=free_port(), log_file=tmp_path / "log")
    async with server:
        client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
        courses = CourseClient(client, QUEUE)
        await begun(courses, "course-server-away")
    with pytest.raises(NotConfirmed) as told:
        await courses.command("course-server-away", weight("m-1"), within=timedelta(seconds=2))
    assert told.value.message_id == "m-1"
    looks = (courses.status("course-server-away"), courses.is_open("course-server-away"), listing(courses))
    said = await asyncio.gather(*looks, return_exceptions=True)
    assert [type(answer) for answer in said] == 3 * [CourseError]
    assert [getattr(answer, "type", None) for answer in said] == 3 * ["NoAnswer"]


async def listing(courses: CourseClient) -> list[str]:
    return [execution.id async for execution in courses.listed()]


async def test_a_command_has_an_update_id_of_its_own_for_each_attempt() -> None:
    command = weight("m-1")
    assert command.update_id(2) == f"m-1:{command.content_hash()[:16]}:2"
    assert command.update_id() != command.update_id(2)
