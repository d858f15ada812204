"""The liver panel over time: which values are within their limits, and since when bilirubin and ALT or AST are both high.

NON-02 stands here as a fact of the results; what it asks of a dose is in `liver_gate`.
"""

from datetime import datetime

from clinical.bilirubin import TRANSAMINASES, bilirubin_exempt
from clinical.once import once
from clinical.results import Known
from clinical.treatment import Treatment

PANEL = ("bilirubin", "alt", "ast")


def liver_holds(case: Treatment) -> bool:
    """Whether NON-02 stands now."""
    return [False, *(standing for _, standing in both_high_over_time(case))][-1]


def within_limits(case: Treatment, analyte: str, result: Known) -> bool:
    """Whether one value of a liver panel is at or below its limit, or a bilirubin is exempt (NON-11)."""
    within = above_limits(case, result) is False
    return within or (analyte == "bilirubin" and bilirubin_exempt(case, result))


def above_limits(case: Treatment, result: Known) -> bool | None:
    """Whether one value of a liver panel is above its limit; `None` where a comparator leaves it open."""
    limits = case.protocol.liver
    limit = limits.bilirubin_max if result.analyte == "bilirubin" else limits.ast_alt_max
    return result.above_uln(limit.number)


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
