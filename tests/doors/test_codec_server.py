"""The codec server: it opens payloads for those who may, on exact origins, and its log says who and never what."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from codec_server import HEADERS, LARGEST_BODY_BYTES, make_app
from plumbing.converter import data_converter
from plumbing.keys import TEST_KEY_RING, KeyRing, RecordKey, SubjectKey
from plumbing.payload_codec import REASON, UNDECRYPTABLE, EncryptionCodec
from plumbing.settings import ROOT, Mode, Settings, SettingsRefused
from tests.doors.serving import call, codec_server

UI = "http://127.0.0.1:8233"
CANARY = "Jane Roe"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=f'"{CANARY} 1980-01-31"'.encode())
WARD_UI = "https://temporal.ward.example"
TOKENS = {"auditor": "token-of-a-7", "administrator": "token-of-adm-1", "nurse": "token-of-n-3"}
WARD_KEYS = KeyRing.generate("2026")


def settings(var_dir: Path, **more: Any) -> Settings:
    return Settings(**{"var_dir": var_dir, "key_ring": TEST_KEY_RING, **more})


def ward_settings(var_dir: Path, **more: Any) -> Settings:
    tokens = ",".join(f"{hashlib.sha256(t.encode()).hexdigest()}:{role}:x-{role}" for role, t in TOKENS.items())
    of_a_ward = {
        "mode": Mode.WARD,
        "key_ring": WARD_KEYS,
        "subject_key": SubjectKey.generate(),
        "record_key": RecordKey.generate(),
        "codec_origins": WARD_UI,
        "codec_tokens": tokens,
    }
    return settings(var_dir, **{**of_a_ward, **more})


@pytest.fixture
async def demo(log: io.StringIO, tmp_path: Path) -> AsyncIterator[str]:
    """The codec server of a demo, and its log."""
    async with codec_server(settings(tmp_path)) as address:
        yield address


@pytest.fixture
async def ward_codec(log: io.StringIO, tmp_path: Path) -> AsyncIterator[str]:
    """The codec server of a ward."""
    async with codec_server(ward_settings(tmp_path)) as address:
        yield address


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def refusal_of(refused: Settings) -> str:
    with pytest.raises(SettingsRefused) as fault:
        make_app(refused)
    return str(fault.value)


# ── what it does ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("query", ["", "?preserveStorageRefs=true"])
async def test_what_it_encodes_it_decodes(demo: str, query: str) -> None:
    encoded = await call(demo, "/encode", [PLAIN, PLAIN])
    assert encoded.status == 200
    assert CANARY.encode() not in encoded.body
    assert [p.metadata["encoding"] for p in encoded.payloads] == [b"binary/encrypted"] * 2
    decoded = await call(demo, f"/decode{query}", encoded.payloads)
    assert (decoded.status, decoded.payloads) == (200, [PLAIN, PLAIN])
    assert decoded.headers["content-type"] == "application/json"


async def test_it_opens_what_the_worker_wrote(demo: str) -> None:
    written = await data_converter(TEST_KEY_RING).encode(["verdict", {"alt": "160"}])
    opened = await call(demo, "/decode", written)
    assert [p.data for p in opened.payloads] == [b'"verdict"', b'{"alt":"160"}']


async def test_a_payload_under_an_unknown_key_stays_closed_and_is_marked(demo: str, log: io.StringIO) -> None:
    (foreign,) = await EncryptionCodec(KeyRing.generate()).encode([PLAIN])
    answer = await call(demo, "/decode", [foreign])
    (marked,) = answer.payloads
    assert answer.status == 200
    assert (marked.metadata["encoding"], marked.metadata[REASON]) == (UNDECRYPTABLE.encode(), b"unknown-key")
    assert marked.data == foreign.data
    assert [(line["event"], line["count"]) for line in lines(log)] == [
        ("payloads_decoded", 1),
        ("payloads_not_opened", 1),
    ]


async def test_what_came_in_clear_is_shown_as_it_came(ward_codec: str) -> None:
    answer = await call(ward_codec, "/decode", [PLAIN], authorization=f"Bearer {TOKENS['auditor']}")
    assert answer.payloads == [PLAIN]


# ── what a browser needs ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/decode", "/decode?preserveStorageRefs=true", "/encode", "/", "/a/b"])
async def test_the_preflight_of_the_web_ui_is_answered_on_every_path(demo: str, path: str) -> None:
    answer = await call(
        demo,
        path,
        method="OPTIONS",
        origin=UI,
        access_control_request_method="POST",
        access_control_request_headers="x-namespace,content-type",
    )
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == UI
    assert {h.strip().lower() for h in answer.headers["access-control-allow-headers"].split(",")} >= set(HEADERS)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/decode", "/encode", "/", "/a/b"])
async def test_options_that_are_no_preflight_are_answered_on_every_path(demo: str, path: str) -> None:
    assert (await call(demo, path, method="OPTIONS")).status == 204


@pytest.mark.parametrize("origin", [UI, "http://localhost:8233"])
async def test_the_web_ui_may_read_the_answer(demo: str, origin: str) -> None:
    answer = await call(demo, "/decode", [PLAIN], origin=origin)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:8234", "https://127.0.0.1:8233", "http://127.0.0.1:8233.evil.example", f"{UI}/", "null", ""],
)
async def test_another_page_gets_no_answer_and_no_leave_to_read_one(demo: str, origin: str) -> None:
    (closed,) = (await call(demo, "/encode", [PLAIN])).payloads
    answer = await call(demo, "/decode", [closed], origin=origin)
    assert answer.status == 403
    asked = await call(demo, "/decode", method="OPTIONS", origin=origin, access_control_request_method="POST")
    for headers in (answer.headers, asked.headers):
        assert "access-control-allow-origin" not in headers
    assert CANARY.encode() not in answer.body


async def test_a_refusal_too_can_be_read_by_the_web_ui(ward_codec: str) -> None:
    answer = await call(ward_codec, "/decode", [PLAIN], origin=WARD_UI)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, WARD_UI)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc", "/decode", "/"])
async def test_there_is_nothing_to_get(demo: str, path: str) -> None:
    assert (await call(demo, path, method="GET")).status in (404, 405)


# ── what is sent to it ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused(demo: str, chunked: bool) -> None:
    # The blanks make a body that would be read if it were shorter.
    body = b'{"payloads": []' + b" " * (LARGEST_BODY_BYTES - 16) + b"}"
    assert len(body) == LARGEST_BODY_BYTES
    longer = body[:-1] + b" }"
    assert (await call(demo, "/decode", body)).status == 200
    assert (await call(demo, "/decode", [longer] if chunked else longer)).status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        CANARY.encode(),
        b"\xff\xfe",
        f'{{"payloads": [{{"metadata": "{CANARY}"}}]}}'.encode(),
        f'{{"payloads": [{{"data": ["{CANARY}"]}}]}}'.encode(),
        b"[" * 100_000,
        b'{"payloads": ' * 50_000,
        b'{"payloads": [{"metadata": {"\\ud800": "AA=="}}]}',
    ],
)
async def test_what_cannot_be_read_is_refused_and_not_repeated(demo: str, log: io.StringIO, body: bytes) -> None:
    answer = await call(demo, "/decode", body)
    assert (answer.status, answer.body) == (400, b'{"detail":"the body is not a JSON object with payloads"}')
    assert CANARY not in log.getvalue()


# ── who may ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_demo_takes_a_caller_for_its_administrator(demo: str, log: io.StringIO) -> None:
    await call(demo, "/decode", [PLAIN], x_namespace="default")
    (line,) = lines(log)
    assert (line["event"], line["role"], line["actor"]) == ("payloads_decoded", "administrator", "demo")


async def test_a_demo_whose_administrator_may_not_decode_decodes_nothing(log: io.StringIO, tmp_path: Path) -> None:
    async with codec_server(settings(tmp_path, codec_roles="auditor")) as address:
        assert (await call(address, "/decode", [PLAIN])).status == 403


@pytest.mark.parametrize("path", ["/decode", "/encode"])
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer another", 401),
        (f"Basic {TOKENS['auditor']}", 401),
        (TOKENS["auditor"], 401),
        (f"Bearer {TOKENS['nurse']}", 403),
        (f"Bearer {TOKENS['auditor']}", 200),
        (f"bearer {TOKENS['administrator']}", 200),
    ],
)
async def test_a_ward_asks_for_the_token_of_a_role_that_may(
    ward_codec: str, log: io.StringIO, path: str, authorization: str | None, status: int
) -> None:
    shown = {"authorization": authorization} if authorization is not None else {}
    answer = await call(ward_codec, path, [PLAIN], **shown)
    assert answer.status == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
    if status != 200:
        assert CANARY.encode() not in answer.body
        assert [(line["event"], line["status"]) for line in lines(log)] == [("codec_use_refused", status)]
    for token in TOKENS.values():
        assert token not in log.getvalue()


async def test_the_hash_of_a_token_is_no_token(ward_codec: str) -> None:
    stolen = hashlib.sha256(TOKENS["auditor"].encode()).hexdigest()
    assert (await call(ward_codec, "/decode", [PLAIN], authorization=f"Bearer {stolen}")).status == 401


# ── what its log says ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_use_is_one_line_with_who_and_how_many_and_never_what(log: io.StringIO, tmp_path: Path) -> None:
    namespace = {"x_namespace": "inocycle"}
    async with codec_server(ward_settings(tmp_path, temporal_namespace="inocycle")) as address:
        shown = {"authorization": f"Bearer {TOKENS['auditor']}", **namespace}
        encoded = (await call(address, "/encode", [PLAIN, PLAIN, PLAIN], **shown)).payloads
        await call(address, "/decode", encoded, **shown)
        await call(address, "/decode", encoded, **namespace)
    who = {"namespace": "inocycle", "role": "auditor", "actor": "x-auditor"}
    assert [{k: v for k, v in line.items() if k not in ("timestamp", "level")} for line in lines(log)] == [
        {"event": "payloads_encoded", "count": 3, **who},
        {"event": "payloads_decoded", "count": 3, **who},
        {"event": "codec_use_refused", "status": 401, "namespace": "inocycle"},
    ]


async def test_a_canary_sent_anywhere_is_not_in_the_log(demo: str, log: io.StringIO) -> None:
    canary = "Jane.Roe"  # without a blank, so that it could pass for a code
    for path in ("/decode", "/encode", f"/{canary}", f"/decode?{canary}=1"):
        odd = Payload(metadata={"encoding": canary.encode(), canary: b"x"}, data=canary.encode())
        for sent in ([odd], canary.encode()):
            for origin in (UI, f"http://{canary}"):
                await call(demo, path, sent, origin=origin, x_namespace=canary, authorization=f"Bearer {canary}")
    assert len(lines(log)) > 8
    assert canary.lower() not in log.getvalue().lower()


async def test_a_fault_of_the_server_itself_says_nothing_of_a_payload(
    log: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: EncryptionCodec, payloads: list[Payload]) -> list[Payload]:
        raise ValueError(f"cannot decode {payloads[0].data!r}")

    monkeypatch.setattr(EncryptionCodec, "encode", broken)
    async with codec_server(settings(tmp_path)) as address:
        answer = await call(address, "/encode", [PLAIN])
    assert answer.status == 500
    assert CANARY.encode() not in answer.body
    assert "ValueError" in log.getvalue()
    assert CANARY not in log.getvalue()


# ── starting ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"codec_origins": ""}, "set INOCYCLE_CODEC_ORIGINS"),
        ({"codec_tokens": ""}, "set INOCYCLE_CODEC_TOKENS"),
        ({"codec_roles": ""}, "INOCYCLE_CODEC_ROLES names no role"),
        ({"codec_origins": "http://temporal.ward.example"}, "comes by https"),
    ],
)
def test_a_ward_that_lacks_one_thing_does_not_start(tmp_path: Path, missing: dict[str, str], words: str) -> None:
    make_app(ward_settings(tmp_path))
    make_app(ward_settings(tmp_path, codec_origins=f"{WARD_UI},http://127.0.0.1:8233"))
    assert words in refusal_of(ward_settings(tmp_path, **missing))


def test_a_demo_without_keys_or_beyond_this_machine_does_not_start(tmp_path: Path) -> None:
    assert "no payload keys" in refusal_of(settings(tmp_path, key_ring=None))
    for host in ("0.0.0.0", "10.1.2.3", "[::]", "ward.example"):
        assert "127.0.0.1 only" in refusal_of(settings(tmp_path, codec_address=f"{host}:8081"))


def test_the_process_says_in_one_clear_word_why_it_does_not_start(tmp_path: Path) -> None:
    keys, subject, record = tmp_path / "keys", tmp_path / "subject", tmp_path / "record"
    WARD_KEYS.write(keys)
    SubjectKey.generate().write(subject)
    RecordKey.generate().write(record)
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("INOCYCLE_")}
    files = {"INOCYCLE_PAYLOAD_KEY_FILE": str(keys), "INOCYCLE_SUBJECT_KEY_FILE": str(subject)}
    files["INOCYCLE_RECORD_KEY_FILE"] = str(record)
    ended = subprocess.run(
        [sys.executable, "-m", "codec_server"],
        cwd=ROOT,
        env={**surroundings, **files, "INOCYCLE_MODE": "ward", "INOCYCLE_VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "inocycle codec-server: the codec server does not start:",
        "  set INOCYCLE_CODEC_ORIGINS to the address of the Web UI, as in https://temporal.example",
        "  set INOCYCLE_CODEC_TOKENS to token-sha256:role:id of those who may come",
    ]
