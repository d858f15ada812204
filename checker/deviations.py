"""What else can happen: every other thing that people, machines and time do at this point of a course.

A deviation that the rules refuse, or that changes nothing, costs nothing: the course goes on from where it was. One that
is taken into the chart uses up one of the deviations that a dose may have. Each is offered where it can matter; commands
at the wrong moment are offered everywhere.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from checker.moves import Move, Scribe, no_fever, no_signs, weight
from checker.people import (
    CODE,
    LIVER,
    NURSE,
    PHARMACIST,
    PHYSICIAN,
    PRESCRIBER,
    PRESCRIBER_AS_PHARMACIST,
    result,
)
from checker.usual import DAY, IDENTIFIERS, analytes_for, ecg, premedicated, prepared, responded, signature, start
from checker.ward import State
from clinical.chart.calendar import local_date
from models.assessment import CourseState, Verdict
from models.facts import (
    Consent,
    DoseSlot,
    Fact,
    HoldSet,
    LabResult,
    LabStatus,
    OverrideGiven,
    PremedicationClass,
    Reaction,
    Response,
    Toxicity,
)
from models.messages import (
    AuthoriseDose,
    CloseCourse,
    CompleteInfusion,
    CorrectFact,
    Countersign,
    DecideDose,
    Discontinue,
    EndObservation,
    FinishDosing,
    GiveOverride,
    Hold,
    InterruptInfusion,
    JudgeVod,
    PlanTransplant,
    RecordAdministration,
    RecordTransplant,
    ReleaseHold,
    ReportReaction,
    StartInfusion,
    StartNextCycle,
    VerifyDose,
)

Made = Iterator[Move]
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
BEDSIDE = frozenset(
    {CourseState.INFUSION, CourseState.INFUSION_INTERRUPTED, CourseState.OBSERVATION, CourseState.REACTION}
)


def deviations(state: State, *, few: bool = False) -> tuple[Move, ...]:
    """Every move but the usual one, in a fixed order. `few` leaves out what is a variant of another."""
    found: list[Move] = []
    for kinds in (PROBES, *((FEW,) if few else (FEW, MORE))):
        for make in kinds:
            found += make(state)
    return tuple(found)


# ── where a course stands ──────────────────────────────────────────────────────────────────────────────────────────


def _slot(state: State) -> DoseSlot:
    return state.standing.slot or state.standing.case.slot_after_all


def _at_the_clinic(state: State) -> bool:
    """A dose is next, the patient is here, and the window is open."""
    early = any(f.verdict in (Verdict.TOO_EARLY, Verdict.OMIT) for f in state.card.findings)
    return state.standing.slot is not None and not early


def _at_home(state: State) -> bool:
    return state.standing.slot is not None and not _at_the_clinic(state)


def _at_the_bedside(state: State) -> bool:
    return state.card.state in BEDSIDE


def _signed(state: State) -> bool:
    """The dose is signed: what comes between the signature and the start matters now."""
    return _at_the_clinic(state) and not any(f.rule == "OWN-01" for f in state.card.findings if f.clears)


def _monitored(state: State) -> bool:
    return state.card.state is CourseState.LIVER_MONITORING


def _last(state: State, kind: type[object]) -> Fact | None:
    return next((f for f in reversed(state.standing.case.reading.facts) if isinstance(f.what, kind)), None)


def _lab(state: State, loinc: str) -> Fact | None:
    """The result of the newest sample, whatever came later of older ones."""
    facts = state.standing.case.reading.facts
    found = [f for f in facts if isinstance(f.what, LabResult) and f.what.loinc == loinc]
    return max(enumerate(found), key=lambda pair: (pair[1].at, pair[0]))[1] if found else None


# ── probes: commands of the wrong person or at the wrong moment ────────────────────────────────────────────────────


def _starts_at_any_moment(state: State) -> Made:
    if not state.over:
        yield Move("the start is tried", (start(state, _slot(state)),))


def _starts_with_what_is_missing(state: State) -> Made:
    if state.card.verdict is not Verdict.MAY_START:
        return
    slot, scribe, begun = _slot(state), Scribe(state), start(state, _slot(state))
    fields = {"cycle": slot.cycle, "day": slot.day, "identifiers_checked": IDENTIFIERS}
    named = (begun.identifiers_checked[0], begun.identifiers_checked[0].upper())
    one = begun.model_copy(update={"identifiers_checked": named, "id": f"{begun.id}/one"})
    other = scribe.say(StartInfusion, NURSE, "other", **{**fields, "preparation_id": "another bag"})
    yield Move("the start is tried with one identifier", (one,))
    yield Move("the start is tried with a bag that nobody charted", (other,))
    first = next((f.what.preparation_id for f in state.chart.facts if f.what.kind == "preparation"), None)
    if first not in (None, begun.preparation_id):
        old = scribe.say(StartInfusion, NURSE, "old", **{**fields, "preparation_id": first})
        yield Move("the start is tried with an old bag", (old,))


def _signs_at_any_moment(state: State) -> Made:
    if not state.over:
        yield Move("a signature is tried", (signature(state, _slot(state), "again"),))


def _signs_another_dose(state: State) -> Made:
    if _at_the_clinic(state):
        slot, scribe = _slot(state), Scribe(state)
        after = DoseSlot.model_validate({"cycle": slot.cycle, "day": 15 if slot.day != 15 else 8})
        yield Move("another dose is signed", (signature(state, after, "other"),))
        if state.card.dose is not None:
            more = state.card.dose.mg + Decimal("0.1")
            signed = scribe.say(AuthoriseDose, PRESCRIBER, "more", cycle=slot.cycle, day=slot.day, mg=more)
            yield Move("more than the card says is signed", (signed,))


def _checked_by_the_wrong(state: State) -> Made:
    plan, slot = state.card.dose, _slot(state)
    if not _signed(state) or plan is None:
        return
    for by in (PRESCRIBER_AS_PHARMACIST, PHYSICIAN):
        checked = Scribe(state).say(VerifyDose, by, cycle=slot.cycle, day=slot.day, mg=plan.mg)
        yield Move(f"the dose is checked by {by}", (checked,))
    wrong = Scribe(state).say(
        VerifyDose, PHARMACIST, "less", cycle=slot.cycle, day=slot.day, mg=plan.mg - Decimal("0.1")
    )
    yield Move("the pharmacist computes another dose", (wrong,))


def _signed_by_the_wrong(state: State) -> Made:
    if _at_the_clinic(state):
        slot = _slot(state)
        signed = Scribe(state).say(AuthoriseDose, PHYSICIAN, cycle=slot.cycle, day=slot.day)
        yield Move("a physician who is not the prescriber signs", (signed,))


def _next_cycle_at_any_moment(state: State) -> Made:
    if not state.over and (state.standing.case.doses or _monitored(state)):
        cycle = state.standing.case.slot_after_all.cycle
        following = Scribe(state).say(StartNextCycle, PRESCRIBER, cycle=max(cycle, state.card.cycle + 1))
        yield Move("the next cycle is tried", (following,))


def _released_by_the_wrong(state: State) -> Made:
    held = _last(state, HoldSet)
    if held is not None:
        for by in (NURSE, PHYSICIAN):
            release = Scribe(state).say(ReleaseHold, by, hold=held.id, reason="settled")
            yield Move(f"the hold is released by the {by.role}", (release,))


def _vod_judged_by_the_wrong(state: State) -> Made:
    if state.card.verdict is Verdict.HOLD_URGENT:
        judged = Scribe(state).say(JudgeVod, NURSE, judgement="excluded", other_cause="fluid")
        nothing = Scribe(state).say(JudgeVod, PHYSICIAN, "no cause", judgement="excluded")
        yield Move("a nurse excludes VOD", (judged,))
        yield Move("VOD is excluded without another cause", (nothing,))


def _set_aside(state: State) -> Made:
    """Every finding that stands is tried to be set aside, by the prescriber alone."""
    slot, scribe = state.standing.slot, Scribe(state)
    if slot is None or not _at_the_clinic(state):
        return
    asked = [f for f in state.card.findings if f.overridden is None and (f.verdict is not None or f.clears is not None)]
    for rule, subject in dict.fromkeys((f.rule, f.subject or None) for f in asked):
        key = f"{rule}{subject or ''}"
        fields = {"rule": rule, "subject": subject, "reason": "benefit outweighs"}
        given = scribe.say(GiveOverride, PRESCRIBER, key, cycle=slot.cycle, day=slot.day, **fields)
        yield Move(f"{rule} {subject or ''} is set aside".replace("  ", " "), (given,))


def _countersigned(state: State) -> Made:
    given = _last(state, OverrideGiven)
    targets = [given.id] if given is not None and _at_the_clinic(state) else []
    targets += [review.target for review in state.standing.case.reviews]
    for target in targets:
        for by in (PRESCRIBER, PRESCRIBER_AS_PHARMACIST, PHARMACIST, PHYSICIAN):
            signed = Scribe(state).say(Countersign, by, f"{by.role}{target}"[:60], target=target)
            yield Move(f"{by} signs as the second person", (signed,))


def _sent_again(state: State) -> Made:
    """What was said last comes once more under a new id: two people, or one person twice."""
    if _at_the_bedside(state):
        scribe = Scribe(state)
        yield Move(
            "the end is charted too early to be true", (scribe.say(CompleteInfusion, NURSE, at=state.now - 3 * HOUR),)
        )
        yield Move("the end is charted", (scribe.say(CompleteInfusion, NURSE, "now"),))


def _wrong_patient(state: State) -> Made:
    if _at_the_clinic(state):
        labs = Scribe(state).labs(LIVER, "other")
        yield Move("results of another patient come", (labs.model_copy(update={"subject_hash": "check:other"}),))
        ahead = Scribe(state).finds(weight(), at=state.now + DAY)
        yield Move("a finding is dated tomorrow", ahead)


def _more_than_level(state: State) -> Made:
    plan, slot = state.card.dose, _slot(state)
    if _at_the_clinic(state) and plan is not None and not state.standing.case.in_review:
        decided = Scribe(state).say(
            DecideDose, PRESCRIBER, "omit", cycle=slot.cycle, day=slot.day, decision="omit", cause="other", reason="no"
        )
        if slot.day == 1:
            yield Move("day 1 is left out", (decided,))


# ── results ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _high_values(state: State) -> Made:
    if _at_the_clinic(state) or _at_the_bedside(state) or _at_home(state):
        scribe, analytes = Scribe(state), analytes_for(state) if _at_the_clinic(state) else LIVER
        yield Move("ALT comes back high", (scribe.labs(analytes, "alt", alt="160"),))
        both = scribe.labs(analytes, "both", alt="160", bilirubin="2.0")
        yield Move("ALT and bilirubin come back high", (both,))


def _more_high_values(state: State) -> Made:
    if not _at_the_clinic(state):
        return
    scribe, analytes = Scribe(state), analytes_for(state)
    yield Move("bilirubin comes back high", (scribe.labs(analytes, "bili", bilirubin="1.9"),))
    yield Move("AST and bilirubin come back high", (scribe.labs(analytes, "ast", ast="120", bilirubin="1.9"),))
    yield Move("potassium comes back low", (scribe.labs((*analytes, "potassium"), "k", potassium="2.9"),))
    yield Move("creatinine comes back high", (scribe.labs((*analytes, "creatinine"), "krea", creatinine="2.5"),))
    yield Move("an impossible ALT comes", (scribe.labs(LIVER, "wild", alt="60000"),))


def _other_units(state: State) -> Made:
    """Bilirubin 2.9 mg/dL said in µmol/L, above its limit, and in a unit that nobody knows."""
    if not _at_the_clinic(state):
        return
    scribe, now = Scribe(state), state.now
    rest = [result(a, now) for a in analytes_for(state) if a != "bilirubin"]
    molar = result("bilirubin", now, "50", unit="umol/L", uln="20.5", loinc="14631-6")
    cups = result("bilirubin", now, "0.6", unit="cups")
    yield Move("bilirubin comes back high in µmol/L", (scribe.draw(*rest, molar, key="molar"),))
    yield Move("bilirubin comes in an unknown unit", (scribe.draw(*rest, cups, key="cups"),))


UNUSABLE: dict[str, dict[str, Any]] = {
    "ALT cannot be read": {"value": None, "text": "haemolysed"},
    "ALT comes as < 200": {"value": Decimal(200), "comparator": "<"},
}
FURTHER_UNUSABLE: dict[str, dict[str, Any]] = {
    "ALT comes without its upper limit": {"uln": None},
    "ALT is preliminary": {"status": "preliminary"},
}


def _unusable_values(state: State) -> Made:
    yield from _in_ways(state, UNUSABLE)


def _further_unusable_values(state: State) -> Made:
    yield from _in_ways(state, FURTHER_UNUSABLE)


def _in_ways(state: State, ways: dict[str, dict[str, Any]]) -> Made:
    if _at_the_clinic(state):
        scribe, now = Scribe(state), state.now
        rest = [result(a, now) for a in analytes_for(state) if a != "alt"]
        for words, changes in ways.items():
            yield Move(words, (scribe.draw(*rest, result("alt", now, **changes), key=words),))


def _missing_values(state: State) -> Made:
    if _at_the_clinic(state):
        rest = [a for a in analytes_for(state) if a not in LIVER]
        yield Move("the liver panel is missing", (Scribe(state).labs(rest, "no liver"),))


def _stale_values(state: State) -> Made:
    """Taken days ago and sent now: too old for the dose, and older than what is known."""
    if _at_the_clinic(state):
        scribe = Scribe(state)
        yield Move("old results come late", (scribe.labs(analytes_for(state), "late", at=state.now - 3 * DAY),))
        high = scribe.labs(LIVER, "late high", at=state.now - HOUR, alt="160", bilirubin="2.0")
        yield Move("high liver values of an hour ago come late", (high,))
        fresh = [result(a, state.now) for a in analytes_for(state) if a not in LIVER]
        old = [result(a, state.now - 3 * DAY) for a in LIVER]
        yield Move("fresh counts come with old liver values", (scribe.draw(*fresh, *old, key="half old"),))


def _garbled(state: State) -> Made:
    if _at_the_clinic(state) or _monitored(state):
        yield Move("a message comes that nobody can read", unreadable=Scribe(state).garbled())


def _corrected(state: State) -> Made:
    """The laboratory corrects the last ALT; a person corrects it; a person retracts it."""
    fact = _lab(state, CODE["alt"])
    if fact is None or not (_at_the_clinic(state) or _at_the_bedside(state)) or fact.at < state.now - DAY:
        return
    scribe = Scribe(state)
    assert isinstance(fact.what, LabResult)
    high = fact.what.model_copy(update={"value": Decimal(160), "status": LabStatus.CORRECTED, "issued_at": state.now})
    yield Move("the laboratory corrects ALT to 160", (scribe.draw(high, key="corr"),))
    again = scribe.say(CorrectFact, PHYSICIAN, "alt", target=fact.id, replacement=high, reason="misread")
    yield Move("a physician corrects ALT to 160", (again,))
    gone = scribe.say(CorrectFact, PHYSICIAN, "gone", target=fact.id, reason="another patient")
    yield Move("ALT is retracted", (gone,))


def _long_high(state: State) -> Made:
    """Nobody comes for days, then two draws are told at once: ALT is high now and still high then. 6 days put the dose
    off, from 7 it is left out, from 14 the level falls, from 29 stopping is proposed (DUR-01 … DUR-06)."""
    if not _at_the_clinic(state) or _signed(state) or not state.standing.case.doses:
        return
    for days in (6, 8, 14, 29):
        at = state.now + days * DAY
        high = [result(a, then, "160" if a == "alt" else None) for then in (state.now, at) for a in LIVER]
        yield Move(f"ALT was high for {days} days", (Scribe(state, at).draw(*high, key="long"),), at)


def _episode_retracted(state: State) -> Made:
    """COR-02: the first of the values that lowered the level was another patient's."""
    case = state.standing.case
    if not state.standing.slot or case.level_of(state.standing.slot.cycle) == 0:
        return
    highs = [f for f in case.reading.facts if isinstance(f.what, LabResult) and _is_high(f)]
    for fact in highs[:1]:
        gone = Scribe(state).say(CorrectFact, PHYSICIAN, "first", target=fact.id, reason="another patient")
        yield Move("the value that began the interruption is retracted", (gone,))


