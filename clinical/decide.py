"""One decision: a message judged (if any), the clock's own facts added, the chart assessed. What a workflow asks."""

from datetime import datetime

from clinical.assess import assess_case
from clinical.case import Case
from clinical.course_over import course_over
from clinical.escalation import obligations_closed, rungs_reached
from clinical.judge import judge
from clinical.judging import Known, nothing_known
from clinical.obligations import obligations
from clinical.setting_aside import judge_setting_aside
from models.assessment import Accepted, Refused
from models.base import Frozen, content_hash
from models.carried import CYCLE, ENDED, MONITORING, DecideRequest, Decision, Phase
from models.chart import Chart
from models.facts import Fact, MonitoringStarted, ObligationMet, RungFired
from models.messages import SetFactAside
from models.people import CLOCK
from models.protocol import Protocol


def decide(request: DecideRequest, protocol: Protocol, code_version: str, known: Known = nothing_known) -> Decision:
    """Judge, then assess. Pure: the same request under the same protocol gives the same decision.

    An amendment that comes into force decides at once: the assessment is made under the new protocol.
    """
    chart, now = request.chart, request.now
    ruling: Accepted | Refused | None = None
    message = request.message.read() if request.message is not None else None
    first: tuple[Fact, ...] = ()
    if isinstance(message, SetFactAside):  # before any rule is asked: one of them may fail on this very fact
        ruling = judge_setting_aside(chart, message, now)
        first = ruling.facts if isinstance(ruling, Accepted) else ()
        chart = chart.with_facts(*first)
    # What fell due before the message is said first: a test that comes a moment late was due all the same.
    case = Case(chart, protocol, now)
    facts = _escalation(case)
    before = len(facts)
    if message is not None and ruling is None:
        ruling = judge(chart.with_facts(*facts), message, protocol, now, known)
        facts += ruling.facts if isinstance(ruling, Accepted) else ()
        protocol = _in_force(chart.with_facts(*facts), chart, protocol, known)
    if request.unreadable is not None:
        facts.append(_by_the_clock(f"unreadable/{request.unreadable.sha256[:32]}", request.unreadable, now))
    facts += _monitoring_started(chart.with_facts(*facts), protocol, request)
    if len(facts) > before:
        facts += _escalation(Case(chart.with_facts(*facts), protocol, now))
    if facts:
        case = Case(chart.with_facts(*facts), protocol, now)
    return Decision(
        ruling=ruling,
        facts=(*first, *facts),
        assessment=assess_case(case),
        phase=phase_of(case),
        code_version=code_version,
    )


def _in_force(chart: Chart, before: Chart, protocol: Protocol, known: Known) -> Protocol:
    return protocol if chart.protocol == before.protocol else known(chart.protocol) or protocol


def phase_of(case: Case) -> Phase:
    """Which execution the course needs: its cycle, liver monitoring, or none any more (MON-17)."""
    if course_over(case):
        return Phase(kind=ENDED, cycle=case.cycle)
    return Phase(kind=MONITORING if case.monitoring else CYCLE, cycle=case.cycle)


def _monitoring_started(chart: Chart, protocol: Protocol, request: DecideRequest) -> list[Fact]:
    if not request.monitoring:
        return []
    case = Case(chart, protocol, request.now)
    if case.dosing_ended is None or case.monitoring_begun:
        return []
    return [_by_the_clock(f"monitoring/{len(chart.facts)}", MonitoringStarted(), request.now)]


def _escalation(case: Case) -> list[Fact]:
    opened = obligations(case)
    fired: list[RungFired | ObligationMet] = [*rungs_reached(case, opened), *obligations_closed(case, opened)]
    return [_by_the_clock(_id_of(what), what, case.now) for what in fired]


def _id_of(what: RungFired | ObligationMet) -> str:
    """By a hash: the same rung of the same obligation has one id, however long the key of the obligation is."""
    last = what.rung if isinstance(what, RungFired) else what.how
    return f"clock/{content_hash([what.obligation, what.due_at, last])}"


def _by_the_clock(fact_id: str, what: Frozen, now: datetime) -> Fact:
    return Fact.model_validate({"id": fact_id, "by": CLOCK, "at": now, "recorded_at": now, "message": "", "what": what})
