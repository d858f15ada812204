"""What LOINC codes and UCUM units mean: closed tables. What is not listed is not understood, and never guessed (CONV-02)."""

from decimal import Decimal

PERCENT = Decimal(100)

LOINC: dict[str, str] = {
    **dict.fromkeys(("1742-6", "1743-4", "1744-2", "76625-3"), "alt"),
    **dict.fromkeys(("1920-8", "30239-8", "88112-8"), "ast"),
    "6768-6": "alp",
    **dict.fromkeys(("1975-2", "14631-6"), "bilirubin"),
    **dict.fromkeys(("1968-7", "14629-0"), "bilirubin_direct"),
    "2324-2": "ggt",
    "2532-0": "ldh",
    "3040-3": "lipase",
    "1798-8": "amylase",
    **dict.fromkeys(("2823-3", "6298-4"), "potassium"),
    **dict.fromkeys(("19123-9", "2601-3"), "magnesium"),
    **dict.fromkeys(("17861-6", "2000-8"), "calcium"),
    "29265-6": "calcium_corrected",
    **dict.fromkeys(("2951-2", "2947-0"), "sodium"),
    **dict.fromkeys(("2160-0", "14682-9", "38483-4", "59826-8"), "creatinine"),
    **dict.fromkeys(("3084-1", "14933-6"), "urate"),
    **dict.fromkeys(("2777-1", "14879-1"), "phosphate"),
    "1751-7": "albumin",
    **dict.fromkeys(("718-7", "59260-0"), "haemoglobin"),
    **dict.fromkeys(("6690-2", "26464-8", "804-5"), "wbc"),
    **dict.fromkeys(("777-3", "26515-7", "778-1"), "platelets"),
    **dict.fromkeys(("751-8", "753-4", "26499-4"), "anc"),
    **dict.fromkeys(("26446-5", "709-6", "34922-5"), "blasts_percent"),
    **dict.fromkeys(("30376-8", "708-8", "35050-4"), "blasts"),
    "76634-5": "qtcf",
    "8867-4": "heart_rate",
    **dict.fromkeys(("29463-7", "3141-9"), "weight"),
    **dict.fromkeys(("8302-2", "3137-7"), "height"),
}
"""LOINC code -> analyte (clinical reference §9.1)."""

LABEL = {
    "alt": "ALT",
    "ast": "AST",
    "alp": "ALP",
    "bilirubin": "total bilirubin",
    "bilirubin_direct": "direct bilirubin",
    "ggt": "GGT",
    "ldh": "LDH",
    "wbc": "WBC",
    "anc": "ANC",
    "qtcf": "QTcF",
    "blasts": "blasts",
    "blasts_percent": "blasts (%)",
    "calcium_corrected": "albumin-corrected calcium",
    "heart_rate": "heart rate",
}


def label(analyte: str) -> str:
    """The analyte as a clinician writes it."""
    return LABEL.get(analyte, analyte.replace("_", " "))


_ENZYME = {"U/L": "1", "ukat/L": "60", "nkat/L": "0.06"}
_COUNT = {
    "10*9/L": "1",
    "10*3/uL": "1",
    "10*3/mm3": "1",
    "/nL": "1",
    "/uL": "0.001",
    "{cells}/uL": "0.001",
    "/mm3": "0.001",
}
_BILIRUBIN = {"mg/dL": "1", "umol/L": "0.05847", "mg/L": "0.1"}
_MONOVALENT = {"mmol/L": "1", "meq/L": "1"}
_CALCIUM = {"mg/dL": "1", "mmol/L": "4.0080", "meq/L": "2.0040"}

_FACTORS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("alt", "ast", "alp", "ggt", "ldh", "lipase", "amylase"), _ENZYME),
    **dict.fromkeys(("wbc", "anc", "platelets", "blasts"), _COUNT),
    **dict.fromkeys(("bilirubin", "bilirubin_direct"), _BILIRUBIN),
    **dict.fromkeys(("calcium", "calcium_corrected"), _CALCIUM),
    **dict.fromkeys(("potassium", "sodium"), _MONOVALENT),
    "magnesium": {"mg/dL": "1", "mmol/L": "2.4307", "meq/L": "1.21535"},
    "creatinine": {"mg/dL": "1", "umol/L": "0.01131", "mmol/L": "11.31"},
    "urate": {"mg/dL": "1", "umol/L": "0.01681", "mmol/L": "16.81"},
    "phosphate": {"mg/dL": "1", "mmol/L": "3.097"},
    "albumin": {"g/dL": "1", "g/L": "0.1"},
    "haemoglobin": {"g/dL": "1", "g/L": "0.1", "mmol/L": "1.61"},
    "blasts_percent": {"%": "1"},
    "qtcf": {"ms": "1", "s": "1000"},
    "heart_rate": {"/min": "1", "{beats}/min": "1"},
    "weight": {"kg": "1", "g": "0.001", "[lb_av]": "0.45359237"},
    "height": {"cm": "1", "m": "100", "[in_i]": "2.54"},
}
FACTORS: dict[tuple[str, str], Decimal] = {
    (analyte, unit): Decimal(factor) for analyte, units in _FACTORS.items() for unit, factor in units.items()
}
"""(analyte, UCUM unit) -> factor to the canonical unit of the protocol file (clinical reference §9.2)."""

BILIRUBIN_UMOL_PER_MG_DL = Decimal("17.104")


def to_canonical(analyte: str, value: Decimal, unit: str) -> Decimal | None:
    """The value in the analyte's canonical unit, exactly; `None` when the unit is not understood (CONV-01)."""
    factor = FACTORS.get((analyte, unit))
    return None if factor is None else value * factor


def bilirubin_umol_per_l(value: Decimal, unit: str) -> Decimal | None:
    """Bilirubin in umol/L, converted exactly (AMB-12 compares 34 umol/L in either unit)."""
    if unit == "umol/L":
        return value
    canonical = to_canonical("bilirubin", value, unit)
    return None if canonical is None else canonical * BILIRUBIN_UMOL_PER_MG_DL