def _is_high(fact: Fact) -> bool:
    what = fact.what
    assert isinstance(what, LabResult)
    return what.loinc == CODE["alt"] and what.value is not None and what.value > 150


def _results_sent_again(state: State) -> Made:
    """The laboratory sends its last draw once more, as another message."""
    results = [(f.message, f.what) for f in state.chart.facts if isinstance(f.what, LabResult)]
    if results and (_at_the_clinic(state) or _monitored(state)):
        same = [what for message, what in results if message == results[-1][0]]
        yield Move("the last results come again", (Scribe(state).draw(*same, key="again"),))


def _low_counts(state: State) -> Made:
    if _at_the_clinic(state) and _slot(state).cycle > 1 and _slot(state).day == 1:
        scribe, analytes = Scribe(state), analytes_for(state)
        yield Move("platelets are low at day 1", (scribe.labs(analytes, "plt", platelets="40"),))
        yield Move("neutrophils are low at day 1", (scribe.labs(analytes, "anc", anc="0.8"),))


def _many_blasts(state: State) -> Made:
    if not state.standing.case.doses:
        yield Move("blasts are above the target", (Scribe(state).labs(analytes_for(state), "blasts", blasts="20"),))


def _heart(state: State) -> Made:
    if _at_the_clinic(state) and _slot(state).day == 1:
        scribe = Scribe(state)
        yield Move("QTcF is 510 ms", scribe.finds(ecg("510")))
        yield Move("QTcF is 490 ms", scribe.finds(ecg("490")))


