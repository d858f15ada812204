"""Worklist, board and links on the command line, over the invented ward that `make run` lays out, on a real server."""

import asyncio
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from rich.text import Text

from cli import ward as ward_door
from cli.answers import Exit, Failed
from demo import tour
from demo.__main__ import app as demo_app
from demo.layout import MID_STORY, Beds, Layout
from demo.patients import PRESCRIBER
from plumbing.keys import TEST_SUBJECT_KEY
from plumbing.settings import Mode
from record.ward import Ward as WardOnRecord
from record.watch import Difference, Unwatched
from tests.conftest import TASK_QUEUE, Ward, until_written
from tests.doors.conftest import Terminal
from tests.laid_out import a_record

Laid = Mapping[str, str]
"""Invented patient -> course."""


@pytest.fixture(scope="module")
async def laid_out(open_ward: Ward, tmp_path_factory: pytest.TempPathFactory) -> Laid:
    """The six patients in the middle of their stories, laid out at the same time."""
    layout = Layout(tmp_path_factory.mktemp("ward") / "laid-out")
    beds = Beds(open_ward.client, open_ward.engine, TASK_QUEUE, TEST_SUBJECT_KEY, lambda _: None)
    bedsides = await asyncio.gather(*(beds.lay_out(bed, layout) for bed in MID_STORY))
    for bedside in bedsides:
        await until_written(bedside)
    return {
        bed.course_id.removeprefix("course-"): bedside.course_id
        for bed, bedside in zip(MID_STORY, bedsides, strict=True)
    }


@pytest.fixture
def ward_terminal(terminal: Terminal, laid_out: Laid, at_the_ward: pytest.MonkeyPatch) -> Terminal:
    """A terminal on this ward."""
    return terminal


async def shown(terminal: Terminal, *words: object) -> Any:
    answer = await terminal.asks(*words, "--json")
    assert answer.code == 0, answer.err
    return answer.document


# --- The board


async def test_the_six_patients_are_in_six_different_troubles(ward_terminal: Terminal, laid_out: Laid) -> None:
    document = await shown(ward_terminal, "board")
    rows = {row["course_id"]: row for row in document["open"]}
    mine = {name: rows[course_id] for name, course_id in laid_out.items()}
    assert {name: (row["state"], row["verdict"], row["owner"]) for name, row in mine.items()} == {
        "bernd": ("dose_adjustment", "MAY_AUTHORISE", "prescriber"),
        "clara": ("liver_monitoring", "NO_DOSE_DUE", "coordinator"),
        "dora": ("held", "HOLD", "prescriber"),
        "emil": ("labs", "NEED_DATA", "coordinator"),
        "frieda": ("observation", "NO_DOSE_DUE", "nurse"),
        "gerd": ("liver_monitoring", "DISCONTINUED", "coordinator"),
    }
    assert mine["clara"]["overdue"] == ["liver test, day 7 after transplant"]
    assert (mine["dora"]["rule"], mine["gerd"]["rule"]) == ("NON-08", "NON-05")
    assert not any(row["outdated"] for row in mine.values())


async def test_every_course_has_its_own_date(ward_terminal: Terminal, laid_out: Laid) -> None:
    document = await shown(ward_terminal, "board")
    now = {row["course_id"]: datetime.fromisoformat(row["now"]) for row in document["open"]}
    wall = datetime.now(UTC)
    assert abs(now[laid_out["bernd"]] - wall) < timedelta(minutes=10)
    assert now[laid_out["clara"]] - wall > timedelta(days=8)
    assert timedelta(days=6) < now[laid_out["dora"]] - wall < timedelta(days=9)
    text = (await ward_terminal.asks("board", "--once")).out
    clara = now[laid_out["clara"]].astimezone(ZoneInfo("Europe/Berlin"))
    assert f"{clara:%a %Y-%m-%d}" in text


