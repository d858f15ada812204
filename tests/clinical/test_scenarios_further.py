"""Scenarios that follow from the clinical reference without standing in it: other numbers, orders, units and days.

Each row names the clauses that decide it. As in part I a row holds under every protocol that it names; `test_scenarios.py`
runs them with those of part I.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from models.assessment import Assessment, CourseState, Verdict
from models.people import Role
from tests.factories import ARTICLE, D1, EU, LABEL, PROTOCOLS, ChartBuilder, PaperCourse, standing_rules
from tests.scenarios import (
    COLLEAGUE,
    DAY,
    FULL_FIRST,
    HALF,
    HOUR,
    LIVER,
    MIN,
    NO_SIGN,
    PRESCRIBER,
    SECOND,
    Dose,
    Row,
    Story,
    after_cycles,
    charted,
    corrected_lab,
    day,
    day_8,
    day_15,
    first_dose,
    gives,
    lab,
    next_cycle,
    said,
    says,
    steps,
    then,
    toxic,
    x_uln,
)

US = (LABEL, ARTICLE)
Step = Callable[[PaperCourse], object]
BERLIN = ZoneInfo("Europe/Berlin")
TWO_HIGH = {"bilirubin": x_uln("bilirubin", "1.8"), "alt": x_uln("alt", "3")}
PLATELETS_GIVEN = {"kind": "transfusion", "product": "platelets"}


def panel(ago: timedelta, **values: str) -> Step:
    """One more liver panel of one draw."""

    def step(course: PaperCourse) -> None:
        with course.charting() as chart:
            chart.labs(course.now - ago, *LIVER, **values)

    return step


def gilbert(direct: str | None, ago: timedelta = 3 * HOUR) -> Step:
    """Gilbert syndrome documented, with this direct bilirubin in the sample of `ago` (or none)."""
    documented = charted({"kind": "bilirubin_cause", "cause": "gilbert"}, ago=2 * DAY)
    return documented if direct is None else steps(documented, lab("bilirubin_direct", direct, ago=ago))


def overriding(rule: str, cycle: int, number: int, subject: str | None = None) -> Step:
    """Set aside by the prescriber and a second physician."""

    def step(course: PaperCourse) -> None:
        fields = {"cycle": cycle, "day": number, "rule": rule, "subject": subject, "reason": "the benefit is greater"}
        course.does("countersign", COLLEAGUE, target=course.does("override", Role.PRESCRIBER, **fields).id)

    return step


def attributed(term: str, on: int) -> Step:
    """A physician's word, on a day of the course, that this is not due to the drug."""

    def step(course: PaperCourse) -> None:
        with course.charting() as chart:
            what = {"kind": "toxicity_attribution", "term": term, "due_to_ino": False, "cause": "hepatitis E"}
            chart.add(what, day(on), Role.PHYSICIAN)

    return step


def leaves_out_day_15(course: PaperCourse) -> None:
    fields = {"decision": "omit", "cause": "other", "reason": "hepatitis E"}
    course.does("decide_dose", Role.PRESCRIBER, cycle=1, day=15, **fields)


