"""The card of a course whose rules cannot be evaluated: unknown means hold (RULES-01)."""

from datetime import datetime, timedelta
from typing import Final

from models.assessment import Assessment, CourseState, Finding, Obligation, Verdict
from models.facts import Fact, RungFired
from models.obligation_kinds import ObligationKind
from models.people import CLOCK, Role

RULES_KEY: Final = ObligationKind.RULES.key()
RULES_WORDS: Final = "rules could not be evaluated"
CLEARS: Final = "the service mended"
OVERDUE_AFTER: Final = timedelta(hours=1)


def held_without_rules(
    due: tuple[Obligation, ...], cycle: int, protocol: str, now: datetime, since: datetime, where: str
) -> Assessment:
    """What was due stays due, no dose may be given, an administrator is called; `where` says what failed, no value."""
    called = Obligation(
        kind=ObligationKind.RULES,
        key=RULES_KEY,
        title=RULES_WORDS,
        rule="RULES-01",
        owner=Role.ADMINISTRATOR,
        due_at=since,
        overdue_at=since + OVERDUE_AFTER,
        standing="due",
        clears=CLEARS,
    )
    known = (*(o for o in due if o.key != RULES_KEY), called)
    reason = f"{RULES_WORDS}: {where}" if where else RULES_WORDS
    return Assessment(
        state=CourseState.HELD,
        verdict=Verdict.HOLD,
        as_of=now,
        valid_until=None,
        cycle=cycle,
        protocol=protocol,
        findings=(Finding(rule="RULES-01", verdict=Verdict.HOLD, reason=reason, clears=CLEARS),),
        obligations=tuple(o.as_of(now) for o in known),
        owner=Role.ADMINISTRATOR,
        next_action="mend the service: its log says what failed",
    )


def call_of(since: datetime, now: datetime) -> Fact:
    """The rung of the call to the administrator, once for each time that the rules fail."""
    what = RungFired(obligation=RULES_KEY, obligation_kind=ObligationKind.RULES, rung="due", due_at=since)
    fact_id = f"clock/{RULES_KEY}/{since:%Y-%m-%dT%H:%M:%S.%fZ}"
    return Fact(id=fact_id, by=CLOCK, at=since, recorded_at=now, what=what)
