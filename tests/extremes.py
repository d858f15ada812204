"""Messages of every kind at the limits of what may be said, made from the models themselves.

A field that is added later is filled without anybody thinking of it. Each value has a label that says which limit of
which field it stands at, so that a search can count which were tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from random import Random
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen
from pydantic import AwareDatetime, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from models import bounds
from models.base import plain
from models.bounds import AMOUNT, EXCEPTIONS, YEARS
from models.people import Actor

TINY = Decimal("0.000001")
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Limit:
    """A value at, or just beyond, a limit of its field; `label` says which."""

    label: str
    value: Any


def flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    """All that is said about a type, however it is written down."""
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from flat(tuple(item.metadata))
        elif isinstance(item, StringConstraints):
            yield from (MaxLen(item.max_length),) if item.max_length is not None else ()
        else:
            yield item


def without_notes(annotation: Any, notes: tuple[Any, ...] = ()) -> tuple[Any, tuple[Any, ...]]:
    """A type and all that is said about it, with `None` taken out."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return without_notes(inner, (*notes, *more))
    if get_origin(annotation) in (Union, UnionType):
        members = [a for a in get_args(annotation) if a is not NoneType]
        if len(members) == 1:
            return without_notes(members[0], notes)
    return annotation, tuple(flat(notes))


def type_of(info: FieldInfo) -> tuple[Any, tuple[Any, ...]]:
    """The type of a field and all that is said about it."""
    return without_notes(info.annotation, tuple(info.metadata))