# ── examinations and reports ───────────────────────────────────────────────────────────────────────────────────────


def _signs_of_vod(state: State) -> Made:
    if state.over:
        return
    seen = no_signs(hepatomegaly=True, painful_hepatomegaly=True, ascites=True)
    yield Move("signs of VOD are seen", Scribe(state).finds(seen, by=PHYSICIAN))


def _half_examined(state: State) -> Made:
    if _at_the_clinic(state):
        scribe = Scribe(state)
        yield Move("ascites is not looked for", scribe.finds(no_signs(ascites=None), by=PHYSICIAN))
        yield Move("fever is measured", scribe.finds(no_fever("38.5")))


def _heavier(state: State) -> Made:
    if _at_the_clinic(state):
        scribe = Scribe(state)
        yield Move("the patient weighs 12 % more", scribe.finds(weight("78.4")))
        yield Move(
            "the patient weighs 77 kg and has ascites",
            (*scribe.finds(weight("77")), *scribe.finds(no_signs(ascites=True))),
        )


def _toxicity(state: State) -> Made:
    if _at_the_clinic(state) or _at_home(state):
        scribe = Scribe(state)
        yield Move("a rash of grade 2 is charted", scribe.finds(Toxicity(term="rash", grade=2)))
        cause = Toxicity(term="rash", grade=3, attributed_to_ino=False)
        yield Move("a nurse says that a rash of grade 3 has another cause", scribe.finds(cause))


