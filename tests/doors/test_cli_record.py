"""The record from the command line: made by `init` and by nothing else."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from plumbing.dev_server import DevServer, free_port
from tests.conftest import Ward
from tests.doors.conftest import Terminal
from tests.laid_out import a_record


@pytest.fixture
async def new_ward(
    dev_server: DevServer, terminal: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> Terminal:
    """A terminal on a server that nobody has laid out anything on."""
    client = await Client.connect(dev_server.address, namespace=f"ward-{uuid4().hex[:12]}")
    request = RegisterNamespaceRequest(
        namespace=client.namespace, workflow_execution_retention_period=Duration(seconds=86400)
    )
    await client.workflow_service.register_namespace(request)
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", dev_server.address)
    surroundings.setenv("INOCYCLE_TEMPORAL_NAMESPACE", client.namespace)
    return terminal


async def test_init_makes_the_record_and_the_second_time_says_that_it_is_there(new_ward: Terminal) -> None:
    first, second = await new_ward.asks("init", "--json"), await new_ward.asks("init", "--json")
    assert (first.code, first.document["mode"], first.document["made"]) == (0, "demo", True)
    assert second.document == {**first.document, "made": False}
    assert (await new_ward.asks("board")).code == 0
    assert "its record is there" in (await new_ward.asks("init")).out


async def test_before_init_every_command_says_what_to_do_and_makes_nothing(new_ward: Terminal, tmp_path: Path) -> None:
    for words in (["board"], ["worklist"], ["inbox"]):
        answer = await new_ward.asks(*words, "--json")
        assert (answer.code, answer.document["error"]) == (5, "NoRecord")
        assert "`inocycle init` makes one" in answer.err
    answer = await new_ward.asks("course", "list", "--json")
    assert (answer.code, answer.document["error"]) == (3, "NamespaceMismatch")
    assert "`inocycle init` lays it out" in answer.err
    assert not (tmp_path / "var" / "inocycle.db").exists()


async def test_init_does_not_put_an_empty_record_in_the_place_of_a_lost_one(new_ward: Terminal, tmp_path: Path) -> None:
    await new_ward.asks("init")
    file = tmp_path / "var" / "inocycle.db"
    file.unlink()
    answer = await new_ward.asks("init", "--json")
    assert (answer.code, answer.document["error"]) == (3, "OtherInstallation")
    assert "Restore it" in answer.err
    assert not file.exists()


async def test_init_without_a_server_makes_nothing(
    new_ward: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    assert (await new_ward.asks("init")).code == 5
    assert not (tmp_path / "var" / "inocycle.db").exists()


async def test_while_temporal_is_away_the_board_is_shown_and_afterwards_compared(
    new_ward: Terminal, surroundings: pytest.MonkeyPatch, dev_server: DevServer, open_ward: Ward
) -> None:
    await new_ward.asks("init")
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    assert (await new_ward.asks("board")).code == 0
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", dev_server.address)
    surroundings.setenv("INOCYCLE_TEMPORAL_NAMESPACE", open_ward.client.namespace)
    answer = await new_ward.asks("board", "--json")
    assert (answer.code, answer.document["error"]) == (3, "OtherInstallation")


def test_init_leaves_a_record_of_the_other_mode_alone(
    terminal: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'demo.db'}"
    asyncio.run(_made(url))
    surroundings.setenv("INOCYCLE_DATABASE_URL", url)
    surroundings.setenv("INOCYCLE_MODE", "ward")
    for kind in ("PAYLOAD_KEYS", "SUBJECT_KEY", "RECORD_KEY"):
        surroundings.setenv(f"INOCYCLE_{kind}", f"k:{'QUJD' * 10}QUI=")
    answer = terminal.types("board", "--json")
    assert (answer.code, answer.document["error"]) == (3, "ModeMismatch")


async def _made(url: str) -> None:
    await (await a_record(url)).dispose()
