"""The inbox from the command line, on a real server: what has no open course waits, and reaches its course once."""

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cli.answers import Exit
from demo import bundles
from demo.bedside import LABORATORY
from demo.driver import Clock
from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject
from intake.strict_json import MAX_BYTES
from models.facts import LabResult, ResultWithdrawn
from models.people import Actor, Role
from plumbing.dev_server import DevServer, free_port
from plumbing.keys import TEST_SUBJECT_KEY, birth_hash, subject_hash
from plumbing.settings import ROOT
from record import inbox
from record.inbox import WhatWasRead
from record.reader import list_courses
from tests.conftest import MANY_LOOKS, Ward
from tests.doors.conftest import Answer, Terminal
from tests.factories import LABEL
from tests.laid_out import a_record

EXAMPLE = json.loads((ROOT / "docs" / "examples" / "patient.json").read_text())
RESULTS = len(bundles.LIVER_PANEL)
ids = count(1)


class Desk:
    """Somebody at the desk of a laboratory, with one patient of this test's own and a terminal."""

    def __init__(self, terminal: Terminal, ward: Ward, folder: Path) -> None:
        self.terminal = terminal
        self.ward = ward
        self.folder = folder
        self.number = f"DESK-{os.getpid()}-{next(ids)}"
        self.patient = {**EXAMPLE, "identifier": {"system": "urn:example:desk", "value": self.number}}

    async def course(self) -> str:
        """A course of this patient, once the record knows it."""
        file = self.folder / "patient.json"
        file.write_text(json.dumps(self.patient))
        course_id = f"course-desk-{os.getpid()}-{next(ids)}"
        words = ["--protocol", LABEL, "--patient", file, "--by", "prescriber:p-1", "--id", course_id]
        words += ["--another-course", "some tests have two"]
        answer = await self.terminal.asks("course", "start", *words)
        assert answer.code == 0, answer.err
        for _ in range(MANY_LOOKS):
            await self.ward.courses.settled(course_id)
            if course_id in {c.course_id for c in await list_courses(self.ward.engine)}:
                return course_id
        raise AssertionError("the record does not catch up")

    def labs(self, name: str = "labs.json", born: str | None = None, **changes: Any) -> Path:
        """A liver panel of the patient (or of one born another day), drawn a minute ago."""
        file = self.folder / name
        identifier = {**self.patient["identifier"], **changes}
        drawn_at = datetime.now(UTC) - timedelta(minutes=1)
        values = {analyte: bundles.NORMAL[analyte] for analyte in bundles.LIVER_PANEL}
        file.write_bytes(bundles.bundle(identifier, born or self.patient["birth_on"], drawn_at, values))
        return file

    async def receives(self, *files: Path, code: int = 0) -> Any:
        """What became of the last of these files."""
        answer = await self.terminal.asks("labs", "receive", *files, "--json")
        assert answer.code == code, answer.err
        return answer.document["received"][str(files[-1])]

    async def inbox(self, *words: object) -> Answer:
        return await self.terminal.asks("inbox", *words, "--json")

    async def waits(self, item: Any) -> Any:
        """The item as it waits, or nothing where it waits no longer."""
        answer = await self.terminal.asks("inbox", "--json")
        return next((one for one in answer.document if one["item"] == item["item"]), None)

    async def facts(self, course_id: str) -> list[Any]:
        """The results of a course once it has judged all that was sent."""
        await self.ward.courses.settled(course_id)
        return [f for f in (await self.ward.courses.chart(course_id)).facts if isinstance(f.what, LabResult)]


@pytest.fixture
async def desk(
    terminal: Terminal, at_the_ward: pytest.MonkeyPatch, open_ward: Ward, tmp_path: Path
) -> AsyncIterator[Desk]:
    """A desk, and afterwards an inbox in which nothing of this test waits."""
    yield Desk(terminal, open_ward, tmp_path)
    for item in (await inbox.waiting(open_ward.engine)).read:
        by = Actor(role=Role.COORDINATOR, id="c-1")
        await inbox.settle(open_ward.engine, item, inbox.InboxState.DISMISSED, by, datetime.now(UTC), "test is over")


