"""How much: response branch x level x BSA -> mg -> mL -> vials (DOSE-01 … -03, BSA, RND, PREP-03, VIAL)."""

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from clinical.chart.once import once
from clinical.coding.units import PERCENT
from clinical.course.case import Case
from clinical.course.interruption import REDUCED, TWO_DOSES, day_left_out
from clinical.course.levels import level_name
from clinical.dosing.bsa import bsa_m2
from clinical.dosing.weight import by_each_weight, of_last_minute, plausible, weights_for
from clinical.gates.required import required_analytes
from clinical.gates.screening import blasts_opening
from clinical.results.known import Opening
from clinical.toxicity.ecg import qtcf_opening
from clinical.treatment.treatment import Measured
from models.assessment import DosePlan, Finding, Input, Verdict
from models.base import content_hash, plain
from models.facts import CYCLE_DAYS, DoseSlot, Response, RoundingChosen
from models.protocol import Entry

TWO_PLACES = Decimal("0.01")


def dose_mg(mg_per_m2: Decimal, bsa_m2: Decimal, decimals: int = 2) -> Decimal:
    """RND-02: mg/m² x BSA to 0.01 mg, half up."""
    return (mg_per_m2 * bsa_m2).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def volume_ml(mg: Decimal, concentration: Decimal) -> Decimal:
    """PREP-03: mL = mg / 0.25 (mg x 4), to 0.01 mL."""
    return (mg / concentration).quantize(TWO_PLACES, rounding=ROUND_HALF_UP)


def vials_for(mg: Decimal, content_mg: Decimal) -> int:
    """VIAL-01: ceil(mg / 0.9), from the charted mg, in decimals (VIAL-04)."""
    return int((mg / content_mg).to_integral_value(rounding=ROUND_CEILING))


def mg_per_m2_of(case: Case, slot: DoseSlot) -> Entry | None:
    """The dose of this cycle and day (DOSE-01 … DOSE-03); `None` while the response of the cycle before is missing."""
    if slot.cycle == 1:
        return entries_of(case, slot)[0]
    before = case.response_of(slot.cycle - 1)
    if before is None or before[1].response is Response.NOT_ASSESSABLE:
        return None
    responded, not_responded = entries_of(case, slot)
    return responded if case.responded_before(slot.cycle) else not_responded


def entries_of(case: Case, slot: DoseSlot) -> tuple[Entry, ...]:
    """What the protocol gives on this day: in cycle 1 one dose, later one after a response and one without."""
    regimen = case.protocol.regimen
    if slot.cycle == 1:
        return ({1: regimen.cycle1_d1, 8: regimen.cycle1_d8}.get(slot.day, regimen.cycle1_d15),)
    return (
        {1: regimen.response_d1, 8: regimen.response_d8}.get(slot.day, regimen.response_d15),
        {1: regimen.no_response_d1, 8: regimen.no_response_d8}.get(slot.day, regimen.no_response_d15),
    )


def leveled(case: Case, slot: DoseSlot, full: Decimal) -> Decimal:
    """DUR-03, LVL-02: this dose at the level of its cycle; a reduced one is the same share of either response branch."""
    if case.level_of(slot.cycle) < REDUCED:
        return full
    return (full * case.protocol.levels.factor.number).normalize()


@once
def dose_plan(case: Case, slot: DoseSlot) -> DosePlan | None:
    """The dose that is next, or `None` while response, weight or height is missing, implausible or two different ones."""
    found = _plans(case, slot)
    return found[0] if len({plan.mg for plan in found}) == 1 else None


@once
def _plans(case: Case, slot: DoseSlot) -> tuple[DosePlan, ...]:
    """The dose by each weight and height of the last minute (LAB-11), and what is gone and gave less (M.0)."""
    weights, heights = weights_for(case, slot), of_last_minute(case.heights())
    standing = _by_each(case, slot, weights, heights)
    return (*standing, *_lower_by_what_is_gone(case, slot, standing, weights, heights)) if standing else ()


