"""Why: for each command that may not be given, what stands in the way, what would open it, and when at the earliest."""

from datetime import datetime

from clinical.assess import assess, assess_case
from clinical.case import Case
from clinical.commands import Standing, gate
from models.assessment import Assessment, Finding, Refused
from models.base import Frozen, Instant
from models.chart import Chart
from models.messages import COMMANDS
from models.protocol import Protocol

MOST_STEPS = 64
"""How many changes by time alone are looked at before an answer is given up: each is one assessment."""

SECOND_WORDS = frozenset({"override", "countersign"})
"""They open when something worse is found; that is no news."""


class Blocked(Frozen):
    """One command that may not be given: why, what must change for each finding, and what time alone would do.

    `earliest_at` is the first instant that its findings allow; `opens_by_itself_at` the instant at which it opens
    without anybody doing anything (`None`: somebody must act).
    """

    command: str
    refusal: str
    why: str
    needs: tuple[Finding, ...] = ()
    earliest_at: Instant | None = None
    opens_by_itself_at: Instant | None = None


class Explanation(Frozen):
    """The decision card, the commands that may be given, and for each of the others the whole answer."""

    assessment: Assessment
    may: tuple[str, ...]
    blocked: tuple[Blocked, ...]


def explain(chart: Chart, protocol: Protocol, now: datetime) -> Explanation:
    """The assessment at `now` with, for every command that may not happen, why, what would open it and when."""
    case = Case(chart, protocol, now)
    card = assess_case(case)
    standing = Standing.of(case, card)
    answers = {name: gate(name, standing) for name in COMMANDS}
    waiting = {name for name, refusal in answers.items() if refusal is not None and refusal.findings}
    by_itself = _opened_by_time(chart, protocol, card.valid_until, waiting - SECOND_WORDS)
    blocked = tuple(_blocked(name, r, by_itself.get(name)) for name, r in answers.items() if r is not None)
    may = tuple(name for name, refusal in answers.items() if refusal is None)
    return Explanation(assessment=card, may=may, blocked=blocked)


def _blocked(command: str, refusal: Refused, by_itself: datetime | None) -> Blocked:
    instants = [f.earliest_at for f in refusal.findings if f.earliest_at is not None]
    return Blocked(
        command=command,
        refusal=refusal.type,
        why=refusal.message,
        needs=tuple(f for f in refusal.findings if f.clears is not None),
        earliest_at=max(instants, default=refusal.earliest_at),  # all of them must have cleared
        opens_by_itself_at=by_itself,
    )


def _opened_by_time(chart: Chart, protocol: Protocol, at: datetime | None, shut: set[str]) -> dict[str, datetime]:
    """When each shut command opens while nobody acts: every instant at which time alone changes something is looked at."""
    opened: dict[str, datetime] = {}
    for _ in range(MOST_STEPS):
        if at is None or len(opened) == len(shut):
            break
        card = assess(chart, protocol, at)
        may = {answer.command for answer in card.commands if answer.may}
        opened |= dict.fromkeys((shut & may) - opened.keys(), at)
        at = card.valid_until
    return opened
