"""VOD-13: a suspicion that was reached is kept until a physician judges it, and an exclusion covers the signs it saw."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.course.case import Case
from clinical.vod import alerts
from clinical.vod.alerts import Ladder, ladder
from clinical.vod.suspicion import Kept
from models.assessment import Finding, Verdict
from models.chart import Chart
from models.facts import LabStatus
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.examples import few
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab

H, DAY = timedelta(hours=1), timedelta(days=1)
DAY_0 = D1 + 60 * DAY
NONE = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)
Change = Callable[[PaperCourse], object]


def after_transplant(**person: Any) -> ChartBuilder:
    """An invented patient of 70 kg who was transplanted."""
    chart = ChartBuilder(**person).ready().dose(1, 1, D1)
    chart.add({"kind": "weight", "kg": "70"}, DAY_0 - 10 * DAY)
    chart.add({"kind": "transplant", "transplanted_at": DAY_0}, DAY_0, Role.PHYSICIAN)
    return chart


def with_signs(
    day: float = 10, bilirubin: str = "2.4", kg: str = "72", signs: dict[str, Any] | None = None, **person: Any
) -> PaperCourse:
    """Bilirubin and weight on this day, two hours ago, and an examination an hour ago."""
    now, chart = DAY_0 + day * DAY, after_transplant(**person)
    chart.result("bilirubin", bilirubin, now - 2 * H)
    chart.add({"kind": "weight", "kg": kg}, now - 2 * H)
    chart.add({"kind": "vod_examination", **NONE, **(signs or {})}, now - H, Role.PHYSICIAN)
    return PaperCourse(chart, now)


def suspected() -> PaperCourse:
    """A2: bilirubin and a gain of 2.9 %."""
    return with_signs()


def clinical_vod() -> PaperCourse:
    """A3: bilirubin, a gain of 6 % and ascites."""
    return with_signs(kg="74.2", signs={"ascites": True})


def proven() -> PaperCourse:
    """A4: tissue."""
    course = with_signs(bilirubin="0.6", kg="70")
    course.does(
        "record_finding", Role.PHYSICIAN, finding={"kind": "imaging", "method": "histology", "suggests_vod": True}
    )
    return course


def a_child() -> PaperCourse:
    """A2 by the definition for children alone, two days before the 18th birthday."""
    born = (DAY_0 + 12 * DAY).date().replace(year=(DAY_0 + 12 * DAY).year - 18)
    return with_signs(
        bilirubin="0.6", kg="70", signs={"hepatomegaly": True, "refractory_thrombocytopenia": True}, birth_on=born
    )


def of(course: PaperCourse) -> Ladder:
    return ladder(Case(course.chart, course.protocol, course.now))


def found(course: PaperCourse) -> list[Finding]:
    return [f for f in course.card.findings if f.rule.startswith("VOD-")]


# ── what changes nothing ───────────────────────────────────────────────────────────────────────────────────────────


def sent(value: str | None, **changes: Any) -> Change:
    def change(course: PaperCourse) -> None:
        with course.charting() as chart:
            chart.result("bilirubin", value, course.now, **changes)

    return change


def says(by: Role, **finding: Any) -> Change:
    return lambda course: course.does("record_finding", by, finding=finding)


def waits(**span: float) -> Change:
    return lambda course: course.later(**span)


def corrects(kind: str, replacement: dict[str, Any] | None = None) -> Change:
    def change(course: PaperCourse) -> None:
        target = next(f.id for f in reversed(course.chart.facts) if f.what.kind == kind)
        course.does("correct_fact", Role.PHYSICIAN, target=target, replacement=replacement, reason="another patient")

    return change


def corrected_by_the_laboratory(course: PaperCourse) -> None:
    with course.charting() as chart:
        bilirubin = next(f for f in reversed(chart.facts) if getattr(f.what, "loinc", None) == "1975-2")
        lab = bilirubin.what.model_copy(
            update={"value": a_lab("bilirubin", "0.5").value, "status": LabStatus.CORRECTED}
        )
        chart.add(lab, bilirubin.at, Role.LABORATORY, recorded_at=course.now)


def everything_normal(course: PaperCourse) -> None:
    for change in (
        sent("0.5"),
        says(Role.NURSE, kind="weight", kg="69"),
        says(Role.PHYSICIAN, kind="vod_examination", **NONE),
    ):
        change(course)
    says(Role.PHYSICIAN, kind="imaging", method="ultrasound", suggests_vod=False)(course)


LOWERS_NOTHING: dict[str, Change] = {
    "a lower bilirubin": sent("0.5"),
    "a preliminary bilirubin": sent("0.5", status="preliminary"),
    "a cancelled bilirubin": sent(None, status="cancelled"),
    "a bilirubin in words": sent(None, text="low"),
    "the bilirubin corrected by the laboratory": corrected_by_the_laboratory,
    "less weight": says(Role.NURSE, kind="weight", kg="69"),
    "a clean look by a nurse": says(Role.NURSE, kind="vod_examination", **NONE),
    "a clean look by a physician": says(Role.PHYSICIAN, kind="vod_examination", **NONE),
    "everything is normal": everything_normal,
    "the examination retracted": corrects("vod_examination"),
    "the weight retracted": corrects("weight"),
    "the weight replaced": corrects("weight", {"kind": "weight", "kg": "69"}),
    "the transplant retracted": corrects("transplant"),
    "the 21st day": waits(days=12),
    "the 18th birthday": waits(days=3),
    "two months": waits(days=60),
}


@pytest.mark.parametrize("change", LOWERS_NOTHING)
@pytest.mark.parametrize("story", [suspected, clinical_vod, proven, a_child], ids=["A2", "A3", "A4", "a child"])
def test_nothing_but_a_judgement_lowers_a_suspicion(story: Callable[[], PaperCourse], change: str) -> None:
    course = story()
    step, before = of(course).step, {f.rule for f in found(course)}
    assert course.card.verdict is Verdict.HOLD_URGENT
    LOWERS_NOTHING[change](course.later(hours=1))
    course.later(hours=1)
    assert course.card.verdict is Verdict.HOLD_URGENT
    assert of(course).step >= step
    assert before <= {f.rule for f in found(course)}
    assert "vod-judgement" in [o.key for o in course.card.obligations]
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="sepsis")
    assert course.card.verdict is not Verdict.HOLD_URGENT


def test_a_judgement_that_a_nurse_charted_settles_nothing() -> None:
    course = suspected()
    with course.charting() as chart:
        chart.add({"kind": "vod_judged", "judgement": "excluded", "other_cause": "sepsis"}, course.now, Role.NURSE)
    assert course.card.verdict is Verdict.HOLD_URGENT


@pytest.mark.parametrize("judgement", ["excluded", "resolved"])
def test_a_judgement_that_was_taken_back_leaves_the_suspicion_open(judgement: str) -> None:
    course = suspected()
    course.does("judge_vod", Role.PHYSICIAN, judgement=judgement, other_cause="sepsis")
    LOWERS_NOTHING["everything is normal"](course.later(hours=1))
    assert course.card.verdict is Verdict.NO_DOSE_DUE
    corrects("vod_judged")(course)
    assert course.card.verdict is Verdict.HOLD_URGENT


def test_a_word_of_suspicion_is_not_corrected_away() -> None:
    course = with_signs(bilirubin="0.6", kg="70")
    course.does("judge_vod", Role.PHYSICIAN, judgement="suspected")
    corrects("vod_judged")(course)
    assert course.card.verdict is Verdict.HOLD_URGENT


# ── the order in which it became known ─────────────────────────────────────────────────────────────────────────────

SAMPLES = (("bilirubin", "3.1", 0), ("kg", "72", 20), ("bilirubin", "1.0", 23))
"""High, then heavier, then lower again; hours."""


def arriving(order: Sequence[int], gap: timedelta = H) -> Ladder:
    """These samples, arriving in an order, after all were taken."""
    chart, start = after_transplant(), DAY_0 + 10 * DAY
    for place, i in enumerate(order):
        what, value, hours = SAMPLES[i]
        body = (
            a_lab("bilirubin", value, at=start + hours * H) if what == "bilirubin" else {"kind": "weight", "kg": value}
        )
        chart.add(body, start + hours * H, recorded_at=start + 24 * H + place * gap, id=f"sample-{i}")
    return of(PaperCourse(chart, start + 30 * H))


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("gap", [H, timedelta()], ids=["one after another", "at once"])
def test_whatever_comes_first_the_signs_are_put_where_they_were_measured(
    order: tuple[int, ...], gap: timedelta
) -> None:
    assert [r.clause for r in arriving(order, gap).open] == ["VOD-01", "VOD-11"]


def test_a_value_that_came_in_between_later_takes_back_nothing_that_was_known() -> None:
    """Bilirubin 3.1 and the gain of the day after made a suspicion; a 1.0 of the evening between comes late."""
    chart, start = after_transplant(), DAY_0 + 10 * DAY
    chart.result("bilirubin", "3.1", start)
    chart.add({"kind": "weight", "kg": "72"}, start + DAY)
    chart.result("bilirubin", "1.0", start + 12 * H, recorded_at=start + 30 * H)
    assert of(PaperCourse(chart, start + 2 * DAY)).waits


def test_a_sign_stays_until_it_is_measured_again_whatever_its_age() -> None:
    """Ascites a month ago that nobody has looked for since, and a bilirubin today."""
    chart, start = after_transplant(), DAY_0 + 10 * DAY
    chart.add({"kind": "vod_examination", **NONE, "ascites": True}, start)
    chart.add({"kind": "vod_examination", "ruq_pain": False}, start + 29 * DAY)
    chart.result("bilirubin", "2.4", start + 30 * DAY)
    assert [r.clause for r in of(PaperCourse(chart, start + 30 * DAY)).open] == ["VOD-05", "VOD-11"]


# ── what an exclusion covers ───────────────────────────────────────────────────────────────────────────────────────

BACKGROUND = {**NONE, "ascites": True, "ascites_amount": "minimal"}


@pytest.mark.parametrize(
    ("change", "opens"),
    [
        (sent("2.4"), False),
        (sent("2.5"), True),
        (sent("2.4", unit="mg/dL", collected_at=DAY_0 + 9 * DAY), False),
        (says(Role.NURSE, kind="weight", kg="74.2"), False),
        (says(Role.NURSE, kind="weight", kg="74.3"), True),
        (says(Role.NURSE, kind="vod_examination", **BACKGROUND), False),
        (says(Role.NURSE, kind="vod_examination", **{**BACKGROUND, "ascites_amount": "moderate"}), True),
        (says(Role.NURSE, kind="vod_examination", **{**BACKGROUND, "ruq_pain": True}), True),
        (says(Role.NURSE, kind="vod_examination", **{**BACKGROUND, "hepatomegaly": True}), True),
        (says(Role.NURSE, kind="vod_examination", **{**BACKGROUND, "multi_organ_dysfunction": True}), True),
        (says(Role.NURSE, kind="vod_examination", **{**BACKGROUND, "new_cognitive_impairment": True}), True),
        (says(Role.NURSE, kind="vod_examination", **{**BACKGROUND, "multi_organ_dysfunction": False}), False),
        (says(Role.PHYSICIAN, kind="imaging", method="ultrasound", suggests_vod=True), True),
        (says(Role.PHYSICIAN, kind="imaging", method="ultrasound", suggests_vod=False), False),
        (waits(days=12), False),
        (waits(days=60), False),
        (waits(days=365), False),
    ],
)
def test_an_exclusion_covers_the_signs_it_saw_and_new_or_worse_ones_open_it_again(change: Change, opens: bool) -> None:
    course = with_signs(kg="74.2", signs=BACKGROUND)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="heart failure")
    change(course.later(hours=1))
    assert of(course.later(hours=1)).waits is opens


def test_organ_dysfunction_that_was_judged_does_not_open_it_again_and_alone_is_no_vod() -> None:
    failing = {**BACKGROUND, "multi_organ_dysfunction": True}
    course = with_signs(kg="74.2", signs=failing)
    judged = course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="sepsis").what
    assert "multi_organ_dysfunction" in judged.model_dump()["covers"]
    says(Role.NURSE, kind="vod_examination", **failing)(course.later(hours=1))
    assert not of(course).waits
    assert not of(with_signs(bilirubin="0.6", kg="70", signs={"multi_organ_dysfunction": True})).waits


def test_a_high_value_of_before_the_exclusion_that_nobody_knew_opens_it_again() -> None:
    """It was drawn after the one that was judged, and arrives after the judgement."""
    course = with_signs(kg="74.2", signs=BACKGROUND)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="heart failure")
    course.later(hours=1)
    with course.charting() as chart:
        chart.result("bilirubin", "6.0", course.now - 90 * timedelta(minutes=1), recorded_at=course.now)
    assert of(course).waits


def test_signs_that_came_between_a_judgement_and_its_charting_are_not_covered() -> None:
    course = with_signs(kg="74.2", signs=BACKGROUND)
    said_at = course.now
    sent("6.0")(course.later(hours=1))
    course.later(hours=1).does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="sepsis", at=said_at)
    assert of(course).waits
    sent("0.5")(course.later(hours=1))
    assert of(course).waits


# ── in whatever order, at whatever time ────────────────────────────────────────────────────────────────────────────

EVENTS = st.one_of(
    st.tuples(st.just("bilirubin"), st.sampled_from(["0.5", "1.5", "2.4", "6.0"])),
    st.tuples(st.just("status"), st.sampled_from(["preliminary", "cancelled", "entered-in-error", "corrected"])),
    st.tuples(st.just("kg"), st.sampled_from(["69", "70", "71.5", "75"])),
    st.tuples(
        st.just("sign"), st.sampled_from(["ascites", "hepatomegaly", "refractory_thrombocytopenia", "ruq_pain", ""])
    ),
    st.tuples(st.just("imaging"), st.sampled_from(["ultrasound", "histology"])),
    st.tuples(st.just("retract"), st.integers(0, 9)),
)
STORIES = st.lists(
    st.tuples(EVENTS, st.sampled_from([0, 1, 5, 24, 200]), st.sampled_from([0, 0, 0, 2, 30])), min_size=1, max_size=7
)
"""What is said, how many hours after the one before, and how many hours late it was told."""


def add(chart: ChartBuilder, event: tuple[str, Any], at: datetime, told_at: datetime) -> None:
    """One event of a story."""
    kind, value = event
    if kind == "bilirubin":
        chart.result("bilirubin", value, at, recorded_at=told_at)
    elif kind == "status":
        chart.result("bilirubin", "0.5", at, status=value, recorded_at=told_at)
    elif kind == "kg":
        chart.add({"kind": "weight", "kg": value}, at, recorded_at=told_at)
    elif kind == "sign":
        chart.add({"kind": "vod_examination", **NONE, **({value: True} if value else {})}, at, recorded_at=told_at)
    elif kind == "imaging":
        chart.add({"kind": "imaging", "method": value, "suggests_vod": True}, at, recorded_at=told_at)
    else:
        target = chart.facts[-1 - value % 4].id
        chart.add(
            {"kind": "correction", "target": target, "replacement": None, "reason": "wrong"},
            at,
            Role.PHYSICIAN,
            recorded_at=told_at,
        )


def charts_of(story: list[Any], born: date) -> list[Chart]:
    """The chart after each arrival, each grown from the one before."""
    chart, at, told_at = after_transplant(birth_on=born), DAY_0 + 10 * DAY, DAY_0 + 10 * DAY
    grown = chart.chart()
    charts = [grown]
    for event, hours, late in story:
        at += hours * H
        told_at = max(told_at, at + late * H)
        known = len(chart.facts)
        add(chart, event, at, told_at)
        grown = grown.with_facts(*chart.facts[known:])
        charts.append(grown)
    return charts


def lapses(story: list[Any], born: date) -> list[str]:
    """Where a suspicion is gone though nobody judged it, or a grown chart answers otherwise than one read anew."""
    protocol, said, reached = load_protocol(LABEL), [], False
    for chart in charts_of(story, born):
        recorded_at = chart.facts[-1].recorded_at
        for now in (recorded_at, recorded_at + 40 * DAY):
            waits = ladder(Case(chart, protocol, now))
            anew = ladder(Case(Chart(course=chart.course, facts=chart.facts), protocol, now))
            said += ["anew it is otherwise"] if waits != anew else []
            said += ["a suspicion is gone"] if reached and not waits.waits else []
            reached = reached or waits.waits
    return said


BORN = st.sampled_from([date(1981, 1, 15), date(2008, 5, 14)])
"""Grown up, and a child who is eighteen within the story."""


@pytest.mark.hypothesis
@few
@given(STORIES, BORN)
def test_whatever_is_told_in_whatever_order_no_suspicion_goes_by_itself(story: list[Any], born: date) -> None:
    assert lapses(story, born) == []


ADULT, CHILD = date(1981, 1, 15), date(2008, 5, 14)
DISSOLVE: dict[str, tuple[list[Any], date]] = {
    "by a value": ([(("bilirubin", "2.4"), 1, 0), (("kg", "72"), 1, 0), (("bilirubin", "0.5"), 5, 0)], ADULT),
    "by the calendar": ([(("bilirubin", "2.4"), 1, 0), (("kg", "71.5"), 1, 0)], ADULT),
    "by a birthday": ([(("sign", "refractory_thrombocytopenia"), 1, 0), (("kg", "73.6"), 1, 0)], CHILD),
}


@pytest.mark.parametrize("how", DISSOLVE)
def test_a_rule_that_forgets_what_was_reached_is_noticed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story, born = DISSOLVE[how]
    assert lapses(story, born) == []
    monkeypatch.setattr(alerts, "kept", lambda _: Kept())
    assert set(lapses(story, born)) == {"a suspicion is gone"}


# ── implausibly high (LAB-06) ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("beyond", ["90", "999"])
def test_an_implausibly_high_bilirubin_is_a_criterion_as_a_high_one_is(beyond: str) -> None:
    high, higher = (with_signs(bilirubin=value, kg="70", signs={"ascites": True}) for value in ("79", beyond))
    assert of(higher).step == of(high).step > 1
    assert {f.rule for f in found(higher)} == {f.rule for f in found(high)}
    after = higher.later(hours=1)
    sent("0.5")(after)
    assert of(after).step == of(high).step, "a later value ends no suspicion (VOD-13)"


@pytest.mark.parametrize("beyond", ["3.1", "90"])
def test_an_implausibly_high_bilirubin_opens_again_what_was_excluded_as_a_higher_one_does(beyond: str) -> None:
    course = with_signs(bilirubin="3.0", kg="70", signs={"ascites": True})
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="sepsis")
    assert not of(course).open
    sent(beyond)(course.later(hours=1))
    assert of(course).open


@pytest.mark.parametrize("wrong", [{"status": "preliminary"}, {"collected_at": None}])
def test_one_that_is_not_final_or_has_no_time_calls_and_is_no_criterion(wrong: dict[str, Any]) -> None:
    course = with_signs(bilirubin="0.6", kg="70", signs={"ascites": True})
    sent("90", **wrong)(course)
    assert "LAB-06" in {f.rule for f in course.card.findings}
    assert not of(course).open


# ── charted by its name (NON-01) ───────────────────────────────────────────────────────────────────────────────────

TAKES_IT_BACK: dict[str, Change] = {
    "nothing": lambda course: None,
    "a lower grade of a nurse": says(Role.NURSE, kind="toxicity", term="VOD", grade=1),
    "a physician says that it is over": says(Role.PHYSICIAN, kind="toxicity", term="VOD", grade=0),
    "another cause": says(Role.PHYSICIAN, kind="toxicity_attribution", term="VOD", due_to_ino=False),
    "corrected": corrects("toxicity", {"kind": "toxicity", "term": "rash", "grade": 1}),
}


@pytest.mark.parametrize("change", TAKES_IT_BACK.values(), ids=TAKES_IT_BACK.keys())
@pytest.mark.parametrize(
    "charted",
    [
        {"term": "VOD", "grade": 4},
        {"term": "Hepatic veno-occlusive disease", "grade": 3},
        {"term": "Sinusoidal obstruction syndrome (SOS)", "grade": 1, "attributed_to_ino": False},
    ],
    ids=lambda said: said["term"],
)
def test_vod_that_was_charted_as_a_toxicity_waits_for_a_judgement(charted: dict[str, Any], change: Change) -> None:
    course = PaperCourse(after_transplant(), DAY_0 + 30 * DAY)
    assert not of(course).waits
    course.does("record_finding", Role.PHYSICIAN, finding={"kind": "toxicity", **charted})
    course.now += timedelta(seconds=1)
    change(course)
    assert [f.verdict for f in course.card.findings if f.rule == "NON-01"] == [Verdict.HOLD_URGENT]
    assert course.card.verdict is Verdict.HOLD_URGENT
    assert any(o.title == "signs of VOD: a physician must judge" for o in course.card.obligations)
    course.does("judge_vod", Role.PHYSICIAN, judgement="excluded", other_cause="sepsis")
    assert not of(course).waits
    course.does("record_finding", Role.NURSE, finding={"kind": "toxicity", "term": "VOD", "grade": 5})
    assert of(course).waits


@pytest.mark.parametrize("term", ["rash", "SOSS", "liver enzymes up"])
def test_another_toxicity_is_no_suspicion(term: str) -> None:
    course = PaperCourse(after_transplant(), DAY_0 + 30 * DAY)
    course.does("record_finding", Role.PHYSICIAN, finding={"kind": "toxicity", "term": term, "grade": 4})
    assert not of(course).waits


# ── watched (A1) ───────────────────────────────────────────────────────────────────────────────────────────────────

WATCHED = {"bilirubin": ("0.9", "1.7"), "weight": ("70", "80")}


@pytest.mark.parametrize("how", [{"status": "entered-in-error"}, {"status": "cancelled"}, {"unit": None}])
@pytest.mark.parametrize("which", ["the last", "the one before"])
@pytest.mark.parametrize("analyte", WATCHED)
def test_a_withdrawal_ends_no_watch(analyte: str, which: str, how: dict[str, Any]) -> None:
    chart, at = ChartBuilder().ready().dose(1, 1, D1), D1 + 2 * DAY
    low, high = WATCHED[analyte]
    for i, value in enumerate((low, high)):
        chart.result(analyte, value, at + i * H, resource=f"lab|{i}", version=1)
    before = of(PaperCourse(chart, at + 2 * H)).watched
    assert before, "A1"
    i = 1 if which == "the last" else 0
    sent = {"resource": f"lab|{i}", "version": 2, "recorded_at": at + 2 * H, **how}
    chart.result(analyte, (low, high)[i], at + i * H, **sent)
    assert of(PaperCourse(chart, at + 3 * H)).watched
    chart.result(analyte, low, at + 3 * H)
    assert not of(PaperCourse(chart, at + 30 * DAY)).watched, "its own window ends it"
