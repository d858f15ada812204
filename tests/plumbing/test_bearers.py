"""Tokens of callers: known by their hash only, and the settings around the codec server."""

import hashlib
from pathlib import Path

import pytest

from models.people import Actor, Role
from plumbing.bearers import Bearer, bearer_of
from plumbing.settings import Settings, SettingsRefused, load_settings

TOKEN = "a-long-random-token"
SHA256 = hashlib.sha256(TOKEN.encode()).hexdigest()
AUDITOR = Actor(role=Role.AUDITOR, id="a-7")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in os.environ:
        if name.upper().startswith("INOCYCLE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INOCYCLE_VAR_DIR", str(tmp_path))


def test_a_token_is_known_by_its_hash() -> None:
    bearers = [Bearer.parse(f"{'0' * 64}:nurse:n-1", 1), Bearer.parse(f"{SHA256}:auditor:a-7", 2)]
    assert bearer_of(f"Bearer {TOKEN}", bearers) == AUDITOR
    assert bearer_of(f"bearer  {TOKEN} ", bearers) == AUDITOR
    for other in ("", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {SHA256}", f"Bearer {TOKEN}x"):
        assert bearer_of(other, bearers) is None


def test_the_settings_of_the_codec_server_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CODEC_ADDRESS": "127.0.0.1:9081",
        "CODEC_ORIGINS": "https://temporal.example, http://localhost:9233",
        "CODEC_ROLES": "auditor",
        "CODEC_TOKENS": f"{SHA256}:auditor:a-7, {'1' * 64}:administrator:adm-1",
    }.items():
        monkeypatch.setenv(f"INOCYCLE_{name}", value)
    settings = load_settings()
    assert settings.codec_address == "127.0.0.1:9081"
    assert settings.codec_origins == ("https://temporal.example", "http://localhost:9233")
    assert settings.codec_roles == {Role.AUDITOR}
    assert [bearer.actor.id for bearer in settings.codec_tokens] == ["a-7", "adm-1"]
    assert SHA256 not in f"{settings!r} {settings.codec_tokens!r} {settings.model_dump()}"


def test_a_demo_knows_its_web_ui_and_a_ward_names_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().codec_origins == ("http://127.0.0.1:8233", "http://localhost:8233")
    assert load_settings().codec_roles == {Role.ADMINISTRATOR, Role.AUDITOR}
    monkeypatch.setenv("INOCYCLE_WEB_UI_PORT", "9233")
    assert load_settings().codec_origins == ("http://127.0.0.1:9233", "http://localhost:9233")
    assert Settings.model_fields["codec_origins"].default_factory({"mode": "ward", "web_ui_port": 8233}) == ()  # type: ignore


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CODEC_ORIGINS", "*"),
        ("CODEC_ORIGINS", "http://127.0.0.1:8233/"),
        ("CODEC_ORIGINS", "http://127.0.0.1:8233,SECRET"),
        ("CODEC_ORIGINS", "https://*.example"),
        ("CODEC_ROLES", "auditor,SECRET"),
        ("CODEC_TOKENS", "SECRET"),
        ("CODEC_TOKENS", f"{SHA256}:auditor"),
        ("CODEC_TOKENS", f"{SHA256}:SECRET:a-7"),
        ("CODEC_TOKENS", f"{SHA256}:auditor:"),
        ("CODEC_TOKENS", f"{SHA256}:auditor:SECRET name"),
        ("CODEC_TOKENS", "SECRET:auditor:a-7"),
        ("CODEC_ADDRESS", "8081"),
        ("WEB_UI_PORT", "0"),
    ],
)
def test_a_faulty_value_is_refused_by_name_only(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"INOCYCLE_{name}", value)
    with pytest.raises(SettingsRefused) as refused:
        load_settings()
    assert f"INOCYCLE_{name}" in str(refused.value)
    assert "SECRET" not in str(refused.value)
    assert SHA256 not in str(refused.value)
