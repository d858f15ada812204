"""A running course is upgraded from a former release to the one of today: it goes on, and its past keeps its hashes."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from demo.patients import NURSE
from models.assessment import Receipt, Verdict
from models.facts import Weight
from plumbing.database import make_engine, of_installation
from plumbing.dev_server import DevServer
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, TEST_SUBJECT_KEY
from plumbing.sealing import sealing
from plumbing.settings import ROOT
from record.reader import read_entries, verify_chain
from tests.conftest import until_written
from tests.laid_out import a_namespace, installation_of
from tests.replay.chain import Link, histories_of, link_of, links_of_runs
from tests.replay.former import kept_releases, name_of, unpacked
from tests.stories.conftest import SmallWard

LAYS_OUT = """
import asyncio, sys
from plumbing.database import make_engine, make_private_file
from plumbing.installation import write_installation
from plumbing.keys import TEST_RECORD_KEY
from plumbing.settings import Mode

async def main(url):
    engine = make_engine(url)
    make_private_file(engine.url)
    await write_installation(engine, Mode.DEMO, TEST_RECORD_KEY)
    await engine.dispose()

asyncio.run(main(sys.argv[1]))
"""

READ_LESS_STRICTLY = (
    "models/base.py",
    'if isinstance(value, str) and ("_" in value or not value.isascii()):',
    "if False:",
)
KNEW_A_FIELD_LESS = ("models/assessment.py", "    cycle_totals_mg_per_m2: tuple[str, ...] = ()\n", "")


def as_if_it_were_older(release: Path) -> None:
    """What tells a former release from today's, planted: it read a number less strictly, and wrote a field less."""
    for name, today, then in (READ_LESS_STRICTLY, KNEW_A_FIELD_LESS):
        text = (release / name).read_text()
        assert text.count(today) == 1
        (release / name).write_text(text.replace(today, then))


@asynccontextmanager
async def running(ward: SmallWard, release: Path, var_dir: Path) -> AsyncIterator[Process]:
    """The worker of a release in a process of its own, until the end of the block."""
    worker = await ward.worker_process(var_dir, release)
    try:
        yield worker
    finally:
        worker.terminate()
        await worker.wait()


async def links(engine: AsyncEngine, course_id: str) -> list[Link]:
    assert await verify_chain(engine, course_id) is None
    return [link_of(entry) for entry in await read_entries(engine, course_id)]


async def a_ward_of(release: Path, server: DevServer, folder: Path) -> tuple[SmallWard, Client]:
    """A ward whose record was laid out by that release."""
    url = f"sqlite:///{folder / 'record.db'}"
    laying = await asyncio.create_subprocess_exec(sys.executable, "-c", LAYS_OUT, url, cwd=release, env={**os.environ})
    assert await laying.wait() == 0
    engine = make_engine(url)
    engine = sealing(of_installation(engine, (await installation_of(engine)).id), TEST_RECORD_KEY)
    client = await a_namespace(server.address, engine)
    for name, key in (
        ("payload-keys", TEST_KEY_RING),
        ("subject-key", TEST_SUBJECT_KEY),
        ("record-key", TEST_RECORD_KEY),
    ):
        key.write(folder / name)
    return SmallWard(client, engine, f"upgrade-{client.namespace}", folder), client


@pytest.mark.parametrize("archive", kept_releases(), ids=name_of)
async def test_a_running_course_goes_over_to_the_release_of_today(
    dev_server: DevServer, tmp_path: Path, archive: Path
) -> None:
    release = unpacked(archive, tmp_path / "release")
    older = name_of(archive) == version("inocycle")
    if older:
        as_if_it_were_older(release)
    ward, client = await a_ward_of(release, dev_server, tmp_path)

    async with running(ward, release, tmp_path):
        bedside = await ward.course(f"upgraded-{name_of(archive).replace('.', '-')}")
        await bedside.screen()
        await bedside.prepare_day(1, 1)
        kg = "7_0" if older else "70"
        weight = {"id": "weighed", "by": str(NURSE), "finding": {"kind": "weight", "kg": kg}}
        handle = client.get_workflow_handle(bedside.course_id)
        receipt = await handle.execute_update("record_finding", weight, id="weighed:1", result_type=Receipt)
        assert receipt.verdict is Verdict.MAY_AUTHORISE
        await until_written(bedside)
    before = await links(ward.engine, bedside.course_id)

    async with running(ward, ROOT, tmp_path):
        await bedside.give(1, 1)
        again = await bedside.do(
            "record_finding", NURSE, message_id="weighed-again", finding=weight["finding"] | {"kg": "70"}
        )
        assert again.decision > receipt.decision
        await until_written(bedside)
        chart = await bedside.courses.chart(bedside.course_id)
    assert [str(f.what.kg) for f in chart.facts if isinstance(f.what, Weight)][1:] == ["70", "70"]
    after = await links(ward.engine, bedside.course_id)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert await links_of_runs(await histories_of(client, bedside.course_id)) == after
    await ward.engine.dispose()


def test_the_release_that_runs_is_kept() -> None:
    assert version("inocycle") in map(name_of, kept_releases())
