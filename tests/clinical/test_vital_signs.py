"""Vital signs around the infusion (INF-03) and an observation that was broken off (INF-04)."""

from datetime import datetime, timedelta

import pytest

from models.assessment import Obligation
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse, notes

MIN, H, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
SIGNS = {"kind": "vital_signs", "heart_rate_per_min": "80"}


def running() -> ChartBuilder:
    chart = ChartBuilder().ready()
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "bag-1"}, D1)
    return chart


def ended(after: timedelta = H) -> ChartBuilder:
    chart = running()
    chart.add({"kind": "infusion_completed"}, D1 + after)
    return chart


def opened(chart: ChartBuilder, now: datetime, begins: str = "vital-signs") -> Obligation | None:
    found = [o for o in PaperCourse(chart, now).card.obligations if o.key.startswith(begins)]
    return found[0] if found else None


def test_they_are_due_before_at_15_and_30_minutes_at_the_end_and_half_an_hour_and_an_hour_after_it() -> None:
    chart, now, looks = running(), D1, []
    while found := opened(chart, now):
        looks.append((found.due_at - D1) // MIN)
        now = found.due_at
        chart.add(SIGNS, now)
        if now == D1 + H:
            chart.add({"kind": "infusion_completed"}, now)
    assert looks == [0, 15, 30, 60, 90, 120]


def test_they_are_asked_for_before_the_start_once_the_premedication_allows_one() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1).authorised()
    assert course.card.next_action == "premedicate"
    course.premedicated().later(minutes=20)
    [due] = [o for o in course.card.obligations if o.key == "vital-signs-C1D1"]
    assert (due.title, due.due_at, due.standing, due.owner) == (
        "vital signs before C1D1",
        D1 + 30 * MIN,
        "coming",
        Role.NURSE,
    )
    course.prepared().later(minutes=10)
    assert course.card.next_action == "take the vital signs, then start the infusion"
    taken = course.does("record_finding", Role.NURSE, finding=SIGNS)
    assert taken.at == D1 + 30 * MIN
    assert course.card.next_action == "start the infusion"
    assert not [o for o in course.card.obligations if o.key == "vital-signs-C1D1"]
    course.started()
    [due] = [o for o in course.card.obligations if o.key == "vital-signs-C1D1"]
    assert due.title == "vital signs 15 min after the start of C1D1"


def test_a_word_that_holds_no_sign_is_no_look() -> None:
    """M.0: before the start and after it."""
    chart = running()
    chart.add({"kind": "vital_signs"}, D1 + MIN)
    found = opened(chart, D1 + 2 * MIN)
    assert found is not None
    assert found.due_at == D1
    course = PaperCourse(ChartBuilder().ready(), D1).authorised().premedicated().later(minutes=30)
    course.does("record_finding", Role.NURSE, finding={"kind": "vital_signs"})
    assert [o for o in course.card.obligations if o.key == "vital-signs-C1D1"]


def test_they_are_not_asked_for_a_start_that_did_not_come_in_time() -> None:
    course = PaperCourse(ChartBuilder().ready(), D1).authorised().premedicated().later(hours=2)
    assert [o for o in course.card.obligations if o.key == "vital-signs-C1D1"]
    course.later(seconds=1)
    assert not [o for o in course.card.obligations if o.key == "vital-signs-C1D1"]


def test_each_look_is_overdue_a_quarter_of_an_hour_later_to_the_second() -> None:
    chart = running()
    chart.add(SIGNS, D1)
    due_at = D1 + 15 * MIN
    for now, standing in (
        (due_at - SECOND, "coming"),
        (due_at, "due"),
        (due_at + 15 * MIN, "due"),
        (due_at + 15 * MIN + SECOND, "overdue"),
    ):
        found = opened(chart, now)
        assert found is not None
        assert (found.standing, found.owner, found.rule) == (standing, Role.NURSE, "INF-03")


