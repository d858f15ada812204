"""What takes back results that are not in the document: withdrawn reports and panels, and deletions (LAB-09).

Each becomes a `ResultWithdrawn` with all that says which result is meant; one that says nothing may mean any.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qs

from intake.fhir_bundle import REPORT, Entry, is_local
from intake.fhir_groups import OBSERVATION, Groups, is_withdrawn, report_id
from intake.fhir_shapes import Resource, an_id, an_object, concept_words, instant, is_loinc, words
from models.facts import NO_CODE, LabResult, LabStatus, ResultWithdrawn

_ADDRESS: Final = re.compile(
    r"(?:(?P<home>https?://.+)/)?(?P<kind>[A-Za-z]+)(?:/(?P<id>[A-Za-z0-9.-]{1,64})|\?(?P<query>.+))(?:/_history/.*)?"
)
_HOW: Final = {LabStatus.ENTERED_IN_ERROR: "entered-in-error", LabStatus.CANCELLED: "cancelled"}


class TakenBack(NamedTuple):
    """A withdrawal with the entry that says it, and in words what it takes back."""

    entry: Entry
    reason: str
    withdrawn: ResultWithdrawn


class Deletion(NamedTuple):
    """An entry of a transaction that deletes something: where it stands and the address of what it deletes."""

    entry: Entry
    url: str


def withdrawn_groups(entries: Iterable[Entry], groups: Groups, machine: str) -> Iterator[TakenBack]:
    """Reports and panels that are withdrawn with results that are not here, or that list none."""
    for entry in entries:
        listed = groups.listed(entry)
        empty_report = entry.resource_type == REPORT and not listed.all
        if entry.resource_type not in (REPORT, OBSERVATION) or not is_withdrawn(entry):
            continue
        if listed.missing:
            reason = f"it is withdrawn with {len(listed.missing)} result(s) that are not in this document"
            for reference in listed.missing:
                yield TakenBack(entry, reason, _of_group(entry, machine, reference))
        elif empty_report:
            yield TakenBack(entry, "it is withdrawn with results that it does not list", _of_group(entry, machine))


def deleted(deletions: Iterable[Deletion], machine: str) -> Iterator[TakenBack]:
    """What a transaction deletes, as far as it may be a result or a report."""
    for entry, url in deletions:
        found = _ADDRESS.fullmatch(url.strip())
        if found is not None and found["kind"] not in (OBSERVATION, REPORT):
            continue
        named = _named_by(found, machine) if found is not None else {}
        yield TakenBack(entry, "it deletes a result or report", ResultWithdrawn(how="deleted", **named))


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
    told = words(meta.get("versionId")) or ""
    number = int(told) if told.isascii() and told.isdigit() and len(told) < _LONGEST_VERSION else None
    return {"version": number, "updated_at": instant(meta.get("lastUpdated"))}


_LONGEST_VERSION: Final = 19


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
        asked = parse_qs(found["query"]).get("identifier", [])
        return {"identifiers": tuple(name for one in asked if (name := an_id(one))) or None}
    if found["kind"] == REPORT:
        return {"report_id": an_id(found["id"])}
    return {"resource": resource_key(machine, found["id"])}
