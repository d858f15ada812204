"""The worklist and the board made of rows: whose turn, what is not said twice, what comes first, on which clock."""

from datetime import timedelta
from typing import Any

from clinical.obligations.harm import Harm
from models.assessment import OVER, Assessment, CourseState, Finding, Obligation, Turn, Verdict
from models.obligation_kinds import ObligationKind, kind_of_former
from models.people import Role
from record.inbox import InboxItem, InboxState, WaitsFor
from record.raw import CannotBeRead
from record.reader import CourseOnRecord, WorklistItem
from record.ward import CourseInWard, Line, Ward, board_rows, lines_of, worklist_lines
from tests.record.factories import MONDAY, PIN, a_dose, an_assessment

MIN, H, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def due(key: str, owner: Role = Role.COORDINATOR, *, in_: timedelta, overdue_in: timedelta | None = None) -> Obligation:
    """An obligation that is due so long after Monday, and overdue a day later unless it is said."""
    return Obligation(
        key=key,
        title=f"the {key}",
        rule="MON-03",
        owner=owner,
        due_at=MONDAY + in_,
        overdue_at=MONDAY + (overdue_in if overdue_in is not None else in_ + DAY),
        standing="coming",
        clears=f"what clears {key}",
    )


def asks(verdict: Verdict, rule: str = "NON-08", reason: str = "ALT is above its limit") -> Finding:
    return Finding(rule=rule, verdict=verdict, reason=reason, clears="a lower ALT")


def a_course(
    state: CourseState = CourseState.LABS, *obligations: Obligation, course_id: str = "course-1", **more: Any
) -> CourseInWard:
    """A course whose last decision was on Monday; `ahead` is how far its clock is before the wall's."""
    ahead: timedelta = more.pop("ahead", timedelta())
    items: tuple[WorklistItem, ...] = more.pop("items", ())
    assessment = an_assessment(state=state, obligations=obligations, **more)
    course = CourseOnRecord(
        course_id=course_id,
        zone="Europe/Berlin",
        invented=True,
        started_at=MONDAY,
        started_by="prescriber:p-3",
        protocol=PIN,
        state=state,
        verdict=assessment.verdict,
        cycle=1,
        next_due_at=None,
        overdue=False,
        clock_offset_s=round(ahead.total_seconds()),
        last_decision=7,
        updated_at=MONDAY,
    )
    return CourseInWard(course=course, assessment=assessment, items=items)


def in_monitoring(*obligations: Obligation, **more: Any) -> CourseInWard:
    turn = {"owner": Role.COORDINATOR, "next_action": "see that the liver tests come"}
    return a_course(CourseState.LIVER_MONITORING, *obligations, **turn, **more)


def an_item(obligation: str, standing: str = "due", **more: Any) -> WorklistItem:
    usual: dict[str, Any] = {
        "course_id": "course-1",
        "obligation": obligation,
        "kind": kind_of_former(obligation),
        "title": f"the {obligation}",
        "owner": Role.PHYSICIAN,
        "rule": "LAB-05",
        "due_at": MONDAY,
        "overdue_at": None,
        "standing": standing,
        "opened_by": 3,
    }
    return WorklistItem(**{**usual, **more})


def keys(lines: list[Line]) -> list[str]:
    return [line.key for line in lines]


def listed(*courses: CourseInWard, role: Role | None = None, at: timedelta = MIN) -> list[Line]:
    return worklist_lines(Ward(read_at=MONDAY + at, courses=courses), role)


# --- Whose turn it is


def test_every_open_course_has_a_line_and_one_that_is_over_has_none() -> None:
    for state in CourseState:
        lines = lines_of(a_course(state, owner=Role.NURSE, next_action="do it"), MONDAY)
        assert len(lines) == (0 if state in OVER else 1), state


def test_a_dose_that_may_be_authorised_is_the_prescribers_turn() -> None:
    turn = {"owner": Role.PRESCRIBER, "next_action": "authorise the dose", "next_dose": "C1D1"}
    [line] = lines_of(a_course(CourseState.DOSE_ADJUSTMENT, verdict=Verdict.MAY_AUTHORISE, **turn), MONDAY)
    assert (line.what, line.owner, line.clears, line.due_at) == (
        "C1D1: authorise the dose",
        Role.PRESCRIBER,
        "authorise_dose",
        None,
    )
    assert (line.standing, line.harm) == ("due", Harm.DOSE)