@pytest.mark.parametrize(
    ("taken", "next_due"),
    [
        (-60 * MIN - SECOND, 0),
        (-60 * MIN, 15),
        (10 * MIN - SECOND, 15),
        (10 * MIN, 30),  # five minutes early counts
        (40 * MIN, 60),  # and stands for what was missed before
    ],
    ids=str,
)
def test_the_signs_taken_last_stand_for_the_looks_before_them(taken: timedelta, next_due: int) -> None:
    chart = running()
    chart.add(SIGNS, D1 + taken)
    found = opened(chart, D1 + 40 * MIN)
    assert found is not None
    assert found.due_at == D1 + next_due * MIN


def test_the_end_is_the_real_one() -> None:
    chart = ended(50 * MIN)
    chart.add(SIGNS, D1 + 31 * MIN)
    found = opened(chart, D1 + 50 * MIN)
    assert found is not None
    assert (found.due_at, found.title) == (D1 + 50 * MIN, "vital signs at the end of C1D1")


def test_while_the_infusion_stands_still_its_end_is_not_asked_for() -> None:
    chart = running()
    chart.add(SIGNS, D1 + 30 * MIN)
    chart.add({"kind": "infusion_interrupted"}, D1 + 31 * MIN)
    assert opened(chart, D1 + 2 * H) is None


def test_nothing_is_asked_for_when_observation_is_over_or_for_a_dose_given_elsewhere() -> None:
    chart = ended()
    chart.add({"kind": "observation_ended", "minutes": 60, "complete": True}, D1 + 2 * H)
    assert opened(chart, D1 + 2 * H) is None
    elsewhere = ChartBuilder().ready()
    elsewhere.add({"kind": "administration", "cycle": 1, "day": 1, "mg": "1.45"}, D1)
    assert opened(elsewhere, D1 + 30 * MIN) is None


# ── broken off (INF-04) ────────────────────────────────────────────────────────────────────────────────────────────


def broken_off() -> ChartBuilder:
    chart = ended()
    left = {"kind": "observation_ended", "minutes": 40, "complete": False, "note": "left the ward"}
    chart.add(left, D1 + 100 * MIN)
    return chart


def test_an_observation_that_was_broken_off_stays_open() -> None:
    chart, over = broken_off(), D1 + 2 * H
    for now, standing in (
        (over - SECOND, "coming"),
        (over, "due"),
        (over + 30 * MIN, "due"),
        (over + 30 * MIN + SECOND, "overdue"),
        (over + timedelta(days=5), "overdue"),  # no timer completes it
    ):
        found = opened(chart, now, "broken-off")
        assert found is not None
        assert (found.standing, found.owner, found.rule) == (standing, Role.PHYSICIAN, "INF-04")
        assert found.title == "observation after C1D1 was broken off after 40 min"  # no person's words in a title


@pytest.mark.parametrize(
    "look",
    [SIGNS, {"kind": "vod_examination", "ascites": False}, {"kind": "infection_bleeding"}],
    ids=lambda b: b["kind"],
)
def test_it_is_closed_by_a_look_at_the_patient_after_the_hour_and_the_card_keeps_the_note(look: dict[str, str]) -> None:
    chart = broken_off()
    chart.add(look, D1 + 2 * H - SECOND)
    assert opened(chart, D1 + 2 * H, "broken-off") is not None
    chart.add(look, D1 + 2 * H)
    assert opened(chart, D1 + 2 * H, "broken-off") is None
    card = PaperCourse(chart, D1 + 2 * H).card
    assert [f.reason for f in card.findings if f.rule == "INF-04"] == [
        "observation after C1D1 was broken off after 40 min: left the ward; the patient was looked at after the hour"
    ]


def test_a_whole_observation_leaves_nothing_open() -> None:
    chart = ended()
    chart.add({"kind": "observation_ended", "minutes": 60, "complete": True}, D1 + 2 * H)
    assert opened(chart, D1 + 3 * H, "broken-off") is None
    assert "INF-04" not in notes(PaperCourse(chart, D1 + 3 * H).card)


def test_the_dose_given_elsewhere_is_not_ours_to_observe() -> None:
    chart = broken_off()
    chart.dose(1, 8, D1 + timedelta(days=7))
    assert opened(chart, D1 + timedelta(days=7, hours=3), "broken-off") is None
