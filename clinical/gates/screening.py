"""Before the first dose: eligibility, consent, cytoreduction (ELIG-01, DOSE-11, EU-01 … EU-03, CYT-01 … CYT-03)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from clinical.chart.calendar import birthday, midnight_of
from clinical.chart.versions import minute_of
from clinical.coding.units import PERCENT
from clinical.course.case import Case
from clinical.results.known import MISSING, Known, Opening, Unknown, and_beside
from models.assessment import Finding, Input, Verdict
from models.base import counted, plain
from models.facts import Consent, Eligibility, Fact

DECIDES = "the prescriber decides"
QUESTIONS = {
    "cd22_positive": "CD22-positive",
    "b_cell_precursor_all": "B-cell precursor ALL",
    "relapsed_or_refractory": "relapsed or refractory",
}
"""Field of `Eligibility` -> the question as a card names it (ELIG-01)."""


def consent_gate(case: Case) -> Iterator[Finding]:
    """Consent must stand before every dose; withdrawn consent is missing consent."""
    given = case.reading.heard(Consent)
    if not given or not given[-1][1].given:
        reason = "consent was withdrawn" if given else "consent is not recorded"
        yield case.finding("CONSENT", Verdict.NEED_DATA, reason, clears="record the patient's consent")


def eligibility_gate(case: Case) -> Iterator[Finding]:
    """ELIG-01 and the protocol's age: unanswered needs data before the first dose, answered and not met proposes to stop.

    An answer that says no holds every later dose too; a question that nobody answered is asked before the first only.
    """
    yield from _age(case)
    if case.reading.of(Eligibility):
        yield from _stated(case)
    elif not case.doses:
        yield case.finding(
            "ELIG-01", Verdict.NEED_DATA, "eligibility is not recorded", clears="the prescriber states it"
        )


def _stated(case: Case) -> Iterator[Finding]:
    """Each answer stands until the same question is answered again."""
    said = case.reading.answered(Eligibility)
    unmet = {QUESTIONS[name]: fact for name, (fact, answer) in said.items() if name in QUESTIONS and answer is False}
    missing = [words for name, words in QUESTIONS.items() if name not in said]
    missing += [] if _has_its_method(case) else ["method"]
    if unmet:
        reason = f"not eligible: not {', not '.join(unmet)}"
        inputs = tuple(_input(fact, name, "no") for name, fact in unmet.items())
        yield case.finding("ELIG-01", Verdict.PROPOSE_DISCONTINUE, reason, inputs=inputs, clears=DECIDES)
    elif not case.doses and missing:
        reason = f"eligibility is not answered: {', '.join(missing)}"
        yield case.finding("ELIG-01", Verdict.NEED_DATA, reason, clears="the prescriber states it with date and method")


def _has_its_method(case: Case) -> bool:
    """Whether the answer on CD22 that stands was stated with its method: none is borrowed from another answer (ELIG-01)."""
    told = [what for _, what in case.reading.heard(Eligibility) if what.cd22_positive is not None]
    same = takewhile(lambda what: what.cd22_positive is told[-1].cd22_positive, reversed(told))
    return any(what.method for what in same)


def further_eligibility(case: Case) -> Iterator[Finding]:
    """What the EU asks besides: CD22 in per cent (EU-03), a failed kinase inhibitor in Ph-positive disease (EU-02)."""
    if not case.reading.of(Eligibility):
        return  # said by ELIG-01
    if case.protocol.eligible.cd22_percent_required.holds:
        yield from _cd22(case)
    if case.protocol.eligible.tki_failure_required.holds:
        yield from _kinase_inhibitor(case)


def _cd22(case: Case) -> Iterator[Finding]:
    """EU-03: strictly above the limit. A figure that is no percentage answers nothing, and lifts none that is one."""
    told = sorted(case.reading.of(Eligibility), key=lambda pair: pair[0].at)
    figures = [(fact, stated.cd22_percent) for fact, stated in told if stated.cd22_percent is not None]
    limits, above = case.protocol.plausible["blasts_percent"], case.protocol.eligible.cd22_percent_above.number
    percents = [one for one in figures if limits.low.number <= one[1] <= limits.high.number]
    if percents and percents[-1][1] <= above:
        inputs = tuple(_input(fact, "CD22", f"{plain(percent)} %") for fact, percent in percents[-1:])
        reason = f"not eligible: CD22 {plain(percents[-1][1])} %, must be above {plain(above)} %"
        yield case.finding("EU-03", Verdict.PROPOSE_DISCONTINUE, reason, inputs=inputs, clears=DECIDES)
    elif not case.doses and (not percents or percents[-1] is not figures[-1]):
        reason = f"CD22 {plain(figures[-1][1])} % is no percentage" if figures else "CD22 in per cent is not stated"
        clears = "the prescriber states the percentage by a validated, sensitive assay"
        inputs = tuple(_input(fact, "CD22", f"{plain(figure)} %") for fact, figure in figures[-1:])
        yield case.finding("EU-03", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears)


def _kinase_inhibitor(case: Case) -> Iterator[Finding]:
    """EU-02: Ph-positive disease must have failed at least one tyrosine kinase inhibitor; Ph-negative need not."""
    said = case.reading.answered(Eligibility)
    (of_ph, positive), (of_tki, failed) = (said.get(name, (None, None)) for name in ("ph_positive", "tki_failed"))
    unanswered = "Philadelphia status" if of_ph is None else "whether a tyrosine kinase inhibitor failed"
    if positive is False or failed is True:
        return
    if of_ph is not None and of_tki is not None:
        reason = "not eligible: Ph-positive and no tyrosine kinase inhibitor has failed"
        inputs = (_input(of_ph, "Ph-positive", "yes"), _input(of_tki, "tyrosine kinase inhibitor failed", "no"))
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


def blasts_opening(case: Case) -> Opening:
    """What may speak for a dose: the absolute blast count; where none is reported, WBC x blast % / 100 of one draw (CYT-03).

    The newer of the two counts, and of one minute both; a result that cannot be used makes the count unknown.
    """
    absolute, percent = case.opening("blasts"), case.opening("blasts_percent")
    computed = Opening(unknown=percent.unknown) if percent.unknown is not None else MISSING
    made = _computed(percent.values, case.opening("wbc").values)
    for one in made:
        computed = Opening(unknown=one) if isinstance(one, Unknown) else Opening((*computed.values, one))
    if computed.last_at is None or absolute.last_at is None:
        return absolute if computed.last_at is None else computed
    if minute_of(absolute.last_at) != minute_of(computed.last_at):
        return absolute if absolute.last_at > computed.last_at else computed
    unknown = absolute.unknown or computed.unknown
    return Opening(unknown=unknown) if unknown is not None else Opening((*absolute.values, *computed.values))


def blasts_holding(case: Case) -> tuple[Known, ...]:
    """What speaks against a dose: the last usable counts, absolute or computed, whatever came after them."""
    made = _computed(case.holding("blasts_percent"), case.holding("wbc"))
    held = (*case.holding("blasts"), *(one for one in made if isinstance(one, Known)))
    standing = {k.fact for analyte in ("blasts", "blasts_percent") for k in case.results.history(analyte)}
    since = max((minute_of(k.collected_at) for k in held if k.fact in standing), default=None)
    return tuple(k for k in held if since is None or minute_of(k.collected_at) >= since)


def _computed(percents: Iterable[Known], whites: Sequence[Known]) -> Iterator[Known | Unknown]:
    """Each share of blasts with each count of white cells of its draw."""
    for percent in percents:
        for wbc in whites:
            if minute_of(percent.collected_at) == minute_of(wbc.collected_at):
                yield _product(percent, wbc)


def _product(percent: Known, wbc: Known) -> Known | Unknown:
    count = wbc.canonical * percent.value / PERCENT
    comparators = {c for c in (percent.comparator, wbc.comparator) if c}
    if len(comparators) > 1:
        why = "blasts: the comparators of WBC and blast % leave the count open"
        return Unknown("blasts", "LAB-05", why, percent.fact, percent.collected_at)
    comparator = next(iter(comparators), None)
    return Known("blasts", percent.fact, count, "10*9/L", percent.collected_at, None, None, comparator)


def cytoreduction_gate(case: Case) -> Iterator[Finding]:
    """CYT-01, CYT-02: before the first dose the blast count in blood is brought to its limit or below; equal passes.

    A count that is missing or unknown is answered as missing data, not here; nothing is given before consent and
    eligibility are there.
    """
    held = sorted(blasts_holding(case), key=lambda k: k.canonical)
    screened = not [*consent_gate(case), *eligibility_gate(case)]
    if not held or not screened:
        return
    limit = case.protocol.limits.blasts_max.number
    answers = [(k, k.above(k.in_unit(limit))) for k in held]
    for count in [k for k, above in answers if above][-1:]:
        shown = Input(
            name="blasts", value=f"{plain(count.canonical)} 10*9/L", taken_at=count.collected_at, fact=count.fact
        )
        reason = f"blasts {plain(count.canonical)} x 10^9/L{and_beside(count, held)}, limit {plain(limit)}"
        clears = f"blasts at or below {plain(limit)} x 10^9/L after hydroxyurea, corticosteroid or vincristine (CYT-01)"
        yield case.finding("CYT-02", Verdict.CYTOREDUCE, reason, inputs=(shown,), clears=clears)
    if any(above is None for _, above in answers):
        yield case.finding("LAB-05", Verdict.NEED_DATA, "blasts: the comparator leaves open whether the limit is kept")