def test_a_held_dose_is_one_line_with_its_reason_and_the_times_of_the_dose() -> None:
    held = {"verdict": Verdict.HOLD, "findings": (asks(Verdict.HOLD),), "next_dose": "C1D8"}
    turn = {"owner": Role.PRESCRIBER, "next_action": "look at what holds the dose"}
    dose = due("dose-C1D8", Role.PRESCRIBER, in_=-H)
    [line] = lines_of(a_course(CourseState.HELD, dose, **held, **turn), MONDAY)
    assert line.what == "C1D8: look at what holds the dose – ALT is above its limit"
    assert (line.rule, line.clears, line.harm) == ("NON-08", "a lower ALT", Harm.HELD_DOSE)
    assert (line.due_at, line.overdue_at, line.standing) == (dose.due_at, dose.overdue_at, "due")


def test_a_turn_names_all_that_is_needed_and_not_one_of_it() -> None:
    needed = [asks(Verdict.NEED_DATA, "DATA-02", f"{name} is missing") for name in ("ALT", "AST", "weight")]
    findings = tuple(f.model_copy(update={"clears": f"{f.reason[:-11]} not older than 48 h"}) for f in needed)
    turn = {"owner": Role.COORDINATOR, "next_action": "bring in what is missing", "next_dose": "C1D8"}
    [line] = lines_of(
        a_course(CourseState.LABS, verdict=Verdict.NEED_DATA, findings=(*findings, findings[0]), **turn), MONDAY
    )
    assert line.what == "C1D8: bring in what is missing – ALT is missing, and 3 further reasons"
    assert line.clears == "ALT not older than 48 h; AST not older than 48 h; weight not older than 48 h"


def test_at_the_bedside_and_in_monitoring_the_obligation_stands_for_the_turn() -> None:
    for state, key, owner in (
        (CourseState.OBSERVATION, "observation-C1D1", Role.NURSE),
        (CourseState.INFUSION, "infusion-C1D1", Role.NURSE),
        (CourseState.REACTION, "reaction-r1", Role.PHYSICIAN),
        (CourseState.LIVER_MONITORING, "liver-test-after-transplant", Role.COORDINATOR),
    ):
        [line] = lines_of(a_course(state, due(key, owner, in_=H), owner=owner, next_action="see to it"), MONDAY)
        assert (line.key, line.what) == (key, f"the {key}")


def test_a_test_that_is_due_in_a_week_is_the_turn_of_a_course_in_monitoring_and_of_no_other() -> None:
    test = due("liver-test-after-transplant", in_=7 * DAY)
    turn = {"owner": Role.COORDINATOR, "next_action": "see that the liver tests come"}
    assert keys(lines_of(a_course(CourseState.LIVER_MONITORING, test, **turn), MONDAY)) == [test.key]
    assert keys(lines_of(a_course(CourseState.LABS, test, **turn), MONDAY)) == ["turn"]
    assert keys(lines_of(a_course(CourseState.LABS, test, **turn), MONDAY + 6 * DAY)) == ["turn", test.key]


def test_an_overdue_dose_stays_with_the_prescriber_while_the_coordinator_brings_in_the_labs() -> None:
    dose = due("dose-C2D1", Role.PRESCRIBER, in_=-2 * DAY, overdue_in=DAY)
    course = a_course(CourseState.LABS, dose, owner=Role.COORDINATOR, next_action="bring in labs", next_dose="C2D1")
    assert [(x.owner, x.standing) for x in lines_of(course, MONDAY)] == [(Role.COORDINATOR, "due")]
    assert {(x.owner, x.standing) for x in lines_of(course, MONDAY + 2 * DAY)} == {
        (Role.COORDINATOR, "overdue"),
        (Role.PRESCRIBER, "overdue"),
    }


