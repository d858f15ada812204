"""Clauses that are one line in the reference and easily lost: calendar, preparation, blasts, units, weight, each protocol."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from clinical.course.case import Case
from clinical.dosing.dosing import dose_mg, vials_for, volume_ml
from clinical.treatment.windows import Window, slot_of
from models.assessment import Verdict
from models.people import Role
from models.protocol import Override
from plumbing.protocol_files import load_protocol
from tests.factories import ARTICLE, D1, EU, LABEL, PROTOCOLS, ChartBuilder, PaperCourse, notes, standing_rules

H, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = date(2026, 3, 2)


def window(chart: ChartBuilder, cycle: int, day: int, now: datetime) -> Window:
    found = Case(chart.chart(), load_protocol(chart.course.protocol.name), now).window_of(slot_of(cycle, day))
    assert found is not None
    return found


def nth(day: int) -> date:
    """The date of a day of the cycle that begins on the first."""
    return FIRST + (day - 1) * DAY


# ── calendar ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dose_04_and_day_02_day_8_may_be_given_from_day_7_to_day_10(protocol: str) -> None:
    """Two days early would be day 6; six days after day 1 is day 7."""
    chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
    found = window(chart, 1, 8, D1 + 3 * H)
    assert (found.opens_on, found.nominal_on, found.last_on) == (nth(7), nth(8), nth(10))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("day_8_on", "opens"), [(7, 13), (8, 14), (9, 15), (10, 16)])
def test_dose_04_and_day_02_day_15_follows_the_actual_day_8_by_six_days(
    protocol: str, day_8_on: int, opens: int
) -> None:
    chart = ChartBuilder(protocol).ready().dose(1, 1, D1).dose(1, 8, D1 + (day_8_on - 1) * DAY)
    found = window(chart, 1, 15, D1 + day_8_on * DAY)
    assert (found.opens_on, found.last_on) == (nth(opens), nth(17))


@pytest.mark.parametrize(("protocol", "opens"), [(LABEL, 22), (ARTICLE, 29), (EU, 22)])
def test_day_01_cycle_2_begins_on_day_22_or_where_the_cycle_has_28_days_on_day_29(protocol: str, opens: int) -> None:
    chart = ChartBuilder(protocol).ready().cycle(1, D1)
    assert window(chart, 2, 1, D1 + 16 * DAY).opens_on == nth(opens)
    chart.add({"kind": "cycle_extended", "cycle": 1, "because": "response"}, D1 + 16 * DAY, Role.PRESCRIBER)
    assert window(chart, 2, 1, D1 + 17 * DAY).opens_on == nth(29)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dose_06_and_day_01_a_later_cycle_has_28_days(protocol: str) -> None:
    chart = ChartBuilder(protocol).ready().cycle(1, D1, response="CR").cycle(2, D1 + 28 * DAY)
    assert window(chart, 3, 1, D1 + 45 * DAY).opens_on == FIRST + 56 * DAY


# ── counts, blasts ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_mod_g_02_counts_are_read_on_day_1_of_a_later_cycle_and_on_no_other_day(protocol: str) -> None:
    """At C1D1 the counts are the baseline (AMB-19)."""
    low = {"anc": "0.2", "platelets": "12"}
    first = PaperCourse(ChartBuilder(protocol).ready(**low), D1)
    assert first.card.verdict is Verdict.MAY_AUTHORISE
    eighth = D1 + 7 * DAY
    second = PaperCourse(ChartBuilder(protocol).ready().dose(1, 1, D1).ready_again(eighth, **low), eighth)
    assert second.card.verdict is Verdict.MAY_AUTHORISE
    later = D1 + 28 * DAY
    third = PaperCourse(ChartBuilder(protocol).ready().cycle(1, D1).ready_for_cycle(later, **low), later)
    assert {"HEM-01", "HEM-03"} <= set(standing_rules(third.card))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cyt_01_and_cyt_04_blasts_above_the_limit_are_reduced_first_and_an_old_count_is_no_count(protocol: str) -> None:
    high = PaperCourse(ChartBuilder(protocol).ready(blasts="10.01"), D1).card
    assert (high.verdict, standing_rules(high)) == (Verdict.CYTOREDUCE, ["CYT-02"])
    chart = ChartBuilder(protocol).ready().without("blasts", "blasts_percent")
    chart.labs(D1 - 24 * H, blasts="8")
    assert PaperCourse(chart, D1).card.verdict is Verdict.MAY_AUTHORISE
    assert PaperCourse(chart, D1 + timedelta(seconds=1)).card.verdict is Verdict.NEED_DATA


def test_cyt_06_the_eu_card_asks_for_fluids_and_lower_urate_before_the_first_dose() -> None:
    assert "EU-05" in set(notes(PaperCourse(ChartBuilder(EU).ready(), D1).card))


# ── preparation, vials, weight ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_prep_01_prep_03_and_prep_04_a_quarter_milligram_in_a_millilitre_and_a_bag_of_fifty(protocol: str) -> None:
    preparing = load_protocol(protocol).preparation
    assert volume_ml(Decimal("1.45"), preparing.concentration.number) == Decimal("5.80")
    assert volume_ml(preparing.vial_content.number, preparing.concentration.number) == Decimal("3.60")
    assert preparing.bag_volume.shown() == "50 mL"


@pytest.mark.parametrize(
    ("bsa", "mg_per_m2", "mg", "vials"),
    [
        ("1.80", "0.5", "0.90", 1),
        ("1.81", "0.5", "0.91", 2),
        ("1.8181", "0.8", "1.45", 2),
        ("1.8181", "0.5", "0.91", 2),
        ("1.125", "0.8", "0.90", 1),
    ],
)
def test_vial_02_vial_03_and_vial_04_vials_are_counted_in_decimals(
    bsa: str, mg_per_m2: str, mg: str, vials: int
) -> None:
    dose = dose_mg(Decimal(mg_per_m2), Decimal(bsa))
    assert (dose, vials_for(dose, Decimal("0.9"))) == (Decimal(mg), vials)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dose_12_and_bsa_07_the_dose_follows_the_actual_weight_without_a_cap(protocol: str) -> None:
    chart = ChartBuilder(protocol).ready().without("weight", "height")
    chart.add({"kind": "weight", "kg": "180"}, D1 - 2 * H)
    chart.add({"kind": "height", "cm": "180"}, D1 - 2 * H)
    dose = PaperCourse(chart, D1).card.dose
    assert dose is not None
    assert (dose.weight_kg, dose.bsa_m2) == (Decimal(180), Decimal("3.00"))
    assert dose.mg == dose_mg(dose.mg_per_m2, Decimal(3))


PREMEDICATION_IS_SET_ASIDE_BY = {LABEL: Override.PRESCRIBER, ARTICLE: Override.SECOND_PERSON, EU: Override.PRESCRIBER}


@pytest.mark.parametrize(("protocol", "override"), PREMEDICATION_IS_SET_ASIDE_BY.items())
def test_pre_02_premedication_is_recommended_by_the_label_and_mandatory_in_the_article(
    protocol: str, override: Override
) -> None:
    """Without it nothing starts under any protocol (PRE-07); who may set that aside differs."""
    course = PaperCourse(ChartBuilder(protocol).ready(), D1).authorised().prepared()
    missing = [f for f in course.card.findings if f.rule == "PRE-07"]
    assert {f.override for f in missing} == {str(override)}
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert load_protocol(protocol).premedication.mandatory.holds is (protocol == ARTICLE)


# ── units ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("analyte", "value", "unit"),
    [("bilirubin", "8", ""), ("bilirubin", "8", "g/dL"), ("potassium", "4", "mg/dL"), ("alt", "30", "mmol/L")],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_conv_02_a_unit_is_never_guessed_from_the_magnitude(protocol: str, analyte: str, value: str, unit: str) -> None:
    chart = ChartBuilder(protocol).ready()
    chart.result(analyte, value, D1 - H, unit=unit)
    card = PaperCourse(chart, D1).card
    assert (card.verdict, standing_rules(card)) == (Verdict.NEED_DATA, ["CONV-01"])


# ── the day after a transplant ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_vod_08_day_21_ends_at_a_midnight_and_the_card_says_so_before(protocol: str) -> None:
    """Tissue that proves VOD is late onset from day 22 on (VOD-04): the clock must ask again just then."""
    chart = ChartBuilder(protocol).ready().cycle(1, D1)
    day_0 = D1 + 30 * DAY
    chart.add({"kind": "transplant", "transplanted_on": "2026-04-01"}, day_0, Role.PRESCRIBER)
    chart.add({"kind": "imaging", "method": "histology", "suggests_vod": True}, day_0 + DAY, Role.PHYSICIAN)
    day_22 = datetime(2026, 4, 22, 22, 0, tzinfo=UTC)  # midnight in Berlin
    before = PaperCourse(chart, day_22 - timedelta(seconds=1)).card
    assert "VOD-04" not in standing_rules(before)
    assert before.valid_until == day_22
    assert "VOD-04" in standing_rules(PaperCourse(chart, day_22).card)
