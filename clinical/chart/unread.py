"""Messages that nobody could read, when there are many: who is called for each, and what is summed up (LAB-05).

Nothing is hidden: the gate is closed until all are settled, one by one, and the card always names the oldest.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from clinical.chart.reading import Reading
from models.facts import Fact, UnreadableMessage, UnreadableResolved

NAMED: Final = 20
"""So many are named on a card, and call a person each; a thousand calls are read by no one."""
SHOWN: Final = 12
"""So many digits of its hash name a message on a card; `resolve_unreadable` takes them."""
Waiting = Sequence[tuple[Fact, UnreadableMessage]]


def open_messages(reading: Reading) -> list[tuple[Fact, UnreadableMessage]]:
    """Messages that nobody has settled.

    A word on a fact of before it was set aside, or on a message of before it came again, settles neither.
    """
    settled: dict[str, datetime] = {}
    for fact, what in reading.of(UnreadableResolved):
        settled[what.target] = max(fact.recorded_at, settled.get(what.target, fact.recorded_at))
    return [
        (f, m)
        for f, m in reading.of(UnreadableMessage)
        if not any(name in settled and settled[name] >= f.recorded_at for name in (m.sha256, f.id))
    ]


def named(waiting: Waiting, target: str) -> str:
    """What a person means by `target`: the hash of the one message whose first digits these are, or else the word itself."""
    meant = {m.sha256 for _, m in waiting if len(target) >= SHOWN and m.sha256.startswith(target)}
    return meant.pop() if len(meant) == 1 else target


class Flood(NamedTuple):
    """What waits: each of `singly` calls for itself, what came on top of those is called for together, since `since`."""

    singly: Waiting
    since: datetime | None


def flood(reading: Reading, waiting: Waiting) -> Flood:
    """What a message counts as is settled when it comes: otherwise each one that is settled would call for the next."""
    alone = set[str]()
    counted, among, since = set[str](), set[str](), None
    for at, came, facts in _told(reading):
        if not came:
            counted -= facts
            among -= facts
        elif len(counted) < NAMED:
            counted |= facts
            alone |= facts
        else:
            since = since if among else at
            among |= facts
    further = [f for f, _ in waiting if f.id not in alone]
    if further and not among:  # what had settled them was taken back
        since = further[0].recorded_at
    return Flood([(f, m) for f, m in waiting if f.id in alone], since if further else None)


def _told(reading: Reading) -> Iterator[tuple[datetime, bool, set[str]]]:
    """Each message as it came, and each word that settled some; of one instant the message first."""
    messages, words = reading.of(UnreadableMessage), reading.of(UnreadableResolved)
    by_name: dict[str, set[str]] = {}
    told = [(f.recorded_at, True, f.id, m.sha256) for f, m in messages]
    told += [(f.recorded_at, False, what.target, "") for f, what in words]
    for at, came, name, content in sorted(told, key=lambda one: (one[0], not one[1])):
        if came:
            by_name.setdefault(content, set()).add(name)
            yield at, True, {name}
        else:
            yield at, False, {name, *by_name.pop(name, ())}