def test_an_urgent_finding_is_a_physicians_line_beside_the_test_that_is_overdue() -> None:
    findings = (asks(Verdict.DISCONTINUED, "NON-05", "a reaction"), asks(Verdict.HOLD_URGENT, "VOD-01", "ascites"))
    overdue = due("liver-test-after-transplant", in_=-2 * DAY)
    turn = {"owner": Role.PHYSICIAN, "next_action": "look at the patient now", "valid_until": MONDAY + DAY}
    urgent = a_course(CourseState.LIVER_MONITORING, overdue, verdict=Verdict.DISCONTINUED, findings=findings, **turn)
    first, second = sorted(lines_of(urgent, MONDAY), key=lambda line: line.harm)
    assert (first.what, first.owner, first.harm) == (
        "look at the patient now – ascites",
        Role.PHYSICIAN,
        Harm.URGENT,
    )
    assert (first.standing, first.due_at) == ("due", None)
    assert (second.key, second.standing) == (overdue.key, "overdue")


def test_where_no_test_is_left_the_turn_waits_for_the_next_look() -> None:
    question = due("transplant-question", Role.PRESCRIBER, in_=30 * DAY)
    [line] = lines_of(in_monitoring(question, valid_until=MONDAY + 5 * DAY), MONDAY)
    assert (line.key, line.standing, line.due_at) == ("turn", "coming", MONDAY + 5 * DAY)


def test_a_call_stands_for_the_turn_that_asks_for_the_same() -> None:
    call, dose = due("implausible-potassium", Role.PHYSICIAN, in_=-MIN), due("dose-C1D8", Role.PRESCRIBER, in_=H)
    held = {"verdict": Verdict.HOLD_URGENT, "findings": (asks(Verdict.HOLD_URGENT, "LAB-06", "potassium 9"),)}
    course = a_course(CourseState.HELD, call, dose, owner=Role.PRESCRIBER, next_dose="C1D8", next_action="look", **held)
    assert keys(lines_of(course, MONDAY)) == [call.key, dose.key]


def test_rules_that_cannot_be_evaluated_are_one_line_for_the_administrator() -> None:
    broken = due("rules-not-evaluated", Role.ADMINISTRATOR, in_=-MIN)
    course = a_course(CourseState.HELD, broken, owner=Role.ADMINISTRATOR, next_action="mend", verdict=Verdict.HOLD)
    assert [(x.key, x.owner, x.harm) for x in lines_of(course, MONDAY)] == [
        (broken.key, Role.ADMINISTRATOR, Harm.URGENT)
    ]


# --- Rows that are no obligation


def test_an_unreadable_message_is_one_line_though_a_rung_fired_and_its_row_waits() -> None:
    call = due("unreadable-abcdefabcdef", Role.PHYSICIAN, in_=-MIN)
    row = an_item("unreadable_message:f-1", message_sha256="abcdefabcdef" + "0" * 52, fact_id="f-1")
    alone = a_course(CourseState.LABS, items=(row,), next_action="labs")
    both = a_course(CourseState.LABS, call, items=(row, an_item(call.key, due_at=call.due_at)), next_action="labs")
    for course in (alone, both):
        [message] = [line for line in lines_of(course, MONDAY) if line.harm is Harm.MESSAGE]
        assert (message.key, message.owner) == (call.key, Role.PHYSICIAN)
        assert "resolve_unreadable" in message.clears or message.clears == call.clears


def test_a_message_that_was_not_taken_stays_on_the_list_of_a_course_that_is_over() -> None:
    row = an_item("message_refused:" + "c" * 64, owner=Role.COORDINATOR, message_sha256="c" * 64)
    [line] = lines_of(a_course(CourseState.COMPLETED, items=(row,)), MONDAY)
    assert (line.owner, line.harm) == (Role.COORDINATOR, Harm.MESSAGE)


def test_a_test_that_monitoring_closed_as_overdue_stays_overdue() -> None:
    row = an_item("liver-test-after-transplant", "closed_as_overdue", owner=Role.COORDINATOR, rule="MON-03")
    [line] = lines_of(a_course(CourseState.COMPLETED, items=(row,)), MONDAY)
    assert (line.standing, line.harm) == ("overdue", Harm.LIVER_TEST)


