"""The numbers of the released protocols are those of the clinical reference (parts A-D, G, K), each with its clause."""

from decimal import Decimal

import pytest

from models.protocol import Confidence, Entry, Override, Protocol
from plumbing.protocol_files import load_protocol, released_names
from tests.factories import ARTICLE, EU, LABEL, PROTOCOLS
from tests.reference import EU_DIFFERS, NUMBERS

PLAUSIBLE = {
    "alt": ("1", "25000"),
    "ast": ("1", "25000"),
    "alp": ("3", "10000"),
    "ggt": ("1", "10000"),
    "bilirubin": ("0", "80"),
    "albumin": ("0.5", "7"),
    "creatinine": ("0.1", "30"),
    "potassium": ("1.0", "12"),
    "sodium": ("90", "200"),
    "magnesium": ("0.2", "20"),
    "calcium": ("2", "25"),
    "phosphate": ("0.2", "30"),
    "urate": ("0", "50"),
    "wbc": ("0", "1500"),
    "platelets": ("0", "5000"),
    "haemoglobin": ("1", "25"),
    "blasts_percent": ("0", "100"),
    "lipase": ("0", "50000"),
    "amylase": ("0", "50000"),
    "qtcf": ("200", "800"),
    "qt": ("200", "800"),
    "anc": ("0", "150"),
    "heart_rate": ("20", "300"),
    "weight": ("2", "500"),
    "height": ("20", "250"),
}
NEVER = ("IDN-01", "IDN-02", "VOD-01", "NON-01", "NON-02", "NON-05", "MON-11", "DAY-03", "PREP-12", "COR-02")
SECOND_PERSON = ("NON-06", "NON-08", "QT-01", "CYT-02", "HEM-01", "HEM-03", "HEM-05", "DOSE-08")
WITH_A_REASON = ("MON-16", "QT-02", "QT-05", "PRE-01")
NOBODY = ("ELIG-01", "DOSE-11", "DOSE-07", "DOSE-09", "LAB-05", "CONV-03")


def entries(protocol: Protocol) -> dict[str, Entry]:
    return dict(protocol.entries())


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize(("path", "value"), NUMBERS.items())
def test_a_number_is_that_of_the_reference(name: str, path: str, value: str) -> None:
    entry = entries(load_protocol(name))[path]
    assert f"{entry.value} {entry.unit}" == value


@pytest.mark.parametrize(
    ("path", "label", "article", "divergence"),
    [
        ("regimen.cycle1_d1", Decimal("0.8"), Decimal("0.5"), "DIV-01"),
        ("regimen.cycle1_length", Decimal(21), Decimal(28), "DIV-03"),
        ("premedication.mandatory", False, True, "DIV-07"),
    ],
)
def test_the_article_departs_from_the_label_in_three_named_places(
    path: str, label: object, article: object, divergence: str
) -> None:
    ours, theirs = entries(load_protocol(LABEL))[path], entries(load_protocol(ARTICLE))[path]
    assert (ours.value, theirs.value) == (label, article)
    assert (ours.divergence, theirs.divergence) == (None, divergence)


def test_the_article_departs_from_the_label_nowhere_else() -> None:
    label, article = entries(load_protocol(LABEL)), entries(load_protocol(ARTICLE))
    differing = {path for path in label if label[path] != article[path]}
    assert differing == {"regimen.cycle1_d1", "regimen.cycle1_length", "premedication.mandatory"}
    assert load_protocol(ARTICLE).divergences == ("DIV-01", "DIV-03", "DIV-07")
    assert load_protocol(LABEL).divergences == ()


def decimal_or_not(words: str) -> object:
    return words == "yes" if words in ("yes", "no") else Decimal(words)


@pytest.mark.parametrize(("path", "words"), EU_DIFFERS.items())
def test_the_eu_text_differs_from_the_label_where_the_reference_says(path: str, words: tuple[str, str, str]) -> None:
    ours, theirs = entries(load_protocol(LABEL))[path], entries(load_protocol(EU))[path]
    assert (ours.value, theirs.value) == (decimal_or_not(words[0]), decimal_or_not(words[1]))
    assert theirs.clause == words[2]


