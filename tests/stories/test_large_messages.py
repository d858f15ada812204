"""Whatever size arrives, the sender is refused or the course takes it, and it goes on deciding."""

import asyncio
import os
from contextlib import suppress
from datetime import timedelta

import pytest
from temporalio.service import RPCError, RPCStatusCode

from demo.bedside import Bedside
from models.facts import UnreadableMessage
from services.errors import NotConfirmed
from tests.conftest import Ward, until_written
from tests.examples import costly
from tests.factories import LABEL
from tests.stories.conftest import SmallWard

MB = 1_000_000


async def still_decides(bedside: Bedside) -> int:
    """The course answers a command and what it is shown then; how many messages it could not read."""
    receipt = await bedside.weigh()
    await until_written(bedside)
    assert receipt.decision > 0
    facts = (await bedside.courses.chart(bedside.course_id)).facts
    return sum(isinstance(fact.what, UnreadableMessage) for fact in facts)


@pytest.mark.parametrize(("number", "size"), [(4, 1 * MB), (8, 9 * MB // 10)])
async def test_large_messages_at_once_are_taken_and_the_course_goes_on(ward: Ward, number: int, size: int) -> None:
    bedside = await ward.course(LABEL)
    await bedside.weigh()
    handle = ward.handle(bedside)
    weighing = asyncio.gather(*(bedside.weigh() for _ in range(3)))  # the worker is at it while they arrive
    await asyncio.gather(*(handle.signal("lab_results", os.urandom(size)) for _ in range(number)))
    await weighing
    assert await still_decides(bedside) == number


async def test_a_message_of_two_megabytes_is_refused_to_its_sender_and_the_course_goes_on(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    with pytest.raises(RPCError) as refused:
        await ward.handle(bedside).signal("lab_results", os.urandom(2 * MB))
    assert refused.value.status is RPCStatusCode.INVALID_ARGUMENT
    assert await still_decides(bedside) == 0


async def test_a_command_of_three_megabytes_is_refused_to_its_sender_and_the_course_goes_on(ward: Ward) -> None:
    """The worker could neither accept nor reject it: its answer repeats the request."""
    bedside = await ward.course(LABEL)
    with pytest.raises(RPCError) as refused:
        await ward.handle(bedside).execute_update(
            "record_finding", os.urandom(3 * MB), rpc_timeout=timedelta(seconds=30)
        )
    assert refused.value.status is RPCStatusCode.RESOURCE_EXHAUSTED
    assert await still_decides(bedside) == 0


@costly
async def test_fifty_megabytes_that_came_while_no_worker_was_there_do_not_end_the_course(
    small_ward: SmallWard,
) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("fifty-megabytes")
        await bedside.weigh()
    handle = small_ward.client.get_workflow_handle(bedside.course_id)
    number = 60
    for _ in range(number // 6):
        await asyncio.gather(*(handle.signal("lab_results", os.urandom(9 * MB // 10)) for _ in range(6)))
    async with small_ward.worker():
        with suppress(NotConfirmed):  # it is busy with all these for longer than a person waits, and takes the command
            await bedside.weigh()
        assert await still_decides(bedside) == number
