"""Temporal's database or the record is put back as it stood at some point of a course: no dose starts twice, and it is said."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest
from temporalio.client import Client

from activities.heads import HeadsSweep
from demo.bedside import CLASSES, Bedside
from demo.patients import NURSE, PRESCRIBER
from models.attributes import SEARCH_ATTRIBUTES
from models.facts import InfusionStarted
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer, free_port
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY
from plumbing.settings import Settings
from record.reader import read_entries
from record.verify import verify_course
from services.courses import CommandRefused
from tests.conftest import MANY_LOOKS, TASK_QUEUE, Ward, until_written
from tests.examples import TIMES
from tests.factories import LABEL
from tests.laid_out import a_record
from tests.stories.test_record_and_execution import settled_by_two
from worker import make_worker

POINTS = 24
WHAT = ("temporal", "record")
CASES = tuple(product(WHAT, range(POINTS)))
TRIED = CASES if TIMES > 1 else tuple(Random(what).choice([c for c in CASES if c[0] == what]) for what in WHAT)
"""In the usual run one backup of each, the same ones each time; `make search` puts back all of them."""


@dataclass
class House:
    """A server and a record in files of their own, both of which can be put back as they were."""

    binary: Path
    folder: Path
    engine: AsyncEngine
    port: int = field(default_factory=free_port)

    @property
    def files(self) -> dict[str, Path]:
        """What an administrator backs up, by its name."""
        return {name: self.folder / f"{name}.db" for name in WHAT}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Ward]:
        """Server and worker are there."""
        log, database = self.folder / "log", self.files["temporal"]
        attributes = SEARCH_ATTRIBUTES
        server = DevServer(
            self.binary, port=self.port, log_file=log, database=database, skip_time=True, search_attributes=attributes
        )
        async with server:
            client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
            async with make_worker(client, self.engine, Settings(var_dir=self.folder), task_queue=TASK_QUEUE):
                yield Ward(client, self.engine)
            await self.engine.dispose()

    def back_up(self, point: str) -> None:
        """Copy both databases as they are, also while they are in use."""
        for name, file in self.files.items():
            with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(self._copy(name, point))) as copy:
                source.backup(copy)

    def put_back(self, name: str, point: str) -> None:
        """One of the two as it was then. Nobody may have it open."""
        file = self.files[name]
        for tail in ("-wal", "-shm"):
            Path(f"{file}{tail}").unlink(missing_ok=True)
        file.write_bytes(self._copy(name, point).read_bytes())

    def _copy(self, name: str, point: str) -> Path:
        return self.folder / f"{name}-{point}.db"


Step = Callable[[], Awaitable[object]]


class Conducted:
    """A course up to after its first dose, step after step; some hours in all, so that a skip to its end stays short."""

    def __init__(self, bedside: Bedside) -> None:
        self.bedside = bedside
        self.bag = ""

    def steps(self) -> list[Step]:
        """All steps, in order."""
        b = self.bedside

        async def make() -> None:
            self.bag = await b.make(1, 1)

        return [
            b.screen,
            lambda: b.prepare_day(1, 1),
            lambda: b.sign(1, 1),
            *(partial(b.do, "record_premedication", NURSE, drug_class=one) for one in CLASSES),
            lambda: b.clock.advance(timedelta(minutes=45)),
            make,
            b.vital_signs,
            self.start,
            lambda: b.watched(15),
            lambda: b.do("report_reaction", NURSE, reaction_id="r-1", symptoms="chills", grade=1),
            lambda: b.do("interrupt_infusion", NURSE, infused_ml="12"),
            b.vital_signs,
            lambda: b.do("resume_infusion", NURSE, rate_ml_per_h="50"),
            lambda: b.watched(15),
            lambda: b.watched(30),
            lambda: b.do("complete_infusion", NURSE),
            lambda: b.watched(30),
            lambda: b.watched(30),
            lambda: b.do("end_observation", NURSE),
            b.weigh,
            b.liver_test,
            lambda: b.do("hold", PRESCRIBER, reason="wait", message_id="the-hold"),
            lambda: b.do("release_hold", PRESCRIBER, hold="the-hold/0", reason="no more"),
        ]

    async def start(self, message_id: str | None = None) -> None:
        """Start the dose from its bag."""
        await self.bedside.start(1, 1, self.bag, message_id=message_id)

    async def sign(self, message_id: str) -> None:
        """Authorise the dose."""
        await self.bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=1, message_id=message_id)


@pytest.mark.hypothesis
async def test_whatever_backup_is_put_back_no_dose_starts_twice_and_it_is_said(binary: Path, tmp_path: Path) -> None:
    house = House(binary, tmp_path, await a_record(f"sqlite:///{tmp_path / 'record.db'}"))
    async with house.open() as ward:
        conducted = Conducted(await ward.course(LABEL))
        *steps, last = conducted.steps()
        assert len(steps) == POINTS
        for point, step in enumerate(steps):
            await step()
            await until_written(conducted.bedside)
            if point in {tried for _, tried in TRIED}:
                house.back_up(str(point))
        await last()
        await until_written(conducted.bedside)
        now = await conducted.bedside.clock.now()
    house.back_up("now")
    for what, point in TRIED:
        for name in WHAT:
            house.put_back(name, str(point) if name == what else "now")
        async with house.open() as ward:
            conducted.bedside.move_to(ward.client)
            await forget_the_worker_of_before(ward.client, conducted.bedside.course_id)
            # No clock of a hospital goes back with its database; the one of a test does.
            await conducted.bedside.clock.advance_to(now)
            try:
                await nothing_starts_twice(ward, conducted, f"{what}-{point}")
            except BaseException as error:
                error.add_note(f"put back: {what} as it was at point {point}")
                raise


async def forget_the_worker_of_before(client: Client, course_id: str) -> None:
    """The server would wait some seconds for the worker that was there when the backup was made."""
    request = ResetStickyTaskQueueRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=course_id)
    )
    await client.workflow_service.reset_sticky_task_queue(request)


async def nothing_starts_twice(ward: Ward, conducted: Conducted, which: str) -> None:
    """It is said before anybody asks, each start and signature is refused, and two people settle it for good."""
    bedside, sweep = conducted.bedside, HeadsSweep(ward.engine, ward.client)
    for _ in range(MANY_LOOKS):
        await sweep.look()
        if any("REC-02" in words for words in (await bedside.status()).trouble):
            break
    assert "REC-02" in [f.rule for f in (await bedside.card()).findings]
    await all_is_refused(conducted, f"{which}-held")
    await settled_by_two(bedside, once_more=which)
    assert not (await bedside.status()).trouble
    await all_is_refused(conducted, f"{which}-settled")
    await until_written(bedside)
    facts = (await bedside.courses.chart(bedside.course_id)).facts
    entries = await read_entries(ward.engine, bedside.course_id)
    for known in (facts, [f for e in entries for f in e.facts]):
        assert len({f.id for f in known}) == len(known)
        assert sum(isinstance(f.what, InfusionStarted) for f in known) == 1
    assert await verify_course(ward.engine, TEST_RECORD_KEY, bedside.course_id) == []


async def all_is_refused(conducted: Conducted, which: str) -> None:
    """The dose is neither started nor signed a second time."""
    for act in (conducted.start, conducted.sign):
        with pytest.raises(CommandRefused):
            await act(f"{act.__name__}-{which}")
