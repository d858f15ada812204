"""Values become rows here, and rows values: what each column of the record says of an entry. It writes nothing."""

import json
from collections.abc import Iterator
from typing import Any, TypeVar

from models.base import canonical_json
from models.chart import Course
from models.facts import Fact
from models.record import RecordEntry, sha256_of
from models.tables import CourseRow, DecisionRow, FactRow, MessageRefusedRow, RawMessageRow, Row
from plumbing.keys import RecordKey

_NUL, _INSTEAD = "\x00", "\N{REPLACEMENT CHARACTER}"
_AnyRow = TypeVar("_AnyRow", bound=Row)


def entry_of(row: DecisionRow) -> RecordEntry | None:
    """The entry of a decision, from its content alone; `None` when hash, content and place do not belong together."""
    entry = RecordEntry(
        course_id=row.course_id,
        number=row.number,
        run_cycle=row.run_cycle,
        first_fact_index=row.first_fact_index,
        content=row.content,
        content_sha256=row.content_sha256,
        previous_sha256=row.previous_sha256,
        sha256=row.sha256,
    )
    return entry if is_sound(entry) else None


def is_sound(entry: RecordEntry) -> bool:
    """Whether both hashes of the entry are those of what it holds."""
    return sha256_of(entry.content) == entry.content_sha256 and entry.computed_sha256() == entry.sha256


def course_row(start: Course, first: RecordEntry) -> CourseRow:
    """A course before its first decision: nothing is counted yet."""
    return storable(
        CourseRow(
            course_id=first.course_id,
            subject_hash=start.subject_hash,
            zone=start.zone,
            invented=start.invented,
            started_at=start.started_at,
            started_by=str(start.started_by),
            clock_offset_s=0,
            last_decision=0,
            facts=0,
            **standing(first),
        )
    )


def advance(course: CourseRow, entry: RecordEntry) -> None:
    """Bring the course to where it stands after this entry. The clock is not the entry's to say."""
    course.sqlmodel_update(standing(entry))
    course.last_decision = entry.number
    course.facts += len(entry.facts)


def standing(entry: RecordEntry) -> dict[str, Any]:
    """The columns of a course's row that say where it stands, as this entry left it."""
    assessment, due = entry.assessment, entry.assessment.next_due
    return {
        "protocol_name": entry.protocol.name,
        "protocol_sha256": entry.protocol.sha256,
        "site_sha256": entry.protocol.site_sha256,
        "state": str(assessment.state),
        "verdict": str(assessment.verdict),
        "cycle": assessment.cycle,
        "next_due_at": due.due_at if due else None,
        "overdue": any(obligation.standing == "overdue" for obligation in assessment.obligations),
        "updated_at": entry.at,
    }


def decision_row(entry: RecordEntry) -> DecisionRow:
    """The row of one decision."""
    message, assessment, dose = entry.message, entry.assessment, entry.assessment.dose
    said = json.loads(entry.content)
    written = said["assessment"]
    return storable(
        DecisionRow(
            course_id=entry.course_id,
            number=entry.number,
            at=entry.at,
            run_cycle=entry.run_cycle,
            message_name=message.name if message else None,
            message_id=message.id if message else None,
            message_sha256=message.sha256 if message else None,
            message_by=message.by if message else None,
            messages_json=canonical_json(said.get("messages", [])),
            outcome=_outcome(entry),
            refusal_type=_refusal_type(entry),
            state=str(assessment.state),
            verdict=str(assessment.verdict),
            findings_json=canonical_json(written.get("findings", [])),
            dose_mg=dose.mg if dose else None,
            dose_json=canonical_json(written["dose"]) if dose else None,
            input_facts_json=canonical_json(_facts_named(entry)),
            protocol_name=entry.protocol.name,
            protocol_sha256=entry.protocol.sha256,
            site_sha256=entry.protocol.site_sha256,
            code_version=entry.code_version,
            previous_sha256=entry.previous_sha256,
            sha256=entry.sha256,
            first_fact_index=entry.first_fact_index,
            content_sha256=entry.content_sha256,
            content=entry.content,
        )
    )


def decision_seal(key: RecordKey, course_id: str, number: int, sha256: str, seal_before: str | None) -> str:
    """The seal of a decision: it binds the one before, so that none can be taken out or put in."""
    return key.seal(str(DecisionRow.__tablename__), course_id, number, sha256, seal_before)


def _outcome(entry: RecordEntry) -> str:
    if entry.refused_messages or any(m.refusal for m in entry.messages):
        return "refused"
    return "accepted" if entry.messages else "assessed"


def _refusal_type(entry: RecordEntry) -> str | None:
    types = [m.refusal.type for m in entry.messages if m.refusal] + [m.type for m in entry.refused_messages]
    return types[0] if types else None


def _facts_named(entry: RecordEntry) -> list[str]:
    """Ids of the facts behind the findings, those of refusals included, each once, in their order."""
    refusals = (finding for m in entry.messages if m.refusal for finding in m.refusal.findings)
    findings = (*entry.assessment.findings, *refusals)
    return list(dict.fromkeys(value.fact for finding in findings for value in finding.inputs if value.fact))


def fact_rows(entry: RecordEntry) -> list[FactRow]:
    """The rows of the facts that came with this decision."""
    # JSON columns are cut out of the content: written from the values, a field that is new here would make a row of an
    # earlier release look changed.
    bodies = [fact["what"] for fact in json.loads(entry.content).get("facts", [])]
    return [
        _fact_row(entry, entry.first_fact_index + place, fact, canonical_json(body))
        for place, (fact, body) in enumerate(zip(entry.facts, bodies, strict=True))
    ]


def _fact_row(entry: RecordEntry, position: int, fact: Fact, body_json: str) -> FactRow:
    return storable(
        FactRow(
            course_id=entry.course_id,
            position=position,
            decision=entry.number,
            fact_id=fact.id,
            kind=fact.what.kind,
            at=fact.at,
            recorded_at=fact.recorded_at,
            by=str(fact.by),
            message=fact.message,
            body_json=body_json,
        )
    )


def message_refused_rows(entry: RecordEntry) -> Iterator[MessageRefusedRow]:
    """The rows of messages that made no fact, where this decision turned any away."""
    for position, refused in enumerate(entry.refused_messages):
        yield storable(
            MessageRefusedRow(
                course_id=entry.course_id,
                decision=entry.number,
                position=position,
                at=entry.at,
                type=refused.type,
                reason=refused.reason,
                sha256=refused.sha256,
                size=refused.size,
            )
        )


def raw_message_rows(entry: RecordEntry) -> Iterator[RawMessageRow]:
    """What this decision could not use, whole as it came or by its first bytes."""
    for message in entry.raw:
        yield storable(
            RawMessageRow(
                course_id=entry.course_id,
                sha256=message.sha256,
                size=message.size,
                name=message.name,
                raw_base64=message.raw_base64,
                whole=message.whole,
                reason=message.reason,
                received_at=entry.at,
                sent=message.sent,
                tried_json=canonical_json([entry.tried_with]),
            )
        )


def storable(row: _AnyRow) -> _AnyRow:
    """The row without NUL characters: PostgreSQL takes none, and one in a sender's id would block the course's record.

    The sender's own words stay in `content` and the JSON columns, where JSON writes it as an escape.
    """
    for name, value in row.model_dump().items():
        if isinstance(value, str) and _NUL in value:
            setattr(row, name, storable_text(value))
    return row


def storable_text(words: str) -> str:
    """Outside words as a column holds them, to look for in one."""
    return words.replace(_NUL, _INSTEAD)
