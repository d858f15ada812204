"""Logs without patients: an event name, and values of named keys that look like codes. All else is dropped.

What belongs here: the one chain that every line passes, from this program and from its libraries. A message is free
text and an exception's text repeats its input, so neither is ever written. Of an exception a line has the type and the
places in the code. The way to log is `log.info("dose_refused", course=course_id, rule="NON-02")`, in a workflow
`workflow.logger.info("dose_refused", extra={"rule": "NON-02"})`.
"""

import json
import logging
import math
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

# fmt: off
ALLOWED_KEYS: Final = frozenset({
    "activity", "actor", "address", "attempt", "build", "caused_by", "code", "command", "count", "course", "cycle", "decision",
    "digest", "entries", "error", "key_id", "kind", "logger", "mode", "namespace", "obligation", "port", "protocol",
    "reason_code", "role", "rule", "rules", "rung", "seconds", "size_bytes", "state", "status", "task_queue", "verdict",
    "version", "where", "worker", "workflow",
})
# fmt: on
"""The keys a caller may use. Add one only for ids, codes and counts that say nothing about a patient."""

# No blank, so "Jane Roe" and "ALT 160 U/L" are no codes; short, so a code is no text.
_CODE: Final = re.compile(r"[A-Za-z0-9_.:/@+#<>\[\]-]{1,128}")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WITHHELD: Final = "withheld"
_MOST_ITEMS: Final = 20
_MOST_FRAMES: Final = 6
_MOST_CAUSES: Final = 5

# Beginnings of messages of the SDK, and the names we give them. The rest of those messages is not ours to trust.
_KNOWN_MESSAGES: Final = {
    "Failed activation on workflow": "workflow_task_failed",
    "Failing workflow task": "workflow_task_failed",
    "Failed deserializing signal input": "signal_dropped",
    "Completing activity as failed": "activity_failed",
    "Worker failed, shutting down": "worker_failed",
    "Beginning worker shutdown": "worker_stopping",
    "Task exception was never retrieved": "task_exception_lost",
}
_OTHER_MESSAGE: Final = "library_message"
_CODE_IN_TEXT: Final = re.compile(r"\bTMPRL\d{4}\b|(?<=: )[A-Z][A-Za-z]*Warning(?=: )")  # the SDK's, a warning's class
# Whose messages may be event names of ours: the loggers that workflows and activities are given.
_OURS: Final = ("temporalio.workflow", "temporalio.activity")
_KEYS_OF_THE_SDK: Final = {
    "workflow_id": "course",
    "workflow_type": "workflow",
    "activity_type": "activity",
    "update_name": "command",
    "attempt": "attempt",
}


