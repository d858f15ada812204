"""Heads of the record written down outside the database: in the memo of a course that runs, in a file afterwards.

Who cuts the end off a record, or takes a course out whole, leaves nothing behind that could be compared; the head that
was written down elsewhere is what misses it. The file is only ever added to, one JSON line a head, each sealed with the
record key over the line before.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import and_, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client

from models.base import Frozen
from models.tables import CourseRow, DecisionRow, InstantText
from plumbing.database import reading
from plumbing.keys import RecordKey
from record.raw import Fault
from record.verify import CourseHead

KIND: Final = "anchor"
RUNNING: Final = "ExecutionStatus = 'Running' AND WorkflowType IN ('TreatmentCycle', 'LiverMonitoring')"
RECORD_HEAD: Final = "record_head"
"""The entry of a course's memo, as `workflows/course.py` writes it."""


class Anchors(Frozen):
    """What a file of anchors holds: the heads of this installation, and what of the file is not as it was written."""

    heads: tuple[CourseHead, ...] = ()
    faults: tuple[Fault, ...] = ()


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
        """All heads of this installation; none where there is no file yet. Raises `OSError`."""
        return await asyncio.to_thread(self._read)

    def _add(self, heads: Sequence[CourseHead], at: datetime) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8", errors="surrogateescape") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two workers may write one file
            lines = file.read().splitlines()
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
        return Fault(course_id="", table="anchors", row=f"line {number}", words=words)


async def heads_on_record(engine: AsyncEngine) -> list[CourseHead]:
    """The head of each course as the record has it now, to be written down elsewhere."""
    same = and_(
        col(DecisionRow.course_id) == col(CourseRow.course_id), col(DecisionRow.number) == col(CourseRow.last_decision)
    )
    newest = select(DecisionRow.course_id, DecisionRow.number, DecisionRow.sha256).join(CourseRow, same)
    async with AsyncSession(reading(engine)) as session:
        found = await session.exec(newest.order_by(col(DecisionRow.course_id)))
        return [CourseHead(course_id=one, number=number, sha256=sha256) for one, number, sha256 in found]


async def heads_in_memos(client: Client) -> list[CourseHead]:
    """The head that each running course has had confirmed by the record, as its execution keeps it."""
    return [head async for head in _heads_in_memos(client)]


async def _heads_in_memos(client: Client) -> AsyncIterator[CourseHead]:
    async for execution in client.list_workflows(RUNNING):
        head: Any = await execution.memo_value(RECORD_HEAD, default=None)
        if isinstance(head, dict):
            yield CourseHead(course_id=execution.id, number=int(head["number"]), sha256=str(head["sha256"]))


def _said(line: str) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    names = {"installation": str, "course": str, "number": int, "sha256": str, "at": str, "seal": str}
    whole = isinstance(said, dict) and all(isinstance(said.get(name), kind) for name, kind in names.items())
    return said if whole else None


def _parts(said: dict[str, Any]) -> list[str | int]:
    return [said[name] for name in ("installation", "course", "number", "sha256", "at")]


def _seal_in(line: str) -> str:
    said = _said(line)
    return said["seal"] if said else ""
