"""The loop that conducts a course: decide, keep one timer per obligation, wait for a message or a timer.

A small durable executor of what the pure core says: no rule lives here. `TreatmentCycle` and `LiverMonitoring` are thin
classes over this base; each of their runs is one stretch of the same course, under the same workflow id.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NoReturn

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import stubs
    from models.assessment import (
        Assessment,
        CourseState,
        Finding,
        Obligation,
        Receipt,
        Refused,
        Verdict,
    )
    from models.carried import (
        CYCLE,
        ENDED,
        MONITORING,
        Answer,
        Carried,
        DecideRequest,
        Decision,
        Phase,
        WaitingSignal,
    )
    from models.chart import Chart
    from models.facts import Fact, RungFired, UnreadableMessage
    from models.messages import Command, MoveToCurrentBuild, NamedMessage, Statement
    from models.notification import Notification, NotificationBatch
    from models.people import CLOCK, Role
    from models.record import CourseStart, MessageSeen, RecordBatch, RecordEntry, RefusedMessage
    from models.status import Status
    from workflows import incoming
    from workflows.obligation_timers import ObligationTimers
    from workflows.outbox import Outbox
    from workflows.shown import attributes_of, changes, details_of

WORKFLOW_OF_PHASE = {CYCLE: "TreatmentCycle", MONITORING: "LiverMonitoring"}
RECORD_BEHIND_AFTER = timedelta(minutes=10)
RECORD_GRACE = timedelta(seconds=5)
CARRY_LIMIT_BYTES = 1024 * 1024
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(hours=1)
DOUBLINGS = 6
BATCH = 50
AT_THE_BEDSIDE = frozenset(
    {CourseState.INFUSION, CourseState.INFUSION_INTERRUPTED, CourseState.OBSERVATION, CourseState.REACTION}
)
SEND_WITHIN = timedelta(seconds=10)
"""How long one attempt may take; after a killed worker the next attempt starts when this is over."""
UNTIL_IT_IS_DONE = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
RECORD_KEY = "record-behind"
RULES_KEY = "rules-not-evaluated"
RULES_WORDS = "rules could not be evaluated"


class RulesUnavailable(Exception):
    """The local activity failed: the course is held and asks again."""


class CourseWorkflow:
    """State and loop of one run. Everything is built in `__init__`: an update can run before the first line of `run`."""

    PHASE = CYCLE

    def __init__(self, carried: Carried) -> None:
        self._course = carried.course
        self._facts: list[Fact] = list(carried.facts)
        self._answers: dict[str, Answer] = {a.message_id: a for a in carried.answers}
        self._waiting: list[WaitingSignal] = list(carried.waiting)
        self._record: Outbox[RecordEntry] = Outbox(carried.unwritten, self._write, BATCH)
        self._calls: Outbox[Notification] = Outbox(carried.untold, self._notify, BATCH)
        self._next_decision = carried.next_decision
        self._last_sha256 = carried.last_sha256
        self._cycle = carried.cycle
        self._cycle_started_at = carried.cycle_started_at or workflow.now()
        self._state, self._state_since = carried.shown_state, carried.shown_state_since or workflow.now()
        self._assessment: Assessment | None = None
        self._phase: Phase | None = None
        self._recorded_signature: object = None
        self._shown: dict[str, Any] = {}
        self._must_decide = True
        self._changed = False
        self._rules_failures = 0
        self._record_behind = False
        self._asked_to_move = False
        self._one_decision = asyncio.Lock()
        self._timers = ObligationTimers(self._time_has_come)

    # ── the loop ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def conduct(self) -> str:
        """Conduct the course until this run is over: continue as new, or end with the course (MON-17)."""
        while True:
            self._record.open()
            self._calls.open()
            await self._settle()
            if self._run_is_over:
                ending = await self._leave()
                if ending is not None:
                    return ending
                continue
            await workflow.wait_condition(lambda: self._must_decide or self._changed or self._may_take_in)
            self._changed = False

    async def _settle(self) -> None:
        """Take in every message that has arrived, decide if time asks for it, and arm the timers."""
        async with self._one_decision:
            # Taken before anything can fail: a rule that fails must wait for its retry timer, not spin.
            asked, self._must_decide = self._must_decide, False
            try:
                await self._take_in_waiting()
                if asked:
                    self._apply(await self._decide())
            except RulesUnavailable:
                self._hold_without_rules()
        if self._assessment is not None:
            self._timers.arm(self._assessment)

    @property
    def _may_take_in(self) -> bool:
        """While the rules fail, what has arrived waits for the retry timer; otherwise the loop would spin."""
        return bool(self._waiting) and not self._rules_failures

    def _time_has_come(self) -> None:
        self._must_decide = True

    @property
    def _run_is_over(self) -> bool:
        if self._phase is None or self._rules_failures or self._waiting:
            return False
        if (self._phase.kind, self._phase.cycle) != (self.PHASE, self._cycle):
            return True
        quiet = self._assessment is not None and self._assessment.state not in AT_THE_BEDSIDE
        return quiet and (self._asked_to_move or workflow.info().is_continue_as_new_suggested())

    async def _leave(self) -> str | None:
        """Go over into the next run, or end; `None` when something arrived that keeps this run going."""
        if self._phase is not None and self._phase.kind == ENDED:
            return await self._end()
        if self._record.waiting:
            await self._give_the_record_a_moment()
        if self._too_large_to_carry():
            self._say_that_the_record_is_behind()
            self._changed = False
            await workflow.wait_condition(self._something_new_or_written)
            return None
        self._timers.stop()
        await self._record.close()
        await self._calls.close()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._run_is_over:
            self._continue_as_new()
        return None

    def _something_new_or_written(self) -> bool:
        return self._changed or self._must_decide or self._may_take_in or not self._record.waiting

    async def _give_the_record_a_moment(self) -> None:
        try:
            await workflow.wait_condition(
                lambda: not self._record.waiting,
                timeout=RECORD_GRACE,
                timeout_summary="waiting for the record before the next run",
            )
        except TimeoutError:
            workflow.logger.info("record_carried_over", extra={"course": self._course.course_id})

    async def _end(self) -> str | None:
        """The completion of a course waits for its record and its last calls, and for nothing else."""
        self._timers.stop()
        await workflow.wait_condition(lambda: bool(self._waiting) or self._all_is_out)
        if self._waiting or not self._run_is_over:
            return None
        await self._record.close()
        await self._calls.close()
        return f"completed after {self._next_decision - 1} decisions"

    @property
    def _all_is_out(self) -> bool:
        return not self._record.waiting and not self._calls.waiting and workflow.all_handlers_finished()

    def _continue_as_new(self) -> NoReturn:
        assert self._phase is not None
        workflow.continue_as_new(
            args=[self._carried()],
            workflow=WORKFLOW_OF_PHASE[self._phase.kind],
            initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
        )

    def _carried(self) -> Carried:
        assert self._phase is not None
        same_cycle = self._phase.cycle == self._cycle and self._phase.kind == self.PHASE
        return Carried(
            course=self._course,
            facts=tuple(self._facts),
            answers=tuple(self._answers.values()),
            waiting=tuple(self._waiting),
            unwritten=tuple(self._record.waiting),
            untold=tuple(self._calls.waiting),
            next_decision=self._next_decision,
            last_sha256=self._last_sha256,
            cycle=self._phase.cycle,
            cycle_started_at=self._cycle_started_at if same_cycle else None,
            shown_state=self._state,
            shown_state_since=self._state_since,
        )

    def _too_large_to_carry(self) -> bool:
        return bool(self._record.waiting) and len(self._carried().model_dump_json()) > CARRY_LIMIT_BYTES

    # ── deciding ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _decide(
        self, message: NamedMessage | None = None, *, unreadable: UnreadableMessage | None = None
    ) -> Decision:
        """Ask the pure core, in a local activity: the result is recorded, so no later release breaks a replay."""
        request = DecideRequest(
            chart=self._chart,
            now=workflow.now(),
            monitoring=self.PHASE == MONITORING,
            message=message,
            unreadable=unreadable,
        )
        try:
            decision = await workflow.execute_local_activity(
                stubs.decide,
                request,
                start_to_close_timeout=timedelta(seconds=10),
                schedule_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(maximum_attempts=2),
            )
        except FailureError as error:  # a local activity's own error comes unwrapped, and would fail the whole course
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("rules_failed", extra={"course": self._course.course_id})
            raise RulesUnavailable from error
        self._rules_failures = 0
        return decision

    def _apply(
        self,
        decision: Decision,
        message: NamedMessage | None = None,
        refused_message: RefusedMessage | None = None,
    ) -> None:
        """Take a decision over: facts, entry for the record, what is shown. Nothing is awaited in here."""
        first_index = len(self._facts)
        self._facts.extend(decision.facts)
        self._assessment, self._phase = decision.assessment, decision.phase
        self._call_for(decision.facts, decision.assessment)
        signature = _signature(decision.assessment)
        told = message is not None or refused_message is not None or bool(decision.facts)
        if told or signature != self._recorded_signature:
            self._queue(decision, message, refused_message, first_index)
            self._recorded_signature = signature
        self._changed = True
        self._show()

    def _queue(
        self,
        decision: Decision,
        message: NamedMessage | None,
        refused_message: RefusedMessage | None,
        first_index: int,
    ) -> None:
        entry = RecordEntry(
            course_id=self._course.course_id,
            number=self._next_decision,
            run_cycle=self._cycle,
            at=decision.assessment.as_of,
            message=_seen(message),
            refusal=decision.ruling if isinstance(decision.ruling, Refused) else None,
            refused_message=refused_message,
            facts=decision.facts,
            first_fact_index=first_index,
            assessment=decision.assessment,
            protocol=self._chart.protocol,
            code_version=decision.code_version,
            start=self._start_of_course() if self._next_decision == 1 else None,
            previous_sha256=self._last_sha256,
        ).sealed()
        self._record.put(entry)
        self._last_sha256 = entry.sha256
        self._next_decision += 1

    def _start_of_course(self) -> CourseStart:
        course = self._course
        return CourseStart(
            course_id=course.course_id,
            zone=course.zone,
            subject_hash=course.subject_hash,
            invented=course.invented,
            protocol=course.protocol,
            started_at=course.started_at,
            started_by=str(course.started_by),
        )

    # ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────

    @workflow.signal(dynamic=True)
    async def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """Results, findings and responses of machines, and whatever else is sent: kept raw, never raises."""
        self._waiting.append(incoming.as_waiting(name, args))

    @workflow.update(dynamic=True)
    async def on_update(self, name: str, args: Sequence[RawValue]) -> Receipt:
        """A command of a person, answered with a receipt, or refused with what is missing and what would clear it."""
        command = incoming.read_command(name, args)
        try:
            return await self._answer(NamedMessage.of(command), command)
        except ApplicationError:
            raise
        except RulesUnavailable:
            self._hold_without_rules()
            raise self._without_rules(command) from None
        except Exception as error:
            if is_cancelled_exception(error):
                raise
            # Any other exception would stall the course; the caller gets a clear word instead.
            workflow.logger.error("handler_fault", extra={"course": self._course.course_id, "code": name})
            raise ApplicationError(
                "the service failed to handle this", type="HandlerFault", non_retryable=True
            ) from None

    @on_update.validator
    def _is_well_formed(self, name: str, args: Sequence[RawValue]) -> None:
        """Turn away a form that is not for this course. This leaves no history: all else is judged in the handler."""
        command = incoming.read_command(name, args)
        if command.course_id is not None and command.course_id != self._course.course_id:
            raise ApplicationError("not this course", type="WrongCourse", non_retryable=True)

    async def _answer(self, message: NamedMessage, command: Command) -> Receipt:
        """Judge until every fact that has arrived was judged; two people may press start at once.

        A repeated message gets its first answer; the same id with other content is refused and kept for a person.
        """
        async with self._one_decision:
            answer = self._answers.get(message.id)
            if answer is None:
                answer = self._decided(message, await self._judge_until_settled(message))
            elif answer.sha256 != message.sha256:
                await self._refuse_reused_id(message)
                raise ApplicationError("MessageIdReused", type="MessageIdReused", non_retryable=True)
        if answer.refusal is not None:
            raise _refusal(answer.refusal)
        assert answer.receipt is not None
        return answer.receipt

    async def _judge_until_settled(self, message: NamedMessage) -> Decision:
        while True:
            await self._take_in_waiting()
            decision = await self._decide(message)
            if not self._waiting:
                return decision

    async def _refuse_reused_id(self, message: NamedMessage) -> None:
        reason = f"{message.name}: the message id was used before with other content"
        self._apply(await self._decide(), refused_message=_for_a_person("MessageIdReused", reason, message))

    async def _take_in_waiting(self) -> None:
        """Judge every signal that has arrived, in order; one that fails stays at its place."""
        while self._waiting:
            await self._take_in(incoming.read_signal(self._waiting[0]))
            self._waiting.pop(0)

    async def _take_in(self, message: NamedMessage | UnreadableMessage) -> None:
        if isinstance(message, UnreadableMessage):
            if not any(isinstance(f.what, UnreadableMessage) and f.what.sha256 == message.sha256 for f in self._facts):
                self._apply(await self._decide(unreadable=message))
            return
        first = self._answers.get(message.id)
        if first is not None:
            if first.sha256 != message.sha256:
                await self._refuse_reused_id(message)
            return
        decision = await self._decide(message)
        self._decided(message, decision, _refused_by(decision, message))

    def _decided(
        self, message: NamedMessage, decision: Decision, refused_message: RefusedMessage | None = None
    ) -> Answer:
        """Take the decision on a message over, and keep its answer for every repeat."""
        number = self._next_decision
        if message.name == MoveToCurrentBuild.name and not isinstance(decision.ruling, Refused):
            self._asked_to_move = True
        self._apply(decision, message, refused_message)
        answer = _answer_of(message, decision, number)
        self._answers[message.id] = answer
        return answer

    # ── when the rules cannot be evaluated ─────────────────────────────────────────────────────────────────────────

    def _hold_without_rules(self) -> None:
        """Hold, keep the timers, tell a person, and ask again after 1 min, doubling to 1 h."""
        now = workflow.now()
        self._timers.retry_rules_at(now + min(FIRST_RETRY * 2 ** min(self._rules_failures, DOUBLINGS), LAST_RETRY))
        self._rules_failures += 1
        if self._rules_failures > 1:
            return
        held = _held_without_rules(self._assessment, self._cycle, self._course.protocol.name, now)
        rung = RungFired(obligation=RULES_KEY, rung="due", due_at=now)
        fact = Fact(id=f"clock/{RULES_KEY}/{self._next_decision}", by=CLOCK, at=now, recorded_at=now, what=rung)
        phase = self._phase or Phase(kind=self.PHASE, cycle=self._cycle)
        self._apply(Decision(ruling=None, facts=(fact,), assessment=held, phase=phase, code_version="none"))

    def _without_rules(self, command: Command) -> ApplicationError:
        """What the caller is told. A statement is kept and judged later; a request is not."""
        if not isinstance(command, Statement):
            return ApplicationError(RULES_WORDS, type="RulesUnavailable", non_retryable=True)
        self._waiting.append(incoming.kept(NamedMessage.of(command)))
        return ApplicationError(f"{RULES_WORDS}; the statement is kept", type="RulesUnavailable", non_retryable=True)

    # ── the record ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _write(self, entries: tuple[RecordEntry, ...]) -> None:
        """One ordered batch into the record, for as long as it takes; only the completion of the course waits for it."""
        batch = RecordBatch(entries=entries)
        while not await self._written_in_time(batch):
            self._say_that_the_record_is_behind()
        if self._record_behind:
            self._record_behind = False
            self._show()

    async def _written_in_time(self, batch: RecordBatch) -> bool:
        """Whether the record has confirmed the batch before it counts as behind. No timer, so no bar in the Web UI."""
        try:
            await workflow.execute_activity(
                stubs.write_record,
                batch,
                start_to_close_timeout=SEND_WITHIN,
                schedule_to_close_timeout=RECORD_BEHIND_AFTER,
                retry_policy=UNTIL_IT_IS_DONE,
                summary=_headline(batch),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False
        return True

    def _say_that_the_record_is_behind(self) -> None:
        workflow.logger.error("record_behind", extra={"course": self._course.course_id})
        if not self._record_behind:
            now = workflow.now()
            self._call(
                RECORD_KEY, "the record is behind: its database does not answer", "REC-01", Role.ADMINISTRATOR, now
            )
        self._record_behind = True
        self._show()

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _notify(self, calls: tuple[Notification, ...]) -> None:
        """Tell people; it never waits for the record."""
        await workflow.execute_activity(
            stubs.notify,
            NotificationBatch(notifications=calls),
            start_to_close_timeout=SEND_WITHIN,
            retry_policy=UNTIL_IT_IS_DONE,
            summary=_told(calls),
        )

    def _call_for(self, facts: Sequence[Fact], assessment: Assessment) -> None:
        """Every rung that fired calls its owner, once: a rung fires once."""
        known = {o.key: o for o in assessment.obligations}
        for fact in facts:
            rung = fact.what
            if isinstance(rung, RungFired) and rung.obligation in known:
                o = known[rung.obligation]
                self._call(o.key, o.title, o.rule, o.owner, rung.due_at, rung.rung, fact.recorded_at)

    def _call(
        self,
        key: str,
        title: str,
        rule: str,
        owner: Role,
        due_at: datetime,
        rung: Literal["due", "overdue"] = "due",
        fired_at: datetime | None = None,
    ) -> None:
        course_id = self._course.course_id
        self._calls.put(
            Notification(
                key=f"{course_id}/{key}/{due_at:%Y-%m-%dT%H:%M:%SZ}/{rung}",
                course_id=course_id,
                title=title,
                rule=rule,
                owner=owner,
                rung=rung,
                due_at=due_at,
                fired_at=fired_at or workflow.now(),
            )
        )

    # ── what others see ────────────────────────────────────────────────────────────────────────────────────────────

    def _show(self) -> None:
        if self._assessment is None:
            return
        if self._assessment.state != self._state:
            self._state, self._state_since = str(self._assessment.state), self._assessment.as_of
        attributes = attributes_of(self._assessment, self._cycle_started_at, self._state_since)
        moved = changes(self._shown, attributes)
        if moved:
            workflow.upsert_search_attributes(moved)
            self._shown = attributes
        workflow.set_current_details(
            details_of(self._assessment, self._state_since, self._next_decision - 1, self._trouble)
        )

    @property
    def _trouble(self) -> tuple[str, ...]:
        words = []
        if self._rules_failures:
            words.append(f"{RULES_WORDS}; the course is held and asks again")
        if self._record_behind:
            words.append(f"record behind: {len(self._record.waiting)} entries wait for the database")
        return tuple(words)

    @workflow.query
    def status(self) -> Status:
        """Where the course stands, in a few words, as of its last decision."""
        known = self._assessment
        return Status(
            course_id=self._course.course_id,
            workflow_type=workflow.info().workflow_type,
            protocol=self._chart.protocol,
            cycle=self._cycle,
            state=known.state if known else None,
            verdict=known.verdict if known else None,
            sentence=known.sentence() if known else "not assessed yet",
            now=workflow.now(),
            valid_until=known.valid_until if known else None,
            next_due=known.next_due if known else None,
            decisions=self._next_decision - 1,
            facts=len(self._facts),
            unwritten=len(self._record.waiting),
            waiting=len(self._waiting),
            trouble=self._trouble,
        )

    @workflow.query
    def assessment(self) -> Assessment | None:
        """The whole card as of the last decision; nothing before the first one."""
        return self._assessment

    @workflow.query
    def chart(self) -> Chart:
        """All facts of the course."""
        return self._chart

    @property
    def _chart(self) -> Chart:
        return Chart(course=self._course, facts=tuple(self._facts))


def _answer_of(message: NamedMessage, decision: Decision, number: int) -> Answer:
    if isinstance(decision.ruling, Refused):
        return Answer(message_id=message.id, sha256=message.sha256, refusal=decision.ruling)
    receipt = Receipt(
        message_id=message.id,
        decision=number,
        state=decision.assessment.state,
        verdict=decision.assessment.verdict,
        sentence=decision.assessment.sentence(),
    )
    return Answer(message_id=message.id, sha256=message.sha256, receipt=receipt)


def _seen(message: NamedMessage | None) -> MessageSeen | None:
    return (
        None if message is None else MessageSeen(name=message.name, id=message.id, sha256=message.sha256, by=message.by)
    )


def _headline(batch: RecordBatch) -> str:
    """The gravest verdict of a batch in words, so that the Web UI shows decisions as bars."""
    gravest = min(batch.entries, key=lambda e: (e.refusal is None, tuple(Verdict).index(e.assessment.verdict)))
    more = f" (+{len(batch.entries) - 1})" if len(batch.entries) > 1 else ""
    return f"{gravest.headline()}{more}"[:200]


def _told(calls: tuple[Notification, ...]) -> str:
    """Who is called and why, for the Web UI."""
    first = calls[0]
    more = f" (+{len(calls) - 1})" if len(calls) > 1 else ""
    return f"call {first.owner}: {first.title} – {first.rung}{more}"[:200]


def _signature(assessment: Assessment) -> object:
    """What must change for a decision without a message to be worth an entry."""
    findings = tuple((f.rule, f.verdict, f.reason) for f in assessment.findings)
    standing = tuple((o.key, o.due_at, o.standing) for o in assessment.obligations)
    return assessment.state, assessment.verdict, findings, assessment.dose, standing


def _refusal(refusal: Refused) -> ApplicationError:
    """Type and rules in the text; the card travels in the details, which the codec encrypts."""
    rules = f" ({', '.join(refusal.rules)})" if refusal.rules else ""
    return ApplicationError(f"{refusal.type}{rules}", refusal, type=refusal.type, non_retryable=True)


def _refused_by(decision: Decision, message: NamedMessage) -> RefusedMessage | None:
    """A machine's message that made no fact waits for a person (IDN-01)."""
    ruling = decision.ruling
    return _for_a_person(ruling.type, ruling.message, message) if isinstance(ruling, Refused) else None