def _lower_by_what_is_gone(
    case: Case,
    slot: DoseSlot,
    standing: tuple[DosePlan, ...],
    weights: tuple[Decimal, ...],
    heights: tuple[Measured, ...],
) -> tuple[DosePlan, ...]:
    gone, tall = case.measured_and_gone("weight"), case.measured_and_gone("height")
    if not gone and not tall:
        return ()
    found = _by_each(case, slot, (*weights, *by_each_weight(case, slot, gone)), (*heights, *tall))
    return tuple(plan for plan in found if plan.mg < min(one.mg for one in standing))


def _by_each(
    case: Case, slot: DoseSlot, weights: tuple[Decimal, ...], heights: tuple[Measured, ...]
) -> tuple[DosePlan, ...]:
    entry = mg_per_m2_of(case, slot)
    pairs = [(weight, height.value) for weight in weights for height in heights]
    fit = all(
        plausible(case.protocol, "weight", weight) and plausible(case.protocol, "height", height)
        for weight, height in pairs
    )
    if entry is None or not fit:
        return ()
    full = leveled(case, slot, entry.number)
    return tuple(_computed(case, slot, full, weight, height) for weight, height in pairs)


def body_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """LAB-11: weights or heights that give different doses, of one minute or withdrawn: which is right a person says."""
    doses = sorted({plan.mg for plan in _plans(case, slot)})
    if len(doses) > 1:
        inputs: list[Input] = []
        for name, unit, found in _bodies(case):
            gone, twins = case.measured_and_gone(name), of_last_minute(found)
            beside = (*twins, *gone) if gone or len(twins) > 1 else ()
            inputs += [one.shown(f"withdrawn {name}" if one in gone else name, unit) for one in beside]
        by_gone = any(map(case.measured_and_gone, ("weight", "height")))
        which = (
            "a measurement that can be used no more and those that stand"
            if by_gone
            else "two measurements of one minute"
        )
        reason = f"{which} give {' and '.join(plain(mg) for mg in doses)} mg"
        clears = "measured again" if by_gone else "the wrong one corrected, or measured again"
        yield case.finding("LAB-11", Verdict.NEED_DATA, reason, inputs=tuple(inputs), clears=clears, subject="body")


def _bodies(case: Case) -> tuple[tuple[str, str, tuple[Measured, ...]], ...]:
    return ("weight", "kg", case.weights()), ("height", "cm", case.heights())


def _computed(case: Case, slot: DoseSlot, mg_per_m2: Decimal, weight: Decimal, height: Decimal) -> DosePlan:
    preparing = case.protocol.preparation
    bsa = bsa_m2(preparing.bsa_formula.words[0], height, weight)
    mg = dose_mg(mg_per_m2, bsa, preparing.dose_decimals.count)
    plan = DosePlan(
        cycle=slot.cycle,
        day=slot.day,
        mg_per_m2=mg_per_m2,
        bsa_m2=_shown_bsa(bsa, mg_per_m2, mg, preparing.dose_decimals.count),
        weight_kg=weight,
        height_cm=height,
        mg=mg,
        ml=volume_ml(mg, preparing.concentration.number),
        vials=vials_for(mg, preparing.vial_content.number),
        level=level_name(min(case.level_of(slot.cycle), TWO_DOSES)),
    )
    plan = _rounded(case, plan)
    return plan.model_copy(update={"binding": binding_of(case, plan)})


def _shown_bsa(bsa: Decimal, mg_per_m2: Decimal, mg: Decimal, decimals: int) -> Decimal:
    """RND-02: with as many digits as a reader needs to come to the same mg."""
    digits = -TWO_PLACES.adjusted()
    shown = bsa.quantize(TWO_PLACES, rounding=ROUND_HALF_UP)
    while dose_mg(mg_per_m2, shown, decimals) != mg and shown != bsa:
        digits += 1
        shown = bsa.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return shown


