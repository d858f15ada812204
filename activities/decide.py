"""The recorded activity `decide`: it opens and reads what arrived, asks the pure core, and writes the answer down once.

Everything that depends on keys, models or rules happens in here, and Temporal keeps the answer: the workflow never
reads a message. It touches nothing outside the process. Runs in a thread, one question of a course at a time.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Final, NamedTuple

from temporalio import activity

from activities import beside
from activities.reading import Read, Reader
from activities.stubs import DECIDE, HOLD
from activities.turns import turn
from clinical.chart.setting_aside import judge_setting_aside
from clinical.decide import STILL_UNREADABLE, Concluded, Inside, ReadAgainTold, Told, conclude
from clinical.judge import ROLES
from models.assessment import Accepted, Assessment, Refused
from models.base import canonical_json, content_hash
from models.chart import Chart, hashes_unresolved
from models.deciding import Answered, Ask, Outcome, State
from models.facts import Fact, UnreadableMessage
from models.holding import call_of, held_without_rules
from models.messages import SIGNALS, Message, MoveToCurrentBuild, ReadAgain, ReconcileRecord, Request, SetFactAside
from models.phase import CYCLE, MONITORING, Phase
from models.pins import ProtocolPin
from models.protocol import Protocol
from models.record import MessageSeen, RawMessage, Recorded, RefusedMessage, chart_key_after, sha256_of
from plumbing.logging import get_logger
from plumbing.protocol_files import ProtocolError, load_pinned, signed_off
from plumbing.site_file import SiteFile

log = get_logger()

LARGEST_CONTENT: Final = 512 * 1024
"""A decision of more letters is taken in smaller bites: with what is kept raw it must stay below the 1 MiB that the server
keeps. The largest message that is read at all (256 KiB, 200 results) comes to 430 KiB."""
LARGEST_RAW: Final = 512 * 1024
TOO_LARGE: Final = "what it comes to is too large to be kept"
SUSPECTS: Final = 100
"""How many of the latest facts are tried for being the one that the rules cannot bear."""
SUSPECTED_WITHIN_S: Final = 2.0
"""For no longer than this: an answer that comes too late is none, and a long chart is tried slowly."""


class RulesFailed(Exception):
    """The rules raised, or may not be used; the text says where, without values."""


class _Heard(NamedTuple):
    """What a bite comes to: its messages with an outcome each, what the core is told of, and where that stands in it.

    `inside` is by its place the message that a `read_again` brought; its outcome stands inside that one's.
    """

    reads: Sequence[Read]
    outcomes: list[Outcome]
    told: list[Told]
    places: list[int]
    inside: dict[int, Read]


class Decider:
    """Judges and assesses. `code_version` goes into every decision, so that the record knows which rules spoke.

    `sites` are the site files known here. Where `must_be_signed` (on a ward), nothing is decided under a protocol that
    nobody signed off in the site file that the course pinned.
    """

    def __init__(
        self,
        code_version: str,
        sites: tuple[SiteFile, ...] = (),
        *,
        reader: Reader | None = None,
        must_be_signed: bool = False,
    ) -> None:
        self._code_version = code_version
        self._reader = reader or Reader(None)
        self._sites = sites
        self._must_be_signed = must_be_signed

    @activity.defn(name=DECIDE)
    def decide(self, ask: Ask) -> Answered:
        """Take in the bite, or its beginning, and assess the chart at `ask.now`.

        Rules that raise never fail this activity: a message on which they do is set aside as unreadable (LAB-05), and
        where they do without any message the answer holds the course (RULES-01).
        """
        state = beside.take(ask.token) or ask.state
        if state is None:
            return Answered(missing=True)
        chart = beside.kept(ask.run_id, ask.chart_key) or Chart(course=state.course, facts=state.facts)
        with turn():
            reads = [self._reader.read(one) for one in state.bite]
            while True:
                answered = self._bite(ask, state, chart, reads)
                if answered is not None:
                    return answered
                reads = reads[: max(1, len(reads) // 2)]

    @activity.defn(name=HOLD)
    def hold(self, ask: Ask) -> Answered:
        """Hold the course of which no answer came in time, without asking any rule."""
        state = beside.take(ask.token) or ask.state
        if state is None:
            return Answered(missing=True)
        chart = Chart(course=state.course, facts=state.facts)
        return self._held(ask, state, chart, _Heard((), [], [], [], {}), "no answer in time")

    # ── one bite ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _bite(self, ask: Ask, state: State, chart: Chart, reads: Sequence[Read]) -> Answered | None:
        """The answer to these messages; `None` where fewer must be taken: a rule failed, or the answer is too large."""
        heard = self._heard(reads, state.answered, chart)
        try:
            done = self._concluded(ask, chart, heard.told, state.adopted)
        except RulesFailed as error:
            return None if len(reads) > 1 else self._alone(ask, state, chart, heard, error)
        answered = self._answered(ask, chart, heard, done)
        if not _too_large(answered):
            return answered
        return None if len(reads) > 1 else self._aside(ask, state, chart, heard, TOO_LARGE)

    def _alone(self, ask: Ask, state: State, chart: Chart, heard: _Heard, error: RulesFailed) -> Answered:
        """A rule failed on one message, or on none. Twice, while the rules work without it: it is set aside (LAB-05)."""
        if not heard.told:
            return self._held(ask, state, chart, heard, self._explained(ask, chart, error))
        try:
            done = self._concluded(ask, chart, heard.told, state.adopted)
            return self._answered(ask, chart, heard, done)
        except RulesFailed as again:
            return self._aside(ask, state, chart, heard, f"a rule failed on it: {again}")

    def _aside(self, ask: Ask, state: State, chart: Chart, heard: _Heard, why: str) -> Answered:
        """The one message that this course cannot bear is unreadable (LAB-05); where it is not the message, it is held."""
        if not heard.told:
            return self._held(ask, state, chart, heard, why)
        aside = _set_aside(heard, why, chart)
        try:
            done = self._concluded(ask, chart, aside.told, state.adopted)
        except RulesFailed as without:
            return self._held(ask, state, chart, heard, self._explained(ask, chart, without))
        answered = self._answered(ask, chart, aside, done)
        if _too_large(answered):
            return self._held(ask, state, chart, heard, TOO_LARGE)
        log.error("message_set_aside", course=state.course.course_id, where=why.replace(" ", "_")[:128])
        return answered

    def _concluded(self, ask: Ask, chart: Chart, told: Sequence[Told], adopted: Sequence[Fact] = ()) -> Concluded:
        try:
            protocol = self._usable(chart.protocol)
        except ProtocolError as error:
            raise RulesFailed(str(error)) from None
        try:
            return conclude(
                chart,
                told,
                ask.now,
                protocol,
                self._find,
                monitoring=ask.monitoring,
                compared=ask.compared,
                adopted=adopted,
            )
        except Exception as error:  # whatever a rule raises must not lock the course
            raise RulesFailed(_where(error)) from error

    def _explained(self, ask: Ask, chart: Chart, error: RulesFailed) -> str:
        """Where the rules failed, and without which one fact they would work, so that two people can set it aside."""
        fact = next((f for f in self._suspects(ask, chart)), None)
        return f"{error}; without fact {fact} they work" if fact else str(error)

    def _suspects(self, ask: Ask, chart: Chart) -> Iterator[str]:
        until = time.monotonic() + SUSPECTED_WITHIN_S
        for place in range(len(chart.facts) - 1, max(-1, len(chart.facts) - 1 - SUSPECTS), -1):
            if time.monotonic() > until:
                return
            without = Chart(course=chart.course, facts=chart.facts[:place] + chart.facts[place + 1 :])
            try:
                self._concluded(ask, without, ())
            except RulesFailed:
                continue
            yield chart.facts[place].id

    # ── the answer ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _answered(self, ask: Ask, chart: Chart, heard: _Heard, done: Concluded) -> Answered:
        reads, outcomes, seen, moves, tried = heard.reads, list(heard.outcomes), [], False, []
        raw = [r.kept() for r, o in zip(reads, outcomes, strict=True) if o.how in ("unreadable", "set_aside")]
        for place, told, ruling in zip(heard.places, heard.told, done.rulings, strict=True):
            if isinstance(told, UnreadableMessage) or ruling is None:
                continue
            outcomes[place] = _ruled(outcomes[place], told, _refusal(ruling))
            seen.append(_seen(told, outcomes[place], _refusal(ruling)))
            moves = moves or (isinstance(told, MoveToCurrentBuild) and isinstance(ruling, Accepted))
            if isinstance(told, ReadAgainTold) and isinstance(ruling, Refused) and ruling.type == STILL_UNREADABLE:
                tried.append(told.request.target)
        turned_away = []
        for read, outcome in _each(reads, outcomes, heard.inside):
            if (why := _turned_away(outcome)) is not None:
                turned_away.append(_for_a_person(*why, read))
                raw.append(read.kept(why[0]))
        recorded = Recorded(
            at=ask.now,
            messages=tuple(seen),
            refused_messages=tuple(turned_away),
            facts=done.facts,
            assessment=done.assessment,
            phase=done.phase,
            protocol=done.chart.protocol,
            code_version=self._code_version,
            key_ids=self._reader.key_ids,
            start=chart.course if ask.first else None,
            tried_again=tuple(tried),
        )
        settled = any(isinstance(t, ReconcileRecord) for t in heard.told) and done.settled
        return self._written(ask, recorded, done.chart, tuple(outcomes), tuple(raw), moves=moves, reconciled=settled)

    def _held(self, ask: Ask, state: State, chart: Chart, heard: _Heard, where: str) -> Answered:
        """The answer that holds the course. What arrived waits; the first time the administrator's call is a fact."""
        log.error("rules_failed", course=state.course.course_id, where=where.replace(" ", "_")[:128])
        since = ask.failing_since or ask.now
        called = () if ask.failing_since else (call_of(since, ask.now),)
        without = _without_rules(chart, heard, ask.now)
        facts = (*state.adopted, *called, *(f for r in without.values() if isinstance(r, Accepted) for f in r.facts))
        longer = chart.with_facts(*facts)
        held = held_without_rules(state.due, ask.cycle, chart.protocol.name, ask.now, since, where)
        kind = MONITORING if ask.monitoring else CYCLE
        recorded = Recorded(
            at=ask.now,
            messages=tuple(
                _seen(heard.told[i], heard.outcomes[heard.places[i]], _refusal(r)) for i, r in without.items()
            ),
            facts=facts,
            assessment=held,
            phase=Phase(kind=kind, cycle=ask.cycle),
            protocol=chart.protocol,
            code_version=self._code_version,
            key_ids=self._reader.key_ids,
            start=chart.course if ask.first else None,
        )
        ruled = {heard.places[i]: _refusal(r) for i, r in without.items()}
        outcomes = tuple(
            o.model_copy(update={"refusal": ruled[place]})
            if place in ruled
            else o
            if o.how in ("known", "reused")
            else o.model_copy(update={"how": "waits"})
            for place, o in enumerate(heard.outcomes)
        )
        moves = any(isinstance(heard.told[i], MoveToCurrentBuild) and _refusal(r) is None for i, r in without.items())
        return self._written(ask, recorded, longer, outcomes, (), failed=where, moves=moves)

    def _written(
        self,
        ask: Ask,
        recorded: Recorded,
        chart: Chart,
        outcomes: tuple[Outcome, ...],
        raw: tuple[RawMessage, ...],
        *,
        failed: str = "",
        moves: bool = False,
        reconciled: bool = False,
    ) -> Answered:
        content = canonical_json(recorded)
        sha256 = sha256_of(content)
        key = chart_key_after(ask.chart_key, sha256, recorded.facts)
        beside.keep(ask.run_id, key, chart)
        return Answered(
            outcomes=outcomes,
            failed=failed[:500],
            content=content,
            content_sha256=sha256,
            signature=_signature(recorded.assessment),
            news=bool(recorded.messages or recorded.refused_messages or recorded.facts),
            chart_key=key,
            phase=recorded.phase,
            raw=raw,
            moves=moves,
            reconciled=reconciled,
            code_version=self._code_version,
            key_ids=self._reader.key_ids,
        )

    # ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _heard(self, reads: Sequence[Read], answered: dict[str, str], chart: Chart) -> _Heard:
        """Which messages are news: a repeat has its answer already, and what waits for a person waits once."""
        known, waiting = dict(answered), hashes_unresolved(chart.facts)
        heard = _Heard(reads, [], [], [], {})
        for place, read in enumerate(reads):
            outcome = _outcome(read, known, waiting)
            heard.outcomes.append(outcome)
            if outcome.how not in ("judged", "unreadable"):
                continue
            known[outcome.id] = outcome.sha256
            waiting.add(read.sha256)
            for told in self._told(heard, place, read, known):
                heard.told.append(told)
                heard.places.append(place)
        return heard

    def _told(self, heard: _Heard, place: int, read: Read, known: dict[str, str]) -> Iterator[Told]:
        """What the core is told of one message: itself, and what it brought where it asks to read that again."""
        request = read.message
        if not isinstance(request, ReadAgain):
            yield request or read.unreadable()
            return
        again = self._reader.read_again(request)
        if isinstance(again, str) or again.message is None:
            yield ReadAgainTold(request, "", again if isinstance(again, str) else again.reason)
            return
        inside = _outcome(again, known, set()).model_copy(update={"sent": request.sent})
        yield ReadAgainTold(request, _what_it_was(again.message, inside))
        if isinstance(again.message, Request):
            return
        heard.inside[place] = again
        heard.outcomes[place] = heard.outcomes[place].model_copy(update={"inside": inside})
        if inside.how == "judged":
            known[inside.id] = inside.sha256
            yield Inside(again.message, request.target)

    # ── protocols ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _usable(self, pin: ProtocolPin) -> Protocol:
        protocol = load_pinned(pin, sites=self._sites)
        if self._must_be_signed and signed_off(pin, self._sites) is None:
            raise ProtocolError(f"protocol {pin.name}: nobody signed it off for this site")
        return protocol

    def _find(self, pin: ProtocolPin) -> Protocol | None:
        try:
            return self._usable(pin)
        except ProtocolError:
            return None


