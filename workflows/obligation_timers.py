"""One named Temporal timer per obligation, and one for the end of a verdict's validity; re-armed only when it moved."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.assessment import Assessment, Obligation

SHORTEST = timedelta(seconds=1)
VALIDITY = "validity"
RETRY = "rules-retry"
MOST = 100
"""No assessment keeps more timers than this; the first of them asks for the next look."""


@dataclass
class _Armed:
    fires_at: datetime
    task: asyncio.Task[None]


class ObligationTimers:
    """The timers of one run. A timer never gives or releases a dose; `on_fire` is told whose time has come."""

    def __init__(self, on_fire: Callable[[str], None]) -> None:
        self._on_fire = on_fire
        self._armed: dict[str, _Armed] = {}

    def arm(self, assessment: Assessment) -> None:
        """Arm what the assessment asks for and drop what it no longer does."""
        self._arm(_wanted(assessment))

    def arm_known(self, due: Iterable[Obligation]) -> None:
        """While the rules fail nobody works out what changes next: each obligation is armed for its own next instant."""
        self._arm(_known_instants(due, workflow.now()))

    def _arm(self, wanted: dict[str, tuple[datetime, str]]) -> None:
        """In the order of the keys, for the replay."""
        for key in sorted(self._armed):
            if key != RETRY and (key not in wanted or wanted[key][0] != self._armed[key].fires_at):
                self._armed.pop(key).task.cancel()
        for key in sorted(wanted):
            if key not in self._armed:
                self._start(key, *wanted[key])

    def retry_rules_at(self, instant: datetime) -> bool:
        """Ask for a decision again after the rules could not be evaluated; the other timers stay. Says whether it was armed."""
        if RETRY in self._armed:
            return False
        self._start(RETRY, instant, "rules could not be evaluated – try again")
        return True

    def drop_retry(self) -> None:
        """The rules can be evaluated again."""
        if RETRY in self._armed:
            self._armed.pop(RETRY).task.cancel()

    def stop(self) -> None:
        """Cancel every timer, before the run ends."""
        for key in sorted(self._armed):
            self._armed[key].task.cancel()
        self._armed.clear()

    def _start(self, key: str, fires_at: datetime, summary: str) -> None:
        task = asyncio.create_task(self._sleep(key, fires_at, summary))
        self._armed[key] = _Armed(fires_at, task)

    async def _sleep(self, key: str, fires_at: datetime, summary: str) -> None:
        await workflow.sleep(max(fires_at - workflow.now(), SHORTEST), summary=summary)
        self._armed.pop(key, None)
        self._on_fire(key)


def _wanted(assessment: Assessment) -> dict[str, tuple[datetime, str]]:
    wanted = _first(
        {o.key: (o.next_change_at, _summary(o)) for o in assessment.obligations if o.next_change_at is not None}
    )
    until = assessment.valid_until
    if until is not None and until not in {instant for instant, _ in wanted.values()}:
        wanted[VALIDITY] = (until, f"time to look again ({assessment.verdict} until then)")
    return wanted


def _known_instants(due: Iterable[Obligation], now: datetime) -> dict[str, tuple[datetime, str]]:
    wanted = {}
    for o in due:
        later = [instant for instant in (o.due_at, o.overdue_at + SHORTEST) if instant > now]
        if later:
            wanted[o.key] = (min(later), _summary(o))
    return _first(wanted)


def _first(wanted: dict[str, tuple[datetime, str]]) -> dict[str, tuple[datetime, str]]:
    return dict(sorted(wanted.items(), key=lambda one: (one[1][0], one[0]))[:MOST])


def _summary(obligation: Obligation) -> str:
    """What happens when the timer fires. An administrator also reads it on a bar that ended early, with all done."""
    rung = "due" if obligation.standing == "coming" else "overdue unless done"
    return f"{obligation.title} – {rung} ({obligation.owner})"
