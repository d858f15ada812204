"""Kept histories replay: a release that changes the order of commands would stall every open course (style: docs).

After an intended change, with `workflow.patched` where courses may be open: `pytest tests/stories --keep-histories`.
"""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from models.carried import Carried
from plumbing.converter import data_converter
from plumbing.keys import TEST_KEY_RING
from tests.conftest import HISTORIES
from worker import WORKFLOWS
from workflows.course import CourseWorkflow

KEPT = sorted(HISTORIES.glob("*.json.gz"))
STORIES_WITH_A_HISTORY = (
    "test-an-invented-patient-is-conducted-from-screening-to-day-100--TreatmentCycle",
    "test-an-invented-patient-is-conducted-from-screening-to-day-100--LiverMonitoring",
    "test-a-withheld-weekly-test",
    "test-an-alt-corrected-at-the-bedside",
    "test-a-newer-alt-that-cannot-be-used",
    "test-the-same-message-twice",
)


def read(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, gzip.decompress(path.read_bytes()).decode())


@pytest.mark.parametrize("path", KEPT, ids=lambda p: p.name.removesuffix(".json.gz"))
async def test_a_kept_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=list(WORKFLOWS), data_converter=data_converter(TEST_KEY_RING))
    await replayer.replay_workflow(read(path))


@pytest.mark.parametrize("story", STORIES_WITH_A_HISTORY)
def test_the_stories_of_the_promises_have_kept_histories(story: str) -> None:
    assert any(path.name.startswith(story) for path in KEPT)


@workflow.defn(name="TreatmentCycle")
class ImpatientCycle(CourseWorkflow):
    """A release that does something to the world before it decides: the commands come in another order."""

    @workflow.init
    def __init__(self, carried: Carried) -> None:
        super().__init__(carried)

    @workflow.run
    async def run(self, carried: Carried) -> str:
        await workflow.execute_activity("write_record", start_to_close_timeout=timedelta(seconds=1))
        return await self.conduct()


async def test_a_changed_order_of_commands_is_caught() -> None:
    changed = Replayer(
        workflows=[ImpatientCycle],
        data_converter=data_converter(TEST_KEY_RING),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    with pytest.raises(workflow.NondeterminismError):
        await changed.replay_workflow(read(next(p for p in KEPT if "TreatmentCycle" in p.name)))
