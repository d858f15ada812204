"""`assess` as a whole: it answers every chart, always alike, and says truly until when its answer stands."""

from datetime import datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from clinical.assess import assess
from models.assessment import Assessment, CourseState, Verdict
from models.chart import Chart
from models.facts import Body
from plumbing.protocol_files import load_protocol
from tests.examples import many, modest
from tests.factories import D1, LABEL, ChartBuilder, notes, standing_rules
from tests.strategies import BODIES, charts

Charted = tuple[Chart, str, datetime]
SECOND = timedelta(seconds=1)


def test_the_charts_made_here_hold_every_kind_of_fact() -> None:
    kinds = {kind.model_fields["kind"].default for kind in Body.__origin__.__args__}
    assert set(BODIES) == kinds


@many
@given(charts())
def test_every_chart_is_answered(charted: Charted) -> None:
    chart, protocol, now = charted
    card = assess(chart, load_protocol(protocol), now)
    assert card.as_of == now
    assert card.valid_until is None or card.valid_until > now
    assert all(o.next_change_at is None or o.next_change_at > now for o in card.obligations)


@many
@given(charts())
def test_a_dose_may_be_signed_only_with_a_dose_on_the_card(charted: Charted) -> None:
    chart, protocol, now = charted
    card = assess(chart, load_protocol(protocol), now)
    may = {c.command for c in card.commands if c.may}
    if "authorise_dose" in may or "start_infusion" in may:
        assert card.dose is not None
        assert card.dose.mg > 0
        assert not card.standing
    assert ("start_infusion" in may) == (card.verdict is Verdict.MAY_START)


@modest
@given(charts())
def test_the_same_chart_is_always_answered_alike(charted: Charted) -> None:
    chart, protocol, now = charted
    again = Chart.model_validate_json(chart.model_dump_json())
    assert assess(chart, load_protocol(protocol), now) == assess(again, load_protocol(protocol), now)


def _what_it_says(card: Assessment) -> object:
    findings = [(f.rule, f.verdict, f.reason, f.clears, f.inputs) for f in card.findings]
    commands = [(c.command, c.may, c.refusal, c.rules) for c in card.commands]
    open_now = [(o.key, o.due_at, o.overdue_at, o.standing) for o in card.obligations]
    return card.state, card.verdict, card.next_dose, card.dose, findings, commands, open_now


@many
@given(charts(), st.floats(0, 1), st.floats(0, 1))
def test_nothing_changes_before_valid_until(charted: Charted, early: float, late: float) -> None:
    """Instants are whole seconds here: a limit with `>` is crossed within the second that ends at `valid_until`."""
    chart, protocol, now = charted
    card = assess(chart, load_protocol(protocol), now)
    until = card.valid_until or now + timedelta(days=400)
    span = int((until - now) / SECOND)
    for seconds in {1, int(early * span), int(late * span), span // 2, span - 1} - {0, span}:
        if 0 < seconds < span:
            later = assess(chart, load_protocol(protocol), now + seconds * SECOND)
            assert _what_it_says(later) == _what_it_says(card), f"changed {seconds} s after {now}, not at {until}"


@modest
@given(charts(most=2))
def test_from_one_valid_until_to_the_next_nothing_changes_in_between(charted: Charted) -> None:
    chart, name, now = charted
    protocol = load_protocol(name)
    for _ in range(6):
        card = assess(chart, protocol, now)
        if card.valid_until is None:
            return
        assert card.valid_until > now
        for instant in (now + (card.valid_until - now) / 2, card.valid_until - SECOND):
            if now < instant.replace(microsecond=0):
                later = assess(chart, protocol, instant.replace(microsecond=0))
                assert _what_it_says(later) == _what_it_says(card)
        now = card.valid_until


@many
@given(charts(), st.integers(1, 120 * 86400))
def test_due_and_overdue_do_not_depend_on_when_one_asks(charted: Charted, seconds: int) -> None:
    chart, protocol, now = charted
    asked_at = max([now, *(f.recorded_at for f in chart.facts), *(f.at for f in chart.facts)])
    then = asked_at + seconds * SECOND
    first = {o.key: o for o in assess(chart, load_protocol(protocol), asked_at).obligations}
    second = {o.key: o for o in assess(chart, load_protocol(protocol), then).obligations}
    both = set(first) & set(second)
    assume(both)
    for key in both:
        assert (first[key].due_at, first[key].overdue_at) == (second[key].due_at, second[key].overdue_at)


def test_a_fact_recorded_later_is_not_read_yet_and_its_time_is_a_change_to_come() -> None:
    builder = ChartBuilder().ready()
    builder.add({"kind": "hold", "reason": "wait"}, D1, recorded_at=D1 + timedelta(minutes=5))
    card = assess(builder.chart(), load_protocol(LABEL), D1)
    assert card.verdict is Verdict.MAY_AUTHORISE
    assert "LAB-04" in notes(card)
    assert card.valid_until == D1 + timedelta(minutes=5)


def test_where_the_zone_of_the_site_is_not_known_nothing_is_given() -> None:
    card = assess(ChartBuilder(zone="Europe/Atlantis").ready().chart(), load_protocol(LABEL), D1)
    assert (card.state, card.verdict) == (CourseState.HELD, Verdict.HOLD)
    assert standing_rules(card) == ["PIN-01"]
