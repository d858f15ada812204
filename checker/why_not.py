"""Why a dose must not be given now, re-derived by hand from the clinical reference and the raw facts.

Each function yields sentences; none means that, as far as this second reading goes, the dose may be given. It answers
only in one direction: what it names must never be open. What it does not name is left to the tests of the rules.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from checker import reference
from checker.seen import Seen, Value
from models.facts import (
    Consent,
    Countersigned,
    CycleExtended,
    CycleStarted,
    DoseAuthorised,
    DoseSlot,
    DoseVerified,
    Ecg,
    Eligibility,
    Fact,
    Height,
    HoldReleased,
    HoldSet,
    InfectionBleedingCheck,
    NoTransplantDeclared,
    PregnancyTest,
    Premedication,
    PremedicationClass,
    Preparation,
    Reaction,
    Response,
    Toxicity,
    ToxicityAttribution,
    Transfusion,
    Transplant,
    TransplantPlanned,
    TransplantPlanWithdrawn,
    UnreadableMessage,
    UnreadableResolved,
    VodExamination,
    VodJudged,
    Weight,
)
from models.people import PHYSICIANS, Role

Why = Iterator[str]
HUNDREDTH = Decimal("0.01")
COUNTS = ("wbc", "anc", "platelets", "haemoglobin")
LIVER = ("alt", "ast", "alp", "bilirubin")


# ── the course ─────────────────────────────────────────────────────────────────────────────────────────────────────


def not_dosing(seen: Seen) -> Why:
    """Dosing has ended, the course is closed, or something is under way at the bedside."""
    yield from dosing_over(seen)
    if any(f.what.kind == "course_closed" and f.what.reason in ("death", "transfer") for f in seen.facts):
        yield "the course is closed"
    if any(g.ended_at is None for g in seen.given):
        yield "an infusion runs"
    if seen.given and seen.given[-1].ended_at is not None and not seen.given[-1].observed:
        yield "the observation of the last dose is not over (INF-02)"


def dosing_over(seen: Seen) -> Why:
    """Somebody ended dosing, and no further cycle was started."""
    ended = False
    for fact in seen.facts:
        what = fact.what
        if what.kind in ("dosing_finished", "transplant") or (
            what.kind == "course_closed" and what.reason in ("death", "transfer", "patient_stops")
        ):
            ended = True
        elif isinstance(what, CycleStarted):
            ended = False
    if ended:
        yield "dosing has ended"


def by_persons(seen: Seen) -> Why:
    """Holds that nobody released, consent, eligibility."""
    released = {w.hold for f, w in seen.of(HoldReleased) if f.by.role is Role.PRESCRIBER}
    if any(f.id not in released for f, _ in seen.of(HoldSet)):
        yield "a person's hold stands"
    consent = seen.last(Consent)
    if consent is None or not consent[1].given:
        yield "there is no consent"
    for question in ("cd22_positive", "b_cell_precursor_all", "relapsed_or_refractory"):
        told = sorted(seen.of(Eligibility), key=lambda pair: pair[0].at)
        said = [answer for _, what in told if (answer := getattr(what, question)) is not None]
        if (not seen.given and not said) or (said and not said[-1]):
            yield f"eligibility is not stated, or not met: {question} (ELIG-01)"


def unread(seen: Seen) -> Why:
    """LAB-05: a message that nobody has read."""
    said = [(f.recorded_at, w.target) for f, w in seen.of(UnreadableResolved)]
    if any(
        not any(at >= f.recorded_at and target in (f.id, m.sha256) for at, target in said)
        for f, m in seen.of(UnreadableMessage)
    ):
        yield "a message could not be read and nobody has resolved it (LAB-05)"


# ── the patient ────────────────────────────────────────────────────────────────────────────────────────────────────


def reacting(seen: Seen) -> Why:
    """NON-04: a reaction without a grade, or of grade 2 and more and not over."""
    for grade, over in reactions_so_far(seen):
        if grade is None:
            yield "a reaction has no grade (NON-04)"
        elif grade >= reference.TOXICITY_GRADE and not over:
            yield f"a reaction of grade {grade} is not over (NON-04)"


def reactions_so_far(seen: Seen) -> Iterator[tuple[int | None, bool]]:
    """Of each reaction the highest grade reported, and whether it is over and did not come back."""
    so_far: dict[str, tuple[int | None, datetime | None]] = {}
    for fact, what in seen.of(Reaction):
        known, ended = so_far.get(what.reaction_id, (None, None))
        grade = max((g for g in (known, what.grade) if g is not None), default=None)
        if what.resolved_at is not None and what.resolved_at <= seen.now:
            ended = what.resolved_at
        elif ended is not None and fact.at > ended and (known is not None or what.grade is None):
            ended = None
        so_far[what.reaction_id] = grade, ended
    for grade, ended in so_far.values():
        yield grade, ended is not None


def signs_of_vod(seen: Seen) -> dict[str, Decimal]:
    """What speaks for VOD now, each with how much where there is a number (VOD-05, VOD-11)."""
    signs: dict[str, Decimal] = {}
    bilirubin = seen.latest("bilirubin")
    if bilirubin is not None and bilirubin.readable:
        micromoles = bilirubin.number * (1 if bilirubin.unit == "umol/L" else reference.MICROMOLES_PER_MG_DL)
        if micromoles >= reference.BILIRUBIN_VOD:
            signs["bilirubin"] = micromoles
    looked = seen.last(VodExamination)
    if looked is not None:
        if looked[1].hepatomegaly is not False and looked[1].painful_hepatomegaly:
            signs["painful hepatomegaly"] = Decimal(0)
        if looked[1].ascites:
            signs["ascites"] = Decimal(0)
    weights = sorted(seen.of(Weight), key=lambda pair: pair[0].at)
    first = seen.given[0].at if seen.given else None
    base = [w.kg for f, w in weights if first is not None and f.at <= first]
    if base:
        gain = (weights[-1][1].kg - base[-1]) / base[-1] * 100
        if gain > reference.GAIN_INO_VATE:
            signs["weight"] = gain
    return signs


def vod_met(signs: dict[str, Decimal]) -> bool:
    """VOD-05 or VOD-11: two signs; after INO-VATE ascites and weight count once."""
    heavy = signs.get("weight", Decimal(0)) > reference.GAIN_EBMT
    common = sum(name in signs for name in ("bilirubin", "painful hepatomegaly"))
    ebmt = common + ("ascites" in signs) + heavy
    ino_vate = common + ("ascites" in signs or "weight" in signs)
    return max(ebmt, ino_vate) >= reference.SIGNS


def vod_suspected(seen: Seen) -> Why:
    """§7.2: criteria met, or a physician's suspicion, and no physician has cleared what is seen now."""
    judged = [(f, w) for f, w in seen.of(VodJudged) if f.by.role in PHYSICIANS]
    signs = signs_of_vod(seen)
    last = judged[-1] if judged else None
    if last is not None and last[1].judgement == "suspected":
        yield "a physician suspects VOD"
    elif vod_met(signs) and not (last is not None and _cleared(seen, last, signs)):
        yield f"VOD is suspected ({', '.join(sorted(signs))}) and no physician has cleared it (§7.2)"


