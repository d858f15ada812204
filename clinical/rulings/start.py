"""Whether a course may be started: by whom, on which protocol, with which divergences acknowledged. A pure check."""

from clinical.chart.calendar import zone_named
from models.assessment import Refused
from models.chart import Course
from models.people import Role
from models.protocol import Protocol


def judge_start(course: Course, protocol: Protocol) -> Refused | None:
    """Why this course may not be started, or `None` when it may.

    A protocol that overrides the label needs each of its divergences acknowledged by id with a reason (DIV-01, -03,
    -07), exactly those and no others, by the prescriber.
    """
    if course.started_by.role is not Role.PRESCRIBER:
        return Refused(type="RoleNotAllowed", message="a course is started by the prescriber")
    if zone_named(course.zone) is None:
        return Refused(type="UnknownZone", message=f"{course.zone!r} is not an IANA time zone, such as Europe/Berlin")
    if course.birth_on > course.started_at.date():
        return Refused(type="InTheFuture", message="the date of birth lies in the future")
    return _acknowledged(course, protocol)


def _acknowledged(course: Course, protocol: Protocol) -> Refused | None:
    named, given = set(protocol.divergences), {a.divergence for a in course.acknowledged}
    missing, unknown = sorted(named - given), sorted(given - named)
    if missing:
        words = f"{protocol.name} departs from the label; acknowledge each with a reason: {', '.join(missing)}"
        return Refused(type="DivergenceNotAcknowledged", message=words)
    if unknown:
        return Refused(type="UnknownDivergence", message=f"{protocol.name} names no divergence {', '.join(unknown)}")
    return None
