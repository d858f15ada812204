"""Whether a course is over, and what must be said before it can be (CLOSE-01, MON-17)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from clinical.chart.calendar import local_date, midnight_after, midnight_of, plus_days
from clinical.chart.once import all_of, once
from clinical.course.case import Case
from clinical.monitoring.due import Due, obligation
from clinical.monitoring.end_of_monitoring import end_day
from clinical.monitoring.liver_tests import liver_tests
from clinical.obligations.calls import calls
from clinical.vod.alerts import ladder
from models.obligation_kinds import ObligationKind


@once
def course_over(case: Case) -> bool:
    """Nothing is asked of anybody any more: the course was closed (CLOSE-01), or its monitoring is over (MON-17)."""
    return case.closed is not None or monitoring_over(case)


@once
def monitoring_over(case: Case) -> bool:
    """MON-17: past the first local midnight after the end day at which no liver test was open and nobody was called."""
    last_day = end_day(case)
    if last_day is None or case.busy:
        return False
    case.reading.rests_on_every_fact()  # what was open at midnight is asked of the whole chart as it was then
    midnight: datetime | None = midnight_after(last_day, case.reading.zone)
    while midnight is not None and case.reading.reached(midnight):
        then = Case(case.chart, case.protocol, midnight)
        if ladder(then).waits or _somebody_is_called(then):  # no time that goes by answers either (VOD-13, M.0)
            midnight = _midnight_after_the_next_message(case, midnight)
        elif any(test.standing == "due" for test in liver_tests(then)):
            midnight = plus_days(midnight, 1, case.reading.zone)
        else:
            return True
    return False


def _somebody_is_called(case: Case) -> bool:
    """What only a person or a later value settles still waits; a nadir that was expected is said once and waits for nobody."""
    return any(not call.once for call in all_of(case, calls))


def _midnight_after_the_next_message(case: Case, since: datetime) -> datetime | None:
    recorded_at = min((f.recorded_at for f in case.chart.facts if f.recorded_at > since), default=None)
    if recorded_at is None:
        return None
    zone = case.reading.zone
    return midnight_after(local_date(recorded_at, zone), zone)


def the_end(case: Case) -> Iterator[Due]:
    """When monitoring ends, or what must be said before it can (MON-17)."""
    zone, spans = case.reading.zone, case.protocol.monitoring
    if case.dosing_ended is None:
        return
    last_day, rule = end_day(case), "MON-17"
    if last_day is not None:
        due_at = midnight_after(last_day, zone)
        title, clears = "monitoring ends", "no liver test is open at midnight, no suspicion of VOD, and no call"
        late = due_at + spans.grace.span
        yield obligation(case, ObligationKind.MONITORING_ENDS, "", title, rule, due_at, late, clears)
    elif case.last_dose is not None:
        due_at = midnight_of(case.last_dose.local_on + timedelta(days=spans.last_dose_days.count), zone)
        title, clears = "say whether a transplant is planned", "declare_no_transplant, or record_transplant"
        late = due_at + spans.grace.span
        yield obligation(case, ObligationKind.TRANSPLANT, "", title, rule, due_at, late, clears)
