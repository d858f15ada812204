"""Settings: safe defaults, no secret in any text, and a ward that refuses to start half configured."""

import base64
import stat
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY, TEST_SUBJECT_KEY, KeyRing, SubjectKey
from plumbing.settings import (
    DEMO_KEY_FILES,
    ROOT,
    KeyGone,
    Mode,
    Settings,
    SettingsRefused,
    load_settings,
    with_demo_keys,
    with_keys,
)

SECRET = base64.b64encode(b"SECRET-SECRET-SECRET-SECRET-SECR").decode()
OTHER = base64.b64encode(b"x" * 32).decode()


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No variable of the surroundings, and a var folder without keys."""
    import os

    for name in os.environ:
        if name.upper().startswith("INOCYCLE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INOCYCLE_VAR_DIR", str(tmp_path))
    return monkeypatch


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A ward with everything it needs."""
    for name, value in {
        "MODE": "ward",
        "PAYLOAD_KEYS": f"2026:{SECRET}",
        "SUBJECT_KEY": f"s1:{OTHER}",
        "RECORD_KEY": f"r1:{OTHER}",
        "DATABASE_URL": "postgresql+asyncpg://ino:SECRET@db/ino",
    }.items():
        monkeypatch.setenv(f"INOCYCLE_{name}", value)
    return monkeypatch


def refusal() -> str:
    """The text of the refusal with everything a traceback would print or a debugger could reach."""
    with pytest.raises(SettingsRefused) as refused:
        load_settings()
    assert refused.value.__context__ is None
    assert "SECRET" not in "".join(traceback.format_exception(refused.value))
    return str(refused.value)


def test_without_any_variable_it_is_a_demo_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INOCYCLE_VAR_DIR")
    settings = Settings(key_ring=None, subject_key=None)
    assert settings.mode is Mode.DEMO
    assert (settings.temporal_address, settings.temporal_namespace) == ("127.0.0.1:7233", "default")
    assert settings.task_queue == "inocycle"
    assert settings.var_dir == ROOT / "var"
    assert settings.database_url.get_secret_value() == f"sqlite+aiosqlite:///{ROOT}/var/inocycle.db"
    assert (settings.offline, settings.build_id) == (False, None)
    assert settings.sample_data == ROOT / "../shared/data"
    assert not settings.refuses_plaintext


def test_the_root_is_the_top_of_the_repository() -> None:
    assert (ROOT / "pyproject.toml").is_file()


def test_the_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "TEMPORAL_ADDRESS": "temporal.example:7233",
        "TASK_QUEUE": "other",
        "DEPLOYMENT_NAME": "inocycle-b",
        "BUILD_ID": "abc",
        "OFFLINE": "1",
        "SAMPLE_DATA": "samples",
        "TEMPORAL_BINARY": "bin/temporal",
    }.items():
        monkeypatch.setenv(f"INOCYCLE_{name}", value)
    settings = load_settings()
    assert settings.temporal_address == "temporal.example:7233"
    assert (settings.task_queue, settings.deployment_name, settings.build_id) == ("other", "inocycle-b", "abc")
    assert (settings.offline, settings.sample_data) == (True, ROOT / "samples")
    assert settings.temporal_binary == ROOT / "bin" / "temporal"
    assert settings.database_url.get_secret_value() == f"sqlite+aiosqlite:///{tmp_path}/inocycle.db"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().mode = Mode.WARD  # type: ignore[misc]


