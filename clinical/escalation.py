"""What the clock adds to a chart: rungs whose instant has come, and how a fired obligation came to its end.

Each one that fired ends once: met by what was charted, closed as overdue when monitoring is over, or withdrawn; always
with its reason, so that a worklist and an auditor read the same.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from clinical.again import again_for
from clinical.calendar import local_date
from clinical.case import Case
from clinical.closures import MET_BY
from clinical.course_over import monitoring_over
from clinical.due import AGAIN, LIVER
from models.assessment import Obligation
from models.facts import CourseClosed, ObligationMet, RungFired

Rung = Literal["due", "overdue"]


class Fired(NamedTuple):
    """An obligation whose rung has fired: its key, when it was due, and since when people know."""

    key: str
    due_at: datetime
    since: datetime


def rungs_reached(case: Case, opened: tuple[Obligation, ...]) -> list[RungFired]:
    """Rungs whose instant has come and that have not fired yet; a rung fires once."""
    fired = {(r.obligation, r.due_at, r.rung) for _, r in case.reading.of(RungFired)}
    reached: list[tuple[Obligation, Rung]] = []
    for o in opened:
        reached += [(o, "due")] if case.now >= o.due_at else []
        reached += [(o, "overdue")] if case.now > o.overdue_at else []
    return [
        RungFired(obligation=o.key, rung=rung, due_at=o.due_at)
        for o, rung in reached
        if (o.key, o.due_at, rung) not in fired
    ]


def obligations_closed(case: Case, opened: tuple[Obligation, ...]) -> list[ObligationMet]:
    """Obligations that have fired and are no longer open, with what closed them and why."""
    still_open = {(o.key, o.due_at) for o in opened}
    closed = {(m.obligation, m.due_at) for _, m in case.reading.of(ObligationMet)}
    fired: dict[tuple[str, datetime], Fired] = {}
    for fact, rung in case.reading.of(RungFired):
        fired.setdefault((rung.obligation, rung.due_at), Fired(rung.obligation, rung.due_at, fact.recorded_at))
    over = {key: one for key, one in fired.items() if key not in still_open and key not in closed}
    return [_closed(case, one, opened) for one in over.values()]


def _closed(case: Case, fired: Fired, opened: tuple[Obligation, ...]) -> ObligationMet:
    said = ObligationMet(obligation=fired.key, due_at=fired.due_at, how="met")
    if fired.key.startswith(AGAIN) and any(fired.key.startswith(again_for(o.owner)) for o in opened if _again(o)):
        return said.model_copy(update={"how": "withdrawn", "why": "it was asked for again"})
    met = next((rule for begins, rule in MET_BY if fired.key.startswith(begins)), None)
    words = met(case, fired.key, fired.due_at, fired.since) if met is not None else None
    if words is not None:
        return said.model_copy(update={"why": words})
    if fired.key.startswith(LIVER) and case.closed is None and monitoring_over(case):
        why = "monitoring is over and the test was never done"
        return said.model_copy(update={"how": "closed_as_overdue", "why": why})
    return said.model_copy(update={"how": "withdrawn", "why": _withdrawn(case, fired, opened)})


def _again(one: Obligation) -> bool:
    return one.key.startswith(AGAIN)


def _withdrawn(case: Case, fired: Fired, opened: tuple[Obligation, ...]) -> str:
    if case.closed is not None and isinstance(case.closed.what, CourseClosed):
        return f"the course was closed: {case.closed.what.reason.replace('_', ' ')}"
    if monitoring_over(case):
        return "monitoring is over"
    moved = next((o for o in opened if o.key == fired.key), None)
    if moved is not None:
        return f"what was charted since moved it to {local_date(moved.due_at, case.reading.zone)}"
    if case.dosing_ended is not None:
        return "dosing has ended"
    return "what was charted since asks for it no longer"
