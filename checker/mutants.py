"""Planted bugs: the shipped rules made a little less safe, one at a time or two at once, to see that the search notices.

A mutant changes numbers of the protocol or puts another function in the place of a rule, in this process only. A search
that does not break an invariant under it has not noticed: the mutant has survived, and the check fails.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from checker.search import Scope
from models.protocol import Entry, Protocol

Planted = Callable[[Any], Any]
"""From a rule to what is put in its place."""

D1, D8, C2 = "C1D1", "C1D8", "C2D1"


@dataclass(frozen=True)
class Mutant:
    """One planted bug. `numbers` are protocol entries by path, `rules` functions by name, or by class or file and name."""

    name: str
    clauses: tuple[str, ...]
    words: str
    scope: Scope
    numbers: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Planted] = field(default_factory=dict)

    def protocol(self, protocol: Protocol) -> Protocol:
        """The protocol with this mutant's numbers."""
        for path, value in self.numbers.items():
            protocol = _changed(protocol, path.split("."), Decimal(value))
        return protocol

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The rules with this mutant's functions, wherever they are known by name."""
        undone: list[tuple[Any, Any, Any]] = []
        try:
            for where, plant in self.rules.items():
                undone += _put_in_place(where, plant)
            yield
        finally:
            for holder, name, original in reversed(undone):
                _put(holder, name, original)


def both(one: Mutant, other: Mutant, scope: Scope | None = None) -> Mutant:
    """Two planted bugs at once."""
    return Mutant(
        f"{one.name} + {other.name}",
        tuple(dict.fromkeys((*one.clauses, *other.clauses))),
        f"{one.words} And: {other.words}",
        scope or one.scope,
        {**one.numbers, **other.numbers},
        {**one.rules, **other.rules},
    )


def _changed(value: Any, path: list[str], number: Decimal) -> Any:
    if isinstance(value, Entry):
        return Entry.model_validate({**value.model_dump(), "value": number})
    name, *rest = path
    if isinstance(value, dict):
        return {**value, name: _changed(value[name], rest, number)}
    return value.model_copy(update={name: _changed(getattr(value, name), rest, number)})


def _rooms() -> list[Any]:
    """Every file of the rules. A folder holds no rule: only the names of its files, which may be those of rules."""
    of_rules = [module for name, module in sorted(sys.modules.items()) if name.startswith("clinical.")]
    return [module for module in of_rules if not hasattr(module, "__path__")]


def _owner_of(path: str) -> tuple[Any, str]:
    """Where a rule lives: the module, or the class, that defines it. Raises `LookupError` for one that is not there."""
    *inner, name = path.split(".")
    for room in _rooms():
        in_room = inner and room.__name__.rpartition(".")[2] == inner[0]
        owner = room if in_room or not inner else getattr(room, inner[0], None)
        if owner is not None and name in vars(owner) and _at_home(vars(room)[name] if owner is room else owner, room):
            return owner, name
    raise LookupError(f"no rule is named {path}")


def _at_home(what: Any, room: Any) -> bool:
    return bool(getattr(what, "__module__", room.__name__) == room.__name__)


def _put_in_place(where: str, plant: Planted) -> Iterator[tuple[Any, Any, Any]]:
    """Replace a rule where it lives, wherever else it was imported, and in every table that lists it."""
    owner, name = _owner_of(where)
    original = vars(owner)[name]
    planted = plant(original)
    _put(owner, name, planted)
    yield owner, name, original
    if isinstance(original, int):  # other names of the same small number are other numbers
        return
    for room in _rooms():
        for known, value in list(vars(room).items()):
            if value is original:
                _put(room, known, planted)
                yield room, known, original
            if isinstance(value, dict) and not known.startswith("__"):
                for key in [k for k, listed in value.items() if listed is original]:
                    _put(value, key, planted)
                    yield value, key, original


def _put(holder: Any, name: Any, value: Any) -> None:
    if isinstance(holder, dict):
        holder[name] = value
    else:
        setattr(holder, name, value)