def test_the_eu_text_has_every_other_number_of_the_label_and_names_no_divergence() -> None:
    """EU-11. That a vial yields 0.9 mg is the same number, read in no EU text (VIAL-01)."""
    label, eu = entries(load_protocol(LABEL)), entries(load_protocol(EU))
    assert {path for path in label if label[path].value != eu[path].value} == set(EU_DIFFERS)
    ages = {"risk.age_high", "risk.age_higher"}  # EU-08: the text that names them
    assert {path for path in label if label[path] != eu[path]} == {*EU_DIFFERS, *ages, "preparation.vial_content"}
    assert {eu[path].clause for path in ages} == {"EU-08"}
    assert eu["preparation.vial_content"].confidence is Confidence.UNVERIFIED
    assert load_protocol(EU).divergences == ()


@pytest.mark.parametrize(("analyte", "limits"), PLAUSIBLE.items())
def test_hard_limits_are_those_of_the_reference(analyte: str, limits: tuple[str, str]) -> None:
    plausible = load_protocol(LABEL).plausible[analyte]
    assert (plausible.low.number, plausible.high.number) == (Decimal(limits[0]), Decimal(limits[1]))


@pytest.mark.parametrize(
    ("override", "rules"),
    [
        (Override.NEVER, NEVER),
        (Override.SECOND_PERSON, SECOND_PERSON),
        (Override.PRESCRIBER, WITH_A_REASON),
        (Override.NONE, NOBODY),
    ],
)
def test_who_may_override_a_rule_is_as_the_reference_says(override: Override, rules: tuple[str, ...]) -> None:
    protocol = load_protocol(LABEL)
    assert {rule: protocol.rule(rule).override for rule in rules} == dict.fromkeys(rules, override)


@pytest.mark.parametrize("name", released_names())
def test_every_leaf_and_every_rule_names_a_source_that_the_file_explains(name: str) -> None:
    protocol = load_protocol(name)
    used = {e.source for e in entries(protocol).values()} | {r.source for r in protocol.rules.values()}
    assert used <= set(protocol.sources)


@pytest.mark.parametrize("name", released_names())
def test_what_nobody_has_published_is_marked_as_a_proposal(name: str) -> None:
    protocol = load_protocol(name)
    ours = [e for e in entries(protocol).values() if e.source == "site"]
    assert {e.confidence for e in ours} == {Confidence.PROPOSED}
    assert {r.confidence for r in protocol.rules.values() if r.source == "site"} == {Confidence.PROPOSED}
    unread = [e for e in entries(protocol).values() if e.source == "label-unread"]
    assert {e.confidence for e in unread} == {Confidence.UNVERIFIED}


def test_every_number_of_the_file_is_looked_at_here() -> None:
    """A new number must be put beside its clause, or named as our own below."""
    ours = {
        "calls.gravest",
        "calls.urgent",
        "calls.ordinary",
        "calls.snooze_max",
        "regimen.day8_offset",
        "regimen.day15_offset",
        "ages.future_tolerance",
        "preparation.dose_decimals",
        "observation.overdue_after",
        "observation.infusion_overdue_after",
        "observation.vital_signs_before",
        "observation.vital_signs_early",
        "observation.vital_signs_overdue_after",
        "monitoring.before_dose",
        "monitoring.tls_early",
        "monitoring.tls_late",
        "monitoring.prophylaxis_since",
        "observation.stop_grade",
        "observation.running_grade",
        "vod.rising_days",
        "monitoring.prophylaxis_again",
        "limits.toxicity_grade",
        "ctcae.noted_from",
        "ctcae.noted_for",
        "response.counts_within",
        "risk.salvage_line_from",
        "risk.cycles_above",
    }
    protocol = load_protocol(LABEL)
    numbers = {
        p
        for p, e in entries(protocol).items()
        if isinstance(e.value, Decimal) and not p.startswith(("plausible", "ctcae.rows"))  # test_ctcae.py has these
    }
    differing = {"regimen.cycle1_d1", "regimen.cycle1_length", "eligible.min_age_years", "preparation.vial_labelled"}
    assert numbers == set(NUMBERS) | ours | differing
