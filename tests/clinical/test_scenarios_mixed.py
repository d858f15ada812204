"""Scenarios in which two clauses meet, and clauses that few patients reach; worked from the clinical reference alone.

Each row names the clauses that decide it. As in part I a row holds under every protocol that it names.
"""

from datetime import timedelta
from typing import Any

import pytest

from models.assessment import Assessment, CourseState, Verdict
from models.people import Role
from tests.factories import D1, EU, LABEL, ChartBuilder, PaperCourse
from tests.scenarios import (
    DAY,
    FULL_FIRST,
    HALF,
    HOUR,
    LIVER,
    MIN,
    NO_SIGN,
    Dose,
    Row,
    Story,
    cases,
    charted,
    day,
    day_8,
    day_15,
    decides,
    first_dose,
    lab,
    name_of,
    next_cycle,
    said,
    says,
    steps,
    then,
    x_uln,
)

TWO_HIGH = {"bilirubin": x_uln("bilirubin", "1.7"), "alt": x_uln("alt", "3")}
REDUCED = Dose("0.375", "0.68", "2.72", 1, "L1")
ONE_LINEAGE_LOW = {"anc": "2.0", "platelets": "30"}
CALM = {"kind": "infection_bleeding", "temperature_c": "36.9", "infection": False, "active_bleeding": False}


def examined(*, ago: timedelta = MIN, **signs: bool) -> Any:
    """One more examination for signs of VOD."""
    return charted({"kind": "vod_examination", **NO_SIGN, **signs}, ago=ago)


def toxicity(term: str, grade: int, *, ago: timedelta = HOUR, by: Role = Role.PHYSICIAN, **more: Any) -> Any:
    """A toxicity that a clinician graded."""
    return charted({"kind": "toxicity", "term": term, "grade": grade, **more}, ago=ago, by=by)


def warm(celsius: str, *, ago: timedelta = MIN) -> Any:
    """A temperature among the vital signs."""
    return charted({"kind": "vital_signs", "temperature_c": celsius}, ago=ago, by=Role.NURSE)


def held_then(on: int, *, recovered: int | None = None, response: str = "CR", **now: str) -> Story:
    """Day 8 held by NON-02; recovered on a day of the course (or only now), asked for on another."""
    at = day(on)

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1).ready_again(day(8), **TWO_HIGH)
        if recovered is not None:
            chart.labs(day(recovered) - 3 * HOUR, *LIVER)
        chart.ready_for_cycle(at, response, **now)
        return PaperCourse(chart, at)

    return story


def gilbert_over_time(first: dict[str, str], later: dict[str, str]) -> Story:
    """Gilbert syndrome documented; one panel before day 8, another before day 15, each with its direct bilirubin."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
        chart.add({"kind": "bilirubin_cause", "cause": "gilbert"}, day(2), Role.PHYSICIAN)
        chart.ready_again(day(8), **first).dose(1, 8, day(8)).ready_again(day(15), **later)
        return PaperCourse(chart, day(15))

    return story


def third_cycle(baseline: dict[str, str], second: dict[str, str], third: dict[str, str]) -> Story:
    """Counts before treatment, at day 1 of cycle 2 and at day 1 of cycle 3."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready(**baseline).cycle(1, D1).ready_for_cycle(day(29), **second)
        chart.cycle(2, day(29)).ready_for_cycle(day(57), "CR", 2, **third)
        return PaperCourse(chart, day(57))

    return story


def of_child_bearing_potential(story: Story, tested: str | None = "negative") -> Story:
    """The same patient could bear a child; her last pregnancy test was four days ago."""

    def longer(protocol: str) -> PaperCourse:
        course = story(protocol)
        could = course.chart.course.model_copy(update={"child_bearing_potential": True})
        course.chart = course.chart.model_copy(update={"course": could})
        if tested is not None:
            charted({"kind": "pregnancy_test", "result": tested}, ago=4 * DAY)(course)
        return course

    return longer


