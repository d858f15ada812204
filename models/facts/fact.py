"""A fact: who said it, when it was true, when it was recorded, and what; and all that it may say."""

from typing import Annotated, Literal

from pydantic import Field

from models.base import Frozen, Instant, Name, Words
from models.facts.course import (
    CallAcknowledged,
    CallSnoozed,
    CourseClosed,
    CycleExtended,
    CycleStarted,
    Discontinued,
    DivergenceAcknowledged,
    DosingFinished,
    FactSetAside,
    GoneAheadWithoutRecord,
    HoldReleased,
    MonitoringStarted,
    NoTransplantDeclared,
    ObligationMet,
    ProtocolAmended,
    RecordCompared,
    RecordReconciled,
    RungFired,
    Transplant,
    TransplantPlanned,
    TransplantPlanWithdrawn,
    VodJudged,
)
from models.facts.dose import (
    AdministrationReported,
    Countersigned,
    DoseAuthorised,
    DoseDecided,
    DoseVerified,
    DroppedDoseChosen,
    HoldSet,
    InfusionCompleted,
    InfusionInterrupted,
    InfusionResumed,
    InfusionStarted,
    ObservationEnded,
    OverrideGiven,
    Reaction,
    RoundingChosen,
)
from models.facts.findings import (
    Allergy,
    BilirubinCause,
    Consent,
    CytopeniaAttribution,
    Ecg,
    Eligibility,
    Gcsf,
    Height,
    Imaging,
    InfectionBleedingCheck,
    MedicalHistory,
    Medication,
    PregnancyTest,
    Prophylaxis,
    RiskAccepted,
    Toxicity,
    ToxicityAttribution,
    Transfusion,
    VitalSigns,
    VodExamination,
    Weight,
    WeightAccepted,
)
from models.facts.laboratory import LabResult, ResultConfirmed, ResultWithdrawn, UnreadableMessage, UnreadableResolved
from models.facts.treatment import Cytoreduction, Premedication, Preparation, ResponseProposed, ResponseRecorded
from models.people import By

Findings = (
    Consent
    | Eligibility
    | PregnancyTest
    | Height
    | Weight
    | Ecg
    | VodExamination
    | InfectionBleedingCheck
    | Toxicity
    | ToxicityAttribution
    | BilirubinCause
    | CytopeniaAttribution
    | Transfusion
    | Gcsf
    | MedicalHistory
    | WeightAccepted
    | VitalSigns
    | Imaging
    | Medication
    | Prophylaxis
    | Allergy
    | ResultConfirmed
    | RiskAccepted
)

FindingBody = Annotated[Findings, Field(discriminator="kind")]
"""What `record_finding` may say."""

MachineFinding = Annotated[Weight | Height | Ecg | InfectionBleedingCheck | VitalSigns, Field(discriminator="kind")]
"""What a machine may say in `clinical_findings`: measurements, never a judgement."""

OtherReports = (
    ResponseRecorded
    | Cytoreduction
    | Premedication
    | Preparation
    | InfusionInterrupted
    | InfusionCompleted
    | AdministrationReported
    | Reaction
    | Transplant
    | VodJudged
)

Reports = LabResult | Findings | OtherReports

Reportable = Annotated[Reports, Field(discriminator="kind")]
"""What may stand in place of a corrected fact: reports of what happened, never a signature."""


class Correction(Frozen):
    """COR-01: the target fact was wrong. `replacement` stands in its place; none means it is retracted.

    COR-03: what stands in its place is as old as what was wrong, unless `measured_at` says otherwise.
    """

    kind: Literal["correction"] = "correction"
    target: str
    replacement: Reportable | None = None
    measured_at: Instant | None = None
    reason: Words


Body = Annotated[
    Reports
    | ResultWithdrawn
    | UnreadableMessage
    | ResponseProposed
    | DoseAuthorised
    | DoseVerified
    | InfusionStarted
    | InfusionResumed
    | ObservationEnded
    | DoseDecided
    | RoundingChosen
    | DroppedDoseChosen
    | OverrideGiven
    | Countersigned
    | HoldSet
    | HoldReleased
    | CycleStarted
    | CycleExtended
    | DosingFinished
    | Discontinued
    | CourseClosed
    | ProtocolAmended
    | DivergenceAcknowledged
    | MonitoringStarted
    | NoTransplantDeclared
    | TransplantPlanned
    | TransplantPlanWithdrawn
    | UnreadableResolved
    | FactSetAside
    | RungFired
    | CallAcknowledged
    | CallSnoozed
    | ObligationMet
    | Correction
    | RecordCompared
    | RecordReconciled
    | GoneAheadWithoutRecord,
    Field(discriminator="kind"),
]
"""All that a fact may say."""


class Fact(Frozen):
    """One immutable entry of a chart.

    `at` is when it was true (for a laboratory result, when it was collected, or arrived if that is unknown);
    `recorded_at` is the course's own time when it entered the chart; `message` is the message that brought it.
    """

    id: Name
    by: By
    at: Instant
    recorded_at: Instant
    message: str = ""
    what: Body
