"""One decision: messages judged (if any), the clock's own facts added, the chart assessed. What a workflow asks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from clinical.assess import assess_case
from clinical.chart.setting_aside import judge_setting_aside
from clinical.course.case import Case
from clinical.gates.record_gate import difference
from clinical.judge import judge, judge_machine
from clinical.obligations.course_over import course_over
from clinical.obligations.escalation import obligations_closed, rungs_reached
from clinical.obligations.obligations import obligations
from clinical.rulings.judging import Known, nothing_known
from models.assessment import Accepted, Assessment, Refused
from models.base import Frozen, content_hash, short_hash
from models.carried import DecideRequest, Decision
from models.chart import Chart
from models.facts import (
    Fact,
    MonitoringStarted,
    ObligationMet,
    RecordCompared,
    RungFired,
    UnreadableMessage,
    UnreadableResolved,
)
from models.messages import MachineMessage, Message, ReadAgain, SetFactAside
from models.people import CLOCK
from models.phase import CYCLE, ENDED, MONITORING, Phase
from models.protocol import Protocol

STILL_UNREADABLE: Final = "StillUnreadable"


class ReadAgainTold(NamedTuple):
    """A `read_again` with what came of it: `why` it still cannot be read, or else `said`, what it turned out to be."""

    request: ReadAgain
    said: str
    why: str = ""


class Inside(NamedTuple):
    """The message that the `read_again` before it brought: judged as if it had just arrived, where that one is accepted."""

    message: Message
    target: str


Told = Message | UnreadableMessage | ReadAgainTold | Inside
"""What a decision is told: a message, one that could not be read, or one that was read later."""


class Concluded(NamedTuple):
    """The core's answer to several messages: a ruling on each (none on an unreadable one), what follows, where it stands.

    `settled`: two people have said that a difference from the record may be put right, and the course has not gone on yet.
    """

    rulings: tuple[Accepted | Refused | None, ...]
    facts: tuple[Fact, ...]
    chart: Chart
    assessment: Assessment
    phase: Phase
    settled: bool


def conclude(
    chart: Chart,
    told: Sequence[Told],
    now: datetime,
    protocol: Protocol,
    known: Known = nothing_known,
    *,
    monitoring: bool = False,
    compared: RecordCompared | None = None,
    adopted: Sequence[Fact] = (),
) -> Concluded:
    """Judge each message in order, then assess once. Pure: the same question gives the same answer.

    An amendment that comes into force decides at once: what follows is judged and assessed under the new protocol.
    `adopted` are facts of another stretch of this course, `compared` is how the record's head stood when it was asked:
    both come before all else (REC-02).
    """
    added = list(adopted)
    # Before any rule is asked: one of them may fail on the very fact that is set aside.
    aside = [judge_setting_aside(chart.with_facts(*added), one, now) for one in told if isinstance(one, SetFactAside)]
    added += [fact for ruling in aside if isinstance(ruling, Accepted) for fact in ruling.facts]
    if compared is not None:
        said = content_hash([compared.outcome, compared.words, now])
        added.append(_by_the_clock(f"record-compared/{said}", compared, now))
    # What fell due before the messages is said first: a test that comes a moment late was due all the same.
    added += _escalation(Case(chart.with_facts(*added), protocol, now))
    before = len(added)
    rulings: list[Accepted | Refused | None] = []
    for one in told:
        if isinstance(one, SetFactAside):
            rulings.append(aside.pop(0))
            continue
        so_far = chart.with_facts(*added)
        if isinstance(one, Inside) and isinstance(rulings[-1], Refused):
            rulings.append(None)
            continue
        heard = _as_it_came(chart, one) if isinstance(one, Inside) else one
        ruling, facts = _told(heard, so_far, now, protocol, known)
        rulings.append(ruling)
        added += facts
        protocol = _in_force(chart.with_facts(*added), so_far, protocol, known) if _may_amend(one) else protocol
    added += _monitoring_started(chart.with_facts(*added), protocol, now, monitoring)
    if len(added) > before:
        added += _escalation(Case(chart.with_facts(*added), protocol, now))
    longer = chart.with_facts(*added)
    case = Case(longer, protocol, now)
    standing = difference(case.reading)
    settled = standing is not None and standing.settled
    return Concluded(tuple(rulings), tuple(added), longer, assess_case(case), phase_of(case), settled)


def decide(request: DecideRequest, protocol: Protocol, code_version: str, known: Known = nothing_known) -> Decision:
    """The same for one message or none, as a request and its decision."""
    one: Told | None = request.message.read() if request.message is not None else request.unreadable
    told = () if one is None else (one,)
    done = conclude(request.chart, told, request.now, protocol, known, monitoring=request.monitoring)
    ruling = done.rulings[0] if done.rulings else None
    return Decision(
        ruling=ruling, facts=done.facts, assessment=done.assessment, phase=done.phase, code_version=code_version
    )


def _told(
    one: Message | UnreadableMessage | ReadAgainTold, chart: Chart, now: datetime, protocol: Protocol, known: Known
) -> tuple[Accepted | Refused | None, tuple[Fact, ...]]:
    if isinstance(one, UnreadableMessage):
        return None, (_by_the_clock(f"unreadable/{one.sha256[:32]}/{len(chart.facts)}", one, now),)
    message = one.request if isinstance(one, ReadAgainTold) else one
    rule = judge_machine if isinstance(message, MachineMessage) else judge
    ruling = rule(chart, message, protocol, now, known)
    if isinstance(one, ReadAgainTold) and isinstance(ruling, Accepted):
        return _read_again(one, chart, now)
    return ruling, ruling.facts if isinstance(ruling, Accepted) else ()


def _read_again(one: ReadAgainTold, chart: Chart, now: datetime) -> tuple[Accepted | Refused, tuple[Fact, ...]]:
    """LAB-05: what could be read now is unreadable no longer; what still cannot be read changes nothing."""
    if one.why:
        return Refused(type=STILL_UNREADABLE, message=f"it still cannot be read: {one.why}"), ()
    target = one.request.target
    resolved = UnreadableResolved(target=target, outcome="read", reason=one.said)
    fact = _by_the_clock(f"read/{short_hash(target)}/{len(chart.facts)}", resolved, now)
    return Accepted(facts=(fact,)), (fact,)


def _as_it_came(chart: Chart, inside: Inside) -> Message:
    """Without a time of its own it was true when it came, not when it could be read: a premedication grows no younger."""
    came = [f.at for f in chart.facts if isinstance(f.what, UnreadableMessage) and f.what.sha256 == inside.target]
    message = inside.message
    return message.model_copy(update={"at": came[-1]}) if message.at is None and came else message


def _may_amend(one: Told) -> bool:
    return not isinstance(one, MachineMessage | UnreadableMessage | ReadAgainTold | Inside)


def _in_force(chart: Chart, before: Chart, protocol: Protocol, known: Known) -> Protocol:
    return protocol if chart.protocol == before.protocol else known(chart.protocol) or protocol


def phase_of(case: Case) -> Phase:
    """Which execution the course needs: its cycle, liver monitoring, or none any more (MON-17)."""
    if course_over(case):
        return Phase(kind=ENDED, cycle=case.cycle)
    return Phase(kind=MONITORING if case.monitoring else CYCLE, cycle=case.cycle)


def _monitoring_started(chart: Chart, protocol: Protocol, now: datetime, monitoring: bool) -> tuple[Fact, ...]:
    if not monitoring:
        return ()
    case = Case(chart, protocol, now)
    if case.dosing_ended is None or case.monitoring_begun:
        return ()
    return (_by_the_clock(f"monitoring/{len(chart.facts)}", MonitoringStarted(), now),)


def _escalation(case: Case) -> list[Fact]:
    opened = obligations(case)
    fired: list[RungFired | ObligationMet] = [*rungs_reached(case, opened), *obligations_closed(case, opened)]
    return [_by_the_clock(_id_of(what), what, case.now) for what in fired]


def _id_of(what: RungFired | ObligationMet) -> str:
    """By a hash: the same rung of the same obligation has one id, however long the key of the obligation is."""
    last: list[object] = [what.rung if isinstance(what, RungFired) else what.how]
    if isinstance(what, RungFired) and what.until is not None:
        last.append(what.until)
    return f"clock/{content_hash([what.obligation, what.due_at, *last])}"


def _by_the_clock(fact_id: str, what: Frozen, now: datetime) -> Fact:
    return Fact.model_validate({"id": fact_id, "by": CLOCK, "at": now, "recorded_at": now, "message": "", "what": what})
