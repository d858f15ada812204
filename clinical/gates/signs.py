"""What a person saw or measured that holds a dose: infection, bleeding, heart, holds."""

from collections.abc import Iterator
from decimal import Decimal

from clinical.chart.versions import minute_of
from clinical.coding.units import label
from clinical.course.case import Case
from clinical.monitoring.next_due import Test, last_and_next
from clinical.results.known import Known, and_beside
from clinical.toxicity.ecg import qt_gate
from models.assessment import Finding, Input, Verdict
from models.base import plain
from models.facts import (
    DoseSlot,
    Fact,
    HoldReleased,
    HoldSet,
    InfectionBleedingCheck,
    VitalSigns,
)
from models.people import PHYSICIANS

ANAEMIA_NOT_ASKED = "symptoms of anaemia were not asked for: breathlessness, palpitations, pallor, unusual tiredness"
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
    found, inputs, limit, by_a_physician = [], [], case.protocol.limits.fever, ""
    for name in ("infection", "active_bleeding"):
        fact = _seen_last(case, name)
        if fact is not None:
            by_a_physician = by_a_physician or (", by a physician" if fact.by.role in PHYSICIANS else "")
            found.append(label(name))
            inputs.append(Input(name="check", value=label(name), taken_at=fact.at, fact=fact.id))
    hot = fever(case)
    if hot is not None:
        found.append(f"temperature {hot.value}, fever from {plain(limit.number)} °C")
        inputs.append(hot)
    if found:
        clears = f"a check without fever, infection or bleeding{by_a_physician}"
        yield case.finding("MON-16", Verdict.HOLD, ", ".join(found), inputs=tuple(inputs), clears=clears)
    latest, anaemic = case.reading.latest(InfectionBleedingCheck), _seen_last(case, "anaemia_symptoms") is not None
    if latest is not None and (anaemic or latest[1].anaemia_symptoms is None):
        asked = "symptoms of anaemia: look at the haemoglobin" if anaemic else ANAEMIA_NOT_ASKED
        yield case.finding("MON-16", None, asked, subject="anaemia")


def _seen_last(case: Case, name: str) -> Fact | None:
    """The last check that looked for it, where it saw it: one that did not look says nothing (LAB-10)."""
    looked = [(minute_of(f.at), bool(getattr(c, name)), f) for f, c in _checks(case) if getattr(c, name) is not None]
    _, seen, fact = max(looked, key=lambda one: one[:2], default=(None, False, None))
    return fact if seen else None


def _checks(case: Case) -> tuple[tuple[Fact, InfectionBleedingCheck], ...]:
    return case.reading.heard(InfectionBleedingCheck)


def temperature_of(case: Case, seen: InfectionBleedingCheck) -> Decimal | None:
    """The temperature of a check; one below that of any living person was not taken (PLAU-01)."""
    taken, low = seen.temperature_c, case.protocol.plausible["temperature"].low.number
    return None if taken is None or taken < low else taken


def fever(case: Case) -> Input | None:
    """The last temperature from 38.0 °C on that no check of a later minute with a temperature answers, whoever took it."""
    limit = case.protocol.limits.fever.number
    checks = [(fact, celsius) for fact, seen in _checks(case) if (celsius := temperature_of(case, seen)) is not None]
    check = max(checks, key=lambda pair: pair[0].at, default=None)
    taken = [*((fact, seen.temperature_c) for fact, seen in case.reading.of(VitalSigns)), *checks]
    hot = [(f.at, f.id, plain(t)) for f, t in taken if t is not None and t >= limit]
    sent = [k for k in case.results.against("temperature") if k.below(k.in_unit(limit)) is not True]
    hot += [(k.collected_at, k.fact, f"{k.comparator or ''}{plain(round(k.canonical, 1))}") for k in sent]
    since = [h for h in hot if check is None or minute_of(h[0]) >= minute_of(check[0].at)]
    if not since:
        return None
    at, fact, value = max(since)
    return Input(name="temperature", value=f"{value} °C", taken_at=at, fact=fact)


