"""CT-28: two people say that a high lipase or amylase goes without symptoms; it stands for that value. CYT-05: a prompt."""

from typing import Any

import pytest

from models.assessment import Finding
from models.facts import Fact
from models.people import Role
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse
from tests.scenarios import MIN, day_8, first_dose, lab

HIGH = {"lipase": "150", "amylase": "250", "creatinine": "4.2", "alt": "300"}
"""Between 2 and 5 times the ULN (ALT and creatinine: of grade 3 as well)."""


def held(course: PaperCourse, subject: str = "lipase") -> Finding:
    return next(f for f in course.card.standing if f.rule == "NON-06" and f.subject == subject and "CTCAE" in f.reason)


def says(course: PaperCourse, term: str = "lipase", grade: int = 2, by: Any = Role.PHYSICIAN, **more: Any) -> Fact:
    said = {"kind": "toxicity", "term": term, "grade": grade, "reason": "no pain, eats well", **more}
    return course.does("record_finding", by, finding=said)


def confirmed(course: PaperCourse, fact: Fact, by: Any = Role.PHARMACIST) -> None:
    course.later(minutes=1).does("countersign", by, target=fact.id)


def day_8_with(**values: str) -> PaperCourse:
    return day_8(**values)(LABEL)


@pytest.mark.parametrize("analyte", ["lipase", "amylase"])
@pytest.mark.parametrize("term", ["{}", " {} "])
def test_two_people_lower_it_by_the_symptoms_and_it_may_be_set_aside_as_grade_2(analyte: str, term: str) -> None:
    course = day_8_with(**{analyte: HIGH[analyte]})
    assert held(course, analyte).override == "never"
    said = says(course, term.format(analyte.upper()))
    assert held(course, analyte).override == "never"
    assert f"countersign {said.id}" in held(course, analyte).reason
    confirmed(course, said)
    found = held(course, analyte)
    assert found.override == "prescriber_and_second_person"
    assert "grade 2" in found.reason
    assert "without symptoms, say physician:physician-1 and pharmacist:pharmacist-1: no pain, eats well" in found.reason


def test_above_five_times_it_is_grade_3_in_place_of_4_and_nobody_sets_it_aside() -> None:
    course = day_8_with(lipase="400")
    confirmed(course, says(course, grade=3))
    assert (held(course).override, "grade 3" in held(course).reason) == ("never", True)


@pytest.mark.parametrize(("analyte", "grade"), [("creatinine", 2), ("alt", 2), ("lipase", 1), ("lipase", 0)], ids=str)
def test_nothing_else_is_lowered(analyte: str, grade: int) -> None:
    course = day_8_with(**{analyte: HIGH[analyte]})
    before = held(course, analyte)
    said = says(course, analyte, grade)
    course.judged("countersign", Role.PHARMACIST, target=said.id)
    found = [
        f for f in course.card.standing if f.rule == "NON-06" and f.subject == analyte and f.inputs == before.inputs
    ]
    assert [(f.override, f.reason) for f in found] == [("never", before.reason)]


@pytest.mark.parametrize("said", [{"by": Role.NURSE}, {"reason": None}, {"term": "abdominal pain"}], ids=str)
def test_a_grade_without_a_physician_a_reason_or_the_test_lowers_nothing(said: dict[str, Any]) -> None:
    course = day_8_with(lipase=HIGH["lipase"])
    fact = says(course, **said)
    assert course.refused("countersign", Role.PHARMACIST, target=fact.id).type == "NothingToCountersign"
    assert "never" in {f.override for f in course.card.standing if f.rule == "NON-06"}


def test_the_same_person_is_no_second_one() -> None:
    course = day_8_with(lipase=HIGH["lipase"])
    said = says(course)
    assert course.refused("countersign", Role.PHYSICIAN, target=said.id).type == "SecondPersonRequired"
    confirmed(course, said, Role.PRESCRIBER)
    assert held(course).override == "prescriber_and_second_person"


@pytest.mark.parametrize("value", ["151", "149", "150"])
def test_a_further_value_asks_again(value: str) -> None:
    course = day_8_with(lipase=HIGH["lipase"])
    confirmed(course, says(course))
    lab("lipase", value, ago=MIN)(course.later(minutes=30))
    assert "never" in {f.override for f in course.card.standing if f.rule == "NON-06"}


# ── CYT-05 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("blasts", "asked"), [("0", False), ("0.1", True), ("10", True), ("10.1", False)])
def test_any_blasts_within_the_target_prompt_for_cytoreduction_and_hold_nothing(blasts: str, asked: bool) -> None:
    """CYT-05: the article asks for cytoreduction of any circulating lymphoblasts."""
    card = first_dose(blasts=blasts, blasts_percent="0")(LABEL).card
    said = [f for f in card.findings if f.rule == "CYT-01"]
    assert [f.verdict for f in said] == [None] * asked


@pytest.mark.parametrize("days", [0, 6, 7, 8, 40])
def test_cytoreduction_that_lasts_too_long_still_holds_and_calls_besides(days: int) -> None:
    course = first_dose(blasts="25")(LABEL)
    course.does("record_cytoreduction", Role.NURSE, agent="hydroxyurea")
    course.later(days=days)
    assert "CYT-02" in {f.rule for f in course.card.standing}
    call = next(o for o in course.card.obligations if o.rule == "CYT-05")
    assert (call.standing == "coming") == (days < 7)


def test_the_prompt_is_for_the_first_dose_only() -> None:
    chart = ChartBuilder().ready(blasts="5").dose(1, 1, D1)
    assert not [f for f in PaperCourse(chart, D1 + 30 * MIN).card.findings if f.rule == "CYT-01"]
