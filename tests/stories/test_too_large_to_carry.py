"""While the record is away a run may hold more than can be carried over: it keeps its run, says so, and goes over later."""

import hashlib
from datetime import timedelta
from typing import Any

from demo.patients import PRESCRIBER
from record.reader import read_entries, verify_chain
from tests.conftest import until_written
from tests.factories import a_lab
from tests.stories.conftest import SmallWard
from workflows.course import CARRY_LIMIT_BYTES

RESULTS = 200
MESSAGES = 26
PADDING = "no rule reads this " * 14
"""Weighs next to nothing packed; with it what waits for the record lies too far behind the same facts to be packed as one."""


def a_long_message(number: int, subject_hash: str, collected_at: Any) -> dict[str, Any]:
    """Results that no rule reads, as many as one message may hold."""
    unread = a_lab("ggt", "40", at=collected_at)
    results = [
        unread.model_copy(
            update={
                "loinc": f"9{number:03d}{i:03d}-0",
                "unit": "{score}",  # of nothing that a rule reads, or the unit alone would ask what it means
                "method": noise(f"{number}-{i}"),
                "display": PADDING,
            }
        ).model_dump(mode="json")
        for i in range(RESULTS)
    ]
    return {"id": f"long-{number}", "by": "laboratory:lis", "subject_hash": subject_hash, "results": results}


def noise(seed: str) -> str:
    """Letters that no compression makes smaller than half."""
    return "".join(hashlib.sha256(f"{seed}/{i}".encode()).hexdigest() for i in range(2))


async def test_what_is_too_large_to_carry_waits_for_the_record_in_its_run(small_ward: SmallWard) -> None:
    """Design §2 promise 6: what is heavier than 512 KiB is not carried: the run stays, and an administrator is called."""
    async with small_ward.worker():
        bedside = await small_ward.course("too-large")
        await bedside.screen()
        await until_written(bedside)
        course = (await bedside.courses.chart(bedside.course_id)).course
        handle = bedside.courses.handle(bedside.course_id)
        first_run = (await handle.describe()).run_id
        async with small_ward.record_away():
            for number in range(MESSAGES):
                message = a_long_message(number, course.subject_hash, await bedside.clock.now())
                await handle.signal("lab_results", message)
            await bedside.status()
            await bedside.do("finish_dosing", PRESCRIBER, reason="the patient moves away", message_id="finish")
            for _ in range(3):
                await bedside.clock.advance(timedelta(minutes=2))
            status = await bedside.status()
            assert status.workflow_type == "TreatmentCycle"
            assert any("record behind" in words for words in status.trouble)
            events = [e async for e in handle.fetch_history_events()]
            timers = [e for e in events if e.HasField("timer_started_event_attributes")]
            moments = [t for t in timers if t.timer_started_event_attributes.start_to_fire_timeout.seconds == 5]
            assert len(moments) <= 3, "the course waits; it does not ask every few seconds"
            assert (await handle.describe()).run_id == first_run
        await bedside.clock.advance(timedelta(minutes=2))  # the waiting between two attempts is skipped
        await until_written(bedside)
        status = await bedside.status()
        assert (status.workflow_type, status.trouble) == ("LiverMonitoring", ())
        called = [
            e
            async for e in small_ward.client.get_workflow_handle(
                bedside.course_id, run_id=first_run
            ).fetch_history_events()
        ]
    told = [
        e.activity_task_scheduled_event_attributes
        for e in called
        if e.HasField("activity_task_scheduled_event_attributes")
        and e.activity_task_scheduled_event_attributes.activity_type.name == "notify"
    ]
    assert len(told) == 1
    entries = await read_entries(small_ward.engine, bedside.course_id)
    assert [e.number for e in entries] == list(range(1, len(entries) + 1))
    assert sum(m.name == "lab_results" for e in entries for m in e.messages) == MESSAGES
    assert await verify_chain(small_ward.engine, bedside.course_id) is None
    assert CARRY_LIMIT_BYTES == 512 * 1024