def _cleared(seen: Seen, judged: tuple[Fact, VodJudged], signs: dict[str, Decimal]) -> bool:
    if judged[1].judgement not in ("excluded", "resolved"):
        return False
    then = signs_of_vod(seen.before(judged[0]))
    return all(name in then and amount <= then[name] for name, amount in signs.items())


def toxic(seen: Seen, slot: DoseSlot) -> Why:
    """NON-06: a graded toxicity of grade 2 or more that no physician attributed elsewhere; creatinine by CT-21."""
    latest: dict[str, tuple[Fact, Toxicity]] = {}
    for fact, what in sorted(seen.of(Toxicity), key=lambda pair: pair[0].at):
        latest[what.term.lower()] = (fact, what)
    for term, (fact, what) in latest.items():
        elsewhere = what.attributed_to_ino is False and fact.by.role in PHYSICIANS
        for word, cause in seen.of(ToxicityAttribution):
            if cause.term.lower() == term and word.recorded_at >= fact.recorded_at and word.by.role in PHYSICIANS:
                elsewhere = not cause.due_to_ino
        aside = what.grade == reference.TOXICITY_GRADE and seen.set_aside(
            "NON-06", slot, by_two=True, since=fact.recorded_at, subject=term
        )
        if what.grade >= reference.TOXICITY_GRADE and what.grade > _before(seen, term) and not elsewhere and not aside:
            yield f"{term} of grade {what.grade} (NON-06)"
    creatinine = seen.latest("creatinine")
    if seen.given and creatinine is not None and creatinine.readable and creatinine.uln > 0:
        aside = seen.set_aside("NON-06", slot, by_two=True, since=creatinine.fact.recorded_at)
        if _risen(seen, creatinine) and creatinine.of_uln > reference.CREATININE_ULN and not aside:
            yield "creatinine is of grade 2 or more (NON-06, CT-21)"


