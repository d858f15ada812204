"""What casts doubt on a result beside others: a jump, two values of one draw, neutrophils above all white cells (PLAU-01).

A doubted result opens nothing until a person has confirmed it; what it would hold, raise or call for as a usable value it
holds, raises and calls for meanwhile (LAB-10). What was usable once goes on casting its doubt after it was torn (M.0).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from clinical.coding.units import label
from clinical.results.known import Known, Read, Unknown
from clinical.results.plausibility import Drawn, contradictions, jumps, more_than_all
from models.facts import Fact
from models.protocol import Protocol

Torn = Sequence[tuple[Fact, Known]]
"""Values that were usable once: withdrawn, or replaced by something that cannot be used."""
JUMPING = frozenset({"bilirubin", "platelets"})
"""Analytes whose change within a day is looked at."""


class Beside(NamedTuple):
    """What stands beside the results of one analyte: what is `torn` of it, and what people and other analytes say."""

    torn: Torn
    confirmed: frozenset[str]
    transfused: Iterable[datetime] = ()
    wholes: Sequence[Known] = ()
    """Leukocytes, of which the analyte is a part; also those that are torn."""


def in_doubt_beside(analyte: str, read: Read, beside: Beside, protocol: Protocol) -> Read:
    """The same with each result unknown that the others contradict, until a person confirms it."""
    if analyte in JUMPING:
        drawn = [*_drawn(beside.torn), *_drawn(read)]
        read = _doubted(analyte, read, jumps(analyte, drawn, protocol, beside.confirmed, beside.transfused))
    read = _without_contradictions(analyte, read, beside, protocol)
    wholes: dict[datetime, list[Drawn]] = {}
    for whole in _of([k for k in beside.wholes if k.is_exact]):
        wholes.setdefault(whole.at, []).append(whole)
    if not wholes:
        return read
    doubts = {part.fact: more_than_all(part, wholes.get(part.at, ())) for part in _drawn(read)}
    return _doubted(analyte, read, {f: why for f, why in doubts.items() if why and f not in beside.confirmed})


def _without_contradictions(analyte: str, read: Read, beside: Beside, protocol: Protocol) -> Read:
    """One message gives one draw two values under two codes: which is right a person says, and the other is gone."""
    both = (*beside.torn, *read)
    told = [(fact.message, k) for fact, k in both if fact.message and isinstance(k, Known) and k.is_exact]
    if len({(message, k.collected_at) for message, k in told}) == len(told):
        return read  # as nearly always: no message gives a draw two values
    drawn = [(message, Drawn(k.fact, k.collected_at, k.canonical)) for message, k in told]
    for group in contradictions(drawn, protocol.confirm.same_message_apart.number):
        doubted = {one.fact for one in group if one.fact not in beside.confirmed}
        if len(doubted) < len(group):
            read = [pair for pair in read if pair[1].fact not in doubted]
        else:
            read = _doubted(analyte, read, dict.fromkeys(doubted, "the same message gives this draw another value too"))
    return read


def _drawn(read: Read) -> list[Drawn]:
    return _of([k for _, k in read if isinstance(k, Known)])


def _of(known: Iterable[Known]) -> list[Drawn]:
    return [Drawn(k.fact, k.collected_at, k.canonical, k.comparator in ("<", "<=")) for k in known]


def _doubted(analyte: str, read: Read, why: dict[str, str]) -> Read:
    """The same with these results unknown, by fact, until a person confirms them."""
    if not why:
        return read
    return [(fact, _in_doubt(analyte, k, why[k.fact]) if k.fact in why else k) for fact, k in read]


def _in_doubt(analyte: str, found: Known | Unknown, why: str) -> Known | Unknown:
    if isinstance(found, Unknown):
        return found
    words = f"{label(analyte)} {found.said}: {why}; it waits for a person's confirmation"
    return Unknown(
        analyte, "PLAU-01", words, found.fact, found.collected_at, confirmable=True, against=found, doubted=True
    )