def _consent_withdrawn(state: State) -> Made:
    if _at_the_clinic(state):
        yield Move("consent is withdrawn", Scribe(state).finds(Consent(given=False)))


def _vod_judged(state: State) -> Made:
    urgent = state.card.verdict is Verdict.HOLD_URGENT
    for judgement in ("confirmed", "suspected") if urgent else ("suspected",):
        if urgent or _at_the_clinic(state):
            judged = Scribe(state).say(JudgeVod, PHYSICIAN, judgement, judgement=judgement)
            yield Move(f"VOD is judged {judgement}", (judged,))


def _reaction(state: State) -> Made:
    yield from _reported(state, None, 2, 3)


def _mild_reaction(state: State) -> Made:
    yield from _reported(state, 1)


def _reported(state: State, *grades: int | None) -> Made:
    last = state.standing.case.last_dose
    if last is None or not (_at_the_bedside(state) or (_at_home(state) and state.now < last.started_at + DAY)):
        return
    for grade in grades:
        name = f"r-{last.slot}"
        said = Scribe(state).say(ReportReaction, NURSE, f"{name}-{grade}", reaction_id=name, grade=grade)
        yield Move(
            f"a reaction of grade {grade} is reported" if grade else "a reaction is reported without grade", (said,)
        )


def _stop_retracted(state: State) -> Made:
    """COR-02: what stopped the drug was an error, says the prescriber."""
    grave = [f for f in state.chart.facts if isinstance(f.what, Reaction) and (f.what.grade or 0) >= 3]
    judged = [f for f in state.chart.facts if f.what.kind in ("vod_judged", "discontinued")]
    for fact in (*grave[-1:], *judged[-1:]):
        gone = Scribe(state).say(
            CorrectFact, PRESCRIBER, f"stop{fact.id}"[:60], target=fact.id, reason="another patient"
        )
        yield Move("what stopped the drug is retracted", (gone,))