def hcg(value: str, ago: timedelta = HOUR) -> Any:
    """A laboratory's hCG."""
    sent = {"kind": "lab_result", "loinc": "21198-7", "value": value, "unit": "m[IU]/mL", "status": "final"}

    def step(course: PaperCourse) -> None:
        collected = {"collected_at": (course.now - ago).isoformat(), "sender": "lab-a"}
        charted({**sent, **collected}, ago=ago, by=Role.LABORATORY)(course)

    return step


def no_watch(card: Assessment) -> None:
    assert not said(card, "ALERT-01")


ROWS = (
    # ── the ladder of interruptions with levels and counts ────────────────────────────────────────────────────────
    Row(
        "Y-01 DUR-03 DOSE-02",
        "day 8 held for exactly 14 days, complete remission: cycle 2 at 0.375 mg/m²",
        held_then(22),
        Verdict.MAY_AUTHORISE,
        ("DUR-03",),
        dose=REDUCED,
        next_dose="C2D1",
        protocols=(LABEL, EU),
    ),
    Row(
        "Y-02 DUR-06 DUR-09",
        "recovered after 13 days, asked for after 14: the sample stops the clock, no reduction",
        held_then(22, recovered=21),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
        protocols=(LABEL, EU),
    ),
    Row(
        "Y-03 DUR-03 HEM-01",
        "a due reduction and ANC 0.9 at day 1: held by the count, the level stands on the card",
        held_then(29, recovered=22, anc="0.9"),
        Verdict.HOLD,
        ("HEM-01", "DUR-03"),
        dose=REDUCED,
    ),
    Row(
        "Y-04 DUR-05 HEM-03",
        "29 days and platelets 40: the proposal to stop is graver than the count",
        held_then(37, platelets="40"),
        Verdict.PROPOSE_DISCONTINUE,
        ("DUR-05", "HEM-03"),
    ),
    Row(
        "Y-05 DUR-02 DAY-06",
        "held for 11 days: day 8 and the day 15 that missed its own window are both left out",
        held_then(29, recovered=19),
        Verdict.MAY_AUTHORISE,
        ("DUR-02",),
        dose=HALF,
        next_dose="C2D1",
    ),
    Row(
        "Y-06 NON-02",
        "bilirubin has come back, ALT has not: NON-02 stands, nobody releases it",
        then(day_8(12, alt=x_uln("alt", "3")), charted({"kind": "height", "cm": "170"})),
        Verdict.HOLD,
        ("NON-08",),
        silent=("NON-02",),
    ),
    Row(
        "Y-07 NON-02",
        "the same after a panel with both high",
        held_then(12, alt=x_uln("alt", "3")),
        Verdict.HOLD,
        ("NON-02",),
        silent=("NON-08",),
    ),
    Row(
        "Y-08 MON-16 DAY-06 DUR-09",
        "an infection is over after 8 days, says a physician: the prescriber decides, the dose is not left out and not reduced",
        then(day_8(16), steps(charted({**CALM, "infection": True}, ago=8 * DAY), charted(CALM))),
        Verdict.DELAYED,
        ("DAY-06",),
        dose=HALF,
        next_dose="C1D8",
    ),
    # ── toxicity in a clinician's words ───────────────────────────────────────────────────────────────────────────
    Row(
        "Y-09 NON-10 MOD-G-01",
        "neutropenia of grade 4 charted as a toxicity at day 8: counts never hold inside a cycle",
        then(day_8(anc="0.2"), toxicity("Neutrophil count  decreased", 4, attributed_to_ino=True)),
        Verdict.MAY_AUTHORISE,
        ("MOD-G-01",),
        dose=HALF,
        silent=("NON-06",),
    ),
    Row(
        "Y-10 NON-10 DUR-09",
        "thrombocytopenia of grade 4 from day 8 to day 29: no interruption, no reduction",
        then(next_cycle(), toxicity("Thrombocytopenia", 4, ago=21 * DAY)),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "Y-11 NON-06",
        "febrile neutropenia of grade 3 is an infection, not a count: hold",
        then(day_8(), toxicity("Febrile neutropenia", 3)),
        Verdict.HOLD,
        ("NON-06",),
    ),
    Row(
        "Y-12 NON-06",
        "neuropathy of grade 2 before the first dose is not due to the drug",
        then(first_dose(), toxicity("Neuropathy", 2, ago=2 * DAY)),
        Verdict.MAY_AUTHORISE,
        silent=("NON-06",),
    ),
    Row(
        "Y-13 NON-06",
        "still of grade 2 at day 8: its grade before treatment",
        then(day_8(), steps(toxicity("Neuropathy", 2, ago=8 * DAY), toxicity("neuropathy ", 2))),
        Verdict.MAY_AUTHORISE,
        silent=("NON-06",),
    ),
    Row(
        "Y-14 NON-06",
        "of grade 3 at day 8, of grade 2 before treatment: hold until grade 2",
        then(day_8(), steps(toxicity("Neuropathy", 2, ago=8 * DAY), toxicity("neuropathy", 3))),
        Verdict.HOLD,
        ("NON-06",),
        also=says("NON-06", "grade <= 2"),
    ),
    Row(
        "Y-15 NON-06",
        "a mucositis that was typed in two ways is one, and is over",
        then(day_8(), steps(toxicity("Mucositis", 2, ago=2 * DAY), toxicity(" mucositis", 0))),
        Verdict.MAY_AUTHORISE,
    ),
    # ── infection, pregnancy ──────────────────────────────────────────────────────────────────────────────────────
    Row(
        "Y-16 MON-16",
        "38.0 °C among the vital signs after the check: hold",
        then(day_8(), warm("38.0")),
        Verdict.HOLD,
        ("MON-16",),
        also=says("MON-16", "38.0 °C"),
    ),
    Row("Y-17 MON-16", "37.9 °C is no fever", then(day_8(), warm("37.9")), Verdict.MAY_AUTHORISE),
    Row(
        "Y-18 MON-16",
        "the fever is older than the check",
        then(day_8(), warm("39.1", ago=2 * HOUR)),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "Y-19 MON-16",
        "looked at again after the fever: give",
        then(day_8(), steps(warm("39.1", ago=30 * MIN), charted(CALM))),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "Y-20 MON-16",
        "a thermometer that reports by itself counts too",
        then(
            day_8(),
            charted(
                {
                    "kind": "lab_result",
                    "loinc": "8310-5",
                    "value": "38.4",
                    "unit": "Cel",
                    "collected_at": (day(8) - MIN).isoformat(),
                    "status": "final",
                    "sender": "ward",
                },
                by=Role.LABORATORY,
            ),
        ),
        Verdict.HOLD,
        ("MON-16",),
    ),
    Row(
        "Y-21 MON-11",
        "an hCG without its laboratory's limit came after the negative test",
        then(of_child_bearing_potential(first_dose()), hcg("1200")),
        Verdict.NEED_DATA,
        ("MON-11",),
        also=says("MON-11", "hCG 1200", "pregnancy test"),
    ),
    Row(
        "Y-22 MON-11 DATA-01",
        "an hCG that is older than the test was read by whoever charted the test",
        then(of_child_bearing_potential(first_dose()), hcg("2", ago=5 * DAY)),
        Verdict.MAY_AUTHORISE,
        dose={LABEL: FULL_FIRST, EU: FULL_FIRST},
    ),
    Row(
        "Y-23 MON-11 CYT-02",
        "a positive test is graver than a blast count",
        of_child_bearing_potential(first_dose(wbc="80", blasts_percent="50"), "positive"),
        Verdict.HOLD,
        ("MON-11", "CYT-02"),
    ),
    # ── Gilbert syndrome ──────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "Y-24 NON-11",
        "bilirubin rises further, direct still at its ULN, ALT normal: the exemption holds, the watch stays",
        gilbert_over_time(
            {"bilirubin": "2.64", "bilirubin_direct": "0.2"}, {"bilirubin": "3.2", "bilirubin_direct": "0.3"}
        ),
        Verdict.MAY_AUTHORISE,
        ("NON-11", "ALERT-01", "CRIT-01"),
        dose=HALF,
    ),
    Row(
        "Y-25 NON-11",
        "ALT at its ULN and higher than in the exempted panel: not above the ULN, the exemption holds",
        gilbert_over_time(
            {"bilirubin": "2.64", "bilirubin_direct": "0.2"},
            {"bilirubin": "2.64", "bilirubin_direct": "0.2", "alt": "55"},
        ),
        Verdict.MAY_AUTHORISE,
        ("NON-11",),
    ),
    Row(
        "Y-26 NON-11 NON-08",
        "ALT above its ULN and rising: the exemption lapses",
        gilbert_over_time(
            {"bilirubin": "2.64", "bilirubin_direct": "0.2"},
            {"bilirubin": "2.64", "bilirubin_direct": "0.2", "alt": "56"},
        ),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Row(
        "Y-27 NON-11 NON-02",
        "exempt bilirubin and ALT 3 x ULN: the bilirubin limb is out, ALT holds alone",
        gilbert_over_time(
            {"bilirubin": "2.64", "bilirubin_direct": "0.2", "alt": x_uln("alt", "3.2")},
            {"bilirubin": "2.64", "bilirubin_direct": "0.2", "alt": x_uln("alt", "3")},
        ),
        Verdict.HOLD,
        ("NON-08",),
        silent=("NON-02",),
    ),
    # ── counts on mixed baselines ─────────────────────────────────────────────────────────────────────────────────
    Row(
        "Y-28 HEM-07",
        "platelets low before treatment and lower now, ANC 0.95: each lineage by its own rule",
        next_cycle(baseline=ONE_LINEAGE_LOW, anc="0.95", platelets="25"),
        Verdict.HOLD,
        ("HEM-01", "HEM-05"),
        also=says("HEM-05", "at or above 30", "last 25 10*9/L", "next due"),
    ),
    Row(
        "Y-29 HEM-07 HEM-06",
        "ANC exactly 1.0, platelets as low as before: pass",
        next_cycle(baseline=ONE_LINEAGE_LOW, anc="1.0", platelets="30"),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "Y-30 HEM-05 HEM-09",
        "above the value before treatment but below that at day 1 of the cycle before: hold",
        third_cycle(
            {"anc": "0.6", "platelets": "20"}, {"anc": "0.7", "platelets": "40"}, {"anc": "0.65", "platelets": "40"}
        ),
        Verdict.HOLD,
        ("HEM-05",),
        also=says("HEM-05", "0.65", "0.7 x 10^9/L at day 1"),
    ),
    Row(
        "Y-31 HEM-05",
        "both at their limits, though lower than at day 1 of the cycle before: pass",
        third_cycle(
            {"anc": "0.6", "platelets": "20"}, {"anc": "1.7", "platelets": "80"}, {"anc": "1.0", "platelets": "50"}
        ),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "Y-32 MOD-G-03",
        "platelets 60 transfused 71 h before: measured again from 72 h on",
        then(next_cycle(platelets="60"), charted({"kind": "transfusion", "product": "platelets"}, ago=74 * HOUR - MIN)),
        Verdict.NEED_DATA,
        ("MOD-G-03",),
        also=says("MOD-G-03", "drawn from"),
    ),
    Row(
        "Y-33 HEM-03 HEM-09",
        "platelets 40 on the day of a transfusion: below its limit a count holds in any case",
        then(next_cycle(platelets="40"), charted({"kind": "transfusion", "product": "platelets"}, ago=10 * HOUR)),
        Verdict.HOLD,
        ("HEM-03",),
    ),
    # ── signs of VOD ──────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "Y-34 ALERT-01",
        "bilirubin just above its ULN and rising: watch",
        day_8(bilirubin="1.3"),
        Verdict.MAY_AUTHORISE,
        ("ALERT-01",),
        also=says("ALERT-01", "bilirubin rising from 0.6 mg/dL"),
    ),
    Row(
        "Y-35 ALERT-01",
        "bilirubin at its ULN and rising: watch",
        day_8(bilirubin="1.2"),
        Verdict.MAY_AUTHORISE,
        ("ALERT-01",),
    ),
    Row(
        "Y-36 ALERT-01",
        "bilirubin above its ULN and falling: nothing to watch",
        day_8(baseline={"bilirubin": "1.5"}, bilirubin="1.4"),
        Verdict.MAY_AUTHORISE,
        also=no_watch,
    ),
    Row(
        "Y-37 ALERT-01",
        "2.9 % heavier than two days ago, lighter than before treatment: watch",
        then(day_15(kg="68"), charted({"kind": "weight", "kg": "66"}, ago=2 * DAY)),
        Verdict.MAY_AUTHORISE,
        ("ALERT-01",),
        also=says("ALERT-01", "within 7 d"),
    ),
    Row(
        "Y-38 VOD-05 VOD-06 BSA-08",
        "weight exactly 5 % up, ascites, bilirubin 2.4: probable, not clinical",
        then(day_8(kg="73.5", bilirubin="2.4"), examined(ascites=True)),
        Verdict.HOLD_URGENT,
        ("VOD-05", "VOD-11"),
        silent=("VOD-06",),
        also=says("VOD-05", "A2", "bilirubin", "ascites"),
    ),
    Row(
        "Y-39 VOD-10 VOD-05",
        "painless large liver and ascites in an adult, bilirubin normal: watch, no definition is met",
        then(day_8(), examined(hepatomegaly=True, ascites=True)),
        Verdict.MAY_AUTHORISE,
        ("ALERT-01",),
    ),
    Row(
        "Y-40 NON-11 VOD-05",
        "Gilbert syndrome does not excuse bilirubin with a painful liver",
        then(
            gilbert_over_time({}, {"bilirubin": "2.4", "bilirubin_direct": "0.2"}),
            examined(hepatomegaly=True, painful_hepatomegaly=True),
        ),
        Verdict.HOLD_URGENT,
        ("VOD-05",),
    ),
    # ── electrolytes and QT ───────────────────────────────────────────────────────────────────────────────────────
    Row(
        "Y-41 QT-01 QT-02",
        "481 ms and 61 ms above baseline: both hold, each for its own person",
        then(
            next_cycle(),
            steps(
                charted({"kind": "ecg", "qtcf_ms": "420"}, ago=28 * DAY + HOUR),
                charted({"kind": "ecg", "qtcf_ms": "481"}),
            ),
        ),
        Verdict.HOLD,
        ("QT-01", "QT-02"),
        also=says("QT-02", "481 ms", "480 ms"),
    ),
    Row(
        "Y-42 QT-05",
        "total calcium 7.7 with albumin 3.0 is 8.5, the LLN: pass",
        next_cycle(calcium="7.7", albumin="3.0"),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "Y-43 QT-05",
        "potassium 2.9 at day 8: what clears it, what it was, when the next test is due",
        then(day_8(), lab("potassium", "2.9")),
        Verdict.HOLD,
        ("QT-05",),
        also=says("QT-05", "at or above 3.0 mmol/L", "last 2.9 mmol/L on Monday 9 March"),
    ),
    Row(
        "Y-44 LAB-01",
        "a QTc without a formula beside a QT and a heart rate: computed anew",
        then(
            next_cycle(),
            steps(
                lab("qtcf", "490", loinc="8636-3"),
                lab("qtcf", "380", loinc="8634-8"),
                lab("qtcf", "60", loinc="8867-4", unit="/min"),
            ),
        ),
        Verdict.MAY_AUTHORISE,
    ),
    # ── results ───────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "Y-45 LAB-05 NON-08",
        "ALT > 200: above its limit whatever it is",
        then(day_8(), lab("alt", "200", comparator=">")),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Row(
        "Y-46 LAB-05",
        "ALT >= 137.5: it may be at the limit, it may be above",
        then(day_8(), lab("alt", "137.5", comparator=">=")),
        Verdict.NEED_DATA,
        ("LAB-05",),
    ),
    Row(
        "Y-47 LAB-05",
        "ALT <= 137.5: within its limit whatever it is",
        then(day_8(), lab("alt", "137.5", comparator="<=")),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "Y-48 LAB-06",
        "ALT 26,000 and a hold of a person: the call comes first",
        then(day_8(), steps(lab("alt", "26000"), charted({"kind": "hold", "reason": "looks ill"}, by=Role.NURSE))),
        Verdict.HOLD_URGENT,
        ("LAB-06", "HOLD-01"),
    ),
    # ── weight ────────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "Y-49 BSA-08",
        "74 kg at day 1 of cycle 2: fluid until shown otherwise, the last dosing weight stands",
        next_cycle(kg="74"),
        Verdict.MAY_AUTHORISE,
        ("BSA-08",),
        dose=HALF,
    ),
    Row(
        "Y-50 BSA-08",
        "the prescriber says that it is not fluid",
        then(next_cycle(kg="74"), charted({"kind": "weight_accepted", "kg": "74"}, by=Role.PRESCRIBER)),
        Verdict.MAY_AUTHORISE,
        dose=Dose("0.5", "0.93", "3.72", 2),
    ),
    Row(
        "Y-51 BSA-08",
        "a nurse cannot say that",
        then(next_cycle(kg="74"), charted({"kind": "weight_accepted", "kg": "74"}, by=Role.NURSE)),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
)


