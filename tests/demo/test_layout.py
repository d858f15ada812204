"""Laying out the invented ward: a second start keeps it, an interrupted one goes on, whoever is there already."""

from pathlib import Path
from typing import cast

import pytest

from demo import tour
from demo.bedside import Bedside
from demo.house import ON_SCREEN
from demo.layout import LABEL, MID_STORY, Bed, Beds, Layout, admitted
from demo.patients import EMIL
from demo.story import ready_to_authorise
from models.assessment import CourseState
from plumbing.keys import TEST_SUBJECT_KEY
from services.courses import CourseError
from tests.conftest import TASK_QUEUE, Ward

BERND, CLARA = MID_STORY[0], MID_STORY[1]


class Temporal:
    """Knows which courses exist; a stand-in for a bedside is its id."""

    def __init__(self, *there: str) -> None:
        self.there = list(there)
        self.ended: list[str] = []

    async def admit(self, course_id: str) -> Bedside:
        if course_id in self.there:
            raise CourseError("CourseExists", f"{course_id} was started before")
        self.there.append(course_id)
        return cast(Bedside, course_id)

    async def end_dosing(self, course_id: str) -> None:
        self.ended.append(course_id)


def test_nobody_is_laid_out_at_first_and_then_everybody_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "laid-out")
    assert layout.missing(MID_STORY) == list(MID_STORY)
    for bed in MID_STORY:
        layout.keep(bed.course_id)
    assert Layout(tmp_path / "laid-out").missing(MID_STORY) == []
    assert layout.missing([ON_SCREEN]) == [ON_SCREEN]


def test_after_an_interrupted_start_only_the_missing_ones_are_laid_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "laid-out")
    layout.keep(f"{CLARA.course_id}-2")
    assert CLARA not in layout.missing(MID_STORY)
    assert layout.course_of(CLARA.course_id) == "course-clara-2"
    assert layout.course_of(BERND.course_id) is None


def test_a_line_that_was_being_written_counts_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "laid-out").write_text("course-bernd\ncourse-clara-\ncourse-doras")
    assert Layout(tmp_path / "laid-out").missing(MID_STORY) == list(MID_STORY[1:])


def test_a_ward_that_an_earlier_house_laid_out_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "laid-out").write_text("2026-11-22T21:43:00+00:00\n")
    assert Layout(tmp_path / "laid-out").missing([*MID_STORY, ON_SCREEN]) == []


async def test_a_patient_that_nobody_began_gets_the_beds_own_course() -> None:
    temporal = Temporal()
    assert await admitted(BERND, temporal.admit, temporal.end_dosing) == cast(Bedside, "course-bernd")
    assert temporal.ended == []


async def test_a_patient_left_half_way_begins_anew_and_the_half_course_is_ended() -> None:
    temporal = Temporal("course-bernd", "course-bernd-2")
    assert await admitted(BERND, temporal.admit, temporal.end_dosing) == cast(Bedside, "course-bernd-3")
    assert temporal.ended == ["course-bernd", "course-bernd-2"]


async def test_another_fault_is_not_taken_for_a_course_that_exists() -> None:
    async def refuse(course_id: str) -> Bedside:
        raise CourseError("NotConfirmed", "no worker answered")

    with pytest.raises(CourseError, match="no worker"):
        await admitted(BERND, refuse, Temporal().end_dosing)


async def test_on_a_real_server_the_half_told_course_comes_to_its_end_and_the_next_to_its_story(
    open_ward: Ward, tmp_path: Path
) -> None:
    said: list[str] = []
    layout = Layout(tmp_path / "laid-out")
    beds = Beds(open_ward.client, open_ward.engine, TASK_QUEUE, TEST_SUBJECT_KEY, said.append)
    bed = Bed("course-half-told", EMIL, LABEL, ready_to_authorise)
    half = await beds.admit(bed)
    await half.screen()
    await beds.lay_out(bed, layout)

    assert layout.course_of(bed.course_id) == "course-half-told-2"
    assert str(await open_ward.client.get_workflow_handle(half.course_id).result()).startswith("completed")
    found = await open_ward.courses.status("course-half-told-2")
    assert found.state is CourseState.DOSE_ADJUSTMENT
    assert ["half-way" in words for words in said] == [True, False]


def test_the_tour_names_the_courses_as_they_were_laid_out() -> None:
    path = tour.steps(lambda course_id: f"{course_id}-2", "var")
    assert len(path) == 7
    told = tour.told(path)
    assert "inocycle do course-bernd-2 authorise_dose" in told
    assert 'kill -9 "$(cat var/worker.pid)"' in told
    assert told.count("mv var/payload-keys.lost var/payload-keys") == 1
    assert all(step.shows and step.commands for step in path)
