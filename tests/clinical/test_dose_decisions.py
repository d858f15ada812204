"""DAY-04, DAY-06, DUR-02, DUR-03, DOSE-05, RND-01: what the prescriber decides about a dose, and what that opens."""

from datetime import timedelta
from typing import Any

import pytest

from models.assessment import CourseState, Refused, Verdict
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse, notes, standing_rules

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D15, D22 = D1 + 7 * DAY, D1 + 14 * DAY, D1 + 21 * DAY


def delayed() -> PaperCourse:
    """Day 11: the window of day 8 has passed, everything else is in order."""
    at = D8 + 3 * DAY
    return PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(at), at)


def decides(course: PaperCourse, decision: str, *, day: int = 8, cause: str = "logistics", **more: Any) -> None:
    fields = {"cycle": 1, "day": day, "decision": decision, "cause": cause, "reason": "no bed"}
    course.does("decide_dose", Role.PRESCRIBER, **fields, **more)


def refusal(course: PaperCourse, **fields: Any) -> str:
    given = {"cycle": 1, "day": 8, "decision": "give", "cause": "logistics", "reason": "no bed", **fields}
    return course.refused("decide_dose", Role.PRESCRIBER, **given).type


def test_day_06_a_dose_whose_window_passed_is_given_late_by_decision() -> None:
    course = delayed()
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.DELAYED, ["DAY-06"])
    decides(course, "give")
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert "DAY-04" in notes(course.card)
    course.ready_to_start(1, 8).started(1, 8)


def test_day_06_a_dose_left_out_opens_the_window_of_the_next() -> None:
    course = delayed()
    decides(course, "omit")
    card = course.card
    assert (card.state, card.verdict, card.next_dose) == (CourseState.DOSE_OMITTED, Verdict.OMIT, "C1D15")
    assert not any(o.key == "dose-C1D8" for o in card.obligations)
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=15).type == "TooEarly"
    course.now = D1 + 12 * DAY
    assert course.card.verdict is Verdict.NEED_DATA


@pytest.mark.parametrize("decision", ["omit", "postpone"])
def test_day_06_an_overdue_dose_names_the_decisions_that_end_it_and_they_do(decision: str) -> None:
    course = delayed()
    (late,) = [o for o in course.card.obligations if o.key == "dose-C1D8"]
    assert late.standing == "overdue"
    assert "decide_dose omit or postpone" in (late.clears or "")
    until = {"until": (course.now + 2 * DAY).date()} if decision == "postpone" else {}
    decides(course, decision, **until)
    left = {o.key: o for o in course.card.obligations}
    if decision == "omit":
        assert "dose-C1D8" not in left
        return
    assert left["dose-C1D8"].standing == "coming"
    course.now += 2 * DAY
    assert {o.standing for o in course.card.obligations if o.key == "dose-C1D8"} == {"due"}
    course.now += DAY
    assert {o.standing for o in course.card.obligations if o.key == "dose-C1D8"} == {"overdue"}


def test_day_06_a_day_1_is_never_left_out_and_its_words_say_so() -> None:
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "cycle_started", "cycle": 2}, D1 + 28 * DAY, Role.PRESCRIBER)
    (due,) = [o.clears for o in PaperCourse(chart, D1 + 29 * DAY).card.obligations if o.key == "dose-C2D1"]
    assert due == "the dose is given, decide_dose postpone by the prescriber, or dosing ends"


def test_day_06_the_first_dose_is_put_off_too() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    decides(course, "postpone", day=1, cause="infection", until=(D1 + 2 * DAY).date())
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.TOO_EARLY, ["DAY-06"])
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=1).type == "TooEarly"
    course.now = D1 + 2 * DAY
    assert "DAY-06" not in standing_rules(course.card)


def test_day_06_a_dose_put_off_is_asked_for_again_on_its_date() -> None:
    course = delayed()
    until = (course.now + 2 * DAY).date()
    decides(course, "postpone", until=until)
    card = course.card
    assert (card.verdict, card.valid_until is not None) == (Verdict.TOO_EARLY, True)
    opens_at = next(f.earliest_at for f in card.standing if f.rule == "DAY-06")
    assert opens_at is not None
    course.now = opens_at - SECOND
    assert course.card.verdict is Verdict.TOO_EARLY
    course.now = opens_at
    assert course.card.verdict is Verdict.DELAYED


def test_the_last_decision_counts() -> None:
    course = delayed()
    decides(course, "omit")
    at = course.refused("decide_dose", Role.PRESCRIBER, cycle=1, day=8, decision="give", cause="other", reason="x")
    assert at.type == "NotTheDoseDue"


def test_after_day_15_is_left_out_the_cycle_is_reviewed() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D8).ready_again(D15)
    course = PaperCourse(chart, D15)
    decides(course, "omit", day=15)
    assert (course.card.state, course.card.next_dose) == (CourseState.CYCLE_REVIEW, "C2D1")


