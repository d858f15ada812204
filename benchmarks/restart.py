"""A worker comes back to many courses that each have a result waiting: when the first and the last of them is decided.

    python -m benchmarks.restart [--courses 50] [--limits 8 100]

One Temporal dev server, one record in SQLite, a worker in a process of its own that is killed and started again; once for
each number of workflow tasks and local activities at once. Takes minutes of two cores with 200 courses. Nothing here is
a test: a figure says how fast one machine was on one day.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.client import Client

from demo.patients import ANNA, LABORATORY
from models.attributes import SEARCH_ATTRIBUTES
from models.messages import COMMANDS, LabResults
from plumbing.dev_server import DevServer, find_binary, free_port
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, TEST_SUBJECT_KEY
from plumbing.settings import ROOT
from services.courses import CourseClient
from services.starting import start_course
from tests.factories import LABEL, a_lab
from tests.laid_out import a_namespace, a_record

QUEUE = "restart"
LOOK_EVERY_S = 0.25
GIVEN_UP_AFTER_S = 600.0


HEADINGS = " courses  at once  decided  first s   last s  timed out  failed"


def say(line: str) -> None:
    """One line, at once: a run takes minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Recovery(NamedTuple):
    """Seconds from the start of the worker's process to the first and the last decision on record, and what it cost."""

    decided: int
    first_s: float
    last_s: float
    tasks_timed_out: int
    tasks_failed: int


class House:
    """Courses, their record, and a worker that comes and goes."""

    def __init__(self, client: Client, engine: AsyncEngine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self.courses = CourseClient(client, QUEUE)

    @asynccontextmanager
    async def worker(self, limit: int) -> AsyncIterator[Process]:
        """A worker's process, killed at the end."""
        settings = {
            "INOCYCLE_TEMPORAL_ADDRESS": self.courses.client.service_client.config.target_host,
            "INOCYCLE_TEMPORAL_NAMESPACE": self.courses.client.namespace,
            "INOCYCLE_DATABASE_URL": self._engine.url.render_as_string(hide_password=False),
            "INOCYCLE_TASK_QUEUE": QUEUE,
            "INOCYCLE_VAR_DIR": str(self._folder),
            "INOCYCLE_PAYLOAD_KEY_FILE": str(self._folder / "payload-keys"),
            "INOCYCLE_SUBJECT_KEY_FILE": str(self._folder / "subject-key"),
            "INOCYCLE_RECORD_KEY_FILE": str(self._folder / "record-key"),
            "INOCYCLE_WORKFLOW_TASKS": str(limit),
            "INOCYCLE_LOCAL_ACTIVITIES": str(limit),
        }
        with (self._folder / "worker.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "worker"), cwd=ROOT, env={**os.environ, **settings}, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def begin(self, course_ids: list[str]) -> None:
        """Start the courses and give each a weight, so that it has decided once."""
        for course_id in course_ids:
            course = ANNA.course(course_id, LABEL, TEST_SUBJECT_KEY, datetime.now(UTC))
            await start_course(self.courses, self._engine, course)
            content = f'{{"id": "weight-{course_id}", "by": "nurse:n-1", "finding": {{"kind": "weight", "kg": "71"}}}}'
            await self.courses.command(course_id, COMMANDS["record_finding"].model_validate_json(content))

    async def send_to(self, course_ids: list[str]) -> None:
        """One result for each, while nobody is there to decide on it."""
        for course_id in course_ids:
            now = datetime.now(UTC)
            subject = ANNA.course(course_id, LABEL, TEST_SUBJECT_KEY, now).subject_hash
            drawn = (a_lab("alt", "31", at=now), a_lab("bilirubin", at=now))
            labs = LabResults(id=f"labs-{course_id}", by=LABORATORY, subject_hash=subject, results=drawn)
            await self.courses.send(course_id, labs)

    async def decisions(self) -> dict[str, int]:
        """The number of each course's last decision on record; the courses are not asked, which would be work for them."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(text("SELECT course_id, last_decision FROM course"))
            return {row.course_id: row.last_decision for row in rows}

    async def troubled_tasks(self, course_ids: list[str]) -> tuple[int, int]:
        """Workflow tasks of these courses that outlived their time, and those that failed.

        A task that waited for the killed worker and was then given to another one is neither.
        """
        timed_out = failed = 0
        for course_id in course_ids:
            async for event in self.courses.handle(course_id).fetch_history_events():
                late = event.workflow_task_timed_out_event_attributes.timeout_type
                timed_out += late == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
                failed += event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
        return timed_out, failed

    async def recovered(self, course_ids: list[str], limit: int) -> Recovery:
        """Kill, send, start again, and watch the record."""
        async with self.worker(limit):
            await self.begin(course_ids)
            before = await self._quiet(course_ids)
        troubled = await self.troubled_tasks(course_ids)
        await self.send_to(course_ids)
        began, decided = time.monotonic(), dict[str, float]()
        async with self.worker(limit) as process:
            while len(decided) < len(course_ids) and time.monotonic() - began < GIVEN_UP_AFTER_S:
                await asyncio.sleep(LOOK_EVERY_S)
                assert process.returncode is None, f"the worker ended; see {self._folder / 'worker.log'}"
                now = await self.decisions()
                for course_id in course_ids:
                    if now[course_id] > before[course_id]:
                        decided.setdefault(course_id, time.monotonic() - began)
        after = await self.troubled_tasks(course_ids)
        times = sorted(decided.values()) or [float("inf")]
        return Recovery(len(decided), times[0], times[-1], after[0] - troubled[0], after[1] - troubled[1])

    async def _quiet(self, course_ids: list[str]) -> Mapping[str, int]:
        """The last decisions once the record has not moved for a while: the first weight and what the clock said then."""
        last: dict[str, int] = {}
        while (now := await self.decisions()) != last or not set(course_ids) <= set(now):
            last = now
            await asyncio.sleep(8 * LOOK_EVERY_S)
        return last


async def measure(number: int, limits: list[int]) -> None:
    """Print one line for each limit, all on one server and one record."""
    with tempfile.TemporaryDirectory(prefix="restart-") as name:
        folder = Path(name)
        for key, file in (
            (TEST_KEY_RING, "payload-keys"),
            (TEST_SUBJECT_KEY, "subject-key"),
            (TEST_RECORD_KEY, "record-key"),
        ):
            key.write(folder / file)
        database = folder / "temporal.db"
        binary = find_binary(ROOT, say, os.environ)
        ports: dict[str, Any] = {"port": free_port(), "log_file": folder / "server.log"}
        async with DevServer(binary, database=database, search_attributes=SEARCH_ATTRIBUTES, **ports) as server:
            engine = await a_record(f"sqlite:///{folder / 'record.db'}")
            house = House(await a_namespace(server.address, engine), engine, folder)
            say(HEADINGS)
            for limit in limits:
                course_ids = [f"course-restart-{limit}-{n}" for n in range(number)]
                found = await house.recovered(course_ids, limit)
                figures = (
                    f"{found.first_s:>8.1f} {found.last_s:>8.1f} {found.tasks_timed_out:>10} {found.tasks_failed:>7}"
                )
                say(f"{number:>8} {limit:>8} {found.decided:>8} {figures}")
            await engine.dispose()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--courses", type=int, default=50)
    parser.add_argument("--limits", type=int, nargs="+", default=[8, 100], help="workflow tasks and decisions at once")
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.courses, chosen.limits))


if __name__ == "__main__":
    main()
