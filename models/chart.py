"""A chart: one patient's course as a list of facts. State is derived from it, never stored in it."""

from functools import cached_property

from models.base import Day, Frozen, Instant, Name
from models.facts import DivergenceAcknowledged, Fact, ProtocolAmended
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

    @cached_property
    def protocol(self) -> ProtocolPin:
        """The protocol in force: the one of the start, or of the last amendment whose divergences are acknowledged."""
        in_force = [what.protocol for what, missing in self._amendments if not missing]
        return in_force[-1] if in_force else self.course.protocol

    @cached_property
    def pending_amendment(self) -> tuple[ProtocolAmended, tuple[str, ...]] | None:
        """The amendment asked for last, and what is not acknowledged of it; `None` when it is in force, or none was."""
        latest = self._amendments[-1] if self._amendments else None
        return latest if latest is not None and latest[1] else None

    @cached_property
    def _amendments(self) -> list[tuple[ProtocolAmended, tuple[str, ...]]]:
        found: list[tuple[ProtocolAmended, tuple[str, ...]]] = []
        for fact in self.facts:
            if isinstance(fact.what, ProtocolAmended):
                found.append((fact.what, fact.what.missing))
            elif isinstance(fact.what, DivergenceAcknowledged) and found:
                what, missing = found[-1]
                found[-1] = (what, tuple(d for d in missing if d != fact.what.divergence))
        return found

    @cached_property
    def read_before(self) -> list[tuple[object, dict[str, object]]]:
        """What was made of its facts, by the protocol that they were read under and their ids; filled by the rules.

        A fact never changes and its id is its own, so what one assessment has read stays true for the next.
        """
        return []

    def with_facts(self, *facts: Fact) -> "Chart":
        """The chart with these facts behind the others; what was read of the others is not read again."""
        longer = Chart(course=self.course, facts=(*self.facts, *facts))
        longer.__dict__["read_before"] = self.read_before
        return longer
