"""How a course's execution and its record differ, for the two people who settle it (REC-02)."""

from collections.abc import Iterable, Iterator

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


class OtherTime(Frozen):
    """A fact that both know, with another time in each: a reset applied its message again. That of the record stands."""

    id: str
    kind: str
    in_record: Instant
    in_execution: Instant


class Differences(Frozen):
    """What stands between an execution and its record: the number of decisions of each, the facts of one only, and those
    that have another time in each.

    `unwritten` decisions wait in the execution and are no difference by themselves.
    """

    course_id: str
    decisions: int
    unwritten: int
    recorded: int
    only_in_record: tuple[OnlyThere, ...]
    only_in_execution: tuple[OnlyThere, ...]
    other_times: tuple[OtherTime, ...] = ()

    @property
    def none(self) -> bool:
        """The two are at one, but for what waits to be written."""
        return not (self.only_in_record or self.other_times) and self.decisions - self.unwritten == self.recorded

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
        told += [f"at another time: {_times(f)}; that of the record stands" for f in self.other_times]
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
        other_times=tuple(_other_times(recorded, chart.facts)),
    )


def _only(these: Iterable[Fact], others: Iterable[Fact]) -> tuple[OnlyThere, ...]:
    known = {same_fact(fact) for fact in others}
    return tuple(
        OnlyThere(id=f.id, kind=f.what.kind, at=f.at, by=str(f.by)) for f in these if same_fact(f) not in known
    )


def _other_times(recorded: Iterable[Fact], known: Iterable[Fact]) -> Iterator[OtherTime]:
    times = {f.id: f.at for f in known}
    for fact in recorded:
        if (other := times.get(fact.id, fact.at)) != fact.at:
            yield OtherTime(id=fact.id, kind=fact.what.kind, in_record=fact.at, in_execution=other)


def _times(fact: OtherTime) -> str:
    in_record, in_execution = (f"{at:%d %b %Y %H:%M:%S} UTC" for at in (fact.in_record, fact.in_execution))
    return f"{_said(fact.kind)} ({fact.id}) of {in_record} in the record, of {in_execution} in the execution"


def _said(kind: str) -> str:
    return kind.replace("_", " ")


def _line(fact: OnlyThere) -> str:
    return f"{_said(fact.kind)} of {fact.at:%d %b %Y %H:%M} UTC by {fact.by} ({fact.id})"
