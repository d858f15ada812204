"""The record: each decision once, in order, chained; the same on SQLite and PostgreSQL."""

import asyncio
import inspect
import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import stubs
from activities.record import Record
from models.assessment import CourseState, Verdict
from models.base import canonical_json
from models.facts import Ecg, LabResult, LabStatus, Weight
from models.obligation_kinds import ObligationKind
from models.people import Role
from models.record import RecordBatch, RecordEntry, sha256_of
from models.tables import InstantText, Row
from plumbing.converter import TEST_KEY_RING, data_converter
from plumbing.database import DatabaseRefused, make_engine, migrate, reading
from plumbing.settings import ROOT
from record.reader import (
    RecordAltered,
    UnknownCourse,
    WorklistItem,
    list_courses,
    read_entries,
    verify_chain,
    worklist,
)
from record.rows import decision_row
from tests.record.factories import (
    COURSE_ID,
    MONDAY,
    a_batch,
    a_chain,
    a_dose,
    a_fact,
    a_finding,
    a_message,
    a_raw_message,
    a_refusal,
    a_refused_message,
    a_resolution,
    a_rung,
    a_start,
    an_assessment,
    an_entry,
    an_obligation,
    an_obligation_met,
    an_unreadable,
)

TABLES = ("course", "decision", "fact", "worklist_item", "message_refused", "raw_message")


async def rows_of(engine: AsyncEngine, table: str) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        rows = await connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))
        return [dict(row) for row in rows.mappings()]


async def everything(engine: AsyncEngine) -> dict[str, list[dict[str, Any]]]:
    return {table: await rows_of(engine, table) for table in TABLES}


async def change(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        assert (await connection.execute(text(statement))).rowcount == 1


async def refused(record: Record, *entries: RecordEntry) -> str | None:
    with pytest.raises(ApplicationError) as error:
        await record.write_record(a_batch(*entries))
    assert error.value.non_retryable  # the course is held at once (REC-02), and its entries wait
    return error.value.type


# ── once, in order, all or none ────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_batch_twice_has_one_effect(record: Record, record_engine: AsyncEngine) -> None:
    refused_one = {"refused_messages": (a_refused_message(),), "raw": (a_raw_message("c" * 64),)}
    batch = a_batch(*a_chain([a_fact()], [a_rung("due")], refused_one))
    await record.write_record(batch)
    once = await everything(record_engine)
    await record.write_record(batch)
    after = await everything(record_engine)
    assert once == after
    assert [len(after[table]) for table in TABLES] == [1, 3, 2, 2, 1, 1]


async def test_a_batch_may_begin_with_what_an_earlier_attempt_wrote(record: Record, record_engine: AsyncEngine) -> None:
    first, second = a_chain([a_fact()], [a_fact(id="f-2")])
    await record.write_record(a_batch(first))
    await record.write_record(a_batch(first, second))
    assert await read_entries(record_engine, COURSE_ID) == [first, second]


async def test_an_empty_batch_writes_nothing(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch())
    assert await list_courses(record_engine) == []


async def test_another_entry_under_the_same_number_is_an_alarm(
    record: Record, record_engine: AsyncEngine, log: io.StringIO
) -> None:
    await record.write_record(a_batch(an_entry(1, a_fact())))
    assert await refused(record, an_entry(1, a_fact(Weight(kg=Decimal("75.9"))))) == "RecordConflict"
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["event"], line["course"], line["decision"]) for line in logged] == [("record_conflict", COURSE_ID, 1)]
    assert await verify_chain(record_engine, COURSE_ID) is None


async def test_a_conflict_is_found_although_it_is_not_the_last_decision(record: Record) -> None:
    first, second = a_chain([a_fact()], [])
    await record.write_record(a_batch(first, second))
    assert await refused(record, an_entry(1)) == "RecordConflict"


