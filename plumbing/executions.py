"""How a course's execution stands at Temporal: asked of itself, for the server's list is seconds behind."""

from datetime import timedelta
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

RUNNING, GONE, STUCK = "running", "gone", "stuck"
FAILS_FOR_GOOD: Final = 4
"""The attempt at one workflow task from which people are called: a worker that was killed costs one, a slow one two."""
FAILS: Final = 3
"""The attempt from which whoever asks is told; the server answers no question to the course from here on."""
REPORTED: Final = "TemporalReportedProblems"
"""The search attribute that the server sets where a workflow task fails again and again."""

HOW_IN_WORDS: Final = {
    "terminated": "its execution was terminated",
    "canceled": "its execution was cancelled",
    "failed": "its execution failed",
    "timed_out": "its execution timed out",
    "completed": "its execution has ended before the course",
    "paused": "its execution is paused",
    GONE: "its execution is not there: deleted, or lost with Temporal's database",
    STUCK: "its workflow task fails",
}


async def standing_of(
    client: Client, course_id: str, within: timedelta | None = None, fails_from: int | None = None
) -> str:
    """How the current run stands: a word of `HOW_IN_WORDS`, or `running` where nothing is wrong. Raises `RPCError`.

    `fails_from`: the attempt from which a workflow task counts as failing, else `FAILS_FOR_GOOD`.
    """
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=course_id)
    )
    try:
        answer = await client.workflow_service.describe_workflow_execution(request, timeout=within)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return GONE
    how = word_for(answer.workflow_execution_info.status)
    return STUCK if how == RUNNING and _task_fails(answer, fails_from or FAILS_FOR_GOOD) else how


def word_for(status: WorkflowExecutionStatus.ValueType) -> str:
    """A status by its name: the SDK's own list of them lacks "paused"."""
    return WorkflowExecutionStatus.Name(status).removeprefix("WORKFLOW_EXECUTION_STATUS_").lower()


def _task_fails(answer: DescribeWorkflowExecutionResponse, fails_from: int) -> bool:
    reported = answer.workflow_execution_info.search_attributes.indexed_fields
    return answer.pending_workflow_task.attempt >= fails_from or REPORTED in reported
