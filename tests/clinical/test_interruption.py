"""Doses interrupted for toxicity: put off, left out, and what the next cycle is reduced to (DUR, LVL, NON-09, DOSE-10)."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from clinical.chart.calendar import midnight_of
from models.assessment import CourseState, Verdict
from models.people import Actor, Role
from tests.factories import D1, LABEL, PROTOCOLS, ChartBuilder, PaperCourse, notes, standing_rules

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D15, D22, D29 = D1 + 7 * DAY, D1 + 14 * DAY, D1 + 21 * DAY, D1 + 28 * DAY
BERLIN = ZoneInfo("Europe/Berlin")
ALL = pytest.mark.parametrize("protocol", PROTOCOLS)


def asked(chart: ChartBuilder, now: datetime, **values: str) -> PaperCourse:
    """Everything in order for a day 8 or 15 at this instant; what was charted so far is kept."""
    again = ChartBuilder(chart.course.protocol.name)
    again.course, again.facts = chart.course, list(chart.facts)
    return PaperCourse(again.ready_again(now, **values), now)


def interrupted(analyte: str, high: str, recovered_after: int | None, protocol: str = LABEL) -> ChartBuilder:
    """One value high from the day before day 8, and normal again so many days after day 8."""
    chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
    chart.result(analyte, high, D8 - DAY, **({"uln": "60"} if analyte in ("ggt", "lipase") else {}))
    if recovered_after is not None:
        low = {"ggt": "30", "lipase": "30"}.get(analyte)
        chart.result(analyte, low, D8 + recovered_after * DAY - 4 * H, **({"uln": "60"} if low else {}))
    return chart


# ── put off and left out within a cycle (DUR-01, DUR-02, DUR-06, DUR-07, DUR-09, DAY-06) ───────────────────────────


@ALL
@pytest.mark.parametrize(("analyte", "high"), [("alt", "160"), ("bilirubin", "2.0"), ("alp", "400"), ("ggt", "200")])
@pytest.mark.parametrize("recovered_after", [1, 2, 3, 6])
def test_after_less_than_seven_days_of_toxicity_the_dose_is_given_late(
    analyte: str, high: str, recovered_after: int, protocol: str
) -> None:
    card = asked(interrupted(analyte, high, recovered_after, protocol), D8 + recovered_after * DAY).card
    assert (card.verdict, card.next_dose) == (Verdict.MAY_AUTHORISE, "C1D8")
    assert "DUR-01" in notes(card)


@ALL
@pytest.mark.parametrize(("analyte", "high"), [("alt", "160"), ("ast", "150"), ("alp", "400"), ("ggt", "200")])
@pytest.mark.parametrize("days", [7, 8, 9])
def test_from_seven_days_on_the_held_dose_is_left_out_and_the_next_may_be_given(
    analyte: str, high: str, days: int, protocol: str
) -> None:
    card = asked(interrupted(analyte, high, days, protocol), D8 + days * DAY).card
    assert (card.verdict, card.next_dose) == (Verdict.MAY_AUTHORISE, "C1D15")
    assert "DUR-02" in notes(card)


@ALL
@pytest.mark.parametrize(("late", "said"), [(1, "10 days"), (2, "11 days"), (3, "9 days"), (20, "9 days")])
def test_a_dose_late_for_another_reason_is_held_from_the_first_sign_of_toxicity_on(
    late: int, said: str, protocol: str
) -> None:
    """DUR-07 counts from the planned date; DUR-09: what delayed the dose beyond two days before that does not count."""
    chart = ChartBuilder(protocol).ready().cycle(1, D1, response="CR")
    planned = D1 + (28 if protocol.startswith("article") else 21) * DAY
    chart.result("alt", "160", planned + late * DAY - H)
    card = PaperCourse(chart, planned + (late + 9) * DAY + H).card
    assert card.verdict is Verdict.HOLD
    assert [f.reason for f in card.findings if f.rule == "DUR-02" and said in f.reason]


def test_a_cycle_begun_again_after_months_is_not_said_to_have_been_interrupted_for_months() -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR")
    now = D1 + 90 * DAY
    chart.result("alt", "160", now - H)
    card = PaperCourse(chart, now).card
    assert card.verdict is Verdict.HOLD
    assert not {"DUR-03", "DUR-05"} & {f.rule for f in card.findings}


@pytest.mark.parametrize("now", [D8 + 5 * H, D1 + 90 * DAY], ids=["day 8", "months later"])
def test_the_very_instant_of_a_sample_counts_as_the_second_after_it(now: datetime) -> None:
    """A value that was drawn and told at this instant interrupts at once; nothing changes a second later (§3.5)."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.result("alt", "160", now)
    one, two = (PaperCourse(chart, now + span).card for span in (0 * SECOND, SECOND))
    assert [(f.rule, f.reason) for f in one.findings] == [(f.rule, f.reason) for f in two.findings]


