"""A course made from its record alone: the chart, and all that a run carries (REC-02).

It is what a run goes on from after its record and its execution differed; revival, rebuilding and adoption use it too.
"""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from models.assessment import Receipt
from models.base import content_hash
from models.carried import Carried
from models.chart import hashes_unresolved
from models.deciding import Answer
from models.facts import Fact, MonitoringStarted, RecordCompared, UnreadableMessage, UnreadableResolved
from models.messages import COMMANDS, SIGNALS, Message, Statement
from models.record import GENESIS_SHA256, MessageSeen, RecordEntry, chart_key_after


class NothingToTakeOver(ValueError):
    """The entries do not begin with the start of a course."""


def take_over(entries: Sequence[RecordEntry]) -> Carried:
    """What the run after these entries is given: every fact, every answer, the number and hash to go on from.

    The entries are whole and in order, as `read_entries` gives them. Raises `NothingToTakeOver`.
    """
    start = entries[0].start if entries else None
    if start is None:
        raise NothingToTakeOver("the record holds no start of this course")
    last = entries[-1]
    return Carried(
        course=start,
        facts=tuple(f for e in entries for f in e.facts),
        answers=tuple(_answers(entries).values()),
        next_decision=last.number + 1,
        last_sha256=last.sha256,
        chart_key=_chart_key(entries),
        cycle=last.recorded.phase.cycle,
        cycle_started_at=_stretch_began_at(entries),
        shown_state=str(last.assessment.state),
        shown_state_since=_since(entries),
        due=last.assessment.obligations,
    )


def grown_together(own: Carried, entries: Sequence[RecordEntry]) -> Carried:
    """The state of these entries, with what only the execution knows: facts to be decided on and recorded again, messages,
    calls.

    The record has the first word: where it answered a message, its facts stand, with their times. The execution may have
    had the same message again, and later: a reset applies again what came after it. What only the execution was told is
    kept, under ids of its own where the record has given theirs away. Raises `NothingToTakeOver`.
    """
    record = take_over(entries)
    answered, reused = _answered(entries), _reused(own, record)
    known = [f for f in record.facts if f.message not in reused]
    news = _news((*own.adopted, *own.facts), known)
    adopted = tuple(f for f in news if f.message in reused or f.message not in answered)
    knew_less = _refused_statements(own)
    answers = {a.message_id: a for a in own.answers if a.message_id not in knew_less}
    for answer in record.answers:
        if answer.message_id in answered or answer.message_id not in answers:
            answers[answer.message_id] = answer
    return record.model_copy(
        update={
            "adopted": _under_ids_of_their_own(adopted, {f.id for f in record.facts}),
            "answers": tuple(answers.values()),
            "compared": RecordCompared(outcome="equal"),
            "waiting": own.waiting,
            "untold": own.untold,
            "failing_since": own.failing_since,
        }
    )


def _news(told: Sequence[Fact], known: Sequence[Fact]) -> Iterator[Fact]:
    """What is told and not known. What could not be read and waits for a person is news where nobody waits for it there."""
    of_record = {same_fact(f) for f in known}
    waiting = hashes_unresolved(told) - hashes_unresolved(known)
    last = {f.what.sha256: f for f in told if isinstance(f.what, UnreadableMessage)}
    for fact in told:
        what = fact.what
        sent_again = isinstance(what, UnreadableMessage) and what.sha256 in waiting and last[what.sha256] is fact
        if same_fact(fact) not in of_record or (sent_again and fact not in known):
            yield fact


def same_fact(fact: Fact) -> Hashable:
    """What makes two facts one: their message, which may have come twice; of the clock's own what they are about, for a
    rung may have fired at another instant."""
    match fact.what:
        case UnreadableMessage():
            return "unreadable", fact.what.sha256
        case UnreadableResolved() if not fact.message:
            return "resolved", fact.what.target
        case MonitoringStarted():
            return "monitoring"
    return fact.message or fact.id


def _answered(entries: Sequence[RecordEntry]) -> frozenset[str]:
    """The messages on which the record has the last word; a statement that it refused is one only where both did."""
    seen = (m for e in entries for m in e.messages)
    made = {f.message for e in entries for f in e.facts if f.message}
    return frozenset(m.id for m in seen if m.refusal is None or not issubclass(_kind(m.name), Statement)) | made


def _refused_statements(own: Carried) -> frozenset[str]:
    """What was said to have happened and was refused on what the record does not hold: said again, it is judged anew."""
    seen = (m for e in own.unwritten for m in e.messages)
    return frozenset(m.id for m in seen if m.refusal is not None and issubclass(_kind(m.name), Statement))


def _kind(name: str) -> type[Message]:
    return COMMANDS.get(name, Message)


def _reused(own: Carried, record: Carried) -> frozenset[str]:
    """Message ids under which the two were told something else."""
    theirs = {a.message_id: a.sha256 for a in record.answers}
    return frozenset(a.message_id for a in own.answers if theirs.get(a.message_id, a.sha256) != a.sha256)


def _under_ids_of_their_own(adopted: Sequence[Fact], given: set[str]) -> tuple[Fact, ...]:
    """The facts, each under an id that stands nowhere else, also where one of them names another."""
    renamed = {f.id: f"again/{content_hash(f.model_dump(mode='json'))}" for f in adopted if f.id in given}
    if not renamed:
        return tuple(adopted)
    return tuple(Fact.model_validate_json(json.dumps(_with(renamed, f.model_dump(mode="json")))) for f in adopted)


def _with(renamed: Mapping[str, str], part: Any) -> Any:
    match part:
        case str():
            return renamed.get(part, part)
        case dict():
            return {name: _with(renamed, value) for name, value in part.items()}
        case list():
            return [_with(renamed, value) for value in part]
    return part


def _answers(entries: Sequence[RecordEntry]) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for entry in entries:
        for seen in entry.messages:
            if seen.refusal is None or seen.refusal.final:
                found.setdefault(seen.id, _answer(entry, seen))
    return found


def _answer(entry: RecordEntry, seen: MessageSeen) -> Answer:
    """The answer as it was given; nobody waits for one to a machine's message."""
    if seen.name in SIGNALS:
        return Answer(message_id=seen.id, sha256=seen.sha256)
    receipt = None if seen.refusal else Receipt.of(seen.id, entry.number, entry.assessment)
    return Answer(message_id=seen.id, sha256=seen.sha256, receipt=receipt, refusal=seen.refusal)


def _chart_key(entries: Sequence[RecordEntry]) -> str:
    key = GENESIS_SHA256
    for entry in entries:
        key = chart_key_after(key, entry.content_sha256, entry.facts)
    return key


def _stretch_began_at(entries: Sequence[RecordEntry]) -> datetime | None:
    """When the execution began that the last entry asks for: with the first entry after the one that asked for it first.

    `None` where none has followed yet: then it begins with the run that goes on from here.
    """
    asked = len(entries) - 1
    while asked and entries[asked - 1].recorded.phase == entries[-1].recorded.phase:
        asked -= 1
    first = asked and asked + 1
    return entries[first].at if first < len(entries) else None


def _since(entries: Sequence[RecordEntry]) -> datetime:
    """Since when the course is in the state in which the record leaves it."""
    state, since = entries[-1].assessment.state, entries[-1].assessment.as_of
    for entry in reversed(entries):
        if entry.assessment.state is not state:
            break
        since = entry.assessment.as_of
    return since
