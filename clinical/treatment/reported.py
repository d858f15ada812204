"""All that was reported of each reaction, taken together: its gravest grade, its end, whether it came back (CT-27, NON-04)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from clinical.chart.reading import Reading
from models.facts import Fact, Reaction


@dataclass(frozen=True)
class ReactionSoFar:
    """All that was reported of one reaction: its gravest grade, when it ended, and which reports say that it came back.

    One that came back is not over until an end of after that is told. `seen_at` is the earliest time at which it is known
    to have been there, since it came back if it did; `began_at` that of its first report; `ended_before` the end after
    which it came back.
    """

    reaction_id: str
    grade: int | None
    began_at: datetime
    seen_at: datetime
    resolved_at: datetime | None
    returns: tuple[Fact, ...] = ()
    ended_before: datetime | None = None

    @property
    def came_back(self) -> Fact | None:
        """The report that says last that it came back."""
        return self.returns[-1] if self.returns else None

    def of_now(self, *times: datetime) -> list[datetime]:
        """Those of the times that are not of before it came back."""
        return [at for at in times if self.ended_before is None or at > self.ended_before]


def so_far(reading: Reading, starts: Sequence[datetime]) -> tuple[ReactionSoFar, ...]:
    """Every reaction with its gravest grade; only a correction lowers a grade. `starts` are those of the doses, in order."""
    by_id: dict[str, ReactionSoFar] = {}
    for fact, what in reading.of(Reaction):
        known = by_id.get(what.reaction_id)
        grades = (known.grade if known else None, what.grade)
        grade = max((g for g in grades if g is not None), default=None)
        if known is not None and _comes_back(known, fact, what):
            over, returns = known.resolved_at, (*known.returns, fact)
            known = replace(known, seen_at=fact.at, resolved_at=None, returns=returns, ended_before=over)
        ended = _end(reading, starts, known, fact, what)
        told_at = fact.at if ended is None else min(fact.at, ended)
        if known is None:
            by_id[what.reaction_id] = ReactionSoFar(what.reaction_id, grade, fact.at, told_at, ended)
        else:
            seen_at = min([known.seen_at, *known.of_now(told_at)])
            over = ended or known.resolved_at
            by_id[what.reaction_id] = replace(known, grade=grade, seen_at=seen_at, resolved_at=over)
    return tuple(by_id.values())


def no_end_before(
    known: ReactionSoFar | None, starts: Iterable[datetime], at: datetime, began_at: datetime | None
) -> datetime | None:
    """Before this a reaction reported at `at` cannot have ended: it was seen by then, and its infusion had not begun.

    Cut to the minute, as people chart, unless that would be the end after which it came back. `began_at`: when this report
    itself says that it was first seen.
    """
    told = [] if began_at is None else [began_at]
    seen = told if known is None else [known.seen_at, *known.of_now(*told)]
    infusions = [start for start in starts if start <= min([*seen, at])]
    earliest = max([*([min(seen)] if seen else []), *infusions], default=None)
    if earliest is None:
        return None
    minute = earliest.replace(second=0, microsecond=0)
    return minute if known is None or known.of_now(minute) else earliest


def _end(
    reading: Reading, starts: Sequence[datetime], known: ReactionSoFar | None, fact: Fact, what: Reaction
) -> datetime | None:
    """The end that a report tells, once that time is reached; one of before the reaction is none."""
    if what.resolved_at is None or not reading.reached(what.resolved_at):
        return None
    told = fact.at if fact.at < fact.recorded_at else None
    earliest = no_end_before(known, starts, fact.at, told)
    return what.resolved_at if earliest is None or what.resolved_at >= earliest else None


def _comes_back(known: ReactionSoFar, fact: Fact, what: Reaction) -> bool:
    """A report as running from after the end. A grade that was still owed may follow later (CT-27): that is none."""
    owed = known.grade is None and what.grade is not None
    over = known.resolved_at is not None and fact.at > known.resolved_at
    return over and not owed and (what.resolved_at is None or what.resolved_at > fact.at)
