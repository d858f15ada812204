"""Who may be given the drug: ELIG-01, DOSE-11, EU-01 … EU-04 under every protocol; what a card reminds of (EU-05, -06, -10)."""

from datetime import date, timedelta
from typing import Any

import pytest

from clinical.gates.overrides import may_be_overridden
from clinical.rulings.start import judge_start
from models.assessment import CourseState, Finding, Verdict
from models.chart import StoppedBefore
from models.people import Role
from models.pins import Acknowledgement
from plumbing.protocol_files import load_protocol
from tests.factories import (
    ARTICLE,
    D1,
    EU,
    LABEL,
    PROTOCOLS,
    ChartBuilder,
    PaperCourse,
    a_course,
    notes,
    standing_rules,
)

H, DAY = timedelta(hours=1), timedelta(days=1)
D8 = D1 + 7 * DAY
NOT_EU = [LABEL, ARTICLE]
MET = dict.fromkeys(("cd22_positive", "b_cell_precursor_all", "relapsed_or_refractory"), True)
NOTHING = dict.fromkeys(("hypersensitivity", "severe_vod", "vod_ongoing", "serious_liver_disease"), False)


def first_dose(protocol: str = EU, *, without: tuple[str, ...] = (), **course: Any) -> ChartBuilder:
    return ChartBuilder(protocol, **course).ready().without(*without)


def stated(protocol: str = EU, **answers: Any) -> PaperCourse:
    """The first dose, everything in order but for these answers of the prescriber."""
    chart = first_dose(protocol, without=("eligibility",))
    what = {"kind": "eligibility", "method": "flow cytometry", **MET, "cd22_percent": "92", "ph_positive": False}
    chart.add({**what, **answers}, D1 - 20 * H, Role.PRESCRIBER)
    return PaperCourse(chart, D1)


def with_history(protocol: str = EU, **answers: bool | None) -> PaperCourse:
    """The first dose, everything in order but for these answers in the history."""
    chart = first_dose(protocol, without=("medical_history",))
    chart.add({"kind": "medical_history", **NOTHING, **answers}, D1 - 20 * H, Role.PHYSICIAN)
    return PaperCourse(chart, D1)


def only(course: PaperCourse, rule: str) -> Finding:
    [found] = [f for f in course.card.findings if f.rule == rule]
    return found


# ── age (DOSE-11, EU-01; SC-52) ────────────────────────────────────────────────────────────────────────────────────

LIMIT_OF_AGE = {
    LABEL: (date(2025, 3, 2), "DOSE-11"),
    ARTICLE: (date(2025, 3, 2), "DOSE-11"),
    EU: (date(2008, 3, 2), "EU-01"),
}
"""D1 is 2 March 2026: born on this day a patient is just old enough."""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("days_too_late", [-1, 0, 1])
def test_sc_52_the_protocols_age_is_reached_on_the_birthday(protocol: str, days_too_late: int) -> None:
    just_old_enough, rule = LIMIT_OF_AGE[protocol]
    born = just_old_enough + timedelta(days=days_too_late)
    card = PaperCourse(first_dose(protocol, birth_on=born), D1).card
    if days_too_late <= 0:
        assert card.verdict is Verdict.MAY_AUTHORISE
    else:
        assert (card.verdict, standing_rules(card)) == (Verdict.PROPOSE_DISCONTINUE, [rule])


def test_a_child_of_twelve_months_is_treated_under_the_label_and_not_in_the_eu() -> None:
    verdicts = {p: PaperCourse(first_dose(p, birth_on=date(2025, 3, 2)), D1).card.verdict for p in PROTOCOLS}
    assert verdicts == {**dict.fromkeys(NOT_EU, Verdict.MAY_AUTHORISE), EU: Verdict.PROPOSE_DISCONTINUE}


def test_a_patient_who_is_too_young_is_told_from_when_and_nobody_sets_it_aside() -> None:
    course = PaperCourse(first_dose(birth_on=date(2008, 3, 3)), D1)
    found = only(course, "EU-01")
    assert found.earliest_at is not None
    assert found.earliest_at.isoformat() == "2026-03-02T23:00:00+00:00"
    assert found.override == "none"
    assert course.card.valid_until == found.earliest_at


