"""Draws that hold all of several analytes: a liver panel, a blood count, the tests for tumour lysis (LAB-07)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from clinical.calendar import local_date
from clinical.case import Case
from clinical.once import once
from clinical.results import Known, recorded_at


@dataclass(frozen=True)
class Draw:
    """A set of results that is complete: when its last one was drawn, and when all of it was known."""

    at: datetime
    recorded_at: datetime
    results: tuple[Known, ...]

    @property
    def abnormal(self) -> bool:
        """Whether one of them is above the upper limit of normal of its laboratory, or may be."""
        return any(k.uln is None or k.above(k.uln) is not False for k in self.results)


def complete_draws(case: Case, analytes: Iterable[str]) -> tuple[Draw, ...]:
    """Complete sets, oldest first: of one draw, or completed by further draws of the same day."""
    return _complete(case, tuple(analytes))


@once
def _complete(case: Case, wanted: tuple[str, ...]) -> tuple[Draw, ...]:
    by_draw: dict[object, dict[str, Known]] = {}
    dates: dict[datetime, date] = {}  # all of one draw have one instant: its date is worked out once
    for analyte in wanted:
        for result in case.results.history(analyte):
            at = result.collected_at
            on = dates.get(at)
            if on is None:
                on = dates[at] = local_date(at, case.reading.zone)
            by_draw.setdefault(at, {})[analyte] = result
            by_draw.setdefault(on, {})[analyte] = result
    found: dict[datetime, Draw] = {}
    for draw in by_draw.values():
        if len(draw) == len(wanted):
            at = max(k.collected_at for k in draw.values())
            found[at] = Draw(at, max(recorded_at(k) for k in draw.values()), tuple(draw.values()))
    return tuple(sorted(found.values(), key=lambda draw: draw.at))


def all_known_at(case: Case, analytes: Iterable[str]) -> datetime | None:
    """Since when each of these has a usable result drawn then or later: the oldest of the latest ones."""
    histories = [case.results.history(analyte) for analyte in analytes]
    return min(h[-1].collected_at for h in histories) if all(histories) else None


def latest_draw(case: Case, analytes: Iterable[str]) -> Draw | None:
    """The complete set drawn last."""
    found = complete_draws(case, analytes)
    return found[-1] if found else None
