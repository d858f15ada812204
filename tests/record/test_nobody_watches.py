"""Who must be watched by the record, which differences last, and what the ward says of them; on both databases."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.housekeeping import Housekeeping, Sweep, last_night
from activities.record import Record
from demo.patients import ANNA
from models.assessment import CourseState, Verdict
from models.housekeeping import COURSES_WATCHED, SWEEPS, SweepResult
from models.people import Role
from plumbing.keys import TEST_SUBJECT_KEY
from plumbing.settings import Settings
from record.calls import CallState, Outcome, calls_of, settle, take
from record.starts import reserve
from record.sweeps import note_done
from record.ward import board_rows, worklist_lines
from record.ward_reader import read_ward
from record.watch import Difference, known_courses, note, unwatched
from tests.factories import LABEL
from tests.record.factories import COURSE_ID, MONDAY, a_batch, an_assessment, an_entry
from tests.record.test_calls import a_call
from worker import sweeps_of

MIN, H, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOBODY: Any = SimpleNamespace(ask_again=None, look=None)
GONE = {(COURSE_ID, Difference.NO_EXECUTION): "terminated"}


async def a_start(engine: AsyncEngine, course_id: str) -> None:
    await reserve(engine, ANNA.course(course_id, LABEL, TEST_SUBJECT_KEY, MONDAY), MONDAY)


async def a_decision(record: Record, **more: Any) -> None:
    await record.write_record(a_batch(an_entry(1, **more)))


@pytest.mark.parametrize("state", list(CourseState))
async def test_every_course_is_watched_until_nothing_is_asked_of_anybody(
    record: Record, record_engine: AsyncEngine, state: CourseState
) -> None:
    await a_decision(record, assessment=an_assessment(state=state))
    known = await known_courses(record_engine)
    assert known.on_record == {COURSE_ID}
    assert (COURSE_ID in known.open) == (state not in (CourseState.COMPLETED, CourseState.CLOSED))


async def test_a_course_begun_is_known_from_its_reservation_until_its_first_decision(
    record: Record, record_engine: AsyncEngine
) -> None:
    await a_start(record_engine, COURSE_ID)
    known = await known_courses(record_engine)
    assert (known.open, known.begun) == (frozenset(), {COURSE_ID: MONDAY})
    await a_decision(record)
    known = await known_courses(record_engine)
    assert (known.open, known.begun) == ({COURSE_ID}, {})


async def test_a_difference_keeps_the_time_at_which_it_was_noticed_and_ends_with_its_cause(
    record_engine: AsyncEngine,
) -> None:
    [first] = await note(record_engine, GONE, MONDAY)
    [later] = await note(record_engine, {(COURSE_ID, Difference.NO_EXECUTION): "gone"}, MONDAY + H)
    assert (first.noticed_at, later.noticed_at, first.how, later.how) == (MONDAY, MONDAY, "terminated", "gone")
    assert await note(record_engine, {}, MONDAY + 2 * H) == []
    [again] = await note(record_engine, GONE, MONDAY + 3 * H)
    assert again.noticed_at == MONDAY + 3 * H


async def test_an_execution_without_a_course_is_said_after_ten_minutes(record_engine: AsyncEngine) -> None:
    stranger = {("course-x", Difference.NO_COURSE): "running"}
    assert await note(record_engine, stranger, MONDAY) == []
    assert await note(record_engine, stranger, MONDAY + 9 * MIN) == []
    [said] = await note(record_engine, stranger, MONDAY + 10 * MIN)
    assert (said.kind, said.noticed_at) == (Difference.NO_COURSE, MONDAY)
    assert await unwatched(record_engine, MONDAY + 9 * MIN) == []


# ── what the ward shows ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_course_that_nobody_watches_is_first_on_board_and_worklist(
    record: Record, record_engine: AsyncEngine
) -> None:
    verdict = {"verdict": Verdict.MAY_AUTHORISE, "state": CourseState.DOSE_ADJUSTMENT}
    await a_decision(record, assessment=an_assessment(**verdict))
    await a_start(record_engine, "course-begun")
    found = {**GONE, ("course-begun", Difference.NO_EXECUTION): "gone", ("course-x", Difference.NO_COURSE): "running"}
    await note(record_engine, found, MONDAY)
    ward = await read_ward(record_engine, MONDAY + H)
    first, *others = worklist_lines(ward)
    assert [line.course_id for line in (first, *others[:2])] == [COURSE_ID, "course-begun", "course-x"]
    assert (first.owner, first.rule, first.standing) == (Role.ADMINISTRATOR, "REC-03", "overdue")
    assert first.what == "nobody watches this course: its execution was terminated"
    assert others[0].zone == "Europe/Berlin"
    assert "the record does not know" in others[1].what
    [row] = board_rows(ward)
    assert (row.unwatched, row.outdated, row.owner, row.why) == (True, True, Role.ADMINISTRATOR, first.what)
    assert row.overdue == ()


async def test_the_ward_says_when_nobody_has_looked_for_a_while(record_engine: AsyncEngine) -> None:
    assert not (await read_ward(record_engine, MONDAY)).unswept  # before the first worker
    await note_done(record_engine, SweepResult(name=COURSES_WATCHED), MONDAY)
    assert not (await read_ward(record_engine, MONDAY + 15 * MIN)).unswept
    assert (await read_ward(record_engine, MONDAY + 16 * MIN)).unswept


async def test_calls_that_nobody_confirmed_are_one_line_a_channel_for_a_day(record_engine: AsyncEngine) -> None:
    calls = calls_of([a_call("1"), a_call("2"), a_call("3")], ["mail", "pager"])
    failed = {"asked_at": MONDAY, "settled_at": MONDAY, "state": CallState.FAILED}
    await take(record_engine, calls, MONDAY)
    outcomes = [Outcome(call=call, **failed) for call in calls if call.channel == "mail"]
    told = [Outcome(call=call, **{**failed, "state": CallState.CONFIRMED}) for call in calls if call.channel == "pager"]
    await settle(record_engine, [*outcomes[:2], *told])
    [line] = worklist_lines(await read_ward(record_engine, MONDAY + H))
    assert (line.owner, line.what) == (Role.ADMINISTRATOR, "2 calls of the last day not confirmed by the channel mail")
    assert worklist_lines(await read_ward(record_engine, MONDAY + DAY)) == []


# ── sweeps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Counting:
    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> tuple[int, int]:
        self.times += 1
        return 7, 2


async def test_a_sweep_answers_what_it_counted(record_engine: AsyncEngine) -> None:
    housekeeping = Housekeeping(record_engine, {"count": Sweep(Counting())}, lambda: MONDAY)
    assert await housekeeping.sweep("count") == SweepResult(name="count", looked=7, found=2)


async def test_a_nightly_sweep_is_done_at_once_and_then_once_a_night_also_after_a_night_without_a_worker(
    record_engine: AsyncEngine,
) -> None:
    counting, now = Counting(), MONDAY.replace(hour=1)
    housekeeping = Housekeeping(record_engine, {"verify": Sweep(counting, nightly=True)}, lambda: now)
    done_at = []
    for _ in range(3 * 24 * 12):
        now += 5 * MIN
        nobody_works = now.day == MONDAY.day + 1 and now.hour < 6
        if not nobody_works and not (await housekeeping.sweep("verify")).skipped:
            done_at.append((now.day - MONDAY.day, now.hour))
    assert done_at == [(0, 1), (0, 2), (1, 6), (2, 2)]
    assert counting.times == 4


def test_the_night_begins_at_two() -> None:
    two = MONDAY.replace(hour=2, minute=0, second=0, microsecond=0)
    assert last_night(two) == two
    assert last_night(two - timedelta(microseconds=1)) == two - DAY


async def test_a_sweep_that_this_release_lacks_is_said_and_not_tried_again(record_engine: AsyncEngine) -> None:
    with pytest.raises(ApplicationError) as unknown:
        await Housekeeping(record_engine, {}).sweep("tidy")
    assert (unknown.value.type, unknown.value.non_retryable) == ("UnknownSweep", True)


def test_the_worker_has_every_sweep_that_the_workflow_asks_for(record_engine: AsyncEngine, tmp_path: Path) -> None:
    assert tuple(sweeps_of(record_engine, NOBODY, Settings(var_dir=tmp_path), NOBODY, NOBODY)) == SWEEPS
