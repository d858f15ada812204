"""Doses interrupted for toxicity: for how long, what is left out, and what the next cycle is reduced to (DUR, LVL).

Only NON-02, NON-06 and NON-08 count, until a physician attributes them to another cause (DUR-09). The clock runs from
the planned date of the first dose that was held to the collection of the first sample that shows recovery (DUR-07).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from clinical.chart.calendar import local_date, midnight_of
from clinical.chart.once import once
from clinical.toxicity.liver import PANEL, both_high_over_time
from clinical.toxicity.toxic_values import ToxicValue, graded_tests, toxic_values
from clinical.toxicity.toxicity import holds_for_toxicity
from clinical.treatment.treatment import Treatment
from clinical.treatment.windows import Planned, Window, slot_of
from models.facts import CYCLE_DAYS, DoseSlot, DroppedDoseChosen, Toxicity

FULL, REDUCED, TWO_DOSES, BELOW_TWO_DOSES = 0, 1, 2, 3
"""The dose levels L0, L1 and L2; below L2 the prescriber is asked to stop for good (LVL-01, DUR-04)."""


@dataclass(frozen=True)
class Toxic:
    """A stretch of time in which toxicity stood; `until` is the sample that showed recovery, none while it stands."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Interruption:
    """Doses held for one toxicity: the first of them with its planned date, all of them, and how many days it took.

    `pending`: no dose was given since, so that it still speaks about the next one.
    """

    first: DoseSlot
    planned_on: date
    days: int
    slots: tuple[DoseSlot, ...]
    recovered_at: datetime | None
    pending: bool
    stretch: Toxic

    @property
    def cycle_after(self) -> int:
        """The cycle that a reduction is for: the next one, or the very one whose day 1 was held (DUR-03)."""
        return self.first.cycle if self.first.day == CYCLE_DAYS[0] else self.first.cycle + 1


@dataclass(frozen=True)
class Interruptions:
    """All interruptions of a course, the doses that they leave out, and the level that they ask for in each cycle."""

    found: tuple[Interruption, ...] = ()
    dropped: tuple[DoseSlot, ...] = ()
    levels: tuple[tuple[int, int], ...] = ()
    """Each cycle with its level."""

    @property
    def pending(self) -> Interruption | None:
        """The interruption that no dose has followed."""
        return self.found[-1] if self.found and self.found[-1].pending else None

    def level_of(self, cycle: int) -> int:
        """The level that the interruptions before this cycle ask for; 3 stands for "below L2"."""
        return max((level for of, level in self.levels if of <= cycle), default=FULL)


def interruptions(case: Planned) -> Interruptions:
    """Walk through the doses in their order: which were held, for how long, which are left out, at which level."""
    walk, stretches = Interruptions(), toxic_stretches(case) if case.doses else ()
    if not stretches:
        return walk
    begun = {d.slot.cycle for d in case.doses if d.slot.day == CYCLE_DAYS[0]}
    for cycle in range(1, case.cycle + 2):
        for day in CYCLE_DAYS if cycle in begun else CYCLE_DAYS[:1]:  # day 8 and 15 are planned from day 1
            if walk.level_of(cycle) < TWO_DOSES or day != day_left_out(case, cycle):
                walk = _look_at(case, walk, slot_of(cycle, day), stretches)
            if day == CYCLE_DAYS[0]:
                walk = replace(walk, levels=(*walk.levels, (cycle, _level_after(case, walk, cycle))))
    return walk


def day_left_out(case: Planned, cycle: int) -> int:
    """LVL-03: the day that is left out of a cycle at level L2: the prescriber's choice, else the protocol's."""
    chosen = [what.day for _, what in case.reading.of(DroppedDoseChosen) if what.cycle == cycle]
    return chosen[-1] if chosen else case.protocol.levels.dropped_day.count


def _level_after(case: Planned, walk: Interruptions, cycle: int) -> int:
    """LVL-01: one step down, never two, for a cycle before which a dose was held for 14 days (DUR-03, -04, -06, -08)."""
    limit = case.protocol.limits.interruption_reduce.count
    due = any(i.days >= limit and i.cycle_after == cycle for i in walk.found)
    return min(walk.level_of(cycle - 1) + (1 if due else 0), BELOW_TWO_DOSES)


def _look_at(case: Planned, walk: Interruptions, slot: DoseSlot, stretches: tuple[Toxic, ...]) -> Interruptions:
    """Add what held this dose, joined to what held the one before, and leave it out where the ladder says so (DUR-02)."""
    window = case.window_of(slot)
    before = walk.found[-1] if walk.found else None
    carried = before.stretch if before is not None and not _given(case, before.slots) else None
    held = None if window is None else _held(case, window, slot, stretches, carried)
    if held is None or window is None:
        return walk
    dropped, found = walk.dropped, walk.found
    if slot.day != CYCLE_DAYS[0] and not _given(case, (slot,)) and _left_out(case, held, window, carried):
        dropped = (*dropped, slot)
    if before is not None and held.stretch == carried:
        days = held.days + (held.planned_on - before.planned_on).days
        slots = (*before.slots, slot)
        found = found[:-1]
        held = replace(held, first=before.first, planned_on=before.planned_on, slots=slots, days=days)
    return replace(walk, found=(*found, held), dropped=dropped)


