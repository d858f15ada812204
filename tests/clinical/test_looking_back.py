"""M.0, looking back: a value that was usable once and is not any more counts against a dose still, and never for one."""

from collections.abc import Iterator

import pytest

from checker.ignorance import known, lost, opened
from clinical.assess import assess
from models.facts import LabResult
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import LABEL, ChartBuilder, PaperCourse, a_lab, standing_rules
from tests.scenarios import MIN, Story, day, day_8, first_dose, lab, then
from tests.unknowing import RESTING_ON_WHAT_WAS, changed

RULES = load_protocol(LABEL)
ALT = {"resource": "lab|a1"}
AT = day(8) - 120 * MIN


def _each_result(course: PaperCourse) -> Iterator[LabResult]:
    """Every result of a chart, the first of its analytes as the last."""
    yield from (f.what for f in course.chart.facts if isinstance(f.what, LabResult))


@pytest.mark.parametrize("story", RESTING_ON_WHAT_WAS)
def test_whichever_result_can_be_used_no_more_what_stood_stands(story: Story) -> None:
    course = story(LABEL)
    before = known(assess(course.chart, RULES, course.now))
    for result in _each_result(course):
        builder = ChartBuilder()
        builder.add(changed(result, "preliminary", course.now), course.now, Role.LABORATORY, id="nothing")
        after = known(assess(course.chart.with_facts(*builder.facts), RULES, course.now))
        assert opened(before, after) == [], result
        assert lost(before, after) == [], result


@pytest.mark.parametrize("order", [(1, 2, 3), (1, 3, 2), (3, 1, 2), (2, 1, 3)], ids=str)
def test_a_withdrawal_takes_what_its_result_did_for_a_dose_in_any_order_of_arrival(order: tuple[int, ...]) -> None:
    """E1, LAB-09: 300, corrected to 30, entered in error: of the 30 nothing is left, and what the 300 raised stands."""
    said = {1: ("final", "300"), 2: ("corrected", "30"), 3: ("entered-in-error", None)}
    course = day_8()(LABEL)
    with course.charting() as chart:
        for place, version in enumerate(order):
            status, value = said[version]
            sent = a_lab("alt", "300", at=AT).model_dump(mode="json")
            sent |= {**ALT, "version": version, "status": status, "value": value}
            chart.add(sent, day(8) - (30 - place) * MIN, Role.LABORATORY)
    assert "NON-08" in standing_rules(course.card)


@pytest.mark.parametrize(("analyte", "value"), [("weight", "60"), ("height", "150")])
@pytest.mark.parametrize("story", [first_dose(), day_8()], ids=["first dose", "day 8"])
def test_a_measurement_that_is_taken_back_raises_no_dose(story: Story, analyte: str, value: str) -> None:
    course = then(story, lab(analyte, value))(LABEL)
    before = known(course.card)
    [result] = [
        r for r in _each_result(course) if r.display == analyte or (r.value is not None and str(r.value) == value)
    ]
    with course.charting() as chart:
        chart.add(changed(result, "entered-in-error", course.now), course.now, Role.LABORATORY)
    after = known(course.card)
    assert before.mg is not None
    assert opened(before, after) == []
    course.later(minutes=1)
    with course.charting() as chart:
        chart.result(analyte, value, course.now - MIN)
    assert known(course.card).mg == before.mg, "measured again"


def test_a_number_that_comes_again_with_another_analyte_settles_nothing() -> None:
    """LAB-08, M.0: a usable value of another analyte is none of this one; only what says that it corrects moves a result."""
    course = then(day_8(), lab("alt", "300", identifiers=("urn:lab|ord1",)))(LABEL)
    assert "NON-08" in standing_rules(course.card)
    lab("potassium", "4.1", identifiers=("urn:lab|ord1",))(course)
    assert "NON-08" in standing_rules(course.card)
    lab("alt", "30", ago=MIN)(course)
    assert standing_rules(course.card) == []


def test_a_card_says_of_a_value_that_it_was_taken_back_and_who_ends_what_it_raised() -> None:
    course = then(day_8(), lab("alt", "300"))(LABEL)
    result = next(r for r in _each_result(course) if str(r.value) == "300")
    with course.charting() as chart:
        chart.add(changed(result, "entered-in-error", course.now), course.now, Role.LABORATORY)
    [held] = [f for f in course.card.standing if f.rule == "NON-08"]
    shown = [value.value for value in held.inputs]
    assert "300 U/L (ULN 55), can be used no more" in shown
    assert len(shown) == len(set(shown))
    assert held.clears is not None
    assert "correct_fact" in held.clears
