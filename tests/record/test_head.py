"""The head of the record is told at once, whoever writes meanwhile (REC-02)."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from plumbing.database import reading, writing
from tests.record.factories import COURSE_ID, a_batch, an_entry

PATIENCE_S = 10
"""A third of what a transaction waits for the lock."""


async def test_the_head_is_told_while_another_transaction_writes(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(an_entry(1)))
    async with writing(record_engine).begin() as busy:
        await busy.execute(text("UPDATE course SET state = state"))
        head = await asyncio.wait_for(record.head_of_record(COURSE_ID), PATIENCE_S)
    assert head.number == 1


def test_who_reads_never_queues_among_those_who_write(record_engine: AsyncEngine) -> None:
    with pytest.raises(ValueError, match="must not queue"):
        reading(writing(record_engine))
