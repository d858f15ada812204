"""Calls to people as rows: each through each channel once, committed before the channel is asked, and what came of it.

A call stands under a hash of its key, so that no word from outside is an id here. Who asks a channel takes the row
first; whoever comes meanwhile, an earlier attempt or a sweep, leaves it alone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, cast

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.base import Frozen, Instant
from models.notification import Notification
from models.people import Role
from models.tables import NotificationRow
from plumbing.database import reading, writing
from record.raw import Found, Raw, one_of, part_of, raw_rows, raw_select, read_each, row_of
from record.rows import storable

TAKEN_FOR: Final = timedelta(seconds=9)
"""Longer than a channel may take: a row that was taken before and has no outcome belonged to a process that died."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=4), timedelta(hours=1)
TRIED_FOR: Final = timedelta(days=1)
"""How long a call that failed is tried again; what it was about stays on the worklist."""
MOST_AGAIN: Final = 200


class CallState(StrEnum):
    """Where a call through one channel stands."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    """Asked twice, and both times the process died before it knew; not asked a third time."""


class Call(Frozen):
    """One call through one channel. The notification's key is the hash under which the call is kept."""

    notification: Notification
    channel: str

    @property
    def id(self) -> tuple[str, str]:
        """What the row is found by."""
        return self.notification.key, self.channel


class Outcome(Frozen):
    """What came of asking a channel; `failure` is the kind of the error, never its text."""

    call: Call
    state: Literal[CallState.CONFIRMED, CallState.FAILED]
    asked_at: Instant
    settled_at: Instant
    failure: str | None = None


class UnreachedPerson(Frozen):
    """A call that nobody has confirmed, for the worklist."""

    course_id: str
    title: str
    owner: Role
    channel: str
    state: CallState
    kept_at: Instant


def calls_of(notifications: Iterable[Notification], channels: Iterable[str]) -> tuple[Call, ...]:
    """Each notification through each channel, under the hash of its key."""
    named = tuple(channels)
    hashed = [n.model_copy(update={"key": hashlib.sha256(n.key.encode()).hexdigest()}) for n in notifications]
    return tuple(Call(notification=n, channel=channel) for n in hashed for channel in named)


async def take(engine: AsyncEngine, calls: Sequence[Call], at: datetime) -> list[Call]:
    """Commit the rows of these calls, all or none, and return those whose channel is to be asked now.

    A call with an outcome is left; a failed one waits for `take_again`. One that was taken by a process that died is
    returned once more, and its row says so.
    """
    try:
        return await _take(engine, calls, at)
    except IntegrityError:  # somebody else made one of the rows in the same moment
        return await _take(engine, calls, at)


async def take_again(engine: AsyncEngine, channels: Iterable[str], at: datetime) -> list[Call]:
    """The calls that failed and may be tried again, and those whose process died; the oldest first, taken as above."""
    pending = select(NotificationRow).where(
        col(NotificationRow.state).in_([CallState.FAILED, CallState.ASKED]),
        col(NotificationRow.channel).in_(list(channels)),
        col(NotificationRow.kept_at) > at - TRIED_FOR,
    )
    in_order = pending.order_by(*map(col, (NotificationRow.kept_at, NotificationRow.key, NotificationRow.channel)))
    async with AsyncSession(writing(engine)) as session, session.begin():
        rows = await session.exec(in_order.with_for_update())
        due = [row for row in rows if _is_due_again(row, at)]
        return [_call_of(row) for row in due[:MOST_AGAIN] if _taken(row, at)]


async def settle(engine: AsyncEngine, outcomes: Sequence[Outcome]) -> None:
    """Write what came of the calls, all or none, with a row for each that has none yet; a confirmed one stays so."""
    async with AsyncSession(writing(engine)) as session, session.begin():
        rows = await _rows_of(session, [outcome.call for outcome in outcomes])
        for outcome in outcomes:
            row = rows.get(outcome.call.id)
            if row is None:
                row = rows[outcome.call.id] = _row_of(outcome.call, outcome.asked_at)
                session.add(row)
            if row.state != CallState.CONFIRMED:
                row.state, row.settled_at, row.failure = outcome.state, outcome.settled_at, outcome.failure


