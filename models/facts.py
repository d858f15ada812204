"""What can stand in a chart. A fact is who said it, when it was true, when it was recorded, and what.

The `...Details` classes hold fields that a command and its fact share, so that they are written once.
Units and codes stay as the sender gave them; `clinical` understands them, so that a later rule set can re-read old facts.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from models.base import Day, Frozen, Instant, KeptNumber, Name, Number, Words
from models.obligation_kinds import ObligationKind, kind_of_former
from models.people import By, Role
from models.pins import Acknowledgement, ProtocolPin

CYCLE_DAYS = (1, 8, 15)
CycleNumber = Annotated[int, Field(ge=1, le=100)]
"""One more than a message may say (`models.bounds`): the cycle that follows has a number too."""
DoseDay = Literal[1, 8, 15]
Grade = Annotated[int, Field(ge=1, le=5)]


class LabStatus(StrEnum):
    """Status of a laboratory result in FHIR's words."""

    REGISTERED = "registered"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "LabStatus":
        """A word that this release does not know, said by a later one: such a result is not used (LAB-05)."""
        return cls.UNKNOWN


NO_CODE: Final = "none"
"""Stands for the LOINC code of a result that came without one."""


class LabResult(Frozen):
    """One analyte of one draw, in the sender's words.

    `uln` and `lln` are the limits of the laboratory that made the result, in `limit_unit` (the result's own unit when
    empty). What cannot be read as a number or a time is kept in `text` and `collected_text`: such a result is never
    lost and never used (LAB-05). It is read so when it arrives (`models.sent`); here it is decoded as it was kept.

    What joins two messages about one result (LAB-08): `resource`, the sending system with the id of the resource
    (`<system>|<id>`); any of `identifiers`, business identifiers (`<system>|<value>`) of this one result, without one
    that several analytes of a message share; `accession`, `specimen` or `report_id`, with analyte and minute. What tells
    which came later (LAB-09): `version` (`meta.versionId` where it is a number), `updated_at` (`meta.lastUpdated`),
    `issued_at`. What is not known is `None`.

    An entry that is no plain result is kept as one all the same, so that what it may have been stays unknown (LAB-12):
    `loinc` is `none` where there is no such code, `codes` (`<system>|<code>`) and `names` are whatever else was said of
    what it measures, and `doubt` says why the entry must not be used whatever it measures (LAB-14). `unit_words` and
    `limit_unit_words` are there where the sender writes another unit in words than in its code; `specimen_type` is what the
    specimen is, `specimen_words` what is said of it beside the specimen itself, `ends_at` the end of a period, `home` the
    address below which the sender keeps the resource: two homes are two senders, though one machine brings both; `flags` are
    the codes by which it calls the number high, low, off the scale or not to be trusted.
    """

    # Not strict: a result is made of what a laboratory wrote, and what was kept of it is text.
    model_config = ConfigDict(strict=False)

    kind: Literal["lab_result"] = "lab_result"
    loinc: Name
    display: str | None = None
    value: KeptNumber | None = None
    comparator: str | None = None
    text: str | None = None
    unit: str | None = None
    uln: KeptNumber | None = None
    lln: KeptNumber | None = None
    limit_unit: str | None = None
    collected_at: Instant | None = None
    collected_text: str | None = None
    issued_at: Instant | None = None
    status: LabStatus = LabStatus.UNKNOWN
    absent_reason: str | None = None
    sender: str | None = None
    accession: str | None = None
    report_id: str | None = None
    method: str | None = None
    resource: str | None = None
    identifiers: tuple[str, ...] | None = None
    version: int | None = None
    updated_at: Instant | None = None
    specimen: str | None = None
    codes: tuple[Name, ...] | None = None
    names: tuple[Name, ...] | None = None
    doubt: str | None = None
    unit_words: str | None = None
    limit_unit_words: str | None = None
    specimen_type: str | None = None
    specimen_words: str | None = None
    ends_at: Instant | None = None
    home: str | None = None
    flags: tuple[str, ...] | None = None


