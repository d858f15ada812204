"""The liver gate before every dose: NON-02 (both high, a hard hold) and NON-08 (one high)."""

from collections.abc import Iterator
from decimal import Decimal

from clinical.chart.calendar import local_date
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.monitoring.next_due import Test, last_and_next, next_due_words
from clinical.results.known import Known, and_beside
from clinical.toxicity.bilirubin import bilirubin_exempt, exemption_note
from clinical.toxicity.liver import PANEL, above_limits, liver_holds, within_limits
from models.assessment import Finding, Verdict
from models.base import plain
from models.protocol import Entry


def liver_gate(case: Case) -> Iterator[Finding]:
    """NON-02 hard hold; NON-08 hold. Checked before each dose and all the time in between."""
    both = list(liver_hold(case))
    yield from both
    if not both:
        yield from isolated_hold(case)
    yield from exemption_note(case)


def liver_hold(case: Case) -> Iterator[Finding]:
    """NON-02: bilirubin > 1.5 x ULN and ALT or AST > 2.5 x ULN (AMB-02: either).

    Once met it stands, also while only one limb is high, until one panel has all within; equal passes.
    """
    if not liver_holds(case):
        return
    held, limits = _held_by(case), case.protocol.liver
    inputs = case.shown(*held)
    clears = (
        f"one panel with bilirubin <= {limits.bilirubin_max.shown()} and ALT and AST <= {limits.ast_alt_max.shown()}"
        f"{_limits_in_numbers(case)}{next_due_words(case, Test.LIVER)}"
    )
    reason = f"bilirubin and ALT or AST {_above_in_words(case, held)}"
    yield case.finding("NON-02", Verdict.HOLD, reason, inputs=inputs, clears=clears)


def isolated_hold(case: Case) -> Iterator[Finding]:
    """NON-08: bilirubin > 1.5 x ULN or ALT or AST > 2.5 x ULN alone (AMB-01)."""
    limits = case.protocol.liver
    multiples = {
        "bilirubin": limits.isolated_bilirubin_max,
        "alt": limits.isolated_ast_alt_max,
        "ast": limits.isolated_ast_alt_max,
    }
    for analyte, multiple in multiples.items():
        held = case.holding(analyte)
        counted = [k for k in held if k.uln and not (analyte == "bilirubin" and bilirubin_exempt(case, k))]
        if counted:
            gravest = max(counted, key=lambda k: (k.above_uln(multiple.number) or False, _multiple_of_uln(k)))
            yield from _isolated(case, gravest, counted, multiple)


def _multiple_of_uln(result: Known) -> Decimal:
    return result.value / result.uln if result.uln else Decimal(0)


def _isolated(case: Case, result: Known, held: list[Known], multiple: Entry) -> Iterator[Finding]:
    assert result.uln is not None
    limit = multiple.number * result.uln
    above = result.above(limit)
    words = f"{plain(limit)} {result.unit} ({plain(multiple.number)} x ULN of {plain(result.uln)})"
    if above:
        beside = and_beside(result, held)
        reason = f"{label(result.analyte)} {plain(result.value)} {result.unit}{beside}, limit {words}"
        clears = (
            f"{label(result.analyte)} <= {words}{last_and_next(case, result, Test.LIVER)}; "
            "or an override by the prescriber and a second person"
        )
        yield case.finding(
            "NON-08", Verdict.HOLD, reason, inputs=case.shown(*held), clears=clears, subject=result.analyte
        )
    elif any(k.above(multiple.number * k.uln) is None for k in held if k.uln is not None):
        reason = f"{label(result.analyte)}: its comparator leaves open whether {words} is kept"
        yield case.finding("LAB-05", Verdict.NEED_DATA, reason, inputs=case.shown(*held), clears="a result as a number")


def _held_by(case: Case) -> list[Known]:
    return [k for analyte in PANEL for k in case.holding(analyte)]


def _limits_in_numbers(case: Case) -> str:
    parts = []
    for result in _held_by(case):
        limit = case.protocol.liver.bilirubin_max if result.analyte == "bilirubin" else case.protocol.liver.ast_alt_max
        if result.uln is not None:
            parts.append(f"{label(result.analyte)} {plain(limit.number * result.uln)} {result.unit}")
    return f" ({', '.join(dict.fromkeys(parts))})" if parts else ""


def _above_in_words(case: Case, held: list[Known]) -> str:
    """What is above its limit, and of which day where it is not of the last one; NON-02 also stands after one is not."""
    days = {k.fact: local_date(k.collected_at, case.reading.zone) for k in held}
    last = max(days.values(), default=None)
    above = [k for k in held if above_limits(case, k) and not within_limits(case, k.analyte, k)]
    words = ", ".join(
        f"{k.shown().name} {k.shown().value}{'' if days[k.fact] == last else f' of {days[k.fact]}'}" for k in above
    )
    analytes = {k.analyte for k in above}
    if "bilirubin" in analytes and len(analytes) > 1:
        return f"above their limits: {words}"
    return f"were above their limits, and no panel since has all within; above now: {words or 'none'}"
