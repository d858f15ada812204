"""A protocol is data: every number with unit, clause, source and confidence (design §3). This is its shape."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field

from models.base import Number, Written

_SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class Confidence(StrEnum):
    """How well a value is known. A proposed value is shown as "site default" and needs a clinician's sign-off."""

    VERIFIED = "verified"
    SECONDARY = "secondary"
    UNVERIFIED = "unverified"
    PROPOSED = "proposed"

    @property
    def shown(self) -> str:
        """The word on a card."""
        return "site default" if self is Confidence.PROPOSED else str(self)


class Override(StrEnum):
    """Who may override a rule (OVR-01 … OVR-03); a rule in no class cannot be overridden."""

    NEVER = "never"
    SECOND_PERSON = "prescriber_and_second_person"
    PRESCRIBER = "prescriber_with_reason"
    NONE = "none"


class Entry(Written):
    """One number (or one list of words) of a protocol. `divergence` names where it departs from the label.

    `tighter` says in which direction a site may change it; an entry without one is not for a site to change.
    """

    value: Number | bool | tuple[str, ...]
    unit: str
    clause: str
    source: str
    confidence: Confidence
    divergence: str | None = None
    tighter: Literal["lower", "higher"] | None = None

    @cached_property
    def number(self) -> Decimal:
        """The value as a decimal, in its unit. Raises `TypeError` for an entry that is not a number."""
        if isinstance(self.value, bool) or not isinstance(self.value, Decimal):
            raise TypeError(f"{self.clause}: not a number")
        return self.value

    @cached_property
    def count(self) -> int:
        """The value as a whole number (days, cycles, minutes)."""
        return int(self.number)

    @cached_property
    def span(self) -> timedelta:
        """The value as a length of time; its unit is min, h or d."""
        return _SPANS[self.unit] * float(self.number)

    @cached_property
    def holds(self) -> bool:
        """The value of a yes-or-no entry. Raises `TypeError` for another kind of entry."""
        if not isinstance(self.value, bool):
            raise TypeError(f"{self.clause}: neither yes nor no")
        return self.value

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The value as a list of words. Raises `TypeError` for another kind of entry."""
        if not isinstance(self.value, tuple):
            raise TypeError(f"{self.clause}: not a list")
        return self.value

    def shown(self) -> str:
        """Value and unit as a person reads them."""
        value = self.value
        text = ", ".join(value) if isinstance(value, tuple) else str(value).lower() if value in (True, False) else ""
        if isinstance(value, Decimal) and not isinstance(value, bool):
            text = format(value, "f")
        return f"{text} {self.unit}".strip() if self.unit not in ("", "1") else text


class Cut(Entry):
    """Where a grade begins: past this limit, in the sense of `sign`.

    The unit says of what: `xULN` and `xLLN` of the reporting laboratory, `xbaseline` and `… above baseline` of the last
    value before the first dose, otherwise a unit as printed (CTN-05). `upper_bound`: the laboratory value alone cannot
    tell this grade from a lower one, for symptoms decide; the worst case is taken (CTN-04).
    """

    sign: Literal[">", ">=", "<", "<="]
    upper_bound: bool = False

    def shown(self) -> str:
        """Sign, value and unit as a person reads them."""
        return f"{self.sign} {super().shown()}"


class RuleInfo(Written):
    """What a card shows of a rule besides its reason: title, source, confidence, override class."""

    title: str
    source: str
    confidence: Confidence
    override: Override = Override.NONE
    divergence: str | None = None


class Regimen(Written):
    """Doses by cycle, response and day; lengths, windows and spacing (DOSE, DAY)."""

    cycle1_d1: Entry
    cycle1_d8: Entry
    cycle1_d15: Entry
    response_d1: Entry
    response_d8: Entry
    response_d15: Entry
    no_response_d1: Entry
    no_response_d8: Entry
    no_response_d15: Entry
    day8_offset: Entry
    day15_offset: Entry
    window: Entry
    min_gap: Entry
    cycle1_length: Entry
    cycle1_max_length: Entry
    later_length: Entry
    after_last_dose: Entry
    early_start: Entry
    max_cycles: Entry
    cycles_before_transplant: Entry
    max_cycles_before_transplant: Entry
    stop_without_response_after: Entry


class Eligible(Written):
    """Who may start (ELIG-01, DOSE-11, EU-01 … EU-04); the last three are yes or no."""

    min_age_years: Entry
    cd22_percent_above: Entry
    cd22_percent_required: Entry
    tki_failure_required: Entry
    history_contraindicates: Entry


class Prompting(Written):
    """What a card reminds of before a dose, yes or no (EU-05, EU-10)."""

    hydrate_and_lower_urate: Entry
    resuscitation_at_hand: Entry


class LiverLimits(Written):
    """Limits as multiples of the reporting laboratory's ULN; equal passes."""

    bilirubin_max: Entry
    ast_alt_max: Entry
    isolated_bilirubin_max: Entry
    isolated_ast_alt_max: Entry
    direct_share_max: Entry


