"""The chain of a run as today's workflows compute it from a kept history: what they would hand to the record, link by link."""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import (
    Interceptor,
    Replayer,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from models.record import RecordBatch, RecordEntry
from plumbing.converter import data_converter
from plumbing.keys import TEST_KEY_RING, KeyRing
from worker import WORKFLOWS

Link = tuple[int, str, str]
"""Number, hash of the content, hash of the link: what the record's row says of a decision."""


def link_of(entry: RecordEntry) -> Link:
    return entry.number, entry.content_sha256, entry.sha256


class Links(Interceptor):
    """Sees what a workflow hands to `write_record`, at a replay too; the server compares no inputs."""

    def __init__(self) -> None:
        self.handed: dict[int, Link] = {}

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        handed = self.handed

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
                for batch in (b for b in input.args if isinstance(b, RecordBatch)):
                    for entry in batch.entries:
                        link = link_of(entry)
                        assert handed.setdefault(entry.number, link) == link, "one number, two links"
                return super().start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


async def replayed_links(
    history: WorkflowHistory,
    ring: KeyRing = TEST_KEY_RING,
    workflows: Sequence[type] = WORKFLOWS,
    runner: WorkflowRunner | None = None,
) -> list[Link]:
    """The links of one run, in order. Raises what the replay raises."""
    links = Links()
    replayer = Replayer(
        workflows=list(workflows),
        data_converter=data_converter(ring),
        interceptors=[links],
        workflow_runner=runner or SandboxedWorkflowRunner(),
        debug_mode=True,  # takes the 2 s of the wall clock away: a busy machine is no difference
    )
    await replayer.replay_workflow(history)
    return [links.handed[number] for number in sorted(links.handed)]


async def histories_of(client: Client, course_id: str) -> list[WorkflowHistory]:
    """The histories of all runs of a course, oldest first."""
    found: list[WorkflowHistory] = []
    run_id: str | None = None
    while True:
        history = await client.get_workflow_handle(course_id, run_id=run_id).fetch_history()
        found.insert(0, history)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return found


async def links_of_runs(runs: Sequence[WorkflowHistory], ring: KeyRing = TEST_KEY_RING) -> list[Link]:
    """The links of a course over all its runs; what a run had not written yet the next one hands over again."""
    handed = {link[0]: link for history in runs for link in await replayed_links(history, ring)}
    return [handed[number] for number in sorted(handed)]
