"""Heads of the record written down outside the database: in the memo of a course that runs, in a file afterwards.

Who cuts the end off a record, or takes a course out whole, leaves nothing behind that could be compared; the head that
was written down elsewhere is what misses it. The file is only ever added to, one JSON line a head, each sealed with the
record key over the line before.
"""

import asyncio
import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import and_, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from models.base import Frozen, counted
from models.tables import CourseRow, DecisionRow, InstantText, RowCountRow
from plumbing.database import reading, writing
from plumbing.keys import RecordKey
from plumbing.payload_codec import KEY_ID, EncryptionCodec
from plumbing.sealing import ANCHORS, count_at_least
from record.raw import Fault, part_of, raw_rows, raw_select, text_of
from record.verify import CourseHead

KIND: Final = "anchor"
RUNNING: Final = "ExecutionStatus = 'Running' AND WorkflowType IN ('TreatmentCycle', 'LiverMonitoring')"
RECORD_HEAD: Final = "record_head"
"""The entry of a course's memo, as `workflows/course.py` writes it."""


class Anchors(Frozen):
    """What one place holds: the heads of this installation, and what there is not as it was written."""

    heads: tuple[CourseHead, ...] = ()
    faults: tuple[Fault, ...] = ()


class Elsewhere(Frozen):
    """All heads that were written down outside the database; `in_memos` is empty where Temporal does not answer."""

    in_file: Anchors
    in_memos: Anchors | None

    @property
    def heads(self) -> list[CourseHead]:
        """The heads of both."""
        return [*self.in_file.heads, *(self.in_memos.heads if self.in_memos else ())]

    @property
    def faults(self) -> list[Fault]:
        """What of both is not as it was written."""
        return [*self.in_file.faults, *(self.in_memos.faults if self.in_memos else ())]


class AnchorFile:
    """The file in which one installation's heads are written down, beside the backups."""

    def __init__(self, path: Path, key: RecordKey, installation_id: str) -> None:
        self._path = path
        self._key = key
        self._installation_id = installation_id

    async def add(self, heads: Sequence[CourseHead], at: datetime) -> int:
        """Write down those heads that do not stand there yet; returns how many. Raises `OSError`."""
        return await asyncio.to_thread(self._add, heads, at) if heads else 0

    async def read(self) -> Anchors:
        """All heads of this installation; none where there is no file. One that cannot be read is a fault."""
        return await asyncio.to_thread(self._read)

    def _add(self, heads: Sequence[CourseHead], at: datetime) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8", errors="surrogateescape") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two workers may write one file
            text = file.read()
            lines = text.splitlines()
            if text and not text.endswith("\n"):  # a line that broke off must not take the next one along
                file.write("\n")
            known = {(a.course_id, a.number, a.sha256) for a in self._found(lines).heads}
            wanted = [h for h in dict.fromkeys(heads) if (h.course_id, h.number, h.sha256) not in known]
            before = _seal_in(lines[-1]) if lines else ""
            for head in wanted:
                line, before = self._line(head, at, before)
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return len(wanted)

    def _line(self, head: CourseHead, at: datetime, before: str) -> tuple[str, str]:
        said: list[str | int] = [
            self._installation_id,
            head.course_id,
            head.number,
            head.sha256,
            InstantText.written(at),
        ]
        seal = self._key.seal(KIND, before, *said)
        named = zip(("installation", "course", "number", "sha256", "at"), said, strict=True)
        return json.dumps({**dict(named), "seal": seal}) + "\n", seal

    def _read(self) -> Anchors:
        try:
            text = self._path.read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return Anchors()
        except OSError as error:
            return Anchors(faults=(_of_the_file(f"the file cannot be read ({type(error).__name__})"),))
        return self._found(text.splitlines())

    def _found(self, lines: Iterable[str]) -> Anchors:
        heads: list[CourseHead] = []
        faults: list[Fault] = []
        before = ""
        for number, line in enumerate(lines, 1):
            said = _said(line)
            if said is None or not self._key.has_sealed(said["seal"], KIND, before, *_parts(said)):
                # A line of another installation is sealed with a key that is not ours: it binds what follows, no more.
                if said is None or said["installation"] == self._installation_id:
                    faults.append(self._fault(number))
            elif said["installation"] == self._installation_id:
                heads.append(CourseHead(course_id=said["course"], number=said["number"], sha256=said["sha256"]))
            before = said["seal"] if said else ""
        return Anchors(heads=tuple(heads), faults=tuple(faults))

    def _fault(self, number: int) -> Fault:
        words = "it was not written by whoever holds the record key, or a line before it is gone"
        return Fault(course_id="", table=ANCHORS, row=f"line {number}", words=words)


async def heads_on_record(engine: AsyncEngine) -> list[CourseHead]:
    """The head of each course as the record has it now, to be written down elsewhere."""
    same = and_(
        col(DecisionRow.course_id) == col(CourseRow.course_id), col(DecisionRow.number) == col(CourseRow.last_decision)
    )
    newest = select(DecisionRow.course_id, DecisionRow.number, DecisionRow.sha256).join(CourseRow, same)
    async with AsyncSession(reading(engine)) as session:
        found = await session.exec(newest.order_by(col(DecisionRow.course_id)))
        return [CourseHead(course_id=one, number=number, sha256=sha256) for one, number, sha256 in found]


