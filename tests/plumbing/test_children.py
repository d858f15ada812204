"""A child ends with its parent, by the kernel or by a supervisor between the two; both are tried where there is a pidfd."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plumbing.children import ending_with_its_parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes as only Linux can")
REPOSITORY = Path(__file__).resolve().parents[2]
PLATFORMS = ("linux", "elsewhere")


def a_sleeper(tmp_path: Path) -> tuple[Path, list[str]]:
    """A pipe that says the process id once it runs, and the command line of what then sleeps."""
    is_up = tmp_path / "is-up"
    os.mkfifo(is_up)
    return is_up, ["sh", "-c", f"echo $$ > '{is_up}'; exec sleep 600"]


def has_ended(pidfd: int) -> bool:
    """Within 20 seconds."""
    ended, _, _ = select.select([pidfd], [], [], 20)
    return bool(ended)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, platform: str) -> None:
    is_up, line = a_sleeper(tmp_path)
    parent = f"""
import subprocess, sys
from plumbing.children import ending_with_its_parent
child = ending_with_its_parent({line!r}, {platform!r})
kept = subprocess.Popen(child.line, stdin=child.stdin)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", parent], cwd=REPOSITORY, stdin=subprocess.PIPE) as run:
        pidfd = os.pidfd_open(int(is_up.read_text()))
        run.kill()
    try:
        assert has_ended(pidfd)
    finally:
        os.close(pidfd)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_child_is_ended_by_its_parents_word_and_says_by_what(tmp_path: Path, platform: str) -> None:
    is_up, line = a_sleeper(tmp_path)
    child = ending_with_its_parent(line, platform)
    with subprocess.Popen(child.line, stdin=child.stdin) as process:
        pidfd = os.pidfd_open(int(is_up.read_text()))
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM
    try:
        assert has_ended(pidfd)
    finally:
        os.close(pidfd)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_childs_exit_code_comes_through(platform: str) -> None:
    child = ending_with_its_parent(["sh", "-c", "exit 7"], platform)
    with subprocess.Popen(child.line, stdin=child.stdin) as process:
        assert process.wait(20) == 7