class ResultWithdrawn(Frozen):
    """A withdrawal or deletion that says no code of one analyte: entered in error, cancelled or deleted (LAB-09, E1).

    It withdraws every result that any of its identities joins (LAB-08). One that joins nothing makes the analytes of
    `loincs` unknown, or all that gate a dose where it names none, until a message joins it or a person dismisses it.
    A withdrawal with the code of its analyte is a `LabResult` with that status. Fields are those of `LabResult`.
    """

    model_config = ConfigDict(strict=False)

    kind: Literal["result_withdrawn"] = "result_withdrawn"
    how: Literal["entered-in-error", "cancelled", "deleted"]
    display: str | None = None
    loincs: tuple[Name, ...] | None = None
    issued_at: Instant | None = None
    sender: str | None = None
    accession: str | None = None
    report_id: str | None = None
    resource: str | None = None
    identifiers: tuple[str, ...] | None = None
    version: int | None = None
    updated_at: Instant | None = None
    specimen: str | None = None


class PremedicationClass(StrEnum):
    """The three classes before every dose (PRE-01)."""

    CORTICOSTEROID = "corticosteroid"
    ANTIPYRETIC = "antipyretic"
    ANTIHISTAMINE = "antihistamine"


class UnreadableMessage(Frozen):
    """A message for this course that could not be read (LAB-05), until a person resolves it; the record keeps its bytes.

    `sha256` and `size` are those of the message as it came; `head_base64` holds its first bytes in a chart file only.
    """

    kind: Literal["unreadable_message"] = "unreadable_message"
    signal: str
    sha256: str
    size: int
    reason: str
    head_base64: str = ""


# ── findings: what a person or a machine has seen ──────────────────────────────────────────────────────────────────


class Consent(Frozen):
    """The patient's consent to this treatment."""

    kind: Literal["consent"] = "consent"
    given: bool


class Eligibility(Frozen):
    """ELIG-01, stated by the prescriber with date (the fact's `at`) and method; `None` = not answered.

    `cd22_percent`, `ph_positive` and `tki_failed` are asked by the EU protocol only (EU-02, EU-03).
    """

    kind: Literal["eligibility"] = "eligibility"
    cd22_positive: bool | None = None
    b_cell_precursor_all: bool | None = None
    relapsed_or_refractory: bool | None = None
    method: str | None = None
    cd22_percent: Number | None = None
    ph_positive: bool | None = None
    tki_failed: bool | None = None


class MedicalHistory(Frozen):
    """What lies before this course: contraindications and risk factors (EU-04, RISK-02, RISK-04); `None` = not asked."""

    kind: Literal["medical_history"] = "medical_history"
    hypersensitivity: bool | None = None
    severe_vod: bool | None = None
    vod_ongoing: bool | None = None
    serious_liver_disease: bool | None = None
    liver_disease: bool | None = None
    transplant_before: bool | None = None
    salvage_line: Annotated[int, Field(ge=1, le=20)] | None = None
    risk_factors: tuple[Name, ...] = ()


class PregnancyTest(Frozen):
    """A pregnancy test (MON-11); `specimen` is `None` where nobody said of what.

    A positive one ends by a physician's negative word after a later negative serum test.
    """

    kind: Literal["pregnancy_test"] = "pregnancy_test"
    result: Literal["negative", "positive", "unclear"]
    specimen: Literal["serum", "urine"] | None = None


class Height(Frozen):
    """Body height in centimetres."""

    kind: Literal["height"] = "height"
    cm: Number


class Weight(Frozen):
    """Actual body weight in kilograms."""

    kind: Literal["weight"] = "weight"
    kg: Number


class WeightAccepted(Frozen):
    """The prescriber states that this weight is the body's own and not fluid (BSA-08)."""

    kind: Literal["weight_accepted"] = "weight_accepted"
    kg: Number


class VitalSigns(Frozen):
    """Vital signs (INF-03): per minute, mmHg, degrees Celsius, per cent; `None` = not taken."""

    kind: Literal["vital_signs"] = "vital_signs"
    heart_rate_per_min: Number | None = None
    systolic_mmhg: Number | None = None
    diastolic_mmhg: Number | None = None
    temperature_c: Number | None = None
    oxygen_saturation_percent: Number | None = None


class Ecg(Frozen):
    """An ECG; `qtcf_ms` is the QT interval corrected after Fridericia, in milliseconds."""

    kind: Literal["ecg"] = "ecg"
    qtcf_ms: Number | None = None
    qt_ms: Number | None = None
    heart_rate_per_min: Number | None = None
    qrs_ms: Number | None = None