def _set_aside(heard: _Heard, why: str, chart: Chart) -> _Heard:
    """The same, where a rule fails on this message: it waits for a person, once; one read again stays where it was."""
    first, read = heard.told[0], heard.reads[0]
    reads = [read._replace(reason=why)]
    outcome = heard.outcomes[0].model_copy(update={"inside": None})
    if isinstance(first, ReadAgainTold):
        return _Heard(reads, [outcome], [first._replace(why=why)], [0], {})
    outcome = outcome.model_copy(update={"how": "set_aside"})
    if read.sha256 in hashes_unresolved(chart.facts):
        return _Heard(reads, [outcome], [], [], {})
    return _Heard(reads, [outcome], [read.unreadable(why)], [0], {})


def _what_it_was(message: Message, inside: Outcome) -> str:
    """What became of a message that was read again, in words."""
    if isinstance(message, Request):
        return f"read again: {message.name}, which nobody waits for any more; whoever asks for it still, asks again"
    if inside.how == "known":
        return f"read again: {message.name}, which came once more meanwhile and is charted"
    return f"read again: {message.name}"


def _ruled(outcome: Outcome, told: Told, refusal: Refused | None) -> Outcome:
    """The outcome with its ruling; nothing is inside where the request to read it again was refused."""
    if isinstance(told, Inside) and outcome.inside is not None:
        return outcome.model_copy(update={"inside": outcome.inside.model_copy(update={"refusal": refusal})})
    return outcome.model_copy(update={"refusal": refusal, "inside": None if refusal else outcome.inside})