def _before(seen: Seen, term: str) -> int:
    """The grade of a toxicity before treatment; before the first dose whatever it is."""
    charted = sorted(((f, w) for f, w in seen.of(Toxicity) if w.term.lower() == term), key=lambda pair: pair[0].at)
    grades = [w.grade for f, w in charted if not seen.given or f.at <= seen.given[0].at]
    return grades[-1] if grades else 0


def _risen(seen: Seen, value: Value) -> bool:
    """NON-06: above what it was before treatment; what was as high then is no toxicity of the drug."""
    before = [v for v in seen.history("creatinine") if v.at <= seen.given[0].at]
    return value.at > seen.given[0].at and (not before or value.of_uln > before[-1].of_uln)


def examined(seen: Seen, slot: DoseSlot) -> Why:
    """MON-15, MON-16, weight: looked at lately, whole, without fever or bleeding."""
    looked = seen.last(VodExamination)
    if looked is None or None in (looked[1].ruq_pain, looked[1].hepatomegaly, looked[1].ascites, looked[1].oedema):
        yield "the examination for VOD is missing or not whole (MON-15)"
    elif seen.now - looked[0].at > reference.EXAMINATION_AGE and not _age_aside(seen, slot, "MON-15"):
        yield "the examination for VOD is too old (MON-15)"
    checked = seen.last(InfectionBleedingCheck)
    if checked is None or checked[1].temperature_c is None or checked[1].active_bleeding is None:
        yield "infection and bleeding were not looked for (MON-16)"
    elif not seen.set_aside("MON-16", slot, by_two=False, since=checked[0].recorded_at):
        if seen.now - checked[0].at > reference.EXAMINATION_AGE:
            yield "the check for infection and bleeding is too old (MON-16)"
        if checked[1].temperature_c >= reference.FEVER or checked[1].infection or checked[1].active_bleeding:
            yield "fever, infection or bleeding (MON-16)"
    yield from _weighed(seen, slot)


def _weighed(seen: Seen, slot: DoseSlot) -> Why:
    weighed = seen.last(Weight)
    first, later = reference.WEIGHT_AGE_FIRST, reference.WEIGHT_AGE
    age = later if slot.day != 1 else first if slot.cycle == 1 else reference.WEIGHT_AGE_D1
    if weighed is None or (seen.now - weighed[0].at > age and not _age_aside(seen, slot)):
        yield "the weight is missing or too old"


def _age_aside(seen: Seen, slot: DoseSlot, *rules: str) -> bool:
    """OVR-03: the age of a result other than of the liver is the prescriber's to set aside."""
    named = rules or ("DATA-01", "DATA-02", "DATA-03")
    return any(seen.set_aside(rule, slot, by_two=False, since=seen.chart.course.started_at) for rule in named)


