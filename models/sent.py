"""A laboratory's result as it arrives: read leniently, once, at the door that it came through (LAB-05).

What is kept of it afterwards (`models.facts.LabResult`) is well formed, and is decoded plainly as often as it is needed.
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from models.base import Instant, Number
from models.facts import Findings, LabResult, LabStatus, OtherReports

LONGEST_WORDS = 200
"""Characters kept of what should have been a number or a time."""


def kept_as_sent(data: Any) -> Any:
    """The fields of one result; a garbled number or time makes this one result unreadable, not the whole message."""
    if not isinstance(data, dict):
        return data
    kept = dict(data)
    _move_unless(_is_number, kept, "value", "text")
    _move_unless(_is_aware_time, kept, "collected_at", "collected_text")
    for limit in ("uln", "lln"):
        if not _is_number(kept.get(limit)):
            kept.pop(limit)
    for time in ("issued_at", "updated_at", "ends_at"):
        if not _is_aware_time(kept.get(time)):
            kept.pop(time)
    if not _is_count(kept.get("version")):
        kept.pop("version")
    if kept.get("status") not in tuple(LabStatus):
        kept["status"] = LabStatus.UNKNOWN.value
    return kept


def fact_as_sent(what: Any) -> Any:
    """What a fact in a person's document says: a result in it, also one that replaces another, is read leniently."""
    if not isinstance(what, dict):
        return what
    if what.get("kind") == LabResult.model_fields["kind"].default:
        return kept_as_sent(what)
    return {**what, "replacement": fact_as_sent(what["replacement"])} if "replacement" in what else what


SentResult = Annotated[LabResult, BeforeValidator(kept_as_sent)]
"""A result in a message: read leniently into the plain one."""

SentReport = Annotated[SentResult | Findings | OtherReports, Field(discriminator="kind")]
"""What a command may put in place of a fact (`models.facts.Reportable`), a result in it read leniently."""

_RESULT: TypeAdapter[LabResult] = TypeAdapter(SentResult)
_NUMBER: TypeAdapter[Decimal] = TypeAdapter(Number)
_TIME: TypeAdapter[Any] = TypeAdapter(Instant)
_VERSION: TypeAdapter[int] = TypeAdapter(int)


def sent_result(**fields: Any) -> LabResult:
    """One result made of the fields that a laboratory filled. Raises `pydantic.ValidationError` where it has no code."""
    return _RESULT.validate_python(fields)


def _move_unless(readable: Any, data: dict[str, Any], field: str, words: str) -> None:
    if not readable(data.get(field)):
        data[words] = str(data.pop(field))[:LONGEST_WORDS]


def _is_number(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool):
        return False
    try:
        _NUMBER.validate_python(value if isinstance(value, Decimal) else str(value))
    except ValidationError:
        return False
    return True


def _is_count(value: Any) -> bool:
    if value is None:
        return True
    try:
        _VERSION.validate_python(value)
    except ValidationError:
        return False
    return True


def _is_aware_time(value: Any) -> bool:
    if value is None:
        return True
    try:
        _TIME.validate_python(value)
    except ValidationError:
        return False
    return True
