"""The connection: where no server answers, one clear sentence, soon."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from plumbing import connection
from plumbing.connection import TemporalUnreachable, connect
from plumbing.keys import TEST_KEY_RING, TEST_SUBJECT_KEY
from plumbing.settings import Settings


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def settings(address: str) -> Settings:
    return Settings(temporal_address=address, key_ring=TEST_KEY_RING, subject_key=TEST_SUBJECT_KEY)


async def refusal(address: str) -> str:
    with pytest.raises(TemporalUnreachable) as unreachable:
        await connect(settings(address))
    assert unreachable.value.address == address
    return str(unreachable.value)


async def test_where_nothing_listens_it_says_what_to_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    message = await refusal(address)
    assert f"at {address}" in message
    assert "make run" in message
    assert "INOCYCLE_TEMPORAL_ADDRESS" in message


async def test_a_silent_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    assert timedelta(seconds=5) >= connection._PATIENCE
    monkeypatch.setattr(connection, "_PATIENCE", timedelta(milliseconds=100))
    assert f"at {silent}" in await refusal(silent)
