"""FHIR R4 JSON in, `LabResults` out: an `Observation`, a `DiagnosticReport`, or whatever holds some (`fhir_document.py`).

A draw is what was taken at one time, from one specimen, for one report; it is one message (of at most 200 results).
A document speaks of one patient or of none: where a single observation is not certainly about the expected patient,
no observation of the document becomes a message (IDN-01). Of that patient nothing is lost: what could not be read is in a
message too, as a result that nobody may use (LAB-12), and so is what the document takes back or deletes (LAB-09).
Reports and panels are read for what they say about the observations that they list or contain (`fhir_groups.py`).
Not read here: profiles, other resource types, references out of the document, XML.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from intake.fhir_bundle import (
    MAX_SPECIMENS,
    REPORT,
    Entry,
    Person,
    References,
    Subject,
    doubt_of_patient,
    full_date,
    lone_patient,
    names_a_subject,
    one_subject,
)
from intake.fhir_document import DOCUMENT, refused, taken_apart
from intake.fhir_groups import (
    MAX_GROUPS,
    OBSERVATION,
    WITHDRAWN,
    Groups,
    contained_observations,
    hidden_observations,
    report_id,
    standing,
)
from intake.fhir_observation import (
    NotRead,
    Origin,
    doubts_of,
    drawn_of,
    results_of,
    says_something,
    sender_of,
    status_of,
)
from intake.fhir_ranges import About
from intake.fhir_shapes import Resource, an_id, an_object, coded, identifier_words, objects, words
from intake.fhir_specimens import Drawn, doubt_of, kind_of, older
from intake.fhir_withdrawals import (
    TakenBack,
    changed,
    refused_specimens,
    reports_in_words,
    resource_key,
    version_of,
    withdrawn_groups,
    without_a_code,
)
from intake.outcome import ExpectedSubject, Intake, Refusal, RefusedEntry
from intake.strict_json import Unreadable, read_json
from models.base import content_hash
from models.bounds import LARGEST_BYTES, LONGEST_LIST
from models.facts import LabResult, ResultWithdrawn
from models.messages import LabResults
from models.people import Actor

MAX_RESULTS: Final = LONGEST_LIST
"""The most results that `LabResults` takes; a larger draw becomes several messages."""

MAX_WRITTEN: Final = LARGEST_BYTES // 2
"""Bytes of results in one message: half of what a course takes, for there is more in it than they."""


def read_fhir(raw: bytes, *, expected: ExpectedSubject, by: Actor, sender: str | None = None) -> Intake:
    """The messages of one document (UTF-8 JSON, at most 16 MiB), and every entry that is in none of them.

    Never raises for what was sent. `by` is the laboratory's machine; `sender`, where given, stands for whatever the
    observations say of their performer, because it decides which result replaces which. The same bytes give equal
    messages with equal ids, and another id stands for other content.
    """
    try:
        document = read_json(raw)
    except Unreadable as fault:
        return Intake(refused=(refused(DOCUMENT, fault.refusal, fault.reason),))
    whole = taken_apart(document)
    found = whole.entries
    entries = [one for entry in found for one in (entry, *contained_observations(entry))]
    observations = [entry for entry in entries if entry.resource_type == OBSERVATION]
    hidden = list(hidden_observations(document, found))
    references, groups = References(found), Groups(entries)
    above = {id(entry): groups.above(entry) for entry in observations}
    used = (s for o in observations for s in references.spoken_of(o.resource, above[id(o)]))
    taken_back = [*withdrawn_groups(entries, groups, str(by)), *changed(whole.changes, str(by))]
    taken_back += [*refused_specimens(entries, used), *reports_in_words(entries, groups)]
    others = [_ignored(entry, groups) for entry in entries if entry.resource_type != OBSERVATION]
    back = {one.entry.where for one in taken_back}
    beside = (*whole.misshapen, *(one for one in others if one.where not in back))
    people = list(_people(observations, above, taken_back, references))
    if not people:  # nothing that is read says of whom the document is
        told = (references.person(entry.resource) for entry in hidden)
        people = [person for person in told if person] or [lone_patient(found) if taken_back or hidden else None]
    subject = one_subject(people, expected)
    if subject is None and expected.whoever:
        subject = Subject("whoever", None, ())
    if subject is None and expected.chosen and expected.subject_hash and not hidden:
        only_back = all(standing(status_of(o.resource), above[id(o)]) in WITHDRAWN for o in observations)
        only_back = only_back and all(one.refusal is Refusal.WITHDRAWS_ANOTHER for one in taken_back)
        subject = Subject(expected.subject_hash, None, ()) if only_back and _names_nobody(entries) else None
    if subject is None:
        undone = (refused(one.entry, one.refusal, f"{one.reason}: correct what is known by hand") for one in taken_back)
        nobody = (_not_the_patient(o, references) for o in observations)
        return Intake(refused=(*beside, *undone, *nobody, *map(_not_there, hidden)))
    reading = _Reading(references, groups, str(by), sender, _shared_identifiers(observations))
    partly = [lost for entry in observations for lost in reading.take(entry, above[id(entry)])]
    partly += [lost for entry in hidden for lost in reading.take_hidden(entry, people, expected)]
    partly += [lost for one in taken_back for lost in reading.take_back(one)]
    messages = [message for results in reading.draws.values() for message in _messages(results, subject, by)]
    messages += _withdrawals(reading.withdrawn, subject, by)
    return Intake(messages=tuple(messages), refused=(*beside, *partly), subjects=subject.shared)


def _people(
    observations: list[Entry], above: dict[int, tuple[Entry, ...]], taken_back: list[TakenBack], references: References
) -> Iterator[Person | None]:
    for o in observations:
        yield from references.people(o.resource, above[id(o)])
    for one in taken_back:
        if names_a_subject(one.entry.resource):
            yield references.person(one.entry.resource)


def _names_nobody(entries: list[Entry]) -> bool:
    """Whether nothing in a document says of anybody that it is about him or her."""
    return not any(entry.resource_type == "Patient" or entry.resource.get("subject") is not None for entry in entries)


def _shared_identifiers(observations: list[Entry]) -> frozenset[str]:
    """Identifiers that several analytes of this document share: an order number identifies no result (LAB-08)."""
    named: dict[str, set[object]] = defaultdict(set)
    for entry in observations:
        for name in _identifiers(entry.resource):
            code = coded(entry.resource.get("code"))
            named[name].add(code.loincs if len(code.loincs) == 1 else code)
    return frozenset(name for name, codes in named.items() if len(codes) > 1)


_OF_AN_ORDER: Final = frozenset({"PLAC", "FILL", "ACSN", "PGN"})
"""Types of identifiers that name an order or a sample, and no single result (HL7 table 0203)."""


def _identifiers(observation: Resource) -> Iterator[str]:
    for one in objects(observation.get("identifier")):
        kinds = {words(c.get("code")) for c in objects(an_object(one.get("type")).get("coding"))}
        system, value = words(one.get("system")), words(one.get("value"))
        if system and value and kinds.isdisjoint(_OF_AN_ORDER) and (name := an_id(f"{one['system']}|{one['value']}")):
            yield name


def _ignored(entry: Entry, groups: Groups) -> RefusedEntry:
    if entry.resource_type == REPORT:
        return _report(entry, groups)
    to_resolve = entry.resource_type in ("Patient", "Specimen")
    reason = "read only where an observation refers to it" if to_resolve else "not read"
    return refused(entry, Refusal.NOT_AN_OBSERVATION, reason)


def _report(entry: Entry, groups: Groups) -> RefusedEntry:
    """A report is no result."""
    listed = groups.listed(entry)
    missing = len(listed.missing)
    elsewhere = f"; {missing} of {listed.all} are not in this document" if missing else ""
    return refused(entry, Refusal.NOT_AN_OBSERVATION, f"read only for the observations that it lists{elsewhere}")


def _not_the_patient(entry: Entry, references: References) -> RefusedEntry:
    if not names_a_subject(entry.resource):
        return refused(entry, Refusal.SUBJECT_MISSING, "it does not say who it is about")
    if references.person(entry.resource) is None:
        reason = "no Patient with one certain identifier is in this document for it, so nobody knows whose it is"
        return refused(entry, Refusal.SUBJECT_MISMATCH, reason)
    return refused(entry, Refusal.SUBJECT_MISMATCH, "this document is not certainly about the one expected patient")


def _not_there(entry: Entry) -> RefusedEntry:
    where = entry.position
    return RefusedEntry(where=where, resource_type=OBSERVATION, type=Refusal.NOT_READ_THERE, reason=_UNREAD)


_UNREAD: Final = "not read where it stands"


class _Reading:
    """The results of one document, sorted into draws, and what it takes back."""

    def __init__(
        self, references: References, groups: Groups, machine: str, sender: str | None, shared: frozenset[str]
    ) -> None:
        self.draws: dict[object, list[LabResult]] = {}
        self.withdrawn: list[ResultWithdrawn] = []
        self._references = references
        self._groups = groups
        self._machine = machine
        self._sender = sender
        self._shared = shared

    def take(self, entry: Entry, above: tuple[Entry, ...], *doubts: NotRead) -> Iterator[RefusedEntry]:
        """Put the results of one observation to their draw; yield the parts that nobody may use."""
        found = [*doubts, *self._doubts(entry, above)]
        if not found and self._is_only_a_panel(entry):
            yield refused(entry, Refusal.ONLY_A_PANEL, "it has no value of its own; its members are read")
            return
        report = report_id(above)
        accession = self._references.accession(entry.resource)
        drawn = drawn_of(entry.resource)
        draw = (drawn.at, drawn.text, accession, report)
        specimens = self._references.specimens(entry.resource, above)
        for specimen in specimens.here:
            drawn = older(specimen, drawn)
        origin = Origin(
            status=standing(status_of(entry.resource), above),
            drawn=drawn,
            about=self._about(entry.resource, drawn_of(entry.resource)),
            doubts=tuple(found),
            shared=(
                *self._identity(entry, accession, report).items(),
                ("specimen_type", kind_of(specimens.here)),
                ("specimen_words", specimens.words),
            ),
        )
        for result in results_of(entry.resource, origin):
            kept = result.result if isinstance(result, NotRead) else result
            if kept is not None and (gone := without_a_code(kept)):
                self.withdrawn.append(gone)
            elif kept is not None:
                self.draws.setdefault(draw, []).append(kept)
            if isinstance(result, NotRead):
                yield refused(entry, result.refusal, result.reason, result.suffix, kept=kept is not None)

    def take_hidden(
        self, entry: Entry, people: list[Person | None], expected: ExpectedSubject
    ) -> Iterator[RefusedEntry]:
        """An observation where nobody looks, if it is not certainly about another: what it may say is unknown."""
        if names_a_subject(entry.resource):
            person = self._references.person(entry.resource)
            if one_subject([*people, person], expected) is None:
                yield _not_there(entry)
                return
        bare = Entry(entry.position, entry.resource)
        yield from self.take(bare, (), NotRead("", Refusal.NOT_READ_THERE, _UNREAD))

    def take_back(self, one: TakenBack) -> Iterator[RefusedEntry]:
        """A withdrawal of what is not here: whatever it joins is withdrawn, and else what it may mean is unknown."""
        if isinstance(one.what, LabResult):
            self.draws.setdefault(one.entry, []).append(one.what)
        else:
            self.withdrawn.append(one.what)
        yield refused(one.entry, one.refusal, one.reason, kept=True)

    def _doubts(self, entry: Entry, above: tuple[Entry, ...]) -> Iterator[NotRead]:
        if len(above) > MAX_GROUPS:
            yield NotRead("", Refusal.TOO_MANY_GROUPS, f"more than {MAX_GROUPS} reports and panels list it")
        if entry.modified or (entry.inside is not None and entry.inside.modified):
            yield NotRead("", Refusal.MODIFIED, "a modifier around it is not understood")
        for group in above[:MAX_GROUPS]:
            for doubt in doubts_of("", group.resource):
                yield doubt._replace(reason=f"so says a report or panel that lists it: {doubt.reason}")
        if patient := self._references.patient(entry.resource):
            reason = doubt_of_patient(patient)
            if reason is not None:
                yield NotRead("", Refusal.PATIENT_REPLACED, reason)
        specimens = self._references.specimens(entry.resource, above)
        if specimens.too_many:
            yield NotRead("", Refusal.SPECIMEN, f"more than {MAX_SPECIMENS} specimens are named for it")
        for specimen in specimens.here:
            if reason := doubt_of(specimen, drawn_of(entry.resource)):
                yield NotRead("", Refusal.SPECIMEN, reason)

    def _about(self, observation: Resource, drawn: Drawn) -> About:
        patient = self._references.patient(observation) or {}
        born = words(patient.get("birthDate"))
        return About(
            words(patient.get("gender")), full_date(born) if born else None, drawn.at.date() if drawn.at else None
        )

    def _identity(self, entry: Entry, accession: str | None, report: str | None) -> dict[str, Any]:
        observation = entry.resource
        own = tuple(dict.fromkeys(name for name in _identifiers(observation) if name not in self._shared))
        lasting = self._references.lasting_specimen(observation)
        return {
            "sender": self._sender or sender_of(observation),
            "accession": accession or identifier_words(observation.get("identifier")),
            "report_id": report,
            "resource": None if entry.inside else resource_key(self._machine, observation.get("id")),
            "home": entry.home,
            "identifiers": own or None,
            "specimen": lasting if lasting != accession else None,
            **version_of(observation),
        }

    def _is_only_a_panel(self, entry: Entry) -> bool:
        listed = self._groups.listed(entry)
        silent = not says_something(entry.resource) and not entry.resource.get("component")
        return silent and listed.all > len(listed.missing) and not list(doubts_of("", entry.resource))


def _messages(results: list[LabResult], subject: Subject, by: Actor) -> Iterator[LabResults]:
    for part in _parts(results):
        yield _named(LabResults(id="fhir", by=by, results=part, **_subject(subject)))


def _withdrawals(withdrawn: list[ResultWithdrawn], subject: Subject, by: Actor) -> Iterator[LabResults]:
    each = list(dict.fromkeys(withdrawn))
    for first in range(0, len(each), MAX_RESULTS):
        part = tuple(each[first : first + MAX_RESULTS])
        yield _named(LabResults(id="fhir", by=by, results=(), withdrawn=part, **_subject(subject)))


def _subject(subject: Subject) -> dict[str, Any]:
    return {"subject_hash": subject.subject_hash, "birth_hash": subject.birth_hash}


def _named(unnamed: LabResults) -> LabResults:
    return unnamed.model_copy(update={"id": _message_id(unnamed)})


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
