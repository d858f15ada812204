"""Asking a running course where it stands: again, in short pauses, while it is deciding, until the time is up.

The server is told to hand no question to a worker together with what has arrived (`plumbing/server_limits.py`). So a
course that is deciding is busy for a look, and the SDK's own pause after that, a second and longer, would be felt.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from services.sending import Patience

LONGEST_PAUSE_S: Final = 0.1
_PASSES: Final[frozenset[RPCStatusCode]] = frozenset({RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNAVAILABLE})


async def look(client: Client, course_id: str, query: str, kind: Any, within: timedelta) -> Any:
    """The answer to one query. Raises `RPCError` once the time is up or for good, `WorkflowQueryFailedError`."""
    patience = Patience(within, LONGEST_PAUSE_S)
    request = QueryWorkflowRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=course_id),
        query=WorkflowQuery(query_type=query),
    )
    while True:
        try:
            answer = await client.workflow_service.query_workflow(request, retry=False, timeout=patience.left)
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise WorkflowQueryFailedError(error.message) from None
            if error.status not in _PASSES or not await patience.again():
                raise
        else:
            [found] = await client.data_converter.decode(list(answer.query_result.payloads), [kind])
            return found
