"""What is still not done is asked for again every week, and no open course is without a day on which somebody looks at it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from clinical.chart.calendar import plus_days
from clinical.course.case import Case
from clinical.monitoring.due import Due, obligation
from clinical.results.known import recorded_at
from models.assessment import Obligation
from models.base import counted
from models.obligation_kinds import ObligationKind
from models.people import CLOCK, Role


def asked_again(case: Case, opened: Iterable[Obligation]) -> Iterator[Due]:
    """MON-03: for each role that lets something become overdue one reminder a week, from a week after it on."""
    late: dict[Role, list[Obligation]] = {}
    for one in opened:
        if one.standing == "overdue" and not one.once:
            for owner in one.owners:
                late.setdefault(owner, []).append(one)
    for owner, those in late.items():
        first, *others = sorted(those, key=lambda o: (o.overdue_at, o.key))
        weeks = _weeks_reached(case, first.overdue_at)
        if not weeks:
            continue
        due_at = _later(case, first.overdue_at, weeks)
        next_week = _later(case, due_at, 1)
        more = f" and {counted(len(others), 'other thing')}" if others else ""
        title, clears = f"still overdue: {first.title}{more}", first.clears
        # Each week has a key of its own: what is due, and when, never depends on when one asks.
        name = f"{owner}-{first.key}-{weeks}"
        yield obligation(case, ObligationKind.AGAIN, name, title, first.rule, due_at, next_week, clears, owner)


def _weeks_reached(case: Case, overdue_at: datetime) -> int:
    """How many whole weeks it is overdue; when the next one is over is remembered as a change to come."""
    weeks = 0
    while case.reading.reached(_later(case, overdue_at, weeks + 1)):
        weeks += 1
    return weeks


def _later(case: Case, at: datetime, weeks: int) -> datetime:
    return plus_days(at, weeks * case.protocol.monitoring.weekly.count, case.reading.zone)


def first_dose(case: Case) -> Iterator[Due]:
    """OWN-01: a course in which nothing was given and nothing is said for a week is looked at by the prescriber."""
    if case.doses or case.dosing_ended is not None:
        return
    due_at = _later(case, max([case.course.started_at, *_told(case)]), 1)
    title = "nothing was said for a week, and no dose is given"
    clears = "a person's word, a usable result, the first dose, or discontinue"
    late = due_at + case.protocol.monitoring.grace.span
    yield obligation(case, ObligationKind.FIRST_DOSE, "", title, "OWN-01", due_at, late, clears)


def _told(case: Case) -> Iterator[datetime]:
    """When anybody charted something, or a laboratory sent what can be used: what cannot tells nobody anything (M.0)."""
    yield from (
        fact.recorded_at for fact in case.reading.facts if fact.by.role is not Role.LABORATORY and fact.by != CLOCK
    )
    for analyte in case.reading.told.analytes():
        yield from map(recorded_at, case.results.history(analyte))
