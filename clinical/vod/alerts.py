"""The ladder of suspicion (ALERT-00 … -04, -09): from a definition that is met to a physician's word; nothing else lowers it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from clinical.chart.once import once
from clinical.course.case import Case
from clinical.vod.suspicion import Reached, kept, merged, open_now, step_of
from clinical.vod.vod import DEFINITIONS, answers
from clinical.vod.vod_signs import Sign, Signs
from models.assessment import Finding, Input, Verdict
from models.facts import Fact, VodJudged

WATCH, SUSPECTED = 1, 2


@dataclass(frozen=True)
class Ladder:
    """Where a patient stands on the ladder; `step` is A0 … A4.

    `now` are the definitions that are met now, `open` those that were reached and that no physician has judged since
    (VOD-13), `opened_at` when the first of them became known, `risen_at` when a graver one did; `unknown` are the signs of
    which nothing is known lately, `watched` those that are watched, `inputs` the values behind all of it.
    """

    step: int
    now: tuple[Reached, ...]
    open: tuple[Reached, ...]
    opened_at: datetime | None
    risen_at: datetime | None
    unknown: tuple[str, ...]
    covers: tuple[str, ...]
    judged: tuple[Fact, VodJudged] | None
    watched: tuple[str, ...]
    inputs: tuple[Input, ...]

    @property
    def met(self) -> tuple[str, ...]:
        """The clauses of all that is met or was."""
        return tuple(reached.clause for reached in merged(self.now, self.open))

    @property
    def waits(self) -> bool:
        """A physician must judge, or has said "suspected": nothing is given (§3.5 row 2)."""
        return bool(self.open) or (self.judged is not None and self.judged[1].judgement == "suspected")

    @property
    def suspected_since(self) -> datetime | None:
        """Since when it is known that VOD may be there: by the signs, or by the word of a physician."""
        return self.opened_at or (self.judged[0].recorded_at if self.judged else None)

    @property
    def unanswered_since(self) -> datetime | None:
        """Since when a physician is waited for; "suspected" asks again, "confirmed" has answered (the drug is stopped)."""
        if self.judged is None or self.judged[1].judgement != "suspected":
            confirmed = self.judged is not None and self.judged[1].judgement == "confirmed"
            return None if confirmed or not self.open else self.opened_at
        said_at = self.judged[0].recorded_at
        return max(said_at, self.opened_at or said_at)


@once
def ladder(case: Case) -> Ladder:
    """The step that was reached and not judged, or that the signs reach now, with the judgement made last."""
    past = kept(case)
    signs = Signs(case, judged=past.covers)
    found = answers(signs)
    now = tuple(Reached(clause, past.until, part.by) for clause, part in found.items() if part.answer)
    still = merged(past.reached, open_now(signs, past))
    watched = signs.to_watch()
    step = step_of((*now, *still)) or (WATCH if watched else 0)
    opened_at = past.opened_at or (past.until if still else None)
    shown = (watched, signs.inputs())
    return Ladder(
        step, now, still, opened_at, past.risen_at, signs.not_known(), covers(now, signs.to_judge), past.judged, *shown
    )


def covers(now: tuple[Reached, ...], present: tuple[Sign, ...]) -> tuple[str, ...]:
    """What a judgement made now covers, as it is kept with it: the definitions met, the signs there, how much of each."""
    amounts = [f"{s.name}={s.amount:.3f}" if s.amount is not None else s.name for s in present]
    return (*(reached.clause for reached in now), *amounts)


def suspicion(case: Case) -> Iterator[Finding]:
    """What the ladder asks for, in every state of a course."""
    found = ladder(case)
    verdict = Verdict.HOLD_URGENT if found.waits else None
    clears = _clears(case) if verdict else None
    inputs = found.inputs
    now = {reached.clause for reached in found.now}
    judged = f"; judged {found.judged[1].judgement}" if found.judged and not verdict else ""
    for reached in sorted(merged(found.now, found.open), key=lambda one: -DEFINITIONS[one.clause][1]):
        name, step, _ = DEFINITIONS[reached.clause]
        met = "is met" if reached.clause in now else "was met, and nobody has judged it since"
        reason = f"A{step}: VOD after {name} {met}: {'; '.join(sign.words for sign in reached.by)}{judged}"
        yield case.finding(reached.clause, verdict, reason, inputs=_of(reached, inputs), clears=clears)
    if found.waits and not found.met:
        yield case.finding("ALERT-02", verdict, "a physician suspects VOD", inputs=inputs, clears=clears)
    elif found.step == WATCH and not found.met:
        yield case.finding("ALERT-01", None, f"watch for VOD: {', '.join(found.watched)}", inputs=inputs)
    if found.unknown and found.step < SUSPECTED and case.dosing_ended is not None:
        missing = ", ".join(found.unknown)
        yield case.finding("ALERT-09", None, f"whether VOD is there cannot be told: {missing} not known, or not lately")


def _clears(case: Case) -> str:
    """What a physician may say. Where VOD was confirmed, no further word of it is the way back (COR-02)."""
    if any(what.judgement == "confirmed" for _, what in case.reading.of(VodJudged)):
        return "judge_vod by a physician: excluded with the other cause, or resolved; the drug stays stopped for good (NON-01)"
    return "judge_vod by a physician: excluded with the other cause, resolved, or confirmed"


def _of(reached: Reached, inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    """The values among these that meet a definition."""
    facts = {sign.fact for sign in reached.by}
    return tuple(shown for shown in inputs if shown.fact in facts)
