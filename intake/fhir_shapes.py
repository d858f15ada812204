"""The FHIR R4 data types that carry a laboratory result, read forgivingly: what has another shape reads as not there.

Words are kept as the sender wrote them, trimmed and cut to a length. No word is understood here, but for the
systems FHIR itself names: LOINC and UCUM.
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
_OF_LOINC: Final = frozenset({"loinc.org", "urn:oid:2.16.840.1.113883.6.1", "2.16.840.1.113883.6.1"})
_OF_UCUM: Final = frozenset({"unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8", "2.16.840.1.113883.6.8"})
_OF_EVERYBODY: Final = _OF_LOINC | {"snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96", "2.16.840.1.113883.6.96"}
COMPARATORS: Final = ("<", "<=", ">=", ">")

SHORT: Final = 200
LONG: Final = 2000
MAX_DIGITS: Final = 40

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")

Resource = dict[str, object]


class Quantity(NamedTuple):
    """A FHIR Quantity: a number with its comparator and unit, or the sender's words where it is no usable number.

    `words` is the unit as it is written for people, where that is not the code.
    """

    value: Decimal | None = None
    comparator: str | None = None
    text: str | None = None
    unit: str | None = None
    words: str | None = None


class Coded(NamedTuple):
    """What a CodeableConcept says: its LOINC codes, the other codes where there is not exactly one, and the names."""

    loincs: tuple[str, ...]
    others: tuple[str, ...]
    names: tuple[str, ...]


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


def all_words(concept: object, longest: int = SHORT) -> str | None:
    """All that a CodeableConcept says, each once: its text, its names, and codes without one that mean the same everywhere."""
    named = an_object(concept)
    told = [words(named.get("text"), longest)]
    for one in objects(named.get("coding")):
        code = words(one.get("code"), longest) if _host(one.get("system")) in _OF_EVERYBODY else None
        told.append(words(one.get("display"), longest) or code)
    each = {word.casefold(): word for word in reversed(told) if word}
    return words(" / ".join(reversed(each.values())), longest) or concept_words(concept, longest)


def coded(concept: object) -> Coded:
    """The LOINC codes, each once, and where there is not exactly one the others as `system|code`; and every name.

    What a person chose of several (`userSelected`) makes the others no less said. Beside a single LOINC the other codes are
    names: they may say what it is where the LOINC is not known.
    """
    named = an_object(concept)
    codings = [c for c in objects(named.get("coding")) if words(c.get("code")) or words(c.get("display"))]
    of_loinc = [c for c in codings if is_loinc(c.get("system")) and words(c.get("code"))]
    loincs = tuple(dict.fromkeys(code for c in of_loinc if (code := words(c.get("code")))))
    rest = [c for c in codings if not is_loinc(c.get("system")) and words(c.get("code"))]
    told = [named.get("text"), *(c.get("display") for c in codings)]
    if len(loincs) == 1:
        told += [c.get("code") for c in rest]
        rest = []
    others = dict.fromkeys(shortened(f"{words(c.get('system')) or ''}|{words(c.get('code'))}") for c in rest)
    return Coded(loincs, tuple(others), tuple(dict.fromkeys(name for one in told if (name := words(one)))))


def is_loinc(system: object) -> bool:
    """Whether this names LOINC: its address with or without a slash at the end, or its OID."""
    return _host(system) in _OF_LOINC


def _host(system: object) -> str:
    told = system.strip().casefold().rstrip("/") if isinstance(system, str) else ""
    return told.removeprefix("https://").removeprefix("http://").removeprefix("www.")


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


def end_of(period: Resource) -> datetime | None:
    """The end of a period; of one that ends on a day, the beginning of that day where the period began."""
    told = words(period.get("end"))
    if told is None or not _DAY.fullmatch(told):
        return instant(told)
    start = instant(period.get("start"))
    if start is None:
        return None
    zone = datetime.fromisoformat(str(period["start"]).strip()).tzinfo
    try:
        return datetime.fromisoformat(told).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ends_after(period: Resource, start: str) -> bool:
    """Whether a period that begins at this instant ends then or later, or says no end; one that nobody can read does not."""
    if period.get("end") is None:
        return True
    end, began, told = end_of(period), instant(start), words(period["end"]) or ""
    if end is None or began is None:
        return False
    return told >= start.strip()[: len(told)] if _DAY.fullmatch(told) else end >= began


def quantity(value: object) -> Quantity:
    """A Quantity. A comparator that R4 does not know would change the meaning of the number, so both become words."""
    given = an_object(value)
    number, comparator, (unit, in_words) = given.get("value"), given.get("comparator"), _unit(given)
    if number is None:
        return Quantity(unit=unit, text=None if given else any_words(value))
    sane = _sane(number)
    if sane is None or comparator not in (None, *COMPARATORS):
        spoken = (str(part) for part in (comparator, number) if part is not None)
        return Quantity(unit=unit, text=words(" ".join(spoken)))
    return Quantity(value=sane, comparator=words(comparator), unit=unit, words=in_words)


def _unit(given: Resource) -> tuple[str | None, str | None]:
    """The UCUM code where the sender says UCUM, else the sender's words (CONV-01); and the other of the two, if it differs."""
    code, written = words(given.get("code")), words(given.get("unit"))
    first, second = (code, written) if code and _host(given.get("system")) in _OF_UCUM else (written, code)
    return (first, second if second != first else None) if first else (second, None)


ABSENT_REASON: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def said_to_be_absent(value: object) -> str | None:
    """The reason that an extension anywhere in a value gives for the absence of what it stands at."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for extension in objects(one.get("extension")):
                if extension.get("url") == ABSENT_REASON:
                    return words(extension.get("valueCode")) or "unknown"
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return None


def _sane(number: object) -> Decimal | None:
    """The number, if a laboratory can have meant it. A zero with a giant exponent is no smaller a text than 1e400."""
    if not isinstance(number, Decimal) or len(number.as_tuple().digits) > MAX_DIGITS:
        return None
    return number if abs(number.adjusted()) <= MAX_DECIMAL_EXPONENT else None
