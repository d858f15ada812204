"""MON-12, MON-13: dates in calendar months after the last dose; and how calendar months are counted."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.chart.calendar import plus_months
from models.people import Role
from tests.examples import many
from tests.factories import D1, ChartBuilder, PaperCourse


@pytest.mark.parametrize(
    ("day", "months", "there"),
    [
        ("2026-08-31", 6, "2027-02-28"),
        ("2027-08-31", 6, "2028-02-29"),
        ("2026-03-31", 8, "2026-11-30"),
        ("2026-03-16", 8, "2026-11-16"),
        ("2026-07-31", 5, "2026-12-31"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-10-15", 2, "2026-12-15"),
        ("2026-11-15", 2, "2027-01-15"),
        ("2028-02-29", 12, "2029-02-28"),
    ],
)
def test_a_calendar_month_keeps_the_day_or_takes_the_last_one(day: str, months: int, there: str) -> None:
    assert plus_months(date.fromisoformat(day), months) == date.fromisoformat(there)


@many
@given(st.dates(date(1990, 1, 1), date(2150, 1, 1)), st.integers(0, 30))
def test_months_are_counted_by_the_calendar(day: date, months: int) -> None:
    there = plus_months(day, months)
    assert (there.year * 12 + there.month) - (day.year * 12 + day.month) == months
    assert there.day == day.day or (there + timedelta(days=1)).day == 1


def said(at: datetime = D1 + timedelta(days=15), **course: object) -> list[str]:
    chart = ChartBuilder(**course).ready().cycle(1, D1)
    return [f.reason for f in PaperCourse(chart, at).card.findings if f.rule in {"MON-12", "MON-13"}]


def test_who_can_bear_a_child_reads_eight_months_of_contraception_and_two_without_breast_feeding() -> None:
    assert said(child_bearing_potential=True) == [
        "contraception until 2026-11-16: 8 months after the dose of 2026-03-16",
        "no breast-feeding until 2026-05-16: 2 months after the dose of 2026-03-16",
    ]


def test_who_cannot_reads_five_months_for_a_man_whose_partner_can() -> None:
    assert said(child_bearing_potential=False) == [
        "contraception until 2026-08-16 for a man whose partner can bear a child: 5 months after the dose of 2026-03-16"
    ]


def test_where_nobody_has_said_it_all_of_it_is_shown() -> None:
    assert len(said(child_bearing_potential=None)) == 3


def test_the_day_of_the_dose_is_the_one_at_the_site() -> None:
    chart = ChartBuilder(zone="Pacific/Auckland", child_bearing_potential=True).ready()
    chart.dose(1, 1, datetime.fromisoformat("2026-03-31T12:00:00+00:00"))  # 1 April there
    now = datetime.fromisoformat("2026-04-02T12:00:00+00:00")
    reasons = [f.reason for f in PaperCourse(chart, now).card.findings if f.rule == "MON-13"]
    assert "until 2026-06-01" in reasons[0]


def test_the_dates_stay_on_the_card_when_monitoring_is_over() -> None:
    chart = ChartBuilder(child_bearing_potential=True).ready().cycle(1, D1)
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D1 + timedelta(days=15), Role.PRESCRIBER)
    chart.add({"kind": "no_transplant"}, D1 + timedelta(days=15), Role.PRESCRIBER)
    card = PaperCourse(chart, D1 + timedelta(days=120)).card
    assert card.state == "completed"
    assert {"MON-12", "MON-13"} <= {f.rule for f in card.findings}


def test_before_the_first_dose_there_is_nothing_to_say() -> None:
    card = PaperCourse(ChartBuilder(child_bearing_potential=True).ready(), D1).card
    assert not {"MON-12", "MON-13"} & {f.rule for f in card.findings}
