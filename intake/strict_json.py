"""JSON that means one thing: bounded, every key once, only numbers that are numbers, digits kept.

What the document says is not known here.
"""

import json
import re
import zlib
from typing import Final, NoReturn

from intake.outcome import Refusal
from models.base import NOT_TEXT, number_of

MAX_BYTES: Final = 16 * 1024 * 1024
"""The largest document a door takes: a chart of many years, and what a machine of 2 GB reads beside its other work."""

MAX_DEPTH: Final = 64
"""The deepest nesting; FHIR as it is sent stays below 20."""

_GZIP: Final = b"\x1f\x8b"
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # linear, whatever is sent


class Unreadable(Exception):
    """The document cannot be read at all. Holds the refusal and a reason, never a piece of the document."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(refusal, reason)
        self.refusal = refusal
        self.reason = reason


def read_json(raw: bytes) -> object:
    """The document with its numbers as `Decimal`; of lines with an object each, the list of them. Raises `Unreadable`.

    What is compressed with gzip is unpacked, never to more than a door takes. A byte order mark is read over. A number
    whose exponent no decimal can hold comes back as its text.
    """
    text = _decoded(_unpacked(raw))
    if _depth(text) > MAX_DEPTH:
        raise _bad(f"nested deeper than {MAX_DEPTH} levels")
    document = _parsed(text)
    _check_text(document)
    return document


def _unpacked(raw: bytes) -> bytes:
    if raw.startswith(_GZIP) and len(raw) <= MAX_BYTES:
        unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            raw = unpacking.decompress(raw, MAX_BYTES + 1)
            whole = unpacking.eof and not unpacking.unused_data
        except zlib.error:
            whole = False
        if not whole and len(raw) <= MAX_BYTES:
            raise _bad("compressed with gzip, and damaged")
    if len(raw) > MAX_BYTES:
        raise Unreadable(Refusal.TOO_LARGE, f"more than {MAX_BYTES // 1024 // 1024} MiB")
    return raw


def _bad(reason: str) -> Unreadable:
    return Unreadable(Refusal.BAD_JSON, reason)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        fault = _bad("not UTF-8")
    raise fault  # outside the handler: the cause would carry the bytes


def _depth(text: str) -> int:
    """Counted before parsing: the parser recurses, and how deep it may depends on who called."""
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in "]}":
            depth -= 1
    return deepest


def _parsed(text: str) -> object:
    try:
        document: object = json.loads(
            text,
            parse_float=number_of,
            parse_int=number_of,
            parse_constant=_no_number,
            object_pairs_hook=_each_key_once,
        )
        return document
    except json.JSONDecodeError as error:
        fault = _bad(f"not JSON at character {error.pos}")
    if len(lines := [line for line in text.split("\n") if line.strip()]) > 1 and _is_an_object(lines[0]):
        return [_parsed(line) for line in lines]
    raise fault  # outside the handler: the cause would carry the document


def _is_an_object(line: str) -> bool:
    """Whether a line is a whole object: then each line is a document of its own (NDJSON)."""
    try:
        return isinstance(json.loads(line), dict)
    except (json.JSONDecodeError, RecursionError):
        return False


def _no_number(_: str) -> NoReturn:
    raise _bad("NaN and Infinity are no JSON numbers")


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    named = dict(pairs)
    if len(named) != len(pairs):  # which of the two values a reader takes is chance
        raise _bad("an object names a key twice")
    return named


def _check_text(document: object) -> None:
    """No string may hold what neither UTF-8 nor a database column can: it would stop the course's record for good."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and NOT_TEXT.search(value):
            raise _bad("a text holds a control character or half a character")
