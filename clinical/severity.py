"""How grave veno-occlusive disease is (SEV-01 … SEV-06): said on the card, never a reason for a verdict.

Organ dysfunction after SOFA, as the criteria of 2023 define it, is not computed (SEV-05): its limits were not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, auto

from clinical.alerts import ladder
from clinical.calendar import local_date, midnight_of
from clinical.case import Case
from clinical.results import Known
from clinical.risk import risk_factors
from clinical.vod import Signs
from models.assessment import Finding
from models.facts import VodExamination, VodJudged
from models.protocol import Entry

NOT_COMPUTED = "organ dysfunction after SOFA is not computed"


class Severity(IntEnum):
    """The four grades of the criteria, mildest first."""

    MILD = auto()
    MODERATE = auto()
    SEVERE = auto()
    VERY_SEVERE = auto()

    @property
    def words(self) -> str:
        """The grade as a card says it."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Graded:
    """The severity, how sure it is, and what lifted it."""

    severity: Severity
    low_confidence: bool = False
    lifted_by: tuple[str, ...] = ()


def severity_note(case: Case) -> Iterator[Finding]:
    """Once a definition is met, or a physician suspects or has confirmed VOD."""
    found, signs = ladder(case), Signs(case)
    judged = found.judged is not None and found.judged[1].judgement in ("suspected", "confirmed")
    if not (judged or found.waits):
        return
    met = in_children(signs) if signs.child else criteria(signs)
    graded = _worst(met) if signs.child else _of_adults(case, signs, met)
    if graded is None:
        return
    words = ", ".join(f"{name} {severity.words}" for name, severity in met.items())
    sure = ", low confidence" if graded.low_confidence else ""
    lifted = f"; lifted one grade by {', '.join(graded.lifted_by)}" if graded.lifted_by else ""
    reason = f"VOD severity: {graded.severity.words}{sure} ({words or 'organ dysfunction'}){lifted}; {NOT_COMPUTED}"
    rule = "SEV-04" if signs.seen("multi_organ_dysfunction") else "SEV-06" if graded.low_confidence else "SEV-01"
    yield case.finding(rule, None, reason, inputs=signs.inputs())


def _of_adults(case: Case, signs: Signs, met: dict[str, Severity]) -> Graded | None:
    """SEV-01: the highest grade with two criteria; SEV-06: otherwise the highest with one; SEV-03, SEV-04 may lift it."""
    if signs.seen("multi_organ_dysfunction"):
        return Graded(Severity.VERY_SEVERE)
    if not met:
        return None
    needed = case.protocol.severity.criteria_needed.count
    several = [s for s in Severity if list(met.values()).count(s) >= needed]
    severity = max(several) if several else max(met.values())
    factors = tuple(risk_factors(case))
    liftable = severity in (Severity.MILD, Severity.MODERATE)
    if liftable and len(factors) >= case.protocol.severity.risk_factors_needed.count:
        return Graded(Severity(severity + 1), not several, factors)
    return Graded(severity, not several)


def _worst(met: dict[str, Severity]) -> Graded | None:
    """In children the worst category wins."""
    return Graded(max(met.values())) if met else None


def criteria(signs: Signs) -> dict[str, Severity]:
    """Each criterion of an adult that is met, with its grade; a normal value is none."""
    case = signs.case
    limits = case.protocol.severity
    bilirubin = (limits.bilirubin_mild_from, limits.bilirubin_moderate_from, limits.bilirubin_severe_from)
    graded = {
        "days since the first symptom": _by_days(case),
        "bilirubin": _from(signs.bilirubin_umol, (*bilirubin, limits.bilirubin_very_severe_from)),
        "bilirubin doubled": Severity.SEVERE if signs.bilirubin and _doubled(case) else None,
        "transaminases": _transaminases(case),
        "creatinine": _creatinine(case),
    }
    met = {name: severity for name, severity in graded.items() if severity is not None}
    weight = _weight(signs, severe=Severity.SEVERE in met.values())
    return met if weight is None else {**met, "weight": weight}


def _from(value: Decimal | None, limits: tuple[Entry, ...]) -> Severity | None:
    """The highest grade whose limit is reached (`>=`), mildest limit first."""
    reached = [s for s, limit in zip(Severity, limits, strict=False) if value is not None and value >= limit.number]
    return max(reached, default=None)


def _by_days(case: Case) -> Severity | None:
    """From the first symptom to the diagnosis: the judgement, or today while nobody has judged."""
    began = [e.first_symptom_on for _, e in case.reading.of(VodExamination) if e.first_symptom_on is not None]
    if not began:
        return None
    zone, limits = case.reading.zone, case.protocol.severity
    diagnosed = next((f.at for f, j in case.reading.of(VodJudged) if j.judgement in ("suspected", "confirmed")), None)
    on = local_date(diagnosed or case.now, zone)
    if diagnosed is None:
        case.reading.change_at(midnight_of(on + timedelta(days=1), zone))
    days = (on - min(began)).days
    if days <= limits.days_severe_until.count:
        return Severity.SEVERE
    return Severity.MODERATE if days <= limits.days_moderate_until.count else Severity.MILD


