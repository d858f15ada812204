"""What is said fits what is known: each sentence here once told its reader something that was not so."""

from datetime import timedelta
from typing import Any

import pytest

from models.assessment import CourseState, Finding, Receipt, Verdict
from models.people import Role
from tests.factories import ARTICLE, D1, LABEL, ChartBuilder, PaperCourse, a_lab

MIN, H, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
D8 = D1 + 7 * DAY


def said(course: PaperCourse, rule: str) -> list[str]:
    return [f.reason for f in course.card.findings if f.rule == rule]


def on_day_8(**values: str) -> PaperCourse:
    return PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, **values), D8)


# ── the clause that is cited ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("days", "rule"), [(6, "DUR-01"), (7, "DUR-02"), (9, "DUR-02"), (13, "DUR-02"), (14, "DUR-03")]
)
def test_an_interruption_cites_the_clause_of_its_length_with_the_confidence_of_that_clause(
    days: int, rule: str
) -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR")
    planned = D1 + 21 * DAY
    chart.result("alt", "160", planned - H)
    course = PaperCourse(chart, planned + days * DAY + H)
    (found,) = [f for f in course.card.findings if f"interrupted for toxicity for {days} days" in f.reason]
    assert (found.rule, found.confidence) == (rule, course.protocol.rules[rule].confidence)


# ── before the dose ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dose_that_may_be_given_late_is_not_said_to_have_been_given() -> None:
    now = D1 + 12 * DAY
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(now), now)
    late = {"cycle": 1, "day": 8, "decision": "give", "cause": "logistics", "reason": "no bed"}
    course.does("decide_dose", Role.PRESCRIBER, **late)
    (words,) = said(course, "DAY-04")
    assert words == "may be given late, by decision of prescriber:prescriber-1 because of logistics: no bed"


def test_a_refused_start_is_headed_by_what_is_missing_and_not_by_a_permission() -> None:
    course = on_day_8().authorised(1, 8)
    refused = course.refused(
        "start_infusion", Role.NURSE, cycle=1, day=8, preparation_id="b", identifiers_checked=["a", "b"]
    )
    assert refused.message.startswith("starting C1D8 is refused: PRE-07: premedication: ")
    assert "IDN-02: no preparation of this dose is charted" in refused.message
    assert not any(str(verdict) in refused.message for verdict in Verdict)


def test_an_earlier_hour_on_the_sixth_day_is_said_before_anybody_signs() -> None:
    now = D1 + 6 * DAY - 2 * H
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(now)
    unsigned = PaperCourse(chart, now)
    assert unsigned.card.verdict is Verdict.MAY_AUTHORISE
    assert len(said(unsigned, "DAY-03")) == 1
    assert not said(PaperCourse(chart, now).authorised(1, 8, earlier_start_reason="transport"), "DAY-03")
    assert not said(PaperCourse(chart, now + 2 * H), "DAY-03")


def test_a_preparation_of_a_signature_that_lapsed_is_named() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    with course.charting() as builder:
        builder.add(a_lab("alt", "45", at=course.now - 30 * MIN), course.now, Role.LABORATORY)
    assert said(course, "IDN-02") == ["the preparation bag-1 belongs to a signature that lapsed: it cannot be started"]
    assert said(PaperCourse(ChartBuilder().ready(D1), D1), "IDN-02") == ["no preparation of this dose is charted"]


@pytest.mark.parametrize(
    ("kg", "cm"), [("70", "168"), ("64.9", "181"), ("50", "150"), ("93.1", "177.5"), ("11.2", "80")]
)
@pytest.mark.parametrize("protocol", [LABEL, ARTICLE])
def test_the_body_surface_that_is_shown_gives_the_dose_that_is_shown(kg: str, cm: str, protocol: str) -> None:
    chart = ChartBuilder(protocol).ready().without("height", "weight")
    chart.add({"kind": "height", "cm": cm}, D1 - DAY)
    chart.add({"kind": "weight", "kg": kg}, D1 - DAY)
    dose = PaperCourse(chart, D1).card.dose
    assert dose is not None
    assert round(dose.mg_per_m2 * dose.bsa_m2 + dose.mg / 10**9, 2) == dose.mg


def test_data_of_a_dose_that_is_too_early_will_be_needed_and_are_not_missing_yet() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + 3 * DAY)
    card = course.card
    assert card.verdict is Verdict.TOO_EARLY
    needed = [f for f in card.findings if f.verdict is Verdict.NEED_DATA]
    assert needed
    assert {card.asked_by(f) for f in needed} == {"will be needed"}
    course.now = D8
    assert {course.card.asked_by(f) for f in course.card.findings if f.verdict is Verdict.NEED_DATA} == {"NEED_DATA"}


# ── liver ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_what_is_above_its_limit_is_said_to_be_above_and_what_is_old_as_old() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(D8 - 3 * DAY, alt="150", ast="28")
    chart.labs(D8 - 2 * H, bilirubin="3.0")
    above = "total bilirubin 3.0 mg/dL (ULN 1.2), ALT 150 U/L (ULN 55) of 2026-03-06"
    assert said(PaperCourse(chart, D8), "NON-02") == [f"bilirubin and ALT or AST above their limits: {above}"]


