"""Why one result, looked at alone, cannot be used: its envelope, its number, its unit, its limits (LAB-04 … -06, CONV).

Each kind of trouble is told by name, with the sender's own words. What only a comparison with other results shows
stands in `plausibility.py`.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from clinical.coding.codes import BOUND_ONLY
from clinical.coding.names import fits_specimen, made_with_another_fluid, of_another_fluid
from clinical.coding.units import contradict, ucum
from clinical.results.plausibility import beyond_hard_limits, unusual_limit
from models.base import is_of_sane_size
from models.facts import LabResult, LabStatus
from models.protocol import Protocol

USABLE_STATUS = (LabStatus.FINAL, LabStatus.CORRECTED, LabStatus.AMENDED)
NEEDS_ULN = frozenset({"alt", "ast", "bilirubin", "alp"})
COMPARED_WITH_ULN = NEEDS_ULN | {"hcg"}
"""Also where one that is missing leaves only open what the value means (MON-11a)."""
NEEDS_LLN = frozenset({"magnesium", "calcium", "calcium_corrected"})
HIGH_IS_URGENT = frozenset({"alt", "ast", "bilirubin", "potassium", "qt", "qtc", "qtcb", "qtcf"})
"""LAB-06: implausibly *high* values of these call a person at once."""
HIGH_COUNTS_AS_HIGH = frozenset({"bilirubin"})
"""LAB-06, VOD-13: an implausibly high value of these is a sign as a high one is, where nothing else is wrong with it."""

COMPARATORS = frozenset({"<", "<=", ">", ">="})
NEEDED_EXACTLY = frozenset({"weight", "height"})
"""A dose is computed from these: a bound leaves it open (LAB-05, M.0)."""
_COMPARED = re.compile(r"(<=|>=|<|>) ?(\d{1,18}(?:\.\d{1,18})?)")
_RANGE = re.compile(r"[<>=]*\s*\d+(?:[.,]\d+)?\s*(?:-|–|\.\.|to)\s*\d+(?:[.,]\d+)?")
_NUMBER_WITH_MORE = re.compile(r"[~≈]?\s*[<>=]*\s*\d[\d.,]*\s*\S*")

ABSENT = {
    "unknown": "it is not known",
    "asked-unknown": "it was asked for and is not known",
    "temp-unknown": "it is not known yet",
    "not-asked": "it was not asked for",
    "asked-declined": "it was declined",
    "masked": "it is withheld",
    "not-applicable": "it does not apply",
    "unsupported": "the sending system cannot carry it",
    "as-text": "it is told in a text",
    "error": "the measurement failed",
    "not-a-number": "it is no number",
    "negative-infinity": "it is below what can be written",
    "positive-infinity": "it is above what can be written",
    "not-performed": "the test was not done",
    "not-permitted": "it may not be told",
}
"""Codes of FHIR's reasons for a missing value, in plain words."""


class Trouble(NamedTuple):
    """Why a result cannot be used: by which rule, in words, whether a person is called at once or may confirm it.

    `high` and `low`: its value is implausibly so (LAB-06). `counts`: what it holds or raises is held and raised all the same;
    `limitless`: by limits that need no limit of its laboratory.
    """

    rule: str
    why: str
    urgent: bool = False
    confirmable: bool = False
    high: bool = False
    low: bool = False
    counts: bool = False
    limitless: bool = False


def understood(analyte: str, result: LabResult, protocol: Protocol) -> LabResult:
    """The result with everything read that stands in it otherwise than it is used: its numbers, comparator and units."""
    return in_ucum(analyte, with_comparator_read(with_sane_numbers(result)), protocol)


def with_sane_numbers(result: LabResult) -> LabResult:
    """A number that nothing can be measured as was kept by an earlier release: it is no number (LAB-05)."""
    if _is_sane(result.value) and _is_sane(result.uln) and _is_sane(result.lln):
        return result
    odd = {name: None for name in ("value", "uln", "lln") if not _is_sane(getattr(result, name))}
    said = {"text": str(result.value)} if "value" in odd else {}
    return result.model_copy(update={**odd, **said})


def _is_sane(number: Decimal | None) -> bool:
    return number is None or is_of_sane_size(number)


def with_comparator_read(result: LabResult) -> LabResult:
    """A number that came as the text `<0.2`: a comparator and a number, written in one."""
    found = None if result.value is not None or result.comparator else _COMPARED.fullmatch((result.text or "").strip())
    if found is None:
        return result
    return result.model_copy(update={"comparator": found[1], "value": Decimal(found[2]), "text": None})


