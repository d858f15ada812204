"""DOSE-15, INF-07: what was given of each dose, in mg and by its own body surface, and which infusion cannot be whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from models.assessment import Assessment
from models.obligation_kinds import ObligationKind
from models.people import Role
from tests.factories import D1, LABEL, PROTOCOLS, ChartBuilder, PaperCourse
from tests.scenarios import day, first_dose, gives

MIN, H = timedelta(minutes=1), timedelta(hours=1)
Charted = tuple[timedelta, dict[str, Any]]
"""How long after the start, and what."""


def infusion(*charted: Charted, mg: str = "1.45", kg: bool = True) -> PaperCourse:
    """C1D1 as somebody charted it by hand, looked at two hours later; 70 kg and 170 cm."""
    chart = ChartBuilder().ready()
    if not kg:
        chart.without("weight")
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 1, "mg": mg, "preparation_id": "b1"}, D1)
    for after, what in charted:
        chart.add(what, D1 + after)
    return PaperCourse(chart, D1 + 2 * H)


def end(after: timedelta, **details: Any) -> Charted:
    return after, {"kind": "infusion_completed", **details}


def pump(after: timedelta, ml: str | None = None) -> Charted:
    return after, {"kind": "infusion_interrupted", "infused_ml": ml}


def on(after: timedelta, rate: str, left: str = "0") -> Charted:
    return after, {"kind": "infusion_resumed", "rate_ml_per_h": rate, "remaining_ml": left}


def asked(card: Assessment) -> list[str]:
    return [f.reason for f in card.findings if f.rule == "INF-07"]


STOPPED = {"stopped_early": True, "given_mg": "0.48"}


@pytest.mark.parametrize(
    ("charted", "total"),
    [
        ((end(H),), "C1: 0.80 mg/m² (1.45 mg)"),
        ((pump(20 * MIN, "16.7"), end(50 * MIN, **STOPPED)), "C1: 0.26 mg/m² (0.48 mg; C1D1 in part: 0.48 of 1.45 mg)"),
        (
            (pump(20 * MIN), end(30 * MIN, stopped_early=True)),
            "C1: 0.26 mg/m² (0.48 mg; C1D1 in part: 0.48 of 1.45 mg)",
        ),
        ((end(30 * MIN, stopped_early=True),), "C1: 0.40 mg/m² (0.73 mg; C1D1 in part: 0.73 of 1.45 mg)"),
        ((), "C1: 0.00 mg/m² (0 mg; C1D1 runs: not counted yet)"),
        ((end(3 * MIN),), "C1: 0.80 mg/m² (1.45 mg; C1D1 is asked about: 1.45 mg at most)"),
    ],
    ids=["whole", "in part, as charted", "in part, by the time", "stopped while it ran", "runs", "asked about"],
)
def test_a_cycle_totals_what_was_given_and_never_what_the_protocol_names(
    charted: tuple[Charted, ...], total: str
) -> None:
    assert infusion(*charted).card.cycle_totals_mg_per_m2 == (total,)


def test_a_dose_counts_by_its_own_body_surface() -> None:
    """DOSE-15: 0.91 mg on 1.82 m² and 0.99 mg on 1.97 m² (82 kg, at day 1 of cycle 2) are 0.50 mg/m² each."""
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "weight", "kg": "82"}, day(29) - H)
    chart.add({"kind": "administration", "cycle": 2, "day": 1, "mg": "0.99"}, day(29), Role.NURSE)
    totals = PaperCourse(chart, day(30)).card.cycle_totals_mg_per_m2
    assert totals == ("C1: 1.50 mg/m² (2.73 mg)", "C2: 0.50 mg/m² (0.99 mg; C2D1 elsewhere: 0.99 mg)")


def test_a_dose_given_twice_counts_twice_and_one_of_elsewhere_by_its_own_amount() -> None:
    course = gives(first_dose()("us-label-2024.1"), 1, 1)
    course.does("record_administration", Role.NURSE, cycle=1, day=1, mg="0.7", where="another clinic")
    assert course.card.cycle_totals_mg_per_m2 == ("C1: 1.18 mg/m² (2.15 mg; C1D1 elsewhere: 0.7 mg)",)


def test_without_a_weight_only_the_mg_are_known() -> None:
    totals = infusion(end(H), kg=False).card.cycle_totals_mg_per_m2
    assert totals == ("C1: mg/m² not known (no weight or height of C1D1) (1.45 mg)",)


# ── an infusion that cannot be as it is charted (INF-07) ───────────────────────────────────────────────────────────

FITS = {
    "an hour": (end(H),),
    "45 min, 25 % less": (end(45 * MIN),),
    "75 min, 25 % more": (end(75 * MIN),),
    "interrupted for 20 min": (pump(30 * MIN, "25"), on(50 * MIN, "50"), end(80 * MIN)),
    "the rest at half the rate": (pump(30 * MIN, "25"), on(50 * MIN, "25"), end(110 * MIN)),
    "a third, and a third is charted": (pump(20 * MIN, "16.7"), end(50 * MIN, **STOPPED)),
    "a third by the clock": (end(20 * MIN, **STOPPED),),
}
FITS_NOT = {
    "3 min": (end(3 * MIN),),
    "just less": (end(45 * MIN - timedelta(seconds=1)),),
    "just more": (end(75 * MIN + timedelta(seconds=1)),),
    "12 of 50 mL": (pump(15 * MIN, "12"), end(20 * MIN)),
    "49 of 50 mL": (pump(59 * MIN, "49"), end(H)),
    "12 mL, then 5 min more": (pump(15 * MIN, "12"), on(20 * MIN, "50"), end(25 * MIN)),
    "at half the rate as long as a whole one": (pump(MIN, "0"), on(2 * MIN, "25"), end(H)),
    "a third charted of 3 min": (end(3 * MIN, **STOPPED),),
    "a third charted of the whole hour": (end(H, **STOPPED),),
    "more than the bag held": (end(H, given_mg="2.9"),),
}


@pytest.mark.parametrize("charted", FITS.values(), ids=FITS.keys())
def test_an_infusion_that_fits_its_rate_is_not_asked_about(charted: tuple[Charted, ...]) -> None:
    assert asked(infusion(*charted).card) == []


@pytest.mark.parametrize("charted", FITS_NOT.values(), ids=FITS_NOT.keys())
def test_one_that_does_not_fit_is_asked_about_at_once(charted: tuple[Charted, ...]) -> None:
    course = infusion(*charted)
    assert len(asked(course.card)) == 1
    assert "at most" in course.card.cycle_totals_mg_per_m2[0]


# ── a reading of the pump that cannot be right (INF-07), while it stands still and after its end ───────────────────────

READ_TOO_MUCH = {
    "the whole bag after 3 min": (3, "50", "NURSE"),
    "the whole bag in 20 min": (20, "50", "NURSE"),
    "most of it in 20 min": (20, "40", "NURSE"),
    "more than the bag holds": (20, "60", "PHYSICIAN"),
    "much more than the bag holds": (8, "200", "PHYSICIAN"),
    "more than the bag holds after an hour": (60, "51", "PHYSICIAN"),
}


def running(protocol: str = LABEL) -> PaperCourse:
    course = first_dose()(protocol).ready_to_start()
    course.started()
    return course


def infusion_calls(course: PaperCourse) -> list[tuple[str, tuple[Role, ...]]]:
    return [(o.standing, o.owners) for o in course.card.obligations if o.kind is ObligationKind.INFUSION_ASKED]


CALLED = [("due", (Role.NURSE, Role.PHYSICIAN))]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("minutes", "ml", "by"), READ_TOO_MUCH.values(), ids=READ_TOO_MUCH.keys())
@pytest.mark.parametrize("completed", [False, True])
def test_a_reading_that_the_rate_does_not_allow_is_asked_about_at_once_until_it_is_confirmed(
    protocol: str, minutes: int, ml: str, by: str, completed: bool
) -> None:
    course = running(protocol).later(minutes=minutes)
    read = course.does("interrupt_infusion", Role.NURSE, infused_ml=ml)
    if completed and ml != "40":
        course.does("complete_infusion", Role.NURSE)
    assert infusion_calls(course) == CALLED
    assert len(asked(course.card)) == 1
    assert "asked about" in course.card.cycle_totals_mg_per_m2[0]
    confirmed = {"kind": "result_confirmed", "target": read.id}
    course.does("record_finding", Role.NURSE, finding=confirmed)
    assert bool(infusion_calls(course)) == (by == "PHYSICIAN")
    course.does("record_finding", Role.PHYSICIAN, finding=confirmed)
    assert (infusion_calls(course), asked(course.card)) == ([], [])
    assert "asked about" not in course.card.cycle_totals_mg_per_m2[0]


@pytest.mark.parametrize(("ml", "questioned"), [("50", False), ("50.1", True)])
def test_a_reading_above_what_the_bag_holds_is_questioned(ml: str, questioned: bool) -> None:
    assert bool(asked(infusion(pump(55 * MIN, ml)).card)) == questioned


def test_a_corrected_reading_ends_the_question() -> None:
    course = running().later(minutes=8)
    read = course.does("interrupt_infusion", Role.NURSE, infused_ml="200")
    right = {"kind": "infusion_interrupted", "infused_ml": "6.7"}
    course.does("correct_fact", Role.PHYSICIAN, target=read.id, replacement=right, reason="a typing error")
    assert (infusion_calls(course), asked(course.card)) == ([], [])
    assert "0.19 of 1.45 mg have run in" in course.card.cycle_totals_mg_per_m2[0]


@pytest.mark.parametrize(("minutes", "ml"), [(0, "0.8"), (1, "1.6"), (20, "16.7"), (20, "20"), (20, "12"), (50, "50")])
def test_a_reading_that_fits_its_minute_is_not_asked_about(minutes: int, ml: str) -> None:
    course = running().later(minutes=minutes)
    course.does("interrupt_infusion", Role.NURSE, infused_ml=ml)
    assert (infusion_calls(course), asked(course.card)) == ([], [])


def test_a_second_reading_while_it_stands_still_allows_no_more_than_the_first() -> None:
    assert asked(infusion(pump(10 * MIN, "8.3")).card) == []
    assert len(asked(infusion(pump(10 * MIN, "8.3"), pump(40 * MIN, "30")).card)) == 1


def the_end(course: PaperCourse) -> str:
    return next(f.id for f in course.chart.facts if f.what.kind == "infusion_completed")


ANSWERS: dict[str, Callable[[PaperCourse], object]] = {
    "confirmed": lambda course: course.does(
        "record_finding", Role.NURSE, finding={"kind": "result_confirmed", "target": the_end(course)}
    ),
    "the end corrected": lambda course: course.does(
        "correct_fact",
        Role.NURSE,
        target=the_end(course),
        replacement={"kind": "infusion_completed"},
        at=D1 + H,
        reason="typing error",
    ),
    "the amount corrected": lambda course: course.does(
        "correct_fact",
        Role.NURSE,
        target=the_end(course),
        replacement={"kind": "infusion_completed", "stopped_early": True},
        reason="the rest was discarded",
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_ends_the_question(answer: Callable[[PaperCourse], object]) -> None:
    course = infusion(end(3 * MIN))
    answer(course)
    assert asked(course.card) == []
    assert "at most" not in course.card.cycle_totals_mg_per_m2[0]


def test_who_ends_an_infusion_that_stands_still_says_whether_the_rest_was_discarded() -> None:
    """12 of 50 mL had run in when it was stopped; nobody supposes what became of the rest."""
    course = first_dose()("us-label-2024.1").ready_to_start()
    course.started()
    course.later(minutes=15).does("interrupt_infusion", Role.NURSE, infused_ml="12")
    said = course.later(minutes=5).does("complete_infusion", Role.NURSE)
    assert said.what.model_dump()["stopped_early"] is False
    assert len(asked(course.card)) == 1
    assert any(o.rule == "INF-07" and o.standing == "due" for o in course.card.obligations)
    assert "at most" in course.card.cycle_totals_mg_per_m2[0]
    discarded = {"kind": "infusion_completed", "stopped_early": True}
    course.does("correct_fact", Role.NURSE, target=said.id, replacement=discarded, reason="the rest was discarded")
    assert asked(course.card) == []
    assert "in part: 0.35 of 1.45 mg" in course.card.cycle_totals_mg_per_m2[0]


# ── a dose of elsewhere that is more than its dose (INF-07, DEV-01) ────────────────────────────────────────────────


def elsewhere(mg: str, *, signed: bool = False, cycle: int = 1, **more: Any) -> PaperCourse:
    """C1D1, or day 1 of cycle 2, was given in another clinic; 1.82 m²: 1.45 mg."""
    chart = ChartBuilder().ready() if cycle == 1 else ChartBuilder().ready().cycle(1, D1)
    course = PaperCourse(chart, D1 if cycle == 1 else day(29))
    if signed:
        course.authorised()
    course.later(hours=2).does("record_administration", Role.NURSE, cycle=cycle, day=1, mg=mg, **more)
    return course


def too_much(course: PaperCourse) -> tuple[int, int, int]:
    """How often it is asked about, called for, and said as a deviation."""
    card = course.card
    called = [o for o in card.obligations if o.rule == "INF-07"]
    return len(asked(card)), len(called), sum("more was given" in f.reason for f in card.findings if f.rule == "DEV-01")


@pytest.mark.parametrize(
    ("mg", "signed", "cycle", "times"),
    [
        ("14.5", True, 1, 1),
        ("14.5", False, 1, 1),
        ("1.82", True, 1, 1),
        ("1.81", True, 1, 0),
        ("1.83", False, 1, 1),
        ("1.45", True, 1, 0),
        ("0.3", True, 1, 0),
        ("14.5", False, 2, 1),  # nobody recorded a response: the most that day 1 of a later cycle asks for counts
        ("1.45", False, 2, 0),
    ],
)
def test_more_than_its_dose_is_asked_about_until_a_physician_confirms_it(
    mg: str, signed: bool, cycle: int, times: int
) -> None:
    course = elsewhere(mg, signed=signed, cycle=cycle)
    assert too_much(course) == (times, times, times)
    target = next(f.id for f in course.chart.facts if f.what.kind == "administration")
    confirmed = {"kind": "result_confirmed", "target": target}
    course.does("record_finding", Role.NURSE, finding=confirmed)
    assert too_much(course) == (times, times, times)
    course.does("record_finding", Role.PHYSICIAN, finding=confirmed)
    assert too_much(course) == (0, 0, times)


def test_a_report_of_too_much_ends_by_the_prescribers_correction() -> None:
    course = elsewhere("14.5")
    assert "is asked about: 14.5 mg at most" in course.card.cycle_totals_mg_per_m2[0]
    target = next(f.id for f in course.chart.facts if f.what.kind == "administration")
    right = {"kind": "administration", "cycle": 1, "day": 1, "mg": "1.45"}
    course.does("correct_fact", Role.PRESCRIBER, target=target, replacement=right, reason="a typing error")
    assert too_much(course) == (0, 0, 0)
