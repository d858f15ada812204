"""The way to Temporal. Nothing else calls `Client.connect`, so nothing can forget the codec."""

import asyncio
import functools
import logging
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError

from plumbing.converter import data_converter
from plumbing.settings import Settings

_PATIENCE: Final = timedelta(seconds=5)


class TemporalUnreachable(Exception):
    """No server answered in time; the message says where it was looked for and what to start."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"No Temporal server answers at {address}. Start one with `make run`,"
            " or set INOCYCLE_TEMPORAL_ADDRESS to the host:port of a running one."
        )
        self.address = address


async def connect(settings: Settings, patience: timedelta | None = None) -> Client:
    """A connected client with the converter and codec of these settings.

    Raises `TemporalUnreachable` when no server answers within the patience, about five seconds if none is given.
    """
    converter = data_converter(settings.key_ring, refuse_plaintext=settings.refuses_plaintext)
    connecting = Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=converter,
        runtime=_runtime(),
    )
    try:
        return await asyncio.wait_for(connecting, (patience or _PATIENCE).total_seconds())
    except (RuntimeError, RPCError, TimeoutError) as error:  # the SDK says RuntimeError when nothing listens
        raise TemporalUnreachable(settings.temporal_address) from error


@functools.cache
def _runtime() -> Runtime:
    """The SDK's core with its log sent through Python's, where it is reduced; by itself it prints to stdout."""
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"))
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=levels, forwarding=forwarding)))
