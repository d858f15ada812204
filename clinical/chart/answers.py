"""Which answer to a question speaks against a dose, and who may take it back by answering the question anew (EU-04, MON-16).

A later no of somebody who may decide less than who said yes is heard and settles nothing: a physician's yes stands until a
physician or prescriber says no, a nurse's until anybody of the ward does, and what a machine says takes back no person's.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from models.base import Frozen
from models.facts import (
    Allergy,
    Consent,
    Eligibility,
    Fact,
    Imaging,
    InfectionBleedingCheck,
    MedicalHistory,
    Medication,
    Prophylaxis,
    Toxicity,
    ToxicityAttribution,
    VodExamination,
)
from models.people import CLINICAL_ROLES, PHYSICIANS, Role

AGAINST: Final[Mapping[type[Frozen], Mapping[str, bool]]] = MappingProxyType(
    {
        Consent: {"given": False},
        Eligibility: {
            **dict.fromkeys(("cd22_positive", "b_cell_precursor_all", "relapsed_or_refractory", "tki_failed"), False),
            "ph_positive": True,
        },
        MedicalHistory: dict.fromkeys(
            (
                *("hypersensitivity", "severe_vod", "vod_ongoing", "serious_liver_disease"),
                *("liver_disease", "transplant_before"),
            ),
            True,
        ),
        InfectionBleedingCheck: dict.fromkeys(("infection", "active_bleeding", "anaemia_symptoms"), True),
        VodExamination: dict.fromkeys(
            (
                *("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"),
                *("refractory_thrombocytopenia", "weight_gain_despite_diuretics", "multi_organ_dysfunction"),
                "new_cognitive_impairment",
            ),
            True,
        ),
    }
)
"""Of each kind of fact its questions of yes and no, each with the answer that speaks against a dose."""

NOT_ASKED_ANEW: Final[Mapping[type[Frozen], str]] = MappingProxyType(
    {
        Allergy: "stands until it is corrected",
        Imaging: "each finding stands for itself (VOD-13)",
        Medication: "an event of one drug",
        Prophylaxis: "what was given; nothing of it holds a dose",
        Toxicity: "graded anew over time; only a physician's attribution counts (NON-10)",
        ToxicityAttribution: "said by physicians alone",
    }
)
"""Kinds with a yes or no that no later fact of the kind answers anew, and why."""


def _weight(role: Role) -> int:
    return (role in CLINICAL_ROLES) + (role in PHYSICIANS)


def heard(told: Sequence[tuple[Fact, Any]]) -> tuple[tuple[Fact, Any], ...]:
    """The facts of one kind, oldest first, without each answer that takes back what its speaker may not."""
    if not told:
        return ()
    against = AGAINST[type(told[0][1])]
    standing: dict[str, int] = {}
    found = []
    for fact, what in sorted(told, key=lambda pair: pair[0].at):
        weight, left_out = _weight(fact.by.role), []
        for name, answer in against.items():
            said = getattr(what, name)
            if said is answer:
                standing[name] = max(weight, standing.get(name, 0))
            elif said is not None and weight < standing.get(name, 0):
                left_out.append(name)
            elif said is not None:
                standing.pop(name, None)
        if not left_out:
            found.append((fact, what))
        elif not any(type(what).model_fields[name].is_required() for name in left_out):
            found.append((fact, what.model_copy(update=dict.fromkeys(left_out))))
    return tuple(found)