# ── to the course, once ────────────────────────────────────────────────────────────────────────────────────────────


async def test_results_reach_the_open_course_of_their_patient(desk: Desk) -> None:
    course_id = await desk.course()
    item = await desk.receives(desk.labs())
    assert (item["state"], item["course_id"], item["settled_by"]) == ("sent", course_id, "administrator:inocycle-clock")
    facts = await desk.facts(course_id)
    assert len(facts) == RESULTS
    assert {str(f.by) for f in facts} == {"laboratory:cli"}
    assert await desk.waits(item) is None


async def test_a_document_with_another_birth_date_is_not_sent_and_says_so(desk: Desk) -> None:
    """IDN-01: one number, two birth dates: not certainly one patient, whichever way it comes in."""
    course_id, strange = await desk.course(), desk.labs("strange.json", born="1951-01-31")
    item = await desk.receives(strange)
    assert (item["state"], item["waits_for"]) == ("waiting", "NotOnePatient")
    by_hand = await desk.inbox("assign", item["item"], course_id, "--by", "coordinator:c-1")
    assert by_hand.code == Exit.REFUSED
    named = await desk.terminal.asks("labs", "send", course_id, strange)
    assert named.code == Exit.REFUSED
    assert await desk.facts(course_id) == []


async def test_the_same_bytes_twice_are_one_item_and_one_message(desk: Desk) -> None:
    course_id, labs = await desk.course(), desk.labs()
    first, second = await desk.receives(labs), await desk.receives(labs)
    assert (first.pop("again"), second.pop("again")) == (False, True)
    assert first == second
    words = (await desk.terminal.asks("labs", "receive", labs)).out
    assert "already received" in " ".join(words.split())
    other = desk.folder / "same.json"
    other.write_text(json.dumps(json.loads(labs.read_text())))  # the same words in other bytes: another item
    item = await desk.receives(other)
    assert item["state"] == "sent"
    assert len(await desk.facts(course_id)) == RESULTS


async def test_results_of_nobody_wait_until_a_course_of_their_patient_begins(desk: Desk) -> None:
    labs = desk.labs()
    item = await desk.receives(labs)
    assert (item["state"], item["waits_for"]) == ("waiting", "NoCourse")
    course_id = await desk.course()
    assert (await desk.waits(item))["courses"] == [course_id]
    answer = await desk.inbox("retry")
    assert {one["course_id"] for one in answer.document if one["item"] == item["item"]} == {course_id}
    assert len(await desk.facts(course_id)) == RESULTS
    assert await desk.waits(item) is None
    assert (await desk.receives(labs))["state"] == "sent"
    assert len(await desk.facts(course_id)) == RESULTS


async def test_the_patient_is_found_by_any_identifier(desk: Desk) -> None:
    course_id = await desk.course()
    document = json.loads(desk.labs().read_text())
    document["entry"][0]["resource"]["identifier"].insert(0, {"system": "urn:example:another-house", "value": "77"})
    file = desk.folder / "two.json"
    file.write_text(json.dumps(document))
    assert (await desk.receives(file))["course_id"] == course_id
    assert len(await desk.facts(course_id)) == RESULTS


async def test_a_process_that_died_after_its_commit_loses_nothing(desk: Desk) -> None:
    """Bytes committed, process gone: the next look sends them. And when it died while sending, they count once."""
    course_id, raw = await desk.course(), desk.labs().read_bytes()
    hashes = partial(subject_hash, TEST_SUBJECT_KEY), partial(birth_hash, TEST_SUBJECT_KEY)
    read = read_fhir(raw, expected=ExpectedSubject(*hashes), by=LABORATORY)
    item = await inbox.receive(
        desk.ward.engine, raw, LABORATORY, WhatWasRead(subjects=read.subjects), datetime.now(UTC)
    )
    for message in read.messages:
        await desk.ward.courses.send(course_id, message)
    assert len(await desk.facts(course_id)) == RESULTS
    assert (await desk.waits({"item": item.id}))["waits_for"] == "NotLookedAt"
    assert (await desk.inbox("retry")).code == 0
    assert await desk.waits({"item": item.id}) is None
    assert len(await desk.facts(course_id)) == RESULTS


