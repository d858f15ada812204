"""DAY-07, DEV-01: a dose outside its window, of another site, twice, or held stays on the card of its cycle with its reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.verdict.deviations import HELD
from clinical.verdict.dose_gate import dose_gate, holding_gate
from models.facts import DoseSlot
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, LIVER, ChartBuilder, PaperCourse
from tests.scenarios import DAY, HOUR, day, first_dose, gives

Add = Callable[[ChartBuilder], object]


def looked_at(*steps: Add, on: int = 20) -> PaperCourse:
    """A chart with C1D1 on day 1 and these steps, looked at on this day of the course."""
    chart = ChartBuilder().ready().dose(1, 1, D1)
    for step in steps:
        step(chart)
    return PaperCourse(chart, day(on))


def given(number: int, on: int, *, late: timedelta = timedelta()) -> Add:
    return lambda chart: chart.dose(1, number, day(on) + late)


def decided(decision: str, on: int, number: int = 8, **more: Any) -> Add:
    said = {"kind": "dose_decided", "cycle": 1, "day": number, "decision": decision, "reason": "no bed", **more}
    return lambda chart: chart.add({"cause": "logistics", **said}, day(on) - HOUR, Role.PRESCRIBER)


def elsewhere(number: int, on: int, mg: str = "0.91", **more: Any) -> Add:
    said = {"kind": "administration", "cycle": 1, "day": number, "mg": mg, **more}
    return lambda chart: chart.add(said, day(on))


def high_alt(on: int) -> Add:
    return lambda chart: chart.labs(day(on) - 3 * HOUR, *LIVER, alt="300")


def normal_again(on: int) -> Add:
    return lambda chart: chart.labs(day(on) - 3 * HOUR, *LIVER)


def said(course: PaperCourse, rule: str = "DAY-07") -> str:
    return " / ".join(f.reason for f in course.card.findings if f.rule == rule)


ROWS: dict[str, tuple[tuple[Add, ...], str]] = {
    "on its day": ((given(8, 8), given(15, 15)), ""),
    "on the first and the last day of its window": ((given(8, 7), given(15, 17)), ""),
    "late by decision": (
        (decided("give", 11), given(8, 11)),
        "C1D8 on 2026-03-12: 1 day after its window, which ended on 2026-03-11: by decision of prescriber:prescriber-1 "
        "(give), because of logistics: no bed",
    ),
    "late after it was postponed": (
        (decided("postpone", 8, until="2026-03-13", cause="infection"), given(8, 12)),
        "2 days after its window, which ended on 2026-03-11: by decision of prescriber:prescriber-1 (postpone), because "
        "of infection: no bed",
    ),
    "late and nobody said why": ((given(8, 13),), "3 days after its window, which ended on 2026-03-11: no reason"),
    "late after toxicity": ((high_alt(8), normal_again(12), given(8, 12)), "ended on 2026-03-11: held for toxicity"),
    "moved past its window by six days": (
        (decided("give", 12), given(8, 12), given(15, 18)),
        "C1D15 on 2026-03-19: 1 day after its window, which ended on 2026-03-18: six days after a late dose",
    ),
    "before its window": (
        (given(8, 8), given(15, 14, late=-2 * DAY)),
        "C1D15 on 2026-03-13: 4 days after the dose before, at least 6",
    ),
    "before its window, and six days apart": (
        (given(8, 7), given(15, 13)),
        "",
    ),
    "before its hour": (
        (given(8, 7, late=-HOUR),),
        "C1D8 on 2026-03-08: before its hour on the sixth day after the last dose: no reason is charted",
    ),
    "of another site": ((elsewhere(8, 8, where="clinic B"),), "given outside this service, clinic B"),
    "twice": (
        (given(8, 8), elsewhere(8, 9)),
        "C1D8 on 2026-03-10: 1 day after the dose before, at least 6; given outside",
    ),
    "twice, a week apart": ((given(8, 8), given(8, 15)), "C1D8 on 2026-03-16: this dose was given before"),
}


@pytest.mark.parametrize(("steps", "words"), ROWS.values(), ids=ROWS.keys())
def test_when_where_and_how_often(steps: tuple[Add, ...], words: str) -> None:
    course = looked_at(*steps)
    assert said(course) == "" if not words else words in said(course)
    later = PaperCourse.__new__(PaperCourse)
    later.__dict__ = {**course.__dict__, "now": day(120)}
    assert said(later) == said(course), "what happened stays"


def test_the_prescribers_reason_for_an_earlier_hour_is_said() -> None:
    course = gives(first_dose()("us-label-2024.1"), 1, 1)
    course.now = day(7)
    with course.charting() as chart:
        chart.ready_again(course.now)
    course.authorised(1, 8, earlier_start_reason="his transport leaves at noon").premedicated()
    course.later(minutes=30).prepared("bag-8")
    course.started(1, 8, "bag-8")
    assert "before its hour on the sixth day after the last dose: his transport leaves at noon" in said(course)


HOLDS: dict[str, tuple[Add, str]] = {
    "liver": (high_alt(8), "NON-08"),
    "a person": (lambda chart: chart.add({"kind": "hold", "reason": "unwell"}, day(8) - HOUR), "HOLD-01"),
    "fever": (lambda chart: chart.add({"kind": "vital_signs", "temperature_c": "39"}, day(8) - HOUR), "MON-16"),
    "a toxicity": (
        lambda chart: chart.add({"kind": "toxicity", "term": "neuropathy", "grade": 3}, day(8) - HOUR, Role.PHYSICIAN),
        "NON-06",
    ),
}


@pytest.mark.parametrize(("hold", "rule"), HOLDS.values(), ids=HOLDS.keys())
@pytest.mark.parametrize("how", ["here", "elsewhere"])
def test_a_dose_that_was_given_although_it_was_held_says_so(hold: Add, rule: str, how: str) -> None:
    dose = given(8, 8) if how == "here" else elsewhere(8, 8)
    assert f"it was held by {rule}" in said(looked_at(hold, dose), "DEV-01")
    assert "held" not in said(looked_at(dose), "DEV-01")


def test_what_became_known_later_did_not_hold_it() -> None:
    """LAB-07 calls for it; the dose was no deviation when it was given."""
    late: Add = lambda chart: chart.labs(day(8) - 3 * HOUR, *LIVER, alt="300", recorded_at=day(8) + HOUR)  # noqa: E731
    assert "held" not in said(looked_at(given(8, 8), late), "DEV-01")


def test_a_dose_after_a_permanent_stop_is_said() -> None:
    stop: Add = lambda chart: chart.add(  # noqa: E731
        {"kind": "discontinued", "reason": "VOD"}, day(5), Role.PRESCRIBER
    )
    assert "given after the drug was stopped for good" in said(looked_at(stop, elsewhere(8, 8)), "DEV-01")


def test_what_is_left_out_of_the_gate_of_an_earlier_dose_can_never_hold_one() -> None:
    """DEV-01 asks a dose of before only what can hold it."""
    asked = set()
    for chart in (ChartBuilder().chart(), ChartBuilder().ready().chart(), ChartBuilder().ready(alt="400").chart()):
        case = Case(chart, load_protocol(LABEL), D1 + 60 * DAY)
        slot = DoseSlot(cycle=1, day=1)
        whole = [(f.rule, f.reason) for f in dose_gate(case, slot) if f.verdict in HELD]
        assert [(f.rule, f.reason) for f in holding_gate(case, slot) if f.verdict in HELD] == whole
        asked |= {f.verdict for f in dose_gate(case, slot)} - {f.verdict for f in holding_gate(case, slot)}
    assert asked
    assert asked.isdisjoint(HELD)
