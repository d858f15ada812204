"""The data a dose requires, and how old each may be at the start (DATA-01 … DATA-03). Unknown means hold."""

from collections.abc import Iterator
from datetime import datetime

from clinical.chart.calendar import birthday, midnight_of
from clinical.chart.unread import NAMED, SHOWN
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.course.pregnancy import pregnancy_asked
from clinical.gates.screening import blasts_opening
from clinical.gates.signs import temperature_of
from clinical.gates.unusable import cannot_be_used
from clinical.monitoring.next_due import Test, next_due_words
from clinical.results.known import Opening
from clinical.toxicity.ecg import qtcf_opening
from clinical.treatment.treatment import Measured
from clinical.vod.vod_signs import LOOKED_FOR_IN_CHILDREN, Signs, looked_for
from models.assessment import Finding, Verdict
from models.base import counted, plain
from models.facts import DoseSlot, InfectionBleedingCheck, Response, VodExamination
from models.protocol import Entry, Override

PLURAL = frozenset({"platelets", "blasts"})


def required_data(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """Everything that this dose needs and that is missing, too old, unreadable, implausible, without unit or ULN."""
    yield from _unreadable_messages(case)
    yield from _laboratory(case, slot)
    yield from _ecg(case, slot)
    yield from pregnancy_asked(case, slot, data_rule(slot))
    yield from _body(case, slot)
    yield from _examinations(case, slot)
    yield from _response(case, slot)


def data_rule(slot: DoseSlot) -> str:
    """The rule that lists this dose's data."""
    if slot.day != 1:
        return "DATA-02"
    return "DATA-01" if slot.cycle == 1 else "DATA-03"


def required_analytes(case: Case, slot: DoseSlot) -> list[tuple[str, Entry]]:
    """Analyte and greatest age, for this dose."""
    ages = case.protocol.ages
    cbc = ages.cbc_later if slot.day != 1 else ages.cbc_first if slot.cycle == 1 else ages.cbc_day_1
    needed = [(a, cbc) for a in ages.cbc_analytes.words] + [(a, ages.liver) for a in ages.liver_analytes.words]
    if slot.day == 1:
        needed += [(a, ages.electrolytes) for a in ages.electrolyte_analytes.words]
    if slot.day == 1 and slot.cycle == 1:
        needed += [("blasts", ages.cbc_first)] + [(a, ages.tls_chemistry) for a in ages.tls_analytes.words]
    return needed


def _unreadable_messages(case: Case) -> Iterator[Finding]:
    """LAB-05: the oldest are named, so that a person settles one after another; the others are counted."""
    waiting = case.results.unreadable_messages
    for _, message in waiting[:NAMED]:
        reason = f"a message ({message.signal}, {message.sha256[:SHOWN]}) could not be read: {message.reason}"
        clears = "a named person transcribes its values or dismisses it (resolve_unreadable)"
        yield case.finding("LAB-05", Verdict.NEED_DATA, reason, clears=clears)
    more = len(waiting) - NAMED
    if more > 0:
        reason = f"and {counted(more, 'further message')} could not be read"
        yield case.finding(
            "LAB-05", Verdict.NEED_DATA, reason, clears="each of them is settled like those named before"
        )


def _laboratory(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    for analyte, age in required_analytes(case, slot):
        yield from _one_analyte(case, slot, analyte, age)


def _one_analyte(case: Case, slot: DoseSlot, analyte: str, age: Entry) -> Iterator[Finding]:
    special = {"calcium": calcium_opening, "blasts": blasts_opening}
    found = special[analyte](case) if analyte in special else case.opening(analyte)
    yield from _judged(case, slot, analyte, found, age)
    if analyte == "calcium" and not any(k.analyte == "calcium_corrected" for k in found.values):
        yield from _judged(case, slot, "albumin", case.opening("albumin"), age)


def calcium_opening(case: Case) -> Opening:
    """Total calcium, or one that the laboratory already corrected for albumin where it is newer."""
    corrected, total = case.opening("calcium_corrected"), case.opening("calcium")
    if corrected.last_at is None or total.last_at is None:
        return total if corrected.last_at is None else corrected
    return corrected if corrected.last_at > total.last_at else total


def _judged(case: Case, slot: DoseSlot, analyte: str, found: Opening, age: Entry) -> Iterator[Finding]:
    rule = data_rule(slot)
    of_the_liver = analyte in case.protocol.ages.liver_analytes.words
    stated = f"{label(analyte)} {'are' if analyte in PLURAL else 'is'}"
    if found.unknown is not None:
        yield cannot_be_used(case, found.unknown)
    elif not found.values:
        clears = f"{_measured(case, analyte)} not older than {age.shown()}{_next_due(case, analyte)}"
        override = Override.NEVER if of_the_liver else Override.NONE
        yield case.finding(
            rule, Verdict.NEED_DATA, f"{stated} missing", clears=clears, subject=analyte, override=override
        )
    elif any(case.reading.passed(known.collected_at + age.span) for known in found.values):
        reason = f"{stated} older than {age.shown()}"
        never = Override.NEVER if of_the_liver else None  # OVR-03 is for the age of everything else
        given, clears = (
            case.shown(*found.values),
            f"{_measured(case, analyte)} measured again{_next_due(case, analyte)}",
        )
        yield case.finding(
            rule, Verdict.NEED_DATA, reason, inputs=given, clears=clears, subject=analyte, override=never
        )


def _measured(case: Case, analyte: str) -> str:
    """What is to be measured; of the blasts how, and how many there may be (CYT-02, CYT-03)."""
    if analyte != "blasts":
        return label(analyte)
    limit = case.protocol.limits.blasts_max
    how = "x 10^9/L, or in % with the leukocytes of the same draw"
    return f"blasts in blood ({how}; at most {plain(limit.number)} x 10^9/L, {limit.clause})"


def _next_due(case: Case, analyte: str) -> str:
    """When the next test that would bring it is due."""
    ages = case.protocol.ages
    kinds = {
        Test.LIVER: ages.liver_analytes.words,
        Test.COUNTS: (*ages.cbc_analytes.words, "blasts"),
        Test.ELECTROLYTES: (*ages.electrolyte_analytes.words, "albumin"),
    }
    kind = next((kind for kind, analytes in kinds.items() if analyte in analytes), None)
    return "" if kind is None else next_due_words(case, kind)


def _ecg(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    if slot.day == 1:
        found = qtcf_opening(case)
        age = case.protocol.ages.qtcf
        if found.unknown is not None:
            yield cannot_be_used(case, found.unknown)
        elif not found.values:
            yield case.finding(
                data_rule(slot),
                Verdict.NEED_DATA,
                "QTcF is missing",
                clears=f"an ECG with QTcF, not older than {age.shown()}",
                override=Override.NONE,
            )
        elif any(case.reading.passed(known.collected_at + age.span) for known in found.values):
            reason = f"QTcF is older than {age.shown()}"
            yield case.finding(
                data_rule(slot),
                Verdict.NEED_DATA,
                reason,
                inputs=case.shown(*found.values),
                clears="a new ECG",
                subject="qtcf",
            )


def _body(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    rule, ages = data_rule(slot), case.protocol.ages
    yield from _unusable_body(case, "height", case.heights())
    if not case.heights():
        yield case.finding(rule, Verdict.NEED_DATA, "height is missing", clears="height in cm", override=Override.NONE)
    else:
        yield from _plausible_body(case, "height", "cm")
    age = ages.weight_later if slot.day != 1 else ages.weight_first if slot.cycle == 1 else ages.weight_day_1
    weights = case.weights()
    yield from _unusable_body(case, "weight", weights)
    if not weights:
        yield case.finding(
            rule,
            Verdict.NEED_DATA,
            "weight is missing",
            clears=f"weight in kg, not older than {age.shown()}",
            override=Override.NONE,
        )
    elif case.reading.passed(weights[-1].at + age.span):
        inputs = (weights[-1].shown("weight", "kg"),)
        reason = f"weight is older than {age.shown()}"
        yield case.finding(rule, Verdict.NEED_DATA, reason, inputs=inputs, clears="a new weight", subject="weight")
    else:
        yield from _plausible_body(case, "weight", "kg")


def _unusable_body(case: Case, name: str, measured: tuple[Measured, ...]) -> Iterator[Finding]:
    """LAB-05: a measurement sent later than every usable one, and not usable itself."""
    sent = case.opening(name).unknown
    if sent is not None and (sent.stands or not (measured and measured[-1].at > sent.since)):
        yield cannot_be_used(case, sent)


def _plausible_body(case: Case, name: str, unit: str) -> Iterator[Finding]:
    measured = (case.heights() if name == "height" else case.weights())[-1]
    limits = case.protocol.plausible[name]
    future = not case.reading.reached(measured.at - case.protocol.ages.future_tolerance.span)
    if future or not limits.low.number <= measured.value <= limits.high.number:
        words = "was measured in the future" if future else "is implausible"
        yield case.finding(
            "LAB-05",
            Verdict.NEED_DATA,
            f"{name} {words}",
            inputs=(measured.shown(name, unit),),
            clears=f"{name} measured again",
        )
    elif _unusually_small(case, name, measured) and not case.results.confirmed(measured.fact):
        reason = f"{name} {plain(measured.value)} {unit} is unusual for an adult and waits for a person's confirmation"
        clears = f"a clinician confirms it (result_confirmed of {measured.fact}), or {name} measured again"
        inputs = (measured.shown(name, unit),)
        yield case.finding("PLAU-01", Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject=name)


def _unusually_small(case: Case, name: str, measured: Measured) -> bool:
    limit = case.protocol.plausible[name].adult_low
    of_age_on = birthday(case.course.birth_on, case.protocol.vod.adult_from.count)
    adult = case.reading.reached(midnight_of(of_age_on, case.reading.zone))
    return adult and limit is not None and measured.value < limit.number


def _examinations(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    yield from _vod_examination(case)
    yield from _infection_check(case)


def _vod_examination(case: Case) -> Iterator[Finding]:
    latest = case.reading.latest(VodExamination)
    clears = looked_for(case)
    if latest is None:
        wanted = f"{clears}, not older than {case.protocol.ages.examination.shown()}"
        yield case.finding("MON-15", Verdict.NEED_DATA, "examination for signs of VOD is missing", clears=wanted)
        return
    fact, seen = latest
    looked_at = {
        "pain in the right upper abdomen": seen.ruq_pain,
        "liver size": seen.hepatomegaly,
        "ascites": seen.ascites,
        "oedema": seen.oedema,
        **({words: getattr(seen, name) for name, words in LOOKED_FOR_IN_CHILDREN.items()} if Signs(case).child else {}),
    }
    open_questions = [name for name, answer in looked_at.items() if answer is None]
    if open_questions:
        reason = f"not examined: {', '.join(open_questions)}"
        yield case.finding("MON-15", Verdict.NEED_DATA, reason, clears=clears)
    yield from _too_old(case, "MON-15", "examination for signs of VOD", fact.at, clears)


def _infection_check(case: Case) -> Iterator[Finding]:
    latest = case.reading.latest(InfectionBleedingCheck)
    clears = "temperature taken, bleeding and symptoms of anaemia looked for"
    if latest is None:
        reason = "infection and bleeding check is missing"
        wanted = f"{clears}, not older than {case.protocol.ages.examination.shown()}"
        yield case.finding("MON-16", Verdict.NEED_DATA, reason, clears=wanted, override=Override.NONE)
        return
    fact, seen = latest
    if temperature_of(case, seen) is None or seen.active_bleeding is None:
        reason = "infection and bleeding check is incomplete"
        yield case.finding("MON-16", Verdict.NEED_DATA, reason, clears=clears, override=Override.NONE)
    yield from _too_old(case, "MON-16", "infection and bleeding check", fact.at, clears)


def _too_old(case: Case, rule: str, name: str, at: datetime, clears: str) -> Iterator[Finding]:
    age = case.protocol.ages.examination
    if case.reading.passed(at + age.span):
        yield case.finding(rule, Verdict.NEED_DATA, f"{name} is older than {age.shown()}", clears=clears)


def _response(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    if slot.cycle == 1:
        return
    before = case.response_of(slot.cycle - 1)
    if before is None or before[1].response is Response.NOT_ASSESSABLE:
        words = "is not recorded" if before is None else "was not assessable"
        reason = f"response of cycle {slot.cycle - 1} {words}"
        yield case.finding("RESP-01", Verdict.NEED_DATA, reason, clears="a physician records CR, CRi or none")
