"""What says nothing (M.0): a value that holds, and after it everything that a laboratory or a person can say without a value.

Each is a short story of its own beside the search: what comes is judged and decided, every invariant is asked, and nobody
goes on from there. The search takes them in turn, one at each state, so that each is met at many states.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from checker.moves import Move, Scribe, no_fever, no_signs
from checker.people import NURSE, PHYSICIAN, result
from checker.ward import State
from models.facts import NO_CODE, Ecg, Findings, Imaging, PregnancyTest, VodExamination
from models.people import Actor

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LATER = 5 * MINUTE
Make = Callable[[State], Move]

GRAVE: dict[str, tuple[str, str]] = {
    "alt": ("300", "30"),
    "ast": ("300", "28"),
    "alp": ("700", "80"),
    "bilirubin": ("3.5", "0.6"),
    "ggt": ("400", "30"),
    "lipase": ("400", "30"),
    "amylase": ("600", "50"),
    "creatinine": ("5", "0.8"),
    "potassium": ("2.4", "4.1"),
    "magnesium": ("0.8", "2.0"),
    "calcium": ("6.0", "9.2"),
    "albumin": ("1.5", "4.0"),
    "anc": ("0.3", "2.1"),
    "platelets": ("8", "140"),
    "wbc": ("0.5", "4.2"),
    "haemoglobin": ("6", "10.2"),
    "blasts": ("30", "0.5"),
    "urate": ("20", "5.0"),
    "phosphate": ("9", "3.4"),
    "ldh": ("3000", "210"),
    "qtcf": ("520", "420"),
    "weight": ("84", "70"),
    "temperature": ("39.4", "36.8"),
}
"""Of every analyte that a rule reads a value that speaks against a dose, and one that does not."""

UNUSABLE: dict[str, dict[str, Any]] = {
    "preliminary": {"status": "preliminary"},
    "cancelled": {"status": "cancelled"},
    "in words": {"value": None, "text": "haemolysed"},
    "without unit": {"unit": None},
    "in an unknown unit": {"unit": "cups"},
    "without a time": {"collected_at": None, "collected_text": "this morning"},
    "of an unknown status": {"status": "odd"},
    "under an unknown code": {"loinc": "99999-9"},
    "under a local code": {"loinc": NO_CODE, "codes": ("urn:lab|X1",)},
    "under two codes": {"codes": ("http://loinc.org|1742-6", "http://loinc.org|751-8")},
}
"""In how many ways a newest result cannot be used."""


@dataclass(frozen=True)
class Aside:
    """A story beside the search: what comes, one after the other."""

    name: str
    makes: tuple[Make, ...]


def _says(words: str, analyte: str, said: str, ago: timedelta, *, nothing: bool = False, **changes: Any) -> Make:
    """One result, drawn a while ago and sent now. What holds is drawn after all that stands, so that it is the newest."""

    def make(state: State) -> Move:
        at = state.now + (MINUTE if nothing else LATER)
        sent = result(analyte, at - ago, said, **changes)
        key = "nothing" if nothing else "grave"
        return Move(words, (Scribe(state, at).draw(sent, key=key),), at, nothing=nothing)

    return make


def _holds(analyte: str) -> Make:
    grave, _ = GRAVE[analyte]
    named: dict[str, Any] = {"accession": "a-1", "resource": f"lab-a|{analyte}", "version": 2}
    return _says(f"{analyte} comes back as {grave}", analyte, grave, 2 * MINUTE, **named)


def _unusable() -> Iterator[Aside]:
    for how, changes in UNUSABLE.items():
        for analyte, (_, mild) in GRAVE.items():
            then = _says(f"{analyte} comes {how}", analyte, mild, MINUTE, nothing=True, display=analyte, **changes)
            yield Aside(f"{analyte} {how}", (_holds(analyte), then))


def _taken_back_unusable() -> Iterator[Aside]:
    """A result that nobody could use is taken back: the older one does not open the gate again by that (M.0)."""
    for analyte, (_, mild) in GRAVE.items():
        early = {"accession": "a-2", "status": "preliminary"}
        first = _says(f"{analyte} comes preliminary", analyte, mild, MINUTE, nothing=True, **early)
        gone = {"accession": "a-2", "status": "entered-in-error"}
        then = _says(f"the preliminary {analyte} is taken back", analyte, mild, 2 * MINUTE, nothing=True, **gone)
        yield Aside(f"{analyte}, preliminary, is taken back", (first, then))


def _other_messages() -> Iterator[Aside]:
    """What was sent is taken back, or something that nobody sent; another laboratory is milder about the same minute."""
    for analyte, (grave, mild) in GRAVE.items():
        for name, value, changes in (
            ("is taken back", grave, {"status": "entered-in-error", "resource": f"lab-a|{analyte}", "version": 3}),
            (f"is {mild} in an older version that comes now", mild, {"resource": f"lab-a|{analyte}", "version": 1}),
            ("that nobody sent is taken back", mild, {"status": "entered-in-error", "accession": "a-9"}),
            (f"is {mild} elsewhere at the same minute", mild, {"sender": "lab-b"}),
        ):
            then = _says(f"{analyte} {name}", analyte, value, 3 * MINUTE, nothing=True, **changes)
            yield Aside(f"{analyte} {name}", (_holds(analyte), then))


# ── people and machines ────────────────────────────────────────────────────────────────────────────────────────────


def _signs(state: State) -> Move:
    seen = no_signs(hepatomegaly=True, painful_hepatomegaly=True, ascites=True)
    return Move("signs of VOD are seen", Scribe(state).finds(seen, by=PHYSICIAN))


def _a_minute_later(state: State, words: str, found: Findings, by: Actor) -> Move:
    at = state.now + MINUTE
    return Move(words, Scribe(state, at).finds(found, by=by), at, nothing=True)


def _clean_look(state: State) -> Move:
    return _a_minute_later(state, "a physician finds no sign of VOD", no_signs(), by=PHYSICIAN)


def _empty_look(state: State) -> Move:
    return _a_minute_later(state, "an examination says nothing", VodExamination(), by=PHYSICIAN)


def _fever(state: State) -> Move:
    return Move("fever and bleeding are found", Scribe(state).finds(no_fever("39.5", bleeding=True)))


def _empty_check(state: State) -> Move:
    said = no_fever(None).model_copy(update={"infection": None, "active_bleeding": None})
    return _a_minute_later(state, "a check for infection says nothing", said, by=NURSE)


def _long_qt(state: State) -> Move:
    return Move("QTcF is 520 ms", Scribe(state).finds(Ecg(qtcf_ms=Decimal(520))))


def _empty_tracing(state: State) -> Move:
    return _a_minute_later(state, "a tracing says nothing", Ecg(), by=NURSE)


def _pregnant(state: State) -> Move:
    return Move("a pregnancy test is positive", Scribe(state).finds(PregnancyTest(result="positive"), by=PHYSICIAN))


def _unclear(state: State) -> Move:
    return _a_minute_later(state, "a pregnancy test is unclear", PregnancyTest(result="unclear"), by=NURSE)


def _imaging(state: State) -> Move:
    seen = Imaging(method="ultrasound", suggests_vod=True)
    return Move("an ultrasound suggests VOD", Scribe(state).finds(seen, by=PHYSICIAN))


def _garbled(state: State) -> Move:
    return Move("a message comes that nobody can read", unreadable=Scribe(state).garbled(), nothing=True)


def _days_go_by(number: int) -> Make:
    def make(state: State) -> Move:
        return Move(f"{number} days go by", until=state.now + number * DAY)

    return make


def _among_people() -> Iterator[Aside]:
    yield Aside("VOD, a clean look", (_signs, _clean_look))
    yield Aside("VOD, an empty look", (_signs, _empty_look))
    yield Aside("VOD, weeks", (_signs, _days_go_by(22)))
    yield Aside("VOD, imaging, weeks", (_signs, _imaging, _days_go_by(30)))
    yield Aside("fever, an empty check", (_fever, _empty_check))
    yield Aside("QTcF, an empty tracing", (_long_qt, _empty_tracing))
    yield Aside("pregnant, unclear", (_pregnant, _unclear))
    yield Aside("pregnant, weeks", (_pregnant, _days_go_by(9)))
    yield Aside("garbled", (_garbled,))
    for analyte in ("alt", "potassium", "creatinine", "platelets", "lipase", "bilirubin"):
        yield Aside(f"{analyte}, eight days", (_holds(analyte), _days_go_by(8)))


def _in_turn(*kinds: tuple[Aside, ...]) -> Iterator[Aside]:
    """One of each kind after the other, so that a short search meets every kind early."""
    longest = max(map(len, kinds))
    for number in range(longest):
        yield from (kind[number] for kind in kinds if number < len(kind))


ASIDES = tuple(
    _in_turn(tuple(_unusable()), tuple(_other_messages()), tuple(_taken_back_unusable()), tuple(_among_people()))
)
"""Every story beside the search, in the order in which it takes them."""
