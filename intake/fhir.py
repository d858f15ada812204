"""FHIR R4 JSON in, `LabResults` out: an `Observation`, or a `Bundle` of any type with observations in it.

A draw is what was taken at one time, from one specimen, for one report; it is one message (of at most 200 results).
A document speaks of one patient or of none: where a single observation is not certainly about the expected patient,
no observation of the document becomes a message (IDN-01).
Not read here: profiles, other resource types, contained observations, references out of the document, XML.
"""

from collections.abc import Iterator
from typing import Final

from intake.fhir_bundle import Entry, References, Subject, names_a_subject, one_subject
from intake.fhir_observation import Draw, NoResult, Origin, draw_of, results_of, sender_of
from intake.fhir_shapes import an_object, identifier_words, words
from intake.outcome import ExpectedSubject, Intake, Refusal, RefusedEntry
from intake.strict_json import Unreadable, read_json
from models.base import content_hash
from models.facts import LabResult
from models.messages import LabResults
from models.people import Actor

MAX_RESULTS: Final = 200
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
    entries, misshapen = _entries(document)
    observations = [entry for entry in entries if entry.resource_type == "Observation"]
    others = [_ignored(entry) for entry in entries if entry.resource_type != "Observation"]
    references = References(entries)
    subject = one_subject((references.person(o.resource) for o in observations), expected)
    if subject is None:
        return Intake(refused=(*misshapen, *others, *map(_not_the_patient, observations)))
    draws: dict[Draw, list[LabResult]] = {}
    partly = [refused for o in observations for refused in _sort_into(draws, o, references, sender)]
    messages = tuple(message for results in draws.values() for message in _messages(results, subject, by))
    return Intake(messages=messages, refused=(*misshapen, *others, *partly))


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


def _ignored(entry: Entry) -> RefusedEntry:
    to_resolve = entry.resource_type in ("Patient", "Specimen", "DiagnosticReport")
    reason = "read only where an observation refers to it" if to_resolve else "not read"
    return _refused(entry, Refusal.NOT_AN_OBSERVATION, reason)


def _not_the_patient(entry: Entry) -> RefusedEntry:
    if not names_a_subject(entry.resource):
        return _refused(entry, Refusal.SUBJECT_MISSING, "it does not say who it is about")
    return _refused(entry, Refusal.SUBJECT_MISMATCH, "this document is not certainly about the one expected patient")


def _sort_into(
    draws: dict[Draw, list[LabResult]], entry: Entry, references: References, sender: str | None
) -> Iterator[RefusedEntry]:
    """Put the results of one observation to their draw; yield the parts that became none."""
    specimen, report_id = references.accession(entry.resource), references.report_id(entry)
    accession = specimen or identifier_words(entry.resource.get("identifier"))
    origin = Origin(sender or sender_of(entry.resource), accession, report_id)
    draw = draw_of(entry.resource, specimen, report_id)
    for result in results_of(entry.resource, origin):
        if isinstance(result, NoResult):
            yield _refused(entry, result.refusal, result.reason, result.suffix)
        else:
            draws.setdefault(draw, []).append(result)


def _messages(results: list[LabResult], subject: Subject, by: Actor) -> Iterator[LabResults]:
    for first in range(0, len(results), MAX_RESULTS):
        unnamed = LabResults(
            id="fhir",
            by=by,
            subject_hash=subject.subject_hash,
            birth_hash=subject.birth_hash,
            results=tuple(results[first : first + MAX_RESULTS]),
        )
        yield unnamed.model_copy(update={"id": _message_id(unnamed)})


def _message_id(message: LabResults) -> str:
    """From all that the message says, so that a repeat is a repeat and nothing else is.

    Fields that say nothing are left out: a release that adds one gives the same document the same id.
    """
    said = message.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    return f"fhir-{content_hash(said)[:24]}"
