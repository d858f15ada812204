"""Which weight a dose is computed with, and when it is taken anew (BSA-08)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from clinical.chart.once import once
from clinical.chart.versions import minute_of
from clinical.coding.units import PERCENT
from clinical.course.case import Case
from clinical.treatment.treatment import Dose, Measured
from models.assessment import Finding
from models.base import plain
from models.facts import CYCLE_DAYS, DoseSlot, VodExamination, WeightAccepted
from models.people import Role
from models.protocol import Protocol

TWO_PLACES = Decimal("0.01")
SHOWN = "an examination for signs of VOD after it and the prescriber's word"
EXAMINED = ("ruq_pain", "hepatomegaly", "ascites", "oedema")


def plausible(protocol: Protocol, name: str, value: Decimal) -> bool:
    """Whether a weight or height can be a person's (PLAU-01)."""
    limits = protocol.plausible[name]
    return limits.low.number <= value <= limits.high.number


@dataclass(frozen=True)
class Dosed:
    """The weight in kg that a dose given was computed with, and what was signed where that has been derived again."""

    dose: Dose
    kg: Decimal
    signed_kg: Decimal | None = None

    @property
    def derived_again(self) -> bool:
        """COR-04: the weight that the signature rested on was corrected or withdrawn since."""
        return self.signed_kg is not None and self.signed_kg != self.kg


@dataclass(frozen=True)
class Weighing:
    """The latest weight beside the last dosing weight: what the next dose is computed with, and why."""

    latest: Measured
    last_kg: Decimal
    dosing_kg: Decimal
    fluid: bool

    @property
    def change_percent(self) -> Decimal:
        """The latest weight against the last dosing weight, in per cent of this."""
        return _change(self.latest.value, self.last_kg)


def weights_for(case: Case, slot: DoseSlot) -> tuple[Decimal, ...]:
    """The weights in kg that this dose is computed with, by each one of the last minute (LAB-11); none where one of them
    is implausible, or none is charted."""
    return by_each_weight(case, slot, of_last_minute(case.weights()))


def by_each_weight(case: Case, slot: DoseSlot, twins: tuple[Measured, ...]) -> tuple[Decimal, ...]:
    """The weights in kg that this dose would be computed with by each of these; none where one is implausible."""
    if not all(plausible(case.protocol, "weight", one.value) for one in twins):
        return ()
    weighed = [(one, weighing(case, slot, one)) for one in twins]
    return tuple(one.value if found is None else found.dosing_kg for one, found in weighed)


def of_last_minute(measured: tuple[Measured, ...]) -> tuple[Measured, ...]:
    """The measurements of the last minute, each value once (LAB-11)."""
    twins = [one for one in measured if minute_of(one.at) == minute_of(measured[-1].at)]
    return tuple({one.value: one for one in twins}.values())


def weighing(case: Case, slot: DoseSlot, one: Measured | None = None) -> Weighing | None:
    """BSA-08: at day 1 of a cycle the weight is taken anew, within a cycle only when it changed by more than 10 %.

    A weight that is more than 5 % above the last dosing weight is fluid until shown otherwise: until then that one
    stands, or what was shown since. `None` where there is no dosing weight yet, or no plausible weight.
    """
    weights, given = case.plausible_weights(), dosing_weights(case)
    if not weights or not given or not plausible(case.protocol, "weight", given[-1].kg):
        return None
    return _weighed(case, weights if one is None else (*weights, one), given[-1], slot)


@once
def dosing_weights(case: Case) -> tuple[Dosed, ...]:
    """The dosing weight of each dose given that has one: as signed, or as it stood when the dose was given elsewhere.

    COR-04: a signed weight that no weight says any more was corrected or withdrawn; it is derived again from what stands,
    and so is one that was carried on from it within the cycle (BSA-08).
    """
    found: list[Dosed] = []
    for dose in case.doses:
        kg = _dosed_with(case, dose, found[-1] if found else None)
        found += [] if kg is None else [kg]
    return tuple(found)


