"""Gilbert syndrome and haemolysis (NON-11): what they exempt, what takes the exemption away, what they never exempt."""

from datetime import timedelta

import pytest

from models.assessment import Verdict
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse, notes, standing_rules

H, DAY = timedelta(hours=1), timedelta(days=1)
D8, D15 = D1 + 7 * DAY, D1 + 14 * DAY
DRAWN = D15 - 3 * H
DIRECT = {"loinc": "1968-7", "unit": "mg/dL"}


def day_15(total: str = "2.64", direct: str | None = "0.2", uln: str | None = "0.3", **values: str) -> ChartBuilder:
    """Day 15 with a total bilirubin of 2.2 x ULN and a direct one of the same sample."""
    chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D8).ready_again(D15, bilirubin=total, **values)
    if direct is not None:
        chart.result("bilirubin", direct, DRAWN, **DIRECT, uln=uln)
    return chart


def documented(
    chart: ChartBuilder, cause: str = "gilbert", by: Role = Role.PHYSICIAN, ago: timedelta = H
) -> PaperCourse:
    chart.add({"kind": "bilirubin_cause", "cause": cause}, D15 - ago, by)
    return PaperCourse(chart, D15)


def bilirubin_rules(course: PaperCourse) -> list[str]:
    return [rule for rule in standing_rules(course.card) if rule in ("NON-02", "NON-06", "NON-08")]


def test_a_documented_gilbert_syndrome_lets_the_dose_pass() -> None:
    card = documented(day_15()).card
    assert card.verdict is Verdict.MAY_AUTHORISE
    assert "NON-11" in notes(card)


@pytest.mark.parametrize("by", [Role.NURSE, Role.PHARMACIST])
def test_only_a_physician_documents_it(by: Role) -> None:
    assert "NON-08" in standing_rules(documented(day_15(), by=by).card)


def test_without_a_word_or_without_a_direct_bilirubin_of_the_same_sample_it_holds() -> None:
    assert "NON-08" in standing_rules(PaperCourse(day_15(), D15).card)
    assert "NON-08" in standing_rules(documented(day_15(direct=None)).card)
    elsewhere = day_15(direct=None)
    elsewhere.result("bilirubin", "0.2", DRAWN - 2 * H, **DIRECT, uln="0.3")
    assert "NON-08" in standing_rules(documented(elsewhere).card)


@pytest.mark.parametrize(
    ("direct", "uln", "passes"),
    [
        ("0.3", "0.3", True),
        ("0.31", "0.3", True),
        ("0.528", "0.3", True),
        ("0.529", "0.3", False),
        ("0.528", None, True),
        ("0.529", None, False),
        ("0.55", "0.6", True),
    ],
)
def test_direct_bilirubin_is_normal_or_at_most_a_fifth_of_the_total(direct: str, uln: str | None, passes: bool) -> None:
    assert bool(bilirubin_rules(documented(day_15(direct=direct, uln=uln)))) is not passes


def test_the_bilirubin_limb_of_the_combined_hold_is_exempt_and_alt_alone_still_holds() -> None:
    course = documented(day_15(alt="160"))
    assert "NON-02" not in standing_rules(course.card)
    assert "NON-08" in standing_rules(course.card)
    assert "NON-02" in standing_rules(PaperCourse(day_15(alt="160"), D15).card)


