"""Overrides: who set which finding aside, for which dose and for which values (OVR-01 … OVR-03).

An override names one finding, one dose and the values it was given for. It lapses when one of these changes or the
window of the dose closes. A finding of class OVR-02 is set aside only by two different people.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clinical.course.case import Case
from clinical.treatment.reviews import signed_under
from models.assessment import Finding
from models.facts import Allergy, DoseSlot, Fact, OverrideGiven
from models.people import Actor
from models.protocol import Override

BY_TWO = str(Override.SECOND_PERSON)
PREMEDICATION = "PRE-07"
OVERRIDABLE = frozenset({BY_TWO, str(Override.PRESCRIBER)})


@dataclass(frozen=True)
class Standing:
    """One override that has not lapsed, with the second signatures under it."""

    fact: Fact
    what: OverrideGiven
    second: tuple[Actor, ...]
    until: str

    def reason_for(self, finding: Finding) -> str | None:
        """Who set this finding aside and why; `None` while a second signature is missing (OVR-02)."""
        if finding.override == BY_TWO and not self.second:
            return None
        people = " and ".join(str(a) for a in (self.fact.by, *self.second))
        return f"set aside by {people}: {self.what.reason}; {self.until}"


def standing_overrides(case: Case, slot: DoseSlot) -> list[Standing]:
    """The overrides given for this dose whose window is still open; values are compared finding by finding."""
    window = case.window_of(slot)
    closes_at = window.closes_at if window is not None else None
    if closes_at is not None and case.reading.reached(closes_at):
        return []
    until = f"for {slot} while its values stand"
    if closes_at is not None:
        until += f", until {closes_at.astimezone(case.reading.zone):%Y-%m-%d %H:%M} local time"
    return [
        Standing(fact, what, _second(case, fact), until)
        for fact, what in case.reading.of(OverrideGiven)
        if (what.cycle, what.day) == (slot.cycle, slot.day)
    ]


def _second(case: Case, given: Fact) -> tuple[Actor, ...]:
    """Those who signed under it and are another person than who gave it."""
    return tuple(by for by in signed_under(case.reading, given.id) if by.person != given.by.person)


def with_overrides(case: Case, slot: DoseSlot, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Each finding as it stands under the overrides for this dose: set aside, waiting for a second signature, or as it is."""
    found = list(findings)
    given = standing_overrides(case, slot) if case.reading.of(OverrideGiven) else []
    for finding in found:
        match = next((o for o in reversed(given) if _covers(o, finding)), None)
        yield finding if match is None else _under(match, finding)


def may_be_overridden(finding: Finding) -> bool:
    """Whether some person may set this finding aside (§3.6)."""
    return finding.override in OVERRIDABLE and finding.overridden is None and finding.clears is not None


def only_for_allergy(case: Case, finding: Finding) -> bool:
    """A mandatory premedication (DIV-07) is set aside only where an allergy to this very class is charted."""
    if finding.rule != PREMEDICATION or case.protocol.premedication.mandatory.value is not True:
        return False
    classes = {str(a.premedication_class) for _, a in case.reading.of(Allergy) if a.premedication_class}
    return finding.subject not in classes


def _covers(override: Standing, finding: Finding) -> bool:
    return (
        finding.override in OVERRIDABLE
        and override.what.rule == finding.rule
        and override.what.binding == finding.binding
    )


def _under(override: Standing, finding: Finding) -> Finding:
    words = override.reason_for(finding)
    if words is None:
        waits = f"override by {override.fact.by} waits for a second signature: countersign {override.fact.id}"
        said = {"clears": f"{waits}; or {finding.clears}", "countersign": override.fact.id}
        return finding.model_copy(update=said)
    return finding.model_copy(update={"verdict": None, "clears": None, "overridden": words})
