"""A ward in small: drives the shipped `decide` and `judge` the way the workflow drives them, one decision at a time.

A run of the workflow is one cycle or liver monitoring; when a decision asks for another one, the next run begins and
decides again. A message is judged by the shipped rules; a repeated id is answered from what was answered first.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from clinical.course.case import Case
from clinical.decide import decide
from clinical.judge import judge_standing
from clinical.rulings.commands import Standing
from models.assessment import Accepted, Assessment, Refused
from models.carried import DecideRequest, Decision
from models.chart import Chart
from models.facts import Fact, UnreadableMessage
from models.messages import Message
from models.phase import CYCLE, ENDED, MONITORING, Phase
from models.protocol import Protocol

SHORTEST = timedelta(seconds=1)
LONGEST_CHAIN = 20
CODE_VERSION = "check"


class EndlessRuns(Exception):
    """Run after run begins at one instant: the course would never come to rest."""


@dataclass(frozen=True, eq=False)
class State:
    """A course at rest: all that fell due is said, and nothing happens until a message comes or a timer fires."""

    chart: Chart
    now: datetime
    run: Phase
    card: Assessment
    protocol: Protocol

    @cached_property
    def standing(self) -> Standing:
        """Where the course stands, as the rules need it to judge a message."""
        return Standing.of(Case(self.chart, self.protocol, self.now), self.card)

    @property
    def wakes_at(self) -> datetime | None:
        """When the first timer fires: the end of the verdict's validity, or a rung of an obligation."""
        instants = [o.next_change_at for o in self.card.obligations if o.next_change_at is not None]
        instants += [self.card.valid_until] if self.card.valid_until is not None else []
        return max(min(instants), self.now + SHORTEST) if instants else None

    @property
    def over(self) -> bool:
        """The course has ended: no run is under way."""
        return self.run.kind == ENDED


@dataclass(frozen=True)
class Step:
    """One decision: what the chart was, what came (nothing: a timer), what was ruled, what was charted, and the course
    after it. `after` is left out where the course is in a state that was looked at before. `previous` is the card that
    stood, `nothing` says that what came adds no usable value (M.0)."""

    before: Chart
    now: datetime
    protocol: str
    added: tuple[Fact, ...]
    after: State | None = None
    message: Message | None = None
    unreadable: UnreadableMessage | None = None
    ruling: Accepted | Refused | None = None
    previous: Assessment | None = None
    nothing: bool = False

    @property
    def by_the_clock(self) -> bool:
        """Nobody said anything: a timer asked."""
        return self.message is None and self.unreadable is None


def begin(chart: Chart, now: datetime, protocol: Protocol, run: Phase | None = None) -> State:
    """A course as its first run finds it."""
    return _at_rest(chart, now, run or Phase(kind=CYCLE, cycle=1), protocol)


def at(state: State, now: datetime) -> State:
    """The course as a decision at a later instant finds it, when no timer fires in between."""
    return _at_rest(state.chart, now, state.run, state.protocol)


def ruling_on(state: State, message: Message) -> Accepted | Refused:
    """The shipped ruling on one message in this state."""
    return judge_standing(state.standing, message)


def with_facts(state: State, facts: tuple[Fact, ...], unreadable: UnreadableMessage | None = None) -> State:
    """The course after a message was accepted with these facts, or one came that nobody can read."""
    chart = state.chart.with_facts(*facts) if facts else state.chart
    return _at_rest(chart, state.now, state.run, state.protocol, unreadable)


def _at_rest(
    chart: Chart, now: datetime, run: Phase, protocol: Protocol, unreadable: UnreadableMessage | None = None
) -> State:
    """Decide, and decide again in the next run where the decision asks for one, until the course rests in its run."""
    if run.kind == ENDED:  # something came after the end: a new monitoring run is started from the record
        run = Phase(kind=MONITORING, cycle=run.cycle)
    for _ in range(LONGEST_CHAIN):
        decision = _decide(chart, now, run, protocol, unreadable)
        chart, unreadable = chart.with_facts(*decision.facts) if decision.facts else chart, None
        if decision.phase in (run, Phase(kind=ENDED, cycle=decision.phase.cycle)):
            return State(chart, now, decision.phase, decision.assessment, protocol)
        run = decision.phase
    raise EndlessRuns(f"{LONGEST_CHAIN} runs at {now}")


def _decide(
    chart: Chart, now: datetime, run: Phase, protocol: Protocol, unreadable: UnreadableMessage | None
) -> Decision:
    request = DecideRequest.model_construct(
        chart=chart, now=now, monitoring=run.kind == MONITORING, message=None, unreadable=unreadable
    )
    return decide(request, protocol, CODE_VERSION)
