"""Two protocols over the same charts: which decisions differ."""

from datetime import datetime

from clinical.assess import assess
from models.assessment import Assessment
from models.base import Frozen, Instant
from models.chart import Chart
from models.protocol import Protocol


class Decided(Frozen):
    """What a protocol decides of one chart at one instant, as far as two decisions are compared."""

    state: str
    verdict: str
    next_dose: str | None
    dose: str | None
    rules: tuple[str, ...]


class Differs(Frozen):
    """One chart that two protocols decide differently."""

    chart: str
    at: Instant
    a: Decided
    b: Decided


def decided(card: Assessment) -> Decided:
    """The decision behind a card: state, verdict, dose with level, and the rules that ask for something."""
    dose = None if card.dose is None else f"{card.dose.mg_per_m2} mg/m2 = {card.dose.mg} mg ({card.dose.level})"
    rules = tuple(dict.fromkeys(f"{f.rule} {f.subject}".strip() for f in card.standing))
    return Decided(state=card.state, verdict=card.verdict, next_dose=card.next_dose, dose=dose, rules=rules)


def difference(name: str, chart: Chart, a: Protocol, b: Protocol, at: datetime) -> Differs | None:
    """How the two protocols differ on this chart at this instant; `None` where they decide alike."""
    first, second = decided(assess(chart, a, at)), decided(assess(chart, b, at))
    return None if first == second else Differs(chart=name, at=at, a=first, b=second)
