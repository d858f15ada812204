"""A chart: one patient's course as a list of facts. State is derived from it, never stored in it."""

from models.base import Day, Frozen, Instant, Name
from models.facts import Fact
from models.people import By
from models.pins import Acknowledgement, ProtocolPin


class Course(Frozen):
    """What does not change while a course runs. The id is pseudonymous; subject and birth date are keyed hashes.

    `zone` is the IANA zone of the treating site, pinned at the start (DAY-03). `child_bearing_potential` decides
    whether pregnancy tests are required; `None` means unknown and is treated as required.
    """

    course_id: Name
    zone: Name
    subject_hash: Name
    birth_hash: str | None = None
    birth_on: Day
    child_bearing_potential: bool | None = None
    invented: bool = False
    protocol: ProtocolPin
    acknowledged: tuple[Acknowledgement, ...] = ()
    started_at: Instant
    started_by: By


class Chart(Frozen):
    """A course and its facts in the order in which they were recorded."""

    course: Course
    facts: tuple[Fact, ...] = ()

    def with_facts(self, *facts: Fact) -> "Chart":
        """The chart with these facts behind the others."""
        return self.model_copy(update={"facts": (*self.facts, *facts)})
