"""Who may take back an answer that speaks against a dose by answering the question anew (EU-04, MON-16, ELIG-01)."""

from datetime import timedelta
from typing import Any, get_args

import pytest

from clinical.chart.answers import AGAINST, NOT_ASKED_ANEW
from clinical.coding.marks import TAGS
from models.assessment import Verdict
from models.base import Frozen
from models.facts import Consent, Eligibility, Findings, InfectionBleedingCheck, MedicalHistory
from models.people import Role
from tests.factories import D1, EU, LABEL, ChartBuilder, PaperCourse, standing_rules

HOUR = timedelta(hours=1)
HOLDING = {
    **{(MedicalHistory, name): "EU-04" for name in ("hypersensitivity", "severe_vod", "vod_ongoing")},
    (MedicalHistory, "serious_liver_disease"): "EU-04",
    **{(Eligibility, name): "ELIG-01" for name in ("cd22_positive", "b_cell_precursor_all", "relapsed_or_refractory")},
    **{(InfectionBleedingCheck, name): "MON-16" for name in ("infection", "active_bleeding")},
    (Consent, "given"): "CONSENT",
}
"""What holds a dose by itself, and the rule that says so; the other answers only speak beside others."""
WHOLE: dict[type[Frozen], dict[str, Any]] = {
    InfectionBleedingCheck: {"temperature_c": "36.8", "active_bleeding": False},
    Eligibility: {"method": "PCR"},
}
"""What belongs to an answer besides."""
ANSWERED_BY = (
    (Role.PHYSICIAN, Role.NURSE, False),
    (Role.PRESCRIBER, Role.PHARMACIST, False),
    (Role.PHYSICIAN, Role.LABORATORY, False),
    (Role.NURSE, Role.LABORATORY, False),
    (Role.NURSE, Role.COORDINATOR, False),
    (Role.PHYSICIAN, Role.PRESCRIBER, True),
    (Role.PRESCRIBER, Role.PHYSICIAN, True),
    (Role.NURSE, Role.NURSE, True),
    (Role.NURSE, Role.PHYSICIAN, True),
    (Role.COORDINATOR, Role.NURSE, True),
)


def answer(kind: type[Frozen], name: str, *, against: bool) -> dict[str, Any]:
    said = AGAINST[kind][name]
    return {"kind": TAGS[kind], **WHOLE.get(kind, {}), name: said if against else not said}


@pytest.mark.parametrize(("yes", "no", "may"), ANSWERED_BY)
@pytest.mark.parametrize(("kind", "name"), HOLDING, ids=lambda one: one if isinstance(one, str) else one.__name__)
def test_an_answer_against_a_dose_is_taken_back_only_by_who_may(
    kind: type[Frozen], name: str, yes: Role, no: Role, may: bool
) -> None:
    course = PaperCourse(ChartBuilder(EU).ready(), D1)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    with course.charting() as chart:
        chart.add(answer(kind, name, against=True), D1 - 3 * HOUR / 4, yes)
    rule = HOLDING[kind, name]
    assert standing_rules(course.card) == [rule]
    with course.charting() as chart:
        chart.add(answer(kind, name, against=False), D1 - HOUR / 2, no)
    assert standing_rules(course.card) == ([] if may else [rule])
    with course.charting() as chart:  # whose word it needs settles it, whatever was said in between
        chart.add(answer(kind, name, against=False), D1 - HOUR / 4, Role.PRESCRIBER)
    assert standing_rules(course.card) == []


def test_a_nurse_who_asks_again_does_not_lift_what_two_people_must_sign_for() -> None:
    """EU-04, OVR-02 by the commands themselves: outside the EU the dose waits for two signatures, not for a third opinion."""
    course = PaperCourse(ChartBuilder(LABEL).ready(), D1)
    for by, there in ((Role.PHYSICIAN, True), (Role.NURSE, True), (Role.NURSE, False)):
        course.does("record_finding", by, finding={"kind": "medical_history", "severe_vod": there})
        assert standing_rules(course.card) == ["EU-04"]
    course.does("record_finding", Role.PRESCRIBER, finding={"kind": "medical_history", "severe_vod": False})
    assert course.card.verdict is Verdict.MAY_AUTHORISE


def test_a_sign_that_a_physician_saw_is_looked_for_again_by_a_physician() -> None:
    """VOD-13: with another sign it is what a definition is made of."""
    chart = ChartBuilder(LABEL).ready()
    for by, there, more in ((Role.PHYSICIAN, True, {}), (Role.NURSE, False, {"hepatomegaly": False, "oedema": False})):
        seen = {"kind": "vod_examination", "ascites": there, "ruq_pain": False, **more}
        chart.add(seen, D1 - HOUR / 2 if by is Role.PHYSICIAN else D1 - HOUR / 4, by)
    course = PaperCourse(chart, D1)
    assert any("ascites" in f.reason for f in course.card.findings if f.rule == "ALERT-01")
    with course.charting() as charted:
        charted.add({"kind": "vod_examination", "ascites": False}, D1 - HOUR / 8, Role.PHYSICIAN)
    assert not any("ascites" in f.reason for f in course.card.findings if f.rule == "ALERT-01")


def yes_or_no(kind: type[Frozen]) -> set[str]:
    return {
        name for name, field in kind.model_fields.items() if bool in (field.annotation, *get_args(field.annotation))
    }


def test_every_question_of_yes_and_no_says_which_answer_speaks_against_a_dose() -> None:
    asked = {kind: yes_or_no(kind) for kind in get_args(Findings) if yes_or_no(kind)}
    assert {kind: set(names) for kind, names in AGAINST.items()} == {
        kind: names for kind, names in asked.items() if kind not in NOT_ASKED_ANEW
    }
    assert asked.keys() >= NOT_ASKED_ANEW.keys()
