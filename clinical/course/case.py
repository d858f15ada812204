"""A case: a treatment with the dose that is next. What every rule about a dose is a function of."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from clinical.chart.once import once
from clinical.course.interruption import BELOW_TWO_DOSES, TWO_DOSES, Interruptions, day_left_out, interruptions
from clinical.course.levels import Signed, levels_signed
from clinical.treatment.reviews import Review
from clinical.treatment.windows import Planned, slot_of
from models.facts import CYCLE_DAYS, DoseDecided, DoseSlot, Fact


class Case(Planned):
    """Chart, protocol and instant, read once, with the dose that is next."""

    @property
    @once
    def slot(self) -> DoseSlot | None:
        """The dose that is next; none while an infusion or observation runs or when dosing has ended."""
        if self.busy or self.dosing_ended is not None:
            return None
        return self.slot_after_all

    @property
    @once
    def slot_after_all(self) -> DoseSlot:
        """The dose that would be next if dosing went on: the next day of this cycle, or day 1 of the next."""
        given = {d.slot.day for d in self.doses if d.slot.cycle == self.cycle}
        passed = given | {slot.day for slot in self.omitted if slot.cycle == self.cycle}
        two_doses = self.level_of(self.cycle) >= TWO_DOSES
        days = [day for day in CYCLE_DAYS if not (two_doses and day == day_left_out(self, self.cycle))]
        later = [day for day in days if not passed or day > max(passed)]
        if self.dosing_ended is not None and given:
            later = []
        return slot_of(self.cycle, later[0]) if later else slot_of(self.cycle + 1, 1)

    @property
    @once
    def decided(self) -> Mapping[str, tuple[Fact, DoseDecided]]:
        """The prescriber's latest decision on each dose (DAY-06), by the dose."""
        said = {f"C{what.cycle}D{what.day}": (fact, what) for fact, what in self.reading.of(DoseDecided)}
        return MappingProxyType(said)

    @once
    def put_off_until(self, slot: DoseSlot) -> date | None:
        """The date to which the prescriber put this dose off last (DAY-06)."""
        _, decision = self.decided.get(str(slot), (None, None))
        return decision.until if decision is not None and decision.decision == "postpone" else None

    @property
    @once
    def omitted(self) -> tuple[DoseSlot, ...]:
        """The doses that the prescriber or the ladder (DUR-02) left out; one that was given all the same was not.

        A cycle begins with its day 1, which no word leaves out (DAY-06).
        """
        given = {d.slot for d in self.doses}
        said = [what for _, what in self.decided.values() if what.decision == "omit" and what.day != CYCLE_DAYS[0]]
        by_word = [slot_of(what.cycle, what.day) for what in said]
        left_out = dict.fromkeys((*by_word, *self.interruptions.dropped))
        return tuple(slot for slot in left_out if slot not in given)

    @property
    @once
    def interruptions(self) -> Interruptions:
        """The doses held for toxicity, what they leave out and what they reduce (DUR)."""
        return interruptions(self)

    @property
    @once
    def level_signed(self) -> Signed:
        """How far the levels that were signed lie below what the interruptions ask for now (COR-02)."""
        return levels_signed(self.reading, self.interruptions)

    @once
    def level_of(self, cycle: int) -> int:
        """The dose level of a cycle (LVL): what the interruptions ask for, and never above what was signed (DOSE-10)."""
        return min(self.interruptions.level_of(cycle) + self.level_signed.below, BELOW_TWO_DOSES)

    @property
    def reviews(self) -> tuple[Review, ...]:
        """COR-02: what was corrected behind a permanent stop or a reduced level, and waits for two signatures."""
        return (*self.stop_reviews, *self.level_signed.reviews)

    @property
    def correction_open(self) -> bool:
        """COR-02: a correction waits for two signatures."""
        return bool(self.reviews)

    @property
    @once
    def after_an_omitted_dose(self) -> bool:
        """The dose before the next one, in the same cycle, was left out (§3.5 row 7)."""
        slot = self.slot
        return slot is not None and any(o.cycle == slot.cycle and o.day < slot.day for o in self.omitted)

    @property
    @once
    def in_review(self) -> bool:
        """The last dose of the cycle was given or left out, and the next cycle is not started."""
        return self.slot is not None and self.slot.cycle > self.cycle
