"""Faults that were planted at random and that nothing noticed: here is what shows the kind of each."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.assess import assess
from clinical.course.case import Case
from clinical.results.known import Known
from clinical.vod.severity import Severity, in_children
from clinical.vod.vod_signs import Signs
from models.assessment import Accepted, CourseState, Refused, Verdict
from models.facts import ObservationEnded
from models.obligation_kinds import ObligationKind
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.examples import modest
from tests.factories import D1, LABEL, ChartBuilder, PaperCourse, a_lab
from tests.strategies import charts

MIN, H, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
D8 = D1 + 7 * DAY

# ── a comparator leaves open what it leaves open, on either side of a limit ────────────────────────────────────────

MEANS: dict[str | None, Callable[[Decimal, Decimal], bool]] = {
    None: lambda true, said: true == said,
    "=": lambda true, said: true == said,
    "<": lambda true, said: true < said,
    "<=": lambda true, said: true <= said,
    ">": lambda true, said: true > said,
    ">=": lambda true, said: true >= said,
}


@pytest.mark.parametrize("said", ["9", "10", "11"])
@pytest.mark.parametrize("comparator", MEANS)
def test_a_value_is_past_a_limit_where_every_value_that_it_may_be_is(comparator: str | None, said: str) -> None:
    limit, value = Decimal(10), Decimal(said)
    known = Known("platelets", "f1", value, "10*9/L", D1, None, None, comparator)
    may_be = [half for half in (Decimal(n) / 2 for n in range(60)) if MEANS[comparator](half, value)]
    for asked, answers in ((known.above, {v > limit for v in may_be}), (known.below, {v < limit for v in may_be})):
        assert asked(limit) == (answers.pop() if len(answers) == 1 else None)


@pytest.mark.parametrize(
    ("comparator", "value", "grade"), [("<", "8", 4), ("<", "25", 4), (None, "8", 4), ("<=", "24.9", 4)]
)
def test_platelets_below_a_bound_keep_their_grade(comparator: str | None, value: str, grade: int) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    chart.result("platelets", value, D1 + DAY, comparator=comparator)
    (found,) = [f for f in PaperCourse(chart, D1 + DAY + H).card.findings if f.rule == "CRIT-01"]
    assert f"grade {grade}" in found.reason


# ── nothing at the bedside happens before what it follows ──────────────────────────────────────────────────────────


def running() -> PaperCourse:
    course = PaperCourse(ChartBuilder().ready(D1), D1)
    course.ready_to_start().started()
    return course.later(minutes=20)


def ended() -> PaperCourse:
    course = running().later(minutes=40)
    course.does("complete_infusion", Role.NURSE)
    return course.later(minutes=70)


@pytest.mark.parametrize(
    ("story", "command", "fields", "minutes"),
    [
        (running, "interrupt_infusion", {"infused_ml": "16.7"}, 20),
        (running, "complete_infusion", {"infused_ml": "16.7"}, 20),
        (ended, "end_observation", {"note": "she left"}, 70),
    ],
)
def test_what_ends_or_breaks_off_lies_after_what_it_ends(
    story: Callable[[], PaperCourse], command: str, fields: dict[str, Any], minutes: int
) -> None:
    start = story().now - minutes * MIN
    for at, may in (
        (start - 3 * DAY, False),
        (start - timedelta(seconds=1), False),
        (start, True),
        (start + MIN, True),
    ):
        ruling = story().judged(command, Role.NURSE, at=at.isoformat(), **fields)
        assert isinstance(ruling, Accepted) == may, at
        assert may or (isinstance(ruling, Refused) and ruling.type == "BeforeItsStart")


def test_an_observation_is_judged_by_when_it_ended_and_not_by_when_that_was_charted() -> None:
    course = ended()  # 70 min after the end
    fact = course.does("end_observation", Role.NURSE, at=(course.now - 20 * MIN).isoformat(), note="she left")
    assert isinstance(fact.what, ObservationEnded)
    assert (fact.what.minutes, fact.what.complete) == (50, False)


def test_what_comes_back_is_told_by_when_things_were_true_and_not_by_the_order_of_the_facts() -> None:
    chart = ChartBuilder().ready()
    chart.add({"kind": "infusion_started", "cycle": 1, "day": 1, "mg": "1.45", "preparation_id": "bag-1"}, D1)
    over = {"kind": "reaction", "reaction_id": "r", "grade": 2, "resolved_at": (D1 + 30 * MIN).isoformat()}
    chart.add(over, D1 + 31 * MIN)
    chart.add({"kind": "reaction", "reaction_id": "r", "grade": 2}, D1 + 20 * MIN, recorded_at=D1 + 35 * MIN)
    assert Case(chart.chart(), load_protocol(LABEL), D1 + 40 * MIN).reaction_come_back is None
    chart.add({"kind": "reaction", "reaction_id": "r", "grade": 2}, D1 + 36 * MIN)
    assert Case(chart.chart(), load_protocol(LABEL), D1 + 40 * MIN).reaction_come_back is not None


# ── due before overdue ─────────────────────────────────────────────────────────────────────────────────────────────


@modest
@given(charts())
def test_nothing_is_overdue_before_it_is_due(drawn: object) -> None:
    chart, protocol, now = drawn  # type: ignore[misc]
    found = assess(chart, load_protocol(protocol), now).obligations
    assert [o.key for o in found if o.overdue_at < o.due_at] == []


def test_the_end_of_monitoring_and_the_question_before_it_have_a_day_of_grace() -> None:
    chart = ChartBuilder().ready().cycle(1, D1, response="CR")
    course = PaperCourse(chart, D1 + 22 * DAY)
    course.does("finish_dosing", Role.PRESCRIBER, reason="enough")
    asked = next(o for o in course.card.obligations if o.kind is ObligationKind.TRANSPLANT)
    assert asked.overdue_at - asked.due_at == DAY
    course.does("declare_no_transplant", Role.PRESCRIBER)
    ends = next(o for o in course.card.obligations if o.kind is ObligationKind.MONITORING_ENDS)
    assert ends.overdue_at - ends.due_at == DAY


# ── the very instant of a dose, and of a rung ──────────────────────────────────────────────────────────────────────

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("after", "toxic"), [(-SECOND, False), (timedelta(), True), (SECOND, True)])
def test_what_was_drawn_at_the_instant_of_the_first_dose_is_no_baseline_and_holds_the_next(
    after: timedelta, toxic: bool
) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1).ready_again(D8)
    chart.result("ggt", "300", D1 + after, uln="55")
    held = [f for f in PaperCourse(chart, D8).card.findings if f.rule == "NON-06" and f.verdict is Verdict.HOLD]
    assert bool(held) == toxic


@pytest.mark.parametrize(("after", "how"), [(-SECOND, "withdrawn"), (timedelta(), "met"), (SECOND, "met")])
def test_what_is_charted_at_the_instant_of_a_rung_meets_it(after: timedelta, how: str) -> None:
    from clinical.obligations.closures import Fired
    from clinical.obligations.kinds import KINDS

    kind, chart = ObligationKind.VITAL_SIGNS, ChartBuilder().ready().dose(1, 1, D1)
    chart.add({"kind": "vital_signs", "heart_rate_per_min": "80"}, D1 + H + after)
    case = Case(chart.chart(), load_protocol(LABEL), D1 + 2 * H)
    met = KINDS[kind].met_by(case, Fired(kind, kind.key("C1D1"), D1 + H, D1 + H, ()))
    assert (met is not None) == (how == "met")


# ── by the time of the draw, in whatever order results arrive ──────────────────────────────────────────────────────

DRAWS = (("alt", "300", 4), ("alt", "20", 5), ("bilirubin", "3.0", 6))


@pytest.mark.parametrize("order", list(permutations(range(len(DRAWS)))))
def test_the_liver_hold_reads_draws_by_their_time(order: tuple[int, ...]) -> None:
    chart = ChartBuilder().ready().dose(1, 1, D1)
    for place, index in enumerate(order):
        analyte, value, day = DRAWS[index]
        chart.add(
            a_lab(analyte, value, at=D1 + day * DAY), D1 + day * DAY, Role.LABORATORY, recorded_at=D8 + place * MIN
        )
    held = {f.rule for f in PaperCourse(chart, D8 + H).card.findings if f.verdict is Verdict.HOLD}
    assert "NON-08" in held
    assert "NON-02" not in held, "ALT was back before bilirubin rose"


# ── a signature rests on its draw ──────────────────────────────────────────────────────────────────────────────────


@modest
@given(st.sampled_from(["alt", "ast", "alp", "bilirubin", "platelets", "anc", "wbc", "haemoglobin"]))
def test_a_signature_does_not_outlive_a_correction_of_the_draw_it_rested_on(analyte: str) -> None:
    course = PaperCourse(ChartBuilder().ready(D1), D1).ready_to_start()
    assert course.card.state is CourseState.PREMEDICATION
    drawn = next(f for f in course.chart.facts if getattr(f.what, "loinc", None) == a_lab(analyte).loinc)
    same = drawn.what.model_dump(mode="json")
    course.does("correct_fact", Role.PHYSICIAN, target=drawn.id, replacement=same, reason="the specimen was read again")
    assert course.card.signatures == ()
    assert course.card.state is not CourseState.PREMEDICATION


# ── limits, from both sides ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("egfr", "least"), [(("<", "14"), Severity.VERY_SEVERE), ((None, "15"), Severity.SEVERE)])
def test_kidneys_of_a_child_that_fail_are_graded_below_a_bound(egfr: tuple[str | None, str], least: Severity) -> None:
    comparator, value = egfr
    born = D1.date().replace(year=D1.year - 9)
    chart = ChartBuilder(birth_on=born).ready().dose(1, 1, D1)
    chart.add({"kind": "transplant", "transplanted_at": (D1 + 30 * DAY).isoformat()}, D1 + 30 * DAY, Role.PHYSICIAN)
    at: datetime = D1 + 40 * DAY
    chart.labs(at, bilirubin="2.4")
    chart.result("egfr", value, at, comparator=comparator, unit="mL/min/{1.73_m2}", uln=None)
    found = in_children(Signs(Case(chart.chart(), load_protocol(LABEL), at + H)))
    assert found["glomerular filtration"] == least