def test_what_reached_no_course_is_the_coordinators_last_line() -> None:
    document = InboxItem(
        sha256="e" * 64,
        size=12,
        read_as="laboratory:lis",
        received_at=MONDAY,
        subjects=(),
        birth_hash=None,
        refused=(),
        state=InboxState.WAITING,
        waits_for=WaitsFor.A_COURSE,
        course_id=None,
        settled_by=None,
        settled_at=None,
        settled_why=None,
    )
    message = a_course(items=(an_item("unreadable_message:f-1", message_sha256="a" * 64, fact_id="f-1"),))
    lines = worklist_lines(Ward(read_at=MONDAY + DAY, courses=(message,), inbox=(document,)))
    assert [line.harm for line in lines] == [Harm.DOSE, Harm.MESSAGE, Harm.INBOX]
    assert (lines[-1].owner, lines[-1].course_id, lines[-1].key) == (Role.COORDINATOR, "", f"inbox-{document.id}")


def test_a_record_that_cannot_be_read_is_the_first_line_of_every_role() -> None:
    spoilt = [
        CannotBeRead(course_id="course-9", table="fact", row=row, column="at", words="it is no instant")
        for row in ("3", "4")
    ]
    late = in_monitoring(due("liver-test-repeat", in_=-9 * DAY))
    ward = Ward(read_at=MONDAY + MIN, courses=(late,), unreadable=tuple(spoilt))
    for role in (None, *Role):
        first, *others = worklist_lines(ward, role)
        assert (first.course_id, first.owner, first.rule) == ("course-9", Role.ADMINISTRATOR, "REC-02")
        assert first.what == "its record cannot be read: fact 3, column at: it is no instant, and 1 more"
        assert "`inocycle course show course-9`" in first.clears
        assert "course-9" not in {line.course_id for line in others}
    assert [line.course_id for line in worklist_lines(ward, Role.COORDINATOR)] == ["course-9", "course-1"]


def test_where_a_key_is_missing_nobody_is_told_to_restore_the_record() -> None:
    missing = CannotBeRead(course_id="", table="memo", row="record_head", words="payload key k9 is not at hand")
    (line,) = worklist_lines(Ward(read_at=MONDAY, courses=(), unreadable=(missing,)), Role.ADMINISTRATOR)
    assert line.what == "payload key k9 is not at hand"
    assert ("key's file" in line.clears, "restore" in line.clears) == (True, False)


# --- What comes first


def of_every_class() -> list[CourseInWard]:
    """One course for each class of harm but the inbox, in an order that is not the right one."""
    state, owner = CourseState.BETWEEN_DOSES, {"owner": Role.COORDINATOR, "next_dose": "C1D8", "next_action": "wait"}
    far = due("dose-C1D8", Role.PRESCRIBER, in_=5 * DAY)
    classes = {
        "g-message": due("unreadable-1", in_=-H),
        "f-dose": due("cytoreduction-review", in_=-H),
        "e-liver": due("liver-test-repeat", in_=2 * H),
        "c-preparation": due("preparation-p1", in_=3 * H),
        "b-observation": due("observation-C1D1", in_=4 * H),
        "a-urgent": due("implausible-alt", in_=-MIN),
    }
    held = {"verdict": Verdict.HOLD, "next_dose": "C1D8", "owner": Role.PRESCRIBER, "next_action": "look"}
    return [
        *(a_course(state, far, o, course_id=course_id, **owner) for course_id, o in classes.items()),
        a_course(CourseState.HELD, course_id="d-held", **held),
    ]


def test_what_can_do_harm_first_comes_first_and_what_is_not_for_today_last() -> None:
    lines = listed(*of_every_class())
    today = [line.course_id[0] for line in lines if line.key != "turn" or line.course_id == "d-held"]
    assert today == ["a", "b", "c", "d", "e", "f", "g"]
    assert [line.key for line in lines[7:]] == ["turn"] * 6


def test_the_gravest_come_before_what_is_merely_late_and_that_before_what_is_graver_and_not_overdue() -> None:
    late = in_monitoring(due("liver-test-repeat", in_=-2 * DAY), course_id="z-late")
    later = in_monitoring(due("liver-test-repeat", in_=-30 * H), course_id="y-late")
    assert [line.course_id[0] for line in listed(*of_every_class(), later, late)][:4] == ["a", "z", "y", "b"]


