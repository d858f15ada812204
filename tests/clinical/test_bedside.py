"""From the signature to the end of observation: authorise, verify, premedicate, prepare, start, watch (§3.5, PRE, PREP, INF)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clinical.monitoring.due import hashed
from models.assessment import CourseState, Refused, Verdict
from models.obligation_kinds import ObligationKind
from models.people import Actor, Role
from tests.factories import (
    ARTICLE,
    D1,
    LABEL,
    NORMAL,
    PREMEDICATION,
    PROTOCOLS,
    ChartBuilder,
    PaperCourse,
    notes,
    standing_rules,
)

MIN, H, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8 = D1 + 7 * DAY
START = {"cycle": 1, "day": 1, "preparation_id": "bag-1", "identifiers_checked": ["name", "birth date"]}


def ready(protocol: str = LABEL, **values: str) -> PaperCourse:
    """Everything that C1D1 needs is there, nothing is signed."""
    return PaperCourse(ChartBuilder(protocol).ready(D1, **{"blasts": "3", **values}), D1)


def may_start(protocol: str = LABEL) -> PaperCourse:
    return ready(protocol).ready_to_start()


def infusing() -> PaperCourse:
    course = may_start()
    course.started()
    return course


def observing() -> PaperCourse:
    course = infusing().later(hours=1)
    course.does("complete_infusion", Role.NURSE)
    return course


def start(course: PaperCourse, **changes: Any) -> Refused:
    return course.refused("start_infusion", Role.NURSE, **{**START, **changes})


# ── the signature ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signature_binds_mg_level_and_weight() -> None:
    signed = ready().does("authorise_dose", Role.PRESCRIBER, cycle=1, day=1, mg="1.45").what.model_dump(mode="json")
    assert (signed["mg"], signed["level"], signed["weight_kg"]) == ("1.45", "L0", "70")
    assert len(signed["binding"]) == 64


@pytest.mark.parametrize("slot", [{"cycle": 1, "day": 8}, {"cycle": 2, "day": 1}])
@pytest.mark.parametrize(
    ("command", "by", "more"),
    [
        ("authorise_dose", Role.PRESCRIBER, {}),
        ("verify_dose", Role.PHARMACIST, {"mg": "1.45"}),
        ("start_infusion", Role.NURSE, {"preparation_id": "bag-1", "identifiers_checked": ["a", "b"]}),
    ],
)
def test_only_the_dose_that_is_next_is_signed_checked_or_started(
    command: str, by: Role, more: dict[str, Any], slot: dict[str, int]
) -> None:
    refused = may_start().refused(command, by, **slot, **more)
    assert refused.type == "NotTheDoseDue"
    assert "C1D1" in refused.message


def test_another_amount_than_the_card_says_is_not_signed() -> None:
    refused = ready().refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=1, mg="1.46")
    assert refused.type == "DoseMismatch"


def test_while_the_gate_is_closed_nothing_is_signed_and_every_reason_is_told() -> None:
    course = ready(alt="400", potassium="3.0")
    refused = course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=1)
    assert refused.type == "DoseGateClosed"
    assert set(refused.rules) == {"NON-08", "QT-05"}
    answer = next(c for c in course.card.commands if c.command == "authorise_dose")
    assert (answer.may, answer.refusal, answer.rules) == (False, refused.type, refused.rules)


@pytest.mark.parametrize(
    "command", ["authorise_dose", "verify_dose", "start_infusion", "start_next_cycle", "complete_infusion"]
)
@pytest.mark.parametrize("stage", [ready, may_start, infusing, observing], ids=lambda s: s.__name__)
def test_the_card_tells_beforehand_what_the_ruling_will_be(stage: Callable[[], PaperCourse], command: str) -> None:
    course = stage()
    content: dict[str, Any] = {
        "authorise_dose": {"cycle": 1, "day": 1},
        "verify_dose": {"cycle": 1, "day": 1, "mg": "1.45"},
        "start_infusion": START,
        "start_next_cycle": {"cycle": 2},
        "complete_infusion": {},
    }[command]
    by = Role.PHARMACIST if command == "verify_dose" else Role.PRESCRIBER
    ruling = course.judged(command, by, **content)
    answer = next(c for c in course.card.commands if c.command == command)
    assert answer.may == (not isinstance(ruling, Refused))
    if isinstance(ruling, Refused):
        assert (answer.refusal, answer.why, answer.rules) == (ruling.type, ruling.message, ruling.rules)


def test_a_dose_that_nobody_signed_is_not_said_to_have_lapsed() -> None:
    assert [f.reason for f in ready().card.findings if f.rule == "OWN-01"] == ["the dose is not authorised"]


# ── the second person ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_person_checks_the_dose() -> None:
    course = ready()
    check = {"cycle": 1, "day": 1, "mg": "1.45"}
    assert course.refused("verify_dose", Role.PHARMACIST, **check).type == "NothingToVerify"
    course.does("authorise_dose", Actor(role=Role.PRESCRIBER, id="both"), cycle=1, day=1)
    themselves = Actor(role=Role.PHARMACIST, id="both")
    assert course.refused("verify_dose", themselves, **check).type == "SecondPersonRequired"
    assert course.refused("verify_dose", Role.PHARMACIST, **{**check, "mg": "1.54"}).type == "DoseMismatch"
    course.does("verify_dose", Role.PHARMACIST, **check)
    assert course.refused("verify_dose", Role.PHARMACIST, **check).type == "AlreadyVerified"
    assert (course.card.state, course.card.verdict) == (CourseState.PREMEDICATION, Verdict.MAY_AUTHORISE)


def test_nothing_is_checked_while_the_gate_is_closed() -> None:
    course = ready()
    course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=1)
    course.does("hold", Role.NURSE, reason="unwell")
    refused = course.refused("verify_dose", Role.PHARMACIST, cycle=1, day=1, mg="1.45")
    assert (refused.type, refused.rules) == ("DoseGateClosed", ("HOLD-01",))


def test_without_the_second_check_the_infusion_does_not_start() -> None:
    course = ready()
    course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=1)
    course.premedicated().later(hours=1).prepared()
    assert course.card.state is CourseState.DOSE_ADJUSTMENT
    assert start(course).rules == ("OWN-02",)


# ── what makes a signature lapse ───────────────────────────────────────────────────────────────────────────────────


def _finding(**body: Any) -> Callable[[PaperCourse], object]:
    return lambda course: course.does("record_finding", Role.NURSE, finding=body)


def _result(analyte: str, value: str | None = None, **changes: Any) -> Callable[[PaperCourse], object]:
    def arrives(course: PaperCourse) -> object:
        chart = ChartBuilder()
        chart.result(analyte, value, course.now - MIN, **changes)
        draw = [f.what.model_dump(mode="json") for f in chart.facts]
        return course.does("lab_results", Role.LABORATORY, subject_hash="test:subject-1", results=draw)

    return arrives


CHANGES: dict[str, Callable[[PaperCourse], object]] = {
    "another weight": _finding(kind="weight", kg="71"),
    "another height": _finding(kind="height", cm="171"),
    "a newer QTcF": _finding(kind="ecg", qtcf_ms="421"),
    **{f"a newer {analyte}": _result(analyte) for analyte in NORMAL if analyte != "blasts_percent"},
    "a newer blast count": _result("blasts", "9"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_signature_lapses_when_what_it_was_given_for_changes(change: str) -> None:
    course = may_start()
    assert course.card.verdict is Verdict.MAY_START
    CHANGES[change](course)
    card = course.card
    assert (card.verdict, card.state) == (Verdict.MAY_AUTHORISE, CourseState.DOSE_ADJUSTMENT)
    assert any(f.rule == "OWN-01" and "lapsed" in f.reason for f in card.findings)
    assert {"OWN-01", "IDN-02"} <= set(start(course).rules)


def test_what_was_prepared_under_a_lapsed_signature_is_not_started_under_a_new_one() -> None:
    course = may_start()
    CHANGES["a newer alt"](course)
    course.authorised()
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert start(course).rules == ("IDN-02",)
    course.prepared("bag-2")
    assert course.card.verdict is Verdict.MAY_START
    assert start(course, preparation_id="bag-1").type == "PreparationNotUsable"
    course.started(preparation_id="bag-2")


def test_a_corrected_alt_just_before_the_start_closes_the_gate() -> None:
    course = may_start()
    _result("alt", "160", status="corrected")(course)
    refused = start(course)
    assert (refused.type, refused.rules) == ("DoseGateClosed", ("NON-08",))


@pytest.mark.parametrize(
    "change",
    [
        _finding(kind="consent", given=False),
        _finding(kind="infection_bleeding", temperature_c="38.2", active_bleeding=False),
        _finding(kind="vod_examination", painful_hepatomegaly=True, hepatomegaly=True, ascites=True),
        lambda course: course.does("hold", Role.NURSE, reason="unwell"),
        lambda course: course.does("discontinue", Role.PRESCRIBER, reason="harm"),
    ],
)
def test_whatever_closes_the_gate_closes_it_at_the_bedside_too(change: Callable[[PaperCourse], object]) -> None:
    course = may_start()
    change(course)
    assert start(course).type in {"DoseGateClosed", "NotTheDoseDue"}


def test_time_alone_closes_the_gate() -> None:
    course = may_start()
    assert course.card.valid_until is not None
    course.now = D1 + 23 * H + SECOND  # the examination is older than 24 h
    assert course.card.verdict is Verdict.NEED_DATA
    assert start(course).type == "DoseGateClosed"


# ── premedication (PRE-01, PRE-07) ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "given_ago", [29 * MIN + 59 * SECOND, 30 * MIN, 75 * MIN, 120 * MIN, 120 * MIN + SECOND], ids=str
)
def test_each_class_is_given_30_to_120_minutes_before_the_start(protocol: str, given_ago: timedelta) -> None:
    course = ready(protocol).authorised().premedicated()
    course.now += given_ago
    course.prepared()
    in_window = 30 * MIN <= given_ago <= 120 * MIN
    assert (course.card.verdict is Verdict.MAY_START) == in_window
    if not in_window:
        assert start(course).rules == ("PRE-07",)


def test_too_early_premedication_says_from_when() -> None:
    course = ready().authorised().premedicated().later(minutes=10).prepared()
    finding = next(f for f in course.card.findings if f.rule == "PRE-07")
    assert finding.earliest_at == D1 + 30 * MIN
    assert course.card.valid_until == D1 + 30 * MIN


@pytest.mark.parametrize("missing", PREMEDICATION)
def test_each_of_the_three_classes_is_needed(missing: str) -> None:
    course = ready().authorised().premedicated(*(c for c in PREMEDICATION if c != missing)).later(hours=1).prepared()
    assert [missing in f.reason for f in start(course).findings] == [True]


# ── preparation (PREP-11, PREP-12, IDN-02) ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ago", "usable"), [(7 * H - SECOND, True), (7 * H, True), (7 * H + SECOND, False), (8 * H, False)], ids=str
)
def test_a_full_bag_starts_within_seven_hours_of_reconstitution(ago: timedelta, usable: bool) -> None:
    course = ready().authorised().premedicated().later(hours=1)
    made_at = course.now - ago
    course.prepared(reconstituted_at=made_at, dilution_started_at=made_at + H)
    assert (course.card.verdict is Verdict.MAY_START) == usable
    if not usable:
        assert start(course).rules == ("PREP-12",)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"dilution_started_at": None}, "PREP-11"),
        ({"reconstituted_at": D1 + 61 * MIN, "dilution_started_at": D1 + 62 * MIN}, "PREP-12"),
        ({"dilution_started_at": D1 + 59 * MIN}, "PREP-11"),
        ({"mg": "1.54"}, "IDN-02"),
    ],
    ids=str,
)
def test_a_preparation_that_cannot_be_right_is_not_started(fields: dict[str, Any], rule: str) -> None:
    course = ready().authorised().premedicated().later(hours=1).prepared(**fields)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert start(course).rules == (rule,)


def test_a_preparation_made_before_the_signature_is_not_started() -> None:
    course = ready().prepared().authorised().premedicated().later(hours=1)
    assert start(course).rules == ("IDN-02",)


def test_a_preparation_has_one_name() -> None:
    course = may_start()
    made = {"preparation_id": "bag-1", "reconstituted_at": course.now, "mg": "1.45", "vials": 2}
    assert course.refused("record_preparation", Role.PHARMACIST, **made).type == "PreparationKnown"


def test_another_preparation_than_the_charted_one_is_not_started() -> None:
    refused = start(may_start(), preparation_id="bag-of-somebody-else")
    assert (refused.type, refused.rules) == ("PreparationNotUsable", ("IDN-02",))


@pytest.mark.parametrize(
    ("identifiers", "enough"),
    [([], False), (["name"], False), (["name", "name"], False), (["name", " Name "], False), (["name", "band"], True)],
)
def test_two_different_identifiers_are_checked(identifiers: list[str], enough: bool) -> None:
    ruling = may_start().judged("start_infusion", Role.NURSE, **{**START, "identifiers_checked": identifiers})
    assert isinstance(ruling, Refused) != enough
    if isinstance(ruling, Refused):
        assert (ruling.type, ruling.rules) == ("IdentityNotChecked", ("IDN-02",))


def test_a_bag_that_waits_calls_pharmacist_and_nurse_before_its_last_start() -> None:
    course = may_start()
    bag = next(o for o in course.card.obligations if o.key == ObligationKind.PREPARATION.key(hashed("bag-1")))
    made_at = D1 + H
    assert (bag.due_at, bag.overdue_at) == (made_at + 7 * H - 30 * MIN, made_at + 7 * H)
    assert (bag.rule, bag.owners) == ("INF-07", (Role.PHARMACIST, Role.NURSE))
    CHANGES["a newer alt"](course)
    bag = next(o for o in course.card.obligations if o.key == bag.key)
    assert bag.clears == "discard bag-1, for no signature stands that it was made under, and prepare anew"


# ── infusion and observation (INF-01, INF-02, INF-04) ──────────────────────────────────────────────────────────────


def test_an_infusion_starts_now_whatever_the_message_says() -> None:
    course = may_start()
    fact = course.does("start_infusion", Role.NURSE, **START, at=course.now - 3 * H)
    assert fact.at == course.now
    assert fact.what.model_dump(mode="json")["local_on"] == "2026-03-02"


def test_while_it_runs_no_dose_is_next_and_its_end_is_expected() -> None:
    course = infusing()
    card = course.card
    assert (card.state, card.verdict, card.next_dose) == (CourseState.INFUSION, Verdict.NO_DOSE_DUE, None)
    end = next(o for o in card.obligations if o.key == "infusion-C1D1")
    assert (end.due_at, end.overdue_at) == (course.now + H, course.now + H + 30 * MIN)
    assert start(course).type == "NotTheDoseDue"


def test_the_end_is_not_before_the_start() -> None:
    course = infusing()
    assert course.refused("complete_infusion", Role.NURSE, at=course.now - SECOND).type == "BeforeItsStart"
    course.later(minutes=50).does("complete_infusion", Role.NURSE, at=course.now)
    assert course.card.state is CourseState.OBSERVATION


@pytest.mark.parametrize(
    ("after", "complete"), [(60 * MIN - SECOND, False), (60 * MIN, True), (61 * MIN, True)], ids=str
)
def test_observation_lasts_sixty_minutes_from_the_real_end(after: timedelta, complete: bool) -> None:
    course = observing()
    ended_at = course.now
    watch = next(o for o in course.card.obligations if o.key == "observation-C1D1")
    assert (watch.due_at, watch.overdue_at) == (ended_at + 60 * MIN, ended_at + 90 * MIN)
    course.now += after
    if not complete:
        assert course.refused("end_observation", Role.NURSE).type == "NoteRequired"
        ahead = ended_at + 60 * MIN
        assert course.refused("end_observation", Role.NURSE, at=ahead).type == "NoteRequired"
    fact = course.does("end_observation", Role.NURSE, note=None if complete else "left against advice")
    assert fact.what.model_dump()["complete"] == complete
    assert course.card.state is CourseState.BETWEEN_DOSES


def test_no_timer_ends_an_observation() -> None:
    assert observing().later(days=30).card.state is CourseState.OBSERVATION


def test_observation_does_not_end_before_the_infusion_did() -> None:
    course = observing()
    assert course.refused("end_observation", Role.NURSE, at=course.now - SECOND).type == "BeforeItsStart"


# ── reactions (NON-04, NON-05, CT-27) ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("grade", "resolved", "state", "verdict"),
    [
        (None, False, CourseState.REACTION, Verdict.HOLD_URGENT),
        (None, True, CourseState.REACTION, Verdict.HOLD_URGENT),
        (1, False, CourseState.INFUSION_INTERRUPTED, Verdict.NO_DOSE_DUE),
        (2, False, CourseState.REACTION, Verdict.HOLD_URGENT),
        (2, True, CourseState.INFUSION_INTERRUPTED, Verdict.NO_DOSE_DUE),
        (3, False, CourseState.REACTION, Verdict.DISCONTINUED),
        (3, True, CourseState.INFUSION_INTERRUPTED, Verdict.DISCONTINUED),
        (4, False, CourseState.REACTION, Verdict.DISCONTINUED),
    ],
)
def test_a_reaction_by_its_grade(grade: int | None, resolved: bool, state: CourseState, verdict: Verdict) -> None:
    course = infusing().later(minutes=20)
    told = {"reaction_id": "r-1", "grade": grade, "resolved_at": course.now if resolved else None}
    course.does("report_reaction", Role.NURSE, **told)
    assert (course.card.state, course.card.verdict) == (state, verdict)


def test_the_grade_may_follow_and_only_a_correction_lowers_it() -> None:
    course = infusing().later(minutes=20)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1")
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=2, resolved_at=course.now)
    assert course.card.verdict is Verdict.NO_DOSE_DUE
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=1)
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=3)
    course.does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=1)
    assert standing_rules(course.card) == ["NON-05"]


def test_after_a_reaction_of_grade_2_that_is_over_the_next_dose_may_come() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    reaction = {"kind": "reaction", "reaction_id": "r-1", "grade": 2, "resolved_at": D1 + 40 * MIN}
    chart.add(reaction, D1 + 20 * MIN)
    assert PaperCourse(chart.ready_again(D8), D8).card.verdict is Verdict.MAY_AUTHORISE


def test_the_card_names_where_the_protocol_departs_from_the_label() -> None:
    assert "DOSE-01" in notes(ready(ARTICLE).card)
    assert ready(ARTICLE).card.divergences == ("DIV-01", "DIV-03", "DIV-07")
