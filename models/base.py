"""What all values share: frozen, strict, aware times in UTC, decimals that stay decimals.

No default in this package reads a clock or makes a random id: a replay would differ.
"""

import hashlib
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

MAX_DECIMAL_EXPONENT = 18
"""No laboratory value or dose lies outside 1e-18 … 1e18; a larger exponent only makes a text of megabytes."""


MAX_DIGITS = 40

FIRST_YEAR, LAST_YEAR = 1900, 2199
"""Nothing in a course lies outside these years; within them every window and monitoring day is a date too."""


NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What no text holds: on a terminal a control character overwrites what others said, and no column takes half a character."""

LONGEST_WHOLE_NUMBER = 18
"""Digits of a whole number; Python refuses to read one of thousands, and no count of ours has half of these."""


def number_of(digits: str) -> Decimal | str:
    """A number of JSON as exact as it was written; its text where no `Decimal` has it (an exponent of 10^19)."""
    try:
        return Decimal(digits)
    except InvalidOperation:
        return digits


def whole_number_of(digits: str) -> int | Decimal | str:
    """A whole number of JSON; a longer one than any of ours as its reader can bear it."""
    return int(digits) if len(digits) <= LONGEST_WHOLE_NUMBER else number_of(digits)


class Frozen(BaseModel):
    """A value: never changed after it was made, unknown fields ignored so that an older worker can still read it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class Written(Frozen):
    """A value that a person wrote (a protocol entry, a chart file): an unknown field is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


def _in_sane_years(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError("date out of range")
    return day


def _in_utc(instant: datetime) -> datetime:
    if FIRST_YEAR < instant.year < LAST_YEAR:  # as nearly always: in no zone does it lie outside these years
        return instant.astimezone(UTC)
    _in_sane_years(instant.date())  # the first and last day of the calendar have no UTC in some zones
    there = instant.astimezone(UTC)
    _in_sane_years(there.date())
    return there


def is_of_sane_size(number: Decimal) -> bool:
    """Whether a number can be a laboratory value or a dose at all."""
    if not number.is_finite() or abs(number.adjusted()) > MAX_DECIMAL_EXPONENT:
        return False
    return len(number.as_tuple().digits) <= MAX_DIGITS


def _of_sane_size(number: Decimal) -> Decimal:
    if not is_of_sane_size(number):
        raise ValueError("number out of range")
    return number


def plain(number: Decimal) -> str:
    """The decimal as a person writes it: `160`, never `1.6E+2`; digits as the sender gave them."""
    return format(number, "f")


def _written_out(value: Any) -> Any:
    """Seconds since 1970 are no time that a person or a laboratory writes; they are a number in the wrong field."""
    if isinstance(value, int | float) or (isinstance(value, str) and not any(c in value for c in "Tt ")):
        raise ValueError("write the date and the time with its zone")
    return value


_AS_KEPT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z")


def _as_kept(value: Any, otherwise: ValidatorFunctionWrapHandler) -> Any:
    """An instant as this service itself writes it is read at once: up to four of them stand in each fact of a chart."""
    if isinstance(value, str) and _AS_KEPT.fullmatch(value):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return otherwise(value)  # 31 February: what is wrong with it is said as of every other text
        if FIRST_YEAR <= instant.year <= LAST_YEAR:
            return instant
    return otherwise(value)


# Not strict: what the first validator hands on is text again, and it has refused everything that is no written time.
Instant = Annotated[
    AwareDatetime,
    Field(strict=False),
    AfterValidator(_in_utc),
    BeforeValidator(_written_out),
    WrapValidator(_as_kept),
]
"""An instant with its zone, kept in UTC. A time without a zone does not validate."""

Day = Annotated[date, AfterValidator(_in_sane_years)]
"""A calendar date of the years in which courses happen."""


def _in_plain_digits(value: Any) -> Any:
    """`7_0` and the digits of another script could be read as a number, and nobody who writes a value means that."""
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        raise ValueError("write the number in the digits 0 to 9")
    return value


# Not strict: what the first validator hands on is text again, or the number of a JSON document.
Number = Annotated[
    Decimal,
    Field(strict=False),
    AfterValidator(_of_sane_size),
    BeforeValidator(_in_plain_digits),
    PlainSerializer(plain, when_used="json"),
]
"""A finite decimal of sane size; travels as text, so that no digit is lost."""

KeptNumber = Annotated[Decimal, Field(strict=False, allow_inf_nan=False), PlainSerializer(plain, when_used="json")]
"""A finite decimal that was kept: an earlier release may have read it less strictly, and what was kept stays readable."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
"""A reason or note in a person's own words; never empty where one is asked for."""


def counted(number: int, word: str) -> str:
    """`1 day`, `29 days`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def canonical_json(value: Any) -> str:
    """The one text of a value: sorted keys, no spaces, decimals as text, times in UTC."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_text)


def content_hash(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hex digits: same content, same hash, on every machine."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def short_hash(value: Any) -> str:
    """The first 12 digits of the hash: tells apart what one course holds, without a word of it."""
    return content_hash(value)[:12]


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)
