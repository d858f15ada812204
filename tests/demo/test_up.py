"""`inocycle up` as a process: what becomes of its children when it is killed, and what it says when its server is."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.house import ON_SCREEN
from demo.layout import LAID_OUT, MID_STORY
from plumbing.dev_server import free_port
from plumbing.settings import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes as only Linux can")
UNREACHABLE = 5
WELCOME = "Ctrl-C ends everything"


@contextmanager
def up(binary: Path, var_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A house whose patients count as laid out, once everything in it runs."""
    var_dir.mkdir()
    (var_dir / LAID_OUT).write_text("".join(f"{bed.course_id}\n" for bed in (*MID_STORY, ON_SCREEN)))
    own = {
        "INOCYCLE_TEMPORAL_BINARY": str(binary),
        "INOCYCLE_VAR_DIR": str(var_dir),
        "INOCYCLE_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        "INOCYCLE_WEB_UI_PORT": str(free_port()),
        "INOCYCLE_CODEC_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("INOCYCLE_")}
    command = [sys.executable, "-m", "demo", "up"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**surroundings, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = []
            while not any(WELCOME in line for line in said):
                said.append(process.stdout.readline())
                assert said[-1], f"it ended: {said}"
            yield process
        finally:
            process.kill()


DOORS = frozenset({"worker", "codec_server", "start-dev"})


def children_of(pid: int) -> dict[str, int]:
    """The doors that a process has started, by what they run; one that is just being started has no words yet."""
    for _ in range(1000):
        pids = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        words = {child: Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in pids}
        found = {word: child for child, line in words.items() for word in DOORS & set(line)}
        if set(found) == DOORS:
            return found
    raise AssertionError(f"not all doors run: {found}")


def test_nothing_is_left_of_a_house_that_is_killed(binary: Path, tmp_path: Path) -> None:
    with up(binary, tmp_path / "var") as process:
        children = children_of(process.pid)
        watched = [os.pidfd_open(children[door]) for door in sorted(DOORS)]
        process.kill()
        for pidfd in watched:
            ended, _, _ = select.select([pidfd], [], [], 60)
            os.close(pidfd)
            assert ended


def test_a_server_that_is_killed_is_said_and_ends_the_house(binary: Path, tmp_path: Path) -> None:
    with up(binary, tmp_path / "var") as process:
        children = children_of(process.pid)
        os.kill(children["start-dev"], signal.SIGKILL)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == UNREACHABLE
        assert "The dev server ended with code -9" in said
        assert "Traceback" not in said
        assert not [word for word, pid in children.items() if Path(f"/proc/{pid}").exists()]
