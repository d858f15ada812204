"""The queue of a run: what is taken in next, so that a command is judged on what is known and still has its turn."""

from models.deciding import Arrived, Sent
from workflows.incoming import BITE, Arrivals, Waiting


def a_message(name: str, sent: Sent = "signal") -> Waiting:
    return Waiting(Arrived(name=name, sent=sent, payloads=()))


def queue_of(*waiting: Waiting) -> Arrivals:
    arrivals = Arrivals(())
    for one in waiting:
        arrivals.put(one)
    return arrivals


def names(bite: list[Waiting]) -> list[str]:
    return [one.arrived.name for one in bite]


def test_a_command_is_judged_after_every_result_that_is_known() -> None:
    queue = queue_of(a_message("first"), a_message("start", "update"), a_message("later"))
    assert names(queue.bite(failing=False)) == ["first", "later"]


def test_a_command_that_results_overtook_again_and_again_is_judged_after_what_came_before_it_only() -> None:
    queue = queue_of(a_message("first"), a_message("start", "update"), a_message("later"))
    bite = queue.bite(failing=False, in_turn=True)
    assert names(bite) == ["first"]
    queue.done(bite)
    assert names(queue.bite(failing=False, in_turn=True)) == ["start"]


def test_a_flood_is_taken_in_bites_and_in_order() -> None:
    queue = queue_of(*(a_message(str(n)) for n in range(BITE + 1)))
    bite = queue.bite(failing=False)
    assert names(bite) == [str(n) for n in range(BITE)]
    queue.done(bite)
    assert names(queue.bite(failing=False)) == [str(BITE)]


def test_while_the_rules_fail_only_commands_are_taken() -> None:
    queue = queue_of(a_message("first"), a_message("start", "update"))
    assert names(queue.bite(failing=True)) == ["start"]
    assert not queue_of(a_message("first")).bite(failing=True)
