"""Whoever changes the record is found: each column of each table changed, rows removed, doubled, written anew, cut off.

The attacker can write what he likes and compute every hash; he lacks the record key. Tables and columns are found from
the models, so that a new one cannot be forgotten. On both databases.
"""

import sqlite3
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Integer, LargeBinary, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.record import Record
from models.base import canonical_json
from models.carried import Carried
from models.housekeeping import SweepResult
from models.record import RecordEntry, sha256_of
from models.tables import (
    CourseRow,
    DecimalText,
    DecisionRow,
    FactRow,
    InstallationRow,
    InstantText,
    Row,
    RowCountRow,
    SweepRow,
    WatchRow,
)
from plumbing.installation import InstallationRefused, must_be_ours
from plumbing.keys import TEST_RECORD_KEY, RecordKey
from plumbing.sealing import COUNTED, stored_values, table_of
from plumbing.settings import Mode
from record.anchors import heads_on_record
from record.raw import Fault
from record.rows import decision_row, fact_rows, standing
from record.sweeps import note_done
from record.verify import OF_A_COURSE, OF_NO_COURSE, verify_all, verify_course
from record.ward import board_rows, worklist_lines
from record.ward_reader import read_ward
from tests.record.attacker import SOUND, SPOILT, WALL, Attacker, a_whole_record, chain_of
from tests.record.factories import a_batch

TABLES: tuple[type[Row], ...] = tuple(Row.__subclasses__())


@pytest.fixture
async def engine(record_engine: AsyncEngine) -> AsyncEngine:
    """A record with a row in every table, as it was written."""
    await a_whole_record(record_engine)
    return record_engine


@pytest.fixture
def attacker(engine: AsyncEngine) -> Attacker:
    """Who attacks it."""
    return Attacker(engine)


async def faults(engine: AsyncEngine, key: RecordKey = TEST_RECORD_KEY, **more: Any) -> list[Fault]:
    return await verify_all(engine, key, **more)


async def shown(engine: AsyncEngine, course_id: str) -> tuple[list[Any], list[Any]]:
    """What board and worklist show of a course."""
    ward = await read_ward(engine, WALL)
    lines = [line for line in worklist_lines(ward) if line.course_id == course_id and not line.unreadable]
    return lines, [row for row in board_rows(ward) if row.course_id == course_id]


def other_values(column: Column[Any], value: Any) -> list[Any]:
    """Values of the same type that somebody might write instead, and nothing at all where that is allowed."""
    if isinstance(column.type, LargeBinary):
        return [b"another document"]
    if isinstance(column.type, InstantText):
        instant = datetime.fromisoformat(value) if value else WALL
        others: list[Any] = [InstantText.written(instant + timedelta(hours=1))]
    elif isinstance(column.type, DecimalText):
        others = ["13.0"]
    elif isinstance(column.type, Boolean):
        others = [not value]
    elif isinstance(column.type, Integer):
        others = [(value or 0) + 1]
    else:
        others = [f"{value or ''}x"]
    return [*others, None] if column.nullable and value is not None else others


def test_every_table_is_looked_at() -> None:
    assert set(TABLES) == {*OF_A_COURSE, *OF_NO_COURSE}


