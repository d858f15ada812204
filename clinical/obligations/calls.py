"""What calls a person: the gravest, to which physician and nurse come at once (CALL-01), and what somebody must settle soon."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from clinical.bedside.amounts import answer_to, given_doses
from clinical.bedside.elsewhere import questions
from clinical.bedside.infusion import clock, first_act
from clinical.bedside.time_limits import unanswered_ends
from clinical.chart.unread import NAMED, SHOWN, flood
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.course.pregnancy import needed, positive_test
from clinical.gates.not_read import unsettled
from clinical.monitoring.due import FURTHER, hashed
from clinical.monitoring.next_due import said
from clinical.notes.critical import critical, ending
from clinical.results.known import NO_MORE, Unknown
from clinical.toxicity.ecg import qtcf_opening
from clinical.toxicity.toxicity import latest_graded
from clinical.treatment.closing import lost_to_follow_up
from clinical.verdict.late_values import late_value
from clinical.vod.alerts import ladder
from clinical.vod.risk import SIGNED_BY, unsigned_alerts
from models.facts import Ecg, Fact, Reaction
from models.obligation_kinds import ObligationKind

FURTHER_RESULTS = "further-results"
"""The one call for all results beyond those that call for themselves."""


class Call(NamedTuple):
    """One thing that waits for a person since an instant. How soon it is overdue, and for whom, is said by its kind."""

    kind: ObligationKind
    name: str
    title: str
    rule: str
    since: datetime
    clears: str
    once: bool = False


def calls(case: Case) -> Iterator[Call]:
    """Every open call. Its instants come from the facts that opened it (LAB-05, LAB-06, NON-04, CALL-01)."""
    yield from _reactions(case)
    yield from _fatal_toxicity(case)
    yield from _critical(case)
    yield from _implausible(case)
    yield from _pregnancy(case)
    yield from _vod(case)
    yield from _risk(case)
    yield from _late(case)
    yield from _unread(case)
    yield from _infusions(case)
    yield from _lost(case)


def _unread(case: Case) -> Iterator[Call]:
    unread, kind = flood(case.reading, case.results.unreadable_messages), ObligationKind.UNREADABLE
    for fact, message in unread.singly:
        name = message.sha256[:SHOWN]
        title, clears = f"message {name} could not be read", "resolve_unreadable: transcribe its values or dismiss it"
        yield Call(kind, name, title, "LAB-05", fact.recorded_at, clears)
    if unread.since is not None:
        title, clears = "further messages could not be read", "resolve_unreadable for each; the card names the next"
        yield Call(kind, FURTHER, title, "LAB-05", unread.since, clears)
    waiting = unsettled(case)
    for one in waiting[:NAMED]:
        yield Call(kind, hashed(one.fact), one.what, one.rule, one.since, one.clears)
    if len(waiting) > NAMED:
        title, clears = "further results cannot be used", "resolve_unreadable for each; the card names the next"
        yield Call(kind, FURTHER_RESULTS, title, "LAB-12", waiting[NAMED].since, clears)


def _implausible(case: Case) -> Iterator[Call]:
    for unknown in _implausibly_high(case):
        title = f"{label(unknown.analyte)} implausibly high: a person must look"
        clears, since = "the result confirmed or corrected, or a later usable one", case.recorded[unknown.fact]
        yield Call(ObligationKind.IMPLAUSIBLE, unknown.analyte, title, "LAB-06", since, clears)


def _reactions(case: Case) -> Iterator[Call]:
    """Each reaction: its grade where none is given, its end from grade 2 on, whether it came back; each by what is known."""
    stop, running = case.protocol.observation.stop_grade.count, case.protocol.observation.running_grade.count
    act = first_act(case)
    first, charted = (f"{act}; ", "interrupt_infusion with what the pump shows, and ") if act else ("", "")
    for reaction in case.reactions:
        name, back = hashed(reaction.reaction_id), reaction.came_back
        reports = _reports_of(case, reaction.reaction_id)
        came_back = [] if back is None else [back.recorded_at]
        if reaction.grade is None:
            title = f"{first}infusion-related reaction without a grade"
            clears = f"{charted}report_reaction with its grade"
            since = min(fact.recorded_at for fact, _ in reports)
            yield Call(ObligationKind.REACTION, name, title, "NON-04", since, clears)
        elif reaction.grade >= running and reaction.resolved_at is None and (back is None or reaction.grade >= stop):
            again = "" if back is None else "came back and "
            title = f"{first}infusion-related reaction of grade {reaction.grade} {again}is not over: treat it"
            clears = f"{charted}its end, by report_reaction with resolved_at"
            graded = min(fact.recorded_at for fact, what in reports if what.grade == reaction.grade)
            since = max([graded, *came_back])
            yield Call(ObligationKind.REACTION_RUNNING, name, title, "NON-04", since, clears)
        if back is not None and (reaction.grade or 0) < stop:
            treat, end = ("treat it, ", ", its end") if reaction.resolved_at is None else ("", "")
            title = f"{first}infusion-related reaction came back: {treat}its grade"
            clears = f"{charted}report_reaction with its grade{end}, or correct_fact"
            yield Call(ObligationKind.REACTION_BACK, name, title, "NON-04", back.recorded_at, clears)


def _fatal_toxicity(case: Case) -> Iterator[Call]:
    """A toxicity of grade 5 is a death: a person closes the record. Until then all else is asked, for a grade may be wrong."""
    for fact, toxicity in latest_graded(case):
        if toxicity.grade == case.protocol.observation.death_grade.count:
            title = f"toxicity of grade {toxicity.grade}: close the record and report it"
            name, clears = hashed(toxicity.term), "close_course with the death, or correct_fact"
            yield Call(ObligationKind.DEATH, name, title, "NON-06", fact.recorded_at, clears)


def _critical(case: Case) -> Iterator[Call]:
    doubts = {unknown.fact: unknown for unknown in case.results.in_doubt()}
    for one in critical(case):
        title = f"critical value of {label(one.result.analyte)}: look at the patient"
        value = f"{one.result.said} on {said(case, one.result.collected_at)}, {one.why}"
        value += NO_MORE if one.result.gone else ""
        if (doubt := doubts.get(one.result.fact)) is not None:
            value += f"; {doubt.rule}: {doubt.why}"
        clears = f"{ending(one.result)}; last {value}"
        yield Call(ObligationKind.CRITICAL, one.result.analyte, title, "CRIT-01", one.since, clears, one.once)


def _pregnancy(case: Case) -> Iterator[Call]:
    positive = positive_test(case)
    if positive is not None:
        title = "a positive pregnancy test: speak with the patient"
        yield Call(ObligationKind.PREGNANCY, "", title, "MON-11", positive.recorded_at, needed(case, positive))


def _risk(case: Case) -> Iterator[Call]:
    """RISK-06: each hard alert before a planned transplant waits for a physician, who signs that it goes on all the same."""
    for alert in unsigned_alerts(case):
        title = "a hard risk alert before conditioning: a physician signs it, or the plan is changed"
        yield Call(ObligationKind.RISK, alert.risk, title, "RISK-01", alert.known_at, SIGNED_BY)


def _late(case: Case) -> Iterator[Call]:
    late = late_value(case)
    if late is not None:
        title = f"a value of before {late.slot} that came after its start would have closed its gate"
        clears = "interrupt_infusion, hold, discontinue, decide_dose, or result_confirmed, by a physician"
        yield Call(ObligationKind.LATE_VALUE, str(late.slot), title, late.rule, late.since, clears)


def _infusions(case: Case) -> Iterator[Call]:
    """INF-07: an infusion that cannot be as it is charted, a dose of elsewhere that does not fit, an end past its limit."""
    kind = ObligationKind.INFUSION_ASKED
    for given in given_doses(case):
        dose = given.dose
        if given.doubt is not None:
            name, title = (
                f"{dose.slot}-amount",
                f"infusion of {dose.slot}: how long it ran does not fit what is charted as given",
            )
            if given.read is not None:
                title = f"infusion of {dose.slot}: the pump showed more than can have run in"
            if dose.reported:
                name, title = hashed(dose.fact), f"{dose.slot} of elsewhere: more is reported than its dose"
            yield Call(kind, name, title, "INF-07", case.recorded[given.told_by], answer_to(case, given))
    for asked in questions(case):
        name = f"{hashed(asked.dose.fact)}-{asked.rule}"
        yield Call(kind, name, asked.title, asked.rule, asked.since, asked.clears)
    for dose, end_fact, limit in unanswered_ends(case):
        title = f"infusion of {dose.slot} ended past {clock(case, limit)}: a physician looks at it"
        clears = f"result_confirmed of {end_fact.id} by a physician, or correct_fact of it"
        yield Call(kind, f"{dose.slot}-late", title, "INF-07", end_fact.recorded_at, clears)


def _lost(case: Case) -> Iterator[Call]:
    missed = lost_to_follow_up(case.reading)
    if missed:
        title = "lost to follow-up: find the patient, or say it again"
        clears = "a result, or close_course by a physician"
        yield Call(ObligationKind.LOST, "", title, "CLOSE-01", missed[0].recorded_at, clears)


def _implausibly_high(case: Case) -> tuple[Unknown, ...]:
    """LAB-06: results that a laboratory sent, and a QT that a person charted."""
    qtcf, sent = qtcf_opening(case).unknown if case.reading.of(Ecg) else None, case.results.implausibly_high()
    charted = qtcf is not None and qtcf.high and qtcf.analyte not in {u.analyte for u in sent}
    return (*sent, qtcf) if charted and qtcf is not None else sent


def deaths(case: Case) -> Iterator[Call]:
    """CT-27: a reaction of grade 5 is a death. A person closes the record and reports it; nothing else is asked."""
    for reaction in case.reactions:
        if reaction.grade == case.protocol.observation.death_grade.count:
            since = min(
                fact.recorded_at
                for fact, what in _reports_of(case, reaction.reaction_id)
                if what.grade == reaction.grade
            )
            title = f"infusion-related reaction of grade {reaction.grade}: close the record and report it"
            clears = "close_course with the death, or correct_fact"
            yield Call(ObligationKind.DEATH, hashed(reaction.reaction_id), title, "NON-05", since, clears)


def _vod(case: Case) -> Iterator[Call]:
    """VOD is suspected and nobody has judged it: a physician is called from the instant at which that became known.

    Where it became graver since, that is a call of its own: what was said to the first was said to less (CALL-01).
    """
    found = ladder(case)
    since = found.unanswered_since
    if since is not None:
        title, clears = "signs of VOD: a physician must judge", "judge_vod"
        yield Call(ObligationKind.VOD, "", title, "ALERT-02", since, clears)
        if found.risen_at is not None and found.risen_at > since:
            title, rule = f"signs of VOD are graver, A{found.step}: a physician must judge", f"ALERT-0{found.step}"
            yield Call(ObligationKind.VOD, "graver", title, rule, found.risen_at, clears)


def _reports_of(case: Case, reaction_id: str) -> list[tuple[Fact, Reaction]]:
    return [(fact, what) for fact, what in case.reading.of(Reaction) if what.reaction_id == reaction_id]
