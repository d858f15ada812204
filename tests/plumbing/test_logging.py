"""Logs: lines have names, codes and counts; a canary put anywhere does not come out."""

import io
import json
import logging
import sys
import threading
import warnings
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from plumbing.logging import ALLOWED_KEYS, configure_logging, get_logger

CANARY = "CANARY Jane Roe 1980-01-31"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out(log: io.StringIO) -> io.StringIO:
    """Logging as a process sets it up, into memory."""
    return log


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    assert "CANARY" not in out.getvalue()
    assert "Jane" not in out.getvalue()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def line(out: io.StringIO) -> dict[str, Any]:
    (only,) = lines(out)
    return only


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001  (a test raises what it likes)
        return caught


def test_a_line_says_what_happened_and_where(out: io.StringIO) -> None:
    get_logger().info("dose_refused", course="course-1", rule="NON-02", rules=["NON-02", "DAY-03"], count=2)
    written = line(out)
    assert list(written)[:3] == ["timestamp", "level", "event"]
    assert written.pop("timestamp").endswith("Z")
    assert written == {
        "level": "info",
        "event": "dose_refused",
        "course": "course-1",
        "rule": "NON-02",
        "rules": ["NON-02", "DAY-03"],
        "count": 2,
    }


def test_a_key_not_allowed_is_dropped_and_counted(out: io.StringIO) -> None:
    get_logger().info("dose_refused", name=CANARY, patient={"name": CANARY}, CANARY=1, course="c")
    written = line(out)
    assert (written["course"], written["dropped"]) == ("c", 3)
    assert not {"name", "patient", "CANARY"} & set(written)


class Verdict(StrEnum):
    HOLD = "HOLD"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (CANARY, "withheld"),
        ("ALT 160 U/L", "withheld"),
        ("Müller", "withheld"),
        ("x" * 129, "withheld"),
        ("", "withheld"),
        ("a\nb", "withheld"),
        (b"CANARY", "withheld"),
        ({"name": CANARY}, "withheld"),
        (object(), "withheld"),
        (float("nan"), "withheld"),
        (10**400, "withheld"),
        ([CANARY, "NON-02", ["CANARY"]], ["withheld", "NON-02", "withheld"]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (ValueError(CANARY), "ValueError"),
        (Verdict.HOLD, "HOLD"),
        ("127.0.0.1:7233", "127.0.0.1:7233"),
        (1.5, 1.5),
        (None, None),
        (True, True),
    ],
)
def test_only_codes_and_numbers_are_values(out: io.StringIO, value: object, shown: object) -> None:
    get_logger().info("seen", state=value)
    assert line(out)["state"] == shown


@pytest.mark.parametrize("event", [CANARY, "", "Jane", "dose for CANARY", "x" * 65])
def test_an_event_without_a_name_is_not_repeated(out: io.StringIO, event: str) -> None:
    get_logger().warning(event)
    assert line(out)["event"] == "unnamed_event"


def test_positional_arguments_do_not_get_in(out: io.StringIO) -> None:
    get_logger().warning("dose for %s", CANARY)
    assert line(out)["event"] == "unnamed_event"


def test_an_exception_is_its_types_and_places(out: io.StringIO) -> None:
    log = get_logger()
    log.error("write_failed", exc_info=raised(KeyError(CANARY), cause=ValueError(CANARY)))
    written = line(out)
    assert (written["error"], written["caused_by"]) == ("KeyError", ["ValueError"])
    assert ":raised:" in written["where"][-1]


def test_log_exception_reduces_the_current_one(out: io.StringIO) -> None:
    name = CANARY
    try:
        raise ApplicationError(name, name, type="DoseGateClosed")
    except ApplicationError:
        get_logger().exception("write_failed")
    assert line(out)["error"] == "ApplicationError"


def test_a_circle_of_causes_ends(out: io.StringIO) -> None:
    first, second = ValueError(CANARY), KeyError(CANARY)
    first.__cause__, second.__cause__ = second, first
    get_logger().error("write_failed", exc_info=first)
    assert line(out)["caused_by"] == ["KeyError"]


