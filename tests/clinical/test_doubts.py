"""PLAU-01, LAB-10, M.0: a result that others contradict opens nothing, and counts against a dose as if nobody doubted it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.assessment import Verdict
from models.facts import LabResult
from models.obligation_kinds import ObligationKind
from models.people import Role
from tests.factories import D1, PROTOCOLS, ChartBuilder, PaperCourse, standing_rules
from tests.scenarios import (
    DAY,
    HOUR,
    Story,
    after_transplant,
    charted,
    corrected_lab,
    day_8,
    first_dose,
    lab,
    next_cycle,
    steps,
    then,
)
from tests.unknowing import changed

ALL = pytest.mark.parametrize("protocol", PROTOCOLS)
ASCITES = {"kind": "vod_examination", "ascites": True, "ruq_pain": False, "hepatomegaly": False, "oedema": False}


def critical(course: PaperCourse) -> dict[str, str]:
    """What calls because of a value past its alert limit, and what is asked."""
    return {o.key: o.clears or "" for o in course.card.obligations if o.kind is ObligationKind.CRITICAL}


def torn(course: PaperCourse, fact: str, status: str, *, valued: bool = False) -> PaperCourse:
    """The same result came once more, and cannot be used."""
    result = next(f.what for f in course.chart.facts if f.id == fact)
    assert isinstance(result, LabResult)
    with course.charting() as chart:
        chart.add(changed(result, status, course.now, valued=valued), course.now, Role.LABORATORY)
    return course


def newest(course: PaperCourse) -> str:
    """The fact that came last."""
    return course.chart.facts[-1].id


# ── a doubted value counts against a dose ──────────────────────────────────────────────────────────────────────────


@ALL
@pytest.mark.parametrize("value", ["2.6", "2.9", "3.0", "3.1", "9", "30"])
def test_a_jump_upwards_never_holds_or_calls_less_than_a_smaller_one(protocol: str, value: str) -> None:
    """0.3 before it: from 3.0 on it is ten-fold, and waits for a person."""
    course = then(day_8(bilirubin="0.3"), lab("bilirubin", value))(protocol)
    doubted = float(value) >= 3
    assert {"NON-08", "NON-06"} <= set(standing_rules(course.card))
    assert ("PLAU-01" in standing_rules(course.card)) == doubted
    (words,) = critical(course).values()
    assert ("PLAU-01" in words) == doubted


@ALL
def test_after_a_transplant_a_doubted_bilirubin_is_a_sign_of_vod_and_stays_one_until_it_is_judged(
    protocol: str,
) -> None:
    story = after_transplant(10, bilirubin="0.3", kg="74", signs={"ascites": True})
    course = then(story, lab("bilirubin", "3.0"))(protocol)
    assert {"VOD-01", "VOD-02", "VOD-05"} <= set(standing_rules(course.card))
    (note,) = [f for f in course.card.findings if f.rule == "PLAU-01"]
    assert (note.verdict, "result_confirmed" in (note.clears or "")) == (None, True)
    assert list(critical(course)) == ["critical-bilirubin"]
    course = then(lambda _: course.later(hours=1), lab("bilirubin", "0.3", ago=HOUR / 2))(protocol)
    assert critical(course) == {}
    assert {"VOD-01", "VOD-02", "VOD-05"} <= set(standing_rules(course.card))


@ALL
def test_a_cell_count_above_all_white_cells_still_holds_where_it_is_low(protocol: str) -> None:
    course = then(next_cycle(), steps(lab("wbc", "0.3"), lab("anc", "0.4")))(protocol)
    assert {"HEM-01", "PLAU-01"} <= set(standing_rules(course.card))
    assert {"critical-anc", "critical-wbc"} <= set(critical(course))


@ALL
def test_a_doubted_value_opens_nothing_until_it_is_confirmed_and_then_it_does(protocol: str) -> None:
    story = then(day_8(bilirubin="8"), lab("bilirubin", "0.6"))
    course = story(protocol)
    assert {"NON-08", "PLAU-01"} <= set(standing_rules(course.card))
    charted({"kind": "result_confirmed", "target": newest(course)}, by=Role.NURSE)(course)
    assert standing_rules(course.card) == []


@ALL
def test_only_a_physician_dismisses_what_is_in_doubt(protocol: str) -> None:
    course = then(day_8(bilirubin="0.3"), lab("bilirubin", "9"))(protocol)
    fact = newest(course)
    refused = course.refused("resolve_unreadable", Role.NURSE, target=fact, outcome="dismissed", reason="a slip")
    assert refused.type == "RoleNotAllowed"
    course.does("resolve_unreadable", Role.PHYSICIAN, target=fact, outcome="dismissed", reason="another patient's")
    assert standing_rules(course.card) == []


# ── what casts doubt goes on casting it when it is torn ────────────────────────────────────────────────────────────

WAYS = [
    pytest.param(status, valued, id=f"{status}{'' if valued else ' without value'}")
    for status, valued in (("preliminary", True), ("preliminary", False), ("cancelled", False))
] + [pytest.param("entered-in-error", False, id="withdrawn")]
CAME_LATE: dict[str, tuple[Story, str, str, str]] = {
    "bilirubin on day 8": (day_8(), "bilirubin", "9", "NON-08"),
    "bilirubin before the first dose": (first_dose(), "bilirubin", "9", "NON-08"),
    "platelets before the next cycle": (next_cycle(), "platelets", "5", "HEM-03"),
}


@ALL
@pytest.mark.parametrize(("status", "valued"), WAYS)
@pytest.mark.parametrize("which", CAME_LATE)
def test_what_came_late_and_was_torn_still_holds_calls_and_casts_doubt(
    which: str, status: str, valued: bool, protocol: str
) -> None:
    story, analyte, value, rule = CAME_LATE[which]
    course = then(story, lab(analyte, value, ago=10 * HOUR))(protocol)
    fact = newest(course)
    for one in (course, torn(course, fact, status, valued=valued)):
        assert {rule, "PLAU-01"} <= set(standing_rules(one.card))
        assert list(critical(one)) == [f"critical-{analyte}"]


@ALL
@pytest.mark.parametrize(("status", "valued"), WAYS)
def test_white_cells_that_were_torn_still_contradict_the_neutrophils_of_their_draw(
    status: str, valued: bool, protocol: str
) -> None:
    course = then(next_cycle(), steps(lab("wbc", "0.8"), lab("anc", "1.5")))(protocol)
    torn(course, course.chart.facts[-2].id, status, valued=valued)
    assert ("PLAU-01", "anc") in {(f.rule, f.subject) for f in course.card.standing}
    charted({"kind": "result_confirmed", "target": course.chart.facts[-2].id}, by=Role.NURSE)(course)
    assert ("PLAU-01", "anc") not in {(f.rule, f.subject) for f in course.card.standing}


@ALL
@pytest.mark.parametrize("which", [0, 1])
def test_of_two_values_of_one_draw_the_other_waits_though_one_was_torn(which: int, protocol: str) -> None:
    course = day_8()(protocol)
    both: list[str] = []
    for code, value in (("1742-6", "300"), ("1743-4", "30")):
        with course.charting() as chart:
            what: dict[str, Any] = {"kind": "lab_result", "loinc": code, "value": value, "unit": "U/L", "uln": "40"}
            what |= {"collected_at": (course.now - HOUR).isoformat(), "status": "final", "sender": "lab-c"}
            what |= {"resource": f"r-{code}"}
            both.append(chart.add(what, course.now - HOUR, Role.LABORATORY, message="m-1"))
    torn(course, both[which], "entered-in-error")
    assert {"NON-08", "PLAU-01"} <= set(standing_rules(course.card))


@ALL
@pytest.mark.parametrize("how", ["a later value", "confirmed", "correct_fact"])
def test_a_later_value_or_a_person_ends_the_doubt_of_what_was_torn(how: str, protocol: str) -> None:
    course = then(day_8(bilirubin="0.5"), lab("bilirubin", "5", ago=10 * HOUR))(protocol)
    fact, doubted = newest(course), _collected(course, 3 * HOUR)
    torn(course, fact, "preliminary")
    assert {"NON-08", "PLAU-01"} <= set(standing_rules(course.card))
    if how == "a later value":
        lab("bilirubin", "0.6")(course)
    elif how == "confirmed":
        charted({"kind": "result_confirmed", "target": doubted}, by=Role.NURSE)(course)
    else:
        corrected_lab(course, "bilirubin", "0.5", course.now - 10 * HOUR)
    assert standing_rules(course.card) == []


def _collected(course: PaperCourse, ago: timedelta) -> str:
    at = course.now - ago
    return next(f.id for f in course.chart.facts if getattr(f.what, "loinc", None) == "1975-2" and f.at == at)


@ALL
@pytest.mark.parametrize(("status", "valued"), WAYS)
def test_a_late_value_that_called_and_was_torn_goes_on_calling(status: str, valued: bool, protocol: str) -> None:
    course = PaperCourse(ChartBuilder(protocol).ready().dose(1, 1, D1), D1 + DAY)
    lab("platelets", "30", ago=DAY + 5 * HOUR)(course)
    fact = newest(course)
    for one in (course, torn(course, fact, status, valued=valued)):
        assert "late-value-C1D1" in {o.key for o in one.card.obligations}


# ── without its laboratory's limits ────────────────────────────────────────────────────────────────────────────────

ODD_LIMITS: list[dict[str, Any]] = [
    {"uln": None, "lln": None},
    {"uln": Decimal(20), "lln": Decimal(5), "limit_unit": "umol/L"},
    {"uln": Decimal("0.4"), "lln": None},
    {"uln": Decimal(30), "lln": None},
]


@ALL
@pytest.mark.parametrize("limits", ODD_LIMITS, ids=str)
def test_a_bilirubin_without_a_limit_of_normal_counts_by_the_limits_that_need_none(
    limits: dict[str, Any], protocol: str
) -> None:
    story = after_transplant(10, bilirubin="1.5", kg="74", signs={"ascites": True})
    course = then(story, lab("bilirubin", "6", **limits))(protocol)
    assert {"VOD-01", "VOD-02", "VOD-03"} <= set(standing_rules(course.card))
    assert list(critical(course)) == ["critical-bilirubin"]
    (asked,) = {f.verdict for f in then(day_8(), lab("bilirubin", "6", **limits))(protocol).card.standing}
    assert asked is Verdict.NEED_DATA


@ALL
@pytest.mark.parametrize(("analyte", "value"), [("calcium", "5"), ("magnesium", "0.5")])
def test_an_electrolyte_without_a_limit_of_normal_calls_by_its_alert_limit(
    analyte: str, value: str, protocol: str
) -> None:
    course = then(day_8(), lab(analyte, value, lln=None, uln=None))(protocol)
    assert course.card.verdict is Verdict.NEED_DATA
    assert list(critical(course)) == [f"critical-{analyte}"]
