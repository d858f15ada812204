"""Every limit of what is only said or asked for: just below, exactly at, and just above it, in each unit of the analyte.

Severity, risk, tumour lysis, alert limits, questions to a response, grades that are noted, what is due and when.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.vod.risk import hard_alerts, risk_factors
from clinical.vod.severity import Severity, criteria, in_children
from clinical.vod.vod_signs import Signs
from demo.bundles import NORMAL
from models.obligation_kinds import ObligationKind
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.boundaries import (
    MULTIPLES,
    ULN_IN,
    Answer,
    Boundary,
    asking,
    asks,
    given,
    holds,
    kg,
    obligation,
    saying,
    tries,
)
from tests.factories import ARTICLE, D1, LABEL, LIVER, LLN, ChartBuilder, PaperCourse, a_lab
from tests.scenarios import (
    DAY,
    HOUR,
    MIN,
    SECOND,
    Story,
    after_cycles,
    after_transplant,
    charted,
    day,
    day_8,
    first_dose,
    lab,
    next_cycle,
    said,
    steps,
    then,
)
from tests.units import in_unit

ONE = {"step": Decimal(1)}
COUNTED = {"of": lambda v: (v - 1, v, v + 1)}
"""One less, so many, one more."""


def case_of(course: PaperCourse) -> Case:
    return Case(course.chart, course.protocol, course.now)


def heard(story: Story, rule: str, words: str = "", subject: str = "") -> Callable[[str], bool]:
    """Whether a rule says these words under a protocol."""

    def answer(protocol: str) -> bool:
        return any(words in f.reason and subject in f.subject for f in said(story(protocol).card, rule))

    return answer


# ── severity (§7.1) ────────────────────────────────────────────────────────────────────────────────────────────────


def graded(criterion: str, least: Severity, story: Callable[[Any, str], Story], *, child: bool = False) -> Answer:
    """Whether one criterion reaches a grade in a story made of the value."""

    def answer(protocol: str, value: Any, unit: str) -> bool:
        found = Signs(case_of(story(value, unit)(protocol)))
        return (in_children if child else criteria)(found).get(criterion, 0) >= least

    return answer


def jaundiced(value: Decimal, unit: str) -> Story:
    return after_transplant(10, bilirubin=in_unit("bilirubin", value, unit, "umol/L"), unit=unit)


def enzyme(analyte: str) -> Callable[[Decimal, str], Story]:
    def story(multiple: Decimal, unit: str) -> Story:
        uln = Decimal(ULN_IN[unit])
        return then(after_transplant(10), lab(analyte, format(multiple * uln, "f"), unit=unit, uln=uln))

    return story


def kidney(times: Decimal, unit: str) -> Story:
    """Creatinine 0.5 mg/dL three weeks ago, before the transplant, and so many times as much now."""
    before = lab("creatinine", "0.5", ago=21 * DAY)
    times /= 2
    return then(after_transplant(10), steps(before, lab("creatinine", in_unit("creatinine", times, unit), unit=unit)))


def doubled(times: Decimal, unit: str, ago: timedelta = 24 * HOUR) -> Story:
    earlier = in_unit("bilirubin", Decimal("1.8"), unit)
    latest = in_unit("bilirubin", times * Decimal("1.8"), unit)
    uln = Decimal(ULN_IN[unit])
    return then(
        after_transplant(10),
        steps(
            lab("bilirubin", earlier, unit=unit, uln=uln, ago=HOUR + ago), lab("bilirubin", latest, unit=unit, uln=uln)
        ),
    )


def first_symptom(days: Any, unit: str) -> Story:
    def story(protocol: str) -> PaperCourse:
        course = after_transplant(10)(protocol)
        began = (course.now - int(days) * DAY).date().isoformat()
        with course.charting() as chart:
            chart.add({"kind": "vod_examination", "ascites": True, "first_symptom_on": began}, course.now - MIN)
        return course

    return story


def moderate_criteria(number: Any) -> Story:
    """So many criteria of the moderate grade: bilirubin, weight, ALT."""
    count = int(number)
    story = after_transplant(10, bilirubin="3.5", kg="74.2" if count > 1 else "70", signs={"ascites": True})
    return then(story, lab("alt", "120" if count > 2 else "30"))


def risky(number: Any) -> Story:
    """Mild by its bilirubin, with so many risk factors."""
    factors = dict(list({"transplant_before": True, "salvage_line": 2, "liver_disease": True}.items())[: int(number)])
    story = after_transplant(10, bilirubin="2.4", signs={"ascites": True})
    return then(story, charted({"kind": "medical_history", **factors}))


CHILD = date(2016, 1, 15)


def child(*facts: Callable[[PaperCourse], None], born: date = CHILD) -> Story:
    """A child ten days after transplant."""

    def story(protocol: str) -> PaperCourse:
        course = after_transplant(10, bilirubin="1.0")(protocol)
        course.chart = course.chart.model_copy(
            update={"course": course.chart.course.model_copy(update={"birth_on": born})}
        )
        for fact in facts:
            fact(course)
        return course

    return story


def refractory(days: Any, unit: str) -> Story:
    seen = {"kind": "vod_examination", "refractory_thrombocytopenia": True}
    return child(charted(seen, ago=int(days) * DAY + MIN), charted(seen))


def filtering(value: Decimal, unit: str) -> Story:
    return child(lab("egfr", str(value)))


def bilirubin_from(grade: Severity) -> tuple[Boundary, ...]:
    return (Boundary(">=", graded("bilirubin", grade, jaundiced), analyte="bilirubin", printed_in="umol/L"),)


def transaminases_above(grade: Severity) -> tuple[Boundary, ...]:
    return tuple(
        Boundary(">", graded("transaminases", grade, enzyme(a), child=young), units=MULTIPLES["alt"])
        for a, young in (("alt", False), ("ast", False))
    )


def creatinine_from(grade: Severity) -> tuple[Boundary, ...]:
    return (Boundary(">=", graded("creatinine", grade, kidney), analyte="creatinine"),)


def filtration_below(grade: Severity) -> tuple[Boundary, ...]:
    return (Boundary("<", graded("glomerular filtration", grade, filtering, child=True), analyte="egfr"),)


SEVERITY: dict[str, tuple[Boundary, ...]] = {
    "severity.criteria_needed": (
        Boundary("<", given(moderate_criteria, lambda card: bool(said(card, "SEV-06"))), **COUNTED),
    ),
    "severity.risk_factors_needed": (
        Boundary(
            ">=",
            given(risky, lambda card: any("lifted" in f.reason for f in card.findings if f.rule.startswith("SEV"))),
            **COUNTED,
        ),
    ),
    "severity.days_severe_until": (
        Boundary("<=", graded("days since the first symptom", Severity.SEVERE, first_symptom), **ONE),
    ),
    "severity.days_moderate_until": (
        Boundary("<=", graded("days since the first symptom", Severity.MODERATE, first_symptom), **ONE),
    ),
    "severity.bilirubin_mild_from": bilirubin_from(Severity.MILD),
    "severity.bilirubin_moderate_from": bilirubin_from(Severity.MODERATE),
    "severity.bilirubin_severe_from": bilirubin_from(Severity.SEVERE),
    "severity.bilirubin_very_severe_from": bilirubin_from(Severity.VERY_SEVERE),
    "severity.doubling": (Boundary(">=", graded("bilirubin doubled", Severity.SEVERE, doubled), analyte="bilirubin"),),
    "severity.doubling_within": (
        Boundary(
            "<=",
            graded("bilirubin doubled", Severity.SEVERE, lambda ago, u: doubled(Decimal(2), "mg/dL", ago)),
            step=SECOND,
        ),
    ),
    "severity.transaminases_moderate_above": transaminases_above(Severity.MODERATE),
    "severity.transaminases_severe_above": transaminases_above(Severity.SEVERE),
    "severity.transaminases_very_severe_above": transaminases_above(Severity.VERY_SEVERE),
    "severity.weight_moderate_from": (
        Boundary(">=", graded("weight", Severity.MODERATE, lambda g, u: after_transplant(10, kg=kg(g)))),
        Boundary(
            ">=",
            graded("weight", Severity.SEVERE, lambda g, u: after_transplant(10, bilirubin="5.5", kg=kg(g))),
            note="SEV-02: beside another severe criterion",
        ),
    ),
    "severity.weight_very_severe_from": (
        Boundary(">=", graded("weight", Severity.VERY_SEVERE, lambda g, u: after_transplant(10, kg=kg(g)))),
    ),
    "severity.creatinine_moderate_from": creatinine_from(Severity.MODERATE),
    "severity.creatinine_severe_from": creatinine_from(Severity.SEVERE),
    "severity.creatinine_very_severe_from": creatinine_from(Severity.VERY_SEVERE),
    "severity.platelets_moderate_from": (
        Boundary(">=", graded("platelets", Severity.MODERATE, refractory, child=True), **ONE),
    ),
    "severity.platelets_severe_from": (
        Boundary(">=", graded("platelets", Severity.SEVERE, refractory, child=True), **ONE),
    ),
    "severity.filtration_mild_below": filtration_below(Severity.MILD),
    "severity.filtration_moderate_below": filtration_below(Severity.MODERATE),
    "severity.filtration_severe_below": filtration_below(Severity.SEVERE),
    "severity.filtration_very_severe_below": filtration_below(Severity.VERY_SEVERE),
}

# ── risk (§5.2) ────────────────────────────────────────────────────────────────────────────────────────────────────

ALKYLATORS = ("busulfan", "thiotepa", "melphalan")


def conditioned(drugs: Any) -> Story:
    plan = {"kind": "transplant_planned", "conditioning": ["fludarabine", *ALKYLATORS[: int(drugs)]]}
    return then(next_cycle(), charted(plan, by=Role.PRESCRIBER))


def born(on: date) -> Case:
    return Case(ChartBuilder(birth_on=on).chart(), load_protocol(LABEL), D1)


def aged(words: str) -> Answer:
    """The course here starts on 27 February 2026."""
    return lambda protocol, on, unit: words in risk_factors(born(on))


def birthdays(years: Decimal) -> tuple[date, date, date]:
    """One day too young, on the birthday, one day older, when the course starts."""
    started_on = (D1 - 3 * DAY).date()
    birthday = date(started_on.year - int(years), started_on.month, started_on.day)
    return birthday + DAY, birthday, birthday - DAY


def treated_before(line: Any) -> Story:
    return then(first_dose(), charted({"kind": "medical_history", "salvage_line": int(line)}))


RISK: dict[str, tuple[Boundary, ...]] = {
    "risk.alkylators": (
        Boundary(">=", lambda p, n, u: [a.risk for a in hard_alerts(case_of(conditioned(n)(p)))] != [], **COUNTED),
    ),
    "risk.age_high": (Boundary(">=", aged("age of 55 years or more"), of=birthdays),),
    "risk.age_higher": (Boundary(">=", aged("age of 65 years or more"), of=birthdays),),
    "risk.salvage_line_from": (
        Boundary(">=", lambda p, n, u: heard(treated_before(n), "RISK-02", "salvage line")(p), **COUNTED),
    ),
    "risk.cycles_above": (
        Boundary(
            ">",
            lambda p, n, u: heard(after_cycles(int(n), "CR"), "RISK-02", "cycles of inotuzumab")(p),
            **COUNTED,
        ),
    ),
}

# ── tumour lysis (§6.4) ────────────────────────────────────────────────────────────────────────────────────────────


def lln(analyte: str, unit: str) -> Decimal | None:
    """The lower limit of normal, where a result is of no use without one (LAB-05)."""
    own = LLN.get("calcium" if analyte == "calcium_corrected" else analyte)
    return None if own is None else Decimal(in_unit(analyte, Decimal(own), unit))


OTHER = {"potassium": ("phosphate", "6.6")}
"""The second test that is past its limit: potassium, but for potassium itself."""


def after_first_dose(*facts: Callable[[PaperCourse], None], at: timedelta = DAY, birth_on: date | None = None) -> Story:
    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol, **({} if birth_on is None else {"birth_on": birth_on}))
        course = PaperCourse(chart.ready(creatinine="0.8").dose(1, 1, D1), D1 + at)
        for fact in facts:
            fact(course)
        return course

    return story


def lysis(analyte: str, of: str, *, birth_on: date | None = None) -> Answer:
    """One test told in a unit of its own beside another one that is past its limit."""

    def answer(protocol: str, value: Decimal, unit: str) -> bool:
        other, its = OTHER.get(analyte, ("potassium", "6.2"))
        told = lab(analyte, in_unit(analyte, value, unit, of), unit=unit, lln=lln(analyte, unit), uln=None)
        found = [lab(other, its), told, *([lab("albumin", "4.0")] if analyte == "calcium" else [])]
        return heard(after_first_dose(*found, birth_on=birth_on), "TLS-01")(protocol)

    return answer


def lysis_limit(analyte: str, sign: str, of: str, *also: str, step: str = "0.01", born: date | None = None) -> Boundary:
    """A limit in the unit that it is printed in, and in those of the others in which it is the one that decides."""
    answer = lysis(analyte, of, birth_on=born)
    return Boundary(sign, answer, step=Decimal(step), analyte=analyte, printed_in=of, units=(of, *also))


def risen(of: str, baseline: str) -> Answer:
    """Creatinine above its value before the first dose, in laboratory tumour lysis."""

    def answer(protocol: str, rise: Decimal, unit: str) -> bool:
        before = Decimal(baseline)
        told = {"unit": unit, "uln": None}
        chart = ChartBuilder(protocol).ready().without("creatinine")
        chart.result("creatinine", in_unit("creatinine", before, unit, of), D1 - HOUR, **told)
        course = PaperCourse(chart.dose(1, 1, D1), D1 + DAY)
        now = lab("creatinine", in_unit("creatinine", before + rise, unit, of), **told)
        for fact in (lab("potassium", "6.2"), lab("phosphate", "6.6"), now):
            fact(course)
        return bool(said(course.card, "TLS-02"))

    return answer


def both_drawn(at: timedelta, apart: timedelta = timedelta(), looked: timedelta = HOUR) -> Story:
    """Potassium so long after the first dose, phosphate later, looked at an hour after both."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
        chart.labs(D1 + at, potassium="6.2")
        chart.labs(D1 + at + apart, phosphate="5")
        return PaperCourse(chart, max(D1, D1 + at + apart) + looked)

    return story


