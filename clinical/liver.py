"""The liver gate: NON-02 (both high) and NON-08 (one high)."""

from collections.abc import Iterator
from datetime import datetime

from clinical.bilirubin import TRANSAMINASES, bilirubin_exempt, exemption_note
from clinical.once import once
from clinical.results import Known
from clinical.treatment import Treatment
from clinical.units import label
from models.assessment import Finding, Input, Verdict
from models.base import plain
from models.protocol import Entry

PANEL = ("bilirubin", "alt", "ast")


def liver_gate(case: Treatment) -> Iterator[Finding]:
    """NON-02 hard hold; NON-08 hold. Checked before each dose and all the time in between."""
    both = list(liver_hold(case))
    yield from both
    if not both:
        yield from isolated_hold(case)
    yield from exemption_note(case)


def liver_hold(case: Treatment) -> Iterator[Finding]:
    """NON-02: bilirubin > 1.5 x ULN and ALT or AST > 2.5 x ULN (AMB-02: either).

    Once met it stands, also while only one limb is high, until one panel has all within; equal passes.
    """
    if not liver_holds(case):
        return
    inputs = tuple(k.shown() for k in _latest_known(case))
    limits = case.protocol.liver
    clears = (
        f"one panel with bilirubin <= {limits.bilirubin_max.shown()} and ALT and AST <= {limits.ast_alt_max.shown()}"
        f"{_limits_in_numbers(case)}"
    )
    reason = f"bilirubin and ALT or AST above their limits: {_in_words(inputs)}"
    yield case.finding("NON-02", Verdict.HOLD, reason, inputs=inputs, clears=clears)


def liver_holds(case: Treatment) -> bool:
    """Whether NON-02 stands now."""
    return [False, *(standing for _, standing in both_high_over_time(case))][-1]


def isolated_hold(case: Treatment) -> Iterator[Finding]:
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


def _isolated(case: Treatment, result: Known, multiple: Entry) -> Iterator[Finding]:
    assert result.uln is not None
    limit = multiple.number * result.uln
    above = result.above(limit)
    words = f"{plain(limit)} {result.unit} ({plain(multiple.number)} x ULN of {plain(result.uln)})"
    if above:
        reason = f"{label(result.analyte)} {plain(result.value)} {result.unit}, limit {words}"
        clears = f"{label(result.analyte)} <= {words}, or an override by the prescriber and a second person"
        yield case.finding(
            "NON-08", Verdict.HOLD, reason, inputs=(result.shown(),), clears=clears, subject=result.analyte
        )
    elif above is None:
        reason = f"{label(result.analyte)}: its comparator leaves open whether {words} is kept"
        yield case.finding("LAB-05", Verdict.NEED_DATA, reason, inputs=(result.shown(),), clears="a result as a number")


def within_limits(case: Treatment, analyte: str, result: Known) -> bool:
    """Whether one value of a liver panel is at or below its limit, or a bilirubin is exempt (NON-11)."""
    limits = case.protocol.liver
    limit = limits.bilirubin_max if analyte == "bilirubin" else limits.ast_alt_max
    within = result.above_uln(limit.number) is False
    return within or (analyte == "bilirubin" and bilirubin_exempt(case, result))


@once
def both_high_over_time(case: Treatment) -> tuple[tuple[datetime, bool], ...]:
    """Every draw of the panel, and whether NON-02 stands since: met by one draw, ended by a panel with all within."""
    stands = False
    found: list[tuple[datetime, bool]] = []
    current: dict[str, Known] = {}
    for draw in _draws(case):
        current |= draw
        if _both_high(case, current):
            stands = True
        elif stands and _one_panel_within(case, current):
            stands = False
        found.append((max(k.collected_at for k in draw.values()), stands))
    return tuple(found)


def _draws(case: Treatment) -> list[dict[str, Known]]:
    by_time: dict[datetime, dict[str, Known]] = {}
    for analyte in PANEL:
        for result in case.results.history(analyte):
            by_time.setdefault(result.collected_at, {})[analyte] = result
    return [by_time[at] for at in sorted(by_time)]


def _both_high(case: Treatment, current: dict[str, Known]) -> bool:
    """Both surely above: a value that a comparator leaves open is unknown, and answered as missing data."""
    limits = case.protocol.liver
    bilirubin = current.get("bilirubin")
    if bilirubin is None or not bilirubin.above_uln(limits.bilirubin_max.number):
        return False
    if bilirubin_exempt(case, bilirubin):
        return False
    return any(current[a].above_uln(limits.ast_alt_max.number) for a in TRANSAMINASES if a in current)


def _one_panel_within(case: Treatment, current: dict[str, Known]) -> bool:
    """All three within their limits and of one day: values of different days are not one panel."""
    if set(current) != set(PANEL):
        return False
    days = {k.collected_at.astimezone(case.reading.zone).date() for k in current.values()}
    return len(days) == 1 and all(within_limits(case, a, k) for a, k in current.items())


def _latest_known(case: Treatment) -> list[Known]:
    return [k for k in (case.known(a) for a in PANEL) if k is not None]


def _limits_in_numbers(case: Treatment) -> str:
    parts = []
    for result in _latest_known(case):
        limit = case.protocol.liver.bilirubin_max if result.analyte == "bilirubin" else case.protocol.liver.ast_alt_max
        if result.uln is not None:
            parts.append(f"{label(result.analyte)} {plain(limit.number * result.uln)} {result.unit}")
    return f" ({', '.join(parts)})" if parts else ""


def _in_words(inputs: tuple[Input, ...]) -> str:
    return ", ".join(f"{i.name} {i.value}" for i in inputs)
