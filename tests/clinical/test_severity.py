"""SEV-01 … SEV-06 and RISK-01 … RISK-06: how grave VOD is, what makes it likelier, and who signs for it. Notes only."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.vod.risk import risk_factors
from clinical.vod.severity import Severity, criteria, in_children
from clinical.vod.vod_signs import Signs
from models.assessment import Finding
from models.obligation_kinds import ObligationKind
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse

HSCT = D1 + timedelta(days=30)
NOW = HSCT + timedelta(days=10)
PAINFUL = {"hepatomegaly": True, "painful_hepatomegaly": True, "ascites": True}


def transplanted(
    *, kg: str = "70", at: datetime = NOW, signs: dict[str, Any] | None = None, **values: str
) -> ChartBuilder:
    """Day 10 after transplant with the signs of VOD, and some values."""
    course = ChartBuilder(**{k: v for k, v in (signs or {}).items() if k == "birth_on"})
    seen = {k: v for k, v in (signs or PAINFUL).items() if k != "birth_on"}
    chart = course.ready(creatinine="1.0").cycle(1, D1)
    chart.add({"kind": "weight", "kg": "70"}, HSCT - timedelta(days=9))
    chart.add({"kind": "transplant", "transplanted_at": HSCT.isoformat()}, HSCT, Role.PHYSICIAN)
    chart.labs(at - timedelta(hours=2), "alt", "ast", "alp", "bilirubin", **values)
    chart.add({"kind": "weight", "kg": kg}, at - timedelta(hours=2))
    chart.add({"kind": "vod_examination", **seen}, at - timedelta(hours=1), Role.PHYSICIAN)
    return chart


def severity(chart: ChartBuilder, now: datetime = NOW) -> str:
    """What the card says of it, up to the criteria."""
    said = [f.reason for f in PaperCourse(chart, now).card.findings if f.rule.startswith("SEV-")]
    return said[0].removeprefix("VOD severity: ").split(" (")[0] if said else "nothing"


def test_one_mild_and_one_moderate_criterion_are_moderate_with_low_confidence() -> None:
    """SC-41: bilirubin 2.4 mg/dL and a gain of 6 %."""
    (note,) = [
        f for f in PaperCourse(transplanted(kg="74.2", bilirubin="2.4"), NOW).card.findings if f.rule.startswith("SEV-")
    ]
    assert note.reason == (
        "VOD severity: moderate, low confidence (bilirubin mild, weight moderate); "
        "organ dysfunction after SOFA is not computed"
    )
    assert (note.rule, note.verdict) == ("SEV-06", None)


@pytest.mark.parametrize(
    ("bilirubin", "words"),
    [
        ("2.0", "mild"),
        ("2.98", "mild"),
        ("3.0", "moderate"),
        ("4.96", "moderate"),
        ("5.0", "severe"),
        ("7.95", "severe"),
        ("8.0", "very severe"),
    ],
)
def test_bilirubin_alone_grades_with_low_confidence(bilirubin: str, words: str) -> None:
    assert severity(transplanted(bilirubin=bilirubin)) == f"{words}, low confidence"


@pytest.mark.parametrize(
    ("umol", "words"),
    [("50.9", "mild"), ("51", "moderate"), ("84.9", "moderate"), ("85", "severe"), ("136", "very severe")],
)
def test_bilirubin_is_graded_in_umol_whatever_its_unit(umol: str, words: str) -> None:
    chart = transplanted().without("bilirubin")
    chart.result("bilirubin", umol, NOW - timedelta(hours=1), unit="umol/L", uln="20.5")
    assert severity(chart) == f"{words}, low confidence"


@pytest.mark.parametrize(
    ("alt", "words"),
    [
        ("55", "moderate, low confidence"),  # normal: no criterion; bilirubin alone
        ("56", "moderate, low confidence"),  # mild beside a moderate bilirubin
        ("110", "moderate, low confidence"),
        ("111", "moderate"),
        ("275", "moderate"),
        ("276", "severe, low confidence"),
        ("441", "very severe, low confidence"),
    ],
)
def test_transaminases_count_from_above_their_upper_limit(alt: str, words: str) -> None:
    """ULN 55, bilirubin 3.5 mg/dL (moderate)."""
    assert severity(transplanted(bilirubin="3.5", alt=alt)) == words


@pytest.mark.parametrize(
    ("kg", "words"),
    [
        ("73.4", "moderate, low confidence"),  # 4.9 %: not graded, the cell is for display only
        ("73.5", "moderate"),
        ("76.9", "moderate"),
        ("77.0", "very severe, low confidence"),
    ],
)
def test_a_gain_of_5_per_cent_is_moderate(kg: str, words: str) -> None:
    assert severity(transplanted(bilirubin="3.5", kg=kg)) == words


def test_a_gain_of_5_per_cent_is_severe_beside_another_severe_criterion() -> None:
    """SEV-02."""
    assert severity(transplanted(bilirubin="5.5", kg="74.2")) == "severe"


@pytest.mark.parametrize(
    ("creatinine", "words"),
    [
        ("1.0", "moderate, low confidence"),
        ("1.19", "moderate, low confidence"),
        ("1.2", "moderate"),
        ("1.49", "moderate"),
        ("1.5", "severe, low confidence"),
        ("2.0", "very severe, low confidence"),
    ],
)
def test_creatinine_is_graded_against_its_value_before_the_transplant(creatinine: str, words: str) -> None:
    assert severity(transplanted(bilirubin="3.5", creatinine=creatinine)) == words


@pytest.mark.parametrize(
    ("days", "words"), [(4, "severe"), (5, "severe, low confidence"), (7, "severe, low confidence")]
)
def test_the_sooner_after_the_first_symptom_the_graver(days: int, words: str) -> None:
    began = (NOW - timedelta(days=days)).date().isoformat()
    assert severity(transplanted(bilirubin="5.5", signs={**PAINFUL, "first_symptom_on": began})) == words


def began(days: int, *, bilirubin: str = "5.5", sooner: int | None = None) -> ChartBuilder:
    """The first symptom so many days ago; `sooner`: an earlier one that was told before."""
    on = [(NOW - timedelta(days=d)).date().isoformat() for d in (sooner or days, days)]
    chart = transplanted(bilirubin=bilirubin, signs={**PAINFUL, "first_symptom_on": on[1]})
    chart.add({"kind": "vod_examination", **PAINFUL, "first_symptom_on": on[0]}, NOW - timedelta(hours=2))
    return chart


def test_the_days_end_with_the_diagnosis_and_the_card_changes_by_itself_until_then() -> None:
    """An exclusion before it is no diagnosis; while there is none, the next local midnight is another day."""
    chart, midnight = began(4), datetime.fromisoformat("2026-04-12T00:00:00+02:00")
    assert changes(chart) == midnight
    chart.add({"kind": "vod_judged", "judgement": "excluded", "other_cause": "sepsis"}, NOW, Role.PHYSICIAN)
    chart.add({"kind": "vod_examination", **PAINFUL, "ruq_pain": True}, NOW, Role.PHYSICIAN)
    assert changes(chart) == midnight
    later = NOW + timedelta(days=5)
    assert severity(chart, later) == "severe, low confidence"
    chart.add({"kind": "vod_judged", "judgement": "confirmed"}, NOW, Role.PHYSICIAN)
    assert changes(chart) != midnight
    assert severity(chart, later) == "severe"


def changes(chart: ChartBuilder) -> datetime | None:
    """When time alone changes the criteria."""
    case = Case(chart.chart(), load_protocol(LABEL), NOW)
    criteria(Signs(case))
    return case.reading.valid_until


def test_the_earliest_symptom_that_was_told_counts() -> None:
    assert severity(began(4, sooner=9)) == "severe, low confidence"


@pytest.mark.parametrize(("hours", "words"), [(48, "severe, low confidence"), (49, "moderate, low confidence")])
def test_bilirubin_that_doubled_within_48_hours_is_severe(hours: int, words: str) -> None:
    chart = transplanted(bilirubin="3.6")
    chart.labs(NOW - timedelta(hours=2 + hours), "bilirubin", bilirubin="1.8")
    assert severity(chart) == words


def test_a_bilirubin_below_34_umol_per_l_that_doubled_is_no_criterion() -> None:
    chart = transplanted(bilirubin="1.9", kg="74.2")
    chart.labs(NOW - timedelta(hours=26), "bilirubin", bilirubin="0.9")
    assert severity(chart) == "moderate, low confidence"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bilirubin": "2.4", "alt": "60", "kg": "74.2", "creatinine": "1.2"}, "moderate"),  # two mild, two moderate
        ({"bilirubin": "2.4", "alt": "60", "creatinine": "1.5"}, "mild"),  # two mild, one severe
        ({"bilirubin": "2.4", "alt": "60", "creatinine": "1.2"}, "mild"),
    ],
    ids=str,
)
def test_the_highest_grade_with_two_criteria_counts(values: dict[str, str], words: str) -> None:
    """SEV-01."""
    assert severity(transplanted(**values)) == words


@pytest.mark.parametrize("unknown", ["creatinine", "alt", "ast"])
def test_what_is_not_known_is_no_criterion(unknown: str) -> None:
    assert severity(transplanted(bilirubin="3.5", kg="74.2").without(unknown)) == "moderate"


def test_without_a_weight_no_gain_is_graded() -> None:
    assert severity(transplanted(bilirubin="3.5").without("weight")) == "moderate, low confidence"


def test_a_creatinine_without_a_value_before_it_is_no_criterion() -> None:
    chart = transplanted(bilirubin="3.5").without("creatinine")
    chart.labs(NOW - timedelta(hours=2), creatinine="2.5")
    assert severity(chart) == "moderate, low confidence"


@pytest.mark.parametrize(("doses", "words"), [(1, "severe, low confidence"), (0, "moderate, low confidence")])
def test_without_a_transplant_creatinine_is_graded_against_its_value_before_the_first_dose(
    doses: int, words: str
) -> None:
    chart = ChartBuilder().ready(creatinine="1.0")
    if doses:
        chart.dose(1, 1, D1)
    chart.labs(D1 + timedelta(days=5), "alt", "ast", "alp", bilirubin="3.5", creatinine="1.5")
    chart.add({"kind": "vod_examination", **PAINFUL}, D1 + timedelta(days=5), Role.PHYSICIAN)
    assert severity(chart, D1 + timedelta(days=5)) == words


def test_without_a_bilirubin_the_other_criteria_are_graded() -> None:
    assert severity(transplanted(kg="74.2").without("bilirubin")) == "moderate, low confidence"


def test_multi_organ_dysfunction_is_very_severe() -> None:
    """SEV-04, also without any other criterion."""
    failing = {**PAINFUL, "multi_organ_dysfunction": True}
    assert severity(transplanted(bilirubin="2.4", signs=failing)) == "very severe"
    found = PaperCourse(transplanted(bilirubin="1.0", signs=failing), NOW).card.findings
    assert [(f.rule, f.reason) for f in found if f.rule.startswith("SEV-")] == [
        ("SEV-04", "VOD severity: very severe (organ dysfunction); organ dysfunction after SOFA is not computed")
    ]


def test_two_risk_factors_lift_mild_and_moderate_by_one_grade() -> None:
    """SEV-03: and severe no further."""
    history = {"kind": "medical_history", "transplant_before": True, "salvage_line": 2}
    for bilirubin, words in (("2.4", "moderate"), ("3.5", "severe"), ("5.5", "severe"), ("8.5", "very severe")):
        chart = transplanted(bilirubin=bilirubin)
        chart.add(history, D1 - timedelta(days=1), Role.PHYSICIAN)
        assert severity(chart) == f"{words}, low confidence"
        chart.without("medical_history").add({**history, "salvage_line": 1}, D1 - timedelta(days=1), Role.PHYSICIAN)
        assert severity(chart) != f"{words}, low confidence" or bilirubin in ("5.5", "8.5")


def test_nothing_is_graded_without_vod_nor_after_a_physician_excluded_it() -> None:
    assert severity(transplanted(signs={"ascites": False})) == "nothing"
    course = PaperCourse(transplanted(bilirubin="2.4", kg="74.2"), NOW)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="sepsis")
    assert not [f for f in course.card.findings if f.rule.startswith("SEV-")]


def test_a_physician_s_suspicion_alone_is_graded_too() -> None:
    course = PaperCourse(transplanted(signs={"ascites": False}, bilirubin="2.4"), NOW)
    course.does("judge_vod", Role.PHYSICIAN, judgement="suspected")
    assert [f.rule for f in course.card.findings if f.rule.startswith("SEV-")] == ["SEV-06"]


def as_far_as_told(words: str) -> str:
    """Of a child it is a lower bound while not all categories were told; nothing is above very severe."""
    return words if words == "very severe" else f"at least {words}"


@pytest.mark.parametrize(
    ("values", "signs", "words"),
    [
        ({"bilirubin": "1.9", "alt": "60"}, {}, "mild"),
        ({"bilirubin": "2.0"}, {}, "severe"),
        ({"bilirubin": "1.9", "alt": "111"}, {}, "moderate"),
        ({"bilirubin": "1.9", "alt": "276"}, {}, "severe"),
        ({"bilirubin": "1.9", "alt": "600"}, {}, "severe"),
        ({"bilirubin": "1.9"}, {"multi_organ_dysfunction": True}, "very severe"),
    ],
)
def test_in_a_child_the_worst_category_wins(values: dict[str, str], signs: dict[str, bool], words: str) -> None:
    chart = transplanted(signs={**PAINFUL, **signs, "birth_on": date(2019, 1, 15)}, **values)
    assert severity(chart) == as_far_as_told(words)


def test_in_a_child_of_whom_nothing_is_known_nothing_is_graded() -> None:
    chart = transplanted(signs={"birth_on": date(2019, 1, 15)}).without("bilirubin", "alt", "ast")
    chart.add({"kind": "vod_judged", "judgement": "suspected"}, NOW, Role.PHYSICIAN)
    assert severity(chart) == "nothing"


@pytest.mark.parametrize(
    ("before", "now", "graded"),
    [
        ("0.9", "1.9", {"bilirubin": Severity.MILD}),
        ("1.5", "2.0", {"bilirubin": Severity.SEVERE}),
        ("1.0", "2.0", {"bilirubin": Severity.SEVERE, "bilirubin doubled": Severity.SEVERE}),
        (None, None, {}),
    ],
)
def test_in_a_child_bilirubin_is_graded_and_its_doubling_only_from_34_umol_per_l(
    before: str | None, now: str | None, graded: dict[str, Severity]
) -> None:
    chart = transplanted(signs={**PAINFUL, "birth_on": date(2019, 1, 15)}).without("bilirubin")
    for ago, value in ((26, before), (2, now)):
        if value is not None:
            chart.labs(NOW - timedelta(hours=ago), bilirubin=value)
    assert in_children(Signs(Case(chart.chart(), load_protocol(LABEL), NOW))) == graded


@pytest.mark.parametrize(("between", "words"), [(True, "moderate"), (None, "moderate"), (False, "mild")])
def test_in_a_child_the_days_of_refractory_platelets_begin_anew_after_a_look_without(
    between: bool | None, words: str
) -> None:
    chart = transplanted(signs={**PAINFUL, "birth_on": date(2019, 1, 15)}, bilirubin="1.0")
    for days, seen in ((5, True), (2, between), (0, True)):
        look = {"kind": "vod_examination", **PAINFUL, "refractory_thrombocytopenia": seen}
        chart.add(look, NOW - timedelta(days=days), Role.PHYSICIAN)
    assert severity(chart) == as_far_as_told(words)


@pytest.mark.parametrize(("days", "words"), [(0, "mild"), (2, "mild"), (3, "moderate"), (6, "moderate"), (7, "severe")])
def test_in_a_child_refractory_platelets_are_graded_by_their_days(days: int, words: str) -> None:
    signs = {**PAINFUL, "refractory_thrombocytopenia": True, "birth_on": date(2019, 1, 15)}
    chart = transplanted(signs=signs, bilirubin="1.0")
    first = {**PAINFUL, "refractory_thrombocytopenia": True}
    chart.add({"kind": "vod_examination", **first}, NOW - timedelta(days=days, hours=1), Role.PHYSICIAN)
    assert severity(chart) == as_far_as_told(words)


@pytest.mark.parametrize(
    ("egfr", "words"),
    [
        *(("90", "mild"), ("60", "mild"), ("59", "moderate"), ("30", "moderate")),
        *(("29", "severe"), ("15", "severe"), ("14", "very severe")),
    ],
)
def test_in_a_child_the_kidney_is_graded_by_its_filtration(egfr: str, words: str) -> None:
    chart = transplanted(signs={**PAINFUL, "birth_on": date(2019, 1, 15)}, bilirubin="1.0", egfr=egfr)
    assert severity(chart) == as_far_as_told(words)


# ── risk ───────────────────────────────────────────────────────────────────────────────────────────────────────────

DAY_40 = D1 + timedelta(days=40)


def planned(*conditioning: str, **values: str) -> ChartBuilder:
    """After one cycle, with a transplant planned."""
    chart = ChartBuilder().ready().cycle(1, D1)
    chart.labs(DAY_40 - timedelta(hours=8), "bilirubin", **values)
    plan = {"kind": "transplant_planned", "conditioning": list(conditioning)}
    chart.add(plan, DAY_40 - timedelta(hours=6), Role.PRESCRIBER)
    return chart


def hard(chart: ChartBuilder, now: datetime = DAY_40) -> list[str]:
    """The hard alerts that nobody has signed."""
    found = [f for f in risks(chart, now) if f.rule == "RISK-01" and f.clears]
    assert all(f.verdict is None and "a physician signs" in str(f.clears) for f in found)
    return [f.subject for f in found]


def risks(chart: ChartBuilder, now: datetime = DAY_40) -> list[Finding]:
    return [f for f in PaperCourse(chart, now).card.findings if f.rule.startswith("RISK-")]


@pytest.mark.parametrize(
    ("conditioning", "alerts"),
    [
        (("busulfan", "cyclophosphamide"), ["two_alkylators"]),
        (("Busulfan 3.2 mg/kg", "Thiotepa"), ["two_alkylators"]),
        (("busulfan", "fludarabine"), []),
        (("busulfan", "busulfan"), []),
        (("fludarabine", "total body irradiation"), []),
        (("melphalan", "thiotepa", "fludarabine"), ["two_alkylators"]),
        (("Busulfan", "Cyclophosphamid"), ["two_alkylators"]),
        (("Bu", "Cy"), ["two_alkylators"]),
        (("Endoxan", "busulfan"), ["two_alkylators"]),
        (("Flu", "Mel 140 mg/m2", "ATG"), []),
        (("Fludarabin", "Treosulfan 3 x 14 g/m²", "Methotrexat"), []),
        (("TBF",), ["two_alkylators"]),
        (("fludarabine", "study drug 17"), ["two_alkylators"]),
    ],
)
def test_two_alkylators_are_a_hard_alert(conditioning: tuple[str, ...], alerts: list[str]) -> None:
    """By any name of theirs; what names no drug that is known here may be two (M.0)."""
    assert hard(planned(*conditioning, bilirubin="0.5")) == alerts


def test_a_hard_alert_is_a_physicians_to_sign_until_it_is_signed() -> None:
    """RISK-06: it stands on the worklist, and no title names a drug."""
    chart = planned("busulfan", "thiotepa", bilirubin="0.5")
    (asked,) = [o for o in PaperCourse(chart, DAY_40).card.obligations if o.kind is ObligationKind.RISK]
    assert (asked.owner, asked.rule, asked.standing) == (Role.PHYSICIAN, "RISK-01", "due")
    assert "busulfan" not in asked.title
    chart.add({"kind": "risk_accepted", "risk": "two_alkylators", "reason": "no other"}, DAY_40, Role.PHYSICIAN)
    assert not [o for o in PaperCourse(chart, DAY_40).card.obligations if o.kind is ObligationKind.RISK]


@pytest.mark.parametrize(
    ("bilirubin", "alerts"), [("1.19", []), ("1.2", ["bilirubin_at_uln"]), ("1.21", ["bilirubin_at_uln"])]
)
def test_bilirubin_at_its_upper_limit_is_a_hard_alert(bilirubin: str, alerts: list[str]) -> None:
    assert hard(planned("fludarabine", bilirubin=bilirubin)) == alerts


def test_gilbert_syndrome_changes_nothing() -> None:
    """AMB-20."""
    chart = planned("fludarabine", bilirubin="1.3")
    chart.add({"kind": "bilirubin_cause", "cause": "gilbert"}, D1, Role.PHYSICIAN)
    assert hard(chart) == ["bilirubin_at_uln"]


def test_both_are_two_alerts_and_each_is_signed_for_itself() -> None:
    """SC-48, RISK-06."""
    chart = planned("busulfan", "cyclophosphamide", bilirubin="1.2")
    assert hard(chart) == ["two_alkylators", "bilirubin_at_uln"]
    word = {"kind": "risk_accepted", "risk": "two_alkylators", "reason": "no other conditioning"}
    chart.add(word, DAY_40 - timedelta(hours=1), Role.NURSE)
    assert hard(chart) == ["two_alkylators", "bilirubin_at_uln"]
    chart.add(word, DAY_40 - timedelta(hours=1), Role.PHYSICIAN)
    assert hard(chart) == ["bilirubin_at_uln"]
    assert any("accepted by physician" in f.reason for f in risks(chart))


def test_a_later_bilirubin_or_another_plan_asks_again() -> None:
    chart = planned("busulfan", "cyclophosphamide", bilirubin="1.2")
    for risk in ("two_alkylators", "bilirubin_at_uln"):
        word = {"kind": "risk_accepted", "risk": risk, "reason": "no other way"}
        chart.add(word, DAY_40 - timedelta(hours=3), Role.PHYSICIAN)
    assert hard(chart) == []
    chart.labs(DAY_40 - timedelta(hours=2), "bilirubin", bilirubin="1.5")
    assert hard(chart) == ["bilirubin_at_uln"]
    plan = {"kind": "transplant_planned", "conditioning": ["busulfan", "thiotepa"]}
    chart.add(plan, DAY_40 - timedelta(hours=1), Role.PRESCRIBER)
    assert hard(chart) == ["two_alkylators", "bilirubin_at_uln"]


def test_the_last_plan_and_the_last_word_count() -> None:
    """A word given in the minute in which the plan is told covers it."""
    chart = planned("busulfan", "cyclophosphamide", bilirubin="0.5")
    for minutes, reason in ((0, "no other way"), (1, "the donor is here")):
        word = {"kind": "risk_accepted", "risk": "two_alkylators", "reason": reason}
        chart.add(word, DAY_40 - timedelta(hours=6) + timedelta(minutes=minutes), Role.PHYSICIAN)
        assert hard(chart) == []
    (said,) = (f.reason for f in risks(chart) if f.rule == "RISK-01")
    assert said.endswith("the donor is here")
    gentler = {"kind": "transplant_planned", "conditioning": ["busulfan", "fludarabine"]}
    chart.add(gentler, DAY_40 - timedelta(hours=1), Role.PRESCRIBER)
    assert risks(chart) == []


def test_a_plan_that_leaves_the_conditioning_open_takes_no_hard_alert_back() -> None:
    """Nor a physician's word on it (M.0); a plan that was withdrawn says nothing any more."""
    chart = planned("busulfan", "cyclophosphamide", bilirubin="0.5")
    later = {"kind": "transplant_planned", "planned_on": "2026-05-20"}
    chart.add(later, DAY_40 - timedelta(hours=5), Role.PRESCRIBER)
    assert hard(chart) == ["two_alkylators"]
    accepted = {"kind": "risk_accepted", "risk": "two_alkylators", "reason": "no other way"}
    chart.add(accepted, DAY_40 - timedelta(hours=4), Role.PHYSICIAN)
    chart.add(later, DAY_40 - timedelta(hours=3), Role.PRESCRIBER)
    assert hard(chart) == []
    withdrawn = {"kind": "transplant_plan_withdrawn", "reason": "no donor"}
    chart.add(withdrawn, DAY_40 - timedelta(hours=2), Role.PRESCRIBER)
    chart.add(later, DAY_40 - timedelta(hours=1), Role.PRESCRIBER)
    assert [f.subject for f in risks(chart)] == ["conditioning"]


