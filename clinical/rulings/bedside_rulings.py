"""Rulings at the bedside: preparation, start, interruption, resumption, end, observation, a dose given elsewhere."""

from typing import Any

from clinical.bedside import infusion
from clinical.bedside.bedside import charted_as, preparation_troubles, standing_authorisation
from clinical.bedside.reactions import untreated
from clinical.chart.calendar import local_date
from clinical.monitoring.next_due import said
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from clinical.treatment.reported import no_end_before
from models.base import plain
from models.facts import (
    AdministrationReported,
    InfusionCompleted,
    InfusionInterrupted,
    InfusionResumed,
    InfusionStarted,
    ObservationEnded,
    Preparation,
    Reaction,
)
from models.messages import (
    CompleteInfusion,
    EndObservation,
    InterruptInfusion,
    RecordAdministration,
    RecordPreparation,
    ReportReaction,
    ResumeInfusion,
    StartInfusion,
    share,
)
from models.people import PHYSICIANS

IDENTIFIERS_NEEDED = 2


def preparation(judging: Judging, message: RecordPreparation) -> Judged:
    name = message.preparation_id
    if name in {p.preparation_id for _, p in judging.case.reading.of(Preparation)}:
        instead = f"correct_fact of {charted_as(judging.case, name)} by a pharmacist"
        return refused("PreparationKnown", f"preparation {name} is charted already; {instead} mends it")
    standing = standing_authorisation(judging.case, judging.standing.plan)
    return share(Preparation, message, authorisation=standing[0].id if standing else None)


def administration(judging: Judging, message: RecordAdministration) -> Judged:
    return share(AdministrationReported, message, local_on=local_date(judging.at, judging.case.reading.zone))


def started(judging: Judging, message: StartInfusion) -> Judged:
    refusal, plan = judging.refusal_of_dose(message), judging.standing.plan
    if refusal is not None or plan is None:
        return refusal or refused("DoseGateClosed", "the dose cannot be computed", judging.standing.in_the_way)
    if len({i.strip().lower() for i in message.identifiers_checked}) < IDENTIFIERS_NEEDED:
        finding = judging.case.finding("IDN-02", None, "fewer than two identifiers were checked at the bedside")
        return refused("IdentityNotChecked", "two different identifiers are checked at the bedside", (finding,))
    troubles = _preparation_troubles(judging, message)
    if troubles:
        return refused("PreparationNotUsable", f"the start is refused: {troubles[0].reason}", troubles)
    local_on = local_date(judging.case.now, judging.case.reading.zone)
    return share(InfusionStarted, message, mg=plan.mg, level=plan.level, local_on=local_on)


def _preparation_troubles(judging: Judging, message: StartInfusion) -> tuple[Any, ...]:
    charted = [p for _, p in judging.case.reading.of(Preparation) if p.preparation_id == message.preparation_id]
    if not charted:
        reason = f"preparation {message.preparation_id} is not charted"
        return (judging.case.finding("IDN-02", None, reason, clears="record_preparation"),)
    authorisation = standing_authorisation(judging.case, judging.standing.plan)
    return tuple(preparation_troubles(judging.case, charted[-1], authorisation))


def completed(judging: Judging, message: CompleteInfusion) -> Judged:
    refusal = judging.refusal()
    if refusal is not None:
        return refusal
    running = judging.case.running
    if running is not None and judging.at < running.started_at:
        return refused("BeforeItsStart", "the infusion cannot end before it started")
    still = infusion.interrupted(judging.case)
    discarded = message.stopped_early or message.given_mg is not None
    # Whether anybody let it go on, and whether the rest ran in or was discarded, is asked about and never supposed (INF-07).
    if still is None or still.by_reaction or not discarded:
        return share(InfusionCompleted, message)
    given = message.given_mg if message.given_mg is not None else still.given_mg  # the rest is discarded (INF-05)
    return share(InfusionCompleted, message, stopped_early=True, given_mg=given)


def observation_ended(judging: Judging, message: EndObservation) -> Judged:
    refusal, dose = judging.refusal(), judging.case.in_observation
    if refusal is not None or dose is None or dose.ended_at is None:
        return refusal or refused("NoObservation", "no observation is open")
    if judging.at < dose.ended_at:
        return refused("BeforeItsStart", "observation cannot end before the infusion did")
    complete = judging.at >= dose.ended_at + judging.case.protocol.observation.minimum.span
    minutes = int((judging.at - dose.ended_at).total_seconds() // 60)
    if not complete and not message.note:
        return refused("NoteRequired", f"observation broken off after {minutes} min needs a note (INF-04)")
    return ObservationEnded(minutes=minutes, complete=complete, note=message.note)


def interrupted(judging: Judging, message: InterruptInfusion) -> Judged:
    """A statement: the infusion stands still since `at`; the clock of the preparation runs on (INF-05)."""
    refusal, running = judging.refusal(), judging.case.running
    if refusal is None and running is not None and judging.at < running.started_at:
        return refused("BeforeItsStart", "the infusion cannot stand still before it started")
    return refusal or share(InfusionInterrupted, message)


def resumed(judging: Judging, message: ResumeInfusion) -> Judged:
    """INF-06: it goes on only if the rest, at this rate, ends within 8 h of reconstitution; else it is discarded.

    IRR: after a reaction of grade 2 once its treatment is charted, or on a prescriber's word.
    """
    refusal, still = judging.refusal(), infusion.interrupted(judging.case)
    if refusal is not None or still is None:
        return refusal or refused("NothingInterrupted", "no infusion stands still")
    missing = untreated(judging.case)
    if missing and message.by.role not in PHYSICIANS:
        notes = tuple(f for f in judging.standing.findings if f.rule == "NON-04")
        return refused("ReactionNotTreated", f"not charted since the reaction: {', '.join(missing)}", notes)
    full = judging.case.protocol.preparation.rate
    if not 0 < message.rate_ml_per_h <= full.number:
        return refused("RateTooHigh", f"the rate is above 0 and at most {full.shown()}")
    latest = still.last_resumption(message.rate_ml_per_h)
    if latest is None or judging.case.now > latest:
        rest = f"{still.remaining_ml:.1f} mL at {plain(message.rate_ml_per_h)} mL/h"
        when = "the preparation is not charted"
        if latest is not None:
            when = f"it had to go on by {latest.astimezone(judging.case.reading.zone):%H:%M:%S} local time"
        expiry = judging.case.protocol.preparation.to_end.shown()
        reason = f"{rest} would end later than {expiry} after reconstitution: {when}"
        finding = judging.case.finding("INF-06", None, reason, clears=f"discard the rest: {infusion.DISCARDING}")
        return refused("DrugWouldExpire", f"the infusion cannot go on: {reason}", (finding,))
    return share(InfusionResumed, message, remaining_ml=still.remaining_ml)


def reaction(judging: Judging, message: ReportReaction) -> Judged:
    """A statement; an end of before the reaction, or of before its infusion, is certainly wrong (NON-04)."""
    known = next((r for r in judging.case.reactions if r.reaction_id == message.reaction_id), None)
    starts = [dose.started_at for dose in judging.case.doses]
    earliest = no_end_before(known, starts, judging.at, None if message.at is None else judging.at)
    if message.resolved_at is not None and earliest is not None and message.resolved_at < earliest:
        seen = said(judging.case, earliest)
        when = f"the reaction cannot have ended before {seen}: `at` says when it was first seen"
        if known is not None and known.came_back is not None:
            when = f"the reaction came back {seen}, and cannot have ended before; correct_fact if it did not come back"
        return refused("BeforeItsStart", when)
    return judging.gated(Reaction)