# ── results ────────────────────────────────────────────────────────────────────────────────────────────────────────


def liver(seen: Seen, slot: DoseSlot) -> Why:
    """NON-02, NON-08 and the panel itself: there, readable, fresh, and not high."""
    panel = {a: seen.latest(a) for a in LIVER}
    for analyte, value in panel.items():
        if value is None:
            yield f"{analyte} is missing"
        elif not value.readable:
            yield f"{analyte} cannot be read (LAB-05)"
        elif seen.now - value.at > reference.LIVER_AGE:
            yield f"{analyte} is older than 48 h"
    if both_high_stands(seen):
        yield "bilirubin and ALT or AST are above their limits, or were and no panel has shown recovery (NON-02)"
    for analyte, value in panel.items():
        if value is not None and value.readable and is_high(analyte, value):
            aside = seen.set_aside("NON-08", slot, by_two=True, since=value.fact.recorded_at, subject=analyte)
            if not aside:
                yield f"{analyte} is above its limit (NON-08)"


def unusable(seen: Seen, slot: DoseSlot) -> Why:
    """LAB-10: the newest result of an analyte that a rule reads cannot be used, asked for before this dose or not."""
    for analyte, value in seen.newest.items():
        if not value.readable and (analyte in LIVER or not _age_aside(seen, slot)):
            yield f"the newest {analyte} cannot be used (LAB-10)"


def pregnant(seen: Seen) -> Why:
    """MON-11: the last pregnancy test that tells anything is positive."""
    told = [(fact.at, what.result) for fact, what in seen.of(PregnancyTest) if what.result != "unclear"]
    if told and max(told)[1] == "positive":
        yield "the pregnancy test is positive (MON-11)"


def is_high(analyte: str, value: Value) -> bool:
    """NON-02, NON-08: above the limit of this test."""
    if analyte not in ("alt", "ast", "bilirubin"):
        return False
    limit = reference.BILIRUBIN_ULN if analyte == "bilirubin" else reference.TRANSAMINASE_ULN
    return value.number > limit * value.uln


def ever_high(seen: Seen, analyte: str) -> bool:
    """Any result of it was high, or could not be read."""
    return any(not v.readable or is_high(analyte, v) for v in seen.ever(analyte))


def both_high_stands(seen: Seen) -> bool:
    """NON-02: since a draw with both high, until one panel has all within."""
    stands = False
    panel: dict[str, Value] = {}
    draws = sorted({v.at for a in ("alt", "ast", "bilirubin") for v in seen.history(a)})
    for at in draws:
        for analyte in ("alt", "ast", "bilirubin"):
            drawn = [v for v in seen.history(analyte) if v.at == at]
            panel |= {analyte: drawn[-1]} if drawn else {}
        high = {a for a, v in panel.items() if is_high(a, v)}
        if "bilirubin" in high and high & {"alt", "ast"}:
            stands = True
        elif stands and len(panel) == 3 and not high and len({seen.day(v.at) for v in panel.values()}) == 1:
            stands = False
    return stands


