"""`judge`: whether a message may happen, and which facts follow. A pure function; the same gates as `assess`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from clinical.assess import assess_case
from clinical.bedside import preparation_troubles, standing_authorisation
from clinical.calendar import local_date
from clinical.case import Case
from clinical.commands import Standing, gate, refused
from models.assessment import Accepted, Assessment, Refused
from models.base import Frozen, plain
from models.chart import Chart
from models.facts import (
    AdministrationReported,
    Correction,
    CycleStarted,
    Cytoreduction,
    Discontinued,
    DoseAuthorised,
    DoseSlot,
    DoseVerified,
    DosingFinished,
    Eligibility,
    Fact,
    HoldReleased,
    HoldSet,
    InfusionCompleted,
    InfusionStarted,
    LabResult,
    NoTransplantDeclared,
    ObservationEnded,
    Premedication,
    Preparation,
    Reaction,
    ResponseProposed,
    ResponseRecorded,
    Transplant,
    TransplantPlanned,
    UnreadableResolved,
)
from models.messages import (
    AuthoriseDose,
    ClinicalFindings,
    CompleteInfusion,
    CorrectFact,
    DeclareNoTransplant,
    Discontinue,
    EndObservation,
    FinishDosing,
    Hold,
    LabResults,
    MachineMessage,
    Message,
    PlanTransplant,
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
    StartInfusion,
    StartNextCycle,
    VerifyDose,
    share,
)
from models.people import CLINICAL_ROLES, PHYSICIANS, Role
from models.protocol import Protocol

IDENTIFIERS_NEEDED = 2
NEVER_CORRECTED = frozenset({"rung_fired", "obligation_met", "monitoring_started", "correction", "unreadable_message"})
WITHDRAWN_ELSEWHERE = frozenset({"dose_authorised", "dose_verified", "hold", "hold_released", "cycle_started"})

_PRESCRIBER = frozenset({Role.PRESCRIBER})
_BEDSIDE = frozenset({Role.NURSE, Role.PRESCRIBER})
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
    CompleteInfusion.name: _BEDSIDE,
    ReportReaction.name: CLINICAL_ROLES,
    EndObservation.name: _BEDSIDE,
    RecordTransplant.name: PHYSICIANS,
    CorrectFact.name: CLINICAL_ROLES,
    ResolveUnreadable.name: _REPORTING,
    AuthoriseDose.name: _PRESCRIBER,
    VerifyDose.name: frozenset({Role.PHARMACIST}),
    StartInfusion.name: _BEDSIDE,
    Hold.name: CLINICAL_ROLES,
    ReleaseHold.name: _PRESCRIBER,
    StartNextCycle.name: _PRESCRIBER,
    FinishDosing.name: _PRESCRIBER,
    Discontinue.name: _PRESCRIBER,
    DeclareNoTransplant.name: _PRESCRIBER,
    PlanTransplant.name: _PRESCRIBER,
}
"""Who may send what (design §4)."""

CORRECTING: dict[str, frozenset[Role]] = {
    "eligibility": _PRESCRIBER,
    "response": PHYSICIANS,
    "transplant": PHYSICIANS,
    "preparation": frozenset({Role.PHARMACIST}),
    **dict.fromkeys(("dosing_finished", "discontinued", "no_transplant", "transplant_planned"), _PRESCRIBER),
}
"""Who may correct a fact that not every clinical role may record."""


def judge(chart: Chart, message: Message, protocol: Protocol, now: datetime) -> Accepted | Refused:
    """Whether this message may happen at `now`: the facts that follow from it, or a refusal with what is missing.

    Statements are refused only for form, role or identity; requests are judged against the assessment.
    """
    case = Case(chart, protocol, now)
    refusal = _form(case, message)
    if refusal is not None:
        return refusal
    assessment = assess_case(case)
    standing = Standing(case, case.slot, assessment.dose, assessment.verdict, assessment.findings)
    return _Judging(message, standing, assessment).ruling()


# ── form, role, identity ───────────────────────────────────────────────────────────────────────────────────────────


def _form(case: Case, message: Message) -> Refused | None:
    course = case.chart.course
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
    course = case.chart.course
    same_birth = message.birth_hash is None or course.birth_hash is None or message.birth_hash == course.birth_hash
    return message.subject_hash == course.subject_hash and same_birth


# ── facts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Judging:
    """One message judged in one standing."""

    def __init__(self, message: Message, standing: Standing, assessment: Assessment) -> None:
        self.message = message
        self.standing = standing
        self.case = standing.case
        self.assessment = assessment

    def ruling(self) -> Accepted | Refused:
        judged = _RULINGS[type(self.message)](self, cast("Any", self.message))
        if isinstance(judged, Refused):
            return judged
        bodies = judged if isinstance(judged, tuple) else (judged,)
        return Accepted(facts=tuple(self._fact(i, body) for i, body in enumerate(bodies)))

    def _fact(self, index: int, body: Frozen) -> Fact:
        return Fact(
            id=f"{self.message.id}/{index}",
            by=self.message.by,
            at=self._true_at(body),
            recorded_at=self.case.now,
            message=self.message.id,
            what=cast("Any", body),
        )

    @property
    def at(self) -> datetime:
        """When the message says that it was true; without it, now. A clock that runs ahead does not make time pass."""
        return min(self.message.at or self.case.now, self.case.now)

    def _true_at(self, body: Frozen) -> datetime:
        if isinstance(body, LabResult) and body.collected_at is not None:
            return body.collected_at
        if isinstance(body, Transplant) and body.transplanted_at is not None:
            return body.transplanted_at
        if isinstance(body, InfusionStarted):
            return self.case.now  # judged now, so it starts now
        if isinstance(body, Correction) and body.replacement is not None and self.message.at is None:
            return next(f.at for f in self.case.reading.facts if f.id == body.target)  # what was wrong, not when
        return self.at

    # machines

    def lab_results(self, message: LabResults) -> tuple[Frozen, ...]:
        return message.results

    def clinical_findings(self, message: ClinicalFindings) -> tuple[Frozen, ...]:
        return message.findings

    def response_assessed(self, message: ResponseAssessed) -> Frozen:
        kind = ResponseRecorded if message.by.role in PHYSICIANS else ResponseProposed
        return share(kind, message)

    # statements

    def finding(self, message: RecordFinding) -> Frozen | Refused:
        if isinstance(message.finding, Eligibility) and message.by.role is not Role.PRESCRIBER:
            return refused("RoleNotAllowed", "eligibility is stated by the prescriber (ELIG-01)")
        return message.finding

    def preparation(self, message: RecordPreparation) -> Frozen | Refused:
        known = {p.preparation_id for _, p in self.case.reading.of(Preparation)}
        if message.preparation_id in known:
            return refused(
                "PreparationKnown", f"preparation {message.preparation_id} is charted already; correct it instead"
            )
        standing = standing_authorisation(self.case, self.standing.plan)
        return share(Preparation, message, authorisation=standing[0].id if standing else None)

    def administration(self, message: RecordAdministration) -> Frozen:
        return share(AdministrationReported, message, local_on=local_date(self.at, self.case.reading.zone))

    def completed(self, message: CompleteInfusion) -> Frozen | Refused:
        refusal = gate(message.name, self.standing)
        if refusal is not None:
            return refusal
        running = self.case.running
        if running is not None and self.at < running.started_at:
            return refused("BeforeItsStart", "the infusion cannot end before it started")
        return share(InfusionCompleted, message)

    def observation_ended(self, message: EndObservation) -> Frozen | Refused:
        refusal, dose = gate(message.name, self.standing), self.case.in_observation
        if refusal is not None or dose is None or dose.ended_at is None:
            return refusal or refused("NoObservation", "no observation is open")
        if self.at < dose.ended_at:
            return refused("BeforeItsStart", "observation cannot end before the infusion did")
        complete = self.at >= dose.ended_at + self.case.protocol.observation.minimum.span
        minutes = int((self.at - dose.ended_at).total_seconds() // 60)
        if not complete and not message.note:
            return refused("NoteRequired", f"observation broken off after {minutes} min needs a note (INF-04)")
        return ObservationEnded(minutes=minutes, complete=complete, note=message.note)

    def correction(self, message: CorrectFact) -> Frozen | Refused:
        target = next((f for f in self.case.reading.facts if f.id == message.target), None)
        if target is None:
            return refused("NoSuchFact", f"no fact {message.target} stands in this chart")
        kind = target.what.kind
        if kind in NEVER_CORRECTED or kind in WITHDRAWN_ELSEWHERE:
            return refused(
                "NotCorrectable", f"a fact of kind {kind} is not corrected; use the command that withdraws it"
            )
        if message.by.role not in CORRECTING.get(kind, CLINICAL_ROLES):
            allowed = ", ".join(sorted(CORRECTING[kind]))
            return refused("RoleNotAllowed", f"a {kind} is corrected by who may record it: {allowed}")
        if message.replacement is not None and message.replacement.kind != kind:
            return refused("NotCorrectable", f"a {message.replacement.kind} cannot stand in place of a {kind}")
        return Correction(target=target.id, replacement=self._dated(message, target), reason=message.reason)

    def _dated(self, message: CorrectFact, target: Fact) -> Any:
        """A replaced dose keeps its local date as a fact (DAY-03)."""
        if not isinstance(message.replacement, AdministrationReported):
            return message.replacement
        day = local_date(message.at or target.at, self.case.reading.zone)
        return message.replacement.model_copy(update={"local_on": day})

    def resolved(self, message: ResolveUnreadable) -> tuple[Frozen, ...] | Refused:
        messages = {k for f, m in self.case.results.unreadable_messages for k in (f.id, m.sha256)}
        if message.target not in messages | self.case.results.unusable_facts():
            return refused("NoSuchMessage", f"nothing unreadable is known as {message.target}")
        if (message.outcome == "transcribed") != bool(message.values):
            return refused("ValuesRequired", "transcribed needs values; dismissed has none")
        return (share(UnreadableResolved, message), *message.values)

    # requests

    def _dose(self, message: AuthoriseDose | VerifyDose | StartInfusion) -> Refused | None:
        """The gate of a command about one dose; asking for another dose than the next is said first."""
        slot = self.standing.slot
        wanted = DoseSlot(cycle=message.cycle, day=message.day)
        if slot is not None and wanted != slot:
            return refused("NotTheDoseDue", f"{wanted} is not the dose that is due; next is {slot}")
        return gate(message.name, self.standing)

    def authorised(self, message: AuthoriseDose) -> Frozen | Refused:
        refusal, plan = self._dose(message), self.standing.plan
        if refusal is not None or plan is None:
            return refusal or refused("DoseGateClosed", "the dose cannot be computed", self.standing.in_the_way)
        if message.mg is not None and message.mg != plan.mg:
            return refused("DoseMismatch", f"asked for {plain(message.mg)} mg, the card says {plain(plan.mg)} mg")
        return share(
            DoseAuthorised, message, mg=plan.mg, level=plan.level, weight_kg=plan.weight_kg, binding=plan.binding
        )

    def verified(self, message: VerifyDose) -> Frozen | Refused:
        refusal = self._dose(message)
        standing = standing_authorisation(self.case, self.standing.plan)
        if refusal is not None or standing is None:
            return refusal or refused("NothingToVerify", "no authorisation stands that could be checked")
        signed, authorised = standing
        if signed.by.id == message.by.id:
            return refused("SecondPersonRequired", "the person who authorised the dose cannot check it (OWN-02)")
        if message.mg != authorised.mg:
            return refused("DoseMismatch", f"computed {plain(message.mg)} mg, authorised are {plain(authorised.mg)} mg")
        return share(DoseVerified, message, authorisation=signed.id)

    def started(self, message: StartInfusion) -> Frozen | Refused:
        refusal, plan = self._dose(message), self.standing.plan
        if refusal is not None or plan is None:
            return refusal or refused("DoseGateClosed", "the dose cannot be computed", self.standing.in_the_way)
        if len({i.strip().lower() for i in message.identifiers_checked}) < IDENTIFIERS_NEEDED:
            finding = self.case.finding("IDN-02", None, "fewer than two identifiers were checked at the bedside")
            return refused("IdentityNotChecked", "two different identifiers are checked at the bedside", (finding,))
        troubles = self._preparation_troubles(message)
        if troubles:
            return refused("PreparationNotUsable", f"the start is refused: {troubles[0].reason}", troubles)
        local_on = local_date(self.case.now, self.case.reading.zone)
        return share(InfusionStarted, message, mg=plan.mg, level=plan.level, local_on=local_on)

    def _preparation_troubles(self, message: StartInfusion) -> tuple[Any, ...]:
        charted = [p for _, p in self.case.reading.of(Preparation) if p.preparation_id == message.preparation_id]
        if not charted:
            reason = f"preparation {message.preparation_id} is not charted"
            return (self.case.finding("IDN-02", None, reason, clears="record_preparation"),)
        authorisation = standing_authorisation(self.case, self.standing.plan)
        return tuple(preparation_troubles(self.case, charted[-1], authorisation))

    def released(self, message: ReleaseHold) -> Frozen | Refused:
        refusal = gate(message.name, self.standing)
        if refusal is not None:
            return refusal
        released = {r.hold for _, r in self.case.reading.of(HoldReleased)}
        if message.hold not in {f.id for f, _ in self.case.reading.of(HoldSet)} - released:
            return refused("NoSuchHold", f"no hold {message.hold} stands")
        return share(HoldReleased, message)

    def next_cycle(self, message: StartNextCycle) -> Frozen | Refused:
        refusal, following = gate(message.name, self.standing), self.case.slot_after_all.cycle
        if refusal is None and message.cycle != following:
            return refused("NotTheDoseDue", f"the next cycle is {following}, not {message.cycle}")
        return refusal or CycleStarted(cycle=message.cycle)

    def gated(self, kind: type[Frozen]) -> Frozen | Refused:
        """A request whose fact is what it says."""
        return gate(self.message.name, self.standing) or share(kind, self.message)


def _plain(kind: type[Frozen]) -> Callable[[_Judging, Any], Any]:
    """A message whose fact is what it says, behind the command's gate."""
    return lambda judging, _: judging.gated(kind)


