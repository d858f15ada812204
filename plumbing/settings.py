"""Settings of every process, from the environment (prefix `INOCYCLE_`). Only `site_settings` beside it reads it too.

What belongs here: names, defaults, and what a mode demands. Keys and the database address are secrets: no `repr` and
no error shows them.
"""

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from models.people import Role
from plumbing.bearers import Bearer
from plumbing.keys import KeyRefused, KeyRing, RecordKey, SubjectKey
from plumbing.site_settings import PREFIX, ROOT, SettingsRefused, SiteSettings, entries, from_root

__all__ = [
    "DEMO_KEY_FILES",
    "DEMO_SERVER_FILE",
    "ROOT",
    "KeyGone",
    "Mode",
    "Settings",
    "SettingsRefused",
    "load_settings",
    "with_demo_keys",
    "with_keys",
]

_PAYLOAD_KEYS: Final = "INOCYCLE_PAYLOAD_KEYS"
_DEMO_PAYLOAD_KEY_FILE: Final = "payload-keys"
_DEMO_SUBJECT_KEY_FILE: Final = "subject-key"
_DEMO_RECORD_KEY_FILE: Final = "record-key"
DEMO_KEY_FILES: Final = (_DEMO_PAYLOAD_KEY_FILE, _DEMO_SUBJECT_KEY_FILE, _DEMO_RECORD_KEY_FILE)
"""What `with_demo_keys` writes into the var folder."""
DEMO_SERVER_FILE: Final = "temporal.db"
"""The state of a demo's own server, in the var folder."""


class Mode(StrEnum):
    """`demo` may invent patients and skip time; `ward` may not, and needs keys."""

    DEMO = "demo"
    WARD = "ward"


def _host_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or re.search(r"[\s/@]", address):
        raise ValueError("must be host:port")
    return address


