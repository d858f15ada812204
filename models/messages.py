"""What may be said to a course: machine messages by signal, commands by update (design §4).

Every message carries `id` (its idempotency key), `by` and `at` (when it was true; without it the course's own time).
A `Statement` reports what happened and is refused only for form, role or identity; a `Request` asks and may be refused.
"""

from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from models.base import Frozen, Instant, Name, Number, Words, content_hash
from models.facts import (
    AdministrationDetails,
    AmendmentDetails,
    ClosingDetails,
    CountersignDetails,
    CycleExtensionDetails,
    CycleNumber,
    CytoreductionDetails,
    DoseDecisionDetails,
    DoseSlot,
    FindingBody,
    InfusionEndDetails,
    InterruptionDetails,
    MachineFinding,
    OverrideDetails,
    PremedicationDetails,
    PreparationDetails,
    ReactionDetails,
    ResponseDetails,
    ResultWithdrawn,
    ResumptionDetails,
    RoundingDetails,
    TransplantDetails,
    TransplantPlanDetails,
    VodJudgementDetails,
)
from models.people import By
from models.pins import Acknowledgement
from models.sent import SentReport, SentResult

MessageId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Base64Line = Annotated[str, StringConstraints(max_length=2000)]
"""Bytes travel in lines, so that no text of a message is longer than a person's own words."""


class Message(Frozen):
    """What every message carries. `course_id`, where given, must be the course it is sent to."""

    name: ClassVar[str]
    id: MessageId
    by: By
    at: Instant | None = None
    course_id: str | None = None

    def content_hash(self) -> str:
        """SHA-256 over name and content: the same id with another hash is another message and is refused.

        What is not said is left out, so that a later release with a further optional field hashes an old message alike.
        """
        return content_hash({"name": self.name, **self.model_dump(mode="json", exclude_none=True)})

    def update_id(self, attempt: int = 1) -> str:
        """The Temporal update id: `<message id>:<first 16 hex digits of the content hash>:<attempt>`.

        The attempt is raised where the outcome of the one before is no answer: Temporal keeps it for its id for ever.
        """
        return f"{self.id}:{self.content_hash()[:16]}:{attempt}"

    @staticmethod
    def id_of_update(update_id: str) -> str:
        """The message id in an update id; the whole of one that was not made by `update_id`."""
        return update_id.rsplit(":", 2)[0]


class MachineMessage(Message):
    """A message of a machine, sent as a signal; its subject must be the course's (IDN-01)."""

    subject_hash: Name
    birth_hash: str | None = None


