"""Everything that `make run` starts: dev server, worker, codec server, invented patients. One process tree, one Ctrl-C."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from demo import story
from demo.keeping import Kept, ended
from demo.layout import ARTICLE, LAID_OUT, MID_STORY, Bed, Beds, Layout
from demo.patients import ANNA
from models.attributes import SEARCH_ATTRIBUTES
from plumbing.children import ending_with_its_parent
from plumbing.connection import connect
from plumbing.database import make_engine
from plumbing.dev_server import DevServer, DevServerFailed, NoDevServer, find_binary, must_be_free
from plumbing.installation import InstallationRefused, lay_out, opened
from plumbing.settings import DEMO_KEY_FILES, DEMO_SERVER_FILE, ROOT, KeyGone, Mode, Settings, with_demo_keys
from services.courses import CourseError

KEPT_WHEN_FRESH = ("bin", *DEMO_KEY_FILES)  # the keys are in this process already: the others must find the same
ON_SCREEN = Bed("course-anna", ANNA, ARTICLE, story.whole_course)


class HouseFault(Exception):
    """Something of the house did not start; the text says what and what to do."""


class House:
    """The demo: what runs, and who lies in its beds. Nobody is real."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        if settings.mode is not Mode.DEMO:
            raise HouseFault("the invented ward runs in mode demo only; see docs/operations for a real one")
        self._settings = settings
        self._say = say

    async def keep(self, *, fresh: bool) -> None:
        """Start everything, lay the patients out if they are not there, and stay until Ctrl-C."""
        stopping = _told_to_stop()
        if fresh:
            self._clear()
        try:
            self._settings = with_demo_keys(self._settings)
        except KeyGone as gone:
            raise HouseFault(str(gone)) from None
        async with self._server() as server:
            await self._keep_the_rest(server, await self._initialised(), stopping)

    async def _keep_the_rest(self, server: DevServer, client: Client, stopping: asyncio.Event) -> None:
        """A worker that dies is started again. The server is not: what made it end is said, and everything ends."""
        async with self._worker() as worker, self._door("codec_server") as codec_server:
            laying_out = asyncio.ensure_future(self._lay_out(client))
            ends = (stopping.wait, worker.given_up.wait, codec_server.wait, server.ended_by_itself)
            await _first_of(laying_out, *(end() for end in ends))
            server.must_run()  # before anything that failed only because of it
            if laying_out.done() and not laying_out.cancelled():
                _laid_out(laying_out)
                self._welcome()
                await _first_of(*(end() for end in ends))
                server.must_run()
            if not stopping.is_set():
                name = "worker" if worker.given_up.is_set() else "codec_server"
                raise HouseFault(f"the {name} ended by itself; its words are in {self._log(name)}")
            self._say("stopping; the invented patients stay as they are for the next start")

    async def _initialised(self) -> Client:
        """Lay the installation out, as `inocycle init` does, or see that record and server still belong together."""
        client = await connect(self._settings)
        try:
            await lay_out(self._settings, client)
        except InstallationRefused as refused:
            raise HouseFault(f"{refused}\n`make fresh` lays everything out anew, with nothing of before") from None
        return client

    def _clear(self) -> None:
        """Throw away what earlier starts wrote, but for the server that was built and the keys."""
        var = self._settings.var_dir
        for path in sorted(var.glob("*")) if var.exists() else ():
            if path.name not in KEPT_WHEN_FRESH and path.is_file():
                path.unlink()
        self._say("everything invented was thrown away")

    # ── processes ──────────────────────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[DevServer]:
        try:
            binary = await asyncio.to_thread(find_binary, ROOT, self._say, os.environ)
            host_and_port = self._settings.temporal_address.rpartition(":")
            server = DevServer(
                binary,
                port=int(host_and_port[2]),
                ui_port=self._settings.web_ui_port,
                log_file=self._log("temporal"),
                database=self._server_file,
                skip_time=True,
                search_attributes=SEARCH_ATTRIBUTES,
                codec_endpoint=f"http://{self._settings.codec_address}",
                say=self._say,
            )
            must_be_free(int(self._settings.codec_address.rpartition(":")[2]))  # before anybody is laid out
            async with server:
                self._say(f"Temporal listens on {server.address}, its Web UI on {self._web_ui}")
                yield server
        except (NoDevServer, DevServerFailed) as fault:
            raise HouseFault(str(fault)) from None

    def _worker(self) -> Kept:
        """The worker, started again when its process dies: the courses do not live in it."""
        pid_file = self._settings.var_dir / "worker.pid"
        return Kept("worker", partial(self._started, "worker"), pid_file, self._say)

    @asynccontextmanager
    async def _door(self, module: str) -> AsyncIterator[Process]:
        """Another door in a process of its own."""
        process = await self._started(module)
        try:
            yield process
        finally:
            await ended(process)

    async def _started(self, module: str) -> Process:
        """A door in a process and a session of its own: Ctrl-C reaches this process, which ends it by its id.

        Where this process is killed, the door ends all the same.
        """
        child = ending_with_its_parent((sys.executable, "-m", module))
        with self._log(module).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *child.line, cwd=ROOT, stdin=child.stdin, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def _server_file(self) -> Path:
        return self._settings.var_dir / DEMO_SERVER_FILE

    @property
    def _web_ui(self) -> str:
        return f"http://127.0.0.1:{self._settings.web_ui_port}"

    def _log(self, name: str) -> Path:
        self._settings.var_dir.mkdir(parents=True, exist_ok=True)
        return self._settings.var_dir / f"{name}.log"

    # ── patients ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _lay_out(self, client: Client) -> None:
        """Lay out whoever is not there yet: the six at the same time, then one whole course on screen."""
        async with self._record(client) as engine:
            await self._lay_out_missing(self._beds(client, engine))

    def _beds(self, client: Client, engine: AsyncEngine) -> Beds:
        key = self._settings.subject_key
        assert key is not None, "a demo has made its keys"
        return Beds(client, engine, self._settings.task_queue, key, self._say)

    @asynccontextmanager
    async def _record(self, client: Client) -> AsyncIterator[AsyncEngine]:
        """The record, in which the start of each course is reserved."""
        engine = make_engine(self._settings.database_url.get_secret_value())
        try:
            yield await opened(engine, client, self._settings)
        finally:
            await engine.dispose()

    async def _lay_out_missing(self, beds: Beds) -> None:
        layout, missing = self._layout, self._layout.missing(MID_STORY)
        await asyncio.gather(*(beds.lay_out(bed, layout) for bed in missing))
        if layout.missing([ON_SCREEN]):
            self._say(f"\n[bold]{ANNA.name}, protocol {ARTICLE}: one whole course, its time skipped[/bold]")
            bedside = await beds.admit(ON_SCREEN)
            await story.whole_course(bedside, self._say)
            layout.keep(bedside.course_id)
        elif not missing:
            self._say("the invented patients are as you left them")

    @property
    def _layout(self) -> Layout:
        return Layout(self._settings.var_dir / LAID_OUT)

    def _welcome(self) -> None:
        self._say(
            f"\nWeb UI              {self._web_ui}/namespaces/default/workflows"
            f"\n                    all is encrypted there; the codec server on {self._settings.codec_address} opens it for you"
            "\nthe ward            .venv/bin/inocycle board"
            "\nwho must act        .venv/bin/inocycle worklist --role prescriber"
            f"\none course          .venv/bin/inocycle course show {self._layout.course_of('course-dora') or 'course-dora'}"
            "\nseven things to try .venv/bin/inocycle demo tour"
            "\nCtrl-C ends everything; the next start keeps it. Nobody here is real."
        )


def _told_to_stop() -> asyncio.Event:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _laid_out(laying_out: asyncio.Future[None]) -> None:
    try:
        laying_out.result()
    except (CourseError, TimeoutError) as fault:
        why = str(fault) or "the machine was too slow"
        words = f"not everybody could be laid out: {why}\nWho is there stays; the next start goes on with the others"
        raise HouseFault(words) from None


async def _first_of(*awaited: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(a) for a in awaited]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
