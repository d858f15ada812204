"""What a run of a course carries into the next one. Never a derived state: that is assessed again."""

from models.assessment import Assessment, Obligation, Ruling
from models.base import Frozen, Instant
from models.chart import Chart, Course
from models.deciding import Answer, Arrived
from models.facts import Fact, RecordCompared, UnreadableMessage
from models.messages import NamedMessage
from models.notification import Notification
from models.phase import Phase
from models.record import GENESIS_SHA256, RawMessage, RecordEntry


class Carried(Frozen):
    """All that survives continue-as-new. Never a state to decide by; `shown_state` only tells since when it is shown.

    `next_decision` numbers the decisions of the course; `waiting` are messages that are not judged yet, as they came;
    `unwritten` are entries the record has not confirmed yet, `untold` calls that no adapter has confirmed yet.
    `chart_key` is the hash of how the chart came about, `failing_since` the instant from which the rules could not be
    evaluated. `due` is what people were promised to be called for: where the rules fail, it is all that is known.
    `adopted` are facts that another stretch of this course knew and the record does not hold yet, `raw` messages that go
    into it with the next entry, `compared` how the record's head stands where that is no fact yet.
    """

    course: Course
    facts: tuple[Fact, ...] = ()
    answers: tuple[Answer, ...] = ()
    waiting: tuple[Arrived, ...] = ()
    unwritten: tuple[RecordEntry, ...] = ()
    untold: tuple[Notification, ...] = ()
    next_decision: int = 1
    last_sha256: str = GENESIS_SHA256
    chart_key: str = GENESIS_SHA256
    cycle: int = 1
    cycle_started_at: Instant | None = None
    shown_state: str | None = None
    shown_state_since: Instant | None = None
    failing_since: Instant | None = None
    adopted: tuple[Fact, ...] = ()
    raw: tuple[RawMessage, ...] = ()
    due: tuple[Obligation, ...] = ()
    compared: RecordCompared | None = None

    @property
    def chart(self) -> Chart:
        """The chart of the course as carried."""
        return Chart(course=self.course, facts=self.facts)


class TakenOver(Frozen):
    """What a course goes on from after its record and its execution were brought together, and in which execution."""

    carried: Carried
    phase: Phase


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
    phase: Phase
    code_version: str
