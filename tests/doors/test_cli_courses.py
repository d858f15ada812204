"""The command line against a real server with a worker: start, look, list, labs, commands, refusals, nobody there."""

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from demo import bundles
from demo.driver import Clock
from models.facts import LabResult
from plumbing.keys import TEST_SUBJECT_KEY, KeyRing, RecordKey, SubjectKey
from plumbing.settings import ROOT
from record.reader import list_courses
from tests.conftest import MANY_LOOKS, Ward
from tests.doors.conftest import Answer, Terminal
from tests.factories import ARTICLE, LABEL

PATIENT = ROOT / "docs" / "examples" / "patient.json"
IDENTIFIER = json.loads(PATIENT.read_text())["identifier"]
BIRTH_ON = json.loads(PATIENT.read_text())["birth_on"]
ids = count(1)


@pytest.fixture
async def course(open_ward: Ward, terminal: Terminal, at_the_ward: pytest.MonkeyPatch) -> str:
    """A course on the label, just started from the command line."""
    return await started(terminal, LABEL)


async def started(terminal: Terminal, protocol: str, *more: object) -> str:
    course_id = f"course-cli-{os.getpid()}-{next(ids)}"
    words = ["--protocol", protocol, "--patient", PATIENT, "--by", "prescriber:p-1", "--id", course_id, "--json"]
    words += ["--another-course", "each test has its own"]
    answer = await terminal.asks("course", "start", *words, *more)
    assert answer.code == 0, answer.err
    assert answer.document["course_id"] == course_id
    return course_id


async def does(terminal: Terminal, course: str, command: str, *words: object, by: str = "nurse:n-1") -> Answer:
    return await terminal.asks("do", course, command, *words, "--by", by, "--json")


async def shown(terminal: Terminal, course: str, *more: str) -> Any:
    answer = await terminal.asks("course", "show", course, "--json", *more)
    assert answer.code == 0, answer.err
    return answer.document


def a_bundle(folder: Path, name: str = "labs.json", **changes: Any) -> Path:
    file = folder / name
    identifier = {**IDENTIFIER, **changes}
    file.write_bytes(bundles.bundle(identifier, BIRTH_ON, datetime.now(UTC), bundles.NORMAL))
    return file


# --- Starting and looking


async def test_a_course_is_started_shown_and_listed(course: str, terminal: Terminal) -> None:
    document = await shown(terminal, course)
    assert (document["assessment"]["state"], document["assessment"]["verdict"]) == ("screening", "NEED_DATA")
    assert document["status"]["protocol"]["name"] == LABEL
    card = (await terminal.asks("course", "show", course)).out
    for words in (
        course,
        "NEED_DATA for C1D1",
        "state screening",
        "CONSENT",
        "may be given now: record_finding",
        "UTC)",
    ):
        assert words in card
    assert course in {row["course_id"] for row in (await listed(terminal, "--state", "screening"))}
    (row,) = [row for row in await listed(terminal) if row["course_id"] == course]
    assert (row["state"], row["verdict"], row["cycle"], row["protocol"]) == ("screening", "NEED_DATA", 1, LABEL)
    assert course not in {row["course_id"] for row in (await listed(terminal, "--state", "held"))}


async def test_a_course_that_has_gone_over_into_another_run_is_listed_once_also_when_it_has_ended(
    course: str, terminal: Terminal, open_ward: Ward
) -> None:
    assert (await does(terminal, course, "finish_dosing", "reason=declined", by="prescriber:p-1")).code == 0
    await Clock(open_ward.client, course).advance(timedelta(days=2))
    assert str(await open_ward.client.get_workflow_handle(course).result()).startswith("completed")
    for _ in range(100):  # the server's index comes a little later
        rows = [row for row in await listed(terminal) if row["course_id"] == course]
        if [row["status"] for row in rows] == ["completed"]:
            break
    assert [(row["status"], row["workflow_type"], row["state"]) for row in rows] == [
        ("completed", "LiverMonitoring", "completed")
    ]


async def listed(terminal: Terminal, *more: str) -> list[dict[str, Any]]:
    """The list once the server's index, which comes a little later, has caught up with the newest course."""
    for _ in range(100):
        answer = await terminal.asks("course", "list", "--json", *more)
        rows: list[dict[str, Any]] = answer.document
        if all(row["state"] for row in rows):
            return rows
    raise AssertionError("the list does not catch up")


