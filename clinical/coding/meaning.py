"""Which analyte a result speaks of: the one of its code, or those that it may be and that are unknown by it (LAB-12, LAB-13).

A code of the table means its analyte, and several codes that mean one analyte mean that one. Whatever else was said may
only close: words, the codes of the sender's own system, a unit. What certainly names something else is only shown.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from clinical.coding.codes import ASKED_ABOUT, LOINC, OTHERS, analyte_of
from clinical.coding.names import named, names_another, says_pregnant
from clinical.coding.units import label, measured_in
from models.base import plain
from models.facts import NO_CODE, LabResult

NEVER_READ: Final = frozenset(
    {
        *("systolic", "diastolic", "oxygen_saturation", "pr", "bsa", "ferritin", "fibrinogen"),
        *("bilirubin_indirect", "bilirubin_conjugated", "neutrophils_percent"),
    }
)
"""Analytes that no rule reads: what may be one of these closes nothing."""

READ: Final = frozenset({*LOINC.values(), "qtcf"} - NEVER_READ)
"""Analytes that a rule reads: what a result that may be anything may be."""

COUNTED: Final = frozenset({"anc", "blasts", "wbc", "platelets"})
"""Numbers of cells; a share of cells is none."""

LOINC_SYSTEM: Final = "http://loinc.org"


class Meaning(NamedTuple):
    """What a result speaks of. Without `why` it is the one analyte for certain; with it, any of them may be meant."""

    analytes: frozenset[str]
    rule: str = ""
    why: str = ""

    @property
    def certain(self) -> bool:
        """Whether the result is read as a result of its analyte."""
        return not self.why and bool(self.analytes)


_ALONE: Final = {analyte: Meaning(frozenset({analyte})) for analyte in {*LOINC.values(), "qtcf"}}
_OF_CODE: Final = {
    code: _ALONE[analyte] for code, analyte in LOINC.items() if analyte == analyte_of(code, "fridericia")
}
"""What a code of the table means whatever its method (all but a QTc): asked many times of each result."""


def meaning(result: LabResult) -> Meaning:
    """What this result speaks of, by its code, its names and its unit."""
    if not result.codes:
        known = _OF_CODE.get(result.loinc)
        if known is None:
            analyte = analyte_of(result.loinc, result.method)
            known = None if analyte is None else _ALONE[analyte]
        if known is not None:
            return _as_called(known, result) if result.display or result.names else known
    return _of_several(result) or _uncertain(result)


def _as_called(known: Meaning, result: LabResult) -> Meaning:
    """What a code of the table means, if no name beside it says that it is something else: which is right nobody can tell."""
    (analyte,) = known.analytes
    if analyte in NEVER_READ:
        return known
    for name in _names(result):
        other = _called_another(analyte, name)
        if other is not None:
            why = f"its code {result.loinc} means {label(analyte)}, and it is called {name!r}"
            return Meaning((known.analytes | other) & READ, "LAB-12", why)
    return known


def _called_another(analyte: str, name: str) -> frozenset[str] | None:
    """The analytes that a name says instead of this one, none where no rule reads what it says; `None` where it fits."""
    said = named(name)
    if said:
        return None if analyte in said or (analyte in _OF_AN_ECG and said & _OF_AN_ECG) else said
    return frozenset() if analyte not in _OF_AN_ECG and names_another(name) else None


_OF_AN_ECG: Final = frozenset({"qt", "qtc", "qtcf", "qtcb", "qrs", "rr", "heart_rate"})
"""What one sentence about an ECG may name together."""


def analytes_of(results: Iterable[LabResult]) -> frozenset[str]:
    """The analytes that these results are results of, for certain."""
    return frozenset[str]().union(*(meant.analytes for meant in map(meaning, results) if meant.certain))


def _of_several(result: LabResult) -> Meaning | None:
    """Several LOINC codes, one of them of the table at least: one analyte, or all that are meant."""
    codes = _loincs(result)
    meant = {analyte for code in codes if (analyte := analyte_of(code, result.method)) is not None}
    if not meant:
        return None
    strange = [code for code in codes if code not in LOINC]
    if len(meant) == 1 and not strange:
        return Meaning(frozenset(meant))
    why = f"its codes {', '.join(codes)} do not mean one analyte"
    return Meaning(frozenset(meant) & READ, "LAB-12", why)


def _uncertain(result: LabResult) -> Meaning:
    codes, own = _loincs(result), _others(result)
    rule = "LAB-13" if codes else "LAB-12"
    asked = {ASKED_ABOUT[code] for code in codes if code in ASKED_ABOUT}
    if asked:
        return Meaning(frozenset(asked), rule, f"{shown(result)}: not the same, a person must say what it means")
    names = _names(result)
    why = f"{shown(result)}: not known here"
    spelled = {LOINC[code] for code in own if code in LOINC}
    called = frozenset[str]().union(*map(named, (*names, *own)))
    if _is_a_share(result, names):
        called -= COUNTED
    fitting = (called | spelled) & READ
    if fitting:
        return Meaning(frozenset(fitting), rule, why)
    if result.text and says_pregnant(result.text):
        return Meaning(frozenset({"hcg"}), rule, why)
    if called or not OTHERS.isdisjoint(codes) or any(map(names_another, (*names, *own))):
        return Meaning(frozenset())
    for unit in (result.unit, result.unit_words, _unit_told(result.text)):
        if unit and (measured := measured_in(unit) & READ):
            return Meaning(measured, rule, f"{why}, and its unit is one of theirs")
    nameless = not codes and not names
    return (
        Meaning(READ, rule, f"{why}, and it may be anything")
        if nameless or not (codes or own)
        else Meaning(frozenset())
    )


def _is_a_share(result: LabResult, names: tuple[str, ...]) -> bool:
    """Whether its name says per cent and its unit counts no cells: it is no number of cells."""
    return any("%" in name for name in names) and not (result.unit and COUNTED & measured_in(result.unit))


def _unit_told(text: str | None) -> str | None:
    """The unit behind a number in words: `400 U/L`."""
    found = _WITH_A_UNIT.fullmatch(text.strip()) if text else None
    return found[1] if found else None


_WITH_A_UNIT: Final = re.compile(r"[<>=~≤≥ ]*\d[\d.,]*\s*(\D\S*|10\S+)")


def _loincs(result: LabResult) -> tuple[str, ...]:
    told = (result.loinc, *(code for system, code in _parted(result) if system == LOINC_SYSTEM))
    return tuple(dict.fromkeys(code for code in told if code != NO_CODE))


def _others(result: LabResult) -> tuple[str, ...]:
    return tuple(code for system, code in _parted(result) if system != LOINC_SYSTEM)


def _parted(result: LabResult) -> list[tuple[str, str]]:
    return [(system, code) for one in result.codes or () for system, _, code in (one.rpartition("|"),)]


def _names(result: LabResult) -> tuple[str, ...]:
    """What the result is called: words that are not its code over again."""
    codes = {result.loinc, *(code for _, code in _parted(result))}
    return tuple(name for name in (result.display, *(result.names or ())) if name and name not in codes)


def shown(result: LabResult) -> str:
    """Name, value, unit and code, as a person looks for them: `platelets? 8 10*9/L as 49497-1`."""
    codes, names = [*_loincs(result), *_others(result)], _names(result)
    value = result.text if result.value is None else f"{result.comparator or ''}{plain(result.value)}"
    said = (names[0] if names else "a result", (value or "")[:_SHOWN], result.unit)
    return f"{' '.join(word for word in said if word)} as {', '.join(codes) if codes else 'no code at all'}"


_SHOWN: Final = 60
