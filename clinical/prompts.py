"""What a card reminds of before a dose (EU-05, EU-06, EU-10). Notes only: none of them holds."""

from collections.abc import Iterator

from clinical.case import Case
from models.assessment import Finding
from models.facts import DoseSlot


def prompts(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """The reminders of this protocol for this dose: fluids and urate before the first (EU-05, CYT-06), setting, vial."""
    protocol = case.protocol
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