def before_any_dose(ago: timedelta) -> Story:
    return then(first_dose(), steps(lab("potassium", "6.2", ago=ago), lab("phosphate", "5", ago=ago)))


def so_many_past_their_limits(number: Any) -> Story:
    values = {"potassium": "6.2", "phosphate": "6.6", "urate": "9"}
    return after_first_dose(*(lab(a, v) for a, v in list(values.items())[: int(number)]))


TUMOUR_LYSIS: dict[str, tuple[Boundary, ...]] = {
    "tumour_lysis.before": (
        Boundary("<=", given(lambda ago: both_drawn(-ago), saying("TLS-01")), step=SECOND),
        Boundary("<=", given(before_any_dose, saying("TLS-01")), step=SECOND),
    ),
    "tumour_lysis.after": (Boundary("<=", given(both_drawn, saying("TLS-01")), step=SECOND),),
    "tumour_lysis.within": (
        Boundary("<=", given(lambda apart: both_drawn(DAY, apart), saying("TLS-01")), step=SECOND),
        Boundary("<=", given(lambda apart: calcium_and_albumin(apart), saying("TLS-01")), step=SECOND),
    ),
    "tumour_lysis.tests_needed": (Boundary(">=", given(so_many_past_their_limits, saying("TLS-01")), **COUNTED),),
    "tumour_lysis.potassium[>= mmol/L]": (lysis_limit("potassium", ">=", "mmol/L", "meq/L"),),
    "tumour_lysis.phosphate[>= mmol/L]": (lysis_limit("phosphate", ">=", "mmol/L"),),
    "tumour_lysis.phosphate[>= mg/dL]": (lysis_limit("phosphate", ">=", "mg/dL"),),
    "tumour_lysis.phosphate_child[>= mmol/L]": (lysis_limit("phosphate", ">=", "mmol/L", born=CHILD),),
    "tumour_lysis.phosphate_child[>= mg/dL]": (lysis_limit("phosphate", ">=", "mg/dL", born=CHILD),),
    "tumour_lysis.calcium[<= mmol/L]": (
        lysis_limit("calcium_corrected", "<=", "mmol/L", "meq/L"),
        lysis_limit("calcium", "<=", "mmol/L", "meq/L"),
    ),
    "tumour_lysis.calcium[<= mg/dL]": (
        lysis_limit("calcium_corrected", "<=", "mg/dL"),
        lysis_limit("calcium", "<=", "mg/dL"),
    ),
    "tumour_lysis.urate[>= umol/L]": (lysis_limit("urate", ">=", "umol/L", step="1"),),
    "tumour_lysis.urate[>= mg/dL]": (lysis_limit("urate", ">=", "mg/dL", "mmol/L"),),
    "tumour_lysis.creatinine_rise[>= umol/L above baseline]": (
        Boundary(
            ">=",
            risen("umol/L", "80"),
            analyte="creatinine",
            printed_in="umol/L",
            units=("umol/L", "mmol/L"),
        ),
    ),
    "tumour_lysis.creatinine_rise[>= mg/dL above baseline]": (Boundary(">=", risen("mg/dL", "0.9"), units=("mg/dL",)),),
}