def known(chart: ChartBuilder, now: datetime = DAY_40) -> list[str]:
    return risk_factors(Case(chart.chart(), load_protocol(LABEL), now))


def test_after_the_transplant_its_conditioning_and_the_last_bilirubin_before_it_are_what_counts() -> None:
    alkylators = "conditioning with two alkylators (busulfan and cyclophosphamide)"
    bilirubin = "last total bilirubin before the transplant at or above its upper limit of normal"
    for before, after, factors in (("1.3", "0.5", [alkylators, bilirubin]), ("0.5", "1.3", [alkylators])):
        chart = planned("busulfan", "cyclophosphamide", bilirubin=before)
        chart.add({"kind": "transplant", "transplanted_at": DAY_40.isoformat()}, DAY_40, Role.PHYSICIAN)
        later = DAY_40 + timedelta(days=3)
        chart.labs(later - timedelta(hours=2), bilirubin=after)
        assert known(chart, later) == factors


def test_a_plan_that_was_withdrawn_is_no_risk() -> None:
    chart = planned("busulfan", "cyclophosphamide", bilirubin="1.3")
    withdrawn = {"kind": "transplant_plan_withdrawn", "reason": "donor lost"}
    chart.add(withdrawn, DAY_40 - timedelta(hours=1), Role.PRESCRIBER)
    assert known(chart) == []


