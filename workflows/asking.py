"""Asking an activity, so that an answer which is none is a failure of that activity.

By itself the SDK reads an answer while it takes in what has happened: one that is not what was promised, such as that of
an activity completed by hand, fails the workflow task, again and again, and the course decides nothing any more.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast, get_type_hints

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

NO_ANSWER: Final = "NotAnAnswer"
_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


async def asked(stub: Callable[[_Asked], Awaitable[_Answer]], argument: _Asked, **how: Any) -> _Answer:
    """The answer of a regular activity. Raises `ActivityError`, also for an answer of another kind than its stub says.

    `how` are the timeouts and other settings of `workflow.execute_activity`. A stub has the name of its activity.
    """
    raw = await workflow.execute_activity(stub.__name__, argument, result_type=RawValue, **how)
    kind = get_type_hints(stub)["return"]
    try:
        answer: Any = workflow.payload_converter().from_payload(raw.payload, kind) if raw is not None else None
        if answer is None and kind is not type(None):
            raise ValueError("it is empty")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is no answer
        raise _no_answer(stub.__name__, error) from ApplicationError(
            f"what came back is not what {stub.__name__} answers", type=NO_ANSWER
        )
    return cast(_Answer, answer)


def is_no_answer(error: ActivityError) -> bool:
    """Whether the activity did come back, with something that is no answer."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == NO_ANSWER


def _no_answer(name: str, error: Exception) -> ActivityError:
    return ActivityError(
        f"{name} gave no answer ({type(error).__name__})",
        scheduled_event_id=0,
        started_event_id=0,
        identity="",
        activity_type=name,
        activity_id="",
        retry_state=None,
    )
