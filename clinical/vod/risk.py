"""What makes veno-occlusive disease likelier (RISK-01 … RISK-07): two hard alerts before conditioning, the rest is said.

A hard alert stands until a physician has signed that the transplant goes on all the same (RISK-06). It never holds a dose.
Advice on conditioning, prevention and treatment (RISK-03, RISK-05, RISK-07) is information, and nothing is ordered here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile
from types import MappingProxyType
from typing import Literal

from clinical.chart.calendar import birthday, local_date
from clinical.course.case import Case
from clinical.results.known import Known, recorded_at
from clinical.treatment.medications import taken
from models.assessment import Finding, Input
from models.facts import (
    Fact,
    MedicalHistory,
    NoTransplantDeclared,
    RiskAccepted,
    TransplantPlanned,
    TransplantPlanWithdrawn,
)
from models.people import PHYSICIANS

Hard = Literal["two_alkylators", "bilirubin_at_uln"]
SIGNED_BY = "a physician signs that it is accepted: record_finding risk_accepted"
SHORT_FORMS = MappingProxyType(
    {
        **dict.fromkeys(("bu", "busulfex", "busilvex"), "busulfan"),
        **dict.fromkeys(("cy", "cyc", "ctx", "cpm", "endoxan", "cytoxan"), "cyclophosphamide"),
        **dict.fromkeys(("mel", "alkeran", "evomela"), "melphalan"),
        **dict.fromkeys(("tt", "thio", "tepadina"), "thiotepa"),
        **dict.fromkeys(("treo", "trecondi"), "treosulfan"),
        **dict.fromkeys(("ifo", "holoxan"), "ifosfamide"),
        "bcnu": "carmustine",
        "ccnu": "lomustine",
    }
)
"""Trade names and usual short forms of the alkylators; each a word of its own."""
NO_ALKYLATORS = (
    *("fludarabin", "clofarabin", "cytarabin", "cladribin", "etoposid", "topotecan", "amsacrin", "gemcitabin"),
    *("thymoglobulin", "thymocyt", "grafalon", "alemtuzumab", "campath", "rituximab", "methotrexat", "mercaptopurin"),
    *("ciclosporin", "cyclosporin", "tacrolimus", "sirolimus", "mycophenol", "abatacept", "decitabin", "azacitidin"),
    *(
        "irradiation",
        "radiation",
        "bestrahlung",
        "irradiación",
        "irradiazione",
        "prednis",
        "dexamethason",
        "venetoclax",
    ),
)
"""What else a conditioning holds: the beginnings of names that are no alkylator for certain."""
NO_ALKYLATOR_SHORT = frozenset({"flu", "clo", "arac", "vp", "atg", "atlg", "tbi", "mtx", "csa", "mmf", "gy"})


@dataclass(frozen=True)
class HardAlert:
    """One of the two significant risks, and since when what it rests on is known."""

    risk: Hard
    words: str
    known_at: datetime
    inputs: tuple[Input, ...] = ()


def risk_alerts(case: Case) -> Iterator[Finding]:
    """RISK-01 and RISK-06 while a transplant is planned; RISK-02 and RISK-04 as one note each."""
    if case.transplant_planned:
        for alert in hard_alerts(case):
            yield _said(case, alert)
        if _conditioning(case) is None:
            reason = "the conditioning of the planned transplant is not stated: two alkylators would be a hard alert"
            yield case.finding("RISK-01", None, reason, subject="conditioning")
    softer, charted = list(_softer(case)), list(_charted(case))
    if softer:
        yield case.finding("RISK-02", None, f"risk of VOD: {', '.join(softer)}")
    if charted:
        yield case.finding("RISK-04", None, f"further risk of VOD: {', '.join(charted)}")


def unsigned_alerts(case: Case) -> Iterator[HardAlert]:
    """RISK-06: the hard alerts before a planned transplant that no physician has signed."""
    if case.transplant_planned:
        yield from (alert for alert in hard_alerts(case) if _accepted(case, alert) is None)


def risk_factors(case: Case) -> list[str]:
    """Every risk factor on file, each once (SEV-03)."""
    hard = [alert.words for alert in hard_alerts(case)]
    return list(dict.fromkeys([*hard, *_softer(case), *_charted(case)]))


def hard_alerts(case: Case) -> Iterator[HardAlert]:
    """RISK-01: two alkylators in the conditioning; the last total bilirubin before transplant at or above its ULN."""
    plan, enough = _conditioning(case), case.protocol.risk.alkylators.count
    if plan is not None:
        alkylators, unknown = conditioning_drugs(case, plan[1])
        if len(alkylators) >= enough:
            words = f"conditioning with two alkylators ({' and '.join(alkylators)})"
            yield HardAlert("two_alkylators", words, plan[0].recorded_at)
        elif unknown:
            named = " and ".join((*alkylators, *(f"“{word}”, which is not known here" for word in unknown)))
            yield HardAlert(
                "two_alkylators", f"conditioning that may hold two alkylators ({named})", plan[0].recorded_at
            )
    for bilirubin in [k for k in _last_bilirubin(case) if k.uln is not None and k.below(k.uln) is not True][-1:]:
        words = "last total bilirubin before the transplant at or above its upper limit of normal"
        yield HardAlert("bilirubin_at_uln", words, recorded_at(bilirubin), (bilirubin.shown(),))


def _said(case: Case, alert: HardAlert) -> Finding:
    accepted = _accepted(case, alert)
    if accepted is None:
        reason, clears = f"hard alert before conditioning: {alert.words}", SIGNED_BY
    else:
        fact, word = accepted
        reason, clears = f"{alert.words}; accepted by {fact.by}: {word.reason}", None
    return case.finding("RISK-01", None, reason, inputs=alert.inputs, clears=clears, subject=alert.risk)


def _accepted(case: Case, alert: HardAlert) -> tuple[Fact, RiskAccepted] | None:
    """A physician's word after what it rests on was known: another plan, or a later bilirubin, asks again."""
    words = [
        (fact, word)
        for fact, word in case.reading.of(RiskAccepted)
        if word.risk == alert.risk and fact.by.role in PHYSICIANS and fact.recorded_at >= alert.known_at
    ]
    return words[-1] if words else None


