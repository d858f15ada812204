"""The worked scenarios of the clinical reference, part I, as far as this set of rules decides them.

Each row holds under both protocols; where the article speaks itself (0.5 mg/m² in cycle 1, 28 days, premedication a
hard gate) the row says so. A case that a later rule will decide is HOLD, never a pass.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from models.assessment import CourseState, Verdict
from models.people import Role
from tests.factories import ARTICLE, D1, LABEL, ULN, ChartBuilder, PaperCourse, standing_rules

DAY = timedelta(days=1)
D6, D8, D15, D29 = D1 + 5 * DAY, D1 + 7 * DAY, D1 + 14 * DAY, D1 + 28 * DAY
Story = Callable[[str], PaperCourse]


@dataclass(frozen=True)
class Scenario:
    """One row: what is charted, and what the card must say, by protocol where they differ."""

    id: str
    words: str
    story: Story
    verdict: Verdict
    rules: tuple[str, ...] = ()
    dose: dict[str, tuple[str, str, str, int]] = field(default_factory=dict)


def x_uln(analyte: str, multiple: str) -> str:
    """A value as a multiple of the laboratory's ULN, in its unit."""
    return format(Decimal(ULN[analyte]) * Decimal(multiple), "f")


def first_dose(**values: str) -> Story:
    return lambda protocol: PaperCourse(ChartBuilder(protocol).ready(**values), D1)


def dose_on(at: datetime, kg: str = "70", **values: str) -> Story:
    """Day 8 of cycle 1, whenever it is asked for."""
    return lambda protocol: PaperCourse(
        ChartBuilder(protocol).ready().dose(1, 1, D1).ready_again(at, kg=kg, **values), at
    )


def second_cycle(baseline: dict[str, str] | None = None, **values: str) -> Story:
    return lambda protocol: PaperCourse(
        ChartBuilder(protocol).ready(**(baseline or {})).cycle(1, D1).ready_for_cycle(D29, **values), D29
    )


def after_cycles(cycles: int, response: str, mrd_negative: bool | None = None, planned: bool = False) -> Story:
    """So many cycles of 28 days with the same response, everything in order for the next."""

    def story(protocol: str) -> PaperCourse:
        chart, at = ChartBuilder(protocol).ready(), D1
        if planned:
            chart.add({"kind": "transplant_planned"}, D1, Role.PRESCRIBER)
        for number in range(1, cycles + 1):
            chart.cycle(number, at, response=response, mrd_negative=mrd_negative)
            at += 28 * DAY
        chart.ready_for_cycle(at, response, cycles)
        chart.facts = [f for f in chart.facts if not (f.at == at - timedelta(hours=4) and f.what.kind == "response")]
        return PaperCourse(chart, at)

    return story


def born(on: date) -> Story:
    return lambda protocol: PaperCourse(ChartBuilder(protocol, birth_on=on).ready(), D1)


def without_uln(protocol: str) -> PaperCourse:
    chart = ChartBuilder(protocol).ready()
    chart.result("alt", "30", D1 - timedelta(hours=1), uln=None)
    return PaperCourse(chart, D1)


def reaction_of_grade_3(protocol: str) -> PaperCourse:
    course = PaperCourse(ChartBuilder(protocol).ready(D1), D1).ready_to_start()
    course.started()
    course.later(minutes=20).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=3)
    return course


def timer_fires_while_vod_is_suspected(protocol: str) -> PaperCourse:
    chart = ChartBuilder(protocol).ready().dose(1, 1, D1).dose(1, 8, D8).ready_again(D15)
    signs = {"ruq_pain": True, "hepatomegaly": True, "painful_hepatomegaly": True, "ascites": True, "oedema": False}
    chart.add({"kind": "vod_examination", **signs}, D15 - timedelta(minutes=30), Role.PHYSICIAN)
    return PaperCourse(chart, D15)


def with_qtcf(protocol: str, ms: str) -> PaperCourse:
    course = second_cycle()(protocol)
    chart = ChartBuilder(protocol)
    chart.facts = list(course.chart.facts)
    chart.add({"kind": "ecg", "qtcf_ms": ms}, D29 - timedelta(hours=1))
    return PaperCourse(chart, D29)


