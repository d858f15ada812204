"""A suspicion of VOD is kept (VOD-13): what was reached at any time and no physician has judged since.

It follows from facts and time alone. With each message that arrived, the definitions are asked of all that was known
then, as of every instant of the signs themselves: a value that comes late is put where it was drawn, and one that is
corrected or withdrawn later was known all the same. So nothing that is said afterwards undoes it, but a judgement.

What was reached up to the last arrival is kept beside the chart, and a longer chart goes on from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from clinical.chart.once import ALWAYS, once
from clinical.chart.stores import Store
from clinical.chart.told import Told
from clinical.coding.meaning import meaning
from clinical.coding.units import PERCENT, bilirubin_umol_per_l
from clinical.course.arrivals import chart_to, of_one_message
from clinical.course.case import Case
from clinical.vod.vod import DEFINITIONS, answers
from clinical.vod.vod_signs import Sign, Signs, end_of_day, names_vod, vod_by_name
from models.facts import Fact, Imaging, LabResult, VodExamination, VodJudged
from models.people import PHYSICIANS

SETTLED = frozenset({"excluded", "resolved"})
MEASURED = frozenset({"bilirubin", "weight"})
"""The analytes of laboratory results that are signs of VOD."""
SEEN = frozenset({"vod_examination", "imaging", "weight"})
BY_NAME = "toxicity"
"""A kind of fact that may name VOD itself."""
EVIDENCE = frozenset({"imaging", "pressure or tissue"})
"""Evidence alone can be enough, and so can a person's word: they count for two."""
WORD = "vod_judged"
OTHERWISE = frozenset(
    {
        *("transplant", "infusion_started", "administration", "correction"),
        *("result_confirmed", "unreadable_resolved", "result_withdrawn"),
    }
)
"""Kinds of fact that change what earlier ones mean: a baseline, a day 0, which value stands."""
KINDS = (*SEEN, *OTHERWISE, BY_NAME, WORD)
FOLD = "suspicion of VOD"


@dataclass(frozen=True)
class Reached:
    """A definition that was met: when last, and by which of its criteria."""

    clause: str
    at: datetime
    by: tuple[Sign, ...]


@dataclass(frozen=True)
class Kept:
    """What was reached and not judged since, and the last judgement with what it covers.

    `risen_at` says when it became known that a graver step of the ladder was reached than before. `may_be` names the signs
    that there can have been at all, `lightest` and `heaviest` are the weights that were told: where no definition can have
    been met, none is asked.
    """

    reached: tuple[Reached, ...] = ()
    opened_at: datetime | None = None
    risen_at: datetime | None = None
    judged: tuple[Fact, VodJudged] | None = None
    covers: tuple[Sign, ...] | None = None
    settled_at: datetime = ALWAYS
    until: datetime = ALWAYS
    may_be: frozenset[str] = frozenset()
    lightest: Decimal | None = None
    heaviest: Decimal | None = None

    @property
    def possible(self) -> bool:
        """Whether any definition can have been met: each asks for two signs, or for evidence."""
        return len(self.may_be) > 1


@dataclass(frozen=True)
class Folded:
    """How far a chart was read: `count` facts to `kept`; those of the last arrival began at `last` with `before`."""

    count: int = 0
    last: int = 0
    before: Kept = Kept()
    kept: Kept = Kept()
    void: frozenset[str] = frozenset()


@once
def kept(case: Case) -> Kept:
    """What was reached up to the last fact of this chart (VOD-13)."""
    case.reading.rests_on(*KINDS)
    case.reading.rests_on_results(*MEASURED)
    told, known = case.reading.told, case.reading.memory.folds
    facts, void = told.all_facts, _void(told)
    folded: Folded = known.get(FOLD, Folded())
    unread = facts[max(0, folded.count - 1) :]  # what was read before came in order
    if any(a.recorded_at > b.recorded_at for a, b in pairwise(unread)):
        facts, known, folded = tuple(sorted(facts, key=lambda f: f.recorded_at)), Store(), Folded()
    if folded.void != void:
        folded = Folded(void=void)
    if folded.count < len(facts):
        folded = _goes_on(case, facts, folded)
        known[FOLD] = folded
    return folded.kept