async def test_what_our_own_code_wrote_is_as_it_was_written(engine: AsyncEngine, attacker: Attacker) -> None:
    assert await faults(engine) == []
    assert await faults(engine, heads=await heads_on_record(engine)) == []
    for kind in TABLES:
        assert await attacker.rows(kind), f"nothing to attack in {kind.__name__}"


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: table_of(kind).name)
async def test_every_column_that_was_changed_is_named(engine: AsyncEngine, attacker: Attacker, kind: type[Row]) -> None:
    table, whole = table_of(kind), await shown(engine, SOUND)
    for row in await attacker.rows(kind, SPOILT):
        for column in table.columns:
            for value in other_values(column, row[column.name]):
                what = f"{table.name}.{column.name}: {row[column.name]!r} -> {value!r}"
                try:
                    changed = await attacker.change(kind, row, {column.name: value})
                except (DBAPIError, sqlite3.Error):
                    continue  # the database itself refuses it
                found = [fault for fault in await faults(engine) if fault.table == table.name]
                if column.primary_key:
                    assert found, what
                else:
                    assert column.name in {fault.column for fault in found}, f"{what}: {found}"
                if kind in OF_A_COURSE and column.name != "course_id":
                    assert {fault.course_id for fault in found} == {SPOILT}, what
                if table.name != "sweep":
                    assert await shown(engine, SOUND) == whole, what
                await attacker.change(kind, changed, {column.name: row[column.name]})
    assert await faults(engine) == []


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: table_of(kind).name)
async def test_every_row_that_was_removed_is_missed(engine: AsyncEngine, attacker: Attacker, kind: type[Row]) -> None:
    whole = await shown(engine, SOUND)
    for row in await attacker.rows(kind, SPOILT):
        await attacker.remove(kind, row)
        if kind is InstallationRow:
            with pytest.raises(InstallationRefused):
                await must_be_ours(engine, Mode.DEMO)
        else:
            found = await faults(engine)
            assert table_of(kind).name in {fault.table for fault in found}, row
            assert any("missing" in fault.words for fault in found), found
            assert {fault.course_id for fault in found} == {"" if kind in (*COUNTED, RowCountRow) else SPOILT}
            assert await shown(engine, SOUND) == whole
        await attacker.add(kind, row)
    assert await faults(engine) == []


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: table_of(kind).name)
async def test_every_row_that_was_doubled_is_named(engine: AsyncEngine, attacker: Attacker, kind: type[Row]) -> None:
    table = table_of(kind)
    for row in await attacker.rows(kind, SPOILT):
        for column in table.primary_key:
            double = {**row, column.name: other_values(column, row[column.name])[0]}
            try:
                await attacker.add(kind, double)
            except (DBAPIError, sqlite3.Error):
                continue  # there is such a row, or the database itself refuses it
            assert table.name in {fault.table for fault in await faults(engine)}, double
            await attacker.remove(kind, double)
    assert await faults(engine) == []


# ── an attacker who can hash ───────────────────────────────────────────────────────────────────────────────────────


async def write_anew(attacker: Attacker, entries: list[RecordEntry]) -> None:
    """Put these entries in the place of those that are there, with all that follows from them; the seals are left."""
    for kind, made in (
        (DecisionRow, [decision_row(e) for e in entries]),
        (FactRow, [r for e in entries for r in fact_rows(e)]),
    ):
        there = {tuple(r[c.name] for c in table_of(kind).primary_key): r for r in await attacker.rows(kind, SPOILT)}
        for stored in map(stored_values, made):
            old = there[tuple(stored[c.name] for c in table_of(kind).primary_key)]
            if changes := {n: v for n, v in stored.items() if n != "seal" and v != old[n]}:
                await attacker.change(kind, old, changes)
    (course,) = await attacker.rows(CourseRow, SPOILT)
    said = {n: InstantText.written(v) if isinstance(v, datetime) else v for n, v in standing(entries[-1]).items()}
    if changes := {n: v for n, v in said.items() if v != course[n]}:
        await attacker.change(CourseRow, course, changes)


def forged(number: int) -> list[RecordEntry]:
    """The chain with another content of one decision, and every hash behind it computed anew."""
    chain: list[RecordEntry] = []
    for entry in chain_of(SPOILT):
        content = entry.content
        if entry.number == number:
            content = canonical_json(entry.recorded.model_copy(update={"code_version": "9.9.9"}))
        before = {"previous_sha256": chain[-1].sha256} if chain else {}
        told = {"content": content, "content_sha256": sha256_of(content), **before}
        chain.append(RecordEntry(**{**dict(entry), **told}).sealed())
    return chain


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_chain_that_was_hashed_anew_breaks_at_its_seal(
    engine: AsyncEngine, attacker: Attacker, number: int
) -> None:
    await write_anew(attacker, forged(number))
    found = await faults(engine)
    assert (found[0].course_id, found[0].table, found[0].row, found[0].column) == (
        SPOILT,
        "decision",
        str(number),
        "seal",
    )
    assert "without the record key" in found[0].words
    assert {fault.column for fault in found} == {"seal"}, "all hashes and all that is derived fit together"
    assert await verify_course(engine, TEST_RECORD_KEY, SOUND) == []


async def test_the_seals_of_another_key_are_named_and_nothing_else(engine: AsyncEngine) -> None:
    found = await faults(engine, RecordKey.generate())
    assert {fault.column for fault in found} == {"seal"}
    assert any("sealed with another key" in fault.words for fault in found)


async def test_a_course_written_without_a_key_has_no_seal(engine: AsyncEngine, attacker: Attacker) -> None:
    for row in await attacker.rows(DecisionRow, SPOILT):
        await attacker.change(DecisionRow, row, {"seal": None})
    found = await verify_course(engine, TEST_RECORD_KEY, SPOILT)
    assert [(fault.column, fault.words) for fault in found] == [("seal", "it has no seal")] * 3


