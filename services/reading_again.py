"""Trying again what could not be read: by a sweep, when release or keys have changed, and by a person's command (LAB-05)."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.reading import Reader, in_lines
from models.base import Frozen, short_hash
from models.messages import ReadAgain
from models.people import CLOCK, Actor
from models.record import tried_with
from plumbing.logging import get_logger
from record.unreadable import Open, bytes_of, note_tried, open_messages
from services.courses import CommandRefused, CourseClient, CourseError

log = get_logger()

AGAIN_AFTER: Final = timedelta(days=1)
"""A course whose own worker still cannot read what this one can, during a change of releases, is asked once a day."""
AT_ONCE: Final = 50
"""How many messages one sweep has read; the next one goes on."""
ANSWER_WITHIN: Final = timedelta(seconds=10)


class Tried(Frozen):
    """What came of one message: `read`, or why it still waits."""

    course_id: str
    sha256: str
    name: str
    read: bool
    why: str = ""


class RereadSweep:
    """Looks through what could not be read for what this worker can read, and has its courses read it."""

    def __init__(
        self,
        engine: AsyncEngine,
        courses: CourseClient,
        reader: Reader,
        code_version: str,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._courses = courses
        self._reader = reader
        self._tried_with = tried_with(code_version, reader.key_ids)
        self._wall_clock = wall_clock
        self._sent: dict[tuple[str, str], datetime] = {}

    async def look(self) -> tuple[int, int]:
        """One sweep: how many messages that were not tried with this release and these keys, and how many were read."""
        untried = [m for m in await open_messages(self._engine) if m.whole and self._tried_with not in m.tried]
        self._sent = {key: at for key, at in self._sent.items() if key in {(m.course_id, m.sha256) for m in untried}}
        looked, found, silent = 0, 0, set[str]()
        for message in filter(self._is_due, untried):
            if found == AT_ONCE:
                break
            if message.course_id in silent:
                continue
            looked += 1
            try:
                found += await self._try(message)
            except CourseError as error:  # the messages of other courses are tried all the same
                log.warning("not_read_again", course=message.course_id, code=error.type)
                silent.add(message.course_id)
        return looked, found

    def _is_due(self, message: Open) -> bool:
        sent_at = self._sent.get((message.course_id, message.sha256))
        return sent_at is None or self._wall_clock() - sent_at >= AGAIN_AFTER

    async def _try(self, message: Open) -> bool:
        request = _request(message, await bytes_of(self._engine, message), CLOCK)
        read = self._reader.read_again(request)
        if isinstance(read, str) or read.message is None:  # the course is not asked what is known already
            await note_tried(self._engine, message, self._tried_with)
            return False
        try:
            await self._courses.command(message.course_id, request, ANSWER_WITHIN)
        except CommandRefused as refused:
            self._sent[message.course_id, message.sha256] = self._wall_clock()
            log.warning("not_read_again", course=message.course_id, code=refused.type)
            return False
        return True


async def read_again(
    engine: AsyncEngine, courses: CourseClient, course_id: str, by: Actor, name: str = ""
) -> list[Tried]:
    """Have a course read again what it could not read: all, or what is named by the beginning of its hash.

    Raises `CourseError` where the course is not open, or nothing that waits is named so.
    """
    await courses.must_be_open(course_id)
    messages = await open_messages(engine, course_id, name)
    if name and not messages:
        raise CourseError("NothingWaits", f"nothing that waits in {course_id} has a hash that begins with {name}")
    return [await _tried(engine, courses, message, by) for message in messages]


async def _tried(engine: AsyncEngine, courses: CourseClient, message: Open, by: Actor) -> Tried:
    told = Tried(course_id=message.course_id, sha256=message.sha256, name=message.name, read=True)
    if not message.whole:
        return told.model_copy(update={"read": False, "why": "only its first bytes were kept"})
    try:
        await courses.command(message.course_id, _request(message, await bytes_of(engine, message), by))
    except CommandRefused as error:
        return told.model_copy(update={"read": False, "why": error.refusal.message})
    return told


def _request(message: Open, raw_base64: str, by: Actor) -> ReadAgain:
    """The command; each is a new one, for the same question may have another answer by now."""
    return ReadAgain(
        id=f"read-again/{short_hash(message.sha256)}/{os.urandom(6).hex()}",
        by=by,
        course_id=message.course_id,
        target=message.sha256,
        sent=message.sent,
        sent_name=message.name,
        raw_base64=in_lines(raw_base64),
    )