def counts(seen: Seen, slot: DoseSlot) -> Why:
    """The blood count: there, readable, fresh; at day 1 of a further cycle at its limits; blasts before the first dose."""
    age = reference.COUNTS_AGE_D1 if slot.day == 1 else reference.COUNTS_AGE
    for analyte in COUNTS:
        value = seen.latest(analyte)
        if value is None or not value.readable:
            yield f"{analyte} is missing or cannot be read"
        elif seen.now - value.at > age and not _age_aside(seen, slot):
            yield f"{analyte} is too old"
    if slot.day == 1 and slot.cycle > 1:
        platelets, given = seen.latest("platelets"), [f.at for f, w in seen.of(Transfusion) if w.product == "platelets"]
        if platelets is not None and any(at <= platelets.at < at + reference.TRANSFUSED for at in given):
            yield "platelets were counted less than 72 h after a transfusion (HEM-09)"
        for rule, analyte, least in (
            ("HEM-01", "anc", reference.NEUTROPHILS),
            ("HEM-03", "platelets", reference.PLATELETS),
        ):
            value = seen.latest(analyte)
            if (
                value is not None
                and value.readable
                and value.number < least
                and not seen.set_aside(rule, slot, by_two=True, since=value.fact.recorded_at)
            ):
                yield f"{analyte} is below {least} at day 1 ({rule})"
    blasts = seen.latest("blasts")
    if not seen.given and (blasts is None or not blasts.readable):
        yield "blasts are missing or cannot be read"
    elif (
        not seen.given
        and blasts is not None
        and blasts.number > reference.BLASTS
        and not seen.set_aside("CYT-02", slot, by_two=True, since=blasts.fact.recorded_at)
    ):
        yield "blasts are above 10 x 10^9/L (CYT-02)"


def heart(seen: Seen, slot: DoseSlot) -> Why:
    """QT-01, QT-02, QT-05: QTcF and electrolytes at day 1, potassium later too."""
    ecg = seen.last(Ecg)
    if ecg is not None and ecg[1].qtcf_ms is not None and ecg[1].qtcf_ms > reference.QTCF_MS:
        rule, two = ("QT-01", True) if ecg[1].qtcf_ms > reference.QTCF_STOP_MS else ("QT-02", False)
        if not seen.set_aside(rule, slot, by_two=two, since=ecg[0].recorded_at):
            yield f"QTcF is {ecg[1].qtcf_ms} ms ({rule})"
    potassium = seen.latest("potassium")
    if slot.day == 1:
        if (
            ecg is None
            or ecg[1].qtcf_ms is None
            or (seen.now - ecg[0].at > reference.ECG_AGE and not _age_aside(seen, slot))
        ):
            yield "QTcF is missing or too old"
        for analyte in ("potassium", "magnesium", "calcium", "albumin"):
            value = seen.latest(analyte)
            if value is None or not value.readable:
                yield f"{analyte} is missing or cannot be read"
            elif seen.now - value.at > reference.ELECTROLYTES_AGE and not _age_aside(seen, slot):
                yield f"{analyte} is too old"
    least = reference.POTASSIUM_D1 if slot.day == 1 else reference.POTASSIUM_LATER
    fresh = potassium is not None and (slot.day == 1 or seen.now - potassium.at <= timedelta(days=7))
    if (
        potassium is not None
        and potassium.readable
        and fresh
        and potassium.number < least
        and not seen.set_aside("QT-05", slot, by_two=False, since=potassium.fact.recorded_at)
    ):
        yield "potassium is too low (QT-05)"


# ── the calendar ───────────────────────────────────────────────────────────────────────────────────────────────────


def too_soon(seen: Seen, slot: DoseSlot) -> Why:
    """DOSE-04 … -06, DAY-03, DAY-05: never within six dates of another dose, never before the window or the cycle."""
    if not seen.given:
        return
    today, last = seen.day(seen.now), max(g.on for g in seen.given)
    if (today - last).days < reference.SIX_DAYS:
        yield f"the last dose was on {last}: less than six calendar days ago (DAY-03)"
    if any((g.slot.cycle, g.slot.day) == (slot.cycle, slot.day) for g in seen.given):
        yield f"{slot} was given already"
    firsts = [g.on for g in seen.given if g.slot == DoseSlot(cycle=slot.cycle, day=1)]
    if slot.day != 1 and firsts:
        day = (today - firsts[0]).days + 1
        if day < slot.day - reference.WINDOW_DAYS:
            yield f"day {day} of the cycle is before the window of {slot} (DOSE-04)"
        most = max(slot.day + reference.WINDOW_DAYS, (last - firsts[0]).days + 1 + reference.SIX_DAYS)
        if day > most and not seen.decided_to_give(slot) and not _held_for_toxicity(seen):
            yield f"day {day} of the cycle is after the window of {slot}, and nobody has decided (DAY-06)"
    if slot.day == 1 and slot.cycle > 1:
        yield from _next_cycle_too_soon(seen, slot, (today - last).days)


