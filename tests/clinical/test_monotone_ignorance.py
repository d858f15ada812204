"""M.0: a gate never opens because somebody knows less. Over random charts, what lets through and what stands are compared."""

import sys
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from checker.ignorance import is_held, is_open, known, lost, milder_by_time, opened
from clinical.assess import assess
from plumbing.protocol_files import load_protocol
from tests.examples import examples
from tests.unknowing import Charted, courses, worthless

TRIED = 3
"""How many of them are tried on one chart, each by itself."""
SPANS = tuple(
    timedelta(seconds=s)
    for s in (1, 1800, 2 * 3600, 6 * 3600, *(days * 86400 for days in (1, 2, 5, 8, 14, 21, 60, 200)))
)


def _shares(seen: Counter[str]) -> str:
    total = seen["charts"]
    return (
        ", ".join(f"{name} {100 * seen[name] // total} %" for name in ("open", "held or suspected"))
        + f" of {total} charts"
    )


def test_what_says_nothing_opens_nothing_and_lifts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()

    @examples(300)
    @given(courses(), st.data())
    def law(charted: Charted, data: st.DataObject) -> None:
        chart, protocol, now = charted
        rules = load_protocol(protocol)
        card = assess(chart, rules, now)
        before = known(card)
        seen.update({"charts": 1, "open": is_open(card), "held or suspected": is_held(card)})
        for _ in range(TRIED):
            longer, what = worthless(data.draw, chart, now)
            after = known(assess(longer, rules, now))
            note(f"{what} turned {before} into {after}")
            assert opened(before, after) == []
            assert lost(before, after) == []

    law()
    with capsys.disabled():
        sys.stdout.write(f"\nmonotone ignorance: {_shares(seen)}\n")
    assert 10 * seen["open"] >= 3 * seen["charts"]
    assert 10 * seen["held or suspected"] >= 3 * seen["charts"]


@examples(80)
@given(courses())
def test_time_alone_makes_nothing_milder(charted: Charted) -> None:
    """M.0, by time: apart from the list there, no hold, suspicion or call ends, and no dose becomes possible or larger."""
    chart, protocol, now = charted
    rules = load_protocol(protocol)
    come = chart.model_copy(update={"facts": tuple(f for f in chart.facts if f.recorded_at <= now)})
    before = known(assess(come, rules, now))
    for span in SPANS:
        after = known(assess(come, rules, now + span))
        note(f"{span} turned {before} into {after}")
        assert milder_by_time(before, after) == []
