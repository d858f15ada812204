"""CALL-01: the gravest calls physician and nurse at once and again; whoever is called takes the call or puts it off."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clinical.decide import decide
from clinical.obligations.harm import Harm
from clinical.obligations.kinds import harm_of
from models.assessment import CourseState, Obligation
from models.carried import DecideRequest
from models.facts import RungFired
from models.obligation_kinds import ObligationKind
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab
from tests.scenarios import after_transplant

MIN, H, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BOTH = (Role.PHYSICIAN, Role.NURSE)
K = ObligationKind


def given(**values: str) -> PaperCourse:
    """C1D1 was given at D1; these values were drawn two hours later, and are known now, at three hours."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    if values:
        chart.labs(D1 + 2 * H, **values)
    return PaperCourse(chart, D1 + 3 * H)


def reacting(grade: int | None, **more: Any) -> PaperCourse:
    chart = ChartBuilder().ready()
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "bag-1"}, D1)
    graded = {} if grade is None else {"grade": grade}
    chart.add({"kind": "reaction", "reaction_id": "r-1", **graded, **more}, D1 + 20 * MIN, Role.NURSE)
    return PaperCourse(chart, D1 + 25 * MIN)


def calls(course: PaperCourse) -> dict[str, Obligation]:
    """What calls now, of the gravest, by kind."""
    return {o.kind: o for o in course.card.obligations if harm_of(o.kind) is Harm.GRAVEST}


def rung(course: PaperCourse) -> list[tuple[str, str, tuple[Role, ...]]]:
    """The rungs that fire now, with who is called, and they are charted."""
    decided = decide(DecideRequest(chart=course.chart, now=course.now), load_protocol(LABEL), "test")
    with course.charting() as builder:
        for fact in decided.facts:
            builder.facts.append(fact)
    fired = [f.what for f in decided.facts if isinstance(f.what, RungFired)]
    return [(r.of, r.rung, r.calls or ()) for r in fired if harm_of(r.of) is Harm.GRAVEST]


# ── who is called for what ─────────────────────────────────────────────────────────────────────────────────────────

POSITIVE = {"kind": "pregnancy_test", "result": "positive"}
ASCITES = {
    "kind": "vod_examination",
    "ascites": True,
    "painful_hepatomegaly": True,
    "hepatomegaly": True,
    "ruq_pain": True,
}


def pregnant() -> PaperCourse:
    chart = ChartBuilder().ready()
    chart.add(POSITIVE, D1 - 20 * MIN)
    return PaperCourse(chart, D1)


def suspected() -> PaperCourse:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add(ASCITES, D1 + 2 * H, Role.PHYSICIAN)
    return PaperCourse(chart, D1 + 3 * H)


@pytest.mark.parametrize(
    ("course", "kind", "words"),
    [
        (reacting(None), K.REACTION, "report_reaction with its grade"),
        (reacting(2), K.REACTION_RUNNING, "its end, by report_reaction with resolved_at"),
        (reacting(3), K.REACTION_RUNNING, "its end, by report_reaction with resolved_at"),
        (reacting(4), K.REACTION_RUNNING, "its end, by report_reaction with resolved_at"),
        (reacting(5), K.DEATH, "close_course with the death, or correct_fact"),
        (given(potassium="7.1"), K.CRITICAL, "a later value within the limit; last 7.1 mmol/L on Monday 2 March 11:00"),
        (given(platelets="8"), K.CRITICAL, "last 8 10*9/L"),
        (given(haemoglobin="6.9"), K.CRITICAL, "last 6.9 g/dL"),
        (given(bilirubin="3.0"), K.CRITICAL, "last 3.0 mg/dL"),
        (given(bilirubin="1.6"), K.CRITICAL, "risen from 0.6 mg/dL"),
        (given(alt="99999"), K.IMPLAUSIBLE, "confirmed or corrected"),
        (given(potassium="13"), K.IMPLAUSIBLE, "confirmed or corrected"),
        (pregnant(), K.PREGNANCY, "a negative serum test"),
        (suspected(), K.VOD, "judge_vod"),
    ],
)
def test_the_gravest_calls_physician_and_nurse_at_once_and_again(course: PaperCourse, kind: K, words: str) -> None:
    found = calls(course)[kind]
    assert words in found.clears
    assert found.owners == BOTH
    assert found.overdue_at == found.due_at + 10 * MIN
    assert (kind, "due", BOTH) in rung(course)
    assert rung(course) == [], "once"
    course.now = max(course.now, found.overdue_at + timedelta(microseconds=1))
    assert (kind, "overdue", BOTH) in rung(course) or found.standing == "overdue"