def test_a_following_dose_that_misses_its_own_window_for_the_same_toxicity_is_left_out_too() -> None:
    """DAY-06: recovered on day 17 day 15 is still given, on day 18 it is not."""
    for days, slot in ((9, "C1D15"), (10, "C2D1"), (12, "C2D1")):
        assert asked(interrupted("alt", "160", days), D8 + days * DAY).card.next_dose == slot


def test_an_interruption_that_goes_on_becomes_seven_days_at_local_midnight() -> None:
    chart = interrupted("alt", "160", None)
    midnight = midnight_of(date(2026, 3, 16), BERLIN)
    chart.result("alt", "160", midnight - 4 * H)
    before = PaperCourse(chart, midnight - SECOND).card
    assert (before.next_dose, before.verdict, before.valid_until) == ("C1D8", Verdict.HOLD, midnight)
    assert PaperCourse(chart, midnight).card.next_dose == "C1D15"


def test_late_paperwork_costs_nothing_the_sample_counts_by_when_it_was_drawn() -> None:
    """DUR-07, DUR-09, AMB-04."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.result("alt", "160", D8 - DAY)
    chart.result("alt", "30", D8 + 6 * DAY - 4 * H, recorded_at=D8 + 7 * DAY + 12 * H)
    assert PaperCourse(chart, D8 + 7 * DAY + 11 * H).card.next_dose == "C1D15"
    assert PaperCourse(chart, D8 + 7 * DAY + 12 * H).card.next_dose == "C1D8"


def test_a_dose_that_is_not_given_after_a_short_toxicity_is_delayed_when_the_ladder_would_drop_it() -> None:
    chart = interrupted("alt", "160", 3)
    assert asked(chart, D8 + 6 * DAY).card.verdict is Verdict.MAY_AUTHORISE
    card = asked(chart, D8 + 7 * DAY).card
    assert (card.verdict, standing_rules(card)) == (Verdict.DELAYED, ["DAY-06"])


def test_a_graded_toxicity_interrupts_as_well_and_one_attributed_elsewhere_does_not() -> None:
    for elsewhere, slot in ((None, "C1D15"), (False, "C1D8")):
        chart = ChartBuilder().ready().dose(1, 1, D1)
        nausea = {"kind": "toxicity", "term": "nausea", "grade": 2, "attributed_to_ino": elsewhere}
        chart.add(nausea, D8 - DAY, Role.PHYSICIAN)
        chart.add({**nausea, "grade": 0}, D8 + 7 * DAY - 4 * H, Role.PHYSICIAN)
        assert asked(chart, D8 + 7 * DAY).card.next_dose == slot


def test_a_laboratory_toxicity_that_a_physician_attributes_elsewhere_does_not_interrupt() -> None:
    for by, analyte, slot in (
        (Role.PHYSICIAN, "alt", "C1D8"),
        (Role.NURSE, "alt", "C1D15"),
        (Role.PHYSICIAN, "ast", "C1D15"),
    ):
        chart = interrupted("alt", "160", 7)
        chart.add({"kind": "toxicity_attribution", "term": analyte, "due_to_ino": False}, D8 + 2 * DAY, by)
        assert asked(chart, D8 + 7 * DAY).card.next_dose == slot


@pytest.mark.parametrize(
    ("analyte", "uln", "first", "same", "worse"),
    [
        ("alt", "55", "170", "260", "280"),
        ("ast", "45", "140", "220", "230"),
        ("ggt", "60", "160", "290", "310"),
        ("bilirubin", "1.2", "2.0", "3.5", "3.7"),
    ],
)
def test_a_word_covers_the_grade_that_was_reported_and_a_worse_one_counts_again(
    analyte: str, uln: str, first: str, same: str, worse: str
) -> None:
    """NON-10, DUR-09: the clock of every test reads the word as the hold of NON-06 does."""
    for later, slot in ((same, "C1D8"), (worse, "C1D15")):
        chart = ChartBuilder().ready().dose(1, 1, D1)
        chart.result(analyte, first, D8 - DAY, uln=uln)
        chart.add({"kind": "toxicity_attribution", "term": analyte, "due_to_ino": False}, D8 - DAY + H, Role.PHYSICIAN)
        chart.result(analyte, later, D8 + DAY, uln=uln)
        assert ("NON-06" in standing_rules(PaperCourse(chart, D8 + DAY).card)) == (slot == "C1D15")
        normal = {"ggt": "30"}.get(analyte)
        chart.result(analyte, normal, D8 + 7 * DAY - 4 * H, uln=uln)
        assert asked(chart, D8 + 7 * DAY).card.next_dose == slot


@pytest.mark.parametrize(("analyte", "term", "high"), [("bilirubin", "Total bilirubin", "2.0"), ("alt", "ALT", "150")])
def test_a_word_names_the_test_as_the_card_does(analyte: str, term: str, high: str) -> None:
    chart = interrupted(analyte, high, 7)
    chart.add({"kind": "toxicity_attribution", "term": term, "due_to_ino": False}, D8 - DAY + H, Role.PHYSICIAN)
    assert asked(chart, D8 + 7 * DAY).card.next_dose == "C1D8"


@pytest.mark.parametrize(("before", "slot"), [("30", "C1D8"), ("160", "C1D15")])
def test_a_value_that_its_comparator_leaves_open_neither_begins_an_interruption_nor_ends_one(
    before: str, slot: str
) -> None:
    """LAB-05, DUR-09: missing data are no toxicity, and no recovery."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.result("alt", before, D8 - DAY)
    chart.result("alt", "300", D8 - H, comparator="<")
    chart.result("alt", "30", D8 + 7 * DAY - 4 * H)
    assert asked(chart, D8 + 7 * DAY).card.next_dose == slot


