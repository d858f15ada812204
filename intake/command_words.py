"""A command from words of a command line: `finding.kind=weight finding.kg=70`.

A point leads into an object. A key given several times makes a list. A value that begins with `{`, `[` or `"` is JSON;
any other value is a bare word and becomes what its field asks for.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from intake.written import NotReadable, Place, as_json, parse, resolved, validated
from models.bounds import bounded, with_short_ids
from models.messages import COMMANDS, Command

HEADER: Final = {"id": "--message-id", "by": "--by", "at": "--at", "course_id": "the course named before the command"}
"""Fields of every message, and where they are given instead of among the words."""

_KEY: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_WHOLE: Final = re.compile(r"-?\d{1,18}")
_MOST_ROUNDS: Final = 8


def read_command(name: str, words: Iterable[str], header: Mapping[str, str]) -> Command:
    """The command of this name with these fields. Raises `NotReadable`, naming each field at fault."""
    kind = COMMANDS.get(name)
    if kind is None:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise NotReadable(f"no command is named {name!r}{hint} (`inocycle do --list` shows all)")
    fields = read_words(words)
    read = bounded(validated(kind, _as_asked(kind, with_short_ids({**fields, **header}))))
    if isinstance(read, tuple):
        raise NotReadable(*read)
    return read


def read_words(words: Iterable[str]) -> dict[str, Any]:
    """The fields of `key=value` words, nested by points, repeated keys as lists. Raises `NotReadable`."""
    fields: dict[str, Any] = {}
    seen: set[str] = set()
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not _KEY.fullmatch(key):
            raise NotReadable(f"{word!r} is not of the form key=value, for example finding.kg=70")
        if key in HEADER:
            raise NotReadable(f"{key}: is given by {HEADER[key]}")
        _put(fields, key, _value(key, value), again=key in seen)
        seen.add(key)
    return fields


def _value(key: str, text: str) -> Any:
    if not text.startswith(("{", "[", '"')):
        return text
    try:
        return parse(text)
    except NotReadable as error:
        raise NotReadable(f"{key}: {error}") from None


def _put(fields: dict[str, Any], key: str, value: Any, *, again: bool) -> None:
    *parents, last = key.split(".")
    here = fields
    for parent in parents:
        here = here.setdefault(parent, {})
        if not isinstance(here, dict):
            raise NotReadable(f"{key}: {parent} is given as a whole already")
    if last not in here:
        here[last] = value
    elif again:
        before = here[last]
        here[last] = [*(before if isinstance(before, list) else [before]), value]
    else:
        raise NotReadable(f"{key}: {last} is given in parts already")


def _as_asked(kind: type[Command], fields: dict[str, Any]) -> dict[str, Any]:
    """Bare words turned into what their fields ask for; what does not turn stays, to be named as a fault."""
    for _ in range(_MOST_ROUNDS):
        try:
            kind.model_validate_json(as_json(fields))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            turned = [_turn(fields, resolved(fields, f["loc"]), f["type"]) for f in faults]
            if any(turned):
                continue
        break
    return fields


def _turn(fields: Any, place: Place, asked: str) -> bool:
    """Replace the value at this place by what is asked for; whether that was possible."""
    turn = _TURNS.get(asked)
    if turn is None or not place:
        return False
    here = fields
    for step in place[:-1]:
        here = here[step]
    found = turn(here[place[-1]])
    if found is not None:
        here[place[-1]] = found
    return found is not None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def _yes_or_no(value: object) -> bool | None:
    return {"true": True, "yes": True, "false": False, "no": False}.get(value) if isinstance(value, str) else None


def _list_of_one(value: object) -> list[object] | None:
    return None if isinstance(value, list) else [value]


_TURNS: Final[dict[str, Callable[[object], Any]]] = {
    "int_type": _whole,
    "literal_error": _whole,  # a dose day is 1, 8 or 15
    "bool_type": _yes_or_no,
    "tuple_type": _list_of_one,
}