def test_a_liver_hold_that_stands_while_one_value_is_within_says_that() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(D8 - 3 * DAY, alt="150", bilirubin="3.0")
    chart.labs(D8 - 2 * H, alt="30", ast="28", bilirubin="3.0")
    (words,) = said(PaperCourse(chart, D8), "NON-02")
    assert words.endswith("no panel since has all within; above now: total bilirubin 3.0 mg/dL (ULN 1.2)")


def test_what_clears_the_liver_hold_is_said_in_the_numbers_of_the_laboratory() -> None:
    (found,) = [f for f in on_day_8(bilirubin="3.0", alt="150").card.findings if f.rule == "NON-02"]
    assert "(total bilirubin 1.80 mg/dL, ALT 137.5 U/L, AST 112.5 U/L)" in (found.clears or "")


# ── people ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def overridden(*, countersigned: bool) -> PaperCourse:
    course = on_day_8(alt="160")
    given = course.does("override", Role.PRESCRIBER, cycle=1, day=8, rule="NON-08", reason="benefit outweighs")
    if countersigned:
        course.does("countersign", Role.PHYSICIAN, target=given.id)
    return course


def test_a_finding_that_was_set_aside_says_by_whom_why_and_until_when() -> None:
    (found,) = overridden(countersigned=True).card.set_aside
    assert found.overridden == (
        "set aside by prescriber:prescriber-1 and physician:physician-1: benefit outweighs; "
        "for C1D8 while its values stand, until 2026-03-12 00:00 local time"
    )
    assert overridden(countersigned=True).card.asked_by(found) == "set aside"


def test_a_second_signature_that_is_waited_for_is_the_turn_of_those_who_can_give_it() -> None:
    waiting = overridden(countersigned=False).card
    assert [waiting.owner, *(turn.owner for turn in waiting.others)] == [Role.PHYSICIAN, Role.PHARMACIST]
    assert "sign as the second person" in waiting.next_action
    assert all("countersign " in turn.clears for turn in waiting.others)
    signed = overridden(countersigned=True).card
    assert (signed.owner, signed.others) == (Role.PRESCRIBER, ())


def test_a_correction_that_waits_is_the_turn_of_who_has_not_confirmed_it() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add(
        {"kind": "reaction", "reaction_id": "r", "grade": 3, "resolved_at": (D1 + H).isoformat()}, D1 + H, Role.NURSE
    )
    course = PaperCourse(chart, D1 + 3 * H)
    reaction = next(f for f in course.chart.facts if f.what.kind == "reaction")
    course.does("correct_fact", Role.PHYSICIAN, target=reaction.id, reason="another patient")
    assert (course.card.state, course.card.owner) == (CourseState.CORRECTION_REVIEW, Role.PRESCRIBER)
    assert course.card.others == ()


def test_preparation_is_the_pharmacists_and_premedication_the_nurses() -> None:
    course = on_day_8().authorised(1, 8)
    assert [(course.card.owner, course.card.next_action)] == [(Role.NURSE, "premedicate")]
    assert [(t.owner, t.action) for t in course.card.others] == [(Role.PHARMACIST, "prepare the dose")]
    course.premedicated()
    course.later(hours=1)
    assert (course.card.owner, course.card.next_action, course.card.others) == (Role.PHARMACIST, "prepare the dose", ())
    course.prepared()
    assert (course.card.owner, course.card.next_action, course.card.others) == (
        Role.NURSE,
        "take the vital signs, then start the infusion",
        (),
    )


def test_what_was_given_is_not_asked_for_again_while_it_needs_its_time() -> None:
    """PRE-07: a second nurse who read `premedicate` would give all three again."""
    course = on_day_8().authorised(1, 8).premedicated("corticosteroid")
    course.later(seconds=40).premedicated("antipyretic")
    nurse = (Role.NURSE, "premedicate: antihistamine")
    assert list(course.card.turns) == [nurse, (Role.PHARMACIST, "prepare the dose")]
    assert course.later(minutes=31).card.next_action == "premedicate: antihistamine"
    course.later(minutes=-21).premedicated("antihistamine")
    waiting = "take the vital signs, wait until 09:41 and for the preparation, then start the infusion"
    assert list(course.card.turns) == [(Role.PHARMACIST, "prepare the dose"), (Role.NURSE, waiting)]
    course.prepared()
    assert " – nurse: take the vital signs, wait until 09:41, then start the infusion" in course.card.sentence()
    course.later(minutes=29, seconds=59)
    assert "wait until 09:41" in course.card.next_action
    course.later(seconds=1)
    assert course.card.next_action == "take the vital signs, then start the infusion"


