"""What a course answers when it is looked at: its status in a few words, for the command line and the bedside."""

from models.assessment import CourseState, Obligation, Verdict
from models.base import Frozen, Instant
from models.chart import ProtocolPin


class Status(Frozen):
    """Where a course stands, as of its own time. `trouble` says what an administrator must know, in words."""

    course_id: str
    workflow_type: str
    protocol: ProtocolPin
    cycle: int
    state: CourseState | None
    verdict: Verdict | None
    sentence: str
    now: Instant
    valid_until: Instant | None
    next_due: Obligation | None
    decisions: int
    facts: int
    unwritten: int
    trouble: tuple[str, ...] = ()