def test_no_text_of_the_settings_shows_a_secret(ward: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.key_ring is not None
    assert settings.key_ring.ids == ("2026",)
    for text in (repr(settings), str(settings), f"{settings.model_dump()}", repr(list(settings))):
        assert "SECRET" not in text
        assert SECRET not in text
        assert OTHER not in text
        assert "2026" in text


def test_a_ward_refuses_plaintext(ward: pytest.MonkeyPatch) -> None:
    assert load_settings().refuses_plaintext


@pytest.mark.parametrize("name", ["INOCYCLE_PAYLOAD_KEYS", "INOCYCLE_SUBJECT_KEY", "INOCYCLE_RECORD_KEY"])
def test_a_ward_without_a_key_refuses_to_start(ward: pytest.MonkeyPatch, name: str) -> None:
    ward.delenv(name)
    assert f"set {name} or " in refusal()


def test_a_ward_takes_no_key_that_a_demo_left_behind(ward: pytest.MonkeyPatch) -> None:
    with_demo_keys(Settings(mode=Mode.DEMO, key_ring=None, subject_key=None))
    ward.delenv("INOCYCLE_PAYLOAD_KEYS")
    assert "set INOCYCLE_PAYLOAD_KEYS" in refusal()


def test_a_ward_refuses_the_public_test_keys() -> None:
    own = SubjectKey.generate()
    with pytest.raises(ValidationError, match="remove it from the payload keys"):
        Settings(mode=Mode.WARD, key_ring=TEST_KEY_RING, subject_key=own)
    with pytest.raises(ValidationError, match="replace the subject key"):
        Settings(mode=Mode.WARD, key_ring=KeyRing.generate(), subject_key=TEST_SUBJECT_KEY)
    with pytest.raises(ValidationError, match="replace the record key"):
        Settings(mode=Mode.WARD, key_ring=KeyRing.generate(), subject_key=own, record_key=TEST_RECORD_KEY)


def test_keys_are_read_from_files(ward: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ring").write_text(f"new:{OTHER}\nold:{SECRET}\n")
    (tmp_path / "subject").write_text(f"s2:{SECRET}\n")
    (tmp_path / "record").write_text(f"r2:{SECRET}\n")
    for name, file in (("PAYLOAD_KEY", "ring"), ("SUBJECT_KEY", "subject"), ("RECORD_KEY", "record")):
        ward.setenv(f"INOCYCLE_{name}_FILE", str(tmp_path / file))
        ward.delenv(f"INOCYCLE_{name}S" if name == "PAYLOAD_KEY" else f"INOCYCLE_{name}")
    settings = load_settings()
    assert settings.key_ring is not None
    assert settings.key_ring.ids == ("new", "old")
    assert settings.subject_key is not None
    assert settings.subject_key.key_id == "s2"
    assert settings.record_key is not None
    assert settings.record_key.key_id == "r2"


@pytest.mark.parametrize("name", ["INOCYCLE_PAYLOAD_KEY_FILE", "INOCYCLE_SUBJECT_KEY_FILE", "INOCYCLE_RECORD_KEY_FILE"])
def test_two_sources_of_one_key_are_refused(ward: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text(f"a:{SECRET}\n")
    ward.setenv(name, str(tmp_path / "file"))
    assert "are both set" in refusal()


@pytest.mark.parametrize("content", ["", f"{SECRET}\n", f"{SECRET}:a\n", f"a:{SECRET}SECRET\n", None])
@pytest.mark.parametrize("name", ["INOCYCLE_PAYLOAD_KEY_FILE", "INOCYCLE_SUBJECT_KEY_FILE", "INOCYCLE_RECORD_KEY_FILE"])
def test_an_unusable_key_file_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "file").write_text(content)
    monkeypatch.setenv(name, str(tmp_path / "file"))
    assert "key" in refusal()


@pytest.mark.parametrize("value", ["", SECRET, f"{SECRET}:a", f"a:{SECRET}SECRET", f"a:{SECRET},a:{SECRET}"])
@pytest.mark.parametrize("name", ["INOCYCLE_PAYLOAD_KEYS", "INOCYCLE_SUBJECT_KEY", "INOCYCLE_RECORD_KEY"])
def test_an_unusable_key_is_refused_by_name_only(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert f"{name}: " in refusal()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODE", "SECRET"),
        ("MODE", ""),
        ("OFFLINE", "SECRET"),
        ("BUILD_ID", ""),
        ("TASK_QUEUE", ""),
        ("TEMPORAL_ADDRESS", "127.0.0.1"),
        ("TEMPORAL_ADDRESS", ":7233"),
        ("TEMPORAL_ADDRESS", "127.0.0.1:99999"),
        ("TEMPORAL_ADDRESS", "http://127.0.0.1:7233"),
        ("TEMPORAL_ADDRESS", "user:SECRET@127.0.0.1:7233"),
    ],
)
def test_a_faulty_value_is_refused_by_name_only(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"INOCYCLE_{name}", value)
    assert f"INOCYCLE_{name}: " in refusal()


def test_each_fault_has_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INOCYCLE_MODE", "SECRET")
    monkeypatch.setenv("INOCYCLE_TEMPORAL_ADDRESS", "nowhere")
    assert refusal().splitlines() == [
        "settings refused:",
        "  INOCYCLE_MODE: Input should be 'demo' or 'ward'",
        "  INOCYCLE_TEMPORAL_ADDRESS: must be host:port",
    ]


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INOCYCLE_MDOE", "SECRET")
    assert refusal().endswith("unknown: INOCYCLE_MDOE")


def test_the_error_text_of_pydantic_itself_shows_no_secret(ward: pytest.MonkeyPatch) -> None:
    ward.setenv("INOCYCLE_PAYLOAD_KEYS", f"{SECRET}:a")
    with pytest.raises(ValidationError) as error:
        Settings()
    assert "SECRET" not in f"{error.value} {error.value!r}"
    assert SECRET not in f"{error.value} {error.value!r}"


def test_a_demo_makes_its_keys_once_and_every_process_finds_them(tmp_path: Path) -> None:
    first = with_demo_keys(load_settings())
    assert first.key_ring is not None
    assert first.subject_key is not None
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    for settings in (load_settings(), with_demo_keys(load_settings())):
        assert settings.key_ring is not None
        assert settings.key_ring.ids == first.key_ring.ids
        assert settings.subject_key is not None
        assert settings.subject_key.keyed_hash("x") == first.subject_key.keyed_hash("x")


def test_a_demo_keeps_the_keys_it_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INOCYCLE_PAYLOAD_KEYS", f"mine:{SECRET}")
    settings = with_demo_keys(load_settings())
    assert settings.key_ring is not None
    assert settings.key_ring.ids == ("mine",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["record-key", "subject-key"]


@pytest.mark.parametrize("gone", DEMO_KEY_FILES)
@pytest.mark.parametrize("there", ["temporal.db", "inocycle.db"])
def test_no_key_is_made_up_in_the_place_of_one_that_is_gone(tmp_path: Path, gone: str, there: str) -> None:
    with_demo_keys(load_settings())
    (tmp_path / there).touch()
    (tmp_path / gone).rename(tmp_path / "lost")
    for keys in (with_demo_keys, with_keys):
        with pytest.raises(KeyGone, match=rf"put \S*{gone} back"):
            keys(load_settings())
    assert not (tmp_path / gone).exists()


def test_where_nothing_is_laid_out_only_who_lays_out_makes_keys(tmp_path: Path) -> None:
    with pytest.raises(KeyGone, match="nothing is laid out here yet"):
        with_keys(load_settings())
    assert list(tmp_path.iterdir()) == []
    assert with_keys(with_demo_keys(load_settings())).record_key is not None


def test_nobody_makes_up_keys_on_a_ward(ward: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="only a demo"):
        with_demo_keys(load_settings())
    assert list(tmp_path.iterdir()) == []
