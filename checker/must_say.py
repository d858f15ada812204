"""What a card must say of a patient, re-derived by hand from the clinical reference and the raw facts, apart from the rules.

`why_not` says when a dose must not be given; here stands who must be called, what must be asked for, and what must be told.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from checker import reference, why_not
from checker.seen import UNITS, Given, Seen
from models.assessment import Assessment, Obligation, Verdict
from models.facts import (
    DoseAuthorised,
    Ecg,
    InfusionCompleted,
    InfusionStarted,
    Medication,
    ObligationMet,
    Preparation,
    Response,
    ResponseRecorded,
    Transplant,
    VodExamination,
    VodJudged,
    Weight,
)
from models.obligation_kinds import ObligationKind as Kind
from models.people import Role

Missing = Iterator[str]
PANEL = ("alt", "ast", "alp", "bilirubin")
DAY = timedelta(days=1)


def _asked(card: Assessment, kind: Kind) -> list[Obligation]:
    return [o for o in card.obligations if o.kind is kind]


# ── the gravest calls somebody (CALL-01) ───────────────────────────────────────────────────────────────────────────


def calls(seen: Seen, card: Assessment) -> Missing:
    """CALL-01: physician and nurse are called to a reaction, a critical or impossible value, and signs of VOD."""
    for kind, name, why in (*_of_reactions(seen), *_of_values(seen), *_of_vod(seen)):
        called = [o for o in _asked(card, kind) if name in o.key]
        if not any({Role.PHYSICIAN, Role.NURSE} <= set(o.owners) for o in called):
            yield f"{why}, and physician and nurse are not called"


def _of_reactions(seen: Seen) -> Iterator[tuple[Kind, str, str]]:
    for grade, over in why_not.reactions_so_far(seen):
        if grade is None:
            yield Kind.REACTION, "", "a reaction has no grade"
        elif reference.TOXICITY_GRADE <= grade < reference.DEATH_GRADE and not over:
            yield Kind.REACTION_RUNNING, "", f"a reaction of grade {grade} is not over"


def _of_values(seen: Seen) -> Iterator[tuple[Kind, str, str]]:
    for analyte, (low, high) in reference.CRITICAL.items():
        value = seen.latest(analyte)
        if value is not None and value.readable and value.unit != "umol/L" and not low <= value.number <= high:
            yield Kind.CRITICAL, analyte, f"{analyte} is {value.number} (CRIT-01)"
    for analyte, (_, most) in reference.IMPLAUSIBLE.items():
        value = seen.latest(analyte)
        if value is not None and value.final and value.unit in UNITS[analyte] - {"umol/L"} and value.number > most:
            yield Kind.IMPLAUSIBLE, analyte, f"{analyte} of {value.number} cannot be (LAB-06)"


def _of_vod(seen: Seen) -> Iterator[tuple[Kind, str, str]]:
    """Confirmed once, even where it was taken back since, the drug is stopped and nobody is waited for."""
    if not any(isinstance(f.what, VodJudged) and f.what.judgement == "confirmed" for f in seen.chart.facts):
        yield from ((Kind.VOD, "", reason) for reason in why_not.vod_suspected(seen))


def time_limits(seen: Seen, card: Assessment) -> Missing:
    """INF-07: whoever runs an infusion is called half an hour before the drug expires, not later."""
    running = [(f, w) for f, w in seen.of(InfusionStarted)]
    if not running or seen.given[-1].ended_at is not None or seen.given[-1].at != running[-1][0].at:
        return
    bags = [p for _, p in seen.of(Preparation) if p.preparation_id == running[-1][1].preparation_id]
    for bag in bags[-1:]:
        called_by = bag.reconstituted_at + reference.TO_THE_LAST_DROP - reference.CALLED_BEFORE
        if not any(o.due_at <= called_by for o in _asked(card, Kind.INFUSION_LIMIT)):
            yield "an infusion runs, and nobody is called half an hour before the drug expires (INF-07)"


# ── what must be asked for ─────────────────────────────────────────────────────────────────────────────────────────


def panels(seen: Seen) -> list[datetime]:
    """When all four liver tests of one minute were drawn."""
    drawn = [{v.at for v in seen.history(analyte)} for analyte in PANEL]
    return sorted(set.intersection(*drawn))


def tests(seen: Seen, card: Assessment) -> Missing:
    """MON-03, MON-06, MON-15: after a transplant a liver test each week, with each test a look, after a QT drug an ECG."""
    drawn = panels(seen)
    transplanted = seen.last(Transplant)
    since_dose = [at for at in drawn if seen.given and at >= seen.given[0].at]
    if transplanted is not None:
        day_0 = transplanted[1].transplanted_at or transplanted[0].at
        last = max([day_0, *(at for at in drawn if at > day_0)])
        soon = [o for o in _asked(card, Kind.LIVER_TEST) if o.due_at <= last + 8 * DAY]
        if last <= seen.now and (last - day_0).days < reference.WEEKLY_AFTER_TRANSPLANT and not soon:
            yield "transplanted, and no liver test within a week of the last one (MON-03)"
    elif since_dose:
        looked = [f.at for f, _ in seen.of(VodExamination)]
        if not any(at >= since_dose[-1] - DAY for at in looked) and not _asked(card, Kind.EXAMINATION):
            yield "a liver test, and nobody is asked to look for signs of VOD (MON-15)"
    drugs = [(f, w) for f, w in seen.of(Medication) if w.qt_prolonging and w.action == "started"]
    dosing = not any(True for _ in why_not.dosing_over(seen)) and not seen.stops
    for fact, _ in drugs if seen.given and dosing else ():
        traced = any(f.at >= fact.at + 5 * DAY for f, _ in seen.of(Ecg))
        if not traced and not any(o.due_at <= fact.at + 8 * DAY for o in _asked(card, Kind.ECG)):
            yield "a drug that prolongs QT was started, and no ECG is asked for (MON-06)"


def met(seen: Seen, added: list[ObligationMet]) -> Missing:
    """MON-02: a panel of its time meets the test after a dose; where nothing was drawn since, nothing has met it."""
    after_doses = {Kind.LIVER_TEST_AFTER_DOSE.key(str(given.slot)) for given in seen.given}
    for what in added:
        if what.obligation not in after_doses:
            continue
        if what.how != "met" and any(at >= what.due_at for at in panels(seen)):
            yield f"{what.obligation} is {what.how}, and its panel came (MON-02)"
        if what.how == "met" and not all(seen.drawn_since(analyte, what.due_at) for analyte in PANEL):
            yield f"{what.obligation} is met, and its panel never came (MON-02)"


# ── what must be told ──────────────────────────────────────────────────────────────────────────────────────────────


def held(seen: Seen, card: Assessment) -> Missing:
    """NON-02 stands until one panel is within; NON-08 is said of a value that was high; a short toxicity delays nothing."""
    holding = {f.rule for f in card.findings if f.verdict is not None or f.overridden is not None}
    # A panel that lifted it may have got a twin that nobody can read: then that is asked for, and closes the gate.
    unread = any(f.verdict is Verdict.NEED_DATA and f.subject in PANEL for f in card.findings)
    stands = card.next_dose and not seen.stops and not unread and why_not.both_high_stands(seen)
    if stands and "NON-02" not in holding:
        yield "bilirubin and ALT or AST were both high, no panel is within since, and NON-02 is not said"
    for finding in card.findings:
        if finding.rule == "NON-08" and finding.verdict is not None and not why_not.ever_high(seen, finding.subject):
            yield f"NON-08 holds for {finding.subject}, which was never high"
        if finding.rule == "DAY-06" and finding.verdict is Verdict.DELAYED and _short_toxicity(seen, card):
            yield "toxicity held the dose for less than 7 days, and the card says DELAYED (DAY-06)"


def _short_toxicity(seen: Seen, card: Assessment) -> bool:
    """ALT was high on the planned date and is high now, less than a week later."""
    cycle, _, day = (card.next_dose or "C0D1")[1:].partition("D")
    firsts = [g.on for g in seen.given if (g.slot.cycle, g.slot.day) == (int(cycle), 1)]
    if not firsts or int(day) == 1:
        return False
    planned_on = firsts[0] + (int(day) - 1) * DAY
    values = [(seen.day(v.at), why_not.is_high("alt", v)) for v in seen.history("alt")]
    then = [high for on, high in values if on <= planned_on][-1:]
    since = all(high for on, high in values if on > planned_on)
    return then == [True] and since and (seen.day(seen.now) - planned_on).days < reference.LEFT_OUT_FROM_DAYS


def told(seen: Seen, card: Assessment) -> Missing:
    """DAY-07, RESP-01, TLS-01, BSA-08: what happened too soon, what cannot fit, what is beside the dose."""
    for one, other in zip(seen.given, seen.given[1:], strict=False):
        days = (other.on - one.on).days
        said = [
            f for f in card.findings if f.rule == "DAY-07" and f"{days} day" in f.reason and str(other.slot) in f.reason
        ]
        if days < reference.SIX_DAYS and not said:
            yield f"{other.slot} was given {days} days after the dose before, and no card says so (DAY-07)"
    yield from _response(seen, card)
    yield from _tumour_lysis(seen, card)
    yield from _weight(seen, card)
    yield from _totals(seen, card)


def _response(seen: Seen, card: Assessment) -> Missing:
    recorded = seen.last(ResponseRecorded)
    if recorded is None or recorded[1].response is not Response.CR or recorded[1].marrow_blasts_percent is None:
        return
    questioned = any("marrow blasts are" in f.reason for f in card.findings if f.rule.startswith("RESP"))
    full = recorded[1].marrow_blasts_percent >= reference.MARROW_BLASTS
    if card.next_dose and card.next_dose.endswith("D1") and questioned != full:
        yield f"CR with {recorded[1].marrow_blasts_percent} % blasts is {'not ' if full else ''}questioned (RESP-01)"


def _tumour_lysis(seen: Seen, card: Assessment) -> Missing:
    if not seen.given:
        return
    last = {a: seen.latest(a) for a in reference.LYSIS}
    high = [v for a, v in last.items() if v is not None and v.readable and v.number > reference.LYSIS[a]]
    fresh = [v for v in high if seen.now - v.at < DAY and v.at - seen.given[0].at < 6 * DAY]
    said = any(f.rule == "TLS-01" for f in card.findings)
    if len(fresh) > 1 and not said:
        yield "two tests of tumour lysis are past their limits, and no card says so (TLS-01)"
    if said and not any(v.number > reference.LYSIS[a] for a in reference.LYSIS for v in seen.ever(a)):
        yield "the card says tumour lysis, and no test was past its limit (TLS-01)"


def _weight(seen: Seen, card: Assessment) -> Missing:
    signed = {(w.cycle, w.day): w.weight_kg for _, w in seen.of(DoseAuthorised)}
    last = seen.given[-1].slot if seen.given else None
    dosed_with = signed.get((last.cycle, last.day)) if last is not None else None
    weighed = seen.last(Weight)
    if card.dose is None or dosed_with is None or weighed is None or "weight_accepted" in seen.by_kind:
        return
    if weighed[1].kg > dosed_with * reference.FLUID and card.dose.weight_kg > dosed_with:
        yield f"{weighed[1].kg} kg is fluid until shown otherwise, and {card.dose.weight_kg} kg is dosed (BSA-08)"


def _totals(seen: Seen, card: Assessment) -> Missing:
    """DOSE-15: what a card counts of a cycle is not more than what can have run in."""
    for words in card.cycle_totals_mg_per_m2:
        found = re.match(r"C(\d+): .*?\(([\d.]+) mg", words)
        if found is None:
            continue
        given = [g for g in seen.given if g.slot.cycle == int(found[1])]
        if Decimal(found[2]) > sum((_at_most(seen, g) for g in given), Decimal("0.05")):
            yield f"{words}: more than can have run in (DOSE-15)"


def _at_most(seen: Seen, given: Given) -> Decimal:
    ends = [w for f, w in seen.of(InfusionCompleted) if f.at == given.ended_at]
    if given.ended_at is None or not ends or not ends[0].stopped_early or ends[0].given_mg is not None:
        return given.mg
    return min(given.mg, given.mg * Decimal((given.ended_at - given.at) / reference.INFUSION))
