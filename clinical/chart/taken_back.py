"""Who may say of a fact that it was wrong, by its kind, and what must be answered again in its place (COR-01, E1).

What holds a dose, calls somebody or gives the dose its size is taken back by a physician only; that a dose was given, by
the prescriber. What nobody takes back so is withdrawn by a command of its own, or written by the service.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from clinical.chart.reading import NOT_ANSWERED, Reading
from models.base import Frozen
from models.facts import (
    Ecg,
    Eligibility,
    Fact,
    Imaging,
    InfectionBleedingCheck,
    LabResult,
    MedicalHistory,
    Reaction,
    ResponseRecorded,
    ResultConfirmed,
    VitalSigns,
    VodExamination,
)
from models.people import CLINICAL_ROLES, PHYSICIANS, Role

NOBODY: Final[frozenset[Role]] = frozenset()
_PRESCRIBER: Final = frozenset({Role.PRESCRIBER})

TAKEN_BACK_BY: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        # measured, looked for, told: each may hold, call, or size the dose
        "lab_result": PHYSICIANS,
        "consent": PHYSICIANS,
        "eligibility": _PRESCRIBER,
        "medical_history": PHYSICIANS,
        "allergy": PHYSICIANS,
        "pregnancy_test": PHYSICIANS,
        "height": PHYSICIANS,
        "weight": PHYSICIANS,
        "weight_accepted": _PRESCRIBER,
        "vital_signs": PHYSICIANS,
        "ecg": PHYSICIANS,
        "vod_examination": PHYSICIANS,
        "imaging": PHYSICIANS,
        "infection_bleeding": PHYSICIANS,
        "toxicity": PHYSICIANS,
        "toxicity_attribution": PHYSICIANS,
        "bilirubin_cause": PHYSICIANS,
        "cytopenia_attribution": PHYSICIANS,
        "medication": PHYSICIANS,
        "transfusion": PHYSICIANS,
        "g_csf": PHYSICIANS,
        "cytoreduction": PHYSICIANS,
        "reaction": PHYSICIANS,
        "infusion_interrupted": PHYSICIANS,
        "risk_accepted": PHYSICIANS,
        "response": PHYSICIANS,
        "response_proposed": PHYSICIANS,
        "vod_judged": PHYSICIANS,
        "transplant": PHYSICIANS,
        "course_closed": PHYSICIANS,
        "unreadable_resolved": PHYSICIANS,
        # a dose was given
        "infusion_started": _PRESCRIBER,
        "administration": _PRESCRIBER,
        # only ever speaks for going on: without it less may happen
        "premedication": CLINICAL_ROLES,
        "prophylaxis": CLINICAL_ROLES,
        "result_confirmed": CLINICAL_ROLES,
        "infusion_completed": CLINICAL_ROLES,
        "observation_ended": CLINICAL_ROLES,
        "call_acknowledged": CLINICAL_ROLES,
        "call_snoozed": CLINICAL_ROLES,
        # of one role alone
        "preparation": frozenset({Role.PHARMACIST}),
        **dict.fromkeys(("dosing_finished", "discontinued", "no_transplant", "transplant_planned"), _PRESCRIBER),
        # withdrawn by a command of its own
        **dict.fromkeys(("dose_authorised", "dose_verified", "hold", "hold_released", "override"), NOBODY),
        **dict.fromkeys(("cycle_started", "cycle_extended", "countersigned", "dose_decided"), NOBODY),
        **dict.fromkeys(("rounding_chosen", "dropped_dose_chosen", "protocol_amended"), NOBODY),
        **dict.fromkeys(("divergence_acknowledged", "transplant_plan_withdrawn", "infusion_resumed"), NOBODY),
        **dict.fromkeys(("correction", "fact_set_aside", "record_reconciled"), NOBODY),
        # written by the service, or by a machine that takes it back itself
        **dict.fromkeys(("rung_fired", "obligation_met", "monitoring_started", "unreadable_message"), NOBODY),
        **dict.fromkeys(("result_withdrawn", "record_compared", "without_record"), NOBODY),
    }
)
"""Every kind of fact, and who may take one of it back or put another in its place."""


def refusal(wrong: Frozen, by: Role, replacement: Any) -> tuple[str, str] | None:
    """Why somebody may not say that a fact was wrong, or not put this in its place (`None`: nothing), by type and in words."""
    kind, may = str(wrong.kind), TAKEN_BACK_BY[wrong.kind]  # type: ignore[attr-defined]
    if may == NOBODY:
        return "NotCorrectable", f"a fact of kind {kind} is not corrected; use the command that withdraws it"
    if by not in may:
        return "RoleNotAllowed", f"a fact of kind {kind} is corrected by: {', '.join(sorted(may))}"
    if replacement is not None and replacement.kind != kind:
        return "NotCorrectable", f"a {replacement.kind} cannot stand in place of a {kind}"
    open_again = () if replacement is None else left_open(wrong, replacement)
    if open_again:
        reason = f"what stands in place of a {kind} answers what that answered: {', '.join(open_again)}"
        return "SaysNothing", reason
    return None


def unsettled_corrections(reading: Reading) -> Iterator[tuple[Fact, Fact, str]]:
    """Each fact that was taken back as it may not be, with its last correction and why; a chart may have come about so.

    Who may take it back settles it: by a correction of his own, or by confirming the one that stands.
    """
    confirmed = {(what.target, fact.by.role) for fact, what in reading.of(ResultConfirmed)}
    for first, stands, last in reading.corrections():
        may = TAKEN_BACK_BY[first.what.kind]
        why = refusal(first.what, last.by.role, None if stands is None else stands.what)
        if why is not None and not any((last.id, role) in confirmed for role in may):
            yield first, last, why[1]


_ASKED: Final[Mapping[type[Frozen], tuple[str, ...]]] = MappingProxyType(
    {
        LabResult: ("value",),
        Reaction: ("grade",),
        ResponseRecorded: ("marrow_blasts_percent", "mrd_negative", "extramedullary_disease"),
        **{
            kind: tuple(name for name in kind.model_fields if name != "kind")
            for kind in (Ecg, Eligibility, Imaging, InfectionBleedingCheck, MedicalHistory, VitalSigns, VodExamination)
        },
    }
)
"""What a fact of these kinds is asked, any of which it may leave open."""

_AS_WELL: Final = MappingProxyType({"qtcf_ms": ("qt_ms", "heart_rate_per_min"), "qt_ms": ("qtcf_ms",)})
"""Answers that these give too: a QTcF is computed from its QT and heart rate (LAB-01)."""


def left_open(wrong: Frozen, replacement: Frozen) -> tuple[str, ...]:
    """What the wrong fact said and its replacement leaves open: an empty check, or an ECG without a value, lifts nothing.

    A plain no speaks against no dose, but in eligibility.
    """
    answers = {name: getattr(wrong, name) for name in _ASKED.get(type(wrong), ())}
    no_matter = not isinstance(wrong, Eligibility)
    said = [
        name for name, answer in answers.items() if answer not in NOT_ANSWERED and not (no_matter and answer is False)
    ]
    return tuple(name for name in said if not _says(replacement, name))


def _says(replacement: Frozen, name: str) -> bool:
    """An empty list is an answer where another stood: there are none."""
    return any(
        all(getattr(replacement, field) is not None for field in fields)
        for fields in ((name,), *((_AS_WELL[name],) if name in _AS_WELL else ()))
    )
