"""OVR-01 … OVR-03: who may set which finding aside, for which dose and values, and when it lapses."""

from datetime import timedelta

import pytest

from models.assessment import Finding, Verdict
from models.people import Actor, Role
from tests.factories import ARTICLE, D1, PROTOCOLS, ChartBuilder, PaperCourse

H, DAY, MIN = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
D8 = D1 + 7 * DAY
SECOND = Actor(role=Role.PHYSICIAN, id="physician-2")


def second_dose(**values: str) -> PaperCourse:
    """Day 8 of an invented patient, everything in order but these values."""
    return PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, **values), D8)


def next_cycle(**values: str) -> PaperCourse:
    """Day 1 of cycle 2, started, everything in order but these values."""
    at = D1 + 28 * DAY
    course = PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(at, **values), at)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    return course


def finding(course: PaperCourse, rule: str) -> Finding:
    return next(f for f in course.card.findings if f.rule == rule)


def overrides(course: PaperCourse, rule: str, *, cycle: int = 1, day: int = 8, subject: str | None = None) -> str:
    """The prescriber sets this finding aside; the id of the override."""
    fields = {"cycle": cycle, "day": day, "rule": rule, "subject": subject, "reason": "the benefit is greater"}
    return course.does("override", Role.PRESCRIBER, **fields).id


# ── OVR-02: two people ─────────────────────────────────────────────────────────────────────────────────────────────


def test_ovr_02_a_high_alt_is_set_aside_by_two_people_and_not_by_one() -> None:
    course = second_dose(alt="160")
    given = overrides(course, "NON-08")
    assert course.card.verdict is Verdict.HOLD
    assert f"countersign {given}" in str(finding(course, "NON-08").clears)
    course.does("countersign", SECOND, target=given)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    said = finding(course, "NON-08")
    assert (said.verdict, said.clears) == (None, None)
    assert said.overridden == (
        "set aside by prescriber:prescriber-1 and physician:physician-2: the benefit is greater;"
        " for C1D8 while its values stand, until 2026-03-12 00:00 local time"
    )


def test_ovr_02_a_pharmacist_may_be_the_second_person() -> None:
    course = second_dose(alt="160")
    course.does("countersign", Role.PHARMACIST, target=overrides(course, "NON-08"))
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize("spelt", ["prescriber-1", "Prescriber-1", "PRESCRIBER 1", "prescriber.1", "prescriber１"])
def test_ovr_02_nobody_is_the_second_person_to_himself_however_the_id_is_spelt(spelt: str) -> None:
    course = second_dose(alt="160")
    given = overrides(course, "NON-08")
    same = Actor(role=Role.PHYSICIAN, id=spelt)
    assert course.refused("countersign", same, target=given).type == "SecondPersonRequired"
    course.does("countersign", SECOND, target=given)
    assert course.refused("countersign", SECOND, target=given).type == "AlreadyCountersigned"


def test_an_override_is_for_the_prescriber_alone_and_a_nurse_signs_nothing() -> None:
    course = second_dose(alt="160")
    fields = {"cycle": 1, "day": 8, "rule": "NON-08", "reason": "x"}
    assert course.refused("override", Role.PHYSICIAN, **fields).type == "RoleNotAllowed"
    assert course.refused("countersign", Role.NURSE, target="any").type == "RoleNotAllowed"


# ── OVR-03: the prescriber alone ───────────────────────────────────────────────────────────────────────────────────


def test_ovr_03_the_prescriber_alone_sets_premedication_aside_on_the_label() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).authorised().premedicated("corticosteroid", "antipyretic")
    course.later(hours=1).prepared()
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    overrides(course, "PRE-07", day=1)
    assert course.card.verdict is Verdict.MAY_START
    course.started()


def test_ovr_03_fever_is_set_aside_until_it_is_measured_again() -> None:
    course = second_dose()
    fever = {"kind": "infection_bleeding", "temperature_c": "38.4", "infection": False, "active_bleeding": False}
    course.does("record_finding", Role.NURSE, finding=fever)
    assert course.card.verdict is Verdict.HOLD
    overrides(course, "MON-16")
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    course.later(minutes=10).does("record_finding", Role.NURSE, finding={**fever, "temperature_c": "39.1"})
    assert course.card.verdict is Verdict.HOLD


# ── OVR-01: nobody ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_ovr_01_both_limbs_high_cannot_be_set_aside() -> None:
    course = second_dose(alt="160", bilirubin="2.2")
    refused = course.refused("override", Role.PRESCRIBER, cycle=1, day=8, rule="NON-02", reason="x")
    assert (refused.type, refused.rules) == ("NotOverridable", ("NON-02",))


def test_ovr_01_six_days_cannot_be_set_aside() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D1 + 3 * DAY), D1 + 3 * DAY)
    refused = course.refused("override", Role.PRESCRIBER, cycle=1, day=8, rule="DAY-03", reason="x")
    assert refused.type == "NotOverridable"


def test_ovr_01_an_unknown_or_stale_liver_panel_cannot_be_set_aside() -> None:
    missing = PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8).without("alt"), D8)
    stale = second_dose().later(hours=46)
    for course in (missing, stale):
        fields = {"cycle": 1, "day": 8, "rule": "DATA-02", "subject": "alt", "reason": "x"}
        assert course.refused("override", Role.PRESCRIBER, **fields).type == "NotOverridable"


