"""How much of each dose was given: mg as charted, and mg/m² from mg and the body surface of that dose (DOSE-15).

An infusion whose length or volume does not fit its rate is asked about, and is not whole until somebody has answered; so is
a reading of the pump that the rate does not allow, from the minute in which it is charted (INF-07).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from clinical.bedside.infusion import Read, flow_of, so_far
from clinical.chart.calendar import MINUTE
from clinical.chart.once import once
from clinical.coding.units import PERCENT
from clinical.course.case import Case
from clinical.dosing.bsa import bsa_m2
from clinical.dosing.dosing import entries_of
from clinical.dosing.weight import dosing_weights, plausible
from clinical.treatment.treatment import Dose
from models.assessment import Finding
from models.base import plain
from models.facts import Fact, InfusionCompleted, ResultConfirmed
from models.people import PHYSICIANS

HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True)
class Given:
    """What was given of one dose: `mg` of the `dose.mg` that the bag held, on this body surface; none while it runs.

    `doubt` says why nobody can tell yet that it was so much, `goes` how one goes that has not ended. `most` is the mg that
    it should have been at most, where that is known; `read` the reading of the pump that is asked about.
    """

    dose: Dose
    mg: Decimal | None
    bsa: Decimal | None
    doubt: str | None
    goes: str = ""
    most: Decimal | None = None
    read: Read | None = None

    @property
    def told_by(self) -> str:
        """The fact that is asked about: a reading, the end of an infusion of here, or the report of a dose of elsewhere."""
        return self.read.fact.id if self.read is not None else self.dose.end or self.dose.fact

    @property
    def in_words(self) -> str | None:
        """What is special about it: a part, a dose of elsewhere, one that runs, one that is asked about."""
        if self.mg is None:
            asked = "" if self.doubt is None else ", which is asked about"
            return f"{self.dose.slot} {self.goes}{asked}: not counted yet"
        if self.doubt is not None:
            return f"{self.dose.slot} is asked about: {plain(self.mg)} mg at most"
        if self.mg != self.dose.mg:
            how = "in part" if self.mg < self.dose.mg else "more than its dose"
            return f"{self.dose.slot} {how}: {plain(self.mg)} of {plain(self.dose.mg)} mg"
        return f"{self.dose.slot} elsewhere: {plain(self.mg)} mg" if self.dose.reported else None


@once
def given_doses(case: Case) -> tuple[Given, ...]:
    """What was given of each dose, in their order."""
    return tuple(_given(case, dose) for dose in case.doses)


def _given(case: Case, dose: Dose) -> Given:
    if dose.reported:
        bsa = _body_surface(case, dose)
        most = _most_elsewhere(case, dose, bsa)
        return Given(dose, dose.mg, bsa, _too_much(case, dose, most), most=most)
    end, read = ended(case, dose), _read_too_much(case, dose)
    doubt = None if read is None else _of_reading(case, dose, read)
    if end is None or dose.ended_at is None:
        return Given(dose, None, None, doubt, so_far(case, dose), read=read)
    mg = _amount(case, dose, end[1])
    return Given(dose, mg, _body_surface(case, dose), doubt or _doubt(case, dose, mg, *end), most=dose.mg, read=read)


def ended(case: Case, dose: Dose) -> tuple[Fact, InfusionCompleted] | None:
    """What was charted of the end of an infusion of here."""
    return next(((fact, what) for fact, what in case.reading.of(InfusionCompleted) if fact.id == dose.end), None)


def _amount(case: Case, dose: Dose, end: InfusionCompleted) -> Decimal:
    """The mg charted at its end; where it was stopped early without them, what had run in by then (INF-06)."""
    if end.given_mg is not None:
        return end.given_mg
    return _run_in_mg(case, dose) if end.stopped_early else dose.mg


def _run_in_mg(case: Case, dose: Dose) -> Decimal:
    assert dose.ended_at is not None
    flow = flow_of(case, dose)
    ml = min(flow.run_in_by(dose.ended_at), flow.volume_ml)
    return (dose.mg * ml / flow.volume_ml).quantize(HUNDREDTH, rounding=ROUND_HALF_UP)


# ── what cannot be right (INF-07) ──────────────────────────────────────────────────────────────────────────────────


def _doubt(case: Case, dose: Dose, amount: Decimal, end: Fact, what: InfusionCompleted) -> str | None:
    """Why the amount charted does not fit how long, and at which rate, the infusion ran; none once somebody confirmed it.

    More than the whole dose is confirmed by a physician.
    """
    if settled(case, end.id, by_anybody=amount <= dose.mg):
        return None
    assert dose.ended_at is not None
    flow = flow_of(case, dose)
    charted, ran = flow.volume_ml * amount / dose.mg if dose.mg else Decimal(0), flow.run_in_by(dose.ended_at)
    fit = case.protocol.observation.infusion_fit.number / PERCENT
    stands_still = flow.interrupted and charted > ran and not what.stopped_early
    if not stands_still and charted * (1 - fit) <= ran <= charted * (1 + fit):
        return None
    minutes = (dose.ended_at - dose.started_at) // MINUTE
    share = "the whole dose" if amount == dose.mg else f"{plain(amount)} of {plain(dose.mg)} mg"
    so_far = f"about {round(ran)} of {plain(flow.volume_ml)} mL"
    return f"it ended {minutes} min after its start, when {so_far} can have run in, and is charted as {share}"


def _read_too_much(case: Case, dose: Dose) -> Read | None:
    """The first reading of the pump that its rate or its bag does not allow, until somebody confirmed it.

    More than the bag holds is confirmed by a physician.
    """
    fit, holds = (
        1 + case.protocol.observation.infusion_fit.number / PERCENT,
        case.protocol.preparation.bag_volume.number,
    )
    for read in flow_of(case, dose).reads:
        if settled(case, read.fact.id, by_anybody=read.ml <= holds):
            continue
        if read.ml > holds or read.ml > read.possible_ml * fit:
            return read
    return None


def _of_reading(case: Case, dose: Dose, read: Read) -> str:
    holds, minutes = case.protocol.preparation.bag_volume.number, (read.fact.at - dose.started_at) // MINUTE
    showed = f"{minutes} min after its start the pump showed {plain(read.ml)} mL"
    if read.ml > holds:
        return f"{showed}, and its bag holds {plain(holds)} mL"
    return f"{showed}, when about {round(read.possible_ml)} of {plain(holds)} mL can have run in"


def settled(case: Case, fact_id: str, *, by_anybody: bool = False) -> bool:
    """Whether a physician said that this fact is right; or anybody, where it says no more than can be."""
    who = [fact.by.role for fact, seen in case.reading.of(ResultConfirmed) if seen.target == fact_id]
    return bool(who) and (by_anybody or not PHYSICIANS.isdisjoint(who))


def _most_elsewhere(case: Case, dose: Dose, bsa: Decimal | None) -> Decimal | None:
    """What was signed for a dose that was given elsewhere; else the most that is ever given on that day, on this body."""
    signed, fit = case.signed_for(dose), 1 + case.protocol.observation.infusion_fit.number / PERCENT
    if signed:
        return (signed[-1].mg * fit).quantize(HUNDREDTH, rounding=ROUND_HALF_UP)
    if bsa is None:
        return None
    of_day = max(entry.number for entry in entries_of(case, dose.slot))
    return (of_day * bsa * fit).quantize(HUNDREDTH, rounding=ROUND_HALF_UP)


def _too_much(case: Case, dose: Dose, most: Decimal | None) -> str | None:
    """Why what is reported of elsewhere can hardly have been given; none once a physician confirmed it."""
    if most is None or dose.mg <= most or settled(case, dose.fact):
        return None
    return (
        f"{plain(dose.mg)} mg are reported, and at most {plain(most)} mg fit what was signed or what the day asks for"
    )


def doubts(case: Case) -> Iterator[Finding]:
    """INF-07: a card says which infusion nobody can tell to be whole, until it is corrected or confirmed."""
    for given in given_doses(case):
        if given.doubt is not None:
            reason = f"infusion of {given.dose.slot} on {given.dose.local_on}: {given.doubt}"
            clears = answer_to(case, given)
            yield case.finding("INF-07", None, reason, clears=clears, subject=str(given.dose.slot))


def answer_to(case: Case, given: Given) -> str:
    """INF-07: what ends the question; more than its dose is a physician's to confirm."""
    too_much = given.mg is not None and given.most is not None and given.mg > given.most
    if given.read is not None:
        too_much = given.read.ml > flow_of(case, given.dose).volume_ml
    return f"correct_fact of {given.told_by}, or result_confirmed of it{' by a physician' if too_much else ''}"


