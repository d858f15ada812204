"""The finder among invented binaries, and the real dev server on free ports with its files in a temporary folder."""

import asyncio
import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from plumbing import dev_server
from plumbing.dev_server import (
    DevServer,
    DevServerFailed,
    GoProgress,
    NoDevServer,
    PassedOver,
    fetch,
    find_binary,
    free_port,
    server_version,
    waiting,
)
from plumbing.server_limits import PROTECTS_A_COURSE

REPOSITORY = Path(__file__).parents[2]
NEW, LIMIT, OLD = "1.32.1", "1.32.0", "1.31.9"

Finder = Callable[..., Path]


def a_script(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def a_temporal(path: Path, server: str) -> Path:
    return a_script(path, f"echo 'temporal version 1.8.2 (Server {server}, UI 2.54.1)'")


# --- Which server is inside


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("temporal version 1.8.2+server.1.32.1 (Server 1.32.1, UI 2.54.1)", (1, 32, 1)),
        ("temporal version 1.1.2 (Server 1.25.1, UI 2.31.2)", (1, 25, 1)),
        ("temporal version 0.13.2 (server 1.24.2) (ui 2.27.3)", (1, 24, 2)),
        ("temporal version 1.9.0 (Server 1.33.0-rc.2, UI 2.60.0)", (1, 33, 0)),
        ("temporal version 1.32.1", None),  # the version of the command line says nothing about the server
        ("", None),
    ],
)
def test_the_version_is_that_of_the_server(tmp_path: Path, said: str, version: tuple[int, int, int] | None) -> None:
    assert server_version(a_script(tmp_path / "temporal", f"echo '{said}'")) == version


def test_what_does_not_run_has_no_version(tmp_path: Path) -> None:
    no_program = tmp_path / "temporal"
    assert server_version(no_program) is None
    no_program.write_text("not a program")
    assert server_version(no_program) is None


# --- Where one is found


@pytest.fixture
def said() -> list[str]:
    """What the finder told the person at the screen."""
    return []


@pytest.fixture
def find(tmp_path: Path, said: list[str]) -> Finder:
    """The finder on an invented machine: only `path/` is on its PATH, `root/` is the repository, no internet."""

    def find(**environ: str) -> Path:
        machine: Mapping[str, str] = {"PATH": str(tmp_path / "path"), "INOCYCLE_OFFLINE": "1", **environ}
        return find_binary(tmp_path / "root", said.append, machine)

    return find


def test_a_named_binary_comes_before_all_others(tmp_path: Path, find: Finder) -> None:
    a_temporal(tmp_path / "path/temporal", NEW)
    named = a_temporal(tmp_path / "elsewhere/my-temporal", NEW)
    assert find(INOCYCLE_TEMPORAL_BINARY=str(named)) == named


def test_a_named_binary_that_is_too_old_is_an_error_and_not_a_reason_to_take_another(
    tmp_path: Path, find: Finder
) -> None:
    a_temporal(tmp_path / "path/temporal", NEW)
    named = a_temporal(tmp_path / "elsewhere/temporal", OLD)
    with pytest.raises(NoDevServer, match=r"INOCYCLE_TEMPORAL_BINARY=.* holds server 1\.31\.9, and 1\.32 or newer"):
        find(INOCYCLE_TEMPORAL_BINARY=str(named))


