"""A worker sees at its start whether its namespace has the search attributes that its courses set."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client

from models.attributes import SEARCH_ATTRIBUTES
from plumbing.dev_server import DevServer
from plumbing.installation import mark
from plumbing.keys import TEST_RECORD_KEY
from plumbing.search_attributes import SearchAttributesMissing, must_be_there, type_of
from plumbing.settings import ROOT
from tests.laid_out import a_bare_namespace, a_record, installation_of


async def add(client: Client, **attributes: str) -> None:
    types = {name: type_of(kind) for name, kind in attributes.items()}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
    await client.operator_service.add_search_attributes(request, retry=True)


async def test_a_namespace_that_lacks_some_is_named_with_what_mends_it(dev_server: DevServer) -> None:
    client = await a_bare_namespace(dev_server.address)
    *there, missing, other = SEARCH_ATTRIBUTES
    await add(client, **{name: SEARCH_ATTRIBUTES[name] for name in there}, **{other: "Text"})
    with pytest.raises(SearchAttributesMissing) as told:
        await must_be_there(client, SEARCH_ATTRIBUTES)
    words = str(told.value)
    assert (
        f"--namespace {client.namespace} --name {missing} --type {SEARCH_ATTRIBUTES[missing]} --name {other}" in words
    )
    assert not [name for name in there if name in words]


async def test_a_namespace_that_has_all_is_let_pass(dev_server: DevServer) -> None:
    client = await a_bare_namespace(dev_server.address)
    await add(client, **SEARCH_ATTRIBUTES)
    await must_be_there(client, SEARCH_ATTRIBUTES)


async def test_a_worker_says_so_at_its_start(dev_server: DevServer, tmp_path: Path) -> None:
    engine = await a_record(f"sqlite:///{tmp_path / 'inocycle.db'}")
    client = await a_bare_namespace(dev_server.address)
    await mark(client, await installation_of(engine))
    await engine.dispose()
    TEST_RECORD_KEY.write(tmp_path / "record-key")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("INOCYCLE_")}
    surroundings |= {
        "INOCYCLE_VAR_DIR": str(tmp_path),
        "INOCYCLE_TEMPORAL_ADDRESS": dev_server.address,
        "INOCYCLE_TEMPORAL_NAMESPACE": client.namespace,
    }
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker", cwd=ROOT, env=surroundings, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(worker.communicate(), 60)
    assert worker.returncode == 3
    assert f"the namespace {client.namespace} does not have the search attributes" in said.decode()
