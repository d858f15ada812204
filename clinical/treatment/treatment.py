"""A treatment: one chart under one protocol at one instant, read once. What was given, said and found, and what ended it.

When a dose may be given stands in `windows`, which is next in `case`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

from clinical.chart.calendar import NOON, at_local, local_date
from clinical.chart.once import once
from clinical.chart.reading import Reading, stops_for_good
from clinical.chart.versions import minute_of
from clinical.results.known import Known, Opening
from clinical.results.results import Results
from clinical.treatment.closing import closing
from clinical.treatment.reported import ReactionSoFar, so_far
from clinical.treatment.reviews import Review, stop_reviews
from models.assessment import LONGEST_REASON, Finding, Input, Verdict
from models.base import plain
from models.chart import Chart, Course
from models.facts import (
    AdministrationReported,
    CourseClosed,
    CycleStarted,
    Discontinued,
    DoseAuthorised,
    DoseSlot,
    DosingFinished,
    Fact,
    Height,
    InfusionCompleted,
    InfusionStarted,
    MonitoringStarted,
    NoTransplantDeclared,
    ObservationEnded,
    ProtocolAmended,
    Response,
    ResponseRecorded,
    Transplant,
    TransplantPlanned,
    TransplantPlanWithdrawn,
    VodJudged,
    Weight,
)
from models.pins import ProtocolPin
from models.protocol import Override, Protocol

ENDING = frozenset({"course_closed", "vod_judged", "discontinued", "reaction", "dosing_finished", "transplant"})
"""The kinds of fact that can end dosing."""
AMENDING = ("protocol_amended", "divergence_acknowledged")
"""The kinds of fact that decide which protocol is in force."""


@dataclass(frozen=True)
class Dose:
    """A dose that was given, here or elsewhere; `ended_at` is empty while it runs.

    `mg` is what the bag held, or what was reported; `end` is the fact that ended it here, `bag` its preparation.
    """

    slot: DoseSlot
    fact: str
    started_at: datetime
    local_on: date
    ended_at: datetime | None
    reported: bool
    observed: bool
    mg: Decimal
    end: str | None = None
    bag: str | None = None


@dataclass(frozen=True)
class Measured:
    """A measurement of the body in its canonical unit."""

    value: Decimal
    at: datetime
    fact: str

    def shown(self, name: str, unit: str) -> Input:
        """The measurement as a clinician reads it."""
        return Input(name=name, value=f"{plain(self.value)} {unit}", taken_at=self.at, fact=self.fact)


class Treatment:
    """Chart, protocol and instant, read once: all that has happened up to now."""

    def __init__(self, chart: Chart, protocol: Protocol, now: datetime) -> None:
        self.chart = chart
        self.protocol = protocol
        self.reading = Reading(chart, protocol, now)
        self.results = Results(self.reading, protocol)

    @property
    def now(self) -> datetime:
        """The instant of this case."""
        return self.reading.now

    @property
    def course(self) -> Course:
        """What does not change while the course runs."""
        return self.reading.course

    @property
    def pin(self) -> ProtocolPin:
        """The protocol in force."""
        self.reading.rests_on(*AMENDING)
        return self.chart.protocol

    @property
    def pending_amendment(self) -> tuple[ProtocolAmended, tuple[str, ...]] | None:
        """The amendment that waits, and what is not acknowledged of it."""
        self.reading.rests_on(*AMENDING)
        return self.chart.pending_amendment

    def finding(
        self,
        rule: str,
        verdict: Verdict | None,
        reason: str,
        *,
        inputs: tuple[Input, ...] = (),
        clears: str | None = None,
        earliest_at: datetime | None = None,
        subject: str = "",
        override: Override | None = None,
    ) -> Finding:
        """A finding with what the protocol says of its rule: source, confidence, override class.

        `subject` tells findings of one rule apart; `override` replaces the class of the rule for this one finding.
        """
        info = self.protocol.rule(rule)
        source = self.protocol.sources[info.source]
        return Finding(
            rule=rule,
            verdict=verdict,
            reason=reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…",
            subject=subject,
            inputs=inputs,
            clears=clears,
            earliest_at=earliest_at,
            clause=f"{self.protocol.name} {rule}: {info.title} ({source})",
            confidence=info.confidence.shown,
            override=str(override or info.override),
        )

    # ── doses ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    @once
    def doses(self) -> tuple[Dose, ...]:
        """All doses given, by start. A reported dose without an end counts as one of the usual length."""
        ends = sorted((f for f, _ in self.reading.of(InfusionCompleted)), key=lambda fact: fact.at)
        begun = sorted(self.reading.of(InfusionStarted), key=lambda pair: pair[0].at)
        observed = [f.at for f, _ in self.reading.of(ObservationEnded)]
        here = [self._dose_here(i, begun, ends, observed) for i in range(len(begun))]
        elsewhere = [self._dose_elsewhere(fact, what) for fact, what in self.reading.of(AdministrationReported)]
        return tuple(sorted(here + elsewhere, key=lambda dose: dose.started_at))

    def _dose_here(
        self, i: int, begun: list[tuple[Fact, InfusionStarted]], ends: list[Fact], observed: list[datetime]
    ) -> Dose:
        fact, what = begun[i]
        until = begun[i + 1][0].at if i + 1 < len(begun) else None
        end = next((e for e in ends if e.at >= fact.at and (until is None or e.at < until)), None)
        seen = [o for o in observed if end and o >= end.at and (until is None or o < until)]
        return Dose(
            DoseSlot(cycle=what.cycle, day=what.day),
            fact.id,
            fact.at,
            self._day_of(fact, what),
            None if end is None else end.at,
            reported=False,
            observed=bool(seen),
            mg=what.mg,
            end=None if end is None else end.id,
            bag=what.preparation_id,
        )

    def _dose_elsewhere(self, fact: Fact, what: AdministrationReported) -> Dose:
        ended_at = what.ended_at or fact.at + self.protocol.preparation.infusion.span
        over = self.reading.reached(ended_at + self.protocol.observation.minimum.span)
        slot = DoseSlot(cycle=what.cycle, day=what.day)
        seen = over or any(f.at >= ended_at for f, _ in self.reading.of(ObservationEnded))
        day = self._day_of(fact, what)
        return Dose(slot, fact.id, fact.at, day, ended_at, reported=True, observed=seen, mg=what.mg)

    def _day_of(self, fact: Fact, what: InfusionStarted | AdministrationReported) -> date:
        return what.local_on or local_date(fact.at, self.reading.zone)

    @property
    def last_dose(self) -> Dose | None:
        """The dose given last."""
        return self.doses[-1] if self.doses else None

    def signed_for(self, dose: Dose) -> list[DoseAuthorised]:
        """The authorisations of this dose before it began, as they were given."""
        slot = (dose.slot.cycle, dose.slot.day)
        said = self.reading.of(DoseAuthorised)
        return [what for fact, what in said if (what.cycle, what.day) == slot and fact.at <= dose.started_at]

    @property
    @once
    def first_dose_at(self) -> datetime | None:
        """The start of the first dose: what was measured before it is the baseline."""
        return self.doses[0].started_at if self.doses else None

    @property
    @once
    def running(self) -> Dose | None:
        """The infusion under way."""
        return next((d for d in reversed(self.doses) if d.ended_at is None), None)

    @property
    @once
    def in_observation(self) -> Dose | None:
        """The dose that has ended and whose observation is open."""
        last = self.last_dose
        return last if last and last.ended_at is not None and not last.observed else None

    @property
    @once
    def recorded(self) -> Mapping[str, datetime]:
        """When each fact that stands was recorded, by its id; it rests on every fact, so it is asked for last."""
        return MappingProxyType({fact.id: fact.recorded_at for fact in self.reading.facts})

    # ── the course's life ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    @once
    def cycle(self) -> int:
        """The cycle the course is in: the last one started, or the one of the last reported dose."""
        started = [what.cycle for _, what in self.reading.of(CycleStarted)]
        return max([1, *started, *(d.slot.cycle for d in self.doses)])

    @property
    @once
    def reactions(self) -> tuple[ReactionSoFar, ...]:
        """Every reaction with its gravest grade; only a correction lowers a grade."""
        return so_far(self.reading, [dose.started_at for dose in self.doses])

    @property
    @once
    def reaction_come_back(self) -> ReactionSoFar | None:
        """IRR: symptoms that come back after improving are grade 3 by definition; a physician has not said so yet."""
        grade = self.protocol.observation.stop_grade.count
        return next((r for r in self.reactions if r.came_back is not None and (r.grade or 0) < grade), None)

    @property
    @once
    def stopped_for_good(self) -> tuple[Finding, ...]:
        """The permanent stops that stand (§3.5 row 1); a retracted one stands until COR-02 is decided."""
        grade = self.protocol.observation.stop_grade.count
        found = [
            self.finding("NON-05", Verdict.DISCONTINUED, f"infusion-related reaction of grade {r.grade}")
            for r in self.reactions
            if r.grade is not None and r.grade >= grade
        ]
        for _, what in self.reading.of(Discontinued):
            found.append(
                self.finding("STOP-01", Verdict.DISCONTINUED, f"discontinued by the prescriber: {what.reason}")
            )
        judgements = self.reading.of(VodJudged)
        for place, (fact, judged) in enumerate(judgements):
            if judged.judgement == "confirmed":
                reason, clears = f"VOD was confirmed by {fact.by}", None
                since = [one for one in judgements[place + 1 :] if one[1].judgement == "excluded"]
                if since:
                    reason += f", and judged excluded later by {since[-1][0].by}: the stop stands (COR-02)"
                    clears = f"correct_fact of {fact.id}, confirmed by the prescriber and a second physician"
                found.append(self.finding("NON-01", Verdict.DISCONTINUED, reason, clears=clears))
        for review in self.stop_reviews:
            found.append(self.finding("COR-02", review.verdict, review.what, clears=review.clears))
        return tuple(found)

    @property
    @once
    def stop_reviews(self) -> tuple[Review, ...]:
        """COR-02: facts behind a permanent stop that were retracted, and that two people have not confirmed yet."""
        return stop_reviews(self.reading, self.protocol.observation.stop_grade.count)

    @property
    @once
    def transplant(self) -> tuple[Fact, datetime] | None:
        """The latest transplant with its time."""
        return self.transplants[-1] if self.transplants else None

    @property
    @once
    def transplants(self) -> tuple[tuple[Fact, datetime], ...]:
        """All transplants with their times, oldest first; 12:00 local where only the day is known (MON-03)."""
        found = [(fact, self._transplanted_at(what)) for fact, what in self.reading.of(Transplant)]
        return tuple(sorted(found, key=lambda pair: pair[1]))

    def _transplanted_at(self, what: Transplant) -> datetime:
        if what.transplanted_at is not None:
            return what.transplanted_at
        assert what.transplanted_on is not None
        return at_local(what.transplanted_on, NOON, self.reading.zone)

    @property
    @once
    def dosing_ended(self) -> Fact | None:
        """What ended dosing and was not followed by a further cycle: a permanent stop, `finish_dosing`, a transplant."""
        ended = None
        # A corrected fact keeps its place: a new date is not a new end.
        for origin in self.reading.in_order(*ENDING, "cycle_started"):
            fact = self.reading.told.standing(origin.id, origin)
            if fact is not None and self._ends_dosing(fact):
                ended = fact
            elif origin.what.kind == "cycle_started" and not self.stopped_for_good:
                ended = None
        waiting = {review.target for review in self.stop_reviews}
        retracted = self.reading.retracted_stops(self.protocol.observation.stop_grade.count)
        return ended or next((fact for fact in reversed(retracted) if fact.id in waiting), None)

    @property
    @once
    def closed(self) -> Fact | None:
        """What closed the course before its end (CLOSE-01)."""
        return closing(self.reading)

    def _ends_dosing(self, fact: Fact) -> bool:
        what = fact.what
        if what.kind not in ENDING:
            return False
        if isinstance(what, CourseClosed):
            return what.reason == "patient_stops"
        stops = stops_for_good(fact, self.protocol.observation.stop_grade.count)
        return stops or isinstance(what, DosingFinished | Transplant)

    @property
    @once
    def busy(self) -> bool:
        """Something is going on at the bedside: an infusion, a reaction, an observation. The run does not change now."""
        return bool(self.running or self.in_observation or self.reaction_running)

    @property
    @once
    def reaction_running(self) -> ReactionSoFar | None:
        """A reaction that is ungraded, or of grade >= 2 and not over; one that came back is not over."""
        grade = self.protocol.observation.running_grade.count
        running = (r for r in self.reactions if r.resolved_at is None and (r.grade is None or r.grade >= grade))
        return self.reaction_come_back or next(running, None)

    @property
    def ungraded_reaction(self) -> ReactionSoFar | None:
        """A reaction whose grade nobody has given, running or over."""
        return next((r for r in self.reactions if r.grade is None), None)

    @property
    def monitoring(self) -> bool:
        """Dosing has ended and the bedside is quiet: the course belongs into liver monitoring."""
        return self.dosing_ended is not None and not self.busy

    @property
    @once
    def monitoring_begun(self) -> bool:
        """The monitoring execution has taken over since dosing ended last."""
        if self.dosing_ended is None:
            return False
        order = {f.id: i for i, f in enumerate(self.reading.in_order("monitoring_started", "cycle_started"))}
        began = max((order[f.id] for f, _ in self.reading.of(MonitoringStarted)), default=-1)
        resumed = max((order[f.id] for f, _ in self.reading.of(CycleStarted)), default=-1)
        return began > resumed

    # ── response, weight, height ───────────────────────────────────────────────────────────────────────────────────

    @once
    def responses_of(self, cycle: int) -> tuple[tuple[Fact, ResponseRecorded], ...]:
        """The responses of a cycle, the one that was true last at the end: by its own time, then by arrival (COR-03)."""
        said = [(f, r) for f, r in self.reading.of(ResponseRecorded) if r.cycle == cycle]
        return tuple(sorted(said, key=lambda pair: pair[0].at))

    @once
    def response_of(self, cycle: int) -> tuple[Fact, ResponseRecorded] | None:
        """The response of a cycle that stands: the one that a physician assessed last."""
        found = self.responses_of(cycle)
        return found[-1] if found else None

    @once
    def response_answered(self, cycle: int) -> tuple[Response | None, bool | None]:
        """What was answered last of a cycle, its response and "MRD negative": what leaves one open takes none back (M.0)."""
        said = [r for _, r in self.responses_of(cycle)]
        answers = [r.response for r in said if r.response is not Response.NOT_ASSESSABLE]
        mrd = [r.mrd_negative for r in said if r.mrd_negative is not None]
        return answers[-1] if answers else None, mrd[-1] if mrd else None

    @once
    def responded_before(self, cycle: int) -> bool:
        """CR or CRi after any cycle before this one; losing it never brings the higher dose back (AMB-15)."""
        recorded = (self.response_of(earlier) for earlier in range(1, cycle))
        return any(found is not None and found[1].response in (Response.CR, Response.CRI) for found in recorded)

    @property
    @once
    def transplant_planned(self) -> bool:
        """A transplant is planned and neither done nor declared off."""
        said = self.reading.said_last(TransplantPlanned, TransplantPlanWithdrawn)
        planned = said is not None and isinstance(said.what, TransplantPlanned)
        return planned and self.transplant is None and self.no_transplant_declared is None

    @property
    @once
    def no_transplant_declared(self) -> Fact | None:
        """The prescriber's word that no transplant is planned, unless a plan was recorded after it (MON-17)."""
        said = self.reading.said_last(NoTransplantDeclared, TransplantPlanned)
        return said if said is not None and isinstance(said.what, NoTransplantDeclared) else None

    @once
    def plausible_weights(self) -> tuple[Measured, ...]:
        """Weights that can be a person's, oldest first."""
        limits = self.protocol.plausible["weight"]
        return tuple(m for m in self.weights() if limits.low.number <= m.value <= limits.high.number)

    @once
    def weights_ever(self) -> tuple[Measured, ...]:
        """The same with those that a machine sent and that can be used no more: what they raised goes on (M.0)."""
        limits = self.protocol.plausible["weight"]
        gone = (_as_measured(k) for k in self.results.ever("weight"))
        left = (m for m in gone if limits.low.number <= m.value <= limits.high.number)
        return tuple(sorted((*self.plausible_weights(), *left), key=_by_minute_and_value))

    @once
    def weights(self) -> tuple[Measured, ...]:
        """All weights in kg, oldest first: charted by people or sent by machines."""
        charted = [Measured(w.kg, f.at, f.id) for f, w in self.reading.of(Weight)]
        return tuple(sorted(charted + self._measured("weight"), key=_by_minute_and_value))

    @once
    def heights(self) -> tuple[Measured, ...]:
        """All heights in cm, oldest first."""
        charted = [Measured(h.cm, f.at, f.id) for f, h in self.reading.of(Height)]
        return tuple(sorted(charted + self._measured("height"), key=_by_minute_and_value))

    def _measured(self, analyte: str) -> list[Measured]:
        return [_as_measured(k) for k in self.results.history(analyte)]

    def measured_and_gone(self, analyte: str) -> tuple[Measured, ...]:
        """Plausible weights or heights that can be used no more and that none has followed: they may lower a dose (M.0)."""
        standing = self.weights() if analyte == "weight" else self.heights()
        since, limits = minute_of(standing[-1].at) if standing else None, self.protocol.plausible[analyte]
        gone = (k for k in self.results.gone(analyte) if since is None or k.minute >= since)
        return tuple(_as_measured(k) for k in gone if limits.low.number <= k.canonical <= limits.high.number)

    def holding(self, analyte: str) -> tuple[Known, ...]:
        """The values of an analyte that speak against a dose: one that holds is enough (`Results.holding`)."""
        return self.results.holding(analyte)

    def opening(self, analyte: str) -> Opening:
        """What of an analyte may speak for a dose: each value must allow, the unknown never does (`Results.opening`)."""
        return self.results.opening(analyte)

    def shown(self, *values: Known) -> tuple[Input, ...]:
        """The values behind a hold, and what came after them and cannot be used (LAB-10)."""
        unknown = (self.opening(analyte).unknown for analyte in dict.fromkeys(k.analyte for k in values))
        return (*(k.shown() for k in values), *(u.shown() for u in unknown if u is not None))


def _as_measured(sent: Known) -> Measured:
    return Measured(sent.canonical, sent.collected_at, sent.fact)


def _by_minute_and_value(measured: Measured) -> tuple[datetime, Decimal]:
    """Of one minute the highest last: which arrived last says nothing (LAB-11)."""
    return minute_of(measured.at), measured.value
