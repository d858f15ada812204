"""The head of a course's record, and how it stands to what an execution knows (REC-02)."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.facts import RecordCompared
from models.tables import CourseRow, DecisionRow
from plumbing.database import reading

Link = tuple[int, str]
"""Number and hash of one decision."""


async def head_of(engine: AsyncEngine, course_id: str) -> Link | None:
    """Number and hash of the last decision on record; `None` where it holds nothing of this course."""
    newest = select(DecisionRow.number, DecisionRow.sha256).where(DecisionRow.course_id == course_id)
    async with AsyncSession(reading(engine)) as session:
        course = (await session.exec(select(CourseRow.last_decision).where(CourseRow.course_id == course_id))).first()
        found = (await session.exec(newest.order_by(col(DecisionRow.number).desc()).limit(1))).first()
    if found is not None:
        return (found[0], found[1])
    return None if course is None else (0, "")


def compared(head: Link | None, links: Sequence[Link]) -> RecordCompared:
    """How the head stands to the links that an execution knows, newest first; the oldest is the last that is on record.

    `behind` only by entries that the execution still holds and will write; what is missing beyond these, or is another
    entry under the same number, is `other`, and `ahead` is what the execution does not know.
    """
    mine = links[0][0] if links else 0
    if head is None:
        waiting = not links or links[-1][0] == 0
        if not waiting:
            return RecordCompared(outcome="other", words=f"the record holds nothing, this execution {mine} decisions")
        return RecordCompared(outcome="behind" if mine else "equal")
    number, sha256 = head
    if number > mine:
        words = f"the record holds decision {number}, this execution knows only {mine}"
        return RecordCompared(outcome="ahead", words=words)
    if (number, sha256) in links:
        return RecordCompared(outcome="equal" if number == mine else "behind")
    words = f"decision {number} in the record is not the one of this execution, which is at {mine}"
    return RecordCompared(outcome="other", words=words)
