"""The one data converter: client, worker, replayer and scripts take it from here, or they cannot read each other.

What belongs here: how values become payloads. The encryption is in `payload_codec.py`.
"""

import dataclasses

from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadConverter
from temporalio.exceptions import ApplicationError

from models.assessment import Refused
from plumbing.keys import TEST_KEY_RING, KeyRing
from plumbing.payload_codec import EncryptionCodec

__all__ = ["TEST_KEY_RING", "FailuresByTypeAndClause", "data_converter"]


class FailuresByTypeAndClause(DefaultFailureConverterWithEncodedAttributes):
    """Messages and stack traces of failures are encrypted; of a refusal its type and clauses stay in clear.

    So the Web UI says why an update was refused. Every value and every word of a person stays in the details.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        details = exception.details if isinstance(exception, ApplicationError) else ()
        refused = next((detail for detail in details if isinstance(detail, Refused)), None)
        # A refusal is an answer, no fault: where in the code it was given says nothing to who reads it in the Web UI.
        super().to_failure(exception.with_traceback(None) if refused else exception, payload_converter, failure)
        failure.message = refused.type_and_rules if refused is not None else failure.message


def data_converter(key_ring: KeyRing | None, *, refuse_plaintext: bool = False) -> DataConverter:
    """Pydantic values as JSON, encrypted when there are keys, failure texts included.

    Without keys everything goes in clear, which only a demo may do; to refuse plaintext then raises `ValueError`.
    """
    if key_ring is None:
        if refuse_plaintext:
            raise ValueError("plaintext can be refused only where there are keys")
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(key_ring, refuse_plaintext=refuse_plaintext),
        # Otherwise messages and stack traces of failures go out in clear.
        failure_converter_class=FailuresByTypeAndClause,
    )
