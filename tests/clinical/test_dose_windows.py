"""When a dose may be given: windows and spacing in every zone, delays, interruptions, the next cycle (DOSE-04, DAY, DUR)."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.chart.calendar import at_local, local_date, midnight_of
from models.assessment import CourseState, Verdict
from models.people import Role
from tests.examples import few
from tests.factories import ARTICLE, D1, LABEL, PROTOCOLS, ChartBuilder, PaperCourse, notes, standing_rules
from tests.strategies import ZONES, protocols

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D15, D29 = D1 + 7 * DAY, D1 + 14 * DAY, D1 + 28 * DAY
BERLIN = ZoneInfo("Europe/Berlin")

zones = st.sampled_from(ZONES)
first_days = st.sampled_from(
    [date(2026, 3, d) for d in (1, 2, 7, 20, 21, 22, 23, 27, 28)]  # northern spring
    + [date(2026, 4, 1), date(2026, 9, 25), date(2026, 9, 28)]  # Lord Howe, both ways
    + [date(2026, 10, d) for d in (16, 18, 19, 20, 25, 28)]  # northern autumn
    + [date(2028, 2, d) for d in (19, 21, 22, 23, 27, 28, 29)]  # leap day
)
clocks = st.sampled_from([time(0, 30), time(2, 30), time(7, 0), time(9, 0), time(23, 30)])


def local(day: date, clock: time, zone: str) -> datetime:
    return at_local(day, clock, ZoneInfo(zone))


def asked(chart: ChartBuilder, now: datetime) -> PaperCourse:
    """Everything in order for a day 8 or 15 at this instant; what was charted so far is kept."""
    again = ChartBuilder(chart.course.protocol.name)
    again.course, again.facts = chart.course, list(chart.facts)
    return PaperCourse(again.ready_again(now), now)


# ── day 8 and day 15 ───────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(zones, first_days, clocks, protocols)
def test_day_8_may_be_given_from_the_sixth_to_the_ninth_date_after_day_1(
    zone: str, day: date, clock: time, protocol: str
) -> None:
    start = local(day, clock, zone)
    chart = ChartBuilder(protocol, zone=zone).ready(start).dose(1, 1, start)
    seen = [asked(chart, local(day + n * DAY, clock, zone)).card.verdict for n in range(1, 13)]
    assert seen == [Verdict.TOO_EARLY] * 5 + [Verdict.MAY_AUTHORISE] * 4 + [Verdict.DELAYED] * 3


@few
@given(zones, first_days, clocks, st.integers(6, 9))
def test_day_15_keeps_its_window_and_six_dates_from_the_actual_day_8(
    zone: str, day: date, clock: time, day_8_after: int
) -> None:
    start = local(day, clock, zone)
    chart = ChartBuilder(zone=zone).ready(start).dose(1, 1, start)
    chart.dose(1, 8, local(day + day_8_after * DAY, clock, zone))
    open_on = [
        n
        for n in range(day_8_after + 1, 20)
        if asked(chart, local(day + n * DAY, clock, zone)).card.verdict is Verdict.MAY_AUTHORISE
    ]
    assert open_on == list(range(max(12, day_8_after + 6), 17))


def test_a_day_15_that_spacing_pushes_past_its_window_has_the_first_date_that_spacing_allows() -> None:
    """AMB-05: after toxicity day 8 was given on day 13, so day 15 is for day 19 alone."""
    chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D1 + 12 * DAY)
    seen = {n: asked(chart, D1 + n * DAY).card.verdict for n in (17, 18, 19)}
    assert seen == {17: Verdict.TOO_EARLY, 18: Verdict.MAY_AUTHORISE, 19: Verdict.DELAYED}


@few
@given(zones, first_days, st.lists(st.integers(0, 40 * 24), min_size=1, max_size=4))
def test_no_dose_is_ever_open_within_six_dates_of_any_other(zone: str, day: date, hours: list[int]) -> None:
    start = local(day, time(9), zone)
    chart = ChartBuilder(zone=zone).ready(start)
    slots = [(1, 1), (1, 8), (1, 15), (2, 1)]
    given_at = [start + h * H for h in sorted(hours)]
    for (cycle, dose_day), at in zip(slots, given_at, strict=False):
        chart.add({"kind": "administration", "cycle": cycle, "day": dose_day, "mg": "0.9"}, at)
    for n in range(8):
        now = given_at[-1] + n * DAY
        if asked(chart, now).card.verdict in (Verdict.MAY_AUTHORISE, Verdict.MAY_START):
            there = ZoneInfo(zone)
            assert all(local_date(now, there) - local_date(at, there) >= 6 * DAY for at in given_at)


def test_the_window_closes_with_the_second_local_midnight_after_its_nominal_date() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    closes_at = midnight_of(date(2026, 3, 12), BERLIN)
    last = asked(chart, closes_at - SECOND)
    assert (last.card.verdict, last.card.valid_until) == (Verdict.MAY_AUTHORISE, closes_at)
    card = asked(chart, closes_at).card
    assert (card.verdict, card.state, standing_rules(card)) == (Verdict.DELAYED, CourseState.HELD, ["DAY-06"])


@pytest.mark.parametrize("on", [11, 12, 14, 16, 18, 21, 28, 60])
def test_a_day_8_that_nobody_decided_stays_delayed_whatever_window_opens_meanwhile(on: int) -> None:
    """DAY-06: neither the window of day 15 nor the length of the cycle decides in place of the prescriber."""
    now = D1 + (on - 1) * DAY + DAY
    course = asked(ChartBuilder().ready().dose(1, 1, D1), now)
    assert (course.card.next_dose, course.card.verdict) == ("C1D8", Verdict.DELAYED)
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=15).type == "NotTheDoseDue"
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2).type == "CycleNotOver"


def test_too_early_says_from_when() -> None:
    course = asked(ChartBuilder().ready().dose(1, 1, D1), D1 + 5 * DAY)
    refused = course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=8)
    assert refused.type == "TooEarly"
    assert refused.earliest_at == datetime.fromisoformat("2026-03-08T03:00:00+01:00")
    assert course.card.state is CourseState.BETWEEN_DOSES


def test_a_dose_given_elsewhere_counts_for_spacing() -> None:
    course = asked(ChartBuilder().ready(), D1)
    course.does("record_administration", Role.NURSE, cycle=1, day=1, mg="0.9", at=D1 - 2 * DAY)
    assert course.card.next_dose == "C1D8"
    assert asked(_of(course), D1 + 3 * DAY).card.verdict is Verdict.TOO_EARLY
    assert asked(_of(course), D1 + 4 * DAY).card.verdict is Verdict.MAY_AUTHORISE


def _of(course: PaperCourse) -> ChartBuilder:
    chart = ChartBuilder(course.chart.course.protocol.name)
    chart.facts = list(course.chart.facts)
    return chart


# ── DAY-03: earlier by the wall clock on the sixth date ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "sixth", "last_clock", "opens"),
    [
        ("2026-03-02", "2026-03-08", "09:00", "03:00"),
        ("2026-03-02", "2026-03-08", "05:59", "00:00"),
        ("2026-03-02", "2026-03-08", "06:00", "00:00"),
        ("2026-03-02", "2026-03-08", "23:30", "17:30"),
        ("2026-03-23", "2026-03-29", "09:00", "03:00"),  # clocks go forward at 02:00: by the wall clock
        ("2026-03-23", "2026-03-29", "08:30", "03:00"),  # 02:30 does not exist
        ("2026-03-23", "2026-03-29", "07:00", "01:00"),
        ("2026-10-19", "2026-10-25", "09:00", "03:00"),  # clocks go back at 03:00
        ("2026-10-19", "2026-10-25", "07:00", "01:00"),
    ],
)
def test_on_the_sixth_date_a_start_more_than_six_hours_earlier_by_the_wall_clock_is_too_early(
    first: str, sixth: str, last_clock: str, opens: str
) -> None:
    start = local(date.fromisoformat(first), time.fromisoformat(last_clock), "Europe/Berlin")
    opens_at = local(date.fromisoformat(sixth), time.fromisoformat(opens), "Europe/Berlin")
    chart = ChartBuilder().ready(start).dose(1, 1, start)
    before, after = asked(chart, opens_at - SECOND).card, asked(chart, opens_at).card
    assert (before.verdict, before.valid_until) == (Verdict.TOO_EARLY, opens_at)
    assert after.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize(
    ("start", "reason", "may_start"),
    [
        ("2026-03-08T07:00:00+00:00", None, False),
        ("2026-03-08T07:00:00+00:00", "", False),
        ("2026-03-08T07:00:00+00:00", "  ", False),
        ("2026-03-08T07:00:00+00:00", "the chair is free", True),
        ("2026-03-08T07:59:59+00:00", None, False),
        ("2026-03-08T08:00:00+00:00", None, True),  # the same time of day
        ("2026-03-08T12:00:00+00:00", None, True),
        ("2026-03-09T04:00:00+00:00", None, True),  # the seventh date
    ],
)
def test_up_to_six_hours_earlier_needs_the_prescribers_reason(start: str, reason: str | None, may_start: bool) -> None:
    now = datetime.fromisoformat(start)
    chart = ChartBuilder().ready().dose(1, 1, D1)
    course = asked(chart, now - H)
    course.authorised(1, 8, earlier_start_reason=reason).premedicated().later(hours=1).prepared()
    assert (course.card.verdict is Verdict.MAY_START) == may_start
    assert ("DAY-03" in notes(course.card)) != may_start


def test_a_reason_does_not_open_what_is_more_than_six_hours_earlier() -> None:
    course = asked(ChartBuilder().ready().dose(1, 1, D1), datetime.fromisoformat("2026-03-08T01:59:59+00:00"))
    refused = course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=8, earlier_start_reason="night shift")
    assert (refused.type, refused.rules) == ("TooEarly", ("DAY-03",))


def test_the_wall_clock_matters_on_the_sixth_date_only() -> None:
    """Day 8 was given much too early elsewhere, so the window of day 15 opens nine dates later, at midnight."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "administration", "cycle": 1, "day": 8, "mg": "0.9"}, D1 + 3 * DAY)
    opens_at = midnight_of(date(2026, 3, 14), BERLIN)
    assert asked(chart, opens_at - SECOND).card.verdict is Verdict.TOO_EARLY
    assert asked(chart, opens_at).card.verdict is Verdict.MAY_AUTHORISE


