"""One usable result, or why there is none: the values that rules compare (LAB-04 … LAB-06, LAB-11)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from itertools import groupby, takewhile

from clinical.chart.versions import minute_of
from clinical.coding.codes import NEUTROPHILS_BY_PARTS
from clinical.coding.units import FACTORS, label, times
from models.assessment import Input
from models.base import plain
from models.facts import Fact

SHOWN_TO_A_TENTH = frozenset({"qtcf", "qtcb"})
"""Computed from a cube root: kept to many digits, shown to a tenth of a millisecond."""


NO_MORE = ", can be used no more"
"""What a card says of a value that was withdrawn or replaced by something unusable."""


@dataclass(frozen=True)
class Known:
    """A usable result. `low` and `high` bound the true value (equal without a comparator) in the reported unit."""

    analyte: str
    fact: str
    value: Decimal
    unit: str
    collected_at: datetime
    uln: Decimal | None
    lln: Decimal | None
    comparator: str | None = None
    loinc: str = ""
    recorded_at: datetime | None = None
    """When it became known; of what was read of a laboratory's result."""
    gone: bool = False
    """Usable once, and not any more: what it raised against a dose stands (E1, M.0)."""

    @cached_property
    def minute(self) -> datetime:
        """The minute in which it was drawn: values of one are twins (LAB-11)."""
        return minute_of(self.collected_at)

    def above(self, limit: Decimal) -> bool | None:
        """Whether the value is `> limit` (in the reported unit); `None` where a comparator leaves it open."""
        if self.comparator in (None, "="):
            return self.value > limit
        if self.comparator in ("<", "<="):
            return False if self.value <= limit else None
        return True if self.value > limit or (self.value == limit and self.comparator == ">") else None

    def below(self, limit: Decimal) -> bool | None:
        """Whether the value is `< limit` (in the reported unit); `None` where a comparator leaves it open."""
        if self.comparator in (None, "="):
            return self.value < limit
        if self.comparator in (">", ">="):
            return False if self.value >= limit else None
        return True if self.value < limit or (self.value == limit and self.comparator == "<") else None

    def above_uln(self, multiple: Decimal) -> bool | None:
        """Whether the value is `> multiple x ULN` of its own laboratory."""
        return None if self.uln is None else self.above(times(multiple, self.uln))

    @cached_property
    def canonical(self) -> Decimal:
        """The value in the canonical unit of its analyte."""
        return FACTORS[self.analyte, self.unit].to_canonical(self.value)

    def in_unit(self, limit: Decimal) -> Decimal:
        """A limit given in the canonical unit, in the unit of this result."""
        return FACTORS[self.analyte, self.unit].from_canonical(limit)

    @property
    def is_exact(self) -> bool:
        """The value itself, not a bound of it."""
        return self.comparator in (None, "", "=")

    @property
    def said(self) -> str:
        """Value and unit as a clinician reads them."""
        tenth = self.analyte in SHOWN_TO_A_TENTH and self.unit == "ms"
        value = plain(round(self.value, 1)) if tenth and self.value != round(self.value) else plain(self.value)
        return f"{self.comparator or ''}{value} {self.unit}"

    def shown(self) -> Input:
        """The value as a clinician reads it, with ULN and time."""
        uln = f" (ULN {plain(self.uln)})" if self.uln is not None else ""
        value = f"{self.said}{uln}{NO_MORE if self.gone else ''}"
        return Input(name=label(self.analyte), value=value, taken_at=self.collected_at, fact=self.fact)


@dataclass(frozen=True)
class Unknown:
    """An analyte that cannot be used: by which rule, why in words, and the fact that made it so.

    `high`: its value is implausibly high (LAB-06), `urgent` where that calls a physician at once. `against`: a value that
    counts against a dose all the same: an implausibly low one, one whose time lies in the future, or one that is only
    `doubted` beside others (PLAU-01). `stands`: no later draw settles it, only a person or what it belongs to (LAB-09).
    """

    analyte: str
    rule: str
    why: str
    fact: str
    since: datetime
    urgent: bool = False
    confirmable: bool = False
    high: bool = False
    against: Known | None = None
    stands: bool = False
    doubted: bool = False

    @property
    def by_a_person(self) -> str:
        """How somebody settles a result of which nobody can tell what it is (LAB-12, LAB-13)."""
        return f"a named person says what it is, or dismisses it (resolve_unreadable of {self.fact})"

    @property
    def clears(self) -> str:
        """What makes this analyte known again."""
        if self.stands:
            return "a named person dismisses it (resolve_unreadable), or the result that it withdraws comes"
        if self.rule in ("LAB-12", "LAB-13"):
            return f"{self.by_a_person}, or a usable {label(self.analyte)} of a later draw"
        confirmed = f"a clinician confirms it (result_confirmed of {self.fact}), or " if self.confirmable else ""
        return f"{confirmed}a usable {label(self.analyte)} of a later draw, or a correction"

    def shown(self) -> Input:
        """The unusable result beside what it leaves in force."""
        why = self.why.removeprefix(f"{label(self.analyte)}: ")
        return Input(name=label(self.analyte), value=f"cannot be used: {why}", taken_at=self.since, fact=self.fact)


Read = Sequence[tuple[Fact, Known | Unknown]]
"""The results of one analyte as they arrived, each with what can be made of it."""


@dataclass(frozen=True)
class Opening:
    """What may speak for a dose: the usable values that stand (more than one are twins, and each must allow), or why none.

    With neither values nor `unknown` the analyte is missing: nobody ever sent it.
    """

    values: tuple[Known, ...] = ()
    unknown: Unknown | None = None

    @property
    def last_at(self) -> datetime | None:
        """When the newest of it was drawn, usable or not."""
        if self.unknown is not None:
            return self.unknown.since
        return max((k.collected_at for k in self.values), default=None)


MISSING = Opening()


def recorded_at(known: Known) -> datetime:
    """When a result of a laboratory became known."""
    assert known.recorded_at is not None
    return known.recorded_at


def drawn_at(known: Known) -> datetime:
    """When a result was drawn: for sorting."""
    return known.collected_at


def _minute(known: Known) -> datetime:
    return known.minute


def _arrived(known: Known) -> datetime:
    return known.recorded_at or known.collected_at


def twins_at_the_end(history: Sequence[Known]) -> tuple[Known, ...]:
    """The usable results of the last minute (LAB-11), each value once; a lower bound only where nothing else is there."""
    if not history:
        return ()
    minute = history[-1].minute
    twins = list(takewhile(lambda k: k.minute == minute, reversed(history)))
    if len(twins) > 1:
        twins = sorted([k for k in twins if k.loinc not in NEUTROPHILS_BY_PARTS] or twins, key=_arrived)
        twins = list({(k.canonical, k.comparator, k.uln, k.lln, k.unit): k for k in reversed(twins)}.values())
    return tuple(reversed(twins))


def by_minute(history: Iterable[Known]) -> Iterator[tuple[Known, ...]]:
    """Results, oldest first, those of one minute together (LAB-11)."""
    for _, found in groupby(history, key=_minute):
        twins = tuple(found)
        yield twins_at_the_end(twins) if len(twins) > 1 else twins


def and_beside(one: Known, values: Sequence[Known]) -> str:
    """The other values that stand beside this one, as a card says them: twins, or what an unusable result left in force."""
    others = dict.fromkeys(k.said for k in values if k.fact != one.fact)
    return f"{NO_MORE if one.gone else ''} (beside it {', '.join(others)})" if others else NO_MORE if one.gone else ""
