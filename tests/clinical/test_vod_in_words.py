"""Each definition of VOD names its own criteria with date and value; what was not looked for is named; VOD-10a in children."""

from datetime import date, timedelta
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.vod.vod import answers
from clinical.vod.vod_signs import Signs
from models.assessment import Finding, Receipt, Verdict
from models.people import Role
from tests.factories import D1, PROTOCOLS, ChartBuilder, PaperCourse
from tests.scenarios import after_transplant

H, DAY = timedelta(hours=1), timedelta(days=1)
DAY_0 = D1 + 60 * DAY
NOW = DAY_0 + 10 * DAY
"""10:00 on 11 May 2026 in Berlin."""
NONE = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)
BORN = date(2019, 1, 15)


def transplanted(
    kg: str | None = "70", bilirubin: str | None = "0.6", looked: bool = True, /, **signs: Any
) -> PaperCourse:
    """Ten days after transplant an invented patient of 70 kg; two hours ago weighed and drawn, an hour ago examined."""
    person = {"birth_on": signs.pop("birth_on")} if "birth_on" in signs else {}
    chart = ChartBuilder(**person).ready().dose(1, 1, D1)
    chart.add({"kind": "weight", "kg": "70"}, DAY_0 - 10 * DAY)
    chart.add({"kind": "transplant", "transplanted_at": DAY_0}, DAY_0, Role.PHYSICIAN)
    if bilirubin is not None:
        chart.result("bilirubin", bilirubin, NOW - 2 * H)
    if kg is not None:
        chart.add({"kind": "weight", "kg": kg}, NOW - 2 * H)
    if looked:
        chart.add({"kind": "vod_examination", **NONE, **signs}, NOW - H, Role.PHYSICIAN)
    return PaperCourse(chart, NOW)


def said(course: PaperCourse, rule: str) -> str:
    return "; ".join(f.reason for f in course.card.findings if f.rule == rule)


def imaged(course: PaperCourse, **imaging: Any) -> PaperCourse:
    course.does("record_finding", Role.PHYSICIAN, finding={"kind": "imaging", **imaging})
    return course


# ── the criteria of that definition ────────────────────────────────────────────────────────────────────────────────

BILIRUBIN, ASCITES = "total bilirubin 2.4 mg/dL (11 May 2026 08:00)", "ascites (11 May 2026 09:00)"
GAIN = "weight 74.2 kg, 6.0 % above 70 kg (11 May 2026 08:00)"


@pytest.mark.parametrize(
    ("rule", "criteria"),
    [
        ("VOD-01", f"A2: VOD after modified Seattle is met: {BILIRUBIN}; {GAIN}"),
        ("VOD-02", f"A3: VOD after Baltimore is met: {BILIRUBIN}; {GAIN}; {ASCITES}"),
        ("VOD-11", f"A2: VOD after INO-VATE is met: {BILIRUBIN}; {ASCITES}; {GAIN}"),
    ],
)
def test_a_definition_names_its_own_criteria_with_date_and_value(rule: str, criteria: str) -> None:
    assert said(transplanted("74.2", "2.4", ascites=True), rule) == criteria


def test_a_weight_gain_of_exactly_5_per_cent_is_none_of_the_criteria_that_ask_for_more() -> None:
    course = imaged(transplanted("73.5", ascites=True), method="ultrasound", suggests_vod=True)
    assert "weight" not in said(course, "VOD-05")
    assert "ascites" in said(course, "VOD-05")


def test_a_bilirubin_that_rises_is_no_criterion_of_an_adult() -> None:
    course = transplanted("73.6", "1.6", ascites=True)
    assert course.card.verdict is Verdict.HOLD_URGENT
    assert not any("bilirubin" in f.reason for f in course.card.findings if f.rule.startswith("VOD-"))


