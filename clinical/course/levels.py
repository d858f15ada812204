"""Dose levels that were signed (LVL, DOSE-10, COR-02): they never rise again, except as a correction by two people.

What the interruptions ask for is derived anew each time (`interruption`). Where that is now less than a prescriber has
signed, because a fact behind it was corrected or attributed elsewhere, the signed level stands and the dose is held
until the prescriber and a second physician confirm the error. Then the former level is restored, which is no
re-escalation.
"""

from dataclasses import dataclass
from datetime import datetime

from clinical.chart.reading import Reading
from clinical.course.interruption import Interruptions
from clinical.treatment.reviews import Review, confirmed, confirming
from models.assessment import Verdict
from models.facts import Countersigned, DoseAuthorised, Fact


def level_name(level: int) -> str:
    """The level as a card shows it."""
    return f"L{level}"


@dataclass(frozen=True)
class Signed:
    """How many levels below the derived one the signed one stands, and the review that would lift it."""

    below: int
    reviews: tuple[Review, ...]


def levels_signed(reading: Reading, derived: Interruptions) -> Signed:
    """Compare every signature with the level that its cycle would have now; a confirmed error counts no more."""
    lower = [(fact, what) for fact, what in reading.of(DoseAuthorised) if _signed(what) > derived.level_of(what.cycle)]
    while lower:
        target, what = lower[0]
        review = _review(reading, target, what)
        if not confirmed(review.confirmed_by):
            return Signed(max(_signed(what) - derived.level_of(what.cycle) for _, what in lower), (review,))
        settled_at = _confirmed_at(reading, target)
        lower = [(fact, signed) for fact, signed in lower if fact.recorded_at > settled_at]
    return Signed(0, ())


def _signed(what: DoseAuthorised) -> int:
    return int(what.level.removeprefix("L"))


def _review(reading: Reading, target: Fact, what: DoseAuthorised) -> Review:
    words = f"what led to level {what.level}, signed for C{what.cycle}D{what.day}, was corrected; the level stands"
    return Review(target.id, Verdict.HOLD, f"{words} until two physicians confirm it", confirming(reading, target.id))


def _confirmed_at(reading: Reading, target: Fact) -> datetime:
    return max(fact.recorded_at for fact, what in reading.of(Countersigned) if what.target == target.id)
