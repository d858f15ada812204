"""`judge`: whether a message may happen, and which facts follow. A pure function; the same gates as `assess`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from clinical.assess import assess_case
from clinical.chart.calendar import local_date
from clinical.chart.setting_aside import judge_setting_aside, word_on
from clinical.course.case import Case
from clinical.gates.record_gate import not_the_last_word
from clinical.rulings import (
    amendments,
    bedside_rulings,
    call_rulings,
    corrections,
    course_rulings,
    dose_rulings,
    record_rulings,
    second_signatures,
)
from clinical.rulings.commands import Standing, refused
from clinical.rulings.judging import Judged, Judging, Known, nothing_known
from models.assessment import Accepted, Refused, Verdict
from models.base import Frozen
from models.chart import Chart
from models.facts import (
    Cytoreduction,
    Discontinued,
    DosingFinished,
    HoldSet,
    NoTransplantDeclared,
    Premedication,
    ResponseRecorded,
    Transplant,
    TransplantPlanned,
)
from models.messages import (
    AcknowledgeCall,
    AcknowledgeDivergence,
    AgainstTheRecord,
    AmendProtocol,
    AuthoriseDose,
    ChooseDroppedDose,
    ChooseRounding,
    ClinicalFindings,
    CloseCourse,
    CompleteInfusion,
    CorrectFact,
    Countersign,
    DecideDose,
    DeclareNoTransplant,
    Discontinue,
    EndObservation,
    ExtendCycle,
    FinishDosing,
    GiveOverride,
    Hold,
    InterruptInfusion,
    JudgeVod,
    LabResults,
    MachineMessage,
    Message,
    MoveToCurrentBuild,
    PlanTransplant,
    ReadAgain,
    ReconcileRecord,
    RecordAdministration,
    RecordCytoreduction,
    RecordFinding,
    RecordPremedication,
    RecordPreparation,
    RecordResponse,
    RecordTransplant,
    ReleaseHold,
    ReportReaction,
    ResolveUnreadable,
    ResponseAssessed,
    ResumeInfusion,
    SetFactAside,
    SnoozeCall,
    StartInfusion,
    StartNextCycle,
    Statement,
    VerifyDose,
    WithdrawTransplantPlan,
)
from models.people import CLINICAL_ROLES, PHYSICIANS, Role
from models.protocol import Protocol

_PRESCRIBER = frozenset({Role.PRESCRIBER})
_BEDSIDE = frozenset({Role.NURSE, Role.PRESCRIBER})
_CALLED = CLINICAL_ROLES | {Role.COORDINATOR, Role.ADMINISTRATOR}
_REPORTING = CLINICAL_ROLES | {Role.COORDINATOR}

ROLES: dict[str, frozenset[Role]] = {
    LabResults.name: frozenset(Role),
    ClinicalFindings.name: frozenset(Role),
    ResponseAssessed.name: frozenset(Role),
    RecordFinding.name: _REPORTING,
    RecordResponse.name: PHYSICIANS,
    RecordCytoreduction.name: CLINICAL_ROLES,
    RecordPremedication.name: _BEDSIDE,
    RecordPreparation.name: frozenset({Role.PHARMACIST}),
    RecordAdministration.name: CLINICAL_ROLES,
    InterruptInfusion.name: _BEDSIDE,
    CompleteInfusion.name: _BEDSIDE,
    ReportReaction.name: CLINICAL_ROLES,
    EndObservation.name: _BEDSIDE,
    JudgeVod.name: PHYSICIANS,
    RecordTransplant.name: PHYSICIANS,
    CloseCourse.name: CLINICAL_ROLES,
    CorrectFact.name: CLINICAL_ROLES,
    ResolveUnreadable.name: CLINICAL_ROLES,  # it may be a value that holds the dose (LAB-12, LAB-13)
    SetFactAside.name: PHYSICIANS,
    ReadAgain.name: frozenset({Role.ADMINISTRATOR}),
    AuthoriseDose.name: _PRESCRIBER,
    VerifyDose.name: frozenset({Role.PHARMACIST}),
    DecideDose.name: _PRESCRIBER,
    ChooseRounding.name: _PRESCRIBER,
    ChooseDroppedDose.name: _PRESCRIBER,
    StartInfusion.name: _BEDSIDE,
    ResumeInfusion.name: _BEDSIDE,
    Hold.name: CLINICAL_ROLES,
    ReleaseHold.name: _PRESCRIBER,
    GiveOverride.name: _PRESCRIBER,
    Countersign.name: PHYSICIANS | {Role.PHARMACIST},
    ExtendCycle.name: _PRESCRIBER,
    StartNextCycle.name: _PRESCRIBER,
    FinishDosing.name: _PRESCRIBER,
    Discontinue.name: _PRESCRIBER,
    DeclareNoTransplant.name: _PRESCRIBER,
    PlanTransplant.name: _PRESCRIBER,
    WithdrawTransplantPlan.name: _PRESCRIBER,
    AmendProtocol.name: _PRESCRIBER,
    AcknowledgeDivergence.name: _PRESCRIBER,
    AcknowledgeCall.name: _CALLED,
    SnoozeCall.name: _CALLED,
    ReconcileRecord.name: PHYSICIANS | {Role.ADMINISTRATOR},
    MoveToCurrentBuild.name: frozenset({Role.ADMINISTRATOR}),
}
"""Who may send what (design §4)."""


def judge(
    chart: Chart, message: Message, protocol: Protocol, now: datetime, known: Known = nothing_known
) -> Accepted | Refused:
    """Whether this message may happen at `now`: the facts that follow from it, or a refusal with what is missing.

    Statements are refused only for form, role or identity; requests are judged against the assessment. `known` finds
    the protocol that an amendment asks for; without it none can be amended to.
    """
    if isinstance(message, SetFactAside):
        return judge_setting_aside(chart, message, now)
    case = Case(chart, protocol, now)
    return judge_standing(Standing.of(case, assess_case(case)), message, known)


def judge_machine(
    chart: Chart, message: Message, protocol: Protocol, now: datetime, known: Known = nothing_known
) -> Accepted | Refused:
    """The same for a machine's message, which is refused for form, role or identity only: no assessment is made."""
    return judge_standing(Standing(Case(chart, protocol, now), None, None, Verdict.NO_DOSE_DUE, ()), message, known)


