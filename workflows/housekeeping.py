"""Housekeeping: the sweeps over the whole ward, one after another, begun by a schedule every few minutes.

It lives in wall time, whatever time its courses have. What a sweep does is in `activities`; their names are in the models.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import stubs
    from models.housekeeping import SWEEPS, SweepResult
    from workflows.asking import asked

SWEEP_WITHIN = timedelta(minutes=2)
TWICE = RetryPolicy(initial_interval=timedelta(seconds=5), maximum_attempts=2)


@workflow.defn(name="Housekeeping")
class HousekeepingWorkflow:
    """One run looks once; the next one starts anew and knows nothing of it."""

    @workflow.run
    async def run(self) -> list[SweepResult]:
        """Every sweep in order; one that fails stops none of the others."""
        return [await self._sweep(name) for name in SWEEPS]

    async def _sweep(self, name: str) -> SweepResult:
        try:
            return await asked(stubs.sweep, name, start_to_close_timeout=SWEEP_WITHIN, retry_policy=TWICE, summary=name)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("sweep_failed", extra={"kind": name})
            return SweepResult(name=name, failed=type(error.cause).__name__)