def test_what_does_not_count_as_toxicity_leaves_no_dose_out() -> None:
    """DUR-09: a person's hold, electrolytes, infection and missing data are no interruption for toxicity."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    hold = chart.add({"kind": "hold", "reason": "the chair is broken"}, D8 - DAY)
    chart.add({"kind": "hold_released", "hold": hold, "reason": "mended"}, D8 + 7 * DAY - 2 * H, Role.PRESCRIBER)
    chart.result("potassium", "2.9", D8 - DAY)
    chart.result("potassium", "4.0", D8 + 7 * DAY - 2 * H)
    card = asked(chart, D8 + 7 * DAY).card
    assert (card.verdict, card.next_dose) == (Verdict.DELAYED, "C1D8")


def test_toxicity_that_was_over_before_the_planned_date_interrupts_nothing() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.result("alt", "160", D1 + 2 * DAY)
    chart.result("alt", "30", D1 + 4 * DAY)
    assert asked(chart, D8 + 3 * DAY).card.verdict is Verdict.DELAYED


def test_a_second_toxicity_is_counted_from_the_dose_that_it_held_first() -> None:
    """Day 8 is left out for seven days; what begins on day 16 is counted from day 15, not from day 8."""
    chart = interrupted("alt", "160", 7)
    chart.result("alt", "160", D15 + DAY)
    chart.result("alt", "30", D15 + 12 * DAY)
    chart.ready_for_cycle(D29)
    card = PaperCourse(chart, D29).card
    assert (card.next_dose, card.dose.level if card.dose else None) == ("C2D1", "L0")


# ── the reduction for the next cycle (DUR-03, LVL-01, LVL-02) ──────────────────────────────────────────────────────


def held_since_day_8(days: int, response: str = "none", protocol: str = LABEL, **dose: str) -> PaperCourse:
    """ALT 160 from day 7 and 30 so many days after day 8; at day 1 of cycle 2 everything is in order."""
    chart = interrupted("alt", "160", days, protocol)
    now = max(D8 + days * DAY, D29) + 4 * H
    return PaperCourse(chart.ready_for_cycle(now, response), now)


LEVELS = [
    (13, "none", "L0", "0.8"),
    (14, "none", "L1", "0.6"),
    (20, "CR", "L1", "0.375"),
    (28, "CRi", "L1", "0.375"),
]


@ALL
@pytest.mark.parametrize(("days", "response", "level", "mg_per_m2"), LEVELS)
def test_two_weeks_of_toxicity_reduce_the_next_cycle_by_a_quarter(
    days: int, response: str, level: str, mg_per_m2: str, protocol: str
) -> None:
    """DUR-03, DUR-06, DUR-08, LVL-01: from 14 days on, and what reduces has left its dose out as well."""
    card = held_since_day_8(days, response, protocol).card
    assert (card.verdict, card.next_dose) == (Verdict.MAY_AUTHORISE, "C2D1")
    assert card.dose is not None
    assert (card.dose.level, card.dose.mg_per_m2) == (level, Decimal(mg_per_m2))
    assert ("DUR-03" in notes(card)) is (level == "L1")


def test_day_8_and_day_15_of_a_reduced_cycle_are_reduced_too() -> None:
    course = held_since_day_8(14)
    at = course.now
    chart = ChartBuilder()
    chart.facts = list(course.chart.facts)
    chart.add({"kind": "cycle_started", "cycle": 2}, at, Role.PRESCRIBER)
    for day, before in ((8, 7), (15, 14)):
        chart.dose(2, {8: 1, 15: 8}[day], at + timedelta(days=before - 7))
        card = asked(chart, at + before * DAY).card
        assert (card.next_dose, card.dose.mg_per_m2 if card.dose else None) == (f"C2D{day}", Decimal("0.375"))


@pytest.mark.parametrize(("days", "level"), [(6, "L0"), (13, "L0"), (14, "L1"), (20, "L1")])
def test_a_day_1_that_is_put_off_for_two_weeks_is_itself_reduced(days: int, level: str) -> None:
    for analyte, high in (("alt", "160"), ("creatinine", "2.0")):
        chart = ChartBuilder().ready().cycle(1, D1)
        chart.result(analyte, high, D22 - DAY)
        now = D22 + days * DAY
        chart.ready_for_cycle(now + 4 * H)
        card = PaperCourse(chart, now + 4 * H).card
        assert (standing_rules(card), card.dose.level if card.dose else None) == ([], level)


@pytest.mark.parametrize(
    ("days", "verdict", "asks"), [(28, Verdict.MAY_AUTHORISE, []), (29, Verdict.PROPOSE_DISCONTINUE, ["DUR-05"])]
)
def test_more_than_28_days_is_a_proposal_to_stop(days: int, verdict: Verdict, asks: list[str]) -> None:
    card = held_since_day_8(days).card
    assert (card.verdict, standing_rules(card)) == (verdict, asks)


def test_the_proposal_after_28_days_is_set_aside_by_two_people_and_the_dose_is_reduced() -> None:
    course = held_since_day_8(29)
    given = course.does(
        "override", Role.PRESCRIBER, cycle=2, day=1, rule="DUR-05", reason="recovered, patient wishes to go on"
    )
    assert course.card.verdict is Verdict.PROPOSE_DISCONTINUE
    course.does("countersign", Role.PHYSICIAN, target=given.id)
    assert (course.card.verdict, course.card.dose.level if course.card.dose else None) == (Verdict.MAY_AUTHORISE, "L1")


@pytest.mark.parametrize(
    ("days", "said", "proposed"), [(13, False, False), (14, True, False), (28, True, False), (29, False, True)]
)
def test_liver_values_that_do_not_recover_are_said_from_day_14_and_a_proposal_after_day_28(
    days: int, said: bool, proposed: bool
) -> None:
    """NON-03, NON-09."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(D8 - DAY, alt="160", bilirubin="2.0")
    now = D8 + days * DAY
    chart.labs(now - H, alt="160", bilirubin="2.0")
    card = PaperCourse(chart, now).card
    assert ("NON-09" in notes(card), "NON-09" in standing_rules(card)) == (said, proposed)
    assert card.verdict is (Verdict.PROPOSE_DISCONTINUE if proposed else Verdict.HOLD)


