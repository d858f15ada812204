"""Whether a course made from its record alone is the one that its execution carried from run to run."""

from collections.abc import AsyncIterator, Sequence

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client

from models.carried import Carried
from models.record import RecordEntry
from record.take_over import take_over


async def same_as_carried(client: Client, course_id: str, entries: Sequence[RecordEntry]) -> int:
    """Compare what each run was given with what the entries before it make; returns how many runs were compared."""
    compared = 0
    async for carried in _carried_into(client, course_id):
        taken = take_over(entries[: carried.next_decision - 1])
        made, was = _recorded(taken, carried), _recorded(carried, carried)
        assert made == was, {name: (made[name], was[name]) for name in made if made[name] != was[name]}
        compared += 1
    return compared


def _recorded(one: Carried, carried: Carried) -> dict[str, object]:
    """What the record knows of a state. A cycle that is new begins with its run, and no entry can say when."""
    left_out = {"answers", "waiting", "unwritten", "untold", "adopted", "raw", "failing_since", "compared"}
    if carried.cycle_started_at is None:
        left_out |= {"cycle_started_at"}
    known = {answer.message_id: answer for answer in one.answers}
    return {
        **one.model_dump(exclude=left_out),
        "answers": {a.message_id: known.get(a.message_id) for a in carried.answers},
    }


async def _carried_into(client: Client, course_id: str) -> AsyncIterator[Carried]:
    """What each run but the first was given, the newest first."""
    run_id = (await client.get_workflow_handle(course_id).describe()).run_id
    while True:
        request = GetWorkflowExecutionHistoryRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=course_id, run_id=run_id),
            maximum_page_size=1,
        )
        history = await client.workflow_service.get_workflow_execution_history(request)
        began = history.history.events[0].workflow_execution_started_event_attributes
        if not (run_id := began.continued_execution_run_id):
            return
        (carried,) = await client.data_converter.decode(list(began.input.payloads), [Carried])
        yield carried
