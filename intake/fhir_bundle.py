"""The entries of a FHIR document and what they refer to: subjects (IDN-01), specimens.

Only what came in the same document is looked at; nothing is ever fetched.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final, NamedTuple

from intake.fhir_shapes import Resource, all_words, an_id, an_object, as_list, identifier_words, objects, words
from intake.fhir_specimens import has_modifier
from intake.outcome import ExpectedSubject

_TYPE: Final = re.compile(r"[A-Za-z]{1,64}")
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_LOCAL: Final = ("#", "urn:")
REPORT: Final = "DiagnosticReport"
SPECIMEN: Final = "Specimen"
MAX_SPECIMENS: Final = 20
"""The most specimens that one result is looked for in; what lists more of them says of none what it is."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One resource of a document, and how others in it may refer to it; two with the same content stay two.

    `inside` is the resource that contains this one: only there `#` and its id mean it.
    """

    position: str
    resource: Resource
    full_url: str | None = None
    inside: "Entry | None" = None
    modified: bool = False
    """Whether the entry around it, or the document, has a modifier that is not understood."""

    @property
    def resource_type(self) -> str:
        """The type that the sender gives, or `unknown` where that is no name."""
        name = self.resource.get("resourceType")
        return name if isinstance(name, str) and _TYPE.fullmatch(name) else "unknown"

    @property
    def where(self) -> str:
        """The position for a person, with the id of an observation (another resource's may be a record number)."""
        own = self.resource.get("id")
        named = self.resource_type == "Observation" and isinstance(own, str) and _ID.fullmatch(own)
        return f"{self.position} ({own})" if named else self.position

    @property
    def home(self) -> str | None:
        """The address below which the sender keeps this resource, where the document says it."""
        address, _, kind = (self.full_url or "").rpartition("/")[0].rpartition("/")
        return an_id(address) if address.startswith(("http://", "https://")) and kind == self.resource_type else None

    def references(self) -> Iterator[str]:
        """The texts by which another entry may refer to this one."""
        if self.inside:
            return
        if self.full_url:
            yield self.full_url
        if own := words(self.resource.get("id")):
            yield f"{self.resource_type}/{own}"


class Person(NamedTuple):
    """Who an observation is about, as far as the document says: identifiers as (system, value), and the birth date."""

    identifiers: tuple[tuple[str, str], ...]
    birth_date: str | None = None


class Specimens(NamedTuple):
    """The Specimens of this document that a result was made of, and what is said of them beside."""

    here: tuple[Resource, ...]
    words: str | None
    too_many: bool


class Subject(NamedTuple):
    """The one patient of a document, in keyed hashes; `shared` are those of all identifiers that all results share."""

    subject_hash: str
    birth_hash: str | None
    shared: tuple[str, ...]


class References:
    """Resolves references within one document. One that fits two different resources resolves to neither."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._resources: dict[str, Resource | None] = {}  # `None`: two different ones go by this name
        self._contained: dict[int, tuple[object, dict[str, Resource | None]]] = {}
        for entry in entries:
            for reference in entry.references():
                same = self._resources.setdefault(reference, entry.resource) == entry.resource
                self._resources[reference] = entry.resource if same else None

    def person(self, observation: Resource) -> Person | None:
        """The person of `Observation.subject`, or `None` where it does not lead to an identifier of one patient."""
        subject = an_object(observation.get("subject"))
        named = _identifiers([subject.get("identifier")])
        if subject.get("type") not in (None, "Patient"):
            return None
        if not self._is_here(subject.get("reference")):
            return Person(named) if named and _may_be_a_patient(subject) else None
        patient = self.patient(observation) or {}
        identifiers = _identifiers(patient.get("identifier"))
        if not set(named) <= set(identifiers):  # the reference means one person and the identifier another
            return None
        return Person(identifiers, _birth_of(patient))

    def patient(self, observation: Resource) -> Resource | None:
        """The Patient of this document whom an observation is about."""
        return self._find("Patient", an_object(observation.get("subject")).get("reference"), observation)

    def people(self, observation: Resource, groups: Sequence[Entry]) -> Iterator[Person | None]:
        """The person of an observation, and those of its specimens and of the reports that list it: all one and the same.

        One that leads to nobody here does not contradict an observation that refers to the same place.
        """
        yield self.person(observation)
        reports = (group.resource for group in groups if group.resource_type == REPORT)
        for other in (*reports, *self.specimens(observation, groups).here):
            found = self.person(other)
            if names_a_subject(other) and (found or not _same_reference(other, observation)):
                yield found

    def specimen(self, observation: Resource) -> Resource:
        """The Specimen of this document of which an observation was made; empty where there is none."""
        reference = an_object(observation.get("specimen")).get("reference")
        return self._find(SPECIMEN, reference, observation) or {}

    def specimens(self, observation: Resource, groups: Sequence[Entry]) -> "Specimens":
        """Of what an observation was made: as it says itself, else the panels that list it, else the reports (LAB-14).

        Those farther off count only where nothing nearer leads to a Specimen of this document.
        """
        panels = [group.resource for group in groups if group.resource_type != REPORT]
        reports = [group.resource for group in groups if group.resource_type == REPORT]
        named: list[str | None] = [all_words(observation.get("bodySite"))]
        for level in ([observation], panels, reports):
            told = ((holder, one) for holder in level for one in objects(as_list(holder.get("specimen"))))
            stated = list(islice(told, MAX_SPECIMENS + 1))
            named += [words(one.get("display")) for _, one in stated]
            direct = [self._find(SPECIMEN, one.get("reference"), holder) for holder, one in stated]
            if len(stated) > MAX_SPECIMENS or any(direct):
                here, more = self._with_parents([one for one in direct if one])
                named += [all_words(an_object(one.get("collection")).get("bodySite")) for one in here]
                said = words(" / ".join(dict.fromkeys(name for name in named if name)))
                return Specimens(here, said, too_many=more or len(stated) > MAX_SPECIMENS)
        return Specimens((), words(" / ".join(dict.fromkeys(name for name in named if name))), too_many=False)

    def spoken_of(self, observation: Resource, groups: Sequence[Entry]) -> Iterator[Resource]:
        """Every Specimen of this document that a result, or a report or panel that lists it, refers to."""
        yield from self.specimens(observation, groups).here
        for holder in (group.resource for group in groups):
            for one in islice(objects(as_list(holder.get("specimen"))), MAX_SPECIMENS):
                if found := self._find(SPECIMEN, one.get("reference"), holder):
                    yield found

    def _with_parents(self, specimens: list[Resource]) -> tuple[tuple[Resource, ...], bool]:
        """These and what they were taken from, each once; and whether there are more than anybody takes."""
        found: dict[int, Resource] = {}
        waiting = list(specimens)
        while waiting and len(found) <= MAX_SPECIMENS:
            one = waiting.pop()
            if id(one) not in found:
                found[id(one)] = one
                parents = [parent.get("reference") for parent in objects(as_list(one.get("parent")))]
                above = [self._find(SPECIMEN, reference, one) for reference in parents[: MAX_SPECIMENS + 1]]
                waiting.extend(parent for parent in above if parent)
        return tuple(found.values())[:MAX_SPECIMENS], len(found) > MAX_SPECIMENS

    def accession(self, observation: Resource) -> str | None:
        """What ties the results of one specimen together, the same in every document the sender makes of it.

        The accession number or identifier of the specimen, else a reference that outlives this document.
        """
        found = self.specimen(observation)
        known = identifier_words([found.get("accessionIdentifier")]) or identifier_words(found.get("identifier"))
        known = known or identifier_words([an_object(observation.get("specimen")).get("identifier")])
        return known or self.lasting_specimen(observation)

    def lasting_specimen(self, observation: Resource) -> str | None:
        """The reference to the specimen where it outlives this document."""
        reference = an_object(observation.get("specimen")).get("reference")
        return None if is_local(reference) else an_id(reference)

    def _is_here(self, reference: object) -> bool:
        return isinstance(reference, str) and (is_local(reference) or without_version(reference) in self._resources)

    def _find(self, resource_type: str, reference: object, within: Resource) -> Resource | None:
        if not isinstance(reference, str):
            return None
        if reference.startswith("#"):
            found = self._inside(within).get(reference[1:])
        else:
            found = self._resources.get(without_version(reference))
        return found if found and found.get("resourceType") == resource_type else None

    def _inside(self, within: Resource) -> dict[str, Resource | None]:
        """What a resource contains, by id; kept, because thousands of observations inside one report ask for it."""
        contained = within.get("contained")
        known = self._contained.get(id(contained))
        if known is None or known[0] is not contained:
            inner: dict[str, Resource | None] = {}
            for one in objects(contained):
                if isinstance(own := one.get("id"), str):
                    inner[own] = None if own in inner else one
            known = self._contained[id(contained)] = (contained, inner)
        return known[1]


def is_local(reference: object) -> bool:
    """Whether a reference means something in this document only."""
    return isinstance(reference, str) and reference.startswith(_LOCAL)


def without_version(reference: str) -> str:
    """The reference to a resource, whichever version of it was meant."""
    return reference.partition("/_history/")[0]


def lone_patient(entries: Iterable[Entry]) -> Person | None:
    """The one Patient of a document that holds nothing about anybody, such as a list of deletions."""
    patients = [entry.resource for entry in entries if entry.resource_type == "Patient"]
    if len(patients) != 1:
        return None
    identifiers = _identifiers(patients[0].get("identifier"))
    return Person(identifiers, _birth_of(patients[0])) if identifiers else None


def doubt_of_patient(patient: Resource) -> str | None:
    """Why nothing about this Patient may be used: the record was replaced, or says what nobody here understands."""
    if any(link.get("type") == "replaced-by" for link in objects(as_list(patient.get("link")))):
        return "the record of its patient was replaced by another"
    if patient.get("active") is False:
        return "the record of its patient is not in use"
    return "its patient has a modifier that is not understood" if has_modifier(patient) else None


def names_a_subject(observation: Resource) -> bool:
    """Whether the observation says at all who it is about; a display name alone does not."""
    subject = an_object(observation.get("subject"))
    return bool(words(subject.get("reference")) or subject.get("identifier"))


def one_subject(people: Iterable[Person | None], expected: ExpectedSubject) -> Subject | None:
    """The patient whom all these people are, and who is the expected one; `None` where that is not certain (IDN-01).

    One identifier of several is enough. Two birth dates, or one that is no full date, are not one certain patient.
    """
    distinct = tuple(dict.fromkeys(people))
    known = [person for person in distinct if person is not None]
    if not known or len(known) != len(distinct):
        return None
    hashes = [dict.fromkeys(expected.hash_of(system, value) for system, value in p.identifiers) for p in known]
    shared = [h for h in hashes[0] if all(h in others for others in hashes)]
    meant = shared if expected.subject_hash is None else [h for h in shared if h == expected.subject_hash]
    births = {full_date(person.birth_date) for person in known if person.birth_date is not None}
    if not meant or len(births) > 1 or None in births:
        return None
    birth = next(iter(births), None)
    born = None if birth is None else expected.birth_hash_of(birth)
    another = None not in (born, expected.born) and born != expected.born
    return None if another else Subject(meant[0], born, tuple(shared))


def _same_reference(one: Resource, other: Resource) -> bool:
    """Whether the subjects of two resources are one reference that means the same in both."""
    there = an_object(one.get("subject")).get("reference")
    inner = isinstance(there, str) and there.startswith("#")
    return there is not None and not inner and there == an_object(other.get("subject")).get("reference")


def _identifiers(identifiers: object) -> tuple[tuple[str, str], ...]:
    """Uncut, unlike other words. A value without a system is no identity: every hospital has a patient 12345."""
    pairs = ((i.get("system"), i.get("value")) for i in objects(identifiers))
    trimmed = ((s.strip(), v.strip()) for s, v in pairs if isinstance(s, str) and isinstance(v, str))
    return tuple((s, v) for s, v in trimmed if s and v)


def _may_be_a_patient(subject: Resource) -> bool:
    reference = subject.get("reference")
    return reference is None or (isinstance(reference, str) and "Patient/" in reference)


def _birth_of(patient: Resource) -> str | None:
    born = patient.get("birthDate")
    return None if born is None else str(born).strip()


def full_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:  # 31 February
        return None