# ── CD22 in per cent (EU-03; SC-53) ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("percent", "verdict"),
    [
        ("0", Verdict.PROPOSE_DISCONTINUE),
        ("0.0", Verdict.PROPOSE_DISCONTINUE),
        ("0.01", Verdict.MAY_AUTHORISE),
        ("100", Verdict.MAY_AUTHORISE),
        ("100.1", Verdict.NEED_DATA),
        ("-1", Verdict.NEED_DATA),
        (None, Verdict.NEED_DATA),
    ],
)
def test_sc_53_cd22_must_be_above_nought_per_cent_in_the_eu(percent: str | None, verdict: Verdict) -> None:
    card = stated(cd22_percent=percent).card
    asked = [] if verdict is Verdict.MAY_AUTHORISE else ["EU-03"]
    assert (card.verdict, standing_rules(card)) == (verdict, asked)


@pytest.mark.parametrize("protocol", NOT_EU)
@pytest.mark.parametrize("percent", ["0", None])
def test_elsewhere_the_percentage_is_not_asked(protocol: str, percent: str | None) -> None:
    assert stated(protocol, cd22_percent=percent).card.verdict is Verdict.MAY_AUTHORISE


def test_no_assay_named_is_an_open_question_too() -> None:
    card = stated(method=None).card
    assert (card.verdict, standing_rules(card)) == (Verdict.NEED_DATA, ["ELIG-01"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_answer_on_cd22_borrows_no_method(protocol: str) -> None:
    """What was seen by one method and then otherwise without one needs its own; told again it keeps the one it had."""
    course = stated(protocol, cd22_positive=False)
    for told, asked in (
        ({"cd22_positive": True}, ["ELIG-01"]),
        ({"method": "PCR"}, ["ELIG-01"]),
        ({"cd22_positive": True, "method": "PCR"}, []),
        ({"cd22_positive": True}, []),
    ):
        course.does("record_finding", Role.PRESCRIBER, finding={"kind": "eligibility", **told})
        assert standing_rules(course.card) == asked, told


# ── Ph-positive disease (EU-02) ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ph_positive", "tki_failed", "verdict"),
    [
        (False, None, Verdict.MAY_AUTHORISE),
        (False, False, Verdict.MAY_AUTHORISE),
        (True, True, Verdict.MAY_AUTHORISE),
        (None, True, Verdict.MAY_AUTHORISE),
        (True, False, Verdict.PROPOSE_DISCONTINUE),
        (True, None, Verdict.NEED_DATA),
        (None, None, Verdict.NEED_DATA),
        (None, False, Verdict.NEED_DATA),
    ],
)
def test_ph_positive_disease_must_have_failed_a_kinase_inhibitor_in_the_eu(
    ph_positive: bool | None, tki_failed: bool | None, verdict: Verdict
) -> None:
    card = stated(ph_positive=ph_positive, tki_failed=tki_failed).card
    asked = [] if verdict is Verdict.MAY_AUTHORISE else ["EU-02"]
    assert (card.verdict, standing_rules(card)) == (verdict, asked)
    for protocol in NOT_EU:
        elsewhere = stated(protocol, ph_positive=ph_positive, tki_failed=tki_failed)
        assert elsewhere.card.verdict is Verdict.MAY_AUTHORISE


# ── the history (EU-04; SC-54) ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("condition", NOTHING)
def test_sc_54_a_contraindication_proposes_to_stop_in_the_eu_and_nobody_sets_it_aside(condition: str) -> None:
    course = with_history(**{condition: True})
    found = only(course, "EU-04")
    assert (course.card.verdict, found.verdict) == (Verdict.PROPOSE_DISCONTINUE, Verdict.PROPOSE_DISCONTINUE)
    assert (found.override, [i.value for i in found.inputs]) == ("never", ["yes"])
    refused = course.refused(
        "override", Role.PRESCRIBER, cycle=1, day=1, rule="EU-04", subject=found.subject, reason="x"
    )
    assert refused.type == "NotOverridable"


@pytest.mark.parametrize("protocol", NOT_EU)
@pytest.mark.parametrize("condition", NOTHING)
def test_sc_54_elsewhere_two_people_sign_that_the_benefit_outweighs_the_risk(protocol: str, condition: str) -> None:
    course = with_history(protocol, **{condition: True})
    found = only(course, "EU-04")
    assert (course.card.verdict, found.verdict) == (Verdict.HOLD, Verdict.HOLD)
    signed = course.does(
        "override", Role.PRESCRIBER, cycle=1, day=1, rule="EU-04", subject=found.subject, reason="no other treatment"
    )
    assert course.card.verdict is Verdict.HOLD
    course.does("countersign", Role.PHARMACIST, target=signed.id)
    assert course.card.verdict is Verdict.MAY_AUTHORISE


def test_two_conditions_are_signed_one_by_one() -> None:
    course = with_history(LABEL, severe_vod=True, serious_liver_disease=True)
    subjects = [f.subject for f in course.card.findings if f.rule == "EU-04"]
    assert len(subjects) == 2
    for subject in subjects:
        assert course.card.verdict is Verdict.HOLD
        signed = course.does("override", Role.PRESCRIBER, cycle=1, day=1, rule="EU-04", subject=subject, reason="told")
        course.does("countersign", Role.PHARMACIST, target=signed.id)
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize("condition", NOTHING)
def test_a_condition_that_nobody_asked_about_needs_an_answer_in_the_eu_only(condition: str) -> None:
    course = with_history(**{condition: None})
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.NEED_DATA, ["EU-04"])
    assert course.card.state is CourseState.SCREENING
    for protocol in NOT_EU:
        card = with_history(protocol, **{condition: None}).card
        assert (card.verdict, "EU-04" in notes(card)) == (Verdict.MAY_AUTHORISE, True)


