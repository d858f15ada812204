"""What a course asks its record to keep: one entry a decision, chained by hash, in order."""

from models.assessment import Assessment, Refused
from models.base import Frozen, Instant, content_hash
from models.facts import Fact
from models.pins import ProtocolPin


class MessageSeen(Frozen):
    """The message that a decision answered: its name, id and content hash, and who sent it."""

    name: str
    id: str
    sha256: str
    by: str


class RefusedMessage(Frozen):
    """A message that made no fact (another patient's, or an id used twice with other content): kept for a person."""

    type: str
    reason: str
    sha256: str
    size: int
    head_base64: str = ""


class CourseStart(Frozen):
    """What the record keeps of a course's start; identity only as keyed hashes."""

    course_id: str
    zone: str
    subject_hash: str
    invented: bool
    protocol: ProtocolPin
    started_at: Instant
    started_by: str


class RecordEntry(Frozen):
    """One decision with everything that it was made of. `number` counts from 1 in a course, across its runs.

    `at` is the course's own time. `sha256` covers all but itself and binds the entry before it (`previous_sha256`).
    """

    course_id: str
    number: int
    run_cycle: int
    at: Instant
    message: MessageSeen | None = None
    refusal: Refused | None = None
    refused_message: RefusedMessage | None = None
    facts: tuple[Fact, ...] = ()
    first_fact_index: int
    assessment: Assessment
    protocol: ProtocolPin
    code_version: str
    start: CourseStart | None = None
    previous_sha256: str
    sha256: str = ""

    def sealed(self) -> "RecordEntry":
        """The entry with its own hash."""
        return self.model_copy(update={"sha256": self.computed_sha256()})

    def computed_sha256(self) -> str:
        """SHA-256 of the canonical JSON of everything but the hash itself."""
        return content_hash(self.model_dump(mode="json", exclude={"sha256"}))

    def headline(self) -> str:
        """The decision in words, for the Web UI: `decision 12: HOLD – NON-08: ALT 160 U/L …`."""
        if self.refusal is not None:
            rules = ", ".join(self.refusal.rules)
            return f"decision {self.number}: refused {self.refusal.type}" + (f" ({rules})" if rules else "")
        return f"decision {self.number}: {self.assessment.sentence()}"


class RecordBatch(Frozen):
    """Entries in order, to be written in one transaction: all or none, each once."""

    entries: tuple[RecordEntry, ...]