def calcium_and_albumin(apart: timedelta) -> Story:
    """Total calcium that is low for the albumin drawn so long before it."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().without("albumin").dose(1, 1, D1)
        at = D1 + 2 * DAY
        chart.labs(at - apart, albumin="4.0")
        chart.labs(at, potassium="6.2", calcium="6.5")
        return PaperCourse(chart, at + HOUR)

    return story


# ── alert limits (§9.3) ────────────────────────────────────────────────────────────────────────────────────────────


def critical(analyte: str, words: str = "alert limit", of: str = "") -> Answer:
    """One result of a patient before the first dose."""

    def answer(protocol: str, value: Decimal, unit: str) -> bool:
        chart = ChartBuilder(protocol)
        if analyte == "wbc":
            chart.labs(D1 - HOUR, anc="0.5")
        limits = {"uln": Decimal(ULN_IN[unit])} if analyte == "bilirubin" else {"uln": None, "lln": lln(analyte, unit)}
        chart.result(analyte, in_unit(analyte, value, unit, of), D1 - HOUR, unit=unit, **limits)
        return heard(lambda p: PaperCourse(chart, D1), "CRIT-01", words, analyte)(protocol)

    return answer


def alert(analyte: str, sign: str, step: str = "0.01", words: str = "alert limit") -> tuple[Boundary, ...]:
    return (Boundary(sign, critical(analyte, words), step=Decimal(step), analyte=analyte),)


def twice_creatinine(protocol: str, times: Decimal, unit: str) -> bool:
    told = in_unit("creatinine", times * Decimal("0.8"), unit)
    return heard(after_first_dose(lab("creatinine", told, unit=unit)), "CRIT-01", subject="creatinine")(protocol)


def bilirubin_rose(by: Decimal, unit: str, within: timedelta = 24 * HOUR) -> Story:
    def story(protocol: str) -> PaperCourse:
        chart, told = ChartBuilder(protocol), {"unit": unit, "uln": Decimal(ULN_IN[unit])}
        chart.result("bilirubin", in_unit("bilirubin", Decimal("0.9"), unit), D1 - HOUR - within, **told)
        chart.result("bilirubin", in_unit("bilirubin", Decimal("0.9") + by, unit), D1 - HOUR, **told)
        return PaperCourse(chart, D1)

    return story


CRITICAL: dict[str, tuple[Boundary, ...]] = {
    "critical.bilirubin_rise": (
        Boundary(">=", lambda p, rise, u: heard(bilirubin_rose(rise, u), "CRIT-01", "risen")(p), analyte="bilirubin"),
    ),
    "critical.rise_within": (
        Boundary(
            "<=",
            lambda p, within, u: heard(bilirubin_rose(Decimal(1), "mg/dL", within), "CRIT-01", "risen")(p),
            step=SECOND,
        ),
    ),
    "critical.rows.anc.alert[< 10*9/L]": alert("anc", "<"),
    "critical.rows.wbc.alert[< 10*9/L]": alert("wbc", "<"),
    "critical.rows.wbc.alert[> 10*9/L]": alert("wbc", ">"),
    "critical.rows.platelets.alert[< 10*9/L]": alert("platelets", "<", "0.1"),
    "critical.rows.platelets.urgent[< 10*9/L]": alert("platelets", "<", "0.1", "urgent"),
    "critical.rows.haemoglobin.alert[< g/dL]": alert("haemoglobin", "<"),
    "critical.rows.potassium.alert[< mmol/L]": alert("potassium", "<"),
    "critical.rows.potassium.alert[> mmol/L]": alert("potassium", ">"),
    "critical.rows.sodium.alert[< mmol/L]": alert("sodium", "<", "0.1"),
    "critical.rows.sodium.alert[> mmol/L]": alert("sodium", ">", "0.1"),
    "critical.rows.calcium.alert[< mg/dL]": alert("calcium", "<"),
    "critical.rows.calcium.alert[> mg/dL]": alert("calcium", ">"),
    "critical.rows.calcium_ionised.alert[< mmol/L]": alert("calcium_ionised", "<"),
    "critical.rows.calcium_ionised.alert[> mmol/L]": alert("calcium_ionised", ">"),
    "critical.rows.magnesium.alert[< mg/dL]": alert("magnesium", "<"),
    "critical.rows.magnesium.alert[> mg/dL]": alert("magnesium", ">"),
    "critical.rows.phosphate.alert[<= mg/dL]": alert("phosphate", "<="),
    "critical.rows.phosphate.alert[> mg/dL]": alert("phosphate", ">"),
    "critical.rows.bilirubin.alert[>= mg/dL]": alert("bilirubin", ">="),
    "critical.rows.creatinine.alert[>= xbaseline]": (Boundary(">=", twice_creatinine, analyte="creatinine"),),
    "critical.rows.inr.alert[> {INR}]": alert("inr", ">"),
    "critical.rows.qtcf.alert[> ms]": alert("qtcf", ">", "1"),
}

# ── response (§2.2) ────────────────────────────────────────────────────────────────────────────────────────────────

ASSESSED = D1 + 20 * DAY


def assessed(
    counts_ago: timedelta = 3 * HOUR, marrow: Any = "2", mrd: bool | None = None, **told: dict[str, Any]
) -> Callable[..., Story]:
    """CR after cycle 1 with a marrow and counts drawn so long before; `told` by analyte replaces a count."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().cycle(1, D1)
        at = ASSESSED - counts_ago
        for analyte, value in (("platelets", "150"), ("anc", "2"), ("blasts", "0")):
            given_as = told.get(analyte, {"value": value})
            chart.result(analyte, str(given_as["value"]), at, unit=given_as.get("unit", "10*9/L"))
        found = {"marrow_blasts_percent": str(marrow), "extramedullary_disease": False}
        mrd_said = {} if mrd is None else {"mrd_negative": mrd, "mrd_method": "PCR"}
        body = {"kind": "response", "cycle": 1, "response": "CR", **found, **mrd_said}
        chart.add(body, ASSESSED, Role.PHYSICIAN)
        return PaperCourse(chart, ASSESSED + HOUR)

    return story