def configure_logging(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send every log line of this process through the chain, to stderr unless a stream is given.

    JSON lines, or key=value on a terminal. Takes over the standard library's root logger, warnings and the hooks for
    uncaught exceptions, for each of them prints values of its own accord. A library that installs handlers itself
    (uvicorn) must be told not to.
    """
    _OUTPUT.stream = stream
    _OUTPUT.level = level
    structlog.configure(
        processors=_CHAIN,
        wrapper_class=_WRAPPER,
        logger_factory=lambda *_: _OUTPUT,
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_ForeignRecords()]
    logging.root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda lost: _log_lost("thread_failed", lost.exc_value)
    sys.unraisablehook = lambda lost: _log_lost("exception_unraisable", lost.exc_value)


def get_logger() -> FilteringBoundLogger:
    """A logger behind the chain, also in a process that never called `configure_logging`."""
    logger = structlog.wrap_logger(_OUTPUT, processors=_CHAIN, wrapper_class=_WRAPPER)
    return cast("FilteringBoundLogger", logger)


class _Output:
    """Where finished lines go. One for the process, so that loggers made early follow a later configuration."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        self.level = logging.INFO
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        try:
            with self._lock:
                self._file.write(f"{line}\n")
                self._file.flush()
        except (OSError, ValueError):
            return  # the reader has gone or the stream is closed; a lost line must not fail a decision

    debug = info = warning = error = critical = msg

    def is_terminal(self) -> bool:
        return not self._file.closed and self._file.isatty()

    @property
    def _file(self) -> TextIO:
        return self.stream or sys.stderr


class _ForeignRecords(logging.Handler):
    """Takes the standard library's records into the chain, reduced to what is known to be no free text."""

    def emit(self, record: logging.LogRecord) -> None:
        level = max(logging.DEBUG, min(record.levelno // 10 * 10, logging.CRITICAL))
        try:
            get_logger().log(level, _foreign_event(record), exc_info=record.exc_info, **_foreign_fields(record))
        except Exception:  # noqa: BLE001  (whoever logs, a workflow perhaps, must not fail by it)
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say that a line was lost; the inherited method prints the message with its arguments."""
        get_logger().error("log_line_lost", logger=record.name)


def _foreign_event(record: logging.LogRecord) -> str:
    message = _template(record)
    name, _, _ = message.partition(" (")  # behind it the SDK appends its own fields
    if record.name in _OURS and _EVENT.fullmatch(name):
        return name
    return next((ours for text, ours in _KNOWN_MESSAGES.items() if text in message), _OTHER_MESSAGE)


def _foreign_fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = {"logger": record.name}
    if record.lineno:  # the SDK's core, which is not Python, gives none
        fields["where"] = f"{record.module}:{record.funcName}:{record.lineno}"
    for details in (getattr(record, "temporal_workflow", None), getattr(record, "temporal_activity", None)):
        if isinstance(details, Mapping):
            fields |= {ours: details[theirs] for theirs, ours in _KEYS_OF_THE_SDK.items() if theirs in details}
    if code := _CODE_IN_TEXT.search(_template(record)):
        fields["code"] = code.group()
    return fields | {key: value for key, value in vars(record).items() if key in ALLOWED_KEYS}


def _template(record: logging.LogRecord) -> str:
    """The beginning of the message, without its arguments except for a warning, which some versions make one."""
    message = record.getMessage() if record.name == "py.warnings" else record.msg
    return message[:300] if isinstance(message, str) else ""


def _log_uncaught(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    _log_lost("interrupted" if issubclass(kind, KeyboardInterrupt) else "program_failed", error)


def _log_lost(event: str, error: BaseException | None) -> None:
    get_logger().critical(event, exc_info=error)


def _below_level(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if logging.getLevelNamesMapping()[method.upper()] < _OUTPUT.level:
        raise structlog.DropEvent
    return event


def _reduced(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Only the event name, the allowed keys with codes as values, and the exception without its text."""
    error = _exception(event.pop("exc_info", None))
    name = event.pop("event", None)
    kept = {key: _codes(value) for key, value in event.items() if key in ALLOWED_KEYS}
    dropped = len(event) - len(kept)
    return {
        "event": name if isinstance(name, str) and _EVENT.fullmatch(name) else "unnamed_event",
        **kept,
        **(_fault(error) if error else {}),
        **({"dropped": dropped} if dropped else {}),  # says that a key is missing, not which
    }


def _codes(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_code(item) for item in islice(value, _MOST_ITEMS)]
    if isinstance(value, set | frozenset):
        return sorted((_code(item) for item in islice(value, _MOST_ITEMS)), key=repr)
    return _code(value)


def _code(value: object) -> object:
    match value:
        case None | bool():
            return value
        case int() if abs(value) < 2**53:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case str() if _CODE.fullmatch(value):
            return str(value)
        case BaseException():
            return type(value).__name__
        case _:
            return _WITHHELD


def _exception(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    elif exc_info is True:
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _fault(error: BaseException) -> dict[str, object]:
    """The types along the chain of causes, and the innermost places of the code. No text, no local value."""
    causes = [type(cause).__name__ for cause in islice(_causes(error), _MOST_CAUSES)]
    frames = list(traceback.walk_tb(error.__traceback__))[-_MOST_FRAMES:]
    where = [f"{frame.f_globals.get('__name__')}:{frame.f_code.co_name}:{line}" for frame, line in frames]
    return {"error": type(error).__name__, **({"caused_by": causes} if causes else {}), "where": where}


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    cause = _cause(error)
    while cause and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = _cause(cause)


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _rendered(logger: WrappedLogger, method: str, event: EventDict) -> str:
    first = {key: event.pop(key) for key in ("timestamp", "level", "event")}
    line = {**first, **event}
    if _OUTPUT.is_terminal():
        return str(_KEY_VALUE(logger, method, line))
    return json.dumps(line)


_OUTPUT: Final = _Output()
_KEY_VALUE: Final = structlog.processors.KeyValueRenderer(repr_native_str=False)
_WRAPPER: Final = structlog.make_filtering_bound_logger(logging.NOTSET)  # the level is looked up with each line
_CHAIN: Final[list[Any]] = [
    _below_level,
    structlog.contextvars.merge_contextvars,
    _reduced,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _rendered,
]
