"""Encryption of everything a course sends to Temporal: AES-256-GCM, one fresh nonce for each payload.

Larger payloads are compressed first: cards and charts repeat themselves, and ciphertext does not compress any more.
The largest, a long course as it is handed to its next run, are compressed as densely as a second of CPU allows.

What belongs here: bytes in, bytes out. Keys are in `keys.py`; what becomes of a payload that could not be read is for
the activity `decide` to say. In clear stay the key id, ids and names, search attributes, failure types and times.
"""

import asyncio
import lzma
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from plumbing.keys import KeyRing

ENCRYPTED: Final = "binary/encrypted"
UNDECRYPTABLE: Final = "binary/undecryptable"
"""Encoding of a payload that was encrypted and could not be opened; its data are the bytes as received."""
PLAINTEXT_REFUSED: Final = "binary/plaintext-refused"
"""Encoding of a payload that came in clear where that is not allowed; its data are the bytes as received."""

KEY_ID: Final = "encryption-key-id"
REASON: Final = "unreadable-reason"
COMPRESSION: Final = "compression"
_ZLIB: Final = b"zlib"
_XZ: Final = b"xz"
_NONCE_BYTES: Final = 12
_COMPRESS_FROM_BYTES: Final = 512
_DENSE_FROM_BYTES: Final = 256 * 1024
"""What zlib leaves of so much is packed again. 5,000 results are 3.5 MB: 596 KB with zlib at its best, 416 KB with xz,
whose window holds the ids that come again."""
_DENSE_PRESET: Final = 4
"""The first preset that finds them; 0.2 s of CPU for each MB, presets above cost twice that for 1 % less."""
_IN_A_THREAD_FROM_BYTES: Final = 256 * 1024
_UNPACKING_BYTES: Final = 32 * 1024 * 1024
"""The memory that unpacking may take beside its result; our own preset needs 5 MiB."""
LARGEST_BYTES: Final = 16 * 1024 * 1024
"""No payload unpacks to more, whoever packed it: 50 of them may be in a worker's memory at once."""


class Unreadable(StrEnum):
    """Why a payload was marked; stands in its metadata under `unreadable-reason`."""

    UNKNOWN_KEY = "unknown-key"
    ALTERED = "altered"  # changed, cut off, or encrypted under another key of the same id
    NOT_A_PAYLOAD = "not-a-payload"
    PLAINTEXT = "plaintext"


class EncryptionCodec(PayloadCodec):
    """Encrypts with the newest key of the ring and decrypts with any of them.

    `decode` never raises: one payload that cannot be read would otherwise fail the workflow task for ever, and the
    course with it. Such a payload comes back marked `binary/undecryptable`. Payloads in clear are handed on, so that a
    plain client works with a demo; with `refuse_plaintext` they come back marked `binary/plaintext-refused`.
    """

    def __init__(self, key_ring: KeyRing, *, refuse_plaintext: bool = False) -> None:
        self._key_ring = key_ring
        self._refuse_plaintext = refuse_plaintext

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [await self._off_the_loop(self._encrypted, payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [await self._off_the_loop(self._decrypted, payload) for payload in payloads]

    async def _off_the_loop(self, work: Callable[[Payload], Payload], payload: Payload) -> Payload:
        """The large ones take a second of CPU; other courses go on meanwhile, for packing and ciphers let them."""
        if len(payload.data) < _IN_A_THREAD_FROM_BYTES:
            return work(payload)
        return await asyncio.to_thread(work, payload)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys that it can open payloads with, in order."""
        return self._key_ring.key_ids

    def opened(self, payload: Payload) -> Payload:
        """A payload that was handed back as ciphertext, opened where its key is at hand by now; any other one as it is."""
        if payload.metadata.get("encoding") != UNDECRYPTABLE.encode():
            return payload
        metadata = {k: v for k, v in payload.metadata.items() if k in (KEY_ID, COMPRESSION)}
        return self._decrypted(Payload(metadata={"encoding": ENCRYPTED.encode(), **metadata}, data=payload.data))

    def _encrypted(self, payload: Payload) -> Payload:
        key_id = self._key_ring.newest_id
        cipher = self._key_ring.cipher(key_id)
        assert cipher is not None  # the newest key is in its ring
        nonce = os.urandom(_NONCE_BYTES)
        metadata = {"encoding": ENCRYPTED.encode(), KEY_ID: key_id.encode()}
        plain = payload.SerializeToString()
        if len(plain) >= _COMPRESS_FROM_BYTES:
            metadata[COMPRESSION], plain = _packed(plain)
        return Payload(metadata=metadata, data=nonce + cipher.encrypt(nonce, plain, _bound(metadata)))

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCRYPTED.encode():
            return _marked(payload, PLAINTEXT_REFUSED, Unreadable.PLAINTEXT) if self._refuse_plaintext else payload
        key_id = payload.metadata.get(KEY_ID, b"")
        cipher = self._key_ring.cipher(key_id.decode("ascii", errors="replace"))
        if cipher is None:
            return _marked(payload, UNDECRYPTABLE, Unreadable.UNKNOWN_KEY)
        try:
            plain = cipher.decrypt(payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:], _bound(payload.metadata))
            return Payload.FromString(_unpacked(plain, payload.metadata.get(COMPRESSION)))
        except (InvalidTag, ValueError, OverflowError):  # ValueError: too short to hold a nonce
            return _marked(payload, UNDECRYPTABLE, Unreadable.ALTERED)
        except (DecodeError, zlib.error, lzma.LZMAError):  # whoever encrypted this has the key and is not this program
            return _marked(payload, UNDECRYPTABLE, Unreadable.NOT_A_PAYLOAD)


def _bound(metadata: Mapping[str, bytes]) -> bytes:
    """What the cipher binds beside the bytes: the key id, and whether they are compressed."""
    return metadata.get(KEY_ID, b"") + metadata.get(COMPRESSION, b"")


def _packed(plain: bytes) -> tuple[bytes, bytes]:
    quickly = zlib.compress(plain)
    if len(quickly) < _DENSE_FROM_BYTES:
        return _ZLIB, quickly
    return _XZ, lzma.compress(plain, preset=_DENSE_PRESET)


def _unpacked(packed: bytes, how: bytes | None) -> bytes:
    """As it was before it was packed. Raises `zlib.error` or `lzma.LZMAError`, also where it is larger than any payload."""
    if how is None:
        return packed
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_UNPACKING_BYTES) if how == _XZ else zlib.decompressobj()
    plain = unpacker.decompress(packed, LARGEST_BYTES)
    if not unpacker.eof:
        raise zlib.error("larger than any payload")
    return plain


def _marked(payload: Payload, encoding: str, reason: Unreadable) -> Payload:
    """The same bytes under an encoding that no converter reads, with the reason beside them."""
    metadata = {"encoding": encoding.encode(), REASON: reason.encode()}
    for known in (KEY_ID, COMPRESSION):  # with the key at hand again, the bytes can still be opened
        if known in payload.metadata:
            metadata[known] = payload.metadata[known]
    return Payload(metadata=metadata, data=payload.data)
