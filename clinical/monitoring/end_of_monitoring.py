"""The last day of monitoring, from the facts alone (MON-17). Whether it is over: `course_over`."""

from datetime import date, timedelta

from clinical.chart.calendar import local_date
from clinical.course.case import Case


def dosed_after_transplant(case: Case) -> bool:
    """Dosing went on after the transplant: the last dose is watched again as if there had been none (MON-04)."""
    last, transplant = case.last_dose, case.transplant
    return last is not None and transplant is not None and last.started_at > transplant[1]


def end_day(case: Case) -> date | None:
    """MON-17: the last day of monitoring, or `None` while nothing allows it to end."""
    if case.dosing_ended is None:
        return None
    zone, spans = case.reading.zone, case.protocol.monitoring
    if case.transplant is not None:
        fact, anchor = case.transplant
        last_day = local_date(anchor, zone) + timedelta(days=spans.transplant_last_day.count)
        if case.last_dose is not None and dosed_after_transplant(case):
            last_day = max(last_day, case.last_dose.local_on + spans.last_dose_days.span)
        return max(last_day, local_date(fact.recorded_at, zone))
    if case.last_dose is None:
        return local_date(case.dosing_ended.recorded_at, zone)
    declared = case.no_transplant_declared
    if declared is None:
        return None
    last_day = case.last_dose.local_on + timedelta(days=spans.last_dose_days.count)
    return max(last_day, local_date(declared.recorded_at, zone))
