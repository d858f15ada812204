"""Liver tests after each dose, after the last dose, after transplant, again when abnormal, daily while VOD is suspected.

MON-02, -03, -04, LAB-07, ALERT-02. Both anchors are watched under every protocol (DIV-12).
"""

from collections.abc import Iterator
from datetime import date, datetime

from clinical.chart.calendar import local_date, plus_days
from clinical.course.case import Case
from clinical.monitoring.draws import Draw, complete_draws, draws_against, last_or
from clinical.monitoring.due import Due, obligation
from clinical.monitoring.end_of_monitoring import dosed_after_transplant, end_day
from clinical.vod.alerts import ladder
from models.obligation_kinds import ObligationKind

PANEL = "a complete liver panel: ALT, AST, total bilirubin, ALP"


def panels(case: Case) -> tuple[Draw, ...]:
    """Complete liver panels, oldest first (LAB-07)."""
    return complete_draws(case, case.protocol.ages.liver_analytes.words)


def liver_tests(case: Case) -> Iterator[Due]:
    """Every liver test that is open."""
    tested = panels(case)
    yield from _after_dose(case, tested)
    yield from _after_abnormal(case)
    yield from _after_transplant(case, tested)
    if case.transplant is None or dosed_after_transplant(case):
        yield from _after_last_dose(case, tested)
    yield from _while_suspected(case)


def _after_dose(case: Case, tested: tuple[Draw, ...]) -> Iterator[Due]:
    """MON-02: 24-96 h after each dose. A later panel still meets it; the next dose has its own."""
    dose, spans = case.last_dose, case.protocol.monitoring
    if dose is None:
        return
    due_at, overdue_at = dose.started_at + spans.after_dose_from.span, dose.started_at + spans.after_dose_until.span
    if not any(p.at >= due_at for p in tested):
        span = f"{spans.after_dose_from.shown()} to {spans.after_dose_until.shown()} after the dose"
        kind, title, clears = ObligationKind.LIVER_TEST_AFTER_DOSE, f"liver test after {dose.slot}", f"{PANEL}, {span}"
        yield obligation(case, kind, str(dose.slot), title, "MON-02", due_at, overdue_at, clears)


def _after_abnormal(case: Case) -> Iterator[Due]:
    """LAB-07: an abnormal panel meets what was due and opens the next one in 48-72 h, also when it is taken back (E1)."""
    tested = draws_against(case, case.protocol.ages.liver_analytes.words)
    if not case.doses or not tested or not tested[-1].abnormal:
        return
    spans, last = case.protocol.monitoring, tested[-1]
    due_at, overdue_at = last.at + spans.abnormal_from.span, last.at + spans.abnormal_until.span
    if not _after(case, due_at, end_day(case)):
        title = "liver test again, the last one was abnormal"
        yield obligation(case, ObligationKind.LIVER_TEST, "repeat", title, "LAB-07", due_at, overdue_at, PANEL)


def _while_suspected(case: Case) -> Iterator[Due]:
    """ALERT-02: while VOD waits for a physician's judgement, or is called suspected, the liver is tested every day.

    Where the last test is older it is due when the suspicion became known, and not before.
    """
    found = ladder(case)
    if not case.doses or not found.waits:
        return
    last = last_or(case, case.protocol.ages.liver_analytes, case.doses[-1].started_at)
    due_at = plus_days(last, case.protocol.monitoring.suspected.count, case.reading.zone)
    due_at = max(due_at, found.suspected_since or due_at)
    yield _rolling(case, "daily", "daily liver test while VOD is suspected", "ALERT-02", due_at)


def _after_last_dose(case: Case, tested: tuple[Draw, ...]) -> Iterator[Due]:
    """MON-04: at least every 7 days after the last dose, none created after day 56."""
    last = case.last_dose
    if last is None:
        return
    spans, zone = case.protocol.monitoring, case.reading.zone
    since = [p.at for p in tested if p.at > last.started_at]
    due_at = plus_days(since[-1] if since else last.started_at, spans.weekly.count, zone)
    day = (local_date(due_at, zone) - last.local_on).days
    if day <= spans.last_dose_days.count:
        title = f"weekly liver test, day {day} after the last dose"
        yield _rolling(case, "after-last-dose", title, "MON-04", due_at)


def _after_transplant(case: Case, tested: tuple[Draw, ...]) -> Iterator[Due]:
    """MON-03: every 7 days to day 30, 14 to day 60, 28 to day 100, counted on the day of the last test."""
    if case.transplant is None:
        return
    _, anchor = case.transplant
    spans, zone = case.protocol.monitoring, case.reading.zone
    since = [p.at for p in tested if p.at > anchor]
    base = since[-1] if since else anchor
    due_at = plus_days(base, _interval(case, anchor, base), zone)
    day = (local_date(due_at, zone) - local_date(anchor, zone)).days
    if day <= spans.transplant_last_day.count:
        yield _rolling(case, "after-transplant", f"liver test, day {day} after transplant", "MON-03", due_at)


def _interval(case: Case, anchor: datetime, tested_at: datetime) -> int:
    spans, zone = case.protocol.monitoring, case.reading.zone
    day = (local_date(tested_at, zone) - local_date(anchor, zone)).days
    if day <= spans.transplant_first_until.count:
        return spans.transplant_first.count
    return (spans.transplant_second if day <= spans.transplant_second_until.count else spans.transplant_third).count


def _rolling(case: Case, name: str, title: str, rule: str, due_at: datetime) -> Due:
    """Due at the wall-clock time of the last one; overdue after a grace of elapsed hours (MON-03)."""
    overdue_at = due_at + case.protocol.monitoring.grace.span
    return obligation(case, ObligationKind.LIVER_TEST, name, title, rule, due_at, overdue_at, PANEL)


def _after(case: Case, at: datetime, last_day: date | None) -> bool:
    return last_day is not None and local_date(at, case.reading.zone) > last_day
