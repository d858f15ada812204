"""How a door speaks to a course: signal, command, look. One place for ids, update ids and refusals."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowExecution, WorkflowHandle

from models.assessment import Assessment, Receipt
from models.attributes import OF_COURSES
from models.base import Frozen
from models.chart import Chart
from models.messages import Command, MachineMessage
from models.status import Status
from plumbing.executions import FAILS, GONE, RUNNING, STUCK, standing_of
from services.errors import (
    CommandRefused,
    CourseError,
    NotConfirmed,
    broken_off,
    decides_nothing,
    no_such_course,
    told,
)
from services.looking import BETWEEN_TWO_RUNS, look
from services.sending import OPEN, Sending

__all__ = ["ANSWER_WITHIN", "CommandRefused", "CourseClient", "CourseError", "NotConfirmed"]

ANSWER_WITHIN = timedelta(seconds=20)
ENDED = (GONE, "completed")
GOES_ON = (RUNNING, BETWEEN_TWO_RUNS)
BETWEEN_LOOKS = timedelta(milliseconds=50)
Answer = TypeVar("Answer", bound=Frozen)


class CourseClient:
    """The courses behind one Temporal client."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self.client = client
        self.task_queue = task_queue

    def handle(self, course_id: str) -> WorkflowHandle[Any, Any]:
        """The course's execution, whichever run is current."""
        return self.client.get_workflow_handle(course_id)

    async def send(self, course_id: str, message: MachineMessage, within: timedelta = ANSWER_WITHIN) -> None:
        """Send a machine's message; it is decided on when a worker is there. Raises `NotConfirmed` or `CourseError`."""
        await Sending(self.client, course_id, message.id, within).signal(message)

    async def command(self, course_id: str, command: Command, within: timedelta = ANSWER_WITHIN) -> Receipt:
        """Give a command and wait for its receipt. Raises `CommandRefused`, `NotConfirmed` or `CourseError`."""
        return await Sending(self.client, course_id, command.id, within).command(command)

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
        with told(course_id):
            found = await look(self.client, course_id, "assessment", Assessment | None, ANSWER_WITHIN)
        if found is None:
            raise CourseError("NotAssessedYet", f"{course_id} has not been assessed yet")
        return Assessment.model_validate(found)

    async def chart(self, course_id: str) -> Chart:
        """All facts of the course."""
        return await self._look(course_id, "chart", Chart)

    async def listed(self, query: str = "") -> AsyncIterator[WorkflowExecution]:
        """The current executions of courses, by a visibility query. Raises `CourseError`."""
        with told("the list of courses"):
            async for execution in self.client.list_workflows(f"{OF_COURSES} AND ({query})" if query else OF_COURSES):
                yield execution

    async def is_open(self, course_id: str) -> bool:
        """Whether the server knows the course and it has not ended. Raises `CourseError` where nobody answers."""
        try:
            with told(course_id):
                return (await self.handle(course_id).describe(rpc_timeout=ANSWER_WITHIN)).status in OPEN
        except CourseError as error:
            if error.type != "NoSuchCourse":
                raise
            return False

    async def must_be_open(self, course_id: str) -> None:
        """Raises `CourseError` where the server knows no open course of this id, or one that decides nothing."""
        with told(course_id):
            how = await standing_of(self.client, course_id, ANSWER_WITHIN, FAILS)
        if how == STUCK:
            raise decides_nothing(course_id)
        if how in ENDED:
            raise no_such_course(course_id)
        if how not in GOES_ON:
            raise broken_off(course_id, how)

    async def zone(self, course_id: str) -> str | None:
        """The zone of a course from its memo, for which no worker is needed; nothing where nobody answers."""
        try:
            with told(course_id):
                described = await self.handle(course_id).describe(rpc_timeout=ANSWER_WITHIN)
            return str(await described.memo_value("zone", default="UTC"))
        except (CourseError, KeyError, ValueError, RuntimeError):  # or its memo is encrypted with a key that is gone
            return None

    async def _look(self, course_id: str, query: str, kind: type[Answer]) -> Answer:
        with told(course_id):
            return kind.model_validate(await look(self.client, course_id, query, kind, ANSWER_WITHIN))
