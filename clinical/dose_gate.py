"""The gate of a dose: all that can stand in its way before the signature (rows 3-8 of the reference, §3.5)."""

from collections.abc import Iterator

from clinical.bedside import allergy_notes
from clinical.calendar import zone_named
from clinical.case import Case
from clinical.contraindications import contraindications
from clinical.counts import count_gate, cytopenia_note
from clinical.dosing import body_gate, dose_notes
from clinical.liver_gate import liver_gate
from clinical.methods import mixed_methods
from clinical.once import all_of
from clinical.pregnancy import pregnancy
from clinical.prompts import prompts
from clinical.required import required_data
from clinical.schedule import cycle_gate, schedule_gate
from clinical.screening import consent_gate, cytoreduction_gate, eligibility_gate, further_eligibility
from clinical.signs import heart, infection_or_bleeding, personal_holds
from clinical.toxicity import graded_toxicity, laboratory_toxicity
from clinical.unusable import implausible_holds, unusable_results
from clinical.weight import weight_notes
from models.assessment import Finding, Verdict
from models.facts import DoseSlot


def dose_gate(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """Rows 3-8 for the next dose. All are evaluated; the order only picks the headline."""
    yield from all_of(case, _zone)
    yield from all_of(case, _level_review)
    yield from all_of(case, consent_gate)
    yield from all_of(case, eligibility_gate)
    yield from all_of(case, further_eligibility)
    yield from all_of(case, contraindications, slot)
    if not case.doses:
        yield from all_of(case, cytoreduction_gate)
    yield from all_of(case, pregnancy)
    yield from all_of(case, liver_gate)
    yield from all_of(case, laboratory_toxicity)
    yield from all_of(case, infection_or_bleeding)
    yield from all_of(case, graded_toxicity)
    yield from all_of(case, mixed_methods)
    yield from all_of(case, heart, slot)
    yield from all_of(case, personal_holds)
    yield from all_of(case, count_gate, slot)
    yield from all_of(case, cytopenia_note, slot)
    yield from all_of(case, weight_notes, slot)
    yield from all_of(case, cycle_gate, slot)
    yield from all_of(case, schedule_gate, slot)
    yield from all_of(case, required_data, slot)
    yield from all_of(case, unusable_results)
    yield from all_of(case, implausible_holds)
    yield from all_of(case, body_gate, slot)
    yield from all_of(case, dose_notes, slot)
    yield from all_of(case, prompts, slot)
    yield from all_of(case, allergy_notes)


def _level_review(case: Case) -> Iterator[Finding]:
    """COR-02: the level that was signed stands, and the dose waits, until two people confirm what was corrected."""
    for review in case.level_signed.reviews:
        yield case.finding("COR-02", review.verdict, review.what, clears=review.clears)


def _zone(case: Case) -> Iterator[Finding]:
    """No date of the site can be told without its zone: nothing is given (DAY-03)."""
    if zone_named(case.course.zone) is None:
        reason = f"the time zone {case.course.zone!r} is not known here"
        yield case.finding("PIN-01", Verdict.HOLD, reason, clears="an administrator mends the zone")
