"""What LOINC codes and UCUM units mean: closed tables. What is not listed is not understood, and never guessed (CONV-02)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal

PERCENT = Decimal(100)
_EXACT = Context(prec=60)
"""Products of a result and a factor are exact; a quotient that does not end is cut far behind anything measured."""

LOINC: dict[str, str] = {
    **dict.fromkeys(("1742-6", "1743-4", "1744-2", "76625-3"), "alt"),
    **dict.fromkeys(("1920-8", "30239-8", "88112-8"), "ast"),
    "6768-6": "alp",
    **dict.fromkeys(("1975-2", "14631-6"), "bilirubin"),
    **dict.fromkeys(("1968-7", "14629-0", "15152-2", "29760-6"), "bilirubin_direct"),
    "1971-1": "bilirubin_indirect",
    "2324-2": "ggt",
    "2532-0": "ldh",
    "3040-3": "lipase",
    "1798-8": "amylase",
    **dict.fromkeys(("2823-3", "6298-4", "75940-7"), "potassium"),
    **dict.fromkeys(("19123-9", "2601-3", "21377-7", "2593-2"), "magnesium"),
    **dict.fromkeys(("17861-6", "2000-8"), "calcium"),
    "29265-6": "calcium_corrected",
    **dict.fromkeys(("1995-0", "1994-3", "17863-2"), "calcium_ionised"),
    **dict.fromkeys(("2951-2", "2947-0"), "sodium"),
    **dict.fromkeys(("2160-0", "14682-9", "38483-4", "59826-8"), "creatinine"),
    **dict.fromkeys(("98979-8", "33914-3", "62238-1"), "egfr"),
    **dict.fromkeys(("3084-1", "14933-6"), "urate"),
    **dict.fromkeys(("2777-1", "14879-1"), "phosphate"),
    "1751-7": "albumin",
    **dict.fromkeys(("6301-6", "34714-6"), "inr"),
    "3255-7": "fibrinogen",
    "2276-4": "ferritin",
    **dict.fromkeys(("718-7", "59260-0"), "haemoglobin"),
    **dict.fromkeys(("6690-2", "26464-8", "804-5"), "wbc"),
    **dict.fromkeys(("777-3", "26515-7", "778-1"), "platelets"),
    **dict.fromkeys(("751-8", "753-4", "26499-4", "768-2", "30451-9"), "anc"),
    **dict.fromkeys(("770-8", "26511-6", "23761-0"), "neutrophils_percent"),
    **dict.fromkeys(("26446-5", "709-6", "34922-5"), "blasts_percent"),
    **dict.fromkeys(("30376-8", "708-8", "35050-4"), "blasts"),
    "8634-8": "qt",
    "8636-3": "qtc",
    "76634-5": "qtcf",
    "76635-2": "qtcb",
    "8637-1": "rr",
    "8633-0": "qrs",
    "8625-6": "pr",
    "8867-4": "heart_rate",
    **dict.fromkeys(("21198-7", "19080-1", "2106-3", "2118-8"), "hcg"),
    **dict.fromkeys(("29463-7", "3141-9"), "weight"),
    **dict.fromkeys(("8302-2", "3137-7"), "height"),
    **dict.fromkeys(("8277-6", "3140-1"), "bsa"),
    "8480-6": "systolic",
    "8462-4": "diastolic",
    "8310-5": "temperature",
    **dict.fromkeys(("59410-1", "2708-6"), "oxygen_saturation"),
}
"""LOINC code -> analyte (clinical reference §9.1). No code of it fails its check digit."""

UNVERIFIED_CODES = frozenset({"88112-8", "804-5", "778-1", "2106-3", "2118-8", "3140-1"})
"""Codes whose meaning was not read in a source; a site checks them before it sends them."""

SEGMENTED_ONLY = frozenset({"768-2", "30451-9"})
"""Neutrophil counts without the band forms: the ANC is at least that."""

PYRIDOXAL_PHOSPHATE = {"1743-4": "with", "30239-8": "with", "1744-2": "without", "88112-8": "without"}
"""LAB-02: whether ALT or AST was measured with pyridoxal-5'-phosphate, where the code says so."""

LABEL = {
    "alt": "ALT",
    "ast": "AST",
    "alp": "ALP",
    "bilirubin": "total bilirubin",
    "bilirubin_direct": "direct bilirubin",
    "bilirubin_indirect": "indirect bilirubin",
    "ggt": "GGT",
    "ldh": "LDH",
    "wbc": "WBC",
    "anc": "ANC",
    "inr": "INR",
    "egfr": "eGFR",
    "hcg": "hCG",
    "bsa": "BSA",
    "qt": "QT",
    "qtc": "QTc",
    "qtcf": "QTcF",
    "qtcb": "QTcB",
    "qrs": "QRS",
    "pr": "PR",
    "rr": "RR interval",
    "blasts": "blasts",
    "blasts_percent": "blasts (%)",
    "neutrophils_percent": "neutrophils (%)",
    "calcium_corrected": "albumin-corrected calcium",
    "calcium_ionised": "ionised calcium",
    "heart_rate": "heart rate",
}


def analyte_of(loinc: str, method: str | None) -> str | None:
    """The analyte of a code; `None` for one that is not listed. LAB-01: a QTc counts as QTcF when its method says so."""
    analyte = LOINC.get(loinc)
    return "qtcf" if analyte == "qtc" and "fridericia" in (method or "").casefold() else analyte