async def test_the_identity_stays_at_the_door(course: str, terminal: Terminal, open_ward: Ward) -> None:
    chart = (await shown(terminal, course, "--chart"))["chart"]
    assert chart["course"]["subject_hash"].startswith(f"{TEST_SUBJECT_KEY.key_id}:")
    history = await open_ward.client.get_workflow_handle(course).fetch_history()
    for told in (IDENTIFIER["value"], IDENTIFIER["system"]):
        assert told not in json.dumps(chart)
        assert told not in history.to_json()


async def test_the_same_id_is_not_started_twice(course: str, terminal: Terminal) -> None:
    words = ["--protocol", LABEL, "--patient", PATIENT, "--by", "prescriber:p-1", "--id", course, "--json"]
    answer = await terminal.asks("course", "start", *words, "--another-course", "the same once more")
    assert (answer.code, answer.document["error"]) == (3, "CourseExists")


async def test_a_second_course_of_a_patient_is_begun_only_with_a_reason_which_is_kept(
    course: str, open_ward: Ward, terminal: Terminal
) -> None:
    for _ in range(MANY_LOOKS):
        await open_ward.courses.settled(course)
        if course in {c.course_id for c in await list_courses(open_ward.engine)}:
            break
    words = ["--protocol", LABEL, "--patient", PATIENT, "--by", "prescriber:p-1", "--json"]
    refused = await terminal.asks("course", "start", *words)
    assert (refused.code, refused.document["error"]) == (3, "AnotherIsOpen")
    assert course in refused.err
    assert "--another-course REASON" in refused.err
    second = await terminal.asks("course", "start", *words, "--another-course", "a relapse")
    document = await shown(terminal, second.document["course_id"], "--chart")
    assert document["chart"]["course"]["another_because"] == "a relapse"