def _conditioning(case: Case) -> tuple[Fact, tuple[str, ...]] | None:
    """Of the plan that stands, or that led to the transplant: named last, with the fact that names it (M.0).

    A plan that leaves it open does not take it back; one that was withdrawn, or declared off, says nothing any more.
    """
    if not case.transplant_planned and case.transplant is None:
        return None
    said = case.reading.newest_first(TransplantPlanned, TransplantPlanWithdrawn, NoTransplantDeclared)
    since = dropwhile(
        lambda fact: not isinstance(fact.what, TransplantPlanned), said
    )  # what was said after the transplant
    for fact in since:
        if not isinstance(fact.what, TransplantPlanned):
            return None
        if fact.what.conditioning:
            return fact, fact.what.conditioning
    return None


def conditioning_drugs(case: Case, drugs: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The alkylators named in a conditioning, each once, and the words that name no drug that is known here (M.0).

    A name counts in any language that ends it otherwise (cyclophosphamid), by its trade name or its usual short form.
    """
    listed = case.protocol.risk.alkylator_names.words
    alkylators: list[str] = []
    unknown: list[str] = []
    for drug in drugs:
        tokens = set(re.findall(r"[^\W\d_]+", drug.lower()))
        found = [name for name in listed if name[:-1] in drug.lower()]
        found += [name for short, name in SHORT_FORMS.items() if short in tokens and name in listed]
        alkylators += found
        if (
            not found
            and not any(other in drug.lower() for other in NO_ALKYLATORS)
            and tokens.isdisjoint(NO_ALKYLATOR_SHORT)
        ):
            unknown.append(drug)
    return list(dict.fromkeys(alkylators)), unknown


def _last_bilirubin(case: Case) -> tuple[Known, ...]:
    """Gilbert syndrome or not (AMB-20); after a transplant the last before it; of twins each."""
    if case.transplant is not None:
        return case.results.holding_before("bilirubin", case.transplant[1])
    return case.holding("bilirubin") if case.transplant_planned else ()


def _softer(case: Case) -> Iterator[str]:
    """RISK-02, as far as it is on file."""
    limits = case.protocol.risk
    for limit in (limits.age_higher, limits.age_high):
        if _age_reached(case, limit.count):
            yield f"age of {limit.count} years or more"
            break
    history = _history(case)
    if history.liver_disease or history.serious_liver_disease:
        yield "liver disease"
    if history.transplant_before:
        yield "an earlier transplant"
    if history.salvage_line is not None and history.salvage_line >= limits.salvage_line_from.count:
        yield f"salvage line {history.salvage_line}"
    cycles = max((dose.slot.cycle for dose in case.doses), default=0)
    if cycles > limits.cycles_above.count:
        yield f"{cycles} cycles of inotuzumab ozogamicin"


def _history(case: Case) -> MedicalHistory:
    """All that was answered: a later history that leaves a question open takes no answer back."""
    return MedicalHistory(**{name: answer for name, (_, answer) in case.reading.answered(MedicalHistory).items()})


def _age_reached(case: Case, years: int) -> bool:
    """On the day the course started: a birthday during the course is not a new risk."""
    started_on = local_date(case.course.started_at, case.reading.zone)
    return started_on >= birthday(case.course.birth_on, years)


def _charted(case: Case) -> Iterator[str]:
    """RISK-04: what was charted by name, and hepatotoxic drugs that were not stopped."""
    yield from _history(case).risk_factors
    yield from (f"{drug.drug} (hepatotoxic)" for _, drug in taken(case) if drug.hepatotoxic)
