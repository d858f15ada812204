"""How long `assess` takes: per call against the number of facts, and charts per second over many invented courses.

    python -m benchmarks.assess [--courses 10000]

Nothing here is a test: a figure says how fast one machine was on one day.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from clinical.assess import assess
from models.chart import Chart
from models.protocol import Protocol
from plumbing.protocol_files import load_protocol
from tests.factories import D1, LABEL, ChartBuilder

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


def seconds_per_call(chart: Chart, protocol: Protocol, at: datetime, calls: int, *, anew: bool) -> list[float]:
    """Each call on its own; `anew`: on a chart that nothing was read of before, as a worker gets it for each decision."""
    found = []
    for _ in range(calls):
        looked_at = Chart(course=chart.course, facts=chart.facts) if anew else chart
        began = time.perf_counter()
        assess(looked_at, protocol, at)
        found.append(time.perf_counter() - began)
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
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--courses", type=int, default=10_000)
    courses = parser.parse_args().courses
    protocol = load_protocol(LABEL)
    out = sys.stdout.write
    out("facts   first look: median ms, nine of ten within   again: median ms, nine of ten within\n")
    for size in SIZES:
        chart, at = grown(size)
        line = f"{len(chart.facts):5d}"
        for anew in (True, False):
            spent = sorted(seconds_per_call(chart, protocol, at, max(20, 6000 // size), anew=anew))
            line += f" {statistics.median(spent) * 1000:21.2f} {spent[len(spent) * 9 // 10] * 1000:18.2f}"
        out(f"{line}\n")
    made, passed = list(invented_courses(courses)), time.perf_counter()
    for chart, at in made:
        assess(chart, protocol, at)
    out(f"\n{courses} invented courses: {courses / (time.perf_counter() - passed):.0f} charts per second\n")


if __name__ == "__main__":
    main()
