"""Starting a course: its id is reserved in the record, then its execution is started. Nothing else starts one."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from models.assessment import OVER, Verdict
from models.carried import Carried
from models.chart import Course, StoppedBefore
from record.inbox import courses_of
from record.reader import RecordAltered, read_entries
from record.starts import MADE, IdTaken, release, reserve
from services.courses import CourseClient, CourseError
from services.errors import told

STOPS = frozenset({Verdict.DISCONTINUED, Verdict.HOLD_URGENT})
"""What stands against the drug whatever course it is given in."""


async def start_course(courses: CourseClient, engine: AsyncEngine, course: Course) -> WorkflowHandle[Any, Any]:
    """Start a course that `judge_start` has let pass. Raises `CourseError` of type `CourseExists`.

    An id that the record or Temporal knows is not given to another patient, also where the execution has ended or was
    deleted. The same patient may be started again under it while nothing is on record: after an error half-way, or
    where the execution was broken off before its first decision was written.
    """
    try:
        made = await reserve(engine, course, datetime.now(UTC)) == MADE
    except IdTaken as taken:
        raise CourseError("CourseExists", str(taken)) from None
    try:
        return await _started(courses, course, broken_off_too=not made)
    except WorkflowAlreadyStartedError:
        if made:  # whoever runs under this id was started before there were reservations, or the record was exchanged
            await release(engine, course)
        raise CourseError("CourseExists", f"{course.course_id} was started before") from None


async def with_stops(engine: AsyncEngine, course: Course) -> Course:
    """The course with what stood against the drug in other courses of its patient (COR-02), as the record tells it.

    Raises `CourseError` of type `RecordUnreadable` where the record of one of them cannot be read: it may have been stopped.
    """
    found: list[StoppedBefore] = []
    for one in await courses_of(engine, [course.subject_hash]):
        if one.course_id != course.course_id:
            try:
                entries = await read_entries(engine, one.course_id)
            except RecordAltered:
                words = f"the record of {one.course_id}, of the same patient, cannot be read: it may have been stopped"
                raise CourseError("RecordUnreadable", words) from None
            cards = [e.assessment for e in entries if e.assessment.state not in OVER]
            rules = dict.fromkeys(f.rule for f in cards[-1].findings if f.verdict in STOPS) if cards else {}
            found += [StoppedBefore(course_id=one.course_id, rule=rule) for rule in rules]
    return course.model_copy(update={"stopped_before": tuple(found)})


async def must_be_the_only_one(courses: CourseClient, engine: AsyncEngine, course: Course) -> None:
    """Refuse a second course of a patient, unless it says why. Raises `CourseError` of type `AnotherIsOpen`."""
    if course.another_because:
        return
    known = [one.course_id for one in await courses_of(engine, [course.subject_hash])]
    if opened := [one for one in known if one != course.course_id and await courses.is_open(one)]:
        words = f"this patient has an open course, {', '.join(opened)}; a second one is begun only with a reason why"
        raise CourseError("AnotherIsOpen", words)


async def _started(courses: CourseClient, course: Course, *, broken_off_too: bool) -> WorkflowHandle[Any, Any]:
    reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY if broken_off_too else None
    with told(course.course_id):
        return await courses.client.start_workflow(
            "TreatmentCycle",
            Carried(course=course),
            id=course.course_id,
            task_queue=courses.task_queue,
            id_reuse_policy=reuse or WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            memo={"protocol": course.protocol.name, "invented patient": course.invented, "zone": course.zone},
        )
