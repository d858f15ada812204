"""A course brought into each state that an execution can be met in, as the people of the ward bring it there.

`discontinued` lasts until liver monitoring has taken over, `completed` and `closed` until the record has everything:
they are ends and no states in which a course is met.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from demo.bedside import Bedside
from demo.patients import NURSE, PHYSICIAN, PRESCRIBER
from models.assessment import CourseState as State

Way = Callable[[Bedside], Awaitable[object]]


async def screening(bedside: Bedside) -> None:
    await bedside.status()


async def labs(bedside: Bedside) -> None:
    await dose_adjustment(bedside)
    await bedside.clock.advance(timedelta(days=4))


async def cytoreduction(bedside: Bedside) -> None:
    await bedside.screen()
    await bedside.prepare_day(1, 1, wbc="40", blasts_percent="48")


async def held(bedside: Bedside) -> None:
    await bedside.screen()
    await bedside.prepare_day(1, 1, alt="300", bilirubin="3")


async def dose_adjustment(bedside: Bedside) -> None:
    await bedside.screen()
    await bedside.prepare_day(1, 1)


async def premedication(bedside: Bedside) -> None:
    await dose_adjustment(bedside)
    await bedside.sign(1, 1)


async def infusion(bedside: Bedside) -> None:
    await dose_adjustment(bedside)
    preparation_id = await bedside.ready_to_start(1, 1)
    await bedside.vital_signs()
    await bedside.start(1, 1, preparation_id)


async def infusion_interrupted(bedside: Bedside) -> None:
    await infusion(bedside)
    await bedside.clock.advance(timedelta(minutes=10))
    await bedside.do("interrupt_infusion", NURSE, infused_ml="10")


async def reaction(bedside: Bedside) -> None:
    await infusion(bedside)
    await bedside.clock.advance(timedelta(minutes=10))
    await bedside.do("report_reaction", NURSE, reaction_id="earlier", grade=2)


async def observation(bedside: Bedside) -> None:
    await infusion(bedside)
    await bedside.watched(15, 15, 30)
    await bedside.do("complete_infusion", NURSE)


async def between_doses(bedside: Bedside) -> None:
    await dose_adjustment(bedside)
    await bedside.give(1, 1)


async def elsewhere(bedside: Bedside, day: int, mg: str) -> None:
    """A dose that is only reported: given on another ward."""
    at = (await bedside.clock.now()).isoformat()
    await bedside.do("record_administration", NURSE, cycle=1, day=day, mg=mg, at=at, where="another ward")


async def dose_omitted(bedside: Bedside) -> None:
    await dose_adjustment(bedside)
    await elsewhere(bedside, 1, "1.45")
    await bedside.clock.advance(timedelta(days=8))
    left_out = {"cycle": 1, "day": 8, "decision": "omit", "cause": "toxicity", "reason": "fever"}
    await bedside.do("decide_dose", PRESCRIBER, **left_out)


async def cycle_review(bedside: Bedside) -> None:
    await dose_adjustment(bedside)
    for day, mg in ((1, "1.45"), (8, "0.91"), (15, "0.91")):
        await elsewhere(bedside, day, mg)
        await bedside.clock.advance(timedelta(days=7))
    await bedside.respond(1)


async def correction_review(bedside: Bedside) -> None:
    await infusion(bedside)
    await bedside.do("report_reaction", NURSE, reaction_id="grave", grade=4, message_id="grave")
    await bedside.do("correct_fact", PHYSICIAN, target="grave/0", reason="another patient's")


async def liver_monitoring(bedside: Bedside) -> None:
    await dose_adjustment(bedside)
    await elsewhere(bedside, 1, "1.45")
    await bedside.clock.advance(timedelta(hours=2))  # nobody is observed any more
    await bedside.into_next_run(bedside.do("finish_dosing", PRESCRIBER, reason="moves away"))


WAYS: dict[State, Way] = {
    State.SCREENING: screening,
    State.CYTOREDUCTION: cytoreduction,
    State.LABS: labs,
    State.DOSE_ADJUSTMENT: dose_adjustment,
    State.PREMEDICATION: premedication,
    State.INFUSION: infusion,
    State.INFUSION_INTERRUPTED: infusion_interrupted,
    State.OBSERVATION: observation,
    State.REACTION: reaction,
    State.HELD: held,
    State.BETWEEN_DOSES: between_doses,
    State.DOSE_OMITTED: dose_omitted,
    State.CYCLE_REVIEW: cycle_review,
    State.CORRECTION_REVIEW: correction_review,
    State.LIVER_MONITORING: liver_monitoring,
}