@pytest.mark.parametrize(
    ("imaging", "words"),
    [
        ({"method": "histology", "suggests_vod": True}, "liver biopsy (11 May 2026 10:00)"),
        ({"method": "hvpg", "hvpg_mmhg": "12"}, "hepatic venous pressure gradient 12 mmHg (11 May 2026 10:00)"),
    ],
)
def test_tissue_and_pressure_keep_kind_and_date(imaging: dict[str, Any], words: str) -> None:
    course = imaged(transplanted(), **imaging)
    assert said(course, "VOD-07") == f"A4: VOD after EBMT 2023, proven is met: {words}"
    course.later(days=3).does("record_finding", Role.PHYSICIAN, finding={"kind": "weight", "kg": "70"})
    assert words in said(course, "VOD-07")


def test_what_was_met_and_is_no_longer_seen_says_so_with_what_it_was() -> None:
    course = transplanted("71.5", "2.4").later(hours=1)
    course.does("record_finding", Role.NURSE, finding={"kind": "weight", "kg": "70"})
    words = "was met, and nobody has judged it since: total bilirubin 2.4 mg/dL (11 May 2026 08:00); weight 71.5 kg"
    assert words in said(course, "VOD-01")


# ── what is not known ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("course", "missing"),
    [
        (transplanted("70", "1.0", True, ascites=None), "ascites"),
        (
            transplanted("70", "1.0", True, hepatomegaly=None, painful_hepatomegaly=None),
            "enlarged liver, painful enlarged liver",
        ),
        (
            transplanted("70", "1.0", False),
            "pain in the right upper abdomen, enlarged liver, painful enlarged liver, ascites",
        ),
    ],
    ids=["ascites", "liver size", "nothing looked for"],
)
def test_alert_09_names_each_sign_that_was_not_examined(course: PaperCourse, missing: str) -> None:
    assert said(course, "ALERT-09") == f"whether VOD is there cannot be told: {missing} not known, or not lately"


def test_alert_09_names_bilirubin_and_weight_too() -> None:
    words = said(transplanted("70", "1.0", True).later(days=4), "ALERT-09")
    assert "ascites, total bilirubin, weight not known, or not lately" in words


def test_a_bilirubin_that_cannot_be_used_is_not_known() -> None:
    course = transplanted("73.6", "0.6")
    with course.charting() as chart:
        chart.result("bilirubin", "0.6", course.now, status="preliminary")
    assert "total bilirubin" in said(course, "ALERT-09")


# ── children (VOD-10a) ─────────────────────────────────────────────────────────────────────────────────────────────


def daily(*values: str | None, born: date = BORN, before: str | None = "0.6") -> PaperCourse:
    """A big liver, and a bilirubin on each of the days up to now; a week before them one of 0.6 mg/dL."""
    course = transplanted("70", None, True, hepatomegaly=True, birth_on=born)
    first = NOW - (len(values) - 1) * DAY - 2 * H
    with course.charting() as chart:
        chart.facts = [f for f in chart.facts if getattr(f.what, "loinc", None) != "1975-2"]
        if before is not None:
            chart.result("bilirubin", before, first - 7 * DAY)
        for i, value in enumerate(values):
            if value is not None:
                chart.result("bilirubin", value, first + i * DAY)
    return course


@pytest.mark.parametrize(
    ("course", "met"),
    [
        (daily("0.8", "1.0", "1.3"), True),
        (daily("0.6", "0.8", "1.0", "1.3"), True),
        (daily("0.6", "1.0", "1.3"), False),  # two rises
        (daily("1.0", "1.3"), False),
        (daily("0.8", "1.0", "1.0"), False),
        (daily("0.8", "1.3", "1.0"), False),
        (daily("0.8", None, "1.0", "1.3"), False),  # no three days in a row
        (daily("0.7", "0.8", "0.9", before=None), True),
        (daily("1.988"), True),  # 34 umol/L
        (daily("1.987"), False),
        (daily("0.8", "1.0", "1.3", born=date(1981, 1, 15)), False),
    ],
    ids=[
        "three",
        "from a plateau",
        "two",
        "two values",
        "a plateau",
        "a fall",
        "a gap",
        "no value before",
        "34",
        "below",
        "adult",
    ],
)
def test_in_a_child_bilirubin_counts_from_34_umol_or_when_it_rose_on_three_days(course: PaperCourse, met: bool) -> None:
    assert bool(answers(Signs(Case(course.chart, course.protocol, course.now)))["VOD-10"].answer) is met
    assert (course.card.verdict is Verdict.HOLD_URGENT) is met


