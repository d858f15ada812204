"""Units of the tests: how many of each are one of the first (clinical reference §9.2), written down apart from the code."""

from decimal import Decimal
from fractions import Fraction

ENZYME = {"U/L": "1", "ukat/L": "1/60", "nkat/L": "1000/60"}
BILIRUBIN = {"mg/dL": "1", "umol/L": "17.104", "mg/L": "10"}
COUNT = {
    **dict.fromkeys(("10*9/L", "10*3/uL", "10*3/mm3", "/nL"), "1"),
    **dict.fromkeys(("/uL", "/mm3", "{cells}/uL"), "1000"),
}
CALCIUM = {"mg/dL": "1", "mmol/L": "0.2495", "meq/L": "0.4990"}
MONOVALENT = {"mmol/L": "1", "meq/L": "1"}
UNITS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("alt", "ast", "alp", "ggt", "ldh", "lipase", "amylase"), ENZYME),
    **dict.fromkeys(("bilirubin", "bilirubin_direct"), BILIRUBIN),
    **dict.fromkeys(("wbc", "anc", "platelets", "blasts"), COUNT),
    **dict.fromkeys(("calcium", "calcium_corrected"), CALCIUM),
    **dict.fromkeys(("potassium", "sodium"), MONOVALENT),
    "blasts_percent": {"%": "1"},
    "calcium_ionised": {"mmol/L": "1", "mg/dL": "1/0.2495", "meq/L": "2"},
    "magnesium": {"mg/dL": "1", "mmol/L": "0.4114", "meq/L": "0.8228"},
    "creatinine": {"mg/dL": "1", "umol/L": "88.40", "mmol/L": "0.08840"},
    "urate": {"mg/dL": "1", "umol/L": "1/0.01681", "mmol/L": "1/16.81"},
    "phosphate": {"mg/dL": "1", "mmol/L": "1/3.097"},
    "albumin": {"g/dL": "1", "g/L": "10"},
    "haemoglobin": {"g/dL": "1", "g/L": "10", "mmol/L": "1/1.61"},
    "lymphocytes": {"10*9/L": "1"},
    "egfr": {"mL/min/{1.73_m2}": "1"},
    "inr": {"{INR}": "1"},
    "qt": {"ms": "1", "s": "0.001"},
    "qtcf": {"ms": "1", "s": "0.001"},
}
DIGITS = Decimal("1e-9")


def _factor(analyte: str, unit: str) -> Fraction:
    up, _, down = UNITS[analyte][unit].partition("/")
    return Fraction(up) / Fraction(down or 1)


def _image(analyte: str, value: Decimal, unit: str, of: str) -> Fraction:
    return Fraction(value) / _factor(analyte, of or next(iter(UNITS[analyte]))) * _factor(analyte, unit)


def has_image(analyte: str, value: Decimal, unit: str, of: str = "") -> bool:
    """Whether a value in the unit `of` (the first, unless named) can be told in another with a number that ends."""
    found = _image(analyte, value, unit, of).denominator
    for prime in (2, 5):
        while found % prime == 0:
            found //= prime
    return found == 1


def in_unit(analyte: str, value: Decimal, unit: str, of: str = "") -> str:
    """A value in the unit `of` (the first, unless named) told in another, to nine digits where it does not end."""
    image = _image(analyte, value, unit, of)
    exact = Decimal(image.numerator) / Decimal(image.denominator)
    told = exact if has_image(analyte, value, unit, of) else exact.quantize(DIGITS)
    return format(told.normalize(), "f")
