"""Draws that hold all of several analytes: a liver panel, a blood count, the tests for tumour lysis (LAB-07)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from clinical.chart.calendar import local_date
from clinical.chart.once import once
from clinical.course.case import Case
from clinical.results.known import Known, recorded_at
from models.protocol import Entry


@dataclass(frozen=True)
class Draw:
    """A set of results that is complete, and when its last one was drawn."""

    at: datetime
    results: tuple[Known, ...]

    @property
    def recorded_at(self) -> datetime:
        """When all of it was known."""
        return max(map(recorded_at, self.results))

    @property
    def abnormal(self) -> bool:
        """Whether one of them is above the upper limit of normal of its laboratory, or may be."""
        return any(k.uln is None or k.above(k.uln) is not False for k in self.results)


def complete_draws(case: Case, analytes: Iterable[str]) -> tuple[Draw, ...]:
    """Complete sets, oldest first: of one draw, or completed by further draws of the same day."""
    return _complete(case, tuple(analytes), False)


def draws_against(case: Case, analytes: Iterable[str]) -> tuple[Draw, ...]:
    """The same with what was taken back and no later usable value has settled, for what only raises (E1)."""
    wanted = tuple(analytes)
    return _complete(case, wanted, any(map(case.results.gone, wanted)))


@once
def _complete(case: Case, wanted: tuple[str, ...], taken_back: bool) -> tuple[Draw, ...]:
    read = case.results.against if taken_back else case.results.history
    by_draw: dict[object, dict[str, Known]] = {}
    dates: dict[datetime, date] = {}  # all of one draw have one instant: its date is worked out once
    for analyte in wanted:
        for result in read(analyte):
            at = result.collected_at
            on = dates.get(at)
            if on is None:
                on = dates[at] = local_date(at, case.reading.zone)
            for draw in (by_draw.setdefault(at, {}), by_draw.setdefault(on, {})):
                known = draw.get(analyte)
                draw[analyte] = result if known is None else _graver(known, result)
    found: dict[datetime, Draw] = {}
    for of, draw in by_draw.items():
        if len(draw) == len(wanted):
            at = of if isinstance(of, datetime) else max(k.collected_at for k in draw.values())
            found[at] = Draw(at, tuple(draw.values()))
    return tuple(sorted(found.values(), key=lambda draw: draw.at))


def _graver(known: Known, other: Known) -> Known:
    """Of two of one minute the one further above its upper limit (LAB-11), else the later."""
    if known.minute != other.minute:
        return other
    return max(known, other, key=lambda k: k.value / k.uln if k.uln else k.value)


def all_known_at(case: Case, analytes: Iterable[str]) -> datetime | None:
    """Since when each of these has a usable result drawn then or later: the oldest of the latest ones."""
    histories = [case.results.history(analyte) for analyte in analytes]
    return min(h[-1].collected_at for h in histories) if all(histories) else None


def last_or(case: Case, analytes: Entry, start: datetime) -> datetime:
    """When a complete set was drawn last; where none stands, this start or the earlier draw that was taken back: less
    knowledge asks for nothing later (M.0).
    """
    complete = complete_draws(case, analytes.words)
    return complete[-1].at if complete else min([start, *(draw.at for draw in draws_against(case, analytes.words))])
