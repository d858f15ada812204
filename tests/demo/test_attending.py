"""A bedside is patient with a course under load, and with nothing else."""

from typing import cast

import pytest

from demo.bedside import LOOKS, Bedside
from demo.driver import Clock
from demo.patients import ANNA
from models.status import Status
from plumbing.keys import TEST_SUBJECT_KEY
from services.courses import CourseClient, CourseError

ANSWER = cast(Status, "the answer")


class Busy:
    """Answers the first looks with a fault, and then as it stands."""

    def __init__(self, fault: str, times: int) -> None:
        self.looks, self._fault, self._times = 0, fault, times

    async def settled(self, course_id: str) -> Status:
        self.looks += 1
        if self.looks <= self._times:
            raise CourseError(self._fault, f"nobody answered for {course_id}")
        return ANSWER


def at(courses: Busy) -> Bedside:
    return Bedside(cast(CourseClient, courses), cast(Clock, None), "course-busy", ANNA, TEST_SUBJECT_KEY)


async def test_a_course_that_is_too_busy_is_looked_at_again() -> None:
    assert await at(Busy("NoAnswer", LOOKS - 1)).status() == ANSWER


@pytest.mark.parametrize(("fault", "looks"), [("NoAnswer", LOOKS), ("BrokenOff", 1)])
async def test_who_never_answers_or_cannot_is_told(fault: str, looks: int) -> None:
    courses = Busy(fault, LOOKS)
    with pytest.raises(CourseError) as told:
        await at(courses).status()
    assert (told.value.type, courses.looks) == (fault, looks)
