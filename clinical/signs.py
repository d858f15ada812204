"""What a person saw or measured that holds a dose: VOD signs, infection, bleeding, pregnancy, heart, holds."""

from collections.abc import Iterator
from decimal import Decimal

from clinical.case import Case
from clinical.ecg import qt_gate
from clinical.next_due import Test, last_and_next
from clinical.required import corrected_calcium_source
from clinical.results import Known, Unknown
from clinical.units import label
from models.assessment import Finding, Input, Verdict
from models.base import plain
from models.facts import (
    DoseSlot,
    HoldReleased,
    HoldSet,
    InfectionBleedingCheck,
    PregnancyTest,
    VitalSigns,
)

ALBUMIN_NORMAL_G_DL = Decimal("4.0")
CALCIUM_PER_ALBUMIN = Decimal("0.8")


def personal_holds(case: Case) -> Iterator[Finding]:
    """Holds that a person set and nobody released."""
    released = {what.hold for _, what in case.reading.of(HoldReleased)}
    for fact, what in case.reading.of(HoldSet):
        if fact.id not in released:
            clears = f"release_hold of {fact.id} by the prescriber"
            yield case.finding("HOLD-01", Verdict.HOLD, f"held by {fact.by.role}: {what.reason}", clears=clears)


def infection_or_bleeding(case: Case) -> Iterator[Finding]:
    """MON-16: fever from 38.0 °C, an infection, or active bleeding."""
    latest, limit = case.reading.latest(InfectionBleedingCheck), case.protocol.limits.fever
    found, inputs = [], []
    if latest is not None:
        fact, seen = latest
        found = [*(["infection"] if seen.infection else []), *(["active bleeding"] if seen.active_bleeding else [])]
        if found:
            inputs.append(Input(name="check", value=", ".join(found), taken_at=fact.at, fact=fact.id))
    hot = fever(case)
    if hot is not None:
        found.append(f"temperature {hot.value}, fever from {plain(limit.number)} °C")
        inputs.append(hot)
    if found:
        clears = "a check without fever, infection or bleeding"
        yield case.finding("MON-16", Verdict.HOLD, ", ".join(found), inputs=tuple(inputs), clears=clears)


def fever(case: Case) -> Input | None:
    """The last temperature from 38.0 °C on that no later check for infection and bleeding answers, whoever took it."""
    check, limit = case.reading.latest(InfectionBleedingCheck), case.protocol.limits.fever.number
    taken = [(fact, seen.temperature_c) for fact, seen in case.reading.of(VitalSigns)]
    if check is not None:
        taken.append((check[0], check[1].temperature_c))
    hot = [(f.at, f.id, plain(t)) for f, t in taken if t is not None and t >= limit]
    sent = [k for k in case.results.history("temperature") if k.below(limit) is not True]
    hot += [(k.collected_at, k.fact, f"{k.comparator or ''}{plain(k.value)}") for k in sent]
    since = [h for h in hot if check is None or h[0] >= check[0].at]
    if not since:
        return None
    at, fact, value = max(since)
    return Input(name="temperature", value=f"{value} °C", taken_at=at, fact=fact)


def pregnancy(case: Case) -> Iterator[Finding]:
    """MON-11: a positive test holds, whoever signs, until a later one is negative."""
    clear = [(f, t) for f, t in case.reading.of(PregnancyTest) if t.result != "unclear"]
    latest = max(clear, key=lambda pair: pair[0].at, default=None)
    if latest is not None and latest[1].result == "positive":
        yield case.finding("MON-11", Verdict.HOLD, "pregnancy test is positive", clears="a physician decides")


def heart(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """QT-01 … QT-05: QTcF, its rise from baseline, other drugs, potassium, magnesium, corrected calcium."""
    yield from qt_gate(case, slot)
    yield from _electrolytes(case, slot)


def _electrolytes(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    if slot.day == 1:
        yield from _below(case, "potassium", case.protocol.limits.potassium_min.number)
        for analyte in ("magnesium",):
            result = case.known(analyte)
            if result is not None and result.lln is not None:
                yield from _below(case, analyte, result.lln)
        yield from _calcium(case)
    else:
        yield from _later_potassium(case)


def _below(case: Case, analyte: str, limit: Decimal) -> Iterator[Finding]:
    result = case.known(analyte)
    if result is not None and result.below(limit) is not False:
        reason = f"{label(analyte)} {plain(result.value)} {result.unit}, at least {plain(limit)} before day 1"
        yield case.finding(
            "QT-05",
            Verdict.HOLD,
            reason,
            inputs=(result.shown(),),
            clears=_corrected(case, result, f"at or above {plain(limit)} {result.unit}"),
            subject=analyte,
        )


def _later_potassium(case: Case) -> Iterator[Finding]:
    limits, result = case.protocol.limits, case.latest("potassium")
    drawn_at = result.since if isinstance(result, Unknown) else result.collected_at if result else None
    if result is None or drawn_at is None or case.reading.passed(drawn_at + limits.potassium_later_age.span):
        return
    if isinstance(result, Unknown):  # LAB-05: none is asked for, but the newest is not passed over
        yield case.finding(result.rule, Verdict.NEED_DATA, result.why, clears=result.clears)
        return
    if result.below(limits.potassium_later_min.number) is not False:
        limit = limits.potassium_later_min.shown()
        reason = f"potassium {plain(result.value)} {result.unit}, at least {limit}"
        clears = _corrected(case, result, f"at or above {limit}")
        yield case.finding("QT-05", Verdict.HOLD, reason, inputs=(result.shown(),), clears=clears, subject="potassium")
    elif result.below(limits.potassium_later_note.number) is not False:
        yield case.finding("QT-05", None, f"potassium {plain(result.value)} {result.unit}", inputs=(result.shown(),))


def _calcium(case: Case) -> Iterator[Finding]:
    source = corrected_calcium_source(case) or case.latest("calcium")
    albumin = case.known("albumin")
    if not isinstance(source, Known) or source.lln is None:
        return
    corrected = source.value
    if source.analyte == "calcium":
        if albumin is None:
            return
        correction = CALCIUM_PER_ALBUMIN * (ALBUMIN_NORMAL_G_DL - albumin.canonical)
        corrected = source.value + source.in_unit(correction)
    exact = source.comparator in (None, "=") and (albumin is None or albumin.comparator in (None, "="))
    if exact and corrected >= source.lln:
        return
    seen = f"albumin-corrected calcium {plain(round(corrected, 2))} {source.unit}"
    inputs = (source.shown(),) if albumin is None else (source.shown(), albumin.shown())
    reason = f"{seen}, below its LLN {plain(source.lln)}"
    clears = _corrected(case, source, f"at or above {plain(source.lln)} {source.unit} for albumin")
    yield case.finding("QT-05", Verdict.HOLD, reason, inputs=inputs, clears=clears, subject="calcium")


def _corrected(case: Case, last: Known, aim: str) -> str:
    """What clears a low electrolyte: its aim, what it was last, when the next test is due."""
    return f"{label(last.analyte)} {aim}{last_and_next(case, last, Test.ELECTROLYTES)}"
