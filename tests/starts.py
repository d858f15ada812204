"""Where a search begins: charts of invented patients at five places of a course, each with the instant at which it stands."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from models.chart import Chart
from models.facts import Fact
from models.people import Role
from tests.factories import D1, ChartBuilder, PaperCourse

H, DAY = timedelta(hours=1), timedelta(days=1)


class Start(NamedTuple):
    """A chart, the instant at which the next message comes, and whether liver monitoring conducts it."""

    name: str
    chart: Chart
    now: datetime
    monitoring: bool = False


def _screening(protocol: str) -> tuple[Chart, datetime]:
    builder = ChartBuilder(protocol, child_bearing_potential=True)
    builder.add({"kind": "consent", "given": True}, D1 - DAY)
    return builder.chart(), D1 - 20 * H


def _ready(protocol: str) -> tuple[Chart, datetime]:
    return ChartBuilder(protocol).ready().chart(), D1


def _running(protocol: str) -> PaperCourse:
    course = PaperCourse(ChartBuilder(protocol).ready(), D1 - 30 * timedelta(minutes=1))
    course.ready_to_start().started()
    return course.later(minutes=20)


def _infusion(protocol: str) -> tuple[Chart, datetime]:
    course = _running(protocol)
    return course.chart, course.now


def _reaction(protocol: str) -> tuple[Chart, datetime]:
    course = _running(protocol)
    course.does("report_reaction", Role.NURSE, reaction_id="r-1", symptoms="chills")
    course.does("interrupt_infusion", Role.NURSE, infused_ml="12")
    course.later(minutes=10).does("report_reaction", Role.PHYSICIAN, reaction_id="r-1", grade=2)
    return course.chart, course.now


def _transplanted(protocol: str) -> tuple[Chart, datetime]:
    builder = ChartBuilder(protocol).ready().cycle(1, D1, response="CR", mrd_negative=True)
    builder.add({"kind": "transplant", "transplanted_at": (D1 + 40 * DAY).isoformat()}, D1 + 40 * DAY, Role.PHYSICIAN)
    builder.add({"kind": "monitoring_started"}, D1 + 40 * DAY, Role.ADMINISTRATOR)
    builder.labs(D1 + 46 * DAY, "alt", "ast", "alp", "bilirubin")
    return builder.chart(), D1 + 47 * DAY


_STARTS: dict[str, Callable[[str], tuple[Chart, datetime]]] = {
    "screening": _screening,
    "ready": _ready,
    "infusion": _infusion,
    "reaction": _reaction,
    "monitoring": _transplanted,
}
STARTS = tuple(_STARTS)


@cache
def start_of(name: str, protocol: str) -> Start:
    """The start of this name under this protocol."""
    chart, now = _STARTS[name](protocol)
    return Start(name, chart, now, name == "monitoring")


def known_ids(facts: tuple[Fact, ...]) -> dict[str, list[str]]:
    """What a message about this chart may name, by the field that names it."""
    ids = [fact.id for fact in facts][-12:]
    messages = [fact.what.sha256 for fact in facts if fact.what.kind == "unreadable_message"]
    named: dict[str, list[str]] = {"target": [*ids, *messages]}
    named["hold"] = [fact.id for fact in facts if fact.what.kind == "hold"]
    for fact in facts:
        for name in ("reaction_id", "preparation_id"):
            if hasattr(fact.what, name):
                named.setdefault(name, []).append(getattr(fact.what, name))
    return named
