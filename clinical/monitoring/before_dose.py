"""What must be drawn, measured and looked at before the next dose, as one open thing with what is missing of it.

One thing and not nine: who brings the patient in orders all of it at once, and is called once. Each part keeps its clause
(MON-01, -02, -05, -06, -07, -09, -11, -15, -16). Whether the dose may be given is asked elsewhere (DATA-01 … DATA-03).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from clinical.course.case import Case
from clinical.course.pregnancy import tested_at
from clinical.monitoring.due import Due, obligation
from clinical.toxicity.ecg import qtcf_history
from models.base import Frozen
from models.facts import CYCLE_DAYS, DoseSlot, InfectionBleedingCheck, VodExamination
from models.obligation_kinds import ObligationKind
from models.protocol import Entry


@dataclass(frozen=True)
class Part:
    """One part, the clause that asks for it, and when it was last there."""

    name: str
    rule: str
    age: Entry
    last_at: datetime | None


def before_dose(case: Case) -> Iterator[Due]:
    """Due a day before the planned time of the next dose, overdue at that time, until nothing is missing."""
    slot = next_planned(case)
    planned_at = case.planned_at(slot) if slot is not None else None
    if slot is None or planned_at is None:
        return
    missing = missing_before(case, slot)
    if missing:
        words = ", ".join(part.name for part in missing)
        clears = ", ".join(f"{part.name} (at most {part.age.shown()} before it, {part.rule})" for part in missing)
        due_at = planned_at - case.protocol.monitoring.before_dose.span
        title, rule = f"before {slot}: {words}", missing[0].rule
        late = max(due_at, planned_at)
        yield obligation(case, ObligationKind.BEFORE, str(slot), title, rule, due_at, late, clears)


def next_planned(case: Case) -> DoseSlot | None:
    """The dose that follows, also while one runs or is observed; none when dosing has ended."""
    return None if case.dosing_ended is not None else case.slot_after_all


def missing_before(case: Case, slot: DoseSlot) -> list[Part]:
    """The parts that are not there yet, or will be too old at the planned time."""
    planned_at = case.planned_at(slot)
    if planned_at is None:
        return []
    return [p for p in _parts(case, slot) if p.last_at is None or p.last_at < planned_at - p.age.span]


def _parts(case: Case, slot: DoseSlot) -> Iterator[Part]:
    ages, first = case.protocol.ages, slot.day == CYCLE_DAYS[0]
    weighed = case.plausible_weights()
    yield Part("blood count", "MON-01", ages.cbc_day_1 if first else ages.cbc_later, _drawn(case, ages.cbc_analytes))
    yield Part("liver panel", "MON-02", ages.liver, _drawn(case, ages.liver_analytes))
    yield Part("examination for signs of VOD", "MON-15", ages.examination, _seen(case, VodExamination))
    yield Part("infection and bleeding check", "MON-16", ages.examination, _seen(case, InfectionBleedingCheck))
    weight_age = ages.weight_day_1 if first else ages.weight_later
    yield Part("weight", "MON-05", weight_age, weighed[-1].at if weighed else None)
    if first:
        yield from _parts_of_day_1(case)


def _parts_of_day_1(case: Case) -> Iterator[Part]:
    ages, taken = case.protocol.ages, qtcf_history(case)
    yield Part("ECG with QTcF", "MON-06", ages.qtcf, taken[-1].collected_at if taken else None)
    electrolytes = "potassium, magnesium, calcium with albumin"
    yield Part(electrolytes, "MON-07", ages.electrolytes, electrolytes_at(case))
    yield Part("amylase and lipase", "MON-09", ages.electrolytes, _drawn(case, case.protocol.monitoring.pancreas))
    if case.course.child_bearing_potential is not False:
        yield Part("pregnancy test", "MON-11", ages.pregnancy, tested_at(case))


def electrolytes_at(case: Case) -> datetime | None:
    """When potassium, magnesium and calcium (corrected, or with albumin) were all last known: the oldest of them."""
    ages = case.protocol.ages
    corrected = case.opening("calcium_corrected").values
    plain = _oldest(case, (*ages.electrolyte_analytes.words, "albumin"))
    if not corrected:
        return plain
    others = _oldest(case, tuple(a for a in ages.electrolyte_analytes.words if a != "calcium"))
    with_corrected = None if others is None else min(others, corrected[-1].collected_at)
    return max((at for at in (plain, with_corrected) if at is not None), default=None)


def _drawn(case: Case, analytes: Entry) -> datetime | None:
    return _oldest(case, analytes.words)


def _oldest(case: Case, analytes: tuple[str, ...]) -> datetime | None:
    values = [case.opening(analyte).values for analyte in analytes]
    return min(twins[-1].collected_at for twins in values) if all(values) else None


def _seen(case: Case, kind: type[Frozen]) -> datetime | None:
    latest = case.reading.latest(kind)
    return None if latest is None else latest[0].at
