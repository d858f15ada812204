"""Poison: well-formed messages at every limit of what may be said, four in a row into a course at five places of it.

No rule raises; at least half become facts; every limit of every field is tried. What lies beyond a limit is refused
before any rule is asked (`tests/models/test_bounds.py`).
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from clinical.course.case import Case
from clinical.decide import decide
from clinical.judge import ROLES
from clinical.treatment.treatment import Dose
from clinical.verdict import deviations
from models.bounds import LONGEST_ID, read_bounded
from models.carried import DecideRequest, Decision
from models.messages import MESSAGES, MachineMessage, Message, NamedMessage, Request
from models.people import Role
from plumbing.protocol_files import load_protocol
from tests.examples import TIMES
from tests.extremes import Leaf, Limit, Speaker, leaves, limits, with_one
from tests.factories import PEOPLE, PROTOCOLS
from tests.starts import STARTS, Start, known_ids, start_of

IN_A_ROW = 4
USUAL, A_SHARE = 3_600, 1_250
"""Messages of the usual run, and of each of the times that `make search` asks for: 25,000 for its twenty."""

PAUSES = [
    timedelta(),
    timedelta(minutes=7),
    timedelta(hours=2),
    timedelta(days=3),
    timedelta(days=8),
    timedelta(days=100),
]
GIVEN = frozenset({"id", "by"})
"""Fields that the search gives itself; their limits are those of a form."""

STATEMENTS = [name for name, kind in MESSAGES.items() if not issubclass(kind, Request)]
OFTEN = [*MESSAGES, *STATEMENTS * 2, *["record_finding"] * 25, *["lab_results"] * 10, *["correct_fact"] * 5]
"""Requests are mostly refused, findings and results are of many kinds: each kind of message with its share."""


@dataclass
class Found:
    """What a search has tried and met."""

    tried: int = 0
    accepted: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    at_limits: Counter[str] = field(default_factory=Counter)
    raised: list[str] = field(default_factory=list)


class Deck:
    """Every limit of every field of every kind of message, in a random order, and anew when all were drawn."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._left: list[tuple[type[Message], Leaf, Limit]] = []

    def drawn(self) -> tuple[type[Message], Leaf, Limit]:
        """The next one."""
        if not self._left:
            self._left = list(all_limits())
            self._rng.shuffle(self._left)
        return self._left.pop()


def search(number: int, seed: int) -> Found:
    """So many messages, four in a row; a row ends where a rule raises."""
    rng, found = Random(seed), Found()
    deck = Deck(rng)
    while found.tried < number:
        start = start_of(rng.choice(STARTS), rng.choice(PROTOCOLS))
        for _ in range(IN_A_ROW):
            start = start._replace(now=start.now + rng.choice(PAUSES))
            message, used = a_message(rng, start, deck)
            found.tried += 1
            found.kinds[message.name] += 1
            found.at_limits.update(used)
            try:
                decision = _decided(start, message)
                start = start._replace(chart=start.chart.with_facts(*decision.facts))
                if rng.random() < 1 / IN_A_ROW:
                    _decided(start._replace(now=start.now + rng.choice(PAUSES)))
            except Exception as error:  # noqa: BLE001 - whatever a rule raises is what is looked for
                found.raised.append(f"{start.name}, {message.name}: {type(error).__name__}: {error}"[:900])
                break
            found.accepted += decision.ruling is not None and decision.ruling.outcome == "accepted"
    return found


def _decided(start: Start, message: Message | None = None) -> Decision:
    named = None if message is None else NamedMessage.of(message)
    request = DecideRequest(chart=start.chart, now=start.now, monitoring=start.monitoring, message=named)
    return decide(request, load_protocol(start.chart.course.protocol.name), "poison")


def a_message(rng: Random, start: Start, deck: Deck) -> tuple[Message, set[str]]:
    """One message, and the limits that it stands at; another where its parts together are larger than a message may be."""
    while True:
        speaker = Speaker(rng, start.now, known_ids(start.chart.facts))
        kind = MESSAGES[rng.choice(OFTEN)]
        content, given = speaker.says(kind), _given(rng, kind, start)
        if rng.random() < 1 / 3:
            kind, leaf, limit = deck.drawn()
            content, given = with_one(kind, leaf, limit.value, speaker), _given(rng, kind, start)
            given.pop(leaf.name if not leaf.way else "", None)
            speaker.used.add(f"{leaf.name}: {limit.label}")
        given |= _of_the_same_kind(rng, start, content.get("replacement"))
        read = read_bounded(kind, json.dumps({**content, **given}).encode())
        if not isinstance(read, tuple):
            return read, speaker.used


def _of_the_same_kind(rng: Random, start: Start, replacement: dict[str, Any] | None) -> dict[str, str]:
    """The fact that a replacement can stand in place of, where the chart has one: another kind is always refused."""
    same = [f.id for f in start.chart.facts if replacement is not None and f.what.kind == replacement["kind"]]
    return {"target": rng.choice(same)} if same else {}


def _given(rng: Random, kind: type[Message], start: Start) -> dict[str, Any]:
    """Who says it, about whom, and nearly always about this course and this patient, at a time that has come."""
    # Most facts are taken back by a prescriber or a physician alone; whoever else asks is refused before any rule is.
    may = {Role.PRESCRIBER, Role.PHYSICIAN} if kind.name == "correct_fact" and rng.random() < 0.9 else ROLES[kind.name]
    by = PEOPLE[rng.choice(sorted(may))]
    given: dict[str, Any] = {"id": f"m-{rng.randrange(10**9)}", "by": str(by)}
    if rng.random() < 0.95:
        given["course_id"] = start.chart.course.course_id
    if rng.random() < 0.9:
        given["at"] = (start.now - rng.choice(PAUSES)).isoformat()
    if issubclass(kind, MachineMessage) and rng.random() < 0.95:
        given |= {"subject_hash": start.chart.course.subject_hash, "birth_hash": None}
    return given


def all_limits() -> Iterator[tuple[type[Message], Leaf, Limit]]:
    """Every limit that a well-formed message can stand at."""
    for kind in MESSAGES.values():
        for leaf in (leaf for leaf in leaves(kind) if leaf.name not in GIVEN):
            inside, _ = limits(leaf.name, leaf.annotation, leaf.notes)
            yield from ((kind, leaf, limit) for limit in inside)


@pytest.mark.hypothesis
def test_no_rule_raises_whatever_is_said_four_times_in_a_row() -> None:
    seed = 11 if TIMES == 1 else Random().randrange(10**9)
    found = search(USUAL if TIMES == 1 else A_SHARE * TIMES, seed)
    assert found.raised == [], f"seed {seed}"
    assert found.accepted >= found.tried * 0.4, "too much is refused before a rule has read it"
    assert set(found.kinds) == set(MESSAGES)
    every = {f"{leaf.name}: {limit.label}" for _, leaf, limit in all_limits()}
    assert every - set(found.at_limits) == set()


def test_the_search_meets_a_rule_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    where = deviations._where

    def planted(case: Case, dose: Dose) -> Iterator[str]:
        assert dose.slot.cycle < LONGEST_ID / 4
        yield from where(case, dose)

    monkeypatch.setattr(deviations, "_where", planted)
    found = next((found for seed in range(12) if (found := search(200, seed)).raised), Found())
    assert found.raised
    assert "record_administration" in found.raised[0]