@pytest.mark.parametrize("number", [1, 2, 4])
async def test_a_decision_that_is_not_the_next_one_is_refused(record: Record, number: int) -> None:
    first, second = a_chain([], [])
    await record.write_record(a_batch(first, second))
    stray = an_entry(number, after=second)
    assert await refused(record, stray) == ("RecordGap" if number == 4 else "RecordConflict")


async def test_an_unknown_course_begins_with_its_first_decision(record: Record, record_engine: AsyncEngine) -> None:
    _, second = a_chain([], [])
    assert await refused(record, second) == "RecordGap"
    assert await list_courses(record_engine) == []


async def test_a_first_entry_says_how_the_course_started(record: Record) -> None:
    assert await refused(record, an_entry(1, start=None)) == "RecordStartMissing"
    assert await refused(record, an_entry(1, start=a_start(course_id="course-b2"))) == "RecordStartMissing"


async def test_facts_follow_those_on_record(record: Record) -> None:
    first = an_entry(1, a_fact())
    await record.write_record(a_batch(first))
    assert await refused(record, an_entry(2, after=first, first_fact_index=2)) == "RecordGap"
    assert await refused(record, an_entry(2, after=first, first_fact_index=0)) == "RecordGap"


async def test_an_entry_follows_the_hash_of_the_one_before_it(record: Record) -> None:
    first = an_entry(1)
    await record.write_record(a_batch(first))
    assert await refused(record, an_entry(2, previous_sha256="f" * 64)) == "RecordChainBroken"
    assert await refused(record, an_entry(1, course_id="course-b2", previous_sha256="f" * 64)) == "RecordChainBroken"


async def test_a_hash_that_is_not_of_its_content_is_refused(record: Record) -> None:
    changed = an_entry(1).model_copy(update={"run_cycle": 2})
    assert await refused(record, changed) == "RecordHashMismatch"
    assert await refused(record, an_entry(1).model_copy(update={"sha256": ""})) == "RecordHashMismatch"


async def test_a_batch_with_a_bad_second_entry_leaves_nothing(record: Record, record_engine: AsyncEngine) -> None:
    first = an_entry(1, a_rung("due"))
    assert await refused(record, first, an_entry(3, after=first)) == "RecordGap"
    assert all(rows == [] for rows in (await everything(record_engine)).values())


async def test_a_refusal_names_no_value(record: Record) -> None:
    await record.write_record(a_batch(an_entry(1)))
    with pytest.raises(ApplicationError) as error:
        await record.write_record(a_batch(an_entry(1, a_fact())))
    assert str(error.value) == (
        "RecordConflict: course course-a1, decision 1: the record holds another entry under this number"
    )


async def test_an_entry_of_a_release_without_a_field_is_written_and_read_as_it_was_decided(
    record: Record, record_engine: AsyncEngine
) -> None:
    entry = an_entry(1, a_fact(Ecg(qtcf_ms=Decimal("430"))))
    older = json.loads(entry.content)
    del older["refused_messages"], older["facts"][0]["what"]["qrs_ms"], older["assessment"]["divergences"]
    content = canonical_json(older)
    sealed = entry.model_copy(update={"content": content, "content_sha256": sha256_of(content)}).sealed()
    following = an_entry(2, after=sealed)
    await record.write_record(a_batch(sealed, following))
    assert await verify_chain(record_engine, COURSE_ID) is None
    assert await read_entries(record_engine, COURSE_ID) == [sealed, following]
    (fact,) = await rows_of(record_engine, "fact")
    assert "qrs_ms" not in fact["body_json"]  # or a release with one more field would call the row changed


