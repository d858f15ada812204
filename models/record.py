"""What a course asks its record to keep: one entry a decision, chained by hash, in order.

What an entry says is `Recorded`. The recorded activity `decide` writes it down as one canonical text; everybody after
it carries, hashes and stores that text and never writes it again, so that a later release changes no hash of before.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Literal

from models.assessment import Assessment, Refused
from models.base import Frozen, Instant
from models.chart import Course
from models.facts import Fact
from models.phase import Phase
from models.pins import ProtocolPin

GENESIS_SHA256 = "0" * 64
"""The hash before a course's first entry."""


class MessageSeen(Frozen):
    """A message that a decision answered: its name, id and content hash, who sent it, and its refusal, if it was one."""

    name: str
    id: str
    sha256: str
    by: str
    refusal: Refused | None = None


class RefusedMessage(Frozen):
    """A message that made no fact (another patient's, or an id used twice with other content): kept for a person."""

    type: str
    reason: str
    sha256: str
    size: int


class RawMessage(Frozen):
    """A message that could not be read or made no fact, whole as it came (base64), or its first bytes where it is too large.

    `sha256` and `size` are those of all its bytes, `name` and `sent` are how it was sent.
    """

    sha256: str
    size: int
    name: str
    reason: str
    raw_base64: str = ""
    whole: bool = True
    sent: Literal["signal", "update"] = "signal"


class Recorded(Frozen):
    """What one decision says for ever: what was told, what was ruled, the facts that follow, where the course stands.

    `at` is the course's own time; `start` is the whole course, in its first entry; `key_ids` are the payload keys that
    the deciding worker could open, `code_version` its release. `tried_again` are hashes of messages that it could not
    read when it was asked to.
    """

    at: Instant
    messages: tuple[MessageSeen, ...] = ()
    refused_messages: tuple[RefusedMessage, ...] = ()
    facts: tuple[Fact, ...] = ()
    assessment: Assessment
    phase: Phase
    protocol: ProtocolPin
    code_version: str
    key_ids: tuple[str, ...] = ()
    start: Course | None = None
    tried_again: tuple[str, ...] = ()


def tried_with(code_version: str, key_ids: Iterable[str]) -> str:
    """With what a message was tried, in one line: the release and its payload keys."""
    return " ".join((code_version, *sorted(key_ids)))


def sha256_of(text: str) -> str:
    """SHA-256 of a text, as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def chart_key_after(key: str, content_sha256: str, facts: tuple[Fact, ...]) -> str:
    """The hash of how a chart came about, after a decision with these facts; one without any leaves it as it was."""
    return sha256_of(key + content_sha256) if facts else key


class RecordEntry(Frozen):
    """One link of a course's chain. `number` counts decisions from 1 in a course, across its runs.

    `content` is the text of a `Recorded` as it was decided, `content_sha256` its hash. `sha256` binds them to their
    place (`number`, `run_cycle`, `first_fact_index`) and to the entry before (`previous_sha256`). `raw` are messages
    that came with it and could not be used; their hashes stand in its content.
    """

    course_id: str
    number: int
    run_cycle: int
    first_fact_index: int
    content: str
    content_sha256: str
    previous_sha256: str
    sha256: str = ""
    raw: tuple[RawMessage, ...] = ()

    def sealed(self) -> "RecordEntry":
        """The entry with its own hash."""
        return self.model_copy(update={"sha256": self.computed_sha256()})

    def computed_sha256(self) -> str:
        """SHA-256 over the place of this entry, its content's hash and the hash before, one a line."""
        said = (
            self.course_id,
            self.number,
            self.run_cycle,
            self.first_fact_index,
            self.content_sha256,
            self.previous_sha256,
        )
        return sha256_of("\n".join(map(str, said)))

    @cached_property
    def recorded(self) -> Recorded:
        """What the entry says. Raises `pydantic.ValidationError` where this release cannot read it."""
        return Recorded.model_validate_json(self.content)

    @property
    def at(self) -> datetime:
        """The course's own time of this decision."""
        return self.recorded.at

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts that came with this decision."""
        return self.recorded.facts

    @property
    def messages(self) -> tuple[MessageSeen, ...]:
        """The messages that it answered."""
        return self.recorded.messages

    @property
    def message(self) -> MessageSeen | None:
        """The message that it answered, where there was exactly one."""
        return self.messages[0] if len(self.messages) == 1 else None

    @property
    def refusal(self) -> Refused | None:
        """The refusal of that message."""
        return self.message.refusal if self.message else None

    @property
    def refused_messages(self) -> tuple[RefusedMessage, ...]:
        """Messages that made no fact and wait for a person."""
        return self.recorded.refused_messages

    @property
    def assessment(self) -> Assessment:
        """Where the course stood after it."""
        return self.recorded.assessment

    @property
    def protocol(self) -> ProtocolPin:
        """The protocol in force."""
        return self.recorded.protocol

    @property
    def code_version(self) -> str:
        """The release that decided."""
        return self.recorded.code_version

    @property
    def tried_with(self) -> str:
        """The release that decided and the keys that it had, in one line."""
        return tried_with(self.recorded.code_version, self.recorded.key_ids)

    @property
    def start(self) -> Course | None:
        """The whole course, in its first entry."""
        return self.recorded.start

    def headline(self) -> str:
        """The decision in words, for the Web UI: `decision 12: HOLD – NON-08: ALT 160 U/L …`."""
        if self.refusal is not None:
            rules = ", ".join(self.refusal.rules)
            return f"decision {self.number}: refused {self.refusal.type}" + (f" ({rules})" if rules else "")
        return f"decision {self.number}: {self.assessment.sentence()}"


class RecordBatch(Frozen):
    """Entries in order, to be written in one transaction: all or none, each once."""

    entries: tuple[RecordEntry, ...]
