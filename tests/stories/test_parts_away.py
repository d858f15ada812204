"""When parts are away: the worker, the record, the laboratory's order of things; and what happened is not refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from demo import bundles
from demo.bedside import Bedside
from demo.driver import Clock
from demo.patients import ANNA, LABORATORY, NURSE, PHYSICIAN, PRESCRIBER
from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject
from models.assessment import Verdict
from models.messages import COMMANDS
from models.status import Status
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, TEST_SUBJECT_KEY, birth_hash, subject_hash
from record.reader import read_entries, verify_chain
from services.courses import CourseError, NotConfirmed
from tests.conftest import MANY_LOOKS, Ward, until_written
from tests.examples import costly
from tests.factories import LABEL
from tests.stories.conftest import SmallWard


async def test_nothing_is_lost_while_the_worker_is_away(small_ward: SmallWard) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("worker-away")
        await bedside.screen()
    weight = COMMANDS["record_finding"].model_validate_json(
        '{"id": "while-away", "by": "nurse:n-1", "finding": {"kind": "weight", "kg": "71"}}'
    )
    with pytest.raises(NotConfirmed):
        await bedside.courses.command(bedside.course_id, weight, within=timedelta(seconds=1))
    now = await bedside.clock.now()
    subject = ANNA.course("x", LABEL, TEST_SUBJECT_KEY, now).subject_hash
    alt = {
        "loinc": "1742-6",
        "value": "31",
        "unit": "U/L",
        "uln": "55",
        "collected_at": now.isoformat(),
        "status": "final",
    }
    labs = {"id": "labs-while-away", "by": "laboratory:lis", "subject_hash": subject, "results": [alt]}
    for _ in range(3):
        await bedside.courses.handle(bedside.course_id).signal("lab_results", labs)

    async with small_ward.worker():
        receipt = await bedside.courses.command(bedside.course_id, weight)
        again = await bedside.courses.command(bedside.course_id, weight)
        await until_written(bedside)
    assert receipt == again
    entries = await read_entries(small_ward.engine, bedside.course_id)
    messages = [e.message.id for e in entries if e.message]
    assert messages.count("while-away") == 1
    assert messages.count("labs-while-away") == 1


@costly
async def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(small_ward: SmallWard, tmp_path: Path) -> None:
    TEST_KEY_RING.write(tmp_path / "payload-keys")
    TEST_SUBJECT_KEY.write(tmp_path / "subject-key")
    TEST_RECORD_KEY.write(tmp_path / "record-key")
    worker = await small_ward.worker_process(tmp_path)
    bedside = await small_ward.course("worker-killed")
    await bedside.screen()
    labs = bundles.bundle(ANNA.identifier, ANNA.birth_on.isoformat(), await bedside.clock.now(), bundles.NORMAL)
    subject = (await bedside.courses.chart(bedside.course_id)).course
    for round_number in range(3):
        read = read_fhir(labs, expected=expecting(subject.subject_hash), by=LABORATORY, sender=f"lab-{round_number}")
        for message in read.messages:
            await bedside.courses.send(bedside.course_id, message)
        worker.kill()
        await worker.wait()
        worker = await small_ward.worker_process(tmp_path)
        await bedside.examine()
    await until_written(bedside, looks=20 * MANY_LOOKS)  # what a killed worker had in hand is tried again after 10 s
    worker.terminate()
    await worker.wait()
    entries = await read_entries(small_ward.engine, bedside.course_id)
    messages = [e.message.id for e in entries if e.message]
    assert len(messages) == len(set(messages))
    assert sum(e.message is not None and e.message.name == "lab_results" for e in entries) == 3
    assert await verify_chain(small_ward.engine, bedside.course_id) is None


def expecting(subject: str) -> ExpectedSubject:
    return ExpectedSubject(
        hash_of=partial(subject_hash, TEST_SUBJECT_KEY),
        birth_hash_of=partial(birth_hash, TEST_SUBJECT_KEY),
        subject_hash=subject,
    )


async def test_a_worker_that_dies_leaves_nothing_behind(small_ward: SmallWard) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("worker-dies")
        await bedside.screen()
        await bedside.prepare_day(1, 1)
    async with small_ward.worker():
        preparation_id = await bedside.ready_to_start(1, 1)
    async with small_ward.worker():
        await bedside.start(1, 1, preparation_id)
        await until_written(bedside)
    assert await verify_chain(small_ward.engine, bedside.course_id) is None


@costly
async def test_a_course_goes_on_while_the_record_is_away_and_the_record_catches_up_in_order(
    small_ward: SmallWard,
) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("record-away")
        await bedside.screen()
        await bedside.prepare_day(1, 1)
        await bedside.give(1, 1)
        await until_written(bedside)
        async with small_ward.record_away():
            await bedside.clock.advance(timedelta(minutes=8))  # each minute is an attempt
            await bedside.liver_test()
            await bedside.examine()
            finish = bedside.do("finish_dosing", PRESCRIBER, reason="the patient moves away")
            status = await bedside.into_next_run(finish)
            assert status.unwritten > 0
            assert status.workflow_type == "LiverMonitoring"
        await bedside.clock.advance(timedelta(minutes=2))  # the waiting between two attempts is skipped
        await until_written(bedside)
    entries = await read_entries(small_ward.engine, bedside.course_id)
    assert [e.number for e in entries] == list(range(1, len(entries) + 1))
    assert await verify_chain(small_ward.engine, bedside.course_id) is None
    assert sum(e.message is not None and e.message.name == "finish_dosing" for e in entries) == 1


async def test_a_dose_given_during_downtime_is_charted_and_spacing_counts_from_it(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    given_at = await bedside.clock.now()
    await bedside.clock.advance(timedelta(hours=5))
    await bedside.do(
        "record_administration", NURSE, cycle=1, day=1, mg="1.45", at=given_at.isoformat(), where="during downtime"
    )
    card = await bedside.card()
    assert card.verdict is Verdict.TOO_EARLY
    assert "DAY-07" in [f.rule for f in card.findings]
    assert card.next_dose == "C1D8"
    too_soon = given_at + timedelta(days=3)
    await bedside.clock.advance_to(too_soon)
    await bedside.do("record_administration", PHYSICIAN, cycle=1, day=8, mg="0.91", at=too_soon.isoformat())
    reasons = [f.reason for f in (await bedside.card()).findings if f.rule == "DAY-07"]
    assert any("at least 6" in reason for reason in reasons)


async def test_three_courses_at_once_each_keep_their_own_record(ward: Ward) -> None:
    courses = [await ward.course(LABEL) for _ in range(3)]

    async def one(bedside: Bedside, values: dict[str, str]) -> None:
        await bedside.screen()
        await bedside.prepare_day(1, 1)
        await bedside.give(1, 1)
        await bedside.clock.advance(timedelta(days=7))
        await bedside.send_labs({**{a: bundles.NORMAL[a] for a in bundles.LIVER_PANEL}, **values})

    fates = [{"alt": "30"}, {"alt": "160"}, {"alt": "garbled"}]
    await asyncio.gather(*(one(b, values) for b, values in zip(courses, fates, strict=True)))
    assert [(await b.card()).verdict for b in courses] == [Verdict.NEED_DATA, Verdict.HOLD, Verdict.NEED_DATA]
    for bedside in courses:
        entries = await ward.record_of(bedside)
        assert {e.course_id for e in entries} == {bedside.course_id}
        assert await verify_chain(ward.engine, bedside.course_id) is None


async def test_an_unknown_protocol_pin_is_a_hold_and_a_call_not_a_crash(ward: Ward) -> None:
    course = ANNA.course("course-unknown-pin", LABEL, TEST_SUBJECT_KEY, datetime.now(UTC))
    pinned = course.model_copy(update={"protocol": course.protocol.model_copy(update={"sha256": "0" * 64})})
    await ward.start(pinned)
    bedside = Bedside(ward.courses, Clock(ward.client, pinned.course_id), pinned.course_id, ANNA, TEST_SUBJECT_KEY)
    status = await held_without_rules(bedside)
    assert "rules could not be evaluated" in status.sentence
    assert status.trouble
    with pytest.raises(CourseError) as refusal:
        await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=1)
    assert refusal.value.type == "RulesUnavailable"
    assert "kept" in (await bedside.weigh()).sentence
    await bedside.clock.advance(timedelta(hours=3))
    card = await bedside.card()
    assert [(f.rule, f.verdict) for f in card.findings] == [("RULES-01", Verdict.HOLD)]
    assert [o.owner for o in card.obligations] == ["administrator"]
    states = [e.assessment.state for e in await ward.record_of(bedside)]
    assert states == ["held", "held"], "the second says that the call to the administrator is overdue"


async def held_without_rules(bedside: Bedside) -> Status:
    for _ in range(MANY_LOOKS):
        status = await bedside.status()
        if status.state is not None:
            return status
    raise AssertionError("the course says nothing")


async def test_after_ten_minutes_without_a_record_an_administrator_is_called(small_ward: SmallWard) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("record-behind")
        await bedside.screen()
        await until_written(bedside)
        async with small_ward.record_away():
            await bedside.weigh()
            await bedside.clock.advance(timedelta(minutes=11))
            status = await bedside.status()
            assert any("record behind" in words for words in status.trouble)
        await bedside.clock.advance(timedelta(minutes=2))  # the waiting between two attempts is skipped
        await until_written(bedside)
        assert (await bedside.status()).trouble == ()