class VodExamination(Frozen):
    """Signs of veno-occlusive disease looked for (MON-15); `None` = not examined.

    Refractory thrombocytopenia and weight gain despite diuretics are asked for in children (VOD-10). What follows them
    belongs to severity (SEV-01, SEV-04) and is not asked before a dose.
    """

    kind: Literal["vod_examination"] = "vod_examination"
    ruq_pain: bool | None = None
    hepatomegaly: bool | None = None
    painful_hepatomegaly: bool | None = None
    ascites: bool | None = None
    oedema: bool | None = None
    refractory_thrombocytopenia: bool | None = None
    weight_gain_despite_diuretics: bool | None = None
    multi_organ_dysfunction: bool | None = None
    first_symptom_on: Day | None = None
    ascites_amount: Literal["minimal", "moderate", "drained"] | None = None
    coagulation: Literal["normal", "impaired", "factors_given"] | None = None
    oxygen: Literal["none", "below_2_l_per_min", "from_2_l_per_min", "ventilated"] | None = None
    new_cognitive_impairment: bool | None = None


class Imaging(Frozen):
    """Evidence for or against VOD: `hvpg_mmhg` with the method `hvpg`, otherwise whether it suggests VOD (VOD-04, -05, -07)."""

    kind: Literal["imaging"] = "imaging"
    method: Literal["ultrasound", "elastography", "hvpg", "histology"]
    suggests_vod: bool | None = None
    hvpg_mmhg: Number | None = None


class InfectionBleedingCheck(Frozen):
    """Infection and bleeding looked for (MON-16); temperature in degrees Celsius, `None` = not examined.

    Symptoms of anaemia are asked for with them and hold nothing: the haemoglobin is looked at.
    """

    kind: Literal["infection_bleeding"] = "infection_bleeding"
    temperature_c: Number | None = None
    infection: bool | None = None
    active_bleeding: bool | None = None
    anaemia_symptoms: bool | None = None


class Toxicity(Frozen):
    """A toxicity that a clinician graded (CTCAE); grade 0 = resolved. InO-related until attributed elsewhere.

    `reason`: why lipase or amylase is of a lower grade than the laboratory's, which a second person confirms (CT-28).
    """

    kind: Literal["toxicity"] = "toxicity"
    term: Name
    grade: Annotated[int, Field(ge=0, le=5)]
    attributed_to_ino: bool | None = None
    reason: Words | None = None


class ToxicityAttribution(Frozen):
    """A physician's word on the cause of a toxicity (NON-10, DUR-09): an analyte such as `alt`, or a charted term."""

    kind: Literal["toxicity_attribution"] = "toxicity_attribution"
    term: Name
    due_to_ino: bool
    cause: str | None = None


class BilirubinCause(Frozen):
    """Gilbert syndrome or haemolysis, documented by a physician (NON-11)."""

    kind: Literal["bilirubin_cause"] = "bilirubin_cause"
    cause: Literal["gilbert", "haemolysis"]


class CytopeniaAttribution(Frozen):
    """A physician's word on low counts: their cause, and how the disease stands on the latest marrow (HEM-02, -05, -08)."""

    kind: Literal["cytopenia_attribution"] = "cytopenia_attribution"
    lineage: Literal["anc", "platelets", "both"]
    due_to: Literal["leukaemia", "inotuzumab", "other"]
    disease: Literal["stable", "improved", "worse"] | None = None


class Medication(Frozen):
    """Another drug started or stopped at the fact's `at` (QT-04, MON-06, RISK-03)."""

    kind: Literal["medication"] = "medication"
    drug: Name
    action: Literal["started", "stopped"] = "started"
    qt_prolonging: bool | None = None
    hepatotoxic: bool | None = None


class Prophylaxis(Frozen):
    """Anti-infective or VOD prophylaxis given or decided against (MON-10, RISK-03)."""

    kind: Literal["prophylaxis"] = "prophylaxis"
    against: Literal["bacteria", "pneumocystis", "herpes", "fungi", "hepatitis_b", "vod"]
    given: bool
    agent: str | None = None


class Allergy(Frozen):
    """An allergy or contraindication: to a substance, to a whole premedication class, or to this drug (PRE-07, EU-04)."""

    kind: Literal["allergy"] = "allergy"
    substance: Name
    premedication_class: PremedicationClass | None = None
    to_inotuzumab: bool = False


class ResultConfirmed(Frozen):
    """A person looked at an unusual result and confirms it (PLAU-01); `target` is its fact id."""

    kind: Literal["result_confirmed"] = "result_confirmed"
    target: Name


