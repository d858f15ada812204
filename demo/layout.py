"""Who lies in the beds of the invented ward, and how far laying them out has come.

A file remembers each patient once the story is told as far as it goes: a second start keeps them all, and after an
interrupted one only those that are missing are laid out. Nothing that was started is ever thrown away for it.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from demo import story
from demo.bedside import Bedside
from demo.patients import BERND, CLARA, DORA, EMIL, FRIEDA, GERD, Patient
from workflows.client import CourseError

ARTICLE, LABEL = "article-2025.1", "us-label-2024.1"
LAID_OUT = "laid-out"


@dataclass(frozen=True)
class Bed:
    """One invented patient, the protocol, and the story up to the point at which the patient is left."""

    course_id: str
    patient: Patient
    protocol: str
    story: Callable[[Bedside], Awaitable[object]]


MID_STORY = (
    Bed("course-bernd", BERND, LABEL, story.ready_to_authorise),
    Bed("course-clara", CLARA, ARTICLE, story.overdue_after_transplant),
    Bed("course-dora", DORA, ARTICLE, story.held_for_the_liver),
    Bed("course-emil", EMIL, LABEL, story.waiting_for_labs),
    Bed("course-frieda", FRIEDA, ARTICLE, story.in_observation),
    Bed("course-gerd", GERD, LABEL, story.after_a_severe_reaction),
)


class Layout:
    """What is laid out already. The file holds one course a line, and only courses whose story was told."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def course_of(self, course_id: str) -> str | None:
        """The course under which this patient was laid out: the bed's own id, or one after an interrupted start."""
        own = re.compile(rf"{re.escape(course_id)}(-\d+)?")
        return next((line for line in self._lines() if own.fullmatch(line)), None)

    def missing(self, beds: Sequence[Bed]) -> list[Bed]:
        """The beds whose patients are not laid out yet."""
        if any(line[:1].isdecimal() for line in self._lines()):  # an earlier house wrote when it was done, and no names
            return []
        return [bed for bed in beds if self.course_of(bed.course_id) is None]

    def keep(self, course_id: str) -> None:
        """Remember that this patient's story is told."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{course_id}\n")

    def _lines(self) -> list[str]:
        return self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []


async def admitted(
    bed: Bed, admit: Callable[[str], Awaitable[Bedside]], end_dosing: Callable[[str], Awaitable[None]]
) -> Bedside:
    """A course for this bed that nobody has begun. What an interrupted start has left half told is ended first.

    The half course keeps its id and its record; the patient gets the next free id: a told story cannot go on from
    anywhere, and a course that exists is not started twice.
    """
    for number in count(1):
        course_id = bed.course_id if number == 1 else f"{bed.course_id}-{number}"
        try:
            return await admit(course_id)
        except CourseError as fault:
            if fault.type != "CourseExists":
                raise
        await end_dosing(course_id)
    raise AssertionError("counting never ends")
