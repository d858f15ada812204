"""What a command costs over the whole path, in processor time: client, worker, activation, decision, record.

    python -m benchmarks.decision [--facts 300 1000] [--commands 60]

One Temporal dev server (its time is not counted), one record in SQLite, client and worker in this process. For each size
of the chart: milliseconds of processor time for each command, with what stays beside the worker and with all of it
forgotten before each; then the cold replay of that run, and how much of it each event takes. Nothing here is a test: a
figure says how fast one machine was on one day.
"""

import argparse
import asyncio
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from activities import beside
from benchmarks.flood import House, Ward, decided, flood_of, replayed, say, sent
from demo.bedside import Bedside
from models.attributes import SEARCH_ATTRIBUTES
from plumbing.dev_server import DevServer, find_binary, free_port
from plumbing.settings import ROOT
from tests.laid_out import a_namespace, a_record
from tests.replay.chain import histories_of

MS = 1000


class Cost(NamedTuple):
    """Milliseconds of processor time of a command, and of the cold replay of its run."""

    facts: int
    kept_ms: float
    forgotten_ms: float
    events: int
    replay_ms: float
    first_replay_ms: float

    @property
    def event_ms(self) -> float:
        """What each event adds to a cold replay, beside reading the state that the run was given."""
        return (self.replay_ms - self.first_replay_ms) / self.events


async def cost_of(ward: Ward, facts: int, commands: int) -> Cost:
    """A chart of so many results, then commands one after another."""
    bedside = await ward.course(f"decision-{facts}")
    await bedside.screen()
    subject = (await bedside.courses.chart(bedside.course_id)).course.subject_hash
    await sent(bedside, flood_of("thick", facts, subject, await bedside.clock.now()))
    await decided(bedside)
    kept_ms = await _commands(bedside, commands, forget=False)
    forgotten_ms = await _commands(bedside, commands, forget=True)
    run = (await histories_of(ward.client, bedside.course_id))[-1]
    return Cost(
        facts=(await bedside.status()).facts,
        kept_ms=kept_ms,
        forgotten_ms=forgotten_ms,
        events=len(run.events),
        replay_ms=await replayed(run) * MS,
        first_replay_ms=await replayed(type(run)(run.workflow_id, run.events[:3])) * MS,
    )


async def _commands(bedside: Bedside, number: int, *, forget: bool) -> float:
    await bedside.weigh()
    began = time.process_time()
    for _ in range(number):
        if forget:
            beside.forget()
        await bedside.weigh()
    return (time.process_time() - began) / number * MS


async def measure(sizes: list[int], commands: int) -> None:
    """Print one line for each size."""
    with tempfile.TemporaryDirectory(prefix="decision-") as name:
        folder = Path(name)
        ports: dict[str, Any] = {"port": free_port(), "log_file": folder / "server.log", "skip_time": True}
        binary = find_binary(ROOT, say, os.environ)
        async with DevServer(binary, search_attributes=SEARCH_ATTRIBUTES, **ports) as server:
            engine = await a_record(f"sqlite:///{folder / 'record.db'}")
            house = House(await a_namespace(server.address, engine), engine, folder)
            async with house.worker():
                say("  facts  ms kept  ms forgotten  events  replay ms  of that the state  ms an event")
                for size in sizes:
                    c = await cost_of(house, size, commands)
                    say(
                        f"{c.facts:>7} {c.kept_ms:>8.1f} {c.forgotten_ms:>13.1f} {c.events:>7} {c.replay_ms:>10.0f}"
                        f" {c.first_replay_ms:>18.0f} {c.event_ms:>12.2f}"
                    )
            await engine.dispose()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--commands", type=int, default=60)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(measure(chosen.facts, chosen.commands))


if __name__ == "__main__":
    main()
