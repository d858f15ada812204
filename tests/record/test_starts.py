"""An id is given to one patient once, on both databases."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import Record
from demo.patients import ANNA, BERND, Patient
from models.chart import Course
from plumbing.keys import TEST_SUBJECT_KEY
from record.starts import MADE, THERE_BEFORE, IdTaken, release, reserve
from tests.factories import LABEL
from tests.record.factories import COURSE_ID, MONDAY, a_batch, an_entry


def a_course(patient: Patient = ANNA, course_id: str = COURSE_ID) -> Course:
    return patient.course(course_id, LABEL, TEST_SUBJECT_KEY, MONDAY)


async def test_an_id_is_reserved_once_and_again_for_the_same_patient(record_engine: AsyncEngine) -> None:
    assert await reserve(record_engine, a_course(), MONDAY) == MADE
    assert await reserve(record_engine, a_course(), MONDAY) == THERE_BEFORE


async def test_an_id_of_another_patient_is_refused_without_naming_anybody(record_engine: AsyncEngine) -> None:
    await reserve(record_engine, a_course(), MONDAY)
    with pytest.raises(IdTaken, match=f"^{COURSE_ID} was given to another patient") as refusal:
        await reserve(record_engine, a_course(BERND), MONDAY)
    assert a_course().subject_hash not in str(refusal.value)


async def test_an_id_that_stands_in_the_record_is_refused_for_everybody(
    record: Record, record_engine: AsyncEngine
) -> None:
    await record.write_record(a_batch(an_entry(1)))
    for patient in (ANNA, BERND):
        with pytest.raises(IdTaken, match="stands in the record"):
            await reserve(record_engine, a_course(patient), MONDAY)


async def test_of_two_doors_at_once_one_makes_the_reservation(record_engine: AsyncEngine) -> None:
    answers = await asyncio.gather(*(reserve(record_engine, a_course(), MONDAY) for _ in range(5)))
    assert sorted(answers) == [MADE, *[THERE_BEFORE] * 4]


async def test_a_reservation_is_taken_back_by_its_own_patient_only(record_engine: AsyncEngine) -> None:
    await reserve(record_engine, a_course(), MONDAY)
    await release(record_engine, a_course(BERND))
    with pytest.raises(IdTaken):
        await reserve(record_engine, a_course(BERND), MONDAY)
    await release(record_engine, a_course())
    assert await reserve(record_engine, a_course(BERND), MONDAY) == MADE
