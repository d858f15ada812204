"""Stories of invented patients, told step by step: used by `make run` on screen and by the tests."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from clinical.chart.calendar import at_local, local_date
from demo.attending import pass_time, pass_time_to
from demo.bedside import Bedside
from demo.patients import NURSE, PHYSICIAN, PRESCRIBER
from models.assessment import Obligation
from models.obligation_kinds import ObligationKind
from services.courses import CommandRefused

CYCLES = {1: (1, 8, 15), 2: (1, 8, 15)}
MORNING = time(7, 30)
PREPARING = timedelta(minutes=45)
"""From the premedication to the start: who begins so long before the planned time doses at the same time every week."""
UNTIL_THE_NEXT_DAY = timedelta(hours=25)
UNTIL_THE_TRANSPLANT = timedelta(days=28)
LIVER_AFTER_DOSING = ObligationKind.LIVER_TEST.key("after-last-dose")
LIVER_AFTER_TRANSPLANT = ObligationKind.LIVER_TEST.key("after-transplant")
Tell = Callable[[str], None]


def nothing_told(_: str) -> None:
    """For whoever does not want to read along."""


class Telling:
    """One course told on screen: after each step where it stands, in its own time."""

    def __init__(self, bedside: Bedside, tell: Tell) -> None:
        self._bedside = bedside
        self._tell = tell

    async def step(self, words: str) -> None:
        """What was done, and what the course says to it."""
        if self._tell is nothing_told:
            return
        status = await self._bedside.status()
        here = status.now.astimezone(ZoneInfo(self._bedside.patient.zone))
        self._tell(f"{here:%a %d %b %Y %H:%M}  cycle {status.cycle}  {words}")
        self._tell(f"{'':>22}→ {status.state}: {status.sentence}")


async def article_course(bedside: Bedside, tell: Tell = nothing_told, *, with_a_hold: bool = False) -> list[datetime]:
    """Two cycles with CR after the first, a transplant, every liver test on time, to the end. Returns the starts."""
    started = await two_cycles(bedside, tell, with_a_hold=with_a_hold)
    await transplant(bedside, tell)
    await every_test_after_transplant_on_time(bedside, tell)
    return started


async def whole_course(bedside: Bedside, tell: Tell = nothing_told) -> None:
    """The same with a dose held for the liver, and on to the last day of monitoring, where the course ends."""
    await article_course(bedside, tell, with_a_hold=True)
    await to_the_end(bedside)
    await Telling(bedside, tell).step("day 100 has passed, and no test is open: the course is over")


async def to_the_end(bedside: Bedside) -> None:
    """Monitoring to its last day, where the course ends."""
    end = next(o for o in (await bedside.card()).obligations if o.kind is ObligationKind.MONITORING_ENDS)
    await pass_time_to(bedside, end.due_at)
    await bedside.courses.handle(bedside.course_id).result()


async def two_cycles(bedside: Bedside, tell: Tell = nothing_told, *, with_a_hold: bool = False) -> list[datetime]:
    """Six doses on six mornings with their liver tests; CR after each cycle."""
    telling = Telling(bedside, tell)
    await wait_for_the_morning(bedside)
    await bedside.screen()
    await telling.step("consent, eligibility, height, weight, ECG")
    started: list[datetime] = []
    for cycle, days in CYCLES.items():
        for day in days:
            if started:
                await with_weekly_liver_tests(bedside, await planned_at(bedside, cycle, day) - PREPARING)
            if with_a_hold and (cycle, day) == (1, 8):
                await hold_for_the_liver(bedside, telling)
            await bedside.prepare_day(cycle, day)
            await telling.step(f"laboratory bundle and examinations for day {day}")
            if cycle > 1 and day == 1:
                await bedside.into_next_run(bedside.do("start_next_cycle", PRESCRIBER, cycle=cycle))
            started.append(await give(bedside, telling, cycle, day))
            await pass_time(bedside, UNTIL_THE_NEXT_DAY)
            await bedside.liver_test()
            await telling.step("liver test on the day after the dose")
        await bedside.respond(cycle, "CR", mrd_negative=True)
        await telling.step("response: CR, MRD negative")
    return started


async def wait_for_the_morning(bedside: Bedside) -> None:
    """Skip to half past seven of the next day: nobody gives a first dose at night."""
    zone = ZoneInfo(bedside.patient.zone)
    await bedside.clock.advance_to(at_local(await local_day(bedside) + timedelta(days=1), MORNING, zone))


async def give(bedside: Bedside, telling: Telling, cycle: int, day: int) -> datetime:
    """One dose, told."""
    started_at = await bedside.give(cycle, day)
    await telling.step(f"dose of day {day} authorised, verified, prepared, given, observed for an hour")
    return started_at


async def hold_for_the_liver(bedside: Bedside, telling: Telling) -> None:
    """An ALT of 160 closes the gate; the start is refused with the clause; a day later it has recovered."""
    await bedside.prepare_day(1, 8, alt="160")
    await telling.step("laboratory bundle and examinations for day 8: ALT 160 U/L")
    try:
        await bedside.do("authorise_dose", PRESCRIBER, cycle=1, day=8)
    except CommandRefused as refusal:
        await telling.step(f"the prescriber asks for the dose and is refused: {refusal.refusal.message}")
    await bedside.clock.advance(timedelta(days=1))


async def go_to_the_dose(bedside: Bedside, cycle: int, day: int) -> None:
    """Skip to the planned time of a dose."""
    await pass_time_to(bedside, await planned_at(bedside, cycle, day))


async def planned_at(bedside: Bedside, cycle: int, day: int) -> datetime:
    """When a dose is due."""
    return next(o for o in (await bedside.card()).obligations if o.key == f"dose-C{cycle}D{day}").due_at


async def transplant(bedside: Bedside, tell: Tell = nothing_told) -> None:
    """A transplant is planned, dosing ends, and four weeks of liver tests later it takes place: monitoring to day 100."""
    telling = Telling(bedside, tell)
    await bedside.do("plan_transplant", PRESCRIBER, conditioning=["treosulfan"])
    await bedside.protect()
    await bedside.into_next_run(bedside.do("finish_dosing", PRESCRIBER, reason="in remission, a donor is ready"))
    await telling.step("a transplant is planned, no further dose intended")
    await with_weekly_liver_tests(bedside, await bedside.clock.now() + UNTIL_THE_TRANSPLANT)
    await bedside.transplant()
    await telling.step("four weeks of liver tests later: stem-cell transplant, day 0 of liver monitoring")


async def with_weekly_liver_tests(bedside: Bedside, until: datetime) -> None:
    """Let time go by, and do what comes due meanwhile, the weekly liver test after the last dose too."""
    while (due := await liver_test_due(bedside, LIVER_AFTER_DOSING)) is not None and due.due_at < until:
        await pass_time_to(bedside, due.due_at)
        await bedside.liver_test()
    await pass_time_to(bedside, until)


async def every_test_after_transplant_on_time(bedside: Bedside, tell: Tell = nothing_told) -> list[int]:
    """Every liver test when it is due, to day 100. Returns the days after transplant on which they were taken."""
    telling = Telling(bedside, tell)
    day_0 = await local_day(bedside)
    days: list[int] = []
    while (due := await liver_test_due(bedside)) is not None:
        await pass_time_to(bedside, due.due_at)
        days.append((await local_day(bedside) - day_0).days)
        await bedside.liver_test()
        await telling.step(f"liver test on day {days[-1]}")
    return days


async def liver_test_due(bedside: Bedside, key: str = LIVER_AFTER_TRANSPLANT) -> Obligation | None:
    """The next liver test after transplant (or of this key), if one is still to come."""
    return next((o for o in (await bedside.card()).obligations if o.key == key), None)


async def local_day(bedside: Bedside) -> date:
    """Today at the patient's site, by the course's own clock."""
    return local_date(await bedside.clock.now(), ZoneInfo(bedside.patient.zone))


async def ready_to_authorise(bedside: Bedside) -> None:
    """Left mid-story: everything for the first dose is there, and waits for the prescriber."""
    await bedside.screen()
    await bedside.prepare_day(1, 1)


async def overdue_after_transplant(bedside: Bedside) -> None:
    """Left mid-story: transplanted weeks after her last dose, and the weekly liver test has not come for more than a day."""
    await first_dose_and_its_test(bedside)
    await transplant(bedside)
    due = await liver_test_due(bedside)
    assert due is not None
    await pass_time_to(bedside, due.overdue_at)


async def held_for_the_liver(bedside: Bedside) -> None:
    """Left mid-story: the first dose was given, and on the day of the second the ALT is high."""
    await first_dose_and_its_test(bedside)
    await go_to_the_dose(bedside, 1, 8)
    await bedside.prepare_day(1, 8, alt="160")


async def waiting_for_labs(bedside: Bedside) -> None:
    """Left mid-story: the day of the second dose has come, its results have not."""
    await first_dose_and_its_test(bedside)
    await go_to_the_dose(bedside, 1, 8)


async def in_observation(bedside: Bedside) -> None:
    """Left mid-story: the first infusion ended 20 minutes ago."""
    await first_start(bedside)
    await bedside.watched(15, 15, 30)
    await bedside.end()
    await bedside.vital_signs()
    await bedside.clock.advance(timedelta(minutes=20))


async def after_a_severe_reaction(bedside: Bedside) -> None:
    """Left mid-story: a reaction of grade 3 broke the first infusion off, ended the drug for good, and a test is due."""
    await first_start(bedside)
    await bedside.clock.advance(timedelta(minutes=20))
    await bedside.do("report_reaction", NURSE, reaction_id="reaction-1", symptoms="chills, fall of blood pressure")
    await bedside.end(timedelta(minutes=20), stopped_early=True, given_mg="0.48")
    await bedside.clock.advance(timedelta(minutes=40))
    over = (await bedside.clock.now()).isoformat()
    await bedside.do("report_reaction", PHYSICIAN, reaction_id="reaction-1", grade=3, resolved_at=over)
    await bedside.clock.advance(timedelta(minutes=25))
    await bedside.into_next_run(bedside.do("end_observation", NURSE))
    await bedside.to_next_due()


async def first_start(bedside: Bedside) -> None:
    """Screened, and the first infusion started on a morning."""
    await wait_for_the_morning(bedside)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    preparation_id = await bedside.ready_to_start(1, 1)
    await bedside.vital_signs()
    await bedside.start(1, 1, preparation_id)


async def first_dose_and_its_test(bedside: Bedside) -> None:
    """The first dose given on a morning, and the liver test after it."""
    await wait_for_the_morning(bedside)
    await bedside.screen()
    await bedside.prepare_day(1, 1)
    await bedside.give(1, 1)
    await pass_time(bedside, UNTIL_THE_NEXT_DAY)
    await bedside.liver_test()
