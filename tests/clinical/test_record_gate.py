"""REC-01, REC-02: how the record stands to the execution is a fact, and the rules hold or ask for a reason by it."""

from datetime import datetime, timedelta

import pytest

from clinical.assess import assess
from clinical.decide import Concluded, conclude
from models.assessment import Accepted, Refused, Verdict
from models.chart import Chart
from models.facts import GoneAheadWithoutRecord, InfusionStarted, RecordCompared
from models.messages import COMMANDS, Message
from models.people import Actor, Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse
from workflows.shown import attributes_of

RULES = load_protocol(LABEL)
AHEAD = RecordCompared(outcome="ahead", words="the record holds decision 9, this execution knows only 7")
SAID = {"reason": "compared with the record"}


def ready() -> PaperCourse:
    return PaperCourse(ChartBuilder().ready(), D1).ready_to_start()


def found(course: PaperCourse, compared: RecordCompared) -> Chart:
    return conclude(course.chart, (), course.now, RULES, compared=compared).chart


@pytest.mark.parametrize("outcome", ["equal", "behind", "away"])
def test_a_record_that_knows_no_more_holds_nothing(outcome: str) -> None:
    course = ready()
    chart = found(course, RecordCompared.model_validate({"outcome": outcome}))
    assert assess(chart, RULES, course.now).verdict is Verdict.MAY_START


@pytest.mark.parametrize("outcome", ["ahead", "other"])
def test_a_record_that_differs_holds_and_says_how(outcome: str) -> None:
    course = ready()
    card = assess(found(course, AHEAD.model_copy(update={"outcome": outcome})), RULES, course.now)
    (finding,) = [f for f in card.findings if f.rule == "REC-02"]
    assert (card.verdict, finding.reason, finding.override) == (Verdict.HOLD, AHEAD.words, "never")
    assert {c.command for c in card.commands if c.command in ("start_infusion", "authorise_dose") and c.may} == set()


def started(course: PaperCourse, outcome: str, reason: str | None = None) -> Accepted | Refused | None:
    fields = {"preparation_id": "bag-1", "identifiers_checked": ["name", "birth date"], "cycle": 1, "day": 1}
    more = {"record_away_reason": reason} if reason else {}
    said = COMMANDS["start_infusion"].model_validate({"id": "s-1", "by": "nurse:n-1", **fields, **more}, strict=False)
    compared = RecordCompared.model_validate({"outcome": outcome, "words": "differs"})
    return conclude(course.chart, (said,), course.now, RULES, compared=compared).rulings[0]


def test_a_start_while_the_record_does_not_answer_asks_for_a_reason_which_is_a_deviation() -> None:
    course = ready()
    refusal = started(course, "away")
    assert isinstance(refusal, Refused)
    assert (refusal.type, refusal.rules) == ("RecordAway", ("REC-01",))
    accepted = started(course, "away", "the patient reacts to waiting; the database is being moved")
    assert isinstance(accepted, Accepted)
    assert [type(f.what) for f in accepted.facts] == [InfusionStarted, GoneAheadWithoutRecord]
    chart = course.chart.with_facts(*accepted.facts)
    notes = [f.reason for f in assess(chart, RULES, course.now).findings if f.rule == "REC-01"]
    assert notes == ["start_infusion went ahead while the record did not answer: the patient reacts to waiting;"
                     " the database is being moved"]  # fmt: skip


@pytest.mark.parametrize("outcome", ["ahead", "other"])
def test_no_reason_opens_a_start_where_the_record_differs(outcome: str) -> None:
    refusal = started(ready(), outcome, "it is urgent")
    assert isinstance(refusal, Refused)
    assert refusal.rules == ("REC-02",)


ADMINISTRATOR = Actor(role=Role.ADMINISTRATOR, id="a-1")
PHYSICIAN, PRESCRIBER = Actor(role=Role.PHYSICIAN, id="d-1"), Actor(role=Role.PRESCRIBER, id="p-1")


