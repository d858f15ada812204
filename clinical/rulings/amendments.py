"""A course that goes on under another released protocol: asked for by the prescriber, divergence by divergence (§3, DIV).

Until every divergence of the new protocol is acknowledged the old one is in force. Which protocol that is stands in
`Chart.protocol`; levels, windows and holds are derived again under the new one, and every authorisation lapses.
"""

from collections.abc import Iterator

from clinical.course.case import Case
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from models.assessment import Finding
from models.facts import DivergenceAcknowledged, ProtocolAmended
from models.messages import AcknowledgeDivergence, AmendProtocol, share


def amended(judging: Judging, message: AmendProtocol) -> Judged:
    """Go on under another protocol. Refused when it is not known here, in force already, or a divergence is not its own."""
    refusal = judging.refusal()
    if refusal is not None:
        return refusal
    wanted = message.protocol
    if wanted == judging.case.chart.protocol:
        return refused("AlreadyInForce", f"the course runs under {wanted.name} already")
    protocol = judging.known(wanted)
    if protocol is None:
        return refused("UnknownProtocol", f"this release holds no protocol {wanted.name} with that hash")
    named, given = set(protocol.divergences), {a.divergence for a in message.acknowledged}
    if given - named:
        others = ", ".join(sorted(given - named))
        return refused("UnknownDivergence", f"{protocol.name} names no divergence {others}")
    return share(ProtocolAmended, message, missing=tuple(sorted(named - given)))


def acknowledged(judging: Judging, message: AcknowledgeDivergence) -> Judged:
    """Acknowledge one divergence of the protocol that was asked for; the last one puts it in force."""
    refusal, pending = judging.refusal(), judging.case.pending_amendment
    if refusal is not None or pending is None:
        return refusal or refused("NothingToAcknowledge", "no amendment waits for an acknowledgement")
    if message.divergence not in pending[1]:
        still = ", ".join(pending[1])
        return refused("UnknownDivergence", f"{message.divergence} is not asked for; still open: {still}")
    return share(DivergenceAcknowledged, message)


def amendment_note(case: Case) -> Iterator[Finding]:
    """Says that another protocol waits for its acknowledgements; the one in force decides meanwhile."""
    pending = case.pending_amendment
    if pending is not None:
        what, missing = pending
        reason = f"{what.protocol.name} was asked for; in force is {case.protocol.name}"
        clears = f"acknowledge_divergence of {', '.join(missing)} by the prescriber"
        yield case.finding("PIN-02", None, reason, clears=clears)
