"""Overrides and second signatures (OVR-01 … OVR-03, COR-02): who may set what aside, and with whom."""

from clinical.gates.overrides import may_be_overridden, only_for_allergy
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from clinical.toxicity.symptoms import waiting_for_a_second_person
from clinical.treatment.reviews import signed_under
from models.assessment import Finding, Refused
from models.facts import Countersigned, DoseSlot, Fact, OverrideGiven
from models.messages import Countersign, GiveOverride, share
from models.people import PHYSICIANS


def overridden(judging: Judging, message: GiveOverride) -> Judged:
    """Set one standing finding aside for the dose that is due, bound to the values it was found with (§3.6)."""
    slot, wanted = judging.standing.slot, DoseSlot(cycle=message.cycle, day=message.day)
    if slot is None or wanted != slot:
        following = f"; next is {slot}" if slot else ""
        return refused("NotTheDoseDue", f"{wanted} is not the dose that is due{following}")
    finding = _named(judging, message)
    if isinstance(finding, Refused):
        return finding
    return share(OverrideGiven, message, subject=finding.subject or None, binding=finding.binding)


def _named(judging: Judging, message: GiveOverride) -> Finding | Refused:
    of_rule = [f for f in judging.standing.findings if f.rule == message.rule and _asks(f)]
    if not of_rule:
        return refused("NothingToOverride", f"no finding of {message.rule} stands in the way of this dose")
    named = [f for f in of_rule if message.subject in (None, f.subject)]
    if len(named) != 1:
        subjects = ", ".join(sorted(f.subject or f.reason for f in of_rule))
        return refused("SubjectRequired", f"{message.rule} stands more than once; name its subject: {subjects}")
    finding = named[0]
    if not may_be_overridden(finding):  # OVR-01, and a rule of no class
        return refused("NotOverridable", f"{finding.rule} cannot be overridden by anybody (OVR-01)", (finding,))
    if only_for_allergy(judging.case, finding):
        words = f"{finding.rule} is overridden only for a charted allergy or contraindication to this class (§3.6)"
        return refused("NotOverridable", words, (finding,))
    return finding


def _asks(finding: Finding) -> bool:
    """It holds the dose, or stands between the signature and the start."""
    return finding.verdict is not None or finding.clears is not None


def countersigned(judging: Judging, message: Countersign) -> Judged:
    """Sign as the second person under an override, or as one of the two under a correction review."""
    for fact, _ in judging.case.reading.of(OverrideGiven):
        if fact.id == message.target:
            return _under_override(judging, message, fact)
    graded = waiting_for_a_second_person(judging.case, message.target)
    if graded is not None:
        return _under_a_grade(judging, message, graded)
    review = next((r for r in judging.case.reviews if r.target == message.target), None)
    if review is None:
        return refused("NothingToCountersign", f"nothing waits for a second signature as {message.target}")
    if message.by.role not in PHYSICIANS:
        return refused("RoleNotAllowed", "a correction is confirmed by the prescriber and a second physician (COR-02)")
    if message.by.person in {by.person for by in review.confirmed_by}:
        return refused("SecondPersonRequired", "this person has confirmed it already; a second one is needed (COR-02)")
    return share(Countersigned, message)


def _under_a_grade(judging: Judging, message: Countersign, fact: Fact) -> Judged:
    """CT-28: two people say that there are no symptoms."""
    if message.by.person in {fact.by.person, *(by.person for by in signed_under(judging.case.reading, fact.id))}:
        return refused("SecondPersonRequired", "this person has said so already; a second one is needed (CT-28)")
    return share(Countersigned, message)


def _under_override(judging: Judging, message: Countersign, fact: Fact) -> Judged:
    if message.by.person == fact.by.person:
        return refused("SecondPersonRequired", "the person who gave the override cannot countersign it (OVR-02)")
    if message.by.person in {by.person for by in signed_under(judging.case.reading, fact.id)}:
        return refused("AlreadyCountersigned", "this person has signed under this override already")
    return share(Countersigned, message)
