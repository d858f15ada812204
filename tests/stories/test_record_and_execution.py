"""The record and Temporal keep each other honest: after a reset or an older backup no dose starts twice, and it is said."""

import asyncio
import shutil
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from demo.bedside import Bedside
from demo.patients import NURSE, PHYSICIAN, PRESCRIBER
from models.assessment import Assessment
from models.facts import InfusionStarted
from models.housekeeping import HEADS_COMPARED, SWEEPS
from models.people import Actor, Role
from models.record import RecordEntry
from models.tables import NotificationRow
from plumbing.settings import Settings
from record.raw import Fault
from record.reader import read_entries, verify_chain
from services.courses import CommandRefused
from services.reconcile import differences
from tests.conftest import MANY_LOOKS, Ward, until_written
from tests.factories import LABEL
from tests.stories.conftest import SmallWard
from worker import sweeps_of

NOBODY: Any = SimpleNamespace(ask_again=None, look=None)
"""Whom the look at the heads does not ask."""
ADMINISTRATOR = Actor(role=Role.ADMINISTRATOR, id="a-1")


async def workflow_tasks(client: Client, course_id: str) -> list[int]:
    handle = client.get_workflow_handle(course_id)
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [e.event_id async for e in handle.fetch_history_events() if e.event_type == done]


NOT_AGAIN, AGAIN = ResetReapplyType.RESET_REAPPLY_TYPE_NONE, ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE


async def reset(
    client: Client,
    course_id: str,
    event_id: int,
    of_run: str | None = None,
    reapply: ResetReapplyType.ValueType = NOT_AGAIN,
) -> None:
    """As an administrator does: back to this workflow task; what came after it is applied again, or is not."""
    run_id = of_run or (await client.get_workflow_handle(course_id).describe()).run_id
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=course_id, run_id=run_id),
            reason="an administrator resets",
            workflow_task_finish_event_id=event_id,
            reset_reapply_type=reapply,
            request_id=f"reset-{event_id}-{run_id}-{reapply}",
        )
    )


async def infusing(bedside: Bedside) -> str:
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    bag = await bedside.ready_to_start(1, 1)
    await until_written(bedside)
    return bag


async def reset_to_before_its_start(ward: Ward) -> tuple[Bedside, str, list[RecordEntry]]:
    """The record holds a dose that started from this bag, in these entries; the execution was taken back to before it."""
    bedside = await ward.course(LABEL)
    bag = await infusing(bedside)
    before = await workflow_tasks(ward.client, bedside.course_id)
    await bedside.start(1, 1, bag)
    await until_written(bedside)
    on_record = await read_entries(ward.engine, bedside.course_id)
    await reset(ward.client, bedside.course_id, before[-1])
    return bedside, bag, on_record


async def calls_of(ward: Ward, bedside: Bedside, least: int = 3) -> list[NotificationRow]:
    """The calls for this course, once so many of REC-02 were made; each look is a round trip."""
    for _ in range(MANY_LOOKS):
        async with AsyncSession(ward.engine) as session:
            asked = select(NotificationRow).where(NotificationRow.course_id == bedside.course_id)
            found = list(await session.exec(asked))
        if sum(row.rule == "REC-02" for row in found) >= least:
            return found
        await bedside.status()
    raise AssertionError("nobody was called")


