"""REC-02: the record's entries and what only an execution knows, brought together: nothing twice, nothing lost."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.carried import Carried
from models.deciding import Answer
from models.facts import (
    Body,
    Fact,
    HoldSet,
    MonitoringStarted,
    RecordCompared,
    UnreadableMessage,
    UnreadableResolved,
    Weight,
)
from models.people import CLOCK
from models.record import MessageSeen, RecordEntry
from record.take_over import grown_together, take_over
from tests.record.factories import MONDAY, NURSE, a_chain, a_refusal

LATER = MONDAY + timedelta(minutes=1)
"""When a reset applies again what came after it."""


def said(message: str, what: Body, at: Any = MONDAY, index: int = 0) -> Fact:
    return Fact(id=f"{message}/{index}", by=NURSE, at=at, recorded_at=at, message=message, what=what)


def by_the_clock(fact_id: str, what: Body, at: Any = MONDAY) -> Fact:
    return Fact(id=fact_id, by=CLOCK, at=at, recorded_at=at, message="", what=what)


def seen(message: str, name: str = "record_finding", sha256: str = "a", *, refused: bool = False) -> MessageSeen:
    refusal = a_refusal() if refused else None
    return MessageSeen(name=name, id=message, sha256=sha256, by=str(NURSE), refusal=refusal)


def record_of(*facts: Fact, messages: Sequence[MessageSeen] = ()) -> list[RecordEntry]:
    return a_chain([], {"facts": facts, "messages": tuple(messages)})


def an_execution(*facts: Fact, answers: Sequence[Answer] = ()) -> Carried:
    return take_over(a_chain([])).model_copy(update={"facts": facts, "answers": tuple(answers)})


def adopted(entries: list[RecordEntry], own: Carried) -> tuple[Fact, ...]:
    """What is adopted; together with the record no id stands twice."""
    grown = grown_together(own, entries)
    ids = [f.id for f in (*grown.facts, *grown.adopted)]
    assert len(set(ids)) == len(ids)
    return grown.adopted


WEIGHT, OTHER = Weight(kg=Decimal(76)), Weight(kg=Decimal(67))


@pytest.mark.parametrize("what", [WEIGHT, HoldSet(reason="wait")])
def test_a_message_that_a_reset_applied_again_keeps_the_time_of_the_record(what: Body) -> None:
    entries = record_of(said("m-1", what), messages=[seen("m-1")])
    own = an_execution(said("m-1", what, LATER), answers=[Answer(message_id="m-1", sha256="a")])
    assert adopted(entries, own) == ()
    assert [f.at for f in grown_together(own, entries).facts] == [MONDAY]


def test_what_only_the_execution_was_told_is_adopted_with_its_answer() -> None:
    entries = record_of(said("m-1", WEIGHT), messages=[seen("m-1")])
    own = an_execution(said("m-2", OTHER), answers=[Answer(message_id="m-2", sha256="b")])
    assert adopted(entries, own) == own.facts
    assert {a.message_id for a in grown_together(own, entries).answers} == {"m-1", "m-2"}


def test_a_request_that_the_record_refused_is_not_granted_by_what_a_reset_turned_round() -> None:
    entries = record_of(messages=[seen("m-1", "hold", refused=True)])
    own = an_execution(said("m-1", HoldSet(reason="wait"), LATER), answers=[Answer(message_id="m-1", sha256="a")])
    assert adopted(entries, own) == ()
    assert [a.refusal is not None for a in grown_together(own, entries).answers] == [True]


def test_a_statement_that_the_record_refused_and_the_execution_took_is_not_lost() -> None:
    entries = record_of(messages=[seen("m-1", "record_finding", refused=True)])
    own = an_execution(said("m-1", WEIGHT), answers=[Answer(message_id="m-1", sha256="a")])
    assert adopted(entries, own) == own.facts
    assert [a.refusal for a in grown_together(own, entries).answers] == [None]


def test_another_message_under_the_same_id_is_kept_under_an_id_of_its_own_with_what_names_it() -> None:
    entries = record_of(said("m-1", WEIGHT), messages=[seen("m-1", sha256="a")])
    naming = said("m-2", UnreadableResolved(target="m-1/0", outcome="dismissed", reason="an example that names a fact"))
    own = an_execution(said("m-1", OTHER), naming, answers=[Answer(message_id="m-1", sha256="b")])
    other, names = adopted(entries, own)
    assert other.what == OTHER
    assert isinstance(names.what, UnreadableResolved)
    assert names.what.target == other.id


def unreadable(place: int, at: Any = MONDAY) -> Fact:
    what = UnreadableMessage(signal="lab_results", sha256="u" * 64, size=7, reason="no JSON")
    return by_the_clock(f"unreadable/{'u' * 32}/{place}", what, at)


def dismissed(message: str, target: str) -> Fact:
    return said(message, UnreadableResolved(target=target, outcome="dismissed", reason="seen"))


def test_an_unreadable_message_waits_once_wherever_a_reset_put_it() -> None:
    assert adopted(record_of(unreadable(3)), an_execution(unreadable(5, LATER))) == ()


def test_an_unreadable_message_that_was_dismissed_and_is_sent_again_is_news() -> None:
    before = unreadable(3)
    entries = record_of(before, dismissed("m-1", before.id), messages=[seen("m-1", "resolve_unreadable")])
    again = unreadable(5, LATER)
    assert adopted(entries, an_execution(again)) == (again,)
    assert adopted(entries, an_execution(before)) == (), "it came before the reset, and was dismissed after it"
    both = an_execution(again, dismissed("m-1", again.id))
    assert adopted(entries, both) == (), "both dismissed it"


def test_what_the_clock_said_is_one_whenever_it_was_said() -> None:
    begun = by_the_clock("monitoring/9", MonitoringStarted())
    assert adopted(record_of(begun), an_execution(by_the_clock("monitoring/11", MonitoringStarted(), LATER))) == ()
    compared = by_the_clock("record-compared/1", RecordCompared(outcome="ahead", words="differs"))
    assert adopted(record_of(begun), an_execution(compared)) == (compared,)


@pytest.mark.parametrize(("name", "judged_anew"), [("complete_infusion", True), ("start_infusion", False)])
def test_what_happened_and_was_refused_by_who_knew_less_is_judged_anew_and_a_request_is_not(
    name: str, judged_anew: bool
) -> None:
    mine = record_of(messages=[seen("m-1", name, refused=True)])
    refused = Answer(message_id="m-1", sha256="a", refusal=a_refusal())
    own = an_execution(answers=[refused]).model_copy(update={"unwritten": tuple(mine)})
    assert grown_together(own, record_of()).answers == (() if judged_anew else (refused,))
