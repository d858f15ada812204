"""Second table, people: VOD kept (VOD-13), pregnancy (MON-11a), corrections (COR-03, COR-04), totals, deviations, calls."""

from datetime import date, timedelta

from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse
from tests.further.language import (
    C2,
    D8,
    FIRST,
    Step,
    corrects,
    does,
    looked,
    patient_who,
    row,
    sends,
    taken_back,
    waits,
    weighed,
    without,
)
from tests.scenarios import DAY, HOUR, MIN, SECOND, Story, after_cycles, after_transplant, charted, day, day_15, then

D15 = day_15()


def suspected(on_day: int = 10, **person: object) -> Story:
    """So many days after a transplant, a day after bilirubin, weight and ascites made VOD suspected."""

    def story(protocol: str) -> PaperCourse:
        course = after_transplant(on_day, bilirubin="3.4", kg="75", signs={"ascites": True})(protocol)
        return patient_after(course, person).later(days=1)

    return story


def patient_after(course: PaperCourse, person: dict[str, object]) -> PaperCourse:
    """The same course of somebody who differs in this."""
    if person:
        patient_who(**person)(course)
    return course


def judged(judgement: str, **fields: object) -> Step:
    """A physician judges VOD."""
    return does("judge_vod", Role.PHYSICIAN, judgement=judgement, **fields)


EIGHTEEN = date(2008, 5, 12)
"""Eighteen on the day after the suspicion of `suspected`."""
EXCLUDED = judged("excluded", other_cause="fluid overload")
VOD = (
    row("suspicion of VOD", "then a nurse finds nothing", suspected(), looked(), right="HOLD_URGENT", rules="VOD-13"),
    row(
        "suspicion of VOD",
        "then a physician finds nothing",
        suspected(),
        looked(Role.PHYSICIAN),
        right="HOLD_URGENT",
        rules="VOD-13",
    ),
    row("suspicion of VOD", "then the weight falls", suspected(), weighed("70"), right="HOLD_URGENT", rules="VOD-13"),
    row(
        "suspicion of VOD",
        "then everything is normal",
        suspected(),
        weighed("70"),
        looked(),
        sends("bilirubin", "0.6"),
        right="HOLD_URGENT",
        rules="VOD-13",
    ),
    row(
        "suspicion of VOD",
        "then bilirubin is cancelled",
        suspected(),
        sends("bilirubin", None, status="cancelled"),
        right="HOLD_URGENT",
        rules="VOD-13",
    ),
    row(
        "suspicion of VOD",
        "then the 21st day passes",
        suspected(19),
        waits(days=5),
        right="HOLD_URGENT",
        rules="VOD-13",
    ),
    row("suspicion of VOD", "then six weeks pass", suspected(), waits(days=42), right="HOLD_URGENT", rules="VOD-13"),
    row(
        "suspicion of VOD",
        "then the 18th birthday comes",
        suspected(birth_on=EIGHTEEN),
        waits(days=2),
        right="HOLD_URGENT",
        rules="VOD-13 VOD-12",
    ),
    row(
        "suspicion of VOD",
        "then the ascites is corrected away",
        suspected(),
        corrects(
            "vod_examination",
            {
                "kind": "vod_examination",
                "ruq_pain": False,
                "hepatomegaly": False,
                "painful_hepatomegaly": False,
                "ascites": False,
                "oedema": False,
            },
        ),
        right="HOLD_URGENT",
        rules="VOD-13",
    ),
    row("suspicion of VOD", "a physician excludes it", suspected(), EXCLUDED, right="NO_DOSE_DUE", rules="VOD-13"),
    row(
        "suspicion of VOD",
        "excluded, and the calendar goes on",
        suspected(19),
        EXCLUDED,
        waits(days=8),
        right="NO_DOSE_DUE",
        rules="VOD-13",
    ),
    row(
        "suspicion of VOD",
        "excluded, then bilirubin is higher",
        suspected(),
        EXCLUDED,
        waits(days=1),
        sends("bilirubin", "6.0"),
        right="HOLD_URGENT",
        rules="VOD-13",
    ),
    row(
        "suspicion of VOD",
        "excluded, then pain",
        suspected(),
        EXCLUDED,
        waits(days=1),
        looked(Role.PHYSICIAN, ascites=True, ruq_pain=True, painful_hepatomegaly=True, hepatomegaly=True),
        right="HOLD_URGENT",
        rules="VOD-13",
    ),
)

SHE = patient_who(child_bearing_potential=True)
NOT_SHE = patient_who(child_bearing_potential=False)


