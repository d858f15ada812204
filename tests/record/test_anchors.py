"""Heads that are written down outside the database: in a file that is only added to, and in the memo while a course runs."""

import asyncio
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.record import Record
from models.assessment import CourseState
from models.phase import Phase
from models.record import RecordEntry
from models.tables import CourseRow, DecisionRow
from plumbing.keys import TEST_RECORD_KEY, RecordKey
from record.anchors import AnchorFile, heads_on_record, write_down, written_elsewhere
from record.verify import CourseHead, verify_all
from tests.examples import examples
from tests.record.attacker import SPOILT, WALL, Attacker, a_whole_record
from tests.record.factories import COURSE_ID, a_batch, a_chain, a_fact, an_assessment

HEADS = [CourseHead(course_id=f"course-{n}", number=n, sha256=f"{n}" * 64) for n in (1, 2, 3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where nothing was written down yet."""
    return tmp_path / "anchors" / "record-anchors.jsonl"


def anchors_in(path: Path, *, installation_id: str = "this-ward", key: RecordKey = TEST_RECORD_KEY) -> AnchorFile:
    return AnchorFile(path, key, installation_id)


def ended() -> list[RecordEntry]:
    """A short course that is over."""
    over = {"assessment": an_assessment(state=CourseState.COMPLETED), "phase": Phase(kind="ended", cycle=1)}
    return a_chain([a_fact()], over)


async def test_heads_are_written_down_once_and_read_again(path: Path) -> None:
    file = anchors_in(path)
    assert (await file.read()).heads == ()
    assert await file.add(HEADS[:2], WALL) == 2
    assert await file.add(HEADS, WALL) == 1
    assert await file.add(HEADS, WALL) == 0
    assert await anchors_in(path).read() == (await file.read())
    assert list((await file.read()).heads) == HEADS
    assert (await file.read()).faults == ()
    assert os.stat(path).st_mode & 0o777 == 0o600


async def test_several_workers_write_one_file(path: Path) -> None:
    many = [CourseHead(course_id=f"course-{n}", number=1, sha256="a" * 64) for n in range(20)]
    await asyncio.gather(*(anchors_in(path).add([head], WALL) for head in many))
    found = await anchors_in(path).read()
    assert {head.course_id for head in found.heads} == {head.course_id for head in many}
    assert found.faults == ()


async def test_another_wards_heads_are_not_ours_and_bind_ours_all_the_same(path: Path) -> None:
    await anchors_in(path).add(HEADS[:1], WALL)
    other = anchors_in(path, installation_id="another-ward", key=RecordKey.generate())
    await other.add(HEADS[1:2], WALL)
    await anchors_in(path).add(HEADS[2:], WALL)
    found = await anchors_in(path).read()
    assert (list(found.heads), found.faults) == ([HEADS[0], HEADS[2]], ())


TAMPERING = {
    "a number changed": lambda lines: [lines[0], lines[1].replace('"number": 2', '"number": 1'), lines[2]],
    "a line removed": lambda lines: [lines[0], lines[2]],
    "a line doubled": lambda lines: [lines[0], lines[1], lines[1], lines[2]],
    "two lines exchanged": lambda lines: [lines[1], lines[0], lines[2]],
    "no JSON": lambda lines: [lines[0], "garbage", lines[2]],
    "nested too deeply": lambda lines: [lines[0], "[" * 200_000, lines[2]],
    "a number too large": lambda lines: [lines[0], json.dumps({**json.loads(lines[1]), "number": 10**4000}), lines[2]],
    "half a letter": lambda lines: [lines[0], json.dumps({**json.loads(lines[1]), "course": "\ud800"}), lines[2]],
    "a seal of other letters": lambda lines: [
        lines[0],
        json.dumps({**json.loads(lines[1]), "seal": "\ud83dé"}),
        lines[2],
    ],
    "no text": lambda lines: [lines[0], "\udcff", lines[2]],
    "forged without the key": lambda lines: [*lines, json.dumps({**json.loads(lines[2]), "number": 9})],
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_a_file_that_was_tampered_with_says_so(path: Path, what: str) -> None:
    await anchors_in(path).add(HEADS, WALL)
    changed = "".join(f"{line}\n" for line in TAMPERING[what](path.read_text().splitlines()))
    path.write_bytes(changed.encode("utf-8", "surrogateescape"))
    found = await anchors_in(path).read()
    assert found.faults
    assert {fault.table for fault in found.faults} == {"anchors"}
    assert all(head in HEADS for head in found.heads), "nothing forged is believed"


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"[" * 200_000, b"{}", b"null", b"\xff\xfe", b"1e999"])))
@examples(30)
def test_whatever_stands_in_the_file_is_at_most_a_fault_of_its_line(lines: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "anchors.jsonl"
        path.write_bytes(b"\n".join(lines))
        file = anchors_in(path)
        assert (asyncio.run(file.read())).heads == ()
        assert asyncio.run(file.add(HEADS, WALL)) == len(HEADS)
        assert list(asyncio.run(file.read()).heads) == HEADS, "also behind a line that broke off"


async def test_a_file_that_cannot_be_read_is_said(record_engine: AsyncEngine, path: Path) -> None:
    path.mkdir(parents=True)
    found = await written_elsewhere(record_engine, anchors_in(path), None)
    assert [str(fault) for fault in found.faults] == ["anchors: the file cannot be read (IsADirectoryError)"]


async def test_a_file_that_is_gone_emptied_or_cut_is_missed(record_engine: AsyncEngine, path: Path) -> None:
    file = anchors_in(path)
    assert (await written_elsewhere(record_engine, file, None)).faults == []
    await write_down(record_engine, file, HEADS[:1], WALL)
    await write_down(record_engine, file, HEADS, WALL)
    assert (await written_elsewhere(record_engine, file, None)).faults == []
    first = path.read_text().splitlines(keepends=True)[0]
    for cut, left in ((lambda: path.write_text(first), 1), (lambda: path.write_text(""), 0), (path.unlink, 0)):
        cut()
        (fault,) = (await written_elsewhere(record_engine, file, None)).faults
        assert fault.words == f"heads are missing in the file: 3 were written, {left} are there"
    await write_down(record_engine, file, HEADS[:1], WALL)
    assert len((await written_elsewhere(record_engine, file, None)).faults) == 1, "a new file is not the old one"


async def test_the_last_head_of_a_course_is_written_down_when_its_execution_ends(
    record_engine: AsyncEngine, path: Path
) -> None:
    first, last = ended()
    record = Record(record_engine, anchors=anchors_in(path))
    await record.write_record(a_batch(first))
    assert (await anchors_in(path).read()).heads == ()
    await record.write_record(a_batch(last))
    await record.write_record(a_batch(last))
    assert (await anchors_in(path).read()).heads == (CourseHead(course_id=COURSE_ID, number=2, sha256=last.sha256),)


async def test_a_course_does_not_end_unseen_while_its_head_cannot_be_written_down(
    record_engine: AsyncEngine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "anchors.jsonl"
    with pytest.raises(ApplicationError) as refused:
        await Record(record_engine, anchors=anchors_in(path)).write_record(a_batch(*ended()))
    assert (refused.value.type, refused.value.non_retryable) == ("AnchorNotWritten", False)
    (tmp_path / "file").unlink()
    await Record(record_engine, anchors=anchors_in(path)).write_record(a_batch(*ended()))
    assert len((await anchors_in(path).read()).heads) == 1


async def test_a_course_taken_out_whole_is_missed_by_its_head(record_engine: AsyncEngine, path: Path) -> None:
    await a_whole_record(record_engine)
    await anchors_in(path).add(await heads_on_record(record_engine), WALL)
    attacker = Attacker(record_engine)
    for kind in (CourseRow, DecisionRow):
        for row in await attacker.rows(kind, SPOILT):
            await attacker.remove(kind, row)
    found = await verify_all(record_engine, TEST_RECORD_KEY, (await anchors_in(path).read()).heads)
    assert any(f.course_id == SPOILT and "written down elsewhere" in f.words for f in found)
