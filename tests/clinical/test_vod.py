"""VOD-01 … VOD-12 and the ladder A0 … A4: each definition met, not met and unknown; a physician alone judges."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.vod.alerts import ladder
from clinical.vod.vod import answers, at_least
from clinical.vod.vod_signs import Part, Signs
from models.assessment import CourseState, Finding, Verdict
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

H, DAY = timedelta(hours=1), timedelta(days=1)
DAY_0 = D1 + 60 * DAY
NONE = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)


def transplanted(
    day: int, *, bilirubin: str | None = "0.8", kg: str | None = "70", unit: str = "mg/dL", **signs: Any
) -> PaperCourse:
    """So many days after transplant; before conditioning the invented patient weighed 70 kg, ULN of bilirubin is 1.2 mg/dL."""
    chart, now = ChartBuilder().ready().dose(1, 1, D1), DAY_0 + day * DAY
    chart.add({"kind": "weight", "kg": "70"}, DAY_0 - 10 * DAY)
    chart.add({"kind": "transplant", "transplanted_at": DAY_0}, DAY_0, Role.PHYSICIAN)
    uln = Decimal("1.2") if unit == "mg/dL" else Decimal("20.5")
    chart.result("bilirubin", bilirubin, now - 2 * H, unit=unit, uln=uln)
    chart.add({"kind": "weight", "kg": kg}, now - 2 * H)
    chart.add({"kind": "vod_examination", **NONE, **signs}, now - H, Role.PHYSICIAN)
    return PaperCourse(chart, now)


def case_of(course: PaperCourse) -> Case:
    return Case(course.chart, course.protocol, course.now)


def met(course: PaperCourse) -> list[str]:
    return [clause for clause, answer in answers(Signs(case_of(course))).items() if answer.answer]


PAINFUL = {"hepatomegaly": True, "painful_hepatomegaly": True}


@pytest.mark.parametrize(
    ("number", "given", "answer"),
    [
        (2, [True, True, None], True),
        (2, [True, None, False], None),
        (2, [None, False, False], False),
        (2, [True, False, False], False),
        (1, [], False),
    ],
)
def test_so_many_of_several_are_unknown_only_while_the_unknown_could_decide(
    number: int, given: list[bool | None], answer: bool | None
) -> None:
    assert at_least(number, map(Part, given)).answer is answer


@pytest.mark.parametrize(
    ("course", "clauses"),
    [
        (
            transplanted(10, bilirubin="2.4", kg="74.2", ascites=True),
            "VOD-01 VOD-02 VOD-03 VOD-05 VOD-06 VOD-11",
        ),  # SC-41
        (transplanted(10, bilirubin="1.9", kg="74.2", **PAINFUL), "VOD-01 VOD-05 VOD-11"),  # SC-42
        (transplanted(21, bilirubin="2.4", kg="74.2", ascites=True), "VOD-02 VOD-03 VOD-05 VOD-06 VOD-11"),  # SC-44
        (transplanted(22, bilirubin="2.4", kg="74.2", ascites=True), "VOD-04 VOD-05 VOD-06 VOD-11"),  # SC-44
        (transplanted(20, bilirubin="2.4", kg="71.5"), "VOD-01"),
        (transplanted(21, bilirubin="2.4", kg="71.5"), ""),
        (transplanted(10, bilirubin="2.4", kg="71.4"), ""),  # exactly 2 %
        (transplanted(10, bilirubin="2.4", kg="71.76"), "VOD-01 VOD-11"),  # above 2.5 %
        (transplanted(10, bilirubin="2.4", kg="71.75"), "VOD-01"),  # exactly 2.5 %
        (transplanted(10, bilirubin="0.8", kg="73.5", **PAINFUL), "VOD-01 VOD-11"),  # exactly 5 %
        (transplanted(10, bilirubin="0.8", kg="73.51", **PAINFUL), "VOD-01 VOD-05 VOD-11"),
        (transplanted(10, bilirubin="1.988", kg="71.5"), "VOD-01"),  # 34 umol/L in mg/dL (AMB-12)
        (transplanted(10, bilirubin="1.987", kg="71.5"), ""),
        (transplanted(10, bilirubin="34", unit="umol/L", kg="71.5"), "VOD-01"),
        (transplanted(10, bilirubin="33.9", unit="umol/L", kg="71.5"), ""),
        (transplanted(10, ascites=True), ""),
    ],
)
def test_vod_01_to_vod_11_are_met_from_their_limits_on(course: PaperCourse, clauses: str) -> None:
    assert " ".join(met(course)) == clauses


def test_vod_07_tissue_or_pressure_proves_it_and_a10_mmhg_is_enough() -> None:
    for evidence, proven in (
        ({"method": "hvpg", "hvpg_mmhg": "9.9"}, False),
        ({"method": "hvpg", "hvpg_mmhg": "10"}, True),
        ({"method": "histology", "suggests_vod": True}, True),
        ({"method": "ultrasound", "suggests_vod": True}, False),
    ):
        course = transplanted(10)
        course.does("record_finding", Role.PHYSICIAN, finding={"kind": "imaging", **evidence})
        assert ("VOD-07" in met(course)) is proven
        assert (ladder(case_of(course)).step == 4) is proven


def test_vod_12_without_a_transplant_the_definitions_without_a_day_hold() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D1 + 7 * DAY, bilirubin="2.4", kg="74.2")
    chart.add({"kind": "vod_examination", **NONE, "ascites": True}, D1 + 7 * DAY, Role.PHYSICIAN)
    assert met(PaperCourse(chart, D1 + 7 * DAY)) == ["VOD-05", "VOD-06", "VOD-11"]


def test_vod_10_is_for_children_only() -> None:
    for born, child in (("2010-01-01", True), ("1981-01-15", False)):
        chart = ChartBuilder(birth_on=date.fromisoformat(born)).ready().dose(1, 1, D1)
        seen = {**NONE, "hepatomegaly": True, "refractory_thrombocytopenia": True}
        chart.add({"kind": "vod_examination", **seen}, D1 + DAY, Role.PHYSICIAN)
        assert ("VOD-10" in met(PaperCourse(chart, D1 + DAY))) is child


def test_alert_09_what_nobody_examined_is_unknown_and_never_none() -> None:
    fresh = transplanted(10)
    assert not ladder(case_of(fresh)).unknown
    assert ladder(case_of(fresh.later(days=2))).unknown
    assert "ALERT-09" in [f.rule for f in fresh.card.findings]


def test_alert_01_one_sign_alone_is_watched() -> None:
    card = transplanted(10, ascites=True).card
    assert (card.verdict, [f.rule for f in card.findings if f.rule.startswith("ALERT")]) == (
        Verdict.NO_DOSE_DUE,
        ["ALERT-01"],
    )


# ── judgement ──────────────────────────────────────────────────────────────────────────────────────────────────────


def suspected() -> PaperCourse:
    return transplanted(10, bilirubin="2.4", kg="74.2", ascites=True)


def vod_findings(course: PaperCourse) -> list[Finding]:
    return [f for f in course.card.findings if f.rule.startswith("VOD")]


def test_sc_41_vod_holds_urgently_and_calls_a_physician() -> None:
    course = suspected()
    assert course.card.verdict is Verdict.HOLD_URGENT
    call = next(o for o in course.card.obligations if o.key == "vod-judgement")
    assert (call.owner, call.standing, call.rule) == (Role.PHYSICIAN, "overdue", "ALERT-02")


def test_time_never_lowers_a_suspicion() -> None:
    assert suspected().later(days=60).card.verdict is Verdict.HOLD_URGENT


def test_non_01_a_physician_confirms_and_the_drug_is_stopped_for_good() -> None:
    course = suspected()
    course.does("judge_vod", Role.PHYSICIAN, judgement="confirmed")
    assert course.card.verdict is Verdict.DISCONTINUED
    assert "NON-01" in [f.rule for f in course.card.standing]
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2).type == "DoseGateClosed"
    course.does("judge_vod", Role.PHYSICIAN, judgement="resolved")
    assert course.card.verdict is Verdict.DISCONTINUED


def test_cor_02_a_confirmation_that_was_an_error_stands_until_two_people_say_so() -> None:
    course = suspected()
    told = course.does("judge_vod", Role.PHYSICIAN, judgement="confirmed")
    course.does("correct_fact", Role.PRESCRIBER, target=told.id, replacement=None, reason="another patient")
    assert (course.card.state, course.card.verdict) == (CourseState.CORRECTION_REVIEW, Verdict.DISCONTINUED)


def test_vod_09_an_exclusion_names_the_other_cause_and_covers_what_was_seen() -> None:
    course = suspected()
    assert course.refused("judge_vod", Role.PHYSICIAN, judgement="excluded").type == "OtherCauseRequired"
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="heart failure")
    assert course.card.verdict is Verdict.NO_DOSE_DUE
    assert all(f.verdict is None for f in vod_findings(course))


@pytest.mark.parametrize(
    ("sign", "opens"),
    [
        ({"kind": "vod_examination", **NONE, "ascites": True}, False),
        ({"kind": "vod_examination", **NONE, "ascites": True, "ruq_pain": True}, True),
        ({"kind": "weight", "kg": "74.2"}, False),
        ({"kind": "weight", "kg": "74.3"}, True),
        ({"kind": "weight", "kg": "74.0"}, False),
    ],
    ids=["the same", "a new sign", "the same weight", "more weight", "less weight"],
)
def test_a_new_or_worse_sign_opens_an_exclusion_again(sign: dict[str, Any], opens: bool) -> None:
    course = suspected()
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="heart failure")
    course.later(hours=1).does("record_finding", Role.PHYSICIAN, finding=sign)
    assert (course.card.verdict is Verdict.HOLD_URGENT) is opens


def test_a_physician_may_suspect_vod_without_a_definition_and_must_settle_it() -> None:
    course = transplanted(10)
    course.does("judge_vod", Role.PHYSICIAN, judgement="suspected")
    assert course.card.verdict is Verdict.HOLD_URGENT
    course.does("judge_vod", Role.PHYSICIAN, judgement="resolved")
    assert course.card.verdict is Verdict.NO_DOSE_DUE


def test_a_nurse_does_not_judge_and_nobody_overrides() -> None:
    course = suspected()
    assert course.refused("judge_vod", Role.NURSE, judgement="suspected").type == "RoleNotAllowed"
    assert {f.override for f in vod_findings(course)} == {"never"}


def test_cor_01_a_retracted_examination_leaves_no_sign() -> None:
    course = suspected()
    examined = next(f.id for f in reversed(course.chart.facts) if f.what.kind == "vod_examination")
    course.does("correct_fact", Role.PHYSICIAN, target=examined, replacement=None, reason="another patient")
    assert met(course) == ["VOD-01", "VOD-05", "VOD-11"]