def _response(state: State) -> Made:
    if state.standing.case.in_review:
        yield Move("no response is recorded", (responded(state, Response.NONE),))
        yield Move("the response was not assessable", (responded(state, Response.NOT_ASSESSABLE),))


# ── people ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _held(state: State) -> Made:
    if not state.over:
        yield Move("a nurse holds the dose", (Scribe(state).say(Hold, NURSE, reason="the patient is unwell"),))


def _discontinued(state: State) -> Made:
    if not state.over:
        stopped = Scribe(state).say(Discontinue, PRESCRIBER, reason="the prescriber's decision")
        yield Move("the prescriber discontinues", (stopped,))


def _finished(state: State) -> Made:
    if _at_home(state) or _at_the_clinic(state):
        yield Move("dosing is finished early", (Scribe(state).say(FinishDosing, PRESCRIBER, reason="wish"),))


def _decided(state: State) -> Made:
    slot, scribe = _slot(state), Scribe(state)
    if not _at_the_clinic(state) or state.standing.case.in_review or not state.standing.case.doses:
        return
    fields = {"cycle": slot.cycle, "day": slot.day, "cause": "logistics", "reason": "the patient travels"}
    until = local_date(state.now, state.standing.case.reading.zone) + timedelta(days=2)
    put_off = scribe.say(DecideDose, PRESCRIBER, "later", decision="postpone", until=until, **fields)
    yield Move("the dose is put off for two days", (put_off,))
    if slot.day != 1:
        yield Move("the dose is left out", (scribe.say(DecideDose, PRESCRIBER, "no", decision="omit", **fields),))


