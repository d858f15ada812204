"""How the record's head stands to a run: at one, behind by what waits, or a difference that holds the dose (REC-02)."""

import pytest

from models.deciding import Head
from workflows.heads import MOST_LINKS, Links, last_written


def a_run(*made: int, began_after: int = 0) -> Links:
    links = Links(Head(number=began_after, sha256=sha(began_after)))
    for number in made:
        links.add(number, sha(number))
    return links


def sha(number: int, of: str = "a") -> str:
    return f"{of}{number}"


@pytest.mark.parametrize(
    ("head", "last_on_record", "outcome"),
    [
        (Head(number=7, sha256=sha(7)), 7, "equal"),
        (Head(number=7, sha256=sha(7)), 5, "equal"),  # what waited was written while it was asked
        (Head(number=5, sha256=sha(5)), 5, "behind"),
        (Head(number=6, sha256=sha(6)), 5, "behind"),
        (Head(number=8, sha256=sha(8)), 7, "ahead"),
        (Head(number=7, sha256=sha(7, "b")), 7, "other"),
        (Head(number=6, sha256=sha(6, "b")), 5, "other"),
        (Head(number=4, sha256=sha(4)), 5, "other"),  # an older backup: what was written is gone
        (Head(number=0), 5, "other"),
    ],
)
def test_a_head_is_at_one_behind_or_differs(head: Head, last_on_record: int, outcome: str) -> None:
    assert a_run(4, 5, 6, 7, began_after=3).compared(head, last_on_record).outcome == outcome


def test_what_was_decided_and_written_while_the_record_was_asked_is_no_difference() -> None:
    links = a_run()
    asked_at = last_written([], links.newest)
    links.add(1, sha(1))
    links.add(2, sha(2))
    assert links.compared(Head(number=1, sha256=sha(1)), asked_at).outcome == "behind"
    assert links.compared(Head(number=2, sha256=sha(2)), asked_at).outcome == "equal"
    assert links.compared(Head(number=0), asked_at).outcome == "behind"


def test_entries_that_wait_over_a_boundary_are_known_to_the_next_run() -> None:
    links = Links(Head(number=4, sha256=sha(4)), Head(number=5, sha256=sha(5)), Head(number=6, sha256=sha(6)))
    assert last_written([5, 6], links.newest) == 4
    assert links.compared(Head(number=4, sha256=sha(4)), 4).outcome == "behind"
    assert links.compared(Head(number=5, sha256=sha(5, "b")), 4).outcome == "other"


def test_however_many_entries_wait_the_head_before_them_is_known_all_the_time() -> None:
    waiting = range(5, 5 + 2 * MOST_LINKS)
    links = Links(*(Head(number=number, sha256=sha(number)) for number in (4, *waiting)))
    assert links.compared(Head(number=4, sha256=sha(4)), 4).outcome == "behind"
    for number in range(links.newest + 1, links.newest + MOST_LINKS):
        links.add(number, sha(number))
    assert links.compared(Head(number=4, sha256=sha(4)), 4).outcome == "behind"


def test_a_new_course_meets_a_record_that_knows_it_already() -> None:
    assert a_run().compared(Head(number=3, sha256=sha(3)), 0).outcome == "ahead"


def test_a_difference_is_said_in_words_and_without_values() -> None:
    assert a_run(1).compared(Head(number=9, sha256=sha(9)), 1).words == (
        "the record ends at decision 9 (a9), which is not one of this execution"
    )


@pytest.mark.parametrize("last", [8, 20])
def test_a_difference_keeps_its_words_while_the_execution_goes_on_deciding(last: int) -> None:
    of_record = Head(number=9, sha256=sha(9, "b"))
    assert a_run(*range(1, last + 1)).compared(of_record, 7).words == a_run(1).compared(of_record, 1).words


def test_what_only_the_record_knows_of_a_patient_is_said() -> None:
    words = a_run(1).compared(Head(number=2, sha256=sha(2), state="infusion"), 1).words
    assert words.endswith("; by the record an infusion runs: look at the patient")