def a_test(result: str, ago: timedelta = HOUR) -> Step:
    """A pregnancy test as a person charts it."""
    return charted({"kind": "pregnancy_test", "result": result}, ago=ago)


def hcg(code: str, value: str | None, **fields: object) -> Step:
    """An hCG as a laboratory sends it."""
    return sends("ldh", value, loinc=code, **{"unit": "m[IU]/mL", "uln": None, "lln": None, **fields})


PREGNANCY = (
    row("pregnancy", "positive before day 15", D15, SHE, a_test("positive"), right="HOLD", rules="MON-11a"),
    row("pregnancy", "unclear before day 15", D15, SHE, a_test("unclear"), right="NEED_DATA", rules="MON-11a"),
    row(
        "pregnancy",
        "positive before day 8 where the chart says that she cannot",
        D8,
        NOT_SHE,
        a_test("positive"),
        right="HOLD",
        rules="MON-11a",
    ),
    row(
        "pregnancy",
        "positive before a new cycle where the chart says that she cannot",
        C2,
        NOT_SHE,
        a_test("positive"),
        right="HOLD",
        rules="MON-11a",
    ),
    row(
        "pregnancy",
        "qualitative 2112-1 positive before day 8",
        D8,
        SHE,
        hcg("2112-1", None, text="positive", unit=None),
        right="HOLD",
        rules="MON-11a",
    ),
    row(
        "pregnancy",
        "qualitative 80384-1 positive before day 15",
        D15,
        SHE,
        hcg("80384-1", None, text="Positive", unit=None),
        right="HOLD",
        rules="MON-11a",
    ),
    row(
        "pregnancy",
        "quantitative 45194-8 above its limit",
        D8,
        SHE,
        hcg("45194-8", "900", uln="5"),
        right="HOLD",
        rules="MON-11a",
    ),
    row(
        "pregnancy",
        "quantitative 45194-8 without a limit",
        D15,
        SHE,
        hcg("45194-8", "900"),
        right="NEED_DATA",
        rules="MON-11a",
    ),
    row(
        "pregnancy",
        "hCG 2110-5 in words that nobody understands",
        D8,
        SHE,
        hcg("2110-5", None, text="see note", unit=None),
        right="NEED_DATA",
        rules="MON-11a",
    ),
    row(
        "pregnancy",
        "positive, then an unclear one",
        D8,
        SHE,
        a_test("positive", 3 * HOUR),
        a_test("unclear"),
        right="HOLD",
        rules="MON-11a LAB-10",
    ),
)

NO_BLEEDING = {"kind": "infection_bleeding", "temperature_c": "36.8", "infection": False, "active_bleeding": False}


def old(kind: str) -> Step:
    """The findings of this kind of today never came: only those of the last dose stand."""

    def step(course: PaperCourse) -> None:
        kept = [f for f in course.chart.facts if not (f.what.kind == kind and f.at >= course.now - 12 * HOUR)]
        course.chart = course.chart.model_copy(update={"facts": tuple(kept)})

    return step


CORRECTIONS = (
    row(
        "age of a correction",
        "a check for infection of a week ago, corrected today",
        D8,
        old("infection_bleeding"),
        corrects("infection_bleeding", NO_BLEEDING),
        right="NEED_DATA",
        rules="COR-03 MON-16",
    ),
    row(
        "age of a correction",
        "a weight of last week, corrected today",
        D8,
        old("weight"),
        corrects("weight", {"kind": "weight", "kg": "71"}),
        right="NEED_DATA",
        rules="COR-03 DATA-02",
    ),
    row(
        "age of a correction",
        "an ECG of the last cycle, corrected today",
        C2,
        old("ecg"),
        corrects("ecg", {"kind": "ecg", "qtcf_ms": "425"}),
        right="NEED_DATA",
        rules="COR-03 DATA-03",
    ),
)


def given(mg: str, minutes: int = 60, *, early: bool = False, late_days: int = 0, twice: bool = False) -> Story:
    """Day 8 of cycle 1 was given, of this amount, and it is the day after."""
    at = day(8) + late_days * DAY

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1).ready_again(at)
        for start in (at, at + 3 * HOUR) if twice else (at,):
            said = {"kind": "infusion_started", "cycle": 1, "day": 8, "mg": mg, "preparation_id": "p-8"}
            chart.add({**said, "identifiers_checked": ["name", "birth date"]}, start)
            chart.add({"kind": "infusion_completed", "stopped_early": early}, start + minutes * MIN)
            chart.add({"kind": "observation_ended", "minutes": 60, "complete": True}, start + (minutes + 60) * MIN)
        return PaperCourse(chart, at + DAY)

    return story


