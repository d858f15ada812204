"""Names and signatures of the activities that workflows call; nothing else of this floor is theirs to see.

The stubs are never run: a worker registers the real ones under the same names. A workflow passes the stub, not the
name, so that argument and result keep their types: `execute_local_activity(stubs.decide, ask, ...)`.
"""

from datetime import timedelta
from typing import Final

from temporalio import activity

from models.carried import Carried, TakenOver
from models.deciding import Answered, Ask, Head
from models.housekeeping import SweepResult
from models.notification import NotificationBatch
from models.record import RecordBatch

DECIDE: Final = "decide"
HOLD: Final = "hold"
WEIGH: Final = "weigh"
WRITE_RECORD: Final = "write_record"
HEAD_OF_RECORD: Final = "head_of_record"
TAKE_OVER: Final = "take_over"
NOTIFY: Final = "notify"
SWEEP: Final = "sweep"
DECIDE_WITHIN = timedelta(seconds=10)
"""How long one attempt of `decide` or `hold` may take, in wall time."""
DECIDE_IN_ALL = timedelta(seconds=30)


@activity.defn(name=DECIDE)
def decide(ask: Ask) -> Answered:
    """Read and judge what has arrived, and assess the chart at `ask.now`. Pure and quick: a local activity."""
    raise NotImplementedError


@activity.defn(name=HOLD)
def hold(ask: Ask) -> Answered:
    """Hold the course of which `decide` gave no answer. A local activity that asks no rule."""
    raise NotImplementedError


@activity.defn(name=WEIGH)
def weigh(carried: Carried) -> int:
    """How many bytes the next run would be given, as Temporal would keep them. A local activity."""
    raise NotImplementedError


@activity.defn(name=WRITE_RECORD)
async def write_record(batch: RecordBatch) -> None:
    """Write the entries in order into the record, all or none, each once. A regular activity, retried without limit.

    A refusal is final for this attempt, holds the course (REC-02), and the entries wait: `RecordConflict`, `RecordGap`,
    `RecordChainBroken`, `RecordHashMismatch`, `RecordStartMissing`.
    """
    raise NotImplementedError


@activity.defn(name=HEAD_OF_RECORD)
async def head_of_record(course_id: str) -> Head:
    """The last decision that the record holds of a course (REC-02). A regular activity of two seconds."""
    raise NotImplementedError


@activity.defn(name=TAKE_OVER)
async def take_over(own: Carried) -> TakenOver:
    """What the course goes on from after a difference was settled: its record, and what only the execution knows."""
    raise NotImplementedError


@activity.defn(name=NOTIFY)
async def notify(batch: NotificationBatch) -> None:
    """Tell people what is due or overdue, each rung once. A regular activity; never waits for the record."""
    raise NotImplementedError


@activity.defn(name=SWEEP)
async def sweep(name: str) -> SweepResult:
    """One named sweep over the whole ward. A regular activity; nothing waits for it but the sweeps behind it."""
    raise NotImplementedError
