"""The local activity `decide`: the pure core under the protocol that the course pinned. It touches nothing."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.stubs import DECIDE
from clinical import decide as core
from models.carried import DecideRequest, Decision
from plumbing.protocol_files import ProtocolError, find_pinned, load_pinned


class Decider:
    """Judges and assesses. `code_version` goes into every decision, so that the record knows which rules spoke."""

    def __init__(self, code_version: str) -> None:
        self._code_version = code_version

    @activity.defn(name=DECIDE)
    async def decide(self, request: DecideRequest) -> Decision:
        """Judge the message, if any, and assess the chart at `request.now`.

        Raises `ApplicationError` of type `UnknownProtocol` when this release does not hold the pinned protocol: the
        course is held, and asks again.
        """
        try:
            protocol = load_pinned(request.chart.protocol)
        except ProtocolError as error:
            raise ApplicationError(str(error), type="UnknownProtocol", non_retryable=True) from None
        return core.decide(request, protocol, self._code_version, find_pinned)
