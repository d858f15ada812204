"""Encryption of everything a course sends to Temporal: AES-256-GCM, one fresh nonce for each payload.

What belongs here: bytes in, bytes out. Keys are in `keys.py`; what becomes of a payload that could not be read is the
workflow's business. In clear stay the key id, ids and names, search attributes, failure types and times.
"""

import os
from collections.abc import Sequence
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
_NONCE_BYTES: Final = 12


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
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        key_id = self._key_ring.newest_id
        cipher = self._key_ring.cipher(key_id)
        assert cipher is not None  # the newest key is in its ring
        nonce = os.urandom(_NONCE_BYTES)
        sealed = cipher.encrypt(nonce, payload.SerializeToString(), key_id.encode())
        return Payload(metadata={"encoding": ENCRYPTED.encode(), KEY_ID: key_id.encode()}, data=nonce + sealed)

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCRYPTED.encode():
            return _marked(payload, PLAINTEXT_REFUSED, Unreadable.PLAINTEXT) if self._refuse_plaintext else payload
        key_id = payload.metadata.get(KEY_ID, b"")
        cipher = self._key_ring.cipher(key_id.decode("ascii", errors="replace"))
        if cipher is None:
            return _marked(payload, UNDECRYPTABLE, Unreadable.UNKNOWN_KEY)
        try:
            plain = cipher.decrypt(payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:], key_id)
            return Payload.FromString(plain)
        except (InvalidTag, ValueError, OverflowError):  # ValueError: too short to hold a nonce
            return _marked(payload, UNDECRYPTABLE, Unreadable.ALTERED)
        except DecodeError:  # whoever encrypted this has the key and is not this program
            return _marked(payload, UNDECRYPTABLE, Unreadable.NOT_A_PAYLOAD)


def _marked(payload: Payload, encoding: str, reason: Unreadable) -> Payload:
    """The same bytes under an encoding that no converter reads, with the reason beside them."""
    metadata = {"encoding": encoding.encode(), REASON: reason.encode()}
    if KEY_ID in payload.metadata:  # with the key at hand again, the bytes can still be opened
        metadata[KEY_ID] = payload.metadata[KEY_ID]
    return Payload(metadata=metadata, data=payload.data)
