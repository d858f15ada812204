"""COR-02: the fact behind a permanent stop or a reduced level was retracted. Nothing opens until two people confirm it.

The stop stands (DISCONTINUED), or the dose is held, until the prescriber and a second physician have confirmed the error;
who made the correction, being one of them, has confirmed it by making it. Then the former state is restored as a
correction, which is not a re-escalation.
"""

from dataclasses import dataclass
from itertools import permutations

from clinical.chart.reading import Reading
from models.assessment import Verdict
from models.facts import Countersigned
from models.people import PHYSICIANS, Actor, Role


@dataclass(frozen=True)
class Review:
    """One open review: what was corrected away, what holds meanwhile, and who has confirmed the error so far."""

    target: str
    verdict: Verdict
    what: str
    confirmed_by: tuple[Actor, ...]

    @property
    def clears(self) -> str:
        """What closes it, and who has confirmed so far."""
        so_far = f" (so far: {', '.join(map(str, self.confirmed_by))})" if self.confirmed_by else ""
        return f"countersign {self.target} by the prescriber and by a second physician{so_far}"


def confirmed(people: tuple[Actor, ...]) -> bool:
    """Whether a prescriber and a second physician are among them (COR-02)."""
    return any(
        one.role is Role.PRESCRIBER and other.role in PHYSICIANS and one.id != other.id
        for one, other in permutations(people, 2)
    )


def confirming(reading: Reading, target: str) -> tuple[Actor, ...]:
    """The physicians who have confirmed an error: who corrected this fact, and who countersigned it."""
    people = (*reading.corrected_by(target), *signed_under(reading, target))
    return tuple(dict.fromkeys(by for by in people if by.role in PHYSICIANS))


def signed_under(reading: Reading, target: str) -> tuple[Actor, ...]:
    """Who countersigned this, each once, in order."""
    return tuple(dict.fromkeys(fact.by for fact, what in reading.of(Countersigned) if what.target == target))


def stop_reviews(reading: Reading, stop_grade: int) -> tuple[Review, ...]:
    """The permanent stops whose fact was corrected away and that two people have not confirmed yet (COR-02)."""
    words = "the fact behind a permanent stop was corrected; the stop stands until two physicians confirm it"
    found = [
        Review(fact.id, Verdict.DISCONTINUED, f"{words} ({fact.what.kind})", confirming(reading, fact.id))
        for fact in reading.retracted_stops(stop_grade)
    ]
    return tuple(review for review in found if not confirmed(review.confirmed_by))
