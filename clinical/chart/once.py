"""A question that many rules ask of one case is answered once, and its answer is kept with what it rests on.

An answer rests on the kinds of fact that it read and on the instants that it compared with now. It is given again for as
long as both still say the same: at another time between the nearest of these instants, and of a longer chart whose
further facts are of other kinds (`told`). So what time or a new fact cannot have changed is not worked out anew.

Only for functions of a case and small values. An answer holds no case, for a case is of one instant; and it can never be
changed (tuples, frozen values), for it is given to every longer chart that it still holds for.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from clinical.chart.stores import Store

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

ALWAYS, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
"""The smallest difference of two instants: what holds at `now > instant` holds from one of these later on."""


class Basis:
    """What an answer rests on: marks of the facts read, the time for which it holds, and the change to come that it met.

    It holds at `since <= now < until`. `change` is the first instant at which time alone could change what was read.
    """

    __slots__ = ("answer", "change", "marks", "since", "until")

    def __init__(self, change: datetime = NEVER) -> None:
        self.marks = 0
        self.since, self.until, self.change = ALWAYS, NEVER, change
        self.answer: Any = None


class Remembers(Protocol):
    """Keeps answers: at one instant, those of the chart that is read."""

    instant: datetime
    basis: Basis
    answers: Store[object, Basis]


class Asks(Protocol):
    """What is asked: something that reads a chart."""

    @property
    def reading(self) -> Remembers: ...


Of = TypeVar("Of", bound=Asks)


def once(ask: Callable[Concatenate[Of, Asked], Answer]) -> Callable[Concatenate[Of, Asked], Answer]:
    """Ask this once for each set of further arguments, and again only when what the answer rests on has changed."""

    @wraps(ask)
    def remembered(of: Any, *args: Any) -> Any:
        reading = of.reading
        key = (ask, args) if args else ask
        known, asking = reading.answers.get(key), reading.basis
        if known is None or not known.since <= reading.instant < known.until:
            known = reading.basis = Basis()
            try:
                known.answer = ask(of, *args)  # type: ignore[call-arg]
            finally:
                reading.basis = asking
            reading.answers[key] = known
        # What the answer rests on, the question that is being answered rests on, too. Written out: it is done most often.
        asking.marks |= known.marks
        if known.since > asking.since:
            asking.since = known.since
        if known.until < asking.until:
            asking.until = known.until
        if known.change < asking.change:
            asking.change = known.change
        return known.answer

    return cast("Callable[Concatenate[Of, Asked], Answer]", remembered)


@once
def all_of(case: Of, rule: Callable[..., Iterable[Answer]], *args: object) -> tuple[Answer, ...]:
    """All that a rule has to say of a case, asked once."""
    return tuple(rule(case, *args))
