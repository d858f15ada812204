"""A chart as a person writes it: one JSON file, with what the service would know by itself left out (docs/chart.md)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from intake.written import NotReadable, parse, validated
from models.base import Instant
from models.chart import Chart
from models.facts import Correction, DoseVerified, Fact, FactSetAside, HoldReleased
from models.people import Actor, By
from models.pins import ProtocolPin
from models.sent import fact_as_sent

COURSE_ID: Final = "course-from-file"
SUBJECT: Final = "chart-file:nobody"
"""Stand in a chart file that does not name them: it is about no course of this service and about nobody known to it."""

_PARTS: Final = ("course", "facts")
ANY_TIME: Final = "2000-01-01T00:00:00Z"
ANYBODY: Final = "prescriber:chart-file"
_TIME: TypeAdapter[datetime] = TypeAdapter(Instant)
_ACTOR: TypeAdapter[Actor] = TypeAdapter(By)


class ChartFile(NamedTuple):
    """The chart under the protocol that was asked for, and the protocol that the file itself names, if it does."""

    chart: Chart
    written_for: str | None


def read_chart(raw: bytes | str, pin: ProtocolPin, asked_at: datetime) -> ChartFile:
    """The chart of a file, to be assessed under the pinned protocol. Raises `NotReadable` with each fault's place.

    Filled in where the file is silent: a fact's `id` (`f1`, `f2` … by position), its `recorded_at` (its `at`), the `at`
    of a laboratory result (when it was collected, otherwise when it was recorded), and what a course has beside
    `zone` and `birth_on` (it started with its first fact; a chart without one started when it is asked about). Facts
    are put in the order of `recorded_at`; equal ones stay as they were written.
    """
    data = parse(raw)
    if not isinstance(data, dict):
        raise NotReadable("a chart is an object with course and facts")
    if data and data.keys().isdisjoint(_PARTS):
        raise NotReadable(f"it is no chart{_what_it_is(data)}")
    unknown = [f"{name}: is not a part of a chart; parts are course and facts" for name in data if name not in _PARTS]
    if unknown:
        raise NotReadable(*unknown)
    course = _an_object(data.get("course"), "course")
    facts = _filled_facts(data.get("facts", []), course.get("started_at"), asked_at)
    chart = validated(Chart, {"course": _filled_course(course, facts, pin, asked_at), "facts": facts})
    _check_ids(chart.facts)
    ordered = tuple(sorted(chart.facts, key=lambda f: f.recorded_at))
    return ChartFile(chart.model_copy(update={"facts": ordered}), _protocol_named_in(course))


def _what_it_is(data: Mapping[str, Any]) -> str:
    if "resourceType" in data:
        return ", but a FHIR document"
    return ", but a patient file" if "birth_on" in data else ": it has neither course nor facts"


def _an_object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotReadable(f"{place}: should be an object")
    return value


def _filled_facts(written: object, started_at: object, asked_at: datetime) -> list[dict[str, Any]]:
    if not isinstance(written, list):
        raise NotReadable("facts: should be a list")
    facts = [_an_object(fact, f"facts[{i}]") for i, fact in enumerate(written)]
    times = [started_at, *(fact.get(name) for fact in facts for name in ("recorded_at", "at"))]
    before = next((at for at in times if _is_time(at)), asked_at.isoformat())
    filled: list[dict[str, Any]] = []
    for number, fact in enumerate(facts, start=1):
        filled.append(_filled_fact(fact, number, before))
        before = filled[-1]["recorded_at"]
    return filled


def _filled_fact(fact: dict[str, Any], number: int, recorded_before: object) -> dict[str, Any]:
    """The fact with id and times. A result without any readable time arrived with the fact before it (LAB-04)."""
    filled = {"id": f"f{number}", **{name: value for name, value in fact.items() if value is not None}}
    what = fact.get("what")
    if what is not None:
        filled["what"] = fact_as_sent(what)
    if "at" not in filled and isinstance(what, Mapping) and what.get("kind") == "lab_result":
        times = (what.get("collected_at"), filled.get("recorded_at"), recorded_before)
        filled["at"] = next((at for at in times if _is_time(at)), None)
    # Where `at` is at fault, that is said once: the other time need only be one.
    filled.setdefault("recorded_at", filled["at"] if _is_time(filled.get("at")) else ANY_TIME)
    return filled


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        _TIME.validate_python(value)
    except ValidationError:
        return False
    return True


def _filled_course(
    course: Mapping[str, Any], facts: list[dict[str, Any]], pin: ProtocolPin, asked_at: datetime
) -> dict[str, Any]:
    first = facts[0]["recorded_at"] if facts else asked_at.isoformat()
    given = {
        "course_id": COURSE_ID,
        "subject_hash": SUBJECT,
        "started_at": first if _is_time(first) else ANY_TIME,
        "started_by": _first_actor(facts),
    }
    return {**given, **course, "protocol": pin.model_dump()}


def _first_actor(facts: list[dict[str, Any]]) -> object:
    by = facts[0].get("by") if facts else None
    try:
        return _ACTOR.validate_python(by, strict=False).model_dump()
    except ValidationError:
        return ANYBODY


def _protocol_named_in(course: Mapping[str, Any]) -> str | None:
    named = course.get("protocol")
    name = named.get("name") if isinstance(named, Mapping) else named
    return name if isinstance(name, str) else None


def _check_ids(facts: tuple[Fact, ...]) -> None:
    ids = [fact.id for fact in facts]
    faults = [f"facts[{i}].id: {name!r} is used before" for i, name in enumerate(ids) if name in ids[:i]]
    for i, fact in enumerate(facts):
        field, target = _points_at(fact)
        if field and target not in ids:
            faults.append(f"facts[{i}].what.{field}: no fact has the id {target!r}")
    if faults:
        raise NotReadable(*faults)


def _points_at(fact: Fact) -> tuple[str, str]:
    """The field of a fact that names another fact, and what it names."""
    what = fact.what
    if isinstance(what, Correction | FactSetAside):
        return "target", what.target
    if isinstance(what, HoldReleased):
        return "hold", what.hold
    return ("authorisation", what.authorisation) if isinstance(what, DoseVerified) else ("", "")