SCENARIOS = (
    Scenario(
        "SC-01",
        "C1D1, 170 cm, 70 kg, blasts 8, labs normal: give",
        first_dose(blasts="8"),
        Verdict.MAY_AUTHORISE,
        dose={LABEL: ("0.8", "1.45", "5.80", 2), ARTICLE: ("0.5", "0.91", "3.64", 2)},
    ),
    Scenario("SC-02", "blasts 25: cytoreduce", first_dose(blasts="25"), Verdict.CYTOREDUCE, ("CYT-02",)),
    Scenario("SC-03", "blasts exactly 10.0: pass", first_dose(blasts="10.0"), Verdict.MAY_AUTHORISE),
    Scenario(
        "SC-04",
        "C1D8, bilirubin 1.8 and ALT 3.0 x ULN: hold",
        dose_on(D8, bilirubin=x_uln("bilirubin", "1.8"), alt=x_uln("alt", "3.0")),
        Verdict.HOLD,
        ("NON-02",),
    ),
    Scenario(
        "SC-06",
        "C1D8, bilirubin 1.6, ALT 1.0 x ULN: hold, not NON-02",
        dose_on(D8, bilirubin=x_uln("bilirubin", "1.6"), alt=x_uln("alt", "1.0")),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Scenario(
        "SC-07",
        "C1D8, ALT 2.8 x ULN alone: hold",
        dose_on(D8, alt=x_uln("alt", "2.8")),
        Verdict.HOLD,
        ("NON-08",),
    ),
    Scenario("SC-09", "C1D8, ALT 6 x ULN alone", dose_on(D8, alt=x_uln("alt", "6")), Verdict.HOLD, ("NON-08",)),
    Scenario(
        "SC-21",
        "C1D8, ANC 0.2, platelets 12, no fever, no bleeding: give",
        dose_on(D8, anc="0.2", platelets="12"),
        Verdict.MAY_AUTHORISE,
        dose={LABEL: ("0.5", "0.91", "3.64", 2), ARTICLE: ("0.5", "0.91", "3.64", 2)},
    ),
    Scenario(
        "SC-22",
        "C2D1, baseline ANC 2.0, now 0.9: hold",
        second_cycle({"anc": "2.0"}, anc="0.9"),
        Verdict.HOLD,
        ("HEM-01",),
    ),
    Scenario(
        "SC-24",
        "C2D1, baseline platelets 60, now 49, no transfusion: hold",
        second_cycle({"platelets": "60"}, platelets="49"),
        Verdict.HOLD,
        ("HEM-03",),
    ),
    Scenario(
        "SC-27",
        "baseline ANC 0.6, platelets 20: a low baseline is not decided yet, so hold",
        second_cycle({"anc": "0.6", "platelets": "20"}, anc="0.7", platelets="22"),
        Verdict.HOLD,
        ("HEM-01", "HEM-05", "HEM-03"),
    ),
    Scenario(
        "SC-29", "end of C3, no response: no further cycle", after_cycles(3, "none"), Verdict.BLOCK_CYCLE, ("DOSE-07",)
    ),
    Scenario(
        "SC-30",
        "transplant planned, CR and MRD negative after C2; C3: block",
        after_cycles(2, "CR", mrd_negative=True, planned=True),
        Verdict.BLOCK_CYCLE,
        ("DOSE-08",),
    ),
    Scenario("SC-32", "no transplant, CR; C7: block", after_cycles(6, "CR"), Verdict.BLOCK_CYCLE, ("DOSE-09",)),
    Scenario("SC-33", "D8 asked for on day 6: too early", dose_on(D6), Verdict.TOO_EARLY, ("DAY-03",)),
    Scenario("SC-36", "reaction of grade 3: stop", reaction_of_grade_3, Verdict.DISCONTINUED, ("NON-05",)),
    Scenario(
        "SC-49",
        "C2D1, QTcF 506: hold",
        lambda p: with_qtcf(p, "506"),
        Verdict.HOLD,
        ("QT-01",),
    ),
    Scenario(
        "SC-50",
        "K 2.9, Mg 1.1 at D1: correct first",
        first_dose(potassium="2.9", magnesium="1.1"),
        Verdict.HOLD,
        ("QT-05",),
    ),
    Scenario(
        "SC-52", "child of 11 months: not approved", born(date(2025, 4, 1)), Verdict.PROPOSE_DISCONTINUE, ("DOSE-11",)
    ),
    Scenario("SC-52", "child of 12 months: allowed", born(date(2025, 3, 2)), Verdict.MAY_AUTHORISE),
    Scenario(
        "SC-56",
        "weight 70 to 62 kg at D8: the lower dose is not proposed yet, so hold",
        dose_on(D8, kg="62"),
        Verdict.HOLD,
        ("BSA-08",),
    ),
    Scenario("SC-58", "ALT without ULN: never assume one", without_uln, Verdict.NEED_DATA, ("CONV-03",)),
    Scenario(
        "SC-59",
        "VOD suspected, C1D15 due, the timer fires: no dose",
        timer_fires_while_vod_is_suspected,
        Verdict.HOLD_URGENT,
        ("VOD-05", "VOD-11"),
    ),
)


@pytest.mark.parametrize("protocol", [LABEL, ARTICLE])
@pytest.mark.parametrize("row", SCENARIOS, ids=lambda row: f"{row.id} {row.words}")
def test_scenario(row: Scenario, protocol: str) -> None:
    card = row.story(protocol).card
    assert (card.verdict, standing_rules(card)) == (row.verdict, list(row.rules))
    if row.dose:
        assert card.dose is not None
        mg_per_m2, mg, ml, vials = row.dose[protocol]
        given = (str(card.dose.mg_per_m2), str(card.dose.mg), str(card.dose.ml), card.dose.vials)
        assert given == (mg_per_m2, mg, ml, vials)
        assert str(card.dose.bsa_m2) == "1.82"


@pytest.mark.parametrize("protocol", [LABEL, ARTICLE])
@pytest.mark.parametrize("row", SCENARIOS, ids=lambda row: f"{row.id} {row.words}")
def test_no_signature_and_no_start_unless_the_scenario_gives(row: Scenario, protocol: str) -> None:
    course = row.story(protocol)
    may = {c.command for c in course.card.commands if c.may}
    assert "start_infusion" not in may
    assert ("authorise_dose" in may) == (row.verdict is Verdict.MAY_AUTHORISE)


def test_sc_01_after_premedication_and_preparation_the_dose_may_start() -> None:
    course = PaperCourse(ChartBuilder().ready(D1, blasts="8"), D1).ready_to_start()
    assert (course.card.verdict, course.card.state) == (Verdict.MAY_START, CourseState.PREMEDICATION)


def test_sc_01_the_article_gives_a_total_of_one_and_a_half_in_cycle_1() -> None:
    cards = {
        protocol: PaperCourse(ChartBuilder(protocol).ready().cycle(1, D1), D1 + 20 * DAY).card
        for protocol in (LABEL, ARTICLE)
    }
    assert cards[LABEL].cycle_totals_mg_per_m2 == ("C1: 1.8 mg/m²",)
    assert cards[ARTICLE].cycle_totals_mg_per_m2 == ("C1: 1.5 mg/m²",)
    assert cards[ARTICLE].divergences == ("DIV-01", "DIV-03", "DIV-07")
    assert cards[LABEL].divergences == ()


def test_sc_29_a_marrow_that_could_not_be_judged_is_missing_data_not_the_end() -> None:
    course = after_cycles(3, "none")(LABEL)
    course.does("record_response", Role.PHYSICIAN, cycle=3, response="not_assessable")
    assert course.card.verdict is Verdict.NEED_DATA
    assert standing_rules(course.card) == ["RESP-01"]


def test_sc_29_cri_counts_as_a_response() -> None:
    course = after_cycles(3, "CRi")(LABEL)
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize(
    ("cycles", "response", "mrd_negative", "blocked"),
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
    cycles: int, response: str, mrd_negative: bool | None, blocked: bool
) -> None:
    card = after_cycles(cycles, response, mrd_negative, planned=True)(LABEL).card
    assert (card.verdict is Verdict.BLOCK_CYCLE) == blocked
    assert ("DOSE-08" in standing_rules(card)) == blocked


def test_sc_30_opens_again_when_no_transplant_is_planned_any_more() -> None:
    course = after_cycles(2, "CR", mrd_negative=True, planned=True)(LABEL)
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=3).rules == ("DOSE-08",)
    course.does("declare_no_transplant", Role.PRESCRIBER)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3)
    course.does("plan_transplant", Role.PRESCRIBER)
    assert course.card.verdict is Verdict.BLOCK_CYCLE


