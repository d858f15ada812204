"""How documents come in: committed to the inbox first, then sent to the one open course of their patient, or left waiting.

Readers, record and courses meet here, because none of them may know the others. What is kept of a document is for
`record/inbox.py`, what it says for `intake/fhir.py`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from clinical.coding.meaning import meaning
from clinical.coding.units import label
from clinical.judge import ROLES
from intake.fhir import read_fhir
from intake.outcome import LOST_NOTHING, ExpectedSubject, Intake, Refusal
from models.bounds import shortened
from models.facts import NO_CODE
from models.messages import LabResults, ResolveUnreadable
from models.people import CLOCK, Actor, By, Role
from plumbing.connection import TemporalUnreachable, connect
from plumbing.installation import namespace_must_be_ours
from plumbing.keys import birth_hash, subject_hash
from plumbing.settings import Settings
from record import inbox
from record.inbox import InboxItem, InboxState, ItemSettled, SubjectCourse, UnknownItem, WaitsFor, WhatWasRead
from record.raw import CannotBeRead
from record.reader import UnknownCourse
from services.courses import CourseClient, CourseError
from services.errors import ItemError

_ACTOR: TypeAdapter[Actor] = TypeAdapter(By)
MAY_SETTLE = ROLES[ResolveUnreadable.name] | {Role.COORDINATOR}
"""Who may say what becomes of an item: whoever may resolve an unreadable message, and the coordinator, whose it is."""


class Reception:
    """The inbox with its way to the courses. Temporal is asked only when a document has found its course."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._courses: CourseClient | None = None

    async def receive(self, documents: Mapping[str, bytes], by: Actor) -> dict[str, InboxItem]:
        """Commit every document, then look for the course of each. What is returned may be acknowledged."""
        received: dict[str, InboxItem] = {}
        for name, raw in documents.items():
            read = self._read(raw, by)
            received[name] = await inbox.receive(self._engine, raw, by, _what_was_read(read), datetime.now(UTC))
        return {name: await self._deliver(item) for name, item in received.items()}

    async def retry(self) -> list[InboxItem]:
        """Look again for the course of everything that waits."""
        return [await self._deliver(item) for item in (await inbox.waiting(self._engine)).read]

    async def look(
        self, *, settled_too: bool = False
    ) -> tuple[list[tuple[InboxItem, list[SubjectCourse]]], list[CannotBeRead]]:
        """What waits, or all, with the courses on record of the same patient; and which rows cannot be read."""
        found = await (inbox.everything if settled_too else inbox.waiting)(self._engine)
        items = [(item, await inbox.courses_of(self._engine, item.subjects)) for item in found.read]
        return items, found.unreadable

    async def assign(self, name: str, course_id: str, by: Actor) -> InboxItem:
        """Send an item to a course that a person names, if it is about the patient of that course (IDN-01).

        What only takes results back and says of nobody whose they are is about whom the person says: it can only close.
        """
        item = await self._to_settle(name, by)
        if (item.state, item.course_id) == (InboxState.SENT, course_id):
            return item
        _must_wait(item)
        course = SubjectCourse(course_id=course_id, subject_hash=await self._subject_of(course_id))
        chosen = not item.subjects
        if course.subject_hash not in item.subjects and not (chosen and await self._read_of(item, course, chosen=True)):
            words = f"item {item.id} is not certainly about the patient of {course_id}; nothing was sent"
            raise ItemError("SubjectMismatch", words)
        found = await self._send(item, course, by, "assigned by hand", chosen=chosen)
        if found.state is InboxState.WAITING:
            words = f"item {item.id} was not sent and still waits: {found.waits_for}"
            raise ItemError(str(found.waits_for), words)
        return found

    async def dismiss(self, name: str, by: Actor, reason: str) -> InboxItem:
        """Settle an item that belongs to no course, with a reason. Its bytes are kept."""
        item = await self._to_settle(name, by)
        if item.state is not InboxState.DISMISSED:
            _must_wait(item)
        try:
            return await inbox.settle(self._engine, item, InboxState.DISMISSED, by, datetime.now(UTC), reason)
        except ItemSettled as settled:
            raise _settled(settled.item) from None

    async def _to_settle(self, name: str, by: Actor) -> InboxItem:
        if by.role not in MAY_SETTLE:
            words = f"the inbox is not for the role {by.role}; it is for: {', '.join(sorted(MAY_SETTLE))}"
            raise ItemError("RoleNotAllowed", words)
        try:
            return await inbox.item_named(self._engine, name)
        except UnknownItem as error:
            raise ItemError("UnknownItem", str(error)) from None

    async def _subject_of(self, course_id: str) -> str:
        try:
            return await inbox.subject_of(self._engine, course_id)
        except UnknownCourse as error:
            raise ItemError("NoSuchCourse", str(error)) from None

    # ── the way to a course ────────────────────────────────────────────────────────────────────────────────────────

    async def _deliver(self, item: InboxItem) -> InboxItem:
        """Send a waiting item to the one open course of its patient; otherwise note what it waits for."""
        if item.state is not InboxState.WAITING:
            return item
        courses = await inbox.courses_of(self._engine, item.subjects)
        try:
            opened = [course for course in courses if await (await self._client()).is_open(course.course_id)]
        except (TemporalUnreachable, CourseError):
            return await inbox.leave_waiting(self._engine, item, WaitsFor.TEMPORAL)
        if len(opened) != 1:
            return await inbox.leave_waiting(self._engine, item, _without_a_course(item, courses, opened))
        return await self._send(item, opened[0], CLOCK, "the one open course of this patient")

    async def _read_of(self, item: InboxItem, course: SubjectCourse, *, chosen: bool) -> tuple[LabResults, ...]:
        raw = await inbox.raw_of(self._engine, item)
        machine = _ACTOR.validate_python(item.read_as, strict=False)
        return self._read(raw, machine, course.subject_hash, chosen=chosen).messages

    async def _send(
        self, item: InboxItem, course: SubjectCourse, by: Actor, why: str, *, chosen: bool = False
    ) -> InboxItem:
        """Send the messages of an item. Sent twice they are one: their ids come from what they say."""
        messages = await self._read_of(item, course, chosen=chosen)
        if not messages:
            return await inbox.leave_waiting(self._engine, item, WaitsFor.A_RESULT)
        try:
            if await self._was_born_another_day(item, course):  # the course would refuse it (IDN-01)
                return await inbox.leave_waiting(self._engine, item, WaitsFor.ONE_PATIENT)
            for message in messages:
                await (await self._client()).send(course.course_id, message)
        except CourseError as error:
            waits_for = WaitsFor.AN_OPEN_COURSE if error.type == "NoSuchCourse" else WaitsFor.TEMPORAL
            return await inbox.leave_waiting(self._engine, item, waits_for)
        except TemporalUnreachable:
            return await inbox.leave_waiting(self._engine, item, WaitsFor.TEMPORAL)
        try:
            return await inbox.settle(
                self._engine, item, InboxState.SENT, by, datetime.now(UTC), why, course_id=course.course_id
            )
        except ItemSettled as settled:  # another process was first
            return settled.item

    async def _was_born_another_day(self, item: InboxItem, course: SubjectCourse) -> bool:
        if item.birth_hash is None:
            return False
        born = (await (await self._client()).chart(course.course_id)).course.birth_hash
        return born is not None and born != item.birth_hash

    async def _client(self) -> CourseClient:
        if self._courses is None:
            client = await connect(self._settings)
            await namespace_must_be_ours(client, self._settings.mode)
            self._courses = CourseClient(client, self._settings.task_queue)
        return self._courses

    def _read(self, raw: bytes, by: Actor, subject: str | None = None, *, chosen: bool = False) -> Intake:
        key = self._settings.subject_key
        assert key is not None, "settings of a command have keys"
        expected = ExpectedSubject(partial(subject_hash, key), partial(birth_hash, key), subject, chosen=chosen)
        return read_fhir(raw, expected=expected, by=by)


