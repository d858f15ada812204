"""From the signature to the first drop: authorisation, second check, premedication, preparation clocks (PRE, PREP, IDN)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from clinical.coding.units import label
from clinical.course.case import Case
from clinical.dosing.dosing import vials_for, volume_ml
from clinical.dosing.lapses import lapsed
from clinical.gates.required import required_analytes
from clinical.treatment.treatment import Dose
from models.assessment import DosePlan, Finding
from models.base import counted, plain
from models.facts import (
    Allergy,
    DoseAuthorised,
    DoseSlot,
    DoseVerified,
    Fact,
    InfusionStarted,
    Premedication,
    PremedicationClass,
    Preparation,
    VitalSigns,
)

DISCARD = "discard it and prepare anew"


def standing_authorisation(case: Case, plan: DosePlan | None) -> tuple[Fact, DoseAuthorised] | None:
    """The signature under exactly this dose; it lapses for good when mg, level, weight, protocol or a gating result changes."""
    if plan is None:
        return None
    signed = [(f, a) for f, a in case.reading.of(DoseAuthorised) if a.binding == plan.binding and _same(a, plan.slot)]
    standing = [one for one in signed if one[0].id not in lapsed(case)] if signed else []
    return standing[-1] if standing else None


def _same(signed: DoseSlot, slot: DoseSlot) -> bool:
    return (signed.cycle, signed.day) == (slot.cycle, slot.day)


def verified(case: Case, authorisation: tuple[Fact, DoseAuthorised] | None) -> bool:
    """Whether a pharmacist has checked this very authorisation."""
    if authorisation is None:
        return False
    return any(v.authorisation == authorisation[0].id for _, v in case.reading.of(DoseVerified))


def signatures(case: Case, plan: DosePlan | None) -> tuple[str, ...]:
    """Who signed the dose on the card and who checked it; of the dose at the bedside too, and who started it."""
    dose = case.running or case.in_observation
    authorisation = standing_authorisation(case, plan) if dose is None else _started_under(case, dose)
    started = [("started", f) for f, _ in case.reading.of(InfusionStarted) if dose is not None and f.id == dose.fact]
    return tuple(
        _said(case, words, f) for words, f in (*(_signed(case, authorisation) if authorisation else ()), *started)
    )


def lapsed_signature(case: Case, plan: DosePlan | None) -> tuple[str, ...]:
    """Who signed and checked the dose that is next and must do it again, and why: a signature that lapsed counts for nothing."""
    signed = _last_signed(case)
    if signed is None or standing_authorisation(case, plan) is not None:
        return ()
    words = ", ".join(_said(case, words, f) for words, f in _signed(case, signed))
    return (f"{words}: {_why_lapsed(case, plan, *signed)}",)


def _last_signed(case: Case) -> tuple[Fact, DoseAuthorised] | None:
    """The signature given last for the dose that is next, whether or not it stands."""
    slot = case.slot
    signed = [(f, a) for f, a in case.reading.of(DoseAuthorised) if slot is not None and _same(a, slot)]
    return signed[-1] if signed else None


def _started_under(case: Case, dose: Dose) -> tuple[Fact, DoseAuthorised] | None:
    """The signature under which a dose was started: that of its preparation."""
    made = [p.authorisation for _, p in case.reading.of(Preparation) if p.preparation_id == dose.bag]
    return next(((f, a) for f, a in case.reading.of(DoseAuthorised) if made and f.id == made[-1]), None)


def _signed(case: Case, authorisation: tuple[Fact, DoseAuthorised]) -> list[tuple[str, Fact]]:
    """The signature and its check, the last one, each with its words."""
    fact, signed = authorisation
    checked = [("checked", f) for f, v in case.reading.of(DoseVerified) if v.authorisation == fact.id]
    return [(f"{plain(signed.mg)} mg authorised", fact), *checked[-1:]]


def _said(case: Case, words: str, signature: Fact) -> str:
    return f"{words} {signature.at.astimezone(case.reading.zone):%Y-%m-%d %H:%M} local time by {signature.by}"


def _why_lapsed(case: Case, plan: DosePlan | None, fact: Fact, signed: DoseAuthorised) -> str:
    """What has changed since of all that it was given for (§3.5)."""
    if plan is None:
        return "the dose cannot be computed now"
    body = ("mg", signed.mg, plan.mg), ("kg", signed.weight_kg, plan.weight_kg)
    changed = [f"{plain(now)} {unit} in place of {plain(then)}" for unit, then, now in body if then != now]
    changed += [f"level {plan.level} in place of {signed.level}"] if plan.level != signed.level else []
    came = [
        label(analyte)
        for analyte, _ in required_analytes(case, plan.slot)
        if any(case.recorded[k.fact] > fact.recorded_at for k in case.opening(analyte).values)
    ]
    unusable = [label(u.analyte) for u in case.results.unknown() if case.recorded[u.fact] > fact.recorded_at]
    changed += [f"a newer result of {', '.join(dict.fromkeys(came))}"] if came else []
    changed += [f"a result of {', '.join(dict.fromkeys(unusable))} that cannot be used"] if unusable else []
    return "; ".join(changed) or "something it was given for has changed since"


def usable_preparations(
    case: Case, authorisation: tuple[Fact, DoseAuthorised] | None
) -> list[tuple[Fact, Preparation]]:
    """Preparations made under this authorisation whose clocks still allow a start now (PREP-11, PREP-12)."""
    if authorisation is None:
        return []
    return [(f, p) for f, p in case.reading.of(Preparation) if not list(preparation_troubles(case, p, authorisation))]


def latest_start(case: Case, preparation: Preparation) -> datetime:
    """PREP-12: the last instant at which a full bag can start, so that it ends within 8 h of reconstitution."""
    preparing = case.protocol.preparation
    return preparation.reconstituted_at + preparing.to_end.span - preparing.infusion.span


def preparation_troubles(
    case: Case, preparation: Preparation, authorisation: tuple[Fact, DoseAuthorised] | None
) -> Iterator[Finding]:
    """Why this preparation cannot be started now: another dose, clocks that have run out, amounts that cannot be right."""
    if authorisation is None or preparation.authorisation != authorisation[0].id:
        reason = f"preparation {preparation.preparation_id} was not made under the authorisation that stands"
        yield case.finding("IDN-02", None, reason, clears="a preparation made under it")
    elif preparation.mg != authorisation[1].mg:
        reason = f"preparation holds {plain(preparation.mg)} mg, authorised are {plain(authorisation[1].mg)} mg"
        yield case.finding("IDN-02", None, reason, clears="a preparation of the authorised dose")
    yield from _clocks(case, preparation)
    yield from _amounts(case, preparation)


def _clocks(case: Case, preparation: Preparation) -> Iterator[Finding]:
    """PREP-11, PREP-12: dilution within 4 h, the end of the infusion within 8 h of reconstitution."""
    preparing, name = case.protocol.preparation, preparation.preparation_id
    correcting = f"correct_fact of {charted_as(case, name)} by a pharmacist with"
    if not case.reading.reached(preparation.reconstituted_at):
        yield case.finding("PREP-12", None, "reconstituted in the future", clears=f"{correcting} reconstituted_at")
    dilution = preparation.dilution_started_at
    if dilution is None:
        clears = f"{correcting} dilution_started_at"
        yield case.finding("PREP-11", None, "the start of dilution is not charted", clears=clears)
    elif not timedelta() <= dilution - preparation.reconstituted_at <= preparing.to_dilution.span:
        limit = preparing.to_dilution.shown()
        reason = f"dilution did not start within {limit} of reconstitution"
        yield case.finding("PREP-11", None, reason, clears=DISCARD)
    if case.reading.passed(latest_start(case, preparation)):
        reason = f"an infusion started now would end later than {preparing.to_end.shown()} after reconstitution"
        yield case.finding("PREP-12", None, reason, clears=DISCARD)


def charted_as(case: Case, preparation_id: str) -> str:
    """The fact that says of a preparation how it was made: its name is charted once."""
    return next(f.id for f, p in case.reading.of(Preparation) if p.preparation_id == preparation_id)


def _amounts(case: Case, preparation: Preparation) -> Iterator[Finding]:
    """VIAL-01, PREP-03, PREP-04: enough vials, the volume drawn, the volume after dilution; what is not charted is not asked.

    A dose that is outside the limits of the bag may be in a syringe (PREP-16): its volume is the pharmacy's.
    """
    preparing = case.protocol.preparation
    wanted = vials_for(preparation.mg, preparing.vial_content.number)
    if preparation.vials < wanted:
        reason = f"{counted(preparation.vials, 'vial')} cannot yield {plain(preparation.mg)} mg: at least {wanted}"
        yield case.finding("VIAL-01", None, reason, clears=DISCARD)
    ml = volume_ml(preparation.mg, preparing.concentration.number)
    if preparation.drawn_ml is not None and preparation.drawn_ml != ml:
        reason = f"{plain(preparation.drawn_ml)} mL were drawn; {plain(preparation.mg)} mg are {plain(ml)} mL"
        yield case.finding("PREP-03", None, reason, clears=DISCARD)
    in_a_bag = preparing.bag_min_dose.number <= preparation.mg <= preparing.bag_max_dose.number
    total, bag = preparation.total_ml, preparing.bag_volume
    if in_a_bag and total is not None and total != bag.number:
        reason = f"diluted to {plain(total)} mL in place of {bag.shown()}"
        yield case.finding("PREP-04", None, reason, clears=DISCARD)


def earliest_start(case: Case) -> datetime | None:
    """From when on the premedication charted last allows a start, while it still does; none where none is charted."""
    window = case.protocol.premedication
    given = [f.at for f, _ in case.reading.of(Premedication) if case.reading.reached(f.at)]
    last = max(given, default=None)
    if case.slot is None or last is None or case.reading.passed(last + window.earliest.span):
        return None
    return last + window.latest.span


def vital_signs_before(case: Case) -> datetime | None:
    """INF-03: since when the vital signs before the start are due, as long as nobody has taken them."""
    due_at = earliest_start(case)
    if due_at is None:
        return None
    since = due_at - case.protocol.observation.vital_signs_before.span
    return None if any(at >= since for at in vital_signs_taken(case)) else due_at


def vital_signs_taken(case: Case) -> list[datetime]:
    """When vital signs were taken; a word that holds none of them says nothing (M.0)."""
    return [f.at for f, signs in case.reading.of(VitalSigns) if signs.model_dump(exclude={"kind"}, exclude_none=True)]


def premedication_troubles(case: Case) -> Iterator[Finding]:
    """PRE-01, PRE-07: all three classes, each 30-120 min before the start, which is now."""
    window = case.protocol.premedication
    for drug_class in window.classes.words:
        given = [f.at for f, p in case.reading.of(Premedication) if p.drug_class == PremedicationClass(drug_class)]
        yield from _one_class(case, drug_class, given)


def _one_class(case: Case, drug_class: str, given: list[datetime]) -> Iterator[Finding]:
    window = case.protocol.premedication
    earliest, latest = window.earliest.span, window.latest.span
    recent = [at for at in given if case.reading.reached(at) and not case.reading.passed(at + earliest)]
    clears = f"{drug_class} given {window.latest.count} to {window.earliest.count} min before the start"
    clears += _allergies_to(case, drug_class)
    if not recent:
        reason = f"premedication: {drug_class} is not charted in its window"
        yield case.finding("PRE-07", None, reason, clears=clears, subject=drug_class)
        return
    ready = [at + latest for at in recent]
    if not any(case.reading.reached(at) for at in ready):
        first = min(ready)
        reason = f"premedication: {drug_class} was given less than {window.latest.shown()} ago"
        yield case.finding("PRE-07", None, reason, clears=clears, earliest_at=first, subject=drug_class)


def _allergies_to(case: Case, drug_class: str) -> str:
    """What an override of a missing class rests on: the allergies charted against it (DIV-07)."""
    against = [a.substance for _, a in case.reading.of(Allergy) if a.premedication_class == drug_class]
    return f"; charted allergy: {', '.join(against)}" if against else ""


def allergy_notes(case: Case) -> Iterator[Finding]:
    """PRE-01: premedication of today's dose that was given although an allergy to it is charted."""
    allergies = {a.substance.strip().lower() for _, a in case.reading.of(Allergy)}
    window = case.protocol.premedication.earliest.span
    for fact, given in case.reading.of(Premedication):
        drug = (given.drug or "").strip().lower()
        if drug in allergies and not case.reading.passed(fact.at + window):
            yield case.finding("PRE-01", None, f"{given.drug} was given, and an allergy to it is charted")


