"""How far the running infusion is: what has run in, what is left, and until when it may go on (INF-05, INF-06, PREP-12).

Also what was read off the pump and cannot be right, and an observation that was broken off (INF-04).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from clinical.chart.calendar import HOUR, MINUTE
from clinical.chart.reading import What
from clinical.course.case import Case
from clinical.treatment.treatment import Dose
from models.assessment import Finding
from models.base import Frozen, plain
from models.facts import (
    Fact,
    InfectionBleedingCheck,
    InfusionInterrupted,
    InfusionResumed,
    ObservationEnded,
    Preparation,
    Reaction,
    VitalSigns,
    VodExamination,
)

HUNDREDTH = Decimal("0.01")
DISCARDING = "complete_infusion with stopped_early or given_mg"
"""How it is charted that the rest of the bag was discarded (INF-05)."""


@dataclass(frozen=True)
class Read:
    """A reading of the pump: the mL that it showed, and what can have run in by the end of the minute that is charted."""

    fact: Fact
    ml: Decimal
    possible_ml: Decimal


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
    by_reaction: bool = False
    """Nobody has charted that it stands still: a reaction stopped it (IRR-04)."""
    reads: tuple[Read, ...] = ()

    @property
    def remaining_ml(self) -> Decimal:
        """What was left in the bag at the last change."""
        return max(self.volume_ml - self.infused_ml, Decimal(0))

    @property
    def ends_at(self) -> datetime:
        """When it is empty, if it goes on as it does since the last change."""
        return self.since + needed(self.remaining_ml, self.rate_ml_per_h)

    def run_in_by(self, at: datetime) -> Decimal:
        """The mL that have run in by then, as it went on since the last change, whatever the bag held."""
        return self.infused_ml + (Decimal(0) if self.interrupted else self.rate_ml_per_h * _hours(at - self.since))

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
    """The infusion under way; none while none runs."""
    return None if case.running is None else flow_of(case, case.running)


def flow_of(case: Case, dose: Dose) -> Flow:
    """An infusion of here up to its last change. What had run in is read from the pump, or computed from the time."""
    preparing = case.protocol.preparation
    rate, ran = preparing.rate.number, (Decimal(0), dose.started_at)  # what had run in when it last began to run
    stop: Fact | None = None
    infused, since = ran
    reads: list[Read] = []
    for fact, what in _changes(case, dose):
        if isinstance(what, InfusionInterrupted) and what.infused_ml is not None:
            ran_until = fact.at if stop is None or isinstance(stop.what, Reaction) else stop.at
            # what is charted at a minute may have been at its end
            possible = ran[0] + rate * _hours(ran_until + MINUTE - ran[1])
            reads.append(Read(fact, what.infused_ml, possible))
        if isinstance(what, InfusionResumed):
            rate, ran, stop = what.rate_ml_per_h, (infused, fact.at), None
        elif stop is None or (isinstance(stop.what, Reaction) and isinstance(what, InfusionInterrupted)):
            read = what.infused_ml if isinstance(what, InfusionInterrupted) else None
            by_time = ran[0] + rate * _hours(fact.at - ran[1])
            infused, stop = min(read if read is not None else by_time, preparing.bag_volume.number), fact
        since = fact.at if stop is None or stop is fact else since
    by_reaction = stop is not None and isinstance(stop.what, Reaction)
    volume, expires_at = preparing.bag_volume.number, expiry(case, dose.bag)
    return Flow(dose, dose.mg, infused, volume, rate, since, stop is not None, expires_at, by_reaction, tuple(reads))


Change = InfusionInterrupted | InfusionResumed | Reaction


def _changes(case: Case, dose: Dose) -> list[tuple[Fact, Change]]:
    """What stopped this infusion and let it go on, in order: IRR-04, any reaction that begins or comes back stops it."""
    found: list[tuple[Fact, Change]] = [*case.reading.of(InfusionInterrupted), *case.reading.of(InfusionResumed)]
    begun = {what.reaction_id: (fact, what) for fact, what in reversed(case.reading.of(Reaction))}
    back = {fact.id for r in case.reactions for fact in r.returns}
    found += [*begun.values(), *(pair for pair in case.reading.of(Reaction) if pair[0].id in back)]
    mine = [
        (f, what) for f, what in found if dose.started_at <= f.at and (dose.ended_at is None or f.at <= dose.ended_at)
    ]
    told = {
        f.id: i for i, f in enumerate(case.reading.in_order("infusion_interrupted", "infusion_resumed", "reaction"))
    }
    return sorted(mine, key=lambda pair: (pair[0].at, pair[0].recorded_at, told[pair[0].id]))


def interrupted(case: Case) -> Flow | None:
    """The infusion that stands still."""
    found = flow(case)
    return found if found is not None and found.interrupted else None


def so_far(case: Case, dose: Dose) -> str:
    """How an infusion that has not ended goes: it runs, or stands still with what has run in; nothing here is counted yet."""
    found = flow_of(case, dose)
    if found.interrupted:
        how = "is to stand still" if found.by_reaction else "stands still"
        return f"{how}, {plain(found.given_mg)} of {plain(dose.mg)} mg have run in"
    return "runs although the drug was stopped for good" if case.stopped_for_good else "runs"


def under_way(case: Case) -> str:
    """The dose at the bedside in words: how much it is, how it goes, and by when it or its observation ends."""
    dose = case.running or case.in_observation
    if dose is None:
        return ""
    if dose.ended_at is not None:
        until = dose.ended_at + case.protocol.observation.minimum.span
        return f"{dose.slot} ended at {clock(case, dose.ended_at)}, observed until {clock(case, until)}"
    found = flow_of(case, dose)
    words = f"{dose.slot}, {plain(dose.mg)} mg, {so_far(case, dose)}, since {clock(case, found.since)}"
    return words if found.interrupted else f"{words}; it ends at {clock(case, found.ends_at)}"


def clock(case: Case, at: datetime) -> str:
    """The time of day at the site, as it is told at the bedside."""
    return f"{at.astimezone(case.reading.zone):%H:%M}"


def first_act(case: Case) -> str:
    """IRR-04: that the infusion must be stopped, until somebody has charted that it stands still; else nothing."""
    found = flow(case)
    if found is None or (found.interrupted and not found.by_reaction):
        return ""
    if case.stopped_for_good:
        return "stop the infusion for good"
    return "stop the infusion" if found.by_reaction or case.reaction_running is not None else ""


# ── readings that cannot be right ──────────────────────────────────────────────────────────────────────────────────


def pump_notes(case: Case) -> Iterator[Finding]:
    """INF-05: a reading of the pump below an earlier one is questioned and never refused; one that is too high is asked
    about (INF-07)."""
    before = Decimal(0)
    for _, what in _of_this_infusion(case, InfusionInterrupted):
        ml = what.infused_ml
        if ml is None:
            continue
        if ml < before:
            reason = f"the pump showed {plain(ml)} mL after {plain(before)} mL: one of the readings is wrong"
            yield case.finding("INF-05", None, f"{reason}; correct_fact")
        before = max(before, ml)


def _of_this_infusion(case: Case, kind: type[What]) -> list[tuple[Fact, What]]:
    """Facts of this kind since the start of the dose given last, in order."""
    last = case.last_dose
    since = [(f, what) for f, what in case.reading.of(kind) if last is not None and f.at >= last.started_at]
    return sorted(since, key=lambda pair: (pair[0].at, pair[0].recorded_at))


# ── observation that was broken off (INF-04) ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class BrokenOff:
    """The observation after the last dose ended before its time; `seen_at` is when somebody looked after that time."""

    dose: Dose
    minutes: int
    note: str
    over_at: datetime
    seen_at: datetime | None


def broken_off(case: Case) -> BrokenOff | None:
    """INF-04: whether the last observation was incomplete. It is never made complete by time or by the next dose."""
    dose = case.last_dose
    if dose is None or dose.ended_at is None or case.in_observation is not None:
        return None
    ended = [what for f, what in _of_this_infusion(case, ObservationEnded) if f.at >= dose.ended_at]
    if not ended or ended[-1].complete:
        return None
    over_at = dose.ended_at + case.protocol.observation.minimum.span
    looks: tuple[type[Frozen], ...] = (VitalSigns, VodExamination, InfectionBleedingCheck)
    seen = [f.at for kind in looks for f, _ in case.reading.of(kind) if f.at >= over_at]
    return BrokenOff(dose, ended[-1].minutes, ended[-1].note or "no note", over_at, min(seen, default=None))


def observation_note(case: Case) -> Iterator[Finding]:
    """INF-04: a card says that the observation was incomplete, with its note, until the next dose."""
    found = broken_off(case)
    if found is not None:
        seen = "" if found.seen_at is None else "; the patient was looked at after the hour"
        reason = f"observation after {found.dose.slot} was broken off after {found.minutes} min: {found.note}{seen}"
        yield case.finding("INF-04", None, reason)


def expiry(case: Case, preparation_id: str | None) -> datetime | None:
    """PREP-12: by when the infusion with this preparation ends; none where the preparation is not charted."""
    made = [p for _, p in case.reading.of(Preparation) if p.preparation_id == preparation_id]
    return made[-1].reconstituted_at + case.protocol.preparation.to_end.span if made else None


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1))


def _hours(span: timedelta) -> Decimal:
    return _seconds(span) / _seconds(HOUR)
