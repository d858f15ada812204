"""The eight hours of a reconstituted drug (INF-07, PREP-12): called while something can still be done, and said afterwards."""

from collections.abc import Iterator
from datetime import datetime

from clinical.bedside.amounts import ended, settled
from clinical.bedside.bedside import DISCARD, latest_start, preparation_troubles, standing_authorisation
from clinical.bedside.infusion import clock, expiry
from clinical.course.case import Case
from clinical.dosing.dosing import dose_plan
from clinical.monitoring.due import Due, hashed, obligation
from clinical.treatment.treatment import Dose
from models.assessment import Finding
from models.facts import Fact, InfusionStarted, Preparation
from models.obligation_kinds import ObligationKind


def time_limits(case: Case) -> Iterator[Due]:
    """INF-07: from reconstitution on, that the infusion starts in time and ends in time."""
    for made in open_preparations(case):
        yield _not_started(case, made)
    running = case.running
    limit = None if running is None else expiry(case, running.bag)
    if running is not None and limit is not None:
        title = f"infusion of {running.slot} must end by {clock(case, limit)}, {_after_reconstitution(case)}"
        clears = "complete_infusion; what is left then is discarded"
        called = limit - case.protocol.observation.ends_call_before.span
        kind = ObligationKind.INFUSION_LIMIT
        yield obligation(case, kind, str(running.slot), title, "INF-07", called, limit, clears)


def _not_started(case: Case, made: Preparation) -> Due:
    start_by = latest_start(case, made)
    called = start_by - case.protocol.observation.ends_call_before.span
    title = f"the dose that is made: its infusion must start by {clock(case, start_by)} to end in time"
    signed = standing_authorisation(case, dose_plan(case, case.slot)) if case.slot is not None else None
    clears = f"start the infusion of {made.preparation_id}, or {DISCARD}"
    spoilt = next(
        (t for t in preparation_troubles(case, made, signed) if t.rule == "IDN-02" or t.clears == DISCARD), None
    )
    if signed is None or made.authorisation != signed[0].id:
        title = "the dose that is made cannot be started: no signature stands that it was made under"
        clears = f"discard {made.preparation_id}, for no signature stands that it was made under, and prepare anew"
    elif spoilt is not None:
        title = f"the dose that is made cannot be used: {spoilt.reason}"
        clears = f"discard {made.preparation_id} ({spoilt.rule}), and prepare anew"
    kind = ObligationKind.PREPARATION
    return obligation(case, kind, hashed(made.preparation_id), title, "INF-07", called, start_by, clears)


def open_preparations(case: Case) -> list[Preparation]:
    """Bags that nobody started, and that neither a further bag nor a later dose made idle. A retracted one is discarded."""
    if case.dosing_ended is not None:
        return []
    made = [p for _, p in case.reading.of(Preparation)]
    used = {what.preparation_id for _, what in case.reading.of(InfusionStarted)}
    return [
        p
        for p in made[-1:]
        if p.preparation_id not in used and all(d.started_at < p.reconstituted_at for d in case.doses)
    ]


# ── past it ────────────────────────────────────────────────────────────────────────────────────────────────────────


def ended_late(case: Case, dose: Dose) -> datetime | None:
    """By when an infusion that has ended should have ended, where it ended later."""
    limit = expiry(case, dose.bag)
    return limit if limit is not None and dose.ended_at is not None and dose.ended_at > limit else None


def unanswered_ends(case: Case) -> Iterator[tuple[Dose, Fact, datetime]]:
    """Infusions that ended past the limit and that no physician has looked at: what is left to do is theirs to say."""
    for dose in case.doses:
        limit, end = ended_late(case, dose), ended(case, dose)
        if limit is not None and end is not None and not settled(case, end[0].id):
            yield dose, end[0], limit


def past_the_limit(case: Case) -> Iterator[Finding]:
    """INF-07: an infusion that runs, or ran, past its limit: a deviation that stays on the card."""
    for dose in case.doses:
        limit, late = expiry(case, dose.bag), ended_late(case, dose)
        words = f"infusion of {dose.slot} on {dose.local_on}"
        if late is not None and dose.ended_at is not None:
            when = f"ended at {clock(case, dose.ended_at)}, past {clock(case, late)}"
            reason = f"{words} {when}, {_after_reconstitution(case)}"
            yield case.finding("INF-07", None, reason, subject=f"{dose.slot} limit")
        elif dose.ended_at is None and limit is not None and case.reading.passed(limit):
            reason = f"{words} runs past {clock(case, limit)}, {_after_reconstitution(case)}: end it, discard the rest"
            yield case.finding("INF-07", None, reason, subject=f"{dose.slot} limit")


def _after_reconstitution(case: Case) -> str:
    return f"{case.protocol.preparation.to_end.shown()} after reconstitution"