def elsewhere(mg: str) -> Step:
    """Day 8 was given at another site two hours ago."""
    return lambda course: course.does(
        "record_administration", Role.NURSE, cycle=1, day=8, mg=mg, at=course.now - 2 * HOUR, where="another site"
    )


GIVEN = (
    row("totals", "another site gave 0.45 mg on day 8", D8, elsewhere("0.45"), right="C1 total 0.75", rules="DOSE-15"),
    row("totals", "day 8 twice", given("0.91", twice=True), right="C1 total 1.50", rules="DOSE-15"),
    row(
        "deviations",
        "day 8 four days late",
        given("0.91", late_days=5),
        right="deviation DAY-07 on the card",
        rules="DAY-07",
    ),
    row(
        "deviations",
        "day 8 at another site",
        D8,
        elsewhere("0.91"),
        right="deviation DAY-07 on the card",
        rules="DAY-07",
    ),
    row("deviations", "day 8 twice", given("0.91", twice=True), right="deviation DAY-07 on the card", rules="DAY-07"),
    row(
        "deviations",
        "an hour's infusion charted as over after 3 minutes",
        given("0.91", minutes=3),
        right="deviation INF-07 on the card",
        rules="INF-07",
    ),
)

CYCLES = (
    row(
        "gates of commands",
        "a positive pregnancy test",
        then(C2, SHE),
        a_test("positive"),
        right="start_next_cycle refused",
        rules="DOSE-08a",
    ),
    row(
        "gates of commands",
        "an implausible AST",
        C2,
        sends("ast", "60000"),
        right="start_next_cycle refused",
        rules="DOSE-08a",
    ),
    row(
        "gates of commands", "a GGT of 400", C2, sends("ggt", "400"), right="start_next_cycle refused", rules="DOSE-08a"
    ),
    row(
        "gates of commands",
        "a high GGT with an unusable newest",
        C2,
        sends("ggt", "400", ago=2 * HOUR),
        sends("ggt", "30", status="preliminary"),
        right="start_next_cycle refused",
        rules="DOSE-08a LAB-10",
    ),
    row(
        "reasons",
        "a third cycle before a transplant, after a complete remission",
        after_cycles(2, "CR", mrd=False, planned=True),
        right="a reason is asked",
        rules="DOSE-08a",
    ),
)

NOT_ELIGIBLE = {"kind": "eligibility", "cd22_positive": False, "method": "flow cytometry"}
SAYS_NOTHING = {"kind": "eligibility"}
LESS = (
    row(
        "knowing less",
        "not eligible, then a statement that answers nothing",
        D8,
        charted(NOT_ELIGIBLE, by=Role.PRESCRIBER),
        charted(SAYS_NOTHING, ago=SECOND, by=Role.PRESCRIBER),
        right="PROPOSE_DISCONTINUE",
        rules="M.0 ELIG-01",
    ),
    row(
        "knowing less",
        "blasts above the limit, then eligibility is not answered",
        FIRST,
        sends("blasts", "30", ago=90 * MIN),
        charted(SAYS_NOTHING, by=Role.PRESCRIBER),
        right="at least CYTOREDUCE",
        rules="M.0 CYT-02",
    ),
    row(
        "knowing less",
        "a haemoglobin of 6 under a signature is taken back",
        D8,
        lambda course: course.ready_to_start(1, 8),
        sends("haemoglobin", "6", ago=MIN, accession="a-9"),
        taken_back("haemoglobin"),
        right="start_infusion refused",
        rules="M.0 E1",
    ),
    row(
        "knowing less",
        "an abnormal liver test that is taken back is tested again",
        D8,
        without("alt"),
        sends("alt", "300", accession="a-9"),
        taken_back("alt"),
        right="obligation or finding LAB-07 overdue",
        rules="M.0 E1 LAB-07",
    ),
    row(
        "knowing less",
        "potassium 14, and 4.1 of the same minute elsewhere",
        D8,
        sends("potassium", "14"),
        sends("potassium", "4.1", sender="lab-b"),
        right="HOLD_URGENT",
        rules="LAB-06 LAB-10",
    ),
    row(
        "knowing less",
        "potassium 14, and 2.8 of the same minute that another laboratory sends later",
        D8,
        sends("potassium", "14"),
        lambda course: course.later(minutes=5),
        sends("potassium", "2.8", ago=HOUR + 5 * MIN, sender="lab-b"),
        right="HOLD_URGENT",
        rules="LAB-06 LAB-11",
    ),
)

ROWS = (*LESS, *VOD, *PREGNANCY, *CORRECTIONS, *GIVEN, *CYCLES)
