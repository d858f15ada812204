"""The page that a pharmacist signs: every clause is on it, what is not covered stands first, nothing becomes markup."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from plumbing.protocol_files import pin_of, released_names
from tools import proof, proof_facts, proof_html, proof_text
from tools.proof_facts import Checked, Held, Proof, Searched, gathered
from tools.rule_trace import all_clauses, not_decided

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def facts() -> Proof:
    return gathered("2026-12-01")


@pytest.mark.parametrize("page", [proof_html.page, proof_text.page], ids=["html", "text"])
def test_both_pages_hold_every_clause_hash_and_date(page: object, facts: Proof) -> None:
    assert callable(page)
    text = page(facts)
    assert [clause for clause in all_clauses() if clause not in text] == []
    assert [name for name in released_names() if pin_of(name).sha256 not in text] == []
    assert "2026-12-01" in text
    assert [why for why in not_decided().values() if why.split()[0] not in text] == []


def test_what_is_not_covered_stands_before_what_is(facts: Proof) -> None:
    html, text = proof_html.page(facts), proof_text.page(facts)
    assert html.index("What is not covered") < html.index('class="clause"')
    assert text.index("NOT COVERED") < text.index("DECIDED BY FUNCTIONS")
    assert any("proposals" in heading for heading, _ in facts.gaps)


def test_nothing_from_outside_becomes_markup_and_nothing_is_fetched(facts: Proof) -> None:
    held = Held(HOSTILE, ("NON-02",), HOSTILE, HOSTILE)
    checked = Checked((held,), (held,), (Searched(HOSTILE, (HOSTILE,)),), (HOSTILE,))
    page = proof_html.page(replace(facts, checked=checked, code=HOSTILE, gaps=[(HOSTILE, [HOSTILE])]))
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert not [fetched for fetched in ("src=", "<link", "url(", "http:", "https:", "@import") if fetched in page]


def test_the_results_of_the_checker_are_read_and_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_facts, "RESULTS", tmp_path)
    monkeypatch.setattr(proof_facts, "_listed", lambda name, *_: _listed(name))
    assert len(gathered("2026-12-01").checked.missing) == 2
    violation = {"invariant": "six days", "clauses": ["DAY-03"], "words": "given after five days", "story": []}
    row = {"protocol": "p", "scope": "full", "looked": "1,200 states", "seconds": 1.0, "violations": [violation]}
    (tmp_path / "result.json").write_text(json.dumps({"ok": False, "searches": [row]}))
    killed = {"mutant": "window 5", "clauses": ["DAY-03"], "words": "w", "killed_by": "six days", "story": 4}
    (tmp_path / "mutants.json").write_text(
        json.dumps({"ok": False, "mutants": [killed, {**killed, "mutant": "lost", "killed_by": None}]})
    )
    found = gathered("2026-12-01")
    assert [m.outcome for m in found.checked.mutants] == ["noticed by: six days", "SURVIVED", "not run"]
    gaps = dict(found.gaps)
    assert gaps["An invariant of the checker was broken"] == ["six days: given after five days"]
    assert gaps["A planted bug that nothing noticed"] == ["lost: words"]
    assert "1,200 states" in proof_html.page(found)


def _listed(name: str) -> tuple[Held, ...]:
    names = ("six days",) if name == "INVARIANTS" else ("window 5", "lost", "never run")
    return tuple(Held(n, ("DAY-03",), "words") for n in names)


def test_the_command_writes_both_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert proof.main(["--date", "2026-12-01", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "proof.txt"}
    assert "index.html" in capsys.readouterr().out
