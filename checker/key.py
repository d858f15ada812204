"""When two charts are the same to every verdict that can follow: the key by which the search merges states.

The key lists every fact that a later verdict can depend on, with its age instead of its time, and leaves out what later
facts have overtaken. Each omission has its reason beside it; docs/checker.md argues them, and a test walks on from pairs of
charts with one key. When in doubt a fact stays in: the search gets longer, never wrong.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from checker.moves import KILOGRAMS
from checker.people import CODE, MORNING, result
from checker.ward import State
from models.chart import Chart
from models.facts import (
    AdministrationReported,
    Correction,
    DoseAuthorised,
    Fact,
    HoldReleased,
    InfusionStarted,
    LabResult,
    ObligationMet,
    Reaction,
    UnreadableResolved,
)
from models.phase import Phase

Token = tuple[Any, ...]
Answer = TypeVar("Answer")


class _PerFact(Generic[Answer]):
    """What is asked of one fact again and again, kept by the object: charts of one search share their facts."""

    def __init__(self, ask: Callable[[Fact], Answer]) -> None:
        self._ask = ask
        self._known: dict[int, tuple[Fact, Answer]] = {}

    def of(self, fact: Fact) -> Answer:
        found = self._known.get(id(fact))
        if found is None:
            found = self._known[id(fact)] = (fact, self._ask(fact))
        return found[1]


ANALYTE = {code: analyte for analyte, code in CODE.items()}
NORMAL = {code: result(analyte, MORNING).value for analyte, code in CODE.items()}
CORRECTABLE, CORRECTED_WITHIN = CODE["alt"], timedelta(days=1)
"""The search corrects and retracts ALT, and only within a day: what it had replaced may stand again."""
SHORT = timedelta(days=7)
"""An episode of toxicity shorter than this only puts a dose off and leaves nothing behind (DUR-01)."""
ONLY_THE_LATEST = frozenset(
    {"vod_examination", "infection_bleeding", "consent", "eligibility", "pregnancy_test", "height"}
)
OF_ONE_DOSE = frozenset({"dose_authorised", "dose_verified", "override", "countersigned", "rounding_chosen"})
BED = frozenset({"infusion_completed", "infusion_interrupted", "infusion_resumed", "observation_ended"})
ORDERED = frozenset(
    {
        *(
            "reaction",
            "vod_judged",
            "discontinued",
            "dosing_finished",
            "transplant",
            "transplant_planned",
            "cycle_started",
        ),
        *(
            "transplant_plan_withdrawn",
            "no_transplant",
            "monitoring_started",
            "course_closed",
            "correction",
            "dose_decided",
        ),
    }
)
"""Kinds whose order among each other counts; all others are read kind by kind, each in its own order."""
OLD = timedelta(days=8)
"""Older than this a usual value is too old for everything; how old it is does not matter any more."""
EXPIRES = timedelta(hours=9)
"""Older than this no premedication and no preparation can be used."""


def key_of(chart: Chart, now: datetime, run: Phase) -> bytes:
    """The key of a course at rest."""
    groups: dict[str, list[Token]] = defaultdict(list)
    for group, token in _tokens(_Kept(chart, now)):
        groups[group].append(token)
    local = now.astimezone(_zone(chart.course.zone))
    written = repr((run.kind, run.cycle, local.timetz().isoformat(), sorted(groups.items(), key=lambda g: g[0])))
    return blake2b(written.encode(), digest_size=16).digest()


def key_of_state(state: State) -> bytes:
    """The key of this state."""
    return key_of(state.chart, state.now, state.run)


@lru_cache
def _zone(name: str) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


class _Kept:
    """A chart with its corrections applied, doses in order, and what stands of each kind."""

    def __init__(self, chart: Chart, now: datetime) -> None:
        self.now = now
        self.chart = chart
        self.corrections = [f for f in chart.facts if isinstance(f.what, Correction)]
        self.facts = _corrected(chart) if self.corrections else list(chart.facts)
        self.doses = sorted(
            (f for f in self.facts if isinstance(f.what, InfusionStarted | AdministrationReported)), key=lambda f: f.at
        )
        self.last = self.doses[-1] if self.doses else None
        self.given = {(f.what.cycle, f.what.day) for f in self.doses}  # type: ignore[union-attr]
        self.cycle = max((f.what.cycle for f in self.doses), default=1)  # type: ignore[union-attr]
        self.live = any(
            f.what.kind in ("dose_authorised", "override", "rounding_chosen") and _slot(f) not in self.given
            for f in self.facts
        )

    def after_last_dose(self, fact: Fact) -> bool:
        return self.last is None or fact.recorded_at >= self.last.at


def _corrected(chart: Chart) -> list[Fact]:
    """Corrected facts in their place; whatever stopped the drug stays with its corrections (COR-02)."""
    standing: dict[str, Fact] = {}
    origin: dict[str, str] = {}
    for fact in chart.facts:
        if not isinstance(fact.what, Correction):
            standing[fact.id] = fact
            continue
        first = origin.get(fact.what.target, fact.what.target)
        known = standing.get(first)
        if known is None:
            continue
        if known.what.kind in ("reaction", "vod_judged", "discontinued", "infusion_started"):
            standing[fact.id] = fact
        elif fact.what.replacement is None:
            del standing[first]
        else:
            origin[fact.id] = first
            standing[first] = known.model_copy(update={"what": fact.what.replacement})
    return list(standing.values())


def _tokens(kept: _Kept) -> Iterator[tuple[str, Token]]:
    by_kind: dict[str, list[Fact]] = defaultdict(list)
    for fact in kept.facts:
        by_kind[fact.what.kind].append(fact)
    for kind, facts in by_kind.items():
        if kind == "lab_result":
            yield from _labs(kept, facts)
        elif kind in ("weight", "ecg", "toxicity"):
            yield from _measured(kept, kind, facts)
        elif kind in ONLY_THE_LATEST:  # rules read the latest only
            latest = max(enumerate(facts), key=lambda pair: (pair[1].at, pair[0]))[1]
            yield kind, _token(kept, latest)
        elif kind in ("rung_fired", "obligation_met"):
            pass
        elif kind not in ORDERED:
            yield from ((kind, token) for fact in facts for token in _one(kept, kind, fact, facts))
    yield from _obligations(kept, by_kind)
    for fact in kept.facts:
        if fact.what.kind in ORDERED and not _overtaken(kept, fact):
            yield "course", _token(kept, fact)


def _one(kept: _Kept, kind: str, fact: Fact, facts: list[Fact]) -> Iterator[Token]:
    what: Any = fact.what
    if kind in OF_ONE_DOSE and kind != "countersigned" and (what.cycle, what.day) in kept.given:
        if isinstance(what, DoseAuthorised):  # what a given dose was computed with is the next one's dosing weight
            yield (what.cycle, what.day, str(what.weight_kg), what.level) if what.cycle >= kept.cycle else ()
    elif kind == "countersigned" and kept.last is not None and fact.recorded_at < kept.last.at and not kept.corrections:
        return
    elif kind in ("infusion_started", "administration"):
        yield from _dose(kept, fact)
    elif kind in BED:
        if kept.last is not None and fact.at >= kept.last.at:
            yield _token(kept, fact)
    elif kind == "premedication":
        if kept.now - fact.at < EXPIRES:
            yield _token(kept, fact)
    elif kind == "preparation":
        fresh = kept.now - what.reconstituted_at < EXPIRES
        yield from [_token(kept, fact)] if fresh else [("old",)] if fact is facts[-1] else []
    elif kind == "hold":
        released = {r.what.hold for r in kept.facts if isinstance(r.what, HoldReleased)}
        yield from [] if fact.id in released else [_token(kept, fact)]
    elif kind == "hold_released":
        return
    elif kind in ("unreadable_message", "unreadable_resolved"):
        resolved = {r.what.target for r in kept.facts if isinstance(r.what, UnreadableResolved)}
        about = fact.id if kind == "unreadable_message" else what.target
        known = {f.id: f for f in kept.facts}
        lab = kind == "unreadable_resolved" and about in known  # a dismissed result takes itself out of its analyte
        open_ = kind == "unreadable_message" and what.sha256 not in resolved and fact.id not in resolved
        yield from [_token(kept, fact)] if open_ or lab else []
    elif kind == "response":
        latest = [f for f in facts if f.what.cycle == what.cycle][-1]  # type: ignore[union-attr]
        yield from [_token(kept, fact)] if fact is latest else []
    else:
        yield _token(kept, fact)


def _dose(kept: _Kept, fact: Fact) -> Iterator[Token]:
    """Only the last dose with its times; earlier ones of this cycle by their dates; older cycles by their number."""
    what: Any = fact.what
    day = (kept.now.date() - what.local_on).days if what.local_on else None
    if fact is kept.last:
        ended = what.kind == "administration" or any(
            f.what.kind == "infusion_completed" and f.at >= fact.at for f in kept.facts
        )
        bag = None if ended else what.preparation_id  # only a running infusion still asks when its bag was made
        yield (what.kind, what.cycle, what.day, str(what.mg), bag, _age(kept, fact.at), _age(kept, fact.recorded_at))
        yield (*(_age(kept, at) for at in _times(fact)), getattr(what, "level", None))
    elif what.cycle >= kept.cycle:
        yield (what.kind, what.cycle, what.day, day)
    else:
        yield (what.kind, what.cycle, what.day)
    gap = [(fact.at.date() - d.at.date()).days for d in kept.doses if d.at < fact.at]
    if gap and min(gap) < 6:  # a deviation that the card names for ever
        yield (what.kind, "too soon", min(gap))


def _overtaken(kept: _Kept, fact: Fact) -> bool:
    """A reaction that is graded, mild, over, and of an earlier dose; a decision on a dose that was given."""
    what: Any = fact.what
    if kept.corrections and what.kind in ("reaction", "correction"):
        return False
    if isinstance(what, Reaction):
        same = [f.what for f in kept.facts if isinstance(f.what, Reaction) and f.what.reaction_id == what.reaction_id]
        mild = all((r.grade or 0) < 3 for r in same) and any(r.grade is not None for r in same)
        over = any(r.resolved_at is not None for r in same)
        return mild and over and not kept.after_last_dose(fact)
    if what.kind == "dose_decided":
        return (what.cycle, what.day) in kept.given or (what.cycle, what.day) < (kept.cycle - 1, 1)
    return False


# ── values over time ───────────────────────────────────────────────────────────────────────────────────────────────


def _labs(kept: _Kept, facts: list[Fact]) -> Iterator[tuple[str, Token]]:
    by_code: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_code[fact.what.loinc].append(fact)  # type: ignore[union-attr]
    for code, versions in by_code.items():
        found = _last_of_each_draw(versions)
        if code == CORRECTABLE and len(versions) > 1:
            yield from ((code, ("may come back", *_aged(kept, fact))) for fact in _under_correction(kept, versions))
        ordered = sorted(enumerate(found), key=lambda pair: (_collected(pair[1]), pair[0]))
        series = [(fact, _usual_lab(fact)) for _, fact in ordered]
        yield from ((code, token) for token in _series(kept, series))


def _under_correction(kept: _Kept, versions: list[Fact]) -> list[Fact]:
    """What may stand again when a result of the last day is retracted: the others of that day, and the one before them."""
    ordered = sorted(versions, key=_collected)
    recent = [f for f in ordered if _collected(f) >= kept.now - CORRECTED_WITHIN]
    earlier = [f for f in ordered if _collected(f) < kept.now - CORRECTED_WITHIN]
    return [*earlier[-1:], *recent] if recent else []


_RANK = {"preliminary": 1, "final": 2, "amended": 3, "corrected": 3, "cancelled": 3, "entered-in-error": 4}


def _last_of_each_draw(versions: list[Fact]) -> list[Fact]:
    """Of each correction chain the result that stands; what it replaced is never read again."""
    chains: dict[Any, tuple[Any, Fact]] = {}
    for arrival, fact in enumerate(versions):
        what: Any = fact.what
        order = (_RANK.get(str(what.status), 0), what.issued_at or fact.recorded_at, arrival)
        chain = (what.sender, what.accession or what.report_id, what.collected_at)
        if chain not in chains or order > chains[chain][0]:
            chains[chain] = (order, fact)
    return [fact for _, fact in chains.values()]


def _collected(fact: Fact) -> datetime:
    assert isinstance(fact.what, LabResult)
    return fact.what.collected_at or fact.recorded_at


def _usual_lab(fact: Fact) -> bool:
    """An ordinary, readable, normal result as the usual ward sends it."""
    return _USUAL.of(fact)


def _is_usual_lab(fact: Fact) -> bool:
    what = fact.what
    assert isinstance(what, LabResult)
    plain = what.comparator is None and what.status == "final" and what.text is None and what.accession is None
    known = ANALYTE.get(what.loinc)
    usual = result(known, MORNING) if known else None
    return plain and usual is not None and (what.value, what.unit, what.uln) == (usual.value, usual.unit, usual.uln)


def _measured(kept: _Kept, kind: str, facts: list[Fact]) -> Iterator[tuple[str, Token]]:
    by_term: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_term[getattr(fact.what, "term", kind)].append(fact)
    for term, found in by_term.items():
        ordered = sorted(enumerate(found), key=lambda pair: (pair[1].at, pair[0]))
        series = [(fact, _usual_measure(fact)) for _, fact in ordered]
        yield from ((term, token) for token in _series(kept, series))


def _usual_measure(fact: Fact) -> bool:
    what: Any = fact.what
    if what.kind == "weight":
        return str(what.kg) == KILOGRAMS
    return str(what.qtcf_ms) == "420" if what.kind == "ecg" else what.grade == 0


def _series(kept: _Kept, series: list[tuple[Fact, bool]]) -> Iterator[Token]:
    """One value over time: the latest with its age; the baselines by value; each unusual episode with its recovery,
    unless it was short, is over, and a dose was given after it."""
    latest, usual_latest = series[-1]
    if usual_latest and not kept.live and kept.now - _when(latest) > OLD:
        yield ("latest", "old", _said(latest))
    else:
        yield ("latest", *_aged(kept, latest))
    for name, at in _baselines(kept):
        before = [fact for fact, _ in series if _when(fact) <= at]
        yield (name, _said(before[-1]) if before else None)
    episode: list[Fact] = []
    for fact, usual in series:
        if not usual:
            episode.append(fact)
        elif episode:
            over = _when(fact) - _when(episode[0]) < SHORT and kept.last is not None and kept.last.at > _when(fact)
            if not over:
                yield from (("episode", *_aged(kept, f)) for f in (*episode, fact))
            episode = []
    yield from (("episode", *_aged(kept, f)) for f in episode)


def _baselines(kept: _Kept) -> Iterator[tuple[str, datetime]]:
    """Before the first dose, at the first dose of this cycle and of the one before, at the last dose."""
    if kept.last is None:
        return
    yield "first", kept.doses[0].at
    yield "last", kept.last.at
    for name, cycle in (("cycle", kept.cycle), ("cycle before", kept.cycle - 1)):
        first = next((f for f in kept.doses if f.what.cycle == cycle), None)  # type: ignore[union-attr]
        if first is not None:
            yield name, first.at


def _when(fact: Fact) -> datetime:
    return _collected(fact) if isinstance(fact.what, LabResult) else fact.at


def _aged(kept: _Kept, fact: Fact) -> Token:
    named = fact.id if kept.live else ""  # a signature or override that still counts is bound to this very fact
    return (named, _age(kept, _when(fact)), _age(kept, fact.recorded_at), _said(fact))


# ── what fell due ──────────────────────────────────────────────────────────────────────────────────────────────────


def _obligations(kept: _Kept, by_kind: dict[str, list[Fact]]) -> Iterator[tuple[str, Token]]:
    """Rungs that fired and are open; closed ones as long as they could come back: until the next dose was given."""
    closed = {
        (f.what.obligation, f.what.due_at)
        for f in by_kind.get("obligation_met", ())
        if isinstance(f.what, ObligationMet)
    }
    for kind in ("rung_fired", "obligation_met"):
        for fact in by_kind.get(kind, ()):
            what: Any = fact.what
            old = kept.last is not None and fact.recorded_at < kept.last.at
            if (what.obligation, what.due_at) in closed and old:
                continue
            said = (what.obligation, what.rung if kind == "rung_fired" else what.how)
            yield kind, (*said, _age(kept, what.due_at), _age(kept, fact.recorded_at))


# ── one fact ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _token(kept: _Kept, fact: Fact) -> Token:
    """A fact with its ages in place of its times. Ids count only where something that stands refers to them."""
    named = fact.id if fact.what.kind in ("hold", "dose_authorised", "override", "preparation") else ""
    who = f"{fact.by.role}:{fact.by.id}"
    return (fact.what.kind, named, who, _age(kept, fact.at), _age(kept, fact.recorded_at), *_dated(kept, fact))


def _dated(kept: _Kept, fact: Fact) -> Token:
    """What it says; times and dates inside it as ages too."""
    return (_said(fact), *(_age(kept, at) for at in _times(fact)))


def _said(fact: Fact) -> str:
    return _SAID.of(fact)


_TIMED = {
    *("collected_at", "issued_at", "reconstituted_at", "dilution_started_at", "ended_at", "resolved_at", "local_on"),
    *("transplanted_at", "transplanted_on", "until", "planned_on", "first_symptom_on", "sha256"),
}


def _times(fact: Fact) -> tuple[Any, ...]:
    return _TIMES.of(fact)


def _age(kept: _Kept, at: Any) -> Any:
    if at is None:
        return None
    return int((kept.now - at).total_seconds()) if isinstance(at, datetime) else (kept.now.date() - at).days


def _slot(fact: Fact) -> tuple[int, int]:
    what: Any = fact.what
    return what.cycle, what.day


_SAID = _PerFact(lambda fact: fact.what.model_dump_json(exclude=_TIMED))
_TIMES: _PerFact[tuple[Any, ...]] = _PerFact(
    lambda fact: tuple(getattr(fact.what, name, None) for name in sorted(_TIMED) if name != "sha256")
)
_USUAL = _PerFact(_is_usual_lab)