async def test_nothing_is_written_into_a_database_that_became_another_ones(
    record: Record, record_engine: AsyncEngine, log: io.StringIO
) -> None:
    first, second = a_chain([a_fact()], [])
    await record.write_record(a_batch(first))
    async with record_engine.connect() as connection:
        own = (await connection.execute(text("SELECT installation_id FROM installation"))).scalar()
    await change(record_engine, "UPDATE installation SET installation_id = 'another'")
    with pytest.raises(ApplicationError) as error:
        await record.write_record(a_batch(second))
    assert (error.value.type, error.value.non_retryable) == ("RecordExchanged", False)  # the entry waits
    assert "record_exchanged" in log.getvalue()
    await change(record_engine, f"UPDATE installation SET installation_id = '{own}'")
    await record.write_record(a_batch(second))
    assert await read_entries(record_engine, COURSE_ID) == [first, second]


# ── two attempts at once ───────────────────────────────────────────────────────────────────────────────────────────


async def write_as_temporal_does(engine: AsyncEngine, batch: RecordBatch) -> None:
    """Again after a failure of the database, never after a refusal."""
    for _ in range(5):
        try:
            return await Record(engine).write_record(batch)
        except DBAPIError:
            continue
    raise AssertionError("the database failed five times")


async def test_two_attempts_at_once_have_one_effect(record_engine: AsyncEngine) -> None:
    chain = a_chain(*([a_fact(id=f"f-{n}")] for n in range(6)))
    for entries in (chain[:3], chain):
        await asyncio.gather(*(write_as_temporal_does(record_engine, a_batch(*entries)) for _ in range(5)))
        assert await read_entries(record_engine, COURSE_ID) == entries
    assert len(await rows_of(record_engine, "fact")) == 6


async def test_an_attempt_waits_for_another_that_is_under_way(record_engine: AsyncEngine) -> None:
    first, second = a_chain([], [])
    await Record(record_engine).write_record(a_batch(first))
    both = (Record(record_engine).write_record(a_batch(first, second)) for _ in range(4))
    await asyncio.gather(*both)  # none fails: the course's row, or the file, is taken in turn
    assert await verify_chain(record_engine, COURSE_ID) is None


# ── what comes back ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_decimals_and_instants_come_back_digit_for_digit(record: Record, record_engine: AsyncEngine) -> None:
    weight = a_fact(Weight(kg=Decimal("76.30")), at=MONDAY)
    entry = an_entry(1, weight, assessment=an_assessment(dose=a_dose("1.30")))
    await record.write_record(a_batch(entry))
    (read,) = await read_entries(record_engine, COURSE_ID)
    assert read == entry
    dose, what = read.assessment.dose, read.facts[0].what
    assert dose is not None
    assert isinstance(what, Weight)
    assert (str(dose.mg), str(what.kg), read.facts[0].at) == ("1.30", "76.30", MONDAY)
    (decision,) = await rows_of(record_engine, "decision")
    assert decision["dose_mg"] == "1.30"
    (fact,) = await rows_of(record_engine, "fact")
    assert fact["at"] == "2025-03-03T07:10:00.123456Z"
    assert json.loads(fact["body_json"])["kg"] == "76.30"


async def test_a_laboratory_result_comes_back_as_it_was_sent(record: Record, record_engine: AsyncEngine) -> None:
    seen: dict[str, Any] = {"value": Decimal("1.30"), "uln": Decimal("55.0"), "collected_at": MONDAY}
    entry = an_entry(1, a_fact(LabResult(loinc="1742-6", status=LabStatus.FINAL, **seen)))
    await record.write_record(a_batch(entry))
    (read,) = await read_entries(record_engine, COURSE_ID)
    what = read.facts[0].what
    assert isinstance(what, LabResult)
    assert (str(what.value), str(what.uln), what.collected_at) == ("1.30", "55.0", MONDAY)


async def test_a_batch_that_travelled_encrypted_is_written_as_it_was_sent(
    record: Record, record_engine: AsyncEngine
) -> None:
    chain = a_chain([a_fact()], {"assessment": an_assessment(dose=a_dose(), obligations=(an_obligation(),))})
    converter = data_converter(TEST_KEY_RING)
    (travelled,) = await converter.decode(await converter.encode([a_batch(*chain)]), [RecordBatch])
    await ActivityEnvironment().run(record.write_record, travelled)
    assert await read_entries(record_engine, COURSE_ID) == chain