def _rounded(case: Case, plan: DosePlan) -> DosePlan:
    """RND-02: the mg that the prescriber chose in place of exactly these."""
    for _, choice in reversed(case.reading.of(RoundingChosen)):
        if (choice.cycle, choice.day, choice.from_mg) == (plan.cycle, plan.day, plan.mg):
            preparing = case.protocol.preparation
            ml = volume_ml(choice.mg, preparing.concentration.number)
            vials = vials_for(choice.mg, preparing.vial_content.number)
            return plan.model_copy(update={"mg": choice.mg, "ml": ml, "vials": vials, "rounded_from": plan.mg})
    return plan


def binding_of(case: Case, plan: DosePlan) -> str:
    """The hash of all that an authorisation is given for (§3.5): mg, level, weight, protocol, gating results."""
    gating = {analyte: _gating(case, analyte) for analyte, _ in required_analytes(case, plan.slot)}
    if plan.slot.day == CYCLE_DAYS[0]:
        gating |= {analyte: _gating(case, analyte) for analyte in ("albumin", "calcium_corrected")}
    gating |= {
        "qtcf": _said(qtcf_opening(case)),
        "blasts": _said(blasts_opening(case)) if plan.slot.cycle == 1 else None,
    }
    unknown = sorted(u.fact for u in case.results.unknown())
    gating |= {"unknown": unknown} if unknown else {}
    bound = plan.model_dump(mode="json", exclude={"binding"})
    return content_hash({"dose": bound, "protocol": case.pin.model_dump(), "results": gating})


def _gating(case: Case, analyte: str) -> object:
    return _said(case.opening(analyte))


def _said(found: Opening) -> object:
    """A value as it was signed for: of twins all."""
    said = [[k.fact, plain(k.value), k.unit] for k in found.values]
    return said[0] if len(said) == 1 else said or None


def dose_notes(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """Which clause gave the dose, and concentrations outside the 50 mL bag (PREP-19)."""
    entry, plan = mg_per_m2_of(case, slot), dose_plan(case, slot)
    if case.level_of(slot.cycle) >= REDUCED:
        yield _level_note(case, slot)
    if entry is not None and slot.cycle > 1:
        rule = "DOSE-02" if case.responded_before(slot.cycle) else "DOSE-03"
        given = leveled(case, slot, entry.number)
        yield case.finding(rule, None, f"{plain(given)} mg/m² on day {slot.day} of cycle {slot.cycle}")
        before = case.response_of(slot.cycle - 1)
        if rule == "DOSE-02" and before is not None and before[1].response is Response.NONE:
            yield case.finding(
                "RESP-01", None, "a response was lost; the higher dose never comes back by itself (AMB-15)"
            )
    elif entry is not None:
        words = f" ({entry.divergence})" if entry.divergence else ""
        yield case.finding("DOSE-01", None, f"{plain(entry.number)} mg/m² on day {slot.day} of cycle 1{words}")
    preparing = case.protocol.preparation
    if plan is not None and not preparing.bag_min_dose.number <= plan.mg <= preparing.bag_max_dose.number:
        limits = f"{preparing.bag_min_dose.shown()} to {preparing.bag_max_dose.shown()}"
        yield case.finding("PREP-19", None, f"{plain(plan.mg)} mg is outside {limits} for the bag: ask pharmacy")


def _level_note(case: Case, slot: DoseSlot) -> Finding:
    """DUR-03, DUR-04, DOSE-10: the level of this cycle, which does not rise again."""
    level = min(case.level_of(slot.cycle), TWO_DOSES)
    per_cent = plain((case.protocol.levels.factor.number * PERCENT).normalize())
    doses = f" and without day {day_left_out(case, slot.cycle)}" if level == TWO_DOSES else ""
    reason = f"level {level_name(level)}: {per_cent} % of each dose{doses}, after toxicity; it does not rise again"
    return case.finding("DOSE-10", None, reason)