def members(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models that may stand here, in order; none where it is no model."""
    inner, _ = without_notes(annotation)
    if get_origin(inner) in (Union, UnionType):
        return tuple(m for a in get_args(inner) for m in members(a))
    return (inner,) if isinstance(inner, type) and issubclass(inner, BaseModel) and inner is not Actor else ()


def limits(name: str, annotation: Any, notes: tuple[Any, ...]) -> tuple[list[Limit], list[Limit]]:
    """What stands just inside the bounds of a field, and what just outside them; both empty where all is allowed."""
    if annotation is str:
        return _texts(name, notes)
    if annotation is Decimal:
        return _numbers(name)
    if annotation is int:
        return _counts(name, notes)
    if annotation is AwareDatetime:
        return _instants(name)
    return _days(name) if annotation is date else ([], [])


def _texts(name: str, notes: tuple[Any, ...]) -> tuple[list[Limit], list[Limit]]:
    most = min([n.max_length for n in notes if isinstance(n, MaxLen)] + [bounds.LONGEST_TEXT])
    if name in bounds.MADE_ELSEWHERE:
        inside = [Limit("long", "i" * bounds.LONGEST_ID), Limit("hashed", "i" * bounds.LONGEST_ID_SENT)]
        return [*inside, Limit("two lines", "bag\n1")], [Limit("too long", "i" * (bounds.LONGEST_ID_SENT + 1))]
    if name in bounds.OWN_IDS:
        most = min(most, bounds.LONGEST_ID)
        outside = [Limit("too long", "i" * (most + 1)), Limit("two lines", "i\n1")]
        return [Limit("long", "i" * most), Limit("short", "i")], outside
    inside = [Limit("long", "\N{GRINNING FACE}" * most), Limit("short", "w"), Limit("lines", "one\ntwo\tthree")]
    return inside, [Limit("too long", "w" * (most + 1)), Limit("a control character", "w\x1b[2K")]


def _numbers(name: str) -> tuple[list[Limit], list[Limit]]:
    bound = EXCEPTIONS.get(name, AMOUNT)
    if abs(bound.most) > 10**18:  # a result: what the type itself takes
        largest = Decimal(10) ** 18
        inside = [Limit("least", -largest), Limit("most", largest), Limit("tiny", Decimal("1E-18"))]
        return [*inside, Limit("digits", Decimal("0." + "1" * 40))], []
    inside = [Limit("least", bound.least), Limit("most", bound.most), Limit("tiny", max(bound.least, TINY))]
    outside = [bound.least - TINY, bound.most + TINY, Decimal("-1E15"), Decimal("1E15"), TINY / 10]
    return [*inside, Limit("digits", Decimal("1." + "1" * 39))], [Limit(f"{n:E}", n) for n in outside]


def _counts(name: str, notes: tuple[Any, ...]) -> tuple[list[Limit], list[Limit]]:
    bound = EXCEPTIONS.get(name, bounds.COUNT)
    least = max([n.ge for n in notes if isinstance(n, Ge)] + [bound.least])
    most = min([n.le for n in notes if isinstance(n, Le)] + [bound.most])
    return [Limit("least", least), Limit("most", most)], [Limit("below", least - 1), Limit("above", most + 1)]


def _instants(name: str) -> tuple[list[Limit], list[Limit]]:
    bound = EXCEPTIONS.get(name, YEARS)
    first = datetime(bound.least, 1, 1, tzinfo=UTC)
    last = datetime(bound.most, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    # A time that no laboratory can have written makes its one result unusable and is kept as words.
    outside = [] if name in EXCEPTIONS else [Limit("before", first - SECOND), Limit("after", last + SECOND)]
    return [Limit("first", first), Limit("last", last)], outside


def _days(name: str) -> tuple[list[Limit], list[Limit]]:
    first, last = date(YEARS.least, 1, 1), date(YEARS.most, 12, 31)
    day = timedelta(days=1)
    return [Limit("first", first), Limit("last", last)], [Limit("before", first - day), Limit("after", last + day)]


@dataclass
class Speaker:
    """Says messages: each field usual or at one of its limits, as chance has it; remembers which limits it used.

    `known` are ids that the chart knows, for fields that name one; `now` is about when it speaks.
    """

    rng: Random
    now: datetime
    known: dict[str, list[str]] = field(default_factory=dict)
    extreme: float = 0.3
    used: set[str] = field(default_factory=set)

    def says(self, kind: type[BaseModel], **given: Any) -> dict[str, Any]:
        """The content of one message of this kind, as parsed JSON; what is given stands as it is."""
        found = {n: self._field(n, info) for n, info in kind.model_fields.items() if n not in given}
        return {**{n: v for n, v in found.items() if v is not None}, **given}

    def _field(self, name: str, info: FieldInfo) -> Any:
        if name == "kind":
            return info.default
        if not info.is_required() and self.rng.random() < 0.35:
            return None
        annotation, notes = type_of(info)
        return None if annotation is Actor else self._value(name, annotation, notes)  # who speaks is given

    def _value(self, name: str, annotation: Any, notes: tuple[Any, ...]) -> Any:
        if get_origin(annotation) is tuple:
            inner, more = without_notes(get_args(annotation)[0])
            return [self._value(name, inner, more) for _ in range(self._how_many(name, notes))]
        if models := members(annotation):
            return self.says(self.rng.choice(models))
        if get_origin(annotation) is Literal:
            return self.rng.choice(get_args(annotation))
        if annotation is bool:
            return self.rng.random() < 0.5
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return self.rng.choice(list(annotation)).value
        inside, _ = limits(name, annotation, notes)
        if self.rng.random() < self.extreme:
            chosen = self.rng.choice(inside)
            self.used.add(f"{name}: {chosen.label}")
            return _as_json(chosen.value)
        return _as_json(self._usual(name, annotation, inside))

    def _how_many(self, name: str, notes: tuple[Any, ...]) -> int:
        most = min([n.max_length for n in notes if isinstance(n, MaxLen)] + [bounds.LONGEST_LIST])
        if self.rng.random() < 0.004:
            self.used.add(f"{name}: longest list")
            return most
        return self.rng.choice((1, 1, 1, 2, 3))

    def _usual(self, name: str, annotation: Any, inside: list[Limit]) -> Any:
        if annotation is str:
            return self.rng.choice([*self.known.get(name, ()), *self.known.get(name, ()), "one", "two", "alt"])
        if annotation is Decimal:
            return self.rng.choice(("0", "0.5", "0.91", "1.2", "3.4", "37.0", "50", "70", "170", "420", "900"))
        if annotation is int:
            return self.rng.choice([limit.value for limit in inside] + [1, 1, 1, 2])
        days, seconds = self.rng.choice((-400, -60, -22, -8, -7, -1, 0, 0, 0, 1, 30)), self.rng.randrange(-7200, 1)
        at = self.now + timedelta(days=days, seconds=seconds)
        return at.date() if annotation is date else at


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return plain(value) if isinstance(value, Decimal) else value


Way = tuple[tuple[str, type[BaseModel]], ...]
"""The fields that lead to a value, each with the model that stands in it."""


@dataclass(frozen=True)
class Leaf:
    """A text, number, time or list of a message: the way to it, its name and type, and what is said about it."""

    way: Way
    name: str
    annotation: Any
    notes: tuple[Any, ...]
    in_a_list: bool = False

    def __str__(self) -> str:
        models = [model.__name__ for _, model in self.way]
        return ".".join([*models, self.name, *(["list"] if self.annotation is tuple else [])])


def leaves(kind: type[BaseModel], way: Way = ()) -> Iterator[Leaf]:
    """Every text, number, time and list of a kind of message; inner models walked through."""
    for name, info in kind.model_fields.items():
        annotation, notes = type_of(info)
        in_a_list = get_origin(annotation) is tuple
        if in_a_list:
            yield Leaf(way, name, tuple, notes)
            annotation, notes = without_notes(get_args(annotation)[0])
        inner = members(annotation)
        for model in inner:
            yield from leaves(model, (*way, (name, model)))
        if not inner and annotation in (str, int, Decimal, date, AwareDatetime):
            yield Leaf(way, name, annotation, notes, in_a_list)


def with_one(kind: type[BaseModel], leaf: Leaf, value: Any, speaker: Speaker | None = None) -> dict[str, Any]:
    """A content of this kind, usual unless another speaker says it, in which this leaf has this value."""
    said = (speaker or Speaker(Random(0), datetime(2026, 3, 2, 8, tzinfo=UTC), extreme=0)).says(kind)
    if leaf.way:
        (name, model), *further = leaf.way
        inner = with_one(model, replace(leaf, way=tuple(further)), value, speaker)
        is_list = get_origin(type_of(kind.model_fields[name])[0]) is tuple
        return {**said, name: [inner] if is_list else inner}
    return {**said, leaf.name: [_as_json(value)] if leaf.in_a_list else _as_json(value)}
