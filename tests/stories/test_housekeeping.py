"""Housekeeping on a real server: a course that nobody watches is noticed within one sweep, shown first and called for."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import workflow
from temporalio.client import Client, ScheduleActionStartWorkflow, WorkflowExecutionStatus
from temporalio.common import RawValue
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.notify import Notifier
from activities.watch import Watch
from demo.bedside import Bedside
from demo.driver import Clock
from demo.patients import ANNA, PHYSICIAN, PRESCRIBER
from models.housekeeping import SWEEPS, SweepResult
from models.messages import COMMANDS, Command
from models.notification import Notification
from models.people import Role
from models.tables import NotificationRow
from plumbing import executions
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, TEST_SUBJECT_KEY
from plumbing.settings import ROOT, Settings
from record.verify import verify_course
from record.ward import board_rows, worklist_lines
from record.ward_reader import read_ward
from services.courses import CourseError, NotConfirmed
from services.housekeeping import SCHEDULE_ID, settle_schedule
from services.reading_again import read_again
from services.reconcile import differences
from services.sending import fails
from services.starting import start_course
from tests.conftest import MANY_LOOKS, until_written
from tests.factories import LABEL
from tests.stories.conftest import SmallWard, delete_execution
from worker import make_worker

MIN, DAY = timedelta(minutes=1), timedelta(days=1)
Breaks = Callable[[Client, str], Awaitable[None]]


class Housekeeper:
    """Looks after one small ward at times of its own, and remembers who was called about a course."""

    def __init__(self, ward: SmallWard) -> None:
        self.ward = ward
        self.now = datetime.now(UTC)
        self._called: list[Notification] = []
        notifier = Notifier(ward.engine, {"pager": self._remember}, self._clock)
        self._watch = Watch(ward.engine, ward.client, notifier, self._clock)

    async def looks(self, *, later: timedelta = timedelta()) -> None:
        """One sweep, so much later than the last one."""
        self.now += later
        await self._watch.look()

    def called(self, course_id: str) -> list[tuple[Role, str]]:
        """Who was called about this course, and at which rung."""
        return [(n.owner, n.rung) for n in self._called if n.course_id == course_id]

    async def first_line(self, course_id: str) -> str:
        """What the worklist says of this course first; that of another test's course stands for nothing here."""
        lines = [x for x in worklist_lines(await read_ward(self.ward.engine, self.now)) if x.course_id == course_id]
        return lines[0].what if lines else ""

    def _clock(self) -> datetime:
        return self.now

    async def _remember(self, notification: Notification) -> None:
        self._called.append(notification)


@pytest.fixture
def housekeeper(small_ward: SmallWard) -> Housekeeper:
    return Housekeeper(small_ward)


async def terminate(client: Client, course_id: str) -> None:
    await client.get_workflow_handle(course_id).terminate("by hand")


async def until_it_ended(client: Client, course_id: str) -> None:
    """Until the server's own list no longer says that it runs."""
    running = f"WorkflowId = '{course_id}' AND ExecutionStatus = 'Running'"
    for _ in range(20 * MANY_LOOKS):
        if not [execution async for execution in client.list_workflows(running)]:
            return
    raise AssertionError("it is still listed")


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (terminate, "was terminated"),
        (delete_execution, "is not there: deleted"),
    ],
)
async def test_a_course_whose_execution_is_gone_is_noticed_in_one_sweep_first_and_called_once_a_day(
    small_ward: SmallWard, housekeeper: Housekeeper, breaks: Breaks, words: str
) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course(f"unwatched-{breaks.__name__}")
        await bedside.screen()
        await until_written(bedside)
        course_id = bedside.course_id
        await housekeeper.looks()
        assert housekeeper.called(course_id) == []
        assert "nobody watches" not in await housekeeper.first_line(course_id)

        await breaks(small_ward.client, course_id)
        await until_it_ended(small_ward.client, course_id)
        await housekeeper.looks(later=5 * MIN)
        once = [(Role.ADMINISTRATOR, "due"), (Role.COORDINATOR, "due")]
        assert sorted(housekeeper.called(course_id)) == once
        assert words in await housekeeper.first_line(course_id)
        ward = await read_ward(small_ward.engine, housekeeper.now)
        assert [row.course_id for row in board_rows(ward) if row.unwatched] == [course_id]
        assert board_rows(ward)[0].course_id == course_id

        for _ in range(3):
            await housekeeper.looks(later=5 * MIN)
        assert sorted(housekeeper.called(course_id)) == once
        for _ in range(3):
            await housekeeper.looks(later=DAY)
        assert len(housekeeper.called(course_id)) == 2 * 4
        assert housekeeper.called(course_id)[-1][1] == "overdue"


