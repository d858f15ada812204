"""The settings that protect a course fit together, and each of them protects more than the largest payload of ours."""

from plumbing.server_limits import LARGEST_CARRIED, LARGEST_PAYLOAD, PROTECTS_A_COURSE

COUNTS = ("Count.error", "EventsBatch", "QueryCount")


def test_no_limit_lies_below_twice_our_largest_payload() -> None:
    sizes = {key: value for key, value in PROTECTS_A_COURSE.items() if not key.endswith(COUNTS)}
    assert sizes
    assert all(value >= 2 * LARGEST_CARRIED for value in sizes.values())


def test_what_the_server_lets_in_fits_into_an_answer() -> None:
    """A worker sends nothing above the size of a payload, and the answer to an update repeats the update."""
    assert PROTECTS_A_COURSE["history.maxInFlightUpdatePayloads"] <= PROTECTS_A_COURSE["limit.blobSize.error"]
    assert PROTECTS_A_COURSE["limit.blobSize.error"] == LARGEST_PAYLOAD


def test_what_waited_fits_into_one_transaction_with_the_events_of_a_task() -> None:
    waiting, of_a_task = 2 * 1024 * 1024 + LARGEST_PAYLOAD, 4 * 1024 * 1024  # the server's own limits for both
    assert PROTECTS_A_COURSE["system.transactionSizeLimit"] >= 2 * (waiting + of_a_task)
