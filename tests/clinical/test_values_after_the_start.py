"""A value of before a dose that comes, or is corrected, after its start and would have closed its gate calls (LAB-07, COR-01)."""

from datetime import timedelta
from typing import Any

import pytest

from clinical.decide import decide
from models.assessment import Obligation
from models.carried import DecideRequest, Decision
from models.facts import Fact, ObligationMet, RungFired
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab

MIN = timedelta(minutes=1)
KEY = "late-value-C1D1"


def running(**values: str) -> PaperCourse:
    """The infusion of C1D1 has run for twenty minutes; its laboratory values were drawn two hours before it."""
    course = PaperCourse(ChartBuilder().ready(D1, **values), D1 - 40 * MIN)
    course.ready_to_start().started()
    return course.later(minutes=20)


def came(course: PaperCourse, analyte: str, value: str, **changes: Any) -> Fact:
    """A further result of the draw before the dose, sent now."""
    with course.charting() as builder:
        drawn = {"at": D1 - timedelta(hours=2), "accession": "a-1", **changes}
        builder.add(a_lab(analyte, value, **drawn), course.now, Role.LABORATORY)
    return course.chart.facts[-1]


def call(course: PaperCourse) -> Obligation | None:
    return next((o for o in course.card.obligations if o.key == KEY), None)


def decided(course: PaperCourse) -> Decision:
    request = DecideRequest(chart=course.chart, now=course.now)
    return decide(request, load_protocol(LABEL), "test")


def test_a_corrected_value_that_closes_the_gate_of_a_running_dose_calls_the_prescriber_at_once() -> None:
    course = running()
    assert call(course) is None
    came(course, "alt", "300", status="corrected")
    found = call(course)
    assert found is not None
    assert (found.owner, found.due_at, found.standing) == (Role.PRESCRIBER, course.now, "due")
    assert found.overdue_at == course.now + 30 * MIN
    assert found.title == "a value of before C1D1 that came after its start would have closed its gate"
    fired = [f.what.obligation for f in decided(course).facts if isinstance(f.what, RungFired)]
    assert KEY in fired


def test_a_charted_fact_that_is_corrected_calls_too() -> None:
    course = running()
    weight = next(f for f in course.chart.facts if f.what.kind == "eligibility")
    wrong = {
        "kind": "eligibility",
        "cd22_positive": False,
        "b_cell_precursor_all": True,
        "relapsed_or_refractory": True,
    }
    replaced = {**wrong, "method": "flow cytometry"}
    course.does("correct_fact", Role.PRESCRIBER, target=weight.id, replacement=replaced, reason="misread")
    found = call(course)
    assert found is not None
    assert found.rule == "ELIG-01"


@pytest.mark.parametrize(("analyte", "value"), [("alt", "40"), ("bilirubin", "0.7"), ("platelets", "150")])
def test_a_value_that_leaves_the_gate_open_calls_nobody(analyte: str, value: str) -> None:
    course = running()
    came(course, analyte, value, status="corrected")
    assert call(course) is None


def test_a_value_drawn_after_the_start_is_of_the_next_dose() -> None:
    course = running()
    came(course, "alt", "300", at=course.now - MIN, accession="a-2")
    assert call(course) is None


def test_a_value_that_was_there_before_the_start_calls_nobody() -> None:
    course = running()
    with course.charting() as builder:
        early = a_lab("alt", "300", at=D1 - timedelta(hours=2), status="corrected", accession="a-1")
        builder.add(early, D1 - timedelta(hours=1), Role.LABORATORY)
    assert call(course) is None


def test_what_is_corrected_back_calls_no_more() -> None:
    course = running()
    came(course, "alt", "300", status="corrected")
    assert call(course) is not None
    course.later(minutes=1)
    came(course, "alt", "38", status="corrected", issued_at=course.now)
    assert call(course) is None


def test_only_a_physicians_answer_ends_the_call() -> None:
    course = running()
    came(course, "alt", "300", status="corrected")
    for fact in decided(course).facts:
        course.chart = course.chart.with_facts(fact)
    course.later(minutes=2).does("interrupt_infusion", Role.NURSE)
    assert call(course) is not None
    course.later(minutes=2).does("hold", Role.PRESCRIBER, reason="ALT corrected to 300")
    assert call(course) is None
    met = [f.what for f in decided(course).facts if isinstance(f.what, ObligationMet) and f.what.obligation == KEY]
    assert [one.why for one in met] == ["a physician answered"]


def test_a_value_that_is_corrected_to_after_the_start_is_none_of_before() -> None:
    course = running()
    with course.charting() as builder:
        at = {"recorded_at": course.now - MIN}
        wrong = builder.add(
            a_lab("alt", "38", at=D1 - timedelta(days=1), accession="a-9"),
            D1 - timedelta(days=1),
            Role.LABORATORY,
            **at,
        )
        right = a_lab("alt", "38", at=course.now - MIN, accession="a-9").model_dump(mode="json")
        correction = {"kind": "correction", "target": wrong, "replacement": right, "reason": "another day's"}
        builder.add(correction, course.now - MIN, Role.PHYSICIAN, **at)
    assert call(course) is None


def test_a_dose_given_elsewhere_had_no_gate_here() -> None:
    builder = ChartBuilder().ready()
    builder.add({"kind": "administration", "cycle": 1, "day": 1, "mg": "0.9"}, D1)
    course = PaperCourse(builder, D1 + 20 * MIN)
    came(course, "alt", "300", status="corrected")
    assert call(course) is None
