"""How a course's execution and its record differ, for the two people who settle it (REC-02)."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncEngine

from models.base import Frozen, Instant
from models.facts import Fact
from record.reader import read_entries
from record.take_over import same_fact
from services.courses import CourseClient


class OnlyThere(Frozen):
    """A fact that only one of the two knows: its id, kind and time, and who said it; never its value."""

    id: str
    kind: str
    at: Instant
    by: str


class Differences(Frozen):
    """What stands between an execution and its record: the number of decisions of each, and the facts of one only.

    `unwritten` decisions wait in the execution and are no difference by themselves.
    """

    course_id: str
    decisions: int
    unwritten: int
    recorded: int
    only_in_record: tuple[OnlyThere, ...]
    only_in_execution: tuple[OnlyThere, ...]

    @property
    def none(self) -> bool:
        """The two are at one, but for what waits to be written."""
        return not self.only_in_record and self.decisions - self.unwritten == self.recorded

    def words(self) -> list[str]:
        """The difference in sentences, and what settles it."""
        counted = (
            f"the execution has made {self.decisions} decisions ({self.unwritten} not written yet),"
            f" the record holds {self.recorded}"
        )
        if self.none:
            return [counted, "record and execution are at one"]
        told = [f"only in the record: {_line(f)}" for f in self.only_in_record]
        told += [f"only in the execution: {_line(f)}" for f in self.only_in_execution]
        return [
            counted,
            *told,
            "to settle it an administrator and a physician each say reconcile_record with a reason; the course then goes on"
            " from its record, and what only the execution knows is recorded after it",
        ]


async def differences(courses: CourseClient, engine: AsyncEngine, course_id: str) -> Differences:
    """Compare the running course with its record. Raises `CourseError`, `UnknownCourse` or `RecordAltered`."""
    status, chart = await courses.status(course_id), await courses.chart(course_id)
    entries = await read_entries(engine, course_id)
    recorded = [fact for entry in entries for fact in entry.facts]
    return Differences(
        course_id=course_id,
        decisions=status.decisions,
        unwritten=status.unwritten,
        recorded=len(entries),
        only_in_record=_only(recorded, chart.facts),
        only_in_execution=_only(chart.facts, recorded),
    )


def _only(these: Iterable[Fact], others: Iterable[Fact]) -> tuple[OnlyThere, ...]:
    known = {same_fact(fact) for fact in others}
    return tuple(
        OnlyThere(id=f.id, kind=f.what.kind, at=f.at, by=str(f.by)) for f in these if same_fact(f) not in known
    )


def _line(fact: OnlyThere) -> str:
    return f"{fact.kind.replace('_', ' ')} of {fact.at:%d %b %Y %H:%M} UTC by {fact.by} ({fact.id})"
