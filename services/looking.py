"""Asking a running course where it stands: again, in short pauses, while it is deciding, until the time is up.

The server is told to hand no question to a worker together with what has arrived (`plumbing/server_limits.py`). So a
course that is deciding is busy for a look, and the SDK's own pause after that, a second and longer, would be felt.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import QueryRejectCondition
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from plumbing.executions import word_for
from services.errors import broken_off, decides_nothing
from services.sending import Patience, fails

LONGEST_PAUSE_S: Final = 0.1
BETWEEN_TWO_RUNS: Final = "continued_as_new"
_PASSES: Final[frozenset[RPCStatusCode]] = frozenset({RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNAVAILABLE})


async def look(client: Client, course_id: str, query: str, kind: Any, within: timedelta) -> Any:
    """The answer to one query.

    Raises `RPCError` once the time is up or for good, `WorkflowQueryFailedError`, and `CourseError` of a course that was
    broken off or decides nothing.
    """
    patience = Patience(within, LONGEST_PAUSE_S)
    request = QueryWorkflowRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=course_id),
        query=WorkflowQuery(query_type=query),
        # A course that was broken off would answer as it stood then, and be believed.
        query_reject_condition=QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY,
    )
    while True:
        try:
            answer = await client.workflow_service.query_workflow(request, retry=False, timeout=patience.left)
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise WorkflowQueryFailedError(error.message) from None
            if error.status not in _PASSES or not await patience.again():
                if error.status is not RPCStatusCode.NOT_FOUND and await fails(client, course_id):
                    raise decides_nothing(course_id) from None
                raise
        else:
            if answer.HasField("query_rejected"):
                if (how := word_for(answer.query_rejected.status)) == BETWEEN_TWO_RUNS and await patience.again():
                    continue
                raise broken_off(course_id, how)
            [found] = await client.data_converter.decode(list(answer.query_result.payloads), [kind])
            return found
