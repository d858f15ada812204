"""What the clock adds to a chart: rungs whose instant has come, and how a fired obligation came to its end.

Each one that fired ends once: met by what was charted, closed as overdue when monitoring is over, or withdrawn; always
with its reason, so that a worklist and an auditor read the same.
"""

from collections.abc import Iterator
from datetime import datetime

from clinical.chart.calendar import local_date
from clinical.course.case import Case
from clinical.obligations.closures import Fired
from clinical.obligations.course_over import monitoring_over
from clinical.obligations.kinds import KINDS
from models.assessment import Obligation, Rung
from models.facts import CourseClosed, ObligationMet, RungFired
from models.obligation_kinds import LIVER_TESTS, ObligationKind
from models.people import Role


def rungs_reached(case: Case, opened: tuple[Obligation, ...]) -> list[RungFired]:
    """Rungs whose instant has come and that have not fired yet; a rung fires once."""
    fired = {(r.obligation, r.due_at, r.rung, r.until) for _, r in case.reading.of(RungFired)}
    reached = [rung for one in opened for rung in _rungs(case, one)]
    return [r for r in reached if (r.obligation, r.due_at, r.rung, r.until) not in fired]


def _rungs(case: Case, one: Obligation) -> Iterator[RungFired]:
    """Those of an obligation that time has reached: due, overdue, and again where a call was put off until then."""

    def rung(name: Rung, calls: tuple[Role, ...], until: datetime | None = None) -> RungFired:
        return RungFired(
            obligation=one.key, obligation_kind=one.kind, rung=name, due_at=one.due_at, until=until, calls=calls
        )

    if case.now >= one.due_at:
        yield rung("due", one.called("due", case.now))
    if case.now > one.overdue_at:
        yield rung("overdue", one.called("overdue", case.now))
    put_off = sorted({a.until for a in one.answers if a.until is not None and a.until <= case.now})
    for until in put_off:
        who = [role for role in one.owners if any(a.until == until and a.is_for(role) for a in one.answers)]
        yield rung("again", tuple(who), until)


def obligations_closed(case: Case, opened: tuple[Obligation, ...]) -> list[ObligationMet]:
    """Obligations that have fired and are no longer open, with what closed them and why."""
    still_open = {(o.key, o.due_at) for o in opened}
    closed = {(m.obligation, m.due_at) for _, m in case.reading.of(ObligationMet)}
    fired: dict[tuple[str, datetime], Fired] = {}
    for fact, rung in case.reading.of(RungFired):
        one = Fired(rung.of, rung.obligation, rung.due_at, fact.recorded_at, rung.calls or ())
        fired.setdefault((rung.obligation, rung.due_at), one)
    over = {key: one for key, one in fired.items() if key not in still_open and key not in closed}
    return [_closed(case, one, opened) for one in over.values()]


def _closed(case: Case, fired: Fired, opened: tuple[Obligation, ...]) -> ObligationMet:
    said = ObligationMet(obligation=fired.key, due_at=fired.due_at, how="met")
    if fired.kind is ObligationKind.AGAIN and any(_asks_again(o, fired) for o in opened):
        return said.model_copy(update={"how": "withdrawn", "why": "it was asked for again"})
    words = KINDS[fired.kind].met_by(case, fired)
    if words is not None:
        return said.model_copy(update={"why": words})
    if fired.kind in LIVER_TESTS and case.closed is None and monitoring_over(case):
        why = "monitoring is over and the test was never done"
        return said.model_copy(update={"how": "closed_as_overdue", "why": why})
    return said.model_copy(update={"how": "withdrawn", "why": _withdrawn(case, fired, opened)})


def _asks_again(one: Obligation, fired: Fired) -> bool:
    """Whether this is the reminder of a later week to the same people."""
    return one.kind is ObligationKind.AGAIN and one.owner in fired.called


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
