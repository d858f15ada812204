"""From the bytes of a message to the message, or to the reason why it is none. Runs inside the recorded `decide` only."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from temporalio.api.common.v1 import Payload, Payloads

from models.bounds import LARGEST_BYTES, READABLE, largest_bytes, read_payload
from models.deciding import Arrived
from models.facts import UnreadableMessage
from models.messages import COMMANDS, SIGNALS, Message, ReadAgain
from models.record import RawMessage
from plumbing.payload_codec import REASON, EncryptionCodec

KEPT_WHOLE: Final = LARGEST_BYTES
"""A message of more bytes is kept by its hash and first bytes only, and never read."""
KEPT_HEAD: Final = 4096
LINE: Final = 2000


class Read(NamedTuple):
    """One message as it came (`sha256`, `size`) and what it says: `message`, or `reason` why nobody can read it."""

    arrived: Arrived
    raw: bytes
    sha256: str
    message: Message | None
    reason: str

    def unreadable(self, reason: str = "") -> UnreadableMessage:
        """The fact that stands for it in the chart (LAB-05)."""
        return UnreadableMessage(
            signal=self.arrived.name[:200], sha256=self.sha256, size=len(self.raw), reason=(reason or self.reason)[:500]
        )

    def kept(self, reason: str = "") -> RawMessage:
        """What the record keeps of it, so that it can be read again."""
        whole = len(self.raw) <= KEPT_WHOLE
        return RawMessage(
            sha256=self.sha256,
            size=len(self.raw),
            name=self.arrived.name[:200],
            reason=(reason or self.reason)[:500],
            raw_base64=base64.b64encode(self.raw if whole else self.raw[:KEPT_HEAD]).decode(),
            whole=whole,
            sent=self.arrived.sent,
        )


class Reader:
    """Reads messages with the keys of this worker and the models of this release; both are named in every answer."""

    def __init__(self, codec: EncryptionCodec | None) -> None:
        self._codec = codec

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the payload keys at hand."""
        return self._codec.key_ids if self._codec is not None else ()

    def read(self, arrived: Arrived) -> Read:
        """Open and read one message; nothing that arrived makes this raise."""
        raw = as_it_came(arrived)
        sha256 = hashlib.sha256(raw).hexdigest()
        try:
            found = self._message(arrived, len(raw))
        except Exception as error:  # noqa: BLE001 - whatever it is, the message waits for a person and all behind it is judged
            found = f"reading it failed: {type(error).__name__}"
        if isinstance(found, str):
            return Read(arrived, raw, sha256, None, found)
        return Read(arrived, raw, sha256, found, "")

    def read_again(self, request: ReadAgain) -> Read | str:
        """What a `read_again` brought, read with the keys and the release of now; or why its bytes are not the message."""
        try:
            raw = base64.b64decode("".join(request.raw_base64), validate=True)
            arrived = came_as(raw, request.sent_name, request.sent)
        except ValueError:
            return "these are not the bytes of a message"
        read = self.read(arrived)
        # Of the bytes as they were given: packed anew, others might come to the same message.
        return read if hashlib.sha256(raw).hexdigest() == read.sha256 == request.target else "these are other bytes"

    def _message(self, arrived: Arrived, size: int) -> Message | str:
        known: Mapping[str, type[Message]] = SIGNALS if arrived.sent == "signal" else COMMANDS
        if size > largest_bytes(arrived.name):
            return f"larger than {largest_bytes(arrived.name) // 1024} KiB"
        if arrived.name not in known:
            return "no such message"
        if len(arrived.payloads) != 1:
            return f"{len(arrived.payloads)} payloads instead of one"
        return self._opened(known[arrived.name], Payload.FromString(arrived.payloads[0]))

    def _opened(self, kind: type[Message], payload: Payload) -> Message | str:
        if self._codec is not None:
            payload = self._codec.opened(payload)
        encoding = payload.metadata.get("encoding", b"")
        trouble = b"" if encoding == READABLE.encode() else payload.metadata.get(REASON, b"")
        return trouble.decode(errors="replace") or read_payload(kind, encoding, payload.data)


def as_it_came(arrived: Arrived) -> bytes:
    """The bytes of a message with how they were packed: what its hash is of, and what can be read again."""
    payloads = [Payload.FromString(one) for one in arrived.payloads]
    return Payloads(payloads=payloads).SerializeToString(deterministic=True)


def in_lines(raw_base64: str) -> tuple[str, ...]:
    """Kept bytes as `read_again` takes them."""
    return tuple(raw_base64[at : at + LINE] for at in range(0, len(raw_base64), LINE))


def came_as(raw: bytes, name: str, sent: str) -> Arrived:
    """The message of bytes that were kept, to be read again. Raises `ValueError` where they are none."""
    try:
        payloads = Payloads.FromString(raw).payloads
    except Exception as error:
        raise ValueError("not the bytes of a message") from error
    return Arrived.model_validate(
        {"name": name, "sent": sent, "payloads": tuple(p.SerializeToString(deterministic=True) for p in payloads)}
    )
