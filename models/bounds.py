"""What may stand in an arriving message: a bound for every text, identifier, list, number and time, by its type.

Bounds are what the rules can bear, not what a protocol wants: a seventh cycle that was given is a deviation, and a result
of any size is looked at. They are for what arrives, never for facts: what a course has accepted stays readable.
A field that nobody thought of has the bound of its type; what differs from that stands in `EXCEPTIONS`, with its reason.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from models.base import FIRST_YEAR, LAST_YEAR, MAX_DECIMAL_EXPONENT, NOT_TEXT, number_of, plain, whole_number_of
from models.messages import Message, ReadAgain

READABLE: Final = "json/plain"
"""The encoding of a payload in which a message is sent."""

FAULTS_TOLD: Final = 5

LONGEST_TEXT: Final = 2000
"""Characters of any text: that of a reason in a person's own words."""

LONGEST_ID: Final = 200
"""Characters of an identifier as it came; a longer one made elsewhere is known by its hash."""

LONGEST_ID_SENT: Final = 4096
"""Characters of an identifier as it may be sent; what is longer is no identifier."""

LONGEST_LIST: Final = 200
"""Items of any list: that of the results of one draw."""

LARGEST_BYTES: Final = 256 * 1024
"""Bytes of a whole message; what is larger is kept by its hash and head."""

LARGEST_AGAIN_BYTES: Final = 384 * 1024
"""The same for `read_again`, which brings another message in base64."""

HEAD_BYTES: Final = 4096
"""Bytes of what could not be read that a fact shows."""

MADE_ELSEWHERE: Final = frozenset(
    {
        *("reaction_id", "preparation_id", "accession", "report_id", "sender", "loinc"),
        *("resource", "identifiers", "specimen", "loincs", "codes", "home"),
        *("target", "hold", "course_id", "subject_hash", "birth_hash"),
    }
)
"""Identifiers of other systems, and of facts: one that is too long, or holds what no line can, is known by its hash."""

OWN_IDS: Final = frozenset({"id", "name", "sha256", "site_sha256", "divergence", "rule", "level"})
"""Identifiers that are said to this service in its own words: one that is malformed is refused."""

