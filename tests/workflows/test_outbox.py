"""What was given up is sent again after a minute, and holds up nothing meanwhile where the order does not matter."""

from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from demo.driver import Clock, skipper
from plumbing.converter import data_converter
from plumbing.dev_server import DevServer
from plumbing.keys import TEST_KEY_RING
from workflows.outbox import AGAIN_AFTER, Outbox

QUEUE = "outbox"


@workflow.defn(name="Sends", sandboxed=False)
class Sends:
    """Sends what it is told, and keeps when each got through, in seconds; the first batch is given up twice."""

    def __init__(self) -> None:
        self._box: Outbox[str] = Outbox((), self._send, self._given_up, in_order=False)
        self._sent: dict[str, int] = {}
        self._times_given_up = 0

    @workflow.run
    async def run(self) -> None:
        self._box.open()
        await workflow.wait_condition(lambda: len(self._sent) == 4)
        await self._box.close()

    async def _send(self, batch: tuple[str, ...]) -> None:
        if "first" in batch and self._times_given_up < 2:
            raise ApplicationError("failed by hand")
        since = workflow.now() - workflow.info().start_time
        self._sent.update({item: round(since.total_seconds()) for item in batch})

    def _given_up(self) -> None:
        self._times_given_up += 1
        if self._times_given_up == 1:
            self._box.put("a call was given up")

    @workflow.signal
    def put(self, item: str) -> None:
        self._box.put(item)

    @workflow.query
    def sent(self) -> dict[str, int]:
        return self._sent

    @workflow.query
    def waiting(self) -> list[str]:
        return self._box.waiting


async def test_what_was_given_up_holds_up_nothing_and_is_sent_again_after_a_minute(dev_server: DevServer) -> None:
    client = await Client.connect(dev_server.address, data_converter=data_converter(TEST_KEY_RING))
    async with Worker(client, task_queue=QUEUE, workflows=[Sends]):
        handle = await skipper(client).client.start_workflow("Sends", id="sends", task_queue=QUEUE)
        await handle.signal("put", "first")
        await handle.signal("put", "second")
        sent: dict[str, int] = await handle.query("sent")
        waiting: list[str] = await handle.query("waiting")
        assert {"a call was given up"} <= set(sent), "it does not wait for what was given up"
        assert "first" in waiting
        await handle.signal("put", "third")
        await Clock(client, "sends").advance(2 * AGAIN_AFTER + timedelta(seconds=10))
        await handle.result()
        sent = await handle.query("sent")
    minute = round(AGAIN_AFTER.total_seconds())
    assert sent["third"] < minute <= sent["first"] <= 3 * minute