def _held_for_toxicity(seen: Seen) -> bool:
    """DAY-06: a short toxicity lets the window wait; told apart by the tests of the rules, not here."""
    high = any(is_high(a, v) for a in ("alt", "ast", "bilirubin") for v in _since_last_dose(seen, a))
    ill = any(f.at > seen.given[-1].at and w.grade >= reference.TOXICITY_GRADE for f, w in seen.of(Toxicity))
    creatinine = any(
        v.of_uln > reference.CREATININE_ULN and _risen(seen, v) for v in _since_last_dose(seen, "creatinine")
    )
    return high or ill or creatinine


def _since_last_dose(seen: Seen, analyte: str) -> list[Value]:
    """The results after the last dose, and the one that stood when it was given: it may have been corrected since."""
    last = seen.given[-1].at
    found = seen.history(analyte)
    return [*[v for v in found if v.at <= last][-1:], *[v for v in found if v.at > last]]


def _next_cycle_too_soon(seen: Seen, slot: DoseSlot, since_last: int) -> Why:
    before = [g.on for g in seen.given if g.slot.cycle == slot.cycle - 1]
    if before:
        length = reference.LATER_CYCLE_DAYS
        if slot.cycle == 2 and not any(w.cycle == 1 for _, w in seen.of(CycleExtended)):
            length = _of_protocol(reference.FIRST_CYCLE_DAYS, seen.protocol)
        if (seen.day(seen.now) - min(before)).days < length:
            yield f"the cycle before lasts {length} days (DOSE-05, DOSE-06)"
    if since_last < reference.LAST_DOSE_TO_NEXT_CYCLE:
        yield "the last dose was less than 7 days ago (DAY-05)"
    if seen.response(slot.cycle - 1) is None:
        yield "the response of the cycle before is not known (DATA-03)"


def too_many_cycles(seen: Seen, slot: DoseSlot) -> Why:
    """DOSE-07 … -09: three cycles without a response, two or three before a transplant, six in all."""
    if slot.day != 1 or slot.cycle == 1:
        return
    done = slot.cycle - 1
    answers = [seen.response(c) for c in range(1, slot.cycle)]
    responded = any(a in (Response.CR, Response.CRI) for a in answers)
    if done >= reference.NO_RESPONSE_CYCLES and answers[-1] is not None and not responded:
        yield "no response within three cycles (DOSE-07)"
    if done >= reference.CYCLES:
        yield "six cycles were given (DOSE-09)"
    if transplant_planned(seen):
        reached = answers[-1] in (Response.CR, Response.CRI) and _mrd_negative(seen, done)
        if (
            done >= reference.MOST_BEFORE_TRANSPLANT or (done >= reference.CYCLES_BEFORE_TRANSPLANT and reached)
        ) and not seen.set_aside("DOSE-08", slot, by_two=True, since=seen.chart.course.started_at):
            yield "a transplant is planned and its cycles were given (DOSE-08)"


def transplant_planned(seen: Seen) -> bool:
    """A plan stands: neither withdrawn, nor done, nor declared off."""
    kinds = (TransplantPlanned, TransplantPlanWithdrawn, Transplant, NoTransplantDeclared)
    said = [f for f in seen.facts if isinstance(f.what, kinds)]
    return bool(said) and isinstance(said[-1].what, TransplantPlanned)


def _mrd_negative(seen: Seen, cycle: int) -> bool:
    """What was said of MRD last: a response that says nothing of it takes nothing back (M.0)."""
    said = [f.what for f in seen.by_kind.get("response", ()) if f.what.kind == "response" and f.what.cycle == cycle]
    answers = [what.mrd_negative for what in said if what.mrd_negative is not None]
    return bool(answers) and answers[-1]