@pytest.mark.parametrize(
    ("later", "passes"),
    [
        ({"direct": "0.2", "alt": "30"}, True),
        ({"direct": "0.9", "alt": "30"}, False),
        ({"direct": None, "alt": "30"}, False),
        ({"direct": "0.2", "alt": "55"}, True),
        ({"direct": "0.2", "alt": "56"}, False),
        ({"direct": "0.2", "ast": "46"}, False),
    ],
)
def test_a_later_panel_can_take_the_exemption_away(later: dict[str, str | None], passes: bool) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D8)
    before = D15 - 2 * DAY
    chart.labs(before, "alt", "ast", "alp", bilirubin="2.64")
    chart.result("bilirubin", "0.2", before, **DIRECT, uln="0.3")
    chart.add({"kind": "bilirubin_cause", "cause": "gilbert"}, before + H, Role.PHYSICIAN)
    values = {k: v for k, v in later.items() if k in ("alt", "ast") and v is not None}
    chart.ready_again(D15, bilirubin="2.64", **values)
    if later["direct"] is not None:
        chart.result("bilirubin", later["direct"], DRAWN, **DIRECT, uln="0.3")
    assert bool(bilirubin_rules(PaperCourse(chart, D15))) is not passes
    if not passes and later["direct"] == "0.2":
        chart.add({"kind": "bilirubin_cause", "cause": "gilbert"}, D15 - H, Role.PHYSICIAN)
        assert bilirubin_rules(PaperCourse(chart, D15)) == [], "looked at again, documented anew"


def test_an_alt_that_was_high_in_the_exempted_panel_and_is_not_higher_keeps_it() -> None:
    for alt, passes in (("60", True), ("61", False)):
        chart = ChartBuilder().ready().dose(1, 1, D1).dose(1, 8, D8)
        before = D15 - 2 * DAY
        chart.labs(before, "ast", "alp", bilirubin="2.64", alt="60")
        chart.result("bilirubin", "0.2", before, **DIRECT, uln="0.3")
        chart.add({"kind": "bilirubin_cause", "cause": "gilbert"}, before + H, Role.PHYSICIAN)
        chart.ready_again(D15, bilirubin="2.64", alt=alt)
        chart.result("bilirubin", "0.2", DRAWN, **DIRECT, uln="0.3")
        assert bool(bilirubin_rules(PaperCourse(chart, D15))) is not passes


def test_haemolysis_is_documented_for_each_dose_and_gilbert_syndrome_stays() -> None:
    for cause, passes in (("gilbert", True), ("haemolysis", False)):
        course = documented(day_15(), cause, ago=D15 - D8 + DAY)
        assert bool(bilirubin_rules(course)) is not passes
    assert bilirubin_rules(documented(day_15(), "haemolysis")) == []


def test_it_never_exempts_a_sign_of_vod() -> None:
    chart = day_15()
    chart.add({"kind": "weight", "kg": "74"}, D15 - 2 * H)
    card = documented(chart).card
    assert (card.verdict, "VOD-11" in standing_rules(card)) == (Verdict.HOLD_URGENT, True)


TORN: list[dict[str, str | None]] = [
    {"status": "entered-in-error", "value": None},
    {"status": "entered-in-error"},
    {"status": "preliminary"},
    {"status": "cancelled", "value": None},
    {"unit": None},
    {"value": "1.5"},
]


def sent_twice(direct: str, at: timedelta, again: dict[str, str | None]) -> ChartBuilder:
    """Day 15 with a direct bilirubin drawn so long before, that came once more."""
    chart, sent = day_15(direct=None), {**DIRECT, "uln": "0.3", "resource": "bd"}
    chart.result("bilirubin", direct, D15 - at, **sent)
    chart.result("bilirubin", again.get("value", direct), D15 - at, **{**sent, **again}, recorded_at=D15 - H / 2)
    return chart


@pytest.mark.parametrize("again", TORN, ids=str)
def test_a_direct_bilirubin_that_is_gone_exempts_nothing(again: dict[str, str | None]) -> None:
    assert bilirubin_rules(documented(sent_twice("0.2", 3 * H, {}))) == []
    assert "NON-08" in bilirubin_rules(documented(sent_twice("0.2", 3 * H, again)))


@pytest.mark.parametrize("again", TORN[:-1], ids=str)
def test_of_twins_one_that_is_gone_still_speaks_against_the_exemption(again: dict[str, str | None]) -> None:
    """LAB-11: NON-11 holds for every twin; the one that was high and was torn is not settled by its minute's other (E1)."""
    chart = sent_twice("1.5", 3 * H, again)
    chart.result("bilirubin", "0.2", DRAWN, **DIRECT, uln="0.3", sender="lab-z")
    assert "NON-08" in bilirubin_rules(documented(chart))
