"""JSON that a person wrote (a chart, a patient, a value on the command line): read strictly, faults named by place.

What a hospital's machine sends is read elsewhere (`strict_json.py`): there a fault may not be repeated, here it must be
found by the person who made it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from models.base import number_of, whole_number_of

MAX_BYTES: Final = 4 * 1024 * 1024
"""The largest file; a chart of 300 facts has about 100 KiB."""

Place = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_MOST_FAULTS: Final = 12


class NotReadable(Exception):
    """What a person wrote cannot be read. One line for each fault, each with its place."""

    def __init__(self, *faults: str) -> None:
        more = [f"… and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
        self.faults = (*faults[:_MOST_FAULTS], *more)
        super().__init__("\n".join(self.faults))


def parse(raw: bytes | str) -> Any:
    """The document, numbers with a point as `Decimal`. Raises `NotReadable` with line and column."""
    if len(raw) > MAX_BYTES:
        raise NotReadable(f"larger than {MAX_BYTES // 1024**2} MiB")
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        return json.loads(
            text,
            parse_float=number_of,
            parse_int=whole_number_of,
            parse_constant=_no_number,
            object_pairs_hook=_each_key_once,
        )
    except UnicodeDecodeError:
        fault = "not UTF-8 text"
    except json.JSONDecodeError as error:
        fault = f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except RecursionError:
        fault = "nested too deeply"
    raise NotReadable(fault)


def validated(kind: type[Model], data: object) -> Model:
    """A value of this kind from parsed JSON; a field it does not have is a fault too. Raises `NotReadable`."""
    try:
        value = kind.model_validate_json(as_json(data))
    except ValidationError as error:
        raise NotReadable(*_faults(error, data)) from None
    unknown = [f"{place}: {words}" for place, words in _unknown_fields(data, value, ())]
    if unknown:
        raise NotReadable(*unknown)
    return value


def as_json(data: object) -> str:
    """Parsed JSON as text again, decimals as text so that no digit is lost."""
    return json.dumps(data, default=str)


def resolved(data: object, location: Place) -> Place:
    """The place that pydantic means, as the person wrote it: without the tags of unions."""
    path: list[str | int] = []
    here = data
    for step in location:
        if isinstance(here, Mapping) and here.get("kind") == step:
            here = {k: v for k, v in here.items() if k != "kind"}  # the tag, once: a field may have its name
            continue
        path.append(step)
        here = _inside(here, step)
    return tuple(path)


def shown(place: Place) -> str:
    """A place as it is written: `facts[3].what.kg`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def fault_words(fault: Mapping[str, Any]) -> str:
    """What is wrong at a place, in a person's words; never the value that stands there."""
    context = fault.get("ctx", {})
    known = {
        "missing": "is missing",
        "extra_forbidden": "is not a known field",
        "timezone_aware": "a time needs a zone, for example 2026-03-02T09:00:00+01:00 or …Z",
        "union_tag_not_found": "needs a kind",
        "union_tag_invalid": f"its kind is not known; known are: {context.get('expected_tags', '')}",
        "datetime_type": "should be a time as text, for example 2026-03-02T09:00:00+01:00",
        "decimal_type": "should be a number",
        "decimal_parsing": "should be a number",
        "model_type": "should be an object",
    }
    words: str = known.get(fault["type"]) or fault["msg"]
    return words.removeprefix("Value error, ")


def _faults(error: ValidationError, data: object) -> Iterator[str]:
    for fault in error.errors(include_input=False, include_url=False):
        place = shown(resolved(data, fault["loc"]))
        yield f"{place}: {fault_words(fault)}" if place else fault_words(fault)


def _unknown_fields(data: object, value: object, place: Place) -> Iterator[tuple[str, str]]:
    """Fields that were written and that nobody reads. `value` is what `data` was read as."""
    if isinstance(data, Mapping) and isinstance(value, BaseModel):
        fields = type(value).model_fields
        for name in data:
            if name in fields:
                yield from _unknown_fields(data[name], getattr(value, name), (*place, name))
            else:
                yield shown((*place, name)), f"is not a known field{_did_you_mean(name, fields)}"
    elif isinstance(data, Sequence) and isinstance(value, tuple):
        for index, (written, read) in enumerate(zip(data, value, strict=False)):
            yield from _unknown_fields(written, read, (*place, index))


def _did_you_mean(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are: {', '.join(known)}"


def _inside(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _no_number(_: str) -> NoReturn:
    raise NotReadable("NaN and Infinity are no numbers")


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    named = dict(pairs)
    if len(named) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotReadable(f"an object names {twice!r} twice")
    return named
