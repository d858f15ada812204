"""Infusion-related reactions by grade: what holds, what is proposed, what only a person can do (NON-04, NON-05, IRR, CT-27)."""

from collections.abc import Iterator
from datetime import datetime

from clinical.bedside.infusion import interrupted
from clinical.course.case import Case
from clinical.treatment.reported import ReactionSoFar
from models.assessment import Finding, Verdict
from models.facts import InfusionResumed, Premedication, PremedicationClass, Reaction

TREATMENT = (PremedicationClass.CORTICOSTEROID, PremedicationClass.ANTIHISTAMINE)
"""What a reaction of grade 2 asks for before the infusion goes on (IRR)."""


def reactions(case: Case) -> Iterator[Finding]:
    """Every reaction that asks for something, and what the grade of one at the bedside means for this infusion."""
    grade = case.protocol.observation.stop_grade.count
    ungraded = case.ungraded_reaction
    if ungraded is not None:
        reason = "an infusion-related reaction without a grade"
        yield case.finding("NON-04", Verdict.HOLD_URGENT, reason, clears="the grade, by report_reaction")
    back = case.reaction_come_back
    if back is not None:
        reason = f"infusion-related reaction {back.reaction_id} came back: a physician grades it (grade {grade} by definition)"
        clears = "the grade by report_reaction, or correct_fact if it did not come back"
        yield case.finding("NON-04", Verdict.HOLD_URGENT, reason, clears=clears)
    running = case.reaction_running
    if back is None and running is not None and running.grade is not None and running.grade < grade:
        reason = f"infusion-related reaction of grade {running.grade} is not over: treat it; corticosteroid and antihistamine"
        yield case.finding("NON-04", Verdict.HOLD_URGENT, reason, clears="its end, by report_reaction with resolved_at")
    yield from _at_the_bedside(case)


def _at_the_bedside(case: Case) -> Iterator[Finding]:
    """§4.5: what the grades below the stop mean while the dose of the reaction is at hand."""
    if case.running is None and case.in_observation is None:
        return
    last, spans = case.last_dose, case.protocol.observation
    for reaction in case.reactions:
        if last is None or reaction.began_at < last.started_at or reaction.grade is None:
            continue
        if reaction.grade < spans.running_grade.count:
            yield case.finding(
                "NON-04", None, f"reaction of grade {reaction.grade}: {_mild(case)}, watched more closely"
            )
        elif reaction.grade < spans.stop_grade.count:
            yield from _going_on(case, reaction)


def _mild(case: Case) -> str:
    """IRR-04: it stopped the infusion as any reaction does, and is no reason against going on at once."""
    return "the infusion goes on" if interrupted(case) is None else "the infusion may go on at once (resume_infusion)"


def _going_on(case: Case, reaction: ReactionSoFar) -> Iterator[Finding]:
    """IRR, grade 2: once it is over the infusion may go on, proposed at half the rate, if the drug allows (INF-06)."""
    if case.reaction_running is not None or interrupted(case) is None:
        return
    rate, missing = case.protocol.observation.resume_rate.shown(), untreated(case)
    reason = (
        f"reaction of grade {reaction.grade} is over: after corticosteroid and antihistamine the infusion may go on, "
        f"proposed at half the rate ({rate}); what cannot run in before the drug expires is discarded"
    )
    reason += f"; not charted since the reaction: {', '.join(missing)}" if missing else ""
    clears = "record_premedication of each, or resume_infusion by the prescriber" if missing else None
    yield case.finding("NON-04", None, reason, clears=clears)


def untreated(case: Case) -> tuple[str, ...]:
    """IRR: what of the treatment is not charted since a reaction of grade 2 and more for which the infusion stands still.

    A resumption answers the reactions before it. Of one that is told only when it was over nobody says when it began.
    """
    if case.running is None:
        return ()
    since = max([case.running.started_at, *(f.at for f, _ in case.reading.of(InfusionResumed))])
    grade, begun = case.protocol.observation.running_grade.count, dict[str, datetime]()
    grave = {r.reaction_id for r in case.reactions if (r.grade or 0) >= grade}
    for fact, what in case.reading.of(Reaction):
        if what.reaction_id in grave and fact.at >= since:
            seen = since if what.resolved_at is not None else fact.at
            begun[what.reaction_id] = min(seen, begun.get(what.reaction_id, seen))
    if not begun:
        return ()
    last = max(begun.values()).replace(second=0, microsecond=0)  # people chart minutes
    given = {what.drug_class for fact, what in case.reading.of(Premedication) if fact.at >= last}
    return tuple(str(one) for one in TREATMENT if one not in given)