@pytest.mark.parametrize("grade", [1, None])
def test_a_reaction_of_grade_1_calls_nobody_once_it_has_its_grade(grade: int | None) -> None:
    assert (K.REACTION in calls(reacting(grade))) == (grade is None)
    assert K.REACTION_RUNNING not in calls(reacting(grade))


def test_each_reaction_calls_for_itself_and_a_grade_that_rises_calls_anew() -> None:
    course = reacting(2)
    first = calls(course)[K.REACTION_RUNNING].due_at
    with course.later(minutes=5).charting() as builder:
        builder.add({"kind": "reaction", "reaction_id": "r-2"}, course.now, Role.NURSE)
    assert {K.REACTION, K.REACTION_RUNNING} <= set(calls(course))
    with course.later(minutes=5).charting() as builder:
        builder.add({"kind": "reaction", "reaction_id": "r-1", "grade": 3}, course.now, Role.NURSE)
    assert calls(course)[K.REACTION_RUNNING].due_at == course.now > first
    with course.later(minutes=5).charting() as builder:
        over = {"resolved_at": (course.now - MIN).isoformat()}
        builder.add({"kind": "reaction", "reaction_id": "r-1", "grade": 3, **over}, course.now, Role.NURSE)
    assert K.REACTION_RUNNING not in calls(course)


def test_a_death_closes_every_call_but_the_one_to_close_the_record_and_report() -> None:
    course = reacting(2)
    with course.charting() as builder:
        builder.add(a_lab("potassium", "7.1", at=course.now), course.now, Role.LABORATORY)
    assert {K.REACTION_RUNNING, K.CRITICAL} <= set(calls(course))
    with course.later(minutes=5).charting() as builder:
        builder.add({"kind": "reaction", "reaction_id": "r-1", "grade": 5}, course.now, Role.PHYSICIAN)
    assert [o.kind for o in course.card.obligations] == [K.DEATH]
    assert "close the record and report it" in course.card.obligations[0].title


# ── critical values ────────────────────────────────────────────────────────────────────────────────────────────────