def test_ovr_03_the_age_of_other_results_may_be_set_aside_but_not_their_absence() -> None:
    course = second_dose().later(hours=46)
    overrides(course, "DATA-02", subject="wbc")
    assert next(f for f in course.card.findings if f.subject == "wbc").overridden
    missing = PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8).without("wbc"), D8)
    fields = {"cycle": 1, "day": 8, "rule": "DATA-02", "subject": "wbc", "reason": "x"}
    assert missing.refused("override", Role.PRESCRIBER, **fields).type == "NotOverridable"


@pytest.mark.parametrize("charted", [None, "antipyretic"])
def test_on_the_article_premedication_is_set_aside_only_for_an_allergy_to_that_class(charted: str | None) -> None:
    """DIV-07, OVR-02: a missing class needs its own charted allergy, and a second person."""
    course = PaperCourse(ChartBuilder(ARTICLE).ready(D1), D1).authorised().premedicated("corticosteroid", "antipyretic")
    course.later(hours=1).prepared()
    fields = {"cycle": 1, "day": 1, "rule": "PRE-07", "subject": "antihistamine", "reason": "x"}
    if charted:
        allergy = {"kind": "allergy", "substance": "paracetamol", "premedication_class": charted}
        course.does("record_finding", Role.NURSE, finding=allergy)
    assert course.refused("override", Role.PRESCRIBER, **fields).type == "NotOverridable"
    allergy = {"kind": "allergy", "substance": "diphenhydramine", "premedication_class": "antihistamine"}
    course.does("record_finding", Role.NURSE, finding=allergy)
    given = course.does("override", Role.PRESCRIBER, **fields).id
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    course.does("countersign", SECOND, target=given)
    assert course.card.verdict is Verdict.MAY_START


# ── one finding, one dose, these values ────────────────────────────────────────────────────────────────────────────


def test_an_override_lapses_with_the_value_it_was_given_for() -> None:
    course = second_dose(alt="160")
    course.does("countersign", SECOND, target=overrides(course, "NON-08"))
    course.authorised(1, 8)
    worse = ChartBuilder()
    worse.facts = list(course.chart.facts)
    worse.result("alt", "170", D8 + 10 * MIN)
    course.chart = worse.chart()
    course.later(minutes=20)
    assert course.card.verdict is Verdict.HOLD
    assert finding(course, "NON-08").overridden is None


def test_an_override_lapses_when_the_window_closes() -> None:
    course = second_dose(alt="160")
    course.does("countersign", SECOND, target=overrides(course, "NON-08"))
    course.now = D8 + 3 * DAY
    assert finding(course, "NON-08").overridden is None


def test_an_override_is_for_one_dose() -> None:
    course = second_dose(alt="160")
    course.does("countersign", SECOND, target=overrides(course, "NON-08"))
    later = ChartBuilder()
    later.facts = list(course.chart.facts)
    later.dose(1, 8, D8 + H)
    course.chart = later.chart()
    course.now = D8 + 7 * DAY
    assert course.card.next_dose == "C1D15"
    assert finding(course, "NON-08").overridden is None


def test_what_does_not_stand_cannot_be_set_aside() -> None:
    course = second_dose()
    assert course.refused("override", Role.PRESCRIBER, cycle=1, day=8, rule="NON-08", reason="x").type == (
        "NothingToOverride"
    )
    assert course.refused("countersign", SECOND, target="nothing").type == "NothingToCountersign"


def test_an_override_is_for_the_dose_that_is_due() -> None:
    course = second_dose(alt="160")
    refused = course.refused("override", Role.PRESCRIBER, cycle=1, day=15, rule="NON-08", reason="x")
    assert refused.type == "NotTheDoseDue"


def test_two_findings_of_one_rule_are_told_apart_by_their_subject() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).authorised().premedicated("antipyretic")
    course.later(hours=1).prepared()
    fields = {"cycle": 1, "day": 1, "rule": "PRE-07", "reason": "x"}
    refused = course.refused("override", Role.PRESCRIBER, **fields)
    assert refused.type == "SubjectRequired"
    assert "antihistamine" in refused.message
    overrides(course, "PRE-07", day=1, subject="antihistamine")
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    overrides(course, "PRE-07", day=1, subject="corticosteroid")
    assert course.card.verdict is Verdict.MAY_START


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_card_says_who_may_set_a_finding_aside(protocol: str) -> None:
    chart = ChartBuilder(protocol).ready().dose(1, 1, D1).ready_again(D8, alt="160", bilirubin="1.2")
    card = PaperCourse(chart, D8).card
    assert {f.rule: f.override for f in card.standing} == {"NON-08": "prescriber_and_second_person"}
    assert next(c for c in card.commands if c.command == "override").may


def test_a_blocked_cycle_opens_by_two_signatures() -> None:
    """DOSE-08 after two cycles with CR and MRD negativity; OVR-02."""
    at = D1 + 56 * DAY
    chart = ChartBuilder().ready().cycle(1, D1, response="CR").cycle(2, D1 + 28 * DAY)
    chart.ready_for_cycle(at, of_cycle=2)
    chart.facts = [f for f in chart.facts if not (f.what.kind == "response" and f.what.cycle == 2)]
    negative = {"kind": "response", "cycle": 2, "response": "CR", "mrd_negative": True}
    chart.add(negative, at - 5 * H, Role.PHYSICIAN)
    chart.add({"kind": "transplant_planned"}, at - 4 * H, Role.PRESCRIBER)
    course = PaperCourse(chart, at)
    assert course.card.verdict is Verdict.BLOCK_CYCLE
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3).rules == ("DOSE-08",)
    course.does("countersign", SECOND, target=overrides(course, "DOSE-08", cycle=3, day=1))
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3, reason="the transplant was put off")
    assert course.card.next_dose == "C3D1"
