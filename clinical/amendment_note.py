"""What a card says while another protocol waits for its acknowledgements."""

from collections.abc import Iterator

from clinical.case import Case
from models.assessment import Finding


def amendment_note(case: Case) -> Iterator[Finding]:
    """Says that another protocol waits for its acknowledgements; the one in force decides meanwhile."""
    pending = case.chart.pending_amendment
    if pending is not None:
        what, missing = pending
        reason = f"{what.protocol.name} was asked for; in force is {case.protocol.name}"
        clears = f"acknowledge_divergence of {', '.join(missing)} by the prescriber"
        yield case.finding("PIN-02", None, reason, clears=clears)
