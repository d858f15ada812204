"""The worked scenarios of the clinical reference, part I: each row under every protocol for which it holds.

The article gives 0.5 mg/m² on day 1 of cycle 1, has cycles of 28 days, and makes premedication a hard gate; the EU text is
for adults, asks for CD22 in per cent and knows contraindications. Everything else is the same. What goes on in several
steps (the bedside, a plan withdrawn, an obligation to the second) stands below the table. The further rows are run here too.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.assessment import Assessment, CourseState, Verdict
from models.people import Role
from tests.clinical.test_scenarios_further import ROWS as FURTHER
from tests.factories import ARTICLE, D1, EU, LABEL, NO_HISTORY, PROTOCOLS, ChartBuilder, PaperCourse, standing_rules
from tests.scenarios import (
    COLLEAGUE,
    DAY,
    FULL_FIRST,
    HALF,
    HOUR,
    LIVER,
    MIN,
    SECOND,
    Dose,
    Row,
    Story,
    after_cycles,
    after_transplant,
    cases,
    charted,
    day,
    day_8,
    day_15,
    decides,
    first_dose,
    gives,
    lab,
    name_of,
    next_cycle,
    said,
    says,
    steps,
    then,
    toxic,
    x_uln,
)

US = (LABEL, ARTICLE)


def with_gilbert(course: PaperCourse) -> None:
    """Documented by a physician, with a normal direct bilirubin in the same sample."""
    charted({"kind": "bilirubin_cause", "cause": "gilbert"}, ago=2 * DAY)(course)
    lab("bilirubin_direct", "0.25", ago=3 * HOUR)(course)


def at_level_1_and_toxic_again(protocol: str) -> PaperCourse:
    """14 days of toxicity in cycle 1 give level L1; 15 days in cycle 2 need another cut. No response after either."""
    course = gives(toxic(15, 14)(protocol), 2, 1)
    held_at, recovered_at = course.now + 7 * DAY, course.now + 22 * DAY
    with course.charting() as chart:
        chart.labs(held_at - 5 * HOUR, *LIVER, alt="165")
        chart.labs(recovered_at - 5 * HOUR, *LIVER)
        at = recovered_at + 7 * DAY
        chart.ready_for_cycle(at, "none", 2)
    course.now = at
    return course


def reaction_of_grade_3(protocol: str) -> PaperCourse:
    course = PaperCourse(ChartBuilder(protocol).ready(), D1).ready_to_start()
    course.started()
    course.later(minutes=20).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=3)
    return course


def born(on: date, cm: str = "75", kg: str = "10") -> Story:
    """A patient born on this day, a child unless said otherwise."""

    def story(protocol: str) -> PaperCourse:
        course = PaperCourse(ChartBuilder(protocol, birth_on=on).ready(), D1)
        steps(charted({"kind": "height", "cm": cm}), charted({"kind": "weight", "kg": kg}))(course)
        return course

    return story


def stated(**answers: object) -> Story:
    """Eligibility and history as the prescriber states them; all in order but these answers."""
    at_the_start = {"cd22_positive": True, "b_cell_precursor_all": True, "relapsed_or_refractory": True}
    history = {k: v for k, v in answers.items() if k in NO_HISTORY}
    eligible = {"cd22_percent": "95", "ph_positive": False, **{k: v for k, v in answers.items() if k not in history}}
    eligibility = {"kind": "eligibility", **at_the_start, **eligible, "method": "flow cytometry"}
    return then(
        first_dose(),
        steps(
            charted({"kind": "medical_history", **NO_HISTORY, **history}),
            charted(eligibility, by=Role.PRESCRIBER),
        ),
    )


def two_hard_alerts(card: Assessment) -> None:
    alerts = [f for f in card.findings if f.rule in ("RISK-01", "RISK-06")]
    text = " ".join(f"{f.reason} {f.clears}".lower() for f in alerts)
    assert len(alerts) >= 2
    assert "alkylator" in text
    assert "bilirubin" in text
    assert all(f.clears for f in alerts), "a hard alert says who signs it off"


def nobody_may_override(card: Assessment) -> None:
    assert {f.override for f in card.standing if f.verdict is card.verdict} <= {"never", "none"}


def two_may_override(card: Assessment) -> None:
    assert {f.override for f in card.standing if f.verdict is card.verdict} == {"prescriber_and_second_person"}


def conditioned_with_two_alkylators(course: PaperCourse) -> None:
    plan = {"kind": "transplant_planned", "conditioning": ["busulfan", "cyclophosphamide"]}
    charted(plan, by=Role.PRESCRIBER)(course)


LATER_SIGNS = {"ascites": True}
PAINFUL = {"hepatomegaly": True, "painful_hepatomegaly": True}

ROWS = (
    Row(
        "SC-01",
        "C1D1, 170 cm, 70 kg, blasts 8, labs normal: give 0.8 mg/m²",
        first_dose(blasts="8"),
        Verdict.MAY_AUTHORISE,
        ("DOSE-01",),
        CourseState.DOSE_ADJUSTMENT,
        {LABEL: FULL_FIRST, ARTICLE: HALF, EU: FULL_FIRST},
        "C1D1",
    ),
    Row(
        "SC-02",
        "C1D1, blasts 25: cytoreduce, no dose",
        first_dose(blasts="25"),
        Verdict.CYTOREDUCE,
        ("CYT-02",),
        CourseState.CYTOREDUCTION,
    ),
    Row("SC-03", "C1D1, blasts exactly 10.0: pass", first_dose(blasts="10.0"), Verdict.MAY_AUTHORISE),
    Row(
        "SC-04",
        "C1D8, bilirubin 1.8 and ALT 3.0 x ULN: hold until both are within",
        day_8(bilirubin=x_uln("bilirubin", "1.8"), alt=x_uln("alt", "3.0")),
        Verdict.HOLD,
        ("NON-02",),
        CourseState.HELD,
        also=says("NON-02", "1.5", "2.5"),
    ),
    Row(
        "SC-06",
        "C1D8, bilirubin 1.6, ALT 1.0 x ULN: not NON-02; grade 2, hold",
        day_8(bilirubin=x_uln("bilirubin", "1.6"), alt=x_uln("alt", "1.0")),
        Verdict.HOLD,
        ("NON-06", "NON-08"),
        CourseState.HELD,
        silent=("NON-02",),
        also=two_may_override,
    ),
    Row(
        "SC-07",
        "C1D8, ALT 2.8 x ULN alone: grade 1 in v5, hold for a physician",
        day_8(alt=x_uln("alt", "2.8")),
        Verdict.HOLD,
        ("NON-08",),
        silent=("NON-02",),
        also=two_may_override,
    ),
    Row(
        "SC-08",
        "C1D15, bilirubin 2.2 x ULN, direct normal, Gilbert, ALT normal: give",
        then(day_15(bilirubin=x_uln("bilirubin", "2.2")), with_gilbert),
        Verdict.MAY_AUTHORISE,
        ("NON-11",),
        dose=HALF,
        silent=("NON-02", "NON-06", "NON-08"),
    ),
    Row(
        "SC-08",
        "the same, bilirubin 2.0 x ULN already before the first dose (CT-04)",
        then(
            day_15(baseline={"bilirubin": x_uln("bilirubin", "2.0")}, bilirubin=x_uln("bilirubin", "2.2")), with_gilbert
        ),
        Verdict.MAY_AUTHORISE,
        ("NON-11",),
        dose=HALF,
    ),
    Row(
        "SC-09",
        "C1D8, ALT 6 x ULN alone: grade 3, nobody overrides",
        day_8(alt=x_uln("alt", "6")),
        Verdict.HOLD,
        ("NON-06",),
        silent=("NON-02",),
        also=lambda card: nobody_overrides_non_06(card),
    ),
    Row(
        "SC-11",
        "D8 held for toxicity, recovered day 15: D8 omitted, D15 now",
        toxic(8, 7),
        Verdict.MAY_AUTHORISE,
        ("DUR-02",),
        next_dose="C1D15",
        dose=HALF,
    ),
    Row(
        "SC-14",
        "interruption of exactly 14 days, no CR: 1.35 mg/m² in the next cycle",
        toxic(15, 14),
        Verdict.MAY_AUTHORISE,
        ("DUR-03",),
        next_dose="C2D1",
        dose=Dose("0.6", "1.09", "4.36", 2, "L1"),
        silent=("DUR-05",),
    ),
    Row(
        "SC-15",
        "interruption of 20 days, now CR: 1.125 mg/m²",
        toxic(15, 20, response="CR"),
        Verdict.MAY_AUTHORISE,
        ("DUR-03", "DOSE-02"),
        next_dose="C2D1",
        dose=Dose("0.375", "0.68", "2.72", 1, "L1"),
    ),
    Row(
        "SC-17",
        "interruption of 29 days: the prescriber decides",
        toxic(15, 29),
        Verdict.PROPOSE_DISCONTINUE,
        ("DUR-05",),
        CourseState.HELD,
        also=two_may_override,
    ),
    Row(
        "SC-18",
        "at L1, toxicity needs another cut: L2, two doses a cycle",
        at_level_1_and_toxic_again,
        Verdict.MAY_AUTHORISE,
        ("DUR-04",),
        next_dose="C3D1",
        dose=Dose("0.6", "1.09", "4.36", 2, "L2"),
    ),
    Row(
        "SC-21",
        "C1D8, ANC 0.2, platelets 12, no fever, no bleeding: give",
        day_8(anc="0.2", platelets="12"),
        Verdict.MAY_AUTHORISE,
        ("MOD-G-01",),
        dose=HALF,
        also=says("MOD-G-01", "infection", "bleeding"),
    ),
    Row(
        "SC-22",
        "C2D1, baseline ANC 2.0, now 0.9: hold until 1.0",
        next_cycle(baseline={"anc": "2.0"}, anc="0.9"),
        Verdict.HOLD,
        ("HEM-01",),
        CourseState.HELD,
        also=says("HEM-01", "0.9", "1.0"),
    ),
    Row(
        "SC-24",
        "C2D1, baseline platelets 60, now 49, no transfusion: hold until 50",
        next_cycle(baseline={"platelets": "60"}, platelets="49"),
        Verdict.HOLD,
        ("HEM-03",),
        also=says("HEM-03", "49", "50"),
    ),
    Row(
        "SC-25",
        "C2D1, baseline platelets 60, now 55, platelets transfused yesterday: repeat",
        then(
            next_cycle(baseline={"platelets": "60"}, platelets="55"),
            charted({"kind": "transfusion", "product": "platelets"}, ago=DAY),
        ),
        Verdict.NEED_DATA,
        ("MOD-G-03",),
        silent=("HEM-03",),
    ),
    Row(
        "SC-27",
        "baseline ANC 0.6, platelets 20; C2D1 ANC 0.7, platelets 22: not decreased, pass",
        next_cycle(baseline={"anc": "0.6", "platelets": "20"}, anc="0.7", platelets="22"),
        Verdict.MAY_AUTHORISE,
        silent=("HEM-01", "HEM-03", "HEM-05"),
        state=CourseState.CYCLE_REVIEW,
    ),
    Row(
        "SC-29",
        "end of C3, marrow blasts 12 %: no further cycle",
        after_cycles(3, "none", marrow_blasts_percent="12"),
        Verdict.BLOCK_CYCLE,
        ("DOSE-07",),
        also=says("DOSE-07", "discontinue"),
    ),
    Row(
        "SC-30",
        "transplant planned, CR and MRD negative after C2; C3: block",
        after_cycles(2, "CR", mrd=True, planned=True),
        Verdict.BLOCK_CYCLE,
        ("DOSE-08",),
        also=two_may_override,
    ),
    Row("SC-32", "no transplant, CR; C7: block", after_cycles(6, "CR"), Verdict.BLOCK_CYCLE, ("DOSE-09",)),
    Row("SC-33", "D8 on day 6, five days after D1: too early", day_8(6), Verdict.TOO_EARLY, ("DAY-03",)),
    Row(
        "SC-36",
        "reaction of grade 3: stop for good",
        reaction_of_grade_3,
        Verdict.DISCONTINUED,
        ("NON-05",),
        CourseState.REACTION,
    ),
    Row(
        "SC-41",
        "day +10, bilirubin 2.4 mg/dL, weight +6 %, ascites: A3, urgent hold",
        after_transplant(10, bilirubin="2.4", kg="74.2", signs=LATER_SIGNS),
        Verdict.HOLD_URGENT,
        ("VOD-01", "VOD-02", "VOD-03", "VOD-05", "VOD-06", "VOD-11"),
        CourseState.LIVER_MONITORING,
        also=lambda card: is_severe(card, "moderate", "low confidence"),
    ),
    Row(
        "SC-42",
        "day +10, bilirubin 1.9 mg/dL, painful hepatomegaly, weight +6 %: A2, urgent hold",
        after_transplant(10, bilirubin="1.9", kg="74.2", signs=PAINFUL),
        Verdict.HOLD_URGENT,
        ("VOD-01", "VOD-05"),
        silent=("VOD-02", "VOD-03", "VOD-06"),
    ),
    Row(
        "SC-44",
        "day 21: classical",
        after_transplant(21, bilirubin="2.4", kg="74.2", signs=LATER_SIGNS),
        Verdict.HOLD_URGENT,
        ("VOD-03",),
        silent=("VOD-04",),
    ),
    Row(
        "SC-44",
        "day 22, the same signs: late onset",
        after_transplant(22, bilirubin="2.4", kg="74.2", signs=LATER_SIGNS),
        Verdict.HOLD_URGENT,
        ("VOD-04",),
        silent=("VOD-01", "VOD-02", "VOD-03"),
    ),
    Row(
        "SC-48",
        "before transplant, bilirubin exactly 1.0 x ULN, busulfan and cyclophosphamide: two hard alerts",
        then(
            next_cycle(baseline={}, bilirubin=x_uln("bilirubin", "1.0")),
            conditioned_with_two_alkylators,
        ),
        Verdict.MAY_AUTHORISE,
        also=two_hard_alerts,
    ),
    Row(
        "SC-49",
        "baseline QTcF 440, C2D1 506: above 500 and risen by 66",
        then(
            then(next_cycle(), charted({"kind": "ecg", "qtcf_ms": "440"}, ago=28 * DAY + 2 * HOUR)),
            charted({"kind": "ecg", "qtcf_ms": "506"}),
        ),
        Verdict.HOLD,
        ("QT-01",),
        also=says("QT-01", "506", "66"),
    ),
    Row(
        "SC-50",
        "C1D1, K 2.9, Mg 1.1 mg/dL: correct first",
        first_dose(potassium="2.9", magnesium="1.1"),
        Verdict.HOLD,
        ("QT-05", "CT-15", "CT-16"),
        also=says("CT-15", "grade 3"),
    ),
    Row(
        "SC-50",
        "C2D1, K 2.9, Mg 1.1 mg/dL: correct first",
        next_cycle(potassium="2.9", magnesium="1.1"),
        Verdict.HOLD,
        ("QT-05",),
        also=says("QT-05", "2.9", "1.1"),
    ),
    Row(
        "SC-52",
        "child of 11 months: not approved",
        born(date(2025, 4, 1)),
        Verdict.PROPOSE_DISCONTINUE,
        ("DOSE-11",),
        protocols=US,
    ),
    Row(
        "SC-52",
        "child of 12 months: allowed",
        born(date(2025, 3, 2)),
        Verdict.MAY_AUTHORISE,
        dose={LABEL: Dose("0.8", "0.37", "1.48", 1), ARTICLE: Dose("0.5", "0.23", "0.92", 1)},
        protocols=US,
    ),
    Row(
        "SC-52",
        "EU, child of 12 months: adults only",
        born(date(2025, 3, 2)),
        Verdict.PROPOSE_DISCONTINUE,
        protocols=(EU,),
        also=nobody_may_override,
    ),
    Row(
        "SC-52",
        "EU, the day before the 18th birthday: adults only",
        born(date(2008, 3, 3), "170", "70"),
        Verdict.PROPOSE_DISCONTINUE,
        protocols=(EU,),
    ),
    Row(
        "SC-52",
        "EU, the 18th birthday: allowed",
        born(date(2008, 3, 2), "170", "70"),
        Verdict.MAY_AUTHORISE,
        dose=FULL_FIRST,
        protocols=(EU,),
    ),
    Row(
        "SC-53",
        "EU, CD22 0 %: not eligible",
        stated(cd22_percent="0"),
        Verdict.PROPOSE_DISCONTINUE,
        ("EU-03",),
        protocols=(EU,),
        also=nobody_may_override,
    ),
    Row(
        "SC-54",
        "EU, past severe VOD: contraindicated",
        stated(severe_vod=True),
        Verdict.PROPOSE_DISCONTINUE,
        ("EU-04",),
        protocols=(EU,),
        also=nobody_may_override,
    ),
    Row(
        "SC-54",
        "past severe VOD: held until signed off as benefit-risk by two",
        stated(severe_vod=True),
        Verdict.HOLD,
        ("EU-04",),
        protocols=US,
        also=two_may_override,
    ),
    Row(
        "SC-56",
        "weight 70 to 62 kg at D8: the lower dose is proposed at once",
        day_8(kg="62"),
        Verdict.MAY_AUTHORISE,
        ("BSA-08",),
        dose=Dose("0.5", "0.86", "3.44", 1),
    ),
    Row(
        "SC-58",
        "ALT without ULN: never assume one",
        then(first_dose(), lab("alt", "30", uln=None)),
        Verdict.NEED_DATA,
        ("CONV-03",),
    ),
    Row(
        "SC-59",
        "VOD suspected the day before C1D15: no dose",
        then(
            day_15(14),
            charted(
                {
                    "kind": "vod_examination",
                    **dict.fromkeys(("oedema",), False),
                    "ruq_pain": True,
                    "hepatomegaly": True,
                    "painful_hepatomegaly": True,
                    "ascites": True,
                }
            ),
        ),
        Verdict.HOLD_URGENT,
        ("VOD-05", "VOD-11"),
        CourseState.HELD,
    ),
)


def nobody_overrides_non_06(card: Assessment) -> None:
    assert [f.override for f in said(card, "NON-06")] == ["never"]


def is_severe(card: Assessment, *words: str) -> None:
    text = " / ".join(f.reason.lower() for f in card.findings if f.rule.startswith("SEV-"))
    assert all(word in text for word in words), text


@pytest.mark.parametrize(("row", "protocol"), cases((*ROWS, *FURTHER)), ids=name_of)
def test_scenario(row: Row, protocol: str) -> None:
    decides(row, protocol)


@pytest.mark.parametrize(("row", "protocol"), cases((*ROWS, *FURTHER)), ids=name_of)
def test_no_signature_and_no_start_unless_the_scenario_gives(row: Row, protocol: str) -> None:
    """A dose in review is signed only once its cycle is started."""
    card = row.story(protocol).card
    may = {c.command for c in card.commands if c.may}
    signs = row.verdict is Verdict.MAY_AUTHORISE and card.state is not CourseState.CYCLE_REVIEW
    assert "start_infusion" not in may
    assert ("authorise_dose" in may) == signs


# ── SC-01, SC-02: the first dose ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_01_signed_premedicated_and_prepared_the_dose_may_start_and_runs_for_an_hour(protocol: str) -> None:
    course = first_dose(blasts="8")(protocol).ready_to_start()
    assert (course.card.verdict, course.card.state) == (Verdict.MAY_START, CourseState.PREMEDICATION)
    course.started()
    infusion = next(o for o in course.card.obligations if o.rule == "INF-01")
    assert (course.card.state, infusion.due_at) == (CourseState.INFUSION, course.now + HOUR)


def test_sc_01_the_article_gives_a_total_of_one_and_a_half_in_cycle_1() -> None:
    cards = {}
    for protocol in PROTOCOLS:
        course = first_dose()(protocol)
        for number in (1, 8, 15):
            course.now = day(number)
            gives(course, 1, number)
        cards[protocol] = course.card
    label, article = "C1: 1.80 mg/m² (3.27 mg)", "C1: 1.50 mg/m² (2.73 mg)"
    total = {LABEL: label, ARTICLE: article, EU: label}
    assert {p: card.cycle_totals_mg_per_m2 for p, card in cards.items()} == {p: (total[p],) for p in PROTOCOLS}
    assert cards[ARTICLE].divergences == ("DIV-01", "DIV-03", "DIV-07")
    assert {cards[p].divergences for p in PROTOCOLS if p != ARTICLE} == {()}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_02_the_dose_opens_when_the_blasts_have_fallen_to_the_target(protocol: str) -> None:
    course = first_dose(blasts="25")(protocol)
    course.does("record_cytoreduction", Role.NURSE, agent="hydroxyurea")
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=1).type == "DoseGateClosed"
    lab("blasts", "10", ago=MIN)(course.later(hours=2))
    assert course.card.verdict is Verdict.MAY_AUTHORISE


# ── SC-11 … SC-20: the ladder ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_11_the_omitted_dose_cannot_be_given_any_more(protocol: str) -> None:
    course = toxic(8, 7)(protocol)
    assert course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=8).type == "NotTheDoseDue"
    course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=15)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("held", "response", "doses"),
    [
        (15, "none", {1: "0.6", 8: "0.375", 15: "0.375"}),
        (15, "CR", {1: "0.375", 8: "0.375", 15: "0.375"}),
        (8, "none", {1: "0.6", 8: "0.375", 15: "0.375"}),
    ],
)
def test_sc_14_the_whole_cycle_is_cut_by_a_quarter(
    protocol: str, held: int, response: str, doses: dict[int, str]
) -> None:
    course = toxic(held, 20 if held == 15 else 22, response=response)(protocol)
    found = {}
    for number in doses:
        found[number] = str(course.card.dose.mg_per_m2) if course.card.dose else None
        gives(course, 2, number)
        course.now = course.now.replace(hour=8, minute=0) + 7 * DAY
        with course.charting() as chart:
            chart.ready_again(course.now)
    assert found == doses
    totals = {"none": "C2: 1.35 mg/m² (2.45 mg)", "CR": "C2: 1.12 mg/m² (2.04 mg)"}
    assert course.card.cycle_totals_mg_per_m2[-1] == totals[response]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_18_at_level_2_day_15_is_dropped_and_day_1_of_the_next_cycle_is_next(protocol: str) -> None:
    course = gives(at_level_1_and_toxic_again(protocol), 3, 1)
    course.now += 7 * DAY
    gives(course, 3, 8)
    assert course.card.next_dose == "C4D1"
    assert course.card.cycle_totals_mg_per_m2[-1] == "C3: 0.97 mg/m² (1.77 mg)"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_20_a_doctor_who_asks_for_the_full_dose_again_is_refused(protocol: str) -> None:
    course = gives(toxic(15, 14)(protocol), 2, 1)
    course.now += 7 * DAY
    with course.charting() as chart:
        chart.ready_again(course.now, anc="4.0", platelets="300")
    refusal = course.refused("authorise_dose", Role.PRESCRIBER, cycle=2, day=8, mg="0.91")
    assert "DOSE-10" in refusal.rules
    assert course.card.dose is not None
    assert (course.card.dose.level, str(course.card.dose.mg)) == ("L1", "0.68")


# ── SC-25, SC-27: counts ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("after", "verdict"),
    [(71 * HOUR, Verdict.NEED_DATA), (72 * HOUR, Verdict.MAY_AUTHORISE), (73 * HOUR, Verdict.MAY_AUTHORISE)],
)
def test_sc_25_platelets_count_from_72_hours_after_the_transfusion(
    protocol: str, after: timedelta, verdict: Verdict
) -> None:
    course = next_cycle(baseline={"platelets": "60"}, platelets="55")(protocol)
    with course.charting() as chart:
        chart.add({"kind": "transfusion", "product": "platelets"}, course.now - 3 * HOUR - after)
    assert course.card.verdict is verdict


# ── SC-29 … SC-33: cycles ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_29_a_marrow_that_could_not_be_judged_is_missing_data_not_the_end(protocol: str) -> None:
    course = after_cycles(3, ("none", "none", "not_assessable"))(protocol)
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.NEED_DATA, ["RESP-01"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "responses", [("CRi",) * 3, ("CR", "none", "none"), ("none", "CRi", "none"), ("none", "none", "CR")]
)
def test_sc_29_a_response_in_any_of_three_cycles_is_a_response(protocol: str, responses: tuple[str, ...]) -> None:
    assert after_cycles(3, responses)(protocol).card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize(
    ("cycles", "response", "mrd", "blocked"),
    [
        (1, "CR", True, False),
        (2, "CR", True, True),
        (2, "CRi", True, True),
        (2, "CR", False, False),
        (2, "CR", None, False),
        (2, "none", True, False),
        (3, "CR", False, True),
    ],
)
def test_sc_30_a_third_cycle_before_transplant_only_without_the_pair_of_response_and_mrd(
    cycles: int, response: str, mrd: bool | None, blocked: bool
) -> None:
    card = after_cycles(cycles, response, mrd=mrd, planned=True)(LABEL).card
    assert (card.verdict is Verdict.BLOCK_CYCLE) == blocked
    assert ("DOSE-08" in standing_rules(card)) == blocked


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", ["withdraw_transplant_plan", "declare_no_transplant"])
def test_sc_30_opens_again_when_the_transplant_plan_is_withdrawn(protocol: str, how: str) -> None:
    course = after_cycles(2, "CR", mrd=True, planned=True)(protocol)
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3).rules == ("DOSE-08",)
    course.does(how, Role.PRESCRIBER, **({"reason": "no donor"} if how.startswith("withdraw") else {}))
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3)
    course.does("plan_transplant", Role.PRESCRIBER)
    assert course.card.verdict is Verdict.BLOCK_CYCLE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_30_a_cycle_that_has_begun_is_not_blocked_in_its_middle(protocol: str) -> None:
    course = after_cycles(2, "CR", mrd=True)(protocol)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3)
    with course.charting() as chart:
        chart.dose(3, 1, course.now)
        chart.add({"kind": "transplant_planned"}, course.now + 6 * DAY, Role.PRESCRIBER)
        chart.ready_again(course.now + 7 * DAY)
    course.now += 7 * DAY
    assert (course.card.next_dose, course.card.verdict) == ("C3D8", Verdict.MAY_AUTHORISE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_32_the_sixth_cycle_is_the_last(protocol: str) -> None:
    assert after_cycles(5, "CR")(protocol).card.verdict is Verdict.MAY_AUTHORISE
    course = after_cycles(6, "CR")(protocol)
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=7).rules == ("DOSE-09",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("on", "may"), [(6, False), (7, True), (8, True), (10, True), (11, False)])
def test_sc_33_day_8_may_be_signed_from_day_7_to_day_10(protocol: str, on: int, may: bool) -> None:
    course = day_8(on)(protocol)
    if may:
        course.does("authorise_dose", Role.PRESCRIBER, cycle=1, day=8)
    else:
        refusal = course.refused("authorise_dose", Role.PRESCRIBER, cycle=1, day=8)
        assert (refusal.type, refusal.rules) == (
            ("TooEarly", ("DAY-03",)) if on < 8 else ("DoseGateClosed", ("DAY-06",))
        )


# ── SC-35 … SC-39: at the bedside ──────────────────────────────────────────────────────────────────────────────────


def interrupted_after_20_minutes(protocol: str, reconstituted_ago: timedelta = timedelta()) -> PaperCourse:
    """A reaction of grade 2 at 20 min, infusion stopped, settled after 15 min."""
    course = first_dose()(protocol).authorised().premedicated().later(hours=1)
    made_at = course.now - reconstituted_ago
    course.prepared(reconstituted_at=made_at, dilution_started_at=made_at + 5 * MIN)
    course.started()
    course.later(minutes=20).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2)
    course.does("interrupt_infusion", Role.NURSE, infused_ml="16.7", reason="flush and fever")
    assert course.card.verdict is Verdict.HOLD_URGENT
    assert course.refused("resume_infusion", Role.NURSE, rate_ml_per_h="25").type == "ReactionNotOver"
    course.premedicated("corticosteroid", "antihistamine").later(minutes=15)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", grade=2, resolved_at=course.now)
    return course


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_35_a_settled_reaction_of_grade_2_lets_the_rest_run_at_half_rate_and_observation_starts_anew(
    protocol: str,
) -> None:
    course = interrupted_after_20_minutes(protocol)
    resumed_at = course.now
    course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    infusion = next(o for o in course.card.obligations if o.rule == "INF-01")
    minutes = (infusion.due_at - resumed_at) / MIN
    assert 79 <= minutes <= 81, "33.3 mL at 25 mL/h take 80 min"
    course.later(minutes=80).does("complete_infusion", Role.NURSE)
    observation = next(o for o in course.card.obligations if o.rule == "INF-02")
    assert observation.due_at == course.now + HOUR


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("made_ago", "may"), [(6 * HOUR + 4 * MIN, True), (6 * HOUR + 7 * MIN, False)])
def test_sc_35_what_cannot_end_within_8_hours_of_reconstitution_is_discarded(
    protocol: str, made_ago: timedelta, may: bool
) -> None:
    """80 min from 6 h 39 min after reconstitution end at 7 h 59 min; three minutes more and they would not."""
    course = interrupted_after_20_minutes(protocol, made_ago)
    if may:
        course.does("resume_infusion", Role.NURSE, rate_ml_per_h="25")
    else:
        assert "INF-06" in course.refused("resume_infusion", Role.NURSE, rate_ml_per_h="25").rules
        course.does("complete_infusion", Role.NURSE, stopped_early=True)
        assert course.card.state is CourseState.OBSERVATION


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_36_a_grade_3_reaction_stands_whatever_time_does(protocol: str) -> None:
    course = reaction_of_grade_3(protocol).later(days=400)
    assert course.card.verdict is Verdict.DISCONTINUED
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2).type == "DoseGateClosed"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_38_without_an_antihistamine_the_dose_may_not_start(protocol: str) -> None:
    course = first_dose()(protocol).authorised()
    course.premedicated("corticosteroid", "antipyretic").later(hours=1).prepared()
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert ["antihistamine" in f.reason for f in said(course.card, "PRE-07")] == [True]
    refusal = course.refused(
        "start_infusion", Role.NURSE, cycle=1, day=1, preparation_id="bag-1", identifiers_checked=["a", "b"]
    )
    assert refusal.rules == ("PRE-07",)
    override = {"cycle": 1, "day": 1, "rule": "PRE-07", "reason": "given at home"}
    if protocol != ARTICLE:
        course.does("override", Role.PRESCRIBER, **override)
    else:
        assert course.refused("override", Role.PRESCRIBER, **override).type == "NotOverridable"
        allergy = {"kind": "allergy", "substance": "clemastine", "premedication_class": "antihistamine"}
        course.does("record_finding", Role.NURSE, finding=allergy)
        given = course.does("override", Role.PRESCRIBER, **override)
        assert course.card.verdict is Verdict.MAY_AUTHORISE, "a second person is still missing"
        course.does("countersign", COLLEAGUE, target=given.id)
    assert course.card.verdict is Verdict.MAY_START


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("after", "discarded"),
    [(4 * HOUR - SECOND, False), (4 * HOUR, False), (4 * HOUR + SECOND, True), (4 * HOUR + 5 * MIN, True)],
)
def test_sc_39_reconstituted_at_8_diluted_at_12_05_is_discarded(
    protocol: str, after: timedelta, discarded: bool
) -> None:
    course = first_dose()(protocol).authorised().premedicated().later(hours=1)
    course.prepared(reconstituted_at=course.now - after, dilution_started_at=course.now)
    assert (course.card.verdict is Verdict.MAY_START) != discarded
    assert bool(said(course.card, "PREP-11")) == discarded


# ── SC-41 … SC-48: after and before a transplant ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_41_only_a_physician_makes_it_a_permanent_stop_and_time_does_nothing(protocol: str) -> None:
    course = after_transplant(10, bilirubin="2.4", kg="74.2", signs=LATER_SIGNS)(protocol)
    call = next(o for o in course.card.obligations if "judge" in f"{o.key} {o.title} {o.clears}".lower())
    assert call.owner in (Role.PHYSICIAN, Role.PRESCRIBER)
    assert course.refused("judge_vod", Role.NURSE, judgement="excluded", other_cause="x").type == "RoleNotAllowed"
    course.later(days=30)
    assert course.card.verdict is Verdict.HOLD_URGENT
    course.does("judge_vod", Role.PHYSICIAN, judgement="confirmed")
    assert (course.card.verdict, said(course.card, "NON-01")[0].verdict) == (
        Verdict.DISCONTINUED,
        Verdict.DISCONTINUED,
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_46_the_weekly_test_after_transplant_is_due_and_overdue_to_the_second(protocol: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    day_0, last_test = datetime(2026, 3, 1, 12, tzinfo=berlin), datetime(2026, 3, 8, 8, tzinfo=berlin)
    chart = ChartBuilder(protocol).ready(day_0 - 60 * DAY).cycle(1, day_0 - 60 * DAY)
    chart.add({"kind": "transplant", "transplanted_on": "2026-03-01"}, day_0, Role.PRESCRIBER)
    chart.labs(last_test, *LIVER)
    moments = {
        last_test + 7 * DAY - SECOND: "coming",
        last_test + 7 * DAY: "due",
        last_test + 8 * DAY: "due",
        last_test + 8 * DAY + SECOND: "overdue",
        last_test + 8 * DAY + MIN: "overdue",
    }
    for now, standing in moments.items():
        test = next(o for o in PaperCourse(chart, now).card.obligations if o.rule == "MON-03")
        assert (test.due_at, test.overdue_at) == (last_test + 7 * DAY, last_test + 8 * DAY)
        assert test.standing == standing


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_48_each_hard_alert_is_signed_off_by_a_physician(protocol: str) -> None:
    course = then(next_cycle(bilirubin=x_uln("bilirubin", "1.0")), conditioned_with_two_alkylators)(protocol)
    for risk in ("two_alkylators", "bilirubin_at_uln"):
        charted({"kind": "risk_accepted", "risk": risk, "reason": "no other conditioning"}, ago=MIN)(course)
    alerts = [f for f in course.card.findings if f.rule in ("RISK-01", "RISK-06")]
    assert not [f for f in alerts if f.clears], "both are signed"


# ── SC-52 … SC-59 ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", US)
def test_sc_52_on_the_first_birthday_the_card_changes_by_itself(protocol: str) -> None:
    course = born(date(2025, 3, 3))(protocol)
    birthday = datetime.fromisoformat("2026-03-03T00:00:00+01:00")
    assert course.card.verdict is Verdict.PROPOSE_DISCONTINUE
    assert course.card.valid_until is not None
    assert course.card.valid_until <= birthday
    course.now = birthday
    assert "DOSE-11" not in standing_rules(course.card)


@pytest.mark.parametrize("protocol", US)
def test_sc_54_on_another_protocol_two_people_sign_the_benefit_off(protocol: str) -> None:
    course = stated(severe_vod=True)(protocol)
    given = course.does("override", Role.PRESCRIBER, cycle=1, day=1, rule="EU-04", reason="no other way")
    assert course.card.verdict is Verdict.HOLD
    course.does("countersign", COLLEAGUE, target=given.id)
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_56_a_signature_for_the_old_weight_lapses(protocol: str) -> None:
    course = day_8()(protocol).authorised(1, 8)
    charted({"kind": "weight", "kg": "62"})(course.later(minutes=5))
    assert course.card.dose is not None
    assert str(course.card.dose.mg) == "0.86"
    assert "lapsed" in " ".join(f.reason for f in said(course.card, "OWN-01"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sc_59_the_timer_that_fires_on_the_day_of_the_dose_releases_nothing(protocol: str) -> None:
    row = next(row for row in ROWS if row.id == "SC-59")
    course = row.story(protocol)
    for hours in (12, 24, 30, 48):
        course.now = day(14) + hours * HOUR
        assert course.card.verdict is Verdict.HOLD_URGENT
        assert not any(c.may for c in course.card.commands if c.command in ("authorise_dose", "start_infusion"))
