"""Before the first dose: eligibility, consent, cytoreduction (ELIG-01, DOSE-11, CYT-01 … CYT-03)."""

from collections.abc import Iterator
from datetime import datetime

from clinical.calendar import birthday, midnight_of
from clinical.case import Case
from clinical.results import Known, Unknown
from clinical.units import PERCENT
from models.assessment import Finding, Input, Verdict
from models.base import plain
from models.facts import Consent, Eligibility


def consent_gate(case: Case) -> Iterator[Finding]:
    """Consent must stand before every dose; withdrawn consent is missing consent."""
    latest = case.reading.latest(Consent)
    if latest is None or not latest[1].given:
        reason = "consent is not recorded" if latest is None else "consent was withdrawn"
        yield case.finding("CONSENT", Verdict.NEED_DATA, reason, clears="record the patient's consent")


def eligibility_gate(case: Case) -> Iterator[Finding]:
    """ELIG-01 and the protocol's age: unanswered needs data, answered and not met proposes to stop."""
    yield from _age(case)
    latest = case.reading.latest(Eligibility)
    if latest is None:
        yield case.finding(
            "ELIG-01", Verdict.NEED_DATA, "eligibility is not recorded", clears="the prescriber states it"
        )
        return
    _, stated = latest
    answers = {
        "CD22-positive": stated.cd22_positive,
        "B-cell precursor ALL": stated.b_cell_precursor_all,
        "relapsed or refractory": stated.relapsed_or_refractory,
    }
    unmet = [name for name, answer in answers.items() if answer is False]
    open_questions = [name for name, answer in answers.items() if answer is None]
    if unmet:
        reason = f"not eligible: not {', not '.join(unmet)}"
        yield case.finding("ELIG-01", Verdict.PROPOSE_DISCONTINUE, reason, clears="the prescriber decides")
    elif open_questions or not stated.method:
        missing = [*open_questions, *([] if stated.method else ["method"])]
        reason = f"eligibility is not answered: {', '.join(missing)}"
        yield case.finding("ELIG-01", Verdict.NEED_DATA, reason, clears="the prescriber states it with date and method")


def _age(case: Case) -> Iterator[Finding]:
    minimum = case.protocol.eligible.min_age_years.count
    old_enough_on = birthday(case.chart.course.birth_on, minimum)
    if not case.reading.reached(midnight_of(old_enough_on, case.reading.zone)):
        reason = f"younger than {minimum} year(s), the protocol's age"
        yield case.finding("DOSE-11", Verdict.PROPOSE_DISCONTINUE, reason, clears="the prescriber decides")


def blasts(case: Case) -> Known | Unknown | None:
    """The absolute blast count; where none is reported, WBC x blast % / 100 of one draw (CYT-03).

    The newer of the two wins; a result that cannot be used makes the count unknown.
    """
    absolute = case.latest("blasts")
    percent, wbc = case.latest("blasts_percent"), case.latest("wbc")
    computed = _computed(percent, wbc)
    if computed is None:
        return absolute
    if absolute is None:
        return computed
    return max((absolute, computed), key=_time_of)


def _time_of(found: Known | Unknown) -> datetime:
    return found.collected_at if isinstance(found, Known) else found.since


def _computed(percent: Known | Unknown | None, wbc: Known | Unknown | None) -> Known | Unknown | None:
    if isinstance(percent, Known) and isinstance(wbc, Known):
        if percent.collected_at != wbc.collected_at:
            return None
        count = wbc.canonical * percent.value / PERCENT
        comparators = {c for c in (percent.comparator, wbc.comparator) if c}
        if len(comparators) > 1:
            why = "blasts: the comparators of WBC and blast % leave the count open"
            return Unknown("blasts", "LAB-05", why, percent.fact, percent.collected_at)
        comparator = next(iter(comparators), None)
        return Known("blasts", percent.fact, count, "10*9/L", percent.collected_at, None, None, comparator)
    return percent if isinstance(percent, Unknown) else None


def cytoreduction_gate(case: Case) -> Iterator[Finding]:
    """CYT-02: before the first dose the blast count in blood is at most 10 x 10^9/L; equal passes.

    A count that is missing or unknown is answered as missing data, not here; nothing is given before consent and
    eligibility are there.
    """
    count = blasts(case)
    screened = not [*consent_gate(case), *eligibility_gate(case)]
    if not isinstance(count, Known) or not screened:
        return
    limit = case.protocol.limits.blasts_max.number
    above = count.above(count.in_unit(limit))
    if above:
        shown = Input(
            name="blasts", value=f"{plain(count.canonical)} 10*9/L", taken_at=count.collected_at, fact=count.fact
        )
        reason = f"blasts {plain(count.canonical)} x 10^9/L, limit {plain(limit)}"
        clears = f"blasts at or below {plain(limit)} x 10^9/L after hydroxyurea, corticosteroid or vincristine (CYT-01)"
        yield case.finding("CYT-02", Verdict.CYTOREDUCE, reason, inputs=(shown,), clears=clears)
    elif above is None:
        yield case.finding("LAB-05", Verdict.NEED_DATA, "blasts: the comparator leaves open whether the limit is kept")
