"""DOSE-08a: a further cycle is refused under whatever its dose would meet; a third one before a transplant has a reason."""

from collections.abc import Callable
from typing import Any

import pytest

from models.people import Role
from tests.factories import LABEL, PROTOCOLS, PaperCourse, notes, standing_rules
from tests.scenarios import DAY, MIN, Story, after_cycles, after_transplant, charted, lab, next_cycle

Step = Callable[[PaperCourse], object]


def finished(course: PaperCourse) -> None:
    """Dosing was finished a while ago; the data for another cycle are there all the same."""
    with course.charting() as chart:
        chart.add({"kind": "dosing_finished", "reason": "goes to transplant"}, course.now - 30 * MIN, Role.PRESCRIBER)


def person(**what: Any) -> Step:
    return charted(what)


HOLDS: dict[str, Step] = {
    "liver, both limbs": lambda course: [lab("alt", "300")(course), lab("bilirubin", "2.5")(course)],
    "liver, one limb": lab("alt", "160"),
    "another grade 2": lab("lipase", "110"),
    "a graded toxicity": person(kind="toxicity", term="neuropathy", grade=2),
    "low counts": lab("platelets", "30"),
    "QTc": person(kind="ecg", qtcf_ms="510"),
    "potassium": lab("potassium", "3.1"),
    "fever": person(kind="vital_signs", temperature_c="39"),
    "a hold of a person": person(kind="hold", reason="unwell"),
    "implausibly high": lab("alt", "99999"),
    "not eligible": charted({"kind": "eligibility", "cd22_positive": False, "method": "flow"}, by=Role.PRESCRIBER),
    "VOD suspected": lambda course: [
        person(kind="vod_examination", ruq_pain=True, hepatomegaly=True, painful_hepatomegaly=True, ascites=True)(
            course
        ),
        lab("bilirubin", "2.4")(course),
    ],
    "a reaction that runs": person(kind="reaction", reaction_id="r-1", grade=2),
}


@pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS.keys())
@pytest.mark.parametrize("ended", [False, True], ids=["in review", "dosing finished"])
def test_a_cycle_is_not_started_under_what_its_dose_would_meet(hold: Step, ended: bool) -> None:
    course = next_cycle()(LABEL)
    if ended:
        finished(course)
    assert may(course), course.card.sentence()
    hold(course)
    assert not may(course)
    course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2)


def may(course: PaperCourse) -> bool:
    return next(c.may for c in course.card.commands if c.command == "start_next_cycle")


def test_what_is_set_aside_for_that_dose_does_not_refuse_its_cycle() -> None:
    course = next_cycle(alt="160")(LABEL)
    assert not may(course)
    while not may(course):
        left = next(f for f in course.card.standing if f.rule in ("NON-06", "NON-08") and f.overridden is None)
        if left.clears is not None and "countersign" in left.clears:
            course.does("countersign", Role.PHARMACIST, target=left.clears.split("countersign ")[1].split(";")[0])
        else:
            course.does(
                "override", Role.PRESCRIBER, cycle=2, day=1, rule=left.rule, subject="alt", reason="as the other"
            )
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)


# ── before a transplant ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "story", [after_cycles(2, "CRi", mrd=False, planned=True), after_cycles(2, "none", planned=True)]
)
def test_a_third_cycle_before_a_transplant_asks_for_a_reason(story: Story) -> None:
    course = story(LABEL)
    answer = next(c for c in course.card.commands if c.command == "start_next_cycle")
    assert (answer.may, answer.rules) == (True, ("DOSE-08",))
    assert "reason" in (answer.why or "")
    for reason in ({}, {"reason": "  "}):
        refused = course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3, **reason)
        assert (refused.type, refused.rules) == ("ReasonRequired", ("DOSE-08",))
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3, reason="no donor yet")
    said = [f.reason for f in course.card.findings if f.rule == "DOSE-08"]
    assert said == ["cycle 3 was started by prescriber:prescriber-1: no donor yet"]


def test_a_reason_does_not_replace_two_signatures_where_two_are_needed() -> None:
    course = after_cycles(2, "CR", mrd=True, planned=True)(LABEL)
    refused = course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3, reason="no donor yet")
    assert (refused.type, refused.rules) == ("DoseGateClosed", ("DOSE-08",))


