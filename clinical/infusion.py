"""How far the running infusion is: what has run in, what is left, and until when it may go on (INF-05, INF-06, PREP-12)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from clinical.case import Case
from clinical.treatment import Dose
from models.facts import InfusionInterrupted, InfusionResumed, InfusionStarted, Preparation

HOUR = timedelta(hours=1)
HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True)
class Flow:
    """The infusion under way: its dose, what has run in by its last change, its rate since, and where it stands still."""

    dose: Dose
    mg: Decimal
    infused_ml: Decimal
    volume_ml: Decimal
    rate_ml_per_h: Decimal
    since: datetime
    interrupted: bool
    expires_at: datetime | None

    @property
    def remaining_ml(self) -> Decimal:
        """What was left in the bag at the last change."""
        return max(self.volume_ml - self.infused_ml, Decimal(0))

    @property
    def ends_at(self) -> datetime:
        """When it is empty, if it goes on as it does since the last change."""
        return self.since + needed(self.remaining_ml, self.rate_ml_per_h)

    def last_resumption(self, rate_ml_per_h: Decimal) -> datetime | None:
        """INF-06: the last instant at which the rest, at this rate, still ends within 8 h of reconstitution."""
        return None if self.expires_at is None else self.expires_at - needed(self.remaining_ml, rate_ml_per_h)

    @property
    def given_mg(self) -> Decimal:
        """What has run in, in mg: any amount counts as a dose, and the rest is never made up later (INF-06)."""
        return (self.mg * self.infused_ml / self.volume_ml).quantize(HUNDREDTH, rounding=ROUND_HALF_UP)


def needed(ml: Decimal, rate_ml_per_h: Decimal) -> timedelta:
    """How long so much takes at a rate, to the second and never too short."""
    return timedelta(seconds=int((ml * _seconds(HOUR) / rate_ml_per_h).to_integral_value(rounding=ROUND_CEILING)))


def flow(case: Case) -> Flow | None:
    """The infusion under way; none while none runs. What had run in is read from the pump, or computed from the time."""
    running = case.running
    if running is None:
        return None
    preparing = case.protocol.preparation
    infused, rate, since, still = Decimal(0), preparing.rate.number, running.started_at, False
    changes = [*case.reading.of(InfusionInterrupted), *case.reading.of(InfusionResumed)]
    for fact, what in sorted(changes, key=lambda pair: (pair[0].at, pair[0].recorded_at)):
        if fact.at < running.started_at:
            continue
        if isinstance(what, InfusionResumed):
            rate, since, still = what.rate_ml_per_h, fact.at, False
        elif isinstance(what, InfusionInterrupted) and not still:
            by_time = infused + rate * _seconds(fact.at - since) / _seconds(HOUR)
            infused = min(what.infused_ml if what.infused_ml is not None else by_time, preparing.bag_volume.number)
            since, still = fact.at, True
    started = next(what for fact, what in case.reading.of(InfusionStarted) if fact.id == running.fact)
    return Flow(
        running,
        started.mg,
        infused,
        preparing.bag_volume.number,
        rate,
        since,
        still,
        _expiry(case, started.preparation_id),
    )


def interrupted(case: Case) -> Flow | None:
    """The infusion that stands still."""
    found = flow(case)
    return found if found is not None and found.interrupted else None


def _expiry(case: Case, preparation_id: str) -> datetime | None:
    made = [p for _, p in case.reading.of(Preparation) if p.preparation_id == preparation_id]
    return made[-1].reconstituted_at + case.protocol.preparation.to_end.span if made else None


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1))