def test_the_gravest_stand_first_on_the_lists_of_all_who_are_called() -> None:
    both = due("critical-potassium", Role.PHYSICIAN, in_=-MIN).model_copy(update={"also": (Role.NURSE,)})
    late = a_course(CourseState.OBSERVATION, due("observation-C1D1", Role.NURSE, in_=-DAY), course_id="a-late")
    courses = late, a_course(CourseState.BETWEEN_DOSES, both, course_id="z-called")
    assert keys(listed(*courses, role=Role.NURSE))[0] == "critical-potassium"
    assert (
        keys(listed(*courses, role=Role.PRESCRIBER))[0]
        == keys(listed(*courses, role=Role.PHYSICIAN))[0]
        == "critical-potassium"
    )
    assert "critical-potassium" not in keys(listed(*courses, role=Role.PHARMACIST))


def test_a_prescriber_sees_the_physicians_items_and_a_physician_not_the_prescribers() -> None:
    call = a_course(CourseState.REACTION, due("reaction-r1", Role.PHYSICIAN, in_=-MIN), owner=Role.PHYSICIAN)
    dose = a_course(CourseState.DOSE_ADJUSTMENT, owner=Role.PRESCRIBER, next_action="authorise", course_id="course-2")
    assert keys(listed(call, dose, role=Role.PRESCRIBER)) == ["reaction-r1", "turn"]
    assert keys(listed(call, dose, role=Role.PHYSICIAN)) == ["reaction-r1"]
    assert listed(call, dose, role=Role.NURSE) == []


def test_whoever_can_begin_at_the_same_time_has_a_line_of_their_own() -> None:
    prepare = Turn(owner=Role.PHARMACIST, action="prepare the dose", clears="record_preparation")
    course = a_course(
        CourseState.PREMEDICATION,
        verdict=Verdict.MAY_AUTHORISE,
        next_dose="C1D8",
        owner=Role.NURSE,
        next_action="premedicate",
        others=(prepare,),
    )
    (nurse,), (pharmacist,) = listed(course, role=Role.NURSE), listed(course, role=Role.PHARMACIST)
    assert (nurse.what, pharmacist.what) == ("C1D8: premedicate", "C1D8: prepare the dose")
    assert pharmacist.clears == "record_preparation"


# --- Each course on its own clock


def test_what_is_due_and_overdue_is_said_by_the_courses_own_clock() -> None:
    test = due("liver-test-repeat", in_=7 * DAY)
    courses = [in_monitoring(test, course_id=f"course-{days}", ahead=timedelta(days=days)) for days in (0, 7, 9)]
    assert [(line.course_id, line.standing) for line in listed(*courses)] == [
        ("course-9", "overdue"),
        ("course-7", "due"),
        ("course-0", "coming"),
    ]


def test_the_limits_are_those_of_the_obligation() -> None:
    course = in_monitoring(due("liver-test-repeat", in_=H, overdue_in=2 * H))
    second = timedelta(seconds=1)
    standing = [
        lines_of(course, MONDAY + at)[0].standing for at in (H - second, H, 2 * H, 2 * H + timedelta(microseconds=1))
    ]
    assert standing == ["coming", "due", "due", "overdue"]


# --- The board


def board(*courses: CourseInWard, at: timedelta = MIN) -> dict[str, Any]:
    return {row.course_id: row for row in board_rows(Ward(read_at=MONDAY + at, courses=courses))}


def test_the_board_shows_courses_in_trouble_first_and_those_that_are_over_last() -> None:
    over = a_course(CourseState.COMPLETED, course_id="a-over", items=(an_item("liver-test-x", "closed_as_overdue"),))
    late = in_monitoring(due("liver-test-repeat", in_=-2 * DAY), course_id="z-late")
    rows = board(over, *of_every_class(), late)
    assert [name[0] for name in rows] == ["a", "z", "b", "c", "d", "e", "f", "g", "a"]
    assert (rows["a-over"].over, rows["z-late"].overdue) == (True, ("the liver-test-repeat",))