def _dosed_with(case: Case, dose: Dose, before: Dosed | None) -> Dosed | None:
    weights = tuple(m for m in case.plausible_weights() if m.at <= dose.started_at)
    signed_kg = _signed_weight(case, dose)
    if signed_kg is None:
        return Dosed(dose, weights[-1].value) if weights else None
    same_cycle = before is not None and before.dose.slot.cycle == dose.slot.cycle
    if before is not None and same_cycle and signed_kg == (before.signed_kg or before.kg):
        return Dosed(dose, before.kg, signed_kg)
    if any(m.value == signed_kg for m in weights):
        return Dosed(dose, signed_kg, signed_kg)
    if not weights:
        return Dosed(dose, before.kg, signed_kg) if before is not None else None
    kg = weights[-1].value if before is None else _weighed(case, weights, before, dose.slot).dosing_kg
    return Dosed(dose, kg, signed_kg)


def _signed_weight(case: Case, dose: Dose) -> Decimal | None:
    """The weight under the last signature for this dose before it began."""
    signed = case.signed_for(dose)
    return signed[-1].weight_kg if signed else None


def _weighed(case: Case, weights: tuple[Measured, ...], before: Dosed, slot: DoseSlot) -> Weighing:
    """BSA-08 for the last of these weights after this dose."""
    last_kg, latest, limits = before.kg, weights[-1], case.protocol.limits
    fluid, wanted = _change(latest.value, last_kg) > limits.weight_gain_fluid.number, latest.value
    if fluid:
        shown = _shown_not_fluid(case, weights, before.dose.started_at)
        wanted, fluid = min(latest.value, shown or last_kg), shown is None or shown < latest.value
    anew = slot.day == CYCLE_DAYS[0] or slot.cycle != before.dose.slot.cycle
    changed = abs(_change(wanted, last_kg)) > limits.weight_change_max.number
    return Weighing(latest, last_kg, wanted if anew or changed else last_kg, fluid)


def _shown_not_fluid(case: Case, weights: tuple[Measured, ...], since: datetime) -> Decimal | None:
    """The last weight since this dose of which the prescriber said, besides an examination, that it is not fluid."""
    examined = [
        fact.at
        for fact, seen in case.reading.of(VodExamination)
        if all(getattr(seen, sign) is not None for sign in EXAMINED)
    ]
    for fact, accepted in reversed(case.reading.of(WeightAccepted)):
        weighed = [w for w in weights if w.value == accepted.kg and since <= w.at <= fact.at]
        if fact.by.role is Role.PRESCRIBER and weighed and any(at >= weighed[-1].at for at in examined):
            return accepted.kg
    return None


def weight_notes(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """BSA-08: what the card says of a weight that differs much from the dosing weight. It never blocks."""
    found = weighing(case, slot)
    if found is None:
        return
    change, limits = found.change_percent, case.protocol.limits
    shown = change.quantize(TWO_PLACES, rounding=ROUND_HALF_UP)
    words = f"weight {plain(found.latest.value)} kg, {shown:+} % from the dosing weight {plain(found.last_kg)} kg"
    inputs = (found.latest.shown("weight", "kg"),)
    if found.fluid:
        stands = f"{plain(found.dosing_kg)} kg stands until {SHOWN}"
        yield case.finding("BSA-08", None, f"{words}: fluid until shown otherwise; {stands}", inputs=inputs)
    elif abs(change) > limits.weight_change_max.number or change > limits.weight_gain_fluid.number:
        lower = "a lower dose is proposed" if found.dosing_kg < found.last_kg else "shown not to be fluid"
        taken = f"computed with {plain(found.dosing_kg)} kg"
        yield case.finding("BSA-08", None, f"{words}: {lower}, {taken}", inputs=inputs)


def _change(kg: Decimal, before_kg: Decimal) -> Decimal:
    return (kg - before_kg) / before_kg * PERCENT
