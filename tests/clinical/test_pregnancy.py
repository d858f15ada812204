"""MON-11a: pregnancy closes every dose, by any code, in numbers or words; it ends by a physician after a negative serum test."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from models.assessment import Finding, Verdict
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse, standing_rules

H, DAY = timedelta(hours=1), timedelta(days=1)
D8, D15 = D1 + 7 * DAY, D1 + 14 * DAY
QUANTITATIVE, SERUM, URINE = "21198-7", "2118-8", "2106-3"
CODES = (QUANTITATIVE, "19080-1", URINE, SERUM, "2110-5", "2112-1", "80384-1", "80385-8", "45194-8")
Change = Callable[[PaperCourse], object]


def before(day: int, *, potential: bool | None = True) -> PaperCourse:
    """Everything that this dose requires; an invented patient who can bear a child, with a negative test before day 1."""
    chart = ChartBuilder(child_bearing_potential=potential).ready()
    chart.add({"kind": "pregnancy_test", "result": "negative"}, D1 - 3 * H)
    for given_on in (d for d in (1, 8) if d < day):
        chart.dose(1, given_on, D1 + (given_on - 1) * DAY)
    if day > 1:
        chart.ready_again(D1 + (day - 1) * DAY)
    return PaperCourse(chart, D1 + (day - 1) * DAY)


def hcg(code: str = QUANTITATIVE, value: str | None = None, *, ago: timedelta = H, **fields: Any) -> Change:
    """A laboratory sends an hCG: a number with its unit, or words."""

    def change(course: PaperCourse) -> None:
        with course.charting() as chart:
            more = {"loinc": code, "uln": None, "lln": None, "unit": "m[IU]/mL", **fields}
            words = {"value": None, "unit": None} if value is None else {}
            chart.result("ldh", value, course.now - ago, recorded_at=course.now, **{**more, **words})

    return change


def hcg_of(value: str, uln: str | None) -> Callable[[timedelta], Change]:
    """An hCG with this number and limit, drawn so long ago."""
    return lambda ago: hcg(value=value, uln=uln, ago=ago)


def charted(result: str, by: Role = Role.NURSE, *, ago: timedelta = timedelta(), **fields: Any) -> Change:
    """Somebody charts a test."""

    def change(course: PaperCourse) -> None:
        with course.charting() as chart:
            body = {"kind": "pregnancy_test", "result": result, **fields}
            chart.add(body, course.now - ago, by, recorded_at=course.now)

    return change


def of(course: PaperCourse) -> Verdict:
    return course.card.verdict


def said(course: PaperCourse) -> list[Finding]:
    return [f for f in course.card.standing if f.rule == "MON-11"]


DOSES = (1, 8, 15)


@pytest.mark.parametrize("day", DOSES)
@pytest.mark.parametrize("potential", [True, False, None], ids=["can", "cannot", "not said"])
@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (charted("positive"), Verdict.HOLD),
        (charted("unclear"), Verdict.NEED_DATA),
        (hcg(URINE, text="POSITIVE"), Verdict.HOLD),
        (hcg(SERUM, text="Positive (qualifier value)"), Verdict.HOLD),
        (hcg(SERUM, text="see note"), Verdict.NEED_DATA),
        (hcg(SERUM, text="negative"), Verdict.MAY_AUTHORISE),
        (hcg(value="5.1", uln="5"), Verdict.HOLD),
        (hcg(value="5", uln="5"), Verdict.MAY_AUTHORISE),
        (hcg(value="5", uln="25"), Verdict.MAY_AUTHORISE),
        (hcg(value="5", uln="26"), Verdict.NEED_DATA),  # no limit of who is not pregnant: a range of pregnancy
        (hcg(value="3000", uln="200000"), Verdict.NEED_DATA),
        (hcg(value="-1", uln="5"), Verdict.NEED_DATA),
        (hcg(value="30", uln="26"), Verdict.HOLD),
        (hcg(value="10000001", uln="5"), Verdict.HOLD),
        (hcg(value="300000", uln="200000"), Verdict.HOLD),
        (hcg(value="5.1"), Verdict.NEED_DATA),
        (hcg(value="2"), Verdict.NEED_DATA),
        (hcg(value="2", uln="5", comparator="<"), Verdict.MAY_AUTHORISE),
        (hcg(value="2", uln="5", comparator=">"), Verdict.NEED_DATA),
        (hcg(value="2", uln="5", status="preliminary"), Verdict.NEED_DATA),
        (hcg(value="2", uln="5", status="cancelled"), Verdict.NEED_DATA),
    ],
)
def test_a_result_counts_before_every_dose_whatever_the_chart_says_of_her(
    day: int, potential: bool | None, change: Change, verdict: Verdict
) -> None:
    course = before(day, potential=potential)
    assert of(course) is Verdict.MAY_AUTHORISE
    change(course)
    assert of(course) is verdict
    assert all(f.override == "never" for f in said(course))
    asks = any("ask" in f.reason for f in said(course))
    assert asks is (potential is False and verdict is not Verdict.MAY_AUTHORISE)


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_hcg_closes_in_words_and_a_number_above_its_limit_does(code: str) -> None:
    for change in (hcg(code, text="positive"), hcg(code, "900", uln="5")):
        course = before(8)
        change(course)
        assert standing_rules(course.card) == ["MON-11"]
        assert of(course) is Verdict.HOLD


@pytest.mark.parametrize("code", CODES)
def test_serum_and_urine_count_alike_as_the_test_before_day_1(code: str) -> None:
    chart = ChartBuilder(child_bearing_potential=True).ready()
    course = PaperCourse(chart, D1)
    assert of(course) is Verdict.NEED_DATA
    hcg(code, text="Negative")(course)
    assert of(course) is Verdict.MAY_AUTHORISE


# ── how a positive one ends ────────────────────────────────────────────────────────────────────────────────────────

NEGATIVE_SERUM = hcg(SERUM, text="negative", ago=timedelta())
WORD = charted("negative", Role.PHYSICIAN)


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ((), False),
        ((charted("negative"),), False),
        ((WORD,), False),
        ((NEGATIVE_SERUM,), False),
        ((hcg(value="2", uln="5", ago=timedelta()),), False),
        ((WORD, NEGATIVE_SERUM), False),  # the word came first
        ((hcg(URINE, text="negative", ago=timedelta()), WORD), False),  # urine
        ((hcg(SERUM, text="negative", ago=9 * H), WORD), False),  # drawn before the positive one
        ((NEGATIVE_SERUM, charted("negative", Role.NURSE)), False),
        ((NEGATIVE_SERUM, WORD), True),
        ((hcg(value="2", uln="5", ago=timedelta()), WORD), True),
        ((charted("negative", Role.NURSE, specimen="serum"), WORD), True),
        ((charted("negative", Role.PHYSICIAN, specimen="serum"),), True),
        ((charted("negative", Role.PHYSICIAN, specimen="urine"),), False),
        ((NEGATIVE_SERUM, WORD, charted("positive")), False),
    ],
)
def test_a_positive_test_ends_by_a_physicians_word_after_a_later_negative_serum_test(
    changes: tuple[Change, ...], ends: bool
) -> None:
    course = before(8)
    hcg(URINE, text="positive")(course)
    for change in changes:
        change(course.later(minutes=5))
    assert (of(course) is Verdict.MAY_AUTHORISE) is ends


def corrected(by: Role, status: str | None = None) -> Change:
    def change(course: PaperCourse) -> None:
        positive = next(f for f in course.chart.facts if getattr(f.what, "text", None) == "positive")
        if status is not None:
            hcg(URINE, text="negative", status=status, accession="a-1")(course)
        else:
            with course.charting() as chart:
                said = {"kind": "correction", "target": positive.id, "replacement": None, "reason": "another patient"}
                chart.add(said, course.now, by)

    return change


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (corrected(Role.LABORATORY, "corrected"), False),
        (corrected(Role.LABORATORY, "entered-in-error"), False),
        (corrected(Role.NURSE), False),
        (corrected(Role.PHYSICIAN), True),
    ],
    ids=["a corrected version", "entered in error", "corrected by a nurse", "corrected by a physician"],
)
def test_no_other_version_and_only_a_physicians_correction_takes_a_positive_test_back(
    change: Change, ends: bool
) -> None:
    course = before(8)
    hcg(URINE, text="positive", accession="a-1")(course)
    assert of(course) is Verdict.HOLD
    change(course)
    assert (of(course) is Verdict.MAY_AUTHORISE) is ends


def test_after_the_negative_serum_test_only_the_physicians_word_is_asked_for() -> None:
    course = before(8)
    charted("positive", ago=2 * H)(course)
    (asked,) = said(course)
    assert (asked.clears or "").startswith("a negative serum test later than this one, then a physician")
    hcg(SERUM, text="negative")(course)
    (asked,) = said(course)
    assert (asked.clears or "").startswith("a physician who records the pregnancy test as negative; ")
    (call,) = [o.clears or "" for o in course.card.obligations if o.rule == "MON-11"]
    assert call == asked.clears
    charted("positive")(course)
    assert all("a negative serum test later" in (f.clears or "") for f in said(course)), "a newer positive asks anew"


def test_of_two_results_of_one_minute_the_positive_one_counts_in_either_order() -> None:
    for texts in (("positive", "negative"), ("negative", "positive")):
        course = before(8)
        for text in texts:
            hcg(SERUM, text=text)(course)
        assert of(course) is Verdict.HOLD


def test_an_unclear_result_is_answered_by_a_later_clear_one() -> None:
    course = before(15)
    hcg(value="900", ago=2 * H)(course)
    assert of(course) is Verdict.NEED_DATA
    charted("negative")(course)
    assert of(course) is Verdict.MAY_AUTHORISE


# ── twins ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SECONDS = timedelta(seconds=30)
HIGH, OPEN, LOW = hcg_of("100", "5"), hcg_of("100", None), hcg_of("1", "5")


@pytest.mark.parametrize("first", [timedelta(), SECONDS])
@pytest.mark.parametrize(("graver", "verdict"), [(HIGH, Verdict.HOLD), (OPEN, Verdict.NEED_DATA)])
def test_of_two_tests_of_one_minute_the_graver_counts_whichever_second_it_is_of(
    first: timedelta, graver: Callable[[timedelta], Change], verdict: Verdict
) -> None:
    course = before(8)
    graver(H - first)(course)
    LOW(H - (SECONDS - first))(course)
    assert course.card.verdict is verdict


def test_a_positive_test_is_not_ended_by_a_negative_one_of_its_own_minute() -> None:
    course = before(8)
    HIGH(H)(course)
    LOW(H - SECONDS)(course)
    charted("negative", Role.PHYSICIAN)(course)
    assert course.card.verdict is Verdict.HOLD
    LOW(H - 2 * SECONDS)(course)
    assert course.card.verdict is Verdict.MAY_AUTHORISE


@pytest.mark.parametrize("first", [timedelta(), SECONDS])
def test_of_two_charted_tests_of_one_minute_the_graver_counts(first: timedelta) -> None:
    course = before(8)
    charted("unclear", ago=H - first)(course)
    charted("negative", ago=H - (SECONDS - first))(course)
    assert course.card.verdict is Verdict.NEED_DATA
