"""Rulings on one dose: signature, second check, the prescriber's decisions and choices."""

from clinical.bedside import standing_authorisation
from clinical.commands import refused
from clinical.judging import Judged, Judging
from models.base import plain
from models.facts import DoseAuthorised, DoseDecided, DoseVerified, DroppedDoseChosen, RoundingChosen
from models.messages import AuthoriseDose, ChooseDroppedDose, ChooseRounding, DecideDose, VerifyDose, share


def authorised(judging: Judging, message: AuthoriseDose) -> Judged:
    refusal, plan = judging.refusal_of_dose(message), judging.standing.plan
    if refusal is not None or plan is None:
        return refusal or refused("DoseGateClosed", "the dose cannot be computed", judging.standing.in_the_way)
    if message.mg is not None and message.mg != plan.mg:
        return refused("DoseMismatch", f"asked for {plain(message.mg)} mg, the card says {plain(plan.mg)} mg")
    return share(DoseAuthorised, message, mg=plan.mg, level=plan.level, weight_kg=plan.weight_kg, binding=plan.binding)


def verified(judging: Judging, message: VerifyDose) -> Judged:
    refusal = judging.refusal_of_dose(message)
    standing = standing_authorisation(judging.case, judging.standing.plan)
    if refusal is not None or standing is None:
        return refusal or refused("NothingToVerify", "no authorisation stands that could be checked")
    signed, authorised = standing
    if signed.by.id == message.by.id:
        return refused("SecondPersonRequired", "the person who authorised the dose cannot check it (OWN-02)")
    if message.mg != authorised.mg:
        return refused("DoseMismatch", f"computed {plain(message.mg)} mg, authorised are {plain(authorised.mg)} mg")
    return share(DoseVerified, message, authorisation=signed.id)


def decided(judging: Judging, message: DecideDose) -> Judged:
    return judging.gated(DoseDecided)


def rounded(judging: Judging, message: ChooseRounding) -> Judged:
    return judging.gated(RoundingChosen, from_mg=message.mg)


def dropped(judging: Judging, message: ChooseDroppedDose) -> Judged:
    return judging.gated(DroppedDoseChosen)
