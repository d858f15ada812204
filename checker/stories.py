"""Short stories of what a patient can meet, told beside the search once before each dose, wherever they fit.

Like what says nothing (`worthless.py`) they cost a few decisions, and nobody goes on from there. A story begins where its first
step fits, and ends where a step does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from checker.moves import Move, Scribe, no_signs, weight
from checker.people import LIVER, NURSE, PHYSICIAN
from checker.ward import State
from models.assessment import CourseState, Verdict
from models.facts import Findings, Medication, Response, Transfusion
from models.messages import (
    CompleteInfusion,
    InterruptInfusion,
    JudgeVod,
    RecordResponse,
    RecordTransplant,
    ReportReaction,
    ResumeInfusion,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Told = Callable[[State], Move | None]


@dataclass(frozen=True)
class Story:
    """What happens, one after the other."""

    name: str
    steps: tuple[Told, ...]


def _draws(after: timedelta, **values: str) -> Told:
    """A laboratory sends these values, and a liver panel that is normal but for them."""

    def step(state: State) -> Move:
        at = state.now + after
        words = ", ".join(f"{analyte} {value}" for analyte, value in values.items())
        return Move(
            f"{words or 'a normal liver panel'} come back", (Scribe(state, at).labs(LIVER, at=at, **values),), at
        )

    return step


def _finds(words: str, found: Findings, after: timedelta = MINUTE) -> Told:
    def step(state: State) -> Move:
        at = state.now + after
        return Move(words, Scribe(state, at).finds(found, by=PHYSICIAN), at)

    return step


def _waits(words: str, span: timedelta) -> Told:
    return lambda state: Move(words, until=state.now + span)


def _treated(step: Told) -> Told:
    """Only after a first dose."""
    return lambda state: step(state) if state.standing.case.doses else None


def _running(step: Told) -> Told:
    """Only while an infusion runs."""
    return lambda state: step(state) if state.card.state is CourseState.INFUSION else None


def _judged(state: State) -> Move:
    at = state.now + MINUTE
    said = Scribe(state, at).say(JudgeVod, PHYSICIAN, judgement="excluded", other_cause="fluid overload")
    return Move("a physician excludes VOD", (said,), at)


def _reaction(grade: int | None) -> Told:
    def step(state: State) -> Move:
        at = state.now + 10 * MINUTE
        said = Scribe(state, at).say(ReportReaction, NURSE, "story", reaction_id="story", grade=grade)
        return Move(f"a reaction of grade {grade or 'unknown'} is reported", (said,), at)

    return step


def _stands_still(state: State) -> Move:
    at = state.now + 20 * MINUTE
    return Move("the infusion stands still", (Scribe(state, at).say(InterruptInfusion, NURSE),), at)


def _goes_on(after: timedelta) -> Told:
    def step(state: State) -> Move:
        at = state.now + after
        said = Scribe(state, at).say(ResumeInfusion, NURSE, rate_ml_per_h=Decimal(25))
        return Move("the infusion is tried to go on", (said,), at)

    return step


def _broken_off(state: State) -> Move:
    at = state.now + 30 * MINUTE
    return Move("the infusion is broken off", (Scribe(state, at).say(CompleteInfusion, NURSE, stopped_early=True),), at)


def _transplanted(state: State) -> Move:
    at = state.now + MINUTE
    return Move(
        "a transplant takes place", (Scribe(state, at).say(RecordTransplant, PHYSICIAN, transplanted_at=at),), at
    )


def _in_review(marrow: str) -> Told:
    def step(state: State) -> Move | None:
        if not state.standing.case.in_review:
            return None
        cycle = state.standing.case.slot_after_all.cycle - 1
        fields = {"cycle": cycle, "response": Response.CR, "marrow_blasts_percent": Decimal(marrow)}
        said = Scribe(state).say(RecordResponse, PHYSICIAN, marrow, **fields)
        return Move(f"CR is recorded with {marrow} % blasts in the marrow", (said,))

    return step


def _transfused(state: State) -> Move | None:
    """A day before the counts that would let day 1 of a further cycle through."""
    slot = state.standing.slot
    if slot is None or slot.cycle == 1 or state.card.verdict is not Verdict.MAY_AUTHORISE:
        return None
    given = Transfusion(product="platelets")
    return Move("platelets were transfused yesterday", Scribe(state).finds(given, at=state.now - DAY))


_HEPATOMEGALY = no_signs(hepatomegaly=True, painful_hepatomegaly=True)
_QT_DRUG = Medication(drug="ondansetron", action="started", qt_prolonging=True)

STORIES: tuple[Story, ...] = (
    Story("reaction of grade 2", (_running(_reaction(2)),)),
    Story("reaction of grade 4", (_running(_reaction(4)),)),
    Story("reaction without grade", (_running(_reaction(None)),)),
    Story("a long rest", (_running(_stands_still), _goes_on(8 * HOUR))),
    Story("a short rest", (_running(_stands_still), _goes_on(HOUR))),
    Story("broken off", (_running(_broken_off),)),
    Story("critical values", (_draws(MINUTE, potassium="2.4", haemoglobin="6", bilirubin="3.5"),)),
    Story("deep nadir", (_draws(MINUTE, platelets="8", anc="0.3"),)),
    Story("impossible value", (_draws(MINUTE, alt="60000"),)),
    Story(
        "panel of two days",
        (_draws(MINUTE, alt="300", bilirubin="3.5"), _draws(DAY, alt="300"), _draws(DAY, bilirubin="2")),
    ),
    Story(
        "VOD with bilirubin, then lower",
        (_treated(_finds("a painful liver", _HEPATOMEGALY)), _draws(HOUR, bilirubin="3.5"), _draws(DAY)),
    ),
    Story(
        "VOD again, and more",
        (
            _treated(_finds("a painful liver", _HEPATOMEGALY)),
            _draws(HOUR, bilirubin="3.0"),
            _judged,
            _draws(DAY, bilirubin="9"),
        ),
    ),
    Story("fluid", (_treated(_finds("77 kg", weight("77"))),)),
    Story("tumour lysis", (_treated(_draws(MINUTE, urate="20", phosphate="9")),)),
    Story("high urate alone", (_treated(_draws(MINUTE, urate="20")),)),
    Story(
        "a drug that prolongs QT",
        (_treated(_finds("ondansetron is started", _QT_DRUG)), _waits("a week goes by", 8 * DAY)),
    ),
    Story("transplant", (_treated(_transplanted), _draws(2 * DAY), _draws(7 * DAY))),
    Story("CR with a full marrow", (_in_review("40"),)),
    Story("CR", (_in_review("1"),)),
    Story("transfused", (_transfused,)),
    Story("high over the window", (_treated(_draws(6 * DAY, alt="300")), _draws(5 * DAY, alt="300"))),
)
"""Every story, in the order in which it is told."""
