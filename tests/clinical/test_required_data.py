"""DATA-01 … DATA-03, ELIG-01, MON-11, MON-15, MON-16: what a dose needs, each item missing, just old enough, too old."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from models.assessment import CourseState, Verdict
from models.facts import Fact
from models.people import Role
from tests.factories import CODES, D1, LABEL, PROTOCOLS, ChartBuilder, PaperCourse, standing_rules

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D29 = D1 + 7 * DAY, D1 + 28 * DAY


def first_dose(protocol: str = LABEL) -> ChartBuilder:
    chart = ChartBuilder(protocol, child_bearing_potential=True).ready(blasts="3").without("blasts_percent")
    chart.add({"kind": "pregnancy_test", "result": "negative"}, D1 - 2 * H)
    return chart


def second_dose(protocol: str = LABEL) -> ChartBuilder:
    return first_dose(protocol).dose(1, 1, D1).ready_again(D8)


def second_cycle(protocol: str = LABEL) -> ChartBuilder:
    chart = first_dose(protocol).cycle(1, D1).ready_for_cycle(D29)
    chart.add({"kind": "pregnancy_test", "result": "negative"}, D29 - 2 * H)
    return chart


@dataclass(frozen=True)
class Item:
    """One thing that a dose needs: what the card calls it, its rule where it is missing, its greatest age."""

    kind: str
    name: str
    rule: str
    age: timedelta | None


def _items(rule: str, names: dict[str, str], age: timedelta | None) -> list[Item]:
    return [Item(kind, name, rule, age) for kind, name in names.items()]


CBC = {"wbc": "WBC", "anc": "ANC", "platelets": "platelets", "haemoglobin": "haemoglobin"}
LIVER_PANEL = {"alt": "ALT", "ast": "AST", "alp": "ALP", "bilirubin": "total bilirubin"}
ELECTROLYTES = {"potassium": "potassium", "magnesium": "magnesium", "calcium": "calcium", "albumin": "albumin"}
CHEMISTRY = {"creatinine": "creatinine", "urate": "urate", "phosphate": "phosphate", "ldh": "LDH"}
EXAMINATIONS = [
    Item("vod_examination", "examination for signs of VOD", "MON-15", 24 * H),
    Item("infection_bleeding", "infection and bleeding check", "MON-16", 24 * H),
]
C1D1 = [
    *_items("DATA-01", CBC | {"blasts": "blasts"}, 24 * H),
    *_items("DATA-01", LIVER_PANEL | ELECTROLYTES | CHEMISTRY, 48 * H),
    *_items("DATA-01", {"ecg": "QTcF", "pregnancy_test": "pregnancy test"}, 7 * DAY),
    *_items("DATA-01", {"weight": "weight"}, 72 * H),
    *_items("DATA-01", {"height": "height"}, None),
    *_items("CONSENT", {"consent": "consent"}, None),
    *_items("ELIG-01", {"eligibility": "eligibility"}, None),
    *EXAMINATIONS,
]
C1D8 = [
    *_items("DATA-02", CBC | LIVER_PANEL, 48 * H),
    *_items("DATA-02", {"weight": "weight"}, 72 * H),
    *_items("DATA-02", {"height": "height"}, None),
    *_items("CONSENT", {"consent": "consent"}, None),
    *EXAMINATIONS,
]
C2D1 = [
    *_items("DATA-03", CBC, 24 * H),
    *_items("DATA-03", LIVER_PANEL | ELECTROLYTES, 48 * H),
    *_items("DATA-03", {"ecg": "QTcF", "pregnancy_test": "pregnancy test"}, 7 * DAY),
    *_items("DATA-03", {"weight": "weight"}, 24 * H),
    *_items("RESP-01", {"response": "response of cycle 1"}, None),
    *EXAMINATIONS,
]
DOSES = {"C1D1": (first_dose, D1, C1D1), "C1D8": (second_dose, D8, C1D8), "C2D1": (second_cycle, D29, C2D1)}
EACH = [pytest.param(dose, item, id=f"{dose} {item.name}") for dose, (_, _, items) in DOSES.items() for item in items]
AGEING = [p for p in EACH if p.values[1].age is not None]


def _is(fact: Fact, kind: str) -> bool:
    return fact.what.kind == kind or (kind in CODES and getattr(fact.what, "loinc", None) == CODES[kind][0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dose", DOSES)
def test_with_everything_there_the_dose_may_be_authorised(dose: str, protocol: str) -> None:
    story, now, _ = DOSES[dose]
    card = PaperCourse(story(protocol), now).card
    assert (card.verdict, card.next_dose) == (Verdict.MAY_AUTHORISE, dose)


@pytest.mark.parametrize(("dose", "item"), EACH)
def test_each_single_item_that_is_missing_is_named(dose: str, item: Item) -> None:
    story, now, _ = DOSES[dose]
    card = PaperCourse(story().without(item.kind), now).card
    assert card.verdict is Verdict.NEED_DATA
    assert item.rule in standing_rules(card)
    assert any(item.name in f.reason and f.rule == item.rule for f in card.standing)


@pytest.mark.parametrize(("dose", "item"), AGEING)
def test_each_item_passes_at_its_greatest_age_and_a_second_older_does_not(dose: str, item: Item) -> None:
    assert item.age is not None
    story, now, _ = DOSES[dose]
    chart = story()
    latest = next(f for f in reversed(chart.facts) if _is(f, item.kind))
    facts = [f for f in chart.facts if not (_is(f, item.kind) and f.at > now - 10 * DAY)]
    for age, passes in ((item.age, True), (item.age + SECOND, False)):
        at = now - age
        changed = {"collected_at": at} if latest.what.kind == "lab_result" else {}
        what = latest.what.model_copy(update=changed)
        chart.facts = [*facts, latest.model_copy(update={"at": at, "recorded_at": at, "what": what})]
        course = PaperCourse(chart, now)
        assert (course.card.verdict is Verdict.MAY_AUTHORISE) == passes
        if passes:
            assert course.card.valid_until == now + SECOND
        else:
            assert standing_rules(course.card) == [item.rule]
            assert [item.name in f.reason and "older than" in f.reason for f in course.card.standing] == [True]
            asked_in = CourseState.CYCLE_REVIEW if dose == "C2D1" else CourseState.LABS
            assert course.card.state is asked_in


@pytest.mark.parametrize("item", [i for i in C1D1 if i.age is not None], ids=lambda i: i.kind)
def test_whatever_is_missing_is_asked_for_with_the_age_it_may_have(item: Item) -> None:
    missing = PaperCourse(first_dose().without(item.kind), D1).card
    [wanted] = [f for f in missing.standing if item.name in f.reason]
    assert "not older than" in (wanted.clears or "")


def test_a_blast_count_is_asked_for_with_how_it_is_measured_and_how_many_there_may_be() -> None:
    words = "blasts in blood (x 10^9/L, or in % with the leukocytes of the same draw; at most 10 x 10^9/L, CYT-02) "
    for chart, now in ((first_dose().without("blasts", "blasts_percent"), D1), (first_dose(), D1 + 3 * DAY)):
        [wanted] = [f for f in PaperCourse(chart, now).card.standing if f.subject == "blasts"]
        assert (wanted.clears or "").startswith(words)


def test_blasts_may_come_as_an_absolute_count_or_be_computed_from_wbc_and_percentage() -> None:
    """CYT-03: WBC x blast % / 100, of one draw."""
    drawn = D1 - 2 * H
    for wbc, percent, verdict in (("20", "50", Verdict.MAY_AUTHORISE), ("20", "50.1", Verdict.CYTOREDUCE)):
        assert PaperCourse(ChartBuilder().ready(wbc=wbc, blasts_percent=percent), D1).card.verdict is verdict
    chart = ChartBuilder().ready().without("blasts_percent")
    assert standing_rules(PaperCourse(chart, D1).card) == ["DATA-01"]
    chart.result("blasts", "10000", drawn, unit="/uL")
    assert PaperCourse(chart, D1).card.verdict is Verdict.MAY_AUTHORISE
    chart.result("blasts", "10001", drawn + H, unit="/uL")
    assert PaperCourse(chart, D1).card.verdict is Verdict.CYTOREDUCE


@pytest.mark.parametrize(
    ("wbc", "percent", "rules"),
    [
        (("5", "<"), ("50", None), []),
        (("100", "<"), ("50", None), ["LAB-05"]),
        (("100", ">"), ("50", None), ["CYT-02"]),
        (("100", ">"), ("5", "<"), ["LAB-05"]),
    ],
)
def test_a_blast_count_that_its_comparators_leave_open_is_unknown(
    wbc: tuple[str, str | None], percent: tuple[str, str | None], rules: list[str]
) -> None:
    chart = ChartBuilder().ready().without("wbc", "blasts_percent")
    chart.result("wbc", wbc[0], D1 - H, comparator=wbc[1])
    chart.result("blasts_percent", percent[0], D1 - H, comparator=percent[1])
    assert standing_rules(PaperCourse(chart, D1).card) == rules


@pytest.mark.parametrize("blasts", ["9.99", "10", "10.01"])
def test_cytoreduction_ends_at_ten_inclusive(blasts: str) -> None:
    card = PaperCourse(ChartBuilder().ready(blasts=blasts), D1).card
    assert (card.state is CourseState.CYTOREDUCTION) == (blasts == "10.01")


@pytest.mark.parametrize("missing", ["consent", "eligibility"])
def test_cytoreduction_is_not_asked_for_before_consent_and_eligibility(missing: str) -> None:
    card = PaperCourse(ChartBuilder().ready(blasts="25").without(missing), D1).card
    assert (card.verdict, card.state) == (Verdict.NEED_DATA, CourseState.SCREENING)
    assert "CYT-02" not in standing_rules(card)


def test_blasts_are_asked_for_before_the_first_dose_only() -> None:
    chart = second_dose()
    chart.result("blasts", "40", D8 - 2 * H)
    assert PaperCourse(chart, D8).card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize("wanting", ["consent", "eligibility", "ecg", "height", "alt"])
def test_while_the_baseline_is_incomplete_the_course_is_in_screening(wanting: str) -> None:
    assert PaperCourse(first_dose().without(wanting), D1).card.state is CourseState.SCREENING


# ── consent, eligibility, pregnancy ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dose", DOSES)
def test_withdrawn_consent_stops_every_dose(dose: str) -> None:
    story, now, _ = DOSES[dose]
    course = PaperCourse(story(), now)
    course.does("record_finding", Role.NURSE, finding={"kind": "consent", "given": False})
    assert (course.card.verdict, standing_rules(course.card)) == (Verdict.NEED_DATA, ["CONSENT"])


@pytest.mark.parametrize("question", ["cd22_positive", "b_cell_precursor_all", "relapsed_or_refractory"])
@pytest.mark.parametrize(
    ("answer", "verdict"), [(None, Verdict.NEED_DATA), (False, Verdict.PROPOSE_DISCONTINUE)], ids=str
)
def test_eligibility_unanswered_needs_data_and_not_met_proposes_to_stop(
    question: str, answer: bool | None, verdict: Verdict
) -> None:
    stated: dict[str, Any] = dict.fromkeys(("cd22_positive", "b_cell_precursor_all", "relapsed_or_refractory"), True)
    course = PaperCourse(first_dose().without("eligibility"), D1)
    finding = {"kind": "eligibility", "method": "flow cytometry", **stated, question: answer}
    course.does("record_finding", Role.PRESCRIBER, finding=finding)
    assert (course.card.verdict, standing_rules(course.card)) == (verdict, ["ELIG-01"])


def test_eligibility_is_stated_by_the_prescriber_with_a_method() -> None:
    course = PaperCourse(first_dose().without("eligibility"), D1)
    stated = {
        "kind": "eligibility",
        "cd22_positive": True,
        "b_cell_precursor_all": True,
        "relapsed_or_refractory": True,
    }
    assert course.refused("record_finding", Role.NURSE, finding=stated).type == "RoleNotAllowed"
    course.does("record_finding", Role.PRESCRIBER, finding=stated)
    assert course.card.verdict is Verdict.NEED_DATA


@pytest.mark.parametrize(
    ("potential", "results", "verdict"),
    [
        (False, [], Verdict.MAY_AUTHORISE),
        (True, [], Verdict.NEED_DATA),
        (None, [], Verdict.NEED_DATA),
        (True, ["negative"], Verdict.MAY_AUTHORISE),
        (None, ["negative"], Verdict.MAY_AUTHORISE),
        (True, ["unclear"], Verdict.NEED_DATA),
        (True, ["positive"], Verdict.HOLD),
        (False, ["positive"], Verdict.HOLD),
        (True, ["positive", "unclear"], Verdict.HOLD),
        (True, ["positive", "negative"], Verdict.HOLD),
        (True, ["negative", "unclear"], Verdict.NEED_DATA),
    ],
)
def test_a_pregnancy_test_before_day_1(potential: bool | None, results: list[str], verdict: Verdict) -> None:
    chart = ChartBuilder(child_bearing_potential=potential).ready()
    for i, result in enumerate(results):
        chart.add({"kind": "pregnancy_test", "result": result}, D1 - 3 * H + i * H)
    assert PaperCourse(chart, D1).card.verdict is verdict


@pytest.mark.parametrize("then", [[], ["unclear"]])
def test_a_positive_pregnancy_test_holds_on_day_8_too(then: list[str]) -> None:
    chart = second_dose()
    for i, result in enumerate(["positive", *then]):
        chart.add({"kind": "pregnancy_test", "result": result}, D8 - 3 * H + i * H)
    assert standing_rules(PaperCourse(chart, D8).card) == ["MON-11"]


# ── response ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_response_that_could_not_be_assessed_is_missing_and_a_proposal_is_not_enough() -> None:
    chart = second_cycle().without("response")
    chart.add({"kind": "response_proposed", "cycle": 1, "response": "CR"}, D29 - 2 * H, Role.LABORATORY)
    assert standing_rules(PaperCourse(chart, D29).card) == ["RESP-01"]
    chart.add({"kind": "response", "cycle": 1, "response": "not_assessable"}, D29 - 2 * H, Role.PHYSICIAN)
    assert standing_rules(PaperCourse(chart, D29).card) == ["RESP-01"]
    chart.add({"kind": "response", "cycle": 1, "response": "none"}, D29 - H, Role.PHYSICIAN)
    assert PaperCourse(chart, D29).card.verdict is Verdict.MAY_AUTHORISE


# ── examinations ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("question", ["ruq_pain", "hepatomegaly", "ascites", "oedema"])
@pytest.mark.parametrize(("answer", "verdict"), [(None, Verdict.NEED_DATA), (True, Verdict.MAY_AUTHORISE)], ids=str)
def test_one_sign_of_vod_alone_is_watched_and_one_not_looked_for_is_missing(
    question: str, answer: bool | None, verdict: Verdict
) -> None:
    seen = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)
    course = PaperCourse(second_dose(), D8)
    course.does("record_finding", Role.NURSE, finding={"kind": "vod_examination", **seen, question: answer})
    assert course.card.verdict is verdict


@pytest.mark.parametrize(
    ("temperature", "infection", "bleeding", "verdict"),
    [
        ("37.9", False, False, Verdict.MAY_AUTHORISE),
        ("38.0", False, False, Verdict.HOLD),
        ("38.1", False, False, Verdict.HOLD),
        ("36.8", True, False, Verdict.HOLD),
        ("36.8", False, True, Verdict.HOLD),
        (None, False, False, Verdict.NEED_DATA),
        ("36.8", False, None, Verdict.NEED_DATA),
        ("36.8", None, False, Verdict.MAY_AUTHORISE),
    ],
)
def test_fever_from_38_or_active_bleeding_holds(
    temperature: str | None, infection: bool | None, bleeding: bool | None, verdict: Verdict
) -> None:
    check = {"temperature_c": temperature, "infection": infection, "active_bleeding": bleeding}
    course = PaperCourse(second_dose(), D8)
    course.does("record_finding", Role.NURSE, finding={"kind": "infection_bleeding", **check})
    assert course.card.verdict is verdict


# ── weight and height ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "field", "value", "passes"),
    [
        ("weight", "kg", "1.9", False),
        ("weight", "kg", "2", True),
        ("weight", "kg", "500", True),
        ("weight", "kg", "500.1", False),
        ("weight", "kg", "0", False),
        ("height", "cm", "19.9", False),
        ("height", "cm", "20", True),
        ("height", "cm", "250", True),
        ("height", "cm", "251", False),
    ],
)
def test_an_implausible_weight_or_height_gives_no_dose(kind: str, field: str, value: str, passes: bool) -> None:
    course = PaperCourse(first_dose(), D1)
    course.does("record_finding", Role.NURSE, finding={"kind": kind, field: value})
    card = course.card
    assert (card.dose is not None) == passes
    assert ("LAB-05" not in standing_rules(card)) == passes
    assert passes or standing_rules(card) == ["LAB-05"]


@pytest.mark.parametrize(("kind", "value", "unit"), [("weight", "80", "kg"), ("height", "180", "cm")])
def test_a_measurement_that_cannot_be_read_closes_the_gate_until_someone_measures_again(
    kind: str, value: str, unit: str
) -> None:
    chart = first_dose()
    chart.result(kind, value, D1 - H, unit="parsec")
    assert standing_rules(PaperCourse(chart, D1).card) == ["CONV-01"]
    chart.add({"kind": kind, unit: value}, D1 - H / 2)
    assert PaperCourse(chart, D1).card.verdict is Verdict.MAY_AUTHORISE


def test_a_measurement_is_newer_by_when_it_was_taken_not_by_when_it_arrived() -> None:
    chart = first_dose()
    chart.result("weight", "80", D1 - 21 * H, unit="parsec", recorded_at=D1)
    assert PaperCourse(chart, D1).card.verdict is Verdict.MAY_AUTHORISE


def test_a_weight_in_pounds_from_the_scale_is_the_same_weight() -> None:
    chart = first_dose().without("weight")
    chart.result("weight", "154.3236", D1 - H, unit="[lb_av]")
    dose = PaperCourse(chart, D1).card.dose
    assert dose is not None
    assert str(dose.mg) == "1.45"
