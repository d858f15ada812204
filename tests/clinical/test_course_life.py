"""Where a course stands from its start to its end: starting it, finishing, stopping, monitoring, and what the clock says."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from clinical.decide import decide
from clinical.rulings.start import judge_start
from models.assessment import CourseState, Verdict
from models.carried import DecideRequest, Decision
from models.chart import Chart
from models.facts import ObligationMet, RungFired
from models.messages import FinishDosing, NamedMessage
from models.people import CLOCK, Role
from models.pins import Acknowledgement
from plumbing.protocol_files import load_protocol
from tests.factories import ARTICLE, D1, LABEL, LIVER, PEOPLE, ChartBuilder, PaperCourse, a_course

MIN, H, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8 = D1 + 7 * DAY


# ── starting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def acknowledging(*divergences: str) -> tuple[Acknowledgement, ...]:
    return tuple(Acknowledgement(divergence=d, reason="read and accepted") for d in divergences)


@pytest.mark.parametrize(
    ("protocol", "acknowledged", "refusal"),
    [
        (LABEL, (), None),
        (LABEL, ("DIV-01",), "UnknownDivergence"),
        (ARTICLE, ("DIV-01", "DIV-03", "DIV-07"), None),
        (ARTICLE, (), "DivergenceNotAcknowledged"),
        (ARTICLE, ("DIV-01", "DIV-07"), "DivergenceNotAcknowledged"),
        (ARTICLE, ("DIV-01", "DIV-03", "DIV-07", "DIV-12"), "UnknownDivergence"),
    ],
)
def test_a_course_acknowledges_exactly_the_divergences_of_its_protocol(
    protocol: str, acknowledged: tuple[str, ...], refusal: str | None
) -> None:
    course = a_course(protocol, acknowledged=acknowledging(*acknowledged))
    refused = judge_start(course, load_protocol(protocol))
    assert (refused.type if refused else None) == refusal
    if refusal == "DivergenceNotAcknowledged":
        assert refused is not None
        assert "DIV-03" in refused.message


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"started_by": PEOPLE[Role.PHYSICIAN]}, "RoleNotAllowed"),
        ({"started_by": PEOPLE[Role.NURSE]}, "RoleNotAllowed"),
        ({"zone": "Europe/Atlantis"}, "UnknownZone"),
        ({"birth_on": date(2026, 3, 1)}, "InTheFuture"),
        ({"birth_on": date(2026, 2, 27)}, None),
    ],
)
def test_a_course_is_started_by_the_prescriber_in_a_known_zone(changes: dict[str, Any], refusal: str | None) -> None:
    refused = judge_start(a_course(**changes), load_protocol(LABEL))
    assert (refused.type if refused else None) == refusal


# ── states ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cycle_goes_through_its_states_in_order() -> None:
    course = PaperCourse(ChartBuilder(), D1)
    seen = [course.card.state]
    course.chart = ChartBuilder().ready(D1).chart()
    seen.append(course.card.state)
    course.authorised()
    seen.append(course.card.state)
    course.premedicated().later(hours=1).prepared().started()
    seen.append(course.card.state)
    course.later(hours=1).does("complete_infusion", Role.NURSE)
    seen.append(course.card.state)
    course.later(hours=1).does("end_observation", Role.NURSE)
    seen.append(course.card.state)
    assert [str(state) for state in seen] == [
        "screening",
        "dose_adjustment",
        "premedication",
        "infusion",
        "observation",
        "between_doses",
    ]


@pytest.mark.parametrize(
    ("command", "content", "state", "verdict"),
    [
        ("finish_dosing", {"reason": "enough"}, CourseState.LIVER_MONITORING, Verdict.NO_DOSE_DUE),
        ("discontinue", {"reason": "harm"}, CourseState.DISCONTINUED, Verdict.DISCONTINUED),
        (
            "record_transplant",
            {"transplanted_on": "2026-03-09"},
            CourseState.LIVER_MONITORING,
            Verdict.NO_DOSE_DUE,
        ),
    ],
)
def test_every_way_out_of_dosing_leads_to_liver_monitoring(
    command: str, content: dict[str, Any], state: CourseState, verdict: Verdict
) -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1).ready_again(D8), D8)
    course.does(command, Role.PRESCRIBER, **content)
    assert (course.card.state, course.card.verdict) == (state, verdict)
    monitored = decided(course.chart, course, monitoring=True)
    assert (monitored.assessment.state, monitored.phase.kind) == (CourseState.LIVER_MONITORING, "monitoring")


def test_a_stop_during_the_infusion_does_not_leave_the_chair() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    course.does("discontinue", Role.PRESCRIBER, reason="harm")
    assert decided(course.chart, course).phase.kind == "cycle"
    course.later(hours=1).does("complete_infusion", Role.NURSE)
    assert (decided(course.chart, course).phase.kind, course.card.state) == ("cycle", CourseState.OBSERVATION)
    course.later(hours=1).does("end_observation", Role.NURSE)
    assert decided(course.chart, course).phase.kind == "monitoring"


@pytest.mark.parametrize(
    ("done", "again"),
    [
        ("finish_dosing", "DosingOver"),
        ("discontinue", "AlreadyDiscontinued"),
        ("declare_no_transplant", "AlreadyDeclared"),
    ],
)
def test_what_is_decided_is_not_decided_twice(done: str, again: str) -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D8)
    content = {} if done == "declare_no_transplant" else {"reason": "once"}
    course.does(done, Role.PRESCRIBER, **content)
    assert course.refused(done, Role.PRESCRIBER, **content).type == again


def test_no_transplant_is_not_declared_after_one_and_a_plan_withdraws_the_word() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D8)
    course.does("declare_no_transplant", Role.PRESCRIBER)
    course.does("plan_transplant", Role.PRESCRIBER)
    course.does("declare_no_transplant", Role.PRESCRIBER)
    course.does("record_transplant", Role.PRESCRIBER, transplanted_on="2026-03-09")
    assert course.refused("declare_no_transplant", Role.PRESCRIBER).type == "TransplantRecorded"


def test_dosing_is_not_finished_while_the_patient_is_at_the_chair() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    assert course.refused("finish_dosing", Role.PRESCRIBER, reason="enough").type == "NotTheDoseDue"


def test_dosing_may_go_on_after_it_was_finished_but_not_after_a_stop() -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR")
    course = PaperCourse(chart, D1 + 28 * DAY)
    course.does("finish_dosing", Role.PRESCRIBER, reason="enough")
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    assert course.card.next_dose == "C2D1"
    course.does("discontinue", Role.PRESCRIBER, reason="harm")
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3).rules == ("STOP-01",)


@pytest.mark.parametrize(
    ("without", "rules"), [("response", ("RESP-01",)), ("weight", None), ("alt", None), ("vod_examination", None)]
)
def test_the_next_cycle_may_be_started_without_its_data_but_not_without_the_response(
    without: str, rules: tuple[str, ...] | None
) -> None:
    at = D1 + 28 * DAY
    course = PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(at).without(without), at)
    if rules is None:
        course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    else:
        refused = course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2)
        assert (refused.type, refused.rules) == ("DoseGateClosed", rules)


def test_the_next_cycle_is_not_started_while_a_hold_stands_or_the_patient_is_observed() -> None:
    at = D1 + 28 * DAY
    held = PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(at, anc="0.5").without("weight"), at)
    refused = held.refused("start_next_cycle", Role.PRESCRIBER, cycle=2)
    assert refused.rules == ("HEM-01",)
    assert "HOLD" in refused.message
    assert "HEM-01" in refused.message
    observed = PaperCourse(ChartBuilder().ready().dose(1, 15, D1, observed=False), D1 + 2 * H)
    assert observed.refused("start_next_cycle", Role.PRESCRIBER, cycle=2).type == "NotTheDoseDue"


def test_dosing_that_was_finished_after_six_cycles_does_not_go_on() -> None:
    chart, at = ChartBuilder().ready(), D1
    for number in range(1, 7):
        chart.cycle(number, at, response="CR")
        at += 28 * DAY
    chart.add({"kind": "dosing_finished", "reason": "enough"}, at, Role.PRESCRIBER)
    assert PaperCourse(chart, at + DAY).refused("start_next_cycle", Role.PRESCRIBER, cycle=7).rules == ("DOSE-09",)


def test_a_sign_of_vod_is_said_also_when_no_dose_is_next() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D8, Role.PRESCRIBER)
    seen = {"hepatomegaly": True, "painful_hepatomegaly": True, "ascites": True}
    chart.add({"kind": "vod_examination", **seen}, D8 + H, Role.PHYSICIAN)
    card = PaperCourse(chart, D8 + 2 * H).card
    assert card.verdict is Verdict.HOLD_URGENT
    assert [f.rule for f in card.standing] == ["VOD-05", "VOD-11"]


def test_dosing_that_was_finished_in_mid_cycle_goes_on_with_the_next_cycle() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D8)
    course = PaperCourse(chart, D1 + 28 * DAY)
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2).type == "CycleNotOver"
    course.does("finish_dosing", Role.PRESCRIBER, reason="enough")
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    assert course.card.next_dose == "C2D1"


def test_a_dose_stopped_early_counts_and_the_rest_is_never_made_up() -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    course.started()
    course.later(minutes=20).does("complete_infusion", Role.NURSE, stopped_early=True, given_mg="0.5")
    course.later(hours=1).does("end_observation", Role.NURSE)
    assert course.card.next_dose == "C1D8"


def test_cytoreduction_calls_a_physician_after_seven_days() -> None:
    course = PaperCourse(ChartBuilder().ready(blasts="25"), D1)
    course.does("record_cytoreduction", Role.NURSE, agent="hydroxyurea")
    review = next(o for o in course.card.obligations if o.rule == "CYT-05")
    assert (review.due_at, review.owner) == (D1 + 7 * DAY, Role.PHYSICIAN)
    course.does("finish_dosing", Role.PRESCRIBER, reason="another treatment")
    assert not any(o.rule == "CYT-05" for o in course.card.obligations)


# ── what the clock says ────────────────────────────────────────────────────────────────────────────────────────────


def decided(chart: Chart, course: PaperCourse, **request: Any) -> Decision:
    return decide(DecideRequest(chart=chart, now=course.now, **request), course.protocol, "test")


def said_by_the_clock(decision: Decision) -> list[tuple[str, str]]:
    told = [f.what for f in decision.facts if f.by == CLOCK]
    rungs = [(w.obligation, str(w.rung)) for w in told if isinstance(w, RungFired)]
    return rungs + [(w.obligation, str(w.how)) for w in told if isinstance(w, ObligationMet)]


def test_a_rung_fires_once_when_its_time_has_come() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + 24 * H - SECOND)
    test = "liver-test-after-C1D1"

    def said(decision: Decision) -> list[str]:
        return [rung for key, rung in said_by_the_clock(decision) if key == test]

    assert said(decided(course.chart, course)) == []
    course.now = D1 + 24 * H
    due = decided(course.chart, course)
    assert said(due) == ["due"]
    course.chart = course.chart.with_facts(*due.facts)
    assert said(decided(course.chart, course)) == []
    course.now = D1 + 96 * H
    assert said(decided(course.chart, course)) == []
    course.now = D1 + 96 * H + SECOND
    assert said(decided(course.chart, course)) == ["overdue"]


def test_a_test_that_fired_is_met_by_a_panel() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    course = PaperCourse(chart, D1 + 25 * H)
    fired = decided(course.chart, course)
    chart.facts += fired.facts
    chart.labs(D1 + 26 * H, *LIVER)
    met = PaperCourse(chart, D1 + 26 * H)
    assert said_by_the_clock(decided(met.chart, met)) == [("liver-test-after-C1D1", "met")]


def closed_by(chart: ChartBuilder, fired_at: datetime, closing: Callable[[ChartBuilder], object], at: datetime) -> Any:
    """What the clock says at an instant of the things that it had called due before."""
    course = PaperCourse(chart, fired_at)
    chart.facts += decided(course.chart, course).facts
    closing(chart)
    later = PaperCourse(chart, at)
    return dict(said_by_the_clock(decided(later.chart, later)))


def test_a_dose_that_was_due_is_met_when_it_is_given() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    said = closed_by(chart, D8, lambda c: c.dose(1, 8, D8 + H), D8 + 4 * H)
    assert said["dose-C1D8"] == "met"
    assert said["liver-test-after-C1D1"] == "withdrawn"


def test_a_dose_that_was_due_is_withdrawn_when_dosing_ends() -> None:
    stop = {"kind": "discontinued", "reason": "harm"}
    chart = ChartBuilder().ready().dose(1, 1, D1)
    said = closed_by(chart, D8, lambda c: c.add(stop, D8 + H, Role.PRESCRIBER), D8 + 2 * H)
    assert said["dose-C1D8"] == "withdrawn"


def test_the_decision_on_a_next_cycle_is_met_when_it_is_started() -> None:
    chart, at = ChartBuilder().ready().cycle(1, D1), D1 + 28 * DAY
    start = {"kind": "cycle_started", "cycle": 2}
    said = closed_by(chart, at, lambda c: c.add(start, at + H, Role.PRESCRIBER), at + 2 * H)
    assert "dose-C2D1" not in said
    chart.dose(2, 1, at + 2 * H)
    met = PaperCourse(chart, at + 5 * H)
    assert dict(said_by_the_clock(decided(met.chart, met)))["dose-C2D1"] == "met"


def test_the_end_of_infusion_and_observation_are_met_by_charting_them() -> None:
    chart = ChartBuilder().ready()
    started = {"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "bag-1"}
    chart.add(started, D1)
    done = {"kind": "infusion_completed"}
    assert closed_by(chart, D1 + H, lambda c: c.add(done, D1 + 65 * MIN), D1 + 66 * MIN) == {"infusion-C1D1": "met"}
    over = {"kind": "observation_ended", "minutes": 65, "complete": True}
    at = D1 + 130 * MIN
    assert closed_by(chart, at, lambda c: c.add(over, at), at)["observation-C1D1"] == "met"


def test_a_test_still_open_when_monitoring_ends_is_closed_as_overdue() -> None:
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D1 + 15 * DAY, Role.PRESCRIBER)
    chart.add({"kind": "no_transplant"}, D1 + 15 * DAY, Role.PRESCRIBER)
    said = closed_by(chart, D1 + 22 * DAY, lambda c: c, D1 + 90 * DAY)
    assert said["liver-test-after-last-dose"] == "closed_as_overdue"


def test_the_next_dose_is_due_on_its_day_at_the_same_hour_and_overdue_when_its_window_ends() -> None:
    assert not any(o.key.startswith("dose") for o in PaperCourse(ChartBuilder().ready(), D1).card.obligations)
    chart = ChartBuilder().ready().dose(1, 1, D1)
    dose = next(o for o in PaperCourse(chart, D1 + 3 * H).card.obligations if o.key == "dose-C1D8")
    assert (dose.due_at, dose.overdue_at) == (D8, datetime.fromisoformat("2026-03-11T23:59:59+01:00"))
    chart.dose(1, 8, D8).dose(1, 15, D8 + 7 * DAY)
    cycle = next(o for o in PaperCourse(chart, D8 + 8 * DAY).card.obligations if o.key == "dose-C2D1")
    assert (cycle.due_at, cycle.overdue_at) == (D1 + 21 * DAY, D1 + 23 * DAY)


def test_a_decision_is_the_same_when_it_is_asked_again() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, D1), D1 + 25 * H)
    message = FinishDosing(id="m-1", by=PEOPLE[Role.PRESCRIBER], reason="enough")
    request = {"message": NamedMessage.of(message), "monitoring": False}
    assert decided(course.chart, course, **request) == decided(course.chart, course, **request)


def test_the_course_ends_when_monitoring_is_over() -> None:
    chart = ChartBuilder().screened()
    chart.add({"kind": "dosing_finished", "reason": "another treatment"}, D1, Role.PRESCRIBER)
    course = PaperCourse(chart, D1 + 2 * DAY)
    assert decided(course.chart, course, monitoring=True).phase.kind == "ended"
