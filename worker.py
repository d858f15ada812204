"""The worker process: registers workflows and activities on the task queue, and nothing else."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkerDeploymentVersion

from activities.decide import Decider
from activities.heads import HeadsSweep
from activities.housekeeping import Housekeeping, Sweep
from activities.notify import Channel, Notifier
from activities.reading import Reader
from activities.record import Record
from activities.record_check import RecordCheck
from activities.turns import share_the_processor
from activities.watch import Watch
from activities.weigh import Weigher
from models.attributes import SEARCH_ATTRIBUTES
from models.housekeeping import (
    CALLS_ASKED_AGAIN,
    COURSES_WATCHED,
    HEADS_COMPARED,
    MESSAGES_READ_AGAIN,
    RECORD_VERIFIED,
)
from plumbing.connection import TemporalUnreachable, connect
from plumbing.database import DatabaseRefused, installation_of, kind_of, make_engine, migrate
from plumbing.installation import InstallationRefused, must_be_ours, opened
from plumbing.logging import configure_logging, get_logger
from plumbing.payload_codec import EncryptionCodec
from plumbing.sealing import key_of
from plumbing.search_attributes import SearchAttributesMissing, must_be_there
from plumbing.settings import Mode, Settings, SettingsRefused, load_settings
from plumbing.site_file import ProtocolError, read_site_files
from record.anchors import AnchorFile
from services.courses import CourseClient
from services.housekeeping import settle_schedule
from services.reading_again import RereadSweep
from workflows.housekeeping import HousekeepingWorkflow
from workflows.liver_monitoring import LiverMonitoring
from workflows.treatment_cycle import TreatmentCycle

WORKFLOWS = (TreatmentCycle, LiverMonitoring, HousekeepingWorkflow)
AGAIN_AFTER_S = 10
STUCK_AFTER_S = 8
"""When an activation counts as stuck; shorter than the 10 s that a workflow task has. The SDK's own 2 s are of the wall
clock, and a thousand results in one activation take longer where all courses of a ward are replayed at once. One that is
broken off among signals can never be evicted: its course stood still until the worker was started again."""


@asynccontextmanager
async def make_worker(
    client: Client,
    engine: AsyncEngine,
    settings: Settings,
    *,
    task_queue: str | None = None,
    channels: Mapping[str, Channel] | None = None,
) -> AsyncIterator[Worker]:
    """A running worker over an engine that exists already: the database driver is loaded before the sandbox is active.

    People are called through `channels`; where there are none, through the log.
    """
    sites = read_site_files(settings.site_file, settings.former_site_files)
    converter = client.data_converter
    reader = Reader(converter.payload_codec if isinstance(converter.payload_codec, EncryptionCodec) else None)
    decider = Decider(version("inocycle"), sites, reader=reader, must_be_signed=settings.mode is Mode.WARD)
    record, notifier = Record(engine, anchors=anchors_of(engine, settings)), Notifier(engine, channels)
    queue = task_queue or settings.task_queue
    rereading = RereadSweep(engine, CourseClient(client, queue), reader, version("inocycle"))
    housekeeping = Housekeeping(engine, sweeps_of(engine, client, settings, notifier, rereading))
    share_the_processor()
    threads = ThreadPoolExecutor(settings.local_activities + settings.activities, "activity")
    worker = Worker(
        client,
        task_queue=queue,
        workflows=list(WORKFLOWS),
        activities=[
            decider.decide,
            decider.hold,
            Weigher(converter).weigh,
            record.write_record,
            record.head_of_record,
            record.take_over,
            notifier.notify,
            housekeeping.sweep,
        ],
        activity_executor=threads,
        max_concurrent_workflow_tasks=settings.workflow_tasks,
        max_concurrent_local_activities=settings.local_activities,
        max_concurrent_activities=settings.activities,
        max_cached_workflows=settings.cached_courses,
        deployment_config=_deployment(settings),
        # Unversioned workers carry a name too; without one the SDK hashes every loaded module at the start.
        build_id=None if settings.build_id else f"inocycle-{version('inocycle')}",
    )
    patient(worker)
    try:
        async with worker:
            yield worker
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # what a thread still computes, nobody waits for any more


def patient(worker: Worker) -> None:
    """Let activations take their time. The SDK has no setting for it; a test sees that its name is still the same."""
    assert worker._workflow_worker is not None
    worker._workflow_worker._deadlock_timeout_seconds = STUCK_AFTER_S


def sweeps_of(
    engine: AsyncEngine, client: Client, settings: Settings, notifier: Notifier, rereading: RereadSweep
) -> dict[str, Sweep]:
    """What housekeeping does, by name; the look at the record only where its rows are sealed."""
    check = record_check_of(engine, client, settings)

    async def ask_again() -> tuple[int, int]:
        asked = await notifier.ask_again()
        return asked, asked

    return {
        COURSES_WATCHED: Sweep(Watch(engine, client, notifier).look),
        HEADS_COMPARED: Sweep(HeadsSweep(engine, client).look),
        CALLS_ASKED_AGAIN: Sweep(ask_again),
        MESSAGES_READ_AGAIN: Sweep(rereading.look),
        **({RECORD_VERIFIED: Sweep(check.since_the_night)} if check else {}),
    }


def anchors_of(engine: AsyncEngine, settings: Settings) -> AnchorFile | None:
    """Where the heads of this engine's record are written down, where its rows are sealed."""
    key = key_of(engine)
    return AnchorFile(settings.anchor_file, key, installation_of(engine)) if key else None


