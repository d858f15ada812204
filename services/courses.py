"""How a door speaks to a course: signal, command, look. One place for ids, update ids and refusals."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from models.assessment import Assessment, Receipt, Refused
from models.base import Frozen
from models.chart import Chart
from models.messages import Command, MachineMessage
from models.status import Status

ANSWER_WITHIN = timedelta(seconds=20)
BETWEEN_LOOKS = timedelta(milliseconds=50)
Answer = TypeVar("Answer", bound=Frozen)


class CourseError(Exception):
    """What a door tells a person. `type` is stable; the text holds no patient value."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.type = kind


class CommandRefused(CourseError):
    """The command may not happen. `refusal` says what is missing, by which clause, and what clears it."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.type, refusal.message)
        self.refusal = refusal


class NotConfirmed(CourseError):
    """Nobody answered in time. The command may still be applied; send the same again to learn its receipt."""

    def __init__(self, message_id: str) -> None:
        super().__init__(
            "NotConfirmed", f"not confirmed: no worker answered; send {message_id} again, with the same id"
        )


class CourseClient:
    """The courses behind one Temporal client."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self.client = client
        self.task_queue = task_queue

    def handle(self, course_id: str) -> WorkflowHandle[Any, Any]:
        """The course's execution, whichever run is current."""
        return self.client.get_workflow_handle(course_id)

    async def send(self, course_id: str, message: MachineMessage) -> None:
        """Send a machine's message; it is decided on when a worker is there."""
        with _told(course_id):
            await self.handle(course_id).signal(message.name, message)

    async def command(self, course_id: str, command: Command, within: timedelta = ANSWER_WITHIN) -> Receipt:
        """Give a command and wait for its receipt. Raises `CommandRefused`, `NotConfirmed` or `CourseError`."""
        try:
            with _told(course_id):
                receipt: Receipt = await self.handle(course_id).execute_update(
                    command.name, command, id=command.update_id(), result_type=Receipt, rpc_timeout=within
                )
                return receipt
        except WorkflowUpdateFailedError as error:
            raise _refusal_in(error) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise NotConfirmed(command.id) from None

    async def status(self, course_id: str) -> Status:
        """Where the course stands, in a few words."""
        return await self._look(course_id, "status", Status)

    async def settled(self, course_id: str) -> Status:
        """Where the course stands once it has judged everything that was sent before; as it is after 20 seconds."""
        for _ in range(int(ANSWER_WITHIN / BETWEEN_LOOKS)):
            status = await self.status(course_id)
            if not status.waiting and status.state is not None:
                return status
            await asyncio.sleep(BETWEEN_LOOKS.total_seconds())
        return status

    async def assessment(self, course_id: str) -> Assessment:
        """The whole card. Raises `CourseError` of type `NotAssessedYet` before the first decision."""
        with _told(course_id):
            found = await self.handle(course_id).query(
                "assessment",
                result_type=Assessment | None,  # type: ignore[arg-type]
                rpc_timeout=ANSWER_WITHIN,
            )
        if found is None:
            raise CourseError("NotAssessedYet", f"{course_id} has not been assessed yet")
        return Assessment.model_validate(found)

    async def chart(self, course_id: str) -> Chart:
        """All facts of the course."""
        return await self._look(course_id, "chart", Chart)

    def listed(self, query: str = "") -> AsyncIterator[WorkflowExecution]:
        """The current executions of courses, by a visibility query."""
        kinds = "WorkflowType IN ('TreatmentCycle', 'LiverMonitoring')"
        return self.client.list_workflows(f"{kinds} AND ({query})" if query else kinds)

    async def _look(self, course_id: str, query: str, kind: type[Answer]) -> Answer:
        with _told(course_id):
            found: Answer = await self.handle(course_id).query(query, result_type=kind, rpc_timeout=ANSWER_WITHIN)
            return found


@contextmanager
def _told(course_id: str) -> Iterator[None]:
    """Turns what the server says into words for a person."""
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise CourseError("NoSuchCourse", f"no open course {course_id}; it is unknown or has ended") from None


def _refusal_in(error: WorkflowUpdateFailedError) -> CourseError:
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return CourseError("HandlerFault", "the service failed to handle this")
    if cause.details:
        return CommandRefused(Refused.model_validate_json(json.dumps(cause.details[0])))
    return CourseError(cause.type or "Refused", cause.message)
