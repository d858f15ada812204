"""When a dose may be given: window, spacing, interruption, number of cycles (DOSE-04 … DOSE-09, DAY, DUR)."""

from collections.abc import Iterator
from datetime import datetime

from clinical.chart.calendar import local_date, midnight_of
from clinical.course.case import Case
from clinical.course.interruption import BELOW_TWO_DOSES, TWO_DOSES, Interruption
from clinical.course.levels import level_name
from clinical.monitoring.end_of_monitoring import dosed_after_transplant
from clinical.toxicity.liver import liver_holds
from clinical.treatment.windows import Window, slot_of
from models.assessment import Finding, Verdict
from models.base import counted
from models.facts import CYCLE_DAYS, CycleStarted, DoseSlot, Response

COMPLETE = frozenset({Response.CR, Response.CRI})


def first_dose_gate(case: Case) -> Iterator[Finding]:
    """DAY-06, DOSE-01: a course begins with cycle 1 and a cycle with its day 1. Where that is not charted, and a later dose
    is, nobody knows what was given.
    """
    given = sorted({dose.slot for dose in case.doses}, key=lambda slot: (slot.cycle, slot.day))
    for cycle in range(1, given[-1].cycle + 1) if given else ():
        first = slot_of(cycle, CYCLE_DAYS[0])
        if first in given or first in case.interruptions.dropped:
            continue
        later = next(slot for slot in given if slot.cycle >= cycle)
        reason = f"{later} is charted as given and {first} is not: a cycle begins with its day 1"
        clears = f"record_administration of {first} with its date, or correct_fact of what is charted as {later}"
        yield case.finding("DAY-06", Verdict.HOLD, reason, clears=clears, subject=str(first))
    name = str(case.slot)
    said = case.decided.get(name)
    if said is not None and said[1].decision == "omit" and said[1].day == CYCLE_DAYS[0]:
        reason = f"{name} was left out by {said[0].by}: a cycle begins with its day 1"
        clears = f"decide_dose of {name}: give or postpone; or finish_dosing"
        yield case.finding("DAY-06", Verdict.HOLD, reason, clears=clears, subject=name)


def schedule_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """TOO_EARLY before window or spacing allow, DELAYED after the window, and what an interruption for toxicity asks."""
    window = case.window_of(slot)
    if window is None:  # of the first dose, which only a person puts off
        yield from _postponed(case, slot)
        return
    yield from _too_early(case, slot, window)
    yield from interruption_findings(case, slot)
    yield from _late(case, slot, window, _closes_at(case, slot, window))


def _late(case: Case, slot: DoseSlot, window: Window, closes_at: datetime | None) -> Iterator[Finding]:
    """DAY-06: the window has passed and nobody has decided, or the prescriber has (DAY-04 says why it is late)."""
    postponed = list(_postponed(case, slot))
    if postponed:
        yield from postponed
        return
    fact, decision = case.decided.get(str(slot), (None, None))
    if closes_at is None or not case.reading.reached(closes_at):
        return
    if decision is not None and fact is not None and decision.decision == "give":
        reason = f"may be given late, by decision of {fact.by} because of {decision.cause}: {decision.reason}"
        yield case.finding("DAY-04", None, reason)
        return
    reason = f"the window of {slot} ended on {window.last_on}, and nobody has decided"
    if decision is not None and fact is not None and decision.decision == "postpone":
        reason = f"{slot} was postponed to {decision.until} by {fact.by}, past its window; that date has come"
    clears = "decide_dose by the prescriber: give, omit or postpone"
    yield case.finding("DAY-06", Verdict.DELAYED, reason, clears=clears)


