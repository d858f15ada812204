"""What was wrong or unreadable and is put right: `correct_fact`, `resolve_unreadable`, `read_again` (COR-01, LAB-05)."""

from typing import Any

from clinical.chart.calendar import local_date
from clinical.chart.setting_aside import set_aside_as
from clinical.chart.taken_back import refusal
from clinical.chart.unread import named
from clinical.coding.meaning import analytes_of, meaning
from clinical.coding.units import label
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from models.facts import AdministrationReported, Correction, Fact, LabResult, Preparation, UnreadableResolved
from models.messages import CorrectFact, ReadAgain, ResolveUnreadable, share
from models.people import PHYSICIANS


def correction(judging: Judging, message: CorrectFact) -> Judged:
    """COR-01: the fact was wrong; retract it, or let another of its kind stand in its place."""
    target = next((f for f in judging.case.reading.facts if f.id == message.target), None)
    if target is None:
        return refused("NoSuchFact", f"no fact {message.target} stands in this chart")
    why_not = refusal(target.what, message.by.role, message.replacement)
    if why_not is not None:
        return refused(*why_not)
    measured_at = None if message.at is None or message.replacement is None else judging.at  # COR-03
    replacement = _in_place_of(judging, message, target)
    return Correction(target=target.id, replacement=replacement, measured_at=measured_at, reason=message.reason)


def _in_place_of(judging: Judging, message: CorrectFact, target: Fact) -> Any:
    """What the service itself worked out of the fact is not a person's to say anew.

    A replaced dose keeps its local date as a fact (DAY-03), a preparation the signature that it was made under (IDN-02).
    """
    if isinstance(message.replacement, AdministrationReported):
        day = local_date(message.at or target.at, judging.case.reading.zone)
        return message.replacement.model_copy(update={"local_on": day})
    if isinstance(message.replacement, Preparation) and isinstance(target.what, Preparation):
        return message.replacement.model_copy(update={"authorisation": target.what.authorisation})
    return message.replacement


def resolved(judging: Judging, message: ResolveUnreadable) -> Judged:
    """LAB-05: a named person transcribed or dismissed what could not be read."""
    waiting = judging.case.results.unreadable_messages
    target = named(waiting, message.target)
    messages = {k for f, m in waiting for k in (f.id, m.sha256)}
    unusable = judging.case.results.unusable_facts()
    if target not in messages | unusable.keys():
        return refused("NoSuchMessage", f"nothing unreadable is known as {message.target}")
    aside = set_aside_as(judging.case.chart.facts, target)
    if message.by.role not in PHYSICIANS and aside is not None:
        return refused("RoleNotAllowed", "what two physicians have set aside a physician transcribes or dismisses")
    if (message.outcome == "transcribed") != bool(message.values):
        return refused("ValuesRequired", "transcribed needs values; dismissed has none")
    if message.outcome == "dismissed" and message.by.role not in PHYSICIANS and _counts_against(judging, target):
        return refused("RoleNotAllowed", "a value that speaks against a dose is dismissed by a physician or prescriber")
    may_be = unusable.get(target, _may_have_been(aside))
    if message.values and may_be is not None and may_be.isdisjoint(analytes_of(message.values)):
        names = " or ".join(sorted(map(label, may_be))) or "a withdrawal that names no analyte"
        return refused("ValuesRequired", f"{target} is {names}: transcribed needs a value of it; else it is dismissed")
    settled = share(UnreadableResolved, message).model_copy(update={"target": target})
    return (settled, *message.values)


def _counts_against(judging: Judging, target: str) -> bool:
    """Whether a result that cannot be used holds all the same: by itself, or in doubt beside others (LAB-10, PLAU-01)."""
    results = judging.case.results
    return results.speaks_against(target) or any(unknown.fact == target for unknown in results.in_doubt())


def _may_have_been(aside: Fact | None) -> frozenset[str] | None:
    """What a result that was set aside may be a result of; of anything else only who reads it can tell."""
    return meaning(aside.what).analytes if aside is not None and isinstance(aside.what, LabResult) else None


def read_again(judging: Judging, message: ReadAgain) -> Judged:
    """LAB-05: whether it is open still. What it says is found by whoever has its bytes (`clinical/decide.py`)."""
    if message.target not in {m.sha256 for _, m in judging.case.results.unreadable_messages}:
        return refused("NoSuchMessage", f"nothing unreadable is known as {message.target}")
    return ()