# ── two doses a cycle, and below (DUR-04, LVL-03) ──────────────────────────────────────────────────────────────────


def second_interruption(response: str = "none") -> tuple[ChartBuilder, datetime]:
    """Two weeks of toxicity in cycle 1 and again in cycle 2; the chart at day 1 of cycle 3."""
    course = held_since_day_8(14, response)
    chart, second = ChartBuilder(), course.now
    chart.facts = list(course.chart.facts)
    chart.add({"kind": "cycle_started", "cycle": 2}, second - H, Role.PRESCRIBER)
    chart.dose(2, 1, second)
    chart.result("alt", "160", second + 6 * DAY)
    chart.result("alt", "30", second + 21 * DAY - 4 * H)
    third = second + 28 * DAY
    return chart.ready_for_cycle(third, response, 2), third


@pytest.mark.parametrize(("response", "first", "later"), [("none", "0.6", "0.375"), ("CR", "0.375", "0.375")])
def test_a_second_reduction_leaves_two_doses_of_the_reduced_size(response: str, first: str, later: str) -> None:
    chart, third = second_interruption(response)
    card = PaperCourse(chart, third).card
    assert card.dose is not None
    assert (card.next_dose, card.dose.level, card.dose.mg_per_m2) == ("C3D1", "L2", Decimal(first))
    chart.add({"kind": "cycle_started", "cycle": 3}, third, Role.PRESCRIBER)
    chart.dose(3, 1, third)
    card = asked(chart, third + 7 * DAY).card
    assert (card.next_dose, card.dose.mg_per_m2 if card.dose else None) == ("C3D8", Decimal(later))
    chart.dose(3, 8, third + 7 * DAY)
    assert PaperCourse(chart, third + 10 * DAY).card.next_dose == "C4D1"


