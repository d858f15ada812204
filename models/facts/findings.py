"""What a person or a machine has seen or measured, and judgements on it."""

from typing import Annotated, Literal

from pydantic import Field

from models.base import Day, Frozen, Name, Number, Words
from models.facts.common import PremedicationClass


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
