"""The site file: laid over a released protocol it may only tighten; a course pins it; a ward wants it signed."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities import beside
from activities.decide import Decider
from models.assessment import Verdict
from models.chart import Chart
from models.deciding import Ask, State
from models.protocol import Confidence, Entry
from models.record import Recorded
from models.site import SignOff
from plumbing.protocol_files import (
    ProtocolError,
    find_pinned,
    load_pinned,
    load_protocol,
    pin_of,
    released_names,
    signed_off,
)
from plumbing.settings import load_settings
from plumbing.site_file import SiteFile, read_site_file, read_site_files
from plumbing.site_settings import ROOT, SettingsRefused, load_site_settings
from tests.factories import ARTICLE, D1, LABEL, ChartBuilder

EXAMPLE = ROOT / "docs" / "examples" / "site.toml"
RELEASED = dict(load_protocol(LABEL).entries())
CHANGEABLE = {path: entry for path, entry in RELEASED.items() if entry.tighter}


def a_site(text: str) -> SiteFile:
    return SiteFile(text.encode())


def written(path: str, value: object) -> SiteFile:
    """A site file with one number."""
    section, name = path.rsplit(".", 1)
    return a_site(f"[{section}]\n{name} = {str(value).lower()}\n")


def effective(site: SiteFile, path: str, name: str = LABEL) -> Entry:
    return dict(load_protocol(name, site=site).entries())[path]


def refusal(site: SiteFile, name: str = LABEL) -> str:
    with pytest.raises(ProtocolError) as refused:
        load_protocol(name, site=site)
    return str(refused.value)


# ── only tighter ───────────────────────────────────────────────────────────────────────────────────────────────────


def steps(entry: Entry) -> Iterator[tuple[object, bool]]:
    """Values around a released one with whether a site may write them."""
    if isinstance(entry.value, bool):
        yield from ((entry.value, True), (not entry.value, not entry.value and entry.tighter == "higher"))
        return
    for step in (Decimal("-0.1"), Decimal(0), Decimal("0.1")):
        yield entry.number + step, step == 0 or (step > 0) == (entry.tighter == "higher")


@pytest.mark.parametrize("path", CHANGEABLE)
def test_a_site_may_make_a_number_stricter_and_never_looser(path: str) -> None:
    for value, allowed in steps(CHANGEABLE[path]):
        if allowed:
            assert effective(written(path, value), path).value == value
        else:
            assert f"{path} = " in refusal(written(path, value))
            assert "may only tighten" in refusal(written(path, value))


@pytest.mark.parametrize("path", [path for path, entry in RELEASED.items() if not entry.tighter and "[" not in path])
def test_a_number_without_a_direction_is_not_for_a_site_to_change(path: str) -> None:
    assert refusal(written(path, 1)) == f"site file: {path} is not for a site to change"


def test_a_changed_number_shows_the_site_as_its_source_and_keeps_unit_and_clause() -> None:
    changed, before = effective(written("limits.fever", "37.8"), "limits.fever"), RELEASED["limits.fever"]
    assert (changed.value, changed.source, changed.confidence) == (Decimal("37.8"), "site", Confidence.PROPOSED)
    assert (changed.unit, changed.clause) == (before.unit, before.clause)


def test_the_released_value_written_again_changes_nothing() -> None:
    assert effective(written("liver.ast_alt_max", "2.50"), "liver.ast_alt_max") == RELEASED["liver.ast_alt_max"]


def test_every_other_number_stays_as_it_was_released() -> None:
    site = written("limits.fever", "37.8")
    for name in released_names():
        ours, theirs = dict(load_protocol(name, site=site).entries()), dict(load_protocol(name).entries())
        assert {path for path in theirs if ours[path] != theirs[path]} == {"limits.fever"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nfevr = 37", "the protocol has no number limits.fevr"),
        ("[limit]\nfever = 37", "the protocol has no number limit.fever"),
        ("fever = 37", "fever is not for a site to change" if "fever" in RELEASED else "has no number fever"),
        ("[limits.fever]\nvalue = 37.5\nunit = 'K'", "limits.fever is given in Cel, not in K"),
        ("[limits.fever]\nvalue = 37.5\nclause = 'OURS'", "clause is not for a site to say"),
        ("[limits]\nfever = '37.5'", "37.5 is no number"),
        ("[limits]\nfever = true", "True is not a value of its kind"),
        ("[limits]\nfever = nan", "is no number"),
        ("[premedication]\nmandatory = 1", "1 is not a value of its kind"),
        ("[rules.'NON-02']\noverride = 'none'", "rules.NON-02.override"),
        ("name = 'ours'", "name is not for a site to change"),
        ("[aliases.lab-a]\n'K/uL' = '10*3/uL'", "no number aliases"),
        ("[senders.lab-a]\nunits = 1", "senders.lab-a.units"),
        ("[senders.lab-a.aliases]\n'K/uL' = 3", "senders.lab-a.aliases.K/uL"),
        ("[signed.x]\nsha256 = 'abc'", "signed.x"),
        ("[limits", "site file: "),
        ("a = 'ÿ'\n".encode("latin-1").decode("latin-1") + "\x00", "site file: "),
    ],
)
def test_a_site_file_that_says_something_else_is_refused_in_words(text: str, words: str) -> None:
    assert words in refusal(a_site(text))


def test_a_number_that_suits_one_protocol_and_is_looser_than_another_refuses_only_that_one() -> None:
    site = written("eligible.min_age_years", 16)
    assert effective(site, "eligible.min_age_years").value == 16
    assert "looser than 18" in refusal(site, "eu-smpc-2023.1")


def test_a_released_protocol_brings_no_words_for_units() -> None:
    assert [load_protocol(name).aliases for name in released_names()] == [{}] * len(released_names())


# ── read, pinned, found again ──────────────────────────────────────────────────────────────────────────────────────


def test_the_worked_example_suits_every_released_protocol() -> None:
    site = read_site_file(EXAMPLE)
    for name in released_names():
        protocol = load_protocol(name, site=site)
        assert protocol.limits.fever.value == Decimal("37.8")
        assert protocol.aliases["lab-a"]["K/uL"] == "10*3/uL"


def test_a_site_file_that_is_missing_or_garbled_is_said_when_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=r"site file none.toml: No such file"):
        read_site_file(tmp_path / "none.toml")
    (tmp_path / "site.toml").write_bytes(b"\xff")
    with pytest.raises(ProtocolError, match="site file: "):
        read_site_files(tmp_path / "site.toml")


def test_a_course_pins_both_hashes_and_finds_exactly_that_protocol_again() -> None:
    site, other = written("limits.fever", "37.8"), written("limits.fever", "37.7")
    pin = pin_of(LABEL, site=site)
    assert (pin.sha256, pin.site_sha256) == (pin_of(LABEL).sha256, site.sha256)
    assert load_pinned(pin, sites=(other, site)).limits.fever.value == Decimal("37.8")
    for known in ((), (other,)):
        assert find_pinned(pin, known) is None
        with pytest.raises(ProtocolError, match="site file that is not known here"):
            load_pinned(pin, sites=known)


def test_a_course_that_pinned_no_site_file_goes_on_without_one() -> None:
    site = written("limits.fever", "37.8")
    assert load_pinned(pin_of(LABEL), sites=(site,)) == load_protocol(LABEL)


def test_a_course_is_held_when_the_released_file_is_another_whatever_the_site_says() -> None:
    site = written("limits.fever", "37.8")
    with pytest.raises(ProtocolError, match="not the one that this course pinned"):
        load_pinned(pin_of(LABEL, site=site).model_copy(update={"sha256": "0" * 64}), sites=(site,))


def signed(name: str, sha256: str) -> SiteFile:
    return a_site(f'[signed."{name}"]\nsha256 = "{sha256}"\nname = "N. N."\nrole = "pharmacist"\ndate = 2026-02-01\n')


@pytest.mark.parametrize(
    ("name", "sha256", "counts"),
    [(LABEL, pin_of(LABEL).sha256, True), (LABEL, "0" * 64, False), (ARTICLE, pin_of(LABEL).sha256, False)],
)
def test_on_a_ward_nothing_is_decided_under_a_protocol_that_nobody_signed(name: str, sha256: str, counts: bool) -> None:
    site = signed(name, sha256)
    pin = pin_of(LABEL, site=site)
    assert isinstance(signed_off(pin, (site,)), SignOff) == counts
    builder = ChartBuilder(protocol=LABEL)
    builder.course = builder.course.model_copy(update={"protocol": pin})
    chart = builder.ready().chart()
    assert verdict_on(chart, Decider("test", (site,))) is Verdict.MAY_AUTHORISE
    ward = Decider("test", (site,), must_be_signed=True)
    assert verdict_on(chart, ward) is (Verdict.MAY_AUTHORISE if counts else Verdict.HOLD)


def verdict_on(chart: Chart, decider: Decider) -> Verdict:
    state = State(course=chart.course, facts=chart.facts)
    ask = Ask(run_id="run-1", chart_key="0" * 64, token=0, now=D1, state=state)
    beside.forget()
    answered = ActivityEnvironment().run(decider.decide, ask)
    card = Recorded.model_validate_json(answered.content).assessment
    held = [f.reason for f in card.findings if f.rule == "RULES-01"]
    assert all("nobody signed it off" in reason for reason in held)
    return card.verdict


def test_a_course_without_a_site_file_is_held_on_a_ward() -> None:
    held = Decider("test", must_be_signed=True)
    assert verdict_on(ChartBuilder().ready().chart(), held) is Verdict.HOLD


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("load", [load_settings, load_site_settings])
def test_the_present_site_file_and_former_ones_are_named_by_settings(
    load: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert callable(load)
    monkeypatch.setenv("INOCYCLE_VAR_DIR", str(tmp_path))
    assert (load().site_file, load().former_site_files) == (None, ())
    monkeypatch.setenv("INOCYCLE_SITE_FILE", "docs/examples/site.toml")
    monkeypatch.setenv("INOCYCLE_FORMER_SITE_FILES", f"{tmp_path}/a.toml, {tmp_path}/b.toml")
    settings = load()
    assert settings.site_file == EXAMPLE
    assert settings.former_site_files == (tmp_path / "a.toml", tmp_path / "b.toml")


def test_a_misspelt_site_setting_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INOCYCLE_SITE_FLIE", "x")
    with pytest.raises(SettingsRefused, match="INOCYCLE_SITE_FLIE"):
        load_settings()
