"""The way to Temporal. Nothing else calls `Client.connect`, so nothing can forget the codec."""

import asyncio
import functools
import logging
from datetime import timedelta
from typing import Final

from temporalio.api.namespace.v1 import UpdateNamespaceInfo
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError

from plumbing.converter import data_converter
from plumbing.settings import Mode, Settings

_MODE_KEY: Final = "inocycle-mode"
_PATIENCE: Final = timedelta(seconds=5)


class TemporalUnreachable(Exception):
    """No server answered in time; the message says where it was looked for and what to start."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"No Temporal server answers at {address}. Start one with `make run`,"
            " or set INOCYCLE_TEMPORAL_ADDRESS to the host:port of a running one."
        )
        self.address = address


class NamespaceMismatch(Exception):
    """The namespace was laid out for the other mode: invented patients and real ones never share one."""

    def __init__(self, namespace: str, found: str, wanted: Mode) -> None:
        super().__init__(f"Namespace {namespace} belongs to mode {found}, and these settings say {wanted}.")
        self.found = found
        self.wanted = wanted


async def connect(settings: Settings) -> Client:
    """A connected client with the converter and codec of these settings.

    Raises `TemporalUnreachable` within about five seconds when no server answers.
    """
    converter = data_converter(settings.key_ring, refuse_plaintext=settings.refuses_plaintext)
    connecting = Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=converter,
        runtime=_runtime(),
    )
    try:
        return await asyncio.wait_for(connecting, _PATIENCE.total_seconds())
    except (RuntimeError, RPCError, TimeoutError) as error:  # the SDK says RuntimeError when nothing listens
        raise TemporalUnreachable(settings.temporal_address) from error


async def settle_namespace_mode(client: Client, mode: Mode) -> None:
    """Write the mode into the namespace once; raise `NamespaceMismatch` when it belongs to the other one (design §3)."""
    service, name = client.workflow_service, client.namespace
    described = await service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    found = described.namespace_info.data.get(_MODE_KEY)
    if found is None:
        marked = UpdateNamespaceInfo(data={_MODE_KEY: str(mode)})
        await service.update_namespace(UpdateNamespaceRequest(namespace=name, update_info=marked))
    elif found != str(mode):
        raise NamespaceMismatch(name, found, mode)


@functools.cache
def _runtime() -> Runtime:
    """The SDK's core with its log sent through Python's, where it is reduced; by itself it prints to stdout."""
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"))
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=levels, forwarding=forwarding)))