def low_count(analyte: str) -> tuple[Boundary, ...]:
    def answer(protocol: str, value: Decimal, unit: str) -> bool:
        told = {analyte: {"value": in_unit(analyte, value, unit), "unit": unit}}
        return heard(assessed(**told), "RESP-01", "counts of CRi")(protocol)

    return (Boundary("<", answer, analyte=analyte),)


def raised(kind: dict[str, Any]) -> Callable[[timedelta], Story]:
    """Counts drawn so long after something."""

    def story(ago: timedelta) -> Story:
        return then(assessed(), charted(kind, ago=4 * HOUR + ago))

    return story


RESPONSE: dict[str, tuple[Boundary, ...]] = {
    "response.marrow_blasts_below": (
        Boundary(">=", lambda p, v, u: heard(assessed(marrow=v), "RESP-01", "marrow blasts")(p)),
        Boundary(">=", lambda p, v, u: heard(assessed(marrow=v, mrd=True), "RESP-03", "marrow blasts")(p)),
    ),
    "response.platelets_from": low_count("platelets"),
    "response.anc_from": low_count("anc"),
    "response.counts_within": (
        Boundary(
            "<=",
            lambda p, ago, u: heard(assessed(ago, platelets={"value": "50"}), "RESP-01", "counts of CRi")(p),
            step=SECOND,
        ),
    ),
    "response.transfusion_free": (
        Boundary("<", given(raised({"kind": "transfusion", "product": "platelets"}), saying("RESP-04")), step=SECOND),
    ),
    "response.growth_factor_free": (
        Boundary("<", given(raised({"kind": "g_csf", "drug": "filgrastim"}), saying("RESP-04")), step=SECOND),
    ),
}