def label(analyte: str) -> str:
    """The analyte as a clinician writes it."""
    return LABEL.get(analyte, analyte.replace("_", " "))


@dataclass(frozen=True)
class Factor:
    """One unit of an analyte: canonical = reported x `up` / `down`. Each pair of units has one number, in one direction."""

    up: Decimal
    down: Decimal = Decimal(1)

    def to_canonical(self, value: Decimal) -> Decimal:
        """A reported value in the canonical unit."""
        if self is UNCHANGED:  # most results come in it: times and through 1 leaves each digit as it is
            return value
        return _EXACT.divide(_EXACT.multiply(value, self.up), self.down)

    def from_canonical(self, value: Decimal) -> Decimal:
        """A canonical value in the reported unit."""
        if self is UNCHANGED:
            return value
        return _EXACT.divide(_EXACT.multiply(value, self.down), self.up)


UNCHANGED = Factor(Decimal(1))
"""The factor of the canonical unit itself."""

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
_BILIRUBIN = {"mg/dL": "1", "umol/L": "1/17.104", "mg/L": "0.1"}
_CREATININE = {"mg/dL": "1", "umol/L": "1/88.40", "mmol/L": "1000/88.40"}
_CALCIUM = {"mg/dL": "1", "mmol/L": "1/0.2495", "meq/L": "0.5/0.2495"}
_MONOVALENT = {"mmol/L": "1", "meq/L": "1"}
_INTERVAL = {"ms": "1", "s": "1000"}
_PERCENT = {"%": "1"}
_PRESSURE = {"mm[Hg]": "1"}

_FACTORS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("alt", "ast", "alp", "ggt", "ldh", "lipase", "amylase"), _ENZYME),
    **dict.fromkeys(("wbc", "anc", "platelets", "blasts"), _COUNT),
    **dict.fromkeys(("bilirubin", "bilirubin_direct", "bilirubin_indirect"), _BILIRUBIN),
    **dict.fromkeys(("calcium", "calcium_corrected"), _CALCIUM),
    **dict.fromkeys(("potassium", "sodium"), _MONOVALENT),
    **dict.fromkeys(("qt", "qtc", "qtcf", "qtcb", "qrs", "pr"), _INTERVAL),
    **dict.fromkeys(("blasts_percent", "neutrophils_percent", "oxygen_saturation"), _PERCENT),
    **dict.fromkeys(("systolic", "diastolic"), _PRESSURE),
    "calcium_ionised": {"mmol/L": "1", "mg/dL": "0.2495", "meq/L": "0.5"},
    "magnesium": {"mg/dL": "1", "mmol/L": "1/0.4114", "meq/L": "0.5/0.4114"},
    "creatinine": _CREATININE,
    "egfr": {"mL/min/{1.73_m2}": "1"},
    "urate": {"mg/dL": "1", "umol/L": "0.01681", "mmol/L": "16.81"},
    "phosphate": {"mg/dL": "1", "mmol/L": "3.097"},
    "albumin": {"g/dL": "1", "g/L": "0.1"},
    "inr": {"{INR}": "1"},
    "fibrinogen": {"mg/dL": "1", "g/L": "100"},
    "ferritin": {"ng/mL": "1", "ug/L": "1"},
    "haemoglobin": {"g/dL": "1", "g/L": "0.1", "mmol/L": "1.61"},
    "rr": {"s": "1", "ms": "0.001"},
    "heart_rate": {"/min": "1", "{beats}/min": "1"},
    "hcg": {"m[IU]/mL": "1", "[IU]/L": "1"},
    "weight": {"kg": "1", "g": "0.001", "[lb_av]": "0.45359237"},
    "height": {"cm": "1", "m": "100", "[in_i]": "2.54"},
    "bsa": {"m2": "1"},
    "temperature": {"Cel": "1"},
}


def _factor(written: str) -> Factor:
    up, _, down = written.partition("/")
    factor = Factor(Decimal(up), Decimal(down or 1))
    return UNCHANGED if factor == UNCHANGED else factor


FACTORS: dict[tuple[str, str], Factor] = {
    (analyte, unit): _factor(written) for analyte, units in _FACTORS.items() for unit, written in units.items()
}
"""(analyte, UCUM unit) -> factor to the canonical unit of the protocol file (clinical reference §9.2)."""


def ucum(analyte: str, unit: str, aliases: Mapping[str, str]) -> str | None:
    """The UCUM unit that a sender's word stands for; `None` where it is not understood (CONV-01).

    UCUM itself counts as it is; an alias only where the site file lists it for this sender, and for a listed unit.
    """
    if (analyte, unit) in FACTORS:
        return unit
    word = aliases.get(unit)
    return word if word is not None and (analyte, word) in FACTORS else None


def to_canonical(analyte: str, value: Decimal, unit: str) -> Decimal | None:
    """The value in the analyte's canonical unit; `None` when the unit is not understood (CONV-01)."""
    factor = FACTORS.get((analyte, unit))
    return None if factor is None else factor.to_canonical(value)


def times(multiple: Decimal, value: Decimal) -> Decimal:
    """A multiple of a limit, exactly."""
    return _EXACT.multiply(multiple, value)


def bilirubin_umol_per_l(value: Decimal, unit: str) -> Decimal | None:
    """Bilirubin in umol/L, converted exactly (AMB-12 compares 34 umol/L in either unit)."""
    if unit == "umol/L":
        return value
    canonical = to_canonical("bilirubin", value, unit)
    return None if canonical is None else FACTORS["bilirubin", "umol/L"].from_canonical(canonical)