async def test_a_stop_of_another_course_goes_along_and_is_said(
    open_ward: Ward, terminal: Terminal, at_the_ward: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """COR-02: what stopped the drug for good in one course of a patient holds in the next, and who begins it reads so."""
    somebody = json.loads(PATIENT.read_text())
    somebody["identifier"]["value"] += "-stopped"
    patient = tmp_path / "patient.json"
    patient.write_text(json.dumps(somebody))
    words = ["--protocol", LABEL, "--patient", patient, "--by", "prescriber:p-1", "--json"]
    first = (await terminal.asks("course", "start", *words)).document["course_id"]
    assert (await does(terminal, first, "judge_vod", "judgement=confirmed", by="physician:ph-1")).code == 0
    assert (await does(terminal, first, "close_course", "reason=transfer", "receiver=B", by="physician:ph-1")).code == 0
    for _ in range(MANY_LOOKS):
        if any(c.course_id == first and c.state == "closed" for c in await list_courses(open_ward.engine)):
            break
        await open_ward.courses.status(first)
    second = await terminal.asks("course", "start", *words, "--another-course", "a relapse")
    assert second.document["stopped_before"] == [{"course_id": first, "rule": "NON-01"}]
    document = await shown(terminal, second.document["course_id"])
    assert [f for f in document["assessment"]["findings"] if f["rule"] == "EU-04" and first in f["reason"]]


async def test_the_patient_in_a_bundle_is_no_complaint_in_every_answer(
    course: str, terminal: Terminal, tmp_path: Path
) -> None:
    drawn_at = datetime.now(UTC) - timedelta(minutes=1)
    file = tmp_path / "labs.json"
    file.write_bytes(
        bundles.bundle(IDENTIFIER, BIRTH_ON, drawn_at, {a: bundles.NORMAL[a] for a in bundles.LIVER_PANEL})
    )
    said = (await terminal.asks("labs", "send", course, file)).out
    assert "no result: Patient" in said
    assert "NotAnObservation" not in said


async def test_the_article_starts_with_all_its_divergences_acknowledged(
    open_ward: Ward, terminal: Terminal, at_the_ward: pytest.MonkeyPatch
) -> None:
    reasons = [w for d in ("DIV-01", "DIV-03", "DIV-07") for w in ("--acknowledge", f"{d}=as the article says")]
    document = await shown(terminal, await started(terminal, ARTICLE, *reasons), "--chart")
    assert document["assessment"]["divergences"] == ["DIV-01", "DIV-03", "DIV-07"]
    assert {a["reason"] for a in document["chart"]["course"]["acknowledged"]} == {"as the article says"}


async def test_an_unknown_course_is_not_found(course: str, terminal: Terminal) -> None:
    for words in (["course", "show", "course-none"], ["do", "course-none", "hold", "reason=x", "--by", "nurse:n-1"]):
        answer = await terminal.asks(*words, "--json")
        assert (answer.code, answer.document["error"]) == (6, "NoSuchCourse")


async def test_a_server_laid_out_for_the_demo_is_no_ward(
    course: str, terminal: Terminal, at_the_ward: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    KeyRing.generate().write(tmp_path / "payload-keys")
    SubjectKey.generate().write(tmp_path / "subject-key")
    RecordKey.generate().write(tmp_path / "record-key")
    at_the_ward.setenv("INOCYCLE_RECORD_KEY_FILE", str(tmp_path / "record-key"))
    at_the_ward.setenv("INOCYCLE_MODE", "ward")
    at_the_ward.setenv("INOCYCLE_PAYLOAD_KEY_FILE", str(tmp_path / "payload-keys"))
    at_the_ward.setenv("INOCYCLE_SUBJECT_KEY_FILE", str(tmp_path / "subject-key"))
    answer = await terminal.asks("course", "list", "--json")
    assert (answer.code, answer.document["error"]) == (3, "NamespaceMismatch")


# --- Results


async def test_a_bundle_becomes_results_of_the_course(course: str, terminal: Terminal, tmp_path: Path) -> None:
    answer = await terminal.asks("labs", "send", course, a_bundle(tmp_path), "--json")
    assert answer.code == 0, answer.err
    (sent,) = answer.document["files"].values()
    assert [entry["type"] for entry in sent["refused"]] == ["NotAnObservation"]
    facts = (await shown(terminal, course, "--chart"))["chart"]["facts"]
    assert [f["what"]["kind"] for f in facts] == [LabResult.model_fields["kind"].default] * len(bundles.NORMAL)
    assert {f["message"] for f in facts} == {sent["messages"][0]["id"]}
    assert {(f["by"]["role"], f["by"]["id"]) for f in facts} == {("laboratory", "cli")}


async def test_results_of_somebody_else_are_refused_and_the_others_sent(
    course: str, terminal: Terminal, tmp_path: Path
) -> None:
    own, other = a_bundle(tmp_path), a_bundle(tmp_path, "other.json", value="X-9999")
    answer = await terminal.asks("labs", "send", course, other, own, "--json")
    assert answer.code == 3
    files = answer.document["files"]
    assert files[str(other)]["messages"] == []
    assert "SubjectMismatch" in {entry["type"] for entry in files[str(other)]["refused"]}
    assert len(files[str(own)]["messages"]) == 1
    facts = (await shown(terminal, course, "--chart"))["chart"]["facts"]
    assert len(facts) == len(bundles.NORMAL)
    table = (await terminal.asks("labs", "send", course, other)).out
    assert "SubjectMismatch" in table
    assert "X-9999" not in table


async def test_a_file_that_is_no_result_is_named(course: str, terminal: Terminal, tmp_path: Path) -> None:
    garbled = tmp_path / "garbled.json"
    garbled.write_text("{")
    for file, refusal in ((garbled, "BadJson"), (PATIENT, "NotFhir")):
        answer = await terminal.asks("labs", "send", course, file)
        assert (answer.code, refusal in answer.out, "sent" in answer.out) == (2, True, False)


async def test_another_subject_key_is_said_to_be_the_fault(
    course: str, terminal: Terminal, at_the_ward: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at_the_ward.delenv("INOCYCLE_SUBJECT_KEY_FILE")
    answer = await terminal.asks("labs", "send", course, a_bundle(tmp_path), "--json")
    assert (answer.code, answer.document["error"]) == (2, "OtherSubjectKey")


# --- Commands


async def test_a_command_is_answered_with_its_receipt(course: str, terminal: Terminal) -> None:
    answer = await does(terminal, course, "record_finding", "finding.kind=weight", "finding.kg=70")
    assert answer.code == 0, answer.err
    assert (answer.document["state"], answer.document["verdict"]) == ("screening", "NEED_DATA")
    facts = (await shown(terminal, course, "--chart"))["chart"]["facts"]
    assert [(f["by"]["id"], f["what"]) for f in facts] == [("n-1", {"kind": "weight", "kg": "70"})]


async def test_the_same_message_twice_has_one_effect_and_other_content_is_refused(
    course: str, terminal: Terminal
) -> None:
    words = ["record_finding", "finding.kind=weight", "--message-id", "m-weight"]
    first = await does(terminal, course, *words, "finding.kg=70")
    again = await does(terminal, course, *words, "finding.kg=70")
    assert first.document == again.document
    other = await does(terminal, course, *words, "finding.kg=71")
    assert (other.code, other.document["error"]) == (3, "MessageIdReused")
    assert len((await shown(terminal, course, "--chart"))["chart"]["facts"]) == 1


async def test_a_statement_may_lie_in_the_past(course: str, terminal: Terminal) -> None:
    at = datetime.now(UTC) - timedelta(hours=3)
    words = ["finding.kind=consent", "finding.given=true", "--at", at.isoformat()]
    assert (await does(terminal, course, "record_finding", *words, by="physician:ph-1")).code == 0
    (fact,) = (await shown(terminal, course, "--chart"))["chart"]["facts"]
    assert datetime.fromisoformat(fact["at"]) == at


async def test_a_refusal_is_a_card_with_every_rule_and_what_clears_it(course: str, terminal: Terminal) -> None:
    answer = await does(terminal, course, "authorise_dose", "cycle=1", "day=1", by="prescriber:p-1")
    assert answer.code == 3
    assert answer.document["error"] == "DoseGateClosed"
    rules = {f["rule"]: f for f in answer.document["refusal"]["findings"]}
    assert rules["CONSENT"]["clears"] == "record the patient's consent"
    for words in ("REFUSED (DoseGateClosed)", "CONSENT", "clears with record the patient's consent", "site default"):
        assert words in answer.err


async def test_a_dose_asked_for_too_early_names_the_earliest_instant_at_the_site(
    course: str, terminal: Terminal
) -> None:
    given = ["cycle=1", "day=1", "mg=1.45", "--at", (datetime.now(UTC) - timedelta(hours=5)).isoformat()]
    assert (await does(terminal, course, "record_administration", *given)).code == 0
    answer = await does(terminal, course, "authorise_dose", "cycle=1", "day=8", by="prescriber:p-1")
    assert (answer.code, answer.document["error"]) == (3, "TooEarly")
    earliest = answer.document["refusal"]["earliest_at"]
    assert datetime.fromisoformat(earliest) > datetime.now(UTC) + timedelta(days=4)
    line = next(line for line in answer.err.splitlines() if line.startswith("at the earliest"))
    assert " CE" in line  # in the course's zone: CET or CEST
    assert "UTC)" in line


async def test_a_role_that_may_not_is_refused(course: str, terminal: Terminal) -> None:
    answer = await does(terminal, course, "authorise_dose", "cycle=1", "day=1", by="nurse:n-1")
    assert (answer.code, answer.document["error"]) == (3, "RoleNotAllowed")


# --- Nobody there


async def test_without_a_worker_a_command_is_not_confirmed_and_says_how_to_repeat_it(
    terminal: Terminal, at_the_ward: pytest.MonkeyPatch
) -> None:
    at_the_ward.setenv("INOCYCLE_TASK_QUEUE", "nobody-works-here")
    course = await started(terminal, LABEL)
    words = ["finding.kind=weight", "finding.kg=70", "--wait", "0.5", "--message-id", "m-lost"]
    answer = await does(terminal, course, "record_finding", *words)
    assert (answer.code, answer.document["error"], answer.document["message_id"]) == (4, "NotConfirmed", "m-lost")
    assert "Repeat it with --message-id m-lost" in answer.err
    answer = await does(terminal, course, "record_finding", "finding.kind=weight", "finding.kg=70", "--wait", "0.5")
    made_up = answer.document["message_id"]
    assert answer.code == 4
    assert f"Repeat it with --message-id {made_up}" in answer.err
    for look in (["course", "show", course], ["labs", "send", course, PATIENT]):
        answer = await terminal.asks(*look, "--wait", "0.5", "--json")
        assert (answer.code, answer.document["error"]) == (5, "NoAnswer")
        assert "Traceback" not in answer.err