class LabResults(MachineMessage):
    """One draw of one patient, and what was withdrawn without the code of one analyte."""

    name: ClassVar[str] = "lab_results"
    results: Annotated[tuple[SentResult, ...], Field(max_length=200)]
    withdrawn: Annotated[tuple[ResultWithdrawn, ...], Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.results and not self.withdrawn:
            raise ValueError("a message of a laboratory holds a result or a withdrawal")
        return self


class ClinicalFindings(MachineMessage):
    """Measurements of a machine: weight, height, temperature, ECG."""

    name: ClassVar[str] = "clinical_findings"
    findings: Annotated[tuple[MachineFinding, ...], Field(min_length=1, max_length=200)]


class ResponseAssessed(MachineMessage, ResponseDetails):
    """A response from a registry or report; without a physician in `by` it stays a proposal."""

    name: ClassVar[str] = "response_assessed"


class Command(Message):
    """A message of a person, sent as an update and answered with a `Receipt`."""


class Statement(Command):
    """A report of what happened; may lie in the past; never refused for what it says."""


class Request(Command):
    """Asks for something; judged against the chart as it stands."""


class RecordFinding(Statement):
    """Something a clinician saw, was told or measured."""

    name: ClassVar[str] = "record_finding"
    finding: FindingBody


class RecordResponse(Statement, ResponseDetails):
    """A physician's word on the response of a cycle."""

    name: ClassVar[str] = "record_response"


class RecordCytoreduction(Statement, CytoreductionDetails):
    """Cytoreduction started or stopped."""

    name: ClassVar[str] = "record_cytoreduction"


class RecordPremedication(Statement, PremedicationDetails):
    """A premedication was given at `at`."""

    name: ClassVar[str] = "record_premedication"


class RecordPreparation(Statement, PreparationDetails):
    """The drug was reconstituted and diluted."""

    name: ClassVar[str] = "record_preparation"


class RecordAdministration(Statement, AdministrationDetails):
    """A dose was given elsewhere or during downtime, starting at `at`."""

    name: ClassVar[str] = "record_administration"


class InterruptInfusion(Statement, InterruptionDetails):
    """The infusion was interrupted at `at`."""

    name: ClassVar[str] = "interrupt_infusion"


class CompleteInfusion(Statement, InfusionEndDetails):
    """The infusion ended at `at`."""

    name: ClassVar[str] = "complete_infusion"


class ReportReaction(Statement, ReactionDetails):
    """An infusion-related reaction; the grade may follow under the same `reaction_id`."""

    name: ClassVar[str] = "report_reaction"


class EndObservation(Statement):
    """Observation ended at `at`."""

    name: ClassVar[str] = "end_observation"
    note: str | None = None


class JudgeVod(Statement, VodJudgementDetails):
    """A physician judges signs of VOD."""

    name: ClassVar[str] = "judge_vod"


class CloseCourse(Statement, ClosingDetails):
    """The course ends before its time: death, transfer, lost to follow-up, the patient stops."""

    name: ClassVar[str] = "close_course"


class RecordTransplant(Statement, TransplantDetails):
    """A stem-cell transplant took place."""

    name: ClassVar[str] = "record_transplant"


class CorrectFact(Statement):
    """A fact was wrong: retract it, or put `replacement` in its place (COR-01)."""

    name: ClassVar[str] = "correct_fact"
    target: Name
    replacement: SentReport | None = None
    reason: Words


class ResolveUnreadable(Statement):
    """A person read what the machine could not: transcribed values, or a dismissal, with a reason (LAB-05)."""

    name: ClassVar[str] = "resolve_unreadable"
    target: Name
    outcome: Literal["transcribed", "dismissed"]
    values: tuple[SentResult, ...] = ()
    reason: Words


class SetFactAside(Statement):
    """The rules cannot bear this fact: a prescriber and a second physician take it out of what they read (LAB-05)."""

    name: ClassVar[str] = "set_fact_aside"
    target: Name
    reason: Words


class ReadAgain(Request):
    """What could not be read is tried again with the keys and the release of now: its bytes, and how it was sent (LAB-05)."""

    name: ClassVar[str] = "read_again"
    target: Name
    sent: Literal["signal", "update"]
    sent_name: Annotated[str, StringConstraints(max_length=200)]
    raw_base64: Annotated[tuple[Base64Line, ...], Field(min_length=1, max_length=200)]


class AgainstTheRecord(Request):
    """A request before which the record is asked; where it does not answer, `record_away_reason` says why not to wait."""

    record_away_reason: Words | None = None


class AuthoriseDose(AgainstTheRecord, DoseSlot):
    """The prescriber signs this dose; `mg` and `level` (`L1`), where given, must be those on the card."""

    name: ClassVar[str] = "authorise_dose"
    mg: Number | None = None
    level: str | None = None
    earlier_start_reason: str | None = None


class VerifyDose(Request, DoseSlot):
    """The pharmacist's second check: mg as the pharmacist computed it."""

    name: ClassVar[str] = "verify_dose"
    mg: Number


class StartInfusion(AgainstTheRecord, DoseSlot):
    """Start now, with the preparation at hand and two identifiers checked at the bedside (IDN-02)."""

    name: ClassVar[str] = "start_infusion"
    preparation_id: Name
    identifiers_checked: tuple[Name, ...]


class DecideDose(Request, DoseDecisionDetails):
    """The prescriber decides on a dose whose window passed, or that is held: give, omit or postpone."""

    name: ClassVar[str] = "decide_dose"


class ChooseRounding(Request, RoundingDetails):
    """Round the dose down to these mg."""

    name: ClassVar[str] = "choose_rounding"


class ChooseDroppedDose(Request, DoseSlot):
    """Leave out this dose of a cycle at level L2 in place of day 15."""

    name: ClassVar[str] = "choose_dropped_dose"


class ResumeInfusion(AgainstTheRecord, ResumptionDetails):
    """Let the interrupted infusion go on, now, at this rate."""

    name: ClassVar[str] = "resume_infusion"


class GiveOverride(Request, OverrideDetails):
    """Set one finding aside for one dose, with a reason."""

    name: ClassVar[str] = "override"


class Countersign(Request, CountersignDetails):
    """Sign as the second person."""

    name: ClassVar[str] = "countersign"


class ExtendCycle(Request, CycleExtensionDetails):
    """Lengthen cycle 1."""

    name: ClassVar[str] = "extend_cycle"


class Hold(Request):
    """A person stops the next dose until released."""

    name: ClassVar[str] = "hold"
    reason: Words


class ReleaseHold(Request):
    """Release a person's hold by its fact id."""

    name: ClassVar[str] = "release_hold"
    hold: Name
    reason: Words


class StartNextCycle(Request):
    """Start this further cycle; a third one before a planned transplant with its reason (DOSE-08a)."""

    name: ClassVar[str] = "start_next_cycle"
    cycle: CycleNumber
    reason: Words | None = None


class FinishDosing(Request):
    """No further cycle is intended; liver monitoring starts."""

    name: ClassVar[str] = "finish_dosing"
    reason: Words


class Discontinue(Request):
    """The prescriber stops the drug for good."""

    name: ClassVar[str] = "discontinue"
    reason: Words


class DeclareNoTransplant(Request):
    """The prescriber signs that no transplant is planned (MON-17)."""

    name: ClassVar[str] = "declare_no_transplant"
    reason: str | None = None


class PlanTransplant(Request, TransplantPlanDetails):
    """A transplant is planned."""

    name: ClassVar[str] = "plan_transplant"


class WithdrawTransplantPlan(Request):
    """The transplant plan is withdrawn."""

    name: ClassVar[str] = "withdraw_transplant_plan"
    reason: Words


class AmendProtocol(Request, AmendmentDetails):
    """Go on under another released protocol."""

    name: ClassVar[str] = "amend_protocol"


class AcknowledgeDivergence(Request, Acknowledgement):
    """Acknowledge one divergence of the protocol that the course is being amended to."""

    name: ClassVar[str] = "acknowledge_divergence"


class AboutACall(Request):
    """The key of the obligation that calls; `due_at`, where given, must be the time at which it fell due."""

    obligation: Name
    due_at: Instant | None = None


class AcknowledgeCall(AboutACall):
    """I take this call: it rings no more for my role. Nothing that it asks for is closed (CALL-01)."""

    name: ClassVar[str] = "acknowledge"


class SnoozeCall(AboutACall):
    """Put this call off: it rings again for my role at `until`. Nothing that it asks for is closed (CALL-01)."""

    name: ClassVar[str] = "snooze"
    until: Instant


class ReconcileRecord(Request):
    """Say that a difference between record and execution may be put right from the record (REC-02): two people do."""

    name: ClassVar[str] = "reconcile_record"
    reason: Words


class MoveToCurrentBuild(Request):
    """Let the course go on under the release that runs now, by a new run."""

    name: ClassVar[str] = "move_to_current_build"


SIGNALS: dict[str, type[MachineMessage]] = {m.name: m for m in (LabResults, ClinicalFindings, ResponseAssessed)}
"""Machine messages by signal name."""

COMMANDS: dict[str, type[Command]] = {
    m.name: m
    for m in (
        RecordFinding,
        RecordResponse,
        RecordCytoreduction,
        RecordPremedication,
        RecordPreparation,
        RecordAdministration,
        InterruptInfusion,
        CompleteInfusion,
        ReportReaction,
        EndObservation,
        JudgeVod,
        RecordTransplant,
        CloseCourse,
        CorrectFact,
        ResolveUnreadable,
        SetFactAside,
        ReadAgain,
        AuthoriseDose,
        VerifyDose,
        DecideDose,
        ChooseRounding,
        ChooseDroppedDose,
        StartInfusion,
        ResumeInfusion,
        Hold,
        ReleaseHold,
        GiveOverride,
        Countersign,
        ExtendCycle,
        StartNextCycle,
        FinishDosing,
        Discontinue,
        PlanTransplant,
        WithdrawTransplantPlan,
        DeclareNoTransplant,
        AmendProtocol,
        AcknowledgeDivergence,
        AcknowledgeCall,
        SnoozeCall,
        ReconcileRecord,
        MoveToCurrentBuild,
    )
}
"""Commands by update name."""

MESSAGES: dict[str, type[Message]] = {**SIGNALS, **COMMANDS}


class NamedMessage(Frozen):
    """A message on its way into `decide`: its name, its content as canonical JSON, and its hash.

    The content travels as text so that a worker of an older release carries fields it does not know.
    """

    name: str
    id: str
    by: str
    content: str
    sha256: str

    @classmethod
    def of(cls, message: Message) -> "NamedMessage":
        """The message ready to travel."""
        return cls(
            name=message.name,
            id=message.id,
            by=str(message.by),
            content=message.model_dump_json(),
            sha256=message.content_hash(),
        )

    def read(self) -> Message:
        """The message itself. Raises `pydantic.ValidationError` where this release cannot read it."""
        return MESSAGES[self.name].model_validate_json(self.content)


Details = TypeVar("Details", bound=Frozen)


def share(details: type[Details], message: Frozen, **more: Any) -> Details:
    """A value of `details` from the fields that it shares with `message`, and what else is given."""
    fields = {name: getattr(message, name) for name in details.model_fields if hasattr(message, name)}
    fields.pop("kind", None)
    return details(**{**fields, **more})