def test_a_dose_that_was_given_all_the_same_was_not_left_out() -> None:
    course = delayed()
    decides(course, "omit")
    course.does("record_administration", Role.NURSE, cycle=1, day=8, mg="0.91", at=course.now - H)
    course.later(hours=3)
    assert course.card.next_dose == "C1D15"
    assert course.card.state is CourseState.BETWEEN_DOSES


@pytest.mark.parametrize(
    ("fields", "type_"),
    [
        ({"day": 15}, "NotTheDoseDue"),
        ({"decision": "postpone"}, "DateRequired"),
        ({"decision": "postpone", "until": "2026-03-12"}, "DateRequired"),
    ],
    ids=["another dose", "no date", "today"],
)
def test_a_decision_that_cannot_be_is_refused(fields: dict[str, Any], type_: str) -> None:
    assert refusal(delayed(), **fields) == type_


def test_a_day_1_is_never_left_out() -> None:
    assert refusal(PaperCourse(ChartBuilder().ready(), D1), day=1, decision="omit") == "DayOneIsNotOmitted"


# ── cycle 1 lengthened, doses rounded ──────────────────────────────────────────────────────────────────────────────


def after_cycle_1(response: str | None) -> PaperCourse:
    return PaperCourse(ChartBuilder().ready().cycle(1, D1, response=response), D22)


def test_dose_05_cycle_1_is_lengthened_for_a_response_and_day_1_follows_on_day_29() -> None:
    course = after_cycle_1("CR")
    assert not any(f.verdict is Verdict.TOO_EARLY for f in course.card.standing)
    course.does("extend_cycle", Role.PRESCRIBER, cycle=1, because="response")
    assert "DAY-05" in standing_rules(course.card)
    course.now = D1 + 28 * DAY
    assert "DAY-05" not in standing_rules(course.card)
    again = course.refused("extend_cycle", Role.PRESCRIBER, cycle=1, because="response")
    assert again.type == "AlreadyExtended"


@pytest.mark.parametrize(
    ("response", "fields", "type_"),
    [("none", {}, "NoResponse"), (None, {}, "NoResponse"), ("CR", {"cycle": 2}, "NotThisCycle")],
)
def test_dose_05_a_cycle_that_cannot_be_lengthened(response: str | None, fields: dict[str, Any], type_: str) -> None:
    given = {"cycle": 1, "because": "response", **fields}
    assert after_cycle_1(response).refused("extend_cycle", Role.PRESCRIBER, **given).type == type_


@pytest.mark.parametrize(
    ("mg", "type_"), [("1.45", ""), ("1.31", ""), ("1.305", ""), ("1.30", "RoundingTooFar"), ("1.46", "RoundingUp")]
)
def test_rnd_01_at_most_ten_per_cent_down_and_never_up(mg: str, type_: str) -> None:
    ruling = PaperCourse(ChartBuilder().ready(), D1).judged("choose_rounding", Role.PRESCRIBER, cycle=1, day=1, mg=mg)
    assert getattr(ruling, "type", "") == type_


def test_rnd_02_the_choice_changes_the_card_and_lapses_with_the_computed_dose() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1).authorised()
    course.does("choose_rounding", Role.PRESCRIBER, cycle=1, day=1, mg="1.35")
    dose = course.card.dose
    assert dose is not None
    assert (str(dose.mg), str(dose.ml), dose.vials, str(dose.rounded_from)) == ("1.35", "5.40", 2, "1.45")
    assert course.card.state is CourseState.DOSE_ADJUSTMENT, "the signature was under other mg"
    course.authorised()
    course.does("record_finding", Role.NURSE, finding={"kind": "weight", "kg": "72"})
    dose = course.card.dose
    assert dose is not None
    assert (str(dose.mg), dose.rounded_from) == ("1.48", None)


def test_lvl_03_no_dose_is_dropped_above_its_level() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    assert course.refused("choose_dropped_dose", Role.PRESCRIBER, cycle=1, day=8).type == "NotAtThisLevel"


def test_cycle_1_is_lengthened_only_while_it_lasts() -> None:
    """DOSE-05: neither before its first dose nor once dosing has ended."""
    asked = {"cycle": 1, "because": "toxicity"}
    before = PaperCourse(ChartBuilder().ready(), D1)
    assert before.refused("extend_cycle", Role.PRESCRIBER, **asked).type == "NotThisCycle"
    ended = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + DAY)
    assert not isinstance(ended.judged("extend_cycle", Role.PRESCRIBER, **asked), Refused)
    ended.does("finish_dosing", Role.PRESCRIBER, reason="no further dose")
    assert ended.refused("extend_cycle", Role.PRESCRIBER, **asked).type == "NotThisCycle"
