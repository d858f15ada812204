"""Rulings on the course: eligibility and response by role, holds, cycles, transplant, the end, the protocol."""

from clinical.gates.schedule import asks_for_a_reason
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from clinical.vod.alerts import ladder
from models.facts import (
    CourseClosed,
    CycleExtended,
    CycleStarted,
    HoldReleased,
    HoldSet,
    ResponseProposed,
    ResponseRecorded,
    TransplantPlanWithdrawn,
    VodJudged,
)
from models.messages import (
    CloseCourse,
    ExtendCycle,
    JudgeVod,
    MoveToCurrentBuild,
    RecordFinding,
    ReleaseHold,
    ResponseAssessed,
    StartNextCycle,
    WithdrawTransplantPlan,
    share,
)
from models.people import CLINICAL_ROLES, PHYSICIANS, Role


def response_assessed(judging: Judging, message: ResponseAssessed) -> Judged:
    kind = ResponseRecorded if message.by.role in PHYSICIANS else ResponseProposed
    return share(kind, message)


STATED_BY: dict[str, frozenset[Role]] = {
    "eligibility": frozenset({Role.PRESCRIBER}),
    "weight_accepted": frozenset({Role.PRESCRIBER}),
    "result_confirmed": CLINICAL_ROLES,
    **dict.fromkeys(("bilirubin_cause", "toxicity_attribution", "cytopenia_attribution", "risk_accepted"), PHYSICIANS),
}
"""Findings that are a judgement, and who makes it (ELIG-01, BSA-08, NON-10, NON-11, HEM-08, RISK-06, PLAU-01)."""


def finding(judging: Judging, message: RecordFinding) -> Judged:
    """What was seen or measured; a judgement counts only from who may make it."""
    kind = message.finding.kind
    roles = STATED_BY.get(kind, frozenset(Role))
    if message.by.role not in roles:
        return refused("RoleNotAllowed", f"{kind} is stated by: {', '.join(sorted(roles))}")
    return message.finding


def released(judging: Judging, message: ReleaseHold) -> Judged:
    refusal = judging.refusal()
    if refusal is not None:
        return refusal
    released = {r.hold for _, r in judging.case.reading.of(HoldReleased)}
    if message.hold not in {f.id for f, _ in judging.case.reading.of(HoldSet)} - released:
        return refused("NoSuchHold", f"no hold {message.hold} stands")
    return share(HoldReleased, message)


def next_cycle(judging: Judging, message: StartNextCycle) -> Judged:
    refusal, following = judging.refusal(), judging.case.slot_after_all.cycle
    if refusal is None and message.cycle != following:
        return refused("NotTheDoseDue", f"the next cycle is {following}, not {message.cycle}")
    asked = asks_for_a_reason(judging.case)
    if refusal is None and asked is not None and not (message.reason or "").strip():
        return refused("ReasonRequired", f"starting cycle {message.cycle}: {asked.reason}", (asked,))
    return refusal or share(CycleStarted, message)


def extended(judging: Judging, message: ExtendCycle) -> Judged:
    """DOSE-05: cycle 1 takes up to 28 days, for a response reached or to let toxicity recover."""
    refusal = judging.refusal()
    if refusal is not None:
        return refusal
    if message.cycle != 1:
        return refused("NotThisCycle", "only cycle 1 is lengthened (DOSE-05)")
    if message.because == "response" and not judging.case.responded_before(message.cycle + 1):
        return refused("NoResponse", "no CR or CRi is recorded for cycle 1 (DOSE-05)")
    return share(CycleExtended, message)


def vod_judged(judging: Judging, message: JudgeVod) -> Judged:
    """A physician's judgement, bound to what is seen now: a new or worse sign opens it again (VOD-09)."""
    if message.judgement == "excluded" and not message.other_cause:
        return refused("OtherCauseRequired", "VOD is excluded by naming what else explains the signs (VOD-09)")
    found = ladder(judging.case)
    return share(VodJudged, message, covers=found.covers)


def closed_course(judging: Judging, message: CloseCourse) -> Judged:
    """CLOSE-01: a statement; a transfer names who takes over."""
    if message.reason == "transfer" and not message.receiver:
        return refused("ReceiverRequired", "a transfer names who takes over")
    return judging.gated(CourseClosed)


def plan_withdrawn(judging: Judging, message: WithdrawTransplantPlan) -> Judged:
    """The plan is off; what it had blocked opens again (DOSE-08)."""
    return judging.gated(TransplantPlanWithdrawn)


def moved(judging: Judging, message: MoveToCurrentBuild) -> Judged:
    """No fact of the patient: the execution that hears it goes over into a new run under the release that runs now."""
    return judging.refusal() or ()
