"""Which searches are made: bounded for every test run, full for a release. docs/checker.md says what each covers."""

from collections.abc import Callable, Iterator

from checker.people import MORNING, a_course
from checker.pool import workers
from checker.search import Found, Scope, Search
from checker.usual import End
from checker.walks import Walk, Walked, Walker
from plumbing.protocol_files import load_protocol, pin_of

LABEL, ARTICLE = "us-label", "article"


WORTHLESS = Scope("what says nothing", {}, asides=6)
"""Beside the usual path every story of what adds no usable value (M.0)."""


MET = Scope("what a patient can meet", {}, stories=True)
"""Beside the usual path what a patient can meet, once before each dose."""


OF_A_NEXT_CYCLE = (
    *("the patient comes", "the next cycle", "until the next change", "given elsewhere", "are low at day 1"),
    *("ALT comes back high", "signs of VOD", "a reaction"),
)
"""What a day 1 of a further cycle has to itself, and what holds it."""


def bounded(protocol: str) -> tuple[Scope, ...]:
    """One deviation of few kinds, each protocol before the doses where it has something of its own to say; what all three say
    alike is asked under one of them."""
    if protocol.startswith(LABEL):
        return (Scope("bounded", {"C1D8": 1, "monitoring": 1}, few=True), MET)
    if protocol.startswith(ARTICLE):
        return (Scope("bounded", {"C2D1": 1}, few=True, kinds=OF_A_NEXT_CYCLE),)
    return (Scope("bounded", {"C1D1": 1}, few=True),)


def wide(protocol: str) -> tuple[Scope, ...]:
    """The same before all these doses under every protocol, with what says nothing told at each state, those after a
    deviation too."""
    doses = ("C1D1", "C1D8", "C2D1", "monitoring")
    return (Scope("wide", dict.fromkeys(doses, 1), few=True, asides=1), MET)


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


DOSES = ("C1D1", "C1D8", "C1D15", "C2D1", "C2D8", "C2D15", "monitoring")
RESPONSES = Scope(
    "responses",
    {"C2D1": 1, "C3D1": 1, "C4D1": 1},
    kinds=("no response", "the next cycle is tried"),
    end=End(cycle=4),
    at_every_dose=True,
)
PLANS = Scope("transplant plans", {"C1D15": 1}, kinds=("a transplant is planned",), end=End(cycle=4), follow=20)
SIX_CYCLES = Scope("six cycles", {"C7D1": 2}, kinds=("no response", "the next cycle is tried"), end=End(cycle=7))
LEVELS = Scope(
    "interruptions",
    {"C1D8": 1, "C2D1": 2},
    kinds=("ALT was high for", "the value that began", "signs as the second person"),
    follow=1,
)
LEVELS_AGAIN = Scope(
    "interruptions in three cycles",
    {"C1D8": 1, "C2D8": 1, "C3D8": 1},
    kinds=("ALT was high for 14",),
    end=End(cycle=4),
    at_every_dose=True,
)


def full(protocol: str) -> tuple[Scope, ...]:
    """One deviation of every kind before every dose and in monitoring; interruptions and numbers of cycles over several
    cycles; under the label three of each theme before a day 8 and in monitoring."""
    wide = (
        Scope("every kind", dict.fromkeys(DOSES, 1), asides=1),
        WORTHLESS,
        MET,
        LEVELS,
        LEVELS_AGAIN,
        PLANS,
        SIX_CYCLES,
    )
    return (*wide, RESPONSES, *(_of_theme(name) for name in THEMES)) if protocol.startswith(LABEL) else wide


FIRST_SEED = {LABEL: 1, ARTICLE: 2}
"""Each protocol has courses of its own; the EU's begin with the third seed."""


def _few_courses(protocol: str, number: int) -> Walk:
    first = next((seed for name, seed in FIRST_SEED.items() if protocol.startswith(name)), 3)
    return Walk("random courses", number, seed=100 * first)


COURSES = tuple(Walk(f"random courses, part {part}", 30, seed=1000 * part) for part in (1, 2))
"""In parts, so that two processes share them."""


def _of_theme(name: str) -> Scope:
    follow = 1 if name == "calendar" else 0  # a dose that was moved or left out shows at the next one
    return Scope(name, {"C1D8": 3, "monitoring": 3}, kinds=THEMES[name], follow=follow)


def bounded_run(protocol: str) -> tuple[Scope | Walk, ...]:
    """What every test run makes."""
    return (*bounded(protocol), _few_courses(protocol, 1))


def wide_run(protocol: str) -> tuple[Scope | Walk, ...]:
    """What `make search` makes."""
    return (*wide(protocol), _few_courses(protocol, 3))


def full_run(protocol: str) -> tuple[Scope | Walk, ...]:
    """What a release makes."""
    return (*full(protocol), *COURSES)


def searched(protocol: str, asked: Scope | Walk, stop_at: int = 1) -> Found | Walked:
    """One search, or some random courses, of one protocol."""
    rules = load_protocol(protocol)
    chart = a_course(rules, pin_of(protocol))
    if isinstance(asked, Walk):
        return Walker(chart, rules, asked).run()
    return Search(chart, MORNING, rules, asked, stop_at=stop_at).run()


def all_searched(
    protocols: tuple[str, ...], asked_of: Callable[[str], tuple[Scope | Walk, ...]]
) -> Iterator[tuple[str, Scope | Walk, Found | Walked]]:
    """Everything that is asked of every protocol, two at a time, answered in its order."""
    wanted = [(protocol, asked) for protocol in protocols for asked in asked_of(protocol)]
    if len(wanted) == 1:
        yield (*wanted[0], searched(*wanted[0]))
        return
    with workers() as pool:
        answers = [pool.submit(searched, protocol, asked) for protocol, asked in wanted]
        yield from ((*asked, answer.result()) for asked, answer in zip(wanted, answers, strict=True))
