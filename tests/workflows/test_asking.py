"""An activity's answer that is none is a failure of that activity: the workflow task goes on, and the course decides."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ActivityError
from temporalio.worker import Worker

from activities import stubs
from models.deciding import Head
from models.notification import NotificationBatch
from models.record import RecordBatch
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer
from plumbing.keys import TEST_KEY_RING
from workflows.asking import asked, is_no_answer

QUEUE = "asking"
SOON = timedelta(seconds=20)
HEAD = Head(number=3, sha256="a" * 64)


@workflow.defn(name="Asks", sandboxed=False)
class Asks:
    """Asks each activity once, and says which of them gave no answer."""

    @workflow.run
    async def run(self) -> list[str]:
        questions: tuple[tuple[Any, Any], ...] = (
            (stubs.write_record, RecordBatch(entries=())),
            (stubs.head_of_record, "course-1"),
            (stubs.notify, NotificationBatch(notifications=())),
            (stubs.sweep, "courses_watched"),
        )
        return [await self._ask(stub, argument) for stub, argument in questions]

    async def _ask(self, stub: Any, argument: Any) -> str:
        try:
            return repr(await asked(stub, argument, start_to_close_timeout=SOON))
        except ActivityError as error:
            return "no answer" if is_no_answer(error) else "failed"


def answering(said: dict[str, Any]) -> list[Any]:
    """The activities, each with an answer that a test says."""

    def one(name: str) -> Any:
        @activity.defn(name=name)
        async def answer(_: Any) -> Any:
            return said[name]

        return answer

    return [one(name) for name in said]


WHAT_WAS_PROMISED = {"write_record": None, "head_of_record": HEAD, "notify": None}


@pytest.mark.parametrize("said", ["done", {"number": "x"}, [1, 2], 7])
async def test_an_answer_that_is_none_is_a_failure_of_its_activity(dev_server: DevServer, said: Any) -> None:
    client = await Client.connect(dev_server.address, data_converter=data_converter(TEST_KEY_RING))
    wrong = dict.fromkeys((*WHAT_WAS_PROMISED, "sweep"), said)
    async with Worker(client, task_queue=QUEUE, workflows=[Asks], activities=answering(wrong)):
        found = await client.execute_workflow("Asks", id=f"asks-{said!r}"[:30], task_queue=QUEUE, result_type=list[str])
    assert found == ["no answer"] * 4


async def test_an_answer_that_was_promised_is_given(dev_server: DevServer) -> None:
    client = await Client.connect(dev_server.address, data_converter=data_converter(TEST_KEY_RING))
    right = {**WHAT_WAS_PROMISED, "sweep": None}
    async with Worker(client, task_queue=QUEUE, workflows=[Asks], activities=answering(right)):
        found = await client.execute_workflow("Asks", id="asks-right", task_queue=QUEUE, result_type=list[str])
    assert found == ["None", repr(HEAD), "None", "no answer"], "an empty one is none where something was promised"