def test_the_same_hour_six_dates_later_passes_across_the_spring_change() -> None:
    start = local(date(2026, 3, 23), time(9), "Europe/Berlin")
    course = asked(ChartBuilder().ready(start).dose(1, 1, start), start + timedelta(hours=142))
    course.authorised(1, 8).premedicated().later(hours=1).prepared()
    assert course.now - start == timedelta(hours=143)
    assert course.card.verdict is Verdict.MAY_START


# ── the next cycle (DAY-05) ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("protocol", "day_15_on", "next_on"),
    [
        (LABEL, 15, 22),
        (LABEL, 16, 23),
        (LABEL, 17, 24),
        (ARTICLE, 15, 29),
        (ARTICLE, 16, 29),
        (ARTICLE, 17, 29),
    ],
)
@pytest.mark.parametrize("zone", ZONES)
def test_day_1_of_the_second_cycle_is_day_22_to_24_or_29(
    protocol: str, day_15_on: int, next_on: int, zone: str
) -> None:
    first = date(2026, 3, 16)  # clocks change within the cycle in Berlin, and in Lord Howe
    start = local(first, time(9), zone)
    chart = ChartBuilder(protocol, zone=zone).ready(start).dose(1, 1, start)
    chart.dose(1, 8, local(first + 7 * DAY, time(9), zone))
    chart.dose(1, 15, local(first + (day_15_on - 1) * DAY, time(9), zone))
    opens_at = midnight_of(first + (next_on - 1) * DAY, ZoneInfo(zone))
    chart.ready_for_cycle(opens_at - H)
    before, after = PaperCourse(chart, opens_at - SECOND).card, PaperCourse(chart, opens_at).card
    assert (before.verdict, before.valid_until, before.next_dose) == (Verdict.TOO_EARLY, opens_at, "C2D1")
    assert (after.verdict, after.state) == (Verdict.MAY_AUTHORISE, CourseState.CYCLE_REVIEW)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("day_15_on", "next_on"), [(15, 29), (17, 29), (22, 29), (23, 30)])
