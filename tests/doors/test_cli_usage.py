"""The command line without a server: protocols, what starting a course asks for, words of a command, exit codes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli import app as cli
from cli.answers import failure_of
from intake.command_words import read_command, read_words
from intake.written import NotReadable
from models.facts import Toxicity, Weight
from models.messages import COMMANDS, RecordFinding, RecordPreparation, ReportReaction, ResolveUnreadable, StartInfusion
from plumbing.dev_server import DevServer, DevServerFailed, free_port
from plumbing.keys import TEST_RECORD_KEY, KeyRing, RecordKey, SubjectKey
from plumbing.settings import ROOT
from tests.doors.conftest import Answer, Terminal
from tests.factories import ARTICLE, EU, LABEL
from tests.laid_out import a_record

PATIENT = ROOT / "docs" / "examples" / "patient.json"
DIVERGENCES = ("DIV-01", "DIV-03", "DIV-07")
HEADER = {"id": "m-1", "by": "nurse:n-1", "course_id": "course-1"}


# --- Protocols


def test_the_released_protocols_are_listed(terminal: Terminal) -> None:
    listed = terminal.types("protocol", "list", "--json").document
    assert [(p["name"], p["extends"], tuple(p["divergences"])) for p in listed] == [
        (ARTICLE, LABEL, DIVERGENCES),
        (EU, LABEL, ()),
        (LABEL, None, ()),
    ]


def test_the_article_differs_from_the_label_in_three_numbers_and_three_rules(terminal: Terminal) -> None:
    answer = terminal.types("protocol", "diff", ARTICLE, LABEL, "--json")
    assert answer.code == 0
    rows = [(r["path"], r["divergence"], r["clauses"]) for r in answer.document["differences"]]
    assert rows == [
        ("regimen.cycle1_d1", "DIV-01", ["DIV-01", "DOSE-01"]),
        ("regimen.cycle1_length", "DIV-03", ["DIV-03", "DOSE-05"]),
        ("premedication.mandatory", "DIV-07", ["DIV-07", "PRE-02"]),
        ("rules.DOSE-01", "DIV-01", ["DOSE-01"]),
        ("rules.PRE-07", "DIV-07", ["PRE-07"]),
        ("rules.DIV-03", "DIV-03", ["DIV-03"]),
    ]
    first = answer.document["differences"][0]
    assert (first["a"], first["b"]) == ("0.5 mg/m2", "0.8 mg/m2")


def test_the_difference_is_a_table_with_the_clauses(terminal: Terminal) -> None:
    lines = terminal.types("protocol", "diff", LABEL, ARTICLE).out.splitlines()
    assert lines[0].split() == ["path", LABEL, ARTICLE, "clause", "divergence"]
    row = next(line for line in lines if line.startswith("regimen.cycle1_length"))
    assert row.split() == ["regimen.cycle1_length", "21", "d", "28", "d", "DOSE-05", "/", "DIV-03", "DIV-03"]


EU_DIFFERS = {
    "eligible.min_age_years": ("1 years", "18 years", ["DOSE-11", "EU-01"]),
    "eligible.tki_failure_required": ("false", "true", ["EU-02"]),
    "eligible.cd22_percent_required": ("false", "true", ["EU-03"]),
    "eligible.history_contraindicates": ("false", "true", ["EU-04"]),
    "prompts.hydrate_and_lower_urate": ("false", "true", ["EU-05"]),
    "preparation.vial_labelled": ("0.9 mg", "1 mg", ["EU-06"]),
    "preparation.vial_content": ("0.9 mg (verified, us-label)", "0.9 mg (unverified, label-unread)", ["VIAL-01"]),
    "risk.age_high": ("55 years (verified, smpc)", "55 years (verified, smpc-2023)", ["RISK-02", "EU-08"]),
    "risk.age_higher": ("65 years (verified, smpc)", "65 years (verified, smpc-2023)", ["RISK-02", "EU-08"]),
    "limits.haem_persist_proposes": ("true", "false", ["HEM-02", "EU-07"]),
    "prompts.resuscitation_at_hand": ("false", "true", ["EU-10"]),
}


def test_the_eu_text_differs_from_the_label_with_both_values_and_clauses_and_no_divergence(terminal: Terminal) -> None:
    rows = terminal.types("protocol", "diff", LABEL, EU, "--json").document["differences"]
    assert {r["path"]: (r["a"], r["b"], r["clauses"]) for r in rows if not r["path"].startswith("rules.")} == EU_DIFFERS
    assert {r["divergence"] for r in rows} == {None}
    assert [r["path"] for r in rows if r["path"].startswith("rules.")] == ["rules.EU-04"]


def test_a_protocol_does_not_differ_from_itself(terminal: Terminal) -> None:
    assert terminal.types("protocol", "diff", LABEL, LABEL, "--json").document["differences"] == []


def test_every_number_of_a_protocol_is_shown_with_its_clause(terminal: Terminal) -> None:
    shown = terminal.types("protocol", "show", LABEL).out
    row = next(line for line in shown.splitlines() if line.startswith("liver.isolated_ast_alt_max"))
    assert "2.5 xULN" in row
    assert "NON-08" in row
    assert "site default" in row
    assert terminal.types("protocol", "show", "no-such").code == 2


# --- Starting a course


def starting(terminal: Terminal, *more: object, patient: Path = PATIENT, by: str = "prescriber:p-1") -> Answer:
    return terminal.types("course", "start", "--patient", patient, "--by", by, "--json", *more)


def acknowledging(*divergences: str) -> list[str]:
    return [word for d in divergences for word in ("--acknowledge", f"{d}=agreed for an invented patient")]


def test_a_course_names_its_protocol(terminal: Terminal) -> None:
    answer = starting(terminal)
    assert answer.code == 2
    assert f"there is no default; released are: {ARTICLE}, {EU}, {LABEL}" in answer.document["message"]


def test_what_is_not_acknowledged_is_shown_with_what_it_changes(terminal: Terminal) -> None:
    answer = starting(terminal, "--protocol", ARTICLE, *acknowledging("DIV-03"))
    assert answer.code == 3
    assert answer.document["error"] == "DivergenceNotAcknowledged"
    changed = {(d["divergence"], d["path"]): (d["a"], d["b"]) for d in answer.document["divergences"]}
    assert changed["DIV-01", "regimen.cycle1_d1"] == ("0.5 mg/m2", "0.8 mg/m2")
    assert changed["DIV-03", "regimen.cycle1_length"] == ("28 d", "21 d")
    assert {d for d, _ in changed} == set(DIVERGENCES)
    assert 'acknowledge each with a reason: --acknowledge DIV-01="…"' in answer.err


@pytest.mark.parametrize(
    ("more", "by", "refusal"),
    [
        (acknowledging(*DIVERGENCES), "nurse:n-1", "RoleNotAllowed"),
        (acknowledging("DIV-01", "DIV-03"), "prescriber:p-1", "DivergenceNotAcknowledged"),
        (acknowledging(*DIVERGENCES, "DIV-99"), "prescriber:p-1", "UnknownDivergence"),
    ],
)
def test_a_start_is_refused_before_anything_is_asked_of_temporal(
    terminal: Terminal, more: list[str], by: str, refusal: str
) -> None:
    answer = starting(terminal, "--protocol", ARTICLE, *more, by=by)
    assert (answer.code, answer.document["error"]) == (3, refusal)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "Jane"}, "name: is not a known field"),
        ({"identifier": {"system": "urn:x", "value": "1", "type": "MR"}}, "identifier.type: is not a known field"),
        ({"identifier": {"system": "urn:x"}}, "identifier.value: is missing"),
        ({"identifier": {"system": "urn:x", "value": " "}}, "identifier.value: String should have at least 1"),
        ({"birth_on": "15.01.1981"}, "birth_on: "),
        ({"birth_on": None}, "birth_on: "),
        ({"child_bearing_potential": "no"}, "child_bearing_potential: "),
    ],
)
def test_a_fault_in_the_patient_is_named_and_no_value_repeated(
    terminal: Terminal, tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    file = tmp_path / "patient.json"
    file.write_text(json.dumps({**json.loads(PATIENT.read_text()), **changed}))
    answer = starting(terminal, "--protocol", LABEL, patient=file)
    assert answer.code == 2
    assert [fault for fault in answer.document["faults"] if fault.startswith(words)]
    assert "Jane" not in answer.err
    assert "Traceback" not in answer.err


def test_a_zone_that_does_not_exist_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "patient.json"
    file.write_text(json.dumps({**json.loads(PATIENT.read_text()), "zone": "Europe/Atlantis"}))
    answer = starting(terminal, "--protocol", LABEL, patient=file)
    assert (answer.code, answer.document["error"]) == (3, "UnknownZone")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--acknowledge", "DIV-01"], "--acknowledge: 'DIV-01' is not of the form"),
        (["--acknowledge", "DIV-01= "], "--acknowledge: 'DIV-01= ' is not of the form"),
        (["--id", "Jane Roe"], "--id: letters, digits"),
    ],
)
def test_an_option_that_cannot_be_read_is_bad_usage(terminal: Terminal, more: list[str], words: str) -> None:
    answer = starting(terminal, "--protocol", LABEL, *more)
    assert (answer.code, words in answer.document["message"]) == (2, True)


# --- The words of a command


def test_a_point_leads_into_an_object_and_a_word_becomes_what_its_field_asks_for() -> None:
    weight = read_command("record_finding", ["finding.kind=weight", "finding.kg=70.50"], HEADER)
    assert isinstance(weight, RecordFinding)
    assert isinstance(weight.finding, Weight)
    assert str(weight.finding.kg) == "70.50"
    words = ["finding.kind=toxicity", "finding.term=7", "finding.grade=2", "finding.attributed_to_ino=no"]
    graded = read_command("record_finding", words, HEADER)
    assert isinstance(graded, RecordFinding)
    assert graded.finding == Toxicity(term="7", grade=2, attributed_to_ino=False)


def test_a_repeated_key_is_a_list_and_so_is_json() -> None:
    slot = ["cycle=1", "day=8", "preparation_id=12"]
    repeated = read_command("start_infusion", [*slot, "identifiers_checked=number", "identifiers_checked=a, b"], HEADER)
    written = read_command("start_infusion", [*slot, 'identifiers_checked=["number", "a, b"]'], HEADER)
    assert isinstance(repeated, StartInfusion)
    assert (repeated.day, repeated.preparation_id) == (8, "12")
    assert repeated.identifiers_checked == ("number", "a, b")
    assert repeated == written
    assert repeated.update_id() == written.update_id()


def test_one_value_for_a_list_is_a_list_of_one_and_json_keeps_its_digits() -> None:
    words = ["target=f3", "outcome=transcribed", "reason=read by phone", 'values={"loinc": "1742-6", "value": 38.50}']
    resolved = read_command("resolve_unreadable", words, HEADER)
    assert isinstance(resolved, ResolveUnreadable)
    assert [str(v.value) for v in resolved.values] == ["38.50"]


def test_a_time_keeps_its_zone() -> None:
    words = ["preparation_id=p", "reconstituted_at=2026-03-02T09:00+01:00", "mg=0.91", "vials=2"]
    made = read_command("record_preparation", words, HEADER)
    assert isinstance(made, RecordPreparation)
    assert made.reconstituted_at.isoformat() == "2026-03-02T08:00:00+00:00"


@pytest.mark.parametrize(
    ("command", "words", "fault"),
    [
        ("record_finding", ["finding.kind=weight"], "finding.kg: is missing"),
        ("record_finding", ["finding.kind=weight", "finding.kg=heavy"], "finding.kg: should be a number"),
        ("record_finding", ["finding.kg=70"], "finding: needs a kind"),
        ("record_finding", ["finding.kind=wait", "finding.kg=70"], "finding: its kind is not known; known are: "),
        (
            "record_finding",
            ["finding.kind=weight", "finding.kg=70", "finding.lb=1"],
            "finding.lb: is not a known field",
        ),
        ("record_finding", [], "finding: is missing"),
        ("verify_dose", ["cycle=1", "day=9", "mg=0.91"], "day: Input should be 1, 8 or 15"),
        ("verify_dose", ["cycle=one", "day=8", "mg=0.91"], "cycle: Input should be a valid integer"),
        ("verify_dose", ["cycle=1", "day=8", "mg=0.91", "mg=0.92"], "mg: should be a number"),
        ("hold", ["reason="], "reason: String should have at least 1 character"),
        ("hold", ["reason"], "'reason' is not of the form key=value"),
        ("hold", ["Reason=x"], "'Reason=x' is not of the form key=value"),
        ("hold", ["reason=x", "by=prescriber:p-1"], "by: is given by --by"),
        ("hold", ["reason=x", "course_id=other"], "course_id: is given by the course named before the command"),
        ("hold", ["reason={"], "reason: not JSON"),
        ("hold", ["reason=x", "reason.more=y"], "reason.more: reason is given as a whole already"),
        ("hold", ["reason.more=y", "reason=x"], "reason: reason is given in parts already"),
        ("record_responce", [], "no command is named 'record_responce'; did you mean record_response?"),
        ("record_preparation", ["reconstituted_at=2026-03-02T09:00"], "reconstituted_at: a time needs a zone"),
        ("interrupt_infusion", ["infused_ml=-1e15"], "infused_ml: a number of 0 to 10000"),
        ("end_observation", [f"note={'n' * 2001}"], "note: at most 2000 characters"),
        ("hold", [f"reason={'x' * 2001}"], "reason: String should have at most 2000 characters"),
    ],
)
def test_a_fault_in_a_command_names_its_field(command: str, words: list[str], fault: str) -> None:
    with pytest.raises(NotReadable) as raised:
        read_command(command, words, HEADER)
    assert any(line.startswith(fault) for line in raised.value.faults), raised.value.faults


def test_a_long_identifier_made_elsewhere_is_hashed_and_not_refused() -> None:
    reaction = read_command("report_reaction", [f"reaction_id={'r' * 300}", "symptoms=chills"], HEADER)
    assert isinstance(reaction, ReportReaction)
    assert reaction.reaction_id.startswith("sha256:")


def test_words_that_begin_like_json_are_json() -> None:
    assert read_words(['a="{"', "b=0.50", "c.d=1"]) == {"a": "{", "b": "0.50", "c": {"d": "1"}}


def test_a_command_that_cannot_be_read_is_bad_usage_and_needs_no_server(terminal: Terminal) -> None:
    answer = terminal.types("do", "course-1", "hold", "--by", "prescriber:p-1", "--json")
    assert (answer.code, answer.document["faults"]) == (2, ["reason: is missing"])
    assert answer.err == "inocycle: reason: is missing\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["do", "course-1", "hold", "reason=x"], "missing: --by"),
        (["do"], "missing: ID, COMMAND, --by"),
        (["do", "course-1", "hold", "reason=x", "--by", "prescriber"], "--by: 'prescriber' is not ROLE:ID"),
        (["do", "course-1", "hold", "reason=x", "--by", "cook:c-1"], "roles are prescriber, physician"),
        (["do", "course-1", "hold", "reason=x", "--by", "nurse:n-1", "--at", "2026-03-02T09:00"], "--at: "),
        (["course", "list", "--state", "holding"], "--state: 'holding' is no state; states are screening"),
        (["labs", "send", "course-1", "no-such-file.json"], "no-such-file.json cannot be read"),
        (["no-such-command"], "No such command"),
        (["assess"], "Missing argument"),
    ],
)
def test_bad_usage_is_said_in_words(terminal: Terminal, words: list[str], said: str) -> None:
    answer = terminal.types(*words)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_every_command_is_listed_with_roles_and_fields(terminal: Terminal) -> None:
    listed = {c["command"]: c for c in terminal.types("do", "--list", "--json").document}
    assert set(listed) == set(COMMANDS)
    assert listed["verify_dose"]["roles"] == ["pharmacist"]
    assert {f["name"]: f["required"] for f in listed["authorise_dose"]["fields"]} == {
        "cycle": True,
        "day": True,
        "mg": False,
        "level": False,
        "earlier_start_reason": False,
        "record_away_reason": False,
    }
    for_people = terminal.types("do", "--list").out
    assert "identifiers_checked*: list of text" in for_people
    assert "temperature_c: number" in for_people


# --- Modes, processes, exit codes


def test_a_ward_believes_nobody_who_only_says_who_they_are(
    terminal: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    KeyRing.generate().write(tmp_path / "payload-keys")
    SubjectKey.generate().write(tmp_path / "subject-key")
    RecordKey.generate().write(tmp_path / "record-key")
    surroundings.setenv("INOCYCLE_MODE", "ward")
    surroundings.setenv("INOCYCLE_RECORD_KEY_FILE", str(tmp_path / "record-key"))
    surroundings.setenv("INOCYCLE_PAYLOAD_KEY_FILE", str(tmp_path / "payload-keys"))
    surroundings.setenv("INOCYCLE_SUBJECT_KEY_FILE", str(tmp_path / "subject-key"))
    given = terminal.types("do", "course-1", "hold", "reason=x", "--by", "prescriber:p-1")
    started = starting(terminal, "--protocol", LABEL)
    sent = terminal.types("labs", "send", "course-1", PATIENT)
    for answer in (given, started, sent):
        assert answer.code == 3
        assert "refused in mode ward: nobody can sign in yet" in answer.err
    assert terminal.types("dev-server").code == 3


def test_without_a_server_it_says_where_it_looked(terminal: Terminal, surroundings: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    surroundings.setenv("INOCYCLE_TEMPORAL_ADDRESS", address)
    for words in (["course", "list"], ["course", "show", "course-1"]):
        answer = terminal.types(*words, "--json")
        assert (answer.code, answer.document["error"]) == (5, "TemporalUnreachable")
        assert address in answer.err


def test_a_misspelt_setting_is_bad_usage(terminal: Terminal, surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("INOCYCLE_MDOE", "ward")
    answer = terminal.types("course", "list")
    assert (answer.code, "INOCYCLE_MDOE" in answer.err) == (2, True)


def test_the_exit_codes_are_in_the_help(terminal: Terminal) -> None:
    answer = terminal.types("--help")
    assert answer.code == 0
    for line in ("0  done", "2  bad usage", "3  refused", "4  not confirmed", "5  Temporal", "6  no such course"):
        assert line in answer.out


@pytest.mark.parametrize(
    ("words", "becomes"),
    [
        (["up", "--fresh"], ["demo", "up", "--fresh"]),
        (["demo", "advance", "course-1", "--days", "7"], ["demo", "advance", "course-1", "--days", "7"]),
        (["demo", "--help"], ["demo", "--help"]),
        (["worker"], ["worker"]),
        (["codec-server"], ["codec_server"]),
    ],
)
def test_another_door_is_another_process(
    terminal: Terminal, surroundings: pytest.MonkeyPatch, words: list[str], becomes: list[str]
) -> None:
    became: list[list[str]] = []
    surroundings.setattr(cli.os, "execv", lambda _, line: became.append(line))
    assert terminal.types(*words).code == 0
    assert became == [[sys.executable, "-P", "-m", *becomes]]


def test_the_dev_server_says_where_it_is_and_ends_when_told(binary: Path, tmp_path: Path) -> None:
    port = free_port()
    script = "import sys; from cli import app as cli; cli.main()"
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("INOCYCLE_")}
    surroundings |= {"INOCYCLE_VAR_DIR": str(tmp_path), "INOCYCLE_TEMPORAL_BINARY": str(binary)}
    words = ["dev-server", "--port", str(port), "--ui-port", "0", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words], cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = "".join(iter(lambda: process.stdout.readline(), "}\n")) + "}"  # type: ignore[union-attr]
        about = json.loads(said)
        assert about == {"address": f"127.0.0.1:{port}", "web_ui": None, "skips_time": True}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert not _listens(port)


@pytest.mark.parametrize(
    ("setting", "value", "code", "words"),
    [
        ("INOCYCLE_TEMPORAL_ADDRESS", "127.0.0.1:1", 5, "No Temporal server answers at 127.0.0.1:1"),
        ("INOCYCLE_DATABASE_URL", "postgresql://ino:SECRET@127.0.0.1:1/ino", 5, "the database cannot be reached"),
        ("INOCYCLE_DATABASE_URL", "SECRET", 2, "the database address must begin with"),
        ("INOCYCLE_DATABASE_URL", "sqlite:////nowhere/record.db", 3, "There is no record here: no file"),
        ("INOCYCLE_MODE", "clinic", 2, "INOCYCLE_MODE"),
    ],
)
def test_a_worker_that_cannot_start_says_why(tmp_path: Path, setting: str, value: str, code: int, words: str) -> None:
    surroundings = {name: v for name, v in os.environ.items() if not name.startswith("INOCYCLE_")}
    surroundings |= {"INOCYCLE_VAR_DIR": str(tmp_path), setting: value}
    asyncio.run(_a_record_in(tmp_path))
    TEST_RECORD_KEY.write(tmp_path / "record-key")
    ended = subprocess.run(
        [sys.executable, "-m", "worker"], cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == code
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "SECRET" not in ended.stderr


async def _a_record_in(var_dir: Path) -> None:
    await (await a_record(f"sqlite:///{var_dir / 'inocycle.db'}")).dispose()


def test_a_dev_server_that_ends_by_itself_is_not_waited_for(tmp_path: Path) -> None:
    binary = tmp_path / "temporal"
    binary.write_text("#!/bin/sh\nexit 7\n")
    binary.chmod(0o755)
    server = DevServer(binary, port=free_port(), log_file=tmp_path / "log")
    server.start()
    with pytest.raises(DevServerFailed, match="ended with code 7"):
        _look_for(20, server)


def _look_for(seconds: float, server: DevServer) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        server.must_run()


def _listens(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex(("127.0.0.1", port)) == 0


COMMANDS_THAT_NEED_KEYS = {
    "worker": ("worker",),
    "course show": ("course", "show", "course-x"),
    "course list": ("course", "list"),
    "do": ("do", "course-x", "hold", "--by", "nurse:n-1", "reason=unwell"),
    "labs receive": (
        "labs",
        "receive",
        str(ROOT / "docs" / "examples" / "labs" / "clara-liver-panel.json"),
        "--by",
        "laboratory:lis",
    ),
    "course start": (
        "course",
        "start",
        "--patient",
        PATIENT,
        "--protocol",
        LABEL,
        "--by",
        "physician:p-1",
        "--id",
        "c-1",
    ),
    "init": ("init",),
}


@pytest.mark.parametrize("words", COMMANDS_THAT_NEED_KEYS.values(), ids=COMMANDS_THAT_NEED_KEYS)
def test_a_command_makes_up_no_key_in_the_place_of_one_that_is_gone(
    terminal: Terminal, tmp_path: Path, words: tuple[str, ...]
) -> None:
    var = tmp_path / "var"
    (var / "inocycle.db").touch()
    (var / "payload-keys").rename(var / "payload-keys.lost")
    answer = terminal.types(*words)
    assert (answer.code, answer.out) == (2, ""), answer.err
    assert "payload-keys back" in " ".join(answer.err.split())  # however the line was broken
    assert not (var / "payload-keys").exists()


def test_several_faults_stand_below_a_line_that_says_what_they_are() -> None:
    failure = failure_of(NotReadable("reason: is missing", "by: is missing"))
    assert failure is not None
    assert failure.words.splitlines() == ["this cannot be read:", "  reason: is missing", "  by: is missing"]