def test_without_a_planned_transplant_there_is_no_hard_alert() -> None:
    chart = planned("busulfan", "cyclophosphamide", bilirubin="1.2")
    chart.add(
        {"kind": "transplant_plan_withdrawn", "reason": "donor lost"}, DAY_40 - timedelta(hours=1), Role.PRESCRIBER
    )
    assert hard(chart) == []


def test_a_plan_without_its_conditioning_says_so() -> None:
    (note,) = risks(planned(bilirubin="0.5"))
    assert "not stated" in note.reason
    assert risks(planned("fludarabine", bilirubin="0.5")) == []


@pytest.mark.parametrize(
    ("born", "words"),
    [("1971-02-28", []), ("1971-02-27", ["age of 55 years or more"]), ("1961-02-27", ["age of 65 years or more"])],
)
def test_age_counts_on_the_day_the_course_starts(born: str, words: list[str]) -> None:
    """The courses here start on 27 February 2026."""
    chart = ChartBuilder(birth_on=date.fromisoformat(born)).ready()
    assert risk_factors(Case(chart.chart(), load_protocol(LABEL), D1)) == words


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ({"liver_disease": True}, "liver disease"),
        ({"transplant_before": True}, "an earlier transplant"),
        ({"salvage_line": 2}, "salvage line 2"),
        ({"salvage_line": 1}, None),
        ({"liver_disease": False, "transplant_before": False}, None),
    ],
)
def test_the_history_is_said_in_one_note(history: dict[str, Any], words: str | None) -> None:
    chart = ChartBuilder().ready()
    chart.add({"kind": "medical_history", **history}, D1 - timedelta(days=1), Role.PHYSICIAN)
    assert [f.reason for f in risks(chart, D1)] == ([f"risk of VOD: {words}"] if words else [])