def test_without_any_history_the_first_dose_waits_in_the_eu_and_a_later_one_does_not() -> None:
    chart = first_dose(without=("medical_history",))
    assert standing_rules(PaperCourse(chart, D1).card) == ["EU-04"]
    later = PaperCourse(chart.dose(1, 1, D1).ready_again(D8), D8)
    assert later.card.verdict is Verdict.MAY_AUTHORISE


def test_a_later_history_that_leaves_a_question_open_takes_no_answer_back() -> None:
    chart = first_dose()
    chart.add({"kind": "medical_history", **NOTHING, "severe_vod": True}, D1 - 10 * H, Role.PHYSICIAN)
    chart.add({"kind": "medical_history", "salvage_line": 2}, D1 - 5 * H, Role.PHYSICIAN)
    assert PaperCourse(chart, D1).card.verdict is Verdict.PROPOSE_DISCONTINUE
    chart.add({"kind": "medical_history", "severe_vod": False}, D1 - 4 * H, Role.PHYSICIAN)
    assert PaperCourse(chart, D1).card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize(("protocol", "verdict"), [(EU, Verdict.PROPOSE_DISCONTINUE), (LABEL, Verdict.HOLD)])
def test_a_charted_allergy_to_the_drug_is_hypersensitivity(protocol: str, verdict: Verdict) -> None:
    chart = first_dose(protocol)
    chart.add({"kind": "allergy", "substance": "paracetamol", "premedication_class": "antipyretic"}, D1 - 3 * H)
    assert PaperCourse(chart, D1).card.verdict is Verdict.MAY_AUTHORISE
    chart.add({"kind": "allergy", "substance": "inotuzumab ozogamicin", "to_inotuzumab": True}, D1 - 2 * H)
    chart.add({"kind": "medical_history", **NOTHING}, D1 - H, Role.PHYSICIAN)
    assert PaperCourse(chart, D1).card.verdict is verdict


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"kind": "medical_history", "hypersensitivity": True}, "EU-04"),
        ({"kind": "eligibility", **MET, "method": "flow", "cd22_percent": "0", "ph_positive": False}, "EU-03"),
        ({"kind": "eligibility", **MET, "method": "flow", "cd22_positive": False, "cd22_percent": "9"}, "ELIG-01"),
    ],
)
def test_what_comes_to_light_after_the_first_dose_holds_the_next_one(said: dict[str, Any], rule: str) -> None:
    chart = first_dose().dose(1, 1, D1).ready_again(D8)
    assert PaperCourse(chart, D8).card.verdict is Verdict.MAY_AUTHORISE
    chart.add(said, D8 - H, Role.PRESCRIBER)
    card = PaperCourse(chart, D8).card
    assert (card.verdict, rule in standing_rules(card)) == (Verdict.PROPOSE_DISCONTINUE, True)


# ── reminders (EU-05, EU-06, EU-10) ────────────────────────────────────────────────────────────────────────────────


def test_an_eu_card_reminds_of_fluids_equipment_and_the_label_of_the_vial() -> None:
    course = PaperCourse(first_dose(), D1)
    assert {"EU-05", "EU-06", "EU-10"} <= set(notes(course.card))
    assert "labelled 1 mg and yields 0.9 mg" in only(course, "EU-06").reason
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    second = PaperCourse(first_dose().dose(1, 1, D1).ready_again(D8), D8)
    assert {"EU-06", "EU-10"} <= set(notes(second.card))
    assert "EU-05" not in set(notes(second.card))


@pytest.mark.parametrize("protocol", NOT_EU)
def test_other_cards_do_not(protocol: str) -> None:
    assert not {"EU-05", "EU-06", "EU-10"} & set(notes(PaperCourse(first_dose(protocol), D1).card))


