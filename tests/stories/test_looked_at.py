"""A course that people look at while it decides can be replayed: no look changes in which order it hears of anything."""

import asyncio
from datetime import UTC, datetime

from demo.bedside import Bedside
from demo.patients import LABORATORY
from models.messages import LabResults
from tests.conftest import Ward, until_written
from tests.factories import LABEL, a_lab
from tests.replay.chain import histories_of, link_of, links_of_runs

RESULTS, LOOKERS = 40, 3


async def test_a_course_looked_at_all_the_time_while_results_and_commands_arrive_replays(ward: Ward) -> None:
    """Without `history.MaxBufferedQueryCount` at 0 nearly every such course stalls at the next start of its worker."""
    bedside = await ward.course(LABEL)
    await bedside.weigh()
    subject = (await bedside.courses.chart(bedside.course_id)).course.subject_hash
    seen = [asyncio.Event() for _ in range(LOOKERS)]
    looking = [asyncio.create_task(look(bedside, saw)) for saw in seen]
    for number in range(RESULTS):
        alt = a_lab("alt", "31", at=datetime.now(UTC))
        draw = LabResults(id=f"draw-{number}", by=LABORATORY, subject_hash=subject, results=(alt,))
        await bedside.courses.send(bedside.course_id, draw)
        if number % 8 == 0:
            await bedside.weigh()
    await bedside.status()
    # However busy the course was, each look was answered in the end.
    await asyncio.gather(*(saw.wait() for saw in seen))
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    await until_written(bedside)
    runs = await histories_of(ward.client, bedside.course_id)
    assert await links_of_runs(runs) == [link_of(entry) for entry in await ward.record_of(bedside)]


async def look(bedside: Bedside, saw: asyncio.Event) -> None:
    while True:
        await bedside.courses.chart(bedside.course_id)
        saw.set()
