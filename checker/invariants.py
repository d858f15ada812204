"""What must hold at every decision of every course, written by hand from the clinical reference, apart from the rules.

An invariant looks at one decision: the chart before, what came, what was ruled, the chart and the card after. It answers
with a sentence that says what is broken, or with nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from checker import ignorance, must_say, reference, why_not
from checker.seen import Seen
from checker.ward import State, Step
from models.assessment import Accepted, Assessment, CourseState, Refused, Verdict
from models.facts import (
    Countersigned,
    CycleStarted,
    DoseAuthorised,
    DoseSlot,
    DoseVerified,
    InfusionResumed,
    InfusionStarted,
    ObligationMet,
    ObservationEnded,
    OverrideGiven,
    Preparation,
    RungFired,
    VodJudged,
)
from models.messages import InterruptInfusion, LabResults, Statement
from models.obligation_kinds import LIVER_TESTS as OF_THE_LIVER
from models.people import CLINICAL_ROLES, CLOCK, PHYSICIANS, Role

OPEN = (Verdict.MAY_AUTHORISE, Verdict.MAY_START)
ENDED = (CourseState.CLOSED, CourseState.COMPLETED)
Broken = Iterator[str]


@dataclass(frozen=True)
class Opening:
    """Something that lets a dose through: the card says so, it was signed, or it was started."""

    what: str
    slot: DoseSlot
    seen: Seen
    starts: bool


class Look:
    """One decision with both charts as a second reader sees them, read once for all invariants."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.protocol = step.protocol

    @cached_property
    def before(self) -> Seen:
        """The chart as it was when this was decided."""
        return Seen(self.step.before, self.step.now, self.protocol)

    @property
    def state(self) -> State:
        """The course after the decision."""
        assert self.step.after is not None
        return self.step.after

    @property
    def card(self) -> Assessment:
        """The card after the decision."""
        return self.state.card

    @cached_property
    def after(self) -> Seen:
        """The chart as it is now."""
        return Seen(self.state.chart, self.step.now, self.protocol)

    @property
    def ended(self) -> bool:
        """The course is closed or completed: nothing is asked any more."""
        return self.card.state in ENDED or self.state.over

    @cached_property
    def openings(self) -> list[Opening]:
        """What this decision opened."""
        found = []
        for fact in self.step.added:
            if isinstance(fact.what, InfusionStarted | DoseAuthorised):
                slot = DoseSlot(cycle=fact.what.cycle, day=fact.what.day)
                starts = isinstance(fact.what, InfusionStarted)
                words = f"{slot} was started" if starts else f"{slot} was signed"
                found.append(Opening(words, slot, self.before, starts))
        if self.step.after is not None and self.card.verdict in OPEN and self.card.next_dose is not None:
            cycle, _, day = self.card.next_dose[1:].partition("D")
            slot = DoseSlot.model_validate({"cycle": int(cycle), "day": int(day)})
            starts = self.card.verdict is Verdict.MAY_START
            found.append(Opening(f"the card says {self.card.verdict} for {slot}", slot, self.after, starts))
        return found


@dataclass(frozen=True)
class Invariant:
    """One thing that must hold. `words` say it to a clinician; `broken` yields what a decision breaks.

    `of_card` ones look at the course after the decision, and are asked once for every state.
    """

    name: str
    clauses: tuple[str, ...]
    words: str
    broken: Callable[[Look], Broken]
    of_card: bool = False


# ── a dose is let through ──────────────────────────────────────────────────────────────────────────────────────────


def _never_open(
    why: Callable[[Seen, DoseSlot], Iterator[str]], *, starts_only: bool = False
) -> Callable[[Look], Broken]:
    """No opening while this reason stands."""

    def broken(look: Look) -> Broken:
        for opening in look.openings:
            if opening.starts or not starts_only:
                yield from (f"{opening.what} although {reason}" for reason in why(opening.seen, opening.slot))

    return broken


def _of_course(why: Callable[[Seen], Iterator[str]]) -> Callable[[Seen, DoseSlot], Iterator[str]]:
    return lambda seen, _: why(seen)