@pytest.mark.parametrize(("cycles", "said"), [(2, False), (3, True)])
def test_more_than_two_cycles_are_a_risk(cycles: int, said: bool) -> None:
    chart = ChartBuilder().ready()
    for number in range(1, cycles + 1):
        chart.cycle(number, D1 + timedelta(days=28 * (number - 1)))
    assert any("3 cycles" in f.reason for f in risks(chart, D1 + timedelta(days=28 * cycles))) == said


def test_a_hepatotoxic_drug_counts_until_it_is_stopped() -> None:
    chart = ChartBuilder().ready()
    drug = {"kind": "medication", "drug": "Voriconazole", "hepatotoxic": True}
    chart.add(drug, D1 - timedelta(hours=3))
    assert [f.rule for f in risks(chart, D1)] == ["RISK-04"]
    chart.add({**drug, "action": "stopped"}, D1 - timedelta(hours=1))
    assert risks(chart, D1) == []


TOLD = {"refractory_thrombocytopenia": False, "ascites_amount": "minimal", "coagulation": "normal", "oxygen": "none"}
CHILD = {**PAINFUL, "birth_on": date(2019, 1, 15), **TOLD, "new_cognitive_impairment": False}


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        ({}, "mild"),
        ({"ascites_amount": "moderate"}, "moderate"),
        ({"ascites_amount": "drained"}, "severe"),
        ({"coagulation": "impaired"}, "severe"),
        ({"coagulation": "factors_given"}, "very severe"),
        ({"oxygen": "below_2_l_per_min"}, "mild"),
        ({"oxygen": "from_2_l_per_min"}, "moderate"),
        ({"oxygen": "ventilated"}, "severe"),
        ({"new_cognitive_impairment": True}, "very severe"),
        ({"coagulation": None}, "at least mild"),
    ],
    ids=str,
)
def test_in_a_child_ascites_coagulation_oxygen_and_brain_are_graded(signs: dict[str, Any], words: str) -> None:
    chart = transplanted(signs={**CHILD, **signs}, bilirubin="1.0", kg="74")
    chart.result("egfr", "120", NOW - timedelta(hours=2))
    assert severity(chart) == words


