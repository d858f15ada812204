"""A chart arrival by arrival: what was known with each message that came (E1, VOD-13). Nothing that is said later undoes it."""

from collections.abc import Iterator

from clinical.course.case import Case
from models.chart import Chart
from models.facts import Fact


def of_one_message(fact: Fact, following: Fact) -> bool:
    """Whether two facts arrived together."""
    return bool(fact.message) and fact.message == following.message and fact.recorded_at == following.recorded_at


def chart_to(case: Case, chart: Chart | None, facts: tuple[Fact, ...], end: int) -> Chart:
    """The chart as it was then; the one before it is read on from."""
    if chart is None:
        return Chart(course=case.course, facts=facts[:end])
    return chart.with_facts(*facts[len(chart.facts) : end])


def ends(facts: tuple[Fact, ...], start: int) -> Iterator[int]:
    """Where each message ends, from a place on."""
    for i in range(start, len(facts)):
        if i + 1 == len(facts) or not of_one_message(facts[i], facts[i + 1]):
            yield i + 1