def _given(case: Planned, slots: tuple[DoseSlot, ...]) -> bool:
    return bool({d.slot for d in case.doses} & set(slots))


def _held(
    case: Planned, window: Window, slot: DoseSlot, stretches: tuple[Toxic, ...], carried: Toxic | None
) -> Interruption | None:
    """The toxicity in which this dose was due and not given: the last one before it was given or left out."""
    planned_at, until = midnight_of(window.nominal_on, case.reading.zone), _waited_for_until(case, slot)
    begun = [s for s in stretches if s.since < until or s.since == until == case.now]
    met = [s for s in begun if s.until is None or s.until >= planned_at]
    if not met or (until < case.now and until < planned_at) or not case.reading.reached(planned_at):
        return None
    held_on = _held_on(case, window, met[0])
    held = _interruption(case, held_on, slot, met[0], until)
    for stretch in met[1:]:
        if slot.day != CYCLE_DAYS[0] and _left_out(case, held, window, carried):
            break
        held = _interruption(case, held_on, slot, stretch, until)
    return held


def _held_on(case: Planned, window: Window, stretch: Toxic) -> date:
    """DUR-07: the planned date. DUR-09: a dose that was late for another reason before is held from the first sign on."""
    since = local_date(stretch.since, case.reading.zone)
    last_on = window.last_on or window.nominal_on + case.protocol.regimen.window.span
    return since if since > last_on else window.nominal_on


def _waited_for_until(case: Planned, slot: DoseSlot) -> datetime:
    """Until when this dose was waited for: its start, the start of a later dose, the end of dosing, or now."""
    later = [d.started_at for d in case.doses if (d.slot.cycle, d.slot.day) >= (slot.cycle, slot.day)]
    ended = [case.dosing_ended.recorded_at] if case.dosing_ended is not None else []
    return min([*later, *ended, case.now])


def _interruption(case: Planned, held_on: date, slot: DoseSlot, stretch: Toxic, until: datetime) -> Interruption:
    recovered_at = stretch.until if stretch.until is not None and stretch.until <= until else None
    zone, pending = case.reading.zone, until == case.now
    today = local_date(recovered_at or until, zone)
    if recovered_at is None and pending:
        case.reading.change_at(midnight_of(today + timedelta(days=1), zone))
    days = max((today - held_on).days, 0)
    return Interruption(slot, held_on, days, (slot,), recovered_at, pending, stretch)


def _left_out(case: Planned, held: Interruption, window: Window, carried: Toxic | None) -> bool:
    """DUR-02: from 7 days on; a following dose also where the same toxicity outlasts its own window (DAY-06)."""
    if held.days >= case.protocol.limits.interruption_max.count:
        return True
    if held.stretch != carried or window.closes_at is None:
        return False
    outlasts = held.stretch.until is None or held.stretch.until >= window.closes_at
    return outlasts and case.reading.reached(window.closes_at)


# ── when toxicity stood (which values count: toxic_values) ───────────────────────────────────────────────────────────


@once
def toxic_stretches(case: Treatment) -> tuple[Toxic, ...]:
    """The stretches of time in which any toxicity that counts stood, oldest first."""
    found: list[Toxic] = []
    since: datetime | None = None
    for at, standing in _over_time(case):
        if standing and since is None:
            since = at
        elif not standing and since is not None:
            found.append(Toxic(since, at))
            since = None
    return tuple(found if since is None else [*found, Toxic(since, None)])


def _over_time(case: Treatment) -> Iterator[tuple[datetime, bool]]:
    """Each instant at which a liver value or a graded toxicity was known anew, and whether toxicity stood then."""
    found = {a: toxic_values(case, a) for a in dict.fromkeys((*PANEL, *graded_tests(case)))}
    events = [(value.at, analyte, value.counts) for analyte, values in found.items() for value in values]
    events += [(at, "NON-02", stands and _limbs_count(found, at)) for at, stands in both_high_over_time(case)]
    for fact, what in case.reading.of(Toxicity):
        events.append((fact.at, f"graded {what.term.lower()}", holds_for_toxicity(case, fact, what)))
    standing: dict[str, bool] = {}
    for at, known_anew in groupby(sorted(events, key=_when), key=_when):
        standing |= {name: holds for _, name, holds in known_anew}
        yield at, any(standing.values())


def _when(event: tuple[datetime, str, bool]) -> datetime:
    return event[0]


def _limbs_count(found: Mapping[str, tuple[ToxicValue, ...]], at: datetime) -> bool:
    """NON-02 counts unless every limb of it that is high at this instant is put down to another cause."""
    values = (next((v for v in reversed(found[analyte]) if v.at <= at), None) for analyte in PANEL)
    high = [v for v in values if v is not None and v.holds]
    return not high or any(v.counts for v in high)
