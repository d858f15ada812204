"""A worker keeps to the limits of its settings, and its threads end with it."""

from pathlib import Path

import pytest

from plumbing.settings import Settings
from tests.stories.conftest import SmallWard
from worker import make_worker


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
