"""REC-02: the record knows more than this execution, or says otherwise; no dose is authorised, started or resumed.

Before each of these commands the execution's head is compared with that of the record (design §2 promise 6). What was
found is a fact; a difference stands until an administrator and a physician have said that it may be put right, and the
course has gone on from its record.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clinical.chart.reading import Reading
from clinical.course.case import Case
from models.assessment import RECORD_DIFFERS, Finding, Refused, Verdict
from models.facts import DIFFERS, Fact, GoneAheadWithoutRecord, RecordCompared, RecordReconciled
from models.people import Role

OFFICES = frozenset({"administrator", "physician"})
CLEARS = "reconcile_record by an administrator and by a physician, after `inocycle course reconcile`"
GOES_ON = "the course goes on from its record: both have said so"


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
    """The difference between record and execution that stands: not settled yet, or settled and not gone on from yet."""
    standing: Difference | None = None
    for fact in reading.in_order("record_compared", "record_reconciled"):
        if isinstance(fact.what, RecordCompared):
            standing = _compared(standing, fact, fact.what)
        elif isinstance(fact.what, RecordReconciled) and standing is not None:
            standing = replace(standing, said={fact.by.person: _office(fact), **standing.said})
    return standing


def _compared(standing: Difference | None, fact: Fact, found: RecordCompared) -> Difference | None:
    """A word counts for the difference whose words were shown. Once both have said it, a record at one is gone on from."""
    if found.differs:
        said = standing.said if standing is not None and standing.words == found.words else {}
        return Difference(standing.since if standing else fact, found.words, said)
    return None if standing is not None and standing.settled and found.outcome != "away" else standing


def _office(fact: Fact) -> str:
    return "administrator" if fact.by.role is Role.ADMINISTRATOR else "physician"


def record_gate(case: Case) -> Iterator[Finding]:
    """HOLD while the record differs from what this execution knows."""
    found = difference(case.reading)
    if found is not None:
        so_far = f" (so far: {', '.join(sorted(found.said.values()))})" if found.said else ""
        yield _finding(case, found, GOES_ON if found.settled else f"{CLEARS}{so_far}")


def _finding(case: Case, found: Difference, clears: str) -> Finding:
    return case.finding(DIFFERS, Verdict.HOLD, found.words, clears=clears)


def not_the_last_word(case: Case, refusal: Refused) -> Refused:
    """What happened is not refused for good by an execution that knows less than its record, nor to be charted otherwise."""
    found = difference(case.reading)
    if found is None:
        return refusal
    words = "the record of this course says otherwise or more, so this cannot be judged yet: say it again, with its time, once"
    return Refused(
        type=RECORD_DIFFERS,
        message=f"{words} two people have settled the difference (REC-02)",
        findings=(_finding(case, found, GOES_ON if found.settled else CLEARS),),
    )


def record_away(case: Case) -> bool:
    """Whether the record did not answer when it was asked for the command that is judged now (REC-01)."""
    asked = case.reading.of(RecordCompared)
    return bool(asked) and asked[-1][1].outcome == "away" and asked[-1][0].recorded_at == case.now


def without_record(case: Case) -> Iterator[Finding]:
    """REC-01: what went ahead although the record did not answer, with its reason."""
    for _, what in case.reading.of(GoneAheadWithoutRecord):
        reason = f"{what.command} went ahead while the record did not answer: {what.reason}"
        yield case.finding("REC-01", None, reason)