def test_a_named_binary_that_is_not_there_is_an_error(tmp_path: Path, find: Finder) -> None:
    with pytest.raises(NoDevServer, match="does not say which server it holds"):
        find(INOCYCLE_TEMPORAL_BINARY=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("server", [LIMIT, NEW, "2.0.0"])
def test_the_path_comes_before_what_was_kept(tmp_path: Path, find: Finder, server: str) -> None:
    on_path = a_temporal(tmp_path / "path/temporal", server)
    a_temporal(tmp_path / "root/var/bin/temporal", NEW)
    assert find() == on_path


def test_an_old_server_on_the_path_is_passed_over_with_a_word(tmp_path: Path, find: Finder, said: list[str]) -> None:
    a_temporal(tmp_path / "path/temporal", OLD)
    kept = a_temporal(tmp_path / "root/var/bin/temporal", NEW)
    assert find() == kept
    assert "on the PATH" in said[0]
    assert "holds server 1.31.9, and 1.32 or newer is needed" in said[0]


def test_what_was_kept_comes_before_a_build(tmp_path: Path, find: Finder) -> None:
    a_go(tmp_path, builds=NEW)
    kept = a_temporal(tmp_path / "root/var/bin/temporal", LIMIT)
    assert find() == kept
    assert not (tmp_path / "go-was-asked").exists()


def test_where_nothing_works_the_message_says_what_was_tried_and_what_to_install(
    tmp_path: Path, find: Finder, said: list[str]
) -> None:
    a_temporal(tmp_path / "path/temporal", OLD)
    with pytest.raises(NoDevServer) as raised:
        find()
    message = str(raised.value)
    assert "install the Temporal CLI with server 1.32 or newer" in message
    assert "install the Go version" in message
    assert len(said) == 4
    assert all(reason in message for reason in said)
    assert any("INOCYCLE_OFFLINE=1" in reason for reason in said)
    assert any("no `go` on the PATH" in reason for reason in said)


# --- Built with Go


def a_go(tmp_path: Path, *, builds: str) -> None:
    """A `go` that notes how it was asked, and builds a binary with this server."""
    (tmp_path / "root/tools").mkdir(parents=True)
    shutil.copytree(REPOSITORY / "tools/temporal", tmp_path / "root/tools/temporal")
    a_script(
        tmp_path / "path/go",
        f'echo "CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS $*" > "{tmp_path}/go-was-asked"',
        'while [ "$1" != -o ]; do shift; done',
        f"""printf '#!/bin/sh\\necho "(Server {builds}, UI 2.54.1)"\\n' > "$2" """,
    )


def test_an_old_kept_binary_is_built_again_from_the_pinned_modules(tmp_path: Path, find: Finder) -> None:
    a_go(tmp_path, builds=NEW)
    kept = a_temporal(tmp_path / "root/var/bin/temporal", OLD)
    assert find(GOFLAGS="-mod=vendor -race") == kept
    assert server_version(kept) == (1, 32, 1)
    asked = (tmp_path / "go-was-asked").read_text()
    assert asked.startswith("CGO_ENABLED=0 GOFLAGS=-mod=readonly build -v -trimpath -mod=readonly -ldflags -s -w -X ")
    assert "temporalcli.Version=1.8.2+server.1.32.1 -o " in asked


def test_a_build_leaves_nothing_but_the_binary(tmp_path: Path, find: Finder) -> None:
    a_go(tmp_path, builds=NEW)
    assert list(find().parent.iterdir()) == [tmp_path / "root/var/bin/temporal"]


def test_a_build_with_an_old_server_is_not_kept(tmp_path: Path, find: Finder) -> None:
    a_go(tmp_path, builds=OLD)
    with pytest.raises(NoDevServer, match=r"the binary that was built holds server 1\.31\.9"):
        find()
    assert list((tmp_path / "root/var/bin").iterdir()) == []


def test_a_failed_build_repeats_what_go_complained_of(tmp_path: Path, find: Finder) -> None:
    a_go(tmp_path, builds=NEW)
    a_script(tmp_path / "path/go", "echo 'go: go.mod requires go >= 1.26.8 (running go 1.22.0)' >&2", "exit 1")
    with pytest.raises(NoDevServer, match=r"requires go >= 1\.26\.8"):
        find()


def test_a_build_of_minutes_tells_how_far_it_is() -> None:
    progress = GoProgress()
    progress.read(["go: downloading go.temporal.io/api v1.63.5\n", "go: downloading go.uber.org/fx v1.24.0\n"])
    assert str(progress) == "2 modules downloaded, 0 packages compiled, last go.uber.org/fx v1.24.0"
    progress.read(["go.uber.org/fx\n", "github.com/temporalio/cli/cmd/temporal\n"])
    assert str(progress) == "2 modules downloaded, 2 packages compiled, linking"


# --- Downloaded


def test_a_download_that_does_not_connect_is_given_up(tmp_path: Path, said: list[str]) -> None:
    with pytest.raises(PassedOver, match=r"could not connect for 0\.2 s; is there a way to the internet"):
        fetch(["sleep", "600"], tmp_path, said.append, connect_within=timedelta(seconds=0.2))


def test_a_download_that_stalls_is_given_up(tmp_path: Path, said: list[str]) -> None:
    stalls = a_script(tmp_path / "stalls", f"echo half > '{tmp_path}/folder/temporal.downloading'", "exec sleep 600")
    (tmp_path / "folder").mkdir()
    with pytest.raises(PassedOver, match=r"stalled for 0\.2 s"):
        fetch([str(stalls)], tmp_path / "folder", said.append, stalled_after=timedelta(seconds=0.2))


def test_a_download_that_ends_gives_its_last_word(tmp_path: Path, said: list[str]) -> None:
    fails = a_script(tmp_path / "fails", "echo Traceback", "echo 'RuntimeError: no such host' >&2", "echo", "exit 1")
    (tmp_path / "folder").mkdir()
    assert fetch([str(fails)], tmp_path / "folder", said.append) == "RuntimeError: no such host"


# --- The start line


def a_server(tmp_path: Path, binary: Path = Path("temporal"), port: int = 7233) -> DevServer:
    return DevServer(binary, port=port, log_file=tmp_path / "log/server.log")


def test_a_server_for_tests_has_no_web_ui_no_file_and_real_time(tmp_path: Path) -> None:
    line, _, settings = " ".join(a_server(tmp_path).start_line()).partition(" --dynamic-config-value ")
    assert line == "temporal server start-dev --ip 127.0.0.1 --port 7233 --headless --log-level error"
    assert settings.split(" --dynamic-config-value ") == [f"{k}={v}" for k, v in PROTECTS_A_COURSE.items()]


def test_a_setting_of_a_caller_comes_before_the_one_that_protects_a_course(tmp_path: Path) -> None:
    own = ("limit.historySize.error=1", "system.other=2")
    line = DevServer(Path("temporal"), port=7233, log_file=tmp_path / "log", dynamic_config=own).start_line()
    assert [word for word in line if "historySize" in word or "other" in word] == list(own)


def test_a_server_for_the_demo_has_all_of_it() -> None:
    server = DevServer(
        Path("temporal"),
        port=7233,
        ui_port=8233,
        log_file=Path("var/server.log"),
        database=Path("var/temporal.db"),
        skip_time=True,
        codec_endpoint="http://127.0.0.1:8081",
    )
    line = " ".join(server.start_line())
    assert "--ui-port 8233 --ui-disable-news-fetch" in line
    assert "--db-filename var/temporal.db --ui-codec-endpoint http://127.0.0.1:8081" in line
    # Both names of the key: servers of different releases know one or the other.
    assert "--dynamic-config-value frontend.WorkflowTimeSkippingEnabled=true" in line
    assert "--dynamic-config-value system.workflowTimeSkippingEnabled=true" in line
    assert line.count("--dynamic-config-value") == 5 + len(PROTECTS_A_COURSE)


def test_an_unknown_type_of_search_attribute_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="DECIMAL"):
        DevServer(Path("temporal"), port=1, log_file=tmp_path / "log", search_attributes={"DoseMg": "Decimal"})


