"""Who lies in the beds of the invented ward, and how far laying them out has come.

A file remembers each patient once the story is told as far as it goes: a second start keeps them all, and after an
interrupted one only those that are missing are laid out. Nothing that was started is ever thrown away for it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from demo import story
from demo.bedside import Bedside
from demo.driver import Clock, skipper
from demo.patients import BERND, CLARA, DORA, EMIL, FRIEDA, GERD, PRESCRIBER, Patient
from models.obligation_kinds import ObligationKind
from plumbing.dev_server import waiting
from plumbing.keys import SubjectKey
from services.courses import CourseClient, CourseError
from services.starting import start_course

ARTICLE, LABEL = "article-2025.1", "us-label-2024.1"
LAID_OUT = "laid-out"
WORKER_PATIENCE_S = 600
"""A worker needs seconds to start; a machine under load takes what it takes, and hears meanwhile that it is waited for."""


@dataclass(frozen=True)
class Bed:
    """One invented patient, the protocol, and the story up to the point at which the patient is left."""

    course_id: str
    patient: Patient
    protocol: str
    story: Callable[[Bedside], Awaitable[object]]


MID_STORY = (
    Bed("course-bernd", BERND, LABEL, story.ready_to_authorise),
    Bed("course-clara", CLARA, ARTICLE, story.overdue_after_transplant),
    Bed("course-dora", DORA, ARTICLE, story.held_for_the_liver),
    Bed("course-emil", EMIL, LABEL, story.waiting_for_labs),
    Bed("course-frieda", FRIEDA, ARTICLE, story.in_observation),
    Bed("course-gerd", GERD, LABEL, story.after_a_severe_reaction),
)


class Layout:
    """What is laid out already. The file holds one course a line, and only courses whose story was told."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def course_of(self, course_id: str) -> str | None:
        """The course under which this patient was laid out: the bed's own id, or one after an interrupted start."""
        own = re.compile(rf"{re.escape(course_id)}(-\d+)?")
        return next((line for line in self._lines() if own.fullmatch(line)), None)

    def missing(self, beds: Sequence[Bed]) -> list[Bed]:
        """The beds whose patients are not laid out yet."""
        if any(line[:1].isdecimal() for line in self._lines()):  # an earlier house wrote when it was done, and no names
            return []
        return [bed for bed in beds if self.course_of(bed.course_id) is None]

    def keep(self, course_id: str) -> None:
        """Remember that this patient's story is told."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{course_id}\n")

    def _lines(self) -> list[str]:
        return self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []


async def admitted(
    bed: Bed, admit: Callable[[str], Awaitable[Bedside]], end_dosing: Callable[[str], Awaitable[None]]
) -> Bedside:
    """A course for this bed that nobody has begun. What an interrupted start has left half told is ended first.

    The half course keeps its id and its record; the patient gets the next free id: a told story cannot go on from
    anywhere, and a course that exists is not started twice.
    """
    for number in count(1):
        course_id = bed.course_id if number == 1 else f"{bed.course_id}-{number}"
        try:
            return await admit(course_id)
        except CourseError as fault:
            if fault.type != "CourseExists":
                raise
        await end_dosing(course_id)
    raise AssertionError("counting never ends")


class Beds:
    """Lays invented patients out on one server that skips time; each has a clock of its own, and one driver."""

    def __init__(
        self, client: Client, engine: AsyncEngine, task_queue: str, key: SubjectKey, say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._engine = engine
        self._task_queue = task_queue
        self._key = key
        self._say = say

    async def lay_out(self, bed: Bed, layout: Layout) -> Bedside:
        """Tell the story of one patient up to where it is left, and remember it."""
        bedside = await self.admit(bed)
        await bed.story(bedside)
        status = await bedside.status()
        layout.keep(bedside.course_id)
        self._say(f"{bed.patient.name}, {bedside.course_id}, {bed.protocol}: {status.state} – {status.sentence}")
        return bedside

    async def admit(self, bed: Bed) -> Bedside:
        """A course for this bed, just begun."""
        return await admitted(bed, partial(self._start, bed), partial(self._end_dosing, bed))

    async def _start(self, bed: Bed, course_id: str) -> Bedside:
        bedside = self._bedside(bed, course_id)
        started_at = datetime.now(UTC)
        course = bed.patient.course(course_id, bed.protocol, self._key, started_at)
        await start_course(bedside.courses, self._engine, course)
        async with asyncio.timeout(WORKER_PATIENCE_S), waiting(self._say, f"a worker to take up {course_id}"):
            while not await _answers(bedside):
                continue
        return bedside

    async def _end_dosing(self, bed: Bed, course_id: str) -> None:
        """One patient has one course that goes on: the half-told one is ended by the rules, as far as they let it."""
        self._say(f"{bed.patient.name} was left half-way by an interrupted start: {course_id} is ended, another begun")
        half = self._bedside(bed, course_id)
        reason = "the invented patient begins anew after an interrupted start"
        with suppress(CourseError):
            await half.do("finish_dosing", PRESCRIBER, message_id=f"{course_id}-interrupted", reason=reason)
            await half.status()
            for end in [o for o in (await half.card()).obligations if o.kind is ObligationKind.MONITORING_ENDS]:
                await half.clock.advance_to(end.due_at)  # nothing was given: there is nothing to wait for

    def _bedside(self, bed: Bed, course_id: str) -> Bedside:
        courses = CourseClient(skipper(self._client).client, self._task_queue)
        return Bedside(courses, Clock(self._client, course_id), course_id, bed.patient, self._key)


async def _answers(bedside: Bedside) -> bool:
    """Whether the course says where it stands, which takes a worker; as long as a bedside waits."""
    try:
        await bedside.status()
    except CourseError as fault:
        if fault.type != "NoAnswer":
            raise
        return False
    return True