def judge_standing(standing: Standing, message: Message, known: Known = nothing_known) -> Accepted | Refused:
    """The ruling on one message where the standing is known already: many messages can be asked of one assessment."""
    refusal = _form(standing.case, message)
    if refusal is not None:
        return refusal
    judging = Judging(message, standing, known)
    judged = _RULINGS[type(message)](judging, cast("Any", message))
    if isinstance(message, AgainstTheRecord) and not isinstance(judged, Refused):
        judged = record_rulings.against_the_record(judging, message, judged)
    if isinstance(message, Statement) and isinstance(judged, Refused):
        judged = not_the_last_word(standing.case, judged)
    return judged if isinstance(judged, Refused) else judging.accepted(judged)


# ── form, role, identity ───────────────────────────────────────────────────────────────────────────────────────────


def _form(case: Case, message: Message) -> Refused | None:
    course = case.course
    if message.course_id is not None and message.course_id != course.course_id:
        return refused("WrongCourse", "this message is for another course")
    if message.by.role not in ROLES[message.name]:
        allowed = ", ".join(sorted(ROLES[message.name]))
        return refused("RoleNotAllowed", f"{message.name} is not for the role {message.by.role}; it is for: {allowed}")
    if _in_the_future(case, message):
        return refused("InTheFuture", f"{message.name}: its time lies in the future")
    if isinstance(message, MachineMessage) and not _of_this_subject(case, message):
        finding = case.finding("IDN-01", None, "the subject of the message is not the subject of this course")
        return refused("SubjectMismatch", "the message is about another subject; no fact was made", (finding,))
    return None


def _in_the_future(case: Case, message: Message) -> bool:
    told = [getattr(message, name, None) for name in ("at", "transplanted_at", "resolved_at", "ended_at")]
    on = getattr(message, "transplanted_on", None)
    latest = case.now + case.protocol.ages.future_tolerance.span
    return any(at is not None and at > latest for at in told) or (
        on is not None and on > local_date(latest, case.reading.zone)
    )


def _of_this_subject(case: Case, message: MachineMessage) -> bool:
    course = case.course
    same_birth = message.birth_hash is None or course.birth_hash is None or message.birth_hash == course.birth_hash
    return message.subject_hash == course.subject_hash and same_birth


def _plain(kind: type[Frozen]) -> Callable[[Judging, Any], Judged]:
    """A message whose fact is what it says, behind the command's gate."""
    return lambda judging, _: judging.gated(kind)


_RULINGS: dict[type[Message], Callable[[Judging, Any], Judged]] = {
    LabResults: lambda _, message: (*message.results, *(message.withdrawn or ())),
    ClinicalFindings: lambda _, message: message.findings,
    ResponseAssessed: course_rulings.response_assessed,
    RecordFinding: course_rulings.finding,
    RecordResponse: _plain(ResponseRecorded),
    RecordCytoreduction: _plain(Cytoreduction),
    RecordPremedication: _plain(Premedication),
    RecordPreparation: bedside_rulings.preparation,
    RecordAdministration: bedside_rulings.administration,
    InterruptInfusion: bedside_rulings.interrupted,
    CompleteInfusion: bedside_rulings.completed,
    ReportReaction: bedside_rulings.reaction,
    EndObservation: bedside_rulings.observation_ended,
    JudgeVod: course_rulings.vod_judged,
    RecordTransplant: _plain(Transplant),
    CloseCourse: course_rulings.closed_course,
    CorrectFact: corrections.correction,
    ResolveUnreadable: corrections.resolved,
    SetFactAside: lambda judging, message: word_on(judging.case.chart, message),
    ReadAgain: corrections.read_again,
    AuthoriseDose: dose_rulings.authorised,
    VerifyDose: dose_rulings.verified,
    DecideDose: dose_rulings.decided,
    ChooseRounding: dose_rulings.rounded,
    ChooseDroppedDose: dose_rulings.dropped,
    StartInfusion: bedside_rulings.started,
    ResumeInfusion: bedside_rulings.resumed,
    Hold: _plain(HoldSet),
    ReleaseHold: course_rulings.released,
    GiveOverride: second_signatures.overridden,
    Countersign: second_signatures.countersigned,
    ExtendCycle: course_rulings.extended,
    StartNextCycle: course_rulings.next_cycle,
    FinishDosing: _plain(DosingFinished),
    Discontinue: _plain(Discontinued),
    PlanTransplant: _plain(TransplantPlanned),
    WithdrawTransplantPlan: course_rulings.plan_withdrawn,
    DeclareNoTransplant: _plain(NoTransplantDeclared),
    AmendProtocol: amendments.amended,
    AcknowledgeDivergence: amendments.acknowledged,
    AcknowledgeCall: call_rulings.acknowledged,
    SnoozeCall: call_rulings.snoozed,
    ReconcileRecord: record_rulings.reconciled,
    MoveToCurrentBuild: course_rulings.moved,
}