_RULINGS: dict[type[Message], Callable[[_Judging, Any], Any]] = {
    LabResults: _Judging.lab_results,
    ClinicalFindings: _Judging.clinical_findings,
    ResponseAssessed: _Judging.response_assessed,
    RecordFinding: _Judging.finding,
    RecordResponse: _plain(ResponseRecorded),
    RecordCytoreduction: _plain(Cytoreduction),
    RecordPremedication: _plain(Premedication),
    RecordPreparation: _Judging.preparation,
    RecordAdministration: _Judging.administration,
    CompleteInfusion: _Judging.completed,
    ReportReaction: _plain(Reaction),
    EndObservation: _Judging.observation_ended,
    RecordTransplant: _plain(Transplant),
    CorrectFact: _Judging.correction,
    ResolveUnreadable: _Judging.resolved,
    AuthoriseDose: _Judging.authorised,
    VerifyDose: _Judging.verified,
    StartInfusion: _Judging.started,
    Hold: _plain(HoldSet),
    ReleaseHold: _Judging.released,
    StartNextCycle: _Judging.next_cycle,
    FinishDosing: _plain(DosingFinished),
    Discontinue: _plain(Discontinued),
    DeclareNoTransplant: _plain(NoTransplantDeclared),
    PlanTransplant: _plain(TransplantPlanned),
}
