"""Words that end a "clears with": what was measured last, and when the next test of this kind is due."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from clinical.chart.once import all_of, once
from clinical.course.case import Case
from clinical.monitoring.before_dose import before_dose
from clinical.monitoring.due import Due
from clinical.monitoring.examinations import examinations
from clinical.monitoring.liver_tests import liver_tests
from clinical.monitoring.watch import watched
from clinical.results.known import Known
from models.base import plain
from models.obligation_kinds import ObligationKind


class Test(StrEnum):
    """A kind of test or look that clears a finding, in the words of the parts that a dose needs."""

    __test__ = False

    LIVER = "liver panel"
    COUNTS = "blood count"
    ECG = "ECG"
    ELECTROLYTES = "potassium"
    EXAMINATION = "examination"


ASKED_BY = {
    Test.LIVER: (ObligationKind.LIVER_TEST, ObligationKind.LIVER_TEST_AFTER_DOSE),
    Test.COUNTS: (ObligationKind.BLOOD_COUNT,),
    Test.ECG: (ObligationKind.ECG,),
    Test.ELECTROLYTES: (ObligationKind.ECG, ObligationKind.TUMOUR_LYSIS),
    Test.EXAMINATION: (ObligationKind.EXAMINATION,),
}
"""The obligations that ask for each kind of test; what a dose needs names its parts."""


def next_due_words(case: Case, kind: Test) -> str:
    """`; next due Thursday 5 March 07:10` in the site's time, `; due since …` when that has passed, or nothing."""
    found = min((o.due_at for o in _open(case, kind)), default=None)
    if found is None:
        return ""
    return f"; {'due since' if case.reading.reached(found) else 'next due'} {said(case, found)}"


def last_and_next(case: Case, last: Known, kind: Test) -> str:
    """`; last 160 U/L on Monday 2 March 07:10; next due Thursday 5 March 07:10`."""
    words = f"; last {last.comparator or ''}{plain(last.value)} {last.unit} on {said(case, last.collected_at)}"
    ends = f", a later usable one or a physician's correct_fact of {last.fact} ends it" if last.gone else ""
    return f"{words}{ends}{next_due_words(case, kind)}"


def _open(case: Case, kind: Test) -> Iterator[Due]:
    for one in _all_open(case):
        if one.kind in ASKED_BY[kind] or (one.kind is ObligationKind.BEFORE and kind in one.title):
            yield one


@once
def _all_open(case: Case) -> tuple[Due, ...]:
    return tuple(o for rule in (liver_tests, examinations, watched, before_dose) for o in all_of(case, rule))


def said(case: Case, at: datetime) -> str:
    """An instant in the site's time as people say it: `Thursday 5 March 07:10`."""
    there = at.astimezone(case.reading.zone)
    return f"{there:%A} {there.day} {there:%B %H:%M}"
