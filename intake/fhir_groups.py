"""Reports and panels: which observations they list or contain, and what they say about them.

A group can only take certainty away: it withdraws a result or holds it back, and makes none more certain than the
observation itself says. So a `corrected`, `amended` or `appended` report leaves each observation its own status: which
of them was changed is not said, and raising all would let an unchanged one replace a newer one.
A report's own time of collection is never lent to an observation that was sent beside it; `contained_observations` says
when one inside it takes it.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from intake.fhir_bundle import REPORT, Entry, is_local, without_version
from intake.fhir_observation import EFFECTIVE
from intake.fhir_shapes import Resource, an_id, an_object, as_list, identifier_words, instant, objects, words
from models.facts import LabStatus

OBSERVATION: Final = "Observation"
COMPOSITION, LIST = "Composition", "List"
MAX_GROUPS: Final = 20
"""The most groups of one observation; a laboratory's result is in a report, perhaps in a panel of a panel."""

WITHDRAWN: Final = (LabStatus.ENTERED_IN_ERROR, LabStatus.CANCELLED)  # the graver one first
_NOT_YET: Final = {
    "registered": LabStatus.REGISTERED,
    "preliminary": LabStatus.PRELIMINARY,
    "partial": LabStatus.PRELIMINARY,
}
_SAYS_NOTHING: Final = frozenset({"final", "amended", "corrected", "appended", "unknown"})
_CERTAINTY: Final = (LabStatus.UNKNOWN, LabStatus.REGISTERED, LabStatus.PRELIMINARY, LabStatus.FINAL)


class Name(NamedTuple):
    """A reference and where it means something: everywhere in the document, or only inside one resource."""

    scope: Entry | None
    reference: str


class Listed(NamedTuple):
    """How many observations a group lists, and by which references those that are not in the document."""

    all: int
    missing: tuple[str, ...]


class Groups:
    """What stands above each observation of a document: reports, panels, and the resource that contains it."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._groups: dict[Name, list[Entry]] = defaultdict(list)
        self._observations: dict[Name, list[Entry]] = defaultdict(list)
        for entry in entries:
            for name in _listed_by(entry):
                self._groups[name].append(entry)
            if entry.resource_type == OBSERVATION:
                for name in _names(entry):
                    self._observations[name].append(entry)

    def above(self, observation: Entry) -> tuple[Entry, ...]:
        """Every group of an observation, also through other groups, the nearest first; cut at one more than MAX_GROUPS."""
        found: dict[Entry, None] = {}
        seen: set[Name] = set()
        waiting = deque([observation])
        while waiting and len(found) <= MAX_GROUPS:
            for group in self._directly_above(waiting.popleft(), seen):
                if group not in found and group is not observation and len(found) <= MAX_GROUPS:
                    found[group] = None
                    waiting.append(group)
        return tuple(found)

    def listed(self, group: Entry) -> Listed:
        """What a group lists, itself left out."""
        found = {name: self._observations.get(name, []) for name in _listed_by(group)}
        others = {name: here for name, here in found.items() if here != [group]}
        return Listed(len(others), tuple(name.reference for name, here in others.items() if not here))

    def _directly_above(self, one: Entry, seen: set[Name]) -> Iterator[Entry]:
        if one.inside:
            yield one.inside
        for name in _names(one):
            if name not in seen:
                seen.add(name)
                yield from islice(self._groups.get(name, []), MAX_GROUPS + 2)  # one may be the observation itself


def contained_observations(entry: Entry) -> Iterator[Entry]:
    """The observations inside a report or an observation, each as if it said what it leaves to the one around it.

    That is subject, performer, specimen (where there is only one) and time of issue. The time of collection comes from
    a report alone, and only where the report lists the observation and gives one single instant: `effective` is the
    time that the observed values are related to, and an observation inside it has no life of its own. A day, a period
    or a time without zone stays with the report (LAB-04).
    """
    if entry.resource_type not in (REPORT, OBSERVATION) or entry.inside:
        return
    timed = _listed_inside(entry.resource) if _certain_time(entry.resource) else frozenset()
    for number, inner in enumerate(as_list(entry.resource.get("contained")), start=1):
        one = an_object(inner)
        if one.get("resourceType") == OBSERVATION:
            whole = _completed(one, entry.resource, with_time=words(one.get("id")) in timed)
            yield Entry(f"{entry.position}, contained {number}", whole, inside=entry)


def hidden_observations(document: object, found: Iterable[Entry]) -> Iterator[Entry]:
    """Observations where nobody looks: in other resources, inside what is inside, in the answer to a request."""
    seen: set[int] = set()
    for entry in found:
        read = [entry.resource]
        if entry.resource_type in (REPORT, OBSERVATION):
            read += [an_object(inner) for inner in as_list(entry.resource.get("contained"))]
        seen.update(map(id, read))
        inside = [one for one in _observations_in(entry.resource) if id(one) not in seen]
        seen.update(map(id, inside))
        for number, one in enumerate(inside, start=1):
            yield Entry(f"{entry.position}, observation {number} inside it", one, inside=entry)
    outside = [one for one in _observations_in(document) if id(one) not in seen]
    for number, one in enumerate(outside, start=1):
        yield Entry(f"document, observation {number} outside its entries", one)


def _observations_in(value: object) -> Iterator[Resource]:
    """The observations in a value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if one.get("resourceType") == OBSERVATION:
                yield one
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, list):
            waiting.extend(reversed(one))


