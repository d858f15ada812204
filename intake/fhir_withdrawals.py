"""What takes back results that are not in the document: withdrawn reports and panels, deletions, changes in part (LAB-09).

A withdrawal becomes a `ResultWithdrawn` with all that says which result is meant; one that says nothing may mean any. What
makes results doubtful without saying what they are now becomes a result that nobody may use and that may be any (LAB-12).
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qs

from intake.fhir_bundle import REPORT, SPECIMEN, Entry, is_local
from intake.fhir_groups import COMPOSITION, LIST, OBSERVATION, Groups, is_withdrawn, report_id
from intake.fhir_shapes import (
    Resource,
    an_id,
    an_object,
    as_list,
    coded,
    concept_words,
    identifier_words,
    instant,
    is_loinc,
    objects,
    words,
)
from intake.fhir_specimens import is_refused, kind_of
from intake.outcome import Refusal
from models.facts import NO_CODE, LabResult, LabStatus, ResultWithdrawn
from models.sent import sent_result

_ADDRESS: Final = re.compile(
    r"(?:(?P<home>https?://.+)/)?(?P<kind>[A-Za-z]+)(?:/(?P<id>[A-Za-z0-9.-]{1,64})|\?(?P<query>.+))(?:/_history/.*)?"
)
DELETES: Final = "DELETE"
WRITES_WHOLE: Final = frozenset({"POST", "PUT", "GET", "HEAD"})
"""What a transaction does with a resource as it stands, or to none; anything else changes one that is not told whole."""

_HOW: Final = {LabStatus.ENTERED_IN_ERROR: "entered-in-error", LabStatus.CANCELLED: "cancelled"}


class TakenBack(NamedTuple):
    """A withdrawal or a result in doubt, with the entry that says it, and in words what becomes of it."""

    entry: Entry
    reason: str
    what: ResultWithdrawn | LabResult
    refusal: Refusal = Refusal.WITHDRAWS_ANOTHER


class Change(NamedTuple):
    """An entry of a transaction that holds no whole resource: what it does, and the address of what it does it to."""

    entry: Entry
    method: str
    url: str

    @property
    def named(self) -> re.Match[str] | None:
        """The address, read; `None` where it may be any."""
        return _ADDRESS.fullmatch(self.url.strip().removeprefix("/"))

    @property
    def may_be_of_a_result(self) -> bool:
        """Whether a result may rest on what it changes."""
        if self.named is None:
            return True
        return self.named["kind"] in (OBSERVATION, REPORT, SPECIMEN, *(("Patient",) if self.method == DELETES else ()))


def withdrawn_groups(entries: Iterable[Entry], groups: Groups, machine: str) -> Iterator[TakenBack]:
    """Reports and panels that are withdrawn with results that are not here, or that list none."""
    for entry in entries:
        listed = groups.listed(entry)
        empty_report = entry.resource_type == REPORT and not listed.all
        if entry.resource_type not in (REPORT, OBSERVATION, COMPOSITION, LIST) or not is_withdrawn(entry.resource):
            continue
        if listed.missing:
            reason = f"it is withdrawn with {len(listed.missing)} result(s) that are not in this document"
            for reference in listed.missing:
                yield TakenBack(entry, reason, _of_group(entry, machine, reference))
        elif empty_report:
            yield TakenBack(entry, "it is withdrawn with results that it does not list", _of_group(entry, machine))


def changed(changes: Iterable[Change], machine: str) -> Iterator[TakenBack]:
    """What a transaction deletes or changes in part, of what a result may rest on."""
    for one in changes:
        named = _named_by(one.named, machine) if one.named is not None else {}
        if one.method == DELETES:
            reason = "it deletes a result, or what one rests on"
            yield TakenBack(one.entry, reason, ResultWithdrawn(how="deleted", **named))
        else:
            reason = "it changes a part of a result, or of what one rests on"
            yield TakenBack(one.entry, reason, _in_doubt("a result that was changed in part", **named))


def refused_specimens(entries: Iterable[Entry], used: Iterable[Resource]) -> Iterator[TakenBack]:
    """Specimens of no result of the document that must not be used: results that came earlier may be made of them (LAB-14)."""
    here = {id(specimen) for specimen in used}
    for entry in entries:
        if entry.resource_type == SPECIMEN and id(entry.resource) not in here and is_refused(entry.resource):
            kind = kind_of([entry.resource])
            name = f"a result of a specimen that must not be used{f' ({kind})' if kind else ''}"
            reason = "nothing of this specimen must be used, and no result of it is in this document"
            yield TakenBack(entry, reason, _in_doubt(name, **_of_specimen(entry.resource)))


def reports_in_words(entries: list[Entry], groups: Groups) -> Iterator[TakenBack]:
    """Reports that have no observation and say something in words or an attachment: whose results nobody here can read."""
    holding = {id(entry.inside) for entry in entries if entry.inside is not None and entry.resource_type == OBSERVATION}
    for entry in entries:
        report = entry.resource
        if entry.resource_type != REPORT or is_withdrawn(report) or groups.listed(entry).all or id(entry) in holding:
            continue
        named = [words(one.get("display")) for one in objects(report.get("result"))]
        if any(named) or any(report.get(name) for name in ("presentedForm", "conclusion", "conclusionCode")):
            reason = "it gives its results in words or an attachment only"
            yield TakenBack(entry, reason, _of_words(report, [n for n in named if n]), Refusal.ONLY_IN_WORDS)


_LABORATORY: Final = frozenset({"lab", "ch", "hm", "laboratory", "labor", "chemistry", "hematology", "haematology"})
"""How the category of a report says that it is a laboratory's (HL7 table 0074, and words)."""