def test_the_prescriber_chooses_which_dose_is_left_out_at_l2() -> None:
    chart, third = second_interruption()
    chart.add({"kind": "cycle_started", "cycle": 3}, third, Role.PRESCRIBER)
    course = PaperCourse(chart.dose(3, 1, third), third + 3 * DAY)
    assert course.card.next_dose == "C3D8"
    refusals = {
        "DayOneIsNotOmitted": {"cycle": 3, "day": 1},
        "NotThisCycle": {"cycle": 4, "day": 8},
    }
    for type_, fields in refusals.items():
        assert course.refused("choose_dropped_dose", Role.PRESCRIBER, **fields).type == type_
    assert course.refused("choose_dropped_dose", Role.NURSE, cycle=3, day=8).type == "RoleNotAllowed"
    course.does("choose_dropped_dose", Role.PRESCRIBER, cycle=3, day=8)
    assert course.card.next_dose == "C3D15"
    course.does("choose_dropped_dose", Role.PRESCRIBER, cycle=3, day=15)
    assert course.card.next_dose == "C3D8"


def test_no_dose_is_chosen_to_be_left_out_above_its_level() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    assert course.refused("choose_dropped_dose", Role.PRESCRIBER, cycle=1, day=8).type == "NotAtThisLevel"


def test_a_third_reduction_is_a_proposal_to_stop_that_nobody_sets_aside() -> None:
    chart, third = second_interruption()
    chart.add({"kind": "cycle_started", "cycle": 3}, third - H, Role.PRESCRIBER)
    chart.dose(3, 1, third)
    chart.result("alt", "160", third + 6 * DAY)
    chart.result("alt", "30", third + 21 * DAY - 4 * H)
    fourth = third + 28 * DAY
    chart.ready_for_cycle(fourth, "CR", 3)
    course = PaperCourse(chart, fourth)
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.PROPOSE_DISCONTINUE, ["DUR-04"])
    refusal = course.refused("override", Role.PRESCRIBER, cycle=4, day=1, rule="DUR-04", reason="one more")
    assert refusal.type == "NotOverridable"


