"""The examination for signs of VOD and the weight, when no dose asks for them (MON-05, MON-15).

Before a dose they are missing data (DATA-01 … DATA-03). Nothing tells us whether a patient is in hospital: the daily
look after a transplant is asked of everybody, and one look covers a calendar day.
"""

from collections.abc import Iterator
from datetime import datetime

from clinical.chart.calendar import day_after, local_date, midnight_after
from clinical.course.case import Case
from clinical.monitoring.due import Due, obligation
from clinical.monitoring.liver_tests import panels
from clinical.vod.vod_signs import looked_for
from models.facts import VodExamination
from models.obligation_kinds import ObligationKind


def examinations(case: Case) -> Iterator[Due]:
    """The examination that is open: every day after a transplant, else with each liver test."""
    daily = list(_daily(case))
    yield from daily or _with_liver_test(case)


def _daily(case: Case) -> Iterator[Due]:
    """Each calendar day to day 21 after transplant; one open thing that moves on with every look."""
    if case.transplant is None:
        return
    zone, spans = case.reading.zone, case.protocol.monitoring
    day_0 = local_date(case.transplant[1], zone)
    examined = [local_date(f.at, zone) for f, _ in case.reading.of(VodExamination)]
    weighed = [local_date(w.at, zone) for w in case.plausible_weights()]
    seen_on = min(max([day_0, *(on for on in days if on >= day_0)]) for days in (examined, weighed))
    due_on = day_after(seen_on)
    due_at = midnight_after(due_on, zone)  # to the end of that day
    last = midnight_after(day_0 + spans.daily_examination_until.span, zone) + spans.grace.span
    day = (due_on - day_0).days
    if day > spans.daily_examination_until.count or case.reading.passed(last):
        return
    title, late = f"examination and weight, day {day} after transplant", due_at + spans.grace.span
    clears = f"{looked_for(case)}, and the weight"
    yield obligation(case, ObligationKind.EXAMINATION, "daily", title, "MON-15", due_at, late, clears)


def _with_liver_test(case: Case) -> Iterator[Due]:
    """With each liver test: at most a day before it, and asked for a day after it."""
    tested = panels(case)
    if not case.doses or not tested or tested[-1].at < case.doses[0].started_at:
        return
    if case.transplant is not None and _in_the_daily_days(case, tested[-1].at):
        return
    last, age = tested[-1].at, case.protocol.ages.examination.span
    if any(fact.at >= last - age for fact, _ in case.reading.of(VodExamination)):
        return
    title, due_at = "examination for signs of VOD with the last liver test", last + age
    late = due_at + case.protocol.monitoring.grace.span
    yield obligation(
        case, ObligationKind.EXAMINATION, "with-liver-test", title, "MON-15", due_at, late, looked_for(case)
    )


def _in_the_daily_days(case: Case, at: datetime) -> bool:
    """From the transplant to day 21: every day is asked for already."""
    assert case.transplant is not None
    day_0, on = (local_date(instant, case.reading.zone) for instant in (case.transplant[1], at))
    return day_0 <= on <= day_0 + case.protocol.monitoring.daily_examination_until.span