def nadir(*platelets: str, analyte: str = "platelets") -> PaperCourse:
    """One value each day after the dose, from the next day on; the last is known now."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    for day, value in enumerate(platelets, 1):
        chart.labs(D1 + day * DAY, **{analyte: value})
    return PaperCourse(chart, D1 + len(platelets) * DAY + H)


@pytest.mark.parametrize(
    ("values", "day", "once"),
    [
        (("18",), 1, True),
        (("18", "19"), 1, True),
        (("18", "18"), 1, True),
        (("18", "17"), 2, True),
        (("18", "17", "19"), 2, True),
        (("18", "30", "18"), 3, True),
        (("18", "9"), 2, False),
        (("9", "9"), 2, False),
        (("9", "8", "9.5"), 3, False),
    ],
)
def test_an_expected_nadir_calls_once_and_when_it_worsens_and_below_ten_always(
    values: tuple[str, ...], day: int, once: bool
) -> None:
    found = calls(nadir(*values))[K.CRITICAL]
    assert (found.due_at, found.once) == (D1 + day * DAY, once)
    assert found.called("overdue", found.overdue_at + MIN) == (() if once else BOTH)
    assert found.called("due", found.due_at) == BOTH


def test_a_nadir_with_fever_or_before_any_dose_calls_as_everything_else_does() -> None:
    course = nadir("0.4", "0.4", analyte="anc")
    assert calls(course)[K.CRITICAL].once
    with course.charting() as builder:
        builder.add({"kind": "infection_bleeding", "temperature_c": "38.0"}, course.now, Role.NURSE)
    found = calls(course)[K.CRITICAL]
    assert (found.once, found.due_at) == (False, course.now)
    before = PaperCourse(ChartBuilder().ready(anc="0.4"), D1)
    assert not calls(before)[K.CRITICAL].once


@pytest.mark.parametrize("unusable", [{"status": "preliminary"}, {"unit": None}, {"status": "cancelled"}])
def test_a_critical_value_calls_until_a_usable_one_within_the_limit_comes_and_not_by_time(
    unusable: dict[str, Any],
) -> None:
    course = given(potassium="7.1")
    since = calls(course)[K.CRITICAL].due_at
    with course.later(hours=1).charting() as builder:
        builder.add(a_lab("potassium", "4.1", at=course.now, **unusable), course.now, Role.LABORATORY)
    assert calls(course)[K.CRITICAL].due_at == since
    assert calls(course.later(hours=24 * 30))[K.CRITICAL].due_at == since
    with course.charting() as builder:
        builder.add(a_lab("potassium", "4.1", at=course.now), course.now, Role.LABORATORY)
    assert K.CRITICAL not in calls(course)


# ── acknowledge and snooze ─────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_takes_the_call_is_not_called_again_and_the_other_is_and_nothing_is_closed() -> None:
    course = given(potassium="7.1")
    course.now = D1 + 2 * H + MIN
    assert rung(course) == [(K.CRITICAL, "due", BOTH)]
    course.does("acknowledge", Role.NURSE, obligation="critical-potassium")
    course.now = D1 + 2 * H + 11 * MIN
    assert rung(course) == [(K.CRITICAL, "overdue", (Role.PHYSICIAN,))]
    found = calls(course)[K.CRITICAL]
    assert found.standing == "overdue"
    assert [a.words() for a in found.answers] == ["acknowledged by nurse:nurse-1"]


def test_a_prescriber_takes_the_call_of_a_physician() -> None:
    course = given(potassium="7.1")
    course.does("acknowledge", Role.PRESCRIBER, obligation="critical-potassium")
    assert calls(course)[K.CRITICAL].called("overdue", course.now) == (Role.NURSE,)


def test_what_is_new_calls_whoever_took_the_call_before() -> None:
    course = given(potassium="7.1")
    course.does("acknowledge", Role.NURSE, obligation="critical-potassium")
    with course.later(hours=1).charting() as builder:
        builder.add(a_lab("potassium", "7.3", at=course.now), course.now, Role.LABORATORY)
    found = calls(course)[K.CRITICAL]
    assert (found.answers, found.called("due", course.now)) == ((), BOTH)


def test_a_call_that_is_put_off_rings_again_at_its_time_for_who_put_it_off() -> None:
    course = given(potassium="7.1")
    course.now = D1 + 2 * H + MIN
    rung(course)
    until = course.now + 30 * MIN
    course.does("snooze", Role.PHYSICIAN, obligation="critical-potassium", until=until.isoformat())
    words = [a.words(ZoneInfo("Europe/Berlin")) for a in calls(course)[K.CRITICAL].answers]
    assert words == [
        f"snoozed until {until.astimezone(ZoneInfo('Europe/Berlin')):%H:%M} on 2 March by physician:physician-1"
    ]
    assert calls(course)[K.CRITICAL].next_change_at == D1 + 2 * H + 10 * MIN + timedelta(seconds=1)
    course.now = D1 + 2 * H + 11 * MIN
    assert rung(course) == [(K.CRITICAL, "overdue", (Role.NURSE,))]
    assert calls(course)[K.CRITICAL].next_change_at == until
    course.now = until - MIN
    assert rung(course) == []
    course.now = until
    assert rung(course) == [(K.CRITICAL, "again", (Role.PHYSICIAN,))]
    assert rung(course) == []
    assert K.CRITICAL in calls(course)


@pytest.mark.parametrize(
    ("command", "role", "fields", "kind"),
    [
        ("acknowledge", Role.PHARMACIST, {}, "NotYourCall"),
        ("acknowledge", Role.NURSE, {"due_at": "2026-03-02T07:00:00Z"}, "CallMoved"),
        ("acknowledge", Role.AUDITOR, {}, "RoleNotAllowed"),
    ],
)
def test_a_call_is_answered_by_who_is_called_for_what_it_is_now(
    command: str, role: Role, fields: dict[str, str], kind: str
) -> None:
    course = given(potassium="7.1")
    assert course.refused(command, role, obligation="critical-potassium", **fields).type == kind


@pytest.mark.parametrize(
    ("hours", "may"), [("10:59:59", False), ("11:00:01", True), ("15:00:00", True), ("15:00:01", False)]
)
def test_a_call_is_put_off_for_four_hours_at_most(hours: str, may: bool) -> None:
    fields = {"obligation": "critical-potassium", "until": f"2026-03-02T{hours}Z"}
    ruling = given(potassium="7.1").judged("snooze", Role.NURSE, **fields)
    assert (ruling.outcome, getattr(ruling, "type", "")) == (("accepted", "") if may else ("refused", "SnoozeTooLong"))


def test_nobody_answers_a_call_that_is_not_there_or_not_due() -> None:
    for key in ("critical-sodium", "dose-C1D8"):
        assert given(potassium="7.1").refused("acknowledge", Role.PRESCRIBER, obligation=key).type == "NoSuchCall"


def test_a_toxicity_of_grade_5_calls_until_the_record_is_closed_and_silences_nothing() -> None:
    course = given(potassium="7.0")
    with course.charting() as chart:
        chart.add({"kind": "toxicity", "term": "sepsis", "grade": 5}, course.now, Role.NURSE)
    called = calls(course)
    assert set(called) == {K.CRITICAL, K.DEATH}
    assert called[K.DEATH].title == "toxicity of grade 5: close the record and report it"
    with course.charting() as chart:
        chart.add({"kind": "toxicity", "term": "Sepsis ", "grade": 4}, course.now, Role.NURSE)
    assert set(calls(course)) == {K.CRITICAL}


def test_signs_of_vod_that_become_graver_call_anew_and_stand_first() -> None:
    """CALL-01, ALERT-03: what was said to the call of A2 was not said to A3, and A3 is read first."""
    course = after_transplant(10, bilirubin="2.4", kg="75", signs={})(LABEL)
    assert [o.key for o in course.card.calling] == ["vod-judgement"]
    course.does("acknowledge", Role.PHYSICIAN, obligation="vod-judgement")
    course.later(hours=5)
    with course.charting() as chart:
        signs = {"ruq_pain": True, "hepatomegaly": True, "painful_hepatomegaly": True, "ascites": True, "oedema": False}
        chart.add({"kind": "vod_examination", **signs}, course.now, Role.PHYSICIAN)
    graver = next(o for o in course.card.obligations if o.key == "vod-judgement-graver")
    assert (graver.due_at, graver.rule, graver.answers) == (course.now, "ALERT-03", ())
    assert "A3" in graver.title
    assert set(graver.owners) == set(BOTH)
    steps = [f.reason[:2] for f in course.card.findings if f.rule.startswith("VOD")]
    assert steps == sorted(steps, reverse=True)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="infection")
    assert not [o for o in course.card.obligations if o.kind is K.VOD]


def test_whoever_is_called_is_named_first_whatever_is_due() -> None:
    """CALL-01: before the turn of the course, at once and not only when it is overdue; what is called stands on top."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "pregnancy_test", "result": "positive"}, D1 + 2 * H, Role.PHYSICIAN)
    card = PaperCourse(chart, D1 + 2 * H).card
    assert card.whose_turn[:2] == tuple((role, "a positive pregnancy test: speak with the patient") for role in BOTH)


def test_a_running_reaction_is_said_before_a_correction_waits_for_its_second_person() -> None:
    course = reacting(3)
    report = next(f.id for f in course.chart.facts if f.what.kind == "reaction")
    course.does("correct_fact", Role.PHYSICIAN, target=report, reason="it was of grade 2")
    course.does("report_reaction", Role.NURSE, reaction_id="r-2", grade=2)
    assert course.card.state is CourseState.CORRECTION_REVIEW
    (first, second), *_ = zip(*course.card.whose_turn[:2], strict=True)
    assert {first, second} == set(BOTH)
    assert "reaction of grade 2" in course.card.whose_turn[0][1]