def _stopped(look: Look) -> Broken:
    for opening in look.openings:
        yield from (f"{opening.what} although {stop}" for stop in opening.seen.stops)
    for fact in look.step.added:
        if isinstance(fact.what, CycleStarted | InfusionResumed):
            yield from (f"{fact.what.kind} although {stop}" for stop in look.before.stops)


def _stop_stands(look: Look) -> Broken:
    if look.ended:
        return
    stops, said = look.after.stops, look.card.verdict is Verdict.DISCONTINUED
    if stops and not said:
        yield f"the card says {look.card.verdict} although {stops[0]}"
    if said and not stops:
        yield "the card says DISCONTINUED and nobody has stopped the drug: the machine never does"


def _cycle_begins(look: Look) -> Broken:
    for fact in look.step.added:
        if isinstance(fact.what, CycleStarted):
            slot = DoseSlot(cycle=fact.what.cycle, day=1)
            reasons = (*why_not.too_many_cycles(look.before, slot), *why_not.vod_suspected(look.before))
            yield from (f"cycle {fact.what.cycle} was started although {reason}" for reason in reasons)


def _within_level(look: Look) -> Broken:
    for fact in look.step.added:
        if isinstance(fact.what, InfusionStarted):
            slot = DoseSlot(cycle=fact.what.cycle, day=fact.what.day)
            most = why_not.most_mg(look.before, slot)
            if fact.what.mg > most + why_not.HUNDREDTH:
                yield f"{fact.what.mg} mg of {slot} were started, at most {most} mg may be given"
            level, stands = reference.LEVELS.get(fact.what.level), why_not.level_in_force(look.before, slot)
            if level is None or level > stands:
                yield f"{slot} was started at {fact.what.level}, above the level in force"


# ── what only some people may do ───────────────────────────────────────────────────────────────────────────────────

_BEDSIDE = {Role.NURSE, Role.PRESCRIBER}
MAY: dict[str, set[Role] | frozenset[Role]] = {
    **{key: {Role.PRESCRIBER} for key in ("authorise_dose", "decide_dose", "choose_rounding", "choose_dropped_dose")},
    **{key: {Role.PRESCRIBER} for key in ("release_hold", "override", "extend_cycle", "start_next_cycle")},
    **{
        key: {Role.PRESCRIBER}
        for key in ("finish_dosing", "discontinue", "plan_transplant", "withdraw_transplant_plan")
    },
    **{key: {Role.PRESCRIBER} for key in ("declare_no_transplant", "amend_protocol")},
    **dict.fromkeys(("judge_vod", "record_response", "record_transplant"), PHYSICIANS),
    **{key: {Role.PHARMACIST} for key in ("verify_dose", "record_preparation")},
    **dict.fromkeys(("record_premedication", "start_infusion", "interrupt_infusion", "resume_infusion"), _BEDSIDE),
    **dict.fromkeys(("complete_infusion", "end_observation"), _BEDSIDE),
    **dict.fromkeys(("hold", "report_reaction", "record_administration", "close_course"), CLINICAL_ROLES),
    "countersign": PHYSICIANS | {Role.PHARMACIST},
    "record_finding": CLINICAL_ROLES | {Role.COORDINATOR},
}
"""Who may say what (design §4), as far as the search says it."""


def _role(look: Look) -> Broken:
    message = look.step.message
    if (
        message is not None
        and isinstance(look.step.ruling, Accepted)
        and look.step.ruling.facts
        and message.by.role not in MAY.get(message.name, frozenset(Role))
    ):
        yield f"{message.name} was taken from a {message.by.role}"


def _two_people(look: Look) -> Broken:
    by_id = {f.id: f for f in look.step.before.facts}
    for fact in look.step.added:
        what = fact.what
        if isinstance(what, DoseVerified):
            signed = by_id.get(what.authorisation)
            if signed is None or signed.by.id == fact.by.id:
                yield "the second check was taken from who signed the dose (OWN-02)"
            if fact.by.role is not Role.PHARMACIST:
                yield "the second check was taken from who is no pharmacist (OWN-02)"
        if isinstance(what, Countersigned):
            target = by_id.get(what.target)
            if target is not None and isinstance(target.what, OverrideGiven) and target.by.id == fact.by.id:
                yield "an override was countersigned by who gave it (OVR-02)"


