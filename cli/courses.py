"""How the command line reaches courses: settings and keys, one connection for one command, laboratory files, listings."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from temporalio.client import WorkflowExecution

from cli.answers import Exit, Failed
from intake.fhir import read_fhir
from intake.outcome import LOST_NOTHING, ExpectedSubject, Intake, Refusal
from models.assessment import said_now
from models.chart import Course
from models.people import Actor
from plumbing.connection import connect
from plumbing.installation import namespace_must_be_ours
from plumbing.keys import birth_hash, subject_hash
from plumbing.settings import Mode, Settings, load_settings, with_keys
from services.courses import CourseClient, CourseError, NotConfirmed

if TYPE_CHECKING:
    from services.reading_again import Tried

Result = TypeVar("Result")


def settings_for_commands(doing: str) -> Settings:
    """The settings with keys, where `--by` may be believed: only a demo believes it until people can sign in."""
    settings = load_settings()
    if settings.mode is Mode.WARD:
        words = f"{doing} is refused in mode ward: nobody can sign in yet, and --by alone is not believed there"
        raise Failed(Exit.REFUSED, "ModeWard", words)
    return with_keys(settings)


def with_courses(
    settings: Settings, act: Callable[[CourseClient], Awaitable[Result]], within: float | None = None
) -> Result:
    """Connect and act; where nobody answers within so many seconds, that is said. Raises `KeyGone`."""
    with_keys(settings)

    async def connected() -> Result:
        client = await connect(settings)
        await namespace_must_be_ours(client, settings.mode)  # or a demo's --by would be believed on a ward's server
        return await asyncio.wait_for(act(CourseClient(client, settings.task_queue)), within)

    return asyncio.run(connected())


def start_one(settings: Settings, course: Course) -> Course:
    """Start one course, its id reserved in the record. Raises `Failed` where there is no record to reserve it in.

    Another open course of the same patient is named, and a second one is begun only with a reason. What stood against the
    drug in any other course of the patient goes along, and holds here too.
    """
    from cli.record import record_of
    from services.starting import must_be_the_only_one, start_course, with_stops

    async def started(courses: CourseClient) -> Course:
        unreachable = "no course was started: its id could not be reserved in the record ({})"
        async with record_of(settings, unreachable=unreachable) as engine:
            try:
                await must_be_the_only_one(courses, engine, course)
            except CourseError as error:
                if error.type != "AnotherIsOpen":
                    raise
                raise Failed(Exit.REFUSED, error.type, f"{error}: --another-course REASON") from None
            begun = await with_stops(engine, course)
            await start_course(courses, engine, begun)
            return begun

    return with_courses(settings, started)


def read_again_in(settings: Settings, course_id: str, by: Actor, name: str) -> "list[Tried]":
    """Have a course read again what it could not read: its bytes are in the record. Raises `Failed` without a record."""
    from cli.record import record_of
    from services.reading_again import read_again

    async def tried(courses: CourseClient) -> "list[Tried]":
        unreachable = "the bytes of the messages cannot be had: the record does not answer ({})"
        async with record_of(settings, unreachable=unreachable) as engine:
            return await read_again(engine, courses, course_id, by, name)

    return with_courses(settings, tried)


async def send_labs(
    courses: CourseClient,
    course_id: str,
    documents: Mapping[str, bytes],
    settings: Settings,
    by: Actor,
    within: float,
) -> tuple[dict[str, Intake], str | None]:
    """Read FHIR documents for the patient of a course and send what they hold; then where the course stands, if it says.

    What was sent is sent: a worker that stops answering then takes nothing of it back.
    """
    course = (await asyncio.wait_for(courses.chart(course_id), within)).course
    read = {name: _read_labs(raw, course, settings, by) for name, raw in documents.items()}
    messages = [message for intake in read.values() for message in intake.messages]
    try:
        for message in messages:
            await courses.send(course_id, message)
    except NotConfirmed as error:
        words = f"{course_id}: not confirmed; send the same files again, what arrives twice counts once"
        raise Failed(Exit.NOT_CONFIRMED, error.type, words, message_id=error.message_id) from None
    return read, await _sentence(courses, course_id, within) if messages else None


async def _sentence(courses: CourseClient, course_id: str, within: float) -> str | None:
    """Where the course stands, and first what calls somebody now (CALL-01)."""
    try:
        settled = await asyncio.wait_for(courses.settled(course_id), within)
        card = await asyncio.wait_for(courses.assessment(course_id), within)
        return "".join(map(said_now, card.calling)) + (settled.sentence or "")
    except (CourseError, TimeoutError):
        return None


def _read_labs(raw: bytes, course: Course, settings: Settings, by: Actor) -> Intake:
    key = settings.subject_key
    assert key is not None, "settings of a command have keys"
    if course.subject_hash.partition(":")[0] != key.key_id:
        words = "the course was started under another subject key; set INOCYCLE_SUBJECT_KEY_FILE to that one"
        raise Failed(Exit.USAGE, "OtherSubjectKey", words)
    expected = ExpectedSubject(
        partial(subject_hash, key), partial(birth_hash, key), course.subject_hash, born=course.birth_hash
    )
    return read_fhir(raw, expected=expected, by=by)


def exit_of(read: Iterable[Intake]) -> Exit:
    """3 where a file is not certainly about the patient, 2 where another one gave no result or lost some."""
    files = tuple(read)
    refused = {entry.type for intake in files for entry in intake.refused}
    if refused & {Refusal.SUBJECT_MISMATCH, Refusal.SUBJECT_MISSING}:
        return Exit.REFUSED
    all_read = all(intake.messages for intake in files) and refused <= LOST_NOTHING
    return Exit.OK if all_read else Exit.USAGE


def listed(execution: WorkflowExecution) -> dict[str, Any]:
    """One course as Temporal's search attributes know it."""
    found = {pair.key.name: pair.value for pair in execution.typed_search_attributes}
    return {
        "course_id": execution.id,
        "status": execution.status.name.lower() if execution.status else None,
        "workflow_type": execution.workflow_type,
        "state": found.get("CourseState"),
        "verdict": found.get("GateVerdict"),
        "protocol": found.get("ProtocolVersion"),
        "cycle": found.get("CycleNumber"),
        "cycle_started_at": found.get("CycleStartedAt"),
        "hold_reason": list(found.get("HoldReason") or ()),
        "next_due_at": found.get("NextDueAt"),
        "overdue": bool(found.get("Overdue", False)),
        "started_at": execution.start_time,
    }
