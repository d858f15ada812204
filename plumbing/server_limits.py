"""What Temporal's server is told so that it protects a course: the sender is refused, and the course goes on.

One place for the dev server and the cluster (`docker-compose.yml` repeats it, and a test compares). Every number was
tried on the real server. None that is a size may lie below twice our own largest payload.
"""

from typing import Final

MIB: Final = 1024 * 1024

LARGEST_CARRIED: Final = MIB // 2
"""The state that a run hands to the next, encrypted: the largest payload of ours. A message kept whole is half of it."""

LARGEST_PAYLOAD: Final = 2 * LARGEST_CARRIED

SIGNALS_OF_A_RUN: Final = 10_000
"""The server takes no more in one run; a course is renewed long before."""

PROTECTS_A_COURSE: Final[dict[str, int]] = {
    # A signal above it is refused to its sender. The server's own 2 MiB let one in that then fits no answer.
    "limit.blobSize.error": LARGEST_PAYLOAD,
    # Nobody looks at the size of an update before it is with the worker, which can then neither accept nor reject it:
    # the answer repeats the request and is too large itself. One update of 3 MB stalled a course for good.
    "history.maxInFlightUpdatePayloads": LARGEST_PAYLOAD,
    # What arrived while a task was under way is written together with the task's own events. Where the sum is larger
    # than this, the server ends the course; its own 4 MiB are little more than its 2 MiB of events that wait.
    "system.transactionSizeLimit": 16 * MIB,
    # At so many events that arrived while a task is under way the server fails the task, and all that was decided in it
    # is lost. At its own 100 a laboratory that sent 100 results a second kept a course from deciding anything at all.
    "history.maximumBufferedEventsBatch": SIGNALS_OF_A_RUN,
    # At these the server ends the course instead of refusing. 60 messages of 0.9 MB that came while no worker was there
    # were enough for its own 50 MiB. More signals than 10,000 in one run it refuses by itself.
    "limit.historySize.error": 1024 * MIB,
    "limit.historyCount.error": 500_000,
    # No query travels with a workflow task. Where one does while a local activity runs, the SDK's core completes the
    # task with the activity's marker and lets the workflow hear of it in the next one, after whatever that one brings;
    # a replay hears of it before. Of six courses that were looked at all the time, five could not be replayed.
    "history.MaxBufferedQueryCount": 0,
}


def as_flags() -> dict[str, str]:
    """Key and value as the dev server's command line takes them."""
    return {key: str(value) for key, value in PROTECTS_A_COURSE.items()}


def as_yaml() -> str:
    """The same as a cluster's file of dynamic configuration."""
    return "".join(f"{key}:\n  - value: {value}\n" for key, value in PROTECTS_A_COURSE.items())