async def write_down(engine: AsyncEngine, file: AnchorFile, heads: Sequence[CourseHead], at: datetime) -> None:
    """Write heads down, and keep in the record, sealed, how many stand in the file. Raises `OSError`."""
    if not heads:
        return
    await file.add(heads, at)
    there = len((await file.read()).heads)
    async with writing(engine).begin() as connection:
        await connection.run_sync(count_at_least, ANCHORS, there)


async def written_elsewhere(engine: AsyncEngine, file: AnchorFile, client: Client | None) -> Elsewhere:
    """All heads written down outside the database. What cannot be read of them takes none of the others away."""
    in_file = await file.read()
    missed = await _missed(engine, in_file)
    in_memos = None
    if client is not None:
        try:
            in_memos = await heads_in_memos(client)
        except RPCError:
            in_memos = None  # a server that does not answer is no reason not to look
    return Elsewhere(in_file=in_file.model_copy(update={"faults": (*in_file.faults, *missed)}), in_memos=in_memos)


async def _missed(engine: AsyncEngine, found: Anchors) -> list[Fault]:
    """Whether the file holds as many heads as the record says were written down there."""
    if any(not fault.row for fault in found.faults):
        return []  # it cannot be read at all, and says so
    async with AsyncSession(reading(engine)) as session:
        rows = await raw_rows(session, raw_select(RowCountRow).where(col(RowCountRow.name) == ANCHORS))
    written = [part_of(raw, RowCountRow)["rows"] for raw in rows]
    if not written or not isinstance(written[0], int) or len(found.heads) >= written[0]:
        return []  # a count that is gone, or is no number, is found with its row
    return [_of_the_file(f"heads are missing in the file: {written[0]} were written, {len(found.heads)} are there")]


def _of_the_file(words: str) -> Fault:
    return Fault(course_id="", table=ANCHORS, row="", words=words)


async def heads_in_memos(client: Client) -> Anchors:
    """The head that each running course has had confirmed by the record, as its execution keeps it.

    Each memo is read by itself: one that cannot be read is a fault of its course. Where a key is not at hand, that is what
    is said, once: nothing is wrong with the record then. Raises `RPCError`.
    """
    heads: list[CourseHead] = []
    faults: list[Fault] = []
    unopened: Counter[str] = Counter()
    async for execution in client.list_workflows(RUNNING):
        try:
            head = await head_in_memo(execution)
        except Exception as error:  # noqa: BLE001 - whatever stands in one memo, the others are read
            key_id = _key_not_at_hand(client, execution)
            if key_id is not None:
                unopened[key_id] += 1
                continue
            words = f"the head that its execution keeps cannot be read ({type(error).__name__})"
            faults.append(Fault(course_id=text_of(execution.id), table="memo", row=RECORD_HEAD, words=words))
        else:
            heads += [head] if head else []
    for key_id, courses in sorted(unopened.items()):
        words = (
            f"{counted(courses, 'course')} cannot be compared: payload key {key_id} is not at hand; put its file back"
        )
        faults.append(Fault(course_id="", table="memo", row=RECORD_HEAD, words=words))
    return Anchors(heads=tuple(heads), faults=tuple(faults))


def _key_not_at_hand(client: Client, execution: WorkflowExecution) -> str | None:
    """The id of the payload key that the head in this memo was encrypted with, where this process does not have it."""
    codec, payload = client.data_converter.payload_codec, execution.raw_info.memo.fields.get(RECORD_HEAD)
    key_id = payload.metadata.get(KEY_ID, b"").decode("ascii", errors="replace") if payload is not None else ""
    at_hand = codec.key_ids if isinstance(codec, EncryptionCodec) else ()  # a demo whose key file is gone has no codec
    return key_id if key_id and key_id not in at_hand else None


async def head_in_memo(execution: WorkflowExecution) -> CourseHead | None:
    """The head in one memo; nothing where the course has none yet. Raises whatever is wrong with it."""
    said: Any = await execution.memo_value(RECORD_HEAD, default=None)
    if said is None:
        return None
    number, sha256 = said["number"], said["sha256"]
    if type(number) is not int or number < 1 or not isinstance(sha256, str):
        raise ValueError("it is no head")
    return CourseHead(course_id=execution.id, number=number, sha256=sha256)


def _said(line: str) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    names = {"installation": str, "course": str, "number": int, "sha256": str, "at": str, "seal": str}
    whole = isinstance(said, dict) and all(isinstance(said.get(name), kind) for name, kind in names.items())
    return said if whole else None


def _parts(said: dict[str, Any]) -> list[str | int]:
    return [said[name] for name in ("installation", "course", "number", "sha256", "at")]


def _seal_in(line: str) -> str:
    said = _said(line)
    return said["seal"] if said else ""
