"""The order of harm has a place for everything that can be open."""

import json

import pytest
from hypothesis import given

from clinical.assess import assess
from clinical.obligations.harm import Harm, harm_of_turn
from clinical.obligations.kinds import harm_of
from models.assessment import CourseState, Obligation
from models.facts import RungFired
from models.obligation_kinds import ObligationKind
from plumbing.protocol_files import load_protocol
from tests.examples import modest
from tests.strategies import charts


def test_the_classes_stand_in_the_order_of_harm() -> None:
    assert [harm.name for harm in sorted(Harm)] == [
        "GRAVEST",
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
    ("kind", "harm"),
    [
        (ObligationKind.REACTION, Harm.GRAVEST),
        (ObligationKind.IMPLAUSIBLE, Harm.GRAVEST),
        (ObligationKind.VOD, Harm.GRAVEST),
        (ObligationKind.RULES, Harm.URGENT),
        (ObligationKind.INFUSION, Harm.OBSERVATION),
        (ObligationKind.OBSERVATION, Harm.OBSERVATION),
        (ObligationKind.PREPARATION, Harm.PREPARATION),
        (ObligationKind.LIVER_TEST, Harm.LIVER_TEST),
        (ObligationKind.LIVER_TEST_AFTER_DOSE, Harm.LIVER_TEST),
        (ObligationKind.MONITORING_ENDS, Harm.LIVER_TEST),
        (ObligationKind.DOSE, Harm.DOSE),
        (ObligationKind.CYTOREDUCTION, Harm.DOSE),
        (ObligationKind.TRANSPLANT, Harm.DOSE),
        (ObligationKind.UNREADABLE, Harm.MESSAGE),
        (ObligationKind.REFUSED, Harm.MESSAGE),
    ],
)
def test_what_is_open_has_its_class(kind: ObligationKind, harm: Harm) -> None:
    assert harm_of(kind) is harm


@modest
@given(charts())
def test_the_key_of_every_obligation_of_any_chart_is_made_of_its_kind(drawn: object) -> None:
    chart, protocol, now = drawn  # type: ignore[misc]
    for o in assess(chart, load_protocol(protocol), now).obligations:
        assert o.key == o.kind.key(o.kind.name_in(o.key)), "and nothing of it is lost"
        assert o.kind is not ObligationKind.UNKNOWN


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("reaction-1a2b3c4d5e6f", ObligationKind.REACTION),
        ("reaction-1a2b3c4d5e6f-again", ObligationKind.REACTION_BACK),
        ("reaction-1a2b3c4d5e6f-death", ObligationKind.DEATH),
        ("liver-test-after-C1D1", ObligationKind.LIVER_TEST_AFTER_DOSE),
        ("liver-test-after-last-dose", ObligationKind.LIVER_TEST),
        ("liver-test-after-transplant", ObligationKind.LIVER_TEST),
        ("liver-test-repeat", ObligationKind.LIVER_TEST),
        ("dose-C2D1", ObligationKind.DOSE),
        ("first-dose", ObligationKind.FIRST_DOSE),
        ("again-nurse-vital-signs-C1D1-2", ObligationKind.AGAIN),
        ("rules-not-evaluated", ObligationKind.RULES),
        ("unreadable_message:fact/7", ObligationKind.UNREADABLE),
        ("message_refused:abcdef", ObligationKind.REFUSED),
        ("something-of-a-later-release", ObligationKind.UNKNOWN),
    ],
)
def test_what_an_earlier_release_kept_by_its_key_alone_is_read(key: str, kind: ObligationKind) -> None:
    kept = {"kind": "rung_fired", "obligation": key, "rung": "due", "due_at": "2026-03-02T09:00:00Z"}
    assert RungFired.model_validate_json(json.dumps(kept)).of is kind
    open_then = {
        "key": key,
        "title": "t",
        "rule": "MON-01",
        "owner": "nurse",
        "standing": "due",
        "clears": "c",
        "due_at": "2026-03-02T09:00:00Z",
        "overdue_at": "2026-03-02T09:00:00Z",
    }
    assert Obligation.model_validate_json(json.dumps(open_then)).kind is kind


@pytest.mark.parametrize("state", CourseState)
def test_every_turn_has_a_class(state: CourseState) -> None:
    assert harm_of_turn(state) in Harm


def test_what_nobody_has_classed_yet_is_looked_at_first() -> None:
    assert harm_of(ObligationKind("something-of-a-later-release")) is Harm.URGENT
