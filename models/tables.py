"""The tables of the record (design §8), and nothing that decides: rows are written and read in `record` and `activities`.

A table model validates nothing and never travels through Temporal. What is missing here on purpose: a patient's
identity, but for `inbox.raw`. SQLite keeps no zones and no decimal scale, so instants, decimals and JSON are text, alike
on both databases.
"""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Dialect, Index, LargeBinary, MetaData, String, Text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from models.base import plain

_CONSTRAINT_NAMES = {  # a later migration must name what it alters, on a database that names nothing by itself
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class InstantText(TypeDecorator[datetime]):
    """An aware instant as `2025-03-04T05:06:07.000000Z`: always UTC and 27 characters, so text order is time order."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """The text of the instant. Raises `ValueError` for a time without a zone, another instant on each machine."""
        return None if value is None else self.written(value)

    @staticmethod
    def written(value: datetime) -> str:
        """The text of the instant."""
        if value.utcoffset() is None:
            raise ValueError("an instant without a zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """The instant, aware and in UTC."""
        return None if value is None else datetime.fromisoformat(value)


class DecimalText(TypeDecorator[Decimal]):
    """A decimal as its digits: `1.30` comes back as `1.30`."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """The digits, without an exponent."""
        return None if value is None else self.written(value)

    @staticmethod
    def written(value: Decimal) -> str:
        """The digits."""
        return plain(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """The decimal with the digits it was stored with."""
        return None if value is None else Decimal(value)


class Row(SQLModel):
    """What all tables share: one set of names for their constraints."""

    metadata = MetaData(naming_convention=_CONSTRAINT_NAMES)


class CourseRow(Row, table=True):
    """One course as of its last written decision; everything here can be derived from `decision` again.

    `clock_offset_s` is the course's own time minus the wall clock, in whole seconds: 0 but for an invented course
    whose time is skipped. `facts` counts the rows in `fact`; `updated_at` is the course's own time.
    """

    __tablename__ = "course"

    course_id: str = Field(primary_key=True)
    subject_hash: str
    zone: str
    invented: bool
    started_at: datetime = Field(sa_type=InstantText)
    started_by: str
    protocol_name: str
    protocol_sha256: str
    site_sha256: str | None = None
    state: str
    verdict: str
    cycle: int
    next_due_at: datetime | None = Field(default=None, sa_type=InstantText)
    overdue: bool
    clock_offset_s: int
    last_decision: int
    facts: int
    updated_at: datetime = Field(sa_type=InstantText)
    seal: str | None = None


class DecisionRow(Row, table=True):
    """One decision, never changed. `content` is what was decided, `content_sha256` its hash; `sha256` binds it to its place.

    The other columns repeat parts of `content` for those who ask the database: `message_…` where exactly one message
    was answered, `messages_json` all of them. `outcome` is `accepted` or `refused`
    where a message was answered, `assessed` otherwise. `input_facts_json` lists the facts that the findings name.
    """

    __tablename__ = "decision"

    course_id: str = Field(primary_key=True, foreign_key="course.course_id")
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=InstantText)
    run_cycle: int
    message_name: str | None = None
    message_id: str | None = None
    message_sha256: str | None = None
    message_by: str | None = None
    messages_json: str = Field(sa_type=Text)
    outcome: str
    refusal_type: str | None = None
    state: str
    verdict: str
    findings_json: str = Field(sa_type=Text)
    dose_mg: Decimal | None = Field(default=None, sa_type=DecimalText)
    dose_json: str | None = Field(default=None, sa_type=Text)
    input_facts_json: str = Field(sa_type=Text)
    protocol_name: str
    protocol_sha256: str
    site_sha256: str | None = None
    code_version: str
    previous_sha256: str
    sha256: str
    first_fact_index: int
    content_sha256: str
    content: str = Field(sa_type=Text)
    seal: str | None = None


class FactRow(Row, table=True):
    """One fact of a chart, never changed. `position` counts from 0 in the course; `body_json` is what the fact says."""

    __tablename__ = "fact"
    # Not unique: a fact that happened is kept even where its id was used before.
    __table_args__ = (Index(None, "course_id", "fact_id"),)

    course_id: str = Field(primary_key=True, foreign_key="course.course_id")
    position: int = Field(primary_key=True)
    decision: int
    fact_id: str
    kind: str
    at: datetime = Field(sa_type=InstantText)
    recorded_at: datetime = Field(sa_type=InstantText)
    by: str
    message: str
    body_json: str = Field(sa_type=Text)


class WorklistItemRow(Row, table=True):
    """What a person must do: one obligation with one due time. Open while `resolved_by` (a decision's number) is empty.

    `standing` is the highest rung that has fired, or `closed_as_overdue`: monitoring is over, and the item stays with
    its owner (MON-17). `also` are the roles called besides its owner, with blanks between. `message_sha256` and `fact_id`
    are set where a message waits for a person to read it.
    """

    __tablename__ = "worklist_item"

    course_id: str = Field(primary_key=True, foreign_key="course.course_id")
    obligation: str = Field(primary_key=True)
    due_at: datetime = Field(primary_key=True, sa_type=InstantText)
    kind: str
    overdue_at: datetime | None = Field(default=None, sa_type=InstantText)
    title: str
    owner: str = Field(index=True)
    also: str = ""
    rule: str
    standing: str
    message_sha256: str | None = None
    fact_id: str | None = None
    opened_by: int
    resolved_by: int | None = None
    resolved_how: str | None = None


class MessageRefusedRow(Row, table=True):
    """A message that made no fact, by the decision that turned it away; `position` counts those of one decision."""

    __tablename__ = "message_refused"

    course_id: str = Field(primary_key=True, foreign_key="course.course_id")
    decision: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    at: datetime = Field(sa_type=InstantText)
    type: str
    reason: str
    sha256: str
    size: int


class RawMessageRow(Row, table=True):
    """A message that could not be read or made no fact, each content once in a course: whole, or its first bytes only.

    `name` and `sent` are how it came; `tried_json` lists the releases with their payload keys that could not read it.
    """

    __tablename__ = "raw_message"

    course_id: str = Field(primary_key=True, foreign_key="course.course_id")
    sha256: str = Field(primary_key=True)
    size: int
    name: str
    raw_base64: str = Field(sa_type=Text)
    whole: bool
    reason: str
    received_at: datetime = Field(sa_type=InstantText)
    sent: str
    tried_json: str = Field(sa_type=Text)
    seal: str | None = None


class InboxRow(Row, table=True):
    """One document as it was sent, committed before its sender is answered; each content once, and never deleted.

    `raw` is what was sent, names and all: no other column here holds more than keyed hashes, ids and words of ours.
    `read_as` is the actor in whose name it is read, so that the same bytes always make the same messages. `waits_for`
    says what a waiting item lacked when it was last looked at. `course_id` names the course that a sent item went to; a
    course may run before the record knows it, so nothing here refers to its row.
    """

    __tablename__ = "inbox"
    __table_args__ = (CheckConstraint("state IN ('waiting', 'sent', 'dismissed')", name="known_state"),)

    sha256: str = Field(primary_key=True)
    size: int
    raw: bytes = Field(sa_type=LargeBinary)
    read_as: str
    received_at: datetime = Field(sa_type=InstantText)
    subjects_json: str = Field(sa_type=Text)
    birth_hash: str | None = None
    refused_json: str = Field(sa_type=Text)
    state: str = Field(index=True)
    waits_for: str | None = None
    course_id: str | None = None
    settled_by: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=InstantText)
    settled_why: str | None = Field(default=None, sa_type=Text)
    seal: str | None = None


class CourseStartRow(Row, table=True):
    """A course's id, given to one patient by a door before its execution was started. Wall clock; no identity.

    Its row in `course` follows with the first decision. One without is a course that has just begun, or nobody's.
    """

    __tablename__ = "course_start"

    course_id: str = Field(primary_key=True)
    subject_hash: str
    zone: str
    invented: bool
    reserved_at: datetime = Field(sa_type=InstantText)
    reserved_by: str
    seal: str | None = None


class NotificationRow(Row, table=True):
    """One call to a person through one channel, committed before the channel is asked.

    `key` is a hash of the call's idempotency key. `due_at` and `fired_at` are the course's own time, the other times
    are the wall clock's. `repeated` says that the channel may have been asked twice: a process died between asking and
    knowing. `failure` is the kind of an error, never its text. A course may call before the record knows it, so nothing
    here refers to its row.
    """

    __tablename__ = "notification"
    __table_args__ = (CheckConstraint("state IN ('asked', 'confirmed', 'failed', 'unconfirmed')", name="known_state"),)

    key: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    course_id: str = Field(index=True)
    title: str
    rule: str
    owner: str
    rung: str
    due_at: datetime = Field(sa_type=InstantText)
    fired_at: datetime = Field(sa_type=InstantText)
    kept_at: datetime = Field(sa_type=InstantText)
    asked_at: datetime = Field(sa_type=InstantText)
    attempts: int
    repeated: bool
    state: str = Field(index=True)
    settled_at: datetime | None = Field(default=None, sa_type=InstantText)
    failure: str | None = None
    seal: str | None = None


class WatchRow(Row, table=True):
    """A difference between Temporal and the record that a person must mend; open while `ended_at` is empty. Wall clock.

    `kind` is `no_execution`, a course that nobody watches, or `no_course`, an execution that the record does not know.
    `how` says how the execution ended. It may name what the record has no row of, so nothing here refers to one.
    """

    __tablename__ = "watch"
    __table_args__ = (CheckConstraint("kind IN ('no_execution', 'no_course')", name="known_kind"),)

    course_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    noticed_at: datetime = Field(primary_key=True, sa_type=InstantText)
    how: str
    ended_at: datetime | None = Field(default=None, sa_type=InstantText)
    seal: str | None = None


class SweepRow(Row, table=True):
    """When a sweep of housekeeping was done last, by the wall clock, and what it counted."""

    __tablename__ = "sweep"

    name: str = Field(primary_key=True)
    done_at: datetime = Field(sa_type=InstantText)
    looked: int
    found: int
    seal: str | None = None


class RecordCheckRow(Row, table=True):
    """What the last look at a course's record found: how many faults, and the first of them. Wall clock.

    `course_id` is empty for what belongs to no course. Nothing here refers to a course: its row may be what is missing.
    """

    __tablename__ = "record_check"

    course_id: str = Field(primary_key=True)
    checked_at: datetime = Field(sa_type=InstantText)
    faults: int
    told_json: str = Field(sa_type=Text)
    seal: str | None = None


class RowCountRow(Row, table=True):
    """How many rows of a table were written and not taken back, for tables whose rows nothing else would miss."""

    __tablename__ = "row_count"

    name: str = Field(primary_key=True)
    rows: int
    seal: str | None = None


class InstallationRow(Row, table=True):
    """The one row that says whose database this is and what for, `demo` or `ward`; written once, by `inocycle init`.

    `installation_id` stands in the Temporal namespace, too. `seal` is the keyed hash over the others.
    """

    __tablename__ = "installation"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("mode IN ('demo', 'ward')", name="known_mode"),
    )

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    mode: str
    installation_id: str | None = None
    seal: str | None = None
