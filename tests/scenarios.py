"""The language of the scenario tables: a row with its decision, and the patients that the rows speak of.

A row says what the clinical reference says, not what the code answers. `decides` compares one with the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.bundles import NORMAL
from models.assessment import Assessment, CourseState, Finding, Verdict
from models.people import Actor, Role
from tests.factories import D1, PROTOCOLS, ULN, ChartBuilder, PaperCourse, a_lab

SECOND, MIN, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PRESCRIBER = Actor(role=Role.PRESCRIBER, id="prescriber-1")
COLLEAGUE = Actor(role=Role.PHYSICIAN, id="physician-2")
Story = Callable[[str], PaperCourse]
Signs = dict[str, bool | None]
NO_SIGN: Signs = dict.fromkeys(("ruq_pain", "hepatomegaly", "painful_hepatomegaly", "ascites", "oedema"), False)
LIVER = ("alt", "ast", "alp", "bilirubin")


def day(number: int) -> datetime:
    """The time of day of the first dose, on this day of the course (day 1 = the first dose)."""
    return D1 + (number - 1) * DAY


@dataclass(frozen=True)
class Dose:
    """What the card must compute: mg/m², mg, mL, vials, level."""

    mg_per_m2: str
    mg: str
    ml: str
    vials: int
    level: str = "L0"


FULL_FIRST, HALF = Dose("0.8", "1.45", "5.80", 2), Dose("0.5", "0.91", "3.64", 2)
"""170 cm and 70 kg: 0.8 mg/m² on day 1, 0.5 mg/m² otherwise."""


@dataclass(frozen=True)
class Row:
    """One scenario: input in words and as a story, decision, the rules that must speak, and what else must hold.

    `rules`: each must be found on the card, and one of them must give the verdict where a rule gives it. `silent`: none
    of these may ask for anything. `dose`: by protocol, or one for all.
    """

    id: str
    words: str
    story: Story
    verdict: Verdict
    rules: tuple[str, ...] = ()
    state: CourseState | None = None
    dose: Dose | Mapping[str, Dose] | None = None
    next_dose: str | None = None
    silent: tuple[str, ...] = ()
    protocols: tuple[str, ...] = PROTOCOLS
    also: Callable[[Assessment], None] | None = field(default=None, compare=False)


def cases(rows: tuple[Row, ...]) -> list[tuple[Row, str]]:
    """Every row under every protocol that it names and that is released."""
    return [(row, protocol) for row in rows for protocol in row.protocols if protocol in PROTOCOLS]


def name_of(value: object) -> str:
    """A row or a protocol as the name of a test case."""
    return f"{value.id} {value.words}" if isinstance(value, Row) else str(value)


GIVING = frozenset({Verdict.MAY_AUTHORISE, Verdict.MAY_START, Verdict.NO_DOSE_DUE})


def decides(row: Row, protocol: str) -> None:
    """The card says what the row says."""
    card = row.story(protocol).card
    asking = {f.rule: f.verdict for f in reversed(card.standing)}
    assert card.verdict is row.verdict, asking
    assert not set(row.rules) - {f.rule for f in card.findings}, "a rule of the row says nothing"
    assert not set(row.silent) & set(asking), "a rule asks for something that it must not ask for"
    if row.rules and row.verdict not in GIVING:
        assert row.verdict in {asking.get(rule) for rule in row.rules}
    if row.state is not None:
        assert card.state is row.state
    if row.next_dose is not None:
        assert card.next_dose == row.next_dose
    _computes(row, protocol, card)
    if row.also is not None:
        row.also(card)


def _computes(row: Row, protocol: str, card: Assessment) -> None:
    wanted = row.dose.get(protocol) if isinstance(row.dose, Mapping) else row.dose
    if wanted is not None:
        plan = card.dose
        assert plan is not None
        assert Dose(str(plan.mg_per_m2), str(plan.mg), str(plan.ml), plan.vials, plan.level) == wanted


def said(card: Assessment, rule: str) -> list[Finding]:
    """What one rule says on the card."""
    return [f for f in card.findings if f.rule == rule]


def says(rule: str, *words: str) -> Callable[[Assessment], None]:
    """A rule says all these words, in reason or in what clears it."""

    def check(card: Assessment) -> None:
        text = " / ".join(f"{f.reason} {f.clears or ''}" for f in said(card, rule))
        assert all(word.lower() in text.lower() for word in words), text

    return check


def x_uln(analyte: str, multiple: str) -> str:
    """A value as a multiple of the laboratory's ULN, in its unit."""
    return format(Decimal(ULN[analyte]) * Decimal(multiple), "f")