def test_sc_30_a_cycle_that_has_begun_is_not_blocked_in_its_middle() -> None:
    course = after_cycles(2, "CR", mrd_negative=True)(LABEL)
    course.does("start_next_cycle", Role.PRESCRIBER, cycle=3)
    chart = ChartBuilder()
    chart.facts = list(course.chart.facts)
    day_8 = course.now + 7 * DAY
    chart.dose(3, 1, course.now).add({"kind": "transplant_planned"}, day_8 - DAY, Role.PRESCRIBER)
    card = PaperCourse(chart.ready_again(day_8), day_8).card
    assert (card.next_dose, card.verdict) == ("C3D8", Verdict.MAY_AUTHORISE)


def test_sc_32_the_sixth_cycle_is_the_last() -> None:
    assert after_cycles(5, "CR")(LABEL).card.verdict is Verdict.MAY_AUTHORISE
    assert after_cycles(6, "CR")(LABEL).refused("start_next_cycle", Role.PRESCRIBER, cycle=7).rules == ("DOSE-09",)


def test_sc_36_a_grade_3_reaction_stands_whatever_time_does() -> None:
    course = reaction_of_grade_3(LABEL)
    assert course.card.state is CourseState.REACTION
    course.later(days=400)
    assert course.card.verdict is Verdict.DISCONTINUED
    assert course.refused("start_next_cycle", Role.PRESCRIBER, cycle=2).type == "DoseGateClosed"


