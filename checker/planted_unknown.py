"""Planted bugs of knowing less: one for each way in which a gate has opened because somebody knew less (M.0)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from checker.mutants import Mutant
from checker.search import Scope


def _beside(*named: str) -> Scope:
    """Beside the usual path, only the stories that are named."""
    return Scope("planted, what says nothing", {}, asides=4, named=named)


def _nothing_below_the_unknown(original: Any) -> Any:
    """A rule skips an analyte whose newest result cannot be used."""

    def holding(self: Any, analyte: str) -> Any:
        return () if self.opening(analyte).unknown is not None else original(self, analyte)

    return holding


def _says_nothing(_: Any) -> Any:
    def silent(*_args: Any) -> Iterator[Any]:
        return iter(())

    return silent


def _by_arrival(_: Any) -> Any:
    """Whatever a version says of itself, the one that came last stands."""
    return lambda one, other: one.arrived > other.arrived


def _last_of_twins(original: Any) -> Any:
    """Of the values of one minute the one that came last counts."""

    def last(history: Any) -> Any:
        return tuple(sorted(original(history), key=lambda known: known.recorded_at)[-1:])

    return last


def _forgotten(_: Any) -> Any:
    """An entry that could not be taken speaks of nothing."""
    from clinical.coding.meaning import Meaning

    return lambda _result: Meaning(frozenset())


def _not_kept(original: Any) -> Any:
    """What was reached once is not remembered."""
    return lambda case: replace(original(case), reached=(), opened_at=None)


def _before_day_1(original: Any) -> Any:
    def asked(case: Any) -> Iterator[Any]:
        slot = case.slot
        return original(case) if slot is not None and slot.day == 1 else iter(())

    return asked


UNKNOWN: tuple[Mutant, ...] = (
    Mutant(
        "unknown is skipped",
        ("LAB-10",),
        "A hold falls when the newest result cannot be used.",
        _beside("preliminary", "cancelled"),
        rules={"Results.holding": _nothing_below_the_unknown},
    ),
    Mutant(
        "unknown is not asked",
        ("LAB-10",),
        "What no dose asks for may be unknown.",
        _beside("preliminary"),
        rules={"unusable_results": _says_nothing},
    ),
    Mutant(
        "late is new",
        ("LAB-09",),
        "An older version that comes late stands.",
        _beside("older version"),
        rules={"versions._is_later": _by_arrival, "versions._counted": lambda _: lambda _versions: False},
    ),
    Mutant(
        "last of twins",
        ("LAB-11",),
        "Of two values of one minute the later arrival counts.",
        _beside("elsewhere"),
        rules={"twins_at_the_end": _last_of_twins},
    ),
    Mutant(
        "refused entry forgotten",
        ("LAB-12", "LAB-13"),
        "What could not be taken closes nothing.",
        _beside("local code", "unknown code"),
        rules={"_uncertain": _forgotten},
    ),
    Mutant(
        "suspicion not kept",
        ("VOD-13",),
        "A suspicion of VOD ends when its signs do.",
        _beside("VOD"),
        rules={"suspicion.kept": _not_kept},
    ),
    Mutant(
        "pregnancy at day 1 only",
        ("MON-11a",),
        "A positive pregnancy test holds no day 8 and no day 15.",
        _beside("pregnant"),
        rules={"pregnancy": _before_day_1},
    ),
)
"""One at least for each of: the unusable newest, versions, twins, refused entries, suspicion, pregnancy."""