def in_ucum(analyte: str, result: LabResult, protocol: Protocol) -> LabResult:
    """The result with its units in our spelling: UCUM's own ones, and a sender's words that the site file lists (CONV-01)."""
    aliases = protocol.aliases.get(result.sender or "", {})
    said = (result.unit, result.limit_unit)
    read = tuple([ucum(analyte, word, aliases) or word if word else word for word in said])
    return result if read == said else result.model_copy(update={"unit": read[0], "limit_unit": read[1]})


def trouble_of(analyte: str, result: LabResult, protocol: Protocol, *, in_the_future: bool) -> Trouble | None:
    """Why this result cannot be used; `None` where it can. Its units are those of `in_ucum`."""
    hard = _hard(analyte, result, protocol)
    if hard is not None and hard.high and result.status is not LabStatus.CANCELLED:
        counts = analyte in HIGH_COUNTS_AS_HIGH and _envelope(result, in_the_future) is None
        return hard._replace(counts=counts)  # LAB-06: whatever else is wrong with it, a person is called
    return (
        _envelope(result, in_the_future)
        or _unit(analyte, result, protocol)
        or _two_units(analyte, result, protocol)
        or hard
        or _bound(analyte, result)
        or _flagged(result)
        or _without_limits(analyte, result, protocol)
    )


def _hard(analyte: str, result: LabResult, protocol: Protocol) -> Trouble | None:
    if result.value is None or result.absent_reason is not None or ucum(analyte, result.unit or "", {}) is None:
        return None
    words = beyond_hard_limits(analyte, result, protocol)
    if words is None:
        return None
    urgent = words.high and analyte in HIGH_IS_URGENT
    return Trouble("LAB-06" if words.high else "LAB-05", words.why, urgent, high=words.high, low=not words.high)


def _envelope(result: LabResult, in_the_future: bool) -> Trouble | None:
    if result.status not in USABLE_STATUS:
        return Trouble("LAB-05", f"status is {result.status}")
    if result.doubt is not None:
        return Trouble("LAB-14", result.doubt)
    if result.specimen_type and not fits_specimen(result.loinc, result.specimen_type):
        return Trouble("LAB-14", f"its specimen is {result.specimen_type!r}, and its code is of another kind")
    if result.specimen_words and of_another_fluid(result.loinc, result.specimen_words):
        return Trouble("LAB-14", f"its specimen is called {result.specimen_words!r}, and its code is of another kind")
    if result.method and made_with_another_fluid(result.loinc, result.method):
        return Trouble("LAB-14", f"its method is {result.method!r}, and its code is of another specimen")
    if result.absent_reason is not None:
        reason = ABSENT.get(result.absent_reason, result.absent_reason)
        return Trouble("LAB-05", f"the laboratory gives no value ({reason})")
    if result.value is None:
        return Trouble("LAB-05", _words_for_a_number(result.text))
    if result.comparator not in (None, "", "=", *COMPARATORS):
        return Trouble("LAB-05", f"its comparator {result.comparator!r} is not understood")
    bound = BOUND_ONLY.get(result.loinc)
    if bound is not None and result.comparator and result.comparator[0] not in (bound[0], "="):
        return Trouble("LAB-05", f"its code measures a bound only, and one that is {result.comparator} leaves it open")
    if result.collected_at is None:
        return Trouble("LAB-04", "no collection time with a zone")
    return Trouble("LAB-04", "collected in the future") if in_the_future else None


def _words_for_a_number(text: str | None) -> str:
    said = " ".join((text or "").split())
    shown = said if len(said) <= SHOWN_WORDS else f"{said[:SHOWN_WORDS]}…"
    if not said:
        return "the value cannot be read as a number: there is none"
    if _RANGE.fullmatch(said):
        return f"the value cannot be read as a number: {shown!r} is a range"
    if said.startswith(("~", "≈")):
        return f"the value cannot be read as a number: {shown!r} is only about right"
    if _NUMBER_WITH_MORE.fullmatch(said):
        return f"the value cannot be read as a number: {shown!r} is not written as one"
    return f"the value cannot be read as a number: the laboratory writes {shown!r}"


SHOWN_WORDS = 60
"""How many letters of a sender's words a card shows."""


