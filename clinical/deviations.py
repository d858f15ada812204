"""Doses that happened outside the rules: charted and counted, never refused, and said on every card (DEV-01)."""

from collections.abc import Iterator

from clinical.case import Case
from clinical.treatment import Dose
from models.assessment import Finding
from models.base import counted


def deviations(case: Case) -> Iterator[Finding]:
    """DEV-01: a dose reported from elsewhere, one too soon after another, one given twice, one after a permanent stop."""
    earlier: list[Dose] = []
    for dose in case.doses:
        troubles = [*_of_one(case, dose), *_after(case, dose, earlier)]
        if troubles:
            words = f"{dose.slot} on {dose.local_on}: {'; '.join(troubles)}"
            yield case.finding("DEV-01", None, words)
        earlier.append(dose)


def _of_one(case: Case, dose: Dose) -> Iterator[str]:
    if dose.reported:
        yield "given outside this service"
    stop = case.dosing_ended if case.stopped_for_good else None
    if stop is not None and dose.started_at > stop.at:
        yield "given after the drug was stopped for good"


def _after(case: Case, dose: Dose, earlier: list[Dose]) -> Iterator[str]:
    if not earlier:
        return
    gap = case.protocol.regimen.min_gap.count
    days = (dose.local_on - max(e.local_on for e in earlier)).days
    if days < gap:
        yield f"{counted(days, 'day')} after the dose before, at least {gap}"
    if any(e.slot == dose.slot for e in earlier):
        yield "this dose was given before"
