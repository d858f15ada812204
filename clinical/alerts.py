"""The ladder of suspicion (ALERT-00 … -04, -09): from a definition that is met to a physician's word; time never lowers it."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from clinical.case import Case
from clinical.once import once
from clinical.vod import DEFINITIONS, Signs, answers
from models.assessment import Finding, Verdict
from models.facts import Fact, VodJudged

WATCH, SUSPECTED = 1, 2
SETTLED = frozenset({"excluded", "resolved"})


@dataclass(frozen=True)
class Ladder:
    """Where a patient stands on the ladder; `step` is A0 … A4, `unknown` says that a definition cannot be decided."""

    step: int
    met: tuple[str, ...]
    unknown: bool
    covers: tuple[str, ...]
    judged: tuple[Fact, VodJudged] | None

    @property
    def settled(self) -> bool:
        """A physician has excluded VOD, or called it over, for at least what is seen now."""
        if self.judged is None or self.judged[1].judgement not in SETTLED:
            return False
        return _covered(self.covers, self.judged[1].covers)

    @property
    def waits(self) -> bool:
        """A physician must judge, or has said "suspected": nothing is given (§3.5 row 2)."""
        suspected = self.judged is not None and self.judged[1].judgement == "suspected"
        return not self.settled and (self.step >= SUSPECTED or suspected)


@once
def ladder(case: Case) -> Ladder:
    """The step that the signs reach now, with the judgement made last."""
    signs = Signs(case)
    found = answers(signs)
    met = tuple(clause for clause, answer in found.items() if answer)
    step = max((DEFINITIONS[clause][1] for clause in met), default=WATCH if signs.to_watch() else 0)
    judgements = case.reading.of(VodJudged)
    return Ladder(step, met, None in found.values(), covers(signs, met), judgements[-1] if judgements else None)


def covers(signs: Signs, met: tuple[str, ...]) -> tuple[str, ...]:
    """What a judgement made now covers: the definitions met, the signs there, and how much of each."""
    amounts = [f"{name}={amount:.3f}" if amount is not None else name for name, amount in signs.present().items()]
    return (*met, *amounts)


def _covered(now: tuple[str, ...], before: tuple[str, ...]) -> bool:
    """Whether everything there now was there, and at least as much, when it was judged (VOD-09)."""
    known = dict(_split(words) for words in before)
    return all(name in known and amount <= known[name] for name, amount in map(_split, now))


def _split(words: str) -> tuple[str, Decimal]:
    name, _, amount = words.partition("=")
    return name, Decimal(amount or 0)


def suspicion(case: Case) -> Iterator[Finding]:
    """What the ladder asks for, in every state of a course."""
    found, signs = ladder(case), Signs(case)
    verdict = Verdict.HOLD_URGENT if found.waits else None
    clears = "judge_vod by a physician: excluded with the other cause, resolved, or confirmed" if verdict else None
    inputs = signs.inputs()
    for clause in found.met:
        name, step, _ = DEFINITIONS[clause]
        said = "" if verdict else f"; judged {found.judged[1].judgement}" if found.judged else ""
        reason = f"A{step}: VOD after {name} is met by {', '.join(signs.to_watch())}{said}"
        yield case.finding(clause, verdict, reason, inputs=inputs, clears=clears)
    if found.waits and not found.met:
        yield case.finding("ALERT-02", verdict, "a physician suspects VOD", inputs=inputs, clears=clears)
    elif found.step == WATCH and not found.met:
        yield case.finding("ALERT-01", None, f"watch for VOD: {', '.join(signs.to_watch())}", inputs=inputs)
    if found.unknown and found.step < SUSPECTED and case.dosing_ended is not None:
        yield case.finding("ALERT-09", None, "whether VOD is there cannot be told: not examined, or not lately")