# ── per m², and per cycle ──────────────────────────────────────────────────────────────────────────────────────────


def _body_surface(case: Case, dose: Dose) -> Decimal | None:
    """The body surface of a dose: its dosing weight, and the height that was known then or is known since."""
    weighed = next((w for w in dosing_weights(case) if w.dose == dose), None)
    heights = [h for h in case.heights() if plausible(case.protocol, "height", h.value)]
    if weighed is None or not heights or not plausible(case.protocol, "weight", weighed.kg):
        return None
    height = ([h for h in heights if h.at <= dose.started_at] or heights[:1])[-1]
    return bsa_m2(case.protocol.preparation.bsa_formula.words[0], height.value, weighed.kg)


def totals(case: Case) -> tuple[str, ...]:
    """DOSE-15: what was given in each cycle so far: `C1: 1.80 mg/m² (3.27 mg)`, and what is special about a dose."""
    cycles = dict.fromkeys(given.dose.slot.cycle for given in given_doses(case))
    return tuple(
        _total(cycle, [g for g in given_doses(case) if g.dose.slot.cycle == cycle]) for cycle in sorted(cycles)
    )


def _total(cycle: int, doses: list[Given]) -> str:
    counted = [(g.dose.slot, g.mg, g.bsa) for g in doses if g.mg is not None]
    mg = sum((mg for _, mg, _ in counted), Decimal(0))
    unknown = [str(slot) for slot, _, bsa in counted if bsa is None]
    if unknown:
        per_m2 = f"mg/m² not known (no weight or height of {', '.join(unknown)})"
    else:
        area = sum((mg / bsa for _, mg, bsa in counted if bsa is not None), Decimal(0))
        per_m2 = f"{area.quantize(HUNDREDTH, rounding=ROUND_HALF_UP)} mg/m²"
    words = [w for w in (g.in_words for g in doses) if w is not None]
    return f"C{cycle}: {per_m2} ({'; '.join((f'{plain(mg)} mg', *words))})"
