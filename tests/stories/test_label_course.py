"""The label course: 1.8 mg/m² in a first cycle of 21 days, a second cycle, no transplant, weekly tests to day 56, ended."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from clinical.chart.calendar import local_date
from demo.patients import PRESCRIBER
from demo.story import local_day, two_cycles
from models.assessment import CourseState
from tests.conftest import Ward
from tests.factories import LABEL

AFTER_LAST_DOSE = "liver-test-after-last-dose"


async def test_a_course_without_transplant_ends_after_day_56(ward: Ward) -> None:
    bedside = await ward.course(LABEL)
    started = await two_cycles(bedside)
    zone = ZoneInfo(bedside.patient.zone)
    days = [local_date(at, zone) for at in started]
    assert [(day - days[0]).days for day in days[:4]] == [0, 7, 14, 21]
    assert (await bedside.card()).cycle_totals_mg_per_m2 == ("C1: 1.80 mg/m² (3.27 mg)", "C2: 1.50 mg/m² (2.73 mg)")

    await bedside.into_next_run(bedside.do("finish_dosing", PRESCRIBER, reason="no further cycle is intended"))
    await bedside.do("declare_no_transplant", PRESCRIBER)
    tested: list[int] = []
    while True:
        open_tests = [o for o in (await bedside.card()).obligations if o.key == AFTER_LAST_DOSE]
        if not open_tests:
            break
        await bedside.clock.advance_to(open_tests[0].due_at)
        tested.append((await local_day(bedside) - days[-1]).days)
        await bedside.liver_test()
    assert all(later - earlier == 7 for earlier, later in zip([tested[0] - 7, *tested], tested, strict=False))
    assert tested[-1] <= 56 < tested[-1] + 7
    await bedside.clock.advance(timedelta(days=8))
    assert str(await ward.handle(bedside).result()).startswith("completed")
    assert (await ward.record_of(bedside))[-1].assessment.state is CourseState.COMPLETED