def test_text_of_an_instant_sorts_like_time() -> None:
    kept = InstantText()
    instants = [MONDAY.replace(microsecond=us) + timedelta(hours=h) for us in (0, 1, 999999) for h in (0, 5, 40)]
    texts = [kept.process_bind_param(instant, _ANY_DIALECT) for instant in instants]
    assert sorted(filter(None, texts)) == [kept.process_bind_param(i, _ANY_DIALECT) for i in sorted(instants)]
    assert [kept.process_result_value(written, _ANY_DIALECT) for written in texts] == instants
    with pytest.raises(ValueError, match="without a zone"):
        kept.process_bind_param(datetime(2025, 3, 3), _ANY_DIALECT)  # noqa: DTZ001


_ANY_DIALECT: Any = None


async def test_a_decision_row_says_what_was_asked_found_and_answered(
    record: Record, record_engine: AsyncEngine
) -> None:
    held = an_assessment(verdict=Verdict.HOLD, findings=(a_finding(fact="f-1"), a_finding("HEM-01", fact="f-1")))
    told, refused_start = (
        {"messages": (a_message(),), "assessment": held},
        {"messages": (a_message(refusal=a_refusal()),)},
    )
    foreign = {"refused_messages": (a_refused_message(),)}
    await record.write_record(a_batch(*a_chain(told, refused_start, foreign, [])))
    rows = await rows_of(record_engine, "decision")
    assert [row["outcome"] for row in rows] == ["accepted", "refused", "refused", "assessed"]
    assert [row["refusal_type"] for row in rows] == [None, "DoseGateClosed", "WrongSubject", None]
    assert [row["input_facts_json"] for row in rows] == ['["f-1"]', '["f-9"]', "[]", "[]"]
    assert (rows[0]["message_id"], rows[0]["message_by"], rows[0]["verdict"]) == ("m-1", "laboratory:lis", "HOLD")
    assert [finding["rule"] for finding in json.loads(rows[0]["findings_json"])] == ["NON-08", "HEM-01"]


async def test_a_senders_nul_character_does_not_block_the_record(record: Record, record_engine: AsyncEngine) -> None:
    chain = a_chain(
        {"messages": (a_message("m\x00-1"),), "facts": (an_unreadable(id="f\x00-1"),)}, [a_resolution("f\x00-1")]
    )
    await record.write_record(a_batch(*chain))
    assert await read_entries(record_engine, COURSE_ID) == chain
    assert await worklist(record_engine) == []


async def test_what_could_not_be_used_is_kept_whole(record: Record, record_engine: AsyncEngine) -> None:
    twice = {"facts": (an_unreadable("1" * 64), an_unreadable("1" * 64, id="f-2")), "raw": (a_raw_message("1" * 64),)}
    away = {"refused_messages": (a_refused_message("2" * 64), a_refused_message("3" * 64))}
    await record.write_record(a_batch(*a_chain(twice, {**away, "raw": (a_raw_message("2" * 64),)})))
    raw = await rows_of(record_engine, "raw_message")
    assert [(row["sha256"][0], row["size"], row["raw_base64"], bool(row["whole"])) for row in raw] == [
        ("1", 7, "Z2FyYmFnZQ==", True),
        ("2", 7, "Z2FyYmFnZQ==", True),
    ]
    turned_away = await rows_of(record_engine, "message_refused")
    assert [(row["decision"], row["position"], row["type"], row["sha256"][0]) for row in turned_away] == [
        (2, 0, "WrongSubject", "2"),
        (2, 1, "WrongSubject", "3"),
    ]


