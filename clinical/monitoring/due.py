"""One open thing as its rule finds it: what it is, due when, overdue when (design §4). From whom stands in `kinds`.

`due_at` and `overdue_at` are functions of facts and protocol, never of the time of asking.
"""

from datetime import datetime
from typing import NamedTuple

from clinical.chart.reading import STRICTLY_AFTER
from clinical.course.case import Case
from models.assessment import Standing
from models.base import short_hash
from models.obligation_kinds import ObligationKind
from models.people import Role

FURTHER = "further"
"""The name of the one obligation of all messages beyond those that call for themselves."""


class Due(NamedTuple):
    """An open thing without its owners; `owners` only where they are others than those of its kind."""

    kind: ObligationKind
    key: str
    title: str
    rule: str
    due_at: datetime
    overdue_at: datetime
    standing: Standing
    next_change_at: datetime | None
    clears: str
    owners: tuple[Role, ...] = ()
    once: bool = False


def hashed(name: str) -> str:
    """A name from outside as it stands in a key: by its hash, for it may be long, and may tell."""
    return short_hash(name)


def obligation(
    case: Case,
    kind: ObligationKind,
    name: str,
    title: str,
    rule: str,
    due_at: datetime,
    overdue_at: datetime,
    clears: str,
    *owners: Role,
    once: bool = False,
) -> Due:
    """Due at `now >= due_at`, overdue at `now > overdue_at`; the next of the two is when time alone changes it.

    `name` tells things of one kind apart; it is empty where there is but one. What is said `once` calls nobody again.
    """
    due, overdue = case.reading.reached(due_at), case.reading.passed(overdue_at)
    changes = [at for at in (due_at, overdue_at + STRICTLY_AFTER) if case.reading.is_ahead(at)]
    return Due(
        kind=kind,
        key=kind.key(name),
        title=title,
        rule=rule,
        due_at=due_at,
        overdue_at=overdue_at,
        standing="overdue" if overdue else "due" if due else "coming",
        next_change_at=min(changes, default=None),
        clears=clears,
        owners=owners,
        once=once,
    )
