"""Real bundles go in: every Observation becomes a fact or a named refusal, and a second time nothing changes.

The files are read where INOCYCLE_SAMPLE_DATA points (default `../shared/data`). All of them are judged by the rules; the
charts with liver panels and the converted laboratory messages also go through a real course.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import pytest

from clinical.judge import judge
from demo.patients import LABORATORY, PRESCRIBER
from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject, Intake, Refusal
from models.assessment import Accepted
from models.chart import Chart, Course
from models.facts import Fact, ObligationMet, RungFired
from models.messages import LabResults
from plumbing.keys import TEST_SUBJECT_KEY, birth_hash, subject_hash
from plumbing.protocol_files import load_protocol, pin_of
from record.reader import read_entries, verify_chain
from tests.conftest import MANY_LOOKS, Ward
from tests.factories import LABEL, a_course
from tests.intake.builders import lost, results, unread
from tests.intake.samples import documents_as_sent, needs_samples, observations_in, parts

pytestmark = needs_samples
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ANYBODY = ExpectedSubject(partial(subject_hash, TEST_SUBJECT_KEY), partial(birth_hash, TEST_SUBJECT_KEY))
ids = count(1)


def read_as_sent(like: str = "") -> Iterator[tuple[str, bytes, dict[str, Any], Intake]]:
    """Every document whose name begins so, and what is read of it for whomever it is about."""
    for name, raw, document in documents_as_sent():
        if name.startswith(like):
            yield name, raw, document, read_fhir(raw, expected=ANYBODY, by=LABORATORY)


def a_course_of(message: LabResults, course_id: str, started_at: datetime) -> Course:
    """A course of the patient whom a message is about."""
    usual = a_course(LABEL)
    return usual.model_copy(
        update={
            "course_id": course_id,
            "subject_hash": message.subject_hash,
            "birth_hash": message.birth_hash,
            "protocol": pin_of(LABEL),
            "started_at": started_at,
            "started_by": PRESCRIBER,
        }
    )


def test_every_observation_of_every_file_becomes_a_fact_or_a_named_refusal() -> None:
    protocol, seen = load_protocol(LABEL), Counter[str]()
    for name, raw, document, intake in read_as_sent():
        observations = observations_in(document)
        wanted = sum(parts(o) if o.get("subject") else 1 for o in observations)  # SubjectMissing names it as one
        found = [*results(intake), *(one for one in lost(intake) if one is not Refusal.ONLY_IN_WORDS)]
        assert len(found) == wanted, name
        assert intake == read_fhir(raw, expected=ANYBODY, by=LABORATORY), name
        for message in intake.messages:
            chart = Chart(course=a_course_of(message, "course-sample", NOW))
            ruling = judge(chart, message, protocol, NOW)
            assert isinstance(ruling, Accepted), name
            assert [f.what for f in ruling.facts] == list(message.results), name
            seen.update(["facts"] * len(ruling.facts))
        seen.update(["documents", *["observations"] * len(observations), *map(str, lost(intake))])
    assert seen == {
        "documents": 186,
        "observations": 1549,
        "facts": 1590,  # fourteen of them say that a result of this patient could not be taken (LAB-12, LAB-14)
        "NoLoinc": 6,
        "SpecimenUnfit": 1,
        "RangeUnfit": 3,
        "OnlyInWords": 2,
        "SeveralLoincs": 2,
        "SubjectMissing": 1,
    }


@pytest.mark.parametrize("patient", ["Chadwick", "Mayte", "Thanh", "LAB-ORU", "LRI_2.0"])
async def test_a_real_patient_goes_through_a_real_course_and_a_second_time_nothing_changes(
    ward: Ward, patient: str
) -> None:
    read = [intake for _, _, _, intake in read_as_sent(patient)]
    messages = [message for intake in read for message in intake.messages]
    course_id = f"course-sample-{os.getpid()}-{next(ids)}"
    await ward.start(a_course_of(messages[0], course_id, datetime.now(UTC)))
    facts = await sent(ward, course_id, messages)
    told = [f for f in facts if not isinstance(f.what, RungFired | ObligationMet)]  # a value called somebody
    assert [(f.message, f.what) for f in told] == [(m.id, result) for m in messages for result in m.results]
    assert len(told) == sum(len(results(intake)) + len(unread(intake)) for intake in read)
    before = await written(ward, course_id)

    assert await sent(ward, course_id, messages) == facts
    assert await written(ward, course_id) == before
    assert await verify_chain(ward.engine, course_id) is None


async def sent(ward: Ward, course_id: str, messages: Iterable[LabResults]) -> tuple[Fact, ...]:
    """The facts of the course once it has judged all these messages."""
    for message in messages:
        await ward.courses.send(course_id, message)
    await ward.courses.settled(course_id)
    return (await ward.courses.chart(course_id)).facts


async def written(ward: Ward, course_id: str) -> tuple[int, int]:
    """How many decisions and facts the record holds, once it has caught up with the course."""
    for _ in range(MANY_LOOKS):
        status = await ward.courses.settled(course_id)
        if not status.unwritten and status.decisions:
            entries = await read_entries(ward.engine, course_id)
            return len(entries), sum(len(entry.facts) for entry in entries)
    raise AssertionError("the record does not catch up")
