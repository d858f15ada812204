"""The command line under a site's own file: its numbers decide, it is seen, and a faulty one is refused in words."""

from pathlib import Path

import pytest

from plumbing.settings import ROOT
from tests.doors.conftest import Answer, Terminal
from tests.factories import ARTICLE, EU, LABEL

EXAMPLES = ROOT / "docs" / "examples"
READY, AT = EXAMPLES / "c1d1-ready.json", "2026-03-02T09:00+01:00"


@pytest.fixture
def site_file(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The site file that the settings name; a test writes into it."""
    surroundings.setenv("INOCYCLE_SITE_FILE", str(tmp_path / "site.toml"))
    return tmp_path / "site.toml"


def asked(terminal: Terminal, command: str = "assess", at: str = AT) -> Answer:
    return terminal.types(command, READY, "--protocol", LABEL, "--at", at, "--json")


@pytest.mark.parametrize(
    ("numbers", "verdict", "rule"),
    [
        ("[liver]\nisolated_ast_alt_max = 0.5", "HOLD", "NON-08"),
        ("[limits]\nblasts_max = 0.5", "CYTOREDUCE", "CYT-02"),
        ("[limits]\nqtcf_max = 419\n[ages]\nliver = 24", "HOLD", "QT-02"),
        ("[limits]\nfever = 36.8", "HOLD", "MON-16"),
        ("[ages]\nliver = 1", "NEED_DATA", "DATA-01"),
    ],
)
def test_a_stricter_number_of_the_site_decides(
    terminal: Terminal, site_file: Path, numbers: str, verdict: str, rule: str
) -> None:
    site_file.write_text("")
    assert asked(terminal).document["verdict"] == "MAY_AUTHORISE"
    site_file.write_text(numbers)
    card = asked(terminal).document
    assert card["verdict"] == verdict
    assert rule in [f["rule"] for f in card["findings"] if f["verdict"] == verdict]
    explained = asked(terminal, "explain").document["assessment"]
    assert (explained["verdict"], explained["protocol"]) == (verdict, LABEL)


def test_the_shown_protocol_says_which_number_is_the_site_s_own(terminal: Terminal, site_file: Path) -> None:
    site_file.write_text("[limits]\nfever = 37.8\n")
    fever = terminal.types("protocol", "show", LABEL, "--json").document["limits"]["fever"]
    assert (fever["value"], fever["source"], fever["confidence"]) == ("37.8", "site", "proposed")
    listed = terminal.types("protocol", "list", "--json").document
    assert len({row["site_sha256"] for row in listed} - {None}) == 1


def test_two_protocols_under_one_site_file_differ_as_they_did(terminal: Terminal, site_file: Path) -> None:
    site_file.write_text("")
    before = terminal.types("protocol", "diff", ARTICLE, LABEL, "--json").document["differences"]
    site_file.write_text("[limits]\nfever = 37.8\n[ages]\nliver = 36\n")
    assert terminal.types("protocol", "diff", ARTICLE, LABEL, "--json").document["differences"] == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[liver]\nisolated_ast_alt_max = 3", "3 xULN is looser than 2.5: a site may only tighten"),
        (b"[regimen]\ncycle1_d1 = 0.5", "regimen.cycle1_d1 is not for a site to change"),
        (b"[limits]\nfevr = 37", "the protocol has no number limits.fevr"),
        (b"[limits", "site file: "),
        (b"\xff", "site file: "),
        (None, "site file site.toml: No such file or directory"),
    ],
    ids=["looser", "a dose", "misspelt", "not TOML", "not UTF-8", "missing"],
)
@pytest.mark.parametrize("command", ["assess", "explain"])
def test_a_faulty_site_file_decides_nothing(
    terminal: Terminal, site_file: Path, content: bytes | None, words: str, command: str
) -> None:
    if content is not None:
        site_file.write_bytes(content)
    answer = asked(terminal, command)
    assert (answer.code, "verdict" in answer.out, "Traceback" in answer.err) == (2, False, False)
    assert words in answer.out + answer.err


def test_a_number_that_is_looser_than_one_protocol_refuses_only_that_one(terminal: Terminal, site_file: Path) -> None:
    site_file.write_text("[eligible]\nmin_age_years = 16\n")
    assert asked(terminal).document["verdict"] == "MAY_AUTHORISE"
    refused = terminal.types("assess", READY, "--protocol", EU, "--at", AT)
    assert (refused.code, "looser than 18" in refused.err) == (2, True)
