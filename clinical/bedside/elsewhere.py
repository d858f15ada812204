"""Doses reported of elsewhere that do not fit the course: one that was not the next, and one that was given here too.

Each is asked about at once, until a physician confirms what was reported or it is corrected (DAY-06, DAY-07, INF-07).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from clinical.bedside.amounts import settled
from clinical.chart.once import once
from clinical.course.case import Case
from clinical.course.interruption import TWO_DOSES, day_left_out
from clinical.treatment.treatment import Dose
from clinical.treatment.windows import slot_of
from models.assessment import Finding
from models.base import counted
from models.facts import CYCLE_DAYS, DoseSlot

SHOWN = 5
"""So many doses are named; of more, their number is."""


@dataclass(frozen=True)
class Question:
    """One thing that is asked about a dose of elsewhere: by which rule, since when, and what ends it."""

    dose: Dose
    rule: str
    title: str
    since: datetime
    clears: str


@once
def passed_over(case: Case) -> tuple[tuple[Dose, tuple[DoseSlot, ...]], ...]:
    """DAY-06: each dose of elsewhere with those before it that were neither given nor left out, until somebody answers."""
    given = sorted({(d.slot.cycle, d.slot.day) for d in case.doses})
    left_out = {(slot.cycle, slot.day) for slot in case.omitted}
    found = []
    for dose in {d.slot: d for d in case.doses if d.reported and not settled(case, d.fact)}.values():
        until = (dose.slot.cycle, dose.slot.day)
        since = max((slot for slot in given if slot < until), default=(0, 0))
        planned = [(cycle, day) for cycle in range(max(since[0], 1), until[0] + 1) for day in _days(case, cycle)]
        missing = [slot for slot in planned if since < slot < until and slot not in left_out]
        if missing:
            found.append((dose, tuple(slot_of(cycle, day) for cycle, day in missing)))
    return tuple(found)


def _days(case: Case, cycle: int) -> tuple[int, ...]:
    """The days on which a cycle has doses at its level (LVL-03)."""
    left_out = day_left_out(case, cycle) if case.level_of(cycle) >= TWO_DOSES else None
    return tuple(day for day in CYCLE_DAYS if day != left_out)


def given_twice(case: Case) -> Iterator[tuple[Dose, Dose]]:
    """DAY-07: a dose of elsewhere that was, or is being, given here too or was reported before; with the other one."""
    for place, dose in enumerate(case.doses):
        if not dose.reported or settled(case, dose.fact):
            continue
        others = [d for d in (*case.doses[:place], *case.doses[place + 1 :]) if d.slot == dose.slot]
        others = [d for d in others if not d.reported or case.recorded[d.fact] < case.recorded[dose.fact]]
        if others:
            yield dose, next((d for d in others if d.ended_at is None), others[-1])


def questions(case: Case) -> Iterator[Question]:
    """What is asked of physician and nurse at once."""
    for dose, missing in passed_over(case):
        title = f"{dose.slot} of elsewhere was not the dose that was next: {_named(missing)} {_is(missing)} passed over"
        yield Question(dose, "DAY-06", title, case.recorded[dose.fact], _answer(dose, missing))
    for dose, other in given_twice(case):
        runs = other.ended_at is None
        title = f"{dose.slot} is reported as given elsewhere, and was given before: one dose, or two?"
        if runs:
            title = f"{dose.slot} is reported as given elsewhere while its infusion runs here: interrupt_infusion, and settle it"
        since = max(case.recorded[dose.fact], case.recorded[other.fact])
        yield Question(dose, "DAY-07", title, since, _answer(dose, ()))


def passed_over_notes(case: Case) -> Iterator[Finding]:
    """DAY-06: a card names the doses that a report passed over; none is dropped in silence."""
    for dose, missing in passed_over(case):
        words = f"{dose.slot} of {dose.local_on} was given elsewhere and was not the dose that was next"
        reason = f"{words}: {_named(missing)} {_is(missing)} neither charted as given nor left out"
        yield case.finding("DAY-06", None, reason, clears=_answer(dose, missing), subject=f"{dose.slot} elsewhere")


def _answer(dose: Dose, missing: tuple[DoseSlot, ...]) -> str:
    """What ends the question; a day 1 is never left out."""
    may_be_left_out = any(slot.day != CYCLE_DAYS[0] for slot in missing)
    decides = "; or decide_dose omit by the prescriber, for each that was passed over" if may_be_left_out else ""
    return f"correct_fact of {dose.fact}, or result_confirmed of it by a physician{decides}"


def _named(missing: tuple[DoseSlot, ...]) -> str:
    named = ", ".join(str(slot) for slot in missing[:SHOWN])
    further = missing[SHOWN:]
    return f"{named} and {counted(len(further), 'further dose')}" if further else named


def _is(missing: tuple[DoseSlot, ...]) -> str:
    return "is" if len(missing) == 1 else "are"