class VodLimits(Written):
    """Limits of the definitions of veno-occlusive disease (VOD); days count from the transplant."""

    bilirubin_from: Entry
    signs_needed: Entry
    gain_seattle_above: Entry
    gain_ino_vate_above: Entry
    gain_above: Entry
    seattle_until: Entry
    classical_until: Entry
    hvpg_from: Entry
    adult_from: Entry
    conditioning: Entry
    watch_gain_above: Entry
    watch_within: Entry
    rising_days: Entry


class OtherLimits(Written):
    """Limits of the other gates of this release."""

    anc_min: Entry
    platelets_min: Entry
    haem_persist: Entry
    haem_persist_proposes: Entry
    blasts_max: Entry
    weight_change_max: Entry
    weight_gain_fluid: Entry
    qtcf_note: Entry
    qtcf_max: Entry
    qtcf_stop: Entry
    qtcf_rise_max: Entry
    potassium_min: Entry
    potassium_later_min: Entry
    potassium_later_note: Entry
    potassium_later_age: Entry
    fever: Entry
    toxicity_grade: Entry
    toxicity_of_the_blood: Entry
    interruption_max: Entry
    interruption_reduce: Entry
    interruption_stop: Entry
    recovery_alert: Entry
    recovery_max: Entry
    transfusion_washout: Entry
    filgrastim_washout: Entry
    pegfilgrastim_washout: Entry
    cytoreduction_max: Entry


class Levels(Written):
    """Dose levels after toxicity: what each reduction leaves, and which dose is left out at L2 (DUR-03, DUR-04, LVL)."""

    factor: Entry
    dropped_day: Entry


class DataAges(Written):
    """What a dose needs and how old it may be at the start (DATA-01 … DATA-03); `inf` spans are not used."""

    cbc_first: Entry
    cbc_day_1: Entry
    cbc_later: Entry
    liver: Entry
    qtcf: Entry
    electrolytes: Entry
    tls_chemistry: Entry
    pregnancy: Entry
    weight_first: Entry
    weight_day_1: Entry
    weight_later: Entry
    examination: Entry
    future_tolerance: Entry
    cbc_analytes: Entry
    liver_analytes: Entry
    electrolyte_analytes: Entry
    tls_analytes: Entry


class Premedicating(Written):
    """Premedication before every dose (PRE-01, PRE-07)."""

    classes: Entry
    earliest: Entry
    latest: Entry
    mandatory: Entry


class Preparing(Written):
    """Concentration, vials and the reconstitution clocks (PREP, VIAL, BSA, RND)."""

    concentration: Entry
    vial_content: Entry
    vial_labelled: Entry
    bag_volume: Entry
    rate: Entry
    to_dilution: Entry
    to_end: Entry
    infusion: Entry
    bsa_formula: Entry
    dose_decimals: Entry
    rounding_max: Entry
    bag_min_dose: Entry
    bag_max_dose: Entry


