"""BSA-01 … BSA-07: five formulas with the values of the reference; the protocol names the one of the course."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.assess import assess
from clinical.dosing.bsa import FORMULAS, bsa_m2
from models.protocol import Entry, Protocol
from plumbing.protocol_files import load_protocol, released_names
from tests.examples import many
from tests.factories import D1, LABEL, ChartBuilder

NAMES = ("mosteller", "du_bois", "haycock", "gehan_george", "boyd")
PUBLISHED = {
    ("170", "70"): ("1.8181", "1.8097", "1.8257", "1.8313", "1.8347"),
    ("180", "80"): ("2.0000", "1.9964", "2.0066", "2.0095", "2.0074"),
    ("165", "110"): ("2.2454", "2.1460", "2.3007", "2.2818", "2.3237"),
    ("110", "18"): ("0.7416", "0.7411", "0.7401", "0.7575", "0.7552"),
}
heights = st.decimals(20, 250, places=1)
weights = st.decimals(2, 500, places=1)


@pytest.mark.parametrize("body", PUBLISHED, ids="/".join)
@pytest.mark.parametrize("name", NAMES)
def test_each_formula_gives_the_values_of_the_reference(name: str, body: tuple[str, str]) -> None:
    height, weight = map(Decimal, body)
    expected = PUBLISHED[body][NAMES.index(name)]
    assert str(bsa_m2(name, height, weight).quantize(Decimal("0.0001"))) == expected


@many
@given(heights, weights)
def test_mosteller_is_the_root_of_height_times_weight_over_3600(height: Decimal, weight: Decimal) -> None:
    square = Fraction(bsa_m2("mosteller", height, weight)) ** 2
    assert abs(square - Fraction(height) * Fraction(weight) / 3600) < Fraction(1, 10**20)


def with_formula(name: str) -> Protocol:
    label = load_protocol(LABEL)
    entry = Entry.model_validate({**label.preparation.bsa_formula.model_dump(), "value": (name,)})
    return label.model_copy(update={"preparation": label.preparation.model_copy(update={"bsa_formula": entry})})


@pytest.mark.parametrize(("name", "mg"), [*zip(NAMES, ("1.45", "1.45", "1.46", "1.47", "1.47"), strict=True)])
def test_the_protocol_names_the_formula_that_every_dose_of_the_course_is_computed_with(name: str, mg: str) -> None:
    card = assess(ChartBuilder().ready().chart(), with_formula(name), D1)
    assert card.dose is not None
    assert str(card.dose.mg) == mg


def test_the_formula_is_mosteller_where_nobody_chose_another() -> None:
    assert [load_protocol(name).preparation.bsa_formula.words for name in released_names()] == [
        ("mosteller",) for _ in released_names()
    ]
    assert tuple(FORMULAS) == NAMES


def test_there_is_no_cap_for_a_heavy_patient() -> None:
    chart = ChartBuilder().ready().without("weight")
    chart.add({"kind": "weight", "kg": "180"}, D1)
    card = assess(chart.chart(), load_protocol(LABEL), D1)
    assert card.dose is not None
    assert (card.dose.weight_kg, str(card.dose.bsa_m2)) == (180, "2.915")
