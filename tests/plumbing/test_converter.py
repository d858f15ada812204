"""The data converter: values come back as they were, and nothing leaves in clear where there are keys."""

import traceback
from decimal import Decimal

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from models.assessment import Finding, Refused, Verdict
from plumbing.converter import TEST_KEY_RING, data_converter
from plumbing.keys import KeyRing
from plumbing.payload_codec import ENCRYPTED, PLAINTEXT_REFUSED, UNDECRYPTABLE


class Result(BaseModel):
    name: str
    value: Decimal


RESULT = Result(name="CANARY Jane Roe", value=Decimal("1.30"))


async def failure_of(error: BaseException, converter: DataConverter) -> Failure:
    failure = Failure()
    await converter.encode_failure(error, failure)
    return failure


def a_failure_with_everything() -> ApplicationError:
    """An error with text, details, a stack and a cause, as an activity raises it."""
    try:
        try:
            raise ValueError("CANARY in the cause")
        except ValueError as cause:
            raise ApplicationError("CANARY in the text", RESULT, type="DoseGateClosed") from cause
    except ApplicationError as error:
        return error


async def test_a_value_comes_back_with_its_digits() -> None:
    converter = data_converter(TEST_KEY_RING)
    payloads = await converter.encode([RESULT, None, b"CANARY"])
    assert {payload.metadata["encoding"] for payload in payloads} == {ENCRYPTED.encode()}
    assert not any(b"CANARY" in payload.SerializeToString() for payload in payloads)
    result, nothing, raw = await converter.decode(payloads, [Result, type(None), bytes])
    assert (result, nothing, raw) == (RESULT, None, b"CANARY")
    assert str(result.value) == "1.30"


async def test_a_failure_leaves_with_its_type_only() -> None:
    converter = data_converter(TEST_KEY_RING)
    failure = await failure_of(a_failure_with_everything(), converter)
    assert b"CANARY" not in failure.SerializeToString()
    assert b"test_converter" not in failure.SerializeToString()
    assert failure.application_failure_info.type == "DoseGateClosed"
    error = await converter.decode_failure(failure)
    assert isinstance(error, ApplicationError)
    assert error.message == "CANARY in the text"
    assert error.details[0]["value"] == "1.30"
    assert "CANARY in the cause" in "".join(traceback.format_exception(error))


async def test_without_keys_everything_is_in_clear() -> None:
    converter = data_converter(None)
    assert converter is pydantic_data_converter
    (payload,) = await converter.encode([RESULT])
    assert b"CANARY" in payload.data


def test_plaintext_cannot_be_refused_without_keys() -> None:
    with pytest.raises(ValueError, match="only where there are keys"):
        data_converter(None, refuse_plaintext=True)


async def test_a_plain_client_is_read_by_a_demo_and_refused_by_a_ward() -> None:
    payloads = await data_converter(None).encode([RESULT])
    assert await data_converter(TEST_KEY_RING).decode(payloads, [Result]) == [RESULT]
    (refused,) = await data_converter(TEST_KEY_RING, refuse_plaintext=True).decode(payloads, [RawValue])
    assert refused.payload.metadata["encoding"] == PLAINTEXT_REFUSED.encode()


async def test_an_unreadable_signal_reaches_the_dynamic_handler_as_a_raw_value() -> None:
    payloads = await data_converter(KeyRing.generate()).encode([RESULT])
    (raw,) = await data_converter(TEST_KEY_RING).decode(payloads, [RawValue])
    assert isinstance(raw, RawValue)
    assert raw.payload.metadata["encoding"] == UNDECRYPTABLE.encode()
    assert raw.payload.data == payloads[0].data


async def test_no_converter_takes_a_marked_payload_for_a_value() -> None:
    payloads = await data_converter(KeyRing.generate()).encode([b"bytes would fit any bytes"])
    for hint in (bytes, Result, dict):
        with pytest.raises(KeyError, match="binary/undecryptable"):
            await data_converter(TEST_KEY_RING).decode(payloads, [hint])


async def test_a_failure_under_an_unknown_key_still_says_its_type() -> None:
    failure = await failure_of(ApplicationError("CANARY", type="DoseGateClosed"), data_converter(KeyRing.generate()))
    error = await data_converter(TEST_KEY_RING).decode_failure(failure)
    assert isinstance(error, ApplicationError)
    assert (error.type, error.message) == ("DoseGateClosed", "Encoded failure")


async def test_of_a_refusal_type_and_clauses_stay_in_clear_and_every_value_is_encrypted() -> None:
    finding = Finding(rule="NON-08", verdict=Verdict.HOLD, reason="CANARY ALT 160 U/L")
    refusal = Refused(type="DoseGateClosed", message="CANARY starting is refused", findings=(finding,))
    try:
        raise ApplicationError(refusal.type_and_rules, refusal, type=refusal.type)
    except ApplicationError as error:
        failure = await failure_of(error, data_converter(TEST_KEY_RING))
    assert failure.message == "DoseGateClosed (NON-08)"
    assert b"CANARY" not in failure.SerializeToString()
    read = await data_converter(TEST_KEY_RING).decode_failure(failure)
    assert isinstance(read, ApplicationError)
    assert read.message == "DoseGateClosed (NON-08)"
    assert read.failure is not None
    assert read.failure.stack_trace == ""  # an answer, no fault of the code


async def test_an_empty_payload_is_no_exception() -> None:
    (raw,) = await data_converter(TEST_KEY_RING).decode([Payload()], [RawValue])
    assert raw.payload == Payload()
