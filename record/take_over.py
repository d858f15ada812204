"""A course made from its record alone: the chart, and all that a run carries (REC-02).

It is what a run goes on from after its record and its execution differed; revival, rebuilding and adoption use it too.
"""

from collections.abc import Sequence
from datetime import datetime

from models.assessment import Receipt
from models.carried import Carried
from models.deciding import Answer
from models.facts import Fact
from models.messages import SIGNALS
from models.people import CLOCK
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


def grown_together(own: Carried, record: Carried) -> Carried:
    """The record's state, with what only the execution knows: facts to be decided on and recorded again, messages, calls.

    Nothing that either of the two knows is lost: where both say something under one id, and not the same, both stay.
    """
    known = {same_fact(fact) for fact in record.facts}
    return record.model_copy(
        update={
            "adopted": (*own.adopted, *(f for f in own.facts if same_fact(f) not in known)),
            "answers": tuple({a.message_id: a for a in (*own.answers, *record.answers)}.values()),
            "waiting": own.waiting,
            "untold": own.untold,
            "failing_since": own.failing_since,
        }
    )


def same_fact(fact: Fact) -> object:
    """What makes two facts one: the clock's own by their id, for it may have fired a rung at another instant."""
    return fact.id if fact.by == CLOCK else (fact.id, fact.model_dump_json())


def _answers(entries: Sequence[RecordEntry]) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for entry in entries:
        for seen in entry.messages:
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