def record_check_of(engine: AsyncEngine, client: Client, settings: Settings) -> RecordCheck | None:
    """Who looks at the record, where its rows are sealed."""
    key, anchors = key_of(engine), anchors_of(engine, settings)
    return RecordCheck(engine, key, anchors, client) if key and anchors else None


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """In production each run is pinned to the build that began it and moves at its boundaries; none in development."""
    if settings.build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=settings.deployment_name, build_id=settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def work_until_told_to_stop(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM; what is under way is handed back to the server."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stopping.set)
    engine = make_engine(settings.database_url.get_secret_value())
    try:
        await must_be_ours(engine, settings.mode)  # to say at once what is wrong with it
        if settings.record_key is None:
            raise SettingsRefused("set INOCYCLE_RECORD_KEY or INOCYCLE_RECORD_KEY_FILE: without it no row is sealed")
        client = await connect(settings)
        record = await opened(engine, client, settings)  # before anything is changed in it
        await must_be_there(client, SEARCH_ATTRIBUTES)
        await migrate(record)
        async with make_worker(client, record, settings):
            get_logger().info("worker_started", address=settings.temporal_address)
            beside = [
                asyncio.create_task(_schedule_housekeeping(client, settings)),
                asyncio.create_task(_look_at_open_courses(record, client, settings)),
            ]
            await stopping.wait()
            for task in beside:
                task.cancel()
    finally:
        await engine.dispose()


async def _look_at_open_courses(engine: AsyncEngine, client: Client, settings: Settings) -> None:
    """Behind the start: courses do not wait for it, and what it finds stands in the log and on the board."""
    check = record_check_of(engine, client, settings)
    try:
        if check is not None:
            await check.open_courses()
    except Exception as error:  # noqa: BLE001 - the nightly look comes all the same
        get_logger().error("record_not_verified", error=error)


async def _schedule_housekeeping(client: Client, settings: Settings) -> None:
    """Until it is done: a server that has just come up may not take a schedule yet, and courses do not wait for it."""
    while True:
        try:
            await settle_schedule(client, settings.task_queue)
        except RPCError as error:
            get_logger().error("housekeeping_not_scheduled", error=error)
            await asyncio.sleep(AGAIN_AFTER_S)
        else:
            return


def main() -> None:
    """The process `inocycle worker`; what keeps it from starting is said in words, with the command line's exit codes."""
    configure_logging()
    try:
        asyncio.run(work_until_told_to_stop(load_settings()))
    except (SettingsRefused, DatabaseRefused, ProtocolError) as error:
        _give_up(2, str(error))
    except (InstallationRefused, SearchAttributesMissing) as error:
        _give_up(3, str(error))
    except TemporalUnreachable as error:
        _give_up(5, str(error))
    except (OSError, SQLAlchemyError) as error:  # its text may hold an address or a statement
        _give_up(5, f"the database cannot be reached ({kind_of(error)})")


def _give_up(code: int, words: str) -> NoReturn:
    sys.stderr.write(f"inocycle worker: {words}\n")
    sys.stderr.flush()
    # The threads of the SDK's core outlive the client and may abort an interpreter that tears itself down (exit 134).
    os._exit(code)


if __name__ == "__main__":
    main()
