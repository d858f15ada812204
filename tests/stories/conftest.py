"""A ward of its own for one story: its worker, its record and its server come and go."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from demo.bedside import Bedside
from demo.driver import Clock, skipper
from demo.patients import ANNA
from models.attributes import SEARCH_ATTRIBUTES
from plumbing.dev_server import DevServer, free_port
from plumbing.keys import TEST_SUBJECT_KEY
from plumbing.settings import ROOT, Settings
from services.courses import CourseClient
from services.starting import start_course
from tests.conftest import MANY_LOOKS, TASK_QUEUE, Ward
from tests.factories import LABEL
from tests.laid_out import a_namespace, a_record
from worker import make_worker

TIMELY = timedelta(seconds=20)
"""A timer that fires with this delay was on time: a machine under load takes some seconds to say so."""


class SmallWard:
    """A ward of its own, whose worker and record come and go."""

    def __init__(self, client: Client, engine: AsyncEngine, queue: str, var_dir: Path) -> None:
        self.client, self.engine, self.queue = client, engine, queue
        self._settings = Settings(var_dir=var_dir)
        self.courses = CourseClient(skipper(client).client, queue)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        async with make_worker(self.client, self.engine, self._settings, task_queue=self.queue):
            yield

    async def worker_process(self, var_dir: Path, release: Path = ROOT) -> Process:
        """A worker in a process of its own, to be killed; of the release in this folder."""
        settings = {
            "INOCYCLE_TEMPORAL_ADDRESS": self.client.service_client.config.target_host,
            "INOCYCLE_TEMPORAL_NAMESPACE": self.client.namespace,
            "INOCYCLE_DATABASE_URL": self.engine.url.render_as_string(hide_password=False),
            "INOCYCLE_TASK_QUEUE": self.queue,
            "INOCYCLE_VAR_DIR": str(var_dir),
            "INOCYCLE_PAYLOAD_KEY_FILE": str(var_dir / "payload-keys"),
            "INOCYCLE_SUBJECT_KEY_FILE": str(var_dir / "subject-key"),
            "INOCYCLE_RECORD_KEY_FILE": str(var_dir / "record-key"),
        }
        command = (sys.executable, "-m", "worker")
        log = (var_dir / "worker.log").open("ab")
        with log:
            return await asyncio.create_subprocess_exec(
                *command, cwd=release, env={**os.environ, **settings}, stdout=log, stderr=log
            )

    @asynccontextmanager
    async def record_away(self) -> AsyncIterator[None]:
        """The table of decisions is not there, so that every write fails."""
        async with self.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE decision RENAME TO decision_away"))
        yield
        async with self.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE decision_away RENAME TO decision"))

    async def course(self, name: str) -> Bedside:
        course_id = f"course-{name}-{self.engine.dialect.name}"
        course = ANNA.course(course_id, LABEL, TEST_SUBJECT_KEY, datetime.now(UTC))
        await start_course(self.courses, self.engine, course)
        return Bedside(self.courses, Clock(self.client, course_id), course_id, ANNA, TEST_SUBJECT_KEY)


async def delete_execution(client: Client, course_id: str) -> None:
    """Delete an execution, as an administrator or the end of retention does, and see it gone."""
    execution = WorkflowExecution(workflow_id=course_id)
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(request)
    for _ in range(20 * MANY_LOOKS):
        try:
            await client.get_workflow_handle(course_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return
    raise AssertionError("it is still there")


@pytest.fixture
async def small_ward(
    dev_server: DevServer, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[SmallWard]:
    engine = await a_record(database_url)
    client = await a_namespace(dev_server.address, engine)
    yield SmallWard(client, engine, f"queue-{request.node.name}", tmp_path)
    await engine.dispose()


SHORT_RUNS = "limit.historyCount.suggestContinueAsNew=60"


@pytest.fixture
async def impatient_ward(binary: Path, tmp_path: Path) -> AsyncIterator[Ward]:
    """A ward on a server that suggests to continue as new after 60 events instead of 4,096."""
    server = DevServer(
        binary,
        port=free_port(),
        log_file=tmp_path / "log",
        skip_time=True,
        search_attributes=SEARCH_ATTRIBUTES,
        dynamic_config=(SHORT_RUNS,),
    )
    engine = await a_record(f"sqlite:///{tmp_path / 'record.db'}")
    async with server:
        client = await a_namespace(server.address, engine)
        async with make_worker(client, engine, Settings(var_dir=tmp_path), task_queue=TASK_QUEUE):
            yield Ward(client, engine)
    await engine.dispose()