def _each(
    reads: Sequence[Read], outcomes: Sequence[Outcome], inside: dict[int, Read]
) -> Iterator[tuple[Read, Outcome]]:
    """Every message with its outcome, those that were read again among them."""
    for place, (read, outcome) in enumerate(zip(reads, outcomes, strict=True)):
        yield read, outcome
        if outcome.inside is not None:
            yield inside[place], outcome.inside


def _turned_away(outcome: Outcome) -> tuple[str, str] | None:
    """Type and words, where this message made no fact and a person must find out why (IDN-01)."""
    if outcome.how == "reused":
        return "MessageIdReused", f"{outcome.name}: the message id was used before with other content"
    if outcome.refusal is not None and outcome.name in SIGNALS:
        return outcome.refusal.type, outcome.refusal.message
    return None


def _without_rules(chart: Chart, heard: _Heard, now: datetime) -> dict[int, Accepted | Refused]:
    """Rulings that need no rule, by their place among what was told: what helps where the rules themselves fail."""
    ruled: dict[int, Accepted | Refused] = {}
    for place, told in enumerate(heard.told):
        if isinstance(told, SetFactAside):
            ruled[place] = judge_setting_aside(chart, told, now)
        elif isinstance(told, MoveToCurrentBuild) and told.by.role in ROLES[told.name]:
            ruled[place] = Accepted(facts=())
    return ruled