NEVER_SET_ASIDE = (
    "NON-01",
    "NON-02",
    "NON-05",
    "VOD",
    "ALERT",
    "MON-11",
    "DAY-03",
    "DAY-05",
    "DOSE-10",
    "IDN",
    "PREP-12",
    "COR",
)
LIVER_TESTS = {"alt", "ast", "alp", "bilirubin"}


def _set_aside(look: Look) -> Broken:
    for fact in look.step.added:
        if isinstance(fact.what, OverrideGiven):
            if fact.what.rule.startswith(NEVER_SET_ASIDE):
                yield f"{fact.what.rule} was set aside; nobody may (OVR-01)"
            if fact.what.rule.startswith("DATA") and fact.what.subject in LIVER_TESTS:
                yield f"the age of {fact.what.subject} was set aside; nobody may (OVR-01)"


def _vod_judged(look: Look) -> Broken:
    for fact in look.step.added:
        if isinstance(fact.what, VodJudged) and fact.by.role not in PHYSICIANS:
            yield f"a {fact.by.role} judged VOD"


def _vod(look: Look) -> Broken:
    reasons = [] if look.ended else list(why_not.vod_suspected(look.after))
    if reasons and look.card.verdict not in (Verdict.HOLD_URGENT, Verdict.DISCONTINUED):
        yield f"the card says {look.card.verdict} although {reasons[0]}"


def _suspicion_kept(look: Look) -> Broken:
    before = look.step.previous
    if before is None or look.ended or not _suspected(before) or _suspected(look.card):
        return
    judged = any(isinstance(f.what, VodJudged) and f.by.role in PHYSICIANS for f in look.step.added)
    if not judged and look.card.verdict is not Verdict.DISCONTINUED:
        yield f"VOD was suspected, nobody has judged it, and the card says {look.card.verdict}"


def _suspected(card: Assessment) -> bool:
    return any(f.verdict is Verdict.HOLD_URGENT and f.rule.startswith(("VOD", "ALERT")) for f in card.standing)


def _reacting(look: Look) -> Broken:
    reasons = [] if look.ended else list(why_not.reacting(look.after))
    if reasons and look.card.verdict not in (Verdict.HOLD_URGENT, Verdict.DISCONTINUED):
        yield f"the card says {look.card.verdict} although {reasons[0]}"


# ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

OF_THE_CLOCK = {"rung_fired", "obligation_met", "monitoring_started"}
SHUT = (Verdict.DISCONTINUED, Verdict.HOLD_URGENT, Verdict.PROPOSE_DISCONTINUE, Verdict.BLOCK_CYCLE, Verdict.DELAYED)


def _clock(look: Look) -> Broken:
    clocked = [f for f in look.step.added if f.by == CLOCK]
    wrong = [f for f in clocked if f.what.kind not in {*OF_THE_CLOCK, "unreadable_message"}]
    yield from (f"the clock itself wrote {f.what.kind}" for f in wrong)
    if look.step.by_the_clock:
        yield from (f"a timer made {f.what.kind}" for f in look.step.added if f.by != CLOCK)


def _timer(look: Look) -> Broken:
    before = look.step.previous
    if look.step.by_the_clock and before is not None and before.verdict in SHUT and look.card.verdict in OPEN:
        yield f"time alone turned {before.verdict} into {look.card.verdict}"


def _valid_until(look: Look) -> Broken:
    before, now = look.step.previous, look.step.now
    if not look.step.by_the_clock or before is None or look.step.added:
        return
    if (before.valid_until is None or now < before.valid_until) and (before.verdict, before.state) != (
        look.card.verdict,
        look.card.state,
    ):
        yield f"{before.verdict} was to hold until {before.valid_until}, and was {look.card.verdict} at {now}"


def _knowing_less(look: Look) -> Broken:
    before = look.step.previous
    if not look.step.nothing or before is None or look.ended:
        return
    was, is_now = ignorance.known(before), ignorance.known(look.card)
    yield from (f"what says nothing opened: {what}" for what in ignorance.opened(was, is_now))
    yield from (f"what says nothing lifted: {what}" for what in ignorance.lost(was, is_now))