def start_troubles(case: Case, plan: DosePlan | None) -> list[Finding]:
    """All that stands between MAY_AUTHORISE and MAY_START, as findings that never block an authorisation."""
    authorisation = standing_authorisation(case, plan)
    found: list[Finding] = []
    if authorisation is None:
        found.append(case.finding("OWN-01", None, _unsigned(case, plan), clears="authorise_dose by the prescriber"))
    elif not verified(case, authorisation):
        reason = "the dose is not checked by a second person"
        found.append(case.finding("OWN-02", None, reason, clears="verify_dose by a pharmacist"))
    if authorisation is None or not (authorisation[1].earlier_start_reason or "").strip():
        found += _earlier_start(case)
    found += list(premedication_troubles(case))
    if not usable_preparations(case, authorisation):
        found += _no_preparation(case, authorisation)
    return found


def _unsigned(case: Case, plan: DosePlan | None) -> str:
    signed = _last_signed(case)
    if signed is None:
        return "the dose is not authorised"
    return f"the authorisation has lapsed: {_why_lapsed(case, plan, *signed)}"


def _earlier_start(case: Case) -> list[Finding]:
    if not case.needs_earlier_start_reason():
        return []
    reason = "on the sixth day a start before the time of day of the last dose needs the prescriber's reason"
    return [
        case.finding("DAY-03", None, reason, clears="authorise_dose with earlier_start_reason, or the same time of day")
    ]


def _no_preparation(case: Case, authorisation: tuple[Fact, DoseAuthorised] | None) -> list[Finding]:
    made = case.reading.of(Preparation)
    orphaned = [p for _, p in made if authorisation is None and _signed_for(case, p)]
    if orphaned:
        reason = (
            f"the preparation {orphaned[-1].preparation_id} belongs to a signature that lapsed: it cannot be started"
        )
        return [case.finding("IDN-02", None, reason, clears=DISCARD)]
    if not made or authorisation is None:
        return [case.finding("IDN-02", None, "no preparation of this dose is charted", clears="record_preparation")]
    return list(preparation_troubles(case, made[-1][1], authorisation))


def _signed_for(case: Case, made: Preparation) -> bool:
    """Whether it was made under a signature for the dose that is next."""
    signed = {fact.id: a for fact, a in case.reading.of(DoseAuthorised)}.get(made.authorisation or "")
    return signed is not None and case.slot is not None and _same(signed, case.slot)
