"""The inbox: what was sent to the service, as bytes, and what became of it (design §2.6).

A door that must acknowledge a sender commits the bytes first and answers then. How they are read, which course they
belong to and how they reach it is the door's business; here stands only what the database keeps. Plain functions over
an engine: no course writes here, and nothing here is called through Temporal.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, cast

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import defer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.base import Frozen, Instant, canonical_json
from models.people import Actor
from models.tables import CourseRow, InboxRow
from plumbing.database import reading, writing
from record.raw import Found, one_of, part_of, raw_columns, raw_rows, read_each, row_of
from record.reader import UnknownCourse
from record.rows import storable, storable_text

SHORTEST_NAME: Final = 6
_NAME: Final = 16
_OLDEST_FIRST: Final = (InboxRow.received_at, InboxRow.sha256)


class InboxState(StrEnum):
    """Where an item stands. Only a waiting one changes, and once."""

    WAITING = "waiting"
    SENT = "sent"
    DISMISSED = "dismissed"


class WaitsFor(StrEnum):
    """What a waiting item lacked when it was last looked at."""

    A_LOOK = "NotLookedAt"
    ONE_PATIENT = "NotOnePatient"
    A_RESULT = "NoResult"
    A_COURSE = "NoCourse"
    AN_OPEN_COURSE = "CourseEnded"
    A_CHOICE = "SeveralCourses"
    TEMPORAL = "NotSent"


class NotRead(Frozen):
    """An entry of a document that is in no message: its place, a stable type, and words without a patient's value."""

    where: str
    type: str
    reason: str


class WhatWasRead(Frozen):
    """What a reader found: keyed hashes of the one patient that all is about, and what it could not read."""

    subjects: tuple[str, ...] = ()
    birth_hash: str | None = None
    refused: tuple[NotRead, ...] = ()


class InboxItem(Frozen):
    """One document that was sent, without its bytes. `id` is how a person names it."""

    sha256: str
    size: int
    read_as: str
    received_at: Instant
    subjects: tuple[str, ...]
    birth_hash: str | None
    refused: tuple[NotRead, ...]
    state: InboxState
    waits_for: WaitsFor | None
    course_id: str | None
    settled_by: str | None
    settled_at: Instant | None
    settled_why: str | None

    @property
    def id(self) -> str:
        """The beginning of its hash."""
        return self.sha256[:_NAME]


class SubjectCourse(Frozen):
    """A course on record and the keyed hash of its patient."""

    course_id: str
    subject_hash: str


