"""The FHIR R4 data types that carry a laboratory result, read forgivingly: what has another shape reads as not there.

Words are kept as the sender wrote them, trimmed and cut to a length. No word is understood here, but for the three
systems FHIR itself names: LOINC, UCUM, and the meaning of a reference range.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from models.base import MAX_DECIMAL_EXPONENT
from models.bounds import shortened

LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
RANGE_MEANING: Final = "http://terminology.hl7.org/CodeSystem/referencerange-meaning"
COMPARATORS: Final = ("<", "<=", ">=", ">")

SHORT: Final = 200
LONG: Final = 2000
MAX_DIGITS: Final = 40

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")

Resource = dict[str, object]


class Quantity(NamedTuple):
    """A FHIR Quantity: a number with its comparator and unit, or the sender's words where it is no usable number."""

    value: Decimal | None = None
    comparator: str | None = None
    text: str | None = None
    unit: str | None = None


class Limits(NamedTuple):
    """The laboratory's own limits with their unit."""

    uln: Decimal | None = None
    lln: Decimal | None = None
    unit: str | None = None


def an_object(value: object) -> Resource:
    """The object, or an empty one where the sender wrote something else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> Iterator[Resource]:
    """The objects of a list; what else stands in it is passed over."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def as_list(value: object) -> list[object]:
    """The items of a list; what is no list counts as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def words(value: object, longest: int = SHORT) -> str | None:
    """Text as the sender wrote it, trimmed, cut to a length; `None` where there is none."""
    text = value.strip() if isinstance(value, str) else ""
    return (text if len(text) <= longest else text[: longest - 1] + "…") or None


def any_words(value: object, longest: int = SHORT) -> str | None:
    """Whatever the sender put there, as words: text as it is, a concept by its name, anything else as JSON."""
    if isinstance(value, dict) and (name := concept_words(value, longest)):
        return name
    if isinstance(value, str | Decimal):
        return words(str(value), longest)
    return words(json.dumps(value, default=str, ensure_ascii=False), longest)


def concept_words(concept: object, longest: int = SHORT) -> str | None:
    """A CodeableConcept's own text, else the name of its first coding, else that one's code."""
    named = an_object(concept)
    codings = tuple(objects(named.get("coding")))
    candidates = (named.get("text"), *(c.get("display") for c in codings), *(c.get("code") for c in codings))
    return next((text for c in candidates if (text := words(c, longest))), None)


def loincs(concept: object) -> tuple[str, ...]:
    """The LOINC codes of a CodeableConcept, each once, or only the one that a person chose (`userSelected`)."""
    codings = [
        c for c in objects(an_object(concept).get("coding")) if c.get("system") == LOINC and words(c.get("code"))
    ]
    chosen = [c for c in codings if c.get("userSelected") is True] or codings
    return tuple(dict.fromkeys(code for c in chosen if (code := words(c.get("code")))))


def identifier_words(identifiers: object) -> str | None:
    """The value of the first identifier that has one."""
    return next((value for i in objects(identifiers) if (value := an_id(i.get("value")))), None)


def an_id(value: object) -> str | None:
    """An identifier as the sender wrote it, trimmed; a long one by its hash, for two that begin alike are not one."""
    text = value.strip() if isinstance(value, str) else ""
    return shortened(text) if text else None


def instant(value: object) -> datetime | None:
    """A point in time in UTC, or `None`: a date alone, or a time without its zone, is none (LAB-04)."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value.strip()):
        return None
    try:
        return datetime.fromisoformat(value.strip()).astimezone(UTC)
    except (ValueError, OverflowError):  # 31 February; the year 1 east of Greenwich
        return None


def quantity(value: object) -> Quantity:
    """A Quantity. A comparator that R4 does not know would change the meaning of the number, so both become words."""
    given = an_object(value)
    number, comparator, unit = given.get("value"), given.get("comparator"), _unit(given)
    if number is None:
        return Quantity(unit=unit, text=None if given else any_words(value))
    sane = _sane(number)
    if sane is None or comparator not in (None, *COMPARATORS):
        spoken = (str(part) for part in (comparator, number) if part is not None)
        return Quantity(unit=unit, text=words(" ".join(spoken)))
    return Quantity(value=sane, comparator=words(comparator), unit=unit)


def limits(ranges: object) -> Limits:
    """The limits of the normal range: of those typed `normal` and those without a type, if they agree.

    Different limits (by age, sex or method) leave that side empty: which one applies is never guessed. The lower limit
    is left out as well where its unit is not the upper one's.
    """
    normal = [r for r in objects(ranges) if _is_normal(r)]
    high, low = _agreed(normal, "high"), _agreed(normal, "low")
    if high and low and high.unit != low.unit:
        low = None
    return Limits(high.value if high else None, low.value if low else None, (high or low or Quantity()).unit)


def _unit(given: Resource) -> str | None:
    """The UCUM code where the sender says UCUM, else the sender's words, for `clinical` to answer in them (CONV-01)."""
    coded = words(given.get("code"))
    if coded and given.get("system") == UCUM:
        return coded
    return words(given.get("unit")) or coded


def _sane(number: object) -> Decimal | None:
    """The number, if a laboratory can have meant it. A zero with a giant exponent is no smaller a text than 1e400."""
    if not isinstance(number, Decimal) or len(number.as_tuple().digits) > MAX_DIGITS:
        return None
    return number if abs(number.adjusted()) <= MAX_DECIMAL_EXPONENT else None


def _is_normal(reference_range: Resource) -> bool:
    meaning = reference_range.get("type")
    if meaning is None:
        return True
    codings = objects(an_object(meaning).get("coding"))
    return any(c.get("system") == RANGE_MEANING and c.get("code") == "normal" for c in codings)


def _agreed(ranges: list[Resource], side: str) -> Quantity | None:
    stated = {quantity(r[side]) for r in ranges if r.get(side) is not None}
    if len(stated) != 1:
        return None
    limit = stated.pop()
    return limit if limit.value is not None and limit.comparator is None else None
