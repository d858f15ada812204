"""The order of harm has a place for everything that can be open."""

import pytest
from hypothesis import given

from clinical.assess import assess
from clinical.harm import OF_OBLIGATIONS, Harm, harm_of, harm_of_turn
from models.assessment import CourseState
from plumbing.protocol_files import load_protocol
from tests.examples import modest
from tests.strategies import charts


def test_the_classes_stand_in_the_order_of_harm() -> None:
    assert [harm.name for harm in sorted(Harm)] == [
        "URGENT",
        "OBSERVATION",
        "PREPARATION",
        "HELD_DOSE",
        "LIVER_TEST",
        "DOSE",
        "MESSAGE",
        "INBOX",
    ]


@pytest.mark.parametrize(
    ("key", "harm"),
    [
        ("reaction-r1", Harm.URGENT),
        ("implausible-potassium", Harm.URGENT),
        ("rules-not-evaluated", Harm.URGENT),
        ("infusion-C1D1", Harm.OBSERVATION),
        ("observation-C1D1", Harm.OBSERVATION),
        ("preparation-bag-9", Harm.PREPARATION),
        ("liver-test-after-transplant", Harm.LIVER_TEST),
        ("liver-test-repeat", Harm.LIVER_TEST),
        ("monitoring-ends", Harm.LIVER_TEST),
        ("dose-C1D8", Harm.DOSE),
        ("cytoreduction-review", Harm.DOSE),
        ("transplant-question", Harm.DOSE),
        ("unreadable-abcdef123456", Harm.MESSAGE),
        ("message_refused:abcdef", Harm.MESSAGE),
    ],
)
def test_what_is_open_has_its_class(key: str, harm: Harm) -> None:
    assert harm_of(key) is harm


@modest
@given(charts())
def test_every_obligation_of_any_chart_has_a_class_of_its_own(drawn: object) -> None:
    chart, protocol, now = drawn  # type: ignore[misc]
    begins = tuple(prefix for prefix, _ in OF_OBLIGATIONS)
    assert [
        o.key for o in assess(chart, load_protocol(protocol), now).obligations if not o.key.startswith(begins)
    ] == []


@pytest.mark.parametrize("state", CourseState)
def test_every_turn_has_a_class(state: CourseState) -> None:
    assert harm_of_turn(state) in Harm


def test_what_nobody_has_classed_yet_is_looked_at_first() -> None:
    assert harm_of("something-of-a-later-release") is Harm.URGENT
