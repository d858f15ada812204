"""The local activity `decide`: the pure core under the protocol that the course pinned. It touches nothing."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.stubs import DECIDE
from clinical import decide as core
from models.carried import DecideRequest, Decision
from models.pins import ProtocolPin
from models.protocol import Protocol
from plumbing.protocol_files import ProtocolError, load_pinned, signed_off
from plumbing.site_file import SiteFile


class Decider:
    """Judges and assesses. `code_version` goes into every decision, so that the record knows which rules spoke.

    `sites` are the site files known here. Where `must_be_signed` (on a ward), nothing is decided under a protocol that
    nobody signed off in the site file that the course pinned.
    """

    def __init__(self, code_version: str, sites: tuple[SiteFile, ...] = (), *, must_be_signed: bool = False) -> None:
        self._code_version = code_version
        self._sites = sites
        self._must_be_signed = must_be_signed

    @activity.defn(name=DECIDE)
    async def decide(self, request: DecideRequest) -> Decision:
        """Judge the message, if any, and assess the chart at `request.now`.

        Raises `ApplicationError` of type `UnknownProtocol` when this release does not hold the pinned protocol, or
        nobody signed it where one must: the course is held, and asks again.
        """
        try:
            protocol = self._usable(request.chart.protocol)
        except ProtocolError as error:
            raise ApplicationError(str(error), type="UnknownProtocol", non_retryable=True) from None
        return core.decide(request, protocol, self._code_version, self._find)

    def _usable(self, pin: ProtocolPin) -> Protocol:
        protocol = load_pinned(pin, sites=self._sites)
        if self._must_be_signed and signed_off(pin, self._sites) is None:
            raise ProtocolError(f"protocol {pin.name}: nobody signed it off for this site")
        return protocol

    def _find(self, pin: ProtocolPin) -> Protocol | None:
        try:
            return self._usable(pin)
        except ProtocolError:
            return None
