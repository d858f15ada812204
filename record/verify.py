"""Whether the record is what was written: every column of every row, by hashes, by seals, and by deriving it again.

A decision is bound by its content's hash, its link to the one before, and a seal that needs the record key. Facts, the
worklist, refused messages and the course's row follow from the decisions: they are made again and compared. Other rows
carry a seal of their own and are counted. What was cut off at the end, or a course taken out whole, is missed by the heads
that were written down outside the database. Nothing is mended here, and nothing of what a row holds is repeated.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, inspect
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.base import Frozen
from models.facts import UnreadableMessage
from models.record import GENESIS_SHA256, RecordEntry, sha256_of
from models.tables import (
    CourseRow,
    CourseStartRow,
    DecisionRow,
    FactRow,
    InboxRow,
    InstallationRow,
    MessageRefusedRow,
    NotificationRow,
    RawMessageRow,
    RecordCheckRow,
    Row,
    RowCountRow,
    SweepRow,
    WatchRow,
    WorklistItemRow,
)
from plumbing.database import is_damage, reading
from plumbing.keys import RecordKey
from plumbing.sealing import ANCHORS, COLUMN, COUNTED, stored_values, table_of, unsealed_columns
from record import worklist
from record.raw import Fault, NotAsWritten, Raw, key_of, part_of, raw_rows, raw_select, row_of, text_of
from record.rows import (
    advance,
    course_row,
    decision_row,
    decision_seal,
    fact_rows,
    message_refused_rows,
)

OF_A_COURSE: Final[tuple[type[Row], ...]] = (
    CourseRow,
    DecisionRow,
    FactRow,
    WorklistItemRow,
    MessageRefusedRow,
    RawMessageRow,
    CourseStartRow,
    NotificationRow,
    WatchRow,
)
OF_NO_COURSE: Final[tuple[type[Row], ...]] = (InstallationRow, InboxRow, SweepRow, RecordCheckRow, RowCountRow)
SEALED: Final[tuple[type[Row], ...]] = (CourseRow, RawMessageRow, CourseStartRow, NotificationRow, WatchRow)

Rows = Mapping[type[Row], Sequence[Mapping[str, Any]]]
"""The rows of one course as the database holds them."""


class CourseHead(Frozen):
    """The head of a course's record as it was written down outside the database."""

    course_id: str
    number: int
    sha256: str


async def verify_all(engine: AsyncEngine, key: RecordKey, heads: Iterable[CourseHead] = ()) -> list[Fault]:
    """What is not as it was written, in the whole record: all courses, and what belongs to none."""
    heads = tuple(heads)
    found = await verify_what_is_of_no_course(engine, key)
    for course_id in sorted({*await course_ids(engine), *(head.course_id for head in heads)}):
        found += await verify_course(engine, key, course_id, heads)
    return found


async def verify_course(
    engine: AsyncEngine, key: RecordKey, course_id: str, heads: Iterable[CourseHead] = ()
) -> list[Fault]:
    """What is not as it was written, in the rows of one course; of a course that nobody knows, that there is none.

    Of `heads` only its own are compared.
    """
    try:
        async with AsyncSession(reading(engine)) as session:
            there = await _tables(session)
            rows = {kind: await _rows_of(session, kind, course_id) if kind in there else [] for kind in OF_A_COURSE}
    except DatabaseError as error:
        return _damage(error, course_id)
    gone = [_gone(kind, course_id) for kind in OF_A_COURSE if kind not in there]
    own = tuple(head for head in heads if head.course_id == course_id)
    # Hundreds of texts are hashed and read: not on the loop of a worker that conducts courses.
    return gone + await asyncio.to_thread(faults_in, course_id, rows, key, own)


async def course_ids(engine: AsyncEngine) -> set[str]:
    """Every course of which any row is there."""
    async with AsyncSession(reading(engine)) as session:
        found: set[Any] = set()
        for kind in set(OF_A_COURSE) & await _tables(session):
            column = table_of(kind).columns["course_id"]
            found |= {raw["course_id"] for raw in await raw_rows(session, select(column).distinct())}
    return {one for one in found if isinstance(one, str)} | {text_of(one) for one in found if not isinstance(one, str)}


def faults_in(course_id: str, rows: Rows, key: RecordKey, heads: Iterable[CourseHead] = ()) -> list[Fault]:
    """What is not as it was written in these rows. Pure."""
    look = _Look(course_id, rows, key)
    entries = look.decisions()
    look.compare(FactRow, [row for entry in entries.values() for row in fact_rows(entry)], entries)
    look.compare(MessageRefusedRow, [r for entry in entries.values() for r in message_refused_rows(entry)], entries)
    if look.complete or look.nothing:
        look.compare(WorklistItemRow, _items(entries.values()))
        if entries:
            look.course(entries)
    look.raw_messages(entries)
    look.start(entries)
    for kind in SEALED:
        look.seals(kind)
    look.heads(heads)
    return look.faults