def _time_alone(look: Look) -> Broken:
    before = look.step.previous
    if look.step.by_the_clock and before is not None and not look.ended and not look.step.added:
        milder = ignorance.milder_by_time(ignorance.known(before), ignorance.known(look.card))
        yield from (f"time alone made milder: {what}" for what in milder)


def _resumed(look: Look) -> Broken:
    made = {p.preparation_id: p for _, p in look.before.of(Preparation)}
    for fact in look.step.added:
        if not isinstance(fact.what, InfusionResumed):
            continue
        yield from (f"the infusion went on although {reason}" for reason in why_not.reacting(look.before))
        bag = [made.get(w.preparation_id) for _, w in look.before.of(InfusionStarted)][-1]
        seconds = int(fact.what.remaining_ml * 3600 / fact.what.rate_ml_per_h)
        if (
            bag is None
            or (fact.at - bag.reconstituted_at).total_seconds() + seconds > reference.TO_THE_LAST_DROP.total_seconds()
        ):
            yield "the infusion went on and would end later than 8 h after reconstitution (INF-06)"


def _observed(look: Look) -> Broken:
    for fact in look.step.added:
        if isinstance(fact.what, ObservationEnded) and fact.what.complete:
            dose = look.before.given[-1]
            if dose.ended_at is None or fact.at - dose.ended_at < reference.OBSERVATION:
                yield "observation counts as complete before its hour is over (INF-02)"


# ── nothing is lost ────────────────────────────────────────────────────────────────────────────────────────────────

FORM = {
    *(
        "RoleNotAllowed",
        "WrongCourse",
        "InTheFuture",
        "SubjectMismatch",
        "BeforeItsStart",
        "NoInfusion",
        "NoObservation",
    ),
    *("NoteRequired", "OtherCauseRequired", "ReceiverRequired", "PreparationKnown", "NoSuchFact", "NotCorrectable"),
    *("NoSuchMessage", "ValuesRequired", "AlreadyInterrupted"),
}
"""Why a statement may be refused: its form, the role, the identity, or that there is nothing that it could end."""


def refused_statement(look_message: object, ruling: Refused, seen: Callable[[], Seen]) -> str | None:
    """What is wrong with refusing this message, if it reports what happened."""
    if ruling.type == "BeforeItsStart" and isinstance(look_message, InterruptInfusion):
        given, at = seen().given, look_message.at or seen().now
        if given and at >= given[-1].at:
            return "an interruption after the start was refused as before it (INF-05)"
    if isinstance(look_message, Statement | LabResults) and ruling.type not in FORM:
        return f"a report of what happened was refused: {ruling.type}"
    return None


def _kept(look: Look) -> Broken:
    if look.step.after is not None:
        before = look.step.before.facts
        if look.state.chart.facts[: len(before)] != before:
            yield "a fact that was charted is not there any more"
    message, ruling = look.step.message, look.step.ruling
    if message is None or not isinstance(ruling, Accepted):
        return
    left = [f for f in look.step.added if f.message == message.id]
    wanted = len(message.results) if isinstance(message, LabResults) else 1
    if isinstance(message, Statement | LabResults) and len(left) < wanted:
        yield f"{message.name} was accepted and left {len(left)} of {wanted} facts"


def no_answer(_: Look) -> Broken:
    """Never asked of a decision: that there was none is what breaks it."""
    yield from ()


def _identity(look: Look) -> Broken:
    message, course = look.step.message, look.step.before.course
    subject = getattr(message, "subject_hash", course.subject_hash)
    if look.step.added and isinstance(look.step.ruling, Accepted) and subject != course.subject_hash:
        yield "results of another patient became facts (IDN-01)"
    for fact in look.step.added:
        if isinstance(fact.what, InfusionStarted):
            if len({name.strip().lower() for name in fact.what.identifiers_checked}) < 2:
                yield "a start with fewer than two identifiers (IDN-02)"
            slot = (fact.what.cycle, fact.what.day)
            signed = [f.id for f, w in look.before.of(DoseAuthorised) if (w.cycle, w.day) == slot]
            bags = [p for _, p in look.before.of(Preparation) if p.preparation_id == fact.what.preparation_id]
            if not any(why_not.usable(look.before, bag, signed, fact.what.mg) for bag in bags):
                yield "the bag that was started is not of this signature, this dose, or its clocks (IDN-02, PREP-12)"