# ── no way back up, except as a correction (DOSE-10, LVL-01, COR-02) ───────────────────────────────────────────────


def signed_at_l1() -> PaperCourse:
    course = held_since_day_8(14)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    course.does("authorise_dose", Role.PRESCRIBER, cycle=2, day=1, level="L1")
    return course


def test_a_higher_level_than_the_card_says_is_refused() -> None:
    course = held_since_day_8(14)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    for asked_for in ({"level": "L0"}, {"mg": "1.45"}, {"level": "L2"}):
        refusal = course.refused("authorise_dose", Role.PRESCRIBER, cycle=2, day=1, **asked_for)
        assert (refusal.type, refusal.rules) == ("LevelMismatch", ("DOSE-10",))


def test_good_counts_and_good_liver_values_do_not_bring_the_dose_back() -> None:
    chart = ChartBuilder()
    course = signed_at_l1()
    chart.facts = list(course.chart.facts)
    chart.cycle(2, course.now)
    third = course.now + 28 * DAY
    card = PaperCourse(chart.ready_for_cycle(third, "CR", 2, anc="3", platelets="300"), third).card
    assert (card.verdict, card.dose.level if card.dose else None) == (Verdict.MAY_AUTHORISE, "L1")


def corrected(course: PaperCourse) -> PaperCourse:
    wrong = next(
        f.id for f in course.chart.facts if getattr(f.what, "loinc", "") == "1742-6" and str(f.what.value) == "160"
    )
    course.does("correct_fact", Role.PHYSICIAN, target=wrong, reason="another patient's tube")
    return course


def test_a_level_whose_cause_was_corrected_stands_until_two_people_confirm_the_error() -> None:
    course = corrected(signed_at_l1())
    card = course.card
    assert (card.state, card.verdict, card.dose.level if card.dose else None) == (
        CourseState.CORRECTION_REVIEW,
        Verdict.HOLD,
        "L1",
    )
    target = next(f.id for f in course.chart.facts if f.what.kind == "dose_authorised")
    assert course.refused("countersign", Role.PHARMACIST, target=target).type == "RoleNotAllowed"
    course.does("countersign", Role.PRESCRIBER, target=target)
    assert course.refused("countersign", Role.PRESCRIBER, target=target).type == "SecondPersonRequired"
    assert course.card.state is CourseState.CORRECTION_REVIEW
    course.does("countersign", Actor(role=Role.PHYSICIAN, id="physician-2"), target=target)
    card = course.card
    assert (card.state, card.verdict, card.dose.level if card.dose else None) == (
        CourseState.DOSE_ADJUSTMENT,
        Verdict.MAY_AUTHORISE,
        "L0",
    )


def test_a_reduction_that_nobody_has_signed_yet_is_simply_derived_again() -> None:
    card = corrected(held_since_day_8(14)).card
    assert (card.next_dose, card.verdict) == ("C1D8", Verdict.DELAYED), "nothing had held it"
    assert card.dose is not None
    assert card.dose.level == "L0"
