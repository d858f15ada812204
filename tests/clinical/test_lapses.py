"""A signature that lapsed stays lapsed, whatever is taken back, dismissed or corrected afterwards (E1)."""

from collections.abc import Callable

import pytest

from models.assessment import Verdict
from models.people import Role
from tests.factories import LABEL, PaperCourse
from tests.further.language import sends, taken_back
from tests.scenarios import MIN, SECOND, day_8


def _taken_back(analyte: str, value: str, **changes: str) -> Callable[[PaperCourse], None]:
    def steps(course: PaperCourse) -> None:
        sends(analyte, value, ago=MIN, accession="a-9", **changes)(course)
        taken_back(analyte)(course)

    return steps


def _dismissed(course: PaperCourse) -> None:
    """A result that nobody can use comes, and a physician sets it aside."""
    sends("haemoglobin", "9", ago=MIN, status="preliminary")(course)
    course.does(
        "resolve_unreadable", Role.PHYSICIAN, target=course.chart.facts[-1].id, outcome="dismissed", reason="invented"
    )


def _corrected(course: PaperCourse) -> None:
    """A weight that gives another dose, and the word that it was another patient's."""
    with course.charting() as chart:
        chart.add({"kind": "weight", "kg": "55"}, course.now - SECOND, Role.NURSE)
    with course.charting() as chart:
        wrong = {"kind": "correction", "target": course.chart.facts[-1].id, "reason": "another patient's"}
        chart.add(wrong, course.now, Role.PHYSICIAN)


@pytest.mark.parametrize(
    "come_and_gone",
    [
        _taken_back("haemoglobin", "6"),
        _taken_back("haemoglobin", "10"),
        _taken_back("platelets", "150"),
        _taken_back("platelets", "90", sender="lab-b"),
        _dismissed,
        _corrected,
    ],
    ids=["a low result", "a harmless result", "another analyte", "of another laboratory", "dismissed", "corrected"],
)
def test_a_signature_that_lapsed_does_not_come_back(
    come_and_gone: Callable[[PaperCourse], None],
) -> None:
    course = day_8()(LABEL)
    course.ready_to_start(1, 8).later(minutes=5)
    assert course.card.verdict is Verdict.MAY_START
    come_and_gone(course)
    assert course.card.verdict is not Verdict.MAY_START
    assert not course.card.signatures


def test_a_new_signature_counts_after_one_that_lapsed() -> None:
    course = day_8()(LABEL)
    course.ready_to_start(1, 8).later(minutes=5)
    _corrected(course)
    assert not course.card.signatures
    course.authorised(1, 8)
    assert len(course.card.signatures) == 2