async def unreached(engine: AsyncEngine, since: datetime) -> list[UnreachedPerson]:
    """The calls since then that failed, or of which nobody knows whether they got through."""
    return (await unreached_rows(engine, since)).read


async def unreached_rows(engine: AsyncEngine, since: datetime) -> Found[UnreachedPerson]:
    """The same, with the rows that cannot be read."""
    nobody = raw_select(NotificationRow).where(
        col(NotificationRow.state).in_([CallState.FAILED, CallState.UNCONFIRMED]), col(NotificationRow.kept_at) > since
    )
    async with AsyncSession(reading(engine)) as session:
        rows = await raw_rows(session, nobody.order_by(col(NotificationRow.kept_at), col(NotificationRow.key)))
    return read_each(NotificationRow, rows, _unreached)


def _unreached(raw: Raw) -> UnreachedPerson:
    row = row_of(NotificationRow, part_of(raw, NotificationRow))
    return UnreachedPerson(
        course_id=row.course_id,
        title=row.title,
        owner=one_of(Role, "owner", row.owner),
        channel=row.channel,
        state=one_of(CallState, "state", row.state),
        kept_at=row.kept_at,
    )


async def _take(engine: AsyncEngine, calls: Sequence[Call], at: datetime) -> list[Call]:
    async with AsyncSession(writing(engine)) as session, session.begin():
        there = await _rows_of(session, calls)
        made = {call.id: _row_of(call, at) for call in calls if call.id not in there}
        session.add_all(made.values())
        again = {call_id for call_id, row in there.items() if row.state == CallState.ASKED and _taken(row, at)}
    return list({call.id: call for call in calls if call.id in made or call.id in again}.values())


async def _rows_of(session: AsyncSession, calls: Sequence[Call]) -> dict[tuple[str, str], NotificationRow]:
    named = col(NotificationRow.key).in_({call.notification.key for call in calls})
    in_order = select(NotificationRow).where(named).order_by(col(NotificationRow.key), col(NotificationRow.channel))
    # Locked in one order, so that two who take the same calls wait for each other and not both for ever.
    return {(row.key, row.channel): row for row in await session.exec(in_order.with_for_update())}


def _taken(row: NotificationRow, at: datetime) -> bool:
    """Take a row that is there, if it may be; one whose process died is asked once more at most."""
    if row.state == CallState.ASKED:
        if at - row.asked_at <= TAKEN_FOR:
            return False  # under way elsewhere
        if row.repeated:
            row.state, row.settled_at = CallState.UNCONFIRMED, at
            return False
        row.repeated = True
    row.state, row.asked_at, row.settled_at, row.failure = CallState.ASKED, at, None, None
    row.attempts += 1
    return True


def _is_due_again(row: NotificationRow, at: datetime) -> bool:
    if row.settled_at is None:
        return True
    doublings = min(row.attempts - 1, 10)
    wait = min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
    return at >= row.settled_at + wait


def _row_of(call: Call, at: datetime) -> NotificationRow:
    n = call.notification
    return storable(
        NotificationRow(
            key=n.key,
            channel=call.channel,
            course_id=n.course_id,
            title=n.title,
            rule=n.rule,
            owner=str(n.owner),
            rung=n.rung,
            due_at=n.due_at,
            fired_at=n.fired_at,
            kept_at=at,
            asked_at=at,
            attempts=1,
            repeated=False,
            state=CallState.ASKED,
        )
    )


def _call_of(row: NotificationRow) -> Call:
    notification = Notification(
        key=row.key,
        course_id=row.course_id,
        title=row.title,
        rule=row.rule,
        owner=Role(row.owner),
        rung=cast("Literal['due', 'overdue', 'again']", row.rung),
        due_at=row.due_at,
        fired_at=row.fired_at,
    )
    return Call(notification=notification, channel=row.channel)