def _for_a_person(kind: str, reason: str, message: NamedMessage) -> RefusedMessage:
    content = message.content.encode()
    return RefusedMessage(
        type=kind, reason=reason, sha256=message.sha256, size=len(content), head_base64=incoming.head_of(content)
    )


def _held_without_rules(previous: Assessment | None, cycle: int, protocol: str, now: datetime) -> Assessment:
    """Unknown means hold: what was due stays due, no dose may be given, an administrator is called."""
    finding = Finding(rule="RULES-01", verdict=Verdict.HOLD, reason=RULES_WORDS, clears="the service mended")
    due = Obligation(
        key=RULES_KEY,
        title=RULES_WORDS,
        rule="RULES-01",
        owner=Role.ADMINISTRATOR,
        due_at=now,
        overdue_at=now + LAST_RETRY,
        standing="due",
        clears="the service mended",
    )
    known = tuple(o for o in previous.obligations if o.key != RULES_KEY) if previous else ()
    return Assessment(
        state=CourseState.HELD,
        verdict=Verdict.HOLD,
        as_of=now,
        valid_until=None,
        cycle=previous.cycle if previous else cycle,
        protocol=protocol,
        findings=(finding,),
        obligations=(*known, due),
        owner=Role.ADMINISTRATOR,
        next_action="mend the service: its log says what failed",
    )