class UnknownItem(Exception):
    """No item, or more than one, has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the inbox holds no single item {name}")
        self.name = name


class ItemSettled(Exception):
    """The item was sent or dismissed before; it stays what it is."""

    def __init__(self, item: InboxItem) -> None:
        super().__init__(f"item {item.id} was {item.state} before by {item.settled_by}")
        self.item = item


async def receive(engine: AsyncEngine, raw: bytes, read_as: Actor, read: WhatWasRead, at: datetime) -> InboxItem:
    """Commit what was sent; when this returns it may be acknowledged. The same bytes again are the same item.

    A repeat changes nothing: the item keeps its first sender and time, and what became of it.
    """
    row = _row(raw, read_as, read, at)
    sha256 = row.sha256
    try:
        async with AsyncSession(writing(engine)) as session, session.begin():
            session.add(row)
    except IntegrityError:
        pass  # it is there, perhaps since this instant
    return await item_named(engine, sha256)


async def waiting(engine: AsyncEngine) -> Found[InboxItem]:
    """What waits, the oldest first, and what cannot be read: also where nobody can tell any more whether it waits."""
    settled = [str(InboxState.SENT), str(InboxState.DISMISSED)]
    return await _items(engine, col(InboxRow.state).not_in(settled))


async def everything(engine: AsyncEngine) -> Found[InboxItem]:
    """All items, settled ones too, the oldest first, and what cannot be read."""
    return await _items(engine)


async def item_named(engine: AsyncEngine, name: str) -> InboxItem:
    """The item whose hash begins with this name. Raises `UnknownItem`, also where there are several."""
    if len(name) < SHORTEST_NAME:
        raise UnknownItem(name)
    named = col(InboxRow.sha256).startswith(name.lower(), autoescape=True)
    items = await _items(engine, named)
    if len(items.read) != 1 or items.unreadable:
        raise UnknownItem(name)
    return items.read[0]


async def raw_of(engine: AsyncEngine, item: InboxItem) -> bytes:
    """The bytes that were sent."""
    async with AsyncSession(reading(engine)) as session:
        return (await session.exec(select(InboxRow.raw).where(InboxRow.sha256 == item.sha256))).one()


async def leave_waiting(engine: AsyncEngine, item: InboxItem, waits_for: WaitsFor) -> InboxItem:
    """Note what a waiting item lacks now. One that was settled meanwhile stays settled."""
    async with AsyncSession(writing(engine)) as session, session.begin():
        row = await _locked(session, item)
        if row.state == str(InboxState.WAITING):
            row.waits_for = str(waits_for)
        return _item(row)


async def settle(
    engine: AsyncEngine,
    item: InboxItem,
    state: Literal[InboxState.SENT, InboxState.DISMISSED],
    by: Actor,
    at: datetime,
    why: str,
    course_id: str | None = None,
) -> InboxItem:
    """Say what became of a waiting item: sent to a course, or dismissed. Raises `ItemSettled` where that is said already.

    To say the same again is no fault: two processes may have sent the same messages, and a course takes them once.
    """
    async with AsyncSession(writing(engine)) as session, session.begin():
        row = await _locked(session, item)
        if (row.state, row.course_id) == (str(state), course_id):
            return _item(row)
        if row.state != str(InboxState.WAITING):
            raise ItemSettled(_item(row))
        row.sqlmodel_update({"state": str(state), "course_id": course_id, "waits_for": None})
        row.sqlmodel_update({"settled_by": str(by), "settled_at": at, "settled_why": storable_text(why)})
        return _item(row)


async def courses_of(engine: AsyncEngine, subjects: Iterable[str]) -> list[SubjectCourse]:
    """The courses on record whose patient has one of these hashes, by id; whether one has ended is not known here."""
    rows = select(CourseRow.course_id, CourseRow.subject_hash).where(col(CourseRow.subject_hash).in_(list(subjects)))
    async with AsyncSession(reading(engine)) as session:
        found = await session.exec(rows.order_by(col(CourseRow.course_id)))
        return [SubjectCourse(course_id=course_id, subject_hash=subject) for course_id, subject in found]


async def subject_of(engine: AsyncEngine, course_id: str) -> str:
    """The keyed hash of a course's patient. Raises `UnknownCourse`."""
    async with AsyncSession(reading(engine)) as session:
        row = await session.get(CourseRow, course_id)
        if row is None:
            raise UnknownCourse(course_id)
        return row.subject_hash


async def _items(engine: AsyncEngine, *wanted: ColumnElement[bool]) -> Found[InboxItem]:
    without_bytes = select(*raw_columns(InboxRow, "raw")).where(*wanted).order_by(*map(col, _OLDEST_FIRST))
    async with AsyncSession(reading(engine)) as session:
        rows = await raw_rows(session, without_bytes)
        return read_each(InboxRow, rows, lambda raw: _item(row_of(InboxRow, part_of(raw, InboxRow))))


async def _locked(session: AsyncSession, item: InboxItem) -> InboxRow:
    row = await session.get(
        InboxRow, item.sha256, with_for_update=True, options=[defer(cast(Any, InboxRow.raw))], populate_existing=True
    )
    if row is None:
        raise UnknownItem(item.id)
    return row


def _row(raw: bytes, read_as: Actor, read: WhatWasRead, at: datetime) -> InboxRow:
    return storable(
        InboxRow(
            sha256=hashlib.sha256(raw).hexdigest(),
            size=len(raw),
            raw=raw,
            read_as=str(read_as),
            received_at=at,
            subjects_json=canonical_json(read.subjects),
            birth_hash=read.birth_hash,
            refused_json=canonical_json([r.model_dump() for r in read.refused]),
            state=str(InboxState.WAITING),
            waits_for=str(WaitsFor.A_LOOK),
        )
    )


def _item(row: InboxRow) -> InboxItem:
    return InboxItem(
        sha256=row.sha256,
        size=row.size,
        read_as=row.read_as,
        received_at=row.received_at,
        subjects=tuple(json.loads(row.subjects_json)),
        birth_hash=row.birth_hash,
        refused=tuple(NotRead(**one) for one in json.loads(row.refused_json)),
        state=one_of(InboxState, "state", row.state),
        waits_for=one_of(WaitsFor, "waits_for", row.waits_for) if row.waits_for else None,
        course_id=row.course_id,
        settled_by=row.settled_by,
        settled_at=row.settled_at,
        settled_why=row.settled_why,
    )