def test_day_1_after_a_later_cycle_is_day_29_and_a_week_after_the_last_dose(
    protocol: str, day_15_on: int, next_on: int
) -> None:
    chart = ChartBuilder(protocol).ready().cycle(1, D1, response="CR")
    chart.add({"kind": "cycle_started", "cycle": 2}, D29, Role.PRESCRIBER)
    chart.dose(2, 1, D29).dose(2, 8, D29 + 7 * DAY).dose(2, 15, D29 + (day_15_on - 1) * DAY)
    opens_at = midnight_of(local_date(D29, BERLIN) + (next_on - 1) * DAY, BERLIN)
    chart.ready_for_cycle(opens_at - H, of_cycle=2)
    assert PaperCourse(chart, opens_at - SECOND).card.verdict is Verdict.TOO_EARLY
    assert PaperCourse(chart, opens_at).card.verdict is Verdict.MAY_AUTHORISE


def test_the_next_cycle_is_started_before_its_first_dose_is_signed() -> None:
    course = PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D29), D29)
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=2, day=1).type == "CycleNotStarted"
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3).type == "NotTheDoseDue"
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=2)
    course.authorised(2, 1)
    assert course.card.state is CourseState.PREMEDICATION


@pytest.mark.parametrize(
    ("at", "refusal"), [(D1 + 20 * DAY, "TooEarly"), (D1 + 12 * DAY, "CycleNotOver")], ids=["day 21", "day 13"]
)
def test_the_next_cycle_does_not_start_before_its_time(at: datetime, refusal: str) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D8)
    if refusal == "TooEarly":
        chart.dose(1, 15, D15)
    chart.ready_for_cycle(at)
    assert PaperCourse(chart, at).refused("start_next_cycle", Role.PRESCRIBER, cycle=2).type == refusal
