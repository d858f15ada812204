"""Whose turn it is: for every state one role and what it is asked to do. An administrator reads it, nobody guesses."""

from collections.abc import Iterator
from datetime import datetime

from clinical.bedside.bedside import standing_authorisation, vital_signs_before
from clinical.bedside.infusion import DISCARDING, first_act
from clinical.bedside.reactions import untreated
from clinical.chart.calendar import MINUTE
from clinical.course.case import Case
from models.assessment import CourseState, DosePlan, Finding, Turn, Verdict
from models.facts import Preparation
from models.messages import CorrectFact, RecordPreparation, ResolveUnreadable
from models.people import Role

BY_STATE: dict[CourseState, tuple[Role, str]] = {
    CourseState.SCREENING: (Role.PHYSICIAN, "record consent, eligibility and the baseline"),
    CourseState.CYTOREDUCTION: (Role.PRESCRIBER, "reduce the blasts before the first dose"),
    CourseState.LABS: (Role.COORDINATOR, "bring in the results and examinations that are missing"),
    CourseState.DOSE_ADJUSTMENT: (Role.PRESCRIBER, "authorise the dose"),
    CourseState.PREMEDICATION: (Role.NURSE, "premedicate, then start the infusion"),
    CourseState.INFUSION: (Role.NURSE, "watch the infusion and chart its end"),
    CourseState.INFUSION_INTERRUPTED: (Role.PHYSICIAN, "decide whether the infusion goes on"),
    CourseState.OBSERVATION: (Role.NURSE, "observe to the end of the hour"),
    CourseState.REACTION: (Role.PHYSICIAN, "treat the reaction, and chart its end"),
    CourseState.HELD: (Role.PRESCRIBER, "look at what holds the dose"),
    CourseState.BETWEEN_DOSES: (Role.COORDINATOR, "wait for the next window"),
    CourseState.DOSE_OMITTED: (Role.COORDINATOR, "wait for the window of the dose after the one left out"),
    CourseState.CYCLE_REVIEW: (Role.PRESCRIBER, "review the cycle: response, next cycle or end of dosing"),
    CourseState.CORRECTION_REVIEW: (Role.PRESCRIBER, "confirm with a second physician what was corrected"),
    CourseState.DISCONTINUED: (Role.PRESCRIBER, "nothing more is given; monitoring begins"),
    CourseState.LIVER_MONITORING: (Role.COORDINATOR, "see that the liver tests come"),
    CourseState.COMPLETED: (Role.COORDINATOR, "nothing; the course is over"),
    CourseState.CLOSED: (Role.COORDINATOR, "nothing; the course is closed"),
}


WITHOUT_A_PHYSICIAN = frozenset({CourseState.INFUSION, CourseState.OBSERVATION, CourseState.LIVER_MONITORING})
"""States that somebody else watches while nothing is urgent."""

UNDER_WAY = frozenset({CourseState.INFUSION, CourseState.INFUSION_INTERRUPTED})

PREMEDICATION = "PRE-07"
PREPARATION = frozenset({"IDN-02", "PREP-03", "PREP-04", "PREP-11", "PREP-12", "VIAL-01"})
EARLIER_START = "DAY-03"
"""The rules that say what is missing before a start, by whose turn it is."""


def turns_of(
    case: Case, state: CourseState, verdict: Verdict, plan: DosePlan | None, findings: tuple[Finding, ...]
) -> tuple[Turn, ...]:
    """Who must act now, and what is asked; several at a time where each can begin at once.

    An urgent finding calls a physician, whoever watches the course else.
    """
    urgent = any(f.verdict is Verdict.HOLD_URGENT for f in findings)
    if urgent and state in WITHOUT_A_PHYSICIAN:
        return (Turn(owner=Role.PHYSICIAN, action="look at the patient now"),)
    if state is CourseState.REACTION or (state in UNDER_WAY and (first_act(case) or case.stopped_for_good)):
        return tuple(_at_the_chair(case, state))
    if state is CourseState.INFUSION_INTERRUPTED and not any(f.verdict is not None for f in findings):
        return tuple(_standing_still(case))
    if state is CourseState.DOSE_ADJUSTMENT and standing_authorisation(case, plan) is not None:
        return (Turn(owner=Role.PHARMACIST, action="check the dose that was authorised"),)
    if state is CourseState.PREMEDICATION:
        return tuple(_before_the_start(case, verdict, findings))
    if state is CourseState.CORRECTION_REVIEW:
        return tuple(_confirming(case))
    if state in (CourseState.LABS, CourseState.SCREENING):
        return tuple(_bringing_in(state, findings))
    owner, action = BY_STATE[state]
    return tuple(_second_signatures(verdict, findings, Turn(owner=owner, action=action)))


