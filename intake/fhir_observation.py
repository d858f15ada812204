"""One FHIR `Observation`: its own result and those of its components, usable or not.

Units, codes and what a value means stay with the sender's words; a result that contradicts itself, or of which somebody who
knows as little as we do must not read more, keeps its words and loses its number, so that `clinical` answers that it cannot
be used (LAB-05, LAB-12, LAB-14). Only a part that is certainly about another is no result.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from intake import fhir_shapes as shapes
from intake.fhir_flags import flags_of, off_scale, words_of
from intake.fhir_ranges import About, limits
from intake.fhir_shapes import Quantity, Resource, an_object, any_words, objects, words
from intake.fhir_specimens import MOST_APART, Drawn, has_modifier
from intake.outcome import Refusal
from models.facts import NO_CODE, LabResult, LabStatus
from models.sent import sent_result

EFFECTIVE: Final = ("effectiveDateTime", "effectiveInstant", "effectivePeriod", "effectiveTiming")
_STATUS: Final = {str(status): status for status in LabStatus}
_SENDERS: Final = ("Organization", "PractitionerRole", "Practitioner")


class Origin(NamedTuple):
    """What all results of one observation share, besides what it says itself: read from the document around it."""

    status: LabStatus
    drawn: Drawn
    about: About = About()
    doubts: tuple["NotRead", ...] = ()
    shared: tuple[tuple[str, Any], ...] = ()
    """Fields of `LabResult` as they are: sender, accession, identities …"""


class NotRead(NamedTuple):
    """A part of an observation that could not be read, or only as words. `suffix` says which part, for a person.

    With `result` it is kept as a result that nobody may use; without it, it is about another and nothing is kept.
    """

    suffix: str
    refusal: Refusal
    reason: str
    result: LabResult | None = None


def drawn_of(observation: Resource) -> Drawn:
    """When the specimen was taken, or the sender's words where they are no point in time (LAB-04). Never `issued`."""
    stated = [observation[key] for key in EFFECTIVE if observation.get(key) is not None]
    if not stated:
        return Drawn(None, None)
    if len(stated) > 1:
        return Drawn(None, any_words(stated))
    spoken = an_object(stated[0]).get("start", stated[0])
    taken = shapes.instant(spoken)
    if taken is not None and not shapes.ends_after(an_object(stated[0]), str(spoken)):
        return Drawn(None, any_words(stated[0]))
    return Drawn(taken, None if taken else any_words(spoken), words(spoken) if taken else None)


def status_of(observation: Resource) -> LabStatus:
    """The status that the observation gives; a word that FHIR does not know is none."""
    status = observation.get("status")
    return _STATUS.get(status, LabStatus.UNKNOWN) if isinstance(status, str) else LabStatus.UNKNOWN


def sender_of(observation: Resource) -> str | None:
    """The name of the performing organisation, else of another performer; never of the patient or a relative."""
    named = [(_performer_kind(p), words(p.get("display"))) for p in objects(observation.get("performer"))]
    return next((name for kind in (*_SENDERS, None) for found, name in named if found == kind and name), None)


def results_of(observation: Resource, origin: Origin) -> Iterator[LabResult | NotRead]:
    """Every part of the observation, in order: its own value first, then each component with its own code.

    A panel without a value of its own is only its components; an observation with neither is a result without a
    value, because what was ordered and did not come makes the analyte unknown.
    """
    components = shapes.as_list(observation.get("component"))
    shared = _shared(observation, origin)
    own = {name: value for name, value in observation.items() if name != "component"}
    whole = (*origin.doubts, *doubts_of("", own), *_issued_before(own, origin.drawn))
    if not components or says_something(observation):
        yield _result("", observation, shared, origin.about, whole)
    for number, component in enumerate(components, start=1):
        suffix, part = f", component {number}", an_object(component)
        own_key = _component_key(shared.get("resource"), part, number)
        yield _result(suffix, part, {**shared, **own_key}, origin.about, (*whole, *doubts_of(suffix, part)))


def _issued_before(observation: Resource, drawn: Drawn) -> Iterator[NotRead]:
    """A result that was issued long before it was drawn: one of the two times is wrong, and nobody can tell which."""
    issued = shapes.instant(observation.get("issued"))
    if issued is not None and drawn.at is not None and drawn.at - issued > MOST_APART:
        yield NotRead("", Refusal.CONTRADICTED, "it was issued more than 24 h before it was drawn")


def _component_key(resource: str | None, component: Resource, number: int) -> dict[str, Any]:
    """A component is one result of several in its resource, known by its code; identifiers of all are none of its own."""
    code = shapes.coded(component.get("code"))
    own = "+".join(code.loincs or code.others or (str(number),))
    return {"resource": shapes.an_id(f"{resource}#{own}") if resource else None, "identifiers": None}


_NO_RECORD: Final = frozenset({"HTEST", "TRAIN", "HTRAIN"})
"""Labels of HL7 (ActReason) for data of tests and trainings."""