class RiskAccepted(Frozen):
    """A physician's sign-off of a hard risk alert before conditioning (RISK-06)."""

    kind: Literal["risk_accepted"] = "risk_accepted"
    risk: Literal["two_alkylators", "bilirubin_at_uln"]
    reason: Words


class Transfusion(Frozen):
    """A transfusion given at the fact's `at`."""

    kind: Literal["transfusion"] = "transfusion"
    product: Literal["platelets", "red_cells", "plasma"]


class Gcsf(Frozen):
    """A granulocyte colony-stimulating factor given at the fact's `at`."""

    kind: Literal["g_csf"] = "g_csf"
    drug: Literal["filgrastim", "pegfilgrastim"]


# ── response, cytoreduction, premedication, preparation ────────────────────────────────────────────────────────────


class Response(StrEnum):
    """Response at the end of a cycle (RESP-01, RESP-02). `not_assessable` counts as missing (DATA-03)."""

    CR = "CR"
    CRI = "CRi"
    NONE = "none"
    NOT_ASSESSABLE = "not_assessable"


class ResponseDetails(Frozen):
    """The response of one cycle; MRD negative is RESP-03."""

    cycle: CycleNumber
    response: Response
    marrow_blasts_percent: Number | None = None
    mrd_negative: bool | None = None
    mrd_method: str | None = None
    extramedullary_disease: bool | None = None


class ResponseRecorded(ResponseDetails):
    """A physician's word on the response; only this one decides a dose."""

    kind: Literal["response"] = "response"


class ResponseProposed(ResponseDetails):
    """A response without a physician behind it: a worklist item until `record_response` confirms it."""

    kind: Literal["response_proposed"] = "response_proposed"


class CytoreductionDetails(Frozen):
    """Cytoreduction before the first dose (CYT-01)."""

    agent: Literal["hydroxyurea", "corticosteroid", "vincristine", "other"]
    action: Literal["started", "stopped"] = "started"
    note: str | None = None


class Cytoreduction(CytoreductionDetails):
    """Cytoreduction started or stopped at the fact's `at`."""

    kind: Literal["cytoreduction"] = "cytoreduction"


class PremedicationDetails(Frozen):
    """One premedication of one class; given at the fact's `at`."""

    drug_class: PremedicationClass
    drug: str | None = None
    dose: str | None = None


class Premedication(PremedicationDetails):
    """A premedication that was given."""

    kind: Literal["premedication"] = "premedication"


class PreparationDetails(Frozen):
    """One preparation: the 4 h and 8 h clocks start with the reconstitution of its first vial (PREP-11, PREP-12).

    `drawn_ml` is what was drawn from the vials, `total_ml` the volume after dilution; `None` = not charted.
    """

    preparation_id: Name
    reconstituted_at: Instant
    dilution_started_at: Instant | None = None
    mg: Number
    vials: Annotated[int, Field(ge=1, le=99)]
    drawn_ml: Number | None = None
    total_ml: Number | None = None


class Preparation(PreparationDetails):
    """A preparation, made under the authorisation that stood when it was recorded (None: there was none)."""

    kind: Literal["preparation"] = "preparation"
    authorisation: str | None = None


# ── the dose ───────────────────────────────────────────────────────────────────────────────────────────────────────


class DoseSlot(Frozen):
    """Which dose: cycle and nominal day of the cycle."""

    cycle: CycleNumber
    day: DoseDay

    def __str__(self) -> str:
        return f"C{self.cycle}D{self.day}"


class DoseAuthorised(DoseSlot):
    """A prescriber's signature under exactly one dose; `binding` is the hash of all that it was given for (§3.5)."""

    kind: Literal["dose_authorised"] = "dose_authorised"
    mg: Number
    level: str
    weight_kg: Number
    binding: str
    earlier_start_reason: str | None = None


class DoseVerified(DoseSlot):
    """A pharmacist's second check of dose, weight and level of one authorisation."""

    kind: Literal["dose_verified"] = "dose_verified"
    authorisation: str
    mg: Number


class InfusionStarted(DoseSlot):
    """The infusion began at the fact's `at`; `local_on` is that day in the course's zone (DAY-03)."""

    kind: Literal["infusion_started"] = "infusion_started"
    mg: Number
    preparation_id: Name
    identifiers_checked: tuple[Name, ...] = ()
    local_on: Day | None = None
    level: str = "L0"


class InfusionEndDetails(Frozen):
    """How the infusion ended (at the fact's `at`): whole, or stopped before its end with the amount given."""

    stopped_early: bool = False
    given_mg: Number | None = None
    note: str | None = None


