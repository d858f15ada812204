"""The gate of a dose: all that can stand in its way before the signature (rows 3-8 of the reference, §3.5)."""

from collections.abc import Iterator
from typing import Any, Final

from clinical.bedside.bedside import allergy_notes
from clinical.chart.calendar import zone_named
from clinical.chart.once import all_of
from clinical.chart.taken_back import TAKEN_BACK_BY, unsettled_corrections
from clinical.course.case import Case
from clinical.course.pregnancy import pregnancy
from clinical.dosing.dosing import body_gate, dose_notes
from clinical.dosing.weight import weight_notes
from clinical.gates.contraindications import contraindications
from clinical.gates.counts import count_gate, cytopenia_note
from clinical.gates.liver_gate import liver_gate
from clinical.gates.required import required_data
from clinical.gates.schedule import cycle_gate, first_dose_gate, schedule_gate
from clinical.gates.screening import consent_gate, cytoreduction_gate, eligibility_gate, further_eligibility
from clinical.gates.signs import heart, infection_or_bleeding, personal_holds
from clinical.gates.unusable import implausible_holds, unusable_results
from clinical.notes.methods import mixed_methods
from clinical.notes.prompts import prompts
from clinical.toxicity.toxicity import graded_toxicity, laboratory_toxicity
from models.assessment import Finding, Verdict
from models.facts import DoseSlot, InfusionCompleted, InfusionStarted, ObservationEnded

NEVER_HOLD: Final = frozenset(
    {
        *(mixed_methods, cytopenia_note, weight_notes, required_data, unusable_results),
        *(body_gate, dose_notes, prompts, allergy_notes),
    }
)
"""Rules that ask for data, or only say something."""


def dose_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """Rows 3-8 for the next dose. All are evaluated; the order only picks the headline."""
    for rule, *of in _rules(case, slot):
        yield from all_of(case, rule, *of)


def holding_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """The same without the rules that can never hold a dose."""
    for rule, *of in _rules(case, slot):
        if rule not in NEVER_HOLD:
            yield from all_of(case, rule, *of)


def _rules(case: Case, slot: DoseSlot) -> Iterator[tuple[Any, ...]]:
    """Each rule with what it is asked about besides the case."""
    yield (_zone,)
    yield (_level_review,)
    yield (_end_without_its_start,)
    yield (_taken_back_by_nobody_who_may,)
    yield (consent_gate,)
    yield (eligibility_gate,)
    yield (further_eligibility,)
    yield contraindications, slot
    if not case.doses:
        yield (cytoreduction_gate,)
    yield (pregnancy,)
    yield (liver_gate,)
    yield (laboratory_toxicity,)
    yield (infection_or_bleeding,)
    yield (graded_toxicity,)
    yield (mixed_methods,)
    yield heart, slot
    yield (personal_holds,)
    yield count_gate, slot
    yield cytopenia_note, slot
    yield weight_notes, slot
    yield cycle_gate, slot
    yield (first_dose_gate,)
    yield schedule_gate, slot
    yield required_data, slot
    yield (unusable_results,)
    yield (implausible_holds,)
    yield body_gate, slot
    yield dose_notes, slot
    yield prompts, slot
    yield (allergy_notes,)


def _level_review(case: Case) -> Iterator[Finding]:
    """COR-02: the level that was signed stands, and the dose waits, until two people confirm what was corrected."""
    for review in case.level_signed.reviews:
        yield case.finding("COR-02", review.verdict, review.what, clears=review.clears)


def _end_without_its_start(case: Case) -> Iterator[Finding]:
    """COR-01: the start of a dose was taken back, and what is charted of its end still says that it was given."""
    ends = [fact for kind in (InfusionCompleted, ObservationEnded) for fact, _ in case.reading.of(kind)]
    for said, stands, _ in case.reading.corrections():
        if stands is not None or not isinstance(said.what, InfusionStarted):
            continue
        slot, later = said.what, [dose.started_at for dose in case.doses if dose.started_at > said.at]
        until = min(later, default=None)
        left = [f.id for f in ends if f.at >= said.at and (until is None or f.at < until)]
        if left and all((d.slot.cycle, d.slot.day) != (slot.cycle, slot.day) for d in case.doses):
            reason = f"the start of C{slot.cycle}D{slot.day} was taken back, and its end is charted: was it given?"
            clears = f"record_administration of it, or correct_fact of {', '.join(left)}"
            yield case.finding("COR-01", Verdict.HOLD, reason, clears=clears, subject=said.id)


def _taken_back_by_nobody_who_may(case: Case) -> Iterator[Finding]:
    """COR-01: a chart in which a fact was taken back as no command would have accepted it, until somebody settles it."""
    for first, last, why in unsettled_corrections(case.reading):
        may = sorted(TAKEN_BACK_BY[first.what.kind])
        reason = f"{first.what.kind} {first.id} was taken back by {last.by}: {why}"
        clears = f"result_confirmed of {last.id} by {' or '.join(may)}" if may else f"set_fact_aside of {last.id}"
        yield case.finding("COR-01", Verdict.HOLD, reason, clears=clears, subject=last.id)


def _zone(case: Case) -> Iterator[Finding]:
    """No date of the site can be told without its zone: nothing is given (DAY-03)."""
    if zone_named(case.course.zone) is None:
        reason = f"the time zone {case.course.zone!r} is not known here"
        yield case.finding("PIN-01", Verdict.HOLD, reason, clears="an administrator mends the zone")
