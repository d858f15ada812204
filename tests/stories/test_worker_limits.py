"""A worker keeps to the limits of its settings, and its threads end with it."""

from pathlib import Path

import pytest
from temporalio.worker import Worker

from plumbing.settings import Settings
from tests.stories.conftest import SmallWard
from worker import STUCK_AFTER_S, WORKFLOWS, make_worker

TASK_S = 10


async def test_a_worker_takes_no_more_at_once_than_its_settings_say(small_ward: SmallWard, tmp_path: Path) -> None:
    limits = {"workflow_tasks": 3, "local_activities": 4, "activities": 5, "cached_courses": 6}
    settings = Settings(var_dir=tmp_path, **limits)
    async with make_worker(small_ward.client, small_ward.engine, settings, task_queue=small_ward.queue) as worker:
        config = worker.config()
        assert config.get("max_concurrent_workflow_tasks") == 3
        assert config.get("max_concurrent_local_activities") == 4
        assert config.get("max_concurrent_activities") == 5
        assert config.get("max_cached_workflows") == 6
        threads = config.get("activity_executor")
        assert threads is not None
        assert threads.submit(int, "9").result() == 9
    with pytest.raises(RuntimeError, match="after shutdown"):
        threads.submit(int, "9")


async def test_an_activation_may_take_longer_than_two_seconds_on_a_busy_machine(
    small_ward: SmallWard, tmp_path: Path
) -> None:
    """Broken off in the midst of signals it can never be evicted, and the course stands still."""
    async with make_worker(
        small_ward.client, small_ward.engine, Settings(var_dir=tmp_path), task_queue=small_ward.queue
    ) as worker:
        assert 2 < vars(worker._workflow_worker)["_deadlock_timeout_seconds"] == STUCK_AFTER_S < TASK_S
    plain = Worker(small_ward.client, task_queue=small_ward.queue, workflows=list(WORKFLOWS))
    assert vars(plain._workflow_worker)["_deadlock_timeout_seconds"] == 2, "the SDK calls it as ever"