async def test_the_board_says_overdue_by_word_and_shape_and_how_old_its_rows_are(ward_terminal: Terminal) -> None:
    text = (await ward_terminal.asks("board", "--once")).out
    assert "▲ OVERDUE   coordinator" in text
    assert "with something OVERDUE" in text
    assert re.search(r"from the record, read \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text)
    assert re.search(r"as of \w{3} \d\d \w{3} \d\d:\d\d, \d+ (s|min) ago", text)


async def test_worklist_and_board_need_no_temporal(
    ward_terminal: Terminal, at_the_ward: pytest.MonkeyPatch, laid_out: Laid
) -> None:
    at_the_ward.setenv("INOCYCLE_TEMPORAL_ADDRESS", "127.0.0.1:1")
    for command in ("board", "worklist"):
        answer = await ward_terminal.asks(command)
        assert (answer.code, laid_out["dora"] in answer.out) == (0, True)


async def test_a_course_that_has_come_to_its_end_stands_below_the_line(ward_terminal: Terminal, ward: Ward) -> None:
    bedside = await ward.course("us-label-2024.1")
    reason = "the patient declines"
    await bedside.into_next_run(bedside.do("finish_dosing", PRESCRIBER, reason=reason))
    await bedside.clock.advance(timedelta(days=2))
    await ward.handle(bedside).result()
    document = await shown(ward_terminal, "board")
    assert bedside.course_id in {row["course_id"] for row in document["over"]}
    text = (await ward_terminal.asks("board")).out
    assert re.search(rf"^{bedside.course_id}   completed .* decisions", text.partition("───")[2], re.MULTILINE)


# --- The worklist


async def test_each_line_has_owner_due_overdue_and_what_clears_it(ward_terminal: Terminal, laid_out: Laid) -> None:
    items = (await shown(ward_terminal, "worklist"))["items"]
    mine = {name: [i for i in items if i["course_id"] == course_id] for name, course_id in laid_out.items()}
    assert all(mine.values())
    [late] = [i for i in mine["clara"] if i["standing"] == "overdue"]
    assert (late["owner"], late["rule"], late["harm"]) == ("coordinator", "MON-03", "liver_test")
    assert late["clears"] == "a complete liver panel: ALT, AST, total bilirubin, ALP"
    assert datetime.fromisoformat(late["overdue_at"]) < datetime.fromisoformat(late["now"])
    assert [i["what"].partition(" – ")[0] for i in mine["bernd"]] == ["C1D1: authorise the dose"]
    assert [i["what"].partition(" – ")[0] for i in mine["dora"]] == ["C1D8: look at what holds the dose"]
    assert "observation-C1D1" in {i["key"] for i in mine["frieda"]}


async def test_overdue_comes_first_then_the_observation_then_the_held_dose(
    ward_terminal: Terminal, laid_out: Laid
) -> None:
    items = (await shown(ward_terminal, "worklist"))["items"]
    first = {}
    for place, item in enumerate(items):
        first.setdefault(item["course_id"], place)
    order = sorted(laid_out, key=lambda name: first[laid_out[name]])
    assert order == ["clara", "emil", "frieda", "dora", "gerd", "bernd"]


async def test_a_role_sees_its_own_items(ward_terminal: Terminal, laid_out: Laid) -> None:
    for role, names in (("prescriber", {"bernd", "dora"}), ("nurse", {"frieda"}), ("pharmacist", set())):
        document = await shown(ward_terminal, "worklist", "--role", role)
        assert {i["course_id"] for i in document["items"]} & set(laid_out.values()) == {laid_out[n] for n in names}
        assert {i["owner"] for i in document["items"]} <= {role, "physician"}


def test_a_role_that_nobody_has_is_said(terminal: Terminal) -> None:
    answer = terminal.types("worklist", "--role", "surgeon", "--json")
    assert (answer.code, "coordinator" in answer.document["message"]) == (2, True)


# --- The record as it may be


@pytest.mark.parametrize("command", ["worklist", "board"])
def test_without_a_record_that_is_said_and_none_is_made(bare_terminal: Terminal, tmp_path: Path, command: str) -> None:
    answer = bare_terminal.types(command, "--json")
    assert (answer.code, answer.document["error"]) == (5, "NoRecord")
    assert not (tmp_path / "var").exists()


def test_a_database_that_does_not_answer_is_said_without_its_address(
    terminal: Terminal, surroundings: pytest.MonkeyPatch
) -> None:
    surroundings.setenv("INOCYCLE_DATABASE_URL", "postgresql://someone:secret@127.0.0.1:1/record")
    answer = terminal.types("board", "--json")
    assert (answer.code, answer.document["error"]) == (5, "RecordUnreachable")
    assert "secret" not in answer.out + answer.err


async def test_the_record_of_a_ward_is_not_shown_as_a_demo(
    terminal: Terminal, surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await (await a_record(f"sqlite:///{tmp_path / 'ward.db'}", Mode.WARD)).dispose()
    surroundings.setenv("INOCYCLE_DATABASE_URL", f"sqlite:///{tmp_path / 'ward.db'}")
    answer = await terminal.asks("board", "--json")
    assert (answer.code, answer.document["error"]) == (3, "ModeMismatch")


async def test_while_the_record_is_away_the_last_screen_stays_and_says_so() -> None:
    answers: list[WardOnRecord | Failed] = [
        WardOnRecord(read_at=datetime.now(UTC), courses=()),
        Failed(Exit.UNREACHABLE, "RecordUnreachable", "the record cannot be read"),
    ]

    async def look() -> WardOnRecord:
        found = answers.pop(0)
        if isinstance(found, Failed):
            raise found
        return found

    seen = ward_door.screens(look, lambda _: Text("the ward"))
    first, second = await anext(seen), await anext(seen)
    await seen.aclose()  # type: ignore[attr-defined]
    assert str(first) == "the ward"
    assert [str(part) for part in second.renderables] == [  # type: ignore[union-attr]
        "▲ the record cannot be read; what follows is the last that was read",
        "the ward",
    ]


def test_what_nobody_watches_stands_above_everything_else_and_so_does_that_nobody_looks() -> None:
    now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    nobodys = Unwatched(course_id="course-x", kind=Difference.NO_EXECUTION, noticed_at=now, how="terminated")
    ward = WardOnRecord(read_at=now, courses=(), unwatched=(nobodys,), swept_at=now - timedelta(hours=3))
    console = Console(file=StringIO(), width=200)
    console.print(ward_door.board_screen(ward))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.strip() for line in lines if line.startswith("▲")] == [
        "▲ course-x: nobody watches this course: its execution was terminated",
        "▲ no worker has looked after the courses since 2026-03-02 05:00 UTC, 3 h ago: start one",
    ]


# --- Links


async def test_every_link_is_a_query_that_the_server_answers(
    ward_terminal: Terminal, open_ward: Ward, laid_out: Laid
) -> None:
    rows = await shown(ward_terminal, "links")
    for row in rows:
        assert parse_qs(urlsplit(row["url"]).query) == {"query": [row["query"]]}
    expected = {
        "held": {"dora"},
        "held for the liver": {"dora"},
        "urgent": set(),
        "overdue": {"clara", "emil"},
        "due": {"clara", "dora", "emil", "frieda", "gerd"},
        "ready to authorise": {"bernd"},
        "waiting for labs": {"emil"},
        "at the bedside": {"frieda"},
        "in monitoring": {"clara", "gerd"},
        "problems": set(),
        "broken off": set(),
    }
    assert {row["name"] for row in rows} == set(expected)
    for row in rows:
        wanted = {laid_out[name] for name in expected[row["name"]]}
        for _ in range(100):  # the server's index comes a little later
            found = {w.id async for w in open_ward.client.list_workflows(row["query"])} & set(laid_out.values())
            if found == wanted:
                break
        assert found == wanted, row


def test_on_one_clock_what_is_due_is_one_condition() -> None:
    wall = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    due = {
        link.name: link.query for link in ward_door.queries(wall, {"course-1": timedelta(), "course-2": timedelta()})
    }
    assert due["due"] == 'NextDueAt <= "2026-03-03T08:00:00Z" AND ExecutionStatus = "Running"'


def test_links_need_no_record(terminal: Terminal) -> None:
    answer = terminal.types("links")
    assert (answer.code, "\nThe wall clock is taken for every course." in answer.err) == (0, True)
    assert "http://127.0.0.1:8233/namespaces/default/workflows?query=CourseState%20%3D%20%22held%22" in answer.out


# --- The tour


async def ended_with(terminal: Terminal, words: list[str]) -> int:
    """The exit code of one command; the demo's are another door."""
    if words[0] != "demo":
        return (await terminal.asks(*words)).code
    code = await asyncio.to_thread(demo_app, words[1:], standalone_mode=False)
    return int(code or 0)


async def test_the_commands_of_the_tour_do_what_it_says(
    ward_terminal: Terminal, laid_out: Laid, at_the_ward: pytest.MonkeyPatch
) -> None:
    path = tour.steps(lambda name: laid_out[name.removeprefix("course-")], "var")
    commands = [command for step in path for command in step.commands]
    typed = [shlex.split(c)[1:] for c in commands if re.match(r"inocycle (?!labs)", c)]
    codes = [await ended_with(ward_terminal, words) for words in typed]
    refused = [words[2:4] for words, code in zip(typed, codes, strict=True) if code == Exit.REFUSED]
    assert refused == [["authorise_dose", "--by"], ["authorise_dose", "--by"]]
    assert set(codes) == {Exit.OK, Exit.REFUSED}
    [checking] = [
        i
        for i in (await shown(ward_terminal, "worklist", "--role", "pharmacist"))["items"]
        if i["course_id"] == laid_out["bernd"]
    ]
    assert checking["clears"] == "verify_dose"
