"""The course: holds, cycles, transplant, VOD judged, its end, its protocol, its calls and its record."""

from typing import Final, Literal

from pydantic import model_validator

from models.base import Day, Frozen, Instant, Name, Words
from models.facts.common import CycleNumber
from models.obligation_kinds import ObligationKind, kind_of_former
from models.people import Role
from models.pins import Acknowledgement, ProtocolPin


class HoldReleased(Frozen):
    """The release of a person's hold; `hold` is the fact id."""

    kind: Literal["hold_released"] = "hold_released"
    hold: str
    reason: Words


class CycleStarted(Frozen):
    """The prescriber started this further cycle; `reason` says why a further one comes before a planned transplant."""

    kind: Literal["cycle_started"] = "cycle_started"
    cycle: CycleNumber
    reason: str | None = None


class CycleExtensionDetails(Frozen):
    """Cycle 1 lengthened to its longest (DOSE-05): for a response reached, or to let toxicity recover."""

    cycle: CycleNumber
    because: Literal["response", "toxicity"]


class CycleExtended(CycleExtensionDetails):
    """The prescriber's word that this cycle takes its longest length."""

    kind: Literal["cycle_extended"] = "cycle_extended"


class DosingFinished(Frozen):
    """No further cycle is intended; monitoring starts. Not a permanent stop."""

    kind: Literal["dosing_finished"] = "dosing_finished"
    reason: Words


class Discontinued(Frozen):
    """The prescriber's permanent stop."""

    kind: Literal["discontinued"] = "discontinued"
    reason: Words


class MonitoringStarted(Frozen):
    """The course went over into its monitoring execution (design §4: `discontinued` only until the run changes)."""

    kind: Literal["monitoring_started"] = "monitoring_started"


class NoTransplantDeclared(Frozen):
    """The prescriber signed that no transplant is planned (MON-17)."""

    kind: Literal["no_transplant"] = "no_transplant"
    reason: str | None = None


class TransplantPlanDetails(Frozen):
    """A transplant plan: its day and the conditioning drugs."""

    planned_on: Day | None = None
    conditioning: tuple[Name, ...] = ()


class TransplantPlanned(TransplantPlanDetails):
    """A transplant is planned; withdraws a declaration that none is."""

    kind: Literal["transplant_planned"] = "transplant_planned"


class TransplantPlanWithdrawn(Frozen):
    """The transplant plan is withdrawn; what it had blocked opens again (DOSE-08)."""

    kind: Literal["transplant_plan_withdrawn"] = "transplant_plan_withdrawn"
    reason: Words


class TransplantDetails(Frozen):
    """A stem-cell transplant: its time (`transplanted_at`), or its day only (12:00 local is taken, MON-03)."""

    transplanted_at: Instant | None = None
    transplanted_on: Day | None = None

    @model_validator(mode="after")
    def _has_a_day(self) -> "TransplantDetails":
        if self.transplanted_at is None and self.transplanted_on is None:
            raise ValueError("give transplanted_at or transplanted_on")
        return self


class Transplant(TransplantDetails):
    """Day 0 of monitoring after transplant."""

    kind: Literal["transplant"] = "transplant"


class VodJudgementDetails(Frozen):
    """A physician's judgement of suspected VOD (§7.2); `other_cause` is needed to exclude it (VOD-09)."""

    judgement: Literal["suspected", "confirmed", "excluded", "resolved"]
    other_cause: str | None = None
    evidence: str | None = None


class VodJudged(VodJudgementDetails):
    """The judgement, and in `covers` what it was made of: a new or worse sign opens it again."""

    kind: Literal["vod_judged"] = "vod_judged"
    covers: tuple[str, ...] = ()


class ClosingDetails(Frozen):
    """Why a course is closed before its end. A transfer names who takes over; a patient who stops may decline monitoring."""

    reason: Literal["death", "transfer", "lost_to_follow_up", "patient_stops"]
    receiver: str | None = None
    monitoring_declined: bool = False
    note: str | None = None


class CourseClosed(ClosingDetails):
    """The course was closed at the fact's `at`."""

    kind: Literal["course_closed"] = "course_closed"


class AmendmentDetails(Frozen):
    """The course goes on under another released protocol."""

    protocol: ProtocolPin
    acknowledged: tuple[Acknowledgement, ...] = ()
    reason: Words


class ProtocolAmended(AmendmentDetails):
    """The prescriber's amendment; in force once every divergence of the new protocol is acknowledged."""

    kind: Literal["protocol_amended"] = "protocol_amended"
    missing: tuple[Name, ...] = ()


class DivergenceAcknowledged(Acknowledgement):
    """One divergence acknowledged after an amendment."""

    kind: Literal["divergence_acknowledged"] = "divergence_acknowledged"


class FactSetAside(Frozen):
    """One person's word that the rules cannot bear a fact; it is set aside once a second one has said it."""

    kind: Literal["fact_set_aside"] = "fact_set_aside"
    target: Name
    reason: Words


class RungFired(Frozen):
    """A rung of an obligation's escalation ladder that has fired: once, and never again. `calls` are those called by it.

    `again`: the time is over until which somebody had put the call off (`snooze`), which is `until`.
    """

    kind: Literal["rung_fired"] = "rung_fired"
    obligation: str
    obligation_kind: ObligationKind | None = None
    rung: Literal["due", "overdue", "again"]
    due_at: Instant
    until: Instant | None = None
    calls: tuple[Role, ...] | None = None

    @property
    def of(self) -> ObligationKind:
        """The kind of the obligation, which earlier releases did not write."""
        return self.obligation_kind or kind_of_former(self.obligation)


class CallAnswered(Frozen):
    """Which call is answered: the key of its obligation, and when that fell due."""

    obligation: Name
    due_at: Instant


class CallAcknowledged(CallAnswered):
    """Somebody has taken the call, by name (CALL-01): it rings no more for their role. What it asks for stays open."""

    kind: Literal["call_acknowledged"] = "call_acknowledged"


class CallSnoozed(CallAnswered):
    """Somebody puts the call off for their role: it rings again at `until`. What it asks for stays open."""

    kind: Literal["call_snoozed"] = "call_snoozed"
    until: Instant


class ObligationMet(Frozen):
    """An obligation that fired is no longer open: `how` says whether it was met or withdrawn, `why` gives the reason."""

    kind: Literal["obligation_met"] = "obligation_met"
    obligation: str
    due_at: Instant
    how: Literal["met", "closed_as_overdue", "withdrawn"]
    why: str | None = None


DIFFERS: Final = "REC-02"
"""The rule under which a difference between a course's record and its execution holds it."""


class RecordCompared(Frozen):
    """How the record's head stood to this execution (REC-02): before a dose was authorised, started or resumed, when a run
    began, or when housekeeping saw that the two differ. `away` when it did not answer in time; `words` say the difference,
    without any value."""

    kind: Literal["record_compared"] = "record_compared"
    outcome: Literal["equal", "behind", "away", "ahead", "other"]
    words: str = ""

    @property
    def differs(self) -> bool:
        """The record knows more than the execution, or says otherwise."""
        return self.outcome in ("ahead", "other")


class RecordReconciled(Frozen):
    """One person's word that a difference between record and execution was put right (REC-02)."""

    kind: Literal["record_reconciled"] = "record_reconciled"
    reason: Words


class GoneAheadWithoutRecord(Frozen):
    """A command that happened although the record did not answer, with its reason: a deviation (REC-01)."""

    kind: Literal["without_record"] = "without_record"
    command: Name
    reason: Words
