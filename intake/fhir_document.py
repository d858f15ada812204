"""What a document is made of, in whichever shape it comes: the resources in it, and what a transaction does without one.

A resource alone, a `Bundle`, `Parameters`, a list, and one inside the other are taken apart alike; each resource keeps its
place in words. What stands in the place of a resource and is none is named.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from intake.fhir_bundle import Entry
from intake.fhir_groups import OBSERVATION
from intake.fhir_shapes import Resource, an_object, as_list, objects, words
from intake.fhir_withdrawals import WRITES_WHOLE, Change
from intake.outcome import Refusal, RefusedEntry

DOCUMENT: Final = Entry("document", {})
_VALUE: Final = re.compile(r"value[A-Z]\w*|value|component")
"""What only an observation has beside a code."""
_UNREAD_REQUEST: Final[Resource] = {"method": "not read"}


class Whole(NamedTuple):
    """The resources of a document, what stands in their place and is not read, and what it changes that a result may rest on."""

    entries: list[Entry]
    misshapen: list[RefusedEntry]
    changes: list[Change]


class _Part(NamedTuple):
    """A place of a document with what stands there, around it and is asked for it."""

    position: str
    value: object
    full_url: str | None = None
    modified: bool = False
    request: Resource | None = None

    @property
    def method(self) -> str:
        """What a transaction does with it; outside of one it is read as it stands."""
        return str((self.request or {}).get("method") or "PUT").upper()


def refused(entry: Entry, refusal: Refusal, reason: str, suffix: str = "", *, kept: bool = False) -> RefusedEntry:
    """The word about an entry that became no result."""
    where = f"{entry.where}{suffix}"
    return RefusedEntry(where=where, resource_type=entry.resource_type, type=refusal, reason=reason, kept=kept)


def taken_apart(document: object) -> Whole:
    """Every resource of a document, however deep it lies in bundles, parameters and lists."""
    whole = Whole([], [], [])
    for part in _parts(_Part(DOCUMENT.position, document)):
        entry = Entry(part.position, an_object(part.value), part.full_url, modified=part.modified)
        change = Change(entry, part.method, words((part.request or {}).get("url")) or "")
        if change.method not in WRITES_WHOLE:
            if change.may_be_of_a_result:
                whole.changes.append(change)
            else:
                reason = "it changes nothing that a result rests on"
                whole.misshapen.append(refused(entry, Refusal.NOT_AN_OBSERVATION, reason))
        elif (fault := _fault(part.value, alone=part.position == DOCUMENT.position)) is not None:
            whole.misshapen.append(refused(entry, Refusal.NOT_FHIR, fault))
        elif (meant := _seems_an_observation(entry.resource)) is not None:
            whole.entries.append(Entry(part.position, meant, part.full_url, modified=True))
        else:
            whole.entries.append(entry)
    return whole


def _parts(part: _Part) -> Iterator[_Part]:
    inner = _inside(part)
    if inner is None:
        yield part
        return
    for one in inner:
        yield from _parts(one)


def _inside(part: _Part) -> Iterator[_Part] | None:
    """The parts of what only holds others; `None` for what is one itself, or cannot be taken apart."""
    value = part.value
    if isinstance(value, list):
        return (_Part(_place(part, f"item {n}"), one) for n, one in enumerate(value, 1)) if value else None
    resource = an_object(value)
    modified = part.modified or bool(resource.get("implicitRules"))
    if part.method not in WRITES_WHOLE:
        return None
    if _named(resource) == "bundle" and isinstance(resource.get("entry", []), list):
        return _of_bundle(part, as_list(resource.get("entry")), modified=modified)
    if _named(resource) == "parameters" and (found := list(_of_parameters(resource))):
        return (_Part(_place(part, name), one, modified=modified) for name, one in found)
    return None


def _of_bundle(part: _Part, entries: list[object], *, modified: bool) -> Iterator[_Part]:
    for number, item in enumerate(map(an_object, entries), start=1):
        unknown = modified or bool(item.get("modifierExtension"))
        place = _place(part, f"entry {number}")
        asked = item.get("request")
        request = an_object(asked) if asked is None or isinstance(asked, dict) else _UNREAD_REQUEST
        yield _Part(place, item.get("resource"), words(item.get("fullUrl")), unknown, request)


def _of_parameters(resource: Resource) -> Iterator[tuple[str, object]]:
    """The resources of parameters and of their parts, each with its place."""
    waiting = [(f"parameter {n}", one) for n, one in enumerate(objects(resource.get("parameter")), start=1)]
    while waiting:
        place, one = waiting.pop(0)
        if one.get("resource") is not None:
            yield place, one["resource"]
        waiting += [(f"{place}, part {n}", inner) for n, inner in enumerate(objects(one.get("part")), start=1)]


def _place(part: _Part, name: str) -> str:
    return name if part.position == DOCUMENT.position else f"{part.position}, {name}"


def _fault(value: object, *, alone: bool) -> str | None:
    """Why this is no resource."""
    if not an_object(value):
        return "no resource" if alone else "the entry holds no resource"
    if _named(an_object(value)) == "bundle":
        return "its entries are no list"
    named = _named(an_object(value)) or _seems_an_observation(an_object(value))
    return None if named else "it does not say which resource it is"


def _named(resource: Resource) -> str:
    """The type of a resource, however its letters are written; empty where it says none."""
    return (words(resource.get("resourceType")) or "").casefold()


def _seems_an_observation(resource: Resource) -> Resource | None:
    """What is an observation but for its name: what it says is unknown, and not lost (LAB-12)."""
    if resource.get("resourceType") == OBSERVATION:
        return None
    measures = "code" in resource and any(_VALUE.fullmatch(key) for key in resource)
    if not measures and _named(resource) != OBSERVATION.casefold():
        return None
    return {**resource, "resourceType": OBSERVATION}
