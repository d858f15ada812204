"""What was worked out of a chart before never changes what is said of it later, at another time, or with further facts."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clinical.assess import assess
from clinical.told import told_by
from models.chart import Chart
from plumbing.protocol_files import load_protocol
from tests.factories import D1, ChartBuilder
from tests.strategies import charts, facts, protocols

hours = st.sampled_from([-48, -5, 0, 0, 1, 3, 30, 200])


def anew(chart: Chart) -> Chart:
    return Chart(course=chart.course, facts=chart.facts)


@given(charts(), st.data())
def test_a_chart_that_grew_is_assessed_as_one_that_is_read_anew(
    drawn: tuple[Chart, str, datetime], data: st.DataObject
) -> None:
    whole, name, now = drawn
    known = data.draw(st.integers(0, len(whole.facts)))
    grown = Chart(course=whole.course, facts=whole.facts[:known])
    for fact in whole.facts[known:]:
        asked_at = now + timedelta(hours=data.draw(hours))
        assess(grown, load_protocol(data.draw(protocols)), asked_at)
        grown = grown.with_facts(fact)
    protocol = load_protocol(name)
    for at in (now, now + timedelta(hours=data.draw(hours))):
        assert assess(grown, protocol, at) == assess(anew(grown), protocol, at)


@given(charts(), facts(1), facts(1))
def test_two_further_facts_with_one_id_are_two_what_ifs(
    drawn: tuple[Chart, str, datetime], one: object, other: object
) -> None:
    chart, name, now = drawn
    protocol = load_protocol(name)
    assess(chart, protocol, now)
    for fact in (one, other, one):
        longer = chart.with_facts(fact)  # type: ignore[arg-type]
        assert assess(longer, protocol, now) == assess(anew(longer), protocol, now)


@given(charts())
def test_a_copy_of_a_chart_with_other_facts_knows_nothing_of_the_first(drawn: tuple[Chart, str, datetime]) -> None:
    chart, name, now = drawn
    protocol = load_protocol(name)
    assess(chart, protocol, now)
    shorter = chart.model_copy(update={"facts": chart.facts[::2]})
    assert told_by(shorter).all_facts == shorter.facts
    assert [f.rule for f in assess(shorter, protocol, now).findings] == [
        f.rule for f in assess(anew(shorter), protocol, now).findings
    ]


def test_a_copy_of_a_chart_with_other_facts_reads_its_protocol_anew() -> None:
    amended = ChartBuilder()
    amended.add({"kind": "protocol_amended", "protocol": {"name": "other", "sha256": "0" * 64}, "reason": "newer"}, D1)
    chart = amended.chart()
    assert chart.protocol.name == "other"
    assert chart.model_copy(update={"facts": ()}).protocol == chart.course.protocol
    assert chart.model_copy().protocol.name == "other"
