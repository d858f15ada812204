"""The stories of what says nothing: every analyte in every way, told beside the usual path of every protocol."""

import pytest

from checker.people import MORNING, a_course
from checker.scopes import WORTHLESS
from checker.search import Search
from checker.worthless import ASIDES, GRAVE, UNUSABLE
from clinical.coding.codes import analyte_of
from plumbing.protocol_files import load_protocol, pin_of, released_names

LABEL = "us-label-2024.1"


def test_every_analyte_is_told_in_every_way_that_nobody_can_use() -> None:
    names = {aside.name for aside in ASIDES}
    assert len(names) == len(ASIDES)
    assert {f"{analyte} {how}" for analyte in GRAVE for how in UNUSABLE} <= names
    for kind in (
        "is taken back",
        "that nobody sent is taken back",
        "in an older version",
        "elsewhere at the same minute",
    ):
        assert sum(kind in name for name in names) >= len(GRAVE)


def test_every_analyte_that_a_liver_count_or_heart_rule_reads_is_among_them() -> None:
    rules = load_protocol(LABEL)
    read = {analyte for row in rules.ctcae.rows.values() if row.feeds_non_06 for analyte in row.analytes}
    ages = rules.ages
    read |= {
        *ages.cbc_analytes.words,
        *ages.liver_analytes.words,
        *ages.electrolyte_analytes.words,
        *ages.tls_analytes.words,
    }
    assert read | {"blasts", "albumin", "qtcf", "weight", "temperature"} <= set(GRAVE)
    assert all(analyte_of(loinc, None) for loinc in ("2324-2", "3040-3", "1798-8"))


@pytest.mark.parametrize("protocol", released_names())
def test_what_says_nothing_opens_nothing_beside_the_usual_path_of_any_protocol(protocol: str) -> None:
    rules, pin = load_protocol(protocol), pin_of(protocol)
    found = Search(a_course(rules, pin), MORNING, rules, WORTHLESS, stop_at=len(ASIDES)).run()
    assert [v.words for v in found.violations] == []
    assert found.asides >= len(ASIDES)