def doses_at(*starts: datetime, asked: datetime, **values: str) -> Story:
    """Cycle 1 with doses at these instants, the next one asked for at another, in whatever zone the site has."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready(starts[0])
        for number, at in zip((1, 8, 15), starts, strict=False):
            chart.dose(1, number, at)
        return PaperCourse(chart.ready_again(asked, **values), asked)

    return story


def third_cycle_at_level_1(protocol: str) -> PaperCourse:
    """L1 after 14 days of toxicity without response in cycle 1; cycle 2 whole; a response after it."""
    course = toxic(15, 14)(protocol)
    start = course.now
    for number in (1, 8, 15):
        course.now = start + (number - 1) * DAY
        gives(course, 2, number)
    course.now = start + 28 * DAY
    with course.charting() as chart:
        chart.ready_for_cycle(course.now, "CR", 2)
    return course


def still_low(on: int, *, anc: str = "0.9", **more: object) -> Story:
    """ANC below 1.0 from the first day 1 that it held on, looked at again on a day of the course."""

    def story(protocol: str) -> PaperCourse:
        first = 29 if protocol == ARTICLE else 22
        chart = ChartBuilder(protocol).ready().cycle(1, D1).ready_for_cycle(day(first), anc=anc)
        at = day(first + on)
        return PaperCourse(chart.ready_for_cycle(at, anc=anc), at)

    return story


def zoned(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


ROWS = (
    # ── liver, in other units and orders ──────────────────────────────────────────────────────────────────────────
    Row(
        "X-01 NON-02",
        "C1D8, both exactly at their limits, in umol/L and ukat/L: give",
        then(
            day_8(),
            steps(
                lab("bilirubin", "30.75", unit="umol/L", uln=Decimal("20.5")),
                lab("alt", "2.25", unit="ukat/L", uln=Decimal("0.9")),
            ),
        ),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "X-02 NON-02",
        "C1D8, both just above their limits, in umol/L and ukat/L: hold",
        then(
            day_8(),
            steps(
                lab("bilirubin", "30.76", unit="umol/L", uln=Decimal("20.5")),
                lab("alt", "2.26", unit="ukat/L", uln=Decimal("0.9")),
            ),
        ),
        Verdict.HOLD,
        ("NON-02",),
    ),
    Row(
        "X-03 AMB-02",
        "C1D8, bilirubin 1.6, AST 2.6 x ULN, ALT normal: either counts",
        day_8(bilirubin=x_uln("bilirubin", "1.6"), ast=x_uln("ast", "2.6")),
        Verdict.HOLD,
        ("NON-02",),
    ),
    Row(
        "X-04 NON-02",
        "both high two days ago, bilirubin alone 1.6 x ULN today: it stands",
        then(day_8(bilirubin=x_uln("bilirubin", "1.6")), panel(2 * DAY, **TWO_HIGH)),
        Verdict.HOLD,
        ("NON-02",),
    ),
    Row(
        "X-05 NON-02",
        "both high two days ago, one panel with all within today: give",
        then(day_8(), panel(2 * DAY, **TWO_HIGH)),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "X-06 LAB-05",
        "C1D8, AST >120 U/L with ULN 45: surely above, hold",
        then(day_8(), lab("ast", "120", comparator=">")),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Row(
        "X-07 LAB-05",
        "C1D8, AST >100 U/L with ULN 45: the limit of 112.5 is left open, so not known",
        then(day_8(), lab("ast", "100", comparator=">")),
        Verdict.NEED_DATA,
        ("LAB-05",),
    ),
    Row(
        "X-08 AMB-21",
        "C1D8, ALP 2.6 x ULN alone: grade 2",
        day_8(alp=x_uln("alp", "2.6")),
        Verdict.HOLD,
        ("NON-06",),
        silent=("NON-02", "NON-08"),
    ),
    Row("X-09 CT-05", "C1D8, ALP exactly 2.5 x ULN: grade 1", day_8(alp=x_uln("alp", "2.5")), Verdict.MAY_AUTHORISE),
    Row(
        "X-10 CT-02",
        "ALT 2 x ULN before treatment, now 2.9 x that: grade 1 of v5, above 2.5 x ULN all the same",
        day_8(baseline={"alt": "110"}, alt="319"),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Row(
        "X-11 NON-06",
        "ALP 2 x ULN before treatment, now 2.6 x ULN = 1.3 x that: grade 0 of v5 (CTN-02)",
        day_8(baseline={"alp": "240"}, alp="312"),
        Verdict.MAY_AUTHORISE,
        silent=("NON-06",),
    ),
    # ── Gilbert ───────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-12 NON-11",
        "Gilbert, bilirubin 2.2 and ALT 3.0 x ULN: not NON-02, ALT alone holds",
        then(day_8(bilirubin=x_uln("bilirubin", "2.2"), alt=x_uln("alt", "3")), gilbert("0.25")),
        Verdict.HOLD,
        ("NON-08",),
        silent=("NON-02",),
        also=lambda card: only_about(card, "NON-08", "alt"),
    ),
    Row(
        "X-13 NON-11",
        "Gilbert without a direct bilirubin in the same sample: no exemption",
        then(day_8(bilirubin=x_uln("bilirubin", "2.2")), gilbert(None)),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Row(
        "X-14 NON-11",
        "Gilbert, direct bilirubin of another sample: no exemption",
        then(day_8(bilirubin=x_uln("bilirubin", "2.2")), gilbert("0.25", ago=5 * HOUR)),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Row(
        "X-15 NON-11",
        "Gilbert, direct above its ULN and exactly 20 % of the total: exempt",
        then(day_8(bilirubin="2.65"), gilbert("0.53")),
        Verdict.MAY_AUTHORISE,
        ("NON-11",),
        dose=HALF,
    ),
    Row(
        "X-16 NON-11",
        "Gilbert, direct above its ULN and above 20 % of the total: no exemption",
        then(day_8(bilirubin="2.65"), gilbert("0.54")),
        Verdict.HOLD,
        ("NON-08",),
    ),
    # ── the ladder ────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-17 DUR-01",
        "D8 held, recovered on day 14 after 6 days: given late, and not called delayed",
        toxic(8, 6),
        Verdict.MAY_AUTHORISE,
        ("DUR-01",),
        next_dose="C1D8",
        dose=HALF,
        silent=("DAY-06", "DUR-02"),
    ),
    Row(
        "X-18 DAY-06",
        "D8 held, recovered on day 18: D15 misses its window for the same toxicity, cycle 2 at the full level",
        toxic(8, 10, asked=29),
        Verdict.MAY_AUTHORISE,
        next_dose="C2D1",
        dose=FULL_FIRST,
    ),
    Row(
        "X-19 DUR-03",
        "interruption of 13 days: no reduction",
        toxic(15, 13, asked=29),
        Verdict.MAY_AUTHORISE,
        next_dose="C2D1",
        dose=FULL_FIRST,
        silent=("DUR-03",),
    ),
    Row(
        "X-20 DUR-06",
        "interruption of exactly 28 days: level L1 and no more",
        toxic(15, 28),
        Verdict.MAY_AUTHORISE,
        ("DUR-03",),
        dose=Dose("0.6", "1.09", "4.36", 2, "L1"),
        silent=("DUR-05",),
    ),
    Row(
        "X-21 OVR-02",
        "interruption of 29 days, to go on signed by two: level L1",
        then(toxic(15, 29), overriding("DUR-05", 2, 1)),
        Verdict.MAY_AUTHORISE,
        dose=Dose("0.6", "1.09", "4.36", 2, "L1"),
    ),
    Row(
        "X-22 DUR-05",
        "toxicity that has not recovered after 29 days",
        toxic(15, 29, still=True),
        Verdict.PROPOSE_DISCONTINUE,
        ("DUR-05",),
        CourseState.HELD,
    ),
    Row(
        "X-23 DUR-06",
        "toxicity that has not recovered after exactly 28 days: still a hold",
        toxic(15, 28, still=True),
        Verdict.HOLD,
        ("NON-08",),
        silent=("DUR-05", "NON-09"),
    ),
    Row(
        "X-24 DUR-09",
        "D15 held for a high ALT that a physician attributes to another cause: its window passed without toxicity",
        then(toxic(15, 20), attributed("alt", 16)),
        Verdict.DELAYED,
        ("DAY-06",),
        next_dose="C1D15",
        silent=("DUR-02", "DUR-03"),
    ),
    Row(
        "X-24 DUR-09",
        "the same, D15 left out by the prescriber: cycle 2 at the full level",
        then(toxic(15, 20), steps(attributed("alt", 16), leaves_out_day_15)),
        Verdict.MAY_AUTHORISE,
        next_dose="C2D1",
        dose=FULL_FIRST,
    ),
    Row(
        "X-25 LVL-02",
        "level L1 without response, then CR: three quarters of the lower dose",
        third_cycle_at_level_1,
        Verdict.MAY_AUTHORISE,
        ("DOSE-02",),
        next_dose="C3D1",
        dose=Dose("0.375", "0.68", "2.72", 1, "L1"),
    ),
    Row(
        "X-26 AMB-15",
        "CR after cycle 1, lost after cycle 2: the higher dose never comes back by itself",
        after_cycles(2, ("CR", "none")),
        Verdict.MAY_AUTHORISE,
        ("DOSE-02",),
        next_dose="C3D1",
        dose=HALF,
    ),
    # ── windows ───────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-27 DAY-06",
        "D15 asked for on day 18, nobody has decided, no toxicity: delayed",
        day_15(18),
        Verdict.DELAYED,
        ("DAY-06",),
        CourseState.HELD,
    ),
    Row(
        "X-28 DAY-02",
        "D8 given on day 10: D15 on day 15 comes too early",
        doses_at(D1, day(10), asked=day(15)),
        Verdict.TOO_EARLY,
        ("DAY-03",),
    ),
    Row(
        "X-29 DAY-02",
        "D8 given on day 10: D15 on day 16",
        doses_at(D1, day(10), asked=day(16)),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "X-30 AMB-05",
        "D8 given on day 12: D15 on day 18, the one day that spacing allows",
        doses_at(D1, day(12), asked=day(18)),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "X-31 AMB-05",
        "D8 given on day 12: D15 on day 19 is late",
        doses_at(D1, day(12), asked=day(19)),
        Verdict.DELAYED,
        ("DAY-06",),
    ),
    Row(
        "X-32 DAY-03",
        "six dates across the spring change of clocks are 143 hours: give",
        doses_at(zoned("2026-03-23T09:00"), asked=zoned("2026-03-29T09:00")),
        Verdict.MAY_AUTHORISE,
        next_dose="C1D8",
        dose=HALF,
    ),
    Row(
        "X-33 DAY-03",
        "six dates later and 6 h 1 min earlier by the clock: too early",
        doses_at(zoned("2026-03-23T15:01"), asked=zoned("2026-03-29T09:00")),
        Verdict.TOO_EARLY,
    ),
    Row(
        "X-34 DAY-05",
        "C2 on day 22 after a cycle of 21 days with D15 on day 15",
        next_cycle(22, response="none"),
        Verdict.MAY_AUTHORISE,
        dose=FULL_FIRST,
        protocols=(LABEL, EU),
    ),
    Row(
        "X-35 DIV-03",
        "the article's cycle has 28 days: day 22 is too early",
        next_cycle(22),
        Verdict.TOO_EARLY,
        ("DAY-05",),
        protocols=(ARTICLE,),
    ),
    Row(
        "X-36 DAY-05",
        "the last date before the cycle's day 1, with the counts of the nadir: too early, and no hold",
        next_cycle(21, anc="0.2", platelets="11"),
        Verdict.TOO_EARLY,
        ("DAY-05",),
        silent=("HEM-01", "HEM-03"),
    ),
    # ── counts ────────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-37 HEM-07",
        "platelets 30 before treatment, ANC normal; C2D1 platelets 30, ANC 1.0: pass",
        next_cycle(baseline={"platelets": "30"}, platelets="30", anc="1.0"),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "X-38 HEM-07",
        "the same, platelets 29: lower than before",
        next_cycle(baseline={"platelets": "30"}, platelets="29", anc="1.0"),
        Verdict.HOLD,
        ("HEM-05",),
        silent=("HEM-03",),
    ),
    Row(
        "X-39 HEM-07",
        "the same, platelets 35, ANC 0.9: the normal lineage holds",
        next_cycle(baseline={"platelets": "30"}, platelets="35", anc="0.9"),
        Verdict.HOLD,
        ("HEM-01",),
    ),
    Row(
        "X-40 HEM-08",
        "platelets 29 of 30, disease stable on the marrow and the fall due to leukaemia: pass",
        then(
            next_cycle(baseline={"platelets": "30"}, platelets="29"),
            steps(
                charted(
                    {"kind": "response", "cycle": 1, "response": "none", "marrow_blasts_percent": "40"}, ago=2 * HOUR
                ),
                charted(
                    {
                        "kind": "cytopenia_attribution",
                        "lineage": "platelets",
                        "due_to": "leukaemia",
                        "disease": "stable",
                    }
                ),
            ),
        ),
        Verdict.MAY_AUTHORISE,
        silent=("HEM-05",),
    ),
    Row(
        "X-41 HEM-06",
        "C2D1, platelets 50,000/uL: equal passes",
        then(next_cycle(), lab("platelets", "50000", unit="/uL")),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "X-42 HEM-03",
        "C2D1, platelets 49,900/uL",
        then(next_cycle(), lab("platelets", "49900", unit="/uL")),
        Verdict.HOLD,
        ("HEM-03",),
    ),
    Row(
        "X-43 HEM-09",
        "C2D1, platelets 45 under a transfusion: below holds in any case",
        then(next_cycle(platelets="45"), charted(PLATELETS_GIVEN, ago=DAY)),
        Verdict.HOLD,
        ("HEM-03",),
    ),
    Row(
        "X-44 HEM-09",
        "C2D1, ANC 1.4 six days after pegfilgrastim: not the patient's own",
        then(next_cycle(anc="1.4"), charted({"kind": "g_csf", "drug": "pegfilgrastim"}, ago=6 * DAY)),
        Verdict.NEED_DATA,
        ("HEM-09",),
    ),
    Row(
        "X-45 HEM-09",
        "C2D1, ANC 1.4 drawn exactly 48 h after filgrastim: pass",
        then(next_cycle(anc="1.4"), charted({"kind": "g_csf", "drug": "filgrastim"}, ago=51 * HOUR)),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "X-46 LAB-05",
        "C2D1, ANC <0.5: surely below",
        then(next_cycle(), lab("anc", "0.5", comparator="<")),
        Verdict.HOLD,
        ("HEM-01",),
    ),
    Row("X-47 HEM-02", "low ANC for exactly 28 days: hold", still_low(28), Verdict.HOLD, ("HEM-01",)),
    Row(
        "X-48 HEM-02",
        "low ANC for 29 days: the prescriber decides",
        still_low(29),
        Verdict.PROPOSE_DISCONTINUE,
        ("HEM-02",),
        protocols=US,
    ),
    Row(
        "X-48 EU-07",
        "low ANC for 29 days: the EU text has no such sentence",
        still_low(29),
        Verdict.HOLD,
        ("HEM-01",),
        silent=("HEM-02",),
        protocols=(EU,),
    ),
    Row(
        "X-49 HEM-02",
        "low ANC for 29 days, attributed to the leukaemia by a physician: hold",
        then(
            still_low(29),
            charted({"kind": "cytopenia_attribution", "lineage": "anc", "due_to": "leukaemia", "disease": "worse"}),
        ),
        Verdict.HOLD,
        ("HEM-01",),
        silent=("HEM-02",),
    ),
    Row(
        "X-50 AMB-19",
        "C1D1, ANC 0.1, platelets 6: no gate of counts, they are the baseline",
        first_dose(anc="0.1", platelets="6"),
        Verdict.MAY_AUTHORISE,
    ),
    # ── blasts ────────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-51 CYT-03",
        "WBC 50, 20 % blasts, no absolute count: exactly 10, pass",
        first_dose(wbc="50", blasts_percent="20"),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "X-52 CYT-03",
        "WBC 50.1, 20 % blasts, no absolute count: cytoreduce",
        first_dose(wbc="50.1", blasts_percent="20"),
        Verdict.CYTOREDUCE,
        ("CYT-02",),
    ),
    Row(
        "X-53 CYT-02",
        "blasts 10,001/uL: cytoreduce",
        then(first_dose(), lab("blasts", "10001", unit="/uL")),
        Verdict.CYTOREDUCE,
        ("CYT-02",),
    ),
    Row(
        "X-54 CYT-02",
        "no blast count: missing data, not cytoreduction",
        first_dose(without=("blasts_percent",)),
        Verdict.NEED_DATA,
        ("DATA-01",),
    ),
    # ── results ───────────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-55 LAB-04",
        "a high ALT drawn earlier arrives late, the later one is normal: give",
        then(day_8(), lab("alt", "165", ago=9 * HOUR)),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "X-56 LAB-05",
        "a newer ALT is preliminary: the older one is not used in its place",
        then(day_8(), lab("alt", "30", status="preliminary")),
        Verdict.NEED_DATA,
        ("LAB-05",),
    ),
    Row(
        "X-57 LAB-04",
        "a newer ALT has a time without zone",
        then(day_8(), lab("alt", "30", collected_at="2026-03-09T06:30:00")),
        Verdict.NEED_DATA,
        ("LAB-04",),
    ),
    Row(
        "X-58 LAB-04",
        "an ALT that nobody knows here was entered in error",
        then(day_8(), lab("alt", "400", status="entered-in-error")),
        Verdict.NEED_DATA,
        ("LAB-09",),
    ),
    Row(
        "X-59 CONV-01",
        "ALT in IU/L, an alias that the site has not listed",
        then(day_8(), lab("alt", "30", unit="IU/L")),
        Verdict.NEED_DATA,
        ("CONV-01",),
        also=says("CONV-01", "IU/L"),
    ),
    Row(
        "X-60 LAB-06",
        "potassium 13 mmol/L: implausibly high, call somebody",
        then(day_8(), lab("potassium", "13")),
        Verdict.HOLD_URGENT,
        ("LAB-06",),
    ),
    Row(
        "X-61 LAB-05",
        "a message that cannot be read: every gating value is unknown",
        then(
            day_8(),
            charted(
                {
                    "kind": "unreadable_message",
                    "signal": "lab_results",
                    "sha256": "ab" * 32,
                    "size": 3,
                    "reason": "not JSON",
                    "head_base64": "e30=",
                }
            ),
        ),
        Verdict.NEED_DATA,
        ("LAB-05",),
    ),
    Row(
        "X-62 DATA-02",
        "C1D8, the liver panel is 48 h and a second old: nobody overrides that",
        then(day_8(), lambda course: course.later(hours=45, seconds=1)),
        Verdict.NEED_DATA,
        ("DATA-02",),
        also=lambda card: never(card, "DATA-02", "alt"),
    ),
    # ── heart and electrolytes ────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-63 QT-01",
        "QTcF 400 before, 460 now: risen by exactly 60, a note",
        then(
            next_cycle(),
            steps(
                charted({"kind": "ecg", "qtcf_ms": "400"}, ago=28 * DAY + HOUR),
                charted({"kind": "ecg", "qtcf_ms": "460"}),
            ),
        ),
        Verdict.MAY_AUTHORISE,
        ("QT-03",),
    ),
    Row(
        "X-64 QT-01",
        "QTcF 400 before, 461 now: risen by 61",
        then(
            next_cycle(),
            steps(
                charted({"kind": "ecg", "qtcf_ms": "400"}, ago=28 * DAY + HOUR),
                charted({"kind": "ecg", "qtcf_ms": "461"}),
            ),
        ),
        Verdict.HOLD,
        ("QT-01",),
    ),
    Row(
        "X-65 QT-02",
        "QTcF exactly 500: released by the prescriber alone",
        then(next_cycle(), charted({"kind": "ecg", "qtcf_ms": "500"})),
        Verdict.HOLD,
        ("QT-02",),
        also=lambda card: by_the_prescriber(card, "QT-02"),
    ),
    Row(
        "X-66 QT-05",
        "C1D8, K 3.2 of three days ago: a note",
        then(day_8(), lab("potassium", "3.2", ago=3 * DAY)),
        Verdict.MAY_AUTHORISE,
        ("QT-05",),
    ),
    Row(
        "X-67 QT-05",
        "C1D8, K 2.9 of three days ago: hold",
        then(day_8(), lab("potassium", "2.9", ago=3 * DAY)),
        Verdict.HOLD,
        ("QT-05",),
    ),
    Row(
        "X-68 QT-05",
        "C1D8, K 2.9 of eight days ago, before the first dose: not read any more",
        then(day_8(), lab("potassium", "2.9", ago=8 * DAY)),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "X-69 QT-05",
        "C1D1, calcium 8.0, albumin 3.0 g/dL: corrected 8.8, pass",
        first_dose(calcium="8.0", albumin="3.0"),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "X-70 QT-05",
        "the same in mmol/L and g/L: pass",
        then(
            first_dose(),
            steps(
                lab("calcium", "1.996", unit="mmol/L", lln=Decimal("2.12")),
                lab("albumin", "30", unit="g/L"),
            ),
        ),
        Verdict.MAY_AUTHORISE,
    ),
    # ── the patient ───────────────────────────────────────────────────────────────────────────────────────────────
    Row(
        "X-71 MON-16",
        "C1D8, 38.0 °C: hold",
        then(
            day_8(),
            charted(
                {"kind": "infection_bleeding", "temperature_c": "38.0", "infection": False, "active_bleeding": False}
            ),
        ),
        Verdict.HOLD,
        ("MON-16",),
    ),
    Row(
        "X-72 MON-11",
        "C2D1, pregnancy test positive: nobody overrides that",
        then(next_cycle(), charted({"kind": "pregnancy_test", "result": "positive"})),
        Verdict.HOLD,
        ("MON-11",),
        also=lambda card: never(card, "MON-11"),
    ),
    Row(
        "X-73 BSA-08",
        "C1D8, weight 63 kg, exactly -10 %: the dosing weight stands",
        day_8(kg="63"),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "X-74 BSA-08",
        "C1D8, weight 78 kg, +11.4 %: fluid until shown otherwise, the dosing weight stands",
        day_8(kg="78"),
        Verdict.MAY_AUTHORISE,
        ("BSA-08",),
        dose=HALF,
    ),
    Row(
        "X-75 VOD-05",
        "C1D8, bilirubin exactly 34 umol/L and ascites: suspected",
        then(
            day_8(),
            steps(
                lab("bilirubin", "34", unit="umol/L", uln=Decimal("20.5")),
                charted({"kind": "vod_examination", **NO_SIGN, "ascites": True}),
            ),
        ),
        Verdict.HOLD_URGENT,
        ("VOD-05", "VOD-11"),
    ),
    Row(
        "X-76 AMB-12",
        "C1D8, bilirubin 1.988 mg/dL and ascites: the same, in the other unit",
        then(
            day_8(bilirubin="1.988"),
            charted({"kind": "vod_examination", **NO_SIGN, "ascites": True}),
        ),
        Verdict.HOLD_URGENT,
        ("VOD-05", "VOD-11"),
    ),
    Row(
        "X-77 AMB-12",
        "C1D8, bilirubin 33.9 umol/L and ascites: watched, held for the bilirubin alone",
        then(
            day_8(),
            steps(
                lab("bilirubin", "33.9", unit="umol/L", uln=Decimal("20.5")),
                charted({"kind": "vod_examination", **NO_SIGN, "ascites": True}),
            ),
        ),
        Verdict.HOLD,
        ("NON-08",),
        silent=("VOD-05", "VOD-11"),
    ),
    Row(
        "X-78 NON-10",
        "a rash of grade 2 that a physician attributes to another drug: give",
        then(
            day_8(),
            charted({"kind": "toxicity", "term": "rash", "grade": 2, "attributed_to_ino": False}),
        ),
        Verdict.MAY_AUTHORISE,
    ),
    Row(
        "X-79 NON-06",
        "a rash of grade 2 that nobody has attributed: the drug's until a physician says otherwise",
        then(day_8(), charted({"kind": "toxicity", "term": "rash", "grade": 2}, by=Role.NURSE)),
        Verdict.HOLD,
        ("NON-06",),
    ),
    Row(
        "X-80 EU-02",
        "EU, Philadelphia-positive and no TKI has failed: not eligible",
        then(
            first_dose(),
            charted(
                {
                    "kind": "eligibility",
                    "cd22_positive": True,
                    "b_cell_precursor_all": True,
                    "relapsed_or_refractory": True,
                    "method": "flow cytometry",
                    "cd22_percent": "40",
                    "ph_positive": True,
                    "tki_failed": False,
                },
                by=Role.PRESCRIBER,
            ),
        ),
        Verdict.PROPOSE_DISCONTINUE,
        ("EU-02",),
        protocols=(EU,),
    ),
    Row(
        "X-81 DOSE-07",
        "no response after three cycles, the third marrow not assessable: missing, not the end",
        after_cycles(3, ("none", "none", "not_assessable")),
        Verdict.NEED_DATA,
        ("RESP-01",),
        silent=("DOSE-07",),
    ),
    Row(
        "X-82 OVR-02",
        "ALT 160 set aside by two: give, at the full level",
        then(day_8(alt="160"), overriding("NON-08", 1, 8, "alt")),
        Verdict.MAY_AUTHORISE,
        dose=HALF,
    ),
    Row(
        "X-83 OVR-02",
        "ALT 160 set aside by two, a new ALT of 150: it was given for 160",
        then(day_8(alt="160"), steps(overriding("NON-08", 1, 8, "alt"), lab("alt", "150", ago=MIN))),
        Verdict.HOLD,
        ("NON-08",),
    ),
)


def only_about(card: Assessment, rule: str, subject: str) -> None:
    assert [f.subject for f in card.standing if f.rule == rule] == [subject]


def never(card: Assessment, rule: str, subject: str | None = None) -> None:
    found = [f for f in card.standing if f.rule == rule and subject in (None, f.subject)]
    assert found
    assert {f.override for f in found} <= {"never", "none"}


def by_the_prescriber(card: Assessment, rule: str) -> None:
    assert {f.override for f in card.standing if f.rule == rule} == {"prescriber_with_reason"}


# ── in several steps ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_six_dates_later_and_earlier_by_the_clock_the_start_needs_a_reason(protocol: str) -> None:
    """DAY-03: up to 6 h earlier than the dose before."""
    course = doses_at(zoned("2026-03-23T15:00"), asked=zoned("2026-03-29T09:00"))(protocol)
    course.authorised(1, 8).premedicated().later(hours=1).prepared()
    assert [f.rule for f in course.card.findings if f.clears] == ["DAY-03"]
    course.authorised(1, 8, earlier_start_reason="the last bed of the day").prepared("bag-2")
    assert course.card.verdict is Verdict.MAY_START


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_same_result_sent_twice_leaves_a_signature_standing(protocol: str) -> None:
    """§3.5: an authorisation lapses when a gating result changes; a copy changes nothing."""
    course = day_8()(protocol)
    with course.charting() as chart:
        sent = chart.result("alt", "31", course.now - HOUR, accession="a-77")
    course.authorised(1, 8).later(minutes=5)
    with course.charting() as chart:
        copy = next(f for f in chart.facts if f.id == sent)
        chart.add(copy.what, copy.at, Role.LABORATORY, recorded_at=course.now)
    assert not said(course.card, "OWN-01")
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_corrected_result_closes_the_gate_between_signature_and_start(protocol: str) -> None:
    course = day_8()(protocol).ready_to_start(1, 8)
    assert course.card.verdict is Verdict.MAY_START
    corrected_lab(course, "alt", "165", day(8) - 3 * HOUR)
    refusal = course.refused(
        "start_infusion", Role.NURSE, cycle=1, day=8, preparation_id="bag-1", identifiers_checked=["a", "b"]
    )
    assert refusal.type == "DoseGateClosed"
    assert "NON-08" in refusal.rules


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_level_whose_cause_was_an_error_comes_back_only_by_two_people(protocol: str) -> None:
    """COR-02: the ALT behind level L1 was another patient's. Until two confirm it the next dose is held."""
    course = gives(toxic(15, 14)(protocol), 2, 1)
    course.now += 6 * DAY + 20 * HOUR
    with course.charting() as chart:
        chart.ready_again(course.now)
    assert course.card.dose is not None
    assert course.card.dose.level == "L1"
    corrected_lab(course, "alt", "30", day(15) - 3 * HOUR)
    assert (course.card.state, course.card.verdict) == (CourseState.CORRECTION_REVIEW, Verdict.HOLD)
    assert "COR-02" in standing_rules(course.card)
    target = said(course.card, "COR-02")[0].clears.split("countersign ")[1].split(" ")[0]
    for who in (PRESCRIBER, COLLEAGUE):
        if course.card.state is CourseState.CORRECTION_REVIEW:
            course.does("countersign", who, target=target)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert course.card.dose is not None
    assert (course.card.dose.level, str(course.card.dose.mg)) == ("L0", "0.91")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stop_that_was_an_error_is_lifted_only_by_two_people(protocol: str) -> None:
    course = day_8()(protocol)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=4, at=D1 + 20 * MIN, resolved_at=D1 + HOUR)
    stop = course.chart.facts[-1].id
    assert course.card.verdict is Verdict.DISCONTINUED
    course.does("correct_fact", COLLEAGUE, target=stop, reason="another patient's")
    assert (course.card.state, course.card.verdict) == (CourseState.CORRECTION_REVIEW, Verdict.DISCONTINUED)
    course.later(days=1)
    assert course.card.verdict is Verdict.DISCONTINUED
    course.does("countersign", PRESCRIBER, target=stop)
    assert course.card.verdict is not Verdict.DISCONTINUED


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_vod_excluded_with_another_cause_opens_and_a_worse_sign_shuts_again(protocol: str) -> None:
    course = next(row for row in ROWS if row.id == "X-76 AMB-12").story(protocol)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="hepatitis E")
    assert course.card.verdict is not Verdict.HOLD_URGENT
    course.later(minutes=10)
    lab("bilirubin", "2.6", ago=MIN)(course)
    assert course.card.verdict is Verdict.HOLD_URGENT


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_a_physician_lets_pass_is_asked_again_when_the_window_closes(protocol: str) -> None:
    """§3.6: an override lapses with the window of its dose."""
    course = then(day_8(alt="160"), overriding("NON-08", 1, 8, "alt"))(protocol)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    course.now = day(11)
    assert course.card.verdict is not Verdict.MAY_AUTHORISE
    assert "NON-08" in standing_rules(course.card)