def heart(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """QT-01 … QT-05: QTcF, its rise from baseline, other drugs, potassium, magnesium, corrected calcium."""
    yield from qt_gate(case, slot)
    yield from _electrolytes(case, slot)


def _electrolytes(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    if slot.day == 1:
        yield from _below(case, "potassium", case.protocol.limits.potassium_min.number)
        yield from _below(case, "magnesium", None)
        yield from _calcium(case)
    else:
        yield from _later_potassium(case)


def _below(case: Case, analyte: str, least: Decimal | None) -> Iterator[Finding]:
    """Below a limit of the protocol, or, where it gives none, below the laboratory's own lower limit of normal."""
    held = case.holding(analyte)
    low = [(k, limit) for k in held if (limit := least or k.lln) is not None and k.below(limit) is not False]
    for result, limit in sorted(low, key=lambda pair: pair[0].canonical)[:1]:
        beside = and_beside(result, held)
        reason = f"{label(analyte)} {plain(result.value)} {result.unit}{beside}, at least {plain(limit)} before day 1"
        yield case.finding(
            "QT-05",
            Verdict.HOLD,
            reason,
            inputs=case.shown(*held),
            clears=_corrected(case, result, f"at or above {plain(limit)} {result.unit}"),
            subject=analyte,
        )


def _later_potassium(case: Case) -> Iterator[Finding]:
    """A low one holds however old it is: its age says when one is asked for, never that it is over (QT-05)."""
    limits, held = case.protocol.limits, case.holding("potassium")
    result = min(held, key=lambda k: k.canonical, default=None)
    if result is None:
        return
    seen, shown = f"potassium {plain(result.value)} {result.unit}{and_beside(result, held)}", case.shown(*held)
    if result.below(limits.potassium_later_min.number) is not False:
        limit = limits.potassium_later_min.shown()
        clears = _corrected(case, result, f"at or above {limit}")
        reason = f"{seen}, at least {limit}"
        yield case.finding("QT-05", Verdict.HOLD, reason, inputs=shown, clears=clears, subject="potassium")
    elif result.below(limits.potassium_later_note.number) is not False and not case.reading.passed(
        result.collected_at + limits.potassium_later_age.span
    ):
        yield case.finding("QT-05", None, seen, inputs=shown)


def _calcium(case: Case) -> Iterator[Finding]:
    """The lowest that total calcium and albumin make of each other, or that a laboratory corrected itself."""
    albumins: tuple[Known | None, ...] = case.holding("albumin") or (None,)
    sources = case.results.holding_among("calcium", "calcium_corrected")
    low = [(one, *found) for one in sources for albumin in albumins if (found := _too_low(one, albumin)) is not None]
    for source, corrected, albumin in sorted(low, key=lambda found: found[0].canonical)[:1]:
        assert source.lln is not None
        seen = f"albumin-corrected calcium {plain(round(corrected, 2))} {source.unit}{and_beside(source, sources)}"
        inputs = case.shown(*sources) if albumin is None else case.shown(*sources, albumin)
        reason = f"{seen}, below its LLN {plain(source.lln)}"
        clears = _corrected(case, source, f"at or above {plain(source.lln)} {source.unit} for albumin")
        yield case.finding("QT-05", Verdict.HOLD, reason, inputs=inputs, clears=clears, subject="calcium")


def _too_low(source: Known, albumin: Known | None) -> tuple[Decimal, Known | None] | None:
    """The corrected value where it is below its LLN, or not surely above it; `None` where it is not, or not known."""
    if source.lln is None or (source.analyte == "calcium" and albumin is None):
        return None
    corrected = source.value
    if source.analyte == "calcium" and albumin is not None:
        corrected += source.in_unit(CALCIUM_PER_ALBUMIN * (ALBUMIN_NORMAL_G_DL - albumin.canonical))
    exact = source.is_exact and (albumin is None or albumin.is_exact)
    return None if exact and corrected >= source.lln else (corrected, albumin)


def _corrected(case: Case, last: Known, aim: str) -> str:
    """What clears a low electrolyte: its aim, what it was last, when the next test is due."""
    return f"{label(last.analyte)} {aim}{last_and_next(case, last, Test.ELECTROLYTES)}"
