"""The article course: two cycles with CR after the first, a transplant, completed after day 100."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from demo.story import CYCLES, every_test_after_transplant_on_time, to_the_end, transplant, two_cycles
from models.assessment import CourseState
from models.facts import Fact, InfusionStarted, ObservationEnded, RungFired, Transplant
from tests.conftest import Ward
from tests.factories import ARTICLE
from tests.stories.conftest import TIMELY

ON_TIME_TESTS = [7, 14, 21, 28, 35, 49, 63, 91]


async def test_an_invented_patient_is_conducted_from_screening_to_day_100(ward: Ward) -> None:
    bedside = await ward.course(ARTICLE)
    started = await two_cycles(bedside)
    card = await bedside.card()
    assert card.cycle_totals_mg_per_m2 == ("C1: 1.50 mg/m² (2.73 mg)", "C2: 1.50 mg/m² (2.73 mg)")

    await transplant(bedside)
    status = await bedside.status()
    assert status.workflow_type == "LiverMonitoring"
    assert status.state is CourseState.LIVER_MONITORING
    assert await every_test_after_transplant_on_time(bedside) == ON_TIME_TESTS

    await to_the_end(bedside)
    assert str(await ward.handle(bedside).result()).startswith("completed")

    entries = await ward.record_of(bedside)
    assert entries[-1].assessment.state is CourseState.COMPLETED
    facts = [f for e in entries for f in e.facts]
    given_at = [f.at for f in facts if isinstance(f.what, InfusionStarted)]
    assert all(abs(at - seen) < TIMELY for at, seen in zip(given_at, started, strict=True))
    observed = [f.what.minutes for f in facts if isinstance(f.what, ObservationEnded)]
    assert [60 <= minutes < 65 for minutes in observed] == [True] * 6, "each step of the clock ends a little later"
    assert all(6 <= at.astimezone(ZoneInfo(bedside.patient.zone)).hour < 12 for at in given_at), "in the morning"
    transplanted_at = next(f.at for f in facts if isinstance(f.what, Transplant))
    assert transplanted_at - given_at[-1] > timedelta(weeks=4)
    assert not [f for f in facts if isinstance(f.what, RungFired) and f.what.rung == "overdue"], (
        "all that is due is charted"
    )
    assert_every_timer_was_on_time(facts)


def assert_every_timer_was_on_time(facts: list[Fact]) -> None:
    due = [(f, f.what) for f in facts if isinstance(f.what, RungFired) and f.what.rung == "due"]
    after_transplant = [r for _, r in due if r.obligation == "liver-test-after-transplant"]
    assert len(after_transplant) == len(ON_TIME_TESTS)
    assert {r.obligation for _, r in due} >= {f"dose-C{c}D{d}" for c, d in ((1, 8), (1, 15), (2, 1), (2, 8), (2, 15))}
    assert {r.obligation for _, r in due} >= {f"observation-C{c}D{d}" for c, days in CYCLES.items() for d in days}
    late = [(r.obligation, f.recorded_at - r.due_at) for f, r in due if f.recorded_at - r.due_at > TIMELY]
    assert not late
