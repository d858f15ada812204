"""A move: time goes by until an instant, then messages come, each judged in turn. And how the messages are made."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from checker.people import LABORATORY, LIVER, NURSE, PHYSICIAN, SUBJECT, result
from checker.ward import State
from models.facts import Findings, InfectionBleedingCheck, LabResult, UnreadableMessage, VodExamination, Weight
from models.messages import LabResults, Message, RecordFinding
from models.people import Actor

Said = TypeVar("Said", bound=Message)
KILOGRAMS = "70"


@dataclass(frozen=True)
class Move:
    """What people do next, as one story line: wait until `until` (now, where none is given), then say `messages`.

    `name` is the kind of the move; it stays the same wherever the move is made. `nothing`: it adds no usable value, so it
    opens nothing and lifts nothing (M.0).
    """

    name: str
    messages: tuple[Message, ...] = ()
    until: datetime | None = None
    unreadable: UnreadableMessage | None = None
    nothing: bool = False


class Scribe:
    """Writes messages for one state at one instant. Ids come from what is said and when, so that two orders of the same
    events at one instant leave the same chart."""

    def __init__(self, state: State, now: datetime | None = None) -> None:
        self.state = state
        self.now = now or state.now
        self._taken = {f.message for f in state.chart.facts}

    def say(self, kind: type[Said], by: Actor, key: str = "", **fields: Any) -> Said:
        """A message that nobody has sent before."""
        base = f"{kind.name}{'-' if key else ''}{key}@{self.now:%m%dT%H%M%S}/{by.id}"
        message_id, n = base, 1
        while message_id in self._taken:
            n += 1
            message_id = f"{base}#{n}"
        self._taken.add(message_id)
        return kind(id=message_id, by=by, **fields)

    def finds(self, *findings: Findings, by: Actor = NURSE, at: datetime | None = None) -> tuple[RecordFinding, ...]:
        """Findings of a person, one message each."""
        return tuple(self.say(RecordFinding, by, f.kind, finding=f, at=at) for f in findings)

    def draw(self, *results: LabResult, key: str = "") -> LabResults:
        """One draw as the laboratory sends it."""
        return self.say(LabResults, LABORATORY, key, results=results, subject_hash=SUBJECT)

    def labs(
        self, analytes: Iterable[str] = LIVER, key: str = "", *, at: datetime | None = None, **values: str
    ) -> LabResults:
        """One draw of these analytes, taken now, normal unless a value is given."""
        wanted = dict.fromkeys((*analytes, *values))
        return self.draw(*(result(a, at or self.now, values.get(a)) for a in wanted), key=key)

    def examination(self, kg: str = KILOGRAMS) -> tuple[Message, ...]:
        """No sign of VOD, no fever, no bleeding, the usual weight."""
        return (*self.finds(no_signs(), by=PHYSICIAN), *self.finds(no_fever(), weight(kg)))

    def garbled(self) -> UnreadableMessage:
        """A message that nobody can read."""
        before = [
            f for f in self.state.chart.facts if f.what.kind == "unreadable_message" and f.recorded_at == self.now
        ]
        digest = hashlib.sha256(f"{self.now.isoformat()}/{len(before)}".encode()).hexdigest()
        return UnreadableMessage(signal=LabResults.name, sha256=digest, size=3, reason="not JSON", head_base64="e30=")


def no_signs(**signs: bool | None) -> VodExamination:
    """An examination for VOD that found nothing, but what is given."""
    none = VodExamination(ruq_pain=False, hepatomegaly=False, painful_hepatomegaly=False, ascites=False, oedema=False)
    return none.model_copy(update=signs)


def no_fever(temperature: str | None = "36.8", *, bleeding: bool = False) -> InfectionBleedingCheck:
    """A check for infection and bleeding that found nothing, but what is given."""
    return InfectionBleedingCheck.model_validate_json(
        f'{{"temperature_c": {temperature or "null"}, "infection": false, "active_bleeding": {str(bleeding).lower()}}}'
    )


def weight(kg: str = KILOGRAMS) -> Weight:
    """A weight in kg."""
    return Weight.model_validate_json(f'{{"kg": "{kg}"}}')