def step_of(reached: tuple[Reached, ...]) -> int:
    """The gravest step of the ladder among these definitions (A2, A3, A4), 0 where there is none."""
    return max((DEFINITIONS[one.clause][1] for one in reached), default=0)


def open_now(signs: Signs, since: Kept) -> tuple[Reached, ...]:
    """The definitions met at the instant of these signs, unless a judgement covers every sign that is there (VOD-09)."""
    judged = since.covers is not None and all(sign.covered_by(since.covers) for sign in signs.to_judge)
    if judged or not signs.enough:
        return ()
    at = signs.then or max((sign.at for sign in signs.present), default=ALWAYS)
    return tuple(Reached(clause, at, part.by) for clause, part in answers(signs).items() if part.answer)


def merged(earlier: tuple[Reached, ...], later: tuple[Reached, ...]) -> tuple[Reached, ...]:
    """Each definition as it was met last."""
    by_clause = {r.clause: r for r in earlier}
    for reached in later:
        known = by_clause.get(reached.clause)
        if known is None or known.at <= reached.at:
            by_clause[reached.clause] = reached
    return tuple(by_clause[clause] for clause in DEFINITIONS if clause in by_clause)


def _void(told: Told) -> frozenset[str]:
    """Judgements that were taken back or changed: what they had settled is open again; a suspicion stays a suspicion."""
    if told.versions is None:
        return frozenset()
    judged = [(f, f.what) for f in told.all_facts if isinstance(f.what, VodJudged) and f.what.judgement != "suspected"]
    return frozenset(f.id for f, what in judged if not _stands(told.standing(f.id, f), what.judgement))


def _stands(fact: Fact | None, judgement: str) -> bool:
    if fact is None or not isinstance(fact.what, VodJudged):
        return False
    return fact.what.judgement == judgement or {fact.what.judgement, judgement} <= SETTLED


# ── arrival by arrival ─────────────────────────────────────────────────────────────────────────────────────────────


def _goes_on(case: Case, facts: tuple[Fact, ...], folded: Folded) -> Folded:
    """Read on to the end of the facts. The last arrival may go on: it begins anew with the facts that belong to it."""
    at_an_end = not folded.count or _parts(facts[folded.count - 1], facts[folded.count])
    now, start = (folded.kept, folded.count) if at_an_end else (folded.before, folded.last)
    before, last, chart = now, start, None
    for first, end in _arrivals(facts, start):
        before, last = now, first
        arrived = facts[first:end]
        if not any(map(_matters, arrived)):
            continue  # it shows no sign, and says nothing of one
        looking = _looking(case, before, arrived)
        if not looking.possible and not any(f.what.kind == WORD for f in arrived):
            now = looking
        elif end == len(facts):
            now = _step(case, before, looking, arrived, folded.void)
        else:
            chart = chart_to(case, chart, facts, end)
            then = Case(chart, case.protocol, arrived[-1].recorded_at)
            now = _step(then, before, looking, arrived, folded.void)
    return Folded(len(facts), last, before, now, folded.void)


def _arrivals(facts: tuple[Fact, ...], start: int) -> Iterator[tuple[int, int]]:
    """The facts that arrived together, up to and with a judgement: those of one message."""
    first = start
    for i in range(start, len(facts)):
        if i + 1 == len(facts) or _parts(facts[i], facts[i + 1]):
            yield first, i + 1
            first = i + 1


def _parts(fact: Fact, following: Fact) -> bool:
    return not of_one_message(fact, following) or fact.what.kind == WORD


def _matters(fact: Fact) -> bool:
    what: Any = fact.what
    if what.kind == "lab_result":
        return not MEASURED.isdisjoint(meaning(what).analytes)
    if what.kind == BY_NAME:
        return names_vod(what)
    return what.kind in SEEN or what.kind in OTHERWISE or what.kind == WORD