# ── the course ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_course_stands_where_its_last_decision_left_it(record: Record, record_engine: AsyncEngine) -> None:
    obligations = (an_obligation("b", due_at=MONDAY + timedelta(days=7)), an_obligation("a", standing="overdue"))
    later = an_assessment(state=CourseState.HELD, verdict=Verdict.HOLD, cycle=2, obligations=obligations)
    chain = a_chain([a_fact()], {"assessment": later})
    await record.write_record(a_batch(*chain))
    (course,) = await list_courses(record_engine)
    assert (course.state, course.verdict, course.cycle) == (CourseState.HELD, Verdict.HOLD, 2)
    assert (course.next_due_at, course.overdue, course.last_decision) == (MONDAY, True, 2)
    assert (course.updated_at, course.started_at, course.invented) == (chain[1].at, MONDAY, True)


async def test_each_course_has_a_chain_of_its_own(record: Record, record_engine: AsyncEngine) -> None:
    chains = {name: a_chain([a_fact()], [], course_id=name) for name in ("course-b", "course-a")}
    with_ids = {name: [chain[0], an_entry(2, after=chain[0], course_id=name)] for name, chain in chains.items()}
    for chain in with_ids.values():
        await record.write_record(a_batch(*chain))
    assert [course.course_id for course in await list_courses(record_engine)] == ["course-a", "course-b"]
    assert await read_entries(record_engine, "course-b") == with_ids["course-b"]


@pytest.mark.parametrize(
    ("invented", "ahead", "offset_s"),
    [
        (True, timedelta(days=20), 20 * 86400),
        (True, timedelta(seconds=5), 5),
        (True, timedelta(seconds=4.9), 0),
        (True, timedelta(hours=-3), 0),  # written late: a clock set back would hide what is overdue
        (False, timedelta(days=20), 0),
    ],
)
async def test_only_skipped_time_of_an_invented_course_is_an_offset(
    record_engine: AsyncEngine, invented: bool, ahead: timedelta, offset_s: int
) -> None:
    entry = an_entry(1, start=a_start(invented=invented))
    await Record(record_engine, wall_clock=lambda: entry.at - ahead).write_record(a_batch(entry))
    assert [course.clock_offset_s for course in await list_courses(record_engine)] == [offset_s]


# ── the worklist ───────────────────────────────────────────────────────────────────────────────────────────────────

DUE = {"assessment": an_assessment(obligations=(an_obligation(),))}


async def shown(engine: AsyncEngine, role: Role | None = None) -> list[tuple[str, str, int]]:
    return [(item.obligation, item.standing, item.opened_by) for item in await worklist(engine, role)]


async def test_an_item_is_due_then_overdue_then_resolved(record: Record, record_engine: AsyncEngine) -> None:
    chain = a_chain(
        {"facts": (a_rung("due"),), **DUE},
        {"facts": (a_rung("overdue"),), **DUE},
        [an_obligation_met()],
    )
    await record.write_record(a_batch(chain[0]))
    assert await worklist(record_engine) == [
        WorklistItem(
            course_id=COURSE_ID,
            obligation="liver-1",
            kind=ObligationKind.UNKNOWN,
            title="weekly liver test",
            owner=Role.NURSE,
            rule="MON-02",
            due_at=MONDAY,
            overdue_at=MONDAY + timedelta(days=1),
            standing="due",
            opened_by=1,
        )
    ]
    await record.write_record(a_batch(chain[1]))
    assert await shown(record_engine) == [("liver-1", "overdue", 1)]
    await record.write_record(a_batch(chain[2]))
    assert await shown(record_engine) == []
    (kept,) = await rows_of(record_engine, "worklist_item")
    assert (kept["standing"], kept["resolved_by"], kept["resolved_how"]) == ("overdue", 3, "met")


async def test_both_rungs_and_the_end_may_come_in_one_decision(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain((a_rung("due"), a_rung("overdue")))))
    assert await shown(record_engine) == [("liver-1", "overdue", 1)]
    await record.write_record(
        a_batch(
            *a_chain((a_rung("due"), an_obligation_met()), course_id="course-b2", start=a_start(course_id="course-b2"))
        )
    )
    assert await shown(record_engine) == [("liver-1", "overdue", 1)]


