"""A flood into one course: what it costs, and that nothing is lost, nothing stalls, and the next run begins.

    python -m benchmarks.flood [--cases results signals-away unreadable …] [--number 5000]

One Temporal dev server, one record in SQLite, a worker in this process that is away while the flood of an `-away` case
is sent. Each line is one course: seconds to send, seconds until all is decided, seconds of the command after it, facts,
runs, events and bytes of the longest history, bytes of the largest payload, bytes that the next run was given, CPU
seconds of the costliest cold replay. Takes minutes of two cores. Nothing here is a test: `tests/stories/test_flood.py`
asks the same of small floods.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import structlog
from google.protobuf.message import Message as Proto
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from demo.bedside import Bedside
from demo.driver import Clock, skipper
from demo.patients import ANNA, LABORATORY
from models.attributes import SEARCH_ATTRIBUTES
from models.base import content_hash
from models.facts import LabResult, UnreadableMessage
from models.messages import LabResults
from models.people import Actor, Role
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer, find_binary, free_port
from plumbing.keys import TEST_KEY_RING, TEST_SUBJECT_KEY
from plumbing.settings import ROOT, Settings
from record.reader import verify_chain
from services.courses import CourseClient, CourseError
from services.starting import start_course
from tests.factories import LABEL, a_lab
from tests.laid_out import a_namespace, a_record
from tests.replay.chain import histories_of
from worker import WORKFLOWS, make_worker

AT_ONCE = 40
RESULTS_A_MESSAGE = 200
NOISE_BYTES = 2048
REPEATED_EVERY = 4
DECIDED_WITHIN_S = 900.0
BETWEEN_LOOKS_S = 0.25
ADMINISTRATOR = Actor(role=Role.ADMINISTRATOR, id="a-1")
CASES = ("results", "thick", "signals", "signals-away", "unreadable", "unreadable-away", "noise", "noise-away")


class Ward(Protocol):
    """A ward of its own whose worker comes and goes."""

    client: Client
    engine: AsyncEngine
    courses: CourseClient

    def worker(self) -> AbstractAsyncContextManager[None]: ...
    async def course(self, name: str) -> Bedside: ...


class Flood(NamedTuple):
    """What is sent to one course: signals by name and content, and how many results and unreadable messages must stand."""

    signals: list[tuple[str, Any]]
    results: int
    unreadable: int


class Seen(NamedTuple):
    """What became of a flood."""

    sent_s: float
    decided_s: float
    command_s: float
    results: int
    unreadable: int
    facts: int
    runs: int
    events: int
    history_bytes: int
    largest_payload: int
    carried_bytes: int
    replay_cpu_s: float
    broken_at: int | None
    trouble: tuple[str, ...]


def flood_of(case: str, number: int, subject_hash: str, now: datetime) -> Flood:
    """The flood of a case; `-away` says only when it is sent."""
    match case.removesuffix("-away"):
        case "results":
            return Flood(list(_draws(number, 1, subject_hash, now)), number, 0)
        case "thick":
            messages = max(1, number // RESULTS_A_MESSAGE)
            return Flood(list(_draws(messages, RESULTS_A_MESSAGE, subject_hash, now)), messages * RESULTS_A_MESSAGE, 0)
        case "signals":
            draws = list(_draws(number * (REPEATED_EVERY - 1) // REPEATED_EVERY, 1, subject_hash, now))
            again = draws[:: REPEATED_EVERY - 1]
            return Flood([*draws[: len(draws) // 2], *again, *draws[len(draws) // 2 :]], len(draws), 0)
        case "unreadable":
            return Flood([("lab_results", {"not": "a result", "number": n}) for n in range(number)], 0, number)
        case "noise":
            return Flood([("lab_results", os.urandom(NOISE_BYTES)) for _ in range(number)], 0, number)
        case _:
            raise ValueError(f"no case {case}")


def _draws(number: int, results: int, subject_hash: str, now: datetime) -> Iterator[tuple[str, Any]]:
    for n in range(number):
        at = now - timedelta(minutes=n)
        drawn = tuple(a_lab("ggt", str(20 + (n + k) % 80), at=at, accession=f"A-{n}-{k}") for k in range(results))
        yield (
            "lab_results",
            LabResults(id=f"fhir-{content_hash(n)[:32]}", by=LABORATORY, subject_hash=subject_hash, results=drawn),
        )


async def flooded(ward: Ward, case: str, number: int) -> Seen:
    """Begin a course, flood it, have a command answered, move it into its next run, and look at everything."""
    async with ward.worker():
        bedside = await ward.course(f"{case}-{number}")
        await bedside.screen()
        await decided(bedside)
        subject = (await bedside.courses.chart(bedside.course_id)).course.subject_hash
        flood = flood_of(case, number, subject, await bedside.clock.now())
        if not case.endswith("-away"):
            return await _seen(bedside, ward, await sent(bedside, flood))
    sent_s = await sent(bedside, flood)
    async with ward.worker():
        return await _seen(bedside, ward, sent_s)


async def sent(bedside: Bedside, flood: Flood) -> float:
    """Seconds until the server has taken every signal; order is kept among those that one of the senders has."""
    began, handle = time.monotonic(), bedside.courses.handle(bedside.course_id)
    waiting = iter(flood.signals)

    async def sender() -> None:
        for name, content in waiting:
            await _until_taken(handle, name, content)

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return time.monotonic() - began


async def _until_taken(handle: WorkflowHandle[Any, Any], name: str, content: Any) -> None:
    """As a door does: the server takes nothing while a run gives over to the next."""
    while True:
        try:
            return await handle.signal(name, content)
        except RPCError as error:
            if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
                raise
        await asyncio.sleep(BETWEEN_LOOKS_S)


async def decided(bedside: Bedside) -> float:
    """Seconds until nothing waits, neither to be judged nor to be written."""
    began = time.monotonic()
    while time.monotonic() - began < DECIDED_WITHIN_S:
        with suppress(CourseError):  # one look at a time waits while a flood is decided
            status = await bedside.courses.settled(bedside.course_id)
            if not status.waiting and not status.unwritten:
                return time.monotonic() - began
        await asyncio.sleep(BETWEEN_LOOKS_S)
    raise AssertionError(f"it is not decided after {DECIDED_WITHIN_S:.0f} s")


async def _seen(bedside: Bedside, ward: Ward, sent_s: float) -> Seen:
    decided_s = await decided(bedside)
    began = time.monotonic()
    await bedside.weigh()
    command_s = time.monotonic() - began
    facts = (await bedside.courses.chart(bedside.course_id)).facts
    await bedside.into_next_run(bedside.do("move_to_current_build", ADMINISTRATOR))
    await decided(bedside)
    runs = await histories_of(ward.client, bedside.course_id)
    longest = max(runs, key=lambda run: len(run.events))
    return Seen(
        sent_s=sent_s,
        decided_s=decided_s,
        command_s=command_s,
        results=sum(isinstance(f.what, LabResult) for f in facts),
        unreadable=sum(isinstance(f.what, UnreadableMessage) for f in facts),
        facts=len({f.id for f in facts}),
        runs=len(runs),
        events=len(longest.events),
        history_bytes=max(sum(e.ByteSize() for e in run.events) for run in runs),
        largest_payload=max(p.ByteSize() for run in runs for e in run.events for p in payloads_in(e)),
        carried_bytes=_given_to(runs[-1]),
        replay_cpu_s=max([await replayed(run) for run in runs]),
        broken_at=await verify_chain(ward.engine, bedside.course_id),
        trouble=(await bedside.status()).trouble,
    )


def _given_to(run: WorkflowHistory) -> int:
    return sum(p.ByteSize() for p in run.events[0].workflow_execution_started_event_attributes.input.payloads)


def payloads_in(proto: Proto) -> Iterator[Payload]:
    """Every payload in an event, however deep."""
    if isinstance(proto, Payload):
        yield proto
        return
    for field, value in proto.ListFields():
        if field.message_type is None:
            continue
        is_map = field.message_type.GetOptions().map_entry
        many = value.values() if is_map else value if field.is_repeated else (value,)
        for one in many:
            if isinstance(one, Proto):
                yield from payloads_in(one)


async def replayed(run: WorkflowHistory) -> float:
    """CPU seconds of a cold replay. Raises where the run does not replay."""
    # Debugging only takes the 2 s of the wall clock away, which a busy machine needs for thousands of signals.
    replayer = Replayer(workflows=list(WORKFLOWS), data_converter=data_converter(TEST_KEY_RING), debug_mode=True)
    began = time.process_time()
    await replayer.replay_workflow(run)
    return time.process_time() - began


class House:
    """The ward of the measurement."""

    def __init__(self, client: Client, engine: AsyncEngine, folder: Path) -> None:
        self.client, self.engine = client, engine
        self.courses = CourseClient(skipper(client).client, "flood")
        self._settings = Settings(var_dir=folder)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        async with make_worker(self.client, self.engine, self._settings, task_queue="flood"):
            yield

    async def course(self, name: str) -> Bedside:
        course_id = f"course-{name}"
        clock = Clock(self.client, course_id)
        await start_course(
            self.courses, self.engine, ANNA.course(course_id, LABEL, TEST_SUBJECT_KEY, datetime.now().astimezone())
        )
        return Bedside(self.courses, clock, course_id, ANNA, TEST_SUBJECT_KEY)


async def measure(cases: list[str], number: int) -> None:
    """Print one line for each case, all on one server and one record."""
    with tempfile.TemporaryDirectory(prefix="flood-") as name:
        folder = Path(name)
        ports: dict[str, Any] = {"port": free_port(), "log_file": folder / "server.log", "skip_time": True}
        async with DevServer(
            find_binary(ROOT, say, os.environ), search_attributes=SEARCH_ATTRIBUTES, **ports
        ) as server:
            engine = await a_record(f"sqlite:///{folder / 'record.db'}")
            house = House(await a_namespace(server.address, engine), engine, folder)
            for case in cases:
                say(f"{case} × {number}")
                for word, figure in (await flooded(house, case, number))._asdict().items():
                    say(f"  {word:16} {figure:.2f}" if isinstance(figure, float) else f"  {word:16} {figure}")
            await engine.dispose()


def say(line: str) -> None:
    """One line, at once: a run takes minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--number", type=int, default=5000, help="results or signals of one flood")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # a line for each call
    asyncio.run(measure(chosen.cases, chosen.number))


if __name__ == "__main__":
    main()