def test_the_vials_are_counted_by_what_they_yield() -> None:
    """SC-01, VIAL-03: 1.45 mg needs two vials, in the EU too."""
    dose = PaperCourse(first_dose(), D1).card.dose
    assert dose is not None
    assert (str(dose.mg), str(dose.ml), dose.vials) == ("1.45", "5.80", 2)


# ── a whole course ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_eu_course_begins_without_any_acknowledgement_and_its_card_says_the_protocol() -> None:
    card = PaperCourse(first_dose(), D1).card
    assert (card.protocol, card.divergences) == (EU, ())
    assert all(f.clause.startswith(f"{EU} ") for f in card.findings)


def test_an_eu_course_may_be_started_and_has_no_divergence_to_acknowledge() -> None:
    assert judge_start(a_course(EU), load_protocol(EU)) is None
    given = (Acknowledgement(divergence="DIV-01", reason="as asked"),)
    refused = judge_start(a_course(EU, acknowledged=given), load_protocol(EU))
    assert refused is not None
    assert refused.type == "UnknownDivergence"


def test_the_first_dose_is_given_from_signature_to_start_in_the_eu() -> None:
    course = PaperCourse(first_dose(), D1).ready_to_start()
    assert course.card.verdict is Verdict.MAY_START
    course.started()
    assert course.card.state is CourseState.INFUSION


def test_the_questions_are_answered_by_messages() -> None:
    course = PaperCourse(first_dose(without=("medical_history", "eligibility")), D1)
    assert standing_rules(course.card) == ["ELIG-01", "EU-04"]
    answers = {"kind": "eligibility", "method": "flow cytometry", **MET, "cd22_percent": "92", "ph_positive": False}
    course.does("record_finding", Role.PRESCRIBER, finding=answers)
    course.does("record_finding", Role.PHYSICIAN, finding={"kind": "medical_history", **NOTHING})
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_article_says_whose_length_of_cycle_1_it_takes(protocol: str) -> None:
    """DIV-03: 28 days stand in the article beside the later cycles; 21 days are the label's for cycle 1."""
    course = PaperCourse(first_dose(protocol), D1)
    said = [f.reason for f in course.card.findings if f.rule == "DIV-03"]
    assert bool(said) == (protocol == ARTICLE)
    assert all("28 d here" in words and "21 days are the label's" in words for words in said)
    later = PaperCourse(ChartBuilder(protocol).ready().cycle(1, D1).dose(2, 1, D1 + 28 * DAY), D1 + 29 * DAY)
    assert "DIV-03" not in set(notes(later.card))


# ── a statement that leaves a question open takes no answer back (M.0) ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("protocol", "rule", "no"),
    [
        *((protocol, "ELIG-01", {question: False}) for protocol in PROTOCOLS for question in MET),
        (EU, "EU-02", {"ph_positive": True, "tki_failed": False}),
        (EU, "EU-03", {"cd22_percent": "0"}),
    ],
)
def test_not_eligible_stands_until_the_same_question_is_answered_again(
    protocol: str, rule: str, no: dict[str, Any]
) -> None:
    course = stated(protocol, **no)
    yes = {**MET, "method": "PCR", "cd22_percent": "92", "ph_positive": False}
    for others in ({}, {name: answer for name, answer in yes.items() if name not in no}, {"cd22_percent": "920"}):
        with course.charting() as chart:
            chart.add({"kind": "eligibility", **others}, D1 - H)
        assert only(course, rule).verdict is Verdict.PROPOSE_DISCONTINUE, others
    with course.charting() as chart:
        chart.add({"kind": "eligibility", **yes}, D1 - H, Role.PRESCRIBER)
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize(
    ("protocol", "verdict"), [(LABEL, Verdict.HOLD), (ARTICLE, Verdict.HOLD), (EU, Verdict.PROPOSE_DISCONTINUE)]
)
def test_a_stop_of_another_course_of_the_patient_holds_in_this_one_too(protocol: str, verdict: Verdict) -> None:
    """COR-02, EU-04: beginning anew undoes no stop; two people may set it aside where the protocol lets them."""
    stop = StoppedBefore(course_id="course-earlier", rule="NON-05")
    card = PaperCourse(ChartBuilder(protocol, stopped_before=(stop,)).ready(), D1).card
    found = [f for f in card.findings if f.rule == "EU-04" and f.verdict is not None]
    assert card.verdict is verdict
    assert ["course-earlier (NON-05)" in f.reason for f in found] == [True]
    assert may_be_overridden(found[0]) == (protocol != EU)
