"""What README and docs say is true: drawn parts as the code draws them, links, commands; and no trace of one machine."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import typer

from cli import app as cli
from clinical.states import may_follow
from demo.__main__ import app as demo_app
from demo.patients import CLARA, LABORATORY
from intake.fhir import read_fhir
from intake.outcome import ExpectedSubject
from models.assessment import CourseState
from plumbing.keys import TEST_SUBJECT_KEY, birth_hash, subject_hash
from plumbing.settings import Settings, _variable
from tools import redraw

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATH_IN_CODE_TYPE = r"`([\w.-]+(?:/[\w.-]+)*(?:\.(?:py|toml|md|json|yml|lock|mod)|/))`"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def our_files() -> list[Path]:
    """What is under version control, or will be with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"NOT TESTED: these files are under no version control ({error})")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def fenced_commands(text: str) -> Iterator[str]:
    """The lines of code blocks that call `inocycle`, also inside of other commands."""
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        yield from (found.strip() for found in re.findall(r"(?:^|\$\()(inocycle [^|)\n]+)", block, re.MULTILINE))


# --- Drawn parts


@pytest.mark.parametrize("document", redraw.DRAWN)
def test_a_drawn_part_is_as_the_code_draws_it(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert redraw.redrawn(text, redraw.DRAWN[document]) == text, f"{document} differs from the code: run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_marked_part_has_somebody_who_draws_it(document: Path) -> None:
    marked = redraw.parts_marked(document.read_text(encoding="utf-8"))
    assert marked == set(redraw.DRAWN.get(named(document), {}))


def test_every_state_is_in_the_diagram() -> None:
    drawn = re.findall(r"(?<= )(\w+)(?= -->|$)", redraw.state_diagram(), re.MULTILINE)
    assert set(CourseState) - set(drawn) == set()


def test_every_drawn_step_may_be_taken() -> None:
    steps = re.findall(r"^ +(\w+) --> (\w+)$", redraw.state_diagram(), re.MULTILINE)
    states = set(CourseState)
    between_states = [(a, b) for a, b in steps if a in states and b in states]
    assert len(between_states) > 20
    assert [(a, b) for a, b in between_states if not may_follow(CourseState(a), CourseState(b))] == []


def test_a_part_without_its_two_markers_is_a_fault() -> None:
    for text in ("nothing", "<!-- x:begin -->\n", "<!-- x:end -->\n<!-- x:begin -->\n", "<!-- x:begin -->\n" * 2):
        with pytest.raises(redraw.NotDrawn):
            redraw.redrawn(text, {"x": lambda: "drawn"})


# --- Links and commands


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_linked_file_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    files = [link.partition("#")[0] for link in links if not re.match(r"https?:|#", link)]
    assert [file for file in files if not (document.parent / file).exists()] == []


def headings(document: Path) -> set[str]:
    """The anchors of a document's headings, as its readers' pages make them."""
    lines = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_linked_heading_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]*)#([^)\s]+)\)", document.read_text(encoding="utf-8"))
    ours = [(document.parent / file if file else document, part) for file, part in links if "://" not in file]
    assert [f"{file}#{part}" for file, part in ours if part not in headings(file)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_file_named_in_code_type_exists(document: Path) -> None:
    paths = re.findall(PATH_IN_CODE_TYPE, document.read_text(encoding="utf-8"))
    there = [f"/{named(file)}" for file in our_files()]
    named_here = [path for path in paths if not path.startswith("var/")]
    assert [path for path in named_here if not any(f"/{path}" in file for file in there)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_make_command_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = set(re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE))
    assert told - targets == set()


def test_the_readme_tells_the_two_commands_first() -> None:
    first_block = README.partition("```sh\n")[2].partition("```")[0]
    assert re.findall(r"^make \w+", first_block, re.MULTILINE) == ["make run", "make test"]
    assert "Not a medical device" in README.partition("```sh\n")[0]


@pytest.mark.parametrize("line", sorted({c for d in DOCUMENTS for c in fenced_commands(d.read_text(encoding="utf-8"))}))
def test_every_command_line_that_is_told_exists(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0])[1:]
    passed_on = {"demo": [], "up": ["up"]}
    app, words = (demo_app, passed_on[words[0]] + words[1:]) if words[0] in passed_on else (cli.app, words)
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]  # type: ignore[attr-defined]
    assert not hasattr(command, "commands"), f"there is no such command: {line}"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} - known - {"--help"} == set()


@pytest.mark.parametrize("line", [c for c in fenced_commands(README) if c.split()[1] in ("assess", "protocol")])
def test_what_the_readme_asks_the_rules_is_answered(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.run(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out.strip()


def test_the_results_that_the_readme_sends_are_all_of_its_patient() -> None:
    [file] = set(re.findall(r"docs/examples/labs/\S+\.json", README))
    raw = (ROOT / file).read_text().replace("TIME", "2026-12-02T15:15:03Z").encode()
    key = TEST_SUBJECT_KEY
    mine = subject_hash(key, CLARA.identifier["system"], CLARA.identifier["value"])
    expected = ExpectedSubject(partial(subject_hash, key), partial(birth_hash, key), mine)
    read = read_fhir(raw, expected=expected, by=LABORATORY)
    assert [len(message.results) for message in read.messages] == [4]
    assert read.messages[0].birth_hash == birth_hash(key, CLARA.birth_on)
    assert [entry.resource_type for entry in read.refused] == ["Patient"]


# --- Settings


def settings_told() -> dict[str, str]:
    """Every variable that operations.md lists -> its default as told; one row may name a key in its two ways."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`INOCYCLE_\w+`(?:, `INOCYCLE_\w+`)*) \| (.*?) \|", text, re.MULTILINE)
    return {name: default.strip("`") for names, default in rows for name in re.findall(r"\w+", names)}


def test_operations_lists_every_setting_with_its_default() -> None:
    fields = {_variable(name): field for name, field in Settings.model_fields.items()}
    told = settings_told()
    assert set(told) == set(fields)
    plain = {name: f.default for name, f in fields.items() if isinstance(f.default, str | int | Path)}
    assert len(plain) > 10
    assert {name: told[name].lower() for name in plain} == {name: str(said).lower() for name, said in plain.items()}


# --- No trace of one machine


FOLDERS = ("work", "root", "home")
HOSTS = ("pypi" + ".org", "registry.npm" + "js", "proxy.golang" + ".org")  # in two pieces, for this file is read too
TRACE = re.compile(rf"(?<![\w.~-])/(?:{'|'.join(FOLDERS)})/|{'|'.join(map(re.escape, HOSTS))}")


def test_no_file_names_a_machine_path_or_a_registry() -> None:
    traces = [
        f"{named(file)}:{number}: {line.strip()[:100]}"
        for file in our_files()
        for number, line in enumerate(file.read_bytes().decode(errors="replace").splitlines(), start=1)
        if file.name != "go.sum" and TRACE.search(line)
    ]
    assert traces == []


@pytest.mark.parametrize("line", ["cp /" + "work/main/x .", "index-url = https://" + HOSTS[0], "(/" + "root/.cache)"])
def test_a_trace_is_seen(line: str) -> None:
    assert TRACE.search(line)


@pytest.mark.parametrize("line", ["docs/work/plan.md", "https://example.org/work-in-progress", "~/root/"])
def test_what_only_looks_like_a_trace_is_let_pass(line: str) -> None:
    assert not TRACE.search(line)