# ── patients before and inside cycle 1 ─────────────────────────────────────────────────────────────────────────────


def first_dose(*, without: tuple[str, ...] = (), **values: str) -> Story:
    """Day 1 of cycle 1, everything in order but these values."""
    return lambda protocol: PaperCourse(ChartBuilder(protocol).ready(**values).without(*without), D1)


def day_8(on: int = 8, *, baseline: Mapping[str, str] | None = None, kg: str = "70", **values: str) -> Story:
    """Day 8 of cycle 1 asked for on a day of the course, everything in order but these values."""
    at = day(on)
    return lambda protocol: PaperCourse(
        ChartBuilder(protocol).ready(**(baseline or {})).dose(1, 1, D1).ready_again(at, kg=kg, **values), at
    )


def day_15(on: int = 15, *, baseline: Mapping[str, str] | None = None, **values: str) -> Story:
    """Day 15 of cycle 1, asked for on a day of the course, after day 1 and day 8 on time."""
    at = day(on)
    return lambda protocol: PaperCourse(
        ChartBuilder(protocol).ready(**(baseline or {})).dose(1, 1, D1).dose(1, 8, day(8)).ready_again(at, **values), at
    )


def then(story: Story, step: Callable[[PaperCourse], object]) -> Story:
    """A story that goes on."""

    def longer(protocol: str) -> PaperCourse:
        course = story(protocol)
        step(course)
        return course

    return longer


def charted(what: dict[str, Any], *, ago: timedelta = MIN, by: Role = Role.PHYSICIAN) -> Callable[[PaperCourse], None]:
    """One more fact, true a while ago."""

    def step(course: PaperCourse) -> None:
        with course.charting() as chart:
            chart.add(what, course.now - ago, by)

    return step


def lab(analyte: str, value: str | None, *, ago: timedelta = HOUR, **changes: Any) -> Callable[[PaperCourse], None]:
    """One more result, collected a while ago, recorded now unless said otherwise."""

    def step(course: PaperCourse) -> None:
        with course.charting() as chart:
            chart.result(analyte, value, course.now - ago, **{"recorded_at": course.now - SECOND, **changes})

    return step


def steps(*each: Callable[[PaperCourse], object]) -> Callable[[PaperCourse], None]:
    """One after the other."""

    def all_of_them(course: PaperCourse) -> None:
        for step in each:
            step(course)

    return all_of_them


# ── patients of later cycles ───────────────────────────────────────────────────────────────────────────────────────


def next_cycle(
    on: int = 29, *, baseline: Mapping[str, str] | None = None, response: str = "CR", kg: str = "70", **values: str
) -> Story:
    """Day 1 of cycle 2 asked for on a day of the course, everything in order but these values."""
    at = day(on)
    return lambda protocol: PaperCourse(
        ChartBuilder(protocol).ready(**(baseline or {})).cycle(1, D1).ready_for_cycle(at, response, kg=kg, **values),
        at,
    )


def after_cycles(
    cycles: int, response: str | tuple[str, ...], *, mrd: bool | None = None, planned: bool = False, **details: Any
) -> Story:
    """So many cycles of 28 days with this response (or these) and everything in order for the next."""
    answers = (response,) * cycles if isinstance(response, str) else response

    def story(protocol: str) -> PaperCourse:
        chart, at = ChartBuilder(protocol).ready(), D1
        if planned:
            chart.add({"kind": "transplant_planned"}, D1, Role.PRESCRIBER)
        for number in range(1, cycles + 1):
            chart.cycle(number, at, response=answers[number - 1], mrd_negative=mrd, **details)
            at += 28 * DAY
        chart.ready_for_cycle(at, answers[-1], cycles)
        again = at - timedelta(hours=4)  # the response stands already, with all its details
        chart.facts = [f for f in chart.facts if not (f.at == again and f.what.kind == "response")]
        return PaperCourse(chart, at)

    return story


