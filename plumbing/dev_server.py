"""Temporal's dev server: find a binary that can skip time, and run it as a child of this process.

For trying out and for tests. Production uses a real Temporal cluster and nothing of this module.
Which search attributes exist and on which ports to listen is the caller's business.
"""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.service import ConnectConfig, RPCError, ServiceClient

from plumbing.children import ending_with_its_parent
from plumbing.search_attributes import type_of
from plumbing.server_limits import as_flags

Say = Callable[[str], None]
Version = tuple[int, int, int]

MIN_SERVER: Final[Version] = (1, 32, 0)  # an older server starts, but ignores time skipping without a word
DOWNLOAD_VERSION: Final = "v1.9.1"
LOOPBACK: Final = "127.0.0.1"
NAMESPACE: Final = "default"
RETENTION: Final = timedelta(days=30)  # the dev server's own 24 h would lose yesterday's closed cycles

_ALIVE_EVERY: Final = timedelta(seconds=10)  # a newcomer takes a longer silence for a hang
_CONNECT_WITHIN: Final = timedelta(seconds=10)
_STALLED_AFTER: Final = timedelta(seconds=30)
_GRACE: Final = timedelta(seconds=10)
_READY_WITHIN: Final = timedelta(minutes=5)  # it takes a second; a machine under load takes what it takes
_LOOK_EVERY_S: Final = 0.5

_TO_INSTALL: Final = """\
No Temporal dev server was found. One of these mends it:
  - install the Temporal CLI with server 1.32 or newer, so that `temporal` is on the PATH
    (`temporal --version` names its server), or point INOCYCLE_TEMPORAL_BINARY to it;
  - let this machine reach the internet once (and unset INOCYCLE_OFFLINE): the CLI is then downloaded;
  - install the Go version that tools/temporal/go.mod names, or a newer one: the CLI is then built.
What was tried:"""

_SKIP_TIME: Final = {
    # The first key was renamed between releases into the second; an unknown key is harmless.
    "frontend.WorkflowTimeSkippingEnabled": "true",
    "system.workflowTimeSkippingEnabled": "true",
    "frontend.WorkflowTimeSkippingMaxSkipPerSession": "1000",
    # A continued run would else start 1 s late, and a fast-forward jumps over that second and all up to its target.
    "history.workflowIdReuseMinimalInterval": '"0s"',
    # Each skip takes this long; the server's own value is 1 s.
    "history.timerProcessorMaxTimeShift": '"50ms"',
}


class NoDevServer(Exception):
    """No usable dev server can be had on this machine; the text says what was tried and what to install."""


class DevServerFailed(Exception):
    """The dev server did not start or did not become ready; the text says why, with the end of its log."""


class PassedOver(Exception):
    """One place has no usable binary. Says why; the finder goes on to the next place."""


def find_binary(root: Path, say: Say, environ: Mapping[str, str]) -> Path:
    """A `temporal` binary whose server can skip time, found or made, the cheapest way first.

    In this order: INOCYCLE_TEMPORAL_BINARY, the PATH, `var/bin` under root, the SDK's download, `go build`.
    What is made is kept in `var/bin`. Raises NoDevServer; a binary named by INOCYCLE_TEMPORAL_BINARY
    that does not serve is an error at once, because whoever names one wants no other.
    """
    if named := environ.get("INOCYCLE_TEMPORAL_BINARY"):
        return _named_binary(Path(named), say)
    reasons: list[str] = []
    for place in (_on_path, _kept_before, _downloaded, _built):
        try:
            binary = place(root, say, environ)
        except PassedOver as passed_over:
            reasons.append(str(passed_over))
            say(reasons[-1])
        else:
            say(f"Temporal dev server: {binary}")
            return binary
    raise NoDevServer("\n".join([_TO_INSTALL, *(f"  - {reason}" for reason in reasons)]))