@pytest.mark.parametrize("protocol", [LABEL, EU])
@pytest.mark.parametrize(("d15", "first"), [(15, 22), (16, 23), (17, 24)])
def test_the_next_cycle_keeps_seven_days_from_the_last_dose(protocol: str, d15: int, first: int) -> None:
    """DAY-05: in a cycle of 21 days the later of day 22 and the last dose + 7."""
    for asked, verdict in ((first - 1, Verdict.TOO_EARLY), (first, Verdict.MAY_AUTHORISE)):
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1).dose(1, 8, day(8) + 2 * DAY).dose(1, 15, day(d15))
        chart.facts = [f for f in chart.facts if not (d15 == 15 and f.at >= day(10) and f.at < day(11))]
        if d15 == 15:
            chart.dose(1, 8, day(8))
        course = PaperCourse(chart.ready_for_cycle(day(asked), "none"), day(asked))
        assert (course.card.verdict, course.card.next_dose) == (verdict, "C2D1")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_extended_first_cycle_begins_the_next_on_day_29(protocol: str) -> None:
    course = PaperCourse(ChartBuilder(protocol).ready().cycle(1, D1), day(20))
    course.does("extend_cycle", Role.PRESCRIBER, cycle=1, because="toxicity")
    for asked, verdict in ((28, Verdict.TOO_EARLY), (29, Verdict.MAY_AUTHORISE)):
        course.now = day(asked)
        with course.charting() as chart:
            chart.ready_for_cycle(course.now)
        assert course.card.verdict is verdict


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_overdue_is_overdue_one_second_after_and_a_day_has_24_hours_of_grace_across_the_clock_change(
    protocol: str,
) -> None:
    """MON-03: plus seven days keeps the wall clock; the grace is 24 elapsed hours."""
    day_0 = zoned("2026-03-15T12:00")
    chart = ChartBuilder(protocol).ready(day_0 - 60 * DAY).cycle(1, day_0 - 60 * DAY)
    chart.add({"kind": "transplant", "transplanted_on": "2026-03-15"}, day_0, Role.PRESCRIBER)
    chart.labs(zoned("2026-03-21T10:00"), *LIVER)
    due = zoned("2026-03-28T10:00")
    overdue = due.astimezone(ZoneInfo("UTC")) + 24 * HOUR
    standings = []
    for now in (due - SECOND, due, overdue, overdue + SECOND):
        test = next(o for o in PaperCourse(chart, now).card.obligations if o.rule == "MON-03")
        assert (test.due_at, test.overdue_at) == (due, overdue)
        standings.append(test.standing)
    assert standings == ["coming", "due", "due", "overdue"]
    assert overdue.astimezone(BERLIN).hour == 11, "24 elapsed hours, an hour later by the wall clock"