async def test_an_item_never_falls_back_while_it_is_open(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([a_rung("overdue")], [a_rung("due")])))
    assert await shown(record_engine) == [("liver-1", "overdue", 1)]


async def test_what_met_an_obligation_may_be_retracted(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([a_rung("overdue")], [an_obligation_met()], [a_rung("due")])))
    assert await shown(record_engine) == [("liver-1", "due", 3)]


async def test_the_same_obligation_at_another_time_is_another_item(record: Record, record_engine: AsyncEngine) -> None:
    next_week = MONDAY + timedelta(days=7)
    await record.write_record(
        a_batch(*a_chain([a_rung("due", due_at=next_week)], [a_rung("due")], [an_obligation_met()]))
    )
    assert [item.due_at for item in await worklist(record_engine)] == [next_week]


async def test_what_is_resolved_stays_resolved_as_it_was(record: Record, record_engine: AsyncEngine) -> None:
    met, read = [an_obligation_met()], [a_resolution("u" * 64)]
    withdrawn = [an_obligation_met("withdrawn")]
    await record.write_record(a_batch(*a_chain((a_rung("due"), an_unreadable()), met, read, withdrawn, read)))
    items = await rows_of(record_engine, "worklist_item")
    assert [(item["resolved_by"], item["resolved_how"]) for item in items] == [(2, "met"), (3, "dismissed")]


async def test_the_overdue_time_is_that_of_the_rung_that_fired(record: Record, record_engine: AsyncEngine) -> None:
    moved = an_assessment(obligations=(an_obligation(due_at=MONDAY + timedelta(days=7)),))
    await record.write_record(a_batch(*a_chain({"facts": (a_rung("due"),), "assessment": moved})))
    assert [(item.title, item.overdue_at) for item in await worklist(record_engine)] == [("weekly liver test", None)]


async def test_an_obligation_closed_as_overdue_stays_with_its_owner(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([a_rung("overdue")], [an_obligation_met("closed_as_overdue")])))
    assert await shown(record_engine) == [("liver-1", "closed_as_overdue", 1)]


async def test_an_obligation_that_never_fired_leaves_no_item(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([an_obligation_met()])))
    assert await rows_of(record_engine, "worklist_item") == []


async def test_a_rung_without_its_obligation_is_the_coordinators(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([a_rung("due")])))
    (item,) = await worklist(record_engine)
    assert (item.title, item.owner, item.overdue_at) == ("liver-1", Role.COORDINATOR, None)


@pytest.mark.parametrize("target", ["u" * 64, "f-1"])
async def test_an_unreadable_message_waits_for_a_physician_until_it_is_resolved(
    record: Record, record_engine: AsyncEngine, target: str
) -> None:
    arrived, unrelated, resolved = a_chain([an_unreadable()], [a_resolution("another")], [a_resolution(target)])
    await record.write_record(a_batch(arrived, unrelated))
    assert await shown(record_engine, Role.PHYSICIAN) == [("unreadable_message:f-1", "due", 1)]
    assert await shown(record_engine, Role.COORDINATOR) == []
    await record.write_record(a_batch(resolved))
    assert await shown(record_engine) == []
    (kept,) = await rows_of(record_engine, "worklist_item")
    assert (kept["resolved_by"], kept["resolved_how"]) == (3, "dismissed")


async def test_the_same_bytes_twice_are_two_items_and_one_resolution(
    record: Record, record_engine: AsyncEngine
) -> None:
    chain = a_chain([an_unreadable()], [an_unreadable(id="f-2")], [a_resolution("u" * 64)])
    await record.write_record(a_batch(*chain[:2]))
    assert len(await shown(record_engine)) == 2
    await record.write_record(a_batch(chain[2]))
    assert await shown(record_engine) == []