@workflow.defn(name="TreatmentCycle", sandboxed=False)
class AReleaseThatFails:
    """What no history can be replayed with."""

    @workflow.run
    async def run(self, _: RawValue) -> None:
        raise RuntimeError("whatever the reason")


async def test_a_course_whose_workflow_task_fails_is_noticed_first_and_called_and_every_door_says_so(
    small_ward: SmallWard, housekeeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions, "FAILS_FOR_GOOD", executions.FAILS)  # the next attempt is ten seconds away
    async with small_ward.worker():
        bedside = await small_ward.course("fails")
        await bedside.screen()
        await until_written(bedside)
    course_id, courses = bedside.course_id, small_ward.courses
    async with Worker(small_ward.client, task_queue=small_ward.queue, workflows=[AReleaseThatFails], build_id="new"):
        await courses.handle(course_id).signal("lab_results", "what wakes it")
        for _ in range(20 * MANY_LOOKS):
            if await fails(small_ward.client, course_id):
                break
        await housekeeper.looks()
        assert {role for role, _ in housekeeper.called(course_id)} == {Role.ADMINISTRATOR, Role.COORDINATOR}
        assert await housekeeper.first_line(course_id) == "this course decides nothing: its workflow task fails"
        ward = await read_ward(small_ward.engine, housekeeper.now)
        assert (board_rows(ward)[0].course_id, board_rows(ward)[0].unwatched) == (course_id, True)
        for ask in (courses.status(course_id), courses.chart(course_id), courses.must_be_open(course_id)):
            with pytest.raises(CourseError) as told:
                await ask
            assert told.value.type == "DecidesNothing"
        with pytest.raises(NotConfirmed, match="this course decides nothing: its workflow task fails"):
            await courses.command(course_id, a_weight(course_id), timedelta(seconds=1))


async def test_a_course_whose_execution_was_broken_off_shows_no_card_and_nothing_waits_to_be_read(
    small_ward: SmallWard,
) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("broken-off")
        await bedside.screen()
        await until_written(bedside)
        course_id, courses = bedside.course_id, small_ward.courses
        with pytest.raises(CourseError, match="has a hash that begins with abc"):
            await read_again(small_ward.engine, courses, course_id, PHYSICIAN, "abc")
        await terminate(small_ward.client, course_id)
        for ask in (
            courses.status(course_id),
            courses.assessment(course_id),
            differences(courses, small_ward.engine, course_id),
            read_again(small_ward.engine, courses, course_id, PHYSICIAN),
        ):
            with pytest.raises(CourseError, match="its execution was terminated; no verdict of it holds") as told:
                await ask
            assert told.value.type == "BrokenOff"
        with pytest.raises(CourseError) as told:
            await read_again(small_ward.engine, courses, "course-never-heard-of", PHYSICIAN)
        assert told.value.type == "NoSuchCourse"


