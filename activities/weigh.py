"""How heavy a run's carried state is, measured as Temporal would keep it: compressed and encrypted."""

import asyncio

from temporalio import activity
from temporalio.converter import DataConverter

from activities.stubs import WEIGH
from models.carried import Carried


class Weigher:
    """Weighs with the converter that the worker sends with."""

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter

    @activity.defn(name=WEIGH)
    def weigh(self, carried: Carried) -> int:
        """The bytes that the next run would be given."""
        (payload,) = asyncio.run(self._converter.encode([carried]))
        return payload.ByteSize()
