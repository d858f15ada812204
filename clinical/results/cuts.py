"""Limits with a sign (`Cut`) beside one result: past or not, compared in the reported unit where the limit is printed in it.

A limit is a multiple of the laboratory's own ULN or LLN or of a baseline, an amount above a baseline, or a plain number.
"""

from decimal import Decimal
from typing import Literal

from clinical.coding.units import to_canonical
from clinical.results.known import Known
from models.protocol import Cut

Answer = Literal["yes", "no", "open", "missing"]
"""Past a limit or not; open by its comparator; or without the laboratory's limit to compare with."""

X_ULN, X_LLN, X_BASELINE, ABOVE_BASELINE = "xULN", "xLLN", "xbaseline", " above baseline"


MOST_REMEMBERED = 4096
_SPEAKING: dict[tuple[int, str], tuple[tuple[Cut, ...], tuple[Cut, ...]]] = {}
"""By a list of limits in a protocol and a unit which of them speak. The key is the list itself, which is kept beside it:
comparing the limits would take longer than choosing them. There are few protocols; more than so many is none of theirs."""


def speaking(cuts: tuple[Cut, ...], result: Known) -> tuple[Cut, ...]:
    """The limits that speak of this result: printed in its unit where there is one (CTN-05), else all."""
    key = (id(cuts), result.unit)
    known = _SPEAKING.get(key)
    if known is None or known[0] is not cuts:
        if len(_SPEAKING) >= MOST_REMEMBERED:
            _SPEAKING.clear()
        known = _SPEAKING[key] = (cuts, _speaking(cuts, result.unit))
    return known[1]


def _speaking(cuts: tuple[Cut, ...], unit: str) -> tuple[Cut, ...]:
    printed = any(_printed_in(cut) == unit for cut in cuts)
    return tuple(cut for cut in cuts if _printed_in(cut) in (None, unit) or not printed)


def past(cut: Cut, result: Known, baseline: Known | None = None) -> Answer:
    """Whether the value lies past one limit."""
    limit = limit_of(cut, result, baseline)
    if limit is None:  # no baseline: this limb is not there
        return "no" if cut.unit == X_BASELINE or cut.unit.endswith(ABOVE_BASELINE) else "missing"
    answer = _compared(cut.sign, result, limit)
    return "open" if answer is None else "yes" if answer else "no"


def surely_past(cuts: tuple[Cut, ...], result: Known, baseline: Known | None = None) -> bool:
    """Whether the value lies past one of these limits whatever its comparator leaves open."""
    return any(past(cut, result, baseline) == "yes" for cut in speaking(cuts, result))


def limit_of(cut: Cut, result: Known, baseline: Known | None = None) -> Decimal | None:
    """The limit in the unit of the result; `None` where the laboratory or the chart gives nothing to make it from."""
    if cut.unit in (X_ULN, X_LLN):
        own = result.uln if cut.unit == X_ULN else result.lln
        return cut.number * own if own else None
    if cut.unit == X_BASELINE:
        return None if baseline is None else cut.number * _in_unit_of(result, baseline)
    unit = cut.unit.removesuffix(ABOVE_BASELINE)
    amount = cut.number if unit == result.unit else _converted(result, cut.number, unit)
    if unit == cut.unit or amount is None:
        return amount
    return None if baseline is None else amount + _in_unit_of(result, baseline)


def _printed_in(cut: Cut) -> str | None:
    return None if cut.unit in (X_ULN, X_LLN, X_BASELINE) else cut.unit.removesuffix(ABOVE_BASELINE)


def _compared(sign: str, result: Known, limit: Decimal) -> bool | None:
    if sign in (">", "<="):
        above = result.above(limit)
        return above if sign == ">" or above is None else not above
    below = result.below(limit)
    return below if sign == "<" or below is None else not below


def _converted(result: Known, number: Decimal, unit: str) -> Decimal | None:
    canonical = to_canonical(result.analyte, number, unit)
    return None if canonical is None else result.in_unit(canonical)


def _in_unit_of(result: Known, other: Known) -> Decimal:
    return other.value if other.unit == result.unit else result.in_unit(other.canonical)
