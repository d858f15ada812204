"""What a course asks the recorded activity `decide`, and what it is answered.

The workflow never reads a message: it hands over what has arrived as bytes, and takes ids, hashes and texts from the
answer, which Temporal keeps. So a key that comes back or a release that reads otherwise changes nothing of before.
"""

from typing import Final, Literal

from pydantic import ConfigDict, Field

from models.assessment import Obligation, Receipt, Refused
from models.base import Frozen, Instant
from models.chart import Course
from models.facts import Fact, RecordCompared
from models.phase import Phase
from models.record import RawMessage

Sent = Literal["signal", "update"]
RUN_CLOSES: Final = "RunCloses"
"""What a command is told that comes while a run gives over to the next: it left no trace, and is to be sent again."""


class Arrived(Frozen):
    """One message as it came: how it was sent, under which name, and its payloads as serialised bytes.

    `kept` marks a person's statement that was answered while the rules could not be evaluated.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    name: str
    sent: Sent
    payloads: tuple[bytes, ...]
    kept: bool = False


class Answer(Frozen):
    """The first answer to a message id, given again to every repeat; a machine's message has neither receipt nor refusal."""

    message_id: str
    sha256: str
    receipt: Receipt | None = None
    refusal: Refused | None = None


class State(Frozen):
    """All that a decision needs to know of a run: its chart, the content hash of each message id that was answered, the
    messages to take in, what was due before, and the facts that it adopts (REC-02)."""

    course: Course
    facts: tuple[Fact, ...] = ()
    answered: dict[str, str] = Field(default_factory=dict)
    bite: tuple[Arrived, ...] = ()
    due: tuple[Obligation, ...] = ()
    adopted: tuple[Fact, ...] = ()


class Ask(Frozen):
    """One question to `decide`: take in a bite of messages at `now`, then assess.

    `run_id`, `chart_key` and `token` find what the worker holds beside itself; `state` is given where it holds nothing.
    `cycle` and `monitoring` say which execution asks, `first` that nothing was decided before. `failing_since` is the
    instant since which the rules cannot be evaluated, `compared` how the record's head stood when it was asked.
    """

    run_id: str
    chart_key: str
    token: int
    now: Instant
    cycle: int = 1
    monitoring: bool = False
    first: bool = False
    failing_since: Instant | None = None
    compared: RecordCompared | None = None
    state: State | None = None


class Head(Frozen):
    """The last decision of a course that somebody knows: its number (0: none), its hash, and the state it left, if told."""

    number: int
    sha256: str = ""
    state: str = ""


class Outcome(Frozen):
    """What became of one message: judged (with its refusal, if it was one), or why not.

    `known` is a repeat of an answered one, `reused` its id with other content, `unreadable` became a fact that closes the
    gate, `set_aside` the same because a rule failed on it, `waits` stays in the queue until the rules can be evaluated.
    `inside` is what became of the message that an accepted `read_again` brought, and `sent` how that one came.
    """

    how: Literal["judged", "known", "reused", "unreadable", "set_aside", "waits"]
    name: str
    id: str = ""
    sha256: str = ""
    refusal: Refused | None = None
    sent: Sent | None = None
    inside: "Outcome | None" = None


class Answered(Frozen):
    """The recorded answer of `decide`.

    `missing`: the worker holds nothing of this run, ask with `state`. Otherwise `outcomes` has one entry for each message
    that was taken from the front of the bite. `content` is the canonical text of a `Recorded`; where the rules could not
    be evaluated (`failed` says where, without values) it holds the course. `signature` is that of what is worth an entry,
    `news` that there is something beside it: a message, a fact. `chart_key` belongs to the chart with the new facts.
    `key_ids` and `code_version` name with what it was read, `moves` that the course shall go over to another build,
    `reconciled` that it shall go on from its record.
    """

    missing: bool = False
    outcomes: tuple[Outcome, ...] = ()
    failed: str = ""
    content: str = ""
    content_sha256: str = ""
    signature: str = ""
    chart_key: str = ""
    news: bool = False
    phase: Phase | None = None
    raw: tuple[RawMessage, ...] = ()
    moves: bool = False
    reconciled: bool = False
    code_version: str = ""
    key_ids: tuple[str, ...] = ()