def _postponed(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """DAY-06: the prescriber put the dose off to a date that has not come."""
    fact, decision = case.decided.get(str(slot), (None, None))
    if fact is None or decision is None or decision.decision != "postpone" or decision.until is None:
        return
    opens_at = midnight_of(decision.until, case.reading.zone)
    if not case.reading.reached(opens_at):
        reason = f"postponed to {decision.until} by {fact.by}: {decision.reason}"
        clears = f"from {decision.until}, or another decision"
        yield case.finding("DAY-06", Verdict.TOO_EARLY, reason, clears=clears, earliest_at=opens_at)


def _closes_at(case: Case, slot: DoseSlot, window: Window) -> datetime | None:
    """DAY-06: when the window ends. After a short toxicity the dose is given late, until the ladder would drop it."""
    held, limit = case.interruptions.pending, case.protocol.limits.interruption_max
    if window.closes_at is None or held is None or slot not in held.slots:
        return window.closes_at
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


def interruption_findings(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """DUR-01 … DUR-05, NON-03, NON-09: how long the doses are interrupted, and what follows from it."""
    yield from _left_out(case, slot)
    held = case.interruptions.pending
    if held is not None and held.days:
        yield from _interrupted(case, slot, held)
    if case.level_of(slot.cycle) >= BELOW_TWO_DOSES:
        reason = (
            "the doses were reduced by 25 % and to two in a cycle, and toxicity asks for less again; what is computed "
            "is level L2, should the prescriber go on"
        )
        clears = "the prescriber discontinues: there is no level below L2"
        yield case.finding("DUR-04", Verdict.PROPOSE_DISCONTINUE, reason, clears=clears)


def _left_out(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    for dropped in case.interruptions.dropped:
        if dropped.cycle == slot.cycle or (dropped.cycle == slot.cycle - 1 and slot.day == CYCLE_DAYS[0]):
            yield case.finding("DUR-02", None, f"{dropped} is left out: it was held for toxicity", subject=str(dropped))


def _interrupted(case: Case, slot: DoseSlot, held: Interruption) -> Iterator[Finding]:
    """What the length of the interruption means for the dose that is next, and for its level."""
    limits = case.protocol.limits
    until = "" if held.recovered_at is None else f", recovered on {local_date(held.recovered_at, case.reading.zone)}"
    words = f"interrupted for toxicity for {counted(held.days, 'day')} since {held.planned_on}{until}"
    if held.days > limits.interruption_stop.count:
        clears = "the prescriber discontinues, or an override to go on by the prescriber and a second person"
        yield case.finding("DUR-05", Verdict.PROPOSE_DISCONTINUE, words, clears=clears, subject=str(held.first))
    if held.days >= limits.interruption_reduce.count:
        level = min(case.level_of(held.cycle_after), TWO_DOSES)
        rule = "DUR-04" if level == TWO_DOSES else "DUR-03"
        unless = "unless the prescriber decides otherwise, " if _proposes_to_stop(case, slot, held) else ""
        given = f"{unless}cycle {held.cycle_after} is given at level {level_name(level)}"
        yield case.finding(rule, None, f"{words}: {given}")
    else:
        yield case.finding("DUR-02" if held.days >= limits.interruption_max.count else "DUR-01", None, words)
    yield from _not_recovered(case, held)


def _proposes_to_stop(case: Case, slot: DoseSlot, held: Interruption) -> bool:
    """DUR-04 at L2, DUR-05: the level is what remains where the prescriber goes on."""
    too_long = held.days > case.protocol.limits.interruption_stop.count
    return too_long or BELOW_TWO_DOSES in (case.level_of(slot.cycle), case.level_of(held.cycle_after))


def _not_recovered(case: Case, held: Interruption) -> Iterator[Finding]:
    """NON-03, NON-09: liver values that do not come back; said from day 14 on, past day 28 a proposal to stop."""
    limits = case.protocol.limits
    if not liver_holds(case) or held.recovered_at is not None:
        return
    words = f"bilirubin and ALT or AST have not recovered since {held.planned_on}, for {held.days} days"
    if held.days > limits.recovery_max.count:
        clears = "the prescriber discontinues, or an override by the prescriber and a second person"
        yield case.finding("NON-09", Verdict.PROPOSE_DISCONTINUE, words, clears=clears, subject=str(held.first))
    elif held.days >= limits.recovery_alert.count:
        yield case.finding("NON-09", None, words)


def cycle_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """BLOCK_CYCLE: no response after three cycles, cycles before a transplant, number of cycles (DOSE-07 … -09)."""
    yield from _started_with_a_reason(case, slot)
    if slot.day != CYCLE_DAYS[0] or slot.cycle == 1:
        return
    regimen = case.protocol.regimen
    stop_after = regimen.stop_without_response_after.count
    answered, _ = case.response_answered(slot.cycle - 1)
    if slot.cycle > stop_after and answered is Response.NONE and not case.responded_before(slot.cycle):
        reason = f"no CR or CRi within {stop_after} cycles"
        yield case.finding("DOSE-07", Verdict.BLOCK_CYCLE, reason, clears="the prescriber is asked to discontinue")
    if case.transplant_planned:
        yield from _before_transplant(case, slot)
    if slot.cycle > regimen.max_cycles.count:
        reason = f"cycle {slot.cycle}; at most {regimen.max_cycles.shown()}"
        yield case.finding("DOSE-09", Verdict.BLOCK_CYCLE, reason, clears="no further cycle")


def _before_transplant(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    regimen = case.protocol.regimen
    done = slot.cycle - 1
    response, mrd_negative = case.response_answered(done)
    complete = response in COMPLETE and mrd_negative
    at_most = regimen.max_cycles_before_transplant.count
    recommended = regimen.cycles_before_transplant.count
    if done == recommended and response in COMPLETE and mrd_negative is None:
        reason = f"MRD of cycle {done} is not recorded: a further cycle is considered only where it is not negative"
        yield case.finding("DOSE-08", None, reason, clears="record_response with the MRD")
    if done >= at_most or (done >= recommended and complete):
        given = f"a transplant is planned after {counted(done, 'cycle')}"
        why = "CR or CRi with MRD negativity is reached" if complete else f"at most {at_most} come before it"
        yield case.finding(
            "DOSE-08", Verdict.BLOCK_CYCLE, f"{given}: {why}", clears="transplant, or its plan withdrawn"
        )
    asked = asks_for_a_reason(case)
    if asked is not None and slot.cycle > case.cycle:
        yield asked


def asks_for_a_reason(case: Case) -> Finding | None:
    """DOSE-08a: a cycle after a transplant, and more than recommended before a planned one, are started with a reason."""
    cycle, recommended = case.slot_after_all.cycle, case.protocol.regimen.cycles_before_transplant.count
    if case.transplant is not None and not dosed_after_transplant(case):
        on = local_date(case.transplant[1], case.reading.zone)
        words = f"cycle {cycle} after the transplant of {on}: start_next_cycle asks for a reason"
        return case.finding("DOSE-08", None, words)
    if not case.transplant_planned or cycle <= recommended:
        return None
    reason = (
        f"cycle {cycle} before a planned transplant, {recommended} are recommended: start_next_cycle asks for a reason"
    )
    return case.finding("DOSE-08", None, reason)


def _started_with_a_reason(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """DOSE-08a: the reason for which the cycle was started stays on its card."""
    for fact, started in case.reading.of(CycleStarted):
        if started.cycle == slot.cycle and started.reason:
            yield case.finding("DOSE-08", None, f"cycle {slot.cycle} was started by {fact.by}: {started.reason}")
