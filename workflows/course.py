"""The loop that conducts a course: decide, keep one timer per obligation, wait for a message or a timer.

A small durable executor of what the pure core says: no rule lives here, and no message is read here. `TreatmentCycle`
and `LiverMonitoring` are thin classes over this base; each of their runs is one stretch of the same course, under the
same workflow id.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import beside, stubs
    from models.assessment import Assessment, Obligation, Receipt, Refused, Rung, Verdict
    from models.base import short_hash
    from models.carried import Carried, TakenOver
    from models.chart import Chart
    from models.deciding import RUN_CLOSES, Answer, Answered, Ask, Head, Outcome, Sent, State
    from models.facts import DIFFERS, Fact, RecordCompared, RungFired
    from models.holding import RULES_KEY, RULES_WORDS, held_without_rules
    from models.messages import COMMANDS, Message, Statement
    from models.notification import Notification, NotificationBatch
    from models.people import Role
    from models.phase import CYCLE, ENDED, MONITORING, Phase
    from models.record import RecordBatch, Recorded, RecordEntry
    from models.status import Status
    from models.zones import zone_of
    from workflows import incoming
    from workflows.asking import asked, is_no_answer
    from workflows.heads import AT_THE_BEDSIDE, Links, last_written
    from workflows.incoming import BITE, Arrivals, Waiting
    from workflows.obligation_timers import RETRY, ObligationTimers
    from workflows.outbox import AGAIN_AFTER, Outbox
    from workflows.shown import attributes_of, changes, details_of

WORKFLOW_OF_PHASE = {CYCLE: "TreatmentCycle", MONITORING: "LiverMonitoring"}
RECORD_BEHIND_AFTER = timedelta(minutes=10)
RECORD_GRACE = timedelta(seconds=5)
RENEW_AFTER_EVENTS = 500
"""A run of more events is renewed before its cold replay costs 0.5 s of CPU: 0.8 ms an event by benchmarks/decision.py."""
CARRY_LIMIT_BYTES = 512 * 1024
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(hours=1)
DOUBLINGS = 6
CALL_AGAIN_AFTER = timedelta(hours=1)
COMPARED_FIRST = frozenset({"authorise_dose", "start_infusion", "resume_infusion"})
"""Commands before which the head of the record is asked (REC-02)."""
COMPARE_WITHIN, COMPARE_BEGINS_WITHIN = timedelta(seconds=2), timedelta(seconds=10)
"""A record that does not answer is away after two seconds; that a busy worker has not asked yet says nothing of the record."""
REFUSED_BY_RECORD = frozenset(
    {"RecordConflict", "RecordGap", "RecordChainBroken", "RecordHashMismatch", "RecordStartMissing"}
)
JUDGED_AGAIN = 3
"""How often a command is judged anew because results arrived while it was judged."""
REFUSALS_KEPT_WHOLE = 50
MOST_GO_OVER = 50
"""How many messages may go over into the next run unjudged; of more, this run takes in the first."""
SEND_WITHIN = timedelta(seconds=10)
"""How long one attempt may take; after a killed worker the next attempt starts when this is over."""
UNTIL_IT_IS_DONE = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
RECORD_KEY, CALLS_KEY, CANCEL_KEY = "record-behind", "calls-failed", "cancellation-asked"
CALLS_WORDS = "a call to a person was given up; it is sent again"
GOES_ON_WORDS = "two people have settled the difference; the course reads its record, to go on from it"
TOO_LARGE_WORDS = "the course is too large for a further run; it goes on in this one"
RECORD_HEAD = "record_head"
"""The memo's entry that anchors the chain outside the database: number and hash of the last decision on record."""


