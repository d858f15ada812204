"""What was worked out of a chart before never changes what is said of it later, at another time, or with further facts."""

import gc
import weakref
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clinical.assess import assess
from clinical.chart.told import told_by
from models.chart import Chart
from models.facts import Fact
from plumbing.protocol_files import load_protocol
from tests.factories import D1, ChartBuilder
from tests.strategies import charts, facts, protocols

AMENDED = {"kind": "protocol_amended", "reason": "newer"}
ACKNOWLEDGED = {"kind": "divergence_acknowledged", "reason": "known"}


def _amending(body: dict[str, object]) -> Fact:
    builder = ChartBuilder()
    builder.add(body, D1)
    return builder.facts[0]


amending = st.sampled_from(
    [
        _amending({**AMENDED, "protocol": {"name": name, "sha256": "0" * 64}, "missing": missing})
        for name, missing in (("one", []), ("two", ["DIV-01"]), ("three", ["DIV-01", "DIV-02"]))
    ]
    + [_amending({**ACKNOWLEDGED, "divergence": divergence}) for divergence in ("DIV-01", "DIV-02")]
)
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


def test_the_same_further_facts_give_the_same_chart_and_others_another_one() -> None:
    base, more = ChartBuilder().ready().chart(), ChartBuilder().screened().facts
    longer = base.with_facts(*more)
    assert base.with_facts(*more) is longer
    assert base.with_facts(*more[:-1]) is not longer
    begun = base.with_facts(*more[:-1])
    assert base.with_facts(*more) is begun.with_facts(more[-1])
    assert base.with_facts(*more) == longer
    equal = [fact.model_copy() for fact in more]
    assert base.with_facts(*equal) is not longer
    assert base.with_facts(*equal) == longer


@given(charts(), st.data())
def test_an_amendment_that_comes_piece_by_piece_is_the_one_of_the_whole_chart(
    drawn: tuple[Chart, str, datetime], data: st.DataObject
) -> None:
    whole, grown = drawn[0], Chart(course=drawn[0].course)
    for fact in [*whole.facts, *data.draw(st.lists(amending, max_size=4))]:
        if data.draw(st.booleans()):
            assert grown.protocol == anew(grown).protocol
        grown = grown.with_facts(fact)
    assert (grown.protocol, grown.pending_amendment) == (anew(grown).protocol, anew(grown).pending_amendment)


def test_a_chart_that_is_held_holds_the_one_after_it_and_not_all_that_follow() -> None:
    base, more = ChartBuilder().ready().chart(), ChartBuilder().ready().facts
    made, grown = [], base
    for fact in more:
        grown = grown.with_facts(fact)
        made.append(weakref.ref(grown))
    del grown
    gc.collect()
    assert len([one for one in made if one() is not None]) <= 1
