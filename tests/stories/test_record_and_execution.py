"""The record and Temporal keep each other honest: after a reset or an older backup no dose starts twice, and it is said."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from demo.bedside import Bedside
from demo.patients import NURSE, PHYSICIAN, PRESCRIBER
from models.facts import InfusionStarted
from models.people import Actor, Role
from models.tables import NotificationRow
from record.reader import read_entries, verify_chain
from services.courses import CommandRefused
from services.reconcile import differences
from tests.conftest import MANY_LOOKS, Ward, until_written
from tests.factories import LABEL
from tests.stories.conftest import SmallWard

ADMINISTRATOR = Actor(role=Role.ADMINISTRATOR, id="a-1")


async def workflow_tasks(client: Client, course_id: str) -> list[int]:
    handle = client.get_workflow_handle(course_id)
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [e.event_id async for e in handle.fetch_history_events() if e.event_type == done]


async def reset(client: Client, course_id: str, event_id: int, of_run: str | None = None) -> None:
    """As an administrator does: back to this workflow task, and what came after it is not applied again."""
    run_id = of_run or (await client.get_workflow_handle(course_id).describe()).run_id
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=course_id, run_id=run_id),
            reason="an administrator resets",
            workflow_task_finish_event_id=event_id,
            reset_reapply_type=ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
            request_id=f"reset-{event_id}-{run_id}",
        )
    )


async def infusing(bedside: Bedside) -> str:
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    bag = await bedside.ready_to_start(1, 1)
    await until_written(bedside)
    return bag


async def calls_of(ward: Ward, bedside: Bedside) -> list[NotificationRow]:
    """The calls for this course, once one of REC-02 was made; each look is a round trip."""
    for _ in range(MANY_LOOKS):
        async with AsyncSession(ward.engine) as session:
            asked = select(NotificationRow).where(NotificationRow.course_id == bedside.course_id)
            found = list(await session.exec(asked))
        if sum(row.rule == "REC-02" for row in found) > 1:
            return found
        await bedside.status()
    raise AssertionError("nobody was called")


async def test_after_a_reset_during_an_infusion_no_second_start_is_accepted_and_two_people_open_it(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    bag = await infusing(bedside)
    before = await workflow_tasks(ward.client, bedside.course_id)
    await bedside.start(1, 1, bag)
    await until_written(bedside)
    on_record = await read_entries(ward.engine, bedside.course_id)

    await reset(ward.client, bedside.course_id, before[-1])
    with pytest.raises(Exception, match="REC-02"):
        await bedside.start(1, 1, bag)
    card = await bedside.card()
    assert "REC-02" in [f.rule for f in card.standing]
    chart = await bedside.courses.chart(bedside.course_id)
    assert not any(isinstance(f.what, InfusionStarted) for f in chart.facts), "the execution knows of no start"

    calls = await calls_of(ward, bedside)
    assert {c.owner for c in calls if c.rule == "REC-02"} == {"administrator", "physician"}
    told = await differences(bedside.courses, ward.engine, bedside.course_id)
    assert "infusion_started" in {f.kind for f in told.only_in_record}
    assert "record_compared" in {f.kind for f in told.only_in_execution}
    assert any("only in the record: infusion started" in words for words in told.words())
    await bedside.do("reconcile_record", ADMINISTRATOR, reason="the namespace was reset by mistake")
    await bedside.into_next_run(bedside.do("reconcile_record", PHYSICIAN, reason="the infusion runs since ten"))
    chart = await bedside.courses.chart(bedside.course_id)
    assert sum(isinstance(f.what, InfusionStarted) for f in chart.facts) == 1
    assert (await bedside.card()).state == "infusion"
    assert len({f.id for f in chart.facts}) == len(chart.facts)
    await bedside.do("complete_infusion", NURSE)
    await until_written(bedside)
    assert (await differences(bedside.courses, ward.engine, bedside.course_id)).none
    entries = await read_entries(ward.engine, bedside.course_id)
    assert entries[: len(on_record)] == on_record
    assert await verify_chain(ward.engine, bedside.course_id) is None


async def test_a_reset_to_any_workflow_task_never_lets_a_dose_start_twice(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    bag = await infusing(bedside)
    await bedside.start(1, 1, bag)
    await until_written(bedside)
    tasks = await workflow_tasks(ward.client, bedside.course_id)
    first_run = (await ward.handle(bedside).describe()).run_id
    for event_id in tasks[:: max(1, len(tasks) // 5)]:
        await reset(ward.client, bedside.course_id, event_id, first_run)
        with pytest.raises(CommandRefused):
            await bedside.start(1, 1, bag, message_id=f"again-{event_id}")
        with pytest.raises(CommandRefused):
            await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=1, message_id=f"sign-{event_id}")
        chart = await bedside.courses.chart(bedside.course_id)
        knows = any(isinstance(f.what, InfusionStarted) for f in chart.facts)
        assert knows or "REC-02" in [f.rule for f in (await bedside.card()).standing], "what it does not know is said"
        entries = await read_entries(ward.engine, bedside.course_id)
        assert sum(isinstance(f.what, InfusionStarted) for e in entries for f in e.facts) == 1


async def test_a_record_that_lost_its_last_decisions_is_said_and_holds(small_ward: SmallWard, tmp_path: Path) -> None:
    """An older backup of the record comes back while the course knows more than it can write again."""
    if small_ward.engine.dialect.name != "sqlite":
        pytest.skip("the backup is a copy of the file; the rule is the same")
    file = Path(str(small_ward.engine.url.database))
    async with small_ward.worker():
        bedside = await small_ward.course("older-record")
        await bedside.screen()
        await until_written(bedside)
        await small_ward.engine.dispose()
        shutil.copy(file, tmp_path / "backup.db")
        await bedside.prepare_day(1, 1)
        await until_written(bedside)
    await small_ward.engine.dispose()
    for tail in ("-wal", "-shm"):
        Path(f"{file}{tail}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", file)
    async with small_ward.worker():
        await bedside.weigh()
        with pytest.raises(Exception, match="REC-02"):
            await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=1)
        known = len((await bedside.courses.chart(bedside.course_id)).facts)
        await bedside.do("reconcile_record", ADMINISTRATOR, reason="the disk was restored from the night's backup")
        await bedside.into_next_run(bedside.do("reconcile_record", PHYSICIAN, reason="seen"))
        await bedside.clock.advance(timedelta(minutes=1))
        await until_written(bedside)
        chart = await bedside.courses.chart(bedside.course_id)
        assert len(chart.facts) >= known, "what the execution knew is recorded again"
        assert "REC-02" not in [f.rule for f in (await bedside.card()).standing]
        assert await verify_chain(small_ward.engine, bedside.course_id) is None
