"""All that is open in a course: what is due, from whom, and when it is overdue (MON-01 … MON-17, INF, PREP-12, CYT-05)."""

from collections.abc import Iterator

from clinical.again import asked_again, first_dose
from clinical.bedside_due import at_the_bedside
from clinical.before_dose import before_dose, next_planned
from clinical.calendar import plus_days
from clinical.calls import calls
from clinical.case import Case
from clinical.course_over import course_over, the_end
from clinical.due import CYTOREDUCTION, DOSE, obligation
from clinical.examinations import examinations
from clinical.liver_tests import liver_tests
from clinical.once import all_of, once
from clinical.reading import STRICTLY_AFTER
from clinical.watch import watched
from models.assessment import Obligation
from models.facts import CYCLE_DAYS, Cytoreduction
from models.people import Role


@once
def obligations(case: Case) -> tuple[Obligation, ...]:
    """Everything that is open, sorted by key; nothing once it is closed or monitoring is over (MON-17)."""
    if course_over(case):
        return ()
    found = [
        *all_of(case, _calls),
        *all_of(case, first_dose),
        *all_of(case, at_the_bedside),
        *all_of(case, _next_dose),
        *all_of(case, before_dose),
        *all_of(case, liver_tests),
        *all_of(case, examinations),
        *all_of(case, watched),
        *all_of(case, _cytoreduction),
        *all_of(case, the_end),
    ]
    found += asked_again(case, found)
    return tuple(sorted(found, key=lambda o: o.key))


def _calls(case: Case) -> Iterator[Obligation]:
    """What only a person can settle is due at once, and overdue soon."""
    spans = case.protocol.calls
    for call in calls(case):
        overdue_at = call.since + (spans.urgent if call.urgent else spans.ordinary).span
        yield obligation(case, call.key, call.title, call.rule, call.owner, call.since, overdue_at, call.clears)


def _next_dose(case: Case) -> Iterator[Obligation]:
    """The next dose is due on its nominal day at the time of day of the last one; overdue when its window ends."""
    slot = next_planned(case)
    window = case.window_of(slot) if slot is not None else None
    due_at = case.planned_at(slot) if slot is not None else None
    if slot is None or window is None or due_at is None:
        return
    overdue_at = window.closes_at - STRICTLY_AFTER if window.closes_at else due_at + case.protocol.regimen.window.span
    title = f"decide on {slot}" if slot.day == CYCLE_DAYS[0] else f"dose {slot}"
    clears = "start_next_cycle, or finish_dosing" if case.in_review else "the dose is given, or dosing ends"
    key, late = f"{DOSE}-{slot}", max(due_at, overdue_at)
    yield obligation(case, key, title, "DOSE-04", Role.PRESCRIBER, due_at, late, clears)


def _cytoreduction(case: Case) -> Iterator[Obligation]:
    """CYT-05: cytoreduction that has lasted its longest asks a physician how to go on."""
    started = [f.at for f, c in case.reading.of(Cytoreduction) if c.action == "started"]
    if case.doses or not started or case.dosing_ended is not None:
        return
    due_at = plus_days(min(started), case.protocol.limits.cytoreduction_max.count, case.reading.zone)
    title, clears = "cytoreduction: a physician decides how to go on", "the first dose, or dosing ends"
    late = due_at + case.protocol.monitoring.grace.span
    yield obligation(case, CYTOREDUCTION, title, "CYT-05", Role.PHYSICIAN, due_at, late, clears)
