"""A run that grows too long goes over into the next in mid-cycle, and nothing of the course is lost or done twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.record_reader import read_entries, verify_chain
from models.attributes import SEARCH_ATTRIBUTES
from models.facts import InfusionStarted
from plumbing.converter import data_converter
from plumbing.database import make_engine, migrate
from plumbing.dev_server import DevServer, free_port
from plumbing.keys import TEST_KEY_RING
from plumbing.settings import Settings
from tests.conftest import TASK_QUEUE, Ward, until_written
from tests.factories import LABEL
from worker import make_worker
from workflows.shown import CYCLE_STARTED_AT

SHORT_RUNS = "limit.historyCount.suggestContinueAsNew=60"


@pytest.fixture
async def impatient_ward(binary: Path, tmp_path: Path) -> AsyncIterator[Ward]:
    """A ward on a server that suggests to continue as new after 60 events instead of 4,096."""
    server = DevServer(
        binary,
        port=free_port(),
        log_file=tmp_path / "log",
        skip_time=True,
        search_attributes=SEARCH_ATTRIBUTES,
        dynamic_config=(SHORT_RUNS,),
    )
    engine = make_engine(f"sqlite:///{tmp_path / 'record.db'}")
    await migrate(engine)
    async with server:
        client = await Client.connect(server.address, data_converter=data_converter(TEST_KEY_RING))
        async with make_worker(client, engine, Settings(var_dir=tmp_path), task_queue=TASK_QUEUE):
            yield Ward(client, engine)
    await engine.dispose()


async def test_a_cycle_of_many_runs_is_one_cycle(impatient_ward: Ward) -> None:
    bedside = await impatient_ward.course(LABEL)
    await bedside.weigh()
    began = (await impatient_ward.handle(bedside).describe()).typed_search_attributes[CYCLE_STARTED_AT]
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    await until_written(bedside)

    runs = [run async for run in impatient_ward.client.list_workflows(f"WorkflowId = '{bedside.course_id}'")]
    assert len(runs) >= 2  # the list of runs lags a little; one boundary is what this story needs
    assert {run.workflow_type for run in runs} == {"TreatmentCycle"}
    status = await bedside.status()
    assert (status.cycle, status.state) == (1, "between_doses")
    chart = await bedside.courses.chart(bedside.course_id)
    assert sum(isinstance(f.what, InfusionStarted) for f in chart.facts) == 1
    assert len({f.id for f in chart.facts}) == len(chart.facts)
    entries = await read_entries(impatient_ward.engine, bedside.course_id)
    assert [e.number for e in entries] == list(range(1, len(entries) + 1))
    assert await verify_chain(impatient_ward.engine, bedside.course_id) is None
    assert (await impatient_ward.handle(bedside).describe()).typed_search_attributes[CYCLE_STARTED_AT] == began