def _doubled(case: Case) -> bool:
    """Whether the latest bilirubin is at least twice one of the hours before it (48 h)."""
    latest, limits = case.known("bilirubin"), case.protocol.severity
    if latest is None:
        return False
    since = latest.collected_at - limits.doubling_within.span
    earlier = [k for k in case.results.history("bilirubin") if since <= k.collected_at < latest.collected_at]
    return any(latest.canonical >= limits.doubling.number * k.canonical for k in earlier)


def _transaminases(case: Case) -> Severity | None:
    """Multiples of the ULN; a value within it is no criterion."""
    limits = case.protocol.severity
    graver = (
        limits.transaminases_moderate_above,
        limits.transaminases_severe_above,
        limits.transaminases_very_severe_above,
    )
    above = (Decimal(1), *(limit.number for limit in graver))
    found = [k for k in (case.known("alt"), case.known("ast")) if k is not None]
    reached = [s for s, multiple in zip(Severity, above, strict=True) if any(k.above_uln(multiple) for k in found)]
    return max(reached, default=None)


def _creatinine(case: Case) -> Severity | None:
    """Against the last value before the transplant, or before the first dose without one."""
    latest = case.known("creatinine")
    until = case.first_dose_at if case.transplant is None else case.transplant[1]
    baseline = None if until is None else case.results.before("creatinine", until)
    if latest is None or baseline is None or latest.canonical <= baseline.canonical:
        return None
    limits, times = case.protocol.severity, latest.canonical / baseline.canonical
    above = (limits.creatinine_moderate_from, limits.creatinine_severe_from, limits.creatinine_very_severe_from)
    reached = [s for s, limit in zip(list(Severity)[1:], above, strict=True) if times >= limit.number]
    return max(reached, default=Severity.MILD)


def _weight(signs: Signs, *, severe: bool) -> Severity | None:
    """SEV-02: a gain of 5 to 10 % is severe only beside another severe criterion; below it, nothing is graded."""
    limits = signs.case.protocol.severity
    if signs.gain is None or signs.gain < limits.weight_moderate_from.number:
        return None
    if signs.gain >= limits.weight_very_severe_from.number:
        return Severity.VERY_SEVERE
    return Severity.SEVERE if severe else Severity.MODERATE


# ── children ───────────────────────────────────────────────────────────────────────────────────────────────────────


def in_children(signs: Signs) -> dict[str, Severity]:
    """Each category of a child with its grade: liver tests, platelets, bilirubin, kidney."""
    case = signs.case
    transaminases = _transaminases(case)
    doubled = signs.bilirubin and _doubled(case)
    jaundice = None if signs.bilirubin is None else Severity.SEVERE if signs.bilirubin else Severity.MILD
    graded = {
        "transaminases": None if transaminases is None else min(transaminases, Severity.SEVERE),
        "platelets": _refractory(case),
        "bilirubin": jaundice,
        "bilirubin doubled": Severity.SEVERE if doubled else None,
        "glomerular filtration": _filtration(case.known("egfr"), case),
        "organ dysfunction": Severity.VERY_SEVERE if signs.seen("multi_organ_dysfunction") else None,
    }
    return {name: severity for name, severity in graded.items() if severity is not None}


def _refractory(case: Case) -> Severity | None:
    """How long platelets have stayed low despite transfusions, from the first to the last examination that says so."""
    limits, zone = case.protocol.severity, case.reading.zone
    run: list[datetime] = []
    for fact, seen in sorted(case.reading.of(VodExamination), key=lambda pair: pair[0].at):
        run = (
            [*run, fact.at]
            if seen.refractory_thrombocytopenia
            else run
            if seen.refractory_thrombocytopenia is None
            else []
        )
    if not run:
        return None
    days = (local_date(run[-1], zone) - local_date(run[0], zone)).days
    if days >= limits.platelets_severe_from.count:
        return Severity.SEVERE
    return Severity.MODERATE if days >= limits.platelets_moderate_from.count else Severity.MILD


def _filtration(egfr: Known | None, case: Case) -> Severity | None:
    """mL/min: below 90 mild, below 60 moderate, below 30 severe, below 15 very severe."""
    limits = case.protocol.severity
    milder, graver = (
        (limits.filtration_mild_below, limits.filtration_moderate_below),
        (limits.filtration_severe_below, limits.filtration_very_severe_below),
    )
    below = (*milder, *graver)
    reached = [s for s, limit in zip(Severity, below, strict=True) if egfr is not None and egfr.below(limit.number)]
    return max(reached, default=None)
