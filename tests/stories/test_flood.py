"""A flood into one course, also while the worker is away: nothing lost, nothing stalled, and the next run begins."""

from pathlib import Path

import pytest

from benchmarks.flood import Seen, flood_of, flooded
from clinical.chart.unread import NAMED
from models.record import GENESIS_SHA256
from record.reader import worklist
from tests.factories import D1
from tests.stories.conftest import SmallWard
from workflows.course import CARRY_LIMIT_BYTES

LARGEST_PAYLOAD = 1024 * 1024
COMMAND_WITHIN_S = 10.0


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what a flood does to a course is the same beside any record."""
    return f"sqlite:///{tmp_path / 'record.db'}"


@pytest.mark.parametrize(
    ("case", "number"),
    [("results", 150), ("thick", 600), ("signals-away", 200), ("unreadable", 120), ("noise-away", 120)],
)
async def test_a_flood_is_taken_and_the_course_goes_on(small_ward: SmallWard, case: str, number: int) -> None:
    seen = await flooded(small_ward, case, number)
    sent = flood_of(case, number, GENESIS_SHA256, D1)
    assert (seen.results, seen.unreadable) == (sent.results, sent.unreadable), "none is lost, none is doubled"
    assert seen.command_s < COMMAND_WITHIN_S
    assert (seen.broken_at, seen.trouble) == (None, ())
    assert seen.runs >= 2
    assert seen.carried_bytes <= CARRY_LIMIT_BYTES
    assert seen.largest_payload <= LARGEST_PAYLOAD
    assert await unread_lines(small_ward) <= 2 * NAMED + 1
    assert_bounded(seen)


def assert_bounded(seen: Seen) -> None:
    """Far below what the server takes in one run."""
    assert seen.events < 5_000
    assert seen.history_bytes < 10_000_000


async def unread_lines(ward: SmallWard) -> int:
    """How many lines of the worklist are about messages that nobody could read."""
    return sum(line.rule == "LAB-05" for line in await worklist(ward.engine))