def _not_ahead(look: Look) -> Broken:
    for fact in look.step.added:
        if fact.at > look.step.now:
            yield f"{fact.what.kind} is charted for a time to come (LAB-04)"


def _unreadable_kept(look: Look) -> Broken:
    come = look.step.unreadable
    if come is not None and not any(getattr(f.what, "sha256", None) == come.sha256 for f in look.state.chart.facts):
        yield "a message that nobody could read left no trace (LAB-05)"


def _obligations(look: Look) -> Broken:
    fired: dict[tuple[str, object], int] = {}
    for _, rung in look.after.of(RungFired):
        fired.setdefault((rung.obligation, rung.due_at), 0)
    for _, met in look.after.of(ObligationMet):
        key = (met.obligation, met.due_at)
        if key not in fired:
            yield f"{met.obligation} was closed and had never fallen due"
        else:
            fired[key] += 1
    still_open: set[tuple[str, object]] = {(o.key, o.due_at) for o in look.card.obligations}
    if len({o.key for o in look.card.obligations}) < len(look.card.obligations):
        yield "two open things have one key: what is said to one call is said to the other"
    for (name, due_at), closed in fired.items():
        if not closed and (name, due_at) not in still_open:
            yield f"{name} fell due and vanished: neither open, met, overdue nor withdrawn"
    for obligation in look.card.obligations:
        due = look.step.now >= obligation.due_at
        if due and (obligation.key, obligation.due_at) not in fired:
            yield f"{obligation.key} is due and nobody was told"


def _watched(look: Look) -> Broken:
    """MON-02, MON-04: after a dose the liver is looked at; somebody is asked until it was."""
    given = look.after.given
    if look.ended or not given:
        return
    last, now = given[-1], look.step.now
    day = (look.after.day(now) - last.on).days
    due_at = last.at + reference.LIVER_TEST_AFTER_DOSE
    tested = any(
        all(any(v.at >= due_at and look.after.day(v.at) == d for v in look.after.history(a)) for a in LIVER_TESTS)
        for d in {look.after.day(v.at) for v in look.after.history("alt")}
    )
    asked = [o for o in look.card.obligations if o.kind in OF_THE_LIVER]
    if now >= due_at and not tested and not asked:
        yield f"no liver test since {last.slot}, and nobody is asked for one (MON-02)"
    transplanted = "transplant" in look.after.by_kind
    if day < reference.WATCHED_AFTER_LAST_DOSE - 7 and not asked and not transplanted:
        yield f"day {day} after the last dose, and no further liver test is planned (MON-04)"


def _must(say: Callable[[Seen, Assessment], Iterator[str]]) -> Callable[[Look], Broken]:
    """What the card must say while the course goes on."""
    return lambda look: iter(()) if look.ended else say(look.after, look.card)


def _met(look: Look) -> Broken:
    if not look.ended:
        yield from must_say.met(look.after, [f.what for f in look.step.added if isinstance(f.what, ObligationMet)])


