"""`inocycle labs lint`: what of a laboratory's messages is understood, without a course, a key or a patient's value."""

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.answers import Exit
from cli.app import app
from plumbing.site_file import SiteFile
from tests.intake.builders import bundle, code, observation, patient, ucum

WORDS = {"system": "urn:invented:words"}


def lint(folder: Path, *resources: dict[str, Any], json_too: bool = True) -> tuple[int, Any]:
    file = folder / "labs.json"
    file.write_text(json.dumps(bundle(patient(), *resources)))
    found = CliRunner().invoke(app, ["labs", "lint", str(file), *(["--json"] if json_too else [])])
    return found.exit_code, json.loads(found.stdout) if json_too else found.stdout


def sent(loinc: str, unit: str, **fields: Any) -> dict[str, Any]:
    performer = [{"reference": "Organization/o", "display": "lab-a"}]
    quantity = {"value": 777, "unit": unit}
    return observation(loinc, valueQuantity=quantity, performer=performer, **fields)


def test_what_is_understood_is_said_and_all_is_well(tmp_path: Path) -> None:
    exit_code, found = lint(tmp_path, observation("2823-3", valueQuantity=ucum(4, "mmol/l")))
    assert exit_code == Exit.OK
    assert [(r["code"], r["understood"], r["what"], r["number"]) for r in found["results"]] == [
        ("2823-3", True, "potassium", 1)
    ]


def test_what_is_not_understood_is_said_with_its_reason_and_no_value(tmp_path: Path) -> None:
    local = {**observation(), "code": {"coding": [{"system": "urn:lab", "code": "GPT"}]}}
    exit_code, found = lint(
        tmp_path, sent("777-3", "K/uL"), sent("777-3", "Tsd"), local, sent("49999-9", "x", code=code("49999-9"))
    )
    assert exit_code == Exit.USAGE
    why = {(r["code"], r["unit"]): r["what"] for r in found["results"] if not r["understood"]}
    assert "not understood" in why["777-3", "K/uL"]
    assert "may be ALT" in why["none urn:lab|GPT", "U/L"]
    assert [r["type"] for r in found["refused"]] == ["NoLoinc"]
    assert "777 " not in json.dumps(found).replace("777-3", "")


def test_the_lines_to_sign_are_a_site_file_that_makes_the_words_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        sent("777-3", "K/uL"),
        sent("14631-6", "µmol/l", referenceRange=[{"high": {"value": 21, "unit": "µmol/l"}}]),
    ]
    _, found = lint(tmp_path, *words, sent("777-3", "Tsd"))
    aliases = SiteFile(found["site_toml"].encode()).site.senders["lab-a"].aliases
    assert aliases == {"K/uL": "10*3/uL", "µmol/l": "umol/L"}
    assert '# "Tsd" = "…"  # platelets: ask the laboratory' in found["site_toml"]
    site = tmp_path / "site.toml"
    site.write_text(found["site_toml"])
    assert tomllib.loads(site.read_text())
    monkeypatch.setenv("INOCYCLE_SITE_FILE", str(site))
    exit_code, found = lint(tmp_path, sent("777-3", "K/uL"))
    assert (exit_code, found["site_toml"]) == (Exit.OK, "")


def test_a_document_about_nobody_is_said_and_not_passed(tmp_path: Path) -> None:
    exit_code, words = lint(tmp_path, observation(subject=None), json_too=False)
    assert exit_code == Exit.USAGE
    assert "SubjectMissing" in words


def linted(file: Path) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["labs", "lint", str(file)])
    return found.exit_code, " ".join(found.stdout.split())


def test_codes_are_understood_though_the_patient_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "alone.json"
    file.write_text(json.dumps(observation("2823-3", valueQuantity=ucum(4, "mmol/l"))))
    exit_code, words = linted(file)
    assert exit_code == Exit.USAGE
    assert "2823-3 mmol/l 1 potassium" in words
    assert "no Patient with one certain identifier is in this document" in words


def test_a_file_without_any_result_says_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    file.write_text(json.dumps({"resourceType": "AuditEvent", "id": "a"}))
    exit_code, words = linted(file)
    assert exit_code == Exit.USAGE
    assert "document: AuditEvent: not read" in words
    assert words.endswith("nothing in it is a result")


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    document = bundle(patient(), observation("2823-3", valueQuantity=ucum(4, "mmol/l")))
    file = tmp_path / "labs.json.gz"
    file.write_bytes(gzip.compress(json.dumps(document).encode()))
    assert linted(file)[0] == Exit.OK
