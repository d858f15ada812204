"""The command line as a person at a terminal has it: words in, what is printed and an exit code out."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli import app as cli
from plumbing.dev_server import DevServer
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, TEST_SUBJECT_KEY
from plumbing.settings import load_settings, with_demo_keys
from tests.conftest import TASK_QUEUE, Ward


class Answer(NamedTuple):
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class Terminal:
    """Types commands."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def types(self, *words: object) -> Answer:
        """`inocycle` with these words."""
        self._capsys.readouterr()
        code = cli.run([str(word) for word in words])
        printed = self._capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    async def asks(self, *words: object) -> Answer:
        """The same while a worker runs in this process: the command has its own thread and its own event loop."""
        return await asyncio.to_thread(self.types, *words)


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No variable of the surroundings, and a var folder of this test's own."""
    for name in list(os.environ):
        if name.upper().startswith("INOCYCLE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INOCYCLE_VAR_DIR", str(tmp_path / "var"))
    return monkeypatch


@pytest.fixture
def bare_terminal(capsys: pytest.CaptureFixture[str], surroundings: pytest.MonkeyPatch) -> Terminal:
    """A terminal where nothing was laid out yet: no setting, no key, no var folder."""
    return Terminal(capsys)


@pytest.fixture
def terminal(bare_terminal: Terminal) -> Terminal:
    """A terminal without any setting but the keys of a demo."""
    with_demo_keys(load_settings())
    return bare_terminal


@pytest.fixture
def at_the_ward(
    surroundings: pytest.MonkeyPatch, open_ward: Ward, dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> pytest.MonkeyPatch:
    """The settings with which commands find the ward of the tests: its server, its record, the published test keys."""
    folder = tmp_path_factory.mktemp("keys")
    TEST_KEY_RING.write(folder / "payload-keys")
    TEST_SUBJECT_KEY.write(folder / "subject-key")
    TEST_RECORD_KEY.write(folder / "record-key")
    surroundings.setenv("INOCYCLE_PAYLOAD_KEY_FILE", str(folder / "payload-keys"))
    surroundings.setenv("INOCYCLE_SUBJECT_KEY_FILE", str(folder / "subject-key"))
    surroundings.setenv("INOCYCLE_RECORD_KEY_FILE", str(folder / "record-key"))
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", dev_server.address)
    surroundings.setenv("INOCYCLE_TEMPORAL_NAMESPACE", open_ward.client.namespace)
    surroundings.setenv("INOCYCLE_TASK_QUEUE", TASK_QUEUE)
    surroundings.setenv("INOCYCLE_ANCHOR_FILE", str(open_ward.anchor_file))
    surroundings.setenv("INOCYCLE_DATABASE_URL", open_ward.engine.url.render_as_string(hide_password=False))
    return surroundings
