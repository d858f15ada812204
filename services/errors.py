"""What a door tells a person when a course does not answer with a receipt. Every `type` is stable; no text holds a value."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError, RPCStatusCode

from models.assessment import Refused
from plumbing.executions import HOW_IN_WORDS, STUCK

_WILL_NOT: Final = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,  # among others: larger than the server takes
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.UNIMPLEMENTED,
        RPCStatusCode.OUT_OF_RANGE,
    }
)
"""What the server answers to the same request however often it is sent."""
_TOO_LARGE_FOR_A_CALL: Final = "larger than max"
"""A message over gRPC's 4 MB is turned away with the status of a server that is busy; only the words differ."""


NOBODY: Final = "no worker answered"
WHAT_NAMES_IT: Final = "the log of its worker and Temporal's Web UI name what fails"


class ServiceError(Exception):
    """What a door tells a person. `type` is stable; the text holds no patient value.

    `message_id` is set where the same message may or should be sent again.
    """

    def __init__(self, kind: str, words: str, message_id: str | None = None) -> None:
        super().__init__(words)
        self.type = kind
        self.message_id = message_id


class CourseError(ServiceError):
    """A course, or the server that it runs on, does not answer with a receipt."""


class ItemError(ServiceError):
    """What becomes of a document in the inbox cannot be settled so."""


class CommandRefused(CourseError):
    """The command may not happen. `refusal` says what is missing, by which clause, and what clears it."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.type, refusal.message)
        self.refusal = refusal


class NotConfirmed(CourseError):
    """Nobody answered in time. The message may still be applied; send the same again to learn what became of it."""

    def __init__(self, message_id: str, why: str = NOBODY) -> None:
        words = f"not confirmed: {why}; {message_id} may still be applied"
        super().__init__("NotConfirmed", words, message_id)


def no_such_course(course_id: str) -> CourseError:
    """The server knows no open course of this id."""
    return CourseError("NoSuchCourse", f"no open course {course_id}; it is unknown or has ended")


def broken_off(course_id: str, how: str) -> CourseError:
    """Its execution ended otherwise than by the rules: what it said last is nobody's word any more."""
    words = (
        f"nobody watches {course_id}: {HOW_IN_WORDS.get(how, how)}; no verdict of it holds, and no command reaches it"
    )
    return CourseError("BrokenOff", words)


def decides_nothing(course_id: str) -> CourseError:
    """Its execution runs and cannot go on: no worker that is started helps by itself."""
    return CourseError("DecidesNothing", f"{course_id} decides nothing: {HOW_IN_WORDS[STUCK]}; {WHAT_NAMES_IT}")


def is_final(error: RPCError) -> bool:
    """Whether the server would say the same again."""
    return error.status in _WILL_NOT or _TOO_LARGE_FOR_A_CALL in error.message


def not_taken(error: RPCError, message_id: str | None = None) -> CourseError:
    """The server turns a message away, for its size or for who sends it. It never reached the course."""
    words = f"the server does not take this ({error.status.name}): it is too large, or not allowed"
    return CourseError("NotTaken", words, message_id)


@contextmanager
def told(course_id: str) -> Iterator[None]:
    """Turns what the server says to a look or a start into words for a person: no error of the wire gets past a door."""
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise no_such_course(course_id) from None
        if is_final(error):
            raise not_taken(error) from None
        words = f"nobody answered for {course_id} ({error.status.name}); is a worker running?"
        raise CourseError("NoAnswer", words) from None
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
        raise CourseError("QueryFailed", f"{course_id} could not be looked at; its worker said no") from None