class CourseWorkflow:
    """State and loop of one run. Everything is built in `__init__`: an update can run before the first line of `run`."""

    PHASE = CYCLE

    def __init__(self, carried: Carried) -> None:
        self._course = carried.course
        self._facts: list[Fact] = list(carried.facts)
        self._answers: dict[str, Answer] = {a.message_id: a for a in carried.answers}
        self._known: dict[str, str] = {a.message_id: a.sha256 for a in carried.answers}
        self._arrivals = Arrivals(carried.waiting)
        self._record: Outbox[RecordEntry] = Outbox(
            carried.unwritten, self._write, self._say_that_the_record_is_behind, _letters_of
        )
        self._calls: Outbox[Notification] = Outbox(
            carried.untold, self._notify, self._say_that_calls_fail, in_order=False
        )
        self._adopted: tuple[Fact, ...] = carried.adopted
        self._compared = carried.compared
        self._told_compared: RecordCompared | None = None
        self._called_for = ""
        self._reconciled = False
        self._refused_by_record = ""
        self._taken: TakenOver | None = None
        self._offered: TakenOver | None = None
        self._offered_at = 0
        self._reading: asyncio.Task[None] | None = None
        self._raw = carried.raw
        before = (Head(number=e.number - 1, sha256=e.previous_sha256) for e in carried.unwritten)
        self._links = Links(*before, Head(number=carried.next_decision - 1, sha256=carried.last_sha256))
        self._chart_key = carried.chart_key
        self._cycle = carried.cycle
        self._cycle_started_at = carried.cycle_started_at or workflow.now()
        self._state, self._state_since = carried.shown_state, carried.shown_state_since or workflow.now()
        self._assessment: Assessment | None = None
        self._due = carried.due
        self._phase: Phase | None = None
        self._recorded_signature = ""
        self._shown: dict[str, Any] = {}
        self._must_decide = True
        self._changed = False
        self._failing_since: datetime | None = carried.failing_since
        self._rules_failures = 0
        self._rules_work = carried.failing_since is None
        self._bite = BITE
        self._administrator_called_at: datetime | None = None
        self._record_behind = False
        self._calls_failed = False
        self._too_large = False
        self._closing = False
        self._renew_at = RENEW_AFTER_EVENTS
        self._cancelled_at: datetime | None = None
        self._asked_to_move = False
        self._timers = ObligationTimers(self._time_has_come)

    # ── the loop ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def conduct(self) -> str:
        """Conduct the course until this run is over: continue as new, or end with the course (MON-17).

        A cancellation from outside is no end: it is said, somebody is called, and the course goes on.
        """
        conducting = asyncio.create_task(self._conduct())
        while True:
            try:
                ending = await asyncio.shield(conducting)
            except asyncio.CancelledError:
                if conducting.cancelled():
                    raise
                self._say_that_it_was_cancelled()
            else:
                return ending if ending is not None else self._continue_as_new()

    async def _conduct(self) -> str | None:
        """The loop; its answer is how the course ended, or `None` where the next run takes over."""
        comparing = asyncio.create_task(self._compare_at_first())
        try:
            return await self._until_it_is_over()
        finally:
            comparing.cancel()
            if self._reading is not None:
                self._reading.cancel()

    async def _compare_at_first(self) -> None:
        """A run begins beside a record that may know more than it was given: after a reset, or an older backup (REC-02)."""
        self._hold_for(await self._compare())

    async def _until_it_is_over(self) -> str | None:
        while True:
            self._record.open()
            self._calls.open()
            await self._settle()
            if self._reconciled:
                if await self._goes_on_from_the_record():
                    return None
            elif self._run_is_over:
                if self._has_ended and not self._is_long:
                    ending = await self._end()
                    if ending is not None:
                        return ending
                elif await self._leave():
                    return None
                continue
            self._closing = False
            await workflow.wait_condition(lambda: self._something_to_do or self._changed)
            self._changed = False

    async def _settle(self) -> None:
        """Take in what has arrived, decide if time asks for it, and arm the timers.

        A run that is over stops after each bite: while messages arrive all the time the queue is never empty. Once it
        closes it takes in the commands that are left, for no further one comes.
        """
        asked, self._must_decide = self._must_decide, False
        again, others_first = 0, False
        while True:
            bite = self._arrivals.bite(self._bite, failing=self._failing and not asked, in_turn=again >= JUDGED_AGAIN)
            if not bite and not asked:
                break
            answered = await self._ask(bite)
            command = bool(bite) and bite[0].is_command
            if command and self._overtaken(answered):
                if self._failing and others_first:
                    answered = None  # they fail on what lies before it: nobody knows what it would be judged on
                elif self._failing or again < JUDGED_AGAIN:
                    others_first, again, self._rules_work = self._failing, again + 1, True
                    continue
            # Counted while a command waits only: one that results overtake again and again has its turn too.
            again = again + 1 if self._arrivals.commands and not command else 0
            self._take_over(answered, bite)
            asked, others_first = False, others_first and self._failing
            if self._run_is_over and not (self._closing and self._arrivals.commands):
                break
        self._arm()

    def _arm(self) -> None:
        if self._failing:
            self._timers.arm_known(self._due)
        elif self._assessment is not None:
            self._timers.arm(self._assessment)

    def _overtaken(self, answered: Answered | None) -> bool:
        """A command was judged while something waits that is judged first: two people may press start at once, a result
        may land, and what came while the rules failed came before it."""
        return answered is not None and not answered.failed and self._arrivals.others

    @property
    def _failing(self) -> bool:
        return not self._rules_work

    @property
    def _something_to_do(self) -> bool:
        """While the rules fail, what nobody waits for stays for the retry timer; otherwise the loop would spin."""
        return self._must_decide or self._arrivals.commands or (self._arrivals.others and not self._failing)

    def _time_has_come(self, key: str) -> None:
        if self._failing and key != RETRY:
            self._call_what_is_due()
            self._changed = True
            self._show()
        else:
            self._must_decide = True

    # ── the end of a run ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _run_is_over(self) -> bool:
        """Whether another run, or none, is to go on; a few messages that nobody waits for may go over unjudged."""
        if self._phase is None or (len(self._arrivals) > MOST_GO_OVER and not self._failing):
            return False
        moved = (self._phase.kind, self._phase.cycle) != (self.PHASE, self._cycle)
        return moved or self._asked_to_move or self._is_long

    @property
    def _has_ended(self) -> bool:
        return self._phase is not None and self._phase.kind == ENDED

    @property
    def _is_long(self) -> bool:
        """Messages count too, each is an event: a run is renewed long before the server takes no further one."""
        info = workflow.info()
        length = info.get_current_history_length()
        return length >= self._renew_at or (
            info.is_continue_as_new_suggested() and self._renew_at == RENEW_AFTER_EVENTS
        )

    async def _leave(self) -> bool:
        """Whether the next run can take over now; not where a command waits, which is judged in this one."""
        if self._record.waiting:
            await self._give_the_record_a_moment()
        if not await self._fits():
            await self._stay()
            return False
        self._closing = True
        if self._arrivals.commands:
            return False
        return await self._came_to_rest() and self._run_is_over

    async def _came_to_rest(self) -> bool:
        """Stop what runs beside the loop. A command that has just come is judged in this run: its handler waits for it."""
        self._timers.stop()
        await self._record.close()
        await self._calls.close()
        # A command that came before the run closed is judged in it: its handler waits for the loop.
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self._arrivals.commands)
        return not self._arrivals.commands and workflow.all_handlers_finished()

    async def _stay(self) -> None:
        """More than the next run can be given: what waits is taken in here first, or the record must catch up."""
        self._closing = self._asked_to_move = False
        self._renew_at = workflow.info().get_current_history_length() + RENEW_AFTER_EVENTS // 4
        if self._something_to_do:
            return
        self._say_that_it_is_too_large()
        self._changed, unwritten = False, bool(self._record.waiting)
        await workflow.wait_condition(
            lambda: self._something_to_do or self._changed or (unwritten and not self._record.waiting)
        )

    async def _fits(self) -> bool:
        """Whether the next run can be given everything; the weight is an activity's answer, for it must stay what it was."""
        try:
            weight: int = await workflow.execute_local_activity(
                stubs.weigh,
                self._carried(),
                start_to_close_timeout=SEND_WITHIN,
                retry_policy=RetryPolicy(maximum_attempts=2),
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return False
        return weight <= CARRY_LIMIT_BYTES

    async def _give_the_record_a_moment(self) -> None:
        try:
            await workflow.wait_condition(
                lambda: not self._record.waiting or self._something_to_do,
                timeout=RECORD_GRACE,
                timeout_summary="waiting for the record before the next run",
            )
        except TimeoutError:
            workflow.logger.info("record_carried_over", extra={"course": self._course.course_id})

    async def _end(self) -> str | None:
        """The completion of a course waits for its record and its last calls; until then its timers and messages go on."""
        if self._something_to_do:
            return None
        if not self._all_is_out:
            self._changed = False
            await workflow.wait_condition(lambda: self._all_is_out or self._something_to_do or self._changed)
            return None
        self._timers.stop()
        await self._record.close()
        await self._calls.close()
        if not self._has_ended or self._something_to_do or not self._all_is_out:
            return None
        return f"completed after {self._links.newest} decisions"

    @property
    def _all_is_out(self) -> bool:
        return not self._record.waiting and not self._calls.waiting and workflow.all_handlers_finished()

    def _continue_as_new(self) -> NoReturn:
        assert self._phase is not None
        kind = self._phase.kind if self._taken is None else self._taken.phase.kind
        workflow.continue_as_new(
            args=[self._carried() if self._taken is None else self._taken.carried],
            workflow=WORKFLOW_OF_PHASE.get(kind, WORKFLOW_OF_PHASE[self.PHASE]),
            initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
        )

    def _carried(self) -> Carried:
        assert self._phase is not None
        same_cycle = self._phase.cycle == self._cycle and self._phase.kind == self.PHASE
        return Carried(
            course=self._course,
            facts=tuple(self._facts),
            answers=_bounded(tuple(self._answers.values())),
            waiting=self._arrivals.left(),
            unwritten=tuple(self._record.waiting),
            untold=tuple(self._calls.waiting),
            next_decision=self._next_decision,
            last_sha256=self._links.last.sha256,
            chart_key=self._chart_key,
            cycle=self._phase.cycle,
            cycle_started_at=self._cycle_started_at if same_cycle else None,
            shown_state=self._state,
            shown_state_since=self._state_since,
            failing_since=self._failing_since,
            due=self._due,
            adopted=self._adopted,
            raw=self._raw,
            compared=self._compared,
        )

    # ── deciding ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, bite: Sequence[Waiting]) -> Answered | None:
        """Ask `decide`, then, where no answer came in time, at least hold; `None` where not even that was answered."""
        state = State.model_construct(
            course=self._course,
            facts=tuple(self._facts),
            answered=self._known,
            bite=tuple(w.arrived for w in bite),
            due=self._due,
            adopted=self._adopted,
        )
        # At a replay nobody takes it; where the replay ends in this question, the worker asks for the state.
        token = 0 if workflow.unsafe.is_replaying() else beside.hold(state)
        try:
            ask = self._question(token, bite)
            answered = await self._asked(stubs.decide, ask, state)
            if answered is None:
                self._bite = max(1, self._bite // 4)  # it may have been too much for the time
            return answered or await self._asked(stubs.hold, ask, state)
        finally:
            beside.release(token)

    def _question(self, token: int, bite: Sequence[Waiting]) -> Ask:
        compared = bite[0].compared if bite else None
        self._told_compared = None if compared else self._compared
        return Ask(
            run_id=workflow.info().run_id,
            chart_key=self._chart_key,
            token=token,
            now=workflow.now(),
            cycle=self._cycle,
            monitoring=self.PHASE == MONITORING,
            first=self._next_decision == 1,
            failing_since=self._failing_since,
            compared=compared or self._compared,
        )

    async def _asked(self, activity: Callable[[Ask], Answered], ask: Ask, state: State) -> Answered | None:
        """One question to a local activity: the answer is recorded, so neither a release nor a key changes it later."""
        try:
            answered = await self._locally(activity, ask)
            if answered.missing:
                answered = await self._locally(activity, ask.model_copy(update={"state": state}))
        except FailureError as error:  # a local activity's own error comes unwrapped, and would fail the whole course
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("rules_failed", extra={"course": self._course.course_id})
            return None
        return answered

    async def _locally(self, activity: Callable[[Ask], Answered], ask: Ask) -> Answered:
        return await workflow.execute_local_activity(
            activity,
            ask,
            start_to_close_timeout=stubs.DECIDE_WITHIN,
            schedule_to_close_timeout=stubs.DECIDE_IN_ALL,
            retry_policy=RetryPolicy(maximum_attempts=2),
        )

    def _take_over(self, answered: Answered | None, bite: Sequence[Waiting]) -> None:
        """Take a decision over: facts, entry for the record, answers, what is shown. Nothing is awaited in here."""
        if answered is None:
            self._hold_unrecorded(bite)
            return
        recorded = Recorded.model_validate_json(answered.content)
        first_index = len(self._facts)
        self._facts.extend(recorded.facts)
        self._chart_key = answered.chart_key
        if answered.failed:
            self._call_what_is_due()
        self._assessment, self._phase = recorded.assessment, recorded.phase
        self._due = recorded.assessment.obligations
        self._asked_to_move = self._asked_to_move or answered.moves
        self._reconciled = self._reconciled or answered.reconciled
        self._adopted = ()
        # Another may have been found while this one was judged.
        if not answered.failed and self._told_compared is not None and self._compared is self._told_compared:
            self._compared = None
        self._call_for(recorded.facts, recorded.assessment)
        number = self._next_decision
        if answered.news or answered.signature != self._recorded_signature:
            self._queue(answered, first_index)
            self._recorded_signature = answered.signature
        taken = list(zip(bite, answered.outcomes, strict=False))
        for waiting, outcome in taken:
            self._answer(waiting, outcome, number, recorded.assessment)
        self._arrivals.done([w for w, o in taken if o.how != "waits" or (w.answered and not w.arrived.kept)])
        if answered.failed:
            self._keep_or_refuse_all(bite[len(taken) :])
        self._note_whether_rules_work(works=not answered.failed, asked_at=recorded.at)
        self._changed = True
        self._show()

    @property
    def _next_decision(self) -> int:
        return self._links.newest + 1

    def _queue(self, answered: Answered, first_index: int) -> None:
        entry = RecordEntry(
            course_id=self._course.course_id,
            number=self._next_decision,
            run_cycle=self._cycle,
            first_fact_index=first_index,
            content=answered.content,
            content_sha256=answered.content_sha256,
            previous_sha256=self._links.last.sha256,
            raw=(*self._raw, *answered.raw),
        ).sealed()
        self._raw = ()
        self._record.put(entry)
        self._links.add(entry.number, entry.sha256)

    # ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────

    @workflow.signal(dynamic=True)
    def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """Results, findings and responses of machines, and whatever else is sent: kept as it came, never raises."""
        self._arrivals.put(Waiting(incoming.arrived(name, args, "signal")))

    @workflow.signal
    async def compare_record(self) -> None:
        """Housekeeping saw this course and its record at different decisions for longer than a write takes (REC-02)."""
        self._hold_for(await self._compare())

    @workflow.update(dynamic=True)
    async def on_update(self, name: str, args: Sequence[RawValue]) -> Receipt:
        """A command of a person, answered with a receipt, or refused with what is missing and what would clear it."""
        compared = await self._compare() if name in COMPARED_FIRST else None
        sent_as = Message.id_of_update(info.id if (info := workflow.current_update_info()) else "")
        waiting = self._arrivals.put(Waiting(incoming.arrived(name, args, "update"), compared, sent_as))
        await workflow.wait_condition(lambda: waiting.answered)
        if waiting.error is not None:
            raise waiting.error
        assert waiting.receipt is not None
        return waiting.receipt

    @on_update.validator
    def _is_well_formed(self, name: str, args: Sequence[RawValue]) -> None:
        """Turn away a form that is not for this course. It is not run at replay and hands nothing on: `decide` reads again.

        While a run closes its senders ask the next one: were their commands taken here all the time, it would never end.
        """
        if self._closing:
            raise ApplicationError(
                "this run gives over to the next; send it again", type=RUN_CLOSES, non_retryable=True
            )
        command = incoming.well_formed_command(name, args)
        if command.course_id is not None and command.course_id != self._course.course_id:
            raise ApplicationError("not this course", type="WrongCourse", non_retryable=True)

    def _answer(self, waiting: Waiting, outcome: Outcome, number: int, card: Assessment) -> None:
        """Keep the answer for every repeat, and give it to whoever waits for it."""
        self._remember(outcome, waiting.arrived.sent, number, card)
        if outcome.inside is not None and outcome.inside.sent is not None:
            self._remember(outcome.inside, outcome.inside.sent, number, card)
        if not waiting.is_command:
            return
        match outcome.how:
            case "judged" if outcome.refusal is not None:
                waiting.error = _refusal(outcome.refusal)
            case "judged" | "known" if outcome.id:
                self._give(waiting, self._answers.get(outcome.id), number, card)
            case "reused":
                waiting.error = _error("MessageIdReused", "MessageIdReused")
            case "unreadable" | "judged" | "known":
                waiting.error = _error("Unreadable", "this worker cannot read it; it is kept for a person")
            case "set_aside":
                waiting.error = _error(
                    "SetAside", "a rule failed on it; it is kept for a person, and the gate is closed"
                )
            case "waits":
                self._keep_or_refuse(waiting, outcome.id)

    def _remember(self, outcome: Outcome, sent: Sent, number: int, card: Assessment) -> None:
        if outcome.how != "judged" or (outcome.refusal is not None and not outcome.refusal.final):
            return
        asked = sent == "update"
        receipt = Receipt.of(outcome.id, number, card) if asked and outcome.refusal is None else None
        refusal = outcome.refusal if asked else None
        self._answers[outcome.id] = Answer(
            message_id=outcome.id, sha256=outcome.sha256, receipt=receipt, refusal=refusal
        )
        self._known[outcome.id] = outcome.sha256

    def _give(self, waiting: Waiting, answer: Answer | None, number: int, card: Assessment) -> None:
        if answer is not None and answer.refusal is not None:
            waiting.error = _refusal(answer.refusal)
        else:
            known = answer.receipt if answer is not None else None
            waiting.receipt = known or Receipt.of(answer.message_id if answer else "", number, card)

    def _keep_or_refuse(self, waiting: Waiting, message_id: str) -> None:
        """What the caller is told while the rules fail. A statement is kept and judged later; a request is not."""
        card = self._assessment
        if not issubclass(COMMANDS.get(waiting.arrived.name, Statement), Statement) or card is None:
            waiting.error = _error("RulesUnavailable", RULES_WORDS)
            return
        words = f"{Verdict.HOLD} – {RULES_WORDS}; the statement is kept and will be judged"
        waiting.receipt = Receipt(
            message_id=message_id,
            decision=self._links.newest,
            state=card.state,
            verdict=card.verdict,
            sentence=words,
        )
        waiting.keep()
        self._call_for_statement(waiting.arrived.name)

    def _keep_or_refuse_all(self, bite: Sequence[Waiting]) -> None:
        """Nobody has looked at these: what nobody waits for stays, and a command is answered as while the rules fail."""
        commands = [w for w in bite if w.is_command]
        for waiting in commands:
            self._keep_or_refuse(waiting, waiting.sent_as)
        self._arrivals.done([w for w in commands if not w.arrived.kept])

    # ── when the rules cannot be evaluated ─────────────────────────────────────────────────────────────────────────

    def _note_whether_rules_work(self, *, works: bool, asked_at: datetime) -> None:
        """Hold, keep the timers, call an administrator again and again, and ask again after 1 min, doubling to 1 h."""
        self._rules_work = works
        if works:
            if not self._arrivals.others:
                self._failing_since, self._rules_failures, self._administrator_called_at = None, 0, None
                self._timers.drop_retry()
            return
        now = workflow.now()
        self._failing_since = self._failing_since or asked_at
        wait = min(FIRST_RETRY * 2 ** min(self._rules_failures, DOUBLINGS), LAST_RETRY)
        if self._timers.retry_rules_at(now + wait):
            self._rules_failures += 1
        called = self._administrator_called_at
        if called is None or now - called >= CALL_AGAIN_AFTER:
            self._administrator_called_at = now
            self._call(RULES_KEY, RULES_WORDS, "RULES-01", Role.ADMINISTRATOR, now)

    def _hold_unrecorded(self, bite: Sequence[Waiting]) -> None:
        """Nobody has answered, so there is nothing to record; what is shown is a hold all the same (RULES-01)."""
        now = workflow.now()
        self._note_whether_rules_work(works=False, asked_at=now)
        self._call_what_is_due()
        since = self._failing_since or now
        protocol = self._chart.protocol.name
        self._assessment = held_without_rules(self._due, self._cycle, protocol, now, since, "no answer in time")
        self._due = self._assessment.obligations
        self._keep_or_refuse_all(bite)
        self._changed = True
        self._show()

    def _call_what_is_due(self) -> None:
        """While the rules fail, what was promised before is called for at its time, each rung once."""
        now = workflow.now()
        for o in self._due:
            for rung in o.rungs_until(now):
                self._call_rung(o, rung, called=o.called(rung, now))
        self._due = tuple(o.as_of(now) for o in self._due)
        if self._assessment is not None:
            self._assessment = self._assessment.model_copy(update={"obligations": self._due})

    def _call_for_statement(self, name: str) -> None:
        """A reaction or an interruption that no rule can judge now is called for at once."""
        if name in ("report_reaction", "interrupt_infusion"):
            title = f"{name.replace('_', ' ')} was charted while the rules fail: look at the patient"
            self._call_each(f"{name}-unjudged", title, "RULES-01", Role.PHYSICIAN, Role.NURSE)

    # ── the record ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _compare(self) -> RecordCompared:
        """How the record's head stands to this run; `away` where it does not answer in two seconds (REC-02)."""
        asked_at = last_written([e.number for e in self._record.waiting], self._links.newest)
        try:
            head = await asked(
                stubs.head_of_record,
                self._course.course_id,
                start_to_close_timeout=COMPARE_WITHIN,
                schedule_to_close_timeout=COMPARE_BEGINS_WITHIN + COMPARE_WITHIN,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary="is the record where this course is?",
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return RecordCompared(outcome="away", words="the record does not answer")
        found = self._links.compared(head, asked_at)
        self._call_for_a_difference(found, *((Role.NURSE,) if head.state in AT_THE_BEDSIDE else ()))
        return found

    def _call_for_a_difference(self, found: RecordCompared, *also: Role) -> None:
        """A record that knows more, or says otherwise, is called for at once, and once for each difference (REC-02)."""
        if found.differs and found.words != self._called_for:
            self._called_for = found.words
            # By its words: two differences may be found within one second.
            key = f"record-differs/{short_hash(found.words)}"
            self._call_each(key, found.words, DIFFERS, Role.ADMINISTRATOR, Role.PHYSICIAN, *also)

    def _hold_for(self, found: RecordCompared) -> None:
        """A difference becomes a fact with the next decision, where it does not stand already."""
        if found.differs and found.words not in self._differences:
            self._compared, self._must_decide = found, True

    @property
    def _differences(self) -> tuple[str, ...]:
        """The difference between record and execution that stands, in words."""
        found = self._assessment.findings if self._assessment is not None else ()
        return tuple(f.reason for f in found if f.rule == DIFFERS)

    async def _goes_on_from_the_record(self) -> bool:
        """Two people have settled a difference: a new run goes on from the record, with what only this one knows.

        The record is read beside the loop, which takes in, decides and calls meanwhile; after that it is read once more.
        """
        taken = self._offered
        if taken is None or self._offered_at != self._next_decision:
            self._read_the_record()
            return False
        self._closing = True
        if self._arrivals.commands or not await self._came_to_rest():
            return False
        unwritten = tuple(raw for entry in self._record.waiting for raw in entry.raw)
        left = {"waiting": self._arrivals.left(), "untold": tuple(self._calls.waiting), "raw": unwritten}
        self._taken = taken.model_copy(update={"carried": taken.carried.model_copy(update=left)})
        return True

    def _read_the_record(self) -> None:
        if self._reading is None or self._reading.done():
            self._offered, self._offered_at = None, self._next_decision
            self._reading = asyncio.create_task(self._take_over_the_record())

    async def _take_over_the_record(self) -> None:
        try:
            self._offered = await asked(
                stubs.take_over,
                self._carried(),
                start_to_close_timeout=SEND_WITHIN,
                schedule_to_close_timeout=RECORD_BEHIND_AFTER,
                retry_policy=UNTIL_IT_IS_DONE,
                summary="go on from the record",
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            kind = error.cause.type if isinstance(error.cause, ApplicationError) else type(error.cause).__name__
            # Named with its decision: each failure takes back what both have said, and is called for.
            words = f"the record could not be read to go on from it, after decision {self._links.newest} ({kind})"
            self._reconciled = False
            found = RecordCompared(outcome="other", words=words)
            self._call_for_a_difference(found)
            self._hold_for(found)
        self._changed = True

    async def _say_that_the_record_refuses(self, kind: str) -> None:
        """A conflict or a gap that the writing of an entry met: held like any other difference (REC-02)."""
        if self._refused_by_record == kind:
            return
        self._refused_by_record = kind
        found = await self._compare()
        if not found.differs:
            found = RecordCompared(outcome="other", words=f"the record refuses what this execution decided ({kind})")
            self._call_for_a_difference(found)
        self._hold_for(found)

    async def _write(self, entries: tuple[RecordEntry, ...]) -> None:
        """One ordered batch into the record, for as long as it takes; only the completion of the course waits for it."""
        batch = RecordBatch(entries=entries)
        while not await self._written_in_time(batch):
            if self._refused_by_record:
                await workflow.sleep(RECORD_BEHIND_AFTER, summary="the record refuses an entry; it is tried again")
            else:
                self._say_that_the_record_is_behind()
        self._refused_by_record = ""
        last = entries[-1]
        workflow.upsert_memo({RECORD_HEAD: {"number": last.number, "sha256": last.sha256}})
        if self._record_behind:
            self._record_behind = False
            self._show()

    async def _written_in_time(self, batch: RecordBatch) -> bool:
        """Whether the record has confirmed the batch before it counts as behind. No timer, so no bar in the Web UI."""
        try:
            await asked(
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
            refused = error.cause.type if isinstance(error.cause, ApplicationError) else None
            if refused in REFUSED_BY_RECORD:
                await self._say_that_the_record_refuses(refused)
            elif is_no_answer(error):  # whoever said so, the record did not; it is asked again, and not without a pause
                await workflow.sleep(AGAIN_AFTER, summary="the record gave no answer; it is asked again")
            return False
        return True

    def _say_that_the_record_is_behind(self) -> None:
        workflow.logger.error("record_behind", extra={"course": self._course.course_id})
        if not self._record_behind:
            words = "the record is behind: its database does not answer"
            self._call(RECORD_KEY, words, "REC-01", Role.ADMINISTRATOR, workflow.now())
        self._record_behind = True
        self._show()

    def _say_that_it_is_too_large(self) -> None:
        workflow.logger.error("too_large_to_carry", extra={"course": self._course.course_id})
        if self._record.waiting:
            self._say_that_the_record_is_behind()
        elif not self._too_large:
            self._too_large = True
            self._call("too-large", TOO_LARGE_WORDS, "REC-01", Role.ADMINISTRATOR, workflow.now())
            self._show()

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _notify(self, calls: tuple[Notification, ...]) -> None:
        """Tell people; it never waits for the record."""
        await asked(
            stubs.notify,
            NotificationBatch(notifications=calls),
            start_to_close_timeout=SEND_WITHIN,
            retry_policy=UNTIL_IT_IS_DONE,
            summary=_told(calls),
        )
        self._calls_failed = False

    def _say_that_calls_fail(self) -> None:
        """A call was given up from outside: it is sent again behind the others, and an administrator is told once."""
        workflow.logger.error("calls_failed", extra={"course": self._course.course_id})
        if not self._calls_failed:
            self._calls_failed = True
            self._call(CALLS_KEY, CALLS_WORDS, "REC-01", Role.ADMINISTRATOR, workflow.now())
            self._show()

    def _say_that_it_was_cancelled(self) -> None:
        """A cancellation is no end of a course (MON-17 is): it goes on, and says who must look."""
        workflow.logger.error("cancellation_asked", extra={"course": self._course.course_id})
        self._cancelled_at = workflow.now()
        words = "somebody asked to cancel this course; it goes on, for only its end by the rules ends it"
        self._call_each(CANCEL_KEY, words, "MON-17", Role.ADMINISTRATOR, Role.COORDINATOR)
        self._changed = True
        self._show()

    def _call_for(self, facts: Sequence[Fact], assessment: Assessment) -> None:
        """Every rung that fired calls those it names, once: a rung fires once."""
        known = {o.key: o for o in assessment.obligations}
        for fact in facts:
            rung = fact.what
            if isinstance(rung, RungFired) and rung.obligation in known and rung.obligation != RULES_KEY:
                # One that was put off rings by its own time: the key of a call is new each time it is made.
                due_at = rung.until or rung.due_at
                self._call_rung(known[rung.obligation], rung.rung, due_at, fact.recorded_at, rung.calls)

    def _call_rung(
        self,
        o: Obligation,
        rung: Rung,
        due_at: datetime | None = None,
        fired_at: datetime | None = None,
        called: Sequence[Role] | None = None,
    ) -> None:
        """Each of those called by a call of their own; the owner's has the key of the obligation alone."""
        for role in o.owners if called is None else called:
            key = o.key if role is o.owner else f"{o.key}-{role}"
            self._call(key, o.title, o.rule, role, due_at or o.due_at, rung, fired_at)

    def _call_each(self, key: str, title: str, rule: str, *owners: Role) -> None:
        """Several people are called at once, each by a call of their own."""
        for owner in owners:
            self._call(f"{key}-{owner}", title, rule, owner, workflow.now())

    def _call(
        self,
        key: str,
        title: str,
        rule: str,
        owner: Role,
        due_at: datetime,
        rung: Rung = "due",
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
        zone = self._course.zone
        workflow.set_current_details(
            details_of(self._assessment, self._state_since, self._links.newest, self._trouble, zone)
        )

    @property
    def _trouble(self) -> tuple[str, ...]:
        words = []
        if self._failing:
            waiting = f"; {len(self._arrivals)} messages wait" if len(self._arrivals) else ""
            words.append(f"{RULES_WORDS}; the course is held and asks again{waiting}")
        words += [f"{DIFFERS}: {difference}" for difference in self._differences]
        if self._reconciled:
            words.append(GOES_ON_WORDS)
        if self._record_behind:
            words.append(f"record behind: {len(self._record.waiting)} entries wait for the database")
        if self._calls_failed:
            words.append(CALLS_WORDS)
        if self._too_large:
            words.append(TOO_LARGE_WORDS)
        if self._cancelled_at is not None:
            at = self._cancelled_at.astimezone(zone_of(self._course.zone))
            words.append(f"somebody asked to cancel this course at {at:%d %b %Y %H:%M} {at.tzname()}; it goes on")
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
            decisions=self._links.newest,
            facts=len(self._facts),
            unwritten=len(self._record.waiting),
            waiting=0 if self._failing else len(self._arrivals),
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


def _letters_of(entry: RecordEntry) -> int:
    """The size of an entry, as it was decided: no later release may count otherwise."""
    return len(entry.content) + sum(len(r.raw_base64) for r in entry.raw)


def _bounded(answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """The answers as they are carried: of older refusals only their kind and words, so that a flood of them stays small."""
    refused = [i for i, answer in enumerate(answers) if answer.refusal is not None]
    older = set(refused[:-REFUSALS_KEPT_WHOLE])
    return tuple(_without_findings(a) if i in older else a for i, a in enumerate(answers))


def _without_findings(answer: Answer) -> Answer:
    assert answer.refusal is not None
    return answer.model_copy(update={"refusal": answer.refusal.model_copy(update={"findings": ()})})


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


def _error(kind: str, words: str) -> ApplicationError:
    return ApplicationError(words, type=kind, non_retryable=True)


def _refusal(refusal: Refused) -> ApplicationError:
    """Type and rules in the text; the card travels in the details, which the codec encrypts."""
    return ApplicationError(refusal.type_and_rules, refusal, type=refusal.type, non_retryable=True)
