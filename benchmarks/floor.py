"""What the SDK alone costs for the steps of a command: an update, a local activity, an activity; in processor time.

    python -m benchmarks.floor [--commands 60]

The workflow does nothing else, without codec and without record, in the sandbox and on settings as the worker's; client
and worker in this process, the dev server's time not counted. It is what `benchmarks.decision` cannot go below.
"""

import argparse
import asyncio
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from benchmarks.flood import say
    from plumbing.dev_server import DevServer, find_binary, free_port
    from plumbing.settings import ROOT

QUEUE, MS = "floor", 1000
WITHIN = timedelta(seconds=10)


@activity.defn
async def near(number: int) -> int:
    """The local activity."""
    return number


@activity.defn
async def far(number: int) -> int:
    """The activity."""
    return number


@workflow.defn
class Bare:
    """Answers each update when the loop has asked one local activity; the activity runs beside, as the record does."""

    def __init__(self) -> None:
        self._asked = self._answered = self._written = 0

    @workflow.run
    async def run(self) -> None:
        """Until it is terminated."""
        while True:
            await workflow.wait_condition(lambda: self._asked > self._answered)
            await workflow.execute_local_activity(near, self._asked, start_to_close_timeout=WITHIN)
            self._answered += 1
            await workflow.execute_activity(far, self._answered, start_to_close_timeout=WITHIN)
            self._written += 1

    @workflow.update
    async def command(self) -> int:
        """One command."""
        self._asked += 1
        mine = self._asked
        await workflow.wait_condition(lambda: self._written >= mine)
        return mine


async def measure(commands: int) -> None:
    """Print one line."""
    with tempfile.TemporaryDirectory(prefix="floor-") as name:
        ports: dict[str, Any] = {"port": free_port(), "log_file": Path(name) / "server.log"}
        async with DevServer(find_binary(ROOT, say, os.environ), **ports) as server:
            client = await Client.connect(server.address)
            async with Worker(client, task_queue=QUEUE, workflows=[Bare], activities=[near, far]):
                handle = await client.start_workflow(Bare.run, id="floor", task_queue=QUEUE)
                await handle.execute_update(Bare.command)
                began = time.process_time()
                for _ in range(commands):
                    await handle.execute_update(Bare.command)
                say(f"{(time.process_time() - began) / commands * MS:.1f} ms for each command, by the SDK alone")
                await handle.terminate()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=60)
    asyncio.run(measure(parser.parse_args().commands))


if __name__ == "__main__":
    main()
