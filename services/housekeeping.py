"""The schedule of housekeeping: one a namespace, made and brought up to date by every worker that starts."""

from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)

SCHEDULE_ID: Final = "housekeeping"
EVERY: Final = timedelta(minutes=5)
ENDS_AFTER: Final = timedelta(minutes=14)
"""A run that no worker takes ends by itself: with overlap "skip", it would else be the last one."""


async def settle_schedule(client: Client, task_queue: str) -> None:
    """Make the schedule or bring it up to date, paused or changed by hand though it was, and have it run now."""
    schedule = _schedule(task_queue)
    try:
        await client.create_schedule(SCHEDULE_ID, schedule, trigger_immediately=True)
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(SCHEDULE_ID)
        await handle.update(lambda _: ScheduleUpdate(schedule=schedule))
        # Not "skip" here: a run that the worker before left behind must not keep this one from looking.
        await handle.trigger(overlap=ScheduleOverlapPolicy.TERMINATE_OTHER)


def _schedule(task_queue: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "Housekeeping", id=SCHEDULE_ID, task_queue=task_queue, execution_timeout=ENDS_AFTER
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        # What was missed while the server was away is not made up for: one look sees all.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=EVERY),
    )
