"""Kept histories replay: a release that changes the order of commands, or a hash of before, would stall or belie open courses.

After an intended change, with `workflow.patched` where courses may be open, the histories of the release that runs are
recorded anew: `pytest tests/stories/test_article_course.py tests/stories/test_label_course.py
tests/stories/test_at_the_bedside.py --keep-histories`. Those of former releases stay as they are; a story that resets its
course is not kept, for the record holds what came after the reset.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

import models.record
import workflows.course
from models.assessment import Assessment
from models.base import canonical_json
from models.carried import Carried
from models.deciding import Answered
from models.record import Recorded, sha256_of
from plumbing.converter import data_converter
from plumbing.keys import TEST_KEY_RING
from tests.replay.chain import replayed_links
from tests.replay.kept import kept_histories, read_history, read_links, written_links
from workflows.course import CourseWorkflow

KEPT = kept_histories()
STORIES_WITH_A_HISTORY = (
    "test-an-invented-patient-is-conducted-from-screening-to-day-100--TreatmentCycle",
    "test-an-invented-patient-is-conducted-from-screening-to-day-100--LiverMonitoring",
    "test-a-withheld-weekly-test",
    "test-an-alt-corrected-at-the-bedside",
    "test-a-newer-alt-that-cannot-be-used",
    "test-the-same-message-twice",
)


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name.removesuffix('.json.gz')}"


@pytest.mark.parametrize("path", KEPT, ids=name_of)
async def test_a_kept_history_replays_and_hands_the_record_what_it_held_then(path: Path) -> None:
    history, links = read_history(path), read_links(path)
    assert await written_links(history) == links
    assert await replayed_links(history) == links
    assert links or "LiverMonitoring" in path.name


@pytest.mark.parametrize("story", STORIES_WITH_A_HISTORY)
def test_the_stories_of_the_promises_have_kept_histories(story: str) -> None:
    assert any(path.name.startswith(story) for path in KEPT)


def one_history() -> Path:
    return next(path for path in KEPT if path.name.startswith("test-an-alt-corrected-at-the-bedside"))


# ── a release that differs ─────────────────────────────────────────────────────────────────────────────────────────


class LaterAssessment(Assessment):
    """A later release says more of a course; what an earlier one has decided does not say it."""

    planted: str = "by a later release"


class LaterRecorded(Recorded):
    """The same of a decision."""

    planted: str = "by a later release"
    assessment: LaterAssessment


def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (models.record, workflows.course):
        monkeypatch.setattr(module, "Recorded", LaterRecorded)


@workflow.defn(name="TreatmentCycle")
class DumpingCycle(CourseWorkflow):
    """A workflow that writes down anew what it was answered, by the models of today."""

    @workflow.init
    def __init__(self, carried: Carried) -> None:
        super().__init__(carried)

    @workflow.run
    async def run(self, carried: Carried) -> str:
        return await self.conduct()

    def _queue(self, answered: Answered, first_index: int) -> None:
        content = canonical_json(models.record.Recorded.model_validate_json(answered.content))
        anew = {"content": content, "content_sha256": sha256_of(content)}
        super()._queue(answered.model_copy(update=anew), first_index)


async def test_a_field_that_a_later_release_adds_changes_no_hash_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch)
    path = one_history()
    assert await replayed_links(read_history(path)) == read_links(path)
    unsandboxed = UnsandboxedWorkflowRunner()  # where what is planted is certainly what the workflow sees
    assert await replayed_links(read_history(path), runner=unsandboxed) == read_links(path)


async def test_a_workflow_that_wrote_models_would_be_caught_by_such_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    history, links = read_history(one_history()), read_links(one_history())
    runner = UnsandboxedWorkflowRunner()
    assert await replayed_links(history, workflows=[DumpingCycle], runner=runner) == links  # today nobody would notice
    planted(monkeypatch)
    # Its hashes are no longer those of the record's head in the history: it calls for a difference that there never was.
    with pytest.raises(workflow.NondeterminismError):
        await replayed_links(history, workflows=[DumpingCycle], runner=runner)


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
        await changed.replay_workflow(read_history(one_history()))
