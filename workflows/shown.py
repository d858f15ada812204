"""What an administrator sees of a course in the Temporal Web UI: search attributes and current details.

Search attributes are plain text on the server: states, rule ids and instants only, never a value or an identity.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from models.assessment import Assessment, CourseState, Obligation
    from models.base import counted
    from models.facts import DIFFERS
    from models.zones import zone_of

COURSE_STATE = SearchAttributeKey.for_keyword("CourseState")
GATE_VERDICT = SearchAttributeKey.for_keyword("GateVerdict")
PROTOCOL_VERSION = SearchAttributeKey.for_keyword("ProtocolVersion")
HOLD_REASON = SearchAttributeKey.for_keyword_list("HoldReason")
CYCLE_NUMBER = SearchAttributeKey.for_int("CycleNumber")
CYCLE_STARTED_AT = SearchAttributeKey.for_datetime("CycleStartedAt")
STATE_SINCE = SearchAttributeKey.for_datetime("StateSince")
NEXT_DUE_AT = SearchAttributeKey.for_datetime("NextDueAt")
OVERDUE = SearchAttributeKey.for_bool("Overdue")
_KEYS: tuple[SearchAttributeKey[Any], ...] = (
    COURSE_STATE,
    GATE_VERDICT,
    PROTOCOL_VERSION,
    HOLD_REASON,
    CYCLE_NUMBER,
    CYCLE_STARTED_AT,
    STATE_SINCE,
    NEXT_DUE_AT,
    OVERDUE,
)


def attributes_of(assessment: Assessment, cycle_started_at: datetime, state_since: datetime) -> dict[str, Any]:
    """The search attributes of an assessment by name; `None` where there is nothing to say."""
    due = assessment.next_due
    return {
        "CourseState": str(assessment.state),
        "GateVerdict": str(assessment.verdict),
        "ProtocolVersion": assessment.protocol,
        "HoldReason": _hold_reasons(assessment) or None,
        "CycleNumber": assessment.cycle,
        "CycleStartedAt": cycle_started_at,
        "StateSince": state_since,
        "NextDueAt": due.due_at if due else None,
        "Overdue": any(o.standing == "overdue" for o in assessment.obligations),
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[SearchAttributeUpdate[Any]]:
    """What must be upserted: only the attributes that changed."""
    moved = [key for key in _KEYS if before.get(key.name) != after[key.name]]
    return [key.value_unset() if after[key.name] is None else key.value_set(after[key.name]) for key in moved]


def _hold_reasons(assessment: Assessment) -> list[str]:
    """The rules of the headline where it holds; REC-02 always, also beside a patient and under something graver."""
    held = assessment.state in (CourseState.HELD, CourseState.CORRECTION_REVIEW, CourseState.REACTION)
    return sorted(
        {f.rule for f in assessment.standing if f.rule == DIFFERS or (held and f.verdict is assessment.verdict)}
    )


def details_of(assessment: Assessment, since: datetime, decisions: int, trouble: Sequence[str], zone: str) -> str:
    """The course in markdown for somebody who knows nothing of the code: where, why, who must act, what is next.

    Lists and no tables: the Web UI sets the cells of a table without any space between them. One clock for all: the
    course's own time in its zone, as in the sentences of the rules.
    """
    there = zone_of(zone)
    lines = [
        f"## {_words(assessment.state)} since {_instant(since, there)}",
        *(f"**Attention: {words}**" for words in trouble),
        f"**{assessment.sentence()}**",
        *_turn(assessment),
        *_why(assessment),
        *_before_the_start(assessment),
        *_set_aside(assessment),
        *_due(assessment, there),
        "---",
        f"As of {_instant(assessment.as_of, there)}, {_until(assessment, there)}. All times are the course's own, in {there}."
        f" Cycle {assessment.cycle}, protocol {assessment.protocol}, {counted(decisions, 'decision')} so far."
        f' In a search: `CourseState = "{assessment.state}"`, `GateVerdict = "{assessment.verdict}"`.',
    ]
    return "\n\n".join(lines)


def _until(assessment: Assessment, zone: ZoneInfo) -> str:
    if assessment.valid_until is None:
        return "and so until something is reported"
    return f"and so until {_instant(assessment.valid_until, zone)} or until something is reported"


def _turn(assessment: Assessment) -> list[str]:
    turns = assessment.whose_turn
    return (
        ["It is the turn of: " + "; ".join(f"**{owner}** – {_line(action)}" for owner, action in turns)]
        if turns
        else []
    )


def _why(assessment: Assessment) -> list[str]:
    standing = assessment.standing[:8]
    if not standing:
        return []
    reasons = (
        f"- **{f.rule}** – {assessment.asked_by(f)}: {_line(f.reason)}. **Clears with:** {_line(f.clears or 'nothing known')}."
        for f in standing
    )
    return ["### Why, and what would change it\n" + "\n".join(reasons)]


def _before_the_start(assessment: Assessment) -> list[str]:
    """Who has signed, what is missing before the start, and what would be answered to the next step now."""
    step = assessment.next_step()
    lines = [f"- signed: {_line(words)}" for words in assessment.signatures]
    lines += [f"- lapsed: {_line(words)}" for words in assessment.lapsed]
    lines += [f"- missing: **{f.rule}** {_line(f.reason)}, {_line(f.clears or '')}" for f in assessment.lacking]
    lines += [f"- next step: {_line(step)}"] if step else []
    heading = "At the bedside" if assessment.under_way else "Before the start"
    return [f"### {heading}\n" + "\n".join(lines)] if lines else []


def _set_aside(assessment: Assessment) -> list[str]:
    lines = [f"- **{f.rule}**: {_line(f.reason)} – {_line(f.overridden or '')}" for f in assessment.set_aside]
    return ["### Set aside by people\n" + "\n".join(lines)] if lines else []


def _due(assessment: Assessment, zone: ZoneInfo) -> list[str]:
    heading = "### What is due, and from whom\n"
    if not assessment.obligations:
        return [f"{heading}Nothing has a date; the course waits for what is named above, or for a message."]
    ordered = sorted(assessment.obligations, key=lambda o: (o.due_at, o.key))
    return [heading + "\n".join(f"- **{_who(o, zone)}**: {_line(o.title)} – {_standing(o, zone)}" for o in ordered)]


def _who(obligation: Obligation, zone: ZoneInfo) -> str:
    """Everybody who is called, and what they answered (CALL-01)."""
    answered = "".join(f" ({a.words(zone)})" for a in obligation.answers)
    return f"{' and '.join(obligation.owners)}{answered}"


def _standing(obligation: Obligation, zone: ZoneInfo) -> str:
    match obligation.standing:
        case "coming":
            return f"due on {_instant(obligation.due_at, zone)}"
        case "due":
            return f"**due** since {_instant(obligation.due_at, zone)}, overdue from {_instant(obligation.overdue_at, zone)}"
        case "overdue":
            return f"**overdue**, it was due on {_instant(obligation.due_at, zone)}"
    assert_never(obligation.standing)


def _instant(instant: datetime, zone: ZoneInfo) -> str:
    there = instant.astimezone(zone)
    return f"{there:%a %d %b %Y %H:%M} {there.tzname()}"


def _words(state: CourseState) -> str:
    return str(state).replace("_", " ").capitalize()


def _line(text: str) -> str:
    return text.replace("\n", " ")
