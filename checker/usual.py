"""What a correct ward does next, read from the card: the usual path that deviations leave and come back to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from checker.moves import Move, Scribe
from checker.people import (
    BEFORE_TREATMENT,
    COUNTS,
    ELECTROLYTES,
    LIVER,
    MORNING,
    NURSE,
    PHARMACIST,
    PHYSICIAN,
    PRESCRIBER,
)
from checker.ward import State, ruling_on
from clinical.bedside.bedside import standing_authorisation, usable_preparations
from clinical.bedside.infusion import flow
from clinical.chart.calendar import at_local
from clinical.gates.schedule import asks_for_a_reason
from models.assessment import Accepted, CourseState, Finding, Verdict
from models.facts import (
    Consent,
    DoseSlot,
    Ecg,
    Eligibility,
    Height,
    HoldReleased,
    HoldSet,
    LabResult,
    MedicalHistory,
    PremedicationClass,
    Response,
    Toxicity,
)
from models.messages import (
    AuthoriseDose,
    CompleteInfusion,
    Countersign,
    DecideDose,
    DeclareNoTransplant,
    Discontinue,
    EndObservation,
    FinishDosing,
    JudgeVod,
    Message,
    RecordPremedication,
    RecordPreparation,
    RecordResponse,
    ReleaseHold,
    ReportReaction,
    ResolveUnreadable,
    ResumeInfusion,
    StartInfusion,
    StartNextCycle,
    VerifyDose,
)
from models.obligation_kinds import LIVER_TESTS, ObligationKind

TEN_O_CLOCK = time(10)
DAY = timedelta(days=1)
SOON = timedelta(minutes=20)
IDENTIFIERS = ("name", "birth date")


@dataclass(frozen=True)
class End:
    """Where the usual path ends: after this cycle, and this long in monitoring after dosing has ended."""

    cycle: int = 2
    monitored: timedelta = timedelta(days=16)

    @property
    def at(self) -> datetime:
        """No story is told beyond this instant; a ward that waits for ever ends here."""
        return MORNING + self.cycle * 28 * DAY + self.monitored + 38 * DAY


USUAL_END = End()
"""Two cycles, and monitoring past two weekly tests."""


def usual(state: State, end: End = USUAL_END) -> Move | None:
    """The next move of a ward that does what the card says; none where the search ends."""
    if state.over or state.now >= end.at or state.card.state is CourseState.CLOSED:
        return None
    urgent = _urgent(state)
    if urgent is not None:
        return urgent
    if state.card.state in _MONITORED:
        return _monitoring(state, end)
    return _BY_STATE[state.card.state](state) if state.card.state in _BY_STATE else _towards_the_dose(state, end)


def visit_at(state: State, day: datetime) -> datetime:
    """10:00 at the site on the day of an instant; never the past."""
    zone = state.standing.case.reading.zone
    return max(state.now, at_local(day.astimezone(zone).date(), TEN_O_CLOCK, zone))


# ── what does not wait ─────────────────────────────────────────────────────────────────────────────────────────────


def _urgent(state: State) -> Move | None:
    scribe, rules = Scribe(state), {f.rule for f in state.card.findings if f.verdict is Verdict.HOLD_URGENT}
    if any(rule.startswith(("VOD", "ALERT")) for rule in rules):
        excluded = scribe.say(JudgeVod, PHYSICIAN, judgement="excluded", other_cause="fluid overload")
        return Move("a physician excludes VOD", (excluded,))
    if "LAB-06" in rules:
        return _look_again(state, "implausible values are measured again", timedelta(hours=2))
    return None


def _reaction(state: State) -> Move:
    case, scribe = state.standing.case, Scribe(state)
    back, running = case.reaction_come_back, case.reaction_running or case.ungraded_reaction
    assert running is not None
    if back is not None:
        graded = scribe.say(ReportReaction, PHYSICIAN, reaction_id=back.reaction_id, grade=3)
        return Move("the reaction that came back is graded 3", (graded,))
    if running.grade is None:
        graded = scribe.say(ReportReaction, PHYSICIAN, reaction_id=running.reaction_id, grade=2)
        return Move("the reaction is graded 2", (graded,))
    later = state.now + SOON
    over = Scribe(state, later).say(
        ReportReaction, NURSE, reaction_id=running.reaction_id, grade=running.grade, resolved_at=later
    )
    return Move("the reaction is over", (over,), later)


def _infusion(state: State) -> Move:
    under_way = flow(state.standing.case)
    assert under_way is not None
    if state.card.verdict is Verdict.DISCONTINUED:
        stopped = Scribe(state).say(CompleteInfusion, NURSE, stopped_early=True)
        return Move("the infusion is stopped for good", (stopped,))
    end = max(under_way.ends_at, state.now)
    return Move("the infusion ends", (Scribe(state, end).say(CompleteInfusion, NURSE),), end)


def _interrupted(state: State) -> Move:
    scribe = Scribe(state)
    on = scribe.say(ResumeInfusion, NURSE, rate_ml_per_h=Decimal(25))
    if isinstance(ruling_on(state, on), Accepted):
        return Move("the infusion goes on at half rate", (on,))
    return Move("the rest of the bag is discarded", (scribe.say(CompleteInfusion, NURSE, stopped_early=True),))


def _observation(state: State) -> Move:
    dose = state.standing.case.in_observation
    assert dose is not None
    assert dose.ended_at is not None
    over = max(dose.ended_at + timedelta(hours=1), state.now)
    return Move("observation ends", (Scribe(state, over).say(EndObservation, NURSE),), over)


def _correction(state: State) -> Move:
    review = state.standing.case.reviews[0]
    confirmed = {by.id for by in review.confirmed_by}
    by = PHYSICIAN if PRESCRIBER.id in confirmed else PRESCRIBER
    signed = Scribe(state).say(Countersign, by, review.target, target=review.target)
    return Move(f"a correction is confirmed by the {by.role}", (signed,))


# ── monitoring ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _monitoring(state: State, end: End) -> Move | None:
    ended = state.standing.case.dosing_ended
    tests = [o.due_at for o in state.card.obligations if o.kind in LIVER_TESTS]
    if ended is None or state.now > ended.recorded_at + end.monitored:
        return None
    if any(o.kind is ObligationKind.TRANSPLANT for o in state.card.obligations):
        declared = Scribe(state).say(DeclareNoTransplant, PRESCRIBER)
        return Move("the prescriber signs that no transplant is planned", (declared,))
    if not tests:
        return Move("time goes by", until=state.wakes_at) if state.wakes_at is not None else None
    at = max(visit_at(state, min(tests)), min(tests))
    return Move("a liver test comes", (Scribe(state, at).labs(LIVER),), at)


# ── towards the next dose ──────────────────────────────────────────────────────────────────────────────────────────


def _towards_the_dose(state: State, end: End) -> Move | None:
    """The first thing on the card that a person can do, in the order in which a ward does it."""
    asked = [f for f in state.card.findings if f.verdict is not None]
    if any(f.verdict is Verdict.PROPOSE_DISCONTINUE for f in asked):
        return Move("the prescriber discontinues", (Scribe(state).say(Discontinue, PRESCRIBER, reason="proposed"),))
    if any(f.verdict is Verdict.BLOCK_CYCLE for f in asked) or _beyond(state, end):
        return Move("dosing is finished", (Scribe(state).say(FinishDosing, PRESCRIBER, reason="no further cycle"),))
    for does in (_wait_for_the_window, _settle_holds, _decide_on_delay, _bring_data, _wait_for_recovery):
        move = does(state, asked)
        if move is not None:
            return move
    return _sign_and_start(state) if not asked else None


def _beyond(state: State, end: End) -> bool:
    slot = state.standing.slot
    return slot is not None and slot.cycle > end.cycle and state.standing.case.in_review


def _wait_for_the_window(state: State, asked: list[Finding]) -> Move | None:
    early = [f for f in asked if f.verdict in (Verdict.TOO_EARLY, Verdict.OMIT) and f.earliest_at is not None]
    if not early:
        return None
    opens_at = max(f.earliest_at for f in early if f.earliest_at is not None)
    planned = state.standing.case.planned_at(_slot(state))
    at = visit_at(state, max(opens_at, planned or opens_at))
    return Move("the patient comes on the planned day", until=max(at, opens_at))


def _settle_holds(state: State, asked: list[Finding]) -> Move | None:
    case, scribe = state.standing.case, Scribe(state)
    rules = {f.rule for f in asked}
    if "HOLD-01" in rules:
        released = {r.hold for _, r in case.reading.of(HoldReleased)}
        holds = [f.id for f, _ in case.reading.of(HoldSet) if f.id not in released]
        release = [scribe.say(ReleaseHold, PRESCRIBER, hold, hold=hold, reason="settled") for hold in holds]
        return Move("the prescriber releases the hold", tuple(release))
    if case.results.unreadable_messages:
        targets = [m.sha256 for _, m in case.results.unreadable_messages]
        read = [
            scribe.say(ResolveUnreadable, PHYSICIAN, t[:8], target=t, outcome="dismissed", reason="sent again")
            for t in targets
        ]
        return Move("a physician dismisses what could not be read", tuple(read))
    if "RESP-01" in rules:
        return Move("the response is recorded", (responded(state, Response.CR),))
    return None


def _decide_on_delay(state: State, asked: list[Finding]) -> Move | None:
    rules = {f.rule: f for f in asked}
    slot, scribe = _slot(state), Scribe(state)
    if "DUR-02" in rules and slot.day != 1:
        omitted = scribe.say(
            DecideDose, PRESCRIBER, cycle=slot.cycle, day=slot.day, decision="omit", cause="toxicity", reason="DUR-02"
        )
        return Move("the dose is left out for toxicity", (omitted,))
    if "DAY-06" in rules and rules["DAY-06"].verdict is Verdict.DELAYED:
        given = scribe.say(
            DecideDose, PRESCRIBER, cycle=slot.cycle, day=slot.day, decision="give", cause="logistics", reason="late"
        )
        return Move("the prescriber decides to give the dose late", (given,))
    return None


def _bring_data(state: State, asked: list[Finding]) -> Move | None:
    needed = [f for f in asked if f.verdict is Verdict.NEED_DATA]
    scribe = Scribe(state)
    if any(f.rule in ("CONSENT", "ELIG-01") for f in needed):
        return Move("the patient is screened", screening(scribe))
    heart = [f for f in needed if "QTcF" in f.reason]
    bed = [f for f in needed if f.rule in ("MON-15", "MON-16") or f.reason.startswith(("weight", "height"))]
    if heart:
        return Move("an ECG is made", scribe.finds(ecg("420")))
    if bed:
        return Move("the patient is examined and weighed", scribe.examination())
    return _drawn(state) if needed else None


def _drawn(state: State) -> Move:
    """The laboratory sends what the dose needs, of a sample taken now: later than any that it has sent of this minute, because
    values of one minute are twins and the graver counts (LAB-11)."""
    minute = state.now.replace(second=0, microsecond=0)
    times = [
        what.collected_at for _, what in state.standing.case.reading.of(LabResult) if what.collected_at is not None
    ]
    at = state.now + SOON if any(sent >= minute for sent in times) else state.now
    return Move("the laboratory sends its results", (Scribe(state, at).labs(analytes_for(state)),), at)


def _wait_for_recovery(state: State, asked: list[Finding]) -> Move | None:
    """Values, signs or toxicity hold the dose: look again on a later day."""
    if not asked:
        return None
    counts = any(f.rule.startswith("HEM") for f in asked)
    return _look_again(state, "everything is looked at again on a later day", DAY * (3 if counts else 1))


def _look_again(state: State, name: str, span: timedelta) -> Move:
    at = state.now + span
    scribe = Scribe(state, at)
    terms = {what.term for _, what in state.standing.case.reading.of(Toxicity)}
    over = scribe.finds(*(Toxicity(term=term, grade=0) for term in sorted(terms)), by=PHYSICIAN)
    heart = scribe.finds(ecg("420")) if state.standing.slot is None or _slot(state).day == 1 else ()
    messages = (*scribe.examination(), *over, *heart, scribe.labs(analytes_for(state)))
    return Move(name, messages, at)


def _sign_and_start(state: State) -> Move | None:
    """The dose may be given: next cycle, signature, second check, premedication, preparation, start."""
    slot, scribe = _slot(state), Scribe(state)
    if state.standing.case.in_review:
        asked = {"reason": "no donor yet"} if asks_for_a_reason(state.standing.case) else {}
        return Move("the next cycle is started", (scribe.say(StartNextCycle, PRESCRIBER, cycle=slot.cycle, **asked),))
    left = {f.rule: f for f in state.card.findings if f.clears is not None}
    for rule, does in _BEFORE_THE_START.items():
        if rule in left:
            return does(state, slot)
    return Move("the infusion starts", (start(state, slot),))


def _authorise(state: State, slot: DoseSlot) -> Move:
    return Move("the prescriber signs the dose", (signature(state, slot),))


def _authorise_early(state: State, slot: DoseSlot) -> Move:
    signed = signature(state, slot, "early", earlier_start_reason="the patient travels")
    return Move("the prescriber signs the dose and the earlier start", (signed,))


def _verify(state: State, slot: DoseSlot) -> Move:
    assert state.card.dose is not None
    checked = Scribe(state).say(VerifyDose, PHARMACIST, cycle=slot.cycle, day=slot.day, mg=state.card.dose.mg)
    return Move("the pharmacist checks the dose", (checked,))


def _premedicate(state: State, _: DoseSlot) -> Move:
    waiting = [f.earliest_at for f in state.card.findings if f.rule == "PRE-07" and f.clears is not None]
    if all(at is not None for at in waiting):
        return Move("the premedication takes effect", until=max(at for at in waiting if at is not None))
    return Move("three premedications are given", premedicated(Scribe(state)))


def _prepare(state: State, _: DoseSlot) -> Move:
    return Move("the pharmacy prepares the dose", (prepared(state),))


_BEFORE_THE_START: dict[str, Callable[[State, DoseSlot], Move]] = {
    "OWN-01": _authorise,
    "DAY-03": _authorise_early,
    "OWN-02": _verify,
    "IDN-02": _prepare,
    "PREP-11": _prepare,
    "PREP-12": _prepare,
    "PRE-07": _premedicate,
}

_BY_STATE: dict[CourseState, Callable[[State], Move]] = {
    CourseState.REACTION: _reaction,
    CourseState.INFUSION: _infusion,
    CourseState.INFUSION_INTERRUPTED: _interrupted,
    CourseState.OBSERVATION: _observation,
    CourseState.CORRECTION_REVIEW: _correction,
}
_MONITORED = (CourseState.DISCONTINUED, CourseState.LIVER_MONITORING)


# ── what is said, used by deviations too ───────────────────────────────────────────────────────────────────────────


def _slot(state: State) -> DoseSlot:
    return state.standing.slot or state.standing.case.slot_after_all


def ecg(ms: str) -> Ecg:
    """An ECG with this QTcF."""
    return Ecg(qtcf_ms=Decimal(ms))


def screening(scribe: Scribe) -> tuple[Message, ...]:
    """Consent, eligibility, history, height, ECG."""
    eligible = Eligibility(
        cd22_positive=True,
        b_cell_precursor_all=True,
        relapsed_or_refractory=True,
        method="flow cytometry",
        cd22_percent=Decimal(90),
        ph_positive=False,
    )
    history = MedicalHistory(hypersensitivity=False, severe_vod=False, vod_ongoing=False, serious_liver_disease=False)
    found = (Consent(given=True), Height(cm=Decimal(170)), ecg("420"), history)
    return (*scribe.finds(*found), *scribe.finds(eligible, by=PRESCRIBER))


def analytes_for(state: State) -> tuple[str, ...]:
    """What the next dose needs from the laboratory."""
    slot = _slot(state)
    if not state.standing.case.doses:
        return BEFORE_TREATMENT
    return (*COUNTS, *LIVER, *(ELECTROLYTES if slot.day == 1 else ()))


def signature(state: State, slot: DoseSlot, key: str = "", **fields: str) -> AuthoriseDose:
    """The prescriber's signature under the dose on the card."""
    return Scribe(state).say(AuthoriseDose, PRESCRIBER, key, cycle=slot.cycle, day=slot.day, **fields)