@pytest.mark.parametrize(
    ("protocol", "who"), [(LABEL, "prescriber_with_reason"), (ARTICLE, "prescriber_and_second_person")]
)
def test_sc_38_without_an_antihistamine_the_dose_may_not_start(protocol: str, who: str) -> None:
    course = PaperCourse(ChartBuilder(protocol).ready(D1), D1).authorised()
    course.premedicated("corticosteroid", "antipyretic").later(hours=1).prepared()
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    missing = [f for f in course.card.findings if f.rule == "PRE-07"]
    assert ["antihistamine" in f.reason for f in missing] == [True]
    assert [f.override for f in missing] == [who]


@pytest.mark.parametrize(
    ("minutes", "discarded"), [(239, False), (240, False), (241, True), (245, True)], ids=lambda value: str(value)
)
def test_sc_39_reconstituted_at_8_diluted_at_12_05_is_discarded(minutes: int, discarded: bool) -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).authorised().premedicated().later(hours=1)
    made_at = course.now - timedelta(minutes=minutes)
    course.prepared(reconstituted_at=made_at, dilution_started_at=course.now)
    assert (course.card.verdict is Verdict.MAY_START) != discarded
    assert any(f.rule == "PREP-11" for f in course.card.findings) == discarded


def test_sc_46_the_weekly_test_after_transplant_is_due_and_overdue_to_the_second() -> None:
    zone_of_berlin = timedelta(hours=1)
    day_0 = datetime.fromisoformat("2026-03-01T12:00:00+00:00") - zone_of_berlin
    chart = ChartBuilder().ready(day_0 - 60 * DAY).cycle(1, day_0 - 60 * DAY)
    chart.add({"kind": "transplant", "transplanted_on": "2026-03-01"}, day_0, Role.PRESCRIBER)
    last_test = datetime.fromisoformat("2026-03-08T08:00:00+00:00") - zone_of_berlin
    chart.labs(last_test, "alt", "ast", "alp", "bilirubin")
    seen = {}
    for words, now in {
        "the second before": last_test + 7 * DAY - timedelta(seconds=1),
        "15 March 08:00": last_test + 7 * DAY,
        "16 March 08:00": last_test + 8 * DAY,
        "16 March 08:00:01": last_test + 8 * DAY + timedelta(seconds=1),
        "16 March 08:01": last_test + 8 * DAY + timedelta(minutes=1),
    }.items():
        test = next(o for o in PaperCourse(chart, now).card.obligations if o.rule == "MON-03")
        assert (test.due_at, test.overdue_at) == (last_test + 7 * DAY, last_test + 8 * DAY)
        seen[words] = test.standing
    assert list(seen.values()) == ["coming", "due", "due", "overdue", "overdue"]


def test_sc_52_on_the_first_birthday_the_card_changes_by_itself() -> None:
    course = born(date(2025, 3, 3))(LABEL)
    birthday = datetime.fromisoformat("2026-03-03T00:00:00+01:00")
    assert course.card.verdict is Verdict.PROPOSE_DISCONTINUE
    assert course.card.valid_until is not None
    assert course.card.valid_until <= birthday
    course.now = birthday
    assert "DOSE-11" not in standing_rules(course.card)
