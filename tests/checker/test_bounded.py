"""The bounded search of every test run: nothing is broken, and its counts do not depend on the machine."""

from checker import scopes
from checker.people import MORNING, a_course
from checker.search import Found, Scope, Search
from checker.walks import Walked
from plumbing.protocol_files import load_protocol, pin_of, released_names


def test_no_order_of_few_events_breaks_an_invariant_under_any_protocol() -> None:
    found = list(scopes.all_searched(released_names(), scopes.bounded_run))
    broken = [(protocol, v.invariant, v.words) for protocol, _, f in found for v in f.violations]
    assert broken == []
    searches = [f for _, _, f in found if isinstance(f, Found)]
    assert all(f.states > 300 and f.edges > f.states for f in searches)
    courses = [f for _, _, f in found if isinstance(f, Walked)]
    assert all(f.walks == 3 and f.doses > 9 and f.deviations > 20 for f in courses)
    assert len(searches) == len(courses) == len(released_names())


def test_two_searches_count_alike() -> None:
    rules, pin = load_protocol("us-label-2024.1"), pin_of("us-label-2024.1")
    scope = Scope("short", {"C1D1": 1}, kinds=("ALT", "hold", "a reaction"))
    one, two = (Search(a_course(rules, pin), MORNING, rules, scope).run() for _ in range(2))
    assert (one.states, one.edges, one.decisions, one.merged) == (two.states, two.edges, two.decisions, two.merged)
