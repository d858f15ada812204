"""One bad byte in one row: its course stands first, everything else of the ward is shown as it was. On both databases."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Integer, LargeBinary, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from models.tables import CourseRow, DecisionRow, FactRow, InboxRow, RawMessageRow, Row, RowCountRow, WorklistItemRow
from plumbing.database import database_file
from record import inbox
from record.raw import CannotBeRead, table_of
from record.reader import courses_on_record, list_courses
from record.ward import Ward, board_rows, worklist_lines
from record.ward_reader import read_ward
from tests.record.attacker import SOUND, SPOILT, a_whole_record

READ_BY_THE_WARD: tuple[type[Row], ...] = (CourseRow, DecisionRow, FactRow, WorklistItemRow)
NOT_TEXT = b"\xff"
ANYTHING = (b"\xff\xfe", "x", 2**31 - 1)


@pytest.fixture
async def ward_engine(record_engine: AsyncEngine) -> AsyncEngine:
    """A record with two courses and a row in every table."""
    await a_whole_record(record_engine)
    return record_engine


async def spoil(engine: AsyncEngine, statement: str, **values: Any) -> None:
    """Change one row past every rule of ours, and on SQLite past those of the database."""
    if file := database_file(engine.url):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.executescript("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
            assert connection.execute(statement, values).rowcount == 1
        return
    async with engine.begin() as connection_of_server:
        assert (await connection_of_server.execute(text(statement), values)).rowcount == 1


async def put_back(engine: AsyncEngine, kind: type[Row], column: str, value: Any, before: Any) -> None:
    """Give a column what it held before; the spoilt value stands in one row only."""
    table = table_of(kind).name
    await spoil(engine, f"UPDATE {table} SET {column} = :before WHERE {column} = :value", before=before, value=value)


async def held(engine: AsyncEngine, kind: type[Row], column: str) -> Any:
    async with engine.connect() as connection:
        statement = f"SELECT {column} FROM {table_of(kind).name}{where(kind)}"
        return (await connection.execute(text(statement))).scalar_one()


async def seen(engine: AsyncEngine) -> Ward:
    return await read_ward(engine, datetime(2025, 3, 4, tzinfo=UTC))


def lines_of(ward: Ward, course_id: str) -> list[Any]:
    return [line for line in worklist_lines(ward) if line.course_id == course_id and not line.unreadable]


def rows_of(ward: Ward, course_id: str) -> list[Any]:
    return [row for row in board_rows(ward) if row.course_id == course_id]


def first(ward: Ward) -> CannotBeRead:
    """What stands first on board and worklist."""
    assert worklist_lines(ward)[0].unreadable
    return ward.unreadable[0]


COLUMNS = [
    (kind, column)
    for kind in (*READ_BY_THE_WARD, InboxRow)
    for column in table_of(kind).columns
    if not isinstance(column.type, LargeBinary)
]
"""Every column of which a course or a document is made, found from the tables themselves."""
ALL_COLUMNS = [(kind, column) for kind in Row.__subclasses__() for column in table_of(kind).columns]
"""Every column of every table."""


def where(kind: type[Row]) -> str:
    """The one row that is spoilt."""
    if kind is RowCountRow:
        return " WHERE name = 'inbox'"
    if kind is InboxRow or "course_id" not in table_of(kind).columns:
        return ""
    last = " AND number = 3" if kind is DecisionRow else " AND position = 0" if kind is FactRow else ""
    last = " AND obligation = 'liver-1'" if kind is WorklistItemRow else last
    last = " AND size = 7" if kind is RawMessageRow else last
    return f" WHERE course_id = '{SPOILT}'{last}"


SIGHTED = {
    "a time": ("UPDATE course SET updated_at = 'yesterday'", "updated_at"),
    "a day without an hour": ("UPDATE course SET next_due_at = '2025-03-04'", "next_due_at"),
    "a zone of an hour": ("UPDATE course SET updated_at = '2025-03-03T09:12:00+02:00'", "updated_at"),
    "the year 9999": ("UPDATE course SET started_at = '9999-03-03T09:12:00.123456Z'", "started_at"),
    "a state": ("UPDATE course SET state = 'asleep'", "state"),
    "a state that is another one": ("UPDATE course SET state = 'completed'", "state"),
    "a verdict": ("UPDATE course SET verdict = 'MAY_START'", "verdict"),
    "a zone": ("UPDATE course SET zone = 'Mars/Phobos'", "zone"),
    "a clock": ("UPDATE course SET clock_offset_s = 2147483647 ", "clock_offset_s"),
    "a last decision": ("UPDATE course SET last_decision = 9", ""),
    "a number": ("UPDATE decision SET dose_mg = 'NaN'", "dose_mg"),
    "a content": ("UPDATE decision SET content = 'no JSON'", "content"),
    "a content that is another one": ("UPDATE decision SET content = replace(content, '1.30', '13.0')", "content"),
    "an owner": ("UPDATE worklist_item SET owner = 'surgeon'", "owner"),
    "a due time": ("UPDATE worklist_item SET due_at = 'soon'", "due_at"),
    "a fact": ("UPDATE fact SET body_json = 'no JSON'", ""),
    "a kind": ("UPDATE fact SET kind = 'height'", "kind"),
}


@pytest.mark.parametrize("what", SIGHTED)
async def test_a_course_that_cannot_be_read_stands_first_and_all_others_are_whole(
    ward_engine: AsyncEngine, what: str
) -> None:
    statement, column = SIGHTED[what]
    kind = next(k for k in READ_BY_THE_WARD if f"UPDATE {table_of(k).name} " in statement)
    before = await seen(ward_engine)
    assert before.unreadable == ()
    await spoil(ward_engine, statement + where(kind))
    after = await seen(ward_engine)
    assert (first(after).course_id, first(after).column) == (SPOILT, column)
    assert lines_of(after, SOUND) == lines_of(before, SOUND)
    assert rows_of(after, SOUND) == rows_of(before, SOUND)
    assert after.inbox == before.inbox


async def test_a_byte_that_is_no_text_spoils_its_own_row_only(ward_engine: AsyncEngine) -> None:
    if ward_engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL keeps the types of its columns")
    before = await seen(ward_engine)
    for kind, column in COLUMNS:
        whole, table = await held(ward_engine, kind, column.name), table_of(kind).name
        await spoil(ward_engine, f"UPDATE {table} SET {column.name} = :value{where(kind)}", value=NOT_TEXT)
        after = await seen(ward_engine)
        told = {found.column for found in after.unreadable if found.table == table}
        what = f"{table}.{column.name}"
        if what != "worklist_item.resolved_by":  # reads as resolved; `record verify` names it
            assert worklist_lines(after)[0].unreadable, what
            assert column.name in told or what in NAMED_OTHERWISE, what
        assert lines_of(after, SOUND) == lines_of(before, SOUND), what
        assert rows_of(after, SOUND) == rows_of(before, SOUND), what
        await put_back(ward_engine, kind, column.name, NOT_TEXT, whole)
    assert await seen(ward_engine) == before


NAMED_OTHERWISE = {"course.last_decision", "decision.course_id", "decision.number", "fact.course_id"}
"""What ties rows together: with it gone the other row is missing, and that is said."""


async def test_whatever_a_column_holds_the_ward_is_read(ward_engine: AsyncEngine) -> None:
    before, tried = await seen(ward_engine), 0
    for (kind, column), value in product(ALL_COLUMNS, ANYTHING):
        if ward_engine.dialect.name == "postgresql" and not takes(column, value):
            continue
        whole = await held(ward_engine, kind, column.name)
        try:
            await spoil(
                ward_engine, f"UPDATE {table_of(kind).name} SET {column.name} = :value{where(kind)}", value=value
            )
        except (DBAPIError, sqlite3.Error):
            continue  # the database itself refuses it
        tried += 1
        after = await seen(ward_engine)
        assert lines_of(after, SOUND) == lines_of(before, SOUND), f"{column} = {value!r}"
        assert rows_of(after, SOUND) == rows_of(before, SOUND), f"{column} = {value!r}"
        await put_back(ward_engine, kind, column.name, value, whole)
    assert tried > 60


def takes(column: Column[Any], value: Any) -> bool:
    """Whether PostgreSQL has such a value in this type of column."""
    kind = int if isinstance(column.type, Integer) else bool if isinstance(column.type, Boolean) else str
    return type(value) is kind


async def test_bytes_within_a_text_do_not_fail_the_answer(ward_engine: AsyncEngine) -> None:
    """The driver of SQLite decodes a text while it fetches, and one that is no UTF-8 would end the whole answer."""
    if ward_engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL takes no such text")
    statement = f"UPDATE course SET started_by = CAST(:value AS TEXT) WHERE course_id = '{SPOILT}'"
    await spoil(ward_engine, statement, value=NOT_TEXT)
    after = await seen(ward_engine)
    assert (first(after).column, first(after).words) == ("started_by", "it holds bytes that are no text")
    assert [course.course_id for course in await list_courses(ward_engine)] == [SOUND]
    assert [found.course_id for found in (await courses_on_record(ward_engine)).unreadable] == [SPOILT]


async def test_an_item_whose_course_is_gone_is_said(ward_engine: AsyncEngine) -> None:
    if ward_engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL keeps the course of an item")
    await spoil(ward_engine, f"DELETE FROM course WHERE course_id = '{SPOILT}'")
    found = first(await seen(ward_engine))
    assert (found.course_id, found.table, found.words) == (SPOILT, "worklist_item", "its course is not on record")


async def test_a_document_that_cannot_be_read_waits_for_a_person(ward_engine: AsyncEngine) -> None:
    await spoil(ward_engine, "UPDATE inbox SET subjects_json = 'no JSON'")
    ward = await seen(ward_engine)
    line = worklist_lines(ward)[0]
    assert (line.course_id, ward.inbox) == ("", ())
    assert line.what.startswith("a row of no course cannot be read: inbox ")
    assert (await inbox.everything(ward_engine)).read == []