# ── what waits ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_list_says_what_to_do_and_names_nobody(desk: Desk) -> None:
    item = await desk.receives(desk.labs())
    shown = (await desk.terminal.asks("inbox")).out
    for words in (item["item"], "NoCourse", "laboratory:cli", "inocycle inbox retry", " s ago"):
        assert words in shown
    everything = shown + (await desk.inbox()).out + (await desk.terminal.asks("inbox", "--all")).out
    for secret in (desk.number, desk.patient["birth_on"], "Invented patient"):
        assert secret not in everything
    assert "subjects" not in (await desk.waits(item))


async def test_an_empty_inbox_says_so(desk: Desk) -> None:
    assert (await desk.terminal.asks("inbox")).out == "nothing waits\n"


async def test_results_of_an_ended_course_wait_for_a_person(desk: Desk) -> None:
    course_id = await desk.course()
    done = await desk.terminal.asks("do", course_id, "finish_dosing", "reason=declined", "--by", "prescriber:p-1")
    assert done.code == 0
    await Clock(desk.ward.client, course_id).advance(timedelta(days=2))
    assert str(await desk.ward.client.get_workflow_handle(course_id).result()).startswith("completed")
    item = await desk.receives(desk.labs())
    assert (item["state"], item["waits_for"]) == ("waiting", "CourseEnded")
    assigned = await desk.inbox("assign", item["item"], course_id, "--by", "coordinator:c-5")
    assert (assigned.code, assigned.document["error"]) == (6, "CourseEnded")
    later = await desk.course()
    await desk.inbox("retry")
    assert await desk.waits(item) is None
    assert len(await desk.facts(later)) == RESULTS


async def test_between_two_open_courses_a_person_chooses(desk: Desk) -> None:
    first, second = await desk.course(), await desk.course()
    item = await desk.receives(desk.labs())
    assert item["waits_for"] == "SeveralCourses"
    assert (await desk.waits(item))["courses"] == sorted([first, second])
    answer = await desk.inbox("assign", item["item"][:8], second, "--by", "coordinator:c-5")
    assert (answer.code, answer.document["course_id"], answer.document["settled_by"]) == (0, second, "coordinator:c-5")
    again = await desk.inbox("assign", item["item"], second, "--by", "nurse:n-1")
    assert (again.code, again.document) == (0, answer.document)
    other = await desk.inbox("assign", item["item"], first, "--by", "coordinator:c-5")
    assert (other.code, other.document["error"]) == (3, "ItemSettled")
    assert (len(await desk.facts(first)), len(await desk.facts(second))) == (0, RESULTS)


async def test_an_item_goes_to_no_course_of_another_patient(desk: Desk) -> None:
    course_id = await desk.course()
    item = await desk.receives(desk.labs(value="somebody-else"))
    answer = await desk.inbox("assign", item["item"], course_id, "--by", "physician:ph-1")
    assert (answer.code, answer.document["error"]) == (3, "SubjectMismatch")
    assert (await desk.waits(item))["state"] == "waiting"
    assert await desk.facts(course_id) == []


async def test_a_withdrawal_that_names_nobody_goes_to_the_course_that_a_person_names(desk: Desk) -> None:
    course_id = await desk.course()
    file = desk.folder / "deletion.json"
    deletion = {"request": {"method": "DELETE", "url": f"Observation/{desk.number}"}}
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [deletion]}))
    item = await desk.receives(file)
    assert item["waits_for"] == "NotOnePatient"
    answer = await desk.inbox("assign", item["item"], course_id, "--by", "coordinator:c-5")
    assert (answer.code, answer.document["state"], answer.document["course_id"]) == (0, "sent", course_id)
    await desk.ward.courses.settled(course_id)
    facts = (await desk.ward.courses.chart(course_id)).facts
    assert [f.what.how for f in facts if isinstance(f.what, ResultWithdrawn)] == ["deleted"]


