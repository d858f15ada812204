"""The article course: two cycles with CR after the first, a transplant, completed after day 100."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from clinical.calendar import local_date
from demo.bedside import Bedside
from demo.patients import PRESCRIBER
from models.assessment import Assessment, CourseState, Obligation
from models.facts import Fact, InfusionStarted, ObservationEnded, RungFired
from tests.conftest import Ward
from tests.factories import ARTICLE

TIMELY = timedelta(seconds=2)
ON_TIME_TESTS = [7, 14, 21, 28, 35, 49, 63, 91]
CYCLES = {1: (1, 8, 15), 2: (1, 8, 15)}


async def test_an_invented_patient_is_conducted_from_screening_to_day_100(ward: Ward) -> None:
    bedside = await ward.course(ARTICLE)
    started = await two_cycles_with_a_response_after_the_first(bedside)
    card = await bedside.card()
    assert card.cycle_totals_mg_per_m2 == ("C1: 1.5 mg/m²", "C2: 1.5 mg/m²")

    await bedside.do("plan_transplant", PRESCRIBER, conditioning=["treosulfan"])
    status = await bedside.into_next_run(bedside.transplant())
    assert status.workflow_type == "LiverMonitoring"
    assert status.state is CourseState.LIVER_MONITORING
    tested_on_days = await every_test_after_transplant_on_time(bedside)
    assert tested_on_days == ON_TIME_TESTS

    await bedside.clock.advance(timedelta(days=12))
    assert str(await ward.handle(bedside).result()).startswith("completed")

    entries = await ward.record_of(bedside)
    assert entries[-1].assessment.state is CourseState.COMPLETED
    facts = [f for e in entries for f in e.facts]
    given_at = [f.at for f in facts if isinstance(f.what, InfusionStarted)]
    assert all(abs(at - seen) < TIMELY for at, seen in zip(given_at, started, strict=True))
    assert [f.what.minutes for f in facts if isinstance(f.what, ObservationEnded)] == [60] * 6
    assert_every_timer_was_on_time(facts)


async def two_cycles_with_a_response_after_the_first(bedside: Bedside) -> list[datetime]:
    await bedside.screen()
    started: list[datetime] = []
    for cycle, days in CYCLES.items():
        for day in days:
            if started:
                await go_to_the_dose(bedside, cycle, day)
            await bedside.prepare_day(cycle, day)
            if cycle > 1 and day == 1:
                await bedside.into_next_run(bedside.do("start_next_cycle", PRESCRIBER, cycle=cycle))
            started.append(await bedside.give(cycle, day))
            await bedside.clock.advance(timedelta(hours=30))
            await bedside.liver_test()
        if cycle == 1:
            await bedside.respond(1, "CR", mrd_negative=True)
    return started


async def go_to_the_dose(bedside: Bedside, cycle: int, day: int) -> None:
    due = next(o for o in (await bedside.card()).obligations if o.key == f"dose-C{cycle}D{day}")
    await bedside.clock.advance_to(due.due_at)


async def every_test_after_transplant_on_time(bedside: Bedside) -> list[int]:
    day_0 = await local_day(bedside)
    days = []
    while (due := liver_test_of(await bedside.card())) is not None:
        await bedside.clock.advance_to(due.due_at)
        days.append((await local_day(bedside) - day_0).days)
        await bedside.liver_test()
    return days


async def local_day(bedside: Bedside) -> date:
    return local_date(await bedside.clock.now(), ZoneInfo(bedside.patient.zone))


def liver_test_of(card: Assessment) -> Obligation | None:
    return next((o for o in card.obligations if o.key == "liver-test-after-transplant"), None)


def assert_every_timer_was_on_time(facts: list[Fact]) -> None:
    due = [(f, f.what) for f in facts if isinstance(f.what, RungFired) and f.what.rung == "due"]
    after_transplant = [r for _, r in due if r.obligation == "liver-test-after-transplant"]
    assert len(after_transplant) == len(ON_TIME_TESTS)
    assert {r.obligation for _, r in due} >= {f"dose-C{c}D{d}" for c, d in ((1, 8), (1, 15), (2, 1), (2, 8), (2, 15))}
    assert {r.obligation for _, r in due} >= {f"observation-C{c}D{d}" for c, days in CYCLES.items() for d in days}
    late = [(r.obligation, f.recorded_at - r.due_at) for f, r in due if f.recorded_at - r.due_at > TIMELY]
    assert not late
