"""How the head of a course's record stands to what this run knows (REC-02). Pure; the record is asked by an activity."""

from collections import deque
from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.deciding import Head
    from models.facts import RecordCompared

AT_THE_BEDSIDE = {
    "infusion": "an infusion runs",
    "infusion_interrupted": "an infusion is interrupted",
    "reaction": "a reaction is not over",
    "observation": "the patient is observed after an infusion",
}
"""What only the record may know of, by the state in which it leaves the course."""
MOST_LINKS = 1000
"""A run is renewed before it has made more decisions than this; older links are on record for long."""


class Links:
    """The links of the chain that this run has seen, oldest first: those it began with, and each it has made."""

    def __init__(self, *began_with: Head) -> None:
        # While the record is away for long, more may wait for it than a run makes: each of them may be its head.
        self._links = deque(began_with, maxlen=len(began_with) + MOST_LINKS)

    def add(self, number: int, sha256: str) -> None:
        """A decision was made."""
        self._links.append(Head(number=number, sha256=sha256))

    @property
    def last(self) -> Head:
        """The last decision."""
        return self._links[-1]

    @property
    def newest(self) -> int:
        """The number of the last decision."""
        return self.last.number

    def compared(self, head: Head, last_on_record: int) -> RecordCompared:
        """How the head stands to these links; `last_on_record` was the last decision known to be written when it was asked.

        `behind` only by what this run still held then and writes; what is missing beyond that, or is another decision
        under the same number, is `other`; `ahead` is what this run does not know.
        """
        mine = self.newest
        if head.number > mine:
            return RecordCompared(outcome="ahead", words=_not_mine(head))
        if head.number < last_on_record:
            words = (
                f"the record ends at decision {head.number}, and {last_on_record} was written{_at_the_bedside(head)}"
            )
            return RecordCompared(outcome="other", words=words)
        if head.number and not self._has(head):
            return RecordCompared(outcome="other", words=_not_mine(head))
        return RecordCompared(outcome="equal" if head.number == mine else "behind")

    def _has(self, head: Head) -> bool:
        return any((link.number, link.sha256) == (head.number, head.sha256) for link in reversed(self._links))


def _not_mine(head: Head) -> str:
    """A difference is told by what the record holds: these words stay the same while this execution goes on deciding."""
    told = f"the record ends at decision {head.number} ({head.sha256[:8]}), which is not one of this execution"
    return f"{told}{_at_the_bedside(head)}"


def _at_the_bedside(head: Head) -> str:
    found = AT_THE_BEDSIDE.get(head.state)
    return f"; by the record {found}: look at the patient" if found else ""


def last_written(waiting: Sequence[int], newest: int) -> int:
    """The last decision that the record has confirmed: the one before the first that waits to be written."""
    return min(waiting) - 1 if waiting else newest
