"""The liver gate before every dose: NON-02 (both high, a hard hold) and NON-08 (one high)."""

from collections.abc import Iterator

from clinical.bilirubin import bilirubin_exempt, exemption_note
from clinical.case import Case
from clinical.liver import PANEL, liver_holds
from clinical.next_due import Test, last_and_next, next_due_words
from clinical.results import Known
from clinical.units import label
from models.assessment import Finding, Input, Verdict
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
    inputs = tuple(k.shown() for k in _latest_known(case))
    limits = case.protocol.liver
    clears = (
        f"one panel with bilirubin <= {limits.bilirubin_max.shown()} and ALT and AST <= {limits.ast_alt_max.shown()}"
        f"{_limits_in_numbers(case)}{next_due_words(case, Test.LIVER)}"
    )
    reason = f"bilirubin and ALT or AST above their limits: {_in_words(inputs)}"
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
        result = case.known(analyte)
        if result is not None and not (analyte == "bilirubin" and bilirubin_exempt(case, result)):
            yield from _isolated(case, result, multiple)


def _isolated(case: Case, result: Known, multiple: Entry) -> Iterator[Finding]:
    assert result.uln is not None
    limit = multiple.number * result.uln
    above = result.above(limit)
    words = f"{plain(limit)} {result.unit} ({plain(multiple.number)} x ULN of {plain(result.uln)})"
    if above:
        reason = f"{label(result.analyte)} {plain(result.value)} {result.unit}, limit {words}"
        clears = (
            f"{label(result.analyte)} <= {words}{last_and_next(case, result, Test.LIVER)}; "
            "or an override by the prescriber and a second person"
        )
        yield case.finding(
            "NON-08", Verdict.HOLD, reason, inputs=(result.shown(),), clears=clears, subject=result.analyte
        )
    elif above is None:
        reason = f"{label(result.analyte)}: its comparator leaves open whether {words} is kept"
        yield case.finding("LAB-05", Verdict.NEED_DATA, reason, inputs=(result.shown(),), clears="a result as a number")


def _latest_known(case: Case) -> list[Known]:
    return [k for k in (case.known(a) for a in PANEL) if k is not None]


def _limits_in_numbers(case: Case) -> str:
    parts = []
    for result in _latest_known(case):
        limit = case.protocol.liver.bilirubin_max if result.analyte == "bilirubin" else case.protocol.liver.ast_alt_max
        if result.uln is not None:
            parts.append(f"{label(result.analyte)} {plain(limit.number * result.uln)} {result.unit}")
    return f" ({', '.join(parts)})" if parts else ""


def _in_words(inputs: tuple[Input, ...]) -> str:
    return ", ".join(f"{i.name} {i.value}" for i in inputs)
