"""Entries of a record, read aloud; each shows only what its test is about."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from models.assessment import Assessment, CourseState, DosePlan, Finding, Input, Obligation, Refused, Verdict
from models.base import canonical_json
from models.chart import Course
from models.facts import Body, Fact, ObligationMet, RungFired, UnreadableMessage, UnreadableResolved, Weight
from models.people import Actor, Role
from models.phase import Phase
from models.pins import ProtocolPin
from models.record import (
    GENESIS_SHA256,
    MessageSeen,
    RawMessage,
    RecordBatch,
    Recorded,
    RecordEntry,
    RefusedMessage,
    sha256_of,
)

COURSE_ID = "course-a1"
MONDAY = datetime(2025, 3, 3, 7, 10, 0, 123456, tzinfo=UTC)
NURSE = Actor(role=Role.NURSE, id="n-17")
PIN = ProtocolPin(name="article-2025.1", sha256="a" * 64)

Standing = Literal["coming", "due", "overdue"]


def an_obligation(key: str = "liver-1", *, standing: Standing = "coming", due_at: datetime = MONDAY) -> Obligation:
    return Obligation(
        key=key,
        title="weekly liver test",
        rule="MON-02",
        owner=Role.NURSE,
        due_at=due_at,
        overdue_at=due_at + timedelta(days=1),
        standing=standing,
        clears="a liver test",
    )


def a_dose(mg: str = "1.30") -> DosePlan:
    return DosePlan(
        cycle=1,
        day=1,
        mg_per_m2=Decimal("0.5"),
        bsa_m2=Decimal("1.9"),
        weight_kg=Decimal("76.0"),
        height_cm=Decimal("171"),
        mg=Decimal(mg),
        ml=Decimal("5.2"),
        vials=2,
        level="L0",
    )


def a_finding(rule: str = "NON-08", *, fact: str = "f-1") -> Finding:
    seen = Input(name="ALT", value="160 U/L", taken_at=MONDAY, fact=fact)
    return Finding(rule=rule, verdict=Verdict.HOLD, reason="ALT is above its limit", inputs=(seen,))


def an_assessment(at: datetime = MONDAY, **more: Any) -> Assessment:
    usual: dict[str, Any] = {
        "state": CourseState.LABS,
        "verdict": Verdict.NEED_DATA,
        "as_of": at,
        "valid_until": None,
        "cycle": 1,
        "protocol": PIN.name,
    }
    return Assessment(**{**usual, **more})


def a_start(*, course_id: str = COURSE_ID, invented: bool = True) -> Course:
    return Course(
        course_id=course_id,
        zone="Europe/Berlin",
        subject_hash="s" * 64,
        birth_on=date(1980, 5, 17),
        invented=invented,
        protocol=PIN,
        started_at=MONDAY,
        started_by=Actor(role=Role.PRESCRIBER, id="p-3"),
    )


def a_fact(what: Body | None = None, *, id: str = "f-1", at: datetime = MONDAY) -> Fact:
    body = what or Weight(kg=Decimal("76.0"))
    return Fact(id=id, by=NURSE, at=at, recorded_at=at + timedelta(microseconds=1), message="m-1", what=body)


def a_rung(rung: Literal["due", "overdue"], *, due_at: datetime = MONDAY, id: str = "f-1") -> Fact:
    return a_fact(RungFired(obligation="liver-1", rung=rung, due_at=due_at), id=id)


def an_obligation_met(how: Literal["met", "closed_as_overdue", "withdrawn"] = "met") -> Fact:
    return a_fact(ObligationMet(obligation="liver-1", due_at=MONDAY, how=how))


def an_unreadable(sha256: str = "u" * 64, *, id: str = "f-1") -> Fact:
    what = UnreadableMessage(signal="lab_results", sha256=sha256, size=7, reason="no JSON")
    return a_fact(what, id=id)


def a_resolution(target: str) -> Fact:
    return a_fact(UnreadableResolved(target=target, outcome="dismissed", reason="a test message"))


def a_message(id: str = "m-1", refusal: Refused | None = None) -> MessageSeen:
    return MessageSeen(name="lab_results", id=id, sha256="b" * 64, by="laboratory:lis", refusal=refusal)


def a_refused_message(sha256: str = "c" * 64) -> RefusedMessage:
    return RefusedMessage(type="WrongSubject", reason="not this patient", sha256=sha256, size=9)


def a_refusal() -> Refused:
    return Refused(type="DoseGateClosed", message="Dose 1 cannot start", findings=(a_finding(fact="f-9"),))


def a_raw_message(sha256: str = "u" * 64) -> RawMessage:
    """What came with an unreadable message, or one that was turned away."""
    return RawMessage(sha256=sha256, size=7, name="lab_results", reason="no JSON", raw_base64="Z2FyYmFnZQ==")


def an_entry(number: int = 1, *facts: Fact, after: RecordEntry | None = None, **more: Any) -> RecordEntry:
    """A sealed entry with these facts; `after` is the one before it, whose hash and facts it continues."""
    at = MONDAY + timedelta(minutes=number)
    course_id = more.pop("course_id", COURSE_ID)
    place: dict[str, Any] = {
        "course_id": course_id,
        "number": number,
        "run_cycle": 1,
        "first_fact_index": after.first_fact_index + len(after.facts) if after else 0,
        "previous_sha256": after.sha256 if after else GENESIS_SHA256,
        "raw": (),
    }
    place |= {name: more.pop(name) for name in list(more) if name in place}
    usual: dict[str, Any] = {
        "at": at,
        "facts": facts,
        "assessment": an_assessment(at),
        "phase": Phase(kind="cycle", cycle=1),
        "protocol": PIN,
        "code_version": "0.1.0",
        "start": a_start(course_id=course_id) if number == 1 else None,
    }
    assert more.keys() <= Recorded.model_fields.keys()
    content = canonical_json(Recorded(**{**usual, **more}))
    return RecordEntry(**place, content=content, content_sha256=sha256_of(content)).sealed()


def a_chain(*entries: Sequence[Fact] | dict[str, Any], **first: Any) -> list[RecordEntry]:
    """Entries that follow each other, each given by its facts or by its fields; `first` adds to the first one."""
    chain: list[RecordEntry] = []
    for number, told in enumerate(entries, 1):
        fields = dict(told) if isinstance(told, dict) else {"facts": tuple(told)}
        extra = first if number == 1 else {}
        chain.append(an_entry(number, after=chain[-1] if chain else None, **{**fields, **extra}))
    return chain


def a_batch(*entries: RecordEntry) -> RecordBatch:
    return RecordBatch(entries=entries)