def server_version(binary: Path) -> Version | None:
    """The version of the *server* inside a `temporal` binary; None if it does not run or does not say.

    The version of the command line itself tells nothing about time skipping.
    """
    try:
        answer = subprocess.run([binary, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(rb"\(server (\d+)\.(\d+)\.(\d+)", answer.stdout, re.IGNORECASE)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def free_port() -> int:
    """A loopback port on which nobody listens now, and that the next callers do not get either."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        # Closed from the listening side a connection leaves the port waiting for a minute: until then the kernel
        # deals it to nobody who asks for any port, while a server that asks for this one may have it.
        with socket.create_connection((LOOPBACK, port)):
            listener.accept()[0].close()
    return port


def must_be_free(port: int) -> None:
    """Raises DevServerFailed while somebody listens on this loopback port."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as error:
        raise DevServerFailed(f"Port {port} is taken; is another inocycle or Temporal running? ({error})") from error


@asynccontextmanager
async def waiting(say: Say, what: str, every: timedelta = _ALIVE_EVERY) -> AsyncIterator[None]:
    """Say every ten seconds that what is awaited inside is still awaited."""

    async def tell() -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(every.total_seconds())
            say(f"  still waiting for {what} after {time.monotonic() - began:.0f} s")

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()


class DevServer:
    """One dev server on the loopback address, a child of this process; as a context manager, up and ready inside.

    Without `ui_port` there is no Web UI, without `database` the state ends with the server.
    `search_attributes` gives name and type (`{"CycleNumber": "Int"}`).
    `dynamic_config` gives further server settings as `key=value`, beside those that protect a course and before them
    where the key is the same. The child's output is appended to `log_file`; `say` hears that a slow start goes on.

    Start it in a thread that outlives it (the main thread): on Linux the server ends with the thread that started it.
    """

    def __init__(
        self,
        binary: Path,
        *,
        port: int,
        log_file: Path,
        ui_port: int | None = None,
        database: Path | None = None,
        skip_time: bool = False,
        search_attributes: Mapping[str, str] | None = None,
        codec_endpoint: str | None = None,
        dynamic_config: Sequence[str] = (),
        say: Say = lambda _: None,
    ) -> None:
        self._binary = binary
        self._say = say
        self._dynamic_config = dict(setting.split("=", 1) for setting in dynamic_config)
        self._port = port
        self._log_file = log_file
        self._ui_port = ui_port
        self._database = database
        self._skip_time = skip_time
        self._search_attributes = {name: type_of(kind) for name, kind in (search_attributes or {}).items()}
        self._codec_endpoint = codec_endpoint
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port of the frontend, as `Client.connect` takes them."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id of the server while there is one to stop."""
        return self._process.pid if self._process else None

    def start_line(self) -> list[str]:
        """The command line. Search attributes are not on it: see `wait_ready`."""
        line = [str(self._binary), "server", "start-dev", "--ip", LOOPBACK, "--port", str(self._port)]
        line += (
            ["--headless"] if self._ui_port is None else ["--ui-port", str(self._ui_port), "--ui-disable-news-fetch"]
        )
        line += ["--log-level", "error"]
        if self._database:
            line += ["--db-filename", str(self._database)]
        if self._codec_endpoint:
            line += ["--ui-codec-endpoint", self._codec_endpoint]
        settings = {**as_flags(), **(_SKIP_TIME if self._skip_time else {}), **self._dynamic_config}
        for key, value in settings.items():
            line += ["--dynamic-config-value", f"{key}={value}"]
        return line

    def start(self) -> None:
        """Start the process and return at once. Raises DevServerFailed when a port is taken."""
        for port in filter(None, (self._port, self._ui_port)):
            must_be_free(port)
        for file in filter(None, (self._log_file, self._database)):
            file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            self._log_start = log.tell()
            child = ending_with_its_parent(self.start_line())
            self._process = subprocess.Popen(
                child.line,
                stdin=child.stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TEMPORAL_VERSION_CHECK_DISABLED": "1"},
                # Ctrl-C in a terminal must reach the parent only, which stops the workers before their server.
                start_new_session=True,
            )

    async def wait_ready(self, timeout: timedelta = _READY_WITHIN) -> None:
        """Return when the frontend answers, closed runs are kept for 30 days and the search attributes exist.

        The attributes are added through the API because the server's own flag for them is silently ignored
        on a database file that exists: an attribute of a later release would never appear there.
        Raises DevServerFailed if the process ends, the time is up, or an attribute has another type.
        """
        connection = await ServiceClient.connect(ConnectConfig(target_host=self.address, lazy=True))
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                async with waiting(self._say, "the Temporal server to answer"):
                    while not await self._answers(connection):
                        await asyncio.sleep(0.05)
                    await _keep_closed_runs(connection)
                    await _register(self._search_attributes, connection)
        except TimeoutError:
            raise DevServerFailed(self._with_log(f"The dev server was not ready within {_seconds(timeout)}.")) from None
        except RPCError as error:
            raise DevServerFailed(self._with_log(f"The dev server could not be set up: {error}.")) from error

    def must_run(self) -> None:
        """Return while the server runs. Raises DevServerFailed once it has ended by itself."""
        if self._process is None or (code := self._process.poll()) is None:
            return
        raise DevServerFailed(self._with_log(f"The dev server ended with code {code}."))

    async def ended_by_itself(self) -> None:
        """Come back once the server has ended and nobody stopped it; `must_run` says how."""
        while self._process is None or self._process.poll() is None:
            await asyncio.sleep(_LOOK_EVERY_S)

    async def stop(self) -> None:
        """End the server and wait until it is gone. Stopping twice does nothing."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, _GRACE.total_seconds())
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._process = None

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.wait_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _answers(self, connection: ServiceClient) -> bool:
        if self._process is None:
            raise DevServerFailed("The dev server was not started.")
        if (code := self._process.poll()) is not None:
            raise DevServerFailed(self._with_log(f"The dev server ended with code {code} before it was ready."))
        try:
            healthy = await connection.check_health(retry=False, timeout=timedelta(seconds=5))
        except (RPCError, RuntimeError):  # the SDK's core raises a bare RuntimeError while nobody listens
            return False
        return healthy and (self._ui_port is None or _listens(self._ui_port))

    def _with_log(self, fault: str) -> str:
        with self._log_file.open("rb") as log:
            log.seek(self._log_start)
            tail = log.read().decode(errors="replace").splitlines()[-15:]
        lines = [f"  {line}" for line in tail] or ["  (empty)"]
        return "\n".join([fault, f"The end of its log, {self._log_file}:", *lines])


# --- The places where a binary may be


def _named_binary(binary: Path, say: Say) -> Path:
    try:
        _must_serve(binary, f"INOCYCLE_TEMPORAL_BINARY={binary}")
    except PassedOver as unusable:
        raise NoDevServer(f"{unusable}. Name another binary, or unset it to have one looked for.") from None
    say(f"Temporal dev server: {binary}, named by INOCYCLE_TEMPORAL_BINARY")
    return binary


def _on_path(_root: Path, _say: Say, environ: Mapping[str, str]) -> Path:
    found = _which("temporal", environ)
    if found is None:
        raise PassedOver("there is no `temporal` on the PATH")
    _must_serve(found, f"`temporal` on the PATH ({found})")
    return found


def _kept_before(root: Path, _say: Say, _environ: Mapping[str, str]) -> Path:
    kept = _kept(root)
    if not kept.exists():
        raise PassedOver("none was built or downloaded before")
    _must_serve(kept, str(kept))
    return kept


def _downloaded(root: Path, say: Say, environ: Mapping[str, str]) -> Path:
    if environ.get("INOCYCLE_OFFLINE") == "1":
        raise PassedOver("no download was tried, because INOCYCLE_OFFLINE=1")
    say(f"downloading Temporal CLI {DOWNLOAD_VERSION} with the SDK ({_seconds(_CONNECT_WITHIN)} to connect)")
    _kept(root).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=_kept(root).parent) as folder:
        # In a process of its own: the SDK's download has no time limit and cannot be cancelled.
        said = fetch([sys.executable, "-c", _SDK_DOWNLOAD, DOWNLOAD_VERSION, folder], Path(folder), say)
        complete = [file for file in Path(folder).iterdir() if file.suffix != ".downloading"]
        if not complete:
            raise PassedOver(f"the download failed; is there a way to the internet? It said: {said}")
        return _keep(complete[0], root, "the downloaded binary")


_SDK_DOWNLOAD: Final = """
import asyncio, sys
from temporalio.testing import WorkflowEnvironment

async def main():
    pinned, folder = sys.argv[1:]
    server = await WorkflowEnvironment.start_local(dev_server_download_version=pinned, download_dest_dir=folder)
    await server.shutdown()

asyncio.run(main())
"""


def fetch(
    command: Sequence[str],
    folder: Path,
    say: Say,
    *,
    connect_within: timedelta = _CONNECT_WITHIN,
    stalled_after: timedelta = _STALLED_AFTER,
) -> str:
    """Run a command that downloads into an empty folder and return its last line, or end it when it does not get on.

    A file in the folder is the sign that it connected, a growing one that it gets on. Whether a whole
    file came of it is for the caller to see.
    """
    with tempfile.TemporaryFile() as words:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _watch_growth(child, folder, say, connect_within, stalled_after)
        finally:
            _end_session(child)
        words.seek(0)
        said = words.read().decode(errors="replace").split("\n")
    return next((line for line in reversed(said) if line.strip()), "nothing")


def _watch_growth(
    child: subprocess.Popen[bytes], folder: Path, say: Say, connect_within: timedelta, stalled_after: timedelta
) -> None:
    started = grew_at = told_at = time.monotonic()
    before: list[int] = []
    while not _ended_within(child, 0.1):
        now, sizes = time.monotonic(), _sizes(folder)
        if sizes != before:
            before, grew_at = sizes, now
        limit = stalled_after if sizes else connect_within
        if now - grew_at > limit.total_seconds():
            what = "stalled" if sizes else "could not connect"
            raise PassedOver(f"the download {what} for {_seconds(limit)}; is there a way to the internet?")
        if now - told_at > _ALIVE_EVERY.total_seconds():
            told_at = now
            say(f"  still downloading after {now - started:.0f} s: {sum(sizes) / 1e6:.0f} MB")


def _built(root: Path, say: Say, environ: Mapping[str, str]) -> Path:
    go = _which("go", environ)
    if go is None:
        raise PassedOver("it cannot be built, because there is no `go` on the PATH")
    module = root / "tools" / "temporal"
    if not (module / "go.mod").exists():
        raise PassedOver(f"it cannot be built, because there is no {module / 'go.mod'}")
    say("building the Temporal CLI with Go, once: about 5 minutes and 5 GB of Go's caches on a small machine")
    _kept(root).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=_kept(root).parent) as folder:
        output = Path(folder).resolve() / "temporal"
        _go_build([str(go), *_build_flags(module), "-o", str(output), _CLI_PACKAGE], module, say, environ)
        return _keep(output, root, "the binary that was built")


_CLI_PACKAGE: Final = "github.com/temporalio/cli/cmd/temporal"


def _build_flags(module: Path) -> list[str]:
    pins = (module / "go.mod").read_text()
    # Without this stamp the CLI calls itself 0.0.0-DEV.
    label = f"{_pin('github.com/temporalio/cli', pins)}+server.{_pin('go.temporal.io/server', pins)}"
    stamp = f"-X github.com/temporalio/cli/internal/temporalcli.Version={label}"
    return ["build", "-v", "-trimpath", "-mod=readonly", "-ldflags", f"-s -w {stamp}"]


def _pin(name: str, pins: str) -> str:
    found = re.search(rf"^\s*(?:require )?{re.escape(name)} v(\S+)", pins, re.MULTILINE)
    return found[1] if found else "unknown"


def _go_build(command: Sequence[str], module: Path, say: Say, environ: Mapping[str, str]) -> None:
    # A user's GOFLAGS or workspace file may change or forbid the build; given here they outrank `go env -w`.
    own = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    child = subprocess.Popen(
        command,
        cwd=module,
        env={**environ, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    progress, started = GoProgress(), time.monotonic()
    assert child.stderr is not None
    reader = threading.Thread(target=progress.read, args=(child.stderr,), daemon=True)
    reader.start()
    try:
        while not _ended_within(child, _ALIVE_EVERY.total_seconds()):
            say(f"  still building after {time.monotonic() - started:.0f} s: {progress}")
    finally:
        child.terminate()
        child.wait()
        reader.join()
        child.stderr.close()
    if child.returncode:
        raise PassedOver("\n      ".join(["`go build` failed:", *progress.complaints]))


class GoProgress:
    """What `go build -v` has said so far: modules downloaded, packages compiled, and all else as a complaint."""

    def __init__(self) -> None:
        self.modules = 0
        self.packages = 0
        self.last = ""
        self.complaints: deque[str] = deque(maxlen=6)

    def read(self, lines: Iterable[str]) -> None:
        for line in map(str.strip, lines):
            if line.startswith("go: downloading "):
                self.modules, self.last = self.modules + 1, line.removeprefix("go: downloading ")
            elif line and " " not in line:
                self.packages, self.last = self.packages + 1, line
            elif line:
                self.complaints.append(line)

    def __str__(self) -> str:
        cached_or_linking = self.last in ("", _CLI_PACKAGE)  # then go is silent
        doing = "linking" if cached_or_linking else f"last {self.last}"
        return f"{self.modules} modules downloaded, {self.packages} packages compiled, {doing}"


def _keep(made: Path, root: Path, what: str) -> Path:
    """Move a binary to its place in one step, so that another start never finds half of one."""
    made.chmod(0o755)
    _must_serve(made, what)
    return made.replace(_kept(root))


def _kept(root: Path) -> Path:
    return root / "var" / "bin" / "temporal"


def _must_serve(binary: Path, what: str) -> None:
    version = server_version(binary)
    if version is None:
        raise PassedOver(f"{what} does not say which server it holds")
    if version < MIN_SERVER:
        needed = ".".join(map(str, MIN_SERVER[:2]))
        raise PassedOver(f"{what} holds server {'.'.join(map(str, version))}, and {needed} or newer is needed")


def _which(name: str, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    return Path(found).absolute() if found else None


# --- A child process and its server


def _listens(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex((LOOPBACK, port)) == 0


def _end_session(child: subprocess.Popen[bytes]) -> None:
    """End a child that leads its own session, and whatever it started there."""
    with suppress(ProcessLookupError, PermissionError):  # all of it has ended, as Linux and macOS put it
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _ended_within(child: subprocess.Popen[bytes] | subprocess.Popen[str], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _sizes(folder: Path) -> list[int]:
    sizes = []
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # renamed between listing and looking
            sizes.append(file.stat().st_size)
    return sizes


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"


async def _keep_closed_runs(connection: ServiceClient) -> None:
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    config = NamespaceConfig(workflow_execution_retention_ttl=retention)
    request = UpdateNamespaceRequest(namespace=NAMESPACE, config=config)
    await connection.workflow_service.update_namespace(request, retry=True)


async def _register(attributes: Mapping[str, IndexedValueType.ValueType], connection: ServiceClient) -> None:
    """Add what is missing. The server keeps the type that a name had first and says nothing, so look."""
    if not attributes:
        return
    request = AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes=attributes)
    await connection.operator_service.add_search_attributes(request, retry=True)
    listing = ListSearchAttributesRequest(namespace=NAMESPACE)
    there = await connection.operator_service.list_search_attributes(listing, retry=True)
    other = sorted(name for name, kind in attributes.items() if there.custom_attributes.get(name) != kind)
    if other:
        fault = "The database has search attributes of the same name and another type"
        raise DevServerFailed(f"{fault}: {', '.join(other)}. Start with a new database.")