async def test_a_document_about_two_patients_goes_nowhere(desk: Desk) -> None:
    course_id = await desk.course()
    document = json.loads(desk.labs().read_text())
    other = json.loads(desk.labs(value="somebody-else").read_text())
    for entry in other["entry"]:
        entry["fullUrl"] = f"{entry['fullUrl']}-2"
    other["entry"][1]["resource"]["subject"]["reference"] += "-2"
    document["entry"] += [other["entry"][0], other["entry"][1]]
    file = desk.folder / "mixed.json"
    file.write_text(json.dumps(document))
    item = await desk.receives(file)
    assert item["waits_for"] == "NotOnePatient"
    answer = await desk.inbox("assign", item["item"], course_id, "--by", "coordinator:c-5")
    assert (answer.code, answer.document["error"]) == (3, "SubjectMismatch")
    assert await desk.facts(course_id) == []


@pytest.mark.parametrize("raw", [b"{", b"", b"\xff", b'{"resourceType": "Patient"}', b"MSH|^~\\&|"])
async def test_what_holds_no_result_waits_to_be_looked_at_and_is_said(desk: Desk, raw: bytes) -> None:
    file = desk.folder / "document"
    file.write_bytes(raw)
    item = await desk.receives(file, code=2)
    assert (item["state"], item["waits_for"]) == ("waiting", "NoResult")
    said = " ".join((await desk.terminal.asks("labs", "receive", file)).out.split())
    assert item["refused"][0]["type"] in said


async def test_what_could_not_be_read_of_a_sent_document_stays_with_it(desk: Desk) -> None:
    await desk.course()
    document = json.loads(desk.labs().read_text())
    document["entry"][1]["resource"]["code"] = {"text": "house code"}
    file = desk.folder / "partly.json"
    file.write_text(json.dumps(document))
    item = await desk.receives(file)
    assert item["state"] == "sent"
    assert [r["type"] for r in item["refused"]] == ["NoLoinc", "NotAnObservation"]
    assert "NoLoinc" in (await desk.terminal.asks("inbox", "--all")).out


# ── what a person says becomes of it ───────────────────────────────────────────────────────────────────────────────


async def test_a_dismissed_item_waits_no_longer_and_is_kept(desk: Desk) -> None:
    labs = desk.labs()
    item = await desk.receives(labs)
    words = ["dismiss", item["item"], "--by", "coordinator:c-5", "--reason", "a test of the laboratory"]
    answer = await desk.inbox(*words)
    assert (answer.code, answer.document["state"], answer.document["settled_why"]) == (0, "dismissed", words[-1])
    assert await desk.waits(item) is None
    assert item["item"] in {one["item"] for one in (await desk.inbox("--all")).document}
    assert (await desk.receives(labs))["state"] == "dismissed"
    assigned = await desk.inbox("assign", item["item"], await desk.course(), "--by", "coordinator:c-5")
    assert (assigned.code, assigned.document["error"]) == (3, "ItemSettled")


@pytest.mark.parametrize("by", ["laboratory:lis", "auditor:a-1", "administrator:adm-1"])
async def test_a_machine_settles_nothing(desk: Desk, by: str) -> None:
    item = await desk.receives(desk.labs())
    for words in (["assign", item["item"], "course-1"], ["dismiss", item["item"], "--reason", "x"]):
        answer = await desk.inbox(*words, "--by", by)
        assert (answer.code, answer.document["error"]) == (3, "RoleNotAllowed")
    assert await desk.waits(item)


async def test_a_reason_is_given(desk: Desk) -> None:
    item = await desk.receives(desk.labs())
    assert (await desk.inbox("dismiss", item["item"], "--by", "coordinator:c-5", "--reason", " ")).code == 2
    assert (await desk.inbox("dismiss", item["item"], "why=unwell", "--by", "coordinator:c-5")).code == 2
    assert await desk.waits(item)
    said = await desk.inbox("dismiss", item["item"], "reason=as `do` takes it", "--by", "coordinator:c-5")
    assert (said.code, said.document["settled_why"]) == (0, "as `do` takes it")


async def test_an_unknown_item_or_course_is_not_found(desk: Desk) -> None:
    item = await desk.receives(desk.labs())
    for words in (["dismiss", "0" * 16, "--reason", "x"], ["assign", item["item"], "course-none"]):
        answer = await desk.inbox(*words, "--by", "coordinator:c-5")
        assert answer.code == 6