def _refusal(ruling: Accepted | Refused | None) -> Refused | None:
    return ruling if isinstance(ruling, Refused) else None


def _outcome(read: Read, known: dict[str, str], waiting: set[str]) -> Outcome:
    name = read.arrived.name[:200]
    if read.message is None:
        how = "known" if read.sha256 in waiting else "unreadable"
        return Outcome.model_validate({"how": how, "name": name, "sha256": read.sha256})
    sha256 = read.message.content_hash()
    before = known.get(read.message.id)
    how = "judged" if before is None else "known" if before == sha256 else "reused"
    return Outcome.model_validate({"how": how, "name": name, "id": read.message.id, "sha256": sha256})


def _seen(told: Told, outcome: Outcome, refusal: Refused | None) -> MessageSeen:
    assert not isinstance(told, UnreadableMessage)
    if isinstance(told, Inside):
        assert outcome.inside is not None
        message, sha256 = told.message, outcome.inside.sha256
    else:
        message, sha256 = told.request if isinstance(told, ReadAgainTold) else told, outcome.sha256
    return MessageSeen(name=message.name, id=message.id, sha256=sha256, by=str(message.by), refusal=refusal)


def _for_a_person(kind: str, reason: str, read: Read) -> RefusedMessage:
    """A message that made no fact waits for a person (IDN-01)."""
    return RefusedMessage(type=kind, reason=reason, sha256=read.sha256, size=len(read.raw))


def _signature(assessment: Assessment) -> str:
    """What must change for a decision without news to be worth an entry."""
    findings = [(f.rule, f.verdict, f.reason) for f in assessment.findings]
    standing = [(o.key, o.due_at.isoformat(), o.standing) for o in assessment.obligations]
    dose = assessment.dose.model_dump(mode="json") if assessment.dose else None
    return content_hash([assessment.state, assessment.verdict, findings, dose, standing])


def _too_large(answered: Answered) -> bool:
    return len(answered.content) > LARGEST_CONTENT or sum(len(r.raw_base64) for r in answered.raw) > LARGEST_RAW


def _where(error: Exception) -> str:
    """The kind of an error and the place that raised it; its own text may repeat a patient's value."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        path = PurePath(trace.tb_frame.f_code.co_filename)
        place = f"@{path.parent.name}/{path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"
