"""Who may say that a fact was wrong: of every kind one answer, and what is said in its place answers what it answered (E1)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, get_args

import pytest

from clinical.chart.taken_back import NOBODY, TAKEN_BACK_BY
from models.assessment import Verdict
from models.facts import Body
from models.people import CLINICAL_ROLES, PHYSICIANS, Role
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, standing_rules
from tests.scenarios import HOUR, MIN, Story, day_8, first_dose, next_cycle

OTHERS = sorted(CLINICAL_ROLES - PHYSICIANS)
NO_CHECK = {"kind": "infection_bleeding"}
HIGH_FEVER = {**NO_CHECK, "temperature_c": "39.1", "infection": True, "active_bleeding": True}
REACTION = {"kind": "reaction", "reaction_id": "r-1"}
TOXIC = {"kind": "toxicity", "term": "nausea", "grade": 3}
WORSE: dict[str, tuple[Story, dict[str, Any], list[dict[str, Any] | None]]] = {
    "severe VOD before": (first_dose(), {"kind": "medical_history", "severe_vod": True}, [None]),
    "an allergy to it": (first_dose(), {"kind": "allergy", "substance": "inotuzumab", "to_inotuzumab": True}, [None]),
    "no consent": (first_dose(), {"kind": "consent", "given": False}, [None, {"kind": "consent", "given": True}]),
    "a long QT": (next_cycle(), {"kind": "ecg", "qtcf_ms": "510"}, [None, {"kind": "ecg", "qtcf_ms": "400"}]),
    "fever": (day_8(), HIGH_FEVER, [None]),
    "grade 2": (day_8(), {**REACTION, "grade": 2}, [None, {**REACTION, "grade": 1}]),
    "no grade": (day_8(), REACTION, [None, {**REACTION, "grade": 1}]),
    "toxicity": (day_8(), TOXIC, [None, {**TOXIC, "term": "rash", "grade": 1}]),
    "a positive test": (day_8(), {"kind": "pregnancy_test", "result": "positive"}, [None]),
    "platelets transfused": (next_cycle(), {"kind": "transfusion", "product": "platelets"}, [None]),
    "a growth factor": (next_cycle(), {"kind": "g_csf", "drug": "pegfilgrastim"}, [None]),
    "a lower weight": (day_8(), {"kind": "weight", "kg": "60"}, [None]),
}


def told(story: Story, what: dict[str, Any]) -> tuple[PaperCourse, str]:
    """A course in order, and what a physician has just said in it."""
    course = story(LABEL)
    with course.charting() as chart:
        fact = chart.add(what, course.now - HOUR, Role.PHYSICIAN)
    return course, fact


def test_of_every_kind_of_fact_one_table_says_who_takes_it_back() -> None:
    kinds = {kind for one in get_args(get_args(Body)[0]) for kind in get_args(one.model_fields["kind"].annotation)}
    assert set(TAKEN_BACK_BY) == kinds
    assert all(by == NOBODY or by <= CLINICAL_ROLES for by in TAKEN_BACK_BY.values())


@pytest.mark.parametrize("role", OTHERS)
@pytest.mark.parametrize(("story", "what", "instead"), WORSE.values(), ids=WORSE.keys())
def test_what_holds_or_calls_is_taken_back_by_a_physician_alone(
    story: Story, what: dict[str, Any], instead: list[dict[str, Any] | None], role: Role
) -> None:
    course, fact = told(story, what)
    before = course.card
    for replacement in instead:
        said = {"target": fact, "replacement": replacement, "reason": "misread"}
        assert course.refused("correct_fact", role, **said).type == "RoleNotAllowed"
    assert course.card == before
    course.does("correct_fact", Role.PHYSICIAN, target=fact, reason="another patient's")


EMPTY: dict[str, tuple[Story, dict[str, Any], dict[str, Any]]] = {
    "an ECG without a value": (next_cycle(), {"kind": "ecg", "qtcf_ms": "510"}, {"kind": "ecg"}),
    "a QT without its rate": (next_cycle(), {"kind": "ecg", "qtcf_ms": "510"}, {"kind": "ecg", "qt_ms": "400"}),
    "an empty check": (day_8(), HIGH_FEVER, NO_CHECK),
    "a temperature alone": (day_8(), HIGH_FEVER, {**NO_CHECK, "temperature_c": "36.6"}),
    "an empty history": (
        first_dose(),
        {"kind": "medical_history", "severe_vod": True},
        {"kind": "medical_history", "liver_disease": False},
    ),
    "no grade": (day_8(), {**REACTION, "grade": 2}, REACTION),
    "a response without its MRD": (
        next_cycle(),
        {"kind": "response", "cycle": 1, "response": "CR", "mrd_negative": True},
        {"kind": "response", "cycle": 1, "response": "CR"},
    ),
    "no sign looked for": (day_8(), {"kind": "vod_examination", "ascites": True}, {"kind": "vod_examination"}),
    "no value": (
        day_8(),
        {"kind": "lab_result", "loinc": "1742-6", "value": "300", "unit": "U/L", "uln": "55", "status": "final"},
        {"kind": "lab_result", "loinc": "1742-6", "text": "haemolysed", "status": "final"},
    ),
}


@pytest.mark.parametrize(("story", "what", "empty"), EMPTY.values(), ids=EMPTY.keys())
def test_a_replacement_that_says_nothing_lifts_nothing(
    story: Story, what: dict[str, Any], empty: dict[str, Any]
) -> None:
    course, fact = told(story, what)
    before = course.card
    said = {"target": fact, "replacement": empty, "reason": "misread"}
    assert course.refused("correct_fact", Role.PHYSICIAN, **said).type == "SaysNothing"
    assert course.card == before


def test_a_qt_with_its_rate_stands_in_place_of_a_wrong_qtcf() -> None:
    course, fact = told(next_cycle(), {"kind": "ecg", "qtcf_ms": "510"})
    right = {"kind": "ecg", "qt_ms": "400", "heart_rate_per_min": "62"}
    course.does("correct_fact", Role.PHYSICIAN, target=fact, replacement=right, reason="misread")
    assert standing_rules(course.card) == []


# ── a dose that was given ──────────────────────────────────────────────────────────────────────────────────────────


def after_the_dose() -> tuple[PaperCourse, Callable[[str], str]]:
    """Four hours after the first dose, with the id of what was charted of it by kind."""
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + 4 * HOUR)
    return course, lambda kind: next(f.id for f in course.chart.facts if f.what.kind == kind)


@pytest.mark.parametrize("role", sorted(CLINICAL_ROLES - {Role.PRESCRIBER}))
def test_that_a_dose_was_given_is_taken_back_by_the_prescriber_alone(role: Role) -> None:
    course, charted = after_the_dose()
    started = charted("infusion_started")
    given = course.does("record_administration", Role.NURSE, cycle=1, day=8, mg="0.9", at=course.now - MIN).id
    for target in (started, given):
        assert course.refused("correct_fact", role, target=target, reason="x").type == "RoleNotAllowed"


def test_a_start_that_was_taken_back_is_no_next_dose_while_its_end_is_charted() -> None:
    course, charted = after_the_dose()
    course.does("correct_fact", Role.PRESCRIBER, target=charted("infusion_started"), reason="another patient's")
    for kind in ("infusion_completed", "observation_ended"):
        assert "COR-01" in standing_rules(course.card)
        assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=1).type == "DoseGateClosed"
        course.does("correct_fact", Role.NURSE, target=charted(kind), reason="another patient's")
    assert "COR-01" not in standing_rules(course.card)


def test_a_start_whose_time_was_wrong_is_charted_anew_as_given() -> None:
    course, charted = after_the_dose()
    course.does("correct_fact", Role.PRESCRIBER, target=charted("infusion_started"), reason="the time was wrong")
    course.does("record_administration", Role.NURSE, cycle=1, day=1, mg="1.45", at=D1 + timedelta(minutes=5))
    assert "COR-01" not in standing_rules(course.card)
    assert course.card.next_dose == "C1D8"


# ── a chart in which somebody took back what he may not (COR-01) ───────────────────────────────────────────────────


def taken_back_in_the_chart(
    course: PaperCourse, target: str, by: Role, replacement: dict[str, Any] | None = None
) -> str:
    with course.charting() as chart:
        said = {"kind": "correction", "target": target, "replacement": replacement, "reason": "misread"}
        return chart.add(said, course.now - MIN, by)


@pytest.mark.parametrize("role", OTHERS)
@pytest.mark.parametrize(("story", "what", "instead"), WORSE.values(), ids=WORSE.keys())
def test_a_chart_that_came_about_otherwise_opens_nothing_by_a_correction_of_nobody_who_may(
    story: Story, what: dict[str, Any], instead: list[dict[str, Any] | None], role: Role
) -> None:
    for replacement in instead:
        course, fact = told(story, what)
        correction = taken_back_in_the_chart(course, fact, role, replacement)
        held = next(f for f in course.card.standing if f.rule == "COR-01")
        assert (held.verdict, role in held.reason, f"result_confirmed of {correction}" in (held.clears or "")) == (
            Verdict.HOLD,
            True,
            True,
        )
        confirmed = {"kind": "result_confirmed", "target": correction}
        course.does("record_finding", role, finding=confirmed)
        assert "COR-01" in standing_rules(course.card)
        course.does("record_finding", Role.PHYSICIAN, finding=confirmed)
        assert "COR-01" not in standing_rules(course.card)


def test_a_correction_that_follows_by_who_may_settles_it() -> None:
    course, fact = told(day_8(), HIGH_FEVER)
    none = {**NO_CHECK, "temperature_c": "36.6", "infection": False, "active_bleeding": False}
    correction = taken_back_in_the_chart(course, fact, Role.NURSE, none)
    assert standing_rules(course.card) == ["COR-01"]
    course.does("correct_fact", Role.PHYSICIAN, target=correction, replacement=none, reason="of another patient")
    assert standing_rules(course.card) == []


@pytest.mark.parametrize(("story", "what", "empty"), EMPTY.values(), ids=EMPTY.keys())
def test_an_empty_replacement_in_a_chart_lifts_nothing_either(
    story: Story, what: dict[str, Any], empty: dict[str, Any]
) -> None:
    course, fact = told(story, what)
    taken_back_in_the_chart(course, fact, Role.PHYSICIAN, empty)
    assert {"COR-01", "NON-04"} & set(standing_rules(course.card))  # a reaction without a grade asks first


def test_what_nobody_takes_back_so_is_not_taken_back_by_a_chart() -> None:
    course = first_dose()(LABEL)
    hold = course.does("hold", Role.NURSE, reason="she has doubts").id
    correction = taken_back_in_the_chart(course, hold, Role.PRESCRIBER)
    held = next(f for f in course.card.standing if f.rule == "COR-01")
    assert f"set_fact_aside of {correction}" in (held.clears or "")
