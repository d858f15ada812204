"""The codec server as a process has it, in the loop of a test and on a free port; and a caller."""

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads

from codec_server import make_app, server_of
from plumbing.settings import Settings


@asynccontextmanager
async def codec_server(settings: Settings, port: int = 0) -> AsyncIterator[str]:
    """A codec server with these settings, on a free port unless one is named; its address."""
    server = server_of(make_app(settings))
    server.capture_signals = nullcontext  # type: ignore[assignment, method-assign]  # Ctrl-C belongs to pytest
    listener = socket.create_server(("127.0.0.1", port))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def payloads(self) -> list[Payload]:
        """The payloads of the body."""
        return list(ParseDict(json.loads(self.body), Payloads()).payloads)


async def call(
    server: str,
    path: str,
    payloads: Iterable[Payload] | bytes | Iterable[bytes] = b"",
    *,
    method: str = "POST",
    **headers: str,
) -> Answer:
    """Call as a browser or the command line would. An iterable of bytes is sent in chunks, its length unsaid."""
    body: Any = payloads if isinstance(payloads, bytes) else list(payloads)
    if body and isinstance(body[0], Payload):
        body = json.dumps(MessageToDict(Payloads(payloads=body))).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await asyncio.to_thread(_called, server.partition("://")[2], method, path, body, named)


def _called(address: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()
