"""When a dose may be given: window, spacing, interruption, number of cycles (DOSE-04 … DOSE-09, DAY, DUR)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from clinical.calendar import local_date, midnight_of
from clinical.case import NOT_AUTOMATED, Case
from clinical.liver import PANEL, within_limits
from clinical.results import Known
from clinical.toxicity import graded_tests, holds_for_grade, holds_for_toxicity
from clinical.windows import Window
from models.assessment import Finding, Verdict
from models.facts import CYCLE_DAYS, DoseSlot, Response, Toxicity


def schedule_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """TOO_EARLY before window or spacing allow, DELAYED after the window, HOLD from 7 days of toxicity on."""
    window = case.window_of(slot)
    if window is None:
        return
    yield from _too_early(case, slot, window)
    interruption = toxicity_interruption(case, window)
    if interruption is not None:
        yield from _interrupted(case, slot, interruption)
    if slot.day == CYCLE_DAYS[0]:
        yield from _reduction_due(case, slot)
    yield from _late(case, slot, window, _closes_at(case, window, interruption))


def _late(case: Case, slot: DoseSlot, window: Window, closes_at: datetime | None) -> Iterator[Finding]:
    """DAY-06: the window has passed and nobody has decided, or the prescriber has (DAY-04 says why it is late)."""
    fact, decision = case.decided.get(str(slot), (None, None))
    if decision is not None and fact is not None and decision.decision == "postpone" and decision.until is not None:
        opens_at = midnight_of(decision.until, case.reading.zone)
        if not case.reading.reached(opens_at):
            reason = f"postponed to {decision.until} by {fact.by}: {decision.reason}"
            clears = f"from {decision.until}, or another decision"
            yield case.finding("DAY-06", Verdict.TOO_EARLY, reason, clears=clears, earliest_at=opens_at)
            return
    if closes_at is None or not case.reading.reached(closes_at):
        return
    if decision is not None and fact is not None and decision.decision == "give":
        reason = f"given late by decision of {fact.by}, because of {decision.cause}: {decision.reason}"
        yield case.finding("DAY-04", None, reason)
        return
    reason = f"the window of {slot} ended on {window.last_on}, and nobody has decided"
    clears = "decide_dose by the prescriber: give, omit or postpone"
    yield case.finding("DAY-06", Verdict.DELAYED, reason, clears=clears)


def _reduction_due(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """DUR-03: a dose left out for toxicity that lasted two weeks asks for a smaller dose in the cycle that follows."""
    limit = case.protocol.limits.interruption_reduce.count
    for omitted in case.omitted:
        window = case.window_of(omitted)
        days = 0 if window is None or omitted.cycle != slot.cycle - 1 else _days_held(case, window)
        if days >= limit:
            reason = f"{omitted} was left out, and the toxicity lasted {days} days: {NOT_AUTOMATED}"
            yield case.finding("DUR-03", Verdict.HOLD, reason, clears="a reduced level, by the prescriber")


def _days_held(case: Case, window: Window) -> int:
    """DUR-07: from the planned date of a dose to the first sample that shows recovery; 0 if it was not held then."""
    planned_at = midnight_of(window.nominal_on + timedelta(days=1), case.reading.zone)
    held = False
    for at, toxic in _toxicity_over_time(case):
        if at < planned_at:
            held = toxic
        elif held and not toxic:
            return _interruption(case, window, at).days
    return _interruption(case, window, None).days if held else 0


def _closes_at(case: Case, window: Window, interruption: "Interruption | None") -> datetime | None:
    """DAY-06: when the window ends. After a short toxicity the dose is given late, until the ladder would drop it."""
    limit = case.protocol.limits.interruption_max
    if window.closes_at is None or interruption is None:
        return window.closes_at
    if interruption.days >= limit.count:
        return None
    return max(window.closes_at, midnight_of(window.nominal_on + limit.span, case.reading.zone))


def _too_early(case: Case, slot: DoseSlot, window: Window) -> Iterator[Finding]:
    if case.reading.reached(window.opens_at):
        return
    last = case.last_dose
    assert last is not None
    gap = case.protocol.regimen.min_gap.count  # the reason names dates, not days gone by: it holds until valid_until
    if slot.day == 1:
        rule = "DAY-05"
        reason = f"day 1 of cycle {slot.cycle} may be given from {window.opens_on}"
    elif window.by_spacing:
        rule = "DAY-03"
        reason = f"the last dose was on {last.local_on}, and at least {gap} calendar days lie between two doses"
    else:
        rule = "DOSE-04"
        reason = f"the window of {slot} opens on {window.opens_on}"
    clears = f"from {window.opens_at.astimezone(case.reading.zone):%Y-%m-%d %H:%M} local time"
    verdict = Verdict.OMIT if case.after_an_omitted_dose else Verdict.TOO_EARLY
    yield case.finding(rule, verdict, reason, clears=clears, earliest_at=window.opens_at)


@dataclass(frozen=True)
class Interruption:
    """A toxicity interruption: from the planned date of the held dose to the first sample that shows recovery."""

    planned_on: date
    recovered_at: datetime | None
    days: int


def toxicity_interruption(case: Case, window: Window) -> Interruption | None:
    """DUR-07, DUR-09: only liver and graded toxicity count; the clock stops at the collection time of the recovery."""
    planned_at = midnight_of(window.nominal_on, case.reading.zone)
    held_since: datetime | None = None
    last_recovery: datetime | None = None
    overlaps = False
    for at, held in _toxicity_over_time(case):
        if held and held_since is None:
            held_since = at
        elif not held and held_since is not None:
            overlaps = overlaps or at >= planned_at
            held_since, last_recovery = None, at
    if held_since is not None and case.reading.reached(planned_at):
        return _interruption(case, window, None)
    if overlaps and last_recovery is not None and last_recovery >= planned_at:
        return _interruption(case, window, last_recovery)
    return None


def _interruption(case: Case, window: Window, recovered_at: datetime | None) -> Interruption:
    until = local_date(recovered_at or case.now, case.reading.zone)
    days = max((until - window.nominal_on).days, 0)
    if recovered_at is None:
        case.reading.change_at(midnight_of(until + timedelta(days=1), case.reading.zone))
    return Interruption(window.nominal_on, recovered_at, days)


def _interrupted(case: Case, slot: DoseSlot, interruption: Interruption) -> Iterator[Finding]:
    """DUR-01 … DUR-03: within a cycle a dose is left out from 7 days on; a day 1 is only put off, until 14 days."""
    limits, within = case.protocol.limits, slot.day != CYCLE_DAYS[0]
    words = f"interrupted for toxicity for {interruption.days} day(s) since {interruption.planned_on}"
    if within and interruption.days >= limits.interruption_max.count:
        clears = "decide_dose by the prescriber: omit"
        yield case.finding("DUR-02", Verdict.HOLD, f"{words}: this dose is left out", clears=clears)
    elif interruption.days >= limits.interruption_reduce.count:
        yield case.finding(
            "DUR-03", Verdict.HOLD, f"{words}: {NOT_AUTOMATED}", clears="a reduced level, by the prescriber"
        )
    elif interruption.days:
        yield case.finding("DUR-01", None, words)


def _toxicity_over_time(case: Case) -> Iterator[tuple[datetime, bool]]:
    """Each instant at which a liver value or a graded toxicity was known anew, and whether toxicity stood then."""
    events: list[tuple[datetime, str, bool]] = []
    for analyte in PANEL:
        events += [(k.collected_at, analyte, not within_limits(case, analyte, k)) for k in _history(case, analyte)]
    for analyte in graded_tests(case):
        events += [(k.collected_at, f"grade of {analyte}", holds_for_grade(case, k)) for k in _history(case, analyte)]
    for fact, what in case.reading.of(Toxicity):
        events.append((fact.at, what.term.lower(), holds_for_toxicity(case, fact, what)))
    standing: dict[str, bool] = {}
    times = sorted({at for at, _, _ in events})
    for at in times:
        standing |= {name: held for when, name, held in events if when == at}
        yield at, any(standing.values())


def _history(case: Case, analyte: str) -> list[Known]:
    return case.results.history(analyte)


def cycle_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """BLOCK_CYCLE: no response after three cycles, cycles before a transplant, number of cycles (DOSE-07 … -09)."""
    if slot.day != CYCLE_DAYS[0] or slot.cycle == 1:
        return
    regimen = case.protocol.regimen
    stop_after = regimen.stop_without_response_after.count
    if slot.cycle > stop_after and _assessed(case, slot.cycle - 1) and not case.responded_before(slot.cycle):
        reason = f"no CR or CRi within {stop_after} cycles"
        yield case.finding("DOSE-07", Verdict.BLOCK_CYCLE, reason, clears="the prescriber is asked to discontinue")
    if case.transplant_planned:
        yield from _before_transplant(case, slot)
    if slot.cycle > regimen.max_cycles.count:
        reason = f"cycle {slot.cycle}; at most {regimen.max_cycles.shown()}"
        yield case.finding("DOSE-09", Verdict.BLOCK_CYCLE, reason, clears="no further cycle")


def _assessed(case: Case, cycle: int) -> bool:
    """Whether the response of a cycle is known; "not assessable" is missing (DATA-03)."""
    found = case.response_of(cycle)
    return found is not None and found[1].response is not Response.NOT_ASSESSABLE


def _before_transplant(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    regimen = case.protocol.regimen
    done = slot.cycle - 1
    latest = case.response_of(done)
    complete = latest is not None and latest[1].response in (Response.CR, Response.CRI) and latest[1].mrd_negative
    at_most = regimen.max_cycles_before_transplant.count
    if done >= at_most or (done >= regimen.cycles_before_transplant.count and complete):
        why = "CR or CRi with MRD negativity reached" if complete else f"{at_most} cycles given"
        reason = f"a transplant is planned and {done} cycles were given: {why}"
        yield case.finding("DOSE-08", Verdict.BLOCK_CYCLE, reason, clears="transplant, or its plan withdrawn")
