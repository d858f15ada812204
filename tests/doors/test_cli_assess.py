"""`inocycle assess`: the examples of docs/chart.md as they stand there, and what is said of a file that cannot be read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plumbing.settings import ROOT
from tests.doors.conftest import Answer, Terminal
from tests.factories import ARTICLE, D1, EU, LABEL, ChartBuilder
from tools import redraw

EXAMPLES = ROOT / "docs" / "examples"
NOT_A_CHART = {"patient.json"}
AT_D1 = "2026-03-02T09:00+01:00"


class Example(NamedTuple):
    """One line of the table in docs/chart.md."""

    file: str
    protocol: str
    at: str
    state: str
    verdict: str
    rule: str
    mg: str


def examples() -> list[Example]:
    lines = (ROOT / "docs" / "chart.md").read_text().splitlines()
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if "T" in line]
    return [Example(*row[:7]) for row in rows if row[0].endswith(".json") and len(row) == 8]


def a_file(folder: Path, chart: Any) -> Path:
    file = folder / "chart.json"
    file.write_text(chart if isinstance(chart, str) else json.dumps(chart))
    return file


def a_chart(*facts: dict[str, Any], **course: Any) -> dict[str, Any]:
    return {"course": {"zone": "Europe/Berlin", "birth_on": "1981-01-15", **course}, "facts": list(facts)}


def a_weight(**what: Any) -> dict[str, Any]:
    return {"at": AT_D1, "by": "nurse:n-1", "what": {"kind": "weight", "kg": 70, **what}}


def an_alt(**more: Any) -> dict[str, Any]:
    what = {"kind": "lab_result", "loinc": "1742-6", "value": 30, "unit": "U/L", "uln": 55, "status": "final", **more}
    return {"by": "laboratory:lab-a", "what": what}


# --- The examples


@pytest.mark.parametrize("example", examples(), ids=lambda e: f"{e.file} {e.protocol} {e.at}")
def test_every_example_has_the_verdict_that_its_line_promises(terminal: Terminal, example: Example) -> None:
    answer = terminal.types(
        "assess", EXAMPLES / example.file, "--protocol", example.protocol, "--at", example.at, "--json"
    )
    assert answer.code == 0, answer.err
    card = answer.document
    assert (card["state"], card["verdict"]) == (example.state, example.verdict)
    assert (card["dose"] or {}).get("mg", "") == example.mg or not example.mg
    if example.rule:
        assert example.rule == next(f["rule"] for f in card["findings"] if f["verdict"] == example.verdict)


def test_every_example_file_has_a_line(terminal: Terminal) -> None:
    files = {file.name for file in EXAMPLES.glob("*.json")} - NOT_A_CHART
    assert {e.file for e in examples()} == files
    assert len(files) >= 8


def test_every_example_is_of_an_invented_patient() -> None:
    for file in EXAMPLES.glob("*.json"):
        document = json.loads(file.read_text())
        assert document.get("course", document)["invented"] is True, file.name


def test_the_answer_has_the_shape_that_is_documented(terminal: Terminal) -> None:
    card = example_card(terminal, "c1d1-ready.json", AT_D1).document
    assert {"state", "verdict", "findings", "dose", "obligations", "commands", "valid_until"} <= set(card)
    assert all(finding["rule"] for finding in card["findings"])
    assert card["dose"].items() >= {"mg_per_m2": "0.8", "bsa_m2": "1.818", "mg": "1.45", "ml": "5.80"}.items()
    assert (card["dose"]["vials"], card["dose"]["level"]) == (2, "L0")
    assert card["valid_until"] is not None
    assert {c["command"]: c["may"] for c in card["commands"]}["authorise_dose"] is True


def test_a_person_reads_the_same_as_a_card(terminal: Terminal) -> None:
    card = example_card(terminal, "c1d8-liver-hold.json", "2026-03-09T09:30+01:00", as_json=False).out
    for words in ("HOLD for C1D8", "state held", "NON-02", "2026-03-09 09:30 CET (08:30 UTC)", "clears with", "0.91"):
        assert words in card


def test_the_overdue_test_is_an_obligation_of_the_coordinator(terminal: Terminal) -> None:
    card = example_card(terminal, "transplant-test-overdue.json", "2026-05-28T13:00+02:00", ARTICLE).document
    due = next(o for o in card["obligations"] if o["key"] == "liver-test-after-transplant")
    assert max(card["obligations"], key=lambda o: o["due_at"])["key"] == "monitoring-ends"
    assert (due["key"], due["owner"], due["standing"]) == ("liver-test-after-transplant", "coordinator", "overdue")
    assert due["due_at"] == "2026-05-26T10:00:00Z"


def example_card(terminal: Terminal, file: str, at: str, protocol: str = LABEL, *, as_json: bool = True) -> Answer:
    answer = terminal.types(
        "assess", EXAMPLES / file, "--protocol", protocol, "--at", at, *(["--json"] if as_json else [])
    )
    assert answer.code == 0, answer.err
    return answer


@pytest.mark.parametrize("file", redraw.SIGNED)
def test_the_signature_of_an_example_is_bound_to_its_dose(file: str) -> None:
    text = (ROOT / file).read_text()
    assert redraw.signed_again(text, *redraw.SIGNED[file]) == text, (
        f"{file} was signed for another dose: run `make docs`"
    )


# --- What a file may leave out


def test_a_chart_that_the_service_printed_reads_back_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    chart = ChartBuilder(LABEL).ready().chart()
    answer = terminal.types(
        "assess", a_file(tmp_path, chart.model_dump_json()), "--protocol", LABEL, "--at", D1.isoformat(), "--json"
    )
    assert (answer.code, answer.document["verdict"]) == (0, "MAY_AUTHORISE")


def test_a_chart_without_facts_is_a_course_in_screening(terminal: Terminal, tmp_path: Path) -> None:
    assert assessed(terminal, tmp_path, a_chart()).document["state"] == "screening"


def test_digits_are_kept_and_text_is_a_number_too(terminal: Terminal, tmp_path: Path) -> None:
    chart = '{"course": {"zone": "UTC", "birth_on": "1981-01-15"}, "facts": [' + ", ".join(
        f'{{"at": "2026-03-02T08:00Z", "by": "nurse:n-1", "what": {{"kind": "{kind}", "{unit}": {number}}}}}'
        for kind, unit, number in (("height", "cm", '"170"'), ("weight", "kg", "70.10"))
    )
    dose = assessed(terminal, tmp_path, f"{chart}]}}", at="2026-03-02T09:00Z").document["dose"]
    assert (dose["weight_kg"], dose["height_cm"]) == ("70.10", "170")


def test_a_result_without_a_time_of_its_own_is_recorded_when_it_was_collected(
    terminal: Terminal, tmp_path: Path
) -> None:
    chart = a_chart(an_alt(collected_at="2026-03-02T07:00+01:00"))
    before = assessed(terminal, tmp_path, chart, at="2026-03-02T06:59+01:00").document
    after = assessed(terminal, tmp_path, chart, at="2026-03-02T07:00+01:00").document
    assert "ALT is missing" in reasons(before)
    assert "ALT is missing" not in reasons(after)


@pytest.mark.parametrize("collected_at", ["2026-03-02T07:00", "this morning", None])
def test_a_result_without_a_zone_is_kept_and_not_usable(
    terminal: Terminal, tmp_path: Path, collected_at: str | None
) -> None:
    answer = assessed(terminal, tmp_path, a_chart(an_alt(collected_at=collected_at)))
    assert answer.code == 0, answer.err
    assert "ALT: no collection time with a zone" in reasons(answer.document)


def test_a_chart_of_another_protocol_is_a_what_if_and_says_so(terminal: Terminal, tmp_path: Path) -> None:
    chart = json.loads((EXAMPLES / "c1d1-ready.json").read_text())
    chart["course"]["protocol"] = {"name": ARTICLE, "sha256": "0"}
    answer = assessed(terminal, tmp_path, chart)
    assert f"written for {ARTICLE}" in answer.err
    assert answer.document == example_card(terminal, "c1d1-ready.json", AT_D1).document


def test_facts_are_read_in_the_order_in_which_they_were_recorded(terminal: Terminal, tmp_path: Path) -> None:
    wrong = {**a_weight(kg=700), "id": "wrong"}
    correction = {
        "kind": "correction",
        "target": "wrong",
        "reason": "a slip",
        "replacement": {"kind": "weight", "kg": 70},
    }
    put_right = {"at": "2026-03-02T09:10+01:00", "by": "nurse:n-1", "what": correction}
    height = {"at": AT_D1, "by": "nurse:n-1", "what": {"kind": "height", "cm": 170}}
    chart = a_chart(put_right, wrong, height)
    card = assessed(terminal, tmp_path, chart, at="2026-03-02T10:00+01:00").document
    assert card["dose"]["weight_kg"] == "70"


# --- What cannot be read


@pytest.mark.parametrize(
    ("chart", "words"),
    [
        (a_chart(a_weight(), a_weight(kgs=1)), "facts[1].what.kgs: is not a known field; did you mean kg?"),
        (a_chart(a_weight(kg=None)), "facts[0].what.kg: should be a number"),
        (a_chart(a_weight(kg="heavy")), "facts[0].what.kg: should be a number"),
        (a_chart(a_weight(kind="wait")), "facts[0].what: its kind is not known; known are: 'lab_result'"),
        (a_chart({**a_weight(), "at": "2026-03-02T09:00"}), "facts[0].at: a time needs a zone"),
        (a_chart({**a_weight(), "at": 1772438400}), "facts[0].at: write the date and the time with its zone"),
        (a_chart({**a_weight(), "by": "nurse"}), "facts[0].by: an actor is written ROLE:ID"),
        (a_chart({**a_weight(), "by": "cook:c-1"}), "facts[0].by.role: Input should be 'prescriber'"),
        (a_chart({**a_weight(), "why": "x"}), "facts[0].why: is not a known field"),
        (a_chart({**a_weight(), "id": "a"}, {**a_weight(), "id": "a"}), "facts[1].id: 'a' is used before"),
        (a_chart({**a_weight(), "id": "f2"}, a_weight()), "facts[1].id: 'f2' is used before"),
        (
            a_chart({**a_weight(), "what": {"kind": "correction", "target": "f9", "reason": "x"}}),
            "facts[0].what.target: no fact has the id 'f9'",
        ),
        (a_chart({"by": "nurse:n-1", "what": {"kind": "weight", "kg": 70}}), "facts[0].at: is missing"),
        (a_chart(zone=None), "course.zone: Input should be a valid string"),
        (a_chart(berth_on="1981-01-15"), "course.berth_on: is not a known field; did you mean birth_on?"),
        ({"course": {"zone": "UTC"}, "facts": []}, "course.birth_on: is missing"),
        ({"facts": []}, "course: should be an object"),
        ({"course": {}, "facts": {}}, "facts: should be a list"),
        ({"course": {}, "fact": []}, "fact: is not a part of a chart"),
        ([], "a chart is an object"),
        ('{"course": {},, }', "not JSON: line 1, column 15"),
        ('{"course": NaN}', "NaN and Infinity are no numbers"),
        ('{"course": {"zone": "UTC", "zone": "UTC"}}', "an object names 'zone' twice"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_fault_is_named_with_its_place(terminal: Terminal, tmp_path: Path, chart: Any, words: str) -> None:
    answer = assessed(terminal, tmp_path, chart)
    assert answer.code == 2
    assert any(words in fault for fault in answer.document["faults"]), answer.document["faults"]
    assert len(answer.document["faults"]) == 1
    assert "Traceback" not in answer.err
    assert words[:60] in " ".join(answer.err.split())


@pytest.mark.parametrize("at", ["2026-03-02T09:00", "2026-03-02", "yesterday", ""])
def test_the_time_of_asking_needs_a_zone(terminal: Terminal, at: str) -> None:
    answer = terminal.types("assess", EXAMPLES / "c1d1-ready.json", "--protocol", LABEL, "--at", at)
    assert answer.code == 2
    assert "is not a time with a zone, such as 2026-03-02T09:00:00+01:00" in answer.err


def test_there_is_no_default_protocol(terminal: Terminal) -> None:
    answer = terminal.types("assess", EXAMPLES / "c1d1-ready.json", "--at", AT_D1)
    assert answer.code == 2
    assert f"there is no default; released are: {ARTICLE}, {EU}, {LABEL}" in answer.err


def test_an_unknown_protocol_and_a_missing_file_are_bad_usage(terminal: Terminal, tmp_path: Path) -> None:
    unknown = terminal.types("assess", EXAMPLES / "c1d1-ready.json", "--at", AT_D1, "--protocol", "us-label-1999")
    assert (unknown.code, "'us-label-1999' is not known" in unknown.err) == (2, True)
    missing = terminal.types("assess", tmp_path / "no.json", "--at", AT_D1, "--protocol", LABEL)
    assert (missing.code, "no.json cannot be read: No such file" in missing.err) == (2, True)


def test_assess_waits_neither_for_temporal_nor_for_a_database() -> None:
    script = (
        "import sys; from cli import app as cli; code = cli.run(sys.argv[1:]);"
        "print(code, sorted({'temporalio', 'sqlalchemy', 'cryptography', 'structlog'} & set(sys.modules)))"
    )
    words = ["assess", EXAMPLES / "c1d1-ready.json", "--protocol", LABEL, "--at", AT_D1, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def assessed(terminal: Terminal, folder: Path, chart: Any, at: str = AT_D1) -> Answer:
    return terminal.types("assess", a_file(folder, chart), "--protocol", LABEL, "--at", at, "--json")


def reasons(card: dict[str, Any]) -> list[str]:
    return [finding["reason"] for finding in card["findings"]]