def _of_protocol(table: dict[str, int], protocol: str) -> int:
    return next(value for name, value in table.items() if protocol.startswith(name))


# ── between signature and start ────────────────────────────────────────────────────────────────────────────────────


def between_signature_and_start(seen: Seen, slot: DoseSlot) -> Why:
    """OWN, PRE, PREP, IDN: signed, checked by another person, premedicated, prepared, each in its time."""
    signed = [(f, w) for f, w in seen.of(DoseAuthorised) if (w.cycle, w.day) == (slot.cycle, slot.day)]
    if not signed:
        yield "nobody has signed this dose"
        return
    fact, what = signed[-1]
    if fact.by.role is not Role.PRESCRIBER:
        yield "the signature is not the prescriber's"
    yield from changed_since(seen, fact)
    same = [f.id for f, w in signed if (w.mg, w.binding) == (what.mg, what.binding)]
    checks = [f for f, w in seen.of(DoseVerified) if w.authorisation in same and w.mg == what.mg]
    if not any(c.by.role is Role.PHARMACIST and c.by.id != fact.by.id for c in checks):
        yield "no second person has checked this dose (OWN-02)"
    yield from premedicated(seen, slot)
    if not any(usable(seen, p, same, what.mg) for _, p in seen.of(Preparation)):
        yield "no preparation of this dose can be started in time (PREP-11, PREP-12)"
    if what.mg > most_mg(seen, slot) + HUNDREDTH:
        yield f"{what.mg} mg are signed, at most {most_mg(seen, slot)} mg may be given (DOSE-01 … -03, LVL-01)"
    if _earlier(seen) and not any((w.earlier_start_reason or "").strip() for _, w in signed):
        yield "a start earlier in the day on the sixth date, without the prescriber's reason (DAY-03)"


def changed_since(seen: Seen, signature: Fact) -> Why:
    """§3.5: a signature lapses when a gating result or the weight it was given for changes."""
    then = seen.before(signature)
    for analyte in (*LIVER, *COUNTS):
        was, now = then.latest(analyte), seen.latest(analyte)
        if (was and was.said) != (now and now.said):  # the same result sent twice is no change
            yield f"{analyte} has changed since the dose was signed"


def premedicated(seen: Seen, slot: DoseSlot) -> Why:
    """PRE-07: three classes, each 30 to 120 min before the start."""
    for drug_class in PremedicationClass:
        ages = [seen.now - f.at for f, w in seen.of(Premedication) if w.drug_class is drug_class]
        in_time = any(reference.PREMEDICATION_FROM <= age <= reference.PREMEDICATION_UNTIL for age in ages)
        by_two = seen.protocol.startswith("article")
        since = seen.chart.course.started_at
        if not in_time and not seen.set_aside("PRE-07", slot, by_two=by_two, since=since, subject=drug_class):
            yield f"{drug_class} was not given 30 to 120 min before (PRE-07)"


def usable(seen: Seen, made: Preparation, signed: list[str], mg: Decimal) -> bool:
    """PREP-11, PREP-12, IDN-02: made under this signature, with this dose, and its clocks still run."""
    diluted = made.dilution_started_at
    return (
        made.authorisation in signed
        and made.mg == mg
        and diluted is not None
        and timedelta(0) <= diluted - made.reconstituted_at <= reference.TO_DILUTION
        and made.reconstituted_at <= seen.now
        and seen.now + reference.INFUSION <= made.reconstituted_at + reference.TO_THE_LAST_DROP
    )


def most_mg(seen: Seen, slot: DoseSlot) -> Decimal:
    """The most that this dose may be: mg/m² of its branch, times the level in force, times BSA by Mosteller."""
    index = (1, 8, 15).index(slot.day)
    if slot.cycle == 1:
        first = reference.DOSES["first"]
        assert isinstance(first, dict)
        row = next(r for name, r in first.items() if seen.protocol.startswith(name))
    else:
        responded = any(seen.response(c) in (Response.CR, Response.CRI) for c in range(1, slot.cycle))
        row = reference.DOSES["response" if responded else "no response"]
    height, weights = seen.last(Height), [w.kg for _, w in seen.of(Weight)]
    if height is None or not weights:
        return Decimal(0)
    bsa = (height[1].cm * max(weights) / reference.MOSTELLER).sqrt()
    per_m2 = Decimal(row[index]) * level_in_force(seen, slot)
    return (per_m2 * bsa).quantize(HUNDREDTH, rounding=ROUND_HALF_UP)