class Observing(Written):
    """Observation after the end of the infusion, vital signs, reactions (INF-02, INF-03, IRR-01)."""

    minimum: Entry
    overdue_after: Entry
    infusion_overdue_after: Entry
    vital_signs_before: Entry
    vital_signs_first: Entry
    vital_signs_second: Entry
    vital_signs_later: Entry
    vital_signs_early: Entry
    vital_signs_overdue_after: Entry
    stop_grade: Entry
    running_grade: Entry
    death_grade: Entry
    ends_call_before: Entry
    infusion_fit: Entry
    resume_rate: Entry


class Monitoring(Written):
    """What is watched when, from the first dose to the end of monitoring (MON-01 … MON-17)."""

    after_dose_from: Entry
    after_dose_until: Entry
    abnormal_from: Entry
    abnormal_until: Entry
    weekly: Entry
    grace: Entry
    last_dose_days: Entry
    transplant_first_until: Entry
    transplant_second_until: Entry
    transplant_last_day: Entry
    transplant_first: Entry
    transplant_second: Entry
    transplant_third: Entry
    suspected: Entry
    before_dose: Entry
    blood_count: Entry
    qt_drug: Entry
    tls_analytes: Entry
    tls_first_from: Entry
    tls_first_until: Entry
    tls_second: Entry
    tls_third: Entry
    tls_fourth: Entry
    tls_fifth: Entry
    tls_early: Entry
    tls_late: Entry
    pancreas: Entry
    prophylaxis_since: Entry
    prophylaxis_again: Entry
    contraception_women: Entry
    contraception_men: Entry
    breast_feeding: Entry
    marrow_from: Entry
    marrow_until: Entry
    marrow_cycles: Entry
    daily_examination_until: Entry


class GradeRow(Written):
    """One row of CTCAE: which tests it grades and where each grade begins; a grade without a limit does not exist.

    `baseline` restricts it to tests that were normal or abnormal (above ULN) before the first dose (CTN-01).
    `feeds_non_06`: a grade holds a dose (NON-10). `noted`: a grade is said on the card and never holds.
    """

    term: str
    analytes: tuple[str, ...]
    baseline: Literal["any", "normal", "abnormal"] = "any"
    feeds_non_06: bool = False
    noted: bool = False
    grade_1: tuple[Cut, ...] = ()
    grade_2: tuple[Cut, ...] = ()
    grade_3: tuple[Cut, ...] = ()
    grade_4: tuple[Cut, ...] = ()


class Grading(Written):
    """The grades of toxicity (CTCAE): the version pinned (CTN-07) and its rows by clause."""

    version: Entry
    noted_from: Entry
    noted_for: Entry
    rows: dict[str, GradeRow]


class SeverityLimits(Written):
    """How grave VOD is (SEV-01 … SEV-06), adults first; bilirubin in umol/L, transaminases in multiples of the ULN."""

    criteria_needed: Entry
    risk_factors_needed: Entry
    days_severe_until: Entry
    days_moderate_until: Entry
    bilirubin_mild_from: Entry
    bilirubin_moderate_from: Entry
    bilirubin_severe_from: Entry
    bilirubin_very_severe_from: Entry
    doubling: Entry
    doubling_within: Entry
    transaminases_moderate_above: Entry
    transaminases_severe_above: Entry
    transaminases_very_severe_above: Entry
    weight_moderate_from: Entry
    weight_very_severe_from: Entry
    creatinine_moderate_from: Entry
    creatinine_severe_from: Entry
    creatinine_very_severe_from: Entry
    platelets_moderate_from: Entry
    platelets_severe_from: Entry
    filtration_mild_below: Entry
    filtration_moderate_below: Entry
    filtration_severe_below: Entry
    filtration_very_severe_below: Entry


class RiskLimits(Written):
    """What makes VOD likelier (RISK-01, RISK-02)."""

    alkylators: Entry
    alkylator_names: Entry
    age_high: Entry
    age_higher: Entry
    salvage_line_from: Entry
    cycles_above: Entry


class LysisLimits(Written):
    """Tumour lysis (TLS-01, TLS-02): limits as printed in each unit."""

    before: Entry
    after: Entry
    within: Entry
    tests_needed: Entry
    clinical_signs: Entry
    potassium: tuple[Cut, ...]
    phosphate: tuple[Cut, ...]
    phosphate_child: tuple[Cut, ...]
    calcium: tuple[Cut, ...]
    urate: tuple[Cut, ...]
    creatinine_rise: tuple[Cut, ...]


