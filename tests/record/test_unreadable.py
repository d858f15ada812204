"""What could not be read and waits: which messages, and with which releases and keys each was tried."""

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from models.facts import UnreadableResolved
from models.people import CLOCK
from models.record import tried_with
from record.reader import worklist
from record.unreadable import bytes_of, note_tried, open_messages
from tests.record.factories import (
    COURSE_ID,
    a_batch,
    a_chain,
    a_fact,
    a_raw_message,
    a_refused_message,
    a_resolution,
    an_unreadable,
)

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64


def an_arrival(sha256: str, id: str, **more: object) -> dict[str, object]:
    return {"facts": (an_unreadable(sha256, id=id),), "raw": (a_raw_message(sha256),), **more}


async def test_what_a_person_has_settled_or_was_turned_away_does_not_wait(
    record: Record, record_engine: AsyncEngine
) -> None:
    turned_away = {"refused_messages": (a_refused_message(THREE),), "raw": (a_raw_message(THREE),)}
    chain = a_chain(an_arrival(ONE, "f-1"), an_arrival(TWO, "f-2"), turned_away, [a_resolution(ONE)])
    await record.write_record(a_batch(*chain))
    assert [m.sha256 for m in await open_messages(record_engine)] == [TWO]
    assert await open_messages(record_engine, "course-other") == []
    assert await open_messages(record_engine, COURSE_ID, "3333") == []
    [two] = await open_messages(record_engine, COURSE_ID, "2222")
    assert (two.name, two.sent, two.whole, await bytes_of(record_engine, two)) == (
        "lab_results",
        "signal",
        True,
        "Z2FyYmFnZQ==",
    )


async def test_a_message_that_was_read_leaves_the_worklist(record: Record, record_engine: AsyncEngine) -> None:
    read = a_fact(UnreadableResolved(target=ONE, outcome="read", reason="read again: lab_results"), id="read/1")
    assert read.by != CLOCK  # whoever it is by
    await record.write_record(a_batch(*a_chain(an_arrival(ONE, "f-1"), [read])))
    assert await worklist(record_engine) == []
    assert await open_messages(record_engine) == []


async def test_each_release_with_its_keys_is_kept_once_beside_the_message(
    record: Record, record_engine: AsyncEngine
) -> None:
    chain = a_chain(
        an_arrival(ONE, "f-1", key_ids=("k1",)),
        {"tried_again": (ONE, TWO), "code_version": "0.2.0", "key_ids": ("k2", "k1")},
        an_arrival(ONE, "f-3", key_ids=("k1",)),
    )
    await record.write_record(a_batch(*chain))
    await note_tried(record_engine, (await open_messages(record_engine))[0], tried_with("0.3.0", ()))
    [one] = await open_messages(record_engine)
    assert one.tried == ("0.1.0 k1", "0.2.0 k1 k2", "0.3.0")
