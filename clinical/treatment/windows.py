"""When a dose may be given: its window, its spacing, its planned instant (DOSE-04 … DOSE-06, DAY-01 … DAY-05)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from clinical.chart.calendar import at_local, midnight_of, plus_days, wall_clock
from clinical.chart.once import once
from clinical.treatment.treatment import Dose, Treatment
from models.facts import CYCLE_DAYS, CycleExtended, DoseSlot


@dataclass(frozen=True)
class Window:
    """When the next dose may be given: from a local date with its first instant, to a last date (none: no end).

    `due_by` is its last date before six days after a late dose moved it (AMB-05).
    """

    opens_at: datetime
    opens_on: date
    nominal_on: date
    last_on: date | None
    closes_at: datetime | None
    by_spacing: bool
    due_by: date | None = None


class Planned(Treatment):
    """A treatment with the windows of its doses."""

    @once
    def window_of(self, slot: DoseSlot) -> Window | None:
        """The window of a dose, from the doses given before it."""
        earlier = [d for d in self.doses if (d.slot.cycle, d.slot.day) < (slot.cycle, slot.day)]
        if not earlier:
            return None
        return self._first_day_window(slot, earlier) if slot.day == 1 else self._later_day_window(slot, earlier)

    @property
    def extended(self) -> bool:
        """Cycle 1 takes its longest length, by the prescriber's word (DOSE-05)."""
        return any(what.cycle == 1 for _, what in self.reading.of(CycleExtended))

    def _first_day_window(self, slot: DoseSlot, earlier: list[Dose]) -> Window:
        regimen = self.protocol.regimen
        before = [d for d in earlier if d.slot.cycle == slot.cycle - 1] or earlier
        length = regimen.cycle1_length if slot.cycle == 2 else regimen.later_length
        if slot.cycle == 2 and self.extended:
            length = regimen.cycle1_max_length
        by_length = before[0].local_on + length.span
        by_spacing = max(d.local_on for d in earlier) + regimen.after_last_dose.span
        opens_on = max(by_length, by_spacing)
        opens_at = midnight_of(opens_on, self.reading.zone)
        return Window(opens_at, opens_on, opens_on, None, None, by_spacing > by_length)

    def _later_day_window(self, slot: DoseSlot, earlier: list[Dose]) -> Window:
        regimen = self.protocol.regimen
        first = next((d for d in earlier if d.slot == slot_of(slot.cycle, 1)), earlier[-1])
        offset = regimen.day8_offset if slot.day == CYCLE_DAYS[1] else regimen.day15_offset
        nominal_on = first.local_on + offset.span
        last_dose = max(earlier, key=lambda d: d.started_at)
        spaced_on = last_dose.local_on + regimen.min_gap.span
        opens_on = max(nominal_on - regimen.window.span, spaced_on)
        due_by = nominal_on + regimen.window.span
        last_on = max(due_by, spaced_on)  # AMB-05: spacing wins
        zone = self.reading.zone
        closes_at = midnight_of(last_on + timedelta(days=1), zone)
        opens_at = self._not_before_on_the_sixth_day(opens_on, last_dose)
        planned_on = max(nominal_on, spaced_on)
        return Window(opens_at, opens_on, planned_on, last_on, closes_at, opens_on == spaced_on, due_by)

    def _not_before_on_the_sixth_day(self, opens_on: date, last: Dose) -> datetime:
        """DAY-03: at a difference of exactly six dates not more than 6 h earlier by the wall clock than last time."""
        zone = self.reading.zone
        opens_at = midnight_of(opens_on, zone)
        if opens_on - last.local_on != self.protocol.regimen.min_gap.span:
            return opens_at
        last_clock = datetime.combine(opens_on, wall_clock(last.started_at, zone))
        # by the wall clock, also when clocks change
        earliest_clock = last_clock - self.protocol.regimen.early_start.span
        if earliest_clock.date() < opens_on:
            return opens_at
        return max(opens_at, at_local(opens_on, earliest_clock.time(), zone))

    def needs_earlier_start_reason(self) -> bool:
        """DAY-03: a start now, on the sixth date and earlier by the wall clock than the previous one, needs a reason."""
        last, zone = self.last_dose, self.reading.zone
        today = self.reading.today
        if last is None or today - last.local_on != self.protocol.regimen.min_gap.span:
            return False
        return not self.reading.reached(at_local(today, wall_clock(last.started_at, zone), zone))

    @once
    def planned_at(self, slot: DoseSlot) -> datetime | None:
        """The nominal instant of a dose: its nominal date at the wall-clock time of the dose before."""
        window, last = self.window_of(slot), self.last_dose
        if window is None or last is None:
            return None
        days = (window.nominal_on - last.local_on).days
        return plus_days(last.started_at, days, self.reading.zone)


def slot_of(cycle: int, day: int) -> DoseSlot:
    """Cycle and day as one value."""
    return DoseSlot.model_validate({"cycle": cycle, "day": day})
