"""Starting courses on a real server: an id once given stays with its patient, whatever became of the execution."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from demo.patients import ANNA, BERND, Patient
from models.chart import Course
from plumbing.keys import TEST_SUBJECT_KEY
from services.courses import CourseError
from services.starting import start_course
from tests.conftest import until_written
from tests.factories import LABEL
from tests.stories.conftest import SmallWard, delete_execution


def a_course(course_id: str, patient: Patient = ANNA) -> Course:
    return patient.course(course_id, LABEL, TEST_SUBJECT_KEY, datetime.now(UTC))


async def refused(ward: SmallWard, course: Course) -> str:
    with pytest.raises(CourseError) as refusal:
        await start_course(ward.courses, ward.engine, course)
    assert refusal.value.type == "CourseExists"
    return str(refusal.value)


async def test_an_id_that_runs_is_given_to_nobody(small_ward: SmallWard) -> None:
    course_id = (await small_ward.course("runs")).course_id
    assert "was started before" in await refused(small_ward, a_course(course_id))
    assert "another patient" in await refused(small_ward, a_course(course_id, BERND))


async def test_an_id_on_record_is_given_to_nobody_also_when_its_execution_was_deleted(small_ward: SmallWard) -> None:
    async with small_ward.worker():
        bedside = await small_ward.course("deleted")
        await until_written(bedside)
    await delete_execution(small_ward.client, bedside.course_id)
    for patient in (ANNA, BERND):
        assert "stands in the record" in await refused(small_ward, a_course(bedside.course_id, patient))


async def test_an_id_deleted_before_its_first_decision_is_for_the_same_patient_only(small_ward: SmallWard) -> None:
    course_id = (await small_ward.course("deleted-early")).course_id
    await delete_execution(small_ward.client, course_id)
    assert "another patient" in await refused(small_ward, a_course(course_id, BERND))
    async with small_ward.worker():
        await start_course(small_ward.courses, small_ward.engine, a_course(course_id))
        assert (await small_ward.courses.settled(course_id)).state == "screening"


async def test_a_course_terminated_before_its_first_decision_may_be_started_again_for_its_patient(
    small_ward: SmallWard,
) -> None:
    bedside = await small_ward.course("terminated-early")
    await small_ward.client.get_workflow_handle(bedside.course_id).terminate("a slip")
    assert "another patient" in await refused(small_ward, a_course(bedside.course_id, BERND))
    await start_course(small_ward.courses, small_ward.engine, a_course(bedside.course_id))
    assert "was started before" in await refused(small_ward, a_course(bedside.course_id))


async def test_an_execution_that_the_record_does_not_know_keeps_its_id(small_ward: SmallWard) -> None:
    """The record was exchanged: nobody may take the id, and no reservation is left by who tried."""
    course_id = (await small_ward.course("record-exchanged")).course_id
    await small_ward.client.get_workflow_handle(course_id).terminate("the end")
    async with small_ward.engine.begin() as connection:
        await connection.execute(text("DELETE FROM course_start"))
    for patient in (BERND, ANNA, BERND):
        assert "was started before" in await refused(small_ward, a_course(course_id, patient))