def premedicated(scribe: Scribe, *classes: PremedicationClass) -> tuple[RecordPremedication, ...]:
    """All three classes, or those named, given now."""
    return tuple(scribe.say(RecordPremedication, NURSE, c, drug_class=c) for c in classes or tuple(PremedicationClass))


def prepared(state: State, *, hours_ago: int = 0) -> RecordPreparation:
    """One bag of the dose on the card, reconstituted and diluted now or some hours ago."""
    plan, scribe = state.card.dose, Scribe(state)
    made_at = state.now - timedelta(hours=hours_ago)
    mg, vials = (plan.mg, plan.vials) if plan is not None else (Decimal(1), 2)
    bag = f"bag-{state.now:%m%dT%H%M%S}-{hours_ago}"
    fields = {"reconstituted_at": made_at, "dilution_started_at": made_at, "mg": mg, "vials": vials}
    return scribe.say(RecordPreparation, PHARMACIST, bag, preparation_id=bag, **fields)


def start(state: State, slot: DoseSlot) -> StartInfusion:
    """The start with the preparation at hand, two identifiers checked."""
    case = state.standing.case
    usable = usable_preparations(case, standing_authorisation(case, state.card.dose))
    made = [f.what.preparation_id for f in case.reading.facts if f.what.kind == "preparation"]
    bag = usable[-1][1].preparation_id if usable else (made[-1] if made else "none")
    return Scribe(state).say(
        StartInfusion, NURSE, cycle=slot.cycle, day=slot.day, preparation_id=bag, identifiers_checked=IDENTIFIERS
    )


def responded(state: State, response: Response, *, mrd_negative: bool | None = None) -> RecordResponse:
    """The response of the cycle that ended last, by a physician."""
    cycle = max(_slot(state).cycle - 1, 1)
    return Scribe(state).say(
        RecordResponse, PHYSICIAN, str(response), cycle=cycle, response=response, mrd_negative=mrd_negative
    )
