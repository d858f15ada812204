"""Signs of veno-occlusive disease as they stood at one instant: each with when, how much, and in a clinician's words (VOD).

A sign that was seen stays seen until somebody looks for it again (VOD-13); one that was not seen counts only while the
look is fresh.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from itertools import groupby, pairwise, takewhile
from types import MappingProxyType
from typing import Protocol, TypeVar

from clinical.chart.calendar import birthday, day_after, local_date, midnight_after, midnight_of
from clinical.coding.units import PERCENT, bilirubin_umol_per_l
from clinical.course.case import Case
from clinical.results.known import NO_MORE, Known, drawn_at
from clinical.treatment.treatment import Measured
from models.assessment import Input
from models.base import plain
from models.facts import Fact, Imaging, Toxicity, VodExamination
from models.protocol import Entry

Answer = bool | None
"""Met, not met, or (`None`) unknown."""

TENTH = Decimal("0.1")
LOOKED_FOR = MappingProxyType(
    {
        "ruq_pain": "pain in the right upper abdomen",
        "hepatomegaly": "enlarged liver",
        "painful_hepatomegaly": "painful enlarged liver",
        "ascites": "ascites",
    }
)
"""What a look for VOD tells, in words."""
LOOKED_FOR_IN_CHILDREN = MappingProxyType(
    {
        "refractory_thrombocytopenia": "refractory thrombocytopenia",
        "weight_gain_despite_diuretics": "weight gain on three days despite diuretics",
    }
)
"""What it tells of a child besides (VOD-10)."""
GRAVER = ("multi_organ_dysfunction", "new_cognitive_impairment")
"""What follows the signs of VOD (SEV-04): no criterion of any definition, and worse than what was judged without it."""
METHODS = MappingProxyType(
    {
        "ultrasound": "ultrasound",
        "elastography": "elastography",
        "hvpg": "hepatic venous pressure gradient",
        "histology": "liver biopsy",
    }
)
"""How evidence was found, in words."""
CHARTED = "charted"
"""The sign that somebody charted VOD by its name: it counts by itself."""
_BY_NAME = re.compile(r"\b(?:h?vod|sos)\b|veno\W*o[ck]+lusi|sinusoid\w*\W+obstru[ck]")
ASCITES = ("minimal", "moderate", "drained")
"""How much ascites, least first."""


@dataclass(frozen=True)
class Sign:
    """A sign that is there: since when it is known, how much of it (more is worse), in words, and the fact that tells it."""

    name: str
    words: str
    at: datetime
    fact: str
    amount: Decimal | None = None

    def covered_by(self, judged: Iterable["Sign"]) -> bool:
        """Whether it was there, and as much, when it was judged."""
        same = [sign for sign in judged if sign.name == self.name]
        return any((self.amount or 0) <= (sign.amount or 0) for sign in same)


@dataclass(frozen=True)
class Part:
    """Whether a criterion is met, and the signs that meet it."""

    answer: Answer
    by: tuple[Sign, ...] = ()


NOT_MET = Part(answer=False)


class Clock(Protocol):
    """What is asked about time."""

    def reached(self, instant: datetime) -> bool:
        """`then >= instant`."""

    def passed(self, instant: datetime) -> bool:
        """`then > instant`."""


class Then:
    """An instant that is over: time is asked of it as of now."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def reached(self, instant: datetime) -> bool:
        """`then >= instant`."""
        return self.at >= instant

    def passed(self, instant: datetime) -> bool:
        """`then > instant`."""
        return self.at > instant


Timed = TypeVar("Timed", Known, Measured)