class InfusionCompleted(InfusionEndDetails):
    """The real end of the infusion; observation starts here (INF-02)."""

    kind: Literal["infusion_completed"] = "infusion_completed"


class InterruptionDetails(Frozen):
    """The infusion was interrupted at the fact's `at`; `infused_ml` is what had run in, where it was read (INF-05)."""

    infused_ml: Number | None = None
    reason: str | None = None


class InfusionInterrupted(InterruptionDetails):
    """The infusion stands still; the 8 h clock of the preparation runs on (PREP-12)."""

    kind: Literal["infusion_interrupted"] = "infusion_interrupted"


class ResumptionDetails(Frozen):
    """The infusion goes on at this rate in mL/h (INF-06)."""

    rate_ml_per_h: Number


class InfusionResumed(ResumptionDetails):
    """The infusion goes on at the fact's `at` with what was left in the bag."""

    kind: Literal["infusion_resumed"] = "infusion_resumed"
    remaining_ml: Number


class AdministrationDetails(DoseSlot):
    """A dose given elsewhere or during downtime, started at the fact's `at`."""

    mg: Number
    ended_at: Instant | None = None
    where: str | None = None


class AdministrationReported(AdministrationDetails):
    """A dose that happened outside this service: charted, counted for spacing, never refused."""

    kind: Literal["administration"] = "administration"
    local_on: Day | None = None


class ReactionDetails(Frozen):
    """An infusion-related reaction; the grade may follow under the same `reaction_id` (CT-27)."""

    reaction_id: Name
    grade: Grade | None = None
    symptoms: str | None = None
    resolved_at: Instant | None = None


class Reaction(ReactionDetails):
    """What was reported of a reaction, first seen at the fact's `at`."""

    kind: Literal["reaction"] = "reaction"


class ObservationEnded(Frozen):
    """The end of observation; `minutes` since the real end of the infusion. Before 60 it is incomplete (INF-04)."""

    kind: Literal["observation_ended"] = "observation_ended"
    minutes: int
    complete: bool
    note: str | None = None


class DoseDecisionDetails(DoseSlot):
    """What the prescriber decides about a dose whose window passed or that is held (DAY-06, DUR-05): with its cause.

    `until` is the date to which it is postponed.
    """

    decision: Literal["give", "omit", "postpone"]
    cause: Literal["toxicity", "logistics", "infection", "patient", "other"]
    until: Day | None = None
    reason: Words


class DoseDecided(DoseDecisionDetails):
    """The prescriber's decision on one dose."""

    kind: Literal["dose_decided"] = "dose_decided"


class RoundingDetails(DoseSlot):
    """A dose rounded down to whole vials by a signed choice, at most 10 % (RND-01, RND-02)."""

    mg: Number
    reason: str | None = None


class RoundingChosen(RoundingDetails):
    """The mg chosen in place of `from_mg`; it lapses when the computed dose changes."""

    kind: Literal["rounding_chosen"] = "rounding_chosen"
    from_mg: Number


class DroppedDoseChosen(DoseSlot):
    """The dose of the cycle that is left out at level L2 (LVL-03)."""

    kind: Literal["dropped_dose_chosen"] = "dropped_dose_chosen"


class OverrideDetails(DoseSlot):
    """A finding of `rule` set aside for one dose (§3.6); `subject` tells findings of one rule apart, such as `alt`."""

    rule: Name
    subject: str | None = None
    reason: Words


class OverrideGiven(OverrideDetails):
    """A prescriber's override; `binding` is the hash of the values that it was given for."""

    kind: Literal["override"] = "override"
    binding: str


class CountersignDetails(Frozen):
    """A second signature: under an override, or under a correction review; `target` is the id the card names."""

    target: Name
    note: str | None = None


class Countersigned(CountersignDetails):
    """The second person's signature (OVR-02, COR-02)."""

    kind: Literal["countersigned"] = "countersigned"


# ── the course ─────────────────────────────────────────────────────────────────────────────────────────────────────


class HoldSet(Frozen):
    """A hold that a person set."""

    kind: Literal["hold"] = "hold"
    reason: Words


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


class UnreadableResolved(Frozen):
    """What could not be read was transcribed or dismissed by a named person, or read later; `target` is a hash or a fact id."""

    kind: Literal["unreadable_resolved"] = "unreadable_resolved"
    target: str
    outcome: Literal["transcribed", "dismissed", "read"]
    reason: Words


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