def _origin(origin: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", origin):
        raise ValueError("must be exact, as a browser sends it: scheme://host or scheme://host:port, no path and no *")
    return origin


def _bearers(value: object) -> object:
    found = entries(value)
    if isinstance(found, tuple) and all(isinstance(entry, str) for entry in found):
        return tuple(Bearer.parse(entry, position) for position, entry in enumerate(found, start=1))
    return value


def _origins_of_the_demo(before: dict[str, Any]) -> tuple[str, ...]:
    if before["mode"] is not Mode.DEMO:
        return ()
    return tuple(f"http://{host}:{before['web_ui_port']}" for host in ("127.0.0.1", "localhost"))


def _key_ring(value: object) -> object:
    return KeyRing.parse(value) if isinstance(value, str) else value


def _subject_key(value: object) -> object:
    return SubjectKey.parse(value) if isinstance(value, str) else value


def _record_key(value: object) -> object:
    return RecordKey.parse(value) if isinstance(value, str) else value


def _database_in_var(before: dict[str, Any]) -> SecretStr:
    return SecretStr(f"sqlite+aiosqlite:///{before['var_dir'] / 'inocycle.db'}")


def _anchors_in_var(before: dict[str, Any]) -> Path:
    folder: Path = before["var_dir"]
    return folder / "record-anchors.jsonl"


def _payload_keys_from_file(before: dict[str, Any]) -> KeyRing | None:
    path = _key_file(before, "payload_key_file", _DEMO_PAYLOAD_KEY_FILE)
    return KeyRing.read(path) if path else None


def _subject_key_from_file(before: dict[str, Any]) -> SubjectKey | None:
    path = _key_file(before, "subject_key_file", _DEMO_SUBJECT_KEY_FILE)
    return SubjectKey.read(path) if path else None


def _record_key_from_file(before: dict[str, Any]) -> RecordKey | None:
    path = _key_file(before, "record_key_file", _DEMO_RECORD_KEY_FILE)
    return RecordKey.read(path) if path else None


def _key_file(before: dict[str, Any], setting: str, demo_name: str) -> Path | None:
    """The named file, or in a demo the one that `with_demo_keys` left in the var folder."""
    named: Path | None = before[setting]
    demo: Path = before["var_dir"] / demo_name
    return named or (demo if before["mode"] is Mode.DEMO and demo.exists() else None)


_Path = Annotated[Path, AfterValidator(from_root)]
_HostAndPort = Annotated[str, AfterValidator(_host_and_port)]


class Settings(SiteSettings):
    """What one process must know before it starts. Frozen; `load_settings` reads it and words its faults safely.

    `Settings(...)` itself is for tests: its `ValidationError.errors()` would carry the input.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        arbitrary_types_allowed=True,
    )

    # The order matters: a default may look at what stands above it.
    mode: Mode = Mode.DEMO
    var_dir: _Path = Path("var")
    """Everything that a demo writes: database, keys, the server's file."""

    temporal_address: _HostAndPort = "127.0.0.1:7233"
    temporal_namespace: str = Field(default="default", min_length=1)
    task_queue: str = Field(default="inocycle", min_length=1)
    temporal_binary: _Path | None = None
    """A dev server to use before any other is looked for."""

    web_ui_port: int = Field(default=8233, ge=1, le=65535)
    """Where a demo shows Temporal's Web UI."""

    codec_address: _HostAndPort = "127.0.0.1:8081"
    codec_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(entries)
    ] = Field(default_factory=_origins_of_the_demo)
    """From which pages a browser may use the codec server: the Web UI's. A ward names its own."""
    codec_roles: Annotated[frozenset[Role], NoDecode, BeforeValidator(entries)] = frozenset(
        {Role.ADMINISTRATOR, Role.AUDITOR}
    )
    """Who may have payloads decoded: whoever works in the Web UI. A clinician has a page with a sign-in instead."""
    codec_tokens: Annotated[tuple[Bearer, ...], NoDecode, BeforeValidator(_bearers)] = ()
    """Who may come to the codec server until sign-in exists, as `token-sha256:role:id`, separated by commas."""

    database_url: SecretStr = Field(default_factory=_database_in_var)
    anchor_file: _Path = Field(default_factory=_anchors_in_var)
    """Where the heads of the record are written down outside the database: on a ward, beside the backups."""

    payload_key_file: _Path | None = None
    subject_key_file: _Path | None = None
    record_key_file: _Path | None = None
    key_ring: Annotated[KeyRing | None, BeforeValidator(_key_ring)] = Field(
        default_factory=_payload_keys_from_file, validation_alias=_PAYLOAD_KEYS
    )
    """The payload keys, from `INOCYCLE_PAYLOAD_KEYS` or the key file; None encrypts nothing, in a demo only."""
    subject_key: Annotated[SubjectKey | None, BeforeValidator(_subject_key)] = Field(
        default_factory=_subject_key_from_file
    )
    record_key: Annotated[RecordKey | None, BeforeValidator(_record_key)] = Field(default_factory=_record_key_from_file)

    deployment_name: str = Field(default="inocycle", min_length=1)
    build_id: str | None = Field(default=None, min_length=1)
    """With a build id the worker is versioned; without one (development) it is not."""

    # The limits of a worker. With the SDK's own (100 tasks at once) a hundred courses that had each one result waiting
    # held each other up so long that every task outlived its 10 s and began anew: nothing was decided after 217 s.
    # With 8 and 8 none timed out on two cores (benchmarks/restart.py). More cores bear more of both.
    workflow_tasks: int = Field(default=8, ge=2, le=1000)
    """How many courses a worker moves on at once. Two at least: one is for what the worker has in memory."""
    local_activities: int = Field(default=8, ge=1, le=1000)
    """How many decisions it has in hand at once, each in a thread; they take turns at computing."""
    activities: int = Field(default=16, ge=1, le=1000)
    """How many writes into the record and calls it makes at once; each waits for a database or a channel."""
    cached_courses: int = Field(default=500, ge=1, le=100_000)
    """How many courses it keeps in memory, 0.34 MB for one that has just begun; another one is read back when it moves."""

    sample_data: _Path = Path("../shared/data")
    """Where the real sample files lie that the tests read; nothing else does."""
    offline: bool = False
    """Download nothing."""

    @property
    def refuses_plaintext(self) -> bool:
        """Whether a payload in clear is turned away instead of read."""
        return self.mode is Mode.WARD

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        named = {
            "key_ring": self.payload_key_file,
            "subject_key": self.subject_key_file,
            "record_key": self.record_key_file,
        }
        for name, key_file in named.items():
            if key_file and name in self.model_fields_set:
                raise ValueError(f"{_variable(name)} and its key file are both set: name one")
        return self

    @model_validator(mode="after")
    def _fit_for_a_ward(self) -> Self:
        if self.mode is Mode.WARD and (faults := self._ward_faults()):
            raise ValueError("mode ward: " + "; ".join(faults))
        return self

    def _ward_faults(self) -> list[str]:
        faults = []
        if self.key_ring is None:
            faults.append(f"set {_PAYLOAD_KEYS} or INOCYCLE_PAYLOAD_KEY_FILE")
        elif self.key_ring.holds_public_key():
            faults.append("the public test key protects nothing: remove it from the payload keys")
        if self.subject_key is None:
            faults.append("set INOCYCLE_SUBJECT_KEY or INOCYCLE_SUBJECT_KEY_FILE")
        elif self.subject_key.is_public():
            faults.append("the public test key protects nothing: replace the subject key")
        if self.record_key is None:
            faults.append("set INOCYCLE_RECORD_KEY or INOCYCLE_RECORD_KEY_FILE")
        elif self.record_key.is_public():
            faults.append("the public test key protects nothing: replace the record key")
        return faults