def _unit(analyte: str, result: LabResult, protocol: Protocol) -> Trouble | None:
    if not result.unit:
        return Trouble("CONV-01", "no unit")
    if ucum(analyte, result.unit, {}) is None:
        sender = f" from {result.sender}" if result.sender else ""
        listed = protocol.aliases.get(result.sender or "", {}).get(result.unit)
        read_as = f" (the site file reads it as {listed!r})" if listed else ""
        return Trouble("CONV-01", f"unit {result.unit!r}{sender}{read_as} is not understood")
    return None


def _two_units(analyte: str, result: LabResult, protocol: Protocol) -> Trouble | None:
    """LAB-14: the unit in words is another known unit than the one of the code."""
    aliases = protocol.aliases.get(result.sender or "", {})
    for what, unit, words in (
        ("unit", result.unit, result.unit_words),
        ("unit of its limits", result.limit_unit, result.limit_unit_words),
    ):
        if unit and words and contradict(analyte, unit, words, aliases):
            return Trouble("LAB-14", f"its {what} is {unit!r} in the code and {words!r} in words")
    return None


def limits_in_unit(result: LabResult) -> bool:
    """CONV-03: value and limits of normal are in one unit."""
    return result.limit_unit in (None, "", result.unit)


def _bound(analyte: str, result: LabResult) -> Trouble | None:
    """LAB-05: a number beyond the scale, by its comparator or as the laboratory flags it, where the number itself is needed."""
    beyond = COMPARATORS & {result.comparator or "", *(result.flags or ())}
    if analyte not in NEEDED_EXACTLY or not beyond:
        return None
    return Trouble(
        "LAB-05", f"it is only a bound ({', '.join(sorted(beyond))}), and a dose is computed from the number"
    )


_ABOVE, _BELOW = frozenset({"H", "HH", "HU", "HX"}), frozenset({"L", "LL", "LU", "LX"})
_OUTSIDE = frozenset({"A", "AA"})
_NOT_TO_BE_TRUSTED = frozenset({"QCF", "IND", "E", "IE"})


def _flagged(result: LabResult) -> Trouble | None:
    """LAB-14: what the laboratory calls its number does not fit the number, its comparator or the limits beside it."""
    flags, value = frozenset(result.flags or ()), result.value
    if not flags or value is None:
        return None
    high, low = (result.uln, result.lln) if limits_in_unit(result) else (None, None)
    under = (high is not None and value < high) or (high is None and low is not None and value < low)
    over = (low is not None and value > low) or (low is None and high is not None and value > high)
    within = bool({high, low} - {None}) and (high is None or value < high) and (low is None or value > low)
    upwards, downwards = [(result.comparator or "").startswith(sign) for sign in (">", "<")]
    unfit = [
        *(flags & _NOT_TO_BE_TRUSTED),
        *(flag for flag in flags & {">"} if downwards or under),
        *(flag for flag in flags & {"<"} if upwards or over),
        *(flag for flag in flags & _ABOVE if under and not upwards),
        *(flag for flag in flags & _BELOW if over and not downwards),
        *(flag for flag in flags & _OUTSIDE if within and flags.isdisjoint(_ABOVE | _BELOW)),
    ]
    if not unfit:
        return None
    why = f"the laboratory flags it {', '.join(sorted(unfit))!r}, and that does not fit the value and its limits"
    return Trouble("LAB-14", why, counts=True)


def _without_limits(analyte: str, result: LabResult, protocol: Protocol) -> Trouble | None:
    """Unknown beside a multiple of the limit of normal, and still a number beside a limit that needs none (LAB-05, CRIT-01)."""
    found = _limits(analyte, result, protocol)
    needed = analyte in NEEDS_ULN | NEEDS_LLN
    return found._replace(counts=True, limitless=True) if found is not None and needed else found


def _limits(analyte: str, result: LabResult, protocol: Protocol) -> Trouble | None:
    """CONV-03 and LAB-05: the limit that a rule compares this analyte with is there and can be one."""
    same = limits_in_unit(result)
    if analyte in NEEDS_ULN and (result.uln is None or result.uln <= 0 or not same):
        return Trouble("CONV-03", "no upper limit of normal in the same unit from the same report")
    if analyte in COMPARED_WITH_ULN and same:
        unusual = unusual_limit(analyte, result, protocol)
        if unusual is not None:
            return Trouble(unusual.rule, unusual.why, confirmable=unusual.confirmable)
    if analyte in NEEDS_LLN and (result.lln is None or result.lln <= 0 or not same):
        return Trouble("LAB-05", "no lower limit of normal in the same unit from the same report")
    return None
