"""Results under a code that is not known here: on the card, and a person's to settle where a rule may read them (LAB-12, LAB-13).

What was withdrawn and is not known here, and what must not be used for what stands around it, waits for a person alike.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from clinical.chart.told import LAB
from clinical.chart.unread import NAMED
from clinical.coding.codes import OTHERS
from clinical.coding.marks import UNLISTED
from clinical.coding.meaning import shown
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.results.known import Unknown
from models.assessment import Finding, Input, Verdict
from models.base import counted
from models.facts import Fact, LabResult, LabStatus
from models.protocol import Override

UNCERTAIN: Final = frozenset({"LAB-12", "LAB-13"})
"""A result of which nobody can tell what it measures: it is said once, for all that it may be."""
SETTLED_BY_A_PERSON: Final = UNCERTAIN | {"LAB-14"}
WITHDRAWN_ONLY: Final = "LAB-09"
"""A withdrawal whose result is not known here: there is no value to transcribe."""
_LABELS: Final = 4


class Unsettled(NamedTuple):
    """A result that a person must settle: its fact, since when it is here, in our words what it may be, by which rule."""

    fact: str
    since: datetime
    what: str
    rule: str = "LAB-12"

    @property
    def clears(self) -> str:
        """What ends the waiting."""
        if self.rule == WITHDRAWN_ONLY:
            return f"resolve_unreadable of {self.fact}: dismiss it; or the result that it withdraws comes"
        return f"resolve_unreadable of {self.fact}: transcribe or dismiss it, or later usable results of all that it may be"


def uncertain_results(case: Case, unknown: tuple[Unknown, ...]) -> Iterator[Finding]:
    """LAB-12, LAB-13: one finding for each result of which nobody can tell what it is, whatever it may be."""
    for fact, together in _by_fact(u for u in unknown if u.rule in UNCERTAIN).items():
        first, liver = together[0], case.protocol.ages.liver_analytes.words
        reason = f"{_may_be(together)}: {first.why.removeprefix(f'{label(first.analyte)}: ')}"
        never = any(u.analyte in liver or u.high for u in together)
        yield case.finding(
            first.rule,
            Verdict.NEED_DATA,
            reason,
            inputs=(first.shown(),),
            clears=first.clears if len(together) == 1 else f"{first.by_a_person}, {_later(together)}",
            subject=fact,
            override=Override.NEVER if never else Override.PRESCRIBER,
        )


def unsettled(case: Case) -> list[Unsettled]:
    """What waits for a person who says what it is, the oldest first."""
    waiting = [u for u in case.results.unknown() if u.rule in SETTLED_BY_A_PERSON or u.stands]
    found = [
        _waiting(fact, case.recorded[fact], together)
        for fact, together in _by_fact(waiting).items()
        if fact in case.recorded
    ]
    found += [
        Unsettled(f.id, f.recorded_at, "a result was withdrawn that is not known here", WITHDRAWN_ONLY)
        for f, _ in case.results.withdraw_nothing()
    ]
    return sorted({one.fact: one for one in found}.values(), key=lambda one: (one.since, one.fact))


def _waiting(fact: str, since: datetime, together: list[Unknown]) -> Unsettled:
    if all(u.rule == WITHDRAWN_ONLY for u in together):
        what = f"a result of {_may_be(together)} was withdrawn that is not known here"
        return Unsettled(fact, since, what, WITHDRAWN_ONLY)
    return Unsettled(fact, since, f"a result that may be {_may_be(together)} cannot be used")


def not_known_here(case: Case) -> Iterator[Finding]:
    """LAB-13: results whose code is not known and that no rule reads, by code, name, value and unit, while they are fresh."""
    case.reading.rests_on(LAB)
    fresh: dict[tuple[str, str | None], tuple[Fact, LabResult]] = {}
    for version in case.reading.told.labs.get(UNLISTED, ()):
        what = version.what
        if isinstance(what, LabResult) and _is_worth_a_line(what) and _is_fresh(case, version.fact, what):
            fresh[what.loinc, what.display] = version.fact, what
    if not fresh:
        return
    newest = sorted(fresh.values(), key=lambda one: one[0].recorded_at, reverse=True)
    more = f", and {counted(len(newest) - NAMED, 'further code')}" if len(newest) > NAMED else ""
    words = ", ".join(shown(what) for _, what in newest[:NAMED])
    inputs = tuple(
        Input(name="not known here", value=shown(what), taken_at=what.collected_at, fact=fact.id)
        for fact, what in newest[:NAMED]
    )
    yield case.finding("LAB-13", None, f"not known here: {words}{more}", inputs=inputs, subject="unknown codes")


def _is_worth_a_line(what: LabResult) -> bool:
    return what.status is not LabStatus.ENTERED_IN_ERROR and what.loinc not in OTHERS


def _is_fresh(case: Case, fact: Fact, what: LabResult) -> bool:
    return not case.reading.passed((what.collected_at or fact.recorded_at) + case.protocol.ctcae.noted_for.span)


def _by_fact(unknown: Iterator[Unknown] | list[Unknown]) -> dict[str, list[Unknown]]:
    found: dict[str, list[Unknown]] = {}
    for one in unknown:
        found.setdefault(one.fact, []).append(one)
    return found


def _later(together: list[Unknown]) -> str:
    """Each analyte that it may be is known again by a later draw of its own."""
    return f"or usable results of later draws of {_may_be(together)}, of each of them"


def _may_be(together: list[Unknown]) -> str:
    labels = [label(u.analyte) for u in together]
    more = f" or {counted(len(labels) - _LABELS, 'other analyte')}" if len(labels) > _LABELS else ""
    return ", ".join(labels[:_LABELS]) + more