def test_the_rise_is_named_with_its_values() -> None:
    words = "total bilirubin rising on 3 days: 0.8 mg/dL, 1.0 mg/dL, 1.3 mg/dL (11 May 2026 08:00)"
    assert words in said(daily("0.8", "1.0", "1.3"), "VOD-10")


def test_of_a_day_the_highest_bilirubin_counts() -> None:
    course = daily("0.8", "1.0", "1.3")
    with course.charting() as chart:
        chart.result("bilirubin", "0.9", course.now - H)
    assert course.card.verdict is Verdict.HOLD_URGENT


def test_a_rise_that_was_excluded_is_open_again_when_bilirubin_is_higher_still() -> None:
    course = daily("0.8", "1.0", "1.3")
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="haemolysis")
    course.later(days=1)
    for value, opens in (("1.3", False), ("1.4", True)):
        with course.charting() as chart:
            chart.result("bilirubin", value, course.now)
        assert (course.card.verdict is Verdict.HOLD_URGENT) is opens
        course.later(days=1)


def asked(course: PaperCourse) -> list[Finding]:
    return [f for f in course.card.findings if f.rule == "MON-15" and f.verdict is Verdict.NEED_DATA]


@pytest.mark.parametrize("missing", ["refractory_thrombocytopenia", "weight_gain_despite_diuretics"])
def test_before_a_dose_a_child_is_examined_for_what_its_definition_asks(missing: str) -> None:
    chart = ChartBuilder(birth_on=BORN).ready()
    looked = {**NONE, "refractory_thrombocytopenia": False, "weight_gain_despite_diuretics": False}
    chart.add({"kind": "vod_examination", **looked}, D1 - H / 2, Role.PHYSICIAN)
    assert asked(PaperCourse(chart, D1)) == []
    chart.add({"kind": "vod_examination", **looked, missing: None}, D1 - H / 4, Role.PHYSICIAN)
    (finding,) = asked(PaperCourse(chart, D1))
    assert finding.reason.startswith("not examined: ")
    adult = ChartBuilder().ready()
    adult.add({"kind": "vod_examination", **NONE}, D1 - H / 4, Role.PHYSICIAN)
    assert asked(PaperCourse(adult, D1)) == []


# ── after VOD was confirmed ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_after_a_confirmed_vod_no_row_asks_to_confirm_it_and_a_later_exclusion_says_that_the_stop_stands(
    protocol: str,
) -> None:
    signs = {"ascites": True, "painful_hepatomegaly": True}
    course = after_transplant(10, bilirubin="3.0", kg="77", signs=signs)(protocol)
    assert {f.clears for f in rows(course)} == {
        "judge_vod by a physician: excluded with the other cause, resolved, or confirmed"
    }
    confirmed = course.does("judge_vod", Role.PHYSICIAN, judgement="confirmed", evidence="ultrasound")
    assert rows(course)
    assert all("confirmed" not in (f.clears or "") and "stays stopped" in (f.clears or "") for f in rows(course))
    course.later(minutes=5).does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="sepsis")
    card = course.card
    assert card.verdict is Verdict.DISCONTINUED
    (stop,) = [f for f in card.findings if f.rule == "NON-01" and f.verdict is Verdict.DISCONTINUED]
    assert "the stop stands (COR-02)" in stop.reason
    assert (stop.clears or "").startswith(f"correct_fact of {confirmed.id}")
    assert "the stop stands (COR-02)" in Receipt.of("m", 1, card).sentence


def rows(course: PaperCourse) -> list[Finding]:
    return [f for f in course.card.findings if f.rule.startswith("VOD-") and f.verdict is Verdict.HOLD_URGENT]
