"""Key material: the ring that encrypts payloads, the key that hashes identities, the key that seals the record.

What belongs here: the text form of keys, their files, the keyed hashes. What does not: the encryption itself
(`payload_codec.py`) and where keys come from (`settings.py`).

No text made here holds key bytes, neither a `repr` nor an error: an error names an entry by its position, because a
swapped `key:id` would otherwise print the key as an id.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import ClassVar, Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_KEY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyRefused(ValueError):
    """A key, a key text or a key file that cannot be used. The message never holds key material."""


class KeyRing:
    """The AES-256 keys for payloads: the first one encrypts, every one decrypts.

    Text form: `keyid:base64` of 32 bytes, separated by commas or line ends, newest first; a line may be blank or begin
    with `#`. To rotate without a gap, give every process the new key in second place, then move it to the first.
    A key may encrypt 2^32 payloads (random 96-bit nonces); rotate long before.
    """

    __slots__ = ("_ciphers", "_keys")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise KeyRefused("a key ring needs at least one key")
        for position, (key_id, key) in enumerate(keys.items(), start=1):
            _check(key_id, key, position)
        self._keys = dict(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form. Raises `KeyRefused` on an unusable entry or an id that occurs twice."""
        return cls(_distinct(_entries(text)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a key file. Raises `KeyRefused` as well when the file cannot be read."""
        return cls.parse(_read_secret(path))

    @classmethod
    def generate(cls, key_id: str | None = None) -> Self:
        """A ring with one new random key."""
        return cls({key_id or _new_id(): secrets.token_bytes(KEY_BYTES)})

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, in order of their names."""
        return tuple(sorted(self._keys))

    def with_new_key(self, key_id: str | None = None) -> Self:
        """The same ring with a new random key that encrypts from now on."""
        chosen = key_id or _new_id()
        if chosen in self._keys:
            raise KeyRefused("this key id is in the ring already")
        return type(self)({chosen: secrets.token_bytes(KEY_BYTES), **self._keys})

    def write(self, path: Path, *, replace: bool = False) -> None:
        """Write a key file that only its owner may read (mode 0600).

        An existing file raises `FileExistsError` unless `replace` is given: a lost key is lost data.
        """
        _write_secret(path, _text(self._keys), replace=replace)

    @property
    def newest_id(self) -> str:
        return next(iter(self._keys))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def cipher(self, key_id: str) -> AESGCM | None:
        """The cipher of a key, or None when the ring does not hold it."""
        return self._ciphers.get(key_id)

    def holds_public_key(self) -> bool:
        """Whether a key that is published with the source stands in this ring, under whatever id."""
        return any(hmac.compare_digest(key, _PUBLIC_PAYLOAD_KEY) for key in self._keys.values())

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.ids)}; keys hidden)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a key ring is not pickled: its keys would leave this process")


class _OneKey:
    """One key of 32 bytes. Text form: one `keyid:base64`."""

    __slots__ = ("_key", "key_id")
    _CALLED: ClassVar = "key"
    _PUBLIC: ClassVar = b""

    def __init__(self, key_id: str, key: bytes) -> None:
        _check(key_id, key, 1)
        self.key_id = key_id
        self._key = key

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form. Raises `KeyRefused` unless it holds exactly one usable key."""
        entries = _entries(text)
        if len(entries) != 1:
            raise KeyRefused(f"exactly one {cls._CALLED} is needed, {len(entries)} were given")
        return cls(*entries[0])

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a key file. Raises `KeyRefused` as well when the file cannot be read."""
        return cls.parse(_read_secret(path))

    @classmethod
    def generate(cls, key_id: str | None = None) -> Self:
        """A new random key."""
        return cls(key_id or _new_id(), secrets.token_bytes(KEY_BYTES))

    def write(self, path: Path) -> None:
        """Write a new key file (mode 0600); an existing one raises `FileExistsError` and is never replaced."""
        _write_secret(path, _text({self.key_id: self._key}), replace=False)

    def is_public(self) -> bool:
        """Whether this is the key published with the source."""
        return hmac.compare_digest(self._key, self._PUBLIC)

    def _hash(self, data: bytes) -> str:
        return f"{self.key_id}:{hmac.new(self._key, data, hashlib.sha256).hexdigest()}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key_id}; key hidden)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError(f"a {self._CALLED} is not pickled: it would leave this process")


class SubjectKey(_OneKey):
    """The key under which a course knows whose results are meant.

    It must outlive every course: with another key no result matches its patient any more.
    """

    __slots__ = ()
    _CALLED = "subject key"
    _PUBLIC = hashlib.sha256(b"inocycle: public subject key for tests, protects nothing").digest()

    def keyed_hash(self, text: str) -> str:
        """HMAC-SHA-256 of the text as `keyid:hex`."""
        return self._hash(text.encode("utf-8", "surrogatepass"))  # JSON of a sender can hold half a surrogate pair