async def test_a_course_whose_activity_somebody_completes_by_hand_goes_on_deciding(small_ward: SmallWard) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("by-hand")
        await bedside.screen()
        await until_written(bedside)
        async with small_ward.record_away():
            await bedside.weigh()
            described = await small_ward.client.get_workflow_handle(bedside.course_id).describe()
            (pending,) = described.raw_description.pending_activities
            by_hand = small_ward.client.get_async_activity_handle(
                workflow_id=bedside.course_id, run_id=described.run_id, activity_id=pending.activity_id
            )
            await by_hand.complete("done")
        decided = (await bedside.status()).decisions
        await bedside.weigh()
        assert (await bedside.status()).decisions > decided
        await bedside.clock.advance(2 * MIN)
        await until_written(bedside)
        assert await verify_course(small_ward.engine, TEST_RECORD_KEY, bedside.course_id) == []


def a_weight(course_id: str) -> Command:
    content = {"id": "w-1", "by": "nurse:n-1", "course_id": course_id, "finding": {"kind": "weight", "kg": "71"}}
    return COMMANDS["record_finding"].model_validate_json(json.dumps(content))


async def test_a_course_that_ended_by_the_rules_is_not_missed(small_ward: SmallWard, housekeeper: Housekeeper) -> None:
    async with small_ward.worker():
        closed, over = await small_ward.course("closed"), await small_ward.course("over")
        for bedside in (closed, over):
            await bedside.screen()
        await closed.do("close_course", PHYSICIAN, reason="death")
        await over.do("finish_dosing", PRESCRIBER, reason="declined")
        await over.clock.advance(timedelta(days=2))
        for bedside in (closed, over):
            await small_ward.client.get_workflow_handle(bedside.course_id).result()
        await housekeeper.looks()
        for bedside in (closed, over):
            assert housekeeper.called(bedside.course_id) == []
            assert "nobody watches" not in await housekeeper.first_line(bedside.course_id)


async def test_a_course_broken_off_before_its_first_entry_is_noticed_from_its_reservation(
    small_ward: SmallWard, housekeeper: Housekeeper
) -> None:
    course_id = (await small_ward.course("no-entry")).course_id  # no worker: nothing is written
    await terminate(small_ward.client, course_id)
    await until_it_ended(small_ward.client, course_id)
    await housekeeper.looks()
    assert housekeeper.called(course_id) == []  # its door may still be at it
    await housekeeper.looks(later=5 * MIN)
    assert "was terminated" in await housekeeper.first_line(course_id)
    assert len(housekeeper.called(course_id)) == 2

    course = ANNA.course(course_id, LABEL, TEST_SUBJECT_KEY, datetime.now(UTC))
    await start_course(small_ward.courses, small_ward.engine, course)
    async with small_ward.worker():
        await small_ward.courses.settled(course_id)
        await until_written(_bedside(small_ward, course_id))
        await housekeeper.looks(later=5 * MIN)
    assert "nobody watches" not in await housekeeper.first_line(course_id)
    assert len(housekeeper.called(course_id)) == 2


async def test_an_execution_whose_record_was_emptied_is_named_after_ten_minutes(
    small_ward: SmallWard, housekeeper: Housekeeper
) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("record-emptied")
        await bedside.screen()
        await until_written(bedside)
    await empty(small_ward)
    await housekeeper.looks()
    assert (await housekeeper.first_line(bedside.course_id), housekeeper.called(bedside.course_id)) == ("", [])
    await housekeeper.looks(later=10 * MIN)
    assert "the record does not know this course" in await housekeeper.first_line(bedside.course_id)
    assert len(housekeeper.called(bedside.course_id)) == 2


async def empty(ward: SmallWard) -> None:
    tables = ("decision", "fact", "worklist_item", "message_refused", "raw_message", "course_start", "course")
    async with ward.engine.begin() as connection:
        for table in tables:
            await connection.execute(text(f"DELETE FROM {table}"))


def _bedside(ward: SmallWard, course_id: str) -> Bedside:
    return Bedside(ward.courses, Clock(ward.client, course_id), course_id, ANNA, TEST_SUBJECT_KEY)


