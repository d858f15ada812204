"""What the next dose needs is one open thing that names what is missing, each part with its clause (MON-01 … MON-16)."""

from datetime import timedelta
from typing import Any

import pytest

from models.assessment import Obligation
from models.people import Role
from tests.factories import CBC as BLOOD_COUNT
from tests.factories import D1, LIVER, ChartBuilder, PaperCourse

H, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
D8, D22 = D1 + 7 * DAY, D1 + 21 * DAY


def before(chart: ChartBuilder, now: Any) -> Obligation | None:
    found = [o for o in PaperCourse(chart, now).card.obligations if o.key.startswith("before-")]
    return found[0] if found else None


def after_day_1() -> ChartBuilder:
    return ChartBuilder().ready().dose(1, 1, D1)


def after_cycle_1(**course: Any) -> ChartBuilder:
    return ChartBuilder(**course).ready().cycle(1, D1, response="CR")


def test_it_is_due_a_day_before_the_planned_time_and_overdue_at_that_time() -> None:
    for now, standing in (
        (D8 - 24 * H - SECOND, "coming"),
        (D8 - 24 * H, "due"),
        (D8, "due"),
        (D8 + SECOND, "overdue"),
    ):
        found = before(after_day_1(), now)
        assert found is not None
        assert (found.key, found.owner, found.standing) == ("before-C1D8", Role.COORDINATOR, standing)
        assert (found.due_at, found.overdue_at) == (D8 - 24 * H, D8)


def test_before_day_8_it_names_blood_count_liver_panel_examinations_and_weight() -> None:
    found = before(after_day_1(), D8)
    assert found is not None
    assert found.rule == "MON-01"
    for clause in ("MON-01", "MON-02", "MON-15", "MON-16", "MON-05"):
        assert clause in found.clears
    assert "ECG" not in found.title


def test_before_day_1_it_names_ecg_electrolytes_pancreas_and_pregnancy_test_too() -> None:
    found = before(after_cycle_1(child_bearing_potential=True), D22 - 6 * DAY)
    assert found is not None
    for clause in ("MON-06", "MON-07", "MON-09", "MON-11"):
        assert clause in found.clears
    cannot = before(after_cycle_1(), D22 - 6 * DAY)
    assert cannot is not None
    assert "pregnancy" not in cannot.title


@pytest.mark.parametrize(("early", "fresh"), [(48 * H, True), (48 * H + SECOND, False)], ids=["48 h", "a second more"])
def test_a_blood_count_and_a_panel_count_when_they_are_fresh_at_the_planned_time(early: timedelta, fresh: bool) -> None:
    chart = after_day_1()
    chart.labs(D8 - early, *BLOOD_COUNT, *LIVER)
    found = before(chart, D8)
    assert found is not None
    assert ("blood count" in found.title, "liver panel" in found.title) == (not fresh, not fresh)


@pytest.mark.parametrize(("early", "fresh"), [(24 * H, True), (24 * H + SECOND, False)], ids=["24 h", "a second more"])
def test_the_examination_counts_when_it_is_fresh_at_the_planned_time(early: timedelta, fresh: bool) -> None:
    found = before(after_day_1().examined(D8 - early), D8)
    assert found is not None
    assert ("examination for signs of VOD" not in found.title) == fresh


def test_it_is_gone_when_everything_is_there() -> None:
    assert before(after_day_1().ready_again(D8), D8) is None


def test_before_day_1_everything_is_there_with_amylase_and_lipase() -> None:
    chart = after_cycle_1().ready_for_cycle(D22)
    found = before(chart, D22)
    assert found is not None
    assert found.title == "before C2D1: amylase and lipase"
    chart.labs(D22 - 2 * H, "amylase", "lipase", amylase="60", lipase="30")
    assert before(chart, D22) is None


@pytest.mark.parametrize("missing", ["potassium", "magnesium", "calcium", "albumin"])
def test_electrolytes_are_there_only_all_together(missing: str) -> None:
    found = before(after_cycle_1().ready().ready_for_cycle(D22).without(missing), D22)
    assert found is not None
    assert "potassium, magnesium, calcium with albumin" in found.title


def test_a_corrected_calcium_stands_for_calcium_with_albumin() -> None:
    chart = after_cycle_1().ready_for_cycle(D22).without("calcium", "albumin")
    chart.result("calcium_corrected", "2.4", D22 - H, lln="2.1")
    found = before(chart, D22)
    assert found is not None
    assert found.title == "before C2D1: amylase and lipase"


def test_nothing_is_asked_for_before_the_first_dose_or_after_dosing_has_ended() -> None:
    assert before(ChartBuilder().ready(), D1) is None
    chart = after_day_1()
    chart.add({"kind": "dosing_finished", "reason": "enough"}, D1 + DAY, Role.PRESCRIBER)
    assert before(chart, D8) is None


def test_few_things_are_open_at_once_in_a_usual_course() -> None:
    chart = ChartBuilder(child_bearing_potential=True).ready().cycle(1, D1)
    for at in (D1 + 3 * H, D1 + 2 * DAY, D8 + 3 * H, D1 + 14 * DAY + 3 * H, D22 - DAY):
        seen = ChartBuilder(child_bearing_potential=True)
        seen.facts = [f for f in chart.facts if f.recorded_at <= at]
        assert len(PaperCourse(seen, at).card.obligations) <= 9
