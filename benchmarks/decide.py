"""How long one decision of the core takes, in processor time, on a chart that grows by one message at a time.

    python -m benchmarks.decide [--decisions 40]

The whole path of the core: a message is read, judged and assessed on a chart whose memo is kept, and the answer is written
as the text that is recorded. Nothing here is a test: a figure says how fast one machine was on one day.
"""

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from benchmarks.assess import grown
from clinical.decide import decide
from models.base import canonical_json
from models.bounds import read_bounded
from models.carried import DecideRequest, Decision
from models.chart import Chart
from models.messages import MESSAGES, Message, NamedMessage
from models.protocol import Protocol
from plumbing.protocol_files import load_protocol
from tests.factories import LABEL, LIVER, a_lab

SIZES = (300, 1000, 4000)
MINUTE = timedelta(minutes=1)
PHASES = ("read", "decide", "write")
Made = Callable[[Chart, datetime, int], tuple[str, dict[str, Any]]]
"""From a chart, its instant and a number the name and the content of a message."""


def _one_result(chart: Chart, at: datetime, number: int) -> tuple[str, dict[str, Any]]:
    return _draw(chart, at, number, ("alt",))


def _liver_panel(chart: Chart, at: datetime, number: int) -> tuple[str, dict[str, Any]]:
    return _draw(chart, at, number, LIVER)


def _draw(chart: Chart, at: datetime, number: int, analytes: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    results = [a_lab(analyte, at=at - MINUTE).model_dump(mode="json") for analyte in analytes]
    sent = {"by": "laboratory:lab-a", "subject_hash": chart.course.subject_hash, "results": results}
    return "lab_results", {"id": f"draw-{number}", **sent}


def _weight(_: Chart, at: datetime, number: int) -> tuple[str, dict[str, Any]]:
    return "record_finding", {"id": f"w-{number}", "by": "nurse:n-1", "finding": {"kind": "weight", "kg": "70"}}


def _refused(_: Chart, at: datetime, number: int) -> tuple[str, dict[str, Any]]:
    started = {"cycle": 2, "day": 1, "preparation_id": "bag-1", "identifiers_checked": ["name", "birth date"]}
    return "start_infusion", {"id": f"s-{number}", "by": "nurse:n-1", **started}


MESSAGES_SENT: dict[str, Made] = {
    "one ALT": _one_result,
    "liver panel": _liver_panel,
    "a weight": _weight,
    "refused start": _refused,
}


def _read(name: str, data: bytes) -> Message:
    message = read_bounded(MESSAGES[name], data)
    if isinstance(message, tuple):
        raise ValueError(message)
    return message


def written(decision: Decision) -> tuple[str, str]:
    """What is recorded of a decision, as its canonical text, and the hash of that."""
    text = canonical_json(decision)
    return text, hashlib.sha256(text.encode()).hexdigest()


def decisions(chart: Chart, at: datetime, protocol: Protocol, made: Made, number: int) -> Iterator[list[float]]:
    """Decision after decision on the chart as it grows; of each the seconds of its phases."""
    decide(DecideRequest(chart=chart, now=at), protocol, "benchmark")
    for one in range(number):
        at += MINUTE
        name, content = made(chart, at, one)
        data = json.dumps(content).encode()
        times = [time.process_time()]
        message = NamedMessage.of(_read(name, data))
        times.append(time.process_time())
        decision = decide(DecideRequest(chart=chart, now=at, message=message), protocol, "benchmark")
        times.append(time.process_time())
        written(decision)
        times.append(time.process_time())
        chart = chart.with_facts(*decision.facts)
        yield [end - begin for begin, end in pairwise(times)]


def seconds_without_memo(chart: Chart, at: datetime, protocol: Protocol) -> tuple[float, float]:
    """What a process spends that does not have the chart: reading it, and a first decision on it."""
    kept, began = chart.model_dump_json(), time.process_time()
    read = Chart.model_validate_json(kept)
    decoded = time.process_time()
    decide(DecideRequest(chart=read, now=at), protocol, "benchmark")
    return decoded - began, time.process_time() - decoded


def main() -> None:
    """Print a table for each kind of message, and what it costs not to have the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=40)
    number, out = parser.parse_args().decisions, sys.stdout.write
    protocol = load_protocol(LABEL)
    for name, made in MESSAGES_SENT.items():
        out(f"{name:>14s}, median ms {'':4s}{'  '.join(f'{phase:>7s}' for phase in (*PHASES, 'all'))}\n")
        for size in SIZES:
            chart, at = grown(size)
            phases = list(zip(*decisions(chart, at, protocol, made, number), strict=True))
            spent = [statistics.median(phase) for phase in phases]
            whole = statistics.median(map(sum, zip(*phases, strict=True)))
            out(f"{len(chart.facts):20d} facts  {'  '.join(f'{s * 1000:7.3f}' for s in (*spent, whole))}\n")
    out(f"without the chart, median ms   {'decode':>7s}  {'decide':>7s}\n")
    for size in SIZES:
        chart, at = grown(size)
        cold = zip(*(seconds_without_memo(chart, at, protocol) for _ in range(number // 4)), strict=True)
        out(f"{len(chart.facts):20d} facts  {'  '.join(f'{statistics.median(s) * 1000:7.3f}' for s in cold)}\n")


if __name__ == "__main__":
    main()
