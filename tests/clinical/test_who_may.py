"""Who may send what, what is refused for form or identity, and that a report of what happened is never refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from clinical.chart.taken_back import TAKEN_BACK_BY
from clinical.judge import ROLES
from models.assessment import Accepted
from models.messages import COMMANDS, MESSAGES, SIGNALS, Request, Statement
from models.people import Role
from tests.factories import D1, NORMAL, ChartBuilder, PaperCourse, a_lab

H, DAY = timedelta(hours=1), timedelta(days=1)
D8 = D1 + 7 * DAY

PRESCRIBER = {Role.PRESCRIBER}
PHYSICIANS = {Role.PRESCRIBER, Role.PHYSICIAN}
BEDSIDE = {Role.PRESCRIBER, Role.NURSE}
PHARMACIST = {Role.PHARMACIST}
CLINICAL = {Role.PRESCRIBER, Role.PHYSICIAN, Role.PHARMACIST, Role.NURSE}
REPORTING = CLINICAL | {Role.COORDINATOR}
CALLED = REPORTING | {Role.ADMINISTRATOR}

MATRIX = {
    "record_finding": REPORTING,
    "record_response": PHYSICIANS,
    "record_cytoreduction": CLINICAL,
    "record_premedication": BEDSIDE,
    "record_preparation": PHARMACIST,
    "record_administration": CLINICAL,
    "interrupt_infusion": BEDSIDE,
    "complete_infusion": BEDSIDE,
    "report_reaction": CLINICAL,
    "end_observation": BEDSIDE,
    "judge_vod": PHYSICIANS,
    "record_transplant": PHYSICIANS,
    "close_course": CLINICAL,
    "correct_fact": CLINICAL,
    "resolve_unreadable": CLINICAL,
    "set_fact_aside": PHYSICIANS,
    "read_again": {Role.ADMINISTRATOR},
    "authorise_dose": PRESCRIBER,
    "verify_dose": PHARMACIST,
    "start_infusion": BEDSIDE,
    "hold": CLINICAL,
    "release_hold": PRESCRIBER,
    "start_next_cycle": PRESCRIBER,
    "finish_dosing": PRESCRIBER,
    "discontinue": PRESCRIBER,
    "declare_no_transplant": PRESCRIBER,
    "plan_transplant": PRESCRIBER,
    "decide_dose": PRESCRIBER,
    "choose_rounding": PRESCRIBER,
    "choose_dropped_dose": PRESCRIBER,
    "resume_infusion": BEDSIDE,
    "override": PRESCRIBER,
    "countersign": {Role.PRESCRIBER, Role.PHYSICIAN, Role.PHARMACIST},
    "extend_cycle": PRESCRIBER,
    "withdraw_transplant_plan": PRESCRIBER,
    "amend_protocol": PRESCRIBER,
    "acknowledge_divergence": PRESCRIBER,
    "reconcile_record": PHYSICIANS | {Role.ADMINISTRATOR},
    "move_to_current_build": {Role.ADMINISTRATOR},
    "acknowledge": CALLED,
    "snooze": CALLED,
}
"""Design §4, by command."""

SLOT = {"cycle": 1, "day": 1}
CONTENT: dict[str, dict[str, Any]] = {
    "record_finding": {"finding": {"kind": "weight", "kg": "70"}},
    "record_response": {"cycle": 1, "response": "CR"},
    "record_cytoreduction": {"agent": "hydroxyurea"},
    "record_premedication": {"drug_class": "antipyretic"},
    "record_preparation": {"preparation_id": "bag-9", "reconstituted_at": D1, "mg": "1.45", "vials": 2},
    "record_administration": {**SLOT, "mg": "1.45", "where": "another hospital"},
    "interrupt_infusion": {"infused_ml": "16.7"},
    "complete_infusion": {},
    "report_reaction": {"reaction_id": "r-1", "grade": 1},
    "end_observation": {"note": "patient left"},
    "judge_vod": {"judgement": "suspected"},
    "record_transplant": {"transplanted_on": "2026-03-01"},
    "close_course": {"reason": "death"},
    "correct_fact": {"target": "no-fact", "reason": "typing error"},
    "resolve_unreadable": {"target": "ab" * 32, "outcome": "dismissed", "reason": "not ours"},
    "set_fact_aside": {"target": "no-fact", "reason": "a rule fails on it"},
    "read_again": {"target": "ab" * 32, "sent": "signal", "sent_name": "lab_results", "raw_base64": ["AA=="]},
    "authorise_dose": SLOT,
    "verify_dose": {**SLOT, "mg": "1.45"},
    "start_infusion": {**SLOT, "preparation_id": "bag-1", "identifiers_checked": ["name", "birth date"]},
    "hold": {"reason": "unwell"},
    "release_hold": {"hold": "f1", "reason": "well"},
    "start_next_cycle": {"cycle": 2},
    "finish_dosing": {"reason": "enough"},
    "discontinue": {"reason": "harm"},
    "declare_no_transplant": {},
    "plan_transplant": {"planned_on": "2026-06-01", "conditioning": ["busulfan"]},
    "decide_dose": {**SLOT, "decision": "postpone", "cause": "logistics", "reason": "no bed"},
    "choose_rounding": {**SLOT, "mg": "1.4"},
    "choose_dropped_dose": {"cycle": 1, "day": 8},
    "resume_infusion": {"rate_ml_per_h": "25"},
    "override": {**SLOT, "rule": "NON-08", "reason": "benefit"},
    "countersign": {"target": "f1"},
    "extend_cycle": {"cycle": 1, "because": "response"},
    "withdraw_transplant_plan": {"reason": "no donor"},
    "amend_protocol": {"protocol": {"name": "other", "sha256": "0" * 64}, "reason": "new label"},
    "acknowledge_divergence": {"divergence": "DIV-01", "reason": "known"},
    "reconcile_record": {"reason": "both are known"},
    "move_to_current_build": {},
    "acknowledge": {"obligation": "dose-C1D1"},
    "snooze": {"obligation": "dose-C1D1", "until": D1 + timedelta(hours=1)},
}

ready = PaperCourse(ChartBuilder().ready(), D1)


def test_the_matrix_names_every_command() -> None:
    assert set(MATRIX) == set(COMMANDS) == set(CONTENT)
    assert set(ROLES) == set(MESSAGES)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("command", MATRIX)
def test_a_command_is_for_its_roles_and_no_others(command: str, role: Role) -> None:
    ruling = ready.judged(command, role, **CONTENT[command])
    turned_away = not isinstance(ruling, Accepted) and ruling.type == "RoleNotAllowed"
    assert turned_away == (role not in MATRIX[command])
    if not isinstance(ruling, Accepted) and turned_away:
        assert all(str(allowed) in ruling.message for allowed in MATRIX[command])


# ── statements ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _screening() -> PaperCourse:
    return PaperCourse(ChartBuilder(), D1)


def _held() -> PaperCourse:
    return PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, alt="400", bilirubin="3"), D8)


def _infusion() -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    return course


def _discontinued() -> PaperCourse:
    course = _held()
    course.does("discontinue", Role.PRESCRIBER, reason="liver")
    return course


def _completed() -> PaperCourse:
    course = _discontinued()
    course.does("declare_no_transplant", Role.PRESCRIBER)
    return course.later(days=400)


STATES = {s.__name__.strip("_"): s for s in (_screening, _held, _infusion, _discontinued, _completed)}
NOTHING_TO_END = {
    "interrupt_infusion": "NoInfusion",
    "complete_infusion": "NoInfusion",
    "end_observation": "NoObservation",
}
NOTHING_KNOWN = {"correct_fact": "NoSuchFact", "resolve_unreadable": "NoSuchMessage", "set_fact_aside": "NoSuchFact"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", [name for name, kind in COMMANDS.items() if issubclass(kind, Statement)])
@pytest.mark.parametrize("ago", [timedelta(), 3 * DAY], ids=["now", "three days ago"])
def test_what_happened_is_never_refused(command: str, state: str, ago: timedelta) -> None:
    course = STATES[state]()
    by = sorted(MATRIX[command])[0]
    content = {**CONTENT[command], "at": course.now - ago}
    if command == "correct_fact":
        by = Role.PHYSICIAN
        content["target"] = course.does("report_reaction", Role.NURSE, reaction_id="r-7", grade=1).id
    ruling = course.judged(command, by, **content)
    if isinstance(ruling, Accepted):
        assert ruling.facts[0].recorded_at == course.now
        assert ruling.facts[0].by.role is by
    elif command in ("complete_infusion", "interrupt_infusion") and state == "infusion":
        assert ruling.type == "BeforeItsStart"
        assert ago
    else:
        assert ruling.type == {**NOTHING_TO_END, **NOTHING_KNOWN}[command]


def test_every_command_either_reports_or_asks() -> None:
    assert all(issubclass(kind, Statement) != issubclass(kind, Request) for kind in COMMANDS.values())


def test_a_dose_given_elsewhere_against_the_rules_is_charted() -> None:
    course = _held()
    fact = course.does("record_administration", Role.NURSE, cycle=1, day=8, mg="0.91", at=D8 - H)
    assert (fact.at, fact.recorded_at) == (D8 - H, D8)
    assert fact.what.model_dump()["local_on"].isoformat() == "2026-03-09"
    assert course.card.next_dose is None
    assert any(f.rule == "DAY-07" and "outside this service" in f.reason for f in course.card.findings)
    assert course.later(hours=2).card.next_dose == "C1D15"


# ── form ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_for_another_course_is_refused() -> None:
    assert ready.refused("hold", Role.NURSE, reason="x", course_id="course-2").type == "WrongCourse"
    ready.judged("hold", Role.NURSE, reason="x", course_id=ready.chart.course.course_id)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("record_premedication", {"at": 301}),
        ("report_reaction", {"resolved_at": 301}),
        ("record_administration", {"ended_at": 301}),
        ("record_transplant", {"transplanted_on": None, "transplanted_at": 301}),
        ("hold", {"at": 301}),
    ],
)
def test_what_lies_in_the_future_has_not_happened(command: str, told: dict[str, int | None]) -> None:
    by = sorted(MATRIX[command])[0]

    def content(tolerated: int) -> dict[str, Any]:
        times = {k: s if s is None else D1 + timedelta(seconds=s - tolerated) for k, s in told.items()}
        return {**CONTENT[command], **times}

    assert ready.refused(command, by, **content(0)).type == "InTheFuture"
    assert isinstance(ready.judged(command, by, **content(1)), Accepted)


def test_a_transplant_of_tomorrow_has_not_happened_and_one_of_today_has() -> None:
    tomorrow = {"transplanted_on": "2026-03-03"}
    assert ready.refused("record_transplant", Role.PHYSICIAN, **tomorrow).type == "InTheFuture"
    assert isinstance(ready.judged("record_transplant", Role.PHYSICIAN, transplanted_on="2026-03-02"), Accepted)


def test_a_clock_that_runs_ahead_does_not_make_time_pass() -> None:
    fact = ready.judged("record_premedication", Role.NURSE, drug_class="antipyretic", at=D1 + timedelta(minutes=4))
    assert isinstance(fact, Accepted)
    assert fact.facts[0].at == D1


# ── identity (IDN-01) ──────────────────────────────────────────────────────────────────────────────────────────────

DRAW = {"results": [a_lab("alt", "999").model_dump(mode="json")]}
SENT: dict[str, dict[str, Any]] = {
    "lab_results": DRAW,
    "clinical_findings": {"findings": [{"kind": "weight", "kg": "50"}]},
    "response_assessed": {"cycle": 1, "response": "CR"},
}


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(
    ("subject", "birth", "accepted"),
    [
        ("test:subject-1", None, True),
        ("test:subject-1", "birth-1", True),
        ("test:subject-2", None, False),
        ("test:subject-2", "birth-1", False),
        ("test:subject-1", "birth-2", False),
        ("TEST:SUBJECT-1", None, False),
    ],
)
def test_a_message_about_another_subject_makes_no_fact(
    signal: str, subject: str, birth: str | None, accepted: bool
) -> None:
    course = PaperCourse(ChartBuilder(birth_hash="birth-1").ready(), D1)
    content = {**SENT[signal], "subject_hash": subject, "birth_hash": birth}
    ruling = course.judged(signal, Role.LABORATORY, **content)
    assert isinstance(ruling, Accepted) == accepted
    if not isinstance(ruling, Accepted):
        assert (ruling.type, ruling.rules) == ("SubjectMismatch", ("IDN-01",))


def test_every_result_of_a_draw_becomes_a_fact_dated_when_it_was_drawn() -> None:
    drawn, course = D1 - 3 * H, PaperCourse(ChartBuilder(), D1)
    results = [a_lab(a, at=drawn).model_dump(mode="json") for a in NORMAL]
    ruling = course.judged("lab_results", Role.LABORATORY, subject_hash="test:subject-1", results=results)
    assert isinstance(ruling, Accepted)
    assert {(f.at, f.recorded_at) for f in ruling.facts} == {(drawn, D1)}
    assert len({f.id for f in ruling.facts}) == len(NORMAL)


@pytest.mark.parametrize(("by", "decides"), [(Role.LABORATORY, False), (Role.NURSE, False), (Role.PHYSICIAN, True)])
def test_a_response_without_a_physician_is_a_proposal(by: Role, decides: bool) -> None:
    at = D1 + 28 * DAY
    course = PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(at).without("response"), at)
    course.does("response_assessed", by, subject_hash="test:subject-1", cycle=1, response="CR")
    assert (course.card.dose is not None) == decides


# ── correcting ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "body", "allowed"),
    [
        ("response", {"cycle": 1, "response": "none"}, PHYSICIANS),
        ("eligibility", {"cd22_positive": True}, PRESCRIBER),
        ("transplant", {"transplanted_on": "2026-03-01"}, PHYSICIANS),
        ("dosing_finished", {"reason": "enough"}, PRESCRIBER),
        ("discontinued", {"reason": "harm"}, PRESCRIBER),
        ("no_transplant", {}, PRESCRIBER),
        ("transplant_planned", {}, PRESCRIBER),
        ("weight", {"kg": "70"}, PHYSICIANS),
        ("premedication", {"drug_class": "antipyretic"}, CLINICAL),
        ("lab_result", {"loinc": "1742-6", "value": "30"}, PHYSICIANS),
    ],
)
def test_a_fact_is_corrected_by_who_may_record_it(kind: str, body: dict[str, Any], allowed: set[Role]) -> None:
    chart = ChartBuilder()
    target = chart.add({"kind": kind, **body}, D1 - DAY, Role.PRESCRIBER)
    course = PaperCourse(chart, D1)
    for role in CLINICAL:
        ruling = course.judged("correct_fact", role, target=target, reason="wrong patient")
        assert isinstance(ruling, Accepted) == (role in allowed)
    assert TAKEN_BACK_BY[kind] == allowed


def test_times_may_lie_in_the_past_and_the_fact_is_dated_then() -> None:
    told: datetime = D1 - 30 * DAY
    ruling = ready.judged("record_transplant", Role.PHYSICIAN, transplanted_at=told)
    assert isinstance(ruling, Accepted)
    assert (ruling.facts[0].at, ruling.facts[0].recorded_at) == (told, D1)