@pytest.mark.parametrize(
    ("alt", "bilirubin", "amount", "words"),
    [
        ("276", "1.0", "minimal", "severe"),
        ("275", "2.0", "minimal", "severe"),
        ("276", "2.0", "minimal", "very severe"),
        ("276", "1.0", "drained", "very severe"),
        ("30", "2.0", "drained", "very severe"),
    ],
)
def test_in_a_child_two_of_the_starred_categories_are_very_severe(
    alt: str, bilirubin: str, amount: str, words: str
) -> None:
    """Transaminases above 5 x ULN (55), bilirubin from 34 umol/L, ascites that is drained."""
    chart = transplanted(signs={**CHILD, "ascites_amount": amount}, alt=alt, bilirubin=bilirubin)
    chart.result("egfr", "120", NOW - timedelta(hours=2))
    assert severity(chart) == words


def test_what_was_not_told_of_a_child_is_named() -> None:
    chart = transplanted(signs={**PAINFUL, "birth_on": date(2019, 1, 15)}, bilirubin="1.0")
    (note,) = [f for f in PaperCourse(chart, NOW).card.findings if f.rule.startswith("SEV-")]
    assert "not told: platelets, glomerular filtration, ascites, coagulation, oxygen, brain" in note.reason


def test_of_two_bilirubins_of_one_minute_one_alert_is_made() -> None:
    """LAB-11: both may be at their limit; what is asked of the physician is one thing."""
    chart = planned("fludarabine", bilirubin="1.2")
    chart.labs(DAY_40 - timedelta(hours=8), bilirubin="1.3")
    assert hard(chart) == ["bilirubin_at_uln"]
