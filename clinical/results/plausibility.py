"""PLAU-01: what cannot be true, and what a person looks at before it counts. All limits stand in the protocol.

Hard limits refuse a result. An unusual limit of normal, or a jump from one draw to the next, makes a result unknown
until a clinician confirms it (`result_confirmed`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import NamedTuple

from clinical.coding.units import FACTORS, PERCENT, label, times
from models.base import plain
from models.facts import LabResult
from models.protocol import Plausible, Protocol


class Beyond(NamedTuple):
    """A hard limit that a value is beyond: above (`high`) or below it."""

    high: bool
    why: str


class UnusualLimit(NamedTuple):
    """A limit of normal that cannot be one (CONV-03), or that a person confirms first (PLAU-01)."""

    rule: str
    why: str
    confirmable: bool


class Drawn(NamedTuple):
    """One result among the others of its analyte: its fact, when it was drawn, its canonical value; `at_most`: only a bound."""

    fact: str
    at: datetime
    value: Decimal
    at_most: bool = False


def beyond_hard_limits(analyte: str, result: LabResult, protocol: Protocol) -> Beyond | None:
    """Whether the value is beyond the hard limits, also as the bound that its comparator makes of it."""
    limits, value = protocol.plausible.get(analyte), result.value
    if limits is None or value is None or result.unit is None:
        return None
    canonical, comparator = FACTORS[analyte, result.unit].to_canonical(value), result.comparator
    high, low = limits.high.number, limits.low.number
    if comparator not in ("<", "<=") and (canonical > high or (canonical == high and comparator == ">")):
        return Beyond(high=True, why=f"implausibly high ({_said(result)}, at most {limits.high.shown()})")
    if comparator not in (">", ">=") and (canonical < low or (canonical == low and comparator == "<")):
        why = f"implausibly low ({_said(result)}, at least {limits.low.shown()})"
        return Beyond(high=False, why=f"{why}{_hint(result, protocol)}")
    return None


def _said(result: LabResult) -> str:
    assert result.value is not None
    return f"{result.comparator or ''}{plain(result.value)} {result.unit}"


def _hint(result: LabResult, protocol: Protocol) -> str:
    assert result.value is not None
    seconds = result.unit == "ms" and result.value < protocol.confirm.seconds_below.number
    return ": probably seconds" if seconds else ""


def unusual_limit(analyte: str, result: LabResult, protocol: Protocol) -> UnusualLimit | None:
    """An upper limit of normal that is no such limit, or outside what laboratories print."""
    limits = protocol.plausible.get(analyte)
    if limits is None or result.uln is None or result.unit is None:
        return None
    uln = FACTORS[analyte, result.unit].to_canonical(result.uln)
    said = f"upper limit of normal {plain(result.uln)} {result.unit}"
    usual, multiple = limits.usual_uln, protocol.confirm.uln_multiple.number
    if usual is not None and uln > times(multiple, usual.number):
        return UnusualLimit("CONV-03", f"{said} is more than {plain(multiple)} times the usual one", False)
    if _outside(uln, limits):
        return UnusualLimit("PLAU-01", f"{said} is unusual and waits for a person's confirmation", True)
    return None


def _outside(uln: Decimal, limits: Plausible) -> bool:
    low, high = limits.uln_low, limits.uln_high
    return (low is not None and uln < low.number) or (high is not None and uln > high.number)


def jumps(
    analyte: str, drawn: Sequence[Drawn], protocol: Protocol, confirmed: frozenset[str], transfused: Iterable[datetime]
) -> dict[str, str]:
    """Results that jump within a day, by fact, with the words for it. Later ones are seen against a confirmed one only."""
    limits, given = protocol.confirm, tuple(transfused)
    span = limits.platelets_within.span if analyte == "platelets" else limits.bilirubin_within.span
    kept: list[Drawn] = []
    found: dict[str, str] = {}
    for result in sorted(drawn, key=lambda d: d.at):
        near = _near(result, kept, span)
        if analyte == "platelets":
            near = [k for k in near if not any(k.at <= at <= result.at for at in given)]
            words = _rise(result, near, limits.platelets_rise.number)
        else:
            words = _fold(result, near, limits.bilirubin_fold.number)
        if words is None:
            kept.append(result)
        elif result.fact in confirmed:
            kept = [result]
        else:
            found[result.fact] = words
    return found


def _near(result: Drawn, kept: Sequence[Drawn], span: timedelta) -> list[Drawn]:
    """Those drawn within this time before it; `kept` are in the order in which they were drawn."""
    return list(takewhile(lambda one: result.at - one.at <= span, reversed(kept)))


def _rise(result: Drawn, near: list[Drawn], limit: Decimal) -> str | None:
    lowest = min((k.value for k in near), default=result.value)
    if result.at_most or result.value - lowest <= limit:
        return None
    return (
        f"rose from {plain(lowest)} to {plain(result.value)} x 10^9/L in a day without a platelet transfusion on record"
    )


def _fold(result: Drawn, near: list[Drawn], limit: Decimal) -> str | None:
    """Ten times more, or ten times less: a change of the unit or of the patient looks like either."""
    for before in near:
        low, high = sorted((before.value, result.value))
        if high > low and high >= times(limit, low):
            return f"changed {plain(limit)}-fold or more within a day"
    return None


def contradictions(drawn: Iterable[tuple[str, Drawn]], apart: Decimal) -> list[list[Drawn]]:
    """Results of one analyte that one message gives for one draw, and that are further apart than rounding explains.

    `drawn` are the results with the message of each; `apart` is the limit in per cent of the highest.
    """
    groups: dict[tuple[str, datetime], list[Drawn]] = {}
    for message, result in drawn:
        if message:
            groups.setdefault((message, result.at), []).append(result)
    return [group for group in groups.values() if _apart(group) > apart]


def _apart(group: Sequence[Drawn]) -> Decimal:
    values = [result.value for result in group]
    highest = max(values)
    return (highest - min(values)) / highest * PERCENT if highest else Decimal(0)


def more_than_all(part: Drawn, wholes: Iterable[Drawn]) -> str | None:
    """A neutrophil count above the white cells of the same draw."""
    whole = next((w for w in wholes if w.at == part.at and part.value > w.value), None)
    return None if whole is None else f"is above the {label('wbc')} of the same draw"