def test_a_verdict_that_has_run_out_is_not_shown_as_if_it_stood() -> None:
    until = {"valid_until": MONDAY + H}
    assert [board(a_course(**until), at=at)["course-1"].outdated for at in (H - MIN, H)] == [False, True]
    assert not board(a_course(), at=400 * DAY)["course-1"].outdated


def test_the_board_gives_the_first_reason_or_the_dose_that_nothing_stands_against() -> None:
    held = a_course(CourseState.HELD, verdict=Verdict.HOLD, findings=(asks(Verdict.HOLD), asks(Verdict.HOLD, "X-1")))
    ready = a_course(CourseState.DOSE_ADJUSTMENT, verdict=Verdict.MAY_AUTHORISE, dose=a_dose(), course_id="course-2")
    rows = board(held, ready)
    assert (rows["course-1"].rule, rows["course-1"].why) == ("NON-08", "ALT is above its limit")
    assert rows["course-2"].why == "nothing stands in the way of 1.30 mg"


def test_the_next_due_of_a_course_is_its_first_obligation_with_its_owner() -> None:
    course = a_course(CourseState.LABS, due("dose-C1D8", Role.PRESCRIBER, in_=DAY), due("liver-test-repeat", in_=H))
    found = board(course)["course-1"].next_due
    assert (found.key, found.owner, found.standing) == ("liver-test-repeat", Role.COORDINATOR, "coming")


def test_an_assessment_of_an_earlier_release_without_a_turn_is_still_a_line() -> None:
    [line] = lines_of(a_course(), MONDAY)
    assert (line.owner, line.key) == (Assessment.model_fields["owner"].default, "turn")


def test_the_board_shows_what_is_overdue_before_what_is_not_and_the_worst_of_it_first() -> None:
    obligations = (
        due("prophylaxis-C1", Role.PHYSICIAN, in_=-2 * DAY, overdue_in=DAY),
        due("dose-C1D8", Role.PRESCRIBER, in_=-2 * DAY, overdue_in=-DAY),
        due("liver-test-after-C1D1", in_=-DAY, overdue_in=-H),
        due("vital-signs-C1D1", Role.NURSE, in_=-H, overdue_in=-MIN),
    )
    row = board(a_course(CourseState.LABS, *(_kinded(o) for o in obligations)))["course-1"]
    assert row.next_due.what == "the vital-signs-C1D1"
    assert row.overdue[:3] == ("the vital-signs-C1D1", "the liver-test-after-C1D1", "the dose-C1D8")
    calm = board(a_course(CourseState.LABS, *(_kinded(o) for o in obligations[:1])))["course-1"]
    assert (calm.next_due.what, calm.next_due.standing) == ("the prophylaxis-C1", "due")


def test_a_call_to_two_people_is_one_line_that_names_both_above_whatever_is_late() -> None:
    late = _kinded(due("vital-signs-C1D1", Role.NURSE, in_=-2 * H, overdue_in=-H))
    call = due("reaction-1a2b3c4d5e6f", Role.PHYSICIAN, in_=-MIN).model_copy(
        update={"kind": ObligationKind.REACTION, "also": (Role.NURSE,), "title": "stop the infusion; a reaction"}
    )
    turns = {"owner": Role.PHYSICIAN, "next_action": "stop the infusion, treat the reaction"}
    others = (Turn(owner=Role.NURSE, action="stop the infusion, and chart what the pump shows"),)
    course = a_course(
        CourseState.REACTION,
        late,
        call,
        verdict=Verdict.HOLD_URGENT,
        others=others,
        findings=(asks(Verdict.HOLD_URGENT),),
        **turns,
    )
    for role in (None, Role.NURSE, Role.PHYSICIAN):
        first, *rest = listed(course, role=role)
        assert (first.what, first.owners) == ("stop the infusion; a reaction", (Role.PHYSICIAN, Role.NURSE))
        assert not any("stop" in line.what for line in rest)
    assert listed(course, role=Role.NURSE)[1].what == "the vital-signs-C1D1"
    assert board(course)["course-1"].others == others


def _kinded(o: Obligation) -> Obligation:
    return o.model_copy(update={"kind": kind_of_former(o.key)})
