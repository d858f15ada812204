"""Doses that happened outside the rules: charted and counted, never refused, and said on every card with their reason.

DAY-07 is about when, where and how often a dose was given; DEV-01 about what stood against it.
"""

from collections.abc import Iterator
from datetime import time
from itertools import chain

from clinical.bedside.amounts import Given, given_doses
from clinical.bedside.reactions import reactions
from clinical.chart.calendar import wall_clock
from clinical.chart.once import once
from clinical.course.case import Case
from clinical.gates.overrides import with_overrides
from clinical.treatment.treatment import Dose
from clinical.treatment.windows import Window
from clinical.verdict.dose_gate import holding_gate
from clinical.vod.alerts import suspicion
from models.assessment import Finding, Verdict
from models.base import counted, plain
from models.facts import CYCLE_DAYS, AdministrationReported, DoseDecided

HELD = frozenset({Verdict.DISCONTINUED, Verdict.HOLD_URGENT, Verdict.PROPOSE_DISCONTINUE, Verdict.HOLD})
NO_REASON = "no reason is charted"


def deviations(case: Case) -> Iterator[Finding]:
    """DAY-07: outside its window, late by decision, before its hour, of another site, twice. DEV-01: held, or stopped."""
    earlier: list[Dose] = []
    for given in given_doses(case):
        dose = given.dose
        when = [*_when(case, dose, earlier), *_where(case, dose), *_again(dose, earlier)]
        against = [*_after_the_stop(case, dose), *_held(case, dose), *_more_than_its_dose(given)]
        for rule, troubles in (("DAY-07", when), ("DEV-01", against)):
            if troubles:
                yield case.finding(rule, None, f"{dose.slot} on {dose.local_on}: {'; '.join(troubles)}")
        earlier.append(dose)


# ── when ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _when(case: Case, dose: Dose, earlier: list[Dose]) -> Iterator[str]:
    if not earlier:
        return
    gap, last = case.protocol.regimen.min_gap.count, max(earlier, key=lambda e: e.local_on)
    days = (dose.local_on - last.local_on).days
    if days < gap:
        yield f"{counted(days, 'day')} after the dose before, at least {gap}"
    window = case.window_of(dose.slot)
    if window is None or any(e.slot == dose.slot for e in earlier):
        return
    if days >= gap and dose.local_on < window.opens_on:
        yield f"before its window, which opened on {window.opens_on}: {_decided(case, dose) or NO_REASON}"
    elif days == gap and dose.slot.day != CYCLE_DAYS[0] and _clock(case, dose) < _clock(case, last):
        yield f"before its hour on the sixth day after the last dose: {_earlier_start(case, dose)}"
    yield from _late(case, dose, window)


def _clock(case: Case, dose: Dose) -> time:
    return wall_clock(dose.started_at, case.reading.zone)


def _late(case: Case, dose: Dose, window: Window) -> Iterator[str]:
    """DAY-04, AMB-05: after its own window, also where six days after a late dose moved that."""
    if window.due_by is None or dose.local_on <= window.due_by:
        return
    reason = _decided(case, dose) or _toxicity(case, dose)
    if reason is None:
        moved = window.last_on is not None and dose.local_on <= window.last_on
        reason = "six days after a late dose" if moved else NO_REASON
    yield f"{counted((dose.local_on - window.due_by).days, 'day')} after its window, which ended on {window.due_by}: {reason}"


def _decided(case: Case, dose: Dose) -> str | None:
    """The prescriber's last decision on this dose that was known when it began, or was told with it."""
    slot = (dose.slot.cycle, dose.slot.day)
    said = [(f, d) for f, d in case.reading.of(DoseDecided) if (d.cycle, d.day) == slot and f.at <= dose.started_at]
    if not said:
        return None
    fact, decision = said[-1]
    return f"by decision of {fact.by} ({decision.decision}), because of {decision.cause}: {decision.reason}"


def _toxicity(case: Case, dose: Dose) -> str | None:
    return "held for toxicity" if any(dose.slot in held.slots for held in case.interruptions.found) else None


def _earlier_start(case: Case, dose: Dose) -> str:
    signed = case.signed_for(dose)
    return (signed[-1].earlier_start_reason if signed else None) or NO_REASON


# ── where, and how often ───────────────────────────────────────────────────────────────────────────────────────────


def _where(case: Case, dose: Dose) -> Iterator[str]:
    if dose.reported:
        told = next(what for fact, what in case.reading.of(AdministrationReported) if fact.id == dose.fact)
        yield f"given outside this service{f', {told.where}' if told.where else ''}"


def _again(dose: Dose, earlier: list[Dose]) -> Iterator[str]:
    if any(e.slot == dose.slot for e in earlier):
        yield "this dose was given before"


# ── what stood against it (DEV-01) ─────────────────────────────────────────────────────────────────────────────────


def _after_the_stop(case: Case, dose: Dose) -> Iterator[str]:
    stop = case.dosing_ended if case.stopped_for_good else None
    if stop is not None and dose.started_at > stop.at:
        yield "given after the drug was stopped for good"


def _more_than_its_dose(given: Given) -> Iterator[str]:
    if given.mg is not None and given.most is not None and given.mg > given.most:
        at_most = "at most " if given.dose.reported else ""
        yield f"more was given than its dose: {plain(given.mg)} of {at_most}{plain(given.most)} mg"


def _held(case: Case, dose: Dose) -> Iterator[str]:
    """Held when it began, as far as was known here then. A dose that was signed and started here had passed its gate.

    Asked of doses of elsewhere, and of one without a signature (charted by hand) while it is the last.
    """
    if dose.reported or (dose == case.last_dose and not case.signed_for(dose)):
        yield from (f"it was held by {rule}: {reason}" for rule, reason in _standing_at(case, dose))


@once
def _standing_at(case: Case, dose: Dose) -> tuple[tuple[str, str], ...]:
    """The rules that held this dose when it began, with their reasons.

    It rests on no further fact, though it reads all that were told before the dose: what is told later is none of them.
    """
    told = case.reading.told
    place = next((i for i, fact in enumerate(told.all_facts) if fact.id == dose.fact), len(told.all_facts))
    known = tuple(fact for fact in told.all_facts[:place] if fact.recorded_at <= dose.started_at)
    then = Case(told.beginning(known, case.protocol), case.protocol, dose.started_at)
    found = chain(suspicion(then), reactions(then), holding_gate(then, dose.slot))
    return tuple((f.rule, f.reason) for f in with_overrides(then, dose.slot, found) if f.verdict in HELD)
