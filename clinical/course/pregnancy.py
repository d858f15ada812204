"""Pregnancy before every dose (MON-11, MON-11a): what people charted and what laboratories sent, read as one series.

A positive result holds, in numbers or in words, by any code of hCG and whatever the chart says of child-bearing; it ends by
a physician's word after a later negative serum test. One that says neither is missing data until a clear one follows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clinical.chart.once import once
from clinical.chart.told import LAB
from clinical.chart.versions import minute_of
from clinical.coding.codes import LOINC
from clinical.course.case import Case
from clinical.results.known import Known, Unknown
from clinical.results.trouble import USABLE_STATUS, understood
from models.assessment import Finding, Input, Verdict
from models.facts import CYCLE_DAYS, DoseSlot, Fact, LabResult, PregnancyTest
from models.people import PHYSICIANS
from models.protocol import Override, Protocol

Outcome = Literal["positive", "negative", "unclear"]

HCG = "hcg"
SERUM = frozenset({"21198-7", "19080-1", "2110-5", "2118-8", "80385-8", "45194-8"})
"""Codes of hCG in serum or plasma; the others are of urine."""
POSITIVE_WORDS = frozenset(
    {
        *("positive", "positiv", "pos", "+", "reactive", "detected", "pregnant"),
        *("10828004", "260373001", "77386006", "la6576-8"),
    }
)
"""In words, and by SNOMED CT and as an answer of LOINC."""
NEGATIVE_WORDS = frozenset(
    {
        *("negative", "negativ", "neg", "non-reactive", "nonreactive", "not detected", "not pregnant"),
        *("260385009", "260415000", "60001007", "la6577-6"),
    }
)
WORD = "a physician who records the pregnancy test as negative"
NEEDED = f"a negative serum test later than this one, then {WORD}"


@dataclass(frozen=True)
class Tested:
    """One result: of when, what it says, in words, of which fact, and whether it is of serum or is a physician's word."""

    at: datetime
    recorded_at: datetime
    outcome: Outcome
    words: str
    fact: str
    serum: bool
    by_physician: bool

    @property
    def minute(self) -> datetime:
        """Results of one minute are twins (LAB-11): none of them is later."""
        return minute_of(self.at)

    def shown(self) -> Input:
        """The result as a clinician reads it."""
        return Input(name="pregnancy test", value=self.words, taken_at=self.at, fact=self.fact)


def pregnancy(case: Case) -> Iterator[Finding]:
    """MON-11a: what closes every dose, whoever signs."""
    positive, last = positive_test(case), _graver(_last(tests(case)))
    asked = (
        "" if case.course.child_bearing_potential is not False else "; the chart says that she cannot bear a child: ask"
    )
    if positive is not None:
        reason = f"pregnancy test is positive: {positive.words}{asked}"
        yield case.finding("MON-11", Verdict.HOLD, reason, inputs=(positive.shown(),), clears=needed(case, positive))
    if last is not None and last.outcome == "unclear":
        reason = f"pregnancy test is unclear: {last.words}{asked}"
        clears = "a pregnancy test that is positive or negative, or an hCG with its laboratory's limit"
        yield case.finding("MON-11", Verdict.NEED_DATA, reason, inputs=(last.shown(),), clears=clears)


def pregnancy_asked(case: Case, slot: DoseSlot, rule: str) -> Iterator[Finding]:
    """DATA-01, DATA-03: before day 1 a test is there, and fresh, unless she cannot bear a child."""
    potential, age = case.course.child_bearing_potential, case.protocol.ages.pregnancy
    if slot.day != CYCLE_DAYS[0] or potential is False:
        return
    clear = _graver(_last(t for t in tests(case) if t.outcome != "unclear"))
    if clear is None:
        unknown = "" if potential else " (whether the patient can bear a child is not stated)"
        reason = f"pregnancy test is missing{unknown}"
        clears = f"a pregnancy test, not older than {age.shown()}"
        yield case.finding(rule, Verdict.NEED_DATA, reason, clears=clears, override=Override.NEVER)
    elif case.reading.passed(clear.at + age.span):
        reason, subject = f"pregnancy test is older than {age.shown()}", "pregnancy test"
        inputs, clears = (clear.shown(),), "a new pregnancy test"
        yield case.finding(rule, Verdict.NEED_DATA, reason, inputs=inputs, clears=clears, subject=subject)


def tested_at(case: Case) -> datetime | None:
    """When a test last said positive or negative."""
    return max((t.at for t in tests(case) if t.outcome != "unclear"), default=None)


@once
def positive_test(case: Case) -> Tested | None:
    """The last positive result that was ever told and that nothing has ended."""
    now = tests(case)
    told = (*(t for t in now if t.outcome == "positive"), *_told_before(case))
    last = max(told, key=lambda t: t.at, default=None)
    if last is None:
        return None
    serum = _negative_serum_since(now, last)
    words = [t for t in now if t.by_physician and t.outcome == "negative"]
    ended = any(word.minute >= test.minute and word.recorded_at >= test.recorded_at for test in serum for word in words)
    return None if ended else last