def _items(entries: Iterable[RecordEntry]) -> list[WorklistItemRow]:
    items: worklist.Items = {}
    for entry in entries:
        worklist.keep(items, entry)
    return list(items.values())


class _Look:
    """One look at the rows of one course; faults are told in the order in which they are found, each once."""

    def __init__(self, course_id: str, rows: Rows, key: RecordKey) -> None:
        self.course_id = course_id
        self.faults: list[Fault] = []
        self.complete = True
        self.nothing = not rows[DecisionRow]
        """No decision is there at all, so nothing may follow from one."""
        self._rows = rows
        self._key = key
        self._spoilt: set[tuple[str, str, str]] = set()
        for kind in OF_A_COURSE:
            for raw in rows[kind]:
                self._read(kind, raw)

    def say(self, kind: type[Row], row: str, column: str, words: str) -> None:
        """Name a fault, unless this column of this row was named before."""
        table = table_of(kind).name
        if (table, row, column) not in self._spoilt:
            self._spoilt.add((table, row, column))
            self.faults.append(
                Fault(course_id=text_of(self.course_id), table=table, row=row, column=column, words=words)
            )

    def _read(self, kind: type[Row], raw: Raw) -> None:
        try:
            row_of(kind, raw)
        except NotAsWritten as error:
            self.say(kind, key_of(kind, raw), error.column, error.words)

    # ── decisions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def decisions(self) -> dict[int, RecordEntry]:
        """The entries that are as they were written, by number; where one is not, or is missing, nothing is complete."""
        entries: dict[int, RecordEntry] = {}
        by_number = {raw["number"]: raw for raw in self._rows[DecisionRow]}
        last = max((n for n in by_number if isinstance(n, int)), default=0)
        before: Raw = {"sha256": GENESIS_SHA256, COLUMN: None}
        self._must_reach(max((n for n in map(_last_said, self._rows[CourseRow]) if n), default=0), last)
        for number in range(1, min(last, len(by_number) + MOST_MISSING) + 1):
            raw = by_number.get(number)
            if raw is None:
                self.say(DecisionRow, str(number), "", "it is missing")
                self.complete, before = False, {}
                continue
            entry = self._decision(raw, before)
            if entry is None:
                self.complete = False
            else:
                entries[number] = entry
            before = raw
        return entries

    def _must_reach(self, said: int, last: int) -> None:
        """Whether the decisions go as far as the course's own row says."""
        if said > last:
            self.say(DecisionRow, str(last + 1), "", f"it is missing: the course says that {said} were written")
            self.complete = False

    def _decision(self, raw: Raw, before: Raw) -> RecordEntry | None:
        """The entry of a row, where its hashes, its place and its columns are as they were written."""
        number, told = str(raw["number"]), len(self.faults)
        try:
            row = row_of(DecisionRow, raw)
        except NotAsWritten:
            return None
        entry = RecordEntry(
            **{name: getattr(row, name) for name in RecordEntry.model_fields if name in DecisionRow.model_fields}
        )
        if (column := self._other_than_hashed(entry, raw[COLUMN], before)) is not None:
            self.say(DecisionRow, number, column, "it is not what was hashed")
            return None
        if before and entry.previous_sha256 != before["sha256"]:
            self.say(DecisionRow, number, "previous_sha256", "it is not the hash of the decision before")
        seal = decision_seal(self._key, entry.course_id, entry.number, entry.sha256, before.get(COLUMN))
        if before and raw[COLUMN] != seal:
            self.say(DecisionRow, number, COLUMN, self._unsealed(raw[COLUMN]))
        try:
            self._same(DecisionRow, raw, {**stored_values(decision_row(entry)), COLUMN: raw[COLUMN]})
        except Exception as error:  # noqa: BLE001 - a content that this release cannot read is an answer
            self.say(DecisionRow, number, "content", f"this release cannot read it ({type(error).__name__})")
            return None
        return entry if len(self.faults) == told else None

    def _other_than_hashed(self, entry: RecordEntry, seal: Any, before: Raw) -> str | None:
        """The column that makes the hashes of an entry untrue, if any does: the seal tells which hash is the old one."""
        content_sha256 = sha256_of(entry.content)
        computed = entry.model_copy(update={"content_sha256": content_sha256}).computed_sha256()
        if (content_sha256, computed) == (entry.content_sha256, entry.sha256):
            return None
        if content_sha256 != entry.content_sha256:
            return "content_sha256" if computed == entry.sha256 else "content"
        if seal == decision_seal(self._key, entry.course_id, entry.number, computed, before.get(COLUMN)):
            return "sha256"
        if before and entry.previous_sha256 != before["sha256"]:
            return "previous_sha256"
        facts_before = [raw for raw in self._rows[FactRow] if raw["decision"] < entry.number]
        return "first_fact_index" if entry.first_fact_index != len(facts_before) else "run_cycle"

    def _unsealed(self, seal: Any) -> str:
        if seal is None:
            return "it has no seal"
        if isinstance(seal, str) and seal.partition(":")[0] != self._key.key_id:
            return f"it was sealed with another key than {self._key.key_id}"
        return "this decision, or one before it, was written by somebody without the record key"

    # ── what follows from the decisions ────────────────────────────────────────────────────────────────────────────

    def compare(
        self, kind: type[Row], made_again: Iterable[Row], entries: Mapping[int, RecordEntry] | None = None
    ) -> None:
        """Whether the rows are those that the decisions make. Where some decisions are spoilt, only theirs is left out."""
        expected = {key_of(kind, stored): stored for stored in map(stored_values, made_again)}
        found = {key_of(kind, raw): raw for raw in self._rows[kind]}
        for row, raw in found.items():
            if row in expected:
                self._same(kind, raw, expected[row])
            elif self.complete or self.nothing or entries is None or raw.get("decision") in entries:
                self.say(kind, row, "", "no decision made it")
        for row in expected.keys() - found.keys():
            self.say(kind, row, "", "it is missing")

    def course(self, entries: Mapping[int, RecordEntry]) -> None:
        """The course's own row, made again from its first and all its other entries."""
        first = entries[1]
        if first.start is None:
            self.say(DecisionRow, "1", "content", "it does not say how the course started")
            return
        if not self._rows[CourseRow]:
            self.say(CourseRow, "", "", "it is missing")
            return
        made_again = course_row(first.start, first)
        for entry in entries.values():
            advance(made_again, entry)
        (raw,) = self._rows[CourseRow]
        expected = stored_values(made_again)
        self._same(CourseRow, raw, {**expected, "clock_offset_s": raw["clock_offset_s"], COLUMN: raw[COLUMN]})

    def _same(self, kind: type[Row], raw: Raw, expected: Mapping[str, Any]) -> None:
        for column, value in expected.items():
            if raw[column] != value:
                self.say(kind, key_of(kind, raw), column, "it is not what was decided")

    # ── rows of their own ──────────────────────────────────────────────────────────────────────────────────────────

    def raw_messages(self, entries: Mapping[int, RecordEntry]) -> None:
        """Each message that a decision could not use is kept, whole or by its first bytes, and no other."""
        named = {sha for entry in entries.values() for sha in _unused(entry)}
        found = {raw["sha256"]: raw for raw in self._rows[RawMessageRow]}
        for sha in named - found.keys():
            self.say(RawMessageRow, sha, "", "it is missing")
        for sha, raw in found.items():
            if (self.complete or self.nothing) and sha not in named:
                self.say(RawMessageRow, text_of(sha), "", "no decision named it")
            elif not _is_whole(raw):
                self.say(RawMessageRow, text_of(sha), "raw_base64", "it does not have its hash")

    def start(self, entries: Mapping[int, RecordEntry]) -> None:
        """The reservation, where there is one, is that of this course."""
        start = entries[1].start if 1 in entries else None
        for raw in self._rows[CourseStartRow]:
            if start is not None:
                same = {"subject_hash": start.subject_hash, "zone": start.zone, "reserved_by": str(start.started_by)}
                self._same(CourseStartRow, raw, same)

    def seals(self, kind: type[Row]) -> None:
        """Whether each row is as it was sealed."""
        for raw in self._rows[kind]:
            for column in unsealed_columns(self._key, table_of(kind), raw):
                self.say(kind, key_of(kind, raw), column, "it is not what was sealed")

    def heads(self, heads: Iterable[CourseHead]) -> None:
        """Whether the record still holds what was written down of it elsewhere."""
        found = {raw["number"]: raw["sha256"] for raw in self._rows[DecisionRow]}
        last = max((n for n in found if isinstance(n, int)), default=0)
        for head in heads:
            if head.number > last:
                words = (
                    f"it is missing: the record ends at {last}, and decision {head.number} was written down elsewhere"
                )
                self.say(DecisionRow, str(last + 1), "", words)
            elif found.get(head.number) != head.sha256:
                self.say(DecisionRow, str(head.number), "sha256", "another hash was written down of it elsewhere")


