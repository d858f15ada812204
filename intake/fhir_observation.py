"""One FHIR `Observation`: its own result and those of its components, or the reason why there is none.

Units, codes and what a value means stay with the sender's words; a result that contradicts itself keeps its words
and loses its number, so that `clinical` answers that it cannot be used (LAB-05).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from intake import fhir_shapes as shapes
from intake.fhir_shapes import Quantity, Resource, an_object, any_words, objects, words
from intake.outcome import Refusal
from models.facts import LabResult, LabStatus
from models.sent import sent_result

EFFECTIVE: Final = ("effectiveDateTime", "effectiveInstant", "effectivePeriod", "effectiveTiming")
_STATUS: Final = {str(status): status for status in LabStatus}
_SENDERS: Final = ("Organization", "PractitionerRole", "Practitioner")


class Origin(NamedTuple):
    """What all results of one observation share, besides what it says itself: read from the document around it."""

    status: LabStatus
    sender: str | None = None
    accession: str | None = None
    report_id: str | None = None


class Draw(NamedTuple):
    """Which results go into one message: taken at one time, from one specimen, for one report."""

    collected_at: datetime | None
    collected_text: str | None
    specimen: str | None
    report_id: str | None


class NoResult(NamedTuple):
    """A part of an observation that became no result. `suffix` says which part, for a person."""

    suffix: str
    refusal: Refusal
    reason: str


def draw_of(observation: Resource, specimen: str | None, report_id: str | None) -> Draw:
    """The draw that an observation belongs to. An observation's own identifier plays no part: it would part a panel."""
    return Draw(*_collected(observation), specimen, report_id)


def status_of(observation: Resource) -> LabStatus:
    """The status that the observation gives; a word that FHIR does not know is none."""
    status = observation.get("status")
    return _STATUS.get(status, LabStatus.UNKNOWN) if isinstance(status, str) else LabStatus.UNKNOWN


def sender_of(observation: Resource) -> str | None:
    """The name of the performing organisation, else of another performer; never of the patient or a relative."""
    named = [(_performer_kind(p), words(p.get("display"))) for p in objects(observation.get("performer"))]
    return next((name for kind in (*_SENDERS, None) for found, name in named if found == kind and name), None)


def results_of(observation: Resource, origin: Origin) -> Iterator[LabResult | NoResult]:
    """Every part of the observation, in order: its own value first, then each component with its own code.

    A panel without a value of its own is only its components; an observation with neither is a result without a
    value, because what was ordered and did not come makes the analyte unknown.
    """
    components = shapes.as_list(observation.get("component"))
    if refused := not_to_be_read("", observation):
        yield refused
        return
    shared = _shared(observation, origin)
    if not components or says_something(observation):
        yield _result("", observation, shared)
    for number, component in enumerate(components, start=1):
        suffix, part = f", component {number}", an_object(component)
        yield not_to_be_read(suffix, part) or _result(suffix, part, shared)


def not_to_be_read(suffix: str, part: Resource) -> NoResult | None:
    """Why a part, or what a report or panel lists, must not be read by somebody who knows as little as we do."""
    if part.get("modifierExtension") or part.get("implicitRules"):  # FHIR: not to be read by those who do not know them
        return NoResult(suffix, Refusal.MODIFIED, "a modifier that changes the meaning is not understood")
    if part.get("focus"):
        return NoResult(suffix, Refusal.ABOUT_ANOTHER, "its focus is somebody or something else than its subject")
    return None


def says_something(part: Resource) -> bool:
    """Whether there is a value or a word about its absence."""
    return bool(_stated(part)) or part.get("dataAbsentReason") is not None


def _shared(observation: Resource, origin: Origin) -> dict[str, Any]:
    collected_at, collected_text = _collected(observation)
    return {
        "collected_at": collected_at,
        "collected_text": collected_text,
        "issued_at": shapes.instant(observation.get("issued")),
        "method": shapes.concept_words(observation.get("method")),
        **origin._asdict(),
    }


def _result(suffix: str, part: Resource, shared: dict[str, Any]) -> LabResult | NoResult:
    codes = shapes.loincs(part.get("code"))
    if not codes:
        return NoResult(suffix, Refusal.NO_LOINC, "no LOINC code")
    if len(codes) > 1:  # in FHIR their order says nothing, so none of them may be picked
        return NoResult(suffix, Refusal.SEVERAL_LOINCS, f"{len(codes)} different LOINC codes and none chosen")
    absent = _absent_reason(part)
    value, comparator, text, unit = _contradicted(_value(part)) if absent else _value(part)
    uln, lln, limit_unit = shapes.limits(part.get("referenceRange"))
    return sent_result(
        loinc=codes[0],
        display=shapes.concept_words(part.get("code")),
        value=value,
        comparator=comparator,
        text=text,
        unit=unit,
        uln=uln,
        lln=lln,
        limit_unit=limit_unit,
        absent_reason=absent,
        **shared,
    )


def _stated(part: Resource) -> list[str]:
    return [key for key, value in part.items() if key.startswith("value") and value is not None]


def _value(part: Resource) -> Quantity:
    """`value[x]`: a number only from a Quantity that stands alone; everything else, and two values, are words."""
    stated = _stated(part)
    if stated == ["valueQuantity"]:
        return shapes.quantity(part["valueQuantity"])
    spoken = [text for key in stated if (text := any_words(part[key], shapes.LONG))]
    return Quantity(text=words("; ".join(spoken), shapes.LONG))


def _absent_reason(part: Resource) -> str | None:
    reason = part.get("dataAbsentReason")
    return None if reason is None else any_words(reason)


def _contradicted(value: Quantity) -> Quantity:
    """A value beside the reason for its absence: which of the two is true is not guessed, so the number is words."""
    if value.value is None:
        return value
    return Quantity(text=f"{value.comparator or ''}{value.value}", unit=value.unit)


def _collected(observation: Resource) -> tuple[datetime | None, str | None]:
    """When the specimen was taken, or the sender's words where they are no point in time (LAB-04). Never `issued`."""
    stated = [observation[key] for key in EFFECTIVE if observation.get(key) is not None]
    if not stated:
        return None, None
    if len(stated) > 1:
        return None, any_words(stated)
    spoken = an_object(stated[0]).get("start", stated[0])
    taken = shapes.instant(spoken)
    return taken, None if taken else any_words(spoken)


def _performer_kind(performer: Resource) -> str | None:
    """`None` only for a performer that is nothing but a name; behind an unresolved reference may be the patient."""
    reference = words(performer.get("reference"))
    told = next((kind for kind in _SENDERS if reference and f"{kind}/" in reference), reference and "another")
    return words(performer.get("type")) or told