def _looking(case: Case, kept: Kept, arrived: tuple[Fact, ...]) -> Kept:
    """Which signs there can be by now, whatever stands of these facts: looked for without reading the chart of then."""
    signs, weights = set(kept.may_be), [w for w in (kept.lightest, kept.heaviest) if w is not None]
    for fact in arrived:
        what: Any = fact.what.replacement if fact.what.kind == "correction" else fact.what
        if what is None:
            continue
        if what.kind == "vod_examination":
            signs.update(name for name, value in what.__dict__.items() if value is True)
            signs |= {"hepatomegaly"} if what.painful_hepatomegaly else set()
            signs |= {"ascites"} if what.ascites_amount else set()
        elif what.kind == "imaging" or (what.kind == BY_NAME and names_vod(what)):
            signs |= EVIDENCE
        elif what.kind == "weight":
            weights.append(what.kg)
        elif what.kind == "lab_result":
            measured = MEASURED.intersection(meaning(what).analytes)
            signs |= measured if measured and _may_be_high(case, fact, what) else set()
    if not weights:
        return kept if signs == kept.may_be else replace(kept, may_be=frozenset(signs))
    lightest, heaviest = min(weights), max(weights)
    if (heaviest - lightest) * PERCENT > lightest * case.protocol.vod.gain_seattle_above.number:
        signs.add("weight")
    return replace(kept, may_be=frozenset(signs), lightest=lightest, heaviest=heaviest)


def _may_be_high(case: Case, fact: Fact, sent: LabResult) -> bool:
    """A weight, a bilirubin of a child, or one that is not surely low."""
    if meaning(sent).analytes != {"bilirubin"} or sent.value is None or Signs(case, fact.recorded_at).child:
        return True
    umol = bilirubin_umol_per_l(sent.value, sent.unit or "")
    return umol is None or sent.comparator not in (None, "", "=") or umol >= case.protocol.vod.bilirubin_from.number


def _step(case: Case, before: Kept, looking: Kept, arrived: tuple[Fact, ...], void: frozenset[str]) -> Kept:
    """What is kept after these facts, which arrived together; a judgement among them is the last of them."""
    now, at = looking, arrived[-1].recorded_at
    if now.possible:
        since = _changed_since(arrived) if before.possible else ALWAYS
        now = _reached(case, now, min(since, before.until), at)
    last = arrived[-1]
    if isinstance(last.what, VodJudged) and last.by.role in PHYSICIANS and last.id not in void:
        now = replace(now, judged=(last, last.what))
        if last.what.judgement in SETTLED:
            settled_at = min(last.at, at)
            covers = Signs(case, settled_at).to_judge
            now = replace(now, reached=(), opened_at=None, risen_at=None, covers=covers, settled_at=settled_at)
            now = _reached(case, now, settled_at, at)
    return replace(now, until=at)


def _changed_since(arrived: tuple[Fact, ...]) -> datetime:
    """From which instant on the signs are others than were known: when they were seen or drawn."""
    matter = [fact for fact in arrived if _matters(fact) and fact.what.kind != WORD]
    return ALWAYS if any(f.what.kind in OTHERWISE for f in matter) else min((f.at for f in matter), default=ALWAYS)


def _reached(case: Case, kept: Kept, since: datetime, at: datetime) -> Kept:
    """What was reached at the instants of the signs from `since` to `at`, and at `at` itself."""
    from_at = max(since, kept.settled_at)
    found = kept.reached
    for instant in sorted({at, *(i for i in _instants(case) if from_at <= i <= at)}):
        found = merged(found, open_now(Signs(case, instant, kept.covers), kept))
    opened_at = kept.opened_at or (at if found else None)
    risen_at = at if kept.reached and step_of(found) > step_of(kept.reached) else kept.risen_at
    return replace(kept, reached=found, opened_at=opened_at, risen_at=risen_at)


def _instants(case: Case) -> set[datetime]:
    """Every instant at which a sign was measured or seen, and after which a definition begins to look (VOD-04)."""
    measured = {k.collected_at for k in case.results.against("bilirubin")} | {w.at for w in case.plausible_weights()}
    seen = {f.at for f, _ in (*case.reading.of(VodExamination), *case.reading.of(Imaging))}
    seen |= {f.at for f, _ in vod_by_name(case)}
    until = case.protocol.vod.classical_until
    days = {end_of_day(case, transplanted_at, until) for _, transplanted_at in case.transplants}
    return measured | seen | days
