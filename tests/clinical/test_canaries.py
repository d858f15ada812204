"""No drug, identifier, value or word of a person in a key, a title, a log line or a search attribute, whatever is said.

Every text and identifier of every message is a canary, and every number; the messages go into courses at five places.
"""

import asyncio
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

from activities.notify import to_the_log
from clinical.decide import decide
from clinical.judge import ROLES
from models.bounds import read_bounded
from models.carried import DecideRequest, Decision
from models.chart import Chart
from models.facts import ObligationMet, RungFired
from models.messages import MESSAGES, NamedMessage
from models.notification import Notification
from plumbing.logging import configure_logging
from plumbing.protocol_files import load_protocol
from tests.extremes import Speaker
from tests.factories import D1, LABEL, PEOPLE, ChartBuilder, a_lab
from tests.starts import STARTS, known_ids, start_of
from workflows import obligation_timers, shown

WORDS, NUMBER = ("Canaryazole", "canary-7f3d"), "97531.246"
CANARIES = ("canary", "97531.2")


class Canary(Speaker):
    """Says nothing but canaries, where no choice is given and no limit forbids it."""

    def _usual(self, name: str, annotation: Any, inside: Any) -> Any:
        if annotation is str:
            return self.rng.choice([*self.known.get(name, ()), *WORDS])
        usual = super()._usual(name, annotation, inside)
        return NUMBER if isinstance(usual, str) and name not in ("rate_ml_per_h", "infused_ml", "total_ml") else usual


def outside(chart: Chart, decision: Decision) -> Iterator[str]:
    """All that leaves the encrypted part of a course: keys, titles, ids of the service's own facts, log lines, attributes."""
    card = decision.assessment
    by_key = {o.key: o for o in card.obligations}
    for one in card.obligations:
        yield from (one.key, one.title, obligation_timers._summary(one))
    for fact in decision.facts:
        if isinstance(fact.what, RungFired | ObligationMet):
            yield from (fact.id, fact.what.obligation)
        if isinstance(fact.what, RungFired) and fact.what.obligation in by_key:
            yield from _logged(chart, fact.what, by_key[fact.what.obligation].title)
    yield json.dumps(shown.attributes_of(card, card.as_of, card.as_of), default=str)


def _logged(chart: Chart, rung: RungFired, title: str) -> Iterator[str]:
    called = Notification(
        key=f"{chart.course.course_id}/{rung.obligation}/{rung.rung}",
        course_id=chart.course.course_id,
        title=title,
        rule="MON-01",
        owner=PEOPLE[next(iter(PEOPLE))].role,
        rung=rung.rung,
        due_at=rung.due_at,
        fired_at=rung.due_at,
    )
    lines = io.StringIO()
    configure_logging(lines)
    asyncio.run(to_the_log(called))
    yield lines.getvalue()


def canaries_in(said: Iterator[str]) -> list[str]:
    return [text for text in said if any(canary in text.casefold() for canary in CANARIES)]


def test_nothing_that_is_said_flies_out_of_a_key_a_title_a_log_line_or_a_search_attribute() -> None:
    rng, protocol, accepted = Random(20261130), load_protocol(LABEL), set[str]()
    for number in range(len(MESSAGES) * 8):
        start = start_of(STARTS[number % len(STARTS)], LABEL)
        chart, now = start.chart, start.now
        for kind in (list(MESSAGES)[number % len(MESSAGES)], rng.choice(list(MESSAGES)), "record_finding"):
            speaker = Canary(rng, now, known_ids(chart.facts), extreme=0)
            given = {"id": f"m-{len(chart.facts)}", "by": str(PEOPLE[rng.choice(sorted(ROLES[kind]))])}
            if "subject_hash" in MESSAGES[kind].model_fields:
                given |= {"subject_hash": chart.course.subject_hash}
            content = {**speaker.says(MESSAGES[kind], **given)}
            for name in ("course_id", "birth_hash"):
                content.pop(name, None)
            message = read_bounded(MESSAGES[kind], json.dumps(content).encode())
            if isinstance(message, tuple):
                continue
            for at, named in ((now, NamedMessage.of(message)), (now + timedelta(days=30), None)):
                request = DecideRequest(chart=chart, now=at, monitoring=start.monitoring, message=named)
                decision = decide(request, protocol, "test")
                assert canaries_in(outside(chart, decision)) == []
                if named is not None and decision.ruling is not None and decision.ruling.outcome == "accepted":
                    chart = chart.with_facts(*decision.facts)
                    accepted.add(kind)
            now += timedelta(hours=3)
    assert len(accepted) >= 20


def test_a_drug_a_reaction_a_preparation_and_a_high_value_are_called_without_their_names() -> None:
    builder = ChartBuilder().ready().dose(1, 1, D1, observed=False)
    builder.add({"kind": "medication", "drug": "Canaryazole", "qt_prolonging": True}, D1)
    builder.add({"kind": "reaction", "reaction_id": "canary-1"}, D1 + timedelta(minutes=5))
    builder.add(a_lab("alt", NUMBER, at=D1 + timedelta(hours=1)), D1 + timedelta(hours=1))
    note = {"kind": "observation_ended", "minutes": 20, "complete": False, "note": "canary wanted to go"}
    builder.add(note, D1 + timedelta(minutes=80))
    decision = decide(DecideRequest(chart=builder.chart(), now=D1 + timedelta(days=8)), load_protocol(LABEL), "test")
    families = {o.key.partition("-")[0] for o in decision.assessment.obligations}
    assert {"ecg", "reaction", "implausible", "broken"} <= families
    assert canaries_in(outside(builder.chart(), decision)) == []
