"""Whether a course is over, and what must be said before it can be (CLOSE-01, MON-17)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from clinical.alerts import ladder
from clinical.calendar import local_date, midnight_after, midnight_of, plus_days
from clinical.case import Case
from clinical.due import MONITORING_ENDS, TRANSPLANT, obligation
from clinical.end_of_monitoring import end_day
from clinical.liver_tests import liver_tests
from clinical.once import once
from models.assessment import Obligation
from models.people import Role


@once
def course_over(case: Case) -> bool:
    """Nothing is asked of anybody any more: the course was closed (CLOSE-01), or its monitoring is over (MON-17)."""
    return case.closed is not None or monitoring_over(case)


@once
def monitoring_over(case: Case) -> bool:
    """MON-17: past the first local midnight after the end day at which no liver test and no VOD judgement was open."""
    last_day = end_day(case)
    if last_day is None or case.busy:
        return False
    case.reading.rests_on_every_fact()  # what was open at midnight is asked of the whole chart as it was then
    midnight: datetime | None = midnight_after(last_day, case.reading.zone)
    while midnight is not None and case.reading.reached(midnight):
        then = Case(case.chart, case.protocol, midnight)
        if ladder(then).waits:  # no time that goes by judges it: only what was recorded since
            midnight = _midnight_after_the_next_fact(case, midnight)
        elif any(test.standing == "due" for test in liver_tests(then)):
            midnight = plus_days(midnight, 1, case.reading.zone)
        else:
            return True
    return False


def _midnight_after_the_next_fact(case: Case, since: datetime) -> datetime | None:
    recorded_at = min((f.recorded_at for f in case.chart.facts if f.recorded_at > since), default=None)
    if recorded_at is None:
        return None
    zone = case.reading.zone
    return midnight_after(local_date(recorded_at, zone), zone)


def the_end(case: Case) -> Iterator[Obligation]:
    """When monitoring ends, or what must be said before it can (MON-17)."""
    zone, spans = case.reading.zone, case.protocol.monitoring
    if case.dosing_ended is None:
        return
    last_day, owner, rule = end_day(case), Role.COORDINATOR, "MON-17"
    if last_day is not None:
        due_at = midnight_after(last_day, zone)
        title, clears = "monitoring ends", "no liver test is open at midnight, and no suspicion of VOD"
        yield obligation(case, MONITORING_ENDS, title, rule, owner, due_at, due_at + spans.grace.span, clears)
    elif case.last_dose is not None:
        due_at = midnight_of(case.last_dose.local_on + timedelta(days=spans.last_dose_days.count), zone)
        title, clears = "say whether a transplant is planned", "declare_no_transplant, or record_transplant"
        overdue_at, owner = due_at + spans.grace.span, Role.PRESCRIBER
        yield obligation(case, TRANSPLANT, title, rule, owner, due_at, overdue_at, clears)
