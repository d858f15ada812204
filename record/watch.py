"""Which courses of the record somebody must watch, and the differences from Temporal that were noticed.

The record says who is open; whether an execution runs is asked elsewhere (`activities/watch.py`). All times here are the
wall clock's.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.assessment import OVER
from models.base import Frozen, Instant
from models.tables import CourseRow, CourseStartRow, WatchRow
from plumbing.database import reading, writing
from plumbing.executions import HOW_IN_WORDS, STUCK
from record.raw import Found, Raw, one_of, part_of, raw_rows, raw_select, read_each, row_of
from record.rows import storable

RULE: Final = "REC-03"
"""Named like the others of the record, REC-01 and REC-02; no clause of the clinical reference."""
FIRST_ENTRY_TAKES: Final = timedelta(minutes=10)
"""How long the record may be behind a course that has just begun."""


class Difference(StrEnum):
    """What the one side has and the other has not."""

    NO_EXECUTION = "no_execution"
    NO_COURSE = "no_course"


class Known(Frozen):
    """What the record knows of who should be watched.

    `on_record` are all courses with a decision, `open` those of them that are not done, `begun` those whose start was
    reserved and that have no decision yet, each with the time of the reservation.
    """

    on_record: frozenset[str]
    open: frozenset[str]
    begun: Mapping[str, Instant]


class Unwatched(Frozen):
    """A difference that lasts. `how` says what became of the execution; the zone is UTC where nobody knows it."""

    course_id: str
    kind: Difference
    noticed_at: Instant
    how: str
    zone: str = "UTC"

    @property
    def what(self) -> str:
        """The difference in words."""
        if self.kind is Difference.NO_COURSE:
            return "the record does not know this course, and its execution runs"
        if self.how == STUCK:
            return f"this course decides nothing: {HOW_IN_WORDS[STUCK]}"
        return f"nobody watches this course: {HOW_IN_WORDS.get(self.how, self.how)}"

    def is_certain(self, now: datetime) -> bool:
        """Whether to say it: a course that the record does not know yet may have just begun."""
        return self.kind is Difference.NO_EXECUTION or now - self.noticed_at >= FIRST_ENTRY_TAKES

    @property
    def clears(self) -> str:
        """What a person does about it."""
        if self.kind is Difference.NO_COURSE:
            return "the record of this ward restored, or this execution looked at and ended by hand"
        if self.how == STUCK:
            return "what fails mended: worker's log and Web UI name it; until then the ward keeps its times by hand"
        return "Temporal's database restored, or the patient started again; until then the ward keeps its times by hand"


async def known_courses(engine: AsyncEngine) -> Known:
    """All courses as the record knows them at one instant."""
    async with AsyncSession(reading(engine)) as session:
        states = dict((await session.exec(select(CourseRow.course_id, CourseRow.state))).all())
        rows = await raw_rows(session, raw_select(CourseStartRow))
    reserved = read_each(CourseStartRow, rows, lambda raw: row_of(CourseStartRow, part_of(raw, CourseStartRow))).read
    starts = {row.course_id: row.reserved_at for row in reserved}
    return Known(
        on_record=frozenset(states),
        open=frozenset(course_id for course_id, state in states.items() if state not in OVER),
        begun={course_id: at for course_id, at in starts.items() if course_id not in states},
    )


async def note(engine: AsyncEngine, found: Mapping[tuple[str, Difference], str], at: datetime) -> list[Unwatched]:
    """Keep the differences found now, end those that are no more, and return those that are open and certain.

    One that lasts keeps the time at which it was noticed first.
    """
    async with AsyncSession(writing(engine)) as session, session.begin():
        rows = {(row.course_id, Difference(row.kind)): row for row in await _open_rows(session)}
        for key, row in rows.items():
            if key in found:
                row.how = found[key]
            else:
                row.ended_at = at
        for (course_id, kind), how in found.items():
            if (course_id, kind) not in rows:
                session.add(storable(WatchRow(course_id=course_id, kind=kind, noticed_at=at, how=how)))
    return await unwatched(engine, at)


async def unwatched(engine: AsyncEngine, at: datetime) -> list[Unwatched]:
    """The differences that are open and certain at this instant, by course."""
    return (await unwatched_rows(engine, at)).read


async def unwatched_rows(engine: AsyncEngine, at: datetime) -> Found[Unwatched]:
    """The same, with the rows that cannot be read."""
    async with AsyncSession(reading(engine)) as session:
        rows = await raw_rows(session, raw_select(WatchRow).where(*_OPEN).order_by(*_IN_ORDER))
        found = read_each(WatchRow, rows, _difference)
        zones = await _zones(session, [row.course_id for row in found.read])
    told = [_unwatched(row, zones) for row in found.read]
    return Found([one for one in told if one.is_certain(at)], found.unreadable)


_OPEN: Final = (col(WatchRow.ended_at).is_(None),)
_IN_ORDER: Final = tuple(map(col, (WatchRow.course_id, WatchRow.kind)))


async def _open_rows(session: AsyncSession) -> list[WatchRow]:
    return list(await session.exec(select(WatchRow).where(*_OPEN).order_by(*_IN_ORDER)))


async def _zones(session: AsyncSession, course_ids: Collection[str]) -> dict[str, str]:
    zones: dict[str, str] = {}
    for kind, name in ((CourseStartRow, CourseStartRow.course_id), (CourseRow, CourseRow.course_id)):
        rows = await raw_rows(session, raw_select(kind).where(col(name).in_(course_ids)))
        found = read_each(kind, rows, partial(_zone_of, kind))
        zones.update(found.read)
    return zones


def _zone_of(kind: type[CourseStartRow | CourseRow], raw: Raw) -> tuple[str, str]:
    row = row_of(kind, part_of(raw, kind))
    return row.course_id, row.zone


def _difference(raw: Raw) -> WatchRow:
    row = row_of(WatchRow, part_of(raw, WatchRow))
    one_of(Difference, "kind", row.kind)
    return row


def _unwatched(row: WatchRow, zones: Mapping[str, str]) -> Unwatched:
    return Unwatched(
        course_id=row.course_id,
        kind=Difference(row.kind),
        noticed_at=row.noticed_at,
        how=row.how,
        zone=zones.get(row.course_id, "UTC"),
    )
