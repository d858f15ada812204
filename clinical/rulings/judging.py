"""A message in the standing in which it is judged: what every ruling needs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from clinical.course.case import Case
from clinical.rulings.commands import Standing, gate, refused
from models.assessment import Accepted, Refused
from models.base import Frozen
from models.facts import Correction, DoseSlot, Fact, InfusionResumed, InfusionStarted, LabResult, Transplant
from models.messages import Message, share
from models.pins import ProtocolPin
from models.protocol import Protocol

Judged = Frozen | tuple[Frozen, ...] | Refused
"""What a ruling answers: what the new fact (or facts) say, or a refusal."""

Known = Callable[[ProtocolPin], Protocol | None]
"""Finds a released protocol by its pin; `None` where this release does not hold exactly that one."""


def nothing_known(_: ProtocolPin) -> Protocol | None:
    """No other protocol is at hand."""
    return None


class Judging:
    """One message judged in one standing."""

    def __init__(self, message: Message, standing: Standing, known: Known) -> None:
        self.message = message
        self.standing = standing
        self.known = known

    @property
    def case(self) -> Case:
        """The chart as it stands before this message."""
        return self.standing.case

    @property
    def at(self) -> datetime:
        """When the message says that it was true; without it, now. A clock that runs ahead does not make time pass."""
        return min(self.message.at or self.case.now, self.case.now)

    def refusal(self) -> Refused | None:
        """The gate of this command."""
        return gate(self.message.name, self.standing)

    def refusal_of_dose(self, wanted: DoseSlot) -> Refused | None:
        """The gate of a command about one dose; asking for another dose than the next is said first."""
        slot = self.standing.slot
        if slot is not None and (wanted.cycle, wanted.day) != (slot.cycle, slot.day):
            asked = DoseSlot(cycle=wanted.cycle, day=wanted.day)
            return refused("NotTheDoseDue", f"{asked} is not the dose that is due; next is {slot}")
        return self.refusal()

    def gated(self, kind: type[Frozen], **more: Any) -> Frozen | Refused:
        """A message whose fact is what it says, behind the gate of its command."""
        return self.refusal() or share(kind, self.message, **more)

    def accepted(self, judged: Frozen | tuple[Frozen, ...]) -> Accepted:
        """The facts that follow, numbered in their order."""
        bodies = judged if isinstance(judged, tuple) else (judged,)
        return Accepted(facts=tuple(self._fact(i, body) for i, body in enumerate(bodies)))

    def _fact(self, index: int, body: Frozen) -> Fact:
        return Fact(
            id=f"{self.message.id}/{index}",
            by=self.message.by,
            at=self._true_at(body),
            recorded_at=self.case.now,
            message=self.message.id,
            what=cast("Any", body),
        )

    def _true_at(self, body: Frozen) -> datetime:
        if isinstance(body, LabResult) and body.collected_at is not None:
            return body.collected_at
        if isinstance(body, Transplant) and body.transplanted_at is not None:
            return body.transplanted_at
        if isinstance(body, InfusionStarted | InfusionResumed):
            return self.case.now  # judged now, so it starts now
        if isinstance(body, Correction) and body.replacement is not None and self.message.at is None:
            return next(f.at for f in self.case.reading.facts if f.id == body.target)  # what was wrong, not when
        return self.at
