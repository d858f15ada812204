"""INF-05, INF-06, IRR-02: an infusion that stands still, goes on in time, or is ended with the rest discarded."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.monitoring.due import hashed
from models.assessment import CourseState, Receipt, Verdict
from models.facts import InfusionCompleted
from models.obligation_kinds import REACTIONS, ObligationKind
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

TREATMENT = ("corticosteroid", "antihistamine")
MIN, H, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)


def running() -> PaperCourse:
    """The first infusion runs since a moment ago; it was reconstituted then."""
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    return course


def interrupted(minutes: int = 20, **more: Any) -> PaperCourse:
    course = running().later(minutes=minutes)
    course.does("interrupt_infusion", Role.NURSE, **more)
    return course


def resumes(course: PaperCourse, rate: str = "25") -> Any:
    return course.judged("resume_infusion", Role.NURSE, rate_ml_per_h=rate)


def test_inf_05_an_infusion_stands_still_and_goes_on() -> None:
    course = interrupted()
    assert (course.card.state, course.card.verdict) == (CourseState.INFUSION_INTERRUPTED, Verdict.NO_DOSE_DUE)
    assert course.refused("interrupt_infusion", Role.NURSE).type == "AlreadyInterrupted"
    fact = course.later(minutes=15).does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    assert round(fact.what.remaining_ml, 1) == Decimal("33.3")
    assert course.card.state is CourseState.INFUSION
    end = next(o for o in course.card.obligations if o.key == "infusion-C1D1")
    assert end.due_at == course.now + 80 * MIN


@pytest.mark.parametrize(("late", "type_"), [(-SECOND, ""), (timedelta(), ""), (SECOND, "DrugWouldExpire")])
def test_sc_35_inf_06_the_rest_at_half_rate_takes_eighty_minutes_within_eight_hours(
    late: timedelta, type_: str
) -> None:
    course = interrupted()
    course.now = D1 + H + 8 * H - 80 * MIN + late
    assert getattr(resumes(course), "type", "") == type_


def test_inf_06_a_rest_that_would_expire_at_half_rate_may_still_go_on_at_full_rate() -> None:
    course = interrupted()
    course.now = D1 + H + 8 * H - 60 * MIN
    assert resumes(course).type == "DrugWouldExpire"
    assert getattr(resumes(course, "50"), "type", "") == ""


@pytest.mark.parametrize("rate", ["0", "-5", "50.1", "100"])
def test_the_rate_is_above_nothing_and_not_above_the_full_one(rate: str) -> None:
    assert resumes(interrupted(), rate).type == "RateTooHigh"


def test_what_the_pump_shows_counts_more_than_the_time() -> None:
    course = interrupted(infused_ml="10")
    assert course.does("resume_infusion", Role.NURSE, rate_ml_per_h="50").what.remaining_ml == Decimal(40)


def test_several_interruptions_add_up() -> None:
    course = interrupted()
    course.later(minutes=10).does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    course.later(minutes=24).does("interrupt_infusion", Role.NURSE)
    fact = course.later(minutes=5).does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    assert round(fact.what.remaining_ml, 2) == Decimal("23.33")


@pytest.mark.parametrize(
    ("told", "type_"),
    [({"grade": None}, "ReactionNotOver"), ({"grade": 2}, "ReactionNotOver"), ({"grade": 3}, "DoseGateClosed")],
    ids=["ungraded", "grade 2 running", "grade 3"],
)
def test_irr_it_goes_on_only_when_the_reaction_is_graded_and_over(told: dict[str, Any], type_: str) -> None:
    course = interrupted()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", **told)
    assert resumes(course).type == type_


def test_irr_02_after_a_grade_2_reaction_is_over_it_goes_on_and_observation_starts_at_its_end() -> None:
    course = interrupted()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    over = course.premedicated(*TREATMENT).later(minutes=15).now
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, resolved_at=over)
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    course.later(minutes=80).does("complete_infusion", Role.NURSE)
    due = next(o for o in course.card.obligations if o.key == "observation-C1D1")
    assert due.due_at == course.now + H


def stood_still(grade: int, told: str) -> PaperCourse:
    """Stopped by a reaction of this grade, which is over; graded at once, later, or told only when it was over."""
    course = interrupted()
    if told != "when over":
        course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade if told == "at once" else 1)
    if told == "worse after it went on":
        course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
        course.later(minutes=1).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade)
        course.does("interrupt_infusion", Role.NURSE)
    over = course.later(minutes=5).now
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade, resolved_at=over)
    return course.later(minutes=5)


TOLD = ["at once", "worse after it went on", "when over"]


@pytest.mark.parametrize("told", TOLD)
def test_irr_after_grade_2_a_nurse_lets_it_go_on_once_corticosteroid_and_antihistamine_are_charted(told: str) -> None:
    """The premedication before the start is no treatment of the reaction."""
    course = stood_still(2, told)
    for given, missing in (("antipyretic", "corticosteroid, antihistamine"), ("corticosteroid", "antihistamine")):
        course.premedicated(given)
        refused = resumes(course)
        assert (refused.type, refused.rules) == ("ReactionNotTreated", ("NON-04",))
        assert refused.message == f"not charted since the reaction: {missing}"
        assert any(f.reason.endswith(refused.message) for f in course.card.findings)
        drugs = missing.replace(", ", " and ")
        assert course.card.turns == (
            (Role.NURSE, f"chart {drugs} once given, then let the infusion go on"),
            (Role.PRESCRIBER, f"decide whether the infusion goes on without {drugs}"),
        )
        answer = next(c for c in course.card.commands if c.command == "resume_infusion")
        assert answer.why == f"by a nurse once charted: {missing}; by the prescriber now"
    course.premedicated("antihistamine")
    assert course.card.turns == ((Role.NURSE, "let the infusion go on, or discard the rest"),)
    assert resumes(course).facts


@pytest.mark.parametrize("told", TOLD)
def test_irr_a_prescriber_lets_it_go_on_without_and_has_answered_for_that_reaction(told: str) -> None:
    course = stood_still(2, told)
    course.does("resume_infusion", Role.PRESCRIBER, rate_ml_per_h="25")
    course.later(minutes=5).does("interrupt_infusion", Role.NURSE, reason="the line")
    assert resumes(course).facts
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    course.later(minutes=1).does("report_reaction", Role.NURSE, reaction_id="r-2", grade=2)
    course.does("interrupt_infusion", Role.NURSE)
    over = course.later(minutes=1).now
    course.does("report_reaction", Role.NURSE, reaction_id="r-2", resolved_at=over)
    assert resumes(course).type == "ReactionNotTreated"


def test_irr_04_after_grade_1_the_nurse_lets_it_go_on_and_without_a_reaction_a_physician_decides() -> None:
    assert stood_still(1, "at once").card.turns == ((Role.NURSE, "let the infusion go on, or discard the rest"),)
    assert interrupted().card.turns == ((Role.PHYSICIAN, "decide whether the infusion goes on"),)


def test_inf_05_ended_while_it_stands_still_the_rest_is_discarded_and_counted() -> None:
    course = interrupted(30)
    told = course.later(minutes=10).does("complete_infusion", Role.NURSE, stopped_early=True).what
    assert isinstance(told, InfusionCompleted)
    assert (told.stopped_early, told.given_mg) == (True, Decimal("0.73"))
    assert course.card.state is CourseState.OBSERVATION
    course.later(hours=1).does("end_observation", Role.NURSE)
    assert course.card.next_dose == "C1D8"


def test_inf_05_the_last_moment_to_go_on_is_due_and_then_the_drug_expires() -> None:
    course = interrupted()
    waits = next(o for o in course.card.obligations if o.key == "infusion-C1D1")
    assert (waits.rule, waits.due_at, waits.overdue_at) == ("INF-05", D1 + 9 * H - 40 * MIN, D1 + 9 * H)


def test_without_an_infusion_nothing_stands_still_or_goes_on() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1)
    assert course.refused("interrupt_infusion", Role.NURSE).type == "NoInfusion"
    assert resumes(course).type == "NothingInterrupted"
    assert resumes(running()).type == "NothingInterrupted"


# ── symptoms that come back after improving (IRR: grade 3 by definition) ───────────────────────────────────────────


def settled(grade: int | None = 2) -> PaperCourse:
    """Stopped at 20 min; the reaction was over at 35 min."""
    course = interrupted()
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade)
    over = course.premedicated(*TREATMENT).later(minutes=15).now
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade, resolved_at=over)
    return course


@pytest.mark.parametrize("grade", [None, 1, 2])
def test_irr_symptoms_that_come_back_hold_until_a_physician_grades_them(grade: int | None) -> None:
    course = settled().later(minutes=5)
    back = course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=grade)
    card = course.card
    assert (card.state, card.verdict) == (CourseState.REACTION, Verdict.HOLD_URGENT)
    assert any("came back: a physician grades it (grade 3 by definition)" in f.reason for f in card.findings)
    assert any(
        o.key == ObligationKind.REACTION_BACK.key(hashed("r-1")) and o.due_at == course.now for o in card.obligations
    )
    assert resumes(course).type == "ReactionNotOver"
    over = course.later(minutes=5).now
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, resolved_at=over)
    assert resumes(course).type == "ReactionNotOver"
    course.does("correct_fact", Role.PHYSICIAN, target=back.id, reason="it was another patient")
    assert course.card.state is CourseState.INFUSION_INTERRUPTED
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")


BOTH = (Role.PHYSICIAN, Role.NURSE)


def reaction_calls(course: PaperCourse) -> list[tuple[ObligationKind, Any, tuple[Role, ...]]]:
    """The open calls of reactions, which rings since when and for whom."""
    return [(o.kind, o.due_at, o.owners) for o in course.card.obligations if o.kind in REACTIONS]


@pytest.mark.parametrize("grade", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("reaction_id", ["r-1", "r-2"])
def test_call_01_irr_04_a_reaction_that_comes_back_while_it_runs_calls_and_stops(
    reaction_id: str, grade: int | None
) -> None:
    """Whatever its grade, and nobody says that the infusion stands before somebody has charted it."""
    course = settled()
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    course.later(minutes=5).does("report_reaction", Role.NURSE, reaction_id=reaction_id, grade=grade)
    card = course.card
    if (reaction_id, grade) != ("r-2", 1):  # the first of grade 1 calls nobody (CALL-01)
        assert card.state is CourseState.REACTION
        assert [(at, owners) for _, at, owners in reaction_calls(course)] == [(course.now, BOTH)]
        assert Receipt.of("m", 1, card).sentence.startswith("now: stop the infusion")
    assert [action.startswith("stop the infusion") for _, action in card.turns] == [True, True]
    assert not any("was stopped for good" in o.title for o in card.obligations)
    course.does("interrupt_infusion", Role.NURSE, infused_ml="18")
    assert not any("stop the infusion" in o.title for o in course.card.obligations)


@pytest.mark.parametrize("again", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_call_01_a_reaction_that_comes_back_in_observation_calls_until_an_end_of_after_that_is_charted(
    first: int, again: int | None
) -> None:
    course = running().later(minutes=60)
    course.does("complete_infusion", Role.NURSE)
    course.later(minutes=1).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=first)
    over = course.later(minutes=1).now
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", resolved_at=over)
    assert (course.card.state, reaction_calls(course)) == (CourseState.OBSERVATION, [])
    for _ in range(2):
        course.later(minutes=1, seconds=20).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=again)
        assert (course.card.state, len(reaction_calls(course))) == (CourseState.REACTION, 1)
        assert reaction_calls(course)[0][1:] == (course.now, BOTH)
        told = {"reaction_id": "r-1", "resolved_at": over}
        assert course.refused("report_reaction", Role.NURSE, **told).type == "BeforeItsStart"
        assert course.refused("report_reaction", Role.NURSE, **told, at=over - MIN).type == "BeforeItsStart"
        over = course.later(minutes=1).now
        course.does("report_reaction", Role.NURSE, reaction_id="r-1", resolved_at=over)
        graded = max(first, again or 0) >= 3
        assert [kind for kind, *_ in reaction_calls(course)] == ([] if graded else [ObligationKind.REACTION_BACK])


def test_irr_04_one_that_gets_worse_after_it_was_let_go_on_stops_the_infusion() -> None:
    course = running().later(minutes=10)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=1)
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="50")
    course.later(minutes=5).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    assert all(action.startswith("stop the infusion") for _, action in course.card.turns)
    assert [(at, owners) for _, at, owners in reaction_calls(course)] == [(course.now, BOTH)]


def test_irr_03_what_came_back_and_was_graded_3_stops_the_drug_for_good() -> None:
    course = settled().later(minutes=5)
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=3)
    assert course.card.verdict is Verdict.DISCONTINUED
    assert not any("came back" in f.reason for f in course.card.findings)
    assert resumes(course).type == "DoseGateClosed"


def test_ct_27_a_grade_that_follows_after_the_end_is_no_return() -> None:
    course = settled(grade=None).later(minutes=5)
    assert resumes(course).type == "ReactionNotOver"
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=2)
    assert course.card.state is CourseState.INFUSION_INTERRUPTED


@pytest.mark.parametrize(("after_its_end", "back"), [(-SECOND, False), (0 * SECOND, False), (SECOND, True)])
def test_irr_only_what_was_seen_after_the_end_came_back(after_its_end: timedelta, back: bool) -> None:
    course = settled()
    seen_at = course.now + after_its_end
    course.later(minutes=5).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, at=seen_at)
    assert any("came back" in f.reason for f in course.card.findings) is back


@pytest.mark.parametrize(("minutes", "back"), [(-5, False), (-1, False), (4, True)])
def test_irr_an_end_told_again_is_no_return_and_one_that_lies_ahead_is(minutes: int, back: bool) -> None:
    course = settled().later(minutes=5)
    over = course.now + timedelta(minutes=minutes)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, resolved_at=over)
    assert any("came back" in f.reason for f in course.card.findings) is back


def test_after_a_reaction_that_ends_the_drug_nobody_is_told_to_let_the_infusion_go_on() -> None:
    course = interrupted()
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", symptoms="dyspnoea", grade=3)
    assert course.card.verdict is Verdict.DISCONTINUED
    due = next(o for o in course.card.obligations if o.kind is ObligationKind.INFUSION)
    assert "resume" not in f"{due.title} {due.clears}"
    assert due.clears is not None
    assert due.clears.startswith("complete_infusion")
    course.does("complete_infusion", Role.NURSE, infused_ml="17")
    assert ObligationKind.INFUSION not in {o.kind for o in course.card.obligations}


def test_irr_04_a_reaction_while_it_runs_first_asks_whether_the_infusion_stands_still() -> None:
    course = running().later(minutes=20)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", symptoms="dyspnoea")
    asked = next(o for o in course.card.obligations if o.kind is ObligationKind.INFUSION)
    assert (asked.rule, asked.standing, asked.clears) == (
        "INF-05",
        "due",
        "interrupt_infusion with what the pump shows",
    )
    course.does("interrupt_infusion", Role.NURSE, infused_ml="16")
    after = next(o for o in course.card.obligations if o.kind is ObligationKind.INFUSION)
    assert after.clears is not None
    assert after.clears.startswith("resume_infusion")