def test_a_dose_that_was_verified_is_the_nurses_and_one_that_was_signed_the_pharmacists() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1)
    assert course.card.owner is Role.PRESCRIBER
    signed = course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=1)
    assert (course.card.owner, course.card.next_action) == (Role.PHARMACIST, "check the dose that was authorised")
    course.does("verify_dose", Role.PHARMACIST, cycle=1, day=1, mg=str(signed.what.mg))  # type: ignore[union-attr]
    course.premedicated().later(hours=1).prepared()
    assert (course.card.verdict, course.card.owner) == (Verdict.MAY_START, Role.NURSE)
    assert [words.partition(" 2026")[0] for words in course.card.signatures] == ["1.45 mg authorised", "checked"]


def test_the_headline_of_a_signed_dose_says_how_far_it_is_and_whose_turn_it_is() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    assert course.card.headline == "MAY_AUTHORISE for C1D1"
    assert course.card.sentence() == "MAY_AUTHORISE for C1D1 – prescriber: authorise the dose"
    signed = course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=1)
    assert course.card.headline == "MAY_AUTHORISE for C1D1, authorised and not checked yet"
    assert course.card.sentence().endswith(" – pharmacist: check the dose that was authorised")
    course.does("verify_dose", Role.PHARMACIST, cycle=1, day=1, mg=str(signed.what.mg))  # type: ignore[union-attr]
    assert course.card.headline == "MAY_AUTHORISE for C1D1, authorised and checked, not yet MAY_START"
    assert course.card.sentence().endswith(" – nurse: premedicate; pharmacist: prepare the dose")
    course.premedicated().later(hours=1).prepared()
    assert course.card.sentence() == "MAY_START for C1D1 – nurse: take the vital signs, then start the infusion"
    with course.charting() as chart:
        chart.add({"kind": "weight", "kg": "55"}, course.now, Role.NURSE)
    assert course.card.headline == "MAY_AUTHORISE for C1D1", "the signature has lapsed"


def test_the_headline_of_a_cycle_that_is_to_be_started_speaks_of_no_signature() -> None:
    chart = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D1 + 28 * DAY)
    card = PaperCourse(chart, D1 + 28 * DAY).card
    assert (card.state, card.headline) == (CourseState.CYCLE_REVIEW, "MAY_AUTHORISE for C2D1")


def reaction(*reports: dict[str, Any]) -> PaperCourse:
    chart = ChartBuilder().ready()
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "bag-1"}, D1)
    for number, report in enumerate(reports, 1):
        chart.add({"kind": "reaction", "reaction_id": "r-1", **report}, D1 + number * 10 * MIN, Role.NURSE)
    chart.add({"kind": "infusion_interrupted", "infused_ml": "16.7"}, D1 + 11 * MIN)
    return PaperCourse(chart, D1 + 25 * MIN)


OVER = {"resolved_at": (D1 + 15 * MIN).isoformat()}


@pytest.mark.parametrize(
    ("reports", "asked", "refused"),
    [
        (({},), "treat the reaction, give its grade, and chart its end", "the reaction is not graded and not over"),
        (({"grade": 2},), "treat the reaction, and chart its end", "the reaction is not over"),
        ((OVER,), "give the grade of the reaction", "the reaction is not graded"),
    ],
)
def test_of_a_reaction_only_that_is_asked_which_nobody_has_said(
    reports: tuple[dict[str, Any], ...], asked: str, refused: str
) -> None:
    course = reaction(*reports)
    assert (course.card.state, course.card.next_action) == (CourseState.REACTION, asked)
    assert course.refused("resume_infusion", Role.NURSE, rate_ml_per_h="25").message == refused


def test_a_patient_who_has_finished_dosing_is_not_said_to_be_discontinued() -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR")
    course = PaperCourse(chart, D1 + 22 * DAY)
    course.does("finish_dosing", Role.PRESCRIBER, reason="for a transplant")
    assert course.card.state is CourseState.LIVER_MONITORING
    stopped = PaperCourse(chart, D1 + 22 * DAY)
    stopped.does("discontinue", Role.PRESCRIBER, reason="harm")
    assert stopped.card.state is CourseState.DISCONTINUED


# ── what is told at once ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_receipt_of_a_report_names_what_is_new_and_grave_first() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + 2 * H)
    with course.charting() as builder:
        for analyte, value in (("potassium", "7.1"), ("platelets", "8")):
            builder.add(a_lab(analyte, value, at=course.now - MIN), course.now, Role.LABORATORY)
    words = Receipt.of("m", 1, course.card).sentence
    assert words.startswith("now: critical value of platelets: look at the patient (CRIT-01; clears with a later value")
    assert words.index("critical value of potassium") < words.index("TOO_EARLY")
    assert not Receipt.of("m", 2, course.later(minutes=1).card).sentence.startswith("now:"), "it is no news any more"


def test_what_the_next_step_lacks_is_said_beside_a_dose_that_may_be_signed() -> None:
    course = on_day_8()
    assert course.card.next_step() == "authorise_dose may be given"
    course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=8)
    assert course.card.next_step() == "verify_dose may be given"
    course = on_day_8().authorised(1, 8)
    assert course.card.next_step().startswith("starting C1D8 is refused: PRE-07: ")
    assert {f.rule for f in course.card.lacking} == {"PRE-07", "IDN-02"}
    held: list[Finding] = list(on_day_8(alt="160").card.lacking)
    assert held == []
