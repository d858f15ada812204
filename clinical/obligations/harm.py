"""The order of harm: which of two open things a person looks at first. By rule, alike for every ward and every role.

The gravest comes first (CALL-01), then what is overdue before what is not; then the class, as below; then what is due
first. The class of each kind of obligation stands in `kinds`.
"""

from enum import IntEnum, auto
from typing import assert_never

from models.assessment import CourseState


class Harm(IntEnum):
    """What can happen to the patient while nobody looks, gravest first."""

    GRAVEST = auto()
    """What physician and nurse are called to at once (CALL-01): it stands above whatever is merely late."""
    URGENT = auto()
    """An urgent hold, a late value that would have closed a gate, a course whose rules cannot be evaluated."""
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