class Signs:
    """What was seen of a patient up to an instant (now, where none is given), as far as the definitions ask for it.

    `judged` are the signs that the last exclusion covers: a bilirubin that rises above the judged one goes on rising.
    """

    def __init__(self, case: Case, then: datetime | None = None, judged: tuple[Sign, ...] | None = None) -> None:
        self.case = case
        self.then = then
        self.judged = judged or ()
        self._clock: Clock = case.reading if then is None else Then(then)
        self._limits = case.protocol.vod
        self._looked: dict[str, Part] = {}

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _was(self, at: datetime) -> bool:
        return self.then is None or at <= self.then

    @cached_property
    def transplanted_at(self) -> datetime | None:
        """The latest transplant up to then; none without one (VOD-08)."""
        zone = self.case.reading.zone
        days = [at for _, at in self.case.transplants if self._clock.reached(midnight_of(local_date(at, zone), zone))]
        return days[-1] if days else None

    def within(self, until: Entry) -> Answer:
        """Whether it is at most so many calendar days after the transplant; `None` without one."""
        if self.transplanted_at is None:
            return None
        return not self._clock.reached(end_of_day(self.case, self.transplanted_at, until))

    @property
    def child(self) -> bool:
        """Below the age from which the definitions for adults hold."""
        of_age_on = birthday(self.case.course.birth_on, self._limits.adult_from.count)
        return not self._clock.reached(midnight_of(of_age_on, self.case.reading.zone))

    # ── total bilirubin ────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _bilirubins(self) -> tuple[Known, ...]:
        """The usable ones; one that was withdrawn may raise, and never lowers (E1)."""
        results, limit = self.case.results, self._limits.bilirubin_from.number
        raising = [k for k in results.gone("bilirubin") if _at_least(k, limit)]
        found = results.history("bilirubin")
        if raising:
            found = tuple(sorted((*found, *raising), key=drawn_at))
        return found if self.then is None else tuple(takewhile(lambda k: self._was(k.collected_at), found))

    @cached_property
    def _last_bilirubin(self) -> Known | None:
        """The last usable one; of one draw the highest."""
        draw = next(_newest_first(self._bilirubins), [])
        return max(reversed(draw), key=_umol, default=None)

    @cached_property
    def bilirubin(self) -> Part:
        """Total bilirubin at or above 34 umol/L in either unit (AMB-12); the last value that answers it counts."""
        limit, in_doubt = self._limits.bilirubin_from.number, self._bilirubin_in_doubt
        for draw in _newest_first(self._bilirubins):
            high = [k for k in draw if _at_least(k, limit)]
            if high:
                return Part(answer=True, by=(self._bilirubin_sign(max(high, key=_umol)),))
            in_doubt = in_doubt or any(_at_least(k, limit) is None for k in draw)
            if not all(_at_least(k, limit) is None for k in draw):
                fresh = not self._clock.passed(draw[-1].collected_at + self.case.protocol.ages.liver.span)
                return Part(answer=False if fresh and not in_doubt else None)
        return Part(answer=None)

    @property
    def _bilirubin_in_doubt(self) -> bool:
        """A newer result cannot be used: a low one before it says nothing of now."""
        return self.then is None and self.case.opening("bilirubin").unknown is not None

    def _bilirubin_sign(self, known: Known) -> Sign:
        words = f"total bilirubin {known.said} ({self._on(known.collected_at)})"
        return Sign("bilirubin", words, known.collected_at, known.fact, _umol(known))

    @property
    def bilirubin_umol(self) -> Decimal | None:
        """The last usable total bilirubin in umol/L, converted exactly."""
        return None if self._last_bilirubin is None else _umol(self._last_bilirubin)

    @cached_property
    def bilirubin_rising(self) -> Part:
        """VOD-10: total bilirubin higher on each of three days in a row than before it; the highest of a day counts."""
        zone, needed = self.case.reading.zone, self._limits.rising_days.count
        last = None if self._last_bilirubin is None else self._bilirubin_sign(self._last_bilirubin)
        if last is not None and any(s.name == last.name and not last.covered_by((s,)) for s in self.judged):
            return Part(answer=True, by=(last,))
        by_day = [
            max(day, key=_umol) for _, day in groupby(self._bilirubins, lambda k: local_date(k.collected_at, zone))
        ]
        run = by_day[-needed:]
        on = [local_date(k.collected_at, zone) for k in run]
        if len(run) < needed or any(day_after(a) != b for a, b in pairwise(on)):
            return Part(answer=None)
        before = by_day[-needed - 1 : -needed]
        rises = [_umol(a) < _umol(b) for a, b in zip([*before, *run], [*before, *run][1:], strict=False)]
        if not all(rises):
            return NOT_MET
        said = ", ".join(k.said for k in run)
        words = f"total bilirubin rising on {needed} days: {said} ({self._on(run[-1].collected_at)})"
        return Part(answer=True, by=(Sign("bilirubin", words, run[-1].collected_at, run[-1].fact, _umol(run[-1])),))

    # ── what was looked for ────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _looks(self) -> tuple[tuple[Fact, VodExamination], ...]:
        return tuple(pair for pair in self.case.reading.heard(VodExamination) if self._was(pair[0].at))

    def look(self, sign: str) -> Part:
        """One sign of the last examination that looked for it (MON-15); "not seen" holds while that look is fresh.

        Of several looks at one instant the one that saw it counts.
        """
        if sign not in self._looked:
            self._looked[sign] = self._look(sign)
        return self._looked[sign]

    def _look(self, sign: str) -> Part:
        for _, looks in groupby(reversed(self._looks), lambda pair: pair[0].at):
            answers = [(fact, seen, _told(seen, sign)) for fact, seen in looks]
            there = next(((fact, seen) for fact, seen, answer in answers if answer), None)
            if there is not None:
                return Part(answer=True, by=(self._seen_sign(sign, *there),))
            if any(answer is False for _, _, answer in answers):
                stale = self._clock.passed(answers[0][0].at + self.case.protocol.ages.examination.span)
                return Part(answer=None if stale else False)
        return Part(answer=None)

    def seen(self, sign: str) -> Answer:
        """Whether a sign was seen when somebody looked for it last."""
        return self.look(sign).answer

    def told_last(self, field: str) -> object:
        """What the last examination that says anything of it says; `None` where none does."""
        said = [getattr(seen, field) for _, seen in self._looks]
        return next((answer for answer in reversed(said) if answer is not None), None)

    def _seen_sign(self, sign: str, fact: Fact, seen: VodExamination) -> Sign:
        words = {**LOOKED_FOR, **LOOKED_FOR_IN_CHILDREN}.get(sign, sign.replace("_", " "))
        amount = seen.ascites_amount if sign == "ascites" else None
        how_much = None if amount is None else Decimal(ASCITES.index(amount))
        words = words if amount is None else f"{words}, {amount}"
        return Sign(sign, f"{words} ({self._on(fact.at)})", fact.at, fact.id, how_much)

    # ── weight ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def weights(self) -> tuple[Measured, Measured] | None:
        """The weight before (conditioning after a transplant, the first dose without one, AMB-22) and the latest.

        Of several of one minute the gain is the larger one.
        """
        weights = [w for w in self.case.plausible_weights() if self._was(w.at)]
        before = self._baseline_until()
        earlier = [w for w in weights if before is not None and w.at <= before]
        if not earlier:
            return None
        lightest = min((w for w in earlier if w.at == earlier[-1].at), key=lambda w: w.value)
        return lightest, max((w for w in weights if w.at == weights[-1].at), key=lambda w: w.value)

    def _baseline_until(self) -> datetime | None:
        if self.transplanted_at is not None:
            return self.transplanted_at - self._limits.conditioning.span
        first = self.case.first_dose_at
        return first if first is not None and self._was(first) else None

    @cached_property
    def gain(self) -> Decimal | None:
        """Weight gained since then, in per cent of it."""
        if self.weights is None:
            return None
        baseline, latest = self.weights
        return (latest.value - baseline.value) / baseline.value * PERCENT

    def gained_more_than(self, per_cent: Decimal) -> Part:
        """Whether the gain is above a limit; a latest weight that is not fresh says nothing of "not gained"."""
        if self.gain is None or self.weights is None:
            return Part(answer=None)
        if self.gain > per_cent:
            return Part(answer=True, by=(self._gain_sign,))
        stale = self._clock.passed(self.weights[1].at + self.case.protocol.ages.weight_later.span)
        return Part(answer=None if stale else False)

    @cached_property
    def _gain_sign(self) -> Sign:
        assert self.weights is not None
        baseline, latest = self.weights
        words = f"weight {plain(latest.value)} kg, {self._gained_words()} % above {plain(baseline.value)} kg"
        return Sign("weight_gain", f"{words} ({self._on(latest.at)})", latest.at, latest.fact, self.gain)

    def _gained_words(self) -> str:
        return plain((self.gain or Decimal(0)).quantize(TENTH))

    # ── imaging, pressure, tissue ──────────────────────────────────────────────────────────────────────────────────

    def evidence(self, *methods: str) -> Part:
        """Whether imaging, pressure or tissue speaks for VOD; what nobody looked for is unknown and decides nothing."""
        found = [(f, i) for f, i in self.case.reading.of(Imaging) if i.method in methods and self._was(f.at)]
        answers = [self._suggests(i) for _, i in found]
        for_it = {i.method: self._evidence_sign(f, i) for (f, i), answer in zip(found, answers, strict=True) if answer}
        if for_it:
            return Part(answer=True, by=tuple(for_it.values()))
        return Part(answer=None) if None in answers else NOT_MET

    def _suggests(self, imaging: Imaging) -> Answer:
        if imaging.hvpg_mmhg is not None:
            return imaging.hvpg_mmhg >= self._limits.hvpg_from.number
        return imaging.suggests_vod

    def _evidence_sign(self, fact: Fact, imaging: Imaging) -> Sign:
        pressure = imaging.hvpg_mmhg
        how_much = "" if pressure is None else f" {plain(pressure)} mmHg"
        words = f"{METHODS[imaging.method]}{how_much} ({self._on(fact.at)})"
        return Sign(imaging.method, words, fact.at, fact.id, pressure)

    # ── charted by its name ────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def charted(self) -> Part:
        """NON-01: VOD charted as a toxicity, as it was graded last; of one instant the highest grade counts."""
        found = [(f, what) for f, what in vod_by_name(self.case) if self._was(f.at)]
        if not found:
            return NOT_MET
        fact, last = max(found, key=lambda pair: (pair[0].at, pair[1].grade))
        if not last.grade:
            return NOT_MET
        words = f"{last.term} of grade {last.grade} charted ({self._on(fact.at)})"
        return Part(answer=True, by=(Sign(CHARTED, words, fact.at, fact.id, Decimal(last.grade)),))

    # ── all of them ────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def present(self) -> tuple[Sign, ...]:
        """The signs that are there: what the definitions are made of, and what is watched."""
        parts = [self.look(name) for name in (*LOOKED_FOR, *LOOKED_FOR_IN_CHILDREN)]
        parts += [self.evidence(method) for method in METHODS]
        parts.append(self.charted)
        parts.append(self.bilirubin if self.bilirubin.answer or not self.child else self.bilirubin_rising)
        parts.append(self.gained_more_than(self._limits.gain_seattle_above.number))
        return tuple(sign for part in parts if part.answer for sign in part.by)

    @cached_property
    def to_judge(self) -> tuple[Sign, ...]:
        """All that a judgement covers: the signs that are there, and what follows them."""
        return (*self.present, *(sign for name in GRAVER for sign in self.look(name).by))

    @property
    def enough(self) -> bool:
        """Whether any definition can be met: each asks for two of these signs, or for evidence, or for a person's word."""
        return len(self.present) > 1 or any(sign.name in METHODS or sign.name == CHARTED for sign in self.present)

    def not_known(self) -> tuple[str, ...]:
        """ALERT-09: each sign that the definitions ask for and of which nothing is known, or nothing lately."""
        names = {**LOOKED_FOR, **(LOOKED_FOR_IN_CHILDREN if self.child else {})}
        unknown = [words for name, words in names.items() if self.seen(name) is None]
        unknown += ["total bilirubin"] if self.bilirubin.answer is None else []
        gained = self.gained_more_than(self._limits.gain_ino_vate_above.number).answer
        return tuple(unknown + (["weight"] if gained is None else []))

    def to_watch(self) -> tuple[str, ...]:
        """A1 (§7.2): any sign that is there, bilirubin at or above its ULN and rising, weight up within 7 days."""
        found, names = [sign.words for sign in self.present], {sign.name for sign in self.present}
        if "bilirubin" not in names:
            found += self._bilirubin_rising_lately()
        quick = self._gain_lately
        if "weight_gain" not in names and quick is not None:
            found.append(f"weight {plain(quick.quantize(TENTH))} % up within {self._limits.watch_within.shown()}")
        return tuple(found)

    def _bilirubin_rising_lately(self) -> list[str]:
        """At or above its ULN and higher than before it; also where either can be used no more (M.0)."""
        for last in sorted(self.case.holding("bilirubin"), key=_umol, reverse=True):
            if last.uln is not None and last.below(last.uln) is not True:
                for before in self.case.results.before("bilirubin", last.collected_at):
                    if before is not None and before.canonical < last.canonical:
                        words = f"bilirubin rising from {before.said} to {last.said}"
                        return [f"{words} ({self._on(last.collected_at)}){NO_MORE if last.gone else ''}"]
        return []

    @property
    def _gain_lately(self) -> Decimal | None:
        """Per cent gained over the lowest weight of the days before the latest one, where that is enough to watch.

        What can be used no more counts, as the latest one until a usable one follows it (M.0).
        """
        standing, ever = self.case.plausible_weights(), self.case.weights_ever()
        span = self._limits.watch_within.span
        gains = [
            (latest.value - before.value) / before.value * PERCENT
            for latest in ever
            if not standing or latest.at >= standing[-1].at
            for before in ever
            if latest.at - span <= before.at <= latest.at
        ]
        gain = max(gains, default=Decimal(0))
        return gain if gain > self._limits.watch_gain_above.number else None

    def inputs(self) -> tuple[Input, ...]:
        """The values behind the answers, as a clinician reads them."""
        shown = [] if self._last_bilirubin is None else [self._last_bilirubin.shown()]
        if self.weights is not None and self.gain is not None:
            words = f"{self._gained_words()} % above {plain(self.weights[0].value)} kg"
            shown.append(Input(name="weight", value=words, taken_at=self.weights[1].at, fact=self.weights[1].fact))
        by_fact: dict[str, list[Sign]] = {}
        for sign in self.to_judge:
            if sign.name not in ("bilirubin", "weight_gain"):
                by_fact.setdefault(sign.fact, []).append(sign)
        for fact, signs in by_fact.items():
            name = {**METHODS, CHARTED: "toxicity"}.get(signs[0].name, "examination")
            words = ", ".join(sign.words.rpartition(" (")[0] for sign in signs)
            shown.append(Input(name=name, value=words, taken_at=signs[0].at, fact=fact))
        return tuple(shown)

    def _on(self, at: datetime) -> str:
        there = at.astimezone(self.case.reading.zone)
        return f"{there.day} {there:%B %Y %H:%M}"


