"""REC-02: the record knows more than this execution, or says otherwise; no dose is authorised, started or resumed.

Before each of these commands the execution's head is compared with that of the record (design §2 promise 6). What was
found is a fact; a difference stands until an administrator and a physician have said that it may be put right.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from clinical.case import Case
from clinical.reading import Reading
from models.assessment import Finding, Verdict
from models.facts import Fact, GoneAheadWithoutRecord, RecordCompared, RecordReconciled
from models.people import Role

OFFICES = frozenset({"administrator", "physician"})
CLEARS = "reconcile_record by an administrator and by a physician, after `inocycle course reconcile`"


@dataclass(frozen=True)
class Difference:
    """A difference that stands: the fact that found it first, what was found last, and who has said what in which office."""

    since: Fact
    words: str
    said: dict[str, str]

    @property
    def settled(self) -> bool:
        """One person of each office has said that it may be put right; nobody is both."""
        return set(self.said.values()) >= OFFICES


def difference(reading: Reading) -> Difference | None:
    """The difference between record and execution that two people have not settled yet."""
    standing: Difference | None = None
    for fact in reading.in_order("record_compared", "record_reconciled"):
        what = fact.what
        if isinstance(what, RecordCompared) and what.differs:
            standing = Difference(standing.since if standing else fact, what.words, standing.said if standing else {})
        elif isinstance(what, RecordReconciled) and standing is not None:
            standing = Difference(standing.since, standing.words, {fact.by.person: _office(fact), **standing.said})
            standing = None if standing.settled else standing
    return standing


def _office(fact: Fact) -> str:
    return "administrator" if fact.by.role is Role.ADMINISTRATOR else "physician"


def record_gate(case: Case) -> Iterator[Finding]:
    """HOLD while the record differs from what this execution knows."""
    found = difference(case.reading)
    if found is not None:
        so_far = f" (so far: {', '.join(sorted(found.said.values()))})" if found.said else ""
        yield case.finding("REC-02", Verdict.HOLD, found.words, clears=f"{CLEARS}{so_far}")


def record_away(case: Case) -> bool:
    """Whether the record did not answer when it was asked for the command that is judged now (REC-01)."""
    asked = case.reading.of(RecordCompared)
    return bool(asked) and asked[-1][1].outcome == "away" and asked[-1][0].recorded_at == case.now


def without_record(case: Case) -> Iterator[Finding]:
    """REC-01: what went ahead although the record did not answer, with its reason."""
    for _, what in case.reading.of(GoneAheadWithoutRecord):
        reason = f"{what.command} went ahead while the record did not answer: {what.reason}"
        yield case.finding("REC-01", None, reason)
