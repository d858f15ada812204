"""`set_fact_aside`: a fact that the rules cannot bear is taken out by two people, and the gate stays closed for it (LAB-05)."""

import base64
import json
from datetime import timedelta
from random import Random

import pytest
from pydantic import ValidationError

from clinical.assess import assess
from clinical.chart.setting_aside import MUST_STAND, judge_setting_aside
from clinical.coding.marks import TAGS
from clinical.course.case import Case
from clinical.decide import decide
from models.assessment import Accepted, Refused, Verdict
from models.carried import DecideRequest
from models.chart import Chart
from models.messages import MESSAGES, NamedMessage, SetFactAside
from models.people import Actor, Role
from plumbing.protocol_files import load_protocol
from tests.extremes import Speaker
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab, standing_rules

MIN = timedelta(minutes=1)
PRESCRIBER, PHYSICIAN = Actor(role=Role.PRESCRIBER, id="p-1"), Actor(role=Role.PHYSICIAN, id="ph-2")
IT = "it"
OTHER_PHYSICIAN = Actor(role=Role.PHYSICIAN, id="ph-3")


def word(by: Actor, target: str, number: int = 1) -> SetFactAside:
    return SetFactAside(id=f"aside-{number}-{by.id}", by=by, target=target, reason="a rule fails on it")


def said(chart: Chart, *words: SetFactAside) -> Chart:
    """The chart with these words, each accepted a minute after the one before."""
    for number, one in enumerate(words):
        ruling = judge_setting_aside(chart, one, D1 + number * MIN)
        assert isinstance(ruling, Accepted), ruling
        chart = chart.with_facts(*ruling.facts)
    return chart


def refused(chart: Chart, one: SetFactAside) -> Refused:
    ruling = judge_setting_aside(chart, one, D1 + 9 * MIN)
    assert isinstance(ruling, Refused)
    return ruling


def ready_with_a_strange_result() -> tuple[Chart, str]:
    builder = ChartBuilder().ready()
    target = builder.add(a_lab("sodium", "139", at=D1 - MIN), D1 - MIN, Role.LABORATORY)
    return builder.chart(), target


def card_of(chart: Chart, after: timedelta = 9 * MIN) -> Verdict:
    return assess(chart, load_protocol(LABEL), D1 + after).verdict


def test_a_fact_that_two_people_set_aside_closes_the_gate_until_a_physician_settles_it() -> None:
    chart, target = ready_with_a_strange_result()
    assert card_of(chart) is Verdict.MAY_AUTHORISE
    one = said(chart, word(PRESCRIBER, target))
    assert card_of(one) is Verdict.MAY_AUTHORISE
    both = said(one, word(PHYSICIAN, target))
    course = PaperCourse(ChartBuilder(), D1 + 9 * MIN)
    course.chart = both
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.NEED_DATA, ["LAB-05"])
    assert any(o.key.startswith("unreadable-") and o.owner is Role.PHYSICIAN for o in course.card.obligations)
    settled = {"target": target, "outcome": "dismissed", "reason": "it was a test of the analyser"}
    assert course.refused("resolve_unreadable", Role.NURSE, **settled).type == "RoleNotAllowed"
    course.does("resolve_unreadable", PHYSICIAN, **settled)
    assert course.later(minutes=1).card.verdict is Verdict.MAY_AUTHORISE


def test_what_was_said_of_a_fact_before_it_was_set_aside_does_not_settle_it() -> None:
    builder = ChartBuilder().ready()
    target = builder.add(
        a_lab("sodium", "140", at=D1 - MIN).model_copy(update={"value": None}), D1 - MIN, Role.LABORATORY
    )
    settled = {"target": target, "outcome": "dismissed", "reason": "not asked for"}
    builder.add({"kind": "unreadable_resolved", **settled}, D1 - MIN / 2)
    chart = said(builder.chart(), word(PRESCRIBER, target), word(PHYSICIAN, target))
    assert card_of(chart) is Verdict.NEED_DATA


def test_a_person_can_read_what_was_set_aside() -> None:
    chart, target = ready_with_a_strange_result()
    course = PaperCourse(ChartBuilder(), D1 + 9 * MIN)
    course.chart = said(chart, word(PRESCRIBER, target), word(PHYSICIAN, target))
    decision = decide(DecideRequest(chart=course.chart, now=course.now), course.protocol, "test")
    finding = next(f for f in decision.assessment.findings if f.rule == "LAB-05")
    assert finding.verdict is Verdict.NEED_DATA
    case = Case(course.chart, course.protocol, course.now)
    ((fact, message),) = case.results.unreadable_messages
    assert fact.id == target
    assert (message.signal, message.reason) == (
        "lab_result",
        "set aside by prescriber:p-1 and physician:ph-2: the rules cannot bear it",
    )
    assert json.loads(base64.b64decode(message.head_base64))["what"]["value"] == "139"


