"""Before the first dose: eligibility, consent, cytoreduction (ELIG-01, DOSE-11, EU-01 … EU-03, CYT-01 … CYT-03)."""

from collections.abc import Iterator
from datetime import datetime

from clinical.calendar import birthday, midnight_of
from clinical.case import Case
from clinical.results import Known, Unknown
from clinical.units import PERCENT
from models.assessment import Finding, Input, Verdict
from models.base import counted, plain
from models.facts import Consent, Eligibility, Fact

DECIDES = "the prescriber decides"


def consent_gate(case: Case) -> Iterator[Finding]:
    """Consent must stand before every dose; withdrawn consent is missing consent."""
    latest = case.reading.latest(Consent)
    if latest is None or not latest[1].given:
        reason = "consent is not recorded" if latest is None else "consent was withdrawn"
        yield case.finding("CONSENT", Verdict.NEED_DATA, reason, clears="record the patient's consent")


def eligibility_gate(case: Case) -> Iterator[Finding]:
    """ELIG-01 and the protocol's age: unanswered needs data before the first dose, answered and not met proposes to stop.

    An answer that says no holds every later dose too; a question that nobody answered is asked before the first only.
    """
    yield from _age(case)
    latest = case.reading.latest(Eligibility)
    if latest is not None:
        yield from _stated(case, *latest)
    elif not case.doses:
        yield case.finding(
            "ELIG-01", Verdict.NEED_DATA, "eligibility is not recorded", clears="the prescriber states it"
        )


def _stated(case: Case, fact: Fact, stated: Eligibility) -> Iterator[Finding]:
    answers = {
        "CD22-positive": stated.cd22_positive,
        "B-cell precursor ALL": stated.b_cell_precursor_all,
        "relapsed or refractory": stated.relapsed_or_refractory,
    }
    unmet = [name for name, answer in answers.items() if answer is False]
    open_questions = [name for name, answer in answers.items() if answer is None]
    if unmet:
        reason = f"not eligible: not {', not '.join(unmet)}"
        inputs = tuple(_input(fact, name, "no") for name in unmet)
        yield case.finding("ELIG-01", Verdict.PROPOSE_DISCONTINUE, reason, inputs=inputs, clears=DECIDES)
    elif not case.doses and (open_questions or not stated.method):
        missing = [*open_questions, *([] if stated.method else ["method"])]
        reason = f"eligibility is not answered: {', '.join(missing)}"
        yield case.finding("ELIG-01", Verdict.NEED_DATA, reason, clears="the prescriber states it with date and method")


def further_eligibility(case: Case) -> Iterator[Finding]:
    """What the EU asks besides: CD22 in per cent (EU-03), a failed kinase inhibitor in Ph-positive disease (EU-02)."""
    latest = case.reading.latest(Eligibility)
    if latest is None:
        return  # said by ELIG-01
    if case.protocol.eligible.cd22_percent_required.holds:
        yield from _cd22(case, *latest)
    if case.protocol.eligible.tki_failure_required.holds:
        yield from _kinase_inhibitor(case, *latest)


def _cd22(case: Case, fact: Fact, stated: Eligibility) -> Iterator[Finding]:
    """EU-03: strictly above the limit. A figure that is no percentage is unanswered."""
    percent, above = stated.cd22_percent, case.protocol.eligible.cd22_percent_above.number
    plausible = case.protocol.plausible["blasts_percent"]
    inputs = () if percent is None else (_input(fact, "CD22", f"{plain(percent)} %"),)
    if percent is None or not plausible.low.number <= percent <= plausible.high.number:
        reason = "CD22 in per cent is not stated" if percent is None else f"CD22 {plain(percent)} % is no percentage"
        clears = "the prescriber states the percentage by a validated, sensitive assay"
        if not case.doses:
            yield case.finding("EU-03", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears)
    elif percent <= above:
        reason = f"not eligible: CD22 {plain(percent)} %, must be above {plain(above)} %"
        yield case.finding("EU-03", Verdict.PROPOSE_DISCONTINUE, reason, inputs=inputs, clears=DECIDES)


def _kinase_inhibitor(case: Case, fact: Fact, stated: Eligibility) -> Iterator[Finding]:
    """EU-02: Ph-positive disease must have failed at least one tyrosine kinase inhibitor; Ph-negative need not."""
    unanswered = "Philadelphia status" if stated.ph_positive is None else "whether a tyrosine kinase inhibitor failed"
    if stated.ph_positive is False or stated.tki_failed is True:
        return
    if stated.ph_positive and stated.tki_failed is False:
        reason = "not eligible: Ph-positive and no tyrosine kinase inhibitor has failed"
        inputs = (_input(fact, "Ph-positive", "yes"), _input(fact, "tyrosine kinase inhibitor failed", "no"))
        yield case.finding("EU-02", Verdict.PROPOSE_DISCONTINUE, reason, inputs=inputs, clears=DECIDES)
    elif not case.doses:
        reason = f"eligibility is not answered: {unanswered}"
        yield case.finding("EU-02", Verdict.NEED_DATA, reason, clears="the prescriber states it")


def _input(fact: Fact, name: str, value: str) -> Input:
    return Input(name=name, value=value, taken_at=fact.at, fact=fact.id)


def _age(case: Case) -> Iterator[Finding]:
    """DOSE-11, in the EU EU-01: from the birthday on, in the site's zone."""
    minimum = case.protocol.eligible.min_age_years
    old_enough_at = midnight_of(birthday(case.course.birth_on, minimum.count), case.reading.zone)
    if not case.reading.reached(old_enough_at):
        reason = f"younger than {counted(minimum.count, 'year')}, the protocol's age"
        yield case.finding(
            minimum.clause, Verdict.PROPOSE_DISCONTINUE, reason, clears=DECIDES, earliest_at=old_enough_at
        )


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
    """CYT-01, CYT-02: before the first dose the blast count in blood is brought to its limit or below; equal passes.

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
