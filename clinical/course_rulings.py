"""Rulings on the course: eligibility and response by role, holds, cycles, transplant, the end, the protocol."""

from clinical.commands import refused
from clinical.judging import Judged, Judging
from models.facts import (
    CourseClosed,
    CycleExtended,
    CycleStarted,
    DivergenceAcknowledged,
    Eligibility,
    HoldReleased,
    HoldSet,
    ProtocolAmended,
    ResponseProposed,
    ResponseRecorded,
    TransplantPlanWithdrawn,
    VodJudged,
)
from models.messages import (
    AcknowledgeDivergence,
    AmendProtocol,
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
from models.people import PHYSICIANS, Role


def response_assessed(judging: Judging, message: ResponseAssessed) -> Judged:
    kind = ResponseRecorded if message.by.role in PHYSICIANS else ResponseProposed
    return share(kind, message)


def finding(judging: Judging, message: RecordFinding) -> Judged:
    if isinstance(message.finding, Eligibility) and message.by.role is not Role.PRESCRIBER:
        return refused("RoleNotAllowed", "eligibility is stated by the prescriber (ELIG-01)")
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
    return refusal or CycleStarted(cycle=message.cycle)


def extended(judging: Judging, message: ExtendCycle) -> Judged:
    return judging.gated(CycleExtended)


def vod_judged(judging: Judging, message: JudgeVod) -> Judged:
    return judging.gated(VodJudged)


def closed_course(judging: Judging, message: CloseCourse) -> Judged:
    return judging.gated(CourseClosed)


def plan_withdrawn(judging: Judging, message: WithdrawTransplantPlan) -> Judged:
    return judging.gated(TransplantPlanWithdrawn)


def amended(judging: Judging, message: AmendProtocol) -> Judged:
    return judging.gated(ProtocolAmended)


def acknowledged(judging: Judging, message: AcknowledgeDivergence) -> Judged:
    return judging.gated(DivergenceAcknowledged)


def moved(judging: Judging, message: MoveToCurrentBuild) -> Judged:
    return ()
