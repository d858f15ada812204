"""What a course answers when it is looked at: its status in a few words, for the command line and the bedside."""

from models.assessment import CourseState, Obligation, Verdict
from models.base import Frozen, Instant
from models.pins import ProtocolPin


class Status(Frozen):
    """Where a course stands, as of its own time. `trouble` says what an administrator must know, in words.

    `waiting` messages have arrived and are being judged (none while the rules fail: `trouble` says how many wait then);
    `unwritten` decisions are not in the record yet.
    """

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
    waiting: int = 0
    trouble: tuple[str, ...] = ()