def _given_elsewhere(state: State) -> Made:
    slot, scribe = state.standing.slot, Scribe(state)
    if slot is None or (slot.cycle == 1 and slot.day == 1):
        return
    for key, words, at in (("now", "now", state.now), ("late", "two days ago", state.now - 2 * DAY)):
        fields = {"cycle": slot.cycle, "day": slot.day, "mg": Decimal("0.91"), "at": at}
        given = scribe.say(RecordAdministration, PHYSICIAN, key, **fields)
        yield Move(f"the dose was given elsewhere {words}", (given,))


def _transplanted(state: State) -> Made:
    if _at_home(state) or _monitored(state):
        done = Scribe(state).say(RecordTransplant, PHYSICIAN, transplanted_at=state.now)
        yield Move("a transplant takes place", (done,))
        planned = Scribe(state).say(PlanTransplant, PRESCRIBER)
        yield Move("a transplant is planned", (planned,))


def _closed(state: State) -> Made:
    if _at_home(state) or _monitored(state) or _at_the_clinic(state):
        scribe = Scribe(state)
        yield Move("the patient dies", (scribe.say(CloseCourse, PHYSICIAN, "death", reason="death"),))
        yield Move("the patient stops", (scribe.say(CloseCourse, NURSE, "stops", reason="patient_stops"),))
        lost = scribe.say(CloseCourse, NURSE, "lost", reason="lost_to_follow_up")
        yield Move("the patient is lost to follow-up", (lost,))


# ── at the bedside ─────────────────────────────────────────────────────────────────────────────────────────────────


def _premedication(state: State) -> Made:
    if not _at_the_clinic(state) or state.standing.case.in_review:
        return
    scribe = Scribe(state)
    two = premedicated(scribe, PremedicationClass.CORTICOSTEROID, PremedicationClass.ANTIPYRETIC)
    yield Move("two premedications are given", two)
    early = tuple(
        m.model_copy(update={"at": state.now - 3 * HOUR, "id": f"{m.id}/3h"}) for m in premedicated(Scribe(state))
    )
    yield Move("the premedication was given three hours ago", early)


