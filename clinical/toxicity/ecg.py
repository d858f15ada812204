"""The QT interval corrected after Fridericia: read from what was charted or sent, computed where it must be, and judged.

LAB-01 says which QTc is a QTcF, QT-06 when a person reviews a tracing first, QT-01 … QT-04 what it means for a dose.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal
from functools import lru_cache

from clinical.chart.once import once
from clinical.chart.versions import minute_of
from clinical.results.known import MISSING, Known, Opening, Unknown, and_beside, drawn_at, twins_at_the_end
from clinical.treatment.medications import taken
from clinical.treatment.treatment import Treatment
from models.assessment import Finding, Input, Verdict
from models.base import plain
from models.facts import DoseSlot, Ecg, Fact
from models.protocol import Override, Plausible

QT_CLEARS = "the ECG repeated, potassium, magnesium and calcium corrected, other drugs reviewed"

_WIDE = Context(prec=50)
"""Wide enough that a root which ends comes out exactly, and no limit in milliseconds is crossed by rounding."""


@lru_cache(maxsize=256)
def fridericia(qt_ms: Decimal, heart_rate_per_min: Decimal) -> Decimal:
    """QTcF in ms = QT / RR^(1/3), RR in seconds = 60 / heart rate. The heart rate is above 0."""
    beats_per_second = _WIDE.divide(heart_rate_per_min, Decimal(60))
    root = _WIDE.power(beats_per_second, _WIDE.divide(Decimal(1), Decimal(3)))
    return _WIDE.multiply(qt_ms, root).normalize(_WIDE)


@dataclass(frozen=True)
class Tracing:
    """One ECG as far as it was told; the first fact stands for it. Intervals in ms, heart rate per minute."""

    facts: tuple[str, ...]
    at: datetime
    qtcf: Decimal | None
    qt: Decimal | None
    heart_rate: Decimal | None
    qrs: Decimal | None
    missing: tuple[str, str]
    """By which rule, and in which words, no QTcF can be told where it is neither given nor computed."""


@once
def qtcf_opening(case: Treatment) -> Opening:
    """What may speak for a dose: the last QTcF, charted or sent. An ECG without one, or an implausible one, makes it unknown."""
    last, unknown = twins_at_the_end(qtcf_history(case)), [u for u in _all_read(case) if isinstance(u, Unknown)]
    sent = case.opening("qtcf").unknown
    unknown += [] if sent is None else [sent]
    since = minute_of(last[0].collected_at) if last else None
    newer = [u for u in unknown if since is None or u.stands or minute_of(u.since) >= since]
    if newer:
        return Opening(unknown=max(newer, key=lambda u: (u.urgent, u.since)))
    return Opening(last) if last else MISSING


@once
def qtcf_holding(case: Treatment) -> tuple[Known, ...]:
    """What speaks against a dose: the last usable QTcF, charted or sent, whatever came after it (LAB-10, LAB-11)."""
    last = twins_at_the_end(qtcf_history(case))
    since = minute_of(last[0].collected_at) if last else None
    gone = (*case.results.gone("qtcf"), *_taken_away(case))
    return (*last, *(k for k in gone if since is None or minute_of(k.collected_at) >= since))


@once
def qtcf_history(case: Treatment) -> tuple[Known, ...]:
    """Every usable QTcF, oldest first."""
    return tuple(sorted((k for k in _all_read(case) if isinstance(k, Known)), key=drawn_at))


def qtcf_before(case: Treatment, instant: datetime) -> tuple[Known | None, ...]:
    """The last QTcF before an instant, charted or sent, and what is gone of it (`Results.before`)."""
    last, *gone = case.results.before("qtcf", instant, qtcf_history(case))
    since = None if last is None else last.minute
    computed = [k for k in _taken_away(case) if k.collected_at < instant and (since is None or k.minute >= since)]
    return (last, *gone, *computed)


@once
def _all_read(case: Treatment) -> tuple[Known | Unknown, ...]:
    """Every QTcF that was charted, sent or computed, as it can be used."""
    charted = [_read(case, _charted(fact, ecg)) for fact, ecg in case.reading.of(Ecg)]
    sent = [_reviewed(case, known) for known in case.results.history("qtcf")]
    return (*charted, *sent, *_computed(case), *_without_its_parts(case))


def _time_of(found: Known | Unknown) -> datetime:
    return found.collected_at if isinstance(found, Known) else found.since


# ── charted by a person ────────────────────────────────────────────────────────────────────────────────────────────


def _charted(fact: Fact, ecg: Ecg) -> Tracing:
    missing = ("LAB-05", "the last ECG has none")
    if ecg.qt_ms is not None:
        missing = ("LAB-01", "the last ECG has a QT interval and no heart rate")
    return Tracing((fact.id,), fact.at, ecg.qtcf_ms, ecg.qt_ms, ecg.heart_rate_per_min, ecg.qrs_ms, missing)


# ── sent by a machine ──────────────────────────────────────────────────────────────────────────────────────────────


def _reviewed(case: Treatment, known: Known) -> Known | Unknown:
    """A QTcF that was sent as such, with the heart rate and QRS of its tracing (QT-06)."""
    at_once = _of_instant(case, known.collected_at)
    doubt = _doubt(case, _ms(at_once.get("heart_rate")), _ms(at_once.get("qrs")))
    facts = (known.fact, *(k.fact for k in at_once.values()))
    return (
        known if doubt is None or case.results.confirmed(*facts) else _for_review(known.fact, known.collected_at, doubt)
    )


def _computed(case: Treatment) -> list[Known | Unknown]:
    """LAB-01: tracings with a QT, or a QTc after another or no stated formula, and no QTcF beside it."""
    given = {_time_of(found) for found in case.results.all_read("qtcf")}
    tracings: dict[datetime, Known | Unknown] = {}
    for analyte in ("qt", "qtc", "qtcb"):
        for found in case.results.all_read(analyte):
            if _time_of(found) not in given:
                tracings.setdefault(_time_of(found), found)
    return [_from_intervals(case, found) for found in tracings.values()]


def _from_intervals(case: Treatment, first: Known | Unknown) -> Known | Unknown:
    if isinstance(first, Unknown):
        return first
    at_once = _of_instant(case, first.collected_at)
    inexact = [k for k in at_once.values() if not k.is_exact]
    missing = f"{first.said} is not after Fridericia, and QT with the heart rate of the same instant is not known"
    if first.analyte == "qtc":
        missing = f"the formula of the QTc ({first.said}) is not stated, and QT with the heart rate is not known"
    elif first.analyte == "qt":
        missing = "a QT interval without the heart rate of the same instant"
        if any(k.collected_at == first.collected_at for a in ("heart_rate", "rr") for k in case.results.ever(a)):
            missing = "the heart rate of the QT interval can be used no more"
    facts = (first.fact, *(k.fact for k in at_once.values() if k.fact != first.fact))
    qt = None if inexact else _ms(at_once.get("qt"))
    tracing = Tracing(
        facts,
        first.collected_at,
        None,
        qt,
        _ms(at_once.get("heart_rate")),
        _ms(at_once.get("qrs")),
        ("LAB-01", missing),
    )
    return _read(case, tracing)


@once
def _taken_away(case: Treatment) -> tuple[Known, ...]:
    """E1: each QTcF that was computed from a QT or a heart rate which can be used no more; it may raise, and never lifts."""
    results = case.results
    gone = {analyte: results.ever(analyte) for analyte in ("qt", "heart_rate", "rr")}
    if not any(gone.values()):
        return ()
    ever = {analyte: (*results.history(analyte), *gone[analyte]) for analyte in gone}
    rates = (*ever["heart_rate"], *(_rate_of(rr) for rr in ever["rr"] if rr.canonical > 0))
    pairs = [(qt, rate) for qt in ever["qt"] for rate in rates if qt.collected_at == rate.collected_at]
    read = [_computed_of(case, *pair) for pair in pairs if any(k.gone for k in pair) and all(k.is_exact for k in pair)]
    return tuple(replace(one, gone=True) for one in read if isinstance(one, Known))


def _computed_of(case: Treatment, qt: Known, rate: Known) -> Known | Unknown:
    gone, qrs = qt if qt.gone else rate, _ms(_of_instant(case, qt.collected_at).get("qrs"))
    return _read(case, Tracing((gone.fact,), qt.collected_at, None, qt.canonical, rate.canonical, qrs, ("", "")))


def _without_its_parts(case: Treatment) -> list[Unknown]:
    """A tracing whose QT interval can be used no more: its QTcF is unknown, and what was measured before it says nothing."""
    left = {k.collected_at for k in case.results.all_read("qt") if isinstance(k, Known)}
    why = "QTcF: the QT interval of the last tracing can be used no more"
    return [
        Unknown("qtcf", "LAB-01", why, one.fact, one.collected_at)
        for one in _taken_away(case)
        if one.collected_at not in left
    ]


def _rate_of(rr: Known) -> Known:
    rate = _WIDE.divide(Decimal(60), rr.canonical)
    return Known("heart_rate", rr.fact, rate, "/min", rr.collected_at, None, None, rr.comparator, gone=rr.gone)


def _of_instant(case: Treatment, at: datetime) -> dict[str, Known]:
    """The usable intervals and heart rate of one instant; the RR interval gives the heart rate where none was sent."""
    found = {
        analyte: known
        for analyte in ("qt", "qrs", "rr", "heart_rate")
        for known in case.results.history(analyte)
        if known.collected_at == at
    }
    rr = found.pop("rr", None)
    if rr is not None and rr.canonical > 0 and "heart_rate" not in found:
        found["heart_rate"] = _rate_of(rr)
    return found


def _ms(known: Known | None) -> Decimal | None:
    return None if known is None else known.canonical


# ── one tracing ────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(case: Treatment, tracing: Tracing) -> Known | Unknown:
    fact, at, limits = tracing.facts[0], tracing.at, case.protocol.plausible
    qtcf = tracing.qtcf
    for value, hard in ((tracing.qt, limits["qt"]), (qtcf, limits["qtcf"])):
        refused = _refused(value, hard, fact, at)
        if refused is not None:
            return refused
    if qtcf is None:
        if tracing.qt is None or tracing.heart_rate is None:
            rule, words = tracing.missing
            return Unknown("qtcf", rule, f"QTcF: {words}", fact, at)
        beats = limits["heart_rate"]
        if not beats.low.number <= tracing.heart_rate <= beats.high.number:
            return Unknown("qtcf", "LAB-05", "QTcF: the heart rate is implausible", fact, at)
        qtcf = fridericia(tracing.qt, tracing.heart_rate)
        refused = _refused(qtcf, limits["qtcf"], fact, at)
        if refused is not None:
            return refused
    doubt = _doubt(case, tracing.heart_rate, tracing.qrs)
    if doubt is not None and not case.results.confirmed(*tracing.facts):
        return _for_review(fact, at, doubt)
    return Known("qtcf", fact, qtcf, "ms", at, None, None)


def _refused(value: Decimal | None, limits: Plausible, fact: str, at: datetime) -> Unknown | None:
    if value is None:
        return None
    if value > limits.high.number:
        return Unknown("qtcf", "LAB-06", "QTcF: implausibly high", fact, at, urgent=True, high=True)
    return Unknown("qtcf", "LAB-05", "QTcF: implausibly low", fact, at) if value < limits.low.number else None


def _doubt(case: Treatment, heart_rate: Decimal | None, qrs: Decimal | None) -> str | None:
    """QT-06: a heart rate or a QRS at which the correction cannot be trusted."""
    limits = case.protocol.ecg
    low, high = limits.heart_rate_min, limits.heart_rate_max
    if heart_rate is not None and not low.number <= heart_rate <= high.number:
        return f"heart rate {plain(round(heart_rate, 0))}/min is outside {plain(low.number)}–{plain(high.number)}"
    if qrs is not None and qrs > limits.qrs_max.number:
        return f"QRS {plain(qrs)} ms is wider than {limits.qrs_max.shown()}"
    return None


def _for_review(fact: str, at: datetime, doubt: str) -> Unknown:
    return Unknown("qtcf", "QT-06", f"QTcF: {doubt}; a person reviews the tracing first", fact, at, confirmable=True)


# ── what it means for a dose ───────────────────────────────────────────────────────────────────────────────────────


def qt_gate(case: Treatment, slot: DoseSlot) -> Iterator[Finding]:
    """QT-01 … QT-04: QTcF, its rise from baseline, and other drugs that prolong the interval."""
    held, unknown = qtcf_holding(case), qtcf_opening(case).unknown
    for longest in sorted(held, key=lambda k: k.canonical)[-1:]:
        inputs = (*(k.shown() for k in held), *(() if unknown is None else (unknown.shown(),)))
        yield from _too_long(case, longest, f"{_shown(longest.canonical)} ms{and_beside(longest, held)}", inputs)
        yield from _risen(case, longest, inputs)
    if unknown is not None and slot.day != 1:  # on day 1 the required data say it; no age of it opens anything
        override = Override.NEVER if unknown.high else Override.PRESCRIBER
        inputs, clears = (unknown.shown(),), unknown.clears
        yield case.finding(
            unknown.rule,
            Verdict.NEED_DATA,
            unknown.why,
            inputs=inputs,
            clears=clears,
            subject="qtcf",
            override=override,
        )
    yield from _other_drugs(case)


def _too_long(case: Treatment, latest: Known, shown: str, inputs: tuple[Input, ...]) -> Iterator[Finding]:
    limits = case.protocol.limits
    seen = f"QTcF {shown}"
    if latest.above(latest.in_unit(limits.qtcf_stop.number)) is not False:
        reason = f"{seen}, limit {limits.qtcf_stop.shown()}"
        yield case.finding("QT-01", Verdict.HOLD, reason, inputs=inputs, clears=QT_CLEARS, subject="qtcf")
    elif latest.above(latest.in_unit(limits.qtcf_max.number)) is not False:
        reason = f"{seen}, limit {limits.qtcf_max.shown()}"
        clears = f"QTcF at or below the limit; {QT_CLEARS}"
        yield case.finding("QT-02", Verdict.HOLD, reason, inputs=inputs, clears=clears, subject="qtcf")
    elif latest.below(latest.in_unit(limits.qtcf_note.number)) is not True:
        yield case.finding("QT-03", None, seen, inputs=inputs)


def _risen(case: Treatment, latest: Known, inputs: tuple[Input, ...]) -> Iterator[Finding]:
    if case.first_dose_at is None:
        return
    before = [k for k in qtcf_before(case, case.first_dose_at) if k is not None]
    baseline = min(before, key=lambda k: k.canonical, default=latest)
    rise = latest.canonical - baseline.canonical
    limit = case.protocol.limits.qtcf_rise_max.number
    if rise > limit:
        reason = f"QTcF rose by {_shown(rise)} ms from baseline, limit {plain(limit)} ms"
        inputs = (*inputs, baseline.shown())
        yield case.finding("QT-01", Verdict.HOLD, reason, inputs=inputs, clears=QT_CLEARS, subject="rise")


def _other_drugs(case: Treatment) -> Iterator[Finding]:
    """QT-04: a drug that prolongs the interval was started and not stopped."""
    prolonging = [(f, w) for f, w in taken(case) if w.qt_prolonging]
    if prolonging:
        drugs = ", ".join(w.drug for _, w in prolonging)
        inputs = tuple(Input(name=w.drug, value="started", taken_at=f.at, fact=f.id) for f, w in prolonging)
        reason = (
            f"{drugs} can prolong the QT interval too: ECG and electrolytes now and after a new drug; prefer another"
        )
        yield case.finding("QT-04", None, reason, inputs=inputs)


def _shown(ms: Decimal) -> str:
    return plain(ms if ms == ms.to_integral_value() else round(ms, 1))
