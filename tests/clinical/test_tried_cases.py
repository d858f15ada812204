"""What was tried from the outside and answered wrongly: every row of the hospital's table has its right answer now.

The table and its files stand beside the sample data; without them nothing is tested here, and the run says so.
"""

import pytest

from tests.intake.samples import SAMPLES
from tests.tried import Tried, answers, carried_out, read_table

FOLDER = SAMPLES.parent / "cases"
TABLE = FOLDER / "cases.tsv"
ROWS = read_table(TABLE) if TABLE.is_file() else ()
pytestmark = pytest.mark.skipif(
    not ROWS, reason="NOT TESTED: no tried cases beside the sample data (INOCYCLE_SAMPLE_DATA)"
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_was_answered_wrongly_is_answered_as_the_table_says(row: Tried) -> None:
    answers(carried_out(row, FOLDER), row.right, row.rules)
