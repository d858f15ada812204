"""How grave veno-occlusive disease is (SEV-01 … SEV-06): said on the card, never a reason for a verdict.

Organ dysfunction after SOFA, as the criteria of 2023 define it, is not computed (SEV-05): its limits were not read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, auto
from types import MappingProxyType

from clinical.chart.calendar import local_date, midnight_of
from clinical.course.case import Case
from clinical.vod.alerts import ladder
from clinical.vod.risk import risk_factors
from clinical.vod.vod_signs import Signs
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


STARRED = ("transaminases", "platelets", "bilirubin", "ascites")
"""The categories of a child of which two make it very severe."""
TOLD_IN_CHILDREN: Mapping[str, tuple[str, Mapping[object, Severity]]] = MappingProxyType(
    {
        "ascites": (
            "ascites_amount",
            {"minimal": Severity.MILD, "moderate": Severity.MODERATE, "drained": Severity.SEVERE},
        ),
        "coagulation": ("coagulation", {"impaired": Severity.SEVERE, "factors_given": Severity.VERY_SEVERE}),
        "oxygen": (
            "oxygen",
            {
                "below_2_l_per_min": Severity.MILD,
                "from_2_l_per_min": Severity.MODERATE,
                "ventilated": Severity.SEVERE,
            },
        ),
        "brain": ("new_cognitive_impairment", {True: Severity.VERY_SEVERE}),
    }
)
"""By category the field of the examination that tells it, and the grade of each answer."""


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
    graded = _of_children(met) if signs.child else _of_adults(case, signs, met)
    if graded is None:
        return
    open_yet = () if not signs.child or graded.severity is Severity.VERY_SEVERE else _not_told(signs)
    words = ", ".join(f"{name} {severity.words}" for name, severity in met.items())
    sure = ", low confidence" if graded.low_confidence else ""
    lifted = f"; lifted one grade by {', '.join(graded.lifted_by)}" if graded.lifted_by else ""
    bound = "at least " if open_yet else ""
    missing = f"; not told: {', '.join(open_yet)}" if open_yet else ""
    said = f"{bound}{graded.severity.words}{sure} ({words or 'organ dysfunction'}){lifted}{missing}"
    reason = f"VOD severity: {said}; {NOT_COMPUTED}"
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


def _of_children(met: dict[str, Severity]) -> Graded | None:
    """In children the worst category wins; two of the starred ones at their severe cell are very severe."""
    if not met:
        return None
    severe = [name for name in STARRED if met.get(name, Severity.MILD) >= Severity.SEVERE]
    return Graded(Severity.VERY_SEVERE if len(severe) > 1 else max(met.values()))


def criteria(signs: Signs) -> dict[str, Severity]:
    """Each criterion of an adult that is met, with its grade; a normal value is none."""
    case = signs.case
    limits = case.protocol.severity
    bilirubin = (limits.bilirubin_mild_from, limits.bilirubin_moderate_from, limits.bilirubin_severe_from)
    graded = {
        "days since the first symptom": _by_days(case),
        "bilirubin": _from(signs.bilirubin_umol, (*bilirubin, limits.bilirubin_very_severe_from)),
        "bilirubin doubled": Severity.SEVERE if signs.bilirubin.answer and _doubled(case) else None,
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
    limits, history = case.protocol.severity, case.results.against("bilirubin")
    return any(
        latest.canonical >= limits.doubling.number * k.canonical
        for latest in case.holding("bilirubin")
        for k in history
        if latest.collected_at - limits.doubling_within.span <= k.collected_at < latest.collected_at
    )


def _transaminases(case: Case) -> Severity | None:
    """Multiples of the ULN; a value within it is no criterion."""
    limits = case.protocol.severity
    graver = (
        limits.transaminases_moderate_above,
        limits.transaminases_severe_above,
        limits.transaminases_very_severe_above,
    )
    above = (Decimal(1), *(limit.number for limit in graver))
    found = (*case.holding("alt"), *case.holding("ast"))
    reached = [s for s, multiple in zip(Severity, above, strict=True) if any(k.above_uln(multiple) for k in found)]
    return max(reached, default=None)


def _creatinine(case: Case) -> Severity | None:
    """Against the last value before the transplant, or before the first dose without one."""
    latest = max(case.holding("creatinine"), key=lambda k: k.canonical, default=None)
    until = case.first_dose_at if case.transplant is None else case.transplant[1]
    before = [k for k in case.results.before("creatinine", until) if k is not None] if until is not None else []
    baseline = min(before, key=lambda k: k.canonical, default=None)
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
    high = signs.bilirubin.answer
    doubled = high and _doubled(case)
    jaundice = None if high is None else Severity.SEVERE if high else Severity.MILD
    graded = {
        "transaminases": None if transaminases is None else min(transaminases, Severity.SEVERE),
        "platelets": _refractory(case),
        "bilirubin": jaundice,
        "bilirubin doubled": Severity.SEVERE if doubled else None,
        "glomerular filtration": _filtration(case),
        "organ dysfunction": Severity.VERY_SEVERE if signs.seen("multi_organ_dysfunction") else None,
        **{name: cells.get(signs.told_last(field)) for name, (field, cells) in TOLD_IN_CHILDREN.items()},
    }
    return {name: severity for name, severity in graded.items() if severity is not None}


def _not_told(signs: Signs) -> tuple[str, ...]:
    """The categories of a child of which nothing is known: with them the severity may be higher."""
    case = signs.case
    known = {
        "transaminases": bool(case.opening("alt").values or case.opening("ast").values),
        "platelets": signs.seen("refractory_thrombocytopenia") is not None,
        "bilirubin": signs.bilirubin.answer is not None,
        "glomerular filtration": bool(case.opening("egfr").values),
        **{name: signs.told_last(field) is not None for name, (field, _) in TOLD_IN_CHILDREN.items()},
    }
    known["ascites"] = known["ascites"] or signs.seen("ascites") is False
    return tuple(name for name, is_known in known.items() if not is_known)


def _refractory(case: Case) -> Severity | None:
    """How long platelets have stayed low despite transfusions, from the first to the last examination that says so."""
    limits, zone = case.protocol.severity, case.reading.zone
    run: list[datetime] = []
    for fact, seen in case.reading.heard(VodExamination):
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


def _filtration(case: Case) -> Severity | None:
    """mL/min: below 90 mild, below 60 moderate, below 30 severe, below 15 very severe."""
    limits = case.protocol.severity
    milder, graver = (
        (limits.filtration_mild_below, limits.filtration_moderate_below),
        (limits.filtration_severe_below, limits.filtration_very_severe_below),
    )
    below = (*milder, *graver)
    held = case.holding("egfr")
    reached = [s for s, limit in zip(Severity, below, strict=True) if any(k.below(limit.number) for k in held)]
    return max(reached, default=None)
