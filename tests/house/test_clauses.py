"""Every clause of the reference is in one list or in the other, and a clause that is decided has a function and a test."""

import pytest

from tests.intake.samples import SAMPLES
from tools.rule_trace import Trace, all_clauses, clauses_in, not_decided, settled_by, traces


def only(trace: Trace) -> str:
    return trace.clause


DECIDED = [trace for trace in traces() if trace.decided]


def test_the_list_of_clauses_is_that_of_the_reference() -> None:
    reference = SAMPLES.parent / "clinical.md"
    if not reference.is_file():
        pytest.skip("NOT TESTED: the clinical reference is not beside the sample data (INOCYCLE_SAMPLE_DATA)")
    named = {c for c in clauses_in(reference.read_text(encoding="utf-8")) if not c.startswith("SC-")}
    assert named == set(all_clauses())


def test_every_clause_is_in_one_list_only() -> None:
    known = set(all_clauses())
    assert set(not_decided()) | set(settled_by()) | {c for others in settled_by().values() for c in others} <= known
    assert set(not_decided()) & set(settled_by()) == set()
    assert len(DECIDED) + len(not_decided()) == len(known)


def test_a_clause_that_is_read_as_another_is_read_as_one_that_is_decided() -> None:
    undecided = {c: others for c, others in settled_by().items() if set(others) & {*not_decided(), *settled_by()}}
    assert undecided == {}


def test_every_reason_is_a_sentence() -> None:
    assert [why for why in not_decided().values() if len(why.split()) < 6 or not why.endswith(".")] == []


@pytest.mark.parametrize("trace", [t for t in traces() if not t.decided], ids=only)
def test_what_no_function_decides_makes_no_finding(trace: Trace) -> None:
    assert trace.rules == {}


@pytest.mark.parametrize("trace", DECIDED, ids=only)
def test_what_is_decided_has_a_function_and_a_test_that_names_it(trace: Trace) -> None:
    assert trace.functions
    assert trace.tests


def test_ranges_and_lists_are_read() -> None:
    assert clauses_in("VOD-01 … VOD-03, VOD-10") == {"VOD-01", "VOD-02", "VOD-03", "VOD-10"}
    assert clauses_in("HEM-01 to -03") == {"HEM-01", "HEM-02", "HEM-03"}
    assert clauses_in("DIV-01, -03, -07") == {"DIV-01", "DIV-03", "DIV-07"}
    assert clauses_in("QT-01, 60 ms") == {"QT-01"}
    assert clauses_in("MOD-G-04 and LVL-01/-03") == {"MOD-G-04", "LVL-01", "LVL-03"}