def names_vod(what: Toxicity) -> bool:
    """Whether a toxicity that was charted is VOD by its name."""
    return _BY_NAME.search(what.term.lower()) is not None


def vod_by_name(case: Case) -> list[tuple[Fact, Toxicity]]:
    """Every time that VOD was charted as a toxicity."""
    return [(fact, what) for fact, what in case.reading.of(Toxicity) if names_vod(what)]


def looked_for(case: Case) -> str:
    """What an examination for VOD looks for (MON-15); in children for two signs more (VOD-10)."""
    more = f"; {', '.join(LOOKED_FOR_IN_CHILDREN.values())}" if Signs(case).child else ""
    return f"right upper abdomen, liver size, ascites and oedema examined{more}"


def end_of_day(case: Case, transplanted_at: datetime, until: Entry) -> datetime:
    """The first instant after so many calendar days after a transplant (VOD-08)."""
    zone = case.reading.zone
    return midnight_after(local_date(transplanted_at, zone) + until.span, zone)


def _umol(known: Known) -> Decimal:
    return bilirubin_umol_per_l(known.value, known.unit) or Decimal(0)


def _at_least(known: Known, limit: Decimal) -> Answer:
    """Whether a total bilirubin is `>= limit` in umol/L; `None` where a comparator leaves it open."""
    umol = _umol(known)
    if umol >= limit:
        return None if known.comparator in ("<", "<=") and umol > limit else known.comparator != "<"
    return None if known.comparator in (">", ">=") else False


def _newest_first(history: Sequence[Known]) -> Iterator[list[Known]]:
    """The draws, newest first."""
    for _, draw in groupby(reversed(history), lambda k: k.minute):
        yield list(draw)


def _told(seen: VodExamination, sign: str) -> Answer:
    """What one examination says of one sign: a liver that is not enlarged cannot be painfully so, and the reverse."""
    if sign == "painful_hepatomegaly":
        return False if seen.hepatomegaly is False else seen.painful_hepatomegaly
    if sign == "hepatomegaly" and seen.hepatomegaly is None:
        return True if seen.painful_hepatomegaly else None
    if sign == "ascites" and seen.ascites is None:
        return True if seen.ascites_amount else None
    answer: Answer = getattr(seen, sign)
    return answer
