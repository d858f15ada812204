"""Rulings on the record: a difference put right, and a dose while the record does not answer (REC-01, REC-02)."""

from clinical.gates.record_gate import difference, record_away
from clinical.rulings.commands import refused
from clinical.rulings.judging import Judged, Judging
from models.base import Frozen
from models.facts import GoneAheadWithoutRecord, RecordReconciled
from models.messages import AgainstTheRecord, ReconcileRecord, share


def reconciled(judging: Judging, message: ReconcileRecord) -> Judged:
    """One person's word; the second, from the other office, lets the execution go on from the record."""
    found = difference(judging.case.reading)
    if found is None:
        return refused("NothingToReconcile", "record and execution do not differ as far as is known")
    if message.by.person in found.said:
        return refused(
            "SecondPersonRequired", "this person has said it already; an administrator and a physician do (REC-02)"
        )
    return share(RecordReconciled, message)


def against_the_record(judging: Judging, message: AgainstTheRecord, judged: Frozen | tuple[Frozen, ...]) -> Judged:
    """While the record does not answer, nobody can say whether it knows more: whoever goes ahead says why (REC-01)."""
    if not record_away(judging.case):
        return judged
    reason = message.record_away_reason
    if reason is None:
        words = "the record does not answer, so nobody can say whether it knows more; wait, or give record_away_reason"
        finding = judging.case.finding("REC-01", None, "the record does not answer", clears="the record answers again")
        return refused("RecordAway", words, (finding,))
    bodies = judged if isinstance(judged, tuple) else (judged,)
    return (*bodies, GoneAheadWithoutRecord(command=message.name, reason=reason))