@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_an_end_that_was_cut_off_is_missed(engine: AsyncEngine, attacker: Attacker, kept: int) -> None:
    """The attacker puts the rows back as an old copy of the record had them, seals and all: only a head elsewhere tells."""
    heads = await heads_on_record(engine)
    old_copy = await _record_of(engine, kept)
    for kind in OF_A_COURSE:
        if kind not in COUNTED:
            for row in await attacker.rows(kind, SPOILT):
                await attacker.remove(kind, row)
            for row in old_copy.get(kind, []):
                await attacker.add(kind, row)
    assert await faults(engine) == []
    found = await faults(engine, heads=heads)
    assert [(f.course_id, f.table, f.row) for f in found] == [(SPOILT, "decision", str(kept + 1))]
    assert f"the record ends at {kept}, and decision 3 was written down elsewhere" in found[0].words


async def _record_of(engine: AsyncEngine, number: int) -> dict[type[Row], list[dict[str, Any]]]:
    """The rows of the spoilt course as they were after this decision: a copy made then by somebody who waits."""
    attacker, rows = Attacker(engine), {}
    for kind in OF_A_COURSE:
        if kind not in COUNTED:
            rows[kind] = await attacker.rows(kind, SPOILT)
            for row in rows[kind]:
                await attacker.remove(kind, row)
    copy: dict[type[Row], list[dict[str, Any]]] = {}
    if number:
        await Record(engine, wall_clock=lambda: WALL).write_record(a_batch(*chain_of(SPOILT)[:number]))
        for kind in rows:
            copy[kind] = await attacker.rows(kind, SPOILT)
            for row in copy[kind]:
                await attacker.remove(kind, row)
    for kind, whole in rows.items():
        for row in whole:
            await attacker.add(kind, row)
    return copy


async def test_another_past_than_the_one_written_down_is_named(engine: AsyncEngine) -> None:
    heads = [head.model_copy(update={"sha256": "0" * 64}) for head in await heads_on_record(engine)]
    found = await faults(engine, heads=heads)
    assert {(f.course_id, f.row, f.column) for f in found} == {(SPOILT, "3", "sha256"), (SOUND, "3", "sha256")}


async def test_a_row_changed_behind_our_back_stays_named_when_our_own_code_writes_it_again(
    engine: AsyncEngine, attacker: Attacker
) -> None:
    (sweep,) = await attacker.rows(SweepRow)
    await attacker.change(SweepRow, sweep, {"found": 7})
    await note_done(engine, SweepResult(name=sweep["name"], looked=3, found=0), WALL)
    (after,) = await attacker.rows(SweepRow)
    assert after["looked"] == 3
    assert {fault.table for fault in await faults(engine)} == {"sweep"}

    (course,) = await attacker.rows(CourseRow, SPOILT)
    await attacker.change(CourseRow, course, {"overdue": not course["overdue"]})
    await Record(engine, wall_clock=lambda: WALL).write_record(a_batch(*chain_of(SPOILT, 4)[3:]))
    assert ("course", SPOILT) in {(fault.table, fault.course_id) for fault in await faults(engine)}


async def test_a_count_that_was_lowered_with_its_row_is_named_and_goes_on_being_named(
    engine: AsyncEngine, attacker: Attacker
) -> None:
    (sweep,) = await attacker.rows(SweepRow)
    (count,) = [row for row in await attacker.rows(RowCountRow) if row["name"] == "sweep"]
    await attacker.remove(SweepRow, sweep)
    await attacker.change(RowCountRow, count, {"rows": 0})
    for _ in range(2):
        found = {(f.table, f.row, f.column) for f in await faults(engine)}
        assert ("row_count", "sweep", "rows") in found, found
        await note_done(engine, SweepResult(name=sweep["name"], looked=1, found=0), WALL)


async def test_no_course_goes_on_from_a_record_that_was_written_anew(engine: AsyncEngine, attacker: Attacker) -> None:
    start = chain_of(SPOILT)[0].start
    assert start is not None
    own = Carried(course=start)
    assert (await Record(engine).take_over(own)).carried.next_decision == 4
    await write_anew(attacker, forged(2))
    with pytest.raises(ApplicationError) as refused:
        await Record(engine).take_over(own)
    assert refused.value.type == "RecordAltered"


async def test_a_table_that_is_gone_is_named(engine: AsyncEngine) -> None:
    for kind in (WatchRow, SweepRow, FactRow):
        async with engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {table_of(kind).name} RENAME TO away"))
        found = [fault for fault in await faults(engine) if "table is missing" in fault.words]
        assert {fault.table for fault in found} == {table_of(kind).name}
        async with engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE away RENAME TO {table_of(kind).name}"))
    assert await faults(engine) == []
