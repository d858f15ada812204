"""How long `assess` takes, in processor time: per call against the number of facts, and over many invented courses.

    python -m benchmarks.assess [--courses 10000]

Nothing here is a test: a figure says how fast one machine was on one day.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from clinical.assess import assess
from models.chart import Chart
from models.people import Role
from models.protocol import Protocol
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder, a_lab

SIZES = (30, 100, 300, 1000, 3000)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PANEL = ("wbc", "anc", "platelets", "haemoglobin", "alt", "ast", "alp", "bilirubin", "potassium", "creatinine")


def grown(number: int) -> tuple[Chart, datetime]:
    """A course before its second cycle with about this many facts; what exceeds the usual is further blood tests."""
    if number < 60:
        return ChartBuilder().ready().chart(), D1
    builder, at = ChartBuilder().ready().cycle(1, D1, response="CR"), D1 + 28 * DAY
    builder.ready_for_cycle(at)
    draws = max(0, (number - len(builder.facts)) // len(PANEL))
    for draw in range(draws):
        builder.labs(D1 + (draw + 1) * 26 * DAY / (draws + 1), *PANEL)
    return builder.chart(), at


Looks = Callable[[Chart, datetime, int], tuple[Chart, datetime]]
"""From a chart that was read before, its instant and the number of the call: what is looked at then."""


def _first(chart: Chart, at: datetime, _: int) -> tuple[Chart, datetime]:
    return Chart(course=chart.course, facts=chart.facts), at


def _same(chart: Chart, at: datetime, _: int) -> tuple[Chart, datetime]:
    return chart, at


def _later(chart: Chart, at: datetime, call: int) -> tuple[Chart, datetime]:
    return chart, at + (call % 20) * 7 * HOUR + call * timedelta(seconds=1)


def _with_alt(chart: Chart, at: datetime, call: int) -> tuple[Chart, datetime]:
    builder = ChartBuilder()
    builder.add(a_lab("alt", at=at - HOUR), at - HOUR, Role.LABORATORY, recorded_at=at, id=f"new-{call}")
    return chart.with_facts(*builder.facts), at


def _with_weight(chart: Chart, at: datetime, call: int) -> tuple[Chart, datetime]:
    builder = ChartBuilder()
    builder.add({"kind": "weight", "kg": "70"}, at, id=f"new-{call}")
    return chart.with_facts(*builder.facts), at


LOOKS: dict[str, Looks] = {
    "first look": _first,
    "again": _same,
    "at another time": _later,
    "with one ALT more": _with_alt,
    "with one weight more": _with_weight,
}
"""A worker gets a chart anew for each decision, and makes it longer while it decides."""


def seconds_per_call(chart: Chart, protocol: Protocol, at: datetime, calls: int, look: Looks) -> list[float]:
    """Each call on its own."""
    found = []
    assess(chart, protocol, at)
    for call in range(calls):
        looked_at, now = look(chart, at, call)
        began = time.process_time()
        assess(looked_at, protocol, now)
        found.append(time.process_time() - began)
    return found


def invented_courses(number: int, seed: int = 1) -> Iterator[tuple[Chart, datetime]]:
    """Courses of invented patients at different stages, each with its own values; the same ones for the same seed."""
    chance = random.Random(seed)
    for _ in range(number):
        alt = str(chance.choice((20, 30, 60, 120, 138, 160, 400)))
        stage, builder, at = chance.randrange(4), ChartBuilder(), D1
        builder.ready(alt=alt if stage == 0 else "30")
        for day in (8, 15)[: min(stage, 2)]:
            at = D1 + (day - 1) * DAY
            builder.dose(1, day - 7, at - 7 * DAY).ready_again(at, alt=alt)
        if stage == 3:
            builder.dose(1, 15, D1 + 14 * DAY)
            at = D1 + 28 * DAY
            builder.ready_for_cycle(at, response=chance.choice(("CR", "none")), alt=alt)
        yield builder.chart(), at + chance.randrange(48) * HOUR


def main() -> None:
    """Print the table and the rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--courses", type=int, default=10_000)
    courses = parser.parse_args().courses
    protocol = load_protocol(LABEL)
    out = sys.stdout.write
    out(f"median ms  {'  '.join(LOOKS)}\n")
    for size in SIZES:
        chart, at = grown(size)
        line = f"{len(chart.facts):5d} facts"
        for name, look in LOOKS.items():
            spent = seconds_per_call(chart, protocol, at, max(20, 6000 // size), look)
            line += f"{statistics.median(spent) * 1000:{len(name) + 2}.3f}"
        out(f"{line}\n")
    made, passed = list(invented_courses(courses)), time.process_time()
    for chart, at in made:
        assess(Chart(course=chart.course, facts=chart.facts), protocol, at)  # what was worked out goes with it
    out(f"\n{courses} invented courses: {courses / (time.process_time() - passed):.0f} charts per second\n")


if __name__ == "__main__":
    main()
