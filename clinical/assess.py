"""`assess`: where a course stands as of one instant. A pure function, folded in the order of the reference §3.5."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from clinical.bedside.amounts import doubts, totals
from clinical.bedside.bedside import lapsed_signature, signatures, standing_authorisation, start_troubles, verified
from clinical.bedside.elsewhere import passed_over_notes
from clinical.bedside.infusion import interrupted, observation_note, pump_notes, under_way
from clinical.bedside.reactions import reactions
from clinical.bedside.time_limits import past_the_limit
from clinical.chart.once import all_of, once
from clinical.course.case import Case
from clinical.dosing.derived import derived_again
from clinical.dosing.dosing import dose_plan
from clinical.gates.not_read import not_known_here
from clinical.gates.overrides import with_overrides
from clinical.gates.record_gate import record_gate, without_record
from clinical.gates.unusable import implausible, implausibly_high
from clinical.monitoring.after_dose import dates_after_the_last_dose
from clinical.notes.critical import critical_values
from clinical.notes.laboratory_notes import laboratory_notes, waiting_for_confirmation
from clinical.notes.response import response_notes
from clinical.notes.tumour_lysis import tumour_lysis
from clinical.obligations.closed_card import closed_card
from clinical.obligations.course_over import course_over
from clinical.obligations.obligations import obligations
from clinical.obligations.owners import turns_of
from clinical.rulings.amendments import amendment_note
from clinical.rulings.commands import command_answers
from clinical.verdict.deviations import deviations
from clinical.verdict.dose_gate import dose_gate
from clinical.vod.alerts import suspicion
from clinical.vod.risk import risk_alerts
from clinical.vod.severity import severity_note
from models.assessment import Assessment, CourseState, DosePlan, Finding, Verdict
from models.base import counted
from models.chart import Chart
from models.facts import DIFFERS, DoseSlot
from models.protocol import Protocol

ORDER = tuple(Verdict)
WITHOUT_A_DOSE = frozenset({Verdict.DISCONTINUED, Verdict.HOLD_URGENT})
"""Rows 1 and 2 speak always, and so does a record that knows more (REC-02); rows 3-10 only about a next dose."""
HELD = frozenset({Verdict.HOLD, Verdict.HOLD_URGENT, Verdict.PROPOSE_DISCONTINUE, Verdict.DELAYED})
BASELINE_RULE = "DATA-01"


def assess(chart: Chart, protocol: Protocol, now: datetime) -> Assessment:
    """Where the course stands at `now`: state, verdict, all findings, dose, obligations, and per command may or why not.

    Total and deterministic: a patient's data never raise, no clock is read. `now` is an aware instant.
    """
    return assess_case(Case(chart, protocol, now))


def assess_case(case: Case) -> Assessment:
    """The assessment of a case that was read already."""
    card = _card(case)
    return Assessment(as_of=case.now, valid_until=case.reading.valid_until, **card)


@once
def _card(case: Case) -> Mapping[str, Any]:
    """All of the assessment that does not change until `valid_until`."""
    over = course_over(case)
    slot = None if over else case.slot
    plan = dose_plan(case, slot) if slot is not None else None
    always = _always(case) if case.closed is None else closed_card(case, case.closed)
    found = [*always, *(with_overrides(case, slot, dose_gate(case, slot)) if slot is not None else ())]
    verdict, starting = _verdict(case, slot, plan, found)
    opened = obligations(case)
    findings = _sorted([*found, *starting])
    state = _state(case, verdict, over, findings, plan)
    first, *others = turns_of(case, state, verdict, plan, findings)
    card = {
        "state": state,
        "verdict": verdict,
        "cycle": case.cycle,
        "protocol": case.protocol.name,
        "next_dose": str(slot) if slot else None,
        "findings": findings,
        "dose": plan,
        "obligations": opened,
        "commands": command_answers(case, slot, plan, verdict, findings),
        "divergences": case.protocol.divergences,
        "cycle_totals_mg_per_m2": totals(case),
        "owner": first.owner,
        "next_action": first.action,
        "next_action_clears": first.clears,
        "others": tuple(others),
        "signatures": signatures(case, plan),
        "lapsed": lapsed_signature(case, plan),
        "under_way": under_way(case) if case.closed is None else "",
    }
    return MappingProxyType(card)


def _verdict(
    case: Case, slot: DoseSlot | None, plan: DosePlan | None, found: list[Finding]
) -> tuple[Verdict, list[Finding]]:
    """The headline, and what still stands between a signature and the start."""
    asked = [f.verdict for f in found if f.verdict is not None]
    if slot is None:
        urgent = [f.verdict for f in found if f.verdict in WITHOUT_A_DOSE or (f.verdict and f.rule == DIFFERS)]
        return min(urgent, key=ORDER.index, default=Verdict.NO_DOSE_DUE), []
    if asked:
        return min(asked, key=ORDER.index), []
    if case.in_review:
        return Verdict.MAY_AUTHORISE, []
    starting = list(with_overrides(case, slot, all_of(case, start_troubles, plan)))
    left = [f for f in starting if f.overridden is None]
    return (Verdict.MAY_AUTHORISE if left else Verdict.MAY_START), starting


def _always(case: Case) -> Iterator[Finding]:
    """Rows 1 and 2, and what is said in every state."""
    yield from case.stopped_for_good
    yield from all_of(case, reactions)
    yield from all_of(case, _implausibly_high)
    yield from all_of(case, deviations)
    yield from all_of(case, derived_again)
    yield from all_of(case, record_gate)
    yield from all_of(case, without_record)
    yield from all_of(case, amendment_note)
    if case.reading.later:
        reason = f"recorded later than this instant and not counted: {counted(case.reading.later, 'fact')}"
        yield case.finding("LAB-04", None, reason)
    yield from all_of(case, suspicion)
    yield from all_of(case, pump_notes)
    yield from all_of(case, doubts)
    yield from all_of(case, passed_over_notes)
    yield from all_of(case, past_the_limit)
    yield from all_of(case, observation_note)
    yield from all_of(case, dates_after_the_last_dose)
    yield from all_of(case, laboratory_notes)
    yield from all_of(case, waiting_for_confirmation)
    yield from all_of(case, not_known_here)
    yield from all_of(case, severity_note)
    yield from all_of(case, risk_alerts)
    yield from all_of(case, tumour_lysis)
    yield from all_of(case, critical_values)
    yield from all_of(case, response_notes)


def _implausibly_high(case: Case) -> Iterator[Finding]:
    """LAB-06: a liver value, potassium or QT holds in every state; another analyte holds the next dose (`unusable`)."""
    for unknown in implausibly_high(case):
        if unknown.urgent:
            yield implausible(case, unknown, Verdict.HOLD_URGENT)


def _sorted(found: list[Finding]) -> tuple[Finding, ...]:
    """Gravest first, notes last; the order of evaluation within, each finding once."""
    ordered = sorted(found, key=lambda f: ORDER.index(f.verdict) if f.verdict else len(ORDER))
    unique: dict[tuple[str, str], Finding] = {}
    for finding in ordered:
        unique.setdefault((finding.rule, finding.reason), finding)
    return tuple(unique.values())


def _state(
    case: Case, verdict: Verdict, over: bool, findings: tuple[Finding, ...], plan: DosePlan | None
) -> CourseState:
    """The first match of the table in design §4."""
    if case.closed is not None:
        return CourseState.CLOSED
    if over:
        return CourseState.COMPLETED
    if case.correction_open:
        return CourseState.CORRECTION_REVIEW
    at_the_bedside = _bedside_state(case)
    if at_the_bedside is not None:
        return at_the_bedside
    if case.dosing_ended is not None:
        stopped = case.stopped_for_good and not case.monitoring_begun
        return CourseState.DISCONTINUED if stopped else CourseState.LIVER_MONITORING
    if verdict in HELD:
        return CourseState.HELD
    if case.in_review:
        return CourseState.CYCLE_REVIEW
    return _dosing_state(case, verdict, findings, plan)


def _bedside_state(case: Case) -> CourseState | None:
    if case.reaction_running is not None or case.ungraded_reaction is not None:
        return CourseState.REACTION
    if case.running is not None:
        return CourseState.INFUSION if interrupted(case) is None else CourseState.INFUSION_INTERRUPTED
    return CourseState.OBSERVATION if case.in_observation is not None else None


def _dosing_state(case: Case, verdict: Verdict, findings: tuple[Finding, ...], plan: DosePlan | None) -> CourseState:
    if verdict is Verdict.CYTOREDUCE:
        return CourseState.CYTOREDUCTION
    if verdict is Verdict.OMIT:
        return CourseState.DOSE_OMITTED
    if verdict is Verdict.TOO_EARLY:
        return CourseState.BETWEEN_DOSES
    if verdict is Verdict.NEED_DATA:
        return CourseState.SCREENING if not case.doses and _baseline_missing(findings) else CourseState.LABS
    authorisation = standing_authorisation(case, plan)
    return CourseState.PREMEDICATION if verified(case, authorisation) else CourseState.DOSE_ADJUSTMENT


def _baseline_missing(findings: tuple[Finding, ...]) -> bool:
    """Consent, eligibility or a baseline value is not there at all (a value that is there and too old is `labs`)."""
    asked = {"CONSENT", "ELIG-01", "EU-02", "EU-03", "EU-04"}
    return any(
        f.verdict is Verdict.NEED_DATA and (f.rule in asked or (f.rule == BASELINE_RULE and not f.inputs))
        for f in findings
    )
