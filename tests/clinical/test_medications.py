"""Other drugs the patient takes: what was true last counts, in whatever order it was told (LAB-04, QT-04, MON-06, RISK-04)."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from tests.factories import D1, ChartBuilder, PaperCourse

H, DAY = timedelta(hours=1), timedelta(days=1)


def told(*said: tuple[str, str, timedelta], **effects: Any) -> PaperCourse:
    """A course after its first dose, an hour later; each drug with its action and when, before `D1`."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    for drug, action, before in said:
        chart.add({"kind": "medication", "drug": drug, "action": action, **effects}, D1 - before)
    return PaperCourse(chart, D1 + 2 * H)


def questions_of(course: PaperCourse) -> set[str]:
    """Which of the three rules on other drugs speak: a note, a factor, an open obligation."""
    card = course.card
    found = {f.rule for f in card.findings if f.rule == "QT-04"}
    found |= {f.rule for f in card.findings if f.rule == "RISK-04" and "hepatotoxic" in f.reason}
    return found | {o.rule for o in card.obligations if o.key.startswith("ecg-after-")}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_the_last_word_in_time_counts_in_every_order_of_arrival(order: tuple[int, ...]) -> None:
    said = (("Ondansetron", "started", 9 * H), ("ondansetron ", "stopped", 6 * H), ("ondansetron", "started", 3 * H))
    course = told(*(said[i] for i in order), qt_prolonging=True)
    assert questions_of(course) >= {"QT-04", "MON-06"}
    ended = (*said[:2], ("ondansetron", "stopped", 2 * H))
    assert not questions_of(told(*(ended[i] for i in order), qt_prolonging=True)) & {"QT-04", "MON-06"}


@pytest.mark.parametrize("late_first", [False, True])
def test_silence_on_an_effect_takes_back_nothing_that_was_said_of_it(late_first: bool) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    known = ({"kind": "medication", "drug": "ondansetron", "qt_prolonging": True}, D1 - 3 * H)
    silent = ({"kind": "medication", "drug": "ondansetron"}, D1 - H)
    for body, at in (silent, known) if late_first else (known, silent):
        chart.add(body, at)
    assert questions_of(PaperCourse(chart, D1 + 2 * H)) >= {"QT-04", "MON-06"}
    chart.add({"kind": "medication", "drug": "ondansetron", "qt_prolonging": False}, D1)
    assert not questions_of(PaperCourse(chart, D1 + 2 * H)) & {"QT-04", "MON-06"}