def load_settings() -> Settings:
    """Read the environment. Raises `SettingsRefused`, one line for each fault, also for a misspelt variable.

    A variable nobody reads is a fault because `INOCYCLE_MDOE=ward` would quietly run a demo.
    """
    if unknown := sorted(_set_variables() - _known_variables()):
        raise SettingsRefused(f"settings refused:\n  unknown: {', '.join(unknown)}")
    try:
        return Settings()
    except ValidationError as error:
        faults = _faults(error)
    except KeyRefused as error:  # from a key file
        faults = [str(error)]
    # Raised here and not above: an exception keeps the one it was raised in, and that one holds the input.
    raise SettingsRefused("settings refused:\n  " + "\n  ".join(faults))


class KeyGone(SettingsRefused):
    """A key of what is laid out here is not there; the text says which and what to do."""


def with_demo_keys(settings: Settings) -> Settings:
    """The settings of a demo with keys: those configured, otherwise new ones, kept in the var folder for later starts.

    For who lays the demo out, before anything is there; every other process finds the files by itself. Raises `KeyGone`
    where something is laid out already: a key made up in the place of one that is gone opens nothing, and would be
    taken for the right one. On a ward nobody makes up a key: raises `SettingsRefused`.
    """
    if settings.mode is not Mode.DEMO:
        raise SettingsRefused("only a demo makes up its keys")
    if _is_laid_out(settings):
        return with_keys(settings)
    made: dict[str, KeyRing | SubjectKey | RecordKey] = {}
    if settings.key_ring is None:
        made["key_ring"] = key_ring = KeyRing.generate()
        key_ring.write(settings.var_dir / _DEMO_PAYLOAD_KEY_FILE)
    if settings.subject_key is None:
        made["subject_key"] = subject_key = SubjectKey.generate()
        subject_key.write(settings.var_dir / _DEMO_SUBJECT_KEY_FILE)
    if settings.record_key is None:
        made["record_key"] = record_key = RecordKey.generate()
        record_key.write(settings.var_dir / _DEMO_RECORD_KEY_FILE)
    return settings.model_copy(update=made)


def with_keys(settings: Settings) -> Settings:
    """The same settings, where every key is there: without one nothing is sent, opened or started. Raises `KeyGone`."""
    known = (settings.key_ring, settings.subject_key, settings.record_key)
    gone = [name for name, key in zip(DEMO_KEY_FILES, known, strict=True) if key is None]
    if not gone:
        return settings
    if settings.mode is Mode.DEMO and not _is_laid_out(settings):
        raise KeyGone("nothing is laid out here yet: `make run` or `inocycle init` makes the keys with the record")
    where = ", ".join(str(settings.var_dir / name) for name in gone) if settings.mode is Mode.DEMO else ", ".join(gone)
    raise KeyGone(
        f"courses are there, and their key is gone: put {where} back. No key is made up in its place;"
        " `make fresh` lays an invented ward out anew, without its courses"
    )


def _is_laid_out(settings: Settings) -> bool:
    """Whether a record or a server's state lies where this demo would make one."""
    record = settings.database_url.get_secret_value().partition(":///")[2]
    return (settings.var_dir / DEMO_SERVER_FILE).exists() or (bool(record) and Path(record).exists())


def _set_variables() -> set[str]:
    return {name.upper() for name in os.environ if name.upper().startswith(PREFIX)}


def _known_variables() -> set[str]:
    return {_variable(name) for name in Settings.model_fields}


def _variable(name: str) -> str:
    return _PAYLOAD_KEYS if name == "key_ring" else f"{PREFIX}{name.upper()}"


def _faults(error: ValidationError) -> list[str]:
    """One line for each fault. Messages of pydantic say what is expected, and repeat no input."""
    faults = error.errors(include_input=False, include_context=False, include_url=False)
    return [
        f"{_named(fault['loc'])}{fault['msg'].removeprefix('Value error, ')}"
        for fault in faults
        if fault["type"] != "default_factory_not_called"  # an echo of another fault
    ]


def _named(location: tuple[int | str, ...]) -> str:
    if not location:
        return ""
    name = str(location[0])
    return f"{name if name.startswith(PREFIX) else _variable(name)}: "
