"""Getting one message through to a course: again with growing pauses while the server is busy, until the time is up.

Everything here may be sent twice: a course knows a message by its id. What comes back is a receipt, a refusal, or words
of `services.errors`, never an error of the wire.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.update.v1 import UpdateRef
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from models.assessment import RECORD_DIFFERS, Receipt, Refused
from models.deciding import RUN_CLOSES
from models.messages import Command, MachineMessage
from plumbing.executions import FAILS, HOW_IN_WORDS, STUCK, standing_of
from services.errors import (
    NOBODY,
    WHAT_NAMES_IT,
    CommandRefused,
    CourseError,
    NotConfirmed,
    is_final,
    no_such_course,
    not_taken,
)

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0
LEAST_S: Final = 0.001
LOOK_WITHIN: Final = timedelta(seconds=5)
PASSES_BY_ITSELF: Final = frozenset({"RulesUnavailable", "HandlerFault", "Unreadable", "SetAside", RECORD_DIFFERS})
"""Failures that are not an answer to what was asked. Temporal keeps them for their update id, so the next attempt has another."""
_RUN_ENDED_UNDER_IT: Final = frozenset({"AcceptedUpdateCompletedWorkflow", RUN_CLOSES})
OPEN: Final = frozenset({WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW})
_Answer = TypeVar("_Answer")


class Patience:
    """The time that one message has, and the pauses between its attempts, each twice as long as the one before."""

    def __init__(self, within: timedelta, longest_pause_s: float = LONGEST_PAUSE_S) -> None:
        self._until = asyncio.get_running_loop().time() + within.total_seconds()
        self._longest_pause_s = longest_pause_s
        self._pause_s = FIRST_PAUSE_S

    @property
    def left(self) -> timedelta:
        """What remains; never nothing, for the server takes that for no limit."""
        return timedelta(seconds=max(LEAST_S, self._left_s))

    async def again(self) -> bool:
        """Wait before the next attempt; `False` at once where no time remains for one."""
        if self._left_s <= self._pause_s:
            return False
        # Forty that were turned away together must not come back together.
        await asyncio.sleep(self._pause_s * random.uniform(0.5, 1))
        self._pause_s = min(self._longest_pause_s, 2 * self._pause_s)
        return True

    @property
    def _left_s(self) -> float:
        return self._until - asyncio.get_running_loop().time()


class Sending:
    """One message on its way to one course."""

    def __init__(self, client: Client, course_id: str, message_id: str, within: timedelta) -> None:
        self._client = client
        self._course_id = course_id
        self._message_id = message_id
        self._patience = Patience(within)

    async def signal(self, message: MachineMessage) -> None:
        """Hand a machine's message to the server, which keeps it until a worker is there."""
        handle = self._client.get_workflow_handle(self._course_id)
        await self._persist(lambda: handle.signal(message.name, message, rpc_timeout=self._patience.left))

    async def command(self, command: Command) -> Receipt:
        """Have a command answered. The attempt that the answer stands under is found anew by whoever asks.

        An outcome that passes by itself is kept by Temporal for its update id for ever. It may be an old one, so the
        first attempt that nobody has sent yet is made at once; what that one says is news, and is told.
        """
        try:
            return await self._attempt(command, 1)
        except CourseError as error:
            if error.type not in PASSES_BY_ITSELF:
                raise
            said = error
        try:
            return await self._attempt(command, await self._first_not_sent(command))
        except NotConfirmed:
            raise said from None  # the course did answer, and this is what it said

    async def _attempt(self, command: Command, attempt: int) -> Receipt:
        try:
            return await self._persist(lambda: self._updated(command, attempt))
        except WorkflowUpdateFailedError as error:
            raise _refusal_in(error, command.id) from None

    async def _updated(self, command: Command, attempt: int) -> Receipt:
        # The timeout of one call is not enough: while no worker is there the SDK calls again without end.
        left = self._patience.left
        async with asyncio.timeout(left.total_seconds()):
            receipt: Receipt = await self._client.get_workflow_handle(self._course_id).execute_update(
                command.name, command, id=command.update_id(attempt), result_type=Receipt, rpc_timeout=left
            )
        return receipt

    async def _persist(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Ask until there is an answer. Raises what the server's last word means once it is final or the time is up."""
        why = NOBODY
        while True:
            try:
                return await ask()
            except RPCError as error:
                why = await self._must_pass_by_itself(error, first=why is NOBODY)
            except WorkflowUpdateFailedError as error:
                if not _run_ended_under(error):
                    raise
                why = "the run ended before it answered"
            except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
                raise await self._not_confirmed(why) from None
            if not await self._patience.again():
                raise await self._not_confirmed(why)

    async def _not_confirmed(self, why: str) -> NotConfirmed:
        """What to say when the time is up: whether anybody could have answered at all is asked of the server."""
        if await fails(self._client, self._course_id):
            why = f"this course decides nothing: {HOW_IN_WORDS[STUCK]}, and {WHAT_NAMES_IT}"
        return NotConfirmed(self._message_id, why)

    async def _must_pass_by_itself(self, error: RPCError, *, first: bool) -> str:
        """What the server said, in a few words. Raises where another attempt would hear the same."""
        if is_final(error):
            raise not_taken(error, self._message_id) from None
        if error.status is RPCStatusCode.NOT_FOUND and not await _may_go_on(self._client, self._course_id):
            if first:
                raise no_such_course(self._course_id) from None
            raise NotConfirmed(self._message_id, "the course ended before it answered") from None
        return f"the server was busy or away ({error.status.name})"

    # ── attempts ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _first_not_sent(self, command: Command) -> int:
        """The first attempt behind those that the server knows, in a few looks however many there were."""
        known, unknown = 1, 2
        while await self._was_sent(command, unknown):
            known, unknown = unknown, 2 * unknown
        while unknown - known > 1:
            between = (known + unknown) // 2
            known, unknown = (between, unknown) if await self._was_sent(command, between) else (known, between)
        return unknown

    async def _was_sent(self, command: Command, attempt: int) -> bool:
        """Whether the current run holds an outcome of this attempt, or is at it. Asks the server only, no worker."""
        reference = UpdateRef(
            workflow_execution=WorkflowExecution(workflow_id=self._course_id), update_id=command.update_id(attempt)
        )
        request = PollWorkflowExecutionUpdateRequest(namespace=self._client.namespace, update_ref=reference)
        return await self._persist(lambda: self._is_known(request))

    async def _is_known(self, request: PollWorkflowExecutionUpdateRequest) -> bool:
        try:
            await self._client.workflow_service.poll_workflow_execution_update(request, timeout=self._patience.left)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True


async def fails(client: Client, course_id: str) -> bool:
    """Whether the course's workflow task fails, so that it answers nobody. Not so where the server does not say."""
    try:
        return await standing_of(client, course_id, LOOK_WITHIN, FAILS) == STUCK
    except RPCError:
        return False


async def _may_go_on(client: Client, course_id: str) -> bool:
    """Whether a course goes on. Between two runs the server says NOT_FOUND to a command that it has or will have.

    A server that does not say counts as a course that goes on: nobody is told that it ended who does not know.
    """
    try:
        found = await client.get_workflow_handle(course_id).describe(rpc_timeout=LOOK_WITHIN)
    except RPCError as error:
        return error.status is not RPCStatusCode.NOT_FOUND
    return found.status in OPEN


def _run_ended_under(error: WorkflowUpdateFailedError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type in _RUN_ENDED_UNDER_IT


def _refusal_in(error: WorkflowUpdateFailedError, message_id: str) -> CourseError:
    cause: Any = error.cause
    if not isinstance(cause, ApplicationError) or not cause.non_retryable:  # whatever a course says itself is for good
        return CourseError("HandlerFault", "the service failed to handle this", message_id)
    if cause.details:
        return CommandRefused(Refused.model_validate_json(json.dumps(cause.details[0])))
    kind = cause.type or "Refused"
    return CourseError(kind, cause.message, message_id if kind in PASSES_BY_ITSELF else None)