MOST_MISSING: Final = 100
"""Further missing decisions are not named one by one."""


def _last_said(course: Raw) -> int:
    """What the course's row gives as its last decision; a course has at least one."""
    said = course["last_decision"]
    return max(said, 1) if isinstance(said, int) else 1


def _unused(entry: RecordEntry) -> set[str]:
    """The hashes of the messages that an entry could not use."""
    unreadable = {fact.what.sha256 for fact in entry.facts if isinstance(fact.what, UnreadableMessage)}
    return unreadable | {refused.sha256 for refused in entry.refused_messages}


def _is_whole(raw: Raw) -> bool:
    """Whether a message that says to be whole has its hash and its size."""
    if not raw["whole"]:
        return True
    try:
        data = base64.b64decode(str(raw["raw_base64"]), validate=True)
    except (binascii.Error, ValueError):
        return False
    return (hashlib.sha256(data).hexdigest(), len(data)) == (raw["sha256"], raw["size"])


# ── what belongs to no course ──────────────────────────────────────────────────────────────────────────────────────


async def verify_what_is_of_no_course(engine: AsyncEngine, key: RecordKey) -> list[Fault]:
    """What is not as it was written, in the rows that belong to no course, and in the file of the database."""
    try:
        return await _of_no_course(engine, key)
    except DatabaseError as error:
        return _damage(error, "")


