"""The liver panel over time: which values are within their limits, and since when bilirubin and ALT or AST are both high.

NON-02 stands here as a fact of the results; what it asks of a dose is in `liver_gate`.
"""

from datetime import datetime

from clinical.chart.once import once
from clinical.results.known import Known
from clinical.toxicity.bilirubin import TRANSAMINASES, bilirubin_exempt
from clinical.treatment.treatment import Treatment

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
    current: Panel = {}
    gone = {analyte: case.results.gone(analyte) for analyte in PANEL}
    for at, draw in sorted(_draws(case).items()):
        current |= draw
        values = dict(current)
        for analyte, beside in gone.items():
            if beside:
                now = current.get(analyte, ())
                values[analyte] = (
                    *now,
                    *(k for k in beside if k.collected_at <= at and (not now or now[0].minute <= k.minute)),
                )
        if _both_high(case, values):
            stands = True
        elif stands and _one_panel_within(case, current):
            stands = False
        found.append((at, stands))
    return tuple(found)


Panel = dict[str, tuple[Known, ...]]
"""The last usable values of each test; more than one of a test are twins (LAB-11)."""


def _draws(case: Treatment) -> dict[datetime, Panel]:
    """By the time of their last value the values of one minute; nothing but the time of what is gone, for it lifts nothing."""
    by_minute: dict[datetime, Panel] = {}
    for analyte in PANEL:
        for twins in case.results.minutes(analyte):
            by_minute.setdefault(twins[0].minute, {})[analyte] = twins
    found = {max(k.collected_at for twins in draw.values() for k in twins): draw for draw in by_minute.values()}
    for gone in (k for analyte in PANEL for k in case.results.gone(analyte)):
        found.setdefault(gone.collected_at, {})
    return found


def _both_high(case: Treatment, values: Panel) -> bool:
    """Both surely above: a value that a comparator leaves open is unknown, and answered as missing data."""
    limits = case.protocol.liver
    bilirubin = [k for k in values.get("bilirubin", ()) if k.above_uln(limits.bilirubin_max.number)]
    if all(bilirubin_exempt(case, k) for k in bilirubin):
        return False
    return any(k.above_uln(limits.ast_alt_max.number) for analyte in TRANSAMINASES for k in values.get(analyte, ()))


def _one_panel_within(case: Treatment, current: Panel) -> bool:
    """All three within their limits and of one day: values of different days are not one panel."""
    if set(current) != set(PANEL):
        return False
    values = [(analyte, k) for analyte, twins in current.items() for k in twins]
    days = {k.collected_at.astimezone(case.reading.zone).date() for _, k in values}
    return len(days) == 1 and all(within_limits(case, analyte, k) for analyte, k in values)