def toxic(
    held: int, days: int, *, response: str = "none", asked: int | None = None, still: bool = False, alt: str = "165"
) -> Story:
    """Cycle 1 with a high ALT from the planned day of dose 8 or 15 on, recovered (or not) so many days later.

    Asked for on the day of recovery unless said otherwise, with everything that day 1 of cycle 2 needs.
    """
    recovered = held + days
    at = day(asked or recovered)

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().dose(1, 1, D1)
        if held > 8:
            chart.dose(1, 8, day(8))
        chart.labs(day(held) - 3 * HOUR, *LIVER, alt=alt)
        if not still:
            chart.labs(day(recovered) - 3 * HOUR, *LIVER)
        chart.ready_for_cycle(at, response, **({"alt": alt} if still else {}))
        return PaperCourse(chart, at)

    return story


def gives(course: PaperCourse, cycle: int, number: int, kg: str = "70", **values: str) -> PaperCourse:
    """A dose from the data to the end of its observation, signed and checked as the card says."""
    at = course.now
    with course.charting() as chart:
        if number == 1 and cycle > 1:
            chart.labs(at - 3 * HOUR, *NORMAL, **values)
            chart.add({"kind": "weight", "kg": kg}, at - 3 * HOUR)
            chart.add({"kind": "ecg", "qtcf_ms": "425"}, at - 3 * HOUR)
            chart.examined(at - HOUR)
        elif number != 1:
            chart.ready_again(at, kg=kg, **values)
    if number == 1 and cycle > 1:
        course.does("start_next_cycle", Role.PRESCRIBER, cycle=cycle)
    course.authorised(cycle, number).premedicated()
    course.later(minutes=45).prepared(f"bag-{cycle}-{number}")
    course.started(cycle, number, f"bag-{cycle}-{number}")
    course.later(hours=1).does("complete_infusion", Role.NURSE)
    course.later(hours=1).does("end_observation", Role.NURSE)
    return course


# ── patients after a transplant ────────────────────────────────────────────────────────────────────────────────────


def after_transplant(
    on_day: int,
    *,
    bilirubin: str | None = None,
    unit: str = "mg/dL",
    kg: str | None = None,
    signs: Signs | None = None,
    day_0: datetime = datetime(2026, 5, 1, 10, 0, tzinfo=UTC),
) -> Story:
    """So many days after day 0, with these signs; 70 kg before conditioning."""
    now = day_0 + on_day * DAY

    def story(protocol: str) -> PaperCourse:
        chart = ChartBuilder(protocol).ready().cycle(1, D1, response="CR")
        chart.add({"kind": "weight", "kg": "70"}, day_0 - 10 * DAY)
        chart.add({"kind": "transplant", "transplanted_at": day_0.isoformat()}, day_0, Role.PRESCRIBER)
        chart.add({"kind": "monitoring_started"}, day_0 + SECOND, Role.ADMINISTRATOR)
        if bilirubin is not None:
            in_unit = {"mg/dL": "1.2", "umol/L": "20.5", "mg/L": "12"}[unit]
            chart.result("bilirubin", bilirubin, now - 2 * HOUR, unit=unit, uln=Decimal(in_unit))
        if kg is not None:
            chart.add({"kind": "weight", "kg": kg}, now - 2 * HOUR)
        if signs is not None:
            chart.add({"kind": "vod_examination", **NO_SIGN, **signs}, now - HOUR, Role.PHYSICIAN)
        return PaperCourse(chart, now)

    return story


def corrected_lab(course: PaperCourse, analyte: str, value: str, at: datetime, by: Role = Role.PHYSICIAN) -> None:
    """The result of this analyte collected then was another value: said by correct_fact."""
    loinc = a_lab(analyte).loinc
    target = next(f for f in reversed(course.chart.facts) if getattr(f.what, "loinc", None) == loinc and f.at == at)
    right = {**target.what.model_dump(mode="json"), "value": value}
    course.does("correct_fact", by, target=target.id, replacement=right, reason="it was another patient's")