# ── parts away ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_while_temporal_is_away_results_are_kept_and_sent_later(
    desk: Desk, at_the_ward: pytest.MonkeyPatch, dev_server: DevServer
) -> None:
    course_id = await desk.course()
    at_the_ward.setenv("INOCYCLE_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    item = await desk.receives(desk.labs())
    assert (item["state"], item["waits_for"]) == ("waiting", "NotSent")
    at_the_ward.setenv("INOCYCLE_TEMPORAL_ADDRESS", dev_server.address)
    await desk.inbox("retry")
    assert await desk.waits(item) is None
    assert len(await desk.facts(course_id)) == RESULTS


async def test_results_of_nobody_are_kept_without_asking_temporal(desk: Desk, at_the_ward: pytest.MonkeyPatch) -> None:
    at_the_ward.setenv("INOCYCLE_TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    assert (await desk.receives(desk.labs()))["waits_for"] == "NoCourse"


async def test_without_a_record_nothing_is_acknowledged(desk: Desk, at_the_ward: pytest.MonkeyPatch) -> None:
    at_the_ward.setenv("INOCYCLE_DATABASE_URL", f"postgresql://u:hunter2@127.0.0.1:{free_port()}/none")
    for words in (["labs", "receive", desk.labs()], ["inbox"]):
        answer = await desk.terminal.asks(*words, "--json")
        assert (answer.code, answer.document["error"]) == (5, "RecordUnreachable")
        assert "hunter2" not in answer.out + answer.err


async def test_a_list_makes_no_record(desk: Desk, at_the_ward: pytest.MonkeyPatch) -> None:
    at_the_ward.setenv("INOCYCLE_DATABASE_URL", f"sqlite:///{desk.folder / 'none.db'}")
    answer = await desk.inbox()
    assert (answer.code, answer.document["error"]) == (5, "NoRecord")
    assert not (desk.folder / "none.db").exists()


async def test_a_document_makes_no_record_and_is_not_acknowledged(desk: Desk, at_the_ward: pytest.MonkeyPatch) -> None:
    at_the_ward.setenv("INOCYCLE_DATABASE_URL", f"sqlite:///{desk.folder / 'first.db'}")
    answer = await desk.terminal.asks("labs", "receive", desk.labs(), "--json")
    assert (answer.code, answer.document["error"]) == (5, "NoRecord")
    assert not (desk.folder / "first.db").exists()


async def test_a_document_is_not_kept_in_the_record_of_another_ward(
    desk: Desk, at_the_ward: pytest.MonkeyPatch
) -> None:
    other = await a_record(f"sqlite:///{desk.folder / 'other.db'}")
    at_the_ward.setenv("INOCYCLE_DATABASE_URL", f"sqlite:///{desk.folder / 'other.db'}")
    for words in (["labs", "receive", desk.labs()], ["inbox"], ["board"], ["worklist"]):
        answer = await desk.terminal.asks(*words, "--json")
        assert (answer.code, answer.document["error"]) == (3, "OtherInstallation")
    assert await inbox.everything(other) == ([], [])
    await other.dispose()


async def test_a_document_larger_than_a_door_takes_is_not_kept(desk: Desk) -> None:
    own, large = desk.labs(), desk.folder / "large.json"
    large.write_bytes(own.read_bytes().ljust(MAX_BYTES + 1))
    answer = await desk.terminal.asks("labs", "receive", large, own, "--json")
    assert (answer.code, answer.document["too_large"]) == (2, [str(large)])
    assert list(answer.document["received"]) == [str(own)]
    assert (await desk.terminal.asks("labs", "receive", desk.folder / "none.json", "--json")).code == 2


async def test_on_a_ward_nobody_is_believed(desk: Desk, at_the_ward: pytest.MonkeyPatch) -> None:
    at_the_ward.setenv("INOCYCLE_MODE", "ward")
    at_the_ward.delenv("INOCYCLE_PAYLOAD_KEY_FILE")
    for words in (["labs", "receive", desk.labs()], ["inbox", "retry"]):
        assert (await desk.terminal.asks(*words, "--json")).code in (2, 3)