class CriticalRow(Written):
    """Alert limits of one test; past an `urgent` one it is said as urgent."""

    alert: tuple[Cut, ...]
    urgent: tuple[Cut, ...] = ()


class CriticalLimits(Written):
    """Values that are said at once (CRIT-01); those of an expected nadir once (`nadirs`)."""

    nadirs: Entry
    bilirubin_rise: Entry
    rise_within: Entry
    rows: dict[str, CriticalRow]


class ResponseLimits(Written):
    """What a response means (RESP-01 … RESP-04); not the limits for treating again."""

    marrow_blasts_below: Entry
    platelets_from: Entry
    anc_from: Entry
    mrd_below: Entry
    transfusion_free: Entry
    growth_factor_free: Entry
    counts_within: Entry


class Calling(Written):
    """How soon a person must have looked at what only a person can settle (ALERT)."""

    gravest: Entry
    urgent: Entry
    ordinary: Entry
    snooze_max: Entry


class Plausible(Written):
    """Limits of one analyte in its canonical unit (PLAU-01).

    Outside `low` … `high` the result is refused. An upper limit of normal is measured by `usual_uln` and confirmed by a
    person outside `uln_low` … `uln_high`, a measurement of an adult's body below `adult_low`.
    """

    low: Entry
    high: Entry
    usual_uln: Entry | None = None
    uln_low: Entry | None = None
    uln_high: Entry | None = None
    adult_low: Entry | None = None


class Confirming(Written):
    """What a person looks at before it counts (PLAU-01): limits of normal and jumps from draw to draw."""

    uln_multiple: Entry
    bilirubin_fold: Entry
    bilirubin_within: Entry
    platelets_rise: Entry
    platelets_within: Entry
    same_message_apart: Entry
    seconds_below: Entry


class EcgLimits(Written):
    """When a QT interval is not computed without a person's review (QT-06)."""

    heart_rate_min: Entry
    heart_rate_max: Entry
    qrs_max: Entry


class Protocol(Written):
    """One effective protocol: numbers by subject, rules by id, sources by key."""

    name: str
    title: str
    extends: str | None = None
    sources: dict[str, str]
    regimen: Regimen
    eligible: Eligible
    prompts: Prompting
    liver: LiverLimits
    vod: VodLimits
    ctcae: Grading
    severity: SeverityLimits
    risk: RiskLimits
    tumour_lysis: LysisLimits
    critical: CriticalLimits
    response: ResponseLimits
    limits: OtherLimits
    levels: Levels
    ages: DataAges
    premedication: Premedicating
    preparation: Preparing
    observation: Observing
    monitoring: Monitoring
    calls: Calling
    plausible: dict[str, Plausible]
    confirm: Confirming
    ecg: EcgLimits
    aliases: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Sender -> its word for a unit -> the UCUM unit; from the site file only (CONV-01)."""
    rules: dict[str, RuleInfo]

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Every leaf with its path, in the order of the file."""
        yield from _leaves(self, "")

    @cached_property
    def divergences(self) -> tuple[str, ...]:
        """The divergences from the label that this protocol's own entries name; each must be acknowledged by id."""
        named = {e.divergence for _, e in self.entries()} | {r.divergence for r in self.rules.values()}
        return tuple(sorted(d for d in named if d))

    def rule(self, rule_id: str) -> RuleInfo:
        """What is known of a rule. Raises `KeyError` for one that this protocol does not list."""
        return self.rules[rule_id]


def _leaves(value: object, path: str) -> Iterator[tuple[str, Entry]]:
    if isinstance(value, Entry):
        yield path, value
    elif isinstance(value, Written):
        for field in type(value).model_fields:
            yield from _leaves(getattr(value, field), f"{path}.{field}".lstrip("."))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, tuple):
        for item in value:
            if isinstance(item, Cut):
                yield f"{path}[{item.sign} {item.unit}]", item