def doubts_of(suffix: str, part: Resource) -> Iterator[NotRead]:
    """Why a part, or what a report or panel lists, must not be read by somebody who knows as little as we do."""
    for name in part:
        told = name.lstrip("_")
        of_it = told in ("status", "code") or told.startswith("effective")
        if of_it and part.get(told) is not None and shapes.said_to_be_absent(part[name]):
            yield NotRead(suffix, Refusal.CONTRADICTED, f"its {told} is said to be absent, and stands there")
    if has_modifier(part) or part.get("implicitRules"):  # FHIR: not to be read by those who do not know them
        yield NotRead(suffix, Refusal.MODIFIED, "a modifier that changes the meaning is not understood")
    meta = an_object(part.get("meta"))
    if any(c.get("code") in _NO_RECORD for name in ("security", "tag") for c in objects(meta.get(name))):
        yield NotRead(suffix, Refusal.MODIFIED, "its sender marks it as test data")
    if part.get("focus"):
        yield NotRead(suffix, Refusal.ABOUT_ANOTHER, "its focus is somebody or something else than its subject")


def says_something(part: Resource) -> bool:
    """Whether there is a value or a word about its absence."""
    return bool(_stated(part)) or part.get("dataAbsentReason") is not None


def _shared(observation: Resource, origin: Origin) -> dict[str, Any]:
    period = an_object(observation.get("effectivePeriod"))
    return {
        "collected_at": origin.drawn.at,
        "collected_text": origin.drawn.text,
        "ends_at": shapes.end_of(period),
        "issued_at": shapes.instant(observation.get("issued")),
        "method": shapes.all_words(observation.get("method")),
        "status": origin.status,
        **dict(origin.shared),
    }


def _result(
    suffix: str, part: Resource, shared: dict[str, Any], about: About, doubts: tuple[NotRead, ...]
) -> LabResult | NotRead:
    code = shapes.coded(part.get("code"))
    absent = _absent_reason(part)
    value = _contradicted(_value(part)) if absent else _value(part)
    range_, flags = limits(part.get("referenceRange"), about), flags_of(part)
    doubt = doubts[0] if doubts else _code_doubt(suffix, code)
    if doubt is None and range_.doubt is not None:
        doubt = NotRead(suffix, Refusal.RANGE, range_.doubt)
    words_only = any(d.refusal in _WORDS_ONLY for d in doubts)
    first = code.loincs[0] if code.loincs else NO_CODE
    told = _contradicted(value) if words_only else value
    if any(d.refusal is Refusal.ABOUT_ANOTHER for d in doubts):
        told = Quantity(unit=value.unit)  # whatever it is, it is not this patient's
    result = sent_result(
        loinc=first,
        display=shapes.concept_words(part.get("code")),
        value=told.value,
        comparator=None if words_only else told.comparator or off_scale(told, flags),
        flags=flags or None,
        text=told.text,
        unit=told.unit,
        unit_words=value.words,
        uln=range_.uln,
        lln=range_.lln,
        limit_unit=range_.unit,
        limit_unit_words=range_.words,
        absent_reason=absent,
        codes=(*(shapes.an_id(f"{shapes.LOINC}|{other}") or other for other in code.loincs[1:]), *code.others) or None,
        names=tuple(name for name in code.names if name != shapes.concept_words(part.get("code"))) or None,
        doubt="; ".join(d.reason for d in doubts) or range_.doubt,
        **shared,
    )
    return doubt._replace(suffix=suffix, result=result) if doubt else result


_WORDS_ONLY: Final = frozenset(
    {Refusal.MODIFIED, Refusal.ABOUT_ANOTHER, Refusal.NOT_READ_THERE, Refusal.TOO_MANY_GROUPS}
)
"""What may mean something else than it seems: its number is kept as words."""


def _code_doubt(suffix: str, code: shapes.Coded) -> NotRead | None:
    if not code.loincs:
        return NotRead(suffix, Refusal.NO_LOINC, "no LOINC code, so a person says at the card of the course what it is")
    if len(code.loincs) > 1:  # in FHIR their order says nothing, so none of them may be picked
        return NotRead(suffix, Refusal.SEVERAL_LOINCS, f"{len(code.loincs)} different LOINC codes and none chosen")
    return None


def _stated(part: Resource) -> list[str]:
    return [key for key, value in part.items() if key.startswith("value") and value is not None]


def _value(part: Resource) -> Quantity:
    """`value[x]`: a number only from a Quantity that stands alone; everything else, and two values, are words."""
    stated = _stated(part)
    if stated == ["valueQuantity"]:
        return shapes.quantity(part["valueQuantity"])
    spoken = [text for key in stated if (text := _spoken(part[key]))]
    said = "; ".join(spoken)
    flags = words_of(part) if said and not any(letter.isdigit() for letter in said) else []
    return Quantity(text=words(" / ".join((said, *flags)), shapes.LONG))


def _spoken(value: object) -> str | None:
    """A value that is no number, as words; of a concept all of them, for they may contradict each other (MON-11a)."""
    return shapes.all_words(value, shapes.LONG) or any_words(value, shapes.LONG)


def _absent_reason(part: Resource) -> str | None:
    reason = part.get("dataAbsentReason")
    if reason is not None:
        return any_words(reason)
    of_value = (value for name, value in part.items() if name.lstrip("_").startswith("value"))
    return next((told for value in of_value if (told := shapes.said_to_be_absent(value))), None)


def _contradicted(value: Quantity) -> Quantity:
    """A value beside the reason for its absence: which of the two is true is not guessed, so the number is words."""
    if value.value is None:
        return value
    return Quantity(text=f"{value.comparator or ''}{value.value}", unit=value.unit)


def _performer_kind(performer: Resource) -> str | None:
    """`None` only for a performer that is nothing but a name; behind an unresolved reference may be the patient."""
    reference = words(performer.get("reference"))
    told = next((kind for kind in _SENDERS if reference and f"{kind}/" in reference), reference and "another")
    return words(performer.get("type")) or told
