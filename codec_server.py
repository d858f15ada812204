"""The codec server: opens encrypted payloads for the Temporal Web UI and command line, for those who may read them.

What belongs here: who may ask, what a browser needs, and a line in the log for each use. The encryption is the worker's
own (`plumbing/payload_codec.py`). Payloads that came in clear are handed back as they are, whatever the mode: whoever
looks must see what was sent.

In mode `demo` a caller without a sign-in is taken as the demo's administrator; therefore it listens on loopback only
there, and turns away every page but the Web UI's. On a ward a caller shows a bearer token of `INOCYCLE_CODEC_TOKENS`,
and TLS is the business of the proxy in front.
"""

import ipaddress
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from models.people import Actor, Role
from plumbing.bearers import bearer_of
from plumbing.logging import configure_logging, get_logger
from plumbing.payload_codec import UNDECRYPTABLE, EncryptionCodec
from plumbing.settings import Mode, Settings, SettingsRefused, load_settings

HEADERS: Final = ("content-type", "x-namespace", "authorization", "authorization-extras")
LARGEST_BODY_BYTES: Final = 16 * 1024 * 1024
"""A page of history is decoded at once; one payload has 2 MiB at most."""
DEMO_ADMINISTRATOR: Final = Actor(role=Role.ADMINISTRATOR, id="demo")

_Work = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]


def make_app(settings: Settings) -> FastAPI:
    """The application over the codec of these settings. Raises `SettingsRefused`, one line for each fault."""
    if faults := _faults(settings):
        raise SettingsRefused("the codec server does not start:\n  " + "\n  ".join(faults))
    assert settings.key_ring is not None
    codec = EncryptionCodec(settings.key_ring)
    app = FastAPI(title="inocycle codec server", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(
        CORSMiddleware, allow_origins=settings.codec_origins, allow_methods=("POST",), allow_headers=HEADERS
    )

    # The Web UI adds ?preserveStorageRefs=true; no payload of ours is stored elsewhere, so the answer is the same.
    @app.post("/decode")
    async def decode(request: Request) -> Response:
        return await _used(request, settings, "payloads_decoded", codec.decode)

    @app.post("/encode")
    async def encode(request: Request) -> Response:
        return await _used(request, settings, "payloads_encoded", codec.encode)

    @app.options("/{path:path}")
    async def options(path: str) -> Response:
        """What is no preflight of a browser; the middleware answers those."""
        return Response(status_code=204, headers={"allow": "POST, OPTIONS"})

    return app


async def _used(request: Request, settings: Settings, event: str, work: _Work) -> Response:
    """One use: who asks, what for, and the line in the log before the answer. No payload in any of it but the answer."""
    caller = _admitted(request, settings)
    payloads = await _read(request)
    done = await work(payloads)
    about = {"namespace": _namespace(request, settings), "role": caller.role, "actor": caller.id}
    get_logger().info(event, count=len(done), **about)
    if closed := sum(payload.metadata.get("encoding") == UNDECRYPTABLE.encode() for payload in done):
        get_logger().warning("payloads_not_opened", count=closed, **about)
    return Response(MessageToJson(Payloads(payloads=done), indent=None), media_type="application/json")


# ── who may ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _admitted(request: Request, settings: Settings) -> Actor:
    """Who asks, if they may. Raises an `HTTPException` that says what is missing."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in settings.codec_origins:
        # The missing header of CORS keeps a page from reading the answer; this keeps it from getting one at all.
        raise _turned_away(request, settings, 403, "this page is not allowed to use the codec server")
    caller = bearer_of(request.headers.get("authorization", ""), settings.codec_tokens)
    if caller is None and settings.mode is Mode.DEMO:
        caller = DEMO_ADMINISTRATOR
    if caller is None:
        raise _turned_away(request, settings, 401, "a known bearer token is needed")
    if caller.role not in settings.codec_roles:
        raise _turned_away(request, settings, 403, "this role may not have payloads decoded", caller)
    return caller


def _turned_away(
    request: Request, settings: Settings, status: int, words: str, caller: Actor | None = None
) -> HTTPException:
    who = {"role": caller.role, "actor": caller.id} if caller else {}
    get_logger().warning("codec_use_refused", status=status, namespace=_namespace(request, settings), **who)
    return HTTPException(status, words, headers={"WWW-Authenticate": "Bearer"} if status == 401 else None)


def _namespace(request: Request, settings: Settings) -> str:
    """Our namespace or `other`: a header is free text, which has no place in a log."""
    return settings.temporal_namespace if request.headers.get("x-namespace") == settings.temporal_namespace else "other"


# ── what was sent ──────────────────────────────────────────────────────────────────────────────────────────────────


async def _read(request: Request) -> Sequence[Payload]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise HTTPException(413, f"a request has at most {LARGEST_BODY_BYTES} bytes")
    payloads = _parsed(bytes(body))
    if payloads is None:
        raise HTTPException(400, "the body is not a JSON object with payloads")
    return payloads


def _parsed(body: bytes) -> Sequence[Payload] | None:
    """The payloads, or nothing; the parser's own words would repeat what it read."""
    try:
        return Parse(body, Payloads(), ignore_unknown_fields=True).payloads
    except (ParseError, UnicodeDecodeError, RecursionError):
        return None


# ── starting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _faults(settings: Settings) -> list[str]:
    """What would open the payloads to the wrong people, or to nobody."""
    faults = []
    if settings.key_ring is None:
        faults.append("there are no payload keys, so there is nothing to decode; `make run` makes some for a demo")
    if not settings.codec_origins:
        faults.append("set INOCYCLE_CODEC_ORIGINS to the address of the Web UI, as in https://temporal.example")
    if not settings.codec_roles:
        faults.append("INOCYCLE_CODEC_ROLES names no role")
    if settings.mode is Mode.DEMO and not _is_loopback(settings.codec_address.rpartition(":")[0]):
        faults.append("INOCYCLE_CODEC_ADDRESS: a demo asks nobody who they are, so it listens on 127.0.0.1 only")
    if settings.mode is Mode.WARD:
        faults += _ward_faults(settings)
    return faults


def _ward_faults(settings: Settings) -> list[str]:
    faults = []
    if not settings.codec_tokens:
        faults.append("set INOCYCLE_CODEC_TOKENS to token-sha256:role:id of those who may come")
    if any(not _is_private(origin) for origin in settings.codec_origins):
        faults.append("INOCYCLE_CODEC_ORIGINS: a page that shows what was encrypted comes by https, or from 127.0.0.1")
    return faults


def _is_private(origin: str) -> bool:
    host = re.sub(r":\d+$", "", origin.partition("://")[2])
    return origin.startswith("https://") or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def server_of(app: FastAPI) -> uvicorn.Server:
    """The server, with no log of its own: every line goes through the chain of `plumbing/logging.py`."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
    )


def _listener(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        raise SettingsRefused(
            f"the codec server cannot listen on INOCYCLE_CODEC_ADDRESS {address}: {error.strerror}"
        ) from None


def main() -> None:
    """The process `inocycle codec-server`; what keeps it from starting is said in words, with code 2."""
    configure_logging()
    try:
        settings = load_settings()
        app, listener = make_app(settings), _listener(settings.codec_address)
    except SettingsRefused as fault:
        sys.stderr.write(f"inocycle codec-server: {fault}\n")
        sys.exit(2)
    get_logger().info("codec_server_started", address=settings.codec_address, mode=settings.mode)
    server_of(app).run(sockets=[listener])


if __name__ == "__main__":
    main()
