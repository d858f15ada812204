"""Rulings on one dose: signature, second check, the prescriber's decisions and choices."""

from clinical.bedside.bedside import standing_authorisation
from clinical.bedside.elsewhere import passed_over
from clinical.chart.calendar import local_date
from clinical.coding.units import PERCENT
from clinical.course.interruption import FULL
from clinical.course.levels import level_name
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from clinical.treatment.windows import slot_of
from models.assessment import DosePlan, Refused
from models.base import plain
from models.facts import CYCLE_DAYS, DoseAuthorised, DoseDecided, DoseVerified, DroppedDoseChosen, RoundingChosen
from models.messages import AuthoriseDose, ChooseDroppedDose, ChooseRounding, DecideDose, VerifyDose, share


def authorised(judging: Judging, message: AuthoriseDose) -> Judged:
    refusal, plan = judging.refusal_of_dose(message), judging.standing.plan
    if refusal is not None or plan is None:
        return refusal or refused("DoseGateClosed", "the dose cannot be computed", judging.standing.in_the_way)
    higher = _above_the_level(judging, message, plan)
    if higher is not None:
        return higher
    if message.mg is not None and message.mg != plan.mg:
        return refused("DoseMismatch", f"asked for {plain(message.mg)} mg, the card says {plain(plan.mg)} mg")
    return share(DoseAuthorised, message, mg=plan.mg, level=plan.level, weight_kg=plan.weight_kg, binding=plan.binding)


def _above_the_level(judging: Judging, message: AuthoriseDose, plan: DosePlan) -> Refused | None:
    """DOSE-10, LVL-01: a level is signed as it is derived, step by step and never back; more is refused."""
    wanted, case = message.level, judging.case
    more = message.mg is not None and message.mg > plan.mg and plan.level != level_name(FULL)
    if wanted in (None, plan.level) and not more:
        return None
    asked = f"level {wanted}" if wanted not in (None, plan.level) else f"{plain(message.mg or plan.mg)} mg"
    reason = (
        f"{asked} was asked for; the course is at level {plan.level}, which is {plain(plan.mg)} mg and does not rise"
    )
    finding = case.finding("DOSE-10", None, reason, clears="a correction confirmed by two people (COR-02)")
    return refused("LevelMismatch", f"authorising {plan.slot} is refused – DOSE-10: {reason}", (finding,))


def verified(judging: Judging, message: VerifyDose) -> Judged:
    refusal = judging.refusal_of_dose(message)
    standing = standing_authorisation(judging.case, judging.standing.plan)
    if refusal is not None or standing is None:
        return refusal or refused("NothingToVerify", "no authorisation stands that could be checked")
    signed, authorised = standing
    if signed.by.person == message.by.person:
        return refused("SecondPersonRequired", "the person who authorised the dose cannot check it (OWN-02)")
    if message.mg != authorised.mg:
        return refused("DoseMismatch", f"computed {plain(message.mg)} mg, authorised are {plain(authorised.mg)} mg")
    return share(DoseVerified, message, authorisation=signed.id)


def decided(judging: Judging, message: DecideDose) -> Judged:
    """DAY-06: give it late, leave it out, or put it off to a date. A day 1 is put off, never left out."""
    refusal = judging.refusal_of_dose(message)
    if refusal is not None and message.decision == "omit" and message.day != CYCLE_DAYS[0]:
        missing = [slot for _, passed in passed_over(judging.case) for slot in passed]
        if slot_of(message.cycle, message.day) in missing:  # a report went past it: the word is still the prescriber's
            return share(DoseDecided, message)
    if refusal is not None:
        return refusal
    if message.decision == "omit" and message.day == CYCLE_DAYS[0]:
        return refused("DayOneIsNotOmitted", "a cycle begins with its day 1: postpone it, or finish_dosing")
    if message.decision != "postpone":
        return share(DoseDecided, message)
    today = local_date(judging.case.now, judging.case.reading.zone)
    if message.until is None or message.until <= today:
        return refused("DateRequired", f"a dose is postponed to a date after today, {today}")
    return share(DoseDecided, message)


def rounded(judging: Judging, message: ChooseRounding) -> Judged:
    """RND-01: a signed choice, at most 10 % down and never up; it lapses when the computed dose changes (RND-02)."""
    refusal, plan = judging.refusal_of_dose(message), judging.standing.plan
    if refusal is not None or plan is None:
        return refusal or refused("NothingToRound", "no dose is computed that could be rounded")
    computed = plan.rounded_from or plan.mg
    least = computed * (1 - judging.case.protocol.preparation.rounding_max.number / PERCENT)
    if message.mg > computed:
        return refused("RoundingUp", f"{plain(message.mg)} mg is more than the {plain(computed)} mg computed")
    if message.mg < least:
        limit = judging.case.protocol.preparation.rounding_max.shown()
        return refused("RoundingTooFar", f"{plain(message.mg)} mg is more than {limit} below {plain(computed)} mg")
    return share(RoundingChosen, message, from_mg=computed)


def dropped(judging: Judging, message: ChooseDroppedDose) -> Judged:
    """LVL-03: which dose is left out at level L2; a cycle begins with its day 1."""
    refusal, slot = judging.refusal(), judging.standing.slot
    if refusal is not None or slot is None:
        return refusal or refused("NotTheDoseDue", "no dose is due now")
    if message.cycle != slot.cycle:
        return refused("NotThisCycle", f"the cycle that is due is {slot.cycle}, not {message.cycle}")
    if message.day == CYCLE_DAYS[0]:
        return refused("DayOneIsNotOmitted", "a cycle begins with its day 1; day 8 or day 15 is left out")
    return share(DroppedDoseChosen, message)
