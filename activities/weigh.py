"""How heavy a run's carried state is, measured as Temporal would keep it: compressed and encrypted."""

import asyncio

from temporalio import activity
from temporalio.converter import DataConverter

from activities.stubs import WEIGH
from models.carried import Carried
from plumbing.payload_codec import LARGEST_BYTES


class Weigher:
    """Weighs with the converter that the worker sends with."""

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter

    @activity.defn(name=WEIGH)
    def weigh(self, carried: Carried) -> int:
        """The bytes that the next run would be given; of what is larger than any payload, its bytes as they are."""
        (plain,) = self._converter.payload_converter.to_payloads([carried])
        if plain.ByteSize() > LARGEST_BYTES:
            return plain.ByteSize()  # the next run could not unpack it
        codec = self._converter.payload_codec
        (kept,) = asyncio.run(codec.encode([plain])) if codec is not None else (plain,)
        return kept.ByteSize()