async def test_after_a_reset_during_an_infusion_no_second_start_is_accepted_and_two_people_open_it(ward: Ward) -> None:
    bedside, bag, on_record = await reset_to_before_its_start(ward)
    with pytest.raises(Exception, match="REC-02"):
        await bedside.start(1, 1, bag)
    card = await bedside.card()
    assert "REC-02" in [f.rule for f in card.standing]
    chart = await bedside.courses.chart(bedside.course_id)
    assert not any(isinstance(f.what, InfusionStarted) for f in chart.facts), "the execution knows of no start"

    calls = await calls_of(ward, bedside)
    assert {c.owner for c in calls if c.rule == "REC-02"} == {"administrator", "physician", "nurse"}
    assert all("by the record an infusion runs" in c.title for c in calls if c.rule == "REC-02")
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
    for event_id, reapply in zip(tasks[:: max(1, len(tasks) // 5)], cycle((AGAIN, NOT_AGAIN)), strict=False):
        await reset(ward.client, bedside.course_id, event_id, first_run, reapply)
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


async def until_held(bedside: Bedside, words: str = "") -> Assessment:
    """The card once the difference stands on it; each look is a round trip."""
    for _ in range(MANY_LOOKS):
        card = await bedside.card()
        if any(f.rule == "REC-02" and words in f.reason for f in card.findings):
            return card
    raise AssertionError("the difference is not said")


async def settled_by_two(bedside: Bedside, *, once_more: str = "") -> None:
    said = {"reason": "compared"}
    await bedside.do("reconcile_record", ADMINISTRATOR, message_id=f"admin{once_more}", **said)
    await bedside.into_next_run(bedside.do("reconcile_record", PHYSICIAN, message_id=f"physician{once_more}", **said))


@pytest.mark.parametrize("reapply", [NOT_AGAIN, AGAIN])
async def test_what_a_reset_applies_again_is_there_once_with_the_time_of_the_record(
    ward: Ward, reapply: ResetReapplyType.ValueType
) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.sign(1, 1)
    await until_written(bedside)
    before = await workflow_tasks(ward.client, bedside.course_id)
    await bedside.premedicate()
    await bedside.weigh()
    await bedside.do("hold", PHYSICIAN, reason="wait")
    await bedside.do("report_reaction", NURSE, reaction_id="r-1", symptoms="chills", grade=1)
    await until_written(bedside)
    on_record = (await bedside.courses.chart(bedside.course_id)).facts

    await reset(ward.client, bedside.course_id, before[-1], reapply=reapply)
    await bedside.weigh()
    await until_held(bedside)
    told = await differences(bedside.courses, ward.engine, bedside.course_id)
    said_again = {"hold", "reaction"} if reapply == AGAIN else set()  # what was charted without a time of its own
    assert said_again <= {f.kind for f in told.other_times}
    assert bool(said_again) == any("that of the record stands" in words for words in told.words())
    await settled_by_two(bedside)
    facts = (await bedside.courses.chart(bedside.course_id)).facts
    assert facts[: len(on_record)] == on_record, "the first word stands, with its times"
    assert len({f.id for f in facts}) == len(facts)
    messages = {f.message for f in on_record if f.message}
    assert not [f.id for f in facts[len(on_record) :] if f.message in messages], "nothing of it is told twice"
    assert "REC-02" not in [f.rule for f in (await bedside.card()).findings]
    assert sum(f.what.kind == "weight" for f in facts) == sum(f.what.kind == "weight" for f in on_record) + 1


async def a_difference_beside_a_patient(ward: Ward) -> Bedside:
    """An infusion runs, the record knows more of it than the execution, and the card says so."""
    bedside = await ward.course(LABEL)
    await bedside.start(1, 1, await infusing(bedside))
    await until_written(bedside)
    before = await workflow_tasks(ward.client, bedside.course_id)
    await bedside.vital_signs()
    await until_written(bedside)
    await reset(ward.client, bedside.course_id, before[-1])
    await bedside.weigh()
    await until_held(bedside)
    return bedside


async def test_while_the_record_is_read_to_go_on_from_a_course_hears_and_calls(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable = asyncio.Event()

    async def read_late(*_: Any) -> list[Fault]:
        await readable.wait()
        return []

    bedside = await a_difference_beside_a_patient(ward)
    monkeypatch.setattr("activities.record.verify_course", read_late)
    await bedside.do("reconcile_record", ADMINISTRATOR, reason="compared")
    await bedside.do("reconcile_record", PHYSICIAN, reason="compared")
    await bedside.do("report_reaction", NURSE, reaction_id="r-1", symptoms="anaphylaxis", grade=4)
    receipt = await bedside.do("interrupt_infusion", NURSE, infused_ml="5")
    assert receipt.state == "reaction"
    status = await bedside.status()
    assert any(words.startswith("REC-02: the record ends at") for words in status.trouble)
    assert any("reads its record" in words for words in status.trouble)

    async def let_it_be_read() -> None:
        readable.set()

    await bedside.into_next_run(let_it_be_read())
    facts = (await bedside.courses.chart(bedside.course_id)).facts
    assert {"reaction", "infusion_interrupted"} <= {f.what.kind for f in facts}
    assert len({f.id for f in facts}) == len(facts)
    assert not (await bedside.status()).trouble


async def test_a_record_that_cannot_be_gone_on_from_is_said_at_once_and_both_say_it_again(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def altered(_engine: object, _key: object, course_id: str) -> list[Fault]:
        return [Fault(course_id=course_id, table="decision", row="3", words="changed")]

    bedside = await a_difference_beside_a_patient(ward)
    called = len([c for c in await calls_of(ward, bedside) if c.rule == "REC-02"])
    await bedside.do("reconcile_record", ADMINISTRATOR, reason="compared")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("activities.record.verify_course", altered)
        await bedside.do("reconcile_record", PHYSICIAN, reason="compared")
        await until_held(bedside, "could not be read to go on from it")
    assert len([c for c in await calls_of(ward, bedside, called + 2) if c.rule == "REC-02"]) == called + 2
    await settled_by_two(bedside, once_more="-again")
    assert (await bedside.card()).state == "infusion"


async def test_a_record_that_knows_more_is_noticed_though_nobody_signs_or_starts(ward: Ward, tmp_path: Path) -> None:
    """Housekeeping sees it, the course says it, and what happens at the bedside meanwhile is not refused for good."""
    bedside, *_ = await reset_to_before_its_start(ward)
    assert not (await bedside.status()).trouble, "a replay does not ask the record again"
    assert HEADS_COMPARED in SWEEPS, "housekeeping asks for it"
    sweep = sweeps_of(ward.engine, ward.client, Settings(var_dir=tmp_path), NOBODY, NOBODY)[HEADS_COMPARED]
    for _ in range(MANY_LOOKS):
        await sweep.do()
        if (await bedside.status()).trouble:
            break
    card = await until_held(bedside)
    assert "by the record an infusion runs" in card.sentence()
    calls = [c for c in await calls_of(ward, bedside) if c.rule == "REC-02"]
    assert {c.owner for c in calls} == {"administrator", "physician", "nurse"}

    with pytest.raises(CommandRefused) as refused:
        await bedside.do("complete_infusion", NURSE, message_id="its-end")
    assert (refused.value.refusal.type, refused.value.refusal.rules) == ("RecordDiffers", ("REC-02",))
    assert "record_administration" not in str(refused.value)
    await settled_by_two(bedside)
    await bedside.do("complete_infusion", NURSE, message_id="its-end")
    assert (await bedside.card()).state == "observation"


async def test_a_difference_is_said_beside_a_patient_too(ward: Ward) -> None:
    bedside = await a_difference_beside_a_patient(ward)
    card = await bedside.card()
    assert (card.state, card.verdict) == ("infusion", "HOLD")
    status = await bedside.status()
    assert "REC-02" in status.sentence
    assert any("REC-02" in words for words in status.trouble)
    found = await ward.handle(bedside).describe()
    reasons = SearchAttributeKey.for_keyword_list("HoldReason")
    assert list(found.typed_search_attributes[reasons]) == ["REC-02"]
    calls = await calls_of(ward, bedside, 2)
    assert {"administrator", "physician"} <= {c.owner for c in calls if c.rule == "REC-02"}
