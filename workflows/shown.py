"""What an administrator sees of a course in the Temporal Web UI: search attributes and current details.

Search attributes are plain text on the server: states, rule ids and instants only, never a value or an identity.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from models.assessment import Assessment, CourseState

COURSE_STATE = SearchAttributeKey.for_keyword("CourseState")
GATE_VERDICT = SearchAttributeKey.for_keyword("GateVerdict")
PROTOCOL_VERSION = SearchAttributeKey.for_keyword("ProtocolVersion")
HOLD_REASON = SearchAttributeKey.for_keyword_list("HoldReason")
CYCLE_NUMBER = SearchAttributeKey.for_int("CycleNumber")
CYCLE_STARTED_AT = SearchAttributeKey.for_datetime("CycleStartedAt")
NEXT_DUE_AT = SearchAttributeKey.for_datetime("NextDueAt")
OVERDUE = SearchAttributeKey.for_bool("Overdue")
_KEYS: tuple[SearchAttributeKey[Any], ...] = (
    COURSE_STATE,
    GATE_VERDICT,
    PROTOCOL_VERSION,
    HOLD_REASON,
    CYCLE_NUMBER,
    CYCLE_STARTED_AT,
    NEXT_DUE_AT,
    OVERDUE,
)


def attributes_of(assessment: Assessment, cycle_started_at: datetime) -> dict[str, Any]:
    """The search attributes of an assessment by name; `None` where there is nothing to say."""
    due = assessment.next_due
    return {
        "CourseState": str(assessment.state),
        "GateVerdict": str(assessment.verdict),
        "ProtocolVersion": assessment.protocol,
        "HoldReason": _hold_reasons(assessment) or None,
        "CycleNumber": assessment.cycle,
        "CycleStartedAt": cycle_started_at,
        "NextDueAt": due.due_at if due else None,
        "Overdue": any(o.standing == "overdue" for o in assessment.obligations),
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[SearchAttributeUpdate[Any]]:
    """What must be upserted: only the attributes that changed."""
    moved = [key for key in _KEYS if before.get(key.name) != after[key.name]]
    return [key.value_unset() if after[key.name] is None else key.value_set(after[key.name]) for key in moved]


def _hold_reasons(assessment: Assessment) -> list[str]:
    if assessment.state not in (CourseState.HELD, CourseState.CORRECTION_REVIEW, CourseState.REACTION):
        return []
    return sorted({f.rule for f in assessment.findings if f.verdict is assessment.verdict})


def details_of(assessment: Assessment, decisions: int, trouble: Sequence[str]) -> str:
    """The course in markdown for somebody who knows nothing of the code: where, why, who must act, what is next."""
    until = f"{assessment.valid_until:%Y-%m-%d %H:%M} UTC" if assessment.valid_until else "something is reported"
    lines = [
        f"## {assessment.state} – {assessment.verdict}",
        f"As of {assessment.as_of:%Y-%m-%d %H:%M} UTC until {until}; cycle {assessment.cycle}, "
        f"protocol `{assessment.protocol}`, {decisions} decisions.",
        *(f"**Attention: {words}**" for words in trouble),
        *_why(assessment),
        *_due(assessment),
    ]
    return "\n\n".join(lines)


def _why(assessment: Assessment) -> list[str]:
    standing = assessment.standing[:8]
    if not standing:
        return []
    rows = "\n".join(f"| {f.rule} | {f.verdict} | {_cell(f.reason)} | {_cell(f.clears or '–')} |" for f in standing)
    return [f"### Why\n| rule | asks | because | clears with |\n|---|---|---|---|\n{rows}"]


def _due(assessment: Assessment) -> list[str]:
    if not assessment.obligations:
        return ["Nothing is due."]
    ordered = sorted(assessment.obligations, key=lambda o: (o.due_at, o.key))
    rows = "\n".join(f"| {_cell(o.title)} | {o.owner} | {o.due_at:%Y-%m-%d %H:%M} | {o.standing} |" for o in ordered)
    return [f"### What is due\n| what | who | due (UTC) | now |\n|---|---|---|---|\n{rows}"]


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
