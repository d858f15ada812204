"""Results that came and cannot be used: each keeps the gate closed by name until a usable one, or a person (LAB-05, LAB-10).

For every analyte that any rule reads, whether or not this dose requires it. What an older value raised stands beside it.
"""

from collections.abc import Iterator

from clinical.course.case import Case
from clinical.gates.not_read import UNCERTAIN, uncertain_results
from clinical.results.known import Unknown
from clinical.toxicity.ecg import qtcf_opening
from models.assessment import Finding, Input, Verdict
from models.protocol import Override

TRACING = frozenset({"qt", "qtc", "qtcb", "qtcf", "qrs", "rr", "pr", "heart_rate"})
"""Parts of an ECG: whether they can be used is said of its QTcF."""
SAID_ELSEWHERE = frozenset({"weight", "height", "hcg"}) | TRACING
READ_BY_NO_RULE = frozenset(
    {"bilirubin_indirect", "neutrophils_percent", "bsa", "systolic", "diastolic", "oxygen_saturation"}
)
"""Understood and shown; no rule decides by them."""


def unusable_results(case: Case) -> Iterator[Finding]:
    """LAB-10, LAB-09: the newest of an analyte cannot be used, or a withdrawal names no result that is known here."""
    found = tuple(u for u in case.results.unknown() if u.analyte not in READ_BY_NO_RULE)
    yield from uncertain_results(case, found)
    for unknown in found:
        if unknown.analyte not in SAID_ELSEWHERE and unknown.rule not in UNCERTAIN:
            yield cannot_be_used(case, unknown)
    for fact, what in case.results.withdraw_nothing():
        reason = f"a result was withdrawn that is not known here: {what.display or what.how}"
        clears = "a named person dismisses it (resolve_unreadable), or the result that it withdraws comes"
        inputs = (Input(name="withdrawal", value=what.how, taken_at=fact.at, fact=fact.id),)
        yield case.finding(
            "LAB-09", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject=fact.id, override=Override.NEVER
        )


def cannot_be_used(case: Case, unknown: Unknown) -> Finding:
    """One of them, by name. A prescriber may go on without it; never without the liver panel, or what is implausibly high."""
    never = unknown.high or unknown.analyte in case.protocol.ages.liver_analytes.words
    return case.finding(
        unknown.rule,
        Verdict.NEED_DATA,
        unknown.why,
        inputs=(unknown.shown(),),
        clears=unknown.clears,
        subject=unknown.analyte,
        override=Override.NEVER if never else Override.PRESCRIBER,
    )


def implausibly_high(case: Case) -> tuple[Unknown, ...]:
    """LAB-06: the newest results that are implausibly high, and a QT that a person charted."""
    found = case.results.implausibly_high()
    qtcf = qtcf_opening(case).unknown
    return (*found, qtcf) if qtcf is not None and qtcf.high and qtcf not in found else found


def implausible(case: Case, unknown: Unknown, verdict: Verdict) -> Finding:
    """LAB-06: implausibly high is never milder than high."""
    clears = "the result corrected or dismissed by a physician, or a later usable one"
    return case.finding(
        "LAB-06", verdict, unknown.why, inputs=(unknown.shown(),), clears=clears, subject=unknown.analyte
    )


def implausible_holds(case: Case) -> Iterator[Finding]:
    """LAB-06: what holds the next dose; the liver, potassium and QT hold in every state."""
    for unknown in implausibly_high(case):
        if not unknown.urgent:
            yield implausible(case, unknown, Verdict.HOLD)