# ── grades that are noted, ladder, plausibility, tracing ───────────────────────────────────────────────────────────


def noted_potassium(grade: Any) -> Story:
    """Hyperkalaemia of so high a grade, which is never a reason to hold."""
    value = {1: "5.3", 2: "5.8", 3: "6.5"}[int(grade)]
    return after_first_dose(lab("potassium", value, uln=Decimal("5.1")))


def potassium_ago(ago: timedelta) -> Story:
    return after_first_dose(lab("potassium", "6.5", uln=Decimal("5.1"), ago=ago), at=10 * DAY)


def tracing(**intervals: str) -> Story:
    """An ObligationKind.ECG of an hour ago whose QTcF must be computed or reviewed."""
    return then(first_dose(), charted({"kind": "ecg", "qt_ms": "380", **intervals}, ago=HOUR))


def with_two_values(per_cent: Decimal) -> Story:
    """ALT twice in one message for one draw, so many per cent of the higher one apart."""

    def story(protocol: str) -> PaperCourse:
        course = day_8()(protocol)
        with course.charting() as chart:
            for code, value in (("1742-6", Decimal(50)), ("1743-4", 50 * (1 - per_cent / 100))):
                sent = a_lab("alt", format(value, "f"), at=course.now - HOUR, loinc=code)
                chart.add(sent, course.now - HOUR, Role.LABORATORY, message="m-1")
        return course

    return story


def asks_for(rule: str, words: str) -> Callable[[Any], bool]:
    return lambda card: any(f.rule == rule and words in f.reason for f in card.standing)


def one_after_another(analyte: str, before: str, value: Decimal, ago: timedelta) -> Story:
    """A value of this analyte, and another one so long before it."""

    def story(protocol: str) -> PaperCourse:
        course = day_8()(protocol)
        with course.charting() as chart:
            chart.without(analyte)
            chart.result(analyte, before, course.now - HOUR - ago)
            chart.result(analyte, format(value, "f"), course.now - HOUR)
        return course

    return story


def bilirubin_before(value: Decimal, ago: timedelta = 3 * HOUR) -> Story:
    """0.3 mg/dL so long before a bilirubin of this value."""
    return one_after_another("bilirubin", "0.3", value, ago)


def platelets_before(rise: Decimal, ago: timedelta = 3 * HOUR) -> Story:
    """40 x 10*9/L so long before platelets that are higher by this."""
    return one_after_another("platelets", "40", 40 + rise, ago)


def with_uln(multiple: Decimal) -> Story:
    """ALT with an upper limit of normal of so many times the usual one."""
    return then(day_8(), lab("alt", "30", uln=multiple * 40))


def seconds(ms: Decimal) -> Story:
    return then(first_dose(), lab("qtcf", str(ms)))


