"""One open thing: what it is, from whom, due when, overdue when (design §4), and how its key begins.

`due_at` and `overdue_at` are functions of facts and protocol, never of the time of asking.
"""

from datetime import datetime

from clinical.case import Case
from clinical.reading import STRICTLY_AFTER
from models.assessment import Obligation
from models.base import short_hash
from models.people import Role

DOSE, BEFORE, OBSERVATION, INFUSION, PREPARATION = "dose", "before", "observation", "infusion", "preparation"
LIVER, EXAMINATION, BLOOD_COUNT, TUMOUR_LYSIS = "liver-test", "examination", "blood-count", "tls-labs"
ECG, PANCREAS, PROPHYLAXIS, MARROW = "ecg-after", "amylase-lipase", "prophylaxis", "marrow"
VITAL_SIGNS, BROKEN_OFF = "vital-signs", "broken-off"
CYTOREDUCTION, MONITORING_ENDS, TRANSPLANT = "cytoreduction-review", "monitoring-ends", "transplant-question"
REACTION, IMPLAUSIBLE, UNREADABLE, LATE_VALUE = "reaction", "implausible", "unreadable", "late-value"
AGAIN, FIRST_DOSE = "again", "first-dose"
"""How the key of an obligation begins, by what it asks for."""
FURTHER_UNREADABLE = f"{UNREADABLE}-further"
"""The one obligation of all messages beyond those that call for themselves."""


def key_of(family: str, name: str) -> str:
    """The key of one thing of a family: by a hash of its name, for a name from outside may be long, and may tell."""
    return f"{family}-{short_hash(name)}"


def obligation(
    case: Case, key: str, title: str, rule: str, owner: Role, due_at: datetime, overdue_at: datetime, clears: str
) -> Obligation:
    """Due at `now >= due_at`, overdue at `now > overdue_at`; the next of the two is when time alone changes it."""
    due, overdue = case.reading.reached(due_at), case.reading.passed(overdue_at)
    changes = [at for at in (due_at, overdue_at + STRICTLY_AFTER) if case.reading.is_ahead(at)]
    return Obligation(
        key=key,
        title=title,
        rule=rule,
        owner=owner,
        due_at=due_at,
        overdue_at=overdue_at,
        standing="overdue" if overdue else "due" if due else "coming",
        next_change_at=min(changes, default=None),
        clears=clears,
    )
