"""The inbox: committed before it is acknowledged, each content once, settled once; the same on SQLite and PostgreSQL."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Boolean, Connection, String, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from models.people import Actor, Role
from plumbing.database import DatabaseRefused, alembic_config, make_engine, migrate, writing
from record import inbox
from record.inbox import (
    InboxItem,
    InboxState,
    ItemSettled,
    NotRead,
    SubjectCourse,
    UnknownItem,
    WaitsFor,
    WhatWasRead,
)
from record.reader import UnknownCourse
from tests.record.factories import COURSE_ID, a_batch, a_chain, a_start

MONDAY = datetime(2026, 3, 2, 8, 0, 0, 123456, tzinfo=UTC)
LABORATORY = Actor(role=Role.LABORATORY, id="lis")
COORDINATOR = Actor(role=Role.COORDINATOR, id="c-5")
RAW = b'\x00{"resourceType": "Bundle"}\xff'  # bytes, not text
FOUND = WhatWasRead(
    subjects=("key:aa", "key:bb"),
    birth_hash="key:cc",
    refused=(NotRead(where="entry 2", type="NoLoinc", reason="no LOINC code"),),
)


async def received(engine: AsyncEngine, raw: bytes = RAW, *, at: datetime = MONDAY, **found: Any) -> InboxItem:
    return await inbox.receive(engine, raw, LABORATORY, WhatWasRead(**found) if found else FOUND, at)


async def waiting(engine: AsyncEngine) -> list[InboxItem]:
    found = await inbox.waiting(engine)
    assert not found.unreadable
    return found.read


async def everything(engine: AsyncEngine) -> list[InboxItem]:
    found = await inbox.everything(engine)
    assert not found.unreadable
    return found.read


async def settled_as(engine: AsyncEngine, item: InboxItem, state: Any, course_id: str | None = None) -> InboxItem:
    return await inbox.settle(engine, item, state, COORDINATOR, MONDAY, "because", course_id=course_id)


async def test_what_was_received_is_kept_as_it_came(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    assert item == InboxItem(
        sha256=hashlib.sha256(RAW).hexdigest(),
        size=len(RAW),
        read_as="laboratory:lis",
        received_at=MONDAY,
        subjects=FOUND.subjects,
        birth_hash="key:cc",
        refused=FOUND.refused,
        state=InboxState.WAITING,
        waits_for=WaitsFor.A_LOOK,
        course_id=None,
        settled_by=None,
        settled_at=None,
        settled_why=None,
    )
    assert item.id == item.sha256[:16]
    assert await inbox.raw_of(record_engine, item) == RAW
    assert await waiting(record_engine) == [item]


async def test_what_was_received_is_there_for_another_process(record_engine: AsyncEngine, database_url: str) -> None:
    """Committed when `receive` returns: only then may a sender be told that it was."""
    item = await received(record_engine)
    another = make_engine(database_url)
    try:
        assert await inbox.raw_of(another, item) == RAW
    finally:
        await another.dispose()


async def test_the_same_bytes_again_are_the_same_item(record_engine: AsyncEngine) -> None:
    first = await received(record_engine)
    again = await inbox.receive(record_engine, RAW, COORDINATOR, WhatWasRead(), MONDAY + timedelta(days=1))
    assert again == first
    assert len(await everything(record_engine)) == 1
    assert (await received(record_engine, RAW + b" ")).sha256 != first.sha256


async def test_the_same_bytes_at_once_are_one_item(record_engine: AsyncEngine) -> None:
    items = await asyncio.gather(*(received(record_engine) for _ in range(8)))
    assert len({item.sha256 for item in items}) == len(await everything(record_engine)) == 1


async def test_received_again_a_settled_item_stays_settled(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    dismissed = await settled_as(record_engine, item, InboxState.DISMISSED)
    assert await received(record_engine) == dismissed
    assert await waiting(record_engine) == []


async def test_the_oldest_stands_first(record_engine: AsyncEngine) -> None:
    days = {n: await received(record_engine, bytes([n]), at=MONDAY + timedelta(days=n)) for n in (2, 0, 1)}
    assert await waiting(record_engine) == [days[0], days[1], days[2]]
    await settled_as(record_engine, days[0], InboxState.DISMISSED)
    assert [item.sha256 for item in await waiting(record_engine)] == [days[1].sha256, days[2].sha256]
    assert len(await everything(record_engine)) == 3


async def test_an_item_says_what_it_waits_for(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    waits = await inbox.leave_waiting(record_engine, item, WaitsFor.A_COURSE)
    assert waits == item.model_copy(update={"waits_for": WaitsFor.A_COURSE})
    assert await waiting(record_engine) == [waits]
    sent = await settled_as(record_engine, item, InboxState.SENT, "course-1")
    assert await inbox.leave_waiting(record_engine, item, WaitsFor.TEMPORAL) == sent  # somebody else was first


async def test_an_item_is_settled_once(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    sent = await settled_as(record_engine, item, InboxState.SENT, "course-1")
    assert (sent.state, sent.course_id, sent.waits_for) == (InboxState.SENT, "course-1", None)
    assert (sent.settled_by, sent.settled_at, sent.settled_why) == ("coordinator:c-5", MONDAY, "because")
    assert await settled_as(record_engine, item, InboxState.SENT, "course-1") == sent
    for state, course_id in ((InboxState.SENT, "course-2"), (InboxState.DISMISSED, None)):
        with pytest.raises(ItemSettled) as refused:
            await settled_as(record_engine, item, state, course_id)
        assert refused.value.item == sent
    assert await everything(record_engine) == [sent]


async def test_of_two_who_settle_at_once_one_is_told(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    both = (
        settled_as(record_engine, item, InboxState.SENT, "course-1"),
        settled_as(record_engine, item, InboxState.DISMISSED),
    )
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert {type(one) for one in ended} == {InboxItem, ItemSettled}


async def test_an_item_is_found_by_the_beginning_of_its_hash(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    for name in (item.sha256, item.id, item.sha256[:6], item.id.upper()):
        assert await inbox.item_named(record_engine, name) == item
    for name in ("", item.sha256[:5], "zzzzzzzz", "______", "%%%%%%", item.id + "0" * 60):
        with pytest.raises(UnknownItem):
            await inbox.item_named(record_engine, name)


async def test_a_name_that_fits_two_items_fits_none(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    twin = item.sha256[:8] + "0" * 56
    async with record_engine.begin() as connection:
        columns = "size, raw, read_as, received_at, subjects_json, refused_json, state"
        copied = f"INSERT INTO inbox (sha256, {columns}) SELECT '{twin}', {columns} FROM inbox"
        await connection.execute(text(copied))
    with pytest.raises(UnknownItem):
        await inbox.item_named(record_engine, item.sha256[:8])
    assert await inbox.item_named(record_engine, item.id) == item


async def test_the_courses_of_a_patient_are_found_by_any_of_the_hashes(
    record: Record, record_engine: AsyncEngine
) -> None:
    for course_id, subject in (("course-b", "key:bb"), ("course-a", "key:bb"), ("course-z", "key:zz")):
        start = a_start(course_id=course_id).model_copy(update={"subject_hash": subject})
        await record.write_record(a_batch(*a_chain([], course_id=course_id, start=start)))
    found = await inbox.courses_of(record_engine, FOUND.subjects)
    assert found == [
        SubjectCourse(course_id="course-a", subject_hash="key:bb"),
        SubjectCourse(course_id="course-b", subject_hash="key:bb"),
    ]
    assert await inbox.courses_of(record_engine, ()) == []
    assert await inbox.subject_of(record_engine, "course-z") == "key:zz"
    with pytest.raises(UnknownCourse):
        await inbox.subject_of(record_engine, COURSE_ID)


def _empty(kind: Any) -> str:
    return "'c'" if isinstance(kind, String) else "false" if isinstance(kind, Boolean) else "0"


async def test_a_record_of_a_release_before_links_is_refused_in_words(empty_engine: AsyncEngine) -> None:
    """No ward has run yet; from now on every record is carried on."""

    def before(connection: Connection) -> None:
        command.upgrade(alembic_config(connection), "0002")
        for table in ("course", "decision"):
            needed = [c for c in inspect(connection).get_columns(table) if not c["nullable"]]
            values = ", ".join(_empty(c["type"]) for c in needed)
            names = ", ".join(str(c["name"]) for c in needed)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"))

    async with writing(empty_engine).begin() as connection:
        await connection.run_sync(before)
    with pytest.raises(DatabaseRefused, match="lay out a new one"):
        await migrate(empty_engine)


async def test_no_item_is_in_another_state(record_engine: AsyncEngine) -> None:
    item = await received(record_engine)
    with pytest.raises(DBAPIError):
        async with record_engine.begin() as connection:
            await connection.execute(text(f"UPDATE inbox SET state = 'lost' WHERE sha256 = '{item.sha256}'"))


async def test_the_list_does_not_fetch_the_bytes(record_engine: AsyncEngine) -> None:
    """A waiting room of thousands would not fit into memory."""
    await received(record_engine)
    asked: list[str] = []
    event.listen(record_engine.sync_engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    await waiting(record_engine)
    (query,) = [statement for statement in asked if "inbox" in statement]
    assert '"inbox.sha256"' in query
    assert "inbox.raw" not in query