INVARIANTS: tuple[Invariant, ...] = (
    Invariant("permanent stop", ("NON-01", "NON-05", "IRR-03"), "After a permanent stop nothing is given.", _stopped),
    Invariant(
        "stop stands",
        ("NON-01", "NON-05", "COR-02", "§3.5"),
        "A stop ends only by two people's correction; the machine stops only for a grave reaction or confirmed VOD.",
        _stop_stands,
        of_card=True,
    ),
    Invariant(
        "dosing goes on",
        ("INF-02", "CLOSE-01"),
        "Nothing is given after the end of dosing, nor while an infusion or observation is under way.",
        _never_open(_of_course(why_not.not_dosing)),
    ),
    Invariant(
        "reaction",
        ("NON-04", "IRR-01"),
        "Nothing is given while a reaction is ungraded or, from grade 2 on, not over.",
        _never_open(_of_course(why_not.reacting)),
    ),
    Invariant(
        "people's holds",
        ("HOLD-01", "CONSENT", "ELIG-01"),
        "Nothing is given while a person's hold stands, or without consent and eligibility.",
        _never_open(_of_course(why_not.by_persons)),
    ),
    Invariant(
        "unread message",
        ("LAB-05",),
        "Nothing is given while a message waits that nobody could read.",
        _never_open(_of_course(why_not.unread)),
    ),
    Invariant(
        "liver",
        ("NON-02", "NON-08", "DATA-01", "DATA-02", "DATA-03", "CONV-01", "CONV-03", "LAB-05"),
        "Nothing is given while the liver panel is missing, stale, unreadable or high.",
        _never_open(why_not.liver),
    ),
    Invariant(
        "counts",
        ("HEM-01", "HEM-03", "CYT-02", "MON-01"),
        "Nothing is given without fresh counts, nor above the blast target, nor below the limits at day 1.",
        _never_open(why_not.counts),
    ),
    Invariant(
        "heart",
        ("QT-01", "QT-02", "QT-05", "MON-06", "MON-07"),
        "No day 1 is given with a long or unknown QTcF or without electrolytes.",
        _never_open(why_not.heart),
    ),
    Invariant(
        "examination",
        ("MON-15", "MON-16", "DATA-02"),
        "Nothing is given without a whole and fresh examination, nor with fever or bleeding.",
        _never_open(why_not.examined),
    ),
    Invariant(
        "toxicity",
        ("NON-06", "NON-10", "CT-21"),
        "Nothing is given while a toxicity of grade 2 or more stands.",
        _never_open(why_not.toxic),
    ),
    Invariant(
        "VOD",
        ("§7.2", "VOD-05", "VOD-11", "VOD-09"),
        "Suspected VOD is cleared only by a physician.",
        _vod,
        of_card=True,
    ),
    Invariant(
        "VOD holds",
        ("§7.2", "NON-01"),
        "Nothing is given while VOD is suspected.",
        _never_open(_of_course(why_not.vod_suspected)),
    ),
    Invariant(
        "suspicion kept",
        ("VOD-13",),
        "A suspicion of VOD ends by a physician's judgement and by nothing else.",
        _suspicion_kept,
        of_card=True,
    ),
    Invariant(
        "unusable newest",
        ("LAB-10",),
        "Nothing is given while the newest result of an analyte that a rule reads cannot be used.",
        _never_open(why_not.unusable),
    ),
    Invariant(
        "pregnancy",
        ("MON-11", "MON-11a"),
        "Nothing is given before any dose while a pregnancy test is positive.",
        _never_open(_of_course(why_not.pregnant)),
    ),
    Invariant(
        "calendar",
        ("DOSE-04", "DOSE-05", "DOSE-06", "DAY-03", "DAY-05", "DAY-06"),
        "Nothing is given within six calendar days of another dose, nor outside its window or cycle.",
        _never_open(why_not.too_soon),
    ),
    Invariant(
        "interruption",
        ("DUR-02", "DUR-04", "DUR-07", "LVL-01"),
        "A day 8 that toxicity held for 7 days is left out; after two reductions a cycle has two doses.",
        _never_open(why_not.interrupted),
    ),
    Invariant(
        "number of cycles",
        ("DOSE-07", "DOSE-08", "DOSE-09"),
        "Three cycles without a response, two or three before a transplant, six in all.",
        _never_open(why_not.too_many_cycles),
    ),
    Invariant(
        "next cycle",
        ("DOSE-07", "DOSE-08", "DOSE-09", "§7.2"),
        "No further cycle is started beyond the number of cycles or while VOD is suspected.",
        _cycle_begins,
    ),
    Invariant(
        "the start",
        ("OWN-01", "OWN-02", "PRE-07", "PREP-11", "PREP-12", "IDN-02", "DAY-03", "§3.5"),
        "No start without a signature that still holds, a second check, premedication and a preparation in their time.",
        _never_open(why_not.between_signature_and_start, starts_only=True),
    ),
    Invariant(
        "dose and level",
        ("DOSE-01", "DOSE-02", "DOSE-03", "DOSE-10", "LVL-01", "BSA-01"),
        "Never more than the dose of its branch and level, and never back up.",
        _within_level,
    ),
    Invariant("identity", ("IDN-01", "IDN-02"), "The right patient, two identifiers, the right bag.", _identity),
    Invariant("not ahead", ("LAB-04",), "Nothing is charted for a time to come.", _not_ahead),
    Invariant("roles", ("design §4",), "Each command is taken only from who may give it.", _role),
    Invariant("two people", ("OWN-02", "OVR-02"), "Two signatures are of two different people.", _two_people),
    Invariant("never set aside", ("OVR-01",), "What nobody may set aside is not set aside.", _set_aside),
    Invariant("reaction is urgent", ("NON-04", "§3.5"), "A reaction that runs is urgent.", _reacting, of_card=True),
    Invariant("VOD judged", ("§7.2", "VOD-09"), "Only a physician judges VOD.", _vod_judged),
    Invariant("the clock", ("design §2",), "The clock writes rungs and their ends, nothing else.", _clock),
    Invariant("timer", ("IRR-03", "design §2"), "A timer never gives, signs or releases.", _timer, of_card=True),
    Invariant(
        "monotone ignorance",
        ("M.0", "LAB-10"),
        "What adds no usable value opens nothing and lifts nothing.",
        _knowing_less,
        of_card=True,
    ),
    Invariant(
        "time",
        ("M.0", "VOD-13"),
        "Time alone makes no hold, suspicion or call milder.",
        _time_alone,
        of_card=True,
    ),
    Invariant("valid until", ("§3.5",), "A verdict holds until the instant that it names.", _valid_until, of_card=True),
    Invariant("resumption", ("INF-06", "NON-04"), "An infusion goes on only in time and after the reaction.", _resumed),
    Invariant("observation", ("INF-02", "INF-04"), "Observation is complete after 60 min, not before.", _observed),
    Invariant("reports", ("design §2",), "What happened is never refused and never lost.", _kept),
    Invariant("unreadable", ("LAB-05",), "What cannot be read leaves its trace.", _unreadable_kept, of_card=True),
    Invariant(
        "obligations",
        ("MON-02", "MON-03", "MON-04", "design §2"),
        "What fell due ends met, overdue or withdrawn, with the reason.",
        _obligations,
        of_card=True,
    ),
    Invariant(
        "liver tests",
        ("MON-02", "MON-04"),
        "After a dose somebody is asked for the liver tests.",
        _watched,
        of_card=True,
    ),
    Invariant(
        "the gravest calls somebody",
        ("CALL-01", "CRIT-01", "LAB-06", "NON-04"),
        "Physician and nurse are called to a reaction, a critical or impossible value, and signs of VOD.",
        _must(must_say.calls),
        of_card=True,
    ),
    Invariant(
        "eight hours",
        ("INF-07", "PREP-12"),
        "Who runs an infusion is called half an hour before the drug expires.",
        _must(must_say.time_limits),
        of_card=True,
    ),
    Invariant(
        "tests asked for",
        ("MON-03", "MON-06", "MON-15"),
        "After a transplant, a liver test and a QT drug somebody is asked to look.",
        _must(must_say.tests),
        of_card=True,
    ),
    Invariant(
        "met by its own", ("MON-02",), "The test after a dose is met by a panel of its time.", _met, of_card=True
    ),
    Invariant(
        "holds named",
        ("NON-02", "NON-08", "DAY-06"),
        "A hold of the liver is said while it stands, and only of what was high.",
        _must(must_say.held),
        of_card=True,
    ),
    Invariant(
        "told",
        ("DAY-07", "RESP-01", "TLS-01", "BSA-08", "DOSE-15"),
        "What was given too soon or in part, cannot fit, or is fluid, is told and not dosed by.",
        _must(must_say.told),
        of_card=True,
    ),
)


def violations(step: Step) -> Iterator[tuple[Invariant, str]]:
    """Every invariant that this decision breaks, with what it breaks."""
    look = Look(step)
    for invariant in INVARIANTS:
        if invariant.of_card and step.after is None:
            continue
        for words in invariant.broken(look):
            yield invariant, words


def invariant(name: str) -> Invariant:
    """One of them by name."""
    return next(i for i in INVARIANTS if i.name == name)