async def _of_no_course(engine: AsyncEngine, key: RecordKey) -> list[Fault]:
    found: list[Fault] = []
    async with AsyncSession(reading(engine)) as session:
        there = await _tables(session)
        found += await _damages(session)
        found += [_gone(kind, "") for kind in OF_NO_COURSE if kind not in there]
        for kind in (kind for kind in OF_NO_COURSE if kind in there):
            for raw in await raw_rows(session, raw_select(kind)):
                found += _sealed_faults(kind, part_of(raw, kind), key)
        if RowCountRow in there:
            found += await _miscounted(session, [kind for kind in COUNTED if kind in there])
    return found


def _damage(error: DatabaseError, course_id: str) -> list[Fault]:
    """A file that is damaged where these rows lie is their fault; any other error is raised again."""
    if not is_damage(error):
        raise error
    return [Fault(course_id=course_id, table="database", row="", words="its file is damaged where these rows lie")]


async def _damages(session: AsyncSession) -> list[Fault]:
    """What SQLite itself finds wrong in its file, pages too that no look at a row comes by; its words name no value."""
    connection = await session.connection()
    if connection.dialect.name != "sqlite":
        return []
    found = [text_of(row[0]) for row in await connection.exec_driver_sql("PRAGMA integrity_check(5)")]
    return [
        Fault(course_id="", table="database", row="", words=f"its file is damaged: {words}")
        for words in found
        if words != "ok"
    ]


async def _miscounted(session: AsyncSession, kinds: Iterable[type[Row]]) -> list[Fault]:
    """Tables that hold fewer or more rows than were written; which row is not known."""
    counts = [part_of(raw, RowCountRow) for raw in await raw_rows(session, raw_select(RowCountRow))]
    written = {raw["name"]: raw["rows"] for raw in counts}
    found = [] if ANCHORS in written else [_count_gone(ANCHORS)]  # the heads themselves are counted in their file
    for kind in kinds:
        name = table_of(kind).name
        there = (await session.exec(select(func.count()).select_from(table_of(kind)))).one()
        if name not in written:
            found.append(_count_gone(name))
        elif there != written[name]:
            words = f"rows are {'missing' if there < written[name] else 'too many'}: {written[name]} were written"
            found.append(Fault(course_id="", table=name, row="", column="", words=f"{words}, {there} are there"))
    return found


def _count_gone(name: str) -> Fault:
    return Fault(course_id="", table="row_count", row=name, words="it is missing")


def _sealed_faults(kind: type[Row], raw: Raw, key: RecordKey) -> list[Fault]:
    table, row = table_of(kind), key_of(kind, raw)
    columns = unsealed_columns(key, table, raw)
    if kind is InboxRow and isinstance(raw["raw"], bytes) and hashlib.sha256(raw["raw"]).hexdigest() != raw["sha256"]:
        columns = [*columns, "raw"]
    return [
        Fault(course_id="", table=table.name, row=row, column=column, words="it is not what was sealed")
        for column in columns
    ]


async def _tables(session: AsyncSession) -> set[type[Row]]:
    """The kinds of rows whose table is there."""
    connection = await session.connection()
    names = set(await connection.run_sync(lambda c: inspect(c).get_table_names()))
    return {kind for kind in (*OF_A_COURSE, *OF_NO_COURSE) if table_of(kind).name in names}


def _gone(kind: type[Row], course_id: str) -> Fault:
    return Fault(course_id=course_id, table=table_of(kind).name, row="", words="the whole table is missing")


async def _rows_of(session: AsyncSession, kind: type[Row], course_id: str) -> list[dict[str, Any]]:
    name = table_of(kind).columns["course_id"]
    rows = raw_select(kind).where(name == course_id).order_by(*table_of(kind).primary_key)
    return [part_of(raw, kind) for raw in await raw_rows(session, rows)]
