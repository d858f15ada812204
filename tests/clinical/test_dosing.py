"""How much: BSA, mg, mL, vials (BSA, RND, PREP-03, VIAL), the response branch (DOSE-01 … -03), weight (BSA-08)."""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clinical.dosing.bsa import bsa_m2
from clinical.dosing.dosing import dose_mg, vials_for, volume_ml
from models.assessment import DosePlan, Verdict
from tests.examples import many, modest
from tests.factories import ARTICLE, D1, PROTOCOLS, ChartBuilder, PaperCourse, notes

DAY = timedelta(days=1)
D8, D29, D57 = D1 + 7 * DAY, D1 + 28 * DAY, D1 + 56 * DAY
CONCENTRATION, VIAL = Decimal("0.25"), Decimal("0.9")

doses_per_m2 = st.sampled_from([Decimal("0.8"), Decimal("0.5")])
heights = st.decimals(20, 250, places=1)
weights = st.decimals(2, 500, places=1)
areas = st.decimals("0.1", "6", places=6)
amounts = st.integers(1, 600).map(lambda hundredths: Decimal(hundredths) / 100)


def plan(course: PaperCourse) -> DosePlan:
    dose = course.card.dose
    assert dose is not None
    return dose


@many
@given(doses_per_m2, areas)
@example(Decimal("0.5"), Decimal("1.81"))
@example(Decimal("0.5"), Decimal("1.83"))
def test_mg_is_rounded_half_up_to_a_hundredth(mg_per_m2: Decimal, bsa: Decimal) -> None:
    mg, exact = dose_mg(mg_per_m2, bsa), Fraction(mg_per_m2) * Fraction(bsa)
    assert mg.as_tuple().exponent == -2
    assert Fraction(-1, 200) < Fraction(mg) - exact <= Fraction(1, 200)


@pytest.mark.parametrize(("exact", "mg"), [("1.81", "0.91"), ("1.83", "0.92"), ("1.8199", "0.91"), ("1.79", "0.90")])
def test_half_a_hundredth_goes_up_also_where_an_even_digit_stands(exact: str, mg: str) -> None:
    assert str(dose_mg(Decimal("0.5"), Decimal(exact))) == mg


@many
@given(amounts)
def test_ml_is_four_times_mg_and_never_rounded_further(mg: Decimal) -> None:
    assert volume_ml(mg, CONCENTRATION) == mg * 4


@many
@given(amounts)
@example(Decimal("0.90"))
@example(Decimal("0.91"))
@example(Decimal("1.80"))
def test_vials_are_just_enough(mg: Decimal) -> None:
    vials = vials_for(mg, VIAL)
    assert vials * VIAL >= mg
    assert (vials - 1) * VIAL < mg


@pytest.mark.parametrize(
    ("bsa", "mg_per_m2", "mg", "ml", "vials"),
    [
        ("1.80", "0.5", "0.90", "3.60", 1),  # VIAL-02
        ("1.81", "0.5", "0.91", "3.64", 2),
        ("1.8181", "0.8", "1.45", "5.80", 2),  # VIAL-03
        ("1.8181", "0.5", "0.91", "3.64", 2),
        ("1.125", "0.8", "0.90", "3.60", 1),  # VIAL-04
        ("2.25", "0.8", "1.80", "7.20", 2),
    ],
)
def test_the_boundaries_of_a_vial(bsa: str, mg_per_m2: str, mg: str, ml: str, vials: int) -> None:
    dose = dose_mg(Decimal(mg_per_m2), Decimal(bsa))
    assert (str(dose), str(volume_ml(dose, CONCENTRATION)), vials_for(dose, VIAL)) == (mg, ml, vials)


@modest
@given(heights, weights, st.sampled_from(PROTOCOLS))
def test_the_card_computes_with_the_whole_bsa_and_shows_enough_digits_to_come_to_the_same_mg(
    height: Decimal, weight: Decimal, protocol: str
) -> None:
    chart = ChartBuilder(protocol).ready().without("height", "weight")
    chart.add({"kind": "height", "cm": str(height)}, D1 - DAY)
    chart.add({"kind": "weight", "kg": str(weight)}, D1 - DAY)
    dose, bsa = plan(PaperCourse(chart, D1)), bsa_m2("mosteller", height, weight)
    digits = -int(dose.bsa_m2.as_tuple().exponent)
    assert dose.bsa_m2 == bsa.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    assert dose.mg == dose_mg(dose.mg_per_m2, dose.bsa_m2) == dose_mg(dose.mg_per_m2, bsa)
    fewer = bsa.quantize(Decimal(1).scaleb(1 - digits), rounding=ROUND_HALF_UP)
    assert digits == 2 or dose_mg(dose.mg_per_m2, fewer) != dose.mg, "and no more than it needs"
    assert dose.ml == dose.mg * 4
    assert dose.vials == vials_for(dose.mg, VIAL)
    assert (dose.weight_kg, dose.height_cm, dose.level) == (weight, height, "L0")


@pytest.mark.parametrize(("kg", "noted"), [("20.7", True), ("21.2", False), ("500", False)])
def test_a_dose_outside_the_bag_limits_is_said(kg: str, noted: bool) -> None:
    chart = ChartBuilder(ARTICLE).ready().without("weight")
    chart.add({"kind": "weight", "kg": kg}, D1 - DAY)
    assert ("PREP-19" in notes(PaperCourse(chart, D1).card)) == noted


# ── response branch ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("response", "doses", "rule"),
    [
        ("CR", ("0.5", "0.5", "0.5"), "DOSE-02"),
        ("CRi", ("0.5", "0.5", "0.5"), "DOSE-02"),
        ("none", ("0.8", "0.5", "0.5"), "DOSE-03"),
    ],
)
def test_the_second_cycle_follows_the_response(
    protocol: str, response: str, doses: tuple[str, str, str], rule: str
) -> None:
    chart = ChartBuilder(protocol).ready().cycle(1, D1, response=response).ready_for_cycle(D29, response)
    for day, mg_per_m2 in zip((1, 8, 15), doses, strict=True):
        at = D29 + (day - 1) * DAY
        if day > 1:
            chart.ready_again(at)
        course = PaperCourse(chart, at)
        assert str(plan(course).mg_per_m2) == mg_per_m2
        said = set(notes(course.card))
        assert rule in said
        assert "RESP-01" not in said
        chart.dose(2, day, at)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_first_cycle_follows_the_protocol(protocol: str) -> None:
    expected = ["0.5", "0.5", "0.5"] if protocol == ARTICLE else ["0.8", "0.5", "0.5"]
    chart, seen = ChartBuilder(protocol).ready(), []
    for day in (1, 8, 15):
        at = D1 + (day - 1) * DAY
        if day > 1:
            chart.ready_again(at)
        seen.append(str(plan(PaperCourse(chart, at)).mg_per_m2))
        chart.dose(1, day, at)
    assert seen == expected


def test_a_response_that_was_lost_does_not_bring_the_higher_dose_back() -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR").cycle(2, D29, response="none")
    course = PaperCourse(chart.ready_for_cycle(D57, "none", 2), D57)
    assert str(plan(course).mg_per_m2) == "0.5"
    assert {"DOSE-02", "RESP-01"} <= set(notes(course.card))


def test_without_a_response_there_is_no_dose_to_sign() -> None:
    course = PaperCourse(ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D29).without("response"), D29)
    assert course.card.dose is None
    assert course.card.verdict is Verdict.NEED_DATA
