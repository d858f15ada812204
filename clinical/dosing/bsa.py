"""Body surface area in m² after five published formulas (BSA-01 … BSA-05), in decimals and not rounded.

Which one a course uses stands in its protocol; it is one formula for the whole course (BSA-06). Height in centimetres,
actual body weight in kilograms, without a cap (BSA-07).
"""

from collections.abc import Callable
from decimal import Decimal, localcontext

DIGITS = 28
"""Digits kept of a root, a power or a logarithm; far more than any balance gives."""

GRAMS_PER_KG = Decimal(1000)

Formula = Callable[[Decimal, Decimal], Decimal]


def mosteller(height_cm: Decimal, weight_kg: Decimal) -> Decimal:
    """BSA-01: the root of height x weight / 3600."""
    return (height_cm * weight_kg / Decimal(3600)).sqrt()


def du_bois(height_cm: Decimal, weight_kg: Decimal) -> Decimal:
    """BSA-02: 0.007184 x height^0.725 x weight^0.425."""
    return Decimal("0.007184") * height_cm ** Decimal("0.725") * weight_kg ** Decimal("0.425")


def haycock(height_cm: Decimal, weight_kg: Decimal) -> Decimal:
    """BSA-03: 0.024265 x height^0.3964 x weight^0.5378."""
    return Decimal("0.024265") * height_cm ** Decimal("0.3964") * weight_kg ** Decimal("0.5378")


def gehan_george(height_cm: Decimal, weight_kg: Decimal) -> Decimal:
    """BSA-04: 0.0235 x height^0.42246 x weight^0.51456."""
    return Decimal("0.0235") * height_cm ** Decimal("0.42246") * weight_kg ** Decimal("0.51456")


def boyd(height_cm: Decimal, weight_kg: Decimal) -> Decimal:
    """BSA-05: 0.0003207 x height^0.3 x grams^(0.7285 - 0.0188 x log10 of the grams)."""
    grams = weight_kg * GRAMS_PER_KG
    power = Decimal("0.7285") - Decimal("0.0188") * grams.log10()
    return Decimal("0.0003207") * height_cm ** Decimal("0.3") * grams**power


FORMULAS: dict[str, Formula] = {
    "mosteller": mosteller,
    "du_bois": du_bois,
    "haycock": haycock,
    "gehan_george": gehan_george,
    "boyd": boyd,
}
"""The formulas by the name that a protocol gives them."""


def bsa_m2(formula: str, height_cm: Decimal, weight_kg: Decimal) -> Decimal:
    """The area after the named formula. Raises `KeyError` for a name that no formula has."""
    with localcontext() as context:
        context.prec = DIGITS
        return FORMULAS[formula](height_cm, weight_kg)
