"""Messages that arrive all the time: a run is renewed among them, also during an infusion, and nothing is lost or doubled."""

import asyncio
from collections import Counter
from datetime import timedelta

from demo.bedside import Bedside
from demo.patients import LABORATORY, NURSE
from models.facts import InfusionStarted, LabResult, VitalSigns
from models.messages import LabResults
from models.record import RecordEntry
from record.reader import read_entries, verify_chain
from services.courses import CommandRefused
from tests.conftest import Ward, until_written
from tests.factories import LABEL, a_lab

DRAWS = 150
COMMANDS_EACH = 12
PEOPLE = 3


class Fire:
    """Everything that is sent to one course at once, and what its senders were told."""

    def __init__(self, bedside: Bedside, subject_hash: str) -> None:
        self._bedside = bedside
        self._subject_hash = subject_hash
        self.receipts: list[str] = []

    async def laboratory(self) -> None:
        """Draws without a pause, and every fourth of them twice."""
        now = await self._bedside.clock.now()
        for number in range(DRAWS):
            drawn = a_lab("ggt", str(20 + number % 50), at=now - timedelta(seconds=number))
            message = LabResults(id=f"draw-{number}", by=LABORATORY, subject_hash=self._subject_hash, results=(drawn,))
            for _ in range(2 if number % 4 == 0 else 1):
                await self._bedside.courses.send(self._bedside.course_id, message)

    async def nurse(self, place: int) -> None:
        """Vital signs again and again; the next as soon as the last are answered."""
        for number in range(COMMANDS_EACH):
            signs = {"kind": "vital_signs", "temperature_c": "36.8", "systolic_mmhg": str(110 + number)}
            message_id = f"signs-{place}-{number}"
            receipt = await self._bedside.do("record_finding", NURSE, finding=signs, message_id=message_id)
            self.receipts.append(receipt.message_id)

    async def starts(self, preparation_id: str, place: int) -> str:
        """Presses start in the midst of it, as another person does too."""
        try:
            await self._bedside.start(1, 1, preparation_id, message_id=f"start-{place}")
        except CommandRefused as refused:
            return refused.type
        return "started"


async def test_a_run_is_renewed_under_constant_fire_during_an_infusion(impatient_ward: Ward) -> None:
    bedside = await impatient_ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    preparation_id = await bedside.ready_to_start(1, 1)
    await bedside.vital_signs()
    before = await runs_of(impatient_ward, bedside)
    fire = Fire(bedside, (await bedside.courses.chart(bedside.course_id)).course.subject_hash)
    started = [fire.starts(preparation_id, place) for place in range(2)]
    people = [fire.nurse(place) for place in range(PEOPLE)]
    told = (await asyncio.gather(*started, fire.laboratory(), *people))[:2]
    assert Counter(told)["started"] == 1, told
    status = await bedside.status()
    assert status.state == "infusion"
    await until_written(bedside)

    chart = await bedside.courses.chart(bedside.course_id)
    kinds = Counter(type(fact.what) for fact in chart.facts)
    assert kinds[InfusionStarted] == 1
    draws = [f.message for f in chart.facts if isinstance(f.what, LabResult) and f.message.startswith("draw-")]
    assert sorted(draws) == sorted(f"draw-{n}" for n in range(DRAWS))
    assert kinds[VitalSigns] >= PEOPLE * COMMANDS_EACH
    assert len(fire.receipts) == len(set(fire.receipts)) == PEOPLE * COMMANDS_EACH
    assert len({f.id for f in chart.facts}) == len(chart.facts)
    assert await runs_of(impatient_ward, bedside) >= before + 3
    assert await verify_chain(impatient_ward.engine, bedside.course_id) is None
    assert each_answered_once(await read_entries(impatient_ward.engine, bedside.course_id))


def each_answered_once(entries: list[RecordEntry]) -> bool:
    """No message id was judged in two decisions."""
    counted = Counter(message.id for entry in entries for message in entry.messages)
    return max(counted.values()) == 1


async def runs_of(ward: Ward, bedside: Bedside) -> int:
    """How many runs the course had up to now, by the chain of its executions."""
    runs, run_id = 0, (await ward.handle(bedside).describe()).run_id
    while run_id:
        runs += 1
        events = ward.client.get_workflow_handle(bedside.course_id, run_id=run_id).fetch_history_events()
        first = await anext(aiter(events))
        run_id = first.workflow_execution_started_event_attributes.continued_execution_run_id
    return runs
