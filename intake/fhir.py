"""FHIR R4 JSON in, `LabResults` out: an `Observation`, a `DiagnosticReport`, or a `Bundle` of any type that holds some.

A draw is what was taken at one time, from one specimen, for one report; it is one message (of at most 200 results).
A document speaks of one patient or of none: where a single observation is not certainly about the expected patient,
no observation of the document becomes a message (IDN-01).
Reports and panels are read for what they say about the observations that they list or contain (`fhir_groups.py`).
Not read here: profiles, other resource types, references out of the document, XML.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from intake.fhir_bundle import Entry, References, Subject, names_a_subject, one_subject
from intake.fhir_groups import (
    MAX_GROUPS,
    OBSERVATION,
    REPORT,
    Groups,
    contained_observations,
    is_withdrawn,
    observations_in,
    report_id,
    standing,
)
from intake.fhir_observation import (
    Draw,
    NoResult,
    Origin,
    draw_of,
    not_to_be_read,
    results_of,
    says_something,
    sender_of,
    status_of,
)
from intake.fhir_shapes import an_object, identifier_words, words
from intake.outcome import ExpectedSubject, Intake, Refusal, RefusedEntry
from intake.strict_json import Unreadable, read_json
from models.base import content_hash
from models.bounds import LARGEST_BYTES, LONGEST_LIST
from models.facts import LabResult
from models.messages import LabResults
from models.people import Actor

MAX_RESULTS: Final = LONGEST_LIST
MAX_WRITTEN: Final = LARGEST_BYTES // 2
"""Bytes of results in one message: half of what a course takes, for there is more in it than they."""
"""The most results that `LabResults` takes; a larger draw becomes several messages."""

_DOCUMENT: Final = Entry("document", {})


def read_fhir(raw: bytes, *, expected: ExpectedSubject, by: Actor, sender: str | None = None) -> Intake:
    """The messages of one document (UTF-8 JSON, at most 256 KiB), and every entry that is in none of them.

    Never raises for what was sent. `by` is the laboratory's machine; `sender`, where given, stands for whatever the
    observations say of their performer, because it decides which result replaces which. The same bytes give equal
    messages with equal ids, and another id stands for other content.
    """
    try:
        document = read_json(raw)
    except Unreadable as fault:
        return Intake(refused=(_refused(_DOCUMENT, fault.refusal, fault.reason),))
    found, misshapen = _entries(document)
    entries = [one for entry in found for one in (entry, *contained_observations(entry))]
    observations = [entry for entry in entries if entry.resource_type == OBSERVATION]
    references, groups = References(found), Groups(entries)
    others = [_ignored(entry, groups) for entry in entries if entry.resource_type != OBSERVATION]
    beside = (*misshapen, *others, *_too_deep(document, found), *_withdrawing_panels(observations, groups))
    above = [groups.above(observation) for observation in observations]
    people = (
        person
        for o, around in zip(observations, above, strict=True)
        for person in references.people(o.resource, (g.resource for g in around if g.resource_type == REPORT))
    )
    subject = one_subject(people, expected)
    if subject is None:
        return Intake(refused=(*beside, *map(_not_the_patient, observations)))
    reading = _Reading(references, groups, sender)
    partly = [refused for o, around in zip(observations, above, strict=True) for refused in reading.take(o, around)]
    messages = tuple(message for results in reading.draws.values() for message in _messages(results, subject, by))
    return Intake(messages=messages, refused=(*beside, *partly), subjects=subject.shared)


def _entries(document: object) -> tuple[list[Entry], list[RefusedEntry]]:
    """The resources of a document, and what stands in their place without being one."""
    resource = an_object(document)
    if resource.get("resourceType") != "Bundle":
        if resource:
            return [Entry(_DOCUMENT.position, resource)], []
        return [], [_refused(_DOCUMENT, Refusal.NOT_FHIR, "no resource")]
    listed = resource.get("entry", [])
    if not isinstance(listed, list):
        return [], [_refused(Entry(_DOCUMENT.position, resource), Refusal.NOT_FHIR, "its entries are no list")]
    entries = [_entry(number, an_object(item)) for number, item in enumerate(listed, start=1)]
    empty = [
        _refused(entry, Refusal.NOT_FHIR, "the entry holds no resource") for entry in entries if not entry.resource
    ]
    return [entry for entry in entries if entry.resource], empty


def _entry(number: int, item: dict[str, object]) -> Entry:
    return Entry(f"entry {number}", an_object(item.get("resource")), words(item.get("fullUrl")))


def _refused(entry: Entry, refusal: Refusal, reason: str, suffix: str = "") -> RefusedEntry:
    where = f"{entry.where}{suffix}"
    return RefusedEntry(where=where, resource_type=entry.resource_type, type=refusal, reason=reason)


def _ignored(entry: Entry, groups: Groups) -> RefusedEntry:
    if entry.resource_type == REPORT:
        return _report(entry, groups)
    to_resolve = entry.resource_type in ("Patient", "Specimen")
    reason = "read only where an observation refers to it" if to_resolve else "not read"
    return _refused(entry, Refusal.NOT_AN_OBSERVATION, reason)


def _report(entry: Entry, groups: Groups) -> RefusedEntry:
    """A report is no result. What it takes back without saying what that was, a person must find and correct."""
    listed = groups.listed(entry)
    if is_withdrawn(entry) and (listed.missing or not listed.all):
        return _withdrawing(entry, listed.missing)
    elsewhere = f"; {listed.missing} of {listed.all} are not in this document" if listed.missing else ""
    return _refused(entry, Refusal.NOT_AN_OBSERVATION, f"read only for the observations that it lists{elsewhere}")


def _withdrawing_panels(observations: Iterable[Entry], groups: Groups) -> Iterator[RefusedEntry]:
    for entry in observations:
        if is_withdrawn(entry) and (missing := groups.listed(entry).missing):
            yield _withdrawing(entry, missing)


def _withdrawing(entry: Entry, missing: int) -> RefusedEntry:
    what = f"{missing} result(s) that are not in this document" if missing else "results that it does not list"
    return _refused(entry, Refusal.WITHDRAWS_ANOTHER, f"it is withdrawn with {what}: correct them by hand")


def _too_deep(document: object, found: Iterable[Entry]) -> Iterator[RefusedEntry]:
    """Observations where nobody looks: in other resources, inside what is inside, in the answer to a request."""
    seen = 0
    for entry in found:
        read = sum(1 for _ in contained_observations(entry)) + (entry.resource_type == OBSERVATION)
        inner = observations_in(entry.resource)
        seen += inner
        for number in range(1, inner - read + 1):
            yield _unread(entry, f", observation {number} inside it")
    for number in range(1, observations_in(document) - seen + 1):
        yield _unread(_DOCUMENT, f", observation {number} outside its entries")


def _unread(entry: Entry, suffix: str) -> RefusedEntry:
    where = f"{entry.position}{suffix}"
    reason = "not read where it stands"
    return RefusedEntry(where=where, resource_type=OBSERVATION, type=Refusal.NOT_READ_THERE, reason=reason)


def _not_the_patient(entry: Entry) -> RefusedEntry:
    if not names_a_subject(entry.resource):
        return _refused(entry, Refusal.SUBJECT_MISSING, "it does not say who it is about")
    return _refused(entry, Refusal.SUBJECT_MISMATCH, "this document is not certainly about the one expected patient")


class _Reading:
    """The results of one document, sorted into draws."""

    def __init__(self, references: References, groups: Groups, sender: str | None) -> None:
        self.draws: dict[Draw, list[LabResult]] = {}
        self._references = references
        self._groups = groups
        self._sender = sender

    def take(self, entry: Entry, above: tuple[Entry, ...]) -> Iterator[RefusedEntry]:
        """Put the results of one observation to their draw; yield the parts that became none."""
        if len(above) > MAX_GROUPS:
            yield _refused(entry, Refusal.TOO_MANY_GROUPS, f"more than {MAX_GROUPS} reports and panels list it")
            return
        if doubt := next((n for g in above if (n := not_to_be_read("", g.resource))), None):
            reason = f"so says a report or panel that lists it: {doubt.reason}"
            yield _refused(entry, doubt.refusal, reason)
            return
        if self._is_only_a_panel(entry):
            yield _refused(entry, Refusal.ONLY_A_PANEL, "it has no value of its own; its members are read")
            return
        specimen, report = self._references.accession(entry.resource), report_id(above)
        accession = specimen or identifier_words(entry.resource.get("identifier"))
        status = standing(status_of(entry.resource), above)
        origin = Origin(status, self._sender or sender_of(entry.resource), accession, report)
        draw = draw_of(entry.resource, specimen, report)
        for result in results_of(entry.resource, origin):
            if isinstance(result, NoResult):
                yield _refused(entry, result.refusal, result.reason, result.suffix)
            else:
                self.draws.setdefault(draw, []).append(result)

    def _is_only_a_panel(self, entry: Entry) -> bool:
        listed = self._groups.listed(entry)
        silent = not says_something(entry.resource) and not entry.resource.get("component")
        return silent and listed.all > listed.missing and not_to_be_read("", entry.resource) is None


def _messages(results: list[LabResult], subject: Subject, by: Actor) -> Iterator[LabResults]:
    for part in _parts(results):
        unnamed = LabResults(
            id="fhir",
            by=by,
            subject_hash=subject.subject_hash,
            birth_hash=subject.birth_hash,
            results=part,
        )
        yield unnamed.model_copy(update={"id": _message_id(unnamed)})


def _parts(results: list[LabResult]) -> Iterator[tuple[LabResult, ...]]:
    """The results of one draw in as many messages as their number and their words ask for."""
    part: list[LabResult] = []
    size = 0
    for result in results:
        written = len(result.model_dump_json().encode())
        if part and (len(part) == MAX_RESULTS or size + written > MAX_WRITTEN):
            yield tuple(part)
            part, size = [], 0
        part.append(result)
        size += written
    if part:
        yield tuple(part)


def _message_id(message: LabResults) -> str:
    """From all that the message says, so that a repeat is a repeat and nothing else is.

    Fields that say nothing are left out: a release that adds one gives the same document the same id.
    """
    said = message.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    return f"fhir-{content_hash(said)[:24]}"
