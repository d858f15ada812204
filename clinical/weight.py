"""Which weight a dose is computed with, and when it is taken anew (BSA-08)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from clinical.case import Case
from clinical.treatment import Measured
from clinical.units import PERCENT
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


def dosing_weight(case: Case, slot: DoseSlot) -> Decimal | None:
    """The weight in kg that this dose is computed with; `None` when none is charted, or the last one is implausible."""
    weights = case.weights()
    if not weights or not plausible(case.protocol, "weight", weights[-1].value):
        return None
    found = weighing(case, slot)
    return weights[-1].value if found is None else found.dosing_kg


def weighing(case: Case, slot: DoseSlot) -> Weighing | None:
    """BSA-08: at day 1 of a cycle the weight is taken anew, within a cycle only when it changed by more than 10 %.

    A weight that is more than 5 % above the last dosing weight is fluid until shown otherwise: until then that one
    stands, or what was shown since. `None` where there is no dosing weight yet, or no plausible weight.
    """
    weights, last = case.plausible_weights(), case.last_dosing_weight()
    if not weights or last is None or not plausible(case.protocol, "weight", last[0]):
        return None
    (last_kg, dosed), latest = last, weights[-1]
    limits = case.protocol.limits
    fluid = _change(latest.value, last_kg) > limits.weight_gain_fluid.number
    wanted = latest.value
    if fluid:
        shown = _shown_not_fluid(case, weights)
        wanted, fluid = min(latest.value, shown or last_kg), shown is None or shown < latest.value
    anew = slot.day == CYCLE_DAYS[0] or slot.cycle != dosed.cycle
    changed = abs(_change(wanted, last_kg)) > limits.weight_change_max.number
    return Weighing(latest, last_kg, wanted if anew or changed else last_kg, fluid)


def _shown_not_fluid(case: Case, weights: tuple[Measured, ...]) -> Decimal | None:
    """The last weight since the last dose of which the prescriber said, besides an examination, that it is not fluid."""
    since = case.doses[-1].started_at
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
