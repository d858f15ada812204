"""The second table of tried inputs: the kinds behind the hospital's rows, on analytes, senders and orders of our own."""

import pytest

from tests.factories import LABEL
from tests.further import changes, documents, people, torn, values, versions
from tests.further.language import Further
from tests.tried import answers

ROWS = (*values.ROWS, *versions.ROWS, *documents.ROWS, *people.ROWS, *changes.ROWS, *torn.ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_was_tried_is_answered_rightly(row: Further) -> None:
    course = row.story(LABEL)
    for step in row.steps:
        step(course)
    answers(course, row.right, tuple(row.rules.split()))


def test_there_are_enough_rows_each_under_its_own_name() -> None:
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)