def _bringing_in(state: CourseState, findings: tuple[Finding, ...]) -> Iterator[Turn]:
    """What came and cannot be read is a physician's to settle (LAB-05, LAB-12, LAB-13); what never came is brought in."""
    needed = [f for f in findings if f.verdict is Verdict.NEED_DATA]
    unread = [f for f in needed if ResolveUnreadable.name in (f.clears or "")]
    owner, action = BY_STATE[state]
    settling = "say what it is that could not be read, or dismiss it"
    if unread and owner is Role.PHYSICIAN and len(unread) < len(needed):
        yield Turn(owner=owner, action=f"{settling}; {action}")
        return
    if unread:
        yield Turn(
            owner=Role.PHYSICIAN, action=settling, clears="; ".join(dict.fromkeys(f.clears or "" for f in unread))
        )
    if len(unread) < len(needed) or not needed:
        yield Turn(owner=owner, action=action)


def _at_the_chair(case: Case, state: CourseState) -> Iterator[Turn]:
    """CALL-01, IRR-04: physician and nurse both, and whoever is nearer stops the infusion first."""
    act = first_act(case)
    further = [_to_the_reaction(case)] if state is CourseState.REACTION else []
    if act and not further and not case.stopped_for_good:
        further = ["decide whether it goes on"]
    if act or further:
        yield Turn(owner=Role.PHYSICIAN, action=", ".join([act, *further] if act else further))
    if act:
        yield Turn(owner=Role.NURSE, action=f"{act}, and chart what the pump shows", clears="interrupt_infusion")
    elif case.running is not None and case.stopped_for_good:
        ended = "chart the end of the infusion, which was stopped for good"
        yield Turn(owner=Role.NURSE, action=ended, clears=f"{DISCARDING}: the rest is discarded")
    else:
        yield Turn(
            owner=Role.NURSE, action="watch the patient, and report how the reaction goes on", clears="report_reaction"
        )


def _standing_still(case: Case) -> Iterator[Turn]:
    """IRR, IRR-04: after a reaction the nurse lets it go on, from grade 2 on once it was treated; else a physician decides."""
    missing = " and ".join(untreated(case))
    last = case.last_dose
    if missing:
        charting = f"chart {missing} once given, then let the infusion go on"
        yield Turn(owner=Role.NURSE, action=charting, clears="record_premedication, then resume_infusion")
        without = f"decide whether the infusion goes on without {missing}"
        yield Turn(owner=Role.PRESCRIBER, action=without, clears="resume_infusion")
    elif last is not None and any(r.began_at >= last.started_at for r in case.reactions):
        going_on = "let the infusion go on, or discard the rest"
        yield Turn(owner=Role.NURSE, action=going_on, clears=f"resume_infusion, or {DISCARDING}")
    else:
        owner, action = BY_STATE[CourseState.INFUSION_INTERRUPTED]
        yield Turn(owner=owner, action=action)


def _to_the_reaction(case: Case) -> str:
    """What nobody has said of it yet."""
    running = case.reaction_running
    if case.ungraded_reaction is None and case.reaction_come_back is None:
        return "treat the reaction, and chart its end"
    if running is None or running.resolved_at is not None:
        return "give the grade of the reaction"
    return "treat the reaction, give its grade, and chart its end"


