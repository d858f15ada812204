"""`inocycle explain` and `inocycle protocol diff --charts`: why not, what would open it, and which decisions differ."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plumbing.settings import ROOT
from tests.doors.conftest import Terminal
from tests.factories import ARTICLE, D1, EU, LABEL, ChartBuilder, PaperCourse

EXAMPLES = ROOT / "docs" / "examples"
H, DAY = timedelta(hours=1), timedelta(days=1)
D8 = D1 + 7 * DAY


def written(folder: Path, builder: ChartBuilder | PaperCourse, name: str = "chart.json") -> Path:
    chart = builder.chart() if isinstance(builder, ChartBuilder) else builder.chart
    file = folder / name
    file.write_text(chart.model_dump_json())
    return file


def blocked(document: Any, command: str) -> Any:
    return next(b for b in document["blocked"] if b["command"] == command)


def explained(terminal: Terminal, file: Path, at: Any, protocol: str = LABEL) -> Any:
    answer = terminal.types("explain", file, "--protocol", protocol, "--at", at.isoformat(), "--json")
    assert answer.code == 0, answer.err
    return answer.document


def test_a_held_dose_says_what_would_clear_it(terminal: Terminal, tmp_path: Path) -> None:
    file = written(tmp_path, ChartBuilder().ready().dose(1, 1, D1).ready_again(D8, alt="160"))
    document = explained(terminal, file, D8)
    assert document["assessment"]["verdict"] == "HOLD"
    found = blocked(document, "start_infusion")
    assert found["refusal"] == "DoseGateClosed"
    assert [need["rule"] for need in found["needs"]] == ["NON-08"]
    assert "137.5" in found["needs"][0]["clears"]
    assert found["opens_by_itself_at"] is None
    assert "override" in document["may"]


def test_what_is_too_early_says_when_at_the_earliest(terminal: Terminal, tmp_path: Path) -> None:
    at = D1 + 3 * DAY
    document = explained(terminal, written(tmp_path, ChartBuilder().ready().dose(1, 1, D1).ready_again(at)), at)
    found = blocked(document, "authorise_dose")
    assert (found["refusal"], found["earliest_at"]) == ("TooEarly", "2026-03-08T02:00:00Z")


def test_what_time_alone_opens_is_found_by_letting_time_go_by(terminal: Terminal, tmp_path: Path) -> None:
    """Premedication given five minutes ago: in 25 minutes the start opens, while nobody does anything."""
    course = PaperCourse(ChartBuilder().ready(D1), D1).authorised().prepared().premedicated()
    at = course.later(minutes=5).now
    found = blocked(explained(terminal, written(tmp_path, course), at), "start_infusion")
    assert found["opens_by_itself_at"] == "2026-03-02T08:30:00Z"
    assert {need["rule"] for need in found["needs"]} == {"PRE-07"}


def test_every_command_is_either_open_or_explained(terminal: Terminal) -> None:
    from models.messages import COMMANDS

    document = explained(terminal, EXAMPLES / "c1d8-liver-hold.json", D8)
    assert {*document["may"], *(b["command"] for b in document["blocked"])} == set(COMMANDS)


def test_the_card_for_a_person_groups_commands_that_wait_for_the_same(terminal: Terminal) -> None:
    at = D8.isoformat()
    answer = terminal.types("explain", EXAMPLES / "c1d8-liver-hold.json", "--protocol", LABEL, "--at", at)
    assert "authorise_dose, verify_dose, start_infusion" in answer.out
    assert answer.out.count("one panel with bilirubin") == 2, "once on the card, once for the three commands"


def test_two_protocols_decide_the_first_dose_differently_and_the_eighth_day_alike(
    terminal: Terminal, tmp_path: Path
) -> None:
    written(tmp_path, ChartBuilder().ready(), "first.json")
    written(tmp_path, ChartBuilder().ready().dose(1, 1, D1).ready_again(D8), "second.json")
    (tmp_path / "note.json").write_text(json.dumps({"no": "chart"}))
    answer = terminal.types("protocol", "diff", LABEL, ARTICLE, "--charts", tmp_path, "--json")
    charts = answer.document["charts"]
    assert (charts["compared"], [d["chart"] for d in charts["decisions"]]) == (2, ["first.json"])
    assert charts["decisions"][0]["a"]["dose"].startswith("0.8 mg/m2")
    assert charts["decisions"][0]["b"]["dose"].startswith("0.5 mg/m2")
    assert list(charts["not_read"]) == ["note.json"]


def test_what_only_the_eu_asks_makes_the_decision_differ(terminal: Terminal, tmp_path: Path) -> None:
    written(tmp_path, ChartBuilder().ready(), "not-asked.json")
    written(tmp_path, ChartBuilder(EU).ready(), "all-answered.json")
    rows = terminal.types("protocol", "diff", LABEL, EU, "--charts", tmp_path, "--json").document["charts"]["decisions"]
    [row] = rows
    assert (row["chart"], row["a"]["verdict"], row["b"]["verdict"]) == ("not-asked.json", "MAY_AUTHORISE", "NEED_DATA")
    assert set(row["b"]["rules"]) == {"EU-02", "EU-03", "EU-04"}


def test_the_comparison_for_a_person_names_chart_and_both_decisions(terminal: Terminal) -> None:
    answer = terminal.types("protocol", "diff", LABEL, ARTICLE, "--charts", EXAMPLES)
    assert "are decided differently" in answer.out
    assert "c1d1-ready.json" in answer.out
    said = " ".join(answer.out.split())
    assert "patient.json cannot be read: it is no chart, but a patient file" in said


def test_a_folder_without_charts_is_an_error(terminal: Terminal, tmp_path: Path) -> None:
    answer = terminal.types("protocol", "diff", LABEL, ARTICLE, "--charts", tmp_path)
    assert (answer.code, "holds no chart file" in answer.err) == (2, True)


@pytest.mark.parametrize("missing", ["--protocol", "--at"])
def test_explain_asks_for_what_it_needs(terminal: Terminal, missing: str) -> None:
    given = {"--protocol": LABEL, "--at": D8.isoformat()}
    words = [w for option, value in given.items() if option != missing for w in (option, value)]
    assert terminal.types("explain", EXAMPLES / "c1d8-liver-hold.json", *words).code == 2