# --- A server that does not come up


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DevServerFailed, match=f"Port {port} is taken"):
            a_server(tmp_path, port=port).start()


async def test_a_server_that_dies_shows_the_end_of_its_own_log(tmp_path: Path) -> None:
    dies = a_script(tmp_path / "temporal", "echo 'Error: no such flag' >&2", "exit 3")
    server = a_server(tmp_path, dies, free_port())
    (tmp_path / "log").mkdir()
    (tmp_path / "log/server.log").write_text("a line of yesterday\n")
    with pytest.raises(DevServerFailed, match="ended with code 3") as raised:
        async with server:
            pass
    assert "Error: no such flag" in str(raised.value)
    assert "yesterday" not in str(raised.value)


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    server = a_server(tmp_path, a_script(tmp_path / "temporal", "exec sleep 600"), free_port())
    server.start()
    try:
        with pytest.raises(DevServerFailed, match=r"not ready within 0\.2 s"):
            await server.wait_ready(timedelta(seconds=0.2))
    finally:
        await server.stop()


async def test_a_server_deaf_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev_server, "_GRACE", timedelta(seconds=0.2))
    is_up = a_fifo(tmp_path)
    deaf = a_script(tmp_path / "temporal", "trap '' TERM", f"echo up > '{is_up}'", "exec sleep 600")
    server = a_server(tmp_path, deaf, free_port())
    server.start()
    is_up.read_text()
    pid = server.pid
    assert pid is not None
    await server.stop()
    assert not is_running(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_server_ends_when_the_test_run_that_started_it_is_killed(tmp_path: Path) -> None:
    is_up = a_fifo(tmp_path)
    sleeps = a_script(tmp_path / "temporal", f"echo $$ > '{is_up}'", "exec sleep 600")
    owner = f"""
import pathlib, sys
from plumbing.dev_server import DevServer, free_port
DevServer(pathlib.Path({str(sleeps)!r}), port=free_port(), log_file=pathlib.Path({str(tmp_path / "log")!r})).start()
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", owner], cwd=REPOSITORY, stdin=subprocess.PIPE) as run:
        pid = int(is_up.read_text())
        server = os.pidfd_open(pid)
        run.kill()
    try:
        ended, _, _ = select.select([server], [], [], 20)
        assert ended
    finally:
        os.close(server)


async def test_what_is_slow_is_said_to_be_waited_for(said: list[str]) -> None:
    async with asyncio.timeout(20), waiting(said.append, "a worker", every=timedelta(milliseconds=1)):
        while len(said) < 2:
            await asyncio.sleep(0)
    assert all(line.startswith("  still waiting for a worker after") for line in said)


def a_fifo(tmp_path: Path) -> Path:
    """Reading it waits until the invented server writes: no test sleeps."""
    os.mkfifo(tmp_path / "is-up")
    return tmp_path / "is-up"


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- The real server


async def search_attributes(server: DevServer) -> Mapping[str, int]:
    client = await Client.connect(server.address)
    listing = ListSearchAttributesRequest(namespace="default")
    return dict((await client.operator_service.list_search_attributes(listing)).custom_attributes)


async def test_the_server_is_ready_keeps_closed_runs_and_ends_with_its_own_process(
    binary: Path, tmp_path: Path
) -> None:
    server = DevServer(
        binary,
        port=free_port(),
        log_file=tmp_path / "log",
        skip_time=True,
        search_attributes={"CourseState": "Keyword"},
    )
    async with server:
        pid = server.pid
        assert pid is not None
        assert is_running(pid)
        client = await Client.connect(server.address)
        namespace = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        assert namespace.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=30)
        # An attribute that is listed but not yet known to the frontend would fail here.
        state = SearchAttributePair(SearchAttributeKey.for_keyword("CourseState"), "held")
        await client.start_workflow(
            "NoSuchType", id="course-1", task_queue="none", search_attributes=TypedSearchAttributes([state])
        )
    assert server.pid is None
    assert not is_running(pid)
    await server.stop()


async def test_a_second_start_on_the_same_file_keeps_the_state_and_adds_a_search_attribute(
    binary: Path, tmp_path: Path
) -> None:
    def on_the_file(**attributes: str) -> DevServer:
        log, database = tmp_path / "log", tmp_path / "var/temporal.db"
        return DevServer(binary, port=free_port(), log_file=log, database=database, search_attributes=attributes)

    async with on_the_file(CourseState="Keyword") as first:
        client = await Client.connect(first.address)
        await client.start_workflow("NoSuchType", id="course-1", task_queue="none")
    async with on_the_file(CourseState="Keyword", Codes="KeywordList") as second:
        client = await Client.connect(second.address)
        assert (await client.get_workflow_handle("course-1").describe()).id == "course-1"
        assert (await search_attributes(second)).keys() >= {"CourseState", "Codes"}
    with pytest.raises(DevServerFailed, match="another type: CourseState"):
        async with on_the_file(CourseState="Int"):
            pass


async def test_the_web_ui_answers_on_its_own_port(binary: Path, tmp_path: Path) -> None:
    ui_port = free_port()
    async with DevServer(binary, port=free_port(), ui_port=ui_port, log_file=tmp_path / "log"):
        socket.create_connection(("127.0.0.1", ui_port), timeout=10).close()
