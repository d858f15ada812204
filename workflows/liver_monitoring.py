"""Liver monitoring after the last dose, to its end by MON-17."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.carried import Carried
    from models.phase import MONITORING
    from workflows.course import CourseWorkflow


@workflow.defn
class LiverMonitoring(CourseWorkflow):
    """Takes every command: dosing can resume through `start_next_cycle` unless it was stopped for good."""

    PHASE = MONITORING

    @workflow.init
    def __init__(self, carried: Carried) -> None:
        super().__init__(carried)

    @workflow.run
    async def run(self, carried: Carried) -> str:
        """Conduct the monitoring; the state was built from `carried` already."""
        return await self.conduct()