def needed(case: Case, positive: Tested) -> str:
    """What ends a positive test: what is left of it, where the later negative serum test is there."""
    serum = _negative_serum_since(tests(case), positive)
    return f"{WORD}; {serum[-1].words} in serum is there" if serum else NEEDED


def _negative_serum_since(now: tuple[Tested, ...], positive: Tested) -> list[Tested]:
    """The negative tests in serum of a later sample than a positive one."""
    return [t for t in now if t.serum and t.outcome == "negative" and t.minute > positive.minute]


@once
def tests(case: Case) -> tuple[Tested, ...]:
    """Every result that stands, by the time of its sample."""
    charted = [_charted(fact, test) for fact, test in case.reading.of(PregnancyTest)]
    case.reading.rests_on(LAB)
    sent = {v.fact.id: (v.fact, v.what) for v in case.reading.told.labs.get(HCG, ()) if isinstance(v.what, LabResult)}
    found = [(*sent[read.fact], read) for read in case.results.all_read(HCG) if read.fact in sent]
    measured = [_measured(fact, result, read) for fact, result, read in found]
    return tuple(sorted([*charted, *measured], key=lambda t: t.at))


def _last(found: Iterable[Tested]) -> list[Tested]:
    """The results of the last minute in which there are any (LAB-11)."""
    known = list(found)
    latest = max((t.minute for t in known), default=None)
    return [t for t in known if t.minute == latest]


def _graver(found: list[Tested]) -> Tested | None:
    """Of several results of one minute the one that holds more."""
    order: tuple[Outcome, ...] = ("positive", "unclear", "negative")
    return min(found, key=lambda t: order.index(t.outcome), default=None)


def _charted(fact: Fact, test: PregnancyTest) -> Tested:
    serum, physician = test.specimen == "serum", fact.by.role in PHYSICIANS
    words = test.result if test.specimen is None else f"{test.result} ({test.specimen})"
    return Tested(fact.at, fact.recorded_at, test.result, words, fact.id, serum, physician)


def _measured(fact: Fact, sent: LabResult, read: Known | Unknown) -> Tested:
    outcome, words = _in_words(sent), f"hCG {(sent.text or '').strip()}"
    if isinstance(read, Known):
        outcome, words = _in_numbers(read), f"hCG {read.said}"
        words = f"{words} without an upper limit of its laboratory" if read.uln is None else words
    elif outcome == "unclear":
        words = read.why
    at = read.collected_at if isinstance(read, Known) else read.since
    return Tested(at, fact.recorded_at, outcome, words, fact.id, sent.loinc in SERUM, by_physician=False)


def _in_numbers(read: Known) -> Outcome:
    above = None if read.uln is None else read.above(read.uln)
    return "unclear" if above is None else "positive" if above else "negative"


def _in_words(sent: LabResult) -> Outcome:
    """What a laboratory's words say, which must not contradict; a result that is not final, or of no time, says nothing yet."""
    if sent.status not in USABLE_STATUS or sent.collected_at is None or sent.absent_reason is not None:
        return "unclear"
    told = _words_of(sent)
    if not POSITIVE_WORDS.isdisjoint(told):
        return "positive" if NEGATIVE_WORDS.isdisjoint(told) else "unclear"
    known = LOINC.get(sent.loinc) == HCG  # what only may be a test for pregnancy says "negative" of nobody knows what
    return "negative" if known and told <= NEGATIVE_WORDS else "unclear"


def _words_of(sent: LabResult) -> frozenset[str]:
    """What stands between ` / `, as the intake writes the words of a concept that differ."""
    told = (sent.text or "").casefold().split(" / ")
    return frozenset(word.strip().removesuffix("(qualifier value)").strip(" .!") for word in told)


# ── what was positive once ─────────────────────────────────────────────────────────────────────────────────────────


def _told_before(case: Case) -> Iterator[Tested]:
    """Positive results in whose place something else was told since: only a physician's correction ends what they raised."""
    case.reading.rests_on(LAB, "pregnancy_test", "correction")
    told = case.reading.told
    yield from _positive(((v.fact, v.what) for v in told.labs.get(HCG, ())), case.protocol)
    for origin, said in (told.versions or {}).items():
        by_physician = any(actor.role in PHYSICIANS for actor in told.corrected_by(origin))
        if len(said) > 1 and not by_physician:
            yield from _positive(((f, f.what) for f in said if f is not None), case.protocol)


def _positive(said: Iterable[tuple[Fact, object]], protocol: Protocol) -> Iterator[Tested]:
    for fact, what in said:
        if isinstance(what, PregnancyTest) and what.result == "positive":
            yield _charted(fact, what)
        elif isinstance(what, LabResult) and LOINC.get(what.loinc) == HCG and _is_positive(what, protocol):
            at, serum = what.collected_at or fact.recorded_at, what.loinc in SERUM
            yield Tested(at, fact.recorded_at, "positive", "hCG, as it was told", fact.id, serum, by_physician=False)


def _is_positive(sent: LabResult, protocol: Protocol) -> bool:
    result = understood(HCG, sent, protocol)
    if sent.status not in USABLE_STATUS or result.value is None or result.uln is None:
        return _in_words(sent) == "positive"
    return result.value > result.uln and result.comparator not in ("<", "<=")
