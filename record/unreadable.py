"""Messages that could not be read and wait for a person: which they are, their bytes, and with what they were tried.

A message is open while its line of the worklist is; what was dismissed, transcribed or read is tried no more. Written
with the decisions (`activities/record.py`) and by whoever tried to read one outside a course.
"""

import json
from collections.abc import Iterable
from typing import Literal, cast

from sqlalchemy import exists
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.assessment import OVER
from models.base import Frozen, canonical_json
from models.tables import CourseRow, RawMessageRow, WorklistItemRow
from plumbing.database import reading, writing
from record.raw import Raw, part_of, raw_columns, raw_rows, read_each, row_of


class Open(Frozen):
    """One that waits, without its bytes. `tried` are the releases with their keys that could not read it."""

    course_id: str
    sha256: str
    name: str
    sent: Literal["signal", "update"]
    reason: str
    whole: bool
    tried: tuple[str, ...]


async def open_messages(engine: AsyncEngine, course_id: str | None = None, name: str = "") -> list[Open]:
    """What waits in one course or in all that go on, oldest first; with `name`, those whose hash begins so."""
    waits = exists().where(
        col(WorklistItemRow.course_id) == col(RawMessageRow.course_id),
        col(WorklistItemRow.message_sha256) == col(RawMessageRow.sha256),
        col(WorklistItemRow.resolved_by).is_(None),
        col(WorklistItemRow.fact_id).is_not(None),
    )
    rows = select(*raw_columns(RawMessageRow, "raw_base64"))
    rows = rows.where(waits, col(RawMessageRow.sha256).startswith(name.lower(), autoescape=True))
    if course_id is None:
        going_on = select(CourseRow.course_id).where(col(CourseRow.state).not_in(OVER))
        rows = rows.where(col(RawMessageRow.course_id).in_(going_on))
    else:
        rows = rows.where(col(RawMessageRow.course_id) == course_id)
    order = (RawMessageRow.received_at, RawMessageRow.course_id, RawMessageRow.sha256)
    async with AsyncSession(reading(engine)) as session:
        found = await raw_rows(session, rows.order_by(*map(col, order)))
    return read_each(RawMessageRow, found, _open).read  # one that was spoilt keeps none of the others from being read


async def bytes_of(engine: AsyncEngine, message: Open) -> str:
    """Its bytes in base64, as they came."""
    async with AsyncSession(reading(engine)) as session:
        row = await session.get(RawMessageRow, (message.course_id, message.sha256))
        return row.raw_base64 if row else ""


async def note_tried(engine: AsyncEngine, message: Open, with_what: str) -> None:
    """Keep that a worker with this release and these keys could not read it."""
    async with AsyncSession(writing(engine)) as session, session.begin():
        await tried(session, message.course_id, message.sha256, with_what)


async def tried(session: AsyncSession, course_id: str, sha256: str, with_what: str) -> None:
    """The same, within a transaction."""
    row = await session.get(RawMessageRow, (course_id, sha256), with_for_update=True)
    if row is not None:
        row.tried_json = as_tried([*json.loads(row.tried_json), with_what])


def as_tried(with_what: Iterable[str]) -> str:
    """Each release with its keys once, in order."""
    return canonical_json(list(dict.fromkeys(with_what)))


def _open(raw: Raw) -> Open:
    row = row_of(RawMessageRow, part_of(raw, RawMessageRow))
    return Open(
        course_id=row.course_id,
        sha256=row.sha256,
        name=row.name,
        sent=cast("Literal['signal', 'update']", row.sent),
        reason=row.reason,
        whole=row.whole,
        tried=tuple(json.loads(row.tried_json)),
    )
