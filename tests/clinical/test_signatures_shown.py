"""Who signed what is shown as it stands: of the dose that runs, and of a signature that lapsed with the reason."""

import pytest

from models.people import Role
from tests.factories import LABEL, ChartBuilder, PaperCourse
from tests.further.language import sends, taken_back
from tests.scenarios import D1, MIN, SECOND, day_8


def running() -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready(), D1).ready_to_start()
    course.started()
    return course


def test_a_running_infusion_says_its_dose_how_it_goes_and_who_signed_checked_and_started_it() -> None:
    card = running().later(minutes=20).card
    assert card.under_way == "C1D1, 1.45 mg, runs, since 10:00; it ends at 11:00"
    assert [words.partition(" 2026")[0] for words in card.signatures] == ["1.45 mg authorised", "checked", "started"]
    assert card.sentence().startswith("NO_DOSE_DUE – C1D1, 1.45 mg, runs")
    assert card.lapsed == ()


@pytest.mark.parametrize("stop", ["interrupted", "reaction", "for good"])
def test_what_stands_still_is_not_said_to_run(stop: str) -> None:
    course = running().later(minutes=20)
    if stop == "interrupted":
        course.does("interrupt_infusion", Role.NURSE, infused_ml="10")
    else:
        course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=3 if stop == "for good" else 1)
    [total] = course.later(minutes=5).card.cycle_totals_mg_per_m2
    assert "runs" not in total + course.card.under_way
    mg = "0.29" if stop == "interrupted" else "0.48"
    assert f"{mg} of 1.45 mg have run in" in total
    assert f"{mg} of 1.45 mg have run in" in course.card.under_way


def test_an_infusion_that_runs_on_after_the_drug_was_stopped_is_said_to() -> None:
    course = running().later(minutes=20)
    course.does("discontinue", Role.PRESCRIBER, reason="harm")
    assert course.card.under_way.startswith("C1D1, 1.45 mg, runs although the drug was stopped for good")
    assert {action.partition(",")[0] for _, action in course.card.turns} == {"stop the infusion for good"}


def test_a_dose_in_observation_says_until_when_and_one_that_is_over_says_nothing() -> None:
    course = running().later(hours=1)
    course.does("complete_infusion", Role.NURSE)
    assert course.card.under_way == "C1D1 ended at 11:00, observed until 12:00"
    assert len(course.card.signatures) == 3
    course.later(hours=1).does("end_observation", Role.NURSE)
    assert (course.card.under_way, course.card.signatures) == ("", ())


def test_a_signature_that_lapsed_is_shown_as_lapsed_with_why() -> None:
    course = day_8()(LABEL).authorised(1, 8).later(minutes=5)
    assert (len(course.card.signatures), course.card.lapsed) == (2, ())
    with course.charting() as chart:
        chart.add({"kind": "weight", "kg": "55"}, course.now - SECOND, Role.NURSE)
    [words] = course.card.lapsed
    assert course.card.signatures == ()
    assert words.startswith("0.91 mg authorised 2026-03-09 09:00 local time by prescriber:prescriber-1, checked ")
    assert words.endswith(": 0.81 mg in place of 0.91; 55 kg in place of 70")
    [unsigned] = [f.reason for f in course.card.findings if f.rule == "OWN-01"]
    assert unsigned == "the authorisation has lapsed: 0.81 mg in place of 0.91; 55 kg in place of 70"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((sends("alt", "31", ago=MIN),), "a newer result of ALT"),
        ((sends("alt", "31", ago=MIN, status="preliminary"),), "a result of ALT that cannot be used"),
        (
            (sends("haemoglobin", "6", ago=MIN, accession="a-9"), taken_back("haemoglobin")),
            ": something it was given for has changed since",
        ),
    ],
    ids=["newer", "unusable", "come and gone"],
)
def test_the_result_behind_a_lapse_is_named(steps: tuple[object, ...], why: str) -> None:
    course = day_8()(LABEL).authorised(1, 8).later(minutes=5)
    for step in steps:
        step(course)  # type: ignore[operator]
    [words] = course.card.lapsed
    assert words.endswith(why)
    assert course.card.signatures == ()


def test_a_new_signature_ends_what_was_said_of_the_one_that_lapsed() -> None:
    course = day_8()(LABEL).authorised(1, 8).later(minutes=5)
    sends("alt", "31", ago=MIN)(course)
    assert course.card.lapsed
    course.authorised(1, 8)
    assert (len(course.card.signatures), course.card.lapsed) == (2, ())
