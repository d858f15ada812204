"""A fact that the rules cannot bear, taken out of what they read by a prescriber and a second physician (`set_fact_aside`).

Judged without any rule: whoever asks may be asking because a rule fails on this very fact. In its place everything that
reads the chart sees a message that could not be read (LAB-05): the gate stays closed for what it may have been until a
physician transcribes or dismisses it.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from models.assessment import Accepted, Refused
from models.base import canonical_json, content_hash
from models.bounds import HEAD_BYTES
from models.chart import Chart
from models.facts import Fact, FactSetAside, UnreadableMessage
from models.messages import SetFactAside
from models.people import PHYSICIANS, Role

SET_ASIDE = "fact_set_aside"
MUST_STAND: Mapping[str, str] = {
    **dict.fromkeys(("rung_fired", "obligation_met"), "who was called, and for what, is not taken back"),
    "monitoring_started": "which execution conducts the course is not taken back",
    "unreadable_message": "no rule reads what is in it; resolve_unreadable settles it",
    "unreadable_resolved": "it says no value; a correction follows by new values",
    **dict.fromkeys(
        ("protocol_amended", "divergence_acknowledged"), "which protocol is in force is changed by amend_protocol"
    ),
    **dict.fromkeys(
        ("record_compared", "record_reconciled", "without_record"), "how the record stood is not taken back (REC-02)"
    ),
    SET_ASIDE: "what was set aside comes back by resolve_unreadable, transcribed",
}
"""Kinds of fact that are never set aside, and why."""


def judge_setting_aside(chart: Chart, message: SetFactAside, now: datetime) -> Accepted | Refused:
    """Whether this word may be added, and the fact that follows; no rule is asked."""
    judged = word_on(chart, message)
    if isinstance(judged, Refused):
        return judged
    at = min(message.at or now, now)
    fact = Fact(id=f"{message.id}/0", by=message.by, at=at, recorded_at=now, message=message.id, what=judged)
    return Accepted(facts=(fact,))


def word_on(chart: Chart, message: SetFactAside) -> FactSetAside | Refused:
    """One person's word that the rules cannot bear a fact, or why it cannot be said."""
    refusal = _form(chart, message) or _of_target(chart, message.target) or _of_person(chart, message)
    return refusal or FactSetAside(target=message.target, reason=message.reason)


def as_read(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The facts as everything that reads a chart sees them: a message that could not be read for each that is set aside."""
    words = _words(facts)
    if not words:
        return facts
    aside = {target: said for target, said in words.items() if _stands(said)}
    return tuple(_in_place_of(fact, aside[fact.id]) if fact.id in aside else fact for fact in facts)


def set_aside_as(facts: Iterable[Fact], target: str) -> Fact | None:
    """The fact that was set aside and that this id, or this hash of a message, is of."""
    told = tuple(facts)
    aside = {name for name, said in _words(told).items() if _stands(said)}
    return next((f for f in told if f.id in aside and target in (f.id, content_hash(f))), None)


# ── who has said it ────────────────────────────────────────────────────────────────────────────────────────────────


def _words(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """By the fact that it is about every word that was said, oldest first."""
    said: dict[str, list[Fact]] = {}
    for fact in facts:
        what: Any = fact.what
        if what.kind == SET_ASIDE:  # a tag is compared many times faster than a class of pydantic
            said.setdefault(what.target, []).append(fact)
    return said


def _stands(said: list[Fact]) -> bool:
    """Two people have said it, and one of them is a prescriber."""
    return len({f.by.person for f in said}) > 1 and any(f.by.role is Role.PRESCRIBER for f in said)


def _in_place_of(fact: Fact, said: list[Fact]) -> Fact:
    text = canonical_json(fact).encode()
    people = " and ".join(str(f.by) for f in said)
    message = UnreadableMessage(
        signal=fact.what.kind,
        sha256=content_hash(fact),
        size=len(text),
        reason=f"set aside by {people}: the rules cannot bear it",
        head_base64=base64.b64encode(text[:HEAD_BYTES]).decode(),
    )
    # Known since it was set aside, so that nobody is late before they were asked.
    return fact.model_copy(update={"what": message, "recorded_at": said[-1].recorded_at})


# ── why not ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refused(kind: str, words: str) -> Refused:
    return Refused(type=kind, message=words)


def _form(chart: Chart, message: SetFactAside) -> Refused | None:
    if message.course_id is not None and message.course_id != chart.course.course_id:
        return _refused("WrongCourse", "this message is for another course")
    if message.by.role not in PHYSICIANS:
        allowed = ", ".join(sorted(PHYSICIANS))
        words = f"{message.name} is not for the role {message.by.role}; it is for: {allowed}"
        return _refused("RoleNotAllowed", words)
    return None


def _of_target(chart: Chart, target: str) -> Refused | None:
    fact = next((f for f in chart.facts if f.id == target), None)
    if fact is None:
        return _refused("NoSuchFact", "no fact of this id is in this chart")
    if fact.what.kind in MUST_STAND:
        return _refused(
            "NotSetAside", f"a fact of kind {fact.what.kind} is not set aside: {MUST_STAND[fact.what.kind]}"
        )
    later = next(_corrections_of(chart.facts, target), None)
    if later is not None:
        return _refused("CorrectedAlready", f"a correction stands in its place: set aside {later.id}")
    return None


def _corrections_of(facts: tuple[Fact, ...], target: str) -> Iterator[Fact]:
    aside = {name for name, said in _words(facts).items() if _stands(said)}
    for fact in reversed(facts):
        if fact.what.kind == "correction" and fact.what.target == target and fact.id not in aside:
            yield fact


def _of_person(chart: Chart, message: SetFactAside) -> Refused | None:
    said = _words(chart.facts).get(message.target, [])
    if _stands(said):
        return _refused("AlreadySetAside", "two people have set this fact aside already")
    if message.by.person in {f.by.person for f in said}:
        return _refused("SecondPersonRequired", "this person has said it already; a second one is needed")
    if said and Role.PRESCRIBER not in {message.by.role, *(f.by.role for f in said)}:
        return _refused("PrescriberRequired", "one of the two must be a prescriber")
    return None
