"""What meets an obligation that has fired: the words for what was charted since its rung fired, or none. For `kinds`."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from clinical.course.case import Case
from clinical.monitoring.before_dose import missing_before
from clinical.monitoring.due import hashed
from clinical.monitoring.liver_tests import panels
from clinical.obligations.course_over import monitoring_over
from clinical.results.known import recorded_at
from clinical.verdict.late_values import answered
from models.base import Frozen
from models.facts import (
    CYCLE_DAYS,
    CycleStarted,
    DosingFinished,
    InfusionStarted,
    ResponseRecorded,
)
from models.obligation_kinds import ObligationKind
from models.people import Role
from models.protocol import Entry


class Fired(NamedTuple):
    """An obligation whose rung has fired: its kind and key, when it was due, and since when people know, and who was called."""

    kind: ObligationKind
    key: str
    due_at: datetime
    since: datetime
    called: tuple[Role, ...]

    @property
    def name(self) -> str:
        """What tells it apart from others of its kind."""
        return self.kind.name_in(self.key)


MetBy = Callable[[Case, Fired], str | None]
"""What met it, in words."""


def charted(words: str, *kinds: type[Frozen]) -> MetBy:
    """Met by any fact of these kinds that was recorded since."""

    def rule(case: Case, fired: Fired) -> str | None:
        return words if any(f.recorded_at >= fired.since for kind in kinds for f, _ in case.reading.of(kind)) else None

    return rule


def tests_for(analytes: Callable[[Case], Entry]) -> MetBy:
    """Met when each of these analytes has a usable result that was known since."""

    def rule(case: Case, fired: Fired) -> str | None:
        histories = [case.results.history(analyte) for analyte in analytes(case).words]
        came = all(any(recorded_at(k) >= fired.since for k in history) for history in histories)
        return "the tests came" if came else None

    return rule


def liver_test(case: Case, fired: Fired) -> str | None:
    """A complete panel."""
    return "a complete liver panel came" if any(p.recorded_at >= fired.since for p in panels(case)) else None


def liver_test_after_dose(case: Case, fired: Fired) -> str | None:
    """A complete panel, drawn when it was due or later (MON-02)."""
    found = [p for p in panels(case) if p.recorded_at >= fired.since and p.at >= fired.due_at]
    return "a complete liver panel came" if found else None


def dose(case: Case, fired: Fired) -> str | None:
    """The dose, or for a day 1 the start of its cycle or the end of dosing."""
    if any(str(one.slot) == fired.name for one in case.doses):
        return "the dose was given"
    first = f"D{CYCLE_DAYS[0]}"
    if not fired.name.endswith(first):
        return None
    started = any(f"C{what.cycle}{first}" == fired.name for _, what in case.reading.of(CycleStarted))
    finished = any(f.recorded_at >= fired.since for f, _ in case.reading.of(DosingFinished))
    return "the cycle was started" if started else "dosing was finished" if finished else None


def before(case: Case, fired: Fired) -> str | None:
    """Everything that the dose needs, or the dose itself."""
    slot = case.slot_after_all
    if fired.name == str(slot) and not missing_before(case, slot):
        return "everything is there"
    return "the dose was given" if any(fired.name == str(one.slot) for one in case.doses) else None


def nothing(case: Case, fired: Fired) -> str | None:
    """Nothing that is charted: it is withdrawn when it is no longer asked for."""
    return None


def infusion(case: Case, fired: Fired) -> str | None:
    """Its end, or that it goes on or stands still."""
    given = any(fired.name == str(one.slot) for one in case.doses)
    return "the infusion ended, or went on" if given else None


def marrow(case: Case, fired: Fired) -> str | None:
    """The response of its cycle."""
    cycle = fired.name.removeprefix("C")
    told = any(
        str(what.cycle) == cycle and f.recorded_at >= fired.since for f, what in case.reading.of(ResponseRecorded)
    )
    return f"the response of cycle {cycle} was recorded" if told else None


def preparation(case: Case, fired: Fired) -> str | None:
    """The start of the infusion with it."""
    used = any(fired.name == hashed(what.preparation_id) for _, what in case.reading.of(InfusionStarted))
    return "the preparation was started" if used else None


def late_value(case: Case, fired: Fired) -> str | None:
    """A physician's word."""
    return "a physician answered" if answered(case, fired.since) else None


def first_dose(case: Case, fired: Fired) -> str | None:
    """The first dose."""
    return "the first dose was given" if case.doses else None


def no_longer_overdue(case: Case, fired: Fired) -> str | None:
    """That nothing of its owner is overdue any more."""
    over = case.closed is not None or monitoring_over(case)
    return None if over else "nothing of it is overdue any more"


def the_end(case: Case, fired: Fired) -> str | None:
    """The end of monitoring."""
    return "monitoring ended" if case.closed is None and monitoring_over(case) else None
