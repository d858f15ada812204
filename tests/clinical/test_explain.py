"""Why not, what would open it, and when: for every command, on every patient of the scenario tables."""

from datetime import timedelta

import pytest

from clinical.assess import assess
from clinical.explain import OPENS_WITH, Blocked, Explanation, explain
from models.messages import COMMANDS
from models.people import Role
from tests.clinical.test_scenarios import ROWS
from tests.clinical.test_scenarios_further import ROWS as FURTHER
from tests.factories import LABEL, PROTOCOLS, ChartBuilder, PaperCourse
from tests.scenarios import DAY, HOUR, MIN, SECOND, Row, cases, day, day_8, first_dose, name_of, toxic

PATIENTS = [(row, protocol) for row, protocol in cases(ROWS + FURTHER) if protocol == row.protocols[0]]
"""Every patient once, under the first protocol of the row."""


def explained(course: PaperCourse) -> Explanation:
    return explain(course.chart, course.protocol, course.now)


def why_not(course: PaperCourse, command: str) -> Blocked:
    return next(b for b in explained(course).blocked if b.command == command)


@pytest.mark.parametrize(("row", "protocol"), PATIENTS, ids=name_of)
def test_every_command_is_open_or_says_what_opens_it(row: Row, protocol: str) -> None:
    found = explained(row.story(protocol))
    assert {*found.may, *(b.command for b in found.blocked)} == set(COMMANDS)
    for blocked in found.blocked:
        assert blocked.why
        assert blocked.needs or blocked.opens_with, blocked.command
        assert all(need.clears and need.reason and need.clause for need in blocked.needs)


@pytest.mark.parametrize(("row", "protocol"), PATIENTS[::3], ids=name_of)
def test_what_is_said_to_open_by_itself_opens_then_and_not_before(row: Row, protocol: str) -> None:
    course = row.story(protocol)
    for blocked in explained(course).blocked:
        at = blocked.opens_by_itself_at
        if at is not None:
            may = [
                next(
                    c.may for c in assess(course.chart, course.protocol, then).commands if c.command == blocked.command
                )
                for then in (max(course.now, at - SECOND), at)
            ]
            assert may == [False, True]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_too_early_says_the_first_instant(protocol: str) -> None:
    blocked = why_not(day_8(5)(protocol), "authorise_dose")
    assert blocked.earliest_at == day(7) - 6 * HOUR  # DAY-03: on the sixth date at most 6 h earlier by the clock


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_while_an_infusion_runs_the_next_dose_is_named_with_its_window(protocol: str) -> None:
    course = first_dose()(protocol).ready_to_start()
    course.started()
    blocked = why_not(course, "authorise_dose")
    assert blocked.opens_with == OPENS_WITH["NotTheDoseDue"]
    assert blocked.earliest_at is not None
    assert timedelta(days=5) < blocked.earliest_at - course.now < timedelta(days=6)


def test_verifying_waits_for_the_signature_and_for_nothing_else() -> None:
    blocked = why_not(first_dose()(LABEL), "verify_dose")
    assert [need.rule for need in blocked.needs] == ["OWN-01"]


def test_a_dose_that_waits_for_toxicity_and_for_its_window_opens_with_both() -> None:
    course = toxic(8, 4, asked=9, still=True)(LABEL)
    blocked = why_not(course, "start_infusion")
    assert "NON-08" in {need.rule for need in blocked.needs}
    assert blocked.opens_by_itself_at is None


def test_after_a_permanent_stop_only_an_error_opens_a_dose() -> None:
    course = PaperCourse(ChartBuilder().ready().dose(1, 1, day(1)), day(2))
    course.does("discontinue", Role.PRESCRIBER, reason="harm")
    blocked = why_not(course, "start_next_cycle")
    assert blocked.needs or "correct_fact" in str(blocked.opens_with)
    assert blocked.opens_by_itself_at is None


def test_premedication_given_a_moment_ago_opens_the_start_by_time_alone() -> None:
    course = first_dose()(LABEL).authorised().prepared().premedicated()
    course.later(minutes=1)
    assert why_not(course, "start_infusion").opens_by_itself_at == course.now + 29 * MIN
    course.now += DAY
    assert why_not(course, "start_infusion").opens_by_itself_at is None
