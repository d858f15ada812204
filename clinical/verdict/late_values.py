"""A value of before a dose that came, or was corrected, after its start, and that would have closed its gate (LAB-07, COR-01).

Nothing can be authorised or started any more, so the card alone would tell nobody: the prescriber is called at once.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate, groupby
from typing import NamedTuple

from clinical.chart.once import once
from clinical.chart.setting_aside import SET_ASIDE
from clinical.course.case import Case
from clinical.gates.overrides import with_overrides
from clinical.treatment.treatment import Dose
from clinical.verdict.dose_gate import dose_gate
from models.chart import Chart
from models.facts import (
    Correction,
    Discontinued,
    DoseDecided,
    DoseSlot,
    Fact,
    HoldSet,
    InfusionCompleted,
    InfusionInterrupted,
    LabResult,
    LabStatus,
    ResultConfirmed,
    ResultWithdrawn,
    ToxicityAttribution,
    VodJudged,
)
from models.people import PHYSICIANS

ANSWERS = (
    *(InfusionInterrupted, InfusionCompleted, HoldSet, Discontinued),
    *(DoseDecided, ResultConfirmed, ToxicityAttribution, VodJudged),
)
"""What a physician says to such a value."""

Asked = frozenset[tuple[str, str]]


class LateValue(NamedTuple):
    """The gate of this dose would have been closed: by which rule, and since when it is known."""

    slot: DoseSlot
    rule: str
    since: datetime


def late_value(case: Case) -> LateValue | None:
    """The dose given last whose gate a late value closes, until a physician has said something to it."""
    found = _closed_late(case)
    return None if found is None or answered(case, found.since) else found


def answered(case: Case, since: datetime) -> bool:
    """Whether a physician has said something since then that answers such a value."""
    said = (fact for kind in ANSWERS for fact, _ in case.reading.of(kind))
    return any(fact.recorded_at > since and fact.by.role in PHYSICIANS for fact in said)


@once
def _closed_late(case: Case) -> LateValue | None:
    dose = case.last_dose
    if dose is None or dose.reported:
        return None
    told = case.reading.in_order("lab_result", "result_withdrawn", "correction", "infusion_started", SET_ASIDE)
    place = next((i for i, fact in enumerate(told) if fact.id == dose.fact), len(told))
    corrected = case.reading.told.versions is not None
    known = {fact.id for fact in told[:place] if fact.what.kind != SET_ASIDE} if corrected else set[str]()
    late = list(_late(told[place:], dose, known))
    if not late:
        return None
    before = tuple(fact for fact in told[:place] if fact.what.kind != SET_ASIDE)
    usual = _asked(case, dose, before)
    came = [tuple(facts) for _, facts in groupby(late, key=lambda fact: fact.recorded_at)]
    closing = [(_asked(case, dose, (*before, *so_far)) - usual, so_far[-1]) for so_far in accumulate(came)]
    if not closing[-1][0]:
        return None  # corrected once more, and open again
    asked, last = next(pair for pair in closing if pair[0])
    return LateValue(dose.slot, min(asked)[0], last.recorded_at)


def _late(after: tuple[Fact, ...], dose: Dose, known: set[str]) -> Iterator[Fact]:
    """What came after the start and speaks of before it."""
    for fact in after:
        what = fact.what
        if _speaks_of_before(what, dose) or (isinstance(what, Correction) and what.target in known):
            known.add(fact.id)  # what is taken back, or corrected once more, is that too
            yield _as_of_before(fact, dose)


def _as_of_before(fact: Fact, dose: Dose) -> Fact:
    """Of before the start, a correction that moves a result to after it says only that the result was none of then."""
    what = fact.what
    if isinstance(what, Correction) and isinstance(moved := what.replacement, LabResult) and _drawn_after(moved, dose):
        return fact.model_copy(update={"what": what.model_copy(update={"replacement": None})})
    return fact


def _drawn_after(what: LabResult, dose: Dose) -> bool:
    return what.collected_at is not None and what.collected_at > dose.started_at


def _speaks_of_before(what: object, dose: Dose) -> bool:
    """Drawn before the start, or a withdrawal that does not say of when."""
    if isinstance(what, LabResult) and what.collected_at is not None:
        return what.collected_at <= dose.started_at
    return isinstance(what, ResultWithdrawn) or (
        isinstance(what, LabResult) and what.status in (LabStatus.ENTERED_IN_ERROR, LabStatus.CANCELLED)
    )


def _asked(case: Case, dose: Dose, facts: tuple[Fact, ...]) -> Asked:
    """What stands in the way of this dose at its start, had these facts been known then."""
    known = tuple(fact.model_copy(update={"recorded_at": min(fact.recorded_at, dose.started_at)}) for fact in facts)
    then = Case(Chart(course=case.course, facts=known), case.protocol, dose.started_at)
    found = with_overrides(then, dose.slot, dose_gate(then, dose.slot))
    return frozenset((f.rule, f.subject) for f in found if f.verdict is not None)
