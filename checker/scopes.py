"""Which searches are made: bounded for every test run, full for a release. docs/checker.md says what each covers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from checker.people import MORNING, a_course
from checker.search import Found, Scope, Search
from plumbing.protocol_files import load_protocol, pin_of

WORKERS = 2
LABEL, ARTICLE = "us-label", "article"


def bounded(protocol: str) -> tuple[Scope, ...]:
    """One deviation of few kinds, before the doses where this protocol has something of its own to say."""
    doses = ("C1D1", "C1D8", "monitoring") if protocol.startswith(LABEL) else ("C1D1",)
    doses = ("C2D1",) if protocol.startswith(ARTICLE) else doses
    return (Scope("bounded", dict.fromkeys(doses, 1), few=True),)


THEMES: dict[str, tuple[str, ...]] = {
    "results": ("ALT comes back high", "ALT cannot be read"),
    "corrections": ("ALT cannot be read", "a physician corrects ALT"),
    "second signatures": ("ALT comes back high", "NON-08 alt is set aside", "signs as the second person"),
    "people": ("holds the dose", "the hold is released", "a signature is tried", "three hours go by"),
    "reactions": (
        "a reaction of grade 2",
        "a reaction of grade 3",
        "what stopped the drug is retracted",
        "signs as the second person",
    ),
    "VOD": ("signs of VOD", "VOD is judged", "excludes VOD", "what stopped the drug is retracted"),
    "calendar": ("given elsewhere", "as soon as the window opens", "four days after", "the dose is left out"),
}
"""Kinds that act on each other: three of a theme before one dose, in every order."""


def full(protocol: str) -> tuple[Scope, ...]:
    """One deviation of every kind before the doses; under the label three of each theme before a day 8 and after it."""
    doses = ("C1D1", "C1D8", "C2D1", "monitoring") if protocol.startswith(LABEL) else ("C1D1", "C2D1")
    every = Scope("every kind", dict.fromkeys(doses, 1))
    if not protocol.startswith(LABEL):
        return (every,)
    return (every, *(_of_theme(name) for name in THEMES))


def _of_theme(name: str) -> Scope:
    follow = 1 if name == "calendar" else 0  # a dose that was moved or left out shows at the next one
    return Scope(name, {"C1D8": 3, "monitoring": 3}, kinds=THEMES[name], follow=follow)


def searched(protocol: str, scope: Scope, stop_at: int = 1) -> Found:
    """One search of one protocol."""
    rules = load_protocol(protocol)
    return Search(a_course(rules, pin_of(protocol)), MORNING, rules, scope, stop_at=stop_at).run()


def all_searched(
    protocols: tuple[str, ...], scopes: Callable[[str], tuple[Scope, ...]]
) -> Iterator[tuple[str, Scope, Found]]:
    """Every search of every protocol, two at a time, answered in their order."""
    wanted = [(protocol, scope) for protocol in protocols for scope in scopes(protocol)]
    if len(wanted) == 1:
        yield (*wanted[0], searched(*wanted[0]))
        return
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        answers = [pool.submit(searched, protocol, scope) for protocol, scope in wanted]
        yield from ((*asked, answer.result()) for asked, answer in zip(wanted, answers, strict=True))