MOST_LISTED = 200
"""Entries that lost nothing and are listed one by one; a chart of years holds thousands."""


def _what_was_read(read: Intake) -> WhatWasRead:
    """What is kept of a reading: everything that was not read, and which codes are not known here, in words of ours."""
    harmless = [r for r in read.refused if r.type in LOST_NOTHING]
    lost = [r for r in read.refused if r.type not in LOST_NOTHING]
    told = [inbox.NotRead(where=r.where, type=str(r.type), reason=r.reason) for r in (*lost, *harmless[:MOST_LISTED])]
    if len(harmless) > MOST_LISTED:
        more = f"{len(harmless) - MOST_LISTED} further entries hold no result of their own"
        told.append(inbox.NotRead(where="document", type=str(Refusal.NOT_AN_OBSERVATION), reason=more))
    return WhatWasRead(
        subjects=read.subjects,
        birth_hash=next((m.birth_hash for m in read.messages), None),
        refused=(*told, *_not_known(read)),
    )


def _not_known(read: Intake) -> Iterator[inbox.NotRead]:
    """Codes that are not known here and may be what a rule reads: their results keep the gate of the course closed."""
    found: dict[str, str] = {}
    for result in (result for message in read.messages for result in message.results):
        meant = meaning(result)
        if result.loinc != NO_CODE and not result.codes and not meant.certain and meant.analytes:
            named = ", ".join(sorted(label(analyte) for analyte in meant.analytes))
            found[shortened(result.loinc)] = (
                f"its code is not known here; it may be {named}, and is settled at the card"
            )
    for code, reason in found.items():
        yield inbox.NotRead(where=f"code {code}", type="UnknownCode", reason=reason)


_OF_WHOM = frozenset({Refusal.SUBJECT_MISMATCH, Refusal.SUBJECT_MISSING, Refusal.WITHDRAWS_ANOTHER})
"""Why a document that holds something for a course has no patient."""


def _without_a_course(item: InboxItem, courses: list[SubjectCourse], opened: list[SubjectCourse]) -> WaitsFor:
    if not item.subjects:
        doubtful = any(r.type in _OF_WHOM for r in item.refused)
        return WaitsFor.ONE_PATIENT if doubtful else WaitsFor.A_RESULT
    if opened:
        return WaitsFor.A_CHOICE
    return WaitsFor.AN_OPEN_COURSE if courses else WaitsFor.A_COURSE


def _must_wait(item: InboxItem) -> None:
    if item.state is not InboxState.WAITING:
        raise _settled(item)


def _settled(item: InboxItem) -> ItemError:
    where = f" to {item.course_id}" if item.course_id else ""
    return ItemError("ItemSettled", f"item {item.id} was {item.state}{where} before, by {item.settled_by}")