def report_id(groups: Iterable[Entry]) -> str | None:
    """The identifier of the nearest report that has one, else the report's id if it outlives the document."""
    for group in groups:
        if group.resource_type == REPORT:
            lasting = None if is_local(group.full_url) else an_id(group.resource.get("id"))
            if found := identifier_words(group.resource.get("identifier")) or lasting:
                return found
    return None


def is_withdrawn(group: Resource) -> bool:
    """Whether the group takes back what it lists."""
    return group.get("status") in WITHDRAWN


def standing(own: LabStatus, groups: Iterable[Entry]) -> LabStatus:
    """The status of a result under its groups: withdrawn with them, and held back while one of them is not final.

    A correction is not held back: as `preliminary` it would let the very result stand that it corrects. `unknown`, and
    no status at all, says nothing: converters write it wherever HL7 v2 leaves OBR-25 empty, beside results that are
    final. A word that FHIR does not know may be a withdrawal, and so the result is of unknown status.
    """
    said = [status for group in groups if (status := group.resource.get("status")) is not None]
    if gone := next((w for w in WITHDRAWN if own is w or w in said), None):
        return gone
    if not all(isinstance(s, str) and (s in _NOT_YET or s in _SAYS_NOTHING) for s in said):
        return LabStatus.UNKNOWN
    held_back = [_NOT_YET[str(s)] for s in said if s in _NOT_YET]
    return min((own, *held_back), key=_CERTAINTY.index) if own in _CERTAINTY else own


def _names(entry: Entry) -> Iterator[Name]:
    if entry.inside is None:
        yield from (Name(None, reference) for reference in entry.references())
    elif own := words(entry.resource.get("id")):
        yield Name(entry.inside, f"#{own}")


def _listed_by(group: Entry) -> dict[Name, None]:
    """What a report names as its results or an observation as its members, each once."""
    named: dict[Name, None] = {}
    for reference in _references(group.resource):
        inner = reference.startswith("#")
        name = Name(group.inside or group, reference) if inner else Name(None, without_version(reference))
        named[name] = None
    return named


def _references(group: Resource) -> Iterator[str]:
    for item in _items(group):
        if isinstance(reference := item.get("reference"), str):
            yield reference.strip()


def _items(group: Resource) -> Iterator[Resource]:
    """The references of a report to its results, a panel to its members, a composition or a withdrawn list to its entries."""
    kind = group.get("resourceType")
    if kind == REPORT:
        yield from objects(group.get("result"))
    elif kind == OBSERVATION:
        yield from objects(group.get("hasMember"))
    elif kind == LIST and is_withdrawn(group):  # any other status of a list says nothing of what stands in it
        yield from (an_object(one.get("item")) for one in objects(group.get("entry")))
    elif kind == COMPOSITION:
        waiting = list(objects(group.get("section")))
        while waiting:
            section = waiting.pop()
            yield from objects(section.get("entry"))
            waiting += objects(section.get("section"))


def _completed(observation: Resource, around: Resource, *, with_time: bool) -> Resource:
    specimens = as_list(around.get("specimen"))
    lent = {name: around.get(name) for name in ("subject", "performer", "issued")}
    lent["specimen"] = specimens[0] if len(specimens) == 1 else None
    if with_time and not any(name.lstrip("_").startswith("effective") for name in observation):
        lent["effectiveDateTime"] = _certain_time(around)
    missing = {name: value for name, value in lent.items() if observation.get(name) is None}
    # What is contained lies in the outer resource, and references lead there (a resource inside contains nothing).
    return {**observation, **missing, "contained": around.get("contained")}


def _certain_time(report: Resource) -> str | None:
    stated = [name for name in report if name.lstrip("_").startswith("effective")]
    if report.get("resourceType") != REPORT or stated not in ([name] for name in EFFECTIVE[:2]):
        return None
    told = words(report[stated[0]])
    return told if instant(told) else None


def _listed_inside(report: Resource) -> frozenset[object]:
    """The ids of what a report lists of its own inside, also through a panel there. An id that is used twice is none."""
    inner: dict[object, list[Resource]] = defaultdict(list)
    for one in objects(report.get("contained")):
        if own := words(one.get("id")):
            inner[own].append(one)
    found: set[object] = set()
    waiting = list(_references(report))
    while waiting:
        reference = waiting.pop()
        own = reference.removeprefix("#")
        if reference.startswith("#") and own not in found and len(inner.get(own, ())) == 1:
            found.add(own)
            waiting.extend(_references(inner[own][0]))
    return frozenset(found)
