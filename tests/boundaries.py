"""How a limit is tried: just below, exactly at, and just above it, in each unit of the analyte, against the printed number.

A table names each numeric entry of a protocol with its comparison as the clinical reference prints it and a patient in
whom nothing but this limit decides. The number is the one that the reference prints (`tests/reference.py`), so that a
number changed in the file alone is found as well.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.assessment import Assessment, Verdict
from plumbing.protocol_files import load_protocol
from tests.factories import LABEL, PROTOCOLS, PaperCourse
from tests.reference import printed
from tests.scenarios import HOUR, Story, lab, said, then
from tests.units import BILIRUBIN, ENZYME, UNITS, has_image, in_unit

MULTIPLES = {"alt": tuple(ENZYME), "bilirubin": tuple(BILIRUBIN)}
"""In which units a multiple of a ULN is told."""

ULN_IN = {"U/L": "55", "ukat/L": "0.9", "nkat/L": "900", "mg/dL": "1.2", "umol/L": "20.5", "mg/L": "12"}
ASKS = {">": (False, False, True), ">=": (False, True, True), "<": (True, False, False), "<=": (True, True, False)}
"""What is answered below, at and above a limit."""
Answer = Callable[[str, Any, str], bool]


@dataclass(frozen=True)
class Boundary:
    """One entry: its comparison, who answers, the smallest step around it, and the units that it is told in.

    `answer(protocol, value, unit)` says whether the rule spoke; the value is in the unit of the limit. `of` gives the
    three points where they are not value minus step, value and value plus step. `analyte`: told in each of its units, or
    in those named; `printed_in`: the limit's own unit where that is not the first of them. Where the limit has no image
    in a unit that ends, only what lies beside it is tried there.
    """

    sign: str
    answer: Answer
    step: Any = Decimal("0.01")
    units: tuple[str, ...] = ()
    analyte: str = ""
    printed_in: str = ""
    of: Callable[[Any], tuple[Any, Any, Any]] | None = None
    note: str = ""
    under: str = LABEL

    def points(self, value: Any) -> tuple[Any, Any, Any]:
        """Just below, at, and just above."""
        return self.of(value) if self.of is not None else (value - self.step, value, value + self.step)

    def has_image(self, value: Decimal, unit: str) -> bool:
        """Whether the limit itself can be told in this unit."""
        return not self.analyte or has_image(self.analyte, value, unit, self.printed_in)

    @property
    def told_in(self) -> tuple[str, ...]:
        """The units named, or all of the analyte."""
        return self.units or tuple(UNITS[self.analyte] if self.analyte else ("",))


# ── who answers ────────────────────────────────────────────────────────────────────────────────────────────────────


def kg(per_cent: Decimal) -> str:
    """70 kg and so much more."""
    return format(70 * (1 + per_cent / 100), "f")


def asks(card: Assessment, *rules: str, subject: str | None = None) -> bool:
    return any(f.rule in rules and subject in (None, f.subject) for f in card.standing)


def multiple_of_uln(story: Story, analyte: str, *rules: str) -> Answer:
    """A result at a multiple of its own ULN."""

    def answer(protocol: str, value: Decimal, unit: str) -> bool:
        uln = Decimal(ULN_IN[unit])
        told = format(value * uln, "f")
        return asks(then(story, lab(analyte, told, unit=unit, uln=uln))(protocol).card, *rules)

    return answer


def result(story: Story, analyte: str, *rules: str, ago: timedelta = HOUR) -> Answer:
    """A result given in the unit of the limit, told in another."""

    def answer(protocol: str, value: Decimal, unit: str) -> bool:
        told = in_unit(analyte, value, unit)
        return asks(then(story, lab(analyte, told, unit=unit, ago=ago))(protocol).card, *rules)

    return answer


def given(story: Callable[[Any], Story], seen: Callable[[Assessment], bool]) -> Answer:
    """A story made of the value itself."""
    return lambda protocol, value, unit: seen(story(value)(protocol).card)


def asking(*rules: str, subject: str | None = None) -> Callable[[Assessment], bool]:
    return lambda card: asks(card, *rules, subject=subject)


def saying(rule: str) -> Callable[[Assessment], bool]:
    return lambda card: bool(said(card, rule))


def verdict(wanted: Verdict) -> Callable[[Assessment], bool]:
    return lambda card: card.verdict is wanted


def as_old_as(story: Story, taken_ago: timedelta, *rules: str, subject: str | None = None) -> Answer:
    """What was taken so long before the story's now, looked at when it is as old as the limit."""

    def answer(protocol: str, age: timedelta, unit: str) -> bool:
        course = story(protocol)
        course.now += age - taken_ago
        return any(f.rule in rules and (subject or "") in f"{f.subject} {f.reason}" for f in course.card.standing)

    return answer


def obligation(story: Story, since: Callable[[PaperCourse], Any], rule: str, *standings: str, key: str = "") -> Answer:
    """How an obligation stands so long after an instant of the story."""

    def answer(protocol: str, span: timedelta, unit: str) -> bool:
        course = story(protocol)
        course.now = since(course) + span
        return any(o.rule == rule and key in o.key and o.standing in standings for o in course.card.obligations)

    return answer


# ── every try of a table ───────────────────────────────────────────────────────────────────────────────────────────

WORDS = ("just below", "at", "just above")
Table = Mapping[str, tuple[Boundary, ...]]


def tries(table: Table) -> list[Any]:
    """Path, boundary, protocol, unit and position (below, at, above) of every try, each with its name.

    Under the protocol that the boundary names (the label, unless a rule is another's own), and under every other one
    that gives the entry a value of its own.
    """
    return [pytest.param(*v, id=f"{v[0]}-{v[2]}-{v[3]}-{WORDS[v[4]]}".replace("--", "-")) for v in _variants(table)]


def _variants(table: Table) -> Iterator[tuple[str, Boundary, str, str, int]]:
    label = dict(load_protocol(LABEL).entries())
    for protocol in PROTOCOLS:
        for path, entry in load_protocol(protocol).entries():
            for boundary in table.get(path, ()):
                if protocol == boundary.under or entry.value != label[path].value:
                    for unit in boundary.told_in:
                        points = range(3) if boundary.has_image(printed(path, protocol).number, unit) else (0, 2)
                        yield from ((path, boundary, protocol, unit, n) for n in points)


def holds(path: str, boundary: Boundary, protocol: str, unit: str, position: int) -> None:
    """The rule answers as the comparison says."""
    limit = printed(path, protocol)
    points = boundary.points(limit.span if isinstance(boundary.step, timedelta) else limit.number)
    assert boundary.answer(protocol, points[position], unit) == ASKS[boundary.sign][position]
