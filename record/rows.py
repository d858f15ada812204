"""Values become rows here, and rows values: what each column of the record says of an entry. It writes nothing."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, TypeVar

from models.base import canonical_json
from models.facts import Fact, UnreadableMessage
from models.record import CourseStart, RecordEntry, RefusedMessage
from models.tables import CourseRow, DecisionRow, FactRow, MessageRefusedRow, RawMessageRow, Row

_NUL, _INSTEAD = "\x00", "\N{REPLACEMENT CHARACTER}"
_AnyRow = TypeVar("_AnyRow", bound=Row)


def content_of(entry: RecordEntry) -> str | None:
    """The text whose SHA-256 is the entry's own hash; `None` when the hash does not match the content."""
    as_it_is = canonical_json(entry.model_dump(mode="json", exclude={"sha256"}))
    # An entry that waited over a release was sealed without the fields that are new here; it arrived without them, too.
    as_it_came = canonical_json(entry.model_dump(mode="json", exclude={"sha256"}, exclude_unset=True))
    return next((content for content in (as_it_is, as_it_came) if sha256_of(content) == entry.sha256), None)


def sha256_of(content: str) -> str:
    """SHA-256 of a stored content, as 64 hex digits."""
    return hashlib.sha256(content.encode()).hexdigest()


def entry_of(row: DecisionRow) -> RecordEntry | None:
    """The entry of a decision, from its content alone; `None` when the content is not the one that was hashed."""
    if sha256_of(row.content) != row.sha256:
        return None
    return RecordEntry.model_validate_json(row.content).model_copy(update={"sha256": row.sha256})


def course_row(start: CourseStart, first: RecordEntry) -> CourseRow:
    """A course before its first decision: nothing is counted yet."""
    return storable(
        CourseRow(
            course_id=first.course_id,
            subject_hash=start.subject_hash,
            zone=start.zone,
            invented=start.invented,
            started_at=start.started_at,
            started_by=start.started_by,
            clock_offset_s=0,
            last_decision=0,
            facts=0,
            **_standing(first),
        )
    )


def advance(course: CourseRow, entry: RecordEntry) -> None:
    """Bring the course to where it stands after this entry. The clock is not the entry's to say."""
    course.sqlmodel_update(_standing(entry))
    course.last_decision = entry.number
    course.facts += len(entry.facts)


def _standing(entry: RecordEntry) -> dict[str, Any]:
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


def decision_row(entry: RecordEntry, content: str) -> DecisionRow:
    """The row of one decision; `content` is what `content_of` gave for it."""
    message, assessment, dose = entry.message, entry.assessment, entry.assessment.dose
    written = json.loads(content)["assessment"]
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
            content=content,
        )
    )


def _outcome(entry: RecordEntry) -> str:
    if entry.refusal or entry.refused_message:
        return "refused"
    return "accepted" if entry.message else "assessed"


def _refusal_type(entry: RecordEntry) -> str | None:
    refused = entry.refusal or entry.refused_message
    return refused.type if refused else None


def _facts_named(entry: RecordEntry) -> list[str]:
    """Ids of the facts behind the findings, those of a refusal included, each once, in their order."""
    findings = (*entry.assessment.findings, *(entry.refusal.findings if entry.refusal else ()))
    return list(dict.fromkeys(value.fact for finding in findings for value in finding.inputs if value.fact))


def fact_rows(entry: RecordEntry, content: str) -> list[FactRow]:
    """The rows of the facts that came with this decision; `content` is what `content_of` gave for it."""
    # JSON columns are cut out of the content: written from the values, a field that is new here would make a row of an
    # earlier release look changed.
    bodies = [fact["what"] for fact in json.loads(content).get("facts", [])]
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


def message_refused_row(entry: RecordEntry) -> MessageRefusedRow | None:
    """The row of a message that made no fact, where this decision turned one away."""
    if (refused := entry.refused_message) is None:
        return None
    return storable(
        MessageRefusedRow(
            course_id=entry.course_id,
            decision=entry.number,
            at=entry.at,
            type=refused.type,
            reason=refused.reason,
            sha256=refused.sha256,
            size=refused.size,
        )
    )


def raw_message_rows(entry: RecordEntry) -> Iterator[RawMessageRow]:
    """The first bytes of all that this decision could not use: unreadable messages and a refused one."""
    unused: list[UnreadableMessage | RefusedMessage]
    unused = [fact.what for fact in entry.facts if isinstance(fact.what, UnreadableMessage)]
    if entry.refused_message:
        unused.append(entry.refused_message)
    for message in unused:
        yield storable(
            RawMessageRow(
                course_id=entry.course_id,
                sha256=message.sha256,
                size=message.size,
                head_base64=message.head_base64,
                reason=message.reason,
                received_at=entry.at,
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
