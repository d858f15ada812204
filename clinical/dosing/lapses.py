"""A signature that lapsed stays lapsed (E1): what it was given for is asked with each message that came after it.

Which signatures had lapsed by the last arrival is kept beside the chart, and a longer chart goes on from there.
"""

from dataclasses import dataclass
from itertools import pairwise

from clinical.chart.once import once
from clinical.chart.stores import Store
from clinical.course.arrivals import chart_to, ends
from clinical.course.case import Case
from clinical.dosing.dosing import dose_plan
from clinical.treatment.windows import slot_of
from models.chart import Chart
from models.facts import DoseAuthorised, Fact, InfusionStarted

FOLD = "lapsed signatures"


@dataclass(frozen=True)
class Folded:
    """How far a chart was read: of `count` facts, the signatures for doses not yet started, and those that have lapsed."""

    count: int = 0
    signed: tuple[tuple[str, DoseAuthorised], ...] = ()
    lapsed: frozenset[str] = frozenset()


@once
def lapsed(case: Case) -> frozenset[str]:
    """The signatures under which another dose, or other results, stood at any time since."""
    case.reading.rests_on_every_fact()
    facts, known = case.reading.told.all_facts, case.reading.memory.folds
    if any(a.recorded_at > b.recorded_at for a, b in pairwise(facts)):
        facts, known = tuple(sorted(facts, key=lambda f: f.recorded_at)), Store()
    folded: Folded = known.get(FOLD, Folded())
    chart: Chart | None = None
    for end in ends(facts, folded.count):
        then = case
        if folded.signed and end < len(facts):
            chart = chart_to(case, chart, facts, end)
            then = Case(chart, case.protocol, facts[end - 1].recorded_at)
        folded = _step(then, folded, facts[folded.count : end])
    known[FOLD] = folded
    return folded.lapsed


def _step(case: Case, folded: Folded, arrived: tuple[Fact, ...]) -> Folded:
    """What stands after one message: a signature in it is new, a start in it ends what there was to lapse."""
    begun = {(f.what.cycle, f.what.day) for f in arrived if isinstance(f.what, InfusionStarted)}
    waiting = tuple((name, signed) for name, signed in folded.signed if (signed.cycle, signed.day) not in begun)
    gone = {name for name, signed in waiting if not _stands(case, signed)}
    new = tuple((f.id, f.what) for f in arrived if isinstance(f.what, DoseAuthorised))
    standing = tuple(one for one in waiting if one[0] not in gone)
    return Folded(folded.count + len(arrived), (*standing, *new), folded.lapsed | gone)


def _stands(case: Case, signed: DoseAuthorised) -> bool:
    plan = dose_plan(case, slot_of(signed.cycle, signed.day))
    return plan is not None and plan.binding == signed.binding
