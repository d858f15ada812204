"""What a run of a course carries into the next one. Never a derived state: that is assessed again."""

from models.assessment import Assessment, Receipt, Refused, Ruling
from models.base import Frozen, Instant
from models.chart import Chart, Course
from models.facts import Fact, UnreadableMessage
from models.messages import NamedMessage
from models.notification import Notification
from models.record import RecordEntry

GENESIS_SHA256 = "0" * 64
"""The hash before a course's first entry."""


class Answer(Frozen):
    """The first answer to a message id, given again to every repeat."""

    message_id: str
    sha256: str
    receipt: Receipt | None = None
    refusal: Refused | None = None


class WaitingSignal(Frozen):
    """A signal that has arrived and is not judged yet, as raw bytes.

    `trouble` says why the bytes cannot be what they should (no payload, a lost key); `kept` marks a person's statement
    that came while the rules could not be evaluated.
    """

    name: str
    encoding: str
    data_base64: str
    trouble: str | None = None
    kept: bool = False


class Carried(Frozen):
    """All that survives continue-as-new. Never a state to decide by; `shown_state` only tells since when it is shown.

    `next_decision` numbers the decisions of the course; `unwritten` are entries the record has not confirmed yet,
    `untold` calls that no adapter has confirmed yet.
    """

    course: Course
    facts: tuple[Fact, ...] = ()
    answers: tuple[Answer, ...] = ()
    waiting: tuple[WaitingSignal, ...] = ()
    unwritten: tuple[RecordEntry, ...] = ()
    untold: tuple[Notification, ...] = ()
    next_decision: int = 1
    last_sha256: str = GENESIS_SHA256
    cycle: int = 1
    cycle_started_at: Instant | None = None
    shown_state: str | None = None
    shown_state_since: Instant | None = None

    @property
    def chart(self) -> Chart:
        """The chart of the course as carried."""
        return Chart(course=self.course, facts=self.facts)


class DecideRequest(Frozen):
    """One question to the pure core: judge this message (if any) against the chart at `now`, then assess.

    `monitoring` says which execution asks: a treatment cycle or liver monitoring.
    """

    chart: Chart
    now: Instant
    monitoring: bool = False
    message: NamedMessage | None = None
    unreadable: UnreadableMessage | None = None


class Decision(Frozen):
    """The core's answer: the ruling on the message, the facts that follow, the assessment of the chart with them."""

    ruling: Ruling | None
    facts: tuple[Fact, ...]
    assessment: Assessment
    phase: "Phase"
    code_version: str


CYCLE, MONITORING, ENDED = "cycle", "monitoring", "ended"


class Phase(Frozen):
    """Which execution the course needs now: a treatment cycle (its number), liver monitoring, or none any more."""

    kind: str
    cycle: int


Decision.model_rebuild()
