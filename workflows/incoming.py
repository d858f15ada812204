"""From the bytes of a signal or update to a message, or to the reason why it is none. Nothing here raises for bad bytes."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.bounds import read_bounded
    from models.carried import WaitingSignal
    from models.facts import UnreadableMessage
    from models.messages import COMMANDS, SIGNALS, Command, Message, NamedMessage

KEPT_BYTES = 4096
READABLE = "json/plain"
REASON = "unreadable-reason"
Kind = TypeVar("Kind", bound=Message)


def as_waiting(name: str, args: Sequence[RawValue]) -> WaitingSignal:
    """A signal as it came, ready to be carried over to a further run."""
    if len(args) != 1:
        data = b"".join(a.payload.data for a in args)
        return _waiting(name, "", data, f"{len(args)} payloads instead of one")
    payload = args[0].payload
    encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
    trouble = payload.metadata.get(REASON, b"").decode(errors="replace")
    return _waiting(name, encoding, payload.data, trouble or None)


def kept(message: NamedMessage) -> WaitingSignal:
    """A person's statement, kept until the rules can be evaluated again."""
    data = base64.b64encode(message.content.encode()).decode()
    return WaitingSignal(name=message.name, encoding=READABLE, data_base64=data, kept=True)


def read_signal(waiting: WaitingSignal) -> NamedMessage | UnreadableMessage:
    """The message of a signal, or the unreadable message that stands for it (LAB-05): hash, size, reason, its head."""
    data = base64.b64decode(waiting.data_base64)
    known: Mapping[str, type[Message]] = COMMANDS if waiting.kept else SIGNALS
    if waiting.name not in known:
        return _unreadable(waiting, data, "no such message")
    if waiting.trouble is not None or waiting.encoding != READABLE:
        return _unreadable(waiting, data, waiting.trouble or f"encoding {waiting.encoding or 'missing'}")
    read = _read(known[waiting.name], data)
    return _unreadable(waiting, data, read) if isinstance(read, str) else NamedMessage.of(read)


def read_command(name: str, args: Sequence[RawValue]) -> Command:
    """The command of an update. Raises `ApplicationError` with what is malformed, never with the values that were sent."""
    kind = COMMANDS.get(name)
    if kind is None:
        raise ApplicationError(f"no command is named {name}", type="UnknownCommand", non_retryable=True)
    waiting = as_waiting(name, args)
    data = base64.b64decode(waiting.data_base64)
    trouble = waiting.trouble or (None if waiting.encoding == READABLE else f"encoding {waiting.encoding or 'missing'}")
    read: Command | str = trouble if trouble is not None else _read(kind, data)
    if isinstance(read, str):
        raise ApplicationError(f"{name} cannot be read: {read}", type="MalformedMessage", non_retryable=True)
    return read


def _read(kind: type[Kind], data: bytes) -> Kind | str:
    read = read_bounded(kind, data)
    return "; ".join(read[:5]) if isinstance(read, tuple) else read


def _waiting(name: str, encoding: str, data: bytes, trouble: str | None) -> WaitingSignal:
    encoded = base64.b64encode(data).decode()
    return WaitingSignal(name=name[:200], encoding=encoding, data_base64=encoded, trouble=trouble)


def _unreadable(waiting: WaitingSignal, data: bytes, reason: str) -> UnreadableMessage:
    return UnreadableMessage(
        signal=waiting.name,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        reason=reason[:500],
        head_base64=head_of(data),
    )


def head_of(data: bytes) -> str:
    """The first bytes of a message that a person must look at, in base64."""
    return base64.b64encode(data[:KEPT_BYTES]).decode()
