"""All that is open in a course: what is due, from whom, and when it is overdue (MON-01 … MON-17, INF, PREP-12, CYT-05)."""

from collections.abc import Iterator
from datetime import timedelta

from clinical.bedside.bedside_due import at_the_bedside
from clinical.chart.calendar import local_date, midnight_of, plus_days
from clinical.chart.once import all_of, once
from clinical.chart.reading import STRICTLY_AFTER
from clinical.course.case import Case
from clinical.monitoring.again import asked_again, first_dose
from clinical.monitoring.before_dose import before_dose, next_planned
from clinical.monitoring.due import Due, obligation
from clinical.monitoring.examinations import examinations
from clinical.monitoring.liver_tests import liver_tests
from clinical.monitoring.watch import watched
from clinical.obligations.calls import Call, calls, deaths
from clinical.obligations.course_over import course_over, the_end
from clinical.obligations.harm import Harm
from clinical.obligations.kinds import harm_of, owned
from models.assessment import Obligation
from models.facts import CYCLE_DAYS, Cytoreduction
from models.obligation_kinds import ObligationKind
from models.protocol import Entry


@once
def obligations(case: Case) -> tuple[Obligation, ...]:
    """Everything that is open, sorted by key; nothing once it is closed or monitoring is over (MON-17)."""
    if course_over(case):
        return ()
    due = list(all_of(case, _deaths)) or _all(case)
    found = [owned(case, one) for one in due]
    found += [owned(case, one) for one in asked_again(case, found)]
    return tuple(sorted(found, key=lambda o: o.key))


def _all(case: Case) -> list[Due]:
    return [
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


def _calls(case: Case) -> Iterator[Due]:
    """What only a person can settle is due at once, and overdue soon."""
    yield from (_called(case, call) for call in calls(case))


def _deaths(case: Case) -> Iterator[Due]:
    """CALL-01: where the patient has died nothing else is asked of anybody."""
    yield from (_called(case, call) for call in deaths(case))


def _called(case: Case, call: Call) -> Due:
    late = call.since + _overdue_after(case, call.kind).span
    return obligation(case, call.kind, call.name, call.title, call.rule, call.since, late, call.clears, once=call.once)


def _overdue_after(case: Case, kind: ObligationKind) -> Entry:
    """CALL-01: for the gravest it is also when the people called are called again."""
    spans, harm = case.protocol.calls, harm_of(kind)
    return spans.gravest if harm is Harm.GRAVEST else spans.urgent if harm is Harm.URGENT else spans.ordinary


def _next_dose(case: Case) -> Iterator[Due]:
    """The next dose is due on its nominal day at the time of day of the last one; overdue when its window ends.

    One that the prescriber put off is due on that date, and overdue after it (DAY-06).
    """
    slot = next_planned(case)
    window = case.window_of(slot) if slot is not None else None
    due_at = case.planned_at(slot) if slot is not None else None
    if slot is None or window is None or due_at is None:
        return
    overdue_at = window.closes_at - STRICTLY_AFTER if window.closes_at else due_at + case.protocol.regimen.window.span
    title = f"decide on {slot}" if slot.day == CYCLE_DAYS[0] else f"dose {slot}"
    put_off = case.put_off_until(slot)
    if put_off is not None and put_off > window.opens_on:
        due_at = max(
            due_at, plus_days(due_at, (put_off - local_date(due_at, case.reading.zone)).days, case.reading.zone)
        )
        overdue_at = max(overdue_at, midnight_of(put_off + timedelta(days=1), case.reading.zone) - STRICTLY_AFTER)
    decided = "postpone" if slot.day == CYCLE_DAYS[0] else "omit or postpone"
    clears = f"the dose is given, decide_dose {decided} by the prescriber, or dosing ends"
    if case.in_review:
        clears = "start_next_cycle, or finish_dosing"
    late = max(due_at, overdue_at)
    yield obligation(case, ObligationKind.DOSE, str(slot), title, "DOSE-04", due_at, late, clears)


def _cytoreduction(case: Case) -> Iterator[Due]:
    """CYT-05: cytoreduction that has lasted its longest asks a physician how to go on."""
    started = [f.at for f, c in case.reading.of(Cytoreduction) if c.action == "started"]
    if case.doses or not started or case.dosing_ended is not None:
        return
    due_at = plus_days(min(started), case.protocol.limits.cytoreduction_max.count, case.reading.zone)
    title, clears = "cytoreduction: a physician decides how to go on", "the first dose, or dosing ends"
    late = due_at + case.protocol.monitoring.grace.span
    yield obligation(case, ObligationKind.CYTOREDUCTION, "", title, "CYT-05", due_at, late, clears)