def _of_words(report: Resource, named: list[str]) -> LabResult:
    """A result by the names of a report. One of a laboratory, or of nobody knows what, may be any where these fit none."""
    code = coded(report.get("code"))
    said = [
        word.casefold()
        for one in as_list(report.get("category"))
        for word in (words(an_object(one).get("text")), *_codings(one))
        if word
    ]
    known = {} if not said or not _LABORATORY.isdisjoint(said) else {"codes": code.others or None}
    return sent_result(
        loinc=code.loincs[0] if known and code.loincs else NO_CODE,
        display=concept_words(report.get("code")),
        names=tuple(dict.fromkeys((*code.names, *named))) or None,
        doubt="its value is told in words or an attachment only",
        report_id=None,
        status=LabStatus.UNKNOWN,
        **known,
    )


def _codings(concept: object) -> Iterator[str | None]:
    for one in objects(an_object(concept).get("coding")):
        yield words(one.get("code"))
        yield words(one.get("display"))


def _in_doubt(name: str, **named: Any) -> LabResult:
    """A result of which nobody knows what it is now, by a name that fits no analyte, or another for certain."""
    return sent_result(loinc=NO_CODE, display=name, doubt="what it is now is not told", **named)


def _of_specimen(specimen: Resource) -> dict[str, Any]:
    own = words(specimen.get("id"))
    lasting = an_id(f"{SPECIMEN}/{own}") if own else None
    number = identifier_words([specimen.get("accessionIdentifier")]) or identifier_words(specimen.get("identifier"))
    return {"specimen": lasting, "accession": number or lasting}


def without_a_code(result: LabResult) -> ResultWithdrawn | None:
    """A withdrawn result that does not say one code: of all that it may have been."""
    if result.status not in _HOW or (result.loinc != NO_CODE and not result.codes):
        return None
    codes = (
        result.loinc,
        *(code for system, _, code in (c.rpartition("|") for c in result.codes or ()) if is_loinc(system)),
    )
    shared = {name: getattr(result, name) for name in ResultWithdrawn.model_fields if name in LabResult.model_fields}
    shared |= {"kind": "result_withdrawn", "how": _HOW[result.status]}
    return ResultWithdrawn(**shared, loincs=tuple(code for code in codes if code != NO_CODE) or None)


def resource_key(machine: str, own: object) -> str | None:
    """The sending system with the id of a resource, the same in a bundle and alone; a machine sends for one system."""
    return an_id(f"{machine}|{own.strip()}") if isinstance(own, str) and own.strip() else None


def version_of(resource: Resource) -> dict[str, Any]:
    """Which version of a resource this is, as far as it is told."""
    meta = an_object(resource.get("meta"))
    told = meta.get("versionId")
    found = _VERSION.fullmatch(str(told).strip()) if isinstance(told, str | Decimal) else None
    return {"version": int(found[1]) if found else None, "updated_at": instant(meta.get("lastUpdated"))}


_VERSION: Final = re.compile(r'(?:W/)?"?[vV]?([0-9]{1,18})"?')
"""A number as a version, also as an entity tag: `2`, `"2"`, `W/"2"`, `v2`."""


def _of_group(entry: Entry, machine: str, reference: str | None = None) -> ResultWithdrawn:
    group = entry.resource
    found = _ADDRESS.fullmatch(reference) if reference and not is_local(reference) else None
    said: dict[str, Any] = {"report_id": report_id((entry,)), "issued_at": instant(group.get("issued"))}
    if found is not None:
        said |= _named_by(found, machine)
    else:
        said |= version_of(group)
    how: Literal["cancelled", "entered-in-error"] = (
        "cancelled" if group.get("status") == LabStatus.CANCELLED else "entered-in-error"
    )
    return ResultWithdrawn(how=how, display=concept_words(group.get("code")), **said)


def _named_by(found: re.Match[str], machine: str) -> dict[str, Any]:
    """The identity that an address gives: the id of an observation or report, or the identifiers that it asks for."""
    if found["query"] is not None:
        asked = [name for one in parse_qs(found["query"]).get("identifier", []) if (name := an_id(one))]
        if found["kind"] == SPECIMEN and len(asked) == 1:
            return {"accession": an_id(asked[0].rpartition("|")[2])}
        return {"identifiers": tuple(asked) or None} if found["kind"] == OBSERVATION else {}
    if found["kind"] == REPORT:
        return {"report_id": an_id(found["id"])}
    if found["kind"] == SPECIMEN:
        return _of_specimen({"id": found["id"]})
    return {"resource": resource_key(machine, found["id"])} if found["kind"] == OBSERVATION else {}
