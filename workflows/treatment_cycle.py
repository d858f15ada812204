"""One treatment cycle of a course: from its first check to its review."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.carried import Carried
    from models.phase import CYCLE
    from workflows.course import CourseWorkflow


@workflow.defn
class TreatmentCycle(CourseWorkflow):
    """One run is one cycle; the next cycle continues as new under the same id."""

    PHASE = CYCLE

    @workflow.init
    def __init__(self, carried: Carried) -> None:
        super().__init__(carried)

    @workflow.run
    async def run(self, carried: Carried) -> str:
        """Conduct this cycle; the state was built from `carried` already."""
        return await self.conduct()
