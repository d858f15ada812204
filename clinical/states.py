"""Which state of a course may follow which. The diagram in docs/architecture.md is drawn from this table.

The state itself is derived by `assess`, the first match of its list; nothing here decides. The stories check that no
course ever takes a step that is not in this table.
"""

from models.assessment import CourseState as State

PATH: dict[State, tuple[State, ...]] = {
    State.SCREENING: (State.CYTOREDUCTION, State.LABS, State.DOSE_ADJUSTMENT),
    State.CYTOREDUCTION: (State.LABS, State.DOSE_ADJUSTMENT, State.SCREENING),
    State.LABS: (State.DOSE_ADJUSTMENT, State.CYTOREDUCTION),
    State.DOSE_ADJUSTMENT: (State.PREMEDICATION, State.LABS),
    State.PREMEDICATION: (State.INFUSION, State.DOSE_ADJUSTMENT, State.LABS),
    State.INFUSION: (State.OBSERVATION, State.INFUSION_INTERRUPTED, State.REACTION),
    State.INFUSION_INTERRUPTED: (State.INFUSION, State.OBSERVATION, State.REACTION),
    State.REACTION: (State.INFUSION, State.INFUSION_INTERRUPTED, State.OBSERVATION),
    State.OBSERVATION: (State.BETWEEN_DOSES, State.CYCLE_REVIEW, State.REACTION),
    State.BETWEEN_DOSES: (State.LABS, State.DOSE_ADJUSTMENT, State.DOSE_OMITTED),
    State.DOSE_OMITTED: (State.LABS, State.DOSE_ADJUSTMENT, State.CYCLE_REVIEW),
    State.CYCLE_REVIEW: (State.LABS, State.DOSE_ADJUSTMENT, State.SCREENING),
    State.DISCONTINUED: (State.LIVER_MONITORING,),
    State.LIVER_MONITORING: (State.COMPLETED, State.LABS, State.DOSE_ADJUSTMENT),
    State.COMPLETED: (State.LIVER_MONITORING,),
}
"""The way of a course when nothing is wrong: what each state usually leads to."""

DOSING = (
    State.SCREENING,
    State.CYTOREDUCTION,
    State.LABS,
    State.DOSE_ADJUSTMENT,
    State.PREMEDICATION,
    State.BETWEEN_DOSES,
    State.DOSE_OMITTED,
    State.CYCLE_REVIEW,
)
"""States in which a next dose is looked at: any of them can be held, and a dose reported from elsewhere can come."""

BEDSIDE = (State.INFUSION, State.INFUSION_INTERRUPTED, State.OBSERVATION, State.REACTION)
ENDING = (State.DISCONTINUED, State.LIVER_MONITORING, State.CORRECTION_REVIEW, State.CLOSED)


def may_follow(before: State, after: State) -> bool:
    """Whether a course may go from one state into the other."""
    if before is after or after in PATH.get(before, ()) or after in ENDING:
        return True
    if before is State.CORRECTION_REVIEW:
        return True
    looked_at = (*DOSING, State.HELD)
    if before in looked_at:
        return after is State.HELD or (before is State.HELD and after in DOSING) or after in BEDSIDE or _reported(after)
    return before in BEDSIDE and (after in looked_at or after in BEDSIDE)


def _reported(after: State) -> bool:
    """A dose that was given elsewhere moves the course to where that dose leaves it."""
    return after in (State.BETWEEN_DOSES, State.DOSE_OMITTED, State.CYCLE_REVIEW)


def edges() -> list[tuple[State, State]]:
    """The steps of the usual way, in the order of the table."""
    return [(before, after) for before, followers in PATH.items() for after in followers]
