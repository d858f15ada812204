"""The server is stopped and started again with open courses in the middle of their time: all go on."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from temporalio.client import Client

from demo.bedside import Bedside
from demo.patients import PRESCRIBER
from models.attributes import SEARCH_ATTRIBUTES
from models.facts import RungFired
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer, free_port
from plumbing.keys import TEST_KEY_RING
from plumbing.settings import Settings
from record.reader import verify_chain
from tests.conftest import MANY_LOOKS, TASK_QUEUE, Ward, until_written
from tests.factories import ARTICLE, LABEL
from tests.laid_out import a_record
from worker import make_worker


def a_server(binary: Path, port: int, folder: Path) -> DevServer:
    return DevServer(
        binary,
        port=port,
        log_file=folder / "log",
        database=folder / "temporal.db",
        skip_time=True,
        search_attributes=SEARCH_ATTRIBUTES,
    )


async def test_open_courses_go_on_after_the_server_was_restarted(binary: Path, tmp_path: Path) -> None:
    engine, port = await a_record(f"sqlite:///{tmp_path / 'record.db'}"), free_port()
    async with a_server(binary, port, tmp_path) as server:
        client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
        async with make_worker(client, engine, Settings(var_dir=tmp_path), task_queue=TASK_QUEUE):
            ward = Ward(client, engine)
            courses = [await ward.course(LABEL), await ward.course(ARTICLE)]
            for bedside in courses:
                await bedside.screen()
                await bedside.prepare_day(1, 1)
                await bedside.give(1, 1)
            before = [await b.clock.now() for b in courses]
    async with a_server(binary, port, tmp_path) as server:
        client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
        async with make_worker(client, engine, Settings(var_dir=tmp_path), task_queue=TASK_QUEUE):
            for bedside, then in zip(courses, before, strict=True):
                bedside.move_to(client)
                assert await bedside.clock.now() >= then
                await bedside.clock.advance(timedelta(hours=31))
                await bedside.liver_test()
                await until_written(bedside)
                chart = await bedside.courses.chart(bedside.course_id)
                due = [f.what.obligation for f in chart.facts if isinstance(f.what, RungFired) and f.what.rung == "due"]
                assert "liver-test-after-C1D1" in due
                assert await verify_chain(engine, bedside.course_id) is None
    await engine.dispose()


async def test_a_server_stopped_in_the_middle_of_a_skip_loses_no_rung_and_fires_none_twice(
    binary: Path, tmp_path: Path
) -> None:
    """The rungs of two courses fire one after another while the server goes away under them."""
    engine, port = await a_record(f"sqlite:///{tmp_path / 'record.db'}"), free_port()
    settings = Settings(var_dir=tmp_path)
    async with a_server(binary, port, tmp_path) as server:
        client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
        async with make_worker(client, engine, settings, task_queue=TASK_QUEUE):
            ward = Ward(client, engine)
            courses = [await ward.course(LABEL), await ward.course(ARTICLE)]
            for bedside in courses:
                await bedside.screen()
                await bedside.prepare_day(1, 1)
                await bedside.give(1, 1)
                await bedside.do("finish_dosing", PRESCRIBER, reason="the patient moves away")
                await bedside.status()
            skips = [asyncio.create_task(b.clock.advance(timedelta(days=40))) for b in courses]
            while not any([await _rungs(b) for b in courses]):
                assert not all(skip.done() for skip in skips), "the skip is over before the server went away"
            await server.stop()
    cut_short = await asyncio.gather(*skips, return_exceptions=True)
    assert any(isinstance(end, Exception) for end in cut_short)
    async with a_server(binary, port, tmp_path) as server:
        client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
        async with make_worker(client, engine, settings, task_queue=TASK_QUEUE):
            for bedside in courses:
                bedside.move_to(client)
                began = (await bedside.courses.chart(bedside.course_id)).course.started_at
                await bedside.clock.advance_to(began + timedelta(days=41))
                fired = await _rungs_until(bedside, ("liver-test-after-last-dose", "overdue"))
                assert len(fired) == len(set(fired))
                after_dose = [key for key in fired if key[0] == "liver-test-after-C1D1"]
                weekly = [key for key in fired if key[0] == "liver-test-after-last-dose"]
                assert [rung for _, rung, _ in after_dose] == [rung for _, rung, _ in weekly] == ["due", "overdue"]
                await until_written(bedside)
                assert await verify_chain(engine, bedside.course_id) is None
    await engine.dispose()


async def _rungs_until(bedside: Bedside, last: tuple[str, str]) -> list[tuple[str, str, datetime]]:
    """All rungs, once the last one has fired: after a restart the clock is there before the course has caught up."""
    for _ in range(20 * MANY_LOOKS):  # what was in hand when the server went away is tried again after 10 s
        fired = await _rungs(bedside)
        if last in [key[:2] for key in fired]:
            return fired
        await bedside.status()  # a round trip: the course works on meanwhile
    raise AssertionError(f"{last} has not fired; {fired}")


async def _rungs(bedside: Bedside) -> list[tuple[str, str, datetime]]:
    chart = await bedside.courses.chart(bedside.course_id)
    return [(f.what.obligation, f.what.rung, f.what.due_at) for f in chart.facts if isinstance(f.what, RungFired)]