def _preparation(state: State) -> Made:
    if _signed(state) and not state.standing.case.in_review:
        yield Move("a bag reconstituted 7 h ago is charted", (prepared(state, hours_ago=7),))
        less = prepared(state)
        less = less.model_copy(
            update={"mg": less.mg + Decimal("0.2"), "preparation_id": "bag-more", "id": f"{less.id}+"}
        )
        yield Move("a bag with more drug is charted", (less,))


def _interrupted(state: State) -> Made:
    if state.card.state is CourseState.INFUSION:
        yield Move("the infusion is interrupted", (Scribe(state).say(InterruptInfusion, NURSE),))
        at = state.now + timedelta(minutes=30)
        early = Scribe(state, at).say(CompleteInfusion, NURSE, "early", stopped_early=True)
        yield Move("the infusion is broken off after half an hour", (early,), at)


def _broken_off(state: State) -> Made:
    if state.card.state is CourseState.OBSERVATION:
        scribe = Scribe(state)
        yield Move("observation is broken off in silence", (scribe.say(EndObservation, NURSE, "silent"),))
        yield Move("observation is broken off with a note", (scribe.say(EndObservation, NURSE, "note", note="left"),))


# ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _time(state: State) -> Made:
    """Nobody does anything until the next change, or until the next day."""
    if state.over:
        return
    if state.wakes_at is not None:
        yield Move("nothing happens until the next change", until=state.wakes_at)
    if _at_the_clinic(state) or _at_the_bedside(state):
        yield Move("a day goes by", until=state.now + DAY)


def _hours(state: State) -> Made:
    """Nobody does anything for some hours."""
    if not state.over and (_at_the_clinic(state) or _at_the_bedside(state)):
        yield Move("three hours go by", until=state.now + 3 * HOUR)


def _another_day(state: State) -> Made:
    """The patient comes too early or late."""
    opens = [
        f.earliest_at for f in state.card.findings if f.verdict in (Verdict.TOO_EARLY, Verdict.OMIT) and f.earliest_at
    ]
    if not _at_home(state) or not opens:
        return
    at = max(opens)
    yield Move("the patient comes a moment before the window", until=at - SECOND)
    yield Move("the patient comes as soon as the window opens", until=at)
    yield Move("the patient comes four days after the window opens", until=at + 4 * DAY)
    yield Move("the patient comes nine days after the window opens", until=at + 9 * DAY)


PROBES: tuple[Callable[[State], Made], ...] = (
    _starts_at_any_moment,
    _starts_with_what_is_missing,
    _signs_at_any_moment,
    _signs_another_dose,
    _checked_by_the_wrong,
    _signed_by_the_wrong,
    _next_cycle_at_any_moment,
    _released_by_the_wrong,
    _vod_judged_by_the_wrong,
    _set_aside,
    _countersigned,
    _sent_again,
    _wrong_patient,
    _more_than_level,
)
"""Tried in every state; most are refused, and then cost nothing."""

FEW: tuple[Callable[[State], Made], ...] = (
    _high_values,
    _unusable_values,
    _garbled,
    _corrected,
    _signs_of_vod,
    _held,
    _reaction,
    _given_elsewhere,
    _discontinued,
    _vod_judged,
    _stop_retracted,
    _time,
    _another_day,
    _low_counts,
    _results_sent_again,
)
"""One or two of each kind: the bounded search."""

MORE: tuple[Callable[[State], Made], ...] = (
    _further_unusable_values,
    _mild_reaction,
    _hours,
    _more_high_values,
    _other_units,
    _missing_values,
    _stale_values,
    _long_high,
    _episode_retracted,
    _many_blasts,
    _heart,
    _half_examined,
    _heavier,
    _toxicity,
    _consent_withdrawn,
    _response,
    _finished,
    _decided,
    _transplanted,
    _closed,
    _premedication,
    _preparation,
    _interrupted,
    _broken_off,
)
"""The rest: the full search."""