@pytest.mark.parametrize(("row", "protocol"), cases(ROWS), ids=name_of)
def test_where_two_clauses_meet(row: Row, protocol: str) -> None:
    decides(row, protocol)


def test_mod_g_03_names_the_first_instant_at_which_a_sample_counts() -> None:
    given_at = timedelta(hours=30)
    course = then(next_cycle(platelets="60"), charted({"kind": "transfusion", "product": "platelets"}, ago=given_at))(
        LABEL
    )
    (found,) = said(course.card, "MOD-G-03")
    assert found.earliest_at == course.now - given_at + 72 * HOUR


def test_a_dose_that_was_put_off_past_its_window_says_so_on_its_date() -> None:
    course = day_8()(LABEL)
    until = (course.now + 4 * DAY).date()
    put_off = {"cycle": 1, "day": 8, "decision": "postpone", "cause": "logistics", "reason": "no bed", "until": until}
    course.does("decide_dose", Role.PRESCRIBER, **put_off)
    course.now = day(12)
    assert (course.card.state, course.card.verdict) == (CourseState.HELD, Verdict.DELAYED)
    (found,) = said(course.card, "DAY-06")
    assert "postponed to 2026-03-13" in found.reason


def test_dose_08_asks_for_the_mrd_that_decides_about_a_third_cycle() -> None:
    chart = ChartBuilder().ready()
    chart.add({"kind": "transplant_planned"}, D1, Role.PRESCRIBER)
    for number in (1, 2):
        chart.cycle(number, day(28 * number - 27), response="CR")
    chart.ready_for_cycle(day(57), "CR", 2)
    card = PaperCourse(chart, day(57)).card
    found, asked = said(card, "DOSE-08")
    assert (found.verdict, card.verdict) == (None, Verdict.MAY_AUTHORISE)
    assert "MRD of cycle 2 is not recorded" in found.reason
    assert "asks for a reason" in asked.reason
