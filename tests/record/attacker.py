"""Somebody who can write to the database as he likes, past foreign keys, and knows everything but the record key."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from demo.patients import ANNA
from models.housekeeping import COURSES_WATCHED, SweepResult
from models.notification import Notification
from models.people import Actor, Role
from models.record import RawMessage, RecordEntry
from models.tables import Row
from plumbing.database import database_file
from plumbing.keys import TEST_SUBJECT_KEY
from plumbing.sealing import table_of
from record import calls, inbox
from record.checks import note_checks
from record.inbox import WhatWasRead
from record.starts import reserve
from record.sweeps import note_done
from record.watch import Difference, note
from tests.factories import LABEL
from tests.record.factories import (
    MONDAY,
    a_batch,
    a_chain,
    a_dose,
    a_fact,
    a_finding,
    a_message,
    a_refused_message,
    a_rung,
    a_start,
    an_assessment,
    an_obligation,
    an_unreadable,
)

SPOILT, SOUND = "course-spoilt", "course-sound"
LABORATORY = Actor(role=Role.LABORATORY, id="lis")
WALL = datetime(2025, 3, 4, tzinfo=UTC)


def a_message_kept(raw: bytes = b"garbage") -> RawMessage:
    """A message that could not be read, with the hash that it has."""
    import base64
    import hashlib

    sha256 = hashlib.sha256(raw).hexdigest()
    return RawMessage(
        sha256=sha256,
        size=len(raw),
        name="lab_results",
        reason="no JSON",
        raw_base64=base64.b64encode(raw).decode(),
    )


def chain_of(course_id: str, entries: int = 3) -> list[RecordEntry]:
    """The start with what could not be used, a dose with its item, and the same dose once more and again."""
    unreadable, foreign = a_message_kept(), a_message_kept(b"of another patient")
    due = an_assessment(
        obligations=(an_obligation(standing="due"),), dose=a_dose(), next_dose="C1D1", findings=(a_finding(),)
    )
    return a_chain(
        {
            "facts": (a_fact(), an_unreadable(unreadable.sha256, id="f-u")),
            "start": a_start(course_id=course_id).model_copy(update={"subject_hash": _subject(course_id)}),
            "refused_messages": (a_refused_message(foreign.sha256),),
            "raw": (unreadable, foreign),
        },
        {
            "facts": (a_rung("due", id="f-2"),),
            "assessment": due,
            "messages": (a_message(),),
            "course_id": course_id,
        },
        *({"assessment": due, "course_id": course_id} for _ in range(entries - 2)),
        course_id=course_id,
    )


def _subject(course_id: str) -> str:
    return ANNA.course(course_id, LABEL, TEST_SUBJECT_KEY, MONDAY).subject_hash


async def a_whole_record(engine: AsyncEngine) -> None:
    """Two courses, and a row in every table, as our own code writes them."""
    for course_id in (SPOILT, SOUND):
        start = chain_of(course_id)[0].start
        assert start is not None
        await reserve(engine, start, MONDAY)
        await Record(engine, wall_clock=lambda: WALL).write_record(a_batch(*chain_of(course_id)))
    await inbox.receive(engine, b"a document", LABORATORY, WhatWasRead(), MONDAY)
    told_nobody = Notification(
        key="call", course_id=SPOILT, title="x", rule="", owner=Role.NURSE, rung="due", due_at=MONDAY, fired_at=MONDAY
    )
    call = calls.calls_of([told_nobody], ["log"])
    await calls.take(engine, call, MONDAY)
    lost = calls.Outcome(
        call=call[0], state=calls.CallState.FAILED, asked_at=MONDAY, settled_at=MONDAY, failure="OSError"
    )
    await calls.settle(engine, [lost])
    await note(engine, {(SPOILT, Difference.NO_EXECUTION): "terminated"}, MONDAY)
    await note_done(engine, SweepResult(name=COURSES_WATCHED, looked=2, found=1), MONDAY)
    await note_checks(engine, [SPOILT, SOUND], [], MONDAY)


class Attacker:
    """Reads and writes rows as the database holds them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._file = database_file(engine.url)

    async def rows(self, kind: type[Row], course_id: str | None = None) -> list[dict[str, Any]]:
        """The rows of a table, or those of one course."""
        table = table_of(kind)
        where = f" WHERE course_id = '{course_id}'" if course_id and "course_id" in table.columns else ""
        key = ", ".join(f'"{c.name}"' for c in table.primary_key)
        async with self._engine.connect() as connection:
            found = await connection.execute(text(f"SELECT * FROM {table.name}{where} ORDER BY {key}"))
            return [dict(row) for row in found.mappings()]

    async def change(self, kind: type[Row], row: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """Give a row other values; returns what it is now."""
        sets = ", ".join(f'"{name}" = :new_{name}' for name in values)
        await self._run(
            f"UPDATE {table_of(kind).name} SET {sets} WHERE {self._is(kind)}",
            {**{f"new_{name}": value for name, value in values.items()}, **self._key(kind, row)},
        )
        return {**row, **values}

    async def remove(self, kind: type[Row], row: Mapping[str, Any]) -> None:
        """Take a row away."""
        await self._run(f"DELETE FROM {table_of(kind).name} WHERE {self._is(kind)}", self._key(kind, row))

    async def add(self, kind: type[Row], row: Mapping[str, Any]) -> None:
        """Put a row in."""
        names = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(f":{name}" for name in row)
        await self._run(f"INSERT INTO {table_of(kind).name} ({names}) VALUES ({values})", dict(row))

    def _is(self, kind: type[Row]) -> str:
        return " AND ".join(f'"{c.name}" = :key_{c.name}' for c in table_of(kind).primary_key)

    def _key(self, kind: type[Row], row: Mapping[str, Any]) -> dict[str, Any]:
        return {f"key_{c.name}": row[c.name] for c in table_of(kind).primary_key}

    async def _run(self, statement: str, values: Mapping[str, Any]) -> None:
        if self._file:
            with closing(sqlite3.connect(self._file)) as connection, connection:
                connection.executescript("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
                assert connection.execute(statement, dict(values)).rowcount == 1
            return
        async with self._engine.begin() as session:
            await session.execute(
                text("SET LOCAL session_replication_role = replica")
            )  # foreign keys are not looked at
            assert (await session.execute(text(statement), dict(values))).rowcount == 1
