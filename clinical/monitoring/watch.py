"""What is watched besides the liver while the drug is given: blood counts, tumour lysis, ECG, pancreas, infection, marrow.

MON-01, -06, -08, -09, -10, -14. What a dose needs beforehand is one thing of its own (`before_dose`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from clinical.chart.calendar import (
    HOUR,
    at_local,
    local_date,
    midnight_after,
    midnight_of,
    plus_days,
    plus_months,
    wall_clock,
)
from clinical.chart.once import all_of
from clinical.chart.reading import STRICTLY_AFTER
from clinical.course.case import Case
from clinical.monitoring.before_dose import electrolytes_at, next_planned
from clinical.monitoring.draws import all_known_at, last_or
from clinical.monitoring.due import Due, hashed, obligation
from clinical.monitoring.end_of_monitoring import end_day
from clinical.toxicity.ecg import qtcf_history
from clinical.treatment.medications import taken
from models.facts import DoseSlot, Prophylaxis, Response, VodExamination
from models.obligation_kinds import ObligationKind

PROPHYLAXIS = "prophylaxis charted as given or decided against: bacteria, pneumocystis, herpes, fungi, hepatitis B"


def watched(case: Case) -> Iterator[Due]:
    """Everything of these that is open."""
    yield from all_of(case, _tumour_lysis)
    yield from all_of(case, _pancreas)
    yield from all_of(case, _prophylaxis_after)
    if case.dosing_ended is None:
        yield from all_of(case, _blood_count)
        yield from all_of(case, _after_qt_drug)
        yield from all_of(case, _prophylaxis)
        yield from all_of(case, _marrow)


def _blood_count(case: Case) -> Iterator[Due]:
    """MON-01: every week while dosing goes on, counted from the last complete one."""
    first, spans = case.first_dose_at, case.protocol.monitoring
    if first is None:
        return
    since = last_or(case, case.protocol.ages.cbc_analytes, first)
    due_at = plus_days(since, spans.blood_count.count, case.reading.zone)
    clears = "WBC, ANC, platelets and haemoglobin of one day"
    late = due_at + spans.grace.span
    yield obligation(case, ObligationKind.BLOOD_COUNT, "", "weekly blood count", "MON-01", due_at, late, clears)


# ── tumour lysis (MON-08) ──────────────────────────────────────────────────────────────────────────────────────────


def _tumour_lysis(case: Case) -> Iterator[Due]:
    """MON-08: after the first dose of the course, the first of its times for which nothing was drawn.

    What is drawn a little early counts, and a later draw stands for all times before it. When the last time is over
    nothing more is asked: tumour lysis would have shown.
    """
    first, spans = case.first_dose_at, case.protocol.monitoring
    if first is None:
        return
    times = [(first + spans.tls_first_from.span, first + spans.tls_first_until.span, first + spans.tls_first_from.span)]
    for span in (spans.tls_second, spans.tls_third, spans.tls_fourth, spans.tls_fifth):
        at = first + span.span
        times.append((at, at + spans.tls_late.span, at - spans.tls_early.span))
    if case.reading.passed(times[-1][1]):
        return
    drawn_at = all_known_at(case, spans.tls_analytes.words)
    left = [(due_at, late) for due_at, late, from_at in times if drawn_at is None or drawn_at < from_at]
    if left:
        due_at, late = left[0]
        hours = (due_at - first) // HOUR
        title, clears = f"tests for tumour lysis, {hours} h after the first dose", ", ".join(spans.tls_analytes.words)
        yield obligation(case, ObligationKind.TUMOUR_LYSIS, "", title, "MON-08", due_at, late, clears)


# ── heart and pancreas (MON-06, MON-07, MON-09) ────────────────────────────────────────────────────────────────────


def _after_qt_drug(case: Case) -> Iterator[Due]:
    """MON-06, MON-07: an ECG with electrolytes a week after a drug that prolongs QT was started, unless it was stopped."""
    spans, zone = case.protocol.monitoring, case.reading.zone
    tracings = qtcf_history(case)
    for started, what in taken(case):
        if not what.qt_prolonging or not case.doses:
            continue
        due_at = plus_days(started.at, spans.qt_drug.count, zone)
        from_at = due_at - spans.grace.span
        salts = electrolytes_at(case)
        if tracings and tracings[-1].collected_at >= from_at and salts is not None and salts >= from_at:
            continue
        title, name = "ECG and electrolytes after a drug that prolongs QT was started", hashed(started.id)
        clears = f"ECG with QTcF; potassium, magnesium, calcium with albumin: {what.drug} was started"
        late = due_at + spans.grace.span
        yield obligation(case, ObligationKind.ECG, name, title, "MON-06", due_at, late, clears)


def _pancreas(case: Case) -> Iterator[Due]:
    """MON-09: amylase and lipase when the upper abdomen hurts."""
    fact, pain = case.reading.answered(VodExamination).get("ruq_pain", (None, False))
    spans = case.protocol.monitoring
    if fact is None or not pain or not case.doses:
        return
    drawn_at = all_known_at(case, spans.pancreas.words)
    if drawn_at is None or drawn_at < fact.at - case.protocol.ages.examination.span:
        title, due_at = "amylase and lipase: pain in the upper abdomen", fact.at
        late, clears = due_at + spans.grace.span, "amylase and lipase"
        yield obligation(case, ObligationKind.PANCREAS, "pain", title, "MON-09", due_at, late, clears)


# ── infection, marrow (MON-10, MON-14) ─────────────────────────────────────────────────────────────────────────────


def _prophylaxis(case: Case) -> Iterator[Due]:
    """MON-10: in every cycle somebody says which prophylaxis is given and how infection is looked for (DIV-14)."""
    slot, spans = next_planned(case), case.protocol.monitoring
    due_at = first_day(case, slot.cycle) if slot is not None else None
    if slot is None or due_at is None:
        return
    said = _prophylaxis_said(case)
    if said and (slot.cycle == 1 or max(said) >= due_at - spans.prophylaxis_since.span):
        return
    title = f"infection: prophylaxis and surveillance for cycle {slot.cycle}"
    kind, late = ObligationKind.PROPHYLAXIS, due_at + spans.grace.span
    yield obligation(case, kind, f"C{slot.cycle}", title, "MON-10", due_at, late, PROPHYLAXIS)


def _prophylaxis_after(case: Case) -> Iterator[Due]:
    """MON-10: the same after dosing, from the last dose on and every month to the end of monitoring (MON-17).

    A dose is the last one once dosing has ended: who ends it days later is not asked too late from the start.
    """
    last, ended, spans, zone = case.last_dose, case.dosing_ended, case.protocol.monitoring, case.reading.zone
    if ended is None or last is None:
        return
    said = [at for at in _prophylaxis_said(case) if at >= last.started_at - spans.prophylaxis_since.span]
    due_at, last_day = max(last.started_at, ended.at), end_day(case)
    if said:
        next_on = plus_months(local_date(max(said), zone), spans.prophylaxis_again.count)
        due_at = at_local(next_on, wall_clock(max(said), zone), zone)
    if last_day is not None and due_at >= midnight_after(last_day, zone):
        return
    title, late = "infection: prophylaxis and surveillance after the last dose", due_at + spans.grace.span
    yield obligation(case, ObligationKind.PROPHYLAXIS, "after", title, "MON-10", due_at, late, PROPHYLAXIS)


def _prophylaxis_said(case: Case) -> list[datetime]:
    return [f.at for f, what in case.reading.of(Prophylaxis) if what.against != "vod"]


def first_day(case: Case, cycle: int) -> datetime | None:
    """When day 1 of a cycle was planned, by the doses before it; for the first cycle when it was given."""
    slot = DoseSlot(cycle=cycle, day=1)
    window, earlier = case.window_of(slot), [d for d in case.doses if d.slot.cycle < cycle]
    if window is None or not earlier:
        return case.first_dose_at if cycle == 1 else None
    last = max(earlier, key=lambda dose: dose.started_at)
    return plus_days(last.started_at, (window.nominal_on - last.local_on).days, case.reading.zone)


def _marrow(case: Case) -> Iterator[Due]:
    """MON-14: marrow with MRD at the end of each of the first cycles, from day 21 to the end of day 28."""
    spans, zone = case.protocol.monitoring, case.reading.zone
    given = [d.started_at for d in case.doses if d.slot.cycle == case.cycle and d.slot.day == 1]
    if not given or case.cycle > spans.marrow_cycles.count or _marrow_known(case, case.cycle):
        return
    due_at = plus_days(given[0], spans.marrow_from.count - 1, zone)
    overdue_at = midnight_of(local_date(given[0], zone) + timedelta(days=spans.marrow_until.count), zone)
    title, clears = f"marrow with MRD at the end of cycle {case.cycle}", "record_response with the MRD"
    kind, late = ObligationKind.MARROW, overdue_at - STRICTLY_AFTER
    yield obligation(case, kind, f"C{case.cycle}", title, "MON-14", due_at, late, clears)


def _marrow_known(case: Case, cycle: int) -> bool:
    """A response was told, and with CR or CRi the MRD too."""
    found = case.response_of(cycle)
    if found is None or found[1].response is Response.NOT_ASSESSABLE:
        return False
    return found[1].response is Response.NONE or case.response_answered(cycle)[1] is not None