def body(kind: str, field: str, *, adult: bool = False) -> Callable[[Decimal], Story]:
    """Weight or height of a child (or an adult), measured an hour ago."""
    by_age = {} if adult else {"birth_on": CHILD}

    def story(value: Decimal) -> Story:
        def of(protocol: str) -> PaperCourse:
            chart = ChartBuilder(protocol, **by_age).ready()
            chart.add({"kind": kind, field: str(value)}, D1 - HOUR)
            return PaperCourse(chart, D1)

        return of

    return story


WEIGHT, HEIGHT = ("weight", "kg"), ("height", "cm")


def limit_of_normal(analyte: str, rule: str, sign: str, times: int = 1) -> tuple[Boundary, ...]:
    """A result whose upper limit of normal is so many times the number."""

    def answer(protocol: str, value: Decimal, unit: str) -> bool:
        uln = Decimal(in_unit(analyte, value, unit))
        result = lab(analyte, in_unit(analyte, Decimal(NORMAL[analyte]), unit), unit=unit, uln=uln)
        return asks(then(day_8(), result)(protocol).card, rule)

    points = {"of": lambda v: (times * v - Decimal("0.01"), times * v, times * v + Decimal("0.01"))}
    return (Boundary(sign, answer, analyte=analyte, **points),)


READ: dict[str, tuple[Boundary, ...]] = {
    "ctcae.noted_from": (Boundary(">=", given(noted_potassium, saying("CT-14")), **COUNTED),),
    "ctcae.noted_for": (
        Boundary("<=", given(potassium_ago, saying("CT-14")), step=SECOND),
        Boundary("<=", given(potassium_ago, saying("CRIT-01")), step=SECOND),
        Boundary("<=", given(lambda ago: both_drawn(DAY, looked=ago), saying("TLS-01")), step=SECOND),
    ),
    "ecg.heart_rate_min": (
        Boundary("<", given(lambda v: tracing(heart_rate_per_min=str(v)), asks_for("QT-06", "heart rate"))),
    ),
    "ecg.heart_rate_max": (
        Boundary(">", given(lambda v: tracing(heart_rate_per_min=str(v)), asks_for("QT-06", "heart rate"))),
    ),
    "ecg.qrs_max": (
        Boundary(">", given(lambda v: tracing(heart_rate_per_min="70", qrs_ms=str(v)), asks_for("QT-06", "QRS"))),
    ),
    "confirm.uln_multiple": (Boundary(">", given(with_uln, asks_for("CONV-03", "times the usual"))),),
    "confirm.bilirubin_fold": (
        Boundary(">=", given(lambda fold: bilirubin_before(fold * Decimal("0.3")), asks_for("PLAU-01", "fold"))),
    ),
    "confirm.bilirubin_within": (
        Boundary("<=", given(lambda ago: bilirubin_before(Decimal(3), ago), asks_for("PLAU-01", "fold")), step=SECOND),
    ),
    "confirm.platelets_rise": (Boundary(">", given(platelets_before, saying("PLAU-01"))),),
    "confirm.platelets_within": (
        Boundary("<=", given(lambda ago: platelets_before(Decimal(101), ago), saying("PLAU-01")), step=SECOND),
    ),
    "confirm.same_message_apart": (Boundary(">", given(with_two_values, lambda card: asks(card, "PLAU-01"))),),
    "plausible.weight.low": (Boundary("<", given(body(*WEIGHT), asking("LAB-05"))),),
    "plausible.weight.high": (Boundary(">", given(body(*WEIGHT), asking("LAB-05"))),),
    "plausible.weight.adult_low": (Boundary("<", given(body(*WEIGHT, adult=True), asking("PLAU-01"))),),
    "plausible.height.low": (Boundary("<", given(body(*HEIGHT), asking("LAB-05"))),),
    "plausible.height.high": (Boundary(">", given(body(*HEIGHT), asking("LAB-05"))),),
    "plausible.height.adult_low": (Boundary("<", given(body(*HEIGHT, adult=True), asking("PLAU-01"))),),
    **{
        f"plausible.{a}.usual_uln": limit_of_normal(a, "CONV-03", ">", times=20)
        for a in ("alt", "ast", "alp", "bilirubin")
    },
    **{
        f"plausible.{a}.uln_{end}": limit_of_normal(a, "PLAU-01", sign)
        for a in ("alt", "bilirubin")
        for end, sign in (("low", "<"), ("high", ">"))
    },
    "confirm.seconds_below": (Boundary("<", given(seconds, asks_for("LAB-05", "probably seconds"))),),
}

# ── what is due, and when ──────────────────────────────────────────────────────────────────────────────────────────

SIGNS = {"kind": "vital_signs", "heart_rate_per_min": "80"}
OPEN = ("due", "overdue")


def dosed(protocol: str) -> PaperCourse:
    """The first dose just given, with all that was known before it."""
    return PaperCourse(ChartBuilder(protocol).ready().dose(1, 1, D1), D1)


def from_first_dose(course: PaperCourse) -> datetime:
    return D1


def due(story: Story, rule: str, *, since: Callable[[PaperCourse], datetime] = from_first_dose, key: str = "") -> Any:
    """Due from that time on, to the second."""
    return (Boundary(">=", obligation(story, since, rule, *OPEN, key=key), step=SECOND),)


def late(story: Story, rule: str, *, since: Callable[[PaperCourse], datetime] = from_first_dose, key: str = "") -> Any:
    """Overdue after that time, to the second."""
    return (Boundary(">", obligation(story, since, rule, "overdue", key=key), step=SECOND),)