@pytest.mark.parametrize("response", ["CR", "CRi", "not_assessable"])
def test_a_response_that_says_nothing_of_mrd_takes_no_negative_one_back(response: str) -> None:
    """M.0: MRD stands as it was answered last."""
    course = after_cycles(2, "CR", mrd=True, planned=True)(LABEL)
    course.does("record_response", Role.PHYSICIAN, cycle=2, response=response)
    assert "DOSE-08" in standing_rules(course.card)
    assert "DOSE-08" in course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3, reason="no donor yet").rules
    course.does("record_response", Role.PHYSICIAN, cycle=2, response="CR", mrd_negative=False)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3, reason="no donor yet")


def test_a_response_that_cannot_be_assessed_takes_back_no_answer() -> None:
    """M.0: DOSE-07 stands beside what is missing (DATA-03)."""
    course = after_cycles(3, "none")(LABEL)
    course.does("record_response", Role.PHYSICIAN, cycle=3, response="not_assessable")
    assert {"DOSE-07", "RESP-01"} <= set(standing_rules(course.card))


@pytest.mark.parametrize(
    "story",
    [
        after_cycles(1, "CR", planned=True),
        after_cycles(2, "CR", mrd=False, planned=False),
        after_cycles(3, "CR", mrd=False, planned=False),
    ],
)
def test_no_other_cycle_asks_for_one(story: Story) -> None:
    course = story(LABEL)
    following = int(str(course.card.next_dose)[1])
    assert next(c.why for c in course.card.commands if c.command == "start_next_cycle") is None
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=following)
    assert "DOSE-08" not in notes(course.card)


def test_a_cycle_after_dosing_was_finished_for_transplant_asks_for_it_too() -> None:
    course = after_cycles(2, "CRi", mrd=False, planned=True)(LABEL)
    finished(course)
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3).type == "ReasonRequired"
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3, reason="the donor fell ill")
    assert course.card.next_dose == "C3D1"


def test_a_cycle_after_the_transplant_asks_for_a_reason() -> None:
    course = after_transplant(90)(LABEL)
    cycle = course.card.next_dose or "C2D1"
    refused = course.refused("start_next_cycle", Role.PRESCRIBER, cycle=int(cycle[1]))
    assert (refused.type, refused.rules) == ("ReasonRequired", ("DOSE-08",))
    assert "after the transplant of" in str(refused)


# ── which of two responses stands ──────────────────────────────────────────────────────────────────────────────────


def mg_of(course: PaperCourse) -> str:
    assert course.card.dose is not None
    return str(course.card.dose.mg)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("known", "older"), [("CR", "none"), ("CR", "not_assessable"), ("none", "CR")])
def test_a_response_of_an_older_date_that_is_said_later_decides_nothing_and_is_told(
    protocol: str, known: str, older: str
) -> None:
    course = next_cycle(response=known)(protocol)
    before, verdict = mg_of(course), course.card.verdict
    course.does("record_response", Role.PHYSICIAN, cycle=1, response=older, at=course.now - 5 * DAY)
    assert (mg_of(course), course.card.verdict) == (before, verdict)
    assert [f.reason for f in course.card.findings if f.rule == "RESP-01" and "later and stands" in f.reason]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_response_of_a_later_date_decides_and_of_one_instant_the_one_said_later(protocol: str) -> None:
    course = next_cycle(response="CR")(protocol)
    after_cr = mg_of(course)
    course.does("record_response", Role.PHYSICIAN, cycle=1, response="none")
    without = mg_of(course)
    assert without > after_cr
    course.does("record_response", Role.PHYSICIAN, cycle=1, response="CR")
    assert mg_of(course) == after_cr
    assert not [f for f in course.card.findings if f.rule == "RESP-01" and "later and stands" in f.reason]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_correction_of_the_response_that_stands_lets_the_other_stand(protocol: str) -> None:
    course = next_cycle(response="CR")(protocol)
    (first,) = [f.id for f in course.chart.facts if f.what.kind == "response"]
    older = course.does("record_response", Role.PHYSICIAN, cycle=1, response="none", at=course.now - 5 * DAY)
    after_cr = mg_of(course)
    course.does("correct_fact", Role.PHYSICIAN, target=first, reason="another patient's")
    assert mg_of(course) > after_cr
    course.does(
        "correct_fact",
        Role.PHYSICIAN,
        target=older.id,
        reason="typed wrongly",
        replacement={"kind": "response", "cycle": 1, "response": "CR"},
    )
    assert mg_of(course) == after_cr


def test_an_older_mrd_said_later_takes_the_newer_one_not_back() -> None:
    course = after_cycles(2, "CR", mrd=True, planned=True)(LABEL)
    older = course.now - 27 * DAY
    course.does("record_response", Role.PHYSICIAN, cycle=2, response="CR", mrd_negative=False, at=older)
    assert "DOSE-08" in course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3, reason="no donor yet").rules
