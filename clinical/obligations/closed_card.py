"""What the card of a closed course says: why it is closed, and after a transfer what was outstanding."""

from collections.abc import Iterator

from clinical.course.case import Case
from clinical.obligations.obligations import obligations
from models.assessment import Finding
from models.chart import Chart
from models.facts import CourseClosed, Fact


def closed_card(case: Case, closed: Fact) -> Iterator[Finding]:
    """CLOSE-01: the reason, who takes over, and what the one who takes over must know to be due."""
    assert isinstance(closed.what, CourseClosed)
    what = closed.what
    to = f" to {what.receiver}" if what.receiver else ""
    yield case.finding("CLOSE-01", None, f"closed by {closed.by}: {what.reason.replace('_', ' ')}{to}")
    if what.reason == "transfer":
        for due in obligations(_as_it_was(case, closed)):
            there = due.due_at.astimezone(case.reading.zone)
            yield case.finding("CLOSE-01", None, f"outstanding: {due.title}, due {there:%Y-%m-%d %H:%M} local time")


def _as_it_was(case: Case, closed: Fact) -> Case:
    facts = case.chart.facts
    case.reading.rests_on_every_fact()
    until = next(i for i, fact in enumerate(facts) if fact.id == closed.id)
    return Case(Chart(course=case.course, facts=facts[:until]), case.protocol, closed.recorded_at)
