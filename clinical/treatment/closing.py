"""A course that ends before its time (CLOSE-01): death, transfer, lost to follow-up, a patient who stops.

Death and transfer close at once. A patient who stops ends dosing; the course is closed only where the liver tests are
declined too. Lost to follow-up first calls a physician: it closes when one says it a second time and nothing came in
between, for a result means that somebody has seen the patient.
"""

from clinical.chart.reading import Reading
from models.facts import CourseClosed, Fact, LabResult
from models.people import PHYSICIANS

AT_ONCE = frozenset({"death", "transfer"})


def closing(reading: Reading) -> Fact | None:
    """The fact that closed the course; none while it is open. A retracted one closes nothing (COR-01)."""
    for fact, what in reading.of(CourseClosed):
        if what.reason in AT_ONCE or (what.reason == "patient_stops" and what.monitoring_declined):
            return fact
    missed = lost_to_follow_up(reading)
    return missed[-1] if len(missed) > 1 and missed[-1].by.role in PHYSICIANS else None


def lost_to_follow_up(reading: Reading) -> list[Fact]:
    """Who said, and has not been answered by a result since, that the patient is lost to follow-up."""
    said = [fact for fact, what in reading.of(CourseClosed) if what.reason == "lost_to_follow_up"]
    if not said:
        return said
    seen = max((fact.recorded_at for fact, _ in reading.of(LabResult)), default=None)
    return [fact for fact in said if seen is None or fact.recorded_at > seen]
