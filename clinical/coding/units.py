"""What UCUM units mean: a closed table. What is not listed is not understood, and never guessed (CONV-02).

A unit of the table may be spelled in any way that UCUM allows (LAB-15): `u/l` is none, `U/l`, `U.L-1` and `[IU]/L` are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from types import MappingProxyType

PERCENT = Decimal(100)
_EXACT = Context(prec=60)
"""Products of a result and a factor are exact; a quotient that does not end is cut far behind anything measured."""

LABEL = {
    "alt": "ALT",
    "ast": "AST",
    "alp": "ALP",
    "bilirubin": "total bilirubin",
    "bilirubin_direct": "direct bilirubin",
    "bilirubin_conjugated": "conjugated bilirubin",
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


def label(analyte: str) -> str:
    """The analyte as a clinician writes it."""
    return LABEL.get(analyte, analyte.replace("_", " "))


@dataclass(frozen=True)
class Factor:
    """One unit of an analyte: canonical = (reported - `zero`) x `up` / `down`, with one number in one direction for a pair.

    `zero` is what the unit shows where the canonical one shows 0; only a temperature has one.
    """

    up: Decimal
    down: Decimal = Decimal(1)
    zero: Decimal = Decimal(0)

    def to_canonical(self, value: Decimal) -> Decimal:
        """A reported value in the canonical unit."""
        if self is UNCHANGED:  # most results come in it: times and through 1 leaves each digit as it is
            return value
        return _EXACT.divide(_EXACT.multiply(_EXACT.subtract(value, self.zero), self.up), self.down)

    def from_canonical(self, value: Decimal) -> Decimal:
        """A canonical value in the reported unit."""
        if self is UNCHANGED:
            return value
        return _EXACT.add(_EXACT.divide(_EXACT.multiply(value, self.down), self.up), self.zero)


UNCHANGED = Factor(Decimal(1))
"""The factor of the canonical unit itself."""

_ENZYME = {"U/L": "1", "ukat/L": "60", "nkat/L": "0.06"}
_COUNT = {
    "10*9/L": "1",
    "10*3/uL": "1",
    "10*3/mm3": "1",
    "/nL": "1",
    "/uL": "0.001",
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
    **dict.fromkeys(("bilirubin", "bilirubin_direct", "bilirubin_conjugated", "bilirubin_indirect"), _BILIRUBIN),
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
    "heart_rate": {"/min": "1"},
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
    **{(analyte, unit): _factor(written) for analyte, units in _FACTORS.items() for unit, written in units.items()},
    ("temperature", "[degF]"): Factor(Decimal(1), Decimal("1.8"), Decimal(32)),
    ("temperature", "K"): Factor(Decimal(1), zero=Decimal("273.15")),
}
"""(analyte, UCUM unit) -> factor to the canonical unit of the protocol file (clinical reference §9.2)."""

# ── other spellings of the same unit ───────────────────────────────────────────────────────────────────────────────

Atoms = frozenset[tuple[str, int]]
"""A unit as its atoms with their exponents: what two spellings of one unit share."""

_PARTS = re.compile(r"([./])(?![^{]*\})")
_EXPONENT = re.compile(r"(10[*^]|[A-Za-z%\[\]_]+)([+-]?\d+)?")
_LITRE = re.compile(r"(?<![A-Za-z])([munpdcf]?)l(?![A-Za-z])")
_SAME = MappingProxyType({"[iU]": "[IU]", "m[iU]": "m[IU]", "u[iU]": "u[IU]", "10^": "10*"})


@lru_cache(maxsize=4096)
def atoms(unit: str) -> Atoms | None:
    """The atoms of a UCUM expression; `None` for what is none. A remark in braces counts where it holds a digit only."""
    exponents: dict[str, int] = {}
    sign = 1
    parts = _PARTS.split(unit)
    if parts[0] == "" and parts[1:2] == ["/"]:
        parts[0] = "1"
    for place, part in enumerate(parts):
        if place % 2:
            sign = -1 if part == "/" else 1
            continue
        read = _component(part)
        if read is None:
            return None
        for atom, exponent in read:
            exponents[atom] = exponents.get(atom, 0) + sign * exponent
    return frozenset((atom, exponent) for atom, exponent in exponents.items() if exponent)


def _component(part: str) -> list[tuple[str, int]] | None:
    bare, brace, remark = part.partition("{")
    if brace and not remark.endswith("}"):
        return None
    kept = [(brace + remark, 1)] if any(letter.isdigit() for letter in remark) else []
    if bare == "1" or (brace and not bare):
        return kept
    found = _EXPONENT.fullmatch(_LITRE.sub(r"\1L", bare))
    if found is None:
        return None
    atom = _SAME.get(found[1], found[1])
    return [(atom, int(found[2] or 1)), *kept]


_ENZYMES = ("alt", "ast", "alp", "ggt", "ldh", "lipase", "amylase")
_EQUAL = (
    *((analyte, unit, "U/L") for analyte in _ENZYMES for unit in ("[IU]/L", "m[IU]/mL", "mU/mL")),
    *((analyte, unit, "ukat/L") for analyte in _ENZYMES for unit in ("umol/s/L", "umol/(s.L)", "umol/L/s")),
    *((analyte, unit, "U/L") for analyte in _ENZYMES for unit in ("umol/min/L", "umol/(min.L)", "umol/L/min")),
    *((analyte, "/100{WBCs}", "%") for analyte in ("blasts_percent", "neutrophils_percent")),
    ("inr", "1", "{INR}"),
)
"""Units that are another one of the same analyte by definition."""

_AS_IT_STANDS = MappingProxyType({(analyte, unit): same for analyte, unit, same in _EQUAL})

SPELLINGS: Mapping[tuple[str, Atoms | None], str] = MappingProxyType(
    {
        **{(analyte, atoms(unit)): unit for analyte, unit in FACTORS if atoms(unit)},
        **{(analyte, atoms(unit)): same for analyte, unit, same in _EQUAL if atoms(unit)},
    }
)
"""(analyte, atoms) -> the unit of `FACTORS` that is spelled so; a unit without atoms is spelled in one way only."""


def ucum(analyte: str, unit: str, aliases: Mapping[str, str]) -> str | None:
    """The UCUM unit that a sender's word stands for, as `FACTORS` spells it; `None` where it is not understood (CONV-01).

    UCUM itself counts in each of its spellings; an alias only where the site file lists it for this sender.
    """
    return _spelled(analyte, unit) or _spelled(analyte, aliases.get(unit, ""))


def _spelled(analyte: str, unit: str) -> str | None:
    if (analyte, unit) in FACTORS:
        return unit
    return _AS_IT_STANDS.get((analyte, unit)) or (SPELLINGS.get((analyte, atoms(unit))) if unit else None)


_KNOWN_UNITS: Mapping[Atoms | None, str] = MappingProxyType({atoms(unit): unit for _, unit in FACTORS})
_BESIDE_THE_UNIT = re.compile(r"^[x×] ?|\s+")
_INSTEAD = (
    *(("µ", "u"), ("μ", "u"), ("^", "*"), ("giga.l-1", "10*9/l"), ("giga/", "10*9/"), ("gi/", "10*9/")),
    *(("thou/", "10*3/"), ("k/", "10*3/"), ("iu/", "u/")),
    *(("10⁹", "10*9"), ("10⁶", "10*6"), ("10³", "10*3"), ("³", "3")),
)
_LOOSE: Mapping[str, str] = MappingProxyType({unit.casefold(): unit for unit in _KNOWN_UNITS.values()})


_OF_A_RATIO = ("inr", "ratio")


def _counts_something_else(words: str) -> bool:
    """Whether it is a pure number and its remark says of what: a score is no INR, though UCUM has one size for both."""
    return "{" in words and atoms(words) == frozenset() and not any(word in words.casefold() for word in _OF_A_RATIO)


def in_other_words(words: str) -> str | None:
    """The unit of our tables that these words mean at a glance: only to find a contradiction or what a result may be."""
    if (exact := _KNOWN_UNITS.get(atoms(words))) is not None:
        return None if _counts_something_else(words) else exact
    plain = _at_a_glance(words)
    return _LOOSE.get(plain) or _COUNTED.get(_counts(plain))


def _at_a_glance(words: str) -> str:
    plain = _BESIDE_THE_UNIT.sub("", words.casefold())
    for there, instead in _INSTEAD:
        plain = plain.replace(there, instead)
    return plain


_MANY = MappingProxyType(
    {
        "10*9": r"10[*e]+0?9|1?e\+?0?9|gpt|mrd\.?|mld\.?|mia\.?|bil(?:lions?)?|млрд",
        "10*6": r"10[*e]+0?6|1?e\+?0?6|mpt",
        "10*3": r"10[*e]+0?3|1?e\+?0?3|1\.?000|tsd\.?|tausend|tys\.?|mil(?:es|a)?|bin|th|thousands?|тыс\.?|тис\.?",
        "": "",
    }
)
"""How laboratories write a thousand, a million and a milliard cells, besides UCUM."""
_OF_BLOOD = MappingProxyType(
    {
        "uL": r"ul|mcl|mikrolit\w+|microlit\w+|cu\.?mm|cmm|mm\*?[3³]|мкл",
        "nL": "nl",
        "mL": r"ml|millilit\w+|мл",
        "L": "l|lt|lit(?:er|re|ro|r)|л",
    }
)
"""How they write the volume that is counted."""
_COUNTED: Mapping[tuple[str, str] | None, str] = MappingProxyType(
    {("10*9", "L"): "10*9/L", ("10*3", "uL"): "10*3/uL", ("", "uL"): "/uL", ("", "nL"): "/nL"}
)
_CELLS_TOO = frozenset({("10*6", "L"), ("10*6", "mL")})
"""Counts in a unit that the table does not hold."""
_CELLS = re.compile(r"(?:cells?|zellen|zell|cellules?|células|celulas|cel|leu[ck]ocytes|wbc)\.?(?=/)|\{[^}]*\}")


def _counts(words: str) -> tuple[str, str] | None:
    """How many cells in how much of blood a unit counts, in the words of laboratories (`tsd/ul`); none for what is no count."""
    many, stroke, volume = _CELLS.sub("", words).partition("/")
    how_many = next((size for size, of in _MANY.items() if re.fullmatch(of, many)), None)
    of_what = next((size for size, of in _OF_BLOOD.items() if re.fullmatch(of, volume)), None)
    return (how_many, of_what) if stroke and how_many is not None and of_what is not None else None


def contradict(analyte: str, unit: str, words: str, aliases: Mapping[str, str]) -> bool:
    """Whether a unit and the words beside it are two different known units; two names of one size are none."""
    named = ucum(analyte, words, aliases) or in_other_words(words)
    coded = ucum(analyte, unit, aliases) or in_other_words(unit)
    if named is None or coded is None or named == coded:
        return False
    sizes = FACTORS.get((analyte, named)), FACTORS.get((analyte, coded))
    return None in sizes or sizes[0] != sizes[1]


@lru_cache(maxsize=1024)
def measured_in(unit: str) -> frozenset[str]:
    """The analytes that are measured in this unit."""
    meant = in_other_words(unit)
    counts = unit in ("G/L", "G/l") or _counts(_at_a_glance(unit)) in {*_COUNTED, *_CELLS_TOO}
    return frozenset(analyte for analyte, of in FACTORS if of == meant or (counts and of == "10*9/L"))


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
