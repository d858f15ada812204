"""The order of harm: which of two open things a person looks at first. By rule, alike for every ward and every role.

What is overdue comes before what is not; then the class, as below; then what is due first. Nothing here says what is due
or from whom: that is `obligations` and `owners`.
"""

from enum import IntEnum, auto
from typing import assert_never

from clinical import due
from models.assessment import CourseState


class Harm(IntEnum):
    """What can happen to the patient while nobody looks, gravest first."""

    URGENT = auto()
    """A reaction, an urgent hold, a value that may kill, a course whose rules cannot be evaluated."""
    OBSERVATION = auto()
    """An infusion that runs, and the hour after it: a reaction shows now or is missed."""
    PREPARATION = auto()
    """The reconstituted drug expires within hours, and with it today's dose."""
    HELD_DOSE = auto()
    """A dose is held and waits for somebody's judgement."""
    LIVER_TEST = auto()
    """VOD and tumour lysis are seen in a test before they are seen in the patient."""
    DOSE = auto()
    """A dose, or what it needs: days, not minutes."""
    MESSAGE = auto()
    """Something arrived that nobody has read, or that was not taken into the chart."""
    INBOX = auto()
    """Results that belong to no course."""


OF_OBLIGATIONS: tuple[tuple[str, Harm], ...] = (
    ("reaction-", Harm.URGENT),
    ("implausible-", Harm.URGENT),
    (f"{due.LATE_VALUE}-", Harm.URGENT),
    ("vod-judgement", Harm.URGENT),
    ("rules-not-evaluated", Harm.URGENT),
    (f"{due.INFUSION}-", Harm.OBSERVATION),
    (f"{due.OBSERVATION}-", Harm.OBSERVATION),
    (f"{due.VITAL_SIGNS}-", Harm.OBSERVATION),
    (f"{due.BROKEN_OFF}-", Harm.OBSERVATION),
    (f"{due.PREPARATION}-", Harm.PREPARATION),
    (due.LIVER, Harm.LIVER_TEST),
    (f"{due.EXAMINATION}-", Harm.LIVER_TEST),
    (due.TUMOUR_LYSIS, Harm.LIVER_TEST),
    (due.MONITORING_ENDS, Harm.LIVER_TEST),
    ("lost-to-follow-up", Harm.LIVER_TEST),
    (f"{due.DOSE}-", Harm.DOSE),
    (due.FIRST_DOSE, Harm.DOSE),
    (f"{due.AGAIN}-", Harm.DOSE),
    (f"{due.BEFORE}-", Harm.DOSE),
    (due.BLOOD_COUNT, Harm.DOSE),
    (f"{due.ECG}-", Harm.DOSE),
    (due.PANCREAS, Harm.DOSE),
    (f"{due.PROPHYLAXIS}-", Harm.DOSE),
    (f"{due.MARROW}-", Harm.DOSE),
    (due.CYTOREDUCTION, Harm.DOSE),
    (due.TRANSPLANT, Harm.DOSE),
    ("unreadable-", Harm.MESSAGE),
    ("message_refused:", Harm.MESSAGE),
)
"""How the key of an obligation or worklist item begins -> its class."""


def harm_of(key: str) -> Harm:
    """The class of an obligation or worklist item, by its key. One that nobody has classed yet is looked at first."""
    return next((harm for begins, harm in OF_OBLIGATIONS if key.startswith(begins)), Harm.URGENT)


def harm_of_turn(state: CourseState) -> Harm:
    """The class of a course's own next step while nothing urgent was found."""
    match state:
        case CourseState.REACTION:
            return Harm.URGENT
        case CourseState.INFUSION | CourseState.INFUSION_INTERRUPTED | CourseState.OBSERVATION:
            return Harm.OBSERVATION
        case CourseState.HELD | CourseState.CORRECTION_REVIEW:
            return Harm.HELD_DOSE
        case CourseState.DISCONTINUED | CourseState.LIVER_MONITORING | CourseState.COMPLETED | CourseState.CLOSED:
            return Harm.LIVER_TEST
        case (
            CourseState.SCREENING
            | CourseState.CYTOREDUCTION
            | CourseState.LABS
            | CourseState.DOSE_ADJUSTMENT
            | CourseState.PREMEDICATION
            | CourseState.BETWEEN_DOSES
            | CourseState.DOSE_OMITTED
            | CourseState.CYCLE_REVIEW
        ):
            return Harm.DOSE
    assert_never(state)
