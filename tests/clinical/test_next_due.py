"""What clears a finding names the next test that would bring it, in the time of the site."""

from datetime import timedelta

import pytest

from clinical.course.case import Case
from clinical.monitoring.next_due import Test, last_and_next, next_due_words
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, LIVER, ChartBuilder, PaperCourse

H, DAY = timedelta(hours=1), timedelta(days=1)
D8 = D1 + 7 * DAY


def case_at(chart: ChartBuilder, now: object) -> Case:
    return Case(chart.chart(), load_protocol(LABEL), now)  # type: ignore[arg-type]


def test_a_high_alt_names_its_last_value_and_the_day_of_the_next_test() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.labs(D1 + 3 * DAY, *LIVER, alt="160")
    case = case_at(chart, D1 + 4 * DAY)
    (alt,) = case.holding("alt")
    assert (
        last_and_next(case, alt, Test.LIVER)
        == "; last 160 U/L on Thursday 5 March 09:00; next due Saturday 7 March 09:00"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Test.LIVER, "; next due Tuesday 3 March 09:00"),
        (Test.COUNTS, "; next due Sunday 8 March 09:00"),
        (Test.EXAMINATION, "; next due Sunday 8 March 09:00"),
        (Test.ELECTROLYTES, "; due since Monday 2 March 15:00"),
        (Test.ECG, ""),
    ],
)
def test_each_kind_of_test_has_its_next_day(kind: Test, words: str) -> None:
    assert next_due_words(case_at(ChartBuilder().ready().dose(1, 1, D1), D1 + 7 * H), kind) == words


def test_before_the_first_dose_nothing_is_planned() -> None:
    case = case_at(ChartBuilder().ready(), D1)
    assert [next_due_words(case, kind) for kind in Test] == ["", "", "", "", ""]


def test_a_missing_panel_on_the_card_says_when_it_is_due() -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).examined(D8 - H)
    (alt,) = [f for f in PaperCourse(chart, D8).card.findings if f.subject == "alt"]
    assert alt.clears == "ALT measured again; due since Tuesday 3 March 09:00"
