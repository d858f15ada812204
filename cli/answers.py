"""How the command line answers: one JSON document or what a person reads, and an exit code that means one thing."""

import json
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel
from rich.console import RenderableType

from cli import render
from intake.written import NotReadable
from models.assessment import Refused
from models.protocol import Protocol
from models.zones import zone_of

if TYPE_CHECKING:
    from services.errors import ServiceError


class Exit(IntEnum):
    """How a command ended; the numbers are promised in `--help` and docs/chart.md."""

    OK = 0
    USAGE = 2
    REFUSED = 3
    NOT_CONFIRMED = 4
    UNREACHABLE = 5
    NOT_FOUND = 6


EXITS = {
    Exit.OK: "done",
    Exit.USAGE: "bad usage, or input that cannot be read",
    Exit.REFUSED: "refused: a rule, a role or an identity said no",
    Exit.NOT_CONFIRMED: "not confirmed: nobody answered in time; repeat it with the same message id",
    Exit.UNREACHABLE: "Temporal, its dev server, a worker or the database cannot be reached",
    Exit.NOT_FOUND: "no such course, or none that is still conducted",
}

_EXIT_OF_SERVICE_ERROR = {
    "UnknownItem": Exit.NOT_FOUND,
    "CourseEnded": Exit.NOT_FOUND,
    "NotSent": Exit.UNREACHABLE,
    "NoSuchCourse": Exit.NOT_FOUND,
    "BrokenOff": Exit.NOT_FOUND,
    "DecidesNothing": Exit.UNREACHABLE,
    "NotConfirmed": Exit.NOT_CONFIRMED,
    "NotAssessedYet": Exit.NOT_CONFIRMED,
    "RulesUnavailable": Exit.NOT_CONFIRMED,
    "HandlerFault": Exit.NOT_CONFIRMED,
    "Unreadable": Exit.NOT_CONFIRMED,
    "SetAside": Exit.NOT_CONFIRMED,
    "NoAnswer": Exit.UNREACHABLE,
    "QueryFailed": Exit.UNREACHABLE,
    "NotTaken": Exit.USAGE,
    "NothingWaits": Exit.USAGE,
    "MalformedMessage": Exit.USAGE,
    "UnknownCommand": Exit.USAGE,
}
"""By the type of a `ServiceError`; any other one is a refusal."""
_FURTHER = {
    "UnknownItem": "`inocycle inbox --all` lists them",
    "NoSuchCourse": "what happened after its end goes into a new one: `inocycle course start … --another-course REASON`",
}
"""What the command line knows of the way on."""


class Failed(Exception):
    """A command that cannot go on: how it exits, a stable type, words for a person, and more for `--json`."""

    def __init__(self, code: Exit, kind: str, words: str, *shown: RenderableType, **more: Any) -> None:
        super().__init__(words)
        self.code = code
        self.type = kind
        self.words = words
        self.shown = shown
        self.more = more


def answer(as_json: bool, document: Any, *shown: RenderableType) -> None:
    """One JSON document on stdout, or what a person reads."""
    if as_json:
        typer.echo(json.dumps(document, default=_as_plain, ensure_ascii=False, indent=2))
    else:
        render.show(*shown)


def tell(failure: Failed, *, as_json: bool) -> None:
    """A failure in words on stderr; with `--json` also as the one document on stdout."""
    if as_json:
        answer(True, {"error": failure.type, "message": failure.words, **failure.more})
    render.show(*(failure.shown or (f"inocycle: {failure.words}",)), to_stderr=True)


def refused(refusal: Refused, zone: str | None) -> Failed:
    """A refusal as a card: what is refused, each finding, what clears it, and when at the earliest."""
    shown = render.refusal_card(refusal, zone_of(zone))
    return Failed(Exit.REFUSED, refusal.type, refusal.message, shown, refusal=refusal)


def start_refused(refusal: Refused, protocol: Protocol, label: Protocol | None) -> Failed:
    """The refusal of a start; where divergences wait for a word, each with what it changes against the label."""
    shown: list[RenderableType] = [render.refusal_card(refusal, zone_of(None))]
    if refusal.type != "DivergenceNotAcknowledged" or label is None:
        return Failed(Exit.REFUSED, refusal.type, refusal.message, *shown, refusal=refusal)
    rows = [row for row in render.differences(protocol, label) if row["divergence"]]
    rows.sort(key=lambda row: (row["divergence"], row["path"]))
    shown.append(render.differences_table(rows, protocol.name, label.name))
    example = " ".join(f'--acknowledge {d}="…"' for d in protocol.divergences)
    shown.append(f"acknowledge each with a reason: {example}")
    return Failed(Exit.REFUSED, refusal.type, refusal.message, *shown, refusal=refusal, divergences=rows)


def failure_of(error: Exception) -> Failed | None:
    """What went wrong, where it is known to go wrong; `None` for a fault of ours, which keeps its traceback."""
    if isinstance(error, Failed):
        return error
    if isinstance(error, NotReadable):
        words = "\n  ".join(("this cannot be read:", *error.faults)) if len(error.faults) > 1 else error.faults[0]
        return Failed(Exit.USAGE, "NotReadable", words, faults=error.faults)
    if isinstance(error, TimeoutError):
        return Failed(Exit.UNREACHABLE, "NoAnswer", "nobody answered in time; `inocycle worker` starts a worker")
    return _failure_below(error)


def _failure_below(error: Exception) -> Failed | None:
    """The same for what plumbing and the course client raise; imported only once something has gone wrong."""
    from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
    from temporalio.service import RPCError

    from plumbing.connection import TemporalUnreachable
    from plumbing.dev_server import DevServerFailed, NoDevServer
    from plumbing.installation import InstallationRefused
    from plumbing.keys import KeyRefused
    from plumbing.protocol_files import ProtocolError
    from plumbing.settings import SettingsRefused
    from services.errors import ServiceError

    if isinstance(error, ServiceError):
        return _of_service(error)
    if isinstance(error, ProtocolError | SettingsRefused | KeyRefused):
        return Failed(Exit.USAGE, type(error).__name__, str(error))
    if isinstance(error, InstallationRefused):
        return Failed(Exit.REFUSED, type(error).__name__, str(error))
    if isinstance(error, TemporalUnreachable | DevServerFailed | NoDevServer):
        return Failed(Exit.UNREACHABLE, type(error).__name__, str(error))
    if isinstance(error, WorkflowQueryFailedError | WorkflowQueryRejectedError):
        return Failed(Exit.UNREACHABLE, "QueryFailed", "the course could not be looked at; its worker said no")
    if isinstance(error, RPCError):
        words = f"Temporal did not answer as it should ({error.status.name}); `inocycle worker` starts a worker"
        return Failed(Exit.UNREACHABLE, "NoAnswer", words)
    if isinstance(error, KeyError) and "payload encoding" in str(error):  # so the SDK names what no converter takes
        words = "what came back is encrypted with a key that is not among ours; put the right one back"
        return Failed(Exit.USAGE, "KeyGone", words)
    return None


def _of_service(error: "ServiceError") -> Failed:
    """What a course, its server or the inbox said; where the same message may be sent again, its id stands beside it."""
    code = _EXIT_OF_SERVICE_ERROR.get(error.type, Exit.REFUSED)
    if error.type in _FURTHER:
        return Failed(code, error.type, f"{error}; {_FURTHER[error.type]}")
    if error.message_id is None:
        return Failed(code, error.type, str(error))
    words = f"{error}.\nRepeat it with --message-id {error.message_id}"
    return Failed(code, error.type, words, message_id=error.message_id)


def _as_plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
