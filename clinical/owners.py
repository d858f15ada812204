"""Whose turn it is: for every state one role and what it is asked to do. An administrator reads it, nobody guesses."""

from clinical.bedside import standing_authorisation
from clinical.case import Case
from models.assessment import CourseState, DosePlan, Verdict
from models.people import Role

Turn = tuple[Role, str]

BY_STATE: dict[CourseState, Turn] = {
    CourseState.SCREENING: (Role.PHYSICIAN, "record consent, eligibility and the baseline"),
    CourseState.CYTOREDUCTION: (Role.PRESCRIBER, "reduce the blasts before the first dose"),
    CourseState.LABS: (Role.COORDINATOR, "bring in the results and examinations that are missing"),
    CourseState.DOSE_ADJUSTMENT: (Role.PRESCRIBER, "authorise the dose"),
    CourseState.PREMEDICATION: (Role.NURSE, "premedicate, then start the infusion"),
    CourseState.INFUSION: (Role.NURSE, "watch the infusion and chart its end"),
    CourseState.INFUSION_INTERRUPTED: (Role.PHYSICIAN, "decide whether the infusion goes on"),
    CourseState.OBSERVATION: (Role.NURSE, "observe to the end of the hour"),
    CourseState.REACTION: (Role.PHYSICIAN, "treat the reaction, give its grade and its end"),
    CourseState.HELD: (Role.PRESCRIBER, "look at what holds the dose"),
    CourseState.BETWEEN_DOSES: (Role.COORDINATOR, "wait for the next window"),
    CourseState.DOSE_OMITTED: (Role.COORDINATOR, "wait for the window of the dose after the one left out"),
    CourseState.CYCLE_REVIEW: (Role.PRESCRIBER, "review the cycle: response, next cycle or end of dosing"),
    CourseState.CORRECTION_REVIEW: (Role.PRESCRIBER, "confirm with a second physician what was corrected"),
    CourseState.DISCONTINUED: (Role.PRESCRIBER, "nothing more is given; monitoring begins"),
    CourseState.LIVER_MONITORING: (Role.COORDINATOR, "see that the liver tests come"),
    CourseState.COMPLETED: (Role.COORDINATOR, "nothing; the course is over"),
    CourseState.CLOSED: (Role.COORDINATOR, "nothing; the course is closed"),
}


WITHOUT_A_PHYSICIAN = frozenset({CourseState.INFUSION, CourseState.OBSERVATION, CourseState.LIVER_MONITORING})
"""States that somebody else watches while nothing is urgent."""


def turn_of(case: Case, state: CourseState, verdict: Verdict, plan: DosePlan | None, *, urgent: bool) -> Turn:
    """Who must act now, and what is asked. An urgent finding calls a physician, whoever watches the course else."""
    if urgent and state in WITHOUT_A_PHYSICIAN:
        return Role.PHYSICIAN, "look at the patient now"
    if state is CourseState.DOSE_ADJUSTMENT and standing_authorisation(case, plan) is not None:
        return Role.PHARMACIST, "check the dose that was authorised"
    if state is CourseState.PREMEDICATION and verdict is Verdict.MAY_START:
        return Role.NURSE, "start the infusion"
    return BY_STATE[state]
