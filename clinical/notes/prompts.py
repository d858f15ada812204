"""What a card reminds of before a dose (EU-05, EU-06, EU-10). Notes only: none of them holds."""

from collections.abc import Iterator

from clinical.course.case import Case
from clinical.gates.screening import blasts_holding
from models.assessment import Finding
from models.base import plain
from models.facts import DoseSlot


def prompts(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """The reminders of this protocol for this dose: fluids and urate before the first (EU-05, CYT-06), setting, vial."""
    protocol = case.protocol
    yield from _length_of_cycle_1(case)
    if not case.doses:
        yield from _blasts_within_the_limit(case)
    if protocol.prompts.hydrate_and_lower_urate.holds and (slot.cycle, slot.day) == (1, 1):
        reason = "where the tumour burden is high: fluids, and urate lowered, before the dose; look for tumour lysis after it"
        yield case.finding("EU-05", None, reason)
    if protocol.prompts.resuscitation_at_hand.holds:
        reason = "resuscitation equipment at hand, under a physician experienced in treating cancer"
        yield case.finding("EU-10", None, reason)
    labelled, content = protocol.preparation.vial_labelled, protocol.preparation.vial_content
    if labelled.number != content.number:
        reason = f"the vial is labelled {labelled.shown()} and yields {content.shown()}: vials are counted by what they yield"
        yield case.finding("EU-06", None, reason)


def _length_of_cycle_1(case: Case) -> Iterator[Finding]:
    """DIV-03: while cycle 1 lasts, where the protocol departs from the label's length of it."""
    length = case.protocol.regimen.cycle1_length
    if length.divergence is not None and case.cycle == 1:
        words = case.protocol.rule(length.divergence).title
        yield case.finding(length.divergence, None, f"cycle 1 takes {length.shown()} here. {words}")


def _blasts_within_the_limit(case: Case) -> Iterator[Finding]:
    """CYT-05: blasts that the target lets pass are reduced all the same, after the article; it holds nothing."""
    held, limit = blasts_holding(case), case.protocol.limits.blasts_max
    count = max(held, key=lambda known: known.canonical, default=None)
    if count is not None and 0 < count.canonical <= limit.number:
        reason = f"blasts {plain(count.canonical)} x 10^9/L in blood, within the target: is cytoreduction wanted before the dose?"
        yield case.finding("CYT-01", None, reason)