def level_in_force(seen: Seen, slot: DoseSlot) -> Decimal:
    """DUR-03: 25 % less after a dose was held for 14 days. DOSE-10: the lowest level that was signed stands for every
    later dose, but where two people have signed that it was an error (COR-02)."""
    found = [reference.LEVELS["L1"]] if _times_lowered(seen, slot.cycle) else []
    for _, what in seen.of(DoseAuthorised):
        if (what.cycle, what.day) <= (slot.cycle, slot.day) and not _lifted(seen, what.cycle):
            found.append(reference.LEVELS.get(what.level or "L0", Decimal(1)))
    return min(found, default=Decimal(1))


def _lifted(seen: Seen, cycle: int) -> bool:
    signed = {f.id for f, w in seen.of(DoseAuthorised) if w.cycle == cycle}
    by = [f.by for f, w in seen.of(Countersigned) if w.target in signed]
    return any(b.role is Role.PRESCRIBER for b in by) and len({b.id for b in by if b.role in PHYSICIANS}) >= 2


# ── interruptions ──────────────────────────────────────────────────────────────────────────────────────────────────


def interrupted(seen: Seen, slot: DoseSlot) -> Why:
    """DUR-02: a day 8 that was held for 7 days is left out. DUR-04, LVL-01: after two reductions two doses a cycle."""
    if slot.day == 8 and _held_days(seen, slot.cycle) >= reference.LEFT_OUT_FROM_DAYS:
        yield f"{slot} was held for {_held_days(seen, slot.cycle)} days and is left out (DUR-02)"
    lowered, given = _times_lowered(seen, slot.cycle), [g for g in seen.given if g.slot.cycle == slot.cycle]
    if lowered >= 2 and len(given) >= 2:
        yield "a third dose in a cycle of two (DUR-04)"
    if lowered > 2:
        yield "two doses a cycle were not tolerated (DUR-04, LVL-01)"


def _times_lowered(seen: Seen, cycle: int) -> int:
    return sum(_held_days(seen, earlier) >= reference.REDUCED_FROM_DAYS for earlier in range(1, cycle))


def _held_days(seen: Seen, cycle: int) -> int:
    """DUR-07, DUR-09: for how many days a high ALT held day 8 of this cycle, which was never given. Only where it is plain:
    nothing was set aside or attributed, and ALT was high on the planned date already."""
    first = [g.on for g in seen.given if g.slot == DoseSlot(cycle=cycle, day=1)]
    given = any(g.slot == DoseSlot(cycle=cycle, day=8) for g in seen.given)
    judged = {"override", "toxicity_attribution"} & seen.by_kind.keys()
    if not first or given or judged:
        return 0
    planned, ended = first[0] + timedelta(days=7), [g.on for g in seen.given if g.slot.cycle > cycle]
    since, longest = None, 0
    for value in [*seen.history("alt"), None]:
        high = value is not None and is_high("alt", value)
        on = min([seen.day(seen.now) if value is None else seen.day(value.at), *ended])
        if high and since is None:
            since = on
        elif not high and since is not None:
            longest = max(longest, (on - planned).days if since <= planned else 0)
            since = None
    return longest


def _earlier(seen: Seen) -> bool:
    if not seen.given:
        return False
    last = seen.given[-1]
    clock, then = seen.now.astimezone(seen.zone).time(), last.at.astimezone(seen.zone).time()
    return (seen.day(seen.now) - last.on).days == reference.SIX_DAYS and clock < then