def _before_the_start(case: Case, verdict: Verdict, findings: tuple[Finding, ...]) -> Iterator[Turn]:
    """The preparation is the pharmacist's, premedication the nurse's, a reason the prescriber's; then the nurse starts."""
    left = [f for f in findings if f.verdict is None and f.clears is not None and f.overridden is None]
    given = [f.earliest_at for f in left if f.rule == PREMEDICATION and f.earliest_at is not None]
    missing = [f for f in left if f.rule == PREMEDICATION and f.earliest_at is None]
    some = len(missing) < len(case.protocol.premedication.classes.words)
    premedicate = f"premedicate: {', '.join(f.subject for f in missing)}" if some else "premedicate"
    preparing = [f for f in left if f.rule in PREPARATION]
    asked = (
        (Role.NURSE, premedicate, missing),
        (Role.PHARMACIST, _prepare(case, preparing), preparing),
        (Role.PRESCRIBER, "give the reason for the earlier start", [f for f in left if f.rule == EARLIER_START]),
    )
    found = [
        Turn(owner=owner, action=action, clears="; ".join(f.clears or "" for f in those))
        for owner, action, those in asked
        if those
    ]
    signs = "" if vital_signs_before(case) is None else "take the vital signs, "
    start = Turn(
        owner=Role.NURSE, action=f"{signs}{'then ' if signs else ''}start the infusion", clears="start_infusion"
    )
    if given and not missing:
        wait = f"wait until {_clock(case, max(given))}{' and for the preparation' if preparing else ''}"
        found.append(start.model_copy(update={"action": f"{signs}{wait}, then start the infusion"}))
    yield from [start] if verdict is Verdict.MAY_START or not found else found


def _prepare(case: Case, troubles: list[Finding]) -> str:
    """What only was charted amiss is corrected (PREP-11); one that is no good is made anew, and it is said why."""
    spoilt = [f for f in troubles if not (f.clears or "").startswith((CorrectFact.name, RecordPreparation.name))]
    if spoilt:
        why, named = spoilt[0].reason, [made.preparation_id for _, made in case.reading.of(Preparation)]
        if any(name in why for name in named):  # what somebody named stays on the card
            why = "the one that is made belongs to no signature that stands"
        return f"prepare the dose anew: {why}"
    amiss = troubles and all((f.clears or "").startswith(CorrectFact.name) for f in troubles)
    return "correct what is charted of the preparation" if amiss else "prepare the dose"


def _clock(case: Case, at: datetime) -> str:
    """The first full minute that is not before this instant, by the clock of the site."""
    there = at.astimezone(case.reading.zone)
    return f"{there if there == there.replace(second=0, microsecond=0) else there + MINUTE:%H:%M}"


def _confirming(case: Case) -> Iterator[Turn]:
    """COR-02: the prescriber and a second physician; whoever has confirmed already is not asked again."""
    for review in case.reviews:
        action = "confirm as one of two what was corrected"
        said = {by.role for by in review.confirmed_by}
        if Role.PRESCRIBER not in said:
            yield Turn(owner=Role.PRESCRIBER, action=action, clears=review.clears)
        if not said or said == {Role.PRESCRIBER}:
            yield Turn(owner=Role.PHYSICIAN, action=action, clears=review.clears)
        return


def _second_signatures(verdict: Verdict, findings: tuple[Finding, ...], otherwise: Turn) -> Iterator[Turn]:
    """OVR-02: an override that waits for its second signature is the turn of those who can give it."""
    asking = [f for f in findings if f.verdict is verdict]
    waiting = [f for f in findings if f.verdict is not None and f.countersign is not None]
    if not waiting or any(f.countersign is None for f in asking):
        yield otherwise
    names = ", ".join(dict.fromkeys(f.countersign or "" for f in waiting))
    for role in (Role.PHYSICIAN, Role.PHARMACIST) if waiting else ():
        action = f"sign as the second person, or not: {waiting[0].rule} is set aside by the prescriber"
        yield Turn(owner=role, action=action, clears=f"countersign {names} by another person than who gave it")