@pytest.mark.parametrize(
    ("words", "last", "kind"),
    [
        ((), word(PRESCRIBER, "no-such-fact"), "NoSuchFact"),
        ((PRESCRIBER,), word(PRESCRIBER, IT, 2), "SecondPersonRequired"),
        ((PRESCRIBER,), word(Actor(role=Role.PHYSICIAN, id="p-1"), IT, 2), "SecondPersonRequired"),
        ((PHYSICIAN,), word(OTHER_PHYSICIAN, IT), "PrescriberRequired"),
        ((PRESCRIBER, PHYSICIAN), word(OTHER_PHYSICIAN, IT), "AlreadySetAside"),
        ((), word(Actor(role=Role.NURSE, id="n-1"), IT), "RoleNotAllowed"),
        ((), word(PRESCRIBER, IT).model_copy(update={"course_id": "another"}), "WrongCourse"),
    ],
)
def test_a_word_that_cannot_be_said_is_refused(words: tuple[Actor, ...], last: SetFactAside, kind: str) -> None:
    chart, target = ready_with_a_strange_result()
    chart = said(chart, *(word(by, target) for by in words))
    assert refused(chart, last.model_copy(update={"target": target}) if last.target == IT else last).type == kind


def test_two_physicians_of_whom_the_second_prescribes_are_enough() -> None:
    chart, target = ready_with_a_strange_result()
    assert card_of(said(chart, word(PHYSICIAN, target), word(PRESCRIBER, target))) is Verdict.NEED_DATA


@pytest.mark.parametrize("kind", sorted(MUST_STAND))
def test_what_must_not_vanish_is_not_set_aside(kind: str) -> None:
    builder = ChartBuilder().ready()
    body = Speaker(Random(0), D1, extreme=0).says(next(what for what, tag in TAGS.items() if tag == kind))
    target = builder.add({**body, "kind": kind}, D1 - MIN, Role.PRESCRIBER)
    found = refused(builder.chart(), word(PRESCRIBER, target))
    assert found.type == "NotSetAside"
    assert MUST_STAND[kind] in found.message


def test_a_correction_is_set_aside_and_then_the_fact_that_it_corrected() -> None:
    chart, target = ready_with_a_strange_result()
    course = PaperCourse(ChartBuilder(), D1)
    course.chart = chart
    wrong = a_lab("sodium", "138", at=D1 - MIN).model_dump(mode="json")
    correction = course.does("correct_fact", Role.PHYSICIAN, target=target, replacement=wrong, reason="typed wrongly")
    found = refused(course.chart, word(PRESCRIBER, target))
    assert (found.type, correction.id in found.message) == ("CorrectedAlready", True)
    chart = said(course.chart, word(PRESCRIBER, correction.id), word(PHYSICIAN, correction.id))
    assert card_of(chart) is Verdict.NEED_DATA
    assert isinstance(judge_setting_aside(chart, word(PRESCRIBER, target, 2), D1 + 9 * MIN), Accepted)


def test_a_fact_that_was_set_aside_is_not_corrected() -> None:
    chart, target = ready_with_a_strange_result()
    course = PaperCourse(ChartBuilder(), D1 + 9 * MIN)
    course.chart = said(chart, word(PRESCRIBER, target), word(PHYSICIAN, target))
    assert course.refused("correct_fact", Role.PHYSICIAN, target=target, reason="as it was").type == "NotCorrectable"


# ── a rule fails ───────────────────────────────────────────────────────────────────────────────────────────────────


def poisoned() -> tuple[Chart, str]:
    """A preparation that no bound of an earlier release kept out: its clocks run out of the calendar."""
    course = PaperCourse(ChartBuilder().ready(), D1)
    signed = course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=1)
    made = {"preparation_id": "bag", "reconstituted_at": "2199-12-31T23:59:59Z", "mg": "0.91", "vials": 2}
    with course.charting() as builder:
        target = builder.add({"kind": "preparation", **made, "authorisation": signed.id}, D1, Role.PHARMACIST)
    return course.chart, target


def test_a_fact_on_which_a_rule_fails_is_set_aside_though_no_rule_works_and_then_they_work_again() -> None:
    chart, target = poisoned()
    with pytest.raises(ValidationError):
        assess(chart, load_protocol(LABEL), D1 + MIN)
    first = judge_setting_aside(chart, word(PHYSICIAN, target), D1 + MIN)
    assert isinstance(first, Accepted)
    named = NamedMessage.of(word(PRESCRIBER, target))
    request = DecideRequest(chart=chart.with_facts(*first.facts), now=D1 + 2 * MIN, message=named)
    decision = decide(request, load_protocol(LABEL), "test")
    assert isinstance(decision.ruling, Accepted)
    assert decision.facts[0].what.kind == "fact_set_aside"
    assert decision.assessment.verdict is Verdict.NEED_DATA
    assert "LAB-05" in standing_rules(decision.assessment)


def test_the_command_is_one_of_the_messages() -> None:
    assert MESSAGES["set_fact_aside"] is SetFactAside