async def test_a_resolution_is_of_its_own_course(record: Record, record_engine: AsyncEngine) -> None:
    other = {"course_id": "course-b2", "start": a_start(course_id="course-b2")}
    await record.write_record(a_batch(*a_chain([an_unreadable()])))
    await record.write_record(a_batch(*a_chain([a_resolution("u" * 64)], **other)))
    assert await shown(record_engine) == [("unreadable_message:f-1", "due", 1)]


async def test_a_refused_message_waits_for_the_coordinator(record: Record, record_engine: AsyncEngine) -> None:
    arrived, resolved = a_chain({"refused_messages": (a_refused_message(),)}, [a_resolution("c" * 64)])
    await record.write_record(a_batch(arrived))
    (item,) = await worklist(record_engine, Role.COORDINATOR)
    assert (item.title, item.due_at) == (
        "a message was not taken into the chart (WrongSubject): find out why",
        arrived.at,
    )
    await record.write_record(a_batch(resolved))
    assert await shown(record_engine) == []


# ── the auditor ────────────────────────────────────────────────────────────────────────────────────────────────────

TAMPERING = {
    "content": "UPDATE decision SET content = replace(content, 'C1D1', 'C1D8') WHERE number = 2",
    "verdict": "UPDATE decision SET verdict = 'MAY_START' WHERE number = 2",
    "dose": "UPDATE decision SET dose_mg = '13.0' WHERE number = 2",
    "fact": "UPDATE fact SET body_json = replace(body_json, '76.0', '67.0') WHERE decision = 2",
    "fact gone": "DELETE FROM fact WHERE decision = 2",
    "decision gone": "DELETE FROM decision WHERE number = 2",
    "renumbered": "UPDATE decision SET number = 9 WHERE number = 2",
    "fact moved": "UPDATE fact SET decision = 3 WHERE decision = 2",
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_a_changed_row_is_found(record: Record, record_engine: AsyncEngine, what: str) -> None:
    with_dose = {"facts": (a_fact(id="f-2"),), "assessment": an_assessment(dose=a_dose("1.30"), next_dose="C1D1")}
    await record.write_record(a_batch(*a_chain([a_fact()], with_dose, [])))
    assert await verify_chain(record_engine, COURSE_ID) is None
    await change(record_engine, TAMPERING[what])
    assert await verify_chain(record_engine, COURSE_ID) == 2
    with pytest.raises(RecordAltered) as found:
        await read_entries(record_engine, COURSE_ID)
    assert found.value.number == 2


async def test_a_row_rewritten_with_a_hash_that_fits_breaks_the_chain(
    record: Record, record_engine: AsyncEngine
) -> None:
    first, second = a_chain([], [])
    await record.write_record(a_batch(first, second))
    forged = an_entry(1, code_version="9.9.9")
    async with record_engine.begin() as connection:
        statement = text(
            "UPDATE decision SET content = :c, content_sha256 = :k, sha256 = :h, code_version = '9.9.9' WHERE number = 1"
        )
        said = {"c": forged.content, "k": forged.content_sha256, "h": forged.sha256}
        await connection.execute(statement, said)
    assert await verify_chain(record_engine, COURSE_ID) == 2


async def test_a_number_that_is_left_out_is_missed(record: Record, record_engine: AsyncEngine) -> None:
    first = an_entry(1)
    await record.write_record(a_batch(first))
    forged = an_entry(3, after=first)
    async with AsyncSession(record_engine) as session, session.begin():
        session.add(decision_row(forged))
    await change(record_engine, "UPDATE course SET last_decision = 2")
    assert await verify_chain(record_engine, COURSE_ID) == 2


async def test_last_decisions_that_are_gone_are_missed(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([], [], [])))
    await change(record_engine, "DELETE FROM decision WHERE number = 3")
    assert await verify_chain(record_engine, COURSE_ID) == 3