def started(*signs: timedelta, ended: bool = False) -> Story:
    """An infusion of an hour, with vital signs taken so long after its start."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready()
        chart.add({"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "bag-1"}, D1)
        if ended:
            chart.add({"kind": "infusion_completed"}, D1 + HOUR)
        for after in signs:
            chart.add(SIGNS, D1 + after)
        return PaperCourse(chart, D1)

    return story


def next_look(minutes: int, story: Callable[[timedelta], Story]) -> Answer:
    """Whether the next vital signs are those so many minutes after the start."""

    def answer(protocol: str, span: timedelta, unit: str) -> bool:
        course = story(span)(protocol)
        course.now = D1 + 2 * HOUR
        return any(o.rule == "INF-03" and o.due_at == D1 + minutes * MIN for o in course.card.obligations)

    return answer


def tls_drawn(*after: timedelta) -> Story:
    """The tests for tumour lysis so long after the first dose."""

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
        for span in after:
            chart.labs(D1 + span, "potassium", "phosphate", "calcium", "urate", "creatinine", "ldh")
        return PaperCourse(chart, D1)

    return story


def open_after(story: Callable[[Any], Story], rule: str, key: str = "", words: str = "") -> Answer:
    """Whether an obligation is open at all."""

    def answer(protocol: str, value: Any, unit: str) -> bool:
        card = story(value)(protocol).card
        return any(o.rule == rule and key in o.key and words in o.title for o in card.obligations)

    return answer


def next_tls_draw(hours: int) -> Answer:
    """Whether the tests drawn so long before their second time stand for it, so that the next time is this one."""

    def answer(protocol: str, early: timedelta, unit: str) -> bool:
        course = tls_drawn(24 * HOUR - early)(protocol)
        course.now = D1 + 24 * HOUR
        return any(o.rule == "MON-08" and o.due_at == D1 + hours * HOUR for o in course.card.obligations)

    return answer


def stands(story: Callable[[Any], Story], rule: str, *standings: str, key: str = "", title: str = "") -> Answer:
    """How an obligation stands in a story made of the value."""

    def answer(protocol: str, value: Any, unit: str) -> bool:
        card = story(value)(protocol).card
        return any(
            o.rule == rule and key in o.key and title in o.title and o.standing in (standings or ("coming", *OPEN))
            for o in card.obligations
        )

    return answer


def a_day_before(span: timedelta) -> Story:
    return lambda protocol: PaperCourse(ChartBuilder(protocol).ready().dose(1, 1, D1), day(8) - span)


def prolonging(protocol: str) -> PaperCourse:
    return after_first_dose(charted({"kind": "medication", "drug": "Levofloxacin", "qt_prolonging": True}, ago=DAY))(
        protocol
    )


def prophylaxis(before: timedelta) -> Story:
    """Said so long before day 1 of cycle 2, whose planned day it is."""

    def story(protocol: str) -> PaperCourse:
        planned_at = day(29) if protocol == ARTICLE else day(22)
        chart = ChartBuilder(protocol).ready().cycle(1, D1)
        chart.add({"kind": "prophylaxis", "against": "fungi", "given": False}, planned_at - before)
        return PaperCourse(chart, planned_at)

    return story


def on_day(number: Any) -> Story:
    """So many days into cycle 1, after its three doses."""
    return lambda protocol: PaperCourse(ChartBuilder(protocol).ready().cycle(1, D1), day(int(number)))


def in_cycle(number: Any) -> Story:
    """Day 16 of a cycle whose response nobody has told."""

    def story(protocol: str) -> PaperCourse:
        chart, last = ChartBuilder(protocol).ready(), int(number)
        for cycle in range(1, last + 1):
            told = {} if cycle == last else {"response": "CR", "mrd_negative": True}
            chart.cycle(cycle, D1 + 28 * (cycle - 1) * DAY, **told)
        return PaperCourse(chart, D1 + 28 * (last - 1) * DAY + 15 * DAY)

    return story


def looked_at_until(number: Any) -> Story:
    """Examined and weighed on the day before this one after transplant."""
    return after_transplant(int(number) - 1, kg="70", signs={"ascites": False})


def panel_after_last_dose(number: Any) -> Story:
    """A panel a week before this day after the only dose."""

    def story(protocol: str) -> PaperCourse:
        course = dosed(protocol)
        course.now = D1 + (int(number) - 7) * DAY
        with course.charting() as chart:
            chart.labs(course.now, *LIVER)
        return course

    return story


def panel_after_transplant(number: Any) -> Story:
    """A panel on this day after transplant."""

    def step(course: PaperCourse) -> None:
        with course.charting() as chart:
            chart.labs(course.now, *LIVER)

    return then(after_transplant(int(number)), step)


def again_in(days: int) -> Answer:
    """Whether the next panel is due so many days after one of this day."""

    def answer(protocol: str, number: Any, unit: str) -> bool:
        course = panel_after_transplant(number)(protocol)
        return any(o.rule == "MON-03" and o.due_at == course.now + days * DAY for o in course.card.obligations)

    return answer


def suspected(protocol: str) -> PaperCourse:
    seen = {"kind": "vod_examination", "hepatomegaly": True, "painful_hepatomegaly": True, "ascites": True}
    return then(panel_after_last_dose(9), charted(seen))(protocol)


def since_now(course: PaperCourse) -> datetime:
    return course.now


def closed_late(protocol: str) -> PaperCourse:
    """The infusion runs, and it is charted now that the patient was not eligible."""
    course = PaperCourse(ChartBuilder(protocol).ready(D1), D1 - 40 * MIN)
    course.ready_to_start().started()
    stated = next(f for f in course.chart.facts if f.what.kind == "eligibility")
    wrong = {
        "kind": "eligibility",
        "cd22_positive": False,
        "b_cell_precursor_all": True,
        "relapsed_or_refractory": True,
    }
    replaced = {**wrong, "method": "flow cytometry"}
    course.does("correct_fact", Role.PRESCRIBER, target=stated.id, replacement=replaced, reason="misread")
    return course


GARBLED = {"kind": "unreadable_message", "signal": "lab_results", "sha256": "ab" * 32, "size": 12, "reason": "not JSON"}


def garbled(protocol: str) -> PaperCourse:
    return then(day_8(), charted({**GARBLED, "head_base64": "eHh4"}, ago=timedelta()))(protocol)


def died(grade: Any) -> Story:
    """A reaction of grade 3, 4 or 5 five minutes into the infusion."""

    def story(protocol: str) -> PaperCourse:
        course = first_dose()(protocol).ready_to_start()
        course.started()
        course.later(minutes=5).does("report_reaction", Role.NURSE, reaction_id="r-1", grade=int(grade))
        return course

    return story


def not_recovered(days: Any) -> Story:
    """Bilirubin and ALT high from the day before day 8, and still so many days after it."""

    def story(protocol: str) -> PaperCourse:
        now = day(8) + int(days) * DAY
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
        for at in (day(7), now - HOUR):
            chart.labs(at, alt="160", bilirubin="2.0")
        return PaperCourse(chart, now)

    return story


QUARTER, HALF_AN_HOUR = 15 * MIN, 30 * MIN

DUE: dict[str, tuple[Boundary, ...]] = {
    "observation.vital_signs_before": (Boundary("<=", next_look(15, lambda before: started(-before)), step=SECOND),),
    "observation.vital_signs_first": due(started(timedelta()), "INF-03"),
    "observation.vital_signs_second": due(started(QUARTER), "INF-03"),
    "observation.vital_signs_later": due(
        started(QUARTER, HALF_AN_HOUR, HOUR, ended=True), "INF-03", since=lambda c: D1 + HOUR
    ),
    "observation.vital_signs_early": (
        Boundary("<=", next_look(30, lambda early: started(QUARTER - early)), step=SECOND),
    ),
    "observation.vital_signs_overdue_after": late(started(timedelta()), "INF-03", since=lambda c: D1 + QUARTER),
    "observation.death_grade": (
        Boundary(">=", stands(died, "NON-05", key="death"), of=lambda v: (v - 1, v, v), note="there is no grade 6"),
    ),
    "monitoring.before_dose": (Boundary("<=", stands(a_day_before, "MON-01", *OPEN, key="before-C1D8"), step=SECOND),),
    "monitoring.blood_count": due(dosed, "MON-01", since=lambda c: D1 - 2 * HOUR, key="blood-count"),
    "monitoring.qt_drug": due(prolonging, "MON-06", key=ObligationKind.ECG),
    "monitoring.tls_first_from": due(dosed, "MON-08"),
    "monitoring.tls_first_until": late(dosed, "MON-08"),
    "monitoring.tls_second": due(tls_drawn(6 * HOUR), "MON-08"),
    "monitoring.tls_third": due(tls_drawn(24 * HOUR), "MON-08"),
    "monitoring.tls_fourth": due(tls_drawn(48 * HOUR), "MON-08"),
    "monitoring.tls_fifth": due(tls_drawn(72 * HOUR), "MON-08"),
    "monitoring.tls_early": (Boundary("<=", next_tls_draw(48), step=SECOND),),
    "monitoring.tls_late": late(tls_drawn(6 * HOUR), "MON-08", since=lambda c: D1 + 24 * HOUR),
    "monitoring.prophylaxis_since": (Boundary(">", stands(prophylaxis, "MON-10", key="C2"), step=SECOND),),
    "monitoring.marrow_from": (Boundary(">=", stands(on_day, "MON-14", *OPEN), **ONE),),
    "monitoring.marrow_until": (Boundary(">", stands(on_day, "MON-14", "overdue"), **ONE),),
    "monitoring.marrow_cycles": (Boundary("<=", stands(in_cycle, "MON-14"), **COUNTED),),
    "monitoring.daily_examination_until": (
        Boundary(
            "<=",
            stands(looked_at_until, "MON-15", key="daily"),
            of=lambda v: (v - 1, v, v + 1),
        ),
    ),
    "monitoring.last_dose_days": (Boundary("<=", stands(panel_after_last_dose, "MON-04"), **ONE),),
    "monitoring.transplant_first": due(after_transplant(1), "MON-03", since=lambda c: c.now - DAY),
    "monitoring.transplant_second": due(panel_after_transplant(31), "MON-03", since=since_now),
    "monitoring.transplant_third": due(panel_after_transplant(61), "MON-03", since=since_now),
    "monitoring.transplant_first_until": (Boundary("<=", again_in(7), **ONE),),
    "monitoring.transplant_second_until": (Boundary("<=", again_in(14), of=lambda v: (v - 1, v, v + 1)),),
    "monitoring.transplant_last_day": (
        Boundary("<=", stands(lambda d: panel_after_transplant(int(d) - 28), "MON-03"), **ONE),
    ),
    "monitoring.suspected": due(suspected, "ALERT-02", since=since_now, key="liver-test-daily"),
    "calls.urgent": late(closed_late, "ELIG-01", since=since_now),
    "calls.ordinary": late(garbled, "LAB-05", since=since_now),
    "limits.recovery_alert": (Boundary(">=", given(not_recovered, saying("NON-09")), **ONE),),
    "limits.recovery_max": (Boundary(">", given(not_recovered, asks_for("NON-09", "not recovered")), **ONE),),
}

NOTED = {**SEVERITY, **RISK, **TUMOUR_LYSIS, **CRITICAL, **RESPONSE, **READ, **DUE}


@pytest.mark.parametrize(("path", "boundary", "protocol", "unit", "position"), tries(NOTED))
def test_every_limit_of_a_note_from_both_sides(
    path: str, boundary: Boundary, protocol: str, unit: str, position: int
) -> None:
    holds(path, boundary, protocol, unit, position)
