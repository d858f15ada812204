"""HEM gates at day 1 of a later cycle (HEM-01 … HEM-09, MOD-G-01 … MOD-G-03): each limit from both sides."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clinical.chart.calendar import midnight_of
from models.assessment import Verdict
from models.obligation_kinds import ObligationKind
from models.people import Role
from tests.factories import ARTICLE, D1, EU, LABEL, PROTOCOLS, ChartBuilder, PaperCourse, notes, standing_rules
from tests.scenarios import MIN, lab, next_cycle, then

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D15, D22, D29 = D1 + 7 * DAY, D1 + 14 * DAY, D1 + 21 * DAY, D1 + 28 * DAY
BERLIN = ZoneInfo("Europe/Berlin")


def second_cycle(protocol: str = LABEL, baseline: dict[str, str] | None = None, **values: str) -> ChartBuilder:
    return ChartBuilder(protocol).ready(**(baseline or {})).cycle(1, D1).ready_for_cycle(D29, **values)


def second_dose(**values: str) -> ChartBuilder:
    return ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, **values)


def rules(chart: ChartBuilder, now: datetime = D29) -> list[str]:
    return standing_rules(PaperCourse(chart, now).card)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("counts", "asked"),
    [
        ({"anc": "0.99"}, ["HEM-01"]),
        ({"anc": "1.0"}, []),
        ({"anc": "1.01"}, []),
        ({"platelets": "49.9"}, ["HEM-03"]),
        ({"platelets": "50"}, []),
        ({"anc": "0.9", "platelets": "49"}, ["HEM-01", "HEM-03"]),
    ],
    ids=str,
)
def test_day_1_of_a_later_cycle_waits_for_counts(protocol: str, counts: dict[str, str], asked: list[str]) -> None:
    assert rules(second_cycle(protocol, **counts)) == asked


@pytest.mark.parametrize("counts", [{"anc": "0"}, {"platelets": "1"}, {"anc": "0.2", "platelets": "12"}], ids=str)
def test_counts_never_stop_day_8(counts: dict[str, str]) -> None:
    course = PaperCourse(second_dose(**counts), D8)
    assert course.card.verdict is Verdict.MAY_AUTHORISE
    assert "MOD-G-01" in notes(course.card)


@pytest.mark.parametrize(
    ("counts", "said"),
    [({"anc": "0.99"}, ["ANC"]), ({"platelets": "49.9"}, ["platelets"]), ({"anc": "1.0", "platelets": "50"}, [])],
    ids=str,
)
def test_low_counts_on_day_8_are_said_one_by_one(counts: dict[str, str], said: list[str]) -> None:
    card = PaperCourse(second_dose(**counts), D8).card
    assert [i.name for f in card.findings if f.rule == "MOD-G-01" for i in f.inputs] == said


def test_counts_do_not_stop_day_8_of_a_later_cycle_either() -> None:
    chart = second_cycle()
    chart.add({"kind": "cycle_started", "cycle": 2}, D29 - H, Role.PRESCRIBER)
    chart.dose(2, 1, D29).ready_again(D29 + 7 * DAY, anc="0.1", platelets="5")
    course = PaperCourse(chart, D29 + 7 * DAY)
    assert (course.card.next_dose, course.card.verdict) == ("C2D8", Verdict.MAY_AUTHORISE)


def test_counts_do_not_gate_the_very_first_dose() -> None:
    assert rules(ChartBuilder().ready(anc="0.1", platelets="5"), D1) == []


def test_counts_in_the_nadir_before_day_1_is_due_do_not_hold() -> None:
    chart = ChartBuilder().ready().cycle(1, D1).ready_for_cycle(D1 + 27 * DAY, anc="0.1")
    for protocol, asked in ((LABEL, ["HEM-01"]), (ARTICLE, ["DAY-05"])):
        chart.course = ChartBuilder(protocol).course
        assert rules(chart, D1 + 27 * DAY) == asked


@pytest.mark.parametrize(
    ("value", "comparator", "asked"),
    [
        ("50", ">", []),
        ("50", ">=", []),
        ("49", ">", ["HEM-03"]),
        ("49", ">=", ["HEM-03"]),
        ("50", "<", ["HEM-03"]),
        ("50", "<=", ["HEM-03"]),
        ("60", "<", ["HEM-03"]),
        ("50", "=", []),
    ],
)
def test_a_count_that_a_comparator_leaves_open_does_not_pass(value: str, comparator: str, asked: list[str]) -> None:
    chart = second_cycle()
    chart.result("platelets", value, D29 - H, comparator=comparator)
    assert rules(chart) == asked


# ── a low count before treatment (HEM-05, HEM-07) ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("baseline", "now", "asked"),
    [
        ({"anc": "0.6", "platelets": "20"}, {"anc": "0.7", "platelets": "22"}, []),
        ({"anc": "0.6", "platelets": "20"}, {"anc": "0.6", "platelets": "20"}, []),
        ({"anc": "0.6", "platelets": "20"}, {"anc": "0.59", "platelets": "20"}, ["HEM-05"]),
        ({"anc": "0.6", "platelets": "20"}, {"anc": "0.6", "platelets": "19.9"}, ["HEM-05"]),
        ({"anc": "0.99", "platelets": "60"}, {"anc": "0.98", "platelets": "50"}, ["HEM-05"]),
        ({"anc": "0.99", "platelets": "60"}, {"anc": "0.99", "platelets": "49.9"}, ["HEM-03"]),
        ({"anc": "0.99", "platelets": "60"}, {"anc": "0.98", "platelets": "49.9"}, ["HEM-03", "HEM-05"]),
        ({"anc": "2.0", "platelets": "49.9"}, {"anc": "0.99", "platelets": "49.9"}, ["HEM-01"]),
        ({"anc": "2.0", "platelets": "49.9"}, {"anc": "1.0", "platelets": "49.8"}, ["HEM-05"]),
        ({"anc": "2.0", "platelets": "50"}, {"anc": "1.0", "platelets": "50"}, []),
    ],
    ids=str,
)
def test_each_lineage_is_read_against_its_own_value_before_treatment(
    baseline: dict[str, str], now: dict[str, str], asked: list[str]
) -> None:
    assert rules(second_cycle(LABEL, baseline, **now)) == asked


def test_lower_than_before_is_lower_than_at_day_1_of_the_cycle_just_ended() -> None:
    """HEM-09: for cycle 3 the count at day 1 of cycle 2 counts, not the one before treatment."""
    for platelets, asked in (("30", []), ("29.9", ["HEM-05"])):
        chart = ChartBuilder().ready(platelets="20").cycle(1, D1)
        chart.ready_for_cycle(D29, platelets="30").cycle(2, D29)
        third = D29 + 28 * DAY
        assert rules(chart.ready_for_cycle(third, of_cycle=2, platelets=platelets), third) == asked


def test_a_fall_ends_where_both_counts_reach_their_limits() -> None:
    """HEM-05 (b): lower than before, yet ANC >= 1 and platelets >= 50."""
    chart = ChartBuilder().ready(anc="0.6").cycle(1, D1).ready_for_cycle(D29, anc="3").cycle(2, D29)
    third = D29 + 28 * DAY
    for counts, asked in (({"anc": "1.0"}, []), ({"anc": "0.99"}, ["HEM-05"])):
        fresh = ChartBuilder()
        fresh.facts = list(chart.facts)
        assert rules(fresh.ready_for_cycle(third, of_cycle=2, **counts), third) == asked


def attributed(lineage: str = "both", due_to: str = "leukaemia", disease: str | None = "stable") -> dict[str, object]:
    return {"kind": "cytopenia_attribution", "lineage": lineage, "due_to": due_to, "disease": disease}


@pytest.mark.parametrize(
    ("words", "by", "marrow", "asked"),
    [
        (attributed(), Role.PHYSICIAN, "3", []),
        (attributed("platelets"), Role.PHYSICIAN, "3", []),
        (attributed(disease="improved"), Role.PRESCRIBER, "3", []),
        (attributed("anc"), Role.PHYSICIAN, "3", ["HEM-05"]),
        (attributed(disease="worse"), Role.PHYSICIAN, "3", ["HEM-05"]),
        (attributed(disease=None), Role.PHYSICIAN, "3", ["HEM-05"]),
        (attributed(due_to="inotuzumab"), Role.PHYSICIAN, "3", ["HEM-05"]),
        (attributed(), Role.NURSE, "3", ["HEM-05"]),
        (attributed(), Role.PHYSICIAN, None, ["HEM-05"]),
    ],
)
def test_a_fall_by_the_leukaemia_needs_a_marrow_and_a_physician(
    words: dict[str, object], by: Role, marrow: str | None, asked: list[str]
) -> None:
    """HEM-05 (c), HEM-08."""
    chart = second_cycle(LABEL, {"platelets": "20"}, platelets="15")
    chart = chart.without("response")
    chart.add(
        {"kind": "response", "cycle": 1, "response": "none", "marrow_blasts_percent": marrow},
        D29 - 4 * H,
        Role.PHYSICIAN,
    )
    chart.add(words, D29 - H, by)
    assert rules(chart) == asked


def test_a_marrow_from_before_the_last_dose_says_nothing_about_this_interval() -> None:
    chart = second_cycle(LABEL, {"platelets": "20"}, platelets="15").without("response")
    chart.add({"kind": "response", "cycle": 1, "response": "none", "marrow_blasts_percent": "3"}, D8, Role.PHYSICIAN)
    chart.add(attributed(), D29 - H, Role.PHYSICIAN)
    assert rules(chart) == ["HEM-05"]


def test_where_no_count_before_treatment_is_known_it_is_read_as_normal() -> None:
    for platelets, asked in (("49.9", ["HEM-03"]), ("50", [])):
        chart = ChartBuilder().screened().cycle(1, D1).ready_for_cycle(D29, platelets=platelets)
        assert rules(chart) == asked


def test_a_count_drawn_with_the_first_dose_is_no_baseline() -> None:
    for drawn, asked in ((D1, ["HEM-01"]), (D1 - SECOND, [])):
        chart = ChartBuilder().ready()
        chart.result("anc", "0.5", drawn)
        assert rules(chart.cycle(1, D1).ready_for_cycle(D29, anc="0.6")) == asked


# ── counts that are not the patient's own (HEM-09, MOD-G-03) ───────────────────────────────────────────────────────


INFLUENCES = [
    ({"kind": "transfusion", "product": "platelets"}, 0 * H, "MOD-G-03"),
    ({"kind": "transfusion", "product": "platelets"}, -SECOND, None),
    ({"kind": "transfusion", "product": "platelets"}, 72 * H, None),
    ({"kind": "transfusion", "product": "platelets"}, 72 * H - SECOND, "MOD-G-03"),
    ({"kind": "transfusion", "product": "red_cells"}, 1 * H, None),
    ({"kind": "g_csf", "drug": "filgrastim"}, 48 * H, None),
    ({"kind": "g_csf", "drug": "filgrastim"}, 48 * H - SECOND, "HEM-09"),
    ({"kind": "g_csf", "drug": "pegfilgrastim"}, 7 * DAY, None),
    ({"kind": "g_csf", "drug": "pegfilgrastim"}, 7 * DAY - SECOND, "HEM-09"),
]


@pytest.mark.parametrize(("finding", "ago", "rule"), INFLUENCES, ids=str)
def test_a_count_under_a_transfusion_or_growth_factor_is_missing(
    finding: dict[str, str], ago: timedelta, rule: str | None
) -> None:
    drawn = D29 - 3 * H
    chart = second_cycle()
    chart.add(finding, drawn - ago)
    card = PaperCourse(chart, D29).card
    assert standing_rules(card) == ([rule] if rule else [])
    assert card.verdict is (Verdict.NEED_DATA if rule else Verdict.MAY_AUTHORISE)


@pytest.mark.parametrize(("finding", "ago", "rule"), INFLUENCES, ids=str)
@pytest.mark.parametrize("instead", [False, True])
def test_what_was_taken_back_leaves_unknown_whether_a_count_is_the_patients_own(
    finding: dict[str, str], ago: timedelta, rule: str | None, instead: bool
) -> None:
    """E1: it speaks for no dose; a count drawn after its washout does. What stands in its place is a word of its own (E2)."""
    chart = second_cycle()
    target = chart.add(finding, D29 - 3 * H - ago)
    course = PaperCourse(chart, D29)
    other = {"kind": "transfusion", "product": "red_cells"}
    if instead and finding["kind"] == "g_csf":
        other = {"kind": "g_csf", "drug": "filgrastim"}
    replacement = {"replacement": other} if instead else {}
    course.does("correct_fact", Role.PHYSICIAN, target=target, reason="of another patient", **replacement)
    still_in_it = instead and finding["kind"] == "g_csf" and ago < 48 * H
    answer = [rule] if rule and (not instead or still_in_it) else []
    assert standing_rules(course.card) == answer
    if answer and not instead:
        assert "taken back" in course.card.standing[0].reason
        course.later(days=7)
        with course.charting() as later:
            later.ready_for_cycle(course.now)
        assert standing_rules(course.card) == []


def test_a_transfused_count_below_its_limit_holds_in_any_case() -> None:
    chart = second_cycle(platelets="49")
    chart.add({"kind": "transfusion", "product": "platelets"}, D29 - DAY)
    card = PaperCourse(chart, D29).card
    assert (card.verdict, standing_rules(card)) == (Verdict.HOLD, ["HEM-03"])


def test_a_transfused_baseline_counts_as_low_once_the_prescriber_confirms_it() -> None:
    for by, asked in ((None, ["HEM-09"]), (Role.PHYSICIAN, ["HEM-09"]), (Role.PRESCRIBER, [])):
        chart = ChartBuilder().ready(platelets="60")
        baseline = next(f.id for f in chart.facts if getattr(f.what, "loinc", "") == "777-3")
        chart.add({"kind": "transfusion", "product": "platelets"}, D1 - DAY)
        chart.cycle(1, D1).ready_for_cycle(D29, platelets="60")
        if by is not None:
            chart.add({"kind": "result_confirmed", "target": baseline}, D29 - H, by)
        assert rules(chart) == asked


# ── low for more than 28 days (HEM-02, HEM-04) ─────────────────────────────────────────────────────────────────────


def low_since_day_1(analyte: str, value: str, after: timedelta, protocol: str = LABEL) -> tuple[ChartBuilder, datetime]:
    """Low at the earliest day 1 of cycle 2 and still low so long after."""
    first = D22 if protocol == LABEL else D29
    chart = ChartBuilder(protocol).ready().cycle(1, D1)
    chart.result(analyte, value, first - 2 * H)
    now = first + after
    return chart.ready_for_cycle(now, **{analyte: value}), now


@pytest.mark.parametrize("protocol", [LABEL, ARTICLE])
@pytest.mark.parametrize(
    ("analyte", "value", "hold", "persists"),
    [("anc", "0.9", "HEM-01", "HEM-02"), ("platelets", "49", "HEM-03", "HEM-04")],
)
def test_a_count_low_for_more_than_28_days_is_a_proposal_to_stop(
    analyte: str, value: str, hold: str, persists: str, protocol: str
) -> None:
    for days, verdict, asked in (
        (28, Verdict.HOLD, [hold]),
        (29, Verdict.PROPOSE_DISCONTINUE, [persists, hold]),
    ):
        chart, now = low_since_day_1(analyte, value, days * DAY, protocol)
        card = PaperCourse(chart, now).card
        assert (card.verdict, standing_rules(card)) == (verdict, asked)


def test_the_eu_table_has_no_such_proposal() -> None:
    """EU-07."""
    chart, now = low_since_day_1("anc", "0.9", 29 * DAY, EU)
    assert rules(chart, now) == ["HEM-01"]


def test_the_28_days_end_at_local_midnight_and_are_announced() -> None:
    chart, _ = low_since_day_1("anc", "0.9", 28 * DAY)
    midnight = midnight_of(date(2026, 4, 21), BERLIN)
    before = PaperCourse(chart, midnight - SECOND).card
    assert "HEM-02" not in standing_rules(before)
    assert before.valid_until == midnight
    assert "HEM-02" in standing_rules(PaperCourse(chart, midnight).card)


def test_a_usable_count_in_between_starts_the_28_days_anew() -> None:
    chart, now = low_since_day_1("anc", "0.9", 29 * DAY)
    chart.result("anc", "1.0", D22 + 5 * DAY)
    assert rules(chart, now) == ["HEM-01"]


@pytest.mark.parametrize(
    ("due_to", "by", "asked"),
    [
        ("leukaemia", Role.PHYSICIAN, ["HEM-01"]),
        ("other", Role.PRESCRIBER, ["HEM-01"]),
        ("inotuzumab", Role.PHYSICIAN, ["HEM-02", "HEM-01"]),
        ("other", Role.NURSE, ["HEM-02", "HEM-01"]),
    ],
)
def test_a_low_count_that_a_physician_attributes_elsewhere_is_no_proposal(
    due_to: str, by: Role, asked: list[str]
) -> None:
    chart, now = low_since_day_1("anc", "0.9", 29 * DAY)
    chart.add(attributed("anc", due_to, None), now - H, by)
    assert rules(chart, now) == asked


@pytest.mark.parametrize(("loinc", "value"), [("13056-7", "120"), ("26516-5", "250"), ("49497-1", "250")])
def test_platelets_of_which_only_a_bound_is_measured_close_the_gate_and_call_nobody(loinc: str, value: str) -> None:
    """Platelets in plasma or estimated never open HEM-03; far above its alert limit they are no critical value and no jump."""
    course = then(next_cycle(), lab("platelets", value, ago=MIN, loinc=loinc))(LABEL)
    told = {f.rule: f.reason for f in course.card.findings if f.subject == "platelets"}
    assert course.card.verdict is Verdict.HOLD
    assert told == {"HEM-03": f"platelets <={value} x 10^9/L at day 1, at least 50"}
    assert not [o for o in course.card.obligations if o.kind is ObligationKind.CRITICAL]


def test_a_bound_below_the_alert_limit_calls() -> None:
    course = then(next_cycle(), lab("platelets", "15", ago=MIN, loinc="13056-7"))(LABEL)
    assert [o for o in course.card.obligations if o.kind is ObligationKind.CRITICAL]