class RecordKey(_OneKey):
    """The key under which the record seals its rows: who changes one and lacks the key is found.

    It must outlive the record: what was sealed with another key cannot be told from what was forged.
    """

    __slots__ = ()
    _CALLED = "record key"
    _PUBLIC = hashlib.sha256(b"inocycle: public record key for tests, protects nothing").digest()

    def seal(self, kind: str, *parts: str | int | None) -> str:
        """HMAC-SHA-256 over a kind of row and its parts, as `keyid:hex`; no two lists of parts have one text."""
        return self._hash(json.dumps([kind, *parts], separators=(",", ":")).encode())

    def has_sealed(self, seal: str, kind: str, *parts: str | int | None) -> bool:
        """Whether this seal was made with this key over just this."""
        return hmac.compare_digest(seal.encode("utf-8", "surrogatepass"), self.seal(kind, *parts).encode())


def subject_hash(key: SubjectKey, system: str, value: str) -> str:
    """Who is meant, as `keyid:hex`: HMAC-SHA-256 of `system|value`, compared exactly.

    Both are taken as they are: trimming and the choice of one identifier among several are the caller's. A blank value
    raises `ValueError`, since otherwise all patients without an identifier would be the same one.
    """
    if not value.strip():
        raise ValueError("a subject needs an identifier")
    # A bar is illegal in a URI. Left alone, ("a|b", "c") and ("a", "b|c") would be one patient.
    return key.keyed_hash(f"{system.replace('|', '%7C')}|{value}")


def birth_hash(key: SubjectKey, born_on: date) -> str:
    """The birth date as `keyid:hex`, a second thing to compare. It is never equal to a subject hash.

    There are few birth dates: whoever holds the key can try them all.
    """
    return key.keyed_hash(f"birth-date\n{born_on.isoformat()}")  # no bar, so no subject hash has this text


def _entries(text: str) -> list[tuple[str, bytes]]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
    return [_entry(entry, position) for position, entry in enumerate(entries, start=1)]


def _entry(entry: str, position: int) -> tuple[str, bytes]:
    key_id, colon, encoded = entry.partition(":")
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not colon or not key:  # raised outside the handler: the cause would carry the text
        raise KeyRefused(f"key {position} is not of the form keyid:base64")
    return key_id.strip(), key


def _check(key_id: str, key: bytes, position: int) -> None:
    if not _KEY_ID.fullmatch(key_id):
        raise KeyRefused(f"the id of key {position} may hold only letters, digits, dot, dash and underscore (1 to 64)")
    if len(key) != KEY_BYTES:
        raise KeyRefused(f"key {position} has {len(key)} bytes instead of {KEY_BYTES}")


def _distinct(entries: Sequence[tuple[str, bytes]]) -> dict[str, bytes]:
    keys = dict(entries)
    if len(keys) != len(entries):
        raise KeyRefused("a key id occurs twice")
    return keys


def _new_id() -> str:
    return f"k{secrets.token_hex(4)}"


def _text(keys: Mapping[str, bytes]) -> str:
    return "".join(f"{key_id}:{base64.b64encode(key).decode()}\n" for key_id, key in keys.items())


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        fault = type(error).__name__
    # Raised here and not above: an exception keeps the one it was raised in, and a UnicodeDecodeError holds the bytes.
    raise KeyRefused(f"the key file {path} cannot be read: {fault}")


def _write_secret(path: Path, text: str, *, replace: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not replace:
        _write_synced(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), text)
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        _write_synced(descriptor, text)
        Path(temporary).replace(path)  # at no instant is there no key file
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write_synced(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask was
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


# Published with the source: they protect nothing. Kept histories are encrypted with the first, so it never changes.
_PUBLIC_PAYLOAD_KEY: Final = hashlib.sha256(b"inocycle: public payload key for tests, protects nothing").digest()

TEST_KEY_RING: Final = KeyRing({"public-test-key": _PUBLIC_PAYLOAD_KEY})
"""A public key for kept histories and tests. Mode `ward` refuses it."""

TEST_SUBJECT_KEY: Final = SubjectKey("public-test-key", SubjectKey._PUBLIC)
"""A public key for tests. Mode `ward` refuses it."""

TEST_RECORD_KEY: Final = RecordKey("public-test-key", RecordKey._PUBLIC)
"""A public key for tests. Mode `ward` refuses it."""
