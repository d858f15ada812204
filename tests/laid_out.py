"""What `inocycle init` does, for tests: a record laid out, and a namespace of its own that belongs to it."""

from uuid import uuid4

from google.protobuf.duration_pb2 import Duration
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.converter import DataConverter

from models.attributes import SEARCH_ATTRIBUTES
from plumbing.converter import data_converter
from plumbing.database import make_engine, make_private_file, of_installation
from plumbing.installation import Installation, mark, must_be_ours, write_installation
from plumbing.keys import TEST_KEY_RING, TEST_RECORD_KEY
from plumbing.sealing import sealing
from plumbing.search_attributes import type_of
from plumbing.settings import Mode

KEPT_S = 30 * 86400


async def a_record(url: str, mode: Mode = Mode.DEMO) -> AsyncEngine:
    """A record with no course in it, its engine bound to its installation."""
    engine = make_engine(url)
    make_private_file(engine.url)
    installation = await write_installation(engine, mode, TEST_RECORD_KEY)
    return sealing(of_installation(engine, installation.id), TEST_RECORD_KEY)


async def installation_of(engine: AsyncEngine, mode: Mode = Mode.DEMO) -> Installation:
    """Whose record this is."""
    found = await must_be_ours(engine, mode)
    return Installation(str(found.id), found.mode)


async def a_namespace(address: str, engine: AsyncEngine) -> Client:
    """A client, with the published test key, in a new namespace that belongs to this record: some 10 ms each."""
    installation = await installation_of(engine)
    name = f"ward-{installation.id[:12]}"
    client = await a_bare_namespace(address, name, data_converter(TEST_KEY_RING))
    attributes = AddSearchAttributesRequest(namespace=name, search_attributes=_TYPES)
    await client.operator_service.add_search_attributes(attributes, retry=True)
    await mark(client, installation)
    return client


async def a_bare_namespace(address: str, name: str = "", converter: DataConverter = DataConverter.default) -> Client:
    """A client in a new namespace, to which nobody has said anything."""
    name = name or f"ward-{uuid4().hex[:12]}"
    client = await Client.connect(address, namespace=name, data_converter=converter)
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=KEPT_S))
    await client.workflow_service.register_namespace(request)
    return client


_TYPES = {name: type_of(kind) for name, kind in SEARCH_ATTRIBUTES.items()}