async def test_a_fact_that_no_decision_brought_is_found(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([a_fact()], [])))
    await change(
        record_engine,
        "INSERT INTO fact (course_id, position, decision, fact_id, kind, at, recorded_at, by, message, body_json)"
        " SELECT course_id, 7, 7, 'f-7', kind, at, recorded_at, by, message, body_json FROM fact",
    )
    assert await verify_chain(record_engine, COURSE_ID) == 7


async def test_an_unknown_course_is_not_a_sound_one(record_engine: AsyncEngine) -> None:
    for question in (verify_chain, read_entries):
        with pytest.raises(UnknownCourse):
            await question(record_engine, "course-zz")


# ── the database ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_migrations_make_exactly_the_tables(record_engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), Row.metadata)

    async with record_engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_again_or_twice_at_once_changes_nothing(empty_engine: AsyncEngine) -> None:
    async with asyncio.timeout(20):  # without their lock they wait for each other for ever
        await asyncio.gather(*(migrate(empty_engine) for _ in range(4)))
    await migrate(empty_engine)
    assert await list_courses(empty_engine) == []


async def test_a_fact_belongs_to_a_course(record: Record, record_engine: AsyncEngine) -> None:
    await record.write_record(a_batch(*a_chain([a_fact()])))
    with pytest.raises(DBAPIError):
        await change(record_engine, "UPDATE fact SET course_id = 'course-zz'")


async def test_an_error_of_the_database_shows_no_parameter(record_engine: AsyncEngine) -> None:
    with pytest.raises(DBAPIError) as error:
        async with record_engine.begin() as connection:
            await connection.execute(text("SELECT no_such_column, :secret FROM fact"), {"secret": "ALT 160"})
    assert "ALT 160" not in str(error.value)


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "hunter2", "postgresql://u:hunter2@h:port/d", ""])
def test_another_database_is_refused_without_repeating_its_address(url: str) -> None:
    with pytest.raises(DatabaseRefused) as error:
        make_engine(url)
    assert "hunter2" not in str(error.value)
    assert error.value.__context__ is None


async def test_readers_and_a_writer_do_not_wait_for_each_other(record: Record, record_engine: AsyncEngine) -> None:
    first, second = a_chain([], {"run_cycle": 2})
    await record.write_record(a_batch(first))
    seen = text("SELECT last_decision FROM course")
    async with asyncio.timeout(5), reading(record_engine).connect() as reader:
        assert (await reader.execute(seen)).scalar() == 1
        await record.write_record(a_batch(second))
        assert (await reader.execute(seen)).scalar() == 1  # as of the instant at which it began
    assert [course.last_decision for course in await list_courses(record_engine)] == [2]


@pytest.mark.parametrize("module", ["activities.record", "plumbing.database"])
def test_importing_the_record_loads_the_drivers(module: str) -> None:
    loaded = modules_after_importing(module)
    assert {"asyncpg", "aiosqlite"} <= loaded


def test_workflows_see_names_of_activities_without_a_database() -> None:
    loaded = modules_after_importing("activities.stubs")
    assert not {"sqlmodel", "sqlalchemy", "asyncpg", "plumbing"} & loaded


def modules_after_importing(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_activity_has_the_name_and_signature_that_workflows_call() -> None:
    assert activity._Definition.must_from_callable(Record.write_record).name == stubs.WRITE_RECORD
    assert activity._Definition.must_from_callable(stubs.decide).name == stubs.DECIDE
    real, stub = inspect.signature(Record.write_record), inspect.signature(stubs.write_record)
    assert [p.annotation for p in real.parameters.values()][1:] == [p.annotation for p in stub.parameters.values()]
    assert real.return_annotation == stub.return_annotation


def test_the_wall_clock_is_only_the_default() -> None:
    assert Record(make_engine("sqlite://"))._wall_clock() - datetime.now(UTC) < timedelta(seconds=1)