_NO_LINE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control and format characters, separators of lines, halves of characters: a line of a log or a list would lie."""

_HASHED: Final = "sha256:"
_PRECISION: Final = Decimal("0.000001")


class Bound(NamedTuple):
    """The least and the most of a number or time, both included, and why it is not that of its type."""

    least: Any
    most: Any
    why: str


AMOUNT: Final = Bound(
    Decimal(0), Decimal(1_000_000), "an amount is not negative, and no patient is given a million of it"
)
COUNT: Final = Bound(0, 9999, "a number of things, such as vials")
YEARS: Final = Bound(2000, 2099, "the drug is younger, and every date that follows from one of these is a date")
_ANY_SIZE: Final = Decimal(10) ** (MAX_DECIMAL_EXPONENT + 1)
_RESULT: Final = Bound(
    -_ANY_SIZE, _ANY_SIZE, "a result is never turned away for its size: implausible is the word of LAB-06"
)
_LABORATORY: Final = Bound(
    FIRST_YEAR, LAST_YEAR, "a clock of a laboratory that is wrong makes one result unusable (LAB-04)"
)

EXCEPTIONS: Final[Mapping[str, Bound]] = {
    "value": _RESULT,
    "uln": _RESULT,
    "lln": _RESULT,
    "collected_at": _LABORATORY,
    "issued_at": _LABORATORY,
    "updated_at": _LABORATORY,
    "ends_at": _LABORATORY,
    "version": Bound(0, 2**63 - 1, "a sender counts its versions as it likes"),
    **dict.fromkeys(("drawn_ml", "total_ml", "infused_ml"), Bound(Decimal(0), Decimal(10_000), "a bag has 50 mL")),
    "rate_ml_per_h": Bound(Decimal("0.1"), Decimal(10_000), "an infusion that goes on runs, and ends within weeks"),
    "cycle": Bound(
        1, 99, "six cycles are the most that a protocol gives; what follows the last must have a number too"
    ),
}
"""Bounds of fields by name that are not those of their type."""

Kind = TypeVar("Kind", bound=Message)


def read_bounded(kind: type[Kind], data: bytes) -> Kind | tuple[str, ...]:
    """The message in these bytes, or what is malformed in it, each fault with its place and never with a value."""
    if len(data) > largest_bytes(kind.name):
        return (f"message: more than {largest_bytes(kind.name)} bytes",)
    try:
        return bounded(_validated(kind, data))
    except ValidationError as error:
        faults = error.errors(include_input=False, include_context=False, include_url=False)
        return tuple(f"{'.'.join(map(str, f['loc'])) or 'message'}: {f['type']}" for f in faults)
    except (RecursionError, UnicodeError):
        return ("message: nested too deeply, or no text",)


def read_payload(kind: type[Kind], encoding: bytes, data: bytes) -> Kind | str:
    """The message in a payload, or why it is none: its first faults in one line, never with a value."""
    named = encoding.decode(errors="replace")
    if named != READABLE:
        return f"encoding {named or 'missing'}"
    read = read_bounded(kind, data)
    return "; ".join(read[:FAULTS_TOLD]) if isinstance(read, tuple) else read


def bounded(message: Kind) -> Kind | tuple[str, ...]:
    """The message with its long identifiers hashed, or what is out of bounds in it."""
    found = tuple(faults(message))
    if found:
        return found
    short = _with_short_ids(message)
    if len(short.model_dump_json(exclude_defaults=True).encode()) > largest_bytes(short.name):
        return (f"message: more than {largest_bytes(short.name)} bytes",)
    return short


def largest_bytes(name: str) -> int:
    """How many bytes a message of this name may have."""
    return LARGEST_AGAIN_BYTES if name == ReadAgain.name else LARGEST_BYTES


def faults(message: Message) -> Iterator[str]:
    """What is out of bounds, each fault with its place and never with a value."""
    yield from _inside(message, "")


def shortened(identifier: str) -> str:
    """An identifier made elsewhere as it is kept: itself, or its hash where it is too long or holds what no line can."""
    if len(identifier) <= LONGEST_ID and _is_one_line(identifier):
        return identifier
    return _HASHED + hashlib.sha256(identifier.encode(errors="surrogatepass")).hexdigest()


def with_short_ids(document: Any) -> Any:
    """Parsed JSON of a message with its long identifiers hashed, so that it can be read as one."""
    if isinstance(document, Mapping):
        return {name: _short_in_document(name, value) for name, value in document.items()}
    return [with_short_ids(item) for item in document] if isinstance(document, list) else document


def _short_in_document(name: str, value: Any) -> Any:
    if name in MADE_ELSEWHERE and isinstance(value, str) and value and len(value) <= LONGEST_ID_SENT:
        return shortened(value)
    if name in MADE_ELSEWHERE and isinstance(value, list):
        return [_short_in_document(name, item) for item in value]
    return with_short_ids(value)


def _validated(kind: type[Kind], data: bytes) -> Kind:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        if not any(
            fault["type"] == "string_too_long" for fault in error.errors(include_input=False, include_url=False)
        ):
            raise
        document = with_short_ids(json.loads(data, parse_float=number_of, parse_int=whole_number_of))
        return kind.model_validate_json(json.dumps(document, default=str))


# ── the bound of each type ─────────────────────────────────────────────────────────────────────────────────────────


def _inside(value: BaseModel, place: str) -> Iterator[str]:
    for name in type(value).model_fields:
        where = f"{place}.{name}" if place else name
        yield from _of_value(name, getattr(value, name), where)


def _of_value(name: str, value: object, place: str) -> Iterable[str]:
    if isinstance(value, BaseModel):
        return _inside(value, place)
    if isinstance(value, tuple):
        return _of_list(name, value, place)
    if isinstance(value, str):
        return _of_text(name, value, place)
    if isinstance(value, datetime | date):
        return _between(value.year, EXCEPTIONS.get(name, YEARS), place, "a year of")
    if isinstance(value, Decimal):
        return _of_number(name, value, place)
    if isinstance(value, int) and not isinstance(value, bool):
        return _between(value, EXCEPTIONS.get(name, COUNT), place, "a number of")
    return () if value is None or isinstance(value, bool) else (f"{place}: a value of no known type",)


def _of_list(name: str, items: tuple[object, ...], place: str) -> Iterator[str]:
    if len(items) > LONGEST_LIST:
        yield f"{place}: at most {LONGEST_LIST} items"
        return
    for number, item in enumerate(items):
        yield from _of_value(name, item, f"{place}[{number}]")


def _of_text(name: str, text: str, place: str) -> Iterator[str]:
    if name in MADE_ELSEWHERE:
        if len(text) > LONGEST_ID_SENT:
            yield f"{place}: at most {LONGEST_ID_SENT} characters"
    elif len(text) > (LONGEST_ID if name in OWN_IDS else LONGEST_TEXT):
        yield f"{place}: at most {LONGEST_ID if name in OWN_IDS else LONGEST_TEXT} characters"
    elif name in OWN_IDS and not _is_one_line(text):
        yield f"{place}: holds a control character"
    elif (found := NOT_TEXT.search(text)) is not None:
        half = "\ud800" <= found.group() <= "\udfff"
        yield f"{place}: holds {'half a character' if half else 'a control character'}"


def _of_number(name: str, number: Decimal, place: str) -> Iterator[str]:
    bound = EXCEPTIONS.get(name, AMOUNT)
    yield from _between(number, bound, place, "a number of")
    if bound is not _RESULT and number and abs(number) < _PRECISION:
        yield f"{place}: nothing, or at least {plain(_PRECISION)}"


def _between(value: Any, bound: Bound, place: str, what: str) -> Iterator[str]:
    if not bound.least <= value <= bound.most:
        yield f"{place}: {what} {_shown(bound.least)} to {_shown(bound.most)}"


def _shown(limit: Any) -> str:
    return plain(limit) if isinstance(limit, Decimal) else str(limit)


def _is_one_line(text: str) -> bool:
    return _NO_LINE.search(text) is None


# ── identifiers ────────────────────────────────────────────────────────────────────────────────────────────────────

Model = TypeVar("Model", bound=BaseModel)


def _with_short_ids(value: Model) -> Model:
    changes = {}
    for name in type(value).model_fields:
        before = getattr(value, name)
        after = _short(name, before)
        if after is not before:
            changes[name] = after
    return value.model_copy(update=changes) if changes else value


def _short(name: str, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _with_short_ids(value)
    if isinstance(value, tuple):
        items = tuple(_short(name, item) for item in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return shortened(value) if name in MADE_ELSEWHERE and isinstance(value, str) and value else value