@pytest.mark.parametrize(
    ("people", "opens"),
    [
        ((ADMINISTRATOR, PHYSICIAN), True),
        ((PRESCRIBER, ADMINISTRATOR), True),
        ((ADMINISTRATOR, Actor(role=Role.PHYSICIAN, id="a-1")), False),
        ((PHYSICIAN, PRESCRIBER), False),
        ((ADMINISTRATOR, Actor(role=Role.ADMINISTRATOR, id="a-2")), False),
        ((ADMINISTRATOR,), False),
    ],
)
def test_an_administrator_and_a_physician_open_it_two_people_never_one(people: tuple[Actor, ...], opens: bool) -> None:
    course = ready()
    chart, now = found(course, AHEAD), course.now
    for number, by in enumerate(people):
        now += timedelta(minutes=1)
        said = COMMANDS["reconcile_record"].model_validate({"id": f"r-{number}", "by": by, **SAID}, strict=False)
        again = conclude(chart, (said,), now, RULES, compared=None)
        chart = again.chart
    assert again.settled == opens
    assert "REC-02" in [f.rule for f in assess(chart, RULES, now).findings], "it stands until it is gone on from"
    rules = [f.rule for f in gone_on(chart, now).assessment.findings]
    assert ("REC-02" not in rules) == opens


def gone_on(chart: Chart, now: datetime) -> Concluded:
    """The first decision of the run that goes on from the record."""
    return conclude(chart, (), now, RULES, compared=RecordCompared(outcome="equal"))


def test_a_difference_that_is_found_again_takes_no_word_back() -> None:
    course = ready()
    chart = found(course, AHEAD)
    for number, by in enumerate((ADMINISTRATOR, PHYSICIAN)):
        chart = conclude(chart, (), course.now, RULES, compared=AHEAD).chart
        said = COMMANDS["reconcile_record"].model_validate({"id": f"r-{number}", "by": by, **SAID}, strict=False)
        chart = conclude(chart, (said,), course.now, RULES).chart
    assert gone_on(chart, course.now).assessment.verdict is Verdict.MAY_START


def test_a_word_on_one_difference_does_not_count_for_another() -> None:
    """Nobody's word is for what was not shown: here the record lost decisions between the two."""
    course = ready()
    lost = RecordCompared(outcome="other", words="the record ends at decision 4, and 9 was written")
    chart = conclude(found(course, AHEAD), (word(ADMINISTRATOR),), course.now, RULES).chart
    chart = conclude(chart, (), course.now, RULES, compared=lost).chart
    done = conclude(chart, (word(PHYSICIAN),), course.now, RULES)
    assert not done.settled
    (finding,) = [f for f in done.assessment.findings if f.rule == "REC-02"]
    assert "so far: physician" in (finding.clears or "")
    assert conclude(done.chart, (word(ADMINISTRATOR),), course.now, RULES).settled


def word(by: Actor) -> Message:
    said = {"id": f"word-{by}", "by": by, **SAID}
    return COMMANDS["reconcile_record"].model_validate(said, strict=False)


@pytest.mark.parametrize("state", ["infusion", "observation"])
def test_a_difference_is_the_headline_beside_a_patient_too(state: str) -> None:
    course = ready()
    course.started()
    if state == "observation":
        course.later(hours=1).does("complete_infusion", Role.NURSE)
    card = assess(found(course, AHEAD), RULES, course.now)
    assert (card.state, card.verdict) == (state, Verdict.HOLD)
    assert card.sentence().startswith("HOLD – REC-02: the record")
    shown = attributes_of(card, course.now, course.now)
    assert shown["HoldReason"] == ["REC-02"]


@pytest.mark.parametrize("name", ["complete_infusion", "interrupt_infusion", "end_observation"])
def test_what_happened_is_not_refused_for_good_where_only_the_record_knows_what_it_ends(name: str) -> None:
    course = ready()
    said = COMMANDS[name].model_validate({"id": "s-1", "by": "nurse:n-1"}, strict=False)
    plain = conclude(course.chart, (said,), course.now, RULES).rulings[0]
    assert isinstance(plain, Refused)
    assert plain.final
    held = conclude(found(course, AHEAD), (said,), course.now, RULES)
    (ruling,) = held.rulings
    assert isinstance(ruling, Refused)
    assert (ruling.final, ruling.rules) == (False, ("REC-02",))
    assert "record_administration" not in ruling.message
    (answer,) = [c for c in held.assessment.commands if c.command == name]
    assert answer.rules == ("REC-02",)


def test_where_nothing_differs_there_is_nothing_to_reconcile() -> None:
    assert ready().refused("reconcile_record", ADMINISTRATOR, **SAID).type == "NothingToReconcile"
