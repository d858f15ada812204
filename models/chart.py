"""A chart: one patient's course as a list of facts. State is derived from it, never stored in it."""

from collections.abc import Iterable
from functools import cached_property
from typing import cast

from models.base import Day, Frozen, Instant, Name, Words
from models.facts import Fact, ProtocolAmended, UnreadableMessage, UnreadableResolved
from models.people import By
from models.pins import Acknowledgement, ProtocolPin


class StoppedBefore(Frozen):
    """Another course of this patient in which the drug was stopped for good or held as an emergency, and by which rule."""

    course_id: Name
    rule: Name


class Course(Frozen):
    """What does not change while a course runs. The id is pseudonymous; subject and birth date are keyed hashes.

    `zone` is the IANA zone of the treating site, pinned at the start (DAY-03). `child_bearing_potential` decides
    whether pregnancy tests are required; `None` means unknown and is treated as required. `another_because` says why it
    was begun while another course of the patient was open, `stopped_before` what stood against the drug in others.
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
    another_because: Words | None = None
    stopped_before: tuple[StoppedBefore, ...] = ()


Amendments = tuple[tuple[ProtocolAmended, tuple[str, ...]], ...]
"""Each amendment with the divergences that nobody has acknowledged yet."""


class Longer:
    """Where a chart keeps the one that was made last by adding facts to it."""

    __slots__ = ("chart",)

    def __init__(self) -> None:
        self.chart: Chart | None = None


class Notes:
    """What the rules made of one chart, kept with it so that it is made once. Nothing of it is part of the chart.

    `made` is theirs; `before` are the notes of the chart that this one is longer than, until they have been taken over.
    `longer` keeps the chart that was made last by adding facts: the same facts give it again, and with further ones it is
    read on from there; `within` is where this chart is kept so. A copy knows nothing: notes are neither pickled nor copied.
    """

    __slots__ = ("before", "course", "facts", "longer", "made", "within")

    def __init__(self, course: Course, facts: tuple[Fact, ...], before: "Notes | None" = None) -> None:
        self.course = course
        self.facts = facts
        self.before = before
        self.longer = Longer()
        self.within: Longer | None = None
        self.made: object | None = None

    def __reduce__(self) -> "tuple[type[Notes], tuple[Course, tuple[Fact, ...]]]":
        return Notes, (self.course, self.facts)


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
    def _amendments(self) -> Amendments:
        return _amended((), self.facts)

    @property
    def notes(self) -> Notes:
        """What the rules made of these very facts: a copy with other facts has notes of its own."""
        notes = self.__dict__.get("notes")
        if notes is None or notes.course is not self.course or notes.facts is not self.facts:
            notes = self.__dict__["notes"] = Notes(self.course, self.facts)
        return cast("Notes", notes)

    def __copy__(self) -> "Chart":
        """A copy knows nothing: what was read of this chart is not true of one with other facts (`model_copy`)."""
        return Chart.model_construct(self.model_fields_set, course=self.course, facts=self.facts)

    def with_facts(self, *facts: Fact) -> "Chart":
        """The chart with these facts behind the others; what was read of the others is not read again."""
        if not facts:
            return self
        notes = self.notes
        known = notes.longer.chart
        if known is None or not _goes_on_with(known.facts[len(self.facts) :], facts):
            longer = self._with(facts)
        else:
            longer = known.with_facts(*facts[len(known.facts) - len(self.facts) :])
        notes.longer.chart, longer.notes.within = longer, notes.longer
        if notes.within is not None:
            notes.within.chart = None  # who holds a chart holds the one after it, and not all that follow
        return longer

    def _with(self, facts: tuple[Fact, ...]) -> "Chart":
        longer = Chart(course=self.course, facts=(*self.facts, *facts))
        longer.__dict__["notes"] = Notes(longer.course, longer.facts, before=self.notes)
        longer.__dict__["_amendments"] = _amended(self._amendments, facts)
        return longer


def _goes_on_with(known: tuple[Fact, ...], facts: tuple[Fact, ...]) -> bool:
    """Whether these facts are the known ones, or the known ones and further ones: the very same, not equal ones."""
    return len(known) <= len(facts) and all(a is b for a, b in zip(known, facts, strict=False))


def _amended(before: Amendments, facts: tuple[Fact, ...]) -> Amendments:
    """The amendments with those that these further facts make or acknowledge."""
    found = list(before)
    for fact in facts:
        if fact.what.kind == "protocol_amended":  # a tag is compared many times faster than a class of pydantic
            found.append((fact.what, fact.what.missing))
        elif fact.what.kind == "divergence_acknowledged" and found:
            what, missing = found[-1]
            done = fact.what.divergence
            found[-1] = (what, tuple(d for d in missing if d != done))
    return tuple(found)


def hashes_unresolved(facts: Iterable[Fact]) -> set[str]:
    """The hashes of unreadable messages that nobody has resolved; one that was dismissed and is sent again is news."""
    waiting: set[str] = set()
    ids: dict[str, str] = {}
    for fact in facts:
        if isinstance(fact.what, UnreadableMessage):
            waiting.add(fact.what.sha256)
            ids[fact.id] = fact.what.sha256
        elif isinstance(fact.what, UnreadableResolved):
            waiting.discard(ids.get(fact.what.target, fact.what.target))
    return waiting