def test_bound_and_context_values_pass_the_same_chain(out: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(course="c", name=CANARY):
        get_logger().bind(rule=CANARY).info("seen")
    written = line(out)
    assert (written["course"], written["rule"], written["dropped"]) == ("c", "withheld", 1)


def test_a_logger_of_structlog_itself_passes_the_same_chain(out: io.StringIO) -> None:
    structlog.get_logger().info(CANARY, name=CANARY)
    assert line(out)["event"] == "unnamed_event"


def test_a_logger_made_before_logging_was_set_up_follows(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    log = get_logger()
    log.info("first")
    other = io.StringIO()
    configure_logging(other)
    log.info("second", name=CANARY)
    assert [entry["event"] for entry in lines(out)] == ["first"]
    assert line(other)["event"] == "second"
    configure_logging()
    log.info("third")
    assert json.loads(capsys.readouterr().err)["event"] == "third"


def test_the_level_is_kept(out: io.StringIO) -> None:
    configure_logging(out, level=logging.WARNING)
    get_logger().info("quiet")
    get_logger().warning("heard")
    logging.getLogger("other").info("quiet")
    assert line(out)["event"] == "heard"


def test_a_terminal_gets_key_and_value() -> None:
    stream = Terminal()
    configure_logging(stream)
    get_logger().info("dose_refused", course="c", rule=CANARY)
    assert "level=info event=dose_refused course=c rule=withheld" in stream.getvalue()


def test_a_closed_stream_fails_nobody(out: io.StringIO) -> None:
    closed = io.StringIO()
    configure_logging(closed)
    closed.close()
    get_logger().info("unheard")


# The standard library and Temporal.


def test_a_library_message_is_only_its_origin(out: io.StringIO) -> None:
    logging.getLogger("library").warning("patient %s", CANARY)
    logging.getLogger("library").warning(f"patient {CANARY}")
    logging.getLogger("library").warning("jane_roe_canary")
    logging.getLogger("library").log(25, {"CANARY": 1})
    for written in lines(out):
        assert (written["event"], written["logger"]) == ("library_message", "library")
        assert written["where"].startswith("test_logging:test_a_library_message")


def handle(record: logging.LogRecord) -> None:
    """Give a record to our handler alone: pytest's own would raise."""
    (ours,) = (handler for handler in logging.root.handlers if type(handler).__module__ == "plumbing.logging")
    ours.handle(record)


def test_arguments_that_do_not_fit_print_nothing(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    handle(logging.makeLogRecord({"name": "library", "levelno": 30, "msg": "%d", "args": (CANARY,)}))
    assert line(out)["event"] == "library_message"
    assert capsys.readouterr().err == ""


def test_a_record_that_cannot_be_read_fails_nobody(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    handle(logging.makeLogRecord({"name": "py.warnings", "levelno": 30, "msg": "%d", "args": (CANARY,)}))
    assert (line(out)["event"], line(out)["logger"]) == ("log_line_lost", "py.warnings")
    assert capsys.readouterr().err == ""


def test_extra_fields_pass_the_same_chain(out: io.StringIO) -> None:
    extra = {"rule": "NON-02", "state": CANARY, "name_of_patient": CANARY}
    logging.getLogger("temporalio.workflow").info("dose_refused ({'workflow_id': 'CANARY'})", extra=extra)
    written = line(out)
    assert (written["event"], written["rule"], written["state"]) == ("dose_refused", "NON-02", "withheld")


def test_what_temporal_adds_is_reduced_to_ids(out: io.StringIO) -> None:
    details = {
        "workflow_id": "course-1",
        "workflow_type": "TreatmentCycle",
        "attempt": 3,
        "run_id": "r",
        "memo": CANARY,
    }
    logging.getLogger("temporalio.worker._workflow_instance").warning(
        f"Failed activation on workflow TreatmentCycle with ID course-1: {CANARY}",
        exc_info=raised(RuntimeError(CANARY)),
        extra={"temporal_workflow": details, "__temporal_error_identifier": CANARY},
    )
    written = line(out)
    assert written["event"] == "workflow_task_failed"
    assert (written["course"], written["workflow"], written["attempt"]) == ("course-1", "TreatmentCycle", 3)
    assert written["error"] == "RuntimeError"


def test_a_code_of_the_sdk_is_kept(out: io.StringIO) -> None:
    logging.getLogger("temporalio.worker").warning(f"[TMPRL1101] Potential deadlock {CANARY}")
    assert line(out)["code"] == "TMPRL1101"


def test_a_warning_is_its_class(out: io.StringIO) -> None:
    warnings.warn(f"[input_value={CANARY!r}]", UserWarning, stacklevel=1)
    assert (line(out)["logger"], line(out)["code"]) == ("py.warnings", "UserWarning")


def test_an_uncaught_exception_is_its_types_and_places(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    error = raised(ValueError(CANARY))
    sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(CANARY), None)

    def fail() -> None:
        raise LookupError(CANARY)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    lost = SimpleNamespace(exc_value=OSError(CANARY), err_msg=CANARY, object=CANARY)
    sys.unraisablehook(cast("sys.UnraisableHookArgs", lost))
    assert [(entry["event"], entry["error"]) for entry in lines(out)] == [
        ("program_failed", "ValueError"),
        ("interrupted", "KeyboardInterrupt"),
        ("thread_failed", "LookupError"),
        ("exception_unraisable", "OSError"),
    ]
    assert "CANARY" not in capsys.readouterr().err


TEXT = st.text(min_size=1, max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(event=TEXT, fields=st.dictionaries(st.sampled_from(sorted(ALLOWED_KEYS)) | TEXT, VALUES, max_size=6))
def test_no_text_with_a_blank_in_it_comes_out(event: str, fields: dict[str, object]) -> None:
    stream = io.StringIO()
    before = list(logging.root.handlers)
    try:
        configure_logging(stream)
        fields = {key: value for key, value in fields.items() if key not in {"event", "self", "level", "exc_info"}}
        get_logger().bind(**fields).info(event.replace("%", ""))
    finally:
        logging.root.handlers = before
    written = json.loads(stream.getvalue())
    assert set(written) <= ALLOWED_KEYS | {"timestamp", "level", "event", "dropped"}
    for value in written.values():
        for item in value if isinstance(value, list) else [value]:
            assert not (isinstance(item, str) and " " in item)