# ── the schedule ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def no_schedule(small_ward: SmallWard) -> AsyncIterator[None]:
    """No other test's schedule before, and none of this one afterwards."""
    await remove_schedule(small_ward.client)
    yield
    await remove_schedule(small_ward.client)


async def remove_schedule(client: Client) -> None:
    with suppress(RPCError):
        await client.get_schedule_handle(SCHEDULE_ID).delete()


async def done(client: Client, since: datetime, before: Collection[str] = ()) -> tuple[str, list[SweepResult]]:
    """Which run of housekeeping was the first since then, apart from those before, and what it answered.

    One that began by the clock before a worker was there is ended by the worker, and is not it.
    """
    for _ in range(20 * MANY_LOOKS):
        with suppress(RPCError):  # there is no schedule yet
            for run in (await client.get_schedule_handle(SCHEDULE_ID).describe()).info.recent_actions:
                handle = client.get_workflow_handle(run.action.workflow_id, result_type=list[SweepResult])
                if run.started_at < since or handle.id in before:
                    continue
                if (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED:
                    return handle.id, await handle.result()
    raise AssertionError("nothing was begun")


@pytest.mark.usefixtures("no_schedule")
async def test_a_worker_makes_the_one_schedule_and_every_start_of_one_looks_at_once(
    small_ward: SmallWard, tmp_path: Path
) -> None:
    TEST_KEY_RING.write(tmp_path / "payload-keys")
    TEST_SUBJECT_KEY.write(tmp_path / "subject-key")
    TEST_RECORD_KEY.write(tmp_path / "record-key")
    looks: list[str] = []
    for _ in range(2):
        began_at = datetime.now(UTC).replace(microsecond=0)
        worker = await small_ward.worker_process(tmp_path)
        look, results = await done(small_ward.client, began_at, looks)
        looks.append(look)
        worker.terminate()
        await worker.wait()
        assert [(r.name, r.failed) for r in results] == [(name, None) for name in SWEEPS]
    described = await small_ward.client.get_schedule_handle(SCHEDULE_ID).describe()
    assert described.info.num_actions >= 2
    assert [i.every for i in described.schedule.spec.intervals] == [5 * MIN]
    assert isinstance(described.schedule.action, ScheduleActionStartWorkflow)
    assert described.schedule.action.task_queue == small_ward.queue


@pytest.mark.usefixtures("no_schedule")
async def test_a_schedule_that_somebody_paused_is_set_going_by_the_next_worker(small_ward: SmallWard) -> None:
    handle = small_ward.client.get_schedule_handle(SCHEDULE_ID)
    await settle_schedule(small_ward.client, "a-former-queue")
    await handle.pause(note="by hand")
    await settle_schedule(small_ward.client, small_ward.queue)
    assert not (await handle.describe()).schedule.state.paused


@pytest.mark.usefixtures("no_schedule")
async def test_a_sweep_that_fails_stops_no_other(small_ward: SmallWard) -> None:
    async with small_ward.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE watch RENAME TO watch_away"))
    began_at = datetime.now(UTC).replace(microsecond=0)
    async with small_ward.worker():
        await settle_schedule(small_ward.client, small_ward.queue)
        _, results = await done(small_ward.client, began_at)
    assert [(r.name, r.failed is None) for r in results] == [(SWEEPS[0], False), *((name, True) for name in SWEEPS[1:])]


# ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────

DIES_AT_THE_FIRST_CALL = """
import asyncio, os, sys
from pathlib import Path
from temporalio.client import Client
from plumbing.converter import data_converter
from plumbing.database import make_engine
from plumbing.keys import TEST_KEY_RING
from plumbing.settings import Settings
from worker import make_worker

async def dies(notification):
    os._exit(7)

async def main(address, namespace, database, queue, var_dir):
    engine = make_engine(database)
    client = await Client.connect(address, namespace=namespace, data_converter=data_converter(TEST_KEY_RING))
    settings = Settings(var_dir=Path(var_dir))
    async with make_worker(client, engine, settings, task_queue=queue, channels={"pager": dies}):
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_worker_killed_between_row_and_channel_leaves_a_call_that_is_made_once_more(
    small_ward: SmallWard, tmp_path: Path
) -> None:
    address = small_ward.client.service_client.config.target_host
    database = small_ward.engine.url.render_as_string(hide_password=False)
    surroundings = (address, small_ward.client.namespace, database, small_ward.queue, str(tmp_path))
    dying = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES_AT_THE_FIRST_CALL, *surroundings, cwd=ROOT)
    course = ANNA.course(f"course-killed-calling-{uuid4().hex[:6]}", LABEL, TEST_SUBJECT_KEY, datetime.now(UTC))
    unknown = course.protocol.model_copy(update={"sha256": "0" * 64})  # no rules: the administrator is called at once
    await start_course(small_ward.courses, small_ward.engine, course.model_copy(update={"protocol": unknown}))
    assert await dying.wait() == 7
    [row] = await call_rows(small_ward, course.course_id)
    assert (row.state, row.repeated) == ("asked", False)

    told, keys = asyncio.Event(), list[str]()

    async def pager(notification: Notification) -> None:
        keys.append(notification.key)
        told.set()

    settings = Settings(var_dir=tmp_path)
    queue, client = small_ward.queue, small_ward.client
    async with make_worker(client, small_ward.engine, settings, task_queue=queue, channels={"pager": pager}):
        await asyncio.wait_for(told.wait(), 60)  # what the dead worker had in hand is tried again after 10 s
        for _ in range(MANY_LOOKS):
            [row] = await call_rows(small_ward, course.course_id)
            if row.state == "confirmed":
                break
    assert (row.state, row.repeated, row.attempts, keys) == ("confirmed", True, 2, [row.key])


async def test_a_channel_that_raises_for_one_call_of_three_holds_up_no_other_and_the_sweep_asks_again(
    small_ward: SmallWard, tmp_path: Path
) -> None:
    courses = [ANNA.course(f"course-call-{n}", LABEL, TEST_SUBJECT_KEY, datetime.now(UTC)) for n in "abc"]
    told, mended = list[str](), False

    async def pager(notification: Notification) -> None:
        if notification.course_id == "course-call-b" and not mended:
            raise ConnectionError("the pager of ward B")
        told.append(notification.course_id)

    settings, queue, client = Settings(var_dir=tmp_path), small_ward.queue, small_ward.client
    async with make_worker(client, small_ward.engine, settings, task_queue=queue, channels={"pager": pager}):
        for course in courses:  # no rules: the administrator is called at once
            unknown = course.protocol.model_copy(update={"sha256": "0" * 64})
            await start_course(small_ward.courses, small_ward.engine, course.model_copy(update={"protocol": unknown}))
        states = [await until_settled(small_ward, course.course_id) for course in courses]
        assert states == ["confirmed", "failed", "confirmed"]
        assert sorted(told) == ["course-call-a", "course-call-c"]
        mended = True
        later = datetime.now(UTC) + 5 * MIN
        assert await Notifier(small_ward.engine, {"pager": pager}, lambda: later).ask_again() == 1
    assert told[2:] == ["course-call-b"]
    assert await until_settled(small_ward, "course-call-b") == "confirmed"


async def until_settled(ward: SmallWard, course_id: str) -> str:
    for _ in range(20 * MANY_LOOKS):
        states = [row.state for row in await call_rows(ward, course_id)]
        if states and states != ["asked"]:
            return ", ".join(states)
    raise AssertionError("nobody was called")


async def call_rows(ward: SmallWard, course_id: str) -> list[NotificationRow]:
    async with AsyncSession(ward.engine) as session:
        return list(await session.exec(select(NotificationRow).where(NotificationRow.course_id == course_id)))
