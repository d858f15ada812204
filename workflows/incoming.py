"""What has arrived and is not judged yet, as it came. No byte of it is looked at here: `decide` reads it (design §4)."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.assessment import Receipt
    from models.bounds import read_payload
    from models.deciding import Arrived, Sent
    from models.facts import RecordCompared
    from models.messages import COMMANDS, Command

BITE = 50
"""How many messages one decision takes in; a worker that comes back to a flood decides in steps."""


def arrived(name: str, args: Sequence[RawValue], sent: Sent) -> Arrived:
    """A message as it came. Never raises: whatever was sent is bytes."""
    payloads = tuple(a.payload.SerializeToString() for a in args)
    return Arrived.model_construct(name=name, sent=sent, payloads=payloads, kept=False)


def well_formed_command(name: str, args: Sequence[RawValue]) -> Command:
    """The command of an update, for its validator only. Raises `ApplicationError` with what is malformed, never with values."""
    kind = COMMANDS.get(name)
    if kind is None:
        raise ApplicationError(f"no command is named {name[:80]}", type="UnknownCommand", non_retryable=True)
    read = _read(kind, args)
    if isinstance(read, str):
        raise ApplicationError(f"{name} cannot be read: {read}", type="MalformedMessage", non_retryable=True)
    return read


def _read(kind: type[Command], args: Sequence[RawValue]) -> Command | str:
    if len(args) != 1:
        return f"{len(args)} payloads instead of one"
    payload = args[0].payload
    return read_payload(kind, payload.metadata.get("encoding", b""), payload.data)


class Waiting:
    """One message in the queue. A person waits for the answer of a command; nobody waits for a signal or a kept statement.

    `sent_as` is the message id that a command's sender gave to Temporal: what is known of it before it is read.
    """

    __slots__ = ("arrived", "compared", "error", "receipt", "sent_as")

    def __init__(self, message: Arrived, compared: RecordCompared | None = None, sent_as: str = "") -> None:
        self.arrived = message
        self.sent_as = sent_as
        self.compared = compared
        self.receipt: Receipt | None = None
        self.error: ApplicationError | None = None

    @property
    def is_command(self) -> bool:
        """Somebody waits for its answer."""
        return self.arrived.sent == "update" and not self.arrived.kept

    @property
    def answered(self) -> bool:
        """The answer is known."""
        return self.receipt is not None or self.error is not None

    def keep(self) -> None:
        """It stays at its place to be judged later, and nobody waits for it any more."""
        self.arrived = self.arrived.model_copy(update={"kept": True})


class Arrivals:
    """The queue of a run, in order of arrival. Commands come after what else is known: a start is judged on every result."""

    def __init__(self, left: Sequence[Arrived]) -> None:
        self._queue: list[Waiting] = [Waiting(message) for message in left]

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, waiting: Waiting) -> Waiting:
        """Queue one message behind the others."""
        self._queue.append(waiting)
        return waiting

    @property
    def commands(self) -> bool:
        """A person waits for an answer."""
        return any(w.is_command for w in self._queue)

    @property
    def others(self) -> bool:
        """Something waits that is no command."""
        return any(not w.is_command for w in self._queue)

    def bite(self, most: int = BITE, *, failing: bool, in_turn: bool = False) -> list[Waiting]:
        """What is taken in next: messages in order, or else one command; while the rules fail, commands only.

        `in_turn`: a command has waited long enough, and only what came before it is taken first.
        """
        command = next((place for place, w in enumerate(self._queue) if w.is_command), None)
        ahead = self._queue[:command] if in_turn else self._queue
        others = [] if failing else [w for w in ahead if not w.is_command][:most]
        if others or command is None:
            return others
        return [self._queue[command]]

    def done(self, taken: Sequence[Waiting]) -> None:
        """These were dealt with."""
        gone = set(map(id, taken))
        self._queue = [w for w in self._queue if id(w) not in gone]

    def left(self) -> tuple[Arrived, ...]:
        """What goes over into the next run."""
        return tuple(w.arrived for w in self._queue)
