"""Ten courses at once, each with a fate of its own: each record is what its own messages imply."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from clinical.decide import conclude
from demo.bedside import Bedside
from demo.patients import NURSE, PHYSICIAN, PRESCRIBER
from demo.story import go_to_the_dose, wait_for_the_morning
from models.assessment import Refused
from models.chart import Chart, Course
from models.facts import CYCLE_DAYS, CycleStarted, MonitoringStarted, RecordCompared, UnreadableMessage
from models.messages import Command, MachineMessage, NamedMessage
from models.record import RecordEntry
from plumbing.protocol_files import load_pinned
from record.reader import read_entries, verify_chain
from services.courses import CommandRefused, CourseClient
from tests.conftest import TASK_QUEUE, Ward, until_written
from tests.factories import ARTICLE, LABEL

DAY = timedelta(days=1)
Fate = Callable[[Bedside, int, int], Awaitable[bool | None]]
"""What happens to this patient before the dose of a cycle and day; `False`: no dose is given any more."""


class Remembering(CourseClient):
    """Speaks to courses, and keeps what was said to each."""

    def __init__(self, courses: CourseClient) -> None:
        super().__init__(courses.client, courses.task_queue)
        self.told: dict[str, list[NamedMessage]] = defaultdict(list)

    async def send(self, course_id: str, message: MachineMessage) -> None:
        self.told[course_id].append(NamedMessage.of(message))
        await super().send(course_id, message)

    async def command(self, course_id: str, command: Command, within: timedelta = timedelta(seconds=60)) -> Any:
        self.told[course_id].append(NamedMessage.of(command))
        return await super().command(course_id, command, within)


async def nothing(bedside: Bedside, cycle: int, day: int) -> bool | None:
    return None


async def high_alt(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (1, 8):
        await bedside.liver_test(alt="160")
        with pytest.raises(CommandRefused):
            await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=8)
        await bedside.clock.advance(DAY)
    return None


async def garbled_then_dismissed(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (1, 8):
        await bedside.courses.handle(bedside.course_id).signal("lab_results", {"results": "???"})
        await bedside.status()
        chart = await bedside.courses.chart(bedside.course_id)
        unread = next(f.what for f in chart.facts if isinstance(f.what, UnreadableMessage))
        fields = {"target": unread.sha256, "outcome": "dismissed", "reason": "the sender repeats it"}
        await bedside.do("resolve_unreadable", PHYSICIAN, **fields)
    return None


async def corrected_alt(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (1, 15):
        at = await bedside.clock.now()
        await bedside.send_labs({"alt": "400"}, at)
        await bedside.send_labs({"alt": "40"}, at, status="corrected")
    return None


async def mild_reaction(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (1, 8):
        await bedside.do("report_reaction", NURSE, reaction_id="r-1", symptoms="chills")
        at = (await bedside.clock.now()).isoformat()
        await bedside.do("report_reaction", PHYSICIAN, reaction_id="r-1", grade=2, resolved_at=at)
    return None


async def severe_reaction(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (2, 8):
        at = (await bedside.clock.now()).isoformat()
        await bedside.do("report_reaction", PHYSICIAN, reaction_id="r-1", grade=3, resolved_at=at)
        return False
    return None


async def given_elsewhere(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (2, 8):
        at = (await bedside.clock.now()).isoformat()
        await bedside.clock.advance(timedelta(hours=4))
        await bedside.do("record_administration", NURSE, cycle=2, day=8, mg="0.91", at=at, where="another hospital")
    return None


async def stopped_by_the_prescriber(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (2, 15):
        await bedside.do("discontinue", PRESCRIBER, reason="the patient wishes so")
        return False
    return None


async def held_by_a_nurse(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (1, 15):
        held = await bedside.do("hold", NURSE, reason="the patient is unwell", message_id="the-hold")
        assert held.verdict == "HOLD"
        await bedside.do("release_hold", PRESCRIBER, hold="the-hold/0", reason="well again")
    return None


async def another_patients_result(bedside: Bedside, cycle: int, day: int) -> bool | None:
    if (cycle, day) == (1, 8):
        chart = await bedside.courses.chart(bedside.course_id)
        stranger = {"id": "stranger", "by": "laboratory:lis", "subject_hash": "test:stranger", "results": []}
        result = next(f.what for f in chart.facts if f.what.kind == "lab_result")
        stranger["results"] = [result.model_dump(mode="json")]
        await bedside.courses.send(bedside.course_id, _lab_results(stranger))
        await bedside.status()
    return None


def _lab_results(content: dict[str, Any]) -> MachineMessage:
    from models.messages import LabResults

    return LabResults.model_validate(content, strict=False)


class Conducted(NamedTuple):
    """A course of so many cycles, with what the response to the first is, what else happens, and the state of its end."""

    protocol: str
    response: str
    fate: Fate
    end: str
    cycles: int = 1


FATES = (
    Conducted(LABEL, "CR", nothing, "liver_monitoring", 2),
    Conducted(LABEL, "none", high_alt, "cycle_review"),
    Conducted(ARTICLE, "CR", garbled_then_dismissed, "cycle_review"),
    Conducted(LABEL, "CRi", corrected_alt, "cycle_review"),
    Conducted(LABEL, "CR", mild_reaction, "cycle_review"),
    Conducted(ARTICLE, "CR", severe_reaction, "liver_monitoring", 2),
    Conducted(LABEL, "CR", given_elsewhere, "cycle_review", 2),
    Conducted(LABEL, "none", stopped_by_the_prescriber, "liver_monitoring", 2),
    Conducted(ARTICLE, "CR", another_patients_result, "cycle_review"),
    Conducted(LABEL, "CR", held_by_a_nurse, "cycle_review"),
)


async def conducted(bedside: Bedside, its: Conducted) -> None:
    """Its cycles, with its fate; those who end in monitoring without a stop are transplanted."""
    await wait_for_the_morning(bedside)
    await bedside.screen()
    for cycle in range(1, its.cycles + 1):
        for day in CYCLE_DAYS:
            if (cycle, day) != (1, 1):
                await go_to_the_dose(bedside, cycle, day)
            if await its.fate(bedside, cycle, day) is False:
                await bedside.into_next_run(bedside.status())
                return
            if (await bedside.card()).next_dose == f"C{cycle}D{day}":
                await _dose(bedside, cycle, day)
        if cycle == 1:
            await bedside.respond(1, its.response)
    if its.end == "liver_monitoring":
        await bedside.into_next_run(bedside.transplant())
        await bedside.to_next_due()
        await bedside.liver_test()


async def _dose(bedside: Bedside, cycle: int, day: int) -> None:
    await bedside.prepare_day(cycle, day)
    if cycle > 1 and day == 1:
        await bedside.into_next_run(bedside.do("start_next_cycle", PRESCRIBER, cycle=cycle))
    await bedside.give(cycle, day)
    await bedside.clock.advance(timedelta(hours=30))
    await bedside.liver_test()


def implied(course: Course, told: Sequence[NamedMessage], entries: Sequence[RecordEntry]) -> list[str]:
    """Decide again, with the pure core alone, what was said to this course at the times of its record; what differs."""
    messages, facts, faults = {m.id: m for m in told}, (), list[str]()
    for entry in entries:
        chart = Chart(course=course, facts=facts)
        unread = [f.what for f in entry.facts if isinstance(f.what, UnreadableMessage)]
        said = [messages[m.id].read() for m in entry.messages if m.id in messages]
        monitoring = _in_monitoring(chart.with_facts(*entry.facts))
        compared = next((f.what for f in entry.facts if isinstance(f.what, RecordCompared)), None)
        rules = load_pinned(chart.protocol)
        done = conclude(chart, [*said, *unread], entry.at, rules, monitoring=monitoring, compared=compared)
        refusals = [r if isinstance(r, Refused) else None for r in done.rulings[: len(said)]]
        recorded = [m.refusal for m in entry.messages]
        if (done.facts, done.assessment, refusals) != (entry.facts, entry.assessment, recorded):
            faults.append(f"decision {entry.number}: {entry.assessment.sentence()}")
        facts = (*facts, *entry.facts)
    seen = [m.id for e in entries for m in e.messages]
    if sorted(seen) != sorted(messages):
        faults.append("the messages on record are not those that were sent")
    return faults


def _in_monitoring(chart: Chart) -> bool:
    kinds = [f.what for f in chart.facts if isinstance(f.what, MonitoringStarted | CycleStarted)]
    return bool(kinds) and isinstance(kinds[-1], MonitoringStarted)


async def test_ten_courses_at_once_each_end_as_their_own_messages_imply(ward: Ward) -> None:
    courses = Remembering(ward.courses)
    assert courses.task_queue == TASK_QUEUE
    bedsides = []
    for its in FATES:
        bedside = await ward.course(its.protocol)
        bedside.courses = courses
        bedsides.append(bedside)
    await asyncio.gather(*(conducted(bedside, its) for bedside, its in zip(bedsides, FATES, strict=True)))

    assert [str((await b.card()).state) for b in bedsides] == [its.end for its in FATES]
    for bedside in bedsides:
        await until_written(bedside)
        entries = await read_entries(ward.engine, bedside.course_id)
        course = (await bedside.courses.chart(bedside.course_id)).course
        # Off the loop: the worker shares it, and a course that is asked meanwhile would not answer.
        assert await asyncio.to_thread(implied, course, courses.told[bedside.course_id], entries) == []
        assert await verify_chain(ward.engine, bedside.course_id) is None
        assert [e.number for e in entries] == list(range(1, len(entries) + 1))
        facts = [f.id for e in entries for f in e.facts]
        assert len(facts) == len(set(facts))

    one, other = bedsides[0], bedsides[2]
    course = (await one.courses.chart(one.course_id)).course
    foreign = await read_entries(ward.engine, other.course_id)
    assert implied(course, courses.told[one.course_id], foreign), "the comparison tells one course from another"
