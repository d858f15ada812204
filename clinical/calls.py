"""What a person must look at soon: messages and results that nobody could read, implausible values, ungraded reactions."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from clinical.alerts import ladder
from clinical.case import Case
from clinical.closing import lost_to_follow_up
from clinical.due import FURTHER_UNREADABLE, IMPLAUSIBLE, LATE_VALUE, REACTION, UNREADABLE, key_of
from clinical.ecg import latest_qtcf
from clinical.late_values import late_value
from clinical.results import Unknown
from clinical.units import label
from clinical.unread import SHOWN, flood
from clinical.vod import Signs
from models.facts import Ecg, Fact, Reaction
from models.people import Role


class Call(NamedTuple):
    """One thing that waits for a person since an instant; `urgent` ones are overdue within minutes."""

    key: str
    title: str
    rule: str
    owner: Role
    since: datetime
    urgent: bool
    clears: str


def calls(case: Case) -> Iterator[Call]:
    """Every open call. Its instants come from the facts that opened it (LAB-05, LAB-06, NON-04)."""
    unread = flood(case.reading, case.results.unreadable_messages)
    for fact, message in unread.singly:
        title = f"message {message.sha256[:SHOWN]} could not be read"
        clears = "resolve_unreadable: transcribe its values or dismiss it"
        yield Call(
            f"{UNREADABLE}-{message.sha256[:SHOWN]}", title, "LAB-05", Role.PHYSICIAN, fact.recorded_at, False, clears
        )
    if unread.since is not None:
        title, clears = "further messages could not be read", "resolve_unreadable for each; the card names the next"
        yield Call(FURTHER_UNREADABLE, title, "LAB-05", Role.PHYSICIAN, unread.since, False, clears)
    for unknown in _implausibly_high(case):
        clears = "the result confirmed or corrected, or a later usable one"
        since = _recorded(case)[unknown.fact]
        title = f"{label(unknown.analyte)} implausibly high: a person must look"
        yield Call(f"{IMPLAUSIBLE}-{unknown.analyte}", title, "LAB-06", Role.PHYSICIAN, since, True, clears)
    ungraded = case.ungraded_reaction
    if ungraded is not None:
        since = min(f.recorded_at for f in _reports_of(case, ungraded.reaction_id))
        title, clears = "infusion-related reaction without a grade", "report_reaction with its grade"
        yield Call(key_of(REACTION, ungraded.reaction_id), title, "NON-04", Role.PHYSICIAN, since, True, clears)
    back = case.reaction_come_back
    if back is not None and back.came_back is not None:
        title, clears = (
            "infusion-related reaction came back: its grade",
            "report_reaction with its grade, or correct_fact",
        )
        since = back.came_back.recorded_at
        key = f"{key_of(REACTION, back.reaction_id)}-again"
        yield Call(key, title, "NON-04", Role.PHYSICIAN, since, True, clears)
    late = late_value(case)
    if late is not None:
        title = f"a value of before {late.slot} that came after its start would have closed its gate"
        clears = "interrupt_infusion, hold, discontinue, decide_dose, or result_confirmed, by a physician"
        yield Call(f"{LATE_VALUE}-{late.slot}", title, late.rule, Role.PRESCRIBER, late.since, True, clears)
    yield from _deaths(case)
    yield from _vod(case)
    missed = lost_to_follow_up(case.reading)
    if missed:
        title, clears = (
            "lost to follow-up: find the patient, or say it again",
            "a result, or close_course by a physician",
        )
        yield Call("lost-to-follow-up", title, "CLOSE-01", Role.PHYSICIAN, missed[0].recorded_at, False, clears)


def _implausibly_high(case: Case) -> tuple[Unknown, ...]:
    """LAB-06: results that a laboratory sent, and a QT that a person charted."""
    qtcf, sent = latest_qtcf(case) if case.reading.of(Ecg) else None, case.results.urgent()
    charted = isinstance(qtcf, Unknown) and qtcf.urgent and qtcf.analyte not in {u.analyte for u in sent}
    return (*sent, qtcf) if charted and isinstance(qtcf, Unknown) else sent


def _deaths(case: Case) -> Iterator[Call]:
    """CT-27: a reaction of grade 5 is a death; a person closes the record and reports it."""
    for reaction in case.reactions:
        if reaction.grade == case.protocol.observation.death_grade.count:
            since = min(f.recorded_at for f in _reports_of(case, reaction.reaction_id))
            title = f"infusion-related reaction of grade {reaction.grade}: close the record and report it"
            clears = "close_course with the death, or correct_fact"
            key = f"{key_of(REACTION, reaction.reaction_id)}-death"
            yield Call(key, title, "NON-05", Role.PHYSICIAN, since, True, clears)


def _vod(case: Case) -> Iterator[Call]:
    """VOD is suspected and nobody has judged it: a physician is called at once, and again with every new look."""
    found = ladder(case)
    if found.waits:
        facts = [i.fact for i in Signs(case).inputs() if i.fact] + ([found.judged[0].id] if found.judged else [])
        recorded = _recorded(case)
        since = max((recorded[fact] for fact in facts if fact in recorded), default=case.course.started_at)
        title, clears = "signs of VOD: a physician must judge", "judge_vod"
        yield Call("vod-judgement", title, "ALERT-02", Role.PHYSICIAN, since, True, clears)


def _reports_of(case: Case, reaction_id: str) -> list[Fact]:
    return [fact for fact, what in case.reading.of(Reaction) if what.reaction_id == reaction_id]


def _recorded(case: Case) -> dict[str, datetime]:
    """When each fact that stands was recorded."""
    return {f.id: f.recorded_at for f in case.reading.facts}
