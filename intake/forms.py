"""What may be written into the fields of a message or fact, in words: for the command line's help and docs/chart.md."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from models.people import Actor

_PLAIN: dict[object, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    Decimal: "number",
    AwareDatetime: "time with zone",
    date: "date",
    Actor: "ROLE:ID",
}


class Field(NamedTuple):
    """One field: its name, what may stand in it, and whether it must be given."""

    name: str
    accepts: str
    required: bool


def fields_of(kind: type[BaseModel], without: frozenset[str] = frozenset({"kind"})) -> tuple[Field, ...]:
    """The fields of a kind of message or fact, the required ones first, otherwise in the order of the model."""
    fields = [
        Field(name, _accepts(_annotated(info)), info.is_required())
        for name, info in kind.model_fields.items()
        if name not in without
    ]
    return tuple(sorted(fields, key=lambda f: not f.required))


def kinds_of(union: object) -> dict[str, type[BaseModel]]:
    """The members of a union of kinds, by their `kind`."""
    return {str(member.model_fields["kind"].default): member for member in _members(union)}


def _annotated(info: FieldInfo) -> object:
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _accepts(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _ranged(_accepts(arguments[0]), arguments[1:])
    if origin is Literal:
        return _one_of([str(a) for a in arguments])
    if origin in (Union, UnionType):
        return _accepts_one_of([a for a in arguments if a is not NoneType])
    if origin is tuple:
        return f"list of {_accepts(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return _one_of([str(member) for member in annotation])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not Actor:
        return annotation.model_fields["kind"].default if "kind" in annotation.model_fields else "object"
    return _PLAIN[annotation]


def _accepts_one_of(members: list[Any]) -> str:
    return _accepts(members[0]) if len(members) == 1 else f"object of kind {_one_of([_accepts(m) for m in members])}"


def _ranged(words: str, metadata: tuple[Any, ...]) -> str:
    low = next((m.ge for m in _flat(metadata) if isinstance(m, Ge)), None)
    high = next((m.le for m in _flat(metadata) if isinstance(m, Le)), None)
    return f"{words} {low} to {high}" if low is not None and high is not None else words


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def _one_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _members(union: Any) -> Iterator[type[BaseModel]]:
    if get_origin(union) is Annotated:
        yield from _members(get_args(union)[0])
    elif get_origin(union) in (Union, UnionType):
        for argument in get_args(union):
            yield from _members(argument)
    elif isinstance(union, type) and issubclass(union, BaseModel):
        yield union
